/* watch.c - properties of one stack, record by record, that need no knowledge of what TCP should do
 * next: only of what must never be seen.
 */
#include "world.h"

#include <handfast/oracle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLES = CONNS_MAX + 1, PAIRS = 2 * CONNS_MAX, FOLLOWED = 256, AT_ONCE = 1000000 };

/* In that time the clocks of ISNs, a tick each 4 us, and of timestamps, each 1 ms, go half around:
 * what is later looks earlier then. */
static const int64_t ISS_HALF_NS = (INT64_C(1) << 31) * 4000;
static const int64_t TS_HALF_NS = (INT64_C(1) << 31) * 1000000;

struct seen {
    uint64_t handle;
    uint32_t edge;            /* the largest SEG.ACK + SEG.WND of the peer */
    uint32_t our_edge;        /* ... that was promised to it               */
    uint32_t rto_ms, rto_una; /* at the last timeout                       */
    uint32_t pace;            /* octets a second at most, 0: any           */
    int64_t pace_ns;          /* ... so far, new text has had its time     */
    bool edge_known, our_edge_known, timed_out;
};

/* Of one pair of sockets, whoever opens: the last SYN that left, and a TIME-WAIT that a reset has
 * ended. */
struct pair {
    uint64_t key; /* 0: none */
    uint32_t iss, ts_val;
    int64_t iss_ns, ts_ns; /* when they left */
    bool iss_known, ts_known;
    bool raised; /* above the numbers of one in TIME-WAIT, wherever the clock is (RFC 6191 2) */
    uint32_t snd_nxt, rcv_nxt; /* where the streams of that TIME-WAIT ended */
    int64_t until_ns;          /* when it would have, by itself; 0: there was none */
};

struct watch {
    struct world *world;
    uint32_t host;
    uint32_t unit;           /* of our windows, at most: 1 << Rcv.Wind.Shift */
    uint64_t answers_missed; /* since it was booted */
    int64_t now_ns;
    uint32_t at_once; /* records of that instant */
    bool reset_in;    /* the frame being taken in is a reset */
    struct seen seen[HANDLES];
    struct pair pair[PAIRS];
    struct hf_oracle *oracle;
    uint64_t oracle_bytes;
};

struct watch *watch_new(void)
{
    const struct hf_oracle_config config = {.struct_size = sizeof config,
                                            .max_connections = FOLLOWED};
    struct watch *watch = calloc(1, sizeof(struct watch));
    if (watch != NULL) {
        watch->oracle_bytes = hf_oracle_size(&config);
        watch->oracle = malloc(watch->oracle_bytes);
    }
    return watch;
}

void watch_free(struct watch *watch)
{
    if (watch != NULL) {
        free(watch->oracle);
        free(watch);
    }
}

void watch_begin(struct world *world, uint32_t host)
{
    struct watch *watch = world->host[host].watch;
    const struct hf_oracle_config config = {
        .struct_size = sizeof config,
        .max_connections = FOLLOWED,
        .policy = &world->plan.stack[host].config.policy,
        .drops_held = world->plan.stack[host].tight,
    };
    memset(watch->seen, 0, sizeof watch->seen);
    memset(watch->pair, 0, sizeof watch->pair);
    watch->answers_missed = 0;
    hf_oracle_init(watch->oracle, watch->oracle_bytes, &config);
    watch->world = world;
    watch->host = host;
    const struct hf_policy *policy = &world->plan.stack[host].config.policy;
    watch->unit = 1;
    while (policy->window_scale && policy->max_receive_window / watch->unit > UINT16_MAX) {
        watch->unit *= 2;
    }
}

void watch_input(struct world *world, uint32_t host, uint32_t n)
{
    world->host[host].watch->reset_in = false;
    (void)n;
}

