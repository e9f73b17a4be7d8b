/* device.h - where frames come from and go to: TUN, TAP, AF_PACKET, AF_XDP, memory, and wrappers of
 * these.
 *
 *     TUN, TAP, AF_PACKET, AF_XDP, pair   ends: they move frames
 *     impaired, pcapng tap                wrappers around a device; they own what is inside
 *
 * A device belongs to one thread at a time, like the stack it serves.  Of these functions only
 * hf_device_xdp may wait.  Times are nanoseconds of the caller's clock, the one in hf_env.now_ns;
 * it never goes back.
 *
 * Errors: 0 or a count is success, else a negative errno (-EPERM), of what opens something -ENOMEM,
 * too, and then *device is NULL.  What opens something also takes
 * `error`, room for one sentence that says what is missing and what to do about it; it may be NULL.
 *
 * Most programs need no more of this than the functions that open: struct hf_host (host.h) drives
 * the devices attached to it, and owns them.
 */
#ifndef HANDFAST_DEVICE_H
#define HANDFAST_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handfast/handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_device;

enum { HF_ERROR_TEXT = 256 }; /* octets of an `error`, its 0 included */

/* Ends ----------------------------------------------------------------------------------------- */

enum {
    HF_DEVICE_NO_OFFLOAD = 1u << 0,  /* no virtio-net offloads: one wire segment per frame */
    HF_DEVICE_QUEUE = 1u << 1,       /* one queue of several, see below                     */
    HF_DEVICE_XDP_NATIVE = 1u << 2,  /* AF_XDP: the driver itself runs the program               */
    HF_DEVICE_XDP_GENERIC = 1u << 3, /* AF_XDP: the kernel does, for any driver (SKB mode)       */
};

/* HF_DEVICE_QUEUE is for stacks that share an address on cores of their own (shards.h): each opens
 * one device by a call of its own, with the same name, in one process and network namespace.  TUN,
 * TAP: the kernel keeps a flow at the queue that answers it.  AF_PACKET: a fanout group, by a hash
 * of addresses and ports; flows move when a queue is opened or closed.  AF_XDP: the queues of the
 * network card, one each by number.  With these two a connection that is opened here may be
 * answered at another queue: they are for those who listen.  What belongs to no flow - answers to
 * ARP and neighbour discovery, errors of ICMP - is heard at each queue of the process, wherever it
 * came. */

/* Attaches to the TUN device `name`, or creates it (root, or CAP_NET_ADMIN in the network's user
 * namespace) for as long as it is open; "" or NULL: the kernel picks a name.  IP packets, no link
 * header.  -EACCES, -EPERM, -ENOENT (no /dev/net/tun), -EBUSY (in use), -EINVAL (it is a TAP,
 * or has an MTU under 576).
 * The kernel's side (addresses, up) is the caller's: `ip`, or hf_kernel_address in host.h. */
int hf_device_tun(struct hf_device **device, const char *name, uint32_t flags,
                  char error[HF_ERROR_TEXT]);
/* The same with Ethernet frames.  mac: ours, other than the kernel's; NULL: made up from the name,
 * locally administered. */
int hf_device_tap(struct hf_device **device, const char *name, const uint8_t mac[6], uint32_t flags,
                  char error[HF_ERROR_TEXT]);
/* Shares the Ethernet interface `name` (CAP_NET_RAW) through an AF_PACKET socket.  mac: ours; NULL:
 * the interface's own, for when the kernel has no address there.  Another one than the interface's
 * makes it promiscuous. Super-segments of the kernel's come in whole where they are TCP, as
 * datagrams where they are UDP (a kernel before 6.2 gives those to nobody: `ethtool -K PEER
 * tx-udp-segmentation off`).  HF_DEVICE_NO_OFFLOAD is for sending: what comes in may be longer than
 * a wire segment all the same (`ethtool -K NAME gro off`).  -ENODEV: no such interface. */
int hf_device_packet(struct hf_device **device, const char *name, const uint8_t mac[6],
                     uint32_t flags, char error[HF_ERROR_TEXT]);
