/* handfast.h - TCP for user space (RFC 9293): the core.
 *
 * A stack is a value in one block of memory that the caller gives.  It does no I/O, reads no clock
 * and starts no thread: frames and the time go in, frames, events and a deadline come out.
 *
 *     hf_input(frames)  -> what arrived is processed, nothing is sent
 *     hf_timeouts()     -> what is due by env->now_ns is processed, nothing is sent
 *     hf_open, hf_send, hf_close ...  the user calls, RFC 9293 section 3.9.1
 *     hf_output(frames) -> all that these left owing; call it after each of them
 *     hf_deadline()     -> when hf_timeouts must be called next
 *     hf_events()       -> what happened to which handle
 *
 * A stack belongs to one thread at a time.  The first argument is the block; the second, of all but
 * what needs no time, a struct hf_env that may differ from call to call.  now_ns must never go
 * back.
 *
 * Errors are negative enum hf_error; 0 or a count is success.  Beside those that stand with a call
 * it may return HF_ERR_STALE_HANDLE (the handle names nothing, or nothing of this kind) and, where
 * it takes an env and changes something, HF_ERR_INVALID (stack or env is NULL, or env's struct_size
 * too small); what returns an unsigned count gives 0 then.  Other pointers must not be NULL unless
 * it says so.  A call that fails has taken nothing, and fills nothing in.
 *
 * struct_size is always the caller's to fill in.  Of what a call fills in, so many octets are
 * written; what a call takes must have the whole of it.
 *
 * Addresses are 16 octets, IPv4 as ::ffff:a.b.c.d; ports and all numbers are in host order.
 */
#ifndef HANDFAST_HANDFAST_H
#define HANDFAST_HANDFAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handfast/policy.h"
#include "handfast/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_stack;

enum hf_error {
    HF_OK = 0,
    HF_ERR_WOULD_BLOCK = -1,       /* nothing now; an event will tell when                        */
    HF_ERR_INVALID = -2,           /* invalid argument                                            */
    HF_ERR_STALE_HANDLE = -3,      /* "connection does not exist"                                 */
    HF_ERR_NO_RESOURCES = -4,      /* "insufficient resources": a limit of the config is reached  */
    HF_ERR_EXISTS = -5,            /* "connection already exists", address in use                 */
    HF_ERR_CLOSING = -6,           /* "connection closing": nothing more can be sent              */
    HF_ERR_NOT_CONNECTED = -7,     /* the call makes no sense in this state                       */
    HF_ERR_RESET = -8,             /* "connection reset" by the peer, or ended by its other SYN   */
    HF_ERR_REFUSED = -9,           /* "connection refused"                                        */
    HF_ERR_TIMED_OUT = -10,        /* given up: R2, user timeout, keep-alive                      */
    HF_ERR_ABORTED = -11,          /* by hf_abort, or by hf_release where it resets (see there)   */
    HF_ERR_NET_UNREACHABLE = -12,  /* ICMP or no route                                            */
    HF_ERR_HOST_UNREACHABLE = -13, /* ICMP or no answer to ARP, neighbour discovery              */
    HF_ERR_PORT_UNREACHABLE = -14, /* ICMP                                                       */
    HF_ERR_PROTO_UNREACHABLE = -15, /* ICMP                                                      */
    HF_ERR_NO_PORTS = -16,    /* no free local port was found in a bounded number of tries   */
    HF_ERR_NO_ADDRESS = -17,  /* not an address of this stack                                */
    HF_ERR_UNSUPPORTED = -18, /* an option that this version does not have                   */
    HF_ERR_TOO_LARGE = -19,   /* a datagram over 65507 octets (IPv6: 65527), a buffer too small */
    HF_ERR_MISMATCH = -20,    /* the block was made by another build, or is damaged          */
    HF_ERR_PROHIBITED = -21,  /* ICMP "administratively prohibited"                          */
};

/* A few words for an error ("connection refused"); never NULL. */
const char *hf_error_text(int error);

/* The outside ----------------------------------------------------------------------------------
 * Memory that an application or a device lends the stack is a registered region: the block holds
 * its number and offsets into it, each call brings its address. */

struct hf_region {
    uint8_t *base;
    uint64_t bytes;
};

enum { HF_SIMD_SSE2 = 1u << 0, HF_SIMD_AVX2 = 1u << 1 }; /* hf_env.simd: what the CPU has */

struct hf_env {
    uint32_t struct_size; /* sizeof(struct hf_env)                                         */
    uint32_t simd;        /* HF_SIMD_*; 0 is always right                                  */
    int64_t now_ns;       /* a clock that never goes back; its zero is of no interest      */
    hf_trace_fn *trace;   /* told every trace record, calls nothing of the stack; or NULL  */
    void *trace_arg;
    const struct hf_region *regions; /* region number i is regions[i - 1]                  */
    uint32_t n_regions;
    uint32_t reserved;
};

