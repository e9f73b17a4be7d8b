/* Two stacks and a wire between them: whole connections, on a clean wire and a bad one; each octet
 * right and none left over.
 *
 * ctest: timeout=120
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/net.h"

enum { PORT = 80, MINUTES = 60000, DAY = 24 * 60 * MINUTES };

static void all_right(struct net *net, bool finished)
{
    for (int who = 0; who < 2; who++)
        for (int i = 0; i < NET_FLOWS; i++) {
            struct net_flow *flow = &net->side[who].flow[i];
            struct hf_close_reason reason;
            if (!flow->used || (flow->closed && !flow->error))
                continue;
            hf_close_reason(net->side[who].s.stack, flow->handle, &reason);
            print_message("side %d flow %d: sent %llu of %llu, received %llu; %s\n", who, i,
                          (unsigned long long)flow->sent, (unsigned long long)flow->to_send,
                          (unsigned long long)flow->received, reason.text);
        }
    if (net->what)
        print_message("%s\n", net->what);
    assert_false(net->wrong);
    assert_true(finished);
}

/* n connections from side 0, each sends `up` and gets `down`; all close in order. */
static void transfer(struct net *net, int n, uint64_t up, uint64_t down)
{
    net->side[1].answer = down;
    net_listen(net, 1, PORT, 200);
    for (int i = 0; i < n; i++)
        net_open(net, 0, (uint16_t)(5000 + i), PORT, up);
    all_right(net, net_run(net, DAY, NULL));
    for (int i = 0; i < n; i++) {
        assert_int_equal(net->side[0].flow[i].received, down);
        assert_int_equal(net->side[1].flow[i].received, up);
        assert_true(net->side[0].flow[i].end_seen && net->side[1].flow[i].end_seen);
    }
    net_free(net);
}

static struct net *for_connections(bool v6, uint32_t n, uint32_t offload)
{
    struct hf_config config;
    hf_config_default(&config, n);
    return net_new(v6, &config, offload);
}

static void two_megabytes_each_way_on_a_clean_wire(void **state)
{
    (void)state;
    transfer(net_new(false, NULL, 0), 1, 2000000, 2000000);
    transfer(net_new(true, NULL, 0), 1, 2000000, 2000000);
}

static void super_segments_carry_the_same_octets(void **state)
{
    (void)state;
    uint32_t all = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6;
    transfer(net_new(false, NULL, all), 1, 2000000, 300);
    transfer(net_new(true, NULL, all), 1, 300, 2000000);
}

static void fifty_connections_at_once(void **state)
{
    (void)state;
    transfer(for_connections(false, 64, 0), 50, 20000, 30000);
}

static void lossy(bool v6, uint64_t seed, uint32_t loss, uint32_t late, uint32_t twice,
                  const struct hf_policy *policy)
{
    struct hf_config config;
    hf_config_default(&config, 8);
    if (policy)
        config.policy = *policy;
    struct net *net = net_new(v6, &config, 0);
    net->random = seed;
    net->loss = loss;
    net->late = late;
    net->twice = twice;
    transfer(net, 2, 200000, 200000);
}

static void a_wire_that_loses_five_percent_and_disorders_them(void **state)
{
    (void)state;
    uint64_t seeds = getenv("HF_LONG") ? 200 : 12;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        lossy(seed & 1, seed, 50, 50, 10, NULL);
}

static void the_same_without_sack_without_timestamps_without_scaling(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_default(&config, 8);
    config.policy.sack = false;
    for (uint64_t seed = 1; seed <= 4; seed++)
        lossy(false, seed, 50, 50, 10, &config.policy);
    config.policy.timestamps = false;
    for (uint64_t seed = 1; seed <= 4; seed++)
        lossy(false, seed, 50, 50, 10, &config.policy);
    config.policy.window_scale = false;
    config.policy.sack = true;
    for (uint64_t seed = 1; seed <= 4; seed++)
        lossy(true, seed, 50, 50, 10, &config.policy);
}

static void a_wire_that_loses_a_third(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct net *net = net_new(false, NULL, 0);
        net->random = seed;
        net->loss = 300;
        net->twice = 100;
        net->late = 200;
        transfer(net, 1, 20000, 20000);
    }
}

static void small_windows_and_buffers(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_default(&config, 8);
    config.policy.receive_window = 3000;
    config.policy.send_buffer = 5000;
    transfer(net_new(false, &config, 0), 2, 300000, 100000);
    lossy(true, 3, 30, 30, 10, &config.policy);
}

/* Figure 7 and Figure 13 with a stack on each side. */
static void a_simultaneous_open_and_close_completes_on_both_sides(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct net *net = net_new(v6, NULL, 0);
        struct net_flow *a = net_open(net, 0, 5000, 6000, 0);
        struct net_flow *b = net_open(net, 1, 6000, 5000, 0);
        all_right(net, net_run(net, 10 * MINUTES, NULL));
        assert_true(a->end_seen && b->end_seen);
        struct hf_close_reason ra, rb;
        hf_close_reason(net->side[0].s.stack, a->handle, &ra);
        hf_close_reason(net->side[1].s.stack, b->handle, &rb);
        assert_int_equal(ra.first, 3); /* each closed before it saw the other's FIN */
        assert_int_equal(rb.first, 3);
        assert_int_equal(ra.state, HF_TIME_WAIT);
        assert_int_equal(rb.state, HF_TIME_WAIT);
        net_free(net);
    }
}

