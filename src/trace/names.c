/* The names of states, verdicts, causes and rules, for people (RFC 9293 section 3.3.2). */
#include "handfast/oracle.h"
#include "handfast/trace.h"

#include "base/bytes.h"

static const char *const state_names[HF_STATES] = {
    [HF_CLOSED] = "CLOSED",           [HF_LISTEN] = "LISTEN",
    [HF_SYN_SENT] = "SYN-SENT",       [HF_SYN_RECEIVED] = "SYN-RECEIVED",
    [HF_ESTABLISHED] = "ESTABLISHED", [HF_FIN_WAIT_1] = "FIN-WAIT-1",
    [HF_FIN_WAIT_2] = "FIN-WAIT-2",   [HF_CLOSE_WAIT] = "CLOSE-WAIT",
    [HF_CLOSING] = "CLOSING",         [HF_LAST_ACK] = "LAST-ACK",
    [HF_TIME_WAIT] = "TIME-WAIT",
};

static const struct {
    const char *name, *sentence, *place;
} verdicts[] = {
#define X(name, sentence, place) {#name, sentence, place},
    HF_VERDICTS(X)
#undef X
};

static const struct {
    const char *id, *sentence, *place;
} rules[HF_RULE_COUNT] = {
#define X(name, id, sentence, place) {id, sentence, place},
    HF_RULES(X)
#undef X
};

static const char *const cause_names[HF_CAUSES] = {
    [HF_CAUSE_NONE] = "none",
    [HF_CALL_OPEN_ACTIVE] = "active OPEN",
    [HF_CALL_OPEN_PASSIVE] = "passive OPEN",
    [HF_CALL_SEND] = "SEND",
    [HF_CALL_RECEIVE] = "RECEIVE",
    [HF_CALL_CLOSE] = "CLOSE",
    [HF_CALL_ABORT] = "ABORT",
    [HF_CALL_RELEASE] = "release",
    [HF_CALL_ANSWER] = "answer",
    [HF_TIMER_RTO] = "retransmission timeout",
    [HF_TIMER_PERSIST] = "zero-window probe timeout",
    [HF_TIMER_DELAYED_ACK] = "delayed ACK timeout",
    [HF_TIMER_KEEPALIVE] = "keep-alive timeout",
    [HF_TIMER_USER_TIMEOUT] = "user timeout",
    [HF_TIMER_TIME_WAIT] = "2MSL timeout",
    [HF_TIMER_FIN_WAIT_2] = "FIN-WAIT-2 timeout",
    [HF_TIMER_SYN_ACK] = "SYN,ACK timeout",
    [HF_TIMER_NEIGHBOUR] = "neighbour timeout",
    [HF_TIMER_FRAGMENT] = "reassembly timeout",
    [HF_CAUSE_FAST_RETRANSMIT] = "fast retransmit",
    [HF_TIMER_LINGER] = "linger timeout",
    [HF_TIMER_RACK] = "reordering timer",
    [HF_TIMER_TLP] = "loss probe",
    [HF_CAUSE_ICMP] = "ICMP error",
    [HF_CAUSE_LISTENER_CLOSED] = "close of its listener",
    [HF_CAUSE_REPLACED] = "new connection in its place",
    [HF_CAUSE_LINK_ADDRESS] = "the next hop's link address is asked for",
    [HF_CAUSE_NO_ROUTE] = "there is no route now",
};

/* What a record from elsewhere holds may be any number. */
static const char *named(const char *const *names, size_t n, unsigned value)
{
    return value < n && names[value] != NULL ? names[value] : "unknown";
}

const char *hf_state_name(enum hf_state state)
{
    return named(state_names, ARRAY_LEN(state_names), (unsigned)state);
}

const char *hf_cause_name(enum hf_cause cause)
{
    return named(cause_names, ARRAY_LEN(cause_names), (unsigned)cause);
}

const char *hf_verdict_name(enum hf_verdict verdict)
{
    return (unsigned)verdict < ARRAY_LEN(verdicts) ? verdicts[verdict].name : "UNKNOWN";
}

const char *hf_verdict_sentence(enum hf_verdict verdict)
{
    return (unsigned)verdict < ARRAY_LEN(verdicts) ? verdicts[verdict].sentence : "unknown";
}

const char *hf_verdict_place(enum hf_verdict verdict)
{
    return (unsigned)verdict < ARRAY_LEN(verdicts) ? verdicts[verdict].place : "nowhere";
}

const char *hf_rule_id(enum hf_rule rule)
{
    return (unsigned)rule < HF_RULE_COUNT ? rules[rule].id : "unknown";
}

const char *hf_rule_sentence(enum hf_rule rule)
{
    return (unsigned)rule < HF_RULE_COUNT ? rules[rule].sentence : "unknown";
}

const char *hf_rule_place(enum hf_rule rule)
{
    return (unsigned)rule < HF_RULE_COUNT ? rules[rule].place : "nowhere";
}
