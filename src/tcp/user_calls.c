/* user_calls.c - RFC 9293 section 3.10.1-6: OPEN SEND RECEIVE CLOSE ABORT STATUS.
 *
 * Each call is looked at in every state.  SEND takes what the buffer has room for, RECEIVE what is
 * there: blocking is the host's.  CLOSE is the RFC's half-close; RELEASE (ours) says that nobody
 * will ask again.
 */
#include "tcp/ecn.h"
#include "tcp/stats.h"
#include "tcp/tcp.h"

/* 3.10.1, active: SYN-SENT.  HF_ERR_EXISTS is the caller's to find. */
int tcp_open(struct tcp *tcp, const struct conn_id *id, uint32_t timeout_ms, uint32_t *idx)
{
    *idx = tcp_new(tcp, id);
    if (*idx == 0) {
        return HF_ERR_NO_RESOURCES;
    }
    struct tcb *tcb = tcb_at(tcp, *idx);
    struct extra *extra = timeout_ms ? tcp_own_extra(tcp, &tcb->extra) : NULL;
    if ((timeout_ms && extra == NULL) || !tcp_attach_to_send(tcp, tcb)) {
        tcp_unfile(tcp, tcb);
        tcp_delete(tcp, tcb);
        return HF_ERR_NO_RESOURCES;
    }
    if (extra) {
        extra->user_timeout_ms = timeout_ms;
        extra->timeout_set = 1;
    }
    tcp_trace_begin(tcp, tcb, HF_TRACE_CALL, HF_CALL_OPEN_ACTIVE);
    tcb->flags |= tcp_offered_options(tcp);
    tcb->rcv_wscale = tcb->flags & F_WSCALE_SENT ? tcp_receive_wscale(tcp) & 15 : 0;
    tcb->modes |= tcp_ecn_settings(&tcp->b->policy);
    tcb->iss = tcp_choose_iss(tcp, id);
    tcb->snd.una = tcb->iss;
    tcb->snd.nxt = seq_add(tcb->iss, 1);
    tcb->rcv.wnd = min_u32(tcb->rcv_buf, 65535);
    struct active *active = active_of(tcp, tcb);
    tcp_number_active(tcb, active);
    active->unacked_since_ms = ms_after(tcp->now_ms, 0);
    tcp_set_state(tcb, HF_SYN_SENT);
    tcp_owe(tcp, tcb, HF_OWES_SYN);
    tcp_rto_start(tcp, tcb);
    tcp_rearm(tcp, tcb);
    tcp->b->opened_active++;
    tcp_trace_end(tcp, tcb, HF_V_ACCEPTED);
    return HF_OK;
}

uint32_t tcp_queued(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    return active ? active->sq_bytes : 0;
}

/* Why a connection that is no more gives nothing: its error. */
static int ended(const struct tcb *tcb)
{
    return tcb->error ? -(int)tcb->error : HF_ERR_CLOSING;
}

/* 3.10.2: may text be queued in this state? */
static int may_send(const struct tcb *tcb)
{
    switch (tcb->state) {
    case HF_CLOSED:
        return ended(tcb);
    case HF_LISTEN:
        return HF_ERR_NOT_CONNECTED;
    case HF_SYN_SENT:
    case HF_SYN_RECEIVED:
    case HF_ESTABLISHED:
    case HF_CLOSE_WAIT:
        return tcb->flags & F_CLOSE ? HF_ERR_CLOSING : HF_OK;
    default:
        return HF_ERR_CLOSING;
    }
}

/* Where the send cursor was when it stood behind all text: the old end of the queue. */
static void place_cursor(struct tcb *tcb, struct active *active, uint32_t old_tail,
                         uint32_t old_len)
{
    if (active->send.chunk == 0) {
        active->send.at = tcb->snd.nxt;
        active->send.chunk = old_tail ? old_tail : active->sq_head;
        active->send.skip = old_tail ? old_len : active->sq_skip;
    }
}

