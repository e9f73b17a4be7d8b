/* hf_canonical: equal octets for what will behave equally, whatever its history and numbers. */
#include "unit/stack_pair.h"

enum { ROOM = 32768 };

struct form {
    uint64_t len;
    uint8_t octets[ROOM];
};

static void take(struct form *form, const struct side *s)
{
    memset(form, 0, sizeof *form);
    form->len = hf_canonical(s->stack, &s->env, form->octets, ROOM);
    assert_in_range(form->len, 1, ROOM);
}

static bool same(const struct form *x, const struct form *y)
{
    return x->len == y->len && memcmp(x->octets, y->octets, x->len) == 0;
}

static void assert_same(const struct form *x, const struct form *y)
{
    uint64_t at = 0;
    while (at < x->len && at < y->len && x->octets[at] == y->octets[at]) {
        at++;
    }
    if (!same(x, y)) {
        fail_msg("of %u and %u octets, number %u (%02x, %02x) is the first that differs",
                 (unsigned)x->len, (unsigned)y->len, (unsigned)at, x->octets[at], y->octets[at]);
    }
}

/* Ports by number, not by chance. */
static hf_handle open_from(struct side *from, const struct side *to, uint16_t lport)
{
    struct hf_endpoint local = {.port = lport}, remote = {.port = PAIR_PORT};
    memcpy(remote.ip, to->ip, 16);
    hf_handle handle = 0;
    assert_int_equal(hf_open(from->stack, &from->env, &local, &remote, 0, &handle), HF_OK);
    return handle;
}

static void begin(struct pair *p, uint8_t seed, int64_t now_ns)
{
    struct hf_config config;
    hf_config_default(&config, 4);
    config.policy.timestamps =
        false; /* TS.Recent has the peer's offset in it, a secret of its own */
    pair_begin_with(p, &config, seed, now_ns);
    p->listener = listen_on(&p->a, PAIR_PORT);
}

static void connect_from(struct pair *p, uint16_t lport)
{
    p->client = open_from(&p->b, &p->a, lport);
    exchange(p);
    assert_int_equal(hf_accept(p->a.stack, &p->a.env, p->listener, &p->server, NULL), HF_OK);
}

