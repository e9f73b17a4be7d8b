/* side.c - one endpoint: a stack of two connections that listens, and what is done to it.
 *
 * Its clock stands still but for its own timers, each of which moves it to its deadline, and a
 * moment before an ISN is chosen.  Round trips are nothing then and all timeouts are one
 * second, as hf_canonical_fixed wants it.
 */
#include "side.h"

#include <handfast/check.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const side_names[2] = {"A", "B"};

enum {
    SECOND_MS = 1000,
    NS_PER_MS = 1000000,
    ISN_TICK_NS = 4000,
    MOMENT_MS = 64, /* a tick of the coarsest clock that limits challenge ACKs */
    LOOKS_MOST = 64,
    BEGIN_MS = 20000
};

/* The peer's ISNs as an endpoint sees them, far apart: wherever the real ones lie, a number of
 * another incarnation is outside of every window. */
#define PEER_ISN(gen) (0x40000000u + (gen)*1000000u)

static const uint8_t addresses[2][16] = {{[10] = 0xff, 0xff, 192, 0, 2, 1},
                                         {[10] = 0xff, 0xff, 192, 0, 2, 2}};
static const uint16_t ports[2] = {1000, 2000};

const char *wrong_sentence(enum wrong wrong)
{
    static const char *const sentences[WRONG_COUNT] = {
#define X(name, sentence) [WRONG_##name] = (sentence),
        WRONGS(X)
#undef X
    };
    return sentences[wrong] ? sentences[wrong] : "nothing";
}

void side_wrong(struct outcome *outcome, enum wrong wrong, const char *format, ...)
{
    if (outcome->wrong != WRONG_NOTHING)
        return;
    outcome->wrong = (uint8_t)wrong;
    va_list args;
    va_start(args, format);
    // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is one line above
    vsnprintf(outcome->detail, sizeof outcome->detail, format, args);
    va_end(args);
}

void side_disabled(struct doing *d, const char *why)
{
    d->outcome->disabled = true;
    snprintf(d->outcome->detail, sizeof d->outcome->detail, "%s", why);
}

struct hf_stack *side_stack(struct side *s)
{
    return (struct hf_stack *)(void *)s->block;
}

/* Its SYN is acknowledged; a CLOSE in SYN-RECEIVED alone makes no connection. */
bool side_synchronized(const struct view *v)
{
    return v->state >= HF_ESTABLISHED && v->state != HF_TIME_WAIT && v->una > 0;
}

/* Everything small, every timeout one second, what is measured without effect. */
static void set_policy(struct hf_policy *p)
{
    p->rto_min_ms = p->rto_initial_ms = p->rto_max_ms = SECOND_MS;
    p->max_receive_window = p->receive_window = SIDE_WINDOW;
    p->send_buffer = p->max_send_buffer = SIDE_WINDOW;
    p->congestion = HF_NEWRENO;
    p->mtu_probing = HF_MTU_PROBING_OFF;
    p->hystart = HF_HYSTART_OFF;
    p->syn_cookies = HF_COOKIES_OFF;
    p->ecn = HF_ECN_OFF;
    p->timestamps = p->sack = p->window_scale = false;
    p->rack = p->tlp = p->frto = p->undo = p->tune_buffers = false;
    p->dupthresh = 255;
    p->challenge_ack_ms = 1;
    p->quick_acks = 0;
}

static void configure(struct hf_config *c)
{
    hf_config_default(c, 2);
    c->max_half_open = c->max_time_wait = 1;
    c->max_extras = c->max_stats = c->max_udp = c->max_neighbours = c->max_packets = 0;
    c->max_listeners = c->max_interfaces = c->max_addresses = c->max_routes = 1;
    c->max_replies = 2;
    c->max_reassembly = c->large_chunks = c->lent_chunks = c->max_regions = 0;
    c->max_ranges = 4;
    c->max_sent = 8;
    c->small_chunks = 8;
    c->small_chunk_bytes = 64;
    c->history_events = 0;
    c->max_tokens = 16;
    c->max_fast_open_peers = 0;
    set_policy(&c->policy);
}

