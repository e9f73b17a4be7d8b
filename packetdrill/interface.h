/* interface.h - the interface that packetdrill calls in a shared object (--so_filename).
 *
 * Our own declaration, from the interface's description in doc/packetdrill.md: one pointer and 32
 * functions in this order.  Each function gets the pointer first; results and errno are POSIX's.
 */
#ifndef PACKETDRILL_INTERFACE_H
#define PACKETDRILL_INTERFACE_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

struct packetdrill_interface {
    void *userdata;
    void (*free)(void *ud);
    int (*socket)(void *ud, int domain, int type, int protocol);
    int (*bind)(void *ud, int fd, const struct sockaddr *addr, socklen_t len);
    int (*listen)(void *ud, int fd, int backlog);
    int (*accept)(void *ud, int fd, struct sockaddr *addr, socklen_t *len);
    int (*connect)(void *ud, int fd, const struct sockaddr *addr, socklen_t len);
    ssize_t (*read)(void *ud, int fd, void *data, size_t n);
    ssize_t (*readv)(void *ud, int fd, const struct iovec *iov, int count);
    ssize_t (*recv)(void *ud, int fd, void *data, size_t n, int flags);
    ssize_t (*recvfrom)(void *ud, int fd, void *data, size_t n, int flags, struct sockaddr *addr,
                        socklen_t *len);
    ssize_t (*recvmsg)(void *ud, int fd, struct msghdr *msg, int flags);
    ssize_t (*write)(void *ud, int fd, const void *data, size_t n);
    ssize_t (*writev)(void *ud, int fd, const struct iovec *iov, int count);
    ssize_t (*send)(void *ud, int fd, const void *data, size_t n, int flags);
    ssize_t (*sendto)(void *ud, int fd, const void *data, size_t n, int flags,
                      const struct sockaddr *addr, socklen_t len);
    ssize_t (*sendmsg)(void *ud, int fd, const struct msghdr *msg, int flags);
    int (*fcntl)(void *ud, int fd, int cmd, ...);
    int (*ioctl)(void *ud, int fd, unsigned long request, ...);
    int (*close)(void *ud, int fd);
    int (*shutdown)(void *ud, int fd, int how);
    int (*getsockopt)(void *ud, int fd, int level, int name, void *value, socklen_t *len);
    int (*setsockopt)(void *ud, int fd, int level, int name, const void *value, socklen_t len);
    int (*poll)(void *ud, struct pollfd *fds, nfds_t n, int timeout_ms);
    /* One IP packet into the stack. */
    int (*netdev_send)(void *ud, const void *packet, size_t n);
    /* The next one out of it: *n is the room, then the octets, 0: none will come. */
    int (*netdev_receive)(void *ud, void *packet, size_t *n, long long *time_us);
    int (*usleep)(void *ud, useconds_t us);
    int (*gettimeofday)(void *ud, struct timeval *tv, struct timezone *tz);
    int (*epoll_create)(void *ud, int size);
    int (*epoll_ctl)(void *ud, int epfd, int op, int fd, struct epoll_event *event);
    int (*epoll_wait)(void *ud, int epfd, struct epoll_event *events, int most, int timeout_ms);
    int (*pipe)(void *ud, int fds[2]);
    int (*splice)(void *ud, int in, loff_t *in_at, int out, loff_t *out_at, size_t n,
                  unsigned int flags);
};
_Static_assert(sizeof(struct packetdrill_interface) == 33 * sizeof(void *), "one and 32 pointers");

/* The one name that the shared object exports for packetdrill. */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface);

#endif
