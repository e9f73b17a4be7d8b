/* ladder_set.c - a ladder for each connection of a stack: records go to theirs by their addresses.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "handfast/packet.h"
#include "trace/ladder.h"

enum { BUCKETS = 256, MOST = 64 };

struct entry {
    struct hf_ladder *ladder;
    uint8_t local_ip[16], remote_ip[16];
    uint16_t local_port, remote_port;
    bool left;                   /* its addresses are another connection's by now        */
    struct entry *next;          /* in the bucket: newest first    */
    struct entry *older, *newer; /* of all                               */
};

struct hf_ladder_set {
    struct hf_ladder_style style;
    hf_ladder_choose_fn *choose;
    void *choose_arg;
    uint32_t most, n;
    struct entry *oldest, *newest;
    struct entry *buckets[BUCKETS];
};

struct hf_ladder_set *hf_ladder_set_new(const struct hf_ladder_style *style, uint32_t most,
                                        hf_ladder_choose_fn *choose, void *arg)
{
    struct hf_ladder_set *set = calloc(1, sizeof *set);
    if (set == NULL) {
        return NULL;
    }
    size_t known = style->struct_size < sizeof *style ? style->struct_size : sizeof *style;
    memcpy(&set->style, style, known);
    set->style.struct_size = sizeof set->style;
    set->most = most == 0 ? MOST : most;
    set->choose = choose;
    set->choose_arg = arg;
    return set;
}

static void free_entry(struct entry *entry)
{
    hf_ladder_free(entry->ladder);
    free(entry);
}

void hf_ladder_set_free(struct hf_ladder_set *set)
{
    if (set == NULL) {
        return;
    }
    for (struct entry *entry = set->oldest, *next; entry != NULL; entry = next) {
        next = entry->newer;
        free_entry(entry);
    }
    free(set);
}

static uint32_t bucket_of(uint16_t local, uint16_t remote, const uint8_t remote_ip[16])
{
    return (local * 31u + remote * 17u + remote_ip[15] * 7u + remote_ip[14]) % BUCKETS;
}

/* entry itself, or the one behind it in its chain that has these addresses. */
static struct entry *that_is(struct entry *entry, const uint8_t local_ip[16], uint16_t local_port,
                             const uint8_t remote_ip[16], uint16_t remote_port)
{
    for (; entry != NULL; entry = entry->next) {
        if (entry->local_port == local_port && entry->remote_port == remote_port &&
            memcmp(entry->remote_ip, remote_ip, 16) == 0 &&
            memcmp(entry->local_ip, local_ip, 16) == 0) {
            return entry;
        }
    }
    return NULL;
}

static struct entry *newest_of(const struct hf_ladder_set *set, const uint8_t local_ip[16],
                               uint16_t local_port, const uint8_t remote_ip[16],
                               uint16_t remote_port)
{
    return that_is(set->buckets[bucket_of(local_port, remote_port, remote_ip)], local_ip,
                   local_port, remote_ip, remote_port);
}

/* The newest of these addresses; one that another has left behind is passed over. */
static struct entry *find(const struct hf_ladder_set *set, const uint8_t local_ip[16],
                          uint16_t local_port, const uint8_t remote_ip[16], uint16_t remote_port)
{
    struct entry *newest = newest_of(set, local_ip, local_port, remote_ip, remote_port);
    return newest != NULL && newest->left ? NULL : newest;
}

/* RFC 9293 3.6.1 MAY-2: the one in TIME-WAIT is still there beside the one that may replace it. */
static struct entry *find_waiting(struct entry *newest, struct entry *found,
                                  const struct hf_trace *record)
{
    struct entry *entry = newest;
    while (entry != NULL && entry->ladder->state != HF_TIME_WAIT) {
        entry = that_is(entry->next, record->local_ip, record->local_port, record->remote_ip,
                        record->remote_port);
    }
    return entry != NULL || record->kind == HF_TRACE_END ? entry : found;
}

static void unlink_entry(struct hf_ladder_set *set, struct entry *entry)
{
    struct entry **at =
        &set->buckets[bucket_of(entry->local_port, entry->remote_port, entry->remote_ip)];
    while (*at != entry) {
        at = &(*at)->next;
    }
    *at = entry->next;
    *(entry->older != NULL ? &entry->older->newer : &set->oldest) = entry->newer;
    *(entry->newer != NULL ? &entry->newer->older : &set->newest) = entry->older;
    set->n--;
}

static bool is_over(const struct entry *entry)
{
    return entry->ladder->ended || entry->ladder->state == HF_CLOSED ||
           entry->ladder->state == HF_LISTEN;
}

/* A full set forgets what is over and was drawn as it happened. */
static void make_room(struct hf_ladder_set *set)
{
    struct entry *entry = set->n == set->most ? set->oldest : NULL;
    while (entry != NULL && (entry->ladder->style.keep || !is_over(entry))) {
        entry = entry->newer;
    }
    if (entry != NULL) {
        unlink_entry(set, entry);
        free_entry(entry);
    }
}

