/* Several SYNs with one number, or records of one SYN, before any answer leaves: whose is it?  Each
 * test's records are judged. */
#include "batches.h"

TEST(the_same_syn_is_answered_twice_when_its_first_half_open_connection_went_in_between)
{
    p->wild = true;
    listens();
    batch_begins();
    half_open_and_back(p);
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true);
    batch_ends();
    expects(SYN | ACK, .ack = IRS + 1);
    expects(SYN | ACK, .ack = IRS + 1);
    settles(p);
    holds_equal(peer_count(p, HF_V_SYN_BACK_TO_LISTEN), 1);
    holds_equal(peer_count(p, HF_V_HANDSHAKE), 2);
}

TEST(each_copy_of_a_syn_has_a_syn_ack_of_its_own_where_there_is_no_limit)
{
    p->config.policy.challenge_ack_ms = 0;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    batch_begins();
    for (int i = 0; i < 3; i++)
        sends(SYN, .seq = IRS, .mss = 1460);
    batch_ends();
    for (int i = 0; i < 3; i++)
        expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    expects_silence();
}

TEST(of_two_syns_with_one_number_the_first_may_have_offered_more)
{
    p->wild = true;
    listens();
    batch_begins();
    half_open_and_back(p);
    sends(SYN, .seq = IRS, .mss = 1460);
    batch_ends();
    expects(SYN | ACK, .ack = IRS + 1, .sackok = true);
    expects(SYN | ACK, .ack = IRS + 1);
    after(10);
    holds_equal(peer_count(p, HF_V_HANDSHAKE), 2);
}

TEST(of_two_records_of_one_syn_each_has_an_ack_behind_its_syn_ack)
{
    p->wild = true;
    listens();
    batch_begins();
    for (int i = 0; i < 2; i++) {
        if (i)
            sends(SYN, .seq = IRS + 1500, .mss = 1460);
        sends(SYN, .seq = IRS, .mss = 1460);
        sends(SYN, .seq = IRS - 1000, .mss = 1460); /* old: an ACK */
    }
    batch_ends();
    for (int i = 0; i < 2; i++) {
        expects(SYN | ACK, .ack = IRS + 1);
        expects(ACK, .ack = IRS + 1);
    }
    holds_equal(peer_count(p, HF_V_DROP_OLD_DUPLICATE), 2);
}

TEST(of_two_records_of_one_syn_each_echoes_the_timestamp_of_its_own)
{
    p->wild = true;
    listens();
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1000);
    sends(SYN, .seq = IRS + 20, .mss = 1460, .tsval = 1001);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1002);
    sends(0, .seq = IRS + 1, .tsval = 1003); /* ends where the numbers are known */
    sends(FIN | ACK, .seq = IRS + 70000, .ack = ZERO, .tsval = 1004); /* outside: an ACK */
    batch_ends();
    expects(SYN | ACK, .ack = IRS + 1, .tsecr = 1000);
    expects(SYN | ACK, .ack = IRS + 1, .tsecr = 1002);
    settles(p);
    holds_equal(peer_count(p, HF_V_DROP_NO_ACK), 1);
}

TEST(of_two_records_of_one_syn_each_ack_echoes_what_its_own_record_had)
{
    p->wild = true;
    listens();
    batch_begins();
    for (int i = 0; i < 2; i++) {
        sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1000 + 3 * i);
        sends(SYN, .seq = IRS - 1000, .tsval = 1001 + 3 * i); /* old: an ACK */
        if (i == 0)
            sends(SYN, .seq = IRS + 20, .tsval = 1002); /* back to LISTEN */
    }
    batch_ends();
    for (int i = 0; i < 2; i++) {
        expects(SYN | ACK, .ack = IRS + 1, .tsecr = 1000 + 3 * i);
        expects(ACK, .ack = IRS + 1, .tsecr = 1000 + 3 * i);
    }
    holds_equal(peer_count(p, HF_V_DROP_OLD_DUPLICATE), 2);
}

TEST(an_ack_and_a_repeated_syn_ack_may_leave_when_their_connection_is_open)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    batch_begins();
    sends(ACK, .seq = IRS + 70000, .ack = ISS + 1, .len = 5); /* outside: an ACK */
    sends(SYN, .seq = IRS, .mss = 1460);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    batch_ends();
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    expects_silence();
    accepts();
}

TEST(each_record_of_one_syn_may_have_an_iss_of_its_own)
{
    p->wild = true;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .ack = IRS + 1);
    after(5);
    batch_begins();
    for (int i = 0; i < 3; i++) {
        sends(SYN, .seq = IRS, .mss = 1460);
        if (i < 2)
            sends(SYN, .seq = IRS + 20, .mss = 1460);
    }
    batch_ends();
    settles(p);
    holds_equal(peer_count(p, HF_V_SYN_AGAIN), 1);
    holds_equal(peer_count(p, HF_V_SYN_BACK_TO_LISTEN), 2);
    holds_equal(peer_count(p, HF_V_HANDSHAKE), 3);
}

