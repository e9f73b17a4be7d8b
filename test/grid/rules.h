/* rules.h - the grid's rules: rules.csv read, and the first rule that fits a cell.
 *
 * A cell is a place (a state and how it was reached) and one segment: nine control bits, where its
 * sequence number lies in the receive window, where its acknowledgment number lies among what was
 * sent, octets of text, timestamp.  A rule's empty column fits all; several words: any of them;
 * `where`, `on` and `off`: all of them.
 */
#ifndef GRID_RULES_H
#define GRID_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "handfast/trace.h"

/* old        wholly before RCV.NXT
 * left-1     RCV.NXT-1
 * left       RCV.NXT
 * in         inside the window
 * right      its last octet
 * out        the first number behind it */
enum seq_class { SEQ_OLD, SEQ_LEFT_1, SEQ_LEFT, SEQ_IN, SEQ_RIGHT, SEQ_OUT, SEQ_CLASSES };

/* low        below max(ISS+1, SND.UNA-MAX.SND.WND), RFC 5961 section 5.2
 * dup        below SND.UNA, not that far
 * una        SND.UNA
 * flight     SND.NXT-1, when that is above SND.UNA: all but our FIN, if there is one
 * nxt        SND.NXT
 * unsent     SND.NXT+1 */
enum ack_class { ACK_LOW, ACK_DUP, ACK_UNA, ACK_FLIGHT, ACK_NXT, ACK_UNSENT, ACK_CLASSES };

enum text_class { TEXT_0, TEXT_1, TEXT_N, TEXT_CLASSES };

/* none       neither agreed upon nor there
 * extra      there, but not agreed upon
 * newer, equal, older   agreed upon; against TS.Recent
 * missing    agreed upon, but not there */
enum ts_class { TS_NONE, TS_EXTRA, TS_NEWER, TS_EQUAL, TS_OLDER, TS_MISSING, TS_CLASSES };

enum {
    WHERE_ACTIVE = 1u << 0,
    WHERE_PASSIVE = 1u << 1,
    WHERE_KEPT = 1u << 2,     /* the application holds the handle    */
    WHERE_RELEASED = 1u << 3, /* ... has released it                 */
    WHERE_ALONE = 1u << 4,    /* nobody listens on the port          */
    WHERE_LISTENER = 1u << 5, /* somebody does                       */
};

/* ACK         <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, RCV.NXT as before the segment
 * ACK-END     the same, RCV.NXT=SEG.SEQ+SEG.LEN
 * RST         <SEQ=SEG.ACK><CTL=RST>
 * RST+ACK     <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
 * SYN+ACK     <SEQ=ISS><ACK=SEG.SEQ+1><CTL=SYN,ACK>
 * SYN+ACK-NEW the same with an ISS of its own */
enum reply {
    REPLY_NONE,
    REPLY_ACK,
    REPLY_ACK_END,
    REPLY_RST,
    REPLY_RST_ACK,
    REPLY_SYN_ACK,
    REPLY_SYN_ACK_NEW,
    REPLIES
};

enum { STATE_SAME = HF_STATES }; /* "=": the state stays */

struct cell {
    enum hf_state state;
    unsigned where;
    unsigned ctl; /* HF_FIN ... HF_AE */
    enum seq_class seq;
    enum ack_class ack;
    enum text_class text;
    enum ts_class ts;
};

struct rule {
    unsigned line;
    unsigned states, where, on, off;  /* bits; states by enum hf_state */
    unsigned seq, ack, len, text, ts; /* bits by class; len: 0, 1, 2+  */
    unsigned verdict, reply, next;
    unsigned hits;
    const void *shown; /* the place it last failed in */
    char sentence[160], place[64];
};

enum { RULES_MAX = 400 };

struct rules {
    unsigned n;
    struct rule rule[RULES_MAX + 1];
    char error[200];
};

/* False: rules->error tells what is wrong, with the line. */
bool rules_read(struct rules *rules, const char *path);
/* The first that fits, NULL: none. */
struct rule *rules_find(struct rules *rules, const struct cell *cell);

uint32_t cell_text_bytes(const struct cell *cell);
uint32_t cell_len(const struct cell *cell); /* SEG.LEN */

const char *seq_class_name(unsigned i);
const char *ack_class_name(unsigned i);
const char *text_class_name(unsigned i);
const char *ts_class_name(unsigned i);
const char *reply_name(unsigned i);
const char *ctl_name(unsigned bit);

#endif
