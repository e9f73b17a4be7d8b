/* hf_config and hf_policy: what the header says they may hold, to the last number, and the defaults
 * that it names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/stack_pair.h"

struct limit {
    const char *name;
    size_t offset, size;
    uint64_t least, most;
};

#define LIMIT(type, field, least, most)                                                            \
    {                                                                                              \
#field, offsetof(struct type, field), sizeof(((struct type *)0)->field), least, most       \
    }
#define POLICY(field, least, most) LIMIT(hf_policy, field, least, most)
#define CONFIG(field, least, most) LIMIT(hf_config, field, least, most)

enum { RECORDS = (1 << 30) - 1, TIME = 1 << 30 };

static const struct limit policy_limits[] = {
    POLICY(msl_ms, 1, TIME / 2),
    POLICY(fin_timeout_ms, 1, TIME),
    POLICY(rto_min_ms, 1, 120000),
    POLICY(rto_max_ms, 1000, TIME),
    POLICY(rto_initial_ms, 1, 120000),
    POLICY(ack_delay_ms, 1, 500),
    POLICY(quick_acks, 0, 255),
    POLICY(challenge_ack_ms, 0, TIME),
    POLICY(cookie_slot_ms, 1, TIME / 2),
    POLICY(hold_ms, 1, TIME),
    POLICY(syn_retries, 0, 254),
    POLICY(synack_retries, 0, 7),
    POLICY(data_retries, 0, 254),
    POLICY(warn_retries, 1, 255),
    POLICY(orphan_retries, 0, 254),
    POLICY(user_timeout_least_ms, 1, 3600000),
    POLICY(user_timeout_most_ms, 100000, TIME),
    POLICY(initial_cwnd, 1, 65535),
    POLICY(slow_start_l, 1, 65535),
    POLICY(min_mss, 1, 65535),
    POLICY(receive_window, 1, 15 << 20),
    POLICY(send_buffer, 1, TIME),
    POLICY(max_receive_window, 270000, TIME),
    POLICY(max_send_buffer, 1, TIME),
    POLICY(min_pmtu, 68, 65535),
    POLICY(base_mtu, 68, 65535),
    POLICY(port_first, 1, 60999),
    POLICY(port_last, 32768, 65535),
    POLICY(ttl, 1, 255),
    POLICY(mtu_probing, 0, HF_MTU_PROBING_ALWAYS),
    POLICY(dupthresh, 1, 255),
    POLICY(syn_cookies, 0, HF_COOKIES_ALWAYS),
    POLICY(congestion, 0, HF_CONGESTIONS - 1),
    POLICY(hystart, 0, HF_HYSTART_PLUSPLUS),
    POLICY(ecn, 0, HF_ECN_ASK),
};

static const struct limit config_limits[] = {
    CONFIG(max_connections, 1, RECORDS), CONFIG(max_half_open, 0, RECORDS),
    CONFIG(max_time_wait, 0, RECORDS),   CONFIG(max_active, 1, 16384),
    CONFIG(max_extras, 0, RECORDS),      CONFIG(max_stats, 0, RECORDS),
    CONFIG(max_listeners, 0, 65535),     CONFIG(max_udp, 0, 65535),
    CONFIG(max_interfaces, 1, 255),      CONFIG(max_addresses, 1, 65535),
    CONFIG(max_routes, 1, 65535),        CONFIG(max_neighbours, 0, 65535),
    CONFIG(max_packets, 0, RECORDS),     CONFIG(max_replies, 1, RECORDS),
    CONFIG(max_reassembly, 0, 65535),    CONFIG(max_ranges, 0, RECORDS),
    CONFIG(max_sent, 4, RECORDS),        CONFIG(max_regions, 0, 65535),
    CONFIG(history_events, 0, RECORDS),  CONFIG(max_tokens, 1, 1 << 24),
};

/* The largest configurations take more than 32 bits can address: there hf_size says 0 for them. */
static const bool addressable = sizeof(void *) >= 8;

