/* ctest: timeout=1800
 *
 * Numbers nobody shall foretell: RFC 6528 (initial sequence numbers), RFC 7323 5.4 (timestamps),
 * RFC 6056 (ports), RFC 7739 (fragments).  Fixed seeds: each run gives the same numbers. */
#include "attack/chance.h"
#include "attack/forge.h"
#include "attack/row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1 << 14, MILLION = 1000000, CONNECTS = 100000 };

static uint32_t iss[MILLION], ts[MILLION], other[CONNECTS];

/* All of 10/8, or fd00::/64, is on the link. */
static void begins(struct peer *p)
{
    uint8_t prefix[16];
    memcpy(prefix, p->stack_ip, 16);
    starts();
    judge_end(&p->judge); /* it would remember thousands of connections */
    if (!p->v6)
        calls(hf_route_add(p->stack, &p->env, 1, prefix, 8, NULL));
}

static void speaks_as(struct peer *p, uint32_t host, uint16_t port)
{
    new_incarnation(100);
    p->peer_ip[13] = (uint8_t)(1 + (host >> 16));
    p->peer_ip[14] = (uint8_t)(host >> 8);
    p->peer_ip[15] = (uint8_t)host;
    p->c->peer_port = port;
}

/* What a SYN,ACK to this host and port shows; the half-open connection is taken back. */
static void sample(struct peer *p, uint32_t host, uint16_t port, uint32_t *number, uint32_t *stamp)
{
    speaks_as(p, host, port);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1000);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    if (!seen || seen->seg.ctl != (SYN | ACK))
        peer_fail(p, "a SYN gets no SYN,ACK");
    *number = seen->seg.seq.v;
    *stamp = seen->seg.opt.ts_val;
    peer_taken(p, seen);
    sends(RST, .seq = IRS + 1);
}

/* PR-01, SC-05: NUMBER:JACK, CVE-2019-10639, CVE-2024-10026: from peers that differ by little, at
 * one instant */
TEST(numbers_of_many_endpoints_tell_nothing_of_each_other)
{
    uint32_t n = row_or(MILLION, N);
    begins(p);
    listens();
    for (uint32_t i = 0; i < n; i++)
        sample(p, i / 4, (uint16_t)(4000 + i % 4), &iss[i], &ts[i]);
    uint32_t same_key = 0;
    for (uint32_t i = 1; i < n; i++)
        same_key += iss[i] - iss[i - 1] == ts[i] - ts[i - 1];
    holds(same_key <= 1);
    holds(octets_are_even(iss, n, false) && octets_are_even(iss, n, true));
    holds(octets_are_even(ts, n, false) && octets_are_even(ts, n, true));
    holds(phase_space_is_filled(iss, n));
    holds(foretold(iss, n) <= 1);
    holds(foretold(ts, n) <= 1);
    holds(correlation(iss, ts, n) * n < 30);
}

/* PR-01: one peer, port by port, and time goes on */
TEST(numbers_of_one_peer_are_not_foretold_from_port_to_port)
{
    uint32_t n = row_or(MILLION, N);
    begins(p);
    listens();
    for (uint32_t i = 0; i < n; i++) {
        sample(p, 5 + i / 60000, (uint16_t)(1000 + i % 60000), &iss[i], &ts[i]);
        if (i % 64 == 0)
            after(1);
    }
    holds(octets_are_even(iss, n, false) && octets_are_even(iss, n, true));
    holds(phase_space_is_filled(iss, n));
    holds(foretold(iss, n) <= 1);
}

/* PR-01: one pair of endpoints at known times: F is always the same, so each number says what the
 * first one and the clock have said. */
TEST(numbers_of_one_pair_of_endpoints_are_a_clock_of_their_own)
{
    uint32_t n = row_or(MILLION, N), passed = 0, first, stamp;
    begins(p);
    listens();
    sample(p, 5, 4000, &first, &stamp);
    holds(first != (uint32_t)(p->env.now_ns / 4000));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t step = i * 2654435761u >> 22, number;
        p->env.now_ns += step * INT64_C(4000);
        passed += step;
        sample(p, 5, 4000, &number, &stamp);
        holds_equal(number - first, passed);
    }
}

