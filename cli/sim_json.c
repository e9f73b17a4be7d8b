/* sim_json.c - the counts of `handfast sim` as one JSON object on a line. */
#include "cli_sim.h"

#include <jansson.h>
#include <stdio.h>

void sim_json(const struct sim_counts *c, double took)
{
    json_t *all =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:f}", "segments", (json_int_t)c->segments, "faults",
                  (json_int_t)c->faults, "connections", (json_int_t)c->connections, "violations",
                  (json_int_t)c->violations, "seeds", (json_int_t)c->seeds, "segments_per_second",
                  took > 0 ? (double)c->segments / took : 0.0);
    json_dumpf(all, stdout, 0);
    putchar('\n');
    json_decref(all);
}
