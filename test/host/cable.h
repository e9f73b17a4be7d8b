/* cable.h - a veth pair in a network namespace of the program's own: the kernel's end is "peer"
 * with 10.9.0.1 and fd09::1, ours is "ours", for 10.9.0.2 and fd09::2. */
#ifndef HOST_CABLE_H
#define HOST_CABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "handfast/device.h"

enum { LONG_MS = 60000, PORT = 80 };

extern char error[HF_ERROR_TEXT]; /* of the last call that took it */

/* Moves into the namespace; false: it cannot be had, and a line was printed. */
bool enter_namespace(void);
/* What to end with then: 77, or 1 where nothing may be skipped (CI=true). */
int skipped(void);

/* Fails with what `error` says. */
void must(int result);
void expect_failure(int result, int expected, const char *words);

/* After lay_cable: skips where this system or this build has no AF_XDP for us. */
void need_xdp(void);
/* Lays the cable, or skips; queues: each way, 1 or 2.  The kernel finishes its checksums. */
void lay_cable(int queues);
void take_up_cable(void);

/* The kernel's TCP connects to us, blocking and patient; a descriptor, or -1. */
int connect_to(int version, uint16_t port);

#endif
