/* seq_tree.h - records of a pool by sequence number: which of them holds a number.
 *
 * They stand in a tree, which is a heap as well, by priorities that no peer can know (a treap:
 * Seidel and Aragon 1996).  So it is about 2 ln n deep whatever a peer sends in whatever order
 * (CVE-2018-5390, CVE-2019-11478).
 */
#ifndef TCP_SEQ_TREE_H
#define TCP_SEQ_TREE_H

#include "base/pool.h"
#include "base/seq.h"

struct seq_branches {
    uint32_t lower, higher;
};

/* Where in each record they lie, and its number: no two in a tree have the same. */
struct seq_tree {
    const struct pool *pool;
    void *block;
    uint64_t key; /* secret */
    uint32_t branches, left;
};

void seq_tree_add(const struct seq_tree *tree, uint32_t *root, uint32_t idx);
void seq_tree_remove(const struct seq_tree *tree, uint32_t *root, uint32_t idx);
/* The last record that begins at or before this number, 0: none. */
uint32_t seq_tree_find(const struct seq_tree *tree, uint32_t root, seq_t at);
/* The first, the last of all; 0: none. */
uint32_t seq_tree_first(const struct seq_tree *tree, uint32_t root);
uint32_t seq_tree_last(const struct seq_tree *tree, uint32_t root);

#endif
