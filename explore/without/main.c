/* main.c - the explorer on a stack without one rule: finds the shortest schedule that goes wrong,
 * tells it on standard output, and writes it to descriptor 3 for a stack that has the rule.
 */
#include "explore.h"

#include <string.h>
#include <unistd.h>

static const struct explore_why *find(const char *rule)
{
    const struct explore_why *why;
    for (uint32_t i = 0; (why = explore_why(i)) != NULL; i++)
        if (strcmp(why->rule, rule) == 0)
            return why;
    return NULL;
}

int main(int argc, char **argv)
{
    static struct explore_schedule schedule;
    struct explore_result result;
    const struct explore_why *why = argc == 2 ? find(argv[1]) : NULL;
    if (why == NULL || explore_run(&why->config, stdout, &result, &schedule) != 0) {
        fprintf(stderr, "usage: %s RULE 3>SCHEDULE (run by `handfast why`)\n", argv[0]);
        return 2;
    }
    printf("\nFound in %llu states, %.1f s.\n", (unsigned long long)result.states, result.seconds);
    if (fflush(stdout) != 0 || result.violations == 0)
        return 1;
    return write(3, &schedule, sizeof schedule) == (ssize_t)sizeof schedule ? 0 : 1;
}
