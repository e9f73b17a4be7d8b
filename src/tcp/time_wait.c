/* time_wait.c - RFC 9293 section 3.6.1: TIME-WAIT whose handle was released, a small record.
 *
 * All lie in one list and wait equally long, so it is in order of time without any sorting.
 */
#include "tcp/ecn.h"

static struct time_wait *wait_at(const struct tcp *tcp, uint32_t idx)
{
    return pool_at(&tcp->b->waits, tcp->block, idx);
}

static struct links wait_links(const struct tcp *tcp)
{
    return pool_links(&tcp->b->waits, tcp->block, offsetof(struct time_wait, link));
}

void tcp_drop_time_wait(struct tcp *tcp, uint32_t idx)
{
    struct time_wait *wait = wait_at(tcp, idx);
    struct conn_id id;
    tcp_id_of(tcp, &wait->id, wait->zone, wait->flags & HALF_V6, &id);
    tcp_hash(tcp, &id);
    flowtab_remove(&tcp->b->flows, tcp->block, id.hash, FLOW_VALUE(KIND_TIME_WAIT, idx));
    struct links links = wait_links(tcp);
    idlist_remove(&tcp->b->waiting, &links, idx);
    tcp_drop_id(tcp, &wait->id, wait->flags & HALF_V6);
    pool_free(&tcp->b->waits, tcp->block, idx);
}

void tcp_inflate_time_wait(struct tcp *tcp, const struct time_wait *wait, struct tcb *scratch)
{
    tcp_inflate(tcp, &wait->id, wait->zone, wait->flags, NULL, scratch);
    tcp_set_state(scratch, HF_TIME_WAIT);
    scratch->flags |= F_RELEASED | F_CLOSE | F_FIN_SENT | F_FIN_ACKED | F_FIN_RECEIVED;
    scratch->tos = wait->tos;
    scratch->iss = seq_sub(wait->snd_nxt, 2); /* nothing older is known, nothing newer counts */
    scratch->snd.una = scratch->snd.nxt = wait->snd_nxt;
    scratch->max_snd_wnd = UINT16_MAX;
    scratch->irs = seq_sub(wait->rcv_nxt, 2);
    scratch->rcv.nxt = scratch->last_ack_sent = wait->rcv_nxt;
    scratch->rcv_wscale = wait->rcv_wscale;
    scratch->snd_wscale = wait->snd_wscale;
    scratch->rcv.wnd = (uint32_t)wait->rcv_wnd << wait->rcv_wscale;
    scratch->ts_recent = wait->ts_recent;
    scratch->history = wait->history;
    uint8_t bits = wait->flags >> WAIT_ECN_SHIFT & 7;
    scratch->modes |= wait->flags & WAIT_ACCURATE ? M_ACCURATE : bits ? M_ECE : 0;
    tcp_ecn_attach(tcp, scratch);
    tcp->no_ecn.r.cep = bits;
    tcp->no_tally.una_wraps = 1; /* ACKs of any text it sent may still come */
    if (wait->challenged) {
        uint32_t ago = tcp_challenge_ago(tcp->now_ms >> 3, wait->challenged, UINT16_MAX);
        scratch->flags |= F_CHALLENGED;
        scratch->challenge_ms = tcp->now_ms - (ago << 3);
    }
}

bool tcp_time_wait_nxt(const struct tcp *tcp, const struct conn_id *id, seq_t *snd_nxt)
{
    uint32_t waiting = tcp_find_waiting(tcp, id);
    if (waiting) {
        *snd_nxt = FLOW_KIND(waiting) == KIND_TIME_WAIT ? wait_at(tcp, FLOW_IDX(waiting))->snd_nxt
                                                        : tcb_at(tcp, FLOW_IDX(waiting))->snd.nxt;
    }
    return waiting != 0;
}

bool tcp_time_wait_lets_in(struct tcp *tcp, const struct conn_id *id, const struct segment *seg)
{
    uint32_t waiting = tcp_find_waiting(tcp, id);
    struct tcb scratch;
    const struct tcb *old = &scratch;
    if (FLOW_KIND(waiting) == KIND_TIME_WAIT) {
        tcp_inflate_time_wait(tcp, wait_at(tcp, FLOW_IDX(waiting)), &scratch);
    } else if (waiting) {
        old = tcb_at(tcp, FLOW_IDX(waiting));
    }
    return waiting == 0 || tcp_syn_ends_time_wait(tcp, old, seg);
}

