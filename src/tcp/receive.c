/* receive.c - RFC 9293 section 3.10.7.4 seventh: text in order, text ahead of a gap, the window.
 *
 *           read        unread               held ahead of a gap
 *     ------------|================|.......|=====|...|==|...............|
 *                                  RCV.NXT                              RCV.NXT + RCV.WND
 *                  rq_head..rq_tail         ooo: struct range, ascending, apart
 *
 * What overlaps keeps the octets that came first, and none is counted twice.  RCV.WND is what was
 * promised; its right edge never moves left.  ACKs: RFC 5681 4.2, RFC 9293 3.8.6.3; SACK: RFC 2018,
 * DSACK: RFC 2883.
 */
#include "tcp/copies.h"
#include "tcp/stats.h"

enum {
    HELD_RANGES_MAX = 1024, /* slow start into a full queue loses every second segment, hundreds of
                              them                                                            */
    HELD_MIN = 16384,       /* of memory may be held ahead of gaps, however small the window    */
    KEEP_MIN = 256,         /* below it copying is cheaper than lending                         */
};

struct piece {
    seq_t at;
    const uint8_t *text;
    uint32_t len;
};

static void skip_octets(struct piece *piece, uint32_t n)
{
    piece->at = seq_add(piece->at, n);
    piece->text += n;
    piece->len -= n;
}

static struct seq_tree tree_of(const struct tcp *tcp)
{
    return (struct seq_tree){&tcp->b->ranges, tcp->block, secret_of(tcp)->table.k0,
                             offsetof(struct range, all), offsetof(struct range, left)};
}

/* The last range that begins at or before `at`; 0: none. */
static uint32_t range_before(const struct tcp *tcp, const struct active *active, seq_t at)
{
    struct seq_tree tree = tree_of(tcp);
    return seq_tree_find(&tree, active->ooo_root, at);
}

/* Appends to a chain, unless it lies there already; returns octets taken. */
static uint32_t keep_text(struct tcp *tcp, uint32_t *head, uint32_t *tail, const uint8_t *text,
                          uint32_t len, enum chunk_use use)
{
    if (tcp->placed) {
        HF_ASSERT(tcp->placed == len);
        tcp->placed = 0;
        return len;
    }
    uint32_t idx = len >= KEEP_MIN ? tcp_chunk_keep(tcp, text, len) : 0;
    if (idx == 0) {
        return (uint32_t)tcp_chunk_append(tcp, head, tail, text, len, use);
    }
    if (*tail) {
        tcp_chunk(tcp, *tail)->next = idx;
    } else {
        *head = idx;
    }
    *tail = idx;
    return len;
}

/* The text of a range behind a chain.  What fits behind the last octet is copied there: else a peer
 * could fill a window with chunks that hold an octet each.  Returns the memory that this frees. */
static uint32_t join_chains(struct tcp *tcp, uint32_t *head, uint32_t *tail,
                            const struct range *range)
{
    uint32_t first = range->head;
    struct chunk *chunk = tcp_chunk(tcp, first);
    uint32_t freed = 0;
    if (*tail && !chunk->lent && chunk->len <= tcp_chunk_room(tcp, *tail)) {
        struct chunk *last = tcp_chunk(tcp, *tail);
        memcpy(tcp_chunk_data(tcp, *tail) + last->len, tcp_chunk_data(tcp, first), chunk->len);
        HF_COUNT(tcp->b->work.copied, chunk->len);
        last->len += chunk->len;
        uint32_t rest = chunk->next;
        chunk->next = 0;
        freed = tcp_chunks_cost(tcp, first);
        tcp_chunk_free_now(tcp, first);
        first = rest;
    }
    if (*tail) {
        tcp_chunk(tcp, *tail)->next = first;
    } else {
        *head = first;
    }
    *tail = first ? range->tail : *tail;
    return freed;
}

/* In order ------------------------------------------------------------------------------------- */

static void advance_nxt(struct tcp *tcp, struct tcb *tcb, uint32_t n)
{
    seq_t nxt = seq_add(tcb->rcv.nxt, n);
    if (seq_len(tcb->irs, nxt) < seq_len(tcb->irs, tcb->rcv.nxt)) {
        tally_of(tcp, tcb)->rcv_wraps++;
    }
    tcb->rcv.nxt = nxt;
    tcb->rcv.wnd -= min_u32(n, tcb->rcv.wnd);
}