/* SC-05, PR-01: another key, other numbers: nothing of them is the addresses' alone. */
TEST(another_seed_gives_other_numbers)
{
    begins(p);
    listens();
    for (uint32_t i = 0; i < 1000; i++)
        sample(p, i, 4000, &iss[i], &ts[i]);
    free(p->stack);
    p->stack = NULL;
    p->config.seed[0] ^= 1;
    begins(p);
    listens();
    uint32_t same = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t number, stamp;
        sample(p, i, 4000, &number, &stamp);
        same += number == iss[i];
        same += stamp == ts[i];
        other[i] = number - iss[i]; /* would be one number, were the key only added */
    }
    holds_equal(same, 0);
    for (uint32_t i = 1; i < 1000; i++)
        same += other[i] == other[i - 1];
    holds_equal(same, 0);
}

/* PR-03: RFC 6528 3, RFC 1122 4.2.2.13: the same two ports again, 10 ms to two minutes later */
TEST(the_number_of_the_next_connection_is_above_all_that_was_sent)
{
    int times = (int)row_or(10000, 1000);
    begins(p);
    for (int i = 0; i < times; i++) {
        uint32_t isn = 100 + 3000 * (uint32_t)i, end = p->c->iss + 1002;
        bool first = i == 0;
        new_incarnation(isn);
        opens();
        expects(SYN);
        holds(first || (int32_t)(p->c->iss - end) > 0);
        sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
        expects(ACK);
        writes(1000);
        expects(ACK, .len = 1000);
        sends(FIN | ACK, .ack = ISS + 1001); /* the peer closes first: nothing of ours waits */
        expects(ACK);
        closes();
        expects(FIN | ACK, .seq = ISS + 1001);
        sends(ACK, .ack = ISS + 1002);
        expects_state(HF_CLOSED);
        releases();
        after(i % 10 ? 10 + i % 7 * 10 : 10 + i * 12 % 120000);
    }
}

/* PR-03: and where TIME-WAIT is ours, the peer's new SYN is taken by the rule of RFC 6191. */
TEST(a_port_in_time_wait_is_used_again_whenever_the_peer_comes)
{
    begins(p);
    listens();
    for (int i = 0; i < 300; i++) {
        uint32_t end = p->c->iss + 2;
        bool first = i == 0;
        new_incarnation(100 + 3000 * (uint32_t)i);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK);
        holds(first || (int32_t)(p->c->iss - end) > 0);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
        accepts();
        closes();
        expects(FIN | ACK);
        sends(FIN | ACK, .ack = ISS + 2);
        expects(ACK);
        releases();
        after(10 + i * 401 % 50000);
    }
}

/* SC-06: RFC 7739, CVE-2021-45485: one datagram to each of many */
TEST(numbers_of_fragments_are_not_foretold)
{
    uint32_t n = row_or(1 << 16, N);
    static const uint8_t text[2000];
    hf_handle socket;
    struct hf_endpoint any = {.port = 7}, to = {.port = 9};
    begins(p);
    calls(hf_udp_open(p->stack, &p->env, &any, &socket));
    for (uint32_t i = 0; i < n; i++) {
        speaks_as(p, i, 9);
        memcpy(to.ip, p->peer_ip, 16);
        calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, text, sizeof text));
        struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
        if (!seen || !seen->ip.fragment)
            peer_fail(p, "a datagram of 2000 octets leaves whole");
        iss[i] = p->v6 ? seen->ip.ident32 : seen->ip.ident * 65537u;
        peer_taken(p, seen);
        peer_forget(p);
    }
    holds(octets_are_even(iss, n, false) && octets_are_even(iss, n, true));
    holds(foretold(iss, n) <= (p->v6 ? 1 : 4)); /* sixteen bits are hit by chance */
}

/* SC-06, SC-11: TCP cuts nothing. */
TEST(segments_are_never_fragments)
{
    establish_active();
    writes(14600);
    for (struct seen *seen = peer_take(p, WIRE_PROTO_TCP); seen;
         seen = peer_take(p, WIRE_PROTO_TCP)) {
        holds(!seen->ip.fragment);
        holds(p->v6 || seen->ip.df);
        holds_equal(seen->ip.ident, 0);
        peer_taken(p, seen);
    }
}

static uint32_t port_to(struct peer *p, uint32_t host)
{
    speaks_as(p, host, 80);
    struct hf_endpoint there = peer_there(p, 80);
    struct hf_status status = {.struct_size = sizeof status};
    hf_handle handle;
    calls(hf_open(p->stack, &p->env, NULL, &there, 0, &handle));
    calls(hf_status(p->stack, &p->env, handle, &status));
    calls(hf_abort(p->stack, &p->env, handle));
    calls(hf_release(p->stack, &p->env, handle));
    peer_forget(p);
    return status.local.port;
}

