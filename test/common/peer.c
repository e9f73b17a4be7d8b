/* peer.c - the verbs of a protocol test. */
#include "common/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACK_PORT = 80, MS = 1000000, PATIENCE = 2000 };

/* A test's beginning and end -------------------------------------------------------------------*/

static struct peer *setup(bool v6)
{
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    hf_config_default(&p->config, 4);
    for (int i = 0; i < 16; i++)
        p->config.seed[i] = (uint8_t)(i * 17 + 3);
    p->v6 = v6;
    p->mtu = v6 ? 1520 : 1500;
    p->with.mss = 1460;
    p->env = (struct hf_env){.struct_size = sizeof p->env};
    p->iface = 1;
    peer_begins(p);
    p->c = p->conn;
    p->stack_ip[15] = 1;
    p->peer_ip[15] = 2;
    for (int i = 0; i < 2; i++) {
        uint8_t *ip = i ? p->peer_ip : p->stack_ip;
        if (v6)
            ip[0] = 0xfd;
        else
            ip[10] = ip[11] = 0xff, ip[12] = 10;
    }
    memcpy(p->stack_mac, (uint8_t[6]){2, 0, 0, 0, 0, 1}, 6);
    memcpy(p->peer_mac, (uint8_t[6]){2, 0, 0, 0, 0, 2}, 6);
    return p;
}

int peer_setup4(void **state)
{
    *state = setup(false);
    return 0;
}

int peer_setup6(void **state)
{
    *state = setup(true);
    return 0;
}

int peer_teardown(void **state)
{
    struct peer *p = *state;
    for (uint32_t i = 0; i < p->n_seen; i++)
        peer_taken(p, p->seen[i]);
    for (uint32_t i = 0; i < p->n_batch; i++)
        free((void *)(uintptr_t)p->batch[i].data);
    free((void *)p->seen);
    free(p->stack);
    char text[600];
    bool broken = judge_tell(&p->judge, text, sizeof text);
    if (broken)
        printf("%s\n", text);
    judge_end(&p->judge);
    free(p);
    return broken ? -1 : 0;
}

static void add_interface(struct peer *p)
{
    struct hf_interface iface = {.struct_size = sizeof iface,
                                 .link = p->ethernet ? HF_LINK_ETHERNET : HF_LINK_IP,
                                 .mtu = p->mtu,
                                 .offload = p->offload};
    memcpy(iface.mac, p->stack_mac, 6);
    p->iface = hf_interface_add(p->stack, &p->env, &iface);
    if (p->iface != 1)
        peer_fail(p, "hf_interface_add returns %d", p->iface);
    peer_calls(p, hf_address_add(p->stack, &p->env, 1, p->stack_ip, p->v6 ? 64 : 24));
    if (p->ethernet && !p->ask)
        peer_calls(p, hf_neighbour_add(p->stack, &p->env, 1, p->peer_ip, p->peer_mac));
}

static void on_trace(void *arg, const struct hf_trace *record);

void peer_start(struct peer *p)
{
    if (p->stack)
        return;
    if (p->config.seed[0] == 0) /* the test has a config of its own */
        p->config.seed[0] = 1;
    p->bytes = hf_size(&p->config);
    if (p->bytes == 0)
        peer_fail(p, "hf_size refuses the config");
    p->stack = aligned_alloc(64, (p->bytes + 63) / 64 * 64);
    if (!p->stack)
        abort();
    if (p->poison)
        memset(p->stack, p->poison, p->bytes);
    judge_begin(&p->judge, &p->config.policy, 64);
    p->env.trace = on_trace;
    p->env.trace_arg = p;
    p->env.regions = p->regions;
    p->env.n_regions = p->n_regions;
    if (hf_init(p->stack, p->bytes, &p->config, &p->env) != HF_OK)
        peer_fail(p, "hf_init refuses the config");
    p->judge.stack = p->stack;
    add_interface(p);
    for (uint32_t i = 1; i <= p->n_regions; i++)
        peer_calls(p, hf_region_add(p->stack, &p->env, i));
}

/* The ladder, and failing ----------------------------------------------------------------------*/

