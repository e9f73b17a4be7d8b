/* RFC 4821, RFC 8899: paths that drop large packets and say nothing; the search for what they take.
 */
#include "common/peer.h"

#include <stdlib.h>
#include <string.h>

enum { MINUTE = 60000, RTT_MS = 20, HELD = 64, ANYTHING = 9000 };

/* A path and the peer behind it: what is larger than `limit` is lost, all else arrives and is
 * acknowledged. */
struct path {
    uint32_t limit;
    uint32_t nxt; /* from ISS */
    uint32_t held[HELD][2];
    int n;
    uint32_t largest; /* packet seen */
    uint32_t probes;  /* packets larger than full ones at that time */
    bool tells;       /* by ICMP */
    bool taking;
    bool takes_the_next; /* a large packet that is lost takes the one behind it along */
    uint32_t every;      /* the limit holds for every so-many-th only */
    uint32_t count;
};

static uint32_t headers(const struct peer *p)
{
    return p->v6 ? 60 : 40;
}

static void hold(struct path *path, uint32_t left, uint32_t right)
{
    for (int i = 0; i < path->n; i++) {
        if (path->held[i][0] <= right && left <= path->held[i][1]) {
            left = left < path->held[i][0] ? left : path->held[i][0];
            right = right > path->held[i][1] ? right : path->held[i][1];
            path->held[i][0] = path->held[path->n - 1][0];
            path->held[i][1] = path->held[path->n - 1][1];
            path->n--;
            i = -1;
        }
    }
    if (path->n == HELD)
        abort();
    if (left <= path->nxt) {
        path->nxt = right > path->nxt ? right : path->nxt;
    } else {
        path->held[path->n][0] = left;
        path->held[path->n][1] = right;
        path->n++;
    }
}

static void acknowledges(struct peer *p, const struct path *path)
{
    struct seg_spec spec = {.ctl = ACK, .ack = ISS + path->nxt};
    for (int i = 0; i < path->n && i < 4; i++) {
        spec.sack[i][0] = ISS + path->held[path->n - 1 - i][0];
        spec.sack[i][1] = ISS + path->held[path->n - 1 - i][1];
    }
    peer_sends(PEER_HERE(p), &spec);
}

/* What is on its way arrives or is lost, and is acknowledged a round trip later. */
static void a_round_trip(struct peer *p, struct path *path)
{
    struct seen *seen[256];
    uint32_t n = 0;
    while (n < 256 && (seen[n] = peer_take(p, WIRE_PROTO_TCP)) != NULL) { /* all fit: cwnd */
        n++;
    }
    after(RTT_MS);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t left = seen[i]->seg.seq.v - p->c->iss, len = seen[i]->seg.text_len;
        uint32_t size = len + headers(p);
        peer_taken(p, seen[i]);
        bool large = size > path->limit && (path->every == 0 || path->count++ % path->every == 0);
        path->largest = size > path->largest ? size : path->largest;
        path->probes += size > status_of(snd_mss) + headers(p);
        if (large && path->tells) {
            peer_icmp_error(p, p->peer_ip, p->v6 ? ICMP6_TOO_BIG : ICMP4_UNREACHABLE, p->v6 ? 0 : 4,
                            path->limit, ISS + left);
        }
        bool taken_along = path->takes_the_next && path->taking;
        path->taking = large;
        if (len == 0 || large || taken_along) {
            continue;
        }
        hold(path, left, left + len);
        acknowledges(p, path);
    }
}

/* The application always has text to send. */
static void sends_on(struct peer *p, struct path *path, int round_trips)
{
    for (int i = 0; i < round_trips; i++) {
        uint32_t queued = status_of(queued_bytes);
        if (queued < 60000) {
            writes(60000 - queued);
        }
        a_round_trip(p, path);
    }
}

/* So long nothing is sent: all has arrived before. */
static void rests(struct peer *p, struct path *path, int64_t ms)
{
    for (int i = 0; i < 1000 && status_of(queued_bytes); i++) {
        a_round_trip(p, path);
    }
    holds_equal(status_of(queued_bytes), 0);
    after(ms);
}

/* What went is still to be expected; behind waits_for_timeouts it is not. */
static void sees_timeouts(struct peer *p, uint8_t retries)
{
    while (status_of(retries) < retries) {
        after(10);
    }
}

