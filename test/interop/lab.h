/* lab.h - a private network with the kernel's TCP in it, a host of ours, and a peer that serves
 * many connections and checks every octet. */
#ifndef INTEROP_LAB_H
#define INTEROP_LAB_H

#include <sys/types.h>

#include "handfast/host.h"

enum { LAB_PORT = 4000, LAB_PATIENCE_MS = 60000 };

/* What a run on the kernel's side amounted to. */
struct lab_totals {
    uint64_t connections, received;
    uint64_t wrong; /* connections with an octet wrong, missing or left over, or an error */
};

struct lab {
    struct hf_private *net;
    struct hf_host *host;
    struct hf_device *impaired; /* NULL: a clean wire */
    pid_t peer;
    volatile struct lab_totals *totals; /* in memory that the peer writes */
    uint32_t iface;
};

/* 77 (or, with CI=true, 1) and a reason when there can be no private network; else 0. */
int lab_skip(void);
/* loss: 5 % lost, 5 % reordered, 1 % twice, else a clean wire. */
struct lab *lab_open(uint32_t connections, bool loss);
void lab_close(struct lab *lab);
/* Starts the kernel's side: each connection is sent `down` octets and the end, and is to bring `up`
 * octets and the end. */
void lab_peer_start(struct lab *lab, uint64_t up, uint64_t down);
/* Waits until the peer has seen n connections to their end. */
struct lab_totals lab_peer_stop(struct lab *lab, uint64_t n);
struct hf_endpoint lab_peer_endpoint(int version);
/* The same everywhere: octet number `at` of any stream.  lab_pattern gives as many as lie in one
 * piece. */
const uint8_t *lab_pattern(uint64_t at, uint64_t *len);
bool lab_pattern_equal(uint64_t at, const uint8_t *data, uint64_t len);
/* Runs n connections, `at_once` of them at a time, each `up` octets there and `down` back, this
 * side closing when it has sent.  Returns how many went wrong. */
uint64_t lab_run(struct lab *lab, uint64_t n, uint32_t at_once, uint64_t up, uint64_t down);
/* Runs on until nothing is left in the stack; what is, or 0. */
uint64_t lab_left_over(struct lab *lab);

#endif
