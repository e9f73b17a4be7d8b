/* Who listens where, the backlog, SYNs that are held; and the sentences of hf_close_reason. */
#include "stack/stack.h"
#include "unit/stack_pair.h"

static int try_listen(struct side *s, struct hf_listen listen, hf_handle *handle)
{
    listen.struct_size = sizeof listen;
    return hf_listen(s->stack, &s->env, &listen, handle);
}

static hf_handle must_listen(struct side *s, struct hf_listen listen)
{
    hf_handle handle = 0;
    assert_int_equal(try_listen(s, listen, &handle), HF_OK);
    return handle;
}

static struct hf_listen at(const uint8_t *ip, uint16_t port, uint16_t port_last)
{
    struct hf_listen listen = {.local = {.port = port}, .port_last = port_last, .backlog = 4};
    if (ip != NULL) {
        memcpy(listen.local.ip, ip, 16);
    }
    return listen;
}

/* Which listener does a SYN to this port reach? */
static hf_handle taker(struct pair *p, uint16_t port)
{
    hf_handle client = open_to(&p->b, &p->a, port), found = 0;
    exchange(p);
    struct hf_event event;
    while (hf_events(p->a.stack, &p->a.env, &event, 1) == 1) {
        if (event.bits & HF_ACCEPTED) {
            hf_handle server;
            found = event.handle;
            assert_int_equal(hf_accept(p->a.stack, &p->a.env, found, &server, NULL), HF_OK);
            assert_int_equal(hf_abort(p->a.stack, &p->a.env, server), HF_OK);
            assert_int_equal(hf_release(p->a.stack, &p->a.env, server), HF_OK);
        }
    }
    exchange(p);
    assert_int_equal(hf_release(p->b.stack, &p->b.env, client), HF_OK);
    return found;
}

static void the_most_exact_listener_takes_the_syn(void **state)
{
    (void)state;
    struct pair p;
    struct hf_config config;
    hf_config_default(&config, 32);
    pair_begin_with(&p, &config, 3, 0);
    assert_true(taker(&p, 80) == 0);
    hf_handle all = must_listen(&p.a, at(NULL, 1, 65535));
    assert_true(taker(&p, 80) == all);
    assert_true(taker(&p, 65535) == all);
    hf_handle some = must_listen(&p.a, at(p.a.ip, 70, 90));
    assert_true(taker(&p, 70) == some);
    assert_true(taker(&p, 90) == some);
    assert_true(taker(&p, 91) == all);
    assert_true(taker(&p, 69) == all);
    hf_handle any = must_listen(&p.a, at(NULL, 100, 0));
    assert_true(taker(&p, 100) == any);
    struct hf_listen four = at(NULL, 100, 0);
    four.version = 4;
    hf_handle version = must_listen(&p.a, four);
    assert_true(taker(&p, 100) == version);
    four.version = 6;
    (void)must_listen(&p.a, four);
    assert_true(taker(&p, 100) == version);
    hf_handle exact = must_listen(&p.a, at(p.a.ip, 100, 0));
    assert_true(taker(&p, 100) == exact);
    assert_int_equal(hf_close(p.a.stack, &p.a.env, exact), HF_OK);
    assert_int_equal(hf_close(p.a.stack, &p.a.env, exact), HF_ERR_STALE_HANDLE);
    assert_int_equal(hf_close(p.a.stack, &p.a.env, version), HF_OK);
    assert_true(taker(&p, 100) == any);
    assert_int_equal(hf_release(p.a.stack, &p.a.env, any), HF_OK);
    assert_true(taker(&p, 100) == all);
    assert_int_equal(hf_abort(p.a.stack, &p.a.env, all), HF_OK);
    assert_true(taker(&p, 100) == 0);
    assert_true(taker(&p, 80) == some);
    pair_end(&p);
}

