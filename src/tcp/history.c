/* history.c - what a connection has been through: one ring of events for all, the oldest evicted.
 *
 * Each event names the one before it of the same connection by its serial number; the newest is in
 * tcb->history.  Serial numbers run 1 .. n, n the largest multiple of the ring's size that 32 bits
 * hold, and then from 1 again, so that an event's place is its number modulo the size.
 *
 * A run of data is one event a direction: a segment is folded into the newest event that is like
 * it, as long as nothing but such segments lies between.  Calls that move data and change no state,
 * and delayed ACKs, are not kept.
 */
#include "tcp/tcp.h"

enum {
    KIND_BITS = 0x07,
    MARK_SHIFT = 3,
    KEPT_MARKS = HF_MARK_REPEAT | HF_MARK_PROBE,
    FOLD_LOOK = 4, /* newest events looked at: data and ACKs, in and out of order */
    FOLD_BYTES_MAX = 1 << 30,
};

static struct history_event *event_at(const struct tcp *tcp, uint32_t serial)
{
    const struct tcp_block *b = tcp->b;
    return (struct history_event *)((uint8_t *)tcp->block + b->history_offset) +
           (serial - 1) % b->history_size;
}

static uint32_t last_serial(const struct tcp_block *b)
{
    return UINT32_MAX / b->history_size * b->history_size;
}

/* How many events ago; at least history_size: it is no longer there. */
static uint32_t age(const struct tcp_block *b, uint32_t serial)
{
    uint32_t newest = b->history_serial;
    if (serial == 0 || newest == 0) {
        return UINT32_MAX;
    }
    return newest >= serial ? newest - serial : newest + (last_serial(b) - serial);
}

static bool kept(const struct tcp_block *b, uint32_t serial)
{
    return age(b, serial) < b->history_size;
}

/* The event before it of the same connection; 0: none, or evicted. */
static uint32_t before(const struct tcp *tcp, uint32_t serial)
{
    uint32_t earlier = event_at(tcp, serial)->before;
    bool there = kept(tcp->b, earlier) && age(tcp->b, earlier) > age(tcp->b, serial);
    return there ? earlier : 0;
}

static bool plain(uint16_t ctl, uint8_t states, uint8_t kind_marks)
{
    uint8_t kind = kind_marks & KIND_BITS;
    return (ctl & (SYN | FIN | RST | URG)) == 0 && states >> 4 == (states & 15) &&
           (kind == HF_TRACE_IN || kind == HF_TRACE_OUT) && kind_marks >> MARK_SHIFT == 0;
}

static bool foldable(const struct history_event *into, const struct history_event *event)
{
    return into->kind_marks == event->kind_marks && into->states == event->states &&
           into->verdict == event->verdict && into->segments < UINT16_MAX &&
           (into->text_bytes != 0) == (event->text_bytes != 0) && into->text_bytes < FOLD_BYTES_MAX;
}

/* Into one of the newest events, when all from there on are plain. */
static bool fold(const struct tcp *tcp, uint32_t newest, const struct history_event *event)
{
    if (!plain(event->ctl, event->states, event->kind_marks)) {
        return false;
    }
    uint32_t serial = newest;
    for (unsigned i = 0; i < FOLD_LOOK && serial != 0; i++) {
        struct history_event *into = event_at(tcp, serial);
        if (!plain(into->ctl, into->states, into->kind_marks)) {
            return false;
        }
        if (foldable(into, event)) {
            into->text_bytes += event->text_bytes;
            into->segments++;
            into->wnd = event->wnd;
            into->ack = event->ack;
            into->ctl |= event->ctl;
            return true;
        }
        serial = before(tcp, serial);
    }
    return false;
}

static bool worth_keeping(const struct hf_trace *record)
{
    switch (record->cause) {
    case HF_CALL_SEND:
    case HF_CALL_RECEIVE:
    case HF_TIMER_DELAYED_ACK:
        return record->state_before != record->state_after;
    default:
        return true;
    }
}

static void append(struct tcp *tcp, struct tcb *tcb, struct history_event *event)
{
    struct tcp_block *b = tcp->b;
    event->before = kept(b, tcb->history) ? tcb->history : 0;
    event->segments = 1;
    if (fold(tcp, event->before, event)) {
        return;
    }
    bool last =
        b->history_serial > UINT32_MAX - b->history_size && b->history_serial == last_serial(b);
    b->history_gone += last ? b->history_serial : 0;
    b->history_serial = last ? 1 : b->history_serial + 1;
    *event_at(tcp, b->history_serial) = *event;
    tcb->history = b->history_serial;
}

