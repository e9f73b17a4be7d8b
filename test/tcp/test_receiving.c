/* RFC 9293 sections 3.8.6.2.2, 3.8.6.3, 3.10.7.4 seventh; RFC 2018, 2883: ACKs, the receive window,
 * text out of order, SACK blocks. */
#include "common/peer.h"

/* MUST-40, SHLD-18, RFC5681-30, RFC5681-31 */
TEST(the_first_16_segments_are_acknowledged_at_once_and_later_ones_after_40_ms)
{
    establish_active();
    for (int i = 0; i < 16; i++) {
        sends(ACK, .len = 100);
        expects(ACK, .ack = IRS + 101 + 100 * i);
    }
    sends(ACK, .len = 100);
    expects_after(38, 43, ACK, .ack = IRS + 1701);
}

/* SHLD-19, RFC5681-30 */
TEST(every_second_full_segment_is_acknowledged_at_once)
{
    p->config.policy.quick_acks = 0;
    establish_active();
    for (int i = 0; i < 4; i++) {
        sends(ACK, .len = 1460);
        expects_silence();
        sends(ACK, .len = 1460);
        expects(ACK, .ack = IRS + 1 + 2920 * (i + 1));
    }
}

TEST(text_that_we_send_carries_the_delayed_ack)
{
    p->config.policy.quick_acks = 0;
    establish_active();
    sends(ACK, .len = 100);
    expects_silence();
    after(20);
    writes(50);
    expects(ACK, .len = 50, .ack = IRS + 101);
    after(100);
    expects_silence();
}

TEST(with_the_option_every_ack_is_quick)
{
    p->config.policy.quick_acks = 0;
    establish_active();
    sets(HF_QUICK_ACK, 1);
    for (int i = 0; i < 3; i++) {
        sends(ACK, .len = 10);
        expects(ACK, .ack = IRS + 11 + 10 * i);
    }
}

/* MAY-13, RFC5681-17, RFC6582-11, RFC2018-4 */
TEST(text_ahead_of_a_gap_is_acknowledged_at_once_each_time)
{
    p->config.policy.quick_acks = 0;
    establish_active();
    for (int i = 1; i <= 3; i++) {
        sends(ACK, .seq = IRS + 1 + 100 * i, .len = 100);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .no_sack = true);
    }
    sends(ACK, .seq = IRS + 1, .len = 100); /* fills the gap */
    expects(ACK, .ack = IRS + 401);
    reads(400);
}

/* RFC5681-32 */
TEST(one_ack_for_each_segment_held_also_when_they_come_together)
{
    establish_active();
    batch_begins();
    for (int i = 1; i <= 3; i++)
        sends(ACK, .seq = IRS + 1 + 100 * i, .len = 100);
    batch_ends();
    for (int i = 0; i < 3; i++) /* the sender counts duplicates */
        expects(ACK, .ack = IRS + 1);
    expects_silence();
}

/* ... and when the device has joined them to one frame. */
TEST(one_ack_for_each_segment_held_of_a_super_segment)
{
    establish_active();
    sends(ACK, .seq = IRS + 1001, .len = 4500, .gso = 1000);
    for (int i = 0; i < 5; i++)
        expects(ACK, .ack = IRS + 1);
    expects_silence();
    sends(ACK, .seq = IRS + 1, .len = 1000);
    expects(ACK, .ack = IRS + 5501);
    expects_silence();
}

/* RFC 5681 4.2: the sender counts what arrives, whether there is room for it or not. */
TEST(text_ahead_of_a_gap_that_finds_no_room_is_acknowledged_too)
{
    p->config.max_ranges = 1;
    for (int sack = 0; sack < 2; sack++) {
        on(sack);
        p->with.sackok = sack;
        establish_active();
        for (int i = 1; i <= 4; i++) {
            sends(ACK, .seq = IRS + 1 + 2000 * i, .len = 1000);
            expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
        }
        expects_silence();
    }
    holds_equal(status_of(out_of_order_bytes), 0); /* the other one has the record */
    after(1000);
    expects_silence();
}

/* RFC 5681 4.2: duplicates are for what is ahead of a gap, not for what it was before.  Segments of
 * 1000 octets, none of them the first, then that one, together; returns the ACKs of `ack`. */
