/* RFC 9293 sections 3.8.6 and 3.10.7.4: windows that shrink, that are too old, or that come with
 * text that is refused; RFC 7323 section 2.4.
 */
#include "common/peer.h"
#include "common/work.h"

/* MUST-34, SHLD-15, SHLD-16, RFC7323-16: 20 segments out, and the window is one of them. */
TEST(behind_a_window_that_has_shrunk_nothing_new_goes_and_the_oldest_is_repeated)
{
    p->config.policy.initial_cwnd = 20;
    p->with.mss = 1000;
    establish_active();
    p->c->wnd = 30000;
    sends(ACK);
    writes(25000);
    for (int i = 0; i < 20; i++)
        expects(ACK, .seq = ISS + 1 + 1000 * i, .len = 1000);
    sends(ACK, .ack = ISS + 1001, .wnd = 1000);
    expects_silence();
    expects_after(150, 1000, ACK, .seq = ISS + 1001, .len = 1000);
    expects_silence();
    sends(ACK, .ack = ISS + 20001, .wnd = 500); /* all that was out has come; 5000 are left */
    expects_silence();
    sends(ACK, .ack = ISS + 20001, .wnd = 3000);
    expects(ACK, .seq = ISS + 20001, .len = 1000);
    expects(ACK, .seq = ISS + 21001, .len = 1000);
    expects(ACK, .seq = ISS + 22001, .len = 1000);
    expects_silence();
}

/* 3.8.6.1: a peer that has refused all tells nothing of a timeout that was none (RFC 5682). */
TEST(what_a_window_refused_goes_before_new_text_once_it_opens)
{
    p->config.policy.tlp = false;
    p->with.mss = 1000;
    establish_active();
    writes(20000);
    peer_forget(p);
    sends(ACK, .ack = ISS + 1, .wnd = ZERO);
    expects_after(150, 1000, ACK, .seq = ISS + 1, .len = 1000);
    sends(ACK, .ack = ISS + 1, .wnd = 30000);
    expects(ACK, .seq = ISS + 1, .len = 1000);
    sends(ACK, .ack = ISS + 1001, .wnd = 30000);
    expects(ACK, .seq = ISS + 1001, .len = 1000);
}

/* 3.8.6.1, and for each timeout once, however often the window opens. */
TEST(what_a_window_refused_goes_again_as_soon_as_it_opens)
{
    p->config.policy.tlp = false;
    p->with.mss = 1000;
    for (int sack = 0; sack < 2; sack++) {
        on(sack);
        p->with.sackok = sack;
        establish_active();
        writes(10000);
        peer_forget(p);
        sends(ACK, .ack = ISS + 2001, .wnd = ZERO);
        for (int s = 0; s < 20; s++) {
            after(1000);
            if (p->n_seen != 0) {
                expects(ACK, .seq = ISS + 2001, .len = 1000);
                sends(ACK, .ack = ISS + 2001, .wnd = ZERO);
            }
        }
        expects_silence();
        for (int i = 0; i < 3; i++) {
            sends(ACK, .ack = ISS + 2001, .wnd = 30000);
            if (i == 0)
                expects(ACK, .seq = ISS + 2001, .len = 1000);
            expects_silence();
            sends(ACK, .ack = ISS + 2001, .wnd = ZERO);
        }
        sends(ACK, .ack = ISS + 2001, .wnd = 30000);
        expects_after(150, 1000, ACK, .seq = ISS + 2001, .len = 1000); /* by the first RTO */
        sends(ACK, .ack = ISS + 3001, .wnd = 30000);
        expects(ACK, .seq = ISS + 3001, .len = 1000);
        peer_forget(p);
        sends(ACK, .ack = ISS + 10001);
    }
}

