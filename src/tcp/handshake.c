/* handshake.c - RFC 9293 section 3.5 and 3.10.7.1-3: how a connection opens.
 *
 *     active                                                    passive
 *     CLOSED                                                    LISTEN
 *     SYN-SENT      tcp_open              -- SYN -->            tcp_arrives_listen   SYN-RECEIVED
 *     ESTABLISHED   tcp_arrives_syn_sent  <-- SYN,ACK --        tcp_reply_owed
 *                   tcp_output            -- ACK -->            check_ack            ESTABLISHED
 *
 * A listener's half-open connections are small records without a handle (half_open.c); a SYN that
 * is held for hf_answer, and a simultaneous open, have a tcb.  Text and FIN on a SYN are not kept
 * and not acknowledged: the peer sends them again (section 3.5, RFC 4987 3.5: RFC4987-5).
 */
#include "tcp/ecn.h"
#include "tcp/stats.h"
#include "tcp/tcp.h"

/* 3.10.7.1: CLOSED. */
enum hf_verdict tcp_arrives_closed(struct tcp *tcp, const struct conn_id *id,
                                   const struct segment *seg)
{
    if (seg->ctl & RST) {
        return HF_V_DROP_CLOSED_RST;
    }
    if (tcp->b->policy.answer_closed) {
        tcp_reply_rst(tcp, id, seg);
    }
    return HF_V_DROP_CLOSED;
}

/* RFC 9293 3.7.1: SendMSS is what the peer announced, 536 or 1220 without (MUST-15, SHLD-5); an
 * absurdly small one is not followed down to one octet a segment. */
uint16_t tcp_peer_mss(const struct tcp *tcp, const struct segment *seg, bool v6)
{
    if (!(seg->opt.present & OPT_MSS) || seg->opt.mss == 0) {
        return v6 ? 1220 : 536;
    }
    return (uint16_t)max_u32(seg->opt.mss, tcp->b->policy.min_mss);
}

/* RFC8200-7 */
static uint32_t ip_tcp_header(const struct tcb *tcb)
{
    return tcb->flags & F_V6 ? 60 : 40;
}

/* MUST-67, SHLD-6: the MTU is the interface's, or less; RFC1191-8 */
uint16_t tcp_announced_mss(const struct tcb *tcb, uint16_t max_segment)
{
    uint32_t mss = tcb->pmtu - ip_tcp_header(tcb);
    return (uint16_t)(max_segment ? min_u32(mss, max_segment) : mss);
}

/* MUST-16: Eff.snd.MSS = min(SendMSS + 20, MMS_S) - header, options counted. */
uint16_t tcp_effective_mss(struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t mss = tcb->pmtu - ip_tcp_header(tcb);
    if (tcb->peer_mss) {
        mss = min_u32(mss, tcb->peer_mss);
    }
    uint16_t own = tally_of(tcp, tcb)->max_segment;
    if (own) {
        mss = min_u32(mss, own);
    }
    uint32_t stamps = tcb->flags & F_TS ? 12 : 0;
    return (uint16_t)(mss > stamps + LEAST_TEXT ? mss - stamps : LEAST_TEXT);
}

/* RFC 7323 2.2, 3.2; RFC 2018 2: agreed when both SYNs say so.  RFC7323-3, RFC7323-9, RFC7323-12,
 * RFC7323-24, RFC7323-28, RFC2018-2 */
uint32_t tcp_agreed(const struct segment *seg, uint32_t offered)
{
    return ((offered & F_WSCALE_SENT) && (seg->opt.present & OPT_WSCALE) ? F_WSCALE : 0) |
           ((offered & F_TS_SENT) && (seg->opt.present & OPT_TS) ? F_TS : 0) |
           ((offered & F_SACK_SENT) && (seg->opt.present & OPT_SACK_OK) ? F_SACK : 0);
}

