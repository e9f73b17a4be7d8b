/* comment.c - packet comments for captures: the trace record of a packet, in a sentence.
 *
 * Records and captured packets come in nearly the same order, so each direction has a ring of
 * records, and a packet's is found at or near its oldest.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "handfast/device.h"
#include "handfast/packet.h"
#include "trace/text.h"

static void add_states(struct text *text, const struct hf_trace *record)
{
    enum hf_state before = (enum hf_state)record->state_before;
    enum hf_state after = (enum hf_state)record->state_after;
    bool none = record->kind == HF_TRACE_DROP || (record->marks & HF_MARK_NO_CONNECTION);
    if (none && !(record->marks & HF_MARK_ICMP)) {
        trace_add(text, "no connection");
    } else if (before == after) {
        trace_add(text, "%s", hf_state_name(after));
    } else {
        trace_add(text, "%s -> %s", hf_state_name(before), hf_state_name(after));
    }
}

size_t hf_comment_text(const struct hf_trace *record, char at[HF_COMMENT_BYTES])
{
    struct text text = trace_text(at, HF_COMMENT_BYTES);
    enum hf_verdict verdict = (enum hf_verdict)record->verdict;
    enum hf_cause cause = (enum hf_cause)record->cause;
    enum hf_state before = (enum hf_state)record->state_before;
    enum hf_state after = (enum hf_state)record->state_after;
    if (record->kind >= HF_TRACE_CALL) {
        return 0;
    }
    trace_add(&text, "handfast: ");
    bool tcp = !(record->marks & (HF_MARK_UDP | HF_MARK_ICMP));
    if (tcp || before != after) { /* an ICMP error may end a connection */
        add_states(&text, record);
        trace_add(&text, "; ");
    }
    if (record->kind != HF_TRACE_OUT) {
        trace_add(&text, "%s (%s)", hf_verdict_sentence(verdict), hf_verdict_place(verdict));
        return text.len;
    }
    trace_add(&text, "%s",
              record->marks & HF_MARK_PROBE    ? "a probe"
              : record->marks & HF_MARK_REPEAT ? "sent again"
                                               : "sent");
    if (cause != HF_CAUSE_NONE) {
        trace_add(&text, " (%s)", hf_cause_name(cause));
    }
    return text.len;
}

/* What a packet is known by, and what its comment is made from. */
struct ring {
    struct hf_trace *records; /* version 0: used up */
    uint32_t first, n;
};

enum { CHANGES = 64, MOST = 4096 };

struct hf_comments {
    uint32_t most;
    struct ring in, out;
    /* A call or a timer changed the state: the next segment out shows it.  By hash, newest wins. */
    struct hf_trace changes[CHANGES];
    struct hf_trace icmp; /* an ICMP error has ended a connection: its record comes next */
};

struct hf_comments *hf_comments_new(uint32_t most)
{
    struct hf_comments *comments = calloc(1, sizeof *comments);
    if (comments == NULL) {
        return NULL;
    }
    comments->most = most == 0 ? MOST : most;
    comments->in.records = calloc(comments->most, sizeof *comments->in.records);
    comments->out.records = calloc(comments->most, sizeof *comments->out.records);
    if (comments->in.records == NULL || comments->out.records == NULL) {
        hf_comments_free(comments);
        return NULL;
    }
    return comments;
}

void hf_comments_free(struct hf_comments *comments)
{
    if (comments != NULL) {
        free(comments->in.records);
        free(comments->out.records);
        free(comments);
    }
}

static bool same_connection(const struct hf_trace *a, const struct hf_trace *b)
{
    return a->local_port == b->local_port && a->remote_port == b->remote_port &&
           memcmp(a->remote_ip, b->remote_ip, 16) == 0 && memcmp(a->local_ip, b->local_ip, 16) == 0;
}

static struct hf_trace *change_of(struct hf_comments *comments, const struct hf_trace *record)
{
    uint32_t hash = (record->local_port * 31u + record->remote_port) * 31u + record->remote_ip[15];
    return &comments->changes[hash % CHANGES];
}

static void push(struct hf_comments *comments, struct ring *ring, const struct hf_trace *record)
{
    if (ring->n == comments->most) {
        ring->first = (ring->first + 1) % comments->most;
        ring->n--;
    }
    uint32_t at = (ring->first + ring->n) % comments->most;
    ring->records[at] = *record;
    ring->records[at].version = HF_TRACE_VERSION;
    ring->n++;
}

static void push_in(struct hf_comments *comments, const struct hf_trace *record)
{
    struct hf_trace came = *record;
    if (record->verdict == HF_V_ICMP_TAKEN && comments->icmp.version != 0) {
        came.state_before = comments->icmp.state_before;
        came.state_after = comments->icmp.state_after;
        comments->icmp.version = 0;
    }
    push(comments, &comments->in, &came);
}

