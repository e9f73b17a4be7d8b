/* cli_explore.h - what `handfast explore` prints with the help of libjansson. */
#ifndef HANDFAST_CLI_EXPLORE_H
#define HANDFAST_CLI_EXPLORE_H

#include "explore.h"

/* explore_json.c: one object; absent when the build had no libjansson. */
void explore_json(const struct explore_config *config, const struct explore_result *result);

#endif
