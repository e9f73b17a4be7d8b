/* reply.c - RFC 9293 sections 3.5.2 and 3.10.7.1: segments that go out without a record.
 *
 * Resets in answer to what belongs nowhere, the reset of a connection that is no more, and the
 * SYN,ACK or ACK that a compact record owes.  They wait in a ring; when it is full they are dropped
 * and counted: whoever needs the answer will ask again.
 *
 * Resets for what belongs nowhere are limited, so that a flood of probes makes no flood of resets
 * (as RFC 5961 7 has it of challenge ACKs): each of sixteen groups of destinations has its share.
 * Which group, only the stack knows, and what a reset costs is random: nobody can count by his own
 * resets what others were sent.
 */
#include "tcp/ecn.h"

enum { RESET_UNIT = 1000, RESET_COST = 2 };

static struct tcp_reply *reply_at(const struct tcp *tcp, uint32_t n)
{
    struct tcp_reply *ring = (struct tcp_reply *)((uint8_t *)tcp->block + tcp->b->reply_offset);
    uint32_t place = tcp->b->reply_head + n, size = tcp->b->max_replies;
    return &ring[place < size ? place : place - size];
}

struct tcp_reply *tcp_new_reply(struct tcp *tcp, const struct conn_id *id)
{
    struct tcp_block *b = tcp->b;
    if (b->reply_n == b->max_replies) {
        b->replies_dropped++;
        return NULL;
    }
    struct tcp_reply *reply = reply_at(tcp, b->reply_n++);
    memset(reply, 0, sizeof *reply);
    memcpy(reply->local, id->local, 16);
    memcpy(reply->remote, id->remote, 16);
    reply->lport = id->lport;
    reply->rport = id->rport;
    reply->zone = id->zone;
    reply->ttl = b->policy.ttl;
    return reply;
}

static struct reset_group *reset_group_of(const struct tcp *tcp, const struct conn_id *id)
{
    const struct sip_key *key = &secret_of(tcp)->reset;
    uint64_t prefix = id->v4 ? get_be32(id->remote + 12) >> 8 : get_be64(id->remote);
    HF_COUNT(tcp->b->work.hashed, 1);
    return &tcp->b->resets[sip13_12(key, prefix, id->zone) % RESET_GROUPS];
}

/* A group's share of a second may be spent at once. */
static bool may_reset(struct tcp *tcp, const struct conn_id *id)
{
    uint32_t share = (tcp->b->policy.reset_rate + RESET_GROUPS - 1) / RESET_GROUPS * RESET_COST;
    if (share == 0) {
        return true;
    }
    struct reset_group *group = reset_group_of(tcp, id);
    uint64_t refilled = (uint64_t)(tcp->now_ms - group->at_ms) * share;
    group->spent -= (uint32_t)min_u64(group->spent, refilled);
    group->at_ms = tcp->now_ms;
    if (group->spent >= share * RESET_UNIT) {
        tcp->b->replies_dropped++;
        return false;
    }
    /* The last one is paid for later: else the cheap ones alone would get through. */
    group->spent += (1 + rng_below(&secret_of(tcp)->rng, 2 * RESET_COST - 1)) * RESET_UNIT;
    return true;
}

/* 3.10.7.1: <SEQ=SEG.ACK><CTL=RST>, or <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>; NULL: no room.
 * */
static struct tcp_reply *put_rst(struct tcp *tcp, const struct conn_id *id,
                                 const struct segment *seg)
{
    HF_ASSERT(!(seg->ctl & RST));
    struct tcp_reply *reply = tcp_new_reply(tcp, id);
    if (reply == NULL) {
        return NULL;
    }
    if (seg->ctl & ACK) {
        reply->seq = seg->ack;
        reply->ctl = RST;
    } else {
        reply->ack = seq_add(seg->seq, seg->len);
        reply->ctl = RST | ACK;
    }
    if (tcp->b->policy.rst_ts && (seg->opt.present & OPT_TS)) { /* RFC 7323 5.2 */
        reply->options = OPT_TS;
        /* RFC7323-41 */
        reply->ts_ecr = seg->opt.ts_val; /* TSval is zero */
    }
    return reply;
}

