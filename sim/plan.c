/* plan.c - a world from a seed; see plan.h.  What may be is written here, what must hold elsewhere.
 */
#include "plan.h"

#include <string.h>

#include "dice.h"

/* What dice_of is asked for. */
enum { FOR_WORLD = 1, FOR_STACK, FOR_LANE, FOR_PROGRAM, FOR_HAPPENING, FOR_KEYS, FOR_UNREST };

enum { R2_MS = 8000, SEARCH_RETRIES = 8 };
static const int64_t MS = 1000000, SECOND = 1000000000;

/* Stacks -------------------------------------------------------------------------------------- */

static void small_config(struct hf_config *config, uint64_t seed, uint32_t stack)
{
    hf_config_default(config, CONNS_MAX);
    config->max_interfaces = 1;
    config->max_addresses = 3;
    config->max_routes = 4;
    config->max_neighbours = 16;
    config->small_chunks = 384;
    config->large_chunks = 256;
    config->max_sent = 2048;
    config->max_ranges = 1024;
    config->max_fast_open_peers = 8;
    config->max_regions = 1;
    config->history_events = 0;
    config->max_tokens = 128;
    config->policy.max_receive_window = 1 << 20;
    config->policy.max_send_buffer = 1 << 20;
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t word = dice_of(seed, FOR_KEYS, 2 * stack + i);
        memcpy(config->seed + 8 * (size_t)i, &word, 8);
    }
}

/* Pools that do not hold what is wanted. */
static void tighten(struct hf_config *config, struct dice *dice)
{
    config->small_chunks = dice_between(dice, 4, 64);
    config->large_chunks = dice_between(dice, 2, 16);
    config->max_active = dice_between(dice, 2, CONNS_MAX);
    config->max_sent = config->max_active + dice_between(dice, 0, 64);
    config->max_ranges = dice_between(dice, 8, 64);
    config->max_half_open = dice_between(dice, 2, 16);
    config->max_time_wait = dice_between(dice, 2, 16);
    config->max_stats = dice_between(dice, 0, 8);
    config->max_extras = dice_between(dice, 0, 8);
    config->max_packets = dice_between(dice, 4, 32);
    config->max_replies = dice_between(dice, 2, 32);
    config->lent_chunks = dice_between(dice, 1, 16);
    config->history_events = dice_one_in(dice, 2) ? 64 : 0;
    config->max_tokens = dice_between(dice, 1, 64);
}

static void vary_times(struct hf_policy *policy, struct dice *dice, uint32_t life_ms)
{
    policy->msl_ms = dice_between(dice, life_ms, life_ms + 5000);
    policy->fin_timeout_ms = 60000;
    policy->rto_min_ms = dice_scale(dice, 5, 1000);
    policy->rto_initial_ms = dice_scale(dice, policy->rto_min_ms, 3000);
    policy->rto_max_ms = dice_between(dice, 20000, 120000);
    policy->ack_delay_ms = dice_between(dice, 1, 200);
    policy->quick_acks = dice_below(dice, 20);
    policy->challenge_ack_ms = dice_between(dice, 0, 1000);
    policy->data_retries = dice_one_in(dice, 4) ? dice_between(dice, 3, 8) : 15;
    while (policy->rto_min_ms << policy->data_retries < R2_MS) {
        policy->data_retries++; /* RFC 9293 3.8.3: beyond what the slowest lane takes */
    }
    while (policy->rto_initial_ms << policy->syn_retries < R2_MS) {
        policy->syn_retries++; /* ... and a server that thinks a SYN over (program.answer_ns) */
    }
}

