/* net_gvisor.c - gVisor's TCP as the server over a TUN: the program of bench/gvisor, which
 * tools/bench puts beside this one where there is Go. */
#include "figures.h"
#include "net.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { PATH = 512 };

static enum net_job job;

/* Beside our own program. */
static bool find_server(char path[PATH])
{
    char own[PATH];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    own[n > 0 ? n : 0] = '\0';
    char *end = strrchr(own, '/');
    if (end) {
        *end = '\0';
    }
    return snprintf(path, PATH, "%s/bench-gvisor", own) < PATH && access(path, X_OK) == 0;
}

static void start_server(const char *path, int tun)
{
    static const char *const what[] = {"echo", "echo", "sink", "source"}; /* by job */
    char port[8], ports[8];
    snprintf(port, sizeof port, "%d", NET_PORT);
    snprintf(ports, sizeof ports, "%d", NET_PORTS);
    pid_t pid = fork();
    bench_must(pid, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(tun, 0);
        execl(path, path, NET_SERVER_IP, port, ports, what[job], (char *)NULL);
        _exit(127);
    }
    close(tun);
}

bool net_gvisor_open(const void *arg)
{
    char path[PATH];
    int tun;
    job = *(const enum net_job *)arg;
    if (!find_server(path)) {
        bench_note("no bench-gvisor beside this program",
                   "apt install golang-go golang-gvisor-gvisor-dev, and make bench");
        return false;
    }
    if (!net_own() || (tun = net_tun()) < 0) {
        return false;
    }
    start_server(path, tun);
    return net_client(job, NULL);
}

double net_gvisor_round(const void *arg)
{
    struct pollfd over = {.fd = net_begin(), .events = POLLIN};
    (void)arg;
    poll(&over, 1, -1);
    return net_end(job);
}
