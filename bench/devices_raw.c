/* devices_raw.c - what a device gives without any TCP: the same long frame again and again, through
 * the calls that a host makes.
 *
 *     out: this core --- frames ---> device --> IP's first look, which throws them away
 *     in:  the other core: AF_PACKET --- frames ---> device --> this core counts them
 *
 * What goes out is timed call by call, and what the kernel does within the call is in it; at the
 * other end of a cable in memory somebody has to take frames away, who is not timed.  What comes in
 * leaves as super-segments, as a TCP with offloads would send them; the kernel cuts them where the
 * device takes none.
 */
#include "devices.h"
#include "figures.h"

#include <arpa/inet.h>
#include <errno.h>
#include <handfast/host.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    BATCH = 32,
    BATCHES = 20000,
    ETHERNET_BYTES = 14,
    IP_BYTES = 20,
    TCP_BYTES = 32, /* with timestamps, as Handfast's */
    SEGMENT = 1500 - IP_BYTES - TCP_BYTES,
    LONG = SEGMENT * 45, /* as many as a packet has room for */
    WAIT_MS = 10,
    NOTHING_S = 5,
};

static struct hf_device *device, *other; /* where frames go out or in; where they come from */
static enum device_kind kind;
static struct hf_frame_out frame, fed;
static uint8_t text[LONG];
static int feeding = -1; /* a socket of AF_PACKET, where there is no `other` */
static atomic_bool stop;

/* Its IP header is summed wrongly: nobody reads on. */
static struct hf_frame_out new_frame(const uint8_t *to_mac, uint32_t text_len)
{
    struct hf_frame_out made = {.iface = 1, .n_slices = 1, .slice = {{text, text_len}}};
    uint32_t link = to_mac ? ETHERNET_BYTES : 0, len = IP_BYTES + TCP_BYTES + text_len;
    uint8_t *ip = made.header + link, *tcp = ip + IP_BYTES;
    if (to_mac) {
        memcpy(made.header, to_mac, 6);
        memcpy(made.header + 6, (const uint8_t[]){2, 0, 0, 0, 0, 9, 8, 0}, 8);
    }
    memcpy(ip, (const uint8_t[]){0x45, 0, (uint8_t)(len >> 8), (uint8_t)len, 0, 0, 0x40, 0, 64, 6},
           10);
    memcpy(ip + 12, (const uint8_t[]){10, 77, 0, 2, 10, 77, 0, 1}, 8);
    memcpy(tcp, (const uint8_t[]){15, 160, 15, 160}, 4);
    tcp[12] = TCP_BYTES / 4 << 4;
    tcp[13] = 0x10;
    made.len = link + len;
    made.header_len = (uint16_t)(link + IP_BYTES + TCP_BYTES);
    made.ip_offset = (uint16_t)link;
    if (text_len > SEGMENT) {
        made.flags = HF_FRAME_CSUM_NEEDED | HF_FRAME_GSO4;
        made.gso_size = SEGMENT;
        made.csum_start = (uint16_t)(link + IP_BYTES);
        made.csum_offset = 16;
    }
    return made;
}

/* A TUN's other side, as no device of ours opens it. */
static bool open_feeding(void)
{
    int one = 1, room = 1 << 24;
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_IP),
                             .sll_ifindex = (int)if_nametoindex("hf0")};
    feeding = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    return feeding >= 0 &&
           setsockopt(feeding, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) == 0 &&
           setsockopt(feeding, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) == 0 &&
           bind(feeding, (struct sockaddr *)&at, sizeof at) == 0;
}

static bool open_other(bool in)
{
    char error[HF_ERROR_TEXT];
    if (kind == DEVICE_PAIR) {
        return true;
    }
    if (kind == DEVICE_TUN || kind == DEVICE_TUN_PLAIN) {
        return !in || open_feeding();
    }
    return hf_kernel_address("hf1", NULL, error) == 0 &&
           (!in || hf_device_packet(&other, "hf1", NULL, 0, error) == 0);
}

bool device_raw_open(const void *arg)
{
    const struct device_setup *setup = arg;
    kind = setup->kind;
    if (!net_own() || !device_cable(kind, 0) || (device = device_new(kind, &other)) == NULL) {
        return false;
    }
    if (!open_other(setup->job == NET_UP) || bench_cores() < 2) {
        bench_note("the other side of the device", "it needs root, AF_PACKET and two cores");
        return false;
    }
    const struct hf_interface *iface = hf_device_interface(device);
    const uint8_t *to_mac = iface->link == HF_LINK_ETHERNET ? iface->mac : NULL;
    frame = new_frame(to_mac, device_has_offloads(kind) ? LONG : SEGMENT);
    fed = new_frame(to_mac, LONG);
    return true;
}

