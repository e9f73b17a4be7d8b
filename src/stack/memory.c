/* memory.c - what lies where in a stack's block; its begin, and a call's begin and end.
 *
 *     struct hf_stack | flow table, records, small arrays | tally, history | keys, payload
 *     protocol and      protocol                            bookkeeping      secrets
 *     bookkeeping
 *
 * Each part is as large as it can become; pages are touched only as records are used, but for the
 * small arrays, which begin as zero.
 */
#include "stack/stack.h"

enum {
    LAYOUT_VERSION = 1,
    LINE = 64,
    WORD = 8,
    PAGE = 4096,
    MAX_BUCKETS = 4096,
    MAX_PREFIXES = 4096,
    MAX_NOTES = 64
};
enum { FEW = 64, WHEEL_BITS_FEW = 4 }; /* so few connections get a small timing wheel */

static const uint8_t magic[8] = {'h', 'a', 'n', 'd', 'f', 'a', 's', 't'};

/* Changes with whatever changes the meaning of the block's octets; HF_BLOCK_HASH, of the headers'
 * text, comes from the build (cmake/block_hash.cmake). */
static uint32_t build_hash(void)
{
    static const uint32_t facts[] = {
        LAYOUT_VERSION,
        HF_TRACE_VERSION,
        HF_VERDICT_COUNT,
        HF_STATES,
        BYTES_BIG_ENDIAN,
        sizeof(struct hf_stack),
        offsetof(struct hf_stack, tcp),
        offsetof(struct tcp_block, history_offset),
        sizeof(struct tcp_block),
        sizeof(struct tcb),
        sizeof(struct tally),
        sizeof(struct active),
        sizeof(struct extra),
        sizeof(struct ecn),
        sizeof(struct stats),
        sizeof(struct range),
        sizeof(struct sent),
        sizeof(struct chunk),
        sizeof(struct lent),
        sizeof(struct half_open),
        sizeof(struct time_wait),
        sizeof(struct listener),
        sizeof(struct tcp_reply),
        sizeof(struct history_event),
        sizeof(struct tcp_secret),
        sizeof(struct fast_keys),
        sizeof(struct fast_peer),
        sizeof(struct stack_interface),
        sizeof(struct stack_address),
        sizeof(struct stack_route),
        sizeof(struct stack_neighbour),
        sizeof(struct stack_packet),
        sizeof(struct stack_udp),
        sizeof(struct stack_fragments),
        sizeof(struct stack_note),
        offsetof(struct active, rto_at_ms),
        offsetof(struct tcb, cookie),
    };
    uint32_t hash = 2166136261u ^ HF_BLOCK_HASH;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        hash = (hash ^ facts[i]) * 16777619u;
    }
    return hash;
}

static uint64_t place(uint64_t *at, uint64_t bytes, uint32_t align)
{
    uint64_t offset = (*at + align - 1) / align * align;
    *at = offset + bytes;
    return offset;
}

static void place_pool(struct pool *pool, uint64_t *at, uint32_t size, uint32_t max, uint32_t align)
{
    pool_init(pool, place(at, (uint64_t)size * max, align), size, max);
}

static uint32_t buckets_for(const struct hf_config *c)
{
    uint32_t buckets = 1;
    while (buckets < MAX_BUCKETS && buckets < max_u32(c->max_listeners, c->max_udp)) {
        buckets *= 2;
    }
    return buckets;
}

/* As many half-open connections' networks are told apart. */
static uint32_t prefixes_for(const struct hf_config *c)
{
    uint32_t prefixes = 1;
    while (prefixes < MAX_PREFIXES && prefixes < c->max_half_open) {
        prefixes *= 2;
    }
    return prefixes;
}