static void waits_for_timeouts(struct peer *p, uint8_t retries)
{
    sees_timeouts(p, retries);
    peer_forget(p);
}

static void with_sack(struct peer *p)
{
    p->with.sackok = true;
    p->config.policy.hystart = HF_HYSTART_OFF; /* ssthresh is what losses make it */
    establish_active();
}

static uint32_t base_text(const struct peer *p)
{
    return p->v6 ? 1280 - 60 : 1024;
}

/* RFC4821-7 */
TEST(full_segments_that_time_out_twice_become_smaller)
{
    establish_active();
    writes(2920);
    waits_for_timeouts(p, 1);
    holds_equal(status_of(snd_mss), 1460);
    sees_timeouts(p, 2);
    holds_equal(status_of(snd_mss), base_text(p));
    expects(ACK, .seq = ISS + 1, .len = base_text(p));
    sends(ACK, .ack = ISS + 1 + base_text(p));
    expects(ACK, .seq = ISS + 1 + base_text(p), .len = 1460 - base_text(p));
}

/* RFC4821-7 */
TEST(further_timeouts_halve_packets_down_to_the_floor)
{
    establish_active();
    writes(2920);
    waits_for_timeouts(p, 2);
    holds_equal(status_of(snd_mss), base_text(p));
    waits_for_timeouts(p, 3);
    holds_equal(status_of(snd_mss), p->v6 ? 1220 : 512);
    waits_for_timeouts(p, 5);
    holds_equal(status_of(snd_mss), p->v6 ? 1220 : 512);
}

/* RFC4821-7: half a full segment is more than that, and would never be tried. */
TEST(a_segment_smaller_than_half_a_full_one_that_times_out_is_halved_too)
{
    establish_active();
    writes(650);
    waits_for_timeouts(p, 2);
    holds_equal(status_of(snd_mss), 1460);
    sees_timeouts(p, 3);
    holds_equal(status_of(snd_mss), 512);
    expects(ACK, .seq = ISS + 1, .len = 512);
    sends(ACK, .ack = ISS + 513);
    expects(ACK, .seq = ISS + 513, .len = 138);
}

TEST(small_segments_that_time_out_stay_as_they_are)
{
    establish_active();
    writes(p->v6 ? 1220 : 512);
    waits_for_timeouts(p, 5);
    holds_equal(status_of(snd_mss), 1460);
}

/* RFC4821-7: many of them are no large one, nor is the first for full ones behind it. */
TEST(a_small_segment_that_times_out_says_nothing_of_larger_ones)
{
    establish_active();
    sets(HF_NODELAY, 1);
    for (int i = 0; i < 6; i++) {
        writes(100);
    }
    writes(2920);
    waits_for_timeouts(p, 5);
    holds_equal(status_of(snd_mss), 1460);
    sends(ACK, .ack = ISS + 601);
    waits_for_timeouts(p, 2);
    holds_equal(status_of(snd_mss), base_text(p));
}

/* RFC8899-1 */
TEST(with_probing_off_black_holes_swallow)
{
    p->config.policy.mtu_probing = HF_MTU_PROBING_OFF;
    establish_active();
    writes(2920);
    waits_for_timeouts(p, 5);
    holds_equal(status_of(snd_mss), 1460);
}

/* RFC4821-7: packets that have arrived are the first to be fallen back to. */
TEST(a_size_that_was_good_is_the_first_to_fall_back_to)
{
    p->config.policy.mtu_probing = HF_MTU_PROBING_BLACK_HOLE;
    establish_active();
    writes(2920);
    expects(ACK, .len = 1460);
    expects(ACK, .len = 1460);
    uint8_t router[16];
    memcpy(router, p->peer_ip, 16);
    peer_icmp_error(p, router, p->v6 ? ICMP6_TOO_BIG : ICMP4_UNREACHABLE, p->v6 ? 0 : 4, 1400,
                    ISS + 1);
    peer_forget(p);
    sends(ACK, .ack = ISS + 2921);
    writes(1400 - headers(p));
    expects(ACK, .len = 1400 - headers(p));
    sends(ACK, .ack = ISS + 2921 + 1400 - headers(p));
    after(10 * MINUTE); /* without SACK they are full again */
    writes(2920);
    expects(ACK, .len = 1460);
    waits_for_timeouts(p, 2);
    holds_equal(status_of(snd_mss), 1400 - headers(p));
}

