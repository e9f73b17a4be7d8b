/* programs.c - the applications of a world: who listens, who opens what and when, and which side of
 * which connection an event is for.
 */
#include "world.h"

#include <string.h>

enum { FOR_CONN = 24, PORT = 1000, FIXED_PORT = 7000, EVENTS = 64, BATCH_EVENTS = 64 };
static const int64_t MS = 1000000;
/* A handshake that succeeds on a clean wire is over by then. */
static const int64_t FORGOTTEN_NS = INT64_C(100000000000);

void world_address(uint8_t ip[16], uint32_t host, bool v6)
{
    static const uint8_t net4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 0};
    static const uint8_t net6[16] = {0x20, 0x01, 0x0d, 0xb8};
    memcpy(ip, v6 ? net6 : net4, 16);
    ip[15] = (uint8_t)(host + 1);
}

uint32_t programs_host(const struct world *world, const struct conn *conn, uint32_t side)
{
    const struct program *p = &world->plan.program[conn->program];
    return side == 0 ? p->client : p->server;
}

static uint64_t cookie_of(const struct world *world, const struct conn *conn, uint32_t side)
{
    return (uint64_t)(conn - world->conn) * 2 + side + 1;
}

/* Opening -------------------------------------------------------------------------------------- */

void programs_listen(struct world *world, uint32_t host)
{
    struct host *h = &world->host[host];
    for (uint32_t i = 0; i < world->plan.n_programs; i++) {
        const struct program *p = &world->plan.program[i];
        struct hf_listen listen = {.struct_size = sizeof listen,
                                   .local = {.port = (uint16_t)(PORT + i)},
                                   .backlog = p->backlog,
                                   .hold = p->holds,
                                   .cookie = COOKIE_LISTENER + i};
        h->listener[i] = 0;
        if (p->server != host || p->kind == PROGRAM_BOTH || p->off) {
            continue;
        }
        if (hf_listen(h->stack, &h->env, &listen, &h->listener[i]) != HF_OK) {
            world_wrong(world, NULL, "listen", "program %u cannot listen", i);
        } else if (p->fast_open) {
            hf_set_option(h->stack, &h->env, h->listener[i], HF_FAST_OPEN, 8);
        }
    }
}

void programs_listen_anew(struct world *world, uint32_t host)
{
    struct host *h = &world->host[host];
    for (uint32_t i = 0; i < world->plan.n_programs; i++) {
        if (h->listener[i]) {
            hf_close(h->stack, &h->env, h->listener[i]);
            hf_release(h->stack, &h->env, h->listener[i]);
        }
    }
    programs_listen(world, host);
}

void programs_begin(struct world *world)
{
    world->n_conns = 0;
    world->open_left = 0;
    for (uint32_t i = 0; i < world->plan.n_programs; i++) {
        const struct program *p = &world->plan.program[i];
        world->n_opened[i] = 0;
        if (!p->off) {
            world->open_left += p->conns;
            agenda_put(&world->agenda,
                       (struct due){.at_ns = p->at_ns, .kind = DUE_OPEN, .which = i});
        }
    }
}

/* Options that an application sets.  A stack without room for them refuses, which is right. */
static void set_options(struct world *world, uint32_t host, hf_handle handle,
                        const struct role *role)
{
    struct host *h = &world->host[host];
    for (uint32_t option = 0; option < HF_OPTIONS; option++) {
        if (role->set >> option & 1) {
            hf_set_option(h->stack, &h->env, handle, (enum hf_option)option, 1);
        }
    }
    if (role->receive_window) {
        hf_set_option(h->stack, &h->env, handle, HF_RECEIVE_WINDOW, role->receive_window);
    }
    if (role->send_buffer) {
        hf_set_option(h->stack, &h->env, handle, HF_SEND_BUFFER, role->send_buffer);
    }
    if (role->max_segment) {
        hf_set_option(h->stack, &h->env, handle, HF_MAX_SEGMENT, role->max_segment);
    }
    if (role->pace &&
        hf_set_option(h->stack, &h->env, handle, HF_MAX_PACING_RATE, role->pace) == HF_OK) {
        watch_pace(world, host, handle, role->pace);
    }
}

static bool open_side(struct world *world, struct conn *conn, uint32_t side,
                      const struct hf_endpoint *local, const struct hf_endpoint *remote)
{
    const struct program *p = &world->plan.program[conn->program];
    uint32_t host = programs_host(world, conn, side);
    struct host *h = &world->host[host];
    struct side *s = &conn->side[side];
    int error =
        h->down ? HF_ERR_NO_RESOURCES : hf_open(h->stack, &h->env, local, remote, 0, &s->handle);
    h->touched = true;
    if (error != HF_OK) {
        s->handle = 0;
        if (error != HF_ERR_EXISTS && error != HF_ERR_NO_RESOURCES && error != HF_ERR_NO_PORTS) {
            world_wrong(world, NULL, "open", "hf_open: %s", hf_error_text(error));
        }
        return false;
    }
    hf_set_cookie(h->stack, s->handle, cookie_of(world, conn, side));
    set_options(world, host, s->handle, &p->role[side]);
    if (p->fast_open) {
        hf_set_option(h->stack, &h->env, s->handle, HF_FAST_OPEN,
                      p->defers ? HF_FAST_OPEN_DEFER : HF_FAST_OPEN_ON);
    }
    conn->boot[side] = h->boots;
    return true;
}

