/* pacing.c - segments of a window spread over the round trip instead of sent in bursts (RFC
 * 7661 4.4.2, RFC 9406 4.3, RFC 9438 have a use for it, none says how).
 *
 *     rate = cwnd / SRTT, twice that in slow start, 1.2 times it later; an octet a second at least,
 *     HF_MAX_PACING_RATE at most
 *
 * What has been sent moves pace_ns, the time that belongs to the next octet, on by its length over
 * the rate.  Something may go as long as pace_ns is no more than a tick (1 ms, the wheel's) ahead
 * of the clock, and no more than a tick that was not used is made up for: at 1 Gbit/s 125,000
 * octets go in a millisecond, at 1 Mbit/s a segment each 12 ms, and the mean is exact though the
 * timer is coarse.
 *
 * The first segment after a timeout does not wait: R2 counts how often it went again, so it must
 * have gone (RFC 6298 5.4, MUST-20).  It takes its time all the same: what follows waits for it,
 * too.
 *
 * It is off unless policy.pacing or HF_MAX_PACING_RATE ask for it: deployed stacks send a window at
 * once where no queueing discipline paces for them, and what checks them expects that.
 */
#include "tcp/congestion.h"

enum { TICK_NS = 1000000, SECOND_NS = 1000000000, CHUNKS_IN_SECOND = 1024, LEAST_CHUNK = 2 };

uint64_t tcp_pacing_rate(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t most = tcp_extra(tcp, tcb->extra)->max_pacing_rate;
    if (tcb->srtt_us == 0) {
        return most;
    }
    uint64_t rate = (uint64_t)tcb->cwnd * 1000000 / tcb->srtt_us;
    rate = tcb->cwnd < tcb->ssthresh / 2 ? rate * 2 : rate * 6 / 5;
    rate = max_u64(rate, 1);
    return most ? min_u64(rate, most) : rate;
}

bool tcp_is_paced(const struct tcp *tcp, const struct tcb *tcb)
{
    return (tcp->b->policy.pacing && tcb->srtt_us) ||
           (tcb->extra && tcp_extra(tcp, tcb->extra)->max_pacing_rate);
}

static bool after_timeout(const struct tcb *tcb, const struct active *active)
{
    return (tcb->owes & HF_OWES_REPEAT) && active->recovery == RECOVERY_RTO && active->resend;
}

/* How far the next octet's time lies ahead of the clock: no less than a tick behind it. */
static int64_t ahead_of_clock(const struct tcp *tcp, const struct active *active)
{
    int64_t ahead_ns = active->pace_ns - tcp->env->now_ns;
    return active->pace_ns == 0 || ahead_ns < -TICK_NS ? -TICK_NS : ahead_ns; /* 0: nothing went */
}

/* A deadline so much later, in whole ticks. */
static uint32_t after_ns(const struct tcp *tcp, int64_t ns)
{
    uint64_t ticks = ((uint64_t)ns + TICK_NS - 1) / TICK_NS;
    return ms_after(tcp->now_ms, (uint32_t)min_u64(ticks, INT32_MAX));
}

bool tcp_pace_waits(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL) {
        return false;
    }
    int64_t ahead_ns = ahead_of_clock(tcp, active);
    if (!tcp_is_paced(tcp, tcb) || ahead_ns <= TICK_NS || after_timeout(tcb, active)) {
        active->pace_at_ms = 0;
        return false;
    }
    active->pace_at_ms = after_ns(tcp, ahead_ns - TICK_NS); /* until it is one ahead */
    tcp_rearm(tcp, tcb);
    return true;
}

/* Nothing is under way, but what was sent last has not had its time yet: who sends a little at a
 * time would else be as fast as he likes.  The timer is set that lets the record go. */
bool tcp_pace_remembers(const struct tcp *tcp, const struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    int64_t left_ns = ahead_of_clock(tcp, active) + TICK_NS;
    bool more =
        !(tcb->flags & F_CLOSE) && (tcb->state == HF_ESTABLISHED || tcb->state == HF_CLOSE_WAIT);
    if (left_ns == 0 || !more || !tcp_is_paced(tcp, tcb)) {
        return false;
    }
    active->pace_at_ms = after_ns(tcp, left_ns);
    return true;
}

/* What a millisecond carries, two segments at least: as much in one frame. */
uint32_t tcp_pace_chunk(const struct tcp *tcp, const struct tcb *tcb, uint32_t mss, uint32_t most)
{
    if (!tcp_is_paced(tcp, tcb)) {
        return most;
    }
    uint64_t octets = tcp_pacing_rate(tcp, tcb) / CHUNKS_IN_SECOND;
    return (uint32_t)min_u64(max_u64(octets, LEAST_CHUNK * (uint64_t)mss), most);
}

/* As many octets are ahead as before, in another time. */
void tcp_pace_changed(const struct tcp *tcp, const struct tcb *tcb, uint64_t old_rate)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL) {
        return;
    }
    int64_t ahead_ns = ahead_of_clock(tcp, active);
    uint64_t rate = tcp_is_paced(tcp, tcb) ? tcp_pacing_rate(tcp, tcb) : 0;
    if (rate == 0 || old_rate == 0) {
        active->pace_ns = 0;
    } else if (ahead_ns > 0) {
        uint64_t ns = (uint64_t)ahead_ns;
        uint64_t octets = ns / SECOND_NS * old_rate + ns % SECOND_NS * old_rate / SECOND_NS;
        octets = min_u64(octets, UINT32_MAX);
        active->pace_ns = tcp->env->now_ns + (int64_t)(octets * SECOND_NS / rate);
    }
}

void tcp_pace_sent(struct tcp *tcp, struct tcb *tcb, uint32_t octets)
{
    struct active *active = active_of(tcp, tcb);
    if (active && octets && tcp_is_paced(tcp, tcb)) {
        uint64_t takes_ns = (uint64_t)octets * SECOND_NS / tcp_pacing_rate(tcp, tcb);
        int64_t ahead_ns = ahead_of_clock(tcp, active);
        active->pace_ns = tcp->env->now_ns + ahead_ns + (int64_t)takes_ns;
    }
}
