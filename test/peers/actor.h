/* actor.h - peers that act on their own: a TCP that is correct but for one habit.
 *
 * play() runs one stack, one application on it and one actor, in virtual time, until the
 * application has let go and the stack holds nothing any more, or until the actor's time is over.
 * An actor reacts to each segment of the stack; what it does not react to is answered as a correct
 * peer would.  All the while test/common/peer.c checks the stack's segments: checksums, text,
 * windows that never shrink, text inside the peer's window.
 */
#ifndef PEERS_ACTOR_H
#define PEERS_ACTOR_H

#include "common/peer.h"

/* What the application on the stack does. */
enum job {
    UPLOAD,   /* opens, sends `octets`, closes, reads to the end, releases         */
    DOWNLOAD, /* opens, reads to the end, closes, releases; the peer sends `octets` */
    SERVE,    /* the same as UPLOAD on a connection that the peer has opened       */
    TAKE,     /* the same as DOWNLOAD on one                                       */
};

struct play;

struct actor {
    const char *habit; /* "closes its window and answers every probe"                       */
    const char *shows; /* what a correct stack must show                                    */
    enum job job;
    uint32_t octets;
    int64_t seconds; /* the play's end, at the latest; 0: ten minutes                       */
    /* Before the first segment: options of its SYN (play->p->with), policies. */
    void (*prepare)(struct play *play);
    /* A segment of the stack; true: it was dealt with, false: a correct peer's answer. */
    bool (*react)(struct play *play, const struct segment *seg);
    /* Every 10 ms. */
    void (*tick)(struct play *play);
    /* What must hold at the end, beside what every play checks. */
    void (*judge)(struct play *play);
    bool leaves; /* the application releases right after it has sent and closed */
    bool stays;  /* the connection is still there at the end: the application gives it up then */
    int error;   /* how it ends for the application: enum hf_error                         */
};

struct play {
    struct peer *p;
    const struct actor *actor;
    int64_t now_ms;
    /* The actor's side. */
    uint32_t rcv_nxt;              /* what it has of the stack's text, as a sequence number */
    uint32_t snd_una, snd_nxt;     /* of its own                                            */
    uint32_t snd_end;              /* behind all its text                                   */
    uint32_t stack_edge;           /* right edge of the stack's window                      */
    uint32_t mss;                  /* of its segments                                       */
    uint16_t wnd;                  /* it announces                                          */
    int64_t repeat_at_ms;          /* its text, or FIN, again                               */
    bool open, fin_sent, fin_seen; /* the stack's FIN                                       */
    bool silent;                   /* says nothing any more                                 */
    int64_t counter, at_ms;        /* of the actor's own                                    */
    /* The application's side. */
    uint64_t written, read;
    bool opened, closed, ended, released; /* ended: hf_recv has told the end or an error    */
    int error;
    bool gone; /* the stack holds nothing of the connection                                 */
    /* What the stack did. */
    uint32_t segs, texts, repeats, resets, acks, probes;
    uint32_t largest;    /* octets of text in a segment                                     */
    uint32_t most_out;   /* octets in flight                                                */
    uint32_t highest;    /* SND.NXT as seen                                                 */
    int64_t last_seg_ms; /* when the stack last sent something                              */
    int64_t longest_ms;  /* silence between two of its segments                             */
};

/* What an actor says with. ----------------------------------------------------------------------*/

/* A bare ACK of what it has, with its window. */
void acks(struct play *play);
/* A segment: all that is not named is as a correct peer has it. */
#define says(play, ...) play_says(play, &(struct seg_spec){.ctl = __VA_ARGS__})
void play_says(struct play *play, const struct seg_spec *spec);
/* A segment whose text is `octet` throughout, checksum right or wrong. */
void says_raw(struct play *play, uint32_t seq, uint32_t ack, uint16_t ctl, uint8_t octet,
              uint32_t len, bool bad_checksum);
/* As much of its text as the stack's window takes, from snd_nxt on. */
void sends_text(struct play *play);
/* The answer of a correct peer, for an actor that does more besides. */
void behaves(struct play *play, const struct segment *seg);
/* Takes the segment's text and FIN if they are next; says nothing. */
void takes(struct play *play, const struct segment *seg);
/* A number as it is on the wire; of ISS (the stack's) or IRS. */
uint32_t iss(const struct play *play);
uint32_t irs(const struct play *play);

#define must(play, condition) play_must(play, condition, #condition)
void play_must(struct play *play, bool condition, const char *text);

/* Plays one actor to its end, and judges. */
void play_actor(struct peer *p, const struct actor *actor);

/* The library: arrays that end with an actor without a habit. */
extern const struct actor actors_opening[], actors_sending[], actors_receiving[], actors_closing[];

#endif
