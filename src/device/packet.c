/* packet.c - AF_PACKET on an Ethernet interface, packet(7): frames come through a ring shared with
 * the kernel (its size does not depend on what an unprivileged user may set SO_RCVBUF to, and a
 * super-segment takes as much as many small ones), and go out with writev; both with the virtio-net
 * header.
 *
 *     | tpacket2_hdr | sockaddr_ll | .. | virtio_net_hdr | frame ....... |    one slot
 *                                                        ^ tp_mac
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device/device.h"

enum {
    SLOT_BYTES = 17 * 4096, /* 64 KiB and what the kernel puts before it */
    BLOCK_BYTES = 1 << 20,  /* pages of any size, and a power of two, as the kernel rounds up */
    SLOTS_PER_BLOCK = BLOCK_BYTES / SLOT_BYTES, /* the rest of a block is left alone */
    BLOCKS = 17,
    SLOTS = SLOTS_PER_BLOCK * BLOCKS,
    LOOK_NS = 500000000,
    PIECES_BYTES = 2 * DEV_FRAME_BYTES, /* what one UDP super-segment is cut into */
};
_Static_assert(BLOCK_BYTES % (64 << 10) == 0, "a block has whole pages of 64 KiB, too");
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* virtio 1.3 section 5.1.6 */
#endif

struct packet {
    int fd;
    bool full;
    uint32_t next; /* slot the kernel fills next            */
    uint32_t held; /* slots before it that the stack may still read */
    uint64_t dropped;
    int64_t look_at_ns; /* when to see whether it is up again, or gone; INT64_MAX: it is up */
    uint8_t *ring;
    uint8_t *pieces; /* NULL: none yet */
    uint32_t piece;  /* of the next slot: which of its datagrams is next */
};

static struct tpacket2_hdr *slot_at(const struct packet *packet, uint32_t index)
{
    size_t block = index % SLOTS / SLOTS_PER_BLOCK;
    size_t within = index % SLOTS_PER_BLOCK; /* SLOTS are whole blocks */
    return (struct tpacket2_hdr *)(void *)(packet->ring + block * BLOCK_BYTES +
                                           within * SLOT_BYTES);
}

static uint32_t status_of(struct tpacket2_hdr *slot)
{
    return __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
}

