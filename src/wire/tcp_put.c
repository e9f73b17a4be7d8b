/* tcp_put.c - a TCP header written, RFC 9293 section 3.1, with options as mainstream stacks put
 * them on the wire; and the checksum.
 *
 *     mss | sackOK,TS  | nop,wscale | FO,nop,nop | UTO            with a SYN
 *         | nop,nop,TS
 *         | nop,nop,sackOK
 *     nop,nop,TS | nop,nop,SACK                                   without
 *     AccECN, behind nops                                         last in either
 *
 * Every group is a multiple of four octets, so there is never padding at the end.
 */
#include "base/bytes.h"
#include "wire/tcp_options.h"
#include "wire/wire.h"

/* Where the next octet goes.  With out NULL nothing is written: it only measures. */
struct writer {
    uint8_t *out;
    size_t at;
};

static void put8(struct writer *w, uint8_t value)
{
    if (w->out != NULL) {
        w->out[w->at] = value;
    }
    w->at++;
}

static void put16(struct writer *w, uint16_t value)
{
    if (w->out != NULL) {
        put_be16(w->out + w->at, value);
    }
    w->at += 2;
}

static void put32(struct writer *w, uint32_t value)
{
    if (w->out != NULL) {
        put_be32(w->out + w->at, value);
    }
    w->at += 4;
}

/* The first four octets of many groups: two options' heads, or nops before one. */
static void put_head(struct writer *w, uint8_t a, uint8_t b, uint8_t kind, uint8_t len)
{
    put32(w, (uint32_t)a << 24 | (uint32_t)b << 16 | (uint32_t)kind << 8 | len);
}

static size_t room(const struct writer *w)
{
    return MAX_OPTION_BYTES - w->at;
}

/* RFC7323-50 */
static void put_sack_ok_and_ts(struct writer *w, const struct tcp_options *opt)
{
    bool ts = (opt->present & OPT_TS) != 0;
    bool sack_ok = (opt->present & OPT_SACK_OK) != 0;
    if (ts) {
        put_head(w, sack_ok ? KIND_SACK_OK : KIND_NOP, sack_ok ? BYTES_SACK_OK : KIND_NOP, KIND_TS,
                 BYTES_TS);
        put32(w, opt->ts_val);
        put32(w, opt->ts_ecr);
    } else if (sack_ok) {
        put_head(w, KIND_NOP, KIND_NOP, KIND_SACK_OK, BYTES_SACK_OK);
    }
}

static void put_cookie(struct writer *w, const struct tcp_options *opt)
{
    bool experiment = (opt->present & OPT_FASTOPEN_EXP) != 0;
    size_t head = experiment ? BYTES_FASTOPEN_EXP : BYTES_FASTOPEN;
    size_t len = head + opt->fo_len;
    if (opt->fo_len > TCP_MAX_COOKIE || (len + 3) / 4 * 4 > room(w)) {
        return;
    }
    put8(w, experiment ? KIND_EXPERIMENT : KIND_FASTOPEN);
    put8(w, (uint8_t)len);
    if (experiment) {
        put16(w, FASTOPEN_MAGIC);
    }
    for (size_t i = 0; i < opt->fo_len; i++) {
        put8(w, opt->fo_cookie[i]);
    }
    while (w->at % 4 != 0) {
        put8(w, KIND_NOP);
    }
}

/* RFC2018-5 */
static void put_sack(struct writer *w, const struct tcp_options *opt)
{
    if (room(w) < 4 + BYTES_SACK_BLOCK) {
        return;
    }
    uint32_t blocks = min_u32(opt->n_sack, (uint32_t)((room(w) - 4) / BYTES_SACK_BLOCK));
    if (blocks == 0) {
        return;
    }
    put_head(w, KIND_NOP, KIND_NOP, KIND_SACK, (uint8_t)(BYTES_SACK + blocks * BYTES_SACK_BLOCK));
    for (uint32_t i = 0; i < blocks; i++) {
        put32(w, opt->sack[i].left.v);
        put32(w, opt->sack[i].right.v);
    }
}

