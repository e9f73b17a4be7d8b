/* wheel.c - the timing wheel: see wheel.h.
 *
 * Filing.  An instant is filed at the level of the highest group of bits in which it differs
 * from now.  So each level's slots at or before now's own are empty, but for the slot of level 0
 * that holds what is due now, and the next event is in the first occupied slot of the lowest
 * occupied level.  Level 3 alone goes round: its slots lie 1 .. 2^bits - 1 ahead.
 *
 * Advancing.  Time jumps to the start of that slot.  A slot of level 1 and up is then emptied into
 * lower levels, which are bare at that moment: no slot is ever visited without cause.
 */
#include "base/wheel.h"

enum { TOP = WHEEL_LEVELS - 1 };

#define FIRST_IN_SLOT 0x80000000u

static struct wheel_link *link_at(const struct links *links, uint32_t idx)
{
    return links_at(links, idx);
}

static bool is_after(uint32_t a_ms, uint32_t b_ms)
{
    return (int32_t)(a_ms - b_ms) > 0;
}

static uint32_t slots(const struct wheel *w)
{
    return (uint32_t)1 << w->bits;
}

static unsigned slot_of(const struct wheel *w, uint32_t ms, unsigned level)
{
    return ms >> (w->bits * level) & (slots(w) - 1);
}

/* The first entry of a slot. */
static uint32_t *head_at(const struct wheel *w, void *block, unsigned level, unsigned slot)
{
    uint8_t *first = (uint8_t *)block + w->slot_offset;
    return (uint32_t *)(void *)first + ((level << w->bits) + slot);
}

void wheel_init(struct wheel *w, void *block, uint64_t slot_offset, uint32_t bits, uint32_t now_ms)
{
    HF_ASSERT(bits >= 1 && bits <= WHEEL_BITS_MAX);
    *w = (struct wheel){.slot_offset = slot_offset, .bits = bits, .now_ms = now_ms};
    memset(head_at(w, block, 0, 0), 0, WHEEL_BYTES(bits));
}

static void push(struct wheel *w, const struct links *links, uint32_t idx, unsigned level,
                 unsigned slot)
{
    struct wheel_link *link = link_at(links, idx);
    uint32_t *head = head_at(w, links->block, level, slot);
    uint32_t second = *head;
    link->next = second;
    link->prev = FIRST_IN_SLOT | level << WHEEL_BITS_MAX | slot;
    if (second != 0) {
        link_at(links, second)->prev = idx;
    }
    *head = idx;
    w->occupied[level] |= (uint64_t)1 << slot;
}

/* at_ms of the link is now or later. */
static void file(struct wheel *w, const struct links *links, uint32_t idx)
{
    HF_COUNT(w->moved, 1);
    uint32_t at_ms = link_at(links, idx)->at_ms;
    uint32_t differs = at_ms ^ w->now_ms;
    unsigned level = 0;
    for (differs >>= w->bits; differs != 0 && level < TOP; differs >>= w->bits) {
        level++;
    }
    if (level < TOP) {
        push(w, links, idx, level, slot_of(w, at_ms, level));
        return;
    }
    uint32_t unit = (uint32_t)1 << (w->bits * TOP);
    uint32_t into_slot = w->now_ms & (unit - 1);
    uint32_t ahead = (at_ms - w->now_ms + into_slot) / unit;
    ahead = min_u32(ahead, slots(w) - 1);
    push(w, links, idx, TOP, (slot_of(w, w->now_ms, TOP) + ahead) & (slots(w) - 1));
}

/* Leaves the link's own next and prev as they were. */
static void unlink_from(struct wheel *w, const struct links *links, const struct wheel_link *link)
{
    if (link->next != 0) {
        link_at(links, link->next)->prev = link->prev;
    }
    if ((link->prev & FIRST_IN_SLOT) == 0) {
        link_at(links, link->prev)->next = link->next;
        return;
    }
    unsigned level = link->prev >> WHEEL_BITS_MAX & (WHEEL_LEVELS - 1);
    unsigned slot = link->prev & ((1u << WHEEL_BITS_MAX) - 1);
    *head_at(w, links->block, level, slot) = link->next;
    if (link->next == 0) {
        w->occupied[level] &= ~((uint64_t)1 << slot);
    }
}

void wheel_set(struct wheel *w, const struct links *links, uint32_t idx, uint32_t at_ms)
{
    HF_ASSERT(idx < FIRST_IN_SLOT);
    struct wheel_link *link = link_at(links, idx);
    if (!is_after(at_ms, w->now_ms)) {
        at_ms = w->now_ms + 1;
    }
    if (link->prev != 0) {
        if (link->at_ms == at_ms) {
            return;
        }
        unlink_from(w, links, link);
        w->armed--;
    }
    link->at_ms = at_ms;
    file(w, links, idx);
    w->armed++;
}

void wheel_clear(struct wheel *w, const struct links *links, uint32_t idx)
{
    struct wheel_link *link = link_at(links, idx);
    if (link->prev == 0) {
        return;
    }
    unlink_from(w, links, link);
    link->next = 0;
    link->prev = 0;
    w->armed--;
}

