/* RFC 5681 section 3.2, RFC 6582, RFC 6675 and RFC 2018 section 8 row by row: which duplicates
 * count, with SACK and without, and what a receiver short of memory takes back.
 */
#include "common/peer.h"

#define SEGMENT(n) (ISS + 1 + 1000 * ((n)-1))
#define SACKED(from, to)                                                                           \
    {                                                                                              \
        SEGMENT(from), SEGMENT(to)                                                                 \
    }

/* Ten segments of 1000 octets are out, as RFC 6675 and NewReno would have it. */
static void sends_ten(struct peer *p, uint32_t octets)
{
    p->config.policy.congestion = HF_NEWRENO;
    p->config.policy.rack = false;
    p->with.mss = 1000;
    establish_active();
    writes(octets);
    for (int i = 1; i <= 10; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1000);
    expects_silence();
}

/* RFC5681-23, RFC3042-3 */
TEST(with_sack_a_duplicate_without_news_lets_nothing_go)
{
    p->with.sackok = true;
    sends_ten(p, 15000);
    for (int i = 0; i < 5; i++) {
        sends(ACK, .ack = SEGMENT(1));
        expects_silence();
    }
    holds(!status_of(in_recovery));
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 3)});
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 3)}); /* the same once more */
    expects_silence();
}

/* RFC5681-22, RFC3042-2: cwnd is what it was. */
TEST(limited_transmit_leaves_the_window_as_it_is)
{
    sends_ten(p, 15000);
    for (int i = 0; i < 2; i++) {
        sends(ACK, .ack = SEGMENT(1));
        expects(ACK, .len = 1000);
        holds_equal(status_of(cwnd), 10000);
    }
    expects_silence();
}

/* RFC6675-11 */
TEST(a_cumulative_ack_begins_the_count_of_duplicates_anew)
{
    for (int sack = 0; sack < 2; sack++) {
        on(sack);
        p->with.sackok = sack;
        sends_ten(p, 10000);
        for (int i = 0; i < 2; i++)
            sends(ACK, .ack = SEGMENT(1),
                  .sack = {{sack ? SEGMENT(8) : 0, sack ? SEGMENT(8) + 10 * (i + 1) : 0}});
        sends(ACK, .ack = SEGMENT(2));
        for (int i = 0; i < 2; i++)
            sends(ACK, .ack = SEGMENT(2),
                  .sack = {{sack ? SEGMENT(9) : 0, sack ? SEGMENT(9) + 10 * (i + 1) : 0}});
        holds(!status_of(in_recovery));
        expects_silence();
    }
}

/* RFC6675-13: three duplicates are enough, however little they tell. */
TEST(three_acks_that_sack_small_segments_start_recovery)
{
    p->with.sackok = true;
    p->config.policy.congestion = HF_NEWRENO;
    p->config.policy.rack = false;
    p->with.mss = 1000;
    establish_active();
    sets(HF_NODELAY, 1);
    for (int i = 0; i < 6; i++) {
        writes(10);
        expects(ACK, .seq = ISS + 1 + 10 * i, .len = 10);
    }
    for (int i = 1; i <= 3; i++) {
        holds(!status_of(in_recovery));
        expects_silence();
        sends(ACK, .ack = ISS + 1, .sack = {{ISS + 11, ISS + 11 + 10 * i}});
    }
    expects(ACK, .seq = ISS + 1, .len = 10);
    holds(status_of(in_recovery));
}

/* RFC6675-10: blocks count on whatever brings them. */
TEST(sack_blocks_beside_text_are_taken)
{
    p->with.sackok = true;
    sends_ten(p, 10000);
    sends(ACK, .ack = SEGMENT(1), .len = 10, .sack = {SACKED(2, 5)});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    holds(status_of(in_recovery));
}

/* RFC6582-12: what is no duplicate changes nothing of a recovery. */
TEST(a_window_update_in_recovery_leaves_it_alone)
{
    sends_ten(p, 20000);
    for (int i = 0; i < 3; i++)
        sends(ACK, .ack = SEGMENT(1));
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    expects(ACK, .seq = SEGMENT(12), .len = 1000);
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    uint32_t cwnd = status_of(cwnd);
    sends(ACK, .ack = SEGMENT(1), .wnd = 60000);
    expects_silence();
    holds(status_of(in_recovery));
    holds_equal(status_of(cwnd), cwnd);
    sends(ACK, .ack = SEGMENT(3), .wnd = 60000); /* still partial: the next hole */
    expects(ACK, .seq = SEGMENT(3), .len = 1000);
}