/* MUST-34, 3.10.7.4 first: the peer would take no ACK that stands behind its window. */
TEST(an_ack_stands_inside_a_window_that_has_shrunk)
{
    p->with.mss = 1000;
    p->with.wscale = SHIFT(7);
    establish_active();
    writes(4000);
    for (int i = 0; i < 4; i++)
        expects(ACK, .seq = ISS + 1 + 1000 * i, .len = 1000);
    sends(ACK, .ack = ISS + 1001, .wnd = 23); /* 2944: 56 less, and it has rounded */
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1001, .wnd = 23, .len = 10);
    expects(ACK, .seq = ISS + 4001, .ack = IRS + 11);
    sends(ACK, .seq = IRS + 11, .ack = ISS + 1001, .wnd = 20);
    sends(ACK, .seq = IRS + 11, .ack = ISS + 1001, .wnd = 20, .len = 10);
    expects(ACK, .seq = ISS + 3561, .ack = IRS + 21);
    sends(ACK, .seq = IRS + 21, .ack = ISS + 1185, .wnd = 21); /* by 128: not by rounding */
    sends(ACK, .seq = IRS + 21, .ack = ISS + 1185, .wnd = 21, .len = 10);
    expects(ACK, .seq = ISS + 3873, .ack = IRS + 31);
    sends(ACK, .seq = IRS + 31, .ack = ISS + 3951, .wnd = ZERO);
    sends(ACK, .seq = IRS + 31, .ack = ISS + 3951, .wnd = ZERO, .len = 10);
    expects(ACK, .seq = ISS + 3951, .ack = IRS + 41);
    aborts();
    expects(RST | ACK, .seq = ISS + 3951, .ack = IRS + 41);
}

/* */
TEST(an_older_segment_does_not_bring_its_window_back)
{
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 10);
    sends(ACK, .seq = IRS + 11, .len = 10, .wnd = 100);
    holds_equal(status_of(snd_wnd), 100);
    sends(ACK, .seq = IRS + 1, .len = 10, .wnd = 9999);
    sends(ACK, .seq = IRS + 10, .len = 11, .wnd = 9999);
    holds_equal(status_of(snd_wnd), 100);
    sends(ACK, .seq = IRS + 5, .len = 30,
          .wnd = 9999); /* begins before it, though it brings text */
    holds_equal(status_of(rcv_nxt), p->c->irs + 35);
    holds_equal(status_of(snd_wnd), 100);
    writes(10);
    peer_forget(p);
    sends(ACK, .ack = ISS + 11, .wnd = 200);
    holds_equal(status_of(snd_wnd), 200);
    sends(ACK, .ack = ISS + 1, .wnd = 300); /* an older ACK of the same SEQ */
    holds_equal(status_of(snd_wnd), 200);
}

/* a forged one with a window of nothing, far ahead, would keep all later ones out. */
TEST(a_segment_ahead_of_a_gap_does_not_move_the_window)
{
    establish_active();
    sends(ACK, .wnd = 30000);
    sends(ACK, .seq = IRS + 60001, .wnd = ZERO);
    holds_equal(status_of(snd_wnd), 30000);
    sends(ACK, .seq = IRS + 1, .wnd = 20000);
    holds_equal(status_of(snd_wnd), 20000);
}

/* 3.8.6, X-35: its acknowledgment counts, and the same SND.WND would promise what nobody has. */
TEST(an_ack_whose_window_is_not_taken_does_not_move_the_edge)
{
    p->config.policy.initial_cwnd = 20;
    p->with.mss = 1000;
    establish_active();
    p->c->wnd = 5000;
    sends(ACK);
    writes(9000);
    for (int i = 0; i < 5; i++)
        expects(ACK, .seq = ISS + 1 + 1000 * i, .len = 1000);
    expects_silence();
    sends(ACK, .seq = IRS + 11, .ack = ISS + 3001, .len = 10, .wnd = 2000); /* up to 5000 */
    expects(ACK, .ack = IRS + 1);
    expects_silence();
    sends(ACK, .seq = IRS + 21, .ack = ISS + 4001, .len = 10, .wnd = 2000); /* up to 6000 */
    expects(ACK, .seq = ISS + 5001, .len = 1000);
    expects_silence();
    sends(ACK, .seq = IRS + 31, .ack = ISS + 5001, .len = 10, .wnd = 9000); /* it grows in order */
    expects(ACK, .seq = ISS + 6001, .len = 1000);
    expects_silence();
    holds_equal(status_of(snd_wnd), 2000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 5001, .len = 10, .wnd = 4000);
    expects(ACK, .seq = ISS + 7001, .len = 1000);
    expects(ACK, .seq = ISS + 8001, .len = 1000);
}

static void fills_the_window_with_text_in_flight(struct peer *p)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    sends(ACK, .ack = ISS + 1, .len = 1000);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
}

/* text is refused, its ACK counts. */
/* 3.10.7.4 first: a peer that has filled the window has its SND.NXT at the edge, and its ACKs stand
 * there as long as a gap keeps RCV.NXT where it is: they count (X-35: not their windows), and need
 * no answer. */
