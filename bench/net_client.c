/* net_client.c - the kernel's TCP as a client, the same whoever serves: one process on a core of
 * its own, epoll(7), and what it measures. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WARM_MS = 200, ROUND_MS = 1000, SAMPLES = 1 << 20, EVENTS = NET_AT_ONCE };

static uint32_t sample[SAMPLES]; /* ns that each took */

struct slot {
    int fd;
    bool asked;
    double begun;
};

/* What is counted, from the end of the warming up on. */
struct count {
    double begin, busy_begin, seconds, busy;
    double n;
    unsigned samples;
    bool counts;
};

static struct slot slots[NET_AT_ONCE];
static int epoll = -1, core;
static struct count count;

/* Seconds that the core has been idle: proc(5), in hundredths. */
static double idle_seconds(void)
{
    char line[512], name[16];
    unsigned long long idle = 0, iowait = 0, steal = 0;
    FILE *file = fopen("/proc/stat", "re");
    snprintf(name, sizeof name, "cpu%d ", core);
    while (file && fgets(line, sizeof line, file)) {
        if (!strncmp(line, name, strlen(name))) {
            sscanf(line + strlen(name), "%*u %*u %*u %llu %llu %*u %*u %llu", &idle, &iowait,
                   &steal);
        }
    }
    if (file) {
        fclose(file);
    }
    return (double)(idle + iowait + steal) / (double)sysconf(_SC_CLK_TCK);
}

static void begin_count(double n)
{
    count = (struct count){.begin = bench_seconds(), .n = -n, .counts = true};
    count.busy_begin = count.begin - idle_seconds();
}

static void end_count(double n)
{
    double now = bench_seconds();
    count.n += n;
    count.seconds = now - count.begin;
    count.busy = now - idle_seconds() - count.busy_begin;
    count.counts = false;
}

static void took(double seconds)
{
    if (count.counts) {
        count.n++;
        if (count.samples < SAMPLES) {
            sample[count.samples++] = (uint32_t)(seconds * 1e9);
        }
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static struct net_result result(void)
{
    double share = 1 / count.seconds;
    struct net_result got = {.per_second = count.n * share,
                             .cpu_seconds = count.n > 0 ? count.busy / count.n : 0};
    if (count.samples > 0) {
        uint64_t n = count.samples, middle = n / 2, late = n * 99 / 100;
        qsort(sample, n, sizeof sample[0], by_value);
        got.p50_us = sample[middle] / 1e3;
        got.p99_us = sample[late] / 1e3;
    }
    return got;
}

/* Connections ---------------------------------------------------------------------------------- */

static struct sockaddr_in next_server(void)
{
    static unsigned turn;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)(NET_PORT + turn++ % NET_PORTS))};
    inet_pton(AF_INET, NET_SERVER_IP, &to.sin_addr);
    return to;
}

static int connect_to_server(int flags)
{
    struct sockaddr_in to = next_server();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    bench_must(fd, "the client's socket");
    net_cubic(fd);
    int done = connect(fd, (struct sockaddr *)&to, sizeof to);
    bench_must(done == 0 || errno == EINPROGRESS ? 0 : -errno, "the client's connect");
    return fd;
}

static void watch(struct slot *slot, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = slot};
    bench_must(epoll_ctl(epoll, EPOLL_CTL_ADD, slot->fd, &event), "epoll_ctl");
}

static void ask(struct slot *slot)
{
    static const char question[NET_ASKED] = "?";
    bench_must(send(slot->fd, question, NET_ASKED, 0) == NET_ASKED ? 0 : -errno, "a question");
    slot->asked = true;
}

/* false: not yet. */
static bool answered(struct slot *slot)
{
    char answer[NET_ASKED];
    ssize_t n = recv(slot->fd, answer, NET_ASKED, 0);
    bench_must(n == NET_ASKED || (n < 0 && errno == EAGAIN) ? 0 : -1, "an answer");
    return n == NET_ASKED;
}

static void open_slot(struct slot *slot)
{
    *slot = (struct slot){.begun = bench_seconds()};
    slot->fd = connect_to_server(SOCK_NONBLOCK);
    watch(slot, EPOLLIN | EPOLLOUT);
}

