/* RFC 9293 section 3.5 with RFC 7413 section 4.2: SYNs that cross, ours with text. */
#include "tcp/fast_open_client.h"

static void opens_without_cookie(struct peer *p)
{
    p->config.policy.fast_open |= HF_FAST_OPEN_CLIENT_NO_COOKIE;
    opens_fast(p, HF_FAST_OPEN_ON);
}

/* A SYN with text, of n octets that were given. */
static void begins_with(struct peer *p, uint32_t n)
{
    opens_without_cookie(p);
    queues(p, n);
    expects(SYN, .seq = ISS, .len = min_u32(n, ROOM));
}

static void syns_cross(struct peer *p)
{
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    after(50);
}

/* The text on a SYN is lost, and goes once it is open. */
static void loses_text(struct peer *p)
{
    begins_with(p, 100);
    expects_after(950, 1050, SYN, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true);
    expects(ACK, .len = 100);
    sends(ACK, .ack = ISS + 101);
}

/* RFC7413-24: nothing says that it was lost. */
TEST(text_that_the_answer_to_a_crossed_syn_leaves_goes_again_at_once)
{
    begins_with(p, 3000);
    syns_cross(p);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true);
    expects(PSH | ACK, .seq = ISS + 1, .ack = IRS + 1, .len = ROOM);
    expects(ACK, .seq = ISS + 1 + ROOM, .ack = IRS + 1, .len = 1460);
    expects(ACK, .seq = ISS + 1461 + ROOM, .ack = IRS + 1, .len = 120);
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(cwnd) / 1460, 10);
    holds_equal(status_of(fast_open), 0);
    holds_equal(info_of(fastopen_client_fail), HF_FAST_OPEN_DATA_NOT_ACKED);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 3001);
    holds_equal(status_of(queued_bytes), 0);
    after(2000);
    expects_silence();
}

/* RFC 3168 6.1.1: ECE there agrees to ECN, and is no echo of a mark on the text. */
TEST(the_syn_ack_of_a_peer_whose_syn_has_crossed_tells_of_no_mark)
{
    p->config.policy.ecn = HF_ECN_ASK;
    opens_without_cookie(p);
    queues(p, 100);
    expects(SYN | CWR | ECE, .seq = ISS, .len = 100);
    sends(SYN | CWR | ECE, .seq = IRS, .mss = 1460, .sackok = true);
    expects(SYN | ACK | ECE, .seq = ISS, .ack = IRS + 1);
    after(50);
    sends(SYN | ACK | ECE, .seq = IRS, .ack = ISS + 101, .mss = 1460, .sackok = true);
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(ecn), HF_ECN_CLASSIC);
    holds_equal(status_of(ce_delivered), 0);
    holds_equal(status_of(ssthresh), UINT32_MAX);
}

/* The peer's SYN,ACK was lost, and what comes is behind it; or it comes with text. */
TEST(whatever_opens_where_syns_have_crossed_brings_the_text)
{
    begins_with(p, 100);
    syns_cross(p);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 100);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 101);
    on(1);
    begins_with(p, 100);
    syns_cross(p);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true, .len = 10);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 11, .len = 100);
    expects_silence();
    on(2);
    begins_with(p, 100);
    syns_cross(p);
    closes(); /* text first, then the FIN */
    expects_silence();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 100);
    expects(FIN | ACK, .seq = ISS + 101, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 102);
    expects_state(HF_FIN_WAIT_2);
}

/* RFC 7413 4.1.3: it has come through. */
TEST(text_that_is_acknowledged_where_syns_have_crossed_ends_the_count_of_losses)
{
    loses_text(p);
    on(1);
    begins_with(p, 100);
    syns_cross(p);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 101, .mss = 1460, .sackok = true);
    expects(ACK, .seq = ISS + 101, .ack = IRS + 1);
    holds_equal(status_of(fast_open), HF_FO_SYN_DATA);
    holds_equal(info_of(fastopen_client_fail), HF_FAST_OPEN_NO_FAIL);
    on(2);
    loses_text(p);
    on(3);
    begins_with(p, 100);
}

/* What is acknowledged may be our SYN,ACK. */
TEST(text_that_is_left_where_syns_have_crossed_says_nothing_of_losses)
{
    loses_text(p);
    on(1);
    begins_with(p, 100);
    syns_cross(p);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 100);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 101);
    on(2);
    begins_with(p, 100);
    syns_cross(p);
    expects_after(900, 1100, SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 100);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 101);
    on(3);
    loses_text(p);
    on(4);
    opens_without_cookie(p); /* two were lost, one behind the other */
    holds_equal(hf_fast_open_room(p->stack, &p->env, p->c->handle), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(text_that_the_answer_to_a_crossed_syn_leaves_goes_again_at_once),
        BOTH(the_syn_ack_of_a_peer_whose_syn_has_crossed_tells_of_no_mark),
        BOTH(whatever_opens_where_syns_have_crossed_brings_the_text),
        BOTH(text_that_is_acknowledged_where_syns_have_crossed_ends_the_count_of_losses),
        BOTH(text_that_is_left_where_syns_have_crossed_says_nothing_of_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