static void vary_sending(struct hf_policy *policy, struct dice *dice)
{
    policy->initial_cwnd = dice_between(dice, 1, 16);
    policy->slow_start_l = dice_between(dice, 2, 8);
    policy->dupthresh = (uint8_t)dice_between(dice, 2, 5);
    policy->congestion = (uint8_t)dice_below(dice, HF_CONGESTIONS);
    policy->hystart = (uint8_t)dice_below(dice, 3);
    policy->ecn = (uint8_t)dice_below(dice, 3);
    policy->accecn = dice_one_in(dice, 3);
    policy->timestamps = !dice_one_in(dice, 3);
    policy->sack = !dice_one_in(dice, 4);
    policy->window_scale = !dice_one_in(dice, 4);
    policy->rack = !dice_one_in(dice, 3);
    policy->tlp = !dice_one_in(dice, 3);
    policy->frto = !dice_one_in(dice, 3);
    policy->undo = !dice_one_in(dice, 3);
    policy->rtt_per_ack = dice_one_in(dice, 3);
    policy->slow_start_after_idle = !dice_one_in(dice, 3);
    policy->fast_convergence = dice_one_in(dice, 2);
    policy->abe = dice_one_in(dice, 2);
    policy->pacing = dice_one_in(dice, 5);
    policy->cubic_strict = dice_one_in(dice, 2);
    policy->sack_keep_on_rto = dice_one_in(dice, 3);
    policy->zwp_octet = dice_one_in(dice, 3);
    policy->mtu_probing = (uint8_t)dice_below(dice, 3);
    policy->chunk_segments = (uint8_t)dice_below(dice, 5);
}

static void vary_receiving(struct hf_policy *policy, struct dice *dice)
{
    policy->receive_window = dice_scale(dice, 2000, 400000);
    policy->send_buffer = dice_scale(dice, 2000, 400000);
    policy->max_receive_window = policy->receive_window << dice_below(dice, 5);
    policy->max_send_buffer = policy->send_buffer << dice_below(dice, 3);
    policy->tune_buffers = !dice_one_in(dice, 3);
    policy->syn_cookies = (uint8_t)(dice_one_in(dice, 8)   ? HF_COOKIES_ALWAYS
                                    : dice_one_in(dice, 2) ? HF_COOKIES_FULL
                                                           : HF_COOKIES_OFF);
    policy->abort_on_overflow = dice_one_in(dice, 8);
    policy->tw_ignore_rst = dice_one_in(dice, 3);
    policy->tw_syn_ack = dice_one_in(dice, 3);
    policy->ts_tolerate_missing = dice_one_in(dice, 3);
    policy->rst_ts = dice_one_in(dice, 3);
    policy->fast_open |= dice_one_in(dice, 4) ? HF_FAST_OPEN_KIND_254 : 0;
}

static void make_stack(struct plan *plan, uint32_t stack)
{
    struct dice dice = {dice_of(plan->seed, FOR_STACK, stack)};
    struct stack_plan *s = &plan->stack[stack];
    small_config(&s->config, plan->seed, stack);
    if (!dice_one_in(&dice, 4)) {
        vary_times(&s->config.policy, &dice, (uint32_t)(plan->life_ns / MS));
        vary_sending(&s->config.policy, &dice);
        vary_receiving(&s->config.policy, &dice);
    }
    if (dice_one_in(&dice, 6)) {
        tighten(&s->config, &dice);
        s->tight = true;
    }
    static const uint16_t mtus[] = {HF_IPV6_MTU_MIN, 1500, 1500, 1500, 2000};
    s->iface.mtu = mtus[dice_below(&dice, 5)];
    if (dice_one_in(&dice, 3)) {
        s->iface.offload = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6;
    } else if (dice_one_in(&dice, 3)) {
        s->iface.offload = HF_OFFLOAD_CSUM;
    }
}

static void finish_stack(struct plan *plan, uint32_t stack)
{
    struct hf_interface *iface = &plan->stack[stack].iface;
    iface->struct_size = sizeof *iface;
    iface->link = plan->ethernet ? HF_LINK_ETHERNET : HF_LINK_IP;
    memcpy(iface->mac, (const uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(stack + 1)}, 6);
}

void plan_plain_stack(struct plan *plan, uint32_t stack)
{
    struct stack_plan *s = &plan->stack[stack];
    small_config(&s->config, plan->seed, stack);
    s->iface = (struct hf_interface){.mtu = 1500};
    s->tight = false;
    finish_stack(plan, stack);
}

/* The wire ------------------------------------------------------------------------------------ */

