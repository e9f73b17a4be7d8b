/* play.h - trace records made by hand, as this side would make them, and text compared whole. */
#ifndef TRACE_PLAY_H
#define TRACE_PLAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "handfast/packet.h"
#include "handfast/trace.h"

enum { PLAYED_ROOM = 1 << 16 };

struct played {
    hf_trace_fn *sink;
    void *sink_arg;
    int64_t now_ns;
    enum hf_state state;
    uint32_t iss, irs, rcv_nxt, rto_ms;
    uint64_t handle;
    uint16_t local_port;
    size_t len;
    char text[PLAYED_ROOM];
};

/* Collects what a ladder writes. */
void collect(void *played, const char *text, size_t len);

/* A connection 192.0.2.1:40000 to 198.51.100.2:80 whose records go to sink. */
void play(struct played *played, hf_trace_fn *sink, void *sink_arg, enum hf_state state);
void at_ms(struct played *played, int64_t ms);

/* Members that a segment may have beside the obvious ones. */
struct more {
    uint32_t none, ack, text, wnd;
    bool shut; /* wnd 0 */
    uint8_t marks;
    uint16_t mss;
    uint8_t wscale, options;
    uint8_t fast_open_kind, fast_open_bytes;
    enum hf_verdict verdict;
    enum hf_cause cause;
};
void sends_record(struct played *played, uint16_t ctl, uint32_t seq, enum hf_state after,
                  struct more more);
void gets_record(struct played *played, uint16_t ctl, uint32_t seq, enum hf_state after,
                 struct more more);
/* wnd 65535 and, coming in, HF_V_ACCEPTED where nothing else is said. */
#define sends(played, ctl, seq, after, ...)                                                        \
    sends_record(played, ctl, seq, after, (struct more){.none = 0, __VA_ARGS__})
#define gets(played, ctl, seq, after, ...)                                                         \
    gets_record(played, ctl, seq, after, (struct more){.none = 0, __VA_ARGS__})
void calls(struct played *played, enum hf_cause cause, enum hf_state after);
void timer(struct played *played, enum hf_cause cause, enum hf_state after);
/* The same, and it closes for a reason of its own. */
void timer_closes(struct played *played, enum hf_cause cause, enum hf_verdict verdict);
void ends(struct played *played, enum hf_cause cause, int error);
void waits(struct played *played, enum hf_cause cause);
/* The packet of a segment, as a capture or a lossy device sees it. */
struct hf_packet packet_of(const struct played *played, bool out, uint16_t ctl, uint32_t seq,
                           uint32_t ack, uint32_t text);

#define FIN HF_FIN
#define SYN HF_SYN
#define RST HF_RST
#define PSH HF_PSH
#define ACK HF_ACK

#endif
