/* xdp.c - AF_XDP, Documentation/networking/af_xdp.rst of the kernel, through libxdp: frames lie in
 * chunks of memory shared with the kernel, whose numbers go round in four rings.
 *
 *     fill        chunks to receive into      |  tx           chunks to be sent
 *     rx          chunks with a frame in them |  completion   chunks that were sent
 *
 * Half of the chunks are for receiving, half for sending.  The program that libxdp attaches to the
 * interface redirects each frame of a queue that has a socket, and leaves the others to the kernel.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>

#include "device/device.h"

enum {
    CHUNK_BYTES = XSK_UMEM__DEFAULT_FRAME_SIZE,
    HALF = XSK_RING_CONS__DEFAULT_NUM_DESCS, /* chunks of a direction, entries of each ring */
    FRAME_ROOM = CHUNK_BYTES - 256,          /* the kernel keeps XDP_PACKET_HEADROOM free   */
    LINK_BYTES = 18,                         /* Ethernet with a VLAN tag                    */
    RETRY_NS = 1000000,
    DOWN_NS = 100000000,
    BIND_NS = 1000000000, /* how long it is tried; a try takes up to a tenth of that */
};
#define MEMORY_BYTES ((size_t)2 * HALF * CHUNK_BYTES)

struct xdp {
    struct xsk_umem *memory;
    struct xsk_socket *socket;
    struct xsk_ring_prod fill, tx;
    struct xsk_ring_cons completion, rx;
    uint8_t *chunks;
    int fd;              /* of the socket; it is memory's                                 */
    int packet_fd;       /* keeps the interface's membership in groups                    */
    uint64_t lost;       /* too long for a chunk                                          */
    uint32_t mode;       /* HF_DEVICE_XDP_*                                               */
    int64_t retry_at_ns; /* when the kernel is asked once more to send; INT64_MAX: no need */
    uint32_t n_held;     /* chunks that the stack may still read                          */
    uint32_t n_free;     /* chunks to send with                                           */
    uint64_t held[DEV_BATCH];
    uint64_t free[HALF];
};

/* Receiving ----------------------------------------------------------------------------------- */

/* There is an entry in the fill ring for each chunk. */
static void flush(void *self, int64_t now_ns)
{
    (void)now_ns;
    struct xdp *xdp = self;
    uint32_t at;
    if (xdp->n_held == 0 || xsk_ring_prod__reserve(&xdp->fill, xdp->n_held, &at) == 0) {
        return;
    }
    for (uint32_t i = 0; i < xdp->n_held; i++) {
        *xsk_ring_prod__fill_addr(&xdp->fill, at + i) = xdp->held[i];
    }
    xsk_ring_prod__submit(&xdp->fill, xdp->n_held);
    xdp->n_held = 0;
}

