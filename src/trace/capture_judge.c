/* capture_judge.c - the oracle over a capture: packets to connections, and what is found. */
#include "trace/capture_judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "base/siphash.h"

enum { CONNECTIONS = 65536, MOST = 1 << 24, WHOLE_FRAME = 65536 + 64 };
enum { TCP = 6, TCP_HEADER = 20, IPV4_HEADER = 20, IPV6_HEADER = 40, MPTCP = 30 };
enum { ETHER_IPV4 = 0x0800, ETHER_IPV6 = 0x86dd };
enum { TAG = 0x8100, PROVIDERS_TAG = 0x88a8, TAG_BYTES = 4 }; /* IEEE 802.1Q */
enum { ETHERNET = 1, COOKED = 113, COOKED2 = 276, LOOPBACK = 0, LOOPBACK_BSD = 108 };

bool hf_capture_judges(enum hf_rule rule, bool on_wire)
{
    switch (rule) {
    case HF_RULE_SYN_FORM:
    case HF_RULE_ISN:
    case HF_RULE_ACK_FIELD:
    case HF_RULE_FIN:
    case HF_RULE_WINDOW_SHRINKS:
    case HF_RULE_BEYOND_WINDOW:
    case HF_RULE_CONGESTION:
    case HF_RULE_OPTIONS:
    case HF_RULE_STAMP:
    case HF_RULE_STAMP_ECHO:
    case HF_RULE_SACK:
    case HF_RULE_ECN:
    case HF_RULE_ACK_CAUSE:
    case HF_RULE_ACK_TIME:
    case HF_RULE_BACK_OFF:
    case HF_RULE_RESET_FORM:
        return true;
    case HF_RULE_MSS:
        return on_wire;
    default:
        return false;
    }
}

/* Findings ------------------------------------------------------------------------------------- */

static void tell(struct hf_capture_judge *judge, const struct hf_finding *finding)
{
    judge->counts.findings++;
    if (judge->config.found != NULL) {
        judge->config.found(judge->config.arg, finding);
    }
}

static struct hf_finding finding_of(const struct seen *s, enum hf_rule rule)
{
    bool reversed = s->me != &s->f->end[0];
    return (struct hf_finding){
        .packet = s->judge->counts.packets,
        .time_ns = s->time_ns,
        .src = s->f->at[reversed ? 1 : 0],
        .dst = s->f->at[reversed ? 0 : 1],
        .violation = {.rule = hf_rule_id(rule),
                      .sentence = hf_rule_sentence(rule),
                      .place = hf_rule_place(rule)},
    };
}

void capture_broken(struct seen *s, enum hf_rule rule, const char *format, ...)
{
    if (s->broken) {
        return;
    }
    struct hf_finding finding = finding_of(s, rule);
    va_list args;
    va_start(args, format);
    // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is one line above
    vsnprintf(finding.violation.detail, sizeof finding.violation.detail, format, args);
    va_end(args);
    s->broken = true;
    tell(s->judge, &finding);
}

void capture_pending(struct seen *s, enum hf_rule rule, enum pending_of of, uint32_t at,
                     const char *format, ...)
{
    const struct end *me = s->me;
    struct pending *pending = &s->me->pending;
    if (s->broken || pending->of != PENDING_NONE) {
        return;
    }
    bool stamped = (s->p->options & HF_OPT_TS) && (me->facts & (END_STAMP | END_CUT)) == END_STAMP;
    *pending = (struct pending){
        .of = of,
        .at = at,
        .edge = s->peer->edge,
        .stamped = stamped,
        .text = s->p->len > 0 && (me->facts & END_SEEN) && behind(s->p->seq, me->nxt) >= 0,
        .text_end = s->p->seq + s->p->len,
        .stamp = behind(s->p->ts_val, me->ts_max) > 0 ? s->p->ts_val : me->ts_max + 1,
        .finding = finding_of(s, rule),
    };
    va_list args;
    va_start(args, format);
    // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is one line above
    vsnprintf(pending->finding.violation.detail, sizeof pending->finding.violation.detail, format,
              args);
    va_end(args);
    s->broken = true;
}

void capture_settle(struct hf_capture_judge *judge, struct pending *pending, bool withdrawn)
{
    if (pending->of != PENDING_NONE && !withdrawn) {
        tell(judge, &pending->finding);
    }
    pending->of = PENDING_NONE;
}

/* What is still pending when nothing follows cannot be told from what the capture has missed; that
 * a SYN,ACK has no answer says nothing of that.
 */
void capture_give_up(struct hf_capture_judge *judge, struct followed *f)
{
    enum pending_of a = f->end[0].pending.of, b = f->end[1].pending.of;
    bool pending =
        (a != PENDING_NONE && a != PENDING_ANSWER) || (b != PENDING_NONE && b != PENDING_ANSWER);
    judge->counts.missed += pending && !f->missed;
    f->missed |= pending;
    capture_settle(judge, &f->end[0].pending, true);
    capture_settle(judge, &f->end[1].pending, true);
}

