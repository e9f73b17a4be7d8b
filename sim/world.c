/* world.c - a world from its first event to its last, in virtual time; see world.h. */
#include "world.h"

#include <handfast/check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_OUT = 32, FRAMES_IN = 64, FOR_BOOT = 32, FOR_PATTERN, CHECK_EACH = 64 };
static const int64_t SECOND = 1000000000;
/* After the last connection has been opened on a clean wire, all is over within this. */
static const int64_t PATIENCE_NS = 1500 * SECOND, SWEEP_NS = 10 * SECOND;

void world_wrong(struct world *world, const struct conn *conn, const char *rule, const char *format,
                 ...)
{
    struct sim_wrong *wrong = &world->result->wrong;
    va_list args;
    va_start(args, format);
    if (world_failed(world)) {
        va_end(args);
        return;
    }
    snprintf(wrong->rule, sizeof wrong->rule, "%s", rule);
    vsnprintf(wrong->detail, sizeof wrong->detail, format, args);
    va_end(args);
    wrong->seed = world->plan.seed;
    wrong->time_ns = world->now_ns - world->plan.begin_ns;
    world->result->counts.violations++;
    if (conn) {
        const struct program *p = &world->plan.program[conn->program];
        wrong->host = p->client;
        memcpy(wrong->local, conn->local.ip, 16);
        world_address(wrong->remote, p->server, p->v6);
        wrong->local_port = conn->local.port;
        wrong->remote_port = conn->port;
    }
}

/* Stacks -------------------------------------------------------------------------------------- */

static bool add_addresses(struct host *h, uint32_t host, const struct stack_plan *plan)
{
    uint8_t ip[16];
    world_address(ip, host, false);
    bool ok = hf_address_add(h->stack, &h->env, 1, ip, 24) == HF_OK;
    world_address(ip, host, true);
    ok = ok && hf_address_add(h->stack, &h->env, 1, ip, 64) == HF_OK;
    if (plan->iface.link == HF_LINK_ETHERNET) {
        const uint8_t *mac = plan->iface.mac;
        const uint8_t local[16] = {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2],
                                   0xff, 0xfe, mac[3],           mac[4], mac[5]};
        ok = ok && hf_address_add(h->stack, &h->env, 1, local, 64) == HF_OK;
    }
    return ok;
}

static void boot(struct world *world, uint32_t host)
{
    struct host *h = &world->host[host];
    struct stack_plan *plan = &world->plan.stack[host];
    struct hf_config config = plan->config;
    uint64_t bytes = hf_size(&config);
    uint64_t seed = dice_of(world->plan.seed, FOR_BOOT, host << 8 | h->boots);
    memcpy(config.seed, &seed, sizeof seed); /* another secret each time */
    if (bytes > h->block_bytes) {
        free(h->stack);
        h->stack = aligned_alloc(64, bytes);
        h->block_bytes = h->stack ? bytes : 0;
    }
    h->env.now_ns = world->now_ns;
    h->boots++;
    h->down = false;
    h->touched = true;
    watch_begin(world, host);
    if (h->stack == NULL || hf_init(h->stack, bytes, &config, &h->env) != HF_OK ||
        hf_interface_add(h->stack, &h->env, &plan->iface) != 1 || !add_addresses(h, host, plan) ||
        hf_region_add(h->stack, &h->env, 1) != HF_OK) {
        world_wrong(world, NULL, "init", "stack %u cannot be made from its config", host + 1);
        h->down = true;
        return;
    }
    programs_listen(world, host);
}

static void output(struct world *world, uint32_t host)
{
    struct host *h = &world->host[host];
    static struct hf_frame_out frames[FRAMES_OUT];
    uint32_t n;
    while ((n = hf_output(h->stack, &h->env, frames, FRAMES_OUT)) != 0) {
        for (uint32_t i = 0; i < n; i++) {
            wire_offer(world, host, &frames[i]);
            hf_output_done(h->stack, &h->env, frames[i].token);
        }
    }
}

