/* RFC 7413 section 4.2: TCP Fast Open, the server's connections. */
#include "tcp/fast_open.h"

TEST(a_good_cookie_delivers_the_text_before_the_handshake_ends)
{
    listens_fast(p);
    opens_fast(p, cookie_of(p));
    peer_events(p);
    holds(p->listener_events & HF_ACCEPTED);
    accepts();
    expects_state(HF_SYN_RECEIVED);
    expects_event(HF_READABLE);
    reads(100);
    holds_equal(status_of(fast_open), HF_FO_SYN_DATA | HF_FO_CHILD);
    holds_equal(peer_count(p, HF_V_FAST_OPEN), 1);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 50);
    expects(ACK, .ack = IRS + 151);
    expects_state(HF_ESTABLISHED);
    expects_no_event(HF_CONNECTED);
    reads(50);
}

TEST(a_good_cookie_without_text_gives_a_connection_that_can_be_written_to)
{
    listens_fast(p);
    sends(SYN, .seq = IRS, .mss = 1460, .fo = cookie_of(p));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    accepts();
    holds_equal(status_of(fast_open), HF_FO_CHILD);
    reads_result(HF_ERR_WOULD_BLOCK);
    writes(100);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 100);
    sends(ACK, .len = 10);
    expects(ACK, .ack = IRS + 11);
    reads(10);
}

/* HF_RECEIVE_WINDOW: "unread and missing data promised at most". */
TEST(a_window_set_before_the_syn_ack_leaves_counts_the_text_of_the_syn)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460, .len = 1000, .fo = cookie);
    peer_batch_goes_in(p);
    holds_equal(hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL), HF_OK);
    holds_equal(hf_set_option(p->stack, &p->env, p->c->handle, HF_RECEIVE_WINDOW, 1000), HF_OK);
    batch_ends();
    holds_equal(status_of(rcv_wnd), 0);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1001);
    reads(1000);
}

/* Nothing could be told while the SYN,ACK was not acknowledged: the client shall not have to ask.
 */
TEST(a_window_that_the_text_of_the_syn_closed_is_told_once_it_is_open)
{
    listens_fast(p);
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_RECEIVE_WINDOW, 1000));
    sends(SYN, .seq = IRS, .mss = 1460, .len = 1000, .fo = cookie_of(p));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1001, .wnd = ZERO);
    accepts();
    reads(1000);
    expects_silence();
    sends(ACK, .seq = IRS + 1001, .ack = ISS + 1);
    expects_state(HF_ESTABLISHED);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1001, .wnd = 1000);
    after(2000);
    expects_silence();
}

TEST(a_window_that_is_open_enough_is_not_told_when_the_handshake_ends)
{
    static const int lengths[] = {100, 1420};
    listens_fast(p);
    const char *cookie = cookie_of(p);
    for (int i = 0; i < 6; i++) {
        on(i);
        if (i == 2)
            calls(hf_set_option(p->stack, &p->env, p->listener, HF_RECEIVE_WINDOW, 65535));
        if (i == 4)
            calls(hf_set_option(p->stack, &p->env, p->listener, HF_RECEIVE_WINDOW, 4096));
        int len = lengths[i % 2];
        sends(SYN, .seq = IRS, .mss = 1460, .len = len, .wscale = SHIFT(7), .fo = cookie);
        expects(SYN | ACK, .seq = ISS, .ack = IRS + 1 + len);
        accepts();
        reads(len);
        sends(ACK, .seq = IRS + 1 + len, .ack = ISS + 1);
        expects_state(HF_ESTABLISHED);
        after(1000);
        expects_silence();
    }
}

