/* What the acknowledgments of a hostile receiver cost a sender, in counted work: SACK blocks in any
 * order, single octets (RFC 2018, 6675, 8985).
 *
 * ctest: timeout=120
 */
#include "attack/row.h"
#include "common/peer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/work.h"

enum { SMALL = 216, SEGMENTS = 5000, ACKS = 100000 };
/* Three blocks: each is looked for in a tree of 2,049 records, which is about thirty deep, and may
 * cut one into three and join its parts to others. */
enum { BOUND = 300 };

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)((*seed >> 33) % below);
}

/* Five thousand small segments are out: a mebibyte. */
static void sends_a_mebibyte(struct peer *p)
{
    p->config.policy.initial_cwnd = SEGMENTS;
    p->with.mss = 48;
    p->with.sackok = true;
    p->with.wscale = SHIFT(14);
    p->c->wnd = 200;
    establish_active();
    sets(HF_SEND_BUFFER, 4000000);
    sends(ACK);
    writes(SEGMENTS * SMALL);
    peer_forget(p);
    holds_equal(info_of(unacked), SEGMENTS);
}

/* One ACK with blocks of one segment each, every second one, anywhere; returns its steps. */
static double sack_of_scattered_segments(struct peer *p, uint64_t *seed, uint32_t segments)
{
    int64_t at[3];
    for (int i = 0; i < 3; i++)
        at[i] = ISS + 1 + (int64_t)SMALL * (2 * draw(seed, segments / 2 - 1) + 1);
    struct work_done before = work_of(p->stack);
    sends(ACK, .ack = ISS + 1,
          .sack = {{at[0], at[0] + SMALL}, {at[1], at[1] + SMALL}, {at[2], at[2] + SMALL}});
    double steps = (double)work_since(p->stack, &before).steps;
    peer_forget(p);
    return steps;
}

/* The dearest of the ACKs number first .. last. */
static double dearest(struct peer *p, uint64_t *seed, int first, int last)
{
    double most = 0;
    for (int i = first; i <= last; i++) {
        double steps = sack_of_scattered_segments(p, seed, SEGMENTS);
        most = steps > most ? steps : most;
    }
    return most;
}

static void all_is_acknowledged(struct peer *p)
{
    p->c->acks = status_of(snd_nxt);
    sends(ACK);
    holds_equal(status_of(queued_bytes), 0);
    writes(1000);
    for (int i = 0; i < 5 && status_of(queued_bytes); i++) {
        peer_forget(p);
        p->c->acks = status_of(snd_nxt);
        sends(ACK);
    }
    holds_equal(status_of(queued_bytes), 0);
}

/* Looking for the place of a block takes the logarithm of what is kept.  One early ACK finds what
 * was sent before lost, which is done once for each that was sent. */
static void costs_no_more_later(struct peer *p)
{
    uint64_t seed = 11479;
    sends_a_mebibyte(p);
    double early = dearest(p, &seed, 1, ACKS / 50), late = dearest(p, &seed, ACKS / 50 + 1, ACKS);
    printf("    at most %.0f steps, later %.0f\n", early, late);
    holds(early <= 4 * BOUND && late <= BOUND);
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(p->stack, &now);
    holds(now.sent <= 2 * 1024 + 4);
    all_is_acknowledged(p);
}

/* What an ACK costs that SACKs what it can of n segments which left one by one, each at its own
 * time: on average of a hundred, when three hundred have come before, the last segment is SACKed
 * too, and RACK still waits whether all others are late or lost. */
static double late_ack(uint32_t order, void *arg)
{
    struct peer *p = arg;
    uint32_t n = order < UINT16_MAX ? order : UINT16_MAX; /* the largest first window */
    uint64_t seed = n;
    double sum = 0;
    on(n == 10 ? 0 : n == 100 ? 1 : n == 1000 ? 2 : n == 10000 ? 3 : 4);
    p->c->wnd = 2000;
    establish_active();
    sets(HF_SEND_BUFFER, INT64_C(40000000));
    sends(ACK);
    for (uint32_t i = 0; i < n; i++) {
        p->env.now_ns += 2000;
        writes(SMALL);
        peer_forget(p);
    }
    holds_equal(info_of(unacked), n);
    p->env.now_ns += 100000000;
    for (uint32_t i = 0; i < 400; i++) {
        p->env.now_ns += 1000;
        int64_t end = ISS + 1 + (int64_t)SMALL * n;
        if (i == 50)
            sends(ACK, .ack = ISS + 1, .sack = {{end - SMALL, end}});
        double steps = sack_of_scattered_segments(p, &seed, n);
        sum += i >= 300 ? steps : 0;
    }
    aborts();
    releases();
    peer_forget(p);
    return sum / 100;
}