static bool open_both(struct world *world, struct conn *conn)
{
    const struct program *p = &world->plan.program[conn->program];
    struct hf_endpoint ends[2] = {{.port = FIXED_PORT}, {.port = FIXED_PORT}};
    world_address(ends[0].ip, p->client, p->v6);
    world_address(ends[1].ip, p->server, p->v6);
    ends[0].port = (uint16_t)(FIXED_PORT + conn->program);
    ends[1].port = (uint16_t)(FIXED_PORT + PROGRAMS_MAX + conn->program);
    conn->port = ends[1].port;
    if (!open_side(world, conn, 0, &ends[0], &ends[1])) {
        return false;
    }
    if (!open_side(world, conn, 1, &ends[1], &ends[0])) {
        conn->because |= BECAUSE_CROSSED;
        conn->side[1].ended = true;
    }
    return true;
}

static bool open_conn(struct world *world, struct conn *conn)
{
    const struct program *p = &world->plan.program[conn->program];
    struct hf_endpoint local = {.port = 0}, remote = {.port = (uint16_t)(PORT + conn->program)};
    if (p->kind == PROGRAM_BOTH) {
        return open_both(world, conn);
    }
    world_address(local.ip, p->client, p->v6);
    world_address(remote.ip, p->server, p->v6);
    local.port = (uint16_t)(p->kind == PROGRAM_AGAIN ? FIXED_PORT + conn->program : 0);
    conn->port = remote.port;
    return open_side(world, conn, 0, &local, &remote);
}

static void note_ends(struct world *world, struct conn *conn)
{
    const struct host *h = &world->host[programs_host(world, conn, 0)];
    struct hf_status status = {.struct_size = sizeof status};
    if (hf_status(h->stack, &h->env, conn->side[0].handle, &status) != HF_OK) {
        world_wrong(world, conn, "handle", "a handle just opened is stale");
    }
    conn->local = status.local;
    conn->iss = status.iss;
}

static void later(struct world *world, uint32_t program, int64_t wait_ns)
{
    agenda_put(&world->agenda,
               (struct due){.at_ns = world->now_ns + wait_ns, .kind = DUE_OPEN, .which = program});
}

/* Does the connection before it of the same sockets still live? */
static bool must_wait(const struct world *world, uint32_t program)
{
    for (uint32_t i = 0; i < world->n_conns; i++) {
        if (world->conn[i].program == program && world->conn[i].side[0].handle != 0) {
            return true;
        }
    }
    return false;
}

static struct side side_begins(uint64_t salt)
{
    return (struct side){
        .dice = {salt}, .moods = {~salt}, .wake_ns = INT64_MIN, .rest_ns = INT64_MIN};
}

void programs_open(struct world *world, uint32_t program)
{
    const struct program *p = &world->plan.program[program];
    if (world->n_conns == CONNS_MAX) {
        world->open_left -= p->conns - world->n_opened[program];
        return;
    }
    if (p->kind == PROGRAM_AGAIN && must_wait(world, program)) {
        later(world, program, 200 * MS + unrest_patience(world, p->at_ns));
        return;
    }
    struct conn *conn = &world->conn[world->n_conns];
    uint64_t salt = dice_of(world->plan.seed, FOR_CONN, program << 16 | world->n_opened[program]);
    *conn = (struct conn){.program = (uint8_t)program,
                          .number = (uint16_t)world->n_opened[program],
                          .salt = (uint32_t)(salt % PATTERN),
                          .opened_ns = world->now_ns,
                          .side = {side_begins(salt), side_begins(dice_mix(salt))}};
    if (!open_conn(world, conn)) {
        later(world, program, 500 * MS + unrest_patience(world, p->at_ns));
        return;
    }
    world->n_conns++;
    world->open_left--;
    world->result->counts.opened++;
    note_ends(world, conn);
    talk(world, conn, 0); /* Fast Open: what goes with the SYN */
    if (++world->n_opened[program] < p->conns) {
        later(world, program, p->every_ns);
    }
}

/* Events --------------------------------------------------------------------------------------- */

static void accepted(struct world *world, uint32_t host, uint32_t program)
{
    struct host *h = &world->host[host];
    hf_handle handle;
    while (hf_accept(h->stack, &h->env, h->listener[program], &handle, NULL) == HF_OK) {
        struct hf_status status = {.struct_size = sizeof status};
        hf_status(h->stack, &h->env, handle, &status);
        judge_accepted(world, host, program, handle, &status);
    }
}

