/* ecn.h - RFC 3168, RFC 9768: marks instead of losses; ecn.c and accecn.c.
 *
 * What a connection has agreed upon is in tcb->modes (M_CLASSIC, M_ACCURATE), what it counts in a
 * struct ecn beside its struct extra.
 */
#ifndef TCP_ECN_H
#define TCP_ECN_H

#include "tcp/tcp.h"

enum { ECN_INITIAL_CEP = 5 }; /* RFC 9768 3.2.1 */

/* ecn.c: RFC 3168, RFC 9768 3.1 */
/* M_ECN_SETTINGS of the policy; M_ECN_ACCEPT and M_ECN_ASK of an enum hf_ecn, and back. */
uint32_t tcp_ecn_settings(const struct hf_policy *policy);
int64_t tcp_ecn_setting(uint32_t modes);
int tcp_set_ecn(uint32_t *modes, int64_t value); /* HF_ERR_INVALID */
int tcp_set_accecn(uint32_t *modes, int64_t value);
/* The control bits of our SYN, or with ack SYN,ACK. */
uint16_t tcp_ecn_syn(struct tcp *tcp, struct tcb *tcb, bool ack);
/* The peer's first SYN or SYN,ACK: what is agreed upon. */
void tcp_ecn_take_syn(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
/* Another SYN has come in place of one that is held. */
void tcp_ecn_take_other_syn(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
/* Its SYN once more; false: it asks for another kind, and the connection must be reset. */
bool tcp_ecn_syn_again(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
/* An acceptable segment, its text as it came; and once that has been taken. */
void tcp_ecn_arrives(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
void tcp_ecn_owe_ack(struct tcp *tcp, struct tcb *tcb);
/* Control bits of what carries an ACK, of which all else is filled in. */
uint16_t tcp_ecn_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
/* Of new text. */
uint8_t tcp_ecn_codepoint(const struct tcb *tcb);
/* New text must not leave as a super-segment. */
bool tcp_ecn_no_super(struct tcp *tcp, const struct tcb *tcb);
/* Does this ACK, of which tcp->news tells, speak of a mark?  Then it is answered, once for each
 * window of data. */
bool tcp_ecn_echoes(struct tcp *tcp, struct tcb *tcb, const struct segment *seg, bool in_order);
void tcp_ecn_respond(struct tcp *tcp, struct tcb *tcb);
/* SND.UNA has moved. */
void tcp_ecn_acked(const struct tcb *tcb, struct active *active);
/* ssthresh has been reduced, for whatever reason. */
void tcp_ecn_reduced(struct tcb *tcb, struct active *active);

/* accecn.c: RFC 9768 3.2 */
/* The counters, made if there are none; false: max_extras are out.  And where they are, or NULL; a
 * scratch copy has throw-away ones. */
bool tcp_ecn_attach(struct tcp *tcp, struct tcb *tcb);
struct ecn *tcp_ecn_of(struct tcp *tcp, const struct tcb *tcb);
void tcp_ecn_detach(struct tcp *tcp, uint32_t extra);
/* A scratch copy has become this tcb: its counters; false: there is no room. */
bool tcp_accecn_promote(struct tcp *tcp, struct tcb *tcb);
/* The bits of a SYN,ACK, from the SYN's codepoint. */
uint16_t tcp_accecn_handshake_bits(struct tcp *tcp, const struct tcb *tcb);
bool tcp_accecn_asked(struct tcp *tcp, const struct tcb *tcb); /* by our SYN */
/* Our SYN, or SYN,ACK, arrived with a mark. */
bool tcp_accecn_syn_marked(struct tcp *tcp, const struct tcb *tcb);
/* The next ACK is to tell what had become of the SYN,ACK. */
bool tcp_accecn_first_ack(struct tcp *tcp, const struct tcb *tcb);
bool tcp_accecn_syn_ack_agrees(struct tcp *tcp, struct tcb *tcb, uint16_t bits);
/* A SYN,ACK, first or again: its codepoint, its option. */
void tcp_accecn_syn_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
void tcp_accecn_syn_ack_again(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
void tcp_accecn_agreed(struct tcp *tcp, struct tcb *tcb, const struct tcp_options *opt);
/* The ACK of our SYN,ACK. */
void tcp_accecn_opens(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
void tcp_accecn_take_cookie(struct tcb *scratch, const struct segment *seg);
void tcp_accecn_arrives(struct ecn *ecn, const struct segment *seg);
bool tcp_accecn_wants_ack(const struct tcp *tcp, const struct tcb *tcb, const struct ecn *ecn);
uint16_t tcp_accecn_ack_bits(struct tcp *tcp, const struct tcb *tcb, const struct segment *seg);
bool tcp_accecn_no_super(struct tcp *tcp, const struct tcb *tcb);
enum segment_kind { SEGMENT_ACK, SEGMENT_TEXT, SEGMENT_REPEAT };
/* The option, where one is due and fits beside the others, which are there. */
void tcp_accecn_fill(struct tcp *tcp, const struct tcb *tcb, struct tcp_options *opt,
                     enum segment_kind what);
bool tcp_accecn_on_syn_ack(const struct tcb *tcb);
void tcp_accecn_fill_initial(struct tcp_options *opt);
/* A segment with an ACK has left. */
void tcp_accecn_sent(struct ecn *ecn, const struct segment *seg);
/* Packets newly marked CE, as this ACK tells. */
uint32_t tcp_accecn_feedback(struct tcp *tcp, struct tcb *tcb, const struct segment *seg,
                             bool in_order);

#endif
