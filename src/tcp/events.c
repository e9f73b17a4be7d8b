/* events.c - the ready list: handles with something to tell, each in it once.
 *
 * Bits gather in tcb->events until they are read; then those that are no longer true fall away.  A
 * tcb is in the list while it has bits and is not in its listener's queue, which uses the same
 * link.  So do the lists of the starved: who found no memory to send with, and nothing of whose
 * own will change that.  They are told, in turn, when some is free again.  All in one list wait for
 * the same, so that it is enough to look at its head.
 */
#include "tcp/tcp.h"

static struct links tcb_links(const struct tcp *tcp)
{
    return pool_links(&tcp->b->tcbs, tcp->block, offsetof(struct tcb, event_link));
}

static struct links listener_links(const struct tcp *tcp)
{
    return pool_links(&tcp->b->listeners, tcp->block, offsetof(struct listener, event_link));
}

static bool listed(const struct idlist *list, const struct idlist_link *link, uint32_t idx)
{
    return link->prev != 0 || list->head == idx;
}

/* The list a tcb with these events is in. */
static struct idlist *list_of(struct tcp *tcp, uint16_t events)
{
    bool waits = (events & (uint16_t)~EVENT_WAITS) == 0 && events != 0;
    return waits ? &tcp->b->starved[starved_list(events)] : &tcp->b->ready;
}

/* Its events become these, and it changes lists with them. */
static void set_events(struct tcp *tcp, struct tcb *tcb, uint16_t events)
{
    struct links links = tcb_links(tcp);
    uint32_t idx = tcb_index(tcp, tcb);
    struct idlist *from = list_of(tcp, tcb->events);
    struct idlist *to = list_of(tcp, events);
    bool in = listed(from, &tcb->event_link, idx);
    tcb->events = events;
    if (in && (from != to || events == 0)) {
        idlist_remove(from, &links, idx);
        in = false;
    }
    if (!in && events != 0) {
        idlist_push_tail(to, &links, idx);
    }
}

void tcp_event(struct tcp *tcp, struct tcb *tcb, uint16_t bits)
{
    if (tcb->flags & (F_COMPACT | F_RELEASED)) {
        return;
    }
    if (tcb->modes & M_NO_REPORTS) {
        bits &= (uint16_t) ~(HF_ERROR_REPORT | HF_TROUBLE); /* SHLD-20 */
    }
    if (tcb->flags & F_UNACCEPTED) {
        tcb->events |= bits;
        return;
    }
    set_events(tcp, tcb, tcb->events | bits);
}

void tcp_events_clear(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->flags & (F_COMPACT | F_UNACCEPTED)) {
        tcb->events = 0;
        return;
    }
    set_events(tcp, tcb, 0);
}

/* It waits for what hf_send or hf_send_borrowed wanted last, and with hf_close for the least. */
void tcp_starves(struct tcp *tcp, struct tcb *tcb, uint16_t wait)
{
    if (tcb->flags & (F_COMPACT | F_RELEASED)) {
        return;
    }
    uint16_t before =
        wait == EVENT_CLOSE ? tcb->events : tcb->events & (uint16_t) ~(EVENT_STARVED | EVENT_PIECE);
    set_events(tcp, tcb, before | wait | (tcb->active ? 0 : EVENT_RECORD));
}

/* It waits no more, and something is told. */
static void feed(struct tcp *tcp, struct tcb *tcb)
{
    tcb->flags &= ~(uint32_t)F_WANT_WRITE;
    set_events(tcp, tcb, (tcb->events & (uint16_t)~EVENT_WAITS) | HF_WRITABLE);
}

void tcp_record_changed(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->active == 0) {
        set_events(tcp, tcb, tcb->events | EVENT_RECORD);
    } else if (tcb->events & EVENT_CLOSE) {
        feed(tcp, tcb);
    } else {
        set_events(tcp, tcb, tcb->events & (uint16_t)~EVENT_RECORD);
    }
}