static void place_pools(struct hf_stack *s, const struct hf_config *c, uint64_t *at)
{
    struct tcp_block *b = &s->tcp;
    uint32_t flows = c->max_connections + c->max_half_open + c->max_time_wait;
    b->flows.max_entries = flows;
    b->flows.bucket_offset = place(at, flowtab_bytes(flows), LINE);
    b->flows.over_offset = *at - (uint64_t)((flows - 1) / 7) * LINE; /* as flowtab_init will */
    place_pool(&b->tcbs, at, sizeof(struct tcb), c->max_connections, LINE);
    place_pool(&b->actives, at, sizeof(struct active), c->max_active, WORD);
    place_pool(&b->exts, at, sizeof(struct ext6), flows, WORD);
    place_pool(&b->extras, at, sizeof(struct extra), c->max_extras, WORD);
    place_pool(&b->ecns, at, sizeof(struct ecn), c->max_extras, WORD);
    place_pool(&b->stats, at, sizeof(struct stats), c->max_stats, WORD);
    place_pool(&b->halves, at, sizeof(struct half_open), c->max_half_open, WORD);
    place_pool(&b->waits, at, sizeof(struct time_wait), c->max_time_wait, WORD);
    place_pool(&b->listeners, at, sizeof(struct listener), c->max_listeners, WORD);
    place_pool(&b->ranges, at, sizeof(struct range), c->max_ranges, WORD);
    place_pool(&b->sents, at, sizeof(struct sent), c->max_sent, WORD);
    place_pool(&b->small, at, sizeof(struct chunk), c->small_chunks, WORD);
    place_pool(&b->large, at, sizeof(struct chunk), c->large_chunks, WORD);
    place_pool(&b->pieces, at, sizeof(struct chunk), c->lent_chunks, WORD);
    place_pool(&b->lents, at, sizeof(struct lent), c->lent_chunks, WORD);
    place_pool(&s->packets, at, sizeof(struct stack_packet), c->max_packets, WORD);
    place_pool(&s->udps, at, sizeof(struct stack_udp), c->max_udp, WORD);
}

static void place_arrays(struct hf_stack *s, const struct hf_config *c, uint64_t *at)
{
    s->max_interfaces = c->max_interfaces;
    s->max_addresses = c->max_addresses;
    s->max_routes = c->max_routes;
    s->max_neighbours = c->max_neighbours;
    s->max_fragments = c->max_reassembly;
    s->max_regions = c->max_regions;
    s->max_notes = min_u32(MAX_NOTES, (c->max_connections + c->max_udp + 1) / 2);
    s->bucket_mask = buckets_for(c) - 1;
    s->tcp.max_replies = c->max_replies;
    s->tcp.max_tokens = c->max_tokens;
    uint64_t buckets = (uint64_t)buckets_for(c) * sizeof(uint32_t);
    uint64_t done_words = ((uint64_t)c->max_tokens + 63) / 64;
    s->interface_offset = place(at, sizeof(struct stack_interface) * c->max_interfaces, WORD);
    s->address_offset = place(at, sizeof(struct stack_address) * c->max_addresses, WORD);
    s->route_offset = place(at, sizeof(struct stack_route) * c->max_routes, WORD);
    s->neighbour_offset =
        place(at, sizeof(struct stack_neighbour) * (uint64_t)c->max_neighbours, WORD);
    s->fragment_offset =
        place(at, sizeof(struct stack_fragments) * (uint64_t)c->max_reassembly, WORD);
    s->note_offset = place(at, sizeof(struct stack_note) * (uint64_t)s->max_notes, WORD);
    s->region_offset = place(at, c->max_regions, WORD);
    s->listen_offset = place(at, buckets, WORD);
    s->udp_offset = place(at, buckets, WORD);
    s->tcp.prefix_mask = prefixes_for(c) - 1;
    s->tcp.prefix_offset = place(at, sizeof(uint32_t) * (uint64_t)prefixes_for(c), WORD);
    s->tcp.max_fast_peers = c->max_fast_open_peers;
    s->tcp.fast_peers_offset =
        place(at, sizeof(struct fast_peer) * (uint64_t)c->max_fast_open_peers, WORD);
    s->tcp.wheel.bits = c->max_connections < FEW ? WHEEL_BITS_FEW : WHEEL_BITS_MAX;
    s->tcp.wheel.slot_offset = place(at, WHEEL_BYTES(s->tcp.wheel.bits), WORD);
    s->tcp.done_offset = place(at, done_words * sizeof(uint64_t), WORD);
    s->tcp.reply_offset = place(at, sizeof(struct tcp_reply) * (uint64_t)c->max_replies, WORD);
}

