/* sent.c - RFC 8985 section 5.2: what is known of each transmission that is not acknowledged yet.
 *
 *     SND.UNA [ held ][ lost ][ again ][ held ][ in flight ][ in flight ] SND.NXT    by number
 *                                [ again ]        [ in flight ][ in flight ]          by time
 *
 * Frames that leave at one time share a record, and neighbours become one when their state is the
 * same: SACKed and lost ones, whose time counts no more, whatever their age.  A record is cut where
 * a SACK block or a repeat takes a part of it, always between two of its segments: a block that
 * covers a segment in part says nothing of it.
 *
 * The pool holds one record for each connection that may send, two where it can; the rest is first
 * come, first served.  Who gets none goes on with coarser records: they say that less has arrived
 * than has, or that more was sent again than was.  Both only make what is lost be found later.
 */
#include "tcp/recovery.h"

enum { STRETCHES_MAX = 1024, TIMES_MAX = 255 }; /* what would be one more counts as not SACKed */

static bool covers_fin(const struct tcb *tcb, const struct sent *sent)
{
    return (tcb->flags & F_FIN_SENT) && seq_eq(sent->right, tcb->snd.nxt);
}

static uint32_t bytes_of(const struct sent *sent)
{
    return seq_len(sent->left, sent->right);
}

uint32_t tcp_sent_segments(const struct tcb *tcb, const struct sent *sent, seq_t right)
{
    uint32_t text = seq_len(sent->left, right);
    HF_ASSERT(sent->mss != 0);
    text -= text > 1 && seq_eq(right, sent->right) && covers_fin(tcb, sent) ? 1 : 0;
    return (text + sent->mss - 1) / sent->mss;
}

static bool is_sacked(const struct tcp *tcp, uint32_t idx)
{
    return idx != 0 && (sent_at(tcp, idx)->flags & SENT_SACKED);
}

static void add(struct sent_sum *sum, uint32_t bytes, uint32_t segs)
{
    sum->bytes += bytes;
    sum->segs += segs;
}

/* sign: 1, or its opposite modulo 2^32. */
static void count_as(const struct tcb *tcb, struct sent_sum *sums, const struct sent *sent,
                     uint32_t sign)
{
    HF_ASSERT(sums != NULL);
    uint32_t bytes = sign * bytes_of(sent);
    uint32_t segs = sign * tcp_sent_segments(tcb, sent, sent->right);
    add(&sums[SUM_OUT], bytes, segs);
    if (sent->flags & SENT_SACKED) {
        add(&sums[SUM_SACKED], bytes, segs);
    }
    if (sent->flags & SENT_LOST) {
        add(&sums[SUM_LOST], bytes, segs);
    }
    if (sent->flags & SENT_AGAIN) {
        add(&sums[SUM_AGAIN], bytes, segs);
    }
}

static void count(const struct tcb *tcb, struct active *active, const struct sent *sent)
{
    count_as(tcb, active->sum, sent, 1);
}

static void uncount(const struct tcb *tcb, struct active *active, const struct sent *sent)
{
    count_as(tcb, active->sum, sent, UINT32_MAX);
}

/* Links ---------------------------------------------------------------------------------------- */

static void time_insert(struct tcp *tcp, struct active *active, uint32_t idx, uint32_t older)
{
    struct sent *sent = sent_at(tcp, idx);
    uint32_t newer = older ? sent_at(tcp, older)->newer : active->sent_oldest;
    sent->older = older;
    sent->newer = newer;
    *(older ? &sent_at(tcp, older)->newer : &active->sent_oldest) = idx;
    *(newer ? &sent_at(tcp, newer)->older : &active->sent_newest) = idx;
}

static void time_remove(struct tcp *tcp, struct active *active, uint32_t idx)
{
    const struct sent *sent = sent_at(tcp, idx);
    *(sent->older ? &sent_at(tcp, sent->older)->newer : &active->sent_oldest) = sent->newer;
    *(sent->newer ? &sent_at(tcp, sent->newer)->older : &active->sent_newest) = sent->older;
}

/* Where its flags say that it belongs; among those in flight behind `older`. */
static void enter(struct tcp *tcp, struct active *active, uint32_t idx, uint32_t older)
{
    if (tcp_sent_flies(sent_at(tcp, idx))) {
        time_insert(tcp, active, idx, older);
    } else if (tcp_sent_waits(sent_at(tcp, idx))) {
        tcp_sent_lost_add(tcp, active, idx);
    }
}