static void what_cannot_be_listened_on_is_refused(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    hf_handle handle;
    uint8_t other[16];
    pair_address(other, 9);
    struct hf_listen listen = at(NULL, 0, 0);
    assert_int_equal(try_listen(&p.a, listen, &handle), HF_ERR_INVALID);
    assert_int_equal(try_listen(&p.a, at(NULL, 5, 4), &handle), HF_ERR_INVALID);
    assert_int_equal(try_listen(&p.a, at(NULL, 5, 0), NULL), HF_ERR_INVALID);
    assert_int_equal(try_listen(&p.a, at(other, 5, 0), &handle), HF_ERR_NO_ADDRESS);
    listen = at(p.a.ip, 5, 0);
    listen.version = 6;
    assert_int_equal(try_listen(&p.a, listen, &handle), HF_ERR_INVALID);
    listen.version = 5;
    assert_int_equal(try_listen(&p.a, listen, &handle), HF_ERR_INVALID);
    listen = at(NULL, 5, 0);
    listen.local.iface = 2; /* there is one */
    assert_int_equal(try_listen(&p.a, listen, &handle), HF_ERR_INVALID);
    (void)must_listen(&p.a, at(NULL, 5, 0));
    assert_int_equal(try_listen(&p.a, at(NULL, 5, 0), &handle), HF_ERR_EXISTS);
    (void)must_listen(&p.a, at(NULL, 100, 200));
    assert_int_equal(try_listen(&p.a, at(NULL, 200, 300), &handle), HF_ERR_EXISTS);
    assert_int_equal(try_listen(&p.a, at(NULL, 50, 100), &handle), HF_ERR_EXISTS);
    (void)must_listen(&p.a, at(NULL, 201, 300));
    (void)must_listen(&p.a, at(p.a.ip, 5, 0));
    assert_int_equal(try_listen(&p.a, at(p.a.ip, 5, 0), &handle), HF_ERR_EXISTS);
    assert_int_equal(try_listen(&p.a, at(NULL, 6, 0), &handle), HF_ERR_NO_RESOURCES); /* four */
    pair_end(&p);
}

static void a_listener_that_closes_resets_what_nobody_accepted(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    p.listener = listen_on(&p.a, PAIR_PORT);
    p.client = open_to(&p.b, &p.a, PAIR_PORT);
    exchange(&p);
    assert_int_equal(state_of(&p.b, p.client), HF_ESTABLISHED);
    assert_int_equal(hf_close(p.a.stack, &p.a.env, p.listener), HF_OK);
    exchange(&p);
    assert_int_equal(state_of(&p.b, p.client), HF_CLOSED);
    assert_int_equal(hf_recv(p.b.stack, &p.b.env, p.client, &(char){0}, 1), HF_ERR_RESET);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p.a.stack, &counters);
    assert_int_equal(counters.connections, 0);
    assert_int_equal(events_of(&p.a, p.listener), 0);
    pair_end(&p);
}

/* Held SYNs */

static hf_handle hold(struct pair *p, uint16_t backlog)
{
    struct hf_listen listen = at(NULL, PAIR_PORT, 0);
    listen.hold = true;
    listen.backlog = backlog;
    p->listener = must_listen(&p->a, listen);
    p->client = open_to(&p->b, &p->a, PAIR_PORT);
    exchange(p);
    assert_int_equal(events_of(&p->a, p->listener), HF_ASKED);
    struct hf_endpoint local, peer;
    hf_handle held = 0;
    assert_int_equal(hf_asked(p->a.stack, &p->a.env, p->listener, &held, &local, &peer), HF_OK);
    assert_memory_equal(local.ip, p->a.ip, 16);
    assert_memory_equal(peer.ip, p->b.ip, 16);
    assert_int_equal(local.port, PAIR_PORT);
    assert_int_equal(hf_asked(p->a.stack, &p->a.env, p->listener, &held, NULL, NULL),
                     HF_ERR_WOULD_BLOCK);
    assert_int_equal(state_of(&p->b, p->client), HF_SYN_SENT);
    return held;
}

static void a_held_syn_goes_on_when_it_is_accepted(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    p.server = hold(&p, 4);
    assert_int_equal(state_of(&p.a, p.server), HF_LISTEN);
    assert_int_equal(hf_answer(p.a.stack, &p.a.env, p.server, HF_ANSWER_ACCEPT), HF_OK);
    exchange(&p);
    assert_true(events_of(&p.a, p.server) & HF_CONNECTED);
    assert_int_equal(state_of(&p.b, p.client), HF_ESTABLISHED);
    assert_int_equal(hf_answer(p.a.stack, &p.a.env, p.server, HF_ANSWER_RESET),
                     HF_ERR_NOT_CONNECTED);
    send_all(&p.a, p.server, "welcome", 7);
    exchange(&p);
    receives(&p.b, p.client, "welcome", 7);
    pair_end(&p);
}

