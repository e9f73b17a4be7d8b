/* oracle.h - a judge of traces: RFC 9293 Figure 5 and section 3.10, with RFC 2018, 5961, 6191, 6298
 * and 7323, read a second time.
 *
 * It is fed with the records of one stack, one after the other (trace.h), and says which rule a
 * record breaks.  It knows nothing but what the records say: each connection is followed in a model
 * of its own, and the record must be what the RFC allows after what came before.  Where an RFC
 * leaves a choice, so does the oracle.  What it does not know - a connection that began before it
 * looked - it does not judge until it has learned it.
 *
 * An oracle lies in one block that the caller gives, without a pointer in it: it can be copied
 * together with the stack it watches.
 */
#ifndef HANDFAST_ORACLE_H
#define HANDFAST_ORACLE_H

#include "handfast/handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, id, sentence, place): what every record must keep to. */
#define HF_RULES(X)                                                                                \
    X(RECORD, "record", "a record says what a record can say", "trace.h")                          \
    X(TRANSITION, "transition", "states change as Figure 5 draws it", "RFC 9293 3.3.2")            \
    X(CONTINUITY, "continuity", "a connection is in the state that it was left in",                \
      "RFC 9293 3.3.2")                                                                            \
    X(INCARNATIONS, "incarnations", "a pair of sockets has one open connection", "RFC 9293 3.4.1") \
    X(STEP, "step", "a segment ends at the step that its numbers ask for",                         \
      "RFC 9293 3.10.7, RFC 5961, RFC 7323 5.3")                                                   \
    X(SND_UNA, "snd-una", "SND.UNA is what the acceptable ACK says", "RFC 9293 3.10.7.4 fifth")    \
    X(SND_WND, "snd-wnd", "SND.WND, WL1, WL2 follow the newest segment in order",                  \
      "RFC 9293 3.10.7.4 fifth")                                                                   \
    X(SND_NXT, "snd-nxt", "SND.NXT moves by what is sent, and by nothing else", "RFC 9293 3.4")    \
    X(RCV_NXT, "rcv-nxt", "RCV.NXT moves by text and FIN that came, and by nothing else",          \
      "RFC 9293 3.10.7.4 seventh")                                                                 \
    X(FIN_TAKEN, "fin-taken", "a FIN in order is taken", "RFC 9293 3.10.7.4 eighth")               \
    X(STREAM, "stream", "each octet is queued, sent, and read once", "RFC 9293 3.9.1")             \
    X(CALL, "call", "a call does what its state allows", "RFC 9293 3.10.1-6")                      \
    X(TIMER, "timer", "a timer fires only where something waits for it", "RFC 9293 3.10.8")        \
    X(TWO_MSL, "2msl", "TIME-WAIT lasts 2 MSL", "RFC 9293 3.6.1 MUST-13")                          \
    X(TIME_WAIT_SYN, "time-wait-syn", "only a newer SYN ends TIME-WAIT", "RFC 6191 2")             \
    X(RTO_EARLY, "rto-early", "the retransmission timer waits for RTO", "RFC 6298 5")              \
    X(BACK_OFF, "back-off", "each timeout in a row doubles RTO", "RFC 6298 5.5")                   \
    X(GIVES_UP, "gives-up", "a connection is not given up before R2", "RFC 9293 3.8.3")            \
    X(SYN_FORM, "syn-form", "a SYN has ISS, and an ACK in SYN-RECEIVED only", "RFC 9293 3.5")      \
    X(SYN_CAUSE, "syn-cause", "each SYN was asked for", "RFC 9293 3.5")                            \
    X(ISN, "isn", "the ISS of a pair of sockets grows", "RFC 9293 3.4.1, RFC 6191 2")              \
    X(ACK_FIELD, "ack-field", "SEG.ACK is RCV.NXT, always", "RFC 9293 3.1, 3.10.7.4")              \
    X(SEQ_FIELD, "seq-field", "an empty segment has SEQ=SND.NXT, a probe is one octet old",        \
      "RFC 9293 3.10.7.4, 3.8.6.1")                                                                \
    X(TEXT_STATE, "text-state", "only states that send carry text", "RFC 9293 3.3.2")              \
    X(FIN, "fin", "a FIN ends the text, after CLOSE, once and for all at one number",              \
      "RFC 9293 3.6, 3.10.4")                                                                      \
    X(REPEAT, "repeat", "what is sent again is in flight, and may be lost",                        \
      "RFC 9293 3.8.1, RFC 5681 3.2")                                                              \
    X(WINDOW_SHRINKS, "window-shrinks", "the right edge of the window never moves left",           \
      "RFC 9293 3.8.6 SHLD-14")                                                                    \
    X(BEYOND_WINDOW, "beyond-window", "nothing is sent beyond the peer's window",                  \
      "RFC 9293 3.8.6")                                                                            \
    X(CONGESTION, "congestion", "what is in flight fits the congestion window", "RFC 5681 3.1")    \
    X(MSS, "mss", "a segment fits the peer's MSS", "RFC 9293 3.7.1, RFC 6691")                     \
    X(OPTIONS, "options", "options are those agreed upon", "RFC 7323 3.2, 2.2, RFC 2018 2")        \
    X(STAMP, "stamp", "TSval never goes back", "RFC 7323 5.4")                                     \
    X(STAMP_ECHO, "stamp-echo", "TSecr is TS.Recent", "RFC 7323 4.3")                              \
    X(SACK, "sack", "a SACK block tells of text that has come", "RFC 2018 3, RFC 2883 4")          \
    X(ECN, "ecn", "only new text of who has agreed is ECN-capable", "RFC 3168 6.1")                \
    X(ACK_CAUSE, "ack-cause", "each bare ACK was asked for", "RFC 9293 3.10.7.4, 3.8.6.2.2")       \
    X(ACK_TIME, "ack-time", "an ACK that is due goes out in time",                                 \
      "RFC 9293 3.8.6.3, RFC 5681 4.2")                                                            \
    X(CHALLENGE, "challenge", "challenge ACKs are rare", "RFC 5961 7")                             \
    X(RESET_FORM, "reset-form", "a reset is bare, and the last of its connection",                 \
      "RFC 9293 3.5.2, 3.10.5")                                                                    \
    X(RESET_CAUSE, "reset-cause", "each reset answers a segment or an ABORT",                      \
      "RFC 9293 3.5.2, 3.10.5")                                                                    \
    X(RESET_TIME, "reset-time", "a reset that is due goes out", "RFC 9293 3.10.5, 3.10.7.1")

