/* frame.h - frames of hf_output in the making. */
#ifndef STACK_FRAME_H
#define STACK_FRAME_H

#include "stack/stack.h"

/* One hf_output under way. */
struct output {
    struct stack *st;
    struct hf_frame_out *frames;
    uint32_t n, room;
    uint32_t turns; /* that may yet go into what makes no frame: loops, packets that wait */
    uint64_t token; /* taken, for the next frame                                          */
};

/* frame.c */
/* A segment of ours, with the link address it goes to. */
void frame_segment(struct output *o, const struct stack_path *path, const uint8_t mac[6],
                   const struct tcp_out *out);
/* Several (out->cut), a frame each. */
void frame_parts(struct output *o, const struct stack_path *path, const uint8_t mac[6],
                 const struct tcp_out *out);
/* A packet, or the next fragment of it; true: it has left whole. */
bool frame_packet(struct output *o, const struct stack_path *path, const uint8_t mac[6],
                  struct stack_packet *packet);

#endif
