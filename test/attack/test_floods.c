/* Floods of segments that cost their sender nothing: the rows FL of doc/attacks.csv. */
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

#include "common/work.h"
#include "stack/stack.h"

enum { SECOND = 1000 };

static struct siege siege;

static uint64_t used_bytes(const struct siege *s)
{
    struct hf_extent part[64];
    uint32_t n = hf_extents(s->server, part, 64);
    uint64_t used = 0;
    for (uint32_t i = 0; i < n; i++)
        used += part[i].used;
    return used;
}

static void syns(struct siege *s)
{
    const struct siege_scale *scale = s->arg;
    uint8_t ip[16];
    for (uint32_t i = 0; i < scale->hits_per_ms; i++) {
        struct segment syn = siege_syn(s);
        siege_stranger(s, ip);
        siege_hit(s, ip, &syn, 0);
    }
}

static void syn_flood(bool v6, const struct siege_scale *scale)
{
    struct siege *s = &siege;
    siege_config(s, 256);
    s->v6 = v6;
    s->arg = (void *)(uintptr_t)scale;
    siege_begin_with_flows(s);
    s->attack = syns;
    siege_run(s, SECOND); /* by then all that can be taken is */
    uint64_t used = used_bytes(s);
    siege_run(s, SECOND);
    assert_int_equal(used_bytes(s), used);
    uint64_t hits = s->hits, others = s->others;
    uint64_t rounds = siege_play(s, scale, syns);
    assert_true(s->half_most <= s->backlog);
    assert_true(s->others - others <= (s->hits - hits) + 5 * s->backlog);
    siege_clients_are_served(s, scale, rounds, 99);
    siege_rest(s, 130 * SECOND);
    struct hf_counters c = siege_counters(s);
    assert_int_equal(c.half_open, 0);
    assert_int_equal(c.connections, SIEGE_FLOWS);
    siege_end(s);
}

/* FL-01 */
static void a_syn_flood_leaves_room_for_all_honest_clients(void **state)
{
    (void)state;
    struct siege_scale scale = row_is_whole() ? (struct siege_scale){30 * SECOND, 1000, 30}
                                              : (struct siege_scale){1 * SECOND, 50, 10};
    syn_flood(false, &scale);
    scale = (struct siege_scale){SECOND, row_or(1000, 50), 10};
    syn_flood(true, &scale);
}

/* Ten times the honest rate, over all the time that half-open records take. */
static void at_ten_times_the_honest_rate_all_honest_clients_are_served(void **state)
{
    (void)state;
    struct siege *s = &siege;
    struct siege_scale scale = {row_is_whole() ? 38 * SECOND : 8 * SECOND, 1, 10};
    siege_config(s, 256);
    s->arg = &scale;
    siege_begin_with_flows(s);
    uint64_t rounds = siege_play(s, &scale, syns);
    assert_true(s->half_most <= s->backlog);
    siege_clients_are_served(s, &scale, rounds, 99);
    siege_end(s);
}

/* Half-open connections of a client that answers nothing ------------------------------------- */

struct answers {
    uint32_t n; /* SYN,ACKs to the stranger of this port                */
    int64_t at_ns[16];
    uint32_t bytes;
    uint16_t port;
};

static void notes_answers(struct siege *s, const struct wire_ip *ip, const struct segment *seg,
                          uint32_t len)
{
    struct answers *a = s->arg;
    (void)ip;
    if (seg && seg->dport == a->port && seg->ctl == (SYN | ACK)) {
        assert_int_equal(seg->text_len, 0);
        assert_true(a->n < 16);
        a->at_ns[a->n++] = s->now_ns;
        a->bytes += len;
    }
}

/* The n-th of many endpoints that ask and then say nothing; always the same SYN. */
static void asks(struct siege *s, uint32_t n)
{
    uint8_t ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 20};
    put_be16(ip + 14, (uint16_t)n);
    struct segment syn = {.seq = seq(n * 7919),
                          .ctl = SYN,
                          .wnd = 64240,
                          .sport = (uint16_t)(1024 + n % 50000),
                          .dport = SIEGE_PORT,
                          .opt = {.present = OPT_MSS, .mss = 1460}};
    siege_hit(s, ip, &syn, 0);
}

/* FL-02: RFC 4987; what nobody completes is asked for again five times and forgotten after 63 s,
 * also when its SYN comes again each second. */
static void half_open_connections_end_and_are_small(void **state)
{
    (void)state;
    struct siege *s = &siege;
    struct answers a = {.port = 1024 + 49999}; /* one of those that ask once */
    const uint32_t n = 65000, again = 1000;
    siege_config(s, 256);
    s->config.max_half_open = n;
    s->backlog = UINT16_MAX;
    s->seen = notes_answers;
    s->arg = &a;
    siege_begin(s);
    for (uint32_t i = 0; i < n; i++) {
        asks(s, i);
        siege_run(s, i % 100 == 99);
    }
    assert_int_equal(siege_counters(s).half_open, n);
    assert_true(sizeof(struct half_open) + sizeof(struct ext6) + 64 / 5 <= 128);
    siege_open(s, 1); /* for whom there is no record */
    siege_run(s, SECOND);
    assert_int_equal(siege_sum(s).done, 1);
    for (int i = 0; i < 61; i++) {
        for (uint32_t j = 1; j <= again; j++)
            asks(s, j);
        siege_run(s, SECOND);
    }
    assert_int_equal(a.n, 6);
    for (uint32_t i = 2; i < a.n; i++)
        assert_in_range(
            (uint64_t)((a.at_ns[i] - a.at_ns[i - 1]) * 10 / (a.at_ns[i - 1] - a.at_ns[i - 2])), 19,
            21);
    assert_true(s->others <= 6 * (uint64_t)n + 62 * again);
    siege_run(s, 3 * SECOND); /* those that asked in the last second have none yet, or a new one */
    assert_true(siege_counters(s).half_open <= again);
    siege_rest(s, 64 * SECOND);
    assert_int_equal(siege_counters(s).half_open, 0);
    siege_end(s);
}

