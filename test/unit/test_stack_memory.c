/* A stack's block: its size, where its parts lie, what is touched, who may attach. */
#include <stdio.h>

#include "stack/stack.h"
#include "unit/stack_pair.h"

/* The least that lets two connections live at once. */
static struct hf_config smallest(void)
{
    struct hf_config c;
    hf_config_default(&c, 2);
    c.max_half_open = 1;
    c.max_time_wait = 1;
    c.max_extras = 0;
    c.max_stats = 0;
    c.max_listeners = 1;
    c.max_udp = 0;
    c.max_interfaces = 1;
    c.max_addresses = 1;
    c.max_routes = 1;
    c.max_neighbours = 0;
    c.max_packets = 0;
    c.max_replies = 2;
    c.max_reassembly = 0;
    c.max_ranges = 4;
    c.max_sent = 8;
    c.small_chunks = 4;
    c.small_chunk_bytes = 64;
    c.large_chunks = 0;
    c.lent_chunks = 0;
    c.max_regions = 0;
    c.history_events = 0;
    c.max_tokens = 64;
    c.policy.max_receive_window = 128;
    c.policy.receive_window = 128;
    c.policy.send_buffer = 128;
    return c;
}

/* What assertions count comes on top. */
#ifdef HF_ASSERTIONS
enum { COUNTED = 512 };
#else
enum { COUNTED = 0 };
#endif

static void a_stack_of_two_connections_fits_six_kib(void **state)
{
    (void)state;
    struct hf_config config = smallest();
    struct side s;
    side_begin(&s, &config, 1, 0);
    struct hf_extent parts[STACK_PARTS];
    uint32_t n = hf_extents(s.stack, parts, STACK_PARTS);
    assert_in_range(n, 1, STACK_PARTS);
    for (uint32_t i = 0; i < n; i++) {
        printf("%6llu  %s\n", (unsigned long long)parts[i].reserved, parts[i].name);
    }
    printf("%6llu  in all\n", (unsigned long long)s.bytes);
    assert_in_range(s.bytes, 1, 6144 + COUNTED);
    free(s.stack);
}

static void two_connections_of_the_smallest_stack_carry_text(void **state)
{
    (void)state;
    struct hf_config config = smallest();
    struct pair p;
    pair_begin_with(&p, &config, 7, 0);
    connect_pair(&p);
    hf_handle second = open_to(&p.b, &p.a, PAIR_PORT), second_server = 0;
    exchange(&p);
    assert_int_equal(hf_accept(p.a.stack, &p.a.env, p.listener, &second_server, NULL), HF_OK);
    send_all(&p.b, p.client, "first", 5);
    send_all(&p.b, second, "second", 6);
    exchange(&p);
    receives(&p.a, p.server, "first", 5);
    receives(&p.a, second_server, "second", 6);
    send_all(&p.a, p.server, "answer", 6);
    exchange(&p);
    receives(&p.b, p.client, "answer", 6);
    pair_end(&p);
}

/* Octets of the flow table for an entry, in hundredths, as they are touched. */
static uint64_t flow_cost(uint32_t entries)
{
    uint64_t bytes = flowtab_bytes(entries);
    uint8_t *block = aligned_alloc(64, bytes);
    assert_non_null(block);
    struct flowtab t;
    struct rng rng;
    rng_seed(&rng, (const uint8_t[16]){3});
    flowtab_init(&t, block, 0, entries);
    for (uint32_t i = 1; i <= entries; i++) {
        assert_true(flowtab_insert(&t, block, (uint32_t)rng_u64(&rng), i));
    }
    free(block);
    return ((uint64_t)t.buckets + t.over_top) * 64 * 100 / entries;
}

/* 256 octets IPv4, 64 half-open and waiting; IPv6 288, 96, 96; all with their flow table entry. */
static void an_idle_connection_is_within_its_budget(void **state)
{
    (void)state;
    uint64_t flow = flow_cost(100000);
    printf("flow table entry: %u.%02u octets\n", (unsigned)flow / 100, (unsigned)flow % 100);
    uint64_t idle = 100 * (sizeof(struct tcb) + sizeof(struct tally)) + flow;
    uint64_t compact = 100 * sizeof(struct half_open) + flow;
    assert_int_equal(sizeof(struct half_open), sizeof(struct time_wait));
    assert_in_range(idle, 1, 25600);
    assert_in_range(compact, 1, 6400);
    assert_in_range(idle + 100 * sizeof(struct ext6), 1, 28800);
    assert_in_range(compact + 100 * sizeof(struct ext6), 1, 9600);
}

