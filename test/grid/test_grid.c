/* test_grid.c - RFC 9293 section 3.10.7 as a grid: every state, every combination of the nine
 * control bits, every class of sequence and acknowledgment number, against the rules of rules.csv:
 * the verdict, the segment that is owed, the next state.
 *
 * ctest: timeout=300
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grid/places.h"
#include "grid/rules.h"

enum { CTL_COMBINATIONS = 512, SHOWN = 20 };

static struct rules rules;

static void read_rules(void)
{
    char path[1024];
    const char *source = getenv("HF_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/test/grid/rules.csv", source != NULL ? source : ".");
    if (!rules_read(&rules, path)) {
        fail_msg("rules.csv: %s", rules.error);
    }
}

/* The cells of a place are numbered; false: it does not have this one. */
enum { CELLS = CTL_COMBINATIONS * SEQ_CLASSES * ACK_CLASSES * TEXT_CLASSES * TS_CLASSES };

static bool cell_at(const struct place *place, unsigned number, struct cell *cell)
{
    cell->state = place->state;
    cell->where = place->where;
    cell->ctl = number % CTL_COMBINATIONS;
    number /= CTL_COMBINATIONS;
    cell->seq = (enum seq_class)(number % SEQ_CLASSES);
    number /= SEQ_CLASSES;
    cell->ack = (enum ack_class)(number % ACK_CLASSES);
    number /= ACK_CLASSES;
    cell->text = (enum text_class)(number % TEXT_CLASSES);
    cell->ts = (enum ts_class)(number / TEXT_CLASSES);
    return place_has(place, cell);
}

static void print_cell(const struct place *place, const struct cell *cell)
{
    printf("%s:", place->name);
    for (unsigned bit = 0; bit < 9; bit++) {
        if (cell->ctl & 1u << bit) {
            printf(" %s", ctl_name(bit));
        }
    }
    printf("; seq %s, ack %s, text %s, ts %s\n", seq_class_name(cell->seq),
           ack_class_name(cell->ack), text_class_name(cell->text), ts_class_name(cell->ts));
}

/* What came of a cell ------------------------------------------------------------------------- */

struct outcome {
    struct judge judge;
    unsigned records; /* of segments that came in */
    unsigned verdict, next;
    uint32_t frames;
    bool parsed;
    struct segment reply;
    int status; /* of hf_status, when there is a handle */
    unsigned status_state;
};

static void note_record(void *arg, const struct hf_trace *record)
{
    struct outcome *outcome = arg;
    judge_trace(&outcome->judge, record);
    if (record->kind == HF_TRACE_IN || record->kind == HF_TRACE_DROP) {
        outcome->records++;
        outcome->verdict = record->verdict;
        outcome->next = record->state_after;
    }
}

static void play(const struct place *place, struct hf_stack *stack, struct hf_oracle *oracle,
                 const struct segment *seg, struct outcome *outcome)
{
    uint8_t frame[GRID_FRAME_BYTES];
    struct hf_frame_out out[2];
    struct hf_env env = {.struct_size = sizeof env, .now_ns = place->now_ns};
    struct hf_frame_in in = {.data = frame, .iface = 1, .flags = HF_FRAME_CSUM_OK};
    struct hf_status status = {.struct_size = sizeof status};
    hf_handle handle = place->handle ? place->handle : place->listener;
    memset(outcome, 0, sizeof *outcome);
    memcpy(oracle, place->judge.oracle, place->judge.bytes);
    outcome->judge.oracle = oracle;
    env.trace = note_record;
    env.trace_arg = outcome;
    in.len = place_frame(seg, frame);
    memcpy(stack, place->image, place->bytes);
    hf_input(stack, &env, &in, 1);
    outcome->frames = hf_output(stack, &env, out, 2);
    outcome->parsed = outcome->frames == 1 && place_parse(&out[0], &outcome->reply);
    if (handle) {
        outcome->status = hf_status(stack, &env, handle, &status);
        outcome->status_state = status.state;
    }
}

/* RFC 3168 6.1.1: the first SYN asks with both bits, and one of them agrees; the connections in
 * SYN-RECEIVED were opened without, and our SYN in SYN-SENT was plain (6.1.1). */
static uint16_t agrees_to_ecn(const struct place *place, const struct segment *seg)
{
    bool asks = (seg->ctl & (HF_ECE | HF_CWR)) == (HF_ECE | HF_CWR);
    bool open = place->state != HF_SYN_RECEIVED && place->state != HF_SYN_SENT;
    return asks && open ? HF_ECE : 0;
}

