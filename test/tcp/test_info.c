/* RFC 9293 section 3.9.1.6, RFC 4898: what hf_info tells, field by field, where the value is known.
 */
#include "common/peer.h"

#include <string.h>

enum { MSS = 1460 };

static void with_all(struct peer *p)
{
    p->with.sackok = true;
    p->with.wscale = SHIFT(7);
    p->with.tsval = 1;
    establish_active();
}

static void with_sack(struct peer *p)
{
    p->with.sackok = true;
    establish_active();
}

/* With a round trip of 50 ms. */
static void over_a_distance(struct peer *p)
{
    opens();
    expects(SYN);
    after(50);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = MSS, .sackok = true);
    expects(ACK);
}

TEST(an_attempt_to_open)
{
    opens();
    expects(SYN);
    holds_equal(info_of(state), HF_SYN_SENT);
    holds_equal(info_of(unacked), 1);
    holds_equal(info_of(segs_out), 1);
    holds_equal(info_of(segs_in), 0);
    holds_equal(info_of(delivered), 0);
    holds_equal(info_of(rtt_us), 0);
    holds_equal(info_of(rto_us), 1000000);
    holds_equal(info_of(snd_ssthresh), HF_INFO_NO_SSTHRESH);
    after(1000);
    expects(SYN);
    holds_equal(info_of(retransmits), 1);
    holds_equal(info_of(backoff), 1);
    holds_equal(info_of(rto_us), 2000000);
    holds_equal(info_of(total_retrans), 1);
    holds_equal(info_of(total_rto), 1);
    holds_equal(info_of(total_rto_recoveries), 1);
    after(500);
    holds_equal(info_of(total_rto_ms), 500);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = MSS);
    expects(ACK);
    after(1000);
    holds_equal(info_of(total_rto_ms), 500);
    holds_equal(info_of(retransmits), 0);
    holds_equal(info_of(state), HF_ESTABLISHED);
    holds_equal(info_of(delivered), 1);
}

TEST(what_was_agreed_upon)
{
    with_all(p);
    struct hf_info i = peer_info(p, p->c->handle);
    holds_equal(i.options, HF_INFO_TIMESTAMPS | HF_INFO_SACK | HF_INFO_WSCALE);
    holds_equal(i.snd_wscale, 7);
    holds_equal(i.rcv_wscale, 8);
    holds_equal(i.snd_mss, MSS - 12);
    holds_equal(i.advmss, MSS);
    holds_equal(i.pmtu, p->mtu);
    holds_equal(i.snd_cwnd, 10);
    holds_equal(i.reordering, 3);
    holds_equal(i.ato_us, 40000);
    holds_equal(i.ca_state, HF_CA_OPEN);
    holds_equal(i.rcv_ssthresh, 270000);
    holds_equal(i.max_pacing_rate == UINT64_MAX, true);
    holds_equal(i.snd_wnd, 65535);
    holds_equal(i.segs_in, 1);
    holds_equal(i.segs_out, 2);
    holds_equal(i.data_segs_out + i.data_segs_in + i.bytes_sent, 0);
}

TEST(a_peer_that_agreed_to_nothing)
{
    establish_active();
    holds_equal(info_of(options), 0);
    holds_equal(info_of(snd_wscale), 0);
    holds_equal(info_of(rcv_wscale), 0);
    holds_equal(info_of(snd_mss), MSS);
}

TEST(text_on_its_way_and_text_that_waits)
{
    with_sack(p);
    after(100);
    writes(12 * MSS + 100);
    peer_forget(p);
    holds_equal(info_of(unacked), 10);
    holds_equal(info_of(notsent_bytes), 2 * MSS + 100);
    holds_equal(info_of(data_segs_out), 10);
    holds_equal(info_of(segs_out), 12);
    holds_equal(info_of(bytes_sent), 10 * MSS);
    holds_equal(info_of(bytes_acked), 0);
    holds_equal(info_of(last_data_sent_ms), 0);
    after(1);
    holds_equal(info_of(last_data_sent_ms), 1);
    sends(ACK, .ack = ISS + 1 + 3 * MSS);
    holds_equal(info_of(bytes_acked), 3 * MSS);
    holds_equal(info_of(delivered), 4); /* the SYN, too */
    holds_equal(info_of(last_ack_recv_ms), 0);
    after(5);
    holds_equal(info_of(last_ack_recv_ms), 5);
}

