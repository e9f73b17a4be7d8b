/* peer_frames.c - frames between the script and the stack: written, taken apart, checked. */
#include "common/peer.h"
#include "common/sound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { FRAMES = 16, SUPER_MAX = 70000, ETH = 14 };

uint32_t peer_number(struct peer *p, int64_t number)
{
    int64_t base = (number + (INT64_C(1) << 39)) >> 40;
    uint32_t offset = (uint32_t)(number - base * (INT64_C(1) << 40));
    if (base == 1) {
        if (!p->c->has_iss)
            peer_fail(p, "the script names ISS before the stack has sent a SYN");
        return p->c->iss + offset;
    }
    return base == 2 ? p->c->irs + offset : offset;
}

enum { RUN = 256, STEP = 7, UNSTEP = 183 }; /* STEP * UNSTEP is 1 modulo 256 */

uint8_t peer_octet(bool stack_side, uint32_t offset)
{
    return (uint8_t)(offset * STEP + (offset / RUN) * 13 + (stack_side ? 'a' : 'A'));
}

/* The octets from here on, len at most: up to the next multiple of RUN each is the one before it
 * and STEP.  Gigabytes are sent and compared. */
static const uint8_t *stretch(bool stack_side, uint32_t offset, uint32_t *len)
{
    static uint8_t steps[256 + RUN];
    for (int i = 256 + RUN; steps[1] == 0 && i-- > 0;)
        steps[i] = (uint8_t)(i * STEP);
    *len = *len < RUN - offset % RUN ? *len : RUN - offset % RUN;
    return steps + (uint8_t)(peer_octet(stack_side, offset) * UNSTEP);
}

void peer_octets(bool stack_side, uint32_t offset, uint8_t *text, uint32_t len)
{
    for (uint32_t at = 0, n; at < len; at += n) {
        n = len - at;
        const uint8_t *octets = stretch(stack_side, offset + at, &n);
        memcpy(text + at, octets, n);
    }
}

uint32_t peer_octets_right(bool stack_side, uint32_t offset, const uint8_t *text, uint32_t len)
{
    for (uint32_t at = 0, n; at < len; at += n) {
        n = len - at;
        const uint8_t *octets = stretch(stack_side, offset + at, &n);
        if (memcmp(text + at, octets, n) == 0)
            continue;
        while (text[at] == peer_octet(stack_side, offset + at))
            at++;
        return at;
    }
    return len;
}

/* In ------------------------------------------------------------------------------------------ */

static void give(struct peer *p, struct hf_frame_in *frame)
{
    if (p->batching && p->n_batch < sizeof p->batch / sizeof *p->batch) {
        p->batch[p->n_batch++] = *frame;
        return;
    }
    if (hf_input(p->stack, &p->env, frame, 1) != 0)
        peer_fail(p, "hf_input does not return 0");
    free((void *)(uintptr_t)frame->data); /* the sanitizer sees a stack that kept it */
    peer_pump(p);
}

void peer_batch_goes_in(struct peer *p)
{
    hf_input(p->stack, &p->env, p->batch, p->n_batch);
    for (uint32_t i = 0; i < p->n_batch; i++)
        free((void *)(uintptr_t)p->batch[i].data);
    p->n_batch = 0;
}

void peer_batch_ends(struct peer *p)
{
    p->batching = false;
    peer_batch_goes_in(p);
    peer_pump(p);
}

static void give_copy(struct peer *p, const void *bytes, uint32_t len, uint16_t flags,
                      uint16_t gso_size)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        abort();
    if (len)
        memcpy(copy, bytes, len);
    struct hf_frame_in frame = {.data = copy,
                                .len = len,
                                .iface = (uint16_t)p->iface,
                                .flags = flags,
                                .gso_size = gso_size};
    give(p, &frame);
}

void peer_frame(struct peer *p, const void *bytes, uint32_t len)
{
    peer_start(p);
    give_copy(p, bytes, len, 0, 0);
}