void side_header(int side, uint8_t frame[FRAME_OCTETS])
{
    static const uint8_t ip[12] = {0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6};
    memset(frame, 0, FRAME_OCTETS);
    memcpy(frame, ip, sizeof ip);
    memcpy(frame + 12, addresses[side] + 12, 4);
    memcpy(frame + 16, addresses[1 - side] + 12, 4);
    for (int i = 0; i < 2; i++) {
        uint16_t port = ports[i == 0 ? side : 1 - side];
        frame[20 + 2 * i] = (uint8_t)(port >> 8);
        frame[21 + 2 * i] = (uint8_t)port;
    }
}

static struct hf_env quiet_env(const struct side *s)
{
    return (struct hf_env){.struct_size = sizeof(struct hf_env), .now_ns = s->now_ns};
}

/* The stack itself.  Seeds are chosen so that a rebooted one begins with a higher ISN (RFC 9293
 * 3.4.3 leaves that to chance, once in 2^31 in a window's reach). */
static bool boot(struct side *s, int side)
{
    struct hf_config config;
    configure(&config);
    config.policy.tw_ignore_rst = s->tw_ignore_rst;
    config.policy.rto_max_ms <<= s->backs_off;
    memset(config.seed, side + 1, sizeof config.seed);
    config.seed[15] = s->ghost.reboots;
    struct hf_env env = quiet_env(s);
    struct hf_stack *stack = side_stack(s);
    struct hf_interface link = {.struct_size = sizeof link, .link = HF_LINK_IP, .mtu = 576};
    struct hf_listen listen = {.struct_size = sizeof listen, .backlog = 1};
    memcpy(listen.local.ip, addresses[side], 16);
    listen.local.port = ports[side];
    struct hf_oracle_config judge = {
        .struct_size = sizeof judge, .max_connections = 2, .policy = &config.policy};
    memset(s->block, 0, sizeof s->block);
    memset(s->oracle, 0, sizeof s->oracle);
    s->handle = s->listener = 0;
    return hf_oracle_init((struct hf_oracle *)(void *)s->oracle, ORACLE_OCTETS, &judge) == HF_OK &&
           hf_size(&config) <= BLOCK_OCTETS &&
           hf_init(stack, BLOCK_OCTETS, &config, &env) == HF_OK &&
           hf_interface_add(stack, &env, &link) == 1 &&
           hf_address_add(stack, &env, 1, addresses[side], 24) == HF_OK &&
           (!s->listens || (hf_listen(stack, &env, &listen, &s->listener) == HF_OK &&
                            hf_set_option(stack, &env, s->listener, HF_NODELAY, 1) == HF_OK &&
                            hf_set_option(stack, &env, s->listener, HF_QUICK_ACK, 1) == HF_OK));
}

bool side_begin(struct side *s, int side, const struct explore_config *config)
{
    memset(s, 0, sizeof *s);
    s->listens = config->listens[side];
    s->unjudged = config->unjudged;
    s->isn_step = config->isn_step;
    s->tw_ignore_rst = config->tw_ignore_rst;
    s->backs_off = config->backs_off;
    s->now_ns = (int64_t)BEGIN_MS * NS_PER_MS;
    for (uint32_t gen = 0; gen < GENS; gen++)
        s->irs[gen] = PEER_ISN(gen);
    return boot(s, side);
}

static void reboot(struct side *s, int side)
{
    for (uint8_t gen = 0; gen < s->ghost.gens; gen++)
        s->ghost.own[gen].is |= IS_ABORTED;
    s->ghost.reboots++;
    s->ghost.current = 0;
    boot(s, side);
}

/* A SYN that will be given an ISN: nothing is in its way but the TIME-WAIT of an older one. */
static bool is_welcome(const struct side *s, const struct message *m)
{
    bool free = s->listens && (m->ctl & (HF_SYN | HF_ACK)) == HF_SYN;
    for (int i = 0; i < s->ghost.views; i++) {
        const struct view *v = &s->ghost.view[i];
        free = free && v->state == HF_TIME_WAIT && (v->peer == GEN_NONE || m->seq_gen > v->peer);
    }
    return free;
}

