/* run.c - contenders in turn, each in a process of its own, all on one core. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ATTEMPTS = 3, /* for each round wanted: some are discarded */
    SYSCALLS = 20000,
    LOADS = 1 << 17,
    LOAD_PLACES = 1 << 22, /* of eight octets: 32 MiB */
    COPIES = 2000,
    COPY_BYTES = 65536,
    SHARE_MAX = 15, /* per cent that the reference may move within a round */
};

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double bench_seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double bench_cpu_seconds(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

double bench_thread_seconds(void)
{
    return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

/* proc(5), /proc/PID/schedstat: ns on the core, ns that it waited for one. */
double bench_waited_seconds(void)
{
    static int fd = -1;
    char text[BENCH_NOTE];
    unsigned long long ns = 0;
    fd = fd < 0 ? open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC) : fd;
    ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    sscanf(text, "%*u %llu", &ns);
    return (double)ns / 1e9;
}

double bench_rate(void (*step)(void *arg), void *arg, double seconds)
{
    double begin = bench_seconds(), took;
    uint64_t n = 0;
    do {
        for (unsigned i = 0; i < 64; i++, n++) {
            step(arg);
        }
        took = bench_seconds() - begin;
    } while (took < seconds);
    return (double)n / took;
}

/* The reference -------------------------------------------------------------------------------- */

static double syscall_ns(void)
{
    double begin = bench_seconds();
    for (unsigned i = 0; i < SYSCALLS; i++) {
        getppid();
    }
    return (bench_seconds() - begin) * 1e9 / SYSCALLS;
}

/* One cycle through all places, in an order that no prefetcher guesses. */
static uint64_t *chain_new(void)
{
    uint64_t *chain = malloc(LOAD_PLACES * sizeof *chain);
    if (chain == NULL) {
        return NULL;
    }
    for (uint64_t i = 0; i < LOAD_PLACES; i++) {
        chain[i] = (i * 1664525 + 1013904223) % LOAD_PLACES; /* a full period: Hull and Dobell */
    }
    return chain;
}

static double load_ns(void)
{
    static uint64_t *chain, at;
    chain = chain ? chain : chain_new();
    if (chain == NULL) {
        return 0;
    }
    double begin = bench_seconds();
    for (unsigned i = 0; i < LOADS; i++) {
        at = chain[at];
    }
    double took = bench_seconds() - begin;
    __asm__ volatile("" : : "r"(at));
    return took * 1e9 / LOADS;
}

static double copy_ns(void)
{
    static char from[COPY_BYTES], to[COPY_BYTES];
    double begin = bench_seconds();
    for (unsigned i = 0; i < COPIES; i++) {
        memcpy(to, from, sizeof to);
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    return (bench_seconds() - begin) * 1e9 / COPIES;
}

static struct bench_reference reference(void)
{
    return (struct bench_reference){syscall_ns(), load_ns(), copy_ns()};
}

static bool moved(double before, double after)
{
    return before > after * (100 + SHARE_MAX) / 100 || after > before * (100 + SHARE_MAX) / 100;
}

static bool reference_moved(const struct bench_reference *a, const struct bench_reference *b)
{
    return moved(a->syscall_ns, b->syscall_ns) || moved(a->load_ns, b->load_ns) ||
           moved(a->copy_ns, b->copy_ns);
}

/* Cores ---------------------------------------------------------------------------------------- */

static cpu_set_t allowed;

/* The n-th from the last on: interrupts tend to be on the first. */
static bool pin(unsigned n)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = CPU_SETSIZE; cpu-- > 0;) {
        if (CPU_ISSET(cpu, &allowed) && n-- == 0) {
            CPU_SET(cpu, &one);
            return sched_setaffinity(0, sizeof one, &one) == 0;
        }
    }
    return false;
}

bool bench_take_core(unsigned n)
{
    return pin(n);
}

bool bench_leave_core(void)
{
    return pin(1);
}

unsigned bench_cores(void)
{
    return (unsigned)CPU_COUNT(&allowed);
}

/* A contender's process ------------------------------------------------------------------------ */

struct opened {
    bool ok;
    char note[BENCH_NOTE];
};
static struct opened opened;

/* What a round has measured. */
struct answer {
    double value, also[BENCH_ALSO];
    struct bench_series series[BENCH_SERIES];
};
static struct answer told;
_Static_assert(BENCH_ALSO == 3, "each is told to be none before a round: work");
_Static_assert(sizeof told <= PIPE_BUF, "an answer comes in one piece");

void bench_note(const char *what, const char *why)
{
    snprintf(opened.note, sizeof opened.note, "%s: %s", what, why);
}

void bench_must(int64_t result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "bench: %s: %lld\n", what, (long long)result);
        exit(1);
    }
}

void bench_point(const char *series, double x, double y)
{
    for (unsigned i = 0; i < BENCH_SERIES; i++) {
        struct bench_series *one = &told.series[i];
        if (one->name[0] == '\0') {
            snprintf(one->name, sizeof one->name, "%s", series);
        }
        if (!strcmp(one->name, series) && one->n < BENCH_POINTS) {
            one->x[one->n] = x;
            one->y[one->n++] = y;
            return;
        }
    }
    bench_must(-1, "room for one more series, or point");
}

double bench_private_bytes(void)
{
    char line[BENCH_NOTE];
    unsigned long long kib = 0, n;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    bench_must(file ? 0 : -errno, "/proc/self/smaps_rollup");
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "Anonymous: %llu", &n) == 1 || sscanf(line, "Swap: %llu", &n) == 1) {
            kib += n;
        }
    }
    fclose(file);
    bench_must(kib > 0 ? 0 : -1, "Anonymous in /proc/self/smaps_rollup");
    return (double)kib * 1024;
}