/* hf_check looks at all records: after each call in one world of so many, else now and then. */
static bool is_to_check(struct world *world)
{
    return ++world->turn % CHECK_EACH == 0 || world->plan.seed % CHECK_EACH == 0;
}

/* Does its block hold together? */
static void check(struct world *world, uint32_t host)
{
    struct host *h = &world->host[host];
    struct hf_flaw flaw = {.struct_size = sizeof flaw};
    char text[sizeof world->result->wrong.detail];
    uint64_t needed = hf_check_bytes(h->stack);
    if (needed > h->marks_bytes) {
        free(h->marks);
        h->marks = malloc(2 * needed);
        h->marks_bytes = h->marks ? 2 * needed : 0;
    }
    int error = hf_check(h->stack, h->block_bytes, h->marks, h->marks_bytes, &flaw);
    if (error == HF_ERR_MISMATCH) {
        world_wrong(world, NULL, flaw.invariant, "stack %u, %s", host + 1,
                    hf_flaw_text(&flaw, text, sizeof text));
    } else if (error != HF_OK) {
        world_wrong(world, NULL, "memory", "no room for the marks of hf_check");
    }
}

/* Whatever has touched a stack: its programs hear of it, what it owes leaves. */
static void settle(struct world *world, uint32_t host)
{
    struct host *h = &world->host[host];
    if (h->touched && !h->down && !world_failed(world)) {
        h->touched = false;
        programs_events(world, host);
        output(world, host);
        h->deadline_ns = hf_deadline(h->stack, &h->env);
        if (is_to_check(world)) {
            check(world, host);
            judge_ends(world);
        }
    }
    if (h->down) {
        h->deadline_ns = INT64_MAX;
    }
}

/* Time ---------------------------------------------------------------------------------------- */

static void set_time(struct world *world, int64_t now_ns)
{
    world->now_ns = now_ns;
    for (uint32_t i = 0; i < world->plan.n_stacks; i++) {
        world->host[i].env.now_ns = now_ns;
    }
}

/* Frames that arrive now at one stack, as many as are given to it at once. */
static void take_in(struct world *world, struct due first)
{
    struct hf_frame_in frames[FRAMES_IN];
    uint32_t slots[FRAMES_IN], n = 0, to = world->wire.slot[first.which].to;
    struct host *h = &world->host[to];
    const struct agenda *agenda = &world->agenda;
    struct due due = first;
    for (;;) {
        const struct slot *slot = &world->wire.slot[due.which];
        slots[n] = due.which;
        frames[n++] = (struct hf_frame_in){.data = slot->data,
                                           .len = slot->len,
                                           .iface = 1,
                                           .flags = slot->flags,
                                           .gso_size = slot->gso_size};
        if (n == world->plan.batch || n == FRAMES_IN || agenda_next(agenda) > world->now_ns ||
            agenda->heap[0].kind != DUE_FRAME || world->wire.slot[agenda->heap[0].which].to != to) {
            break;
        }
        due = agenda_take(&world->agenda);
    }
    if (!h->down) {
        watch_input(world, to, n);
        hf_input(h->stack, &h->env, frames, n);
        h->touched = true;
    }
    for (uint32_t i = 0; i < n; i++) {
        wire_free(world, slots[i]);
    }
    settle(world, to);
}

