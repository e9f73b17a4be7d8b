/* ladder.c - trace records into the rows of a ladder: what is drawn, what is folded (trace.h).
 *
 * Rows that change a state, and SYN, FIN and RST, are drawn; data segments and bare ACKs are drawn
 * as long as there are few of them, then counted: "... out: 1,024 segments, 100,000,000 octets".
 * A pause, a change of state or a retransmission timeout starts drawing again.  What shuts a window
 * or opens it again is always drawn, and so is what would be folded alone.
 */
#include "trace/ladder.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "handfast/packet.h"
#include "trace/text.h"

enum {
    FULL_LINES = 8,
    AFTER_TIMEOUT = 3,       /* lines drawn after a timeout: itself, the repeat, the answer    */
    TIMEOUTS_DRAWN = 16,     /* per state, as long as they help                                */
    LOUD_LINES = 200,        /* per state: a flood of SYNs and resets is folded as well        */
    PAUSE_NS = 500 * 1000000 /* nothing for so long: what comes is worth drawing               */
};

static void copy_name(char *out, size_t room, const char *name, const char *otherwise)
{
    struct text text = trace_text(out, room);
    trace_add(&text, "%s", name != NULL ? name : otherwise);
}

struct hf_ladder *hf_ladder_new(const struct hf_ladder_style *style)
{
    struct hf_ladder *ladder = calloc(1, sizeof *ladder);
    if (ladder == NULL) {
        return NULL;
    }
    size_t known = style->struct_size < sizeof *style ? style->struct_size : sizeof *style;
    memcpy(&ladder->style, style, known);
    copy_name(ladder->title, sizeof ladder->title, ladder->style.title, "");
    copy_name(ladder->local_name, sizeof ladder->local_name, ladder->style.local_name, "Handfast");
    copy_name(ladder->remote_name, sizeof ladder->remote_name, ladder->style.remote_name, "peer");
    ladder->style.title = ladder->style.local_name = ladder->style.remote_name = NULL;
    if (ladder->style.full_lines == 0) {
        ladder->style.full_lines = FULL_LINES;
    }
    ladder->state = HF_CLOSED;
    trace_peer_init(&ladder->peer);
    return ladder;
}

void hf_ladder_free(struct hf_ladder *ladder)
{
    if (ladder != NULL) {
        free(ladder->rows);
        free(ladder);
    }
}

int hf_ladder_state(const struct hf_ladder *ladder)
{
    return ladder->started ? ladder->state : -1;
}

int hf_ladder_peer_state(const struct hf_ladder *ladder, int *proved)
{
    if (proved != NULL) {
        *proved = ladder->peer.proved;
    }
    return ladder->peer.presumed;
}

const char trace_left_out[] = "more happened than is kept";

/* Rows: written at once, and kept when that is wanted ------------------------------------------ */

static void keep_row(struct hf_ladder *ladder, const struct row *row)
{
    if (ladder->n_rows == ladder->room && ladder->room < KEPT_ROWS_MAX) {
        size_t room = ladder->room == 0 ? 64 : ladder->room * 2;
        struct row *rows = realloc(ladder->rows, room * sizeof *rows);
        if (rows != NULL) {
            ladder->rows = rows;
            ladder->room = room;
        }
    }
    if (ladder->n_rows < ladder->room) {
        ladder->rows[ladder->n_rows++] = *row;
        return;
    }
    ladder->rows_left_out++;
    if (row->kind == ROW_END && ladder->n_rows > 0) { /* why it closed is always told */
        ladder->rows[ladder->n_rows - 1] = *row;
    }
}

void trace_ladder_add(struct hf_ladder *ladder, const struct row *row)
{
    ladder->row_ns = row->time_ns;
    if (ladder->style.write != NULL) {
        trace_text_row(row, ladder->style.colour, true, ladder->style.write,
                       ladder->style.write_arg);
    }
    if (ladder->style.keep) {
        keep_row(ladder, row);
    }
}

static struct row new_row(const struct hf_ladder *ladder, enum row_kind kind, int64_t time_ns)
{
    return (struct row){.kind = (uint8_t)kind,
                        .time_ns = time_ns - ladder->first_ns,
                        .left = NO_STATE,
                        .right = NO_STATE};
}

/* A fold takes as much room as one row, and says less.  Calls show in the segments they make. */
bool trace_run_is_single(const struct run *run)
{
    return run->lost == 0 && (run->rows == 1 || (run->rows == 0 && run->calls == 1));
}

void hf_ladder_flush(struct hf_ladder *ladder)
{
    if (!ladder->run.active) {
        return;
    }
    struct row row = ladder->run.alone;
    if (!trace_run_is_single(&ladder->run)) {
        row = new_row(ladder, ROW_RUN, ladder->run.since_ns);
        trace_run_label(&ladder->run, row.note);
        copy_name(row.label, sizeof row.label, row.note, "");
        row.note[0] = 0;
    }
    ladder->run = (struct run){.active = false};
    trace_ladder_add(ladder, &row);
}

