/* fastopen_client.c - RFC 7413 section 4.2, the client: cookies that servers gave, and text on our
 * SYN.  The server is in fastopen.c.
 *
 *     no cookie known       SYN with an empty option; the SYN,ACK may bring one      RFC7413-12
 *     cookie                SYN with it and text, as much as the server's last MSS takes
 *     text acknowledged     as if the handshake had been before it
 *     text left             sent again with the ACK of the SYN,ACK                   RFC7413-24
 *     no answer             SYN again, with neither option nor text                  RFC7413-17
 *
 * What servers gave lies in a table by both addresses (RFC7413-5): a set of four by a keyed hash,
 * the one that was not used longest makes room.  A server, or a path, that let the text be lost
 * twice in a row is not tried again for a while (RFC7413-8, RFC7413-9).
 */
#include "tcp/recovery.h"
#include "tcp/stats.h"

enum { WAYS = 4, LOSSES = 2, HOLD_MS = 60000, HOLD_SHIFT_MAX = 8, TCP_OPTIONS_MAX = 40 };

static struct fast_peer *peer_at(const struct tcp *tcp, uint32_t n)
{
    return (struct fast_peer *)((uint8_t *)tcp->block + tcp->b->fast_peers_offset) + n;
}

static struct fast_peer *first_of_set(const struct tcp *tcp, const struct conn_id *id)
{
    struct conn_id hosts = *id;
    hosts.lport = hosts.rport = 0;
    tcp_hash(tcp, &hosts);
    uint32_t sets = tcp->b->max_fast_peers / WAYS;
    return sets ? peer_at(tcp, hosts.hash % sets * WAYS) : NULL;
}

