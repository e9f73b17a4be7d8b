/* wire.h - bytes <-> structs: the table of contents of this folder.
 *
 * All functions are pure, any bytes are safe, and nothing is checked in secret: a parse function
 * checks lengths and form, checksums have functions of their own (but the IPv4 header's, which is
 * part of its form).  Numbers in structs are in host order; addresses are 16 octets, IPv4 as
 * ::ffff:a.b.c.d.  "put" functions write to memory that must hold the largest header they can make
 * (WIRE_MAX_*) and return its length.
 *
 *     ethernet.c  Ethernet II, VLAN tag, ARP           RFC 894, 826
 *     ip.c        both IP versions, checksums on them  RFC 791, 1122
 *     ip6.c       IPv6 and its extension headers       RFC 8200
 *     icmp.c      ICMP, ICMPv6, quoted packets         RFC 792, 4443
 *     nd.c        neighbour discovery                  RFC 4861
 *     udp.c       UDP                                  RFC 768
 *     tcp_parse.c TCP header and options               RFC 9293 3.1, 3.2
 *     tcp_put.c   the same, written
 *     gso.c       super-segments, checksum offload     virtio 1.2, 5.1.6
 *     pcapng.c    capture files, written and read      draft-ietf-opsawg-pcapng
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/seq.h"

enum wire_status {
    WIRE_OK,
    WIRE_SHORT,          /* ends before the header does                            */
    WIRE_BAD_VERSION,    /* neither IPv4 nor IPv6                                  */
    WIRE_BAD_HEADER_LEN, /* a header length that cannot be                         */
    WIRE_BAD_TOTAL_LEN,  /* the packet is shorter or longer than it says           */
    WIRE_BAD_CHECKSUM,   /* of the IPv4 header                                     */
    WIRE_BAD_EXT,        /* IPv6 extension headers: to be dropped in silence       */
    WIRE_PARAM_PROBLEM, /* the same, and worth an ICMPv6 Parameter Problem: param_code at unknown_at
                         */
    WIRE_BAD_FORM,      /* fields that contradict each other (ARP, ND, fragments) */
};

enum {
    WIRE_PROTO_ICMP = 1,
    WIRE_PROTO_TCP = 6,
    WIRE_PROTO_UDP = 17,
    WIRE_PROTO_FRAGMENT = 44, /* the header of IPv6 fragments */
    WIRE_PROTO_ICMPV6 = 58,
    WIRE_PROTO_NONE = 59,
};

enum {
    WIRE_ETH_IPV4 = 0x0800,
    WIRE_ETH_ARP = 0x0806,
    WIRE_ETH_VLAN = 0x8100,
    WIRE_ETH_IPV6 = 0x86dd
};

enum {
    WIRE_MAX_ETH = 18,
    WIRE_ARP_BYTES = 28,
    WIRE_MAX_IP = 40,
    WIRE_MAX_TCP = 60,
    WIRE_UDP_BYTES = 8,
    WIRE_ICMP_BYTES = 8,
    WIRE_MAX_ND = 32,
};

/* Ethernet ------------------------------------------------------------------------- ethernet.c */

struct wire_eth {
    uint8_t dst[6], src[6];
    uint16_t type;       /* behind the VLAN tag, if there is one      */
    uint16_t vlan;       /* its 16 bits                               */
    bool tagged;         /* there is one                              */
    uint16_t header_len; /* 14 or 18                                  */
};

struct wire_arp {
    uint16_t op; /* 1 request, 2 reply */
    uint8_t sha[6], spa[4], tha[6], tpa[4];
};

enum wire_status wire_parse_eth(const uint8_t *p, size_t len, struct wire_eth *eth);
size_t wire_put_eth(uint8_t *out, const struct wire_eth *eth);
/* Only IPv4 over Ethernet is WIRE_OK. */
enum wire_status wire_parse_arp(const uint8_t *p, size_t len, struct wire_arp *arp);
size_t wire_put_arp(uint8_t *out, const struct wire_arp *arp);

/* IP ------------------------------------------------------------------------- ip.c and ip6.c */