/* RFC 5681 4.2: an ACK for each second full segment, and none is larger than the SYN,ACK said. */
TEST(a_syn_ack_with_a_smaller_mss_makes_full_segments_smaller)
{
    uint8_t router[16];
    p->config.policy.quick_acks = 0;
    listens_fast(p);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 10, .fo = cookie_of(p));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 11, .options = "mss 1460");
    accepts();
    writes(1460);
    expects(ACK, .len = 1460);
    memcpy(router, p->peer_ip, 16);
    router[15] = 99;
    peer_icmp_error(p, router, ICMP4_UNREACHABLE, 4, 740, ISS + 1);
    after(1100);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 11, .options = "mss 700");
    peer_forget(p);
    sends(ACK, .seq = IRS + 11, .ack = ISS + 1, .len = 700);
    peer_forget(p);
    sends(ACK, .seq = IRS + 711, .ack = ISS + 1, .len = 700);
    expects(ACK, .ack = IRS + 1411);
}

/* ST-18 */
TEST(text_goes_out_behind_the_syn_ack_up_to_the_initial_window)
{
    listens_fast(p);
    sends(SYN, .seq = IRS, .mss = 1000, .len = 10, .fo = cookie_of(p));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 11);
    accepts();
    writes(20000);
    for (int i = 0; i < 10; i++)
        expects(ACK, .seq = ISS + 1 + 1000 * i, .ack = IRS + 11, .len = 1000);
    expects_silence();
    sends(ACK, .seq = IRS + 11, .ack = ISS + 1);
    expects_state(HF_ESTABLISHED);
    sends(ACK, .ack = ISS + 5001);
    for (int i = 10; i < 20; i++)
        expects(ACK, .seq = ISS + 1 + 1000 * i, .len = 1000);
}

TEST(text_behind_the_syn_ack_keeps_within_the_window_of_the_syn)
{
    listens_fast(p);
    sends(SYN, .seq = IRS, .mss = 1000, .len = 10, .wnd = 2000, .wscale = SHIFT(7),
          .fo = cookie_of(p));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 11);
    accepts();
    writes(5000);
    expects(ACK, .seq = ISS + 1, .len = 1000);
    expects(ACK, .seq = ISS + 1001, .len = 1000);
    after(100);
    expects_silence();
}

TEST(the_window_behind_the_syn_ack_is_scaled_and_does_not_shrink)
{
    listens_fast(p);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 1000, .wscale = SHIFT(7), .fo = cookie_of(p));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1001, .wnd = 65535);
    accepts();
    writes(10);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1001, .wnd = 256, .len = 10);
    reads(1000);
    sends(ACK, .len = 10); /* open: half the buffer can be told */
    expects(ACK, .ack = IRS + 1011, .wnd = (270000 - 10) / 256);
}

TEST(the_syn_ack_is_repeated_without_text_and_without_option)
{
    static const uint8_t old_key[16] = "an old key......", new_key[16] = "a new key.......";
    listens_fast(p);
    calls(hf_fast_open_keys(p->stack, &p->env, 0, old_key, NULL));
    const char *cookie = cookie_of(p);
    calls(hf_fast_open_keys(p->stack, &p->env, 0, new_key, old_key));
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds_equal(seen->seg.ack.v, p->c->irs + 101);
    holds_equal(seen->seg.opt.fo_len, 8); /* one of the new key */
    peer_taken(p, seen);
    accepts();
    writes(500);
    expects(ACK, .seq = ISS + 1, .len = 500);
    expects_after(900, 1100, SYN | ACK, .seq = ISS, .ack = IRS + 101, .options = "mss 1460");
    sends(SYN, .seq = IRS, .mss = 1460); /* so is the one that answers the SYN again */
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 101, .options = "mss 1460");
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460, .fo = "");
    peer_forget(p);
    expects_after(900, 1100, SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
}