/* Fills in all offsets, and what depends on the config; returns the block's octets. */
static uint64_t lay_out(struct hf_stack *s, const struct hf_config *c)
{
    memset(s, 0, sizeof *s);
    struct tcp_block *b = &s->tcp;
    uint64_t at = sizeof *s;
    place_pools(s, c, &at);
    place_arrays(s, c, &at);
    b->tally_offset = place(&at, sizeof(struct tally) * (uint64_t)c->max_connections, WORD);
    b->history_size = c->history_events;
    b->history_offset =
        place(&at, sizeof(struct history_event) * (uint64_t)c->history_events, WORD);
    b->secret_offset = place(&at, sizeof(struct tcp_secret), WORD);
    b->fast_keys_offset = place(&at, sizeof(struct fast_keys) * (uint64_t)c->max_listeners, WORD);
    b->small_bytes = c->small_chunk_bytes;
    b->small_offset = place(&at, (uint64_t)c->small_chunk_bytes * c->small_chunks, WORD);
    b->large_offset = place(&at, (uint64_t)STACK_LARGE_BYTES * c->large_chunks,
                            c->large_chunks != 0 ? PAGE : WORD);
    s->block_bytes = place(&at, 0, LINE);
    memcpy(s->magic, magic, sizeof magic);
    s->layout_version = LAYOUT_VERSION;
    s->build_hash = build_hash();
    s->header_bytes = sizeof *s;
    b->policy = c->policy;
    return s->block_bytes;
}

uint64_t hf_size(const struct hf_config *config)
{
    struct hf_stack s;
    if (!stack_config_ok(config)) {
        return 0;
    }
    uint64_t bytes = lay_out(&s, config);
    return bytes <= PTRDIFF_MAX ? bytes : 0;
}

/* Also of a clock that has its zero still before it. */
static int64_t all_ms_of(int64_t ns)
{
    return div_down(ns, 1000000);
}

static uint32_t ms_of(int64_t ns)
{
    return (uint32_t)all_ms_of(ns);
}

static uint32_t us_of(int64_t ns)
{
    return (uint32_t)div_down(ns, 1000);
}

static void make_keys(struct tcp_secret *secret, const uint8_t seed[16])
{
    memset(secret, 0, sizeof *secret);
    rng_seed(&secret->rng, seed);
    struct sip_key *const keys[] = {&secret->table, &secret->isn,        &secret->port,
                                    &secret->ts,    &secret->cookie_mac, &secret->fast.key[0],
                                    &secret->reset};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        keys[i]->k0 = rng_u64(&secret->rng);
        keys[i]->k1 = rng_u64(&secret->rng);
    }
    secret->fast.n = 1;
    secret->port_next = (uint32_t)secret->port.k0;
}

static const uint8_t no_seed[sizeof((struct hf_config *)0)->seed];

/* RFC 6528 4.  What keeps its key is found by it, or has shown it already and goes on: the tables,
 * timestamps, Fast Open cookies, flow labels. */
int hf_reseed(struct hf_stack *stack, const struct hf_env *env, const uint8_t *seed)
{
    struct stack st;
    if (seed == NULL || memcmp(seed, no_seed, sizeof no_seed) == 0) {
        return HF_ERR_INVALID;
    }
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    struct tcp_secret *secret = secret_of(&st.tcp);
    struct tcp_secret fresh;
    make_keys(&fresh, seed);
    secret->rng = fresh.rng;
    secret->isn = fresh.isn;
    secret->cookie_mac = fresh.cookie_mac;
    secret->reset = fresh.reset;
    secret->port_next = fresh.port_next; /* larger ranges draw from the rng */
    stack_leave(&st);
    return HF_OK;
}

