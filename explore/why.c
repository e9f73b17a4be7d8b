/* why.c - the rules that `handfast why` takes out, and where their absence is seen soonest. */
#include "side.h"

#include <stddef.h>
#include <string.h>

static const struct explore_why whys[] = {
    {"three-way-handshake",
     "a server takes its own SYN,ACK for acknowledged",
     {.name = "three-way-handshake",
      .flight = 2,
      .unjudged = true,
      .losses = 1,
      .listens = {false, true},
      .opens = {1, 0},
      .patient = true}},
    {"four-way-close",
     "the FIN of one side ends both directions",
     {.name = "four-way-close",
      .flight = 2,
      .unjudged = true,
      .losses = 1,
      .listens = {false, true},
      .opens = {1, 0},
      .sends = {0, 1}}},
    {"random-isn",
     "every connection begins with the same number",
     {.name = "random-isn",
      .flight = 2,
      .unjudged = true,
      .listens = {false, true},
      .forged = 2,
      .forge = EXPLORE_FORGE_SYN | EXPLORE_FORGE_ACK}},
    {"challenge-ack",
     "a reset anywhere in the window is believed",
     {.name = "challenge-ack",
      .flight = 2,
      .unjudged = true,
      .listens = {false, true},
      .opens = {1, 0},
      .forged = 1,
      .forge = EXPLORE_FORGE_RST}},
    {"sequence-check",
     "whatever arrives is taken for what comes next",
     {.name = "sequence-check",
      .flight = 2,
      .unjudged = true,
      .duplicates = 1,
      .listens = {false, true},
      .opens = {1, 0},
      .sends = {1, 0}}},
    {"2msl",
     "a connection is forgotten as soon as both directions are closed",
     {.name = "2msl",
      .flight = 3,
      .unjudged = true,
      .duplicates = 1,
      .isn_step = 1,
      .listens = {false, true},
      .opens = {2, 0},
      .sends = {1, 1},
      .seek = WRONG_TEXT}},
};

const struct explore_why *explore_why(uint32_t i)
{
    return i < sizeof whys / sizeof whys[0] ? &whys[i] : NULL;
}

const struct explore_why *explore_why_of(const char *rule)
{
    const struct explore_why *why;
    for (uint32_t i = 0; (why = explore_why(i)) != NULL; i++) {
        if (strcmp(why->rule, rule) == 0) {
            return why;
        }
    }
    return NULL;
}
