/* stack.h - what lies in the block of a stack, and the table of contents of this folder.
 *
 *     block    header | protocol | bookkeeping | secrets and payload       (memory.c lays it out)
 *
 *     memory.c     layout, hf_size, hf_init, hf_attach; a call's begin and end
 *     extents.c    the parts of the block: what is used, what may be given back
 *     snapshot.c   hf_snapshot, hf_restore
 *     canonical.c  hf_canonical
 *     config.c     defaults and limits of hf_config, policy
 *     api_*.c      handles; the user calls go to tcp/
 *     events.c     hf_events over all kinds of handles
 *     reason.c     hf_close_reason
 *     listener.c   who listens where
 *     regions.c    memory that is lent
 *     interface.c  interfaces, addresses
 *     route.c      longest prefix
 *     neighbour.c  who is on the link, with arp.c and nd.c: RFC 826, RFC 4861
 *     input.c      frames -> IP -> TCP, UDP, ICMP; train.c: frames that differ in little
 *     ahead.c      what the frames of a batch will look at is fetched
 *     fragment.c   reassembly
 *     icmp_in.c    errors about what we sent, RFC 5927; icmp_out.c: echo, errors, notes
 *     packet.c     the queue of packets that are not TCP connections'
 *     output.c     what is owed -> frames, with frame.c (frame.h): headers, fragments
 *     udp.c        UDP
 */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include "tcp/prediction.h"
#include "tcp/tcp.h"

enum {
    STACK_LARGE_BYTES = 16384, /* a large chunk's payload         */
    STACK_PARTS = 48,          /* of hf_extents, at most          */
};

/* Of time between two calls, 16 days: more is taken in steps. */
#define STACK_LEAP_NS (INT64_C(16) * 24 * 3600 * 1000000000)

struct stack_interface {
    uint32_t mtu;
    uint32_t offload;
    uint8_t link;
    uint8_t mac[6];
    uint8_t used;
};

struct stack_address {
    uint8_t ip[16];
    uint8_t prefix_len; /* of 128 */
    uint8_t iface;      /* 0: free */
    uint16_t pad;
};

struct stack_route {
    uint8_t prefix[16], gateway[16]; /* gateway all zero: on the link */
    uint8_t prefix_len;              /* of 128 */
    uint8_t iface;                   /* 0: free */
    uint8_t of_address;              /* goes with the last address of this prefix           */
    uint8_t pad;
};

enum neighbour_state {
    NEIGHBOUR_FREE,
    NEIGHBOUR_INCOMPLETE,
    NEIGHBOUR_REACHABLE,
    NEIGHBOUR_STALE,
    NEIGHBOUR_PERMANENT
};

struct stack_neighbour {
    uint8_t ip[16];
    uint8_t mac[6];
    uint8_t iface, state;
    uint8_t tries;
    uint8_t stranger; /* asked for only to answer somebody      */
    uint8_t pad[2];
    uint32_t at_ms;  /* the next try; when it becomes stale    */
    int64_t used_ns; /* the oldest unused entry makes room     */
};

/* A packet that belongs to no connection: ICMP, UDP, ARP, ND. */
struct stack_packet {
    uint32_t next;
    uint32_t head, tail; /* payload, as chunks                              */
    uint32_t len;        /* octets of payload                               */
    uint8_t local[16], remote[16];
    uint16_t lport, rport;
    uint8_t proto; /* IP's; 0: an ARP packet in `header`              */
    uint8_t iface; /* to leave by, 0: by route                        */
    uint8_t ttl, tos;
    uint8_t header[32]; /* of ICMP or UDP or all of ARP                    */
    uint8_t header_len;
    uint8_t tries;      /* of finding its way                              */
    uint8_t dst_mac[6]; /* with mac_known                                  */
    uint8_t mac_known;
    uint8_t on_link; /* to a neighbour, whatever the routes say (RFC 4861)     */
    uint8_t pad[2];
    uint32_t at_ms;     /* queued then                                     */
    uint32_t neighbour; /* waits for this one                              */
    uint32_t ident;     /* of its IP fragments                             */
    uint32_t sent;      /* octets of it that have left as fragments        */
};

