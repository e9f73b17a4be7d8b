/* impaired.c - a worse network around any device: loss, duplication, reordering, delay, corruption.
 *
 *     frame -> cut into wire frames -> dice -> | lane: in order, each with its time | -> over
 *                                        \-> | held back until others have passed |-/
 *
 * One lane and one set of dice per direction, so the fate of a frame depends on the seed and on the
 * frames before it in its own direction, and on nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/random.h"
#include "device/device.h"

enum { DEFAULT_DEPTH = 3, DEFAULT_REORDER_MS = 10, DEFAULT_QUEUE = 4096, MILLION = 1000000 };

#define LATEST_NS ((uint64_t)INT64_MAX / 4) /* never, and its sums are no overflow */

struct entry {
    struct entry *next;
    int64_t at_ns;    /* in the lane: crosses then; held back: at the latest */
    uint32_t to_pass; /* held back: until so many have overtaken it          */
    uint32_t len;
    uint32_t ip_at;
    uint8_t data[];
};

struct lane {
    struct entry *first, **last; /* times never go down */
    struct entry *held;
    int64_t last_at_ns;
    uint32_t entries;
    struct rng rng;
};

struct impaired {
    struct hf_device *inner;
    struct hf_impairment how;
    struct hf_impaired_counts counts;
    struct lane lane[2]; /* by HF_DIRECTION_* - 1               */
    struct entry *given; /* to the stack, by the last receive   */
    bool full;           /* inner took less than it was offered */
    bool gone;           /* inner is                            */
    uint8_t joined[DEV_FRAME_BYTES];
    uint8_t cut[DEV_FRAME_BYTES];
};

/* Lanes --------------------------------------------------------------------------------------- */

static void append(struct lane *lane, struct entry *entry, int64_t at_ns)
{
    lane->last_at_ns = at_ns > lane->last_at_ns ? at_ns : lane->last_at_ns;
    entry->at_ns = lane->last_at_ns;
    entry->next = NULL;
    *lane->last = entry;
    lane->last = &entry->next;
}

static struct entry *take_first(struct lane *lane)
{
    struct entry *entry = lane->first;
    lane->first = entry->next;
    if (lane->first == NULL) {
        lane->last = &lane->first;
    }
    lane->entries--;
    return entry;
}

/* Lets go what is held back: one frame more has passed, or the time is over. */
static void let_go(struct lane *lane, int64_t now_ns, bool passed, int64_t at_ns)
{
    struct entry **link = &lane->held;
    while (*link != NULL) {
        struct entry *entry = *link;
        if (passed && entry->to_pass > 0) {
            entry->to_pass--;
        }
        if (entry->to_pass == 0 || entry->at_ns <= now_ns) {
            *link = entry->next;
            append(lane, entry, at_ns);
        } else {
            link = &entry->next;
        }
    }
}

static void free_entries(struct entry *entry)
{
    while (entry != NULL) {
        struct entry *next = entry->next;
        free(entry);
        entry = next;
    }
}

/* Dice ---------------------------------------------------------------------------------------- */

/* What happens to one frame.  All dice are thrown for every frame, so that changing one chance does
 * not change what the others fall on. */
struct fate {
    bool lost, twice, held, corrupt;
    uint32_t depth;
    uint64_t bit, jitter_ns;
};

static bool happens(struct rng *rng, uint32_t chance)
{
    return rng_below(rng, MILLION) < chance;
}

static struct fate throw_dice(const struct hf_impairment *how, struct rng *rng)
{
    struct fate fate;
    fate.lost = happens(rng, how->lose);
    fate.twice = happens(rng, how->duplicate);
    fate.held = happens(rng, how->reorder);
    fate.corrupt = happens(rng, how->corrupt);
    fate.depth = 1 + rng_below(rng, how->reorder_depth);
    fate.bit = rng_u64(rng);
    uint64_t jitter = rng_u64(rng);
    fate.jitter_ns = how->jitter_ns == 0 ? 0 : jitter % (how->jitter_ns + 1);
    return fate;
}

