/* tun.c - TUN and TAP: /dev/net/tun with the virtio-net header, so that checksums are left out and
 * super-segments of 64 KiB cross as one frame, both ways, whatever the MTU. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/siphash.h"
#include "device/device.h"

#define TUN_PATH "/dev/net/tun"

enum { SLOT_BYTES = 1u << 17, SLOTS = 2 * DEV_BATCH, LEAST_MTU = 576 };
_Static_assert(SLOT_BYTES >= DEV_FRAME_BYTES + sizeof(struct virtio_net_hdr_mrg_rxbuf),
               "a slot holds the longest frame");

struct tun {
    int fd;
    bool full;       /* the kernel took less than it was given */
    size_t vnet_len; /* 10 or 12                               */
    uint64_t dropped;
    uint8_t *slots; /* SLOTS of them, touched as far as frames reach */
    struct dev_lender lender;
    uint32_t n_free, n_given, n_lent;
    uint8_t free[SLOTS];      /* the last one first: it is warm */
    uint8_t given[DEV_BATCH]; /* by the last receive; NOT_GIVEN: lent */
};
enum { NOT_GIVEN = UINT8_MAX };
_Static_assert((int)SLOTS < (int)NOT_GIVEN, "a slot's number fits");

/* One frame; 1, 0: nothing there or of no use (then *again), negative errno. */
static int read_one(struct tun *tun, uint8_t *slot, struct hf_frame_in *frame, bool *again)
{
    ssize_t n = read(tun->fd, slot, SLOT_BYTES);
    *again = false;
    if (n < 0) {
        *again = errno == EINTR;
        bool gone = errno == EBADFD || errno == EBADF || errno == ENXIO;
        return gone ? -ENODEV : 0;
    }
    *again = true;
    if ((size_t)n <= tun->vnet_len) {
        return 0;
    }
    struct virtio_net_hdr vnet;
    memcpy(&vnet, slot, sizeof vnet);
    *frame = (struct hf_frame_in){
        .data = slot + tun->vnet_len,
        .len = (uint32_t)((size_t)n - tun->vnet_len),
    };
    return dev_vnet_in(&vnet, frame) ? 1 : 0;
}

/* What the last receive gave, and was not lent. */
static void take_back(struct tun *tun)
{
    while (tun->n_given > 0) {
        uint8_t slot = tun->given[--tun->n_given];
        if (slot != NOT_GIVEN) {
            tun->free[tun->n_free++] = slot;
        }
    }
}

static int receive(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    (void)now_ns;
    struct tun *tun = self;
    take_back(tun);
    while (tun->n_given < n && tun->n_given < DEV_BATCH) {
        bool again;
        uint8_t slot = tun->free[tun->n_free - 1];
        struct hf_frame_in *frame = &frames[tun->n_given];
        int done = read_one(tun, tun->slots + (size_t)slot * SLOT_BYTES, frame, &again);
        if (done < 0 && tun->n_given == 0) {
            return done;
        }
        if (done <= 0 && !again) {
            break;
        }
        if (done > 0) {
            frame->token = slot;
            tun->given[tun->n_given++] = slot;
            tun->n_free--;
        }
    }
    return (int)tun->n_given;
}

/* There is always a slot for each frame of a batch. */
static bool lend(void *self, uint32_t i)
{
    struct tun *tun = self;
    if (tun->n_lent == SLOTS - DEV_BATCH) {
        return false;
    }
    tun->given[i] = NOT_GIVEN;
    tun->n_lent++;
    return true;
}

static void returned(void *self, uint64_t token)
{
    struct tun *tun = self;
    tun->free[tun->n_free++] = (uint8_t)token;
    tun->n_lent--;
}

static int send_frames(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    (void)now_ns;
    struct tun *tun = self;
    tun->full = false;
    for (uint32_t i = 0; i < n; i++) {
        int done = dev_vnet_send(tun->fd, tun->vnet_len, &frames[i], &tun->dropped);
        if (done < 0) {
            return i == 0 ? done : (int)i;
        }
        if (done == 0) {
            tun->full = true;
            return (int)i;
        }
    }
    return (int)n;
}

static int poll_events(const void *self)
{
    const struct tun *tun = self;
    return tun->full ? POLLIN | POLLOUT : POLLIN;
}

static void close_tun(void *self)
{
    struct tun *tun = self;
    close(tun->fd);
    munmap(tun->slots, (size_t)SLOTS * SLOT_BYTES);
    free(tun);
}

static const struct hf_device_calls tun_calls = {
    .struct_size = sizeof(struct hf_device_calls),
    .receive = receive,
    .send = send_frames,
    .poll_events = poll_events,
    .close = close_tun,
};