/* A stack: size, init, limits ----------------------------------------------------------------- */

/* How many there may be.  Where no range stands: listeners, UDP sockets, neighbours, datagrams
 * being reassembled, regions 0 .. 65,535; addresses, routes 1 .. 65,535; the rest 0 .. 2^30 - 1.
 * Together connections, half-open and TIME-WAIT are at most 2^31, chunks of all kinds at most 2^30
 * - 1. */
struct hf_config {
    uint32_t struct_size;     /* sizeof(struct hf_config)                                       */
    uint32_t max_connections; /* full records: 1 .. 2^30 - 1                                    */
    uint32_t max_half_open;   /* SYN-RECEIVED of passive opens                                  */
    uint32_t max_time_wait;   /* TIME-WAIT of released handles                                  */
    uint32_t max_active;      /* connections with data in flight or unread at one time; 1 ..    */
    uint32_t max_extras;      /* with options that few set (linger, keep-alive ...); 0: none may */
    uint32_t max_stats;       /* connections that have carried text and are measured: their buffers
                                 grow with need, hf_info tells all of itself; others: neither    */
    uint32_t max_listeners;   /*                                                                */
    uint32_t max_udp;         /* UDP sockets                                                    */
    uint32_t max_interfaces;  /* 1 .. 255                                                       */
    uint32_t max_addresses;   /* of all interfaces together                                     */
    uint32_t max_routes;      /*                                                                */
    uint32_t max_neighbours;  /* ARP and neighbour discovery entries                            */
    uint32_t max_packets;     /* ICMP, UDP, ARP packets waiting to be sent, or datagrams unread */
    uint32_t max_replies;     /* segments without a record of their own to be sent; 1 ..        */
    uint32_t max_reassembly;  /* IP datagrams being reassembled                                 */
    uint32_t max_ranges;      /* out-of-order ranges of all connections together                */
    uint32_t max_sent;        /* records of what was sent when; not below max_active.  Default: 64
                                 for each of n, 2^14 to 2^20                                     */
    uint32_t small_chunks; /* payload memory: chunks of small_chunk_bytes; with large ones 1 .. */
    uint32_t small_chunk_bytes; /* 64 .. 4096, a multiple of 64                                 */
    uint32_t large_chunks;      /* payload memory: chunks of 16 KiB.  Default: 40 for each of up to
                                   1024 connections that are busy at one time, 640 at least       */
    uint32_t lent_chunks;       /* pieces of regions held at one time                             */
    uint32_t max_regions;       /* registered regions                                             */
    uint32_t history_events;    /* the history ring; 0: no history                                */
    uint32_t max_tokens;        /* frames of hf_output, from the oldest not done on; 1 .. 2^24    */
    uint32_t max_fast_open_peers; /* servers whose cookies are kept, a multiple of 4, to 65,532  */
    uint8_t seed[16]; /* secret and random: keys, ISS, ports come from it               */
    struct hf_policy policy;
};

/* Defaults for about n connections (2 .. 2^30 - 1, else the nearest of these); the seed is left
 * zero: hf_init refuses that. */
void hf_config_default(struct hf_config *config, uint32_t n);
/* Octets a stack of this config takes, a multiple of 64; 0: the config cannot be.  Memory is
 * touched only as it is used: reserve generously. */
uint64_t hf_size(const struct hf_config *config);
/* block: 64-octet aligned, bytes of them; need not be zero.  It stays the caller's; config is
 * copied.  HF_ERR_INVALID: not aligned, a config that cannot be, a seed of zeros; HF_ERR_TOO_LARGE:
 * bytes are fewer than hf_size says. */
int hf_init(struct hf_stack *block, uint64_t bytes, const struct hf_config *config,
            const struct hf_env *env);
/* Is there a whole stack of this very build?  HF_ERR_MISMATCH when not.  Checks magic, layout
 * version, build hash, sizes, and that no call was under way when it was copied.  Frames that were
 * out still are: hf_output_forget (memory.h). */
int hf_attach(const struct hf_stack *block, uint64_t bytes);
/* The policy as it is now; it lies in the block. */
const struct hf_policy *hf_policy(const struct hf_stack *stack);
/* Replaces the policy by a copy; connections that exist keep what they negotiated.  HF_ERR_INVALID:
 * a value is out of its range (policy.h). */
int hf_set_policy(struct hf_stack *stack, const struct hf_env *env, const struct hf_policy *policy);

/* Interfaces, addresses, routes ---------------------------------------------------------------- */

enum hf_link { HF_LINK_IP, HF_LINK_ETHERNET }; /* raw IP packets (TUN); Ethernet II frames */

/* What the device behind an interface can do with frames it is given. */
enum {
    HF_OFFLOAD_CSUM = 1u << 0, /* fills in TCP and UDP checksums    */
    HF_OFFLOAD_TSO4 = 1u << 1, /* cuts IPv4 TCP super-segments      */
    HF_OFFLOAD_TSO6 = 1u << 2, /* cuts IPv6 TCP super-segments      */
};

