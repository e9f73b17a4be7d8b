/* path.h - one direction of a network path, in any time its user says it is: a bottleneck with its
 * tail-drop queue, a delay, and what goes wrong on the way.  Whoever offers the same frames at the
 * same times with the same seed meets the same fate.
 *
 *     offered --> | queue, tail-drop | --rate--> dice --> delay --------------> taken
 *                                                     \-> delay and late_ns -/
 *
 * The dice are thrown when a frame is offered, one throw per frame: what happened to it is known at
 * once (path_offer tells), though it arrives later.
 */
#ifndef COMMON_PATH_H
#define COMMON_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Chances are parts per million of the frames. */
struct path_how {
    uint64_t rate_bps;    /* of the bottleneck; 0: no bottleneck, no queue             */
    int64_t delay_ns;     /* behind it                                                 */
    uint32_t queue_bytes; /* waiting or being sent at most; 0: as many as there are    */
    uint32_t mark_bytes;  /* with more waiting, IP packets that allow it are marked CE (RFC
                             3168 5); 0: none is                                       */
    uint32_t lose;        /* each by itself                                            */
    uint32_t burst_from, burst_end; /* losing all begins, ends (Gilbert's model)                 */
    uint32_t late;                  /* takes late_ns longer: those behind it overtake            */
    int64_t late_ns;
    uint32_t twice;                      /* arrives once more, right behind                      */
    int64_t dead_from_ns, dead_until_ns; /* what is offered meanwhile is lost                    */
    uint64_t seed;
};

struct path_counts {
    uint64_t offered, arrived;
    uint64_t lost;    /* to the dice                   */
    uint64_t dropped; /* to the full queue             */
    uint64_t dead;    /* offered to the dead path      */
    uint64_t late, twice, marked;
};

struct path_frame {
    int64_t at_ns; /* when it arrives */
    uint32_t len;
    struct path_frame *next;
    uint8_t bytes[];
};

struct path_lane {
    struct path_frame *first, **last; /* at_ns never goes down */
};

struct path {
    struct path_how how;
    struct path_counts counts;
    struct path_lane lane[2]; /* those on time, those that are late */
    int64_t free_ns;          /* the bottleneck is, from then on    */
    uint64_t dice;
    bool in_burst;
};

void path_begin(struct path *path, const struct path_how *how);
void path_end(struct path *path);
/* False: it is lost. now_ns never goes back. */
bool path_offer(struct path *path, int64_t now_ns, const void *bytes, uint32_t len);
/* When the next one arrives; INT64_MAX: none is under way. */
int64_t path_next(const struct path *path);
/* The next one that has arrived by now_ns, the caller's to free(); NULL: none. */
struct path_frame *path_take(struct path *path, int64_t now_ns);

#endif