static void a_held_syn_is_refused_with_a_reset_or_an_icmp_error(void **state)
{
    (void)state;
    static const struct {
        enum hf_answer answer;
        int32_t error;
    } rows[] = {{HF_ANSWER_RESET, HF_ERR_REFUSED},
                {HF_ANSWER_UNREACHABLE_NET, HF_ERR_NET_UNREACHABLE},
                {HF_ANSWER_UNREACHABLE_HOST, HF_ERR_HOST_UNREACHABLE},
                {HF_ANSWER_PROHIBITED, HF_ERR_PROHIBITED}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pair p;
        struct hf_config config;
        hf_config_default(&config, 4);
        config.policy.syn_soft_abort = true;
        pair_begin_with(&p, &config, 5, 0);
        p.server = hold(&p, 4);
        assert_int_equal(hf_answer(p.a.stack, &p.a.env, p.server, rows[i].answer), HF_OK);
        assert_int_equal(state_of(&p.a, p.server), HF_ERR_STALE_HANDLE);
        exchange(&p);
        assert_int_equal(state_of(&p.b, p.client), HF_CLOSED);
        struct hf_close_reason reason;
        assert_int_equal(hf_close_reason(p.b.stack, p.client, &reason), rows[i].error);
        struct hf_icmp_report report;
        int noted = hf_error_report(p.b.stack, p.client, &report);
        assert_int_equal(noted, rows[i].answer == HF_ANSWER_RESET ? HF_ERR_WOULD_BLOCK : HF_OK);
        if (noted == HF_OK) {
            assert_int_equal(report.error, rows[i].error);
            assert_memory_equal(report.from, p.a.ip, 16);
            assert_int_equal(hf_error_report(p.b.stack, p.client, &report), HF_ERR_WOULD_BLOCK);
        }
        struct hf_counters counters = {.struct_size = sizeof counters};
        hf_counters(p.a.stack, &counters);
        assert_int_equal(counters.connections, 0);
        pair_end(&p);
    }
}

/* listen(2): no more SYNs are held than the backlog says, until the application has seen them. */
static void held_syns_count_against_the_backlog(void **state)
{
    (void)state;
    struct pair p;
    struct hf_config config;
    hf_config_default(&config, 8);
    pair_begin_with(&p, &config, 5, 0);
    struct hf_listen listen = at(NULL, PAIR_PORT, 0);
    listen.hold = true;
    listen.backlog = 2;
    p.listener = must_listen(&p.a, listen);
    for (unsigned i = 0; i < 4; i++) {
        (void)open_to(&p.b, &p.a, PAIR_PORT);
    }
    exchange(&p);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p.a.stack, &counters);
    assert_int_equal(counters.connections, 2);
    assert_int_equal(counters.verdict[HF_V_DROP_BACKLOG], 2);
    hf_handle held;
    assert_int_equal(hf_asked(p.a.stack, &p.a.env, p.listener, &held, NULL, NULL), HF_OK);
    after(&p, 1100); /* the others are sent again */
    hf_counters(p.a.stack, &counters);
    assert_int_equal(counters.connections, 3);
    assert_int_equal(hf_close(p.a.stack, &p.a.env, p.listener), HF_OK);
    hf_counters(p.a.stack, &counters);
    assert_int_equal(counters.connections, 1); /* the one that the application has */
    pair_end(&p);
}

/* Reasons */

static void expect_reason(const struct side *s, hf_handle handle, int error, uint8_t first,
                          const char *text)
{
    struct hf_close_reason reason;
    memset(&reason, 0x55, sizeof reason);
    assert_int_equal(hf_close_reason(s->stack, handle, &reason), error);
    assert_int_equal(reason.error, error);
    assert_string_equal(reason.text, text);
    assert_int_equal(reason.first, first);
}

static void an_orderly_close_says_who_was_first(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    expect_reason(&p.a, p.server, HF_OK, 0, "open in both directions: ESTABLISHED");
    hf_close(p.b.stack, &p.b.env, p.client);
    exchange(&p);
    expect_reason(&p.b, p.client, HF_OK, 1,
                  "this side closed first; the peer has not closed: FIN-WAIT-2");
    expect_reason(&p.a, p.server, HF_OK, 2,
                  "the peer closed first; this side has not closed: CLOSE-WAIT");
    hf_close(p.a.stack, &p.a.env, p.server);
    exchange(&p);
    expect_reason(&p.a, p.server, HF_OK, 2,
                  "the peer closed first, this side followed; ended in LAST-ACK");
    after(&p, 61000);
    expect_reason(&p.b, p.client, HF_OK, 1,
                  "this side closed first, the peer followed; ended in TIME-WAIT");
    struct hf_close_reason reason;
    hf_close_reason(p.b.stack, p.client, &reason);
    assert_true(reason.fin_sent && reason.fin_acked && reason.fin_received);
    assert_false(reason.rst_sent || reason.rst_received);
    assert_int_equal(reason.state, HF_TIME_WAIT);
    assert_int_equal(reason.cause, HF_TIMER_TIME_WAIT);
    pair_end(&p);
}

