/* output.c - RFC 9293 section 3.7 and 3.8: what may be sent now.
 *
 * Everything that happens only adds to tcb->owes and puts the tcb into the list of those that owe;
 * the stack then calls tcp_output until it says that nothing is left.  Order: SYN, what was lost,
 * new text and FIN, window probe, and an ACK only if none of these carried it. */
#include "tcp/ecn.h"
#include "tcp/prediction.h"
#include "tcp/recovery.h"
#include "tcp/stats.h"

enum { OWES_AN_ACK = HF_OWES_ACK | HF_OWES_CHALLENGE | OWES_WINDOW };

void tcp_owe(struct tcp *tcp, struct tcb *tcb, uint16_t what)
{
    tcb->owes |= what;
    if (tcb->owes & OWES_LISTED || (tcb->flags & F_COMPACT)) {
        return;
    }
    tcb->owes |= OWES_LISTED;
    struct links links = pool_links(&tcp->b->tcbs, tcp->block, offsetof(struct tcb, owes_link));
    idlist_push_tail(&tcp->b->owes, &links, tcb_index(tcp, tcb));
}

void tcp_owe_nothing(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->owes & OWES_LISTED) {
        struct links links = pool_links(&tcp->b->tcbs, tcp->block, offsetof(struct tcb, owes_link));
        bool blocked = tcb->flags & F_BLOCKED;
        idlist_remove(blocked ? &tcp->b->blocked : &tcp->b->owes, &links, tcb_index(tcp, tcb));
    }
    tcb->flags &= ~(uint32_t)F_BLOCKED;
    tcb->owes = 0;
}

/* The number behind all text queued. */
static seq_t text_end(const struct tcp *tcp, const struct tcb *tcb, const struct active *active)
{
    return seq_add(tcp_text_una(tcp, tcb), active->sq_bytes);
}

static uint32_t unsent_text(const struct tcp *tcp, const struct tcb *tcb,
                            const struct active *active)
{
    return tcb->flags & F_FIN_SENT ? 0 : seq_len(tcb->snd.nxt, text_end(tcp, tcb, active));
}

/* Text and a FIN: once our SYN is acknowledged, or with Fast Open's SYN,ACK.  RFC7413-20 */
static bool may_speak(const struct tcb *tcb)
{
    return tcb->state >= HF_ESTABLISHED || tcp_fast_open_speaks(tcb);
}

/* Octets that the peer's window still takes.  MUST-34, SHLD-15, RFC7323-16, RFC7323-13: it may have
 * shrunk below what is out */
uint32_t tcp_usable_window(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t out = seq_len(tcp_text_una(tcp, tcb), tcb->snd.nxt);
    return tcb->snd.wnd > out ? tcb->snd.wnd - out : 0;
}

/* 3.8.6.2.1 (SWS avoidance) and 3.7.4 (Nagle, in Minshall's form): may a piece smaller than a full
 * segment go?  n: what could be sent, all: it is everything that is queued.  MUST-38 */
static bool small_may_go(const struct tcb *tcb, const struct active *active, uint32_t n, bool all)
{
    bool idle = seq_eq(tcb->snd.nxt, tcb->snd.una);
    if (tcb->flags & F_CLOSE && all) {
        return true; /* the FIN goes with it */
    }
    /* */
    if (active->push_now || active->probe == PROBE_NEW) {
        return true; /* the override timer of 3.8.6.2.1 (4) */
    }
    if (!all && n >= tcb->max_snd_wnd / 2) {
        return true; /* (3): a peer with such a window never takes a full segment */
    }
    /* MAY-16 */
    if (tcb->flags & (F_MORE | F_CORK)) {
        return false;
    }
    bool small_out = seq_gt(active->snd_sml, tcb->snd.una);
    /* MUST-17, SHLD-7, MUST-60: a small piece waits for no other but one in flight */
    return all && (idle || (tcb->flags & F_NODELAY) || !small_out);
}

/* Octets of new text that may go now in one frame of up to `most`.  mss: text of one segment.
 * RFC5681-1 */