static void the_parts_follow_each_other_without_overlap(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {2, 63, 64, 1000, 100000, 1u << 30};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct hf_config config;
        hf_config_default(&config, sizes[i]);
        if (sizeof(void *) == 4 && sizes[i] > 100000) {
            continue; /* more than a 32-bit address space */
        }
        assert_true(hf_size(&config) % 64 == 0);
        assert_true(hf_size(&config) != 0);
    }
    struct pair p;
    pair_begin(&p);
    struct hf_extent parts[STACK_PARTS];
    uint32_t n = hf_extents(p.a.stack, parts, STACK_PARTS);
    assert_in_range(n, 20, STACK_PARTS);
    uint64_t end = 0;
    uint8_t kind = 0;
    for (uint32_t i = 0; i < n; i++) {
        assert_true(parts[i].offset >= end);
        assert_true(parts[i].offset % 8 == 0);
        assert_true(parts[i].used <= parts[i].reserved);
        end = parts[i].offset + parts[i].reserved;
        assert_in_range(parts[i].kind, HF_RANGE_PROTOCOL, HF_RANGE_SECRET);
        if (strcmp(parts[i].name, "counters") != 0) { /* the header's end */
            assert_true(parts[i].kind >= kind);
            kind = parts[i].kind;
        }
    }
    assert_true(end <= p.a.bytes);
    struct hf_extent few[3];
    assert_int_equal(hf_extents(p.a.stack, few, 3), n);
    assert_memory_equal(few, parts, sizeof few);
    pair_end(&p);
}

/* The reservation of many connections is address space until they are there. */
static void beginning_touches_only_the_small_parts(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_default(&config, 64);
    config.seed[0] = 1;
    uint64_t bytes = hf_size(&config);
    uint8_t *block = aligned_alloc(64, bytes);
    assert_non_null(block);
    memset(block, 0x5a, bytes);
    struct hf_env env = {.struct_size = sizeof env};
    assert_int_equal(hf_init((struct hf_stack *)block, bytes, &config, &env), HF_OK);
    struct hf_extent parts[STACK_PARTS];
    uint32_t n = hf_extents((struct hf_stack *)block, parts, STACK_PARTS);
    uint64_t used = 0;
    for (uint32_t i = 0; i < n; i++) {
        used += parts[i].used;
        for (uint64_t at = parts[i].used; at < parts[i].reserved; at++) {
            if (block[parts[i].offset + at] != 0x5a) {
                fail_msg("%s: octet %llu was written", parts[i].name, (unsigned long long)at);
            }
        }
    }
    assert_in_range(used, 1, 64 * 1024);
    free(block);
}

