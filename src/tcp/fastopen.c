/* fastopen.c - RFC 7413 section 4.2, the server: text on a SYN is delivered before the handshake
 * ends.  The client is in fastopen_client.c.
 *
 *     SYN, cookie request                 tcp_fast_open_syn    the SYN,ACK brings a cookie
 *     SYN, cookie, text                   tcp_fast_open_syn    SYN-RECEIVED with a tcb: accepted,
 *                                                              readable, writable at once
 *     SYN, cookie that is not ours, text                       as a request; the text is not kept
 *     more than HF_FAST_OPEN pending                           as a SYN without the option
 *
 * A cookie is SipHash-2-4 of the client's address and ours, under a key of the stack or of the
 * listener; a second key is what cookies may still be made with while the first is new.  What was
 * delivered can be delivered again when the network repeats the SYN (RFC 7413 6.1: RFC7413-26):
 * only listeners whose application asks for it do this.
 */
#include "tcp/tcp.h"

enum { RESETS_LAST_MS = 60000, COOKIE_BYTES = 8 };

/* The keys a listener's cookies are made with. */
static const struct fast_keys *keys_of(const struct tcp *tcp, uint32_t listener)
{
    bool own = listener_at(tcp, listener)->own_fast_keys;
    return own ? tcp_listener_fast_keys(tcp, listener) : &secret_of(tcp)->fast;
}

/* RFC7413-4: nobody else can make it, for no other address. */
static void make_cookie(const struct sip_key *key, const struct conn_id *id,
                        uint8_t cookie[COOKIE_BYTES])
{
    uint8_t both[32];
    size_t n = id->v4 ? 4 : 16;
    memcpy(both, id->remote + 16 - n, n);
    memcpy(both + n, id->local + 16 - n, n);
    put_le64(cookie, sip24(key->k0, key->k1, both, 2 * n));
}

/* Looks at each octet, however many are right. */
static bool same_cookie(const uint8_t *a, const uint8_t *b)
{
    uint32_t differences = 0;
    for (size_t i = 0; i < COOKIE_BYTES; i++) {
        differences |= a[i] ^ b[i];
    }
    return differences == 0;
}

/* The number of the key it was made with, from 1; 0: it is none of ours. */
static uint32_t key_of_cookie(const struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                              const struct segment *seg)
{
    const struct fast_keys *keys = keys_of(tcp, listener);
    for (uint32_t i = 0; i < keys->n && seg->opt.fo_len == COOKIE_BYTES; i++) {
        uint8_t cookie[COOKIE_BYTES];
        make_cookie(&keys->key[i], id, cookie);
        if (same_cookie(cookie, seg->opt.fo_cookie)) {
            return i + 1;
        }
    }
    return 0;
}

/* RFC7413-11, RFC 7413 5.1 (RFC7413-25): those that a reset ended count for a minute longer, so
 * that SYN, RST, SYN, RST ... is no way around the limit. */
static bool too_many_pending(const struct tcp *tcp, struct listener *listener)
{
    if (listener->fast_resets && tcp->now_ms - listener->fast_reset_ms >= RESETS_LAST_MS) {
        listener->fast_resets = 0;
    }
    return listener->fast_pending + listener->fast_resets >= listener->fast_open;
}

enum { ANSWER_OPEN = 1, ANSWER_COOKIE = 2 };

/* What a SYN asks for and gets: ANSWER_*; 0: it is a SYN as any other. */
static unsigned judge(const struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                      const struct segment *seg)
{
    struct listener *listener = listener_at(tcp, listener_idx);
    uint16_t allowed = tcp->b->policy.fast_open;
    bool old_kind = seg->opt.present & OPT_FASTOPEN_EXP; /* RFC7413-27 */
    bool asks =
        (seg->opt.present & OPT_FASTOPEN) && (!old_kind || (allowed & HF_FAST_OPEN_KIND_254));
    bool free = allowed & HF_FAST_OPEN_SERVER_NO_COOKIE;
    /* RFC7413-1, RFC7413-10: a listener that was not asked to has a limit of 0 */
    if (!(allowed & HF_FAST_OPEN_SERVER) || !(asks || (free && seg->text_len)) ||
        too_many_pending(tcp, listener)) {
        return 0;
    }
    uint32_t key = asks ? key_of_cookie(tcp, listener_idx, id, seg) : 0;
    if (key == 0 && !(free && seg->text_len)) {
        return ANSWER_COOKIE; /* RFC7413-19; "free" is text, and 4.2.1 for who asks */
    }
    return ANSWER_OPEN | (key > 1 ? ANSWER_COOKIE : 0);
}

