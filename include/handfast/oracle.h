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
    X(CALL, "call", "a call does what its state allows", "RFC 9293 3.10.1-6")                      \
    X(TIMER, "timer", "a timer fires only where something waits for it", "RFC 9293 3.10.8")        \
    X(TWO_MSL, "2msl", "TIME-WAIT lasts 2 MSL", "RFC 9293 3.6.1 MUST-13")

enum hf_rule {
#define X(name, id, sentence, place) HF_RULE_##name,
    HF_RULES(X)
#undef X
        HF_RULE_COUNT
};

struct hf_oracle;

struct hf_oracle_config {
    uint32_t struct_size;     /* sizeof(struct hf_oracle_config)                                */
    uint32_t max_connections; /* followed at one time, 1 .. 2^24; more go unjudged              */
    const struct hf_policy *policy; /* the stack's; read by hf_oracle_init only.  NULL: defaults */
    uint32_t late_ms; /* what the host may be late with frames and timers: 0 in virtual time    */
};

struct hf_violation {
    const char *rule;     /* the id of HF_RULES                   */
    const char *sentence; /* what should hold                     */
    const char *place;    /* where it is written                  */
    char detail[160];     /* what the record says instead         */
};

/* Octets an oracle takes; 0: the config cannot be. */
uint64_t hf_oracle_size(const struct hf_oracle_config *config);
/* block: 8-octet aligned, bytes of them; need not be zero.  HF_ERR_INVALID. */
int hf_oracle_init(struct hf_oracle *oracle, uint64_t bytes, const struct hf_oracle_config *config);
/* The policy from now on, as hf_set_policy. */
void hf_oracle_policy(struct hf_oracle *oracle, const struct hf_policy *policy);
/* True: the record breaks no rule.  False: *violation, which may be NULL, says which; the oracle
 * goes on from what the record says. */
bool hf_oracle_judge(struct hf_oracle *oracle, const struct hf_trace *record,
                     struct hf_violation *violation);

struct hf_oracle_counts {
    uint32_t struct_size; /* filled in by the caller                             */
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
