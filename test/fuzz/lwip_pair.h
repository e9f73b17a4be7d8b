/* lwip_pair.h - what the parts of fuzz_lwip share: Handfast, lwIP, the peer that sends both the
 * same, and what must be the same of them.
 */
#ifndef FUZZ_LWIP_PAIR_H
#define FUZZ_LWIP_PAIR_H

#include "bench.h"
#include "lwip_side.h"

enum { PEER_PORT = 5000, LISTENING_PORT = 80, OPENING_PORT = 4000, TICK_NS = 250000000 };
enum { CHALLENGE_MS = 400, MSL_MS = 60000 };

/* What came back while a segment was processed. */
struct answer {
    bool rst, ack, syn, more; /* a reset; else: with ACK, with SYN, with a sequence length */
    uint32_t seq, number;     /* of the reset: SEG.SEQ, SEG.ACK                            */
};

/* What the peer knows of a stack. */
struct view {
    uint32_t iss, nxt; /* from its SYN on; behind what it has sent   */
    uint32_t ack;      /* its last ACK field                         */
    uint32_t una;      /* what we have acknowledged                  */
    uint32_t sent_ack; /* the ACK field that it got last             */
    bool opened;
    struct answer answer;
    uint32_t contradictions; /* octets of its stream that were others before */
};

struct run {
    struct bench b;
    hf_handle listener, handle;
    struct view view[2]; /* Handfast's, lwIP's */
    bool v6;
    uint16_t port;              /* of the two */
    uint32_t irs, sent_to, fin; /* our SYN; behind the highest octet sent; number of the FIN */
    uint32_t read, lwip_read;   /* and found to be right */
    uint32_t written;
    uint16_t stranger;          /* port of the last one */
    bool lags;                  /* one may */
    bool crossed;               /* our SYN came before the answer to theirs */
    bool ended, shut, finished; /* no connection is left; their FIN, ours */
    bool told;                  /* Handfast's application: the stream ends */
    bool released;              /* there is no application any more */
    uint8_t state;              /* of both */
    uint8_t wrong_acks;         /* in SYN-SENT */
    uint8_t unacked;            /* steps since all that they sent was acknowledged */
};

/* The next run begins. */
void pair_begin(struct run *r, const uint8_t *data, size_t size);
/* To both, each with an ACK of all but `less` octets of what it has sent, or of -`less` octets more
 * than that; NOTHING_NEW: of what it acknowledged before. */
enum { NOTHING_NEW = INT32_MAX };
void send_both(struct run *r, struct segment seg, uint32_t text, int32_t less);
/* Both have answered the last one in the same way. */
void same_answers(const struct run *r, const struct segment *seg, uint32_t text);
/* In LAST-ACK, the ACK of their FIN on what is old ends the connection.  Handfast answers that
 * still, as what is not acceptable (RFC 9293 3.10.7.4 first), lwIP's connection is gone then. */
bool last_answer_lost(const struct run *r);
/* Half a second passes: delayed ACKs are out. */
void settle(struct run *r);
void pass_ticks(struct run *r, uint32_t ticks);
void compare(struct run *r);
/* Their applications give them as many octets to send. */
enum { WRITE_MAX = 1400 };
void write_octets(struct run *r, uint32_t n);
/* Have they a connection, and have both taken equally much of the peer's stream? */
bool level(const struct run *r);

/* How the connection opens; false: it does not. */
bool open_pair(struct run *r);
/* One thing in the last states, or afterwards. */
void end_step(struct run *r, uint8_t what);
void after_end(struct run *r);

#endif
