/* seq_tree.c - records by sequence number: see seq_tree.h. */
#include "tcp/seq_tree.h"

struct node {
    struct seq_branches *to;
    seq_t left;
};

static inline struct node node_at(const struct seq_tree *tree, uint32_t idx)
{
    uint8_t *record = pool_at(tree->pool, tree->block, idx);
    return (struct node){(void *)(record + tree->branches),
                         *(const seq_t *)(const void *)(record + tree->left)};
}

static uint32_t priority(const struct seq_tree *tree, uint32_t idx)
{
    uint64_t x = (idx ^ tree->key) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(x >> 32);
}

/* Below the nodes that come before it as a heap; what it displaces is parted into what lies below
 * and above it. */
void seq_tree_add(const struct seq_tree *tree, uint32_t *root, uint32_t idx)
{
    struct node added = node_at(tree, idx);
    if (*root == 0) {
        *added.to = (struct seq_branches){0, 0};
        *root = idx;
        return;
    }
    uint32_t rank = priority(tree, idx);
    uint32_t *link = root;
    while (*link && priority(tree, *link) >= rank) {
        struct node node = node_at(tree, *link);
        link = seq_lt(added.left, node.left) ? &node.to->lower : &node.to->higher;
    }
    uint32_t rest = *link;
    uint32_t *lower = &added.to->lower;
    uint32_t *higher = &added.to->higher;
    *link = idx;
    while (rest) {
        struct node node = node_at(tree, rest);
        bool below = seq_lt(node.left, added.left);
        uint32_t **end = below ? &lower : &higher;
        **end = rest;
        *end = below ? &node.to->higher : &node.to->lower;
        rest = **end;
    }
    *lower = *higher = 0;
}

/* Its two subtrees become one in its place. */
void seq_tree_remove(const struct seq_tree *tree, uint32_t *root, uint32_t idx)
{
    struct node gone = node_at(tree, idx);
    uint32_t low = gone.to->lower;
    uint32_t high = gone.to->higher;
    uint32_t *link = root;
    while (*link != idx) {
        struct node node = node_at(tree, *link);
        link = seq_lt(gone.left, node.left) ? &node.to->lower : &node.to->higher;
    }
    while (low && high) {
        bool low_first = priority(tree, low) >= priority(tree, high);
        uint32_t *next = low_first ? &low : &high;
        *link = *next;
        struct node node = node_at(tree, *next);
        link = low_first ? &node.to->higher : &node.to->lower;
        *next = *link;
    }
    *link = low ? low : high;
}

uint32_t seq_tree_find(const struct seq_tree *tree, uint32_t root, seq_t at)
{
    uint32_t found = 0;
    uint32_t idx = root;
    while (idx) {
        struct node node = node_at(tree, idx);
        bool beyond = seq_gt(node.left, at);
        found = beyond ? found : idx;
        idx = beyond ? node.to->lower : node.to->higher;
    }
    return found;
}

static uint32_t at_end(const struct seq_tree *tree, uint32_t root, bool lower)
{
    uint32_t found = 0;
    uint32_t idx = root;
    while (idx) {
        found = idx;
        idx = lower ? node_at(tree, idx).to->lower : node_at(tree, idx).to->higher;
    }
    return found;
}

uint32_t seq_tree_first(const struct seq_tree *tree, uint32_t root)
{
    return at_end(tree, root, true);
}

uint32_t seq_tree_last(const struct seq_tree *tree, uint32_t root)
{
    return at_end(tree, root, false);
}