int hf_init(struct hf_stack *block, uint64_t bytes, const struct hf_config *config,
            const struct hf_env *env)
{
    uint64_t needed = hf_size(config);
    if (block == NULL || (uintptr_t)block % LINE != 0 || env == NULL ||
        env->struct_size < sizeof *env || needed == 0 ||
        memcmp(config->seed, no_seed, sizeof no_seed) == 0) { /* nobody has filled it in */
        return HF_ERR_INVALID;
    }
    if (bytes < needed) {
        return HF_ERR_TOO_LARGE;
    }
    lay_out(block, config);
    /* The small arrays lie together. */
    uint64_t end = block->tcp.tally_offset;
    memset((uint8_t *)block + block->interface_offset, 0, end - block->interface_offset);
    flowtab_init(&block->tcp.flows, block, block->tcp.flows.bucket_offset,
                 block->tcp.flows.max_entries);
    struct wheel *wheel = &block->tcp.wheel;
    wheel_init(wheel, block, wheel->slot_offset, wheel->bits, ms_of(env->now_ns));
    block->tcp.next_token = 1;
    block->tcp.done_token = 1;
    block->now_ns = env->now_ns;
    block->icmp_at_ms = ms_of(env->now_ns) - 60000; /* a full budget from the beginning */
    make_keys((void *)((uint8_t *)block + block->tcp.secret_offset), config->seed);
    return HF_OK;
}

void stack_config_of(const struct hf_stack *s, struct hf_config *c)
{
    const struct tcp_block *b = &s->tcp;
    *c = (struct hf_config){
        .struct_size = sizeof *c,
        .max_connections = b->tcbs.max,
        .max_half_open = b->halves.max,
        .max_time_wait = b->waits.max,
        .max_active = b->actives.max,
        .max_extras = b->extras.max,
        .max_stats = b->stats.max,
        .max_listeners = b->listeners.max,
        .max_udp = s->udps.max,
        .max_interfaces = s->max_interfaces,
        .max_addresses = s->max_addresses,
        .max_routes = s->max_routes,
        .max_neighbours = s->max_neighbours,
        .max_packets = s->packets.max,
        .max_replies = b->max_replies,
        .max_reassembly = s->max_fragments,
        .max_ranges = b->ranges.max,
        .max_sent = b->sents.max,
        .small_chunks = b->small.max,
        .small_chunk_bytes = b->small_bytes,
        .large_chunks = b->large.max,
        .lent_chunks = b->pieces.max,
        .max_regions = s->max_regions,
        .history_events = b->history_size,
        .max_tokens = b->max_tokens,
        .max_fast_open_peers = b->max_fast_peers,
        .policy = b->policy,
    };
}

/* Are all parts where this build would lay them? */
static bool layout_holds(const struct hf_stack *s)
{
    struct hf_config config;
    struct hf_stack fresh;
    stack_config_of(s, &config);
    if (!stack_config_ok(&config) || lay_out(&fresh, &config) != s->block_bytes) {
        return false;
    }
    struct hf_extent ours[STACK_PARTS], theirs[STACK_PARTS];
    uint32_t n = hf_extents(&fresh, ours, STACK_PARTS);
    hf_extents(s, theirs, STACK_PARTS);
    for (uint32_t i = 0; i < n; i++) {
        if (ours[i].offset != theirs[i].offset || ours[i].reserved != theirs[i].reserved ||
            theirs[i].used > theirs[i].reserved) {
            return false;
        }
    }
    return true;
}