/* Ethernet and IP headers for payload octets to come; returns their length. */
static size_t put_lower(struct peer *p, uint8_t *out, uint8_t proto, size_t payload,
                        struct wire_ip *ip)
{
    size_t at = 0;
    if (p->ethernet) {
        struct wire_eth eth = {.type = p->v6 ? WIRE_ETH_IPV6 : WIRE_ETH_IPV4};
        memcpy(eth.dst, p->stack_mac, 6);
        memcpy(eth.src, p->peer_mac, 6);
        at = wire_put_eth(out, &eth);
    }
    *ip = (struct wire_ip){.version = p->v6 ? 6 : 4, .proto = proto, .ttl = 64, .df = !p->v6};
    memcpy(ip->src, p->peer_ip, 16);
    memcpy(ip->dst, p->stack_ip, 16);
    ip->tos = p->tos;
    ip->total_len = (uint32_t)((p->v6 ? 40 : 20) + payload);
    return at + wire_put_ip(out + at, ip);
}

void peer_ip(struct peer *p, uint8_t proto, const void *payload, uint32_t len)
{
    peer_start(p);
    struct wire_ip ip;
    uint8_t *frame = malloc(WIRE_MAX_ETH + WIRE_MAX_IP + (size_t)len);
    if (!frame)
        abort();
    size_t at = put_lower(p, frame, proto, len, &ip);
    memcpy(frame + at, payload, len);
    give_copy(p, frame, (uint32_t)at + len, 0, 0);
    free(frame);
}

static void put_spec_cookie(const char *text, struct tcp_options *opt)
{
    opt->present |= OPT_FASTOPEN;
    if (strncmp(text, "EXP", 3) == 0) {
        opt->present |= OPT_FASTOPEN_EXP;
        text += 3;
    }
    for (unsigned octet; opt->fo_len < 16 && sscanf(text, "%2x", &octet) == 1; text += 2)
        opt->fo_cookie[opt->fo_len++] = (uint8_t)octet;
}

static void put_spec_options(struct peer *p, const struct seg_spec *spec, struct tcp_options *opt)
{
    struct peer_conn *c = p->c;
    if (spec->mss) {
        opt->present |= OPT_MSS;
        opt->mss = (uint16_t)spec->mss;
    }
    if (spec->wscale) {
        opt->present |= OPT_WSCALE;
        opt->wscale = (uint8_t)(spec->wscale - 1);
    }
    if (spec->uto) {
        opt->present |= OPT_UTO;
        opt->uto = (uint16_t)peer_number(p, spec->uto);
    }
    if (spec->fo)
        put_spec_cookie(spec->fo, opt);
    if (spec->sackok)
        opt->present |= OPT_SACK_OK;
    if (spec->tsval || spec->tsecr || (c->ts && !spec->no_ts && !(spec->ctl & RST))) {
        opt->present |= OPT_TS;
        opt->ts_val = spec->tsval ? peer_number(p, spec->tsval) : peer_stamp(p);
        opt->ts_ecr = spec->tsecr ? peer_number(p, spec->tsecr) : c->ts_echo;
        if (!(spec->ctl & ACK))
            opt->ts_ecr = 0;
    }
    if (spec->accecn) {
        opt->present |= spec->accecn == 172 ? OPT_ACCECN0 : OPT_ACCECN1;
        opt->n_accecn = (uint8_t)spec->n_accecn;
        memcpy(opt->accecn, spec->counts, sizeof opt->accecn);
    }
    while (opt->n_sack < 4 && spec->sack[opt->n_sack][1]) {
        opt->present |= OPT_SACK;
        opt->sack[opt->n_sack] =
            (struct sack_block){seq(peer_number(p, spec->sack[opt->n_sack][0])),
                                seq(peer_number(p, spec->sack[opt->n_sack][1]))};
        opt->n_sack++;
    }
}

/* What the peer promised, so that the stack can be held to it. */
static void note_promise(struct peer_conn *c, const struct segment *seg)
{
    uint32_t shift = seg->ctl & SYN || !c->scales || !c->stack_scales ? 0 : c->wscale;
    if (seg->ctl & ACK) {
        uint32_t right = seg->ack.v + ((uint32_t)seg->wnd << shift);
        if (!c->has_limit || (int32_t)(right - c->limit) > 0)
            c->limit = right;
        c->has_limit = true;
    }
    if (!(seg->ctl & SYN) || seg->seq.v != c->irs)
        return;
    c->scales = seg->opt.present & OPT_WSCALE;
    c->wscale = seg->opt.wscale > 14 ? 14 : seg->opt.wscale;
    c->stamps = seg->opt.present & OPT_TS;
    c->ts = c->stamps && c->stack_stamps;
}

