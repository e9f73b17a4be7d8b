/* ack.c - RFC 9293 section 3.10.7.4 fifth: what an acceptable ACK field does.
 *
 * In this order: text that is acknowledged leaves the send queue, the round trip is measured, SACK
 * blocks are noted, SND.WND follows, congestion control decides, timers follow.
 */
#include "tcp/ecn.h"
#include "tcp/recovery.h"
#include "tcp/stats.h"

/* SND.WND, SND.WL1, SND.WL2: not from an old segment, and not from one ahead of RCV.NXT - a forged
 * one with a sequence number far ahead would keep all real updates out.  RFC5961-11 */
static bool window_is_newer(const struct tcb *tcb, const struct segment *seg)
{
    return seq_lt(tcb->snd.wl1, seg->seq) ||
           (seq_eq(tcb->snd.wl1, seg->seq) && seq_leq(tcb->snd.wl2, seg->ack));
}

/* True: it is another one. */
static bool take_window(struct tcb *tcb, const struct segment *seg)
{
    bool changed = tcb->snd.wnd != seg->wnd;
    /* MUST-1, REC-1, X-14, RFC5961-11: 32 bits, unsigned */
    tcb->snd.wnd = seg->wnd;
    tcb->snd.wl1 = seg->seq;
    tcb->snd.wl2 = seg->ack;
    tcb->max_snd_wnd = max_u32(tcb->max_snd_wnd, seg->wnd);
    return changed;
}

/* SND.UNA has moved by a segment whose window is not taken.  The same SND.WND would now reach
 * further than any segment has promised (3.8.6): it reaches as far as before, or as far as this one
 * says, but grows no larger. */
static void keep_edge(struct tcb *tcb, const struct segment *seg, uint32_t acked)
{
    uint32_t left = tcb->snd.wnd > acked ? tcb->snd.wnd - acked : 0;
    tcb->snd.wnd = max_u32(left, min_u32(tcb->snd.wnd, seg->wnd));
}

/* Frees what is acknowledged of the send queue: whole chunks, and a part of the first.  RFC2018-19:
 * the cumulative ACK alone frees text; RFC6675-2 */
static void drop_acknowledged(struct tcp *tcp, struct active *active, uint32_t text)
{
    uint32_t head = active->sq_head;
    uint32_t last = 0;
    uint32_t skip = active->sq_skip + text;
    uint32_t idx = head;
    while (idx != 0 && skip >= tcp_chunk(tcp, idx)->len) {
        skip -= tcp_chunk(tcp, idx)->len;
        last = idx;
        idx = tcp_chunk(tcp, idx)->next;
    }
    active->sq_bytes -= text;
    active->sq_head = idx;
    active->sq_skip = skip;
    if (idx == 0) {
        active->sq_tail = 0;
    }
    if (last) {
        tcp_chunk(tcp, last)->next = 0;
        tcp_chunk_free_chain(tcp, head);
    }
}

/* RFC 6298 3, Karn: what can be a sample.  One whole segment at least. */
void tcp_note_age(struct tcp *tcp, const struct sent *sent, seq_t una)
{
    struct ack_news *news = &tcp->news;
    if (sent->flags & SENT_TWICE) {
        news->again_us = news->twice ? news->again_us : tcp->now_us - sent->sent_us;
        news->twice = true;
    } else if (seq_geq(una, seq_min(seq_add(sent->left, sent->mss), sent->right))) {
        news->oldest_us = max_u32(news->oldest_us, max_u32(tcp->now_us - sent->sent_us, 1));
    }
}

/* The round trip of what this ACK acknowledges, 0: it cannot be told.  Of text that was sent once
 * the oldest, if nothing of it was sent twice (Karn); of the SYN by its own clock; else by the
 * echoed timestamp (RFC 7323 4) - after a timeout if it is of the last copy or of what left behind
 * it: when ACKs were lost, a peer may echo the first copy that arrived, and the back-off itself
 * would count as round-trip time. */
static uint32_t round_trip_us(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    const struct ack_news *news = &tcp->news;
    if (active && active->rtt_timed && seq_geq(tcb->snd.una, active->rtt_seq)) {
        active->rtt_seq = seq_sub(tcb->snd.una, 1);
        uint32_t rtt_us = max_u32(tcp->now_us - active->rtt_start_us, 1);
        active->rtt_timed = 0;
        tcp_rack_min_rtt(tcp, tcb, rtt_us);
        return rtt_us;
    }
    if (news->oldest_us && !news->twice) {
        return news->oldest_us;
    }
    bool last_copy = news->twice && !tcp_echoes_older(news, news->again_us);
    bool first_copy = active && active->backoff && !last_copy;
    if (news->echoed && !first_copy && news->echo_age_ms < 600000) { /* else no echo of ours */
        return max_u32(news->echo_age_ms * 1000, 500);
    }
    return 0;
}