static bool above(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

static struct seen *seen_of(struct watch *watch, hf_handle handle)
{
    uint32_t idx = (uint32_t)handle; /* a listener's kind stands above it: no handle of ours */
    if (handle == 0 || idx >= HANDLES) {
        return NULL;
    }
    struct seen *seen = &watch->seen[idx];
    if (seen->handle != handle) {
        *seen = (struct seen){.handle = handle, .pace_ns = INT64_MIN};
    }
    return seen;
}

void watch_pace(struct world *world, uint32_t host, hf_handle handle, uint32_t rate)
{
    struct seen *seen = seen_of(world->host[host].watch, handle);
    bool tight = world->plan.stack[host].tight; /* what was sent may be forgotten */
    if (seen) {
        seen->pace = tight || world->plan.restless ? 0 : rate;
    }
}

/* Where a ladder would show it. */
static void note_place(const struct watch *watch, const struct hf_trace *r)
{
    struct sim_wrong *wrong = &watch->world->result->wrong;
    if (wrong->rule[0] == '\0') {
        wrong->time_ns = r->time_ns - watch->world->plan.begin_ns;
        wrong->host = watch->host;
        memcpy(wrong->local, r->local_ip, 16);
        memcpy(wrong->remote, r->remote_ip, 16);
        wrong->local_port = r->local_port;
        wrong->remote_port = r->remote_port;
    }
}

static void broken(struct watch *watch, const struct hf_trace *r, const char *rule,
                   const char *what)
{
    const struct seen *seen = seen_of(watch, r->handle);
    world_wrong(watch->world, NULL, rule,
                "stack %u: %s (SEQ %u, LEN %u, ACK %u, WND %u, SND.UNA %u, SND.NXT %u, SND.WND %u; "
                "edge %u, ours %u)",
                watch->host + 1, what, r->seq - r->iss, r->len, r->ack - r->irs, r->wnd,
                r->snd_una - r->iss, r->snd_nxt - r->iss, r->snd_wnd,
                seen ? seen->edge - r->iss : 0, seen ? seen->our_edge - r->irs : 0);
}

static void note_edge(struct seen *seen, uint32_t edge)
{
    if (!seen->edge_known || above(edge, seen->edge)) {
        seen->edge = edge;
        seen->edge_known = true;
    }
}

static struct pair *pair_of(struct watch *watch, uint16_t local_port, uint16_t remote_port,
                            const uint8_t remote_ip[16])
{
    bool v4 = remote_ip[10] == 0xff && remote_ip[0] == 0;
    uint64_t key = (uint64_t)local_port << 32 | (uint64_t)remote_port << 16 |
                   (uint64_t)remote_ip[15] << 1 | (v4 ? 0 : 1);
    uint32_t at = (uint32_t)(dice_mix(key) % PAIRS);
    while (watch->pair[at].key != 0 && watch->pair[at].key != key) {
        at = (at + 1) % PAIRS;
    }
    watch->pair[at].key = key;
    return &watch->pair[at];
}

/* RFC 6191: a SYN takes the place of one in TIME-WAIT, at once or when it is answered.  RFC 1337: a
 * reset has ended it. */
static void note_time_wait(struct watch *watch, const struct hf_trace *r)
{
    const struct hf_policy *policy = &watch->world->plan.stack[watch->host].config.policy;
    struct pair *pair = pair_of(watch, r->local_port, r->remote_port, r->remote_ip);
    if (r->verdict == HF_V_TIME_WAIT_REUSED || r->verdict == HF_V_SYN_HELD) {
        *pair = (struct pair){.key = pair->key,
                              .raised = true,
                              .ts_val = pair->ts_val,
                              .ts_ns = pair->ts_ns,
                              .ts_known = pair->ts_known};
    } else if (r->verdict == HF_V_RST_CLOSES) {
        pair->snd_nxt = r->snd_nxt;
        pair->rcv_nxt = r->rcv_nxt;
        pair->until_ns = r->time_ns + 2 * (int64_t)policy->msl_ms * 1000000;
    }
}

/* A connection of the same sockets began before that time, below where the peer's stream ended. */
static bool overlaps(const struct pair *pair, uint32_t end, const struct conn *conn, uint32_t begin)
{
    return conn->opened_ns < pair->until_ns && above(end, begin);
}

bool watch_is_exposed(struct world *world, const struct conn *conn, uint32_t side,
                      const struct hf_status *status)
{
    struct watch *own = world->host[programs_host(world, conn, side)].watch;
    struct watch *peers = world->host[programs_host(world, conn, !side)].watch;
    const struct hf_endpoint *local = &status->local, *remote = &status->remote;
    const struct pair *here = pair_of(own, local->port, remote->port, remote->ip);
    const struct pair *there = pair_of(peers, remote->port, local->port, local->ip);
    return (status->options & HF_OPT_TS) == 0 &&
           (overlaps(here, here->rcv_nxt, conn, status->irs) ||
            overlaps(there, there->snd_nxt, conn, status->irs));
}

static void arrived(struct watch *watch, struct seen *seen, const struct hf_trace *r)
{
    watch->reset_in = (r->ctl & HF_RST) != 0;
    judge_syn(watch->world, watch->host, r);
    if (r->state_before == HF_TIME_WAIT) {
        note_time_wait(watch, r);
    }
    if (seen == NULL) {
        return;
    }
    if (r->ctl & HF_ACK) {
        note_edge(seen, r->ack + r->wnd);
    }
    if (above(r->snd_una, seen->rto_una)) {
        seen->timed_out = false;
    }
}

/* RFC 9293 3.8.6, MUST-36: not beyond the window, but for one octet that probes it. */
static void check_edge(struct watch *watch, struct seen *seen, const struct hf_trace *r)
{
    if (!seen->edge_known) {
        note_edge(seen, r->snd_una + r->snd_wnd);
    }
    uint32_t end = r->seq + r->len;
    bool fin_alone = r->text_bytes == 0;
    if (r->state_after >= HF_ESTABLISHED && r->len && !fin_alone && above(end, seen->edge + 1)) {
        broken(watch, r, "beyond-window", "text beyond the window that the peer has promised");
    }
}

/* RFC 9293 3.8.6, SHLD-14: what was promised is not taken back; a header rounds down. */
static void check_our_edge(struct watch *watch, struct seen *seen, const struct hf_trace *r)
{
    if (r->ctl & (HF_SYN | HF_RST)) {
        return;
    }
    uint32_t edge = r->ack + r->wnd;
    if (seen->our_edge_known && above(seen->our_edge, edge + watch->unit - 1)) {
        broken(watch, r, "edge-left", "the right edge of the window moves left");
    }
    if (!seen->our_edge_known || above(edge, seen->our_edge)) {
        seen->our_edge = edge;
        seen->our_edge_known = true;
    }
}

/* RFC 7323 4.1, 5.4: never back, from one connection of the same sockets to the next, either.  A
 * cookie's stamp is of its slot of 64 ms: nothing is known of what was before. */
static void check_timestamp(struct watch *watch, const struct hf_trace *r)
{
    const struct hf_policy *policy = &watch->world->plan.stack[watch->host].config.policy;
    bool cookie = (r->ctl & HF_SYN) && (r->ctl & HF_ACK) && policy->syn_cookies != HF_COOKIES_OFF;
    if ((r->options & HF_OPT_TS) == 0 || (r->ctl & HF_RST) || cookie) {
        return;
    }
    struct pair *pair = pair_of(watch, r->local_port, r->remote_port, r->remote_ip);
    if (pair->ts_known && above(pair->ts_val, r->ts_val) && r->time_ns - pair->ts_ns < TS_HALF_NS) {
        broken(watch, r, "timestamp-back", "TSval goes back");
    }
    pair->ts_val = r->ts_val;
    pair->ts_ns = r->time_ns;
    pair->ts_known = true;
}

/* RFC 9293 3.4.1, RFC 6528: a later connection of the same sockets begins above. */
static void check_iss(struct watch *watch, const struct hf_trace *r)
{
    const struct hf_policy *policy = &watch->world->plan.stack[watch->host].config.policy;
    if ((r->ctl & HF_SYN) == 0 || ((r->ctl & HF_ACK) && policy->syn_cookies != HF_COOKIES_OFF)) {
        return;
    }
    struct pair *pair = pair_of(watch, r->local_port, r->remote_port, r->remote_ip);
    if (pair->iss_known && pair->iss == r->seq) {
        return; /* once more */
    }
    if (pair->iss_known && !pair->raised && above(pair->iss, r->seq) &&
        r->time_ns - pair->iss_ns < ISS_HALF_NS) {
        broken(watch, r, "iss-back", "a later connection of the same sockets begins below");
    }
    pair->raised &= !pair->iss_known;
    pair->iss = r->seq;
    pair->iss_ns = r->time_ns;
    pair->iss_known = true;
}

/* src/tcp/pacing.c: as long as what has gone is no more than a millisecond ahead of its time, a
 * segment may go; a millisecond that was not used is made up for.  One more for the rounding. */
static void check_pace(struct watch *watch, struct seen *seen, const struct hf_trace *r)
{
    const int64_t most_ns = 2000000;
    bool is_new = r->text_bytes && r->state_after >= HF_ESTABLISHED &&
                  (r->marks & (HF_MARK_REPEAT | HF_MARK_PROBE)) == 0;
    if (seen->pace == 0 || !is_new) {
        return;
    }
    if (seen->pace_ns > r->time_ns + most_ns) {
        broken(watch, r, "pace", "more than HF_MAX_PACING_RATE allows");
    }
    int64_t from_ns = r->time_ns - most_ns;
    seen->pace_ns = (seen->pace_ns > from_ns ? seen->pace_ns : from_ns) +
                    (int64_t)r->text_bytes * 1000000000 / seen->pace;
}

static void left(struct watch *watch, struct seen *seen, const struct hf_trace *r)
{
    bool strict = watch->world->plan.batch == 1;
    check_iss(watch, r);
    check_timestamp(watch, r);
    if ((r->ctl & HF_RST) && watch->reset_in && strict && r->cause == HF_CAUSE_NONE) {
        broken(watch, r, "reset-answered", "a reset is answered with a reset");
    }
    if (above(r->snd_una, r->snd_nxt)) {
        broken(watch, r, "una-above-nxt", "SND.UNA is above SND.NXT");
    }
    if (seen == NULL) {
        return;
    }
    check_edge(watch, seen, r);
    check_our_edge(watch, seen, r);
    check_pace(watch, seen, r);
}

/* RFC 6298 5.5: doubled, until something is acknowledged. */
static void timed_out(struct watch *watch, struct seen *seen, const struct hf_trace *r)
{
    if (r->cause != HF_TIMER_RTO || r->state_after == HF_CLOSED) { /* its timeout is none */
        return;
    }
    if (seen->timed_out && seen->rto_una == r->snd_una && r->rto_ms < seen->rto_ms) {
        broken(watch, r, "backoff", "the retransmission timeout shrinks without progress");
    }
    seen->timed_out = true;
    seen->rto_ms = r->rto_ms;
    seen->rto_una = r->snd_una;
}

/* How many answers had to be dropped: there was no room for them, or too many resets. */
static uint64_t replies_dropped(const struct watch *watch)
{
    struct hf_counters c = {.struct_size = sizeof c};
    hf_counters(watch->world->host[watch->host].stack, &c);
    return c.replies_dropped;
}

/* What the records do not tell the oracle: that a reset, or the ACK of a small record, was dropped,
 * which the counters tell. */
static bool is_excused(struct watch *watch, const struct hf_trace *r, const char *rule)
{
    bool small = r->state_before == HF_SYN_RECEIVED || r->state_before == HF_TIME_WAIT;
    bool answer = strcmp(rule, "reset-time") == 0 || (small && strcmp(rule, "ack-time") == 0);
    bool dropped = answer && watch->answers_missed < replies_dropped(watch);
    watch->answers_missed += dropped;
    return dropped;
}

/* A timer that fires for ever, an answer to an answer: only a trap gets out of a stack. */
static void check_instant(struct watch *watch, const struct hf_trace *record)
{
    if (watch->now_ns != record->time_ns) {
        watch->now_ns = record->time_ns;
        watch->at_once = 0;
    }
    if (++watch->at_once > AT_ONCE) {
        __builtin_trap();
    }
}

void watch_trace(void *arg, const struct hf_trace *record)
{
    struct watch *watch = arg;
    check_instant(watch, record);
    note_place(watch, record);
    struct seen *seen = seen_of(watch, record->handle);
    struct hf_violation violation;
    if (!hf_oracle_judge(watch->oracle, record, &violation) &&
        !is_excused(watch, record, violation.rule)) {
        char text[300];
        snprintf(text, sizeof text, "%s (%s): %s", violation.sentence, violation.place,
                 violation.detail);
        broken(watch, record, violation.rule, text);
    }
    if (record->marks & (HF_MARK_ICMP | HF_MARK_UDP)) {
        return;
    }
    watch->reset_in &= record->kind == HF_TRACE_OUT;
    switch (record->kind) {
    case HF_TRACE_IN:
        arrived(watch, seen, record);
        break;
    case HF_TRACE_OUT:
        left(watch, seen, record);
        break;
    case HF_TRACE_TIMER:
        if (seen) {
            timed_out(watch, seen, record);
        }
        break;
    default:
        break;
    }
    struct sim_view *view = watch->world->view;
    if (view) {
        view->trace(view->arg, watch->host, record);
    }
}
