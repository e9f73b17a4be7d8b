/* repeats.h - what of one direction of a connection was sent again, and whether there was need: a
 * repeat all of whose octets had been forwarded before was spurious. */
#ifndef COMMON_REPEATS_H
#define COMMON_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

enum { REPEATS_PIECES = 8192 };

struct repeats {
    bool begun;
    uint32_t first;     /* number of the first octet of text                    */
    uint64_t sent;      /* octets of the stream sent at least once: its highest */
    uint64_t forwarded; /* all below were forwarded ...                         */
    struct repeats_piece {
        uint64_t from, to;
    } piece[REPEATS_PIECES]; /* ... and these, in order, none touching another  */
    uint32_t n;
    uint64_t segments, again, spurious; /* segments with text; those sent again; without need */
    uint64_t again_octets, spurious_octets;
    uint64_t overflows;
};

/* A segment with len octets of text from number seq on, as it left the sender; was it forwarded? */
void repeats_segment(struct repeats *r, uint32_t seq, uint32_t len, bool forwarded);

#endif
