/* What one call costs while connections become ever more, in counted work: the flow table grows by
 * a bucket, a port is chosen in a bounded number of tries (RFC 6056). */
/* ctest: native */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/work.h"
#include "pair.h"

enum {
    PORTS = 256,       /* destinations */
    STEPS_EACH = 8,    /* a segment costs at most this times log2(n) */
    PROBES = 32,       /* of source ports */
    STEPS_OPENING = 16 /* what opening costs beside these */
};

static struct pair *pair_of(uint32_t connections)
{
    struct pair_setup setup = {
        .connections = connections, .mtu = 1500, .msl_ms = 30000, .step_ns = 1000, .ports = PORTS};
    return pair_new(&setup);
}

static void forget_events(struct pair_end *end)
{
    struct hf_event event;
    while (hf_events(end->stack, &end->env, &event, 1) > 0) {
    }
}

/* What `from` sends costs `to` this many steps. */
static uint64_t carry(struct pair *p, struct pair_end *from, struct pair_end *to)
{
    struct work_done before = work_of(to->stack);
    pair_carry(p, from, to);
    return work_since(to->stack, &before).steps;
}

/* Opens one more; the most steps that one of its segments cost. */
static uint64_t worst_of_opening(struct pair *p, uint16_t port)
{
    struct hf_endpoint to = p->b.at;
    hf_handle a, b;
    to.port = port;
    pair_tick(p);
    assert_int_equal(hf_open(p->a.stack, &p->a.env, NULL, &to, 0, &a), HF_OK);
    uint64_t syn = carry(p, &p->a, &p->b), syn_ack = carry(p, &p->b, &p->a),
             ack = carry(p, &p->a, &p->b);
    assert_int_equal(hf_accept(p->b.stack, &p->b.env, p->b.listener, &b, NULL), HF_OK);
    forget_events(&p->a);
    forget_events(&p->b);
    uint64_t worst = syn > syn_ack ? syn : syn_ack;
    return worst > ack ? worst : ack;
}

/* HF_LONG: to 10^6. */
static void no_segment_waits_while_the_flow_table_grows(void **state)
{
    (void)state;
    const uint32_t many = getenv("HF_LONG") ? 1000000 : 100000;
    struct pair *p = pair_of(many);
    uint64_t worst = 0;
    for (uint32_t n = 1, decade = 100; n <= many; n++) {
        uint64_t steps = worst_of_opening(p, (uint16_t)(PAIR_PORT + n % PORTS));
        worst = steps > worst ? steps : worst;
        if (n == decade) {
            printf("    n = %7u: %u steps at most\n", n, (unsigned)worst);
            assert_true((double)worst <= STEPS_EACH * log2(n));
            decade *= 10;
        }
    }
    pair_free(p);
}

static void take_ports(struct pair *p, uint16_t first, uint32_t n)
{
    struct hf_policy policy = *hf_policy(p->a.stack);
    policy.port_first = first;
    policy.port_last = (uint16_t)(first + n - 1);
    assert_int_equal(hf_set_policy(p->a.stack, &p->a.env, &policy), HF_OK);
}

/* hf_open's steps; what it opened is gone again. */
static uint64_t steps_to_open(struct pair *p, uint16_t port, int expected)
{
    struct hf_endpoint to = p->b.at;
    hf_handle handle;
    to.port = port;
    struct work_done before = work_of(p->a.stack);
    assert_int_equal(hf_open(p->a.stack, &p->a.env, NULL, &to, 0, &handle), expected);
    uint64_t steps = work_since(p->a.stack, &before).steps;
    if (expected == HF_OK) {
        hf_abort(p->a.stack, &p->a.env, handle);
        hf_release(p->a.stack, &p->a.env, handle);
    }
    return steps;
}

/* n stand; half of the ports to each destination are taken. */
static double cost_of_opening(uint32_t n, void *unused)
{
    enum { SAMPLES = 1000 };
    (void)unused;
    struct pair *p = pair_of(n + 1);
    uint32_t destinations = n > PORTS ? PORTS : 1;
    take_ports(p, 10000, 2 * (n / destinations) + PROBES);
    for (uint32_t i = 0; i < n; i++) {
        worst_of_opening(p, (uint16_t)(PAIR_PORT + i % destinations));
    }
    uint64_t all = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        all += steps_to_open(p, (uint16_t)(PAIR_PORT + i % destinations), HF_OK);
    }
    pair_free(p);
    return (double)all / SAMPLES;
}

