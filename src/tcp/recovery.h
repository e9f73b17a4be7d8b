/* recovery.h - RFC 8985, 6675, 6582, 9937, 5682: what the files that find and repair losses offer
 * to each other and to the rest of this folder.
 */
#ifndef TCP_RECOVERY_H
#define TCP_RECOVERY_H

#include "tcp/tcp.h"

/* sent.c: RFC 8985 5.2, what is known of each transmission */
/* New octets `left` .. SND.NXT have left, in segments of mss (none for a SYN); octets `left` ..
 * left + len have left again. */
void tcp_sent_new(struct tcp *tcp, const struct tcb *tcb, seq_t left, uint32_t mss);
void tcp_sent_again(struct tcp *tcp, const struct tcb *tcb, seq_t left, uint32_t len);
/* SND.UNA has moved; a SACK block has come, within SND.UNA .. SND.NXT: fills in tcp->news. */
void tcp_sent_acked(struct tcp *tcp, struct tcb *tcb);
void tcp_sent_sacked(struct tcp *tcp, struct tcb *tcb, seq_t left, seq_t right);
/* A record is lost (it may be gone afterwards: joined with a neighbour); the first segment is. */
void tcp_sent_lose(struct tcp *tcp, const struct tcb *tcb, uint32_t idx);
void tcp_sent_lose_first(struct tcp *tcp, const struct tcb *tcb);
/* After a timeout: what tcp_rack_due says, or all, is lost; SACK marks are kept or cleared. */
void tcp_sent_go_back(struct tcp *tcp, const struct tcb *tcb, bool keep_sacked, bool all);
void tcp_sent_unlose(struct tcp *tcp, const struct tcb *tcb); /* nothing is lost */
/* How many segments a record's octets up to `right` were. */
uint32_t tcp_sent_segments(const struct tcb *tcb, const struct sent *sent, seq_t right);
void tcp_sent_clear(struct tcp *tcp, struct active *active);

/* Each is held by the peer, waits to be sent again, or is in flight. */
static inline bool tcp_sent_waits(const struct sent *sent)
{
    return (sent->flags & (SENT_SACKED | SENT_LOST | SENT_AGAIN)) == SENT_LOST;
}

static inline bool tcp_sent_flies(const struct sent *sent)
{
    return !(sent->flags & SENT_SACKED) && !tcp_sent_waits(sent);
}

/* ack.c: SND.UNA has come into the record, or beyond it: fills in tcp->news. */
void tcp_note_age(struct tcp *tcp, const struct sent *sent, seq_t una);

/* sent_tree.c: the same records, to be found by number; `left` as it was when they were added, or
 * between the same neighbours */
void tcp_sent_tree_add(struct tcp *tcp, struct active *active, uint32_t idx);
void tcp_sent_tree_remove(struct tcp *tcp, struct active *active, uint32_t idx);
/* Those that are lost and not sent again, and the first of them; 0: none. */
void tcp_sent_lost_add(struct tcp *tcp, struct active *active, uint32_t idx);
void tcp_sent_lost_remove(struct tcp *tcp, struct active *active, uint32_t idx);
uint32_t tcp_sent_next_lost(const struct tcp *tcp, const struct active *active);
/* The record that holds `at`; 0: it lies before SND.UNA. */
uint32_t tcp_sent_find(const struct tcp *tcp, const struct active *active, seq_t at);