/* Before they change. */
static void leave(struct tcp *tcp, struct active *active, uint32_t idx)
{
    if (tcp_sent_flies(sent_at(tcp, idx))) {
        time_remove(tcp, active, idx);
    } else if (tcp_sent_waits(sent_at(tcp, idx))) {
        tcp_sent_lost_remove(tcp, active, idx);
    }
}

static void seq_insert(struct tcp *tcp, struct active *active, uint32_t idx, uint32_t prev)
{
    struct sent *sent = sent_at(tcp, idx);
    uint32_t next = prev ? sent_at(tcp, prev)->next : active->sent_first;
    sent->prev = prev;
    sent->next = next;
    *(prev ? &sent_at(tcp, prev)->next : &active->sent_first) = idx;
    *(next ? &sent_at(tcp, next)->prev : &active->sent_last) = idx;
    active->sent_n++;
    tcp_sent_tree_add(tcp, active, idx);
}

/* A record for this connection, 0: none is left beside those that others may still need: one each,
 * and where there are enough a second, so that what was sent again can be told from what was not.
 */
static uint32_t take(struct tcp *tcp, const struct active *active)
{
    struct tcp_block *b = tcp->b;
    uint32_t promised = b->actives.max - b->senders;
    if (b->sents.max / 2 >= b->actives.max && active->sent_first != active->sent_last) {
        promised = 2 * promised + b->singles;
    }
    uint32_t idx;
    if (active->sent_first == 0) {
        idx = pool_alloc_promised(&b->sents, tcp->block);
        HF_ASSERT(idx != 0);
        b->senders++;
        b->singles++;
        return idx;
    }
    bool any = b->sents.max - b->sents.used > promised;
    idx = any ? pool_alloc(&b->sents, tcp->block) : 0;
    b->singles -= idx && active->sent_first == active->sent_last ? 1 : 0;
    b->sents_short += idx == 0 ? 1 : 0;
    return idx;
}

/* Out of all lists, and freed; it is counted no more. */
static void forget(struct tcp *tcp, struct active *active, uint32_t idx)
{
    const struct sent *sent = sent_at(tcp, idx);
    bool last = active->sent_first == active->sent_last;
    leave(tcp, active, idx);
    tcp_sent_tree_remove(tcp, active, idx);
    *(sent->prev ? &sent_at(tcp, sent->prev)->next : &active->sent_first) = sent->next;
    *(sent->next ? &sent_at(tcp, sent->next)->prev : &active->sent_last) = sent->prev;
    active->sent_n--;
    pool_free(&tcp->b->sents, tcp->block, idx);
    tcp->b->senders -= last ? 1 : 0;
    tcp->b->singles += (active->sent_first == active->sent_last ? 1 : 0) - (last ? 2 : 0);
}

/* Cuts at a number within the record; returns the record of what lies behind, 0: none is left. */
static uint32_t cut(struct tcp *tcp, const struct tcb *tcb, struct active *active, uint32_t idx,
                    seq_t at)
{
    uint32_t behind = take(tcp, active);
    if (behind == 0) {
        return 0;
    }
    struct sent *sent = sent_at(tcp, idx);
    struct sent *rest = sent_at(tcp, behind);
    uncount(tcb, active, sent);
    *rest = *sent;
    rest->left = sent->right = at;
    count(tcb, active, sent);
    count(tcb, active, rest);
    seq_insert(tcp, active, behind, idx);
    enter(tcp, active, behind, idx);
    return behind;
}

static bool alike(const struct sent *a, const struct sent *b)
{
    return a->flags == b->flags && a->mss == b->mss && bytes_of(a) % a->mss == 0 &&
           (!tcp_sent_flies(a) || a->sent_us == b->sent_us);
}

