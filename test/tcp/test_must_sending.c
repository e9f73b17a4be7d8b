/* The scripts of packetdrill that must pass (test/packetdrill/must.txt), replayed in our own terms
 * for machines without packetdrill: segments, recovery, slow start (RFC 9293 3.7, RFC 5681, 6675,
 * 3042, 6928, 7323, 3168).  Each test names its script. */
#include "common/peer.h"

#define SERVED "mss 1460,nop,nop,sackOK,nop,wscale 8"

/* A listener's connection whose round trip takes `ms`. */
static void serves(struct peer *p, int64_t ms, struct seg_spec syn, const char *answer)
{
    listens_with(1, false);
    peer_sends(p, &syn);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = answer);
    after(ms);
    sends(ACK, .wnd = 320);
    p->c->wnd = 320;
    accepts();
}

static struct seg_spec syn_of(int mss, bool sack)
{
    return (struct seg_spec){
        .ctl = SYN, .seq = IRS, .wnd = 32792, .mss = mss, .sackok = sack, .wscale = SHIFT(7)};
}

/* Full segments with the numbers from .. from + n, the last with PSH or without. */
static void expects_segments(struct peer *p, int64_t from, int n, bool pushed)
{
    for (int i = 0; i < n; i++) {
        if (i == n - 1 && pushed) {
            expects(ACK | PSH, .seq = ISS + from + i * 1000, .len = 1000);
        } else if (i == n - 1) {
            expects(ACK, .seq = ISS + from + i * 1000, .len = 1000, .no_psh = true);
        } else {
            expects(ACK, .seq = ISS + from + i * 1000, .len = 1000);
        }
    }
}

static uint32_t cwnd_in_segments(struct peer *p)
{
    return status_of(cwnd) / status_of(snd_mss);
}

/* ecn/ecn-uses-ect0 */
TEST(with_ecn_text_is_sent_as_ect0)
{
    p->config.policy.ecn = HF_ECN_ASK;
    opens();
    expects(SYN | ECE | CWR, .options = "mss 1460,sackOK,TS,nop,wscale 8",
            .ip_ecn = CODEPOINT(NOT_ECT));
    after(2);
    sends(SYN | ACK | ECE, .seq = IRS, .ack = ISS + 1, .mss = 1000, .wscale = SHIFT(6),
          .sackok = true);
    expects(ACK, .ip_ecn = CODEPOINT(NOT_ECT));
    after(2);
    writes(1000);
    expects(ACK | PSH, .seq = ISS + 1, .len = 1000, .ip_ecn = CODEPOINT(ECT0));
}

static void four_segments(struct peer *p)
{
    writes(5840);
    for (int i = 0; i < 3; i++) {
        expects(ACK, .seq = ISS + 1 + i * 1460, .len = 1460);
    }
    expects(ACK | PSH, .seq = ISS + 4381, .len = 1460);
    after(100);
}

/* The first one was lost and has gone again. */
static void all_is_acknowledged_and_closed(struct peer *p)
{
    expects(ACK, .seq = ISS + 1, .len = 1460);
    expects_silence();
    after(100);
    sends(ACK, .ack = ISS + 5841);
    expects_silence();
    after(100);
    releases();
    expects(FIN | ACK, .seq = ISS + 5841);
    after(100);
    sends(FIN | ACK, .ack = ISS + 5842);
    expects(ACK, .seq = ISS + 5842, .ack = IRS + 2);
}

/* fast_retransmit/fr-4pkt-sack */
TEST(three_segments_sacked_above_a_hole_send_it_again_at_once)
{
    serves(p, 100, syn_of(1460, true), SERVED);
    four_segments(p);
    sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1461, ISS + 2921}});
    sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1461, ISS + 4381}});
    expects_silence();
    sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1461, ISS + 5841}});
    all_is_acknowledged_and_closed(p);
}

/* fast_retransmit/fr-4pkt */
TEST(three_duplicate_acks_send_the_first_segment_again_at_once)
{
    serves(p, 100, syn_of(1460, false), "mss 1460,nop,wscale 8");
    four_segments(p);
    sends(ACK, .ack = ISS + 1);
    sends(ACK, .ack = ISS + 1);
    expects_silence();
    sends(ACK, .ack = ISS + 1);
    all_is_acknowledged_and_closed(p);
}

/* limited_transmit: the two first duplicates bring out a new segment each, and count when the
 * window grows. */
