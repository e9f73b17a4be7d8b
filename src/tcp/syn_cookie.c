/* syn_cookie.c - RFC 4987 section 3.6 and appendix A: connections that open without being kept.
 *
 * When there is no room for a half-open record, the SYN is answered all the same: our ISS says what
 * would have been kept, under a key, and the ACK that brings it back opens the connection.
 *
 *     ISS = F(addresses, ports) + IRS + (slot << 24) + low
 *     low = MAC(F, IRS, slot, data), 24 bits, the lowest of which are replaced by data
 *
 * The slot, of cookie_slot_ms, grows with time, and so does ISS (Bernstein's rule, RFC4987-14).
 * Data is three bits, the MSS in a table.  With timestamps the lower six bits of our TSval say the
 * rest: window scale, SACK, ECN; without them four more bits of data do, the scale rounded down, so
 * that we see the window smaller than it is, and there is no ECN.
 *
 * A guessed ACK is believed once in 2^28 (without timestamps 2^24) tries, and only while the
 * listener has sent a cookie within two slots: else no hash is computed (RFC4987-7).
 */
#include "tcp/ecn.h"

enum {
    DATA_MSS_BITS = 3,
    DATA_BITS = 7, /* without timestamps: and SACK, and a scale of the table */
    DATA_SACK = 1 << 3,
    DATA_SCALE_SHIFT = 4,
    LOW_BITS = 24,
    LOW_MASK = (1 << LOW_BITS) - 1,
    STAMP_MASK = 63, /* the lower bits of TSval: */
    STAMP_SCALE = 15,
    STAMP_NO_SCALE = 15,
    STAMP_SACK = 1 << 4,
    STAMP_ECN = 1 << 5,
};

/* RFC 9293 3.7.1's defaults, tunnels, Ethernet, large frames; what lies between is rounded down. */
static const uint16_t mss_table[1 << DATA_MSS_BITS] = {64, 536, 1220, 1300, 1400, 1440, 1460, 8940};
/* The first: no window scaling. */
static const uint8_t scale_table[8] = {0, 0, 2, 4, 6, 7, 8, 10};

static uint32_t data_mask(bool stamped)
{
    return (1u << (stamped ? DATA_MSS_BITS : DATA_BITS)) - 1;
}

static uint32_t slot_now(const struct tcp *tcp)
{
    uint64_t slot_ns = (uint64_t)tcp->b->policy.cookie_slot_ms * 1000000;
    return (uint32_t)((uint64_t)tcp->env->now_ns / slot_ns);
}

/* What an attacker cannot compute, with data in its lowest bits.  stamped: of a cookie that goes
 * with timestamps. */
static uint32_t low_of(const struct tcp *tcp, uint64_t base, seq_t irs, uint32_t slot, bool stamped,
                       uint32_t data)
{
    HF_COUNT(tcp->b->work.hashed, 1);
    HF_COUNT(tcp->b->work.macs, 1);
    const struct sip_key *key = &secret_of(tcp)->cookie_mac;
    struct sip_state s = sip_start(key->k0, key->k1);
    sip_word(&s, base, 2);
    sip_word(&s, (uint64_t)irs.v << 32 | slot, 2);
    sip_word(&s, data << 1 | stamped, 2);
    uint32_t mac = (uint32_t)sip_end(&s, 4) & LOW_MASK;
    return (mac & ~data_mask(stamped)) | data;
}

static uint32_t mss_index(uint32_t mss)
{
    uint32_t i = ARRAY_LEN(mss_table) - 1;
    while (i > 0 && mss_table[i] > mss) {
        i--;
    }
    return i;
}

static uint32_t scale_index(const struct tcb *scratch)
{
    uint32_t i = 0;
    if (scratch->flags & F_WSCALE) {
        i = ARRAY_LEN(scale_table) - 1;
        while (i > 1 && scale_table[i] > scratch->snd_wscale) {
            i--;
        }
    }
    return i;
}

static uint32_t data_of(const struct tcb *scratch)
{
    uint32_t data = mss_index(scratch->peer_mss);
    if (!(scratch->flags & F_TS)) {
        data |= scratch->flags & F_SACK ? DATA_SACK : 0;
        data |= scale_index(scratch) << DATA_SCALE_SHIFT;
    }
    return data;
}