/* The table ------------------------------------------------------------------------------------ */

static bool same_end(const struct hf_endpoint *a, const uint8_t ip[16], uint16_t port)
{
    return a->port == port && memcmp(a->ip, ip, 16) == 0;
}

static uint64_t hash_end(const struct hf_capture_judge *judge, const struct hf_endpoint *at)
{
    uint8_t octets[18];
    memcpy(octets, at->ip, 16);
    put_be16(octets + 16, at->port);
    return sip13(judge->key[0], judge->key[1], octets, sizeof octets);
}

/* The same for both directions. */
static struct followed **bucket_of(const struct hf_capture_judge *judge,
                                   const struct hf_endpoint at[2])
{
    uint64_t hash = hash_end(judge, &at[0]) + hash_end(judge, &at[1]);
    return &judge->buckets[hash & (judge->n_buckets - 1)];
}

static void leave_order(struct hf_capture_judge *judge, struct followed *f)
{
    *(f->newer ? &f->newer->older : &judge->newest) = f->older;
    *(f->older ? &f->older->newer : &judge->oldest) = f->newer;
}

static void become_newest(struct hf_capture_judge *judge, struct followed *f)
{
    f->older = judge->newest;
    f->newer = NULL;
    *(judge->newest ? &judge->newest->newer : &judge->oldest) = f;
    judge->newest = f;
}

static void forget(struct hf_capture_judge *judge, struct followed *f)
{
    struct followed **link = bucket_of(judge, f->at);
    while (*link != f) {
        link = &(*link)->next;
    }
    *link = f->next;
    leave_order(judge, f);
    capture_give_up(judge, f);
    judge->n--;
    free(f);
}

/* The connection of a packet; *reversed: it was sent by at[1].  NULL: it is a new one. */
static struct followed *find(struct hf_capture_judge *judge, const struct hf_endpoint at[2],
                             bool *reversed)
{
    for (struct followed *f = *bucket_of(judge, at); f != NULL; f = f->next) {
        for (int i = 0; i < 2; i++) {
            if (same_end(&f->at[i], at[0].ip, at[0].port) &&
                same_end(&f->at[1 - i], at[1].ip, at[1].port)) {
                *reversed = i == 1;
                return f;
            }
        }
    }
    return NULL;
}

/* The same, begun if it is a new one.  NULL: no memory. */
static struct followed *follow(struct hf_capture_judge *judge, const struct hf_packet *p,
                               bool *reversed)
{
    struct hf_endpoint at[2] = {{.port = p->src_port}, {.port = p->dst_port}};
    memcpy(at[0].ip, p->src, 16);
    memcpy(at[1].ip, p->dst, 16);
    struct followed *f = find(judge, at, reversed);
    if (f != NULL) {
        leave_order(judge, f);
        become_newest(judge, f);
        return f;
    }
    if (judge->n == judge->max) {
        forget(judge, judge->oldest);
    }
    f = calloc(1, sizeof *f);
    if (f == NULL) {
        return NULL;
    }
    *reversed = false;
    memcpy(f->at, at, sizeof at);
    struct followed **bucket = bucket_of(judge, at);
    f->next = *bucket;
    *bucket = f;
    judge->n++;
    judge->counts.connections++;
    become_newest(judge, f);
    return f;
}

/* Whoever has sent something began with a SYN that was seen; a refusal has none. */
static bool from_syns(const struct followed *f)
{
    uint32_t a = f->end[0].facts, b = f->end[1].facts;
    return ((a | b) & END_SYN) && !((a & END_SEEN) && !(a & END_SYN)) &&
           !((b & END_SEEN) && !(b & END_SYN));
}

/* A TCP option of this kind; tcp: the header. */
static bool has_option(const uint8_t *tcp, uint32_t header, uint8_t kind)
{
    enum { END_OF_OPTIONS = 0, NOTHING = 1 };
    for (uint32_t i = TCP_HEADER; i < header && tcp[i] != END_OF_OPTIONS;) {
        if (tcp[i] == kind) {
            return true;
        }
        if (tcp[i] != NOTHING && (i + 1 >= header || tcp[i + 1] < 2)) {
            return false;
        }
        i += tcp[i] == NOTHING ? 1 : tcp[i + 1];
    }
    return false;
}

