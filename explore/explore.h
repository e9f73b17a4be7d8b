/* explore.h - the explorer: two endpoints of the real stack and a channel between them that may
 * hold, lose, duplicate and reorder segments; every interleaving, and breadth first for a shortest
 * way to what is wrong.
 *
 * An endpoint is a value, and the next one follows from it and from what happens to it alone.  So
 * endpoints are interned by the 128 bits of their canonical form, the stack runs once for each of
 * them and each event, and a state of the pair is a few numbers: two endpoints, the segments on
 * the channel, what is left of the budgets.
 */
#ifndef EXPLORE_EXPLORE_H
#define EXPLORE_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What may happen, in all and at each end. */
struct explore_config {
    const char *name;
    uint8_t flight;      /* segments on the channel at one time, each way: 1 .. EXPLORE_FLIGHT */
    uint8_t losses;      /* in all                                                            */
    uint8_t duplicates;  /* in all                                                            */
    uint8_t repeats;     /* timers that send again, in all                                    */
    bool listens[2];     /* SYNs are welcome at A, at B, at any time                          */
    uint8_t opens[2];    /* active opens of A, of B: 0 .. 3                                   */
    uint8_t sends[2];    /* texts of A, of B: 0 .. 3                                          */
    uint8_t aborts;      /* in all                                                            */
    uint8_t reboots;     /* in all                                                            */
    uint8_t forged;      /* segments that somebody else sends blindly, in all                 */
    uint8_t forge;       /* which: EXPLORE_FORGE_*                                            */
    uint8_t isn_step;    /* from one ISN of an end to its next, where no timer fires between
                            them; 0: so many that no window reaches from one to the other     */
    bool backs_off;      /* a timeout is one second, after another two, and what was measured is
                            part of the states; else each is one second.  That all ends well is
                            not asked then: ends share no clock that says who waits longer   */
    bool tw_ignore_rst;  /* a reset does not end TIME-WAIT: RFC 1337 F1                       */
    uint8_t seek;        /* only this counts as wrong: enum wrong, side.h; 0: everything      */
    bool patient;        /* a connection that nobody opened is wrong when it stays            */
    bool unjudged;       /* the oracle is not asked: it knows the rule that is missing        */
    bool attack;         /* then one segment of each kind to an endpoint of each class        */
    uint64_t most;       /* states at most, 0: as many as there are                           */
    uint64_t most_bytes; /* memory for states at most, 0: 12 GiB                              */
};
enum { EXPLORE_FLIGHT = 4 };
enum {
    EXPLORE_FORGE_SYN = 1, /* from the peer's address                                       */
    EXPLORE_FORGE_ACK = 2, /* of the ISN that somebody would guess: EXPLORE_GUESS           */
    EXPLORE_FORGE_RST = 4, /* by luck in the window, but not at RCV.NXT                     */
};
enum { EXPLORE_GUESS = 10 };

struct explore_result {
    uint64_t states, transitions;
    uint64_t endpoints[2]; /* different ones of A, of B                                        */
    uint64_t steps;        /* times that the stack ran: an endpoint and an event               */
    uint64_t messages;     /* different segments                                               */
    uint64_t held;         /* transitions not taken: the channel was full                      */
    uint64_t violations;   /* one ends the search; one for each class attacked                 */
    uint64_t classes;      /* endpoints attacked                                               */
    uint64_t attacks;      /* segments that nobody had sent                                    */
    uint32_t events;       /* of the way to what is wrong                                      */
    bool complete;
    const char *cut; /* what bound cut it, when not complete                             */
    double seconds;
};

/* The configurations (a) to (d); NULL: there is none of this name. */
const struct explore_config *explore_find(const char *name);

/* A schedule, for another build of the stack to play: opaque, of one machine. */
enum { EXPLORE_STEP_OCTETS = 128, EXPLORE_STEPS = 64 };
struct explore_schedule {
    uint32_t steps;
    uint8_t step[EXPLORE_STEPS][EXPLORE_STEP_OCTETS];
};
/* Plays it as far as this stack goes along, and tells what happens, with its ladder.  Returns 0;
 * -1: no memory. */
int explore_play(const struct explore_config *config, const struct explore_schedule *schedule,
                 FILE *out);

/* `handfast why`: a rule, and the configuration in which its absence is seen.  Texts are sentences,
 * but for `without`, a clause. */
struct explore_why {
    const char *rule;
    const char *says;    /* the rule and its place in an RFC                                   */
    const char *world;   /* what is special where its absence is looked for; NULL: nothing     */
    const char *without; /* what the other build does instead                                  */
    const char *shows;   /* what there is to see in both schedules                             */
    struct explore_config config;
};
/* Exit status of the program with the stack that lacks the rule. */
enum explore_why_end {
    EXPLORE_WHY_FOUND,
    EXPLORE_WHY_NOTHING, /* no schedule goes wrong                    */
    EXPLORE_WHY_FAILED,
    EXPLORE_WHY_TORN /* standard output could not be written      */
};
/* The i-th, from 0; NULL: there are no more. */
const struct explore_why *explore_why(uint32_t i);
/* The one of this rule; NULL: there is none. */
const struct explore_why *explore_why_of(const char *rule);

/* Progress and a violation's ladder go to out (NULL: nowhere), its schedule to *schedule (may be
 * NULL).  Returns 0; -1: no memory. */
int explore_run(const struct explore_config *config, FILE *out, struct explore_result *result,
                struct explore_schedule *schedule);

#endif
