/* scripts_text.c - RFC 9293 section 3.10.7.4 seventh: peers that cut, repeat and mix up their text.
 */
#include "peers/scripts.h"

ACTOR(sends_single_octets_in_reverse_order)
{
    p->with.sackok = true;
    establish_active();
    for (int i = 200; i >= 1; i--)
        sends(ACK, .seq = IRS + i, .len = 1);
    peers_take_all(p);
    reads(200);
    holds_equal(status_of(out_of_order_bytes), 0);
}

/* 100 stretches that never meet: held or dropped, given back in the end. */
ACTOR(leaves_gaps_that_it_never_fills)
{
    p->with.sackok = true;
    establish_active();
    for (int i = 0; i < 100; i++)
        sends(ACK, .seq = IRS + 101 + 200 * i, .len = 100);
    holds(peers_take_all(p) <= 100);
    holds_equal(status_of(unread_bytes), 0);
    holds(status_of(out_of_order_bytes) <= 10000);
    sends(ACK, .seq = IRS + 1, .len = 100);
    reads(200); /* what fills a gap is never refused */
}

ACTOR(overlaps_everything_that_it_has_sent)
{
    establish_active();
    static const int pieces[][2] = {{1, 100},  {51, 100},  {1, 200},   {400, 100}, {350, 200},
                                    {300, 10}, {149, 400}, {100, 100}, {500, 60},  {1, 559}};
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++)
        sends(ACK, .seq = IRS + pieces[i][0], .len = pieces[i][1]);
    peers_take_all(p);
    reads(559);
    holds_equal(status_of(unread_bytes), 0);
    holds_equal(status_of(out_of_order_bytes), 0);
}

/* RFC 2883: each repetition is acknowledged, told as such, and delivered once. */
ACTOR(sends_each_segment_three_times)
{
    p->with.sackok = true;
    establish_active();
    for (int i = 0; i < 10; i++) {
        sends(ACK, .seq = IRS + 1 + 100 * i, .len = 100);
        expects(ACK, .ack = IRS + 101 + 100 * i);
        for (int again = 0; again < 2; again++) {
            sends(ACK, .seq = IRS + 1 + 100 * i, .len = 100);
            expects(ACK, .ack = IRS + 101 + 100 * i,
                    .sack = {{IRS + 1 + 100 * i, IRS + 101 + 100 * i}});
        }
    }
    reads(1000);
    holds_equal(status_of(unread_bytes), 0);
}

/* A.2: acknowledged, not read. */
ACTOR(asks_whether_we_live_with_an_octet_of_garbage)
{
    establish_active();
    for (int i = 0; i < 10; i++) {
        after(1000);
        sends(ACK, .seq = IRS, .len = 1);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    }
    holds_equal(status_of(unread_bytes), 0);
}

/* RFC 6093: a mark and no more; the text stays where it is in the stream. */
ACTOR(points_with_the_urgent_pointer_to_anywhere)
{
    establish_active();
    sends(ACK | URG, .seq = IRS + 1, .len = 10, .up = 60000);
    sends(ACK | URG, .seq = IRS + 11, .len = 10, .up = 1);
    sends(ACK | URG, .seq = IRS + 21, .up = 65535);
    sends(ACK, .seq = IRS + 21, .len = 10, .up = 1234);
    sends(ACK | URG, .seq = IRS + 31, .len = 1, .up = ZERO);
    peers_take_all(p);
    reads(31);
    expects_state(HF_ESTABLISHED);
}

/* What is larger than we have announced is text all the same. */
ACTOR(sends_segments_larger_than_our_mss)
{
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 8000);
    expects(ACK, .ack = IRS + 8001);
    reads(8000);
}

/* The other way round: the last first, thirty segments late. */
ACTOR(turns_the_order_of_its_segments_round)
{
    p->with.sackok = true;
    establish_active();
    for (int i = 29; i >= 0; i--)
        sends(ACK, .seq = IRS + 1 + 1000 * i, .len = 1000);
    peers_take_all(p);
    reads(30000);
}

/* Old text, all of it below RCV.NXT. */
ACTOR(repeats_what_was_read_long_ago)
{
    establish_active();
    sends(ACK, .len = 1000);
    expects(ACK, .ack = IRS + 1001);
    reads(1000);
    for (int i = 0; i < 50; i++) {
        sends(ACK, .seq = IRS + 1 + 10 * i, .len = 500);
        expects(ACK, .ack = IRS + 1001);
    }
    holds_equal(status_of(unread_bytes), 0);
}

/* Nobody reads: the window closes, and what comes against it is not kept. */
ACTOR(sends_on_against_a_closed_window)
{
    p->wild = true;
    p->config.policy.tune_buffers = false;
    establish_active();
    for (int i = 0; i < 400; i++)
        sends(ACK, .seq = IRS + 1 + 1000 * i, .len = 1000);
    peers_take_all(p);
    holds(status_of(unread_bytes) <= 270000);
    holds_equal(status_of(out_of_order_bytes), 0);
    uint32_t nxt = status_of(rcv_nxt);
    sends(ACK, .seq = IRS + 1 + 400000, .len = 1000);
    peers_take_all(p);
    holds_equal(status_of(rcv_nxt), nxt);
}

const struct misbehaviour scripts_text[] = {
    {"sends single octets in reverse order", sends_single_octets_in_reverse_order},
    {"leaves gaps that it never fills", leaves_gaps_that_it_never_fills},
    {"overlaps everything that it has sent", overlaps_everything_that_it_has_sent},
    {"sends each segment three times", sends_each_segment_three_times},
    {"asks whether we live with an octet of garbage",
     asks_whether_we_live_with_an_octet_of_garbage},
    {"points with the urgent pointer to anywhere", points_with_the_urgent_pointer_to_anywhere},
    {"sends segments larger than our MSS", sends_segments_larger_than_our_mss},
    {"turns the order of its segments round", turns_the_order_of_its_segments_round},
    {"repeats what was read long ago", repeats_what_was_read_long_ago},
    {"sends on against a closed window", sends_on_against_a_closed_window},
    {NULL, NULL},
};