/* Nothing came: the socket of an interface that was taken away has an error. */
static int trouble(const struct xdp *xdp)
{
    int err = 0;
    socklen_t len = sizeof err;
    bool asked = getsockopt(xdp->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0;
    return asked && err != 0 ? -ENODEV : 0;
}

static int receive(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    struct xdp *xdp = self;
    uint32_t at;
    flush(xdp, now_ns);
    if (xsk_ring_prod__needs_wakeup(&xdp->fill)) {
        (void)recvfrom(xdp->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
    }
    uint32_t got = xsk_ring_cons__peek(&xdp->rx, n < DEV_BATCH ? n : DEV_BATCH, &at);
    if (got == 0) {
        return trouble(xdp);
    }
    for (uint32_t i = 0; i < got; i++) {
        const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&xdp->rx, at + i);
        frames[i] = (struct hf_frame_in){.data = xdp->chunks + desc->addr, .len = desc->len};
        xdp->held[i] = desc->addr / CHUNK_BYTES * CHUNK_BYTES;
    }
    xsk_ring_cons__release(&xdp->rx, got);
    xdp->n_held = got;
    return (int)got;
}

/* Sending ------------------------------------------------------------------------------------- */

static void take_sent(struct xdp *xdp)
{
    uint32_t at = 0;
    uint32_t n = xsk_ring_cons__peek(&xdp->completion, HALF, &at);
    for (uint32_t i = 0; i < n; i++) {
        xdp->free[xdp->n_free++] = *xsk_ring_cons__comp_addr(&xdp->completion, at + i);
    }
    xsk_ring_cons__release(&xdp->completion, n);
}

/* Where the kernel copies, a call sends some tens of frames, and says EAGAIN when more are left or
 * when too many are under way: then it is asked again a little later. */
static void kick(struct xdp *xdp, int64_t now_ns)
{
    enum { A_CALL = 16 };
    int64_t again_ns = RETRY_NS;
    uint32_t waiting = HALF - xsk_prod_nb_free(&xdp->tx, HALF);
    for (uint32_t calls = 0; calls <= waiting / A_CALL; calls++) {
        if (!xsk_ring_prod__needs_wakeup(&xdp->tx) ||
            sendto(xdp->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0) {
            break;
        }
        if (errno != EAGAIN) {
            again_ns = errno == ENETDOWN ? DOWN_NS : RETRY_NS;
            break;
        }
    }
    take_sent(xdp);
    bool left = xsk_prod_nb_free(&xdp->tx, HALF) < HALF || xdp->n_free == 0;
    xdp->retry_at_ns = left ? now_ns + again_ns : INT64_MAX;
}

static void put(struct xdp *xdp, const struct hf_frame_out *frame)
{
    uint32_t at;
    uint64_t chunk = xdp->free[xdp->n_free - 1];
    uint8_t *data = xdp->chunks + chunk;
    if (frame->len > CHUNK_BYTES || xsk_ring_prod__reserve(&xdp->tx, 1, &at) == 0) {
        xdp->lost++;
        return;
    }
    memcpy(data, frame->header, frame->header_len);
    uint32_t len = frame->header_len;
    for (uint32_t i = 0; i < frame->n_slices; i++) {
        memcpy(data + len, frame->slice[i].data, frame->slice[i].len);
        len += frame->slice[i].len;
    }
    *xsk_ring_prod__tx_desc(&xdp->tx, at) = (struct xdp_desc){.addr = chunk, .len = len};
    xsk_ring_prod__submit(&xdp->tx, 1);
    xdp->n_free--;
}

static int send_frames(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    struct xdp *xdp = self;
    uint32_t done = 0;
    take_sent(xdp);
    while (done < n && xdp->n_free > 0) {
        put(xdp, &frames[done++]);
    }
    kick(xdp, now_ns);
    return (int)done;
}

static int64_t deadline(const void *self)
{
    return ((const struct xdp *)self)->retry_at_ns;
}

static void timeouts(void *self, int64_t now_ns)
{
    struct xdp *xdp = self;
    if (now_ns >= xdp->retry_at_ns) {
        kick(xdp, now_ns);
    }
}

/* libxdp -------------------------------------------------------------------------------------- */

/* libxdp keeps its own state in variables, and says on standard error what goes wrong: one at a
 * time, and in silence. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

struct silence {
    libbpf_print_fn_t bpf;
    libxdp_print_fn_t xdp;
};

static struct silence enter_libxdp(void)
{
    pthread_mutex_lock(&one_at_a_time);
    return (struct silence){libbpf_set_print(NULL), libxdp_set_print(NULL)};
}

static void leave_libxdp(struct silence before)
{
    libbpf_set_print(before.bpf);
    libxdp_set_print(before.xdp);
    pthread_mutex_unlock(&one_at_a_time);
}

/* libxdp 1.3.1 leaves two descriptors open each time: a map and a program of its own. */
static void close_socket(struct xdp *xdp)
{
    xsk_socket__delete(xdp->socket);
    (void)xsk_umem__delete(xdp->memory);
    xdp->socket = NULL;
    xdp->memory = NULL;
}

static int explain(char error[HF_ERROR_TEXT], int err, const char *name, uint32_t queue)
{
    switch (err) {
    case -EPERM:
    case -EACCES:
        return dev_fail(error, err, "%s: no XDP: %s: it takes root", name, strerror(-err));
    case -EAFNOSUPPORT:
        return dev_fail(error, err, "%s: this kernel has no AF_XDP: use a packet socket", name);
    case -ENOBUFS:
        return dev_fail(
            error, err,
            "%s: %zu MiB of memory cannot be locked: it takes root, or a higher `ulimit -l`", name,
            MEMORY_BYTES >> 20);
    case -EBUSY:
        return dev_fail(error, err,
                        "%s: queue %u, or the place of the XDP program, is in use (`ip link show "
                        "dev %s`); `ip link set dev %s xdp off` takes a program away, or "
                        "xdpgeneric off",
                        name, queue, name, name);
    default:
        return dev_fail(error, err,
                        "%s: no XDP socket at queue %u: %s: the driver may lack it, or have too "
                        "few queues for it (native mode)",
                        name, queue, strerror(-err));
    }
}

/* Generic programs have copies only; else the kernel copies where the driver cannot do without. */
static int open_socket(struct xdp *xdp, const char *name, uint32_t queue, uint32_t mode)
{
    bool generic = mode == HF_DEVICE_XDP_GENERIC;
    struct xsk_socket_config config = {
        .rx_size = HALF,
        .tx_size = HALF,
        .xdp_flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE,
        .bind_flags = XDP_USE_NEED_WAKEUP | (generic ? XDP_COPY : 0),
    };
    int err = xsk_umem__create(&xdp->memory, xdp->chunks, MEMORY_BYTES, &xdp->fill,
                               &xdp->completion, NULL);
    if (err < 0) {
        return err;
    }
    err = xsk_socket__create(&xdp->socket, name, queue, xdp->memory, &xdp->rx, &xdp->tx, &config);
    if (err < 0) {
        close_socket(xdp);
    }
    return err;
}

static int64_t monotonic_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The kernel takes a closed socket off its queue some time after it was closed.  A signal ends only
 * the moment between two tries: whoever handles it hears of it within this second. */
static int open_patiently(struct xdp *xdp, const char *name, uint32_t queue, uint32_t mode)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    const int64_t until_ns = monotonic_ns() + BIND_NS;
    for (;;) {
        struct silence before = enter_libxdp();
        int err = open_socket(xdp, name, queue, mode);
        leave_libxdp(before);
        if (err != -EBUSY || monotonic_ns() >= until_ns) {
            return err;
        }
        (void)nanosleep(&moment, NULL);
    }
}

/* HF_DEVICE_XDP_*: of the program that is there already; 0: there is none. */
static uint32_t mode_in_use(const char *name)
{
    struct silence before = enter_libxdp();
    struct xdp_multiprog *programs = xdp_multiprog__get_from_ifindex((int)if_nametoindex(name));
    uint32_t mode = 0;
    if (libxdp_get_error(programs) == 0) {
        bool generic = xdp_multiprog__attach_mode(programs) == XDP_MODE_SKB;
        mode = generic ? HF_DEVICE_XDP_GENERIC : HF_DEVICE_XDP_NATIVE;
        xdp_multiprog__close(programs);
    }
    leave_libxdp(before);
    return mode;
}

/* An interface has one mode: libxdp would lend its program to a socket that asks for the other one,
 * and then not find it when it is to be detached. */
static int open_in_some_mode(struct xdp *xdp, const char *name, uint32_t queue, uint32_t flags,
                             char error[HF_ERROR_TEXT])
{
    uint32_t wanted = flags & (HF_DEVICE_XDP_NATIVE | HF_DEVICE_XDP_GENERIC);
    uint32_t there = mode_in_use(name);
    if (there != 0 && wanted != 0 && there != wanted) {
        return dev_fail(error, -EBUSY,
                        "%s: has an XDP program in %s mode: use that, or `ip link set dev %s %s "
                        "off` if nobody needs it",
                        name, there == HF_DEVICE_XDP_NATIVE ? "native" : "generic", name,
                        there == HF_DEVICE_XDP_NATIVE ? "xdp" : "xdpgeneric");
    }
    wanted = wanted == 0 ? there : wanted;
    xdp->mode = wanted == 0 ? HF_DEVICE_XDP_NATIVE : wanted;
    int err = open_patiently(xdp, name, queue, xdp->mode);
    if (err < 0 && wanted == 0 && err != -EBUSY && err != -EPERM) {
        xdp->mode = HF_DEVICE_XDP_GENERIC;
        err = open_patiently(xdp, name, queue, xdp->mode);
    }
    return err < 0 ? explain(error, err, name, queue) : 0;
}

/* A device ------------------------------------------------------------------------------------ */

static void close_xdp(void *self)
{
    struct xdp *xdp = self;
    struct silence before = enter_libxdp();
    close_socket(xdp);
    leave_libxdp(before);
    munmap(xdp->chunks, MEMORY_BYTES);
    close(xdp->packet_fd);
    free(xdp);
}

static const struct hf_device_calls xdp_calls = {
    .struct_size = sizeof(struct hf_device_calls),
    .receive = receive,
    .send = send_frames,
    .flush = flush,
    .deadline = deadline,
    .timeouts = timeouts,
    .close = close_xdp,
};

/* The first half of the chunks goes to the kernel, to be filled. */
static void deal_chunks(struct xdp *xdp)
{
    uint32_t at = 0;
    (void)xsk_ring_prod__reserve(&xdp->fill, HALF, &at);
    for (uint32_t i = 0; i < HALF; i++) {
        *xsk_ring_prod__fill_addr(&xdp->fill, at + i) = (uint64_t)i * CHUNK_BYTES;
        xdp->free[xdp->n_free++] = (uint64_t)(HALF + i) * CHUNK_BYTES;
    }
    xsk_ring_prod__submit(&xdp->fill, HALF);
}

static struct xdp *new_xdp(int packet_fd)
{
    struct xdp *xdp = calloc(1, sizeof *xdp);
    if (xdp == NULL) {
        return NULL;
    }
    xdp->packet_fd = packet_fd;
    xdp->retry_at_ns = INT64_MAX;
    xdp->chunks =
        mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (xdp->chunks == MAP_FAILED) {
        free(xdp);
        return NULL;
    }
    return xdp;
}

/* What cannot work is found out before anything is attached to the interface. */
static int check(const char *name, uint32_t queue, uint32_t flags, uint32_t mtu,
                 char error[HF_ERROR_TEXT])
{
    const uint32_t both = HF_DEVICE_XDP_NATIVE | HF_DEVICE_XDP_GENERIC;
    int queues = hf_device_queues(name);
    if ((flags & both) == both) {
        return dev_fail(error, -EINVAL, "%s: native or generic mode, not both", name);
    }
    if (mtu > FRAME_ROOM - LINK_BYTES) {
        return dev_fail(error, -EMSGSIZE,
                        "%s: an MTU of %u is too much for AF_XDP: `ip link set dev %s mtu %d`",
                        name, mtu, name, FRAME_ROOM - LINK_BYTES);
    }
    if (queues > 0 && queue >= (uint32_t)queues) {
        return dev_fail(error, -EINVAL,
                        "%s: there is no queue %u: it receives with %d, counted from 0 (`ethtool "
                        "-L` changes that)",
                        name, queue, queues);
    }
    return 0;
}

int hf_device_xdp(struct hf_device **device, const char *name, uint32_t queue, const uint8_t mac[6],
                  uint32_t flags, char error[HF_ERROR_TEXT])
{
    *device = NULL;
    int packet_fd = dev_packet_open(name, error);
    if (packet_fd < 0) {
        return packet_fd;
    }
    struct hf_interface iface;
    char full_name[DEV_NAME_BYTES];
    int err = dev_packet_describe(packet_fd, name, full_name, mac, &iface, error);
    err = err < 0 ? err : check(full_name, queue, flags, iface.mtu, error);
    struct xdp *xdp = err < 0 ? NULL : new_xdp(packet_fd);
    if (xdp == NULL) {
        close(packet_fd);
        return err < 0 ? err : dev_fail(error, -ENOMEM, "%s: no memory for the device", name);
    }
    err = open_in_some_mode(xdp, full_name, queue, flags, error);
    if (err == 0) {
        xdp->fd = xsk_socket__fd(xdp->socket);
        deal_chunks(xdp);
        err = hf_device_new(device, &xdp_calls, xdp, &iface, xdp->fd, full_name);
    }
    if (err != 0) {
        close_xdp(xdp);
        return err;
    }
    return dev_join_if_queue(device, flags, error);
}
