/* ladder_lost.c - packets lost on the wire, as whoever lost them tells a ladder. */
#include "base/bytes.h"
#include "handfast/packet.h"
#include "trace/ladder.h"
#include "trace/text.h"

/* A record as it would have been, had the packet arrived. */
static struct hf_trace record_of(const struct hf_packet *packet, bool out, int64_t time_ns)
{
    struct hf_trace record = {.version = HF_TRACE_VERSION,
                              .kind = out ? HF_TRACE_OUT : HF_TRACE_IN,
                              .verdict = HF_V_ACCEPTED,
                              .time_ns = time_ns,
                              .ctl = packet->ctl,
                              .seq = packet->seq,
                              .ack = packet->ack,
                              .len = packet->len,
                              .text_bytes = packet->text_bytes,
                              .wnd = packet->wnd,
                              .up = packet->up,
                              .mss = packet->mss,
                              .options = packet->options,
                              .wscale = packet->wscale,
                              .ecn = packet->tos & 3};
    return record;
}

/* The line this packet of ours was drawn with; NULL: folded, not kept, or part of a larger one. */
static struct row *row_of(struct hf_ladder *ladder, const struct hf_packet *packet)
{
    for (size_t i = ladder->n_rows; i > 0; i--) {
        struct row *row = &ladder->rows[i - 1];
        if (row->kind == ROW_OUT && row->seq == packet->seq && row->ctl == packet->ctl &&
            row->text_bytes == packet->text_bytes) {
            return row->marks & ROW_LOST ? NULL : row;
        }
    }
    return NULL;
}

static void lost_out(struct hf_ladder *ladder, const struct hf_trace *record,
                     const struct hf_packet *packet)
{
    struct row *drawn = row_of(ladder, packet);
    struct row row = {.kind = ROW_NOTE,
                      .time_ns = record->time_ns - ladder->first_ns,
                      .left = NO_STATE,
                      .right = NO_STATE,
                      .marks = ROW_LOST};
    if (drawn != NULL) {
        drawn->marks |= ROW_LOST;
        row.marks |= ROW_TEXT_ONLY_LIVE;
    }
    struct text text = trace_text(row.label, sizeof row.label);
    char label[LABEL_BYTES];
    trace_segment_label(ladder, record, label);
    trace_add(&text, "lost on its way: %s", label);
    trace_ladder_add(ladder, &row);
}

static void lost_in(struct hf_ladder *ladder, const struct hf_trace *record, bool repeat)
{
    struct row row = {.kind = ROW_IN,
                      .time_ns = record->time_ns - ladder->first_ns,
                      .left = NO_STATE,
                      .right = (int8_t)ladder->peer.proved,
                      .marks = ROW_LOST | ROW_PEER_CERTAIN};
    trace_segment_label(ladder, record, row.label);
    trace_segment_note(ladder, record, row.note);
    if (repeat) {
        struct text text = {.at = row.label, .room = LABEL_BYTES, .len = strlen(row.label)};
        trace_add(&text, " repeat");
    }
    trace_ladder_add(ladder, &row);
}

void hf_ladder_lost(struct hf_ladder *ladder, int64_t time_ns, const struct hf_packet *packet)
{
    if (!ladder->started || !(packet->layers & HF_LAYER_TCP)) {
        return;
    }
    bool out = packet->src_port == ladder->local_port &&
               memcmp(packet->src, ladder->local_ip, 16) == 0 &&
               packet->dst_port == ladder->remote_port;
    struct hf_trace record = record_of(packet, out, time_ns);
    trace_learn_numbers(ladder, &record, false);
    bool repeat = !out && trace_peer_repeats(&ladder->peer, &record);
    if (out) {
        trace_peer_lost(&ladder->peer, packet->ctl, packet->ack);
    } else {
        trace_peer_in(&ladder->peer, &record);
    }
    bool loud = (packet->ctl & (HF_SYN | HF_FIN | HF_RST)) != 0;
    if (trace_run_is_single(&ladder->run) && !loud && ladder->loud_budget > 0) {
        hf_ladder_flush(ladder); /* what is lost may be that row */
        loud = true;
    }
    uint32_t *budget = loud ? &ladder->loud_budget : &ladder->budget;
    if ((ladder->run.active && !loud) || *budget == 0) {
        ladder->run.lost += ladder->run.active;
        return;
    }
    *budget -= 1;
    hf_ladder_flush(ladder);
    if (out) {
        lost_out(ladder, &record, packet);
    } else {
        lost_in(ladder, &record, repeat);
    }
}