/* PR-02: nor is there a stack without a seed. */
static void a_config_that_cannot_be_has_no_size(void **state)
{
    (void)state;
    struct hf_config good, c;
    hf_config_default(&good, 10);
    assert_true(hf_size(&good) != 0);
    assert_true(hf_size(NULL) == 0);
#define REFUSED(member, value)                                                                     \
    c = good;                                                                                      \
    c.member = (value);                                                                            \
    if (hf_size(&c) != 0) {                                                                        \
        fail_msg("%s = %s was taken", #member, #value);                                            \
    }
    REFUSED(struct_size, 4)
    REFUSED(max_connections, 0)
    REFUSED(max_connections, 1u << 30)
    REFUSED(max_half_open, 1u << 30)
    REFUSED(max_active, 0)
    REFUSED(max_listeners, 65536)
    REFUSED(max_interfaces, 0)
    REFUSED(max_interfaces, 256)
    REFUSED(max_replies, 0)
    REFUSED(small_chunk_bytes, 63)
    REFUSED(small_chunk_bytes, 4160)
    REFUSED(small_chunk_bytes, 100)
    REFUSED(large_chunks, UINT32_MAX)
    REFUSED(max_tokens, 0)
    REFUSED(policy.msl_ms, 0)
    REFUSED(policy.rto_min_ms, 200000)
    REFUSED(policy.rto_initial_ms, 0)
    REFUSED(policy.ack_delay_ms, 501)
    REFUSED(policy.synack_retries, 8)
    REFUSED(policy.port_first, 0)
    REFUSED(policy.port_last, 100)
    REFUSED(policy.ttl, 0)
    REFUSED(policy.max_receive_window, (1u << 30) + 1)
    REFUSED(policy.receive_window, 1u << 30)
    REFUSED(policy.min_mss, 0)
#undef REFUSED
    struct side s;
    side_begin(&s, &good, 1, 0);
    struct hf_stack *odd = (struct hf_stack *)((uintptr_t)s.stack + 8);
    assert_int_equal(hf_init(s.stack, s.bytes, &good, NULL), HF_ERR_INVALID);
    assert_int_equal(hf_init(s.stack, s.bytes, NULL, &s.env), HF_ERR_INVALID);
    assert_int_equal(hf_init(s.stack, s.bytes, &good, &s.env), HF_ERR_INVALID); /* no seed */
    good.seed[7] = 1;
    assert_int_equal(hf_init(odd, s.bytes - 8, &good, &s.env), HF_ERR_INVALID);
    assert_int_equal(hf_init(NULL, s.bytes, &good, &s.env), HF_ERR_INVALID);
    assert_int_equal(hf_init(s.stack, s.bytes - 1, &good, &s.env), HF_ERR_TOO_LARGE);
    free(s.stack);
}

static void a_policy_is_replaced_whole_or_refused(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    struct hf_policy policy = *hf_policy(p.a.stack);
    policy.msl_ms = 5;
    assert_int_equal(hf_set_policy(p.a.stack, &p.a.env, &policy), HF_OK);
    assert_int_equal(hf_policy(p.a.stack)->msl_ms, 5);
    policy.msl_ms = 6;
    policy.ttl = 0;
    assert_int_equal(hf_set_policy(p.a.stack, &p.a.env, &policy), HF_ERR_INVALID);
    assert_int_equal(hf_set_policy(p.a.stack, &p.a.env, NULL), HF_ERR_INVALID);
    assert_int_equal(hf_policy(p.a.stack)->msl_ms, 5);
    policy = *hf_policy(p.a.stack);
    policy.orphan_share = policy.backlog_share = 100; /* per cent */
    assert_int_equal(hf_set_policy(p.a.stack, &p.a.env, &policy), HF_OK);
    policy.orphan_share = 101;
    assert_int_equal(hf_set_policy(p.a.stack, &p.a.env, &policy), HF_ERR_INVALID);
    policy.orphan_share = 100;
    policy.backlog_share = 101;
    assert_int_equal(hf_set_policy(p.a.stack, &p.a.env, &policy), HF_ERR_INVALID);
    pair_end(&p);
}

static void attaching_refuses_what_is_not_a_whole_stack_of_this_build(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    struct hf_stack *s = p.a.stack;
    assert_int_equal(hf_attach(s, p.a.bytes), HF_OK);
    assert_int_equal(hf_attach(s, p.a.bytes - 1), HF_ERR_MISMATCH);
    assert_int_equal(hf_attach(s, 10), HF_ERR_MISMATCH);
    assert_int_equal(hf_attach(NULL, p.a.bytes), HF_ERR_MISMATCH);
#define DAMAGED(member)                                                                            \
    s->member ^= 1;                                                                                \
    assert_int_equal(hf_attach(s, p.a.bytes), HF_ERR_MISMATCH);                                    \
    s->member ^= 1;
    DAMAGED(magic[0])
    DAMAGED(layout_version)
    DAMAGED(build_hash)
    DAMAGED(header_bytes)
    DAMAGED(changing) /* copied while a call was under way */
    DAMAGED(tcp.tcbs.max)
    DAMAGED(tcp.tcbs.offset)
    DAMAGED(tcp.small_offset)
    DAMAGED(tcp.secret_offset)
    DAMAGED(max_routes)
#undef DAMAGED
    pair_end(&p);
}

/* An outside reader that stays out of the secret ranges sees neither key nor payload. */
static void payload_and_keys_lie_in_secret_ranges_only(void **state)
{
    (void)state;
    static const char text[] = "a rather long line that must not be seen by an outside reader";
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    send_all(&p.b, p.client, text, sizeof text);
    exchange(&p);
    send_all(&p.a, p.server, text, sizeof text); /* stays queued */
    const struct tcp_block *b = &p.a.stack->tcp;
    const uint8_t *block = (const uint8_t *)p.a.stack;
    struct hf_extent parts[STACK_PARTS];
    uint32_t n = hf_extents(p.a.stack, parts, STACK_PARTS), seen = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *part = block + parts[i].offset;
        for (uint64_t at = 0; at + 16 <= parts[i].used; at++) {
            bool secret = memcmp(part + at, text, 16) == 0 ||
                          memcmp(part + at, block + b->secret_offset, 16) == 0;
            assert_true(!secret || parts[i].kind == HF_RANGE_SECRET);
            seen += secret;
        }
    }
    assert_int_equal(seen, 3);
    pair_end(&p);
}

