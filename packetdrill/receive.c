/* receive.c - read readv recv recvfrom recvmsg: in the order Linux asks its questions. */
#include <netinet/in.h>
#include <string.h>

#include "adapter.h"
#include "handfast/host.h"
#include "linux.h"

enum {
    FLAGS_KNOWN = MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL | MSG_TRUNC | MSG_NOSIGNAL | MSG_OOB |
                  MSG_ERRQUEUE | MSG_CMSG_CLOEXEC,
    SLICES = 64,
};

struct reading {
    struct sock *s;
    const struct msghdr *msg;
    size_t total;
    size_t target;
    size_t done;
    int flags;
};

/* Octets that can be read; a FIN behind them counts as one when nothing else is left. */
uint32_t receive_inq(const struct hf_status *status)
{
    return status->unread_bytes;
}

static uint32_t unread_of(const struct adapter *a, const struct sock *s)
{
    struct hf_status status;
    socket_status(a, s, &status);
    return status.unread_bytes;
}

static bool at_end(const struct sock *s)
{
    return s->peer_closed || s->shut_read || s->ended;
}

static bool may_read(struct adapter *a, void *arg)
{
    const struct reading *r = arg;
    size_t want = r->target > r->done ? r->target - r->done : 1;
    return unread_of(a, r->s) >= want || r->s->error || at_end(r->s) || r->s->handle == 0;
}

/* Copies n octets to octet `at` of the iovec; how many had a place. */
static size_t scatter(const struct msghdr *msg, size_t at, const uint8_t *from, size_t n)
{
    size_t done = 0;
    for (size_t i = 0; i < msg->msg_iovlen && done < n; i++) {
        const struct iovec *iov = &msg->msg_iov[i];
        if (at >= iov->iov_len) {
            at -= iov->iov_len;
            continue;
        }
        size_t room = iov->iov_len - at;
        size_t part = n - done < room ? n - done : room;
        if (iov->iov_base == NULL) {
            break;
        }
        memcpy((uint8_t *)iov->iov_base + at, from + done, part);
        done += part;
        at = 0;
    }
    return done;
}

/* What is there now, or a part of it; it stays there with MSG_PEEK. */
static ssize_t take_some(struct adapter *a, struct reading *r)
{
    struct hf_slice slices[SLICES];
    int n = hf_recv_slices(a->stack, &a->env, r->s->handle, slices, SLICES);
    size_t took = 0;
    for (int i = 0; i < n && r->done + took < r->total; i++) {
        size_t room = r->total - r->done - took;
        size_t part = slices[i].len < room ? slices[i].len : room;
        size_t copied =
            r->flags & MSG_TRUNC ? part : scatter(r->msg, r->done + took, slices[i].data, part);
        took += copied;
        if (copied < part) {
            if (took == 0 && r->done == 0) {
                return -EFAULT;
            }
            break;
        }
    }
    if (!(r->flags & MSG_PEEK) && took) {
        hf_recv_consume(a->stack, &a->env, r->s->handle, took);
    }
    r->done += took;
    return (ssize_t)took;
}

/* There is nothing to take: why not. */
static int nothing(struct sock *s)
{
    if (s->peer_closed && !s->ended) {
        return 0;
    }
    if (s->error) {
        return -socket_take_error(s);
    }
    if (s->shut_read || s->peer_closed || (s->ended && s->opened)) {
        return 0;
    }
    return s->handle == 0 || s->listening || s->ended ? -ENOTCONN : -EAGAIN;
}

static ssize_t read_all(struct adapter *a, struct reading *r, int64_t deadline)
{
    for (;;) {
        ssize_t n = 0;
        if (r->s->handle && !r->s->listening && unread_of(a, r->s)) {
            n = r->total ? take_some(a, r) : 0;
            network_pump(a);
        }
        if (n < 0 || r->done >= r->target || r->total == 0) {
            return n < 0 && r->done == 0 ? n : (ssize_t)r->done;
        }
        if (n > 0 && !(r->flags & MSG_PEEK)) {
            continue;
        }
        int error = r->done && (r->s->error || at_end(r->s)) ? 0 : nothing(r->s);
        if (error != -EAGAIN) {
            return r->done ? (ssize_t)r->done : error;
        }
        if (!clock_wait(a, may_read, r, deadline)) {
            return r->done ? (ssize_t)r->done : -EAGAIN;
        }
    }
}

/* TCP_INQ: what is left to be read. */
static void tell_inq(struct adapter *a, const struct sock *s, struct msghdr *msg)
{
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
    int inq = (int)unread_of(a, s);
    if (inq == 0 && s->peer_closed) {
        inq = 1; /* the end is to be read */
    }
    if (cmsg == NULL || msg->msg_controllen < CMSG_LEN(sizeof inq)) {
        msg->msg_flags |= MSG_CTRUNC;
        msg->msg_controllen = 0;
        return;
    }
    cmsg->cmsg_level = IPPROTO_TCP;
    cmsg->cmsg_type = LINUX_TCP_CM_INQ;
    cmsg->cmsg_len = CMSG_LEN(sizeof inq);
    memcpy(CMSG_DATA(cmsg), &inq, sizeof inq);
    size_t whole = CMSG_SPACE(sizeof inq);
    msg->msg_controllen = msg->msg_controllen < whole ? msg->msg_controllen : whole;
}

ssize_t receive_message(struct adapter *a, int fd, struct msghdr *msg, int flags)
{
    struct sock *s = fd_sock(a, fd);
    if (s == NULL) {
        return fd_entry(a, fd) ? -ENOTSOCK : -EBADF;
    }
    if (flags & ~FLAGS_KNOWN) {
        return -EOPNOTSUPP;
    }
    if (flags & (MSG_ERRQUEUE | MSG_OOB)) { /* urgent data is in the stream, RFC 6093 */
        return flags & MSG_ERRQUEUE ? zero_copy_read(s, msg) : -EINVAL;
    }
    struct reading r = {.s = s, .msg = msg, .flags = flags};
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        r.total += msg->msg_iov[i].iov_len;
    }
    size_t low = (size_t)s->options.receive_low_water;
    r.target = flags & MSG_WAITALL ? r.total : low < r.total ? low : r.total;
    r.target = r.target ? r.target : 1;
    bool now = s->nonblocking || (flags & MSG_DONTWAIT);
    int64_t timeout = s->options.receive_timeout_ns;
    int64_t deadline = now ? a->now_ns : timeout == NEVER ? NEVER : a->now_ns + timeout;
    ssize_t n = read_all(a, &r, deadline);
    msg->msg_namelen = 0;
    msg->msg_flags = 0;
    if (n >= 0 && s->options.inq && msg->msg_control) {
        tell_inq(a, s, msg);
    } else {
        msg->msg_controllen = 0;
    }
    return n;
}
