/* canonical.h - how hf_canonical writes: numbers little-endian, one behind the other. */
#ifndef STACK_CANONICAL_H
#define STACK_CANONICAL_H

#include "stack/stack.h"

struct canon {
    const struct stack *st;
    uint8_t *out;
    uint64_t room, len; /* len: also what did not fit */
    bool fixed;         /* hf_canonical_fixed */
};

void canon_octets(struct canon *c, const void *data, uint64_t n);
void canon_number(struct canon *c, uint64_t value, uint32_t octets);
static inline void canon_32(struct canon *c, uint32_t value)
{
    canon_number(c, value, 4);
}

/* A deadline or an instant as its distance from now; 0 (off) stays apart from "now". */
void canon_at(struct canon *c, uint32_t at_ms);
/* How long ago, at most limit_ms: beyond it nothing behaves otherwise. */
void canon_age(struct canon *c, uint32_t since_ms, uint32_t limit_ms);
/* The octets of a chain of chunks from skip on: their number, and a hash of them. */
void canon_chain(struct canon *c, uint32_t head, uint32_t skip);
void canon_id(struct canon *c, const struct conn_id *id);
/* What tells a listener from the others; 0: none. */
void canon_listener_name(struct canon *c, uint32_t listener);

/* The options in a struct extra, or their defaults. */
void canon_extra(struct canon *c, uint32_t idx);

/* canonical_connections.c: all of them, in the order of their ids. */
void canon_connections(struct canon *c);

#endif