static void costs_the_logarithm(struct peer *p)
{
    p->config.policy.initial_cwnd = UINT16_MAX;
    p->config.max_sent = 250000;
    p->config.small_chunks = 1000;
    p->config.large_chunks = 2000;
    p->with.mss = 48;
    p->with.sackok = true;
    p->with.wscale = SHIFT(14);
    work_is_logarithmic("an ACK of scattered segments", late_ack, p);
}

/* TX-02 */
TEST(the_cost_of_scattered_sack_blocks_grows_no_faster_than_a_logarithm)
{
    p->config.policy.rack = false;
    costs_the_logarithm(p);
}

/* TX-04 */
TEST(with_rack_it_grows_no_faster_than_a_logarithm_either)
{
    costs_the_logarithm(p);
}

/* TX-02: CVE-2019-11478; a hundred thousand ACKs in shuffled order. */
TEST(scattered_sack_blocks_cost_no_more_than_the_stretches_that_are_kept)
{
    p->config.policy.rack = false;
    costs_no_more_later(p);
}

/* TX-04: CVE-2019-5599 */
TEST(with_rack_scattered_sack_blocks_cost_no_more_either)
{
    costs_no_more_later(p);
}

/* What the n-th ACK of an octet costs, or one of those just before it: some let a segment go. */
static double octet_ack(uint32_t n, void *arg)
{
    struct peer *p = arg;
    double least = INFINITY;
    for (uint32_t acked = (uint32_t)status_of(bytes_acked); acked < n; acked++) {
        if (status_of(queued_bytes) < 50000) {
            writes(50000);
            peer_forget(p);
        }
        struct work_done before = work_of(p->stack);
        p->c->acks = p->c->iss + 2 + acked;
        sends(ACK);
        double steps = (double)work_since(p->stack, &before).steps;
        least = n - acked <= 5 && steps < least ? steps : least;
        peer_forget(p);
    }
    return least;
}

/* TX-05: CVE-2026-101307; a million ACKs of an octet each take no memory and no time. */
TEST(the_next_ack_of_an_octet_costs_what_the_first_did)
{
    p->with.sackok = true;
    p->with.wscale = SHIFT(7);
    establish_active();
    double early = octet_ack(5, p);
    struct hf_counters first = {.struct_size = sizeof first}, last = first;
    hf_counters(p->stack, &first);
    work_is_flat("an ACK of an octet", octet_ack, p); /* to 100,000 */
    if (row_is_whole())
        holds(octet_ack(1000000, p) <= early);
    hf_counters(p->stack, &last);
    holds(last.sent <= first.sent + 2);
    holds(last.small_chunks + last.large_chunks <= first.small_chunks + first.large_chunks + 8);
    holds_equal(last.active, 1);
    all_is_acknowledged(p);
}

/* TX-11: CVE-2006-0433; two records for all that is out: the loops end, and so does the transfer.
 */
TEST(a_scoreboard_without_memory_degrades_and_ends)
{
    uint64_t seed = 433;
    p->config.max_active = p->config.max_connections = 2;
    p->config.max_sent = 4;
    sends_a_mebibyte(p);
    double most = dearest(p, &seed, 1, 2000);
    printf("    at most %.0f steps\n", most);
    holds(most <= 500);
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(p->stack, &now);
    holds(now.sent <= 4 && now.sent_short > 0);
    uint32_t next = p->c->iss + 1;
    for (int round = 0; round < 2000 && status_of(queued_bytes); round++) {
        after(round % 10 == 9 ? 3000 : 10); /* nothing that left was delivered: all goes again */
        for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
            next += seen->seg.seq.v == next ? seen->seg.text_len : 0;
            peer_taken(p, seen);
        }
        sends(ACK, .ack = (int64_t)next);
    }
    holds_equal(status_of(queued_bytes), 0);
    all_is_acknowledged(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(scattered_sack_blocks_cost_no_more_than_the_stretches_that_are_kept),
        V4(with_rack_scattered_sack_blocks_cost_no_more_either),
        V4(the_cost_of_scattered_sack_blocks_grows_no_faster_than_a_logarithm),
        V4(with_rack_it_grows_no_faster_than_a_logarithm_either),
        V4(the_next_ack_of_an_octet_costs_what_the_first_did),
        V4(a_scoreboard_without_memory_degrades_and_ends),
    };
    return cmocka_run_group_tests_name("scoreboard costs", tests, NULL, NULL);
}
