/* path_pair.h - two stacks with a path (path.h) each way between them, in virtual time: one sends
 * as much as it can, the other reads what comes; what is sent again is watched on the way.
 *
 *     struct path_pair pair;
 *     path_pair_begin(&pair, &config, &there, &back);
 *     path_pair_connect(&pair);
 *     path_pair_run(&pair, 10 * SECOND);
 *     ... pair.received, pair.repeats.spurious, hf_status of pair.handle[0] ...
 *     path_pair_end(&pair);
 */
#ifndef COMMON_PATH_PAIR_H
#define COMMON_PATH_PAIR_H

#include "common/judge.h"
#include "common/path.h"
#include "common/repeats.h"
#include "handfast/handfast.h"

struct path_pair {
    struct hf_stack *stack[2]; /* 0 sends, 1 receives                              */
    struct hf_env env[2];
    struct judge judge[2];
    hf_handle handle[2], listener;
    struct path path[2]; /* 0: to the receiver                                     */
    int64_t now_ns;
    uint64_t to_send; /* octets at most: endless                                   */
    uint64_t sent, received;
    bool wrong; /* an octet that was not sent, or a call that failed               */
    struct repeats repeats;
};

/* config: both stacks', with other seeds (NULL: hf_config_default).  The paths' times
 * (dead_from_ns) count from now. */
void path_pair_begin(struct path_pair *pair, const struct hf_config *config,
                     const struct path_how *there, const struct path_how *back);
/* Listens and opens; no time passes. */
void path_pair_connect(struct path_pair *pair);
/* Sends and receives for so long. */
void path_pair_run(struct path_pair *pair, int64_t for_ns);
void path_pair_end(struct path_pair *pair);

#endif
