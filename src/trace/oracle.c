/* oracle.c - judges a trace: which connection a record is about, and what is kept of it.
 *
 * A connection is known by its four numbers, not by its handle: half-open and waiting ones have
 * none.  Two may have the same four, one in TIME-WAIT and the one that may replace it (RFC 6191);
 * then the state or the handle tells.  One that is closed is remembered until its place is needed.
 */
#include "trace/oracle.h"

#include <stdarg.h>
#include <stdio.h>

enum { MOST = 1 << 24 };

void oracle_broken(struct judging *j, enum hf_rule rule, const char *format, ...)
{
    if (j->broken) {
        return;
    }
    j->broken = true;
    if (j->violation == NULL) {
        return;
    }
    *j->violation = (struct hf_violation){
        .rule = hf_rule_id(rule), .sentence = hf_rule_sentence(rule), .place = hf_rule_place(rule)};
    va_list args;
    va_start(args, format);
    vsnprintf(j->violation->detail, sizeof j->violation->detail, format, args);
    va_end(args);
}

/* The block ------------------------------------------------------------------------------------ */

static uint32_t entries_of(const struct hf_oracle_config *config)
{
    return 2 * config->max_connections + 8; /* closed ones are remembered for a while */
}

static uint32_t buckets_of(uint32_t entries)
{
    uint32_t n = 16;
    while (n < entries) {
        n *= 2;
    }
    return n;
}

static uint32_t *chain(struct hf_oracle *o, uint32_t hash)
{
    uint32_t *buckets = (uint32_t *)(o + 1);
    return &buckets[hash & (o->buckets - 1)];
}

/* Entry 1 and up: 0 is none. */
static struct watched *entry(struct hf_oracle *o, uint32_t i)
{
    uint32_t *buckets = (uint32_t *)(o + 1);
    struct watched *first = (struct watched *)(void *)(buckets + o->buckets);
    return &first[i - 1];
}

static uint32_t index_of(struct hf_oracle *o, const struct watched *w)
{
    return (uint32_t)(w - entry(o, 1)) + 1;
}

uint64_t hf_oracle_size(const struct hf_oracle_config *config)
{
    if (config == NULL || config->struct_size != sizeof *config || config->max_connections == 0 ||
        config->max_connections > MOST) {
        return 0;
    }
    uint64_t n = entries_of(config);
    return sizeof(struct hf_oracle) + (uint64_t)buckets_of((uint32_t)n) * sizeof(uint32_t) +
           n * sizeof(struct watched);
}

int hf_oracle_init(struct hf_oracle *oracle, uint64_t bytes, const struct hf_oracle_config *config)
{
    uint64_t size = hf_oracle_size(config);
    if (oracle == NULL || size == 0 || bytes < size) {
        return HF_ERR_INVALID;
    }
    memset(oracle, 0, size);
    oracle->bytes = size;
    oracle->entries = entries_of(config);
    oracle->buckets = buckets_of(oracle->entries);
    oracle->late_ns = (int64_t)(config->late_ms + LATE_MS) * MS;
    oracle->listener_closed_ns = INT64_MIN;
    oracle->drops_held = config->drops_held;
    if (config->policy) {
        oracle->policy = *config->policy;
    } else {
        struct hf_config usual;
        hf_config_default(&usual, 2);
        oracle->policy = usual.policy;
    }
    for (uint32_t i = oracle->entries; i > 0; i--) {
        entry(oracle, i)->next = oracle->free;
        oracle->free = i;
    }
    return HF_OK;
}

void hf_oracle_policy(struct hf_oracle *oracle, const struct hf_policy *policy)
{
    oracle->policy = *policy;
}

void hf_oracle_counts(const struct hf_oracle *oracle, struct hf_oracle_counts *counts)
{
    struct hf_oracle_counts all = {
        .struct_size = counts->struct_size,
        .followed = oracle->followed,
        .records = oracle->records,
        .segments = oracle->segments,
        .connections = oracle->connections,
        .violations = oracle->violations,
        .unknown = oracle->unknown,
    };
    memcpy(counts, &all, counts->struct_size < sizeof all ? counts->struct_size : sizeof all);
}

/* The table ------------------------------------------------------------------------------------ */

