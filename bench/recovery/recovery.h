/* recovery.h - one measurement of loss recovery: a sender, a bad path in real time, the kernel's
 * TCP as the receiver.
 *
 *     namespace A            our processes                     namespace B
 *     kernel's TCP, or   --> TAP -- relay (struct path) -- TAP --> kernel's TCP
 *     Handfast on the                                              (the sink reads)
 *     same TAP's other
 *     side (AF_PACKET)
 */
#ifndef BENCH_RECOVERY_H
#define BENCH_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/path.h"
#include "common/repeats.h"

enum { RECOVERY_PORT = 5001 };
#define RECOVERY_SINK "10.78.0.2"
#define RECOVERY_KERNEL "10.78.0.1"
#define RECOVERY_HANDFAST "10.78.0.3"

struct options {
    const char *name; /* of the case */
    bool kernel;      /* the kernel sends */
    double seconds;
    uint64_t seed;
    uint64_t rate_bps;
    int64_t rtt_ns;
    uint32_t send_buffer;   /* Handfast's; 0: as it is by default */
    const char *congestion; /* the kernel's */
    const char *pcap, *samples;
};

/* Memory that the relay and the sink share with the sender. */
struct shared {
    _Atomic uint64_t received; /* octets that the sink has read */
    _Atomic int64_t begin_ns;  /* the relay saw the first SYN   */
    struct path_counts counts[2];
    struct repeats repeats;
    uint64_t forwarded, over_ms; /* frames; those that were more than 1 ms late */
    int64_t latest_ns;
};

struct lab {
    int a, b; /* network namespaces */
    int tap_a, tap_b;
    pid_t relay, sink;
    struct shared *shared;
};

int64_t now_ns(void);
void die(const char *what) __attribute__((noreturn));

/* cases.c: the two directions of the path; false: no case of this name. */
bool case_path(const struct options *options, struct path_how how[2]);
void case_list(FILE *out);

/* lab.c: makes namespaces and TAPs, starts sink and relay. */
void lab_open(struct lab *lab, const struct options *options);
void lab_enter(int ns);
void lab_close(struct lab *lab);

/* relay.c: never returns; how[0]: from A to B. */
void relay_run(int tap_a, int tap_b, const struct path_how how[2], struct shared *shared)
    __attribute__((noreturn));

/* senders.c: send from now until end_ns; in namespace A. */
void send_by_kernel(const struct options *options, int64_t end_ns);
void send_by_handfast(const struct options *options, int64_t end_ns);

#endif