/* RFC 7323 2.3: a shift over 14 counts as 14.  RFC7323-51 */
static void agree_options(const struct tcp *tcp, struct tcb *tcb, const struct segment *seg,
                          uint32_t offered)
{
    uint32_t agreed = tcp_agreed(seg, offered);
    tcb->flags |= agreed;
    tcb->snd_wscale = agreed & F_WSCALE ? (uint8_t)min_u32(seg->opt.wscale, 14) & 15 : 0;
    if (tcb->flags & F_PASSIVE) { /* else it stands in our SYN */
        tcb->rcv_wscale = tcp_receive_wscale(tcp) & 15;
    }
    tcb->rcv_wscale = agreed & F_WSCALE ? tcb->rcv_wscale : 0;
    if (agreed & F_TS) {
        tcb->ts_recent = seg->opt.ts_val;
    }
}

/* RFC7323-1, RFC7323-2 */
uint32_t tcp_offered_options(const struct tcp *tcp)
{
    const struct hf_policy *policy = &tcp->b->policy;
    return (policy->timestamps ? F_TS_SENT : 0) | (policy->sack ? F_SACK_SENT : 0) |
           (policy->window_scale ? F_WSCALE_SENT : 0);
}

/* The shift that lets the largest receive window be announced, RFC 7323 2.3.  RFC7323-8 */
uint8_t tcp_receive_wscale(const struct tcp *tcp)
{
    uint32_t above = tcp->b->policy.max_receive_window >> 16;
    return above ? (uint8_t)min_u32(32 - (uint32_t)__builtin_clz(above), 14) : 0;
}

/* X-26, RFC4987-5: text on it is left to be sent again */
void tcp_take_syn(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    tcp_heard(tcp, tcb);
    tcb->irs = seg->seq;
    tcb->rcv.nxt = seq_add(seg->seq, 1);
    tcb->last_ack_sent = tcb->rcv.nxt;
    /* X-41, RFC7323-7, RFC1122-18 */
    tcb->snd.wnd = seg->wnd; /* a SYN's window is never scaled */
    tcb->snd.wl1 = seg->seq;
    tcb->snd.wl2 = seg->ctl & ACK ? seg->ack : tcb->iss;
    tcb->max_snd_wnd = seg->wnd;
    tcb->peer_mss = tcp_peer_mss(tcp, seg, tcb->flags & F_V6);
    agree_options(tcp, tcb, seg, tcb->flags & F_PASSIVE ? tcp_offered_options(tcp) : tcb->flags);
    tcb->snd_mss = tcp_effective_mss(tcp, tcb);
    tcb->rcv_mss = tcb->snd_mss;
    if (tcb->last_snd_ms == 0) { /* else our SYN has promised one */
        tcb->rcv.wnd = min_u32(tcb->rcv_buf, 65535);
    }
}

void tcp_offer(struct tcp *tcp, struct tcb *tcb)
{
    struct listener *listener = listener_at(tcp, tcb->listener);
    struct links links = pool_links(&tcp->b->tcbs, tcp->block, offsetof(struct tcb, event_link));
    idlist_push_tail(&listener->accept, &links, tcb_index(tcp, tcb));
    listener->accept_n++;
    tcp_listener_event(tcp, tcb->listener, HF_ACCEPTED);
}

