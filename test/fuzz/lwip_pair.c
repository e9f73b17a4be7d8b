/* lwip_pair.c - segments to Handfast and lwIP, what comes back, and what must be the same. */
#include "lwip_pair.h"

#include "handfast/policy.h"

#include <stdio.h>
#include <stdlib.h>

static struct run *current;

/* HF_FUZZ_TELL=1: what goes to lwIP and comes from it, too. */
static void tell(const char *way, const struct segment *seg, uint32_t text)
{
    if (getenv("HF_FUZZ_TELL") != NULL) {
        fprintf(stderr, "lwIP %s %03x seq=%u ack=%u len=%u wnd=%u: %s\n", way, seg->ctl, seg->seq.v,
                seg->ack.v, text, seg->wnd, hf_state_name(lwip_state(PEER_PORT)));
    }
}

static void note_answer(struct answer *answer, const struct segment *seg)
{
    if (seg->ctl & RST) {
        answer->rst = true;
        answer->seq = seg->seq.v;
        answer->number = seg->ack.v;
        return;
    }
    answer->ack = answer->ack || (seg->ctl & ACK);
    answer->syn = answer->syn || (seg->ctl & SYN);
    answer->more = answer->more || seg->len != 0;
}

static void look(struct view *view, const uint8_t *packet, uint32_t len)
{
    struct wire_ip ip;
    struct segment seg;
    if (wire_parse_ip(packet, len, &ip) != WIRE_OK || ip.proto != WIRE_PROTO_TCP ||
        wire_parse_tcp(packet + ip.header_len, len - ip.header_len, &seg) != WIRE_OK) {
        return;
    }
    if (view == &current->view[1]) {
        tell("out", &seg, seg.text_len);
    }
    note_answer(&view->answer, &seg);
    if (seg.dport != PEER_PORT || (seg.ctl & RST)) {
        return;
    }
    if ((seg.ctl & SYN) && !view->opened) {
        view->iss = seg.seq.v;
        view->nxt = view->una = seg.seq.v + 1;
        view->opened = true;
    }
    for (uint32_t i = 0; i < seg.text_len; i++) {
        uint32_t at = seg.seq.v + i - view->iss - 1;
        view->contradictions += seg.text[i] != octet_at(at);
    }
    if (seq_gt(seq_add(seg.seq, seg.len), seq(view->nxt))) {
        view->nxt = seg.seq.v + seg.len;
    }
    view->ack = seg.ctl & ACK ? seg.ack.v : view->ack;
}

static void from_handfast(void *arg, const uint8_t *packet, uint32_t len, uint32_t iface)
{
    (void)iface;
    look(&((struct run *)arg)->view[0], packet, len);
}

static void from_lwip(const uint8_t *packet, uint32_t len)
{
    look(&current->view[1], packet, len);
}

/* What RFCs leave open as lwIP has it: the MSL, TIME-WAIT deaf to resets (RFC 1337 section 3, F1),
 * and a challenge ACK for each step (RFC 5961 section 7), small records count coarsely. */
static void as_lwip_has_it(struct bench *b)
{
    struct hf_policy policy = *hf_policy(b->stack);
    struct hf_env quiet = b->env;
    quiet.trace = NULL;
    policy.msl_ms = MSL_MS;
    policy.tw_ignore_rst = true;
    policy.challenge_ack_ms = CHALLENGE_MS;
    must(hf_set_policy(b->stack, &quiet, &policy) == HF_OK, "no policy");
    hf_oracle_policy(b->oracle, &policy);
}

void pair_begin(struct run *r, const uint8_t *data, size_t size)
{
    static struct run first;
    static struct start start;
    if (start.stack == NULL) {
        struct hf_listen listen = {
            .struct_size = sizeof listen, .local = {.port = LISTENING_PORT}, .backlog = 4};
        bench_make(&first.b, 1);
        as_lwip_has_it(&first.b);
        first.b.sent = from_handfast;
        hf_listen(first.b.stack, &first.b.env, &listen, &first.listener);
        start = bench_start(&first.b);
    }
    *r = first;
    current = r;
    bench_begin(&r->b, &start);
    r->b.arg = r;
    r->b.in = (struct input){data, size};
    lwip_begin(r->b.own4, r->b.own6, from_lwip);
    r->view[0] = r->view[1] = (struct view){0};
    r->stranger = PEER_PORT;
}

static void deliver(struct run *r, int to, struct segment *seg, uint32_t text)
{
    static uint8_t packet[40 + WIRE_MAX_TCP + 3000];
    struct wire_ip ip = {.version = r->v6 ? 6 : 4, .proto = WIRE_PROTO_TCP, .ttl = 64};
    uint32_t header = (uint32_t)wire_tcp_header_len(&seg->opt);
    ip.df = !r->v6;
    ip.total_len = (r->v6 ? 40 : 20) + header + text;
    memcpy(ip.dst, r->v6 ? r->b.own6 : r->b.own4, 16);
    memcpy(ip.src, ip.dst, 16);
    ip.src[15] = 2;
    uint8_t *tcp = packet + wire_put_ip(packet, &ip);
    wire_put_tcp(tcp, seg);
    for (uint32_t i = 0; i < text; i++) {
        tcp[header + i] = octet_at(seg->seq.v + (seg->ctl & SYN ? 1 : 0) + i - r->irs - 1);
    }
    wire_set_tcp_checksum(tcp, header, &ip, csum_add(0, tcp + header, text), text);
    r->view[to].answer = (struct answer){0};
    r->view[to].sent_ack = seg->ack.v;
    if (to == 0) {
        bench_deliver(&r->b, packet, ip.total_len, RAW, 0);
        bench_drain(&r->b);
    } else {
        tell("in", seg, text);
        lwip_deliver(packet, ip.total_len);
    }
}