static void control_bits(unsigned ctl, char text[16])
{
    static const char letters[] = "FSRPAUEWX";
    int at = 0;
    for (int i = 0; i < 9; i++)
        if (ctl & (1u << i))
            text[at++] = letters[i];
    text[at] = 0;
}

static void on_trace(void *arg, const struct hf_trace *r)
{
    struct peer *p = arg;
    char *line = p->ladder[p->n_ladder++ % PEER_LADDER];
    char ctl[16];
    static const char *const arrows[] = {"<--", "x--", "-->", "   ", "   "};
    control_bits(r->ctl, ctl);
    int at = snprintf(line, 40, "%9.3f %5u %-12s", (double)r->time_ns / 1e6 - 1e6, r->remote_port,
                      hf_state_name(r->state_after));
    if (r->kind <= HF_TRACE_OUT)
        snprintf(line + at, 130 - (size_t)at, " %s %-4s seq %u ack %u text %u wnd %u  %s",
                 arrows[r->kind], ctl, r->seq - (r->kind == HF_TRACE_OUT ? r->iss : r->irs),
                 r->ctl & HF_ACK ? r->ack - (r->kind == HF_TRACE_OUT ? r->irs : r->iss) : 0,
                 r->text_bytes, r->wnd,
                 r->kind != HF_TRACE_OUT ? hf_verdict_name(r->verdict)
                 : r->cause              ? hf_cause_name(r->cause)
                                         : "");
    else
        snprintf(line + at, 130 - (size_t)at, " %s (%s)", hf_cause_name(r->cause),
                 hf_error_text(r->error));
    p->last = *r;
    judge_trace(&p->judge, r);
    for (int i = 0; i < PEER_CONNS; i++)
        if (p->conn[i].stack_port == r->local_port && p->conn[i].peer_port == r->remote_port)
            p->conn[i].state = r->state_after;
}

