/* The seventh step: reassembly, delayed ACKs, the window, SACK blocks. */
#include "tcp_block.h"

static const struct block_size usual = {
    .small = 400, .small_bytes = 128, .large = 60, .pieces = 64, .ranges = 300, .tokens = 4};

static uint8_t octets[65536];

/* An acceptable, trimmed segment, as the eight steps hand it on. */
static bool arrives(struct bench *t, uint32_t at, const uint8_t *text, uint32_t len)
{
    struct segment seg = {
        .seq = seq(at), .ctl = ACK, .text = text, .text_len = len, .len = len, .packets = 1};
    tcp_trim(t->tcb, &seg);
    return tcp_process_text(&t->tcp, t->tcb, &seg);
}

/* The ACK owed has gone, as output.c does it. */
static void ack_leaves(struct bench *t)
{
    struct active *active = active_of(&t->tcp, t->tcb);
    t->tcb->owes &= (uint16_t) ~(HF_OWES_ACK | HF_OWES_DELAYED_ACK | OWES_WINDOW);
    if (active) {
        active->delack_at_ms = active->unacked_bytes = active->dsack = 0;
    }
}

static struct active *queue_of(struct bench *t)
{
    return active_of(&t->tcp, t->tcb);
}

static void begin(struct bench *t, uint32_t flags, uint32_t rcv_nxt, uint32_t rcv_buf)
{
    bench_begin(t, &usual);
    bench_connection(t, flags, rcv_nxt, rcv_buf);
}

/* Any segments in any order, each copy of an octet another one: the first copy of each is read, and
 * what is counted is what a model counts. */
static void overlaps_keep_the_first_copy(uint32_t seed)
{
    enum { STREAM = 30000, WINDOW = 8000 };
    static uint8_t first[STREAM];
    static bool here[STREAM];
    struct bench t;
    uint32_t start = seed * 0x10000000u - 10000; /* also across 0 */
    memset(here, 0, sizeof here);
    begin(&t, seed % 2 ? F_SACK : 0, start, WINDOW);
    uint32_t nxt = 0, read = 0;
    while (read < STREAM) {
        uint32_t window = t.tcb->rcv.wnd;
        uint32_t at = nxt + bench_random(&seed, window + 1);
        at -= min_u32(at, bench_random(&seed, 500));
        uint32_t len = min_u32(1 + bench_random(&seed, 1200), STREAM - min_u32(at, STREAM - 1));
        at = min_u32(at, STREAM - 1);
        uint8_t text[1200];
        for (uint32_t i = 0; i < len; i++) {
            text[i] = (uint8_t)bench_random(&seed, 256);
        }
        for (uint32_t i = 0; i < len; i++) {
            if (at + i >= nxt && at + i < nxt + window && !here[at + i]) {
                here[at + i] = true;
                first[at + i] = text[i];
            }
        }
        bool inside = at + len > nxt && at < nxt + window;
        if (inside) {
            assert_true(arrives(&t, start + at, text, len));
        }
        while (nxt < STREAM && here[nxt]) {
            nxt++;
        }
        uint32_t ahead = 0;
        for (uint32_t i = nxt; i < STREAM; i++) {
            ahead += here[i];
        }
        assert_int_equal(t.tcb->rcv.nxt.v, start + nxt);
        if (queue_of(&t)) {
            assert_int_equal(queue_of(&t)->rq_bytes, nxt - read);
            assert_int_equal(queue_of(&t)->ooo_bytes, ahead);
        }
        uint8_t back[3000];
        uint32_t most = bench_random(&seed, 2) ? bench_random(&seed, sizeof back) : 0;
        int64_t got = tcp_read(&t.tcp, t.tcb, back, most);
        assert_int_equal(got, min_u32(most, nxt - read));
        assert_memory_equal(back, first + read, (size_t)got);
        read += (uint32_t)got;
        uint32_t edge = start + nxt + t.tcb->rcv.wnd;
        tcp_update_window(&t.tcp, t.tcb);
        assert_true((int32_t)(start + nxt + t.tcb->rcv.wnd - edge) >= 0);
        assert_true(t.tcb->rcv.wnd + (nxt - read) <= WINDOW);
    }
    assert_int_equal(t.b->ranges.used, 0);
    assert_int_equal(t.b->small.used + t.b->large.used, 0);
    bench_end(&t);
}