void tcp_reply_rst(struct tcp *tcp, const struct conn_id *id, const struct segment *seg)
{
    if (may_reset(tcp, id)) {
        put_rst(tcp, id, seg);
    }
}

/* RFC7323-22, RFC7323-42 */
static void put_timestamp(struct tcp *tcp, const struct tcb *tcb, struct tcp_reply *reply)
{
    if (tcb->flags & F_TS) {
        reply->options |= OPT_TS;
        reply->ts_val = tcp->now_ms + tcb->ts_offset;
        reply->ts_ecr = tcb->ts_recent;
    }
}

void tcp_reply_reset(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    struct conn_id id;
    tcp_id(tcp, tcb, &id);
    struct tcp_reply *reply = put_rst(tcp, &id, seg);
    if (reply) {
        reply->ttl = tcb->ttl;
        reply->tos = tcb->tos;
        if (tcb->state != HF_LISTEN) {
            put_timestamp(tcp, tcb, reply);
        }
    }
    tcb->flags |= F_RST_SENT;
}

/* MUST-34, 3.10.7.4 first: the peer takes ACK and RST only of what is in its window, which a probe
 * of an octet is not, nor what is out when it shrinks.  Where it shrinks by less than its scale
 * counts, it has rounded, and takes what is out. */
seq_t tcp_bare_seq(const struct tcp *tcp, const struct tcb *tcb)
{
    seq_t una = tcp_text_una(tcp, tcb);
    uint32_t out = seq_len(una, tcb->snd.nxt), wnd = tcb->snd.wnd;
    bool shrunk = out > wnd && (wnd == 0 || out - wnd >= 1u << tcb->snd_wscale);
    return shrunk ? seq_add(una, wnd) : tcb->snd.nxt;
}

/* 3.10.5 ABORT: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>. */
void tcp_reply_abort(struct tcp *tcp, struct tcb *tcb)
{
    struct conn_id id;
    tcp_id(tcp, tcb, &id);
    tcb->flags |= F_RST_SENT;
    struct tcp_reply *reply = tcp_new_reply(tcp, &id);
    if (reply == NULL) {
        return;
    }
    reply->ttl = tcb->ttl;
    reply->tos = tcb->tos;
    reply->seq = tcp_bare_seq(tcp, tcb);
    reply->ack = tcb->rcv.nxt;
    reply->ctl = RST | ACK;
    put_timestamp(tcp, tcb, reply);
}

/* RFC7323-4, RFC7323-5 */
static void put_syn_options(struct tcp *tcp, const struct tcb *scratch, const struct conn_id *id,
                            struct tcp_reply *reply)
{
    reply->options = OPT_MSS;
    uint16_t own = tcp->no_tally.max_segment;
    reply->mss = own ? own : UINT16_MAX; /* the path's MTU is known when it leaves */
    if (scratch->flags & F_WSCALE) {
        reply->options |= OPT_WSCALE;
        reply->wscale = scratch->rcv_wscale;
    }
    if (scratch->flags & F_SACK) {
        reply->options |= OPT_SACK_OK;
    }
    if (tcp->no_fast & FAST_OPTION) {
        struct tcp_options opt = {0};
        tcp_fast_open_cookie(tcp, scratch->listener, id, tcp->no_fast, &opt);
        tcp->no_fast = 0;
        reply->options |= (uint8_t)opt.present;
        memcpy(reply->fo_cookie, opt.fo_cookie, sizeof reply->fo_cookie);
    }
    reply->accecn = tcp_accecn_on_syn_ack(scratch);
    uint32_t timeout_ms = tcp_extra(tcp, scratch->extra)->adv_timeout_ms;
    if (timeout_ms) {
        reply->options |= OPT_UTO;
        reply->uto = tcp_user_timeout_option(timeout_ms);
    }
}