TEST(round_trips)
{
    p->with.sackok = true;
    opens();
    expects(SYN);
    after(80);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = MSS, .sackok = true);
    expects(ACK);
    holds_equal(info_of(rtt_us), 80000);
    holds_equal(info_of(rttvar_us), 40000);
    holds_equal(info_of(min_rtt_us), 80000);
    holds_equal(info_of(rto_us), 80000 + 200000);
    writes(MSS);
    expects(ACK, .len = MSS);
    after(64);
    sends(ACK, .ack = ISS + 1 + MSS);
    holds_equal(info_of(rtt_us), 78000);
    holds_equal(info_of(min_rtt_us), 64000);
}

/* RFC8985-6: the least of the last five minutes, though nothing is in flight between two requests
 * and the record of what is goes each time. */
TEST(the_least_round_trip_grows_old_while_requests_come_and_go)
{
    opens();
    expects(SYN);
    after(10);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = MSS);
    expects(ACK);
    for (int i = 0; i < 32; i++) {
        writes(10);
        expects(ACK, .len = 10);
        after(100);
        sends(ACK);
        holds_equal(info_of(min_rtt_us), i < 30 ? 10000 : 100000); /* 303 s */
        after(10000);
    }
}

TEST(text_that_comes)
{
    with_sack(p);
    after(300);
    holds_equal(info_of(last_data_recv_ms), 300);
    sends(ACK, .len = 1000);
    holds_equal(info_of(last_data_recv_ms), 0);
    holds_equal(info_of(bytes_received), 1000);
    holds_equal(info_of(data_segs_in), 1);
    holds_equal(info_of(rcv_ooopack), 0);
    holds_equal(info_of(segs_in), 2);
    uint32_t wnd = info_of(rcv_wnd);
    sends(ACK, .seq = IRS + 1 + 2000, .len = 500);
    holds_equal(info_of(rcv_ooopack), 1);
    holds_equal(info_of(data_segs_in), 2);
    holds_equal(info_of(bytes_received), 1000);
    holds_equal(wnd, status_of(rcv_wnd));
    sends(ACK, .seq = IRS + 1001, .len = 1000);
    holds_equal(info_of(bytes_received), 2500);
    holds_equal(info_of(rcv_mss), MSS);
    after(15);
    holds_equal(info_of(last_data_recv_ms), 15);
}

TEST(super_segments_count_as_what_they_are_cut_into)
{
    p->offload = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6;
    with_sack(p);
    writes(8 * MSS);
    peer_forget(p);
    holds_equal(info_of(data_segs_out), 8);
    holds_equal(info_of(segs_out), 10);
    sends(ACK, .len = 4 * MSS, .gso = MSS);
    holds_equal(info_of(data_segs_in), 4);
    holds_equal(info_of(segs_in), 5);
}

static void sends_ten_and_loses_the_first(struct peer *p)
{
    over_a_distance(p);
    writes(10 * MSS);
    peer_forget(p);
    after(50);
    sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1 + MSS, ISS + 1 + 2 * MSS}});
}