/* RFC8201-5: no probe will find out, so an outage would make them small for ever. */
TEST(without_sack_packets_are_full_again_ten_minutes_behind_a_black_hole)
{
    establish_active();
    writes(2920);
    waits_for_timeouts(p, 2);
    sends(ACK, .ack = ISS + 2921);
    peer_forget(p);
    after(10 * MINUTE - 2000);
    writes(base_text(p));
    expects(ACK, .len = base_text(p));
    sends(ACK, .ack = ISS + 2921 + base_text(p));
    after(2000);
    writes(2920);
    expects(ACK, .len = 1460);
    waits_for_timeouts(p, 2); /* it was no outage */
    holds_equal(status_of(snd_mss), base_text(p));
}

/* RFC4821-3, RFC4821-4 */
TEST(behind_a_black_hole_the_old_size_is_probed_first)
{
    with_sack(p);
    writes(2920);
    waits_for_timeouts(p, 2);
    uint32_t text = base_text(p);
    sends(ACK, .ack = ISS + 2921);
    peer_forget(p);
    writes(8 * 1460);
    peer_forget(p);
    sends(ACK, .ack = ISS + (int64_t)(status_of(snd_nxt) - p->c->iss));
    struct path path = {.limit = ANYTHING, .nxt = status_of(snd_una) - p->c->iss};
    uint32_t cwnd = 0, mss = text;
    for (int i = 0; i < 40 && mss == text; i++) {
        cwnd = status_of(cwnd);
        sends_on(p, &path, 1);
        mss = status_of(snd_mss);
    }
    holds_equal(mss, 1460);
    holds(status_of(cwnd) <= 2 * cwnd);
    holds_equal(path.largest, 1460 + headers(p));
}

/* To packets of the base size, with a window that a probe fits in. */
static struct path behind_a_black_hole(struct peer *p, uint32_t limit)
{
    with_sack(p);
    struct path path = {.limit = ANYTHING, .nxt = 1};
    sends_on(p, &path, 40);
    writes(60000 - status_of(queued_bytes));
    waits_for_timeouts(p, 5);
    path = (struct path){.limit = limit, .nxt = status_of(snd_nxt) - p->c->iss};
    sends(ACK, .ack = ISS + path.nxt);
    holds_equal(status_of(snd_mss), base_text(p));
    return path;
}

/* Until a probe has been sent; what was before it came to its end. */
static struct hf_status until_a_probe(struct peer *p, struct path *path)
{
    struct hf_status before = peer_status(p);
    for (int i = 0; i < 100 && path->probes == 0; i++) {
        before = peer_status(p);
        sends_on(p, path, 1);
    }
    holds_equal(path->probes, 1);
    return before;
}

/* Where full segments have arrived, a link that is dead for some seconds is likelier. */
TEST(full_segments_that_have_arrived_before_stay_full_for_four_timeouts)
{
    with_sack(p);
    struct path path = {.limit = ANYTHING, .nxt = 1};
    sends_on(p, &path, 10);
    writes(60000 - status_of(queued_bytes));
    waits_for_timeouts(p, 4);
    holds_equal(status_of(snd_mss), 1460);
    waits_for_timeouts(p, 5);
    holds_equal(status_of(snd_mss), base_text(p));
}

/* RFC4821-1, RFC4821-2 */
TEST(a_probe_that_alone_is_lost_is_no_sign_of_congestion)
{
    struct path path = behind_a_black_hole(p, p->v6 ? 1280 : 1064);
    struct hf_status before = until_a_probe(p, &path);
    sends_on(p, &path, 3);
    holds(status_of(retransmitted_segs) - before.retransmitted_segs >= 2); /* in pieces that fit */
    holds(status_of(cwnd) >= before.cwnd);
    holds_equal(status_of(ssthresh), before.ssthresh);
    holds_equal(status_of(snd_mss), base_text(p));
    sends_on(p, &path, (int)(before.cwnd / before.snd_mss) - 4);
    holds_equal(path.probes, 1);
}

/* RFC4821-1 */
TEST(a_probe_that_is_lost_with_another_segment_is)
{
    struct path path = behind_a_black_hole(p, p->v6 ? 1280 : 1064);
    path.takes_the_next = true;
    struct hf_status before = until_a_probe(p, &path);
    sends_on(p, &path, 3);
    holds(status_of(ssthresh) < before.ssthresh);
    path.limit = ANYTHING;
    sends_on(p, &path, 10); /* it was inconclusive: the same size goes again */
    holds_equal(status_of(snd_mss), 1460);
}

