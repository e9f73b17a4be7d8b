/* main.c - the explorer on a stack without one rule: finds the shortest schedule that goes wrong,
 * tells it on standard output, and writes it to descriptor 3 for a stack that has the rule.
 */
#include "explore.h"

#include <unistd.h>

int main(int argc, char **argv)
{
    static struct explore_schedule schedule;
    struct explore_result result;
    const struct explore_why *why = argc == 2 ? explore_why_of(argv[1]) : NULL;
    if (why == NULL || explore_run(&why->config, stdout, &result, &schedule) != 0) {
        fprintf(stderr, "usage: %s RULE 3>SCHEDULE (run by `handfast why`)\n", argv[0]);
        return EXPLORE_WHY_FAILED;
    }
    printf("\nFound in %llu states, %.1f s.\n", (unsigned long long)result.states, result.seconds);
    if (fflush(stdout) != 0 || ferror(stdout))
        return EXPLORE_WHY_TORN;
    if (result.violations == 0)
        return EXPLORE_WHY_NOTHING;
    ssize_t n = write(3, &schedule, sizeof schedule);
    return n == (ssize_t)sizeof schedule ? EXPLORE_WHY_FOUND : EXPLORE_WHY_FAILED;
}
