/* What peers can make a receiver keep: tiny segments, gaps that nobody fills, text that nobody
 * reads (RFC 9293 section 3.8.6, RFC 2018 section 8).  Memory is counted as it is taken, by chunks.
 *
 * ctest: timeout=300
 */
#include "attack/row.h"
#include "attack/siege.h"
#include "common/peer.h"

#include <string.h>

enum { SMALL = 2048, LARGE = 16384, WINDOW = 65535, SLACK = 3 * LARGE, BATCH = 50 };

/* Octets of payload memory that are taken, whatever they hold. */
static uint64_t taken(struct peer *p)
{
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(p->stack, &now);
    return (uint64_t)now.small_chunks * SMALL + (uint64_t)now.large_chunks * LARGE;
}

static uint64_t memory(const struct peer *p)
{
    return (uint64_t)p->config.small_chunks * SMALL + (uint64_t)p->config.large_chunks * LARGE;
}

/* Segments of an octet each, first, first + step ... up to last, many at one time. */
static void sends_octets(struct peer *p, int64_t first, int64_t last, int64_t step)
{
    int n = 0;
    for (int64_t at = first; step > 0 ? at <= last : at >= last; at += step) {
        if (n == 0)
            batch_begins();
        sends(ACK, .seq = IRS + 1 + at, .len = 1);
        if (++n == BATCH) {
            n = 0;
            batch_ends();
            peer_forget(p);
            holds(taken(p) <= 2 * WINDOW + SLACK);
        }
    }
    batch_ends();
    peer_forget(p);
    holds(taken(p) <= 2 * WINDOW + SLACK);
}

static void opens_a_window_of_64k(struct peer *p)
{
    p->config.policy.receive_window = WINDOW;
    p->config.policy.tune_buffers = false;
    p->config.max_ranges = 40000;
    p->with.sackok = true;
    establish_active();
}

/* All of the window is here by now. */
static void reads_all(struct peer *p)
{
    holds_equal(status_of(unread_bytes), WINDOW);
    holds_equal(status_of(out_of_order_bytes), 0);
    reads(WINDOW);
    holds_equal(taken(p), 0);
    peer_forget(p);
    sends(ACK, .seq = IRS + 1 + WINDOW, .len = 1000);
    reads(1000);
}

/* RX-02 */
TEST(a_window_of_single_octets_takes_no_more_memory_than_it_is_wide)
{
    opens_a_window_of_64k(p);
    sends_octets(p, 0, WINDOW - 1, 1);
    reads_all(p);
}

/* RX-02 */
TEST(a_window_of_every_second_octet_takes_no_more_memory_than_it_is_wide)
{
    opens_a_window_of_64k(p);
    sends_octets(p, 1, WINDOW - 1, 2);
    holds(status_of(out_of_order_bytes) > 0);
    sends_octets(p, 0, WINDOW - 1, 1);
    reads_all(p);
}

/* RX-02 */
TEST(a_window_of_single_octets_from_its_end_takes_no_more_memory_than_it_is_wide)
{
    opens_a_window_of_64k(p);
    sends_octets(p, WINDOW - 1, 1, -1);
    holds_equal(status_of(out_of_order_bytes), WINDOW - 1);
    sends_octets(p, 0, 0, 1);
    reads_all(p);
}

/* RX-02: stretches a little longer than a chunk, which must not pin a large one for the rest. */
TEST(stretches_a_little_longer_than_a_small_chunk_take_no_large_one_each)
{
    opens_a_window_of_64k(p);
    for (int64_t at = 1; at + 2050 <= WINDOW; at += 2051) {
        sends(ACK, .seq = IRS + 1 + at, .len = 2000);
        sends(ACK, .seq = IRS + 1 + at + 2000, .len = 50);
        peer_forget(p);
        holds(taken(p) <= 2 * WINDOW + SLACK);
    }
    for (int64_t at = 0; at < WINDOW; at += 2051)
        sends(ACK, .seq = IRS + 1 + at, .len = 1);
    holds(taken(p) <= 2 * WINDOW + SLACK);
    peer_forget(p);
    sends(ACK, .seq = IRS + 1, .len = WINDOW - 1000);
    sends(ACK, .seq = IRS + 1 + WINDOW - 1000, .len = 1000);
    reads_all(p);
}

