/* cli_sim.h - what `handfast sim` prints with the help of libjansson. */
#ifndef HANDFAST_CLI_SIM_H
#define HANDFAST_CLI_SIM_H

#include "sim.h"

/* sim_json.c: one object; absent when the build had no libjansson. */
void sim_json(const struct sim_counts *counts, double took);

#endif
