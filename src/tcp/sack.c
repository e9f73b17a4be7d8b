/* sack.c - RFC 2018 and RFC 2883: what the peer says it holds, and what it had twice; RFC 6675
 * section 4: which of the rest is lost, where policy prefers that to RFC 8985.
 *
 * The scoreboard is in the records of sent.c.  RFC 6675's functions in octets: IsLost() is "below
 * lost_edge", SetPipe() is tcp_sent_pipe, NextSeg() is tcp_recovery_next and tcp_sack_next.
 */
#include "tcp/congestion.h"

/* RFC2883-6, RFC2883-7: judged by the ACK field beside it, since ACKs may overtake each other. */
bool tcp_sack_is_dsack(const struct segment *seg)
{
    const struct sack_block *first = &seg->opt.sack[0];
    const struct sack_block *second = &seg->opt.sack[1];
    if (seg->opt.n_sack == 0 || seq_geq(first->left, first->right)) {
        return false;
    }
    return seq_lt(first->left, seg->ack) ||
           (seg->opt.n_sack > 1 && seq_geq(first->left, second->left) &&
            seq_leq(first->right, second->right));
}

/* One of our repetitions was for nothing - if there was any, and it may have been in flight. */
static bool take_dsack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (!tcp_sack_is_dsack(seg)) {
        return false;
    }
    const struct sack_block *first = &seg->opt.sack[0];
    if (tally_of(tcp, tcb)->retransmitted && seq_leq(first->right, tcb->snd.nxt) &&
        seq_geq(first->left, seq_sub(tcb->snd.una, tcb->max_snd_wnd))) {
        tcp->news.dsack = true;
        tcp->news.dsack_left = first->left;
        tcp->news.dsack_right = first->right;
    }
    return true;
}

/* RFC2018-20: blocks that are not within SND.UNA .. SND.NXT are old, or nonsense. */
static bool is_news(const struct tcb *tcb, const struct sack_block *block)
{
    return seq_lt(block->left, block->right) && seq_gt(block->left, tcb->snd.una) &&
           seq_leq(block->right, tcb->snd.nxt);
}

/* RFC6675-10.  In ascending order, so that one ACK for several does not look like reordering.
 * RFC2018-10 */
void tcp_sack_update(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL || !(tcb->flags & F_SACK) || !(seg->opt.present & OPT_SACK)) {
        return;
    }
    unsigned done = take_dsack(tcp, tcb, seg) ? 1 : 0; /* bits of blocks */
    for (;;) {
        unsigned next = seg->opt.n_sack;
        for (unsigned i = 0; i < seg->opt.n_sack; i++) {
            const struct sack_block *block = &seg->opt.sack[i];
            if (!(done & 1u << i) && is_news(tcb, block) &&
                (next == seg->opt.n_sack || seq_lt(block->left, seg->opt.sack[next].left))) {
                next = i;
            }
        }
        if (next == seg->opt.n_sack) {
            return;
        }
        done |= 1u << next;
        tcp_sent_sacked(tcp, tcb, seg->opt.sack[next].left, seg->opt.sack[next].right);
    }
}

/* Nothing was SACKed beyond RACK.fack, but what it stands for may have been forgotten since. */
static uint32_t highest_sacked(const struct tcp *tcp, const struct active *active)
{
    bool any = active->sum[SUM_SACKED].bytes != 0;
    uint32_t idx = any ? tcp_sent_find(tcp, active, seq_sub(active->rack_fack, 1)) : 0;
    while (idx && !(sent_at(tcp, idx)->flags & SENT_SACKED)) {
        idx = sent_at(tcp, idx)->prev;
    }
    return idx;
}

seq_t tcp_sack_high(const struct tcp *tcp, const struct tcb *tcb, const struct active *active)
{
    uint32_t idx = highest_sacked(tcp, active);
    return idx ? sent_at(tcp, idx)->right : tcb->snd.una;
}

/* IsLost(), RFC6675-3: DupThresh separate stretches above it, or more than (DupThresh - 1) * SMSS
 * octets. */
