/* memory.h - what of a stack's block is used, may be given back, is copied.  Included by
 * handfast.h. */
#ifndef HANDFAST_MEMORY_H
#define HANDFAST_MEMORY_H

#include "handfast/handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

enum hf_range_kind { HF_RANGE_PROTOCOL = 1, HF_RANGE_BOOKKEEPING, HF_RANGE_SECRET };

struct hf_extent {
    uint64_t offset, used, reserved; /* octets: from the block's start; in use; set aside       */
    uint8_t kind;                    /* enum hf_range_kind                                      */
    char name[15];
};
/* The parts of the block in order of offset; returns how many there are, of which up to n are
 * written.  HF_RANGE_SECRET: keys, and payload. */
uint32_t hf_extents(const struct hf_stack *stack, struct hf_extent *extents, uint32_t n);
/* Page ranges (offset, used = octets) that hold nothing now and may be given back to the system
 * (MADV_DONTNEED; they must read as zero or as they were), until the next call that changes
 * something.  Whole pages by their address.  page: a power of two, else 0.  Returns how many were
 * written, n at most: if it is n, there may be more, which another call does not go on with. */
uint32_t hf_reclaim(struct hf_stack *stack, uint64_t page, struct hf_extent *extents, uint32_t n);
/* Octets hf_snapshot needs now. */
uint64_t hf_snapshot_bytes(const struct hf_stack *stack);
/* The used extents, keys included, in a form hf_restore reads; not what lies in regions, which is
 * to be there with the same octets where it goes on.  out: the caller's.  Returns octets written,
 * or HF_ERR_TOO_LARGE: bytes are too few. */
int64_t hf_snapshot(const struct hf_stack *stack, void *out, uint64_t bytes);
/* Frames that were out still are: where those who had them are gone, hf_output_forget.  A clock
 * that stands before the one the snapshot was made by freezes all timers until it has caught up.
 * block: 64-octet aligned, bytes of them, need not be zero.  HF_ERR_INVALID: it is not, or a
 * pointer is NULL; HF_ERR_MISMATCH: no snapshot of this very build, or damaged; HF_ERR_TOO_LARGE:
 * bytes are too few.  Then the block is as it was. */
int hf_restore(struct hf_stack *block, uint64_t bytes, const void *snapshot, uint64_t len);
/* No frame of hf_output is out any more: whoever had them is gone, as after hf_restore or hf_attach
 * in another process.  Else their memory and their tokens are missing for ever, and after
 * max_tokens of them hf_output gives nothing more.  What they said goes again as if they were lost.
 */
int hf_output_forget(struct hf_stack *stack, const struct hf_env *env);
/* New secrets for what is yet to begin: initial numbers, ports, cookies.  A snapshot holds all of
 * the old ones, so that it goes on as if nothing had been; what is restored twice, or was kept
 * where others read, and the copy of a fork that goes on, must not share them (RFC 6528 4).
 * Connections are as they were; SYN cookies that are out are refused.  seed: 16 secret and random
 * octets, not all zero: HF_ERR_INVALID. */
int hf_reseed(struct hf_stack *stack, const struct hf_env *env, const uint8_t *seed);
/* The protocol state alone, sequence numbers and times made relative, in an order that does not
 * depend on history: equal bytes, equal behaviour.  Returns octets (also when they exceed room,
 * then out is incomplete).  For stacks of a few connections: its time grows with their square. */
uint64_t hf_canonical(const struct hf_stack *stack, const struct hf_env *env, void *out,
                      uint64_t room);

/* The same for a checker with RTT, cwnd and windows fixed: without what round trips took, when
 * segments left and how often, what congestion control remembers, SND.WND, WL1 and WL2, and how
 * long text has waited; with dupthresh 255 without the count of duplicate ACKs.  Equal behaviour
 * follows from equal bytes where rto_min_ms, rto_initial_ms and rto_max_ms are one, rack, tlp,
 * frto, undo, pacing, tune_buffers, timestamps and MTU probing are off, nobody has set a user
 * timeout, and all that is ever to be sent fits one segment and every window that is announced. */
uint64_t hf_canonical_fixed(const struct hf_stack *stack, const struct hf_env *env, void *out,
                            uint64_t room);

/* One record of a connection, with the numbers that hf_canonical writes as distances. */
struct hf_record {
    uint64_t handle; /* 0: it has none: half-open, waiting without one, not accepted yet */
    uint8_t state; /* enum hf_state                                                              */
    bool numbered; /* iss and irs are kept (a TIME-WAIT without a handle keeps neither); irs is 0
                      before a SYN of the peer came                                              */
    bool released; /* the application has given its handle back                                  */
    uint16_t local_port, remote_port;
    uint8_t local_ip[16], remote_ip[16];
    uint32_t iss, irs, snd_una, snd_nxt,
        rcv_nxt; /* as on the wire; half-open: SND.NXT is ISS + 1  */
};
/* The records of connections, in hf_canonical's order; returns how many there are, of which up to n
 * are written.  For stacks of a few connections, as hf_canonical. */
uint32_t hf_records(const struct hf_stack *stack, const struct hf_env *env,
                    struct hf_record *records, uint32_t n);

#ifdef __cplusplus
}
#endif
#endif
