/* Corners where two rules meet: windows set before the handshake, closed windows with text in
 * flight, options of a SYN that is repeated differently, numbers after 4 GiB, old records. */
#include "common/peer.h"

#include "stack/stack.h"

static struct tcb *first_tcb(struct peer *p)
{
    return pool_at(&p->stack->tcp.tcbs, p->stack, 1);
}

static struct tally *first_tally(struct peer *p)
{
    return (struct tally *)((uint8_t *)p->stack + p->stack->tcp.tally_offset);
}

/* Text is sent, sent again and acknowledged, and so is the FIN. */
static void goes_on(struct peer *p)
{
    writes(200);
    expects(ACK, .len = 200);
    expects_after(190, 1100, ACK, .len = 200);
    sends(ACK);
    holds_equal(status_of(queued_bytes), 0);
    closes();
    expects(FIN | ACK);
}

TEST(text_goes_on_when_snd_una_comes_to_iss_again_after_4_gib)
{
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    sends(ACK);
    first_tcb(p)->iss = first_tcb(p)->snd.una; /* as if 2^32 octets had been acknowledged */
    first_tally(p)->una_wraps = 1;
    goes_on(p);
}

/* 256 TiB: the count is full, and begins again, but not as if the SYN were out. */
TEST(text_goes_on_when_snd_una_has_come_to_iss_65536_times)
{
    establish_active();
    first_tally(p)->una_wraps = UINT16_MAX;
    first_tcb(p)->iss = seq_add(first_tcb(p)->snd.una, 100);
    writes(100);
    expects(ACK, .len = 100);
    sends(ACK);
    holds(seq_eq(first_tcb(p)->snd.una, first_tcb(p)->iss));
    goes_on(p);
}

/* SHLD-17 */
TEST(a_peer_that_shrinks_its_window_to_nothing_and_answers_is_not_given_up)
{
    establish_active();
    writes(1000);
    expects(ACK, .len = 1000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    p->wild = true; /* text in flight is beyond the window now */
    for (int i = 0; i < 40; i++) {
        expects_after(0, 125000, ACK, .len = ANY);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    }
    expects_state(HF_ESTABLISHED);
}

TEST(a_fin_behind_a_closed_window_goes_when_it_opens)
{
    establish_active();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    closes();
    expects_silence();
    expects_after(190, 1100, ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    expects_after(190, 2200, ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 1000);
    expects(FIN | ACK, .seq = ISS + 1);
}

TEST(the_user_timeout_counts_for_a_fin_behind_a_closed_window)
{
    establish_active();
    sets(HF_USER_TIMEOUT, 5000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    closes();
    for (int i = 0; i < 4; i++) {
        after(1200);
        peer_forget(p);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    }
    after(1200);
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(a_receive_window_set_before_the_syn_leaves_is_what_the_syn_promises)
{
    starts();
    struct hf_endpoint there = peer_there(p, p->c->peer_port);
    struct hf_endpoint here = peer_here(p, p->c->stack_port);
    holds(hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle) == HF_OK);
    sets(HF_RECEIVE_WINDOW, 1000);
    expects(SYN, .wnd = 1000);
}

TEST(a_receive_window_set_behind_the_syn_takes_nothing_back)
{
    opens();
    expects(SYN, .wnd = 65535);
    sets(HF_RECEIVE_WINDOW, 1000);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    peer_forget(p);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1400);
    holds_equal(status_of(unread_bytes), 1400);
}

TEST(a_receive_window_set_on_a_held_syn_is_what_the_syn_ack_promises)
{
    listens_with(4, true);
    sends(SYN, .seq = IRS, .mss = 1460);
    is_asked();
    sets(HF_RECEIVE_WINDOW, 1000);
    decides(HF_ANSWER_ACCEPT);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .wnd = 1000);
}

TEST(a_held_syn_that_comes_again_without_window_scale_has_none)
{
    listens_with(4, true);
    sends(SYN, .seq = IRS, .mss = 1460, .wscale = SHIFT(7));
    sends(SYN, .seq = IRS, .mss = 1460);
    p->c->scales = false;
    p->c->wscale = 0;
    takes_held();
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 1000);
    holds_equal(status_of(snd_wnd), 1000);
}

