/* steps.c - how many instructions a call takes: as many as callgrind counts, but with nothing to
 * install, and in a program that runs at full speed before and after.
 *
 * The processor's trap flag raises SIGTRAP behind each instruction.
 */
#include "bench.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __x86_64__

static volatile uint64_t steps;

static void count(int signal)
{
    (void)signal;
    steps++;
}

static void trap(void)
{
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" : : : "cc", "memory");
}

static void trap_no_more(void)
{
    __asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" : : : "cc", "memory");
}

static double steps_of(void (*call)(void *arg), void *arg)
{
    struct sigaction action = {.sa_handler = count};
    bench_must(sigaction(SIGTRAP, &action, NULL), "SIGTRAP");
    steps = 0;
    trap();
    call(arg);
    trap_no_more();
    return (double)steps;
}

static void nothing(void *arg)
{
    (void)arg;
}

double bench_steps(void (*call)(void *arg), void *arg)
{
    static double around;
    around = around > 0 ? around : steps_of(nothing, NULL);
    return steps_of(call, arg) - around;
}

#else

double bench_steps(void (*call)(void *arg), void *arg)
{
    call(arg);
    return 0;
}

#endif

void bench_also_steps(unsigned which, void (*call)(void *arg), void *arg)
{
    double counted = bench_steps(call, arg);
    if (counted > 0) {
        bench_also(which, counted);
    }
}
