/* peer_state.c - the peer's state inferred from the wire, RFC 9293 section 3.3.2, Figure 5.
 *
 * The peer is SYN-SENT when its SYN is seen, SYN-RECEIVED when its SYN,ACK is, ESTABLISHED when
 * anything behind its SYN is, FIN-WAIT-1 when its FIN is, CLOSE-WAIT when it acknowledges our FIN,
 * LAST-ACK when its FIN follows that.  That an ACK of ours arrived shows on the wire only when it
 * came with text which the peer acknowledges: FIN-WAIT-2, TIME-WAIT and CLOSED are mostly presumed.
 */
#include "trace/peer_state.h"

#include "base/bytes.h"
#include "base/seq.h"

static bool after(uint32_t a, uint32_t b)
{
    return seq_gt(seq(a), seq(b));
}

void trace_peer_init(struct peer *peer)
{
    *peer = (struct peer){.proved = PEER_UNKNOWN, .presumed = PEER_UNKNOWN};
}

/* Everything sent has arrived: where does that take a peer that was in FIN-WAIT-1? */
static int presume_from_fin_wait_1(const struct peer *peer)
{
    if (peer->fins > 0) {
        /* Our FIN without the ACK of the peer's makes it CLOSING, and the ACK came later. */
        return peer->fin_bare && peer->acks_of_fin == 0 ? HF_CLOSING : HF_TIME_WAIT;
    }
    return peer->acks_of_fin > 0 ? HF_FIN_WAIT_2 : HF_FIN_WAIT_1;
}

static int presume_from_handshake(const struct peer *peer, int state)
{
    if (state == PEER_UNKNOWN && peer->syns > 0) {
        state = HF_SYN_RECEIVED;
    } else if (state == HF_SYN_SENT && peer->syn_acks > 0) {
        state = HF_ESTABLISHED;
    } else if (state == HF_SYN_SENT && peer->syns > 0) {
        state = HF_SYN_RECEIVED;
    } else if (state == HF_SYN_RECEIVED && peer->acks_of_syn > 0) {
        state = HF_ESTABLISHED;
    }
    return state == HF_ESTABLISHED && peer->fins > 0 ? HF_CLOSE_WAIT : state;
}

static int presume(const struct peer *peer)
{
    if (peer->rsts > 0) {
        return HF_CLOSED;
    }
    switch (peer->proved) {
    case HF_FIN_WAIT_1:
        return presume_from_fin_wait_1(peer);
    case HF_FIN_WAIT_2:
        return peer->fins > 0 ? HF_TIME_WAIT : HF_FIN_WAIT_2;
    case HF_CLOSING:
        return peer->acks_of_fin > 0 ? HF_TIME_WAIT : HF_CLOSING;
    case HF_LAST_ACK:
        return peer->acks_of_fin > 0 ? HF_CLOSED : HF_LAST_ACK;
    default:
        return presume_from_handshake(peer, peer->proved);
    }
}

static bool acks_syn(const struct peer *peer, uint16_t ctl, uint32_t ack)
{
    return (ctl & HF_ACK) && peer->syn_seen && after(ack, peer->irs);
}

static bool acks_fin(const struct peer *peer, uint16_t ctl, uint32_t ack)
{
    return (ctl & HF_ACK) && peer->fin_seen && after(ack, peer->fin);
}

void trace_peer_out(struct peer *peer, const struct hf_trace *record)
{
    uint16_t ctl = record->ctl;
    bool fin_acked = acks_fin(peer, ctl, record->ack);
    peer->rsts += (ctl & HF_RST) != 0;
    peer->syns += (ctl & HF_SYN) && !(ctl & HF_ACK);
    peer->syn_acks += (ctl & HF_SYN) && (ctl & HF_ACK);
    peer->acks_of_syn += acks_syn(peer, ctl, record->ack);
    peer->acks_of_fin += fin_acked;
    if (ctl & HF_FIN) {
        peer->fins++;
        peer->our_fin = record->seq + record->len - 1;
        peer->fin_bare = !fin_acked;
    }
    if (fin_acked && record->text_bytes > 0 && !peer->text_with_fin_ack &&
        !(record->marks & HF_MARK_REPEAT)) {
        peer->text_with_fin_ack = true;
        peer->text_end = record->seq + record->text_bytes;
    }
    peer->presumed = presume(peer);
}

static void take_away(uint32_t *count)
{
    *count -= *count > 0;
}

void trace_peer_lost(struct peer *peer, uint16_t ctl, uint32_t ack)
{
    if (ctl & HF_RST) {
        take_away(&peer->rsts);
    }
    if (ctl & HF_SYN) {
        take_away(ctl & HF_ACK ? &peer->syn_acks : &peer->syns);
    }
    if (ctl & HF_FIN) {
        take_away(&peer->fins);
    }
    if (acks_syn(peer, ctl, ack)) {
        take_away(&peer->acks_of_syn);
    }
    if (acks_fin(peer, ctl, ack)) {
        take_away(&peer->acks_of_fin);
    }
    peer->presumed = presume(peer);
}