static void start(struct hf_ladder *ladder, const struct hf_trace *record)
{
    ladder->started = true;
    ladder->first_ns = ladder->last_ns = record->time_ns;
    memcpy(ladder->local_ip, record->local_ip, 16);
    memcpy(ladder->remote_ip, record->remote_ip, 16);
    ladder->local_port = record->local_port;
    ladder->remote_port = record->remote_port;
    ladder->state = record->state_before;
    ladder->budget = ladder->style.full_lines;
    ladder->loud_budget = LOUD_LINES;
    if (ladder->style.write != NULL) {
        trace_text_head(ladder, ladder->style.colour, ladder->style.write, ladder->style.write_arg);
    }
    struct row row = new_row(ladder, ROW_START, record->time_ns);
    row.left = (int8_t)record->state_before;
    trace_ladder_add(ladder, &row);
}

/* What is folded ------------------------------------------------------------------------------- */

/* What the listener does with a late segment is not this connection's state. */
static bool changes_state(const struct hf_ladder *ladder, const struct hf_trace *record)
{
    return record->kind != HF_TRACE_DROP && !(record->marks & HF_MARK_NO_CONNECTION) &&
           record->state_after != ladder->state &&
           !(ladder->state == HF_CLOSED && record->state_after == HF_LISTEN);
}

static bool is_timeout(const struct hf_trace *record)
{
    return record->kind == HF_TRACE_TIMER &&
           (record->cause == HF_TIMER_RTO || record->cause == HF_TIMER_PERSIST ||
            record->cause == HF_TIMER_SYN_ACK || record->cause == HF_TIMER_KEEPALIVE);
}

/* Worth drawing even in the middle of a run, unless it comes by the hundred. */
static bool loud(const struct hf_trace *record)
{
    switch (record->kind) {
    case HF_TRACE_CALL:
        return record->cause != HF_CALL_SEND && record->cause != HF_CALL_RECEIVE;
    case HF_TRACE_TIMER:
        return record->cause != HF_TIMER_DELAYED_ACK && !is_timeout(record);
    case HF_TRACE_WAIT:
        return true;
    default:
        return (record->marks & HF_MARK_ICMP) || (record->ctl & (HF_SYN | HF_FIN | HF_RST));
    }
}

/* Never drawn by itself: it says nothing that the segments, or the last of its kind, do not. */
static bool silent(const struct hf_ladder *ladder, const struct hf_trace *record)
{
    return (record->kind == HF_TRACE_WAIT && ladder->waits == record->cause) ||
           (record->kind == HF_TRACE_CALL && record->cause == HF_CALL_RECEIVE) ||
           (record->kind == HF_TRACE_CALL && record->cause == HF_CALL_SEND && record->error < 0) ||
           (record->kind == HF_TRACE_TIMER && record->cause == HF_TIMER_DELAYED_ACK);
}

static bool spend(uint32_t *budget)
{
    bool left = *budget > 0;
    *budget -= left;
    return left;
}

/* Shall this record, which has changed no state, be drawn? */
static bool drawn(struct hf_ladder *ladder, const struct hf_trace *record)
{
    if (loud(record)) {
        return spend(&ladder->loud_budget);
    }
    if (is_timeout(record) && (ladder->timeouts < TIMEOUTS_DRAWN || !ladder->heard)) {
        ladder->timeouts++;
        ladder->budget = max_u32(ladder->budget, AFTER_TIMEOUT);
    }
    return spend(&ladder->budget);
}

/* Shuts the window of its sender, or opens it again: what follows is because of it. */
static bool turns_window(struct hf_ladder *ladder, const struct hf_trace *record, bool dropped)
{
    bool out = record->kind == HF_TRACE_OUT;
    if ((!out && record->kind != HF_TRACE_IN) || dropped || (record->ctl & HF_RST) ||
        (record->marks & (HF_MARK_ICMP | HF_MARK_NO_CONNECTION))) {
        return false;
    }
    bool was_shut = ladder->shut[out];
    ladder->shut[out] = record->wnd == 0;
    return was_shut != ladder->shut[out];
}

/* One record ----------------------------------------------------------------------------------- */

static bool came_to_nothing(const struct hf_trace *record)
{
    if (record->kind != HF_TRACE_IN) {
        return record->kind == HF_TRACE_DROP;
    }
    switch (record->verdict) {
    case HF_V_DROP_AFTER_CLOSE: /* the ACK of our FIN: what came with it does not count */
    case HF_V_FRAGMENT_HELD:
    case HF_V_ICMP_TAKEN:
        return false;
    default:
        return record->verdict >= HF_V_DROP_CLOSED;
    }
}