/* Would the call that was refused be taken now? */
static bool fed(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct tcp_block *b = tcp->b;
    if (tcb->events & EVENT_CLOSE) {
        return b->actives.used < b->actives.max;
    }
    bool piece = b->pieces.used < b->pieces.max && b->lents.used < b->lents.max;
    bool memory = tcb->events & EVENT_PIECE ? piece : tcp_chunk_free(tcp);
    return memory && (tcb->active || tcp_active_free(tcp));
}

/* The first of each list of the starved has something to tell if there is something for it. */
static void feed_starved(struct tcp *tcp)
{
    for (uint32_t i = 0; i < STARVED_LISTS; i++) {
        uint32_t idx = idlist_head(&tcp->b->starved[i]);
        struct tcb *tcb = idx ? tcb_at(tcp, idx) : NULL;
        if (tcb && (tcb->state == HF_CLOSED || fed(tcp, tcb))) {
            feed(tcp, tcb);
        }
    }
}

static bool readable(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    return (active && active->rq_bytes) || (tcb->flags & F_FIN_RECEIVED) || tcb->state == HF_CLOSED;
}

static bool writable(struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    bool waits = active && (active->fast & FAST_DEFER); /* our SYN does, for this text */
    bool open = tcb->state == HF_ESTABLISHED || tcb->state == HF_CLOSE_WAIT || waits;
    if ((tcb->flags & F_CLOSE) || !open) {
        return false;
    }
    uint32_t queued = active ? active->sq_bytes : 0;
    return queued < tcb->snd_buf && tcb->snd_buf - queued >= tcp_extra(tcp, tcb->extra)->snd_low;
}

/* The bits that may have become untrue since they were set. */
static uint16_t true_now(struct tcp *tcp, const struct tcb *tcb)
{
    uint16_t bits = tcb->events;
    if ((bits & HF_READABLE) && !readable(tcp, tcb)) {
        bits &= (uint16_t)~HF_READABLE;
    }
    if ((bits & HF_WRITABLE) && !writable(tcp, tcb)) {
        bits &= (uint16_t)~HF_WRITABLE;
    }
    if ((bits & HF_URGENT) && (tcb->flags & F_URGENT) == 0) {
        bits &= (uint16_t)~HF_URGENT;
    }
    if ((bits & HF_ERROR_REPORT) && tally_of(tcp, tcb)->icmp_note == 0) {
        bits &= (uint16_t)~HF_ERROR_REPORT;
    }
    return bits;
}

uint32_t tcp_next_event(struct tcp *tcp, uint32_t *bits, int32_t *error)
{
    for (;;) {
        feed_starved(tcp);
        uint32_t idx = idlist_head(&tcp->b->ready);
        if (idx == 0) {
            return 0;
        }
        struct tcb *tcb = tcb_at(tcp, idx);
        uint16_t told = true_now(tcp, tcb);
        if ((tcb->events & ~told) & HF_WRITABLE) {
            tcb->flags |= F_WANT_WRITE; /* filled again meanwhile */
        }
        *bits = told & (uint16_t)~EVENT_WAITS;
        *error = *bits & HF_CLOSED_EVENT ? -(int32_t)tcb->error : 0;
        set_events(tcp, tcb, tcb->events & EVENT_WAITS);
        if (*bits) {
            return idx;
        }
    }
}

void tcp_listener_event(struct tcp *tcp, uint32_t listener, uint16_t bits)
{
    struct listener *l = listener_at(tcp, listener);
    l->events |= bits;
    if (!listed(&tcp->b->ready_listeners, &l->event_link, listener)) {
        struct links links = listener_links(tcp);
        idlist_push_tail(&tcp->b->ready_listeners, &links, listener);
    }
}

uint32_t tcp_next_listener_event(struct tcp *tcp, uint32_t *bits)
{
    struct links links = listener_links(tcp);
    uint32_t idx;
    while ((idx = idlist_pop_head(&tcp->b->ready_listeners, &links)) != 0) {
        struct listener *l = listener_at(tcp, idx);
        *bits = l->events;
        if (idlist_empty(&l->accept)) {
            *bits &= ~(uint32_t)HF_ACCEPTED;
        }
        if (idlist_empty(&l->asked)) {
            *bits &= ~(uint32_t)HF_ASKED;
        }
        l->events = 0;
        if (*bits) {
            return idx;
        }
    }
    return 0;
}