TEST(loss_is_seen_coming_found_and_repaired)
{
    sends_ten_and_loses_the_first(p);
    holds_equal(info_of(ca_state), HF_CA_DISORDER);
    holds_equal(info_of(sacked), 1);
    holds_equal(info_of(lost), 0);
    holds_equal(info_of(delivered), 2);
    sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1 + MSS, ISS + 1 + 4 * MSS}});
    holds_equal(info_of(ca_state), HF_CA_RECOVERY);
    holds_equal(info_of(sacked), 3);
    holds_equal(info_of(lost), 1);
    holds_equal(info_of(unacked), 10);
    holds(info_of(snd_ssthresh) < 10);
    peer_forget(p);
    holds_equal(info_of(retrans), 1);
    holds_equal(info_of(total_retrans), 1);
    holds_equal(info_of(bytes_retrans), MSS);
    holds_equal(info_of(bytes_sent), 11 * MSS);
    holds_equal(info_of(data_segs_out), 11);
    after(50);
    sends(ACK, .ack = ISS + 1 + 10 * MSS);
    holds_equal(info_of(ca_state), HF_CA_OPEN);
    holds_equal(info_of(delivered), 11);
    holds_equal(info_of(unacked), 0);
    holds_equal(info_of(sacked), 0);
    holds_equal(info_of(lost), 0);
    holds_equal(info_of(retrans), 0);
    holds_equal(info_of(bytes_retrans), MSS);
    holds_equal(info_of(total_rto), 0);
}

TEST(without_sack_duplicates_stand_for_what_arrived)
{
    establish_active();
    writes(10 * MSS);
    peer_forget(p);
    sends(ACK, .ack = ISS + 1);
    sends(ACK, .ack = ISS + 1);
    holds_equal(info_of(sacked), 2);
    holds_equal(info_of(ca_state), HF_CA_DISORDER);
    sends(ACK, .ack = ISS + 1);
    holds_equal(info_of(ca_state), HF_CA_RECOVERY);
}

TEST(a_timeout)
{
    p->config.policy.mtu_probing = HF_MTU_PROBING_OFF;
    establish_active();
    writes(2 * MSS);
    peer_forget(p);
    while (info_of(retransmits) == 0) {
        after(1);
    }
    holds_equal(info_of(ca_state), HF_CA_LOSS);
    holds_equal(info_of(snd_cwnd), 1);
    holds_equal(info_of(total_rto), 1);
    uint32_t rto = info_of(rto_us);
    while (info_of(retransmits) == 1) {
        after(1);
    }
    holds_equal(info_of(backoff), 2);
    holds_equal(info_of(rto_us), 2 * rto);
    holds_equal(info_of(total_rto), 2);
    holds_equal(info_of(total_rto_recoveries), 1);
    after(10);
    peer_forget(p);
    sends(ACK, .ack = ISS + 1 + 2 * MSS);
    holds_equal(info_of(retransmits), 0);
    holds_equal(info_of(ca_state), HF_CA_OPEN);
    holds_equal(info_of(total_rto_ms), rto / 1000 + 10);
    holds_equal(info_of(bytes_retrans), 2 * MSS);
}

TEST(what_was_overtaken)
{
    over_a_distance(p);
    writes(10 * MSS);
    peer_forget(p);
    after(50);
    sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1 + 4 * MSS, ISS + 1 + 5 * MSS}});
    holds_equal(info_of(reord_seen), 0);
    sends(ACK, .ack = ISS + 1 + MSS, .sack = {{ISS + 1 + 4 * MSS, ISS + 1 + 5 * MSS}});
    holds_equal(info_of(reord_seen), 1);
    holds_equal(info_of(reordering), 5);
    sends(ACK, .ack = ISS + 1 + 10 * MSS);
    holds_equal(info_of(reordering), 5); /* also when it is idle */
}

TEST(duplicates_that_the_peer_reports)
{
    sends_ten_and_loses_the_first(p);
    sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1 + MSS, ISS + 1 + 4 * MSS}});
    peer_forget(p);
    sends(ACK, .ack = ISS + 1 + 10 * MSS);
    holds_equal(info_of(dsack_dups), 0);
    writes(MSS);
    peer_forget(p);
    sends(ACK, .ack = ISS + 1 + 11 * MSS, .sack = {{ISS + 1, ISS + 1 + MSS}});
    holds_equal(info_of(dsack_dups), 1);
}