void peer_sends(struct peer *p, const struct seg_spec *spec)
{
    peer_start(p);
    peer_waits_for_iss(p);
    struct peer_conn *c = p->c;
    uint32_t text_len = (uint32_t)spec->len;
    struct segment seg = {
        .ctl = (uint16_t)spec->ctl, .sport = c->peer_port, .dport = c->stack_port};
    seg.seq = seq(spec->seq ? peer_number(p, spec->seq) : c->nxt);
    seg.ack = seq(spec->ack ? peer_number(p, spec->ack) : spec->ctl & ACK ? c->acks : 0);
    seg.wnd = spec->wnd ? peer_number(p, spec->wnd) : c->wnd;
    seg.up = spec->up ? (uint16_t)peer_number(p, spec->up) : 0;
    put_spec_options(p, spec, &seg.opt);
    if (!(spec->ctl & RST))
        note_promise(c, &seg);
    uint8_t *frame = malloc(WIRE_MAX_ETH + WIRE_MAX_IP + WIRE_MAX_TCP + (size_t)text_len);
    if (!frame)
        abort();
    struct wire_ip ip;
    size_t header = wire_tcp_header_len(&seg.opt);
    p->tos = spec->ip_ecn ? (uint8_t)(spec->ip_ecn - 1) : 0;
    size_t at = put_lower(p, frame, WIRE_PROTO_TCP, header + text_len, &ip);
    p->tos = 0;
    wire_put_tcp(frame + at, &seg);
    uint8_t *text = frame + at + header;
    uint32_t first = seg.seq.v - c->irs - 1 + !!(spec->ctl & SYN);
    if (spec->octet)
        memset(text, spec->octet, text_len);
    else
        peer_octets(false, first, text, text_len);
    wire_set_tcp_checksum(frame + at, header, &ip, csum_add(0, text, text_len), text_len);
    uint32_t end = seg.seq.v + text_len + !!(spec->ctl & SYN) + !!(spec->ctl & FIN);
    if (!(spec->ctl & RST) && (int32_t)(end - c->nxt) > 0)
        c->nxt = end;
    uint16_t flags = !spec->gso ? 0 : p->v6 ? HF_FRAME_GSO6 : HF_FRAME_GSO4;
    give_copy(p, frame, (uint32_t)(at + header) + text_len,
              (uint16_t)(flags | (spec->gso ? HF_FRAME_CSUM_OK : 0)), (uint16_t)spec->gso);
    free(frame);
}

void peer_icmp_error(struct peer *p, const uint8_t from[16], uint8_t type, uint8_t code,
                     uint32_t rest, int64_t number)
{
    uint8_t message[8 + 40 + 20] = {0};
    struct wire_icmp icmp = {.version = p->v6 ? 6 : 4, .type = type, .code = code, .rest = rest};
    struct wire_ip quoted = {.version = icmp.version, .proto = WIRE_PROTO_TCP, .ttl = 60};
    memcpy(quoted.src, p->stack_ip, 16);
    memcpy(quoted.dst, p->peer_ip, 16);
    quoted.df = true;
    quoted.total_len = p->quoted_len ? p->quoted_len : p->v6 ? 60 : 40;
    size_t at = wire_put_icmp(message, &icmp);
    at += wire_put_ip(message + at, &quoted);
    struct segment seg = {.ctl = ACK, .sport = p->c->stack_port, .dport = p->c->peer_port};
    seg.seq = seq(peer_number(p, number));
    at += wire_put_tcp(message + at, &seg);
    struct wire_ip ip = {.version = icmp.version};
    memcpy(ip.src, from, 16);
    memcpy(ip.dst, p->stack_ip, 16);
    wire_set_icmp_checksum(message, at, &ip);
    uint8_t saved[16];
    memcpy(saved, p->peer_ip, 16);
    memcpy(p->peer_ip, from, 16);
    peer_ip(p, p->v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP, message, (uint32_t)at);
    memcpy(p->peer_ip, saved, 16);
}