/* MUST-60, MUST-61: without the flag what was queued is pushed. */
static void note_more(struct tcb *tcb, struct active *active, bool more)
{
    tcb->flags = more ? tcb->flags | F_MORE : tcb->flags & ~(uint32_t)F_MORE;
    active->no_push = more;
}

void tcp_begins_to_wait(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active->unacked_since_ms == 0) {
        active->unacked_since_ms = ms_after(tcp->now_ms, 0);
        tcb->retries = tcb->state >= HF_ESTABLISHED ? 0 : tcb->retries; /* else those of a SYN */
    }
}

static void text_was_queued(struct tcp *tcp, struct tcb *tcb, uint32_t len, uint32_t flags)
{
    struct active *active = active_of(tcp, tcb);
    active->sq_bytes += len;
    tcp_chunk(tcp, active->sq_tail)->end = (flags & HF_SEND_END) != 0;
    if (flags & HF_SEND_URGENT) {
        tcp_urgent_note(tcp, tcb, active);
    }
    note_more(tcb, active, flags & HF_SEND_MORE);
    tcp_push_mark(tcp, tcb, active, len);
    tcp_begins_to_wait(tcp, tcb);
    if (active->fast & FAST_DEFER) {
        tcp_fast_open_go(tcp, tcb);
    }
    tcp_count_time(tcp, tcb);
    tcp_consider_sending(tcp, tcb);
    tcp_rearm(tcp, tcb);
}

static uint32_t send_room(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t queued = tcp_queued(tcp, tcb);
    return tcb->snd_buf > queued ? tcb->snd_buf - queued : 0;
}

static int64_t would_block(struct tcb *tcb)
{
    tcb->flags |= F_WANT_WRITE;
    return HF_ERR_WOULD_BLOCK;
}

/* The pools are empty: nothing that happens to this connection alone will change that. */
static int64_t starves(struct tcp *tcp, struct tcb *tcb, uint16_t wait)
{
    tcp_starves(tcp, tcb, wait);
    return would_block(tcb);
}

/* may_send; an error of a connection that is no more is told, once is enough. */
static int refusal(struct tcb *tcb)
{
    int error = may_send(tcb);
    tcb->flags |= error && tcb->state == HF_CLOSED ? F_ERROR_READ : 0;
    return error;
}

/* Room, an active record, and the chunk that was last. */
static int prepare_send(struct tcp *tcp, struct tcb *tcb, uint16_t wait, uint32_t *tail,
                        uint32_t *tail_len)
{
    int error = refusal(tcb);
    if (error) {
        return error;
    }
    if (wait == EVENT_PIECE && tcp->b->lents.max == 0) {
        return HF_ERR_NO_RESOURCES; /* for ever */
    }
    if (send_room(tcp, tcb) == 0) {
        return (int)would_block(tcb);
    }
    if (!tcp_attach_to_send(tcp, tcb)) {
        return (int)starves(tcp, tcb, wait);
    }
    *tail = active_of(tcp, tcb)->sq_tail;
    *tail_len = *tail ? tcp_chunk(tcp, *tail)->len : 0;
    return HF_OK;
}

/* Nothing more to send for now: what HF_SEND_MORE held goes. */
static void push(struct tcp *tcp, struct tcb *tcb, uint32_t flags)
{
    struct active *active = active_of(tcp, tcb);
    if (active && !(flags & HF_SEND_MORE)) {
        note_more(tcb, active, false);
        tcp_consider_sending(tcp, tcb);
        tcp_rearm(tcp, tcb);
    }
}