/* Makes one record of idx and the next when nothing tells them apart. */
static void join_next(struct tcp *tcp, const struct tcb *tcb, struct active *active, uint32_t idx)
{
    struct sent *sent = sent_at(tcp, idx);
    uint32_t gone = sent->next;
    if (gone == 0 || !alike(sent, sent_at(tcp, gone)) ||
        (bytes_of(sent_at(tcp, gone)) == 1 && covers_fin(tcb, sent_at(tcp, gone)))) {
        return;
    }
    const struct sent *next = sent_at(tcp, gone);
    uncount(tcb, active, sent);
    uncount(tcb, active, next);
    sent->right = next->right;
    sent->sent_us = next->sent_us;
    sent->times = (uint8_t)max_u32(sent->times, next->times);
    forget(tcp, active, gone);
    count(tcb, active, sent);
}

static void join_around(struct tcp *tcp, const struct tcb *tcb, struct active *active, uint32_t idx)
{
    uint32_t prev = sent_at(tcp, idx)->prev;
    join_next(tcp, tcb, active, idx);
    if (prev) {
        join_next(tcp, tcb, active, prev);
    }
}

/* Sending -------------------------------------------------------------------------------------- */

/* Records are scarce: what left within a sixteenth of a round trip is one (RFC8985-3 wants better
 * than a quarter), as of its beginning. */
static bool near_in_time(struct tcp *tcp, const struct tcb *tcb, const struct sent *last)
{
    const struct pool *pool = &tcp->b->sents;
    return pool->used > pool->max / 4 * 3 && tcp_sent_flies(last) &&
           tcp->now_us - last->sent_us <= tally_of(tcp, tcb)->min_rtt_us / 16;
}

/* No record is left: the last one takes the octets in, as if all of it had left now. */
static void stretch_last(struct tcp *tcp, const struct tcb *tcb, struct active *active, seq_t right)
{
    uint32_t idx = active->sent_last;
    struct sent *last = sent_at(tcp, idx);
    uncount(tcb, active, last);
    leave(tcp, active, idx);
    bool ends = !is_sacked(tcp, last->prev);
    active->sacked_n -= (last->flags & SENT_SACKED) && ends ? 1 : 0;
    last->flags = SENT_TWICE | SENT_COUNTED;
    last->right = right;
    last->sent_us = tcp->now_us;
    count(tcb, active, last);
    time_insert(tcp, active, idx, active->sent_newest);
}

void tcp_sent_new(struct tcp *tcp, const struct tcb *tcb, seq_t left, uint32_t mss)
{
    struct active *active = active_of(tcp, tcb);
    seq_t right = tcb->snd.nxt;
    struct sent fresh = {.left = left,
                         .right = right,
                         .sent_us = tcp->now_us,
                         .mss = (uint16_t)min_u32(max_u32(mss, 1), UINT16_MAX)};
    uint32_t last = active->sent_last;
    bool fin_alone = (tcb->flags & F_FIN_SENT) && seq_len(left, right) == 1;
    if (last && near_in_time(tcp, tcb, sent_at(tcp, last))) {
        fresh.sent_us = sent_at(tcp, last)->sent_us;
    }
    if (last && alike(sent_at(tcp, last), &fresh) && !fin_alone) {
        struct sent *sent = sent_at(tcp, last);
        uncount(tcb, active, sent);
        sent->right = right;
        count(tcb, active, sent);
        return;
    }
    uint32_t idx = take(tcp, active);
    if (idx == 0) {
        stretch_last(tcp, tcb, active, right);
        return;
    }
    fresh.sent_us = tcp->now_us;
    *sent_at(tcp, idx) = fresh;
    seq_insert(tcp, active, idx, last);
    time_insert(tcp, active, idx, active->sent_newest);
    count(tcb, active, sent_at(tcp, idx));
}

/* All of a record goes again.  RFC8985-5, RFC8985-25 */
static void again(struct tcp *tcp, const struct tcb *tcb, struct active *active, uint32_t idx)
{
    struct sent *sent = sent_at(tcp, idx);
    leave(tcp, active, idx);
    uncount(tcb, active, sent);
    sent->flags |= SENT_AGAIN | SENT_TWICE;
    sent->sent_us = tcp->now_us;
    sent->times = (uint8_t)min_u32(sent->times + 1u, TIMES_MAX);
    count(tcb, active, sent);
    time_insert(tcp, active, idx, active->sent_newest);
    if (sent->prev) {
        join_next(tcp, tcb, active, sent->prev);
    }
}

/* No record is left to cut off what goes again: its octets become the end of the record before,
 * which has just gone again too.  True: done. */