/* The segment that a rule owes; false: none. */
static bool owed(const struct place *place, const struct segment *seg, unsigned reply,
                 struct segment *want)
{
    memset(want, 0, sizeof *want);
    want->seq = place->snd_nxt;
    want->ack = place->rcv_nxt;
    want->ctl = ACK;
    switch (reply) {
    case REPLY_NONE:
        return false;
    case REPLY_ACK_END:
        want->ack = seq_add(seg->seq, seg->len);
        break;
    case REPLY_RST:
        want->seq = seg->ack;
        want->ack = seq(0);
        want->ctl = RST;
        break;
    case REPLY_RST_ACK:
        want->seq = seq(0);
        want->ack = seq_add(seg->seq, seg->len);
        want->ctl = RST | ACK;
        break;
    case REPLY_SYN_ACK:
    case REPLY_SYN_ACK_NEW:
        want->seq = place->iss;
        want->ack = seq_add(seg->seq, 1);
        want->ctl = SYN | ACK | agrees_to_ecn(place, seg);
        break;
    default:
        break;
    }
    return true;
}

static const char *judge_reply(const struct place *place, const struct segment *seg,
                               const struct rule *rule, const struct outcome *got)
{
    struct segment want;
    if (!owed(place, seg, rule->reply, &want)) {
        return got->frames == 0 ? NULL : "a segment, none is owed";
    }
    if (got->frames != 1) {
        return got->frames == 0 ? "no segment, one is owed" : "more than one segment";
    }
    if (!got->parsed) {
        return "a frame that is no good TCP segment";
    }
    if (got->reply.ctl != want.ctl || got->reply.text_len != 0) {
        return "other control bits, or text";
    }
    if (rule->reply == REPLY_SYN_ACK_NEW) {
        if (place->state == HF_TIME_WAIT && !seq_gt(got->reply.seq, place->snd_nxt)) {
            return "an ISS not above the old SND.NXT"; /* RFC 6191 3, RFC 1122 4.2.2.13 */
        }
    } else if (got->reply.seq.v != want.seq.v) {
        return "another SEG.SEQ";
    }
    if (got->reply.ack.v != want.ack.v) {
        return "another SEG.ACK";
    }
    if (place->ts && rule->reply <= REPLY_ACK_END && !(got->reply.opt.present & OPT_TS)) {
        return "an ACK without the timestamp agreed upon"; /* RFC 7323 3.2 */
    }
    return NULL;
}

/* The state as hf_status tells it, where the connection has a handle. */
static const char *judge_status(const struct place *place, unsigned next, const struct outcome *got)
{
    if (place->handle == 0 && place->listener == 0) {
        return NULL;
    }
    if (got->status != HF_OK) {
        return "hf_status refuses the handle";
    }
    if (place->handle == 0) {
        return got->status_state == HF_LISTEN ? NULL : "the listener has left LISTEN";
    }
    if (place->state == HF_TIME_WAIT && next == HF_SYN_RECEIVED) {
        return NULL; /* the new connection has no handle yet */
    }
    return got->status_state == next ? NULL : "hf_status tells another state";
}

static const char *judge(const struct place *place, const struct segment *seg,
                         const struct rule *rule, const struct outcome *got)
{
    unsigned next = rule->next == STATE_SAME ? (unsigned)place->state : rule->next;
    if (got->judge.first.rule != NULL) {
        print_message("%s: %s: %s\n", got->judge.first.rule, got->judge.first.detail,
                      got->judge.record);
        return "the oracle objects";
    }
    if (got->records != 1) {
        return "not one record of the segment";
    }
    if (got->verdict != rule->verdict) {
        return "another verdict";
    }
    if (got->next != next) {
        return "another state";
    }
    const char *wrong = judge_status(place, next, got);
    return wrong != NULL ? wrong : judge_reply(place, seg, rule, got);
}

static void print_mismatch(const struct place *place, const struct cell *cell,
                           const struct rule *rule, const struct outcome *got, const char *wrong)
{
    const struct segment *r = &got->reply;
    print_cell(place, cell);
    printf("    %s\n", wrong);
    printf("    rules.csv:%u wants %s, %s, %s: %s (%s)\n", rule->line,
           hf_verdict_name((enum hf_verdict)rule->verdict), reply_name(rule->reply),
           rule->next == STATE_SAME ? "=" : hf_state_name((enum hf_state)rule->next),
           rule->sentence, rule->place);
    printf("    got %s, %u frames", hf_verdict_name((enum hf_verdict)got->verdict), got->frames);
    if (got->parsed) {
        printf(" (ctl 0x%x, seq SND.NXT%+d, ack RCV.NXT%+d)", r->ctl,
               seq_diff(r->seq, place->snd_nxt), seq_diff(r->ack, place->rcv_nxt));
    }
    printf(", %s\n", hf_state_name((enum hf_state)got->next));
}

/* The tests ------------------------------------------------------------------------------------ */

static void there_are_at_most_400_rules_and_each_has_its_sentence(void **state)
{
    (void)state;
    read_rules();
    assert_in_range(rules.n, 1, RULES_MAX);
    for (unsigned i = 0; i < rules.n; i++) {
        const struct rule *rule = &rules.rule[i];
        if (strlen(rule->sentence) < 10 || strncmp(rule->place, "RFC ", 4) != 0) {
            fail_msg("rules.csv:%u has no sentence or no RFC place", rule->line);
        }
    }
}

