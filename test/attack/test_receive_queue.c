/* The receive queue under attack: overlaps, edges, marks of the end, SYNs in the middle, a closed
 * window (RFC 9293 sections 3.4 and 3.10.7.4, RFC 5961, RFC 2018).
 */
#include "common/peer.h"

#include <string.h>

enum { A, B, C, PIECES };

static const struct {
    uint32_t from, to;
    int octet;
} pieces[PIECES] = {{100, 200, 'A'}, {150, 250, 'B'}, {50, 160, 'C'}};

static uint64_t copies_differ(struct peer *p)
{
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(p->stack, &now);
    return now.copies_differ;
}

/* The three pieces in this order, then (or first) what lies before them; each octet must be that of
 * the piece that brought it first. */
static void overlap(struct peer *p, const int order[PIECES], bool gap_first)
{
    char want[250], got[251];
    uint64_t before = copies_differ(p);
    memset(want, '.', 50);
    memset(want + 50, 0, 200);
    if (gap_first)
        sends(ACK, .seq = IRS + 1, .len = 50, .octet = '.');
    for (int i = 0; i < PIECES; i++) {
        uint32_t from = pieces[order[i]].from, to = pieces[order[i]].to;
        for (uint32_t at = from; at < to; at++)
            want[at] = want[at] ? want[at] : (char)pieces[order[i]].octet;
        sends(ACK, .seq = IRS + 1 + from, .len = to - from, .octet = pieces[order[i]].octet);
    }
    if (!gap_first)
        sends(ACK, .seq = IRS + 1, .len = 50, .octet = '.');
    holds_equal(status_of(unread_bytes), 250);
    holds_equal(copies_differ(p) - before, 2);
    sends(ACK, .seq = IRS + 1, .len = 250, .octet = 'X'); /* what was delivered never changes */
    holds_equal(copies_differ(p) - before, 3);
    holds_equal(hf_recv(p->stack, &p->env, p->c->handle, got, sizeof got), 250);
    holds(memcmp(want, got, sizeof want) == 0);
    sends(ACK, .seq = IRS + 1, .len = 250, .octet = 'X');
    holds_equal(status_of(unread_bytes), 0);
    holds_equal(copies_differ(p) - before, 3); /* nothing is here to compare it with */
    peer_forget(p);
    aborts();
    releases();
    peer_forget(p);
}

/* RX-04: SHLD-31; the first copy received wins, in every order. */
TEST(of_octets_that_come_twice_with_different_content_the_first_copy_is_delivered)
{
    static const int orders[6][PIECES] = {{A, B, C}, {A, C, B}, {B, A, C},
                                          {B, C, A}, {C, A, B}, {C, B, A}};
    for (int i = 0; i < 12; i++) {
        on(i % PEER_CONNS);
        new_incarnation(100 + (uint32_t)i * 100000);
        after(10);
        establish_active();
        overlap(p, orders[i / 2], i % 2);
    }
}

/* RX-04: an honest sender's copies are alike, whatever they overlap. */
TEST(copies_that_are_alike_are_not_counted)
{
    establish_active();
    sends(ACK, .seq = IRS + 1001, .len = 1000);
    sends(ACK, .seq = IRS + 3001, .len = 500);
    sends(ACK, .seq = IRS + 501, .len = 1400);
    sends(ACK, .seq = IRS + 1501, .len = 1460);
    sends(ACK, .seq = IRS + 1, .len = 1460);
    sends(ACK, .seq = IRS + 2901, .len = 1200);
    holds_equal(status_of(unread_bytes), 4100);
    sends(ACK, .seq = IRS + 1, .len = 1460);
    reads(700);
    sends(ACK, .seq = IRS + 1, .len = 1460);
    sends(FIN | ACK, .seq = IRS + 4001, .len = 200);
    sends(FIN | ACK, .seq = IRS + 4001, .len = 200);
    sends(ACK, .seq = IRS + 2001, .len = 1460);
    peer_forget(p);
    holds_equal(copies_differ(p), 0);
    sends(ACK, .seq = IRS + 701, .len = 1000, .octet = '?');
    holds_equal(copies_differ(p), 1);
    reads(3500);
    reads_result(0);
}

/* RX-05: what is held never reaches beyond the window, whatever a longer copy says. */
TEST(a_longer_copy_of_what_was_trimmed_at_the_edge_is_trimmed_as_well)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    sends(ACK, .seq = IRS + 901, .len = 150);
    holds_equal(status_of(out_of_order_bytes), 100);
    sends(ACK, .seq = IRS + 901, .len = 300);
    sends(ACK, .seq = IRS + 801, .len = 900);
    holds_equal(status_of(out_of_order_bytes), 200);
    peer_forget(p);
    sends(ACK, .seq = IRS + 1, .len = 1200);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    holds_equal(status_of(out_of_order_bytes), 0);
    holds_equal(status_of(unread_bytes), 1000);
    reads(1000);
    expects(ACK, .ack = IRS + 1001, .wnd = 1000);
    sends(ACK, .seq = IRS + 1001, .len = 200); /* the rest comes as well */
    reads(200);
}

