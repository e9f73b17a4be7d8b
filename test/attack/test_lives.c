/* ctest: timeout=1800
 *
 * One life does not reach into the next: records, handles and ports used again, segments that race
 * the end of a connection, many ends at one time. */
#include "attack/forge.h"
#include "attack/row.h"

#include <stdlib.h>
#include <string.h>

#include "tcp/tcb.h"

/* The next peer: another port, nothing known of it. */
static void next_peer(struct peer *p)
{
    uint16_t port = (uint16_t)(p->c->peer_port < 65000 ? p->c->peer_port + 1 : 4100);
    new_incarnation(100);
    p->c->peer_port = port;
}

/* ST-04: behind one address two clocks of timestamps; whatever one has shown says nothing of the
 * other. */
TEST(two_clients_behind_one_address_with_unrelated_clocks_both_connect)
{
    p->config.max_connections = p->config.max_half_open = p->config.max_time_wait = 128;
    listens();
    for (int i = 0; i < 40; i++) {
        uint32_t clock = (i & 1 ? 5u : 4000000000u) + (uint32_t)i;
        next_peer(p);
        sends(SYN, .seq = IRS, .mss = 1460, .tsval = clock);
        expects(SYN | ACK, .ack = IRS + 1, .tsecr = clock);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .tsval = clock + 1);
        accepts();
        closes(); /* TIME-WAIT is ours */
        expects(FIN | ACK);
        sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2, .tsval = clock + 2);
        expects(ACK, .ack = IRS + 2);
        releases();
    }
    holds_equal(counters_of(p).time_wait, 40);
}

/* ST-22: the end of a connection and the next SYN of the same ports, in one batch */
TEST(a_reset_and_the_next_syn_in_one_batch_open_a_new_connection)
{
    establish_passive();
    releases(); /* the record is gone with the reset */
    count_sent(p);
    batch_begins();
    sends(RST, .seq = IRS + 1);
    sends(SYN, .seq = IRS + 70000, .mss = 1460);
    batch_ends();
    new_incarnation(70100);
    expects(SYN | ACK, .ack = 70101);
    holds_equal(counters_of(p).connections, 0);
    holds_equal(counters_of(p).half_open, 1);
}

/* ST-22 */
TEST(the_last_ack_and_the_next_syn_in_one_batch_open_a_new_connection)
{
    establish_passive();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK);
    releases();
    expects(FIN | ACK);
    batch_begins();
    sends(ACK, .seq = IRS + 2, .ack = ISS + 2);
    sends(SYN, .seq = IRS + 70000, .mss = 1460);
    batch_ends();
    new_incarnation(70100);
    expects(SYN | ACK, .ack = 70101);
    holds_equal(counters_of(p).half_open, 1);
}

/* ST-22: of a half-open connection, and with calls of the application between. */
TEST(calls_between_the_segments_of_a_batch_are_seen_by_the_next_one)
{
    listens();
    judge_end(&p->judge); /* a SYN,ACK of a connection that is gone is new to it */
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460);
    sends(RST, .seq = IRS + 1);
    sends(SYN, .seq = IRS + 5000, .mss = 1460);
    batch_ends();
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP); /* both SYNs were taken */
    if (!seen)
        peer_fail(p, "the first SYN gets no answer");
    holds_equal(seen->seg.ctl, SYN | ACK);
    peer_taken(p, seen);
    count_sent(p);
    holds_equal(counters_of(p).half_open, 1);
    on(1);
    establish_passive();
    batch_begins();
    aborts(); /* its reset has not left */
    sends(SYN, .seq = IRS + 70000, .mss = 1460);
    batch_ends();
    expects(RST | ACK, .seq = ISS + 1);
    expects(SYN | ACK, .ack = IRS + 70001);
    releases();
    on(2);
    batch_begins();
    calls(hf_release(p->stack, &p->env, p->listener));
    sends(SYN, .seq = IRS, .mss = 1460);
    batch_ends();
    expects(RST | ACK, .ack = IRS + 1);
}

/* What hf_status says, relative to ISS. */
static struct hf_status life(struct peer *p)
{
    struct hf_status status = peer_status(p);
    status.snd_una -= status.iss;
    status.snd_nxt -= status.iss;
    status.iss = 0;
    return status;
}