TEST(the_peers_window_limits_the_sender)
{
    p->with.wnd = 2 * MSS;
    p->with.sackok = true;
    establish_active();
    writes(3 * MSS);
    peer_forget(p);
    holds_equal(info_of(rwnd_limited_us), 0);
    after(100);
    holds_equal(info_of(rwnd_limited_us), 100000);
    holds_equal(info_of(busy_us), 100000);
    sends(ACK, .ack = ISS + 1 + 2 * MSS, .wnd = 10 * MSS);
    peer_forget(p);
    after(30);
    holds_equal(info_of(rwnd_limited_us), 100000);
    holds_equal(info_of(busy_us), 130000);
    sends(ACK, .ack = ISS + 1 + 3 * MSS, .wnd = 10 * MSS);
    after(1000);
    holds_equal(info_of(busy_us), 130000);
    holds_equal(info_of(sndbuf_limited_us), 0);
}

TEST(the_congestion_window_is_not_the_peers)
{
    with_sack(p);
    writes(20 * MSS);
    peer_forget(p);
    after(10);
    holds_equal(info_of(rwnd_limited_us), 0);
    holds_equal(info_of(busy_us), 10000);
}

TEST(the_send_buffer_limits_the_sender)
{
    with_sack(p);
    sets(HF_SEND_BUFFER, 4 * MSS);
    sets(HF_SEND_LOW_WATER, MSS);
    writes(4 * MSS);
    peer_forget(p);
    after(10);
    holds_equal(info_of(sndbuf_limited_us), 0); /* nobody wants to send more */
    refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, "", 1, 0));
    sends(ACK, .ack = ISS + 1 + 10); /* too little room for HF_WRITABLE */
    after(20);
    holds_equal(info_of(sndbuf_limited_us), 20000);
    holds_equal(info_of(busy_us), 30000);
    sends(ACK, .ack = ISS + 1 + 4 * MSS);
    after(50);
    holds_equal(info_of(sndbuf_limited_us), 20000);
    holds_equal(info_of(busy_us), 30000);
    holds_equal(info_of(rwnd_limited_us), 0);
}

TEST(a_closed_window_is_probed)
{
    with_sack(p);
    writes(MSS);
    expects(ACK, .len = MSS);
    sends(ACK, .ack = ISS + 1 + MSS, .wnd = ZERO);
    writes(MSS);
    expects_silence();
    while (info_of(probes) == 0) {
        after(1);
    }
    holds_equal(info_of(retransmits), 0);
    holds_equal(info_of(backoff), 1);
    holds_equal(info_of(unacked), 0);
    holds_equal(info_of(notsent_bytes), MSS);
    holds_equal(info_of(snd_wnd), 0);
    peer_forget(p);
    sends(ACK, .ack = ISS + 1 + MSS, .wnd = ZERO);
    holds_equal(info_of(probes), 0);
}

TEST(a_window_that_stays_closed_doubles_the_wait_sixteen_times_at_most)
{
    establish_active();
    sends(ACK, .wnd = ZERO);
    writes(10);
    for (int i = 1; i <= 260; i++) {
        expects_after(100, 121000, ACK, .seq = ISS);
        sends(ACK, .wnd = ZERO);
        holds_equal(info_of(backoff), i < 16 ? i : 16);
    }
}

TEST(who_has_sent_no_text_has_sent_none_since_it_is_open)
{
    establish_passive();
    after(5000);
    holds_equal(info_of(last_data_sent_ms), 5000);
}

TEST(a_timeout_of_more_microseconds_than_32_bits_hold_is_told_as_the_most)
{
    p->config.policy.rto_max_ms = p->config.policy.rto_initial_ms = 2 * 3600 * 1000;
    opens();
    holds_equal(info_of(rto_us), UINT32_MAX);
}