/* Connect, ask, get the answer, close: false: this slot is done. */
static bool crr_event(struct slot *slot, uint32_t events, bool more)
{
    bench_must(events & EPOLLERR ? -1 : 0, "a connection of the client");
    if (!slot->asked && (events & EPOLLOUT)) {
        ask(slot);
    }
    if (slot->asked && (events & EPOLLIN) && answered(slot)) {
        took(bench_seconds() - slot->begun);
        close(slot->fd);
        if (!more) {
            return false;
        }
        open_slot(slot);
    }
    return true;
}

static bool rr_event(struct slot *slot, uint32_t events, bool more)
{
    bench_must(events & EPOLLERR ? -1 : 0, "a connection of the client");
    if (!answered(slot)) {
        return true;
    }
    double now = bench_seconds();
    took(now - slot->begun);
    if (!more) {
        close(slot->fd);
        return false;
    }
    slot->begun = now;
    ask(slot);
    return true;
}

static void open_all(enum net_job job)
{
    for (unsigned i = 0; i < NET_AT_ONCE; i++) {
        if (job == NET_CRR) {
            open_slot(&slots[i]);
            continue;
        }
        slots[i] = (struct slot){.fd = connect_to_server(0), .begun = bench_seconds()};
        watch(&slots[i], EPOLLIN);
        ask(&slots[i]);
    }
}

static void questions(enum net_job job)
{
    struct epoll_event events[EVENTS];
    epoll = epoll_create1(EPOLL_CLOEXEC);
    bench_must(epoll, "epoll_create1");
    double begin = bench_seconds();
    unsigned open = NET_AT_ONCE;
    open_all(job);
    for (bool warm = false, more = true; open > 0;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            bool goes_on = job == NET_CRR ? crr_event(events[i].data.ptr, events[i].events, more)
                                          : rr_event(events[i].data.ptr, events[i].events, more);
            open -= goes_on ? 0 : 1;
        }
        double passed = (bench_seconds() - begin) * 1000;
        if (!warm && passed > WARM_MS) {
            warm = true;
            begin_count(0);
        } else if (more && passed > WARM_MS + ROUND_MS) {
            more = false;
            end_count(0);
        }
    }
    close(epoll);
}

/* Bulk ----------------------------------------------------------------------------------------- */

struct net_result net_bulk(const struct net_mover *mover, int server_core)
{
    double begin = bench_seconds(), moved = 0;
    core = server_core;
    for (bool warm = false;;) {
        moved += mover->move(mover->arg);
        double passed = (bench_seconds() - begin) * 1000;
        if (!warm && passed > WARM_MS) {
            warm = true;
            begin_count(moved - mover->queued(mover->arg));
        } else if (passed > WARM_MS + ROUND_MS) {
            break;
        }
    }
    end_count(moved - mover->queued(mover->arg));
    return result();
}

struct bulk {
    enum net_job job;
    int fd;
};

static double move(void *arg)
{
    static char chunk[NET_CHUNK];
    const struct bulk *bulk = arg;
    ssize_t n =
        bulk->job == NET_UP ? write(bulk->fd, chunk, NET_CHUNK) : read(bulk->fd, chunk, NET_CHUNK);
    bench_must(n > 0 ? 0 : -1, "the client's bulk");
    return (double)n;
}

/* What the server has not acknowledged. */
static double queued(void *arg)
{
    const struct bulk *bulk = arg;
    int octets = 0;
    if (bulk->job == NET_UP) {
        bench_must(ioctl(bulk->fd, SIOCOUTQ, &octets), "SIOCOUTQ");
    }
    return octets;
}

struct net_result net_work(enum net_job job, int server_core)
{
    core = server_core;
    if (job == NET_UP || job == NET_DOWN) {
        struct bulk bulk = {job, connect_to_server(0)};
        struct net_result got = net_bulk(&(struct net_mover){move, queued, &bulk}, core);
        close(bulk.fd);
        return got;
    }
    questions(job);
    return result();
}