/* Every state on the way of two pairs that differ in seed and clock. */
static void initial_numbers_and_the_clock_leave_no_trace(void **state)
{
    (void)state;
    struct pair p, q;
    static struct form x, y;
    begin(&p, 1, 5000000000);
    /* Milliseconds that wrap on the way; small records keep ticks of 64. */
    begin(&q, 77, (((int64_t)1 << 32) - 64 * 5 + 5000 % 64) * 1000000);
#define BOTH(...)                                                                                  \
    do {                                                                                           \
        struct pair *const pairs[] = {&p, &q};                                                     \
        for (unsigned i = 0; i < 2; i++) {                                                         \
            struct pair *t = pairs[i];                                                             \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
        take(&x, &p.a);                                                                            \
        take(&y, &q.a);                                                                            \
        assert_same(&x, &y);                                                                       \
        take(&x, &p.b);                                                                            \
        take(&y, &q.b);                                                                            \
        assert_same(&x, &y);                                                                       \
    } while (0)
    BOTH((void)t);
    BOTH(t->client = open_from(&t->b, &t->a, 4000));
    BOTH(carry(&t->b, &t->a));
    BOTH(carry(&t->a, NULL)); /* the SYN,ACK is lost */
    BOTH(after(t, 1500));
    BOTH(hf_accept(t->a.stack, &t->a.env, t->listener, &t->server, NULL));
    BOTH(send_all(&t->b, t->client, "hello", 5));
    BOTH(carry(&t->b, NULL));
    BOTH(after(t, 3000));
    BOTH(receives(&t->a, t->server, "hello", 5));
    BOTH(hf_close(t->b.stack, &t->b.env, t->client));
    BOTH(exchange(t));
    BOTH(hf_close(t->a.stack, &t->a.env, t->server));
    BOTH(after(t, 100));
    BOTH(hf_release(t->b.stack, &t->b.env, t->client)); /* a small record in TIME-WAIT */
    BOTH(after(t, 20000));
    BOTH(after(t, 50000));
#undef BOTH
    pair_end(&p);
    pair_end(&q);
}

static void the_order_of_opening_leaves_no_trace(void **state)
{
    (void)state;
    struct pair p, q;
    static struct form x, y;
    begin(&p, 1, 0);
    begin(&q, 2, 0);
    connect_from(&p, 4001);
    connect_from(&p, 4002);
    connect_from(&q, 4002);
    connect_from(&q, 4001);
    take(&x, &p.a);
    take(&y, &q.a);
    assert_same(&x, &y);
    pair_end(&p);
    pair_end(&q);
}

static void what_went_and_is_forgotten_leaves_no_trace(void **state)
{
    (void)state;
    struct pair p, q;
    static struct form x, y;
    begin(&p, 1, 0);
    begin(&q, 2, 0);
    connect_from(&p, 3999);
    send_all(&p.b, p.client, "gone", 4);
    exchange(&p);
    hf_abort(p.b.stack, &p.b.env, p.client);
    exchange(&p);
    hf_release(p.b.stack, &p.b.env, p.client);
    hf_release(p.a.stack, &p.a.env, p.server);
    connect_from(&p, 4001);
    connect_from(&q, 4001);
    after(&p, 700);
    after(&q, 700);
    (void)events_of(&p.a, 0);
    (void)events_of(&q.a, 0);
    take(&x, &p.a);
    take(&y, &q.a);
    assert_same(&x, &y);
    pair_end(&p);
    pair_end(&q);
}

static void what_changes_behaviour_changes_the_octets(void **state)
{
    (void)state;
    struct pair p;
    static struct form forms[16];
    unsigned n = 0;
    begin(&p, 1, 0);
    take(&forms[n++], &p.a);
    p.client = open_from(&p.b, &p.a, 4000);
    carry(&p.b, &p.a);
    take(&forms[n++], &p.a); /* owes a SYN,ACK */
    carry(&p.a, NULL);
    take(&forms[n++], &p.a); /* SYN-RECEIVED */
    p.a.env.now_ns += 1000000;
    take(&forms[n++], &p.a); /* a millisecond nearer to its next SYN,ACK */
    after(&p, 2000);
    assert_int_equal(hf_accept(p.a.stack, &p.a.env, p.listener, &p.server, NULL), HF_OK);
    (void)events_of(&p.a, 0);
    take(&forms[n++], &p.a); /* ESTABLISHED */
    send_all(&p.b, p.client, "x", 1);
    exchange(&p);
    after(&p, 50);
    take(&forms[n++], &p.a); /* an unread octet */
    (void)events_of(&p.a, 0);
    take(&forms[n++], &p.a); /* ... of which the application knows */
    receives(&p.a, p.server, "x", 1);
    take(&forms[n++], &p.a);
    send_all(&p.a, p.server, "ab", 2);
    carry(&p.a, NULL);
    take(&forms[n++], &p.a); /* in flight */
    after(&p, 1000);
    hf_close(p.a.stack, &p.a.env, p.server);
    take(&forms[n++], &p.a); /* FIN-WAIT-1, a FIN owed */
    exchange(&p);
    after(&p, 100);
    take(&forms[n++], &p.a); /* FIN-WAIT-2 */
    hf_close(p.b.stack, &p.b.env, p.client);
    exchange(&p);
    take(&forms[n++], &p.a); /* TIME-WAIT */
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (same(&forms[i], &forms[k])) {
                fail_msg("forms %u and %u are the same", k, i);
            }
        }
    }
    pair_end(&p);
}

/* The same text, in other chunks. */
static void other_octets_are_another_state_and_other_chunks_are_not(void **state)
{
    (void)state;
    struct pair p, q, r;
    static struct form x, y, z;
    begin(&p, 1, 0);
    begin(&q, 2, 0);
    begin(&r, 3, 0);
    struct pair *const pairs[] = {&p, &q, &r};
    static const char *const texts[] = {"text", "text", "tEXt"};
    for (unsigned i = 0; i < 3; i++) {
        connect_from(pairs[i], 4000);
        assert_int_equal(
            hf_set_option(pairs[i]->b.stack, &pairs[i]->b.env, pairs[i]->client, HF_NODELAY, 1),
            HF_OK);
        send_all(&pairs[i]->b, pairs[i]->client, texts[i], 4);
        exchange(pairs[i]);
        after(pairs[i], 1000);
    }
    take(&x, &p.a);
    take(&y, &q.a);
    take(&z, &r.a);
    assert_same(&x, &y);
    assert_false(same(&x, &z));
    /* Without env, too: none of it is lent. */
    x.len = hf_canonical(p.a.stack, NULL, x.octets, ROOM);
    z.len = hf_canonical(r.a.stack, NULL, z.octets, ROOM);
    assert_false(same(&x, &z));
    for (unsigned i = 0; i < 3; i++) {
        pair_end(pairs[i]);
    }
}