/* Who sends the first FIN?  Both at once: each went off before the other had come.  That of a SYN
 * is taken of a SYN,ACK only, and else left to come again. */
static void note_fin(struct hf_ladder *ladder, const struct hf_trace *record, bool dropped)
{
    bool left = (record->ctl & HF_SYN) && record->state_after != HF_CLOSE_WAIT;
    if (!(record->ctl & HF_FIN) || dropped || left) {
        return;
    }
    if (record->kind == HF_TRACE_OUT) {
        ladder->first_fin = ladder->first_fin == 0 ? 1 : ladder->first_fin;
    } else if (ladder->first_fin == 0) {
        ladder->first_fin = 2;
    } else if (ladder->first_fin == 1 && !ladder->peer.fin_seen && !ladder->peer.our_fin_acked &&
               !seq_gt(seq(record->ack), seq(ladder->peer.our_fin))) {
        ladder->first_fin = 3;
    }
}

/* The answers of half-open connections carry no mark of their own. */
static bool is_repeat(struct hf_ladder *ladder, const struct hf_trace *record)
{
    if (record->kind != HF_TRACE_OUT) {
        return trace_peer_repeats(&ladder->peer, record);
    }
    bool marked = (record->marks & HF_MARK_REPEAT) != 0;
    if (!(record->ctl & HF_SYN)) {
        return marked;
    }
    bool *sent = record->ctl & HF_ACK ? &ladder->syn_ack_out : &ladder->syn_out;
    bool before = *sent;
    *sent = true;
    return before;
}

/* True when the peer's state is no longer what it was. */
static bool update_peer(struct hf_ladder *ladder, const struct hf_trace *record, bool dropped)
{
    int proved = ladder->peer.proved, presumed = ladder->peer.presumed;
    if (record->marks & HF_MARK_ICMP) {
        return false;
    }
    note_fin(ladder, record, dropped);
    if (record->kind == HF_TRACE_OUT) {
        trace_peer_out(&ladder->peer, record);
    } else if (record->kind == HF_TRACE_IN || record->kind == HF_TRACE_DROP) {
        trace_peer_in(&ladder->peer, record);
        ladder->heard = true;
    }
    return proved != ladder->peer.proved || presumed != ladder->peer.presumed;
}

static void fill_segment(struct hf_ladder *ladder, const struct hf_trace *record, struct row *row,
                         bool peer_changed)
{
    bool out = record->kind == HF_TRACE_OUT;
    const struct peer *peer = &ladder->peer;
    trace_segment_label(ladder, record, row->label);
    trace_segment_note(ladder, record, row->note);
    row->kind = out ? ROW_OUT : ROW_IN;
    row->ctl = record->ctl;
    row->seq = record->seq;
    row->text_bytes = record->text_bytes;
    if ((row->marks & ROW_REPEAT) && !(record->marks & HF_MARK_PROBE)) {
        struct text text = {.at = row->label, .room = LABEL_BYTES, .len = strlen(row->label)};
        trace_add(&text, record->cause == HF_CAUSE_FAST_RETRANSMIT ? " fast repeat"
                         : record->cause == HF_TIMER_TLP           ? " probing repeat"
                                                                   : " repeat");
    }
    if (!(record->marks & HF_MARK_ICMP)) {
        bool proves = !out && peer->last_proves;
        row->right = (int8_t)(proves ? peer->proved : peer->presumed);
        row->marks |= proves || peer->presumed == peer->proved ? ROW_PEER_CERTAIN : 0;
        row->marks |= peer_changed ? ROW_PEER_CHANGED : 0;
    }
}

static void enter_state(struct hf_ladder *ladder, const struct hf_trace *record)
{
    ladder->state = record->state_after;
    ladder->budget = ladder->style.full_lines;
    ladder->loud_budget = LOUD_LINES;
    ladder->timeouts = 0;
    ladder->heard = false;
    if (record->state_after == HF_CLOSED) {
        ladder->last = *record;
    }
}

static void fill(struct hf_ladder *ladder, const struct hf_trace *record, struct row *row,
                 bool peer_changed)
{
    row->left = (int8_t)ladder->state;
    if (record->kind >= HF_TRACE_CALL) {
        trace_event_label(ladder, record, row->label);
    } else {
        fill_segment(ladder, record, row, peer_changed);
    }
}

static void draw(struct hf_ladder *ladder, const struct hf_trace *record, struct row *row,
                 bool peer_changed)
{
    hf_ladder_flush(ladder);
    fill(ladder, record, row, peer_changed);
    trace_ladder_add(ladder, row);
}

