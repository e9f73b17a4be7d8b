/* Numbers and clocks that pass their ends: the same scripts with other first numbers, patterns of
 * loss at each place around 2^32, lengths at their limits (RFC 9293 3.4, RFC 7323 5).
 *
 * ctest: timeout=1800
 */
#include "attack/row.h"
#include "common/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net.h"

enum { MSS = 1000, FLIGHT = 10 };

/* The peer acknowledges ISS - 1, ISS, ISS + 1, ISS + 2 where so much has been sent; returns what
 * came out, as text: control bits and numbers from ISS and IRS. */
static char *answers(struct peer *p, char *text)
{
    char *at = text;
    peer_pump(p);
    for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
        const struct segment *seg = &seen->seg;
        at += sprintf(at, "%x %u %u %u;", seg->ctl, seg->seq.v - p->c->iss,
                      seg->ctl & ACK ? seg->ack.v - p->c->irs : 0, seg->text_len);
        peer_taken(p, seen);
    }
    *at = 0;
    return text;
}

enum { SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, LAST_ACK, PLACES };

/* A connection of its own in each state. */
static void comes_to(struct peer *p, int place)
{
    if (place == SYN_SENT) {
        opens();
        expects(SYN);
        return;
    }
    if (place == SYN_RECEIVED) {
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK);
        return;
    }
    establish_active();
    if (place == CLOSE_WAIT || place == LAST_ACK) {
        sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
        expects(ACK);
    }
    if (place == FIN_WAIT_1 || place == FIN_WAIT_2 || place == LAST_ACK) {
        closes();
        expects(FIN | ACK, .seq = ISS + 1);
    }
    if (place == FIN_WAIT_2)
        sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
}

/* What the four ACKs bring in each state, for connections that begin with this ISS. */
static void play_acks(struct peer *p, uint32_t iss, char *story)
{
    p->config.max_connections = p->config.max_active = 40;
    p->config.max_replies = 200;
    p->config.policy.challenge_ack_ms = 0;
    p->aims = true;
    p->aim = iss;
    p->wild = true;
    listens();
    for (int place = 0; place < PLACES; place++) {
        on(place);
        p->c->stack_port = place == SYN_RECEIVED ? 80 : (uint16_t)(6000 + place);
        for (int ack = -1; ack <= 2; ack++) {
            new_incarnation(100);
            p->c->peer_port = (uint16_t)(7000 + 10 * place + ack);
            p->aims = true;
            p->aim = iss;
            comes_to(p, place);
            holds_equal(p->c->iss, iss);
            int64_t next = place == SYN_SENT ? IRS : (int64_t)p->c->nxt;
            sends(ACK, .seq = next, .ack = ISS + ack);
            story += sprintf(story, "%d,%d: ", place, ack);
            answers(p, story);
            story += strlen(story);
            if (place != SYN_RECEIVED) {
                hf_abort(p->stack, &p->env, p->c->handle); /* some have ended already */
                releases();
                peer_forget(p);
            }
        }
    }
}

/* WR-01, WR-02: the same story, whatever number it begins with. */
TEST(acks_around_iss_are_judged_alike_in_every_state_and_wherever_iss_lies)
{
    static const uint32_t first[] = {1000000, 0xffffffff, 0xfffffffe, 0, 0x7fffffff, 0x80000000, 1};
    static char reference[16384], story[16384];
    for (unsigned i = 0; i < sizeof first / sizeof *first; i++) {
        void *state;
        peer_setup4(&state);
        play_acks(state, first[i], i ? story : reference);
        peer_teardown(&state);
        holds(strlen(reference) > 300);
        if (i)
            holds(strcmp(reference, story) == 0);
    }
}

/* Ten segments of which those of `lost` do not come, and then everything does; the story is told by
 * numbers from ISS and by the time. */
static void play_loss(struct peer *p, uint32_t iss, uint32_t lost, bool sack, char *story)
{
    p->aims = true;
    p->aim = iss;
    p->with.mss = MSS;
    p->with.sackok = sack;
    p->config.policy.initial_cwnd = FLIGHT;
    establish_active();
    holds_equal(p->c->iss, iss);
    writes(FLIGHT * MSS);
    bool here[FLIGHT] = {false};
    uint32_t next = 0;
    for (int round = 0; next < FLIGHT && round < 200; round++) {
        for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
            uint32_t n = (seen->seg.seq.v - iss - 1) / MSS;
            bool drop = (lost >> n & 1) != 0;
            lost &= ~(1u << n);
            story += sprintf(story, "%d %u %u%s;", round, n, seen->seg.text_len, drop ? "!" : "");
            peer_taken(p, seen);
            if (drop)
                continue;
            here[n] = true;
            while (next < FLIGHT && here[next])
                next++;
            int64_t ack = ISS + 1 + (int64_t)next * MSS, at = ISS + 1 + (int64_t)n * MSS;
            bool ahead = sack && n > next;
            sends(ACK, .ack = ack, .sack = {{ahead ? at : 0, ahead ? at + MSS : 0}});
        }
        after(100);
    }
    holds_equal(next, FLIGHT);
    holds_equal(status_of(queued_bytes), 0);
}

