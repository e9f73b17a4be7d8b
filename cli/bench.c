/* bench.c - `handfast bench`: the figures, each beside its peers. */
#include "cli.h"
#include "cli_bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { JSON = 256, ROUNDS };

static void usage(void)
{
    puts("usage: handfast bench [OPTION]... [FIGURE]...\n\n"
         "Measures figures (all of them when none is named), Handfast and its peers in turn, each\n"
         "in a process of its own on one core; over a TUN the client, the kernel's, has another.\n"
         "A round in which the machine's own speed moved by more than 15 % is measured again. The\n"
         "ratio is Handfast's median divided by the peer's.\n\n"
         "  --rounds N    rounds of each figure (5)\n"
         "  --json        one object for each figure, on a line of its own\n\n"
         "Figures:");
    for (unsigned i = 0; i < bench_n_figures; i++) {
        printf("  %-20s  %s\n", bench_figures[i].name, bench_figures[i].title);
    }
}

double bench_ratio(const struct bench_figure *figure, const struct bench_measured *measured,
                   unsigned other)
{
    unsigned one = figure->in_pairs ? other / 2 * 2 : 0;
    const struct bench_result *ours = &measured->result[one], *theirs = &measured->result[other];
    if (one == other || ours->absent || theirs->absent || ours->median <= 0 ||
        theirs->median <= 0) {
        return 0;
    }
    return figure->less_is_better ? theirs->median / ours->median : ours->median / theirs->median;
}

static void print_series(const struct bench_series *series)
{
    for (unsigned i = 0; i < BENCH_SERIES && series[i].name[0] != '\0'; i++) {
        printf("    %-18s", series[i].name);
        for (unsigned p = 0; p < series[i].n; p++) {
            printf("  %g: %.5g", series[i].x[p], series[i].y[p]);
        }
        putchar('\n');
    }
}

static void print_result(const struct bench_figure *figure, const struct bench_measured *measured,
                         unsigned i)
{
    const struct bench_contender *contender = &figure->contender[i];
    const struct bench_result *result = &measured->result[i];
    if (result->absent) {
        printf("  %-18s absent: %s\n", contender->name, result->note);
        return;
    }
    int digits = result->median < 100 ? 3 : result->median < 1000 ? 1 : 0;
    printf("  %-18s %12.*f %12.*f %12.*f", contender->name, digits, result->median, digits,
           result->min, digits, result->max);
    double ratio = bench_ratio(figure, measured, i);
    if (ratio > 0) {
        printf("  %8.2f", ratio);
    } else {
        printf("  %8s", "");
    }
    for (unsigned k = 0; k < BENCH_ALSO && figure->also[k]; k++) {
        double also = result->also[k].median;
        if (isnan(also)) {
            printf("  %*s", (int)strlen(figure->also[k]), "");
        } else {
            printf("  %*.*f", (int)strlen(figure->also[k]), also < 100 ? 2 : 0, also);
        }
    }
    printf("  %s\n", contender->with ? contender->with : "");
    print_series(result->series);
}

static void print_figure(const struct bench_figure *figure, const struct bench_measured *measured)
{
    printf("%s: %s\n  %-18s %12s %12s %12s  %8s", figure->name, figure->title, figure->unit,
           "median", "min", "max", "ratio");
    for (unsigned k = 0; k < BENCH_ALSO && figure->also[k]; k++) {
        printf("  %s", figure->also[k]);
    }
    putchar('\n');
    for (unsigned i = 0; i < BENCH_CONTENDERS && figure->contender[i].name; i++) {
        print_result(figure, measured, i);
    }
    printf("  %u rounds, %u discarded", measured->result[0].rounds, measured->discarded);
    if (measured->reference.syscall_ns > 0) { /* of a round that was not discarded */
        printf("; an empty system call %.0f ns, a dependent load in 32 MiB %.0f ns, 64 KiB copied "
               "%.0f ns",
               measured->reference.syscall_ns, measured->reference.load_ns,
               measured->reference.copy_ns);
    }
    printf("\n\n");
}

static const struct bench_figure *figure_named(const char *name)
{
    for (unsigned i = 0; i < bench_n_figures; i++) {
        if (!strcmp(bench_figures[i].name, name)) {
            return &bench_figures[i];
        }
    }
    return NULL;
}

struct asked {
    long rounds;
    bool json;
};

/* CLI_OK; CLI_USAGE; -1: --help was printed. */
static int read_options(int argc, char **argv, struct asked *asked)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"json", no_argument, NULL, JSON},
                                            {"rounds", required_argument, NULL, ROUNDS},
                                            {0}};
    for (int c; (c = cli_getopt(argc, argv, "h", options)) != -1;) {
        if (c == 'h') {
            usage();
            return -1;
        }
        if (c == JSON) {
            asked->json = true;
        } else if (c != ROUNDS ||
                   !cli_number("option --rounds", optarg, 1, BENCH_ROUNDS_MAX, &asked->rounds)) {
            return CLI_USAGE;
        }
    }
    for (int i = optind; i < argc; i++) {
        if (figure_named(argv[i]) == NULL) {
            return cli_usage_error("there is no figure '%s'; `handfast bench --help` lists them",
                                   argv[i]);
        }
    }
    return CLI_OK;
}

#ifndef HF_WITH_JANSSON
void bench_json(const struct bench_figure *figure, const struct bench_measured *measured)
{
    print_figure(figure, measured);
}
#endif

static int measure(const struct bench_figure *figure, const struct asked *asked)
{
    static struct bench_measured measured;
    if (!bench_run(figure, (unsigned)asked->rounds, &measured)) {
        return cli_failure("no process for %s", figure->name);
    }
    if (asked->json) {
        bench_json(figure, &measured);
    } else {
        print_figure(figure, &measured);
    }
    return measured.result[0].absent ? CLI_FAILED : CLI_OK;
}

int cli_bench(int argc, char **argv)
{
    struct asked asked = {.rounds = BENCH_ROUNDS};
    int status = read_options(argc, argv, &asked);
    if (status != CLI_OK) {
        return status < 0 ? CLI_OK : status;
    }
    if (cli_json(asked.json) != CLI_OK) {
        return CLI_FAILED;
    }
    if (optind == argc) {
        for (unsigned i = 0; i < bench_n_figures; i++) {
            int one = measure(&bench_figures[i], &asked);
            status = one == CLI_OK ? status : one;
        }
    }
    for (int i = optind; i < argc; i++) {
        int one = measure(figure_named(argv[i]), &asked);
        status = one == CLI_OK ? status : one;
    }
    return status;
}