/* RX-06: trimmed on both sides, the middle delivered and acknowledged. */
TEST(of_a_segment_across_both_edges_of_the_window_the_middle_is_taken)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 100);
    peer_forget(p);
    sends(FIN | ACK, .seq = IRS + 51, .len = 2000);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(unread_bytes), 1000);
    holds_equal(status_of(out_of_order_bytes), 0);
    reads(1000);
    expects(ACK, .ack = IRS + 1001, .wnd = 1000);
    sends(FIN | ACK, .seq = IRS + 1001, .len = 500);
    expects(ACK, .ack = IRS + 1502);
    reads(500);
    reads_result(0);
}

/* RX-06 */
TEST(of_a_segment_across_both_edges_of_a_closed_window_nothing_is_taken)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 1000);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    sends(FIN | ACK, .seq = IRS + 501, .len = 2000);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(unread_bytes), 1000);
    holds_equal(status_of(out_of_order_bytes), 0);
}

/* A SYN,ACK with text, in order and ahead of it: no more than a challenge ACK. */
static void syn_with_text(struct peer *p)
{
    uint32_t nxt = status_of(rcv_nxt), unread = status_of(unread_bytes);
    for (int i = 0; i < 2; i++) {
        after(600);
        peer_forget(p);
        sends(SYN | ACK, .seq = (int64_t)(nxt + 50u * (uint32_t)i), .len = 10);
        expects(ACK, .ack = nxt, .len = 0);
        expects_silence();
        holds_equal(status_of(rcv_nxt), nxt);
        holds_equal(status_of(unread_bytes), unread);
        holds_equal(status_of(out_of_order_bytes), 0);
    }
}

/* RX-07: RFC 5961 4.2; a SYN counts in SEG.LEN only while the connection opens. */
TEST(a_syn_among_the_text_takes_no_number_in_any_state)
{
    establish_active();
    syn_with_text(p);
    sends(ACK, .seq = IRS + 1, .len = 10);
    peer_forget(p);
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    expects_state(HF_FIN_WAIT_1);
    syn_with_text(p);
    sends(ACK, .seq = IRS + 11, .ack = ISS + 2, .len = 10);
    peer_forget(p);
    expects_state(HF_FIN_WAIT_2);
    syn_with_text(p);
    sends(FIN | ACK, .seq = IRS + 21, .ack = ISS + 2, .len = 10);
    expects(ACK, .ack = IRS + 32);
    expects_state(HF_TIME_WAIT);
    syn_with_text(p);
    expects_state(HF_TIME_WAIT);
    reads(30); /* all that was text has come */
    reads_result(0);
}

/* RX-08: the first FIN says where the end is. */
TEST(the_first_fin_ends_the_text_and_what_lies_behind_it_is_ignored)
{
    establish_active();
    sends(FIN | ACK, .seq = IRS + 401, .len = 100);
    expects(ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 501, .len = 100);
    expects(ACK, .ack = IRS + 1);
    sends(FIN | ACK, .seq = IRS + 501, .len = 50);
    expects(ACK, .ack = IRS + 1);
    sends(FIN | ACK, .seq = IRS + 301, .len = 50); /* nor before it */
    expects(ACK, .ack = IRS + 1);
    sends(FIN | ACK, .seq = IRS + 401, .len = 100); /* the same once more */
    expects(ACK, .ack = IRS + 1);
    holds(status_of(out_of_order_bytes) <= 150);
    sends(ACK, .seq = IRS + 1, .len = 400);
    expects(ACK, .ack = IRS + 502);
    expects_state(HF_CLOSE_WAIT);
    sends(FIN | ACK, .seq = IRS + 502, .len = 50);
    expects(ACK, .ack = IRS + 502);
    reads(500);
    reads_result(0);
}

/* RX-08: of text and a FIN that contradict each other what came first counts. */
TEST(a_fin_before_text_that_is_held_already_is_none)
{
    establish_active();
    sends(ACK, .seq = IRS + 501, .len = 100);
    sends(FIN | ACK, .seq = IRS + 401, .len = 100);
    peer_forget(p);
    sends(ACK, .seq = IRS + 1, .len = 400);
    expects(ACK, .ack = IRS + 601);
    expects_state(HF_ESTABLISHED);
    sends(FIN | ACK, .seq = IRS + 601);
    expects(ACK, .ack = IRS + 602);
    reads(600);
    reads_result(0);
}

/* RX-08: beyond the window it is cut off with the text before it. */
TEST(a_fin_outside_the_window_is_none_and_comes_again)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    sends(FIN | ACK, .seq = IRS + 501, .len = 501); /* ahead of a gap, its last octet too far */
    sends(FIN | ACK, .seq = IRS + 1, .len = 1001);
    peer_forget(p);
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(rcv_nxt), p->c->irs + 1001);
    reads(1000);
    peer_forget(p);
    sends(FIN | ACK, .seq = IRS + 1001, .len = 1);
    expects(ACK, .ack = IRS + 1003);
    reads(1);
    reads_result(0);
}

static void fills_the_window(struct peer *p)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    sends(ACK, .ack = ISS + 1, .len = 1000);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
}