/* SC-07: RFC 6056, CVE-2022-1012, CVE-2024-10603: ports to one destination, those to another beside
 * them, and what each tells of the next and of the other */
TEST(ports_of_active_opens_are_not_foretold)
{
    enum { PORTS = 28232 };
    uint32_t n = row_or(CONNECTS, N), bins[64] = {0}, steps = 0, distinct = 0;
    static uint16_t used[65536];
    double pairs = 0; /* of connects that drew the same port */
    begins(p);
    for (uint32_t i = 0; i < n; i++) {
        iss[i] = port_to(p, 1);
        other[i] = port_to(p, 2 + i % 50);
    }
    for (uint32_t i = 0; i < n; i++) {
        holds(iss[i] >= 32768 && iss[i] <= 60999);
        bins[(iss[i] - 32768) * 64 / PORTS]++;
        distinct += !used[iss[i]];
        pairs += used[iss[i]]++;
        steps += i && iss[i] - iss[i - 1] < 32;
        steps += other[i] - iss[i] < 32;
    }
    holds(chi_square_fits(bins, 64, n));
    /* 28,232 ports, 14.8 bits: as many are hit as by chance; a step of less than 32 as seldom */
    double c = (double)n / PORTS, missed = exp(-c), of_steps = 2 * 32 * c;
    double sd = sqrt(PORTS * (missed - (1 + c) * missed * missed));
    holds(fabs(distinct - PORTS * (1 - missed)) < 6 * sd);
    holds(pairs < (double)n * (n - 1) / 2 / (1 << 14)); /* 14 bits at the least */
    holds(steps < of_steps + 6 * sqrt(of_steps));
    holds(correlation(iss, iss + 1, n - 1) * n < 30);
    holds(correlation(iss, other, n) * n < 30);
    memset(used, 0, sizeof used);
}

/* SC-08: RFC 7323 5.4, 7.1: a clock of its own for each pair of endpoints, of a millisecond */
TEST(timestamps_tell_neither_the_uptime_nor_that_two_peers_talk_to_one_host)
{
    uint32_t number, again, close = 0;
    begins(p);
    listens();
    for (uint32_t i = 0; i < 1000; i++)
        sample(p, i, 4000, &number, &ts[i]);
    for (uint32_t i = 1; i < 1000; i++)
        close += ts[i] - ts[i - 1] + 1000000 < 2000000;
    holds(close < 8); /* by chance one in two thousand */
    after(5);
    for (uint32_t i = 0; i < 1000; i++) {
        sample(p, i, 4000, &number, &again);
        holds_equal(again - ts[i], 5); /* the same endpoints: the same clock goes on */
    }
}

/* SC-08: also in a SYN,ACK that is a cookie, whose lower six bits say what was agreed */
TEST(timestamps_of_cookies_have_the_clock_of_their_endpoints)
{
    uint32_t number, again, close = 0;
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    begins(p);
    listens();
    for (uint32_t i = 0; i < 1000; i++)
        sample(p, i, 4000, &number, &ts[i]);
    for (uint32_t i = 1; i < 1000; i++)
        close += ts[i] - ts[i - 1] + 1000000 < 2000000;
    holds(close < 8);
    after(500);
    for (uint32_t i = 0; i < 1000; i++) {
        sample(p, i, 4000, &number, &again);
        holds(again - ts[i] >= 500 - 64 && again - ts[i] <= 500 + 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(numbers_of_many_endpoints_tell_nothing_of_each_other),
        V4(numbers_of_one_peer_are_not_foretold_from_port_to_port),
        V4(numbers_of_one_pair_of_endpoints_are_a_clock_of_their_own),
        V4(another_seed_gives_other_numbers),
        BOTH(the_number_of_the_next_connection_is_above_all_that_was_sent),
        BOTH(a_port_in_time_wait_is_used_again_whenever_the_peer_comes),
        BOTH(numbers_of_fragments_are_not_foretold),
        BOTH(segments_are_never_fragments),
        V4(ports_of_active_opens_are_not_foretold),
        BOTH(timestamps_tell_neither_the_uptime_nor_that_two_peers_talk_to_one_host),
        V4(timestamps_of_cookies_have_the_clock_of_their_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
