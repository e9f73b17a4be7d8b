/* extents.c - the parts of the block: where they lie, what of them is used. */
#include "stack/stack.h"

struct list {
    struct hf_extent *extents;
    uint32_t room, n;
};

static void add(struct list *list, const char *name, enum hf_range_kind kind, uint64_t offset,
                uint64_t used, uint64_t reserved)
{
    if (reserved == 0) {
        return;
    }
    if (list->n < list->room) {
        struct hf_extent *extent = &list->extents[list->n];
        memset(extent, 0, sizeof *extent);
        extent->offset = offset;
        extent->used = used;
        extent->reserved = reserved;
        extent->kind = (uint8_t)kind;
        for (size_t i = 0; i + 1 < sizeof extent->name && name[i] != '\0'; i++) {
            extent->name[i] = name[i];
        }
    }
    list->n++;
}

/* Records of which the first `used` of `max` have been in use. */
static void add_records(struct list *list, const char *name, enum hf_range_kind kind,
                        uint64_t offset, uint64_t size, uint64_t used, uint64_t max)
{
    add(list, name, kind, offset, size * used, size * max);
}

static void add_pool(struct list *list, const char *name, const struct pool *pool)
{
    add_records(list, name, HF_RANGE_PROTOCOL, pool->offset, pool->size, pool->top, pool->max);
}

/* Small: zeroed at the beginning, so all of it counts as used. */
static void add_array(struct list *list, const char *name, uint64_t offset, uint64_t bytes)
{
    add(list, name, HF_RANGE_PROTOCOL, offset, bytes, bytes);
}

static void add_pools(struct list *list, const struct hf_stack *s)
{
    const struct tcp_block *b = &s->tcp;
    const struct flowtab *t = &b->flows;
    uint64_t over_bytes = flowtab_bytes(t->max_entries) - (t->over_offset - t->bucket_offset);
    add(list, "flow buckets", HF_RANGE_PROTOCOL, t->bucket_offset, 64 * (uint64_t)t->buckets,
        t->over_offset - t->bucket_offset);
    add(list, "flow overflow", HF_RANGE_PROTOCOL, t->over_offset, 64 * (uint64_t)t->over_top,
        over_bytes);
    add_pool(list, "connections", &b->tcbs);
    add_pool(list, "active", &b->actives);
    add_pool(list, "ipv6", &b->exts);
    add_pool(list, "extra options", &b->extras);
    add_pool(list, "ecn counters", &b->ecns);
    add_pool(list, "statistics", &b->stats);
    add_pool(list, "half-open", &b->halves);
    add_pool(list, "time-wait", &b->waits);
    add_pool(list, "listeners", &b->listeners);
    add_pool(list, "ranges", &b->ranges);
    add_pool(list, "sent", &b->sents);
    add_pool(list, "small chunks", &b->small);
    add_pool(list, "large chunks", &b->large);
    add_pool(list, "pieces", &b->pieces);
    add_pool(list, "lent", &b->lents);
    add_pool(list, "packets", &s->packets);
    add_pool(list, "udp", &s->udps);
}

static void add_arrays(struct list *list, const struct hf_stack *s)
{
    const struct tcp_block *b = &s->tcp;
    uint64_t buckets = sizeof(uint32_t) * ((uint64_t)s->bucket_mask + 1);
    uint64_t done_words = ((uint64_t)b->max_tokens + 63) / 64;
    add_array(list, "interfaces", s->interface_offset,
              sizeof(struct stack_interface) * (uint64_t)s->max_interfaces);
    add_array(list, "addresses", s->address_offset,
              sizeof(struct stack_address) * (uint64_t)s->max_addresses);
    add_array(list, "routes", s->route_offset,
              sizeof(struct stack_route) * (uint64_t)s->max_routes);
    add_array(list, "neighbours", s->neighbour_offset,
              sizeof(struct stack_neighbour) * (uint64_t)s->max_neighbours);
    add_array(list, "fragments", s->fragment_offset,
              sizeof(struct stack_fragments) * (uint64_t)s->max_fragments);
    add_array(list, "icmp notes", s->note_offset,
              sizeof(struct stack_note) * (uint64_t)s->max_notes);
    add_array(list, "regions", s->region_offset, s->max_regions);
    add_array(list, "listen ports", s->listen_offset, buckets);
    add_array(list, "udp ports", s->udp_offset, buckets);
    add_array(list, "networks", b->prefix_offset,
              sizeof(uint32_t) * ((uint64_t)b->prefix_mask + 1));
    add_array(list, "fast open", b->fast_peers_offset,
              sizeof(struct fast_peer) * (uint64_t)b->max_fast_peers);
    add_array(list, "timing wheel", b->wheel.slot_offset, WHEEL_BYTES(b->wheel.bits));
    add_array(list, "tokens", b->done_offset, sizeof(uint64_t) * done_words);
    add_array(list, "replies", b->reply_offset,
              sizeof(struct tcp_reply) * (uint64_t)b->max_replies);
}

uint32_t hf_extents(const struct hf_stack *stack, struct hf_extent *extents, uint32_t n)
{
    const struct tcp_block *b = &stack->tcp;
    struct list list = {extents, n, 0};
    uint64_t counters = offsetof(struct hf_stack, tcp) + offsetof(struct tcp_block, history_offset);
    uint32_t history =
        (uint32_t)min_u64(b->history_gone + b->history_serial, b->history_size); /* in use */
    add_array(&list, "header", 0, counters);
    add(&list, "counters", HF_RANGE_BOOKKEEPING, counters, sizeof *stack - counters,
        sizeof *stack - counters);
    add_pools(&list, stack);
    add_arrays(&list, stack);
    add_records(&list, "tallies", HF_RANGE_BOOKKEEPING, b->tally_offset, sizeof(struct tally),
                b->tcbs.top, b->tcbs.max);
    add_records(&list, "history", HF_RANGE_BOOKKEEPING, b->history_offset,
                sizeof(struct history_event), history, b->history_size);
    add(&list, "keys", HF_RANGE_SECRET, b->secret_offset, sizeof(struct tcp_secret),
        sizeof(struct tcp_secret));
    add_records(&list, "listener keys", HF_RANGE_SECRET, b->fast_keys_offset,
                sizeof(struct fast_keys), b->listeners.top, b->listeners.max);
    add_records(&list, "small payload", HF_RANGE_SECRET, b->small_offset, b->small_bytes,
                b->small.top, b->small.max);
    add_records(&list, "large payload", HF_RANGE_SECRET, b->large_offset, STACK_LARGE_BYTES,
                b->large.top, b->large.max);
    return list.n;
}