static seq_t lost_edge(const struct tcp *tcp, const struct tcb *tcb, const struct active *active)
{
    uint32_t thresh = tcp->b->policy.dupthresh;
    uint32_t enough = (thresh - 1) * smss(tcb);
    uint32_t n = 0;
    uint32_t bytes = 0;
    bool within = false;
    uint32_t idx = highest_sacked(tcp, active);
    for (; idx != 0; idx = sent_at(tcp, idx)->prev) {
        const struct sent *sent = sent_at(tcp, idx);
        bool sacked = sent->flags & SENT_SACKED;
        n += sacked && !within ? 1 : 0;
        bytes += sacked ? seq_len(sent->left, sent->right) : 0;
        within = sacked;
        if (n >= thresh || bytes > enough) {
            return sent->left;
        }
    }
    return tcb->snd.una;
}

/* Where that begins which may be neither SACKed nor lost. */
static uint32_t first_in_doubt(const struct tcp *tcp, const struct active *active)
{
    return tcp_sent_find(tcp, active, active->lost_to);
}

/* RFC6675-1 */
void tcp_sack_lose(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    seq_t edge = lost_edge(tcp, tcb, active);
    uint32_t start = first_in_doubt(tcp, active);
    active->lost_to = seq_max(active->lost_to, edge);
    for (uint32_t idx = start; idx != 0; idx = sent_at(tcp, idx)->next) {
        const struct sent *sent = sent_at(tcp, idx);
        if (seq_geq(sent->left, edge)) {
            return;
        }
        if ((sent->flags & (SENT_SACKED | SENT_LOST)) == 0) {
            uint32_t prev = sent->prev;
            tcp_sent_lose(tcp, tcb, idx);
            idx = prev ? prev : active->sent_first;
        }
    }
}

/* NextSeg() (2): new text that a full segment could carry comes before (3) and (4).  RFC6675-6 */
static bool new_text_waits(const struct tcb *tcb, const struct active *active)
{
    uint32_t flight = seq_len(tcb->snd.una, tcb->snd.nxt);
    uint32_t window = tcb->snd.wnd > flight ? tcb->snd.wnd - flight : 0;
    uint32_t unsent = active->sq_bytes > flight ? active->sq_bytes - flight : 0;
    return min_u32(window, unsent) >= smss(tcb);
}

/* NextSeg() (3), RFC6675-7: not lost yet, below the highest SACKed octet, not sent again. */
static uint32_t next_in_doubt(const struct tcp *tcp, const struct tcb *tcb,
                              const struct active *active, seq_t *at)
{
    seq_t high = tcp_sack_high(tcp, tcb, active);
    uint32_t idx = first_in_doubt(tcp, active);
    for (; idx != 0; idx = sent_at(tcp, idx)->next) {
        const struct sent *sent = sent_at(tcp, idx);
        if (seq_geq(sent->left, high)) {
            return 0;
        }
        if ((sent->flags & (SENT_SACKED | SENT_LOST | SENT_AGAIN)) == 0) {
            *at = sent->left;
            return min_u32(seq_len(sent->left, sent->right), min_u32(sent->mss, smss(tcb)));
        }
    }
    return 0;
}

/* NextSeg() (4), RFC6675-8, once an entry: the last outstanding octets, for an ACK that tells
 * more. */
static uint32_t rescue(const struct tcp *tcp, const struct tcb *tcb, struct active *active,
                       seq_t *at)
{
    if (!seq_gt(tcb->snd.una, active->rescue) ||
        (sent_at(tcp, active->sent_last)->flags & SENT_SACKED)) {
        return 0;
    }
    active->rescued = 1;
    return min_u32(tcp_tlp_segment(tcp, tcb, active, at), smss(tcb));
}

uint32_t tcp_sack_next(const struct tcp *tcp, const struct tcb *tcb, seq_t *at)
{
    struct active *active = active_of(tcp, tcb);
    if (active->recovery != RECOVERY_FAST || tcp_sent_pipe(active) + smss(tcb) > tcb->cwnd ||
        new_text_waits(tcb, active)) {
        return 0;
    }
    uint32_t len = next_in_doubt(tcp, tcb, active, at);
    return len ? len : rescue(tcp, tcb, active, at);
}