void tcp_end_time_wait(struct tcp *tcp, const struct conn_id *id)
{
    uint32_t waiting = tcp_find_waiting(tcp, id);
    if (FLOW_KIND(waiting) == KIND_TIME_WAIT) {
        tcp_compact_ended(tcp, waiting, HF_OK, HF_CAUSE_REPLACED, HF_V_TIME_WAIT_REUSED);
        tcp_drop_time_wait(tcp, FLOW_IDX(waiting));
    } else if (waiting) {
        struct tcb *old = tcb_at(tcp, FLOW_IDX(waiting));
        tcp_trace_ended(tcp, old, HF_OK, HF_CAUSE_REPLACED, HF_V_TIME_WAIT_REUSED);
        tcp_finish(tcp, old, HF_OK, HF_CAUSE_REPLACED, HF_V_TIME_WAIT_REUSED);
    }
}

/* The list is in the order of time.  Who was released late, or waits since policy has a shorter
 * MSL, belongs before others: behind *after, 0: before all.  False: further in front than is
 * looked. */
static bool find_place(struct tcp *tcp, uint32_t at_ms, uint32_t *after)
{
    enum { LOOKED_AT = 32 };
    struct links links = wait_links(tcp);
    *after = tcp->b->waiting.tail;
    for (int i = 0; *after != 0 && (int32_t)(at_ms - wait_at(tcp, *after)->at_ms) < 0; i++) {
        if (i == LOOKED_AT) {
            return false;
        }
        *after = idlist_link_at(&links, *after)->prev;
    }
    return true;
}

/* Where there is no place in reach it waits for longer. */
static void file_time_wait(struct tcp *tcp, uint32_t idx, uint32_t at_ms)
{
    uint32_t after;
    bool found = find_place(tcp, at_ms, &after);
    struct links links = wait_links(tcp);
    wait_at(tcp, idx)->at_ms = found ? at_ms : wait_at(tcp, after)->at_ms;
    idlist_insert(&tcp->b->waiting, &links, after, idx);
}

static void put_back_time_wait(struct tcp *tcp, uint32_t idx, struct tcb *scratch,
                               const struct conn_id *id)
{
    if (scratch->state == HF_CLOSED) {
        tcp_drop_time_wait(tcp, idx);
        return;
    }
    struct time_wait *wait = wait_at(tcp, idx);
    wait->ts_recent = scratch->ts_recent;
    wait->history = scratch->history;
    if ((scratch->flags & F_CHALLENGED) && scratch->challenge_ms == tcp->now_ms) {
        wait->challenged = (uint16_t)tcp_challenge_tick(tcp->now_ms >> 3, UINT16_MAX);
    }
    if (scratch->long_at_ms) { /* the 2 MSL time-out was restarted */
        struct links links = wait_links(tcp);
        idlist_remove(&tcp->b->waiting, &links, idx);
        file_time_wait(tcp, idx, scratch->long_at_ms);
    }
    tcp_reply_owed(tcp, scratch, id);
}

enum hf_verdict tcp_arrives_time_wait(struct tcp *tcp, uint32_t idx, const struct conn_id *id,
                                      uint32_t listener, struct segment *seg)
{
    struct tcb scratch;
    tcp_inflate_time_wait(tcp, wait_at(tcp, idx), &scratch);
    tcp_trace_begin(tcp, &scratch, HF_TRACE_IN, HF_CAUSE_NONE);
    seg->wnd <<= seg->ctl & SYN ? 0 : scratch.snd_wscale;
    tcp_trace_segment(tcp, id, seg);
    bool syn = (seg->ctl & (SYN | RST | ACK)) == SYN;
    enum hf_verdict verdict = syn ? tcp_syn_in_time_wait(tcp, &scratch, id, listener, seg)
                                  : tcp_arrives_otherwise(tcp, &scratch, seg);
    tcp_trace_end(tcp, &scratch, verdict);
    put_back_time_wait(tcp, idx, &scratch, id);
    return verdict;
}

/* The bits of the ACKs that are yet to come. */
static unsigned ecn_flags(struct tcp *tcp, struct tcb *tcb)
{
    static const struct segment pure = {.ctl = ACK};
    unsigned bits = tcp_ecn_ack(tcp, tcb, &pure) >> 6;
    return bits << WAIT_ECN_SHIFT | (tcb->modes & M_ACCURATE ? WAIT_ACCURATE : 0);
}

