/* run.c - many worlds: processes of their own, since a broken invariant traps (HF_ASSERT) and takes
 * its process with it.  What each does stands in memory that they share with their parent.
 */
#include "sim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 64, FATES = 1 << 16 };

struct worker {
    pid_t pid;
    uint64_t seed;  /* under way */
    bool under_way; /* false: it has ended of itself */
    struct sim_counts counts;
    struct sim_wrong wrong;
};

struct shared {
    uint64_t first, seeds; /* no end: behind the last seed there is would be 0 */
    uint64_t taken;
    int64_t until_s;
    bool stop;
    struct worker worker[JOBS_MAX];
};

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int64_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void add_counts(struct sim_counts *sum, const struct sim_counts *more)
{
    sum->seeds += more->seeds;
    sum->segments += more->segments;
    sum->faults += more->faults;
    sum->connections += more->connections;
    sum->opened += more->opened;
    sum->violations += more->violations;
}

/* The first of a worker is kept, all are told. */
static void note_wrong(struct worker *worker, const struct sim_run *run,
                       const struct sim_wrong *wrong)
{
    if (worker->wrong.rule[0] == '\0') {
        worker->wrong = *wrong;
    }
    if (run->broken) {
        run->broken(run->arg, wrong);
    }
}

/* The next seed of all; false: none is left. */
static bool next_seed(struct shared *shared, uint64_t *seed)
{
    if (__atomic_load_n(&shared->stop, __ATOMIC_RELAXED) ||
        (shared->until_s && seconds_now() >= shared->until_s)) {
        return false;
    }
    uint64_t taken = __atomic_fetch_add(&shared->taken, 1, __ATOMIC_RELAXED);
    *seed = shared->first + taken;
    return taken < shared->seeds;
}

static void work(struct shared *shared, struct worker *worker, const struct sim_run *run)
{
    static struct sim_world_result result;
    struct world *world = sim_world_new();
    uint64_t seed;
    while (world != NULL && next_seed(shared, &seed)) {
        worker->seed = seed;
        __atomic_store_n(&worker->under_way, true, __ATOMIC_RELEASE);
        sim_world_run(world, seed, NULL, NULL, &result);
        add_counts(&worker->counts, &result.counts);
        if (result.wrong.rule[0] != '\0') {
            note_wrong(worker, run, &result.wrong);
            shared->stop |= !run->go_on;
        }
        __atomic_store_n(&worker->under_way, false, __ATOMIC_RELEASE);
    }
    _exit(world == NULL);
}

/* A process that ends when this one does, however that ends: nobody would hear of its seeds. */
static pid_t start_process(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
    }
    return pid;
}

static bool start(struct shared *shared, struct worker *worker, const struct sim_run *run)
{
    worker->pid = start_process();
    if (worker->pid == 0) {
        work(shared, worker, run);
    }
    return worker->pid > 0;
}

/* The place that the last record had is kept. */
static void trapped(struct sim_wrong *wrong, uint64_t seed, int status)
{
    wrong->seed = seed;
    snprintf(wrong->rule, sizeof wrong->rule, "trap");
    if (WIFSIGNALED(status)) {
        snprintf(wrong->detail, sizeof wrong->detail, "an invariant is broken (%s)",
                 strsignal(WTERMSIG(status)));
    } else {
        snprintf(wrong->detail, sizeof wrong->detail, "the process ends with status %d",
                 WEXITSTATUS(status));
    }
}

/* A worker is gone.  True: another has taken its place. */
static bool ended(struct shared *shared, struct worker *worker, const struct sim_run *run,
                  int status)
{
    worker->pid = 0;
    if (!worker->under_way) {
        return false;
    }
    worker->under_way = false;
    worker->counts.seeds++;
    worker->counts.violations++;
    struct sim_wrong wrong = {0};
    trapped(&wrong, worker->seed, status);
    note_wrong(worker, run, &wrong);
    shared->stop |= !run->go_on;
    return run->go_on && start(shared, worker, run);
}

static void add_up(const struct shared *shared, uint32_t jobs, struct sim_counts *counts)
{
    *counts = (struct sim_counts){0};
    for (uint32_t i = 0; i < jobs; i++) {
        add_counts(counts, &shared->worker[i].counts);
    }
}

/* Until all have ended. */
static void watch_over(struct shared *shared, uint32_t jobs, const struct sim_run *run,
                       struct sim_counts *counts)
{
    uint32_t alive = jobs;
    while (alive != 0) {
        int status;
        pid_t pid = waitpid(-1, &status, run->progress ? WNOHANG : 0);
        if (pid == 0 && run->progress) {
            nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
            add_up(shared, jobs, counts);
            run->progress(run->arg, counts);
            continue;
        }
        if (pid < 0 && errno != EINTR) {
            break;
        }
        for (uint32_t i = 0; pid > 0 && i < jobs; i++) {
            if (shared->worker[i].pid == pid) {
                alive -= ended(shared, &shared->worker[i], run, status) ? 0 : 1;
            }
        }
    }
}

int sim_run(const struct sim_run *run, struct sim_counts *counts, struct sim_wrong *wrong)
{
    uint32_t jobs = run->jobs == 0 ? 1 : run->jobs < JOBS_MAX ? run->jobs : JOBS_MAX;
    struct shared *shared = share(sizeof *shared);
    *wrong = (struct sim_wrong){0};
    if (shared == NULL) {
        return -1;
    }
    shared->first = run->first;
    shared->seeds = run->seeds;
    shared->until_s = run->seconds ? seconds_now() + run->seconds : 0;
    uint32_t started = 0;
    while (started < jobs && start(shared, &shared->worker[started], run)) {
        started++;
    }
    watch_over(shared, started, run, counts);
    add_up(shared, started, counts);
    for (uint32_t i = 0; i < started; i++) {
        const struct sim_wrong *found = &shared->worker[i].wrong;
        if (found->rule[0] != '\0' && (wrong->rule[0] == '\0' || found->seed < wrong->seed)) {
            *wrong = *found;
        }
    }
    munmap(shared, sizeof *shared);
    return started == jobs ? 0 : -1;
}

struct one {
    struct sim_world_result result;
    bool over;
    uint64_t fate[FATES];
};

int sim_one(uint64_t seed, const struct sim_less *less, struct sim_world_result *result)
{
    struct one *one = share(sizeof *one);
    if (one == NULL) {
        return -1;
    }
    one->result.fate = one->fate;
    one->result.max_fate = result->max_fate < FATES ? result->max_fate : FATES;
    pid_t pid = start_process();
    if (pid == 0) {
        struct world *world = sim_world_new();
        if (world != NULL) {
            sim_world_run(world, seed, less, NULL, &one->result);
            one->over = true;
        }
        _exit(world == NULL);
    }
    int status = 0;
    bool waited = pid > 0 && waitpid(pid, &status, 0) == pid;
    result->counts = one->result.counts;
    result->wrong = one->result.wrong;
    result->n_fate = one->result.n_fate;
    if (result->n_fate) {
        memcpy(result->fate, one->fate, result->n_fate * sizeof one->fate[0]);
    }
    if (waited && !one->over && WIFSIGNALED(status)) {
        trapped(&result->wrong, seed, status);
    }
    munmap(one, sizeof *one);
    return waited ? 0 : -1;
}
