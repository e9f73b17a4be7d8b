/* Floods of tiny segments out of order, and what is reported of them: the work each may cost, the
 * ACKs it may bring, the SACK blocks (RFC 2018, 5681, 9293 MUST-58 and MUST-59).
 *
 * ctest: timeout=300
 */
#include "attack/row.h"
#include "attack/siege.h"
#include "common/peer.h"

#include <stdlib.h>
#include <string.h>

#include "common/work.h"

enum { FLOOD = 100000, BATCH = 50, WINDOW = 65535 };

static uint64_t random_bits;

static uint32_t draw(uint32_t below)
{
    random_bits = random_bits * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)((random_bits >> 33) % below);
}

static uint32_t takes_all(struct peer *p)
{
    uint32_t n = 0;
    peer_pump(p);
    for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
        n += seen->is_tcp;
        peer_taken(p, seen);
    }
    return n;
}

/* RX-01: SegmentSmack, CVE-2018-5390; a walk along what is held has a bound, text in order comes.
 */
TEST(an_octet_out_of_order_costs_no_more_than_the_gaps_that_are_kept)
{
    random_bits = 5390;
    p->config.max_ranges = 100000;
    p->with.sackok = true;
    establish_active();
    uint64_t most = 0;
    uint32_t legit = 0;
    for (int i = 0; i < FLOOD; i++) {
        uint32_t at = 2 * draw(WINDOW / 2 - 1) + 1;
        struct work_done before = work_of(p->stack);
        sends(ACK, .seq = (int64_t)(status_of(rcv_nxt) + at), .len = 1);
        uint64_t steps = work_since(p->stack, &before).steps;
        most = steps > most ? steps : most;
        peer_forget(p);
        if (i % 100 == 0) { /* one honest segment in a hundred */
            sends(ACK, .seq = (int64_t)status_of(rcv_nxt), .len = 1000);
            legit += 1000;
            peer_forget(p);
            reads(status_of(unread_bytes));
        }
    }
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(p->stack, &now);
    holds(now.ranges <= 300);   /* twice the window of 270,000 in chunks of 2 KiB */
    holds(most <= 2 * 7 * 300); /* looked for once, and for each block and what is noted of it */
    holds(status_of(bytes_received) >= legit);
}

/* What one stranger sends in a millisecond: single octets, every second one of its window. */
static void smacks(struct siege *s)
{
    const struct siege_scale *scale = s->arg;
    uint8_t ip[16];
    struct segment seg = {.ctl = ACK, .wnd = 64240, .dport = SIEGE_PORT};
    siege_stranger_of(0, ip, &seg.sport);
    seg.ack = seq_add(s->last_iss, 1);
    for (uint32_t i = 0; i < scale->hits_per_ms; i++) {
        seg.seq = seq(2 * draw(WINDOW / 2 - 1) + 2);
        siege_hit(s, ip, &seg, 1);
    }
}

/* RX-01: 2,000 of them a second, and then all at once: who has nothing to do with it goes on. */
static void an_out_of_order_flood_of_one_leaves_the_others_their_goodput(void **state)
{
    (void)state;
    static struct siege siege;
    struct siege *s = &siege;
    struct siege_scale scales[] = {{row_or(50000, 5000), 2, 20}, {1000, FLOOD / 1000, 10}};
    for (int i = 0; i < 2; i++) {
        random_bits = 5391;
        siege_config(s, 256);
        s->arg = &scales[i];
        siege_begin_with_flows(s);
        assert_true(siege_stranger_connects(s, 0));
        uint64_t rounds = siege_play(s, &scales[i], smacks);
        assert_int_equal(s->hits, 2 + (uint64_t)scales[i].ms * scales[i].hits_per_ms);
        struct hf_counters c = siege_counters(s);
        assert_in_range(c.ranges, 1, s->config.max_ranges * 3 / 4);
        siege_clients_are_served(s, &scales[i], rounds, 95);
        siege_end(s);
    }
}

/* RX-15: never more ACKs than segments, with SACK one for all that came together; the same for text
 * that was delivered long ago. */