static void a_simultaneous_close_is_both_sides(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    hf_close(p.b.stack, &p.b.env, p.client);
    hf_close(p.a.stack, &p.a.env, p.server);
    struct hf_frame_out fin[2];
    uint8_t bytes[PAIR_FRAME_MAX];
    assert_int_equal(hf_output(p.b.stack, &p.b.env, fin, 2), 1);
    hf_output_done(p.b.stack, &p.b.env, fin[0].token);
    struct hf_frame_in in = {.data = bytes, .len = flat(&fin[0], bytes), .iface = 1};
    assert_int_equal(carry(&p.a, &p.b), 1);
    hf_input(p.a.stack, &p.a.env, &in, 1);
    after(&p, 61000);
    expect_reason(&p.a, p.server, HF_OK, 3, "both sides closed at once; ended in TIME-WAIT");
    expect_reason(&p.b, p.client, HF_OK, 3, "both sides closed at once; ended in TIME-WAIT");
    pair_end(&p);
}

static void resets_say_who_sent_them(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    p.client = open_to(&p.b, &p.a, 9);
    exchange(&p);
    expect_reason(&p.b, p.client, HF_ERR_REFUSED, 2,
                  "connection refused: the peer answered our SYN with a reset");
    hf_release(p.b.stack, &p.b.env, p.client);
    connect_pair(&p);
    hf_abort(p.a.stack, &p.a.env, p.server);
    exchange(&p);
    expect_reason(&p.a, p.server, HF_ERR_ABORTED, 1,
                  "aborted by this side with a reset in ESTABLISHED");
    expect_reason(&p.b, p.client, HF_ERR_RESET, 2, "reset by the peer in ESTABLISHED");
    hf_release(p.a.stack, &p.a.env, p.server);
    hf_release(p.b.stack, &p.b.env, p.client);
    p.client = open_to(&p.b, &p.a, PAIR_PORT);
    hf_close(p.b.stack, &p.b.env, p.client);
    expect_reason(&p.b, p.client, HF_ERR_CLOSING, 1,
                  "this side closed in SYN-SENT, before the connection was open");
    pair_end(&p);
}

static void giving_up_says_after_how_many_tries(void **state)
{
    (void)state;
    struct pair p;
    struct hf_config config;
    hf_config_default(&config, 2);
    config.policy.data_retries = 3;
    config.policy.syn_retries = 1;
    pair_begin_with(&p, &config, 3, 0);
    connect_pair(&p);
    send_all(&p.b, p.client, "is anybody there", 16);
    for (uint32_t tries = 0; tries < 20; tries++) {
        carry(&p.b, NULL);
        p.b.env.now_ns += (int64_t)5000 * 1000000;
        hf_timeouts(p.b.stack, &p.b.env);
    }
    expect_reason(&p.b, p.client, HF_ERR_TIMED_OUT, 1,
                  "gave up after 3 retransmissions without an answer in ESTABLISHED");
    p.client = open_to(&p.b, &p.a, 9);
    for (uint32_t tries = 0; tries < 20; tries++) {
        carry(&p.b, NULL);
        p.b.env.now_ns += (int64_t)5000 * 1000000;
        hf_timeouts(p.b.stack, &p.b.env);
    }
    expect_reason(&p.b, p.client, HF_ERR_TIMED_OUT, 1,
                  "gave up after 1 retransmission without an answer in SYN-SENT");
    p.a.env.now_ns = p.b.env.now_ns;
    pair_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_exact_listener_takes_the_syn),
        cmocka_unit_test(what_cannot_be_listened_on_is_refused),
        cmocka_unit_test(a_listener_that_closes_resets_what_nobody_accepted),
        cmocka_unit_test(a_held_syn_goes_on_when_it_is_accepted),
        cmocka_unit_test(a_held_syn_is_refused_with_a_reset_or_an_icmp_error),
        cmocka_unit_test(held_syns_count_against_the_backlog),
        cmocka_unit_test(an_orderly_close_says_who_was_first),
        cmocka_unit_test(a_simultaneous_close_is_both_sides),
        cmocka_unit_test(resets_say_who_sent_them),
        cmocka_unit_test(giving_up_says_after_how_many_tries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
