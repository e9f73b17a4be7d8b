/* fuzz_lwip.c - the same segments to Handfast and to lwIP, for what RFC 9293 leaves no choice in.
 *
 * A peer opens a connection to each, sends text in any pieces and order, resets, SYNs, FINs and
 * acknowledgments that can be.  What the two have received, what they acknowledge, whether they are
 * still connected and what they answer to a stranger must be the same after each step.  Where RFCs
 * leave a choice, or lwIP is known to differ, the peer does not go: it sends no ACK of what was
 * never sent, no urgent text, no FIN ahead of a gap, nothing behind its FIN.  What lies ahead of a
 * gap either may forget (lwIP what overlaps, and all of it after a few timeouts; Handfast what its
 * little memory has no room for): there one may lag until all was sent again.
 */
#include "bench.h"
#include "lwip_side.h"

enum { PEER_PORT = 5000, STREAM_MAX = 50000, SETTLE_TICKS = 2, TICK_NS = 250000000 };

/* What the peer knows of a stack. */
struct view {
    uint32_t iss, nxt; /* from its SYN on; behind what it has sent   */
    uint32_t ack;      /* its last ACK field                         */
    uint32_t una;      /* what we have acknowledged                  */
    bool opened, reset;
    uint16_t answer; /* control bits of what a stranger got, with numbers */
    uint32_t answer_seq, answer_ack;
    uint32_t got, contradictions; /* of its stream; octets that were others before */
};

struct run {
    struct bench b;
    hf_handle listener, handle;
    struct view view[2];        /* Handfast's, lwIP's */
    uint32_t irs, sent_to, fin; /* our SYN; behind the highest octet sent; number of the FIN */
    uint32_t read, lwip_read;   /* and found to be right */
    uint32_t written[2];
    uint16_t stranger;          /* port of the last one */
    bool lags;                  /* one may */
    bool ended, shut, finished; /* reset; their FIN, ours */
};

static struct run *current;

