/* Floods of segments that belong nowhere, echo requests, and connections that are abandoned. */
/* ctest: timeout=1800 */
#include "attack/row.h"
#include "attack/siege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "common/work.h"

enum { SECOND = 1000, CLOSED_PORT = 81 };

static struct siege siege;

static void configure(struct siege *s)
{
    siege_config(s, 256);
    s->config.small_chunks = 4096;
    s->config.large_chunks = 64;
}

/* What the policy allows in so many milliseconds, what may be spent at once included. */
static uint64_t resets_allowed(const struct siege *s, uint32_t ms)
{
    return (uint64_t)s->config.policy.reset_rate * (ms + SECOND) / SECOND * 5 / 4;
}

/* ACKs at a listener -------------------------------------------------------------------------- */

static void acks(struct siege *s)
{
    const struct siege_scale *scale = s->arg;
    uint8_t ip[16];
    for (uint32_t i = 0; i < scale->hits_per_ms; i++) {
        struct segment ack = {.seq = seq(siege_draw(s)),
                              .ack = seq(siege_draw(s)),
                              .ctl = ACK,
                              .wnd = 1000,
                              .sport = (uint16_t)(siege_draw(s) | 1024),
                              .dport = SIEGE_PORT};
        siege_stranger(s, ip);
        siege_hit(s, ip, &ack, 0);
    }
}

/* FL-04: a MAC is computed only while a cookie may be on its way, and then one for each ACK. */
static void an_ack_flood_costs_a_mac_only_while_cookies_are_out(void **state)
{
    (void)state;
    struct siege *s = &siege;
    struct siege_scale scale = row_is_whole() ? (struct siege_scale){10 * SECOND, 1000, 30}
                                              : (struct siege_scale){SECOND, 50, 10};
    for (int cookies = 0; cookies < 2; cookies++) {
        configure(s);
        s->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
        s->arg = &scale;
        siege_begin_with_flows(s);
        s->config.policy.syn_cookies = cookies ? HF_COOKIES_ALWAYS : HF_COOKIES_FULL;
        hf_set_policy(s->server, &s->server_env, &s->config.policy);
        siege_rest(s, cookies ? 0 : 121 * SECOND);
        struct work_done before = work_of(s->server);
        uint64_t rounds = siege_play(s, &scale, acks);
        struct work_done done = work_since(s->server, &before);
        uint32_t clients = siege_sum(s).opened - SIEGE_FLOWS;
        if (cookies)
            assert_in_range(done.macs, 1, s->hits + 2 * clients);
        else
            assert_int_equal(done.macs, 0);
        assert_true(s->resets <= resets_allowed(s, scale.ms));
        siege_clients_are_served(s, &scale, rounds, 99);
        siege_end(s);
    }
}

/* Junk ------------------------------------------------------------------------------------------
 */

struct junk {
    struct siege_scale scale;
    uint16_t ctl;
    int where; /* 0 a closed port, 1 the listener, 2 outside the window of the first flow */
};

static void junk_segments(struct siege *s)
{
    const struct junk *junk = s->arg;
    struct hf_status status = {.struct_size = sizeof status};
    uint8_t ip[16];
    assert_int_equal(hf_status(s->clients, &s->clients_env, s->client[0].handle, &status), HF_OK);
    for (uint32_t i = 0; i < junk->scale.hits_per_ms; i++) {
        struct segment seg = {.seq = seq(siege_draw(s)),
                              .ack = seq(siege_draw(s)),
                              .ctl = junk->ctl,
                              .wnd = 1000,
                              .sport = (uint16_t)(siege_draw(s) | 1024),
                              .dport = junk->where == 0 ? CLOSED_PORT : SIEGE_PORT};
        siege_stranger(s, ip);
        if (junk->where == 2) {
            memcpy(ip, s->clients_ip, sizeof ip);
            seg.sport = status.local.port;
            seg.seq = seq(status.snd_nxt + 0x40000000 + (seg.seq.v >> 4));
        }
        siege_hit(s, ip, &seg, 0);
    }
}

/* FL-08: RFC 9293 3.10.7.1; RFC 5961 7 */
static void junk_is_answered_at_a_bounded_rate_and_resets_never(void **state)
{
    (void)state;
    static const uint16_t flags[] = {FIN, RST, PSH | ACK, URG, 0, RST | ACK, FIN | PSH | URG};
    struct siege *s = &siege;
    struct junk junk = {
        .scale = {row_is_whole() ? 2 * SECOND : 200, row_is_whole() ? 500 : 50, 20}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        for (junk.where = 0; junk.where < 3; junk.where++) {
            junk.ctl = flags[i];
            configure(s);
            s->arg = &junk;
            siege_begin_with_flows(s);
            uint64_t rounds = siege_play(s, &junk.scale, junk_segments);
            assert_true(s->resets <= ((flags[i] & RST) ? 0 : resets_allowed(s, junk.scale.ms)));
            assert_true(s->others <= resets_allowed(s, junk.scale.ms));
            siege_clients_are_served(s, &junk.scale, rounds, 95);
            siege_end(s);
        }
    }
}

