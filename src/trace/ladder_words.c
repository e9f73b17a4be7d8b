/* ladder_words.c - what the rows of a ladder say, in the notation of RFC 9293 section 3.5. */
#include "base/bytes.h"
#include "handfast/handfast.h"
#include "trace/ladder.h"
#include "trace/text.h"

/* The 64-bit number near the highest that was taken: streams may be longer than 2^32 octets. */
static int64_t relative(const struct numbers *numbers, uint32_t value)
{
    return numbers->high + (int32_t)(value - numbers->base - (uint32_t)numbers->high);
}

static int64_t shown(const struct numbers *numbers, uint32_t value, bool absolute)
{
    return !numbers->known || absolute ? value : relative(numbers, value);
}

static void learn_base(struct numbers *numbers, uint32_t base, bool taken)
{
    if (!numbers->known || (taken && !numbers->taken)) {
        *numbers = (struct numbers){.known = true, .taken = taken, .base = base};
    }
}

static void go_up(struct numbers *numbers, uint32_t value)
{
    int64_t near = relative(numbers, value);
    numbers->high = numbers->known && near > numbers->high ? near : numbers->high;
}

/* A SYN tells its side's first number; a ladder that begins later takes what the record says.  What
 * came to nothing may be forged or of another time, and a reset has the numbers of what it answers:
 * these raise nothing. */
void trace_learn_numbers(struct hf_ladder *ladder, const struct hf_trace *record, bool taken)
{
    if (record->kind > HF_TRACE_OUT || (record->marks & HF_MARK_ICMP)) {
        return;
    }
    bool out = record->kind == HF_TRACE_OUT, connected = !(record->marks & HF_MARK_NO_CONNECTION);
    struct numbers *sender = out ? &ladder->ours : &ladder->theirs;
    if (record->ctl & HF_SYN) {
        learn_base(sender, record->seq, taken);
    } else if (connected) {
        if (record->iss != 0 || record->snd_nxt != 0) {
            learn_base(&ladder->ours, record->iss, true);
        }
        if (record->irs != 0 || record->rcv_nxt != 0) {
            learn_base(&ladder->theirs, record->irs, true);
        }
    }
    if (taken && connected && !(record->ctl & HF_RST)) {
        go_up(sender, record->seq);
        if (record->ctl & HF_ACK) {
            go_up(out ? &ladder->theirs : &ladder->ours, record->ack);
        }
    }
}

static void add_sack(struct text *text, const struct numbers *numbers,
                     const struct hf_trace *record, bool absolute)
{
    unsigned n = record->n_sack < 4 ? record->n_sack : 4;
    for (unsigned i = 0; i < n && (record->options & HF_OPT_SACK); i++) {
        trace_add(text, "%s%lld-%lld", i == 0 ? "<SACK=" : ",",
                  (long long)shown(numbers, record->sack[i][0], absolute),
                  (long long)shown(numbers, record->sack[i][1], absolute));
        if (i + 1 == n) {
            trace_add(text, ">");
        }
    }
}

static void add_marks(struct text *text, const struct hf_trace *record)
{
    if (record->marks & HF_MARK_GSO) {
        trace_add(text,
                  record->kind == HF_TRACE_OUT ? " cut by the device" : " joined by the device");
    }
    if (record->marks & HF_MARK_PROBE) {
        trace_add(text, " probe");
    }
}

void trace_segment_label(const struct hf_ladder *ladder, const struct hf_trace *record, char *label)
{
    struct text text = trace_text(label, LABEL_BYTES);
    bool out = record->kind == HF_TRACE_OUT, absolute = ladder->style.absolute;
    if (record->marks & HF_MARK_ICMP) {
        trace_add(&text, "<ICMP type %u code %u>", record->seq >> 8 & 0xff, record->seq & 0xff);
        return;
    }
    const struct numbers *sender = out ? &ladder->ours : &ladder->theirs;
    const struct numbers *receiver = out ? &ladder->theirs : &ladder->ours;
    trace_add(&text, "<SEQ=%lld>", (long long)shown(sender, record->seq, absolute));
    if (record->ctl & HF_ACK) {
        trace_add(&text, "<ACK=%lld>", (long long)shown(receiver, record->ack, absolute));
    }
    trace_add(&text, "<CTL=");
    trace_add_ctl(&text, record->ctl);
    trace_add(&text, ">");
    if (record->text_bytes > 0) {
        trace_add(&text, "<DATA=%u>", record->text_bytes);
    }
    trace_add_ecn(&text, record->ecn);
    if (record->wnd == 0 && !(record->ctl & HF_RST)) {
        trace_add(&text, "<WND=0>");
    }
    if (record->ctl & HF_URG) {
        trace_add(&text, "<UP=%u>", record->up);
    }
    add_sack(&text, receiver, record, absolute);
    add_marks(&text, record);
}

