/* Time as a means of attack: timers that are due at once, clocks that jump, flows that starve
 * others, ACKs that are late. */
/* ctest: timeout=120 */
#include "attack/siege.h"
#include "common/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "common/work.h"

enum { SECOND = 1000, IDLE_MS = 10000 };

static struct siege siege;

static void accept_all(struct siege *s)
{
    struct hf_event event;
    hf_handle handle;
    while (hf_events(s->server, &s->server_env, &event, 1) == 1)
        while (hf_accept(s->server, &s->server_env, s->listener, &handle, NULL) == HF_OK)
            ;
}

/* n connections that are idle since the same millisecond, all with keep-alives. */
static void idle_connections(struct siege *s, uint32_t n)
{
    siege_config(s, n + 256);
    s->config.small_chunks = 4096;
    s->config.large_chunks = 64;
    s->config.max_extras = n + 256;
    s->backlog = UINT16_MAX;
    siege_begin(s);
    hf_set_option(s->server, &s->server_env, s->listener, HF_KEEPALIVE, 1);
    hf_set_option(s->server, &s->server_env, s->listener, HF_KEEPALIVE_IDLE, IDLE_MS);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(siege_stranger_connects(s, i));
        if (i % 10000 == 9999)
            accept_all(s);
    }
    accept_all(s);
}

enum { BUDGET = 4096 };

/* All that is due now is served in as many calls as it takes, each of a bounded number. */
static uint32_t serves_all(struct siege *s)
{
    uint32_t calls = 0;
    while (hf_deadline(s->server, &s->server_env) <= s->server_env.now_ns) {
        uint64_t before = s->others;
        hf_timeouts(s->server, &s->server_env);
        siege_flush(s);
        assert_true(s->others - before <= BUDGET);
        calls++;
    }
    return calls;
}

/* Steps a timer takes, of n that are due in the same millisecond. */
static double cost_of_a_timer(uint32_t n, void *arg)
{
    struct siege *s = &siege;
    (void)arg;
    idle_connections(s, n);
    uint64_t before_packets = s->others;
    s->server_env.now_ns += (IDLE_MS - 1) * (int64_t)SIEGE_MS;
    serves_all(s);
    assert_int_equal(s->others, before_packets);
    s->server_env.now_ns += 2 * SIEGE_MS;
    struct work_done before = work_of(s->server);
    assert_int_equal(serves_all(s), n / BUDGET + 1);
    double steps = (double)work_since(s->server, &before).steps / n;
    assert_int_equal(s->others - before_packets, n); /* none is late */
    siege_end(s);
    return steps;
}

/* Steps of a segment that moves its connection's timer, beside n others. */
static double cost_of_a_segment(uint32_t n, void *arg)
{
    struct siege *s = &siege;
    (void)arg;
    idle_connections(s, n);
    siege_open(s, 64);
    siege_run(s, 10);
    struct work_done before = work_of(s->server);
    siege_run(s, 200);
    struct work_done done = work_since(s->server, &before);
    double steps = (double)(done.steps - done.entries); /* those are what the siege counts itself */
    siege_end(s);
    return steps;
}

/* TM-01: setting, moving and firing one cost the same however many there are; a call serves a
 * bounded number, and those after it at the same time the rest. */
static void timers_cost_the_same_however_many_are_due(void **state)
{
    (void)state;
    work_is_flat("a timer", cost_of_a_timer, NULL);
    work_is_flat("64 rounds of a flow", cost_of_a_segment, NULL);
}

/* The small records have timers of their own. */
enum { MANY = BUDGET + 1000 };

static void begin_for_many(struct siege *s)
{
    siege_config(s, 2 * MANY);
    s->config.max_half_open = s->config.max_time_wait = MANY;
    s->config.max_replies = MANY;
    s->config.policy.backlog_share = 100;
    s->backlog = UINT16_MAX;
    siege_begin(s);
}

/* One call; hf_deadline says whether it has left some of what is due. */
static struct hf_counters serves_some(struct siege *s, bool more)
{
    assert_true(hf_deadline(s->server, &s->server_env) <= s->server_env.now_ns);
    hf_timeouts(s->server, &s->server_env);
    siege_flush(s);
    assert_int_equal(hf_deadline(s->server, &s->server_env) <= s->server_env.now_ns, more);
    return siege_counters(s);
}

/* TM-01 */
static void half_open_connections_are_served_so_many_a_call(void **state)
{
    (void)state;
    struct siege *s = &siege;
    begin_for_many(s);
    for (uint32_t i = 0; i < MANY; i++) {
        struct segment syn = siege_syn(s);
        syn.sport = (uint16_t)(1024 + i);
        siege_hit(s, (const uint8_t[16]){[10] = 0xff, [11] = 0xff, [12] = 20}, &syn, 0);
    }
    siege_flush(s);
    assert_int_equal(siege_counters(s).half_open, MANY);
    uint64_t answers = s->others;
    s->server_env.now_ns += SECOND * (int64_t)SIEGE_MS;
    serves_some(s, true);
    assert_int_equal(s->others - answers, BUDGET);
    serves_some(s, false);
    assert_int_equal(s->others - answers, MANY);
    siege_end(s);
}

