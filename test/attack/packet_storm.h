/* packet_storm.h - a stack with two links, and somebody on them who draws whatever lies below and
 * beside TCP: test_packet_storm.c.
 *
 *     packet_storm.c      dice, the stack and its addresses, frames on their way in
 *     packet_storm_in.c   what these frames hold
 *     packet_storm_out.c  frames on their way out: each is what it has to be
 */
#ifndef ATTACK_PACKET_STORM_H
#define ATTACK_PACKET_STORM_H

#include "attack/storm.h"
#include "wire/wire.h"

enum {
    PS_LINKS = 3,
    PS_OWN = 13,
    PS_KEPT = 16,
    PS_KEPT_BYTES = 1500,
    PS_ASKED = 16,
    PS_BATCH = 24,
    PS_SHELF = 24,
    PS_SLOTS = 24,
    PS_SLOT_BYTES = 2048,
    PS_BORROWED = 16,
    PS_BORROWED_BYTES = 4096,
    PS_OUT = 8,
    PS_ETH = 14,
    PS_ROOM = 66000
};

/* An address that the stack has now and then. */
struct ps_own {
    uint8_t ip[16];
    uint8_t iface, prefix_len;
    bool now, ever;
};

struct ps_frame {
    uint8_t *octets; /* of its very size: reading on is seen */
    struct hf_frame_in in;
};

/* A packet that has left, from its IP header on. */
struct ps_kept {
    uint8_t octets[PS_KEPT_BYTES];
    uint32_t len;
    uint8_t iface;
};

struct ps_question {
    uint8_t ip[16], from[16];
    uint8_t iface;
};

/* A frame that the device is not done with, and what its octets were. */
struct ps_out {
    struct hf_frame_out frame;
    uint64_t sum;
};

struct packet_storm {
    struct storm dice; /* without a peer */
    uint32_t seed;
    struct hf_stack *stack;
    struct hf_config config;
    uint64_t bytes;
    struct hf_env env;
    struct hf_interface link[PS_LINKS]; /* number i is link[i - 1] */
    uint32_t links;
    struct ps_own own[PS_OWN];
    bool lost; /* an address was taken away: what was a broadcast may be none */
    struct ps_kept kept[PS_KEPT];
    struct ps_question asked[PS_ASKED];
    uint32_t n_asked;
    struct ps_frame batch[PS_BATCH], shelf[PS_SHELF];
    uint32_t n_batch;
    struct hf_region region[2]; /* frames are lent from the first, text from the second */
    bool lent[PS_SLOTS], borrowed[PS_BORROWED];
    struct ps_out out[PS_OUT];
    struct {
        uint8_t key[37]; /* whose fragments are leaving: addresses, ident and version */
        uint32_t len;
        uint8_t octets[PS_ROOM];
    } parts;
};

static inline uint32_t ps_below(struct packet_storm *s, uint32_t n)
{
    return storm_below(&s->dice, n);
}

static inline bool ps_one_in(struct packet_storm *s, uint32_t n)
{
    return storm_one_in(&s->dice, n);
}

__attribute__((noreturn, format(printf, 2, 3))) void ps_fail(struct packet_storm *s,
                                                             const char *format, ...);

/* packet_storm.c */
struct packet_storm *ps_begin(uint32_t seed);
void ps_end(struct packet_storm *s);
/* An address: one of the stack's, as a rule; somebody's on this link, or far away. */
const struct ps_own *ps_own(struct packet_storm *s, bool v6);
void ps_remote(struct packet_storm *s, uint32_t iface, bool v6, uint8_t ip[16]);
void ps_mac(struct packet_storm *s, uint32_t iface, uint8_t mac[6]);
/* The link whose prefix it has, else any. */
uint32_t ps_link_of(struct packet_storm *s, const uint8_t ip[16]);
/* An IP packet as a frame on this link, now or later, or an ARP packet. */
void ps_deliver(struct packet_storm *s, uint32_t iface, uint16_t type, const uint8_t *packet,
                uint32_t len, uint32_t gso_size);
/* Some of what was laid aside goes in, too. */
void ps_goes_in(struct packet_storm *s);
void ps_takes_returned(struct packet_storm *s);

/* packet_storm_in.c: draws one packet, or one in parts. */
void ps_draws(struct packet_storm *s);

/* packet_storm_out.c: all that is owed leaves.  hold: the device keeps some frames for a while. */
void ps_leaves(struct packet_storm *s, bool hold);
/* It is done with these. */
void ps_done(struct packet_storm *s);

#endif