TEST(the_urgent_pointer_counts_from_the_segment_as_it_was_sent)
{
    establish_active();
    sends(ACK, .len = 100);
    peer_forget(p);
    /* 50 octets again, 50 new ones; the urgent data ends with the new octet 10 */
    sends(ACK | URG, .seq = IRS + 51, .len = 100, .up = 60);
    holds_equal(status_of(urgent_bytes), 110);
    reads(110);
    holds_equal(status_of(urgent), 0);
}

TEST(what_was_held_ahead_of_a_gap_is_freed_when_the_connection_is_gone)
{
    establish_active();
    sends(ACK, .seq = IRS + 1001, .len = 1000);
    peer_forget(p);
    sends(RST, .seq = IRS + 1);
    expects_closed(HF_ERR_RESET);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.active, 0);
    holds_equal(counters.ranges, 0);
    holds_equal(counters.small_chunks + counters.large_chunks, 0);
}

TEST(a_fin_that_was_held_and_came_again_in_order_holds_no_record)
{
    establish_active();
    sends(FIN | ACK, .seq = IRS + 101, .ack = ISS + 1);
    peer_forget(p);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    peer_forget(p);
    reads(100);
    reads_result(0);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.active, 0);
}

TEST(the_low_water_mark_stays_within_a_buffer_that_is_made_smaller)
{
    int64_t low = 0;
    establish_active();
    sets(HF_SEND_LOW_WATER, 100000);
    sets(HF_SEND_BUFFER, 1000);
    calls(hf_option(p->stack, p->c->handle, HF_SEND_LOW_WATER, &low));
    holds_equal(low, 1000);
}

TEST(a_send_buffer_made_larger_is_told_to_who_waits)
{
    establish_active();
    sets(HF_SEND_BUFFER, 100);
    writes(100);
    expects(ACK, .len = 100);
    refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, "x", 1, 0));
    expects_no_event(HF_WRITABLE);
    sets(HF_SEND_BUFFER, 200);
    expects_event(HF_WRITABLE);
}

TEST(writable_that_was_no_longer_true_is_told_later)
{
    establish_active();
    sets(HF_SEND_BUFFER, 100);
    writes(100);
    expects(ACK, .len = 100);
    refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, "x", 1, 0));
    sends(ACK);
    writes(100); /* before the event was read */
    expects(ACK, .len = 100);
    expects_no_event(HF_WRITABLE);
    sends(ACK);
    expects_event(HF_WRITABLE);
}

TEST(urgent_text_goes_in_single_segments_whose_pointers_agree)
{
    p->offload = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6;
    establish_active();
    writes_with(3000, HF_SEND_URGENT);
    expects(ACK | URG, .seq = ISS + 1, .len = 1460, .up = 3000);
    expects(ACK | URG, .seq = ISS + 1461, .len = 1460, .up = 1540);
    expects(ACK | URG, .seq = ISS + 2921, .len = 80, .up = 80);
}

static void close_first(struct peer *p)
{
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    expects_state(HF_TIME_WAIT);
}

TEST(a_time_wait_released_late_ends_in_its_own_time)
{
    establish_active();
    close_first(p);
    after(30000);
    on(1);
    establish_active();
    close_first(p);
    releases(); /* ends in 60 s */
    on(0);
    releases(); /* ends in 30 s, though it becomes small after the other */
    after(30500);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.time_wait + counters.connections, 1);
}

TEST(a_held_syn_that_replaces_a_time_wait_gets_a_higher_iss_and_ends_it)
{
    listens_with(4, true);
    sends(SYN, .seq = IRS, .mss = 1460);
    takes_held();
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    judge_end(&p->judge);                                     /* no trace tells of this: */
    first_tcb(p)->iss = seq_add(first_tcb(p)->iss, 50000000); /* as if so much had been sent */
    first_tcb(p)->snd.una = first_tcb(p)->snd.nxt = seq_add(first_tcb(p)->iss, 1);
    first_tcb(p)->snd.wl2 = first_tcb(p)->snd.una;
    uint32_t iss = p->c->iss = first_tcb(p)->iss.v;
    p->wild = true;
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    releases();
    new_incarnation(5000);
    sends(SYN, .seq = IRS, .mss = 1460);
    takes_held();
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    holds((int32_t)(p->c->iss - (iss + 2)) > 0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_state(HF_ESTABLISHED);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.time_wait, 0);
}

/* */
TEST(close_in_a_simultaneous_open_survives_the_loss_of_syn_ack_and_fin)
{
    opens();
    expects(SYN, .seq = ISS);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_FIN_WAIT_1);
    expects_after(900, 3100, SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_after(0, 4000, FIN | ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects_state(HF_FIN_WAIT_2);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2, .len = 10);
    reads(10);
}