/* From so many hosts of one network, near the honest clients or far from them. */
static void network_asks(struct siege *s, bool near, uint32_t hosts)
{
    uint8_t ip[16] = {0x20, 1, 0xd, 0xb8};
    if (near)
        memcpy(ip, s->clients_ip, 16);
    else if (!s->v6)
        memcpy(ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x14\0\0", 15);
    for (uint32_t i = 0; i < hosts; i++) {
        struct segment syn = siege_syn(s);
        ip[s->v6 ? 7 : 15] = (uint8_t)(i + 3); /* IPv6: of as many prefixes of 64 bits */
        siege_hit(s, ip, &syn, 0);
    }
    siege_flush(s);
}

/* FL-02: one network takes no more than its share of a backlog, so that others get records; what it
 * asks for beyond that gets cookies, and so its honest hosts are served, too. */
static void one_network_takes_half_of_a_backlog(void **state)
{
    (void)state;
    enum { HOSTS = 250 };
    struct siege *s = &siege;
    for (int i = 0; i < 8; i++) {
        bool cookies = i & 1, near = i & 2;
        siege_config(s, 256);
        s->v6 = i & 4;
        s->config.policy.syn_cookies = cookies ? HF_COOKIES_FULL : HF_COOKIES_OFF;
        siege_begin(s);
        network_asks(s, near, HOSTS);
        struct hf_counters c = siege_counters(s);
        assert_int_equal(c.half_open, s->backlog / 2);
        uint64_t refused = HOSTS - s->backlog / 2;
        assert_int_equal(c.verdict[cookies ? HF_V_COOKIE_SENT : HF_V_DROP_BACKLOG], refused);
        for (int n = 0; n < 20; n++)
            siege_open(s, 1);
        siege_run(s, 500);
        assert_int_equal(siege_sum(s).done, cookies || !near ? 20 : 0);
        assert_int_equal(siege_counters(s).verdict[HF_V_COOKIE_SENT],
                         (cookies ? refused : 0) + (cookies && near ? 20 : 0));
        siege_rest(s, 64 * SECOND); /* what it had is free again */
        network_asks(s, near, HOSTS);
        assert_int_equal(siege_counters(s).half_open, s->backlog / 2);
        siege_end(s);
    }
}

/* FL-09: a forged SYN makes its victim get six packets of its size. */
static void one_syn_is_answered_six_times_and_a_reset_ends_that(void **state)
{
    (void)state;
    struct siege *s = &siege;
    for (int resets = 0; resets < 2; resets++) {
        struct answers a = {.port = 1024};
        siege_config(s, 256);
        s->seen = notes_answers;
        s->arg = &a;
        siege_begin(s);
        asks(s, 0);
        siege_run(s, 1500);
        assert_int_equal(a.n, 2);
        if (resets) {
            uint8_t ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 20};
            struct segment rst = {.seq = seq(1), .ctl = RST, .sport = 1024, .dport = SIEGE_PORT};
            siege_hit(s, ip, &rst, 0);
        }
        siege_rest(s, 120 * SECOND);
        assert_int_equal(a.n, resets ? 2 : 6);
        assert_true(a.bytes <= 6 * 44);
        assert_int_equal(siege_counters(s).half_open, 0);
        siege_open(s, 1);
        siege_run(s, SECOND);
        assert_int_equal(siege_sum(s).done, 1);
        siege_end(s);
    }
}

/* FL-03: listen(2); who found no room is served as soon as there is some, with all it has sent. */
static void an_accept_queue_holds_its_backlog_and_loses_nothing(void **state)
{
    (void)state;
    struct siege *s = &siege;
    struct hf_status status = {.struct_size = sizeof status};
    siege_config(s, 256);
    s->backlog = 16;
    siege_begin(s);
    s->deaf = true;
    for (int i = 0; i < 64; i++)
        siege_open(s, 3);
    siege_run(s, 3 * SECOND);
    assert_int_equal(hf_status(s->server, &s->server_env, s->listener, &status), HF_OK);
    assert_int_equal(status.waiting, s->backlog + 1);
    assert_int_equal(s->conns_most, s->backlog + 1);
    s->deaf = false;
    siege_rest(s, 60 * SECOND);
    struct siege_sum sum = siege_sum(s);
    assert_int_equal(sum.done, 64);
    assert_int_equal(sum.failed, 0);
    siege_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_syn_flood_leaves_room_for_all_honest_clients),
        cmocka_unit_test(at_ten_times_the_honest_rate_all_honest_clients_are_served),
        cmocka_unit_test(half_open_connections_end_and_are_small),
        cmocka_unit_test(one_network_takes_half_of_a_backlog),
        cmocka_unit_test(one_syn_is_answered_six_times_and_a_reset_ends_that),
        cmocka_unit_test(an_accept_queue_holds_its_backlog_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
