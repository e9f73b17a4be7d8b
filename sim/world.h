/* world.h - one world under way: stacks, the wire between them, the programs on top, and who
 * watches.
 *
 *     world.c     begin, the events in order of time, end
 *     agenda.c    what is to happen when
 *     wire.c      frames on their way, and what goes wrong with them; icmp.c: "too big"; cut.c
 *     programs.c  applications: who opens what; talk.c: what they say, and whether it is understood
 *     hold.c      listeners that answer each SYN themselves
 *     unrest.c    pauses of days, settings that change while text flows
 *     judge.c     how a connection may end
 *     watch.c     properties of each stack, seen in its trace
 *
 * A world lives in one thread and in memory that is made once and used for one after another.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "dice.h"
#include "plan.h"
#include "sim.h"

enum {
    SMALL_BYTES = 2048,
    BIG_BYTES = 66000,
    SMALL_SLOTS = 4096,
    BIG_SLOTS = 192,
    AGENDA_MAX = 16384,
    HELD_MAX = 128,
    PATTERN = 65521, /* octets after which the streams' text repeats itself */
};

/* The agenda -------------------------------------------------------------------------------- */

enum due_kind {
    DUE_FRAME,
    DUE_WAKE,
    DUE_RESTED,
    DUE_OPEN,
    DUE_DOWN,
    DUE_UP,
    DUE_CHANGE,
    DUE_ANSWER,
    DUE_SWEEP
};
struct due {
    int64_t at_ns;
    uint32_t early_ns; /* it was there so long before, and is before others at its time */
    uint32_t order;    /* of those at one time, first come, first served */
    uint16_t kind, side;
    uint32_t which; /* slot, connection, program, happening */
};
struct agenda {
    uint32_t n, order;
    struct due heap[AGENDA_MAX];
};
/* False: it is full. */
bool agenda_put(struct agenda *agenda, struct due due);
struct due agenda_take(struct agenda *agenda);
static inline int64_t agenda_next(const struct agenda *agenda)
{
    return agenda->n ? agenda->heap[0].at_ns : INT64_MAX;
}

/* Frames --------------------------------------------------------------------------------------- */

struct slot {
    uint32_t next; /* free list */
    uint32_t len;
    uint16_t flags, gso_size; /* of hf_frame_in */
    uint8_t to;
    uint8_t *data;
};

struct lane {
    uint64_t count;  /* frames offered so far */
    int64_t free_ns; /* the bottleneck is, from then on */
};

struct wire {
    struct lane lane[STACKS_MAX][STACKS_MAX];
    struct slot slot[SMALL_SLOTS + BIG_SLOTS];
    uint32_t free_small, free_big;
    uint8_t *octets;
};
void wire_init(struct world *world);
/* Nothing is under way, nothing due. */
void wire_begin(struct world *world);
/* A frame leaves a stack. */
void wire_offer(struct world *world, uint32_t from, const struct hf_frame_out *frame);
/* A frame that the lane takes meets its fate, and is under way. */
void wire_send(struct world *world, uint32_t from, uint32_t to, uint32_t slot);
/* cut.c: sends it in pieces of so many octets at most.  False: that is not to be done. */
bool cut_apart(struct world *world, uint32_t from, uint32_t to, uint32_t slot, uint32_t mtu);
/* Those who sent something through a lane that takes so many octets hear of it. */
void wire_tell_too_big(struct world *world, const struct slot *slot, uint32_t from, uint32_t mtu);
/* icmp.c: the Internet's checksum (RFC 1071) of words added to `sum`, and its place in a header. */
uint32_t wire_sum(const uint8_t *p, uint32_t len, uint32_t sum);
void wire_put_sum(uint8_t *at, uint32_t sum);
uint32_t wire_slot(struct world *world, uint32_t len); /* UINT32_MAX: none is free */
void wire_free(struct world *world, uint32_t slot);
/* Is its time over? */
bool wire_cut(const struct world *world, uint32_t from, uint32_t to);

/* Connections ---------------------------------------------------------------------------------- */

/* Why a connection of this world may end otherwise than in order. */
enum {
    BECAUSE_ABORT = 1u << 0,     /* a program aborts */
    BECAUSE_REBOOT = 1u << 1,    /* a stack has forgotten it */
    BECAUSE_TIMEOUT = 1u << 2,   /* an end gave up, or found no way, while things went wrong */
    BECAUSE_NOT_TAKEN = 1u << 3, /* the server never took it */
    BECAUSE_CROSSED = 1u << 4,   /* both sides open, one too early */
    BECAUSE_ORPHAN = 1u << 5,    /* a released handle's stack gave up */
    BECAUSE_EXPOSED = 1u << 6,   /* segments of the one before have come into it */
};

struct side {
    hf_handle handle; /* 0: not opened, or released */
    struct dice dice, moods;
    uint64_t sent, received;
    int64_t wake_ns; /* it does not read before */
    int64_t rest_ns; /* it does not send before */
    int32_t error;
    int32_t told; /* the error that a SEND was told, as no RECEIVE will be */
    bool open;    /* connected, or accepted */
    bool closed, ended, end_read, aborted;
    bool wakes; /* it is in the agenda */
    bool rested, was_deaf;
    bool hurry; /* the connection is gone: what is left is read without pauses */
};

struct conn {
    uint8_t program;
    bool done;
    uint8_t because;
    uint16_t number;  /* of its program */
    uint32_t salt;    /* where in the pattern its streams begin */
    uint32_t iss;     /* of the client's SYN */
    uint32_t boot[2]; /* of the stacks when it was opened */
    struct hf_endpoint local;
    uint16_t port;
    int64_t opened_ns;
    struct side side[2]; /* client, server */
};