/* WR-03: what is lost where SND.UNA stands just before 2^32, or 2^31, is sent again as anywhere. */
TEST(losses_around_the_wrap_are_repaired_as_anywhere)
{
    static const uint32_t losses[] = {0x001, 0x003, 0x055, 0x0f0, 0x1ff,
                                      0x200, 0x300, 0x3ff, 0x210};
    static const uint32_t before[] = {1, 2, 500, 1000, 1001, 3000, 4999, 9999, 10001};
    static char reference[8192], story[8192];
    for (unsigned i = 0; i < 2 * sizeof losses / sizeof *losses; i++) {
        for (unsigned j = 0; j <= 2 * sizeof before / sizeof *before; j++) {
            void *state;
            uint32_t wrap = j % 2 ? 0 : 0x80000000;
            uint32_t iss = j == 0 ? 5000000 : wrap - before[(j - 1) / 2] - 1;
            peer_setup4(&state);
            play_loss(state, iss, losses[i / 2], i % 2, j ? story : reference);
            peer_teardown(&state);
            if (j)
                holds(strcmp(reference, story) == 0);
        }
    }
}

/* A loss that only timers repair, an answer that is delayed, a probe of a closed window, sixty idle
 * days and text again; told with the times at which things leave. */
static void play_timers(struct peer *p, int64_t clock_ns, char *story)
{
    p->env.now_ns = p->began_ns = clock_ns;
    p->with.mss = MSS;
    p->with.tsval = 1000000;
    establish_active();
    sets(HF_QUICK_ACK, 0);
    writes(2 * MSS);
    for (int ms = 0; ms < 12000; ms += 10) {
        for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
            uint32_t end = seen->seg.seq.v + seen->seg.text_len - p->c->iss;
            story += sprintf(story, "%d %u %u %u;", ms, end, seen->seg.ack.v - p->c->irs,
                             seen->seg.text_len);
            peer_taken(p, seen);
        }
        if (ms % 1000 == 500)
            sends(ACK, .ack = ISS + 1, .len = 10);
        after(10);
    }
    p->c->acks = status_of(snd_nxt);
    sends(ACK, .wnd = ZERO);
    writes(10);
    expects_after(100, 20000, ACK, .len = 0);
    sends(ACK);
    expects(ACK, .len = 10);
    sends(ACK);
    reads(120);
    peer_forget(p);
    after(INT64_C(60) * 24 * 3600 * 1000);
    expects_silence();
    writes(100);
    expects(ACK, .len = 100);
    expects_after(100, 2000, ACK, .len = 100);
    sends(ACK);
    holds_equal(status_of(queued_bytes), 0);
}

/* WR-06: milliseconds and seconds of 32 and of 31 bits pass their ends, and nothing else happens;
 * the last clock ends a day after the story. */
TEST(timers_run_alike_whenever_the_clock_begins)
{
    static const int64_t clocks_ms[] = {1000000,
                                        (INT64_C(1) << 32) - 5000,
                                        (INT64_C(1) << 31) - 5000,
                                        (INT64_C(1) << 32) - 1,
                                        4294967,
                                        INT64_C(1) << 42,
                                        (INT64_C(1) << 31) * 1000 - 5000,
                                        (INT64_C(1) << 32) * 1000 - 5000,
                                        INT64_MAX / 1000000 - INT64_C(61) * 24 * 3600 * 1000};
    static char reference[8192], story[8192];
    for (unsigned i = 0; i < sizeof clocks_ms / sizeof *clocks_ms; i++) {
        void *state;
        peer_setup4(&state);
        play_timers(state, clocks_ms[i] * 1000000, i ? story : reference);
        peer_teardown(&state);
        holds(strlen(reference) > 200);
        if (i)
            holds(strcmp(reference, story) == 0);
    }
}

/* WR-05: RFC 7323 5.3; a segment of 2^32 octets ago has the number that is due, and another time.
 */
