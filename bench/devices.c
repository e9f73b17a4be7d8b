/* devices.c - Handfast over each device that it has: the kernel's client beyond it, on the other
 * core, or, at the other end of a cable in memory, another stack of ours.
 */
#include "devices.h"
#include "figures.h"

#include <handfast/host.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIMEOUT_MS = 5000 };

static struct hf_device *other_end;

bool device_has_offloads(enum device_kind kind)
{
    return kind == DEVICE_TUN || kind == DEVICE_PACKET || kind == DEVICE_PAIR;
}

static bool on_ethernet(enum device_kind kind)
{
    return kind == DEVICE_PACKET || kind == DEVICE_XDP_NATIVE || kind == DEVICE_XDP_GENERIC;
}

static bool run(const char *command)
{
    bool done = system(command) == 0;
    if (!done) {
        bench_note("veth", "it needs root, and the commands `ip`, `ethtool` and `nsenter`");
    }
    return done;
}

/* One queue: AF_XDP is bound to one. */
bool device_cable(enum device_kind kind, pid_t there)
{
    char command[256];
    int process = there > 0 ? (int)there : (int)getpid();
    if (!on_ethernet(kind)) {
        return true;
    }
    snprintf(command, sizeof command,
             "ip link add hf0 numrxqueues 1 numtxqueues 1 type veth peer name hf1 numrxqueues 1 "
             "numtxqueues 1 netns %d && ip link set hf0 up",
             process);
    if (!run(command)) {
        return false;
    }
    snprintf(command, sizeof command, "nsenter -t %d -n ethtool -K hf1 tx off >/dev/null", process);
    return kind == DEVICE_PACKET || run(command);
}

static int open_device(enum device_kind kind, struct hf_device **device, char error[HF_ERROR_TEXT])
{
    switch (kind) {
    case DEVICE_TUN:
        return hf_device_tun(device, "hf0", 0, error);
    case DEVICE_TUN_PLAIN:
        return hf_device_tun(device, "hf0", HF_DEVICE_NO_OFFLOAD, error);
    case DEVICE_PACKET:
        return hf_device_packet(device, "hf0", NULL, 0, error);
    case DEVICE_XDP_NATIVE:
        return hf_device_xdp(device, "hf0", 0, NULL, HF_DEVICE_XDP_NATIVE, error);
    default:
        return hf_device_xdp(device, "hf0", 0, NULL, HF_DEVICE_XDP_GENERIC, error);
    }
}

struct hf_device *device_new(enum device_kind kind, struct hf_device **other)
{
    char error[HF_ERROR_TEXT] = "";
    struct hf_device *ends[2] = {NULL, NULL};
    int err = kind == DEVICE_PAIR ? hf_device_pair(ends, NULL, error)
                                  : open_device(kind, &ends[0], error);
    if (err == 0 && (kind == DEVICE_TUN || kind == DEVICE_TUN_PLAIN)) {
        err = hf_kernel_address("hf0", NET_CLIENT_IP "/24", error);
    }
    if (err < 0) {
        bench_note("the device", error);
        return NULL;
    }
    *other = ends[1];
    return ends[0];
}

/* A stack of ours as the client --------------------------------------------------------------- */

struct moved {
    struct hf_host *host;
    hf_handle connection;
    enum net_job job;
};

static double move(void *arg)
{
    static char chunk[NET_CHUNK];
    const struct moved *at = arg;
    ssize_t n = at->job == NET_UP
                    ? hf_host_send_some(at->host, at->connection, chunk, NET_CHUNK, TIMEOUT_MS)
                    : hf_host_recv(at->host, at->connection, chunk, NET_CHUNK, TIMEOUT_MS);
    bench_must(n, "the client's bulk");
    return (double)n;
}

static double queued(void *arg)
{
    (void)arg; /* the same at both moments, as near as makes no difference */
    return 0;
}

/* The host belongs to this thread. */
static struct net_result work_within(enum net_job job, int server_core)
{
    static struct moved at;
    char port[8];
    snprintf(port, sizeof port, "%d", NET_PORT);
    if (at.host == NULL) {
        at.job = job;
        bench_must(hf_host_new(&at.host, NULL), "hf_host_new");
        int iface = hf_host_attach(at.host, other_end);
        bench_must(iface, "hf_host_attach");
        bench_must(hf_host_address(at.host, iface, NET_CLIENT_IP "/24"), "hf_host_address");
    }
    bench_must(hf_host_connect(at.host, NET_SERVER_IP, port, TIMEOUT_MS, &at.connection),
               "hf_host_connect");
    struct net_result got = net_bulk(&(struct net_mover){move, queued, &at}, server_core);
    hf_host_abort(at.host, at.connection);
    hf_host_release(at.host, at.connection);
    return got;
}

/* Handfast as the server ----------------------------------------------------------------------- */

static bool lay_plain_cable(pid_t client)
{
    return device_cable(DEVICE_XDP_NATIVE, client);
}

static bool lay_packet_cable(pid_t client)
{
    return device_cable(DEVICE_PACKET, client);
}

bool device_open(const void *arg)
{
    const struct device_setup *setup = arg;
    bool apart = on_ethernet(setup->kind);
    if (!net_own()) {
        return false;
    }
    if (apart && !net_client(setup->job,
                             setup->kind == DEVICE_PACKET ? lay_packet_cable : lay_plain_cable)) {
        return false;
    }
    struct hf_device *device = device_new(setup->kind, &other_end);
    if (device == NULL || !net_handfast_listen(device, setup->job)) {
        return false;
    }
    if (setup->kind == DEVICE_PAIR) {
        return net_client_within(setup->job, work_within);
    }
    return apart || net_client(setup->job, NULL);
}

double device_round(const void *arg)
{
    const struct device_setup *setup = arg;
    struct net_carried before = net_handfast_carried();
    double own = bench_thread_seconds();
    double rate = tun_round(&setup->job); /* GB/s */
    own = bench_thread_seconds() - own;
    struct net_carried after = net_handfast_carried();
    double octets = after.octets - before.octets, each = octets / (after.frames - before.frames);
    bench_also(0, own / octets * 1e12);
    bench_also(1, rate * 1e9 / each);
    bench_also(2, each);
    return rate;
}