/* Our SYN is acknowledged.  The caller has set SND.WND, SND.WL1, SND.WL2. */
void tcp_enter_established(struct tcp *tcp, struct tcb *tcb)
{
    tcp_set_state(tcb, HF_ESTABLISHED);
    tcb->max_snd_wnd = max_u32(tcb->max_snd_wnd, tcb->snd.wnd);
    tcb->owes &= (uint16_t)~HF_OWES_SYN; /* one more was due when the answer came */
    tcb->retries = 0;
    tally_of(tcp, tcb)->last_rcv_ms = ms_after(tcp->now_ms, 0);
    tcp_tune_begin(tcp, tcb);
    tcp_pmtu_begin(tcp, tcb);
    if (!(tcb->modes & M_FO_CHILD) || (tcb->modes & M_SYN_LOST)) { /* else it began with the SYN */
        tcp_cwnd_begin(tcp, tcb);
    }
    if (!(tcb->modes & M_FO_CHILD)) {
        if (tcb->flags & F_UNACCEPTED) {
            tcp_offer(tcp, tcb);
        } else {
            tcp_event(tcp, tcb, HF_CONNECTED | HF_WRITABLE);
        }
    }
    if (tcp_extra(tcp, tcb->extra)->adv_timeout_ms) {
        tcb->modes |= M_TELL_TIMEOUT;
    }
    tcp_keepalive_start(tcp, tcb);
    if (tcb->flags & F_CLOSE) { /* 3.10.4: a CLOSE that was queued; text first, then the FIN */
        tcp_set_state(tcb, HF_FIN_WAIT_1);
    }
    /* Text of the SYN had left no room for a segment, and was read before anything could be told of
     * it: else the client would wait for its persist timer. */
    if ((tcb->modes & M_FO_CHILD) && tcb->rcv.wnd < tcb->rcv_mss) {
        tcp_window_opened(tcp, tcb);
    }
}

/* 3.10.7.3 fourth: our SYN is acknowledged by the peer's.  RFC1122-18 */
static enum hf_verdict syn_ack_arrives(struct tcp *tcp, struct tcb *tcb, struct segment *seg)
{
    tcp_take_syn(tcp, tcb, seg);
    tcp_ecn_take_syn(tcp, tcb, seg);
    tcp_fast_open_answered(tcp, tcb, seg);
    tcp_owe_ack(tcp, tcb);
    seg->seq = tcb->rcv.nxt; /* the SYN is taken; what is left begins here */
    seg->ctl &= (uint16_t) ~(SYN | ECN_BITS);
    seg->packets = 0; /* what ECN has to say of it is said */
    seg->len -= 1;
    seg->up -= seg->up ? 1 : 0;
    tcp_enter_established(tcp, tcb);
    tcp_take_user_timeout(tcp, tcb, seg);
    tcp_take_ack(tcp, tcb, seg, true);
    if (tcp_new_text_fits(tcp, tcb)) {
        tcb->quick_acks = 0; /* text has waited for this: a dialogue, whose ACKs ride on text */
    }
    tcp_fast_open_resume(tcp, tcb);
    enum hf_verdict verdict = HF_V_ACCEPTED;
    /* */
    if (seg->len || (seg->ctl & URG)) {
        verdict = tcp_arrives_acked(tcp, tcb, seg);
    }
    return verdict == HF_V_ACCEPTED ? HF_V_SYN_ACK_ACCEPTED : verdict;
}

/* RFC 7323 3.2: what a SYN,ACK echoes was sent since the open; else it answers another SYN. */
static bool echo_can_be(const struct tcp *tcp, const struct tcb *tcb, const struct segment *seg)
{
    const struct active *active = active_of(tcp, tcb);
    if (active == NULL || !(tcb->flags & F_TS_SENT) || !(seg->opt.present & OPT_TS) ||
        seg->opt.ts_ecr == 0 || (seg->ctl & RST)) {
        return true;
    }
    uint32_t age_ms = tcp->now_ms + tcb->ts_offset - seg->opt.ts_ecr;
    /* "Since 1 ms" may be since 0, which says "none". */
    return age_ms <= tcp->now_ms - active->unacked_since_ms + 1;
}

/* Figure 9: an old connection is in the way of our SYN.  The reset ends it, and the SYN goes again
 * a little behind, not an RTO later - within the limit of challenge ACKs: forged ACKs shall make no
 * flood of SYNs. */
static void make_way(struct tcp *tcp, struct tcb *tcb)
{
    enum { BEHIND_MS = 10 };
    struct active *active = active_of(tcp, tcb);
    if (active && active->rto_at_ms && tcp_challenge_allowed(tcp, tcb)) {
        active->timer = TIMER_SYN;
        active->rto_at_ms = ms_after(tcp->now_ms, BEHIND_MS);
    }
}

