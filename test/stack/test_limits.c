/* What is capped, and that new work is refused before old work is harmed; counters and history. */
#include "common/packets.h"

#include <string.h>

/* RFC4987-4 */
TEST(half_open_connections_are_capped_and_the_older_ones_stay)
{
    p->config.max_half_open = 2;
    p->config.policy.syn_cookies = HF_COOKIES_OFF;
    listens_with(100, false);
    for (int i = 0; i < 2; i++) {
        on(i);
        sends(SYN, .seq = IRS);
        expects(SYN | ACK);
    }
    on(2);
    sends(SYN, .seq = IRS);
    expects_silence();
    holds_equal(counters_of(p).verdict[HF_V_DROP_BACKLOG], 1);
    holds_equal(counters_of(p).half_open, 2);
    on(0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    on(2);
    sends(SYN, .seq = IRS);
    expects(SYN | ACK);
}

TEST(with_all_connections_taken_a_third_segment_waits_and_open_ones_go_on)
{
    p->config.max_connections = 2;
    p->config.max_half_open = 4;
    establish_passive();
    on(1);
    establish_passive();
    on(2);
    sends(SYN, .seq = IRS);
    expects(SYN | ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_silence();
    on(0);
    sends(ACK, .len = 10);
    expects(ACK, .ack = IRS + 11);
    aborts();
    releases();
    expects(RST | ACK);
    on(2);
    expects_after(900, 1100, SYN | ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
}

TEST(payload_memory_is_capped_for_what_is_received)
{
    p->config.small_chunks = 4;
    p->config.small_chunk_bytes = 1024;
    p->config.large_chunks = 2;
    establish_active();
    uint32_t taken = 0;
    for (int i = 0; i < 60; i++) {
        sends(ACK, .seq = IRS + 1 + taken, .len = 1000);
        if (status_of(unread_bytes) == taken)
            break;
        taken = status_of(unread_bytes);
    }
    holds(taken >= 16000 && taken <= 2 * 16384 + 4 * 1024);
    holds(counters_of(p).verdict[HF_V_DROP_NO_MEMORY] > 0);
    peer_forget(p);
    reads(taken); /* what was acknowledged is all there, and the sender repeats the rest */
    peer_forget(p);
    sends(ACK, .seq = IRS + 1 + taken, .len = 1000);
    after(50);
    expects(ACK, .ack = IRS + 1001 + taken);
    reads(1000);
}

TEST(payload_memory_is_capped_for_what_is_sent)
{
    static const uint8_t text[100000];
    p->config.small_chunks = 4;
    p->config.small_chunk_bytes = 1024;
    p->config.large_chunks = 2;
    p->wild = true;
    establish_active();
    int64_t took = hf_send(p->stack, &p->env, p->c->handle, text, sizeof text, 0);
    holds(took >= 16000 && took <= 2 * 16384 + 4 * 1024);
    refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, text, 1000, 0));
    sends(ACK, .len = 100); /* the last eighth is for what others send: the ACK is served */
    peer_forget(p);
    for (int64_t acked = 0; acked < took; acked += 1460) {
        p->c->acks = p->c->iss + 1 + (uint32_t)(acked + 1460 < took ? acked + 1460 : took);
        sends(ACK);
        peer_forget(p);
    }
    expects_event(HF_WRITABLE);
    holds(hf_send(p->stack, &p->env, p->c->handle, text, 1000, 0) > 0);
}

TEST(ranges_out_of_order_are_capped_and_text_in_order_still_comes)
{
    p->config.max_ranges = 4;
    establish_active();
    for (int i = 1; i <= 10; i++)
        sends(ACK, .seq = IRS + 1 + 200 * i, .len = 100);
    peer_forget(p);
    holds(status_of(out_of_order_bytes) <= 400);
    for (int i = 0; i <= 10; i++) {
        sends(ACK, .seq = IRS + 1 + 200 * i, .len = 100);
        sends(ACK, .seq = IRS + 101 + 200 * i, .len = 100);
    }
    peer_forget(p);
    reads(2200);
}

TEST(connections_with_data_in_flight_are_capped_and_idle_ones_live)
{
    p->config.max_connections = 4;
    p->config.max_active = 3; /* the last one is kept for receiving */
    for (int i = 0; i < 4; i++) {
        on(i);
        establish_active();
    }
    for (int i = 0; i < 2; i++) {
        on(i);
        writes(10);
        expects(ACK, .len = 10);
    }
    on(2);
    refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, "x", 1, 0));
    sends(ACK, .len = 10);
    expects(ACK, .ack = IRS + 11);
    on(3);
    sends(ACK, .len = 10);
    holds_equal(status_of(unread_bytes), 0);
    peer_forget(p);
    on(2);
    reads(10);
    expects_no_event(HF_WRITABLE);
    on(0);
    sends(ACK);
    on(2);
    expects_event(HF_WRITABLE);
    writes(10);
    expects(ACK, .len = 10);
    on(3);
    sends(ACK, .seq = IRS + 1, .len = 10); /* the sender repeats it */
    expects(ACK, .ack = IRS + 11);
    reads(10);
}

