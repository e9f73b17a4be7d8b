/* ctest: timeout=1800
 *
 * What somebody off the path can learn of other people's connections by what is sent to himself:
 * nothing (RFC 5961 7, RFC 6864, RFC 5927; doc/side-channels.md lists what connections share). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attack/row.h"
#include "attack/worlds.h"

#define TEST(name) static void name(void **state)

static const struct secret here = {.irs = 1000000, .port = WORLD_VICTIM, .writes = true},
                           there = {.irs = 3000000000u, .port = WORLD_VICTIM, .writes = true};

static void both(struct world w[2], const struct op *op)
{
    world_do(&w[0], op);
    world_do(&w[1], op);
}

static void begin(struct world w[2], const struct secret *a, const struct secret *b)
{
    world_begin(&w[0], a, NULL);
    world_begin(&w[1], b, NULL);
}

static void end(struct world w[2])
{
    world_end(&w[0]);
    world_end(&w[1]);
}

static void attacker_opens(struct world w[2], unsigned n)
{
    both(w, &(struct op){.kind = WORLD_OWN_SYN, .n = n, .port = (uint16_t)(2000 + n), .seq = 5000});
    assert_true(w[0].own[n].open && w[1].own[n].open);
}

/* SC-01: CVE-2016-5696: he uses up challenge ACKs on his own connection, and forges one probe that
 * is in the window in one world and outside in the other. */
TEST(how_many_challenge_acks_are_left_says_nothing_of_another_connection)
{
    (void)state;
    struct world w[2];
    begin(w, &here, &there);
    attacker_opens(w, 0);
    uint64_t random = 1;
    for (int pair = 0, pairs = row_is_whole() ? 100000 : 300; pair < pairs; pair++) {
        w[0].answers = w[1].answers = 0;
        uint32_t seq = here.irs + 2 + world_draw(&random, 60000);
        static const unsigned probes[] = {RST, SYN, ACK};
        both(w, &(struct op){.kind = WORLD_FORGED,
                             .ctl = probes[pair % 3],
                             .port = WORLD_VICTIM,
                             .seq = seq,
                             .ack = pair % 3 == 2 ? w[0].victim_ack + 7 : 0});
        for (int i = 0; i < 100; i++)
            both(w, &(struct op){.kind = WORLD_OWN_SEGMENT, .ctl = RST, .seq = 100});
        both(w, &(struct op){.kind = WORLD_WAITS, .len = 1000});
        assert_int_equal(w[0].answers, w[1].answers);
        assert_in_range(w[0].answers, 1, 2);
        assert_true(worlds_agree(&w[0], &w[1]));
    }
    end(w);
}

/* BL-12: Gilad and Herzberg: probes over the whole space of SEQ and ACK, and all that he can see
 * beside them: his own connection, his resets, his echoes. */
TEST(probes_over_the_space_of_numbers_leave_no_trace_elsewhere)
{
    (void)state;
    static const unsigned probes[] = {RST, SYN, ACK, ACK | PSH, SYN | ACK};
    static const enum op_kind looks[] = {WORLD_OWN_ELSEWHERE, WORLD_OWN_ECHO, WORLD_OWN_ELSEWHERE,
                                         WORLD_OWN_UDP};
    struct world w[2];
    begin(w, &here, &there);
    attacker_opens(w, 0);
    uint32_t n = row_is_whole() ? 65536 * 4 : 65536, step = (uint32_t)(0x100000000 / n);
    uint64_t random = 5;
    for (uint32_t i = 0; i < n; i++) {
        unsigned ctl = probes[i % 5];
        uint32_t inside = (i % 4 == 1 ? here : there).irs + 2 + world_draw(&random, 60000);
        both(w, &(struct op){.kind = WORLD_FORGED,
                             .ctl = ctl,
                             .port = WORLD_VICTIM,
                             .seq = i % 2 ? inside : i * step + 1,
                             .ack = i * step * 7,
                             .len = ctl & PSH ? 10 : 0});
        both(w, &(struct op){.kind = looks[i % 4], .ctl = ACK, .port = 6999, .ack = i, .seq = i});
        if (i % 16 == 0)
            both(w, &(struct op){.kind = WORLD_OWN_SEGMENT, .ctl = ACK | PSH, .len = 10});
        both(w, &(struct op){.kind = WORLD_WAITS, .len = 600});
        assert_true(worlds_agree(&w[0], &w[1]));
    }
    assert_true(w[0].seen > n);
    end(w);
}

