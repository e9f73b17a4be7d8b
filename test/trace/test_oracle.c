/* The oracle itself: a life that breaks no rule, and the same life with one thing wrong in one
 * record: the rule that this breaks is the one that is told.
 */
#include "common/peer.h"

#include <string.h>

enum { RECORDS = 400 };

struct film {
    struct hf_trace record[RECORDS];
    uint32_t n;
};

static void roll_film(void *arg, const struct hf_trace *record)
{
    struct film *film = arg;
    if (film->n < RECORDS)
        film->record[film->n++] = *record;
}

static uint32_t iss_of(const struct film *film)
{
    uint32_t iss = 0;
    for (uint32_t i = 0; i < film->n; i++)
        if (film->record[i].kind == HF_TRACE_OUT && (film->record[i].ctl & SYN))
            iss = film->record[i].seq;
    return iss;
}

#define says(...) (peer_sends(p, &(struct seg_spec){.ctl = __VA_ARGS__}), peer_forget(p))

static void opens_passively(struct peer *p, const struct film *film)
{
    says(SYN, .seq = IRS, .mss = 1460, .sackok = true, .tsval = 1000, .wscale = SHIFT(7));
    p->c->iss = iss_of(film);
    p->c->has_iss = true;
    says(ACK, .seq = IRS + 1, .ack = ISS + 1);
    peer_calls(p, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
}

/* A gap that is filled, a loss, a close, a forged reset, an ABORT, a segment for nobody. */
static void play_life(struct peer *p, struct film *film)
{
    static uint8_t text[3000];
    p->wild = true;
    listens();
    p->env.trace = roll_film;
    p->env.trace_arg = film;
    opens_passively(p, film);
    says(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    says(ACK, .seq = IRS + 201, .ack = ISS + 1, .len = 100);
    after(10);
    says(ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 100);
    hf_recv(p->stack, &p->env, p->c->handle, text, 200);
    hf_send(p->stack, &p->env, p->c->handle, text, sizeof text, 0);
    after(2000);
    peer_forget(p);
    says(ACK, .seq = IRS + 301, .ack = ISS + 3001);
    closes();
    says(ACK, .seq = IRS + 301, .ack = ISS + 3002);
    says(RST, .seq = IRS + 310);
    says(FIN | ACK, .seq = IRS + 301, .ack = ISS + 3002);
    after(61000);
    says(ACK, .seq = IRS + 302, .ack = ISS + 3002);
    after(100);
    new_incarnation(7000);
    opens_passively(p, film);
    aborts();
    peer_forget(p);
    after(100);
    says(ACK, .seq = IRS + 1, .ack = ISS + 1);
    after(10);
}

/* Flaws ---------------------------------------------------------------------------------------- */

enum how { CHANGED, TWICE, MISSING };

#define IN (r->kind == HF_TRACE_IN)
#define OUT (r->kind == HF_TRACE_OUT)
#define OPEN (r->state_before == HF_ESTABLISHED && r->state_after == HF_ESTABLISHED)
#define BARE (OUT && OPEN && r->len == 0)
#define NEW (OUT && r->text_bytes && !(r->marks & HF_MARK_REPEAT))
#define NEXT (NEW && r->seq != r->iss + 1)
#define SYN_ACK (OUT && r->ctl == (SYN | ACK))

/* X(name, rule, the record, how, what changes) */
#define FLAWS(X)                                                                                   \
    X(version, "record", IN, CHANGED, r->version = 9)                                              \
    X(shortcut, "transition", IN &&OPEN, CHANGED, r->state_after = HF_TIME_WAIT)                   \
    X(elsewhere, "continuity", r->cause == HF_CALL_SEND, CHANGED,                                  \
      r->state_before = r->state_after = HF_CLOSE_WAIT)                                            \
    X(misjudged, "step", IN &&OPEN, CHANGED, r->verdict = HF_V_DROP_OUT_OF_WINDOW)                 \
    X(una, "snd-una", IN &&OPEN && r->snd_una == r->iss + 3001, CHANGED, r->snd_una--)             \
    X(wnd, "snd-wnd", IN &&OPEN, CHANGED, r->snd_wnd++)                                            \
    X(nxt, "snd-nxt", NEW, CHANGED, r->snd_nxt++)                                                  \
    X(rcv, "rcv-nxt", IN &&OPEN && r->text_bytes, CHANGED, r->rcv_nxt++)                           \
    X(fin_left, "fin-taken", IN && r->ctl & FIN, CHANGED,                                          \
      (r->rcv_nxt--, r->state_after = HF_FIN_WAIT_2))                                              \
    X(unread, "stream", IN &&OPEN && r->text_bytes, CHANGED, r->unread_bytes++)                    \
    X(read, "stream", r->cause == HF_CALL_RECEIVE, CHANGED, r->unread_bytes++)                     \
    X(queued, "stream", r->cause == HF_CALL_SEND, CHANGED, r->queued_bytes--)                      \
    X(call, "call", r->cause == HF_CALL_SEND, CHANGED, r->rcv_nxt++)                               \
    X(timer, "timer", r->cause == HF_TIMER_RTO, CHANGED, r->cause = HF_TIMER_FIN_WAIT_2)           \
    X(hasty, "2msl", r->cause == HF_TIMER_TIME_WAIT, CHANGED, r->time_ns -= 10000000000)           \
    X(early, "rto-early", r->cause == HF_TIMER_RTO, CHANGED, r->time_ns -= 190000000)              \
    X(steady, "back-off", r->cause == HF_TIMER_RTO, CHANGED, r->rto_ms /= 2)                       \
    X(gives_up, "gives-up", r->cause == HF_TIMER_RTO, CHANGED, r->state_after = HF_CLOSED)         \
    X(syn, "syn-form", SYN_ACK, CHANGED, r->ack++)                                                 \
    X(syn_twice, "syn-cause", SYN_ACK, TWICE, (void)r)                                             \
    X(isn, "isn", SYN_ACK && r->ack == 7001, CHANGED, r->seq -= 100000000)                         \
    X(ack, "ack-field", BARE, CHANGED, r->ack--)                                                   \
    X(seq, "seq-field", BARE, CHANGED, r->seq--)                                                   \
    X(fin_early, "fin", OUT && r->ctl & FIN, CHANGED, r->queued_bytes += 5)                        \
    X(repeat, "repeat", OUT && r->marks & HF_MARK_REPEAT, CHANGED, r->seq -= 5000)                 \
    X(shrinks, "window-shrinks", BARE && r->n_sack, CHANGED, r->wnd -= 5000)                       \
    X(beyond, "beyond-window", NEW, CHANGED,                                                       \
      (r->marks |= HF_MARK_GSO, r->len = r->text_bytes = r->queued_bytes = 1 << 24,                \
       r->snd_nxt = r->seq + r->len))                                                              \
    X(cwnd, "congestion", NEXT, CHANGED, r->cwnd = 1)                                              \
    X(mss, "mss", NEW, CHANGED, r->text_bytes = 1460)                                              \
    X(options, "options", BARE, CHANGED, r->options |= HF_OPT_MSS)                                 \
    X(no_stamp, "options", BARE, CHANGED, r->options = 0)                                          \
    X(stamp, "stamp", BARE, CHANGED, r->ts_val -= 100000)                                          \
    X(echo, "stamp-echo", BARE, CHANGED, r->ts_ecr++)                                              \
    X(sack, "sack", OUT && r->n_sack, CHANGED, r->sack[0][1] += 50)                                \
    X(ecn, "ecn", BARE, CHANGED, r->ecn = HF_ECT0)                                                 \
    X(ack_twice, "ack-cause", OUT && r->n_sack, TWICE, (void)r)                                    \
    X(ack_missing, "ack-time", OUT && r->n_sack, MISSING, (void)r)                                 \
    X(challenge_twice, "ack-cause", OUT && r->state_before == HF_FIN_WAIT_2, TWICE, (void)r)       \
    X(reset_window, "reset-form", OUT && r->ctl & RST, CHANGED, r->wnd = 5)                        \
    X(reset_seq, "reset-cause", OUT && r->ctl & RST, CHANGED, r->seq++)                            \
    X(reset_missing, "reset-time", OUT && r->ctl == (RST | ACK), MISSING, (void)r)

#define X(name, rule, which, how, change)                                                          \
    static bool name##_is(const struct hf_trace *r)                                                \
    {                                                                                              \
        return (which) != 0;                                                                       \
    }                                                                                              \
    static void name##_breaks(struct hf_trace *r)                                                  \
    {                                                                                              \
        (void)(change);                                                                            \
    }
FLAWS(X)
#undef X

static const struct flaw {
    const char *name, *rule;
    bool (*is)(const struct hf_trace *r);
    enum how how;
    void (*breaks)(struct hf_trace *r);
} flaws[] = {
#define X(name, rule, which, how, change) {#name, rule, name##_is, how, name##_breaks},
    FLAWS(X)
#undef X
};

/* The first rule that the life breaks with this flaw; NULL: none. */
static const char *first_broken(const struct film *film, const struct flaw *flaw)
{
    struct judge judge;
    judge_begin(&judge, NULL, 4);
    bool found = flaw == NULL;
    for (uint32_t i = 0; i < film->n && judge.first.rule == NULL; i++) {
        struct hf_trace record = film->record[i];
        if (!found && flaw->is(&record)) {
            found = true;
            if (flaw->how == TWICE)
                judge_trace(&judge, &record);
            else
                flaw->breaks(&record);
            if (flaw->how == MISSING)
                continue;
        }
        judge_trace(&judge, &record);
    }
    const char *rule = judge.first.rule;
    if (!found)
        print_message("no record has the place for %s\n", flaw->name);
    if (rule != NULL)
        print_message("%s: %s: %s (%s)\n", flaw ? flaw->name : "none", rule, judge.first.detail,
                      judge.record);
    judge_end(&judge);
    return rule;
}

TEST(each_flaw_of_a_record_breaks_its_rule_and_without_one_there_is_peace)
{
    static struct film film;
    film.n = 0;
    play_life(p, &film);
    holds(film.n > 30 && film.n < RECORDS);
    holds(first_broken(&film, NULL) == NULL);
    for (size_t i = 0; i < sizeof flaws / sizeof *flaws; i++) {
        const char *rule = first_broken(&film, &flaws[i]);
        if (rule == NULL || strcmp(rule, flaws[i].rule) != 0)
            fail_msg("%s breaks %s, it must be %s", flaws[i].name, rule ? rule : "nothing",
                     flaws[i].rule);
    }
}

/* The rule that the film breaks without the one record of kind END, and with that of another cause.
 */
static const char *broken_by_end(const struct film *film, int cause)
{
    struct film other = *film;
    uint32_t n = 0;
    for (uint32_t i = 0; i < film->n; i++) {
        other.record[n] = film->record[i];
        if (film->record[i].kind == HF_TRACE_END)
            other.record[n].cause = (uint8_t)cause;
        n += film->record[i].kind != HF_TRACE_END || cause;
    }
    other.n = n;
    return first_broken(&other, NULL);
}

/* RFC 1122 4.2.3.9: an error ends the attempt; the next one has the same endpoints. */
TEST(an_end_that_is_not_told_leaves_two_incarnations)
{
    static struct film film;
    film.n = 0;
    starts();
    p->env.trace = roll_film;
    p->env.trace_arg = &film;
    opens();
    p->c->iss = iss_of(&film);
    p->c->has_iss = true;
    peer_icmp_error(p, p->peer_ip, ICMP4_UNREACHABLE, 3, 0, ISS);
    peer_forget(p);
    releases();
    after(10);
    opens();
    peer_forget(p);
    holds(broken_by_end(&film, HF_CAUSE_ICMP) == NULL);
    const char *untold = broken_by_end(&film, HF_CAUSE_NONE);
    holds(untold != NULL && strcmp(untold, "incarnations") == 0);
    const char *wrong = broken_by_end(&film, HF_CAUSE_REPLACED);
    holds(wrong != NULL && strcmp(wrong, "transition") == 0);
}

/* RFC 5961 7: the SYN comes again and again. */
TEST(a_repeated_syn_ack_is_a_challenge_ack_and_must_be_as_rare)
{
    static struct film film;
    film.n = 0;
    listens();
    p->env.trace = roll_film;
    p->env.trace_arg = &film;
    for (int i = 0; i < 3; i++) {
        after(i * 300);
        says(SYN, .seq = IRS, .mss = 1460);
    }
    holds(first_broken(&film, NULL) == NULL);
    struct hf_trace *last = &film.record[film.n - 1];
    while (last->kind != HF_TRACE_OUT || last->cause != HF_CAUSE_NONE)
        last--;
    last->time_ns -= 200000000;
    const char *rule = first_broken(&film, NULL);
    holds(rule != NULL && strcmp(rule, "challenge") == 0);
}

TEST(an_oracle_is_a_value_and_says_what_its_block_must_be)
{
    static struct film film;
    film.n = 0;
    play_life(p, &film);
    struct hf_oracle_config config = {.struct_size = sizeof config, .max_connections = 2};
    uint64_t size = hf_oracle_size(&config);
    struct hf_oracle *one = test_malloc(size), *two = test_malloc(size);
    holds_equal(hf_oracle_init(one, size - 1, &config), HF_ERR_INVALID);
    holds_equal(hf_oracle_init(one, size, &config), HF_OK);
    for (uint32_t i = 0; i < film.n / 2; i++)
        holds(hf_oracle_judge(one, &film.record[i], NULL));
    memcpy(two, one, size);
    for (uint32_t i = film.n / 2; i < film.n; i++) {
        holds(hf_oracle_judge(one, &film.record[i], NULL));
        holds(hf_oracle_judge(two, &film.record[i], NULL));
    }
    holds(memcmp(one, two, size) == 0);
    struct hf_oracle_counts counts = {.struct_size = sizeof counts};
    hf_oracle_counts(one, &counts);
    holds_equal(counts.records, film.n);
    holds_equal(counts.connections, 2);
    holds_equal(counts.violations, 0);
    holds_equal(counts.followed, 0);
    config.max_connections = 0;
    holds_equal(hf_oracle_size(&config), 0);
    test_free(one);
    test_free(two);
}

/* What it has not seen it does not judge; each place of two lives, the second of which closes in
 * LAST-ACK while the peer's FIN comes again. */
TEST(an_oracle_that_comes_late_takes_nothing_for_wrong)
{
    static struct film film, rest;
    film.n = 0;
    play_life(p, &film);
    opens_passively(p, &film);
    says(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    calls(hf_close(p->stack, &p->env, p->c->handle));
    peer_forget(p);
    says(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    holds(film.n < RECORDS && film.record[film.n - 1].kind == HF_TRACE_OUT);
    holds_equal(film.record[film.n - 1].state_before, HF_LAST_ACK);
    for (uint32_t i = 0; i < film.n; i++) {
        rest.n = film.n - i;
        memcpy(rest.record, film.record + i, rest.n * sizeof *rest.record);
        const char *rule = first_broken(&rest, NULL);
        if (rule != NULL)
            fail_msg("from record %u on it takes %s for broken", i, rule);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(each_flaw_of_a_record_breaks_its_rule_and_without_one_there_is_peace),
        V4(an_end_that_is_not_told_leaves_two_incarnations),
        V4(a_repeated_syn_ack_is_a_challenge_ack_and_must_be_as_rare),
        V4(an_oracle_that_comes_late_takes_nothing_for_wrong),
        V4(an_oracle_is_a_value_and_says_what_its_block_must_be),
    };
    return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
