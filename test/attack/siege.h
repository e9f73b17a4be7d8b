/* siege.h - a server under attack, and honest clients that go on using it: two stacks on a memory
 * device, in virtual time, a millisecond a step; frames take a step each way.
 *
 *     clients' stack <---- 1 ms ----> server <---- attack(): frames of anybody
 *                                        |
 *                                        `----> seen(): what it sends to others than the clients
 *
 * A client connects, sends a request of 1 KiB and gets it back, so many rounds, and closes; every
 * octet is compared.  The same siege with and without an attack shows what the attack has cost.
 */
#ifndef ATTACK_SIEGE_H
#define ATTACK_SIEGE_H

#include <stdbool.h>
#include <stdint.h>

#include "handfast/handfast.h"
#include "wire/wire.h"

enum { SIEGE_MS = 1000000, SIEGE_PORT = 80, SIEGE_ROUND = 1024, SIEGE_CLIENTS = 4096 };
enum { SIEGE_ENDLESS = UINT32_MAX };

struct siege_client {
    hf_handle handle;
    int64_t opened_ns, connect_ns; /* how long the handshake took, -1: it has not ended   */
    uint32_t rounds, wanted;
    uint32_t sent, received; /* of this round                                         */
    bool closing, done;
    int32_t error; /* that it ended with                                    */
};

struct siege_frames {
    uint8_t *at;
    uint64_t len, room;
};

struct siege;
typedef void siege_attack_fn(struct siege *s);
/* A packet of the server to somebody else; seg is NULL when it is no TCP segment. */
typedef void siege_seen_fn(struct siege *s, const struct wire_ip *ip, const struct segment *seg,
                           uint32_t len);

struct siege {
    /* Set before siege_begin; config from siege_config. */
    struct hf_config config;
    uint16_t backlog; /* 128 */
    bool v6;
    siege_attack_fn *attack; /* each millisecond; NULL: none */
    siege_seen_fn *seen;
    void *arg;
    /* */
    struct hf_stack *server, *clients;
    uint64_t server_bytes;
    struct hf_env server_env, clients_env;
    uint8_t server_ip[16], clients_ip[16];
    hf_handle listener;
    int64_t now_ns;
    bool deaf;  /* the server accepts and reads nothing                */
    bool quiet; /* endless clients do not ask for more                 */
    bool shy;   /* the server accepts nobody more                      */
    struct siege_client client[SIEGE_CLIENTS];
    uint32_t n_clients;
    uint64_t random;
    struct siege_frames to_server, to_clients;
    struct hf_frame_in batch[64];
    uint8_t batch_bytes[64][1600];
    uint32_t n_batch;
    uint64_t hits;       /* frames of the attack                                */
    uint64_t others;     /* packets of the server to others than the clients    */
    uint64_t resets;     /* of these, resets                                    */
    uint32_t half_most;  /* half-open records of the server at most             */
    uint32_t conns_most; /* connections                                         */
    seq_t last_iss;      /* of the newest SYN,ACK to others                     */
    uint64_t wrong;      /* octets that were not sent                           */
};

/* All zero, with hf_config_default for the server, and a seed. */
void siege_config(struct siege *s, uint32_t n);
void siege_begin(struct siege *s);
/* Fails the test when the block was written beyond its end, or an octet was wrong. */
void siege_end(struct siege *s);
void siege_run(struct siege *s, uint32_t ms);
/* The same in steps of whatever is due next, with the endless clients at rest: a calm of minutes.
 */
void siege_rest(struct siege *s, uint32_t ms);
/* A client more, that makes `rounds`; now. */
struct siege_client *siege_open(struct siege *s, uint32_t rounds);

/* Of all that were opened: connected, done in order, ended with an error. */
struct siege_sum {
    uint32_t opened, connected, done, failed;
    uint64_t rounds;
    int64_t p99_connect_ns; /* 99 of 100 connected within */
};
struct siege_sum siege_sum(const struct siege *s);
struct hf_counters siege_counters(const struct siege *s);

/* For attack() ------------------------------------------------------------------------------- */

uint32_t siege_draw(struct siege *s); /* 32 random bits */
/* An address nobody of the siege has; IPv6: of n prefixes of 64 bits. */
void siege_stranger(struct siege *s, uint8_t ip[16]);
/* A segment to the server; text: len octets of whatever. */
void siege_hit(struct siege *s, const uint8_t src[16], const struct segment *seg, uint32_t len);
/* Any packet to the server. */
void siege_packet(struct siege *s, const void *packet, uint32_t len);
/* A frame on any of the server's interfaces; what it sends on others than 1 counts in others. */
void siege_frame(struct siege *s, uint16_t iface, const void *frame, uint32_t len);
/* All of these arrive now, and what the server owes leaves. */
void siege_flush(struct siege *s);
/* Somebody completes a handshake, whose first number is isn, and is silent; false: the SYN got no
 * answer.  The server's number is last_iss. */
bool siege_connects(struct siege *s, const uint8_t ip[16], uint16_t port, uint32_t isn);
/* The same for the n-th of many strangers; isn is n * 7919. */
bool siege_stranger_connects(struct siege *s, uint32_t n);
void siege_stranger_of(uint32_t n, uint8_t ip[16], uint16_t *port);
/* A SYN with options like those of one system or another. */
struct segment siege_syn(struct siege *s);

/* Calm and attack ----------------------------------------------------------------------------- */

enum { SIEGE_FLOWS = 8 };

struct siege_scale {
    uint32_t ms, hits_per_ms, open_every_ms;
};

/* With flows that are there before the attack and go on. */
void siege_begin_with_flows(struct siege *s);
/* Clients come for a round and go, for scale->ms; the rounds of the flows meanwhile. */
uint64_t siege_play(struct siege *s, const struct siege_scale *scale, siege_attack_fn *attack);
/* 99.9 % of those clients were served, no slower than twice the time of the same siege without an
 * attack; the flows have kept so many per cent of their rounds there. */
void siege_clients_are_served(struct siege *s, const struct siege_scale *scale, uint64_t rounds,
                              uint32_t percent);

#endif