/* RFC 9768 section 3.2.3 (RFC9768-18): n_accecn counters of 24 bits each (RFC9768-19). */
static void put_accecn(struct writer *w, const struct tcp_options *opt)
{
    size_t len = 2 + 3 * (size_t)opt->n_accecn;
    size_t nops = (4 - len % 4) % 4;
    if (opt->n_accecn > ARRAY_LEN(opt->accecn) || nops + len > room(w)) {
        return;
    }
    while (nops-- != 0) {
        put8(w, KIND_NOP);
    }
    put8(w, opt->present & OPT_ACCECN0 ? KIND_ACCECN0 : KIND_ACCECN1);
    put8(w, (uint8_t)len);
    for (unsigned i = 0; i < opt->n_accecn; i++) {
        put8(w, (uint8_t)(opt->accecn[i] >> 16));
        put16(w, (uint16_t)opt->accecn[i]);
    }
}

static size_t put_options(uint8_t *out, const struct tcp_options *opt)
{
    struct writer w = {out, 0};
    if (opt->present == OPT_TS) { /* nearly always */
        put_sack_ok_and_ts(&w, opt);
        return w.at;
    }
    if ((opt->present & OPT_MSS) != 0) {
        put16(&w, KIND_MSS << 8 | BYTES_MSS);
        put16(&w, opt->mss);
    }
    put_sack_ok_and_ts(&w, opt);
    if ((opt->present & OPT_WSCALE) != 0) {
        put_head(&w, KIND_NOP, KIND_WSCALE, BYTES_WSCALE, opt->wscale);
    }
    if ((opt->present & OPT_FASTOPEN) != 0) {
        put_cookie(&w, opt);
    }
    if ((opt->present & OPT_UTO) != 0 && room(&w) >= BYTES_UTO) {
        put16(&w, KIND_UTO << 8 | BYTES_UTO);
        put16(&w, opt->uto);
    }
    if ((opt->present & OPT_SACK) != 0) {
        put_sack(&w, opt);
    }
    if ((opt->present & (OPT_ACCECN0 | OPT_ACCECN1)) != 0) {
        put_accecn(&w, opt);
    }
    return w.at;
}

size_t wire_tcp_header_len(const struct tcp_options *opt)
{
    if (opt->present == OPT_TS) { /* nearly always */
        return 20 + 2 + BYTES_TS;
    }
    return 20 + (opt->present == 0 ? 0 : put_options(NULL, opt));
}

/* no reserved bit is ever set */
size_t wire_put_tcp(uint8_t *out, const struct segment *seg)
{
    HF_ASSERT(seg->wnd <= 65535);
    size_t header_len = 20;
    if (seg->opt.present != 0) {
        header_len += put_options(out + 20, &seg->opt);
    }
    put_be16(out, seg->sport);
    put_be16(out + 2, seg->dport);
    put_be32(out + 4, seg->seq.v);
    put_be32(out + 8, seg->ack.v);
    put_be16(out + 12, (uint16_t)(header_len / 4 << 12 | (seg->ctl & 0x1ff)));
    put_be16(out + 14, (uint16_t)seg->wnd);
    put_be16(out + 16, 0);
    put_be16(out + 18, seg->up);
    return header_len;
}

bool wire_tcp_checksum_ok(const struct wire_ip *ip, const uint8_t *p, size_t len)
{
    csum_t sum = wire_pseudo(ip, WIRE_PROTO_TCP, (uint32_t)len);
    return csum_finish(csum_add(sum, p, len)) == 0;
}

/* MUST-2 */
void wire_set_tcp_checksum(uint8_t *header, size_t header_len, const struct wire_ip *ip,
                           csum_t text_sum, uint32_t text_len)
{
    put_be16(header + 16, 0);
    csum_t sum = wire_pseudo(ip, WIRE_PROTO_TCP, (uint32_t)header_len + text_len);
    put_be16(header + 16, csum_finish(csum_add(sum, header, header_len) + text_sum));
}

void wire_set_tcp_partial(uint8_t *header, size_t header_len, const struct wire_ip *ip,
                          uint32_t text_len)
{
    csum_t sum = wire_pseudo(ip, WIRE_PROTO_TCP, (uint32_t)header_len + text_len);
    put_be16(header + 16, csum_fold(sum));
}