enum { HF_IPV6_MTU_MIN = 1280 }; /* RFC 8200 5: a link of less carries no IPv6 */

struct hf_interface {
    uint32_t struct_size;
    uint8_t link;   /* enum hf_link                            */
    uint8_t mac[6]; /* HF_LINK_ETHERNET                        */
    uint8_t pad;
    uint32_t mtu;     /* 576 .. 65535; IPv6: HF_IPV6_MTU_MIN     */
    uint32_t offload; /* HF_OFFLOAD_*: without HF_OFFLOAD_CSUM none counts */
};

/* The number of a new interface, 1 and up; there is no call that takes it away.  HF_ERR_INVALID: a
 * field cannot be (also a group's MAC); HF_ERR_NO_RESOURCES (max_interfaces). */
int hf_interface_add(struct hf_stack *stack, const struct hf_env *env,
                     const struct hf_interface *iface);
/* prefix_len: 0 .. 32 for IPv4, 0 .. 128 for IPv6; the prefix, unless it is the whole address,
 * becomes a route to the link.  HF_ERR_EXISTS: the address, or a route of the prefix to a gateway;
 * HF_ERR_INVALID: no such interface, no address of one host, or IPv6 where the MTU is too small;
 * HF_ERR_NO_RESOURCES (max_addresses, max_routes).
 * On Ethernet, an IPv6 link-local address made from the MAC (RFC 4291 A) is added by the caller; no
 * MLD report is sent: a switch that snoops MLD may keep back questions for the address. */
int hf_address_add(struct hf_stack *stack, const struct hf_env *env, uint32_t iface,
                   const uint8_t ip[16], uint32_t prefix_len);
/* HF_ERR_NO_ADDRESS: it is none of this interface's. */
int hf_address_remove(struct hf_stack *stack, const struct hf_env *env, uint32_t iface,
                      const uint8_t ip[16]);
/* gateway NULL: on the link.  prefix_len counts as in hf_address_add; longest prefix wins.
 * HF_ERR_EXISTS: this interface has one of the prefix; HF_ERR_INVALID: no such interface or prefix,
 * IPv6 where the MTU is too small, a gateway of the other version or that is no one host;
 * HF_ERR_NO_RESOURCES (max_routes). */
int hf_route_add(struct hf_stack *stack, const struct hf_env *env, uint32_t iface,
                 const uint8_t prefix[16], uint32_t prefix_len, const uint8_t *gateway);
/* A route to the link stays as long as there is an address of its prefix, and goes with the last:
 * HF_OK.  HF_ERR_INVALID: there is no such route. */
int hf_route_remove(struct hf_stack *stack, const struct hf_env *env, uint32_t iface,
                    const uint8_t prefix[16], uint32_t prefix_len);
/* A neighbour that is not asked for, or another MAC for it; half of max_neighbours, rounded up, may
 * be such ones: HF_ERR_NO_RESOURCES.  HF_ERR_INVALID: no Ethernet interface, a group's MAC, no
 * address of one host. */
int hf_neighbour_add(struct hf_stack *stack, const struct hf_env *env, uint32_t iface,
                     const uint8_t ip[16], const uint8_t mac[6]);

/* Frames --------------------------------------------------------------------------------------- */

enum {
    HF_FRAME_CSUM_OK = 1u << 0,     /* in: checked by the device, or never filled in by a sender on
                                           this machine */
    HF_FRAME_CSUM_NEEDED = 1u << 1, /* out: the device fills it in (csum_start, csum_offset) */
    HF_FRAME_GSO4 = 1u << 2, /* several IPv4 TCP segments in one frame                       */
    HF_FRAME_GSO6 = 1u << 3, /* several IPv6 TCP segments in one frame                       */
};

struct hf_frame_in {
    const uint8_t *data; /* from the link header (Ethernet) or the IP header on          */
    uint32_t len;
    uint16_t iface;    /* interface number                                             */
    uint16_t flags;    /* HF_FRAME_CSUM_OK, HF_FRAME_GSO4, HF_FRAME_GSO6               */
    uint16_t gso_size; /* with HF_FRAME_GSO*: text octets of each segment              */
    uint16_t region;   /* 0: data is valid during hf_input only.  Else it is lent: data
                          must lie in this region, until hf_returned gives token back  */
    uint64_t token;    /* of a lent frame, as hf_returned will say it                  */
};

enum { HF_HEADER_MAX = 128, HF_SLICES_MAX = 20 };

struct hf_slice {
    const uint8_t *data;
    uint32_t len;
};

