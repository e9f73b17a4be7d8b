/* RFC 1191, RFC 8201, RFC 5927: "packet too big", and what is believed of it. */
#include "common/loss.h"

#include <string.h>

enum { MINUTE = 60000 };

static void too_big(struct peer *p, uint32_t mtu, int64_t number)
{
    uint8_t router[16];
    memcpy(router, p->peer_ip, 16);
    router[15] = 99;
    peer_icmp_error(p, router, p->v6 ? ICMP6_TOO_BIG : ICMP4_UNREACHABLE, p->v6 ? 0 : 4, mtu,
                    number);
}

static uint32_t headers(const struct peer *p)
{
    return p->v6 ? 60 : 40;
}

/* Text in full segments is acknowledged: the path has taken them. */
static void full_segments_arrive(struct peer *p)
{
    uint32_t una = status_of(snd_una) - p->c->iss;
    uint32_t mss = status_of(snd_mss);
    writes(2 * mss);
    expects(ACK, .len = mss);
    expects(ACK, .len = mss);
    sends(ACK, .ack = ISS + una + 2 * mss);
    expects_silence();
}

/* RFC1191-1, RFC1191-2, RFC1191-7, RFC8201-3, RFC8201-4 */
TEST(five_messages_about_a_flight_make_it_go_again_once_and_what_follows_fits)
{
    establish_active();
    writes(5 * 1460);
    for (int i = 0; i < 5; i++) {
        expects(ACK, .len = 1460);
    }
    batch_begins();
    for (int i = 0; i < 5; i++) {
        too_big(p, 1400, ISS + 1 + 1460 * i);
    }
    batch_ends();
    uint32_t text = 1400 - headers(p), sent = 0;
    while (sent < 5 * 1460) {
        uint32_t n = 5 * 1460 - sent < text ? 5 * 1460 - sent : text;
        expects(ACK, .seq = ISS + 1 + sent, .len = n);
        sent += n;
    }
    expects_silence();
    holds_equal(status_of(cwnd), 10 * text);
    sends(ACK, .ack = ISS + 1 + 5 * 1460);
    writes(2 * text);
    expects(ACK, .len = text);
    expects(ACK, .len = text);
}

/* RFC1191-4 */
TEST(a_router_that_does_not_tell_a_size_means_the_next_plateau)
{
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    p->quoted_len = 1500;
    too_big(p, 0, ISS + 1);
    expects(ACK, .len = 1492 - 40);
    expects(ACK, .len = 8);
    p->quoted_len = 1492;
    too_big(p, 0, ISS + 1);
    expects(ACK, .len = 1006 - 40);
}

/* RFC1191-5, RFC5927-5 */
TEST(an_absurdly_small_size_is_taken_as_552)
{
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 40, ISS + 1);
    expects(ACK, .len = 512);
    too_big(p, 100, ISS + 1);
    holds_equal(status_of(snd_mss), 512);
}

/* RFC1191-5 */
TEST(the_floor_can_be_as_low_as_68)
{
    p->config.policy.min_pmtu = 68;
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 40, ISS + 1);
    expects(ACK, .len = 28);
}

/* RFC8201-1, RFC5927-5 */
TEST(below_1280_a_message_is_no_message)
{
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 1279, ISS + 1);
    expects_silence();
    holds_equal(status_of(snd_mss), 1460);
    too_big(p, 1280, ISS + 1);
    expects(ACK, .len = 1220);
}

/* RFC5927-1, RFC8899-2 */
TEST(only_a_message_about_what_is_in_flight_counts)
{
    establish_active();
    full_segments_arrive(p);
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 2920);
    too_big(p, 1300, ISS + 2921 + 1460);
    after(300);
    expects(ACK, .seq = ISS + 2921, .len = 1460);
}

/* RFC1191-6, RFC8201-2 */
TEST(no_message_makes_packets_larger)
{
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 1);
    expects(ACK, .len = 1300 - headers(p));
    expects(ACK, .len = ANY);
    too_big(p, 1400, ISS + 1);
    expects_silence();
    holds_equal(status_of(snd_mss), 1300 - headers(p));
}

/* RFC5927-4 */
TEST(when_larger_segments_have_arrived_a_message_waits_for_the_timeout)
{
    establish_active();
    full_segments_arrive(p);
    writes(2920);
    expects(ACK, .len = 1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 2921);
    expects_silence();
    holds_equal(status_of(snd_mss), 1460);
    after(300);
    expects(ACK, .seq = ISS + 2921, .len = 1300 - headers(p));
}

/* RFC5927-4 */
TEST(progress_proves_a_message_false)
{
    establish_active();
    full_segments_arrive(p);
    writes(2920);
    expects(ACK, .len = 1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 2921);
    sends(ACK, .ack = ISS + 2921 + 1460);
    after(300);
    expects(ACK, .seq = ISS + 2921 + 1460, .len = 1460);
}

