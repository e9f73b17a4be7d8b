/* Random lives of many connections between two stacks, over a wire that loses, repeats and
 * reorders: applications act on events alone, every octet is checked, nobody is left waiting, and
 * when all is over every pool is empty.
 * HF_SEEDS=n plays n seeds, from HF_FIRST_SEED on.
 * ctest: timeout=300
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stack/stack.h"

enum { SIDES = 2, CONNS = 24, FRAMES = 2048, MTU = 1500, MS = 1000000, PORT = 80, HELD_PORT = 81 };

struct conn {
    bool used, blocked, closed, eof, ended, accepted, later;
    hf_handle handle;
    uint32_t to_send, sent, received;
    int error;
};

struct side {
    struct hf_stack *stack;
    struct hf_env env;
    uint8_t ip[2][16];
    hf_handle listener[2];
    struct conn conn[CONNS];
    uint64_t held_tokens[64];
    uint32_t n_held;
};

struct frame {
    int64_t at_ns;
    uint32_t len;
    uint8_t to;
    uint8_t *bytes;
};

struct world {
    struct side side[SIDES];
    struct frame frame[FRAMES];
    uint32_t frames;
    uint64_t random;
    int64_t now_ns;
    uint32_t loss, opened, completed, max_text;
    bool rude;      /* aborts, early releases, closed listeners, refusals */
    bool slow_done; /* hf_output_done comes late                          */
    bool lazy;      /* what arrives is read some time later               */
};

static uint32_t rnd(struct world *w, uint32_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 20) % n;
}

static uint8_t octet(uint32_t port, bool active, uint32_t at)
{
    return (uint8_t)((at * 2654435761u >> 24) + at + port * 7 + active);
}

static uint32_t client_port(struct side *s, const struct conn *c)
{
    struct hf_status status = {.struct_size = sizeof status};
    assert_int_equal(hf_status(s->stack, &s->env, c->handle, &status), HF_OK);
    return status.passive ? status.remote.port : status.local.port;
}

static void listen_at(struct side *s, int which)
{
    struct hf_listen listen = {.struct_size = sizeof listen,
                               .local.port = which ? HELD_PORT : PORT,
                               .backlog = 8,
                               .hold = which == 1};
    assert_int_equal(hf_listen(s->stack, &s->env, &listen, &s->listener[which]), HF_OK);
}

static uint32_t often(struct world *w, uint32_t usual, uint32_t least, uint32_t most)
{
    return rnd(w, 2) ? usual : least + rnd(w, most - least);
}

static void choose_policy(struct world *w, struct hf_policy *policy)
{
    policy->sack = rnd(w, 3);
    policy->timestamps = rnd(w, 3);
    policy->window_scale = rnd(w, 3);
    policy->zwp_octet = rnd(w, 4) == 0;
    policy->sack_keep_on_rto = rnd(w, 4) == 0;
    policy->receive_window = often(w, policy->receive_window, 1, 6000);
    policy->send_buffer = often(w, policy->send_buffer, 1, 6000);
    policy->quick_acks = rnd(w, 20);
    policy->data_retries = 200; /* loss alone ends nothing */
    policy->rto_max_ms = 3000;
    policy->synack_retries = 7;
    policy->syn_retries = 100;
}

static void begin_side(struct world *w, int n, const struct hf_config *config)
{
    struct side *s = &w->side[n];
    struct hf_config mine = *config;
    choose_policy(w, &mine.policy);
    mine.seed[0] = (uint8_t)(w->random + (uint64_t)n);
    mine.seed[1] = (uint8_t)(w->random >> 8);
    uint64_t bytes = hf_size(&mine);
    assert_true(bytes != 0);
    s->stack = aligned_alloc(64, bytes);
    s->env = (struct hf_env){.struct_size = sizeof s->env, .now_ns = w->now_ns};
    assert_int_equal(hf_init(s->stack, bytes, &mine, &s->env), HF_OK);
    struct hf_interface link = {.struct_size = sizeof link, .link = HF_LINK_IP, .mtu = MTU};
    assert_int_equal(hf_interface_add(s->stack, &s->env, &link), 1);
    static const uint8_t net4[16] = {[10] = 0xff, 0xff, 192, 0, 2}, net6[16] = {0xfd};
    memcpy(s->ip[0], net4, 16);
    memcpy(s->ip[1], net6, 16);
    for (int i = 0; i < 2; i++) {
        s->ip[i][15] = (uint8_t)(n + 1);
        assert_int_equal(hf_address_add(s->stack, &s->env, 1, s->ip[i], i ? 64 : 24), HF_OK);
        listen_at(s, i);
    }
}

