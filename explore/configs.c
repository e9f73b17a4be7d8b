/* configs.c - the configurations that are explored whole. */
#include "explore.h"

#include <string.h>

static const struct explore_config configs[] = {
    {.name = "a",
     .flight = 3,
     .losses = 2,
     .duplicates = 1,
     .repeats = 2,
     .listens = {false, true},
     .opens = {1, 1},
     .aborts = 1,
     .reboots = 1},
    {.name = "b",
     .flight = 2,
     .losses = 2,
     .duplicates = 1,
     .repeats = 2,
     .listens = {false, true},
     .opens = {1, 1},
     .aborts = 1,
     .reboots = 1,
     .sends = {1, 1}},
    {.name = "c",
     .flight = 3,
     .losses = 1,
     .duplicates = 1,
     .repeats = 1,
     .listens = {false, true},
     .opens = {1, 1},
     .aborts = 1,
     .reboots = 1,
     .sends = {1, 1}},
    {.name = "d",
     .flight = 2,
     .losses = 1,
     .duplicates = 1,
     .repeats = 1,
     .listens = {false, true},
     .opens = {1, 1},
     .aborts = 1,
     .reboots = 1,
     .sends = {2, 2}},
};

const struct explore_config *explore_find(const char *name)
{
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++)
        if (strcmp(configs[i].name, name) == 0)
            return &configs[i];
    return NULL;
}
