/* judge.c - how a connection may begin and end.
 *
 * Each end that is not in order needs its cause: a program that aborts, a stack that has forgotten,
 * an end that gave up while things went wrong.  Without one, every octet has to arrive, both ends
 * of the streams have to be read, and nobody may hear of an error.
 */
#include "world.h"

#include <string.h>

static const char *side_name(uint32_t side)
{
    return side ? "server" : "client";
}

/* What was lost before may still be missed: a question to a neighbour. */
static bool was_harmed(const struct world *world, const struct conn *conn)
{
    return conn->opened_ns < world->plan.clean_ns + 10000000000;
}

static bool same_end(const uint8_t ip[16], uint16_t port, const struct hf_endpoint *end)
{
    return port == end->port && memcmp(ip, end->ip, 16) == 0;
}

void judge_syn(struct world *world, uint32_t host, const struct hf_trace *r)
{
    bool cookie = r->verdict == HF_V_COOKIE_SENT;
    if (!cookie && r->verdict != HF_V_FAST_OPEN) {
        return;
    }
    for (uint32_t i = 0; i < world->n_conns; i++) {
        const struct conn *conn = &world->conn[i];
        if (conn->iss == r->seq && programs_host(world, conn, 1) == host &&
            same_end(r->remote_ip, r->remote_port, &conn->local)) {
            *(cookie ? &world->got_cookie[i] : &world->got_fast_open[i]) = true;
        }
    }
}

/* Where nobody traces it may be another connection than where somebody did. */
static bool got_cookie(const struct world *world, const struct conn *conn)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    if (world->unseen) {
        hf_counters(world->host[programs_host(world, conn, 1)].stack, &counters);
    }
    return world->got_cookie[conn - world->conn] || counters.verdict[HF_V_COOKIE_SENT] != 0;
}

/* May a server turn a connection away though the wire is clean?  When it holds less than comes at
 * once.  And where it has answered the SYN with a cookie, text that overtakes the ACK before it has
 * no connection yet, and is answered with a reset; an ACK that finds no room is forgotten, and a
 * client that waits for the server's words does not say it again (RFC 4987 3.6). */
bool judge_may_turn_away(const struct world *world, const struct conn *conn, bool taken)
{
    const struct program *p = &world->plan.program[conn->program];
    const struct stack_plan *server = &world->plan.stack[p->server];
    const struct hf_policy *policy = &server->config.policy;
    /* RFC 6191 2: what is sent may run ahead of the clock of ISNs, and the next SYN looks old.  The
     * reset that answers its ACK then must end TIME-WAIT, or it waits as if there were none.  Where
     * Fast Open has sent text with the SYN, that ACK may be one of it, which no reset answers (RFC
     * 9293 3.10.7.3 first). */
    bool reset = policy->tw_syn_ack && !policy->tw_ignore_rst && !p->fast_open;
    bool waits = p->kind == PROGRAM_AGAIN && !reset;
    return got_cookie(world, conn) || (!taken && (waits || p->conns > p->backlog || server->tight ||
                                                  policy->abort_on_overflow));
}

/* Things went wrong that end no connection in order. */
static bool has_cause(struct world *world, struct conn *conn, uint32_t side, int error)
{
    const struct program *p = &world->plan.program[conn->program];
    bool reset = error == HF_ERR_RESET || error == HF_ERR_REFUSED;
    bool taken = conn->side[1].open, harmed = was_harmed(world, conn);
    if (error == HF_ERR_ABORTED) {
        return conn->side[side].aborted;
    }
    bool tight = world->plan.stack[p->client].tight || world->plan.stack[p->server].tight;
    if (!reset && (harmed || tight)) { /* text that finds no memory is repeated, and given up */
        conn->because |= BECAUSE_TIMEOUT;
    }
    if (side == 0 && p->kind != PROGRAM_BOTH &&
        ((harmed && !taken) || ((reset || !taken) && judge_may_turn_away(world, conn, taken)))) {
        conn->because |= BECAUSE_NOT_TAKEN;
    }
    return conn->because != 0;
}

void judge_gone(struct world *world, struct conn *conn, uint32_t side, int error)
{
    struct side *s = &conn->side[side];
    const struct host *h = &world->host[programs_host(world, conn, side)];
    if (s->aborted) {
        s->error = error;
        conn->because |= BECAUSE_ABORT;
        return;
    }
    if (error == HF_OK) {
        if (s->error != 0) {
            world_wrong(world, conn, "error", "the %s reads an error (%s), but closed in order",
                        side_name(side), hf_error_text(s->error));
        }
        return;
    }
    s->error = error;
    if (!has_cause(world, conn, side, error)) {
        struct hf_close_reason reason;
        hf_close_reason(h->stack, s->handle, &reason);
        world_wrong(world, conn, "no-cause", "the %s's connection ends: %s; nothing made it (%s)",
                    side_name(side), hf_error_text(error), reason.text);
    }
}

/* RFC 1337 3: a reset has ended TIME-WAIT too early (RFC 9293 has it so, hf_policy.tw_ignore_rst
 * not), and the next connection of these sockets began while segments of the one before could still
 * be under way, with numbers that those have, too, and without timestamps to tell them apart. */
bool judge_is_exposed(struct world *world, struct conn *conn, uint32_t side)
{
    const struct host *h = &world->host[programs_host(world, conn, side)];
    struct hf_status status = {.struct_size = sizeof status};
    bool exposed = world->unseen;
    if (!exposed && hf_status(h->stack, &h->env, conn->side[side].handle, &status) == HF_OK) {
        exposed = watch_is_exposed(world, conn, side, &status);
        world->exposed |= exposed;
    }
    exposed &= world->exposed;
    conn->because |= exposed ? BECAUSE_EXPOSED : 0;
    return exposed;
}

