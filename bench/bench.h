/* bench.h - figures, who contends for each, and how they are measured side by side.
 *
 * A contender is measured in a process of its own, pinned to one core: `open` once, then `round`
 * again and again, in turn with the other contenders of its figure.  bench/run.c does that; the
 * files figure_*.c say what is measured.
 */
#ifndef HANDFAST_BENCH_H
#define HANDFAST_BENCH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BENCH_ROUNDS = 5,
    BENCH_ROUNDS_MAX = 99,
    BENCH_CONTENDERS = 12,
    BENCH_ALSO = 3,
    BENCH_NOTE = 160
};
enum { BENCH_SERIES = 16, BENCH_POINTS = 12, BENCH_SERIES_NAME = 32 };

struct bench_contender {
    const char *name; /* "handfast" is the first of each figure */
    const char *with; /* settings that a reader must know, or NULL */
    /* Gets ready; false: it cannot be had here, bench_note says why.  NULL: nothing to do. */
    bool (*open)(const void *arg);
    double (*round)(const void *arg); /* one measurement, in the figure's unit */
    const void *arg;
};

struct bench_figure {
    const char *name, *unit, *title;
    bool less_is_better;
    bool once;     /* measures no time: one round is enough */
    bool in_pairs; /* contenders: each second one is compared with the one before it */
    /* What else a round measures (bench_also), or NULL; with its unit. */
    const char *also[BENCH_ALSO];
    struct bench_contender contender[BENCH_CONTENDERS];
};

extern const struct bench_figure bench_figures[];
extern const unsigned bench_n_figures;

/* What else a round has measured, against a size. */
struct bench_series {
    char name[BENCH_SERIES_NAME]; /* with its unit; empty: none */
    unsigned n;
    double x[BENCH_POINTS], y[BENCH_POINTS];
};

struct bench_spread {
    double median, min, max;
};

/* What was measured of one contender. */
struct bench_result {
    bool absent;
    char note[BENCH_NOTE]; /* why it is absent */
    unsigned rounds;
    double median, min, max;
    struct bench_spread also[BENCH_ALSO];     /* NAN: this contender has none */
    struct bench_series series[BENCH_SERIES]; /* of the last round */
};

/* The machine's own speed, beside each round. */
struct bench_reference {
    double syscall_ns, load_ns, copy_ns; /* getppid; a dependent load in 32 MiB; 64 KiB copied */
};

struct bench_measured {
    struct bench_result result[BENCH_CONTENDERS];
    struct bench_reference reference; /* medians */
    unsigned discarded;               /* rounds during which the reference moved by over 15 % */
};

/* Measures all contenders of a figure in turn.  false: no process could be started. */
bool bench_run(const struct bench_figure *figure, unsigned rounds, struct bench_measured *measured);

/* For contenders --------------------------------------------------------------------------------
 * In the process of a contender alone. */

void bench_note(const char *what, const char *why);
/* Ends the process where a result below 0 shows that the contender does not do what it should. */
void bench_must(int64_t result, const char *what);
double bench_seconds(void);
double bench_cpu_seconds(void);    /* of this process: what else runs on the machine is left out */
double bench_thread_seconds(void); /* the same of this thread */
/* How long this process (of one thread) has waited for a core that others had. */
double bench_waited_seconds(void);
/* Sorts them. */
double bench_median(double *values, unsigned n);
/* One more point of a series of this round. */
void bench_point(const char *series, double x, double y);
/* Octets of memory that this process has written to.  Pages of files are left out: those of a
 * library become private when the last other process that maps them ends. */
double bench_private_bytes(void);
/* Beside what a round returns. */
void bench_also(unsigned which, double value);
/* The same, of bench_steps, where this processor can be asked. */
void bench_also_steps(unsigned which, void (*call)(void *arg), void *arg);
/* Moves this process from the contenders' core to another one; false: there is none. */
bool bench_leave_core(void);
/* Moves this thread to the n-th core, 0: the contenders'; how many there are. */
bool bench_take_core(unsigned n);
unsigned bench_cores(void);

/* Calls call(arg) once; the instructions that it takes, of this process alone, not the kernel's.
 * 0: this processor cannot be asked. */
double bench_steps(void (*call)(void *arg), void *arg);

/* Calls step(arg) until `seconds` have passed; the calls in a second. */
double bench_rate(void (*step)(void *arg), void *arg, double seconds);

#endif