static void fold(struct hf_ladder *ladder, const struct hf_trace *record, const struct row *row,
                 bool peer_changed)
{
    struct run *run = &ladder->run;
    bool repeat = (row->marks & ROW_REPEAT) != 0, dropped = (row->marks & ROW_DROPPED) != 0;
    bool call = record->kind == HF_TRACE_CALL;
    if (!run->active) {
        run->active = true;
        run->since_ns = record->time_ns;
    }
    run->until_ns = record->time_ns;
    if (run->rows == 0 && (!call || run->calls == 0)) {
        run->alone = *row;
        fill(ladder, record, &run->alone, peer_changed);
    }
    run->calls += call;
    run->rows += !call;
    if (record->kind == HF_TRACE_OUT) {
        run->out.segments++;
        run->out.octets += record->text_bytes;
        run->out.repeats += repeat;
        run->out.super |= (record->marks & HF_MARK_GSO) != 0;
    } else if (record->kind == HF_TRACE_IN || record->kind == HF_TRACE_DROP) {
        run->in.segments++;
        run->in.octets += record->text_bytes;
        run->in.repeats += repeat;
        run->in.dropped += dropped && !repeat;
    } else {
        run->timeouts += is_timeout(record);
        run->events += !call && !is_timeout(record);
    }
}

void hf_ladder_trace(void *arg, const struct hf_trace *record)
{
    struct hf_ladder *ladder = arg;
    if (record->marks & HF_MARK_UDP) {
        return;
    }
    if (!ladder->started) {
        start(ladder, record);
    }
    if (record->time_ns - ladder->last_ns > PAUSE_NS) {
        hf_ladder_flush(ladder);
        ladder->budget = max_u32(ladder->budget, ladder->style.full_lines / 2);
    }
    ladder->last_ns = record->time_ns;
    struct row row = new_row(ladder, ROW_EVENT, record->time_ns);
    bool repeat = is_repeat(ladder, record);
    bool dropped = came_to_nothing(record), changed = changes_state(ladder, record);
    row.marks = (uint8_t)((changed ? ROW_CHANGED : 0) | (repeat ? ROW_REPEAT : 0) |
                          (dropped ? ROW_DROPPED : 0));
    bool peer_changed = update_peer(ladder, record, dropped);
    trace_learn_numbers(ladder, record, !dropped);
    bool turns = turns_window(ladder, record, dropped);
    if (record->handle != 0) {
        ladder->handle = record->handle;
    }
    if (changed) {
        enter_state(ladder, record);
    }
    if (!changed && silent(ladder, record)) {
        return;
    }
    if (record->kind == HF_TRACE_WAIT || record->kind == HF_TRACE_OUT) {
        ladder->waits = record->kind == HF_TRACE_WAIT ? record->cause : 0;
    }
    if (changed || ((peer_changed || turns) && spend(&ladder->loud_budget)) ||
        drawn(ladder, record)) {
        draw(ladder, record, &row, peer_changed);
    } else {
        fold(ladder, record, &row, peer_changed);
    }
    ladder->rto_ms = record->rto_ms;
    if (ladder->syn_ack_ns == 0 || record->cause == HF_TIMER_SYN_ACK) {
        ladder->syn_ack_ns = record->time_ns;
    }
}

/* What the caller adds ------------------------------------------------------------------------- */

void hf_ladder_note(struct hf_ladder *ladder, int64_t time_ns, const char *words)
{
    if (!ladder->started) {
        return;
    }
    hf_ladder_flush(ladder);
    struct row row = new_row(ladder, ROW_NOTE, time_ns);
    copy_name(row.label, sizeof row.label, words, "");
    trace_ladder_add(ladder, &row);
}

void hf_ladder_end(struct hf_ladder *ladder, const char *why)
{
    if (!ladder->started || ladder->ended) {
        return;
    }
    ladder->ended = true;
    hf_ladder_flush(ladder);
    struct row row = new_row(ladder, ROW_END, ladder->last_ns);
    row.time_ns = row.time_ns < ladder->row_ns ? ladder->row_ns : row.time_ns; /* a note's */
    if (why != NULL) {
        copy_name(row.label, sizeof row.label, why, "");
    } else {
        trace_why_closed(ladder, row.label);
    }
    trace_ladder_add(ladder, &row);
}

void hf_ladder_text(const struct hf_ladder *ladder, bool colour, hf_text_fn *write, void *arg)
{
    if (!ladder->started) {
        return;
    }
    trace_text_head(ladder, colour, write, arg);
    for (size_t i = 0; i < ladder->n_rows; i++) {
        trace_text_row(&ladder->rows[i], colour, false, write, arg);
    }
    if (ladder->rows_left_out > 0) {
        struct row row = {
            .kind = ROW_NOTE, .time_ns = ladder->row_ns, .left = NO_STATE, .right = NO_STATE};
        copy_name(row.label, sizeof row.label, trace_left_out, "");
        trace_text_row(&row, colour, false, write, arg);
    }
}