/* Puts a number where it fits; false: the field cannot hold it. */
static bool put(void *record, const struct limit *limit, uint64_t value)
{
    uint8_t *at = (uint8_t *)record + limit->offset;
    if (limit->size < 4 && value >> (8 * limit->size)) {
        return false;
    }
    uint32_t number = (uint32_t)value;
    uint16_t half = (uint16_t)value;
    uint8_t octet = (uint8_t)value;
    memcpy(at,
           limit->size == 4   ? (void *)&number
           : limit->size == 2 ? (void *)&half
                              : &octet,
           limit->size);
    return true;
}

static void takes_from_least_to_most(const struct limit *limits, size_t n, bool policy)
{
    for (size_t i = 0; i < n; i++) {
        const struct limit *limit = &limits[i];
        const uint64_t values[] = {limit->least, limit->most, limit->most + 1, limit->least - 1};
        for (int v = 0; v < (limit->least ? 4 : 3); v++) {
            struct hf_config config;
            hf_config_default(&config, 4);
            void *record = policy ? (void *)&config.policy : &config;
            bool too_large = !addressable && v < 2 && values[v] > 1 << 16;
            if (put(record, limit, values[v]) && !too_large && (hf_size(&config) != 0) != (v < 2)) {
                fail_msg("%s = %llu is %s", limit->name, (unsigned long long)values[v],
                         v < 2 ? "refused" : "taken");
            }
        }
    }
}

static void a_policy_takes_each_number_from_its_least_to_its_most(void **state)
{
    (void)state;
    takes_from_least_to_most(policy_limits, sizeof policy_limits / sizeof *policy_limits, true);
}

static void a_config_takes_each_number_from_its_least_to_its_most(void **state)
{
    (void)state;
    takes_from_least_to_most(config_limits, sizeof config_limits / sizeof *config_limits, false);
}

static void chunks_are_multiples_of_64_from_64_to_4096(void **state)
{
    (void)state;
    for (uint32_t bytes = 0; bytes <= 4160; bytes += 32) {
        struct hf_config config;
        hf_config_default(&config, 4);
        config.small_chunk_bytes = bytes;
        bool right = bytes >= 64 && bytes <= 4096 && bytes % 64 == 0;
        assert_true((hf_size(&config) != 0) == right);
    }
}

static void there_is_some_payload_memory_and_no_more_than_an_index_names(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_default(&config, 4);
    config.small_chunks = config.large_chunks = config.lent_chunks = 0;
    assert_true(hf_size(&config) == 0);
    config.small_chunks = 1;
    assert_true(hf_size(&config) != 0);
    config.small_chunks = 0;
    config.large_chunks = 1;
    assert_true(hf_size(&config) != 0);
    config.small_chunks = RECORDS - 2;
    config.lent_chunks = 1;
    assert_true((hf_size(&config) != 0) == addressable);
    config.lent_chunks = 2;
    assert_true(hf_size(&config) == 0);
}

/* The flow table names each by 30 bits and a kind. */
static void the_flow_table_holds_2_to_the_31(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_default(&config, 4);
    config.max_connections = RECORDS;
    config.max_half_open = RECORDS;
    config.max_time_wait = 2;
    config.max_sent = RECORDS;
    assert_true((hf_size(&config) != 0) == addressable);
    config.max_time_wait = 3;
    assert_true(hf_size(&config) == 0);
}

static void another_size_of_the_struct_is_refused(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_default(&config, 4);
    config.struct_size--;
    assert_true(hf_size(&config) == 0);
    assert_true(hf_size(NULL) == 0);
}

