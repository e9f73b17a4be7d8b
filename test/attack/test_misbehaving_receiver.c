/* Receivers whose acknowledgments lie: of what did not arrive, of single octets, a thousand times
 * of nothing, of stretches that cannot be (RFC 5681, 2018, 2883, 6675, 3465).
 *
 * ctest: timeout=300
 */
#include "attack/row.h"
#include "common/peer.h"

#include <string.h>

enum { MSS = 1000, FLIGHT = 20 };
#define SEGMENT(n) (ISS + 1 + MSS * (int64_t)(n))

/* Segments with text that have come out; the peer would acknowledge all of them. */
static uint32_t takes_all(struct peer *p)
{
    uint32_t n = 0;
    peer_pump(p);
    for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
        uint32_t end = seen->seg.seq.v + seen->seg.text_len;
        n += seen->seg.text_len != 0;
        if (seen->seg.text_len && (int32_t)(end - p->c->acks) > 0)
            p->c->acks = end;
        peer_taken(p, seen);
    }
    return n;
}

/* FLIGHT segments of MSS are out, and as many may still go. */
static void sends_a_flight(struct peer *p, bool sack)
{
    p->config.policy.initial_cwnd = FLIGHT;
    p->config.policy.congestion = HF_NEWRENO;
    p->with.mss = MSS;
    p->with.sackok = sack;
    establish_active();
    writes(2 * FLIGHT * MSS);
    for (int i = 0; i < FLIGHT; i++)
        expects(ACK, .seq = SEGMENT(i), .len = MSS);
    expects_silence();
}

/* The peer acknowledges until all of n octets has come; returns segments with text. */
static uint32_t delivers(struct peer *p, uint32_t n)
{
    uint32_t segments = 0, left = n;
    uint32_t rounds = 10000 + n / 1000;
    for (uint32_t round = 0; round < rounds && (left || status_of(queued_bytes)); round++) {
        uint32_t some = left < 50000 ? left : 50000;
        if (status_of(queued_bytes) == 0 && some) {
            writes(some);
            left -= some;
        }
        after(round % 50 == 49 ? 5000 : 1);
        segments += takes_all(p);
        sends(ACK);
    }
    holds(left == 0 && status_of(queued_bytes) == 0);
    return segments;
}

/* TX-01: CVE-2019-11477; more segments in one record than 16 bits count. */
TEST(more_than_65536_segments_sacked_at_once_are_all_counted)
{
    enum { SMALL = 216, N = 65537 };
    p->config.policy.initial_cwnd = 65535;
    p->config.large_chunks = 1200;
    p->with.mss = 48;
    p->with.sackok = true;
    p->with.wscale = SHIFT(14);
    establish_active();
    sets(HF_SEND_BUFFER, 20000000);
    sends(ACK, .wnd = 2000);
    writes((N + 2) * SMALL);
    takes_all(p);
    sends(ACK, .ack = ISS + 1 + 2 * SMALL, .wnd = 2000);
    takes_all(p);
    holds_equal(info_of(unacked), N);
    sends(ACK, .ack = ISS + 1 + 2 * SMALL, .wnd = 2000,
          .sack = {{ISS + 1 + 3 * SMALL, ISS + 1 + (N + 2) * SMALL}});
    holds_equal(info_of(sacked), N - 1);
    expects(ACK, .seq = ISS + 1 + 2 * SMALL, .len = SMALL); /* known as lost at once */
    expects_silence();
    sends(ACK, .ack = ISS + 1 + (N + 2) * SMALL, .wnd = 2000);
    holds_equal(status_of(queued_bytes), 0);
}

