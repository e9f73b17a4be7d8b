/* Losses and lies that aim at timers and at the count of what is in flight (RFC 6298, 8985, 7323,
 * 5681).
 *
 * ctest: timeout=120
 */
#include "common/peer.h"

#include <stdlib.h>
#include <string.h>

#include "common/net.h"

enum { MSS = 1000, FLIGHT = 20 };
#define SEGMENT(n) (ISS + 1 + MSS * (int64_t)(n))

static uint32_t takes_all(struct peer *p)
{
    uint32_t n = 0;
    peer_pump(p);
    for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
        n += seen->is_tcp && seen->seg.text_len;
        peer_taken(p, seen);
    }
    return n;
}

static void sends_a_flight(struct peer *p)
{
    p->with.mss = MSS;
    p->with.sackok = true;
    establish_active();
    writes(FLIGHT * MSS);
    takes_all(p);
}

/* Text is sent once, again after a timeout, or again at once (how: 0, 1, 2); then all of it is
 * acknowledged with this echo. */
enum { NO_ECHO = 77 }; /* TSecr 0: as if there were none */

static void acknowledges_with(struct peer *p, int how, uint32_t age)
{
    writes(5 * MSS);
    takes_all(p);
    if (how == 1)
        after(3000);
    if (how == 2)
        sends(ACK, .ack = SEGMENT(0), .sack = {{SEGMENT(1), SEGMENT(5)}});
    holds(how == 0 || takes_all(p) > 0);
    uint32_t echo = p->c->ts_echo - age;
    sends(ACK, .ack = SEGMENT(5), .tsecr = age == NO_ECHO ? ZERO : echo ? echo : 1);
    holds_equal(status_of(queued_bytes), 0);
}

/* TX-20: RFC 7323 4; what the peer echoes makes no RTO below its floor or above its cap, and honest
 * echoes bring it back. */
TEST(an_echo_that_cannot_be_leaves_a_timeout_that_can)
{
    static const uint32_t ages[] = {UINT32_MAX, 0x80000000, 0x7fffffff, 0x80000001, 4294000,
                                    600001,     599999,     1,          NO_ECHO};
    p->with.tsval = 1000000;
    p->with.sackok = true;
    p->with.mss = MSS + 12;
    for (int i = 0; i < 27; i++) {
        on(i % PEER_CONNS);
        new_incarnation(100 + (uint32_t)i * 100000);
        after(10);
        establish_active();
        acknowledges_with(p, i / 9, ages[i % 9]);
        holds(status_of(rto_ms) >= 200 && status_of(rto_ms) <= 120000);
        holds(status_of(srtt_us) <= 600000000);
        for (int n = 0; n < 60; n++) { /* honest from now on */
            writes(100);
            takes_all(p);
            after(10);
            p->c->acks = status_of(snd_nxt);
            sends(ACK);
            takes_all(p);
        }
        holds_equal(status_of(queued_bytes), 0);
        holds(status_of(rto_ms) <= 1000);
        aborts();
        releases();
        peer_forget(p);
    }
}

/* What is counted is what there is: all of it full segments. */
static void counts_what_there_is(struct peer *p)
{
    struct hf_info now = peer_info(p, p->c->handle);
    struct hf_status status = peer_status(p);
    holds_equal(now.unacked, (status.snd_nxt - status.snd_una + MSS - 1) / MSS);
    holds(now.sacked + now.lost <= now.unacked);
    holds(now.retrans <= now.unacked);
    holds_equal(now.notsent_bytes, status.queued_bytes - (status.snd_nxt - status.snd_una));
}

/* TX-22: the first k repetitions are lost; between timeouts a part is acknowledged, or SACKed. */
TEST(what_is_in_flight_is_counted_right_however_often_it_is_lost)
{
    p->config.policy.initial_cwnd = FLIGHT;
    p->config.policy.mtu_probing = HF_MTU_PROBING_OFF; /* else they become smaller */
    for (int k = 1; k <= 10; k++) {
        on(k % PEER_CONNS);
        new_incarnation(100 + (uint32_t)k * 100000);
        after(10);
        sends_a_flight(p);
        uint32_t una = 0;
        for (int lost = 0; lost < k; lost++) {
            counts_what_there_is(p);
            after(lost % 2 ? 700 << lost : 150);
            takes_all(p); /* all of it is lost */
            counts_what_there_is(p);
            if (lost % 3 == 1)
                una++;
            int64_t last = lost % 3 == 2 ? 0 : FLIGHT - 1 - lost;
            sends(ACK, .ack = SEGMENT(una),
                  .sack = {{last ? SEGMENT(last) : 0, last ? SEGMENT(last + 1) : 0}});
            counts_what_there_is(p);
        }
        takes_all(p);
        for (; una <= FLIGHT; una++) {
            sends(ACK, .ack = SEGMENT(una));
            counts_what_there_is(p);
        }
        holds_equal(status_of(queued_bytes), 0);
        holds_equal(info_of(unacked), 0);
        writes(MSS);
        expects(ACK, .len = MSS);
        sends(ACK);
        aborts();
        releases();
        peer_forget(p);
    }
}