/* A SYN that its listener holds, until there is a connection, or none. */
struct held {
    hf_handle handle; /* 0: none */
    uint8_t host, program;
    bool waits; /* for the answer, in the agenda */
};

struct host {
    struct hf_stack *stack;
    struct hf_env env;
    uint64_t block_bytes;
    int64_t deadline_ns;
    uint32_t boots;
    bool down, touched;
    hf_handle listener[PROGRAMS_MAX];
    struct watch *watch;
    void *marks; /* of hf_check */
    uint64_t marks_bytes;
};

struct world {
    struct plan plan;
    const struct sim_less *less; /* what is taken out; NULL: nothing */
    int64_t now_ns;
    int64_t read_ns; /* when a program has read something last */
    int64_t rest_ns; /* when all will have rested that do now */
    struct host host[STACKS_MAX];
    struct agenda agenda;
    struct wire wire;
    struct conn conn[CONNS_MAX];
    uint32_t n_conns, n_opened[PROGRAMS_MAX], open_left;
    struct held held[HELD_MAX];
    uint32_t turn; /* of hf_check */
    bool oracle;   /* it judges each record */
    bool unseen;   /* nobody traces */
    bool guessed;  /* text behind lost text was taken for the ACK of a cookie */
    bool exposed;  /* while somebody did, RFC 1337's hazard was seen */
    /* The server has answered a connection's SYN with a cookie, has believed its Fast Open.  Known
     * where nobody traces, too: the world is the same, but for when exactly a connection begins. */
    bool got_cookie[CONNS_MAX], got_fast_open[CONNS_MAX];
    struct sim_world_result *result;
    struct sim_view *view;   /* who draws; NULL: nobody */
    struct hf_region region; /* the pattern, lent to every stack */
    uint8_t pattern[2 * PATTERN];
};

static inline bool world_failed(const struct world *world)
{
    return world->result->wrong.rule[0] != '\0';
}
/* A property is broken; the first one counts.  conn may be NULL. */
void world_wrong(struct world *world, const struct conn *conn, const char *rule, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

/* What handles are called: a connection's side is a small number. */
enum { COOKIE_LISTENER = 1 << 16, COOKIE_HELD = 1 << 17 };

/* programs.c */
void world_address(uint8_t ip[16], uint32_t host, bool v6);
void programs_begin(struct world *world);
void programs_listen(struct world *world, uint32_t host); /* after each boot */
/* Its listeners are closed, and open again. */
void programs_listen_anew(struct world *world, uint32_t host);
void programs_open(struct world *world, uint32_t program);
void programs_events(struct world *world, uint32_t host);
void programs_forget(struct world *world, uint32_t host); /* it has lost all its state */
/* Connections that cannot end by themselves, since something went wrong, are given up. */
void programs_sweep(struct world *world);
uint32_t programs_host(const struct world *world, const struct conn *conn, uint32_t side);
/* The server has accepted it. */
void programs_take(struct world *world, struct conn *conn, hf_handle handle);
bool programs_done(const struct world *world);

/* talk.c: this side reads, sends and closes as far as it can. */
void talk(struct world *world, struct conn *conn, uint32_t side);
void talk_release(struct world *world, struct conn *conn, uint32_t side);

/* unrest.c: a side rests, or stops to read, where its role has it so; options and policies change.
 */
void unrest_begin(struct world *world);
bool unrest_keeps_silent(struct world *world, struct conn *conn, uint32_t side);
bool unrest_turns_deaf(struct world *world, struct conn *conn, uint32_t side);
bool unrest_is_urgent(const struct world *world, struct side *side);
void unrest_options(struct world *world, struct conn *conn, uint32_t side);
void unrest_change(struct world *world, uint32_t which);
/* What is tried again while others rest may wait for longer: so many nanoseconds more. */
int64_t unrest_patience(const struct world *world, int64_t since_ns);

/* hold.c: listeners that answer each SYN themselves. */
void hold_begin(struct world *world);
void hold_forget(struct world *world, uint32_t host);
/* SYNs that this program's listener has not seen. */
void hold_asked(struct world *world, uint32_t host, uint32_t program);
void hold_answer(struct world *world, uint32_t which);
/* False: it has become a connection, whose handle it is from now on. */
bool hold_event(struct world *world, const struct hf_event *event);

/* judge.c */
void judge_gone(struct world *world, struct conn *conn, uint32_t side, int error);
void judge_accepted(struct world *world, uint32_t host, uint32_t program, hf_handle handle,
                    const struct hf_status *status);
void judge_conn(struct world *world, struct conn *conn);
/* Of each connection that both ends have: RCV.NXT is not beyond the peer's SND.NXT. */
void judge_ends(struct world *world);
bool judge_may_turn_away(const struct world *world, const struct conn *conn, bool taken);
/* A SYN that a cookie has answered, or whose Fast Open cookie was believed. */
void judge_syn(struct world *world, uint32_t host, const struct hf_trace *record);
/* The side reads what was not sent there: is that RFC 1337's hazard? */
bool judge_is_exposed(struct world *world, struct conn *conn, uint32_t side);

/* watch.c */
struct watch *watch_new(void);
void watch_free(struct watch *watch);
void watch_begin(struct world *world, uint32_t host);
/* n frames are about to be taken in. */
void watch_input(struct world *world, uint32_t host, uint32_t n);
/* It sends so many octets a second at most, from now on. */
void watch_pace(struct world *world, uint32_t host, hf_handle handle, uint32_t rate);
/* Could what this side reads be of the connection before it? */
bool watch_is_exposed(struct world *world, const struct conn *conn, uint32_t side,
                      const struct hf_status *status);
hf_trace_fn watch_trace;

#endif