/* 3.10.2 SEND. */
int64_t tcp_send(struct tcp *tcp, struct tcb *tcb, const void *data, uint64_t len, uint32_t flags)
{
    uint32_t tail, tail_len;
    if (len == 0) {
        int refused = refusal(tcb);
        if (refused == HF_OK) {
            push(tcp, tcb, flags);
        }
        return refused;
    }
    int error = prepare_send(tcp, tcb, EVENT_STARVED, &tail, &tail_len);
    if (error) {
        return error;
    }
    tcp_trace_begin(tcp, tcb, HF_TRACE_CALL, HF_CALL_SEND);
    struct active *active = active_of(tcp, tcb);
    uint64_t room = min_u64(len, send_room(tcp, tcb));
    uint64_t taken =
        tcp_chunk_append(tcp, &active->sq_head, &active->sq_tail, data, room, CHUNK_TO_KEEP);
    if (taken == 0) {
        tcp_settle(tcp, tcb);
        return starves(tcp, tcb, EVENT_STARVED);
    }
    if (taken < room) {
        tcp_starves(tcp, tcb, EVENT_STARVED);
    }
    if (taken < len) {
        tcb->flags |= F_WANT_WRITE;
        flags &= ~(uint32_t)(HF_SEND_END | HF_SEND_URGENT); /* of what is still to come */
    }
    place_cursor(tcb, active, tail, tail_len);
    text_was_queued(tcp, tcb, (uint32_t)taken, flags);
    tcp->before.text_bytes = (uint32_t)taken;
    tcp_trace_end(tcp, tcb, HF_V_ACCEPTED);
    return (int64_t)taken;
}

/* A piece of lent memory, and the record of its token; 0: not both are left. */
static uint32_t new_piece(struct tcp *tcp, struct tcb *tcb, uint16_t region, uint64_t offset,
                          uint32_t len, uint64_t token)
{
    uint32_t lent = tcp_lent_new(tcp, region, token, tcb);
    uint32_t idx = lent ? tcp_chunk_new_lent(tcp, lent, offset, len) : 0;
    if (idx) {
        tcp_lent_unref(tcp, lent); /* the piece has a reference of its own */
    } else if (lent) {
        tcp_lent_drop(tcp, lent);
    }
    return idx;
}

int64_t tcp_send_lent(struct tcp *tcp, struct tcb *tcb, uint16_t region, uint64_t offset,
                      uint32_t len, uint64_t token, uint32_t flags)
{
    uint32_t tail, tail_len;
    int error = prepare_send(tcp, tcb, EVENT_PIECE, &tail, &tail_len);
    if (error) {
        return error;
    }
    if (len > send_room(tcp, tcb) && tcp_queued(tcp, tcb) != 0) {
        return would_block(tcb);
    }
    uint32_t idx = new_piece(tcp, tcb, region, offset, len, token);
    if (idx == 0) {
        tcp_settle(tcp, tcb);
        return starves(tcp, tcb, EVENT_PIECE);
    }
    tcp_trace_begin(tcp, tcb, HF_TRACE_CALL, HF_CALL_SEND);
    struct active *active = active_of(tcp, tcb);
    if (tail) {
        tcp_chunk(tcp, tail)->next = idx;
    } else {
        active->sq_head = idx;
    }
    active->sq_tail = idx;
    place_cursor(tcb, active, tail, tail_len);
    text_was_queued(tcp, tcb, len, flags);
    tcp->before.text_bytes = len;
    tcp_trace_end(tcp, tcb, HF_V_ACCEPTED);
    return len;
}

/* 3.10.3: what RECEIVE says when no text is there.  MUST-12 */
static int64_t nothing_to_read(struct tcb *tcb)
{
    if (tcb->state == HF_CLOSED && tcb->error && !(tcb->flags & F_ERROR_READ)) {
        tcb->flags |= F_ERROR_READ;
        return -(int64_t)tcb->error;
    }
    if (tcb->state == HF_CLOSED || (tcb->flags & F_FIN_RECEIVED)) {
        return 0; /* the end of the stream */
    }
    return tcb->state == HF_LISTEN ? HF_ERR_NOT_CONNECTED : HF_ERR_WOULD_BLOCK;
}

static uint32_t unread(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    return active ? active->rq_bytes : 0;
}

/* Octets have left the receive queue: the window may open. */
static void was_read(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->state != HF_CLOSED) {
        tcp_tune_on_read(tcp, tcb);
        tcp_window_opened(tcp, tcb);
    }
    tcp_settle(tcp, tcb);
}