TEST(a_flood_out_of_order_is_answered_by_one_ack_a_batch)
{
    random_bits = 15;
    for (int sack = 0; sack < 2; sack++) {
        on(sack);
        p->with.sackok = sack;
        establish_active();
        sends(ACK, .seq = IRS + 1, .len = 1000);
        takes_all(p);
        for (int batch = 0; batch < FLOOD / BATCH / 2; batch++) {
            batch_begins();
            for (int i = 0; i < BATCH; i++)
                sends(ACK, .seq = IRS + (batch % 2 ? 1 : 1002) + (int64_t)draw(999), .len = 1);
            batch_ends();
            holds(takes_all(p) <= (sack || batch % 2 ? 1 : BATCH));
        }
        sends(ACK, .seq = IRS + 1001, .len = 1); /* who fills the gap has his ACK */
        holds_equal(takes_all(p), 1);
    }
}

/* What the peer has sent: the octets of the window that are here, by their offset from IRS + 1. */
enum { STREAM = 40000, TIMESTAMPED = 3 };
static bool here[STREAM];

static void holds_block(struct peer *p, const struct sack_block *block, uint32_t nxt)
{
    uint32_t left = block->left.v - p->c->irs - 1, right = block->right.v - p->c->irs - 1;
    holds(left < right && right <= STREAM && left > nxt);
    for (uint32_t at = left; at < right; at++)
        holds(here[at]);
    holds(!here[left - 1] && (right == STREAM || !here[right])); /* all of the range */
}

/* The ACK that a segment at `at` brought: first the range of that segment, then others, each once.
 */
static void judge(struct peer *p, uint32_t at, uint32_t nxt)
{
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL);
    const struct tcp_options *opt = &seen->seg.opt;
    holds_equal(seen->seg.ack.v, p->c->irs + 1 + nxt);
    holds(opt->n_sack <= TIMESTAMPED);
    bool any = false;
    for (uint32_t i = nxt; i < STREAM; i++)
        any |= here[i];
    holds(any == (opt->n_sack > 0));
    for (unsigned i = 0; i < opt->n_sack; i++) {
        holds_block(p, &opt->sack[i], nxt);
        for (unsigned j = 0; j < i; j++)
            holds(!seq_eq(opt->sack[i].left, opt->sack[j].left));
    }
    uint32_t number = p->c->irs + 1 + at;
    if (at > nxt)
        holds(number - opt->sack[0].left.v < opt->sack[0].right.v - opt->sack[0].left.v);
    peer_taken(p, seen);
}

/* Segments of new text in any order; each is judged against a set of octets. */
static void any_order(struct peer *p)
{
    uint32_t nxt = 0;
    memset(here, 0, sizeof here);
    while (nxt < STREAM) {
        uint32_t at = nxt + draw(draw(4) ? 3000 : 300), len = 1 + draw(200);
        while (at < STREAM && here[at])
            at++;
        for (uint32_t i = 0; at + i < STREAM && i < len; i++)
            if (here[at + i])
                len = i;
        len = at + len > STREAM ? STREAM - at : len;
        if (at >= STREAM || len == 0)
            continue;
        memset(here + at, true, len);
        while (nxt < STREAM && here[nxt])
            nxt++;
        sends(ACK, .seq = IRS + 1 + at, .len = len);
        after(50); /* also a delayed one has come by then */
        judge(p, at, nxt);
        expects_silence();
    }
    reads(STREAM);
}

/* RX-16: RFC 2018 4; against a model, also where numbers pass 2^32. */
TEST(sack_blocks_are_what_a_set_of_octets_says)
{
    static const uint32_t first[] = {100, 0xffffffff - STREAM / 2, 0xfffffff0, 0x7fffffff - 5000};
    for (int i = 0; i < 4; i++) {
        on(i);
        random_bits = 2018 + (uint64_t)i;
        p->c->irs = p->c->nxt = first[i];
        p->with.sackok = true;
        p->with.tsval = 1000;
        establish_active();
        any_order(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(an_octet_out_of_order_costs_no_more_than_the_gaps_that_are_kept),
        cmocka_unit_test(an_out_of_order_flood_of_one_leaves_the_others_their_goodput),
        V4(a_flood_out_of_order_is_answered_by_one_ack_a_batch),
        V4(sack_blocks_are_what_a_set_of_octets_says),
    };
    return cmocka_run_group_tests_name("out of order floods", tests, NULL, NULL);
}