/* RFC6056-5 */
static void a_port_costs_the_same_however_many_are_taken(void **state)
{
    (void)state;
    work_is_flat("an active open", cost_of_opening, NULL);
}

/* RFC6056-4: in a range that is all taken, and in one of which a single port is left. */
static void the_search_for_a_port_ends(void **state)
{
    (void)state;
    enum { RANGE = 20000, FIRST = 20000 };
    struct pair *p = pair_of(RANGE + 1);
    take_ports(p, FIRST, RANGE);
    for (uint32_t i = 0; i < RANGE; i++) {
        struct hf_endpoint from = p->a.at, to = p->b.at;
        hf_handle handle;
        from.port = (uint16_t)(FIRST + i);
        assert_int_equal(hf_open(p->a.stack, &p->a.env, &from, &to, 0, &handle), HF_OK);
    }
    uint64_t steps = steps_to_open(p, PAIR_PORT, HF_ERR_NO_PORTS);
    /* a hash, a line or two, and a record where the hash was met */
    assert_in_range(steps, PROBES, 4 * PROBES + STEPS_OPENING);
    assert_in_range(steps_to_open(p, PAIR_PORT + 1, HF_OK), 1, 4 + STEPS_OPENING);
    pair_free(p);
}

/* Batches of frames that end anywhere, of IPv4, IPv6 and neither, as sent by others and to nobody:
 * what is fetched ahead (src/stack/ahead.c) reads no octet behind them, and changes nothing. */
static void frames_that_are_no_segments_may_come_in_batches(void **state)
{
    (void)state;
    enum { STAND = 8000, BATCHES = 2000, BATCH = 20, BYTES = 60 };
    struct pair *p = pair_of(STAND);
    for (uint32_t n = 0; n < STAND; n++) {
        worst_of_opening(p, (uint16_t)(PAIR_PORT + n % PORTS));
    }
    struct hf_counters before = {.struct_size = sizeof before}, after = before;
    hf_counters(p->b.stack, &before);
    uint64_t dice = 1;
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        struct hf_frame_in in[BATCH];
        uint8_t *data[BATCH];
        for (uint32_t i = 0; i < BATCH; i++) {
            uint32_t len = 1 + (uint32_t)(dice >> 33) % BYTES;
            data[i] = malloc(len);
            assert_non_null(data[i]);
            for (uint32_t at = 0; at < len; at++) {
                static const uint8_t head[] = {0x45, [9] = 6, [12] = 10, 0, 0, 1, 10, 0, 0, 2};
                dice = dice * 6364136223846793005 + 1442695040888963407;
                data[i][at] = at < sizeof head && dice >> 60 ? head[at] : (uint8_t)(dice >> 40);
            }
            data[i][0] = dice >> 63 ? data[i][0] : 0x60;
            uint16_t iface = batch % 50 ? 1 : batch % 100 ? 9 : 0;
            bool none = batch % 7 == 0 && i == 0;
            in[i] = (struct hf_frame_in){.data = none ? NULL : data[i], .len = len, .iface = iface};
        }
        assert_int_equal(hf_input(p->b.stack, &p->b.env, in, BATCH), HF_OK);
        pair_lose(p, &p->b);
        for (uint32_t i = 0; i < BATCH; i++) {
            free(data[i]);
        }
    }
    hf_counters(p->b.stack, &after);
    assert_int_equal(after.frames_in - before.frames_in, BATCHES * BATCH);
    assert_int_equal(after.connections, before.connections);
    assert_int_equal(after.half_open, before.half_open);
    pair_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_segment_waits_while_the_flow_table_grows),
        cmocka_unit_test(a_port_costs_the_same_however_many_are_taken),
        cmocka_unit_test(frames_that_are_no_segments_may_come_in_batches),
        cmocka_unit_test(the_search_for_a_port_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