static void put(struct world *w, int to, const struct hf_frame_out *out, int64_t delay_ns)
{
    assert_true(w->frames < FRAMES);
    struct frame *f = &w->frame[w->frames++];
    *f =
        (struct frame){.at_ns = w->now_ns + delay_ns, .to = (uint8_t)to, .bytes = malloc(out->len)};
    memcpy(f->bytes, out->header, out->header_len);
    f->len = out->header_len;
    for (uint32_t i = 0; i < out->n_slices; i++) {
        memcpy(f->bytes + f->len, out->slice[i].data, out->slice[i].len);
        f->len += out->slice[i].len;
    }
    assert_int_equal(f->len, out->len);
}

static void transmit(struct world *w, int from)
{
    struct side *s = &w->side[from];
    struct hf_frame_out out[3];
    uint32_t n;
    do {
        n = hf_output(s->stack, &s->env, out, 1 + rnd(w, 3));
        for (uint32_t i = 0; i < n; i++) {
            if (rnd(w, 100) >= w->loss) {
                put(w, !from, &out[i], MS * (int64_t)(1 + rnd(w, w->loss ? 20 : 3)));
                if (w->loss && rnd(w, 50) == 0) {
                    put(w, !from, &out[i], MS * (int64_t)(1 + rnd(w, 400)));
                }
            }
            if (w->slow_done && s->n_held < ARRAY_LEN(s->held_tokens) && rnd(w, 2)) {
                s->held_tokens[s->n_held++] = out[i].token;
            } else {
                assert_int_equal(hf_output_done(s->stack, &s->env, out[i].token), HF_OK);
            }
        }
    } while (n != 0);
}

static void done_held(struct world *w, struct side *s)
{
    while (s->n_held && (!w->slow_done || rnd(w, 4))) {
        uint32_t i = rnd(w, s->n_held);
        assert_int_equal(hf_output_done(s->stack, &s->env, s->held_tokens[i]), HF_OK);
        s->held_tokens[i] = s->held_tokens[--s->n_held];
    }
}

static void deliver(struct world *w)
{
    for (uint32_t i = 0; i < w->frames;) {
        struct frame f = w->frame[i];
        if (f.at_ns > w->now_ns) {
            i++;
            continue;
        }
        w->frame[i] = w->frame[--w->frames];
        struct side *s = &w->side[f.to];
        struct hf_frame_in in = {.data = f.bytes, .len = f.len, .iface = 1};
        assert_int_equal(hf_input(s->stack, &s->env, &in, 1), HF_OK);
        free(f.bytes);
    }
}

/* Applications --------------------------------------------------------------------------------- */

static struct conn *new_conn(struct world *w, struct side *s, hf_handle handle)
{
    for (uint32_t i = 0; i < CONNS; i++) {
        struct conn *c = &s->conn[i];
        if (!c->used) {
            *c = (struct conn){.used = true, .handle = handle, .to_send = rnd(w, w->max_text)};
            assert_int_equal(hf_set_cookie(s->stack, handle, i + 1), HF_OK);
            return c;
        }
    }
    return NULL;
}

static void release(struct side *s, struct conn *c)
{
    assert_int_equal(hf_release(s->stack, &s->env, c->handle), HF_OK);
    assert_int_equal(hf_release(s->stack, &s->env, c->handle), HF_ERR_STALE_HANDLE);
    c->used = false;
}

static void send_some(struct world *w, struct side *s, struct conn *c)
{
    static uint8_t text[8192];
    while (!c->ended && !c->blocked && !c->closed && c->sent < c->to_send) {
        uint32_t port = client_port(s, c);
        uint32_t n = min_u32(1 + rnd(w, rnd(w, 4) ? sizeof text - 1 : 20), c->to_send - c->sent);
        for (uint32_t i = 0; i < n; i++) {
            text[i] = octet(port, !c->accepted, c->sent + i);
        }
        uint32_t flags = (rnd(w, 10) == 0 ? HF_SEND_URGENT : 0) | (rnd(w, 5) ? 0 : HF_SEND_MORE);
        int64_t got = hf_send(s->stack, &s->env, c->handle, text, n, flags);
        if (got == HF_ERR_WOULD_BLOCK) {
            c->blocked = true;
        } else if (got < 0) {
            assert_true(w->rude);
            return;
        } else {
            assert_true(got > 0 && got <= n);
            c->sent += (uint32_t)got;
        }
    }
    if (!c->ended && !c->closed && c->sent == c->to_send) {
        int error = hf_close(s->stack, &s->env, c->handle);
        c->closed = error == HF_OK;
        assert_true(error == HF_OK || error == HF_ERR_NO_RESOURCES || w->rude);
    }
}