/* RFC4821-4, RFC4821-5 */
TEST(the_search_ends_close_below_what_the_path_takes)
{
    struct path path = behind_a_black_hole(p, 1400);
    for (int i = 0; i < 12 && status_of(snd_mss) + headers(p) <= 1400 - 8; i++) {
        sends_on(p, &path, 500);
        rests(p, &path, MINUTE); /* one after each success: RFC 1191 3 */
    }
    holds(status_of(snd_mss) + headers(p) <= 1400);
    holds(status_of(snd_mss) + headers(p) > 1400 - 8);
    sends_on(p, &path, 500);
    uint32_t probes = path.probes;
    path.limit = ANYTHING;
    rests(p, &path, 5 * MINUTE);
    sends_on(p, &path, 100);
    holds_equal(path.probes, probes);
    rests(p, &path, 5 * MINUTE);
    sends_on(p, &path, 100);
    holds_equal(status_of(snd_mss), 1460);
}

/* RFC 4821 7.4: a probe is one segment, and records (HF_SEND_END) share none.  What is larger than
 * the path takes, and is no probe, would be lost each time, and the window come down for it. */
TEST(a_record_that_is_too_short_for_a_probe_leaves_in_segments_that_fit)
{
    enum { RECORD = 1300 };
    with_sack(p);
    writes(2920);
    waits_for_timeouts(p, 2);
    sends(ACK, .ack = ISS + 2921);
    peer_forget(p);
    struct path path = {.limit = base_text(p) + headers(p), .nxt = 2921};
    for (int i = 0; i < 200; i++) {
        while (status_of(queued_bytes) < 60000) {
            writes_with(RECORD, HF_SEND_END);
        }
        a_round_trip(p, &path);
    }
    holds_equal(path.probes, 0);
    holds_equal(path.largest, base_text(p) + headers(p));
}

/* RFC4821-6 */
TEST(a_short_queue_is_not_probed_with)
{
    struct path path = behind_a_black_hole(p, ANYTHING);
    for (int i = 0; i < 20; i++) {
        writes(1460 + 3 * base_text(p) - 1);
        a_round_trip(p, &path);
        a_round_trip(p, &path);
    }
    holds_equal(path.probes, 0);
    for (int i = 0; i < 4; i++) {
        writes(1460 + 3 * base_text(p));
        a_round_trip(p, &path);
        a_round_trip(p, &path);
    }
    holds_equal(status_of(snd_mss), 1460);
}

/* RFC4821-8 */
TEST(a_raise_that_makes_losses_is_taken_back)
{
    struct path path = behind_a_black_hole(p, ANYTHING);
    while (status_of(snd_mss) != 1460) {
        sends_on(p, &path, 1);
    }
    path.limit = p->v6 ? 1280 : 1064;
    path.every = 2; /* one of two paths takes no large packets */
    sends_on(p, &path, 60);
    holds_equal(status_of(snd_mss), base_text(p));
    uint32_t probes = path.probes;
    path.every = 0;
    path.limit = ANYTHING;
    rests(p, &path, 9 * MINUTE);
    sends_on(p, &path, 100);
    holds_equal(path.probes, probes);
}

TEST(packets_may_begin_small_and_grow)
{
    p->config.policy.mtu_probing = HF_MTU_PROBING_ALWAYS;
    with_sack(p);
    holds_equal(status_of(snd_mss), base_text(p));
    struct path path = {.limit = ANYTHING, .nxt = 1};
    sends_on(p, &path, 10);
    holds_equal(status_of(snd_mss), 1460);
}

/* RFC 4821 7.6.2 */
TEST(a_router_may_say_what_a_probe_should_have_been)
{
    struct path path = behind_a_black_hole(p, 1300);
    path.tells = true;
    until_a_probe(p, &path);
    sends_on(p, &path, 400);
    holds_equal(path.probes, 2);
    holds_equal(status_of(snd_mss), 1300 - headers(p));
}

/* RFC8201-5 */
TEST(ten_minutes_after_a_message_about_a_probe_the_path_is_probed_again)
{
    struct path path = behind_a_black_hole(p, 1300);
    path.tells = true;
    until_a_probe(p, &path);
    sends_on(p, &path, 400);
    holds_equal(status_of(snd_mss), 1300 - headers(p));
    path.limit = ANYTHING;
    rests(p, &path, 10 * MINUTE);
    sends_on(p, &path, 100);
    holds_equal(status_of(snd_mss), 1460);
}

