/* RFC 9293 sections 3.8.6.2.2, 3.9.1.2; RFC 7323 section 2: buffers that grow with need.
 *
 * A round trip is 100 ms: the peer sends what it may, waits for the ACKs, and sends again. */
#include "common/peer.h"

enum { RTT_MS = 100, MSS = 1460, SEGMENTS = 40 * MSS };

static void with_scaling(struct peer *p)
{
    p->with.tsval = 1;
    p->with.wscale = SHIFT(8);
    p->with.mss = MSS;
    p->config.large_chunks = 2048;
    p->config.policy.max_receive_window = 3 << 20; /* of which a batch can be made */
}

static int64_t option(struct peer *p, enum hf_option which)
{
    int64_t value = 0;
    calls(hf_option(p->stack, p->c->handle, which, &value));
    return value;
}

static void without_timestamps(struct peer *p)
{
    with_scaling(p);
    p->with.tsval = 0;
}

/* As much as the window takes, in whole segments. */
static uint32_t a_window(struct peer *p)
{
    return status_of(rcv_wnd) / MSS * MSS;
}

/* The octets (as far as the window takes them) go in together and are read at once; then their
 * ACKs leave. */
static void carries_at_once(struct peer *p, uint32_t octets)
{
    octets = octets < a_window(p) ? octets : a_window(p);
    batch_begins();
    for (uint32_t done = 0; done < octets;) {
        uint32_t n = octets - done < SEGMENTS ? octets - done : SEGMENTS;
        sends(PSH | ACK, .len = n, .gso = MSS);
        done += n;
    }
    batch_ends();
    reads(octets);
    peer_forget(p);
}

static void carries(struct peer *p, uint32_t octets)
{
    carries_at_once(p, octets);
    after(RTT_MS);
}

TEST(a_window_that_is_filled_and_read_in_a_round_trip_grows)
{
    with_scaling(p);
    establish_passive();
    carries(p, MSS);
    holds_equal(option(p, HF_RECEIVE_WINDOW), 270000);
    uint32_t first = a_window(p);
    for (int i = 0; i < 3; i++) {
        carries(p, first);
    }
    holds(option(p, HF_RECEIVE_WINDOW) >= 2 * first);
    holds(option(p, HF_RECEIVE_WINDOW) <= 4 * first);
    sends(ACK, .len = MSS);
    peer_forget(p);
    holds(a_window(p) >= 2 * first - 2 * MSS);
    for (int i = 0; i < 12; i++) {
        carries(p, a_window(p));
        if (i == 0) {
            reads(MSS);
        }
    }
    holds_equal(option(p, HF_RECEIVE_WINDOW), p->config.policy.max_receive_window);
}

TEST(without_timestamps_the_time_that_a_window_takes_is_the_round_trip)
{
    without_timestamps(p);
    establish_passive();
    uint32_t first = 65535 / MSS * MSS;
    for (int i = 0; i < 14; i++) {
        carries(p, first);
        first = a_window(p);
    }
    holds(option(p, HF_RECEIVE_WINDOW) > 1000000);
}

TEST(a_window_is_no_larger_than_four_times_what_is_read_in_a_round_trip)
{
    with_scaling(p);
    establish_passive();
    carries(p, MSS);
    for (int i = 0; i < 20; i++) {
        carries(p, 46 * MSS);
    }
    holds_equal(option(p, HF_RECEIVE_WINDOW), 270000);
    for (int i = 0; i < 20; i++) {
        carries(p, 160 * MSS);
    }
    holds(option(p, HF_RECEIVE_WINDOW) >= 2 * 160 * MSS);
    holds(option(p, HF_RECEIVE_WINDOW) <= 4 * 160 * MSS);
}

TEST(timestamps_tell_the_round_trip_of_a_peer_that_does_not_fill_the_window)
{
    with_scaling(p);
    establish_passive();
    for (int i = 0; i < 20; i++) {
        carries(p, 10 * MSS);
    }
    for (int i = 0; i < 20; i++) {
        carries(p, 46 * MSS); /* less than a quarter of the window in 100 ms, more in 500 */
    }
    holds_equal(option(p, HF_RECEIVE_WINDOW), 270000);
}

TEST(a_window_grows_by_twice_what_comes_and_four_times_what_comes_more)
{
    with_scaling(p);
    establish_passive();
    carries(p, MSS);
    for (int segments = 60; segments <= 200; segments += 20) {
        carries(p, (uint32_t)segments * MSS);
    }
    for (int i = 0; i < 6; i++) {
        carries(p, (i % 2 ? 200 : 190) * MSS);
    }
    holds(option(p, HF_RECEIVE_WINDOW) >= 2 * 200 * MSS);
    holds(option(p, HF_RECEIVE_WINDOW) <= (2 * 200 + 4 * 20) * MSS);
}