static uint32_t sendable(const struct tcp *tcp, const struct tcb *tcb, const struct active *active,
                         uint32_t mss, uint32_t most)
{
    bool syn_out = tcp_syn_is_out(tcp, tcb);
    if (!may_speak(tcb) || (syn_out && !(tcb->modes & M_FO_CHILD)) || active->ecn_waits) {
        return 0;
    }
    uint32_t unsent = unsent_text(tcp, tcb, active);
    uint32_t window = min_u32(unsent, tcp_usable_window(tcp, tcb));
    uint32_t allowed = tcp_recovery_allows(tcp, tcb) + syn_out; /* a SYN is no text */
    if (window == 0 || allowed < min_u32(window, mss)) {
        return 0;
    }
    /* SHLD-27, SHLD-28: full segments, whatever the writes were */
    uint32_t n = min_u32(min_u32(window, allowed), max_u32(most, mss));
    uint32_t small = n % mss;
    bool all = n == unsent;
    if (small && n < window && n > mss) {
        return n - small; /* the rest of a chunk comes with the next one */
    }
    if (small && !small_may_go(tcb, active, small, all)) {
        n -= small;
    }
    return n;
}

bool tcp_new_text_fits(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t unsent = unsent_text(tcp, tcb, active_of(tcp, tcb));
    return unsent && tcp_usable_window(tcp, tcb) >= min_u32(unsent, tcb->snd_mss);
}

bool tcp_new_text_goes(const struct tcp *tcp, const struct tcb *tcb)
{
    return sendable(tcp, tcb, active_of(tcp, tcb), tcb->snd_mss, tcb->snd_mss) != 0;
}

/* 3.8.6.1: the window is closed, or too small to be worth a segment, and nothing is in flight that
 * would bring an ACK: only the timer goes on.  So it is with what has no way out.  MUST-35,
 * MUST-36, SHLD-29 */
static void persist_if_stuck(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    bool waiting =
        unsent_text(tcp, tcb, active) || ((tcb->flags & (F_CLOSE | F_FIN_SENT)) == F_CLOSE);
    if (tcb->state < HF_ESTABLISHED || !waiting || active->persist || active->rto_at_ms ||
        active->pace_at_ms || !seq_eq(tcb->snd.una, tcb->snd.nxt)) {
        return;
    }
    active->persist = 1;
    active->rto_at_ms = ms_after(tcp->now_ms, tcp_rto_ms(tcp, tcb));
    tcp_rearm(tcp, tcb);
}

/* A FIN goes when all text has gone, with the last of it or alone.  X-38 */
static bool fin_may_go(const struct tcp *tcp, const struct tcb *tcb, const struct active *active,
                       uint32_t text)
{
    bool opened = tcb->state >= HF_ESTABLISHED;
    return opened && (tcb->flags & (F_CLOSE | F_FIN_SENT)) == F_CLOSE &&
           unsent_text(tcp, tcb, active) == text && tcp_usable_window(tcp, tcb) > text;
}

void tcp_consider_sending(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL || !may_speak(tcb)) {
        return;
    }
    bool fin_waits = (tcb->flags & (F_CLOSE | F_FIN_SENT)) == F_CLOSE;
    bool repairs = active->recovery >= RECOVERY_FAST || active->probe == PROBE_REPEAT;
    if (!repairs && !fin_waits && unsent_text(tcp, tcb, active) == 0) {
        return; /* nothing is left to be sent */
    }
    if (tcp_recovery_next(tcp, tcb)) {
        tcp_owe(tcp, tcb, HF_OWES_REPEAT);
    }
    if (sendable(tcp, tcb, active, tcb->snd_mss, tcb->snd_mss)) {
        tcp_owe(tcp, tcb, HF_OWES_DATA);
    } else if (fin_may_go(tcp, tcb, active, 0)) {
        tcp_owe(tcp, tcb, HF_OWES_FIN);
    } else {
        persist_if_stuck(tcp, tcb, active);
    }
    if (tcb->flags & F_BLOCKED) {
        tcp_has_no_way(tcp, tcb);
    }
}

/* 3.8.3: R1 and R2 are of what was never sent, too.  MUST-20 */
void tcp_has_no_way(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->active) {
        persist_if_stuck(tcp, tcb, active_of(tcp, tcb));
    }
}