static void the_length_is_told_when_the_room_is_too_small(void **state)
{
    (void)state;
    struct pair p;
    static struct form x;
    begin(&p, 1, 0);
    connect_from(&p, 4000);
    take(&x, &p.a);
    assert_int_equal(hf_canonical(p.a.stack, &p.a.env, NULL, 0), x.len);
    uint8_t *half = malloc(x.len / 2); /* the address sanitizer watches its end */
    assert_non_null(half);
    assert_int_equal(hf_canonical(p.a.stack, &p.a.env, half, x.len / 2), x.len);
    assert_memory_equal(half, x.octets, x.len / 2);
    free(half);
    pair_end(&p);
}

/* Places in the tables of listeners that were used before are like new ones. */
static void a_listener_opened_again_leaves_no_trace(void **state)
{
    (void)state;
    struct pair p, q;
    static struct form x, y;
    begin(&p, 1, 0);
    begin(&q, 2, 0);
    assert_int_equal(hf_close(p.a.stack, &p.a.env, p.listener), HF_OK);
    p.listener = listen_on(&p.a, PAIR_PORT);
    take(&x, &p.a);
    take(&y, &q.a);
    assert_same(&x, &y);
    pair_end(&p);
    pair_end(&q);
}

/* What is left of the budget of ICMP errors, and how long it has filled since. */
static void a_budget_of_errors_that_fills_again_is_another_state(void **state)
{
    (void)state;
    struct pair p;
    static struct form unspent, x, y, z;
    struct hf_endpoint any = {.port = 5000}, to = {.port = 5001};
    hf_handle socket;
    begin(&p, 1, 5000000000);
    memcpy(to.ip, p.a.ip, 16);
    assert_int_equal(hf_udp_open(p.b.stack, &p.b.env, &any, &socket), HF_OK);
    take(&unspent, &p.a);
    assert_int_equal(hf_udp_send(p.b.stack, &p.b.env, socket, NULL, &to, "x", 1), 1);
    exchange(&p);
    take(&x, &p.a);
    p.a.env.now_ns += 500000000;
    take(&y, &p.a);
    p.a.env.now_ns += 500000000;
    take(&z, &p.a);
    assert_false(same(&x, &y));
    assert_false(same(&y, &z));
    assert_same(&z, &unspent); /* it is full */
    p.a.env.now_ns += 500000000;
    take(&y, &p.a);
    assert_same(&y, &z);
    pair_end(&p);
}

/* A loss found by the timer, what is sent again, and slow start behind it. */
static void the_clock_leaves_no_trace_in_recovery_and_growth(void **state)
{
    (void)state;
    struct pair p[2];
    static struct form forms[2][2];
    static const uint8_t text[30000];
    for (unsigned i = 0; i < 2; i++) {
        struct pair *t = &p[i];
        struct hf_config config;
        hf_config_default(&config, 4);
        config.policy.timestamps = false;
        config.policy.hystart = HF_HYSTART_PLUSPLUS;
        pair_begin_with(t, &config, (uint8_t)(1 + 9 * i), 5000000000 + i * 64000000000);
        t->listener = listen_on(&t->a, PAIR_PORT);
        connect_from(t, 4000);
        send_all(&t->b, t->client, text, sizeof text);
        carry(&t->b, &t->a);
        carry(&t->a, &t->b); /* a round of slow start has begun */
        take(&forms[i][0], &t->b);
        after(t, 1000);
        send_all(&t->b, t->client, text, 5000);
        carry(&t->b, NULL);
        for (unsigned n = 0; n < 400; n++) {
            t->a.env.now_ns = t->b.env.now_ns += 5000000;
            hf_timeouts(t->b.stack, &t->b.env);
            carry(&t->b, NULL);
        }
        take(&forms[i][1], &t->b);
    }
    assert_same(&forms[0][0], &forms[1][0]);
    assert_same(&forms[0][1], &forms[1][1]);
    pair_end(&p[0]);
    pair_end(&p[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_numbers_and_the_clock_leave_no_trace),
        cmocka_unit_test(the_order_of_opening_leaves_no_trace),
        cmocka_unit_test(what_went_and_is_forgotten_leaves_no_trace),
        cmocka_unit_test(what_changes_behaviour_changes_the_octets),
        cmocka_unit_test(other_octets_are_another_state_and_other_chunks_are_not),
        cmocka_unit_test(the_length_is_told_when_the_room_is_too_small),
        cmocka_unit_test(a_listener_opened_again_leaves_no_trace),
        cmocka_unit_test(a_budget_of_errors_that_fills_again_is_another_state),
        cmocka_unit_test(the_clock_leaves_no_trace_in_recovery_and_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