static int acks_when_the_first_is_last(struct peer *p, int n, const int *segments, int64_t ack)
{
    establish_active();
    batch_begins();
    for (int i = 0; i < n; i++)
        sends(ACK, .seq = IRS + 1 + 1000 * (segments[i] - 1), .len = 1000);
    sends(ACK, .seq = IRS + 1, .len = 1000);
    batch_ends();
    int acks = 0;
    while (p->n_seen != 0) {
        expects(ACK, .ack = ack);
        acks++;
    }
    return acks;
}

TEST(a_gap_that_is_filled_with_what_was_ahead_of_it_owes_no_duplicates)
{
    static const int ahead[] = {2, 3, 4, 5};
    holds_equal(acks_when_the_first_is_last(p, 4, ahead, IRS + 5001), 1);
}

TEST(what_is_ahead_of_the_next_gap_is_told_by_as_many_duplicates)
{
    static const int ahead[] = {2, 3, 4, 6};
    holds_equal(acks_when_the_first_is_last(p, 4, ahead, IRS + 4001), 2);
    on(1);
    static const int more[] = {3, 4, 5, 6};
    holds_equal(acks_when_the_first_is_last(p, 4, more, IRS + 1001), 4);
}

/* RFC2018-6, RFC2018-8 */
TEST(sack_blocks_tell_what_is_held_the_newest_first)
{
    p->with.sackok = true;
    establish_active();
    sends(ACK, .seq = IRS + 201, .len = 100);
    expects(ACK, .ack = IRS + 1, .sack = {{IRS + 201, IRS + 301}}, .options = "nop,nop,sack");
    sends(ACK, .seq = IRS + 601, .len = 100);
    expects(ACK, .sack = {{IRS + 601, IRS + 701}, {IRS + 201, IRS + 301}});
    sends(ACK, .seq = IRS + 401, .len = 100);
    expects(ACK, .sack = {{IRS + 401, IRS + 501}, {IRS + 601, IRS + 701}, {IRS + 201, IRS + 301}});
    sends(ACK, .seq = IRS + 301, .len = 100); /* joins two */
    expects(ACK, .sack = {{IRS + 201, IRS + 501}, {IRS + 601, IRS + 701}});
    sends(ACK, .seq = IRS + 1, .len = 200);
    expects(ACK, .ack = IRS + 501, .sack = {{IRS + 601, IRS + 701}});
    sends(ACK, .seq = IRS + 501, .len = 100);
    expects(ACK, .ack = IRS + 701, .no_sack = true);
    reads(700);
}

/* RFC2018-7, RFC2018-8 */
TEST(there_are_at_most_four_sack_blocks_and_three_beside_timestamps)
{
    for (int ts = 0; ts < 2; ts++) {
        on(ts);
        p->with.sackok = true;
        p->with.tsval = ts ? 1 : 0;
        establish_active();
        for (int i = 1; i <= 5; i++) {
            sends(ACK, .seq = IRS + 1 + 200 * i, .len = 100);
            if (i < 5)
                expects(ACK, .ack = IRS + 1);
        }
        if (ts)
            expects(
                ACK, .options = "nop,nop,TS,nop,nop,sack",
                .sack = {{IRS + 1001, IRS + 1101}, {IRS + 801, IRS + 901}, {IRS + 601, IRS + 701}});
        else
            expects(ACK, .sack = {{IRS + 1001, IRS + 1101},
                                  {IRS + 801, IRS + 901},
                                  {IRS + 601, IRS + 701},
                                  {IRS + 401, IRS + 501}});
    }
}

/* RFC2883-1, RFC2883-3 */
TEST(a_duplicate_is_reported_as_the_first_block)
{
    p->with.sackok = true;
    establish_active();
    sends(ACK, .len = 300);
    expects(ACK, .ack = IRS + 301);
    sends(ACK, .seq = IRS + 101, .len = 100); /* RFC 2883: all of it again */
    expects(ACK, .ack = IRS + 301, .sack = {{IRS + 101, IRS + 201}});
    sends(ACK, .seq = IRS + 401, .len = 100);
    expects(ACK, .sack = {{IRS + 401, IRS + 501}});
    sends(ACK, .seq = IRS + 401, .len = 100); /* again, and it is held */
    expects(ACK, .ack = IRS + 301, .sack = {{IRS + 401, IRS + 501}, {IRS + 401, IRS + 501}});
}

