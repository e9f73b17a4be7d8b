/* poll.c - what a descriptor is ready for, and poll. */
#include "adapter.h"

static uint32_t mask_of_listener(const struct adapter *a, const struct sock *s)
{
    struct hf_status status;
    socket_status(a, s, &status);
    return status.waiting ? EPOLLIN | EPOLLRDNORM : 0;
}

static uint32_t mask_of_socket(const struct adapter *a, struct sock *s)
{
    struct hf_status status;
    socket_status(a, s, &status);
    bool gone = s->handle == 0 || s->ended;
    bool no_read = s->shut_read || s->peer_closed || (gone && s->ended);
    bool no_write = s->shut_write || (gone && s->ended);
    uint32_t mask = gone || (no_read && no_write) ? EPOLLHUP : 0;
    mask |= no_read ? EPOLLIN | EPOLLRDNORM | EPOLLRDHUP : 0u;
    if (gone || s->opened) {
        uint32_t low = (uint32_t)s->options.receive_low_water;
        mask |= status.unread_bytes >= low ? EPOLLIN | EPOLLRDNORM : 0u;
        bool room = no_write || send_is_writable(a, s, &status);
        mask |= room ? EPOLLOUT | EPOLLWRNORM : 0u;
        s->wants_room = s->wants_room || !room;
        mask |= status.urgent ? EPOLLPRI : 0u;
    } else if (s->deferred) {
        mask |= EPOLLOUT | EPOLLWRNORM;
    }
    bool queued = s->zero_copy.told != s->zero_copy.done;
    return mask | (s->error || queued ? EPOLLERR : 0u);
}

uint32_t poll_mask(struct adapter *a, int fd)
{
    struct entry *e = fd_entry(a, fd);
    if (e == NULL) {
        return POLLNVAL;
    }
    if (e->kind == KIND_EPOLL) {
        return epoll_is_ready(a, e->epoll) ? EPOLLIN | EPOLLRDNORM : 0;
    }
    return e->sock.listening ? mask_of_listener(a, &e->sock) : mask_of_socket(a, &e->sock);
}

struct polling {
    struct pollfd *fds;
    nfds_t n;
    int ready;
};

static bool any_is_ready(struct adapter *a, void *arg)
{
    struct polling *p = arg;
    p->ready = 0;
    for (nfds_t i = 0; i < p->n; i++) {
        struct pollfd *one = &p->fds[i];
        one->revents = 0;
        if (one->fd < 0) {
            continue;
        }
        uint32_t wanted = (uint32_t)(uint16_t)one->events | POLLERR | POLLHUP | POLLNVAL;
        one->revents = (short)(poll_mask(a, one->fd) & wanted);
        p->ready += one->revents != 0;
    }
    return p->ready != 0;
}

int poll_wait(struct adapter *a, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    if (fds == NULL && n != 0) {
        return -EFAULT;
    }
    struct polling p = {.fds = fds, .n = n};
    clock_wait(a, any_is_ready, &p, clock_after_ms(a, timeout_ms));
    return p.ready;
}
