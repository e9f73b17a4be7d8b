/* syn_cookie.c - RFC 4987 section 3.6 and appendix A: connections that open without being kept.
 *
 * When there is no room for a half-open record, the SYN is answered all the same: our ISS says what
 * would have been kept, under a key, and the ACK that brings it back opens the connection.
 *
 *     ISS = F(addresses, ports) + IRS + (slot << 27) + low
 *     low = MAC(F, IRS, slot, data), 27 bits, the lowest of which are replaced by data
 *
 * F is one half of a hash whose other half is the offset of timestamps, and the MAC is of both.
 *
 * The slot, of cookie_slot_ms, grows with time, and so does ISS (Bernstein's rule, RFC4987-14).
 * Data is three bits, the MSS in a table.  With timestamps the lower six bits of our TSval say the
 * rest: window scale, SACK, ECN; without them four more bits of data do, the scale rounded down, so
 * that we see the window smaller than it is, and there is no ECN.
 *
 * A guessed ACK is believed once in 2^28 (without timestamps 2^24) tries, and only while the
 * listener has sent a cookie within two slots: else no hash is computed (RFC4987-7).  Text that
 * follows lost text brings the cookie back, too, beside another IRS: it is believed once in 2^24
 * (2^20) times.
 */
#include "tcp/ecn.h"

enum {
    DATA_MSS_BITS = 3,
    DATA_BITS = 7, /* without timestamps: and SACK, and a scale of the table */
    DATA_SACK = 1 << 3,
    DATA_SCALE_SHIFT = 4,
    SLOT_SHIFT = DATA_BITS + 1, /* in what the MAC is of: 24 bits of the slot, 31 years */
    LOW_BITS = 27,
    SLOTS_MASK = (1 << (32 - LOW_BITS)) - 1,
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
    int64_t slot_ns = (int64_t)tcp->b->policy.cookie_slot_ms * 1000000;
    return (uint32_t)div_down(tcp->env->now_ns, slot_ns);
}

/* What an attacker cannot compute, with data in its lowest bits.  stamped: of a cookie that goes
 * with timestamps. */