/* RFC7323-7, RFC7323-11 */
uint16_t tcp_header_window(struct tcp *tcp, struct tcb *tcb, bool syn)
{
    uint32_t wnd = syn ? tcb->rcv.wnd : tcp_update_window(tcp, tcb) >> tcb->rcv_wscale;
    if (!syn && tcp_fast_open_speaks(tcb)) { /* a SYN's window is no multiple: it must not shrink */
        uint32_t unit = 1u << tcb->rcv_wscale;
        wnd = (tcb->rcv.wnd + unit - 1) >> tcb->rcv_wscale;
        tcb->rcv.wnd = max_u32(tcb->rcv.wnd, min_u32(wnd, 65535) << tcb->rcv_wscale);
    }
    return (uint16_t)min_u32(wnd, 65535);
}

static void fill_options(struct tcp *tcp, struct tcb *tcb, struct segment *seg,
                         enum segment_kind what)
{
    bool syn = seg->ctl & SYN;
    bool first = syn && !(seg->ctl & ACK); /* offers; a SYN,ACK answers what was offered */
    if (syn) {
        seg->opt.present |= OPT_MSS;
        /* MUST-14, SHLD-5, MAY-3: always, of the path as it is known by now */
        seg->opt.mss = tcp_announced_mss(tcb, tally_of(tcp, tcb)->max_segment);
        tcb->rcv_mss = (uint16_t)min_u32(tcb->rcv_mss, seg->opt.mss);
        if (tcb->flags & (first ? F_WSCALE_SENT : F_WSCALE)) {
            seg->opt.present |= OPT_WSCALE;
            seg->opt.wscale = tcb->rcv_wscale;
        }
        if (tcb->flags & (first ? F_SACK_SENT : F_SACK)) {
            seg->opt.present |= OPT_SACK_OK;
        }
    }
    struct active *active = active_of(tcp, tcb);
    if (syn && active && (active->fast & FAST_OPTION)) {
        struct conn_id id;
        tcp_id(tcp, tcb, &id);
        tcp_fast_open_cookie(tcp, tcb->listener & 0xffff, &id, active->fast, &seg->opt);
        active->fast &= (uint8_t)~FAST_OPTION; /* RFC7413-22: once */
    }
    if (first) {
        tcp_fast_open_ask(tcp, tcb, &seg->opt);
    }
    tcp_fill_user_timeout(tcp, tcb, seg);
    /* RFC7323-23 */
    if (tcb->flags & (first ? F_TS_SENT : F_TS)) {
        seg->opt.present |= OPT_TS;
        /* RFC7323-29, RFC7323-45, RFC7323-46: milliseconds */
        seg->opt.ts_val = tcp->now_ms + tcb->ts_offset;
        /* RFC7323-19, RFC7323-20 */
        seg->opt.ts_ecr = seg->ctl & ACK ? tcb->ts_recent : 0;
    }
    /* RFC2018-3: on whatever is sent */
    if (!syn && (tcb->flags & F_SACK)) {
        tcp_fill_sack(tcp, tcb, &seg->opt);
    }
    if (!syn) {
        tcp_accecn_fill(tcp, tcb, &seg->opt, what);
    } else if (!first && tcp_accecn_on_syn_ack(tcb)) {
        tcp_accecn_fill_initial(&seg->opt); /* RFC9768-20: and not on a SYN */
    }
}

/* Everything of a segment but its text.  seg->wnd is scaled: finish_segment makes the field. */
static void begin_segment(struct tcp *tcp, struct tcb *tcb, struct tcp_out *out, seq_t from,
                          uint16_t ctl, enum segment_kind what)
{
    memset(&out->seg, 0, sizeof out->seg);
    out->ttl = tcb->ttl;
    out->tos = tcb->tos;
    out->may_fragment = (tcb->modes & M_MAY_FRAGMENT) != 0;
    out->cut = false;
    out->text_len = out->n_slices = out->gso_size = 0;
    out->seg.sport = out->id.lport;
    out->seg.dport = out->id.rport;
    out->seg.seq = from;
    out->seg.ctl = ctl;
    /* */
    out->seg.ack = ctl & ACK ? tcb->rcv.nxt : seq(0);
    fill_options(tcp, tcb, &out->seg, what);
    tcp_urgent_mark(active_of(tcp, tcb), &out->seg);
}