/* TX-03: CVE-2019-11479; ruling: below 216 it is 216, and 0 is no MSS at all. */
TEST(a_tiny_mss_makes_no_tiny_segments)
{
    static const struct {
        int offered;
        uint32_t used;
    } mss[] = {{65536, 536}, {1, 216}, {8, 216}, {48, 216}, {88, 216}, {536, 536}};
    const uint32_t octets = row_or(10 << 20, 1000000);
    p->config.max_connections = p->config.max_active = p->config.max_stats = 8;
    for (int i = 0; i < 6; i++) {
        on(i);
        p->with.mss = mss[i].offered; /* 65536 is 0 in the option */
        p->with.wscale = SHIFT(4);
        establish_active();
        holds_equal(status_of(snd_mss), mss[i].offered == 65536 && p->v6 ? 1220 : mss[i].used);
        uint32_t segments = delivers(p, octets);
        uint32_t least = octets / status_of(snd_mss);
        holds(segments >= least && segments <= least + 200);
    }
}

/* TX-06: RFC 9293 3.10.7.4 fifth; what was not sent cannot have arrived. */
TEST(an_ack_of_what_was_not_sent_is_answered_and_moves_nothing)
{
    sends_a_flight(p, true);
    for (int i = 1; i <= 100; i++) {
        sends(ACK, .ack = SEGMENT(FLIGHT) + i * 500);
        after(1);
    }
    peer_forget(p);
    holds_equal(status_of(snd_una), peer_number(p, SEGMENT(0)));
    holds_equal(status_of(cwnd), FLIGHT * MSS);
    holds_equal(status_of(queued_bytes), 2 * FLIGHT * MSS);
    sends(ACK, .ack = SEGMENT(FLIGHT), .len = 10); /* answered, when it has text */
    sends(ACK, .ack = SEGMENT(60), .len = 10);
    holds(takes_all(p) > 0);
    delivers(p, 1000);
}

/* TX-06: who acknowledges ahead of delivery gains no more than octets acknowledged, and nothing
 * where the window is not used (RFC 7661). */
TEST(acknowledging_ahead_of_delivery_gains_octet_for_octet)
{
    sends_a_flight(p, true);
    uint32_t before = status_of(cwnd);
    for (int i = 1; i <= FLIGHT; i++)
        sends(ACK, .ack = SEGMENT(i)); /* at once, all of them lies */
    holds(status_of(cwnd) <= before + FLIGHT * MSS);
    holds(takes_all(p) <= 2 * FLIGHT);
    on(1);
    establish_active();
    for (int i = 0; i < 500; i++) {
        writes(MSS);
        takes_all(p);
        sends(ACK);
    }
    holds(status_of(cwnd) <= 2 * FLIGHT * MSS);
}

/* TX-07: RFC 3465; in slow start and behind it. */
TEST(a_segment_acknowledged_octet_by_octet_counts_as_one_segment)
{
    sends_a_flight(p, false);
    for (int i = 1; i <= MSS; i++)
        sends(ACK, .ack = ISS + 1 + i);
    holds_equal(status_of(cwnd), (FLIGHT + 1) * MSS);
    for (int i = 0; i < 3; i++) /* a loss: congestion avoidance from now on */
        sends(ACK, .ack = SEGMENT(1));
    takes_all(p);
    sends(ACK);
    delivers(p, 500000);
    uint32_t window = status_of(cwnd);
    holds(window >= status_of(ssthresh));
    writes(window);
    uint32_t una = status_of(snd_una);
    takes_all(p);
    for (uint32_t i = 1; i <= MSS; i++)
        sends(ACK, .ack = (int64_t)(una + i));
    holds(status_of(cwnd) <= window + MSS);
}

static void floods_with_duplicates(struct peer *p, bool sack)
{
    sends_a_flight(p, sack);
    uint32_t sent = 0;
    for (int i = 0; i < 10000; i++) {
        sends(ACK, .ack = SEGMENT(0));
        uint32_t burst = takes_all(p);
        holds(burst <= 2);
        sent += burst;
    }
    holds(sent <= (sack ? 0 : FLIGHT + 1));
    holds(status_of(cwnd) <= 2 * FLIGHT * MSS);
    holds(info_of(unacked) <= 2 * FLIGHT);
    p->c->acks = status_of(snd_nxt); /* and who lied goes on like anybody */
    sends(ACK);
    delivers(p, 50000);
}