/* 3.10.7.3: SYN-SENT.  RFC5961-4 */
enum hf_verdict tcp_arrives_syn_sent(struct tcp *tcp, struct tcb *tcb, struct segment *seg)
{
    /* first: the ACK bit.  X-9 */
    bool of_ours = seq_gt(seg->ack, tcb->snd.una) && seq_leq(seg->ack, tcb->snd.nxt);
    bool ack_ok = (seg->ctl & ACK) && of_ours && echo_can_be(tcp, tcb, seg);
    if ((seg->ctl & ACK) && !ack_ok) {
        if (!(seg->ctl & RST)) {
            struct conn_id id;
            tcp_id(tcp, tcb, &id);
            tcp_reply_rst(tcp, &id, seg);
            if (!of_ours) {
                make_way(tcp, tcb);
            }
        }
        /* */
        return HF_V_DROP_SYN_SENT_ACK;
    }
    /* second: the RST bit; RFC 5961 3.2: only with an ACK of our SYN */
    if (seg->ctl & RST) {
        if (!ack_ok) {
            return HF_V_DROP_SYN_SENT_RST;
        }
        tcb->flags |= F_RST_RECEIVED;
        tcp_finish(tcp, tcb, HF_ERR_REFUSED, HF_CAUSE_NONE, HF_V_RST_REFUSED);
        return HF_V_RST_REFUSED;
    }
    /* fifth, drawn forward: neither SYN nor RST */
    if (!(seg->ctl & SYN)) {
        /* */
        return HF_V_DROP_SYN_SENT_NO_SYN;
    }
    /* fourth: the SYN bit */
    tcp_fast_open_wait_no_more(tcp, tcb);
    if (ack_ok) {
        return syn_ack_arrives(tcp, tcb, seg);
    }
    tcp_take_syn(tcp, tcb, seg);
    tcp_ecn_take_syn(tcp, tcb, seg);
    tcp_set_state(tcb, HF_SYN_RECEIVED);
    tcp_owe(tcp, tcb, HF_OWES_SYN);
    tcb->retries = 0;
    tcp_rto_restart(tcp, tcb);
    /* MUST-10 */
    return HF_V_SIMULTANEOUS_OPEN;
}

void tcp_inherit(struct tcb *tcb, const struct listener *listener)
{
    tcb->flags |= F_PASSIVE | listener->inherit;
    tcb->modes = listener->inherit_modes;
    tcb->rcv_buf = listener->rcv_buf;
    tcb->snd_buf = listener->snd_buf;
    tcb->ttl = listener->ttl;
    tcb->tos = listener->tos;
}

static enum hf_verdict hold_syn(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                                const struct segment *seg)
{
    struct listener *listener = listener_at(tcp, listener_idx);
    uint32_t idx = tcp_new(tcp, id);
    if (idx == 0) {
        return HF_V_DROP_NO_MEMORY;
    }
    struct tcb *tcb = tcb_at(tcp, idx);
    tcp_inherit(tcb, listener);
    tally_at(tcp, idx)->max_segment = listener->max_segment;
    if (!tcp_copy_extra(tcp, listener->extra, &tcb->extra)) {
        tcp_unfile(tcp, tcb);
        tcp_delete(tcp, tcb);
        return HF_V_DROP_NO_MEMORY;
    }
    tcb->flags |= F_HELD | F_UNACCEPTED;
    tcb->listener = listener_idx;
    tcp_set_state(tcb, HF_LISTEN);
    tcp_take_syn(tcp, tcb, seg);
    tcp_ecn_take_syn(tcp, tcb, seg);
    struct links links = pool_links(&tcp->b->tcbs, tcp->block, offsetof(struct tcb, event_link));
    idlist_push_tail(&listener->asked, &links, idx);
    listener->half++; /* until the application has seen it */
    tcp_listener_event(tcp, listener_idx, HF_ASKED);
    tcb->long_at_ms = ms_after(tcp->now_ms, tcp->b->policy.hold_ms);
    tcp_rearm(tcp, tcb);
    return HF_V_SYN_HELD;
}

