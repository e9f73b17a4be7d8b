/* net_relay.c - pasta and slirp4netns as what serves the client's namespace: user-space TCP over a
 * TAP.  Both end the client's connection and make another to the server, over this namespace's
 * loopback:
 *
 *     the client's core           the server's core
 *       client -- hf1, a TAP -------> pasta or slirp4netns -- lo --> net_kernel.c
 *       10.77.0.1 or .100             as the gateway: 10.77.0.2
 */
#include "figures.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <handfast/host.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT = 64, READY_MS = 10000 };

static const struct net_relay *relay;

/* With what it needs and no more: a port that it forwarded would be one more loop to poll. */
static void run_pasta(const char *netns, const char *ready)
{
    execlp("pasta", "pasta", "-f", "-q", "-4", "--netns-only", "--runas", "0", "--config-net", "-I",
           "hf1", "-a", NET_CLIENT_IP, "-n", "24", "-g", NET_SERVER_IP, "-m", relay->mtu, "-t",
           "none", "-u", "none", "-T", "none", "-U", "none", "-P", ready, "--netns", netns,
           (char *)NULL);
}

/* Its gateway is the second address. */
static void run_slirp4netns(const char *netns, const char *ready)
{
    execlp("slirp4netns", "slirp4netns", "-c", "-m", relay->mtu, "--cidr=10.77.0.0/24", "-r",
           strrchr(ready, '/') + 1, "--netns-type=path", netns, "hf1", (char *)NULL);
}

static void run(int netns, int ready)
{
    char netns_path[TEXT], ready_path[TEXT];
    int nowhere = open("/dev/null", O_RDWR);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        dup2(nowhere, fd);
    }
    snprintf(netns_path, sizeof netns_path, "/proc/self/fd/%d", netns);
    snprintf(ready_path, sizeof ready_path, "/proc/self/fd/%d", ready);
    signal(SIGPIPE, SIG_DFL); /* pasta takes an ignored one for an error */
    fcntl(netns, F_SETFD, 0);
    fcntl(ready, F_SETFD, 0);
    if (!strcmp(relay->program, "pasta")) {
        run_pasta(netns_path, ready_path);
    } else {
        run_slirp4netns(netns_path, ready_path);
    }
    _exit(127);
}

/* It ends when the contender does, which alone holds the other end of `alive`: pasta changes its
 * user, which makes it forget whose death it should hear of (prctl(2), PR_SET_PDEATHSIG). */
static void watch_over(int netns, int ready, int alive)
{
    char octet;
    pid_t pid = fork();
    if (pid == 0) {
        run(netns, ready);
    }
    close(ready);
    while (pid > 0 && read(alive, &octet, 1) < 0 && errno == EINTR) {
    }
    if (pid > 0) {
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
    }
    _exit(0);
}

static bool start(int netns)
{
    int ready[2], alive[2];
    char octet;
    bench_must(pipe2(ready, O_CLOEXEC), "pipe2");
    bench_must(pipe2(alive, O_CLOEXEC), "pipe2");
    pid_t pid = fork();
    bench_must(pid, "fork");
    if (pid == 0) {
        close(ready[0]);
        close(alive[1]);
        watch_over(netns, ready[1], alive[0]);
    }
    close(ready[1]);
    close(alive[0]);
    struct pollfd news = {.fd = ready[0], .events = POLLIN};
    bool said = poll(&news, 1, READY_MS) == 1 && read(ready[0], &octet, 1) == 1;
    close(ready[0]);
    return said;
}

static bool join(pid_t client)
{
    char path[TEXT];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)client);
    int netns = open(path, O_RDONLY | O_CLOEXEC);
    bool ready = netns >= 0 && start(netns);
    close(netns);
    if (!ready) {
        bench_note(relay->program,
                   "it does not start: it needs root, and apt install slirp4netns passt");
    }
    return ready;
}

/* pasta wants to know which interface leads outside; nothing goes there. */
static bool outside(void)
{
    return hf_kernel_address("lo", NULL, NULL) == 0 &&
           system("ip link add hf0 type veth && ip addr add 10.78.0.1/24 dev hf0 && "
                  "ip link set hf0 up && ip route add default via 10.78.0.2 dev hf0") == 0;
}

bool net_relay_open(const void *arg)
{
    relay = arg;
    if (!net_own()) {
        return false;
    }
    if (!outside()) {
        bench_note("veth", "it needs root, and the command `ip`");
        return false;
    }
    net_kernel_listen(relay->job);
    return net_client(relay->job, join);
}