static uint32_t hash_of(const struct hf_trace *r)
{
    uint64_t part[4];
    memcpy(part, r->local_ip, 16);
    memcpy(part + 2, r->remote_ip, 16);
    uint64_t h = part[0] ^ part[1] * 3 ^ part[2] * 5 ^ part[3] * 7;
    h ^= (uint64_t)r->local_port << 16 | r->remote_port;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

static bool same_pair(const struct watched *w, const struct hf_trace *r)
{
    return w->lport == r->local_port && w->rport == r->remote_port &&
           memcmp(w->local, r->local_ip, 16) == 0 && memcmp(w->remote, r->remote_ip, 16) == 0;
}

/* May it be what a record that is gone has answered?  One in TIME-WAIT is there. */
static bool answers_for(const struct watched *w, const struct hf_trace *r)
{
    return w->gone_answers && is_small_answer(r) && r->state_before != HF_TIME_WAIT;
}

/* How well an entry of the same pair fits a record, 0: not at all. */
static int fits(const struct watched *w, const struct hf_trace *r)
{
    bool half_open = w->state == HF_SYN_RECEIVED && w->state == r->state_before;
    if (half_open && r->kind == HF_TRACE_OUT && r->ack == w->m.irs + 1) {
        return 6;
    }
    if (oracle_owes_reset(w, r) || answers_for(w, r)) {
        return 5; /* though it is closed, and one in TIME-WAIT is there still */
    }
    if (w->resets_lost && r->kind == HF_TRACE_OUT && (r->ctl & HF_RST)) {
        return 4; /* it may be one of those that are not remembered */
    }
    if (r->handle != 0 && w->handle != 0) {
        if (w->handle != r->handle) {
            return w->state == HF_CLOSED ? 1 : 0; /* its place is taken by another one */
        }
        return 4;
    }
    if (w->state == HF_CLOSED && r->state_before == HF_TIME_WAIT && is_small_answer(r)) {
        return r->seq == w->m.nxt ? 3 : 1; /* it waited when a reset ended that */
    }
    if (w->state == HF_TIME_WAIT && r->state_before == HF_LISTEN && r->kind == HF_TRACE_CALL) {
        return 0; /* hf_answer: one that may replace it */
    }
    if (w->state != HF_CLOSED && w->state == r->state_before) {
        return 3;
    }
    return w->state != HF_CLOSED ? 2 : 1;
}

static struct watched *find(struct hf_oracle *o, const struct hf_trace *r, uint32_t hash)
{
    struct watched *best = NULL;
    int how = 0;
    for (uint32_t i = *chain(o, hash); i != 0; i = entry(o, i)->next) {
        struct watched *w = entry(o, i);
        if (!same_pair(w, r)) {
            continue;
        }
        bool left = !w->waits && r->time_ns > w->gone_ns + o->late_ns;
        w->gone_answers = left ? 0 : w->gone_answers;
        if (fits(w, r) > how) {
            best = w;
            how = fits(w, r);
        }
    }
    return best;
}

static void leave_closed(struct hf_oracle *o, struct watched *w)
{
    *(w->newer ? &entry(o, w->newer)->older : &o->newest) = w->older;
    *(w->older ? &entry(o, w->older)->newer : &o->oldest) = w->newer;
    w->newer = w->older = 0;
}

static void enter_closed(struct hf_oracle *o, struct watched *w)
{
    uint32_t i = index_of(o, w);
    w->older = o->newest;
    w->newer = 0;
    *(o->newest ? &entry(o, o->newest)->newer : &o->oldest) = i;
    o->newest = i;
}

static void forget(struct hf_oracle *o, struct watched *w)
{
    struct hf_trace pair = {.local_port = w->lport, .remote_port = w->rport};
    memcpy(pair.local_ip, w->local, 16);
    memcpy(pair.remote_ip, w->remote, 16);
    uint32_t i = index_of(o, w);
    uint32_t *link = chain(o, hash_of(&pair));
    while (*link != i) {
        link = &entry(o, *link)->next;
    }
    *link = w->next;
    if (w->state == HF_CLOSED) {
        leave_closed(o, w);
    } else {
        o->followed--;
    }
    *w = (struct watched){.next = o->free};
    o->free = i;
}

/* A new entry, closed; NULL: all places are taken by open ones. */
static struct watched *remember(struct hf_oracle *o, const struct hf_trace *r, uint32_t hash)
{
    if (o->free == 0 && o->oldest != 0) {
        forget(o, entry(o, o->oldest));
    }
    uint32_t i = o->free;
    if (i == 0) {
        return NULL;
    }
    struct watched *w = entry(o, i);
    o->free = w->next;
    *w = (struct watched){.used = 1, .lport = r->local_port, .rport = r->remote_port};
    memcpy(w->local, r->local_ip, 16);
    memcpy(w->remote, r->remote_ip, 16);
    w->next = *chain(o, hash);
    *chain(o, hash) = i;
    enter_closed(o, w);
    return w;
}

/* What a record leaves behind ------------------------------------------------------------------ */

/* The SYN that was held while one of the same sockets was in TIME-WAIT; it may be gone by now. */
static struct peer_syn take_held(struct hf_oracle *o, const struct hf_trace *r)
{
    struct peer_syn held = {0};
    for (uint32_t i = *chain(o, hash_of(r)); i != 0; i = entry(o, i)->next) {
        struct watched *w = entry(o, i);
        if (w->held.seen && same_pair(w, r)) {
            held = w->held;
            w->held.seen = 0;
        }
    }
    return held;
}

/* What others of the same sockets that are gone may still send leaves before what this one has. */
static void take_gone(struct hf_oracle *o, struct watched *mine, const struct hf_trace *r)
{
    for (uint32_t i = *chain(o, hash_of(r)); i != 0; i = entry(o, i)->next) {
        struct watched *w = entry(o, i);
        if (w != mine && w->gone_answers && same_pair(w, r)) {
            mine->gone_answers += w->gone_answers;
            mine->gone_ns = w->gone_ns;
            w->gone_answers = 0;
        }
    }
}

/* A new connection: what was known of the one before is kept, of its numbers alone. */
static void begin(struct judging *j, struct watched *w)
{
    const struct hf_trace *r = j->r;
    oracle_let_go(w, r->time_ns);
    w->m = (struct model){.full = UINT16_MAX}; /* not known before our SYN tells */
    w->begun_ns = r->time_ns;
    bool first = r->state_before <= HF_LISTEN || r->verdict == HF_V_TIME_WAIT_REUSED;
    w->m.facts = first ? KNOWS_START : 0;
    if (r->state_before == HF_LISTEN || r->state_before == HF_TIME_WAIT) {
        w->m.facts |= PASSIVE;
    }
    bool raised = r->verdict == HF_V_TIME_WAIT_REUSED || r->cause == HF_CALL_ANSWER;
    w->m.facts |= raised ? ISS_RAISED : 0;
    if (r->kind == HF_TRACE_CALL && r->cause == HF_CALL_OPEN_ACTIVE) {
        w->syn.seen = 0;
        w->m.may_syn = 1;
        oracle_judge_iss(j, r->iss);
    }
    bool answered = r->kind == HF_TRACE_CALL && r->cause == HF_CALL_ANSWER;
    w->m.may_syn += answered; /* the SYN that was held */
    struct peer_syn held = answered ? take_held(j->oracle, r) : (struct peer_syn){0};
    w->syn = held.seen ? held : w->syn;
    if (answered && w->syn.seen) {
        w->m.facts |= KNOWS_RECENT;
        w->m.ts_recent = w->syn.ts_val;
        w->m.last_ack = w->syn.seq + 1;
        w->m.heard_ns = w->m.recent_ns = r->time_ns;
    }
}

static void end(struct judging *j, struct watched *w)
{
    if (!(w->m.facts & KNOWS_ISS) && has_numbers(j->r)) { /* its SYN,ACK may still leave */
        w->m.iss = j->r->iss;
        w->m.irs = j->r->irs;
        w->m.facts |= KNOWS_ISS;
    }
    oracle_let_go(w, j->r->time_ns);
    w->handle = 0;
    w->old_ns = w->begun_ns;
    w->old_iss = w->m.iss;
    w->old_facts = w->m.facts & (w->m.facts & KNOWS_START ? ~0u : ~(uint32_t)KNOWS_ISS);
    if (w->state == HF_LAST_ACK) {
        w->last_seq = w->m.nxt;
        w->last_ack = w->m.rcv_nxt;
    }
}

static void set_state(struct judging *j, struct watched *w, uint8_t state)
{
    struct hf_oracle *o = j->oracle;
    bool was_open = w->state != HF_CLOSED;
    bool is_open = state != HF_CLOSED;
    if (!was_open && is_open) {
        leave_closed(o, w);
        o->followed++;
        o->connections++;
        begin(j, w);
    } else if (was_open && !is_open) {
        enter_closed(o, w);
        o->followed--;
        end(j, w);
    }
    if (state == HF_TIME_WAIT && w->state != HF_TIME_WAIT) {
        w->wait_ns = w->wait_last_ns = j->r->time_ns;
    }
    w->state = state;
}

/* Others of the same endpoints are no more, and their ends were told; but one in TIME-WAIT is there
 * until this one is open (3.6.1 MAY-2).  Of link-local addresses there may be one on each link. */
static void is_the_only_one(struct judging *j, bool opens)
{
    struct hf_oracle *o = j->oracle;
    uint32_t next;
    if (j->r->remote_ip[0] == 0xfe && (j->r->remote_ip[1] & 0xc0) == 0x80) {
        return;
    }
    for (uint32_t i = *chain(o, hash_of(j->r)); i != 0; i = next) {
        struct watched *w = entry(o, i);
        next = w->next;
        bool stays = w->state == HF_CLOSED || (w->state == HF_TIME_WAIT && !opens);
        if (w != j->w && !stays && same_pair(w, j->r)) {
            oracle_broken(j, HF_RULE_INCARNATIONS, "the other one is %s", hf_state_name(w->state));
            forget(o, w);
        }
    }
}

bool oracle_waits_behind(const struct judging *j)
{
    struct hf_oracle *o = j->oracle;
    for (uint32_t i = *chain(o, hash_of(j->r)); i != 0; i = entry(o, i)->next) {
        const struct watched *w = entry(o, i);
        if (w->state == HF_TIME_WAIT && same_pair(w, j->r)) {
            return true;
        }
    }
    return false;
}

/* It begins, or takes the place of a half-open one that another SYN has begun. */
static void begin_by_cookie(struct model *m, const struct hf_trace *r)
{
    m->facts = (m->facts | COOKIE) & ~(uint32_t)(KNOWS_RECENT | KNOWS_OPTIONS);
    m->offered = 0;
    m->may_ack = 1;
    m->acked = 1; /* our SYN */
    m->full = UINT16_MAX;
    oracle_note_fin(m, r);
}

static void learn(struct judging *j)
{
    const struct hf_trace *r = j->r;
    if (r->kind == HF_TRACE_OUT && !has_numbers(r)) { /* an answer: it changes no state */
        if (!j->of_gone) {
            oracle_learn(j);
        }
        return;
    }
    /* The numbers are the old one's, which stays until the new one is open. */
    bool other = r->verdict == HF_V_TIME_WAIT_REUSED && r->kind == HF_TRACE_IN;
    if (other) {
        const struct watched *old = j->w;
        j->w = remember(j->oracle, r, hash_of(r));
        if (j->w == NULL) {
            return;
        }
        take_gone(j->oracle, j->w, r);
        j->w->old_ns = r->time_ns; /* its numbers are of now */
        j->w->old_iss = old->m.nxt;
        j->w->old_facts = old->m.facts & ~(uint32_t)ISS_RAISED;
    }
    struct watched *w = j->w;
    bool compact_back = r->state_after == HF_LISTEN;
    bool opens = w->state < HF_ESTABLISHED && r->state_after >= HF_ESTABLISHED &&
                 !(has_numbers(r) && r->snd_una == r->iss); /* closed in SYN-RECEIVED */
    bool begins = w->state == HF_CLOSED;
    set_state(j, w, compact_back ? HF_CLOSED : r->state_after);
    if (opens_by_cookie(r)) {
        begin_by_cookie(&w->m, r);
    }
    if (r->verdict == HF_V_SYN_HELD) { /* it is the newest */
        (void)take_held(j->oracle, r);
    }
    oracle_learn_syn(j);
    if (w->state == HF_CLOSED) {
        return;
    }
    if (opens) {
        w->m.challenge_ns = 0; /* the limit of the half-open record goes with it */
    }
    if (opens || begins) {
        is_the_only_one(j, opens);
    }
    if (!other) {
        w->handle = r->handle ? r->handle : w->handle;
        oracle_learn(j);
    }
}

/* Judging --------------------------------------------------------------------------------------*/

/* Of no connection: listeners, datagrams, ICMP, what was dropped below TCP. */
static bool of_no_connection(struct hf_oracle *o, const struct hf_trace *r)
{
    if (r->verdict == HF_V_ICMP_TAKEN && r->kind == HF_TRACE_IN) {
        o->icmp_taken++;
    }
    if (r->kind == HF_TRACE_CALL && r->remote_port == 0) {
        if (r->state_before == HF_LISTEN && r->state_after == HF_CLOSED) {
            o->listener_closed_ns = r->time_ns;
        }
        return true;
    }
    bool below = r->kind == HF_TRACE_IN && r->verdict >= HF_V_DROP_NO_PORT &&
                 r->verdict <= HF_V_DROP_DATAGRAM_FULL;
    return r->kind == HF_TRACE_DROP || below || (r->marks & (HF_MARK_UDP | HF_MARK_ICMP)) ||
           r->remote_port == 0;
}

/* The application's last words to a handle whose connection is no more. */
static bool is_epilogue(const struct hf_trace *r)
{
    return r->kind == HF_TRACE_CALL && r->state_before == HF_CLOSED && r->state_after == HF_CLOSED;
}

static bool sound(const struct hf_trace *r)
{
    return r->version == HF_TRACE_VERSION && r->kind <= HF_TRACE_WAIT &&
           r->state_before < HF_STATES && r->state_after < HF_STATES &&
           r->verdict < HF_VERDICT_COUNT && r->cause < HF_CAUSES && r->n_sack <= 4;
}

static void judge_connection(struct judging *j)
{
    struct hf_oracle *o = j->oracle;
    const struct hf_trace *r = j->r;
    uint32_t hash = hash_of(r);
    j->w = find(o, r, hash);
    if (j->w == NULL) {
        j->w = remember(o, r, hash);
    }
    if (j->w == NULL) {
        o->unknown++;
        return;
    }
    oracle_judge_due(j);
    oracle_judge_state(j);
    if (r->kind == HF_TRACE_IN && r->handle != 0 && j->w->handle == 0 &&
        j->w->state == HF_SYN_RECEIVED) { /* a half-open record becomes a connection */
        oracle_let_go(j->w, r->time_ns);
    }
    bool found = j->w->state == r->state_before; /* else the model is another connection's */
    switch (r->kind) {
    case HF_TRACE_IN:
        if (r->state_before <= HF_SYN_SENT) {
            oracle_judge_opening(j);
        } else if (found) {
            oracle_judge_in(j);
        }
        break;
    case HF_TRACE_OUT:
        oracle_judge_out(j);
        break;
    case HF_TRACE_CALL:
        oracle_judge_call(j);
        break;
    case HF_TRACE_TIMER:
        oracle_judge_timer(j);
        break;
    case HF_TRACE_END:
        oracle_judge_ended(j);
        break;
    case HF_TRACE_WAIT:
        oracle_judge_wait(j);
        break;
    default:
        break;
    }
    learn(j);
}

bool hf_oracle_judge(struct hf_oracle *oracle, const struct hf_trace *record,
                     struct hf_violation *violation)
{
    struct judging j = {.oracle = oracle, .r = record, .violation = violation};
    oracle->records++;
    oracle->drops_held |= record->verdict == HF_V_DROP_NO_MEMORY;
    oracle->segments += record->kind == HF_TRACE_IN || record->kind == HF_TRACE_OUT;
    if (!sound(record)) {
        oracle_broken(&j, HF_RULE_RECORD, "kind %u, state %u, verdict %u", record->kind,
                      record->state_before, record->verdict);
    } else if (!of_no_connection(oracle, record) && !is_epilogue(record)) {
        judge_connection(&j);
    }
    oracle->violations += j.broken;
    return !j.broken;
}
