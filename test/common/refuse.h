/* refuse.h - memory that is refused: a stack's pools in the order of refuse_pool, which say "none"
 * for the n-th allocation from now on, or for all from then on.
 *
 * Only where assertions are built in: elsewhere such a test is skipped.
 */
#ifndef COMMON_REFUSE_H
#define COMMON_REFUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "handfast/handfast.h"

enum {
    REFUSE_EXT6 = 2,
    REFUSE_HALF_OPEN = 6,
    REFUSE_SMALL = 10,
    REFUSE_LARGE = 11,
    REFUSE_LENT = 13,
    REFUSE_POOLS = 17,
    REFUSE_PAYLOAD = REFUSE_POOLS, /* small and large chunks, each */
    REFUSE_EVERY,                  /* all pools, each */
    REFUSE_KINDS,
    REFUSE_ALL = INT32_MAX
};

const char *refuse_name(unsigned pool);
/* The in-th allocation (1: the next) of this pool fails, and `times` of them in all. */
void refuse_begin(struct hf_stack *stack, unsigned pool, uint32_t in, uint32_t times);
void refuse_end(struct hf_stack *stack);
/* Has anything been refused since refuse_begin? */
bool refuse_happened(struct hf_stack *stack, unsigned pool, uint32_t times);
/* Records of a pool in use. */
uint32_t refuse_used(struct hf_stack *stack, unsigned pool);

#endif