/* Numbers of events begin again: the ring is full all the same. */
static void a_history_whose_numbers_have_come_round_is_whole(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    struct tcp_block *b = &p.a.stack->tcp;
    uint64_t size = b->history_size, last = UINT32_MAX / size * size;
    b->history_serial = (uint32_t)last;
    open_to(&p.a, &p.b, PAIR_PORT);
    assert_true(b->history_serial < size);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p.a.stack, &counters);
    assert_int_equal(counters.history_lost, last + b->history_serial - size);
    struct hf_extent parts[STACK_PARTS];
    uint32_t n = hf_extents(p.a.stack, parts, STACK_PARTS);
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(parts[i].name, "history") == 0) {
            assert_int_equal(parts[i].used, parts[i].reserved);
        }
    }
    pair_end(&p);
}

static void a_count_is_odd_while_a_call_is_under_way(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    struct stack st;
    uint32_t before = p.a.stack->changing;
    assert_int_equal(before % 2, 0);
    assert_int_equal(stack_enter(&st, p.a.stack, &p.a.env), HF_OK);
    assert_int_equal(p.a.stack->changing, before + 1);
    assert_int_equal(hf_attach(p.a.stack, p.a.bytes), HF_ERR_MISMATCH);
    stack_leave(&st);
    assert_int_equal(p.a.stack->changing, before + 2);
    hf_handle listener = listen_on(&p.a, 4711);
    before = p.a.stack->changing - 2;
    hf_set_cookie(p.a.stack, listener, 7); /* calls without env change something, too */
    assert_int_equal(p.a.stack->changing, before + 4);
    struct hf_icmp_report report;
    hf_error_report(p.a.stack, listener, &report);
    assert_int_equal(p.a.stack->changing, before + 6);
    hf_reclaim(p.a.stack, 4096, NULL, 0);
    assert_int_equal(p.a.stack->changing, before + 8);
    struct hf_env small = {.struct_size = 8};
    assert_int_equal(stack_enter(&st, p.a.stack, &small), HF_ERR_INVALID);
    assert_int_equal(stack_enter(&st, p.a.stack, NULL), HF_ERR_INVALID);
    pair_end(&p);
}

static void milliseconds_go_on_through_a_clock_s_zero(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_default(&config, 2);
    struct side s;
    side_begin(&s, &config, 1, -3000000);
    struct stack st;
    uint32_t last_ms = 0;
    for (int64_t now_ns = -3000000; now_ns <= 3000000; now_ns += 500000) {
        s.env.now_ns = now_ns;
        assert_int_equal(stack_enter(&st, s.stack, &s.env), HF_OK);
        assert_true(now_ns == -3000000 || st.tcp.now_ms - last_ms == (now_ns % 1000000 == 0));
        last_ms = st.tcp.now_ms;
        stack_leave(&st);
    }
    assert_int_equal(last_ms, 3);
    free(s.stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stack_of_two_connections_fits_six_kib),
        cmocka_unit_test(two_connections_of_the_smallest_stack_carry_text),
        cmocka_unit_test(an_idle_connection_is_within_its_budget),
        cmocka_unit_test(the_parts_follow_each_other_without_overlap),
        cmocka_unit_test(beginning_touches_only_the_small_parts),
        cmocka_unit_test(a_config_that_cannot_be_has_no_size),
        cmocka_unit_test(a_policy_is_replaced_whole_or_refused),
        cmocka_unit_test(attaching_refuses_what_is_not_a_whole_stack_of_this_build),
        cmocka_unit_test(payload_and_keys_lie_in_secret_ranges_only),
        cmocka_unit_test(a_count_is_odd_while_a_call_is_under_way),
        cmocka_unit_test(a_history_whose_numbers_have_come_round_is_whole),
        cmocka_unit_test(milliseconds_go_on_through_a_clock_s_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