static void remove_range(struct tcp *tcp, struct active *active, uint32_t after, uint32_t idx)
{
    struct seq_tree tree = tree_of(tcp);
    seq_tree_remove(&tree, &active->ooo_root, idx);
    uint32_t *link = after ? &range_at(tcp, after)->next : &active->ooo;
    *link = range_at(tcp, idx)->next;
    active->ooo_n--;
    pool_free(&tcp->b->ranges, tcp->block, idx);
}

/* The first held range, when the gap before it is closed.  The piece may reach into it. */
static bool splice(struct tcp *tcp, struct tcb *tcb, struct active *active,
                   const struct piece *piece)
{
    uint32_t idx = active->ooo;
    if (idx == 0 || !seq_eq(range_at(tcp, idx)->left, tcb->rcv.nxt)) {
        return false;
    }
    const struct range *range = range_at(tcp, idx);
    uint32_t len = seq_len(range->left, range->right);
    tcp_compare_copy(tcp, range->head, 0, piece->text, min_u32(piece->len, len));
    active->ooo_cost -= range->cost;
    join_chains(tcp, &active->rq_head, &active->rq_tail, range);
    active->ooo_bytes -= len;
    active->rq_bytes += len;
    remove_range(tcp, active, 0, idx);
    advance_nxt(tcp, tcb, len);
    return true;
}

/* The largest segment seen, counted as the peer would cut a super-segment (3.8.6.3). */
static void learn_mss(struct tcp *tcp, struct tcb *tcb, uint32_t len)
{
    if (len > tcb->rcv_mss) {
        uint32_t most = tcp_announced_mss(tcb, tally_of(tcp, tcb)->max_segment);
        uint32_t mss = min_u32(len, most - (tcb->flags & F_TS ? 12 : 0));
        tcb->rcv_mss = (uint16_t)max_u32(mss, tcb->rcv_mss);
    }
}

/* SHLD-18, SHLD-19, MUST-40: delayed, but not for more than one full segment, and not at first.
 * RFC5681-30, RFC5681-31 */
static void owe_ack_in_order(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    bool quick = (tcb->flags & F_QUICK_ACK) || tcb->quick_acks;
    if (quick || active->unacked_bytes > tcb->rcv_mss) {
        tcb->quick_acks -= tcb->quick_acks ? 1 : 0;
        tcp_owe_ack(tcp, tcb);
        return;
    }
    if (tcb->owes & HF_OWES_ACK) {
        return;
    }
    if (active->delack_at_ms == 0) {
        active->delack_at_ms = ms_after(tcp->now_ms, tcp->b->policy.ack_delay_ms);
    }
    tcp_owe(tcp, tcb, HF_OWES_DELAYED_ACK);
}

/* Text at RCV.NXT, around what is held already.  Returns octets that RCV.NXT has advanced. */
static uint32_t append_in_order(struct tcp *tcp, struct tcb *tcb, struct active *active,
                                struct piece piece)
{
    seq_t start = tcb->rcv.nxt;
    bool unread = active->rq_bytes != 0;
    for (;;) {
        seq_t nxt = tcb->rcv.nxt;
        skip_octets(&piece, min_u32(seq_len(piece.at, nxt), piece.len));
        if (splice(tcp, tcb, active, &piece)) {
            if (piece.len) {
                seq_t end = seq_add(piece.at, piece.len);
                tcp_note_dsack(tcp, tcb, nxt, seq_min(tcb->rcv.nxt, end));
            }
            continue;
        }
        if (piece.len == 0) {
            break;
        }
        uint32_t n = piece.len;
        if (active->ooo) {
            n = min_u32(n, seq_len(tcb->rcv.nxt, range_at(tcp, active->ooo)->left));
        }
        enum chunk_use use = unread ? CHUNK_BEHIND : CHUNK_TO_READ;
        uint32_t kept = keep_text(tcp, &active->rq_head, &active->rq_tail, piece.text, n, use);
        active->rq_bytes += kept;
        advance_nxt(tcp, tcb, kept);
        if (kept < n) {
            break;
        }
    }
    return seq_len(start, tcb->rcv.nxt);
}

