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
/* The parts of the block in order of offset; returns how many there are. */
uint32_t hf_extents(const struct hf_stack *stack, struct hf_extent *extents, uint32_t n);
/* Page ranges (offset, used = octets) that hold nothing now and may be given back to the system
 * (MADV_DONTNEED; they must read as zero or as they were).  page: a power of two. */
uint32_t hf_reclaim(struct hf_stack *stack, uint64_t page, struct hf_extent *extents, uint32_t n);
/* Octets hf_snapshot needs now. */
uint64_t hf_snapshot_bytes(const struct hf_stack *stack);
/* The used extents, in a form hf_restore reads.  Returns octets written or HF_ERR_TOO_LARGE. */
int64_t hf_snapshot(const struct hf_stack *stack, void *out, uint64_t bytes);
int hf_restore(struct hf_stack *block, uint64_t bytes, const void *snapshot, uint64_t len);
/* The protocol state alone, sequence numbers and times made relative, in an order that does not
 * depend on history: equal bytes, equal behaviour.  Returns octets (also when they exceed room,
 * then out is incomplete).  For stacks of a few connections: its time grows with their square. */
uint64_t hf_canonical(const struct hf_stack *stack, const struct hf_env *env, void *out,
                      uint64_t room);

#ifdef __cplusplus
}
#endif
#endif
