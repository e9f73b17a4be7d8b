/* check.h - does a stack's block hold together?  Help for tests and for whoever debugs a stack.
 *
 *     uint64_t bytes = hf_check_bytes(stack);
 *     void *marks = malloc(bytes);
 *     struct hf_flaw flaw = {.struct_size = sizeof flaw};
 *     if (hf_check(stack, stack_bytes, marks, bytes, &flaw) != HF_OK)
 *         puts(hf_flaw_text(&flaw, text, sizeof text));
 *
 * What the calls on a stack keep true is looked at from outside them, record by record, and each
 * sum is made a second time.  It costs as much as there are records (all that were ever used), so
 * it belongs into tests, simulators and debuggers, not into a server's loop.  Nothing of the block
 * is believed before it was checked: each number of a record is compared with the pool that it is
 * of, and no list is followed further than it can be long, so that a damaged block is reported and
 * does no harm.
 */
#ifndef HANDFAST_CHECK_H
#define HANDFAST_CHECK_H

#include "handfast/handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, id, sentence): what holds between two calls. */
#define HF_INVARIANTS(X)                                                                           \
    X(BLOCK, "block", "the parts of the block lie where this build would lay them")                \
    X(POOL, "pool", "the records of a pool are those in use and those in its free list")           \
    X(OWNED, "owned", "each record is free or has one owner, and never two")                       \
    X(LIST, "list", "a list leads from its head to its tail, and back")                            \
    X(MEMBER, "member", "a record is in the lists that its flags name, and in no other")           \
    X(FLOW, "flow-table", "the flow table finds each connection that is not CLOSED, and only it")  \
    X(WHEEL, "wheel", "each entry of the timing wheel is filed where its time is looked for")      \
    X(TIMER, "timer", "a connection's place in the wheel is not behind its earliest deadline")     \
    X(TIMELESS, "timeless", "something runs out, or is owed, while anything is outstanding")       \
    X(ORDER, "order", "half-open and waiting records stand in the order of their time")            \
    X(LISTENER, "listener",                                                                        \
      "a listener counts what waits for hf_accept, and no half-open one too many")                 \
    X(STATE, "state", "state, FINs and flags tell the same story")                                 \
    X(SEND, "send", "SND.UNA <= SND.NXT, and the text between them is queued")                     \
    X(RECEIVE, "receive", "what is unread ends at RCV.NXT, and RCV.WND can be announced")          \
    X(CHAIN, "chain", "a chain of chunks holds as many octets as are counted, each in its chunk")  \
    X(CURSOR, "cursor", "the send cursors stand at their number's octet")                          \
    X(SENT, "sent", "transmissions reach from SND.UNA to SND.NXT, without a gap")                  \
    X(IN_FLIGHT, "in-flight", "octets and segments out, SACKed, lost are the sums of the records") \
    X(SENT_TIME, "sent-time", "what is in flight, and nothing else, is listed by time")            \
    X(HELD, "held", "text ahead of RCV.NXT is ascending, disjoint, and inside the window")         \
    X(LENT, "lent", "lent memory counts the pieces that point to it")                              \
    X(TOKENS, "tokens", "chunks in limbo wait for frames that are out, oldest first")              \
    X(DATAGRAM, "datagram", "packets, sockets and datagrams in parts count what they hold")        \
    X(TABLES, "tables", "interfaces, addresses, routes, neighbours, replies name what there is")

enum hf_invariant {
#define X(name, id, sentence) HF_INVARIANT_##name,
    HF_INVARIANTS(X)
#undef X
        HF_INVARIANT_COUNT
};

/* What was found first. */
struct hf_flaw {
    uint32_t struct_size;  /* filled in by the caller: what it knows of              */
    uint32_t number;       /* of the record, from 1; 0: of the stack as a whole      */
    const char *invariant; /* the id of HF_INVARIANTS                                */
    const char *sentence;  /* what should hold                                       */
    const char *record;    /* the kind of record: "connections", "sent" ...          */
    int64_t is, expected;  /* the number that was found there, and the one computed;
                              both 0 where there are none                            */
};

/* Octets of room that hf_check needs for its marks: a bit for each record ever used.  It grows with
 * the stack: to be asked before each hf_check. */
uint64_t hf_check_bytes(const struct hf_stack *stack);

/* Checks the whole block (keys included: not the copy of an outside reader).  stack: 8-octet
 * aligned; bytes: of the block, as for hf_attach; between two calls, never within one.  marks:
 * hf_check_bytes octets, need not be zero, of no use afterwards.  It changes nothing.
 *
 * HF_OK; HF_ERR_MISMATCH: *flaw, which may be NULL, says what does not hold, the first that was
 * found; HF_ERR_TOO_LARGE: marks has too few octets; HF_ERR_INVALID: stack or marks is NULL. */
int hf_check(const struct hf_stack *stack, uint64_t bytes, void *marks, uint64_t marks_bytes,
             struct hf_flaw *flaw);

/* One line for people, at most room octets with its 0: "in-flight: octets and segments ... sums of
 * the records: active 3, 2920 where 1460 is right".  Returns text. */
const char *hf_flaw_text(const struct hf_flaw *flaw, char *text, size_t room);

/* What the calls on a stack have done so far, counted and never timed: the difference of two says
 * what is between them, and how it grows with what is there.  Counted only where assertions are
 * built in. */
struct hf_work {
    uint32_t struct_size; /* sizeof(struct hf_work), filled in by the caller                */
    uint32_t reserved;
    uint64_t records; /* looked at, one after another                                   */
    uint64_t looks;   /* ... one several times in a row counted as often                */
    uint64_t lines;   /* of the flow table                                              */
    uint64_t timers;  /* filed in the wheel, again or anew                              */
    uint64_t entries; /* of the arrays of neighbours, routes, datagrams                 */
    uint64_t hashes;  /* SipHash; of which ...                                          */
    uint64_t macs;    /* ... of SYN cookies                                             */
    uint64_t copied;  /* octets of payload                                              */
    uint64_t summed;  /* octets for checksums                                           */
};
/* HF_ERR_UNSUPPORTED: this build does not count; HF_ERR_INVALID: another struct_size. */
int hf_work(const struct hf_stack *stack, struct hf_work *work);

#ifdef __cplusplus
}
#endif
#endif