enum hf_rule {
#define X(name, id, sentence, place) HF_RULE_##name,
    HF_RULES(X)
#undef X
        HF_RULE_COUNT
};

/* The id, the sentence and the place of a rule; never NULL. */
const char *hf_rule_id(enum hf_rule rule);
const char *hf_rule_sentence(enum hf_rule rule);
const char *hf_rule_place(enum hf_rule rule);

struct hf_oracle;

struct hf_oracle_config {
    uint32_t struct_size;     /* sizeof(struct hf_oracle_config)                                */
    uint32_t max_connections; /* followed at one time, 1 .. 2^24; more go unjudged              */
    const struct hf_policy *policy; /* the stack's; read by hf_oracle_init only.  NULL: defaults */
    uint32_t late_ms; /* what the host may be late with frames and timers: 0 in virtual time    */
    /* The stack's pools may run out: what it holds ahead of a gap may then be dropped, which no
     * record tells (RFC 2018 8).  An ACK of what would have filled the gap may be a delayed one. */
    bool drops_held;
};

struct hf_violation {
    const char *rule;     /* the id of HF_RULES                   */
    const char *sentence; /* what should hold                     */
    const char *place;    /* where it is written                  */
    char detail[160];     /* what the record says instead         */
};

/* Octets an oracle takes; 0: the config cannot be. */
uint64_t hf_oracle_size(const struct hf_oracle_config *config);
/* oracle: 8-octet aligned, bytes of them; need not be zero, and stays the caller's. HF_ERR_INVALID:
 * NULL, a config that cannot be, or bytes are fewer than hf_oracle_size says. */
int hf_oracle_init(struct hf_oracle *oracle, uint64_t bytes, const struct hf_oracle_config *config);
/* The policy from now on, as hf_set_policy. */
void hf_oracle_policy(struct hf_oracle *oracle, const struct hf_policy *policy);
/* True: the record breaks no rule.  False: *violation, which may be NULL, says which; the oracle
 * goes on from what the record says. */
bool hf_oracle_judge(struct hf_oracle *oracle, const struct hf_trace *record,
                     struct hf_violation *violation);

struct hf_oracle_counts {
    uint32_t struct_size; /* filled in by the caller: what it knows of           */
    uint32_t followed;    /* connections that are open now                       */
    uint64_t records;     /* judged                                              */
    uint64_t segments;    /* of these, segments that came or went                */
    uint64_t connections; /* that have begun                                     */
    uint64_t violations;  /* records that broke a rule                           */
    uint64_t unknown;     /* records of connections that were not followed       */
};
void hf_oracle_counts(const struct hf_oracle *oracle, struct hf_oracle_counts *counts);

#ifdef __cplusplus
}
#endif
#endif