struct wire_ip {
    uint8_t version; /* 4 or 6                                                          */
    uint8_t proto;   /* of what follows header_len: IPv6 extension headers are skipped   */
    uint8_t ttl;     /* TTL, hop limit                                                  */
    uint8_t tos;     /* TOS, traffic class: DSCP and ECN                                */
    uint8_t src[16], dst[16];
    uint16_t header_len;  /* with options and extension headers                         */
    uint32_t total_len;   /* of the whole packet; what lies behind it is padding        */
    uint16_t frag_offset; /* octets                                                     */
    uint16_t ident;       /* IPv4                                                       */
    uint32_t ident32;     /* of the IPv6 fragment header                                */
    uint32_t flow_label;  /* IPv6                                                       */
    bool df, mf;
    bool fragment;     /* mf or frag_offset: not a whole packet                         */
    bool source_route; /* IPv4 LSRR or SSRR                                             */
    bool bad_options;  /* IPv4 options that cannot be parsed to the end                 */
    /* IPv6 only: */
    uint8_t unknown_next_header; /* the value that `proto` came from ...                */
    uint8_t param_code;          /* for WIRE_PARAM_PROBLEM: RFC 4443 section 3.4        */
    uint16_t unknown_at;         /* ... and the offset it stands at, for the ICMPv6 pointer */
    uint16_t fragment_at;        /* offset of the fragment header when `fragment`       */
    enum wire_status status;
};

/* Parses the header and checks it against len (octets from p on, padding included).  Of a fragment
 * nothing behind the fragment header is looked at. The status is also kept in ip->status. */
enum wire_status wire_parse_ip(const uint8_t *p, size_t len, struct wire_ip *ip);

/* The upper layer of a whole IPv6 packet whose extension headers may ask for refusal: looks at
 * lengths alone.  *at: where it begins; not set when an extension header is the last there is. */
uint8_t wire_last_header6(const uint8_t *p, size_t len, size_t *at);

/* Goes on behind the fragment header, of the first fragment or of what was put together.  p: the
 * payload, whose first header is ip->proto, named at ip->unknown_at; *at: set to the octets of
 * extension headers skipped, ip->proto to what follows.  ip->unknown_at counts from p on, mod 2^16:
 * ip->header_len is to be added. */
enum wire_status wire_walk_ip6(const uint8_t *p, size_t len, struct wire_ip *ip, size_t *at);

/* Writes 20 or 40 octets from version, proto, ttl, tos, src, dst, total_len, ident, df, mf,
 * frag_offset (IPv4) and flow_label (IPv6); options and extension headers are never written. */
size_t wire_put_ip(uint8_t *out, const struct wire_ip *ip);

/* The lower two bits of tos, RFC 3168 section 5. */
enum wire_codepoint { NOT_ECT, ECT1, ECT0, CE };

/* ::ffff:a.b.c.d */
enum { WIRE_V4_MARK = 0xffff };

static inline bool wire_is_v4(const uint8_t addr[16])
{
    return get_be64(addr) == 0 && get_be32(addr + 8) == WIRE_V4_MARK;
}

static inline void wire_from_v4(uint8_t addr[16], const uint8_t v4[4])
{
    memset(addr, 0, 8);
    put_be32(addr + 8, WIRE_V4_MARK);
    memcpy(addr + 12, v4, 4);
}

/* The pseudo header of len octets of proto between ip's addresses; ICMPv4 has none: 0. */
csum_t wire_pseudo(const struct wire_ip *ip, uint8_t proto, uint32_t len);

/* TCP ----------------------------------------------------------- tcp_parse.c and tcp_put.c */

/* The control bits, RFC 9293 section 3.1; AE: RFC 9768. */
#define CTL_FIN 0x001
#define CTL_SYN 0x002
#define CTL_RST 0x004
#define CTL_PSH 0x008
#define CTL_ACK 0x010
#define CTL_URG 0x020
#define CTL_ECE 0x040
#define CTL_CWR 0x080
#define CTL_AE 0x100