/* One connection more works as if there were no others: a megabyte comes and is read. */
static void one_more_receives(struct peer *p, int i)
{
    on(i);
    p->with.sackok = true;
    establish_active();
    for (int n = 0; n < 1000; n++) {
        sends(ACK, .len = 1000);
        reads(1000);
    }
    peer_forget(p);
}

static void eight_connections(struct peer *p)
{
    p->config.max_connections = p->config.max_active = p->config.max_stats = 8;
    p->config.max_ranges = 4000;
    p->with.sackok = true;
}

/* RX-03: RFC 2018 8; what is held ahead of gaps leaves room for what comes in order. */
TEST(gaps_that_are_never_filled_leave_memory_for_what_comes_in_order)
{
    eight_connections(p);
    p->config.small_chunks = 64;
    p->config.large_chunks = 16;
    for (int i = 0; i < 7; i++) {
        on(i);
        establish_active();
        for (int64_t at = 1; at + 1000 < WINDOW; at += 1000)
            sends(ACK, .seq = IRS + 1 + at, .len = 1000);
        peer_forget(p);
    }
    holds(taken(p) > memory(p) / 2);
    after(600000);
    peer_forget(p);
    one_more_receives(p, 7);
    on(0); /* and who fills the gap after all gets what was kept */
    sends(ACK, .seq = IRS + 1, .len = 1);
    holds(status_of(unread_bytes) > 1000);
    reads(status_of(unread_bytes));
}

/* RX-03: the same with single octets, of which each takes a chunk. */
TEST(gaps_between_single_octets_leave_memory_for_what_comes_in_order)
{
    eight_connections(p);
    p->config.small_chunks = 256;
    p->config.large_chunks = 16;
    for (int i = 0; i < 7; i++) {
        on(i);
        establish_active();
        for (int at = 1; at < 1000; at += 2)
            sends(ACK, .seq = IRS + 1 + at, .len = 1);
        peer_forget(p);
    }
    holds(taken(p) <= memory(p) * 3 / 4);
    one_more_receives(p, 7);
}

/* At the row's scale -------------------------------------------------------------------------- */

enum { STRANGERS = 10000, SECOND = 1000 };

static struct siege siege;
static seq_t stranger_iss[STRANGERS];

/* Text of the n-th stranger from so many octets behind its first one. */
static void stranger_sends(struct siege *s, uint32_t n, uint32_t at, uint32_t len)
{
    uint8_t ip[16];
    struct segment seg = {.seq = seq(n * 7919 + 1 + at),
                          .ack = seq_add(stranger_iss[n], 1),
                          .ctl = ACK,
                          .wnd = 64240,
                          .dport = SIEGE_PORT};
    siege_stranger_of(n, ip, &seg.sport);
    siege_hit(s, ip, &seg, len);
}

static uint64_t rounds_of(struct siege *s, uint32_t ms)
{
    uint64_t before = siege_sum(s).rounds;
    siege_run(s, ms);
    return siege_sum(s).rounds - before;
}

/* What is held ahead of gaps is three quarters of the memory at most. */
static void ahead_of_gaps_is_capped(struct siege *s)
{
    struct hf_counters c = siege_counters(s);
    uint64_t all = (uint64_t)s->config.small_chunks * SMALL + s->config.large_chunks * LARGE;
    uint64_t held = (uint64_t)c.small_chunks * SMALL + c.large_chunks * LARGE;
    assert_in_range(held, 1, all * 3 / 4);
    assert_in_range(c.ranges, 1, s->config.max_ranges * 3 / 4);
}

/* How much of its text one stranger knows to be there. */
struct acked {
    uint32_t of, octets;
};