/* Steps for a segment of each kind, with n connections there. */
static double cost_of_junk(uint32_t n, void *arg)
{
    const int *where = arg;
    struct siege *s = &siege;
    siege_config(s, n + 256);
    s->config.small_chunks = 4096;
    s->config.large_chunks = 64;
    siege_begin_with_flows(s);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(siege_stranger_connects(s, i));
        if (i % 100 == 0)
            siege_run(s, 1);
    }
    struct junk junk = {.scale = {.hits_per_ms = 64}, .ctl = ACK, .where = *where};
    s->arg = &junk;
    struct work_done before = work_of(s->server);
    for (int i = 0; i < 16; i++) {
        junk_segments(s);
        siege_flush(s);
    }
    double steps = (double)work_since(s->server, &before).steps / (16 * 64);
    siege_end(s);
    return steps;
}

/* FL-08, FL-15: whatever it is, it costs the same beside ten connections as beside 100,000. */
static void the_cost_of_junk_does_not_grow_with_the_connections(void **state)
{
    (void)state;
    static const char *const names[] = {"an ACK to a closed port", "an ACK to a listener",
                                        "an ACK outside the window"};
    for (int where = 0; where < 3; where++)
        work_is_flat(names[where], cost_of_junk, &where);
}

/* Resets --------------------------------------------------------------------------------------- */

/* From the n-th of many networks to a closed port. */
static void probes(struct siege *s, uint32_t network, uint32_t times)
{
    uint8_t ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 20};
    put_be16(ip + 13, (uint16_t)network);
    for (uint32_t i = 0; i < times; i++) {
        struct segment seg = {.seq = seq(i),
                              .ack = seq(siege_draw(s)),
                              .ctl = SYN | ACK,
                              .sport = (uint16_t)(1024 + i),
                              .dport = CLOSED_PORT};
        ip[15] = (uint8_t)i;
        siege_hit(s, ip, &seg, 0);
    }
    siege_flush(s);
}

/* FL-15: the limit holds in all, a flood of one network leaves the others theirs, and how many a
 * network gets nobody can tell beforehand. */
static void resets_are_limited_fairly_and_not_countably(void **state)
{
    (void)state;
    struct siege *s = &siege;
    configure(s);
    siege_begin(s);
    siege_run(s, SECOND);
    uint64_t before = s->resets;
    for (int i = 0; i < 10; i++) {
        probes(s, 1, 1000);
        siege_run(s, 1);
    }
    uint64_t of_flood = s->resets - before;
    uint32_t share = s->config.policy.reset_rate / 16;
    assert_in_range(of_flood, share / 2, share * 5 / 4);
    uint32_t answered = 0;
    for (uint32_t network = 100; network < 132; network++) {
        before = s->resets;
        probes(s, network, 1);
        answered += s->resets - before == 1;
    }
    assert_in_range(answered, 24, 32); /* some may be of the same group */
    siege_run(s, 2 * SECOND);
    before = s->resets;
    for (uint32_t network = 200; network < 400; network++)
        probes(s, network, 200);
    assert_true(s->resets - before <= s->config.policy.reset_rate * UINT64_C(5) / 4);
    uint64_t first = 0, same = 0;
    for (int i = 0; i < 8; i++) {
        siege_run(s, 2 * SECOND);
        before = s->resets;
        probes(s, 1, 1000);
        first = i ? first : s->resets - before;
        same += s->resets - before == first;
    }
    assert_true(same < 8);
    siege_end(s);
}

/* Echo ---------------------------------------------------------------------------------------- */

static void echo_request(struct siege *s, const uint8_t src[16], const uint8_t dst[16])
{
    uint8_t packet[128] = {0};
    struct wire_ip ip = {.version = s->v6 ? 6 : 4,
                         .proto = s->v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP,
                         .ttl = 64,
                         .total_len = (s->v6 ? 40 : 20) + 64};
    struct wire_icmp icmp = {.version = ip.version, .type = s->v6 ? ICMP6_ECHO : ICMP4_ECHO};
    memcpy(ip.src, src, 16);
    memcpy(ip.dst, dst, 16);
    uint8_t *message = packet + wire_put_ip(packet, &ip);
    wire_put_icmp(message, &icmp);
    wire_set_icmp_checksum(message, 64, &ip);
    siege_packet(s, packet, ip.total_len);
}