/* What a SYN brings, once for each side. */
static void add_syn(struct text *text, struct hf_ladder *ladder, const struct hf_trace *record)
{
    bool out = record->kind == HF_TRACE_OUT;
    bool *told = out ? &ladder->iss_told : &ladder->irs_told;
    if (!(record->ctl & HF_SYN) || *told) {
        return;
    }
    *told = true;
    trace_add(text, "%s %u, window %u", out ? "ISS" : "IRS", record->seq, record->wnd);
    if (record->options & HF_OPT_MSS) {
        trace_add(text, ", MSS %u", record->mss);
    }
    if (record->options & HF_OPT_WSCALE) {
        trace_add(text, ", scale %u", record->wscale);
    }
    trace_add(text, "%s%s", record->options & HF_OPT_SACK_OK ? ", SACK" : "",
              record->options & HF_OPT_TS ? ", timestamps" : "");
    if (record->fast_open_kind != 0 && record->fast_open_bytes == 0) {
        trace_add(text, ", asks for a Fast Open cookie");
    } else if (record->fast_open_kind != 0) {
        trace_add(text, ", Fast Open cookie of %u octets", record->fast_open_bytes);
    }
}

static bool worth_telling(unsigned verdict)
{
    switch (verdict) {
    case HF_V_CONTINUE:
    case HF_V_ACCEPTED:
    case HF_V_HANDSHAKE:
    case HF_V_SYN_ACK_ACCEPTED:
    case HF_V_DROP_AFTER_CLOSE:
        return false;
    default:
        return true;
    }
}

void trace_segment_note(struct hf_ladder *ladder, const struct hf_trace *record, char *note)
{
    struct text text = trace_text(note, NOTE_BYTES);
    add_syn(&text, ladder, record);
    if (record->kind != HF_TRACE_OUT && worth_telling(record->verdict)) {
        enum hf_verdict verdict = (enum hf_verdict)record->verdict;
        trace_add(&text, "%s%s (%s)", text.len > 0 ? "; " : "", hf_verdict_sentence(verdict),
                  hf_verdict_place(verdict));
    }
}

void trace_event_label(const struct hf_ladder *ladder, const struct hf_trace *record, char *label)
{
    struct text text = trace_text(label, LABEL_BYTES);
    if (record->verdict == HF_V_TIME_WAIT_RECYCLED) { /* no timer has run out */
        trace_add(&text, "(%s)", hf_verdict_sentence(HF_V_TIME_WAIT_RECYCLED));
        return;
    }
    trace_add(&text, "(%s%s", record->kind == HF_TRACE_WAIT ? "waits: " : "",
              hf_cause_name((enum hf_cause)record->cause));
    switch (record->cause) {
    case HF_TIMER_RTO:
        trace_add(&text, ", %u ms", ladder->rto_ms);
        break;
    case HF_TIMER_SYN_ACK:
        trace_add(&text, ", %lld ms",
                  (long long)(record->time_ns - ladder->syn_ack_ns + 500000) / 1000000);
        break;
    case HF_CALL_SEND:
        if (record->text_bytes > 0) {
            trace_add(&text, ", ");
            trace_add_count(&text, record->text_bytes);
            trace_add(&text, record->text_bytes == 1 ? " octet" : " octets");
        }
        break;
    default:
        break;
    }
    trace_add(&text, ")");
    if (record->kind == HF_TRACE_END && record->error < 0) {
        trace_add(&text, " %s", hf_error_text(record->error));
    }
    if (record->kind == HF_TRACE_CALL && record->error < 0) {
        trace_add(&text, " refused: %s", hf_error_text(record->error));
    }
}

static void add_run_half(struct text *text, const char *which, uint64_t segments, uint64_t octets,
                         uint64_t repeats, uint64_t dropped, bool super)
{
    if (segments == 0) {
        return;
    }
    trace_add(text, "%s%s ", text->len > 4 ? "; " : "", which);
    trace_add_count(text, segments);
    trace_add(text, super ? " frame%s" : " segment%s", segments == 1 ? "" : "s");
    if (octets > 0) {
        trace_add(text, ", ");
        trace_add_count(text, octets);
        trace_add(text, octets == 1 ? " octet" : " octets");
    }
    if (repeats > 0) {
        trace_add(text, ", ");
        trace_add_count(text, repeats);
        trace_add(text, " repeated");
    }
    if (dropped > 0) {
        trace_add(text, ", ");
        trace_add_count(text, dropped);
        trace_add(text, " of no use");
    }
}