/* Segments that may be somebody else's, or of another time, prove nothing. */
static bool trusted(unsigned verdict)
{
    switch (verdict) {
    case HF_V_DROP_CLOSED:
    case HF_V_DROP_BACKLOG:
    case HF_V_FAST_OPEN:
    case HF_V_COOKIE_SENT:
    case HF_V_COOKIE_ACCEPTED:
    case HF_V_DROP_ACCEPT_FULL:
    case HF_V_DROP_OLD_DUPLICATE:
    case HF_V_DROP_AFTER_CLOSE:
    case HF_V_DROP_NO_MEMORY:
        return true;
    default:
        return verdict < HF_V_DROP_CLOSED;
    }
}

static bool ends_peer(unsigned verdict)
{
    switch (verdict) {
    case HF_V_RST_CLOSES:
    case HF_V_RST_REFUSED:
    case HF_V_RST_BACK_TO_LISTEN:
    case HF_V_DROP_RST_TIME_WAIT:
    case HF_V_DROP_CLOSED_RST:
        return true;
    default:
        return false;
    }
}

bool trace_peer_repeats(const struct peer *peer, const struct hf_trace *record)
{
    if (record->len == 0 || (record->ctl & HF_RST)) {
        return false;
    }
    if (record->ctl & HF_SYN) {
        return record->seq == peer->irs &&
               (record->ctl & HF_ACK ? peer->syn_ack_seen : peer->bare_syn_seen);
    }
    if ((record->ctl & HF_FIN) && peer->fin_seen) {
        return true;
    }
    return peer->rcv_nxt_known && !after(record->seq + record->len, peer->rcv_nxt);
}

static void syn_in(struct peer *peer, const struct hf_trace *record)
{
    bool with_ack = (record->ctl & HF_ACK) != 0;
    if (trace_peer_repeats(peer, record)) {
        /* What should have stopped the repeats has not arrived. */
        peer->acks_of_syn = 0;
        peer->syn_acks = with_ack ? peer->syn_acks : 0;
    }
    peer->syn_seen = true;
    peer->irs = record->seq;
    peer->syn_ack_seen |= with_ack;
    peer->bare_syn_seen |= !with_ack;
    if (peer->proved == PEER_UNKNOWN && !with_ack) {
        peer->proved = HF_SYN_SENT;
    } else if ((peer->proved == PEER_UNKNOWN || peer->proved == HF_SYN_SENT) && with_ack) {
        peer->proved = HF_SYN_RECEIVED;
    }
}

static void fin_in(struct peer *peer, const struct hf_trace *record)
{
    if (peer->fin_seen) {
        peer->acks_of_fin = 0;
        return;
    }
    peer->fin_seen = true;
    peer->fin = record->seq + record->len - 1;
    peer->fin_came_first = !peer->our_fin_acked;
}

static int prove(const struct peer *peer)
{
    if (!peer->fin_seen) {
        return peer->our_fin_acked ? HF_CLOSE_WAIT : HF_ESTABLISHED;
    }
    if (!peer->our_fin_acked) {
        return peer->fin_ack_proved ? HF_FIN_WAIT_2 : HF_FIN_WAIT_1;
    }
    if (!peer->fin_came_first) {
        return HF_LAST_ACK;
    }
    return peer->fin_bare ? HF_CLOSING : HF_TIME_WAIT;
}

/* Anything without SYN: the peer's own SYN was acknowledged before. */
static void later_in(struct peer *peer, const struct hf_trace *record)
{
    if (peer->fins > 0 && after(record->ack, peer->our_fin)) {
        peer->our_fin_acked = true;
    }
    if (peer->text_with_fin_ack && !after(peer->text_end, record->ack)) {
        peer->fin_ack_proved = true;
    }
    if (record->ctl & HF_FIN) {
        fin_in(peer, record);
    }
    peer->proved = prove(peer);
}

void trace_peer_in(struct peer *peer, const struct hf_trace *record)
{
    bool reset = record->ctl & HF_RST;
    peer->last_proves = reset ? ends_peer(record->verdict) : trusted(record->verdict);
    if (reset && peer->last_proves) {
        peer->proved = HF_CLOSED;
    } else if (peer->last_proves) {
        peer->rsts = 0;
        if (record->ctl & HF_SYN) {
            syn_in(peer, record);
        } else if (record->ctl & HF_ACK) {
            later_in(peer, record);
        }
    }
    if (record->kind == HF_TRACE_IN && record->rcv_nxt != 0) {
        peer->rcv_nxt = record->rcv_nxt;
        peer->rcv_nxt_known = true;
    }
    peer->presumed = presume(peer);
}
