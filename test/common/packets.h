/* packets.h - IP packets of the peer, for tests below TCP: datagrams, ICMP, fragments. */
#ifndef COMMON_PACKETS_H
#define COMMON_PACKETS_H

#include "common/peer.h"

enum { HERE = 7000, THERE = 9000, ROOM = 70000 };

extern uint8_t data[ROOM];      /* a pattern                */
extern uint8_t got[ROOM];       /* room for what is read    */
extern uint16_t fragment_ident; /* of the fragments sent    */

/* A header from the peer to the stack, without lengths. */
struct wire_ip ip_in(const struct peer *p, uint8_t proto);
uint8_t icmp_proto(const struct peer *p);
/* A whole UDP datagram from THERE to HERE with len octets of data; returns its length. */
uint32_t make_datagram(const struct peer *p, uint8_t *out, uint32_t len);
uint32_t make_icmp(const struct peer *p, uint8_t *out, uint8_t type, uint8_t code, const void *body,
                   uint32_t len);
/* Octets from..to of an IP payload as a fragment. */
void sends_fragment(struct peer *p, uint8_t proto, const uint8_t *payload, uint32_t from,
                    uint32_t to, bool more);
/* IPv4 and IPv6 packets as octets: header and payload; returns the length. */
uint32_t make_packet(const struct peer *p, uint8_t *out, uint8_t proto, const void *payload,
                     uint32_t len);
/* The same with ip's lengths and addresses as they are given (total_len is filled in). */
uint32_t make_packet_of(uint8_t *out, struct wire_ip ip, const void *payload, uint32_t len);
/* A TCP segment with checksum for ip's addresses; text may be NULL. */
uint32_t make_segment(const struct wire_ip *ip, uint8_t *out, const struct segment *seg,
                      const void *text, uint32_t len);
/* Makes an IPv4 header's checksum right again. */
void mend_ip4(uint8_t *packet);
/* Room for len octets, behind which there is nothing to read; the same at each call. */
uint8_t *at_page_end(uint32_t len);
/* As peer_frame, from memory that ends where the frame does (reading on is a fault), and that has
 * other octets as soon as hf_input is done. */
void peer_frame_guarded(struct peer *p, const void *bytes, uint32_t len);
/* The reply to an echo request of len octets, whole, with the checksum right: fragments are put
 * together. */
void expects_echo(struct peer *p, const uint8_t *request, uint32_t len);
/* A UDP socket on this port. */
hf_handle socket_on(struct peer *p, uint16_t port);
/* Neither fragments nor packets, nor text, are kept. */
void nothing_is_held(struct peer *p);
uint64_t verdicts(const struct peer *p, enum hf_verdict verdict);
/* The counters now. */
struct hf_counters counters_of(const struct peer *p);
/* hf_canonical's octets now, to be freed; *bytes: how many. */
uint8_t *state_of(struct peer *p, uint64_t *bytes);
/* Is it as it was?  Frees before. */
bool state_is(struct peer *p, uint8_t *before, uint64_t bytes);
/* As peer_setup4 and peer_setup6, with data filled in. */
int packets_setup4(void **state);
int packets_setup6(void **state);

#define ON_BOTH(name)                                                                              \
    {#name, name, packets_setup4, peer_teardown, NULL},                                            \
    {                                                                                              \
#name ", IPv6", name, packets_setup6, peer_teardown, NULL                                  \
    }

#endif
