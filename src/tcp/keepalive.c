/* keepalive.c - RFC 9293 section 3.8.4: is an idle peer still there?
 *
 * Optional (MAY-5), off until the application asks for it (MUST-24, MUST-25).  An empty segment one
 * octet too old goes out when nothing came for the idle time and nothing of ours is on its way
 * (MUST-26, SHLD-12): whoever is there answers it (A.2).  Only when keep-alive count of them in a
 * row stay unanswered is the connection reset (MUST-29).  They are counted in tcb->retries, which
 * is text's as soon as there is any (tcp_begins_to_wait).  The deadline is tcb->long_at_ms; what
 * arrives does not move it: when it fires early, it is filed anew.
 */
#include "tcp/tcp.h"

static bool applies(const struct tcb *tcb)
{
    return (tcb->modes & M_KEEPALIVE) && !(tcb->flags & F_RELEASED) &&
           (tcb->state == HF_ESTABLISHED || tcb->state == HF_CLOSE_WAIT ||
            tcb->state == HF_FIN_WAIT_2);
}

/* Other timers ask the peer already, and count. */
static bool others_ask(const struct tcp *tcp, const struct tcb *tcb)
{
    return !seq_eq(tcb->snd.una, tcb->snd.nxt) || tcp_queued(tcp, tcb);
}

/* MUST-27; RFC 5482 4.2: longer than a user timeout that the peer asked for (RFC5482-16). */
static uint32_t idle_ms(const struct extra *extra)
{
    bool adopted = !extra->timeout_set && extra->user_timeout_ms >= extra->keep_idle_ms;
    return adopted ? extra->user_timeout_ms + 1000 : extra->keep_idle_ms;
}

static uint32_t silent_ms(struct tcp *tcp, const struct tcb *tcb)
{
    return tcp->now_ms - tally_of(tcp, tcb)->last_ack_ms;
}

/* The interval runs. */
static bool asked(const struct tcp *tcp, const struct tcb *tcb)
{
    return tcb->long_at_ms && tcb->retries && !others_ask(tcp, tcb);
}

void tcp_keepalive_sooner(struct tcp *tcp, struct tcb *tcb)
{
    if (applies(tcb) && asked(tcp, tcb)) {
        uint32_t interval_ms = tcp_extra(tcp, tcb->extra)->keep_interval_ms;
        tcb->long_at_ms = ms_earlier(tcb->long_at_ms, ms_after(tcp->now_ms, interval_ms));
    }
}

void tcp_keepalive_start(struct tcp *tcp, struct tcb *tcb)
{
    if (applies(tcb) && !asked(tcp, tcb)) {
        uint32_t idle = idle_ms(tcp_extra(tcp, tcb->extra));
        uint32_t silent = silent_ms(tcp, tcb);
        tcb->long_at_ms = ms_after(tcp->now_ms, idle > silent ? idle - silent : 1);
    }
}

void tcp_keepalive_set(struct tcp *tcp, struct tcb *tcb, bool on)
{
    if (applies(tcb) && !on) {
        tcb->long_at_ms = 0;
        tcb->retries = others_ask(tcp, tcb) ? tcb->retries : 0;
    }
    tcb->modes = on ? tcb->modes | M_KEEPALIVE : tcb->modes & ~(uint32_t)M_KEEPALIVE;
    tcp_keepalive_start(tcp, tcb);
}

/* Unanswered for too long: by count, or by the user's patience where there is one. */
static bool too_many(struct tcp *tcp, const struct tcb *tcb, const struct extra *extra)
{
    if (extra->user_timeout_ms) {
        return tcb->retries > 0 && silent_ms(tcp, tcb) >= extra->user_timeout_ms;
    }
    return tcb->retries >= extra->keep_count;
}

void tcp_keepalive_timeout(struct tcp *tcp, struct tcb *tcb)
{
    const struct extra *extra = tcp_extra(tcp, tcb->extra);
    tcb->long_at_ms = 0;
    if (!applies(tcb)) {
        return;
    }
    if (others_ask(tcp, tcb)) {
        tcb->long_at_ms = ms_after(tcp->now_ms, idle_ms(extra));
    } else if (silent_ms(tcp, tcb) < idle_ms(extra)) {
        tcp_keepalive_start(tcp, tcb);
    } else if (too_many(tcp, tcb, extra)) {
        tcp_reply_abort(tcp, tcb);
        tcp_finish(tcp, tcb, HF_ERR_TIMED_OUT, HF_TIMER_KEEPALIVE, HF_V_ACCEPTED);
    } else {
        tcb->retries += tcb->retries < UINT8_MAX ? 1 : 0;
        tcp_owe(tcp, tcb, OWES_PROBE);
        tcb->long_at_ms = ms_after(tcp->now_ms, extra->keep_interval_ms);
    }
}
