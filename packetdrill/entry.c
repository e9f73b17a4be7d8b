/* entry.c - the 32 functions of interface.h, each under the lock; and three of libc's.
 *
 * packetdrill calls libc's close on what a script leaves open, libc's getsockopt for its %{ }% code
 * and libc's sendfile.  Loaded once more with LD_PRELOAD, this object serves them for its own
 * descriptors and passes the rest to the kernel.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adapter.h"

enum { EPOCH_S = 1700000000 };

#define EXPORTED __attribute__((visibility("default")))

static struct adapter the_adapter = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .other_wakes = PTHREAD_COND_INITIALIZER,
    .main_wakes = PTHREAD_COND_INITIALIZER,
};

/* What is preloaded here is not for the shells that scripts start. */
__attribute__((constructor)) static void keep_to_this_process(void)
{
    unsetenv("LD_PRELOAD");
}

static struct adapter *enter(void *ud)
{
    struct adapter *a = ud;
    pthread_mutex_lock(&a->lock);
    if (!clock_is_main(a)) {
        a->other_busy = true;
        a->other_tid = gettid();
        a->other_saw = a->round - 1;
    }
    return a;
}

static ssize_t leave(struct adapter *a, ssize_t result)
{
    network_pump(a);
    pthread_mutex_unlock(&a->lock);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

/* Runs `call` on the socket s of fd, or refuses. */
#define ON_SOCKET(ud, fd, call)                                                                    \
    do {                                                                                           \
        struct adapter *a = enter(ud);                                                             \
        struct sock *s = fd_sock(a, fd);                                                           \
        int result = fd_entry(a, fd) ? -ENOTSOCK : -EBADF;                                         \
        if (s) {                                                                                   \
            result = call;                                                                         \
        }                                                                                          \
        return (int)leave(a, result);                                                              \
    } while (0)

static void on_free(void *ud)
{
    struct adapter *a = enter(ud);
    for (int i = 0; i < FD_COUNT; i++) {
        struct entry *e = a->entries[i];
        a->entries[i] = NULL;
        if (e && e->kind == KIND_EPOLL) {
            epoll_free(e->epoll);
        }
        free(e);
    }
    network_end(a);
    pthread_mutex_unlock(&a->lock);
}

static int on_socket(void *ud, int domain, int type, int protocol)
{
    struct adapter *a = enter(ud);
    return (int)leave(a, socket_new(a, domain, type, protocol));
}

static int on_bind(void *ud, int fd, const struct sockaddr *addr, socklen_t len)
{
    ON_SOCKET(ud, fd, socket_bind(a, s, addr, len));
}

static int on_listen(void *ud, int fd, int backlog)
{
    ON_SOCKET(ud, fd, socket_listen(a, fd, s, backlog));
}

static int on_accept(void *ud, int fd, struct sockaddr *addr, socklen_t *len)
{
    ON_SOCKET(ud, fd, socket_accept(a, s, addr, len));
}

static int on_connect(void *ud, int fd, const struct sockaddr *addr, socklen_t len)
{
    ON_SOCKET(ud, fd, socket_connect(a, fd, s, addr, len));
}

static int on_shutdown(void *ud, int fd, int how)
{
    ON_SOCKET(ud, fd, socket_shutdown(a, s, how));
}

static int on_close(void *ud, int fd)
{
    struct adapter *a = enter(ud);
    if (fd_entry(a, fd)) {
        return (int)leave(a, fd_close(a, fd));
    }
    leave(a, 0);
    return (int)syscall(SYS_close, fd);
}

/* Receiving and sending -------------------------------------------------------------------------*/

static ssize_t on_recvmsg(void *ud, int fd, struct msghdr *msg, int flags)
{
    struct adapter *a = enter(ud);
    return leave(a, msg ? receive_message(a, fd, msg, flags) : -EFAULT);
}

#define MAX_IOVEC 1024 /* UIO_MAXIOV, readv(2) */

/* A message of the vector; `copy` has MAX_IOVEC places and lives as long as the message. */
static bool message_of(struct msghdr *msg, struct iovec *copy, const struct iovec *iov, int count)
{
    if (count < 0 || count > MAX_IOVEC) {
        errno = EINVAL;
        return false;
    }
    memcpy(copy, iov, (size_t)count * sizeof *iov);
    *msg = (struct msghdr){.msg_iov = copy, .msg_iovlen = (size_t)count};
    return true;
}

static ssize_t on_readv(void *ud, int fd, const struct iovec *iov, int count)
{
    struct iovec copy[MAX_IOVEC];
    struct msghdr msg;
    return message_of(&msg, copy, iov, count) ? on_recvmsg(ud, fd, &msg, 0) : -1;
}

static ssize_t on_recvfrom(void *ud, int fd, void *data, size_t n, int flags, struct sockaddr *addr,
                           socklen_t *len)
{
    (void)addr; /* TCP tells no address here */
    struct iovec iov = {.iov_base = data, .iov_len = n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t result = on_recvmsg(ud, fd, &msg, flags);
    if (result >= 0 && len) {
        *len = 0;
    }
    return result;
}

static ssize_t on_recv(void *ud, int fd, void *data, size_t n, int flags)
{
    return on_recvfrom(ud, fd, data, n, flags, NULL, NULL);
}

static ssize_t on_read(void *ud, int fd, void *data, size_t n)
{
    return on_recvfrom(ud, fd, data, n, 0, NULL, NULL);
}

static ssize_t on_sendmsg(void *ud, int fd, const struct msghdr *msg, int flags)
{
    struct adapter *a = enter(ud);
    return leave(a, msg ? send_message(a, fd, msg, flags) : -EFAULT);
}

static ssize_t on_writev(void *ud, int fd, const struct iovec *iov, int count)
{
    struct iovec copy[MAX_IOVEC];
    struct msghdr msg;
    return message_of(&msg, copy, iov, count) ? on_sendmsg(ud, fd, &msg, 0) : -1;
}

static ssize_t on_sendto(void *ud, int fd, const void *data, size_t n, int flags,
                         const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_storage to;
    socklen_t most = len < sizeof to ? len : (socklen_t)sizeof to;
    uint8_t *octets = NULL;
    memcpy(&octets, &data, sizeof octets); /* sendmsg reads it only */
    struct iovec iov = {.iov_base = octets, .iov_len = n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (addr && most) {
        memcpy(&to, addr, most);
        msg.msg_name = &to;
        msg.msg_namelen = most;
    }
    return on_sendmsg(ud, fd, &msg, flags);
}

static ssize_t on_send(void *ud, int fd, const void *data, size_t n, int flags)
{
    return on_sendto(ud, fd, data, n, flags, NULL, 0);
}

static ssize_t on_write(void *ud, int fd, const void *data, size_t n)
{
    return on_sendto(ud, fd, data, n, 0, NULL, 0);
}

/* Options ---------------------------------------------------------------------------------------*/

static int on_fcntl(void *ud, int fd, int cmd, ...)
{
    va_list args;
    va_start(args, cmd);
    int arg = va_arg(args, int);
    va_end(args);
    ON_SOCKET(ud, fd, option_fcntl(s, cmd, arg));
}

static int on_ioctl(void *ud, int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    int *value = va_arg(args, int *);
    va_end(args);
    ON_SOCKET(ud, fd, option_ioctl(a, s, request, value));
}

static int on_getsockopt(void *ud, int fd, int level, int name, void *value, socklen_t *len)
{
    ON_SOCKET(ud, fd, option_get(a, s, level, name, value, len));
}

static int on_setsockopt(void *ud, int fd, int level, int name, const void *value, socklen_t len)
{
    ON_SOCKET(ud, fd, option_set(a, s, level, name, value, len));
}

/* Waiting ---------------------------------------------------------------------------------------*/

static int on_poll(void *ud, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct adapter *a = enter(ud);
    return (int)leave(a, poll_wait(a, fds, n, timeout_ms));
}

static int on_epoll_create(void *ud, int size)
{
    struct adapter *a = enter(ud);
    int fd = size > 0 ? fd_new(a, KIND_EPOLL) : -EINVAL;
    if (fd >= 0) {
        fd_entry(a, fd)->epoll = epoll_new();
    }
    return (int)leave(a, fd);
}

static int on_epoll_ctl(void *ud, int epfd, int op, int fd, struct epoll_event *event)
{
    struct adapter *a = enter(ud);
    return (int)leave(a, epoll_control(a, epfd, op, fd, event));
}

static int on_epoll_wait(void *ud, int epfd, struct epoll_event *events, int most, int timeout_ms)
{
    struct adapter *a = enter(ud);
    return (int)leave(a, epoll_events(a, epfd, events, most, timeout_ms));
}

static int on_pipe(void *ud, int fds[2])
{
    (void)ud;
    return pipe(fds);
}

static int on_splice(void *ud, int in, loff_t *in_at, int out, loff_t *out_at, size_t n,
                     unsigned int flags)
{
    struct adapter *a = enter(ud);
    return (int)leave(a, pipe_splice(a, in, in_at, out, out_at, n, flags));
}

/* Packets and time ------------------------------------------------------------------------------*/

static int on_netdev_send(void *ud, const void *packet, size_t n)
{
    struct adapter *a = enter(ud);
    clock_settle(a);
    network_input(a, packet, n);
    network_pump(a);
    clock_settle(a);
    return (int)leave(a, 0);
}

/* With nothing there, time passes until there is; nothing, ever: no octets, which packetdrill takes
 * for a packet that is too short. */
static int on_netdev_receive(void *ud, void *packet, size_t *n, long long *time_us)
{
    enum { STEPS_MAX = 100000 };
    struct adapter *a = enter(ud);
    struct packet *p = network_take(a);
    for (int i = 0; p == NULL && i < STEPS_MAX && clock_step(a, NEVER); i++) {
        p = network_take(a);
    }
    if (p && p->len <= *n) {
        memcpy(packet, p->octets, p->len);
        *n = p->len;
        *time_us = EPOCH_S * 1000000LL + p->time_ns / NS_PER_US;
    } else {
        *n = 0;
        *time_us = EPOCH_S * 1000000LL + a->now_ns / NS_PER_US;
    }
    free(p);
    return (int)leave(a, 0);
}

static int on_usleep(void *ud, useconds_t us)
{
    struct adapter *a = enter(ud);
    clock_settle(a);
    clock_let_other_go_on(a);
    clock_advance(a, a->now_ns + us * NS_PER_US);
    clock_let_other_go_on(a);
    return (int)leave(a, 0);
}

/* A microsecond passes, so that who looks at the clock again and again sees it move. */
static int on_gettimeofday(void *ud, struct timeval *tv, struct timezone *tz)
{
    (void)tz;
    struct adapter *a = ud;
    pthread_mutex_lock(&a->lock);
    if (!clock_is_main(a)) {
        a->other_ended = a->other_busy; /* its call, at this moment */
        a->other_busy = false;
        pthread_cond_signal(&a->main_wakes);
    }
    clock_advance(a, a->now_ns + NS_PER_US);
    tv->tv_sec = EPOCH_S + a->now_ns / (1000 * NS_PER_MS);
    tv->tv_usec = a->now_ns % (1000 * NS_PER_MS) / NS_PER_US;
    pthread_mutex_unlock(&a->lock);
    return 0;
}

EXPORTED void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface)
{
    struct adapter *a = &the_adapter;
    clock_begin(a);
    if (network_begin(a, flags) < 0) {
        fprintf(stderr,
                "packetdrill adapter: cannot use the flags \"%s\": mtu=N mtu4=N mtu6=N "
                "local=IP local6=IP, separated by commas\n",
                flags);
        exit(2);
    }
    *interface = (struct packetdrill_interface){
        .userdata = a,
        .free = on_free,
        .socket = on_socket,
        .bind = on_bind,
        .listen = on_listen,
        .accept = on_accept,
        .connect = on_connect,
        .read = on_read,
        .readv = on_readv,
        .recv = on_recv,
        .recvfrom = on_recvfrom,
        .recvmsg = on_recvmsg,
        .write = on_write,
        .writev = on_writev,
        .send = on_send,
        .sendto = on_sendto,
        .sendmsg = on_sendmsg,
        .fcntl = on_fcntl,
        .ioctl = on_ioctl,
        .close = on_close,
        .shutdown = on_shutdown,
        .getsockopt = on_getsockopt,
        .setsockopt = on_setsockopt,
        .poll = on_poll,
        .netdev_send = on_netdev_send,
        .netdev_receive = on_netdev_receive,
        .usleep = on_usleep,
        .gettimeofday = on_gettimeofday,
        .epoll_create = on_epoll_create,
        .epoll_ctl = on_epoll_ctl,
        .epoll_wait = on_epoll_wait,
        .pipe = on_pipe,
        .splice = on_splice,
    };
}

/* libc's ----------------------------------------------------------------------------------------*/

EXPORTED int close(int fd)
{
    return fd >= FD_FIRST && fd < FD_FIRST + FD_COUNT ? on_close(&the_adapter, fd)
                                                      : (int)syscall(SYS_close, fd);
}

EXPORTED int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
    if (fd >= FD_FIRST && fd < FD_FIRST + FD_COUNT && the_adapter.stack) {
        return on_getsockopt(&the_adapter, fd, level, name, value, len);
    }
    return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

EXPORTED ssize_t sendfile(int out, int in, off_t *at, size_t n)
{
    struct adapter *a = &the_adapter;
    if (out < FD_FIRST || out >= FD_FIRST + FD_COUNT || a->stack == NULL) {
        return syscall(SYS_sendfile, out, in, at, n);
    }
    enter(a);
    return leave(a, pipe_sendfile(a, out, in, at, n));
}