static void enter(struct impaired *impaired, struct lane *lane, int64_t now_ns,
                  const struct dev_frame *wire, const struct fate *fate)
{
    struct entry *entry = NULL;
    if (lane->entries < impaired->how.queue) {
        entry = malloc(sizeof *entry + wire->len);
    }
    if (entry == NULL) {
        impaired->counts.overflowed++;
        return;
    }
    lane->entries++;
    entry->len = wire->len;
    entry->ip_at = dev_ip_at(wire);
    memcpy(entry->data, wire->data, wire->len);
    uint32_t link_len = wire->link == HF_LINK_IP ? 0 : 14;
    if (fate->corrupt && wire->len > link_len) {
        uint64_t bit = fate->bit % ((uint64_t)(wire->len - link_len) * 8);
        entry->data[link_len + bit / 8] ^= (uint8_t)(1u << bit % 8);
        impaired->counts.corrupted++;
    }
    int64_t at_ns = now_ns + (int64_t)(impaired->how.delay_ns + fate->jitter_ns);
    if (fate->held) {
        entry->to_pass = fate->depth;
        entry->at_ns = at_ns + (int64_t)impaired->how.reorder_ms * 1000000;
        entry->next = lane->held;
        lane->held = entry;
        impaired->counts.reordered++;
    } else {
        append(lane, entry, at_ns);
        let_go(lane, now_ns, true, at_ns);
    }
}

/* One frame of the wire arrives at the bad place. */
static void cross(struct impaired *impaired, int direction, int64_t now_ns,
                  const struct dev_frame *wire)
{
    struct lane *lane = &impaired->lane[direction - 1];
    const struct hf_impairment *how = &impaired->how;
    struct fate fate = throw_dice(how, &lane->rng);
    if (how->directions != 0 && (how->directions & (1u << direction)) == 0) {
        fate = (struct fate){0};
    }
    bool lost =
        how->lose_fn != NULL && how->lose_fn(how->lose_arg, direction, wire->data, wire->len);
    if (lost || fate.lost) {
        impaired->counts.lost++;
        return;
    }
    enter(impaired, lane, now_ns, wire, &fate);
    if (fate.twice) {
        fate.held = false;
        enter(impaired, lane, now_ns, wire, &fate);
        impaired->counts.duplicated++;
    }
}

static void cross_all(struct impaired *impaired, int direction, int64_t now_ns,
                      const struct dev_frame *frame)
{
    uint32_t count = dev_cut_count(frame);
    for (uint32_t i = 0; i < count; i++) {
        struct dev_frame wire = {.data = impaired->cut, .link = frame->link};
        wire.len = dev_cut(frame, i, impaired->cut);
        cross(impaired, direction, now_ns, &wire);
    }
}

/* The device's calls -------------------------------------------------------------------------- */

static void to_frame_out(const struct entry *entry, struct hf_frame_out *frame)
{
    uint32_t header_len = min_u32(entry->len, HF_HEADER_MAX);
    frame->token = 0;
    frame->len = entry->len;
    frame->iface = 0;
    frame->flags = 0;
    frame->gso_size = 0;
    frame->csum_start = 0;
    frame->csum_offset = 0;
    frame->header_len = (uint16_t)header_len;
    frame->ip_offset = (uint16_t)entry->ip_at;
    frame->n_slices = entry->len > header_len ? 1 : 0;
    frame->slice[0] = (struct hf_slice){entry->data + header_len, entry->len - header_len};
    memcpy(frame->header, entry->data, header_len);
}

