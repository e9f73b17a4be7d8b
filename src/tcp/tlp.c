/* tlp.c - RFC 8985 section 7: TLP, a probe where the end of a flight may be lost.
 *
 * Two round trips after the last new text, sooner than any retransmission timeout, one segment goes
 * out: new text if there is any, beyond cwnd if need be, else the last segment once more.  Its ACK
 * tells RACK what else is missing; when nothing is, section 7.4.2 tells whether the probe itself
 * has repaired a loss.  RFC8985-27
 */
#include "tcp/congestion.h"

enum { NO_RTT_MS = 1000, MAX_ACK_DELAY_MS = 200, SLACK_MS = 2 };

void tcp_tlp_reset(struct active *active)
{
    active->tlp_out = active->tlp_again = 0; /* RFC8985-18 */
    active->probe = PROBE_NONE;
}

void tcp_tlp_detach(struct tcb *tcb, const struct active *active)
{
    tcb->modes |= active->tlp_out && active->tlp_again ? M_PROBE_OPEN : 0;
}

void tcp_tlp_attach(struct tcb *tcb, struct active *active)
{
    if (tcb->modes & M_PROBE_OPEN) {
        tcb->modes &= ~(uint32_t)M_PROBE_OPEN;
        active->tlp_out = active->tlp_again = 1;
        active->tlp_end = tcb->snd.una;
    }
}

/* RFC8985-30, while there is no record: a DSACK or a duplicate without SACK. */
void tcp_tlp_on_idle_ack(struct tcb *tcb, const struct segment *seg)
{
    bool tells = !(seg->opt.present & OPT_SACK) ||
                 (tcp_sack_is_dsack(seg) && seq_eq(seg->opt.sack[0].right, tcb->snd.una));
    if (seg->text_len == 0 && tells && seq_eq(seg->ack, tcb->snd.una)) {
        tcb->modes &= ~(uint32_t)M_PROBE_OPEN;
    }
}

/* RFC8985-19, RFC8985-37: not in recovery, not while anything is SACKed.  RFC8985-21: nor for a
 * second probe - a PTO that is not to probe would have nothing but the RTO to arm. */
static bool may_arm(const struct tcp *tcp, const struct tcb *tcb, const struct active *active)
{
    return tcp->b->policy.tlp && tcp_rack_used(tcp, tcb) && active->recovery < RECOVERY_FAST &&
           active->sum[SUM_SACKED].bytes == 0 && active->sent_first != 0 &&
           tcb->state >= HF_ESTABLISHED && !active->tlp_out && !(tcb->modes & M_PROBED);
}

/* TLP_calc_PTO, RFC8985-20.  rto_left_ms: until the retransmission timer would fire. */
static uint32_t probe_timeout_ms(const struct tcb *tcb, const struct active *active,
                                 uint32_t rto_left_ms)
{
    uint32_t pto_ms = NO_RTT_MS;
    if (tcb->srtt_us) {
        bool one = active->sum[SUM_OUT].segs <= 1;
        pto_ms = (2 * tcb->srtt_us + 999) / 1000 + (one ? MAX_ACK_DELAY_MS : SLACK_MS);
    }
    return min_u32(pto_ms, rto_left_ms);
}

bool tcp_tlp_arm(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (!may_arm(tcp, tcb, active)) {
        return false;
    }
    uint32_t pto_ms = probe_timeout_ms(tcb, active, tcp_rto_left_ms(tcp, tcb));
    active->timer = TIMER_TLP;
    active->rto_at_ms = ms_after(tcp->now_ms, pto_ms);
    return true;
}

/* TLP_send_probe, RFC8985-22: what is sent is output's choice of words, and the RTO is
 * armed in any case (RFC8985-26): it counts from a probe, or goes on as if there had been no PTO.
 */
void tcp_tlp_timeout(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (!may_arm(tcp, tcb, active)) {
        tcp_rto_resume(tcp, tcb); /* RFC6298-13: else each new text would put it off */
        return;
    }
    tcp_rto_restart(tcp, tcb);
    active->probe = tcp_new_text_fits(tcp, tcb) ? PROBE_NEW : PROBE_REPEAT;
    tcp_owe(tcp, tcb, active->probe == PROBE_NEW ? HF_OWES_DATA : HF_OWES_REPEAT);
}

/* The probe has left. */
void tcp_tlp_sent(struct tcb *tcb, struct active *active)
{
    active->tlp_out = 1;
    active->tlp_again = active->probe == PROBE_REPEAT;
    active->tlp_end = tcb->snd.nxt;
    active->probe = PROBE_NONE;
    tcb->modes |= M_PROBED; /* until there is a round-trip sample */
}

/* RFC8985-24: the last segment, with the FIN that may be behind it. */
uint32_t tcp_tlp_segment(const struct tcp *tcp, const struct tcb *tcb, const struct active *active,
                         seq_t *at)
{
    const struct sent *last = sent_at(tcp, active->sent_last);
    uint32_t before = (tcp_sent_segments(tcb, last, last->right) - 1) * last->mss;
    *at = seq_add(last->left, before);
    return seq_len(*at, last->right);
}

/* RFC8985-28, RFC8985-29: a loss was repaired, and congestion control hears of it. */
static void repaired(struct tcp *tcp, struct tcb *tcb)
{
    tcp_recovery_enter_cwr(tcp, tcb, CC_LOSS);
    tcp_recovery_end_cwr(tcp, tcb);
}

/* TLP_process_ack, RFC8985-30. */
void tcp_tlp_on_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg, bool duplicate)
{
    struct active *active = active_of(tcp, tcb);
    const struct ack_news *news = &tcp->news;
    if (!active->tlp_out || seq_lt(seg->ack, active->tlp_end)) {
        return;
    }
    bool echo = news->dsack && seq_eq(news->dsack_right, active->tlp_end);
    if (!active->tlp_again || echo) {
        tcp_tlp_reset(active);
    } else if (seq_gt(seg->ack, active->tlp_end)) {
        tcp_tlp_reset(active);
        repaired(tcp, tcb);
    } else if (duplicate && !(seg->opt.present & OPT_SACK)) {
        tcp_tlp_reset(active);
    }
}