/* What needs a new ISN takes a moment, in which the ISN clock of RFC 9293 3.4.1 counts to 16,000,
 * more than any window here: as long as no timer is due then.  Half-open records and TIME-WAIT
 * count in ticks since when they may challenge again: of whole ones no part is left that would tell
 * states apart.  Where ISNs are close it takes as long as that clock does to isn_step. */
static void moment(struct side *s)
{
    struct hf_env env = quiet_env(s);
    int64_t moment_ns = s->isn_step ? s->isn_step * ISN_TICK_NS : (int64_t)MOMENT_MS * NS_PER_MS;
    if (hf_deadline(side_stack(s), &env) > s->now_ns + moment_ns)
        s->now_ns += moment_ns;
}

/* Views ---------------------------------------------------------------------------------------- */

/* The incarnation of a TIME-WAIT that has forgotten its ISN: all it had to send has left. */
static uint8_t gen_that_ends_at(const struct side *s, uint32_t snd_nxt)
{
    for (uint8_t gen = s->ghost.gens; gen-- > 0;)
        if (s->iss[gen] + s->ghost.own[gen].nxt == snd_nxt)
            return gen;
    return GEN_NONE;
}

static void look(const struct side *s, const struct hf_record *record, struct view *view)
{
    uint8_t own, peer = GEN_NONE;
    if (record->numbered) {
        own = side_gen_of_isn(s->iss, s->ghost.gens, record->iss);
        if (record->irs != 0 && record->state != HF_SYN_SENT)
            peer = side_gen_of_isn(s->irs, GENS, record->irs);
    } else {
        own = gen_that_ends_at(s, record->snd_nxt);
        peer = own == GEN_NONE ? GEN_NONE : (uint8_t)(s->ghost.own[own].peer - 1);
    }
    *view = (struct view){.state = record->state,
                          .own = own,
                          .peer = peer,
                          .released = record->released && record->state != HF_TIME_WAIT};
    if (own != GEN_NONE) {
        view->una = (uint8_t)(record->snd_una - s->iss[own]);
        view->nxt = (uint8_t)(record->snd_nxt - s->iss[own]);
    }
    if (peer != GEN_NONE)
        view->rcv = (uint8_t)(record->rcv_nxt - s->irs[peer]);
}

static bool needs_timer(const struct view *v)
{
    switch (v->state) {
    case HF_SYN_SENT:
    case HF_SYN_RECEIVED:
    case HF_FIN_WAIT_1:
    case HF_CLOSING:
    case HF_LAST_ACK:
    case HF_TIME_WAIT:
        return true;
    case HF_FIN_WAIT_2:
        return v->released;
    default:
        return v->state != HF_CLOSED && v->una != v->nxt;
    }
}

static void remember(struct ghost *g, const struct view *v)
{
    if (v->own == GEN_NONE || v->peer == GEN_NONE || v->state < HF_SYN_RECEIVED)
        return;
    struct own *own = &g->own[v->own];
    own->peer = (uint8_t)(v->peer + 1);
    own->is |= side_synchronized(v) ? IS_OPEN : 0;
}

/* Each block that is met: it is small, and interned, so that none is looked at twice. */
static void check_block(struct doing *d)
{
    uint8_t marks[MARKS_OCTETS];
    struct hf_flaw flaw = {.struct_size = sizeof flaw};
    char text[sizeof d->outcome->detail];
    int error = hf_check(side_stack(d->s), BLOCK_OCTETS, marks, sizeof marks, &flaw);
    if (error == HF_ERR_MISMATCH)
        side_wrong(d->outcome, WRONG_BLOCK, "at %s, %s", side_names[d->side],
                   hf_flaw_text(&flaw, text, sizeof text));
    else if (error != HF_OK)
        side_wrong(d->outcome, WRONG_BLOCK, "at %s: %s", side_names[d->side], hf_error_text(error));
}