static void give_back(struct tpacket2_hdr *slot)
{
    __atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

/* The kernel has taken the tag (IEEE 802.1Q) off the frame, which looks like one of the network
 * without tags, and is none of it.  VLAN 0 is only a priority there. */
static bool is_of_a_vlan(const struct tpacket2_hdr *slot)
{
    return (slot->tp_status & TP_STATUS_VLAN_VALID) != 0 && (slot->tp_vlan_tci & 0xfff) != 0;
}

static bool is_of_use(const struct tpacket2_hdr *slot)
{
    struct sockaddr_ll from;
    memcpy(&from, (const uint8_t *)slot + TPACKET_ALIGN(sizeof *slot), sizeof from);
    return from.sll_pkttype != PACKET_OUTGOING && slot->tp_snaplen >= slot->tp_len &&
           !is_of_a_vlan(slot);
}

/* The datagrams of a UDP super-segment, up to n; the rest of them has its turn when it is asked
 * for the next time, as this slot stays the next one. */
static uint32_t take_pieces(struct packet *packet, struct tpacket2_hdr *slot, uint32_t gso_size,
                            struct hf_frame_in *frames, uint32_t n)
{
    struct dev_frame super = {.data = (uint8_t *)slot + slot->tp_mac,
                              .len = slot->tp_snaplen,
                              .link = HF_LINK_ETHERNET,
                              .gso_size = gso_size};
    uint32_t got = 0, used = 0, len = 1;
    if (packet->pieces == NULL && (packet->pieces = malloc(PIECES_BYTES)) == NULL) {
        return 0;
    }
    while (got < n && used <= PIECES_BYTES - DEV_FRAME_BYTES && len > 0) {
        uint8_t *out = packet->pieces + used;
        len = dev_cut_udp(&super, packet->piece, out);
        if (len > 0) {
            frames[got++] = (struct hf_frame_in){.data = out, .len = len};
        }
        used += len;
        packet->piece = len > 0 ? packet->piece + 1 : 0;
    }
    return got;
}

/* How many frames; *last: there is no room for the pieces of another one. */
static uint32_t take_slot(struct packet *packet, struct tpacket2_hdr *slot,
                          struct hf_frame_in *frames, uint32_t n, bool *last)
{
    const uint8_t *data = (const uint8_t *)slot + slot->tp_mac;
    struct virtio_net_hdr vnet;
    memcpy(&vnet, data - sizeof vnet, sizeof vnet);
    if (!is_of_use(slot)) {
        return 0;
    }
    if (vnet.gso_type == VIRTIO_NET_HDR_GSO_UDP_L4) {
        *last = true;
        return take_pieces(packet, slot, vnet.gso_size, frames, n);
    }
    frames[0] = (struct hf_frame_in){.data = data, .len = slot->tp_snaplen};
    return dev_vnet_in(&vnet, &frames[0]) ? 1 : 0;
}

static bool is_up(int fd, int index)
{
    struct ifreq ifr = {.ifr_ifindex = index};
    return ioctl(fd, SIOCGIFNAME, &ifr) == 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 &&
           (ifr.ifr_flags & IFF_UP) != 0;
}

/* Nothing came.  An error tells, once, that the interface is down.  It may come up again, or be
 * taken away, which no error tells: so it is looked at until it is either. */
static int trouble(struct packet *packet, int64_t now_ns)
{
    int err = 0;
    socklen_t len = sizeof err;
    struct sockaddr_ll at = {0};
    socklen_t at_len = sizeof at;
    (void)getsockopt(packet->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err == 0 && now_ns < packet->look_at_ns) {
        return 0;
    }
    if (getsockname(packet->fd, (struct sockaddr *)&at, &at_len) != 0 || at.sll_ifindex <= 0) {
        return -ENODEV;
    }
    packet->look_at_ns = is_up(packet->fd, at.sll_ifindex) ? INT64_MAX : now_ns + LOOK_NS;
    return 0;
}

static int64_t deadline(const void *self)
{
    return ((const struct packet *)self)->look_at_ns;
}

/* As long as the newest slot is not given back, poll would say that there is more. */
static void flush(void *self, int64_t now_ns)
{
    (void)now_ns;
    struct packet *packet = self;
    while (packet->held > 0) {
        give_back(slot_at(packet, packet->next + SLOTS - packet->held));
        packet->held--;
    }
}

static int receive(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    struct packet *packet = self;
    flush(packet, now_ns);
    uint32_t got = 0;
    bool last = false;
    while (got < n && packet->held < SLOTS - 1 && !last) {
        struct tpacket2_hdr *slot = slot_at(packet, packet->next);
        if ((status_of(slot) & TP_STATUS_USER) == 0) {
            break;
        }
        got += take_slot(packet, slot, &frames[got], n - got, &last);
        if (packet->piece > 0) {
            break;
        }
        packet->next = (packet->next + 1) % SLOTS;
        packet->held++;
    }
    return packet->held == 0 && got == 0 ? trouble(packet, now_ns) : (int)got;
}

/* What is lost may have been told the error that the interface is down. */
static int send_frames(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    struct packet *packet = self;
    uint64_t dropped = packet->dropped;
    int done = 1;
    uint32_t i;
    for (i = 0; i < n && done > 0; i += done > 0 ? 1 : 0) {
        done =
            dev_vnet_send(packet->fd, sizeof(struct virtio_net_hdr), &frames[i], &packet->dropped);
    }
    packet->full = done == 0;
    if (packet->dropped != dropped && packet->look_at_ns == INT64_MAX) {
        packet->look_at_ns = now_ns;
    }
    return done < 0 && i == 0 ? done : (int)i;
}

static int poll_events(const void *self)
{
    const struct packet *packet = self;
    return packet->full ? POLLIN | POLLOUT : POLLIN;
}

static void close_packet(void *self)
{
    struct packet *packet = self;
    munmap(packet->ring, (size_t)BLOCK_BYTES * BLOCKS);
    close(packet->fd);
    free(packet->pieces);
    free(packet);
}

static const struct hf_device_calls packet_calls = {
    .struct_size = sizeof(struct hf_device_calls),
    .receive = receive,
    .send = send_frames,
    .flush = flush,
    .deadline = deadline,
    .poll_events = poll_events,
    .close = close_packet,
};

/* Opening ------------------------------------------------------------------------------------- */

/* Bound to no protocol: nothing arrives before the ring is there. */
int dev_packet_open(const char *name, char error[HF_ERROR_TEXT])
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        int err = errno;
        return dev_fail(error, -err, "%s: no packet socket: %s%s", name, strerror(err),
                        err == EPERM || err == EACCES ? ": it takes root or CAP_NET_RAW" : "");
    }
    struct sockaddr_ll at = {.sll_family = AF_PACKET};
    at.sll_ifindex = dev_index_of(name, error);
    if (at.sll_ifindex < 0) {
        close(fd);
        return at.sll_ifindex;
    }
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        int err = errno;
        close(fd);
        return dev_fail(error, -err, "%s: cannot listen on this interface: %s", name,
                        strerror(err));
    }
    return fd;
}

static bool set_up_ring(struct packet *packet)
{
    int one = 1;
    int version = TPACKET_V2;
    struct tpacket_req ring = {
        .tp_block_size = BLOCK_BYTES,
        .tp_block_nr = BLOCKS,
        .tp_frame_size = SLOT_BYTES,
        .tp_frame_nr = SLOTS,
    };
    int fd = packet->fd;
    (void)setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring) != 0) {
        return false;
    }
    packet->ring =
        mmap(NULL, (size_t)BLOCK_BYTES * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return packet->ring != MAP_FAILED;
}