struct stack_udp {
    uint32_t next;       /* in the bucket of its port                      */
    uint32_t generation; /* even: free                                     */
    uint8_t local[16];
    uint16_t port;
    uint16_t events;
    uint8_t any, zone, ttl, tos;
    struct ififo queue; /* packets unread                                 */
    uint32_t queued_bytes;
    uint32_t queued;
    struct idlist_link event_link;
    uint64_t cookie;
    uint32_t icmp_note;
    uint8_t want_write; /* hf_udp_send was refused                         */
    uint8_t ttl_set;    /* by HF_TTL: for groups, too                      */
    uint8_t pad[2];
};

/* A datagram being put together again. */
struct stack_fragments {
    uint8_t src[16], dst[16];
    uint32_t ident;
    uint8_t proto, iface, used, v6;
    uint32_t at_ms;     /* given up then                                   */
    uint32_t serial;    /* in the order they began: many begin in one ms   */
    uint32_t ranges;    /* struct range: left, right are offsets           */
    uint32_t total_len; /* of the payload, 0: the last one is not here yet */
    uint32_t bytes;     /* here so far                                     */
    uint32_t n;
    uint32_t highest; /* the end of what is here                         */
    uint8_t tos, ttl, first_seen, to_group;
    uint8_t codepoints; /* a bit for each ECN codepoint seen: 1 << CE ...  */
    uint8_t pad[3];
};

/* An ICMP error kept for its reader: a ring, the oldest is overwritten. */
struct stack_note {
    hf_handle handle;
    struct hf_icmp_report report;
};

enum { ICMP_GROUPS = 16 };

/* What the last packet has shown; it is forgotten when addresses, routes or interfaces change. */
struct stack_memo {
    uint8_t peer[16]; /* one from there is taken ...                                   */
    uint8_t address;  /* ... to this address of ours, 0: none was ...                  */
    uint8_t iface;    /* ... on this interface ...                                     */
    uint8_t version;  /* ... of IP                                                     */
    uint8_t route;    /* the way there, 0: not known                                   */
};

struct hf_stack {
    uint8_t magic[8];
    uint32_t layout_version;
    uint32_t build_hash;
    uint64_t block_bytes;  /* as hf_size gave it                              */
    uint32_t changing;     /* odd while a call is under way                   */
    uint32_t header_bytes; /* sizeof(struct hf_stack)                         */
    int64_t now_ns;        /* of the newest call                              */

    /* Arrays of the config's size; a number n is element n - 1. */
    uint64_t interface_offset, address_offset, route_offset, neighbour_offset, fragment_offset;
    uint64_t note_offset;   /* struct stack_note                               */
    uint64_t region_offset; /* uint8_t: 1 when registered                      */
    uint64_t listen_offset; /* uint32_t: listeners of one port, by port        */
    uint64_t udp_offset;    /* uint32_t: UDP sockets, by port                  */
    uint32_t max_interfaces, max_addresses, max_routes, max_neighbours, max_fragments;
    uint32_t max_notes, max_regions;
    uint32_t permanent_neighbours; /* so many of them are                              */
    uint32_t bucket_mask;          /* of the listen and UDP buckets                   */
    struct pool packets, udps;
    struct ififo packet_queue;   /* to be sent                                    */
    struct ififo packet_waiting; /* ... once a neighbour has answered             */
    struct idlist ready_udp;
    uint32_t interfaces;                      /* in use: 1 .. interfaces            */
    uint32_t addresses, routes;               /* none is used above these           */
    uint32_t listen_ranges;                   /* listeners of several ports         */
    uint32_t note_next;                       /* number of the next note - 1        */
    uint32_t event_turn;                      /* whose ready list is next           */
    uint32_t neighbour_at_ms, fragment_at_ms; /* earliest deadlines, 0: none        */
    uint32_t fragment_serial;                 /* of the next datagram in fragments  */
    uint32_t udp_want_write;                  /* sockets that do                    */
    uint32_t udp_unread;                      /* datagrams in their queues          */
    uint32_t icmp_credit[2];                  /* errors, echo replies allowed now   */
    uint32_t icmp_at_ms;                      /* credited then                      */
    uint8_t icmp_spent[ICMP_GROUPS];          /* on errors, by groups of addresses  */
    struct stack_memo memo;

    struct tcp_block tcp; /* its bookkeeping is its end, and goes on here           */
    uint64_t frames_in, frames_out, packets_dropped;
};