void tcp_reply_owed(struct tcp *tcp, struct tcb *scratch, const struct conn_id *id)
{
    bool syn = scratch->owes & HF_OWES_SYN;
    if (!syn && !(scratch->owes & HF_OWES_ACK)) {
        return;
    }
    scratch->owes = 0;
    struct tcp_reply *reply = tcp_new_reply(tcp, id);
    if (reply == NULL) {
        return;
    }
    reply->ttl = scratch->ttl;
    reply->tos = scratch->tos;
    reply->seq = syn ? scratch->iss : scratch->snd.nxt;
    reply->ack = scratch->rcv.nxt;
    const struct segment pure = {.ctl = ACK};
    uint16_t bits = syn ? tcp_ecn_syn(tcp, scratch, true) : tcp_ecn_ack(tcp, scratch, &pure);
    reply->ctl = (uint16_t)(ACK | (syn ? SYN : 0) | bits) & 0xfff;
    reply->state = scratch->state;
    uint32_t wnd = syn ? scratch->rcv.wnd : scratch->rcv.wnd >> scratch->rcv_wscale;
    reply->wnd = (uint16_t)min_u32(wnd, 65535);
    reply->wscale = scratch->rcv_wscale;
    if (syn) {
        put_syn_options(tcp, scratch, id, reply);
    }
    put_timestamp(tcp, scratch, reply);
}

const struct tcp_reply *tcp_peek_reply(const struct tcp *tcp)
{
    return tcp->b->reply_n ? reply_at(tcp, 0) : NULL;
}

static void pop_reply(struct tcp *tcp)
{
    HF_ASSERT(tcp->b->reply_n);
    uint32_t next = tcp->b->reply_head + 1;
    tcp->b->reply_head = next < tcp->b->max_replies ? next : 0;
    tcp->b->reply_n--;
}

void tcp_drop_reply(struct tcp *tcp)
{
    tcp->b->replies_dropped++;
    pop_reply(tcp);
}

/* What is sent of it over a path of this MTU. */
static void put_segment(const struct tcp_reply *reply, uint32_t mtu, struct segment *seg)
{
    *seg = (struct segment){
        .seq = reply->seq,
        .ack = reply->ack,
        .len = reply->ctl & SYN ? 1 : 0,
        .wnd = reply->wnd,
        .ctl = reply->ctl,
        .sport = reply->lport,
        .dport = reply->rport,
        .opt = {.present = reply->options,
                .mss = (uint16_t)min_u32(reply->mss, mtu),
                .wscale = reply->wscale,
                .uto = reply->uto,
                .ts_val = reply->ts_val,
                .ts_ecr = reply->ts_ecr,
                .fo_len = sizeof reply->fo_cookie},
    };
    memcpy(seg->opt.fo_cookie, reply->fo_cookie, sizeof reply->fo_cookie);
    if (reply->accecn) {
        tcp_accecn_fill_initial(&seg->opt);
    }
}

/* It leaves: no history has a segment without a record. */
static void tell(struct tcp *tcp, const struct tcp_out *out, uint8_t state)
{
    tcp_trace_begin(tcp, NULL, HF_TRACE_OUT, HF_CAUSE_NONE);
    tcp->before.state_before = state;
    struct segment told = out->seg;
    told.wnd <<= told.ctl & SYN ? 0 : told.opt.wscale; /* in octets */
    tcp_trace_segment(tcp, &out->id, &told);
    tcp_trace_end(tcp, NULL, HF_V_ACCEPTED);
}

bool tcp_next_reply(struct tcp *tcp, uint32_t mtu, struct tcp_out *out)
{
    const struct tcp_reply *reply = tcp_peek_reply(tcp);
    if (reply == NULL) {
        return false;
    }
    bool v4 = wire_is_v4(reply->remote);
    out->id = (struct conn_id){
        .lport = reply->lport, .rport = reply->rport, .zone = reply->zone, .v4 = v4};
    memcpy(out->id.local, reply->local, 16);
    memcpy(out->id.remote, reply->remote, 16);
    out->ttl = reply->ttl;
    out->tos = reply->tos;
    out->may_fragment = out->cut = false;
    out->gso_size = 0;
    out->text_len = out->n_slices = 0;
    put_segment(reply, mtu - (v4 ? 40 : 60), &out->seg);
    pop_reply(tcp);
    if (tcp->env->trace) {
        tell(tcp, out, reply->state);
    }
    tcp->b->segs_out++;
    return true;
}
