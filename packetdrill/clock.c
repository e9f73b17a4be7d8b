/* clock.c - virtual time: it stands still while anybody works, and jumps from event to event when
 * all wait.  There are two threads at most: the script's (main), and one that runs its blocking
 * calls.  Before time passes, the other one must have found that there is nothing new for it, or
 * have told the time its call ended at (its gettimeofday, after every call).
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapter.h"

enum { STEPS_MAX = 1000000 }; /* events at one moment, or without a packet: something is wrong */

void clock_begin(struct adapter *a)
{
    a->main_thread = pthread_self();
    a->other_deadline = NEVER;
}

bool clock_is_main(const struct adapter *a)
{
    return pthread_equal(a->main_thread, pthread_self()) != 0;
}

int64_t clock_after_ms(const struct adapter *a, int64_t ms)
{
    return ms < 0 ? NEVER : a->now_ns + ms * NS_PER_MS;
}

void clock_settle(struct adapter *a)
{
    if (!clock_is_main(a)) {
        return;
    }
    a->round++;
    pthread_cond_broadcast(&a->other_wakes);
    while (a->other_busy && a->other_saw != a->round) {
        pthread_cond_wait(&a->main_wakes, &a->lock);
    }
}

static bool is_asleep(pid_t tid)
{
    char path[64];
    char text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return true;
    }
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    const char *name_end = strrchr(text, ')');
    return name_end == NULL || name_end[1] == 0 || name_end[2] == 'S';
}

void clock_let_other_go_on(struct adapter *a)
{
    enum { TRIES = 2000 };
    if (!clock_is_main(a) || !a->other_ended) {
        return;
    }
    a->other_ended = false;
    for (int i = 0; i < TRIES && !is_asleep(a->other_tid); i++) {
        usleep(100);
    }
}

static int64_t next_event(const struct adapter *a)
{
    int64_t next = a->stack ? hf_deadline(a->stack, &a->env) : NEVER;
    return next < a->other_deadline ? next : a->other_deadline;
}

bool clock_step(struct adapter *a, int64_t limit_ns)
{
    clock_settle(a);
    int64_t next = next_event(a);
    if (next == NEVER && limit_ns == NEVER) {
        return false;
    }
    if (next > limit_ns) {
        next = limit_ns;
    }
    a->now_ns = next > a->now_ns ? next : a->now_ns;
    a->env.now_ns = a->now_ns;
    if (a->stack) {
        hf_timeouts(a->stack, &a->env);
        network_pump(a);
    }
    clock_settle(a);
    return true;
}

void clock_advance(struct adapter *a, int64_t to_ns)
{
    clock_settle(a);
    for (int i = 0; i < STEPS_MAX && next_event(a) <= to_ns; i++) {
        clock_step(a, to_ns);
    }
    if (to_ns > a->now_ns) {
        a->now_ns = to_ns;
        a->env.now_ns = to_ns;
    }
}

/* In the script's own thread: nobody else lets time pass. */
static bool wait_in_main(struct adapter *a, ready_fn *ready, void *arg, int64_t deadline_ns)
{
    for (int i = 0; i < STEPS_MAX; i++) {
        if (ready(a, arg)) {
            return true;
        }
        if (a->now_ns >= deadline_ns || !clock_step(a, deadline_ns)) {
            return ready(a, arg);
        }
    }
    return false;
}

bool clock_wait(struct adapter *a, ready_fn *ready, void *arg, int64_t deadline_ns)
{
    network_pump(a);
    if (clock_is_main(a)) {
        return wait_in_main(a, ready, arg, deadline_ns);
    }
    bool found = ready(a, arg);
    while (!found && a->now_ns < deadline_ns) {
        a->other_deadline = deadline_ns;
        a->other_saw = a->round;
        pthread_cond_signal(&a->main_wakes);
        pthread_cond_wait(&a->other_wakes, &a->lock);
        a->other_deadline = NEVER;
        found = ready(a, arg);
    }
    return found;
}
