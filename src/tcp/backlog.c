/* backlog.c - RFC 4987 section 3, listen(2): who may take how much of a listener's backlog.
 *
 * No SYN is taken when the accept queue is full, or kept with as many half-open connections: a
 * flood takes no more memory (RFC4987-1), and nothing from who is open (RFC4987-12).  One network
 * has a share of the backlog, so that what it leaves hanging leaves room for others; its SYNs
 * beyond that get what all get when there is no room: a SYN cookie, or nothing.
 *
 * Networks are told apart by a keyed hash of their prefix, and counted where it leads.  Those that
 * meet there share a share, which makes it half of the backlog and not less.  A listener that holds
 * SYNs has an application that decides about each.
 */
#include "tcp/tcp.h"

enum { SHARE_LEAST = 8 };

bool tcp_accept_full(const struct listener *listener)
{
    return listener->accept_n > listener->backlog;
}

/* RFC 6177: a site's prefix is 48 to 56 bits long. */
static uint32_t *half_open_of(struct tcp *tcp, uint32_t listener_idx, uint8_t generation,
                              const struct conn_id *id)
{
    struct hash_memo *memo = &secret_of(tcp)->memo;
    HF_COUNT(tcp->b->work.hashed, 1);
    uint64_t prefix = id->v4 ? get_be32(id->remote + 12) >> 8 : get_be64(id->remote) >> 8;
    uint32_t listener = listener_idx | (uint32_t)generation << 16; /* not the one before it */
    if (memo->prefix != prefix || memo->listener != listener) {
        memo->prefix = prefix;
        memo->listener = listener;
        memo->backlog = (uint32_t)sip13_12(&secret_of(tcp)->table, prefix, listener);
    }
    uint32_t *counts = (uint32_t *)(void *)((uint8_t *)tcp->block + tcp->b->prefix_offset);
    return &counts[memo->backlog & tcp->b->prefix_mask];
}

void tcp_backlog_add(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id)
{
    struct listener *listener = listener_at(tcp, listener_idx);
    listener->half++;
    ++*half_open_of(tcp, listener_idx, (uint8_t)listener->generation, id);
}

void tcp_backlog_remove(struct tcp *tcp, uint32_t listener_idx, uint8_t generation,
                        const struct conn_id *id, bool open)
{
    struct listener *listener = listener_at(tcp, listener_idx);
    if (open) {
        listener_lets_go(listener, true);
    }
    --*half_open_of(tcp, listener_idx, generation, id);
}

bool tcp_backlog_full(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id)
{
    const struct listener *listener = listener_at(tcp, listener_idx);
    uint32_t share = tcp->b->policy.backlog_share;
    if (listener->half >= listener->backlog || listener->hold || share >= 100) {
        return listener->half >= listener->backlog;
    }
    uint32_t most = min_u32(listener->backlog, tcp->b->halves.max);
    uint32_t its = (uint32_t)(((uint64_t)most * share + 99) / 100);
    uint8_t generation = (uint8_t)listener->generation;
    return *half_open_of(tcp, listener_idx, generation, id) >= max_u32(its, SHARE_LEAST);
}