/* RFC 2883 4.2: what is old of it, though the rest is taken */
TEST(text_that_is_old_in_part_is_reported_as_a_duplicate)
{
    p->with.sackok = true;
    establish_active();
    sends(ACK, .len = 100);
    expects(ACK, .ack = IRS + 101);
    sends(ACK, .seq = IRS + 51, .len = 100);
    expects(ACK, .ack = IRS + 151, .sack = {{IRS + 51, IRS + 101}});
    reads(150);
}

/* RFC2018-2 */
TEST(without_sack_permitted_there_is_never_a_sack_option)
{
    p->config.policy.sack = false;
    p->with.sackok = true;
    establish_passive();
    sends(ACK, .seq = IRS + 201, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 1, .options = "");
}

/* */
TEST(text_that_overlaps_is_delivered_once)
{
    establish_active();
    sends(ACK, .len = 100);
    expects(ACK, .ack = IRS + 101);
    sends(ACK, .seq = IRS + 51, .len = 100); /* half old, half new */
    expects(ACK, .ack = IRS + 151);
    sends(ACK, .seq = IRS + 301, .len = 100);
    expects(ACK, .ack = IRS + 151);
    sends(ACK, .seq = IRS + 251, .len = 200); /* around what is held */
    expects(ACK, .ack = IRS + 151);
    sends(ACK, .seq = IRS + 151, .len = 150); /* into what is held */
    expects(ACK, .ack = IRS + 451);
    reads(450);
    reads_result(HF_ERR_WOULD_BLOCK);
}

/* SHLD-31 */
TEST(segments_in_any_order_are_put_together)
{
    uint32_t random = 7;
    p->with.sackok = true;
    establish_active();
    for (int round = 0; round < 20; round++) {
        uint32_t base = (uint32_t)p->c->read;
        for (int i = 0; i < 40; i++) {
            random = random * 1664525 + 1013904223;
            uint32_t at = (random >> 8) % 1900, len = 1 + (random >> 20) % 100;
            sends(ACK, .seq = IRS + 1 + base + at, .len = len);
        }
        sends(ACK, .seq = IRS + 1 + base, .len = 2000);
        peer_forget(p);
        reads(2000);
        holds_equal(status_of(rcv_nxt), peer_number(p, IRS + 1 + base + 2000));
        holds_equal(status_of(out_of_order_bytes), 0);
    }
}

/* MUST-39 */
TEST(the_window_closes_as_text_stays_unread_and_opens_in_steps_worth_a_segment)
{
    p->config.policy.receive_window = 5000;
    establish_active();
    sends(ACK, .len = 1460);
    expects(ACK, .window = 3540);
    sends(ACK, .len = 1460);
    expects(ACK, .window = 2080);
    sends(ACK, .len = 2080);
    expects(ACK, .ack = IRS + 5001, .wnd = ZERO);
    sends(ACK, .seq = IRS + 5001, .len = 1); /* a probe */
    expects(ACK, .ack = IRS + 5001, .wnd = ZERO);
    reads(1000);
    expects_silence(); /* SHLD-16: not worth it */
    reads(460);
    expects(ACK, .ack = IRS + 5001, .window = 1460);
    reads(3540);
    expects(ACK, .ack = IRS + 5001, .window = 5000);
}

TEST(text_beyond_the_window_is_cut_off)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 1400);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    reads(1000);
    expects(ACK, .window = 1000);
    sends(ACK, .seq = IRS + 1001, .len = 400);
    expects(ACK, .ack = IRS + 1401);
    reads(400);
}

/* */
TEST(a_closed_window_takes_ack_and_reset_but_no_text)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    sends(ACK, .len = 1000);
    expects(ACK, .wnd = ZERO);
    writes(50);
    expects(ACK, .len = 50);
    sends(ACK, .seq = IRS + 1001, .ack = ISS + 51, .len = 20); /* MUST-66 */
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    holds_equal(status_of(queued_bytes), 0);
    sends(RST, .seq = IRS + 1001);
    expects_closed(HF_ERR_RESET);
    reads(1000);
}

TEST(a_bare_fin_is_taken_by_a_closed_window)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    sends(ACK, .len = 1000);
    expects(ACK, .wnd = ZERO);
    sends(FIN | ACK, .seq = IRS + 1001);
    expects(ACK, .ack = IRS + 1002, .wnd = ZERO);
    expects_state(HF_CLOSE_WAIT);
    reads(1000);
    reads_result(0);
}

