/* send.c - write writev send sendto sendmsg: how much a send buffer takes, and who waits for room.
 *
 * A buffer is filled in blocks, as Linux fills its buffers: text joins the last block until that is
 * full (half the peer's largest window, 64 KiB at most), whatever the limits say; a new block is
 * begun only below SO_SNDBUF and TCP_NOTSENT_LOWAT.  Scripts count octets that depend on it.
 */
#include <limits.h>
#include <string.h>

#include "adapter.h"
#include "handfast/host.h"

enum {
    FLAGS_KNOWN = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_OOB | MSG_CONFIRM |
                  MSG_ZEROCOPY | MSG_FASTOPEN,
    BLOCK_MAX = 65535,
};

static uint32_t unsent_bytes(const struct hf_status *status)
{
    uint32_t flight = status->snd_nxt - status->snd_una;
    return status->queued_bytes > flight ? status->queued_bytes - flight : 0;
}

static uint32_t unsent_limit(const struct adapter *a, const struct sock *s)
{
    if (s->options.notsent_low) {
        return s->options.notsent_low;
    }
    return (uint32_t)a->sysctls.notsent_lowat;
}

/* Octets of a block: whole segments. */
static uint32_t block_bytes(const struct sock *s, const struct hf_status *status)
{
    uint32_t mss = status->snd_mss ? status->snd_mss : 536;
    uint32_t most = s->largest_window > 536 ? s->largest_window / 2 : s->largest_window;
    most = most == 0 || most > BLOCK_MAX ? BLOCK_MAX : most;
    return most < mss ? mss : most / mss * mss;
}

uint32_t send_room(const struct adapter *a, const struct sock *s, const struct hf_status *status)
{
    uint32_t block = block_bytes(s, status);
    uint32_t unsent = unsent_bytes(status);
    uint32_t tail = unsent % block;
    if (tail) {
        return block - tail;
    }
    bool room = status->queued_bytes < (uint32_t)s->options.send_buffer;
    return room && unsent < unsent_limit(a, s) ? block : 0;
}

/* A third of the buffer is free, and half of what may be unsent. */
bool send_is_writable(const struct adapter *a, const struct sock *s, const struct hf_status *status)
{
    uint32_t limit = (uint32_t)s->options.send_buffer;
    uint32_t queued = status->queued_bytes;
    bool room = queued < limit && limit - queued >= queued / 2;
    return room && (uint64_t)unsent_bytes(status) * 2 < unsent_limit(a, s);
}

/* Why nothing can be sent now, and never will: 0: it can. */
static int send_error(struct sock *s)
{
    if (s->error) {
        return -socket_take_error(s);
    }
    bool never = s->handle == 0 || s->listening;
    return never || s->ended || s->shut_write ? -EPIPE : 0;
}

static bool is_open(struct adapter *a, void *arg)
{
    const struct sock *s = arg;
    (void)a;
    return s->opened || s->ended || s->error || s->handle == 0;
}

static bool has_room(struct adapter *a, void *arg)
{
    struct sock *s = arg;
    struct hf_status status;
    socket_status(a, s, &status);
    return s->ended || s->error || s->shut_write || send_is_writable(a, s, &status);
}

/* What the iovec holds from octet `at` on, up to n octets, in one piece or less; NULL: it is bad.
 */
const void *send_piece(const struct msghdr *msg, size_t at, size_t *n)
{
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        const struct iovec *iov = &msg->msg_iov[i];
        if (at < iov->iov_len) {
            size_t left = iov->iov_len - at;
            *n = *n < left ? *n : left;
            return iov->iov_base ? (const uint8_t *)iov->iov_base + at : NULL;
        }
        at -= iov->iov_len;
    }
    *n = 0;
    return NULL;
}

static uint32_t core_flags(int flags, bool last)
{
    uint32_t out = flags & MSG_MORE || !last ? HF_SEND_MORE : 0u;
    out |= last && (flags & MSG_OOB) ? HF_SEND_URGENT : 0u;
    out |= last && (flags & MSG_EOR) ? HF_SEND_END : 0u;
    return out;
}

