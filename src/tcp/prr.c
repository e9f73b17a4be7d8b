/* prr.c - RFC 9937 (RFC 6937): how much may be sent for each ACK while cwnd comes down.
 *
 *     inflight > ssthresh:  in proportion, ssthresh octets out for RecoverFS delivered
 *     else:                 what was delivered, and one segment more for an ACK that shows progress
 *                           and no further loss (SafeACK), up to ssthresh: RFC9937-12
 *
 * The text of RFC 9937 was not at hand: this follows its algorithm as implementations and the draft
 * tell it, and RFC 6937.  cwnd is inflight + SndCnt after each ACK, ssthresh in the end.
 */
#include "tcp/congestion.h"

/* RFC9937-1, RFC9937-2: what the ACK that begins it delivers is counted in RecoverFS, what was
 * SACKed before is not. */
void tcp_prr_begin(const struct tcp *tcp, const struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    const struct ack_news *news = &tcp->news;
    uint32_t flight = seq_len(tcb->snd.una, tcb->snd.nxt) - active->sum[SUM_SACKED].bytes;
    active->prr_delivered = active->prr_out = 0;
    active->prr_flight = max_u32(flight + news->acked + news->sacked, 1);
}

/* One ACK, or the reordering timer (which delivers nothing, but may begin recovery): SndCnt. */
void tcp_prr_on_ack(const struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    const struct ack_news *news = &tcp->news;
    uint32_t mss = smss(tcb);
    bool begins = active->prr_out == 0 && active->recovery == RECOVERY_FAST;
    if (news->delivered == 0 && !begins) {
        return; /* RFC9937-4 */
    }
    active->prr_delivered += news->delivered; /* RFC9937-3 */
    uint32_t inflight = tcp_sent_pipe(active);
    uint64_t sndcnt;
    if (inflight > tcb->ssthresh) { /* RFC9937-5 */
        uint64_t due = (uint64_t)active->prr_delivered * tcb->ssthresh;
        due = (due + active->prr_flight - 1) / active->prr_flight;
        sndcnt = due > active->prr_out ? due - active->prr_out : 0;
    } else { /* RFC9937-6, RFC9937-7, RFC9937-8 */
        uint32_t more =
            active->prr_delivered > active->prr_out ? active->prr_delivered - active->prr_out : 0;
        sndcnt = max_u32(more, news->delivered);
        sndcnt += news->acked && news->lost == 0 ? mss : 0;
        sndcnt = min_u64(sndcnt, tcb->ssthresh - inflight);
    }
    if (begins || inflight == 0) { /* RFC9937-9: the fast retransmission goes in any case, and what
                                      alone would bring another ACK                             */
        sndcnt = max_u64(sndcnt, mss);
    }
    tcb->cwnd = (uint32_t)min_u64(inflight + sndcnt, UINT32_MAX); /* RFC9937-10 */
}

void tcp_prr_sent(struct active *active, uint32_t bytes)
{
    active->prr_out += bytes;
}