/* The ACK owed has gone with this segment.  RFC5681-32 */
static void ack_has_gone(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    tcb->owes &= (uint16_t) ~(OWES_AN_ACK | HF_OWES_DELAYED_ACK);
    tcb->last_ack_sent = tcb->rcv.nxt;
    if (active) {
        active->delack_at_ms = 0;
        active->unacked_bytes = 0;
        active->dsack = 0;
        active->dup_owed -= active->dup_owed ? 1 : 0;
        if (active->dup_owed) {
            tcb->owes |= HF_OWES_ACK; /* RFC 5681 4.2: one for each segment held */
        }
    }
}

/* Window, counters, trace. */
static void finish_segment(struct tcp *tcp, struct tcb *tcb, struct tcp_out *out, uint8_t marks,
                           enum hf_cause cause)
{
    struct segment *seg = &out->seg;
    bool syn = seg->ctl & SYN;
    seg->len = out->text_len + (syn ? 1 : 0) + (seg->ctl & FIN ? 1 : 0);
    seg->text_len = out->text_len;
    seg->ecn = out->tos & 3;
    seg->ctl |= syn ? tcp_ecn_syn(tcp, tcb, seg->ctl & ACK) : tcp_ecn_ack(tcp, tcb, seg);
    uint16_t field = tcp_header_window(tcp, tcb, syn);
    seg->wnd = syn ? field : (uint32_t)field << tcb->rcv_wscale;
    tcp_trace_begin(tcp, tcb, HF_TRACE_OUT, cause);
    if (seg->ctl & ACK) {
        ack_has_gone(tcp, tcb);
        if (tcb->modes & M_ACCURATE) {
            tcp_accecn_sent(tcp_ecn_of(tcp, tcb), seg);
        }
    }
    if (seg->ctl & FIN && tcb->state == HF_CLOSE_WAIT) {
        tcp_set_state(tcb, HF_LAST_ACK); /* 3.10.4: once all text is segmentized */
    }
    tcp_user_timeout_sent(tcb, seg);
    tcp_pace_sent(tcp, tcb, out->text_len);
    tcp_trace_segment(tcp, &out->id, seg);
    tcp->before.marks |= marks | (out->gso_size ? HF_MARK_GSO : 0);
    tcp_trace_end(tcp, tcb, HF_V_ACCEPTED);
    seg->wnd = field;
    uint32_t segments = out->gso_size ? (out->text_len + out->gso_size - 1) / out->gso_size : 1;
    tcp->b->segs_out += segments;
    tally_of(tcp, tcb)->segs_out += segments;
    if (out->text_len) {
        tcp_count_sent(tcp, tcb, out->text_len, out->gso_size, marks & HF_MARK_REPEAT);
    }
    if (marks & HF_MARK_REPEAT) {
        tally_of(tcp, tcb)->retransmitted++;
        tcp->b->retransmitted++;
    }
}

/* RFC 7413 4.2.2: text on our first SYN, as far as it lies in one piece.  RFC7413-16: its options,
 * 20 octets and a cookie's 20 at most, always have room. */
static void put_syn_text(struct tcp *tcp, struct tcb *tcb, struct tcp_out *out, uint32_t room)
{
    struct active *active = active_of(tcp, tcb);
    uint32_t text = min_u32(room, active->sq_bytes);
    if (text == 0) {
        return;
    }
    active->send = (struct cursor){tcb->snd.nxt, active->sq_head, active->sq_skip};
    out->n_slices = 1;
    out->text_len = tcp_chunk_slices(tcp, &active->send, text, out->slice, &out->n_slices);
    tcp_cursor_advance(tcp, &active->send, out->text_len);
    tcb->snd.nxt = seq_add(tcb->snd.nxt, out->text_len);
    active->send.at = tcb->snd.nxt;
    active->fast |= FAST_TEXT;
    tcp_sent_new(tcp, tcb, seq_add(tcb->iss, 1), room);
}