static void look(struct view *view, const uint8_t *packet, uint32_t len)
{
    struct wire_ip ip;
    struct segment seg;
    if (wire_parse_ip(packet, len, &ip) != WIRE_OK || ip.proto != WIRE_PROTO_TCP ||
        wire_parse_tcp(packet + ip.header_len, len - ip.header_len, &seg) != WIRE_OK) {
        return;
    }
    if (seg.dport != PEER_PORT) {
        view->answer = seg.ctl & (SYN | RST);
        view->answer_seq = seg.seq.v;
        view->answer_ack = seg.ack.v;
        return;
    }
    if (seg.ctl & RST) {
        view->reset = true;
        return;
    }
    if (seg.ctl & SYN) {
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
    view->ack = seg.ack.v;
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

static void deliver(struct run *r, int to, struct segment *seg, uint32_t text)
{
    static uint8_t packet[20 + WIRE_MAX_TCP + 3000];
    struct wire_ip ip = {.version = 4, .proto = WIRE_PROTO_TCP, .ttl = 64, .df = true};
    uint32_t header = (uint32_t)wire_tcp_header_len(&seg->opt);
    ip.total_len = 20 + header + text;
    memcpy(ip.src, r->b.own4, 16);
    memcpy(ip.dst, r->b.own4, 16);
    ip.src[15] = 2;
    uint8_t *tcp = packet + wire_put_ip(packet, &ip);
    wire_put_tcp(tcp, seg);
    for (uint32_t i = 0; i < text; i++) {
        tcp[header + i] = octet_at(seg->seq.v + i - r->irs - 1);
    }
    wire_set_tcp_checksum(tcp, header, &ip, csum_add(0, tcp + header, text), text);
    if (to == 0) {
        bench_deliver(&r->b, packet, ip.total_len, RAW, 0);
        bench_drain(&r->b);
    } else {
        lwip_deliver(packet, ip.total_len);
    }
}

/* To both, each with an ACK of all but `less` octets of what it has sent. */
static void send_both(struct run *r, struct segment seg, uint32_t text, uint32_t less)
{
    for (int i = 0; i < 2; i++) {
        struct view *view = &r->view[i];
        uint32_t most = view->nxt - view->una;
        seg.ack = seq(view->nxt - (less < most ? less : most));
        if (seg.ctl & ACK) {
            view->una = seg.ack.v;
        }
        seg.wnd = 65535;
        seg.dport = seg.dport ? seg.dport : 80;
        seg.sport = seg.sport ? seg.sport : PEER_PORT;
        deliver(r, i, &seg, text);
    }
}

static void read_handfast(struct run *r)
{
    uint8_t data[4096];
    int64_t n;
    if (r->handle == 0) {
        hf_accept(r->b.stack, &r->b.env, r->listener, &r->handle, NULL);
    }
    while (r->handle && (n = hf_recv(r->b.stack, &r->b.env, r->handle, data, sizeof data)) > 0) {
        for (int64_t i = 0; i < n; i++) {
            must(data[i] == octet_at(r->read + (uint32_t)i), "Handfast reads another octet");
        }
        r->read += (uint32_t)n;
    }
    bench_drain(&r->b);
}

static uint8_t state_of(struct run *r)
{
    struct hf_status status = {.struct_size = sizeof status};
    hf_status(r->b.stack, &r->b.env, r->handle, &status);
    return status.state;
}

/* Delayed ACKs are out, and all that both have sent is acknowledged. */
static void settle(struct run *r)
{
    for (int i = 0; i < SETTLE_TICKS; i++) {
        read_handfast(r);
        bench_wait(&r->b, TICK_NS);
        bench_drain(&r->b);
        lwip_tick();
    }
}

static void compare(struct run *r)
{
    struct view *h = &r->view[0], *l = &r->view[1];
    must(h->opened == l->opened, "one alone answers a SYN");
    must(h->contradictions == 0 && l->contradictions == 0, "one sends other octets");
    uint8_t state = state_of(r);
    bool ended = r->handle && state == HF_CLOSED;
    must(ended == lwip_seen.ended, "one alone is still connected");
    r->ended = ended;
    if (ended || !h->opened) {
        return;
    }
    uint32_t end = r->sent_to + (r->finished ? 1 : 0);
    r->lags = r->lags && (l->ack != end || h->ack != end);
    must(r->read == lwip_seen.read || r->lags, "one has received more than the other");
    for (; r->lwip_read < lwip_seen.read; r->lwip_read++) {
        must(lwip_seen.stream[r->lwip_read] == octet_at(r->lwip_read), "lwIP reads another octet");
    }
    must(h->ack == l->ack || r->lags, "they acknowledge different numbers");
    must((h->nxt - h->iss) == (l->nxt - l->iss), "one has sent more than the other");
}

static void text(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    uint32_t first = r->irs + 1;
    uint32_t from = what & 1 ? r->view[0].ack : first + take16(&r->b.in) % (STREAM_MAX - 3000);
    uint32_t n = what & 2 ? take16(&r->b.in) % 1460 : take8(&r->b.in);
    struct segment seg = {.seq = seq(from), .ctl = what & 4 ? ACK | PSH : ACK};
    uint32_t end = r->finished ? r->fin : first + STREAM_MAX;
    if (seq_gt(seq(from + n), seq(end)) || seq_gt(seq(from), seq(end))) {
        return;
    }
    bool no_gap = r->view[0].ack == r->view[1].ack; /* at either */
    if (!r->finished && no_gap && (what & 0xf9) == 0xf9 &&
        seq_geq(seq(from + n), seq(r->sent_to))) {
        seg.ctl |= FIN;
        r->fin = from + n;
        r->finished = true;
    }
    r->lags = r->lags || seq_gt(seq(from), seq(r->view[0].ack));
    if (seq_gt(seq(from + n), seq(r->sent_to))) {
        r->sent_to = from + n;
    }
    send_both(r, seg, n, what & 8 ? take8(&r->b.in) : 0);
}

static void forged(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    uint32_t at = r->view[0].ack;
    if (at != r->view[1].ack) { /* one lags: what is exact for one is not for the other */
        return;
    }
    struct segment seg = {.ctl = what & 1 ? RST : SYN};
    seg.ctl |= what & 2 ? ACK : 0;
    at += what & 4 ? take16(&r->b.in) % 30000 : 0;
    at -= what & 8 ? take16(&r->b.in) : 0;
    seg.seq = seq(at);
    send_both(r, seg, 0, 0);
}

/* From a stranger: to a port that nobody listens on, or without a SYN to one that somebody does. */
static void stranger(struct run *r)
{
    static const uint16_t bits[8] = {SYN, ACK, FIN | ACK, RST, RST | ACK, SYN | ACK, FIN, 0};
    uint8_t what = take8(&r->b.in);
    struct segment seg = {.seq = seq(take32(&r->b.in)), .ctl = bits[what % 8]};
    seg.sport = ++r->stranger;
    seg.dport = what & 8 && seg.ctl != SYN ? 80 : 81;
    for (int i = 0; i < 2; i++) {
        r->view[i].answer = 0;
        seg.ack = seq(take8(&r->b.in) * 1000003u);
        seg.wnd = 1000;
        deliver(r, i, &seg, what & 16 ? 20 : 0);
        const struct view *view = &r->view[i];
        if (view->answer && (seg.ctl & ACK)) {
            must(view->answer_seq == seg.ack.v, "a reset with another number than SEG.ACK");
        } else if (view->answer) {
            uint32_t len = (what & 16 ? 20 : 0) + ((seg.ctl & SYN) != 0) + ((seg.ctl & FIN) != 0);
            must(view->answer_ack == seg.seq.v + len, "a reset that acknowledges another number");
        }
    }
    bool listens = seg.dport == 80 && !(seg.ctl & ACK);
    must(listens || r->view[0].answer == r->view[1].answer, "one alone answers a stranger");
}

static void write_both(struct run *r)
{
    uint8_t data[1400];
    uint32_t n = 1 + take16(&r->b.in) % sizeof data;
    for (uint32_t i = 0; i < n; i++) {
        data[i] = octet_at(r->written[0] + i);
    }
    if (r->shut || r->handle == 0 || r->written[0] > STREAM_MAX) {
        return;
    }
    int64_t done = hf_send(r->b.stack, &r->b.env, r->handle, data, n, 0);
    must(done == n && lwip_write(data, n) == n, "one cannot take text");
    r->written[0] += n;
    bench_drain(&r->b);
    for (int i = 0; i < 4; i++) { /* what Nagle holds, too */
        settle(r);
        send_both(r, (struct segment){.seq = seq(r->view[0].ack), .ctl = ACK}, 0, 0);
    }
}

static void shut_both(struct run *r)
{
    if (!r->shut && r->handle) {
        r->shut = r->lags = true; /* lwIP forgets then what it held ahead of gaps */
        hf_close(r->b.stack, &r->b.env, r->handle);
        bench_drain(&r->b);
        lwip_shut();
    }
}

static void open_both(struct run *r)
{
    struct segment syn = {.seq = seq(r->irs), .ctl = SYN};
    uint8_t what = take8(&r->b.in);
    syn.opt.present =
        (what & 1 ? OPT_MSS : 0) | (what & 2 ? OPT_WSCALE : 0) | (what & 4 ? OPT_SACK_OK : 0);
    syn.opt.mss = 1460;
    send_both(r, syn, 0, 0);
    must(r->view[0].opened && r->view[1].opened, "one does not answer a SYN");
    must(r->view[0].ack == r->irs + 1 && r->view[1].ack == r->irs + 1,
         "one acknowledges another number than SEG.SEQ + 1");
    send_both(r, (struct segment){.seq = seq(r->irs + 1), .ctl = ACK}, 0, 0);
    settle(r);
}

static void one_step(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    switch (what % 16) {
    case 0:
        forged(r);
        break;
    case 1:
        stranger(r);
        break;
    case 2:
    case 3:
        write_both(r);
        break;
    case 4:
        if (what > 200) {
            shut_both(r);
        }
        break;
    default:
        text(r);
        break;
    }
    settle(r);
    compare(r);
}

/* All text once more, in order: both must have all of it. */
static void end(struct run *r)
{
    for (uint32_t at = r->irs + 1; seq_lt(seq(at), seq(r->sent_to)) && !r->ended; at += 1000) {
        uint32_t left = r->sent_to - at;
        send_both(r, (struct segment){.seq = seq(at), .ctl = ACK}, left < 1000 ? left : 1000, 0);
        settle(r);
    }
    r->lags = false;
    compare(r);
    must(r->ended || r->read == r->sent_to - r->irs - 1, "text is lost");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run first;
    static struct start start;
    if (start.stack == NULL) {
        struct hf_listen listen = {
            .struct_size = sizeof listen, .local = {.port = 80}, .backlog = 4};
        bench_make(&first.b, 1);
        first.b.sent = from_handfast;
        hf_listen(first.b.stack, &first.b.env, &listen, &first.listener);
        start = bench_start(&first.b);
    }
    static struct run r;
    r = first;
    current = &r;
    bench_begin(&r.b, &start);
    r.b.arg = &r;
    r.b.in = (struct input){data, size};
    lwip_begin(r.b.own4 + 12, from_lwip);
    r.view[0] = r.view[1] = (struct view){0};
    r.irs = take8(&r.b.in) & 1 ? 0xffffffffu - take16(&r.b.in) : take32(&r.b.in);
    r.sent_to = r.irs + 1;
    r.stranger = PEER_PORT;
    open_both(&r);
    compare(&r);
    for (int steps = 0; r.b.in.left && steps < 40 && !r.ended; steps++) {
        one_step(&r);
        if (r.shut && r.finished) {
            return 0; /* both have closed */
        }
    }
    end(&r);
    return 0;
}