/* TX-08: RFC 5681 3.2, 6.; a duplicate stands for a segment that has left, and no more were sent.
 * With SACK it has to tell which (RFC 6675 2). */
TEST(ten_thousand_duplicates_let_no_more_go_than_was_in_flight)
{
    floods_with_duplicates(p, false);
    on(1);
    floods_with_duplicates(p, true);
}

/* TX-08 */
TEST(without_rack_ten_thousand_duplicates_that_sack_nothing_let_nothing_go)
{
    p->config.policy.rack = false;
    floods_with_duplicates(p, true);
}

/* TX-08: the same block again and again tells nothing new. */
TEST(ten_thousand_duplicates_of_one_block_let_nothing_more_go)
{
    sends_a_flight(p, true);
    uint32_t sent = 0;
    for (int i = 0; i < 10000; i++) {
        sends(ACK, .ack = SEGMENT(0), .sack = {{SEGMENT(1), SEGMENT(5)}});
        sent += takes_all(p);
    }
    holds(sent <= 6);
    holds_equal(info_of(sacked), 4);
}

/* Edges of a block, from SND.UNA. */
static const int64_t edges[] = {-(INT64_C(1) << 31),
                                -1,
                                0,
                                5 * MSS,
                                12 * MSS,
                                FLIGHT *MSS,
                                FLIGHT *MSS + 1,
                                (INT64_C(1) << 31) - 1,
                                (INT64_C(1) << 31) + MSS};
enum { EDGES = sizeof edges / sizeof *edges };

/* What the scoreboard says of itself, without what counts segments that came. */
static void same_board(struct peer *p, const struct hf_info *before)
{
    struct hf_info now = peer_info(p, p->c->handle);
    holds_equal(now.unacked, before->unacked);
    holds_equal(now.sacked, before->sacked);
    holds_equal(now.lost, before->lost);
    holds_equal(now.retrans, before->retrans);
    holds_equal(now.reordering, before->reordering);
    holds_equal(now.dsack_dups, before->dsack_dups);
    holds_equal(now.snd_cwnd, before->snd_cwnd);
}

/* TX-09: RFC 2018 3, RFC 2883; every pair of edges, each on an untouched scoreboard. */
TEST(blocks_that_cannot_be_change_nothing)
{
    sends_a_flight(p, true);
    struct hf_info before = peer_info(p, p->c->handle);
    for (int l = 0; l < EDGES; l++) {
        for (int r = 0; r < EDGES; r++) {
            int64_t left = edges[l], right = edges[r];
            if (left > 0 && left < right && right <= FLIGHT * MSS)
                continue; /* these can be */
            sends(ACK, .ack = SEGMENT(0), .sack = {{SEGMENT(0) + left, SEGMENT(0) + right}});
            sends(ACK, .ack = SEGMENT(0),
                  .sack = {{SEGMENT(0) + left, SEGMENT(0) + right},
                           {SEGMENT(0) + left, SEGMENT(0) + right},
                           {SEGMENT(0) - 500, SEGMENT(0) - 400}});
            same_board(p, &before);
            expects_silence();
        }
    }
    delivers(p, 1000);
}

/* TX-09: blocks that can be count once, however they overlap, and what is counted is what there is.
 */
