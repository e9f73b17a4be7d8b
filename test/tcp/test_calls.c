/* RFC 9293 section 3.10.1 to 3.10.6 and 3.9.1: every user call in every state, options, STATUS. */
#include "common/peer.h"

#include <string.h>

/* A connection in each state ------------------------------------------------------------------- */

static void reach(struct peer *p, enum hf_state state)
{
    if (state == HF_CLOSED) {
        establish_active();
        sends(RST, .seq = IRS + 1);
        return;
    }
    if (state == HF_SYN_SENT || state == HF_SYN_RECEIVED) {
        opens();
        expects(SYN);
        if (state == HF_SYN_SENT)
            return;
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK);
        return;
    }
    establish_active();
    if (state == HF_CLOSE_WAIT || state == HF_LAST_ACK) {
        sends(FIN | ACK, .seq = IRS + 1);
        expects(ACK);
    }
    if (state == HF_ESTABLISHED || state == HF_CLOSE_WAIT)
        return;
    closes();
    expects(FIN | ACK);
    if (state == HF_FIN_WAIT_2)
        sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    if (state == HF_CLOSING || state == HF_TIME_WAIT)
        sends(FIN | ACK, .seq = IRS + 1, .ack = state == HF_CLOSING ? ISS + 1 : ISS + 2);
    if (state == HF_CLOSING || state == HF_TIME_WAIT)
        expects(ACK);
}

#define NONE HF_OK

static const struct {
    enum hf_state state;
    int send, recv, close, abort; /* HF_OK: taken */
} calls_of[] = {
    {HF_CLOSED, HF_ERR_RESET, HF_ERR_RESET, HF_ERR_NOT_CONNECTED, HF_ERR_NOT_CONNECTED},
    {HF_SYN_SENT, NONE, HF_ERR_WOULD_BLOCK, NONE, NONE},
    {HF_SYN_RECEIVED, NONE, HF_ERR_WOULD_BLOCK, NONE, NONE},
    {HF_ESTABLISHED, NONE, HF_ERR_WOULD_BLOCK, NONE, NONE},
    {HF_FIN_WAIT_1, HF_ERR_CLOSING, HF_ERR_WOULD_BLOCK, HF_ERR_CLOSING, NONE},
    {HF_FIN_WAIT_2, HF_ERR_CLOSING, HF_ERR_WOULD_BLOCK, HF_ERR_CLOSING, NONE},
    {HF_CLOSE_WAIT, NONE, 0, NONE, NONE},
    {HF_CLOSING, HF_ERR_CLOSING, 0, HF_ERR_CLOSING, NONE},
    {HF_LAST_ACK, HF_ERR_CLOSING, 0, HF_ERR_CLOSING, NONE},
    {HF_TIME_WAIT, HF_ERR_CLOSING, 0, HF_ERR_CLOSING, NONE},
};

/* Plays one row: each call on a fresh connection. */
static void play_row(struct peer *p, unsigned row)
{
    enum hf_state state = calls_of[row].state;
    uint8_t octet = peer_octet(true, 0);
    for (int call = 0; call < 4; call++) {
        on(call);
        reach(p, state);
        expects_state(state);
        hf_handle h = p->c->handle;
        switch (call) {
        case 0:
            refuses(calls_of[row].send ? calls_of[row].send : 1,
                    hf_send(p->stack, &p->env, h, &octet, 1, 0));
            break;
        case 1:
            refuses(calls_of[row].recv, hf_recv(p->stack, &p->env, h, &octet, 1));
            break;
        case 2:
            refuses(calls_of[row].close, hf_close(p->stack, &p->env, h));
            break;
        default:
            refuses(calls_of[row].abort, hf_abort(p->stack, &p->env, h));
            expects_state(HF_CLOSED);
            break;
        }
        peer_forget(p);
    }
}

#define ROW(name, row)                                                                             \
    TEST(name)                                                                                     \
    {                                                                                              \
        play_row(p, row);                                                                          \
    }