/* TM-01 */
static void time_waits_end_so_many_a_call(void **state)
{
    (void)state;
    struct siege *s = &siege;
    begin_for_many(s);
    for (uint32_t i = 0; i < MANY; i++) {
        hf_handle handle;
        struct segment fin = {.ctl = FIN | ACK, .wnd = 64240, .dport = SIEGE_PORT};
        assert_true(siege_stranger_connects(s, i));
        assert_int_equal(hf_accept(s->server, &s->server_env, s->listener, &handle, NULL), HF_OK);
        assert_int_equal(hf_release(s->server, &s->server_env, handle), HF_OK);
        siege_flush(s);
        fin.sport = (uint16_t)(1024 + i);
        fin.seq = seq(i * 7919 + 1);
        fin.ack = seq_add(s->last_iss, 2);
        siege_hit(s, (const uint8_t[16]){[10] = 0xff, [11] = 0xff, [12] = 20}, &fin, 0);
        siege_flush(s);
    }
    assert_int_equal(siege_counters(s).time_wait, MANY);
    s->server_env.now_ns += 2 * s->config.policy.msl_ms * (int64_t)SIEGE_MS;
    assert_int_equal(serves_some(s, true).time_wait, MANY - BUDGET);
    assert_int_equal(serves_some(s, false).time_wait, 0);
    siege_end(s);
}

/* Clocks ----------------------------------------------------------------------------------------
 */

static const int64_t jumps_ms[] = {3600 * (int64_t)SECOND, 30 * 24 * 3600 * (int64_t)SECOND};

/* TM-02: who was asleep sends once again, and gives nobody up for it. */
TEST(after_a_long_pause_each_connection_gets_one_more_try)
{
    establish_passive();
    for (size_t i = 0; i < ARRAY_LEN(jumps_ms); i++) {
        writes(100);
        expects(ACK, .len = 100);
        p->env.now_ns += jumps_ms[i] * 1000000;
        hf_timeouts(p->stack, &p->env);
        peer_pump(p);
        expects(ACK, .seq = ISS + 1 + 100 * (int64_t)i, .len = 100);
        expects_silence();
        expects_state(HF_ESTABLISHED);
        sends(ACK);
    }
    writes(10);
    expects(ACK, .len = 10);
    sends(ACK);
}

/* TM-02: an open that slept, and a keep-alive. */
TEST(after_a_long_pause_an_open_and_a_keep_alive_try_again)
{
    opens();
    expects(SYN);
    p->env.now_ns += jumps_ms[0] * 1000000;
    hf_timeouts(p->stack, &p->env);
    peer_pump(p);
    expects(SYN, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .mss = 1460);
    expects(ACK);
    sets(HF_KEEPALIVE, 1);
    p->env.now_ns += jumps_ms[1] * 1000000;
    hf_timeouts(p->stack, &p->env);
    peer_pump(p);
    expects(ACK, .seq = ISS); /* a probe, RFC 9293 3.8.4 */
    expects_silence();
    sends(ACK);
    expects_state(HF_ESTABLISHED);
}

/* TM-02: time that goes back or stands still is taken for no time at all. */
TEST(a_clock_that_goes_back_or_stands_still_disturbs_nothing)
{
    establish_passive();
    p->env.trace = NULL; /* records carry the caller's clock, and the oracle believes it */
    int64_t begin_ns = p->env.now_ns;
    writes(100);
    expects(ACK, .len = 100);
    p->env.now_ns -= 1000 * (int64_t)1000000;
    hf_timeouts(p->stack, &p->env);
    peer_pump(p);
    expects_silence();
    sends(ACK);
    for (int i = 0; i < 100; i++) {
        sends(ACK, .len = 10);
        peer_forget(p);
        reads(10);
        hf_timeouts(p->stack, &p->env);
    }
    peer_forget(p);
    p->env.now_ns = begin_ns;
    writes(50);
    expects(ACK, .len = 50);
    expects_after(200, 1200, ACK, .len = 50);
    sends(ACK);
    after(10);
    expects_silence();
}

/* Fairness ------------------------------------------------------------------------------------- */