TEST(the_rate_at_which_text_arrives)
{
    with_sack(p);
    for (int i = 0; i < 5; i++) {
        writes(150 * MSS - status_of(queued_bytes));
        peer_forget(p);
        after(100);
        sends(ACK, .ack = ISS + (int64_t)(status_of(snd_nxt) - p->c->iss));
    }
    peer_forget(p);
    uint64_t cwnd = info_of(snd_cwnd);
    holds(info_of(delivery_rate) >= (cwnd - 10) * MSS * 10 / 2);
    holds(info_of(delivery_rate) <= cwnd * MSS * 10);
    holds_equal(info_of(delivery_rate_app_limited), false);
    while (status_of(queued_bytes)) {
        after(100);
        sends(ACK, .ack = ISS + (int64_t)(status_of(snd_nxt) - p->c->iss));
        peer_forget(p);
    }
    for (int i = 0; i < 4; i++) {
        writes(MSS);
        peer_forget(p);
        after(100);
        sends(ACK, .ack = ISS + (int64_t)(status_of(snd_nxt) - p->c->iss));
    }
    holds_equal(info_of(delivery_rate_app_limited), true);
}

TEST(a_round_trip_as_the_receiver_sees_it)
{
    with_all(p);
    for (int i = 0; i < 4; i++) {
        sends(ACK, .len = MSS - 12);
        peer_forget(p);
        reads(MSS - 12);
        after(100);
    }
    holds(info_of(rcv_rtt_us) > 1000);
    holds(info_of(rcv_rtt_us) <= 100000);
    for (int i = 0; i < 4; i++) {
        sends(ACK, .len = 20 * (MSS - 12), .gso = MSS - 12);
        peer_forget(p);
        reads(20 * (MSS - 12));
        after(100);
    }
    holds_equal(info_of(rcv_space), 20 * (MSS - 12));
}

/* 2^32 microseconds later the clock of round trips is where it was. */
TEST(a_pause_is_no_round_trip)
{
    establish_active();
    for (int i = 0; i < 5; i++) {
        sends(ACK, .len = 20 * MSS, .gso = MSS);
        peer_forget(p);
        reads(20 * MSS);
        after(100);
    }
    uint32_t rtt = info_of(rcv_rtt_us);
    holds(rtt >= 100000);
    for (int less = 0; less < 10; less++) { /* 32 bits of microseconds come round: to which text? */
        after(4294968 - 100 * less);
        for (int i = 0; i < 20; i++) {
            sends(ACK, .len = 20 * MSS, .gso = MSS);
            peer_forget(p);
            reads(20 * MSS);
            after(100);
        }
    }
    holds(info_of(rcv_rtt_us) >= 100000);
}

TEST(rates_of_pacing)
{
    with_sack(p);
    writes(MSS);
    expects(ACK, .len = MSS);
    after(100);
    sends(ACK, .ack = ISS + 1 + MSS);
    sets(HF_MAX_PACING_RATE, 50000);
    holds_equal(info_of(max_pacing_rate), 50000);
    holds_equal(info_of(pacing_rate), 50000);
}

TEST(a_listener_tells_of_its_queue)
{
    listens();
    struct hf_info i = peer_info(p, p->listener);
    holds_equal(i.state, HF_LISTEN);
    holds_equal(i.unacked, 0);
    holds_equal(i.sacked, 8);
    sends(SYN, .seq = IRS, .mss = MSS);
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    holds_equal(peer_info(p, p->listener).unacked, 1);
    accepts();
    holds_equal(peer_info(p, p->listener).unacked, 0);
}