struct hf_frame_out {
    uint64_t token; /* for hf_output_done; slices stay valid until then              */
    uint32_t len;   /* header and slices together                                    */
    uint16_t iface;
    uint16_t flags;       /* HF_FRAME_CSUM_NEEDED, HF_FRAME_GSO4, HF_FRAME_GSO6            */
    uint16_t gso_size;    /* text octets of each wire segment                              */
    uint16_t csum_start;  /* from the frame's first octet                                  */
    uint16_t csum_offset; /* from csum_start                                               */
    uint16_t header_len;  /* octets in header; the first of the frame                      */
    uint16_t ip_offset;   /* of the IP header in the frame: 0, or 14 on Ethernet           */
    uint16_t n_slices;
    struct hf_slice slice[HF_SLICES_MAX];
    uint8_t header[HF_HEADER_MAX];
};

/* Takes n frames, all of them; what cannot be used is dropped and counted.  Returns 0.
 * HF_ERR_INVALID: frames is NULL, and n is not 0.  With lent frames: HF_ERR_NO_RESOURCES when there
 * is no record for each of them (lent_chunks; read, or take with hf_returned what is done),
 * HF_ERR_INVALID when one does not lie in its region or has no interface: then none was taken, and
 * each is the caller's again. */
int hf_input(struct hf_stack *stack, const struct hf_env *env, const struct hf_frame_in *frames,
             uint32_t n);
/* Fills up to n frames with what is owed; returns how many.  Fewer than n: nothing more is owed
 * now, or max_tokens frames are not done.  What is for an address of the stack itself makes no
 * frame: it is processed here, a bounded amount in one call (hf_deadline says when more is owed).
 */
uint32_t hf_output(struct hf_stack *stack, const struct hf_env *env, struct hf_frame_out *frames,
                   uint32_t n);
/* The device is done with this frame.  Any order; each token once.  HF_ERR_INVALID: no such frame
 * is out. */
int hf_output_done(struct hf_stack *stack, const struct hf_env *env, uint64_t token);
/* Processes what is due by env->now_ns, 4,096 timers at a time: then hf_deadline says "now". */
void hf_timeouts(struct hf_stack *stack, const struct hf_env *env);
/* When hf_timeouts must be called next, on env->now_ns's clock: env->now_ns when something is due
 * or owed now; INT64_MAX: never.  Neither may be NULL. */
int64_t hf_deadline(const struct hf_stack *stack, const struct hf_env *env);

/* Handles and events --------------------------------------------------------------------------- */

typedef uint64_t hf_handle; /* 0 is none; a stale one is refused with HF_ERR_STALE_HANDLE */

enum {
    HF_READABLE = 1u << 0,  /* octets, or the end of them, can be received                        */
    HF_WRITABLE = 1u << 1,  /* hf_send will take octets again, or what HF_CONNECTED tells     */
    HF_CONNECTED = 1u << 2, /* hf_open's or hf_answer's connection has reached ESTABLISHED       */
    HF_ACCEPTED = 1u << 3,  /* listener: hf_accept will give a connection                         */
    HF_ASKED = 1u << 4,     /* listener: hf_asked will give a held SYN                            */
    HF_URGENT = 1u << 5,    /* urgent data was announced or its end moved (RFC 9293 3.8.5)        */
    HF_PEER_CLOSED = 1u << 6, /* a FIN arrived: after the octets before it, hf_recv gives 0      */
    HF_CLOSED_EVENT =
        1u << 7, /* gone; hf_close_reason tells why. The handle is still to be released */
    HF_ERROR_REPORT = 1u << 8, /* an ICMP error was noted: hf_error_report                       */
    HF_SENT = 1u << 9,     /* borrowed octets are the caller's again: hf_returned                */
    HF_TROUBLE = 1u << 10, /* R1: sent again several times, no answer (RFC 9293 3.8.3)       */
};

struct hf_event {
    hf_handle handle;
    uint64_t cookie; /* as hf_set_cookie set it                     */
    uint32_t bits;   /* HF_READABLE ...: true when read, not stale  */
    int32_t error;   /* with HF_CLOSED_EVENT: enum hf_error, or 0   */
};

/* Takes up to n events from the ready list; returns how many.  A handle is in it once.  Any call
 * may bring some about, of other handles, too (memory that hf_recv or hf_returned make free): none
 * is missed by who asks until there are 0 before he waits. */
uint32_t hf_events(struct hf_stack *stack, const struct hf_env *env, struct hf_event *events,
                   uint32_t n);
/* A number of the caller's for any handle, 0 at first: also for what a listener with one accepts.
 */
int hf_set_cookie(struct hf_stack *stack, hf_handle handle, uint64_t cookie);
int hf_cookie(const struct hf_stack *stack, hf_handle handle, uint64_t *cookie);

/* Connections: the user calls of RFC 9293 section 3.9.1 ---------------------------------------- */

struct hf_endpoint {
    uint8_t ip[16]; /* all zero: any (a listener), chosen by route (an active open)        */
    uint16_t port;  /* 0: chosen (an active open)                                          */
    uint16_t iface; /* scope of a link-local address, or 0                                 */
};