static void happens(struct world *world, struct due due)
{
    struct conn *conn = &world->conn[due.which % CONNS_MAX];
    uint32_t host;
    switch (due.kind) {
    case DUE_FRAME:
        take_in(world, due);
        break;
    case DUE_WAKE:
        conn->side[due.side].wakes = false;
        if (conn->side[due.side].handle) {
            talk(world, conn, due.side);
        }
        break;
    case DUE_RESTED:
        talk(world, conn, due.side);
        break;
    case DUE_OPEN:
        programs_open(world, due.which);
        break;
    case DUE_DOWN:
        host = world->plan.happening[due.which].stacks;
        world->host[host].down = true;
        world->result->counts.faults++;
        programs_forget(world, host);
        break;
    case DUE_UP:
        host = world->plan.happening[due.which].stacks;
        if (world->host[host].down) {
            boot(world, host);
        }
        break;
    case DUE_ANSWER:
        hold_answer(world, due.which);
        break;
    case DUE_CHANGE:
        unrest_change(world, due.which);
        break;
    default:
        programs_sweep(world);
        agenda_put(&world->agenda,
                   (struct due){.at_ns = world->now_ns + SWEEP_NS +
                                         unrest_patience(world, world->plan.clean_ns),
                                .kind = DUE_SWEEP});
        break;
    }
}

/* Is a stack as it was before the first connection? */
static bool is_empty(const struct host *h)
{
    struct hf_counters c = {.struct_size = sizeof c};
    hf_counters(h->stack, &c);
    return c.connections == 0 && c.half_open == 0 && c.time_wait == 0 && c.active == 0 &&
           c.small_chunks == 0 && c.large_chunks == 0 && c.ranges == 0 && c.sent == 0;
}

static bool all_over(struct world *world)
{
    if (!programs_done(world)) {
        return false;
    }
    for (uint32_t i = 0; i < world->plan.n_stacks; i++) {
        if (!is_empty(&world->host[i])) {
            return false;
        }
    }
    return true;
}

static int64_t next_time(const struct world *world)
{
    int64_t next_ns = agenda_next(&world->agenda);
    for (uint32_t i = 0; i < world->plan.n_stacks; i++) {
        int64_t deadline_ns = world->host[i].deadline_ns;
        next_ns = deadline_ns < next_ns ? deadline_ns : next_ns;
    }
    return next_ns;
}

static void not_over(struct world *world)
{
    for (uint32_t i = 0; i < world->n_conns; i++) {
        const struct conn *conn = &world->conn[i];
        if (!conn->done) {
            world_wrong(world, conn, "never-ends",
                        "connection %u of program %u (%llu and %llu octets read) does not end",
                        conn->number, conn->program, (unsigned long long)conn->side[1].received,
                        (unsigned long long)conn->side[0].received);
        }
    }
    for (uint32_t i = 0; i < world->plan.n_stacks; i++) {
        struct hf_counters c = {.struct_size = sizeof c};
        hf_counters(world->host[i].stack, &c);
        if (!is_empty(&world->host[i])) {
            world_wrong(world, NULL, "not-empty",
                        "stack %u keeps %u connections, %u half-open, %u in TIME-WAIT, %u + %u "
                        "chunks, %u ranges, %u transmissions",
                        i + 1, c.connections, c.half_open, c.time_wait, c.small_chunks,
                        c.large_chunks, c.ranges, c.sent);
        }
    }
    world_wrong(world, NULL, "never-ends", "%u connections are never opened", world->open_left);
}

/* One instant. */
static void step(struct world *world)
{
    for (uint32_t i = 0; i < world->plan.n_stacks; i++) {
        struct host *h = &world->host[i];
        if (h->deadline_ns <= world->now_ns && !h->down) {
            hf_timeouts(h->stack, &h->env);
            h->touched = true;
        }
        settle(world, i);
    }
    while (agenda_next(&world->agenda) <= world->now_ns && !world_failed(world)) {
        happens(world, agenda_take(&world->agenda));
    }
    for (uint32_t i = 0; i < world->plan.n_stacks; i++) {
        settle(world, i);
    }
}

static bool is_tight(const struct world *world)
{
    bool tight = false;
    for (uint32_t i = 0; i < world->plan.n_stacks; i++) {
        tight |= world->plan.stack[i].tight;
    }
    return tight;
}

/* Text that finds no memory is repeated, with longer and longer pauses: where a pool is too small,
 * patience begins again with all that comes. */
