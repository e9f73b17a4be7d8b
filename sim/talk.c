/* talk.c - one side of a connection reads, sends and closes, as far as it can and may.
 *
 * The octets of a stream follow from the connection, the direction and the place: each one that is
 * delivered is compared, so that what a program reads is a prefix of what the other has sent.
 */
#include "world.h"

#include <string.h>

enum { SLICES = 8, READ_BYTES = 32768 };

static const uint8_t *text_at(const struct world *world, const struct conn *conn, uint32_t from,
                              uint64_t at)
{
    return world->pattern + (conn->salt + (from ? 31337 : 0) + at) % PATTERN;
}

static void check_text(struct world *world, struct conn *conn, uint32_t side, const uint8_t *text,
                       uint64_t len)
{
    struct side *s = &conn->side[side];
    while (len != 0) {
        uint64_t n = len < PATTERN ? len : PATTERN;
        if (memcmp(text, text_at(world, conn, !side, s->received), n) != 0 &&
            !judge_is_exposed(world, conn, side)) {
            world_wrong(world, conn, "prefix",
                        "the %s reads octets that were not sent there, from %llu on",
                        side ? "server" : "client", (unsigned long long)s->received);
            return;
        }
        s->received += n;
        world->read_ns = world->now_ns;
        text += n;
        len -= n;
    }
    if (s->received > conn->side[!side].sent && !judge_is_exposed(world, conn, side)) {
        world_wrong(world, conn, "prefix", "the %s has read %llu octets, %llu were sent",
                    side ? "server" : "client", (unsigned long long)s->received,
                    (unsigned long long)conn->side[!side].sent);
    }
}

static void check_end(struct world *world, struct conn *conn, uint32_t side)
{
    struct side *s = &conn->side[side];
    const struct side *peer = &conn->side[!side];
    if ((!peer->closed || s->received != peer->sent) && !judge_is_exposed(world, conn, side)) {
        world_wrong(world, conn, "end", "the %s reads the end after %llu of %llu octets%s",
                    side ? "server" : "client", (unsigned long long)s->received,
                    (unsigned long long)peer->sent, peer->closed ? "" : ", and no FIN was sent");
    }
    s->end_read = true;
}

static void wake_later(struct world *world, struct conn *conn, uint32_t side, int64_t wait_ns)
{
    struct side *s = &conn->side[side];
    s->wake_ns = world->now_ns + wait_ns;
    if (!s->wakes) {
        s->wakes =
            agenda_put(&world->agenda, (struct due){.at_ns = s->wake_ns,
                                                    .kind = DUE_WAKE,
                                                    .side = (uint16_t)side,
                                                    .which = (uint32_t)(conn - world->conn)});
    }
}

static int64_t read_some(struct world *world, struct conn *conn, uint32_t side,
                         const struct role *role, struct host *h)
{
    static uint8_t text[READ_BYTES];
    struct side *s = &conn->side[side];
    uint32_t most = role->chunk < READ_BYTES ? role->chunk : READ_BYTES;
    if (!role->slices) {
        int64_t n = hf_recv(h->stack, &h->env, s->handle, text, most);
        check_text(world, conn, side, text, n > 0 ? (uint64_t)n : 0);
        return n;
    }
    struct hf_slice slices[SLICES];
    int n = hf_recv_slices(h->stack, &h->env, s->handle, slices, SLICES);
    uint64_t len = 0;
    for (int i = 0; i < n && len < most; i++) {
        check_text(world, conn, side, slices[i].data, slices[i].len);
        len += slices[i].len;
    }
    if (len && hf_recv_consume(h->stack, &h->env, s->handle, len) != HF_OK) {
        world_wrong(world, conn, "consume", "what hf_recv_slices gave cannot be consumed");
    }
    return n <= 0 ? n : (int64_t)len;
}

static void read_all(struct world *world, struct conn *conn, uint32_t side, const struct role *role,
                     struct host *h)
{
    struct side *s = &conn->side[side];
    if (world->now_ns < s->wake_ns && !s->hurry) {
        wake_later(world, conn, side, s->wake_ns - world->now_ns);
    }
    while (!s->end_read && s->error == 0 && !s->aborted && !world_failed(world) &&
           (world->now_ns >= s->wake_ns || s->hurry)) {
        int64_t n = read_some(world, conn, side, role, h);
        if (n == 0 && s->told == 0) {
            check_end(world, conn, side);
        } else if (n == 0) {
            n = s->told;
        }
        if (n <= 0) {
            s->error = n < 0 && n != HF_ERR_WOULD_BLOCK ? (int32_t)n : 0;
            return;
        }
        if (unrest_turns_deaf(world, conn, side)) {
            wake_later(world, conn, side, role->deaf_ns);
        } else if (role->pause_us && !s->hurry) {
            wake_later(world, conn, side, 1000 * (int64_t)role->pause_us);
        }
    }
}