/* ... with its text. */
static void drop_range(struct tcp *tcp, struct active *active, uint32_t after, uint32_t idx)
{
    const struct range *range = range_at(tcp, idx);
    tcp_chunk_free_now(tcp, range->head);
    active->ooo_cost -= range->cost;
    active->ooo_bytes -= seq_len(range->left, range->right);
    remove_range(tcp, active, after, idx);
}

/* RFC 2018 8, reneging: what is held must not keep out what the reader waits for.  RFC2018-16 */
static void drop_last_range(struct tcp *tcp, struct active *active)
{
    struct seq_tree tree = tree_of(tcp);
    uint32_t idx = seq_tree_last(&tree, active->ooo_root);
    if (seq_gt(active->dsack_right, range_at(tcp, idx)->left)) {
        active->dsack = 0; /* a report that it came twice would say that it is held */
    }
    drop_range(tcp, active, range_before(tcp, active, seq_sub(range_at(tcp, idx)->left, 1)), idx);
}

static bool take_in_order(struct tcp *tcp, struct tcb *tcb, struct active *active,
                          const struct piece *piece, uint32_t largest)
{
    bool gap = active->ooo != 0;
    bool one = tcp->placed == 0; /* several are no larger than what was seen before */
    uint32_t advanced = append_in_order(tcp, tcb, active, *piece);
    while (advanced == 0 && active->ooo) {
        drop_last_range(tcp, active);
        advanced = append_in_order(tcp, tcb, active, *piece);
    }
    if (advanced == 0) {
        return false;
    }
    active->unacked_bytes += advanced;
    learn_mss(tcp, tcb, one ? min_u32(piece->len, largest) : 0);
    tcp_event(tcp, tcb, HF_READABLE);
    if (gap) { /* all or part of it is filled, RFC5681-18, RFC6582-11: what is ahead still counts */
        uint32_t ahead = active->ooo ? (active->ooo_bytes - 1) / max_u32(tcb->rcv_mss, 1) + 2 : 0;
        active->dup_owed = (uint16_t)min_u32(active->dup_owed, ahead);
        tcp_owe_ack(tcp, tcb);
    } else {
        owe_ack_in_order(tcp, tcb, active);
    }
    return true;
}

/* Ahead of a gap ------------------------------------------------------------------------------- */

/* Puts `at` in front of the numbers that tell in which order ranges are reported (RFC 2018 4), and
 * takes out others of the same range. */
static void note_recent(const struct tcp *tcp, struct active *active, seq_t at)
{
    const struct range *range = range_at(tcp, range_before(tcp, active, at));
    seq_t kept[SACK_RECENT] = {at};
    unsigned n = 1;
    for (unsigned i = 0; i < active->n_recent && n < SACK_RECENT; i++) {
        seq_t other = active->recent[i];
        if (!seq_in(other, range->left, seq_len(range->left, range->right))) {
            kept[n++] = other;
        }
    }
    memcpy(active->recent, kept, sizeof kept);
    active->n_recent = (uint16_t)n;
}

/* Memory that text ahead of gaps may take: twice what is left of the buffer, and a little.  An
 * octet alone takes a chunk. */
static bool may_hold_more(const struct tcb *tcb, const struct active *active)
{
    uint32_t room = tcb->rcv_buf > active->rq_bytes ? tcb->rcv_buf - active->rq_bytes : 0;
    return active->ooo_cost / 2 < max_u32(room, HELD_MIN);
}

static uint32_t insert_range(struct tcp *tcp, struct active *active, uint32_t after, seq_t at)
{
    if (active->ooo_n >= HELD_RANGES_MAX) {
        return 0;
    }
    uint32_t idx = pool_alloc(&tcp->b->ranges, tcp->block);
    if (idx == 0) {
        return 0;
    }
    uint32_t *link = after ? &range_at(tcp, after)->next : &active->ooo;
    *range_at(tcp, idx) = (struct range){.next = *link, .left = at, .right = at};
    *link = idx;
    struct seq_tree tree = tree_of(tcp);
    seq_tree_add(&tree, &active->ooo_root, idx);
    active->ooo_n++;
    return idx;
}

