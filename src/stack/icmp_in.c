/* icmp_in.c - ICMP that arrives: echo requests, neighbour discovery, and errors about what we sent.
 *
 * An error must quote a packet of a connection or socket of ours; that what it quotes is in flight
 * is the connection's to check (RFC 5927 4).  Hard is what a peer's host says of the port or the
 * protocol; everything else may pass.  Source quenches and redirects are ignored (RFC 6633; we keep
 * our routes).
 */
#include "stack/stack.h"
#include "tcp/stats.h"

/* What an error means: HF_OK: nothing to us (RFC6633-2, RFC5927-3: source quench). */
struct meaning {
    int error;
    bool hard;
    uint32_t mtu; /* of the path, 0: none is told */
};

/* RFC1191-4: the next lower plateau of RFC 1191 7.1, for routers that do not say. */
static uint32_t plateau_below(uint32_t len)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};
    for (size_t i = 0; i < ARRAY_LEN(plateaus); i++) {
        if (plateaus[i] < len) {
            return plateaus[i];
        }
    }
    return 68;
}

/* RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1 */
static struct meaning unreachable4(const struct wire_icmp *icmp, uint32_t quoted_len)
{
    enum { NET = HF_ERR_NET_UNREACHABLE, HOST = HF_ERR_HOST_UNREACHABLE, NO = HF_ERR_PROHIBITED };
    static const int8_t errors[16] = {NET,
                                      HOST,
                                      HF_ERR_PROTO_UNREACHABLE,
                                      HF_ERR_PORT_UNREACHABLE,
                                      HF_OK,
                                      HOST,
                                      NET,
                                      HOST,
                                      HOST,
                                      NO,
                                      NO,
                                      NET,
                                      HOST,
                                      NO,
                                      NO,
                                      NO};
    if (icmp->code >= ARRAY_LEN(errors)) {
        return (struct meaning){0};
    }
    if (icmp->code == 4) {
        uint32_t mtu = icmp->rest & 0xffff;
        return (struct meaning){HF_ERR_TOO_LARGE, false, mtu ? mtu : plateau_below(quoted_len)};
    }
    return (struct meaning){errors[icmp->code], icmp->code == 2 || icmp->code == 3, 0};
}

/* RFC 4443 3.1 */
static struct meaning unreachable6(const struct wire_icmp *icmp)
{
    static const int8_t errors[7] = {
        HF_ERR_NET_UNREACHABLE,  HF_ERR_PROHIBITED, HF_ERR_NET_UNREACHABLE, HF_ERR_HOST_UNREACHABLE,
        HF_ERR_PORT_UNREACHABLE, HF_ERR_PROHIBITED, HF_ERR_PROHIBITED};
    if (icmp->code >= ARRAY_LEN(errors)) {
        return (struct meaning){0};
    }
    return (struct meaning){errors[icmp->code], icmp->code == 1 || icmp->code == 4, 0};
}

/* MUST-55, RFC6633-2, RFC5927-3, X-29: a source quench means nothing */
static struct meaning meaning_of(const struct wire_icmp *icmp, uint32_t quoted_len)
{
    if (icmp->version == 4) {
        switch (icmp->type) {
        case ICMP4_UNREACHABLE:
            return unreachable4(icmp, quoted_len);
        case ICMP4_TIME_EXCEEDED:
            return (struct meaning){HF_ERR_HOST_UNREACHABLE, false, 0};
        case ICMP4_PARAM_PROBLEM:
            return (struct meaning){HF_ERR_PROTO_UNREACHABLE, false, 0};
        default:
            return (struct meaning){0};
        }
    }
    switch (icmp->type) {
    case ICMP6_UNREACHABLE:
        return unreachable6(icmp);
    case ICMP6_TOO_BIG:
        return (struct meaning){HF_ERR_TOO_LARGE, false, max_u32(icmp->rest, 1)};
    case ICMP6_TIME_EXCEEDED:
        return (struct meaning){HF_ERR_HOST_UNREACHABLE, false, 0};
    case ICMP6_PARAM_PROBLEM:
        return (struct meaning){HF_ERR_PROTO_UNREACHABLE, false, 0};
    default:
        return (struct meaning){0};
    }
}

/* The application is told of it, where it has a handle. */
static void note_error(struct stack *st, struct tcb *tcb, hf_handle handle,
                       const struct hf_icmp_report *report)
{
    if (handle != 0) {
        tally_of(&st->tcp, tcb)->icmp_note = (uint16_t)stack_note_add(st, handle, report);
        tcp_event(&st->tcp, tcb, HF_ERROR_REPORT);
    }
}

/* RFC1122-10, RFC4443-6, MUST-54, X-29 */
static bool tcp_error(struct stack *st, const struct wire_quote *quote, uint8_t zone,
                      const struct meaning *meaning, const struct hf_icmp_report *report)
{
    struct conn_id id = {.lport = quote->sport, .rport = quote->dport, .zone = zone};
    memcpy(id.local, quote->src, 16);
    memcpy(id.remote, quote->dst, 16);
    id.v4 = quote->version == 4;
    tcp_hash(&st->tcp, &id);
    uint32_t value = quote->has_seq ? tcp_find(&st->tcp, &id) : 0;
    if (value == 0 || FLOW_KIND(value) != KIND_TCB) {
        return false;
    }
    uint32_t idx = FLOW_IDX(value);
    struct tcb *tcb = tcb_at(&st->tcp, idx);
    if (meaning->mtu != 0) {
        return tcp_path_mtu(&st->tcp, tcb, quote->seq, meaning->mtu);
    }
    hf_handle handle = tcp_handle(&st->tcp, tcb); /* the record may be gone behind this */
    if (!tcp_icmp_error(&st->tcp, tcb, quote->seq, meaning->error, meaning->hard)) {
        return false;
    }
    note_error(st, tcb, handle, report);
    return true;
}

