/* train.c - frames of one batch that follow each other as the segments of a bulk transfer do: the
 * headers are those of the frame before, but for what counts on.
 *
 * The first has come the long way up (input.c).  Whoever's headers are the same to the octet, but
 * for length, ident, SEG.SEQ, PSH and checksums, passes each of its checks with the same result:
 * what is left is the checksum, and what the connection foresees (tcp/prediction.c).
 */
#include "stack/stack.h"

enum { IP4_BYTES = 20, IP6_BYTES = 40, TCP_BYTES = 20 };

static bool same4(const uint8_t *p, const uint8_t *q)
{
    return memcmp(p, q, 4) == 0;
}

static bool same8(const uint8_t *p, const uint8_t *q)
{
    return memcmp(p, q, 8) == 0;
}

void stack_train_lead(struct stack *st, const struct arrival *a, const struct segment *seg)
{
    struct stack_train *train = st->train;
    const struct hf_frame_in *frame = a->frame;
    if (!tcp_predicts(&st->tcp)) {
        return; /* one by one */
    }
    bool whole = frame != NULL && a->packet != NULL && !a->reassembled && a->lent == 0 &&
                 (frame->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6)) == 0;
    if (!whole || a->ip.header_len != (a->ip.version == 4 ? IP4_BYTES : IP6_BYTES)) {
        return;
    }
    train->ip_at = (uint32_t)(a->packet - frame->data);
    train->tcp_at = train->ip_at + a->ip.header_len;
    train->text_at = train->tcp_at + seg->header_len;
    if (train->ip_at + a->ip.total_len == frame->len && train->text_at < frame->len) {
        train->last = frame;
        train->len = frame->len; /* of all but the last */
        train->begun = false;
    }
}

/* RFC 791: version, length of the header, TOS; total length; DF, TTL, protocol; addresses. */
static bool same_ip4(const uint8_t *p, const uint8_t *q, uint32_t len)
{
    if (same8(p, q) && same8(p + 8, q + 8) && same4(p + 16, q + 16)) {
        return get_be16(p + 2) == len;
    }
    return p[0] == q[0] && p[1] == q[1] && get_be16(p + 2) == len && same4(p + 6, q + 6) &&
           same8(p + 12, q + 12) && csum_finish(csum_add(0, p, IP4_BYTES)) == 0;
}

/* RFC 8200: version, class, flow label; payload length; next header, hop limit; addresses. */
static bool same_ip6(const uint8_t *p, const uint8_t *q, uint32_t len)
{
    return same4(p, q) && get_be16(p + 4) + (uint32_t)IP6_BYTES == len && p[6] == q[6] &&
           p[7] == q[7] && memcmp(p + 8, q + 8, 32) == 0;
}

/* Ports; SEG.ACK; length of the header, control bits but for PSH; window; options. */
static bool same_tcp(const uint8_t *p, const uint8_t *q, uint32_t len)
{
    return same4(p, q) && same4(p + 8, q + 8) && p[12] == q[12] && (p[13] & ~CTL_PSH) == CTL_ACK &&
           (q[13] & ~CTL_PSH) == CTL_ACK && p[14] == q[14] && p[15] == q[15] &&
           memcmp(p + TCP_BYTES, q + TCP_BYTES, len - TCP_BYTES) == 0;
}

static bool same_headers(const struct stack_train *train, const struct hf_frame_in *frame)
{
    const struct hf_frame_in *last = train->last;
    if (frame->data == NULL || frame->iface != last->iface || frame->flags != last->flags ||
        frame->region != 0 || last->len != train->len || frame->len > train->len ||
        frame->len <= train->text_at) {
        return false;
    }
    const uint8_t *p = frame->data, *q = last->data;
    uint32_t ip = train->ip_at, tcp = train->tcp_at, len = frame->len - ip;
    return (ip == 0 || memcmp(p, q, ip) == 0) &&
           (tcp - ip == IP4_BYTES ? same_ip4(p + ip, q + ip, len)
                                  : same_ip6(p + ip, q + ip, len)) &&
           same_tcp(p + tcp, q + tcp, train->text_at - tcp);
}

/* The connection, and whether it foresees what comes. */
static bool begin(struct stack *st)
{
    struct stack_train *train = st->train;
    const struct hf_frame_in *first = train->last;
    struct wire_ip ip;
    struct segment seg;
    (void)wire_parse_ip(first->data + train->ip_at, first->len - train->ip_at, &ip);
    if (wire_parse_tcp(first->data + train->tcp_at, first->len - train->tcp_at, &seg) != WIRE_OK) {
        return false;
    }
    struct conn_id id = stack_conn_id(ip.dst, ip.src, (uint8_t)first->iface, &seg);
    seg.ecn = ip.tos & 3;
    train->addresses = wire_pseudo(&ip, WIRE_PROTO_TCP, 0);
    train->begun = tcp_run_begin(&st->tcp, &train->run, &id, &seg);
    return train->begun;
}

bool stack_train_takes(struct stack *st, const struct hf_frame_in *frame)
{
    struct stack_train *train = st->train;
    if (train->last == NULL || !same_headers(train, frame) || !(train->begun || begin(st))) {
        return false;
    }
    const uint8_t *header = frame->data + train->tcp_at;
    uint32_t header_len = train->text_at - train->tcp_at;
    struct tcp_part part = {
        .seq = seq(get_be32(header + 4)),
        .ctl = header[13],
        .text = frame->data + train->text_at,
        .len = frame->len - train->text_at,
    };
    uint8_t len[4];
    put_be32(len, frame->len - train->tcp_at);
    csum_t sum = csum_add(csum_add(train->addresses, len, sizeof len), header, header_len);
    bool checked = frame->flags & HF_FRAME_CSUM_OK;
    if (!tcp_run_take(&st->tcp, &train->run, &part, checked ? NULL : &sum)) {
        return false;
    }
    HF_COUNT(st->s->tcp.work.summed, checked ? 0 : header_len);
    st->s->frames_in++;
    train->last = frame;
    return true;
}

void stack_train_ends(struct stack *st)
{
    if (st->train->last != NULL && st->train->begun) {
        st->tcp.iface = (uint8_t)st->train->last->iface;
        tcp_run_end(&st->tcp, &st->train->run);
    }
    st->train->last = NULL;
}
