/* wire.c - frames between the stacks of a world, in slots that are there before they are needed.
 *
 * Each frame gets a number on its lane, and its fate follows from the seed, the lane and that
 * number: so a single fate can be taken out of a world, or kept in it, and the others stay.
 */
#include "world.h"

#include <string.h>

enum {
    ETHERNET_BYTES = 14,
    FOR_FATE = 16,
    FOR_BURST,
    FOR_DELAY,
    FOR_HARM,
    BURST_BLOCK = 64,
    MILLION = 1000000,
};

static uint64_t key_of(uint32_t from, uint32_t to, uint64_t count)
{
    return (uint64_t)(from * STACKS_MAX + to) << 48 | count;
}

/* Slots ---------------------------------------------------------------------------------------- */

void wire_init(struct world *world)
{
    struct wire *wire = &world->wire;
    wire->free_small = 0;
    wire->free_big = SMALL_SLOTS;
    for (uint32_t i = 0; i < SMALL_SLOTS + BIG_SLOTS; i++) {
        bool last = i == SMALL_SLOTS - 1 || i == SMALL_SLOTS + BIG_SLOTS - 1;
        size_t big = i < SMALL_SLOTS ? 0 : i - SMALL_SLOTS;
        wire->slot[i].next = last ? UINT32_MAX : i + 1;
        wire->slot[i].data = wire->octets + (size_t)SMALL_BYTES * (i - big) + BIG_BYTES * big;
    }
}

void wire_begin(struct world *world)
{
    struct agenda *agenda = &world->agenda;
    for (uint32_t i = 0; i < agenda->n; i++) {
        if (agenda->heap[i].kind == DUE_FRAME) {
            wire_free(world, agenda->heap[i].which);
        }
    }
    agenda->n = agenda->order = 0;
    for (uint32_t i = 0; i < STACKS_MAX * STACKS_MAX; i++) {
        world->wire.lane[i / STACKS_MAX][i % STACKS_MAX] =
            (struct lane){.free_ns = world->plan.begin_ns};
    }
}

uint32_t wire_slot(struct world *world, uint32_t len)
{
    struct wire *wire = &world->wire;
    uint32_t *first = len <= SMALL_BYTES ? &wire->free_small : &wire->free_big;
    uint32_t slot = *first;
    if (slot != UINT32_MAX) {
        *first = wire->slot[slot].next;
        wire->slot[slot].len = len;
    }
    return slot;
}

void wire_free(struct world *world, uint32_t slot)
{
    struct wire *wire = &world->wire;
    uint32_t *first = slot < SMALL_SLOTS ? &wire->free_small : &wire->free_big;
    wire->slot[slot].next = *first;
    *first = slot;
}

static uint32_t copy_of(struct world *world, uint32_t slot)
{
    const struct slot *from = &world->wire.slot[slot];
    uint32_t copy = wire_slot(world, from->len);
    if (copy != UINT32_MAX) {
        struct slot *to = &world->wire.slot[copy];
        to->flags = from->flags;
        to->gso_size = from->gso_size;
        memcpy(to->data, from->data, from->len);
    }
    return copy;
}

/* What a frame is ------------------------------------------------------------------------------ */

static uint32_t ip_offset(const struct world *world)
{
    return world->plan.ethernet ? ETHERNET_BYTES : 0;
}

/* 4, 6; 0: ARP */
static uint32_t version_of(const struct world *world, const struct slot *slot)
{
    const uint8_t *p = slot->data + ip_offset(world);
    bool arp = world->plan.ethernet && slot->data[12] == 8 && slot->data[13] == 6;
    return arp ? 0 : p[0] >> 4;
}

static bool is_tcp(const struct world *world, const struct slot *slot)
{
    const uint8_t *p = slot->data + ip_offset(world);
    uint32_t version = version_of(world, slot);
    return (version == 4 && p[9] == 6) || (version == 6 && p[6] == 6);
}

