/* pair.c - a cable in memory: two devices, a ring of frames in each direction.
 *
 *     end 0  -- produces --> ring 0 -- consumes -->  end 1
 *            <-- consumes -- ring 1 <-- produces --
 *
 * One producer and one consumer per ring, each perhaps in a thread of its own; `head` and `tail`
 * count frames and only grow.  An end sleeps on its eventfd, which the other end writes when frames
 * come, or when there is room again after the ring was full.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/device.h"

enum { DEFAULT_FRAMES = 256, MAX_FRAMES = 1 << 16, DEFAULT_MTU = 1500, SLOT_BYTES = 17 * 4096 };

struct slot {
    uint32_t len;
    uint16_t flags, gso_size;
    uint8_t data[DEV_FRAME_BYTES];
};
_Static_assert(sizeof(struct slot) <= SLOT_BYTES, "a slot holds the longest frame");

struct ring {
    uint8_t *slots;
    uint32_t frames;
    _Atomic uint32_t head, tail; /* next to fill; next to free */
    atomic_bool starved;         /* the producer waits for room */
};

struct cable {
    struct ring ring[2]; /* ring[i]: from end i */
    int wake[2];         /* eventfd of end i    */
    atomic_bool closed[2];
    atomic_int open;
};

struct end {
    struct cable *cable;
    unsigned side;
    uint32_t held; /* frames given to the stack, not yet freed */
};

static void wake(int fd)
{
    const uint64_t one = 1;
    ssize_t done = write(fd, &one, sizeof one); /* fails only when it is awake already */
    (void)done;
}

static struct slot *slot_at(const struct ring *ring, uint32_t index)
{
    size_t at = (size_t)(index & (ring->frames - 1)) * SLOT_BYTES;
    return (struct slot *)(void *)(ring->slots + at);
}

static void flush(void *self, int64_t now_ns)
{
    (void)now_ns;
    struct end *end = self;
    struct ring *ring = &end->cable->ring[!end->side];
    if (end->held == 0) {
        return;
    }
    atomic_fetch_add(&ring->tail, end->held);
    end->held = 0;
    if (atomic_exchange(&ring->starved, false)) {
        wake(end->cable->wake[!end->side]);
    }
}

static int receive(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    struct end *end = self;
    struct ring *ring = &end->cable->ring[!end->side];
    flush(end, now_ns);
    uint64_t rung;
    ssize_t done = read(end->cable->wake[end->side], &rung, sizeof rung);
    (void)done; /* empty: somebody asks without being woken */
    uint32_t tail = atomic_load(&ring->tail);
    uint32_t there = atomic_load(&ring->head) - tail;
    uint32_t got = there < n ? there : n;
    for (uint32_t i = 0; i < got; i++) {
        const struct slot *slot = slot_at(ring, tail + i);
        frames[i] = (struct hf_frame_in){
            .data = slot->data, .len = slot->len, .flags = slot->flags, .gso_size = slot->gso_size};
    }
    end->held = got;
    if (there > got) {
        wake(end->cable->wake[end->side]); /* there is more */
    }
    return (int)got;
}

static void fill(struct slot *slot, const struct hf_frame_out *frame)
{
    struct dev_frame joined;
    slot->len = 0;
    slot->flags = 0;
    slot->gso_size = 0;
    if (!dev_join(frame, HF_LINK_IP, slot->data, &joined)) {
        return; /* an empty frame: the receiver drops it */
    }
    slot->len = joined.len;
    if ((frame->flags & HF_FRAME_CSUM_NEEDED) != 0) {
        slot->flags |= HF_FRAME_CSUM_OK;
    }
    slot->flags |= frame->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6);
    slot->gso_size = (uint16_t)joined.gso_size;
}

static bool room_in(struct ring *ring)
{
    return atomic_load(&ring->head) - atomic_load(&ring->tail) < ring->frames;
}

static int send_frames(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    (void)now_ns;
    struct end *end = self;
    struct ring *ring = &end->cable->ring[end->side];
    uint32_t sent = 0;
    if (atomic_load(&end->cable->closed[!end->side])) {
        return (int)n; /* a cable with nothing at its end */
    }
    while (sent < n) {
        if (!room_in(ring)) {
            atomic_store(&ring->starved, true);
            if (!room_in(ring)) { /* room made before it saw `starved` wakes nobody */
                break;
            }
        }
        fill(slot_at(ring, atomic_load(&ring->head)), &frames[sent]);
        atomic_fetch_add(&ring->head, 1);
        sent++;
    }
    if (sent > 0) {
        wake(end->cable->wake[!end->side]);
    }
    return (int)sent;
}