static void receive_some(struct world *w, struct side *s, struct conn *c)
{
    static uint8_t text[8192];
    int64_t got;
    while ((got = hf_recv(s->stack, &s->env, c->handle, text, 1 + rnd(w, sizeof text))) > 0) {
        uint32_t port = client_port(s, c);
        for (uint32_t i = 0; i < got; i++) {
            assert_int_equal(text[i], octet(port, c->accepted, c->received + i));
        }
        c->received += (uint32_t)got;
    }
    c->eof |= got == 0;
}

static void look_after(struct world *w, struct side *s, struct conn *c)
{
    if (c->eof && c->closed) {
        w->completed++;
        release(s, c);
    } else if (c->ended) {
        assert_true(w->rude);
        release(s, c);
    }
}

static void answer_asked(struct world *w, struct side *s)
{
    hf_handle handle;
    while (hf_asked(s->stack, &s->env, s->listener[1], &handle, NULL, NULL) == HF_OK) {
        struct conn *c = new_conn(w, s, handle);
        if (c == NULL) {
            assert_int_equal(hf_release(s->stack, &s->env, handle), HF_OK);
            continue;
        }
        c->accepted = true;
        enum hf_answer answer = w->rude && rnd(w, 3) == 0 ? rnd(w, 5) : HF_ANSWER_ACCEPT;
        if (w->rude && rnd(w, 4) == 0) {
            continue; /* never answered: the peer gives up, or it is released */
        }
        int error = hf_answer(s->stack, &s->env, handle, answer);
        if (error != HF_OK) {
            assert_int_equal(error, HF_ERR_NO_RESOURCES);
            release(s, c);
        } else if (answer != HF_ANSWER_ACCEPT) {
            c->used = false;
        }
    }
}

static void accept_all(struct world *w, struct side *s)
{
    hf_handle handle;
    while (hf_accept(s->stack, &s->env, s->listener[0], &handle, NULL) == HF_OK) {
        struct conn *c = new_conn(w, s, handle);
        if (c == NULL) {
            assert_int_equal(hf_release(s->stack, &s->env, handle), HF_OK);
            continue;
        }
        c->accepted = true;
        send_some(w, s, c);
    }
}

static void events(struct world *w, struct side *s)
{
    struct hf_event e[4];
    uint32_t n;
    while ((n = hf_events(s->stack, &s->env, e, 1 + rnd(w, 4))) != 0) {
        for (uint32_t i = 0; i < n; i++) {
            if (e[i].bits & HF_ACCEPTED) {
                accept_all(w, s);
                continue;
            }
            if (e[i].bits & HF_ASKED) {
                answer_asked(w, s);
                continue;
            }
            struct conn *c = e[i].cookie ? &s->conn[e[i].cookie - 1] : NULL;
            if (c == NULL || !c->used || c->handle != e[i].handle) {
                continue;
            }
            if (e[i].bits & HF_CLOSED_EVENT) {
                assert_false(c->ended);
                c->ended = true;
                c->error = e[i].error;
            }
            if (e[i].bits & (HF_READABLE | HF_CLOSED_EVENT)) {
                c->later = w->lazy && !c->ended && rnd(w, 4);
                if (!c->later) {
                    receive_some(w, s, c);
                }
            }
            if (e[i].bits & (HF_WRITABLE | HF_CONNECTED)) {
                c->blocked = false;
                send_some(w, s, c);
            }
            look_after(w, s, c);
        }
    }
}

static void read_late(struct world *w, struct side *s)
{
    for (uint32_t i = 0; i < CONNS; i++) {
        struct conn *c = &s->conn[i];
        if (c->used && c->later && rnd(w, 10) == 0) {
            c->later = false;
            receive_some(w, s, c);
            look_after(w, s, c);
        }
    }
}