static bool lengthen_previous(struct tcp *tcp, const struct tcb *tcb, struct active *active,
                              uint32_t idx, seq_t right)
{
    struct sent *sent = sent_at(tcp, idx);
    struct sent *prev = sent->prev ? sent_at(tcp, sent->prev) : NULL;
    if (prev == NULL || !(prev->flags & SENT_AGAIN) || prev->mss != sent->mss ||
        bytes_of(prev) % prev->mss != 0) {
        return false;
    }
    uncount(tcb, active, prev);
    uncount(tcb, active, sent);
    prev->right = sent->left = right;
    count(tcb, active, prev);
    count(tcb, active, sent);
    again(tcp, tcb, active, sent->prev);
    return true;
}

/* RFC6675-23.  Where no record is left to cut, all of one counts as on its way again. */
void tcp_sent_again(struct tcp *tcp, const struct tcb *tcb, seq_t left, uint32_t len)
{
    struct active *active = active_of(tcp, tcb);
    seq_t right = seq_add(left, len);
    uint32_t idx = tcp_sent_find(tcp, active, left);
    while (idx && seq_lt(sent_at(tcp, idx)->left, right)) {
        uint32_t next = sent_at(tcp, idx)->next;
        if (seq_gt(sent_at(tcp, idx)->right, left) && !is_sacked(tcp, idx)) {
            if (seq_lt(sent_at(tcp, idx)->left, left)) {
                uint32_t part = cut(tcp, tcb, active, idx, left);
                idx = part ? part : idx;
            }
            bool more = seq_gt(sent_at(tcp, idx)->right, right);
            bool coarse = more && cut(tcp, tcb, active, idx, right) == 0;
            if (coarse && lengthen_previous(tcp, tcb, active, idx, right)) {
                return;
            }
            struct sent *sent = sent_at(tcp, idx);
            sent->flags = (uint8_t)((sent->flags & ~SENT_COARSE) | (coarse ? SENT_COARSE : 0));
            again(tcp, tcb, active, idx);
        }
        idx = next;
    }
}

/* Arriving ------------------------------------------------------------------------------------- */

/* Octets of the record have arrived: what that tells of times. */
static void delivered(struct tcp *tcp, struct tcb *tcb, const struct sent *sent, seq_t right)
{
    struct ack_news *news = &tcp->news;
    struct active *active = active_of(tcp, tcb);
    if (!(sent->flags & SENT_COUNTED)) {
        news->delivered += seq_len(sent->left, right);
        news->segs += tcp_sent_segments(tcb, sent, right);
    }
    if (!(sent->flags & SENT_TWICE)) {
        uint32_t rtt_us = max_u32(tcp->now_us - sent->sent_us, 1);
        news->rtt_us = news->rtt_us ? min_u32(news->rtt_us, rtt_us) : rtt_us;
        news->original |= seq_leq(right, active->recover);
    }
    /* What the peer held before a timeout, and has not gone again since, has not arrived now. */
    bool old_news = (sent->flags & SENT_COUNTED) && tcp_sent_waits(sent);
    if (!old_news && tcp_rack_used(tcp, tcb)) {
        tcp_rack_delivered(tcp, tcb, sent, right);
    }
    active->rack_fack = seq_max(active->rack_fack, right);
}

static void set_lost(struct tcp *tcp, const struct tcb *tcb, struct active *active, uint32_t idx);

/* What was acknowledged is behind left; of a coarse record the rest has not gone again: if it was
 * lost, it still is. */
static void shorten(struct tcp *tcp, const struct tcb *tcb, struct active *active, uint32_t idx)
{
    struct sent *sent = sent_at(tcp, idx);
    sent->left = tcb->snd.una;
    count(tcb, active, sent);
    if ((sent->flags & (SENT_LOST | SENT_COARSE)) == (SENT_LOST | SENT_COARSE)) {
        set_lost(tcp, tcb, active, idx);
    }
}