/* What the block holds now, and what can be seen of it to be wrong. */
static void look_all(struct doing *d)
{
    struct side *s = d->s;
    struct ghost *g = &s->ghost;
    struct hf_record records[RECORDS_MOST];
    uint32_t n = hf_records(side_stack(s), &d->env, records, RECORDS_MOST);
    int open = 0;
    bool needed = false;
    memset(g->view, 0, sizeof g->view);
    g->views = (uint8_t)n;
    g->timer = hf_deadline(side_stack(s), &d->env) != INT64_MAX;
    for (uint32_t i = 0; i < n && i < RECORDS_MOST; i++) {
        struct view *v = &g->view[i];
        look(s, &records[i], v);
        remember(g, v);
        open += side_synchronized(v);
        needed = needed || needs_timer(v);
        if (v->una > v->nxt)
            side_wrong(d->outcome, WRONG_SND_UNA, "%s acknowledged %u of %u", side_names[d->side],
                       v->una, v->nxt);
    }
    if (open > 1)
        side_wrong(d->outcome, WRONG_TWO_OPEN, "at %s", side_names[d->side]);
    if (needed && !g->timer)
        side_wrong(d->outcome, WRONG_NO_TIMER, "at %s", side_names[d->side]);
    check_block(d);
}

/* The application has its handle, or the block its record. */
static bool is_there(const struct ghost *g, uint8_t gen)
{
    bool there = g->current == gen + 1;
    for (int i = 0; i < g->views && i < RECORDS_MOST; i++)
        there = there || g->view[i].own == gen;
    return there;
}

/* Of an incarnation that is gone only what can still be asked for is kept: its numbers and its
 * peer; that it was broken off, which excuses all else; that it was open, where nothing here was
 * broken off, and then that it failed; that it had closed, once its FIN has left. */
static void forget_gone(struct ghost *g)
{
    bool broken = false;
    for (uint8_t gen = 0; gen < g->gens; gen++)
        broken = broken || (g->own[gen].is & IS_ABORTED);
    for (uint8_t gen = 0; gen < g->gens; gen++) {
        struct own *own = &g->own[gen];
        if (is_there(g, gen))
            continue;
        if (own->is & IS_ABORTED) {
            own->is = IS_ABORTED;
            own->received = 0;
        }
        if (broken)
            own->is &= (uint8_t)~IS_OPEN;
        if (!(own->is & IS_OPEN))
            own->is &= (uint8_t)~IS_FAILED;
        if (own->nxt < own->sent + 2)
            own->is &= (uint8_t)~IS_CLOSED;
    }
}

/* Events --------------------------------------------------------------------------------------- */

static void traced(void *arg, const struct hf_trace *record)
{
    struct doing *d = arg;
    struct hf_violation violation;
    struct hf_oracle *oracle = (struct hf_oracle *)(void *)d->s->oracle;
    d->fired = d->fired || record->kind == HF_TRACE_TIMER;
    if (!d->s->unjudged && !hf_oracle_judge(oracle, record, &violation))
        side_wrong(d->outcome, WRONG_ORACLE, "%s: %s; %s", side_names[d->side], violation.sentence,
                   violation.detail);
    if (d->outside->trace)
        d->outside->trace(d->outside->trace_arg, record);
}

static bool waits(const struct view *v)
{
    return v->state == HF_TIME_WAIT || v->state == HF_FIN_WAIT_2;
}

/* A record that waited for old segments is gone: then there may be none of them. */
static void note_forgotten(const struct ghost *before, const struct ghost *after,
                           struct outcome *outcome)
{
    for (int i = 0; i < before->views; i++) {
        const struct view *v = &before->view[i];
        bool there = !waits(v);
        for (int k = 0; k < after->views; k++)
            there = there || (after->view[k].own == v->own && waits(&after->view[k]));
        if (there)
            continue;
        outcome->clean = true;
        outcome->own_mask |= v->own != GEN_NONE ? (uint16_t)(1u << v->own) : 0;
        outcome->peer_mask |= v->peer != GEN_NONE ? (uint16_t)(1u << v->peer) : 0;
    }
}

