/* epoll.c - epoll_create epoll_ctl epoll_wait, level and edge triggered, one-shot.
 *
 * An item stands in the ready queue from the moment something happens to its descriptor until
 * epoll_wait has found nothing to tell, or has told it and it is edge triggered.
 */
#include <stdlib.h>
#include <string.h>

#include "adapter.h"

enum { PRIVATE_BITS = (int)(EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE) };

struct item {
    struct item *next; /* all, in the order of adding   */
    struct item *next_ready;
    int fd;
    uint32_t events; /* 0 besides private bits: off    */
    uint64_t data;
    bool ready;
};

struct epoll {
    struct item *items;
    struct item *first_ready, *last_ready;
};

struct epoll *epoll_new(void)
{
    return calloc(1, sizeof(struct epoll));
}

static struct item **find(struct epoll *epoll, int fd)
{
    struct item **link = &epoll->items;
    while (*link && (*link)->fd != fd) {
        link = &(*link)->next;
    }
    return link;
}

static void put_ready(struct epoll *epoll, struct item *item)
{
    if (item->ready) {
        return;
    }
    item->ready = true;
    item->next_ready = NULL;
    if (epoll->last_ready) {
        epoll->last_ready->next_ready = item;
    } else {
        epoll->first_ready = item;
    }
    epoll->last_ready = item;
}

static struct item *take_ready(struct epoll *epoll)
{
    struct item *item = epoll->first_ready;
    if (item) {
        epoll->first_ready = item->next_ready;
        epoll->last_ready = item->next_ready ? epoll->last_ready : NULL;
        item->ready = false;
    }
    return item;
}

static void drop(struct epoll *epoll, struct item **link)
{
    struct item *item = *link;
    *link = item->next;
    struct item *rest = epoll->first_ready;
    epoll->first_ready = epoll->last_ready = NULL;
    while (rest) {
        struct item *next = rest->next_ready;
        rest->ready = false;
        if (rest != item) {
            put_ready(epoll, rest);
        }
        rest = next;
    }
    free(item);
}

void epoll_free(struct epoll *epoll)
{
    while (epoll->items) {
        drop(epoll, &epoll->items);
    }
    free(epoll);
}

/* What of an item's events is so now; errors and hang-ups always count, unless it is off. */
static uint32_t told(struct adapter *a, const struct item *item)
{
    uint32_t wanted = item->events & ~(uint32_t)PRIVATE_BITS;
    return wanted ? poll_mask(a, item->fd) & (wanted | EPOLLERR | EPOLLHUP) : 0;
}

static int add(struct adapter *a, struct epoll *epoll, int fd, const struct epoll_event *event)
{
    struct item **link = find(epoll, fd);
    if (*link) {
        return -EEXIST;
    }
    struct item *item = calloc(1, sizeof *item);
    if (item == NULL) {
        return -ENOMEM;
    }
    *item = (struct item){.fd = fd, .events = event->events | EPOLLERR, .data = event->data.u64};
    *link = item;
    if (told(a, item)) {
        put_ready(epoll, item);
    }
    return 0;
}

int epoll_control(struct adapter *a, int epfd, int op, int fd, const struct epoll_event *event)
{
    struct entry *e = fd_entry(a, epfd);
    if (e == NULL || fd_entry(a, fd) == NULL) {
        return -EBADF;
    }
    if (e->kind != KIND_EPOLL || fd == epfd) {
        return -EINVAL;
    }
    if (op != EPOLL_CTL_DEL && event == NULL) {
        return -EFAULT;
    }
    if (op == EPOLL_CTL_MOD && (event->events & EPOLLEXCLUSIVE)) {
        return -EINVAL; /* with ADD it says that one of those who wait is enough: there is one */
    }
    struct item **link = find(e->epoll, fd);
    switch (op) {
    case EPOLL_CTL_ADD:
        return add(a, e->epoll, fd, event);
    case EPOLL_CTL_MOD:
        if (*link == NULL) {
            return -ENOENT;
        }
        (*link)->events = event->events | EPOLLERR;
        (*link)->data = event->data.u64;
        if (told(a, *link)) {
            put_ready(e->epoll, *link);
        }
        return 0;
    case EPOLL_CTL_DEL:
        if (*link == NULL) {
            return -ENOENT;
        }
        drop(e->epoll, link);
        return 0;
    default:
        return -EINVAL;
    }
}

bool epoll_is_ready(struct adapter *a, struct epoll *epoll)
{
    for (struct item *item = epoll->first_ready; item; item = item->next_ready) {
        if (told(a, item)) {
            return true;
        }
    }
    return false;
}

struct waiting {
    struct epoll *epoll;
    struct epoll_event *events;
    int most, n;
};

/* Takes what is ready; level-triggered items go back to the end of the queue. */
static bool collect(struct adapter *a, void *arg)
{
    struct waiting *w = arg;
    struct item *again = NULL;
    while (w->n < w->most) {
        struct item *item = take_ready(w->epoll);
        if (item == NULL) {
            break;
        }
        uint32_t bits = told(a, item);
        if (bits == 0) {
            continue;
        }
        w->events[w->n] = (struct epoll_event){.events = bits, .data.u64 = item->data};
        w->n++;
        if (item->events & EPOLLONESHOT) {
            item->events &= (uint32_t)PRIVATE_BITS;
        } else if (!(item->events & EPOLLET)) {
            item->next_ready = again;
            again = item;
        }
    }
    for (struct item *next; again; again = next) {
        next = again->next_ready;
        put_ready(w->epoll, again);
    }
    return w->n != 0;
}

int epoll_events(struct adapter *a, int epfd, struct epoll_event *events, int most, int timeout_ms)
{
    struct entry *e = fd_entry(a, epfd);
    if (e == NULL || e->kind != KIND_EPOLL) {
        return e == NULL ? -EBADF : -EINVAL;
    }
    if (most <= 0 || events == NULL) {
        return most <= 0 ? -EINVAL : -EFAULT;
    }
    struct waiting w = {.epoll = e->epoll, .events = events, .most = most};
    clock_wait(a, collect, &w, clock_after_ms(a, timeout_ms));
    return w.n;
}

void epoll_edge(struct adapter *a, int fd, uint32_t bits)
{
    for (int i = 0; i < FD_COUNT; i++) {
        struct entry *e = a->entries[i];
        if (e == NULL || e->kind != KIND_EPOLL) {
            continue;
        }
        struct item *item = *find(e->epoll, fd);
        if (item && (item->events & ~(uint32_t)PRIVATE_BITS) &&
            (bits == 0 || (bits & item->events))) {
            put_ready(e->epoll, item);
        }
    }
}

void epoll_forget(struct adapter *a, int fd)
{
    for (int i = 0; i < FD_COUNT; i++) {
        struct entry *e = a->entries[i];
        if (e && e->kind == KIND_EPOLL) {
            struct item **link = find(e->epoll, fd);
            if (*link) {
                drop(e->epoll, link);
            }
        }
    }
}
