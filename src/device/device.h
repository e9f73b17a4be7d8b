/* device.h - what the files of this folder share.
 *
 *     device.c       the public functions that call a device's own
 *     error.c        sentences for people
 *     vnet.c         the virtio-net header
 *     tun.c          TUN and TAP
 *     packet.c       AF_PACKET
 *     xdp.c          AF_XDP (needs libxdp)
 *     group.c        the queues of one interface
 *     pair.c         a cable in memory
 *     cut.c          frames as the wire carries them
 *     impaired.c     loss, duplication, reordering, delay, corruption
 *     capture.c      pcapng tap
 *     netlink.c      links and addresses of the kernel (needs libmnl)
 *     namespace.c    a user and network namespace
 */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <linux/virtio_net.h>

#include "handfast/device.h"

enum {
    DEV_NAME_BYTES = 32,
    DEV_BATCH = 64,              /* frames moved by one call, at most                      */
    DEV_FRAME_BYTES = 18 + 65575 /* the longest frame: Ethernet, VLAN tag, IPv6 and 65,535 */
};

/* A device that can do without its frames for a while: they lie in memory of its own, and may be
 * lent to the stack (hf_frame_in.region) instead of copied. */
struct dev_lender {
    struct hf_region memory;
    /* The i-th frame of the last receive stays where it is, as its token says; false: too many do.
     */
    bool (*lend)(void *self, uint32_t i);
    void (*returned)(void *self, uint64_t token);
};

struct hf_device {
    const struct hf_device_calls *calls;
    const struct dev_lender *lender; /* NULL: none */
    void *self;
    struct dev_member *member; /* of a group of queues; NULL: of none */
    struct hf_interface iface;
    bool shares_mac; /* with the kernel, which sees each frame, too, and has the address made of it
                      */
    bool by_name;    /* the kernel's interface of that name is its other side, or the same one; a
                        device from a descriptor may be in another namespace */
    int fd;          /* a member's: of the group's making */
    char name[DEV_NAME_BYTES];
};

enum { DEV_ALL_OFFLOADS = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6 };

/* error.c: writes the sentence, if there is room for one; returns err. */
int dev_fail(char error[HF_ERROR_TEXT], int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Of a device's receive or send: it will not come back. */
bool dev_is_gone(int err);

/* device.c: a name from a caller, cut to what fits. */
void dev_copy_name(char *to, size_t room, const char *from);
/* ethtool.c: the number of the kernel's interface; -ENODEV: there is none of this name; an errno.
 */
int dev_index_of(const char *name, char error[HF_ERROR_TEXT]);
/* Of a device that was opened by its name: the kernel has this address there (IPv4 as ::ffff:).
 * Who may not ask does without. */
bool dev_kernel_has(const struct hf_device *device, const uint8_t ip[16]);
/* What a wrapper has from the device inside. */
void dev_inherit(struct hf_device *device, const struct hf_device *inner);

/* The virtio-net header, virtio 1.2 section 5.1.6 ------------------------------------- vnet.c */

/* Fills in what the header says about a frame; false: of no use to us. */
bool dev_vnet_in(const struct virtio_net_hdr *vnet, struct hf_frame_in *frame);
void dev_vnet_out(const struct hf_frame_out *frame, struct virtio_net_hdr *vnet);
/* writev of virtio-net header (vnet_len octets), frame header, slices. Returns 1: taken, sent or
 * dropped (*dropped counts); 0: the device is full; negative errno: it is gone. */
int dev_vnet_send(int fd, size_t vnet_len, const struct hf_frame_out *frame, uint64_t *dropped);

/* tun.c and packet.c: a device around an open descriptor ------------------------------------- */

int dev_tun_wrap(struct hf_device **device, int fd, const char *name, const uint8_t *mac,
                 uint32_t mtu, uint32_t flags, char error[HF_ERROR_TEXT]);
int dev_packet_wrap(struct hf_device **device, int fd, const char *called, const uint8_t *mac,
                    uint32_t flags, char error[HF_ERROR_TEXT]);
/* Opens /dev/net/tun as TUN or TAP (ifr_flags); the name the kernel gave is written to name. */
int dev_tun_open(char name[DEV_NAME_BYTES], int kind, char error[HF_ERROR_TEXT]);
/* An AF_PACKET socket bound to the interface. */
int dev_packet_open(const char *name, char error[HF_ERROR_TEXT]);
/* What its interface says of itself, asked through the socket, as it may be in another namespace;
 * called: its name in the sentence, where it says none.
 * As long as the socket is open, the interface takes in groups and, where mac is another one than
 * its own, everything. */
int dev_packet_describe(int fd, const char *called, char name[DEV_NAME_BYTES], const uint8_t *mac,
                        struct hf_interface *iface, char error[HF_ERROR_TEXT]);

/* Queues of one interface --------------------------------------------------------------- group.c
 */

/* With HF_DEVICE_QUEUE: puts the device among those of its kind and name, or closes it. */
int dev_join_if_queue(struct hf_device **device, uint32_t flags, char error[HF_ERROR_TEXT]);
void dev_group_leave(struct dev_member *member);
/* The packet socket shares what comes with those of the others: each flow goes to one of them. */
int dev_group_fanout(struct dev_member *member);
/* After a receive that gave `got` of n frames: what others want of them is passed on, and what they
 * have passed on is added.  Returns how many there are then. */
uint32_t dev_group_receive(struct dev_member *member, struct hf_frame_in *frames, uint32_t got,
                           uint32_t n);
void dev_group_flush(struct dev_member *member);
/* poll events that the device itself waits for. */
void dev_group_watch(struct dev_member *member, int events);

/* Frames as the wire carries them -------------------------------------------------------- cut.c */

/* A frame of either direction in one piece of memory. */
struct dev_frame {
    uint8_t *data;
    uint32_t len;
    uint32_t link;     /* enum hf_link                                               */
    uint32_t gso_size; /* 0: one segment                                             */
    bool out_csum;     /* the checksum at csum_start + csum_offset is to be finished */
    bool in_csum;      /* the checksum may not be filled in; where, the frame tells  */
    uint16_t csum_start, csum_offset;
};

/* Copies header and slices to out (DEV_FRAME_BYTES); false: too long. */
bool dev_join(const struct hf_frame_out *frame, uint32_t link, uint8_t *out,
              struct dev_frame *joined);
/* Octets of the link header in front of the IP header; len when there is no IP header. */
uint32_t dev_ip_at(const struct dev_frame *frame);
/* How many wire frames it makes, at least 1. */
uint32_t dev_cut_count(const struct dev_frame *frame);
/* Writes the index-th wire frame, checksums filled in, to out (DEV_FRAME_BYTES); its length. */
uint32_t dev_cut(const struct dev_frame *frame, uint32_t index, uint8_t *out);
/* The same of a UDP super-segment, which comes in from this machine only: gso_size octets of text
 * each.  0: there are no more. */
uint32_t dev_cut_udp(const struct dev_frame *frame, uint32_t index, uint8_t *out);

#endif
