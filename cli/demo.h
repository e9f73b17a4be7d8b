/* demo.h - the parts of `handfast demo`. */
#ifndef HANDFAST_DEMO_H
#define HANDFAST_DEMO_H

#include "cli.h"

#include <sys/types.h>

/* demo_data.c: what is sent, and SHA-256 of what arrives. */

struct demo_payload {
    int fd; /* a memfd that holds the octets */
    const uint8_t *data;
    uint64_t bytes;
    char sha256[65];
};

struct demo_hash {
    pid_t pid;
    int in;  /* write the octets here */
    int out; /* the answer comes from here */
};

int demo_payload_make(struct demo_payload *payload, uint64_t bytes, uint64_t seed);
bool demo_write_all(int fd, const void *data, uint64_t len);
int demo_hash_start(struct demo_hash *hash);
/* Closes the input and waits for the sum. */
int demo_hash_end(struct demo_hash *hash, char sha256[65]);
void demo_child_begins(void);
/* The exit status of a child, 128 + signal, or -1. */
int demo_reap(pid_t pid);

/* demo_kernel.c: the other side. */

struct demo_server {
    pid_t pid;
    uint16_t port;
};

/* How the kernel's server answers one connection: an optional greeting, everything up to the end
 * of what comes goes to `out`, a pause, the payload, the end. */
struct demo_serve {
    bool ipv6;
    int out;
    const char *greeting;
    unsigned pause_ms;
    const uint8_t *reply;
    uint64_t reply_bytes;
};

int demo_server_start(struct demo_server *server, const struct demo_serve *how);
/* curl -T upload http://URL with its standard output at `out`; the new process, or -1. */
pid_t demo_curl(const char *url, int upload, int out);
/* What inet_diag says of the kernel's end: an enum hf_state; HF_CLOSED when it has no such
 * connection; -1 when it could not be asked. */
int demo_kernel_state(const struct hf_endpoint *kernel, const struct hf_endpoint *handfast);

#endif