TEST(a_lost_window_update_is_repeated_in_answer_to_the_peers_probe)
{
    establish_active();
    sets(HF_RECEIVE_WINDOW, 3000);
    p->wild = true;
    uint32_t sent = 0;
    while (status_of(rcv_wnd) != 0 && sent < 100000) {
        uint32_t n = min_u32(1000, status_of(rcv_wnd));
        sends(ACK, .seq = IRS + 1 + sent, .len = n);
        sent += n;
        peer_forget(p);
    }
    holds_equal(status_of(rcv_wnd), 0);
    static uint8_t text[100000];
    holds_equal(hf_recv(p->stack, &p->env, p->c->handle, text, sizeof text), sent);
    expects(ACK, .window = 3000); /* lost */
    after(1000);
    sends(ACK, .seq = IRS + sent, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 1 + sent, .window = 3000);
}

/* RFC 9293 3.10.7.4: SEG.SEQ is 2^31 - 51 ahead, the end 2^31: in signed numbers that is also
 * before.  What the user has not read is not compared with it. */
TEST(a_fin_that_ends_half_the_number_space_away_is_out_of_the_window)
{
    establish_active();
    sends(ACK, .len = 100);
    peer_forget(p);
    for (int64_t off = -2; off <= 2; off++) {
        after(1000);
        sends(FIN | ACK, .seq = IRS + 101 + INT64_C(0x80000000) - 51 + off, .len = 50);
        expects(ACK, .ack = IRS + 101, .no_sack = true);
    }
    reads(100);
}

/* In signed numbers what begins 2^31 ahead is before, too. */
TEST(text_that_begins_half_the_number_space_away_is_out_of_the_window)
{
    establish_active();
    sends(ACK, .seq = IRS + 1 + INT64_C(0x80000000), .len = 50);
    expects(ACK, .ack = IRS + 1);
    holds_equal(peer_count(p, HF_V_DROP_OUT_OF_WINDOW), 1);
    sends(ACK, .seq = IRS + 2 + INT64_C(0x80000000), .len = 50);
    holds_equal(peer_count(p, HF_V_DROP_OLD_DUPLICATE), 1);
}

/* RFC 3168 6.1.2: an ECE says no number; hf_status counts all that such an ACK acknowledges. */
TEST(without_accurate_ecn_the_segments_of_an_ack_with_ece_count_as_marked)
{
    p->config.policy.ecn = HF_ECN_ASK;
    opens();
    expects(SYN | ECE | CWR);
    sends(SYN | ACK | ECE, .seq = IRS, .mss = 1460);
    expects(ACK);
    writes(4380);
    peer_forget(p);
    sends(ACK, .ack = ISS + 1461);
    holds_equal(status_of(ce_delivered), 0);
    sends(ACK | ECE, .ack = ISS + 4381);
    holds_equal(status_of(ce_delivered), 2);
}

/* RFC 2883 4: a D-SACK tells of text that came; before IRS there was none. */
TEST(text_from_before_the_first_is_no_duplicate)
{
    p->with.sackok = true;
    establish_active();
    sends(ACK, .len = 100);
    peer_forget(p);
    sends(ACK, .seq = IRS + 1, .len = 50);
    expects(ACK, .ack = IRS + 101, .sack = {{IRS + 1, IRS + 51}});
    after(1000);
    sends(ACK, .seq = IRS - 1000, .len = 50);
    expects(ACK, .ack = IRS + 101, .no_sack = true);
    reads(100);
}

/* RFC 9293 3.10.7.4: what does not acknowledge our SYN is answered by a reset, and by that alone,
 * also where a closed window refuses its text. */
TEST(text_beyond_a_closed_window_in_syn_received_gets_one_answer)
{
    p->config.policy.fast_open = HF_FAST_OPEN_SERVER | HF_FAST_OPEN_SERVER_NO_COOKIE;
    p->config.policy.receive_window = 500;
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_FAST_OPEN, 4));
    sends(SYN, .seq = IRS, .mss = 1460, .len = 500, .fo = "");
    expects(SYN | ACK, .ack = IRS + 501, .wnd = ZERO);
    sends(ACK, .seq = IRS + 501, .ack = ISS + 7, .len = 100);
    expects(RST, .seq = ISS + 7);
    expects_silence();
    sends(ACK, .seq = IRS + 501, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 501, .wnd = ZERO);
}