TEST(answers_to_strangers_are_capped_and_counted)
{
    p->config.max_replies = 8;
    establish_active();
    batch_begins();
    on(1);
    for (int i = 0; i < 20; i++)
        sends(ACK, .seq = 5, .ack = 100 + i);
    batch_ends();
    for (int i = 0; i < 8; i++)
        expects(RST, .seq = 100 + i);
    expects_silence();
    holds_equal(counters_of(p).replies_dropped, 12);
    on(0);
    sends(ACK, .len = 10);
    expects(ACK, .ack = IRS + 11);
}

TEST(more_time_waits_than_records_lose_none)
{
    p->config.max_connections = 4;
    p->config.max_time_wait = 2;
    for (int i = 0; i < 4; i++) {
        on(i);
        establish_active();
        closes();
        expects(FIN | ACK);
        sends(FIN | ACK, .ack = ISS + 2);
        expects(ACK);
        releases();
    }
    for (int i = 0; i < 4; i++) {
        on(i);
        sends(FIN | ACK, .seq = IRS + 1);
        expects(ACK, .ack = IRS + 2);
    }
    after(61000);
    holds_equal(counters_of(p).time_wait, 0);
    holds_equal(counters_of(p).connections, 0);
}

TEST(listeners_and_sockets_are_capped)
{
    p->config.max_listeners = 2;
    p->config.max_udp = 2;
    starts();
    hf_handle handle;
    struct hf_listen listen = {.struct_size = sizeof listen, .backlog = 1};
    for (uint16_t i = 0; i < 3; i++) {
        listen.local.port = (uint16_t)(80 + i);
        refuses(i < 2 ? HF_OK : HF_ERR_NO_RESOURCES,
                hf_listen(p->stack, &p->env, &listen, &handle));
        struct hf_endpoint local = {.port = (uint16_t)(500 + i)};
        refuses(i < 2 ? HF_OK : HF_ERR_NO_RESOURCES,
                hf_udp_open(p->stack, &p->env, &local, &handle));
    }
}

/* hf_output: fewer frames than there is room for mean that nothing more is owed. */
TEST(what_cannot_leave_keeps_nothing_else_from_leaving)
{
    p->config.max_packets = 1000;
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint far = peer_there(p, 99), near = peer_there(p, 99);
    struct hf_frame_out out[4];
    far.ip[p->v6 ? 5 : 13] ^= 0x77;
    calls(hf_route_add(p->stack, &p->env, 1, far.ip, p->v6 ? 64 : 24, p->peer_ip));
    p->batching = true; /* nothing leaves yet */
    for (int i = 0; i < 300; i++)
        holds_equal(hf_udp_send(p->stack, &p->env, handle, NULL, &far, "x", 1), 1);
    holds_equal(hf_route_remove(p->stack, &p->env, 1, far.ip, p->v6 ? 64 : 24), HF_OK);
    holds_equal(hf_udp_send(p->stack, &p->env, handle, NULL, &near, "x", 1), 1);
    holds_equal(hf_output(p->stack, &p->env, out, 4), 1);
    holds_equal(hf_output_done(p->stack, &p->env, out[0].token), HF_OK);
    p->batching = false;
}

TEST(counters_tell_what_happened)
{
    struct hf_counters before, now;
    establish_passive();
    on(1);
    establish_active();
    before = counters_of(p);
    holds_equal(before.opened_active, 1);
    holds_equal(before.opened_passive, 1);
    holds_equal(before.connections, 2);
    holds_equal(before.half_open, 0);
    sends(ACK, .len = 10);
    expects(ACK);
    sends(RST, .seq = IRS);
    now = counters_of(p);
    holds_equal(now.frames_in - before.frames_in, 2);
    holds_equal(now.frames_out - before.frames_out, 1);
    holds_equal(now.segs_in - before.segs_in, 2);
    holds_equal(now.segs_out - before.segs_out, 1);
    holds_equal(now.verdict[HF_V_ACCEPTED] - before.verdict[HF_V_ACCEPTED], 1);
    holds_equal(now.verdict[HF_V_DROP_RST_OUT_OF_WINDOW], 1);
    holds_equal(now.n_verdicts, HF_VERDICT_COUNT);
}