static int64_t begin_of_patience(const struct world *world, int64_t last_ns)
{
    return is_tight(world) && world->read_ns > last_ns ? world->read_ns : last_ns;
}

/* Whose peer gave up behind a rest, without a word, waits for ever: programs_sweep comes more and
 * more rarely, so once more when patience ends, which then begins anew. */
static void live(struct world *world)
{
    int64_t last_ns = world->plan.clean_ns;
    bool clean = false, swept = false;
    while (!world_failed(world)) {
        int64_t next_ns = next_time(world);
        if (world->open_left) {
            last_ns = next_ns > last_ns ? next_ns : last_ns;
        }
        last_ns = world->rest_ns > last_ns ? world->rest_ns : last_ns;
        bool late = next_ns > world->plan.clean_ns;
        if (late && (!clean || world->agenda.n <= 1) && all_over(world)) {
            return;
        }
        clean = late;
        int64_t end_ns = begin_of_patience(world, last_ns) + PATIENCE_NS;
        bool patient = next_ns <= end_ns;
        if (!patient && swept) {
            not_over(world);
            return;
        }
        next_ns = patient ? next_ns : end_ns;
        set_time(world, next_ns > world->now_ns ? next_ns : world->now_ns);
        if (!patient) {
            swept = true;
            last_ns = end_ns;
            programs_sweep(world);
        }
        step(world);
    }
}

/* A world -------------------------------------------------------------------------------------- */

static void take_out(struct plan *plan, const struct sim_less *less)
{
    for (uint32_t i = 0; i < plan->n_programs; i++) {
        plan->program[i].off = less->programs >> i & 1;
        for (uint32_t side = 0; side < 2; side++) {
            struct role *role = &plan->program[i].role[side];
            uint32_t turns = role->gate == GATE_TURNS ? role->bytes / role->unit : 0;
            uint32_t fewer = turns >> less->halvings[i];
            role->bytes =
                turns ? role->unit * (fewer ? fewer : 1) : role->bytes >> less->halvings[i];
        }
        uint32_t conns = plan->program[i].conns >> less->halvings[i];
        plan->program[i].conns = (uint16_t)(conns ? conns : 1);
    }
    for (uint32_t i = 0; i < plan->n_happenings; i++) {
        if (less->happenings >> i & 1) {
            plan->happening[i].from_ns = plan->happening[i].until_ns = INT64_MAX;
        }
    }
    for (uint32_t i = 0; i < plan->n_stacks; i++) {
        if (less->stacks >> i & 1) {
            plan_plain_stack(plan, i);
        }
    }
    if (less->lanes) {
        plan_plain_lanes(plan);
    }
    if (less->unrest) {
        plan_calm(plan);
    }
}

static void begin(struct world *world)
{
    const struct plan *plan = &world->plan;
    wire_begin(world);
    programs_begin(world);
    hold_begin(world);
    unrest_begin(world);
    for (uint32_t i = 0; i < plan->n_stacks; i++) {
        world->host[i].boots = 0;
        world->host[i].deadline_ns = INT64_MAX;
        world->host[i].env.trace = world->unseen ? NULL : watch_trace;
        world->host[i].env.trace_arg = world->host[i].watch;
        boot(world, i);
    }
    for (uint32_t i = 0; i < plan->n_happenings; i++) {
        const struct happening *h = &plan->happening[i];
        if (h->kind == HAPPENS_REBOOT && h->from_ns != INT64_MAX) {
            agenda_put(&world->agenda,
                       (struct due){.at_ns = h->from_ns, .kind = DUE_DOWN, .which = i});
            agenda_put(&world->agenda,
                       (struct due){.at_ns = h->until_ns, .kind = DUE_UP, .which = i});
        }
    }
    agenda_put(&world->agenda,
               (struct due){.at_ns = plan->clean_ns + 30 * SECOND, .kind = DUE_SWEEP});
}

