/* lwip_side.h - Debian's lwIP in this process, as one host with a listener on port 80, which opens
 * connections, too.
 */
#ifndef FUZZ_LWIP_SIDE_H
#define FUZZ_LWIP_SIDE_H

#include <stdbool.h>
#include <stdint.h>

enum { LWIP_STREAM = 1 << 17 };

/* What its application has seen of the one connection. */
struct lwip_seen {
    bool peer_closed;
    uint32_t read;
    uint8_t stream[LWIP_STREAM];
};

extern struct lwip_seen lwip_seen;

/* No connection is left of the run before.  sent: takes each packet that leaves. */
void lwip_begin(const uint8_t own4[16], const uint8_t own6[16],
                void (*sent)(const uint8_t *packet, uint32_t len));
/* An active open from this port. */
void lwip_open(uint16_t port, const uint8_t peer[16], uint16_t peer_port);
/* Of the connection with this port of the peer, as an enum hf_state; HF_CLOSED: there is none. */
uint8_t lwip_state(uint16_t peer_port);
void lwip_deliver(const uint8_t *packet, uint32_t len);
/* A quarter of a second passes. */
void lwip_tick(void);
/* Octets taken of the text that the connection is given to send. */
uint32_t lwip_write(const uint8_t *text, uint32_t len);
/* It has no more to send. */
void lwip_shut(void);
/* The same, and the application reads no more. */
void lwip_close(void);

#endif
