/* forge.c - what somebody can send who sees nothing of the connection: he knows addresses and
 * ports, guesses numbers, and may be lucky.
 */
#include "world.h"

#include <string.h>

enum { WINDOW = 24, LUCK = 5, FORGED_SEQ = 50 };

static void put_be16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static struct message bare(int side, uint16_t ctl)
{
    struct message m = {.len = 40, .from = (uint8_t)(1 - side), .ctl = ctl};
    m.seq_gen = m.ack_gen = GEN_NONE;
    side_header(1 - side, m.frame);
    uint8_t *tcp = m.frame + 20;
    tcp[12] = 5 << 4;
    tcp[13] = (uint8_t)ctl;
    put_be16(tcp + 14, WINDOW);
    return m;
}

/* Of an open connection. */
static const struct view *open_view(const struct ghost *g)
{
    for (int i = 0; i < g->views; i++)
        if (side_synchronized(&g->view[i]) && g->view[i].peer != GEN_NONE)
            return &g->view[i];
    return NULL;
}

uint16_t forge(struct world *w, int side, uint32_t endpoint, uint8_t kind)
{
    const struct side *s = world_side(w, side, endpoint);
    const struct view *v = open_view(&s->ghost);
    bool listens = world_config(w)->listens[side];
    struct message m;
    if (kind == EXPLORE_FORGE_SYN && listens) {
        m = bare(side, HF_SYN);
        m.seq = FORGED_SEQ;
    } else if (kind == EXPLORE_FORGE_ACK && listens) {
        m = bare(side, HF_ACK);
        m.seq = FORGED_SEQ + 1;
        m.ack = EXPLORE_GUESS + 1;
    } else if (kind == EXPLORE_FORGE_RST && v != NULL) {
        m = bare(side, HF_RST);
        m.seq_gen = v->peer;
        m.apart = s->isn_step ? s->irs[v->peer] - s->irs[0] : 0;
        m.seq = (int8_t)(v->rcv + LUCK);
    } else {
        return 0;
    }
    return world_name(w, &m);
}
