/* RTO, initial sequence numbers, ports; the ready list; the history ring. */
#include "tcp_block.h"

static const struct block_size usual = {.small = 40,
                                        .small_bytes = 64,
                                        .large = 2,
                                        .pieces = 4,
                                        .ranges = 4,
                                        .tokens = 4,
                                        .history = 5};

static void begin(struct bench *t)
{
    bench_begin(t, &usual);
    bench_connection(t, 0, 1, 60000);
    t->tcb->id =
        (struct tuple){.remote = 0xc6336402, .local = 0xc0000201, .rport = 80, .lport = 40000};
}

/* RFC 6298 ------------------------------------------------------------------------------------- */

/* MUST-18, RFC6298-3, RFC6298-2, RFC6298-4, RFC6298-5, RFC8961-1 */
static void the_rto_follows_rfc_6298(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), 1000); /* 2.1 */
    tcp_rtt_sample(&t.tcp, t.tcb, 100000);             /* 2.2 */
    assert_int_equal(t.tcb->srtt_us, 100000);
    assert_int_equal(t.tcb->rttvar_us, 50000);
    assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), 300); /* 100 + max(4 * 50, 200) */
    tcp_rtt_sample(&t.tcp, t.tcb, 180000);            /* 2.3: 3/4 * 50 + 1/4 * 80, then SRTT */
    assert_int_equal(t.tcb->rttvar_us, 57500);
    assert_int_equal(t.tcb->srtt_us, 110000);
    assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), 340);
    tcp_rtt_sample(&t.tcp, t.tcb, 30000); /* 43.125 + 20, 96.25 + 3.75 */
    assert_int_equal(t.tcb->rttvar_us, 63125);
    assert_int_equal(t.tcb->srtt_us, 100000);
    assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), 353);
    bench_end(&t);
}

/* RFC6298-6, RFC6298-11 */
static void a_steady_round_trip_keeps_the_floor_of_200_ms(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    for (uint32_t i = 0; i < 100; i++) {
        tcp_rtt_sample(&t.tcp, t.tcb, 10000);
    }
    assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), 210);
    tcp_rtt_sample(&t.tcp, t.tcb, 0); /* a clock too coarse: still a sample */
    assert_true(t.tcb->srtt_us > 0);
    bench_end(&t);
}

/* RFC6298-8, RFC6298-17 */
static void each_timeout_doubles_the_rto_up_to_its_cap(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    tcp_attach(&t.tcp, t.tcb);
    struct active *active = active_of(&t.tcp, t.tcb);
    tcp_rtt_sample(&t.tcp, t.tcb, 100000);
    static const uint32_t expected[] = {300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 76800};
    for (uint32_t i = 0; i < ARRAY_LEN(expected); i++) {
        active->backoff = (uint8_t)i;
        assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), expected[i]);
    }
    active->backoff = 9;
    assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), 120000);
    active->backoff = 255;
    assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), 120000);
    tcp_rtt_sample(&t.tcp, t.tcb, 100000); /* a measurement ends the back-off */
    assert_int_equal(active->backoff, 0);
    bench_end(&t);
}

/* 5.7 */
static void after_a_lost_syn_data_starts_with_three_seconds(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    t.tcb->flags |= F_SYN_RESENT;
    t.tcb->state = HF_SYN_SENT;
    assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), 1000);
    t.tcb->state = HF_ESTABLISHED;
    assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), 3000);
    tcp_rtt_sample(&t.tcp, t.tcb, 100000);
    assert_int_equal(tcp_rto_ms(&t.tcp, t.tcb), 300);
    bench_end(&t);
}

/* 5.1 - 5.3; RFC6298-13, RFC6298-14 */
static void the_timer_runs_while_something_is_in_flight(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    tcp_attach(&t.tcp, t.tcb);
    struct active *active = active_of(&t.tcp, t.tcb);
    tcp_rto_start(&t.tcp, t.tcb);
    assert_int_equal(active->rto_at_ms, 0);
    t.tcb->snd.nxt = seq_add(t.tcb->snd.nxt, 100);
    tcp_rto_start(&t.tcp, t.tcb);
    assert_int_equal(active->rto_at_ms, 2000);
    bench_time(&t, 1500);
    tcp_rto_start(&t.tcp, t.tcb);
    assert_int_equal(active->rto_at_ms, 2000);
    t.tcb->snd.una = seq_add(t.tcb->snd.una, 50);
    tcp_rto_restart(&t.tcp, t.tcb);
    assert_int_equal(active->rto_at_ms, 2500);
    t.tcb->snd.una = t.tcb->snd.nxt;
    tcp_rto_restart(&t.tcp, t.tcb);
    assert_int_equal(active->rto_at_ms, 0);
    bench_end(&t);
}