ROW(in_closed_every_call_tells_why_it_ended, 0)
ROW(in_syn_sent_send_and_receive_are_queued_and_close_and_abort_end_it, 1)
ROW(in_syn_received_send_and_receive_are_queued_and_close_and_abort_end_it, 2)
ROW(in_established_every_call_is_taken, 3)
ROW(in_fin_wait_1_only_receive_and_abort_are_taken, 4)
ROW(in_fin_wait_2_only_receive_and_abort_are_taken, 5)
ROW(in_close_wait_send_and_close_are_taken_and_receive_is_at_the_end, 6)
ROW(in_closing_receive_is_at_the_end_and_send_and_close_are_refused, 7)
ROW(in_last_ack_receive_is_at_the_end_and_send_and_close_are_refused, 8)
ROW(in_time_wait_receive_is_at_the_end_and_send_and_close_are_refused, 9)

TEST(an_open_of_a_connection_that_exists_is_refused_in_every_state)
{
    for (unsigned i = 1; i < sizeof calls_of / sizeof *calls_of; i++) {
        hf_handle other;
        struct hf_endpoint here, there;
        reach(p, calls_of[i].state);
        here = peer_here(p, p->c->stack_port);
        there = peer_there(p, p->c->peer_port);
        refuses(HF_ERR_EXISTS, hf_open(p->stack, &p->env, &here, &there, 0, &other));
        aborts();
        releases();
        peer_forget(p);
        new_incarnation(100);
    }
}

/* */
TEST(a_close_in_syn_received_sends_fin_at_once_and_with_text_queued_after_the_open)
{
    reach(p, HF_SYN_RECEIVED);
    closes();
    expects_state(HF_FIN_WAIT_1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 1);
    on(1);
    reach(p, HF_SYN_RECEIVED);
    writes(10);
    closes();
    expects_silence();
    expects_state(HF_SYN_RECEIVED);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(FIN | ACK, .seq = ISS + 1, .len = 10);
    expects_state(HF_FIN_WAIT_1);
}

/* */
TEST(an_abort_in_syn_received_resets)
{
    reach(p, HF_SYN_RECEIVED);
    aborts();
    expects(RST | ACK, .seq = ISS + 1, .ack = IRS + 1);
}

TEST(a_listener_is_no_connection)
{
    uint8_t octet;
    listens();
    hf_handle l = p->listener;
    holds(hf_send(p->stack, &p->env, l, "x", 1, 0) < 0);
    holds(hf_recv(p->stack, &p->env, l, &octet, 1) < 0);
    establish_passive();
    holds(hf_accept(p->stack, &p->env, p->c->handle, &l, NULL) < 0);
    calls(hf_close(p->stack, &p->env, p->listener));
    refuses(HF_ERR_STALE_HANDLE, hf_close(p->stack, &p->env, p->listener));
    expects_state(HF_ESTABLISHED); /* accepted ones live on */
}

TEST(a_stale_handle_is_refused_by_every_call)
{
    struct hf_status status = {.struct_size = sizeof status};
    struct hf_close_reason reason;
    struct hf_slice slice;
    struct hf_icmp_report report;
    uint64_t cookie;
    int64_t value;
    uint8_t octet;
    establish_active();
    hf_handle h = p->c->handle;
    aborts();
    releases();
    expects(RST | ACK);
    new_incarnation(100);
    establish_active(); /* the same record, another generation */
    holds(p->c->handle != h);
    refuses(HF_ERR_STALE_HANDLE, hf_send(p->stack, &p->env, h, "x", 1, 0));
    refuses(HF_ERR_STALE_HANDLE, hf_recv(p->stack, &p->env, h, &octet, 1));
    refuses(HF_ERR_STALE_HANDLE, hf_recv_slices(p->stack, &p->env, h, &slice, 1));
    refuses(HF_ERR_STALE_HANDLE, hf_recv_consume(p->stack, &p->env, h, 1));
    refuses(HF_ERR_STALE_HANDLE, hf_close(p->stack, &p->env, h));
    refuses(HF_ERR_STALE_HANDLE, hf_abort(p->stack, &p->env, h));
    refuses(HF_ERR_STALE_HANDLE, hf_release(p->stack, &p->env, h));
    refuses(HF_ERR_STALE_HANDLE, hf_answer(p->stack, &p->env, h, HF_ANSWER_ACCEPT));
    refuses(HF_ERR_STALE_HANDLE, hf_status(p->stack, &p->env, h, &status));
    refuses(HF_ERR_STALE_HANDLE, hf_close_reason(p->stack, h, &reason));
    refuses(HF_ERR_STALE_HANDLE, hf_error_report(p->stack, h, &report));
    refuses(HF_ERR_STALE_HANDLE, hf_set_option(p->stack, &p->env, h, HF_NODELAY, 1));
    refuses(HF_ERR_STALE_HANDLE, hf_option(p->stack, h, HF_NODELAY, &value));
    refuses(HF_ERR_STALE_HANDLE, hf_set_cookie(p->stack, h, 1));
    refuses(HF_ERR_STALE_HANDLE, hf_cookie(p->stack, h, &cookie));
    refuses(HF_ERR_STALE_HANDLE, hf_send(p->stack, &p->env, 0, "x", 1, 0));
    refuses(HF_ERR_STALE_HANDLE, hf_close(p->stack, &p->env, UINT64_MAX));
    expects_silence();
}

