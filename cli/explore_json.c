/* explore_json.c - the figures of `handfast explore` as one JSON object on a line. */
#include "cli_explore.h"

#include <jansson.h>
#include <stdio.h>

void explore_json(const struct explore_config *c, const struct explore_result *r)
{
    json_t *all = json_pack("{s:s, s:I, s:I, s:b, s:s?, s:I}", "config", c->name, "states",
                            (json_int_t)r->states, "transitions", (json_int_t)r->transitions,
                            "complete", r->complete, "cut", r->complete ? NULL : r->cut,
                            "violations", (json_int_t)r->violations);
    json_dumpf(all, stdout, 0);
    putchar('\n');
    json_decref(all);
}