static void make_lane(struct plan *plan, uint32_t from, uint32_t to, uint32_t harm)
{
    struct dice dice = {dice_of(plan->seed, FOR_LANE, from * STACKS_MAX + to)};
    struct lane_plan *lane = &plan->lane[from][to];
    lane->delay_ns = 1000 * (int64_t)dice_scale(&dice, 10, 100000);
    lane->jitter_ns = dice_one_in(&dice, 3) ? lane->delay_ns / 4 : 0;
    lane->late_ns = 1000 * (int64_t)dice_scale(&dice, 100, 800000);
    if (dice_one_in(&dice, 3)) {
        lane->ns_byte = dice_scale(&dice, 1, 4000);
        lane->queue_bytes = dice_scale(&dice, 8000, 200000);
        lane->mark_bytes = dice_one_in(&dice, 2) ? lane->queue_bytes / 4 : 0;
        /* a full queue is emptied within the life of a frame */
        uint32_t most = (uint32_t)(800 * MS / lane->ns_byte);
        lane->queue_bytes = lane->queue_bytes < most ? lane->queue_bytes : most;
    }
    if (harm == 0 || dice_one_in(&dice, 6)) {
        return;
    }
    lane->lose = dice_below(&dice, 2 * harm);
    lane->twice = dice_one_in(&dice, 2) ? dice_below(&dice, harm) : 0;
    lane->late = dice_one_in(&dice, 2) ? dice_below(&dice, harm) : 0;
    lane->corrupt = dice_one_in(&dice, 3) ? dice_below(&dice, harm / 2 + 1) : 0;
    lane->mark = dice_one_in(&dice, 4) ? dice_below(&dice, harm) : 0;
    if (dice_one_in(&dice, 4)) {
        lane->burst = dice_below(&dice, 2 * harm);
        lane->burst_frames = dice_between(&dice, 2, 32);
    }
}

void plan_plain_lanes(struct plan *plan)
{
    for (uint32_t from = 0; from < STACKS_MAX; from++) {
        for (uint32_t to = 0; to < STACKS_MAX; to++) {
            plan->lane[from][to].jitter_ns = 0;
            plan->lane[from][to].ns_byte = 0;
        }
    }
}

static void make_happenings(struct plan *plan, struct dice *dice)
{
    plan->n_happenings = dice_one_in(dice, 3) ? dice_between(dice, 1, HAPPENINGS_MAX) : 0;
    for (uint32_t i = 0; i < plan->n_happenings; i++) {
        struct happening *h = &plan->happening[i];
        int64_t span_ns = plan->clean_ns - plan->begin_ns;
        h->kind = (enum happening_kind)dice_below(dice, 3);
        h->stacks = dice_below(dice, plan->n_stacks);
        h->from_ns = plan->begin_ns + span_ns / 1024 * dice_below(dice, 900);
        h->until_ns = h->from_ns + MS * dice_scale(dice, 10, 20000);
        h->mtu = dice_between(dice, 600, 1499);
        h->told = !dice_one_in(dice, 4);
        if (h->kind == HAPPENS_PARTITION) {
            h->stacks = 1u << h->stacks;
        }
        if (h->kind == HAPPENS_REBOOT) {
            /* RFC 9293 3.4.3: quiet until nothing of its past is on its way */
            h->until_ns = h->from_ns + plan->life_ns + MS * dice_scale(dice, 1, 3000);
        }
        if (h->until_ns > plan->clean_ns) {
            h->until_ns = plan->clean_ns;
            h->kind = h->kind == HAPPENS_REBOOT ? HAPPENS_PARTITION : h->kind;
            h->stacks = h->kind == HAPPENS_PARTITION ? 1 : h->stacks;
        }
    }
}

/* Programs ------------------------------------------------------------------------------------ */

static void vary_options(struct role *role, struct dice *dice)
{
    static const enum hf_option bits[] = {HF_NODELAY, HF_QUICK_ACK, HF_KEEPALIVE, HF_CORK,
                                          HF_MAY_FRAGMENT};
    for (uint32_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        role->set |= dice_one_in(dice, 6) ? 1u << bits[i] : 0;
    }
    role->receive_window = dice_one_in(dice, 5) ? dice_scale(dice, 1, 65536) : 0;
    role->send_buffer = dice_one_in(dice, 5) ? dice_scale(dice, 1, 65536) : 0;
    role->max_segment = dice_one_in(dice, 5) ? dice_between(dice, 216, 1460) : 0;
}

