/* compact.h - small records: SYN-RECEIVED of a passive open (half_open.c, RFC 4987 3.5), and
 * TIME-WAIT whose handle was released (time_wait.c, RFC 9293 3.6.1).
 *
 * A segment for one of them is judged by the same eight steps as any other: the record is inflated
 * to a scratch copy of a tcb (F_COMPACT), the steps run on it, and what changed is put back.
 */
#ifndef TCP_COMPACT_H
#define TCP_COMPACT_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/seq.h"
#include "handfast/trace.h"

struct conn_id;
struct segment;
struct tcb;
struct tcp;

/* Who talks to whom, in a record.  IPv6: remote is the index of an ext6, local is 0. */
struct tuple {
    uint32_t remote, local;
    uint16_t rport, lport;
};

struct half_open {
    struct tuple id;
    struct idlist_link link; /* in tcp_block.half[retries]                              */
    uint32_t at_ms;          /* SYN,ACK again                                           */
    seq_t iss, irs;
    uint32_t ts_recent;
    uint16_t peer_wnd, peer_mss;
    uint16_t listener;
    uint8_t listener_generation;
    uint8_t challenged; /* 64 ms ticks of the last repeated SYN,ACK, 0: none       */
    uint8_t snd_wscale : 4, rcv_wscale : 4;
    uint8_t flags; /* HALF_*                                                  */
    uint8_t retries : 3;
    uint8_t classic : 1, no_ect : 1, accurate : 1; /* M_CLASSIC ...                   */
    uint8_t syn_mark : 2; /* but with `classic`: F_ASKED_MORE                         */
    uint8_t zone;
};
_Static_assert(sizeof(struct half_open) == 48, "the byte table: SYN-RECEIVED");

struct time_wait {
    struct tuple id;
    struct idlist_link link; /* in tcp_block.waiting                                    */
    uint32_t at_ms;
    seq_t snd_nxt, rcv_nxt;
    uint32_t ts_recent;
    uint16_t rcv_wnd;    /* as it stood in the last header                          */
    uint16_t challenged; /* 8 ms ticks of the last challenge ACK, 0: none           */
    uint32_t history;
    uint8_t flags; /* HALF_*                                                  */
    uint8_t snd_wscale : 4, rcv_wscale : 4;
    uint8_t tos, zone;
};
_Static_assert(sizeof(struct time_wait) == 48, "the byte table: TIME-WAIT");

enum { HALF_V6 = 1, HALF_TS = 2, HALF_SACK = 4, HALF_WSCALE = 8 };
/* half_open.flags: its SYN,ACK went again, or it is not known when (RFC 6298 3). */
enum { HALF_NO_RTT = 16 };
/* time_wait.flags has the ECN bits of its ACKs above them, and whether they are ACE. */
enum { WAIT_ECN_SHIFT = 4, WAIT_ACCURATE = 128 };

/* half_open.c */
/* Before policy changes. */
void tcp_half_open_policy(struct tcp *tcp, const struct hf_policy *next);
uint32_t tcp_new_half_open(struct tcp *tcp, const struct tcb *scratch, const struct conn_id *id,
                           uint32_t listener);
enum hf_verdict tcp_arrives_half_open(struct tcp *tcp, uint32_t idx, const struct conn_id *id,
                                      struct segment *seg);
/* A tcb of its own for a connection whose ACK has come, from its scratch copy; NULL: no room now.
 */
struct tcb *tcp_promote(struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                        const struct tcb *scratch);
/* The segment that opened it is judged, on the tcb; opened: the verdict instead of ACCEPTED. */
enum hf_verdict tcp_arrives_promoted(struct tcp *tcp, struct tcb *tcb, struct segment *seg,
                                     enum hf_verdict opened);
/* arrived: the id of the segment under way, whose MTU counts; NULL: none. */
void tcp_inflate_half_open(struct tcp *tcp, const struct half_open *half,
                           const struct conn_id *arrived, struct tcb *scratch);
/* The listener, if it is still the one that took the SYN; after 128 others in its place, at least
 * one that could have.  NULL: it is closed. */
struct listener *tcp_half_open_listener(const struct tcp *tcp, const struct half_open *half);
/* Is its listener closed?  Then it is gone now. */
bool tcp_forget_half_open(struct tcp *tcp, uint32_t idx);
void tcp_drop_half_open(struct tcp *tcp, uint32_t idx);
/* Of what is due no more than *budget, which becomes less. */
void tcp_half_open_timeouts(struct tcp *tcp, uint32_t *budget);
uint32_t tcp_half_open_next(const struct tcp *tcp); /* the earliest deadline, 0: none */
/* A listener goes: its half-open connections are forgotten, those not accepted are reset. */
void tcp_close_listener(struct tcp *tcp, uint32_t listener);

/* time_wait.c */
enum hf_verdict tcp_arrives_time_wait(struct tcp *tcp, uint32_t idx, const struct conn_id *id,
                                      uint32_t listener, struct segment *seg);
/* SND.NXT of the connection of this id in TIME-WAIT; false: there is none.  And its end, once the
 * one that replaces it is open. */
bool tcp_time_wait_nxt(const struct tcp *tcp, const struct conn_id *id, seq_t *snd_nxt);
void tcp_end_time_wait(struct tcp *tcp, const struct conn_id *id);
/* Is there none, or does it let this SYN in (RFC 6191 2)? */
bool tcp_time_wait_lets_in(struct tcp *tcp, const struct conn_id *id, const struct segment *seg);
/* A released tcb in TIME-WAIT becomes small and is gone; false: no record is left, it stays. */
bool tcp_compact_time_wait(struct tcp *tcp, struct tcb *tcb);
void tcp_inflate_time_wait(struct tcp *tcp, const struct time_wait *wait, struct tcb *scratch);
void tcp_drop_time_wait(struct tcp *tcp, uint32_t idx);
void tcp_time_wait_timeouts(struct tcp *tcp, uint32_t *budget);
uint32_t tcp_time_wait_next(const struct tcp *tcp); /* the earliest deadline, 0: none */

/* compact.c: for both */
uint8_t tcp_compact_flags(uint32_t flags); /* F_* -> HALF_* */
/* What both leave out is worked out again. */
void tcp_inflate(struct tcp *tcp, const struct tuple *tuple, uint8_t zone, uint8_t flags,
                 const struct conn_id *arrived, struct tcb *scratch);
/* The record of this flow value ends: tells whoever watches.  See tcp_trace_ended. */
void tcp_compact_ended(struct tcp *tcp, uint32_t value, int error, enum hf_cause cause,
                       enum hf_verdict verdict);
/* When a challenge ACK left, in ticks of which `mask` are told apart; 0 is for none, and the tick
 * behind it stands for it. */
uint32_t tcp_challenge_tick(uint32_t ticks, uint32_t mask);
/* ... and how many ticks ago that was: never more than there were. */
uint32_t tcp_challenge_ago(uint32_t ticks, uint32_t then, uint32_t mask);

#endif