static void run_once(struct world *world, uint64_t seed, const struct sim_less *less,
                     struct sim_view *view, struct sim_world_result *result)
{
    plan_make(&world->plan, seed);
    world->less = less;
    world->view = view;
    world->result = result;
    result->counts = (struct sim_counts){.seeds = 1};
    result->wrong = (struct sim_wrong){.seed = seed};
    result->n_fate = 0;
    world->turn = 0;
    world->guessed = false;
    if (less) {
        take_out(&world->plan, less);
    }
    world->now_ns = world->read_ns = world->plan.begin_ns;
    begin(world);
    live(world);
    for (uint32_t i = 0; i < world->plan.n_stacks && !world_failed(world); i++) {
        check(world, i);
    }
}

/* Where nobody traces, stacks do without what only a record needs, and do several segments at once
 * (hf_policy.predict): what can be seen of the world must be the same, but where memory is out,
 * since text of several segments takes fewer chunks, and on Ethernet, where a question to the
 * neighbour leaves behind the first segment of a row, or behind all of it. */
static void run_unseen(struct world *world, uint64_t seed, const struct sim_less *less,
                       struct sim_world_result *result)
{
    struct sim_world_result unseen = {.max_fate = 0};
    const struct sim_counts *a = &result->counts, *b = &unseen.counts;
    world->unseen = true;
    run_once(world, seed, less, NULL, &unseen);
    world->unseen = false;
    world->result = result;
    if (unseen.wrong.rule[0] != '\0') {
        result->wrong = unseen.wrong;
        result->counts.violations++;
    } else if (memcmp(a, b, sizeof *a) != 0 && !is_tight(world) && !world->plan.ethernet) {
        world_wrong(world, NULL, "unseen",
                    "where nobody traces, another world: %llu segments, not %llu; %llu faults, not "
                    "%llu; %llu connections, not %llu",
                    (unsigned long long)b->segments, (unsigned long long)a->segments,
                    (unsigned long long)b->faults, (unsigned long long)a->faults,
                    (unsigned long long)b->connections, (unsigned long long)a->connections);
    }
}

void sim_world_run(struct world *world, uint64_t seed, const struct sim_less *less,
                   struct sim_view *view, struct sim_world_result *result)
{
    world->exposed = false;
    memset(world->got_cookie, 0, sizeof world->got_cookie);
    memset(world->got_fast_open, 0, sizeof world->got_fast_open);
    run_once(world, seed, less, view, result);
    if (view == NULL && !world_failed(world)) {
        run_unseen(world, seed, less, result);
    }
}

struct world *sim_world_new(void)
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL) {
        return NULL;
    }
    world->wire.octets = malloc((size_t)SMALL_SLOTS * SMALL_BYTES + (size_t)BIG_SLOTS * BIG_BYTES);
    for (uint32_t i = 0; i < PATTERN; i++) {
        uint64_t octet = dice_of(0, FOR_PATTERN, i);
        world->pattern[i] = world->pattern[PATTERN + i] = (uint8_t)octet;
    }
    world->region = (struct hf_region){world->pattern, sizeof world->pattern};
    bool whole = world->wire.octets != NULL;
    for (uint32_t i = 0; i < STACKS_MAX; i++) {
        struct host *h = &world->host[i];
        h->env = (struct hf_env){
            .struct_size = sizeof h->env, .regions = &world->region, .n_regions = 1};
        h->watch = watch_new();
        whole = whole && h->watch != NULL;
    }
    if (!whole) {
        sim_world_free(world);
        return NULL;
    }
    wire_init(world);
    return world;
}

void sim_world_free(struct world *world)
{
    if (world == NULL) {
        return;
    }
    for (uint32_t i = 0; i < STACKS_MAX; i++) {
        free(world->host[i].stack);
        free(world->host[i].marks);
        watch_free(world->host[i].watch);
    }
    free(world->wire.octets);
    free(world);
}
