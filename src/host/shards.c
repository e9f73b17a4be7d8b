/* shards.c - handfast/shards.h: a thread, a host and a stack for each shard. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "handfast/shards.h"
#include "host/host.h"

enum { LINE = 64 };

/* Written by its own thread but for what passes through hf_host_post; a line of its own. */
struct shard {
    _Alignas(LINE) struct hf_shards *all;
    struct hf_host *host;
    struct host_post *last; /* ends it: made beforehand, as ending must not fail */
    pthread_t thread;
    uint32_t number;
    int error; /* what has ended it */
    bool stopped;
};

struct hf_shards {
    struct hf_shards_options options;
    pthread_mutex_t lock; /* of what follows, while they begin */
    pthread_cond_t begun;
    uint32_t n, n_begun;
    int error; /* of the first that could not begin */
    char *text;
    struct shard shard[];
};

static uint32_t processors(void)
{
    cpu_set_t allowed;
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? (uint32_t)CPU_COUNT(&allowed) : 1;
}

/* To one of those that the process may use: the same one again where there are more shards. */
static void bind_to_processor(uint32_t number)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    int left = (int)(number % (uint32_t)CPU_COUNT(&allowed));
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && left-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            (void)pthread_setaffinity_np(pthread_self(), sizeof one, &one);
            return;
        }
    }
}

/* The first failure is told; with the lock held. */
static void note_failure(struct hf_shards *all, int error, const char *what, const char *why)
{
    if (all->error == 0) {
        all->error = dev_fail(all->text, error, "%s: %s", what, why);
    }
}

/* A begin may have failed outside of the host, which then has nothing to say. */
static const char *reason_of(const struct shard *shard, int error)
{
    const char *sentence = shard->host == NULL ? "" : hf_host_error(shard->host);
    return *sentence == 0 ? strerror(-error) : sentence;
}

static void told(struct shard *shard, int error)
{
    struct hf_shards *all = shard->all;
    char what[24];
    (void)snprintf(what, sizeof what, "shard %u", shard->number);
    pthread_mutex_lock(&all->lock);
    if (error < 0) {
        note_failure(all, error, what, reason_of(shard, error));
    }
    all->n_begun++;
    pthread_cond_signal(&all->begun);
    pthread_mutex_unlock(&all->lock);
}

static void stop(struct hf_host *host, void *arg)
{
    (void)host;
    ((struct shard *)arg)->stopped = true;
}

static int begin(struct shard *shard)
{
    const struct hf_shards_options *options = &shard->all->options;
    if (!options->anywhere) {
        bind_to_processor(shard->number);
    }
    shard->last = host_new_post(stop, shard);
    int error = shard->last == NULL ? -ENOMEM : hf_host_new(&shard->host, options->host);
    return error < 0 ? error : options->begin(shard->host, shard->number, options->arg);
}

static void *run(void *arg)
{
    struct shard *shard = arg;
    const struct hf_shards_options *options = &shard->all->options;
    int error = begin(shard);
    bool begun = error >= 0;
    told(shard, error);
    while (begun && error >= 0 && !shard->stopped) {
        int ended = hf_host_run_once(shard->host, -1);
        if (ended < 0 && ended != -EINTR) {
            shard->error = error = ended;
        }
        if (options->turn != NULL) {
            options->turn(shard->host, shard->number, options->arg);
            hf_host_flush(shard->host);
        }
    }
    if (begun && options->end != NULL) {
        options->end(shard->host, shard->number, options->arg);
    }
    return NULL;
}

/* Hosts are freed only here: until then others may post to them. */
static int end_all(struct hf_shards *shards)
{
    int error = 0;
    for (uint32_t i = 0; i < shards->n; i++) {
        if (shards->shard[i].host != NULL) {
            host_put_post(shards->shard[i].host, shards->shard[i].last);
        } else {
            free(shards->shard[i].last);
        }
    }
    for (uint32_t i = 0; i < shards->n; i++) {
        (void)pthread_join(shards->shard[i].thread, NULL);
        error = error < 0 ? error : shards->shard[i].error;
    }
    for (uint32_t i = 0; i < shards->n; i++) {
        hf_host_free(shards->shard[i].host);
    }
    pthread_cond_destroy(&shards->begun);
    pthread_mutex_destroy(&shards->lock);
    free(shards);
    return error;
}

static struct hf_shards *new_shards(const struct hf_shards_options *options, uint32_t n, char *text)
{
    size_t bytes = sizeof(struct hf_shards) + n * sizeof(struct shard);
    struct hf_shards *shards = aligned_alloc(LINE, (bytes + LINE - 1) / LINE * LINE);
    if (shards != NULL) {
        memset(shards, 0, bytes);
        shards->options = *options;
        shards->text = text;
        pthread_mutex_init(&shards->lock, NULL);
        pthread_cond_init(&shards->begun, NULL);
        for (uint32_t i = 0; i < n; i++) {
            shards->shard[i].all = shards;
            shards->shard[i].number = i;
        }
    }
    return shards;
}

/* As many threads as there can be; all have begun, or failed, afterwards. */
static void start_all(struct hf_shards *shards, uint32_t n)
{
    while (shards->n < n) {
        struct shard *shard = &shards->shard[shards->n];
        int error = pthread_create(&shard->thread, NULL, run, shard);
        if (error != 0) {
            pthread_mutex_lock(&shards->lock);
            note_failure(shards, -error, "a thread", strerror(error));
            pthread_mutex_unlock(&shards->lock);
            break;
        }
        shards->n++;
    }
    pthread_mutex_lock(&shards->lock);
    while (shards->n_begun < shards->n) {
        pthread_cond_wait(&shards->begun, &shards->lock);
    }
    pthread_mutex_unlock(&shards->lock);
}

int hf_shards_start(struct hf_shards **result, const struct hf_shards_options *options,
                    char error[HF_ERROR_TEXT])
{
    *result = NULL;
    if (options->struct_size != sizeof *options || options->begin == NULL) {
        return dev_fail(error, -EINVAL, "shards: options of another size, or no begin");
    }
    uint32_t n = options->n == 0 ? processors() : options->n;
    struct hf_shards *shards = new_shards(options, n, error);
    if (shards == NULL) {
        return dev_fail(error, -ENOMEM, "shards: no memory");
    }
    start_all(shards, n);
    if (shards->error < 0) {
        int failed = shards->error;
        (void)end_all(shards);
        return failed;
    }
    *result = shards;
    return 0;
}

uint32_t hf_shards_count(const struct hf_shards *shards)
{
    return shards->n;
}

struct hf_host *hf_shards_host(const struct hf_shards *shards, uint32_t shard)
{
    return shard < shards->n ? shards->shard[shard].host : NULL;
}

int hf_shards_stop(struct hf_shards *shards)
{
    for (uint32_t i = 0; shards != NULL && i < shards->n; i++) {
        if (pthread_equal(shards->shard[i].thread, pthread_self())) {
            return -EDEADLK; /* it would wait for itself */
        }
    }
    return shards == NULL ? 0 : end_all(shards);
}