enum {
    FIN = CTL_FIN,
    SYN = CTL_SYN,
    RST = CTL_RST,
    PSH = CTL_PSH,
    ACK = CTL_ACK,
    URG = CTL_URG,
    ECE = CTL_ECE,
    CWR = CTL_CWR,
    AE = CTL_AE,
};

/* Bits of tcp_options.present; the first five as HF_OPT_* in handfast/trace.h. */
enum {
    OPT_MSS = 1u << 0,
    OPT_WSCALE = 1u << 1,
    OPT_SACK_OK = 1u << 2,
    OPT_SACK = 1u << 3,
    OPT_TS = 1u << 4,
    OPT_FASTOPEN = 1u << 5,     /* kind 34, or 254 with its magic number      */
    OPT_FASTOPEN_EXP = 1u << 6, /* it was, or shall be, kind 254              */
    OPT_UTO = 1u << 7,
    OPT_ACCECN0 = 1u << 8, /* kind 172                                   */
    OPT_ACCECN1 = 1u << 9, /* kind 174: the same counters, the last first */
    OPT_MD5 = 1u << 10,    /* seen, not understood                       */
    OPT_AO = 1u << 11,     /* seen, not understood                       */
    OPT_BAD = 1u << 12,    /* a bad length ended the parsing             */
};

enum { TCP_MAX_SACK = 4, TCP_MAX_COOKIE = 16 };

struct sack_block {
    seq_t left, right; /* first octet, and the one behind the last */
};

struct tcp_options {
    uint32_t present; /* OPT_*                                               */
    uint16_t mss;
    uint8_t wscale; /* as it stands, not limited to 14                     */
    uint8_t n_sack;
    struct sack_block sack[TCP_MAX_SACK];
    uint32_t ts_val, ts_ecr;
    uint8_t fo_len; /* 0: a cookie is asked for                            */
    uint8_t fo_cookie[TCP_MAX_COOKIE];
    uint16_t uto;       /* RFC 5482: top bit minutes, else seconds             */
    uint8_t n_accecn;   /* counters present, in the order of their kind        */
    uint32_t accecn[3]; /* RFC 9768 section 3.2.3: 24 bits each                */
};

struct segment {
    seq_t seq, ack; /* SEG.SEQ, SEG.ACK                                      */
    uint32_t len;   /* SEG.LEN: text, plus one for SYN, plus one for FIN     */
    uint32_t wnd;   /* SEG.WND as in the header: whoever scales, replaces it */
    uint16_t ctl;   /* FIN ... AE                                            */
    uint16_t up;    /* SEG.UP                                                */
    uint16_t sport, dport;
    uint16_t header_len;
    struct tcp_options opt;
    const uint8_t *text;
    uint32_t text_len;
    uint16_t packets; /* of IP that it came in: more than one in a super-segment       */
    uint8_t ecn;      /* enum wire_codepoint of these: IP's, whoever reads it sets it  */
};

/* p, len: header and text, as IP delivers them. */
enum wire_status wire_parse_tcp(const uint8_t *p, size_t len, struct segment *seg);
/* The options of an option area; wire_parse_tcp calls it. */
void wire_parse_tcp_options(const uint8_t *p, size_t len, struct tcp_options *opt);

/* Writes the header with the options that opt.present names, checksum 0; seg->wnd is the field
 * itself (at most 65535); len, text, header_len are not looked at.  Order and padding are Linux's.
 * What does not fit into 40 octets - SACK blocks, a cookie, AccECN counters - is left out. */
size_t wire_put_tcp(uint8_t *out, const struct segment *seg);
/* The length wire_put_tcp will return. */
size_t wire_tcp_header_len(const struct tcp_options *opt);

/* Header and text, contiguous: is the checksum right?  MUST-3 */
bool wire_tcp_checksum_ok(const struct wire_ip *ip, const uint8_t *p, size_t len);
/* Computes the checksum of a header and a text of text_len octets whose sum is text_sum, and stores
 * it.  MUST-2 */
void wire_set_tcp_checksum(uint8_t *header, size_t header_len, const struct wire_ip *ip,
                           csum_t text_sum, uint32_t text_len);