/* A half-open record keeps no history, so that a flood of SYNs evicts none.  Once it is
 * acknowledged the two events before are known: the SYN and our SYN,ACK, a round trip ago. */
static void add_handshake(struct tcp *tcp, struct tcb *tcb)
{
    struct history_event syn = {
        .time_ms = tcp->now_ms - tcb->srtt_us / 1000,
        .seq = tcb->irs.v,
        .wnd = min_u32(tcb->max_snd_wnd, 65535),
        .ctl = SYN,
        .kind_marks = HF_TRACE_IN,
        .states = HF_LISTEN << 4 | HF_SYN_RECEIVED,
        .verdict = HF_V_HANDSHAKE,
    };
    struct history_event syn_ack = {
        .time_ms = syn.time_ms,
        .seq = tcb->iss.v,
        .ack = tcb->irs.v + 1,
        .wnd = min_u32(tcb->rcv.wnd, 65535),
        .ctl = SYN | ACK,
        .kind_marks = HF_TRACE_OUT,
        .states = HF_SYN_RECEIVED << 4 | HF_SYN_RECEIVED,
        .verdict = HF_V_ACCEPTED,
    };
    append(tcp, tcb, &syn);
    append(tcp, tcb, &syn_ack);
}

void tcp_history_add(struct tcp *tcp, struct tcb *tcb, const struct hf_trace *record)
{
    bool compact = tcb->flags & F_COMPACT;
    if (tcp->b->history_size == 0 || !worth_keeping(record) ||
        (compact && record->state_before != HF_TIME_WAIT)) {
        return;
    }
    if (!compact && tcb->history == 0 && (tcb->flags & F_PASSIVE) &&
        record->state_before == HF_SYN_RECEIVED && tcp_synchronized(tcb)) {
        add_handshake(tcp, tcb);
    }
    struct history_event event = {
        .time_ms = tcp->now_ms,
        .seq = record->seq,
        .ack = record->ack,
        .text_bytes = record->text_bytes,
        .wnd = record->wnd,
        .ctl = record->ctl,
        .kind_marks = (uint8_t)(record->kind | (record->marks & KEPT_MARKS) << MARK_SHIFT),
        .states = (uint8_t)(record->state_before << 4 | record->state_after),
        .verdict = (uint8_t)record->verdict,
        .cause = record->cause,
    };
    append(tcp, tcb, &event);
}

static void rebuild(const struct tcp *tcp, const struct tcb *tcb, const struct conn_id *id,
                    const struct history_event *event, struct hf_trace *record)
{
    *record = (struct hf_trace){
        .version = HF_TRACE_VERSION,
        .kind = event->kind_marks & KIND_BITS,
        .cause = event->cause,
        .state_before = event->states >> 4,
        .state_after = event->states & 15,
        .verdict = event->verdict,
        .handle = tcp_handle(tcp, tcb),
        .local_port = id->lport,
        .remote_port = id->rport,
        .ctl = event->ctl,
        .seq = event->seq,
        .ack = event->ack,
        .len = event->text_bytes + (event->ctl & SYN ? 1 : 0) + (event->ctl & FIN ? 1 : 0),
        .text_bytes = event->text_bytes,
        .wnd = event->wnd,
        .marks = (uint8_t)(event->kind_marks >> MARK_SHIFT | (id->v4 ? 0 : HF_MARK_IPV6)),
        .iss = tcb->iss.v,
        .irs = tcb->irs.v,
    };
    memcpy(record->local_ip, id->local, 16);
    memcpy(record->remote_ip, id->remote, 16);
}

uint32_t tcp_history_read(const struct tcp *tcp, const struct tcb *tcb, struct hf_trace *records,
                          uint32_t n)
{
    const struct tcp_block *b = tcp->b;
    uint32_t count = 0;
    if (b->history_size == 0 || !kept(b, tcb->history)) {
        return 0;
    }
    for (uint32_t serial = tcb->history; serial != 0 && count < n; serial = before(tcp, serial)) {
        count++;
    }
    struct conn_id id;
    tcp_id_of(tcp, &tcb->id, tcb->zone, tcb->flags & F_V6, &id);
    uint32_t serial = tcb->history;
    int64_t at_ms = (int64_t)((uint64_t)tcp->now_wraps << 32 | tcp->now_ms);
    for (uint32_t i = count; i-- != 0; serial = before(tcp, serial)) {
        const struct history_event *event = event_at(tcp, serial);
        rebuild(tcp, tcb, &id, event, &records[i]);
        at_ms -= (uint32_t)at_ms - event->time_ms; /* less than 49.7 days before what came behind */
        records[i].time_ns = at_ms * 1000000;
    }
    return count;
}