/* Until one has fired: on its way down the wheel a timer is looked at more than once. */
static void timer(struct doing *d)
{
    for (int looks = 0; looks < LOOKS_MOST && !d->fired; looks++) {
        int64_t at_ns = hf_deadline(side_stack(d->s), &d->env);
        if (at_ns == INT64_MAX)
            break;
        d->s->now_ns = d->env.now_ns = at_ns > d->s->now_ns ? at_ns : d->s->now_ns;
        hf_timeouts(side_stack(d->s), &d->env);
        d->fired = d->fired || hf_deadline(side_stack(d->s), &d->env) == d->env.now_ns; /* owes */
    }
    d->outcome->disabled = !d->fired;
}

static void open_it(struct doing *d)
{
    struct side *s = d->s;
    struct hf_endpoint local = {.port = ports[d->side]}, remote = {.port = ports[1 - d->side]};
    memcpy(local.ip, addresses[d->side], 16);
    memcpy(remote.ip, addresses[1 - d->side], 16);
    hf_handle handle = 0;
    int error = s->handle != 0 ? HF_ERR_EXISTS
                               : hf_open(side_stack(s), &d->env, &local, &remote, 0, &handle);
    if (error != HF_OK) {
        side_disabled(d, hf_error_text(error));
        return;
    }
    s->handle = handle;
    hf_set_option(side_stack(s), &d->env, handle, HF_NODELAY, 1);
    hf_set_option(side_stack(s), &d->env, handle, HF_QUICK_ACK, 1);
}

void side_do(struct side *s, int side, enum event_kind kind, const struct message *message,
             const struct side_env *outside, struct outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    struct ghost before = s->ghost;
    if (kind == EVENT_OPEN || (kind == EVENT_DELIVER && is_welcome(s, message)))
        moment(s);
    struct doing d = {.forged = kind == EVENT_FORGED,
                      .s = s,
                      .side = side,
                      .outside = outside,
                      .outcome = outcome};
    d.env = quiet_env(s);
    d.env.trace = traced;
    d.env.trace_arg = &d;
    if (kind == EVENT_TIMER)
        timer(&d);
    else if (kind == EVENT_REBOOT)
        reboot(s, side);
    else if (kind == EVENT_OPEN)
        open_it(&d);
    else if (kind == EVENT_DELIVER || kind == EVENT_FORGED)
        side_deliver(&d, message);
    else
        side_call(&d, kind);
    if (outcome->disabled)
        return;
    for (bool more = true; more;) {
        more = side_application(&d);
        more = side_output(&d) != 0 || more;
    }
    look_all(&d);
    forget_gone(&s->ghost);
    if (kind == EVENT_TIMER) {
        note_forgotten(&before, &s->ghost, outcome);
        outcome->repeats = d.counted > 0;
    }
    if ((kind == EVENT_DELIVER || d.forged) && d.bare > 1)
        side_wrong(outcome, WRONG_TOO_MANY, "%d at %s", d.bare, side_names[side]);
}

/* Where ISNs are close: they, how far apart the peer's are, and the clock that the next is taken
 * from. */
static uint64_t put_distances(const struct side *s, uint8_t *at)
{
    struct {
        int64_t now_ns;
        uint64_t heard;
        uint32_t own[GENS], peer[GENS];
    } d = {.now_ns = s->now_ns, .heard = s->heard};
    if (!s->isn_step)
        return 0;
    for (int gen = 0; gen < GENS; gen++) {
        d.own[gen] = gen < s->ghost.gens ? s->iss[gen] : 0;
        d.peer[gen] = s->heard >> gen & 1 ? s->irs[gen] - s->irs[0] : 0;
    }
    memcpy(at, &d, sizeof d);
    return sizeof d;
}

void side_key(const struct side *s, uint64_t key[2])
{
    uint8_t form[8192];
    struct hf_env env = quiet_env(s);
    const struct hf_stack *stack = (const struct hf_stack *)(const void *)s->block;
    struct ghost ghost = s->ghost;
    if (!s->isn_step)
        ghost.reboots = 0; /* of it follows the next boot's seed alone, and so ISNs */
    memcpy(form, &ghost, sizeof ghost);
    uint64_t len = sizeof ghost;
    len += s->backs_off ? hf_canonical(stack, &env, form + len, sizeof form - len)
                        : hf_canonical_fixed(stack, &env, form + len, sizeof form - len);
    len += put_distances(s, form + len);
    hash_128(form, len, key);
}