/* n octets that no range has yet, behind range `prev` (0: before all).  Returns octets taken. */
static uint32_t hold_stretch(struct tcp *tcp, const struct tcb *tcb, struct active *active,
                             uint32_t prev, const struct piece *piece, uint32_t n)
{
    if (!may_hold_more(tcb, active)) {
        return 0;
    }
    bool grows = prev && seq_eq(range_at(tcp, prev)->right, piece->at);
    uint32_t idx = grows ? prev : insert_range(tcp, active, prev, piece->at);
    if (idx == 0) {
        return 0;
    }
    struct range *range = range_at(tcp, idx);
    uint32_t tail = range->tail;
    uint32_t kept = keep_text(tcp, &range->head, &range->tail, piece->text, n, CHUNK_AHEAD);
    if (kept == 0 && !grows) {
        remove_range(tcp, active, prev, idx);
        return 0;
    }
    range->right = seq_add(range->right, kept);
    active->ooo_bytes += kept;
    uint32_t cost = tcp_chunks_cost(tcp, tail ? tcp_chunk(tcp, tail)->next : range->head);
    range->cost += cost;
    active->ooo_cost += cost;
    const struct range *next = range->next ? range_at(tcp, range->next) : NULL;
    if (next && seq_eq(next->left, range->right)) {
        uint32_t freed = join_chains(tcp, &range->head, &range->tail, next);
        range->cost += next->cost - freed;
        active->ooo_cost -= freed;
        range->right = next->right;
        remove_range(tcp, active, idx, range->next);
    }
    return kept;
}

/* False: no memory for anything new of it.  SHLD-31, MAY-13, RFC5681-17, RFC6582-11 */
static bool hold(struct tcp *tcp, struct tcb *tcb, struct piece piece, uint32_t packets)
{
    struct active *active = active_of(tcp, tcb);
    seq_t first = piece.at;
    uint32_t held = 0;
    tcp_owe_ack(tcp, tcb);
    if (!(tcb->flags & F_SACK)) { /* RFC 5681 4.2: the sender counts them, kept or not */
        active->dup_owed = (uint16_t)min_u32(active->dup_owed + packets, UINT16_MAX);
    }
    while (piece.len) {
        uint32_t prev = range_before(tcp, active, piece.at);
        if (prev && seq_lt(piece.at, range_at(tcp, prev)->right)) {
            uint32_t again = min_u32(seq_len(piece.at, range_at(tcp, prev)->right), piece.len);
            tcp_note_dsack(tcp, tcb, piece.at, seq_add(piece.at, again));
            const struct range *range = range_at(tcp, prev);
            tcp_compare_copy(tcp, range->head, seq_len(range->left, piece.at), piece.text, again);
            skip_octets(&piece, again);
            continue;
        }
        uint32_t next = prev ? range_at(tcp, prev)->next : active->ooo;
        uint32_t n = piece.len;
        if (next) {
            n = min_u32(n, seq_len(piece.at, range_at(tcp, next)->left));
        }
        uint32_t kept = hold_stretch(tcp, tcb, active, prev, &piece, n);
        held += kept;
        if (kept < n) {
            if (held == 0) {
                active->dsack = 0;
                return false;
            }
            break;
        }
        skip_octets(&piece, n);
    }
    note_recent(tcp, active, first);
    return true;
}

bool tcp_process_text(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    struct piece piece = {seg->seq, seg->text, seg->text_len};
    bool attached = tcb->active != 0;
    if (piece.len == 0) {
        return true;
    }
    uint32_t last_ms = tally_of(tcp, tcb)->last_rcv_ms;
    tally_of(tcp, tcb)->last_rcv_ms = tcp->now_ms;
    if (!tcp_attach(tcp, tcb)) {
        return false;
    }
    struct active *active = active_of(tcp, tcb);
    if (seq_lt(piece.at, tcb->rcv.nxt)) {
        uint32_t old = min_u32(seq_len(piece.at, tcb->rcv.nxt), piece.len);
        tcp_note_dsack(tcp, tcb, piece.at, seq_add(piece.at, old));
        skip_octets(&piece, old);
    }
    seq_t edge = seq_add(tcb->rcv.nxt, tcb->rcv.wnd);
    /* RFC7323-14: up to the largest edge ever announced */
    piece.len = seq_lt(piece.at, edge) ? min_u32(piece.len, seq_len(piece.at, edge)) : 0;
    if (piece.len == 0) {
        tcp_owe_ack(tcp, tcb);
        return true;
    }
    bool in_order = seq_eq(piece.at, tcb->rcv.nxt);
    uint32_t packets = max_u32(seg->packets, 1); /* a super-segment's: no larger than this */
    uint32_t largest = (seg->text_len + packets - 1) / packets;
    bool kept = in_order ? take_in_order(tcp, tcb, active, &piece, largest)
                         : hold(tcp, tcb, piece, packets);
    if (kept) {
        tcp_count_received(tcp, tcb, seg, !in_order);
    }
    if (in_order && kept) {
        tcp_tune_on_text(tcp, tcb, seg, last_ms);
    }
    if (!kept && !attached) {
        tcp_detach_if_idle(tcp, tcb);
    }
    return kept;
}