struct hf_listen {
    uint32_t struct_size;
    struct hf_endpoint local; /* ip all zero: any address, both versions                     */
    uint16_t port_last;       /* 0: one port; else a range local.port .. port_last           */
    uint16_t backlog;         /* accept queue and half-open, as listen(2): 0 counts as 1     */
    bool hold;                /* SYNs wait for hf_answer                                     */
    uint8_t version;          /* with "any": 0 both, 4, 6                                    */
    uint64_t cookie;
};

/* Passive OPEN.  HF_ERR_EXISTS: somebody listens just there; HF_ERR_NO_ADDRESS: local.ip is not
 * ours; HF_ERR_NO_RESOURCES (max_listeners); HF_ERR_INVALID: port 0, port_last below it, no such
 * version or interface. */
int hf_listen(struct hf_stack *stack, const struct hf_env *env, const struct hf_listen *listen,
              hf_handle *handle);
/* The oldest connection whose handshake is complete, or, with Fast Open, whose SYN has opened it;
 * it may have ended since, with text that is still to be read.  peer may be NULL.
 * HF_ERR_WOULD_BLOCK: none, HF_ACCEPTED will tell. */
int hf_accept(struct hf_stack *stack, const struct hf_env *env, hf_handle listener,
              hf_handle *handle, struct hf_endpoint *peer);
/* The oldest SYN that a holding listener has not shown yet.  local, peer may be NULL.
 * HF_ERR_WOULD_BLOCK: none, HF_ASKED will tell. */
int hf_asked(struct hf_stack *stack, const struct hf_env *env, hf_handle listener,
             hf_handle *handle, struct hf_endpoint *local, struct hf_endpoint *peer);

enum hf_answer {
    HF_ANSWER_ACCEPT,
    HF_ANSWER_RESET,
    HF_ANSWER_UNREACHABLE_NET,
    HF_ANSWER_UNREACHABLE_HOST,
    HF_ANSWER_PROHIBITED
};

/* Answers a held SYN: goes on with the handshake (HF_CONNECTED tells when it is complete), or ends
 * it, and the handle, with a reset or an ICMP error.  HF_ERR_NOT_CONNECTED: it was answered before,
 * was no held SYN, or is gone, and the handle is still to be released; HF_ERR_NO_RESOURCES: not
 * now (max_active); HF_ERR_INVALID: no such answer. */
int hf_answer(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
              enum hf_answer answer);

/* Active OPEN.  local may be NULL.  timeout_ms: user timeout (RFC 9293 3.9.1.1), as HF_USER_TIMEOUT
 * also once it is open; 0: none.  HF_ERR_INVALID: remote's port is 0 or its address not that of one
 * host, two versions of IP, no such interface, timeout_ms over 2^31 - 1; HF_ERR_NET_UNREACHABLE: no
 * route, or no address of ours for it; HF_ERR_NO_ADDRESS: local's is not ours; HF_ERR_NO_PORTS;
 * HF_ERR_EXISTS: the connection is there, perhaps in TIME-WAIT; HF_ERR_NO_RESOURCES
 * (max_connections, max_active, max_extras with a timeout). */
int hf_open(struct hf_stack *stack, const struct hf_env *env, const struct hf_endpoint *local,
            const struct hf_endpoint *remote, uint32_t timeout_ms, hf_handle *handle);

enum {
    HF_SEND_URGENT = 1u << 0, /* the last octet is urgent (RFC 9293 3.8.5), and if it is not
                                 taken, none.  New applications
                                 should not use it (SHLD-13): middleboxes lose the mark           */
    HF_SEND_MORE = 1u << 1,   /* more follows: no PSH, and a small segment is held until the next
                                 hf_send without it, an ACK of what is in flight, or for an RTO   */
    HF_SEND_END = 1u << 2,    /* a record ends here: no segment holds octets of both sides        */
};

/* SEND: octets are copied; returns how many were taken (at least 1 when len is), or
 * HF_ERR_WOULD_BLOCK: HF_WRITABLE will tell.  HF_ERR_CLOSING after hf_close; once the connection is
 * gone, its error, or HF_ERR_CLOSING where it ended in order.  HF_ERR_NOT_CONNECTED: a held SYN;
 * HF_ERR_INVALID: data NULL, or other flags.  len 0 without HF_SEND_MORE: lets go what
 * HF_SEND_MORE held; returns 0. */
int64_t hf_send(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                const void *data, uint64_t len, uint32_t flags);
/* The same without copying: octets in a registered region are the stack's, and must not change,
 * until hf_returned gives token, which makes room for others: once they are acknowledged, or the
 * connection has ended, and each frame that points to them is done (hf_output_done).  Then HF_SENT,
 * unless the handle was released.  All or nothing; into an empty queue they go whatever
 * HF_SEND_BUFFER is.  HF_ERR_INVALID: len 0, not in a registered region; HF_ERR_TOO_LARGE: more
 * than 1 GiB at once; HF_ERR_NO_RESOURCES with lent_chunks 0. */
