/* lab.c - two network namespaces, a TAP in each, the relay between them and the sink behind. */
#include "recovery.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE = 20000, CHUNK = 1 << 18 };

int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void die(const char *what)
{
    fprintf(stderr, "recovery: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static void write_file(const char *path, const char *text, bool must)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if ((fd < 0 || write(fd, text, strlen(text)) < 0) && must) {
        die(path);
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* A new network namespace, which this process is in from now on. */
static int new_namespace(void)
{
    if (unshare(CLONE_NEWNET) != 0) {
        die("a network namespace (root is needed)");
    }
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        die("/proc/self/ns/net");
    }
    return fd;
}

void lab_enter(int ns)
{
    if (setns(ns, CLONE_NEWNET) != 0) {
        die("setns");
    }
}

static void link_up(int s, struct ifreq *ifr)
{
    if (ioctl(s, SIOCGIFFLAGS, ifr) != 0) {
        die(ifr->ifr_name);
    }
    ifr->ifr_flags |= IFF_UP;
    if (ioctl(s, SIOCSIFFLAGS, ifr) != 0) {
        die(ifr->ifr_name);
    }
}

/* No IFF_VNET_HDR, no offloads: frames of the wire's size with their checksums.  A long queue, so
 * that only the relay loses anything. */
static int open_tap(const char *name, const char *address)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) != 0) {
        die("a TAP device (/dev/net/tun)");
    }
    write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1", false);
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifr.ifr_qlen = QUEUE;
    if (s < 0 || ioctl(s, SIOCSIFTXQLEN, &ifr) != 0) {
        die("the TAP's queue");
    }
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&ifr.ifr_addr;
    *in = (struct sockaddr_in){.sin_family = AF_INET};
    inet_pton(AF_INET, address, &in->sin_addr);
    if (ioctl(s, SIOCSIFADDR, &ifr) != 0) {
        die(address);
    }
    inet_pton(AF_INET, "255.255.255.0", &in->sin_addr);
    if (ioctl(s, SIOCSIFNETMASK, &ifr) != 0) {
        die(address);
    }
    link_up(s, &ifr);
    close(s);
    return fd;
}

/* Buffers are no limit on either side, and nothing is remembered from one run to the next. */
static void set_buffers(void)
{
    write_file("/proc/sys/net/ipv4/tcp_rmem", "4096 1048576 67108864", true);
    write_file("/proc/sys/net/ipv4/tcp_wmem", "4096 262144 67108864", true);
    write_file("/proc/sys/net/ipv4/tcp_no_metrics_save", "1", true);
}

static void sink_run(int listener, struct shared *shared)
{
    static uint8_t chunk[CHUNK];
    int s = accept(listener, NULL, NULL);
    if (s < 0) {
        die("sink: accept");
    }
    ssize_t n;
    while ((n = read(s, chunk, sizeof chunk)) > 0) {
        shared->received += (uint64_t)n;
    }
    pause();
    _exit(0);
}

static int listen_here(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(RECOVERY_PORT)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&any, sizeof any) != 0 || listen(s, 1) != 0) {
        die("sink: listen");
    }
    return s;
}

void lab_open(struct lab *lab, const struct options *options)
{
    struct path_how how[2];
    case_path(options, how);
    lab->shared =
        mmap(NULL, sizeof *lab->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (lab->shared == MAP_FAILED) {
        die("memory");
    }
    lab->a = new_namespace();
    lab->tap_a = open_tap("wire-a", RECOVERY_KERNEL);
    set_buffers();
    lab->b = new_namespace();
    lab->tap_b = open_tap("wire-b", RECOVERY_SINK);
    set_buffers();
    int listener = listen_here();
    fflush(NULL);
    lab->sink = fork();
    if (lab->sink == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sink_run(listener, lab->shared);
    }
    lab->relay = fork();
    if (lab->relay == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        relay_run(lab->tap_a, lab->tap_b, how, lab->shared);
    }
    close(listener);
    close(lab->tap_a);
    close(lab->tap_b);
    lab_enter(lab->a);
}

void lab_close(struct lab *lab)
{
    kill(lab->relay, SIGKILL);
    kill(lab->sink, SIGKILL);
    waitpid(lab->relay, NULL, 0);
    waitpid(lab->sink, NULL, 0);
}