void peer_fail(struct peer *p, const char *format, ...)
{
    va_list args;
    printf("\n     ms      peer  the stack's state is after what follows; numbers from ISS, IRS\n");
    uint32_t first = p->n_ladder > PEER_LADDER ? p->n_ladder - PEER_LADDER : 0;
    for (uint32_t i = first; i < p->n_ladder; i++)
        printf("%s\n", p->ladder[i % PEER_LADDER]);
    printf("%s:%d: ", p->file ? p->file : "?", p->line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    _fail(p->file ? p->file : "?", p->line);
    abort();
}

void peer_holds(struct peer *p, bool condition, const char *text)
{
    if (!condition)
        peer_fail(p, "does not hold: %s", text);
}

void peer_holds_equal(struct peer *p, int64_t got, int64_t want, const char *text)
{
    if (got != want)
        peer_fail(p, "%s is %lld, it must be %lld", text, (long long)got, (long long)want);
}

/* Expecting ------------------------------------------------------------------------------------ */

/* RFC 7413: "FO" or "FOEXP", and the cookie. */
static void put_fast_open(const uint8_t *option, uint8_t len, char *text, size_t *at)
{
    uint32_t head = option[0] == 34 ? 2 : 4;
    *at -= 1; /* the question mark */
    *at += (size_t)sprintf(text + *at, head == 2 ? "FO" : "FOEXP");
    *at += (size_t)sprintf(text + *at, len > head ? " " : "");
    for (uint32_t i = head; i < len; i++)
        *at += (size_t)sprintf(text + *at, "%02x", option[i]);
}

char *peer_option_text(const uint8_t *header, uint32_t header_len, char *text, size_t room)
{
    static const char *const names[] = {"eol",  "nop", "mss", "wscale", "sackOK",
                                        "sack", "?",   "?",   "TS"};
    size_t at = 0;
    text[0] = 0;
    for (uint32_t i = 20; i < header_len && at + 60 < room;) {
        uint8_t kind = header[i];
        uint8_t len = kind < 2 || i + 1 >= header_len ? 1 : header[i + 1];
        at += (size_t)snprintf(text + at, room - at, "%s%s", at ? "," : "",
                               kind < 9 ? names[kind] : "?");
        if (kind == 2 && len == 4)
            at += (size_t)snprintf(text + at, room - at, " %u", header[i + 2] << 8 | header[i + 3]);
        if (kind == 34 || (kind == 254 && len >= 4))
            put_fast_open(header + i, len, text, &at);
        if (kind == 3 && len == 3)
            at += (size_t)snprintf(text + at, room - at, " %u", header[i + 2]);
        i += len ? len : 1;
    }
    return text;
}

static void same(struct peer *p, const char *what, int64_t named, uint32_t got)
{
    if (!named)
        return;
    uint32_t want = peer_number(p, named);
    if (want != got)
        peer_fail(p, "%s is %u (ISS+%d, IRS+%d), it must be %u (ISS+%d, IRS+%d)", what, got,
                  (int)(got - p->c->iss), (int)(got - p->c->irs), want, (int)(want - p->c->iss),
                  (int)(want - p->c->irs));
}

static void same_sack(struct peer *p, const struct seg_spec *spec, const struct tcp_options *opt)
{
    unsigned named = 0;
    while (named < 4 && spec->sack[named][1])
        named++;
    unsigned got = opt->present & OPT_SACK ? opt->n_sack : 0;
    if ((named || spec->no_sack) && named != got)
        peer_fail(p, "%u SACK blocks, there must be %u", got, named);
    for (unsigned i = 0; i < named; i++) {
        same(p, "a SACK block's left edge", spec->sack[i][0], opt->sack[i].left.v);
        same(p, "a SACK block's right edge", spec->sack[i][1], opt->sack[i].right.v);
    }
}

static void same_accecn(struct peer *p, const struct seg_spec *spec, const struct tcp_options *opt)
{
    int kind = opt->present & OPT_ACCECN0 ? 172 : opt->present & OPT_ACCECN1 ? 174 : NO_ACCECN;
    if (spec->accecn == 0)
        return;
    if (kind != spec->accecn || (kind > 0 && opt->n_accecn != spec->n_accecn))
        peer_fail(p, "AccECN option of kind %d with %u counters (%u %u %u), not %d with %u", kind,
                  opt->n_accecn, opt->accecn[0], opt->accecn[1], opt->accecn[2], spec->accecn,
                  spec->n_accecn);
    for (unsigned i = 0; kind > 0 && i < opt->n_accecn; i++)
        if (opt->accecn[i] != spec->counts[i])
            peer_fail(p, "counter %u of the AccECN option is %u, it must be %u", i, opt->accecn[i],
                      spec->counts[i]);
}

static void same_options(struct peer *p, const struct seg_spec *spec, const struct seen *seen)
{
    const struct tcp_options *opt = &seen->seg.opt;
    char text[240];
    if (spec->mss)
        same(p, "MSS", spec->mss, opt->present & OPT_MSS ? opt->mss : 0);
    if (spec->wscale)
        same(p, "the window scale", spec->wscale, opt->present & OPT_WSCALE ? opt->wscale + 1u : 0);
    if (spec->sackok && !(opt->present & OPT_SACK_OK))
        peer_fail(p, "SACK-permitted is missing");
    if ((spec->tsval || spec->tsecr) && !(opt->present & OPT_TS))
        peer_fail(p, "timestamps are missing");
    if (spec->no_ts && (opt->present & OPT_TS))
        peer_fail(p, "there are timestamps");
    same(p, "TSval", spec->tsval, opt->ts_val);
    same(p, "TSecr", spec->tsecr, opt->ts_ecr);
    same(p, "the user timeout option", spec->uto, opt->present & OPT_UTO ? opt->uto : 0);
    same_sack(p, spec, opt);
    same_accecn(p, spec, opt);
    const uint8_t *header = seen->bytes + seen->ip_offset + seen->ip.header_len;
    peer_option_text(header, seen->seg.header_len, text, sizeof text);
    if (spec->options && strcmp(spec->options, text) != 0)
        peer_fail(p, "options \"%s\", they must be \"%s\"", text, spec->options);
}

static void compare(struct peer *p, const struct seg_spec *spec, const struct seen *seen)
{
    const struct segment *seg = &seen->seg;
    unsigned ctl = spec->ctl & PSH ? seg->ctl : seg->ctl & ~(unsigned)PSH;
    char want[16], got[16];
    control_bits(spec->ctl, want);
    control_bits(ctl, got);
    if (ctl != spec->ctl)
        peer_fail(p, "control bits are %s (seq ISS+%d, text %u), they must be %s", got,
                  (int)(seg->seq.v - p->c->iss), seg->text_len, want);
    same(p, "SEG.SEQ", spec->seq, seg->seq.v);
    same(p, "SEG.ACK", spec->ack, seg->ack.v);
    if (spec->len != ANY && seg->text_len != spec->len)
        peer_fail(p, "%u octets of text (from ISS+%d), there must be %u", seg->text_len,
                  (int)(seg->seq.v - p->c->iss), (unsigned)spec->len);
    if (spec->no_psh && (seg->ctl & PSH))
        peer_fail(p, "PSH is set");
    same(p, "SEG.WND", spec->wnd, seg->wnd);
    bool scaled = !(seg->ctl & SYN) && p->c->scales && p->c->stack_scales;
    same(p, "the window", spec->window, seg->wnd << (scaled ? p->c->stack_wscale : 0));
    same(p, "SEG.UP", spec->up, seg->up);
    same(p, "the ECN codepoint + 1", spec->ip_ecn, (seen->ip.tos & 3) + 1u);
    same_options(p, spec, seen);
}

static void expect_taken(struct peer *p, const struct seg_spec *spec, struct seen *seen)
{
    compare(p, spec, seen);
    const struct segment *seg = &seen->seg;
    uint32_t end = seg->seq.v + seg->text_len + !!(seg->ctl & SYN) + !!(seg->ctl & FIN);
    if (!(seg->ctl & RST) && (int32_t)(end - p->c->acks) > 0)
        p->c->acks = end;
    peer_taken(p, seen);
}

void peer_expects(struct peer *p, const struct seg_spec *spec)
{
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    char want[16];
    control_bits(spec->ctl, want);
    if (!seen)
        peer_fail(p, "silence, there must be a segment: %s", want);
    expect_taken(p, spec, seen);
}

void peer_expects_silence(struct peer *p)
{
    peer_start(p);
    peer_pump(p);
    if (p->n_seen == 0)
        return;
    const struct seen *seen = p->seen[0];
    char ctl[16];
    control_bits(seen->seg.ctl, ctl);
    peer_fail(p, "there must be silence, not %s %s seq ISS+%d text %u (%u frames)",
              seen->is_tcp ? "TCP" : "a frame", ctl, (int)(seen->seg.seq.v - p->c->iss),
              seen->seg.text_len, p->n_seen);
}

/* Time ------------------------------------------------------------------------------------------*/

/* To the next deadline, at most `limit`; false: limit is reached. */
static bool tick(struct peer *p, int64_t limit, unsigned *stuck)
{
    int64_t deadline = hf_deadline(p->stack, &p->env);
    bool reached = deadline >= limit;
    int64_t to = reached ? limit : deadline > p->env.now_ns ? deadline : p->env.now_ns;
    *stuck = to == p->env.now_ns ? *stuck + 1 : 0;
    if (*stuck > PATIENCE)
        peer_fail(p, "hf_deadline stays at now: the host would spin");
    p->env.now_ns = to;
    hf_timeouts(p->stack, &p->env);
    peer_pump(p);
    return !reached;
}

void peer_after(struct peer *p, int64_t ms)
{
    peer_start(p);
    peer_pump(p);
    int64_t limit = p->env.now_ns + ms * MS;
    unsigned stuck = 0;
    while (tick(p, limit, &stuck))
        ;
}

void peer_expects_after(struct peer *p, int64_t lo_ms, int64_t hi_ms, const struct seg_spec *spec)
{
    peer_start(p);
    peer_expects_silence(p);
    int64_t start = p->env.now_ns;
    unsigned stuck = 0;
    bool more = true;
    while (p->n_seen == 0 && more)
        more = tick(p, start + hi_ms * MS, &stuck);
    int64_t waited = p->env.now_ns - start;
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    if (!seen)
        peer_fail(p, "silence for %lld ms", (long long)hi_ms);
    if (waited < lo_ms * MS)
        peer_fail(p, "a segment after %.3f ms, it must take %lld to %lld", (double)waited / MS,
                  (long long)lo_ms, (long long)hi_ms);
    expect_taken(p, spec, seen);
}

/* States and events -----------------------------------------------------------------------------*/

struct hf_status peer_status(struct peer *p)
{
    struct hf_status status = {.struct_size = sizeof status};
    int result = hf_status(p->stack, &p->env, p->c->handle, &status);
    if (result != HF_OK)
        peer_fail(p, "hf_status: %s", hf_error_text(result));
    return status;
}

void peer_expects_state(struct peer *p, enum hf_state want)
{
    struct hf_status status = {.struct_size = sizeof status};
    int got = p->c->state;
    if (p->c->handle && hf_status(p->stack, &p->env, p->c->handle, &status) == HF_OK)
        got = status.state;
    if (got != (int)want)
        peer_fail(p, "the state is %s, it must be %s",
                  got < 0 ? "unknown" : hf_state_name((enum hf_state)got), hf_state_name(want));
}

void peer_events(struct peer *p)
{
    struct hf_event event;
    peer_start(p);
    for (int n = 0; hf_events(p->stack, &p->env, &event, 1) == 1; n++) {
        if (n > PATIENCE)
            peer_fail(p, "hf_events never ends");
        if (event.bits == 0)
            peer_fail(p, "an event without a bit");
        if (event.handle == p->listener)
            p->listener_events |= event.bits;
        for (int i = 0; i < PEER_CONNS; i++)
            if (p->conn[i].handle == event.handle) {
                p->conn[i].events |= event.bits;
                if (event.bits & HF_CLOSED_EVENT)
                    p->conn[i].error = event.error;
            }
    }
}

void peer_expects_event(struct peer *p, uint32_t bits)
{
    peer_events(p);
    if ((p->c->events & bits) != bits)
        peer_fail(p, "events %#x, there must be %#x among them", p->c->events, bits);
    p->c->events &= ~bits;
}

void peer_expects_no_event(struct peer *p, uint32_t bits)
{
    peer_events(p);
    if (p->c->events & bits)
        peer_fail(p, "events %#x, there must be none of %#x", p->c->events, bits);
}

void peer_expects_closed(struct peer *p, int error)
{
    peer_expects_event(p, HF_CLOSED_EVENT);
    if (p->c->error != error)
        peer_fail(p, "closed with \"%s\", it must be \"%s\"", hf_error_text(p->c->error),
                  hf_error_text(error));
    peer_expects_state(p, HF_CLOSED);
}

/* User calls ------------------------------------------------------------------------------------*/

void peer_calls(struct peer *p, int64_t result)
{
    if (result < 0)
        peer_fail(p, "the call fails: %s", hf_error_text((int)result));
    peer_pump(p);
}

void peer_refuses(struct peer *p, int error, int64_t result)
{
    if (result != error)
        peer_fail(p, "the call returns %lld (%s), it must be \"%s\"", (long long)result,
                  result < 0 ? hf_error_text((int)result) : "success", hf_error_text(error));
    peer_pump(p);
}

struct hf_endpoint peer_here(const struct peer *p, uint16_t port)
{
    struct hf_endpoint end = {.port = port};
    memcpy(end.ip, p->stack_ip, 16);
    return end;
}

struct hf_endpoint peer_there(const struct peer *p, uint16_t port)
{
    struct hf_endpoint end = {.port = port};
    memcpy(end.ip, p->peer_ip, 16);
    return end;
}

void peer_listens(struct peer *p, uint16_t backlog, bool hold)
{
    peer_start(p);
    struct hf_listen listen = {.struct_size = sizeof listen,
                               .local = {.port = STACK_PORT},
                               .backlog = backlog,
                               .hold = hold};
    peer_calls(p, hf_listen(p->stack, &p->env, &listen, &p->listener));
}

void peer_opens(struct peer *p, uint32_t timeout_ms)
{
    peer_start(p);
    struct hf_endpoint here = peer_here(p, p->c->stack_port);
    struct hf_endpoint there = peer_there(p, p->c->peer_port);
    peer_waits_for_iss(p);
    peer_calls(p, hf_open(p->stack, &p->env, &here, &there, timeout_ms, &p->c->handle));
}

void peer_accepts(struct peer *p)
{
    struct hf_endpoint from;
    peer_calls(p, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, &from));
    if (from.port != p->c->peer_port || memcmp(from.ip, p->peer_ip, 16) != 0)
        peer_fail(p, "accepted from port %u, it must be %u", from.port, p->c->peer_port);
}