int64_t hf_send_borrowed(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                         uint32_t region, uint64_t offset, uint32_t len, uint64_t token,
                         uint32_t flags);
/* RECEIVE: octets in order; 0: the peer has closed and all is read; HF_ERR_WOULD_BLOCK: HF_READABLE
 * will tell.  After a reset, or another end with an error: what was unread first (hf_abort leaves
 * nothing), then the error once, unless hf_send has told it, then 0.  HF_ERR_NOT_CONNECTED: a held
 * SYN; HF_ERR_INVALID: len 0. */
int64_t hf_recv(struct hf_stack *stack, const struct hf_env *env, hf_handle handle, void *data,
                uint64_t len);
/* The same without copying: where the next unread octets lie, valid until hf_recv_consume or any
 * other call for this handle; read only.  Returns the number of slices, 0 at the end of the stream;
 * errors are hf_recv's, n is 1 .. 2^31 - 1. */
int hf_recv_slices(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                   struct hf_slice *slices, uint32_t n);
/* HF_ERR_INVALID: there is less unread than len. */
int hf_recv_consume(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                    uint64_t len);
/* Tokens of lent frames (no text in them waits any more) and borrowed octets that the stack
 * has done with, the first of them first; returns how many. */
uint32_t hf_returned(struct hf_stack *stack, const struct hf_env *env, uint64_t *tokens,
                     uint32_t n);

/* CLOSE: no more to send (half-close: receiving goes on).  What is queued is still sent, then a
 * FIN. HF_ERR_CLOSING when done before; HF_ERR_NO_RESOURCES when there is no record for the FIN now
 * (max_active): HF_WRITABLE tells when to try again; HF_ERR_NOT_CONNECTED once it is gone.  In
 * SYN-SENT, or with a held SYN, it is gone at once, and what is queued with it (3.10.4):
 * HF_CLOSED_EVENT with HF_ERR_CLOSING.  A listener or UDP socket is gone, and its handle with it,
 * as with the next two; a listener's connections not yet accepted are reset. */
int hf_close(struct hf_stack *stack, const struct hf_env *env, hf_handle handle);
/* ABORT: a reset to the peer (none in SYN-SENT, to a held SYN, and where both have sent their FIN),
 * everything queued or unread is lost (RFC 9293 3.10.5).  The handle is still to be released.
 * HF_ERR_NOT_CONNECTED once it is gone. */
int hf_abort(struct hf_stack *stack, const struct hf_env *env, hf_handle handle);
/* The application forgets the handle: closes what is not closed (with unread octets: a reset, RFC
 * 2525 2.17, unless both sides have closed), and the stack finishes alone.  What arrives later is
 * answered with a reset (RFC 9293 SHLD-3).  The handle is stale from now on, so that nobody could
 * try again: where hf_close would give HF_ERR_NO_RESOURCES (max_active), this is a reset, too. */
int hf_release(struct hf_stack *stack, const struct hf_env *env, hf_handle handle);

/* Registers region number `region` (1 .. max_regions); env->regions must hold it from now on, and
 * its memory must stay.  HF_ERR_INVALID: no such number, or none in env; HF_ERR_EXISTS. */
int hf_region_add(struct hf_stack *stack, const struct hf_env *env, uint32_t region);
/* HF_ERR_EXISTS while parts of it are held; HF_ERR_INVALID: it is not registered. */
int hf_region_remove(struct hf_stack *stack, const struct hf_env *env, uint32_t region);

/* Options, int64.  Setting one that a state or this version does not have is refused, but where the
 * connection is gone: then it is of no effect.  A listener's are those of what it accepts.
 * HF_ERR_INVALID: out of range, or no option; HF_ERR_UNSUPPORTED: not on such a handle (listeners
 * have no HF_SYN_RETRIES, UDP sockets HF_TTL and HF_TOS alone), or not in hf_policy.fast_open;
 * HF_ERR_NOT_CONNECTED: too late for what goes with the SYN (HF_MAX_SEGMENT, HF_FAST_OPEN, HF_ECN,
 * HF_ACCECN, HF_SYN_RETRIES); HF_ERR_NO_RESOURCES (max_extras).
 *
 * Ranges that do not stand below: ms 0 .. 2^31 - 1, but keep-alive's from 1; HF_RECEIVE_WINDOW 1 ..
 * hf_policy.max_receive_window; HF_SEND_BUFFER 1 .. 2^30; HF_MAX_SEGMENT hf_policy.min_mss ..
 * 65,535, 0: none, and read on a connection the MSS in use; HF_TOS 0 .. 252 in fours; else 0, 1. */