static void free_cable(struct cable *cable)
{
    for (int i = 0; i < 2; i++) {
        if (cable->ring[i].slots != NULL) {
            munmap(cable->ring[i].slots, (size_t)cable->ring[i].frames * SLOT_BYTES);
        }
        if (cable->wake[i] >= 0) {
            close(cable->wake[i]);
        }
    }
    free(cable);
}

static void close_end(void *self)
{
    struct end *end = self;
    struct cable *cable = end->cable;
    atomic_store(&cable->closed[end->side], true);
    wake(cable->wake[!end->side]); /* who waits for room need not */
    if (atomic_fetch_sub(&cable->open, 1) == 1) {
        free_cable(cable);
    }
    free(end);
}

static const struct hf_device_calls pair_calls = {
    .struct_size = sizeof(struct hf_device_calls),
    .receive = receive,
    .send = send_frames,
    .flush = flush,
    .close = close_end,
};

/* 0, or why there is none: no memory, or no descriptors. */
static int new_cable(struct cable **made, uint32_t frames)
{
    struct cable *cable = calloc(1, sizeof *cable);
    if (cable == NULL) {
        return -ENOMEM;
    }
    int err = 0;
    for (int i = 0; i < 2; i++) {
        void *slots = mmap(NULL, (size_t)frames * SLOT_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        cable->ring[i].frames = frames;
        cable->ring[i].slots = slots == MAP_FAILED ? NULL : slots;
        err = slots == MAP_FAILED ? -ENOMEM : err;
        cable->wake[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        err = err == 0 && cable->wake[i] < 0 ? -errno : err;
    }
    if (err < 0) {
        free_cable(cable);
        return err;
    }
    atomic_store(&cable->open, 2);
    *made = cable;
    return 0;
}

static int new_end(struct hf_device **device, struct cable *cable, unsigned side,
                   const struct hf_pair *config)
{
    struct hf_interface iface = {
        .struct_size = sizeof iface,
        .link = config->link,
        .mac = {2, 0, 0, 0, 0, (uint8_t)(side + 1)},
        .mtu = config->mtu == 0 ? DEFAULT_MTU : config->mtu,
        .offload = config->offload,
    };
    struct end *end = calloc(1, sizeof *end);
    if (end == NULL) {
        return -ENOMEM;
    }
    *end = (struct end){.cable = cable, .side = side};
    int err = hf_device_new(device, &pair_calls, end, &iface, cable->wake[side],
                            side == 0 ? "pair0" : "pair1");
    if (err < 0) {
        free(end);
    }
    return err;
}

int hf_device_pair(struct hf_device *ends[2], const struct hf_pair *config,
                   char error[HF_ERROR_TEXT])
{
    struct hf_pair wanted = {.link = HF_LINK_IP, .offload = DEV_ALL_OFFLOADS};
    ends[0] = ends[1] = NULL;
    if (config != NULL) {
        wanted = *config;
    }
    if (wanted.frames == 0) {
        wanted.frames = DEFAULT_FRAMES;
    }
    if (wanted.frames > MAX_FRAMES || (wanted.frames & (wanted.frames - 1)) != 0) {
        return dev_fail(error, -EINVAL, "pair: frames must be a power of two up to %d", MAX_FRAMES);
    }
    struct cable *cable;
    int err = new_cable(&cable, wanted.frames);
    if (err == -ENOMEM) {
        return dev_fail(error, err, "pair: no memory for %u frames each way", wanted.frames);
    }
    if (err < 0) {
        return dev_fail(error, err, "pair: no descriptor to wake the ends by: %s", strerror(-err));
    }
    if (new_end(&ends[0], cable, 0, &wanted) < 0) {
        free_cable(cable);
        return dev_fail(error, -ENOMEM, "pair: no memory");
    }
    if (new_end(&ends[1], cable, 1, &wanted) < 0) {
        atomic_store(&cable->open, 1);
        hf_device_close(ends[0]);
        ends[0] = NULL;
        return dev_fail(error, -ENOMEM, "pair: no memory");
    }
    return 0;
}