void peer_writes(struct peer *p, uint32_t n, uint32_t flags)
{
    uint8_t *text = malloc(n ? n : 1);
    if (!text)
        abort();
    peer_octets(true, (uint32_t)p->c->sent, text, n);
    int64_t took = hf_send(p->stack, &p->env, p->c->handle, text, n, flags);
    free(text);
    if (took != n)
        peer_fail(p, "hf_send of %u octets returns %lld", n, (long long)took);
    p->c->sent += n;
    peer_pump(p);
}

void peer_reads(struct peer *p, uint32_t n)
{
    uint8_t *text = calloc(n ? n : 1, 1);
    if (!text)
        abort();
    uint32_t have = 0;
    while (have < n) {
        int64_t got = hf_recv(p->stack, &p->env, p->c->handle, text + have, n - have);
        if (got <= 0)
            peer_fail(p, "hf_recv gives %lld after %u of %u octets", (long long)got, have, n);
        have += (uint32_t)got;
    }
    uint32_t i = peer_octets_right(false, (uint32_t)p->c->read, text, n);
    if (i < n)
        peer_fail(p, "octet %u of the peer's text arrives as %02x", (uint32_t)p->c->read + i,
                  text[i]);
    free(text);
    p->c->read += n;
    peer_pump(p);
}

