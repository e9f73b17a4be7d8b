/* For the oracle's tests with several segments before any answer leaves. */
#ifndef TEST_TRACE_BATCHES_H
#define TEST_TRACE_BATCHES_H

#include "common/peer.h"

/* All that is owed leaves, whatever it is. */
void settles(struct peer *p);
/* A SYN, and one inside its window: back to LISTEN. */
void half_open_and_back(struct peer *p);

#endif
