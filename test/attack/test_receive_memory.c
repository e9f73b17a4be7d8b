/* What peers can make a receiver keep: tiny segments, gaps that nobody fills, text that nobody
 * reads (RFC 9293 section 3.8.6, RFC 2018 section 8).  Memory is counted as it is taken, by chunks.
 */
#include "common/peer.h"

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
        V4(readers_that_hardly_read_leave_memory_for_one_that_does),
    };
    return cmocka_run_group_tests_name("receive memory", tests, NULL, NULL);
}
