/* attack.c - one segment of each kind from somebody else, to one endpoint of each class that was
 * reached: 512 sets of control bits, five sequence numbers, five acknowledgments, three lengths.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

enum { FLAG_SETS = 512, NUMBERS = 5, LENGTHS = 3, CLASSES_MOST = 4096, WINDOW = 24, FAR = 1000000 };

/* Endpoints whose connections are in the same states, at the same numbers, are one class. */
struct classes {
    uint64_t seen[CLASSES_MOST];
    uint32_t n;
};

static bool is_new(struct classes *c, const struct ghost *g)
{
    uint64_t key[2];
    hash_128(g->view, sizeof g->view, key);
    for (uint32_t i = 0; i < c->n; i++)
        if (c->seen[i] == key[0])
            return false;
    if (c->n == CLASSES_MOST)
        return false;
    c->seen[c->n++] = key[0];
    return true;
}

/* Around what the endpoint expects, and far from it. */
struct aims {
    uint32_t seq[NUMBERS], ack[NUMBERS];
};

static struct aims aim(const struct side *s)
{
    const struct view *v = &s->ghost.view[0];
    bool any = s->ghost.views > 0;
    uint32_t rcv = any && v->peer != GEN_NONE ? s->irs[v->peer] + v->rcv : s->irs[0];
    uint32_t iss = any && v->own != GEN_NONE ? s->iss[v->own] : FAR;
    uint32_t una = iss + (any ? v->una : 0), nxt = iss + (any ? v->nxt : 0);
    return (struct aims){{rcv - 1, rcv, rcv + 1, rcv + WINDOW, rcv + FAR},
                         {una - 1, una, nxt, nxt + 1, una - FAR}};
}

static void put_be32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* The n-th kind. */
static struct message forged(int side, const struct aims *aims, uint32_t n)
{
    static const uint8_t lengths[LENGTHS] = {0, 1, WINDOW + 6};
    struct message m = {.from = (uint8_t)(1 - side), .ctl = (uint16_t)(n % FLAG_SETS)};
    n /= FLAG_SETS;
    m.text = lengths[n / NUMBERS / NUMBERS];
    m.len = (uint8_t)(40 + m.text);
    side_header(1 - side, m.frame);
    m.frame[3] = m.len;
    uint8_t *tcp = m.frame + 20;
    put_be32(tcp + 4, aims->seq[n % NUMBERS]);
    put_be32(tcp + 8, aims->ack[n / NUMBERS % NUMBERS]);
    tcp[12] = (uint8_t)(5 << 4 | m.ctl >> 8);
    tcp[13] = (uint8_t)m.ctl;
    tcp[15] = WINDOW;
    memset(tcp + 20, 0x55, m.text);
    return m;
}

/* False: something was wrong. */
static bool attack_one(struct world *w, int side, uint32_t endpoint, struct explore_result *r,
                       FILE *out)
{
    static const struct side_env quiet;
    struct side *s = aligned_alloc(64, sizeof *s);
    const struct side *before = world_side(w, side, endpoint);
    struct aims aims = aim(before);
    bool right = s != NULL;
    for (uint32_t n = 0; right && n < FLAG_SETS * NUMBERS * NUMBERS * LENGTHS; n++) {
        struct outcome o;
        struct message m = forged(side, &aims, n);
        *s = *before;
        side_do(s, side, EVENT_FORGED, &m, &quiet, &o);
        r->attacks++;
        right = o.wrong == WRONG_NOTHING;
        if (!right && out)
            fprintf(out, "violation: %s (%s): segment %u, control bits %03x, in %s\n",
                    wrong_sentence((enum wrong)o.wrong), o.detail, n, m.ctl,
                    hf_state_name(before->ghost.views ? before->ghost.view[0].state : HF_CLOSED));
    }
    free(s);
    return right;
}

void attack_all(struct world *w, struct explore_result *r, FILE *out)
{
    for (int side = 0; side < 2; side++) {
        struct classes *classes = calloc(1, sizeof *classes);
        uint64_t n = world_endpoints(w, side);
        for (uint32_t i = 0; i < n && classes; i++) {
            if (!is_new(classes, world_ghost(w, side, i)))
                continue;
            r->classes++;
            r->violations += !attack_one(w, side, i, r, out);
        }
        free(classes);
    }
}