/* Takes over one receive queue of the Ethernet interface `name` through an AF_XDP socket (root, or
 * CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF; a kernel from 5.4 on), with need-wakeup; without copies
 * where the driver offers that.  Unlike with AF_PACKET, all that arrives at the queue is this
 * device's and the kernel sees nothing of it, while other queues stay the kernel's: an interface of
 * several (hf_device_queues) wants a device for each, or `ethtool -L NAME combined 1`.
 *
 * queue: from 0 on.  mac: as for hf_device_packet.  flags: HF_DEVICE_XDP_NATIVE or _GENERIC insists
 * on a mode; neither: the mode of the other queues, else native where the driver can.  Waits, up to
 * a second, for a queue that was closed a moment ago.
 *
 * No offloads: checksums are computed here and have to be right in what arrives.  A veth whose
 * other end leaves them out hands them over unfinished, unmarked, and such segments are dropped
 * (HF_V_DROP_TCP_CHECKSUM), as super-segments are: switch both off there, `ethtool -K PEER tx off`.
 *
 * Each open and close costs the process two descriptors for good with libxdp 1.3.1, which leaves a
 * map and a program of its own open.
 *
 * Closing, in the same network namespace, takes libxdp's program off the interface with the last of
 * its queues.  The program of a process that was killed stays, gives frames to the kernel, and
 * serves the next device of its mode; `ip link set dev NAME xdp off`, or xdpgeneric, ends it.
 *
 * -ENODEV, -EPERM, -EAFNOSUPPORT (the kernel), -EOPNOTSUPP (the driver), -ENOTSUP (this build has
 * no libxdp), -EBUSY (the queue, or another mode), -EINVAL (no such queue), -EMSGSIZE (an MTU above
 * 3822), -ENOBUFS (16 MiB cannot be locked). */
int hf_device_xdp(struct hf_device **device, const char *name, uint32_t queue, const uint8_t mac[6],
                  uint32_t flags, char error[HF_ERROR_TEXT]);
/* How many queues the interface receives with, at least 1; -ENODEV: no such interface. */
int hf_device_queues(const char *name);
/* 1: the kernel's interface `name` is up; 0: down (`ip link set NAME up`): what is sent is lost and
 * nothing arrives, until it is up; -ENODEV: no such interface.  A TUN or TAP device that opening it
 * has made is down at first. */
int hf_device_is_up(const char *name);
/* A device from a descriptor that somebody else opened, which it owns from now on, also on failure:
 * /dev/net/tun after TUNSETIFF with IFF_NO_PI and IFF_VNET_HDR (a header of 10 or 12 octets), or an
 * AF_PACKET socket that is bound to an Ethernet interface, which has its own name and MTU.  name:
 * the TUN's or TAP's, NULL: the kernel's; mac: NULL: as when it is opened by its name; mtu: 576 ..
 * 65535, else hf_interface_add refuses it.  -EINVAL: another kind of descriptor, or an errno of
 * what is asked of it. */
int hf_device_from_fd(struct hf_device **device, int fd, const char *name, const uint8_t mac[6],
                      uint32_t mtu, uint32_t flags, char error[HF_ERROR_TEXT]);

struct hf_pair {
    uint32_t struct_size;
    uint8_t link;     /* enum hf_link; Ethernet: MACs are 02:..:01 and 02:..:02                 */
    uint8_t pad[3];   /*                                                                        */
    uint32_t mtu;     /* 0: 1500                                                                */
    uint32_t offload; /* HF_OFFLOAD_*: super-segments cross whole                               */
    uint32_t frames;  /* each direction holds at most this many: a power of two to 65536, 0: 256 */
};
/* Two ends of a cable in memory.  Each may be in a thread of its own; each is closed by itself, and
 * what is sent to a closed end is lost.  config NULL: HF_LINK_IP, all offloads.  -EINVAL: frames;
 * -EMFILE. */
int hf_device_pair(struct hf_device *ends[2], const struct hf_pair *config,
                   char error[HF_ERROR_TEXT]);

/* Wrappers ------------------------------------------------------------------------------------- */

/* Directions as the stack sees them. */
enum { HF_DIRECTION_IN = 1, HF_DIRECTION_OUT = 2 };