/* 3.10.3 RECEIVE.  MAY-1: also after our CLOSE */
int64_t tcp_receive(struct tcp *tcp, struct tcb *tcb, void *data, uint64_t len)
{
    if (unread(tcp, tcb) == 0) {
        return nothing_to_read(tcb);
    }
    tcp_trace_begin(tcp, tcb, HF_TRACE_CALL, HF_CALL_RECEIVE);
    int64_t got = tcp_read(tcp, tcb, data, len);
    tcp->before.text_bytes = (uint32_t)got;
    tcp_trace_end(tcp, tcb, HF_V_ACCEPTED);
    was_read(tcp, tcb);
    return got;
}

int tcp_receive_slices(struct tcp *tcp, struct tcb *tcb, struct hf_slice *slices, uint32_t n)
{
    const struct active *active = active_of(tcp, tcb);
    if (unread(tcp, tcb) == 0) {
        return (int)nothing_to_read(tcb);
    }
    struct cursor from = {seq_sub(tcb->rcv.nxt, active->rq_bytes), active->rq_head,
                          active->rq_skip};
    tcp_chunk_slices(tcp, &from, active->rq_bytes, slices, &n);
    return (int)n;
}

int tcp_receive_consume(struct tcp *tcp, struct tcb *tcb, uint64_t len)
{
    if (len > unread(tcp, tcb)) {
        return HF_ERR_INVALID;
    }
    if (len) {
        tcp_trace_begin(tcp, tcb, HF_TRACE_CALL, HF_CALL_RECEIVE);
        tcp_read(tcp, tcb, NULL, len);
        tcp->before.text_bytes = (uint32_t)len;
        tcp_trace_end(tcp, tcb, HF_V_ACCEPTED);
        was_read(tcp, tcb);
    }
    return HF_OK;
}

/* 3.10.4 in the states where the FIN can go, at once or behind the text that is queued. 
 */
static int close_open(struct tcp *tcp, struct tcb *tcb)
{
    if (!tcp_attach(tcp, tcb)) {
        starves(tcp, tcb, EVENT_CLOSE);
        return HF_ERR_NO_RESOURCES;
    }
    tcb->flags |= F_CLOSE;
    struct active *active = active_of(tcp, tcb);
    note_more(tcb, active, false);
    tcp_begins_to_wait(tcp, tcb); /* a closed window may hold the FIN back */
    bool queued = tcp_queued(tcp, tcb) != 0;
    if (tcb->state == HF_ESTABLISHED || (tcb->state == HF_SYN_RECEIVED && !queued)) {
        tcp_set_state(tcb, HF_FIN_WAIT_1);
    } else if (tcb->state == HF_CLOSE_WAIT && !queued) {
        tcp_set_state(tcb, HF_LAST_ACK);
    }
    tcp_consider_sending(tcp, tcb);
    return HF_OK;
}

static int do_close(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->flags & F_CLOSE) {
        return HF_ERR_CLOSING;
    }
    switch (tcb->state) {
    case HF_CLOSED:
        return HF_ERR_NOT_CONNECTED;
    case HF_LISTEN: /* held */
    case HF_SYN_SENT:
        tcp_finish(tcp, tcb, HF_ERR_CLOSING, HF_CALL_CLOSE, HF_V_ACCEPTED);
        return HF_OK;
    case HF_SYN_RECEIVED:
    case HF_ESTABLISHED:
    case HF_CLOSE_WAIT:
        return close_open(tcp, tcb);
    default:
        return HF_ERR_CLOSING;
    }
}

int tcp_close(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t generation = tcb->generation;
    tcp_trace_begin(tcp, tcb, HF_TRACE_CALL, HF_CALL_CLOSE);
    int error = do_close(tcp, tcb);
    tcp->before.error = error;
    bool alive = tcb->generation == generation;
    tcp_trace_end(tcp, alive ? tcb : NULL, HF_V_ACCEPTED);
    if (alive) {
        tcp_settle(tcp, tcb);
    }
    return error;
}