void tcp_take_iss(struct tcb *tcb, seq_t iss)
{
    tcb->iss = tcb->snd.una = tcb->snd.wl2 = iss;
    tcb->snd.nxt = seq_add(iss, 1);
}

/* A record of SYN-RECEIVED and its SYN,ACK; false: no room. */
static bool keep_half_open(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                           struct tcb *scratch, const seq_t *iss_above)
{
    seq_t iss = tcp_choose_iss(tcp, id);
    if (iss_above) {
        iss = tcp_iss_above(iss, *iss_above);
    }
    tcp_take_iss(scratch, iss);
    if (tcp_new_half_open(tcp, scratch, id, listener_idx) == 0) {
        return false;
    }
    tcp_set_state(scratch, HF_SYN_RECEIVED);
    scratch->owes = HF_OWES_SYN;
    tcp_reply_owed(tcp, scratch, id);
    tcp->b->opened_passive++;
    return true;
}

/* 3.10.7.2 third: the SYN.  iss_above: SND.NXT of the connection in TIME-WAIT that it replaces,
 * whose ISS no cookie can be above. */
static enum hf_verdict syn_arrives(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                                   const struct segment *seg, const seq_t *iss_above)
{
    struct listener *listener = listener_at(tcp, listener_idx);
    if ((seg->ctl & FIN) && tcp->b->policy.drop_synfin) {
        return HF_V_DROP_SYN_FIN;
    }
    bool full = tcp_backlog_full(tcp, listener_idx, id);
    bool cookie = !iss_above && tcp_cookie_wanted(tcp, listener, full);
    if (tcp_accept_full(listener) || (full && !cookie)) {
        return HF_V_DROP_BACKLOG;
    }
    if (listener->hold) {
        return hold_syn(tcp, listener_idx, id, seg);
    }
    if (cookie && tcp_cookie_answer(tcp, listener_idx, id, seg)) {
        return HF_V_COOKIE_SENT;
    }
    struct tcb scratch;
    tcp_scratch(tcp, id, &scratch);
    tcp_inherit(&scratch, listener);
    scratch.extra = listener->extra; /* borrowed: promote makes its own */
    tcp->no_tally = (struct tally){.max_segment = listener->max_segment};
    tcp_take_syn(tcp, &scratch, seg);
    tcp_ecn_take_syn(tcp, &scratch, seg);
    scratch.listener = listener_idx;
    if (!cookie && !iss_above && tcp_fast_open_syn(tcp, listener_idx, id, seg, &scratch)) {
        return HF_V_FAST_OPEN;
    }
    if (!cookie && keep_half_open(tcp, listener_idx, id, &scratch, iss_above)) {
        return iss_above ? HF_V_TIME_WAIT_REUSED : HF_V_HANDSHAKE;
    }
    if (iss_above || !tcp_cookie_wanted(tcp, listener, true)) {
        return HF_V_DROP_BACKLOG;
    }
    tcp_cookie_send(tcp, listener_idx, id, &scratch);
    return HF_V_COOKIE_SENT;
}

/* 3.10.7.2: LISTEN.  X-7 */
enum hf_verdict tcp_arrives_listen(struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                                   const struct segment *seg, const seq_t *iss_above)
{
    if (seg->ctl & RST) { /* first */
        return HF_V_DROP_LISTEN_RST;
    }
    if (seg->ctl & ACK) { /* second */
        if (tcp->b->policy.answer_closed) {
            tcp_reply_rst(tcp, id, seg);
        }
        return HF_V_DROP_LISTEN_ACK;
    }
    if (seg->ctl & SYN) { /* third */
        return syn_arrives(tcp, listener, id, seg, iss_above);
    }
    return HF_V_DROP_LISTEN_NO_SYN; /* fourth */
}

/* RFC 9768 3.1.5 (RFC9768-9): two SYNs ask for two kinds of feedback. */
enum hf_verdict tcp_reset_mixed_ecn(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    tcp_reply_reset(tcp, tcb, seg);
    tcp_finish(tcp, tcb, HF_ERR_RESET, HF_CAUSE_NONE, HF_V_ECN_MIXED);
    return HF_V_ECN_MIXED;
}