/* packet: it begins with the link's header. */
static int judge_segment(struct hf_capture_judge *judge, int64_t time_ns, const struct hf_packet *p,
                         const uint8_t *packet, bool cut)
{
    bool reversed;
    struct followed *f = follow(judge, p, &reversed);
    if (f == NULL) {
        return HF_ERR_NO_RESOURCES;
    }
    struct seen s = {.judge = judge,
                     .p = p,
                     .f = f,
                     .me = &f->end[reversed ? 1 : 0],
                     .peer = &f->end[reversed ? 0 : 1],
                     .time_ns = time_ns,
                     .cut = cut};
    judge->counts.segments++;
    judge->counts.options_cut += cut;
    if (!capture_place(&s)) {
        return HF_OK;
    }
    /* What only the first SYN has was offered, not agreed upon. */
    bool agreed = (p->ctl & (HF_SYN | HF_ACK)) != HF_SYN;
    uint32_t header = p->text_offset - p->header_offset;
    f->mptcp |= agreed && !cut && has_option(packet + p->header_offset, header, MPTCP);
    bool was_whole = from_syns(f), had_missed = f->missed;
    capture_rules(&s);
    capture_learn(&s);
    judge->counts.whole += !was_whole && from_syns(f);
    judge->counts.whole -= was_whole && !from_syns(f);
    judge->counts.missed += !had_missed && f->missed;
    f->last_ns = time_ns;
    return HF_OK;
}

/* A segment without its header's end says nothing; but it passed, and what follows may answer it.
 */
static void miss_segment(struct hf_capture_judge *judge, const struct hf_packet *p,
                         const uint8_t *header, size_t len)
{
    judge->counts.headers_cut++;
    judge->counts.other++;
    if (len < 4) {
        return; /* of an unknown connection */
    }
    struct hf_endpoint at[2] = {{.port = get_be16(header)}, {.port = get_be16(header + 2)}};
    memcpy(at[0].ip, p->src, 16);
    memcpy(at[1].ip, p->dst, 16);
    bool reversed;
    struct followed *f = find(judge, at, &reversed);
    if (f != NULL) {
        judge->counts.missed += !f->missed;
        f->missed = true;
    }
}

/* An ICMP error takes back a doubling of RTO (RFC 6069 3).  cut: not all of it is there. */
static void learn_icmp(struct hf_capture_judge *judge, const struct hf_packet *p, bool cut)
{
    enum { ICMP = 1, ICMP6 = 58, ECHO6 = 128, ECHO = 8 };
    bool error = (p->protocol == ICMP && p->icmp_type != 0 && p->icmp_type != ECHO) ||
                 (p->protocol == ICMP6 && p->icmp_type < ECHO6);
    bool quotes = (p->layers & HF_LAYER_QUOTE) && p->quote_protocol == TCP && p->quote_src_port;
    judge->icmp_cut |= error && cut && !quotes;
    if (!error || !quotes) {
        return;
    }
    struct hf_endpoint at[2] = {{.port = p->quote_src_port}, {.port = p->quote_dst_port}};
    memcpy(at[0].ip, p->quote_src, 16);
    memcpy(at[1].ip, p->quote_dst, 16);
    bool reversed;
    struct followed *f = find(judge, at, &reversed);
    if (f != NULL) {
        f->end[reversed ? 1 : 0].facts &= ~(uint32_t)END_REPEATED;
    }
}

/* Packets -------------------------------------------------------------------------------------- */

/* Octets before the IP header; the link that hf_packet_decode is to read.  -1: another link type.
 */
static int link_of(uint32_t linktype, enum hf_link *link)
{
    *link = HF_LINK_IP;
    switch (linktype) {
    case ETHERNET:
        *link = HF_LINK_ETHERNET;
        return 0;
    case 12:
    case 101:
    case 228:
    case 229:
        return 0;
    case COOKED:
        return 16;
    case COOKED2:
        return 20;
    case LOOPBACK:
    case LOOPBACK_BSD:
        return 4;
    default:
        return -1;
    }
}

/* The link's header is skip octets long; with the VLAN tags of a Linux cooked capture, each of
 * which begins with what has the place of the protocol's number before it, and ends with the next
 * one. */
static uint32_t behind_tags(uint32_t linktype, const uint8_t *packet, uint32_t len, uint32_t skip)
{
    if (linktype != COOKED && linktype != COOKED2) {
        return skip;
    }
    uint16_t type = get_be16(packet + (linktype == COOKED ? skip - 2 : 0));
    while ((type == TAG || type == PROVIDERS_TAG) && len - skip >= TAG_BYTES) {
        type = get_be16(packet + skip + 2);
        skip += TAG_BYTES;
    }
    return skip;
}

/* A sending host may leave the length to its network card, and 0 where it belongs: then the packet
 * reaches to the end.  False: it is not so. */
static bool restore_length(uint8_t *ip, uint32_t len)
{
    if (len >= IPV4_HEADER && ip[0] >> 4 == 4 && get_be16(ip + 2) == 0) {
        put_be16(ip + 2, (uint16_t)min_u32(len, UINT16_MAX));
        return true;
    }
    if (len > IPV6_HEADER && ip[0] >> 4 == 6 && get_be16(ip + 4) == 0 && ip[6] == TCP) {
        put_be16(ip + 4, (uint16_t)min_u32(len - IPV6_HEADER, UINT16_MAX));
        return true;
    }
    return false;
}

