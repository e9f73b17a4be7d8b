/* check_active.c - hf_check: what hangs on a connection while text is in flight or unread. */
#include "stack/check.h"
#include "tcp/recovery.h"

/* Where the text in the send queue begins: behind our SYN. */
static seq_t text_start(const struct check *c, const struct tcb *tcb)
{
    return tcp_syn_is_out(&c->st.tcp, tcb) ? seq_add(tcb->iss, 1) : tcb->snd.una;
}

/* Octets of text between there and SND.NXT; none before there are numbers, and in the end. */
static uint32_t text_out(const struct check *c, const struct tcb *tcb)
{
    if (tcb->state == HF_CLOSED || tcb->state == HF_LISTEN) {
        return 0;
    }
    bool fin_out = (tcb->flags & (F_FIN_SENT | F_FIN_ACKED)) == F_FIN_SENT;
    return seq_len(text_start(c, tcb), tcb->snd.nxt) - (fin_out ? 1 : 0);
}

static const struct chunk *chunk_of(const struct check *c, uint32_t chunk)
{
    enum check_kind kind;
    uint32_t local;
    return check_chunk(c, chunk, &kind, &local) ? check_at(c, kind, local) : NULL;
}

/* Queues --------------------------------------------------------------------------------------- */

/* A chain of which `skip` octets of the first chunk are done with holds so many octets. */
static bool check_queue(struct check *c, uint32_t head, uint32_t tail, uint32_t skip,
                        uint32_t bytes, uint32_t idx)
{
    uint64_t octets, cost;
    if (!check_chain(c, head, &tail, &octets, &cost, CHECK_ACTIVES, idx)) {
        return false;
    }
    bool within = head == 0 ? skip == 0 : skip <= chunk_of(c, head)->len;
    return check_that(c, within, HF_INVARIANT_CHAIN, CHECK_ACTIVES, idx) &&
           check_equal(c, bytes, (int64_t)octets - skip, HF_INVARIANT_CHAIN, CHECK_ACTIVES, idx);
}

/* The cursor at SND.NXT stands behind what has gone. */
static bool check_cursor(const struct check *c, uint32_t idx, const struct tcb *tcb,
                         const struct active *active)
{
    const struct cursor *cursor = &active->send;
    if (cursor->chunk == 0 || tcb->state == HF_CLOSED) {
        return true;
    }
    uint64_t before = 0;
    uint32_t at = active->sq_head;
    while (at != 0 && at != cursor->chunk) {
        const struct chunk *chunk = chunk_of(c, at);
        before += chunk->len;
        at = chunk->next;
    }
    if (at == 0 || cursor->skip > chunk_of(c, at)->len || !seq_eq(cursor->at, tcb->snd.nxt)) {
        return check_flaw(c, HF_INVARIANT_CURSOR, CHECK_ACTIVES, idx, cursor->skip, 0);
    }
    return check_equal(c, (int64_t)(before + cursor->skip),
                       (int64_t)active->sq_skip + text_out(c, tcb), HF_INVARIANT_CURSOR,
                       CHECK_ACTIVES, idx);
}

static bool check_queues(struct check *c, uint32_t idx, const struct tcb *tcb,
                         const struct active *active)
{
    return check_queue(c, active->sq_head, active->sq_tail, active->sq_skip, active->sq_bytes,
                       idx) &&
           check_that(c, text_out(c, tcb) <= active->sq_bytes, HF_INVARIANT_SEND, CHECK_ACTIVES,
                      idx) &&
           check_cursor(c, idx, tcb, active) &&
           check_queue(c, active->rq_head, active->rq_tail, active->rq_skip, active->rq_bytes, idx);
}

/* Ahead of a gap ------------------------------------------------------------------------------- */

struct held {
    seq_t behind; /* the number that the next range must lie behind */
    uint32_t n;
    uint64_t bytes, cost;
};

static bool check_range(struct check *c, const struct tcb *tcb, uint32_t idx, struct held *held)
{
    if (!check_claim(c, CHECK_RANGES, idx)) {
        return false;
    }
    const struct range *range = check_at(c, CHECK_RANGES, idx);
    uint64_t octets, cost;
    seq_t edge = seq_add(tcb->rcv.nxt, tcb->rcv.wnd);
    bool apart = seq_gt(range->left, held->behind) && seq_lt(range->left, range->right) &&
                 seq_leq(range->right, edge);
    held->behind = range->right;
    held->n++;
    held->bytes += seq_len(range->left, range->right);
    held->cost += range->cost;
    return check_that(c, apart, HF_INVARIANT_HELD, CHECK_RANGES, idx) &&
           check_chain(c, range->head, &range->tail, &octets, &cost, CHECK_RANGES, idx) &&
           check_equal(c, (int64_t)octets, seq_len(range->left, range->right), HF_INVARIANT_CHAIN,
                       CHECK_RANGES, idx) &&
           check_equal(c, range->cost, (int64_t)cost, HF_INVARIANT_CHAIN, CHECK_RANGES, idx);
}