TEST(the_history_tells_a_connections_life_in_order)
{
    struct hf_trace r[64];
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    sends(ACK);
    sends(FIN | ACK);
    expects(ACK);
    closes();
    expects(FIN | ACK);
    sends(ACK);
    uint32_t n = hf_history(p->stack, p->c->handle, r, 64);
    static const struct {
        uint8_t kind, after;
        uint16_t ctl;
    } want[] = {
        {HF_TRACE_CALL, HF_SYN_SENT, 0},
        {HF_TRACE_OUT, HF_SYN_SENT, SYN},
        {HF_TRACE_IN, HF_ESTABLISHED, SYN | ACK},
        {HF_TRACE_OUT, HF_ESTABLISHED, ACK},
        {HF_TRACE_OUT, HF_ESTABLISHED, ACK | PSH},
        {HF_TRACE_IN, HF_ESTABLISHED, ACK},
        {HF_TRACE_IN, HF_CLOSE_WAIT, FIN | ACK},
        {HF_TRACE_OUT, HF_CLOSE_WAIT, ACK},
        {HF_TRACE_CALL, HF_LAST_ACK, 0},
        {HF_TRACE_OUT, HF_LAST_ACK, FIN | ACK},
        {HF_TRACE_IN, HF_CLOSED, ACK},
    };
    holds_equal(n, sizeof want / sizeof *want);
    for (uint32_t i = 0; i < n; i++) {
        holds_equal(r[i].kind, want[i].kind);
        holds_equal(r[i].state_after, want[i].after);
        holds_equal(r[i].ctl, want[i].ctl);
        holds_equal(r[i].handle, p->c->handle);
        holds_equal(r[i].remote_port, 4000);
    }
    releases();
    holds_equal(hf_history(p->stack, p->c->handle, r, 64), 0);
}

static void history_at(struct peer *p, int64_t clock_ns)
{
    struct hf_trace r[16];
    p->env.now_ns = p->began_ns = clock_ns;
    establish_active();
    after(2000);
    closes();
    expects(FIN | ACK);
    after(100);
    uint32_t n = hf_history(p->stack, p->c->handle, r, 16);
    holds(n > 2);
    holds_equal(r[0].time_ns, clock_ns);
    holds_equal(r[n - 1].time_ns, clock_ns + INT64_C(2000000000));
}

/* hf_trace.time_ns: 2^32 milliseconds are 49.7 days, and a clock's zero is of no interest. */
TEST(the_history_tells_the_callers_time_whatever_his_clock)
{
    static const int64_t clocks_s[] = {1000, 5184000, 1700000000, -1, -5184000};
    for (unsigned i = 0; i < sizeof clocks_s / sizeof *clocks_s; i++) {
        void *state;
        peer_setup4(&state);
        history_at(state, clocks_s[i] * 1000000000);
        peer_teardown(&state);
    }
    holds(p->n_seen == 0);
}

TEST(the_history_tells_the_callers_time_of_what_was_80_days_ago)
{
    struct hf_trace r[16];
    establish_active();
    after(INT64_C(40) * 24 * 3600 * 1000);
    closes();
    expects(FIN | ACK);
    sends(ACK);
    after(INT64_C(40) * 24 * 3600 * 1000);
    uint32_t n = hf_history(p->stack, p->c->handle, r, 16);
    holds(n > 3);
    holds_equal(r[0].time_ns, p->began_ns);
    holds_equal(r[n - 1].time_ns, p->began_ns + INT64_C(40) * 24 * 3600 * 1000000000);
}

TEST(long_runs_of_data_are_folded_in_the_history)
{
    struct hf_trace r[64];
    establish_active();
    for (int i = 0; i < 200; i++) {
        sends(ACK, .len = 1000);
        peer_forget(p);
        reads(1000);
    }
    uint32_t n = hf_history(p->stack, p->c->handle, r, 64);
    holds(n > 4 && n < 20);
    uint64_t text = 0;
    for (uint32_t i = 0; i < n; i++)
        text += r[i].kind == HF_TRACE_IN ? r[i].text_bytes : 0;
    holds_equal(text, 200000);
}

TEST(the_history_ring_forgets_the_oldest_and_counts_it)
{
    struct hf_trace r[64];
    p->config.history_events = 8;
    for (int i = 0; i < 4; i++) {
        on(i);
        establish_active();
        aborts();
        peer_forget(p);
    }
    holds(counters_of(p).history_lost > 0);
    uint32_t n = hf_history(p->stack, p->c->handle, r, 64);
    holds(n > 0 && n <= 8);
    on(0);
    holds_equal(hf_history(p->stack, p->c->handle, r, 64), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(half_open_connections_are_capped_and_the_older_ones_stay),
        BOTH(with_all_connections_taken_a_third_segment_waits_and_open_ones_go_on),
        V4(payload_memory_is_capped_for_what_is_received),
        V4(payload_memory_is_capped_for_what_is_sent),
        V4(ranges_out_of_order_are_capped_and_text_in_order_still_comes),
        V4(connections_with_data_in_flight_are_capped_and_idle_ones_live),
        V4(answers_to_strangers_are_capped_and_counted),
        BOTH(more_time_waits_than_records_lose_none),
        V4(listeners_and_sockets_are_capped),
        BOTH(what_cannot_leave_keeps_nothing_else_from_leaving),
        V4(counters_tell_what_happened),
        BOTH(the_history_tells_a_connections_life_in_order),
        V4(long_runs_of_data_are_folded_in_the_history),
        V4(the_history_tells_the_callers_time_whatever_his_clock),
        V4(the_history_tells_the_callers_time_of_what_was_80_days_ago),
        V4(the_history_ring_forgets_the_oldest_and_counts_it),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