void send_both(struct run *r, struct segment seg, uint32_t text, int32_t less)
{
    seg.wnd = 65535;
    seg.dport = seg.dport ? seg.dport : r->port;
    seg.sport = seg.sport ? seg.sport : PEER_PORT;
    for (int i = 0; i < 2; i++) {
        struct view *view = &r->view[i];
        int32_t most = (int32_t)(view->nxt - view->una);
        seg.ack = seq(view->nxt - (uint32_t)(less < most ? less : most));
        if ((seg.ctl & ACK) && less >= 0) {
            view->una = seg.ack.v;
        }
        deliver(r, i, &seg, text);
    }
}

bool last_answer_lost(const struct run *r)
{
    return r->state == HF_LAST_ACK && lwip_state(PEER_PORT) == HF_CLOSED;
}

void same_answers(const struct run *r, const struct segment *seg, uint32_t text)
{
    const struct answer *h = &r->view[0].answer, *l = &r->view[1].answer;
    uint32_t len = text + ((seg->ctl & SYN) != 0) + ((seg->ctl & FIN) != 0);
    must(h->rst == l->rst, "one alone resets");
    for (int i = 0; i < 2 && h->rst; i++) {
        const struct view *view = &r->view[i];
        if (seg->ctl & ACK) {
            must(view->answer.seq == view->sent_ack, "a reset with another number than SEG.ACK");
        } else {
            must(view->answer.number == seg->seq.v + len,
                 "a reset that acknowledges another number");
        }
    }
    if (!h->more && !l->more) { /* else something was sent again, or was due */
        must(h->ack == l->ack, "one alone answers");
    }
}

static uint8_t state_of(struct run *r)
{
    struct hf_status status = {.struct_size = sizeof status};
    hf_status(r->b.stack, &r->b.env, r->handle, &status);
    return status.state;
}

static void read_handfast(struct run *r)
{
    uint8_t data[4096];
    int64_t n = HF_ERR_WOULD_BLOCK;
    if (r->handle == 0) {
        hf_accept(r->b.stack, &r->b.env, r->listener, &r->handle, NULL);
    }
    while (r->handle && (n = hf_recv(r->b.stack, &r->b.env, r->handle, data, sizeof data)) > 0) {
        for (int64_t i = 0; i < n; i++) {
            must(data[i] == octet_at(r->read + (uint32_t)i), "Handfast reads another octet");
        }
        r->read += (uint32_t)n;
    }
    r->told = r->told || (n == 0 && state_of(r) != HF_CLOSED);
    bench_drain(&r->b);
}

void pass_ticks(struct run *r, uint32_t ticks)
{
    for (uint32_t i = 0; i < ticks; i++) {
        read_handfast(r);
        bench_wait(&r->b, TICK_NS);
        bench_drain(&r->b);
        lwip_tick();
    }
}

void settle(struct run *r)
{
    pass_ticks(r, 2);
}

/* Where a connection is.  lwIP knows no simultaneous open: a SYN in SYN-SENT is nothing to it
 * (RFC 9293 MUST-10). */
static void compare_states(struct run *r)
{
    uint8_t its = lwip_state(PEER_PORT);
    uint8_t mine = r->released ? its : state_of(r);
    bool crossed = r->crossed && its == HF_SYN_SENT && mine == HF_SYN_RECEIVED;
    must((mine == HF_CLOSED) == (its == HF_CLOSED), "one alone is still connected");
    must(mine == its || crossed, "they are in different states");
    r->state = mine;
    r->ended = mine == HF_CLOSED;
}

void compare(struct run *r)
{
    struct view *h = &r->view[0], *l = &r->view[1];
    must(h->opened == l->opened, "one alone answers a SYN");
    must(h->contradictions == 0 && l->contradictions == 0, "one sends other octets");
    if (r->handle == 0) {
        return;
    }
    must(r->told == lwip_seen.peer_closed || r->released, "one alone says that the stream ends");
    compare_states(r);
    if (r->ended || r->state == HF_SYN_SENT || r->state == HF_SYN_RECEIVED) {
        return;
    }
    uint32_t end = r->sent_to + (r->finished ? 1 : 0);
    r->lags = r->lags && (l->ack != end || h->ack != end);
    must(r->read == lwip_seen.read || r->lags || r->released, "one has received more");
    for (; r->lwip_read < lwip_seen.read; r->lwip_read++) {
        must(lwip_seen.stream[r->lwip_read] == octet_at(r->lwip_read), "lwIP reads another octet");
    }
    must(h->ack == l->ack || r->lags, "they acknowledge different numbers");
    must((h->nxt - h->iss) == (l->nxt - l->iss), "one has sent more than the other");
}

void write_octets(struct run *r, uint32_t n)
{
    uint8_t data[WRITE_MAX];
    for (uint32_t i = 0; i < n; i++) {
        data[i] = octet_at(r->written + i);
    }
    int64_t done = hf_send(r->b.stack, &r->b.env, r->handle, data, n, 0);
    must(done == n && lwip_write(data, n) == n, "one cannot take text");
    r->written += n;
    bench_drain(&r->b);
}

bool level(const struct run *r)
{
    return !r->ended && r->view[0].ack == r->view[1].ack;
}
