/* pipe.c - splice between a socket of ours and a pipe of the kernel's, and sendfile, by copying. */
#include <unistd.h>

#include "adapter.h"

enum { PIECE_MAX = 65536 };

static ssize_t into_pipe(struct adapter *a, int in, int out, size_t n, int flags)
{
    uint8_t octets[PIECE_MAX];
    struct iovec iov = {.iov_base = octets, .iov_len = n < PIECE_MAX ? n : PIECE_MAX};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t got = receive_message(a, in, &msg, flags);
    return got > 0 && write(out, octets, (size_t)got) != got ? -EIO : got;
}

static ssize_t out_of_pipe(struct adapter *a, int in, int out, size_t n, int flags)
{
    uint8_t octets[PIECE_MAX];
    ssize_t got = read(in, octets, n < PIECE_MAX ? n : PIECE_MAX);
    if (got <= 0) {
        return got < 0 ? -errno : 0;
    }
    struct iovec iov = {.iov_base = octets, .iov_len = (size_t)got};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return send_message(a, out, &msg, flags);
}

/* Offsets make no sense here: packetdrill passes the addresses of zeros. */
int pipe_splice(struct adapter *a, int in, loff_t *in_at, int out, loff_t *out_at, size_t n,
                unsigned int flags)
{
    if ((in_at && *in_at) || (out_at && *out_at)) {
        return -ESPIPE;
    }
    enum { MOVE = 1, NONBLOCK = 2, MORE = 4 };
    if (flags & ~(unsigned)(MOVE | NONBLOCK | MORE)) {
        return -EINVAL;
    }
    int how = (flags & NONBLOCK ? MSG_DONTWAIT : 0);
    if (fd_sock(a, in)) {
        return (int)into_pipe(a, in, out, n, how);
    }
    return fd_sock(a, out) ? (int)out_of_pipe(a, in, out, n, how | (flags & MORE ? MSG_MORE : 0))
                           : -EINVAL;
}

ssize_t pipe_sendfile(struct adapter *a, int out, int in, off_t *at, size_t n)
{
    uint8_t octets[PIECE_MAX];
    size_t done = 0;
    while (done < n) {
        size_t most = n - done < PIECE_MAX ? n - done : PIECE_MAX;
        ssize_t got = at ? pread(in, octets, most, *at) : read(in, octets, most);
        if (got <= 0) {
            return done || got == 0 ? (ssize_t)done : -errno;
        }
        struct iovec iov = {.iov_base = octets, .iov_len = (size_t)got};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t sent = send_message(a, out, &msg, 0);
        if (sent < 0) {
            return done ? (ssize_t)done : sent;
        }
        done += (size_t)sent;
        if (at) {
            *at += sent;
        }
        if (sent < got) {
            lseek(in, at ? 0 : sent - got, SEEK_CUR); /* what was not sent is read again */
            break;
        }
    }
    return (ssize_t)done;
}
