/* work.h - what calls cost, in counted work (HF_COUNT of base/bytes.h) and never by a clock: does
 * the cost of a call grow with n?
 *
 *     static double cost(uint32_t n, void *arg)
 *     {
 *         ... a stack with n of them ...
 *         struct work_done before = work_of(stack);
 *         ... the call ...
 *         return (double)work_since(stack, &before).steps;
 *     }
 *     TEST(it_does_not_grow)
 *     {
 *         work_is_flat("a lookup", cost, NULL);
 *     }
 *
 * Counted only where assertions are built in: elsewhere such a test is skipped.
 */
#ifndef COMMON_WORK_H
#define COMMON_WORK_H

#include <stdint.h>

#include "handfast/handfast.h"

struct work_done {
    uint64_t records; /* of pools, looked at                                       */
    uint64_t lines;   /* of the flow table                                         */
    uint64_t timers;  /* filed in the wheel, again or anew                         */
    uint64_t entries; /* of the arrays of neighbours, routes, datagrams            */
    uint64_t hashes;  /* SipHash; of which ...                                     */
    uint64_t macs;    /* ... of SYN cookies                                        */
    uint64_t copied;  /* octets of payload                                         */
    uint64_t summed;  /* octets for checksums                                      */
    uint64_t steps;   /* records, lines, timers, entries and hashes together       */
};

struct work_done work_of(const struct hf_stack *stack);
struct work_done work_since(const struct hf_stack *stack, const struct work_done *before);

typedef double work_cost_fn(uint32_t n, void *arg);
/* The exponent e of the cost, fitted as c * n^e over n = 10, 100 .. most: 0 is constant, 1 is
 * proportional to n; log n comes out as 0.2. */
double work_exponent(work_cost_fn *cost, void *arg, uint32_t most);
/* Over n = 10 .. 10^5: e is at most 0.05.  Prints what it found and fails the test. */
void work_is_flat(const char *what, work_cost_fn *cost, void *arg);
/* The same over n = 10, 100 .. most. */
void work_is_flat_to(const char *what, work_cost_fn *cost, void *arg, uint32_t most);
/* ... at most 0.3, as of a logarithm. */
void work_is_logarithmic(const char *what, work_cost_fn *cost, void *arg);

#endif