/* RFC6675-24, RFC6582-9: after a timeout no recovery begins below what was out then. */
TEST(after_a_timeout_in_recovery_duplicates_below_its_end_start_none)
{
    p->with.sackok = true;
    sends_ten(p, 10000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 5)});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    expects_after(100, 2000, ACK, .seq = SEGMENT(1), .len = 1000);
    holds(!status_of(in_recovery) || status_of(cwnd) == 1000);
    uint32_t ssthresh = status_of(ssthresh);
    for (int i = 5; i <= 7; i++)
        sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, i)});
    peer_forget(p);
    holds_equal(status_of(ssthresh), ssthresh);
    holds(status_of(cwnd) <= 2000);
}

/* RFC 6582 3.2 (1), RFC 3168 6.1.2: a mark sends nothing again, of which duplicates could be
 * echoes; the fast retransmission that they ask for then does, and begins no other one. */
TEST(without_sack_duplicates_behind_a_mark_start_recovery_once)
{
    p->config.policy.congestion = HF_NEWRENO;
    p->config.policy.ecn = HF_ECN_ASK;
    opens();
    expects(SYN | ECE | CWR);
    after(100);
    sends(SYN | ACK | ECE, .seq = IRS, .mss = 1000);
    expects(ACK);
    writes(10000);
    for (int i = 1; i <= 10; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1000);
    after(100);
    sends(ACK | ECE, .ack = SEGMENT(2));
    uint32_t ssthresh = status_of(ssthresh);
    for (int i = 0; i < 3; i++) {
        expects_silence();
        sends(ACK | ECE, .ack = SEGMENT(2));
    }
    expects(ACK, .seq = SEGMENT(2), .len = 1000);
    holds(status_of(in_recovery));
    holds_equal(status_of(ssthresh), ssthresh); /* once for this window */
    sends(ACK, .ack = SEGMENT(11), .len = 10);  /* not read: the record stays */
    expects(ACK);
    holds(!status_of(in_recovery));
    writes(2000);
    expects(ACK | CWR, .seq = SEGMENT(11), .len = 1000);
    expects(ACK, .seq = SEGMENT(12), .len = 1000);
    for (int i = 0; i < 4; i++)
        sends(ACK, .ack = SEGMENT(11));
    expects_silence();
    holds(!status_of(in_recovery));
}

/* RFC6675-25: what the peer says after the timeout is heeded. */
TEST(after_a_timeout_what_is_sacked_anew_is_not_sent_again)
{
    p->with.sackok = true;
    sends_ten(p, 10000);
    expects_after(100, 2000, ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(2), .sack = {SACKED(3, 9)});
    expects(ACK, .seq = SEGMENT(2), .len = 1000);
    sends(ACK, .ack = SEGMENT(9));
    expects(ACK, .seq = SEGMENT(9), .len = 1000);
    expects(ACK, .seq = SEGMENT(10), .len = 1000);
    expects_silence();
}

/* RFC6675-19, RFC6675-20: the end of recovery, and what is known above it. */
TEST(recovery_ends_at_its_point_and_keeps_what_is_sacked_above)
{
    p->with.sackok = true;
    sends_ten(p, 20000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 5)});
    peer_forget(p);
    sends(ACK, .ack = SEGMENT(10) + 999);
    holds(status_of(in_recovery));
    sends(ACK, .ack = SEGMENT(11));
    holds(!status_of(in_recovery));
}

static void repeats_one_for_nothing(struct peer *p)
{
    p->with.sackok = true;
    sends_ten(p, 10000);
    for (int i = 3; i <= 5; i++)
        sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, i)});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    holds(status_of(ssthresh) < 10000);
}

/* RFC2883-6 */
TEST(a_duplicate_that_the_peer_reports_takes_the_reduction_back)
{
    repeats_one_for_nothing(p);
    sends(ACK, .ack = SEGMENT(11), .sack = {SACKED(1, 2)});
    holds(status_of(cwnd) >= 10000);
    holds(!status_of(in_recovery));
}