/* Whom it is for: a number, or UINT32_MAX: everybody. */
static uint32_t addressee(const struct world *world, const struct slot *slot)
{
    const uint8_t *p = slot->data;
    if (world->plan.ethernet) {
        return p[0] == 2 ? p[5] - 1u : UINT32_MAX;
    }
    return (p[0] >> 4 == 4 ? p[19] : p[39]) - 1u;
}

/* Fates ---------------------------------------------------------------------------------------- */

enum fate { FATE_NONE, FATE_LOST, FATE_TWICE, FATE_LATE, FATE_CORRUPT, FATE_MARK };

static bool in_burst(const struct world *world, const struct lane_plan *lane, uint32_t from,
                     uint32_t to, uint64_t count)
{
    if (lane->burst == 0) {
        return false;
    }
    uint64_t block = key_of(from, to, count / BURST_BLOCK);
    uint64_t dice = dice_of(world->plan.seed, FOR_BURST, block);
    uint64_t begins = (dice >> 32) % BURST_BLOCK, at = count % BURST_BLOCK;
    return (uint32_t)dice % MILLION < lane->burst && at >= begins &&
           at < begins + lane->burst_frames;
}

static enum fate fate_by_dice(const struct world *world, uint32_t from, uint32_t to, uint64_t count)
{
    const struct lane_plan *lane = &world->plan.lane[from][to];
    uint32_t dice =
        (uint32_t)(dice_of(world->plan.seed, FOR_FATE, key_of(from, to, count)) >> 20) % MILLION;
    const uint32_t chances[] = {lane->lose, lane->twice, lane->late, lane->corrupt, lane->mark};
    if (in_burst(world, lane, from, to, count)) {
        return FATE_LOST;
    }
    for (uint32_t i = 0; i < sizeof chances / sizeof chances[0]; i++) {
        if (dice < chances[i]) {
            return (enum fate)(FATE_LOST + i);
        }
        dice -= chances[i];
    }
    return FATE_NONE;
}

static bool kept(const struct sim_less *less, uint64_t key)
{
    uint32_t low = 0, high = less->n_fate;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (less->fate[mid] < key) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < less->n_fate && less->fate[low] == key;
}

static enum fate fate_of(struct world *world, uint32_t from, uint32_t to, uint64_t count)
{
    if (world->now_ns >= world->plan.clean_ns) {
        return FATE_NONE;
    }
    enum fate fate = fate_by_dice(world, from, to, count);
    uint64_t key = key_of(from, to, count);
    struct sim_world_result *result = world->result;
    if (fate == FATE_NONE || (world->less && world->less->fate_only && !kept(world->less, key))) {
        return FATE_NONE;
    }
    if (result->n_fate < result->max_fate) {
        result->fate[result->n_fate++] = key;
    }
    return fate;
}

/* A run of bits within one octet, which every checksum notices; or the end is missing.  Never of
 * what the link protects (Ethernet's header, ARP), nor of what the device has checked. */
static bool corrupt(const struct world *world, struct slot *slot, uint64_t key)
{
    uint64_t dice = dice_of(world->plan.seed, FOR_HARM, key);
    uint32_t from = ip_offset(world);
    if (version_of(world, slot) == 0 || (slot->flags & HF_FRAME_CSUM_OK)) {
        return false;
    }
    uint32_t at = from + (uint32_t)(dice >> 32) % (slot->len - from);
    if (dice % 4 == 0) {
        slot->len = at;
    } else {
        slot->data[at] ^= (uint8_t)(dice >> 8 & 0xff ? dice >> 8 & 0xff : 1);
    }
    return true;
}

/* RFC 3168 5, with RFC 1624 for IPv4's checksum.  False: it may not be marked. */
static bool mark(const struct world *world, struct slot *slot)
{
    uint8_t *p = slot->data + ip_offset(world);
    uint32_t version = version_of(world, slot);
    uint8_t ecn = version == 4 ? p[1] & 3 : version == 6 ? p[1] >> 4 & 3 : 0;
    if (ecn == 0) {
        return false;
    }
    if (version == 6) {
        p[1] |= 3 << 4;
        return true;
    }
    uint32_t sum = (uint32_t)p[10] << 8 | p[11];
    sum = (~sum & 0xffff) + (3u - ecn);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    p[1] |= 3;
    p[10] = (uint8_t)(sum >> 8);
    p[11] = (uint8_t)sum;
    return true;
}