/* the text behind it came first, and RCV.NXT has passed it. */
TEST(a_fin_below_text_that_came_before_it_is_none)
{
    establish_active();
    sends(ACK, .seq = IRS + 101, .len = 100);
    expects(ACK, .ack = IRS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .len = 150);
    expects(ACK, .ack = IRS + 201);
    expects_state(HF_ESTABLISHED);
    reads(200);
    sends(FIN | ACK, .seq = IRS + 201);
    expects(ACK, .ack = IRS + 202);
    expects_state(HF_CLOSE_WAIT);
}

TEST(a_fin_that_is_none_does_not_hide_the_one_that_was_held)
{
    establish_active();
    sends(FIN | ACK, .seq = IRS + 101, .len = 100);
    expects(ACK, .ack = IRS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .len = 150);
    expects(ACK, .ack = IRS + 202);
    expects_state(HF_CLOSE_WAIT);
    reads(200);
    reads_result(0);
}

/* it is ahead of the gap, however often it comes. */
TEST(a_fin_ahead_of_a_gap_that_comes_again_is_out_of_order_again)
{
    establish_active();
    for (uint64_t n = 1; n <= 3; n++) {
        sends(FIN | ACK, .seq = IRS + 101);
        expects(ACK, .ack = IRS + 1);
        struct hf_counters counters = {.struct_size = sizeof counters};
        hf_counters(p->stack, &counters);
        holds_equal(counters.verdict[HF_V_OUT_OF_ORDER], n);
    }
    sends(ACK, .seq = IRS + 1, .len = 100);
    expects(ACK, .ack = IRS + 102);
    expects_state(HF_CLOSE_WAIT);
}

/* SHLD-14, X-16 */
TEST(the_limit_of_the_application_never_takes_back_what_was_promised)
{
    establish_active();
    sends(ACK, .len = 100);
    expects(ACK);
    reads(100);
    sets(HF_RECEIVE_WINDOW, 10000);
    for (int i = 0; i < 60; i++) { /* the right edge stays: each frame is checked for it */
        sends(ACK, .len = 1000);
        peer_forget(p);
    }
    holds(status_of(unread_bytes) >= 59000);
    p->c->acks = p->c->iss + 1;
    reads(59000);
    sends(ACK, .len = 1);
    after(50);
    struct seen *seen = peer_any(p);
    holds(seen != NULL && seen->seg.wnd <= 10000);
    peer_taken(p, seen);
}

static void makes_the_listeners_window_smaller(struct peer *p)
{
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_RECEIVE_WINDOW, 1000));
}

/* SHLD-14: the record of a half-open connection keeps no window; the next one begins with the new
 * one. */
TEST(a_listeners_smaller_window_takes_back_nothing_that_a_syn_ack_promised)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .wnd = 65535);
    makes_the_listeners_window_smaller(p);
    expects_after(990, 1050, SYN | ACK, .wnd = 65535);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 101, .wnd = 65435);
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .wnd = 1000);
}

TEST(a_listeners_smaller_window_takes_back_nothing_that_a_cookie_promised)
{
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .wnd = 65535);
    makes_the_listeners_window_smaller(p);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 101, .wnd = 65435);
}

/* RFC7323-11, RFC7323-8 */
TEST(the_window_is_announced_with_the_scale_agreed_upon)
{
    p->with.wscale = SHIFT(2);
    establish_active();
    sends(ACK, .len = 100);
    expects(ACK, .window = (270000 / 256 - 1) * 256); /* 100 octets are unread */
    holds_equal(status_of(rcv_wscale), 8);
}

TEST(readable_is_told_once_and_is_true)
{
    struct hf_event event;
    establish_active();
    sends(ACK, .len = 100);
    sends(ACK, .len = 100);
    holds_equal(hf_events(p->stack, &p->env, &event, 1), 1);
    holds_equal(event.bits, HF_READABLE);
    holds_equal(event.handle, p->c->handle);
    holds_equal(hf_events(p->stack, &p->env, &event, 1), 0);
    reads(200);
    sends(ACK, .len = 10);
    reads(10);
    holds_equal(hf_events(p->stack, &p->env, &event, 1), 0); /* read already */
}

TEST(a_super_segment_from_the_device_counts_as_its_segments)
{
    p->config.policy.quick_acks = 0;
    establish_active();
    sends(ACK, .len = 14600, .gso = 1460);
    expects(ACK, .ack = IRS + 14601);
    reads(14600);
    sends(ACK, .len = 1460);
    expects_after(38, 43, ACK); /* the MSS was not taken for 14600 */
}