/* The peer repeats the SYN that is held, takes it back, or sends another one. */
enum hf_verdict tcp_arrives_held(struct tcp *tcp, struct tcb *tcb, const struct conn_id *id,
                                 const struct segment *seg)
{
    if (seg->ctl & RST) {
        if (!seq_eq(seg->seq, tcb->rcv.nxt)) {
            return HF_V_DROP_LISTEN_RST;
        }
        tcb->flags |= F_RST_RECEIVED;
        tcp_finish(tcp, tcb, HF_ERR_RESET, HF_CAUSE_NONE, HF_V_RST_BACK_TO_LISTEN);
        return HF_V_RST_BACK_TO_LISTEN;
    }
    if (seg->ctl & ACK) {
        tcp_reply_rst(tcp, id, seg);
        return HF_V_DROP_LISTEN_ACK;
    }
    if (!(seg->ctl & SYN)) {
        return HF_V_DROP_LISTEN_NO_SYN;
    }
    if (!tcp_time_wait_lets_in(tcp, id, seg)) {
        return HF_V_DROP_TIME_WAIT_SYN; /* older than the one behind this */
    }
    tcb->flags &= ~(uint32_t)(F_TS | F_SACK | F_WSCALE);
    bool another = !seq_eq(seg->seq, tcb->irs);
    tcp_take_syn(tcp, tcb, seg);
    if (another) {
        tcp_ecn_take_other_syn(tcp, tcb, seg);
    } else if (!tcp_ecn_syn_again(tcp, tcb, seg)) {
        return tcp_reset_mixed_ecn(tcp, tcb, seg);
    }
    tcb->long_at_ms = ms_after(tcp->now_ms, tcp->b->policy.hold_ms);
    return HF_V_SYN_HELD;
}

/* hf_answer: the handshake goes on from where the SYN was held, or ends here. */
int tcp_answer(struct tcp *tcp, struct tcb *tcb, enum hf_answer answer)
{
    if (!(tcb->flags & F_HELD) || tcb->state != HF_LISTEN) {
        return HF_ERR_NOT_CONNECTED;
    }
    struct conn_id id;
    tcp_id(tcp, tcb, &id);
    tcp_hash(tcp, &id);
    if (answer == HF_ANSWER_ACCEPT) {
        if (!tcp_attach(tcp, tcb)) {
            return HF_ERR_NO_RESOURCES;
        }
        tcp_trace_begin(tcp, tcb, HF_TRACE_CALL, HF_CALL_ANSWER);
        tcb->flags &= ~(uint32_t)F_HELD;
        tcb->long_at_ms = 0;
        seq_t iss = tcp_choose_iss(tcp, &id), replaced;
        if (tcp_time_wait_nxt(tcp, &id, &replaced)) {
            iss = tcp_iss_above(iss, replaced);
        }
        tcp_take_iss(tcb, iss);
        tcp_number_active(tcb, active_of(tcp, tcb));
        tcp_set_state(tcb, HF_SYN_RECEIVED);
        tcp_owe(tcp, tcb, HF_OWES_SYN);
        tcp_rto_start(tcp, tcb);
        tcp->b->opened_passive++;
        tcp_trace_end(tcp, tcb, HF_V_ACCEPTED);
        tcp_settle(tcp, tcb);
        return HF_OK;
    }
    tcp_trace_begin(tcp, tcb, HF_TRACE_CALL, HF_CALL_ANSWER);
    if (answer == HF_ANSWER_RESET) {
        const struct segment syn = {.seq = tcb->irs, .len = 1, .ctl = SYN};
        tcp_reply_reset(tcp, tcb, &syn);
    }
    tcp_finish(tcp, tcb, HF_ERR_ABORTED, HF_CALL_ANSWER, HF_V_ACCEPTED);
    tcp_trace_end(tcp, tcb, HF_V_ACCEPTED);
    return HF_OK;
}
