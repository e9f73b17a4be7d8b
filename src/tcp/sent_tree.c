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

/* Below the nodes that come before it as a heap; what it displaces is parted into what lies below
 * and above it. */
void tcp_sent_tree_add(struct tcp *tcp, struct active *active, uint32_t idx)
{
    struct sent *sent = sent_at(tcp, idx);
    uint32_t rank = priority(tcp, idx);
    uint32_t *link = &active->sent_root;
    while (*link && priority(tcp, *link) >= rank) {
        struct sent *node = sent_at(tcp, *link);
        link = seq_lt(sent->left, node->left) ? &node->lower : &node->higher;
    }
    uint32_t rest = *link;
    uint32_t *lower = &sent->lower;
    uint32_t *higher = &sent->higher;
    *link = idx;
    while (rest) {
        struct sent *node = sent_at(tcp, rest);
        bool below = seq_lt(node->left, sent->left);
        uint32_t **end = below ? &lower : &higher;
        **end = rest;
        *end = below ? &node->higher : &node->lower;
        rest = **end;
    }
    *lower = *higher = 0;
}

/* Its two subtrees become one in its place. */
void tcp_sent_tree_remove(struct tcp *tcp, struct active *active, uint32_t idx)
{
    const struct sent *sent = sent_at(tcp, idx);
    uint32_t low = sent->lower;
    uint32_t high = sent->higher;
    uint32_t *link = &active->sent_root;
    while (*link != idx) {
        struct sent *node = sent_at(tcp, *link);
        link = seq_lt(sent->left, node->left) ? &node->lower : &node->higher;
    }
    while (low && high) {
        bool low_first = priority(tcp, low) >= priority(tcp, high);
        uint32_t *next = low_first ? &low : &high;
        *link = *next;
        struct sent *node = sent_at(tcp, *next);
        link = low_first ? &node->higher : &node->lower;
        *next = *link;
    }
    *link = low ? low : high;
}

uint32_t tcp_sent_find(const struct tcp *tcp, const struct active *active, seq_t at)
{
    uint32_t found = 0;
    uint32_t idx = active->sent_root;
    while (idx) {
        const struct sent *node = sent_at(tcp, idx);
        bool beyond = seq_gt(node->left, at);
        found = beyond ? found : idx;
        idx = beyond ? node->lower : node->higher;
    }
    return found;
}