/* Paced, two mebibytes at twice the rate of a round trip; a tick more may have been saved up. */
enum { MEBIBYTE = 1 << 20, MOST_IN_A_MS = 2 * (2 * MEBIBYTE / MSS) / 100 + 2 };

/* A mebibyte is out, a round trip of 100 ms was measured, as much again waits. */
static void withholds_acks(struct peer *p)
{
    p->config.policy.initial_cwnd = MEBIBYTE / MSS;
    p->with.mss = MSS;
    p->with.wscale = SHIFT(10);
    opens();
    expects(SYN);
    after(100);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = MSS, .wscale = SHIFT(10));
    expects(ACK);
    sets(HF_SEND_BUFFER, 4 * MEBIBYTE);
    sends(ACK, .wnd = 60000);
    writes(2 * MEBIBYTE);
    after(200);
    peer_forget(p);
    p->c->acks = p->c->iss + 1 + MEBIBYTE / MSS * MSS;
}

/* TX-24: RFC 5681, RFC 9406; one ACK of a mebibyte frees that, and eight segments of growth. */
TEST(one_ack_of_a_mebibyte_frees_no_more_than_it_acknowledges)
{
    withholds_acks(p);
    uint32_t before = status_of(cwnd);
    holds_equal(status_of(snd_nxt), p->c->acks);
    sends(ACK, .wnd = 60000);
    holds(status_of(cwnd) <= before + 8 * MSS);
    holds(takes_all(p) <= MEBIBYTE / MSS + 8);
}

/* TX-24: with pacing it is spread, and all of it comes within a round trip. */
TEST(with_pacing_one_ack_of_a_mebibyte_brings_no_burst)
{
    p->config.policy.pacing = true;
    withholds_acks(p);
    for (int ms = 0; ms < 300 && status_of(snd_nxt) != p->c->acks; ms++) {
        after(1); /* also the first mebibyte takes its time */
        peer_forget(p);
    }
    sends(ACK, .wnd = 60000);
    uint32_t sent = 0;
    for (int ms = 0; ms < 400; ms++) {
        uint32_t burst = takes_all(p);
        holds(burst <= 2 * MOST_IN_A_MS);
        sent += burst;
        after(1);
    }
    holds(sent >= 2 * MEBIBYTE / MSS - MEBIBYTE / MSS);
}

/* Everything is lost for so long, once in each period. */
struct shrew {
    int64_t period_ms, outage_ms, began_ms;
};

static bool in_outage(struct net *net, int from, const struct segment *seg)
{
    const struct shrew *shrew = net->arg;
    (void)from;
    (void)seg;
    int64_t ms = net->now_ns / 1000000 - shrew->began_ms;
    return ms > 0 && ms % shrew->period_ms < shrew->outage_ms;
}

static bool never(struct net *net)
{
    (void)net;
    return false;
}

/* TX-19: outages at the pace of a second cost a flow little; at the pace of its timeout they hold
 * it down (the attack is known to work), but it lives: four hundred octets a second at the least,
 * of 1.6 million. */
TEST(outages_at_the_pace_of_the_timeout_leave_a_flow_alive)
{
    static const struct shrew shrews[] = {{1000, 50, 0}, {200, 50, 0}, {240, 50, 0}, {300, 50, 0}};
    enum { SECONDS = 120, EACH_SECOND = 500000, WORST = 400, WINDOW = 65535 };
    struct hf_config config;
    hf_config_default(&config, 8);
    config.policy.receive_window = WINDOW;
    config.policy.tune_buffers = false;
    for (int i = 0; i < 4; i++) {
        struct shrew shrew = shrews[i];
        struct net *net = net_new(false, &config, HF_OFFLOAD_CSUM);
        net->delay_ns = 20000000;
        net->lose = in_outage;
        net->arg = &shrew;
        shrew.began_ms = net->now_ns / 1000000 + 100; /* the connection is open by then */
        net_listen(net, 1, 80, 4);
        struct net_flow *flow = net_open(net, 0, 5000, 80, UINT64_C(1) << 40);
        net_run(net, SECONDS * 1000, never);
        assert_false(net->wrong);
        assert_false(flow->closed);
        uint64_t received = net->side[1].flow[0].received;
        print_message("    %lld ms of %lld: %llu octets a second\n", (long long)shrew.outage_ms,
                      (long long)shrew.period_ms, (unsigned long long)received / SECONDS);
        assert_true(received / SECONDS >= (shrew.period_ms == 1000 ? EACH_SECOND : WORST));
        net_free(net);
    }
    holds(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(an_echo_that_cannot_be_leaves_a_timeout_that_can),
        V4(what_is_in_flight_is_counted_right_however_often_it_is_lost),
        V4(one_ack_of_a_mebibyte_frees_no_more_than_it_acknowledges),
        V4(with_pacing_one_ack_of_a_mebibyte_brings_no_burst),
        V4(outages_at_the_pace_of_the_timeout_leave_a_flow_alive),
    };
    return cmocka_run_group_tests_name("retransmissions", tests, NULL, NULL);
}
