/* plan.h - what a seed says of a world: its stacks, its wire, its programs, and what happens.
 *
 * Everything is decided here before the first frame, but for the fate of single frames, which
 * follows from the seed and the frame's number on its lane (wire.c).
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <handfast/handfast.h>

enum {
    STACKS_MAX = 8,
    PROGRAMS_MAX = 8,
    HAPPENINGS_MAX = 12,
    CHANGES_MAX = 4,
    CONNS_MAX = 96, /* of a world */
};

/* One direction between two stacks.  Chances are parts per million of the frames. */
struct lane_plan {
    int64_t delay_ns, jitter_ns;
    int64_t late_ns;  /* the most that a late frame or a second copy takes longer  */
    uint32_t ns_byte; /* of the bottleneck, 0: none                                */
    uint32_t queue_bytes, mark_bytes; /* more is lost, more is marked CE            */
    uint32_t lose, twice, late, corrupt, mark;
    uint32_t burst, burst_frames; /* of blocks of 64 frames one run is lost        */
};

struct stack_plan {
    struct hf_config config;
    struct hf_interface iface;
    bool tight; /* its pools hold less than is wanted */
};

enum happening_kind { HAPPENS_PARTITION, HAPPENS_MTU, HAPPENS_REBOOT };
struct happening {
    enum happening_kind kind;
    uint32_t stacks; /* PARTITION: these are cut off from the others; MTU, REBOOT: its number  */
    uint32_t mtu;    /* MTU: of what this one is sent                                    */
    bool told;       /* MTU: by ICMP                                                     */
    int64_t from_ns, until_ns;
};

/* What an application may send: anything; after the end of what it is sent; for each `unit` of its
 * peer's a unit of its own, the client first. */
enum gate { GATE_FREE, GATE_END, GATE_TURNS };
/* When it closes: all is sent; ... and the end of what it is sent was read; ... all of it came. */
enum closing { CLOSE_SENT, CLOSE_END, CLOSE_CAME };

struct role {
    uint32_t bytes; /* to be sent */
    uint32_t unit;  /* GATE_TURNS */
    uint32_t chunk; /* octets a call, at most */
    uint8_t gate, closing;
    bool release;      /* the handle, as soon as both directions have ended; else once CLOSED   */
    bool borrowed;     /* text is lent, not copied */
    bool slices;       /* reads without copying */
    uint32_t abort_at; /* ... after so many octets sent; UINT32_MAX: not */
    uint32_t pause_us; /* between two reads */
    /* After so many octets it sends nothing for so long, reads nothing; 0 ns: it goes on. */
    uint32_t rest_at, deaf_at;
    int64_t rest_ns, deaf_ns;
    uint32_t set; /* bits: 1 << enum hf_option, of those that programs set */
    int64_t receive_window, send_buffer, max_segment;
    uint32_t pace; /* HF_MAX_PACING_RATE */
};

/* Of one stack's policy, at one time. */
struct change {
    uint32_t stack;
    int64_t at_ns;
    bool listeners; /* are closed, and open again                  */
    bool fast_open; /* has other keys, and knows no server's cookie */
    bool addresses; /* are taken away, and given again              */
    struct hf_policy policy;
};

enum program_kind {
    PROGRAM_BULK,
    PROGRAM_REQUESTS,
    PROGRAM_HALF_CLOSE,
    PROGRAM_ABORT,
    PROGRAM_STORM,
    PROGRAM_AGAIN, /* the same pair of sockets, one after another */
    PROGRAM_BOTH,  /* both sides open (RFC 9293 Figure 7) */
    PROGRAM_KINDS
};

struct program {
    enum program_kind kind;
    uint8_t client, server; /* stacks */
    bool v6, fast_open;
    bool defers;       /* its SYN waits for what it sends first (HF_FAST_OPEN_DEFER) */
    bool holds;        /* SYNs wait for the server's answer ...                     */
    int64_t answer_ns; /* ... which takes so long                             */
    bool off;          /* taken out, to shrink */
    uint16_t conns;
    uint16_t backlog;
    int64_t at_ns, every_ns; /* the first connection, and those after it */
    struct role role[2];
};

struct plan {
    uint64_t seed;
    uint32_t n_stacks, n_programs, n_happenings;
    bool ethernet;
    uint32_t batch;     /* frames given to a stack in one call, at most */
    int64_t quantum_ns; /* frames arrive at multiples of it */
    int64_t begin_ns, clean_ns;
    int64_t life_ns; /* no frame lives longer */
    struct stack_plan stack[STACKS_MAX];
    struct lane_plan lane[STACKS_MAX][STACKS_MAX];
    struct program program[PROGRAMS_MAX];
    struct happening happening[HAPPENINGS_MAX];
    bool rests;                  /* programs rest, up to 60 days */
    bool restless;               /* programs set options again and again, and send urgent data */
    uint32_t narrow, narrow_mtu; /* what this stack is sent passes so much at most; 0: any */
    bool narrow_told;            /* by ICMP; else senders search */
    uint32_t n_changes;
    struct change change[CHANGES_MAX];
};

/* The same seed, the same plan. */
void plan_make(struct plan *plan, uint64_t seed);
/* Its stacks as hf_config_default has them; its lanes without delays that vary, and bottlenecks. */
void plan_plain_stack(struct plan *plan, uint32_t stack);
void plan_plain_lanes(struct plan *plan);
/* Nobody rests, no option is set while text flows, no policy is changed, no SYN is held, no lane is
 * narrow. */
void plan_calm(struct plan *plan);

#endif