/* Out ------------------------------------------------------------------------------------------ */

static struct peer_conn *conn_of(struct peer *p, const struct seen *seen)
{
    for (int i = 0; i < PEER_CONNS; i++)
        if (p->conn[i].stack_port == seen->seg.sport && p->conn[i].peer_port == seen->seg.dport)
            return &p->conn[i];
    return NULL;
}

static void check_text(struct peer *p, const struct peer_conn *c, const struct segment *seg)
{
    uint32_t first = seg->seq.v - c->iss - 1 + !!(seg->ctl & SYN);
    uint32_t i = peer_octets_right(true, first, seg->text, seg->text_len);
    if (i < seg->text_len)
        peer_fail(p, "octet %u of the stack's text is %02x, it must be %02x", first + i,
                  seg->text[i], peer_octet(true, first + i));
}

/* What holds for every segment, whatever the script says. */
static void check_rules(struct peer *p, struct peer_conn *c, const struct segment *seg)
{
    uint32_t end = seg->seq.v + seg->text_len;
    if (seg->ctl & RST)
        return;
    check_text(p, c, seg);
    if (seg->text_len && c->has_limit && (int32_t)(end - c->limit) > 0)
        peer_fail(p, "text up to ISS+%u, the peer's window ends at ISS+%u", end - c->iss,
                  c->limit - c->iss);
    if (!(seg->ctl & ACK))
        return;
    bool scaled = !(seg->ctl & SYN) && c->scales && c->stack_scales;
    uint32_t edge = seg->ack.v + (seg->wnd << (scaled ? c->stack_wscale : 0));
    uint32_t unit = scaled ? 1u << c->stack_wscale : 1; /* RFC 7323 2.4: rounding may retract */
    if (c->has_edge && (int32_t)(edge - c->edge) <= -(int32_t)unit)
        peer_fail(p, "the window shrinks: its right edge goes from IRS+%u to IRS+%u",
                  c->edge - c->irs, edge - c->irs);
    if (!c->has_edge || (int32_t)(edge - c->edge) > 0)
        c->edge = edge;
    c->has_edge = true;
}

static void note_tcp(struct peer *p, struct seen *seen)
{
    const struct segment *seg = &seen->seg;
    struct peer_conn *c = conn_of(p, seen);
    if (!c)
        return;
    if (seg->ctl & SYN) {
        if (!c->has_iss)
            c->iss = c->acks = seg->seq.v;
        c->has_iss = true;
        c->stack_scales = seg->opt.present & OPT_WSCALE;
        c->stack_wscale = seg->opt.wscale;
        c->stack_stamps = seg->opt.present & OPT_TS;
        c->ts = c->stamps && c->stack_stamps;
    }
    if (seg->opt.present & OPT_TS)
        c->ts_echo = seg->opt.ts_val;
    if (c->has_iss && !p->wild)
        check_rules(p, c, seg);
}

/* RFC6633-1, RFC4861-7: neither source quenches nor redirects. */
static void check_icmp(struct peer *p, const struct seen *seen)
{
    const struct wire_ip *ip = &seen->ip;
    uint8_t type = seen->bytes[seen->ip_offset + ip->header_len];
    bool quench =
        ip->proto == WIRE_PROTO_ICMP && (type == ICMP4_SOURCE_QUENCH || type == ICMP4_REDIRECT);
    bool redirect = ip->proto == WIRE_PROTO_ICMPV6 && type == 137;
    if (ip->frag_offset == 0 && (quench || redirect))
        peer_fail(p, "an ICMP message of type %u, which no host sends", type);
}

static void check_ip(struct peer *p, const struct seen *seen)
{
    const struct wire_ip *ip = &seen->ip;
    if (seen->ip_offset + ip->total_len != seen->len)
        peer_fail(p, "a frame of %u octets holds an IP packet of %u", seen->len, ip->total_len);
    if (seen->len > p->mtu + seen->ip_offset)
        peer_fail(p, "a frame of %u octets, the MTU is %u", seen->len, p->mtu);
    check_icmp(p, seen);
    if (p->wild)
        return;
    if (memcmp(ip->src, p->stack_ip, 16) != 0)
        peer_fail(p, "a packet from an address that is not the stack's");
    if (seen->is_tcp && (ip->ttl != 64 || (ip->version == 4 && !ip->df)))
        peer_fail(p, "TTL %u, DF %d: not what was expected of TCP", ip->ttl, ip->df);
}