/* How much it may have sent by now. */
static uint64_t may_send(const struct world *world, const struct conn *conn, uint32_t side)
{
    const struct program *p = &world->plan.program[conn->program];
    const struct role *role = &p->role[side];
    const struct side *s = &conn->side[side];
    uint64_t all = role->bytes;
    if (role->gate == GATE_END) {
        return s->end_read ? all : 0;
    }
    if (role->gate == GATE_TURNS) {
        uint64_t turns = s->received / p->role[!side].unit + (side == 0 ? 1 : 0);
        uint64_t allowed = turns * role->unit;
        return allowed < all ? allowed : all;
    }
    return all;
}

static void send_some(struct world *world, struct conn *conn, uint32_t side,
                      const struct role *role, struct host *h)
{
    struct side *s = &conn->side[side];
    uint64_t all = may_send(world, conn, side);
    while (s->sent < all && !s->aborted && !unrest_keeps_silent(world, conn, side)) {
        uint64_t left = all - s->sent, len = 1 + dice_below(&s->dice, role->chunk);
        len = len < left ? len : left;
        const uint8_t *text = text_at(world, conn, side, s->sent);
        uint32_t flags = dice_one_in(&s->dice, 8) && len < left ? HF_SEND_MORE : 0;
        flags |= dice_one_in(&s->dice, 16) ? HF_SEND_END : 0;
        int64_t n;
        if (role->borrowed && len > 1000) {
            n = hf_send_borrowed(h->stack, &h->env, s->handle, 1, (uint64_t)(text - world->pattern),
                                 (uint32_t)len, 1, flags);
        } else {
            n = HF_ERR_NO_RESOURCES;
        }
        if (n == HF_ERR_NO_RESOURCES) { /* no record for what is lent: then a copy */
            flags |= unrest_is_urgent(world, s) ? HF_SEND_URGENT : 0;
            n = hf_send(h->stack, &h->env, s->handle, text, len, flags);
        }
        if (n <= 0) {
            s->told = n == HF_ERR_RESET ? (int32_t)n : s->told;
            return;
        }
        s->sent += (uint64_t)n;
        if (s->sent >= role->abort_at) {
            s->aborted = true;
        }
    }
}

static void close_when_done(struct world *world, struct conn *conn, uint32_t side,
                            const struct role *role, struct host *h)
{
    struct side *s = &conn->side[side];
    const struct role *peer = &world->plan.program[conn->program].role[!side];
    bool came = role->closing == CLOSE_CAME ? s->received >= peer->bytes : s->end_read;
    if (s->closed || s->sent < role->bytes || (role->closing != CLOSE_SENT && !came)) {
        return;
    }
    int error = hf_close(h->stack, &h->env, s->handle);
    s->closed = error != HF_ERR_NO_RESOURCES;
    if (error == HF_ERR_NO_RESOURCES) {
        return; /* HF_WRITABLE tells */
    }
    if (role->set >> HF_CORK & 1) {
        hf_set_option(h->stack, &h->env, s->handle, HF_CORK, 0);
    }
}

void talk_release(struct world *world, struct conn *conn, uint32_t side)
{
    struct side *s = &conn->side[side];
    struct host *h = &world->host[programs_host(world, conn, side)];
    if (s->handle && hf_release(h->stack, &h->env, s->handle) != HF_OK) {
        world_wrong(world, conn, "release", "hf_release refuses a live handle");
    }
    s->handle = 0;
    s->ended = true;
    judge_conn(world, conn);
}

/* May its stack give a connection up that is released now?  While things go wrong; where a pool
 * makes it; where the peer lets its window be closed for hours; and when they have gone wrong for
 * as many timeouts in a row as it waits for one that is released: the next is the last, without a
 * try on the clean wire. */
static bool may_give_up(const struct world *world, const struct conn *conn, uint32_t side,
                        const struct host *h)
{
    const struct plan *plan = &world->plan;
    const struct program *p = &plan->program[conn->program];
    const struct stack_plan *own = &plan->stack[programs_host(world, conn, side)];
    struct hf_status status = {.struct_size = sizeof status};
    hf_status(h->stack, &h->env, conn->side[side].handle, &status);
    return world->now_ns < plan->clean_ns || p->role[!side].deaf_ns ||
           plan->stack[p->client].tight || plan->stack[p->server].tight ||
           status.retries >= own->config.policy.orphan_retries;
}

void talk(struct world *world, struct conn *conn, uint32_t side)
{
    const struct role *role = &world->plan.program[conn->program].role[side];
    struct side *s = &conn->side[side];
    struct host *h = &world->host[programs_host(world, conn, side)];
    if (s->handle == 0 || world_failed(world)) {
        return;
    }
    h->touched = true;
    if (s->open) {
        read_all(world, conn, side, role, h);
    }
    send_some(world, conn, side, role, h);
    if (s->open && (s->aborted || (role->abort_at == 0 && role->bytes == 0))) {
        s->aborted = true;
        conn->because |= BECAUSE_ABORT;
        hf_abort(h->stack, &h->env, s->handle);
        return;
    }
    if (s->open && !unrest_keeps_silent(world, conn, side)) {
        close_when_done(world, conn, side, role, h);
    }
    if (s->open) {
        unrest_options(world, conn, side);
    }
    if (role->release && s->closed && s->end_read && !s->aborted) {
        conn->because |= may_give_up(world, conn, side, h) ? BECAUSE_ORPHAN : 0;
        talk_release(world, conn, side);
    }
}
