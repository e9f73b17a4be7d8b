/* net.h - figures over a network device: the kernel's client on one core, a server on the other.
 *
 *     a contender's process: the server       its child: the client, the same for all
 *     net_round ------- "begin" ------------> one job of net_client.c, for a second
 *       serves, until net_over  <------------ what it measured
 *
 * Handfast and lwIP serve behind a TUN whose other side is the client's; the kernel serves in a
 * namespace of its own behind a veth pair, or behind slirp4netns or pasta, whose network the client
 * then has.
 */
#ifndef HANDFAST_BENCH_NET_H
#define HANDFAST_BENCH_NET_H

#include "bench.h"

#include <handfast/device.h>
#include <sys/types.h>

enum net_job {
    NET_CRR,  /* connect, ask, get the answer, close; NET_AT_ONCE at a time */
    NET_RR,   /* questions on NET_AT_ONCE kept connections */
    NET_UP,   /* one connection that the client writes to */
    NET_DOWN, /* ... and reads from */
};

enum {
    NET_PORT = 4000, /* the server listens on NET_PORTS ports, from this on */
    NET_PORTS = 8,
    NET_AT_ONCE = 64,
    NET_ASKED = 64,      /* octets of a question, and of its answer */
    NET_CHUNK = 1 << 17, /* of bulk, in one call */
};

#define NET_CLIENT_IP "10.77.0.1"
#define NET_SERVER_IP "10.77.0.2"

/* net_relay.c: who serves the client's namespace. */
struct net_relay {
    enum net_job job;
    const char *program; /* "pasta", "slirp4netns" */
    const char *mtu;     /* of the client's interface */
};

/* What a round has measured: in connections, questions or octets. */
struct net_result {
    double per_second;
    double cpu_seconds; /* of the server's core, for each */
    double p50_us, p99_us;
};

/* net.c: a network namespace of this process's own; false: bench_note says why. */
bool net_own(void);
/* A TUN without offloads, its other side in this namespace; below 0: bench_note says why. */
int net_tun(void);
/* A child that is the client: in this namespace, or, unless join is NULL, in another one, to which
 * join lays a cable: "hf1" there; NET_SERVER_IP is then where this namespace's servers are. */
bool net_client(enum net_job job, bool (*join)(pid_t client));
/* A veth pair. */
bool net_veth(pid_t client);
/* A client that is a thread of this process instead: work is one round of it. */
bool net_client_within(enum net_job job, struct net_result (*work)(enum net_job, int server_core));
/* For a socket of the kernel's. */
void net_cubic(int fd);
/* Begins a round; from then on the descriptor is readable when it is over. */
int net_begin(void);
/* Waits until it is over: its result, the rest in bench_also. */
double net_end(enum net_job job);

/* net_kernel.c: the kernel listens in this namespace, for net_kernel_round. */
void net_kernel_listen(enum net_job job);

/* net_client.c: one round in the client's process; server_core: whose time it takes. */
struct net_result net_work(enum net_job job, int server_core);
/* The same of bulk that somebody else moves. */
struct net_mover {
    double (*move)(void *arg);   /* octets, some at a time */
    double (*queued)(void *arg); /* of these, octets that have not left */
    void *arg;
};
struct net_result net_bulk(const struct net_mover *mover, int server_core);

/* tun.c: Handfast behind this device is the server, for tun_round. */
bool net_handfast_listen(struct hf_device *device, enum net_job job);
/* What it has carried of bulk so far: octets of text, and the frames that had them. */
struct net_carried {
    double octets, frames;
};
struct net_carried net_handfast_carried(void);

#endif