TEST(blocks_that_overlap_count_each_segment_once)
{
    sends_a_flight(p, true);
    sends(ACK, .ack = SEGMENT(0),
          .sack = {{SEGMENT(6), SEGMENT(9)},
                   {SEGMENT(5), SEGMENT(8)},
                   {SEGMENT(5), SEGMENT(9)},
                   {SEGMENT(7), SEGMENT(8)}});
    struct hf_info now = peer_info(p, p->c->handle);
    holds_equal(now.sacked, 4);
    takes_all(p);
    sends(ACK, .ack = SEGMENT(0), .sack = {{SEGMENT(1), SEGMENT(FLIGHT)}}); /* all in one */
    takes_all(p);
    now = peer_info(p, p->c->handle);
    holds_equal(now.sacked, FLIGHT - 1);
    holds(now.sacked + now.lost <= now.unacked && now.retrans <= now.lost);
    holds(now.reordering <= FLIGHT);
    sends(ACK, .ack = SEGMENT(0), .sack = {{SEGMENT(3), SEGMENT(8)}}); /* held already */
    takes_all(p);
    holds_equal(info_of(sacked), FLIGHT - 1);
    delivers(p, 1000);
}

/* TX-10: RFC 2018 8; what the peer says it holds is kept until it is acknowledged. */
TEST(text_that_was_sacked_and_dropped_is_sent_again)
{
    sends_a_flight(p, true);
    sends(ACK, .ack = SEGMENT(0), .sack = {{SEGMENT(10), SEGMENT(FLIGHT)}});
    takes_all(p);
    sends(ACK, .ack = SEGMENT(10)); /* and of what lay behind nothing is there any more */
    peer_forget(p);
    holds_equal(status_of(queued_bytes), (2 * FLIGHT - 10) * MSS);
    uint32_t next = peer_number(p, SEGMENT(10)), end = peer_number(p, SEGMENT(2 * FLIGHT));
    for (int round = 0; round < 300 && next != end; round++) {
        after(500);
        for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
            next += seen->seg.seq.v == next ? seen->seg.text_len : 0;
            peer_taken(p, seen);
        }
        sends(ACK, .ack = (int64_t)next);
    }
    holds_equal(next, end);
    holds_equal(status_of(queued_bytes), 0);
}

/* TX-12: CVE-2016-2070, CVE-2018-16523; whatever the peer chooses, a segment carries an octet. */
TEST(no_mss_and_no_window_of_the_peer_is_a_divisor_of_nought)
{
    static const int mss[] = {65536, 1, 11, 12, 13, 65535};
    p->config.max_connections = p->config.max_active = p->config.max_stats = 32;
    p->config.policy.min_mss = 1;
    for (int i = 0; i < 24; i++) {
        on(i % PEER_CONNS);
        new_incarnation(100 + (uint32_t)i * 100000);
        after(10);
        p->with.mss = mss[i / 4];
        p->with.tsval = i & 1 ? 1000 : 0;
        p->with.wnd = i & 2 ? ZERO : 65535;
        establish_active();
        holds(status_of(snd_mss) >= 1);
        if (i & 2) {
            sends(ACK, .wnd = ZERO);
            writes(10);
            after(3000);
            takes_all(p);
            sends(ACK, .ack = ISS + 1);
            takes_all(p);
            sends(ACK);
        }
        delivers(p, 100);
        aborts();
        releases();
        peer_forget(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(more_than_65536_segments_sacked_at_once_are_all_counted),
        BOTH(a_tiny_mss_makes_no_tiny_segments),
        BOTH(an_ack_of_what_was_not_sent_is_answered_and_moves_nothing),
        V4(acknowledging_ahead_of_delivery_gains_octet_for_octet),
        V4(a_segment_acknowledged_octet_by_octet_counts_as_one_segment),
        V4(ten_thousand_duplicates_let_no_more_go_than_was_in_flight),
        V4(without_rack_ten_thousand_duplicates_that_sack_nothing_let_nothing_go),
        V4(ten_thousand_duplicates_of_one_block_let_nothing_more_go),
        V4(blocks_that_cannot_be_change_nothing),
        V4(blocks_that_overlap_count_each_segment_once),
        V4(text_that_was_sacked_and_dropped_is_sent_again),
        V4(no_mss_and_no_window_of_the_peer_is_a_divisor_of_nought),
    };
    return cmocka_run_group_tests_name("misbehaving receiver", tests, NULL, NULL);
}
