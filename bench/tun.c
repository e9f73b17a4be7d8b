/* tun.c - ours and the kernel's TCP over a private TUN (or veth); one thread carries both ends. */
#include "figures.h"

#include <fcntl.h>
#include <handfast/host.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONG_MS = 5000, CHUNK = 1 << 16, CONNECTIONS = 4096 };

static struct hf_private *net;
static struct hf_host *host;
static hf_handle connection;
static int listener, accepted = -1;
static char chunk[CHUNK];
static const struct hf_endpoint kernel = {.ip = {[10] = 0xff, 0xff, 10, 77, 0, 1},
                                          .port = PAIR_PORT};

bool tun_open(const void *arg)
{
    char error[HF_ERROR_TEXT];
    struct hf_config config;
    struct hf_host_options options = {.struct_size = sizeof options, .config = &config};
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PAIR_PORT)};
    (void)arg;
    hf_config_default(&config, CONNECTIONS);
    config.policy.msl_ms = 1;
    memset(config.seed, 7, sizeof config.seed);
    if (hf_private_open(&net, NULL, error) < 0) {
        bench_note("a private network", error);
        return false;
    }
    bench_must(hf_host_new(&host, &options), "hf_host_new");
    bench_must(hf_private_attach(net, host), "hf_private_attach");
    listener = hf_private_socket(net, AF_INET, SOCK_STREAM, 0);
    bench_must(listener, "socket");
    bench_must(bind(listener, (struct sockaddr *)&any, sizeof any), "bind");
    bench_must(setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5), "TCP_CONGESTION");
    bench_must(listen(listener, 64), "listen");
    return true;
}

/* veth hands packets over in softirqs: the kernel's side may be a moment late. */
static void await(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    while (poll(&polled, 1, 0) == 0) {
        hf_host_run_once(host, 0);
    }
}

static void connect_both(void)
{
    bench_must(hf_host_open(host, NULL, &kernel, LONG_MS, &connection), "open");
    await(listener);
    accepted = accept(listener, NULL, NULL);
    bench_must(accepted, "accept");
}

static void life(void *unused)
{
    char octet = 1;
    (void)unused;
    connect_both();
    bench_must(hf_host_send(host, connection, &octet, 1, LONG_MS), "send");
    await(accepted);
    bench_must(read(accepted, &octet, 1), "read");
    bench_must(write(accepted, &octet, 1), "write");
    bench_must(hf_host_recv(host, connection, &octet, 1, LONG_MS), "recv");
    bench_must(hf_host_close(host, connection), "close");
    await(accepted);
    bench_must(read(accepted, &octet, 1), "read the end");
    close(accepted);
    bench_must(hf_host_wait_closed(host, connection, false, LONG_MS), "wait closed");
    bench_must(hf_host_release(host, connection), "release");
}

double tun_lives_round(const void *arg)
{
    (void)arg;
    return bench_rate(life, NULL, BENCH_ROUND_MS / 1000.0);
}

static double send_some(void)
{
    ssize_t n;
    double octets = 0;
    while (hf_host_send_some(host, connection, chunk, CHUNK, 0) > 0) {
    }
    while ((n = read(accepted, chunk, CHUNK)) > 0) {
        octets += (double)n;
    }
    return octets;
}

static double receive_some(void)
{
    int64_t n;
    double octets = 0;
    while (write(accepted, chunk, CHUNK) > 0) {
    }
    while ((n = hf_host_recv(host, connection, chunk, CHUNK, 0)) > 0) {
        octets += (double)n;
    }
    return octets;
}

static double bulk(double (*some)(void))
{
    if (accepted < 0) {
        connect_both();
        bench_must(fcntl(accepted, F_SETFL, O_NONBLOCK), "fcntl");
    }
    double begin = bench_seconds(), took, octets = 0;
    do {
        octets += some();
        bench_must(hf_host_run_once(host, 0), "run");
        took = bench_seconds() - begin;
    } while (took < BENCH_ROUND_MS / 1000.0);
    return octets / took / 1e9;
}

double tun_up_round(const void *arg)
{
    (void)arg;
    return bulk(send_some);
}

double tun_down_round(const void *arg)
{
    (void)arg;
    return bulk(receive_some);
}