static void the_first_copy_of_each_octet_is_delivered_once(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 30; seed++) {
        overlaps_keep_the_first_copy(seed);
    }
}

static void lent_text_is_delivered_where_it_lies_and_given_back(void **state)
{
    (void)state;
    struct bench t;
    uint8_t memory[4000], back[3000];
    uint64_t token;
    begin(&t, 0, 100, 50000);
    for (uint32_t i = 0; i < sizeof memory; i++) {
        memory[i] = (uint8_t)(i * 3 + i / 256);
    }
    bench_region(&t, memory, sizeof memory);
    t.tcp.lent.lent = tcp_lent_new(&t.tcp, 1, 77, NULL);
    t.tcp.lent.offset = 500;
    assert_true(arrives(&t, 2100, memory + 2500, 1000)); /* ahead of a gap */
    assert_true(arrives(&t, 100, memory + 500, 2500));   /* overlaps its half */
    tcp_lent_unref(&t.tcp, t.tcp.lent.lent);
    t.tcp.lent.lent = 0;
    assert_int_equal(t.b->small.used + t.b->large.used, 0);
    assert_int_equal(tcp_returned(&t.tcp, &token, 1), 0);
    assert_int_equal(tcp_read(&t.tcp, t.tcb, back, 3000), 3000);
    assert_memory_equal(back, memory + 500, 3000);
    assert_int_equal(tcp_returned(&t.tcp, &token, 1), 1);
    assert_int_equal(token, 77);
    bench_end(&t);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    struct bench t;
    uint32_t chunk[1000], n = 0;
    begin(&t, F_SACK, 100, 50000);
    while ((chunk[n] = tcp_chunk_new(&t.tcp, 1, CHUNK_TO_READ)) != 0) {
        n++;
    }
    assert_false(arrives(&t, 100, octets, 1000));
    assert_int_equal(t.b->actives.used, 0);
    assert_false(arrives(&t, 5000, octets, 1000));
    assert_int_equal(t.tcb->rcv.nxt.v, 100);
    assert_int_equal(t.b->ranges.used, 0);
    assert_true(t.tcb->owes & HF_OWES_ACK); /* RFC 5681 4.2 */
    assert_int_equal(t.b->actives.used, 1); /* for as long as that is owed */
    tcp_chunk_free_now(&t.tcp, chunk[0]);   /* small chunks have the lowest numbers: 128 octets */
    assert_true(arrives(&t, 100, octets, 1000));
    assert_int_equal(t.tcb->rcv.nxt.v, 228); /* as much as fits, from the left */
    bench_end(&t);
}

/* SegmentSmack: tiny segments with gaps between them must not cost more and more. */
static void not_more_than_1024_ranges_are_held(void **state)
{
    (void)state;
    static const struct block_size many = {
        .small = 1400, .small_bytes = 128, .large = 60, .pieces = 64, .ranges = 1100, .tokens = 4};
    struct bench t;
    bench_begin(&t, &many);
    bench_connection(&t, F_SACK, 100, 100000);
    for (uint32_t i = 0; i < 1024; i++) {
        assert_true(arrives(&t, 110 + 10 * i, octets, 5));
    }
    assert_false(arrives(&t, 110 + 10240, octets, 5));
    assert_true(arrives(&t, 100, octets, 10)); /* fills the first gap */
    assert_true(arrives(&t, 110 + 10240, octets, 5));
    bench_end(&t);
}

/* RFC 9293 3.8.6.3, RFC 5681 4.2 */
static void every_second_full_segment_is_acknowledged_at_once(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, 0, 100, 50000);
    assert_true(arrives(&t, 100, octets, BENCH_MSS));
    assert_false(t.tcb->owes & HF_OWES_ACK);
    assert_int_equal(queue_of(&t)->delack_at_ms, 1000 + 40);
    bench_time(&t, 1020);
    assert_true(arrives(&t, 1100, octets, 1));
    assert_true(t.tcb->owes & HF_OWES_ACK);
    ack_leaves(&t);
    assert_true(arrives(&t, 1101, octets, 10));
    bench_time(&t, 1030);
    assert_true(arrives(&t, 1111, octets, 10)); /* small ones wait, and not longer for the second */
    assert_false(t.tcb->owes & HF_OWES_ACK);
    assert_int_equal(queue_of(&t)->delack_at_ms, 1020 + 40);
    bench_end(&t);
}

