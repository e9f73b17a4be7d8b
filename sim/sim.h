/* sim.h - the simulator: worlds of up to eight stacks, a wire where everything goes wrong, programs
 * that talk over it, in virtual time, and the properties that must hold all the while.
 *
 * One 64-bit seed is one world, whatever was run before: how many stacks with which settings, what
 * the wire does to which frame, who opens what.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include <handfast/handfast.h>

struct world;

/* What was found.  rule: short, stable, "" while all holds; the place is the last record's then. */
struct sim_wrong {
    uint64_t seed;
    char rule[32];
    char detail[360];
    int64_t time_ns;
    uint32_t host;                 /* the stack whose ladder shows it ...          */
    uint8_t local[16], remote[16]; /* ... and the connection, as that stack sees it */
    uint16_t local_port, remote_port;
};

struct sim_counts {
    uint64_t seeds;
    uint64_t segments;    /* TCP segments that stacks have sent: a super-segment counts as one  */
    uint64_t faults;      /* frames lost, repeated, late, corrupted, marked, too big            */
    uint64_t connections; /* both sides opened, said all they had to say, and closed in order   */
    uint64_t opened;      /* all that were opened                                               */
    uint64_t violations;
};

struct sim_world_result {
    struct sim_counts counts;
    struct sim_wrong wrong;
    uint64_t *fate; /* keys of the frames to which something was done, as wire.c numbers them */
    uint32_t n_fate, max_fate; /* max_fate 0: not kept */
};

/* A world with parts taken out. */
struct sim_less {
    uint32_t programs, happenings, stacks; /* bits: this one is out; a stack: it is a plain one */
    bool lanes;                            /* no delays that vary, no bottlenecks              */
    bool unrest;                           /* nobody rests, no setting is changed on the way   */
    uint8_t halvings[8];                   /* of what each program sends                       */
    const uint64_t *fate;                  /* only these frames meet a fate ...                */
    uint32_t n_fate;
    bool fate_only; /* ... if this is set */
};

/* Draws a world: an hf_trace_fn behind each stack's own, and what the wire loses. */
struct sim_view {
    void (*trace)(void *arg, uint32_t host, const struct hf_trace *record);
    void (*lost)(void *arg, int64_t now_ns, uint32_t from, uint32_t to, const uint8_t *frame,
                 uint32_t len, bool ethernet);
    void *arg;
};

/* world.c: memory for worlds; NULL: none is left. */
struct world *sim_world_new(void);
void sim_world_free(struct world *world);
/* Runs the world of a seed to its end, or to its first wrong. */
void sim_world_run(struct world *world, uint64_t seed, const struct sim_less *less,
                   struct sim_view *view, struct sim_world_result *result);

/* run.c: many worlds, each process of `jobs` one after another.  A stack that traps takes its
 * process with it, no more. */
struct sim_run {
    uint64_t first, seeds; /* seeds first .. first + seeds - 1                              */
    uint32_t seconds;      /* no new seed after so long; 0: no limit                        */
    uint32_t jobs;         /* processes; 0: 1                                               */
    bool go_on;            /* also after a wrong                                            */
    /* Told about the totals every second or so; may be NULL. */
    void (*progress)(void *arg, const struct sim_counts *counts);
    /* Told about each wrong, by the process that found it; may be NULL. */
    void (*broken)(void *arg, const struct sim_wrong *wrong);
    void *arg;
};
/* 0; -1: no memory, no process.  wrong: the first that was found. */
int sim_run(const struct sim_run *run, struct sim_counts *counts, struct sim_wrong *wrong);
/* One world in a process of its own; wrong.rule "trap": it did not come to its end. */
int sim_one(uint64_t seed, const struct sim_less *less, struct sim_world_result *result);

/* shrink.c: the least that still goes wrong in the same way. */
struct sim_shrunk {
    struct sim_less less;
    struct sim_wrong wrong;
    uint64_t *fate;
    uint32_t tries;
    char text[1024]; /* what is left, in words */
};
/* False: the seed does not fail.  sim_shrunk_free afterwards. */
bool sim_shrink(uint64_t seed, uint32_t most_tries, struct sim_shrunk *shrunk);
void sim_shrunk_free(struct sim_shrunk *shrunk);
/* draw.c: the ladder of the connection that went wrong, as the stack of `wrong` saw it; far: as the
 * other one did.  -1: no memory. */
int sim_draw(uint64_t seed, const struct sim_less *less, const struct sim_wrong *wrong, bool far,
             bool colour, hf_text_fn *write, void *arg);

#endif