TEST(a_window_that_stands_as_the_syn_had_it_is_raised_with_the_next_ack)
{
    p->with.wscale = SHIFT(7);
    establish_passive();
    sets(HF_RECEIVE_WINDOW, 500000);
    expects_silence();
    sends(ACK, .len = 1000);
    expects(ACK, .ack = IRS + 1001, .window = (500000 - 1000) / 256 * 256);
}

/* RFC 9293 3.10.7.4 eighth: nothing lies behind a FIN, and no SACK block tells of it. */
TEST(text_that_was_held_behind_a_fin_is_forgotten_with_it)
{
    p->with.sackok = true;
    establish_passive();
    sends(ACK, .seq = IRS + 201, .len = 100);
    expects(ACK, .ack = IRS + 1, .sack = {{IRS + 201, IRS + 301}});
    sends(FIN | ACK, .seq = IRS + 1, .len = 100);
    expects(ACK, .ack = IRS + 102, .no_sack = true);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.ranges, 0);
}

/* SHLD-19: what a device has joined is no larger segment of the peer. */
TEST(a_joined_frame_teaches_the_size_of_its_segments)
{
    p->mtu = 9000;
    p->config.policy.quick_acks = 0;
    establish_active();
    sends(ACK, .len = 14600, .gso = 1460);
    peer_forget(p);
    reads(14600);
    peer_forget(p);
    holds_equal(info_of(rcv_mss), 1460);
    sends(ACK, .len = 1460);
    sends(ACK, .len = 1460);
    expects(ACK, .ack = IRS + 14601 + 2920); /* at once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(a_joined_frame_teaches_the_size_of_its_segments),
        BOTH(the_first_16_segments_are_acknowledged_at_once_and_later_ones_after_40_ms),
        V4(every_second_full_segment_is_acknowledged_at_once),
        V4(text_that_we_send_carries_the_delayed_ack),
        V4(with_the_option_every_ack_is_quick),
        BOTH(text_ahead_of_a_gap_is_acknowledged_at_once_each_time),
        V4(one_ack_for_each_segment_held_also_when_they_come_together),
        V4(one_ack_for_each_segment_held_of_a_super_segment),
        V4(text_ahead_of_a_gap_that_finds_no_room_is_acknowledged_too),
        BOTH(a_gap_that_is_filled_with_what_was_ahead_of_it_owes_no_duplicates),
        V4(what_is_ahead_of_the_next_gap_is_told_by_as_many_duplicates),
        BOTH(sack_blocks_tell_what_is_held_the_newest_first),
        V4(there_are_at_most_four_sack_blocks_and_three_beside_timestamps),
        V4(a_duplicate_is_reported_as_the_first_block),
        V4(text_that_is_old_in_part_is_reported_as_a_duplicate),
        V4(without_sack_permitted_there_is_never_a_sack_option),
        V4(text_that_overlaps_is_delivered_once),
        BOTH(text_that_was_held_behind_a_fin_is_forgotten_with_it),
        BOTH(segments_in_any_order_are_put_together),
        BOTH(the_window_closes_as_text_stays_unread_and_opens_in_steps_worth_a_segment),
        V4(text_beyond_the_window_is_cut_off),
        V4(a_closed_window_takes_ack_and_reset_but_no_text),
        V4(a_bare_fin_is_taken_by_a_closed_window),
        V4(a_fin_below_text_that_came_before_it_is_none),
        V4(a_fin_that_is_none_does_not_hide_the_one_that_was_held),
        BOTH(a_fin_ahead_of_a_gap_that_comes_again_is_out_of_order_again),
        V4(the_limit_of_the_application_never_takes_back_what_was_promised),
        V4(a_listeners_smaller_window_takes_back_nothing_that_a_syn_ack_promised),
        V4(a_listeners_smaller_window_takes_back_nothing_that_a_cookie_promised),
        V4(the_window_is_announced_with_the_scale_agreed_upon),
        V4(readable_is_told_once_and_is_true),
        BOTH(a_super_segment_from_the_device_counts_as_its_segments),
        BOTH(a_window_that_stands_as_the_syn_had_it_is_raised_with_the_next_ack),
    };
    return cmocka_run_group_tests_name("receiving", tests, NULL, NULL);
}