static bool same_octets(const uint8_t *a, const uint8_t *b, size_t n)
{
    return memcmp(a, b, n) == 0;
}

/* A life with all that leaves traces. */
static void busy_life(struct peer *p)
{
    p->with = (struct seg_spec){
        .mss = 600, .wscale = SHIFT(9), .sackok = true, .tsval = 1000, .wnd = 3000};
    establish_active();
    p->with = (struct seg_spec){.mss = 1460};
    sets(HF_NODELAY, 1);
    sets(HF_CORK, 1);
    sets(HF_QUICK_ACK, 1);
    sets(HF_RECEIVE_WINDOW, 5000000);
    sets(HF_SEND_BUFFER, 9000);
    sets(HF_USER_TIMEOUT, 100000);
    sets(HF_KEEPALIVE, 1);
    sets(HF_TTL, 64);
    sets(HF_CONGESTION_CONTROL, HF_NEWRENO);
    sets(HF_MAX_PACING_RATE, 100000000);
    calls(hf_set_cookie(p->stack, p->c->handle, 77));
    writes(4000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    sends(ACK | URG, .seq = IRS + 301, .ack = ISS + 1, .len = 100, .up = 50);
    after(3000);
    forges(RST, .seq = IRS + 900); /* challenged */
    aborts();
    count_sent(p);
    releases();
}

/* ST-23: CVE-2017-14106: nothing of a life is in the next one of its record. */
TEST(a_record_that_is_used_again_is_as_a_fresh_one)
{
    p->config.max_connections = 1;
    establish_active();
    struct hf_status fresh = life(p);
    hf_handle first = p->c->handle;
    aborts();
    count_sent(p);
    releases();
    new_incarnation(100);
    busy_life(p);
    hf_handle second = p->c->handle;
    new_incarnation(100);
    establish_active();
    struct hf_status again = life(p);
    holds(same_octets((const uint8_t *)&fresh, (const uint8_t *)&again, sizeof fresh));
    uint64_t cookie = 1;
    int64_t value = -1;
    calls(hf_cookie(p->stack, p->c->handle, &cookie));
    holds_equal(cookie, 0);
    static const enum hf_option off[] = {HF_NODELAY,      HF_CORK,      HF_QUICK_ACK,
                                         HF_USER_TIMEOUT, HF_KEEPALIVE, HF_MAX_PACING_RATE};
    for (int i = 0; i < 6; i++) {
        calls(hf_option(p->stack, p->c->handle, off[i], &value));
        holds_equal(value, 0);
    }
    refuses(HF_ERR_STALE_HANDLE, hf_send(p->stack, &p->env, first, "x", 1, 0));
    refuses(HF_ERR_STALE_HANDLE, hf_abort(p->stack, &p->env, second));
    lives(p);
    after(400000); /* no timer of the old life fires */
    expects_silence();
    lives(p);
}

/* ST-06: peers that have closed, and an application that has not noticed */
TEST(connections_in_close_wait_cost_their_record_alone_and_harm_nobody)
{
    const uint32_t peers = row_or(10000, 1000);
    hf_config_default(&p->config, peers + 1);
    memset(p->config.seed, 3, sizeof p->config.seed);
    listens();
    on(7);
    p->c->peer_port = 60000;
    establish_passive(); /* one that is served */
    on(0);
    for (uint32_t i = 0; i < peers; i++) {
        next_peer(p);
        establish_passive();
        sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
        expects(ACK, .ack = IRS + 2);
        expects_state(HF_CLOSE_WAIT);
    }
    struct hf_counters counters = counters_of(p);
    holds_equal(counters.connections, peers + 1);
    holds_equal(counters.active, 0);
    holds_equal(counters.small_chunks + counters.large_chunks + counters.ranges + counters.sent, 0);
    after(3600000);
    expects_silence();           /* no timers, no text: nothing happens */
    sets(HF_KEEPALIVE_COUNT, 1); /* the last one, where the application asks for it */
    sets(HF_KEEPALIVE, 1);
    after(2 * 3600000 + 200000);
    expects_state(HF_CLOSED);
    count_sent(p);
    releases();
    for (int i = 0; i < 3; i++) { /* the cap: one takes its place, two wait without a record */
        next_peer(p);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    }
    holds_equal(counters_of(p).connections, peers + 1);
    on(7);
    lives(p);
}

/* What a short connection of ours leaves: TIME-WAIT, its handle released. */
static void short_connection(struct peer *p)
{
    next_peer(p);
    establish_passive();
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK, .ack = ISS + 2);
    expects(ACK, .ack = IRS + 2);
    releases();
}

