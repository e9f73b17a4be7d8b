/* raw.h - segments of the peer with any option octets, reserved bits, data offsets. */
#ifndef COMMON_RAW_H
#define COMMON_RAW_H

#include "common/packets.h"

/* A segment with option octets as they are given, padded to a word with `pad`. */
struct raw {
    unsigned ctl;
    int64_t seq, ack;
    const uint8_t *options;
    uint32_t len; /* of the options */
    uint32_t text;
    uint8_t pad, reserved; /* what fills up to a word; the reserved bits */
};

void sends_raw(struct peer *p, const struct raw *raw);

#define sends_with_options(octets, ...)                                                            \
    sends_raw(p, &(struct raw){.options = (octets), .len = sizeof(octets), .ctl = __VA_ARGS__})

/* A whole packet from the peer to the stack with text of the peer's pattern; returns its length.
 * ack is taken with ACK alone. */
uint32_t make_tcp(struct peer *p, uint8_t *packet, unsigned ctl, int64_t number, int64_t ack,
                  uint32_t text_len);
/* Makes the TCP checksum of len octets at packet + at right again. */
void mend_tcp(uint8_t *packet, uint32_t at, uint32_t len);
/* As peer_frame_guarded, behind an Ethernet header where the link has one. */
void sends_packet(struct peer *p, const uint8_t *packet, uint32_t len);

#endif