TEST(a_cookie_comes_back_with_each_event)
{
    struct hf_event event;
    uint64_t cookie;
    establish_active();
    calls(hf_set_cookie(p->stack, p->c->handle, 0x123456789abcdef0));
    calls(hf_cookie(p->stack, p->c->handle, &cookie));
    holds(cookie == 0x123456789abcdef0);
    sends(ACK, .len = 1);
    holds_equal(hf_events(p->stack, &p->env, &event, 1), 1);
    holds(event.cookie == 0x123456789abcdef0);
}

/* Options ---------------------------------------------------------------------------------------
 */

#define gets(option, want)                                                                         \
    do {                                                                                           \
        int64_t got_;                                                                              \
        calls(hf_option(p->stack, p->c->handle, option, &got_));                                   \
        holds_equal(got_, want);                                                                   \
    } while (0)
#define refuses_option(error, option, value)                                                       \
    refuses(error, hf_set_option(p->stack, &p->env, p->c->handle, option, value))

TEST(options_read_back_what_was_set)
{
    static const struct {
        enum hf_option option;
        int64_t value;
    } all[] = {{HF_NODELAY, 1},
               {HF_RECEIVE_WINDOW, 12345},
               {HF_SEND_BUFFER, 54321},
               {HF_SEND_LOW_WATER, 100},
               {HF_USER_TIMEOUT, 5000},
               {HF_TTL, 12},
               {HF_TOS, 0xb8},
               {HF_QUICK_ACK, 1},
               {HF_CONGESTION_CONTROL, HF_NEWRENO},
               {HF_CONGESTION_CONTROL, HF_CUBIC}};
    establish_active();
    gets(HF_NODELAY, 0);
    gets(HF_RECEIVE_WINDOW, 270000);
    gets(HF_SEND_BUFFER, 262144);
    gets(HF_TTL, 64);
    gets(HF_CONGESTION_CONTROL, HF_CUBIC);
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        sets(all[i].option, all[i].value);
        gets(all[i].option, all[i].value);
    }
}

/* struct extra of tcb.h: "from the first that differs from its default on" */
TEST(options_set_to_their_defaults_need_no_record)
{
    static const struct {
        enum hf_option option;
        int64_t value;
    } all[] = {{HF_USER_TIMEOUT, 0}, {HF_LINGER, -1}, {HF_SEND_LOW_WATER, 1}};
    p->config.max_extras = 0;
    establish_active();
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        sets(all[i].option, all[i].value);
        gets(all[i].option, all[i].value);
    }
    refuses_option(HF_ERR_NO_RESOURCES, HF_USER_TIMEOUT, 5000);
}

TEST(what_goes_with_the_syn_and_what_there_is_not_is_refused)
{
    establish_active();
    refuses_option(HF_ERR_NOT_CONNECTED, HF_FAST_OPEN, 1);
    refuses_option(HF_ERR_NOT_CONNECTED, HF_ECN, 1); /* the SYN has gone */
    gets(HF_FAST_OPEN, HF_FAST_OPEN_OFF);
    refuses_option(HF_ERR_INVALID, HF_OPTIONS, 1);
    refuses_option(HF_ERR_INVALID, (enum hf_option)1000, 1);
}