TEST(the_acks_of_a_peer_that_has_filled_the_window_count)
{
    p->config.policy.receive_window = 4000;
    p->with.mss = 1000;
    establish_active();
    sets(HF_USER_TIMEOUT, 1000);
    writes(500);
    expects(ACK, .seq = ISS + 1, .len = 500);
    for (int i = 1; i < 4; i++) {
        sends(ACK, .seq = IRS + 1 + 1000 * i, .ack = ISS + 1, .len = 1000);
        expects(ACK, .ack = IRS + 1);
    }
    sends(ACK, .seq = IRS + 4001, .ack = ISS + 501, .wnd = 300);
    expects_silence();
    holds_equal(status_of(snd_una), status_of(snd_nxt));
    holds(status_of(snd_wnd) != 300);
    after(3000);
    expects_silence();
    expects_state(HF_ESTABLISHED);
}

/* ... and nothing else that begins there, nor any of these behind it. */
TEST(text_and_control_bits_at_the_edge_of_the_window_are_outside)
{
    p->config.policy.challenge_ack_ms = 0;
    p->config.policy.receive_window = 4000;
    establish_active();
    writes(500);
    expects(ACK, .seq = ISS + 1, .len = 500);
    sends(ACK, .seq = IRS + 4001, .ack = ISS + 501, .len = 1);
    expects(ACK, .ack = IRS + 1);
    sends(FIN | ACK, .seq = IRS + 4001, .ack = ISS + 501);
    expects(ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 4002, .ack = ISS + 501);
    expects(ACK, .ack = IRS + 1);
    sends(SYN, .seq = IRS + 4001);
    expects(ACK, .ack = IRS + 1);
    sends(RST | ACK, .seq = IRS + 4001, .ack = ISS + 501);
    expects_silence();
    holds_equal(status_of(snd_una), p->c->iss + 1);
    expects_state(HF_ESTABLISHED);
}

TEST(a_closed_window_refuses_text_but_takes_its_acknowledgment)
{
    fills_the_window_with_text_in_flight(p);
    sends(ACK, .seq = IRS + 1001, .ack = ISS + 101, .len = 10);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    holds_equal(status_of(snd_una), status_of(snd_nxt));
    holds_equal(status_of(unread_bytes), 1000);
}

/* 3.10.7.4 first, "special allowance": the peer's SND.NXT counts the octet that it has probed with.
 */
TEST(a_closed_window_takes_the_ack_of_a_peer_that_has_probed_with_an_octet)
{
    fills_the_window_with_text_in_flight(p);
    sends(ACK, .seq = IRS + 1001, .ack = ISS + 1, .len = 1);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    sends(ACK, .seq = IRS + 1003, .ack = ISS + 101, .wnd = 700); /* two octets: nobody's */
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    holds_equal(status_of(snd_una), p->c->iss + 1);
    sends(ACK, .seq = IRS + 1002, .ack = ISS + 101, .wnd = 700);
    holds_equal(status_of(snd_una), status_of(snd_nxt));
    holds_equal(status_of(snd_wnd), 700);
    peer_forget(p);
    sends(ACK, .seq = IRS + 1001, .ack = ISS + 101, .wnd = 800); /* not an older one */
    holds_equal(status_of(snd_wnd), 800);
    holds_equal(status_of(unread_bytes), 1000);
}

/* RFC 5681 2: (b) a duplicate ACK carries no data, also none that is refused; (c) nor a FIN. */
TEST(what_a_closed_window_refuses_makes_no_duplicate_ack)
{
    fills_the_window_with_text_in_flight(p);
    for (int i = 0; i < 4; i++) {
        sends(ACK, .seq = IRS + 1001, .ack = ISS + 1, .len = 10);
        expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    }
    for (int i = 0; i < 4; i++) {
        sends(ACK, .seq = IRS + 1000, .ack = ISS + 1, .len = 1); /* a probe as of old */
        expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    }
    expects_silence();
    holds_equal(status_of(dup_acks), 0);
}

TEST(a_repeated_fin_is_no_duplicate_ack)
{
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    sends(FIN | ACK, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 2);
    for (int i = 0; i < 4; i++) {
        sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
        expects(ACK, .ack = IRS + 2);
    }
    expects_silence();
}

