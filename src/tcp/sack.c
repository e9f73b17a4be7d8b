/* sack.c - RFC 2018, RFC 6675 section 4: the scoreboard, what the peer says it holds.
 *
 *     SND.UNA ......[=====]....[==]..............SND.NXT
 *              lost       not lost yet           active->sacked: struct range, ascending, apart
 *
 * RFC 6675's functions in octets: IsLost() is "below tcp_sack_lost_edge", SetPipe() is
 * tcp_sack_pipe; NextSeg() is in recovery.c.
 */
#include "tcp/tcp.h"

enum { SACKED_RANGES_MAX = 128 }; /* what exceeds them counts as not SACKed */

/* Marks left .. right, joining what touches it. */
static void mark(struct tcp *tcp, struct active *active, seq_t left, seq_t right)
{
    uint32_t *link = &active->sacked;
    while (*link && seq_lt(range_at(tcp, *link)->right, left)) {
        link = &range_at(tcp, *link)->next;
    }
    uint32_t idx = *link;
    if (idx == 0 || seq_gt(range_at(tcp, idx)->left, right)) {
        idx = active->sacked_n < SACKED_RANGES_MAX ? pool_alloc(&tcp->b->ranges, tcp->block) : 0;
        if (idx == 0) {
            return;
        }
        *range_at(tcp, idx) = (struct range){.next = *link, .left = left, .right = right};
        *link = idx;
        active->sacked_n++;
        active->sacked_bytes += seq_len(left, right);
        return;
    }
    struct range *range = range_at(tcp, idx);
    active->sacked_bytes -= seq_len(range->left, range->right);
    range->left = seq_min(range->left, left);
    range->right = seq_max(range->right, right);
    while (range->next && seq_leq(range_at(tcp, range->next)->left, range->right)) {
        uint32_t gone = range->next;
        const struct range *next = range_at(tcp, gone);
        active->sacked_bytes -= seq_len(next->left, next->right);
        range->right = seq_max(range->right, next->right);
        range->next = next->next;
        active->sacked_n--;
        pool_free(&tcp->b->ranges, tcp->block, gone);
    }
    active->sacked_bytes += seq_len(range->left, range->right);
}

/* Blocks that are not within SND.UNA .. SND.NXT are DSACKs (RFC 2883), old, or nonsense.
 * RFC2018-10, RFC2018-20 */
uint32_t tcp_sack_update(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL || !(tcb->flags & F_SACK) || !(seg->opt.present & OPT_SACK)) {
        return 0;
    }
    uint32_t before = active->sacked_bytes;
    for (unsigned i = 0; i < seg->opt.n_sack; i++) {
        const struct sack_block *block = &seg->opt.sack[i];
        if (seq_lt(block->left, block->right) && seq_gt(block->left, tcb->snd.una) &&
            seq_leq(block->right, tcb->snd.nxt)) {
            mark(tcp, active, block->left, block->right);
        }
    }
    return active->sacked_bytes - before;
}

static void drop_first(struct tcp *tcp, struct active *active)
{
    uint32_t idx = active->sacked;
    const struct range *range = range_at(tcp, idx);
    active->sacked_bytes -= seq_len(range->left, range->right);
    active->sacked = range->next;
    active->sacked_n--;
    pool_free(&tcp->b->ranges, tcp->block, idx);
}

void tcp_sack_forget_below(struct tcp *tcp, struct active *active, seq_t una)
{
    uint32_t before = active->sacked_bytes;
    while (active->sacked && seq_leq(range_at(tcp, active->sacked)->right, una)) {
        drop_first(tcp, active);
    }
    struct range *range = active->sacked ? range_at(tcp, active->sacked) : NULL;
    if (range && seq_lt(range->left, una)) {
        active->sacked_bytes -= seq_len(range->left, una);
        range->left = una;
    }
    active->counted += before - active->sacked_bytes;
}

void tcp_sack_clear(struct tcp *tcp, struct active *active)
{
    while (active->sacked) {
        drop_first(tcp, active);
    }
}

/* IsLost(): DupThresh separate ranges above it, or more than (DupThresh - 1) * SMSS octets. */
seq_t tcp_sack_lost_edge(const struct tcp *tcp, const struct tcb *tcb, const struct active *active)
{
    uint32_t thresh = tcp->b->policy.dupthresh;
    uint32_t enough = (thresh - 1) * tcb->snd_mss;
    uint32_t bytes = active->sacked_bytes;
    uint32_t n = active->sacked_n;
    seq_t edge = tcb->snd.una;
    for (uint32_t idx = active->sacked; idx != 0 && (n >= thresh || bytes > enough); n--) {
        const struct range *range = range_at(tcp, idx);
        edge = range->left;
        bytes -= seq_len(range->left, range->right);
        idx = range->next;
    }
    return edge;
}

seq_t tcp_sack_high(const struct tcp *tcp, const struct tcb *tcb, const struct active *active)
{
    seq_t high = tcb->snd.una;
    for (uint32_t idx = active->sacked; idx != 0; idx = range_at(tcp, idx)->next) {
        high = range_at(tcp, idx)->right;
    }
    return high;
}

/* Octets of left .. right that are not SACKed. */
static uint32_t unsacked(const struct tcp *tcp, const struct active *active, seq_t left,
                         seq_t right)
{
    if (seq_geq(left, right)) {
        return 0;
    }
    uint32_t n = seq_len(left, right);
    for (uint32_t idx = active->sacked; idx != 0; idx = range_at(tcp, idx)->next) {
        const struct range *range = range_at(tcp, idx);
        seq_t from = seq_max(range->left, left);
        seq_t to = seq_min(range->right, right);
        n -= seq_lt(from, to) ? seq_len(from, to) : 0;
    }
    return n;
}

/* SetPipe(): (a) what is not lost, (b) what was sent again.  After a timeout all that was out then
 * is taken for lost. */
uint32_t tcp_sack_pipe(const struct tcp *tcp, const struct tcb *tcb, const struct active *active)
{
    seq_t una = tcb->snd.una;
    if (active->sacked == 0 && active->recovery == RECOVERY_NONE) {
        return seq_len(una, tcb->snd.nxt);
    }
    seq_t edge = tcp_sack_lost_edge(tcp, tcb, active);
    if (active->recovery == RECOVERY_RTO) {
        edge = seq_max(edge, active->rto_nxt);
    }
    uint32_t pipe = unsacked(tcp, active, edge, tcb->snd.nxt);
    if (active->recovery != RECOVERY_NONE) {
        pipe += unsacked(tcp, active, una, active->rxt.at);
    }
    return pipe;
}

/* RFC2018-11 */
uint32_t tcp_sack_hole(const struct tcp *tcp, const struct tcb *tcb, const struct active *active,
                       seq_t from, seq_t *at)
{
    seq_t left = seq_max(from, tcb->snd.una);
    for (uint32_t idx = active->sacked; idx != 0; idx = range_at(tcp, idx)->next) {
        const struct range *range = range_at(tcp, idx);
        if (seq_lt(left, range->left)) {
            *at = left;
            return seq_len(left, range->left);
        }
        left = seq_max(left, range->right);
    }
    *at = left;
    return seq_lt(left, tcb->snd.nxt) ? seq_len(left, tcb->snd.nxt) : 0;
}