/* Opening ------------------------------------------------------------------------------------- */

static int explain_open(char error[HF_ERROR_TEXT], int err)
{
    switch (err) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return dev_fail(error, -err,
                        TUN_PATH ": the kernel has no TUN here: modprobe tun, or use an Ethernet "
                                 "interface");
    case EACCES:
    case EPERM:
        return dev_fail(error, -err, TUN_PATH ": %s: it takes root, or leave to read and write it",
                        strerror(err));
    default:
        return dev_fail(error, -err, TUN_PATH ": %s", strerror(err));
    }
}

/* As the kernel judges names: "%d" is replaced by a number, and it takes 0xa0 for a blank. */
static bool can_be_a_name(const char *name)
{
    const char *percent = strchr(name, '%');
    bool number = percent == NULL || (percent[1] == 'd' && strchr(percent + 2, '%') == NULL);
    return number && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strpbrk(name, "/: \t\n\v\f\r\xa0") == NULL;
}

static int explain_attach(char error[HF_ERROR_TEXT], int err, const char *name, int kind)
{
    const char *what = (kind & IFF_TUN) != 0 ? "TUN" : "TAP";
    const char *several = (kind & IFF_MULTI_QUEUE) != 0 ? " of several queues" : "";
    switch (err) {
    case EPERM:
        return dev_fail(error, -err,
                        "%s: not allowed to create or use this device: it takes root or "
                        "CAP_NET_ADMIN, or a device made for this user: `ip tuntap add %s mode %s "
                        "user $USER`",
                        name, name, (kind & IFF_TUN) != 0 ? "tun" : "tap");
    case EBUSY:
        return dev_fail(error, -err, "%s: in use by another program: choose another name", name);
    case EINVAL:
        if (!can_be_a_name(name)) {
            return dev_fail(error, -err, "%s: cannot be an interface's name", name);
        }
        return dev_fail(error, -err, "%s: exists and is not a %s device%s: choose another name",
                        name, what, several);
    default:
        return dev_fail(error, -err, "%s: cannot attach to this %s device: %s", name, what,
                        strerror(err));
    }
}

int dev_tun_open(char name[DEV_NAME_BYTES], int kind, char error[HF_ERROR_TEXT])
{
    int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return explain_open(error, errno);
    }
    struct ifreq ifr = {0};
    dev_copy_name(ifr.ifr_name, sizeof ifr.ifr_name, name);
    ifr.ifr_flags = (short)(kind | IFF_NO_PI | IFF_VNET_HDR);
    int failed = ioctl(fd, TUNSETIFF, &ifr);
    if (failed != 0 && errno == EINVAL) { /* made for several queues: take one */
        ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_MULTI_QUEUE);
        failed = ioctl(fd, TUNSETIFF, &ifr);
    }
    if (failed != 0) {
        int err = errno;
        close(fd);
        return explain_attach(error, err, name, kind);
    }
    dev_copy_name(name, DEV_NAME_BYTES, ifr.ifr_name);
    return fd;
}

/* A MAC of ours that is the same each time: locally administered, one station. */
static void made_up_mac(const char *name, uint8_t mac[6])
{
    uint64_t hash = sip24(0, 0, name, strlen(name));
    memcpy(mac, &hash, 6);
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
}

