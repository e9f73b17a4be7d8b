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

#include "base/bytes.h"
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

static inline struct idlist_link *idlist_link_at(const struct links *links, uint32_t idx)
{
    return links_at(links, idx);
}

/* The record behind idx, 0 when it is the last. */
static inline uint32_t idlist_next(const struct links *links, uint32_t idx)
{
    return idlist_link_at(links, idx)->next;
}

static inline void idlist_push_tail(struct idlist *list, const struct links *links, uint32_t idx)
{
    *idlist_link_at(links, idx) = (struct idlist_link){.next = 0, .prev = list->tail};
    if (list->tail != 0) {
        idlist_link_at(links, list->tail)->next = idx;
    } else {
        list->head = idx;
    }
    list->tail = idx;
}

/* Behind `after`, which is in the list; 0: before all. */
static inline void idlist_insert(struct idlist *list, const struct links *links, uint32_t after,
                                 uint32_t idx)
{
    uint32_t *next = after ? &idlist_link_at(links, after)->next : &list->head;
    *idlist_link_at(links, idx) = (struct idlist_link){.next = *next, .prev = after};
    *(*next ? &idlist_link_at(links, *next)->prev : &list->tail) = idx;
    *next = idx;
}

/* idx must be in the list. Its link is 0 afterwards. */
static inline void idlist_remove(struct idlist *list, const struct links *links, uint32_t idx)
{
    struct idlist_link *link = idlist_link_at(links, idx);
    HF_ASSERT(link->prev != 0 || list->head == idx);
    HF_ASSERT(link->next != 0 || list->tail == idx);
    if (link->prev != 0) {
        idlist_link_at(links, link->prev)->next = link->next;
    } else {
        list->head = link->next;
    }
    if (link->next != 0) {
        idlist_link_at(links, link->next)->prev = link->prev;
    } else {
        list->tail = link->prev;
    }
    *link = (struct idlist_link){0, 0};
}

/* Takes the oldest out; 0 when the list is empty. */
static inline uint32_t idlist_pop_head(struct idlist *list, const struct links *links)
{
    uint32_t idx = list->head;
    if (idx != 0) {
        idlist_remove(list, links, idx);
    }
    return idx;
}

/* For who checks the block: the list leads from head to tail, none of its records is numbered above
 * `top`, and (idlist) each link leads back.  *n: how many there are. */
bool idlist_sound(const struct idlist *list, const struct links *links, uint32_t top, uint32_t *n);
bool ififo_sound(const struct ififo *list, const struct links *links, uint32_t top, uint32_t *n);

#endif
