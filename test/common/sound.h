/* sound.h - hf_check (handfast/check.h) on a stack under test. */
#ifndef COMMON_SOUND_H
#define COMMON_SOUND_H

#include "handfast/check.h"

/* One line about what does not hold in the block; false: all does, or it was not looked at: where
 * there are many records a test has not the time to look at each of them after each call. */
bool sound_tell(const struct hf_stack *stack, uint64_t bytes, char *text, size_t room);

#endif