static struct entry *add(struct hf_ladder_set *set, const struct hf_trace *first)
{
    make_room(set);
    struct hf_ladder_style style = set->style;
    struct entry *entry = set->n < set->most ? calloc(1, sizeof *entry) : NULL;
    if (entry == NULL) {
        return NULL;
    }
    if (set->choose == NULL || set->choose(set->choose_arg, first, &style)) {
        entry->ladder = hf_ladder_new(&style);
    }
    if (entry->ladder == NULL) {
        free(entry);
        return NULL;
    }
    memcpy(entry->local_ip, first->local_ip, 16);
    memcpy(entry->remote_ip, first->remote_ip, 16);
    entry->local_port = first->local_port;
    entry->remote_port = first->remote_port;
    struct entry **bucket =
        &set->buckets[bucket_of(entry->local_port, entry->remote_port, entry->remote_ip)];
    entry->next = *bucket;
    *bucket = entry;
    entry->older = set->newest;
    *(set->newest != NULL ? &set->newest->newer : &set->oldest) = entry;
    set->newest = entry;
    set->n++;
    return entry;
}

/* A ladder for a new connection, or none: what it sends does not go into that of the last one. */
static struct entry *begin(struct hf_ladder_set *set, struct entry *last,
                           const struct hf_trace *first)
{
    if (last != NULL) {
        last->left = true;
    }
    return add(set, first); /* which may forget last */
}

/* The first record of a connection: an OPEN, a SYN that was taken, or its cookie that comes back.
 * Not what a connection that nobody draws goes on with. */
static bool begins(const struct hf_trace *record)
{
    return (record->kind == HF_TRACE_CALL && record->cause == HF_CALL_OPEN_ACTIVE &&
            record->error == 0) ||
           (record->kind == HF_TRACE_IN && (record->ctl & HF_SYN) &&
            (record->verdict == HF_V_HANDSHAKE || record->verdict == HF_V_SYN_HELD ||
             record->verdict == HF_V_TIME_WAIT_REUSED || record->verdict == HF_V_FAST_OPEN ||
             record->verdict == HF_V_COOKIE_SENT)) ||
           (record->kind == HF_TRACE_IN && record->verdict == HF_V_COOKIE_ACCEPTED);
}

void hf_ladder_set_trace(void *arg, const struct hf_trace *record)
{
    struct hf_ladder_set *set = arg;
    if (record->remote_port == 0 || (record->marks & HF_MARK_UDP)) {
        return;
    }
    struct entry *newest = newest_of(set, record->local_ip, record->local_port, record->remote_ip,
                                     record->remote_port);
    struct entry *entry = newest != NULL && newest->left ? NULL : newest;
    /* The same addresses again are another connection. */
    bool used = entry != NULL && entry->ladder->started &&
                (is_over(entry) || entry->ladder->state == HF_TIME_WAIT) &&
                !(entry->ladder->state == HF_LISTEN && record->verdict == HF_V_COOKIE_ACCEPTED);
    if (begins(record) && (entry == NULL || used)) {
        entry = begin(set, newest, record);
    } else if (record->state_before == HF_TIME_WAIT) {
        entry = find_waiting(newest, entry, record);
    }
    if (entry != NULL) {
        hf_ladder_trace(entry->ladder, record);
    }
}

void hf_ladder_set_lost(struct hf_ladder_set *set, int64_t time_ns, const struct hf_packet *packet)
{
    struct entry *entry = find(set, packet->src, packet->src_port, packet->dst, packet->dst_port);
    if (entry == NULL) {
        entry = find(set, packet->dst, packet->dst_port, packet->src, packet->src_port);
    }
    if (entry != NULL) {
        hf_ladder_lost(entry->ladder, time_ns, packet);
    }
}

struct hf_ladder *hf_ladder_set_at(const struct hf_ladder_set *set, size_t i)
{
    struct entry *entry = set->oldest;
    for (; entry != NULL && i > 0; i--) {
        entry = entry->newer;
    }
    return entry != NULL ? entry->ladder : NULL;
}

struct hf_ladder *hf_ladder_set_handle(const struct hf_ladder_set *set, uint64_t handle)
{
    for (struct entry *entry = set->newest; entry != NULL && handle != 0; entry = entry->older) {
        if (entry->ladder->handle == handle) {
            return entry->ladder;
        }
    }
    return NULL;
}

struct hf_ladder *hf_ladder_set_find(const struct hf_ladder_set *set, const uint8_t local_ip[16],
                                     uint16_t local_port, const uint8_t remote_ip[16],
                                     uint16_t remote_port)
{
    struct entry *entry = find(set, local_ip, local_port, remote_ip, remote_port);
    return entry != NULL ? entry->ladder : NULL;
}

void hf_ladder_set_text(const struct hf_ladder_set *set, bool colour, hf_text_fn *write, void *arg)
{
    for (const struct entry *entry = set->oldest; entry != NULL; entry = entry->newer) {
        if (entry != set->oldest) {
            write(arg, "\n", 1);
        }
        hf_ladder_flush(entry->ladder);
        hf_ladder_text(entry->ladder, colour, write, arg);
    }
}

void hf_ladder_set_drop(struct hf_ladder_set *set, struct hf_ladder *ladder)
{
    for (struct entry *entry = set->oldest; entry != NULL; entry = entry->newer) {
        if (entry->ladder == ladder) {
            unlink_entry(set, entry);
            free_entry(entry);
            return;
        }
    }
}