static bool probe_has_left(struct peer *p)
{
    for (uint32_t i = 0; i < p->n_seen; i++)
        if (p->seen[i]->seg.text_len > status_of(snd_mss))
            return true;
    return false;
}

/* RFC 4821 7.6.2: the search goes on half way, as after a probe that was just lost. */
TEST(a_message_about_another_segment_says_nothing_of_a_probe)
{
    struct path path = behind_a_black_hole(p, 1064);
    for (int i = 0; i < 100; i++) {
        writes(60000 - status_of(queued_bytes));
        if (probe_has_left(p))
            break;
        a_round_trip(p, &path);
    }
    holds(probe_has_left(p));
    uint32_t last = status_of(snd_nxt) - 1 - p->c->iss;
    peer_icmp_error(p, p->peer_ip, ICMP4_UNREACHABLE, 4, 1400, ISS + last);
    sends_on(p, &path, 1);
    holds_equal(path.probes, 1);
    path.largest = 0;
    for (int i = 0; i < 400 && path.probes == 1; i++)
        sends_on(p, &path, 1);
    holds_equal(path.largest, (1064 + 1499 + 1) / 2);
}

/* RFC4821-5 */
TEST(a_probe_of_eight_octets_more_that_is_lost_ends_the_search)
{
    p->config.policy.mtu_probing = HF_MTU_PROBING_ALWAYS;
    p->config.policy.base_mtu = 1492;
    with_sack(p);
    struct path path = {.limit = 1492, .nxt = 1};
    sends_on(p, &path, 400);
    holds_equal(path.probes, 1);
    holds_equal(status_of(snd_mss), 1452);
}

/* RFC4821-8: each raise by itself. */
TEST(a_second_raise_that_makes_losses_is_taken_back_too)
{
    struct path path = behind_a_black_hole(p, 1400);
    uint32_t good[2], mss = status_of(snd_mss);
    for (int n = 0; n < 2; n++) {
        for (int i = 0; i < 1000 && status_of(snd_mss) == mss; i++)
            sends_on(p, &path, 1);
        good[n] = mss = status_of(snd_mss);
        if (n == 0) {
            sends_on(p, &path, 100); /* 500 segments and more: it is good */
            rests(p, &path, MINUTE);
        }
    }
    holds(good[1] > good[0]);
    path.limit = good[0] + headers(p);
    path.every = 2;
    sends_on(p, &path, 60);
    holds_equal(status_of(snd_mss), good[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(full_segments_that_time_out_twice_become_smaller),
        BOTH(further_timeouts_halve_packets_down_to_the_floor),
        BOTH(small_segments_that_time_out_stay_as_they_are),
        V4(a_segment_smaller_than_half_a_full_one_that_times_out_is_halved_too),
        BOTH(a_small_segment_that_times_out_says_nothing_of_larger_ones),
        BOTH(without_sack_packets_are_full_again_ten_minutes_behind_a_black_hole),
        V4(with_probing_off_black_holes_swallow),
        BOTH(a_size_that_was_good_is_the_first_to_fall_back_to),
        BOTH(behind_a_black_hole_the_old_size_is_probed_first),
        BOTH(full_segments_that_have_arrived_before_stay_full_for_four_timeouts),
        BOTH(a_probe_that_alone_is_lost_is_no_sign_of_congestion),
        V4(a_probe_that_is_lost_with_another_segment_is),
        BOTH(the_search_ends_close_below_what_the_path_takes),
        BOTH(a_record_that_is_too_short_for_a_probe_leaves_in_segments_that_fit),
        BOTH(a_short_queue_is_not_probed_with),
        BOTH(a_raise_that_makes_losses_is_taken_back),
        BOTH(packets_may_begin_small_and_grow),
        BOTH(a_router_may_say_what_a_probe_should_have_been),
        BOTH(ten_minutes_after_a_message_about_a_probe_the_path_is_probed_again),
        V4(a_message_about_another_segment_says_nothing_of_a_probe),
        V4(a_probe_of_eight_octets_more_that_is_lost_ends_the_search),
        V4(a_second_raise_that_makes_losses_is_taken_back_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