TEST(at_half_a_millisecond_windows_grow)
{
    with_scaling(p);
    establish_passive();
    for (int i = 0; i < 14; i++) {
        carries_at_once(p, i ? a_window(p) : MSS);
        p->env.now_ns += 500000;
    }
    holds(option(p, HF_RECEIVE_WINDOW) > 1000000);
}

TEST(what_waits_to_be_read_when_measuring_begins_does_not_count_as_read)
{
    with_scaling(p);
    establish_passive();
    sends(ACK, .len = MSS);
    peer_forget(p);
    after(RTT_MS);
    reads(5); /* a header */
    holds_equal(option(p, HF_RECEIVE_WINDOW), 270000);
    after(RTT_MS);
    reads(MSS - 5);
    holds_equal(option(p, HF_RECEIVE_WINDOW), 270000);
    for (int i = 0; i < 12; i++) {
        carries(p, a_window(p));
    }
    holds_equal(option(p, HF_RECEIVE_WINDOW), p->config.policy.max_receive_window);
}

TEST(text_that_is_not_read_does_not_make_the_window_grow)
{
    with_scaling(p);
    establish_passive();
    carries(p, MSS);
    for (int i = 0; i < 6; i++) {
        uint32_t n = a_window(p) / 2 / MSS * MSS;
        for (uint32_t done = 0; done < n; done += MSS) {
            sends(ACK, .len = MSS);
        }
        peer_forget(p);
        after(RTT_MS);
    }
    holds_equal(option(p, HF_RECEIVE_WINDOW), 270000);
}

TEST(a_window_that_the_application_set_stays)
{
    with_scaling(p);
    establish_passive();
    sets(HF_RECEIVE_WINDOW, 200000);
    for (int i = 0; i < 10; i++) {
        carries(p, a_window(p));
    }
    holds_equal(option(p, HF_RECEIVE_WINDOW), 200000);
}

TEST(a_window_that_the_listener_was_given_stays)
{
    with_scaling(p);
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_RECEIVE_WINDOW, 200000));
    establish_passive();
    for (int i = 0; i < 10; i++) {
        carries(p, a_window(p));
    }
    holds_equal(option(p, HF_RECEIVE_WINDOW), 200000);
}

TEST(windows_grow_into_half_of_the_memory_that_is_free)
{
    with_scaling(p);
    p->config.small_chunks = 16;
    p->config.large_chunks = 80;
    establish_passive();
    for (int i = 0; i < 14; i++) {
        carries(p, a_window(p));
    }
    holds(option(p, HF_RECEIVE_WINDOW) > 270000);
    holds(option(p, HF_RECEIVE_WINDOW) <= (80 * 16384 + 16 * 2048) / 2);
}

TEST(without_a_statistics_record_the_window_stays_and_the_lack_is_counted)
{
    with_scaling(p);
    p->config.max_stats = 0;
    establish_passive();
    for (int i = 0; i < 10; i++) {
        carries(p, a_window(p));
    }
    holds_equal(option(p, HF_RECEIVE_WINDOW), 270000);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.stats_missed, 1);
}

/* Writes until the buffer is full, the peer acknowledges what comes a round trip later. */
static void fills_and_is_acknowledged(struct peer *p)
{
    uint32_t room = (uint32_t)option(p, HF_SEND_BUFFER) - status_of(queued_bytes);
    if (room != 0) {
        writes(room);
    }
    refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, "", 1, 0));
    peer_forget(p);
    after(RTT_MS);
    sends(ACK, .wnd = 65535, .ack = ISS + (int64_t)(status_of(snd_nxt) - p->c->iss));
    peer_forget(p);
}

TEST(a_send_buffer_that_is_in_flight_grows_with_the_congestion_window)
{
    with_scaling(p);
    establish_active();
    fills_and_is_acknowledged(p);
    holds_equal(option(p, HF_SEND_BUFFER), 262144); /* ten segments in flight */
    for (int i = 0; i < 12; i++) {
        fills_and_is_acknowledged(p);
    }
    holds(option(p, HF_SEND_BUFFER) > 262144);
    holds(option(p, HF_SEND_BUFFER) <= 2 * (int64_t)status_of(cwnd));
    for (int i = 0; i < 40; i++) {
        fills_and_is_acknowledged(p);
    }
    holds(option(p, HF_SEND_BUFFER) <= p->config.policy.max_send_buffer);
    holds(option(p, HF_SEND_BUFFER) >= 1000000);
}