void tcp_sent_acked(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    seq_t una = tcb->snd.una;
    uint32_t idx;
    while ((idx = active->sent_first) != 0 && seq_lt(sent_at(tcp, idx)->left, una)) {
        struct sent *sent = sent_at(tcp, idx);
        bool whole = seq_leq(sent->right, una);
        if (!(sent->flags & SENT_SACKED)) {
            tcp_note_age(tcp, sent, una);
            delivered(tcp, tcb, sent, seq_min(sent->right, una));
        }
        uncount(tcb, active, sent);
        if (whole) {
            bool ends = !is_sacked(tcp, sent->next);
            active->sacked_n -= (sent->flags & SENT_SACKED) && ends ? 1 : 0;
            forget(tcp, active, idx);
        } else {
            shorten(tcp, tcb, active, idx);
        }
    }
    active->lost_to = seq_max(active->lost_to, una);
    if (active->sent_first == 0) {
        active->rack_any = 0; /* of what leaves from now on nothing left before it */
    }
}

/* The part of left .. right that is whole segments of the record; false: none. */
static bool whole_segments(const struct tcb *tcb, const struct sent *sent, seq_t *left,
                           seq_t *right)
{
    seq_t end = covers_fin(tcb, sent) ? seq_sub(sent->right, 1) : sent->right;
    if (seq_leq(*left, sent->left)) {
        *left = sent->left;
    } else {
        uint32_t into = seq_len(sent->left, *left) + sent->mss - 1;
        *left = seq_add(sent->left, into - into % sent->mss);
    }
    if (seq_geq(*right, sent->right)) {
        *right = sent->right;
    } else if (!seq_eq(*right, end)) {
        uint32_t into = seq_lt(sent->left, *right) ? seq_len(sent->left, *right) : 0;
        *right = seq_add(sent->left, into - into % sent->mss);
    }
    return seq_lt(*left, *right);
}

/* Marks the part of a record that the block covers; returns the record to go on behind. */
static uint32_t sack_part(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t idx,
                          seq_t left, seq_t right)
{
    struct sent *sent = sent_at(tcp, idx);
    if ((sent->flags & SENT_SACKED) || !whole_segments(tcb, sent, &left, &right)) {
        return idx;
    }
    bool before = seq_eq(left, sent->left) && is_sacked(tcp, sent->prev);
    bool behind = seq_eq(right, sent->right) && is_sacked(tcp, sent->next);
    if (!before && !behind && active->sacked_n >= STRETCHES_MAX) {
        return idx;
    }
    if (seq_lt(sent->left, left)) {
        idx = cut(tcp, tcb, active, idx, left);
    }
    if (idx == 0 ||
        (seq_gt(sent_at(tcp, idx)->right, right) && cut(tcp, tcb, active, idx, right) == 0)) {
        return idx;
    }
    sent = sent_at(tcp, idx);
    delivered(tcp, tcb, sent, sent->right);
    tcp->news.sacked += bytes_of(sent);
    uncount(tcb, active, sent);
    leave(tcp, active, idx);
    sent->flags = SENT_SACKED;
    count(tcb, active, sent);
    active->sacked_n = (uint16_t)(active->sacked_n + (before ? 0 : 1) - (behind ? 1 : 0));
    uint32_t prev = before ? sent->prev : 0;
    join_around(tcp, tcb, active, idx);
    return before && sent_at(tcp, prev)->next != idx ? prev : idx;
}

void tcp_sent_sacked(struct tcp *tcp, struct tcb *tcb, seq_t left, seq_t right)
{
    struct active *active = active_of(tcp, tcb);
    uint32_t idx = tcp_sent_find(tcp, active, left);
    while (idx != 0 && seq_lt(sent_at(tcp, idx)->left, right)) {
        uint32_t done = sack_part(tcp, tcb, active, idx, left, right);
        idx = done ? sent_at(tcp, done)->next : 0;
    }
}

/* Losing --------------------------------------------------------------------------------------- */

static void set_lost(struct tcp *tcp, const struct tcb *tcb, struct active *active, uint32_t idx)
{
    struct sent *sent = sent_at(tcp, idx);
    leave(tcp, active, idx);
    uncount(tcb, active, sent);
    sent->flags = (uint8_t)((sent->flags & ~(SENT_AGAIN | SENT_COARSE)) | SENT_LOST);
    count(tcb, active, sent);
    enter(tcp, active, idx, 0);
    tcp->news.lost += bytes_of(sent);
}

void tcp_sent_lose(struct tcp *tcp, const struct tcb *tcb, uint32_t idx)
{
    struct active *active = active_of(tcp, tcb);
    set_lost(tcp, tcb, active, idx);
    join_around(tcp, tcb, active, idx);
}