/* As much as there is room for now; packets leave as they can, and make room. */
static ssize_t fill(struct adapter *a, struct sock *s, const struct msghdr *msg, size_t from,
                    size_t total, int flags)
{
    size_t at = from;
    while (at < total) {
        struct hf_status status;
        socket_status(a, s, &status);
        s->largest_window = status.snd_wnd > s->largest_window ? status.snd_wnd : s->largest_window;
        size_t n = send_room(a, s, &status);
        const void *piece = n ? send_piece(msg, at, &n) : NULL;
        if (n == 0) {
            break;
        }
        if (piece == NULL) {
            return at > from ? (ssize_t)(at - from) : -EFAULT;
        }
        int64_t taken =
            hf_send(a->stack, &a->env, s->handle, piece, n, core_flags(flags, at + n == total));
        if (taken < 0) {
            break;
        }
        at += (size_t)taken;
        network_pump(a);
    }
    if (at > from && at < total) { /* more follows only when there is room */
        hf_send(a->stack, &a->env, s->handle, "", 0, 0);
        network_pump(a);
    }
    return (ssize_t)(at - from);
}

static int wait_until_open(struct adapter *a, struct sock *s, int64_t deadline)
{
    if (s->connecting && !s->opened && !s->ended) {
        clock_wait(a, is_open, s, deadline);
        if (!is_open(a, s)) {
            return -EAGAIN;
        }
    }
    return send_error(s);
}

static ssize_t total_of(const struct msghdr *msg)
{
    size_t total = 0;
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        if (msg->msg_iov[i].iov_len > SSIZE_MAX - total) {
            return -EINVAL;
        }
        total += msg->msg_iov[i].iov_len;
    }
    return (ssize_t)total;
}

/* Waits for room as often as it takes. */
static ssize_t send_all(struct adapter *a, struct sock *s, const struct msghdr *msg, size_t sent,
                        size_t total, int flags, int64_t deadline)
{
    while (sent < total) {
        ssize_t n = fill(a, s, msg, sent, total, flags);
        sent += n > 0 ? (size_t)n : 0;
        if (n < 0 || sent == total) {
            return sent ? (ssize_t)sent : n;
        }
        s->wants_room = true;
        if (!clock_wait(a, has_room, s, deadline)) {
            return sent ? (ssize_t)sent : -EAGAIN;
        }
        if (s->ended || s->error || s->shut_write) {
            return sent ? (ssize_t)sent : send_error(s);
        }
    }
    return (ssize_t)sent;
}

ssize_t send_message(struct adapter *a, int fd, const struct msghdr *msg, int flags)
{
    struct sock *s = fd_sock(a, fd);
    if (s == NULL) {
        return fd_entry(a, fd) ? -ENOTSOCK : -EBADF;
    }
    ssize_t total = total_of(msg);
    if (total < 0 || (flags & ~FLAGS_KNOWN) || msg->msg_controllen) {
        return flags & ~FLAGS_KNOWN ? -EOPNOTSUPP : -EINVAL;
    }
    bool now = s->nonblocking || (flags & MSG_DONTWAIT);
    int64_t timeout = s->options.send_timeout_ns;
    int64_t deadline = now ? a->now_ns : timeout == NEVER ? NEVER : a->now_ns + timeout;
    ssize_t first = 0;
    if (s->deferred || (flags & MSG_FASTOPEN)) {
        first = fastopen_send(a, fd, s, msg, (size_t)total, flags, deadline);
        if (first < 0 || !s->opened) {
            return first;
        }
    }
    int error = wait_until_open(a, s, deadline);
    if (error) {
        return error;
    }
    ssize_t sent = send_all(a, s, msg, (size_t)first, (size_t)total, flags, deadline);
    if (sent > 0 && (flags & MSG_ZEROCOPY) && s->options.zero_copy) {
        zero_copy_sent(a, s);
    }
    return sent;
}