enum hf_option {
    HF_NODELAY,            /* 0, 1: no Nagle (RFC 9293 3.7.4); setting it lets go what is held    */
    HF_RECEIVE_WINDOW,     /* octets of unread and missing data promised at most: the application's
                              limit; what was promised is never taken back.  Once set it is no
                              longer tuned (hf_policy.tune_buffers)                              */
    HF_SEND_BUFFER,        /* octets accepted and not acknowledged at most; once set, not tuned   */
    HF_SEND_LOW_WATER,     /* HF_WRITABLE once this many octets fit; 1 .. HF_SEND_BUFFER          */
    HF_USER_TIMEOUT,       /* ms that SYN, text, FIN may stay unacknowledged, or unsent before a
                              closed window (RFC 9293 3.9.1.1, RFC 5482), not what pacing or HF_CORK
                              holds here; decides instead of hf_policy.data_retries.  0: none, or
                              what HF_ADVERTISED_TIMEOUT adopts                                   */
    HF_MAX_SEGMENT,        /* MSS: announced and used at most, before opening                     */
    HF_TTL,                /* 1 .. 255: TTL or hop limit of packets                               */
    HF_TOS,                /* DSCP in the upper six bits; the lower two are ECN's.  Best set once,
                              before opening (SHLD-23): a change reorders what is on its way      */
    HF_QUICK_ACK,          /* 1: no delayed ACKs                                                  */
    HF_KEEPALIVE,          /* 0, 1: an idle peer is asked whether it is there (RFC 9293 3.8.4);
                              unanswered: a reset, HF_ERR_TIMED_OUT                               */
    HF_FAST_OPEN,          /* RFC 7413: HF_FAST_OPEN_OFF, _ON or _DEFER; of a listener, how many
                              requests may wait at most: see fast_open.h                          */
    HF_ECN,                /* enum hf_ecn: on a listener, or before the SYN is sent (RFC 3168)    */
    HF_CONGESTION_CONTROL, /* enum hf_congestion; at any time                                     */
    HF_KEEPALIVE_IDLE,     /* ms without anything from the peer before the first probe: 7,200,000 */
    HF_KEEPALIVE_INTERVAL, /* ms between probes: 75,000; a lower one counts at once               */
    HF_KEEPALIVE_COUNT,    /* unanswered probes that end it: 9; 1 .. 127.  HF_USER_TIMEOUT, where
                              set, counts instead                                                 */
    HF_LINGER,             /* ms after hf_release in which all must be acknowledged, else a reset;
                              0: hf_release resets at once (POSIX SO_LINGER); -1: off             */
    HF_ADVERTISED_TIMEOUT, /* ms, the user timeout to tell the peer; the peer's is heeded then,
                              unless HF_USER_TIMEOUT is set (RFC 5482 ADV_UTO): the longer of both
                              is adopted, and told.  0: off, what was adopted ends                */
    HF_ERROR_REPORTS,      /* 1: HF_ERROR_REPORT and HF_TROUBLE are told, 0: not (RFC 9293
                              3.9.1.8)                                                            */
    HF_SYN_RETRIES,        /* SYNs sent again at most, 0: hf_policy.syn_retries; at most 254      */
    HF_CORK,               /* 1: small segments are held, for an RTO at most, until it is 0 again */
    HF_MAY_FRAGMENT,       /* 1: IPv4 without DF: who routes it may cut it, and no path MTU is
                              found; 0: DF (RFC 1191).  IPv6 is never cut on its way             */
    HF_MAX_PACING_RATE, /* octets a second (32 bits): text goes out spread over time, no faster than
                           this nor than the congestion window a round trip; 0: none             */
    HF_ACCECN,          /* 0, 1: with ECN, feedback of every mark, where both have it (RFC 9768) */
    HF_OPTIONS
};
int hf_set_option(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                  enum hf_option option, int64_t value);
int hf_option(const struct hf_stack *stack, hf_handle handle, enum hf_option option,
              int64_t *value);

enum hf_ecn_mode { HF_ECN_NONE, HF_ECN_CLASSIC, HF_ECN_ACCURATE }; /* RFC 3168, RFC 9768 */