/* RFC 2018 8: what the peer has SACKed and then dropped is lost, and was counted when it came. */
static void unsack(struct tcp *tcp, const struct tcb *tcb, struct active *active, uint32_t idx)
{
    struct sent *sent = sent_at(tcp, idx);
    uncount(tcb, active, sent);
    sent->flags = SENT_LOST | SENT_TWICE | SENT_COUNTED;
    count(tcb, active, sent);
    enter(tcp, active, idx, 0);
}

/* RFC6675-18: the segment behind SND.UNA, even if it was SACKed. */
void tcp_sent_lose_first(struct tcp *tcp, const struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    uint32_t idx = active->sent_first;
    if (idx == 0) {
        return;
    }
    seq_t end = seq_add(sent_at(tcp, idx)->left, max_u32(tcb->snd_mss, 1));
    if (seq_gt(sent_at(tcp, idx)->right, end)) {
        cut(tcp, tcb, active, idx, end);
    }
    if (is_sacked(tcp, idx)) {
        active->sacked_n -= is_sacked(tcp, sent_at(tcp, idx)->next) ? 0 : 1;
        unsack(tcp, tcb, active, idx);
    }
    set_lost(tcp, tcb, active, idx);
}

/* After a timeout: does all of it count as lost? */
static bool lost_by_time(const struct tcp *tcp, const struct tcb *tcb, const struct sent *sent,
                         bool all)
{
    bool first = seq_eq(sent->left, tcb->snd.una);
    return !(sent->flags & SENT_SACKED) &&
           (!tcp_sent_flies(sent) || first || all || tcp_rack_due(tcp, tcb, sent));
}

void tcp_sent_go_back(struct tcp *tcp, const struct tcb *tcb, bool keep_sacked, bool all)
{
    struct active *active = active_of(tcp, tcb);
    for (uint32_t idx = active->sent_first; idx != 0; idx = sent_at(tcp, idx)->next) {
        struct sent *sent = sent_at(tcp, idx);
        uncount(tcb, active, sent);
        sent->mss = (uint16_t)min_u32(sent->mss, max_u32(tcb->snd_mss, 1));
        count(tcb, active, sent);
        if (!keep_sacked && (sent->flags & SENT_SACKED)) {
            unsack(tcp, tcb, active, idx);
        }
        if (lost_by_time(tcp, tcb, sent, all)) {
            set_lost(tcp, tcb, active, idx);
        }
        uint32_t prev = sent->prev;
        if (prev) {
            join_next(tcp, tcb, active, prev);
            idx = sent_at(tcp, prev)->next == idx ? idx : prev;
        }
    }
    active->sacked_n = keep_sacked ? active->sacked_n : 0;
}

void tcp_sent_unlose(struct tcp *tcp, const struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    for (uint32_t idx = active->sent_last; idx != 0; idx = sent_at(tcp, idx)->prev) {
        struct sent *sent = sent_at(tcp, idx);
        if (sent->flags & SENT_LOST) {
            bool waited = tcp_sent_waits(sent);
            if (waited) {
                leave(tcp, active, idx);
            }
            uncount(tcb, active, sent);
            sent->flags = (uint8_t)(sent->flags & ~SENT_LOST);
            count(tcb, active, sent);
            if (waited) { /* older than what is in flight, but for what was held: no news */
                bool held = sent->flags & SENT_COUNTED;
                sent->sent_us = held ? tcp->now_us : sent->sent_us;
                enter(tcp, active, idx, held ? active->sent_newest : 0);
            }
        }
    }
    active->lost_to = tcb->snd.una;
}

void tcp_sent_clear(struct tcp *tcp, struct active *active)
{
    struct tcp_block *b = tcp->b;
    if (active->sent_n) {
        pool_free_list(&b->sents, tcp->block, active->sent_first, active->sent_last,
                       active->sent_n);
        b->senders--;
        b->singles -= active->sent_n == 1 ? 1 : 0;
    }
    active->sent_first = active->sent_last = active->sent_root = active->sent_n = 0;
    active->sent_oldest = active->sent_newest = active->sent_lost = 0;
    memset(active->sum, 0, sizeof active->sum);
    active->sacked_n = 0;
}
