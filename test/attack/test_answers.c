/* What is answered and what is not, and what answering costs: RFC 5961 7 and its exceptions, memory
 * of what is refused, forged "packet too big" (RFC 5927 7).
 *
 * ctest: timeout=300
 */
#include "attack/forge.h"
#include "attack/row.h"

#include <stdlib.h>
#include <string.h>

/* SC-02: our ACK is lost five times; each repetition of the text is answered, and so is each probe
 * of a closed window that has an octet. */
TEST(whatever_comes_with_text_is_answered_each_time)
{
    p->config.policy.receive_window = 2000;
    establish_active();
    sends(ACK, .len = 1000);
    expects(ACK, .ack = IRS + 1001); /* lost, as the next four */
    for (int i = 0; i < 4; i++) {
        after(200 << i);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1000);
        expects(ACK, .ack = IRS + 1001);
    }
    for (int i = 0; i < 50; i++) { /* and without any pause */
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1000);
        expects(ACK, .ack = IRS + 1001);
    }
    sends(ACK, .len = 1000); /* it goes on at once */
    expects(ACK, .ack = IRS + 2001, .wnd = ZERO);
    for (int i = 0; i < 20; i++) {
        after(200);
        forges(ACK, .seq = IRS + 2001, .ack = ISS + 1, .len = 1);
        expects(ACK, .ack = IRS + 2001, .wnd = ZERO);
    }
    for (int i = 0; i < 100; i++) /* what has none is not */
        forges(RST, .seq = IRS + 900, .ack = ISS + 1);
    for (int i = 0; i < 100; i++)
        forges(ACK, .seq = IRS + 900, .ack = ISS + 1);
    holds(count_sent(p) <= 1);
    after(600);
    reads(2000);
    expects(ACK, .ack = IRS + 2001, .window = 2000);
}

static bool same_counts(const struct hf_counters *a, const struct hf_counters *b)
{
    return a->connections == b->connections && a->active == b->active &&
           a->small_chunks == b->small_chunks && a->large_chunks == b->large_chunks &&
           a->ranges == b->ranges && a->packets == b->packets && a->sent == b->sent &&
           a->half_open == b->half_open;
}

/* SC-03: CVE-2026-4247: the limiter says no to a million resets in ten seconds, and to others
 * between them, and nothing stays behind. */
TEST(what_is_not_answered_leaves_no_memory_behind)
{
    uint32_t resets = row_or(1000000, 40000);
    establish_active();
    lives(p);
    struct hf_counters before = counters_of(p);
    for (uint32_t i = 0; i < resets; i++) {
        static const unsigned kinds[] = {RST, RST | ACK, SYN, ACK};
        forges(kinds[i % 2], .seq = IRS + 500, .ack = ISS + 1000000);
        if (i % 4 == 3)
            forges(kinds[2 + i / 4 % 2], .seq = IRS + 500, .ack = ISS + 1000000);
        if (i % 100 == 0)
            after(1);
    }
    peer_forget(p);
    struct hf_counters now = counters_of(p);
    holds(same_counts(&before, &now));
    lives(p);
}

/* SC-03: frames that the device lends come back, each once, whatever becomes of them. */
TEST(frames_that_are_lent_come_back_once_whatever_becomes_of_them)
{
    enum { SLOTS = 64, SLOT = 256 };
    static uint8_t memory[SLOTS * SLOT];
    const struct hf_region region = {.base = memory, .bytes = sizeof memory};
    uint8_t back[SLOTS] = {0};
    p->regions = &region;
    p->n_regions = 1;
    establish_active();
    p->batching = true; /* the frames of the verbs are lent, one by one */
    for (uint32_t i = 0; i < SLOTS; i++) {
        static const unsigned kinds[] = {RST, SYN, ACK, ACK | PSH, FIN | ACK, 0};
        unsigned ctl = kinds[i % 6];
        forges(ctl, .seq = i % 7 ? IRS + 500 : IRS - 500, .ack = ISS + (i % 5 ? 1000000 : 1),
               .len = ctl & PSH ? 20 : 0);
        struct hf_frame_in frame = p->batch[0];
        memcpy(memory + (size_t)i * SLOT, frame.data, frame.len);
        free((void *)(uintptr_t)frame.data);
        p->n_batch = 0;
        frame.data = memory + (size_t)i * SLOT;
        frame.region = 1;
        frame.token = i + 1;
        calls(hf_input(p->stack, &p->env, &frame, 1));
    }
    p->batching = false;
    peer_forget(p);
    sends(RST, .seq = IRS + 1); /* and what is held ahead of the gap goes with its connection */
    expects_closed(HF_ERR_RESET);
    releases();
    uint64_t tokens[SLOTS + 1];
    uint32_t n = hf_returned(p->stack, &p->env, tokens, SLOTS + 1);
    holds_equal(n, SLOTS);
    for (uint32_t i = 0; i < n; i++)
        back[tokens[i] - 1]++;
    for (uint32_t i = 0; i < SLOTS; i++)
        holds_equal(back[i], 1);
}

static uint32_t largest_segment(struct peer *p)
{
    uint32_t largest = 0;
    for (struct seen *seen = peer_take(p, WIRE_PROTO_TCP); seen;
         seen = peer_take(p, WIRE_PROTO_TCP)) {
        largest = seen->seg.text_len > largest ? seen->seg.text_len : largest;
        holds(!seen->ip.fragment && (p->v6 || (seen->ip.df && seen->ip.ident == 0)));
        peer_taken(p, seen);
    }
    return largest;
}

static void too_big(struct peer *p, int64_t quoted, uint32_t mtu)
{
    peer_icmp_error(p, p->peer_ip, p->v6 ? ICMP6_TOO_BIG : ICMP4_UNREACHABLE, p->v6 ? 0 : 4, mtu,
                    quoted);
}

/* SC-11: RFC 5927 7, "PMTUD is not panacea": what quotes no number in flight changes no size, what
 * does leaves DF set, and no other connection shrinks. */
TEST(a_forged_packet_too_big_makes_no_oracle_of_sizes)
{
    uint32_t floor = p->v6 ? 1280 : 552;
    on(1);
    establish_active();
    on(0);
    establish_active();
    writes(10000);
    holds_equal(largest_segment(p), 1460);
    const int64_t outside[] = {ISS, ISS - 1000, ISS + 10001, ISS + 500000};
    for (int i = 0; i < 4; i++) {
        too_big(p, outside[i], floor);
        holds_equal(largest_segment(p), 0); /* nothing is sent again either */
    }
    sends(ACK, .ack = ISS + 10001);
    writes(3000);
    holds_equal(largest_segment(p), 1460);
    too_big(p, ISS + 10001, 68); /* in flight: believed as far as the floor, or not at all */
    after(2000);
    uint32_t largest = largest_segment(p);
    holds(largest == 1460 || largest == floor - (p->v6 ? 60 : 40));
    on(1);
    writes(3000);
    holds_equal(largest_segment(p), 1460);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(whatever_comes_with_text_is_answered_each_time),
        BOTH(what_is_not_answered_leaves_no_memory_behind),
        BOTH(frames_that_are_lent_come_back_once_whatever_becomes_of_them),
        BOTH(a_forged_packet_too_big_makes_no_oracle_of_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
