/* worlds.h - does what an attacker off the path sees depend on what he wants to know?
 *
 * Two worlds are equal but for a secret: the numbers or the port of somebody else's connection,
 * what it does, which UDP port is open.  The same attacker does the same things in both.  He forges
 * packets from the other one's address, and from his own address does as he likes; he sees what is
 * sent to his own address, and when.  The two transcripts must be equal octet for octet.
 *
 *     attacker 10.9.0.66 --forged as 10.0.0.3--> stack 10.0.0.1 <--the secret--> honest 10.0.0.3
 */
#ifndef ATTACK_WORLDS_H
#define ATTACK_WORLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "handfast/handfast.h"
#include "wire/wire.h"

enum { WORLD_OWN = 6, WORLD_PORT = 80, WORLD_UDP = 7000, WORLD_VICTIM = 5000 };

struct secret {
    uint32_t irs;      /* of the honest peer: where RCV.NXT is                    */
    uint16_t port;     /* of the honest peer                                      */
    bool writes;       /* WORLD_WRITES is done                                    */
    uint16_t udp_port; /* one that is open                                        */
};

enum op_kind {
    WORLD_FORGED,      /* TCP from the honest peer's address: ctl, port, seq, ack, len            */
    WORLD_OWN_SYN,     /* of the attacker's own connection n; his end answers the SYN,ACK         */
    WORLD_OWN_SEGMENT, /* ... seq and ack relative to what is right                           */
    WORLD_OWN_ELSEWHERE, /* from the attacker's address, no connection: ctl, port, seq, ack   */
    WORLD_OWN_ECHO,
    WORLD_OWN_UDP,     /* to port                                                              */
    WORLD_FORGED_UDP,  /* to port                                                              */
    WORLD_FORGED_ICMP, /* an error (ctl: type << 8 | code, len: MTU) about port, seq          */
    WORLD_WRITES,      /* the application writes len octets to the honest peer                 */
    WORLD_WAITS,       /* len ms pass                                                          */
    WORLD_KINDS
};

struct op {
    enum op_kind kind;
    unsigned ctl, n;
    uint16_t port;
    uint32_t seq, ack, len;
};

struct own {
    uint16_t port;
    bool open;
    uint32_t nxt, ack; /* what is right in his next segment */
};

struct world {
    struct secret secret;
    struct hf_stack *stack;
    struct hf_env env;
    hf_handle listener, victim, udp;
    uint32_t victim_nxt, victim_ack; /* the honest peer's next segment              */
    bool mask_ident; /* random numbers of IP packets are none of the transcript: true */
    struct own own[WORLD_OWN];
    uint32_t seen, answers; /* frames to the attacker; of these, bare ACKs      */
    uint8_t *transcript;
    uint32_t len, room;
};

/* config NULL: for 256 connections. */
void world_begin(struct world *w, const struct secret *secret, const struct hf_config *config);
void world_end(struct world *w);
void world_do(struct world *w, const struct op *op);
/* Are the transcripts equal up to here?  They begin anew. */
bool worlds_agree(struct world *a, struct world *b);
/* A random thing to do, near the numbers of either world or anywhere. */
struct op world_any_op(uint64_t *random, const struct world *a, const struct world *b);
uint32_t world_draw(uint64_t *random, uint32_t below);

#endif