/* RFC7323-31: one a round trip, so that no weights need be changed - unless policy wants each ACK
 * to count.  MUST-18, RFC6298-9, RFC6298-10, RFC7323-30; RFC7323-21 */
static void measure(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    uint32_t rtt_us = round_trip_us(tcp, tcb, active);
    bool next = active == NULL || active->backoff || seq_gt(tcb->snd.una, active->rtt_seq);
    bool anew = active && active->rtt_anew && seq_gt(tcb->snd.una, active->recover);
    if (rtt_us == 0 || !(next || anew || tcp->b->policy.rtt_per_ack)) {
        return;
    }
    if (next && active) {
        active->rtt_seq = tcb->snd.nxt;
    }
    if (anew) {
        active->rtt_anew = 0; /* RFC 4015 (11): a delay has come to stay, perhaps */
        tcb->srtt_us = 0;
    }
    tcp_rtt_sample(tcp, tcb, rtt_us);
}

/* The positions in the send queue that lie below SND.UNA now, or in freed chunks. */
static void fix_cursors(const struct tcb *tcb, struct active *active)
{
    if (seq_leq(active->rxt.at, tcb->snd.una)) {
        active->rxt = (struct cursor){tcb->snd.una, active->sq_head, active->sq_skip};
    }
    if (seq_leq(active->send.at, tcb->snd.una) || active->sq_head == 0) { /* or but a FIN is out */
        active->send = (struct cursor){tcb->snd.una, active->sq_head, active->sq_skip};
    }
    if (active->snd_urgent && seq_leq(active->snd_up, tcb->snd.una)) {
        active->snd_urgent = 0;
    }
    if (seq_lt(active->snd_sml, tcb->snd.una)) {
        active->snd_sml = tcb->snd.una;
    }
}

/* SND.UNA = SEG.ACK; returns octets, SYN and FIN counted. */
static uint32_t advance_una(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    uint32_t acked = seq_len(tcb->snd.una, seg->ack);
    uint32_t text = acked;
    bool syn = tcp_syn_is_out(tcp, tcb);
    text -= syn ? 1 : 0;
    if (syn) {
        tcb->owes &= (uint16_t)~HF_OWES_SYN; /* a SYN,ACK that had not left yet */
        tcp_fast_open_done(tcp, tcb);
    }
    if ((tcb->flags & F_FIN_SENT) && seq_eq(seg->ack, tcb->snd.nxt)) {
        text -= 1;
        tcb->flags |= F_FIN_ACKED;
    }
    if (seq_len(tcb->iss, seg->ack) < seq_len(tcb->iss, tcb->snd.una)) {
        struct tally *tally = tally_of(tcp, tcb);
        tally->una_wraps = tally->una_wraps < UINT16_MAX ? tally->una_wraps + 1 : 1;
    }
    tcb->snd.una = seg->ack;
    struct active *active = active_of(tcp, tcb);
    if (active) {
        if (text) {
            drop_acknowledged(tcp, active, text);
            tcp->b->orphan_bytes -= tcb->flags & F_ORPHAN ? text : 0;
        }
        tcp_sent_acked(tcp, tcb);
        if (syn && (tcb->flags & F_SYN_RESENT)) { /* Karn: Fast Open's text is of the first SYN */
            tcp->news.oldest_us = tcp->news.rtt_us = 0;
        }
        measure(tcp, tcb);
        fix_cursors(tcb, active);
        active->stalled = 0;
        if (syn) { /* RFC 6298 5.7; else the backoff stays until a measurement (section 5);
                      RFC6298-20 */
            active->backoff = 0;
        }
    }
    tcp_count_progress(tcp, tcb);
    tcb->retries = 0;
    return acked;
}

/* RFC 6298 5.2, 5.3; the user timeout counts from the oldest text unacknowledged.  RFC6298-12,
 * RFC6298-15, RFC6928-8 */
static void follow_timers(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t acked)
{
    if (active->persist && (tcb->snd.wnd != 0 || acked)) {
        active->persist = 0;
        active->rto_at_ms = 0;
        if (!seq_eq(tcb->snd.una, tcb->snd.nxt) || active->ecn_waits) {
            tcp_rto_restart(tcp, tcb);
        }
    }
    if (acked && !active->persist) {
        if (active->timer == TIMER_RACK && !seq_eq(tcb->snd.una, tcb->snd.nxt)) {
            tcp_rto_anew(tcp, tcb); /* it stands behind RACK's */
        } else {
            tcp_rto_restart(tcp, tcb);
            tcp_tlp_arm(tcp, tcb);
        }
        bool left = !seq_eq(tcb->snd.una, tcb->snd.nxt) || active->sq_bytes ||
                    (tcb->flags & (F_CLOSE | F_FIN_SENT)) == F_CLOSE;
        active->unacked_since_ms = left ? ms_after(tcp->now_ms, 0) : 0;
    }
}