void programs_take(struct world *world, struct conn *conn, hf_handle handle)
{
    const struct program *p = &world->plan.program[conn->program];
    struct host *h = &world->host[p->server];
    struct side *s = &conn->side[1];
    s->handle = handle;
    s->open = true;
    s->ended = false;
    conn->boot[1] = h->boots;
    conn->done = false;
    hf_set_cookie(h->stack, handle, cookie_of(world, conn, 1));
    set_options(world, p->server, handle, &p->role[1]);
    talk(world, conn, 1);
}

static void connection_event(struct world *world, uint32_t host, const struct hf_event *event)
{
    if (event->cookie == 0 || event->cookie > 2 * (uint64_t)world->n_conns) {
        world_wrong(world, NULL, "event", "an event for nobody's handle, bits %x", event->bits);
        return;
    }
    struct conn *conn = &world->conn[(event->cookie - 1) / 2];
    uint32_t side = (event->cookie - 1) % 2;
    if (conn->side[side].handle != event->handle) {
        /* what was fetched with it has made its program release it */
        uint64_t cookie;
        if (hf_cookie(world->host[host].stack, event->handle, &cookie) == HF_OK) {
            world_wrong(world, conn, "event", "an event for a handle of nobody's");
        }
        return;
    }
    if (event->bits & HF_CONNECTED) {
        conn->side[side].open = true;
    }
    conn->side[side].hurry |= (event->bits & HF_CLOSED_EVENT) != 0;
    talk(world, conn, side);
    if ((event->bits & HF_CLOSED_EVENT) && conn->side[side].handle == event->handle) {
        judge_gone(world, conn, side, event->error);
        talk_release(world, conn, side);
    }
}

static void event(struct world *world, uint32_t host, const struct hf_event *event)
{
    if (event->cookie >= COOKIE_HELD) {
        struct hf_event now = *event;
        now.bits &= ~(uint32_t)HF_CONNECTED;
        if (!hold_event(world, event) && now.bits &&
            hf_cookie(world->host[host].stack, now.handle, &now.cookie) == HF_OK) {
            connection_event(world, host, &now);
        }
    } else if (event->cookie >= COOKIE_LISTENER) {
        accepted(world, host, (uint32_t)(event->cookie - COOKIE_LISTENER));
        hold_asked(world, host, (uint32_t)(event->cookie - COOKIE_LISTENER));
    } else {
        connection_event(world, host, event);
    }
}

void programs_events(struct world *world, uint32_t host)
{
    struct host *h = &world->host[host];
    struct hf_event events[EVENTS];
    uint64_t tokens[EVENTS];
    uint32_t n;
    do { /* what is read or taken back may be room for another one */
        while (hf_returned(h->stack, &h->env, tokens, EVENTS) == EVENTS) {
        }
        n = hf_events(h->stack, &h->env, events, EVENTS);
        for (uint32_t i = 0; i < n && !world_failed(world); i++) {
            event(world, host, &events[i]);
        }
    } while (n != 0 && !world_failed(world));
}

/* When something has gone wrong ---------------------------------------------------------------- */

void programs_forget(struct world *world, uint32_t host)
{
    for (uint32_t i = 0; i < world->n_conns; i++) {
        struct conn *conn = &world->conn[i];
        for (uint32_t side = 0; side < 2; side++) {
            if (programs_host(world, conn, side) == host && !conn->done) {
                conn->because |= BECAUSE_REBOOT;
                conn->side[side].handle = 0;
                conn->side[side].ended = true;
            }
        }
        judge_conn(world, conn);
    }
    hold_forget(world, host);
}

void programs_sweep(struct world *world)
{
    for (uint32_t i = 0; i < world->n_conns; i++) {
        struct conn *conn = &world->conn[i];
        bool harmed = conn->opened_ns < world->plan.clean_ns;
        bool forgotten = world->now_ns - conn->opened_ns > FORGOTTEN_NS &&
                         judge_may_turn_away(world, conn, false);
        if (!conn->done && !conn->side[1].open && (harmed || forgotten)) {
            conn->because |= BECAUSE_NOT_TAKEN;
        }
        for (uint32_t side = 0; side < 2; side++) {
            struct side *s = &conn->side[side];
            struct host *h = &world->host[programs_host(world, conn, side)];
            if (conn->because && s->handle && !s->aborted) {
                s->aborted = true;
                hf_abort(h->stack, &h->env, s->handle);
                h->touched = true;
            }
        }
        judge_conn(world, conn);
    }
}

bool programs_done(const struct world *world)
{
    for (uint32_t i = 0; i < world->n_conns; i++) {
        if (!world->conn[i].done) {
            return false;
        }
    }
    return world->open_left == 0;
}