static void notes_ack(struct siege *s, const struct wire_ip *ip, const struct segment *seg,
                      uint32_t len)
{
    struct acked *acked = s->arg;
    uint8_t whose[16];
    uint16_t port;
    (void)len;
    siege_stranger_of(acked->of, whose, &port);
    if (seg && (seg->ctl & ACK) && seg->dport == port && memcmp(ip->dst, whose, 16) == 0)
        acked->octets = seg->ack.v - (acked->of * 7919 + 1);
}

/* RX-03: CVE-2015-1417: ten thousand connections with their first octet missing and the rest of
 * the window there, and then silence. */
static void ten_thousand_gaps_leave_memory_for_what_comes_in_order(void **state)
{
    (void)state;
    struct siege *s = &siege;
    uint32_t n = row_unless_sanitized(STRANGERS, STRANGERS / 10);
    struct acked acked = {0};
    siege_config(s, n + 512);
    s->config.small_chunks = 8192;
    s->config.large_chunks = 256;
    s->backlog = UINT16_MAX;
    siege_begin_with_flows(s);
    uint64_t calm = rounds_of(s, SECOND);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(siege_stranger_connects(s, i));
        stranger_iss[i] = s->last_iss;
        for (uint32_t at = 1; at + 1000 <= WINDOW; at += 1000)
            stranger_sends(s, i, at, 1000);
        siege_flush(s);
        siege_run(s, i % 100 == 99);
        ahead_of_gaps_is_capped(s);
    }
    for (int i = 0; i < 100; i++)
        siege_open(s, 1);
    assert_true(rounds_of(s, SECOND) * 100 >= calm * 95);
    siege_rest(s, 600 * SECOND);
    ahead_of_gaps_is_capped(s);
    assert_true(rounds_of(s, SECOND) * 100 >= calm * 95);
    assert_int_equal(siege_sum(s).done, 100);
    assert_int_equal(siege_sum(s).failed, 0);
    s->seen = notes_ack;
    s->arg = &acked;
    for (acked.of = 0; acked.of < n; acked.of += 100) { /* who fills the gap after all goes on */
        stranger_sends(s, acked.of, 0, 1);
        siege_flush(s);
        siege_run(s, 50);
        assert_in_range(acked.octets, 1, WINDOW);
        acked.octets = 0;
    }
    siege_end(s);
}

/* RX-13: windows that are filled and hardly read do not grow, and fit into what there is. */
TEST(readers_that_hardly_read_leave_memory_for_one_that_does)
{
    eight_connections(p);
    hf_config_default(&p->config, 8);
    p->with.wscale = SHIFT(7);
    for (int i = 0; i < 7; i++) {
        on(i);
        establish_active();
        uint32_t edge = 0;
        for (int n = 0; n < 2000; n++) {
            sends(ACK, .len = 1000);
            p->c->nxt = status_of(rcv_nxt); /* what was refused comes again */
            if (n % 10 == 0) {
                after(1);
                reads(1);
            }
            edge = status_of(rcv_nxt) + status_of(rcv_wnd);
        }
        peer_forget(p);
        holds(edge - p->c->irs <= p->config.policy.receive_window + 1000);
        holds(status_of(unread_bytes) >= 200000);
    }
    holds(taken(p) <= 2 * 7 * (uint64_t)p->config.policy.receive_window);
    holds(taken(p) < memory(p));
    one_more_receives(p, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(a_window_of_single_octets_takes_no_more_memory_than_it_is_wide),
        V4(a_window_of_every_second_octet_takes_no_more_memory_than_it_is_wide),
        V4(a_window_of_single_octets_from_its_end_takes_no_more_memory_than_it_is_wide),
        V4(stretches_a_little_longer_than_a_small_chunk_take_no_large_one_each),
        V4(gaps_that_are_never_filled_leave_memory_for_what_comes_in_order),
        V4(gaps_between_single_octets_leave_memory_for_what_comes_in_order),
        cmocka_unit_test(ten_thousand_gaps_leave_memory_for_what_comes_in_order),
        V4(readers_that_hardly_read_leave_memory_for_one_that_does),
    };
    return cmocka_run_group_tests_name("receive memory", tests, NULL, NULL);
}