/* RFC 6298 2.2: no deadline is 0, so that one which would be is a millisecond later; what is
 * counted back from it is no sample of 71 minutes. */
TEST(a_syn_ack_whose_deadline_would_be_zero_makes_no_round_trip_of_an_hour)
{
    p->env.now_ns = ((INT64_C(1) << 32) - p->config.policy.rto_initial_ms) * 1000000;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    holds(status_of(srtt_us) < 1000000);
    holds(status_of(rto_ms) <= p->config.policy.rto_initial_ms);
}

/* RFC 6298 5.1: the timer of the probe that became the override's is the octet's, too. */
TEST(a_probes_octet_that_left_as_the_window_opened_a_little_is_repeated)
{
    p->config.policy.zwp_octet = true;
    establish_active();
    sends(ACK, .wnd = ZERO);
    writes(1000);
    expects_silence();
    batch_begins();
    p->env.now_ns += 202 * 1000000LL; /* the probe is owed; the window opens before it leaves */
    hf_timeouts(p->stack, &p->env);
    sends(ACK, .wnd = 1);
    batch_ends();
    expects(ACK, .seq = ISS + 1, .len = 1); /* it is lost */
    expects_after(0, 200000, ACK, .seq = ISS + 1, .len = 1);
}

TEST(a_tiny_mss_with_a_window_smaller_than_a_segment_goes_on)
{
    p->config.policy.min_mss = 1;
    p->config.policy.timestamps = false;
    p->with.mss = 1;
    establish_active();
    writes(3000);
    peer_forget(p);
    after(8000); /* RTO: cwnd is one segment */
    peer_forget(p);
    sends(ACK, .ack = ISS + 1 + 8);
    expects(ACK, .seq = ISS + 1 + 80, .len = 8);
    peer_forget(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(text_goes_on_when_snd_una_comes_to_iss_again_after_4_gib),
        BOTH(text_goes_on_when_snd_una_has_come_to_iss_65536_times),
        BOTH(a_peer_that_shrinks_its_window_to_nothing_and_answers_is_not_given_up),
        BOTH(a_fin_behind_a_closed_window_goes_when_it_opens),
        V4(the_user_timeout_counts_for_a_fin_behind_a_closed_window),
        BOTH(a_receive_window_set_before_the_syn_leaves_is_what_the_syn_promises),
        BOTH(a_receive_window_set_behind_the_syn_takes_nothing_back),
        BOTH(a_receive_window_set_on_a_held_syn_is_what_the_syn_ack_promises),
        BOTH(a_held_syn_that_comes_again_without_window_scale_has_none),
        BOTH(the_urgent_pointer_counts_from_the_segment_as_it_was_sent),
        BOTH(what_was_held_ahead_of_a_gap_is_freed_when_the_connection_is_gone),
        BOTH(a_fin_that_was_held_and_came_again_in_order_holds_no_record),
        V4(the_low_water_mark_stays_within_a_buffer_that_is_made_smaller),
        V4(a_send_buffer_made_larger_is_told_to_who_waits),
        V4(writable_that_was_no_longer_true_is_told_later),
        BOTH(urgent_text_goes_in_single_segments_whose_pointers_agree),
        BOTH(a_time_wait_released_late_ends_in_its_own_time),
        BOTH(a_held_syn_that_replaces_a_time_wait_gets_a_higher_iss_and_ends_it),
        BOTH(close_in_a_simultaneous_open_survives_the_loss_of_syn_ack_and_fin),
        BOTH(a_lost_window_update_is_repeated_in_answer_to_the_peers_probe),
        BOTH(a_fin_that_ends_half_the_number_space_away_is_out_of_the_window),
        BOTH(a_syn_ack_whose_deadline_would_be_zero_makes_no_round_trip_of_an_hour),
        BOTH(text_that_begins_half_the_number_space_away_is_out_of_the_window),
        BOTH(without_accurate_ecn_the_segments_of_an_ack_with_ece_count_as_marked),
        BOTH(text_from_before_the_first_is_no_duplicate),
        BOTH(text_beyond_a_closed_window_in_syn_received_gets_one_answer),
        BOTH(a_probes_octet_that_left_as_the_window_opened_a_little_is_repeated),
        V4(a_tiny_mss_with_a_window_smaller_than_a_segment_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
