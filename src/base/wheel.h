/* wheel.h - a hierarchical timing wheel (Varghese, Lauck 1987): ticks of 1 ms, 4 levels of up to 64
 * slots, which lie in the block.
 *
 *     level 0: 64 x 1 ms      level 1: 64 x 64 ms     level 2: 64 x 4.1 s     level 3: 64 x 4.4 min
 *
 * With 2^4 slots instead of 2^6 a wheel takes 256 octets instead of 1024, its levels reach 16 ms,
 * 256 ms, 4.1 s and 65 s, and an entry falls from level to level more often.
 *
 * An entry is a struct wheel_link inside a record of one pool.  It is filed at the lowest level
 * whose slot tells it from now, and falls to a lower one when its slot's time comes.  What is
 * farther away than level 3 reaches (4.6 h) waits in the farthest slot and is filed again.
 * Setting, clearing and expiring are O(1); a bitmap per level lets time jump over empty slots.
 *
 * Milliseconds are 32-bit serial numbers: they wrap after 49.7 days, and an instant is later than
 * another one by less than 2^31 ms (24.8 days).  wheel_expired carries the wheel's now forward: it
 * must be called before wheel_set is used after a long time without any call.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/links.h"

enum { WHEEL_LEVELS = 4, WHEEL_BITS_MAX = 6 };

/* Octets of the slots, 2^bits (1 .. 6) a level. */
#define WHEEL_BYTES(bits) ((uint64_t)WHEEL_LEVELS * sizeof(uint32_t) << (bits))

struct wheel_link {
    uint32_t next;
    uint32_t prev;  /* 0: not filed; top bit set: first in the slot that the low bits name */
    uint32_t at_ms; /* when it is due                                                     */
};

struct wheel {
    uint64_t occupied[WHEEL_LEVELS]; /* bit s: slot s is not empty            */
    uint64_t slot_offset;            /* of the slots in the block             */
    uint32_t bits;                   /* 2^bits slots a level                  */
    uint32_t now_ms;                 /* all before it has expired             */
    uint32_t armed;                  /* entries filed                         */
#ifdef HF_ASSERTIONS
    uint64_t moved; /* times an entry was filed              */
#endif
};

/* The slots, WHEEL_BYTES(bits) at slot_offset (a multiple of 4), lie in the block that every call's
 * links name. */
void wheel_init(struct wheel *w, void *block, uint64_t slot_offset, uint32_t bits, uint32_t now_ms);

/* Files record idx under at_ms, wherever it was before.  At or before the wheel's now: the next
 * tick.  A link that was never filed must be all zero; index below 2^31. */
void wheel_set(struct wheel *w, const struct links *links, uint32_t idx, uint32_t at_ms);

/* Takes it out; nothing happens when it is not in. */
void wheel_clear(struct wheel *w, const struct links *links, uint32_t idx);

/* Takes out one entry that is due by now_ms and returns its index; 0 when there is none left. */
uint32_t wheel_expired(struct wheel *w, const struct links *links, uint32_t now_ms);

/* When wheel_expired must be called next: exact within level 0's current turn, else no later than
 * the true instant.  False: nothing is filed. */
bool wheel_next(const struct wheel *w, const struct links *links, uint32_t *at_ms);

/* For who checks the block: each entry is a record up to `top`, in the slot of its time; the
 * bitmaps tell which slots are empty, `armed` how many entries there are. */
bool wheel_sound(const struct wheel *w, const struct links *links, uint32_t top);

static inline bool wheel_is_set(const struct links *links, uint32_t idx)
{
    return ((const struct wheel_link *)links_at(links, idx))->prev != 0;
}

#endif