/* Reads the packet.  Returns where it is now: in judge->frame if its length had to be restored. */
static const uint8_t *decode(struct hf_capture_judge *judge, const uint8_t *packet, uint32_t len,
                             enum hf_link link, struct hf_packet *p)
{
    hf_packet_decode(packet, len, link, p);
    bool ip = link == HF_LINK_IP || p->ether_type == ETHER_IPV4 || p->ether_type == ETHER_IPV6;
    if (!ip || !(p->wrong & (HF_WRONG_SHORT | HF_WRONG_FORM)) || len > WHOLE_FRAME) {
        return packet;
    }
    if (packet != judge->frame) {
        memcpy(judge->frame, packet, len);
    }
    if (restore_length(judge->frame + p->ip_offset, len - p->ip_offset)) {
        hf_packet_decode(judge->frame, len, link, p);
    }
    return judge->frame;
}

int hf_capture_judge_packet(struct hf_capture_judge *judge, int64_t time_ns, uint32_t linktype,
                            const uint8_t *packet, uint32_t len, uint32_t whole_len)
{
    enum hf_link link;
    int skip = link_of(linktype, &link);
    judge->counts.packets++;
    if (skip < 0 || len < (uint32_t)skip) {
        judge->counts.other++;
        return skip < 0 ? HF_ERR_UNSUPPORTED : HF_OK;
    }
    uint32_t head = behind_tags(linktype, packet, len, (uint32_t)skip);
    packet += head;
    len -= head;
    whole_len = whole_len > head ? whole_len - head : 0;
    uint32_t there = len;
    if (len < whole_len && whole_len <= WHOLE_FRAME) { /* text is not needed, its length is */
        memcpy(judge->frame, packet, len);
        memset(judge->frame + len, 0, whole_len - len);
        packet = judge->frame;
        len = whole_len;
    }
    struct hf_packet p = {.struct_size = sizeof p};
    packet = decode(judge, packet, len, link, &p);
    bool tcp = (p.layers & HF_LAYER_IP) && !(p.layers & HF_LAYER_FRAGMENT) && p.protocol == TCP;
    if (tcp && there < len && there < p.header_offset + TCP_HEADER) {
        uint32_t header = there > p.header_offset ? there - p.header_offset : 0;
        miss_segment(judge, &p, packet + p.header_offset, header);
        return HF_OK;
    }
    if (!(p.layers & HF_LAYER_TCP) || (p.wrong & (HF_WRONG_SHORT | HF_WRONG_FORM))) {
        judge->counts.other++;
        learn_icmp(judge, &p, there < len);
        return HF_OK;
    }
    bool cut = there < p.text_offset;
    if (cut) {
        p.options = p.n_sack = 0; /* what was read of them are zeros, or a part */
    }
    return judge_segment(judge, time_ns, &p, packet, cut);
}

struct hf_capture_judge *hf_capture_judge_new(const struct hf_capture_config *config)
{
    uint32_t max =
        config != NULL && config->max_connections ? config->max_connections : CONNECTIONS;
    if (config == NULL || config->struct_size != sizeof *config || max > MOST) {
        return NULL;
    }
    struct hf_capture_judge *judge = calloc(1, sizeof *judge);
    if (judge == NULL) {
        return NULL;
    }
    judge->config = *config;
    (void)!getrandom(judge->key, sizeof judge->key, 0); /* without, the table is only slower */
    judge->max = max;
    judge->n_buckets = 16;
    while (judge->n_buckets < max) {
        judge->n_buckets *= 2;
    }
    judge->buckets = calloc(judge->n_buckets, sizeof(struct followed *));
    judge->frame = malloc(WHOLE_FRAME);
    if (judge->buckets == NULL || judge->frame == NULL) {
        hf_capture_judge_free(judge);
        return NULL;
    }
    return judge;
}

void hf_capture_judge_free(struct hf_capture_judge *judge)
{
    if (judge == NULL) {
        return;
    }
    for (struct followed *f = judge->oldest, *next; f != NULL; f = next) {
        next = f->newer;
        forget(judge, f);
    }
    free(judge->buckets);
    free(judge->frame);
    free(judge);
}

void hf_capture_judge_end(struct hf_capture_judge *judge, struct hf_capture_counts *counts)
{
    for (struct followed *f = judge->oldest; f != NULL; f = f->newer) {
        capture_give_up(judge, f);
    }
    uint32_t known = counts->struct_size;
    judge->counts.struct_size = known;
    memcpy(counts, &judge->counts, known < sizeof *counts ? known : sizeof *counts);
}