int hf_attach(const struct hf_stack *block, uint64_t bytes)
{
    if (block == NULL || (uintptr_t)block % WORD != 0 || bytes < sizeof *block ||
        memcmp(block->magic, magic, sizeof magic) != 0 || block->layout_version != LAYOUT_VERSION ||
        block->build_hash != build_hash() || block->header_bytes != sizeof *block ||
        block->block_bytes > bytes || block->changing % 2 != 0 ||
        block->tcp.wheel.bits > WHEEL_BITS_MAX || !layout_holds(block)) {
        return HF_ERR_MISMATCH;
    }
    return HF_OK;
}

void stack_change(struct hf_stack *s)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&s->changing, s->changing + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* The call's time in the units that the core counts in. */
static void set_time(struct tcp *tcp, int64_t now_ns)
{
    if (now_ns < 0) {
        tcp->now_ms = ms_of(now_ns);
        tcp->now_us = us_of(now_ns);
        tcp->now_wraps = (uint32_t)((uint64_t)all_ms_of(now_ns) >> 32);
        return;
    }
    uint64_t now_us = (uint64_t)now_ns / 1000;
    uint64_t now_ms = now_us / 1000;
    tcp->now_us = (uint32_t)now_us;
    tcp->now_ms = (uint32_t)now_ms;
    tcp->now_wraps = (uint32_t)(now_ms >> 32);
}

void stack_look(struct stack *st, const struct hf_stack *stack, const struct hf_env *env)
{
    /* A look changes nothing, but it takes the same accessors. */
    struct hf_stack *s = (struct hf_stack *)(uintptr_t)stack;
    int64_t now_ns = s->now_ns;
    if (env != NULL && env->now_ns > now_ns) {
        now_ns = env->now_ns;
    }
    tcp_look_at(&st->tcp, &s->tcp, s);
    st->tcp.env = env;
    set_time(&st->tcp, now_ns);
    st->tcp.lent = (struct lent_text){0, 0};
    st->tcp.placed = st->tcp.parts = 0;
    st->tcp.no_fast = 0;
    st->tcp.iface = 0;
    st->tcp.before.kind = HF_TRACE_IN; /* none is under way */
    st->s = s;
    st->env = env;
    st->train = NULL;
}

/* Milliseconds are compared modulo 2^32 (tcb.h).  After a pause of weeks - the machine slept - time
 * is carried forward in steps that can be compared, and what was due meanwhile comes due. */
HF_RARELY static void catch_up(struct stack *st, const struct hf_env *env)
{
    struct hf_env then = *env;
    while (env->now_ns - st->s->now_ns > STACK_LEAP_NS) {
        st->s->now_ns += STACK_LEAP_NS;
        then.now_ns = st->s->now_ns;
        stack_look(st, st->s, &then);
        while (stack_timeouts(st)) {
        }
    }
}

/* Without time, a trace, or more of a view than the block. */
int stack_enter_block(struct stack *st, struct hf_stack *stack, const struct hf_env *env)
{
    if (stack == NULL || env == NULL || env->struct_size < sizeof *env) {
        return HF_ERR_INVALID;
    }
    HF_ASSERT(stack->changing % 2 ==
              0); /* a call from within a trace callback, or a second thread */
    stack_change(stack);
    st->s = stack;
    tcp_look_at(&st->tcp, &stack->tcp, stack);
    return HF_OK;
}

int stack_enter(struct stack *st, struct hf_stack *stack, const struct hf_env *env)
{
    int error = stack_enter_block(st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    if (env->now_ns - stack->now_ns > STACK_LEAP_NS) {
        catch_up(st, env);
    }
    if (env->now_ns > stack->now_ns) {
        stack->now_ns = env->now_ns;
    }
    stack_look(st, stack, env);
    /* An empty wheel's own time may jump: nothing can come due. */
    if (stack->tcp.wheel.armed == 0) {
        stack->tcp.wheel.now_ms = st->tcp.now_ms;
    }
    return HF_OK;
}

void stack_leave(struct stack *st)
{
    stack_change(st->s);
}