/* RFC2883-7: its own ACK field says whether a block is a duplicate, not SND.UNA. */
TEST(an_old_ack_that_was_overtaken_reports_no_duplicate)
{
    repeats_one_for_nothing(p);
    sends(ACK, .ack = SEGMENT(11));
    uint32_t cwnd = status_of(cwnd);
    holds(cwnd < 10000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 3)});
    holds_equal(status_of(cwnd), cwnd);
}

/* Of those that wait; the others are taken.  NULL: none waits. */
static struct seen *newest_ack(struct peer *p)
{
    struct seen *seen, *last = NULL;
    while ((seen = peer_take(p, WIRE_PROTO_TCP)) != NULL) {
        if (last)
            peer_taken(p, last);
        last = seen;
    }
    return last;
}

/* RFC2018-16, RFC2018-17, RFC2018-18: a receiver out of memory gives up what it held farthest
 * ahead, and reports it no more; what came last is what is reported. */
TEST(text_given_up_for_want_of_memory_is_reported_no_more)
{
    p->config.small_chunks = 4;
    p->config.small_chunk_bytes = 1024;
    p->config.large_chunks = 2;
    p->with.sackok = true;
    establish_active();
    for (int i = 0; i < 5; i++) /* one piece for each: nearly all there are */
        sends(ACK, .seq = IRS + 40001 + 2000 * i, .len = 1000);
    struct seen *seen, *last = newest_ack(p);
    uint32_t held = status_of(out_of_order_bytes);
    holds(held >= 4000 && last != NULL && last->seg.opt.n_sack >= 3);
    seq_t farthest = last->seg.opt.sack[0].left;
    peer_taken(p, last);
    uint32_t taken = 0;
    while (taken < 39000 && status_of(out_of_order_bytes) == held) {
        sends(ACK, .seq = IRS + 1 + taken, .len = 1000); /* in order, until there is no room */
        taken = status_of(unread_bytes);
    }
    holds(status_of(out_of_order_bytes) < held);
    peer_forget(p);
    sends(ACK, .seq = IRS + 1, .len = 1);
    seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL);
    for (unsigned i = 0; i < seen->seg.opt.n_sack; i++)
        holds(!seq_eq(seen->seg.opt.sack[i].left, farthest));
    peer_taken(p, seen);
}

/* RFC2018-16, RFC2883-1: nor is it as a duplicate, which above the ACK would say that it is held.
 */
TEST(text_given_up_is_not_reported_as_a_duplicate_either)
{
    p->config.small_chunks = 4;
    p->config.small_chunk_bytes = 1024;
    p->config.large_chunks = 2;
    p->with.sackok = true;
    establish_active();
    sends(ACK, .seq = IRS + 40001, .len = 1000);
    peer_forget(p);
    uint32_t taken = 0;
    while (taken < 39000 && status_of(out_of_order_bytes) == 1000) {
        peer_forget(p);
        batch_begins();
        sends(ACK, .seq = IRS + 40001, .len = 1000); /* again */
        sends(ACK, .seq = IRS + 1 + taken, .len = 1000);
        batch_ends();
        taken = status_of(unread_bytes);
    }
    holds_equal(status_of(out_of_order_bytes), 0);
    struct seen *last = newest_ack(p);
    holds(last != NULL && last->seg.opt.n_sack == 0);
    peer_taken(p, last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(with_sack_a_duplicate_without_news_lets_nothing_go),
        V4(limited_transmit_leaves_the_window_as_it_is),
        V4(a_cumulative_ack_begins_the_count_of_duplicates_anew),
        V4(three_acks_that_sack_small_segments_start_recovery),
        V4(sack_blocks_beside_text_are_taken),
        V4(a_window_update_in_recovery_leaves_it_alone),
        V4(after_a_timeout_in_recovery_duplicates_below_its_end_start_none),
        V4(without_sack_duplicates_behind_a_mark_start_recovery_once),
        V4(after_a_timeout_what_is_sacked_anew_is_not_sent_again),
        V4(recovery_ends_at_its_point_and_keeps_what_is_sacked_above),
        V4(a_duplicate_that_the_peer_reports_takes_the_reduction_back),
        V4(an_old_ack_that_was_overtaken_reports_no_duplicate),
        V4(text_given_up_for_want_of_memory_is_reported_no_more),
        V4(text_given_up_is_not_reported_as_a_duplicate_either),
    };
    return cmocka_run_group_tests_name("duplicates", tests, NULL, NULL);
}