/* RFC2018-21: what SACK blocks can be, the first one apart (it may be a duplicate, RFC 2883). */
static void check_sack(struct peer *p, const struct segment *seg)
{
    const struct sack_block *b = seg->opt.sack;
    for (unsigned i = 0; i < seg->opt.n_sack; i++) {
        if (!seq_lt(b[i].left, b[i].right))
            peer_fail(p, "an empty SACK block");
        if (i > 0 && !seq_gt(b[i].left, seg->ack))
            peer_fail(p, "a SACK block of what is acknowledged");
        for (unsigned j = 1; j < i; j++)
            if (seq_lt(b[i].left, b[j].right) && seq_lt(b[j].left, b[i].right))
                peer_fail(p, "SACK blocks overlap");
    }
}

/* MUST-65, RFC2018-1: options that belong on a SYN alone; X-31: who has no ACK bit. */
static void check_place(struct peer *p, const uint8_t *tcp, const struct segment *seg)
{
    struct tcp_options opt;
    wire_parse_tcp_options(tcp + 20, (size_t)seg->header_len - 20, &opt);
    if (!(seg->ctl & SYN) && (opt.present & (OPT_MSS | OPT_WSCALE | OPT_SACK_OK)))
        peer_fail(p, "an option of the SYN on a later segment");
    if (!(seg->ctl & (ACK | RST)) && (seg->ctl & ~(unsigned)(AE | CWR | ECE)) != SYN)
        peer_fail(p, "a segment without the ACK bit that is no SYN and no reset");
}

/* MUST-2, X-1 */
static void check_tcp(struct peer *p, struct seen *seen)
{
    const uint8_t *tcp = seen->bytes + seen->ip_offset + seen->ip.header_len;
    size_t len = seen->len - seen->ip_offset - seen->ip.header_len;
    if (wire_parse_tcp(tcp, len, &seen->seg) != WIRE_OK)
        peer_fail(p, "the stack sent a TCP header that cannot be");
    seen->is_tcp = true;
    if (!wire_tcp_checksum_ok(&seen->ip, tcp, len))
        peer_fail(p, "the stack sent a bad TCP checksum");
    if (tcp[12] & 0x0e)
        peer_fail(p, "reserved bits are set");
    if (!(seen->seg.ctl & URG) && seen->seg.up != 0)
        peer_fail(p, "an urgent pointer of %u without URG", seen->seg.up);
    if (!(seen->seg.ctl & ACK) && seen->seg.ack.v != 0)
        peer_fail(p, "an ACK field without the ACK bit");
    check_place(p, tcp, &seen->seg);
    check_sack(p, &seen->seg);
}

static struct seen *keep(struct peer *p, const uint8_t *bytes, size_t len,
                         const struct hf_frame_out *out)
{
    struct seen *seen = calloc(1, sizeof *seen);
    if (p->n_seen == p->seen_room) {
        p->seen_room = p->seen_room ? 2 * p->seen_room : 64;
        p->seen = realloc(p->seen, p->seen_room * sizeof(struct seen *));
    }
    if (!seen || !p->seen || !(seen->bytes = malloc(len)))
        abort();
    p->seen[p->n_seen++] = seen;
    memcpy(seen->bytes, bytes, len);
    seen->len = (uint32_t)len;
    seen->iface = out->iface;
    seen->ip_offset = out->ip_offset;
    seen->super = out->gso_size ? out->len - out->header_len : 0;
    seen->time_ns = p->env.now_ns;
    uint16_t type = seen->ip_offset ? get_be16(bytes + 12) : 0;
    if (seen->ip_offset && type != WIRE_ETH_IPV4 && type != WIRE_ETH_IPV6)
        return seen;
    if (wire_parse_ip(bytes + seen->ip_offset, len - seen->ip_offset, &seen->ip) != WIRE_OK)
        peer_fail(p, "the stack sent an IP header that cannot be");
    seen->is_ip = true;
    if (seen->ip.proto == WIRE_PROTO_TCP && !seen->ip.fragment)
        check_tcp(p, seen);
    check_ip(p, seen);
    if (seen->is_tcp)
        note_tcp(p, seen);
    return seen;
}