static void make_role(struct role *role, struct dice *dice, uint32_t most)
{
    *role = (struct role){
        .bytes = dice_one_in(dice, 8)   ? 0
                 : dice_one_in(dice, 2) ? dice_between(dice, most / 2, most)
                                        : dice_scale(dice, 1, most),
        .chunk = dice_scale(dice, 64, 32768),
        .release = dice_one_in(dice, 3),
        .borrowed = dice_one_in(dice, 4),
        .slices = dice_one_in(dice, 3),
        .abort_at = UINT32_MAX,
        .pause_us = dice_one_in(dice, 6) ? dice_scale(dice, 10, 50000) : 0,
    };
    if (role->pause_us > 1000 && role->bytes > 65536) {
        role->bytes = 65536;
    }
    vary_options(role, dice);
}

/* A narrow way takes long: not more than so many fillings of the smaller buffer. */
static void bound_text(struct role *role, const struct role *peer)
{
    enum { FILLINGS = 30 };
    int64_t way = peer->receive_window ? peer->receive_window : 65536;
    way = role->send_buffer && role->send_buffer < way ? role->send_buffer : way;
    if (role->gate != GATE_TURNS && role->bytes > way * FILLINGS) {
        role->bytes = (uint32_t)(way * FILLINGS);
    }
}

static void make_kind(struct program *p, struct dice *dice)
{
    struct role *client = &p->role[0], *server = &p->role[1];
    switch (p->kind) {
    case PROGRAM_REQUESTS:
        client->unit = dice_scale(dice, 1, 4000);
        server->unit = dice_scale(dice, 1, 20000);
        uint32_t rounds = dice_between(dice, 1, 20);
        client->bytes = rounds * client->unit;
        server->bytes = rounds * server->unit;
        client->gate = server->gate = GATE_TURNS;
        client->receive_window = server->receive_window = 0;
        client->send_buffer = server->send_buffer = 0;
        client->closing = CLOSE_CAME;
        server->closing = CLOSE_END;
        break;
    case PROGRAM_HALF_CLOSE:
        client->closing = CLOSE_SENT;
        server->gate = GATE_END;
        server->closing = CLOSE_END;
        break;
    case PROGRAM_ABORT: {
        struct role *who = &p->role[dice_below(dice, 2)];
        who->abort_at = who->bytes ? dice_below(dice, who->bytes) : 0;
        break;
    }
    case PROGRAM_STORM:
        p->conns = (uint16_t)dice_between(dice, 4, 24);
        p->every_ns = 1000 * (int64_t)dice_below(dice, 2000);
        client->bytes %= 3000;
        server->bytes %= 3000;
        break;
    case PROGRAM_AGAIN:
        p->conns = (uint16_t)dice_between(dice, 2, 10);
        client->bytes %= 20000;
        server->bytes %= 20000;
        break;
    default:
        break;
    }
}

static void make_program(struct plan *plan, uint32_t i, uint32_t most)
{
    struct dice dice = {dice_of(plan->seed, FOR_PROGRAM, i)};
    struct program *p = &plan->program[i];
    p->kind = (enum program_kind)dice_below(&dice, PROGRAM_KINDS);
    p->client = (uint8_t)dice_below(&dice, plan->n_stacks);
    p->server = (uint8_t)dice_below(&dice, plan->n_stacks - 1);
    p->server += p->server >= p->client ? 1 : 0;
    p->v6 = dice_one_in(&dice, 2);
    p->fast_open = p->kind != PROGRAM_BOTH && dice_one_in(&dice, 4);
    p->conns = (uint16_t)(p->kind == PROGRAM_BOTH ? 1 : dice_between(&dice, 1, 3));
    p->backlog = (uint16_t)dice_scale(&dice, 1, 32);
    p->every_ns = MS * dice_scale(&dice, 1, 2000);
    p->at_ns = plan->begin_ns + (plan->clean_ns - plan->begin_ns) / 1024 *
                                    (dice_one_in(&dice, 2) ? 0 : dice_below(&dice, 1000));
    /* some begin when nothing goes wrong any more: they must not fail */
    p->at_ns = dice_one_in(&dice, 6) ? plan->clean_ns + 60 * SECOND : p->at_ns;
    for (uint32_t side = 0; side < 2; side++) {
        make_role(&p->role[side], &dice, most);
        p->role[side].closing = CLOSE_SENT;
    }
    if (dice_one_in(&dice, 3)) {
        p->role[dice_below(&dice, 2)].closing = CLOSE_END;
    }
    make_kind(p, &dice);
    for (uint32_t side = 0; side < 2; side++) {
        bound_text(&p->role[side], &p->role[!side]);
    }
}