static void the_first_segments_are_acknowledged_at_once(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, 0, 100, 50000);
    t.tcb->quick_acks = 2;
    for (uint32_t i = 0; i < 3; i++) {
        ack_leaves(&t);
        assert_true(arrives(&t, 100 + 10 * i, octets, 10));
        assert_int_equal(t.tcb->owes & HF_OWES_ACK, i < 2 ? HF_OWES_ACK : 0);
    }
    ack_leaves(&t);
    t.tcb->flags |= F_QUICK_ACK;
    assert_true(arrives(&t, 130, octets, 10));
    assert_true(t.tcb->owes & HF_OWES_ACK);
    bench_end(&t);
}

/* RFC5681-18 */
static void text_ahead_of_a_gap_and_what_fills_it_is_acknowledged_at_once(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, 0, 100, 50000);
    assert_true(arrives(&t, 200, octets, 50));
    assert_true(arrives(&t, 260, octets, 50));
    assert_true(t.tcb->owes & HF_OWES_ACK);
    assert_int_equal(queue_of(&t)->dup_owed, 2); /* without SACK the sender counts them */
    ack_leaves(&t);
    assert_true(arrives(&t, 100, octets, 20));
    assert_true(t.tcb->owes & HF_OWES_ACK);
    ack_leaves(&t);
    assert_true(arrives(&t, 120, octets, 80));
    assert_true(t.tcb->owes & HF_OWES_ACK);
    assert_int_equal(t.tcb->rcv.nxt.v, 250);
    bench_end(&t);
}

/* RFC 9293 3.8.6.2.2 */
static void the_window_opens_in_steps_and_never_shrinks(void **state)
{
    (void)state;
    struct bench t;
    uint8_t back[20000];
    begin(&t, 0, 100, 10000);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(arrives(&t, 100 + 1000 * i, octets, 1000));
    }
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 0);
    tcp_read(&t.tcp, t.tcb, back, 999);
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 0); /* less than a segment */
    tcp_read(&t.tcp, t.tcb, back, 1);
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 1000);
    tcp_read(&t.tcp, t.tcb, back, 9000);
    t.tcb->rcv_buf = 500; /* HF_RECEIVE_WINDOW lowered: what was promised stays */
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 1000);
    assert_true(arrives(&t, 10100, octets, 1000));
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 0);
    tcp_read(&t.tcp, t.tcb, back, 1000);
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 500); /* half the buffer is enough */
    bench_end(&t);
}

static void a_window_update_is_owed_when_the_peer_may_wait_for_it(void **state)
{
    (void)state;
    struct bench t;
    uint8_t back[20000];
    begin(&t, 0, 100, 10000);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(arrives(&t, 100 + 1000 * i, octets, 1000));
    }
    ack_leaves(&t);
    tcp_read(&t.tcp, t.tcb, back, 500);
    tcp_window_opened(&t.tcp, t.tcb);
    assert_false(t.tcb->owes & OWES_WINDOW);
    tcp_read(&t.tcp, t.tcb, back, 500);
    tcp_window_opened(&t.tcp, t.tcb); /* it was closed */
    assert_true(t.tcb->owes & OWES_WINDOW);
    tcp_update_window(&t.tcp, t.tcb);
    ack_leaves(&t);
    tcp_read(&t.tcp, t.tcb, back, 1000);
    tcp_window_opened(&t.tcp, t.tcb); /* a segment is allowed already */
    assert_false(t.tcb->owes & OWES_WINDOW);
    tcp_read(&t.tcp, t.tcb, back, 8000);
    tcp_window_opened(&t.tcp, t.tcb);
    assert_true(t.tcb->owes & OWES_WINDOW);
    bench_end(&t);
}