/* */
TEST(only_what_is_new_of_a_segment_is_taken)
{
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 100);
    sends(FIN | ACK, .seq = IRS + 51, .len = 50); /* the FIN is new, the text is not */
    peer_forget(p);
    expects_state(HF_CLOSE_WAIT);
    reads(100);
    reads_result(0);
    on(1);
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 100);
    sends(ACK, .seq = IRS + 51, .len = 100);
    peer_forget(p);
    reads(150);
}

/* */
TEST(text_and_fin_beyond_the_window_are_cut_off)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    sends(FIN | ACK, .seq = IRS + 1, .len = 1001);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    expects_state(HF_ESTABLISHED);
    reads(1000);
    expects(ACK, .ack = IRS + 1001, .wnd = 1000);
    sends(FIN | ACK, .seq = IRS + 1001, .len = 1);
    expects(ACK, .ack = IRS + 1003);
    expects_state(HF_CLOSE_WAIT);
}

/* MAY-8: the window stays closed while the application does not read, and probes are answered. */
TEST(a_window_may_stay_closed_for_an_hour)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    sends(ACK, .len = 1000);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    for (int i = 0; i < 60; i++) {
        after(60000);
        sends(ACK, .seq = IRS + 1000);
        expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    }
    expects_state(HF_ESTABLISHED);
}

/* MUST-32: the same mark in a later segment is no news. */
TEST(an_urgent_mark_is_told_once)
{
    establish_active();
    sends(ACK | URG, .seq = IRS + 1, .len = 10, .up = 30);
    expects_event(HF_URGENT);
    sends(ACK | URG, .seq = IRS + 11, .len = 10, .up = 20);
    expects_no_event(HF_URGENT);
    sends(ACK | URG, .seq = IRS + 21, .len = 10, .up = 20);
    expects_event(HF_URGENT);
    reads(30);
    reads_result(HF_ERR_WOULD_BLOCK);
}

/* MUST-31: across the segments that acknowledgments let go. */
TEST(an_urgent_mark_stays_on_what_goes_later)
{
    p->with.mss = 1000;
    p->config.policy.initial_cwnd = 2;
    establish_active();
    writes_with(5000, HF_SEND_URGENT);
    expects(ACK | URG, .seq = ISS + 1, .len = 1000, .up = 5000);
    expects(ACK | URG, .seq = ISS + 1001, .len = 1000, .up = 4000);
    sends(ACK);
    expects(ACK | URG, .seq = ISS + 2001, .len = 1000, .up = 3000);
    expects(ACK | URG, .seq = ISS + 3001, .len = 1000, .up = 2000);
    expects(ACK | URG, .seq = ISS + 4001, .len = 1000, .up = 1000);
}

/* MUST-39: it has doubled, and by two segments. */
TEST(a_window_that_opens_by_two_segments_is_told_without_text)
{
    p->config.policy.receive_window = 5000;
    p->with.mss = 1000;
    establish_active();
    for (int i = 0; i < 4; i++)
        sends(ACK, .len = 1000);
    after(300);
    peer_forget(p);
    holds_equal(status_of(rcv_wnd), 1000);
    reads(2000);
    expects(ACK, .ack = IRS + 4001, .wnd = 3000);
}

/* MUST-39: an update that would say what the last ACK said is none. */
TEST(a_window_that_was_given_and_taken_back_is_not_told)
{
    p->config.policy.receive_window = 2000;
    p->with.mss = 1000;
    establish_active();
    sends(ACK, .len = 1000);
    sends(ACK, .len = 1000);
    after(300);
    peer_forget(p);
    sets(HF_RECEIVE_WINDOW, 5000);
    expects(ACK, .ack = IRS + 2001, .wnd = 3000);
    batch_begins();
    sets(HF_RECEIVE_WINDOW, 9000);
    sets(HF_RECEIVE_WINDOW, 5000);
    batch_ends();
    expects_silence();
}

/* Header prediction takes several segments of a batch at once, where nothing traces them. */
TEST(of_segments_in_a_row_no_more_is_taken_than_the_window_has)
{
    p->config.policy.receive_window = 6000;
    p->config.policy.quick_acks = 0;
    p->wild = true;
    establish_passive();
    p->env.trace = NULL;
    sends(ACK, .seq = IRS + 1, .len = 1460);
    batch_begins();
    for (int i = 1; i < 7; i++)
        sends(ACK, .seq = IRS + 1 + 1460 * i, .len = 1460);
    batch_ends();
    holds_equal(status_of(unread_bytes), 6000);
    holds_equal(status_of(rcv_nxt), peer_number(p, IRS + 6001));
    reads(6000);
}