TEST(after_a_lost_syn_ack_the_window_is_one_segment_and_the_text_goes_again)
{
    listens_fast(p);
    opens_fast(p, cookie_of(p));
    accepts();
    writes(4000);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    expects(ACK, .seq = ISS + 1461, .len = 1460);
    expects(ACK, .seq = ISS + 2921, .len = 1080);
    expects_after(900, 1100, SYN | ACK, .seq = ISS, .ack = IRS + 101);
    holds_equal(status_of(cwnd) / 1460, 10);
    expects_after(1900, 2100, SYN | ACK, .seq = ISS, .ack = IRS + 101);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1);
    holds_equal(status_of(cwnd) / 1460, 1);
    expects_after(1000, 3100, ACK, .seq = ISS + 1, .len = 1460);
}

/* ST-18 */
TEST(closing_the_listener_resets_pending_connections)
{
    listens_fast(p);
    opens_fast(p, cookie_of(p));
    calls(hf_close(p->stack, &p->env, p->listener));
    expects(RST | ACK, .seq = ISS + 1, .ack = IRS + 101);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
}

/* ST-18 */
TEST(a_child_outlives_its_listener_and_disturbs_no_other)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    opens_fast(p, cookie);
    accepts();
    calls(hf_close(p->stack, &p->env, p->listener));
    expects_silence();
    p->listener = 0;
    listens_fast(p); /* in the same place */
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1);
    reads(100);
    for (int i = 1; i <= LIMIT; i++) { /* the new one has its whole number, not one more */
        on(i);
        opens_fast(p, cookie);
    }
    on(LIMIT + 1);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
}

TEST(a_child_that_is_reset_before_it_is_accepted_can_still_be_read)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    opens_fast(p, cookie);
    sends(RST | ACK, .seq = IRS + 101, .ack = ISS + 1);
    accepts();
    expects_state(HF_CLOSED);
    holds_equal(status_of(fast_open) & HF_FO_SYN_DATA, HF_FO_SYN_DATA);
    expects_event(HF_CLOSED_EVENT);
    reads(100);
    reads_result(HF_ERR_RESET);
    reads_result(0);
    releases();
    on(1); /* without text nobody needs it */
    sends(SYN, .seq = IRS, .mss = 1460, .fo = cookie);
    expects(SYN | ACK);
    sends(RST, .seq = IRS + 1);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
}

TEST(a_connection_with_text_that_is_reset_before_it_is_accepted_can_still_be_read)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10);
    expects(ACK);
    sends(RST, .seq = IRS + 11);
    accepts();
    refuses(HF_ERR_RESET, hf_send(p->stack, &p->env, p->c->handle, "x", 1, 0));
    reads(10);
    reads_result(0); /* the error was told */
    releases();
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10);
    expects(ACK);
    sends(RST, .seq = IRS + 11);
    calls(hf_close(p->stack, &p->env, p->listener)); /* and goes with the listener */
    expects_silence();
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.connections, 0);
}

TEST(a_child_that_is_reset_after_it_was_accepted_tells_it)
{
    listens_fast(p);
    opens_fast(p, cookie_of(p));
    accepts();
    sends(RST | ACK, .seq = IRS + 101, .ack = ISS + 1);
    refuses(HF_ERR_RESET, hf_send(p->stack, &p->env, p->c->handle, "x", 1, 0));
    expects_closed(HF_ERR_RESET);
    releases();
    expects_silence();
}

TEST(a_fin_right_behind_the_syn_closes_one_way)
{
    listens_fast(p);
    opens_fast(p, cookie_of(p));
    sends(FIN | ACK, .seq = IRS + 101, .ack = ISS + 1);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 102);
    accepts();
    expects_state(HF_CLOSE_WAIT);
    reads(100);
    reads_result(0);
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 102);
}

TEST(a_fin_on_the_syn_itself_is_left_to_come_again)
{
    listens_fast(p);
    sends(SYN | FIN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie_of(p));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 101);
    accepts();
    sends(FIN | ACK, .seq = IRS + 101, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 102);
    expects_state(HF_CLOSE_WAIT);
}

