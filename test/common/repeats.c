/* repeats.c - an interval set of what was forwarded; see repeats.h. */
#include "common/repeats.h"

#include <string.h>

/* The place in the stream: it lies within 2 GiB of the highest. */
static uint64_t place_of(const struct repeats *r, uint32_t seq)
{
    int32_t ahead = (int32_t)(seq - (uint32_t)(r->first + (uint32_t)r->sent));
    return r->sent + (uint64_t)(int64_t)ahead;
}

/* Octets of from .. to that were forwarded. */
static uint64_t known(const struct repeats *r, uint64_t from, uint64_t to)
{
    uint64_t sum = 0;
    if (from < r->forwarded) {
        sum = (to < r->forwarded ? to : r->forwarded) - from;
    }
    for (uint32_t i = 0; i < r->n && r->piece[i].from < to; i++) {
        uint64_t a = r->piece[i].from > from ? r->piece[i].from : from;
        uint64_t b = r->piece[i].to < to ? r->piece[i].to : to;
        sum += a < b ? b - a : 0;
    }
    return sum;
}

static void remove_pieces(struct repeats *r, uint32_t at, uint32_t n)
{
    memmove(&r->piece[at], &r->piece[at + n], (r->n - at - n) * sizeof r->piece[0]);
    r->n -= n;
}

static void note(struct repeats *r, uint64_t from, uint64_t to)
{
    uint32_t at = r->n, end;
    while (at > 0 && r->piece[at - 1].to >= from) {
        at--;
    }
    for (end = at; end < r->n && r->piece[end].from <= to; end++) {
        from = r->piece[end].from < from ? r->piece[end].from : from;
        to = r->piece[end].to > to ? r->piece[end].to : to;
    }
    remove_pieces(r, at, end - at);
    if (from <= r->forwarded) {
        r->forwarded = to > r->forwarded ? to : r->forwarded;
        return;
    }
    if (r->n == REPEATS_PIECES) {
        r->overflows++;
        return;
    }
    memmove(&r->piece[at + 1], &r->piece[at], (r->n - at) * sizeof r->piece[0]);
    r->piece[at] = (struct repeats_piece){from, to};
    r->n++;
}

void repeats_segment(struct repeats *r, uint32_t seq, uint32_t len, bool forwarded)
{
    if (len == 0) {
        return;
    }
    if (!r->begun) {
        *r = (struct repeats){.begun = true, .first = seq};
    }
    uint64_t from = place_of(r, seq), to = from + len;
    r->segments++;
    if (from < r->sent) {
        uint64_t before = known(r, from, to);
        r->again++;
        r->again_octets += len;
        r->spurious += before == len;
        r->spurious_octets += before;
    }
    r->sent = to > r->sent ? to : r->sent;
    if (forwarded) {
        note(r, from, to);
    }
}
