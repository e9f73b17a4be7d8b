/* ladder.h - the ladder's rows: made by ladder.c from trace records, drawn as text and as SVG. */
#ifndef TRACE_LADDER_H
#define TRACE_LADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handfast/trace.h"
#include "trace/peer_state.h"

enum row_kind {
    ROW_START, /* the state before anything happened       */
    ROW_OUT,   /* a segment of ours                        */
    ROW_IN,    /* one of the peer's                        */
    ROW_EVENT, /* a user call, a timer                     */
    ROW_RUN,   /* folded segments                          */
    ROW_NOTE,  /* words of the caller's, a loss            */
    ROW_END,   /* why it closed                            */
};

enum {
    ROW_CHANGED = 1u << 0,       /* this side's state is new              */
    ROW_PEER_CHANGED = 1u << 1,  /* the peer's is                         */
    ROW_PEER_CERTAIN = 1u << 2,  /* and proved                            */
    ROW_REPEAT = 1u << 3,        /* sent before                           */
    ROW_DROPPED = 1u << 4,       /* came in and was of no use             */
    ROW_LOST = 1u << 5,          /* did not arrive                        */
    ROW_TEXT_ONLY_LIVE = 1u << 6 /* a note that redrawing makes needless  */
};

enum { LABEL_BYTES = 208, NOTE_BYTES = 208, KEPT_ROWS_MAX = 4096, NO_STATE = -1 };

struct row {
    int64_t time_ns; /* since the first record                          */
    uint8_t kind;    /* enum row_kind                                   */
    uint8_t marks;   /* ROW_CHANGED ...                                 */
    int8_t left;     /* enum hf_state, or NO_STATE                      */
    int8_t right;
    uint16_t ctl; /* of a segment, to find it again when it is lost  */
    uint32_t seq, text_bytes;
    char label[LABEL_BYTES]; /* <SEQ=..>, or words                      */
    char note[NOTE_BYTES];   /* what stands below it                    */
};

/* Sequence numbers of one direction, relative to its SYN and unwrapped. */
struct numbers {
    bool known, taken; /* taken: base is not that of a SYN which came to nothing */
    uint32_t base;
    int64_t high; /* of what was taken */
};

/* What a run of folded rows holds. */
struct run {
    bool active;
    int64_t since_ns, until_ns;
    uint64_t rows, calls; /* but for user calls, and these                              */
    struct row alone;     /* the first of the rows, of calls where there are no others  */
    struct {
        uint64_t segments, octets, repeats, dropped;
        bool super;
    } in, out;
    uint64_t timeouts, events, lost;
};

enum { NAME_BYTES = 40, TITLE_BYTES = 160 };

struct hf_ladder {
    struct hf_ladder_style style; /* its strings are not used: copies are below */
    char title[TITLE_BYTES], local_name[NAME_BYTES], remote_name[NAME_BYTES];
    bool started, ended;
    uint8_t local_ip[16], remote_ip[16];
    uint16_t local_port, remote_port;
    uint64_t handle;
    int64_t first_ns, last_ns; /* the caller's clock                                    */
    int state;                 /* enum hf_state                                         */
    struct peer peer;
    struct numbers ours, theirs; /* SEQ out and ACK in; SEQ in and ACK out             */
    struct run run;
    uint32_t budget;      /* plain rows still drawn in full                           */
    uint32_t loud_budget; /* rows with SYN, FIN, RST and the like, the same           */
    uint32_t timeouts;    /* retransmission timeouts drawn since the state changed    */
    bool heard;           /* something came in since the last of them                 */
    uint32_t rto_ms;      /* as the last record had it                                */
    int64_t syn_ack_ns;   /* when a half-open connection's timer was last started    */
    uint8_t first_fin;    /* 0 none, 1 ours, 2 the peer's, 3 both at once             */
    bool iss_told, irs_told;
    uint8_t waits;             /* enum hf_cause: why nothing can leave, drawn once  */
    bool syn_out, syn_ack_out; /* sent at least once                              */
    bool shut[2];              /* the window last announced is 0: the peer's, ours */
    struct hf_trace last;      /* the record that made it CLOSED                           */
    int64_t row_ns;            /* of the last row                                          */
    struct row *rows;          /* kept ones                                                */
    size_t n_rows, room, rows_left_out;
};

/* ladder.c: writes and keeps a row */
void trace_ladder_add(struct hf_ladder *ladder, const struct row *row);
/* Stands behind the kept rows when there were more. */
extern const char trace_left_out[];
/* So little that it is drawn, not folded. */
bool trace_run_is_single(const struct run *run);

/* ladder_words.c: what a row says */
void trace_learn_numbers(struct hf_ladder *ladder, const struct hf_trace *record, bool taken);
void trace_segment_label(const struct hf_ladder *ladder, const struct hf_trace *record,
                         char *label);
void trace_segment_note(struct hf_ladder *ladder, const struct hf_trace *record, char *note);
void trace_event_label(const struct hf_ladder *ladder, const struct hf_trace *record, char *label);
void trace_run_label(const struct run *run, char *note);
void trace_why_closed(const struct hf_ladder *ladder, char *label);

/* ladder_text.c */
enum { ENDPOINT_BYTES = 64 };
/* "192.0.2.1:80", "[2001:db8::1]:80"; returns its length. */
size_t trace_endpoint(const uint8_t ip[16], uint16_t port, char at[ENDPOINT_BYTES]);
/* How much of a label or a note fits into width: to the last '>' or space that does. */
size_t trace_fitting(const char *string, size_t width);
/* The same of a segment's label: words behind the last '>' stay together. */
size_t trace_label_fitting(const char *label, size_t width);
void trace_text_head(const struct hf_ladder *ladder, bool colour, hf_text_fn *write, void *arg);
void trace_text_row(const struct row *row, bool colour, bool live, hf_text_fn *write, void *arg);

#endif
