/* Windows as weapons: closed for ever, opened by an octet, taken back below what is in flight,
 * scaled beyond reason (RFC 9293 sections 3.8.6.1 and 3.8.6.2, RFC 7323, RFC 6429).
 *
 * ctest: timeout=300
 */
#include "common/peer.h"

enum { MSS = 1000 };

static struct hf_counters counters_of(struct peer *p)
{
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(p->stack, &now);
    return now;
}

/* Takes what came out; the peer would acknowledge the text of it that goes on from where it is.
 * Returns segments. */
static uint32_t takes_all(struct peer *p)
{
    uint32_t n = 0;
    peer_pump(p);
    for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
        uint32_t end = seen->seg.seq.v + seen->seg.text_len;
        n += seen->is_tcp;
        if (seen->seg.text_len && (int32_t)(seen->seg.seq.v - p->c->acks) <= 0 &&
            (int32_t)(end - p->c->acks) > 0)
            p->c->acks = end;
        peer_taken(p, seen);
    }
    return n;
}

/* All that is queued is acknowledged as it comes; the window is open. */
static void takes_the_rest(struct peer *p)
{
    for (int round = 0; round < 500 && status_of(queued_bytes); round++) {
        after(round % 10 == 9 ? 5000 : 10);
        takes_all(p);
        sends(ACK);
    }
    holds_equal(status_of(queued_bytes), 0);
}

enum { ATTACKERS = 7, HONEST = 7, BUFFER = 40000 };

/* Seven peers close their windows, and the application has much to say to them: so many octets, or
 * as many as are taken. */
static void seven_windows_close(struct peer *p, uint32_t octets, int user_timeout_ms)
{
    static const uint8_t text[1000000];
    p->config.max_connections = p->config.max_active = p->config.max_stats = 8;
    p->config.max_extras = 8;
    p->config.small_chunks = 64;
    p->config.large_chunks = 32;
    for (int i = 0; i < ATTACKERS; i++) {
        on(i);
        establish_active();
        sets(HF_SEND_BUFFER, octets ? octets : sizeof text);
        if (user_timeout_ms)
            sets(HF_USER_TIMEOUT, user_timeout_ms);
        sends(ACK, .wnd = ZERO);
        if (octets)
            writes(octets);
        else
            hf_send(p->stack, &p->env, p->c->handle, text, sizeof text, 0);
        expects_silence();
    }
}

/* For so many seconds each probe is answered, the window stays closed. */
static void stay_closed(struct peer *p, int seconds)
{
    for (int s = 0; s < seconds; s += 10) {
        after(10000);
        uint32_t out = takes_all(p);
        for (int i = 0; out && i < ATTACKERS; i++) {
            on(i);
            sends(ACK, .ack = ISS + 1, .wnd = ZERO);
        }
        peer_forget(p);
    }
}

/* TX-13: RFC 6429; probes that are answered keep a connection, within its caps, and others work. */
TEST(closed_windows_hold_their_own_buffers_and_nobody_elses)
{
    seven_windows_close(p, BUFFER, 0);
    on(HONEST);
    p->c->wnd = 65535;
    establish_active();
    stay_closed(p, 3600);
    for (int i = 0; i < ATTACKERS; i++) {
        on(i);
        expects_state(HF_ESTABLISHED);
        refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, "x", 1, 0));
        holds_equal(status_of(queued_bytes), BUFFER);
    }
    on(HONEST);
    for (int i = 0; i < 100; i++) {
        writes(10000);
        takes_the_rest(p);
        sends(ACK, .len = 1000);
        takes_all(p);
        reads(1000);
    }
    on(0); /* and one that opens its window after all gets everything */
    sends(ACK, .ack = ISS + 1, .wnd = 65535);
    takes_the_rest(p);
}

/* TX-13: and where their buffers have no limit but the memory, what is received has its part of it.
 */
TEST(closed_windows_leave_memory_for_what_is_received)
{
    seven_windows_close(p, 0, 0);
    on(HONEST);
    establish_active();
    stay_closed(p, 600);
    on(HONEST);
    for (int i = 0; i < 1000; i++) {
        sends(ACK, .len = 1000);
        takes_all(p);
        reads(1000);
    }
}

/* TX-13: where the user has set a time, it ends what waits for a closed window (MUST-37 says only
 * that answered probes must not). */
TEST(a_user_timeout_ends_what_waits_for_closed_windows)
{
    seven_windows_close(p, BUFFER, 120000);
    stay_closed(p, 300);
    for (int i = 0; i < ATTACKERS; i++) {
        on(i);
        expects_closed(HF_ERR_TIMED_OUT);
        releases();
    }
    holds_equal(counters_of(p).small_chunks, 0);
    holds_equal(counters_of(p).large_chunks, 0);
}