static void add_run_count(struct text *text, uint64_t count, const char *what)
{
    if (count > 0) {
        trace_add(text, "%s", text->len > 4 ? "; " : "");
        trace_add_count(text, count);
        trace_add(text, " %s%s", what, count == 1 ? "" : "s");
    }
}

void trace_run_label(const struct run *run, char *note)
{
    struct text text = trace_text(note, NOTE_BYTES);
    trace_add(&text, "... ");
    add_run_half(&text, "out:", run->out.segments, run->out.octets, run->out.repeats,
                 run->out.dropped, run->out.super);
    add_run_half(&text, "in:", run->in.segments, run->in.octets, run->in.repeats, run->in.dropped,
                 run->in.super);
    add_run_count(&text, run->timeouts, "timeout");
    if (run->out.segments + run->in.segments == 0) { /* else these show in what they made leave */
        add_run_count(&text, run->calls, "call");
        add_run_count(&text, run->events, "event");
    }
    if (run->lost > 0) {
        trace_add(&text, "; ");
        trace_add_count(&text, run->lost);
        trace_add(&text, " lost on the wire");
    }
    trace_add(&text, "; ");
    trace_add_seconds(&text, run->until_ns - run->since_ns);
    trace_add(&text, " s ...");
}

static const char *who_closed_first(const struct hf_ladder *ladder)
{
    switch (ladder->first_fin) {
    case 1:
        return "this side closed first";
    case 2:
        return "the peer closed first";
    case 3:
        return "both sides closed at once";
    default:
        return "nobody sent a FIN";
    }
}

static void why_after_timer(struct text *text, const struct hf_ladder *ladder)
{
    const struct hf_trace *last = &ladder->last;
    enum hf_verdict verdict = (enum hf_verdict)last->verdict;
    if (verdict == HF_V_TIME_WAIT_RECYCLED) {
        trace_add(text, " in order: %s; %s (%s)", who_closed_first(ladder),
                  hf_verdict_sentence(verdict), hf_verdict_place(verdict));
        return;
    }
    if (verdict == HF_V_ORPHAN_RESET) {
        trace_add(text, ": given up in %s: %s (%s)",
                  hf_state_name((enum hf_state)last->state_before), hf_verdict_sentence(verdict),
                  hf_verdict_place(verdict));
        return;
    }
    switch (last->cause) {
    case HF_TIMER_TIME_WAIT:
        trace_add(text, " in order: %s, and 2MSL are over", who_closed_first(ladder));
        break;
    case HF_TIMER_FIN_WAIT_2:
        trace_add(text, ": forgotten, the peer's FIN did not come in time");
        break;
    default:
        trace_add(text, ": given up in %s, %s", hf_state_name((enum hf_state)last->state_before),
                  hf_cause_name((enum hf_cause)last->cause));
    }
}

static void why_after_segment(struct text *text, const struct hf_ladder *ladder)
{
    const struct hf_trace *last = &ladder->last;
    enum hf_verdict verdict = (enum hf_verdict)last->verdict;
    if (!(last->ctl & HF_RST) && last->state_before == HF_LAST_ACK) {
        trace_add(text, " in order: %s, and our FIN is acknowledged", who_closed_first(ladder));
        return;
    }
    trace_add(text, ": %s (%s)", hf_verdict_sentence(verdict), hf_verdict_place(verdict));
}

void trace_why_closed(const struct hf_ladder *ladder, char *label)
{
    struct text text = trace_text(label, LABEL_BYTES);
    if (ladder->state == HF_LISTEN) {
        trace_add(&text, "back in LISTEN: nothing is left of it");
        return;
    }
    if (ladder->state != HF_CLOSED) {
        trace_add(&text, "not closed yet: %s", hf_state_name((enum hf_state)ladder->state));
        if (ladder->state == HF_TIME_WAIT) {
            trace_add(&text, "; in order: %s", who_closed_first(ladder));
        } else if (ladder->waits) {
            trace_add(&text, "; %s", hf_cause_name((enum hf_cause)ladder->waits));
        }
        return;
    }
    trace_add(&text, "closed");
    switch (ladder->last.kind) {
    case HF_TRACE_TIMER:
        why_after_timer(&text, ladder);
        break;
    case HF_TRACE_END:
        trace_add(&text, " in %s by the %s",
                  hf_state_name((enum hf_state)ladder->last.state_before),
                  hf_cause_name((enum hf_cause)ladder->last.cause));
        if (ladder->last.error < 0) {
            trace_add(&text, ": %s", hf_error_text(ladder->last.error));
        }
        break;
    case HF_TRACE_CALL:
        trace_add(&text, " by this side's %s in %s",
                  hf_cause_name((enum hf_cause)ladder->last.cause),
                  hf_state_name((enum hf_state)ladder->last.state_before));
        break;
    default:
        why_after_segment(&text, ladder);
    }
}