void stack_connection_unreachable(struct stack *st, struct tcb *tcb)
{
    struct conn_id id;
    hf_handle handle = tcp_handle(&st->tcp, tcb);
    if (!tcp_unreachable(&st->tcp, tcb)) {
        return;
    }
    tcp_id(&st->tcp, tcb, &id);
    struct hf_icmp_report report = {.version = id.v4 ? 4 : 6, .error = HF_ERR_HOST_UNREACHABLE};
    memcpy(report.from, id.local, 16);
    note_error(st, tcb, handle, &report);
}

static struct hf_icmp_report report_of(const struct wire_icmp *icmp, const struct meaning *meaning,
                                       const uint8_t from[16])
{
    struct hf_icmp_report report = {
        .version = icmp->version,
        .type = icmp->type,
        .code = icmp->code,
        .hard = meaning->hard,
        .error = meaning->error,
    };
    memcpy(report.from, from, 16);
    return report;
}

void stack_icmp_own(struct stack *st, const struct conn_id *id, seq_t seq,
                    const struct wire_icmp *icmp)
{
    struct wire_quote quote = {.version = icmp->version,
                               .sport = id->rport,
                               .dport = id->lport,
                               .seq = seq,
                               .has_seq = true};
    struct meaning meaning = meaning_of(icmp, 0);
    struct hf_icmp_report report = report_of(icmp, &meaning, id->local);
    memcpy(quote.src, id->remote, 16);
    memcpy(quote.dst, id->local, 16);
    (void)tcp_error(st, &quote, id->zone, &meaning, &report);
}

static bool take_error(struct stack *st, const struct arrival *a, const struct wire_icmp *icmp)
{
    struct wire_quote quote;
    if (a->to_group ||
        wire_parse_quote(icmp->body, icmp->body_len, a->ip.version, &quote) != WIRE_OK ||
        !quote.has_ports || memcmp(quote.src, a->ip.dst, 16) != 0) {
        return false;
    }
    struct meaning meaning = meaning_of(icmp, quote.total_len);
    if (meaning.error == HF_OK) {
        return false;
    }
    struct hf_icmp_report report = report_of(icmp, &meaning, a->ip.src);
    uint8_t zone = stack_zone(quote.src, quote.dst, a->iface);
    if (quote.proto == WIRE_PROTO_TCP) {
        return tcp_error(st, &quote, zone, &meaning, &report);
    }
    if (a->ip.version == 6 && meaning.mtu != 0 && meaning.mtu < 1280) {
        return false; /* RFC8201-1 */
    }
    uint32_t udp = stack_find_udp(st, quote.src, quote.sport, a->iface);
    if (udp != 0) {
        stack_udp_note(st, udp, &report);
    }
    return udp != 0;
}

/* A request too large to lie in one piece. */
static enum hf_verdict large_echo(struct stack *st, struct arrival *a)
{
    const struct tcp *tcp = &st->tcp;
    const struct chunk *first = tcp_chunk(tcp, a->chain);
    struct wire_icmp icmp;
    csum_t sum = a->ip.version == 6 ? wire_pseudo(&a->ip, WIRE_PROTO_ICMPV6, a->len) : 0;
    if (wire_parse_icmp(tcp_chunk_data(tcp, a->chain), first->len, a->ip.version, &icmp) !=
            WIRE_OK ||
        icmp.type != (a->ip.version == 6 ? ICMP6_ECHO : ICMP4_ECHO) ||
        csum_finish(sum + stack_chain_sum(st, a->chain)) != 0) {
        return HF_V_DROP_ICMP;
    }
    return stack_echo_reply(st, a, &icmp);
}

void stack_icmp_input(struct stack *st, struct arrival *a)
{
    bool v6 = a->ip.version == 6;
    struct wire_icmp icmp;
    if (a->payload == NULL) {
        stack_verdict(st, a, large_echo(st, a));
        return;
    }
    enum hf_verdict verdict = HF_V_DROP_ICMP;
    if (wire_parse_icmp(a->payload, a->len, a->ip.version, &icmp) != WIRE_OK ||
        !wire_icmp_checksum_ok(&a->ip, a->payload, a->len)) {
        stack_verdict(st, a, verdict);
        return;
    }
    if (v6 && (icmp.type == ICMP6_NEIGHBOUR_SOLICIT || icmp.type == ICMP6_NEIGHBOUR_ADVERT)) {
        stack_nd_input(st, a, &icmp);
        return;
    }
    if (icmp.type == (v6 ? ICMP6_ECHO : ICMP4_ECHO) && icmp.code == 0) {
        verdict = stack_echo_reply(st, a, &icmp);
    } else if (wire_icmp_is_error(&icmp) && take_error(st, a, &icmp)) {
        verdict = HF_V_ICMP_TAKEN;
    }
    stack_verdict(st, a, verdict);
}