/* The clock with lower bits that speak, never ahead of itself. */
static uint32_t stamp_of(const struct tcp *tcp, const struct tcb *scratch)
{
    uint32_t bits = scratch->flags & F_WSCALE ? scratch->snd_wscale : STAMP_NO_SCALE;
    bits |= scratch->flags & F_SACK ? STAMP_SACK : 0;
    bits |= scratch->modes & M_CLASSIC ? STAMP_ECN : 0;
    uint32_t stamp = (tcp->now_ms & ~(uint32_t)STAMP_MASK) | bits;
    return (int32_t)(stamp - tcp->now_ms) > 0 ? stamp - (STAMP_MASK + 1) : stamp;
}

/* RFC4987-11, RFC4987-13: only when there is no room.  A SYN that ends TIME-WAIT needs an ISS of
 * its own, and a held one its record. */
bool tcp_cookie_wanted(const struct tcp *tcp, const struct listener *listener, bool full)
{
    uint8_t when = tcp->b->policy.syn_cookies;
    return !listener->hold && (when == HF_COOKIES_ALWAYS || (full && when == HF_COOKIES_FULL));
}

/* RFC4987-6: the SYN that scratch has taken is answered; nothing else of it stays. */
void tcp_cookie_send(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                     struct tcb *scratch)
{
    struct listener *listener = listener_at(tcp, listener_idx);
    uint64_t base = tcp_cookie_base(tcp, id);
    uint32_t slot = slot_now(tcp);
    uint32_t low = low_of(tcp, base, scratch->irs, slot, scratch->flags & F_TS, data_of(scratch));
    scratch->iss = seq((uint32_t)base + scratch->irs.v + (slot << LOW_BITS) + low);
    if (!(scratch->flags & F_TS)) {
        scratch->modes &= ~(uint32_t)M_CLASSIC; /* nothing would remember it */
    }
    scratch->ts_offset += stamp_of(tcp, scratch) - tcp->now_ms;
    tcp_listener_promises(listener);
    listener->cookies_out = true;
    listener->cookie_ms = tcp->now_ms;
    tcp_set_state(scratch, HF_LISTEN);
    scratch->owes = HF_OWES_SYN;
    tcp_reply_owed(tcp, scratch, id);
}

/* RFC4987-7: ruling 14.  Only then is it worth a hash. */
bool tcp_cookie_awaited(const struct tcp *tcp, struct listener *listener, const struct segment *seg)
{
    if (!listener->cookies_out || (seg->ctl & (SYN | RST | ACK)) != ACK) {
        return false;
    }
    if (tcp->now_ms - listener->cookie_ms > 2 * tcp->b->policy.cookie_slot_ms) {
        listener->cookies_out = false;
        return false;
    }
    return true;
}

/* The data of a cookie of this slot or the one before it; false: it is none of ours, or too old. */
static bool open_cookie(const struct tcp *tcp, const struct conn_id *id, seq_t irs, seq_t iss,
                        bool stamped, uint32_t *data)
{
    uint64_t base = tcp_cookie_base(tcp, id);
    uint32_t rest = iss.v - (uint32_t)base - irs.v;
    uint32_t slot = slot_now(tcp);
    uint32_t age = (slot - (rest >> LOW_BITS)) & 0xff;
    uint32_t low = rest & LOW_MASK;
    *data = low & data_mask(stamped);
    return age <= 1 && low == low_of(tcp, base, irs, slot - age, stamped, *data);
}

/* RFC4987-9: what both SYNs have agreed upon, as the cookie's timestamp has it.  False: it is no
 * echo of a cookie that could be. */
static bool take_stamp(const struct tcp *tcp, struct tcb *scratch, const struct segment *seg)
{
    uint32_t stamp = seg->opt.ts_ecr - scratch->ts_offset;
    uint32_t scale = stamp & STAMP_SCALE;
    if (tcp->now_ms - stamp > 2 * tcp->b->policy.cookie_slot_ms + STAMP_MASK) {
        return false;
    }
    scratch->flags |= F_TS | (stamp & STAMP_SACK ? F_SACK : 0);
    scratch->modes |= stamp & STAMP_ECN ? M_CLASSIC : 0;
    scratch->flags |= scale != STAMP_NO_SCALE ? F_WSCALE : 0;
    scratch->snd_wscale = scale != STAMP_NO_SCALE ? scale & 15 : 0;
    scratch->ts_recent = seg->opt.ts_val;
    return true;
}

