/* user_timeout.c - RFC 5482: how long text may stay unacknowledged, told to the peer and by it.
 *
 * USER_TIMEOUT is extra->user_timeout_ms; ADV_UTO is extra->adv_timeout_ms, and ENABLED means that
 * it is not 0.  CHANGEABLE ends when the application sets USER_TIMEOUT itself (RFC5482-1), until it
 * sets 0.  The option is sent with the SYN, with the first segment behind it, and with the next one
 * after each change (RFC5482-3, RFC5482-4); it may be lost, and nothing depends on it (RFC5482-12).
 */
#include "tcp/tcp.h"

enum { MINUTES = 0x8000, VALUE = 0x7fff };

/* RFC5482-14: a bit for minutes, and fifteen bits. */
uint16_t tcp_user_timeout_option(uint32_t ms)
{
    uint32_t seconds = max_u32(ms / 1000, 1);
    return (uint16_t)(seconds <= VALUE ? seconds : MINUTES | min_u32(seconds / 60, VALUE));
}

static uint32_t option_ms(uint16_t option)
{
    uint32_t value = option & VALUE;
    return (uint32_t)min_u64((uint64_t)value * (option & MINUTES ? 60000 : 1000), INT32_MAX);
}

/* Section 3.1: USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)), and L_LIMIT is above
 * the RTO (RFC5482-6, RFC5482-9, RFC5482-10,
 * RFC5482-11, RFC5482-17). */
static uint32_t adopted_ms(const struct tcp *tcp, const struct tcb *tcb, const struct extra *extra)
{
    const struct hf_policy *policy = &tcp->b->policy;
    uint32_t least = max_u32(policy->user_timeout_least_ms, tcp_rto_ms(tcp, tcb) + 1);
    uint32_t wanted = max_u32(max_u32(extra->adv_timeout_ms, extra->peer_timeout_ms), least);
    return min_u32(wanted, max_u32(policy->user_timeout_most_ms, least));
}

/* RFC5482-7: not where the application has set it. */
static void adopt(struct tcp *tcp, struct tcb *tcb, struct extra *extra, uint32_t ms)
{
    if (!extra->timeout_set && ms != extra->user_timeout_ms) {
        extra->user_timeout_ms = ms;
        tcb->modes |= M_TELL_TIMEOUT;
        tcp_keepalive_start(tcp, tcb);
    }
}

/* The application's own is taken back: the peer's wish, if there is one, counts again. */
void tcp_user_timeout_changeable(struct tcp *tcp, struct tcb *tcb)
{
    struct extra *extra = tcb->extra ? tcp_own_extra(tcp, &tcb->extra) : NULL;
    if (extra && extra->adv_timeout_ms == 0) {
        adopt(tcp, tcb, extra, 0);
    } else if (extra && extra->peer_timeout_ms) {
        adopt(tcp, tcb, extra, adopted_ms(tcp, tcb, extra));
    }
}

/* ADV_UTO is another one: what was adopted follows it, and ends with it. */
void tcp_user_timeout_advertised(struct tcp *tcp, struct tcb *tcb)
{
    tcp_user_timeout_changeable(tcp, tcb);
    if (tcp_extra(tcp, tcb->extra)->adv_timeout_ms && tcp_synchronized(tcb)) {
        tcb->modes |= M_TELL_TIMEOUT;
    }
}

/* An acceptable segment's option, in a synchronised state (RFC5482-13).  Without ADV_UTO it is
 * ignored (RFC5482-2, RFC5482-5), and so is the reserved value 0 (RFC5482-15). */
void tcp_take_user_timeout(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (!(seg->opt.present & OPT_UTO) || tcp_extra(tcp, tcb->extra)->adv_timeout_ms == 0 ||
        (seg->opt.uto & VALUE) == 0) {
        return;
    }
    struct extra *extra = tcp_own_extra(tcp, &tcb->extra);
    extra->peer_timeout_ms = option_ms(seg->opt.uto); /* RFC5482-8: told by hf_status */
    adopt(tcp, tcb, extra, adopted_ms(tcp, tcb, extra));
}

/* RFC 5482 3: with SYN or SYN,ACK, and with what goes out once there is news: ADV_UTO, or what was
 * adopted, if that is longer.  What the application waits for itself is its own affair. */
void tcp_fill_user_timeout(const struct tcp *tcp, const struct tcb *tcb, struct segment *seg)
{
    const struct extra *extra = tcp_extra(tcp, tcb->extra);
    bool syn = seg->ctl & SYN;
    if (extra->adv_timeout_ms && (syn || (tcb->modes & M_TELL_TIMEOUT))) {
        uint32_t adopted = extra->timeout_set ? 0 : extra->user_timeout_ms;
        seg->opt.present |= OPT_UTO;
        seg->opt.uto = tcp_user_timeout_option(max_u32(adopted, extra->adv_timeout_ms));
    }
}

/* Told, now that it goes: a segment that finds no window is begun, and given up. */
void tcp_user_timeout_sent(struct tcb *tcb, const struct segment *seg)
{
    if (!(seg->ctl & SYN) && (seg->opt.present & OPT_UTO)) {
        tcb->modes &= ~(uint32_t)M_TELL_TIMEOUT;
    }
}