/* Both ends, as their stacks see them; false: it is not open at both. */
static bool both_ends(struct world *world, const struct conn *conn, struct hf_status status[2])
{
    for (uint32_t side = 0; side < 2; side++) {
        const struct host *h = &world->host[programs_host(world, conn, side)];
        status[side] = (struct hf_status){.struct_size = sizeof *status};
        if (conn->done || conn->side[side].handle == 0 ||
            hf_status(h->stack, &h->env, conn->side[side].handle, &status[side]) != HF_OK ||
            status[side].state < HF_ESTABLISHED) {
            return false;
        }
    }
    return status[0].iss == status[1].irs && status[1].iss == status[0].irs;
}

void judge_ends(struct world *world)
{
    for (uint32_t i = 0; i < world->n_conns; i++) {
        struct conn *conn = &world->conn[i];
        struct hf_status status[2];
        if (!both_ends(world, conn, status)) {
            continue;
        }
        for (uint32_t side = 0; side < 2; side++) {
            uint32_t rcv_nxt = status[side].rcv_nxt, snd_nxt = status[!side].snd_nxt;
            if ((int32_t)(rcv_nxt - snd_nxt) > 0 && !judge_is_exposed(world, conn, side)) {
                world_wrong(world, conn, "rcv-beyond-snd",
                            "the %s's RCV.NXT is %u beyond the peer's SND.NXT", side_name(side),
                            rcv_nxt - snd_nxt);
            }
        }
    }
}

static bool whole(const struct conn *conn)
{
    for (uint32_t side = 0; side < 2; side++) {
        const struct side *s = &conn->side[side];
        if (!s->closed || !s->end_read || s->error || s->received != conn->side[!side].sent) {
            return false;
        }
    }
    return true;
}

void judge_conn(struct world *world, struct conn *conn)
{
    struct side *client = &conn->side[0], *server = &conn->side[1];
    if (conn->done || !client->ended || (server->open && !server->ended) ||
        (server->handle != 0 && !server->ended)) {
        return;
    }
    conn->done = true;
    if (whole(conn)) {
        world->result->counts.connections++;
    } else if (conn->because == 0) {
        world_wrong(world, conn, "incomplete",
                    "closed in order, but %llu of %llu and %llu of %llu octets arrived",
                    (unsigned long long)server->received, (unsigned long long)client->sent,
                    (unsigned long long)client->received, (unsigned long long)server->sent);
    }
}

/* Accepting ------------------------------------------------------------------------------------ */

/* Is another connection of these sockets synchronised, as the server sees it? */
static const struct conn *other_synchronised(struct world *world, const struct conn *conn)
{
    const struct host *h = &world->host[programs_host(world, conn, 1)];
    for (uint32_t i = 0; i < world->n_conns; i++) {
        const struct conn *other = &world->conn[i];
        struct hf_status status = {.struct_size = sizeof status};
        if (other != conn && other->program == conn->program && other->side[1].handle != 0 &&
            same_end(other->local.ip, other->local.port, &conn->local) &&
            hf_status(h->stack, &h->env, other->side[1].handle, &status) == HF_OK &&
            status.state >= HF_ESTABLISHED && status.state != HF_TIME_WAIT) {
            return other;
        }
    }
    return NULL;
}

/* Does it begin within what a client says whose SYN was answered with a cookie?  Where its first
 * text is lost, what comes behind it may bring the cookie back, and is believed once in 2^20 times:
 * more than once in a world is no chance. */
static bool guessed_cookie(struct world *world, const struct hf_status *status)
{
    for (uint32_t i = 0; i < world->n_conns && !world->guessed; i++) {
        const struct conn *c = &world->conn[i];
        if (same_end(c->local.ip, c->local.port, &status->remote) &&
            status->irs - c->iss <= c->side[0].sent && got_cookie(world, c)) {
            world->guessed = true;
            return true;
        }
    }
    return false;
}

/* What nobody opened, or once more what has been accepted: conn, or NULL.  A SYN cookie keeps
 * nothing, so an old ACK of one can be good once more (RFC 4987 3.6); and a SYN with a Fast Open
 * cookie is believed (RFC 7413 6.1). */
static void accepted_twice(struct world *world, uint32_t host, const struct conn *conn,
                           hf_handle handle, const struct hf_status *status)
{
    struct host *h = &world->host[host];
    bool excused = conn != NULL
                       ? got_cookie(world, conn) || world->got_fast_open[conn - world->conn]
                       : guessed_cookie(world, status);
    if (!excused) {
        world_wrong(world, conn, "nobody-opened",
                    "the server accepts from port %u a connection that nobody opened, IRS %u",
                    status->remote.port, status->irs);
    }
    hf_abort(h->stack, &h->env, handle);
    hf_release(h->stack, &h->env, handle);
}

void judge_accepted(struct world *world, uint32_t host, uint32_t program, hf_handle handle,
                    const struct hf_status *status)
{
    struct conn *conn = NULL;
    for (uint32_t i = world->n_conns; i > 0 && conn == NULL; i--) {
        struct conn *c = &world->conn[i - 1];
        bool same = c->program == program && same_end(c->local.ip, c->local.port, &status->remote);
        conn = same && c->iss == status->irs ? c : NULL;
    }
    if (conn == NULL || conn->side[1].open) {
        accepted_twice(world, host, conn, handle, status);
        return;
    }
    const struct conn *other = other_synchronised(world, conn);
    if (other) {
        world_wrong(world, conn, "two-incarnations",
                    "connections %u and %u of one pair of sockets are synchronised at one time",
                    other->number, conn->number);
    }
    programs_take(world, conn, handle);
}
