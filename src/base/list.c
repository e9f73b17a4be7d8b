/* list.c - lists of records by index: see list.h. */
#include "base/list.h"

void ififo_push(struct ififo *list, const struct links *links, uint32_t idx)
{
    *(uint32_t *)links_at(links, idx) = 0;
    if (list->tail != 0) {
        *(uint32_t *)links_at(links, list->tail) = idx;
    } else {
        list->head = idx;
    }
    list->tail = idx;
}

uint32_t ififo_pop(struct ififo *list, const struct links *links)
{
    uint32_t idx = list->head;
    if (idx == 0) {
        return 0;
    }
    uint32_t *link = links_at(links, idx);
    list->head = *link;
    if (list->head == 0) {
        list->tail = 0;
    }
    *link = 0;
    return idx;
}

bool idlist_sound(const struct idlist *list, const struct links *links, uint32_t top, uint32_t *n)
{
    uint32_t before = 0;
    *n = 0;
    for (uint32_t idx = list->head; idx != 0;) {
        if (idx > top || *n >= top || idlist_link_at(links, idx)->prev != before) {
            return false;
        }
        ++*n;
        before = idx;
        idx = idlist_link_at(links, idx)->next;
    }
    return list->tail == before;
}

bool ififo_sound(const struct ififo *list, const struct links *links, uint32_t top, uint32_t *n)
{
    uint32_t before = 0;
    *n = 0;
    for (uint32_t idx = list->head; idx != 0;) {
        if (idx > top || *n >= top) {
            return false;
        }
        ++*n;
        before = idx;
        idx = *(const uint32_t *)links_at(links, idx);
    }
    return list->tail == before;
}