TEST(values_that_cannot_be_are_refused_and_change_nothing)
{
    static const struct {
        enum hf_option option;
        int64_t value;
    } all[] = {{HF_NODELAY, 2},
               {HF_NODELAY, -1},
               {HF_RECEIVE_WINDOW, 0},
               {HF_RECEIVE_WINDOW, INT64_C(1) << 40},
               {HF_SEND_BUFFER, 0},
               {HF_SEND_BUFFER, INT64_MAX},
               {HF_SEND_LOW_WATER, 0},
               {HF_SEND_LOW_WATER, 262145},
               {HF_USER_TIMEOUT, -1},
               {HF_USER_TIMEOUT, INT64_C(1) << 32},
               {HF_TTL, 0},
               {HF_TTL, 256},
               {HF_TOS, 1},
               {HF_TOS, 256},
               {HF_CONGESTION_CONTROL, -1},
               {HF_CONGESTION_CONTROL, HF_CONGESTIONS},
               {HF_QUICK_ACK, INT64_MIN}};
    establish_active();
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        refuses_option(HF_ERR_INVALID, all[i].option, all[i].value);
    gets(HF_TTL, 64);
    gets(HF_TOS, 0);
    gets(HF_RECEIVE_WINDOW, 270000);
}

/* MUST-48, MUST-49, SHLD-21, SHLD-22 */
TEST(ttl_and_tos_stand_in_the_ip_header)
{
    establish_active();
    p->wild = true;
    sets(HF_TTL, 17);
    sets(HF_TOS, 0x28);
    writes(10);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL);
    holds_equal(seen->ip.ttl, 17);
    holds_equal(seen->ip.tos, 0x28);
    peer_taken(p, seen);
}

TEST(a_largest_segment_set_on_the_listener_is_announced_and_used)
{
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_MAX_SEGMENT, 1100));
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .mss = 1100);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    writes(1500);
    expects(ACK, .len = 1100);
    expects(ACK, .len = 400);
    refuses_option(HF_ERR_NOT_CONNECTED, HF_MAX_SEGMENT, 500); /* it went with the SYN */
}

/* HF_SEND_LOW_WATER: "1 .. HF_SEND_BUFFER", and what a listener has its connections begin with. */
TEST(a_listeners_low_water_mark_stays_within_a_buffer_that_is_made_smaller)
{
    int64_t low = 0;
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_SEND_LOW_WATER, 100000));
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_SEND_BUFFER, 1000));
    calls(hf_option(p->stack, p->listener, HF_SEND_LOW_WATER, &low));
    holds_equal(low, 1000);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    gets(HF_SEND_LOW_WATER, 1000);
    p->c->events = 0;
    writes(1000);
    expects(ACK, .len = 1000);
    refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, "x", 1, 0));
    sends(ACK);
    expects_event(HF_WRITABLE);
}

/* RFC7323-24 */
TEST(the_status_tells_numbers_windows_and_counts)
{
    p->with.wscale = SHIFT(3);
    p->with.sackok = true;
    p->with.tsval = 9;
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    sends(ACK, .ack = ISS + 51, .wnd = 1000, .len = 30);
    expects(ACK);
    sends(ACK, .seq = IRS + 41, .ack = ISS + 51, .wnd = 1000, .len = 10);
    expects(ACK);
    struct hf_status s = peer_status(p);
    holds_equal(s.state, HF_ESTABLISHED);
    holds_equal(s.passive, 0);
    holds_equal(s.options, HF_OPT_TS | HF_OPT_SACK_OK | HF_OPT_WSCALE);
    holds_equal(s.iss, p->c->iss);
    holds_equal(s.irs, 100);
    holds_equal(s.snd_una, p->c->iss + 51);
    holds_equal(s.snd_nxt, p->c->iss + 101);
    holds_equal(s.snd_wnd, 8000);
    holds_equal(s.rcv_nxt, 131);
    holds_equal(s.queued_bytes, 50);
    holds_equal(s.unread_bytes, 30);
    holds_equal(s.out_of_order_bytes, 10);
    holds_equal(s.bytes_acked, 50);
    holds_equal(s.bytes_received, 30);
    holds_equal(s.segs_in, 3);
    holds_equal(s.segs_out, 5);
    holds_equal(s.retransmitted_segs, 0);
    holds_equal(s.snd_wscale, 3);
    holds_equal(s.rcv_wscale, 8);
    holds_equal(s.local.port, 80);
    holds_equal(s.remote.port, 4000);
    holds(memcmp(s.remote.ip, p->peer_ip, 16) == 0);
}