/* RFC 7323 5.3 R1: a repetition has overtaken the first copy and what follows that, which come in
 * one row.  All are refused, though the first ends where RCV.NXT is: it was not taken, and leads
 * none. */
static void a_row_behind_a_refused_copy(struct peer *p, bool stamped)
{
    p->config.policy.quick_acks = 0;
    p->wild = true;
    p->with.tsval = 1000;
    establish_active();
    p->env.trace = NULL;
    const int text = 1448;
    batch_begins();
    sends(ACK, .seq = IRS + 1, .len = text, .tsval = 1002);
    for (int i = 0; i < 3; i++)
        sends(ACK, .seq = IRS + 1 + i * text, .len = text, .tsval = stamped ? 1001 : 0,
              .no_ts = !stamped);
    batch_ends();
    holds_equal(status_of(unread_bytes), text);
    holds_equal(status_of(rcv_nxt), peer_number(p, IRS + 1 + text));
    sends(ACK, .seq = IRS + 1 + text, .len = text, .tsval = 1003);
    reads(2 * text);
}

TEST(what_an_old_timestamp_refuses_leads_no_row)
{
    a_row_behind_a_refused_copy(p, true);
}

TEST(what_has_no_timestamp_leads_no_row)
{
    a_row_behind_a_refused_copy(p, false);
}

/* Records looked at, and the like, when ten segments come at once. */
static uint64_t work_of_a_row(struct peer *p, bool predict)
{
    struct hf_policy policy = p->config.policy;
    policy.predict = predict;
    calls(hf_set_policy(p->stack, &p->env, &policy));
    int64_t next = (int64_t)status_of(rcv_nxt);
    batch_begins();
    for (int i = 0; i < 10; i++)
        sends(ACK, .seq = next + 1460 * i, .len = 1460);
    struct work_done before = work_of(p->stack);
    batch_ends();
    uint64_t steps = work_since(p->stack, &before).steps;
    reads(14600);
    peer_forget(p);
    return steps;
}

TEST(segments_in_a_row_cost_less_than_half_of_what_they_cost_one_by_one)
{
    p->config.policy.quick_acks = 0;
    p->wild = true;
    establish_passive();
    p->env.trace = NULL;
    sends(ACK, .seq = IRS + 1, .len = 1460);
    reads(1460);
    peer_forget(p);
    uint64_t alone = work_of_a_row(p, false);
    holds(work_of_a_row(p, true) < alone / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(of_segments_in_a_row_no_more_is_taken_than_the_window_has),
        BOTH(what_an_old_timestamp_refuses_leads_no_row),
        V4(what_has_no_timestamp_leads_no_row),
        BOTH(segments_in_a_row_cost_less_than_half_of_what_they_cost_one_by_one),
        V4(what_a_window_refused_goes_before_new_text_once_it_opens),
        V4(behind_a_window_that_has_shrunk_nothing_new_goes_and_the_oldest_is_repeated),
        V4(an_ack_stands_inside_a_window_that_has_shrunk),
        V4(an_older_segment_does_not_bring_its_window_back),
        V4(a_segment_ahead_of_a_gap_does_not_move_the_window),
        V4(an_ack_whose_window_is_not_taken_does_not_move_the_edge),
        BOTH(the_acks_of_a_peer_that_has_filled_the_window_count),
        BOTH(text_and_control_bits_at_the_edge_of_the_window_are_outside),
        V4(a_closed_window_takes_the_ack_of_a_peer_that_has_probed_with_an_octet),
        V4(what_a_closed_window_refuses_makes_no_duplicate_ack),
        V4(a_repeated_fin_is_no_duplicate_ack),
        V4(a_closed_window_refuses_text_but_takes_its_acknowledgment),
        V4(only_what_is_new_of_a_segment_is_taken),
        V4(text_and_fin_beyond_the_window_are_cut_off),
        V4(what_a_window_refused_goes_again_as_soon_as_it_opens),
        V4(a_window_may_stay_closed_for_an_hour),
        V4(an_urgent_mark_is_told_once),
        V4(an_urgent_mark_stays_on_what_goes_later),
        V4(a_window_that_opens_by_two_segments_is_told_without_text),
        V4(a_window_that_was_given_and_taken_back_is_not_told),
    };
    return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