/* sack.c: RFC 2018, 2883; RFC 6675 4 */
/* Takes the blocks of an ACK: fills in tcp->news. */
void tcp_sack_update(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
bool tcp_sack_is_dsack(const struct segment *seg);
/* The octet behind the highest SACKed one; SND.UNA: none is. */
seq_t tcp_sack_high(const struct tcp *tcp, const struct tcb *tcb, const struct active *active);
void tcp_sack_lose(struct tcp *tcp, struct tcb *tcb); /* marks what IsLost() says */
/* NextSeg() (3) and (4): length and place of what goes again though it is not lost; 0: nothing. */
uint32_t tcp_sack_next(const struct tcp *tcp, const struct tcb *tcb, seq_t *at);

/* rack.c: RFC 8985 6 */
/* Is what the ACK echoes of a copy that left before that of so long ago?  A tick for rounding. */
static inline bool tcp_echoes_older(const struct ack_news *news, uint32_t age_us)
{
    return news->echoed && news->echo_age_ms > age_us / 1000 + 1;
}
bool tcp_rack_used(const struct tcp *tcp, const struct tcb *tcb);
void tcp_rack_min_rtt(struct tcp *tcp, struct tcb *tcb, uint32_t rtt_us);
/* Octets of a record up to `right` have arrived. */
void tcp_rack_delivered(struct tcp *tcp, struct tcb *tcb, const struct sent *sent, seq_t right);
/* recovered: this ACK ends a recovery. */
void tcp_rack_adapt(struct tcp *tcp, const struct tcb *tcb, bool recovered);
bool tcp_rack_due(const struct tcp *tcp, const struct tcb *tcb, const struct sent *sent);
void tcp_rack_on_rto(const struct tcp *tcp, struct active *active);
void tcp_rack_detect(struct tcp *tcp, struct tcb *tcb); /* marks what is lost, sets the timer */

/* tlp.c: RFC 8985 7 */
void tcp_tlp_reset(struct active *active);
/* Sets the timer for a probe, no later than the one for an RTO.  False: there is to be none. */
bool tcp_tlp_arm(struct tcp *tcp, struct tcb *tcb);
void tcp_tlp_timeout(struct tcp *tcp, struct tcb *tcb);
void tcp_tlp_sent(struct tcb *tcb, struct active *active);
/* An episode outlasts the active record: until SND.UNA moves beyond it, or this ACK tells more. */
void tcp_tlp_detach(struct tcb *tcb, const struct active *active);
void tcp_tlp_attach(struct tcb *tcb, struct active *active);
void tcp_tlp_on_idle_ack(struct tcb *tcb, const struct segment *seg);
/* The last segment: its length (FIN counted) and place. */
uint32_t tcp_tlp_segment(const struct tcp *tcp, const struct tcb *tcb, const struct active *active,
                         seq_t *at);
void tcp_tlp_on_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg, bool duplicate);

/* prr.c: RFC 9937 */
void tcp_prr_begin(const struct tcp *tcp, const struct tcb *tcb);
void tcp_prr_on_ack(const struct tcp *tcp, struct tcb *tcb);
void tcp_prr_sent(struct active *active, uint32_t bytes);

/* undo.c: RFC 5682, 3522, 4015, 3708 */
void tcp_undo_begin(const struct tcb *tcb, struct active *active); /* before cwnd changes */
void tcp_undo_forget(struct active *active);
void tcp_undo_sent(const struct tcp *tcp, struct active *active, seq_t at, uint32_t bytes);
void tcp_undo_note_dsack(const struct tcp *tcp, struct active *active);
/* What this ACK proves about the last reduction. */
bool tcp_undo_by_echo(const struct tcp *tcp, const struct tcb *tcb);
bool tcp_undo_by_dsack(const struct tcp *tcp, const struct active *active);
void tcp_undo(struct tcp *tcp, struct tcb *tcb, bool timeout);
/* again: the timer has fired for the same segment before. */
void tcp_frto_begin(const struct tcp *tcp, const struct tcb *tcb, struct active *active,
                    bool again);
bool tcp_frto_on_ack(struct tcp *tcp, struct tcb *tcb, bool duplicate); /* true: spurious */

/* recovery.c: RFC 5681 3.2, 6582 */
uint32_t tcp_sent_pipe(const struct active *active); /* octets thought to be in the network */
/* An ACK arrived, tcp->news says with what; duplicate: RFC 5681 2. */
void tcp_recovery_on_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg,
                         bool duplicate);
void tcp_recovery_on_rto(struct tcp *tcp, struct tcb *tcb);
void tcp_recovery_on_rack_timer(struct tcp *tcp, struct tcb *tcb);
/* Back to SND.UNA without a word to congestion control (a smaller path MTU). */
void tcp_recovery_go_back(struct tcp *tcp, struct tcb *tcb);
/* The window was closed and has opened. */
void tcp_recovery_reopened(struct tcp *tcp, struct tcb *tcb);
/* What recovery lets output send again now: its length, from active->rxt.at on; 0: nothing. */
uint32_t tcp_recovery_next(struct tcp *tcp, struct tcb *tcb);
/* Octets of new text that the congestion window allows now. */
uint32_t tcp_recovery_allows(const struct tcp *tcp, const struct tcb *tcb);
/* Output has sent again `len` octets from rxt.at. */
void tcp_recovery_sent(struct tcp *tcp, struct tcb *tcb, uint32_t len);

#endif