TEST(a_caller_of_an_older_version_gets_the_part_of_the_status_it_knows)
{
    struct hf_status status;
    establish_active();
    memset(&status, 0x5a, sizeof status);
    status.struct_size = offsetof(struct hf_status, cwnd);
    calls(hf_status(p->stack, &p->env, p->c->handle, &status));
    holds_equal(status.state, HF_ESTABLISHED);
    holds_equal(status.struct_size, offsetof(struct hf_status, cwnd));
    holds_equal(status.cwnd, 0x5a5a5a5a);
}

TEST(what_is_consumed_without_a_copy_is_traced_as_a_receive)
{
    establish_active();
    sends(ACK, .len = 100);
    peer_forget(p);
    p->last = (struct hf_trace){0};
    calls(hf_recv_consume(p->stack, &p->env, p->c->handle, 60));
    holds_equal(p->last.kind, HF_TRACE_CALL);
    holds_equal(p->last.cause, HF_CALL_RECEIVE);
    holds_equal(p->last.text_bytes, 60);
    holds_equal(p->last.unread_bytes, 40);
}

/* handfast.h: the error once, whichever call tells it. */
TEST(a_send_of_nothing_that_tells_the_error_leaves_it_to_no_other_call)
{
    establish_active();
    sends(RST, .seq = IRS + 1);
    expects_closed(HF_ERR_RESET);
    refuses(HF_ERR_RESET, hf_send(p->stack, &p->env, p->c->handle, "", 0, 0));
    reads_result(0);
}

/* RFC 9293 3.9.1.6: what was not acknowledged when it ended will not be. */
TEST(the_status_of_a_connection_that_has_ended_tells_what_was_acknowledged)
{
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    sends(ACK, .ack = ISS + 41);
    aborts();
    expects(RST | ACK, .seq = ISS + 101);
    holds_equal(status_of(bytes_acked), 40);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.active, 0); /* and it holds nothing for it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(in_closed_every_call_tells_why_it_ended),
        V4(in_syn_sent_send_and_receive_are_queued_and_close_and_abort_end_it),
        V4(in_syn_received_send_and_receive_are_queued_and_close_and_abort_end_it),
        V4(in_established_every_call_is_taken),
        V4(in_fin_wait_1_only_receive_and_abort_are_taken),
        V4(in_fin_wait_2_only_receive_and_abort_are_taken),
        V4(in_close_wait_send_and_close_are_taken_and_receive_is_at_the_end),
        V4(in_closing_receive_is_at_the_end_and_send_and_close_are_refused),
        V4(in_last_ack_receive_is_at_the_end_and_send_and_close_are_refused),
        V4(in_time_wait_receive_is_at_the_end_and_send_and_close_are_refused),
        BOTH(an_open_of_a_connection_that_exists_is_refused_in_every_state),
        V4(a_close_in_syn_received_sends_fin_at_once_and_with_text_queued_after_the_open),
        V4(an_abort_in_syn_received_resets),
        V4(a_listener_is_no_connection),
        V4(a_stale_handle_is_refused_by_every_call),
        V4(a_cookie_comes_back_with_each_event),
        V4(options_read_back_what_was_set),
        V4(options_set_to_their_defaults_need_no_record),
        V4(what_goes_with_the_syn_and_what_there_is_not_is_refused),
        V4(values_that_cannot_be_are_refused_and_change_nothing),
        BOTH(ttl_and_tos_stand_in_the_ip_header),
        BOTH(a_largest_segment_set_on_the_listener_is_announced_and_used),
        V4(a_listeners_low_water_mark_stays_within_a_buffer_that_is_made_smaller),
        V4(the_status_tells_numbers_windows_and_counts),
        V4(a_caller_of_an_older_version_gets_the_part_of_the_status_it_knows),
        V4(a_send_of_nothing_that_tells_the_error_leaves_it_to_no_other_call),
        BOTH(the_status_of_a_connection_that_has_ended_tells_what_was_acknowledged),
        V4(what_is_consumed_without_a_copy_is_traced_as_a_receive),
    };
    return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
