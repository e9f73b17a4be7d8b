/* check_connections.c - hf_check: full, half-open and waiting records, and what finds them. */
#include "stack/check.h"
#include "tcp/recovery.h"

/* Ids and the flow table ----------------------------------------------------------------------- */

/* As tcp_id_of, without counting as work. */
static struct conn_id id_of(const struct check *c, const struct tuple *tuple, uint8_t zone, bool v6)
{
    struct conn_id id = {.rport = tuple->rport, .lport = tuple->lport, .zone = zone, .v4 = !v6};
    if (v6) {
        const struct ext6 *ext = check_at(c, CHECK_EXTS, tuple->remote);
        memcpy(id.remote, ext->remote, 16);
        memcpy(id.local, ext->local, 16);
        return id;
    }
    uint8_t v4[4];
    put_be32(v4, tuple->remote);
    wire_from_v4(id.remote, v4);
    put_be32(v4, tuple->local);
    wire_from_v4(id.local, v4);
    return id;
}

/* The id of a record, and whether the flow table has the record under it. */
static bool check_id(struct check *c, const struct tuple *tuple, uint8_t zone, bool v6, bool filed,
                     enum check_kind kind, uint32_t idx)
{
    static const uint8_t flow_kinds[] = {
        [CHECK_TCBS] = KIND_TCB, [CHECK_HALVES] = KIND_HALF_OPEN, [CHECK_WAITS] = KIND_TIME_WAIT};
    if ((v6 && !check_claim(c, CHECK_EXTS, tuple->remote)) ||
        !check_that(c, zone <= c->s->interfaces && tuple->rport && tuple->lport,
                    HF_INVARIANT_TABLES, kind, idx)) {
        return false;
    }
    struct conn_id id = id_of(c, tuple, zone, v6);
    uint32_t hash = tcp_hash_of(&c->st.tcp, &id);
    bool found = flowtab_holds(&c->b->flows, c->s, hash, FLOW_VALUE(flow_kinds[kind], idx));
    return check_equal(c, found, filed, HF_INVARIANT_FLOW, kind, idx);
}

/* States --------------------------------------------------------------------------------------- */

/* What each state must have among F_CLOSE, F_FIN_SENT, F_FIN_ACKED, F_FIN_RECEIVED, and must not.
 */
static bool fins_fit(const struct tcb *tcb)
{
    enum { OURS = F_CLOSE | F_FIN_SENT | F_FIN_ACKED, ALL = OURS | F_FIN_RECEIVED };
    static const struct {
        uint32_t has, has_not;
    } rules[HF_STATES] = {
        [HF_CLOSED] = {0, 0},
        [HF_LISTEN] = {0, ALL},
        [HF_SYN_SENT] = {0, ALL},
        [HF_SYN_RECEIVED] = {0, F_FIN_SENT | F_FIN_ACKED | F_FIN_RECEIVED},
        [HF_ESTABLISHED] = {0, ALL},
        [HF_FIN_WAIT_1] = {F_CLOSE, F_FIN_ACKED | F_FIN_RECEIVED},
        [HF_FIN_WAIT_2] = {OURS, F_FIN_RECEIVED},
        [HF_CLOSE_WAIT] = {F_FIN_RECEIVED, F_FIN_SENT | F_FIN_ACKED},
        [HF_CLOSING] = {F_CLOSE | F_FIN_RECEIVED, F_FIN_ACKED},
        [HF_LAST_ACK] = {F_CLOSE | F_FIN_RECEIVED, F_FIN_ACKED},
        [HF_TIME_WAIT] = {ALL, 0},
    };
    uint32_t flags = tcb->flags;
    bool in_turn = (!(flags & F_FIN_SENT) || (flags & F_CLOSE)) &&
                   (!(flags & F_FIN_ACKED) || (flags & F_FIN_SENT));
    return in_turn && (flags & rules[tcb->state].has) == rules[tcb->state].has &&
           (flags & rules[tcb->state].has_not) == 0;
}

