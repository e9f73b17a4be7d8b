/* packet.h - a decoder for whole packets: Ethernet, ARP, IPv4, IPv6, ICMP, UDP, TCP (RFC 9293 3.1).
 *
 * For programs that look at frames: captures, filters, tests, views.  Any bytes are safe, nothing
 * is kept, nothing is allocated.  Numbers are in host order, addresses are 16 octets, IPv4 as
 * ::ffff:a.b.c.d.
 */
#ifndef HANDFAST_PACKET_H
#define HANDFAST_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handfast/handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of hf_packet.layers: what was found, and its fields filled in. */
enum {
    HF_LAYER_ETHERNET = 1u << 0, /* mac_src, mac_dst, ether_type                             */
    HF_LAYER_VLAN = 1u << 1,     /* vlan                                                     */
    HF_LAYER_ARP = 1u << 2,      /* arp_op; src, dst: sender's and target's protocol address */
    HF_LAYER_IP = 1u << 3,       /* version ... ip_bytes, src, dst                           */
    HF_LAYER_FRAGMENT = 1u << 4, /* a part of a packet: nothing behind IP was looked at      */
    HF_LAYER_TCP = 1u << 5,      /* ports, seq ... ts_ecr                                    */
    HF_LAYER_UDP = 1u << 6,      /* ports                                                    */
    HF_LAYER_ICMP = 1u << 7,     /* icmp_type, icmp_code, icmp_rest                          */
    HF_LAYER_QUOTE = 1u << 8,    /* the packet that an ICMP error speaks of: quote_*         */
};

/* Bits of hf_packet.wrong. */
enum {
    HF_WRONG_SHORT = 1u << 0,        /* the frame ends before what it holds does            */
    HF_WRONG_FORM = 1u << 1,         /* fields that cannot be                               */
    HF_WRONG_IP_CHECKSUM = 1u << 2,  /*                                                     */
    HF_WRONG_CHECKSUM = 1u << 3,     /* TCP, UDP, ICMP; an offloaded one is always wrong    */
    HF_WRONG_TCP_OPTIONS = 1u << 4,  /* a bad length ended the options; those before stand  */
    HF_WRONG_SOURCE_ROUTE = 1u << 5, /* an IPv4 source route or IPv6 type 0 routing header  */
};

struct hf_packet {
    uint32_t struct_size; /* sizeof(struct hf_packet), filled in by the caller              */
    uint16_t layers;      /* HF_LAYER_*                                                     */
    uint16_t wrong;       /* HF_WRONG_*; 0: a sound packet                                  */

    uint8_t mac_src[6], mac_dst[6];
    uint16_t ether_type; /* behind the VLAN tags                                            */
    uint16_t vlan;       /* the 16 bits of the outer tag                                    */
    uint16_t arp_op;     /* 1 request, 2 reply                                              */

    uint8_t version;      /* 4 or 6                                                         */
    uint8_t protocol;     /* behind IPv6 extension headers: 6 TCP, 17 UDP, 1 and 58 ICMP    */
    uint8_t ttl;          /* TTL, hop limit                                                 */
    uint8_t tos;          /* DSCP and ECN                                                   */
    bool dont_fragment;   /* IPv4                                                           */
    bool more_fragments;  /*                                                                */
    uint16_t frag_offset; /* octets                                                         */
    uint32_t ip_offset;   /* of the IP header in the frame                                  */
    uint32_t ip_bytes;    /* of the whole packet as it says                                 */
    uint8_t src[16], dst[16];

    uint16_t src_port, dst_port;
    uint32_t header_offset; /* of the TCP, UDP or ICMP header in the frame                  */
    uint32_t text_offset;   /* of the octets behind that header                             */
    uint32_t text_bytes;    /* how many of them                                             */

    uint32_t seq, ack; /* SEG.SEQ, SEG.ACK                                                  */
    uint32_t len;      /* SEG.LEN: text plus one for SYN, one for FIN                       */
    uint16_t ctl;      /* HF_FIN ... HF_AE                                                  */
    uint16_t wnd;      /* SEG.WND as it stands, not scaled                                  */
    uint16_t up;       /* SEG.UP                                                            */
    uint16_t mss;      /* with HF_OPT_MSS                                                   */
    uint8_t options;   /* HF_OPT_*                                                          */
    uint8_t wscale;    /* with HF_OPT_WSCALE                                                */
    uint8_t n_sack;    /* with HF_OPT_SACK: blocks                                          */
    uint8_t icmp_type, icmp_code;
    uint32_t sack[4][2];     /* left and right edges                                        */
    uint32_t ts_val, ts_ecr; /* with HF_OPT_TS                                              */

    uint32_t icmp_rest; /* octets 4 .. 7: identifier and number, MTU, pointer               */
    uint8_t quote_protocol;
    uint8_t quote_src[16], quote_dst[16];
    uint16_t quote_src_port, quote_dst_port; /* 0: not quoted                               */
    uint32_t quote_seq;                      /* TCP, as far as quoted                       */
};

/* Decodes one frame.  HF_OK: all of it was understood and is sound; HF_ERR_INVALID: packet->wrong
 * says what is not, and packet->layers how far it was understood; HF_ERR_UNSUPPORTED: sound as far
 * as it goes, but neither ARP nor IP, or another protocol above IP.  HF_ERR_INVALID with packet as
 * it was: struct_size ends before mac_src. */
int hf_packet_decode(const uint8_t *frame, size_t len, enum hf_link link, struct hf_packet *packet);

enum { HF_ADDRESS_TEXT = 46 }; /* octets that any address needs as text, with its 0 */

/* "192.0.2.1", "2001:db8::1" (RFC 5952). Returns text. */
const char *hf_address_text(const uint8_t ip[16], char text[HF_ADDRESS_TEXT]);

/* One line for people, without a newline: "192.0.2.1:1234 > 198.51.100.2:80 <SEQ=1><CTL=SYN>".
 * At most room octets with its 0; returns text. */
const char *hf_packet_text(const struct hf_packet *packet, char *text, size_t room);

#ifdef __cplusplus
}
#endif
#endif