/* TM-03: output takes one frame of each connection in turn, so none waits for another's window. */
static void a_busy_connection_does_not_hold_up_the_others(void **state)
{
    (void)state;
    enum { SLOW = 1000 };
    static uint8_t text[14600];
    struct hf_frame_out out[SLOW + 64];
    struct siege *s = &siege;
    siege_config(s, 2 * SLOW);
    s->backlog = 2 * SLOW;
    siege_begin(s);
    s->deaf = true; /* after their first round the clients say nothing more */
    for (int i = 0; i <= SLOW; i++)
        siege_open(s, 1);
    siege_run(s, 3 * SECOND);
    hf_send(s->clients, &s->clients_env, s->client[0].handle, text, sizeof text, 0);
    for (uint32_t i = 1; i <= SLOW; i++)
        hf_send(s->clients, &s->clients_env, s->client[i].handle, text, 1, 0);
    uint32_t n = hf_output(s->clients, &s->clients_env, out, ARRAY_LEN(out));
    uint32_t busy_first = 0, seen = 0;
    struct hf_status status = {.struct_size = sizeof status};
    hf_status(s->clients, &s->clients_env, s->client[0].handle, &status);
    for (uint32_t i = 0; i < n; i++) {
        bool busy = (out[i].header[20] << 8 | out[i].header[21]) == status.local.port;
        busy_first += busy && seen < SLOW;
        seen += !busy;
        hf_output_done(s->clients, &s->clients_env, out[i].token);
    }
    assert_int_equal(seen, SLOW);
    assert_in_range(busy_first, 1, 2);
    siege_end(s);
}

/* Old text again and again, which has to be acknowledged. */
static void flood_of_one(struct siege *s)
{
    struct hf_status status = {.struct_size = sizeof status};
    assert_int_equal(hf_status(s->clients, &s->clients_env, s->client[0].handle, &status), HF_OK);
    for (uint32_t i = 0; i < 100; i++) {
        struct segment seg = {.seq = seq(status.snd_una - 900 + siege_draw(s) % 800),
                              .ack = seq(status.rcv_nxt),
                              .ctl = ACK,
                              .wnd = 1000,
                              .sport = status.local.port,
                              .dport = SIEGE_PORT};
        siege_hit(s, s->clients_ip, &seg, 1);
    }
    assert_true(hf_deadline(s->server, &s->server_env) >= s->now_ns - 5 * SIEGE_MS);
}

/* TM-03 */
static void a_flood_of_one_connection_does_not_hold_up_the_others(void **state)
{
    (void)state;
    struct siege *s = &siege;
    struct siege_scale scale = {SECOND, 100, 5};
    siege_config(s, 256);
    s->config.policy.timestamps = false; /* the flood need not guess them */
    siege_begin_with_flows(s);
    uint64_t rounds = siege_play(s, &scale, flood_of_one);
    siege_clients_are_served(s, &scale, rounds, 95);
    siege_end(s);
}

/* ACKs ----------------------------------------------------------------------------------------- */

/* TM-04: MUST-58, MUST-59; RFC 1122 4.2.3.2 */
TEST(every_second_full_segment_is_acknowledged_at_once_and_each_within_200_ms)
{
    p->config.policy.quick_acks = 0;
    establish_passive();
    int64_t got = 0;
    for (int i = 0; i < 3; i++) {
        sends(ACK, .len = 1460);
        expects_silence();
        sends(ACK, .len = 1460);
        got += 2920;
        expects(ACK, .ack = IRS + 1 + got);
    }
    sends(ACK, .len = 1460); /* an odd end */
    expects_after(0, 200, ACK, .ack = IRS + 1 + (got += 1460));
    sends(ACK, .len = 1); /* a small one */
    expects_after(0, 200, ACK, .ack = IRS + 1 + (got += 1));
    for (int i = 0; i < 8; i++) { /* other sizes */
        uint32_t len = 100u + 171u * (uint32_t)i;
        sends(ACK, .len = len);
        sends(ACK, .len = len);
        peer_forget(p);
        after(200);
        peer_forget(p);
        got += 2 * len;
        holds_equal(status_of(rcv_nxt), peer_number(p, IRS + 1 + got));
        expects_silence();
        sends(ACK, .len = 1460);
        expects_after(0, 200, ACK, .ack = IRS + 1 + (got += 1460));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_cost_the_same_however_many_are_due),
        cmocka_unit_test(half_open_connections_are_served_so_many_a_call),
        cmocka_unit_test(time_waits_end_so_many_a_call),
        BOTH(after_a_long_pause_each_connection_gets_one_more_try),
        BOTH(after_a_long_pause_an_open_and_a_keep_alive_try_again),
        BOTH(a_clock_that_goes_back_or_stands_still_disturbs_nothing),
        cmocka_unit_test(a_busy_connection_does_not_hold_up_the_others),
        cmocka_unit_test(a_flood_of_one_connection_does_not_hold_up_the_others),
        BOTH(every_second_full_segment_is_acknowledged_at_once_and_each_within_200_ms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