static void put_syn(struct tcp *tcp, struct tcb *tcb, struct tcp_out *out)
{
    bool passive = tcb->state != HF_SYN_SENT;
    uint32_t room = passive ? 0 : tcp_fast_open_room(tcp, tcb);
    begin_segment(tcp, tcb, out, tcb->iss, passive ? SYN | ACK : SYN, SEGMENT_TEXT);
    tcb->owes &= (uint16_t)~HF_OWES_SYN;
    struct active *active = active_of(tcp, tcb);
    bool again = tcb->last_snd_ms != 0; /* RFC7413-14: plain from now on */
    if (!again && active) {
        active->rtt_timed = 1;
        active->rtt_seq = seq_add(tcb->iss, 1);
        active->rtt_start_us = tcp->now_us;
    } else if (active) {
        active->rtt_timed = 0;
    }
    if (room) {
        put_syn_text(tcp, tcb, out, room);
    }
    tcb->last_snd_ms = ms_after(tcp->now_ms, 0);
    finish_segment(tcp, tcb, out, again ? HF_MARK_REPEAT : 0, HF_CAUSE_NONE);
    (again ? tcp_rto_start : tcp_rto_restart)(tcp, tcb); /* its timer is untouched */
}

/* RFC 3168 6.1.2: of new text only, not of a FIN alone (RFC3168-3), what is sent again (RFC3168-20,
 * RFC3168-24) or a probe (RFC3168-26).  CWR is said once; if it is lost, that reduces again. */
static void mark_ecn(struct tcb *tcb, struct tcp_out *out)
{
    if (out->text_len) {
        out->tos |= tcp_ecn_codepoint(tcb);
        out->seg.ctl |= tcb->modes & M_CWR ? CWR : 0; /* RFC3168-9 */
        tcb->modes &= ~(uint32_t)M_CWR;
    }
}

/* Text per segment with the options that this segment carries. */
static uint32_t segment_limit(const struct tcb *tcb, const struct segment *seg)
{
    uint32_t counted = 20 + (tcb->flags & F_TS ? 12 : 0);
    uint32_t header = (uint32_t)wire_tcp_header_len(&seg->opt);
    uint32_t extra = header > counted ? header - counted : 0;
    return tcb->snd_mss > extra + LEAST_TEXT ? tcb->snd_mss - extra : LEAST_TEXT;
}

/* MUST-58, MUST-59: what is owed once is sent once, behind the whole batch */
static bool put_ack(struct tcp *tcp, struct tcb *tcb, struct tcp_out *out)
{
    begin_segment(tcp, tcb, out, tcp_bare_seq(tcp, tcb), ACK, SEGMENT_ACK);
    finish_segment(tcp, tcb, out, 0, HF_CAUSE_NONE);
    return true;
}

/* What was lost, from active->rxt on: text, FIN, or both. */
static bool put_repeat(struct tcp *tcp, struct tcb *tcb, struct tcp_out *out)
{
    struct active *active = active_of(tcp, tcb);
    uint32_t len = active ? tcp_recovery_next(tcp, tcb) : 0;
    if (len == 0) {
        tcb->owes &= (uint16_t)~HF_OWES_REPEAT;
        return false;
    }
    seq_t from = active->rxt.at;
    begin_segment(tcp, tcb, out, from, ACK, SEGMENT_REPEAT);
    if (active->probe == PROBE_REPEAT && len > segment_limit(tcb, &out->seg)) {
        if (tcb->owes & HF_OWES_ACK) {
            return put_ack(tcp, tcb, out); /* what SACK has to say goes by itself */
        }
        /* RFC8985-30: only a DSACK of all of the probe tells that it was not needed. */
        out->seg.opt.present &= OPT_TS;
        out->seg.opt.n_sack = 0;
    }
    tcp_pmtu_repeats(tcp, tcb, from, len);
    len = min_u32(len, segment_limit(tcb, &out->seg));
    seq_t end = text_end(tcp, tcb, active);
    uint32_t text = seq_lt(from, end) ? min_u32(len, seq_len(from, end)) : 0;
    out->n_slices = HF_SLICES_MAX;
    out->text_len = tcp_chunk_slices(tcp, &active->rxt, text, out->slice, &out->n_slices);
    len = out->text_len;
    seq_t behind = seq_add(from, len);
    if ((tcb->flags & F_FIN_SENT) && seq_eq(behind, end) && seq_lt(end, tcb->snd.nxt)) {
        out->seg.ctl |= FIN;
        len++;
    }
    bool marked = tcp_chunk_pushes(tcp, &active->rxt, out->text_len);
    bool of_syn = (active->fast & FAST_TEXT) && seq_eq(from, seq_add(tcb->iss, 1)); /* a chunk */
    out->seg.ctl |= out->text_len && (seq_eq(behind, end) || marked || of_syn) ? PSH : 0;
    enum hf_cause cause = active->probe == PROBE_REPEAT       ? HF_TIMER_TLP
                          : active->recovery == RECOVERY_FAST ? HF_CAUSE_FAST_RETRANSMIT
                                                              : HF_CAUSE_NONE;
    tcp_recovery_sent(tcp, tcb, len);
    finish_segment(tcp, tcb, out, HF_MARK_REPEAT, cause);
    if (seq_eq(from, tcb->snd.una)) {
        tcp_rto_anew(tcp, tcb); /* RFC6675-26, RFC6298-12: it has its own RTO */
    } else {
        tcp_rto_start(tcp, tcb);
    }
    if (tcp_recovery_next(tcp, tcb) == 0) {
        tcb->owes &= (uint16_t)~HF_OWES_REPEAT;
    }
    return true;
}

