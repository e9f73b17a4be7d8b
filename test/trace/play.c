/* play.c - trace records made by hand. */
#include "trace/play.h"

static const uint8_t here[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
static const uint8_t there[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 2};

void collect(void *arg, const char *text, size_t len)
{
    struct played *played = arg;
    assert_true(len > 0 && text[len - 1] == '\n');
    assert_true(played->len + len < sizeof played->text);
    memcpy(played->text + played->len, text, len);
    played->len += len;
    played->text[played->len] = 0;
}

void play(struct played *played, hf_trace_fn *sink, void *sink_arg, enum hf_state state)
{
    played->sink = sink;
    played->sink_arg = sink_arg;
    played->now_ns = 5000000000;
    played->state = state;
    played->iss = 100;
    played->irs = 300;
    played->rcv_nxt = state >= HF_ESTABLISHED ? 300 : 0;
    played->rto_ms = 1000;
    played->handle = 7;
    played->local_port = 40000;
}

void at_ms(struct played *played, int64_t ms)
{
    played->now_ns = 5000000000 + ms * 1000000;
}

static struct hf_trace record_of(struct played *played, enum hf_trace_kind kind,
                                 enum hf_state after)
{
    struct hf_trace record = {.version = HF_TRACE_VERSION,
                              .kind = (uint8_t)kind,
                              .state_before = (uint8_t)played->state,
                              .state_after = (uint8_t)after,
                              .time_ns = played->now_ns,
                              .handle = played->handle,
                              .local_port = played->local_port,
                              .remote_port = 80,
                              .iss = played->iss,
                              .irs = played->irs,
                              .rcv_nxt = played->rcv_nxt,
                              .rto_ms = played->rto_ms};
    memcpy(record.local_ip, here, 16);
    memcpy(record.remote_ip, there, 16);
    played->state = after;
    return record;
}

static void segment(struct hf_trace *record, uint16_t ctl, uint32_t seq, struct more more)
{
    record->ctl = ctl;
    record->seq = seq;
    record->ack = more.ack;
    record->text_bytes = more.text;
    record->len = more.text + (ctl & SYN ? 1 : 0) + (ctl & FIN ? 1 : 0);
    record->wnd = more.shut ? 0 : more.wnd != 0 ? more.wnd : 65535;
    record->marks = more.marks;
    record->mss = more.mss;
    record->wscale = more.wscale;
    record->options = more.options;
    record->fast_open_kind = more.fast_open_kind;
    record->fast_open_bytes = more.fast_open_bytes;
    bool accepted = more.verdict == HF_V_CONTINUE && record->kind == HF_TRACE_IN;
    record->verdict = (uint16_t)(accepted ? HF_V_ACCEPTED : more.verdict);
    record->cause = (uint8_t)more.cause;
}

void sends_record(struct played *played, uint16_t ctl, uint32_t seq, enum hf_state after,
                  struct more more)
{
    struct hf_trace record = record_of(played, HF_TRACE_OUT, after);
    segment(&record, ctl, seq, more);
    played->sink(played->sink_arg, &record);
}

void gets_record(struct played *played, uint16_t ctl, uint32_t seq, enum hf_state after,
                 struct more more)
{
    struct hf_trace record = record_of(played, HF_TRACE_IN, after);
    segment(&record, ctl, seq, more);
    bool next = seq == played->rcv_nxt || (ctl & SYN && played->rcv_nxt == 0);
    if (next && more.verdict < HF_V_OUT_OF_ORDER) {
        played->rcv_nxt = seq + record.len;
    }
    record.rcv_nxt = played->rcv_nxt;
    played->sink(played->sink_arg, &record);
}

void calls(struct played *played, enum hf_cause cause, enum hf_state after)
{
    struct hf_trace record = record_of(played, HF_TRACE_CALL, after);
    record.cause = (uint8_t)cause;
    played->sink(played->sink_arg, &record);
}

static void timer_record(struct played *played, enum hf_cause cause, enum hf_state after,
                         enum hf_verdict verdict)
{
    played->rto_ms *= cause == HF_TIMER_RTO ? 2 : 1;
    struct hf_trace record = record_of(played, HF_TRACE_TIMER, after);
    record.cause = (uint8_t)cause;
    record.verdict = (uint16_t)verdict;
    played->sink(played->sink_arg, &record);
}

void timer(struct played *played, enum hf_cause cause, enum hf_state after)
{
    timer_record(played, cause, after, HF_V_ACCEPTED);
}

void timer_closes(struct played *played, enum hf_cause cause, enum hf_verdict verdict)
{
    timer_record(played, cause, HF_CLOSED, verdict);
}

void ends(struct played *played, enum hf_cause cause, int error)
{
    struct hf_trace record = record_of(played, HF_TRACE_END, HF_CLOSED);
    record.cause = (uint8_t)cause;
    record.error = error;
    played->sink(played->sink_arg, &record);
}

void waits(struct played *played, enum hf_cause cause)
{
    struct hf_trace record = record_of(played, HF_TRACE_WAIT, played->state);
    record.cause = (uint8_t)cause;
    played->sink(played->sink_arg, &record);
}

struct hf_packet packet_of(const struct played *played, bool out, uint16_t ctl, uint32_t seq,
                           uint32_t ack, uint32_t text)
{
    struct hf_packet packet = {.struct_size = sizeof packet,
                               .layers = HF_LAYER_IP | HF_LAYER_TCP,
                               .version = 4,
                               .protocol = 6,
                               .src_port = out ? played->local_port : 80,
                               .dst_port = out ? 80 : played->local_port,
                               .ctl = ctl,
                               .seq = seq,
                               .ack = ack,
                               .wnd = 65535,
                               .text_bytes = text,
                               .len = text + (ctl & SYN ? 1 : 0) + (ctl & FIN ? 1 : 0)};
    memcpy(packet.src, out ? here : there, 16);
    memcpy(packet.dst, out ? there : here, 16);
    return packet;
}