/* 3.10.5: a reset where the peer could still be sending; "ok" and silence in the last states.  X-23
 */
static int do_abort(struct tcp *tcp, struct tcb *tcb, enum hf_cause cause)
{
    switch (tcb->state) {
    case HF_CLOSED:
        return HF_ERR_NOT_CONNECTED;
    case HF_SYN_RECEIVED:
    case HF_ESTABLISHED:
    case HF_FIN_WAIT_1:
    case HF_FIN_WAIT_2:
    case HF_CLOSE_WAIT:
        tcp_reply_abort(tcp, tcb);
        break;
    default:
        break;
    }
    struct active *active = active_of(tcp, tcb);
    if (active) { /* "all queues are flushed" */
        tcp_free_receive(tcp, active);
    }
    bool quiet = tcb->state >= HF_CLOSING;
    tcp_finish(tcp, tcb, quiet ? HF_OK : HF_ERR_ABORTED, cause, HF_V_ACCEPTED);
    return HF_OK;
}

int tcp_abort(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t generation = tcb->generation;
    tcp_trace_begin(tcp, tcb, HF_TRACE_CALL, HF_CALL_ABORT);
    int error = do_abort(tcp, tcb, HF_CALL_ABORT);
    tcp->before.error = error;
    tcp_trace_end(tcp, tcb->generation == generation ? tcb : NULL, HF_V_ACCEPTED);
    return error;
}

/* The handle goes.  Unread text: the peer must learn that it was lost (RFC 2525 2.17, a reset),
 * unless both sides have closed, which no reset may follow (3.10.5): what was sent and the last FIN
 * are still acknowledged, and 2MSL waited (MUST-13).  SHLD-3 */
void tcp_release(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t generation = tcb->generation;
    if (tcb->state == HF_CLOSED) {
        tcp_delete(tcp, tcb);
        return;
    }
    tcp_trace_begin(tcp, tcb, HF_TRACE_CALL, HF_CALL_RELEASE); /* it has its handle still */
    tcp_events_clear(tcp, tcb);
    tcb->flags |= F_RELEASED;
    uint32_t linger = tcp_extra(tcp, tcb->extra)->linger;
    bool at_once = linger == 1 && tcb->state != HF_TIME_WAIT; /* SO_LINGER with 0: POSIX */
    const uint32_t both = F_CLOSE | F_FIN_RECEIVED;           /* ours may wait behind text */
    bool both_closed = tcb->state >= HF_CLOSING || (tcb->flags & both) == both;
    bool resets = at_once || (unread(tcp, tcb) && !both_closed);
    if (!resets && unread(tcp, tcb)) {
        tcp_free_receive(tcp, active_of(tcp, tcb));
    }
    if (tcb->state == HF_TIME_WAIT) { /* as the last header had it: the small record has no more */
        tcb->rcv.wnd = tcb->rcv.wnd >> tcb->rcv_wscale << tcb->rcv_wscale;
    }
    if (resets || (!(tcb->flags & F_CLOSE) && do_close(tcp, tcb) == HF_ERR_NO_RESOURCES)) {
        do_abort(tcp, tcb, HF_CALL_RELEASE);
    }
    bool alive = tcb->generation == generation;
    if (alive) {
        tcp_orphan_begin(tcp, tcb);
    }
    if (alive && tcb->state == HF_FIN_WAIT_2) {
        tcb->long_at_ms = ms_after(tcp->now_ms, tcp->b->policy.fin_timeout_ms);
    } else if (alive && tcb->state != HF_TIME_WAIT) {
        tcb->long_at_ms = linger ? ms_after(tcp->now_ms, linger - 1) : 0;
    }
    tcp_trace_end(tcp, alive ? tcb : NULL, HF_V_ACCEPTED);
    if (alive) {
        tcp_settle(tcp, tcb);
    }
}