/* The MTU, or a negative errno. */
static int mtu_of(const char *name)
{
    struct ifreq ifr = {0};
    dev_copy_name(ifr.ifr_name, sizeof ifr.ifr_name, name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int mtu = fd >= 0 && ioctl(fd, SIOCGIFMTU, &ifr) == 0 ? ifr.ifr_mtu : -errno;
    if (fd >= 0) {
        close(fd);
    }
    return mtu;
}

/* What the kernel may send us whole; what we may send it whole needs no leave. */
static uint32_t ask_offloads(int fd, uint32_t flags)
{
    if ((flags & HF_DEVICE_NO_OFFLOAD) != 0) {
        (void)ioctl(fd, TUNSETOFFLOAD, 0UL);
        return 0;
    }
    unsigned long wanted = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    if (ioctl(fd, TUNSETOFFLOAD, wanted) != 0) {
        (void)ioctl(fd, TUNSETOFFLOAD, 0UL);
    }
    return DEV_ALL_OFFLOADS;
}

static struct tun *new_tun(int fd, size_t vnet_len)
{
    struct tun *tun = calloc(1, sizeof *tun);
    if (tun == NULL) {
        return NULL;
    }
    tun->fd = fd;
    tun->vnet_len = vnet_len;
    tun->slots = mmap(NULL, (size_t)SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (tun->slots == MAP_FAILED) {
        free(tun);
        return NULL;
    }
    tun->lender = (struct dev_lender){{tun->slots, (uint64_t)SLOTS * SLOT_BYTES}, lend, returned};
    for (uint32_t slot = SLOTS; slot > 0; slot--) {
        tun->free[tun->n_free++] = (uint8_t)(slot - 1);
    }
    return tun;
}

/* virtio_net_hdr, or with a number of buffers. */
static bool is_vnet_len(int octets)
{
    return octets == sizeof(struct virtio_net_hdr) ||
           octets == sizeof(struct virtio_net_hdr_mrg_rxbuf);
}

int dev_tun_wrap(struct hf_device **device, int fd, const char *name, const uint8_t *mac,
                 uint32_t mtu, uint32_t flags, char error[HF_ERROR_TEXT])
{
    struct ifreq ifr = {0};
    if (ioctl(fd, TUNGETIFF, &ifr) != 0 || (ifr.ifr_flags & IFF_VNET_HDR) == 0 ||
        (ifr.ifr_flags & IFF_NO_PI) == 0) {
        close(fd);
        return dev_fail(error, -EINVAL, "%s: not set up with IFF_NO_PI and IFF_VNET_HDR", name);
    }
    int vnet_len = 0;
    if (ioctl(fd, TUNGETVNETHDRSZ, &vnet_len) != 0 || !is_vnet_len(vnet_len)) {
        close(fd);
        return dev_fail(error, -EINVAL,
                        "%s: its virtio-net header has %d octets: 10 and 12 can be used "
                        "(TUNSETVNETHDRSZ)",
                        name, vnet_len);
    }
    bool ethernet = (ifr.ifr_flags & IFF_TAP) != 0;
    struct hf_interface iface = {
        .struct_size = sizeof iface,
        .link = ethernet ? HF_LINK_ETHERNET : HF_LINK_IP,
        .mtu = mtu,
        .offload = ask_offloads(fd, flags),
    };
    if (ethernet && mac != NULL) {
        memcpy(iface.mac, mac, 6);
    } else if (ethernet) {
        made_up_mac(name, iface.mac);
    }
    (void)fcntl(fd, F_SETFL, O_NONBLOCK | fcntl(fd, F_GETFL));
    struct tun *tun = new_tun(fd, (size_t)vnet_len);
    if (tun == NULL) {
        close(fd);
        return dev_fail(error, -ENOMEM, "%s: no memory for the device", name);
    }
    int err = hf_device_new(device, &tun_calls, tun, &iface, fd, name);
    if (err < 0) {
        close_tun(tun);
        return dev_fail(error, err, "%s: no memory for the device", name);
    }
    (*device)->lender = &tun->lender;
    return dev_join_if_queue(device, flags, error);
}

static int open_kind(struct hf_device **device, const char *name, const uint8_t *mac, int kind,
                     uint32_t flags, char error[HF_ERROR_TEXT])
{
    char full_name[DEV_NAME_BYTES];
    *device = NULL;
    if (name != NULL && strlen(name) >= IFNAMSIZ) {
        return dev_fail(error, -EINVAL, "%s: a device name has at most %d characters", name,
                        IFNAMSIZ - 1);
    }
    dev_copy_name(full_name, sizeof full_name, name);
    kind |= (flags & HF_DEVICE_QUEUE) != 0 ? IFF_MULTI_QUEUE : 0;
    int fd = dev_tun_open(full_name, kind, error);
    if (fd < 0) {
        return fd;
    }
    int mtu = mtu_of(full_name);
    if (mtu < 0) {
        close(fd);
        return dev_fail(error, mtu, "%s: its MTU cannot be asked for: %s", full_name,
                        strerror(-mtu));
    }
    if (mtu < LEAST_MTU) {
        close(fd);
        return dev_fail(error, -EINVAL,
                        "%s: its MTU of %d is too small, at least %d: `ip link set %s mtu 1500`",
                        full_name, mtu, LEAST_MTU, full_name);
    }
    int err = dev_tun_wrap(device, fd, full_name, mac, (uint32_t)mtu, flags, error);
    if (*device != NULL) {
        (*device)->by_name = true;
    }
    return err;
}

int hf_device_tun(struct hf_device **device, const char *name, uint32_t flags,
                  char error[HF_ERROR_TEXT])
{
    return open_kind(device, name, NULL, IFF_TUN, flags, error);
}

int hf_device_tap(struct hf_device **device, const char *name, const uint8_t mac[6], uint32_t flags,
                  char error[HF_ERROR_TEXT])
{
    return open_kind(device, name, mac, IFF_TAP, flags, error);
}