/* Frames of one hf_input that follow each other as segments of one connection (train.c). */
struct stack_train {
    const struct hf_frame_in *last; /* the one before, NULL: none that another may follow   */
    uint32_t len;                   /* of each frame but the last                           */
    uint32_t ip_at, tcp_at, text_at;
    bool begun;       /* run is valid                                          */
    csum_t addresses; /* of the pseudo header, but for its length              */
    struct tcp_run run;
};

/* One call's view. Begins with what tcp/ needs. */
struct stack {
    struct tcp tcp;
    struct hf_stack *s;
    const struct hf_env *env;
    struct stack_train *train; /* hf_input's                                           */
};

static inline void stack_forget(struct stack *st)
{
    st->s->memo = (struct stack_memo){0};
}

static inline struct tcp_block *block_of(const struct stack *st)
{
    return st->tcp.b;
}

static inline void *stack_at(const struct stack *st, uint64_t offset)
{
    return (uint8_t *)st->s + offset;
}

/* n: 1 .. max_interfaces */
static inline struct stack_interface *stack_interface_at(const struct stack *st, uint32_t n)
{
    return (struct stack_interface *)stack_at(st, st->s->interface_offset) + (n - 1);
}

static inline struct stack_address *stack_address_at(const struct stack *st, uint32_t n)
{
    return (struct stack_address *)stack_at(st, st->s->address_offset) + (n - 1);
}

static inline struct stack_route *stack_route_at(const struct stack *st, uint32_t n)
{
    HF_COUNT(st->s->tcp.work.scanned, 1);
    return (struct stack_route *)stack_at(st, st->s->route_offset) + (n - 1);
}

static inline struct stack_neighbour *stack_neighbour_at(const struct stack *st, uint32_t n)
{
    HF_COUNT(st->s->tcp.work.scanned, 1);
    return (struct stack_neighbour *)stack_at(st, st->s->neighbour_offset) + (n - 1);
}

static inline struct stack_fragments *stack_fragments_at(const struct stack *st, uint32_t n)
{
    HF_COUNT(st->s->tcp.work.scanned, 1);
    return (struct stack_fragments *)stack_at(st, st->s->fragment_offset) + (n - 1);
}

static inline struct stack_note *stack_note_at(const struct stack *st, uint32_t n)
{
    return (struct stack_note *)stack_at(st, st->s->note_offset) + (n - 1);
}

static inline struct stack_packet *stack_packet_at(const struct stack *st, uint32_t idx)
{
    return pool_at(&st->s->packets, st->s, idx);
}

static inline struct stack_udp *stack_udp_at(const struct stack *st, uint32_t idx)
{
    return pool_at(&st->s->udps, st->s, idx);
}

/* The first in the list (by .next) of the UDP sockets of this port and some others. */
static inline uint32_t *stack_udp_bucket(const struct stack *st, uint16_t port)
{
    return (uint32_t *)stack_at(st, st->s->udp_offset) + (port & st->s->bucket_mask);
}

/* Handles: generation, kind in two bits, index in thirty. */
enum { HANDLE_TCB, HANDLE_LISTENER, HANDLE_UDP };
#define HANDLE_OF(kind, generation, idx)                                                           \
    ((hf_handle)(generation) << 32 | (hf_handle)(kind) << 30 | (idx))

/* handle.c: what a handle names, one of three; none: it is stale. */
struct stack_named {
    struct tcb *tcb;
    uint32_t listener, udp;
};
struct stack_named stack_named(const struct stack *st, hf_handle handle);
/* The same, where one kind alone will do; NULL, 0: it is stale, or of another kind. */
struct tcb *stack_tcb_of(const struct stack *st, hf_handle handle);
uint32_t stack_listener_of(const struct stack *st, hf_handle handle);
uint32_t stack_udp_of(const struct stack *st, hf_handle handle);
hf_handle stack_udp_handle(const struct stack *st, uint32_t udp);

/* events.c: into the list of those that have something to tell, unless it is there. */
void stack_udp_event(struct stack *st, uint32_t udp, uint16_t bits);

/* Every public call that changes something begins and ends with these.  HF_ERR_INVALID: env cannot
 * be; then nothing was begun, and nothing is to be ended. */
int stack_enter(struct stack *st, struct hf_stack *stack, const struct hf_env *env);
/* For one that needs neither time nor env: they are not looked at. */
int stack_enter_block(struct stack *st, struct hf_stack *stack, const struct hf_env *env);
void stack_leave(struct stack *st);
/* Readers in another process see an odd number while things change: before and after what a call
 * that only looks writes all the same. */