TEST(a_child_may_close_before_its_syn_ack_is_acknowledged)
{
    listens_fast(p);
    opens_fast(p, cookie_of(p));
    accepts();
    reads(100);
    writes(10);
    expects(ACK, .seq = ISS + 1, .len = 10);
    closes();
    sends(ACK, .seq = IRS + 101, .ack = ISS + 11);
    expects(FIN | ACK, .seq = ISS + 11, .ack = IRS + 101);
    sends(FIN | ACK, .seq = IRS + 101, .ack = ISS + 12);
    expects(ACK, .ack = IRS + 102);
    expects_state(HF_TIME_WAIT);
}

/* RFC7413-18, MUST-20: what cannot leave is tried again, and given up in its time. */
TEST(a_child_whose_syn_ack_never_leaves_is_given_up)
{
    p->config.max_tokens = 1;
    listens_fast(p);
    const char *cookie = cookie_of(p);
    p->hold_done = true;
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK); /* the one frame that may be out */
    on(0);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects_silence();
    accepts();
    expects_state(HF_SYN_RECEIVED);
    after(300000);
    expects_silence();
    expects_closed(HF_ERR_TIMED_OUT);
}

/* RFC7413-18: the SYN's text is taken as far as there is room for it. */
TEST(text_of_the_syn_beyond_the_buffer_is_left_to_come_again)
{
    p->config.policy.receive_window = 1000;
    listens_fast(p);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 1400, .fo = cookie_of(p));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1001, .wnd = ZERO);
    accepts();
    reads(1000);
    reads_result(HF_ERR_WOULD_BLOCK);
}

TEST(a_child_released_with_unread_text_is_reset)
{
    listens_fast(p);
    opens_fast(p, cookie_of(p));
    accepts();
    releases();
    expects(RST | ACK, .seq = ISS + 1, .ack = IRS + 101);
}

TEST(a_syn_that_comes_again_is_answered_again_and_its_text_not_taken_twice)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    opens_fast(p, cookie);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 101);
    accepts();
    reads(100);
    reads_result(HF_ERR_WOULD_BLOCK);
}

TEST(a_copy_of_the_syn_after_the_end_is_delivered_again)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    for (int i = 0; i < 2; i++) {
        new_incarnation(100);
        opens_fast(p, cookie);
        accepts();
        reads(100);
        sends(RST, .seq = IRS + 101);
        expects_closed(HF_ERR_RESET);
        releases();
    }
}

TEST(without_a_record_for_the_text_a_syn_is_as_any_other)
{
    p->config.max_connections = 16;
    p->config.max_active = 1;
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_FAST_OPEN, LIMIT));
    const char *cookie = cookie_of(p);
    opens_fast(p, cookie);
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.connections, 1);
    holds_equal(counters.half_open, 1);
}

TEST(a_syn_that_ends_time_wait_opens_as_any_other)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    establish_passive();
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK);
    expects(ACK);
    releases();
    new_incarnation(p->c->nxt + 1000);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects(SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
}

static void note_fast_open(void *arg, const struct hf_trace *record)
{
    hf_handle *handle = arg;
    if (record->kind == HF_TRACE_IN && record->verdict == HF_V_FAST_OPEN)
        *handle = record->handle;
}

/* There was none before that segment. */
TEST(the_trace_of_the_syn_names_the_connection_that_it_makes)
{
    hf_handle told = 0;
    listens_fast(p);
    const char *cookie = cookie_of(p);
    const struct hf_env env = p->env;
    p->env.trace = note_fast_open;
    p->env.trace_arg = &told;
    opens_fast(p, cookie);
    p->env = env;
    accepts();
    holds(told == p->c->handle);
}

/* The newest SYN in, SYN,ACK out, and call. */
static struct hf_trace syn_in, syn_ack_out, call;
static hf_trace_fn *also;
static void *also_arg;