TEST(what_is_in_flight_beyond_the_congestion_window_does_not_make_the_buffer_grow)
{
    with_scaling(p);
    p->config.policy.initial_cwnd = 200;
    establish_active();
    fills_and_is_acknowledged(p);
    uint32_t una = status_of(snd_una) - p->c->iss;
    writes(262144 - status_of(queued_bytes));
    refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, "", 1, 0));
    peer_forget(p);
    holds_equal(status_of(snd_nxt) - p->c->iss - una, 262144);
    after(3000);
    peer_forget(p);
    sends(ACK, .wnd = 65535, .ack = ISS + (int64_t)una + 1448);
    peer_forget(p);
    holds_equal(option(p, HF_SEND_BUFFER), 262144);
}

TEST(a_send_buffer_grows_only_while_the_application_waits_for_room)
{
    with_scaling(p);
    establish_active();
    for (int i = 0; i < 14; i++) {
        uint32_t room = (uint32_t)option(p, HF_SEND_BUFFER) - status_of(queued_bytes);
        writes(room);
        peer_forget(p);
        after(RTT_MS);
        sends(ACK, .wnd = 65535, .ack = ISS + (int64_t)(status_of(snd_nxt) - p->c->iss));
        peer_forget(p);
    }
    holds_equal(option(p, HF_SEND_BUFFER), 262144);
}

TEST(a_send_buffer_that_the_application_set_stays)
{
    with_scaling(p);
    establish_active();
    sets(HF_SEND_BUFFER, 200000);
    for (int i = 0; i < 14; i++) {
        fills_and_is_acknowledged(p);
    }
    holds_equal(option(p, HF_SEND_BUFFER), 200000);
}

TEST(a_send_buffer_grows_to_the_policys_limit)
{
    with_scaling(p);
    p->config.policy.max_send_buffer = 400000;
    establish_active();
    for (int i = 0; i < 30; i++) {
        fills_and_is_acknowledged(p);
    }
    holds_equal(option(p, HF_SEND_BUFFER), 400000);
}

TEST(without_tuning_buffers_stay)
{
    with_scaling(p);
    p->config.policy.tune_buffers = false;
    establish_active();
    for (int i = 0; i < 14; i++) {
        fills_and_is_acknowledged(p);
        carries(p, a_window(p));
    }
    holds_equal(option(p, HF_SEND_BUFFER), 262144);
    holds_equal(option(p, HF_RECEIVE_WINDOW), 270000);
}

/* In one machine a round trip is so short that more memory would only be slower. */
TEST(below_a_quarter_of_a_millisecond_buffers_stay)
{
    without_timestamps(p);
    establish_active();
    for (int i = 0; i < 14; i++) {
        uint32_t room = (uint32_t)option(p, HF_SEND_BUFFER) - status_of(queued_bytes);
        if (room != 0) {
            writes(room);
        }
        refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, "", 1, 0));
        peer_forget(p);
        p->env.now_ns += 100000;
        sends(ACK, .wnd = 65535, .ack = ISS + (int64_t)(status_of(snd_nxt) - p->c->iss));
        carries_at_once(p, a_window(p));
    }
    holds_equal(option(p, HF_SEND_BUFFER), 262144);
    holds_equal(option(p, HF_RECEIVE_WINDOW), 270000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_window_that_is_filled_and_read_in_a_round_trip_grows),
        V4(without_timestamps_the_time_that_a_window_takes_is_the_round_trip),
        V4(a_window_is_no_larger_than_four_times_what_is_read_in_a_round_trip),
        V4(timestamps_tell_the_round_trip_of_a_peer_that_does_not_fill_the_window),
        V4(a_window_grows_by_twice_what_comes_and_four_times_what_comes_more),
        V4(at_half_a_millisecond_windows_grow),
        V4(what_waits_to_be_read_when_measuring_begins_does_not_count_as_read),
        V4(text_that_is_not_read_does_not_make_the_window_grow),
        V4(a_window_that_the_application_set_stays),
        V4(a_window_that_the_listener_was_given_stays),
        V4(windows_grow_into_half_of_the_memory_that_is_free),
        V4(without_a_statistics_record_the_window_stays_and_the_lack_is_counted),
        BOTH(a_send_buffer_that_is_in_flight_grows_with_the_congestion_window),
        V4(what_is_in_flight_beyond_the_congestion_window_does_not_make_the_buffer_grow),
        V4(a_send_buffer_grows_only_while_the_application_waits_for_room),
        V4(a_send_buffer_that_the_application_set_stays),
        V4(a_send_buffer_grows_to_the_policys_limit),
        V4(without_tuning_buffers_stay),
        V4(below_a_quarter_of_a_millisecond_buffers_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