TEST(handles_of_other_kinds_are_refused_and_short_structs_are_filled_as_far_as_they_go)
{
    establish_active();
    struct hf_endpoint here = peer_here(p, 7);
    hf_handle udp;
    struct hf_info i = {.struct_size = sizeof i};
    calls(hf_udp_open(p->stack, &p->env, &here, &udp));
    refuses(HF_ERR_UNSUPPORTED, hf_info(p->stack, &p->env, udp, &i));
    refuses(HF_ERR_STALE_HANDLE, hf_info(p->stack, &p->env, p->c->handle + 1, &i));
    memset(&i, 0xa5, sizeof i);
    i.struct_size = offsetof(struct hf_info, snd_mss);
    calls(hf_info(p->stack, &p->env, p->c->handle, &i));
    holds_equal(i.state, HF_ESTABLISHED);
    holds_equal(i.struct_size, offsetof(struct hf_info, snd_mss));
    holds_equal(i.snd_mss, 0xa5a5a5a5);
}

TEST(without_a_record_counters_are_zero_and_the_rest_is_told)
{
    p->config.max_stats = 0;
    with_sack(p);
    writes(2 * MSS);
    peer_forget(p);
    after(100);
    holds_equal(info_of(data_segs_out), 0);
    holds_equal(info_of(busy_us), 0);
    holds_equal(info_of(unacked), 2);
    holds_equal(info_of(bytes_sent), 2 * MSS);
    sends(ACK, .ack = ISS + 1 + 2 * MSS);
    holds_equal(info_of(bytes_acked), 2 * MSS);
}

/* RFC8985-6: as old as its measurement, not as the connection. */
TEST(the_least_round_trip_is_of_the_last_five_minutes)
{
    static const struct {
        uint32_t idle_ms, rtt_ms, least_ms;
    } samples[] = {{0, 30, 30}, {200000, 20, 20}, {200000, 40, 20}, {110000, 40, 40}};
    over_a_distance(p);
    sends(ACK, .len = 10);
    peer_forget(p);
    for (uint32_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        after(samples[i].idle_ms);
        writes(10);
        expects(ACK, .len = 10);
        after(samples[i].rtt_ms);
        sends(ACK);
        holds_equal(info_of(min_rtt_us), samples[i].least_ms * 1000);
    }
}

/* RFC 7323 4: the clock's tick is a millisecond, so that the echo says "no more than that". */
TEST(text_that_echoes_a_stamp_of_this_millisecond_took_at_most_one)
{
    with_all(p);
    holds_equal(info_of(rcv_rtt_us), 0);
    sends(ACK, .len = MSS - 12);
    holds_equal(info_of(rcv_rtt_us), 1000);
    peer_forget(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_attempt_to_open),
        BOTH(what_was_agreed_upon),
        V4(a_peer_that_agreed_to_nothing),
        BOTH(text_on_its_way_and_text_that_waits),
        V4(round_trips),
        V4(the_least_round_trip_grows_old_while_requests_come_and_go),
        BOTH(text_that_comes),
        BOTH(super_segments_count_as_what_they_are_cut_into),
        V4(loss_is_seen_coming_found_and_repaired),
        V4(without_sack_duplicates_stand_for_what_arrived),
        V4(a_timeout),
        V4(what_was_overtaken),
        V4(duplicates_that_the_peer_reports),
        V4(the_peers_window_limits_the_sender),
        V4(the_congestion_window_is_not_the_peers),
        V4(the_send_buffer_limits_the_sender),
        V4(a_closed_window_is_probed),
        V4(a_window_that_stays_closed_doubles_the_wait_sixteen_times_at_most),
        BOTH(who_has_sent_no_text_has_sent_none_since_it_is_open),
        V4(a_timeout_of_more_microseconds_than_32_bits_hold_is_told_as_the_most),
        V4(the_rate_at_which_text_arrives),
        V4(a_round_trip_as_the_receiver_sees_it),
        V4(a_pause_is_no_round_trip),
        V4(rates_of_pacing),
        V4(a_listener_tells_of_its_queue),
        V4(handles_of_other_kinds_are_refused_and_short_structs_are_filled_as_far_as_they_go),
        V4(without_a_record_counters_are_zero_and_the_rest_is_told),
        V4(the_least_round_trip_is_of_the_last_five_minutes),
        V4(text_that_echoes_a_stamp_of_this_millisecond_took_at_most_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