/* Unrest --------------------------------------------------------------------------------------- */

static void make_rests(struct plan *plan, struct dice *dice)
{
    enum { DAY_S = 86400, MOST_REST_S = 60 * DAY_S, MOST_DEAF_S = 3 * 3600 };
    for (uint32_t i = 0; i < 2 * plan->n_programs; i++) {
        struct role *role = &plan->program[i / 2].role[i % 2];
        if (dice_one_in(dice, 2)) {
            role->rest_ns = SECOND * dice_scale(dice, 1, MOST_REST_S);
            role->rest_at = dice_between(dice, 0, role->bytes);
        }
        if (dice_one_in(dice, 4)) {
            role->deaf_ns = SECOND * dice_scale(dice, 1, MOST_DEAF_S);
            role->deaf_at = dice_between(dice, 0, plan->program[i / 2].role[!(i % 2)].bytes);
        }
    }
}

/* What few would set. */
static void vary_unusual(struct hf_policy *policy, struct dice *dice)
{
    policy->reset_rate = dice_one_in(dice, 2) ? dice_between(dice, 1, 50) : policy->reset_rate;
    policy->tw_recycle = dice_one_in(dice, 2);
    policy->answer_closed = !dice_one_in(dice, 4);
    policy->cookie_slot_ms = dice_between(dice, 4000, 60000);
    policy->warn_retries = dice_between(dice, 3, 6);
    policy->base_mtu = (uint16_t)dice_between(dice, 600, 1400);
    if (dice_one_in(dice, 2)) {
        policy->port_first = 40000;
        policy->port_last = (uint16_t)dice_between(dice, 40003, 40040);
    }
}

/* One stack is behind a link that is narrower than its own.  Where no router says so, those who
 * send there have to find out, which takes some timeouts (RFC 4821 7.7). */
static void make_narrow(struct plan *plan, struct dice *dice)
{
    plan->narrow = dice_below(dice, plan->n_stacks);
    plan->narrow_mtu = dice_between(dice, 600, 1499);
    plan->narrow_told = dice_one_in(dice, 2);
    for (uint32_t i = 0; i < plan->n_stacks && !plan->narrow_told; i++) {
        struct hf_policy *policy = &plan->stack[i].config.policy;
        policy->mtu_probing = (uint8_t)dice_between(dice, 1, 2);
        if (policy->data_retries < SEARCH_RETRIES) {
            policy->data_retries = SEARCH_RETRIES;
        }
    }
}

/* What was agreed with peers stays, and what the watchers and the slowest lane rely on. */
static void make_change(struct plan *plan, struct change *change, struct dice *dice)
{
    change->stack = dice_below(dice, plan->n_stacks);
    change->at_ns =
        plan->begin_ns + (plan->clean_ns - plan->begin_ns) / 512 * dice_below(dice, 1024);
    const struct hf_policy *old = &plan->stack[change->stack].config.policy;
    struct hf_policy *policy = &change->policy;
    *policy = *old;
    vary_sending(policy, dice);
    policy->timestamps = old->timestamps;
    policy->window_scale = old->window_scale;
    policy->zwp_octet = old->zwp_octet;
    policy->mtu_probing = plan->narrow_mtu ? old->mtu_probing : policy->mtu_probing;
    policy->receive_window = dice_scale(dice, 2000, old->max_receive_window);
    policy->send_buffer = dice_scale(dice, 2000, old->max_send_buffer);
    policy->tune_buffers = !dice_one_in(dice, 3);
    policy->ack_delay_ms = dice_between(dice, 1, 200);
    policy->quick_acks = dice_below(dice, 20);
    policy->predict = dice_one_in(dice, 2);
    change->listeners = change->at_ns < plan->clean_ns && dice_one_in(dice, 4);
    change->fast_open = dice_one_in(dice, 4);
    change->addresses = dice_one_in(dice, 4);
}

