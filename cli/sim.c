/* sim.c - `handfast sim`: worlds of stacks on a wire where everything goes wrong. */
#include "cli.h"
#include "cli_sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { JSON = 256, SEED, SEEDS, SECONDS, JOBS, REPLAY, GO_ON, WHOLE, TRIES = 3000 };

static void usage(void)
{
    puts("usage: handfast sim [OPTION]...\n\n"
         "Runs worlds of two to eight stacks: programs that open, talk, close, abort and reboot, "
         "on\n"
         "a wire that loses, repeats, delays, reorders, corrupts and cuts off. One seed is one\n"
         "world, always the same. Time is virtual. The first broken property ends it: the seed is\n"
         "printed, and the shortest ladder that still shows it.\n\n"
         "  --seed N      the first seed (1)\n"
         "  --seeds N     so many of them (1000)\n"
         "  --seconds N   none begins after so long\n"
         "  --jobs N      processes at one time (1)\n"
         "  --go-on       also when a property was broken: a line each on the standard error\n"
         "  --whole       a broken world is not shrunk\n"
         "  --replay N    this seed again, exactly: its ladder where it fails\n"
         "  --json        the counts as one object; what failed on the standard error");
}

static bool read_seed(const char *what, const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0) {
        return true;
    }
    cli_usage_error("%s: '%s' is no whole number from 0 to 18446744073709551615", what, text);
    return false;
}

/* Seeds do not begin again at 0; and a run of none has shown nothing. */
static bool there_are(uint64_t first, uint64_t seeds)
{
    if (seeds == 0) {
        cli_usage_error("option --seeds: at least one");
        return false;
    }
    if (seeds - 1 <= UINT64_MAX - first) {
        return true;
    }
    cli_usage_error("option --seeds: from seed %llu on there are only %llu",
                    (unsigned long long)first, (unsigned long long)(UINT64_MAX - first + 1));
    return false;
}

struct asked {
    struct sim_run run;
    bool json, whole, replay, range; /* range: --seed or --seeds */
};

/* CLI_OK; CLI_USAGE; -1: --help was printed. */
static int read_options(int argc, char **argv, struct asked *asked)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"json", no_argument, NULL, JSON},
                                            {"seed", required_argument, NULL, SEED},
                                            {"seeds", required_argument, NULL, SEEDS},
                                            {"seconds", required_argument, NULL, SECONDS},
                                            {"jobs", required_argument, NULL, JOBS},
                                            {"replay", required_argument, NULL, REPLAY},
                                            {"go-on", no_argument, NULL, GO_ON},
                                            {"whole", no_argument, NULL, WHOLE},
                                            {0}};
    long value = 0;
    bool ok = true;
    for (int c; ok && (c = cli_getopt(argc, argv, "h", options)) != -1;) {
        switch (c) {
        case 'h':
            usage();
            return -1;
        case SEED:
            ok = read_seed("option --seed", optarg, &asked->run.first);
            asked->range = true;
            break;
        case SEEDS:
            ok = read_seed("option --seeds", optarg, &asked->run.seeds);
            asked->range = true;
            break;
        case REPLAY:
            ok = read_seed("option --replay", optarg, &asked->run.first);
            asked->run.seeds = 1;
            asked->replay = true;
            break;
        case SECONDS:
            ok = cli_number("option --seconds", optarg, 1, 1000000, &value);
            asked->run.seconds = (uint32_t)value;
            break;
        case JOBS:
            ok = cli_number("option --jobs", optarg, 1, 64, &value);
            asked->run.jobs = (uint32_t)value;
            break;
        default:
            asked->json |= c == JSON;
            asked->whole |= c == WHOLE;
            asked->run.go_on |= c == GO_ON;
            ok = c != '?' && c != ':';
            break;
        }
    }
    if (ok && optind < argc) {
        return cli_usage_error("'%s' is one argument too many; `handfast sim --help` lists options",
                               argv[optind]);
    }
    if (ok && asked->replay && asked->range) {
        return cli_usage_error("--replay N is one seed: leave --seed and --seeds out");
    }
    return ok && there_are(asked->run.first, asked->run.seeds) ? CLI_OK : CLI_USAGE;
}

static void print_lines(void *arg, const char *text, size_t len)
{
    fwrite(text, 1, len, arg);
}

static void print_wrong(FILE *to, const struct sim_wrong *wrong)
{
    fprintf(to, "seed %llu breaks \"%s\" at %.6f s: %s\n", (unsigned long long)wrong->seed,
            wrong->rule, (double)wrong->time_ns / 1e9, wrong->detail);
}

/* Of a run that goes on. */
static void tell_broken(void *arg, const struct sim_wrong *wrong)
{
    print_wrong(arg, wrong);
}

/* The seed, what is left of its world, and the ladder. */
static void explain(FILE *to, const struct sim_wrong *wrong, bool whole)
{
    struct sim_shrunk shrunk;
    print_wrong(to, wrong);
    if (!sim_shrink(wrong->seed, whole ? 0 : TRIES, &shrunk)) {
        fprintf(to, "it does not fail again: what fails is not in the seed\n");
        return;
    }
    if (!whole) {
        fprintf(to, "\nshrunk in %u tries to:\n%s", shrunk.tries, shrunk.text);
        print_wrong(to, &shrunk.wrong);
    }
    fprintf(to, "\n");
    for (unsigned end = 0; end < 2; end++) {
        sim_draw(wrong->seed, &shrunk.less, &shrunk.wrong, end, isatty(fileno(to)), print_lines,
                 to);
    }
    fprintf(to, "\nagain: handfast sim --replay %llu\n", (unsigned long long)wrong->seed);
    sim_shrunk_free(&shrunk);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void print_counts(const struct sim_counts *c, double took)
{
    printf("%llu seeds, %llu segments, %llu faults, %llu connections complete of %llu, "
           "%llu violations; %.0f segments a second\n",
           (unsigned long long)c->seeds, (unsigned long long)c->segments,
           (unsigned long long)c->faults, (unsigned long long)c->connections,
           (unsigned long long)c->opened, (unsigned long long)c->violations,
           (double)c->segments / took);
}

#ifndef HF_WITH_JANSSON
void sim_json(const struct sim_counts *counts, double took)
{
    print_counts(counts, took);
}
#endif

int cli_sim(int argc, char **argv)
{
    struct asked asked = {.run = {.first = 1, .seeds = 1000, .jobs = 1}};
    struct sim_counts counts;
    struct sim_wrong wrong;
    int status = read_options(argc, argv, &asked);
    if (status != CLI_OK) {
        return status < 0 ? CLI_OK : status;
    }
    if (cli_json(asked.json) != CLI_OK) {
        return CLI_FAILED;
    }
    if (asked.run.go_on) {
        asked.run.broken = tell_broken;
        asked.run.arg = stderr;
    }
    double from = seconds_now();
    if (sim_run(&asked.run, &counts, &wrong) != 0) {
        return cli_failure("no memory, or no process, for the simulator");
    }
    double took = seconds_now() - from;
    if (asked.json) {
        sim_json(&counts, took);
    } else {
        print_counts(&counts, took);
    }
    if (wrong.rule[0] == '\0') {
        return CLI_OK;
    }
    if (!asked.json || !asked.run.go_on) { /* of those, each had its line */
        explain(asked.json ? stderr : stdout, &wrong, asked.whole);
    }
    return CLI_FAILED;
}