/* TX-14: Netkill; what no application holds any more has fewer tries, and gives all of it back:
 * with seven probes within a minute, answered or not (RFC 6429 4). */
TEST(connections_that_were_let_go_give_their_memory_back)
{
    p->config.policy.orphan_probes = 7;
    p->config.policy.max_orphans = ATTACKERS;
    seven_windows_close(p, BUFFER, 0);
    for (int i = 0; i < ATTACKERS; i++) {
        on(i);
        closes();
        releases();
    }
    takes_all(p);
    stay_closed(p, 20);
    holds_equal(counters_of(p).connections, ATTACKERS);
    on(HONEST); /* whoever comes meanwhile is served */
    p->c->wnd = 65535;
    establish_active();
    writes(10000);
    takes_the_rest(p);
    aborts();
    releases();
    stay_closed(p, 40);
    holds_equal(counters_of(p).connections, 0);
    holds_equal(counters_of(p).active, 0);
    holds_equal(counters_of(p).small_chunks, 0);
    holds_equal(counters_of(p).large_chunks, 0);
}

/* TX-14: their text is limited as well; what makes progress is left in peace. */
TEST(released_connections_that_wait_hold_no_more_text_than_their_share)
{
    p->config.policy.orphan_share = 20;
    p->config.policy.max_orphans = 8;
    seven_windows_close(p, BUFFER, 0);
    uint64_t memory = UINT64_C(2048) * p->config.small_chunks + UINT64_C(16384) * 32;
    on(HONEST);
    p->c->wnd = 65535;
    establish_active();
    writes(10000);
    for (int i = 0; i <= HONEST; i++) {
        on(i);
        closes();
        releases();
    }
    holds_equal(counters_of(p).orphans, ATTACKERS + 1);
    on(HONEST);
    for (int i = 0; i < 100 && counters_of(p).orphans > ATTACKERS - 3; i++) {
        after(100);
        takes_all(p);
        sends(ACK);
    }
    takes_all(p);
    holds_equal(counters_of(p).verdict[HF_V_ORPHAN_RESET], 4);
    holds_equal(counters_of(p).orphans, 3 + 1); /* and the honest one waits for a FIN */
    holds_equal(counters_of(p).orphan_bytes, 3 * BUFFER);
    holds(counters_of(p).orphan_bytes <= memory / 5);
    sends(ACK, .ack = ISS + 1 + 10000 + 1);
    expects_state(HF_FIN_WAIT_2);
}

/* TX-15: MUST-38; an octet, two, ten at a time: nothing goes but when the override timer says so,
 * an RTO after the last one at the least. */
TEST(a_window_that_dribbles_brings_one_small_segment_in_an_rto_at_most)
{
    static const int64_t windows[] = {ZERO, 1, 2, 10};
    enum { RTT_MS = 10, ROUNDS = 100000 };
    p->with.mss = MSS;
    establish_active();
    sends(ACK, .wnd = ZERO);
    writes(100000);
    uint32_t segments = 0;
    for (int i = 0; i < ROUNDS; i++) {
        after(RTT_MS);
        segments += takes_all(p);
        sends(ACK, .wnd = windows[i % 4]);
    }
    holds(segments <= ROUNDS * RTT_MS / 200 + 1);
    holds(status_of(snd_una) != p->c->iss + 1); /* but something goes */
    p->c->wnd = 65535;
    sends(ACK);
    takes_the_rest(p);
}

/* TX-15: full segments when there is room for them, whatever came before. */
TEST(a_window_that_opens_by_octets_up_to_a_segment_brings_one_segment)
{
    p->with.mss = MSS;
    establish_active();
    sends(ACK, .wnd = ZERO);
    writes(3 * MSS);
    for (int i = 1; i < MSS; i++) {
        sends(ACK, .wnd = i);
        expects_silence();
    }
    sends(ACK, .wnd = MSS);
    expects(ACK, .seq = ISS + 1, .len = MSS);
    expects_silence();
}

/* TX-16: MUST-34, SHLD-14; 64 KiB are out, and the window is taken back at every place. */
TEST(a_window_taken_back_below_what_is_in_flight_stops_new_text_and_no_more)
{
    enum { FLIGHT = 64 };
    p->config.policy.initial_cwnd = FLIGHT;
    p->with.mss = MSS;
    for (int cut = 0; cut <= FLIGHT; cut++) {
        on(cut % PEER_CONNS);
        new_incarnation(100 + (uint32_t)cut * 1000000);
        after(10);
        establish_active();
        sets(HF_SEND_BUFFER, 200000);
        writes(100 * MSS);
        holds_equal(takes_all(p), FLIGHT);
        uint32_t nxt = status_of(snd_nxt);
        int64_t ack = ISS + 1 + MSS * (int64_t)cut - (cut && cut % 3 == 0 ? 500 : 0);
        sends(ACK, .ack = ack, .wnd = 1000);
        holds(takes_all(p) <= (cut == FLIGHT ? 1 : 0));
        sends(ACK, .ack = ack, .wnd = ZERO);
        expects_silence();
        for (int s = 0; s < 20; s++) {
            after(500);
            uint32_t new_nxt = status_of(snd_nxt);
            holds(new_nxt == nxt || (cut == FLIGHT && new_nxt == nxt + MSS));
            holds(takes_all(p) <= 2);
            sends(ACK, .ack = ack, .wnd = ZERO);
        }
        p->c->acks = peer_number(p, ack);
        sends(ACK, .wnd = 65535);
        takes_the_rest(p);
        aborts();
        releases();
        peer_forget(p);
    }
}

