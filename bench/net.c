/* net.c - namespaces(7) and a process for the client; how a round begins and ends. */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <handfast/host.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int client = -1; /* the way to it */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* Nothing is left over from one connection that stands in the way of the next: a client's TIME-WAIT
 * would, of these ports. */
static bool settings(void)
{
    return write_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0") &&
           write_file("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000");
}

static bool new_namespace(void)
{
    char map[2][32];
    snprintf(map[0], sizeof map[0], "0 %u 1", geteuid());
    snprintf(map[1], sizeof map[1], "0 %u 1", getegid());
    if (unshare(CLONE_NEWNET) == 0) {
        return settings();
    }
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
           write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", map[0]) &&
           write_file("/proc/self/gid_map", map[1]) && settings();
}

bool net_own(void)
{
    if (!new_namespace()) {
        bench_note("a network namespace", strerror(errno));
        return false;
    }
    return true;
}

int net_tun(void)
{
    struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "hf0"};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) != 0 ||
        hf_kernel_address("hf0", NET_CLIENT_IP "/24", NULL) < 0) {
        bench_note("a TUN", strerror(errno));
        return -1;
    }
    return fd;
}

/* In the client's process ---------------------------------------------------------------------- */

static bool say(int fd, char what)
{
    return write(fd, &what, 1) == 1;
}

static bool hear(int fd)
{
    char what;
    return read(fd, &what, 1) == 1;
}

static void be_client(enum net_job job, bool apart, int server, int core)
{
    bool ready = bench_leave_core();
    if (ready && apart) {
        ready = unshare(CLONE_NEWNET) == 0 && settings() && say(server, 'n') && hear(server) &&
                hf_kernel_address("hf1", NET_CLIENT_IP "/24", NULL) == 0;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!ready || !say(server, 'r')) {
        _exit(1);
    }
    while (hear(server)) {
        struct net_result result = net_work(job, core);
        if (write(server, &result, sizeof result) != sizeof result) {
            break;
        }
    }
    _exit(0);
}

/* Or in its thread ----------------------------------------------------------------------------- */

struct within {
    enum net_job job;
    struct net_result (*work)(enum net_job job, int server_core);
    int server, core;
};

static void *be_client_within(void *arg)
{
    const struct within *me = arg;
    bool goes_on = bench_leave_core();
    while (goes_on && hear(me->server)) {
        struct net_result result = me->work(me->job, me->core);
        goes_on = write(me->server, &result, sizeof result) == sizeof result;
    }
    close(me->server);
    return NULL;
}

bool net_client_within(enum net_job job, struct net_result (*work)(enum net_job, int))
{
    static struct within within;
    pthread_t thread;
    int ends[2];
    if (bench_cores() < 2) {
        bench_note("a client on another core", "it needs two cores");
        return false;
    }
    bench_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    client = ends[0];
    within = (struct within){job, work, ends[1], sched_getcpu()};
    bench_must(-pthread_create(&thread, NULL, be_client_within, &within), "a thread");
    return true;
}

/* In the server's ------------------------------------------------------------------------------ */

bool net_veth(pid_t pid)
{
    char command[128];
    snprintf(command, sizeof command,
             "ip link add hf0 type veth peer name hf1 netns %d && ip link set hf0 up", (int)pid);
    if (system(command) != 0 || hf_kernel_address("hf0", NET_SERVER_IP "/24", NULL) < 0) {
        bench_note("veth", "it needs root, and the command `ip`");
        return false;
    }
    return true;
}

bool net_client(enum net_job job, bool (*join)(pid_t client))
{
    int ends[2], core = sched_getcpu();
    bench_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    fflush(NULL);
    pid_t pid = fork();
    bench_must(pid, "fork");
    if (pid == 0) {
        close(ends[0]);
        be_client(job, join != NULL, ends[1], core);
    }
    close(ends[1]);
    client = ends[0];
    bench_note("a client on another core", "it needs two cores, and a namespace of its own");
    return (join == NULL || (hear(client) && join(pid) && say(client, 'g'))) && hear(client);
}

void net_cubic(int fd)
{
    bench_must(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5), "TCP_CONGESTION");
}

int net_begin(void)
{
    bench_must(say(client, 'b') ? 0 : -1, "the client is gone");
    return client;
}

double net_end(enum net_job job)
{
    struct net_result result;
    bench_must(read(client, &result, sizeof result) == sizeof result ? 0 : -1,
               "the client's result");
    bool bulk = job == NET_UP || job == NET_DOWN;
    bench_also(0, result.cpu_seconds * (bulk ? 1e12 : 1e6)); /* ms for a GB, us for each */
    bench_also(1, result.p50_us);
    bench_also(2, result.p99_us);
    return bulk ? result.per_second / 1e9 : result.per_second;
}