/* RX-09: MUST-66, 3.8.6.1; the window opens when somebody reads. */
TEST(at_a_closed_window_probes_are_answered_and_acks_taken)
{
    fills_the_window(p);
    sends(ACK, .seq = IRS + 1001, .ack = ISS + 1, .len = 1);
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    sends(ACK, .seq = IRS + 1001, .ack = ISS + 101);
    expects_silence();
    holds_equal(status_of(queued_bytes), 0);
    sends(FIN | ACK, .seq = IRS + 1002, .ack = ISS + 101); /* not where the next one must be */
    expects(ACK, .ack = IRS + 1001, .wnd = ZERO);
    expects_state(HF_ESTABLISHED);
    reads(1000);
    expects(ACK, .ack = IRS + 1001, .wnd = 1000);
    sends(ACK, .seq = IRS + 1001, .ack = ISS + 101, .len = 1);
    reads(1);
}

/* RX-09: Table 6; it needs no room. */
TEST(at_a_closed_window_a_fin_that_is_due_is_taken)
{
    fills_the_window(p);
    sends(FIN | ACK, .seq = IRS + 1001, .ack = ISS + 101);
    expects(ACK, .ack = IRS + 1002);
    expects_state(HF_CLOSE_WAIT);
    holds_equal(status_of(queued_bytes), 0);
    reads(1000);
    reads_result(0);
}

/* RX-09: RFC 5961 3.2 */
TEST(at_a_closed_window_a_reset_that_is_due_is_obeyed)
{
    fills_the_window(p);
    sends(RST, .seq = IRS + 1002);
    expects_state(HF_ESTABLISHED);
    sends(RST, .seq = IRS + 1001);
    expects_closed(HF_ERR_RESET);
}

/* RX-14: MUST-39 */
TEST(who_reads_octet_by_octet_does_not_open_the_window_octet_by_octet)
{
    p->config.policy.receive_window = 10000;
    p->config.policy.tune_buffers = false;
    p->with.mss = 1000;
    establish_active();
    for (int i = 0; i < 10; i++)
        sends(ACK, .len = 1000);
    after(100);
    peer_forget(p);
    holds_equal(status_of(rcv_wnd), 0);
    for (int i = 1; i < 1000; i++) {
        reads(1);
        expects_silence();
        sends(ACK, .seq = IRS + 10000); /* asked, it tells no window that is not worth telling */
        expects(ACK, .ack = IRS + 10001, .wnd = ZERO);
        after(500);
    }
    reads(1);
    expects(ACK, .ack = IRS + 10001, .wnd = 1000);
}

/* RX-17: RFC 1122 4.2.2.13 and hf_recv: what was unread first, then the error once, then 0. */
TEST(text_before_a_reset_is_read_and_then_the_error)
{
    establish_active();
    sends(ACK, .len = 100);
    peer_forget(p);
    sends(RST, .seq = IRS + 101);
    expects_event(HF_CLOSED_EVENT);
    reads(100);
    reads_result(HF_ERR_RESET);
    reads_result(0);
    on(1);
    establish_active();
    sends(FIN | ACK, .len = 100);
    peer_forget(p);
    sends(RST, .seq = IRS + 102);
    reads(100); /* all of it, up to the end that the peer had told */
    reads_result(HF_ERR_RESET);
    reads_result(0);
}

/* RX-17: RFC 2525 2.17; and nothing is lost of what was read in time. */
TEST(closing_with_text_unread_resets_and_with_none_does_not)
{
    establish_active();
    sends(FIN | ACK, .len = 100);
    peer_forget(p);
    reads(99);
    releases();
    expects(RST | ACK, .seq = ISS + 1, .ack = IRS + 102);
    on(1);
    establish_active();
    sends(FIN | ACK, .len = 100);
    peer_forget(p);
    reads(100);
    reads_result(0);
    releases();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 102);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(of_octets_that_come_twice_with_different_content_the_first_copy_is_delivered),
        BOTH(copies_that_are_alike_are_not_counted),
        V4(a_longer_copy_of_what_was_trimmed_at_the_edge_is_trimmed_as_well),
        BOTH(of_a_segment_across_both_edges_of_the_window_the_middle_is_taken),
        V4(of_a_segment_across_both_edges_of_a_closed_window_nothing_is_taken),
        BOTH(a_syn_among_the_text_takes_no_number_in_any_state),
        BOTH(the_first_fin_ends_the_text_and_what_lies_behind_it_is_ignored),
        V4(a_fin_before_text_that_is_held_already_is_none),
        V4(a_fin_outside_the_window_is_none_and_comes_again),
        V4(at_a_closed_window_probes_are_answered_and_acks_taken),
        V4(at_a_closed_window_a_fin_that_is_due_is_taken),
        V4(at_a_closed_window_a_reset_that_is_due_is_obeyed),
        V4(who_reads_octet_by_octet_does_not_open_the_window_octet_by_octet),
        V4(text_before_a_reset_is_read_and_then_the_error),
        V4(closing_with_text_unread_resets_and_with_none_does_not),
    };
    return cmocka_run_group_tests_name("receive queue", tests, NULL, NULL);
}