static uint32_t low_of(const struct tcp *tcp, struct tcp_offsets f, seq_t irs, uint32_t slot,
                       bool stamped, uint32_t data)
{
    HF_COUNT(tcp->b->work.hashed, 1);
    HF_COUNT(tcp->b->work.macs, 1);
    const struct sip_key *key = &secret_of(tcp)->cookie_mac;
    struct sip_state s = sip_start(key->k0, key->k1);
    sip_word(&s, (uint64_t)f.cookie << 32 | f.ts, 2);
    sip_word(&s, (uint64_t)irs.v << 32 | slot << SLOT_SHIFT | data << 1 | stamped, 2);
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

/* What a cookie says. */
struct terms {
    uint32_t flags; /* F_TS, F_SACK, F_WSCALE */
    uint32_t mss;   /* the peer's */
    uint32_t scale; /* of its window */
    bool ecn;
};

static uint32_t scale_index(const struct terms *terms)
{
    uint32_t i = 0;
    if (terms->flags & F_WSCALE) {
        i = ARRAY_LEN(scale_table) - 1;
        while (i > 1 && scale_table[i] > terms->scale) {
            i--;
        }
    }
    return i;
}

static uint32_t data_of(const struct terms *terms)
{
    uint32_t data = mss_index(terms->mss);
    if (!(terms->flags & F_TS)) {
        data |= terms->flags & F_SACK ? DATA_SACK : 0;
        data |= scale_index(terms) << DATA_SCALE_SHIFT;
    }
    return data;
}

/* The clock with lower bits that speak, never ahead of itself. */
static uint32_t stamp_of(const struct tcp *tcp, const struct terms *terms)
{
    uint32_t bits = terms->flags & F_WSCALE ? terms->scale : STAMP_NO_SCALE;
    bits |= terms->flags & F_SACK ? STAMP_SACK : 0;
    bits |= terms->ecn ? STAMP_ECN : 0;
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

/* May any of them still come back? */
static bool are_out(const struct tcp *tcp, struct listener *listener)
{
    uint32_t lasts_ms = 2 * tcp->b->policy.cookie_slot_ms;
    listener->cookies_out &= tcp->now_ms - listener->cookie_ms <= lasts_ms;
    return listener->cookies_out;
}

/* Our shift, which the peer goes by from the SYN,ACK on (RFC 7323 2.2): no cookie says it, so it
 * stays as long as any is out, whatever policy becomes. */
static uint8_t own_scale(const struct tcp *tcp, struct listener *listener)
{
    if (!are_out(tcp, listener)) {
        listener->cookie_wscale = tcp_receive_wscale(tcp);
    }
    return listener->cookie_wscale & 15;
}

/* The ISS; from now on ACKs may bring it back. */
static seq_t cookie_of(struct tcp *tcp, struct listener *listener, struct tcp_offsets f, seq_t irs,
                       const struct terms *terms)
{
    uint32_t slot = slot_now(tcp);
    uint32_t low = low_of(tcp, f, irs, slot, terms->flags & F_TS, data_of(terms));
    tcp_listener_promises(listener);
    listener->cookies_out = true;
    listener->cookie_ms = tcp->now_ms;
    return seq(f.cookie + irs.v + (slot << LOW_BITS) + low);
}

/* RFC4987-6: the SYN that scratch has taken is answered; nothing else of it stays. */
void tcp_cookie_send(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                     struct tcb *scratch)
{
    struct listener *listener = listener_at(tcp, listener_idx);
    struct tcp_offsets f = tcp_offsets(tcp, id);
    struct terms terms = {scratch->flags, scratch->peer_mss, scratch->snd_wscale,
                          scratch->modes & M_CLASSIC};
    uint8_t scale = own_scale(tcp, listener); /* chosen with the first, whatever its SYN has */
    scratch->rcv_wscale = scratch->flags & F_WSCALE ? scale & 15 : 0;
    scratch->iss = cookie_of(tcp, listener, f, scratch->irs, &terms);
    if (!(scratch->flags & F_TS)) {
        scratch->modes &= ~(uint32_t)M_CLASSIC; /* nothing would remember it */
    }
    scratch->ts_offset += stamp_of(tcp, &terms) - tcp->now_ms;
    tcp_set_state(scratch, HF_LISTEN);
    scratch->owes = HF_OWES_SYN;
    tcp_reply_owed(tcp, scratch, id);
}

bool tcp_cookie_answer(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                       const struct segment *seg)
{
    struct listener *listener = listener_at(tcp, listener_idx);
    if ((seg->ctl & ECN_BITS) || listener->extra) {
        return false;
    }
    struct tcp_reply *reply = tcp_new_reply(tcp, id);
    if (reply == NULL) {
        return true;
    }
    struct tcp_offsets f = tcp_offsets(tcp, id);
    uint32_t agreed = tcp_agreed(seg, tcp_offered_options(tcp));
    struct terms terms = {agreed, tcp_peer_mss(tcp, seg, !id->v4), min_u32(seg->opt.wscale, 14),
                          false};
    uint8_t scale = own_scale(tcp, listener);
    reply->seq = cookie_of(tcp, listener, f, seg->seq, &terms);
    reply->ack = seq_add(seg->seq, 1);
    reply->ctl = SYN | ACK;
    reply->state = HF_LISTEN;
    reply->wnd = (uint16_t)min_u32(listener->rcv_buf, 65535);
    reply->ttl = listener->ttl;
    reply->tos = listener->tos;
    reply->options = OPT_MSS;
    reply->mss = listener->max_segment ? listener->max_segment : UINT16_MAX;
    if (agreed & F_WSCALE) {
        reply->options |= OPT_WSCALE;
        reply->wscale = scale & 15;
    }
    reply->options |= agreed & F_SACK ? OPT_SACK_OK : 0;
    if (agreed & F_TS) {
        reply->options |= OPT_TS;
        reply->ts_val = f.ts + stamp_of(tcp, &terms);
        reply->ts_ecr = seg->opt.ts_val;
    }
    return true;
}

/* RFC4987-7: ruling 14.  Only then is it worth a hash. */
bool tcp_cookie_awaited(const struct tcp *tcp, struct listener *listener, const struct segment *seg)
{
    return (seg->ctl & (SYN | RST | ACK)) == ACK && are_out(tcp, listener);
}

/* The data of a cookie of this slot or the one before it; false: it is none of ours, or too old. */
static bool open_cookie(const struct tcp *tcp, const struct conn_id *id, seq_t irs, seq_t iss,
                        bool stamped, uint32_t *data)
{
    struct tcp_offsets f = tcp_offsets(tcp, id);
    uint32_t rest = iss.v - f.cookie - irs.v;
    uint32_t slot = slot_now(tcp);
    uint32_t age = (slot - (rest >> LOW_BITS)) & SLOTS_MASK;
    uint32_t low = rest & LOW_MASK;
    *data = low & data_mask(stamped);
    return age <= 1 && low == low_of(tcp, f, irs, slot - age, stamped, *data);
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
    scratch->rcv_wscale = scratch->flags & F_WSCALE ? listener->cookie_wscale & 15 : 0;
    scratch->snd_mss = scratch->rcv_mss = tcp_effective_mss(tcp, scratch);
    scratch->iss = scratch->snd.una = scratch->snd.wl2 = iss;
    scratch->snd.nxt = seg->ack;
    scratch->irs = scratch->snd.wl1 = irs;
    scratch->rcv.nxt = scratch->last_ack_sent = seg->seq;
    scratch->rcv.wnd = tcp_first_window(listener);
    tcp_set_state(scratch, HF_SYN_RECEIVED);
    return true;
}

/* No room for whom this cookie stands: it waits, until the peer sends again what follows its SYN.
 */
static void put_off(const struct tcp *tcp, struct listener *listener)
{
    listener->put_off = true;
    listener->put_off_ms = tcp->now_ms;
}

/* ... which it may do as long as the cookie is good. */
static bool somebody_waits(const struct tcp *tcp, struct listener *listener)
{
    uint32_t lasts_ms = 2 * tcp->b->policy.cookie_slot_ms;
    listener->put_off &= tcp->now_ms - listener->put_off_ms <= lasts_ms;
    return listener->put_off;
}

/* RFC4987-8: a wrong cookie is an ACK at a listener.  While somebody waits it gets no reset: it may
 * be of his, behind the segment that brought the cookie and was ignored.  What comes next from him
 * is the last segment, a loss probe (RFC 8985 7); all others come again in order. */
static enum hf_verdict refuse(struct tcp *tcp, struct listener *listener, const struct conn_id *id,
                              const struct segment *seg)
{
    const struct hf_policy *policy = &tcp->b->policy;
    bool full = somebody_waits(tcp, listener) || tcp_accept_full(listener) ||
                tcp->b->tcbs.used == tcp->b->tcbs.max;
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
        } else {
            put_off(tcp, listener_at(tcp, listener_idx));
        }
        return HF_V_DROP_ACCEPT_FULL;
    }
    tcp->b->opened_passive++;
    seg->opt.ts_ecr = 0; /* its lower bits are no time: no RTT sample */
    return tcp_arrives_promoted(tcp, tcb, seg, HF_V_COOKIE_ACCEPTED);
}