static int ask_interface(int fd, struct ifreq *ifr, const uint8_t *mac, struct hf_interface *iface)
{
    struct sockaddr_ll at = {0};
    socklen_t len = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0 || at.sll_family != AF_PACKET) {
        return -EINVAL;
    }
    ifr->ifr_ifindex = at.sll_ifindex;
    if (ioctl(fd, SIOCGIFNAME, ifr) != 0) {
        return -errno;
    }
    struct ifreq asked = *ifr;
    if (ioctl(fd, SIOCGIFMTU, &asked) != 0) {
        return -errno;
    }
    iface->mtu = (uint32_t)asked.ifr_mtu;
    if (ioctl(fd, SIOCGIFHWADDR, &asked) != 0) {
        return -errno;
    }
    if (asked.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
        return -EPROTONOSUPPORT;
    }
    memcpy(iface->mac, asked.ifr_hwaddr.sa_data, 6);
    /* IPv6 speaks to groups (neighbour discovery): let all of them in. */
    struct packet_mreq all = {.mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_ALLMULTI};
    (void)setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all);
    all.mr_type = PACKET_MR_PROMISC;
    if (mac != NULL && memcmp(mac, iface->mac, 6) != 0) {
        memcpy(iface->mac, mac, 6);
        if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0) {
            return -errno;
        }
    }
    return 0;
}

int dev_packet_describe(int fd, const char *called, char name[DEV_NAME_BYTES], const uint8_t *mac,
                        struct hf_interface *iface, char error[HF_ERROR_TEXT])
{
    struct ifreq ifr = {0};
    *iface = (struct hf_interface){.struct_size = sizeof *iface, .link = HF_LINK_ETHERNET};
    int err = ask_interface(fd, &ifr, mac, iface);
    dev_copy_name(name, DEV_NAME_BYTES, ifr.ifr_name);
    return err == 0 ? 0
                    : dev_fail(error, err, "%s: not an Ethernet interface that can be used: %s",
                               *name == 0 && called != NULL ? called : name, strerror(-err));
}

/* Asked through the socket, as its interface may be in another namespace. */
static bool is_mac_of(int fd, const uint8_t mac[6])
{
    struct sockaddr_ll at = {0};
    socklen_t len = sizeof at;
    return getsockname(fd, (struct sockaddr *)&at, &len) == 0 && at.sll_halen == 6 &&
           memcmp(at.sll_addr, mac, 6) == 0;
}

static int start(int fd)
{
    struct sockaddr_ll at = {0};
    socklen_t len = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        return -errno;
    }
    at.sll_protocol = htons(ETH_P_ALL);
    return bind(fd, (struct sockaddr *)&at, sizeof at) == 0 ? 0 : -errno;
}

/* One queue of several: what came before it was one went to the others, too. */
static int share(struct packet *packet, struct dev_member *member)
{
    int err = dev_group_fanout(member);
    for (uint32_t i = 0; i < SLOTS && (status_of(slot_at(packet, i)) & TP_STATUS_USER) != 0; i++) {
        give_back(slot_at(packet, i));
        packet->next = i + 1;
    }
    return err;
}

static int start_device(struct hf_device **device, struct packet *packet, char error[HF_ERROR_TEXT])
{
    int err = start(packet->fd);
    if (err == 0 && (*device)->member != NULL) {
        err = share(packet, (*device)->member);
    }
    if (err < 0) {
        (void)dev_fail(error, err, "%s: cannot be used: %s", (*device)->name, strerror(-err));
        hf_device_close(*device);
        *device = NULL;
    }
    return err;
}

int dev_packet_wrap(struct hf_device **device, int fd, const char *called, const uint8_t *mac,
                    uint32_t flags, char error[HF_ERROR_TEXT])
{
    char name[DEV_NAME_BYTES];
    struct hf_interface iface;
    int err = dev_packet_describe(fd, called, name, mac, &iface, error);
    if (err < 0) {
        close(fd);
        return err;
    }
    iface.offload = (flags & HF_DEVICE_NO_OFFLOAD) != 0 ? 0 : DEV_ALL_OFFLOADS;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK | fcntl(fd, F_GETFL));
    struct packet *packet = calloc(1, sizeof *packet);
    if (packet == NULL) {
        close(fd);
        return dev_fail(error, -ENOMEM, "%s: no memory for the device", name);
    }
    packet->fd = fd;
    packet->look_at_ns = INT64_MAX;
    if (!set_up_ring(packet)) {
        err = -errno;
        close(fd);
        free(packet);
        return dev_fail(error, err, "%s: no packet ring: %s", name, strerror(-err));
    }
    err = hf_device_new(device, &packet_calls, packet, &iface, fd, name);
    if (err < 0) {
        close_packet(packet);
        return dev_fail(error, err, "%s: no memory for the device", name);
    }
    (*device)->shares_mac = is_mac_of(fd, iface.mac);
    err = dev_join_if_queue(device, flags, error);
    return err < 0 ? err : start_device(device, packet, error);
}

int hf_device_packet(struct hf_device **device, const char *name, const uint8_t mac[6],
                     uint32_t flags, char error[HF_ERROR_TEXT])
{
    *device = NULL;
    int fd = dev_packet_open(name, error);
    int err = fd < 0 ? fd : dev_packet_wrap(device, fd, name, mac, flags, error);
    if (*device != NULL) {
        (*device)->by_name = true;
    }
    return err;
}