static void make_unrest(struct plan *plan)
{
    struct dice dice = {dice_of(plan->seed, FOR_UNREST, 0)};
    plan->rests = dice_one_in(&dice, 8);
    plan->restless = dice_one_in(&dice, 6);
    plan->n_changes = dice_one_in(&dice, 6) ? dice_between(&dice, 1, CHANGES_MAX) : 0;
    for (uint32_t i = 0; i < plan->n_stacks; i++) {
        if (plan->restless) {
            plan->stack[i].config.history_events = 256;
        }
        if (dice_one_in(&dice, 8)) {
            vary_unusual(&plan->stack[i].config.policy, &dice);
        }
    }
    if (dice_one_in(&dice, 10)) {
        make_narrow(plan, &dice);
    }
    if (plan->rests) {
        make_rests(plan, &dice);
    }
    for (uint32_t i = 0; i < plan->n_programs; i++) {
        struct program *p = &plan->program[i];
        p->holds = p->kind != PROGRAM_BOTH && dice_one_in(&dice, 10);
        p->answer_ns = dice_one_in(&dice, 2) ? 0 : MS * dice_scale(&dice, 1, 2000);
        p->role[dice_below(&dice, 2)].pace =
            dice_one_in(&dice, 6) ? dice_scale(&dice, 20000, 4000000) : 0;
        p->defers = dice_one_in(&dice, 3) && p->role[0].bytes && p->role[0].gate != GATE_END;
    }
    for (uint32_t i = 0; i < plan->n_changes; i++) {
        make_change(plan, &plan->change[i], &dice);
    }
}

void plan_calm(struct plan *plan)
{
    plan->rests = plan->restless = false;
    plan->n_changes = plan->narrow_mtu = 0;
    for (uint32_t i = 0; i < plan->n_programs; i++) {
        struct program *p = &plan->program[i];
        p->holds = p->defers = false;
        for (uint32_t side = 0; side < 2; side++) {
            p->role[side].pace = 0;
            p->role[side].rest_ns = p->role[side].deaf_ns = 0;
        }
    }
}

void plan_make(struct plan *plan, uint64_t seed)
{
    struct dice dice = {dice_of(seed, FOR_WORLD, 0)};
    static const uint32_t harms[] = {0, 1000, 10000, 30000, 100000};
    memset(plan, 0, sizeof *plan);
    plan->seed = seed;
    plan->n_stacks = dice_one_in(&dice, 3) ? dice_between(&dice, 2, STACKS_MAX) : 2;
    plan->n_programs = dice_between(&dice, 1, PROGRAMS_MAX);
    plan->ethernet = dice_one_in(&dice, 3);
    plan->batch = dice_one_in(&dice, 2) ? 1 : dice_between(&dice, 2, 64);
    plan->quantum_ns = plan->batch == 1 ? 1 : 1000 * (int64_t)dice_scale(&dice, 1, 500);
    /* milliseconds and microseconds of 32 bits come round soon */
    static const int64_t begins[] = {1000, (1LL << 32) - 4000, 4294967, (1LL << 31) - 3000};
    plan->begin_ns = MS * (begins[dice_below(&dice, 4)] + dice_below(&dice, 3000));
    struct dice zero = {dice_of(seed, FOR_UNREST, 1)};
    if (dice_one_in(&zero, 10)) { /* and the first second */
        plan->begin_ns = MS * dice_below(&zero, 1000) + 1;
    }
    plan->clean_ns = plan->begin_ns + MS * dice_scale(&dice, 500, 40000);
    plan->life_ns = 2000 * MS;
    uint32_t harm = harms[dice_below(&dice, 5)];
    for (uint32_t i = 0; i < plan->n_stacks; i++) {
        make_stack(plan, i);
        finish_stack(plan, i);
        for (uint32_t to = 0; to < plan->n_stacks; to++) {
            make_lane(plan, i, to, harm);
        }
    }
    uint32_t most = dice_scale(&dice, 1000, 1 << 20);
    for (uint32_t i = 0; i < plan->n_programs; i++) {
        make_program(plan, i, most);
    }
    make_happenings(plan, &dice);
    make_unrest(plan);
}