/* As the device would: the pieces put together, cut, checksums filled in. */
static void take_frame(struct peer *p, const struct hf_frame_out *out)
{
    static uint8_t whole[SUPER_MAX], piece[SUPER_MAX];
    uint32_t len = out->header_len;
    memcpy(whole, out->header, len);
    for (uint32_t i = 0; i < out->n_slices; i++) {
        memcpy(whole + len, out->slice[i].data, out->slice[i].len);
        len += out->slice[i].len;
    }
    if (len != out->len)
        peer_fail(p, "a frame says %u octets, its slices have %u", out->len, len);
    if (!(out->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6))) {
        if ((out->flags & HF_FRAME_CSUM_NEEDED) &&
            !wire_fill_checksum(whole, len, out->csum_start, out->csum_offset))
            peer_fail(p, "checksum offsets outside of the frame");
        keep(p, whole, len, out);
        return;
    }
    if (!(out->flags & HF_FRAME_CSUM_NEEDED))
        peer_fail(p, "several segments in one frame, and no checksum to fill in");
    uint32_t lower = out->ip_offset;
    uint32_t n = wire_gso_count(whole + lower, len - lower, out->gso_size);
    if (n < 2)
        peer_fail(p, "a super-segment of %u octets makes %u segments", len, n);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(piece, whole, lower);
        size_t got = wire_gso_split(whole + lower, len - lower, out->gso_size, i, piece + lower,
                                    sizeof piece - lower);
        keep(p, piece, lower + got, out);
    }
}

void peer_pump(struct peer *p)
{
    struct hf_frame_out out[FRAMES];
    uint32_t n;
    if (p->batching)
        return;
    do {
        n = hf_output(p->stack, &p->env, out, FRAMES);
        if (n > FRAMES)
            peer_fail(p, "hf_output returns %u of %d frames", n, FRAMES);
        for (uint32_t i = 0; i < n; i++) {
            take_frame(p, &out[i]);
            if (p->hold_done && p->n_tokens < sizeof p->tokens / sizeof *p->tokens)
                p->tokens[p->n_tokens++] = out[i].token;
            else if (hf_output_done(p->stack, &p->env, out[i].token) != HF_OK)
                peer_fail(p, "hf_output_done refuses a token");
        }
    } while (n == FRAMES);
    char text[600];
    if (judge_tell(&p->judge, text, sizeof text) ||
        sound_tell(p->stack, p->bytes, text, sizeof text))
        peer_fail(p, "%s", text);
}

/* Of what was taken out: ------------------------------------------------------------------------*/

static struct seen *unlink_seen(struct peer *p, uint32_t i)
{
    struct seen *seen = p->seen[i];
    memmove(p->seen + i, p->seen + i + 1, (p->n_seen - i - 1) * sizeof(struct seen *));
    p->n_seen--;
    return seen;
}

struct seen *peer_any(struct peer *p)
{
    peer_start(p);
    peer_pump(p);
    return p->n_seen ? unlink_seen(p, 0) : NULL;
}

struct seen *peer_take(struct peer *p, int proto)
{
    peer_start(p);
    peer_pump(p);
    for (uint32_t i = 0; i < p->n_seen; i++) {
        const struct seen *seen = p->seen[i];
        if ((seen->is_ip ? seen->ip.proto : 0) != proto)
            continue;
        if (!seen->is_tcp ||
            (seen->seg.sport == p->c->stack_port && seen->seg.dport == p->c->peer_port))
            return unlink_seen(p, i);
    }
    return NULL;
}

void peer_taken(struct peer *p, struct seen *seen)
{
    (void)p;
    free(seen->bytes);
    free(seen);
}

void peer_forget(struct peer *p)
{
    peer_pump(p);
    for (uint32_t i = 0; i < p->n_seen; i++)
        peer_taken(p, p->seen[i]);
    p->n_seen = 0;
}

uint64_t peer_count(struct peer *p, enum hf_verdict verdict)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    return counters.verdict[verdict];
}
