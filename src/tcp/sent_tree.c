/* sent_tree.c - RFC 2018 section 5.1: which of the transmissions of sent.c holds a number.
 *
 * They stand in a list by number, and here in a tree, which is a heap as well, by priorities that
 * no peer can know (a treap: Seidel and Aragon 1996).  So it is about 2 ln n deep whatever blocks a
 * peer sends in whatever order, and an ACK costs the logarithm of what is kept (CVE-2019-11478).
 */
#include "tcp/recovery.h"

static uint32_t priority(const struct tcp *tcp, uint32_t idx)
{
    uint64_t x = (idx ^ secret_of(tcp)->table.k0) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(x >> 32);
}

/* The tree of all, or that of those lost and still to be sent again, in which the first of these is
 * found as fast, also when what was sent again is lost once more. */
enum tree { ALL, LOST };

static inline uint32_t *branch(struct sent *node, enum tree tree, bool lower)
{
    struct sent_branches *both = tree == ALL ? &node->all : &node->lost;
    return lower ? &both->lower : &both->higher;
}

/* Below the nodes that come before it as a heap; what it displaces is parted into what lies below
 * and above it. */
static inline void add(const struct tcp *tcp, uint32_t *root, uint32_t idx, enum tree tree)
{
    struct sent *sent = sent_at(tcp, idx);
    uint32_t rank = priority(tcp, idx);
    uint32_t *link = root;
    while (*link && priority(tcp, *link) >= rank) {
        struct sent *node = sent_at(tcp, *link);
        link = branch(node, tree, seq_lt(sent->left, node->left));
    }
    uint32_t rest = *link;
    uint32_t *lower = branch(sent, tree, true);
    uint32_t *higher = branch(sent, tree, false);
    *link = idx;
    while (rest) {
        struct sent *node = sent_at(tcp, rest);
        bool below = seq_lt(node->left, sent->left);
        uint32_t **end = below ? &lower : &higher;
        **end = rest;
        *end = branch(node, tree, !below);
        rest = **end;
    }
    *lower = *higher = 0;
}

/* Its two subtrees become one in its place. */
static inline void take_out(const struct tcp *tcp, uint32_t *root, uint32_t idx, enum tree tree)
{
    struct sent *sent = sent_at(tcp, idx);
    uint32_t low = *branch(sent, tree, true);
    uint32_t high = *branch(sent, tree, false);
    uint32_t *link = root;
    while (*link != idx) {
        struct sent *node = sent_at(tcp, *link);
        link = branch(node, tree, seq_lt(sent->left, node->left));
    }
    while (low && high) {
        bool low_first = priority(tcp, low) >= priority(tcp, high);
        uint32_t *next = low_first ? &low : &high;
        *link = *next;
        link = branch(sent_at(tcp, *next), tree, !low_first);
        *next = *link;
    }
    *link = low ? low : high;
}

void tcp_sent_tree_add(struct tcp *tcp, struct active *active, uint32_t idx)
{
    add(tcp, &active->sent_root, idx, ALL);
}

void tcp_sent_tree_remove(struct tcp *tcp, struct active *active, uint32_t idx)
{
    take_out(tcp, &active->sent_root, idx, ALL);
}

void tcp_sent_lost_add(struct tcp *tcp, struct active *active, uint32_t idx)
{
    add(tcp, &active->sent_lost, idx, LOST);
}

void tcp_sent_lost_remove(struct tcp *tcp, struct active *active, uint32_t idx)
{
    take_out(tcp, &active->sent_lost, idx, LOST);
}

/* RFC2018-11 */
uint32_t tcp_sent_next_lost(const struct tcp *tcp, const struct active *active)
{
    uint32_t idx = active->sent_lost;
    while (idx && sent_at(tcp, idx)->lost.lower) {
        idx = sent_at(tcp, idx)->lost.lower;
    }
    return idx;
}

uint32_t tcp_sent_find(const struct tcp *tcp, const struct active *active, seq_t at)
{
    uint32_t found = 0;
    uint32_t idx = active->sent_root;
    while (idx) {
        const struct sent *node = sent_at(tcp, idx);
        bool beyond = seq_gt(node->left, at);
        found = beyond ? found : idx;
        idx = beyond ? node->all.lower : node->all.higher;
    }
    return found;
}
