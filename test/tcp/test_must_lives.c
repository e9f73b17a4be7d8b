/* The scripts of packetdrill that must pass (test/packetdrill/must.txt), replayed in our own terms
 * for machines without packetdrill: opening, reading, closing (RFC 9293 sections 3.5, 3.6, 3.10).
 * Each test names its script. */
#include "common/peer.h"

/* A listener's connection, its handshake's ends `ms` apart. */
static void serves(struct peer *p, int64_t ms, struct seg_spec syn, const char *answer)
{
    listens_with(1, false);
    after(ms);
    peer_sends(p, &syn);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = answer);
    after(ms);
    sends(ACK);
    accepts();
    expects_state(HF_ESTABLISHED);
}

static const struct seg_spec with_sack = {
    .ctl = SYN, .seq = IRS, .wnd = 32792, .mss = 1000, .sackok = true, .wscale = SHIFT(7)};

#define SACK_ANSWER "mss 1460,nop,nop,sackOK,nop,wscale 8"

/* blocking/blocking-accept */
TEST(accept_waits_for_the_last_segment_of_the_handshake)
{
    hf_handle handle;
    listens_with(1, false);
    after(100);
    sends(SYN, .seq = IRS, .wnd = 32792, .mss = 1000, .wscale = SHIFT(7));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460,nop,wscale 8");
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &handle, NULL));
    after(100);
    sends(ACK, .wnd = 257);
    accepts();
    after(100);
    writes(2000);
    expects(ACK, .seq = ISS + 1, .len = 1000);
    expects(ACK | PSH, .seq = ISS + 1001, .len = 1000);
    expects_silence();
}

/* blocking/blocking-connect */
TEST(connect_waits_for_the_syn_ack_and_acknowledges_it)
{
    opens();
    expects(SYN, .seq = ISS, .options = "mss 1460,sackOK,TS,nop,wscale 8");
    expects_no_event(HF_CONNECTED);
    after(100);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .wnd = 5792, .mss = 1460, .wscale = SHIFT(2),
          .sackok = true);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .options = "");
    expects_event(HF_CONNECTED);
}

/* blocking/blocking-read */
TEST(who_waits_to_read_is_told_with_each_arrival)
{
    serves(p, 100, (struct seg_spec){.ctl = SYN, .seq = IRS, .mss = 1000, .wscale = SHIFT(7)},
           "mss 1460,nop,wscale 8");
    reads_result(HF_ERR_WOULD_BLOCK);
    for (int i = 0; i < 2; i++) {
        after(100);
        sends(ACK | PSH, .len = 2000);
        expects(ACK, .ack = IRS + 2001 + i * 2000);
        expects_event(HF_READABLE);
        reads(2000);
    }
    after(100);
    sends(ACK | PSH, .len = 2000);
    expects(ACK, .ack = IRS + 6001);
    reads(1000);
    reads(1000);
    reads_result(HF_ERR_WOULD_BLOCK);
}

/* close/close-local-close-then-remote-fin */
TEST(closing_first_ends_in_time_wait_with_the_peers_fin_acknowledged)
{
    opens();
    expects(SYN);
    after(10);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1000, .wscale = SHIFT(6), .sackok = true);
    expects(ACK);
    writes(1000);
    expects(ACK | PSH, .len = 1000);
    sends(ACK);
    releases();
    expects(FIN | ACK, .seq = ISS + 1001);
    sends(ACK);
    expects_silence();
    sends(FIN | ACK);
    expects(ACK, .seq = ISS + 1002, .ack = IRS + 2);
}

/* close/close-on-syn-sent */
TEST(closing_in_syn_sent_is_silent_and_a_late_syn_ack_is_reset)
{
    opens();
    expects(SYN);
    releases();
    expects_silence();
    after(100);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .wscale = SHIFT(7));
    expects(RST, .seq = ISS + 1, .options = "");
    after(2000);
    expects_silence();
}

/* close/close-remote-fin-then-close */
TEST(closing_second_ends_with_the_ack_and_what_comes_later_is_reset)
{
    serves(p, 0, with_sack, SACK_ANSWER);
    after(10);
    sends(FIN | ACK);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 2);
    reads_result(0);
    after(10);
    releases();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 2);
    after(10);
    sends(ACK, .ack = ISS + 2);
    expects_silence();
    after(10);
    sends(ACK, .ack = ISS + 2);
    expects(RST, .seq = ISS + 2);
}

/* epoll/epoll_in_edge */
TEST(each_arrival_is_told_once_whatever_is_left_unread)
{
    serves(p, 0, with_sack, SACK_ANSWER);
    expects_no_event(HF_READABLE);
    sends(ACK | PSH, .len = 4000);
    expects(ACK, .ack = IRS + 4001);
    expects_event(HF_READABLE);
    expects_no_event(HF_READABLE);
    sends(ACK | PSH, .len = 6000);
    expects(ACK, .ack = IRS + 10001);
    expects_event(HF_READABLE);
    reads(1000);
    expects_no_event(HF_READABLE);
    sends(ACK | PSH, .len = 2000);
    expects(ACK, .ack = IRS + 12001);
    expects_event(HF_READABLE);
    expects_no_event(HF_READABLE);
}