static void open_one(struct world *w, int from)
{
    struct side *s = &w->side[from];
    struct hf_endpoint remote = {.port = rnd(w, 4) ? PORT : HELD_PORT};
    memcpy(remote.ip, w->side[!from].ip[rnd(w, 2)], 16);
    hf_handle handle;
    int error = hf_open(s->stack, &s->env, NULL, &remote, 0, &handle);
    if (error != HF_OK) {
        assert_int_equal(error, HF_ERR_NO_RESOURCES);
        return;
    }
    struct conn *c = new_conn(w, s, handle);
    if (c == NULL) {
        assert_int_equal(hf_release(s->stack, &s->env, handle), HF_OK);
        return;
    }
    w->opened++;
}

static void rudeness(struct world *w, struct side *s)
{
    struct conn *c = &s->conn[rnd(w, CONNS)];
    if (!c->used) {
        return;
    }
    switch (rnd(w, 6)) {
    case 0:
        hf_abort(s->stack, &s->env, c->handle);
        break;
    case 1:
        release(s, c);
        break;
    case 2:
        hf_close(s->stack, &s->env, c->handle);
        break;
    case 3:
        assert_int_equal(hf_close(s->stack, &s->env, s->listener[c->to_send & 1]), HF_OK);
        listen_at(s, (int)(c->to_send & 1));
        break;
    case 4:
        hf_set_option(s->stack, &s->env, c->handle, HF_RECEIVE_WINDOW, 1 + rnd(w, 100000));
        break;
    default:
        hf_set_option(s->stack, &s->env, c->handle, HF_SEND_BUFFER, 1 + rnd(w, 100000));
        break;
    }
}

/* Time passes until `until_ns`; something random happens every few milliseconds when `lively`. */
static void run(struct world *w, int64_t until_ns, bool lively, uint32_t most)
{
    int64_t next_ns = w->now_ns;
    while (w->now_ns < until_ns) {
        deliver(w);
        for (int i = 0; i < SIDES; i++) {
            struct side *s = &w->side[i];
            hf_timeouts(s->stack, &s->env);
            done_held(w, s);
            transmit(w, i);
            events(w, s);
            read_late(w, s);
            transmit(w, i);
        }
        if (lively && w->now_ns >= next_ns) {
            next_ns = w->now_ns + MS * (int64_t)(1 + rnd(w, 60));
            if (w->opened < most) {
                open_one(w, (int)rnd(w, 2));
            }
            if (w->rude) {
                rudeness(w, &w->side[rnd(w, 2)]);
            }
        }
        int64_t soonest = lively ? next_ns : until_ns;
        for (uint32_t i = 0; i < w->frames; i++) {
            soonest = w->frame[i].at_ns < soonest ? w->frame[i].at_ns : soonest;
        }
        for (int i = 0; i < SIDES; i++) {
            int64_t at_ns = hf_deadline(w->side[i].stack, &w->side[i].env);
            soonest = at_ns < soonest ? at_ns : soonest;
            if (w->side[i].n_held || w->lazy) {
                soonest = w->now_ns + MS < soonest ? w->now_ns + MS : soonest;
            }
        }
        w->now_ns = soonest > w->now_ns ? soonest : w->now_ns + MS / 4;
        w->side[0].env.now_ns = w->side[1].env.now_ns = w->now_ns;
    }
}

static void all_is_empty(const struct side *s)
{
    const struct tcp_block *b = &s->stack->tcp;
    const struct pool *pools[] = {&b->tcbs,  &b->actives, &b->exts,   &b->halves, &b->waits,
                                  &b->small, &b->large,   &b->pieces, &b->lents,  &b->ranges};
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        if (pools[i]->used) {
            fail_msg("pool %zu: %u in use", i, pools[i]->used);
        }
    }
    assert_int_equal(s->stack->packets.used, 0);
    assert_int_equal(b->wheel.armed, 0);
    assert_true(idlist_empty(&b->owes) && idlist_empty(&b->blocked) && idlist_empty(&b->ready));
    assert_true(idlist_empty(&b->waiting));
    assert_int_equal(hf_deadline(s->stack, &s->env), INT64_MAX);
}

static void print_stuck(struct world *w, int n)
{
    struct side *s = &w->side[n];
    const struct tcp_block *b = &s->stack->tcp;
    print_message("side %d: %u of %u active, %u of %u small, %u of %u large, %u ranges, limbo %u\n",
                  n, b->actives.used, b->actives.max, b->small.used, b->small.max, b->large.used,
                  b->large.max, b->ranges.used, b->limbo.head);
    for (uint32_t i = 0; i < CONNS; i++) {
        const struct conn *c = &s->conn[i];
        struct hf_status st = {.struct_size = sizeof st};
        if (!c->used || hf_status(s->stack, &s->env, c->handle, &st) != HF_OK) {
            continue;
        }
        print_message(
            "side %d conn %u port %u-%u %s sent %u of %u received %u blocked %d closed %d "
            "eof %d: una+%u out %u queued %u snd_wnd %u rcv_wnd %u unread %u held %u\n",
            n, i, st.local.port, st.remote.port, hf_state_name(st.state), c->sent, c->to_send,
            c->received, c->blocked, c->closed, c->eof, st.snd_una - st.iss,
            st.snd_nxt - st.snd_una, st.queued_bytes, st.snd_wnd, st.rcv_wnd, st.unread_bytes,
            st.out_of_order_bytes);
    }
}

