/* storm.h - segments of an attacker who knows every number of a connection, aimed at its limits. */
#ifndef ATTACK_STORM_H
#define ATTACK_STORM_H

#include "common/peer.h"

struct storm {
    struct peer *p;
    uint64_t dice;
};

uint32_t storm_below(struct storm *s, uint32_t n);
bool storm_one_in(struct storm *s, uint32_t n);
/* One segment, or a row of them, for the connection that p->c stands for; as far as the batch has
 * room. */
void storm_segments(struct storm *s);

#endif