/* What a round has moved, and in which time of this thread. */
struct moved {
    double frames, octets, seconds, busy;
};

static double say(const struct moved *all)
{
    bench_also(0, all->busy / all->octets * 1e12);
    bench_also(1, all->frames / all->seconds);
    bench_also(2, all->octets / all->frames);
    return all->octets / all->seconds / 1e9;
}

/* Out ------------------------------------------------------------------------------------------ */

static void take_away(void)
{
    struct hf_frame_in taken[BATCH];
    while (other && hf_device_receive(other, 0, taken, BATCH) > 0) {
        hf_device_flush(other, 0);
    }
}

double device_raw_out_round(const void *arg)
{
    static double each[BATCHES];
    static struct hf_frame_out frames[BATCH];
    double begin = bench_seconds();
    unsigned n = 0;
    (void)arg;
    for (unsigned i = 0; i < BATCH; i++) {
        frames[i] = frame;
    }
    while (n < BATCHES && bench_seconds() - begin < BENCH_ROUND_MS / 1000.0) {
        double from = bench_seconds();
        int sent = hf_device_send(device, 0, frames, BATCH);
        double took = bench_seconds() - from;
        bench_must(sent, "hf_device_send");
        if (sent > 0) {
            each[n++] = took / sent;
        }
        take_away();
    }
    double median = bench_median(each, n); /* others run on this core, too */
    return say(&(struct moved){1, frame.slice[0].len, median, median});
}

/* In ------------------------------------------------------------------------------------------- */

static void feed_socket(void)
{
    struct virtio_net_hdr vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                  .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                  .hdr_len = fed.header_len,
                                  .gso_size = fed.gso_size,
                                  .csum_start = fed.csum_start,
                                  .csum_offset = fed.csum_offset};
    struct iovec pieces[] = {
        {&vnet, sizeof vnet}, {fed.header, fed.header_len}, {text, fed.slice[0].len}};
    ssize_t n = writev(feeding, pieces, sizeof pieces / sizeof pieces[0]);
    bench_must(n > 0 || errno == ENOBUFS || errno == EAGAIN ? 0 : -errno, "a frame");
}

static void *feed(void *unused)
{
    static struct hf_frame_out frames[BATCH];
    (void)unused;
    bench_take_core(1);
    for (unsigned i = 0; i < BATCH; i++) {
        frames[i] = fed;
    }
    while (!atomic_load(&stop)) {
        if (feeding >= 0) {
            feed_socket();
        } else if (hf_device_send(other, 0, frames, BATCH) == 0) {
            struct pollfd room = {.fd = hf_device_fd(other), .events = POLLIN | POLLOUT};
            struct hf_frame_in none[1];
            poll(&room, 1, 1);
            hf_device_receive(other, 0, none, 1); /* hears that there is room */
        }
    }
    return NULL;
}

/* What came; the kernel speaks, too, but not at length. */
static void take_some(struct moved *all)
{
    struct hf_frame_in frames[BATCH];
    int got = hf_device_receive(device, 0, frames, BATCH);
    if (got == 0) {
        struct pollfd more = {.fd = hf_device_fd(device), .events = POLLIN};
        poll(&more, 1, WAIT_MS);
        return;
    }
    bench_must(got, "hf_device_receive");
    for (int i = 0; i < got; i++) {
        if (frames[i].len >= SEGMENT) {
            all->frames++;
            all->octets += frames[i].len - frame.header_len;
        }
    }
    hf_device_flush(device, 0);
}

double device_raw_in_round(const void *arg)
{
    pthread_t feeder;
    struct moved all = {0};
    (void)arg;
    atomic_store(&stop, false);
    bench_must(-pthread_create(&feeder, NULL, feed, NULL), "a thread");
    double begin = bench_seconds();
    while (all.frames == 0) {
        take_some(&all);
        bench_must(bench_seconds() - begin < NOTHING_S ? 0 : -1, "frames out of the device");
    }
    all = (struct moved){.busy = -bench_thread_seconds()};
    begin = bench_seconds();
    do {
        take_some(&all);
        all.seconds = bench_seconds() - begin;
    } while (all.seconds < BENCH_ROUND_MS / 1000.0);
    all.busy += bench_thread_seconds();
    atomic_store(&stop, true);
    pthread_join(feeder, NULL);
    return say(&all);
}