/* The window ----------------------------------------------------------------------------------- */

/* Octets that a header can promise are a multiple of this. */
static uint32_t window_unit(const struct tcb *tcb)
{
    return tcb->flags & F_WSCALE && tcp_synchronized(tcb) ? 1u << tcb->rcv_wscale : 1;
}

/* What could be promised now.  A limit below the unit is one unit while nothing is unread: else the
 * peer could never send.  MAY-8: none while nothing is read */
static uint32_t possible_window(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    uint32_t unread = active ? active->rq_bytes : 0;
    uint32_t unit = window_unit(tcb);
    uint32_t room = tcb->rcv_buf > unread ? tcb->rcv_buf - unread : 0;
    uint32_t wnd = min_u32(room, 65535 * unit) / unit * unit;
    return wnd == 0 && room != 0 && unread == 0 ? unit : wnd;
}

/* As it stands in the header: rounded down. */
static uint32_t announced_window(const struct tcb *tcb)
{
    uint32_t unit = window_unit(tcb);
    return tcb->rcv.wnd / unit * unit;
}

/* 3.8.6.2.2, SHLD-16, MUST-39: the right edge moves by half a buffer or a full segment, or not. */
static bool worth_raising(const struct tcb *tcb, uint32_t wnd)
{
    uint32_t step = min_u32(tcb->rcv_buf / 2, tcb->rcv_mss ? tcb->rcv_mss : tcb->snd_mss);
    return wnd > tcb->rcv.wnd && wnd - announced_window(tcb) >= step;
}

/* SHLD-14, X-16, RFC7323-15: it only grows */
uint32_t tcp_update_window(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t wnd = possible_window(tcp, tcb);
    if (worth_raising(tcb, wnd)) {
        tcb->rcv.wnd = wnd;
    }
    return tcb->rcv.wnd;
}

/* What was to be told may have been taken back meanwhile: a limit, or memory. */
bool tcp_window_moves(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t before = tcb->rcv.wnd;
    return tcp_update_window(tcp, tcb) != before;
}

/* An ACK of its own for the window only when the peer may be waiting for it: it has doubled, by two
 * segments at least, or was too small for a segment.  Not while it is whole, as the SYN had it. */
void tcp_window_opened(struct tcp *tcp, struct tcb *tcb)
{
    if (!tcp_synchronized(tcb) || (tcb->flags & F_FIN_RECEIVED)) {
        return;
    }
    uint32_t wnd = possible_window(tcp, tcb);
    uint32_t now = announced_window(tcb);
    if (!worth_raising(tcb, wnd) || tcb->rcv.wnd == UINT16_MAX) {
        return;
    }
    uint32_t mss = tcb->rcv_mss ? tcb->rcv_mss : tcb->snd_mss;
    bool small = now < min_u32(tcb->rcv_buf / 2, mss);
    if (small || (wnd / 2 >= now && wnd - now >= min_u32(tcb->rcv_buf / 2, 2 * mss))) {
        tcp_owe(tcp, tcb, OWES_WINDOW);
    }
}

/* SACK ----------------------------------------------------------------------------------------- */

static void add_block(struct tcp_options *opt, unsigned first, seq_t left, seq_t right,
                      unsigned most)
{
    for (unsigned i = first; i < opt->n_sack; i++) {
        if (seq_eq(opt->sack[i].left, left)) {
            return; /* reported already */
        }
    }
    if (opt->n_sack < most) {
        opt->sack[opt->n_sack++] = (struct sack_block){left, right};
    }
}

