/* config.c - defaults and limits of struct hf_config and of the policy. */
#include "stack/stack.h"

enum {
    MAX_RECORDS = (1 << 30) - 1, /* an index has thirty bits in handles and in the flow table */
    MAX_HALF_OPEN = 1 << 24,
    MAX_WINDOW = 1 << 30, /* RFC 7323 2.3: 65535 << 14 */
    MAX_TIME_MS = 1 << 30,
    MAX_RESET_RATE = 1000000,
    FAST_OPEN_BITS = HF_FAST_OPEN_CLIENT | HF_FAST_OPEN_SERVER | HF_FAST_OPEN_CLIENT_NO_COOKIE |
                     HF_FAST_OPEN_KIND_254 | HF_FAST_OPEN_SERVER_NO_COOKIE,
};

static const struct hf_policy default_policy = {
    .msl_ms = 30000,
    .fin_timeout_ms = 60000,
    .rto_min_ms = 200,
    .rto_max_ms = 120000,
    .rto_initial_ms = 1000,
    .ack_delay_ms = 40,
    .quick_acks = 16,
    .challenge_ack_ms = 500,
    .reset_rate = 3200,
    .cookie_slot_ms = 60000,
    .hold_ms = 130000,
    .syn_retries = 7,
    .synack_retries = 5,
    .data_retries = 15,
    .warn_retries = 3,
    .orphan_retries = 8,
    .orphan_probes = 15,
    .orphan_share = 50,
    .backlog_share = 50,
    .user_timeout_least_ms = 100000,
    .user_timeout_most_ms = 3600000,
    .initial_cwnd = 10,
    .slow_start_l = 8,
    .min_mss = 216,
    .receive_window = 270000,
    .send_buffer = 262144,
    .max_receive_window = 15 << 20,
    .max_send_buffer = 4 << 20,
    .min_pmtu = 552,
    .base_mtu = 1064,
    .port_first = 32768,
    .fast_open = HF_FAST_OPEN_CLIENT | HF_FAST_OPEN_SERVER,
    .port_last = 60999,
    .ttl = 64,
    .chunk_segments = 2,
    .mtu_probing = HF_MTU_PROBING_BLACK_HOLE,
    .dupthresh = 3,
    .syn_cookies = HF_COOKIES_FULL,
    .congestion = HF_CUBIC,
    .hystart = HF_HYSTART_HYBRID,
    .ecn = HF_ECN_ACCEPT,
    .timestamps = true,
    .sack = true,
    .window_scale = true,
    .rack = true,
    .tlp = true,
    .frto = true,
    .undo = true,
    .slow_start_after_idle = true,
    .predict = true,
    .fast_convergence = true,
    .abe = true,
    .tune_buffers = true,
    .answer_echo = true,
    .answer_closed = true,
};

static uint32_t between(uint32_t low, uint64_t wanted, uint32_t high)
{
    return (uint32_t)max_u64(low, min_u64(wanted, high));
}

void hf_config_default(struct hf_config *config, uint32_t n)
{
    n = between(2, n, MAX_RECORDS);
    uint32_t busy = min_u32(n, 1024); /* as many may fill their buffers at one time */
    uint32_t compact = max_u32(n, n < 64 ? 16 : 1024);
    *config = (struct hf_config){
        .struct_size = sizeof *config,
        .max_connections = n,
        .max_half_open = min_u32(compact, MAX_HALF_OPEN),
        .max_time_wait = min_u32(compact, MAX_RECORDS - MAX_HALF_OPEN),
        .max_active = min_u32(n, 65536),
        .max_extras = between(4, n, 65536),
        .max_stats = min_u32(n, 65536),
        .max_listeners = between(4, n / 4, 1024),
        .max_udp = between(4, n / 4, 1024),
        .max_interfaces = 8,
        .max_addresses = 32,
        .max_routes = 64,
        .max_neighbours = between(16, n, 256),
        .max_packets = between(32, n, 1024),
        .max_replies = between(32, n, 1024),
        .max_reassembly = between(4, n / 4, 64),
        .max_ranges = between(128, (uint64_t)n * 16, 1 << 18),
        .max_sent = between(16384, (uint64_t)n * 64, 1 << 20),
        .small_chunks = busy * 64 + min_u32(n, 65536),
        .small_chunk_bytes = 2048,
        .large_chunks = max_u32(busy * 40, 640), /* one alone may have a long fat path */
        .lent_chunks = between(64, (uint64_t)n * 16, 65536),
        .max_regions = 16,
        .history_events = between(256, (uint64_t)n * 64, 65536),
        .max_tokens = 4096,
        .max_fast_open_peers = between(4, n / 4 * 4, 256),
        .policy = default_policy,
    };
}

static bool in(uint64_t low, uint64_t value, uint64_t high)
{
    return low <= value && value <= high;
}