/* ioctl/ioctl-siocinq-fin */
TEST(octets_to_be_read_are_counted_without_the_fin)
{
    serves(p, 100,
           (struct seg_spec){.ctl = SYN, .seq = IRS, .wnd = 20000, .mss = 1000, .sackok = true},
           "mss 1460,nop,nop,sackOK");
    sends(ACK | PSH, .len = 1000);
    expects(ACK, .ack = IRS + 1001);
    holds_equal(status_of(unread_bytes), 1000);
    reads(1000);
    holds_equal(status_of(unread_bytes), 0);
    after(90);
    sends(FIN | ACK | PSH, .len = 1000);
    expects(ACK, .ack = IRS + 2002);
    holds_equal(status_of(unread_bytes), 1000);
    reads(1000);
    holds_equal(status_of(unread_bytes), 0);
    reads_result(0);
}

/* shutdown/shutdown-rd-close: to stop reading is the caller's own affair: the wire does not see it
 */
TEST(who_reads_no_more_still_sends_and_closes_in_order)
{
    serves(p, 0, with_sack, SACK_ANSWER);
    after(20);
    writes(1000);
    expects(ACK | PSH, .seq = ISS + 1, .len = 1000);
    sends(ACK);
    after(10);
    releases();
    expects(FIN | ACK, .seq = ISS + 1001);
    sends(ACK);
    after(10);
    sends(FIN | ACK);
    expects(ACK, .seq = ISS + 1002, .ack = IRS + 2);
}

static void is_half_closed(struct peer *p)
{
    serves(p, 0, with_sack, SACK_ANSWER);
    after(10);
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(ACK, .ack = ISS + 2);
    refuses(HF_ERR_CLOSING, hf_send(p->stack, &p->env, p->c->handle, "x", 1, 0));
    after(10);
}

/* shutdown/shutdown-rdwr-close */
TEST(after_close_nothing_can_be_sent_and_releasing_adds_nothing)
{
    is_half_closed(p);
    releases();
    expects_silence();
    after(10);
    sends(FIN | ACK, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
}

/* shutdown/shutdown-wr-close */
TEST(after_a_half_close_text_is_still_received)
{
    is_half_closed(p);
    sends(ACK, .ack = ISS + 2, .len = 1000);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 1001);
    reads(1000);
    after(10);
    releases();
    expects_silence();
    after(10);
    sends(FIN | ACK, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 1002);
}

/* syscall_bad_arg/syscall-invalid-buf-ptr */
TEST(a_call_without_a_place_for_its_text_changes_nothing)
{
    serves(p, 0, with_sack, SACK_ANSWER);
    refuses(HF_ERR_INVALID, hf_send(p->stack, &p->env, p->c->handle, NULL, 1000, 0));
    holds_equal(status_of(queued_bytes), 0);
    sends(ACK, .len = 1000);
    expects(ACK, .ack = IRS + 1001);
    refuses(HF_ERR_INVALID, hf_recv(p->stack, &p->env, p->c->handle, NULL, 1000));
    reads(1000);
}

/* validate/validate-established-no-flags */
TEST(a_segment_without_any_control_bit_is_dropped_in_silence)
{
    serves(p, 10,
           (struct seg_spec){.ctl = SYN, .seq = IRS, .wnd = 20000, .mss = 1000, .sackok = true},
           "mss 1460,nop,nop,sackOK");
    after(10);
    sends(0, .seq = IRS + 1, .len = 1000);
    expects_silence();
    holds_equal(status_of(unread_bytes), 0);
    after(10);
    sends(ACK, .seq = IRS + 1, .len = 1000);
    expects(ACK, .ack = IRS + 1001);
    holds_equal(status_of(unread_bytes), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(accept_waits_for_the_last_segment_of_the_handshake),
        BOTH(connect_waits_for_the_syn_ack_and_acknowledges_it),
        BOTH(who_waits_to_read_is_told_with_each_arrival),
        BOTH(closing_first_ends_in_time_wait_with_the_peers_fin_acknowledged),
        BOTH(closing_in_syn_sent_is_silent_and_a_late_syn_ack_is_reset),
        BOTH(closing_second_ends_with_the_ack_and_what_comes_later_is_reset),
        BOTH(each_arrival_is_told_once_whatever_is_left_unread),
        BOTH(octets_to_be_read_are_counted_without_the_fin),
        BOTH(who_reads_no_more_still_sends_and_closes_in_order),
        BOTH(after_close_nothing_can_be_sent_and_releasing_adds_nothing),
        BOTH(after_a_half_close_text_is_still_received),
        BOTH(a_call_without_a_place_for_its_text_changes_nothing),
        BOTH(a_segment_without_any_control_bit_is_dropped_in_silence),
    };
    return cmocka_run_group_tests_name("must_lives", tests, NULL, NULL);
}
