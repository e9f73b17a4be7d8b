/* list.h - lists of records by index, with the links inside the records.
 *
 * ififo: singly linked, in at the tail, out at the head; the link is one uint32_t.
 * idlist: doubly linked, so that any record can leave; the link is a struct idlist_link.
 * A record is in at most one list per link; keeping track of that is the owner's.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/links.h"

struct ififo {
    uint32_t head, tail;
};

struct idlist_link {
    uint32_t next, prev;
};

struct idlist {
    uint32_t head, tail;
};

static inline bool ififo_empty(const struct ififo *list)
{
    return list->head == 0;
}

void ififo_push(struct ififo *list, const struct links *links, uint32_t idx);

/* The oldest record, its link 0 again; 0 when the list is empty. */
uint32_t ififo_pop(struct ififo *list, const struct links *links);

static inline uint32_t idlist_head(const struct idlist *list)
{
    return list->head;
}

static inline bool idlist_empty(const struct idlist *list)
{
    return list->head == 0;
}

/* The record behind idx, 0 when it is the last. */
static inline uint32_t idlist_next(const struct links *links, uint32_t idx)
{
    return ((const struct idlist_link *)links_at(links, idx))->next;
}

void idlist_push_tail(struct idlist *list, const struct links *links, uint32_t idx);

/* idx must be in the list. Its link is 0 afterwards. */
void idlist_remove(struct idlist *list, const struct links *links, uint32_t idx);

/* Takes the oldest out; 0 when the list is empty. */
uint32_t idlist_pop_head(struct idlist *list, const struct links *links);

/* For who checks the block: the list leads from head to tail, none of its records is numbered above
 * `top`, and (idlist) each link leads back.  *n: how many there are. */
bool idlist_sound(const struct idlist *list, const struct links *links, uint32_t top, uint32_t *n);
bool ififo_sound(const struct ififo *list, const struct links *links, uint32_t top, uint32_t *n);

#endif