/* A wire frame about to cross an impaired device: one segment, its checksums filled in. Returns
 * true to lose it.  Called once per frame in the order of crossing, before the dice. */
typedef bool hf_lose_fn(void *arg, int direction, const uint8_t *frame, uint32_t len);

/* Chances are parts per million of frames, 0 .. 1,000,000. */
struct hf_impairment {
    uint32_t struct_size;
    uint32_t lose;          /* lost                                                            */
    uint32_t duplicate;     /* crosses twice                                                   */
    uint32_t reorder;       /* held back until 1 .. reorder_depth later frames have crossed,
                               or reorder_ms is over                                           */
    uint32_t reorder_depth; /* 0: 3                                                            */
    uint32_t reorder_ms;    /* 0: 10                                                           */
    uint32_t corrupt;       /* one bit flipped behind the link header                          */
    uint32_t directions;    /* 1 << HF_DIRECTION_*; 0: both                                    */
    uint64_t delay_ns;      /* each frame takes at least this long ...                         */
    uint64_t jitter_ns;     /* ... and at most so much longer; keeps the order                 */
    uint32_t queue;         /* frames under way at most, more are lost; 0: 4096                */
    uint8_t seed[16];       /* the same seed and frames: the same fate                         */
    hf_lose_fn *lose_fn;    /* NULL: none                                                      */
    void *lose_arg;
};
/* Puts impairments around `inner`, which the new device owns from now on (also on failure).
 * Offloaded frames are cut into wire segments, and checksums computed, first: out of the stack it
 * still takes super-segments, into the stack it gives none.  -EINVAL: a chance over 1,000,000. */
int hf_device_impaired(struct hf_device **device, struct hf_device *inner,
                       const struct hf_impairment *impairment, char error[HF_ERROR_TEXT]);
/* Replaces the impairments; frames under way stay so.  The dice are seeded anew.  -EINVAL: not an
 * impaired device, or a chance over 1,000,000. */
int hf_device_impair(struct hf_device *impaired, const struct hf_impairment *impairment);

struct hf_impaired_counts {
    uint64_t passed, lost, duplicated, reordered, corrupted, overflowed;
};
/* Frames so far.  -EINVAL: not an impaired device. */
int hf_device_impaired_counts(const struct hf_device *impaired, struct hf_impaired_counts *counts);

/* A packet on its way into a capture file, as the wire carries it. */
struct hf_captured {
    int64_t time_ns;     /* the caller's clock                                                 */
    const uint8_t *data; /* from the link header (Ethernet) or the IP header on                */
    uint32_t len;
    uint32_t link;      /* enum hf_link                                                        */
    uint32_t direction; /* HF_DIRECTION_IN, HF_DIRECTION_OUT                                   */
    uint64_t frame;     /* counts the frames of this direction from 0: the pieces of one
                           super-segment have the same number                                  */
    uint32_t piece;     /* 0, 1, ... of ...                                                    */
    uint32_t pieces;    /* ... this many segments that the frame was cut into                  */
};
/* Writes a comment for the packet (UTF-8, no 0 at the end) into room octets; returns its length, 0:
 * none.  Called when the stack has seen the packet: for what goes out when it is sent, for what
 * comes in at hf_device_flush, in the order of hf_input.  So a trace sink that notes its records
 * has noted this packet's before. */
typedef size_t hf_comment_fn(void *arg, const struct hf_captured *packet, char *text, size_t room);
/* Is this packet to be written?  Called before hf_comment_fn, which then hears only of those. */
typedef bool hf_keep_fn(void *arg, const struct hf_captured *packet);
/* A signal came while a write waited, for the reader of a pipe: is the capture to end (-EINTR)? */
typedef bool hf_interrupted_fn(void *arg);