static void time_wait_ends(struct tcp *tcp, uint32_t idx, enum hf_verdict verdict)
{
    struct tcb scratch = {.flags = F_COMPACT, .history = wait_at(tcp, idx)->history};
    if (tcp->env->trace == NULL) {
        tcp_set_state(&scratch, HF_TIME_WAIT); /* the history asks for no more */
    } else {
        tcp_inflate_time_wait(tcp, wait_at(tcp, idx), &scratch);
    }
    tcp_trace_begin(tcp, &scratch, HF_TRACE_TIMER, HF_TIMER_TIME_WAIT);
    tcp_set_state(&scratch, HF_CLOSED);
    tcp_trace_end(tcp, &scratch, verdict);
}

/* A record for one more in TIME-WAIT, 0: none.  Where policy wants it, one of the oldest gives its
 * own, if timestamps do what the wait is for and keep late segments out (RFC 7323 5.3). */
static uint32_t new_time_wait(struct tcp *tcp)
{
    enum { LOOKED_AT = 8 };
    struct links links = wait_links(tcp);
    uint32_t idx = pool_alloc(&tcp->b->waits, tcp->block);
    uint32_t old = tcp->b->policy.tw_recycle ? idlist_head(&tcp->b->waiting) : 0;
    for (int i = 0; idx == 0 && old != 0 && i < LOOKED_AT; i++) {
        uint32_t next = idlist_next(&links, old);
        if (wait_at(tcp, old)->flags & HALF_TS) {
            time_wait_ends(tcp, old, HF_V_TIME_WAIT_RECYCLED);
            tcp_drop_time_wait(tcp, old);
            tcp->b->verdicts[HF_V_TIME_WAIT_RECYCLED]++;
            idx = pool_alloc(&tcp->b->waits, tcp->block);
        }
        old = next;
    }
    return idx;
}

HF_APART bool tcp_compact_time_wait(struct tcp *tcp, struct tcb *tcb)
{
    struct tcp_block *b = tcp->b;
    uint32_t after;
    if (tcb->ttl != b->policy.ttl || !find_place(tcp, tcb->long_at_ms, &after)) {
        return false; /* the small record has no room for it; or released very late */
    }
    uint32_t idx = new_time_wait(tcp);
    if (idx == 0) {
        return false;
    }
    struct time_wait *wait = wait_at(tcp, idx);
    struct conn_id id;
    tcp_id(tcp, tcb, &id);
    tcp_hash(tcp, &id);
    *wait = (struct time_wait){
        .snd_nxt = tcb->snd.nxt,
        .rcv_nxt = tcb->rcv.nxt,
        .ts_recent = tcb->ts_recent,
        .rcv_wnd = (uint16_t)min_u32(tcb->rcv.wnd >> tcb->rcv_wscale, UINT16_MAX),
        .history = tcb->history,
        .flags = (uint8_t)(tcp_compact_flags(tcb->flags) | ecn_flags(tcp, tcb)),
        .snd_wscale = tcb->snd_wscale,
        .rcv_wscale = tcb->rcv_wscale,
        .tos = tcb->tos,
        .zone = tcb->zone,
    };
    if (tcb->flags & F_CHALLENGED && tcp->now_ms - tcb->challenge_ms < 60000) {
        wait->challenged = (uint16_t)tcp_challenge_tick(tcb->challenge_ms >> 3, UINT16_MAX);
    }
    wait->id = tcb->id; /* its ext6 moves along */
    uint32_t old = FLOW_VALUE(KIND_TCB, tcb_index(tcp, tcb));
    flowtab_replace(&b->flows, tcp->block, id.hash, old, FLOW_VALUE(KIND_TIME_WAIT, idx));
    file_time_wait(tcp, idx, tcb->long_at_ms);
    tcb->flags &= ~(uint32_t)F_V6;
    tcp_set_state(tcb, HF_CLOSED); /* the connection lives on in the small record */
    tcp_delete(tcp, tcb);
    return true;
}

void tcp_time_wait_timeouts(struct tcp *tcp, uint32_t *budget)
{
    uint32_t idx = idlist_head(&tcp->b->waiting);
    for (; idx != 0 && ms_due(wait_at(tcp, idx)->at_ms, tcp->now_ms) && *budget; --*budget) {
        time_wait_ends(tcp, idx, HF_V_ACCEPTED);
        tcp_drop_time_wait(tcp, idx);
        idx = idlist_head(&tcp->b->waiting);
    }
}

uint32_t tcp_time_wait_next(const struct tcp *tcp)
{
    uint32_t idx = idlist_head(&tcp->b->waiting);
    return idx ? wait_at(tcp, idx)->at_ms : 0;
}