TEST(of_several_half_open_connections_that_are_gone_each_may_still_answer)
{
    p->wild = true;
    listens();
    batch_begins();
    sends(SYN, .seq = IRS + 1000, .mss = 1460);
    sends(SYN, .seq = IRS, .mss = 1460); /* old: an ACK */
    sends(SYN, .seq = IRS + 1500, .mss = 1460);
    half_open_and_back(p);
    sends(SYN, .seq = IRS + 1500, .mss = 1460);
    sends(SYN, .seq = IRS + 1500, .mss = 1460);
    batch_ends();
    expects(SYN | ACK, .ack = IRS + 1001);
    expects(ACK, .ack = IRS + 1001);
    settles(p);
    holds_equal(peer_count(p, HF_V_SYN_BACK_TO_LISTEN), 2);
}

TEST(of_two_records_of_one_syn_each_has_acks_of_its_own)
{
    p->wild = true;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    after(1);
    batch_begins();
    sends(SYN, .seq = IRS - 1000, .mss = 1460); /* old: an ACK */
    sends(SYN, .seq = IRS + 20, .mss = 1460);
    sends(SYN, .seq = IRS, .mss = 1460);
    sends(SYN, .seq = IRS - 1000, .mss = 1460);
    batch_ends();
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    settles(p);
    holds_equal(peer_count(p, HF_V_SYN_BACK_TO_LISTEN), 1);
    holds_equal(peer_count(p, HF_V_HANDSHAKE), 2);
}

TEST(of_two_syns_with_one_number_the_first_may_have_been_given_the_larger_window)
{
    p->wild = true;
    listens();
    batch_begins();
    half_open_and_back(p);
    peer_batch_goes_in(p);
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_RECEIVE_WINDOW, 116));
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true);
    sends(ACK, .seq = IRS + 70000, .ack = 1);
    batch_ends();
    expects(SYN | ACK, .ack = IRS + 1, .wnd = 65535);
    expects(SYN | ACK, .ack = IRS + 1, .wnd = 116);
    settles(p);
    holds_equal(peer_count(p, HF_V_DROP_OUT_OF_WINDOW), 1);
}

/* All in one instant, so that both have one ISS. */
TEST(of_two_records_of_one_syn_the_older_answers_first)
{
    p->wild = true;
    listens();
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460);
    sends(SYN, .seq = IRS + 20, .mss = 1460);
    peer_batch_goes_in(p);
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_RECEIVE_WINDOW, 116));
    sends(SYN, .seq = IRS, .mss = 1460);
    batch_ends();
    expects(SYN | ACK, .ack = IRS + 1, .wnd = 65535);
    expects(SYN | ACK, .ack = IRS + 1, .wnd = 116);
    sends(SYN, .seq = IRS + 1000, .mss = 1460);
    settles(p);
    holds_equal(peer_count(p, HF_V_DROP_OUT_OF_WINDOW), 1);
}

TEST(of_two_records_of_one_syn_another_one_may_have_been_between)
{
    p->wild = true;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    after(100);
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460);
    sends(SYN, .seq = IRS + 700, .mss = 1460);
    sends(SYN, .seq = IRS + 700, .mss = 1460);
    sends(SYN, .seq = IRS + 800, .mss = 1460);
    sends(SYN, .seq = IRS, .mss = 1460); /* 100 ms after the first: a larger ISS */
    batch_ends();
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    expects(SYN | ACK, .ack = IRS + 701);
    settles(p);
    holds_equal(peer_count(p, HF_V_SYN_BACK_TO_LISTEN), 2);
    holds_equal(peer_count(p, HF_V_HANDSHAKE), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(the_same_syn_is_answered_twice_when_its_first_half_open_connection_went_in_between),
        V4(each_copy_of_a_syn_has_a_syn_ack_of_its_own_where_there_is_no_limit),
        V4(of_two_syns_with_one_number_the_first_may_have_offered_more),
        V4(of_two_syns_with_one_number_the_first_may_have_been_given_the_larger_window),
        V4(of_two_records_of_one_syn_each_has_acks_of_its_own),
        V4(of_two_records_of_one_syn_the_older_answers_first),
        V4(of_two_records_of_one_syn_another_one_may_have_been_between),
        V4(of_two_records_of_one_syn_each_has_an_ack_behind_its_syn_ack),
        V4(of_two_records_of_one_syn_each_echoes_the_timestamp_of_its_own),
        V4(of_two_records_of_one_syn_each_ack_echoes_what_its_own_record_had),
        V4(an_ack_and_a_repeated_syn_ack_may_leave_when_their_connection_is_open),
        V4(each_record_of_one_syn_may_have_an_iss_of_its_own),
        V4(of_several_half_open_connections_that_are_gone_each_may_still_answer),
    };
    return cmocka_run_group_tests_name("oracle one syn", tests, NULL, NULL);
}
