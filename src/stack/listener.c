/* listener.c - who listens where (RFC 9293 section 3.9.1.1: any address, MUST-45; several ports).
 *
 * Listeners of one port hang in buckets by that port; those of a range, of which there are few, in
 * a list of their own.  The most exact one takes a SYN: a certain address before any, one port
 * before a range, one IP version before both.
 */
#include "stack/stack.h"

static uint32_t *bucket_of(const struct stack *st, uint16_t port)
{
    return (uint32_t *)stack_at(st, st->s->listen_offset) + (port & st->s->bucket_mask);
}

static uint32_t *list_of(const struct stack *st, const struct listener *listener)
{
    return listener->port_first == listener->port_last ? bucket_of(st, listener->port_first)
                                                       : &st->s->listen_ranges;
}

/* How exactly it matches; 0: not at all.  MUST-43.  Of one interface, with any address: what comes
 * in there, whatever address it is for. */
static uint32_t score(const struct listener *l, const struct conn_id *id, uint8_t iface)
{
    uint8_t zone = l->any && iface != 0 ? iface : id->zone;
    if (id->lport < l->port_first || id->lport > l->port_last ||
        (l->version != 0 && (l->version == 4) != id->v4) ||
        (l->zone != 0 && zone != 0 && l->zone != zone) ||
        (!l->any && memcmp(l->local, id->local, 16) != 0)) {
        return 0;
    }
    return 1 + (l->any ? 0 : 8) + (l->port_first == l->port_last ? 4 : 0) +
           (l->version != 0 ? 2 : 0) + (l->zone != 0 ? 1 : 0);
}

/* The best of a list, if it is better than `best`, whose score is *best_score. */
static uint32_t better_of(const struct stack *st, uint32_t idx, const struct conn_id *id,
                          uint8_t iface, uint32_t best, uint32_t *best_score)
{
    while (idx != 0) {
        const struct listener *listener = listener_at(&st->tcp, idx);
        uint32_t found = score(listener, id, iface);
        if (found > *best_score) {
            best = idx;
            *best_score = found;
        }
        idx = listener->next;
    }
    return best;
}

uint32_t stack_find_listener(const struct stack *st, const struct conn_id *id, uint8_t iface)
{
    uint32_t best_score = 0;
    uint32_t best = better_of(st, *bucket_of(st, id->lport), id, iface, 0, &best_score);
    return better_of(st, st->s->listen_ranges, id, iface, best, &best_score);
}

/* Could both be the most exact one for the same SYN? */
static bool collide(const struct listener *a, const struct listener *b)
{
    bool ranges = a->port_first != a->port_last;
    if (ranges != (b->port_first != b->port_last) || a->port_first > b->port_last ||
        b->port_first > a->port_last || a->any != b->any || a->zone != b->zone) {
        return false;
    }
    return a->any ? a->version == b->version : memcmp(a->local, b->local, 16) == 0;
}

/* MUST-41, MUST-42: only listeners are looked at */
bool stack_listener_fits(const struct stack *st, const struct listener *wanted)
{
    for (uint32_t idx = *list_of(st, wanted); idx != 0; idx = listener_at(&st->tcp, idx)->next) {
        if (collide(listener_at(&st->tcp, idx), wanted)) {
            return false;
        }
    }
    return true;
}

/* The record keeps its generation, which is even while it is free and odd now. */
uint32_t stack_listener_new(struct stack *st, const struct listener *wanted)
{
    struct pool *pool = &st->s->tcp.listeners;
    uint32_t top = pool->top;
    uint32_t idx = pool_alloc(pool, st->s);
    if (idx == 0) {
        return 0;
    }
    struct listener *listener = listener_at(&st->tcp, idx);
    uint32_t generation = idx > top ? 1 : listener->generation + 1;
    *listener = *wanted;
    listener->generation = generation;
    uint32_t *list = list_of(st, listener);
    listener->next = *list;
    *list = idx;
    return idx;
}

void stack_listener_close(struct stack *st, uint32_t idx)
{
    struct listener *listener = listener_at(&st->tcp, idx);
    tcp_close_listener(&st->tcp, idx);
    uint32_t *link = list_of(st, listener);
    while (*link != idx) {
        link = &listener_at(&st->tcp, *link)->next;
    }
    *link = listener->next;
    struct links links =
        pool_links(&st->s->tcp.listeners, st->s, offsetof(struct listener, event_link));
    if (listener->event_link.prev != 0 || st->s->tcp.ready_listeners.head == idx) {
        idlist_remove(&st->s->tcp.ready_listeners, &links, idx);
    }
    listener->events = 0;
    listener->generation++;
    tcp_drop_extra(&st->tcp, &listener->extra);
    pool_free(&st->s->tcp.listeners, st->s, idx);
}
