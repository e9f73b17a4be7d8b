/* actor.c - the play: application, stack and actor in turn, in virtual time. */
#include "peers/actor.h"

#include <string.h>

enum { STEP_MS = 10, QUIET_STEP_MS = 200, REPEAT_MS = 500, PIECE = 4096, TEN_MINUTES = 600 };

uint32_t iss(const struct play *play)
{
    return play->p->c->iss;
}

uint32_t irs(const struct play *play)
{
    return play->p->c->irs;
}

void play_must(struct play *play, bool condition, const char *text)
{
    if (!condition)
        peer_fail(play->p, "a peer that %s: the stack must show that it %s; does not hold: %s",
                  play->actor->habit, play->actor->shows, text);
}

/* The actor's mouth ---------------------------------------------------------------------------- */

void play_says(struct play *play, const struct seg_spec *spec)
{
    struct seg_spec all = *spec;
    play->p->c->nxt = play->snd_nxt;
    play->p->c->acks = play->rcv_nxt;
    if (!all.wnd)
        all.wnd = play->wnd ? play->wnd : ZERO;
    peer_sends(PEER_HERE(play->p), &all);
}

void acks(struct play *play)
{
    says(play, ACK);
}

void says_raw(struct play *play, uint32_t at, uint32_t ack, uint16_t ctl, uint8_t octet,
              uint32_t len, bool bad_checksum)
{
    struct peer *p = play->p;
    uint8_t payload[WIRE_MAX_TCP + 2000];
    struct segment seg = {.seq = seq(at),
                          .ack = seq(ack),
                          .ctl = ctl,
                          .wnd = play->wnd,
                          .sport = p->c->peer_port,
                          .dport = p->c->stack_port};
    struct wire_ip ip = {.version = p->v6 ? 6 : 4};
    memcpy(ip.src, p->peer_ip, 16);
    memcpy(ip.dst, p->stack_ip, 16);
    size_t header = wire_put_tcp(payload, &seg);
    memset(payload + header, octet, len);
    wire_set_tcp_checksum(payload, header, &ip, csum_add(0, payload + header, len), len);
    payload[16] ^= bad_checksum;
    peer_ip(p, WIRE_PROTO_TCP, payload, (uint32_t)header + len);
}

void sends_text(struct play *play)
{
    while ((int32_t)(play->snd_end - play->snd_nxt) > 0) {
        uint32_t len = play->snd_end - play->snd_nxt;
        len = len < play->mss ? len : play->mss;
        if ((int32_t)(play->stack_edge - play->snd_nxt - len) < 0)
            return;
        says(play, ACK, .len = len);
        play->snd_nxt += len;
        play->repeat_at_ms = play->now_ms + REPEAT_MS;
    }
    bool all = play->snd_nxt == play->snd_end;
    bool first = play->actor->job == DOWNLOAD || play->actor->job == TAKE;
    if (all && !play->fin_sent && (first || play->fin_seen)) {
        says(play, FIN | ACK);
        play->fin_sent = true;
        play->snd_nxt++;
        play->repeat_at_ms = play->now_ms + REPEAT_MS;
    }
}

/* What is not acknowledged, again. */
static void repeats(struct play *play)
{
    if (!play->open || play->snd_una == play->snd_nxt || play->now_ms < play->repeat_at_ms)
        return;
    uint32_t behind = play->snd_nxt;
    play->snd_nxt = play->snd_una;
    play->repeat_at_ms = play->now_ms + REPEAT_MS;
    if ((int32_t)(play->snd_end - play->snd_nxt) > 0) {
        uint32_t len = play->snd_end - play->snd_nxt;
        says(play, ACK, .len = len < play->mss ? len : play->mss);
    } else {
        says(play, FIN | ACK);
    }
    play->snd_nxt = behind;
}

/* A correct peer --------------------------------------------------------------------------------
 */

static void answers_syn(struct play *play, const struct segment *seg)
{
    play->rcv_nxt = seg->seq.v + 1;
    if (!(seg->ctl & ACK)) {
        struct seg_spec spec = play->p->with;
        spec.ctl = SYN | ACK;
        spec.seq = IRS;
        play_says(play, &spec);
        play->open = true;
    } else {
        play->open = true;
        acks(play);
    }
    play->snd_una = play->snd_nxt = irs(play) + 1;
    play->snd_end = play->snd_nxt;
    if (play->actor->job == DOWNLOAD || play->actor->job == TAKE)
        play->snd_end += play->actor->octets;
}