/* A window that is still too small does not begin the wait of 3.8.6.2.1 (4) anew: else a peer that
 * moves it all the time would get nothing.  at_ms: when it would have ended, 0: it did not run. */
static void keep_override(struct active *active, uint32_t at_ms)
{
    if (at_ms && active->persist && (int32_t)(at_ms - active->rto_at_ms) < 0) {
        active->rto_at_ms = at_ms;
    }
}

void tcp_tell_writable(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->flags & F_WANT_WRITE) {
        uint32_t queued = tcp_queued(tcp, tcb);
        uint32_t room = tcb->snd_buf > queued ? tcb->snd_buf - queued : 0;
        if (room >= tcp_extra(tcp, tcb->extra)->snd_low) {
            tcb->flags &= ~(uint32_t)F_WANT_WRITE;
            tcp_event(tcp, tcb, HF_WRITABLE);
        }
    }
}

/* What this ACK has to tell begins; how old the timestamp is that it echoes. */
static void begin_news(struct tcp *tcp, const struct tcb *tcb, const struct segment *seg)
{
    tcp->news = (struct ack_news){0};
    if ((tcb->flags & F_TS) && (seg->opt.present & OPT_TS) && seg->opt.ts_ecr) {
        tcp->news.echoed = true;
        tcp->news.echo_age_ms = tcp->now_ms + tcb->ts_offset - seg->opt.ts_ecr;
    }
}

void tcp_take_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg, bool in_order)
{
    uint32_t acked = 0;
    begin_news(tcp, tcb, seg);
    uint32_t arrived = tcb->active ? tcp_arrived(active_of(tcp, tcb)) : 0;
    bool outstanding = !seq_eq(tcb->snd.una, tcb->snd.nxt);
    bool probing = tcb->active && active_of(tcp, tcb)->persist;
    /* What answers a probe's octet (zwp_octet) says no more than that the window is closed. */
    bool again = outstanding && !probing && seq_eq(seg->ack, tcb->snd.una) && seg->len == 0;
    if (seq_gt(seg->ack, tcb->snd.una)) {
        acked = advance_una(tcp, tcb, seg);
        tcp->news.acked = acked;
    } else {
        tcb->retries = probing ? 0 : tcb->retries; /* MUST-37: the peer is there */
    }
    bool closed = tcb->snd.wnd == 0;
    bool newer = in_order && seq_geq(seg->ack, tcb->snd.una) && window_is_newer(tcb, seg);
    bool window_changed = newer && take_window(tcb, seg);
    if (acked && !newer) {
        keep_edge(tcb, seg, acked);
    }
    if (!outstanding ||
        tcb->snd.wnd ==
            0) { /* a keep-alive was answered; SHLD-17: it has shrunk, and the peer is there */
        tcb->retries = 0;
    }
    struct active *active = active_of(tcp, tcb);
    if (active) {
        tcp_sack_update(tcp, tcb, seg);
    }
    tcp->news.ece = tcp_ecn_echoes(tcp, tcb, seg, in_order);
    if (active == NULL) {
        tcp_tlp_on_idle_ack(tcb, seg);
        return;
    }
    /* RFC 5681 2 (a) .. (e), of what has come: SEG.LEN still counts what was refused of it
     * (MUST-66, A.2).  RFC 6675 2: with SACK, one that carries news of held octets. RFC5681-20,
     * RFC5681-23, RFC3042-3 */
    bool duplicate = again && (tcb->flags & F_SACK ? tcp->news.sacked != 0 : !window_changed);
    if (duplicate) {
        tally_of(tcp, tcb)->dup_acks++;
    }
    if (acked) {
        tcb->flags &= ~(uint32_t)F_MORE; /* the line is free again: Nagle decides */
    }
    tcp_ecn_acked(tcb, active);
    active->ecn_echo = tcp->news.ece;
    tcp_recovery_on_ack(tcp, tcb, seg, again && !window_changed);
    tcp_count_ack(tcp, tcb, arrived);
    uint32_t override_ms = tcb->snd.wnd && active->persist && !acked ? active->rto_at_ms : 0;
    follow_timers(tcp, tcb, active, acked);
    if (closed && tcb->snd.wnd != 0 && !acked) {
        tcp_recovery_reopened(tcp, tcb);
    }
    if (active->ecn_echo) {
        tcp_ecn_respond(tcp, tcb);
    }
    if (acked) {
        tcp_pmtu_acked(tcp, tcb);
        tcp_tune_on_ack(tcp, tcb, acked);
        tcp_tell_writable(tcp, tcb);
    }
    tcp_count_time(tcp, tcb);
    tcp_consider_sending(tcp, tcb);
    keep_override(active, override_ms);
}