/* The SYN's text, as if it came by itself; false: no memory. */
static bool take_text(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    struct segment text = *seg;
    text.seq = tcb->rcv.nxt;
    text.len = text.text_len;
    bool taken = tcp_process_text(tcp, tcb, &text);
    uint32_t unread = seq_len(tcb->irs, tcb->rcv.nxt) - 1;
    tcb->rcv.wnd = min_u32(tcb->rcv_buf - unread, 65535); /* nothing was promised yet */
    return taken;
}

/* RFC7413-18: a tcb in SYN-RECEIVED, in the accept queue; NULL: no room, then as without. */
static struct tcb *open_child(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                              const struct segment *seg, const struct tcb *scratch)
{
    struct tcb *tcb = tcp_promote(tcp, listener_idx, id, scratch);
    if (tcb == NULL) {
        return NULL;
    }
    if (!tcp_attach(tcp, tcb) || !take_text(tcp, tcb, seg)) {
        tcb->flags &= ~(uint32_t)F_UNACCEPTED; /* it is in no queue yet */
        tcp_delete(tcp, tcb);
        return NULL;
    }
    tcb->modes |= M_FO_CHILD | (seg->text_len ? M_FO_SYN_DATA : 0);
    active_of(tcp, tcb)->fast = FAST_PENDING | tcp->no_fast;
    listener_at(tcp, listener_idx)->fast_pending++;
    tcp_cwnd_begin(tcp, tcb); /* RFC7413-21 */
    tcp_owe(tcp, tcb, HF_OWES_SYN);
    tcp_rto_start(tcp, tcb);
    tcp_offer(tcp, tcb);
    tcp->b->opened_passive++;
    return tcb;
}

bool tcp_fast_open_syn(struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                       const struct segment *seg, const struct tcb *scratch)
{
    unsigned answer = judge(tcp, listener, id, seg);
    tcp->no_fast = (uint8_t)((answer & ANSWER_COOKIE ? FAST_OPTION : 0) |
                             (seg->opt.present & OPT_FASTOPEN_EXP ? FAST_EXP : 0));
    if (!(answer & ANSWER_OPEN)) {
        return false;
    }
    struct tcb open = *scratch;
    tcp_take_iss(&open, tcp_choose_iss(tcp, id));
    tcp_set_state(&open, HF_SYN_RECEIVED);
    return open_child(tcp, listener, id, seg, &open) != NULL;
}

void tcp_fast_open_cookie(const struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                          unsigned fast, struct tcp_options *opt)
{
    opt->present |= OPT_FASTOPEN | (fast & FAST_EXP ? OPT_FASTOPEN_EXP : 0);
    opt->fo_len = COOKIE_BYTES;
    make_cookie(&keys_of(tcp, listener)->key[0], id, opt->fo_cookie);
}

/* An accepted connection names its listener with the generation: that may be another one now. */
uint32_t tcp_fast_open_origin(const struct tcp *tcp, uint32_t listener)
{
    return listener | listener_at(tcp, listener)->generation << 16;
}

static struct listener *listener_of(const struct tcp *tcp, const struct tcb *tcb)
{
    struct listener *listener = listener_at(tcp, tcb->listener & 0xffff);
    bool same =
        (tcb->flags & F_UNACCEPTED) || listener->generation << 16 >> 16 == tcb->listener >> 16;
    return same ? listener : NULL;
}

bool tcp_fast_open_pends(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    return active && (active->fast & FAST_PENDING);
}

void tcp_fast_open_done(struct tcp *tcp, struct tcb *tcb)
{
    if (!tcp_fast_open_pends(tcp, tcb)) {
        return;
    }
    struct listener *listener = listener_of(tcp, tcb);
    if (listener) {
        listener->fast_pending--;
        if (tcb->flags & F_RST_RECEIVED) {
            listener->fast_resets += listener->fast_resets < UINT16_MAX;
            listener->fast_reset_ms = tcp->now_ms;
        }
    }
    active_of(tcp, tcb)->fast &= (uint8_t)~FAST_PENDING;
    tcb->listener = tcb->flags & F_UNACCEPTED ? tcb->listener : 0;
}

bool tcp_fast_open_speaks(const struct tcb *tcb)
{
    return tcb->state == HF_SYN_RECEIVED && (tcb->modes & M_FO_CHILD);
}

void tcp_set_fast_keys(struct fast_keys *keys, const uint8_t primary[16], const uint8_t *backup)
{
    const uint8_t *const octets[] = {primary, backup};
    keys->n = backup ? 2 : 1;
    for (uint32_t i = 0; i < keys->n; i++) {
        keys->key[i] = (struct sip_key){get_le64(octets[i]), get_le64(octets[i] + 8)};
    }
}