static void each_cell_has_a_rule_and_each_rule_a_cell(void **state)
{
    (void)state;
    unsigned cells = 0;
    read_rules();
    for (unsigned p = 0; p < n_places; p++) {
        for (unsigned i = 0; i < CELLS; i++) {
            struct cell cell;
            if (!cell_at(&places[p], i, &cell)) {
                continue;
            }
            struct rule *rule = rules_find(&rules, &cell);
            cells++;
            if (rule == NULL) {
                print_cell(&places[p], &cell);
                fail_msg("no rule fits this cell");
                return;
            }
            /* With the ACK bit off the field means nothing: no rule may look at it. */
            if (!(cell.ctl & HF_ACK) && rule->ack != ~0u) {
                print_cell(&places[p], &cell);
                fail_msg("rules.csv:%u looks at an ACK field that does not count", rule->line);
            }
            rule->hits++;
        }
    }
    for (unsigned i = 0; i < rules.n; i++) {
        if (rules.rule[i].hits == 0) {
            fail_msg("rules.csv:%u fits no cell: %s", rules.rule[i].line, rules.rule[i].sentence);
        }
    }
    print_message("%u places, %u cells, %u rules\n", n_places, cells, rules.n);
}

static void ecn_and_push_change_no_rule(void **state)
{
    (void)state;
    read_rules();
    for (unsigned i = 0; i < rules.n; i++) {
        const unsigned idle = HF_PSH | HF_ECE | HF_CWR | HF_AE;
        assert_int_equal((rules.rule[i].on | rules.rule[i].off) & idle, 0);
    }
}

/* Every stride-th cell: all of them, but for timestamps in a build with sanitizers; CTest tells by
 * HF_SANITIZE and HF_LONG. */
static unsigned stride_of(const struct place *place)
{
    const char *sanitize = getenv("HF_SANITIZE"), *all = getenv("HF_LONG");
    if (all != NULL && *all != '\0') {
        return 1;
    }
    if (sanitize != NULL && *sanitize != '\0') {
        return place->ts ? 3 : 1;
    }
    return 1;
}

static unsigned play_place(struct place *place, unsigned stride, unsigned *shown)
{
    struct hf_stack *stack = grid_block(place->bytes);
    struct hf_oracle *oracle = malloc(place->judge.bytes);
    assert_non_null(oracle);
    unsigned played = 0, wrong_ones = 0;
    for (unsigned i = 0; i < CELLS; i++) {
        struct cell cell;
        struct segment seg;
        struct outcome got;
        if (i % stride != 0 || !cell_at(place, i, &cell)) {
            continue;
        }
        struct rule *rule = rules_find(&rules, &cell);
        if (rule == NULL) {
            continue; /* each_cell_has_a_rule_and_each_rule_a_cell tells */
        }
        rule->hits++;
        played++;
        place_segment(place, &cell, &seg);
        play(place, stack, oracle, &seg, &got);
        const char *wrong = judge(place, &seg, rule, &got);
        if (wrong != NULL) {
            wrong_ones++;
            if (rule->shown != place->name && (*shown)++ < SHOWN) { /* one a rule and place */
                print_mismatch(place, &cell, rule, &got, wrong);
                rule->shown = place->name;
            }
        }
    }
    free(stack);
    free(oracle);
    print_message("%-56s %7u cells (every %u.) %u wrong\n", place->name, played, stride,
                  wrong_ones);
    return wrong_ones;
}

/* X-3; HD-01: with 10 octets for many, as the window of these stacks is small. */
static void every_cell_gives_the_verdict_the_segment_and_the_state_of_its_rule(void **state)
{
    (void)state;
    unsigned wrong_ones = 0, shown = 0;
    read_rules();
    for (unsigned i = 0; i < n_places; i++) {
        struct place place = places[i];
        char why[200];
        if (!place_reach(&place, why, sizeof why)) {
            place_leave(&place);
            print_message("%s is not reached: %s\n", place.name, why);
            wrong_ones++;
            continue;
        }
        wrong_ones += play_place(&place, stride_of(&place), &shown);
        place_leave(&place);
    }
    for (unsigned i = 0; i < rules.n; i++) {
        if (rules.rule[i].hits == 0) {
            print_message("rules.csv:%u was never played\n", rules.rule[i].line);
            wrong_ones++;
        }
    }
    assert_int_equal(wrong_ones, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_at_most_400_rules_and_each_has_its_sentence),
        cmocka_unit_test(each_cell_has_a_rule_and_each_rule_a_cell),
        cmocka_unit_test(ecn_and_push_change_no_rule),
        cmocka_unit_test(every_cell_gives_the_verdict_the_segment_and_the_state_of_its_rule),
    };
    return cmocka_run_group_tests_name("grid", tests, NULL, NULL);
}