/* RFC5927-4 */
TEST(small_segments_that_have_arrived_prove_nothing)
{
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    sends(ACK, .ack = ISS + 101);
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 101);
    expects(ACK, .seq = ISS + 101, .len = 1300 - headers(p));
}

/* RFC5927-4 */
TEST(without_a_statistics_record_every_message_waits_for_the_timeout)
{
    p->config.max_stats = 0;
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 1);
    expects_silence();
    after(300);
    expects(ACK, .seq = ISS + 1, .len = 1300 - headers(p));
}

static void shrinks(struct peer *p)
{
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 1);
    expects(ACK, .len = ANY);
    expects(ACK, .len = ANY);
    sends(ACK, .ack = ISS + 1461);
}

/* RFC8201-5, RFC1191-3, RFC8201-2; IC-02 */
TEST(after_ten_minutes_a_larger_segment_is_tried)
{
    p->with.sackok = true;
    shrinks(p);
    uint32_t text = 1300 - headers(p);
    after(10 * MINUTE - 1000);
    writes(8 * text);
    for (int i = 0; i < 8; i++) {
        expects(ACK, .len = text);
    }
    sends(ACK, .ack = ISS + 1461 + 8 * text);
    after(1000);
    writes(8 * text);
    expects(ACK, .len = 1460);
    expects(ACK, .len = text);
}

static void stays_silent(struct peer *p, int days)
{
    p->config.policy.mtu_probing = HF_MTU_PROBING_OFF;
    shrinks(p);
    after(days * INT64_C(86400000));
    writes(1460);
    expects(ACK, .len = 1460);
}

/* RFC8201-5 */
TEST(where_probing_is_off_packets_are_full_again_after_ten_minutes)
{
    p->with.sackok = true;
    p->config.policy.mtu_probing = HF_MTU_PROBING_OFF;
    shrinks(p);
    after(10 * MINUTE - 1000);
    writes(1460);
    expects(ACK, .len = 1300 - headers(p));
    expects(ACK, .len = ANY);
    sends(ACK, .ack = ISS + 2921);
    after(1000);
    writes(1460);
    expects(ACK, .len = 1460);
}

/* RFC8201-5: times of 32 bits are compared for 24 days, and come round after 49. */
TEST(packets_are_full_again_however_long_nothing_was_sent)
{
    static const int days[] = {1, 24, 26, 30, 40, 49};
    for (unsigned i = 0; i < sizeof days / sizeof *days; i++) {
        void *state;
        peer_setup4(&state);
        stays_silent(state, days[i]);
        peer_teardown(&state);
    }
    holds(p->n_seen == 0);
}

/* RFC8201-5 */
TEST(without_sack_packets_are_full_again_after_ten_minutes)
{
    shrinks(p);
    after(10 * MINUTE);
    writes(1460);
    expects(ACK, .len = 1460);
}

/* RFC6633-2, RFC5927-3 */
TEST(source_quench_does_not_slow_a_sender)
{
    establish_active();
    writes(2920);
    expects(ACK, .len = 1460);
    expects(ACK, .len = 1460);
    uint32_t cwnd = status_of(cwnd);
    peer_icmp_error(p, p->peer_ip, ICMP4_SOURCE_QUENCH, 0, 0, ISS + 1);
    expects_silence();
    holds_equal(status_of(cwnd), cwnd);
    expects_no_event(HF_ERROR_REPORT);
    sends(ACK, .ack = ISS + 2921);
    writes(1460);
    expects(ACK, .len = 1460);
}

/* RFC5927-4: what was acknowledged lies before the segment that the message is about. */
TEST(progress_below_the_segment_of_a_message_proves_nothing)
{
    establish_active();
    full_segments_arrive(p);
    writes(2920);
    expects(ACK, .len = 1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 2921 + 1460);
    sends(ACK, .ack = ISS + 2921 + 1460);
    after(300);
    expects(ACK, .seq = ISS + 2921 + 1460, .len = 1300 - headers(p));
}

/* Segment n (from 1) of those behind full_segments_arrive. */
static int64_t full_segment(int n)
{
    return ISS + 2921 + 1460 * (int64_t)(n - 1);
}

static void sends_full_segments(struct peer *p, int n)
{
    establish_active();
    full_segments_arrive(p);
    writes((uint32_t)n * 1460);
    for (int i = 1; i <= n; i++) {
        expects(ACK, .seq = full_segment(i), .len = 1460);
    }
}