/* Lanes ---------------------------------------------------------------------------------------- */

static void lost(struct world *world, uint32_t from, uint32_t to, uint32_t slot)
{
    const struct slot *frame = &world->wire.slot[slot];
    world->result->counts.faults++;
    if (world->view) {
        world->view->lost(world->view->arg, world->now_ns, from, to, frame->data, frame->len,
                          world->plan.ethernet);
    }
    wire_free(world, slot);
}

bool wire_cut(const struct world *world, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < world->plan.n_happenings; i++) {
        const struct happening *h = &world->plan.happening[i];
        bool apart = (h->stacks >> from & 1) != (h->stacks >> to & 1);
        if (h->kind == HAPPENS_PARTITION && apart && world->now_ns >= h->from_ns &&
            world->now_ns < h->until_ns) {
            return true;
        }
    }
    return false;
}

/* What the lane takes now, as an IP packet; *told: senders hear of it. */
static uint32_t lane_mtu(const struct world *world, uint32_t to, bool *told)
{
    uint32_t mtu = UINT32_MAX;
    if (world->plan.narrow_mtu && world->plan.narrow == to) {
        mtu = world->plan.narrow_mtu;
        *told = world->plan.narrow_told;
    }
    for (uint32_t i = 0; i < world->plan.n_happenings; i++) {
        const struct happening *h = &world->plan.happening[i];
        if (h->kind == HAPPENS_MTU && h->stacks == to && h->mtu < mtu &&
            world->now_ns >= h->from_ns && world->now_ns < h->until_ns) {
            mtu = h->mtu;
            *told = h->told;
        }
    }
    return mtu;
}

/* The largest packet that the frame is on the wire. */
static uint32_t packet_bytes(const struct world *world, const struct slot *slot)
{
    uint32_t len = slot->len - ip_offset(world);
    if ((slot->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6)) == 0) {
        return len;
    }
    const uint8_t *p = slot->data + ip_offset(world);
    uint32_t ip = slot->flags & HF_FRAME_GSO4 ? 20 : 40;
    return ip + (p[ip + 12] >> 4) * 4u + slot->gso_size;
}

/* What may be cut on its way (IPv4 without DF) passes; IPv6 has no link of less than its least MTU.
 */
static bool too_big(const struct world *world, const struct slot *slot, uint32_t mtu)
{
    uint32_t version = version_of(world, slot);
    bool whole = version == 4 && (slot->data[ip_offset(world) + 6] & 0x40) == 0;
    mtu = version == 6 && mtu < HF_IPV6_MTU_MIN ? HF_IPV6_MTU_MIN : mtu;
    return version != 0 && !whole && packet_bytes(world, slot) > mtu;
}

/* Frames of one batch are in the order of their arrival: they overtake each other there, too. */
static void arrives(struct world *world, uint32_t to, uint32_t slot, int64_t at_ns)
{
    int64_t quantum = world->plan.quantum_ns;
    struct due due = {.kind = DUE_FRAME, .which = slot};
    due.at_ns = (at_ns + quantum - 1) / quantum * quantum;
    due.early_ns = (uint32_t)(due.at_ns - at_ns);
    world->wire.slot[slot].to = (uint8_t)to;
    if (!agenda_put(&world->agenda, due)) {
        world->result->counts.faults++;
        wire_free(world, slot);
    }
}

