/* cases.c - what goes wrong on the path, by name.
 *
 * Only text is lost or late, not its ACKs; a dead link carries nothing either way. */
#include "recovery.h"

#include <string.h>

enum { PATH_MTU_FRAME = 1514 };

struct named {
    const char *name, *what;
    struct path_how how; /* only what differs */
};

static const struct named cases[] = {
    {"clean", "no loss but the queue's own", {0}},
    {"loss0.1", "0.1 % lost at random", {.lose = 1000}},
    {"loss1", "1 % lost at random", {.lose = 10000}},
    {"loss3", "3 % lost at random", {.lose = 30000}},
    {"bursts",
     "bursts of 10 in a row (mean), one in 2000",
     {.burst_from = 500, .burst_end = 100000}},
    {"reorder", "10 % arrive 20 ms later", {.late = 100000, .late_ns = 20000000}},
    {"dead", "the link is dead for 3 s", {.dead_from_ns = 1, .dead_until_ns = 3000000000}},
};
enum { CASES = sizeof cases / sizeof cases[0] };

bool case_path(const struct options *options, struct path_how how[2])
{
    for (int i = 0; i < CASES; i++) {
        if (strcmp(cases[i].name, options->name) != 0) {
            continue;
        }
        how[0] = cases[i].how;
        how[0].rate_bps = options->rate_bps;
        how[0].delay_ns = options->rtt_ns / 2;
        how[0].seed = options->seed;
        /* One bandwidth-delay product, of whole frames. */
        double bdp = (double)options->rate_bps / 8e9 * (double)options->rtt_ns;
        how[0].queue_bytes = (uint32_t)(bdp / PATH_MTU_FRAME + 0.5) * PATH_MTU_FRAME;
        if (how[0].dead_from_ns) { /* after a third of the time */
            int64_t from_ns = (int64_t)(options->seconds * 1e9 / 3);
            how[0].dead_from_ns += from_ns;
            how[0].dead_until_ns += from_ns;
        }
        how[1] = (struct path_how){.delay_ns = options->rtt_ns / 2,
                                   .dead_from_ns = how[0].dead_from_ns,
                                   .dead_until_ns = how[0].dead_until_ns};
        return true;
    }
    return false;
}

void case_list(FILE *out)
{
    for (int i = 0; i < CASES; i++) {
        fprintf(out, "%s\t%s\n", cases[i].name, cases[i].what);
    }
}