/* Hands over to the inner device what has crossed by now; what that has an error for is lost. */
static void send_due(struct impaired *impaired, int64_t now_ns)
{
    enum { BATCH = 16 };
    struct lane *lane = &impaired->lane[HF_DIRECTION_OUT - 1];
    struct hf_frame_out frames[BATCH];
    uint32_t n = BATCH, done = BATCH;
    let_go(lane, now_ns, false, now_ns);
    while (n == BATCH && done == n) {
        n = 0;
        for (struct entry *e = lane->first; e != NULL && e->at_ns <= now_ns && n < BATCH;
             e = e->next) {
            to_frame_out(e, &frames[n++]);
        }
        int sent = n == 0 ? 0 : hf_device_send(impaired->inner, now_ns, frames, n);
        impaired->gone = impaired->gone || dev_is_gone(sent);
        done = sent < 0 ? n : (uint32_t)sent;
        *(sent < 0 ? &impaired->counts.lost : &impaired->counts.passed) += done;
        for (uint32_t i = 0; i < done; i++) {
            free(take_first(lane));
        }
    }
    impaired->full = done < n;
}

static int send_frames(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    struct impaired *impaired = self;
    uint32_t link = impaired->inner->iface.link;
    for (uint32_t i = 0; i < n; i++) {
        struct dev_frame joined;
        if (dev_join(&frames[i], link, impaired->joined, &joined)) {
            cross_all(impaired, HF_DIRECTION_OUT, now_ns, &joined);
        }
    }
    send_due(impaired, now_ns);
    return impaired->gone ? -ENODEV : (int)n;
}

/* What the inner device has goes onto its lane. */
static int fetch(struct impaired *impaired, int64_t now_ns)
{
    struct hf_frame_in frames[DEV_BATCH];
    int got = hf_device_receive(impaired->inner, now_ns, frames, DEV_BATCH);
    for (int i = 0; i < got; i++) {
        struct dev_frame frame = {
            .data = impaired->joined,
            .len = frames[i].len,
            .link = impaired->inner->iface.link,
            .gso_size = frames[i].gso_size,
            .in_csum = (frames[i].flags & HF_FRAME_CSUM_OK) != 0,
        };
        if (frames[i].len <= DEV_FRAME_BYTES) {
            memcpy(impaired->joined, frames[i].data, frames[i].len);
            cross_all(impaired, HF_DIRECTION_IN, now_ns, &frame);
        }
    }
    hf_device_flush(impaired->inner, now_ns);
    return got;
}

static int receive(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    struct impaired *impaired = self;
    struct lane *lane = &impaired->lane[HF_DIRECTION_IN - 1];
    free_entries(impaired->given);
    impaired->given = NULL;
    int err = fetch(impaired, now_ns);
    err = impaired->gone ? -ENODEV : err;
    let_go(lane, now_ns, false, now_ns);
    uint32_t got = 0;
    while (got < n && lane->first != NULL && lane->first->at_ns <= now_ns) {
        struct entry *entry = take_first(lane);
        frames[got++] = (struct hf_frame_in){.data = entry->data, .len = entry->len};
        entry->next = impaired->given;
        impaired->given = entry;
        impaired->counts.passed++;
    }
    return got == 0 && err < 0 ? err : (int)got;
}

static int64_t lane_deadline(const struct lane *lane)
{
    int64_t at_ns = lane->first == NULL ? INT64_MAX : lane->first->at_ns;
    for (const struct entry *e = lane->held; e != NULL; e = e->next) {
        at_ns = e->at_ns < at_ns ? e->at_ns : at_ns;
    }
    return at_ns;
}

static int64_t deadline(const void *self)
{
    const struct impaired *impaired = self;
    int64_t in_ns = lane_deadline(&impaired->lane[HF_DIRECTION_IN - 1]);
    int64_t out_ns = lane_deadline(&impaired->lane[HF_DIRECTION_OUT - 1]);
    int64_t inner_ns = hf_device_deadline(impaired->inner);
    if (!impaired->full && out_ns < in_ns) {
        in_ns = out_ns;
    }
    return inner_ns < in_ns ? inner_ns : in_ns;
}