/* ST-02: a small record each, up to a cap of their own */
TEST(connections_that_wait_have_records_of_their_own_and_refuse_nobody)
{
    enum { WAIT = 20000 };
    p->config.max_connections = 8;
    p->config.max_time_wait = WAIT;
    starts();
    judge_end(&p->judge); /* it would remember all of them */
    for (int i = 0; i < WAIT; i++) {
        short_connection(p);
        if (i % 400 == 0)
            after(1000);
    }
    struct hf_counters counters = counters_of(p);
    holds_equal(counters.time_wait, WAIT);
    holds_equal(counters.connections, 0);
    holds_equal(counters.active + counters.small_chunks + counters.large_chunks, 0);
    _Static_assert(sizeof(struct time_wait) <= 64, "the row's 64 to 96 octets");
    after(61000);
    holds_equal(counters_of(p).time_wait, 0);
}

/* ST-02: beyond the cap the oldest one ends, where policy allows it and timestamps guard the next
 * of its endpoints. */
TEST(a_flood_of_short_connections_with_timestamps_recycles_the_oldest)
{
    enum { CAP = 50 };
    int flood = (int)row_or(1000000, 5000);
    p->config.policy.tw_recycle = true;
    p->config.max_connections = 8;
    p->config.max_time_wait = CAP;
    p->with.tsval = 1000;
    starts();
    judge_end(&p->judge);
    for (int i = 0; i < flood; i++) {
        short_connection(p);
        holds(counters_of(p).time_wait <= CAP);
        holds_equal(counters_of(p).connections, 0);
        if (i % 100 == 0)
            after(1);
    }
    holds_equal(counters_of(p).verdict[HF_V_TIME_WAIT_RECYCLED], flood - CAP);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2); /* the newest waits as it should */
    expects(ACK, .ack = IRS + 2);
    after(59000);
    holds_equal(counters_of(p).time_wait, CAP);
}

/* Each of seven connections that we have closed still waits, and one more lives beside them. */
static void all_wait(struct peer *p)
{
    p->config.max_connections = 8;
    p->config.max_time_wait = 4;
    for (int i = 0; i < 7; i++) {
        short_connection(p);
        p->conn[1 + i] = *p->c;
    }
    next_peer(p);
    establish_passive();
    lives(p);
    for (int i = 0; i < 7; i++) {
        on(1 + i);
        sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
        expects(ACK, .ack = IRS + 2);
    }
}

/* ST-02: without them nobody's TIME-WAIT is cut short, as long as there is any record. */
TEST(without_timestamps_no_time_wait_ends_before_its_time)
{
    p->config.policy.tw_recycle = true;
    all_wait(p);
}

/* MUST-13 */
TEST(by_default_no_time_wait_ends_before_its_time_whatever_guards_it)
{
    p->with.tsval = 1000;
    all_wait(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(two_clients_behind_one_address_with_unrelated_clocks_both_connect),
        BOTH(a_reset_and_the_next_syn_in_one_batch_open_a_new_connection),
        BOTH(the_last_ack_and_the_next_syn_in_one_batch_open_a_new_connection),
        BOTH(calls_between_the_segments_of_a_batch_are_seen_by_the_next_one),
        BOTH(a_record_that_is_used_again_is_as_a_fresh_one),
        BOTH(connections_that_wait_have_records_of_their_own_and_refuse_nobody),
        BOTH(a_flood_of_short_connections_with_timestamps_recycles_the_oldest),
        V4(without_timestamps_no_time_wait_ends_before_its_time),
        V4(by_default_no_time_wait_ends_before_its_time_whatever_guards_it),
        BOTH(connections_in_close_wait_cost_their_record_alone_and_harm_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
