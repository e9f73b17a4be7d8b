/* shards.c - one stack per core: what two give, each with its clients, in threads of their own.
 *
 * Each has the connections whose flow hash belongs to it, as a device with a queue for each core
 * would bring them.
 */
#include <pthread.h>

#include "figures.h"

enum { SHARDS_MAX = 2, LINE = 64, BATCH = 64 };

struct shard {
    _Alignas(LINE) struct pair_setup setup;
    pthread_t thread;
    double rate;
};

static struct shard shard[SHARDS_MAX];
static pthread_barrier_t ready;
static unsigned n_shards;

/* In a second of this thread's own: where others run as well, it has less than all. */
static double rate_here(void)
{
    double begin = bench_seconds(), own = bench_thread_seconds(), n = 0;
    do {
        for (unsigned i = 0; i < BATCH; i++, n++) {
            lives_one(NULL);
        }
    } while (bench_seconds() - begin < BENCH_ROUND_MS / 1000.0);
    return n / (bench_thread_seconds() - own);
}

/* All measure in the same moment. */
static void *run(void *arg)
{
    struct shard *here = arg;
    bench_take_core((unsigned)(here - shard));
    lives_open(&here->setup);
    pthread_barrier_wait(&ready);
    here->rate = rate_here();
    pair_free(lives_pair());
    return NULL;
}

bool shards_open(const void *arg)
{
    n_shards = *(const unsigned *)arg;
    if (bench_cores() < n_shards) {
        bench_note("cores", "fewer than shards");
        return false;
    }
    return true;
}

/* Connections a second of all together. */
double shards_round(const void *arg)
{
    double all = 0;
    (void)arg;
    bench_must(-pthread_barrier_init(&ready, NULL, n_shards), "a barrier");
    for (unsigned i = 0; i < n_shards; i++) {
        shard[i].setup = (struct pair_setup){.connections = 16384,
                                             .mtu = 1500,
                                             .msl_ms = 1,
                                             .step_ns = 16000,
                                             .shard = i,
                                             .shards = SHARDS_MAX};
        bench_must(-pthread_create(&shard[i].thread, NULL, run, &shard[i]), "a thread");
    }
    for (unsigned i = 0; i < n_shards; i++) {
        pthread_join(shard[i].thread, NULL);
        all += shard[i].rate;
    }
    pthread_barrier_destroy(&ready);
    return all;
}