struct hf_capture {
    uint32_t struct_size;
    const char *path;       /* created or emptied; "-": standard output, which stays open     */
    hf_comment_fn *comment; /* NULL: none                                                     */
    void *comment_arg;
    uint32_t snaplen; /* octets kept of each packet; 0: all                              */
    int64_t epoch_ns; /* added to the caller's clock to give nanoseconds since 1970; 0:
                         the difference of CLOCK_REALTIME and CLOCK_MONOTONIC now        */
    const char *name; /* of the interface in the file; NULL: the device's                */
    hf_keep_fn *keep; /* NULL: all are written; its arg is comment_arg                  */
    hf_interrupted_fn *interrupted; /* NULL: signals end no write; its arg is comment_arg */
};
/* Puts a pcapng tap around `inner`, which the new device owns from now on (also on failure).  What
 * is offloaded is written as the wire carries it: cut, checksums filled in.  path and name are
 * copied or not needed any more, comment_arg is to last as long.  An errno of open(2). */
int hf_device_capture(struct hf_device **device, struct hf_device *inner,
                      const struct hf_capture *capture, char error[HF_ERROR_TEXT]);
/* Writes out what is buffered; 0, or the negative errno that stopped the writing (-ENOSPC): packets
 * after it are missing.  -EINVAL: not a capture. */
int hf_device_capture_status(struct hf_device *capture);

/* A device of one's own ------------------------------------------------------------------------ */

/* What a device can do; see the functions of the same name below.  All but receive, send and close
 * may be NULL. */
struct hf_device_calls {
    uint32_t struct_size;
    int (*receive)(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n);
    int (*send)(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n);
    void (*flush)(void *self, int64_t now_ns);
    int64_t (*deadline)(const void *self);
    void (*timeouts)(void *self, int64_t now_ns);
    int (*poll_events)(const void *self);
    void (*close)(void *self);
};
/* iface is copied; fd: -1 when there is nothing to poll.  calls and self stay the caller's until
 * calls->close(self); name is copied, cut to 31 characters.  -ENOMEM; -EINVAL: receive, send or
 * close is NULL.  Then self is still the caller's to close. */
int hf_device_new(struct hf_device **device, const struct hf_device_calls *calls, void *self,
                  const struct hf_interface *iface, int fd, const char *name);

/* Using a device ------------------------------------------------------------------------------- */

/* Closes it and what is inside it.  NULL is allowed. */
void hf_device_close(struct hf_device *device);
/* Link, MAC, MTU, offloads: what hf_interface_add wants.  Valid until closed. */
const struct hf_interface *hf_device_interface(const struct hf_device *device);
/* "hf0"; never NULL, "" for what has no name. */
const char *hf_device_name(const struct hf_device *device);
/* To be polled for hf_device_poll_events; -1: there is nothing to poll, ask at any time. */
int hf_device_fd(const struct hf_device *device);
/* POLLIN, and POLLOUT while send took less than it was given. */
int hf_device_poll_events(const struct hf_device *device);
/* Up to n frames; 0: nothing now.  frames[].iface is left 0 for the caller to fill in.  The octets
 * are the device's and valid until the next receive, flush or close.  -ENETDOWN, -ENOMEM: nothing
 * for now, as it is down or out of memory; another negative errno: the device is gone (-ENODEV),
 * and a host asks it no more. */
int hf_device_receive(struct hf_device *device, int64_t now_ns, struct hf_frame_in *frames,
                      uint32_t n);
/* How many of the n frames were taken, from the first on.  What was taken is done with: it was
 * sent, copied or, where the kernel refuses it, dropped and counted, and hf_output_done is due. The
 * rest is to be offered again, in order, when hf_device_poll_events come; where it will not be, an
 * offer of no frame (n 0) says so, and the device need not wait for room.  Negative errno as
 * above; what a host has offered is lost then. */
int hf_device_send(struct hf_device *device, int64_t now_ns, const struct hf_frame_out *frames,
                   uint32_t n);
/* The stack has processed all frames received so far: a capture writes them, a ring has its slots
 * back. */
void hf_device_flush(struct hf_device *device, int64_t now_ns);
/* When hf_device_timeouts is due, and receive may have something; INT64_MAX: never. */
int64_t hf_device_deadline(const struct hf_device *device);
/* Sends what was delayed until now, or found no room; to be called at the deadline and whenever
 * the descriptor is ready. */
void hf_device_timeouts(struct hf_device *device, int64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