/* RFC 6528, RFC 6056 --------------------------------------------------------------------------- */

static struct conn_id peer(bool v4, uint16_t rport, uint16_t lport)
{
    struct conn_id id = {.rport = rport, .lport = lport, .v4 = v4};
    memcpy(id.local, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\1", 16);
    memcpy(id.remote, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\2", 16);
    if (!v4) {
        memcpy(id.local, "\x20\1\x0d\xb8", 4);
        memcpy(id.remote, "\x20\1\x0d\xb8", 4);
    }
    return id;
}

/* RFC6528-3: SipHash-2-4 of the addresses and ports under a key of its own. */
static void the_iss_is_a_keyed_hash_of_the_connection_and_a_clock(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    const struct sip_key *key = &secret_of(&t.tcp)->isn;
    struct conn_id id = peer(true, 80, 40000);
    uint8_t in[12] = {0};
    uint64_t both = (uint64_t)get_be32(id.local + 12) << 32 | get_be32(id.remote + 12);
    uint32_t ports = (uint32_t)id.rport << 16 | id.lport;
    for (uint32_t i = 0; i < 8; i++) {
        in[i] = (uint8_t)(both >> 8 * i);
    }
    for (uint32_t i = 0; i < 4; i++) {
        in[8 + i] = (uint8_t)(ports >> 8 * i);
    }
    uint32_t m = (uint32_t)((uint64_t)t.env.now_ns / 4000);
    uint32_t f = (uint32_t)sip24(key->k0, key->k1, in, sizeof in);
    assert_int_equal(tcp_choose_iss(&t.tcp, &id).v, m + f);
    bench_end(&t);
}

/* MUST-8, MUST-9, RFC6528-1, RFC6528-2, RFC6528-3 */
static void the_iss_of_a_connection_advances_every_four_microseconds(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    for (uint32_t v4 = 0; v4 < 2; v4++) {
        struct conn_id id = peer(v4, 80, 40000);
        struct conn_id other = peer(v4, 80, 40001);
        t.env.now_ns = 7000000;
        uint32_t one = tcp_choose_iss(&t.tcp, &id).v;
        uint32_t offset = one - tcp_choose_iss(&t.tcp, &other).v;
        assert_int_not_equal(offset, 0);
        assert_int_not_equal(offset, 1);
        struct tcp_offsets offsets = tcp_offsets(&t.tcp, &id), others = tcp_offsets(&t.tcp, &other);
        t.env.now_ns += 4000 * 1000;
        assert_int_equal(tcp_choose_iss(&t.tcp, &id).v, one + 1000);
        assert_int_equal(tcp_offsets(&t.tcp, &id).ts, offsets.ts); /* RFC 7323 5.4: no clock */
        assert_int_not_equal(others.ts, offsets.ts);
        assert_int_not_equal(others.cookie, offsets.cookie);
        assert_int_not_equal(offsets.cookie, offsets.ts);
        secret_of(&t.tcp)->isn.k0++;
        assert_int_not_equal(tcp_choose_iss(&t.tcp, &id).v, one + 1000);
    }
    bench_end(&t);
}

/* hf_env.now_ns: its zero is of no interest. */
static void the_iss_goes_on_evenly_when_the_clock_passes_its_zero(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    struct conn_id id = peer(true, 80, 40000);
    t.env.now_ns = -10001;
    uint32_t first = tcp_choose_iss(&t.tcp, &id).v;
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(tcp_choose_iss(&t.tcp, &id).v, first + i);
        t.env.now_ns += 4000;
    }
    bench_end(&t);
}

static void a_port_is_free_in_range_and_not_used_twice_in_a_row(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    uint16_t last = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        struct conn_id id = peer(true, 80, 0);
        uint16_t port = tcp_choose_port(&t.tcp, &id);
        assert_in_range(port, 32768, 60999);
        assert_int_equal(id.lport, port);
        assert_int_not_equal(port, last);
        last = port;
    }
    bench_end(&t);
}

