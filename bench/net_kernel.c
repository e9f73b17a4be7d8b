/* net_kernel.c - the kernel's TCP as the server, over veth with all offloads: epoll(7). */
#include "figures.h"
#include "net.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64, BACKLOG = 256, DESCRIPTORS = 1024 };

static int epoll;
static bool listens[DESCRIPTORS]; /* by descriptor */
static enum net_job job;
static char chunk[NET_CHUNK];

static void watch(int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    bench_must(fd < DESCRIPTORS ? epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) : -1, "epoll_ctl");
}

void net_kernel_listen(enum net_job wanted)
{
    job = wanted;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < NET_PORTS; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)(NET_PORT + i))};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        bench_must(fd, "socket");
        net_cubic(fd);
        bench_must(bind(fd, (struct sockaddr *)&at, sizeof at), "bind");
        bench_must(listen(fd, BACKLOG), "listen");
        watch(fd, EPOLLIN);
        listens[fd] = true;
    }
}

bool net_kernel_open(const void *arg)
{
    const enum net_job *wanted = arg;
    if (!net_own() || !net_client(*wanted, net_veth)) {
        return false;
    }
    net_kernel_listen(*wanted);
    return true;
}

static void accept_all(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        watch(fd, job == NET_DOWN ? EPOLLIN | EPOLLOUT | EPOLLET : EPOLLIN);
    }
}

/* false: the connection is at its end. */
static bool serve(int fd)
{
    ssize_t n;
    if (job == NET_DOWN) {
        while (send(fd, chunk, NET_CHUNK, MSG_NOSIGNAL) > 0) {
        }
        return errno == EAGAIN;
    }
    n = recv(fd, chunk, NET_CHUNK, 0);
    if (n > 0 && job != NET_UP) {
        bench_must(send(fd, chunk, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1, "send");
    }
    return n > 0 || (n < 0 && errno == EAGAIN);
}

double net_kernel_round(const void *arg)
{
    struct epoll_event events[EVENTS];
    int over = net_begin();
    (void)arg;
    watch(over, EPOLLIN);
    for (bool done = false; !done;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == over) {
                done = true;
            } else if (listens[fd]) {
                accept_all(fd);
            } else if (!serve(fd)) {
                close(fd);
            }
        }
    }
    epoll_ctl(epoll, EPOLL_CTL_DEL, over, NULL);
    return net_end(job);
}
