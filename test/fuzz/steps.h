/* steps.h - steps that the mutator draws, for targets whose inputs are lists of them (steps.c). */
#ifndef FUZZ_STEPS_H
#define FUZZ_STEPS_H

#include <stddef.h>
#include <stdint.h>

enum { LIKELY_MOST = 128 };

unsigned draw_below(unsigned *seed, unsigned below);
/* A step as an honest peer or application might take it; its length.  0: the target has none. */
size_t likely_step(unsigned *seed, uint8_t step[LIKELY_MOST]);

#endif