void hf_comments_trace(void *arg, const struct hf_trace *record)
{
    struct hf_comments *comments = arg;
    if (record->kind == HF_TRACE_END && record->cause == HF_CAUSE_ICMP) {
        comments->icmp = *record;
        return;
    }
    if (record->kind >= HF_TRACE_CALL) {
        if (record->state_before != record->state_after && record->cause != HF_CAUSE_REPLACED) {
            *change_of(comments, record) = *record;
        }
        return;
    }
    if (record->kind != HF_TRACE_OUT) {
        push_in(comments, record);
        return;
    }
    struct hf_trace sent = *record, *change = change_of(comments, record);
    if (change->version != 0 && same_connection(change, record) &&
        change->state_after == record->state_before) {
        sent.state_before = change->state_before;
        change->version = 0;
    }
    push(comments, &comments->out, &sent);
}

static bool fits_tcp(const struct hf_trace *record, const struct hf_packet *packet)
{
    const uint16_t telling = HF_SYN | HF_RST | HF_ACK;
    uint32_t at = packet->seq - record->seq;
    if (record->kind == HF_TRACE_DROP) { /* stopped before its length was known */
        return !(record->marks & (HF_MARK_UDP | HF_MARK_ICMP)) && record->ctl == packet->ctl &&
               record->ack == packet->ack && at == 0;
    }
    return !(record->marks & (HF_MARK_UDP | HF_MARK_ICMP)) &&
           (record->ctl & telling) == (packet->ctl & telling) &&
           (!(packet->ctl & HF_FIN) || (record->ctl & HF_FIN)) && record->ack == packet->ack &&
           at <= record->text_bytes && packet->text_bytes <= record->text_bytes - at &&
           (packet->text_bytes > 0 || record->text_bytes == 0);
}

static bool fits(const struct hf_trace *record, const struct hf_packet *packet, bool out)
{
    if (memcmp(out ? packet->src : packet->dst, record->local_ip, 16) != 0 ||
        memcmp(out ? packet->dst : packet->src, record->remote_ip, 16) != 0) {
        return false;
    }
    if (packet->layers & HF_LAYER_ICMP) {
        return (record->marks & HF_MARK_ICMP) &&
               record->seq == ((uint32_t)packet->icmp_type << 8 | packet->icmp_code);
    }
    if ((out ? packet->src_port : packet->dst_port) != record->local_port ||
        (out ? packet->dst_port : packet->src_port) != record->remote_port) {
        return false;
    }
    if (packet->layers & HF_LAYER_UDP) {
        return (record->marks & HF_MARK_UDP) &&
               (record->kind == HF_TRACE_DROP || record->text_bytes == packet->text_bytes);
    }
    return fits_tcp(record, packet);
}

/* The last piece of what the record tells of. */
static bool used_up(const struct hf_trace *record, const struct hf_packet *packet)
{
    return !(packet->layers & HF_LAYER_TCP) || record->kind == HF_TRACE_DROP ||
           packet->seq + packet->text_bytes == record->seq + record->text_bytes;
}

size_t hf_comments_find(struct hf_comments *comments, const struct hf_packet *packet, bool out,
                        char text[HF_COMMENT_BYTES])
{
    struct ring *ring = out ? &comments->out : &comments->in;
    if (!(packet->layers & (HF_LAYER_TCP | HF_LAYER_UDP | HF_LAYER_ICMP))) {
        return 0;
    }
    for (uint32_t i = 0; i < ring->n; i++) {
        struct hf_trace *record = &ring->records[(ring->first + i) % comments->most];
        if (record->version == 0 || !fits(record, packet, out)) {
            continue;
        }
        struct hf_trace told = *record;
        if (used_up(record, packet)) {
            record->version = 0;
        } else {
            told.state_after = told.state_before; /* the last piece makes the difference */
        }
        size_t len = hf_comment_text(&told, text);
        while (ring->n > 0 && ring->records[ring->first].version == 0) {
            ring->first = (ring->first + 1) % comments->most;
            ring->n--;
        }
        return len;
    }
    return 0;
}

size_t hf_comments_captured(void *arg, const struct hf_captured *captured, char *text, size_t room)
{
    struct hf_packet packet = {.struct_size = sizeof packet};
    char comment[HF_COMMENT_BYTES];
    hf_packet_decode(captured->data, captured->len, (enum hf_link)captured->link, &packet);
    size_t len = hf_comments_find(arg, &packet, captured->direction == HF_DIRECTION_OUT, comment);
    len = len < room ? len : room;
    memcpy(text, comment, len);
    return len;
}