/* TX-17: RFC 7323 2.2, 2.3; too large a scale is the largest, on another segment it is nothing, in
 * a SYN no window is scaled. */
TEST(a_window_scale_beyond_reason_is_fourteen_and_counts_on_syns_alone)
{
    static const int scales[] = {15, 16, 255};
    for (int i = 0; i < 3; i++) {
        on(i);
        p->with.wscale = SHIFT(scales[i]);
        p->with.wnd = 65535;
        establish_active();
        holds_equal(status_of(snd_wscale), 14);
        holds_equal(status_of(snd_wnd), 65535);
        sends(ACK, .wnd = 2, .wscale = SHIFT(3));
        holds_equal(status_of(snd_wscale), 14);
        holds_equal(status_of(snd_wnd), 2 << 14);
    }
    on(3);
    p->with.wscale = SHIFT(7);
    establish_active();
    holds_equal(status_of(snd_wnd), 65535); /* that of the SYN,ACK */
    sends(ACK, .wnd = 65535);
    holds_equal(status_of(snd_wnd), 65535 << 7);
}

/* TX-17: from one side alone it is none, for both directions. */
TEST(a_window_scale_from_one_side_scales_nothing)
{
    p->with.wscale = 0;
    establish_active();
    holds_equal(status_of(snd_wscale), 0);
    holds_equal(status_of(rcv_wscale), 0);
    sends(ACK, .wnd = 5000, .wscale = SHIFT(7));
    holds_equal(status_of(snd_wnd), 5000);
    on(1);
    p->with.wscale = SHIFT(7);
    p->config.policy.window_scale = false;
    calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
    establish_active();
    holds_equal(status_of(snd_wscale), 0);
    sends(ACK, .wnd = 5000);
    holds_equal(status_of(snd_wnd), 5000);
}

/* TX-18: CVE-2024-41007; the timer backs off, whatever the user timeout says, and that ends it. */
TEST(a_window_taken_back_under_a_user_timeout_makes_no_storm)
{
    static const int64_t timeouts_ms[] = {1000, 30000, 120000};
    for (int i = 0; i < 3; i++) {
        on(i);
        establish_active();
        sets(HF_USER_TIMEOUT, timeouts_ms[i]);
        writes(3000);
        takes_all(p);
        sends(ACK, .ack = ISS + 1461, .wnd = ZERO);
        int64_t last_ns = p->env.now_ns;
        uint32_t packets = 0;
        int64_t began_ns = p->env.now_ns;
        for (int ms = 0; ms < 2 * timeouts_ms[i]; ms += 10) {
            after(10);
            uint32_t now = takes_all(p);
            holds(now <= 1);
            if (now) {
                holds(p->env.now_ns - last_ns >= INT64_C(190000000));
                last_ns = p->env.now_ns;
                holds(last_ns - began_ns <= (timeouts_ms[i] + 20) * INT64_C(1000000));
            }
            packets += now;
        }
        holds(packets >= 1 && packets <= 20);
        expects_closed(HF_ERR_TIMED_OUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(closed_windows_hold_their_own_buffers_and_nobody_elses),
        V4(closed_windows_leave_memory_for_what_is_received),
        V4(a_user_timeout_ends_what_waits_for_closed_windows),
        V4(connections_that_were_let_go_give_their_memory_back),
        V4(released_connections_that_wait_hold_no_more_text_than_their_share),
        V4(a_window_that_dribbles_brings_one_small_segment_in_an_rto_at_most),
        V4(a_window_that_opens_by_octets_up_to_a_segment_brings_one_segment),
        V4(a_window_taken_back_below_what_is_in_flight_stops_new_text_and_no_more),
        V4(a_window_scale_beyond_reason_is_fourteen_and_counts_on_syns_alone),
        V4(a_window_scale_from_one_side_scales_nothing),
        V4(a_window_taken_back_under_a_user_timeout_makes_no_storm),
    };
    return cmocka_run_group_tests_name("closed windows", tests, NULL, NULL);
}
