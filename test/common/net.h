/* net.h - two stacks and the wire between them, in memory and in virtual time; with loss,
 * duplication and reordering from a seed.
 *
 * Applications are simple: each flow sends its octets, checks what it receives, and closes when it
 * has sent all.  Everything done to a stack is a struct net_op, so that it can be recorded, and
 * played again to a copy of the stack: equal results, equal behaviour.
 */
#ifndef COMMON_NET_H
#define COMMON_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/judge.h"
#include "handfast/handfast.h"
#include "wire/wire.h"

enum net_kind {
    NET_INPUT,    /* bytes: a frame                                  */
    NET_TIMEOUTS, /*                                                 */
    NET_OUTPUT,   /* results: all frames                             */
    NET_EVENTS,   /* results: all events                             */
    NET_LISTEN,   /* a: port, b: backlog                             */
    NET_OPEN,     /* a: local port, b: remote port                   */
    NET_ACCEPT,   /* handle: the listener                            */
    NET_SEND,     /* handle, a: offset in the stream, b: octets      */
    NET_RECV,     /* handle, b: octets; results: the octets          */
    NET_CLOSE,    /* handle                                          */
    NET_RELEASE,  /* handle                                          */
};

struct net_op {
    enum net_kind kind;
    int64_t now_ns;
    hf_handle handle;
    uint64_t a, b;
    uint32_t len;
    uint8_t *bytes;
};

struct net_bytes {
    uint8_t *at;
    size_t len, room;
};

void net_append(struct net_bytes *bytes, const void *data, size_t len);

/* What a net_op is done to. */
struct net_stack {
    struct hf_stack *stack;
    uint64_t bytes;
    struct hf_env env;
    uint8_t ip[16], other_ip[16];
};

/* Does it; returns the call's result.  What came out is appended to results. */
int64_t net_do(struct net_stack *stack, const struct net_op *op, struct net_bytes *results);

struct net_flow {
    bool used, open;
    hf_handle handle;
    uint16_t remote_port;
    uint64_t to_send, sent, received;
    bool close_called, end_seen, closed, keep; /* keep: not closed when all is sent */
    int32_t error;
};

enum { NET_FLOWS = 256 };

struct net_side {
    struct net_stack s;
    struct judge judge; /* of its trace; a copy of the stack has none */
    hf_handle listener;
    struct net_flow flow[NET_FLOWS];
    uint64_t answer; /* octets that accepted connections send           */
    bool keep;       /* ... and are not closed when all is sent         */
    /* Recording. */
    struct net_op *ops;
    uint32_t n_ops, ops_room;
    struct net_bytes results;
    bool recording;
};

struct net_frame {
    int64_t at_ns;
    uint64_t order;
    int to;
    uint32_t len;
    uint8_t *bytes;
};

struct net;
/* True: this frame is lost. */
typedef bool net_lose_fn(struct net *net, int from, const struct segment *seg);

struct net {
    struct net_side side[2];
    int64_t now_ns, delay_ns;
    uint32_t loss, twice, late; /* of 1000; late: delayed by up to three delays more */
    uint64_t random;
    net_lose_fn *lose;
    void *arg;
    struct net_frame *frames;
    uint32_t n_frames, frames_room;
    uint64_t order, carried, lost;
    bool v6, wrong; /* wrong: octets that were not sent, a call that failed    */
    const char *what;
    bool scarce; /* an open, a close may be refused for want of memory: no fault        */
};

/* config: both stacks' (NULL: hf_config_default for 8).  Never NULL. */
struct net *net_new(bool v6, const struct hf_config *config, uint32_t offload);
void net_free(struct net *net);
void net_listen(struct net *net, int side, uint16_t port, uint16_t backlog);
/* A connection from `side`, which sends to_send octets; the other one answers with its `answer`.
 * NULL: refused, where memory is scarce. */
struct net_flow *net_open(struct net *net, int side, uint16_t local, uint16_t remote,
                          uint64_t to_send);
/* Until nothing is left to happen within limit_ms, or done says so (NULL: all flows closed). */
typedef bool net_done_fn(struct net *net);
bool net_run(struct net *net, int64_t limit_ms, net_done_fn *done);
bool net_all_closed(struct net *net);

#endif
