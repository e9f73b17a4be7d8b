/* link.h - the peer on an Ethernet link: ARP (RFC 826) and neighbour discovery (RFC 4861). */
#ifndef COMMON_LINK_H
#define COMMON_LINK_H

#include "common/peer.h"

enum { ETH = 14 };
enum { NS = ICMP6_NEIGHBOUR_SOLICIT, NA = ICMP6_NEIGHBOUR_ADVERT };

extern const uint8_t everybody[6], other_mac[6]; /* other_mac: neither the stack's nor the peer's */

struct nd_spec {
    const uint8_t *src, *dst, *target, *mac; /* mac NULL: no link-layer address option */
    uint8_t type, hop_limit, code;           /* hop_limit 0: 255                       */
    bool solicited, override, router, bad_checksum;
    const uint8_t *options; /* further ones, before mac's */
    uint32_t options_len;
};

/* From the peer's link address to this one. */
void sends_frame(struct peer *p, const uint8_t dst[6], uint16_t type, const void *payload,
                 uint32_t len);
/* spa, tpa: as ::ffff:a.b.c.d */
void sends_arp(struct peer *p, uint16_t op, const uint8_t sha[6], const uint8_t spa[16],
               const uint8_t tpa[16]);
void sends_nd(struct peer *p, const struct nd_spec *spec);
/* The peer answers who it is; the test says with which link address. */
void answers_as(struct peer *p, const uint8_t ip[16], const uint8_t mac[6]);
void answers(struct peer *p, const uint8_t mac[6]);
/* Somebody with this address and link address asks who the stack is. */
void asks_as(struct peer *p, const uint8_t ip[16], const uint8_t mac[6]);
/* ff02::1:ffXX:XXXX, RFC 4291 2.7.1 */
void solicited_node(const uint8_t ip[16], uint8_t group[16]);
/* The stack asks who the peer is. */
void expects_question(struct peer *p, bool unicast);

/* The peer is known by its own answer, and the connection to it open. */
void knows_the_peer(struct peer *p);
/* Takes all questions for the peer that have left; returns how many. */
unsigned takes_questions(struct peer *p);
/* Ten octets leave for this link address, and are acknowledged. */
void text_goes_to(struct peer *p, const uint8_t mac[6]);

#endif