/* Stores the pseudo header's sum instead: the rest is left to the device ("needs checksum"). */
void wire_set_tcp_partial(uint8_t *header, size_t header_len, const struct wire_ip *ip,
                          uint32_t text_len);

/* UDP --------------------------------------------------------------------------------- udp.c */

struct wire_udp {
    uint16_t sport, dport;
    uint16_t len;  /* with the header                    */
    uint16_t csum; /* as it stands; 0: none (IPv4 only)  */
};

enum wire_status wire_parse_udp(const uint8_t *p, size_t len, struct wire_udp *udp);
/* Writes checksum udp->csum. */
size_t wire_put_udp(uint8_t *out, const struct wire_udp *udp);
/* len: udp.len. None is right in IPv4 and wrong in IPv6. */
bool wire_udp_checksum_ok(const struct wire_ip *ip, const uint8_t *p, size_t len);
void wire_set_udp_checksum(uint8_t *header, const struct wire_ip *ip, csum_t text_sum,
                           uint32_t text_len);

/* ICMP, ICMPv6 ------------------------------------------------------------------------ icmp.c */

enum {
    ICMP4_ECHO_REPLY = 0,
    ICMP4_UNREACHABLE = 3,
    ICMP4_SOURCE_QUENCH = 4,
    ICMP4_REDIRECT = 5,
    ICMP4_ECHO = 8,
    ICMP4_TIME_EXCEEDED = 11,
    ICMP4_PARAM_PROBLEM = 12,
    ICMP6_UNREACHABLE = 1,
    ICMP6_TOO_BIG = 2,
    ICMP6_TIME_EXCEEDED = 3,
    ICMP6_PARAM_PROBLEM = 4,
    ICMP6_ECHO = 128,
    ICMP6_ECHO_REPLY = 129,
    ICMP6_ROUTER_SOLICIT = 133,
    ICMP6_ROUTER_ADVERT = 134,
    ICMP6_NEIGHBOUR_SOLICIT = 135,
    ICMP6_NEIGHBOUR_ADVERT = 136,
    ICMP6_REDIRECT = 137,
};

struct wire_icmp {
    uint8_t version; /* 4 or 6                                              */
    uint8_t type, code;
    uint16_t csum;
    uint32_t rest;       /* octets 4..7: id and sequence, MTU, pointer, flags   */
    const uint8_t *body; /* what follows them                                   */
    uint32_t body_len;
};

enum wire_status wire_parse_icmp(const uint8_t *p, size_t len, uint8_t version,
                                 struct wire_icmp *icmp);
/* Writes the first eight octets, checksum 0; the body is the caller's. */
size_t wire_put_icmp(uint8_t *out, const struct wire_icmp *icmp);
bool wire_icmp_checksum_ok(const struct wire_ip *ip, const uint8_t *p, size_t len);
/* p: the whole message. */
void wire_set_icmp_checksum(uint8_t *p, size_t len, const struct wire_ip *ip);
/* RFC 1122 section 3.2.2: errors, which must never be answered with an error. */
bool wire_icmp_is_error(const struct wire_icmp *icmp);

/* The packet an ICMP error quotes, as far as it is there. */
struct wire_quote {
    uint8_t version, proto;
    uint8_t src[16], dst[16];
    uint16_t sport, dport;
    seq_t seq;
    bool has_ports; /* TCP or UDP, and four octets of it        */
    bool has_seq;   /* TCP, and eight octets of it              */
    uint32_t total_len;
};

enum wire_status wire_parse_quote(const uint8_t *body, size_t len, uint8_t version,
                                  struct wire_quote *quote);

/* Neighbour discovery ------------------------------------------------------------------- nd.c */

struct wire_nd {
    bool solicitation; /* else advertisement                                   */
    bool router, solicited, override;
    bool has_lladdr; /* source (NS) or target (NA) link-layer address option */
    uint8_t target[16];
    uint8_t lladdr[6];
};

/* Checks all of RFC 4861 7.1.1 and 7.1.2 that needs no IP header (hop limit 255, source, checksum
 * are the caller's). */