/* As the header gives them; wire-defaults of mainstream stacks. */
static void the_policy_begins_as_the_header_says(void **state)
{
    (void)state;
    struct hf_config c;
    hf_config_default(&c, 4);
    const struct hf_policy *p = &c.policy;
    const uint32_t numbers[][2] = {
        {p->msl_ms, 30000},
        {p->fin_timeout_ms, 60000},
        {p->rto_min_ms, 200},
        {p->rto_max_ms, 120000},
        {p->rto_initial_ms, 1000},
        {p->ack_delay_ms, 40},
        {p->quick_acks, 16},
        {p->challenge_ack_ms, 500},
        {p->cookie_slot_ms, 60000},
        {p->hold_ms, 130000},
        {p->syn_retries, 7},
        {p->synack_retries, 5},
        {p->data_retries, 15},
        {p->warn_retries, 3},
        {p->initial_cwnd, 10},
        {p->slow_start_l, 8},
        {p->min_mss, 216},
        {p->receive_window, 270000},
        {p->send_buffer, 262144},
        {p->max_receive_window, 15 << 20},
        {p->max_send_buffer, 4 << 20},
        {p->min_pmtu, 552},
        {p->base_mtu, 1064},
        {p->port_first, 32768},
        {p->port_last, 60999},
        {p->ttl, 64},
        {p->dupthresh, 3},
        {p->orphan_retries, 8},
        {p->orphan_probes, 15},
        {p->max_orphans, 0},
        {p->orphan_share, 50},
        {p->backlog_share, 50},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_int_equal(numbers[i][0], numbers[i][1]);
    }
    assert_true(p->timestamps && p->sack && p->window_scale && p->slow_start_after_idle);
    assert_true(p->answer_echo && p->answer_closed);
    assert_false(p->tw_ignore_rst || p->tw_recycle || p->tw_syn_ack || p->rst_ts || p->zwp_octet);
}

static void defaults_are_for_as_many_connections_as_asked_for(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {2, 3, 100, 5000, 100000, RECORDS};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct hf_config c;
        hf_config_default(&c, numbers[i]);
        assert_int_equal(c.max_connections, numbers[i]);
        assert_true(numbers[i] > 1 << 20 || hf_size(&c) != 0);
        assert_true(c.max_active >= (numbers[i] < 65536 ? numbers[i] : 65536));
        assert_true(c.max_time_wait >= 16 && c.max_half_open >= 16 && c.max_listeners >= 4);
        /* Each of up to 1024 can fill its receive window and its send buffer. */
        uint64_t busy = numbers[i] < 1024 ? numbers[i] : 1024;
        uint64_t payload =
            (uint64_t)c.small_chunks * c.small_chunk_bytes + (uint64_t)c.large_chunks * 16384;
        assert_true(payload >= busy * (c.policy.receive_window + c.policy.send_buffer));
    }
    struct hf_config c;
    static const uint32_t sizes[][3] = {/* n, and as the header says: max_sent, large_chunks */
                                        {2, 16384, 640},         {16, 16384, 640},
                                        {17, 16384, 680},        {256, 16384, 10240},
                                        {257, 16448, 10280},     {5000, 320000, 40960},
                                        {16384, 1 << 20, 40960}, {100000, 1 << 20, 40960}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        hf_config_default(&c, sizes[i][0]);
        assert_int_equal(c.max_sent, sizes[i][1]);
        assert_int_equal(c.large_chunks, sizes[i][2]);
    }
    hf_config_default(&c, 0);
    assert_int_equal(c.max_connections, 2);
    hf_config_default(&c, UINT32_MAX);
    assert_int_equal(c.max_connections, RECORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_takes_each_number_from_its_least_to_its_most),
        cmocka_unit_test(a_config_takes_each_number_from_its_least_to_its_most),
        cmocka_unit_test(chunks_are_multiples_of_64_from_64_to_4096),
        cmocka_unit_test(there_is_some_payload_memory_and_no_more_than_an_index_names),
        cmocka_unit_test(the_flow_table_holds_2_to_the_31),
        cmocka_unit_test(another_size_of_the_struct_is_refused),
        cmocka_unit_test(the_policy_begins_as_the_header_says),
        cmocka_unit_test(defaults_are_for_as_many_connections_as_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