void stack_change(struct hf_stack *s);
/* output.c: all timers that are due. */
bool stack_timeouts(struct stack *st); /* true: more may be due */
/* For a call that only reads: no count, no time; env may be NULL. */
void stack_look(struct stack *st, const struct hf_stack *stack, const struct hf_env *env);

/* config.c, memory.c */
bool stack_config_ok(const struct hf_config *config);
bool stack_policy_ok(const struct hf_policy *policy);
/* The config that this stack was made from; the seed is not kept. */
void stack_config_of(const struct hf_stack *s, struct hf_config *config);

/* listener.c: the listener for a SYN of this id that came in by iface (0: by any), 0: none. */
uint32_t stack_find_listener(const struct stack *st, const struct conn_id *id, uint8_t iface);
/* May it listen there beside those that do? */
bool stack_listener_fits(const struct stack *st, const struct listener *wanted);
uint32_t stack_listener_new(struct stack *st, const struct listener *wanted); /* 0: no room */
void stack_listener_close(struct stack *st, uint32_t listener);
/* api_listener.c: the same, told to whoever traces. */
void stack_close_listening(struct stack *st, uint32_t listener, enum hf_cause cause);
/* interface.c: this address of the stack (of interface zone, unless that is 0), NULL: there is none
 */
struct stack_address *stack_find_address(const struct stack *st, const uint8_t ip[16],
                                         uint32_t zone);
bool stack_is_own(const struct stack *st, const uint8_t ip[16], uint8_t zone);
/* regions.c: may len octets from offset on in this region be used in this call?  Their address, or
 * NULL. */
uint8_t *stack_region(const struct stack *st, uint32_t region, uint64_t offset, uint64_t len);

/* interface.c: is there an address of this interface whose prefix it is?  Then it has a route to
 * the link. */
bool stack_prefix_used(const struct stack *st, uint32_t iface, const uint8_t prefix[16],
                       uint8_t bits);

/* interface.c: what is this address? */
bool stack_is_any(const uint8_t ip[16]); /* all zero, or 0.0.0.0 */
/* RFC 1122 3.2.1.3 (g), RFC 4291 2.5.3: never on a link, in either direction. */
bool stack_is_loopback(const uint8_t ip[16]);
bool stack_is_link_local(const uint8_t ip[16]); /* IPv6 fe80::/10: needs a zone */
/* iface of an endpoint: the zone, where its address needs one. */
static inline uint16_t stack_scope(const uint8_t ip[16], uint16_t zone)
{
    return stack_is_link_local(ip) ? zone : 0;
}
/* Whose packets stay on the link of one of the two addresses, this interface's; 0: on no certain
 * one.  RFC 4007 6, 9 */
uint8_t stack_zone(const uint8_t local[16], const uint8_t remote[16], uint32_t iface);
bool stack_is_multicast(const uint8_t ip[16]);
/* Limited, or that of an IPv4 subnet of this interface (0: of any). */
bool stack_is_broadcast(const struct stack *st, const uint8_t ip[16], uint32_t iface);
/* May the other end of a connection have it?  RFC 9293 MUST-46, MUST-57 */
bool stack_is_unicast(const struct stack *st, const uint8_t ip[16]);
bool stack_same_prefix(const uint8_t a[16], const uint8_t b[16], uint32_t bits);
/* A prefix length as callers count it -> of 128.  False: ip's version has not so many bits. */
bool stack_prefix_bits(const uint8_t ip[16], uint32_t prefix_len, uint8_t *bits);

/* route.c: the way to dst (zone: its interface when link-local, else 0). HF_ERR_NET_UNREACHABLE. */
struct stack_path {
    uint8_t next[16]; /* the gateway, or dst itself                                     */
    uint8_t src[16];  /* our address to use                                             */
    uint32_t iface;
    uint32_t mtu;
    bool own; /* dst is an address of this stack                                        */
};
int stack_route(const struct stack *st, const uint8_t dst[16], uint8_t zone,
                struct stack_path *path);
/* Our address on this link, for a question to dst there; false: there is none. */
bool stack_link_source(const struct stack *st, const uint8_t dst[16], uint8_t iface,
                       uint8_t src[16]);
/* May what goes this way be from `src` (zone: its interface when link-local, 0: not said)?
 * HF_ERR_INVALID: another link's, HF_ERR_NO_ADDRESS, HF_ERR_NET_UNREACHABLE. */