/* RFC6056-1, RFC6056-3: over the whole range of the policy, and what one peer sees says nothing
 * about the ports that another one will. */
static void ports_spread_over_the_range_and_differ_between_peers(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    t.b->policy.port_first = 1024;
    t.b->policy.port_last = 65535;
    uint32_t tenths[10] = {0}, in_step = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        struct conn_id one = peer(true, (uint16_t)(i + 1), 0),
                       other = peer(true, (uint16_t)(i + 2), 0);
        uint32_t a = tcp_choose_port(&t.tcp, &one), b = tcp_choose_port(&t.tcp, &other);
        assert_in_range(a, 1024, 65535);
        tenths[(a - 1024) / 6452]++;
        in_step += b - a < 32;
    }
    for (uint32_t i = 0; i < 10; i++) {
        assert_in_range(tenths[i], 100, 300);
    }
    assert_in_range(in_step, 0, 20);
    bench_end(&t);
}

/* RFC6056-4, RFC6056-5 */
static void a_port_in_use_is_passed_over_and_a_full_range_gives_none(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    t.b->policy.port_first = 40000;
    t.b->policy.port_last = 40004;
    bool used[5] = {false};
    for (uint32_t i = 0; i < 5; i++) {
        struct conn_id id = peer(true, 80, 0);
        uint16_t port = tcp_choose_port(&t.tcp, &id);
        assert_in_range(port, 40000, 40004);
        assert_false(used[port - 40000]);
        used[port - 40000] = true;
        assert_int_not_equal(tcp_new(&t.tcp, &id), 0);
    }
    struct conn_id id = peer(true, 80, 0);
    assert_int_equal(tcp_choose_port(&t.tcp, &id), 0);
    id = peer(true, 81, 0); /* to another port all are free */
    assert_int_not_equal(tcp_choose_port(&t.tcp, &id), 0);
    bench_end(&t);
}

/* The ready list ------------------------------------------------------------------------------- */

static void a_handle_is_ready_once_with_all_that_is_still_true(void **state)
{
    (void)state;
    struct bench t;
    uint32_t bits;
    int32_t error;
    begin(&t);
    tcp_event(&t.tcp, t.tcb, HF_CONNECTED);
    tcp_event(&t.tcp, t.tcb, HF_READABLE); /* nothing is unread: not true when read */
    tcp_event(&t.tcp, t.tcb, HF_WRITABLE);
    assert_int_equal(tcp_next_event(&t.tcp, &bits, &error), 1);
    assert_int_equal(bits, HF_CONNECTED | HF_WRITABLE);
    assert_int_equal(error, 0);
    assert_int_equal(tcp_next_event(&t.tcp, &bits, &error), 0);
    tcp_event(&t.tcp, t.tcb, HF_READABLE);
    assert_int_equal(tcp_next_event(&t.tcp, &bits, &error), 0);
    t.tcb->state = HF_CLOSED;
    t.tcb->error = -HF_ERR_RESET;
    tcp_event(&t.tcp, t.tcb, HF_CLOSED_EVENT | HF_READABLE);
    assert_int_equal(tcp_next_event(&t.tcp, &bits, &error), 1);
    assert_int_equal(bits, HF_CLOSED_EVENT | HF_READABLE);
    assert_int_equal(error, HF_ERR_RESET);
    bench_end(&t);
}

static void events_before_accept_are_told_after_it(void **state)
{
    (void)state;
    struct bench t;
    uint32_t bits;
    int32_t error;
    begin(&t);
    t.tcb->flags |= F_UNACCEPTED;
    tcp_event(&t.tcp, t.tcb, HF_PEER_CLOSED);
    assert_int_equal(tcp_next_event(&t.tcp, &bits, &error), 0);
    t.tcb->flags &= ~(uint32_t)F_UNACCEPTED;
    tcp_event(&t.tcp, t.tcb, 0);
    tcp_event(&t.tcp, t.tcb, 0);
    assert_int_equal(tcp_next_event(&t.tcp, &bits, &error), 1);
    assert_int_equal(bits, HF_PEER_CLOSED);
    tcp_event(&t.tcp, t.tcb, HF_PEER_CLOSED);
    tcp_events_clear(&t.tcp, t.tcb);
    assert_int_equal(tcp_next_event(&t.tcp, &bits, &error), 0);
    bench_end(&t);
}