/* Of records of a kind: where their branches and their number lie. */
struct tree {
    enum check_kind kind;
    uint32_t branches, left;
};

static seq_t number_at(const uint8_t *record, const struct tree *tree)
{
    seq_t left;
    memcpy(&left, record + tree->left, sizeof left);
    return left;
}

/* A tree of at most n leads to this one, in no more steps than there are. */
static bool leads_to(const struct check *c, const struct tree *tree, uint32_t root, uint32_t n,
                     uint32_t idx)
{
    seq_t wanted = number_at(check_at(c, tree->kind, idx), tree);
    uint32_t at = root;
    for (uint32_t steps = 1; at != idx && steps < n && check_known(c, tree->kind, at); steps++) {
        const uint8_t *record = check_at(c, tree->kind, at);
        struct seq_branches to;
        memcpy(&to, record + tree->branches, sizeof to);
        at = seq_lt(wanted, number_at(record, tree)) ? to.lower : to.higher;
    }
    return at == idx;
}

static bool check_held_tree(const struct check *c, const struct active *active)
{
    static const struct tree tree = {CHECK_RANGES, offsetof(struct range, all),
                                     offsetof(struct range, left)};
    for (uint32_t idx = active->ooo; idx != 0;) {
        bool led = leads_to(c, &tree, active->ooo_root, active->ooo_n, idx);
        if (!check_that(c, led, HF_INVARIANT_HELD, CHECK_RANGES, idx)) {
            return false;
        }
        idx = ((const struct range *)check_at(c, CHECK_RANGES, idx))->next;
    }
    return true;
}

static bool check_held(struct check *c, uint32_t idx, const struct tcb *tcb,
                       const struct active *active)
{
    struct held held = {.behind = tcb->rcv.nxt};
    for (uint32_t at = active->ooo; at != 0;) {
        if (!check_range(c, tcb, at, &held)) {
            return false;
        }
        at = ((const struct range *)check_at(c, CHECK_RANGES, at))->next;
    }
    bool fin_fits = !active->fin_held ||
                    (seq_geq(active->fin_seq, held.behind) && !(tcb->flags & F_FIN_RECEIVED));
    return check_equal(c, active->ooo_n, held.n, HF_INVARIANT_HELD, CHECK_ACTIVES, idx) &&
           check_held_tree(c, active) &&
           check_equal(c, active->ooo_bytes, (int64_t)held.bytes, HF_INVARIANT_HELD, CHECK_ACTIVES,
                       idx) &&
           check_equal(c, active->ooo_cost, (int64_t)held.cost, HF_INVARIANT_HELD, CHECK_ACTIVES,
                       idx) &&
           check_that(c, fin_fits && active->n_recent <= SACK_RECENT, HF_INVARIANT_HELD,
                      CHECK_ACTIVES, idx);
}

/* Transmissions -------------------------------------------------------------------------------- */

/* What the records of a connection come to. */
struct flight {
    struct sent_sum sum[SENT_SUMS];
    seq_t right; /* of the last one */
    uint32_t last;
    uint32_t n, timed, lost, stretches;
    bool sacked; /* the last one is */
};

static void sum_up(const struct tcb *tcb, const struct sent *sent, struct flight *flight)
{
    static const uint8_t counted[SENT_SUMS] = {
        [SUM_SACKED] = SENT_SACKED, [SUM_LOST] = SENT_LOST, [SUM_AGAIN] = SENT_AGAIN};
    for (unsigned i = 0; i < SENT_SUMS; i++) {
        if (i == SUM_OUT || (sent->flags & counted[i])) {
            flight->sum[i].bytes += seq_len(sent->left, sent->right);
            flight->sum[i].segs += tcp_sent_segments(tcb, sent, sent->right);
        }
    }
}

static bool check_transmission(struct check *c, const struct tcb *tcb, uint32_t idx,
                               struct flight *flight)
{
    if (!check_claim(c, CHECK_SENTS, idx)) {
        return false;
    }
    const struct sent *sent = check_at(c, CHECK_SENTS, idx);
    bool sacked = sent->flags & SENT_SACKED;
    bool follows = seq_eq(sent->left, flight->right) && seq_lt(sent->left, sent->right) &&
                   sent->mss != 0 && sent->prev == flight->last &&
                   (!sacked || !(sent->flags & (SENT_LOST | SENT_AGAIN)));
    if (!check_that(c, follows, HF_INVARIANT_SENT, CHECK_SENTS, idx)) {
        return false;
    }
    sum_up(tcb, sent, flight);
    flight->lost += tcp_sent_waits(sent);
    flight->stretches += sacked && !flight->sacked;
    flight->sacked = sacked;
    flight->timed += tcp_sent_flies(sent);
    flight->n++;
    flight->right = sent->right;
    flight->last = idx;
    return true;
}

