/* sent_tree.c - RFC 2018 section 5.1: which of the transmissions of sent.c holds a number.
 *
 * They stand in a list by number, and in a tree (seq_tree.h), so that an ACK costs the logarithm of
 * what is kept, whatever blocks a peer sends in whatever order (CVE-2019-11478).  Those lost and
 * still to be sent again stand in a second one, in which the first of these is found as fast, also
 * when what was sent again is lost once more.
 */
#include "tcp/recovery.h"

static struct seq_tree tree_of(const struct tcp *tcp, uint32_t branches)
{
    return (struct seq_tree){&tcp->b->sents, tcp->block, secret_of(tcp)->table.k0, branches,
                             offsetof(struct sent, left)};
}

static struct seq_tree all(const struct tcp *tcp)
{
    return tree_of(tcp, offsetof(struct sent, all));
}

static struct seq_tree lost(const struct tcp *tcp)
{
    return tree_of(tcp, offsetof(struct sent, lost));
}

void tcp_sent_tree_add(struct tcp *tcp, struct active *active, uint32_t idx)
{
    struct seq_tree tree = all(tcp);
    seq_tree_add(&tree, &active->sent_root, idx);
}

void tcp_sent_tree_remove(struct tcp *tcp, struct active *active, uint32_t idx)
{
    struct seq_tree tree = all(tcp);
    seq_tree_remove(&tree, &active->sent_root, idx);
}

void tcp_sent_lost_add(struct tcp *tcp, struct active *active, uint32_t idx)
{
    struct seq_tree tree = lost(tcp);
    seq_tree_add(&tree, &active->sent_lost, idx);
}

void tcp_sent_lost_remove(struct tcp *tcp, struct active *active, uint32_t idx)
{
    struct seq_tree tree = lost(tcp);
    seq_tree_remove(&tree, &active->sent_lost, idx);
}

/* RFC2018-11 */
uint32_t tcp_sent_next_lost(const struct tcp *tcp, const struct active *active)
{
    struct seq_tree tree = lost(tcp);
    return seq_tree_first(&tree, active->sent_lost);
}

uint32_t tcp_sent_find(const struct tcp *tcp, const struct active *active, seq_t at)
{
    struct seq_tree tree = all(tcp);
    return seq_tree_find(&tree, active->sent_root, at);
}