/* New text and FIN, from SND.NXT on. */
static bool put_text(struct tcp *tcp, struct tcb *tcb, uint32_t gso_bytes, struct tcp_out *out)
{
    struct active *active = active_of(tcp, tcb);
    tcb->owes &= (uint16_t) ~(HF_OWES_DATA | HF_OWES_FIN);
    HF_ASSERT(active != NULL && may_speak(tcb));
    tcp_cwnd_idle(tcp, tcb);
    tcp_pmtu_age(tcp, tcb);
    begin_segment(tcp, tcb, out, tcb->snd.nxt, ACK, SEGMENT_TEXT);
    uint32_t mss = segment_limit(tcb, &out->seg);
    if ((active->snd_urgent && seq_gt(active->snd_up, tcb->snd.nxt)) ||
        tcp_ecn_no_super(tcp, tcb)) {
        gso_bytes = 0; /* all parts of a super-segment have the same pointer; CWR is in one only */
    }
    uint32_t text = UINT32_MAX;
    if (active->burst == 0) {
        text = sendable(tcp, tcb, active, mss, UINT32_MAX);
        tcp_begin_burst(tcp, tcb, active, mss, text);
    }
    gso_bytes = tcp_pace_chunk(tcp, tcb, mss, gso_bytes);
    uint32_t parts = gso_bytes ? 1 : tcp_parts(tcp, tcb, active, &out->seg);
    bool cut = parts > 1;
    gso_bytes = cut ? parts * mss : gso_bytes;
    bool wait;
    uint32_t unsent = mss == tcb->snd_mss ? unsent_text(tcp, tcb, active) : 0;
    uint32_t probe = tcp_pmtu_probe(tcp, tcb, unsent, tcp_usable_window(tcp, tcb), &wait);
    mss = probe ? probe : mss;
    if (text > mss || probe) { /* else one segment is all */
        text = probe ? probe : sendable(tcp, tcb, active, mss, gso_bytes);
    }
    bool fin = fin_may_go(tcp, tcb, active, text);
    if ((text == 0 && !fin) || wait) {
        return false;
    }
    if (cut && fin && text > mss) { /* the last one is like no other */
        text -= (text - 1) % mss + 1;
        fin = false;
    }
    uint32_t got = tcp_parts_slices(tcp, active, text, mss, cut, out);
    fin = fin && got == text;
    out->text_len = got;
    out->gso_size = got > mss ? (uint16_t)mss : 0;
    out->cut = cut && got > mss;
    seq_t behind = seq_add(tcb->snd.nxt, got);
    bool last = seq_eq(behind, text_end(tcp, tcb, active));
    bool marked = tcp_chunk_pushes(tcp, &active->send, got);
    /* MUST-61 */
    uint32_t n = out->cut ? (got + mss - 1) / mss : 1;
    bool push = tcp_push_here(active, n, marked, last) || (got > mss && !cut);
    out->seg.ctl |= (fin ? FIN : 0) | (got && push ? PSH : 0);
    mark_ecn(tcb, out);
    tcp_cursor_advance(tcp, &active->send, got);
    tcb->snd.nxt = seq_add(behind, fin ? 1 : 0);
    active->send.at = tcb->snd.nxt;
    tcb->flags |= fin ? F_FIN_SENT : 0;
    if (got % mss) {
        active->snd_sml = behind;
    }
    tcp_pmtu_sent(tcp, tcb, out->seg.seq, got, mss);
    if (got % mss || last) {
        active->push_now = 0;
    }
    enum hf_cause cause = active->probe == PROBE_NEW ? HF_TIMER_TLP : HF_CAUSE_NONE;
    tcp_sent_new(tcp, tcb, out->seg.seq, mss);
    tcp_text_was_sent(tcp, tcb, got);
    finish_segment(tcp, tcb, out, 0, cause);
    return true;
}

