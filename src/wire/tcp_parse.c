/* tcp_parse.c - the TCP header and its options, RFC 9293 sections 3.1 and 3.2.
 *
 * MUST-5, MUST-6, MUST-7: options may begin anywhere, unknown ones are skipped, and an illegal
 * length does no harm.  A length below 2 or past the option area ends the parsing, and what stood
 * before it counts; an option of a known kind whose length is not the one its RFC gives is skipped
 * alone.  Of a repeated option the last one counts.
 */
#include "base/bytes.h"
#include "wire/tcp_options.h"
#include "wire/wire.h"

/* An option as it lies: value_len octets at value. */
struct option {
    uint8_t kind;
    uint8_t len; /* with kind and length octet */
    const uint8_t *value;
};

static void take_sack(const struct option *o, struct tcp_options *opt)
{
    if (o->len < BYTES_SACK + BYTES_SACK_BLOCK || (o->len - BYTES_SACK) % BYTES_SACK_BLOCK != 0) {
        return;
    }
    opt->present |= OPT_SACK;
    opt->n_sack = (uint8_t)min_u32((o->len - 2u) / BYTES_SACK_BLOCK, TCP_MAX_SACK);
    for (unsigned i = 0; i < opt->n_sack; i++) {
        opt->sack[i].left = seq(get_be32(o->value + 8 * i));
        opt->sack[i].right = seq(get_be32(o->value + 8 * i + 4));
    }
}

/* RFC 7413 section 4.1.1, RFC7413-2: an even number of octets, 4 to 16; none asks for a cookie. */
static void take_cookie(const uint8_t *cookie, unsigned len, uint32_t present,
                        struct tcp_options *opt)
{
    if (len != 0 && (len < MIN_COOKIE || len > TCP_MAX_COOKIE || len % 2 != 0)) {
        return;
    }
    opt->present = (opt->present & ~(uint32_t)OPT_FASTOPEN_EXP) | present;
    opt->fo_len = (uint8_t)len;
    memcpy(opt->fo_cookie, cookie, len);
}

static void take_experiment(const struct option *o, struct tcp_options *opt)
{
    if (o->len >= BYTES_FASTOPEN_EXP && get_be16(o->value) == FASTOPEN_MAGIC) {
        take_cookie(o->value + 2, (unsigned)o->len - BYTES_FASTOPEN_EXP,
                    OPT_FASTOPEN | OPT_FASTOPEN_EXP, opt);
    }
}

/* RFC 9768 section 3.2.3 (RFC9768-18): none to three counters of 24 bits; of another length the
 * counters that fit, the rest is padding. */
static void take_accecn(const struct option *o, uint32_t present, struct tcp_options *opt)
{
    unsigned n = min_u32((o->len - 2u) / 3, ARRAY_LEN(opt->accecn));
    opt->present = (opt->present & ~(uint32_t)(OPT_ACCECN0 | OPT_ACCECN1)) | present;
    opt->n_accecn = (uint8_t)n;
    for (unsigned i = 0; i < n; i++) {
        opt->accecn[i] = (uint32_t)o->value[3 * i] << 16 | get_be16(o->value + 3 * i + 1);
    }
}

/* The options of one fixed length; false: this kind is none of them, or the length is not its.
 * MUST-4 */
static bool take_fixed(const struct option *o, struct tcp_options *opt)
{
    switch (o->kind << 8 | o->len) {
    case KIND_MSS << 8 | BYTES_MSS:
        opt->present |= OPT_MSS;
        opt->mss = get_be16(o->value);
        return true;
    case KIND_WSCALE << 8 | BYTES_WSCALE:
        opt->present |= OPT_WSCALE;
        opt->wscale = o->value[0];
        return true;
    case KIND_SACK_OK << 8 | BYTES_SACK_OK:
        opt->present |= OPT_SACK_OK;
        return true;
    case KIND_TS << 8 | BYTES_TS:
        opt->present |= OPT_TS;
        opt->ts_val = get_be32(o->value);
        opt->ts_ecr = get_be32(o->value + 4);
        return true;
    case KIND_UTO << 8 | BYTES_UTO:
        opt->present |= OPT_UTO;
        opt->uto = get_be16(o->value);
        return true;
    case KIND_MD5 << 8 | BYTES_MD5:
        opt->present |= OPT_MD5;
        return true;
    default:
        return false;
    }
}

static void take(const struct option *o, struct tcp_options *opt)
{
    if (take_fixed(o, opt)) {
        return;
    }
    switch (o->kind) {
    case KIND_SACK:
        take_sack(o, opt);
        break;
    case KIND_FASTOPEN:
        take_cookie(o->value, (unsigned)o->len - BYTES_FASTOPEN, OPT_FASTOPEN, opt);
        break;
    case KIND_EXPERIMENT:
        take_experiment(o, opt);
        break;
    case KIND_ACCECN0:
        take_accecn(o, OPT_ACCECN0, opt);
        break;
    case KIND_ACCECN1:
        take_accecn(o, OPT_ACCECN1, opt);
        break;
    case KIND_AO:
        opt->present |= o->len >= BYTES_AO_MIN ? OPT_AO : 0;
        break;
    default:
        break;
    }
}

