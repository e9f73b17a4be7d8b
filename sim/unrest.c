/* unrest.c - what programs and their hosts do besides: they rest for up to 60 days, leave text
 * unread for hours, set options while text flows, and change a stack's policy under its
 * connections.
 */
#include "world.h"

enum { LOOKED_AT = 64 };
static const int64_t MS = 1000000;

void unrest_begin(struct world *world)
{
    world->rest_ns = 0;
    for (uint32_t i = 0; i < world->plan.n_changes; i++) {
        agenda_put(
            &world->agenda,
            (struct due){.at_ns = world->plan.change[i].at_ns, .kind = DUE_CHANGE, .which = i});
    }
}

static void flap(struct world *world, uint32_t host)
{
    struct host *h = &world->host[host];
    for (uint32_t six = 0; six < 2; six++) {
        uint8_t ip[16];
        world_address(ip, host, six);
        int removed = hf_address_remove(h->stack, &h->env, 1, ip);
        int added = hf_address_add(h->stack, &h->env, 1, ip, six ? 64 : 24);
        if (removed != HF_OK || added != HF_OK) {
            world_wrong(world, NULL, "address", "removed: %s; added again: %s",
                        hf_error_text(removed), hf_error_text(added));
        }
    }
}

void unrest_change(struct world *world, uint32_t which)
{
    const struct change *change = &world->plan.change[which];
    struct host *h = &world->host[change->stack];
    world->plan.stack[change->stack].config.policy = change->policy;
    if (!h->down) {
        int error = hf_set_policy(h->stack, &h->env, &change->policy);
        if (error != HF_OK) {
            world_wrong(world, NULL, "policy", "hf_set_policy: %s", hf_error_text(error));
        }
        if (change->addresses) {
            flap(world, change->stack);
        }
        if (change->listeners) {
            programs_listen_anew(world, change->stack);
        }
        if (change->fast_open) {
            const uint8_t key[16] = {(uint8_t)which, 1};
            hf_fast_open_forget(h->stack, &h->env);
            hf_fast_open_keys(h->stack, &h->env, 0, key, NULL);
        }
        h->touched = true;
    }
}

bool unrest_is_urgent(const struct world *world, struct side *side)
{
    return world->plan.restless && dice_one_in(&side->moods, 32);
}

int64_t unrest_patience(const struct world *world, int64_t since_ns)
{
    return world->plan.rests ? (world->now_ns - since_ns) / 16 : 0;
}

static void until(struct world *world, int64_t until_ns)
{
    world->rest_ns = until_ns > world->rest_ns ? until_ns : world->rest_ns;
}

bool unrest_keeps_silent(struct world *world, struct conn *conn, uint32_t side)
{
    const struct role *role = &world->plan.program[conn->program].role[side];
    struct side *s = &conn->side[side];
    uint32_t rest_at = role->rest_at < role->bytes ? role->rest_at : role->bytes;
    if (role->rest_ns && !s->rested && s->open && s->sent >= rest_at) {
        s->rested = true;
        s->rest_ns = world->now_ns + role->rest_ns;
        until(world, s->rest_ns);
        agenda_put(&world->agenda, (struct due){.at_ns = s->rest_ns,
                                                .kind = DUE_RESTED,
                                                .side = (uint16_t)side,
                                                .which = (uint32_t)(conn - world->conn)});
    }
    return world->now_ns < s->rest_ns;
}

bool unrest_turns_deaf(struct world *world, struct conn *conn, uint32_t side)
{
    const struct role *role = &world->plan.program[conn->program].role[side];
    struct side *s = &conn->side[side];
    bool now = role->deaf_ns && !s->was_deaf && s->received >= role->deaf_at;
    if (now) {
        s->was_deaf = true;
        until(world, world->now_ns + role->deaf_ns);
    }
    return now;
}

/* What the history says of it came about after it was opened, one after another, and not later. */
static void look_back(struct world *world, struct conn *conn, uint32_t side)
{
    struct hf_trace records[LOOKED_AT];
    const struct host *h = &world->host[programs_host(world, conn, side)];
    uint32_t n = hf_history(h->stack, conn->side[side].handle, records, LOOKED_AT);
    int64_t last_ns = conn->opened_ns - MS;
    for (uint32_t i = 0; i < n; i++) {
        if (records[i].time_ns < last_ns || records[i].time_ns > world->now_ns) {
            world_wrong(world, conn, "history",
                        "the %s's record %u of %u is of %lld ns, the one before of %lld, now %lld",
                        side ? "server" : "client", i + 1, n, (long long)records[i].time_ns,
                        (long long)last_ns, (long long)world->now_ns);
        }
        last_ns = records[i].time_ns;
    }
}

/* One option in eight calls. */
void unrest_options(struct world *world, struct conn *conn, uint32_t side)
{
    static const struct {
        enum hf_option option;
        uint32_t least, most;
    } all[] = {
        {HF_NODELAY, 0, 1},
        {HF_CORK, 0, 1},
        {HF_QUICK_ACK, 0, 1},
        {HF_MAY_FRAGMENT, 0, 1},
        {HF_CONGESTION_CONTROL, 0, HF_CONGESTIONS - 1},
        {HF_RECEIVE_WINDOW, 2000, 1 << 20},
        {HF_SEND_BUFFER, 2000, 1 << 20},
        {HF_SEND_LOW_WATER, 1, 2000},
        {HF_MAX_PACING_RATE, 40000, UINT32_MAX},
        {HF_KEEPALIVE, 0, 1},
        {HF_KEEPALIVE_IDLE, 600000, 7200000},
        {HF_ERROR_REPORTS, 0, 1},
        {HF_LINGER, 1500000, 4000000},
    };
    struct side *s = &conn->side[side];
    if (!world->plan.restless || !dice_one_in(&s->moods, 8)) {
        return;
    }
    look_back(world, conn, side);
    struct host *h = &world->host[programs_host(world, conn, side)];
    uint32_t which = dice_below(&s->moods, sizeof all / sizeof all[0]);
    uint32_t span = all[which].most - all[which].least;
    int64_t value = all[which].least + (span < 2 ? dice_below(&s->moods, span + 1)
                                                 : dice_scale(&s->moods, 1, span) - 1);
    hf_set_option(h->stack, &h->env, s->handle, all[which].option, value);
}