/* RFC 7323 2.3 */
static void a_scaled_window_is_a_multiple_and_an_unscaled_one_fits_the_field(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_WSCALE, 100, 0);
    t.tcb->rcv_wscale = 8;
    t.tcb->rcv_buf = 270000;
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 270000 / 256 * 256);
    t.tcb->rcv_buf = 1u << 30;
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 65535u << 8);
    t.tcb->rcv.wnd = 0;
    t.tcb->rcv_buf = 100; /* less than the unit: the peer must be able to send */
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 256);
    t.tcb->rcv.wnd = 255; /* 0 in the header */
    t.tcb->rcv_buf = 600;
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 512);
    t.tcb->flags = 0;
    t.tcb->rcv_wscale = 0;
    t.tcb->rcv_buf = 270000;
    assert_int_equal(tcp_update_window(&t.tcp, t.tcb), 65535);
    bench_end(&t);
}

static void reading_past_the_urgent_mark_clears_it(void **state)
{
    (void)state;
    struct bench t;
    uint8_t back[10];
    begin(&t, 0, 100, 10000);
    assert_true(arrives(&t, 100, octets, 10));
    t.tcb->flags |= F_URGENT;
    queue_of(&t)->rcv_up = seq(105); /* MUST-62: behind the urgent octet 104 */
    tcp_read(&t.tcp, t.tcb, back, 4);
    assert_true(t.tcb->flags & F_URGENT);
    tcp_read(&t.tcp, t.tcb, NULL, 1);
    assert_false(t.tcb->flags & F_URGENT);
    bench_end(&t);
}

/* What the next ACK says: RCV.NXT, and pairs of edges. */
static void says(struct bench *t, uint32_t ack, uint32_t n, const uint32_t edges[][2])
{
    struct tcp_options opt = {0};
    assert_int_equal(t->tcb->rcv.nxt.v, ack);
    tcp_fill_sack(&t->tcp, t->tcb, &opt);
    assert_int_equal(opt.n_sack, n);
    assert_int_equal(opt.present & OPT_SACK, n ? OPT_SACK : 0);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(opt.sack[i].left.v, edges[i][0]);
        assert_int_equal(opt.sack[i].right.v, edges[i][1]);
    }
    ack_leaves(t);
}

/* RFC 2018 8, Case 2: the first of eight segments is dropped. */
static void rfc2018_case_2(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK, 5000, 50000);
    for (uint32_t at = 5500; at < 9000; at += 500) {
        assert_true(arrives(&t, at, octets, 500));
        says(&t, 5000, 1, (const uint32_t[][2]){{5500, at + 500}});
    }
    bench_end(&t);
}

/* RFC 2018 8, Case 3: the second, fourth, sixth and eighth are dropped; then they come late. */
static void rfc2018_case_3(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK, 5000, 50000);
    assert_true(arrives(&t, 5000, octets, 500));
    says(&t, 5500, 0, NULL);
    assert_true(arrives(&t, 6000, octets, 500));
    says(&t, 5500, 1, (const uint32_t[][2]){{6000, 6500}});
    assert_true(arrives(&t, 7000, octets, 500));
    says(&t, 5500, 2, (const uint32_t[][2]){{7000, 7500}, {6000, 6500}});
    assert_true(arrives(&t, 8000, octets, 500));
    says(&t, 5500, 3, (const uint32_t[][2]){{8000, 8500}, {7000, 7500}, {6000, 6500}});
    assert_true(arrives(&t, 6500, octets, 500));
    says(&t, 5500, 2, (const uint32_t[][2]){{6000, 7500}, {8000, 8500}});
    assert_true(arrives(&t, 5500, octets, 500));
    says(&t, 7500, 1, (const uint32_t[][2]){{8000, 8500}});
    bench_end(&t);
}

