/* RFC 9293 section 3.4: sequence numbers that pass 2^32 - of the peer, and of the stack, whose
 * clock of initial numbers is waited for (RFC 6528). */
#include "common/peer.h"

/* The next connection's ISS lies this far before 2^32, or a little nearer: 250,000 a second. */
static void wait_for_iss(struct peer *p, uint32_t before)
{
    opens();
    expects(SYN);
    uint32_t to_go = 0 - before - p->c->iss;
    aborts();
    releases();
    new_incarnation(100);
    after(to_go / 250);
    if (p->with.wnd == 0)
        p->with.wnd = 65535;
    establish_active();
    holds(0 - p->c->iss >= before - 500 && 0 - p->c->iss <= before + 500);
}

/* */
TEST(text_sent_across_the_wrap_is_acknowledged_piece_by_piece)
{
    wait_for_iss(p, 5000);
    for (int i = 0; i < 20; i++) {
        writes(1000);
        expects(ACK, .seq = ISS + 1 + 1000 * i, .len = 1000);
        sends(ACK);
        holds_equal(status_of(queued_bytes), 0);
    }
    holds_equal(status_of(bytes_acked), 20000);
    holds(p->c->acks < 20000);
}

TEST(what_is_lost_around_the_wrap_is_sent_again)
{
    p->with.mss = 1000;
    p->with.sackok = true;
    wait_for_iss(p, 5000);
    writes(10000);
    for (int i = 0; i < 10; i++)
        expects(ACK, .seq = ISS + 1 + 1000 * i, .len = 1000);
    sends(ACK, .ack = ISS + 4001, .sack = {{ISS + 5001, ISS + 8001}}); /* the hole is the wrap */
    expects(ACK, .seq = ISS + 4001, .len = 1000);
    expects_silence();
    sends(ACK, .ack = ISS + 8001);
    expects_silence();
    sends(ACK, .ack = ISS + 10001);
    holds_equal(status_of(queued_bytes), 0);
}

TEST(a_fin_on_the_last_number_before_the_wrap_is_acknowledged_by_zero)
{
    p->c->irs = p->c->nxt = 0xfffffff0;
    establish_active();
    sends(ACK, .len = 14);
    expects(ACK, .ack = IRS + 15);
    sends(FIN | ACK, .seq = IRS + 15);
    expects(ACK, .ack = ZERO);
    reads(14);
    reads_result(0);
    closes();
    expects(FIN | ACK, .ack = ZERO);
    sends(ACK, .seq = ZERO);
    expects_closed(HF_OK);
}

TEST(text_received_across_the_wrap_is_put_together_in_any_order)
{
    p->c->irs = p->c->nxt = 0xffffff00;
    p->with.sackok = true;
    establish_active();
    sends(ACK, .seq = IRS + 301, .len = 100);
    expects(ACK, .ack = IRS + 1, .sack = {{IRS + 301, IRS + 401}});
    sends(ACK, .seq = IRS + 201, .len = 100); /* holds 2^32 itself */
    expects(ACK, .ack = IRS + 1, .sack = {{IRS + 201, IRS + 401}});
    sends(ACK, .seq = IRS + 1, .len = 250);
    expects(ACK, .ack = IRS + 401);
    reads(400);
}

TEST(the_window_and_resets_are_judged_across_the_wrap)
{
    p->c->irs = p->c->nxt = 0xffffff00;
    establish_active();
    sends(RST, .seq = IRS + 1000); /* in the window, beyond the wrap */
    expects(ACK, .ack = IRS + 1);
    sends(RST, .seq = IRS + 1 + 70000); /* outside */
    sends(RST, .seq = IRS);
    expects_silence();
    sends(ACK, .len = 300);
    expects(ACK, .ack = IRS + 301);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100); /* old */
    expects(ACK, .ack = IRS + 301);
    sends(RST, .seq = IRS + 301);
    expects_closed(HF_ERR_RESET);
}

TEST(an_open_whose_syn_is_the_last_number_is_acknowledged_by_zero)
{
    p->c->irs = p->c->nxt = 0xffffffff;
    establish_passive();
    sends(ACK, .seq = ZERO, .len = 10);
    expects(ACK, .ack = 10);
    reads(10);
}

TEST(urgent_marks_cross_the_wrap)
{
    p->c->irs = p->c->nxt = 0xffffff00;
    establish_active();
    sends(ACK | URG, .up = 1000);
    expects_event(HF_URGENT);
    sends(ACK, .len = 1000);
    expects(ACK);
    reads(999);
    holds_equal(status_of(urgent), 1);
    reads(1);
    holds_equal(status_of(urgent), 0);
    holds_equal(status_of(bytes_received), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(text_sent_across_the_wrap_is_acknowledged_piece_by_piece),
        V4(what_is_lost_around_the_wrap_is_sent_again),
        V4(a_fin_on_the_last_number_before_the_wrap_is_acknowledged_by_zero),
        V4(text_received_across_the_wrap_is_put_together_in_any_order),
        V4(the_window_and_resets_are_judged_across_the_wrap),
        BOTH(an_open_whose_syn_is_the_last_number_is_acknowledged_by_zero),
        V4(urgent_marks_cross_the_wrap),
    };
    return cmocka_run_group_tests_name("wrap", tests, NULL, NULL);
}