int stack_source_error(const struct stack *st, const struct stack_path *path, const uint8_t src[16],
                       uint32_t zone);
/* bits: of 128; gateway NULL: on the link. HF_ERR_EXISTS, HF_ERR_NO_RESOURCES; HF_ERR_INVALID: no
 * such route. */
int stack_route_put(struct stack *st, uint32_t iface, const uint8_t prefix[16], uint8_t bits,
                    const uint8_t *gateway);
struct stack_route *stack_route_found(const struct stack *st, uint32_t iface,
                                      const uint8_t prefix[16], uint8_t bits); /* NULL: none */
int stack_route_drop(struct stack *st, uint32_t iface, const uint8_t prefix[16], uint8_t bits);
/* The same without src. */
int stack_find_hop(const struct stack *st, const uint8_t dst[16], uint8_t zone,
                   struct stack_path *path);

/* neighbour.c */
enum { NEIGHBOUR_KNOWN = 0, NEIGHBOUR_NONE = -1, NEIGHBOUR_FULL = -2 };
/* The link address of path->next.  NEIGHBOUR_KNOWN: in mac.  Else it is being asked for: the number
 * of its entry; NEIGHBOUR_FULL: no entry is free, something will be soon; NEIGHBOUR_NONE: never.
 * answer: to whoever asked; such ones leave places to what we begin. */
int stack_resolve(struct stack *st, const struct stack_path *path, uint8_t mac[6], bool answer);
void stack_neighbour_timeouts(struct stack *st);
/* Number of the entry, 0: none.  Not with max_neighbours 0. */
uint32_t stack_find_neighbour(const struct stack *st, const uint8_t ip[16], uint32_t iface);
/* Its owner has told its link address: in answer to us (reachable), or for another reason. */
void stack_neighbour_confirm(struct stack *st, uint32_t n, const uint8_t mac[6], bool reachable);
/* Somebody contradicts: to be asked again at its next use. */
void stack_neighbour_doubt(struct stack *st, uint32_t n);
/* Another link address than the one it has is claimed: who has answered is asked first.  False: it
 * has not answered lately, and nobody is being asked. */
bool stack_neighbour_contest(struct stack *st, uint32_t n);
/* Everybody was asked: another link address may be believed. */
bool stack_neighbour_may_move(const struct stack_neighbour *entry);
/* A host that asks us tells its own link address by the way.  False: it is contested. */
bool stack_neighbour_heard(struct stack *st, const uint8_t ip[16], uint32_t iface,
                           const uint8_t mac[6]);
/* A neighbour has answered or failed, a route has come: the connections that wait try again. */
void stack_unblock(struct stack *st);

/* input.c: a packet on its way up. */
struct arrival {
    const uint8_t *packet;  /* from the IP header on; NULL: put together from fragments */
    const uint8_t *payload; /* what IP carries                                          */
    uint32_t len;           /* of it                                                    */
    uint32_t chain;         /* its chunks, when it is not contiguous; payload NULL      */
    struct wire_ip ip;
    const struct hf_frame_in *frame;
    uint32_t lent;    /* struct lent of the frame, 0: none                          */
    uint8_t mac[6];   /* of the sender, on Ethernet                               */
    uint8_t iface;    /* where it came in                                         */
    bool to_group;    /* its destination is no single host: broadcast, multicast  */
    bool csum_ok;     /* the device has checked what TCP or UDP would             */
    bool reassembled; /*                                                          */
    const struct stack_address *own; /* which it came to, where it was looked for */
};
/* Counts and traces the end of a packet that no connection sees. */
void stack_verdict(struct stack *st, const struct arrival *a, enum hf_verdict verdict);
/* TCP, UDP or ICMP of a whole packet. */
void stack_deliver(struct stack *st, struct arrival *a);
void stack_tcp_input(struct stack *st, const struct arrival *a);
/* What tcp_find finds, once a half-open one of a listener that is gone is forgotten. */
uint32_t stack_find_connection(struct stack *st, const struct conn_id *id);
/* The segment of a packet that has passed all checks; zone and addresses as in ip. */
enum hf_verdict stack_segment(struct stack *st, const uint8_t local[16], const uint8_t remote[16],
                              uint8_t iface, struct segment *seg);

/* Whose segment it is; its hash is not known yet. */
struct conn_id stack_conn_id(const uint8_t local[16], const uint8_t remote[16], uint8_t iface,
                             const struct segment *seg);