/* The records whose numbers an index must hold. */
static bool records_ok(const struct hf_config *c)
{
    uint64_t flows = (uint64_t)c->max_connections + c->max_half_open + c->max_time_wait;
    uint64_t chunks = (uint64_t)c->small_chunks + c->large_chunks + c->lent_chunks;
    return in(1, c->max_connections, MAX_RECORDS) && c->max_half_open <= MAX_RECORDS &&
           c->max_time_wait <= MAX_RECORDS && flows <= (uint64_t)1 << 31 &&
           in(1, c->max_active, MAX_RECORDS) && c->max_extras <= MAX_RECORDS &&
           c->max_stats <= MAX_RECORDS && c->max_ranges <= MAX_RECORDS &&
           in(c->max_active, c->max_sent, MAX_RECORDS) &&
           in(1, (uint64_t)c->small_chunks + c->large_chunks, MAX_RECORDS) &&
           chunks <= MAX_RECORDS && in(64, c->small_chunk_bytes, 4096) &&
           c->small_chunk_bytes % 64 == 0 && c->history_events <= MAX_RECORDS;
}

bool stack_config_ok(const struct hf_config *c)
{
    return c != NULL && c->struct_size == sizeof *c && records_ok(c) &&
           c->max_listeners <= UINT16_MAX && c->max_udp <= UINT16_MAX &&
           in(1, c->max_interfaces, 255) && in(1, c->max_addresses, UINT16_MAX) &&
           in(1, c->max_routes, UINT16_MAX) && c->max_neighbours <= UINT16_MAX &&
           c->max_packets <= MAX_RECORDS && in(1, c->max_replies, MAX_RECORDS) &&
           c->max_reassembly <= UINT16_MAX && c->max_regions <= UINT16_MAX &&
           in(1, c->max_tokens, 1 << 24) && c->max_fast_open_peers <= UINT16_MAX &&
           c->max_fast_open_peers % 4 == 0 && stack_policy_ok(&c->policy);
}

static bool times_ok(const struct hf_policy *p)
{
    return in(1, p->msl_ms, MAX_TIME_MS / 2) && in(1, p->fin_timeout_ms, MAX_TIME_MS) &&
           in(1, p->rto_min_ms, p->rto_max_ms) && p->rto_max_ms <= MAX_TIME_MS &&
           in(1, p->rto_initial_ms, p->rto_max_ms) && in(1, p->ack_delay_ms, 500) &&
           p->challenge_ack_ms <= MAX_TIME_MS && p->reset_rate <= MAX_RESET_RATE &&
           in(1, p->hold_ms, MAX_TIME_MS) && in(1, p->cookie_slot_ms, MAX_TIME_MS / 2);
}

bool stack_policy_ok(const struct hf_policy *p)
{
    return times_ok(p) && p->quick_acks <= UINT8_MAX && p->syn_retries < UINT8_MAX &&
           p->syn_cookies <= HF_COOKIES_ALWAYS && (p->fast_open & ~FAST_OPEN_BITS) == 0 &&
           p->synack_retries < HALF_LISTS && p->data_retries < UINT8_MAX &&
           p->orphan_retries < UINT8_MAX && p->orphan_share <= 100 && p->backlog_share <= 100 &&
           in(1, p->warn_retries, UINT8_MAX) &&
           in(1, p->user_timeout_least_ms, p->user_timeout_most_ms) &&
           p->user_timeout_most_ms <= MAX_TIME_MS && in(1, p->initial_cwnd, UINT16_MAX) &&
           in(1, p->slow_start_l, UINT16_MAX) && in(1, p->min_mss, UINT16_MAX) &&
           in(1, p->max_receive_window, MAX_WINDOW) &&
           in(1, p->receive_window, p->max_receive_window) && in(1, p->send_buffer, MAX_WINDOW) &&
           in(1, p->max_send_buffer, MAX_WINDOW) && in(68, p->min_pmtu, UINT16_MAX) &&
           in(68, p->base_mtu, UINT16_MAX) && p->mtu_probing <= HF_MTU_PROBING_ALWAYS &&
           in(1, p->port_first, p->port_last) && p->ttl != 0 && p->dupthresh != 0 &&
           p->congestion < HF_CONGESTIONS && p->hystart <= HF_HYSTART_PLUSPLUS &&
           p->ecn <= HF_ECN_ASK;
}

const struct hf_policy *hf_policy(const struct hf_stack *stack)
{
    return &stack->tcp.policy;
}

int hf_set_policy(struct hf_stack *stack, const struct hf_env *env, const struct hf_policy *policy)
{
    struct stack st;
    if (policy == NULL || !stack_policy_ok(policy) || stack_enter(&st, stack, env) != HF_OK) {
        return HF_ERR_INVALID;
    }
    tcp_half_open_policy(&st.tcp, policy);
    stack->tcp.policy = *policy;
    stack_leave(&st);
    return HF_OK;
}