/* Trace and history ---------------------------------------------------------------------------- */

static uint32_t told;
static struct hf_trace last_told;

static void listener(void *arg, const struct hf_trace *record)
{
    (void)arg;
    told++;
    last_told = *record;
}

static void sees(struct bench *t, enum hf_trace_kind kind, uint16_t ctl, uint32_t text,
                 enum hf_verdict verdict)
{
    struct conn_id id;
    struct segment seg = {.seq = seq(told + 1), .ctl = ctl, .text_len = text, .wnd = told};
    tcp_id_of(&t->tcp, &t->tcb->id, 0, false, &id);
    tcp_trace_begin(&t->tcp, t->tcb, kind, HF_CAUSE_NONE);
    tcp_trace_segment(&t->tcp, &id, &seg);
    tcp_trace_end(&t->tcp, t->tcb, verdict);
}

static void what_arrives_is_counted_and_told(void **state)
{
    (void)state;
    struct bench t;
    begin(&t);
    told = 0;
    sees(&t, HF_TRACE_IN, ACK, 5, HF_V_DROP_PAWS); /* nobody looks: counted */
    assert_int_equal(t.b->verdicts[HF_V_DROP_PAWS], 1);
    t.env.trace = listener;
    sees(&t, HF_TRACE_IN, ACK | FIN, 5, HF_V_ACCEPTED);
    sees(&t, HF_TRACE_OUT, ACK, 5, HF_V_ACCEPTED); /* told, and no arrival */
    assert_int_equal(t.b->verdicts[HF_V_ACCEPTED], 1);
    assert_int_equal(told, 2);
    assert_int_equal(last_told.kind, HF_TRACE_OUT);
    assert_int_equal(last_told.handle, (uint64_t)7 << 32 | 1);
    assert_int_equal(last_told.local_port, 40000);
    assert_int_equal(last_told.rcv_nxt, 1);
    assert_int_equal(last_told.time_ns, 1000000000);
    assert_int_equal(tcp_history_read(&t.tcp, t.tcb, &last_told, 1), 1);
    bench_end(&t);
}

static void a_long_run_of_data_is_one_event_a_direction(void **state)
{
    (void)state;
    struct bench t;
    struct hf_trace records[8];
    begin(&t);
    told = 0;
    t.env.trace = listener;
    t.tcb->history = 0;
    sees(&t, HF_TRACE_IN, SYN | ACK, 0, HF_V_SYN_ACK_ACCEPTED);
    for (uint32_t i = 0; i < 100; i++) {
        sees(&t, HF_TRACE_IN, ACK, 1000, HF_V_ACCEPTED);
        sees(&t, HF_TRACE_IN, ACK, 1000, HF_V_ACCEPTED);
        sees(&t, HF_TRACE_OUT, ACK, 0, HF_V_ACCEPTED);
    }
    sees(&t, HF_TRACE_IN, ACK | FIN, 10, HF_V_ACCEPTED);
    assert_int_equal(tcp_history_read(&t.tcp, t.tcb, records, 8), 4);
    assert_int_equal(records[0].ctl, SYN | ACK);
    assert_int_equal(records[1].text_bytes, 200000);
    assert_int_equal(records[1].wnd, 299); /* of the last */
    assert_int_equal(records[2].kind, HF_TRACE_OUT);
    assert_int_equal(records[3].len, 11);
    assert_int_equal(records[3].verdict, HF_V_ACCEPTED);
    assert_int_equal(records[3].time_ns, 1000000000);
    assert_int_equal(tcp_history_read(&t.tcp, t.tcb, records, 2), 2); /* the newest */
    assert_int_equal(records[1].len, 11);
    bench_end(&t);
}