/* 3.8.6.1: an empty segment that is one octet old: the peer must answer it with its window. */
static bool put_probe(struct tcp *tcp, struct tcb *tcb, struct tcp_out *out)
{
    struct active *active = active_of(tcp, tcb);
    tcb->owes &= (uint16_t)~OWES_PROBE;
    bool octet = active && tcp->b->policy.zwp_octet && active->sq_bytes;
    begin_segment(tcp, tcb, out, octet ? tcb->snd.una : seq_sub(tcb->snd.una, 1), ACK,
                  SEGMENT_REPEAT);
    if (octet) { /* the first unacknowledged one, new or again */
        struct cursor from = {tcb->snd.una, active->sq_head, active->sq_skip};
        out->n_slices = HF_SLICES_MAX;
        out->text_len = tcp_chunk_slices(tcp, &from, 1, out->slice, &out->n_slices);
        if (seq_eq(tcb->snd.una, tcb->snd.nxt)) {
            tcp_cursor_advance(tcp, &active->send, 1);
            tcb->snd.nxt = seq_add(tcb->snd.nxt, 1);
            active->send.at = tcb->snd.nxt;
            tcp_sent_new(tcp, tcb, tcb->snd.una, 1);
        } else {
            tcp_sent_again(tcp, tcb, tcb->snd.una, 1);
        }
    }
    finish_segment(tcp, tcb, out, HF_MARK_PROBE, HF_CAUSE_NONE);
    if ((out->seg.ctl & URG) && !octet) {
        tcb->owes |= HF_OWES_ACK; /* MUST-66: what is old is answered, and its URG not seen */
    }
    return true;
}

static bool put_next(struct tcp *tcp, struct tcb *tcb, uint32_t gso_bytes, struct tcp_out *out)
{
    if (tcb->owes & HF_OWES_SYN) {
        put_syn(tcp, tcb, out);
        return true;
    }
    if (tcp_accecn_first_ack(tcp, tcb) && (tcb->owes & OWES_AN_ACK)) {
        return put_ack(tcp, tcb, out); /* RFC 9768 3.2.2.1: by itself, before any text */
    }
    bool text = tcb->owes & (HF_OWES_REPEAT | HF_OWES_DATA | HF_OWES_FIN);
    bool waits = text && tcp_pace_waits(tcp, tcb);
    if ((tcb->owes & HF_OWES_REPEAT) && !waits && put_repeat(tcp, tcb, out)) {
        return true;
    }
    if ((tcb->owes & (HF_OWES_DATA | HF_OWES_FIN)) && !waits &&
        put_text(tcp, tcb, gso_bytes, out)) {
        return true;
    }
    if (tcb->owes & OWES_PROBE) {
        return put_probe(tcp, tcb, out);
    }
    uint16_t ack = tcb->owes & OWES_AN_ACK;
    if (ack && tcb->state >= HF_SYN_RECEIVED &&
        (ack != OWES_WINDOW || tcp_window_moves(tcp, tcb))) {
        return put_ack(tcp, tcb, out);
    }
    return false;
}

bool tcp_output(struct tcp *tcp, struct tcb *tcb, uint32_t gso_bytes, struct tcp_out *out)
{
    HF_ASSERT(tcb->owes & OWES_LISTED);
    bool sent = put_next(tcp, tcb, gso_bytes, out);
    if (sent) {
        tcp_consider_sending(tcp, tcb);
    }
    if (sent && tcb->owes != OWES_LISTED) {
        tcp_rearm(tcp, tcb);
        return true;
    }
    tcp_owe_nothing(tcp, tcb);
    if (tcb->active) {
        active_of(tcp, tcb)->burst = 0;
        persist_if_stuck(tcp, tcb, active_of(tcp, tcb));
        tcp_count_time(tcp, tcb);
    }
    tcp_settle(tcp, tcb);
    return sent;
}