/* RFC5927-4: each segment of a flight brings its message, in whatever order. */
TEST(a_late_message_about_the_first_segment_is_not_forgotten_for_those_about_others)
{
    sends_full_segments(p, 3);
    too_big(p, 1300, full_segment(2));
    too_big(p, 1300, full_segment(1));
    too_big(p, 1300, full_segment(3));
    expects_silence();
    holds_equal(status_of(snd_mss), 1460);
    after(300);
    expects(ACK, .seq = full_segment(1), .len = 1300 - headers(p));
}

/* RFC5927-4 */
TEST(progress_beyond_the_first_of_many_messages_leaves_later_ones)
{
    sends_full_segments(p, 4);
    too_big(p, 1300, full_segment(1));
    too_big(p, 1300, full_segment(2));
    sends(ACK, .ack = full_segment(2));
    too_big(p, 1300, full_segment(3));
    after(300);
    expects(ACK, .seq = full_segment(2), .len = 1300 - headers(p));
}

/* RFC5927-4 */
TEST(a_segment_between_those_that_messages_were_about_goes_again_as_large)
{
    sends_full_segments(p, 3);
    too_big(p, 1300, full_segment(1));
    too_big(p, 1300, full_segment(3));
    sends(ACK, .ack = full_segment(2));
    after(300);
    expects(ACK, .seq = full_segment(2), .len = 1460);
    holds_equal(status_of(snd_mss), 1460);
}

/* The link by which the peer is reached from now on; returns the text of a segment there. */
static uint32_t another_link(struct peer *p)
{
    struct hf_interface more = {.struct_size = sizeof more, .link = HF_LINK_IP};
    more.mtu = p->v6 ? 1280 : 600;
    more.offload = p->offload;
    holds_equal(hf_interface_add(p->stack, &p->env, &more), 2);
    calls(hf_route_add(p->stack, &p->env, 2, p->peer_ip, p->v6 ? 128 : 32, NULL));
    return more.mtu - headers(p);
}

/* MUST-16, RFC 1122 3.3.3: new text and old, and those that others may cut, too. */
TEST(segments_fit_the_link_that_a_new_route_leads_by)
{
    p->with.sackok = true;
    establish_active();
    full_segments_arrive(p);
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 2921); /* waits for the timeout, and means another path by then */
    uint32_t text = another_link(p);
    writes(2 * text);
    expects(ACK, .seq = ISS + 4381, .len = text);
    expects(ACK, .seq = ISS + 4381 + text, .len = text);
    holds_equal(status_of(snd_mss), text);
    after(300);
    expects(ACK, .seq = ISS + 4381 + text, .len = text); /* a loss probe */
    expects(ACK, .seq = ISS + 2921, .len = text);        /* no larger again */
    sends(ACK, .ack = ISS + 4381 + 2 * text);
    expects_silence();
    holds_equal(status_of(snd_mss), text);
}

/* RFC8201-5: full again in their time, but no larger than the link. */
static void grow_again(struct peer *p)
{
    establish_active();
    full_segments_arrive(p);
    uint32_t text = another_link(p), una = 2921;
    for (int i = 0; i < 2; i++) {
        writes(8 * text);
        for (int k = 0; k < 8; k++) {
            expects(ACK, .len = text);
        }
        una += 8 * text;
        sends(ACK, .ack = ISS + una);
        after(10 * MINUTE);
    }
    calls(hf_route_remove(p->stack, &p->env, 2, p->peer_ip, p->v6 ? 128 : 32));
    writes(8 * text);
    expects(ACK, .len = 1460);
}

TEST(packets_grow_again_once_the_link_of_before_is_back)
{
    p->with.sackok = true;
    grow_again(p);
}

TEST(packets_are_full_again_once_the_link_of_before_is_back)
{
    p->config.policy.mtu_probing = HF_MTU_PROBING_OFF;
    grow_again(p);
}

/* MUST-16: a device cuts super-segments by the size it is told. */
TEST(super_segments_are_cut_to_fit_the_link_of_a_new_route)
{
    p->offload = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6;
    establish_active();
    uint32_t text = another_link(p);
    writes(4 * text);
    for (int i = 0; i < 4; i++) {
        expects(ACK, .len = text);
    }
}

/* MUST-16: who routes them may cut them; the first link takes no larger ones from us. */
TEST(segments_that_may_be_cut_fit_the_first_link_too)
{
    establish_active();
    sets(HF_MAY_FRAGMENT, 1);
    p->wild = true; /* no DF */
    uint32_t text = another_link(p);
    writes(2 * text);
    expects(ACK, .len = text);
    expects(ACK, .len = text);
}

/* MUST-67: nor does a SYN that goes again promise more than its link takes. */
TEST(a_syn_by_another_link_announces_what_that_takes)
{
    opens();
    expects(SYN, .mss = 1460);
    uint32_t text = another_link(p);
    after(1000);
    expects(SYN, .mss = (int)text);
}