static void at_most_four_blocks_go_and_three_beside_timestamps(void **state)
{
    (void)state;
    struct bench t;
    for (uint32_t ts = 0; ts < 2; ts++) {
        begin(&t, F_SACK | (ts ? F_TS : 0), 1000, 50000);
        for (uint32_t i = 1; i <= 6; i++) {
            assert_true(arrives(&t, 1000 + 1000 * i, octets, 500));
        }
        says(&t, 1000, ts ? 3 : 4,
             (const uint32_t[][2]){{7000, 7500}, {6000, 6500}, {5000, 5500}, {4000, 4500}});
        bench_end(&t);
    }
}

/* RFC 2883 4.1 and 4.2: the duplicate first, then the block it lies in.  RFC2883-1, RFC2883-2 */
static void rfc2883_the_duplicate_is_reported_first_and_once(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK, 4000, 50000);
    assert_true(arrives(&t, 4500, octets, 1000));
    says(&t, 4000, 1, (const uint32_t[][2]){{4500, 5500}});
    assert_true(arrives(&t, 5000, octets, 500)); /* held already */
    says(&t, 4000, 2, (const uint32_t[][2]){{5000, 5500}, {4500, 5500}});
    assert_true(arrives(&t, 6000, octets, 500));
    says(&t, 4000, 2, (const uint32_t[][2]){{6000, 6500}, {4500, 5500}});
    assert_true(arrives(&t, 4000, octets, 500));
    tcp_note_dsack(&t.tcp, t.tcb, seq(3500), seq(4000)); /* old: the first step found it */
    says(&t, 5500, 2, (const uint32_t[][2]){{3500, 4000}, {6000, 6500}});
    says(&t, 5500, 1, (const uint32_t[][2]){{6000, 6500}});
    bench_end(&t);
}

/* RFC 9293 3.10.7.4: actual segments are tailored "by trimming off any portions that lie outside
 * the window (including SYN and FIN)". */
static void what_lies_outside_the_window_is_trimmed_from_both_ends_of_a_segment(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, 0, 1000, 200);
    struct segment seg = {
        .seq = seq(990), .ctl = ACK | PSH | FIN, .text = octets, .text_len = 250, .len = 251};
    tcp_trim(t.tcb, &seg);
    assert_int_equal(seg.seq.v, 1000);
    assert_ptr_equal(seg.text, octets + 10);
    assert_int_equal(seg.text_len, 200);
    assert_int_equal(seg.len, 200);
    assert_int_equal(seg.ctl & FIN, 0);
    bench_end(&t);
}

/* RFC2883-1: what is dropped has not come twice. */
static void a_segment_that_is_refused_for_want_of_memory_reports_no_duplicate(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK, 4000, 50000);
    assert_true(arrives(&t, 5000, octets, 128));
    while (tcp_chunk_new(&t.tcp, 1, CHUNK_TO_READ) != 0) {
    }
    assert_false(arrives(&t, 5000, octets, 1128));
    says(&t, 4000, 1, (const uint32_t[][2]){{5000, 5128}});
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_copy_of_each_octet_is_delivered_once),
        cmocka_unit_test(lent_text_is_delivered_where_it_lies_and_given_back),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(not_more_than_1024_ranges_are_held),
        cmocka_unit_test(every_second_full_segment_is_acknowledged_at_once),
        cmocka_unit_test(the_first_segments_are_acknowledged_at_once),
        cmocka_unit_test(text_ahead_of_a_gap_and_what_fills_it_is_acknowledged_at_once),
        cmocka_unit_test(the_window_opens_in_steps_and_never_shrinks),
        cmocka_unit_test(a_window_update_is_owed_when_the_peer_may_wait_for_it),
        cmocka_unit_test(a_scaled_window_is_a_multiple_and_an_unscaled_one_fits_the_field),
        cmocka_unit_test(reading_past_the_urgent_mark_clears_it),
        cmocka_unit_test(rfc2018_case_2),
        cmocka_unit_test(rfc2018_case_3),
        cmocka_unit_test(at_most_four_blocks_go_and_three_beside_timestamps),
        cmocka_unit_test(rfc2883_the_duplicate_is_reported_first_and_once),
        cmocka_unit_test(what_lies_outside_the_window_is_trimmed_from_both_ends_of_a_segment),
        cmocka_unit_test(a_segment_that_is_refused_for_want_of_memory_reports_no_duplicate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
