/* tun.c - Handfast as a server over a TUN with the virtio-net header: a host's loop, as any program
 * on it has. */
#include "figures.h"
#include "net.h"

#include <handfast/host.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 4096, EVENTS = 64, BACKLOG = 256 };

static struct hf_host *host;
static struct hf_stack *stack;
static hf_handle listener;
static enum net_job job;
static bool over;
static double octets; /* of bulk */
static char chunk[NET_CHUNK];

bool net_handfast_listen(struct hf_device *device, enum net_job wanted)
{
    struct hf_config config;
    struct hf_host_options options = {.struct_size = sizeof options, .config = &config};
    struct hf_listen ports = {.struct_size = sizeof ports,
                              .local = {.port = NET_PORT},
                              .port_last = NET_PORT + NET_PORTS - 1,
                              .backlog = BACKLOG};
    job = wanted;
    hf_config_default(&config, CONNECTIONS);
    bench_must(hf_host_new(&host, &options), "hf_host_new");
    stack = hf_host_stack(host);
    int iface = hf_host_attach(host, device);
    bench_must(iface, "hf_host_attach");
    bench_must(hf_host_address(host, iface, NET_SERVER_IP "/24"), "hf_host_address");
    bench_must(hf_listen(stack, hf_host_env(host), &ports, &listener), "hf_listen");
    return true;
}

bool tun_open(const void *arg)
{
    char error[HF_ERROR_TEXT] = "";
    const enum net_job *wanted = arg;
    struct hf_device *device;
    if (!net_own()) {
        return false;
    }
    if (hf_device_tun(&device, "hf0", 0, error) < 0 ||
        hf_kernel_address("hf0", NET_CLIENT_IP "/24", error) < 0) {
        bench_note("a TUN", error);
        return false;
    }
    return net_handfast_listen(device, *wanted) && net_client(*wanted, NULL);
}

struct net_carried net_handfast_carried(void)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(stack, &counters);
    return (struct net_carried){
        octets, (double)(job == NET_DOWN ? counters.frames_out : counters.frames_in)};
}

/* What the job wants of a connection; a negative enum hf_error or 0: it is at its end. */
static int64_t serve(const struct hf_env *env, hf_handle c)
{
    int64_t n;
    if (job == NET_DOWN) {
        while ((n = hf_send(stack, env, c, chunk, NET_CHUNK, 0)) > 0) {
            octets += (double)n;
        }
        return n;
    }
    while ((n = hf_recv(stack, env, c, chunk, NET_CHUNK)) > 0) {
        octets += (double)n;
        if (job != NET_UP) {
            bench_must(hf_send(stack, env, c, chunk, (uint64_t)n, 0), "hf_send");
            return HF_ERR_WOULD_BLOCK; /* nothing comes before the client has the answer */
        }
    }
    return n;
}

static void serve_or_end(const struct hf_env *env, hf_handle c)
{
    if (serve(env, c) != HF_ERR_WOULD_BLOCK) {
        hf_release(stack, env, c);
    }
}

static void serve_all(void)
{
    struct hf_event events[EVENTS];
    const struct hf_env *env = hf_host_env(host);
    uint32_t n;
    while ((n = hf_events(stack, env, events, EVENTS)) > 0) {
        for (uint32_t i = 0; i < n; i++) {
            hf_handle c = events[i].handle;
            if (c != listener) {
                serve_or_end(env, c);
                continue;
            }
            while (hf_accept(stack, env, listener, &c, NULL) == HF_OK) {
                serve_or_end(env, c);
            }
        }
    }
}

static void client_is_done(struct hf_host *unused, void *arg, int fd, int revents)
{
    (void)unused;
    (void)arg;
    (void)fd;
    (void)revents;
    over = true;
}

double tun_round(const void *arg)
{
    (void)arg;
    over = false;
    int fd = net_begin();
    bench_must(hf_host_watch(host, fd, POLLIN, client_is_done, NULL), "hf_host_watch");
    while (!over) {
        bench_must(hf_host_run_once(host, -1), "hf_host_run_once");
        serve_all();
    }
    hf_host_unwatch(host, fd);
    hf_host_flush(host);
    return net_end(job);
}
