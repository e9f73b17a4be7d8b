/* resets.c - resets on their way that are about no connection any more.
 *
 * One whose connection is gone at its receiver, or has received more than it is about, is ignored
 * there now and ever after, if no SYN of its incarnation can come any more.  To take it from the
 * channel is to deliver it at once: what can happen without it is all that can happen with it.
 * That a stack does ignore it is asked of each endpoint that was reached, when the search is over.
 */
#include "store.h"

/* Where numbers of one incarnation are never those of another, and the stack has all its rules. */
static bool can_tell(const struct explore_config *c)
{
    return !c->isn_step && !c->forged && !c->unjudged;
}

/* No SYN of this incarnation of `from` is on its way, or will be sent again. */
static bool is_past(const struct world *w, const struct state *s, int from, uint8_t gen)
{
    const struct ghost *g = world_ghost(w, from, s->side[from]);
    const uint16_t *channel = s->channel[from];
    for (int i = 0; i < g->views; i++)
        if (g->view[i].own == GEN_NONE || (g->view[i].own == gen && g->view[i].una == 0))
            return false;
    for (int i = 0; i < CHANNEL && channel[i]; i++) {
        const struct message *m = world_message(w, channel[i]);
        if ((m->ctl & HF_SYN) && m->seq_gen == gen)
            return false;
    }
    return true;
}

/* A reset that names a connection, but none that is there, or numbers that have arrived. */
static bool fits_none(const struct ghost *g, const struct message *m)
{
    if (!(m->ctl & HF_RST) || (m->seq_gen == GEN_NONE && m->ack_gen == GEN_NONE))
        return false;
    for (int i = 0; i < g->views; i++) {
        const struct view *v = &g->view[i];
        bool fits = v->state == HF_SYN_SENT
                        ? v->own == GEN_NONE || v->own == m->ack_gen
                        : v->peer == GEN_NONE || (v->peer == m->seq_gen && m->seq >= (int)v->rcv);
        if (fits)
            return false;
    }
    return true;
}

static bool is_void(struct world *w, const struct state *s, int to, uint16_t message)
{
    const struct message *m = world_message(w, message);
    if (!fits_none(world_ghost(w, to, s->side[to]), m) ||
        (m->seq_gen != GEN_NONE && !is_past(w, s, 1 - to, m->seq_gen)))
        return false;
    const struct step *step = world_step(w, to, s->side[to], EVENT_DELIVER, message);
    return step->next == s->side[to] && step->n == 0 && !step->wrong;
}

void resets_drop(struct world *w, struct state *s)
{
    unsigned resets = 0; /* counted, without a jump for each */
    for (int i = 0; i < CHANNEL; i++)
        resets += world_is_reset(w, s->channel[0][i]) + world_is_reset(w, s->channel[1][i]);
    if (resets == 0 || !can_tell(world_config(w)))
        return;
    for (int to = 0; to < 2; to++)
        for (int i = 0; i < CHANNEL && s->channel[1 - to][i];)
            if (is_void(w, s, to, s->channel[1 - to][i]))
                channel_take(s->channel[1 - to], s->channel[1 - to][i]);
            else
                i++;
}

/* The first state with this endpoint. */
static uint32_t find_state(const struct store *s, int side, uint32_t endpoint)
{
    uint32_t number = 0, n = store_count(s);
    while (number < n && store_state(s, number).side[side] != endpoint)
        number++;
    return number;
}

bool resets_check(struct world *w, const struct store *s, struct action *action, uint32_t *number)
{
    uint64_t messages = can_tell(world_config(w)) ? world_messages(w) : 0;
    for (uint64_t m = 1; m <= messages; m++) {
        const struct message *message = world_message(w, (uint16_t)m);
        int to = 1 - message->from;
        uint64_t n = world_endpoints(w, to);
        for (uint32_t e = 0; e < n; e++) {
            if (!fits_none(world_ghost(w, to, e), message) || world_ignores(w, to, e, message))
                continue;
            *number = find_state(s, to, e);
            *action = (struct action){ACT_FORGE, (uint8_t)to, EVENT_DELIVER, 0, (uint16_t)m};
            if (*number < store_count(s)) /* else it was come to where nothing is lost alone */
                return false;
        }
    }
    return true;
}
