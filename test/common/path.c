/* path.c - one direction of a network path; see path.h. */
#include "common/path.h"

#include <stdlib.h>
#include <string.h>

enum { MILLION = 1000000, ON_TIME = 0, LATE = 1 };

void path_begin(struct path *path, const struct path_how *how)
{
    *path = (struct path){.how = *how, .dice = how->seed, .free_ns = INT64_MIN};
    for (int i = 0; i < 2; i++) {
        path->lane[i].last = &path->lane[i].first;
    }
}

void path_end(struct path *path)
{
    for (int i = 0; i < 2; i++) {
        while (path->lane[i].first != NULL) {
            struct path_frame *frame = path->lane[i].first;
            path->lane[i].first = frame->next;
            free(frame);
        }
    }
}

/* Steele and others, "Fast splittable pseudorandom number generators" (SplitMix64). */
static uint64_t throw_dice(struct path *path)
{
    uint64_t x = path->dice += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* Each chance has a die of its own, thrown for every frame: changing one chance leaves what the
 * others fall on. */
static bool happens(struct path *path, uint32_t chance)
{
    return throw_dice(path) % MILLION < chance;
}

static bool lost_on_the_way(struct path *path)
{
    const struct path_how *how = &path->how;
    bool alone = happens(path, how->lose);
    bool turns = happens(path, path->in_burst ? how->burst_end : how->burst_from);
    path->in_burst ^= turns;
    return alone || path->in_burst;
}

static int64_t sending_ns(const struct path *path, uint64_t bytes)
{
    return (int64_t)(bytes * 8 * 1000000000 / path->how.rate_bps);
}

/* RFC 3168 5: ECT becomes CE. The IPv4 header's sum: RFC 1624, equation (3), as the second octet
 * of its first word grows. */
static bool mark(uint8_t *ip, uint32_t len)
{
    bool v4 = len >= 20 && ip[0] >> 4 == 4;
    unsigned shift = v4 ? 0 : 4;
    unsigned codepoint = ip[1] >> shift & 3u;
    if (len < 20 || codepoint == 0) {
        return false;
    }
    ip[1] = (uint8_t)(ip[1] | 3u << shift);
    if (v4) {
        uint32_t sum = (uint32_t)ip[10] << 8 | ip[11];
        sum = (~sum & 0xffff) + (3 - codepoint);
        sum = ~((sum & 0xffff) + (sum >> 16));
        ip[10] = (uint8_t)(sum >> 8);
        ip[11] = (uint8_t)sum;
    }
    return true;
}

static bool queue_is_long(const struct path *path, int64_t now_ns)
{
    uint32_t mark_bytes = path->how.mark_bytes;
    return mark_bytes != 0 && path->how.rate_bps != 0 &&
           path->free_ns > now_ns + sending_ns(path, mark_bytes);
}

/* When the last octet of it has left the bottleneck; -1: the queue is full. */
static int64_t through_bottleneck(struct path *path, int64_t now_ns, uint32_t len)
{
    const struct path_how *how = &path->how;
    if (how->rate_bps == 0) {
        return now_ns;
    }
    int64_t begin_ns = path->free_ns > now_ns ? path->free_ns : now_ns;
    int64_t room_ns = how->queue_bytes == 0 ? INT64_MAX : sending_ns(path, how->queue_bytes);
    int64_t takes_ns = sending_ns(path, len);
    if (begin_ns - now_ns + takes_ns > room_ns) {
        return -1;
    }
    path->free_ns = begin_ns + takes_ns;
    return path->free_ns;
}

static struct path_frame *put(struct path *path, int lane, int64_t at_ns, const void *bytes,
                              uint32_t len)
{
    struct path_frame *frame = malloc(sizeof *frame + len);
    if (frame == NULL) {
        abort();
    }
    *frame = (struct path_frame){.at_ns = at_ns, .len = len};
    memcpy(frame->bytes, bytes, len);
    *path->lane[lane].last = frame;
    path->lane[lane].last = &frame->next;
    return frame;
}

bool path_offer(struct path *path, int64_t now_ns, const void *bytes, uint32_t len)
{
    const struct path_how *how = &path->how;
    bool lost = lost_on_the_way(path);
    bool late = happens(path, how->late);
    bool twice = happens(path, how->twice);
    path->counts.offered++;
    if (now_ns >= how->dead_from_ns && now_ns < how->dead_until_ns) {
        path->counts.dead++;
        return false;
    }
    bool marked = queue_is_long(path, now_ns);
    int64_t left_ns = through_bottleneck(path, now_ns, len);
    if (left_ns < 0) {
        path->counts.dropped++;
        return false;
    }
    if (lost) {
        path->counts.lost++;
        return false;
    }
    path->counts.late += late;
    path->counts.twice += twice;
    int64_t at_ns = left_ns + how->delay_ns + (late ? how->late_ns : 0);
    for (int i = 0; i <= twice; i++) {
        struct path_frame *frame = put(path, late ? LATE : ON_TIME, at_ns, bytes, len);
        path->counts.marked += marked && mark(frame->bytes, len);
    }
    return true;
}

static int first_lane(const struct path *path)
{
    const struct path_frame *on_time = path->lane[ON_TIME].first, *late = path->lane[LATE].first;
    return late != NULL && (on_time == NULL || late->at_ns < on_time->at_ns) ? LATE : ON_TIME;
}

int64_t path_next(const struct path *path)
{
    const struct path_frame *first = path->lane[first_lane(path)].first;
    return first == NULL ? INT64_MAX : first->at_ns;
}

struct path_frame *path_take(struct path *path, int64_t now_ns)
{
    struct path_lane *lane = &path->lane[first_lane(path)];
    struct path_frame *frame = lane->first;
    if (frame == NULL || frame->at_ns > now_ns) {
        return NULL;
    }
    lane->first = frame->next;
    if (lane->first == NULL) {
        lane->last = &lane->first;
    }
    path->counts.arrived++;
    return frame;
}