/* A half-open record has none: only when it is open does its history begin, at the SYN. */
static void a_passive_open_remembers_its_handshake(void **state)
{
    (void)state;
    struct bench t;
    struct hf_trace records[4];
    begin(&t);
    told = 0;
    struct tcb scratch = *t.tcb;
    scratch.flags |= F_COMPACT | F_PASSIVE;
    scratch.state = HF_SYN_RECEIVED;
    struct tcb *tcb = t.tcb;
    t.tcb = &scratch;
    sees(&t, HF_TRACE_IN, SYN, 0, HF_V_SYN_AGAIN);
    assert_int_equal(t.b->history_serial, 0);
    t.tcb = tcb;
    tcb->flags |= F_PASSIVE;
    tcb->srtt_us = 250000;
    tcp_trace_begin(&t.tcp, &scratch, HF_TRACE_IN, HF_CAUSE_NONE);
    tcp_trace_end(&t.tcp, tcb, HF_V_ACCEPTED);
    assert_int_equal(tcp_history_read(&t.tcp, tcb, records, 4), 3);
    assert_int_equal(records[0].ctl, SYN);
    assert_int_equal(records[0].kind, HF_TRACE_IN);
    assert_int_equal(records[0].time_ns, 750000000);
    assert_int_equal(records[0].state_after, HF_SYN_RECEIVED);
    assert_int_equal(records[1].ctl, SYN | ACK);
    assert_int_equal(records[1].seq, BENCH_ISS);
    assert_int_equal(records[2].state_before, HF_SYN_RECEIVED);
    assert_int_equal(records[2].state_after, HF_ESTABLISHED);
    bench_end(&t);
}

static void the_oldest_events_make_room_also_where_numbers_wrap(void **state)
{
    (void)state;
    struct bench t;
    struct hf_trace records[8];
    begin(&t);
    told = 0;
    t.env.trace = listener;
    struct tcb *one = t.tcb;
    struct tcb *two = bench_connection(&t, 0, 1, 60000);
    two->id = one->id;
    t.b->history_serial = UINT32_MAX / 5 * 5 - 2; /* the last number but two */
    for (uint32_t i = 0; i < 12; i++) {
        t.tcb = i % 3 ? one : two;
        sees(&t, HF_TRACE_IN, ACK | URG, i, HF_V_ACCEPTED);
        uint32_t here = 0;
        t.tcb = one;
        uint32_t n = tcp_history_read(&t.tcp, one, records, 8);
        for (uint32_t j = 0; j < n; j++) {
            assert_int_not_equal(records[j].text_bytes % 3, 0);
            assert_true(j == 0 || records[j].text_bytes > records[j - 1].text_bytes);
        }
        here += n;
        here += tcp_history_read(&t.tcp, two, records, 8);
        assert_int_equal(here, min_u32(i + 1, 5));
    }
    assert_int_equal(t.b->history_serial, 10);
    assert_int_equal(t.b->history_gone, UINT32_MAX / 5 * 5);
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rto_follows_rfc_6298),
        cmocka_unit_test(a_steady_round_trip_keeps_the_floor_of_200_ms),
        cmocka_unit_test(each_timeout_doubles_the_rto_up_to_its_cap),
        cmocka_unit_test(after_a_lost_syn_data_starts_with_three_seconds),
        cmocka_unit_test(the_timer_runs_while_something_is_in_flight),
        cmocka_unit_test(the_iss_is_a_keyed_hash_of_the_connection_and_a_clock),
        cmocka_unit_test(the_iss_of_a_connection_advances_every_four_microseconds),
        cmocka_unit_test(the_iss_goes_on_evenly_when_the_clock_passes_its_zero),
        cmocka_unit_test(a_port_is_free_in_range_and_not_used_twice_in_a_row),
        cmocka_unit_test(ports_spread_over_the_range_and_differ_between_peers),
        cmocka_unit_test(a_port_in_use_is_passed_over_and_a_full_range_gives_none),
        cmocka_unit_test(a_handle_is_ready_once_with_all_that_is_still_true),
        cmocka_unit_test(events_before_accept_are_told_after_it),
        cmocka_unit_test(what_arrives_is_counted_and_told),
        cmocka_unit_test(a_long_run_of_data_is_one_event_a_direction),
        cmocka_unit_test(a_passive_open_remembers_its_handshake),
        cmocka_unit_test(the_oldest_events_make_room_also_where_numbers_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