static bool check_state(const struct check *c, uint32_t idx, const struct tcb *tcb)
{
    bool held = tcb->flags & F_HELD;
    bool fits = tcb->state < HF_STATES && !(tcb->flags & F_COMPACT) &&
                (tcb->state != HF_LISTEN || held) && fins_fit(tcb) &&
                CONGESTION_OF(tcb->modes) < HF_CONGESTIONS && tcb->snd_wscale <= 14 &&
                tcb->rcv_wscale <= 14;
    if (!check_that(c, fits, HF_INVARIANT_STATE, CHECK_TCBS, idx)) {
        return false;
    }
    bool has_numbers = tcb->state != HF_CLOSED && tcb->state != HF_LISTEN;
    return !has_numbers ||
           check_that(c, seq_leq(tcb->snd.una, tcb->snd.nxt), HF_INVARIANT_SEND, CHECK_TCBS, idx);
}

/* Timers --------------------------------------------------------------------------------------- */

static uint32_t sooner(const struct check *c, uint32_t a_ms, uint32_t b_ms)
{
    if (a_ms == 0 || b_ms == 0) {
        return a_ms != 0 ? a_ms : b_ms;
    }
    uint32_t now_ms = c->b->wheel.now_ms;
    return (int32_t)(a_ms - now_ms) < (int32_t)(b_ms - now_ms) ? a_ms : b_ms;
}

/* The first of all deadlines, 0: none.  What is attached has been checked. */
static uint32_t deadline(const struct check *c, const struct tcb *tcb)
{
    uint32_t at_ms = tcb->long_at_ms;
    if (tcb->active != 0) {
        const struct active *active = check_at(c, CHECK_ACTIVES, tcb->active);
        const struct extra *extra = tcb->extra ? check_at(c, CHECK_EXTRAS, tcb->extra) : NULL;
        uint32_t patience_ms = extra ? extra->user_timeout_ms : 0;
        at_ms = sooner(c, at_ms, active->rto_at_ms);
        at_ms = sooner(c, at_ms, active->delack_at_ms);
        at_ms = sooner(c, at_ms, active->pace_at_ms);
        if (patience_ms != 0 && active->unacked_since_ms != 0 && tcb->state != HF_TIME_WAIT) {
            uint32_t over_ms = ms_after(active->unacked_since_ms, patience_ms);
            uint32_t call_ms = c->st.tcp.now_ms; /* of the newest: set too late, it ends at once */
            at_ms = sooner(c, at_ms, ms_due(over_ms, call_ms) ? ms_after(call_ms, 0) : over_ms);
        }
    }
    return at_ms;
}

/* An entry may fire early, for nothing, but never late; what was due when it was filed is due in
 * the next tick. */
static bool check_deadline(struct check *c, uint32_t idx, const struct tcb *tcb)
{
    uint32_t now_ms = c->b->wheel.now_ms, at_ms = deadline(c, tcb);
    bool filed = tcb->wheel.prev != 0;
    c->wanting += filed;
    if (at_ms == 0) {
        return true;
    }
    uint32_t latest_ms = (int32_t)(at_ms - now_ms) > 0 ? at_ms : now_ms + 1;
    return check_that(c, filed && (int32_t)(tcb->wheel.at_ms - latest_ms) <= 0, HF_INVARIANT_TIMER,
                      CHECK_TCBS, idx);
}

/* Something will happen, whatever the peer does: nothing outstanding waits for ever. */
static bool check_timeless(const struct check *c, uint32_t idx, const struct tcb *tcb)
{
    const struct active *active = tcb->active ? check_at(c, CHECK_ACTIVES, tcb->active) : NULL;
    bool goes = tcb->owes != 0 && !(tcb->flags & F_BLOCKED);
    bool runs = goes || (active && (active->rto_at_ms || active->pace_at_ms));
    bool fin_waits = (tcb->flags & (F_CLOSE | F_FIN_SENT)) == F_CLOSE;
    bool waits_for_time = tcb->state == HF_LISTEN || tcb->state == HF_TIME_WAIT ||
                          (tcb->state == HF_FIN_WAIT_2 && (tcb->flags & F_RELEASED));
    bool alive = tcb->state != HF_CLOSED && !waits_for_time;
    bool deferred = active && (active->fast & FAST_DEFER); /* our SYN waits for text */
    bool outstanding = alive && (fin_waits || !seq_eq(tcb->snd.una, tcb->snd.nxt) ||
                                 (active && active->sq_bytes != 0));
    bool sound = (!waits_for_time || tcb->long_at_ms != 0) && (!outstanding || runs || deferred);
    return check_that(c, sound, HF_INVARIANT_TIMELESS, CHECK_TCBS, idx);
}