/* Ten segments, all sent again as smaller ones: nothing was lost. */
static void goes_back(struct peer *p)
{
    p->config.policy.tlp = false;
    establish_slowly(p);
    writes(14600);
    for (int i = 0; i < 10; i++)
        expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 1);
    peer_forget(p);
    holds(status_of(cwnd) >= 10 * status_of(snd_mss));
    holds_equal(status_of(ssthresh), UINT32_MAX);
}

/* RFC 5681 3.1, (4): the timer has not sent it again before, RFC1191-1.  RFC5681-16 */
TEST(a_timeout_behind_a_message_reduces_the_window)
{
    goes_back(p);
    expects_after(250, 330, ACK, .seq = ISS + 1, .len = status_of(snd_mss));
    holds_equal(status_of(cwnd), status_of(snd_mss));
    uint32_t ssthresh = status_of(ssthresh);
    holds(ssthresh <= 14600 / 2);
    expects_after(550, 700, ACK, .seq = ISS + 1, .len = ANY);
    holds_equal(status_of(ssthresh), ssthresh); /* but once */
}

/* RFC 5681 4.3, RFC 6675 5: what went again for its size is lost like anything else. */
TEST(a_loss_behind_a_message_reduces_the_window)
{
    p->with.sackok = true;
    goes_back(p);
    uint32_t mss = status_of(snd_mss);
    uint32_t cwnd = status_of(cwnd);
    after(100);
    sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1 + mss, ISS + 1 + 5 * mss}});
    expects(ACK, .seq = ISS + 1, .len = mss);
    peer_forget(p);
    holds_equal(status_of(ssthresh), cwnd / 2);
    sends(ACK, .ack = ISS + 14601);
    holds_equal(status_of(cwnd), cwnd / 2);
}

/* RFC 6675 5: what a loss has begun to reduce stays reduced. */
TEST(a_message_within_a_recovery_leaves_the_window_reduced)
{
    p->with.sackok = true;
    establish_slowly(p);
    writes(14600);
    for (int i = 0; i < 10; i++)
        expects(ACK, .len = 1460);
    after(100);
    sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1 + 1460, ISS + 1 + 5 * 1460}});
    expects(ACK, .seq = ISS + 1, .len = 1460);
    uint32_t ssthresh = status_of(ssthresh);
    too_big(p, 1300, ISS + 1);
    peer_forget(p);
    holds(status_of(cwnd) <= ssthresh);
    sends(ACK, .ack = ISS + 14601);
    holds(status_of(cwnd) <= 2 * ssthresh);
    holds_equal(status_of(ssthresh), ssthresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(five_messages_about_a_flight_make_it_go_again_once_and_what_follows_fits),
        V4(a_router_that_does_not_tell_a_size_means_the_next_plateau),
        V4(an_absurdly_small_size_is_taken_as_552),
        V4(the_floor_can_be_as_low_as_68),
        V6(below_1280_a_message_is_no_message),
        BOTH(only_a_message_about_what_is_in_flight_counts),
        BOTH(no_message_makes_packets_larger),
        BOTH(when_larger_segments_have_arrived_a_message_waits_for_the_timeout),
        BOTH(progress_proves_a_message_false),
        BOTH(small_segments_that_have_arrived_prove_nothing),
        BOTH(without_a_statistics_record_every_message_waits_for_the_timeout),
        BOTH(after_ten_minutes_a_larger_segment_is_tried),
        BOTH(where_probing_is_off_packets_are_full_again_after_ten_minutes),
        BOTH(without_sack_packets_are_full_again_after_ten_minutes),
        V4(packets_are_full_again_however_long_nothing_was_sent),
        V4(source_quench_does_not_slow_a_sender),
        BOTH(progress_below_the_segment_of_a_message_proves_nothing),
        BOTH(a_late_message_about_the_first_segment_is_not_forgotten_for_those_about_others),
        BOTH(progress_beyond_the_first_of_many_messages_leaves_later_ones),
        BOTH(a_segment_between_those_that_messages_were_about_goes_again_as_large),
        BOTH(segments_fit_the_link_that_a_new_route_leads_by),
        BOTH(packets_grow_again_once_the_link_of_before_is_back),
        BOTH(packets_are_full_again_once_the_link_of_before_is_back),
        BOTH(super_segments_are_cut_to_fit_the_link_of_a_new_route),
        V4(segments_that_may_be_cut_fit_the_first_link_too),
        BOTH(a_syn_by_another_link_announces_what_that_takes),
        BOTH(a_timeout_behind_a_message_reduces_the_window),
        BOTH(a_loss_behind_a_message_reduces_the_window),
        V4(a_message_within_a_recovery_leaves_the_window_reduced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