void takes(struct play *play, const struct segment *seg)
{
    uint32_t end = seg->seq.v + seg->text_len;
    if ((int32_t)(seg->seq.v - play->rcv_nxt) > 0)
        return;
    if ((int32_t)(end - play->rcv_nxt) > 0)
        play->rcv_nxt = end;
    if ((seg->ctl & FIN) && end == play->rcv_nxt) {
        play->fin_seen = true;
        play->rcv_nxt++;
    }
}

void behaves(struct play *play, const struct segment *seg)
{
    if (seg->ctl & RST)
        return;
    if (seg->ctl & SYN) {
        answers_syn(play, seg);
    } else if (seg->text_len || (seg->ctl & FIN) || seg->seq.v != play->rcv_nxt) {
        takes(play, seg);
        acks(play);
    }
    if (play->open)
        sends_text(play);
}

/* What the stack's segment tells, whatever becomes of it. */
static void notes(struct play *play, const struct segment *seg)
{
    uint32_t end = seg->seq.v + seg->len;
    bool first = play->segs++ == 0;
    int64_t silence = play->now_ms - play->last_seg_ms;
    play->longest_ms = !first && silence > play->longest_ms ? silence : play->longest_ms;
    play->last_seg_ms = play->now_ms;
    play->resets += (seg->ctl & RST) != 0;
    play->texts += seg->text_len != 0;
    play->acks += seg->len == 0 && !(seg->ctl & RST);
    play->probes += seg->len == 0 && seg->seq.v == play->highest - 1;
    play->largest = seg->text_len > play->largest ? seg->text_len : play->largest;
    if (seg->len && !first && (int32_t)(end - play->highest) <= 0)
        play->repeats++;
    if (first || (int32_t)(end - play->highest) > 0)
        play->highest = end;
    uint32_t out = play->highest - play->rcv_nxt;
    if (play->open && (int32_t)out > 0 && out > play->most_out)
        play->most_out = out;
    if (!(seg->ctl & ACK) || (seg->ctl & RST))
        return;
    const struct peer_conn *c = play->p->c;
    bool scaled = !(seg->ctl & SYN) && c->scales && c->stack_scales;
    if (play->open && (int32_t)(seg->ack.v - play->snd_una) > 0 &&
        (int32_t)(seg->ack.v - play->snd_nxt) <= 0) {
        play->snd_una = seg->ack.v;
        play->repeat_at_ms = play->now_ms + REPEAT_MS;
    }
    play->stack_edge = seg->ack.v + ((uint32_t)seg->wnd << (scaled ? c->stack_wscale : 0));
}

/* The application -------------------------------------------------------------------------------
 */

static void writes_some(struct play *play)
{
    struct peer *p = play->p;
    uint8_t text[PIECE];
    while (play->written < play->actor->octets) {
        uint64_t left = play->actor->octets - play->written;
        uint32_t len = (uint32_t)(left < PIECE ? left : PIECE);
        for (uint32_t i = 0; i < len; i++)
            text[i] = peer_octet(true, (uint32_t)play->written + i);
        int64_t n = hf_send(p->stack, &p->env, p->c->handle, text, len, 0);
        if (n <= 0)
            break;
        play->written += (uint64_t)n;
    }
}

static void reads_some(struct play *play)
{
    struct peer *p = play->p;
    uint8_t text[PIECE];
    int64_t n;
    while (!play->ended &&
           (n = hf_recv(p->stack, &p->env, p->c->handle, text, PIECE)) != HF_ERR_WOULD_BLOCK) {
        for (int64_t i = 0; i < n; i++)
            if (text[i] != peer_octet(false, (uint32_t)(play->read + (uint64_t)i)))
                peer_fail(p, "octet %llu of the peer's text is wrong",
                          (unsigned long long)(play->read + (uint64_t)i));
        play->read += n > 0 ? (uint64_t)n : 0;
        play->ended = n <= 0;
        play->error = n < 0 ? (int)n : 0;
    }
}

static void takes_connection(struct play *play)
{
    struct peer *p = play->p;
    if (p->c->handle == 0)
        (void)hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL);
    struct hf_status status = {.struct_size = sizeof status};
    if (p->c->handle && hf_status(p->stack, &p->env, p->c->handle, &status) == HF_OK)
        play->opened = status.state >= HF_ESTABLISHED;
    play->ended = play->ended || (p->c->handle && status.state == HF_CLOSED);
}