/* Full records --------------------------------------------------------------------------------- */

static bool check_extra(struct check *c, uint32_t idx)
{
    if (idx == 0) {
        return true;
    }
    if (!check_claim(c, CHECK_EXTRAS, idx)) {
        return false;
    }
    const struct extra *extra = check_at(c, CHECK_EXTRAS, idx);
    return extra->ecn == 0 || check_claim(c, CHECK_ECNS, extra->ecn);
}

/* Which lists its flags name: counted here, compared with the lists' lengths. */
static bool check_membership(struct check *c, uint32_t idx, const struct tcb *tcb)
{
    bool listed = tcb->owes & OWES_LISTED;
    bool queued = tcb->flags & F_UNACCEPTED;
    bool telling = tcb->events != 0 && !queued;
    c->owing += listed;
    c->telling += telling;
    c->queued += queued;
    bool fits = (tcb->owes == 0 || listed) && (listed || !(tcb->flags & F_BLOCKED)) &&
                (!queued || check_known(c, CHECK_LISTENERS, tcb->listener)) &&
                (listed || (tcb->owes_link.next == 0 && tcb->owes_link.prev == 0)) &&
                (telling || queued || (tcb->event_link.next == 0 && tcb->event_link.prev == 0));
    return check_that(c, fits, HF_INVARIANT_MEMBER, CHECK_TCBS, idx);
}

/* Released ones count as orphans until they are in TIME-WAIT, and so does their text. */
static bool check_orphan(struct check *c, uint32_t idx, const struct tcb *tcb)
{
    bool is = tcb->flags & F_ORPHAN;
    bool is_one = (tcb->flags & F_RELEASED) && tcb->state != HF_TIME_WAIT;
    c->orphans += is;
    if (is && tcb->active) {
        const struct active *active = check_at(c, CHECK_ACTIVES, tcb->active);
        c->orphan_bytes += active->sq_bytes;
    }
    return check_equal(c, is, is_one, HF_INVARIANT_MEMBER, CHECK_TCBS, idx);
}

static bool check_tcb(struct check *c, uint32_t idx, const struct tcb *tcb)
{
    uint32_t stats = tally_at(&c->st.tcp, idx)->stats;
    c->open += tcb->state != HF_CLOSED;
    return check_claim(c, CHECK_TCBS, idx) && check_state(c, idx, tcb) &&
           check_id(c, &tcb->id, tcb->zone, tcb->flags & F_V6, tcb->state != HF_CLOSED, CHECK_TCBS,
                    idx) &&
           check_extra(c, tcb->extra) && (stats == 0 || check_claim(c, CHECK_STATS, stats)) &&
           check_active(c, idx, tcb) && check_membership(c, idx, tcb) &&
           check_deadline(c, idx, tcb) && check_timeless(c, idx, tcb) && check_orphan(c, idx, tcb);
}

/* A record is free exactly when it is CLOSED and nobody has its handle. */
static bool check_tcbs(struct check *c)
{
    for (uint32_t idx = 1; idx <= c->b->tcbs.top; idx++) {
        const struct tcb *tcb = check_at(c, CHECK_TCBS, idx);
        bool in_free_list = check_marked(c, CHECK_TCBS, idx);
        bool is_free = tcb->state == HF_CLOSED && (tcb->flags & F_RELEASED);
        if (!check_equal(c, is_free, in_free_list, HF_INVARIANT_POOL, CHECK_TCBS, idx) ||
            (!is_free && !check_tcb(c, idx, tcb))) {
            return false;
        }
    }
    return true;
}

/* Small records -------------------------------------------------------------------------------- */

static bool in_order(uint32_t before_ms, uint32_t at_ms, bool first)
{
    return at_ms != 0 && (first || (int32_t)(at_ms - before_ms) >= 0);
}