/* What nearly every segment of an open connection carries: nop, nop, timestamps. */
static bool take_aligned_timestamps(const uint8_t *p, size_t len, struct tcp_options *opt)
{
    const uint32_t prefix = KIND_NOP << 24 | KIND_NOP << 16 | KIND_TS << 8 | BYTES_TS;
    if (len != 12 || get_be32(p) != prefix) {
        return false;
    }
    opt->present = OPT_TS;
    opt->ts_val = get_be32(p + 4);
    opt->ts_ecr = get_be32(p + 8);
    return true;
}

/* What nearly every SYN carries: mss, sackOK, timestamps, nop, wscale. */
static bool take_usual_syn(const uint8_t *p, size_t len, struct tcp_options *opt)
{
    const uint32_t middle = KIND_SACK_OK << 24 | BYTES_SACK_OK << 16 | KIND_TS << 8 | BYTES_TS;
    const uint32_t last = KIND_NOP << 16 | KIND_WSCALE << 8 | BYTES_WSCALE;
    if (len != 20 || get_be16(p) != (KIND_MSS << 8 | BYTES_MSS) || get_be32(p + 4) != middle ||
        get_be32(p + 16) >> 8 != last) {
        return false;
    }
    opt->present = OPT_MSS | OPT_SACK_OK | OPT_TS | OPT_WSCALE;
    opt->mss = get_be16(p + 2);
    opt->ts_val = get_be32(p + 8);
    opt->ts_ecr = get_be32(p + 12);
    opt->wscale = p[19];
    return true;
}

void wire_parse_tcp_options(const uint8_t *p, size_t len, struct tcp_options *opt)
{
    *opt = (struct tcp_options){0};
    if (take_aligned_timestamps(p, len, opt) || take_usual_syn(p, len, opt)) {
        return;
    }
    size_t at = 0;
    /* MUST-64, MUST-68, MUST-69: octet by octet; behind the end is padding */
    while (at < len && p[at] != KIND_END) {
        if (p[at] == KIND_NOP) {
            at++;
            continue;
        }
        if (len - at < 2 || p[at + 1] < 2 || p[at + 1] > len - at) {
            opt->present |= OPT_BAD;
            return;
        }
        take(&(struct option){p[at], p[at + 1], p + at + 2}, opt);
        at += p[at + 1];
    }
}

/* MSS, window scale, SACK-permitted and Fast Open mean something only with a SYN, SACK blocks only
 * without one: elsewhere they are as good as absent (RFC7413-3).  MUST-65, RFC7323-6, RFC2018-1 */
static uint32_t out_of_place(uint16_t ctl)
{
    if ((ctl & CTL_SYN) != 0) {
        return OPT_SACK;
    }
    return OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_FASTOPEN | OPT_FASTOPEN_EXP;
}

enum wire_status wire_parse_tcp(const uint8_t *p, size_t len, struct segment *seg)
{
    if (len < 20) {
        *seg = (struct segment){0};
        return WIRE_SHORT;
    }
    seg->sport = get_be16(p);
    seg->dport = get_be16(p + 2);
    seg->seq = seq(get_be32(p + 4));
    seg->ack = seq(get_be32(p + 8));
    /* */
    seg->ctl = get_be16(p + 12) & 0x1ff;
    seg->wnd = get_be16(p + 14);
    seg->up = get_be16(p + 18);
    seg->header_len = (uint16_t)((p[12] >> 4) * 4);
    seg->text = p;
    seg->text_len = 0;
    seg->len = 0;
    seg->packets = 1;
    seg->ecn = NOT_ECT;
    seg->opt = (struct tcp_options){0};
    if (seg->header_len < 20) {
        return WIRE_BAD_HEADER_LEN;
    }
    if (seg->header_len > len) {
        return WIRE_SHORT;
    }
    if (seg->header_len > 20) {
        wire_parse_tcp_options(p + 20, (size_t)seg->header_len - 20, &seg->opt);
        seg->opt.present &= ~out_of_place(seg->ctl);
        seg->opt.n_sack = (seg->opt.present & OPT_SACK) != 0 ? seg->opt.n_sack : 0;
    }
    seg->text = p + seg->header_len;
    seg->text_len = (uint32_t)(len - seg->header_len);
    seg->len = seg->text_len + ((seg->ctl & CTL_SYN) != 0) + ((seg->ctl & CTL_FIN) != 0);
    return WIRE_OK;
}
