/* opening.h - how a connection opens: the functions of isn.c (RFC 6528), syn_cookie.c (RFC 4987)
 * and fastopen.c (RFC 7413).  Included by tcp.h.
 */
#ifndef TCP_OPENING_H
#define TCP_OPENING_H

#include "tcp/tcp.h"

/* isn.c: RFC 6528, RFC 7323 5.4, RFC 6056 */
seq_t tcp_choose_iss(const struct tcp *tcp, const struct conn_id *id);
seq_t tcp_iss_above(seq_t iss, seq_t nxt); /* iss, or one above SND.NXT of the one it replaces */
/* The two halves of one hash: of its timestamps, and of its SYN cookies. */
struct tcp_offsets {
    uint32_t ts, cookie;
};
struct tcp_offsets tcp_offsets(const struct tcp *tcp, const struct conn_id *id);
/* A free local port for id (whose lport is set); 0: none in a bounded number of tries. */
uint16_t tcp_choose_port(struct tcp *tcp, struct conn_id *id);

/* handshake.c: F_TS, F_SACK, F_WSCALE that both SYNs say; the MSS that the peer's says */
uint32_t tcp_agreed(const struct segment *seg, uint32_t offered);
uint16_t tcp_peer_mss(const struct tcp *tcp, const struct segment *seg, bool v6);
/* reply.c: one to fill in, but for addresses, ports and TTL; NULL: no room, which is counted. */
struct tcp_reply *tcp_new_reply(struct tcp *tcp, const struct conn_id *id);

/* syn_cookie.c: RFC 4987 3.6 */
/* Is this SYN to be answered with a cookie?  full: there is no room for a record. */
bool tcp_cookie_wanted(const struct tcp *tcp, const struct listener *listener, bool full);
void tcp_cookie_send(struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                     struct tcb *scratch);
/* The same for a SYN of a flood, without a scratch copy; false: it asks for more than that does. */
bool tcp_cookie_answer(struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                       const struct segment *seg);
/* Could this segment bring one back?  And does it?  Then scratch is in SYN-RECEIVED. */
bool tcp_cookie_awaited(const struct tcp *tcp, struct listener *listener,
                        const struct segment *seg);
bool tcp_cookie_read(struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                     const struct segment *seg, struct tcb *scratch);
/* One that could: counted, traced. */
enum hf_verdict tcp_arrives_cookie(struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                                   struct segment *seg);

static inline struct fast_keys *tcp_listener_fast_keys(const struct tcp *tcp, uint32_t listener)
{
    return (struct fast_keys *)((uint8_t *)tcp->block + tcp->b->fast_keys_offset) + (listener - 1);
}

/* fastopen.c: RFC 7413, the server */
/* A SYN that scratch has taken: true: it has a tcb now, in the accept queue.  False: as any other;
 * tcp->no_fast says whether its SYN,ACK shall bring a cookie. */
bool tcp_fast_open_syn(struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                       const struct segment *seg, const struct tcb *scratch);
/* That cookie, as an option; fast: FAST_EXP. */
void tcp_fast_open_cookie(const struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                          unsigned fast, struct tcp_options *opt);
/* What tcb->listener becomes when a pending child is accepted. */
uint32_t tcp_fast_open_origin(const struct tcp *tcp, uint32_t listener);
bool tcp_fast_open_pends(const struct tcp *tcp, const struct tcb *tcb);
/* It pends no more: its SYN is acknowledged, or it is gone. */
void tcp_fast_open_done(struct tcp *tcp, struct tcb *tcb);
/* May it send text although its SYN,ACK is not acknowledged? */
bool tcp_fast_open_speaks(const struct tcb *tcb);
/* backup may be NULL. */
void tcp_set_fast_keys(struct fast_keys *keys, const uint8_t primary[16], const uint8_t *backup);

/* fastopen_client.c: RFC 7413, the client */
/* Octets of text that our SYN, not sent yet, can carry. */
uint32_t tcp_fast_open_room(struct tcp *tcp, const struct tcb *tcb);
/* The option of our first SYN. */
void tcp_fast_open_ask(struct tcp *tcp, struct tcb *tcb, struct tcp_options *opt);
/* Our SYN is acknowledged, by a SYN,ACK or where SYNs have crossed: what that tells is kept; and,
 * once the ACK is taken, what it left of the text is sent again. */
void tcp_fast_open_answered(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
void tcp_fast_open_resume(struct tcp *tcp, struct tcb *tcb);
void tcp_fast_open_gave_up(struct tcp *tcp, const struct tcb *tcb); /* nobody answered */
int tcp_set_fast_open(struct tcp *tcp, struct tcb *tcb, int64_t value);
int64_t tcp_fast_open_option(const struct tcp *tcp, const struct tcb *tcb);
void tcp_fast_open_go(struct tcp *tcp, struct tcb *tcb); /* the SYN waits no more */
void tcp_fast_open_wait_no_more(struct tcp *tcp, struct tcb *tcb);
void tcp_fast_open_forget(struct tcp *tcp);

#endif