/* MUST-10, X-30 */
static void a_simultaneous_open_carries_data_both_ways(void **state)
{
    (void)state;
    struct net *net = net_new(false, NULL, 0);
    struct net_flow *a = net_open(net, 0, 5000, 6000, 100000);
    struct net_flow *b = net_open(net, 1, 6000, 5000, 70000);
    net->loss = 20;
    all_right(net, net_run(net, 60 * MINUTES, NULL));
    assert_int_equal(a->received, 70000);
    assert_int_equal(b->received, 100000);
    net_free(net);
}

/* One loss of each kind ------------------------------------------------------------------------ */

struct once {
    int from;
    unsigned ctl, mask;
    int nth; /* of those that match, from 0 */
    bool done;
};

static bool lose_once(struct net *net, int from, const struct segment *seg)
{
    struct once *once = net->arg;
    if (once->done || from != once->from || (seg->ctl & once->mask) != once->ctl ||
        once->nth-- != 0)
        return false;
    once->done = true;
    return true;
}

static void each_segment_of_the_handshake_and_the_close_may_be_lost(void **state)
{
    (void)state;
    static const struct {
        int from;
        unsigned ctl, mask;
        int nth;
    } all[] = {
        {0, SYN, SYN | ACK, 0},                   /* the SYN                          */
        {1, SYN | ACK, SYN | ACK, 0},             /* the SYN,ACK                      */
        {0, ACK, SYN | FIN | ACK, 0},             /* the third                        */
        {0, FIN | ACK, FIN | ACK, 0},             /* the first FIN                    */
        {1, ACK, SYN | FIN | ACK, 2},             /* an ACK of the other side         */
        {1, FIN | ACK, FIN | ACK, 0},             /* the second FIN                   */
        {0, ACK, SYN | FIN | ACK, 3},             /* a late ACK                       */
        {0, ACK | PSH, SYN | FIN | ACK | PSH, 0}, /* the end of the data        */
    };
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct once once = {all[i].from, all[i].ctl, all[i].mask, all[i].nth, false};
        struct net *net = net_new(i & 1, NULL, 0);
        net->lose = lose_once;
        net->arg = &once;
        transfer(net, 1, 5000, 3000);
    }
}

/* Half-close: side 1 sees the end at once and goes on sending. */
static bool low_side_closed(struct net *net)
{
    return net->side[1].flow[0].end_seen;
}

static void data_flows_on_after_a_half_close(void **state)
{
    (void)state;
    struct net *net = net_new(false, NULL, 0);
    net->side[1].answer = 500000;
    net_listen(net, 1, PORT, 5);
    net_open(net, 0, 5000, PORT, 10);
    assert_true(net_run(net, MINUTES, low_side_closed));
    assert_true(net->side[0].flow[0].received < 500000);
    all_right(net, net_run(net, 10 * MINUTES, NULL));
    assert_int_equal(net->side[0].flow[0].received, 500000);
    net_free(net);
}

static void a_peer_that_vanishes_is_given_up(void **state)
{
    (void)state;
    struct net *net = net_new(false, NULL, 0);
    net->side[1].answer = 100;
    net_listen(net, 1, PORT, 5);
    struct net_flow *flow = net_open(net, 0, 5000, PORT, 100000);
    net_run(net, 60, NULL);
    net->loss = 1000;
    net_run(net, 30 * MINUTES, NULL);
    assert_true(flow->closed);
    assert_int_equal(flow->error, HF_ERR_TIMED_OUT);
    net_free(net);
}

/* Both stacks come back to where they began: nothing is left over. */
static void what_was_used_is_free_again(void **state)
{
    (void)state;
    struct net *net = net_new(false, NULL, 0);
    struct hf_counters counters = {.struct_size = sizeof counters};
    net->loss = 50;
    net->side[1].answer = 50000;
    net_listen(net, 1, PORT, 8);
    for (int i = 0; i < 3; i++)
        net_open(net, 0, (uint16_t)(5000 + i), PORT, 50000);
    all_right(net, net_run(net, 60 * MINUTES, NULL));
    for (int who = 0; who < 2; who++) {
        struct net_stack *s = &net->side[who].s;
        for (int i = 0; i < 3; i++)
            assert_int_equal(hf_release(s->stack, &s->env, net->side[who].flow[i].handle), 0);
        hf_counters(s->stack, &counters);
        assert_int_equal(counters.connections, 0);
        assert_int_equal(counters.half_open, 0);
        assert_int_equal(counters.time_wait, 0);
        assert_int_equal(counters.active, 0);
        assert_int_equal(counters.small_chunks, 0);
        assert_int_equal(counters.large_chunks, 0);
        assert_int_equal(counters.ranges, 0);
        assert_int_equal(hf_deadline(s->stack, &s->env), INT64_MAX);
    }
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_megabytes_each_way_on_a_clean_wire),
        cmocka_unit_test(super_segments_carry_the_same_octets),
        cmocka_unit_test(fifty_connections_at_once),
        cmocka_unit_test(a_wire_that_loses_five_percent_and_disorders_them),
        cmocka_unit_test(the_same_without_sack_without_timestamps_without_scaling),
        cmocka_unit_test(a_wire_that_loses_a_third),
        cmocka_unit_test(small_windows_and_buffers),
        cmocka_unit_test(a_simultaneous_open_and_close_completes_on_both_sides),
        cmocka_unit_test(a_simultaneous_open_carries_data_both_ways),
        cmocka_unit_test(each_segment_of_the_handshake_and_the_close_may_be_lost),
        cmocka_unit_test(data_flows_on_after_a_half_close),
        cmocka_unit_test(a_peer_that_vanishes_is_given_up),
        cmocka_unit_test(what_was_used_is_free_again),
    };
    return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