static void note_syns(void *arg, const struct hf_trace *record)
{
    (void)arg;
    syn_in = record->kind == HF_TRACE_IN && (record->ctl & SYN) ? *record : syn_in;
    syn_ack_out = record->kind == HF_TRACE_OUT && (record->ctl & SYN) ? *record : syn_ack_out;
    call = record->kind == HF_TRACE_CALL ? *record : call;
    also(also_arg, record);
}

/* RFC 7413 4.1.1: the option, and the interface, as the records tell them. */
TEST(the_trace_tells_a_cookie_request_the_cookie_and_where_they_passed)
{
    listens_fast(p);
    also = p->env.trace;
    also_arg = p->env.trace_arg;
    p->env.trace = note_syns;
    const char *cookie = cookie_of(p);
    holds_equal(syn_in.fast_open_kind, 34);
    holds_equal(syn_in.fast_open_bytes, 0);
    holds_equal(syn_ack_out.fast_open_kind, 34);
    holds_equal(syn_ack_out.fast_open_bytes, 8);
    holds_equal(syn_in.iface, p->iface);
    holds_equal(syn_ack_out.iface, p->iface);
    opens_fast(p, cookie);
    holds_equal(syn_in.fast_open_kind, 34);
    holds_equal(syn_in.fast_open_bytes, 8);
    holds_equal(syn_ack_out.fast_open_kind, 0);
    holds_equal(syn_ack_out.iface, p->iface);
    accepts();
    closes();
    holds_equal(call.cause, HF_CALL_CLOSE);
    holds_equal(call.iface, 0);
    expects(FIN | ACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_good_cookie_delivers_the_text_before_the_handshake_ends),
        BOTH(the_trace_tells_a_cookie_request_the_cookie_and_where_they_passed),
        BOTH(a_good_cookie_without_text_gives_a_connection_that_can_be_written_to),
        BOTH(a_window_set_before_the_syn_ack_leaves_counts_the_text_of_the_syn),
        BOTH(a_window_that_the_text_of_the_syn_closed_is_told_once_it_is_open),
        BOTH(a_window_that_is_open_enough_is_not_told_when_the_handshake_ends),
        V4(a_syn_ack_with_a_smaller_mss_makes_full_segments_smaller),
        BOTH(text_goes_out_behind_the_syn_ack_up_to_the_initial_window),
        BOTH(text_behind_the_syn_ack_keeps_within_the_window_of_the_syn),
        BOTH(the_window_behind_the_syn_ack_is_scaled_and_does_not_shrink),
        BOTH(the_syn_ack_is_repeated_without_text_and_without_option),
        BOTH(after_a_lost_syn_ack_the_window_is_one_segment_and_the_text_goes_again),
        BOTH(closing_the_listener_resets_pending_connections),
        BOTH(a_child_outlives_its_listener_and_disturbs_no_other),
        BOTH(a_child_that_is_reset_before_it_is_accepted_can_still_be_read),
        BOTH(a_connection_with_text_that_is_reset_before_it_is_accepted_can_still_be_read),
        BOTH(a_child_that_is_reset_after_it_was_accepted_tells_it),
        BOTH(a_fin_right_behind_the_syn_closes_one_way),
        BOTH(a_fin_on_the_syn_itself_is_left_to_come_again),
        BOTH(a_child_may_close_before_its_syn_ack_is_acknowledged),
        BOTH(a_child_whose_syn_ack_never_leaves_is_given_up),
        BOTH(text_of_the_syn_beyond_the_buffer_is_left_to_come_again),
        BOTH(a_child_released_with_unread_text_is_reset),
        BOTH(a_syn_that_comes_again_is_answered_again_and_its_text_not_taken_twice),
        BOTH(a_copy_of_the_syn_after_the_end_is_delivered_again),
        BOTH(without_a_record_for_the_text_a_syn_is_as_any_other),
        BOTH(a_syn_that_ends_time_wait_opens_as_any_other),
        V4(the_trace_of_the_syn_names_the_connection_that_it_makes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