void bench_also(unsigned which, double value)
{
    told.also[which] = value;
}

struct child {
    pid_t pid;
    int ask, answer; /* one octet asks for a round; a struct answer answers */
};

static void work(const struct bench_contender *contender, int asked, int answer)
{
    opened.ok = contender->open == NULL || contender->open(contender->arg);
    bool heard = write(answer, &opened, sizeof opened) == sizeof opened;
    char octet;
    while (heard && opened.ok && read(asked, &octet, 1) == 1) {
        told = (struct answer){.also = {NAN, NAN, NAN}};
        told.value = contender->round(contender->arg);
        heard = write(answer, &told, sizeof told) == sizeof told;
    }
    _exit(0);
}

static bool start(const struct bench_contender *contender, struct child *child)
{
    int ask[2], answer[2];
    if (pipe(ask) != 0 || pipe(answer) != 0) {
        return false;
    }
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0) {
        close(ask[1]);
        close(answer[0]);
        work(contender, ask[0], answer[1]);
    }
    close(ask[0]);
    close(answer[1]);
    child->ask = ask[1];
    child->answer = answer[0];
    return child->pid > 0;
}

/* Later ones have the pipes of earlier ones open, too: all are closed before one is waited for. */
static void stop(const struct child *children, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        close(children[i].ask);
        close(children[i].answer);
    }
    for (unsigned i = 0; i < n; i++) {
        while (waitpid(children[i].pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

/* Rounds --------------------------------------------------------------------------------------- */

struct race {
    const struct bench_figure *figure;
    struct child child[BENCH_CONTENDERS];
    struct answer answer[BENCH_CONTENDERS][BENCH_ROUNDS_MAX];
    struct bench_reference reference[BENCH_ROUNDS_MAX];
    unsigned contenders, rounds;
};

static void give_up(struct bench_result *result, const char *why)
{
    result->absent = true;
    if (result->note[0] == '\0') {
        snprintf(result->note, sizeof result->note, "%s", why);
    }
}

static void one_round(struct race *race, struct bench_measured *measured)
{
    for (unsigned i = 0; i < race->contenders; i++) {
        struct child *child = &race->child[i];
        struct bench_result *result = &measured->result[i];
        struct answer *answer = &race->answer[i][race->rounds];
        if (result->absent) {
            continue;
        }
        if (write(child->ask, "r", 1) != 1 ||
            read(child->answer, answer, sizeof *answer) != sizeof *answer) {
            give_up(result, "it ended by itself");
            continue;
        }
        memcpy(result->series, answer->series, sizeof result->series);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, unsigned n)
{
    qsort(values, n, sizeof values[0], by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Of the double that lies at `at` and again every `stride` octets. */
static struct bench_spread spread(const void *at, size_t stride, unsigned n)
{
    double values[BENCH_ROUNDS_MAX];
    for (unsigned i = 0; i < n; i++) {
        memcpy(&values[i], (const char *)at + i * stride, sizeof values[i]);
    }
    double median = bench_median(values, n);
    return (struct bench_spread){median, values[0], values[n - 1]};
}

static void sum_up_result(const struct answer *rounds, unsigned n, struct bench_result *result)
{
    struct bench_spread value = spread(&rounds->value, sizeof *rounds, n);
    result->rounds = n;
    result->median = value.median;
    result->min = value.min;
    result->max = value.max;
    for (unsigned k = 0; k < BENCH_ALSO; k++) {
        result->also[k] = spread(&rounds->also[k], sizeof *rounds, n);
    }
}

static void sum_up(struct race *race, struct bench_measured *measured)
{
    for (unsigned i = 0; i < race->contenders; i++) {
        struct bench_result *result = &measured->result[i];
        if (race->rounds == 0) {
            give_up(result, "each round was disturbed");
        }
        if (!result->absent) {
            sum_up_result(race->answer[i], race->rounds, result);
        }
    }
    if (race->rounds > 0) {
        const struct bench_reference *at = race->reference;
        measured->reference = (struct bench_reference){
            spread(&at->syscall_ns, sizeof *at, race->rounds).median,
            spread(&at->load_ns, sizeof *at, race->rounds).median,
            spread(&at->copy_ns, sizeof *at, race->rounds).median,
        };
    }
}

static bool all_start(struct race *race, struct bench_measured *measured)
{
    const struct bench_contender *contender = race->figure->contender;
    for (unsigned i = 0; i < BENCH_CONTENDERS && contender[i].name != NULL; i++) {
        struct opened got = {0};
        if (!start(&contender[i], &race->child[i])) {
            return false;
        }
        race->contenders++;
        if (read(race->child[i].answer, &got, sizeof got) != sizeof got || !got.ok) {
            memcpy(measured->result[i].note, got.note, sizeof got.note);
            give_up(&measured->result[i], "it ended before it began");
        }
    }
    return true;
}

bool bench_run(const struct bench_figure *figure, unsigned rounds, struct bench_measured *measured)
{
    static struct race race;
    memset(measured, 0, sizeof *measured);
    race = (struct race){.figure = figure};
    if (CPU_COUNT(&allowed) == 0) {
        sched_getaffinity(0, sizeof allowed, &allowed);
    }
    pin(0);
    bool started = all_start(&race, measured);
    unsigned wanted = figure->once ? 1 : rounds;
    struct bench_reference before = reference();
    for (unsigned tries = 0; started && race.rounds < wanted && tries < wanted * ATTEMPTS;
         tries++) {
        one_round(&race, measured);
        struct bench_reference after = reference();
        if (!figure->once && reference_moved(&before, &after)) {
            measured->discarded++;
        } else {
            race.reference[race.rounds++] = after;
        }
        before = after;
    }
    stop(race.child, race.contenders);
    sum_up(&race, measured);
    return started;
}