static bool check_half_open(struct check *c, uint32_t idx, uint32_t retries)
{
    const struct half_open *half = check_at(c, CHECK_HALVES, idx);
    if (!check_claim(c, CHECK_HALVES, idx) ||
        !check_equal(c, half->retries, retries, HF_INVARIANT_MEMBER, CHECK_HALVES, idx) ||
        !check_that(c, check_known(c, CHECK_LISTENERS, half->listener), HF_INVARIANT_LISTENER,
                    CHECK_HALVES, idx)) {
        return false;
    }
    const struct listener *listener = check_at(c, CHECK_LISTENERS, half->listener);
    bool of_its_port =
        half->id.lport >= listener->port_first && half->id.lport <= listener->port_last;
    c->half_open += of_its_port && (uint8_t)listener->generation == half->listener_generation;
    return check_id(c, &half->id, half->zone, half->flags & HALF_V6, true, CHECK_HALVES, idx);
}

static bool check_half_opens(struct check *c)
{
    for (uint32_t i = 0; i < HALF_LISTS; i++) {
        uint32_t n, before_ms = 0;
        const struct idlist *list = &c->b->half_list[i];
        if (!check_list(c, list, CHECK_HALVES, offsetof(struct half_open, link), &n)) {
            return false;
        }
        for (uint32_t idx = list->head; idx != 0;) {
            const struct half_open *half = check_at(c, CHECK_HALVES, idx);
            if (!check_half_open(c, idx, i) ||
                !check_that(c, in_order(before_ms, half->at_ms, idx == list->head),
                            HF_INVARIANT_ORDER, CHECK_HALVES, idx)) {
                return false;
            }
            before_ms = half->at_ms;
            idx = half->link.next;
        }
    }
    return true;
}

static bool check_waiting(struct check *c)
{
    uint32_t n, before_ms = 0;
    const struct idlist *list = &c->b->waiting;
    if (!check_list(c, list, CHECK_WAITS, offsetof(struct time_wait, link), &n)) {
        return false;
    }
    for (uint32_t idx = list->head; idx != 0;) {
        const struct time_wait *wait = check_at(c, CHECK_WAITS, idx);
        if (!check_claim(c, CHECK_WAITS, idx) ||
            !check_id(c, &wait->id, wait->zone, wait->flags & HALF_V6, true, CHECK_WAITS, idx) ||
            !check_that(c, in_order(before_ms, wait->at_ms, idx == list->head), HF_INVARIANT_ORDER,
                        CHECK_WAITS, idx)) {
            return false;
        }
        before_ms = wait->at_ms;
        idx = wait->link.next;
    }
    return true;
}

/* Lists ---------------------------------------------------------------------------------------- */

/* Those of a list that owe, and wait for a neighbour or do not. */
static bool check_owing(const struct check *c, const struct idlist *list, bool blocked, uint32_t *n)
{
    if (!check_list(c, list, CHECK_TCBS, offsetof(struct tcb, owes_link), n)) {
        return false;
    }
    for (uint32_t idx = list->head; idx != 0;) {
        const struct tcb *tcb = check_at(c, CHECK_TCBS, idx);
        bool fits = (tcb->owes & OWES_LISTED) && blocked == ((tcb->flags & F_BLOCKED) != 0);
        if (!check_that(c, fits, HF_INVARIANT_MEMBER, CHECK_TCBS, idx)) {
            return false;
        }
        idx = tcb->owes_link.next;
    }
    return true;
}

/* Those with something to tell. */
static bool tells(const struct tcb *tcb)
{
    return tcb->events & (uint16_t)~EVENT_WAITS;
}

