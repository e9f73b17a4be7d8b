/* list.c - lists of records by index: see list.h. */
#include "base/list.h"

static struct idlist_link *link_at(const struct links *links, uint32_t idx)
{
    return links_at(links, idx);
}

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

void idlist_push_tail(struct idlist *list, const struct links *links, uint32_t idx)
{
    *link_at(links, idx) = (struct idlist_link){.next = 0, .prev = list->tail};
    if (list->tail != 0) {
        link_at(links, list->tail)->next = idx;
    } else {
        list->head = idx;
    }
    list->tail = idx;
}

void idlist_remove(struct idlist *list, const struct links *links, uint32_t idx)
{
    struct idlist_link *link = link_at(links, idx);
    HF_ASSERT(link->prev != 0 || list->head == idx);
    HF_ASSERT(link->next != 0 || list->tail == idx);
    if (link->prev != 0) {
        link_at(links, link->prev)->next = link->next;
    } else {
        list->head = link->next;
    }
    if (link->next != 0) {
        link_at(links, link->next)->prev = link->prev;
    } else {
        list->tail = link->prev;
    }
    *link = (struct idlist_link){0, 0};
}

uint32_t idlist_pop_head(struct idlist *list, const struct links *links)
{
    uint32_t idx = list->head;
    if (idx != 0) {
        idlist_remove(list, links, idx);
    }
    return idx;
}

bool idlist_sound(const struct idlist *list, const struct links *links, uint32_t top, uint32_t *n)
{
    uint32_t before = 0;
    *n = 0;
    for (uint32_t idx = list->head; idx != 0;) {
        if (idx > top || *n >= top || link_at(links, idx)->prev != before) {
            return false;
        }
        ++*n;
        before = idx;
        idx = link_at(links, idx)->next;
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