/* When the last octet has passed the bottleneck; -1: the queue is full. */
static int64_t through(struct world *world, uint32_t from, uint32_t to, struct slot *slot)
{
    const struct lane_plan *plan = &world->plan.lane[from][to];
    struct lane *lane = &world->wire.lane[from][to];
    if (plan->ns_byte == 0) {
        return world->now_ns;
    }
    int64_t begin_ns = lane->free_ns > world->now_ns ? lane->free_ns : world->now_ns;
    int64_t waits_ns = begin_ns - world->now_ns;
    if (waits_ns > (int64_t)plan->ns_byte * plan->queue_bytes) {
        return -1;
    }
    if (plan->mark_bytes && waits_ns > (int64_t)plan->ns_byte * plan->mark_bytes) {
        world->result->counts.faults += mark(world, slot);
    }
    lane->free_ns = begin_ns + (int64_t)plan->ns_byte * slot->len;
    return lane->free_ns;
}

void wire_send(struct world *world, uint32_t from, uint32_t to, uint32_t slot)
{
    const struct lane_plan *plan = &world->plan.lane[from][to];
    struct slot *frame = &world->wire.slot[slot];
    uint64_t count = world->wire.lane[from][to].count++, key = key_of(from, to, count);
    enum fate fate = fate_of(world, from, to, count);
    uint64_t dice = dice_of(world->plan.seed, FOR_DELAY, key);
    int64_t left_ns = through(world, from, to, frame);
    if (left_ns < 0 || fate == FATE_LOST || wire_cut(world, from, to)) {
        lost(world, from, to, slot);
        return;
    }
    int64_t at_ns = left_ns + plan->delay_ns;
    at_ns += plan->jitter_ns ? (int64_t)((uint32_t)dice % plan->jitter_ns) : 0;
    int64_t late_ns = 1 + (int64_t)((dice >> 32) % (uint64_t)plan->late_ns);
    bool done = fate != FATE_NONE;
    if (fate == FATE_CORRUPT) {
        done = corrupt(world, frame, key);
    } else if (fate == FATE_MARK) {
        done = mark(world, frame);
    } else if (fate == FATE_TWICE) {
        uint32_t copy = copy_of(world, slot);
        if (copy != UINT32_MAX) {
            arrives(world, to, copy, at_ns + (dice % 2 ? late_ns : 0));
        }
    }
    world->result->counts.faults += done;
    arrives(world, to, slot, at_ns + (fate == FATE_LATE ? late_ns : 0));
}

static void send(struct world *world, uint32_t from, uint32_t to, uint32_t slot)
{
    bool told = false;
    uint32_t mtu = lane_mtu(world, to, &told);
    if (too_big(world, &world->wire.slot[slot], mtu)) {
        world->wire.lane[from][to].count++;
        if (told) {
            wire_tell_too_big(world, &world->wire.slot[slot], from, mtu);
        }
        lost(world, from, to, slot);
    } else if (!cut_apart(world, from, to, slot, mtu)) {
        wire_send(world, from, to, slot);
    }
}

void wire_offer(struct world *world, uint32_t from, const struct hf_frame_out *frame)
{
    uint32_t slot = wire_slot(world, frame->len);
    if (slot == UINT32_MAX) {
        world->result->counts.faults++; /* more under way than there is room for */
        return;
    }
    struct slot *s = &world->wire.slot[slot];
    uint32_t at = frame->header_len;
    memcpy(s->data, frame->header, at);
    for (uint32_t i = 0; i < frame->n_slices; i++) {
        memcpy(s->data + at, frame->slice[i].data, frame->slice[i].len);
        at += frame->slice[i].len;
    }
    s->flags = frame->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6);
    s->flags |= frame->flags & HF_FRAME_CSUM_NEEDED ? HF_FRAME_CSUM_OK : 0;
    s->gso_size = frame->gso_size;
    world->result->counts.segments += is_tcp(world, s);
    uint32_t to = addressee(world, s);
    if (to < world->plan.n_stacks) {
        send(world, from, to, slot);
        return;
    }
    for (to = 0; to < world->plan.n_stacks; to++) {
        uint32_t copy = to != from ? copy_of(world, slot) : UINT32_MAX;
        if (copy != UINT32_MAX) {
            send(world, from, to, copy);
        }
    }
    wire_free(world, slot);
}
