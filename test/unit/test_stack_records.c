/* hf_records, and hf_canonical_fixed: the connections of a block, and its form without
 * measurements.
 */
#include "unit/stack_pair.h"

enum { ROOM = 16384 };

static void records_tell_each_connection_s_numbers(void **state)
{
    (void)state;
    struct pair p;
    struct hf_record r[4];
    struct hf_status status = {.struct_size = sizeof status};
    pair_begin(&p);
    assert_int_equal(hf_records(p.a.stack, &p.a.env, r, 4), 0);
    p.listener = listen_on(&p.a, PAIR_PORT);
    p.client = open_to(&p.b, &p.a, PAIR_PORT);
    assert_int_equal(carry(&p.b, &p.a), 1); /* the SYN */
    assert_int_equal(hf_status(p.b.stack, &p.b.env, p.client, &status), HF_OK);
    assert_int_equal(hf_records(p.b.stack, &p.b.env, r, 4), 1);
    assert_true(r[0].state == HF_SYN_SENT && r[0].handle == p.client && r[0].numbered);
    assert_true(r[0].iss == status.iss && r[0].snd_una == status.iss);
    assert_int_equal(r[0].remote_port, PAIR_PORT);
    assert_memory_equal(r[0].remote_ip, p.a.ip, 16);
    struct hf_record half;
    assert_int_equal(hf_records(p.a.stack, &p.a.env, &half, 1), 1);
    assert_true(half.state == HF_SYN_RECEIVED && half.handle == 0 && half.numbered);
    assert_true(half.irs == status.iss && half.rcv_nxt == status.iss + 1);
    exchange(&p);
    assert_int_equal(hf_records(p.b.stack, &p.b.env, r, 4), 1);
    assert_true(r[0].state == HF_ESTABLISHED && r[0].irs == half.iss);
    assert_true(half.snd_nxt == half.iss + 1 && r[0].rcv_nxt == half.iss + 1);
    pair_end(&p);
}

static void a_waiting_record_has_no_handle_and_no_first_numbers(void **state)
{
    (void)state;
    struct pair p;
    struct hf_record r[4];
    hf_handle server;
    pair_begin(&p);
    p.listener = listen_on(&p.a, PAIR_PORT);
    p.client = open_to(&p.b, &p.a, PAIR_PORT);
    exchange(&p);
    assert_int_equal(hf_accept(p.a.stack, &p.a.env, p.listener, &server, NULL), HF_OK);
    assert_int_equal(hf_release(p.b.stack, &p.b.env, p.client), HF_OK);
    exchange(&p);
    assert_int_equal(hf_release(p.a.stack, &p.a.env, server), HF_OK);
    exchange(&p);
    assert_int_equal(hf_records(p.b.stack, &p.b.env, r, 4), 1);
    assert_true(r[0].state == HF_TIME_WAIT && r[0].handle == 0 && !r[0].numbered && r[0].released);
    assert_true(r[0].iss == 0 && r[0].irs == 0 && r[0].snd_una == r[0].snd_nxt);
    assert_int_equal(hf_records(p.a.stack, &p.a.env, r, 4), 0);
    /* Room for fewer than there are. */
    assert_int_equal(hf_records(p.b.stack, &p.b.env, NULL, 0), 1);
    pair_end(&p);
}

static void set_policy(struct side *s)
{
    struct hf_policy policy = *hf_policy(s->stack);
    policy.timestamps = false;
    policy.rto_min_ms = policy.rto_initial_ms = policy.rto_max_ms = 1000;
    policy.rack = policy.tlp = policy.undo = policy.frto = policy.tune_buffers = false;
    policy.ecn = HF_ECN_OFF;
    assert_int_equal(hf_set_policy(s->stack, &s->env, &policy), HF_OK);
}

/* B's SYN has arrived. */
static void begin(struct pair *p)
{
    pair_begin(p);
    set_policy(&p->a);
    set_policy(&p->b);
    p->listener = listen_on(&p->a, PAIR_PORT);
    struct hf_endpoint local = {.port = 4000}, remote = {.port = PAIR_PORT};
    memcpy(remote.ip, p->a.ip, 16);
    assert_int_equal(hf_open(p->b.stack, &p->b.env, &local, &remote, 0, &p->client), HF_OK);
    carry(&p->b, &p->a);
}

/* The form after two round trips of so many milliseconds. */
static uint64_t form_after(uint32_t rtt_ms, bool fixed, uint8_t *form)
{
    struct pair p;
    begin(&p);
    p.a.env.now_ns = p.b.env.now_ns += rtt_ms * 1000000;
    exchange(&p);
    memset(form, 0, ROOM);
    uint64_t len = fixed ? hf_canonical_fixed(p.b.stack, &p.b.env, form, ROOM)
                         : hf_canonical(p.b.stack, &p.b.env, form, ROOM);
    assert_in_range(len, 1, ROOM);
    pair_end(&p);
    return len;
}

static void the_fixed_form_knows_no_round_trips(void **state)
{
    (void)state;
    static uint8_t one[ROOM], two[ROOM];
    assert_int_equal(form_after(10, true, one), form_after(20, true, two));
    assert_memory_equal(one, two, ROOM);
    assert_int_equal(form_after(10, false, one), form_after(20, false, two));
    assert_memory_not_equal(one, two, ROOM);
}

/* A's form once it is open; its first SYN,ACK may be lost, so that the SYN comes once more. */
static uint64_t form_of_open(bool lost, uint8_t *form)
{
    struct pair p;
    begin(&p);
    carry(&p.a, lost ? NULL : &p.b);
    p.a.env.now_ns = p.b.env.now_ns += 1000000000;
    hf_timeouts(p.b.stack, &p.b.env);
    exchange(&p);
    assert_int_equal(hf_accept(p.a.stack, &p.a.env, p.listener, &p.server, NULL), HF_OK);
    memset(form, 0, ROOM);
    uint64_t len = hf_canonical_fixed(p.a.stack, &p.a.env, form, ROOM);
    pair_end(&p);
    return len;
}

/* A second SYN without ECN forbids ECT (RFC3168-7), which is nothing to who has not agreed to it.
 */
static void a_syn_that_came_twice_leaves_no_trace_without_ecn(void **state)
{
    (void)state;
    static uint8_t once[ROOM], twice[ROOM];
    assert_int_equal(form_of_open(false, once), form_of_open(true, twice));
    assert_memory_equal(once, twice, ROOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_tell_each_connection_s_numbers),
        cmocka_unit_test(a_waiting_record_has_no_handle_and_no_first_numbers),
        cmocka_unit_test(the_fixed_form_knows_no_round_trips),
        cmocka_unit_test(a_syn_that_came_twice_leaves_no_trace_without_ecn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