/* What is known of this server, or NULL. */
static struct fast_peer *find(const struct tcp *tcp, const struct conn_id *id)
{
    struct fast_peer *set = first_of_set(tcp, id);
    for (uint32_t i = 0; set && i < WAYS; i++) {
        if (set[i].used && memcmp(set[i].remote, id->remote, 16) == 0 &&
            memcmp(set[i].local, id->local, 16) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

/* The same, made where there is none. */
static struct fast_peer *find_or_make(const struct tcp *tcp, const struct conn_id *id)
{
    struct fast_peer *peer = find(tcp, id);
    struct fast_peer *set = first_of_set(tcp, id);
    if (peer || set == NULL) {
        return peer;
    }
    peer = set;
    for (uint32_t i = 1; i < WAYS && peer->used; i++) {
        if (!set[i].used || (int32_t)(set[i].used_ms - peer->used_ms) < 0) {
            peer = &set[i];
        }
    }
    *peer = (struct fast_peer){.used = true};
    memcpy(peer->remote, id->remote, 16);
    memcpy(peer->local, id->local, 16);
    return peer;
}

void tcp_fast_open_forget(struct tcp *tcp)
{
    memset(peer_at(tcp, 0), 0, sizeof(struct fast_peer) * (size_t)tcp->b->max_fast_peers);
}

/* RFC7413-9 */
static bool held_back(const struct tcp *tcp, const struct fast_peer *peer)
{
    uint32_t hold_ms = (uint32_t)HOLD_MS << min_u32(peer->losses, HOLD_SHIFT_MAX);
    return peer->losses >= LOSSES && tcp->now_ms - peer->lost_ms < hold_ms;
}

static bool needs_no_cookie(const struct tcp *tcp)
{
    return tcp->b->policy.fast_open & HF_FAST_OPEN_CLIENT_NO_COOKIE;
}

static bool is_asked(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    return active && (active->fast & FAST_ASKED) && tcb->state == HF_SYN_SENT &&
           tcb->last_snd_ms == 0;
}

/* RFC7413-15, RFC7413-6, RFC7413-7: with all options that TCP could have. */
uint32_t tcp_fast_open_room(struct tcp *tcp, const struct tcb *tcb)
{
    struct conn_id id;
    if (!is_asked(tcp, tcb) || active_of(tcp, tcb)->snd_urgent) {
        return 0;
    }
    tcp_id(tcp, tcb, &id);
    const struct fast_peer *peer = find(tcp, &id);
    bool cookie = peer && peer->len;
    if (!(cookie || needs_no_cookie(tcp)) || (peer && held_back(tcp, peer))) {
        return 0;
    }
    uint32_t mss = tcp_announced_mss(tcb, tally_of(tcp, tcb)->max_segment);
    mss = peer && peer->mss ? min_u32(mss, peer->mss) : mss;
    return mss > TCP_OPTIONS_MAX ? mss - TCP_OPTIONS_MAX : 0;
}

void tcp_fast_open_ask(struct tcp *tcp, struct tcb *tcb, struct tcp_options *opt)
{
    struct conn_id id;
    if (!is_asked(tcp, tcb) || needs_no_cookie(tcp)) {
        return;
    }
    tcp_id(tcp, tcb, &id);
    struct fast_peer *peer = find(tcp, &id);
    if (peer && held_back(tcp, peer)) {
        return;
    }
    bool old_kind = peer && (tcp->b->policy.fast_open & HF_FAST_OPEN_KIND_254) &&
                    (peer->len ? peer->old_kind : peer->try_old_kind);
    active_of(tcp, tcb)->fast |= FAST_CARRIED | (old_kind ? FAST_EXP : 0);
    if (peer == NULL || peer->len == 0) {
        tcp_stats(tcp, tcb)->fast_open_fail = HF_FAST_OPEN_NO_COOKIE;
    }
    opt->present |= OPT_FASTOPEN | (old_kind ? OPT_FASTOPEN_EXP : 0);
    opt->fo_len = peer ? peer->len : 0;
    if (peer) {
        memcpy(opt->fo_cookie, peer->cookie, sizeof opt->fo_cookie);
        peer->used_ms = tcp->now_ms;
    }
}

static void note_loss(const struct tcp *tcp, struct fast_peer *peer)
{
    peer->losses += peer->losses < UINT8_MAX;
    peer->lost_ms = tcp->now_ms;
}

/* Asked for a cookie and got none: the other kind of option next time, then the first for ever. */
static void note_refusal(struct fast_peer *peer, bool old_kind)
{
    peer->try_old_kind = !old_kind && !peer->tried_old_kind;
    peer->tried_old_kind |= old_kind;
}

/* RFC7413-23: the MSS and a cookie; RFC7413-13: without one the old one stays.  One that was not
 * asked for is not taken; one that comes late is, the timeout may have been spurious. */
static void learn(struct tcp *tcp, const struct tcb *tcb, uint8_t fast, const struct segment *seg)
{
    struct conn_id id;
    tcp_id(tcp, tcb, &id);
    struct fast_peer *peer = find_or_make(tcp, &id);
    if (peer == NULL) {
        return;
    }
    bool again = tcb->flags & F_SYN_RESENT;
    bool given = (fast & FAST_CARRIED) && (seg->opt.present & OPT_FASTOPEN) && seg->opt.fo_len;
    bool text_lost =
        (fast & FAST_TEXT) && again && !given && seq_leq(seg->ack, seq_add(tcb->iss, 1));
    peer->used_ms = tcp->now_ms;
    peer->mss = tcb->peer_mss;
    if (given) {
        peer->len = seg->opt.fo_len;
        peer->old_kind = (seg->opt.present & OPT_FASTOPEN_EXP) != 0;
        memcpy(peer->cookie, seg->opt.fo_cookie, sizeof peer->cookie);
    } else if ((fast & FAST_CARRIED) && !again && peer->len == 0) {
        note_refusal(peer, fast & FAST_EXP);
    }
    if (text_lost) {
        note_loss(tcp, peer);
    } else if (fast & FAST_TEXT) { /* RFC 7413 4.1.3: a SYN without text says nothing of that */
        peer->losses = 0;
    }
}

/* The SYNs crossed: the peer is no server that refuses a cookie, and what it acknowledges may be
 * our SYN,ACK instead of the SYN with the text.  Only text that has arrived says something of it.
 */
static void learn_crossed(struct tcp *tcp, const struct tcb *tcb, uint8_t fast,
                          const struct segment *seg)
{
    struct conn_id id;
    tcp_id(tcp, tcb, &id);
    struct fast_peer *peer = find(tcp, &id);
    if (peer && (fast & FAST_TEXT) && seq_eq(seg->ack, tcb->snd.nxt)) {
        peer->used_ms = tcp->now_ms;
        peer->losses = 0;
    }
}

void tcp_fast_open_answered(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    const struct active *active = active_of(tcp, tcb);
    if (active == NULL || !(active->fast & FAST_ASKED)) {
        return;
    }
    if (tcb->state == HF_SYN_SENT) {
        learn(tcp, tcb, active->fast, seg);
    } else {
        learn_crossed(tcp, tcb, active->fast, seg);
    }
    if ((active->fast & FAST_TEXT) && seq_eq(seg->ack, tcb->snd.nxt)) {
        tcb->modes |= M_FO_SYN_DATA;
    } else if (active->fast & FAST_TEXT) {
        bool again = tcb->flags & F_SYN_RESENT;
        tcp_stats(tcp, tcb)->fast_open_fail =
            again ? HF_FAST_OPEN_SYN_RETRANSMITTED : HF_FAST_OPEN_DATA_NOT_ACKED;
    }
}

/* RFC7413-24: what of it was not acknowledged goes at once; nothing says that it was lost. */
void tcp_fast_open_resume(struct tcp *tcp, struct tcb *tcb)
{
    if (!seq_eq(tcb->snd.una, tcb->snd.nxt)) { /* without Fast Open nothing but the SYN was out */
        tcp_recovery_go_back(tcp, tcb);
        tcp_consider_sending(tcp, tcb);
    }
}

void tcp_fast_open_gave_up(struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    struct conn_id id;
    tcp_id(tcp, tcb, &id);
    struct fast_peer *peer = active && (active->fast & FAST_TEXT) ? find(tcp, &id) : NULL;
    if (peer) {
        note_loss(tcp, peer);
    }
}

/* HF_FAST_OPEN on a connection: before its SYN has left. */
int tcp_set_fast_open(struct tcp *tcp, struct tcb *tcb, int64_t value)
{
    struct active *active = active_of(tcp, tcb);
    if (value < HF_FAST_OPEN_OFF || value > HF_FAST_OPEN_DEFER) {
        return HF_ERR_INVALID;
    }
    if (tcb->state != HF_SYN_SENT || tcb->last_snd_ms != 0 || active == NULL) {
        return HF_ERR_NOT_CONNECTED;
    }
    if (value && !(tcp->b->policy.fast_open & HF_FAST_OPEN_CLIENT)) {
        return HF_ERR_UNSUPPORTED;
    }
    active->fast = value ? FAST_ASKED : 0;
    if (value == HF_FAST_OPEN_DEFER && active->sq_bytes == 0 && tcp_fast_open_room(tcp, tcb)) {
        active->fast |= FAST_DEFER;
        active->rto_at_ms = 0;
        active->unacked_since_ms = 0; /* RFC 9293 3.9.1.1: nothing is submitted yet */
        tcp_owe_nothing(tcp, tcb);
    } else {
        tcp_fast_open_go(tcp, tcb);
    }
    return HF_OK;
}

/* The SYN goes, or the peer's has come first: text waits for neither any more, and the user's
 * patience counts from now on. */
void tcp_fast_open_wait_no_more(struct tcp *tcp, struct tcb *tcb)
{
    active_of(tcp, tcb)->fast &= (uint8_t)~FAST_DEFER;
    tcp_begins_to_wait(tcp, tcb);
}

void tcp_fast_open_go(struct tcp *tcp, struct tcb *tcb)
{
    tcp_fast_open_wait_no_more(tcp, tcb);
    tcp_owe(tcp, tcb, HF_OWES_SYN);
    tcp_rto_start(tcp, tcb);
}

int64_t tcp_fast_open_option(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    if (active == NULL || !(active->fast & FAST_ASKED)) {
        return HF_FAST_OPEN_OFF;
    }
    return active->fast & FAST_DEFER ? HF_FAST_OPEN_DEFER : HF_FAST_OPEN_ON;
}