static void timeouts(void *self, int64_t now_ns)
{
    struct impaired *impaired = self;
    hf_device_timeouts(impaired->inner, now_ns);
    send_due(impaired, now_ns);
}

static int poll_events(const void *self)
{
    const struct impaired *impaired = self;
    return hf_device_poll_events(impaired->inner); /* which knows that it is full */
}

static void close_impaired(void *self)
{
    struct impaired *impaired = self;
    for (int i = 0; i < 2; i++) {
        free_entries(impaired->lane[i].first);
        free_entries(impaired->lane[i].held);
    }
    free_entries(impaired->given);
    hf_device_close(impaired->inner);
    free(impaired);
}

static const struct hf_device_calls impaired_calls = {
    .struct_size = sizeof(struct hf_device_calls),
    .receive = receive,
    .send = send_frames,
    .deadline = deadline,
    .timeouts = timeouts,
    .poll_events = poll_events,
    .close = close_impaired,
};

/* Setting up ---------------------------------------------------------------------------------- */

static void set_impairment(struct impaired *impaired, const struct hf_impairment *impairment)
{
    struct hf_impairment *how = &impaired->how;
    *how = *impairment;
    how->reorder_depth = how->reorder_depth == 0 ? DEFAULT_DEPTH : how->reorder_depth;
    how->reorder_ms = how->reorder_ms == 0 ? DEFAULT_REORDER_MS : how->reorder_ms;
    how->delay_ns = min_u64(how->delay_ns, LATEST_NS);
    how->jitter_ns = min_u64(how->jitter_ns, LATEST_NS);
    how->queue = how->queue == 0 ? DEFAULT_QUEUE : how->queue;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t seed[16];
        memcpy(seed, how->seed, sizeof seed);
        seed[15] ^= (uint8_t)i; /* dice of its own for each direction */
        rng_seed(&impaired->lane[i].rng, seed);
    }
}

static bool chances_ok(const struct hf_impairment *how)
{
    return how->lose <= MILLION && how->duplicate <= MILLION && how->reorder <= MILLION &&
           how->corrupt <= MILLION;
}

int hf_device_impaired(struct hf_device **device, struct hf_device *inner,
                       const struct hf_impairment *impairment, char error[HF_ERROR_TEXT])
{
    *device = NULL;
    if (!chances_ok(impairment)) {
        hf_device_close(inner);
        return dev_fail(error, -EINVAL, "impaired: a chance is at most 1,000,000 per million");
    }
    struct impaired *impaired = calloc(1, sizeof *impaired);
    if (impaired == NULL) {
        hf_device_close(inner);
        return dev_fail(error, -ENOMEM, "impaired: no memory");
    }
    impaired->inner = inner;
    for (unsigned i = 0; i < 2; i++) {
        impaired->lane[i].last = &impaired->lane[i].first;
        impaired->lane[i].last_at_ns = INT64_MIN;
    }
    set_impairment(impaired, impairment);
    struct hf_interface iface = inner->iface;
    iface.offload = DEV_ALL_OFFLOADS; /* it cuts and sums by itself */
    int err = hf_device_new(device, &impaired_calls, impaired, &iface, inner->fd, inner->name);
    if (err < 0) {
        close_impaired(impaired);
        return dev_fail(error, err, "impaired: no memory");
    }
    dev_inherit(*device, inner);
    return 0;
}

int hf_device_impair(struct hf_device *device, const struct hf_impairment *impairment)
{
    if (device->calls != &impaired_calls || !chances_ok(impairment)) {
        return -EINVAL;
    }
    set_impairment(device->self, impairment);
    return 0;
}

int hf_device_impaired_counts(const struct hf_device *device, struct hf_impaired_counts *counts)
{
    if (device->calls != &impaired_calls) {
        return -EINVAL;
    }
    const struct impaired *impaired = device->self;
    *counts = impaired->counts;
    return 0;
}
