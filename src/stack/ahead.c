/* ahead.c - what the frames of a batch will look at is fetched before the first is processed.
 *
 * Where there are more connections than the cache holds, a segment waits for memory twice: for its
 * line of the flow table, and for the record that is named there.  Those of a batch wait together.
 * Nothing depends on what is found here: not on the packet, of which nothing is verified yet, nor
 * on the record, which the frames before it may change.
 */
#include "stack/stack.h"

enum {
    FEW_BUCKETS = 1024, /* with fewer, all is in the cache: some 5,600 connections */
    LINE = 64,
    V4_BYTES = 20,
    V6_BYTES = 40,
    PORTS_BYTES = 4,
};

/* Addresses and ports, where they lie in a packet without options or extension headers. */
static bool read_id(const uint8_t *p, uint32_t len, struct conn_id *id)
{
    const uint8_t *ports;
    if (len >= V4_BYTES + PORTS_BYTES && p[0] == 0x45 && p[9] == WIRE_PROTO_TCP) {
        id->v4 = true;
        memcpy(id->remote + 12, p + 12, 4);
        memcpy(id->local + 12, p + 16, 4);
        ports = p + V4_BYTES;
    } else if (len >= V6_BYTES + PORTS_BYTES && p[0] >> 4 == 6 && p[6] == WIRE_PROTO_TCP) {
        id->v4 = false;
        memcpy(id->remote, p + 8, 16);
        memcpy(id->local, p + 24, 16);
        ports = p + V6_BYTES;
    } else {
        return false;
    }
    id->rport = get_be16(ports);
    id->lport = get_be16(ports + 2);
    return true;
}

static bool read_frame(const struct stack *st, const struct hf_frame_in *frame, struct conn_id *id)
{
    enum { ETHERNET_BYTES = 14 };
    if (frame->data == NULL || frame->iface == 0 || frame->iface > st->s->interfaces) {
        return false;
    }
    bool ethernet = stack_interface_at(st, frame->iface)->link == HF_LINK_ETHERNET;
    uint32_t skip = ethernet ? ETHERNET_BYTES : 0;
    return frame->len > skip && read_id(frame->data + skip, frame->len - skip, id);
}

static void fetch(const struct stack *st, const struct pool *pool, uint32_t idx)
{
    const uint8_t *record =
        (const uint8_t *)st->s + pool->offset + (uint64_t)(idx - 1) * pool->size;
    for (uint32_t at = 0; at < pool->size; at += LINE) {
        __builtin_prefetch(record + at);
    }
}

static void fetch_record(const struct stack *st, uint32_t value)
{
    const struct tcp_block *b = block_of(st);
    uint32_t idx = FLOW_IDX(value);
    if (FLOW_KIND(value) == KIND_TCB) {
        fetch(st, &b->tcbs, idx);
        __builtin_prefetch((const uint8_t *)st->s + b->tally_offset +
                           (uint64_t)(idx - 1) * sizeof(struct tally));
    } else {
        fetch(st, FLOW_KIND(value) == KIND_HALF_OPEN ? &b->halves : &b->waits, idx);
    }
}

void stack_fetch_ahead(const struct stack *st, const struct hf_frame_in *frames, uint32_t n)
{
    const struct flowtab *flows = &block_of(st)->flows;
    uint32_t hash[STACK_AHEAD], found = 0;
    if (n < 2 || flows->buckets < FEW_BUCKETS) {
        return;
    }
    for (uint32_t i = 0; i < n && i < STACK_AHEAD; i++) {
        struct conn_id id;
        if (read_frame(st, &frames[i], &id)) {
            hash[found] = tcp_hash_of(&st->tcp, &id);
            flowtab_prefetch(flows, st->s, hash[found++]);
        }
    }
    for (uint32_t i = 0; i < found; i++) {
        uint32_t value = flowtab_glance(flows, st->s, hash[i]);
        if (value != 0) {
            fetch_record(st, value);
        }
    }
}