enum wire_status wire_parse_nd(const struct wire_icmp *icmp, struct wire_nd *nd);
/* Writes the whole ICMPv6 message, 24 or 32 octets, checksum 0. */
size_t wire_put_nd(uint8_t *out, const struct wire_nd *nd);

/* Super-segments and checksum offload ---------------------------------------------------- gso.c */

/* How many wire segments a packet (L3 start, TCP over IPv4 or IPv6, no fragment) makes when its
 * text is cut every gso_size octets (0: never); 0: no such packet. */
uint32_t wire_gso_count(const uint8_t *packet, size_t len, uint32_t gso_size);
/* Writes the index-th of them with its own lengths, ident, sequence number, control bits and
 * checksums; returns its length, 0: no such segment, or room is too small. */
size_t wire_gso_split(const uint8_t *packet, size_t len, uint32_t gso_size, uint32_t index,
                      uint8_t *out, size_t room);
/* Finishes a "needs checksum" packet: the field holds the pseudo header's sum; from csum_start on
 * everything is added.  False: the offsets lie outside. */
bool wire_fill_checksum(uint8_t *packet, size_t len, uint32_t csum_start, uint32_t csum_offset);

/* Capture files ------------------------------------------------------------------------ pcapng.c
 */

struct wire_text {
    const char *at; /* UTF-8; NULL or len 0: none */
    size_t len;
};

enum { WIRE_LINKTYPE_ETHERNET = 1, WIRE_LINKTYPE_RAW = 101 };
enum { WIRE_DIRECTION_UNKNOWN, WIRE_DIRECTION_IN, WIRE_DIRECTION_OUT };

/* Each returns the octets written, 0 when room is too small.  Little-endian. */
size_t wire_pcapng_shb(uint8_t *out, size_t room, struct wire_text hardware, struct wire_text os,
                       struct wire_text application);
/* if_tsresol is 9: nanoseconds. */
size_t wire_pcapng_idb(uint8_t *out, size_t room, uint16_t linktype, uint32_t snaplen,
                       struct wire_text name);

struct wire_epb {
    uint32_t iface; /* 0: the first interface block                     */
    uint64_t ts_ns; /* since 1970                                       */
    uint32_t caplen, origlen;
    uint8_t direction;        /* WIRE_DIRECTION_*                                 */
    struct wire_text comment; /* at most 65535 octets; more is cut                */
};

/* An enhanced packet block is begin, caplen octets of packet (the caller's, in any number of
 * pieces), end.  begin takes WIRE_EPB_BEGIN octets, end at most 48 and the comment. */
enum { WIRE_EPB_BEGIN = 28 };
size_t wire_pcapng_epb_begin(uint8_t *out, size_t room, const struct wire_epb *epb);
size_t wire_pcapng_epb_end(uint8_t *out, size_t room, const struct wire_epb *epb);

/* OPB: the obsolete Packet Block, read as an EPB; SPB: the Simple Packet Block, which has no time.
 */
enum {
    WIRE_PCAPNG_SHB = 0x0a0d0d0a,
    WIRE_PCAPNG_IDB = 1,
    WIRE_PCAPNG_OPB = 2,
    WIRE_PCAPNG_SPB = 3,
    WIRE_PCAPNG_EPB = 6
};

struct wire_pcapng_block {
    uint32_t type;     /* WIRE_PCAPNG_*; SPB, or another one: only type is set       */
    uint16_t linktype; /* IDB                                                    */
    uint8_t tsresol;   /* IDB: power of ten, or of two with the top bit; default 6 */
    int64_t tsoffset;  /* IDB: seconds that are to be added to each time             */
    uint32_t snaplen;  /* IDB                                                    */
    struct wire_text name, hardware, os, application; /* IDB, SHB               */
    struct wire_epb epb;                              /* ts_ns in the interface's unit */
    const uint8_t *packet;                            /* EPB, OPB                 */
};

/* Reads the block at p; returns its length, 0 at the end or when it is damaged or big-endian. */
size_t wire_pcapng_next(const uint8_t *p, size_t len, struct wire_pcapng_block *block);

#endif