/* STATUS, RFC 9293 section 3.9.1.6. */
struct hf_status {
    uint32_t struct_size; /* filled in by the caller: what it knows of                     */
    uint8_t state;        /* enum hf_state                                                 */
    uint8_t passive;      /* the peer opened it                                            */
    uint8_t urgent;       /* urgent data is ahead of what was read                         */
    uint8_t options;      /* HF_OPT_*: agreed upon                                         */
    struct hf_endpoint local, remote;
    uint32_t iss, irs, snd_una, snd_nxt, snd_wnd, rcv_nxt, rcv_wnd;
    uint32_t snd_mss, cwnd, ssthresh; /* octets; ssthresh UINT32_MAX: none                 */
    uint32_t rto_ms, srtt_us, rttvar_us;
    uint32_t unread_bytes;       /* received in order                                      */
    uint32_t urgent_bytes;       /* of these, octets up to the urgent mark                 */
    uint32_t queued_bytes;       /* accepted, not acknowledged                             */
    uint32_t out_of_order_bytes; /* held ahead of a gap                                    */
    uint32_t segs_in, segs_out, retransmitted_segs, dup_acks;
    uint64_t bytes_acked, bytes_received;
    uint8_t snd_wscale, rcv_wscale;     /* window scale shifts                                 */
    uint8_t in_recovery, retries;       /* of a loss; timeouts, probes, keep-alives in a row   */
    uint32_t peer_user_timeout_ms;      /* RFC 5482: what the peer told, 0: nothing            */
    uint32_t waiting;                   /* listener: connections that hf_accept would give     */
    uint8_t ecn, ecn_seen, ecn_idle;    /* hf_ecn_mode; the peer sent ECT or CE; we send no ECT */
    uint8_t fast_open;                  /* HF_FO_*                                             */
    uint32_t ce_received, ce_delivered; /* marked packets from, and to, the peer           */
};
/* Also of what is gone.  Of a listener: state, passive, local, waiting.  env may be NULL.
 * HF_ERR_UNSUPPORTED: a UDP socket. */
int hf_status(const struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
              struct hf_status *status);

/* Who closed, in which direction, and why, of a connection; text is one line for people.  Returns
 * error: 0 for an orderly close, and as long as it is open. */
struct hf_close_reason {
    int32_t error; /* HF_OK: both sides closed in order, or it is open              */
    uint8_t first; /* 0 nobody yet, 1 this side, 2 the peer, 3 both at once         */
    uint8_t fin_sent, fin_acked, fin_received, rst_sent, rst_received; /* what was seen    */
    uint8_t state;    /* where the connection was when it ended, or is                 */
    uint16_t verdict; /* enum hf_verdict of the last decisive segment, 0: none         */
    uint8_t cause;    /* enum hf_cause: the timer or call that ended it                */
    char text[160];   /* a sentence                                                    */
};
int hf_close_reason(const struct hf_stack *stack, hf_handle handle, struct hf_close_reason *reason);

/* The newest ICMP error noted for this handle (a listener has none); reading it takes it away.  Of
 * a neighbour that did not answer: type and code 0, from our own address.  Half as many are kept as
 * there may be connections and UDP sockets, 64 at most: the oldest gives way.  HF_ERR_WOULD_BLOCK:
 * none. */
struct hf_icmp_report {
    uint8_t version, type, code, hard;
    int32_t error; /* as an enum hf_error */
    uint8_t from[16];
};
int hf_error_report(struct hf_stack *stack, hf_handle handle, struct hf_icmp_report *report);

struct hf_counters {
    uint32_t struct_size;
    uint32_t n_verdicts;   /* how many of verdict[] were filled in                      */
    uint64_t verdict[128]; /* by enum hf_verdict: segments and frames that ended so     */
    uint64_t frames_in, frames_out, segs_in, segs_out, retransmitted_segs;
    uint64_t opened_active, opened_passive, replies_dropped, packets_dropped;
    uint32_t connections, half_open, time_wait, active; /* records in use now               */
    uint32_t small_chunks, large_chunks, ranges, packets, neighbours, reassembly;
    uint64_t history_lost;         /* events overwritten                                        */
    uint64_t initial_windows_lost; /* connections that lost something of it (RFC 6928 12)      */
    uint64_t stats_missed; /* connections that found max_stats out: not tuned, hf_info in part */
    uint32_t sent;         /* records of transmissions in use now                       */
    uint64_t sent_short;   /* records of transmissions that were not to be had: loss is found
                            * later than it could be                                    */
    uint64_t undone;       /* reductions of a congestion window that proved wrong       */
    uint32_t orphans;      /* released connections that are not in TIME-WAIT, now       */
    uint64_t orphan_bytes; /* ... octets of theirs that are not acknowledged            */
    /* Text that came again and was other text than the first time, of which the first copy counts
     * (RFC 9293 3.10.7.4): somebody else writes into the stream.  Compared is what is not yet read,
     * or held ahead of a gap, in its first 64 chunks. */
    uint64_t copies_differ;
};
void hf_counters(const struct hf_stack *stack, struct hf_counters *counters);

/* The history of a connection: its newest n trace records at most, oldest first, from the shared
 * ring; returns how many.  Kept are time, states, cause, verdict, marks, addresses, seq, ack, ctl,
 * len, text_bytes, wnd, iss and irs; the rest is 0.  Long runs of data are folded: text_bytes is
 * their sum, wnd of the last.  Times are right as long as less than 49 days lie between one record
 * and the next, or now. */
uint32_t hf_history(const struct hf_stack *stack, hf_handle handle, struct hf_trace *records,
                    uint32_t n);

#ifdef __cplusplus
}
#endif

#include "handfast/fast_open.h"
#include "handfast/info.h"
#include "handfast/memory.h"
#include "handfast/udp.h"

#endif