static void random_ops(const struct secret *a, const struct secret *b, uint64_t seed, int n)
{
    struct world w[2];
    uint64_t random = seed * 0x9e3779b97f4a7c15u;
    const struct op rest = {.kind = WORLD_WAITS, .len = 30};
    begin(w, a, b);
    for (int i = 0; i < n; i++) {
        struct op op = world_any_op(&random, &w[0], &w[1]);
        both(w, &op);
        both(w, &rest); /* budgets do not run out: what is left then is drawn by lot */
        if (!worlds_agree(&w[0], &w[1]))
            fail_msg("seed %llu, step %d: kind %d ctl %#x port %u seq %u ack %u len %u tells",
                     (unsigned long long)seed, i, op.kind, op.ctl, op.port, op.seq, op.ack, op.len);
    }
    end(w);
}

static void random_runs(const struct secret *a, const struct secret *b)
{
    const char *one = getenv("HF_SEED");
    if (one) {
        random_ops(a, b, strtoull(one, NULL, 0), 10000);
        return;
    }
    for (uint64_t seed = 1, seeds = row_is_whole() ? 100 : 4; seed <= seeds; seed++)
        random_ops(a, b, seed, row_is_whole() ? 10000 : 4000);
}

/* SC-10, BL-12: CVE-2016-5696 and what came after it (SCENT) */
TEST(whatever_he_does_he_learns_no_sequence_number)
{
    (void)state;
    random_runs(&here, &there);
}

/* SC-10: while no pool and no backlog is full (doc/side-channels.md). */
TEST(whatever_he_forges_to_one_port_he_learns_nothing_of_what_is_there)
{
    (void)state;
    struct secret other = here;
    other.port = WORLD_VICTIM + 1;
    struct world w[2];
    uint64_t random = 77;
    begin(w, &here, &other);
    attacker_opens(w, 0);
    for (int i = 0; i < 3000; i++) {
        struct op op = world_any_op(&random, &w[0], &w[1]);
        bool opens = op.kind == WORLD_FORGED && (op.ctl & (SYN | ACK | RST)) == SYN;
        if (op.kind == WORLD_OWN_SYN || opens) /* what takes a place in the backlog */
            continue;
        both(w, &op);
        assert_true(worlds_agree(&w[0], &w[1]));
    }
    end(w);
}

/* SC-04: RFC 6864 4.1, CVE-2020-36516: what is sent to others does not show in what is sent to him;
 * nor does a forged "fragmentation needed" change how packets are numbered. */
TEST(the_ip_identification_does_not_tell_what_is_sent_to_others)
{
    (void)state;
    struct secret silent = here;
    silent.writes = false;
    struct world w[2];
    begin(w, &here, &silent);
    w[0].mask_ident = w[1].mask_ident = false;
    attacker_opens(w, 0);
    for (int i = 0; i < 300; i++) {
        both(w, &(struct op){.kind = WORLD_WRITES, .len = 500});
        if (i % 10 == 5) {
            both(w, &(struct op){.kind = WORLD_FORGED_ICMP,
                                 .ctl = 3 << 8 | 4,
                                 .port = WORLD_VICTIM,
                                 .seq = w[0].victim_ack,
                                 .len = 600});
        }
        both(w, &(struct op){.kind = WORLD_OWN_SEGMENT, .ctl = RST, .seq = 100});
        both(w, &(struct op){.kind = WORLD_OWN_ELSEWHERE, .ctl = ACK, .port = 3000, .ack = 9});
        both(w, &(struct op){.kind = WORLD_OWN_ECHO, .seq = 1});
        both(w, &(struct op){.kind = WORLD_WAITS, .len = 50});
        assert_true(worlds_agree(&w[0], &w[1]));
    }
    assert_true(w[0].seen > 600);
    end(w);
}

/* SC-09: CVE-2020-25705: probes in the honest peer's name hit an open or a closed UDP port; is
 * there an error left for his own? */
TEST(the_budget_of_icmp_errors_does_not_tell_which_port_is_open)
{
    (void)state;
    struct secret open = here, closed = here;
    open.udp_port = WORLD_UDP;
    closed.udp_port = WORLD_UDP + 1;
    struct world w[2];
    begin(w, &open, &closed);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 200; i++)
            both(w, &(struct op){.kind = WORLD_FORGED_UDP, .port = WORLD_UDP});
        both(w, &(struct op){.kind = WORLD_OWN_UDP, .port = 6999});
        both(w, &(struct op){.kind = WORLD_WAITS, .len = 20});
        assert_true(worlds_agree(&w[0], &w[1]));
    }
    assert_true(w[0].seen >= 48); /* and errors are told */
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_many_challenge_acks_are_left_says_nothing_of_another_connection),
        cmocka_unit_test(probes_over_the_space_of_numbers_leave_no_trace_elsewhere),
        cmocka_unit_test(whatever_he_does_he_learns_no_sequence_number),
        cmocka_unit_test(whatever_he_forges_to_one_port_he_learns_nothing_of_what_is_there),
        cmocka_unit_test(the_ip_identification_does_not_tell_what_is_sent_to_others),
        cmocka_unit_test(the_budget_of_icmp_errors_does_not_tell_which_port_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