static void take_data(struct tcb *scratch, uint32_t data)
{
    uint32_t scale = data >> DATA_SCALE_SHIFT;
    scratch->flags |= data & DATA_SACK ? F_SACK : 0;
    scratch->flags |= scale ? F_WSCALE : 0;
    scratch->snd_wscale = scale_table[scale] & 15;
}

/* Does the segment bring a cookie of ours back?  Then scratch is the connection in SYN-RECEIVED
 * that it stands for; SEG.SEQ is IRS+1 as long as nothing has come before it. */
bool tcp_cookie_read(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                     const struct segment *seg, struct tcb *scratch)
{
    const struct listener *listener = listener_at(tcp, listener_idx);
    bool stamped = tcp->b->policy.timestamps && (seg->opt.present & OPT_TS);
    seq_t irs = seq_sub(seg->seq, 1);
    seq_t iss = seq_sub(seg->ack, 1);
    uint32_t data;
    if (!open_cookie(tcp, id, irs, iss, stamped, &data)) {
        return false;
    }
    tcp_scratch(tcp, id, scratch);
    tcp_inherit(scratch, listener);
    tcp->no_tally = (struct tally){.max_segment = listener->max_segment};
    if (stamped && !take_stamp(tcp, scratch, seg)) {
        return false;
    }
    if (!stamped) {
        take_data(scratch, data);
    }
    tcp_accecn_take_cookie(scratch, seg);
    scratch->peer_mss =
        (uint16_t)max_u32(mss_table[data & ((1 << DATA_MSS_BITS) - 1)], tcp->b->policy.min_mss);
    scratch->rcv_wscale = scratch->flags & F_WSCALE ? tcp_receive_wscale(tcp) & 15 : 0;
    scratch->snd_mss = scratch->rcv_mss = tcp_effective_mss(tcp, scratch);
    scratch->iss = scratch->snd.una = scratch->snd.wl2 = iss;
    scratch->snd.nxt = seg->ack;
    scratch->irs = scratch->snd.wl1 = irs;
    scratch->rcv.nxt = scratch->last_ack_sent = seg->seq;
    scratch->rcv.wnd = tcp_first_window(listener);
    tcp_set_state(scratch, HF_SYN_RECEIVED);
    return true;
}

/* RFC4987-8: a wrong cookie is an ACK at a listener.  Without room it gets no reset: it may be text
 * behind the segment that brought the cookie and was ignored, and comes again in order. */
static enum hf_verdict refuse(struct tcp *tcp, const struct listener *listener,
                              const struct conn_id *id, const struct segment *seg)
{
    const struct hf_policy *policy = &tcp->b->policy;
    bool full = tcp_accept_full(listener) || tcp->b->tcbs.used == tcp->b->tcbs.max;
    tcp_trace_segment(tcp, id, seg);
    if (policy->answer_closed && (!full || policy->abort_on_overflow)) {
        tcp_reply_rst(tcp, id, seg);
    }
    enum hf_verdict verdict = full ? HF_V_DROP_ACCEPT_FULL : HF_V_DROP_COOKIE;
    tcp_trace_end(tcp, NULL, verdict);
    return verdict;
}

/* RFC4987-10: any segment that acknowledges our SYN opens the connection, text and all. */
enum hf_verdict tcp_arrives_cookie(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                                   struct segment *seg)
{
    struct tcb scratch;
    tcp_trace_begin(tcp, NULL, HF_TRACE_IN, HF_CAUSE_NONE);
    tcp->before.state_before = HF_LISTEN;
    if (!tcp_cookie_read(tcp, listener_idx, id, seg, &scratch)) {
        return refuse(tcp, listener_at(tcp, listener_idx), id, seg);
    }
    seg->wnd <<= scratch.snd_wscale;
    tcp_trace_segment(tcp, id, seg);
    struct tcb *tcb = tcp_promote(tcp, listener_idx, id, &scratch);
    if (tcb == NULL) {
        tcp_trace_end(tcp, NULL, HF_V_DROP_ACCEPT_FULL);
        if (tcp->b->policy.abort_on_overflow) {
            tcp_reply_rst(tcp, id, seg);
        }
        return HF_V_DROP_ACCEPT_FULL;
    }
    tcp->b->opened_passive++;
    seg->opt.ts_ecr = 0; /* its lower bits are no time: no RTT sample */
    return tcp_arrives_promoted(tcp, tcb, seg, HF_V_COOKIE_ACCEPTED);
}