static void limited_transmit(struct peer *p, bool sack)
{
    serves(p, 100, syn_of(1000, sack), sack ? SERVED : "mss 1460,nop,wscale 8");
    writes(15000);
    expects_segments(p, 1, 10, true);
    after(110);
    for (int i = 0; i < 2; i++) {
        if (sack) {
            sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1001, ISS + 2001 + i * 1000}});
        } else {
            sends(ACK, .ack = ISS + 1);
        }
        expects_segments(p, 10001 + i * 1000, 1, false);
        after(10);
    }
    sends(ACK, .ack = ISS + 3001);
    expects_segments(p, 12001, 2, true);
    after(20);
    sends(ACK, .ack = ISS + 5001);
    expects_segments(p, 14001, 1, true);
    for (int64_t ack = 7001; ack <= 15001; ack += 2000) {
        after(20);
        sends(ACK, .ack = ISS + ack);
        expects_silence();
    }
    after(170);
    releases();
    expects(FIN | ACK, .seq = ISS + 15001);
    after(100);
    sends(FIN | ACK, .ack = ISS + 15002);
    expects(ACK, .seq = ISS + 15002, .ack = IRS + 2);
}

/* limited_transmit/limited-transmit-no-sack */
TEST(limited_transmit_without_sack)
{
    limited_transmit(p, false);
}

/* limited_transmit/limited-transmit-sack */
TEST(limited_transmit_with_sack)
{
    limited_transmit(p, true);
}

static int64_t max_segment(struct peer *p, hf_handle handle)
{
    int64_t value;
    calls(hf_option(p->stack, handle, HF_MAX_SEGMENT, &value));
    return value;
}

/* mss/mss-getsockopt-tcp_maxseg-server */
TEST(the_mss_of_a_connection_is_the_peers)
{
    serves(p, 100, syn_of(1100, false), "mss 1460,nop,wscale 8");
    holds_equal(max_segment(p, p->c->handle), 1100);
}

static void sends_segments_of_1100(struct peer *p)
{
    holds_equal(max_segment(p, p->c->handle), 1100);
    holds_equal(status_of(snd_mss), 1100);
    writes(12000);
    for (int i = 0; i < 9; i++) {
        expects(ACK, .seq = ISS + 1 + i * 1100, .len = 1100);
    }
    expects(ACK | PSH, .seq = ISS + 9901, .len = 1100);
    expects_silence();
}

/* mss/mss-setsockopt-tcp_maxseg-client */
TEST(an_mss_of_ones_own_is_announced_and_kept_to_by_who_opens)
{
    batch_begins(); /* nothing leaves before the option is set */
    opens();
    sets(HF_MAX_SEGMENT, 1100);
    batch_ends();
    expects(SYN, .options = "mss 1100,sackOK,TS,nop,wscale 8");
    after(100);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .wscale = SHIFT(7));
    expects(ACK);
    sends_segments_of_1100(p);
}

/* mss/mss-setsockopt-tcp_maxseg-server */
TEST(an_mss_of_ones_own_is_announced_and_kept_to_by_who_listens)
{
    listens_with(1, false);
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_MAX_SEGMENT, 1100));
    holds_equal(max_segment(p, p->listener), 1100);
    sends(SYN, .seq = IRS, .mss = 1300, .wscale = SHIFT(7));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1100,nop,wscale 8");
    after(100);
    sends(ACK);
    accepts();
    sends_segments_of_1100(p);
}

/* nagle/https_client */
TEST(without_nagle_small_segments_go_at_once_and_a_tail_behind_full_ones)
{
    p->config.policy.timestamps = false;
    opens();
    sets(HF_NODELAY, 1);
    expects(SYN, .options = "mss 1460,nop,nop,sackOK,nop,wscale 8");
    after(100);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .wnd = 5792, .mss = 974, .sackok = true,
          .wscale = SHIFT(7));
    expects(ACK);
    p->c->wnd = 229;
    writes(517);
    expects(ACK | PSH, .seq = ISS + 1, .len = 517);
    after(100);
    sends(ACK);
    sends(ACK | PSH, .len = 143);
    expects(ACK, .seq = ISS + 518, .ack = IRS + 144);
    reads(143);
    writes(51);
    expects(ACK | PSH, .seq = ISS + 518, .len = 51);
    after(30);
    writes(2002);
    expects(ACK, .seq = ISS + 569, .len = 974, .no_psh = true);
    expects(ACK | PSH, .seq = ISS + 1543, .len = 974);
    expects(ACK | PSH, .seq = ISS + 2517, .len = 54);
}