/* Those with something to tell (STARVED_LISTS), or with nothing but the wish for certain memory. */
static bool check_telling(const struct check *c, const struct idlist *list, uint32_t which,
                          uint32_t *telling)
{
    uint32_t n;
    if (!check_list(c, list, CHECK_TCBS, offsetof(struct tcb, event_link), &n)) {
        return false;
    }
    *telling += n;
    for (uint32_t idx = list->head; idx != 0;) {
        const struct tcb *tcb = check_at(c, CHECK_TCBS, idx);
        uint32_t right = tells(tcb) ? (uint32_t)STARVED_LISTS : starved_list(tcb->events);
        bool no_record = (tcb->events & EVENT_WAITS) && tcb->active == 0;
        bool fits = tcb->events != 0 && right == which && !(tcb->flags & F_UNACCEPTED) &&
                    no_record == ((tcb->events & EVENT_RECORD) != 0);
        if (!check_that(c, fits, HF_INVARIANT_MEMBER, CHECK_TCBS, idx)) {
            return false;
        }
        idx = tcb->event_link.next;
    }
    return true;
}

static bool check_lists(const struct check *c)
{
    uint32_t owing, blocked, telling = 0;
    bool whole = check_telling(c, &c->b->ready, STARVED_LISTS, &telling);
    for (uint32_t i = 0; i < STARVED_LISTS; i++) {
        whole = whole && check_telling(c, &c->b->starved[i], i, &telling);
    }
    return whole && check_owing(c, &c->b->owes, false, &owing) &&
           check_owing(c, &c->b->blocked, true, &blocked) &&
           check_equal(c, owing + blocked, c->owing, HF_INVARIANT_MEMBER, CHECK_STACK, 0) &&
           check_equal(c, telling, c->telling, HF_INVARIANT_MEMBER, CHECK_STACK, 0) &&
           check_equal(c, c->in_queues, c->queued, HF_INVARIANT_MEMBER, CHECK_STACK, 0);
}

/* None that is no more holds a place in a backlog.  Fewer may be counted than there are: one of a
 * listener closed 256 listeners ago is taken for one of this one. */
static bool check_counted_half(const struct check *c)
{
    int64_t there = (int64_t)c->half_open + c->asked;
    return (int64_t)c->counted_half <= there ||
           check_flaw(c, HF_INVARIANT_LISTENER, CHECK_STACK, 0, (int64_t)c->counted_half, there);
}

/* What networks have of the backlogs is all that is half-open. */
static bool check_prefixes(const struct check *c)
{
    const uint32_t *counts = stack_at(&c->st, c->b->prefix_offset);
    uint64_t sum = 0;
    for (uint32_t i = 0; i <= c->b->prefix_mask; i++) {
        sum += counts[i];
    }
    return check_equal(c, (int64_t)sum, c->b->halves.used, HF_INVARIANT_LISTENER, CHECK_STACK, 0);
}

bool check_connections(struct check *c)
{
    const struct tcp_block *b = c->b;
    struct links wheel = pool_links(&b->tcbs, c->st.tcp.block, offsetof(struct tcb, wheel));
    uint32_t flows = b->tcbs.max + b->halves.max + b->waits.max;
    return check_that(c, b->flows.max_entries == flows && flowtab_sound(&b->flows, c->s),
                      HF_INVARIANT_FLOW, CHECK_STACK, 0) &&
           check_that(c, wheel_sound(&b->wheel, &wheel, b->tcbs.top), HF_INVARIANT_WHEEL,
                      CHECK_STACK, 0) &&
           check_tcbs(c) && check_half_opens(c) && check_waiting(c) &&
           check_equal(c, b->flows.count, (int64_t)c->open + b->halves.used + b->waits.used,
                       HF_INVARIANT_FLOW, CHECK_STACK, 0) &&
           check_equal(c, b->wheel.armed, c->wanting, HF_INVARIANT_WHEEL, CHECK_STACK, 0) &&
           check_equal(c, b->singles, c->singles, HF_INVARIANT_IN_FLIGHT, CHECK_STACK, 0) &&
           check_equal(c, b->senders, c->senders, HF_INVARIANT_IN_FLIGHT, CHECK_STACK, 0) &&
           check_equal(c, b->orphans, (int64_t)c->orphans, HF_INVARIANT_MEMBER, CHECK_STACK, 0) &&
           check_equal(c, (int64_t)b->orphan_bytes, (int64_t)c->orphan_bytes, HF_INVARIANT_MEMBER,
                       CHECK_STACK, 0) &&
           check_prefixes(c) && check_counted_half(c) && check_lists(c);
}