/* First the duplicate (RFC 2883 4), then the range that grew last, then those reported last, then
 * any (RFC 2018 4).  RFC2018-4, RFC2018-6, RFC2018-7, RFC2018-8, RFC2018-9, RFC2018-17, RFC2018-18,
 * RFC2018-21, RFC2883-1, RFC2883-2, RFC2883-3, RFC2883-4 */
void tcp_fill_sack(struct tcp *tcp, struct tcb *tcb, struct tcp_options *opt)
{
    const struct active *active = active_of(tcp, tcb);
    unsigned most = tcb->flags & F_TS ? 3 : 4;
    opt->n_sack = 0;
    if (active == NULL || !(tcb->flags & F_SACK)) {
        return;
    }
    if (active->dsack) {
        add_block(opt, 0, active->dsack_left, active->dsack_right, most);
    }
    unsigned first = opt->n_sack;
    for (unsigned i = 0; i < active->n_recent && active->ooo; i++) {
        uint32_t idx = range_before(tcp, active, active->recent[i]);
        const struct range *range = idx ? range_at(tcp, idx) : NULL;
        if (range && seq_lt(active->recent[i], range->right)) {
            add_block(opt, first, range->left, range->right, most);
        }
    }
    for (uint32_t idx = active->ooo; idx != 0 && opt->n_sack < most;
         idx = range_at(tcp, idx)->next) {
        add_block(opt, first, range_at(tcp, idx)->left, range_at(tcp, idx)->right, most);
    }
    if (opt->n_sack) {
        opt->present |= OPT_SACK;
    }
}

/* Reading -------------------------------------------------------------------------------------- */

int64_t tcp_read(struct tcp *tcp, struct tcb *tcb, uint8_t *data, uint64_t len)
{
    struct active *active = active_of(tcp, tcb);
    uint64_t done = 0;
    while (active && active->rq_bytes && done < len) {
        uint32_t idx = active->rq_head;
        struct chunk *chunk = tcp_chunk(tcp, idx);
        uint32_t n = (uint32_t)min_u64(chunk->len - active->rq_skip, len - done);
        if (data) {
            memcpy(data + done, tcp_chunk_data(tcp, idx) + active->rq_skip, n);
            HF_COUNT(tcp->b->work.copied, n);
        }
        done += n;
        active->rq_skip += n;
        active->rq_bytes -= n;
        if (active->rq_skip == chunk->len) {
            active->rq_head = chunk->next;
            active->rq_skip = 0;
            chunk->next = 0;
            tcp_chunk_free_now(tcp, idx);
        }
        if (active->rq_head == 0) {
            active->rq_tail = 0;
        }
    }
    if (active && (tcb->flags & F_URGENT)) {
        uint32_t fin = tcb->flags & F_FIN_RECEIVED ? 1 : 0;
        seq_t at = seq_sub(tcb->rcv.nxt, active->rq_bytes + fin);
        if (seq_leq(active->rcv_up, at) || (fin && active->rq_bytes == 0)) {
            tcb->flags &= ~(uint32_t)F_URGENT;
        }
    }
    return (int64_t)done;
}

bool tcp_holds_beyond(const struct tcp *tcp, const struct active *active, seq_t at)
{
    struct seq_tree tree = tree_of(tcp);
    uint32_t idx = seq_tree_last(&tree, active->ooo_root);
    return idx != 0 && seq_gt(range_at(tcp, idx)->right, at);
}

void tcp_free_held(struct tcp *tcp, struct active *active)
{
    while (active->ooo) {
        uint32_t idx = active->ooo;
        active->ooo = range_at(tcp, idx)->next;
        tcp_chunk_free_now(tcp, range_at(tcp, idx)->head);
        pool_free(&tcp->b->ranges, tcp->block, idx);
    }
    active->ooo_root = active->ooo_bytes = active->ooo_cost = active->ooo_n = 0;
}

void tcp_free_receive(struct tcp *tcp, struct active *active)
{
    tcp_chunk_free_now(tcp, active->rq_head);
    active->rq_head = active->rq_tail = active->rq_skip = active->rq_bytes = 0;
    tcp_free_held(tcp, active);
}