static void echoes(struct siege *s)
{
    const struct siege_scale *scale = s->arg;
    uint8_t ip[16];
    for (uint32_t i = 0; i < scale->hits_per_ms; i++) {
        siege_stranger(s, ip);
        echo_request(s, ip, s->server_ip);
    }
}

/* FL-12: RFC 1122 3.2.2.6, RFC 4443 2.4 (f) */
static void echo_floods_are_answered_at_a_bounded_rate_and_groups_not_at_all(void **state)
{
    (void)state;
    struct siege *s = &siege;
    struct siege_scale scale = {SECOND, 100, 10};
    for (int v6 = 0; v6 < 2; v6++) {
        configure(s);
        s->v6 = v6;
        s->arg = &scale;
        siege_begin_with_flows(s);
        uint64_t rounds = siege_play(s, &scale, echoes);
        assert_in_range(s->others, 1000, 1256 + 20);
        siege_clients_are_served(s, &scale, rounds, 95);
        siege_run(s, 2 * SECOND);
        uint64_t before = s->others;
        uint8_t group[4][16] = {{[10] = 255, [11] = 255, [12] = 255, 255, 255, 255},
                                {[10] = 255, [11] = 255, [12] = 10, 0, 0, 255},
                                {[10] = 255, [11] = 255, [12] = 224, 0, 0, 1},
                                {0xff, 2, [15] = 1}};
        uint8_t stranger[16];
        siege_stranger(s, stranger);
        for (int i = v6 ? 3 : 0; i < (v6 ? 4 : 3); i++)
            echo_request(s, stranger, group[i]);
        siege_run(s, 10);
        assert_int_equal(s->others, before);
        echo_request(s, stranger, s->server_ip);
        siege_run(s, 10);
        assert_int_equal(s->others, before + 1);
        siege_end(s);
    }
}

/* Abandoned connections ----------------------------------------------------------------------- */

static void set(struct siege *s, enum hf_option option, int64_t value)
{
    assert_int_equal(hf_set_option(s->server, &s->server_env, s->listener, option, value), HF_OK);
}

/* FL-13: the cap holds, nobody is aborted for a newcomer, and where the application asks for
 * keep-alives those that are gone make room. */
static void abandoned_connections_stay_under_the_cap_and_make_room(void **state)
{
    (void)state;
    enum { MOST = 1000 };
    struct siege *s = &siege;
    const char *sanitize = getenv("HF_SANITIZE");
    uint32_t strangers = sanitize && *sanitize && !row_is_whole() ? 20000 : 200000;
    configure(s);
    s->config.max_connections = MOST;
    s->config.max_extras = MOST + 1; /* the listener has one, too */
    siege_begin(s);
    set(s, HF_KEEPALIVE, 1);
    set(s, HF_KEEPALIVE_IDLE, 10 * SECOND);
    set(s, HF_KEEPALIVE_INTERVAL, SECOND);
    set(s, HF_KEEPALIVE_COUNT, 3);
    for (int i = 0; i < SIEGE_FLOWS; i++)
        siege_open(s, SIEGE_ENDLESS);
    siege_run(s, 200);
    for (uint32_t i = 0; i < strangers; i++) {
        siege_stranger_connects(s, i);
        siege_run(s, i % 10 == 9);
    }
    assert_in_range(s->conns_most, MOST - 1, MOST);
    for (int i = 0; i < SIEGE_FLOWS; i++) {
        assert_int_equal(s->client[i].error, HF_OK);
        assert_true(s->client[i].rounds > 40);
    }
    siege_rest(s, 80 * SECOND); /* half-open ones are gone, too */
    assert_int_equal(siege_counters(s).connections, SIEGE_FLOWS);
    for (int i = 0; i < 100; i++)
        siege_open(s, 1);
    siege_run(s, 2 * SECOND);
    assert_int_equal(siege_sum(s).done, 100);
    siege_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ack_flood_costs_a_mac_only_while_cookies_are_out),
        cmocka_unit_test(junk_is_answered_at_a_bounded_rate_and_resets_never),
        cmocka_unit_test(the_cost_of_junk_does_not_grow_with_the_connections),
        cmocka_unit_test(resets_are_limited_fairly_and_not_countably),
        cmocka_unit_test(echo_floods_are_answered_at_a_bounded_rate_and_groups_not_at_all),
        cmocka_unit_test(abandoned_connections_stay_under_the_cap_and_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