/* The tree of the records, and that of those to be sent again, lead to each of them. */
static bool check_trees(const struct check *c, const struct active *active, uint32_t n,
                        uint32_t n_lost)
{
    static const struct tree all = {CHECK_SENTS, offsetof(struct sent, all),
                                    offsetof(struct sent, left)};
    static const struct tree lost = {CHECK_SENTS, offsetof(struct sent, lost),
                                     offsetof(struct sent, left)};
    for (uint32_t idx = active->sent_first; idx != 0;) {
        const struct sent *sent = check_at(c, CHECK_SENTS, idx);
        bool led = leads_to(c, &all, active->sent_root, n, idx) &&
                   (!tcp_sent_waits(sent) || leads_to(c, &lost, active->sent_lost, n_lost, idx));
        if (!check_that(c, led, HF_INVARIANT_SENT, CHECK_SENTS, idx)) {
            return false;
        }
        idx = sent->next;
    }
    return true;
}

/* Linked by time: as many as are in flight, each of them. */
static bool check_times(const struct check *c, uint32_t owner, const struct active *active,
                        uint32_t timed)
{
    uint32_t before = 0, n = 0;
    for (uint32_t idx = active->sent_oldest; idx != 0;) {
        if (!check_known(c, CHECK_SENTS, idx) || n == timed) {
            return check_flaw(c, HF_INVARIANT_SENT_TIME, CHECK_ACTIVES, owner, idx, 0);
        }
        const struct sent *sent = check_at(c, CHECK_SENTS, idx);
        if (!check_that(c, sent->older == before && tcp_sent_flies(sent), HF_INVARIANT_SENT_TIME,
                        CHECK_SENTS, idx)) {
            return false;
        }
        n++;
        before = idx;
        idx = sent->newer;
    }
    return check_equal(c, n, timed, HF_INVARIANT_SENT_TIME, CHECK_ACTIVES, owner) &&
           check_equal(c, active->sent_newest, before, HF_INVARIANT_SENT_TIME, CHECK_ACTIVES,
                       owner);
}

static bool check_sums(const struct check *c, uint32_t idx, const struct active *active,
                       const struct flight *flight)
{
    for (unsigned i = 0; i < SENT_SUMS; i++) {
        if (!check_equal(c, active->sum[i].bytes, flight->sum[i].bytes, HF_INVARIANT_IN_FLIGHT,
                         CHECK_ACTIVES, idx) ||
            !check_equal(c, active->sum[i].segs, flight->sum[i].segs, HF_INVARIANT_IN_FLIGHT,
                         CHECK_ACTIVES, idx)) {
            return false;
        }
    }
    return check_equal(c, active->sacked_n, flight->stretches, HF_INVARIANT_IN_FLIGHT,
                       CHECK_ACTIVES, idx);
}

static bool check_sent(struct check *c, uint32_t idx, const struct tcb *tcb,
                       const struct active *active)
{
    struct flight flight = {.right = text_start(c, tcb)};
    for (uint32_t at = active->sent_first; at != 0;) {
        if (!check_transmission(c, tcb, at, &flight)) {
            return false;
        }
        at = ((const struct sent *)check_at(c, CHECK_SENTS, at))->next;
    }
    c->senders += flight.n != 0;
    c->singles += flight.n == 1;
    bool whole = tcb->state <= HF_LISTEN || seq_eq(flight.right, tcb->snd.nxt);
    bool marks = (active->sent_lost == 0) == (flight.lost == 0) && active->sent_last == flight.last;
    return check_that(c, whole && marks, HF_INVARIANT_SENT, CHECK_ACTIVES, idx) &&
           check_equal(c, active->sent_n, flight.n, HF_INVARIANT_SENT, CHECK_ACTIVES, idx) &&
           check_trees(c, active, flight.n, flight.lost) &&
           check_times(c, idx, active, flight.timed) && check_sums(c, idx, active, &flight);
}

bool check_active(struct check *c, uint32_t idx, const struct tcb *tcb)
{
    uint32_t number = tcb->active;
    if (tcb->rcv.wnd > 65535u << 14) {
        return check_flaw(c, HF_INVARIANT_RECEIVE, CHECK_TCBS, idx, tcb->rcv.wnd, 65535u << 14);
    }
    if (number == 0) {
        return check_that(c, text_out(c, tcb) == 0, HF_INVARIANT_SENT, CHECK_TCBS, idx);
    }
    if (!check_claim(c, CHECK_ACTIVES, number)) {
        return false;
    }
    const struct active *active = check_at(c, CHECK_ACTIVES, number);
    return check_that(c, active->timer <= TIMER_SYN && active->recovery <= RECOVERY_RTO,
                      HF_INVARIANT_STATE, CHECK_ACTIVES, number) &&
           check_queues(c, number, tcb, active) && check_held(c, number, tcb, active) &&
           check_sent(c, number, tcb, active);
}