static void begin(struct world *w, const struct hf_config *config, uint32_t seed)
{
    memset(w, 0, sizeof *w);
    w->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    w->now_ns = INT64_C(1000000) * MS + (int64_t)rnd(w, UINT32_MAX) * MS;
    w->loss = rnd(w, 3) ? rnd(w, 20) : 0;
    w->slow_done = rnd(w, 2);
    w->lazy = rnd(w, 2);
    for (int i = 0; i < SIDES; i++) {
        begin_side(w, i, config);
    }
}

static void finish(struct world *w)
{
    run(w, w->now_ns + INT64_C(20000) * MS, false, 0);
    w->loss = 0;
    w->slow_done = w->lazy = false;
    int64_t start_ns = w->now_ns;
    run(w, start_ns + INT64_C(600000) * MS, false, 0);
    if (!w->rude) {
        bool stuck = w->completed != 2 * w->opened;
        for (int i = 0; i < SIDES && stuck; i++) {
            print_stuck(w, i);
        }
        assert_int_equal(w->completed, 2 * w->opened);
    }
    for (int i = 0; i < SIDES; i++) {
        struct side *s = &w->side[i];
        for (uint32_t k = 0; k < CONNS; k++) {
            if (s->conn[k].used) {
                release(s, &s->conn[k]);
            }
        }
        hf_close(s->stack, &s->env, s->listener[0]);
        hf_close(s->stack, &s->env, s->listener[1]);
    }
    run(w, w->now_ns + INT64_C(2000000) * MS, false, 0);
    all_is_empty(&w->side[0]);
    all_is_empty(&w->side[1]);
    free(w->side[0].stack);
    free(w->side[1].stack);
}

static uint32_t number_of(const char *variable, uint32_t usual)
{
    const char *value = getenv(variable);
    return value ? (uint32_t)atoi(value) : usual;
}

static void small_pools(struct hf_config *config, uint32_t seed)
{
    struct world dice = {.random = seed * UINT64_C(0xD1342543DE82EF95) + 1};
    config->max_active = 2 + rnd(&dice, 6);
    config->small_chunks = 2 + rnd(&dice, 8);
    config->large_chunks = rnd(&dice, 3);
    config->max_ranges = rnd(&dice, 6);
    config->max_replies = 1 + rnd(&dice, 3);
    config->max_tokens = 1 + rnd(&dice, 3);
    config->max_time_wait = 2;
    config->max_half_open = 4;
}

static void play(bool rude, bool small)
{
    static struct world w;
    uint32_t seed = number_of("HF_FIRST_SEED", 1);
    for (uint32_t end = seed + number_of("HF_SEEDS", 12); seed < end; seed++) {
        struct hf_config config;
        hf_config_default(&config, 64);
        if (small) {
            small_pools(&config, seed);
        }
        begin(&w, &config, seed);
        w.rude = rude;
        w.max_text = small && !rude ? 20000 : 60000;
        run(&w, w.now_ns + INT64_C(1000) * MS * (rude ? 20 : 2), true,
            rude    ? 300
            : small ? 10
                    : 16);
        finish(&w);
    }
}

static void every_octet_arrives_and_nothing_is_left(void **state)
{
    (void)state;
    play(false, false);
}

static void rude_applications_leave_nothing_behind(void **state)
{
    (void)state;
    play(true, false);
}

static void with_hardly_any_memory_everybody_gets_a_turn(void **state)
{
    (void)state;
    play(false, true);
}

static void rude_applications_leave_nothing_behind_in_small_pools(void **state)
{
    (void)state;
    play(true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_octet_arrives_and_nothing_is_left),
        cmocka_unit_test(rude_applications_leave_nothing_behind),
        cmocka_unit_test(with_hardly_any_memory_everybody_gets_a_turn),
        cmocka_unit_test(rude_applications_leave_nothing_behind_in_small_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