static void applies(struct play *play)
{
    struct peer *p = play->p;
    bool sends_first = play->actor->job == UPLOAD || play->actor->job == SERVE;
    if (play->released)
        return;
    if (!play->opened)
        takes_connection(play);
    if (p->c->handle == 0)
        return;
    if (sends_first && play->opened && !play->closed) {
        writes_some(play);
        if (play->written == play->actor->octets)
            play->closed = hf_close(p->stack, &p->env, p->c->handle) == HF_OK;
    }
    reads_some(play);
    if (play->ended && !play->closed) {
        (void)hf_close(p->stack, &p->env, p->c->handle);
        play->closed = true;
    }
    if ((play->ended && (play->error || play->closed)) || (play->actor->leaves && play->closed)) {
        struct hf_close_reason reason;
        int why = hf_close_reason(p->stack, p->c->handle, &reason);
        play->error = play->error ? play->error : why;
        calls(hf_release(p->stack, &p->env, p->c->handle));
        play->released = true;
    }
    peer_pump(p);
}

/* The play --------------------------------------------------------------------------------------
 */

static bool holds_nothing(struct play *play)
{
    struct hf_counters c = {.struct_size = sizeof c};
    hf_counters(play->p->stack, &c);
    return c.connections + c.half_open + c.time_wait + c.active + c.small_chunks + c.large_chunks +
               c.ranges ==
           0;
}

static void begins(struct play *play)
{
    struct peer *p = play->p;
    const struct actor *actor = play->actor;
    if (actor->prepare)
        actor->prepare(play);
    if (actor->job == UPLOAD || actor->job == DOWNLOAD) {
        opens();
    } else {
        listens();
        struct seg_spec spec = p->with;
        spec.ctl = SYN;
        spec.seq = IRS;
        play->snd_nxt = irs(play);
        play_says(play, &spec);
    }
}

static void listens_to_stack(struct play *play)
{
    struct peer *p = play->p;
    struct seen *seen;
    while ((seen = peer_take(p, WIRE_PROTO_TCP)) != NULL) {
        notes(play, &seen->seg);
        bool dealt =
            play->silent || (play->actor->react != NULL && play->actor->react(play, &seen->seg));
        if (!dealt)
            behaves(play, &seen->seg);
        peer_taken(p, seen);
    }
}

/* At the end of a play whose connection stays: the application can end it at once. */
static void gives_up(struct play *play)
{
    struct peer *p = play->p;
    must(play, !play->released);
    calls(hf_abort(p->stack, &p->env, p->c->handle));
    calls(hf_release(p->stack, &p->env, p->c->handle));
    peer_forget(p);
    must(play, holds_nothing(play));
}

/* Where nothing happens, time goes faster. */
static int64_t step_ms(const struct play *play)
{
    bool quiet = play->now_ms - play->last_seg_ms > 2000 && play->now_ms > 2000;
    return quiet && (play->actor->tick == NULL || play->silent) ? QUIET_STEP_MS : STEP_MS;
}

void play_actor(struct peer *p, const struct actor *actor)
{
    struct play play = {.p = p, .actor = actor, .wnd = 65535, .mss = 1000};
    int64_t end_ms = (actor->seconds ? actor->seconds : TEN_MINUTES) * 1000;
    p->with = (struct seg_spec){.mss = 1460};
    begins(&play);
    int64_t start_ns = p->env.now_ns;
    while (play.now_ms < end_ms && !play.gone) {
        listens_to_stack(&play);
        applies(&play);
        listens_to_stack(&play);
        if (!play.silent) {
            repeats(&play);
            if (actor->tick)
                actor->tick(&play);
        }
        after(step_ms(&play));
        play.now_ms = (p->env.now_ns - start_ns) / 1000000;
        bool let_go = play.released || (p->c->handle == 0 && play.now_ms > 1000);
        play.gone = let_go && holds_nothing(&play);
    }
    listens_to_stack(&play);
    if (actor->stays)
        gives_up(&play);
    else
        must(&play, play.gone);
    must(&play, actor->stays || play.error == actor->error);
    if (actor->judge)
        actor->judge(&play);
}