/* train.c */
/* The segment has been taken, and came in a frame of its own: others may follow it. */
void stack_train_lead(struct stack *st, const struct arrival *a, const struct segment *seg);
/* False: the frame is no part of the train under way, which is to be ended. */
bool stack_train_takes(struct stack *st, const struct hf_frame_in *frame);
void stack_train_ends(struct stack *st);

/* ahead.c: fetches what the first frames of these will look at; STACK_AHEAD at most. */
enum { STACK_AHEAD = 16 };
void stack_fetch_ahead(const struct stack *st, const struct hf_frame_in *frames, uint32_t n);

/* fragment.c */
void stack_fragment_input(struct stack *st, struct arrival *a);
void stack_fragment_timeouts(struct stack *st);

/* arp.c, nd.c: messages of the neighbour protocols */
void stack_arp_input(struct stack *st, const struct arrival *a, const uint8_t *p, size_t len);
/* mac NULL: everybody is asked. */
void stack_arp_ask(struct stack *st, uint8_t iface, const uint8_t ip[16], const uint8_t *mac);
void stack_nd_ask(struct stack *st, uint8_t iface, const uint8_t ip[16], const uint8_t *mac);
void stack_nd_input(struct stack *st, const struct arrival *a, const struct wire_icmp *icmp);

/* icmp_in.c, icmp_out.c */
void stack_icmp_input(struct stack *st, struct arrival *a);
/* Answers a packet with an ICMP error, where RFC 1122 3.2.2 and RFC 4443 2.4 allow one. */
void stack_icmp_error(struct stack *st, const struct arrival *a, uint8_t type, uint8_t code,
                      uint32_t rest);
/* Takes a->chain when it uses it. */
enum hf_verdict stack_echo_reply(struct stack *st, struct arrival *a, const struct wire_icmp *icmp);
csum_t stack_chain_sum(const struct stack *st, uint32_t chain);
/* A held SYN (id; irs: its sequence number) is answered with an ICMP error. */
void stack_icmp_refuse(struct stack *st, const struct conn_id *id, seq_t irs,
                       enum hf_answer answer);
/* That SYN is of this stack, too: whose it is hears of the error at once, by no packet. */
void stack_icmp_own(struct stack *st, const struct conn_id *id, seq_t seq,
                    const struct wire_icmp *icmp);
/* Notes an ICMP error for hf_error_report; the number goes into tally.icmp_note, udp.icmp_note. */
uint32_t stack_note_add(struct stack *st, hf_handle handle, const struct hf_icmp_report *report);
/* There is no way to the peer of this connection, or nobody answers for it: a soft error. */
void stack_connection_unreachable(struct stack *st, struct tcb *tcb);

/* packet.c: the queue */
uint32_t stack_packet_new(struct stack *st, bool reserve); /* zeroed; 0: none */
void stack_packet_free(struct stack *st, uint32_t idx);    /* with its payload */
void stack_packet_send(struct stack *st, uint32_t idx);    /* queues it */
uint32_t stack_packet_pop(struct stack *st);               /* the oldest, 0: none */
/* It waits for a neighbour; of those that do, only the latest few are kept. */
void stack_packet_wait(struct stack *st, uint32_t idx, uint32_t neighbour);
/* Those waiting for a neighbour go back to the queue; or are dropped. */
void stack_packets_resume(struct stack *st, uint32_t neighbour);
void stack_packets_drop(struct stack *st, uint32_t neighbour);

/* udp.c */
void stack_udp_input(struct stack *st, struct arrival *a); /* as stack_echo_reply */
/* The socket for a datagram to ip and port, 0: none. */
uint32_t stack_find_udp(const struct stack *st, const uint8_t ip[16], uint16_t port, uint8_t zone);
/* A datagram to an address of our own, out of the queue; idx is taken. */
void stack_udp_loop(struct stack *st, uint32_t idx);
void stack_udp_note(struct stack *st, uint32_t idx, const struct hf_icmp_report *report);
/* A packet found no neighbour: its socket is told. */
void stack_udp_unreachable(struct stack *st, const struct stack_packet *packet);
/* A packet record is free again. */
void stack_udp_writable(struct stack *st);
/* The socket and what it has unread are gone. */
void stack_udp_close(struct stack *st, uint32_t udp);

#endif