TEST(a_duplicate_of_a_whole_wrap_ago_is_known_by_its_timestamp)
{
    p->with.tsval = 100000;
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 10, .tsval = 100001);
    sends(ACK, .seq = IRS + 11, .len = 10, .tsval = 100002);
    peer_forget(p);
    sends(ACK, .seq = IRS + 21, .len = 10, .tsval = 99000); /* in the window by its number alone */
    expects(ACK, .ack = IRS + 21);
    sends(ACK, .seq = IRS + 31, .len = 10, .tsval = 99000); /* and ahead */
    expects(ACK, .ack = IRS + 21, .no_sack = true);
    holds_equal(status_of(unread_bytes), 20);
    holds_equal(status_of(out_of_order_bytes), 0);
    sends(ACK, .seq = IRS + 21, .len = 10, .tsval = 100003);
    reads(30);
}

/* WR-05: the same when all of 2^32 octets have come meanwhile. */
TEST(a_segment_held_for_a_whole_wrap_of_text_is_known_by_its_timestamp)
{
    enum { PART = 60000 };
    const char *sanitize = getenv("HF_SANITIZE");
    if (sanitize && *sanitize) /* minutes there, seconds otherwise */
        skip();
    p->with.tsval = 100000;
    p->with.wscale = SHIFT(7);
    establish_active();
    for (uint64_t left = UINT64_C(1) << 32; left > 0;) {
        uint32_t n = left < PART ? (uint32_t)left : PART;
        sends(ACK, .len = n, .gso = 1400);
        reads(n);
        left -= n;
        if (left / PART % 100 == 0)
            after(1);
        peer_forget(p);
    }
    holds_equal(status_of(rcv_nxt), p->c->irs + 1);
    holds_equal((uint32_t)status_of(bytes_received), 0);
    sends(ACK, .seq = IRS + 1, .len = 10, .tsval = 100000);
    expects(ACK, .ack = IRS + 1);
    holds_equal(status_of(unread_bytes), 0);
    sends(ACK, .seq = IRS + 1, .len = 10);
    reads(10);
}

/* WR-05: without timestamps nothing tells it from the text that is due: a limit of the protocol
 * (RFC 9293 3.4.2 and RFC 7323 5.1), and what came first is kept. */
TEST(without_timestamps_a_duplicate_of_a_whole_wrap_ago_is_text)
{
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 10, .octet = 'o');
    holds_equal(status_of(unread_bytes), 10);
    sends(ACK, .seq = IRS + 1, .len = 10, .octet = 'n');
    char text[11];
    holds_equal(hf_recv(p->stack, &p->env, p->c->handle, text, sizeof text), 10);
    holds(memcmp(text, "oooooooooo", 10) == 0);
}

/* WR-07: lengths of calls have 64 bits, what is taken is what fits. */
TEST(a_send_of_more_than_32_bits_can_count_takes_what_fits)
{
    static const uint8_t text[500000];
    static const uint64_t lens[] = {UINT64_C(1) << 31, UINT64_C(1) << 32, (UINT64_C(1) << 32) + 5};
    p->wild = true;
    for (int i = 0; i < 3; i++) {
        on(i);
        establish_active();
        sets(HF_SEND_BUFFER, sizeof text);
        int64_t took = hf_send(p->stack, &p->env, p->c->handle, text, lens[i], 0);
        holds_equal(took, sizeof text);
    }
}

/* WR-07: CVE-2019-11477, CVE-2021-31401; each length at its limit, and one beyond. */
TEST(lengths_at_their_limits_overflow_nothing)
{
    static const uint8_t text[1000000];
    p->wild = true;
    p->with.wscale = SHIFT(14);
    p->config.policy.max_receive_window = 1 << 30;
    p->offload = HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6 | HF_OFFLOAD_CSUM;
    establish_active();
    sets(HF_SEND_BUFFER, 1 << 30);
    refuses(HF_ERR_INVALID,
            hf_set_option(p->stack, &p->env, p->c->handle, HF_SEND_BUFFER, (INT64_C(1) << 31) - 1));
    refuses(HF_ERR_INVALID,
            hf_set_option(p->stack, &p->env, p->c->handle, HF_SEND_BUFFER, (INT64_C(1) << 32) + 1));
    sets(HF_RECEIVE_WINDOW, 1 << 30);
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, HF_RECEIVE_WINDOW,
                                          (INT64_C(1) << 32) + 1));
    sends(ACK, .wnd = 65535); /* a window of a gibibyte */
    holds_equal(status_of(snd_wnd), 65535 << 14);
    uint64_t sent = 0;
    for (int64_t took = 1; took > 0; sent += took > 0 ? (uint64_t)took : 0) {
        took = hf_send(p->stack, &p->env, p->c->handle, text, sizeof text, 0);
        holds(took == HF_ERR_WOULD_BLOCK || (took > 0 && took <= (int64_t)sizeof text));
    }
    holds(sent <= (uint64_t)p->config.large_chunks * 16384 + p->config.small_chunks * 2048);
    holds_equal(status_of(queued_bytes), sent);
    for (int i = 0; i < 100000 && status_of(queued_bytes); i++) {
        peer_forget(p);
        p->c->acks = status_of(snd_nxt);
        sends(ACK, .wnd = 65535);
    }
    holds_equal(status_of(bytes_acked), sent);
    on(1);
    establish_active(); /* and a segment as long as IP has them */
    sends(ACK, .len = 65495 - (p->v6 ? 20 : 0) - 20, .gso = 1460);
    holds_equal(status_of(unread_bytes), 65495 - (p->v6 ? 20 : 0) - 20);
}

