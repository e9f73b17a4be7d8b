/* agenda.c - what is to happen when: a binary heap. */
#include "world.h"

static bool before(const struct due *a, const struct due *b)
{
    if (a->at_ns != b->at_ns) {
        return a->at_ns < b->at_ns;
    }
    return a->early_ns != b->early_ns ? a->early_ns > b->early_ns
                                      : (int32_t)(a->order - b->order) < 0;
}

bool agenda_put(struct agenda *agenda, struct due due)
{
    if (agenda->n == AGENDA_MAX) {
        return false;
    }
    due.order = agenda->order++;
    uint32_t at = agenda->n++;
    while (at != 0 && before(&due, &agenda->heap[(at - 1) / 2])) {
        agenda->heap[at] = agenda->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    agenda->heap[at] = due;
    return true;
}

struct due agenda_take(struct agenda *agenda)
{
    struct due first = agenda->heap[0], last = agenda->heap[--agenda->n];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < agenda->n && before(&agenda->heap[child + 1], &agenda->heap[child])) {
            child++;
        }
        if (child >= agenda->n || !before(&agenda->heap[child], &last)) {
            break;
        }
        agenda->heap[at] = agenda->heap[child];
        at = child;
    }
    agenda->heap[at] = last;
    return first;
}
