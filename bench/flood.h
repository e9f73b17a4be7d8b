/* flood.h - a SYN flood, whoever it is at: its SYNs, and how what they cost is measured. */
#ifndef HANDFAST_BENCH_FLOOD_H
#define HANDFAST_BENCH_FLOOD_H

#include "forge.h"

enum { FLOOD_BATCH = 64, FLOOD_SYNS_PER_SECOND = 1000000, FLOOD_WARM_BATCHES = 2000 };

/* An IP packet from a new public address, of FORGE_MAX octets at most; returns its length. */
uint32_t flood_syn(uint8_t *packet);
/* Takes FLOOD_BATCH SYNs in; how long the one who is flooded was at it. */
typedef double flood_take_fn(uint32_t n);
/* ns a SYN: the middle one of many batches, since others run on this processor, too. */
double flood_ns(flood_take_fn *take, uint32_t batches);
/* Lives a second beside the flood, both on this core: a few lives, then the SYNs that have come
 * while these and the SYNs before them were served.  At most FLOOD_QUEUE of them wait, as many as
 * Linux lets wait for a core (net.core.netdev_max_backlog); more are lost, in bench_also(0) as a
 * share of a hundred.  take NULL: no flood. */
enum { FLOOD_QUEUE = 1000 };
double flood_lives(void (*life)(void), flood_take_fn *take);

#endif