/* slow_start: each ACK of n segments brings out 2 n, and cwnd grows by n. */
static void slow_start(struct peer *p, int n)
{
    serves(p, 100, syn_of(1000, true), SERVED);
    sets(HF_SEND_BUFFER, 400000);
    writes(30000);
    expects_segments(p, 1, 10, true);
    holds_equal(cwnd_in_segments(p), 10);
    after(105);
    int64_t out = 10001;
    for (int acked = n; acked <= 10; acked += n) {
        sends(ACK, .ack = ISS + 1 + acked * 1000);
        expects_segments(p, out, 2 * n, true);
        expects_silence();
        out += 2000 * n;
        holds_equal(cwnd_in_segments(p), 10 + acked);
        after(5);
    }
}

/* slow_start/slow-start-ack-per-1pkt */
TEST(slow_start_with_an_ack_for_each_segment)
{
    slow_start(p, 1);
}

/* slow_start/slow-start-ack-per-2pkt */
TEST(slow_start_with_an_ack_for_two_segments)
{
    slow_start(p, 2);
}

/* slow_start/slow-start-ack-per-4pkt */
TEST(slow_start_with_an_ack_for_four_segments)
{
    slow_start(p, 4);
    sends(ACK, .ack = ISS + 10001);
    expects_segments(p, 26001, 4, true);
    holds_equal(cwnd_in_segments(p), 20);
}

/* slow_start/slow-start-app-limited */
TEST(a_window_that_was_full_grows_though_nothing_more_is_sent)
{
    serves(p, 100, syn_of(1000, true), SERVED);
    writes(10000);
    expects_segments(p, 1, 10, true);
    after(100);
    for (int acked = 2; acked <= 10; acked += 2) {
        after(5);
        sends(ACK, .ack = ISS + 1 + acked * 1000);
        holds_equal(cwnd_in_segments(p), 10 + acked);
    }
    expects_silence();
}

static void stamps(struct peer *p)
{
    listens_with(1, false);
    sends(SYN, .seq = IRS, .wnd = 20000, .mss = 1000, .sackok = true, .tsval = 100);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL && seen->is_tcp && seen->seg.ctl == (SYN | ACK));
    p->c->iss = seen->seg.seq.v;
    p->c->has_iss = true;
    p->c->acks = seen->seg.seq.v + 1;
    p->c->ts_echo = seen->seg.opt.ts_val;
    holds_equal(seen->seg.opt.ts_ecr, 100);
    peer_taken(p, seen);
    p->c->ts = true;
    after(100);
    sends(ACK, .tsval = 200);
    accepts();
}

/* ts_recent/fin_tsval */
TEST(the_timestamp_of_a_fin_is_of_its_time)
{
    stamps(p);
    uint32_t first = p->c->ts_echo;
    after(1000);
    closes();
    expects(FIN | ACK, .tsval = (int64_t)first + 1100, .tsecr = 200);
}

/* ts_recent/reset_tsval */
TEST(the_timestamp_of_a_reset_is_of_its_time)
{
    stamps(p);
    uint32_t first = p->c->ts_echo;
    sends(ACK, .len = 1000, .tsval = 201);
    expects(ACK, .ack = IRS + 1001, .tsval = (int64_t)first + 100, .tsecr = 201);
    after(1000);
    releases(); /* with text unread: a reset */
    expects(RST | ACK, .seq = ISS + 1, .tsval = (int64_t)first + 1100, .tsecr = 201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(with_ecn_text_is_sent_as_ect0),
        BOTH(three_segments_sacked_above_a_hole_send_it_again_at_once),
        BOTH(three_duplicate_acks_send_the_first_segment_again_at_once),
        BOTH(limited_transmit_without_sack),
        BOTH(limited_transmit_with_sack),
        BOTH(the_mss_of_a_connection_is_the_peers),
        BOTH(an_mss_of_ones_own_is_announced_and_kept_to_by_who_opens),
        BOTH(an_mss_of_ones_own_is_announced_and_kept_to_by_who_listens),
        BOTH(without_nagle_small_segments_go_at_once_and_a_tail_behind_full_ones),
        BOTH(slow_start_with_an_ack_for_each_segment),
        BOTH(slow_start_with_an_ack_for_two_segments),
        BOTH(slow_start_with_an_ack_for_four_segments),
        BOTH(a_window_that_was_full_grows_though_nothing_more_is_sent),
        BOTH(the_timestamp_of_a_fin_is_of_its_time),
        BOTH(the_timestamp_of_a_reset_is_of_its_time),
    };
    return cmocka_run_group_tests_name("must_sending", tests, NULL, NULL);
}
