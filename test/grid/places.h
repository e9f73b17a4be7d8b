/* places.h - the grid's places: each state as it is reached through the public interface, by
 * handmade segments; a stack is a value, so a place is a copy of its block.
 *
 * The numbers a cell is made from (SND.UNA, RCV.NXT, the right edge ...) are those seen on the
 * wire, never read out of the stack.
 */
#ifndef GRID_PLACES_H
#define GRID_PLACES_H

#include "common/judge.h"
#include "grid/rules.h"
#include "handfast/handfast.h"
#include "wire/wire.h"

struct place {
    const char *name;
    enum hf_state state;
    unsigned where;
    bool ts;    /* timestamps agreed upon                                      */
    bool young; /* nothing but our SYN was acknowledged: ISS+1 is the bound     */
    /* Set on the way. */
    hf_handle handle; /* 0: none, or released                                         */
    hf_handle listener;
    int64_t now_ns;
    uint64_t bytes;
    uint8_t *image;
    struct judge judge;     /* the oracle as it is there: a value too */
    seq_t iss;              /* the stack's */
    seq_t snd_una, snd_nxt; /* the stack's */
    seq_t rcv_nxt;          /* the stack's: also this side's next number */
    uint32_t rcv_wnd;       /* as it last promised                       */
    uint32_t max_snd_wnd;   /* the largest window it was told            */
    uint32_t ts_recent;     /* the last TSval it was sent                */
    uint32_t ts_ecr;        /* the last TSval it sent                    */
    bool has_iss;
};

extern const struct place places[];
extern const unsigned n_places;

enum { GRID_FRAME_BYTES = 40 + 60 + 128 };

struct hf_stack *grid_block(uint64_t bytes); /* aligned, never NULL; free() it */
/* Plays place->name's prelude; false: *why, and nothing to free but what place_leave does. */
bool place_reach(struct place *place, char *why, size_t room);
void place_leave(struct place *place);
/* Does the place have this class?  (In TIME-WAIT nothing is in flight ...) */
bool place_has(const struct place *place, const struct cell *cell);

/* The segment of a cell, and as a packet; returns its length. */
void place_segment(const struct place *place, const struct cell *cell, struct segment *seg);
uint32_t place_frame(const struct segment *seg, uint8_t frame[GRID_FRAME_BYTES]);
/* A frame of hf_output as a segment; false: it is none. */
bool place_parse(const struct hf_frame_out *out, struct segment *seg);

#endif