/* The first occupied slot after now's own: its level, and when it starts. */
static bool next_slot(const struct wheel *w, unsigned *level, uint32_t *starts_ms)
{
    for (unsigned l = 0; l < TOP; l++) {
        uint64_t ahead = w->occupied[l] & ~(uint64_t)1 << slot_of(w, w->now_ms, l);
        if (ahead != 0) {
            unsigned above = w->bits * (l + 1);
            uint32_t slot = (uint32_t)__builtin_ctzll(ahead);
            *level = l;
            *starts_ms = (w->now_ms >> above << above) + (slot << (w->bits * l));
            return true;
        }
    }
    uint64_t occupied = w->occupied[TOP];
    if (occupied == 0) {
        return false;
    }
    unsigned own = slot_of(w, w->now_ms, TOP);
    uint64_t turned = own == 0 ? occupied : occupied >> own | occupied << (slots(w) - own);
    uint32_t ahead = (uint32_t)__builtin_ctzll(turned);
    unsigned shift = w->bits * TOP;
    *level = TOP;
    *starts_ms = ((w->now_ms >> shift) + ahead) << shift;
    return true;
}

/* Empties the slot that starts now into lower levels. */
static void cascade(struct wheel *w, const struct links *links, unsigned level)
{
    unsigned slot = slot_of(w, w->now_ms, level);
    uint32_t *head = head_at(w, links->block, level, slot);
    uint32_t idx = *head;
    *head = 0;
    w->occupied[level] &= ~((uint64_t)1 << slot);
    while (idx != 0) {
        uint32_t next = link_at(links, idx)->next;
        file(w, links, idx);
        idx = next;
    }
}

uint32_t wheel_expired(struct wheel *w, const struct links *links, uint32_t now_ms)
{
    if (w->armed == 0) {
        w->now_ms = now_ms;
        return 0;
    }
    for (;;) {
        uint32_t due = *head_at(w, links->block, 0, slot_of(w, w->now_ms, 0));
        if (due != 0) {
            wheel_clear(w, links, due);
            return due;
        }
        unsigned level;
        uint32_t starts_ms;
        if (!is_after(now_ms, w->now_ms)) {
            return 0;
        }
        if (!next_slot(w, &level, &starts_ms) || is_after(starts_ms, now_ms)) {
            w->now_ms = now_ms;
            return 0;
        }
        w->now_ms = starts_ms;
        if (level > 0) {
            cascade(w, links, level);
        }
    }
}

bool wheel_next(const struct wheel *w, const struct links *links, uint32_t *at_ms)
{
    if (*head_at(w, links->block, 0, slot_of(w, w->now_ms, 0)) != 0) {
        *at_ms = w->now_ms;
        return true;
    }
    unsigned level;
    return next_slot(w, &level, at_ms);
}

/* Is it filed where its time will be looked for?  Beyond the last level's reach: in a slot that
 * comes before. */
static bool filed_well(const struct wheel *w, uint32_t at_ms, unsigned level, unsigned slot)
{
    unsigned own = slot_of(w, w->now_ms, level);
    if (level < TOP) {
        bool same_turn = (at_ms ^ w->now_ms) >> (w->bits * (level + 1)) == 0;
        return same_turn && slot_of(w, at_ms, level) == slot &&
               (level == 0 ? slot >= own : slot > own);
    }
    uint32_t unit = (uint32_t)1 << (w->bits * TOP);
    uint32_t ahead = (at_ms - w->now_ms + (w->now_ms & (unit - 1))) / unit;
    uint32_t filed = (slot - own) & (slots(w) - 1);
    return filed != 0 && filed <= ahead;
}

static bool slot_sound(const struct wheel *w, const struct links *links, uint32_t top,
                       unsigned level, unsigned slot, uint32_t *n)
{
    uint32_t before = FIRST_IN_SLOT | level << WHEEL_BITS_MAX | slot;
    uint32_t idx = *head_at(w, links->block, level, slot);
    if ((idx != 0) != (w->occupied[level] >> slot & 1)) {
        return false;
    }
    while (idx != 0) {
        if (idx > top || *n >= top) {
            return false;
        }
        const struct wheel_link *link = link_at(links, idx);
        if (link->prev != before || !filed_well(w, link->at_ms, level, slot)) {
            return false;
        }
        ++*n;
        before = idx;
        idx = link->next;
    }
    return true;
}

bool wheel_sound(const struct wheel *w, const struct links *links, uint32_t top)
{
    uint32_t n = 0;
    if (w->bits == 0 || w->bits > WHEEL_BITS_MAX) {
        return false;
    }
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        if (w->bits < WHEEL_BITS_MAX && w->occupied[level] >> slots(w) != 0) {
            return false;
        }
        for (unsigned slot = 0; slot < slots(w); slot++) {
            if (!slot_sound(w, links, top, level, slot, &n)) {
                return false;
            }
        }
    }
    return n == w->armed;
}