static uint64_t received(const struct net *net)
{
    uint64_t octets = 0;
    for (int i = 0; i < NET_FLOWS; i++)
        octets += net->side[1].flow[i].used ? net->side[1].flow[i].received : 0;
    return octets;
}

static bool received_all(struct net *net)
{
    uint64_t octets = 0;
    for (int i = 0; i < NET_FLOWS; i++)
        octets += net->side[0].flow[i].used ? net->side[0].flow[i].to_send : 0;
    return received(net) == octets;
}

/* One connection after the other between the same ports: the second one's ISS is this, or a little
 * more.  Returns frames that a wire carried which loses, delays and repeats some. */
static uint64_t transfer(bool v6, uint32_t iss, uint64_t octets)
{
    struct net *net = net_new(v6, NULL, HF_OFFLOAD_CSUM);
    net_listen(net, 1, 80, 4);
    struct hf_status status = {.struct_size = sizeof status};
    struct net_stack *s = &net->side[0].s;
    struct net_flow *flow = net_open(net, 0, 5000, 80, 0);
    assert_int_equal(hf_status(s->stack, &s->env, flow->handle, &status), HF_OK);
    uint32_t begun = status.iss - (uint32_t)(net->now_ns / 4000);
    assert_true(net_run(net, 600000, NULL));
    uint32_t wait = iss - (begun + (uint32_t)(net->now_ns / 4000));
    net->now_ns +=
        (int64_t)(wait / 250 + 1) * 1000000; /* whole milliseconds, as timers have them */
    net->loss = 10;
    net->late = 20;
    net->twice = 5;
    net->random = 25;
    flow = net_open(net, 0, 5000, 80, octets);
    flow->keep = true;
    assert_int_equal(hf_status(s->stack, &s->env, flow->handle, &status), HF_OK);
    assert_true(status.iss - iss < 1000);
    net_run(net, INT64_C(24) * 3600 * 1000, received_all);
    assert_false(net->wrong);
    assert_true(received(net) == octets);
    uint64_t carried = net->carried;
    net_free(net);
    return carried;
}

/* WR-04: 10 GiB pass 2^32, and 2^31 in between, again and again; the judges of net.c look at each
 * segment, its SACK blocks as well. */
TEST(ten_gibibytes_on_a_bad_wire_are_whole)
{
    transfer(p->v6, 0u - 2000000, row_or(10, 0) * (UINT64_C(1) << 30) + 2000000);
}

/* WR-04: text whose numbers pass 2^32 on a bad wire: each octet right, and no frame more than
 * elsewhere.
 */
TEST(a_transfer_across_the_wrap_on_a_bad_wire_is_whole)
{
    uint64_t octets = row_or(100000000, 8000000);
    for (int v6 = 0; v6 < 2; v6++) {
        uint64_t carried = transfer(v6, 0x10000000, octets);
        holds_equal(transfer(v6, 0u - 2000000, octets), carried);
        holds_equal(transfer(v6, 0x80000000u - 2000000, octets), carried);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(acks_around_iss_are_judged_alike_in_every_state_and_wherever_iss_lies),
        V4(losses_around_the_wrap_are_repaired_as_anywhere),
        V4(timers_run_alike_whenever_the_clock_begins),
        BOTH(a_duplicate_of_a_whole_wrap_ago_is_known_by_its_timestamp),
        V4(a_segment_held_for_a_whole_wrap_of_text_is_known_by_its_timestamp),
        V4(without_timestamps_a_duplicate_of_a_whole_wrap_ago_is_text),
        V4(a_send_of_more_than_32_bits_can_count_takes_what_fits),
        BOTH(lengths_at_their_limits_overflow_nothing),
        V4(ten_gibibytes_on_a_bad_wire_are_whole),
        V4(a_transfer_across_the_wrap_on_a_bad_wire_is_whole),
    };
    return cmocka_run_group_tests_name("wrap", tests, NULL, NULL);
}