void peer_reads_result(struct peer *p, int result)
{
    uint8_t octet;
    peer_refuses(p, result, hf_recv(p->stack, &p->env, p->c->handle, &octet, 1));
}

void peer_new_incarnation(struct peer *p, uint32_t irs)
{
    struct peer_conn *c = p->c;
    *c = (struct peer_conn){.stack_port = c->stack_port,
                            .peer_port = c->peer_port,
                            .irs = irs,
                            .nxt = irs,
                            .wnd = 65535,
                            .state = -1};
}

static struct seg_spec with_syn(const struct peer *p, unsigned ctl)
{
    struct seg_spec spec = p->with;
    spec.ctl = ctl;
    spec.seq = IRS;
    return spec;
}

void peer_establish_active(struct peer *p)
{
    peer_opens(p, 0);
    peer_expects(p, &(struct seg_spec){.ctl = SYN, .seq = ISS});
    struct seg_spec spec = with_syn(p, SYN | ACK);
    spec.ack = ISS + 1;
    peer_sends(p, &spec);
    peer_expects(p, &(struct seg_spec){.ctl = ACK, .seq = ISS + 1, .ack = IRS + 1});
    peer_expects_state(p, HF_ESTABLISHED);
    peer_expects_event(p, HF_CONNECTED);
    p->c->events = 0;
}

void peer_establish_passive(struct peer *p)
{
    if (!p->listener)
        peer_listens(p, 8, false);
    struct seg_spec spec = with_syn(p, SYN);
    peer_sends(p, &spec);
    peer_expects(p, &(struct seg_spec){.ctl = SYN | ACK, .seq = ISS, .ack = IRS + 1});
    peer_sends(p, &(struct seg_spec){.ctl = ACK, .seq = IRS + 1, .ack = ISS + 1});
    peer_expects_silence(p);
    peer_accepts(p);
    peer_expects_state(p, HF_ESTABLISHED);
    peer_events(p);
    p->c->events = p->listener_events = 0;
}
