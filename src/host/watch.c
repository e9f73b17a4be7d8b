/* watch.c - what a host does beside its devices: descriptors of others, and what other threads
 * posted. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/host.h"

struct host_post *host_new_post(hf_post_fn *fn, void *arg)
{
    struct host_post *post = malloc(sizeof *post);
    if (post != NULL) {
        *post = (struct host_post){NULL, fn, arg};
    }
    return post;
}

static void wake(struct hf_host *host)
{
    const uint64_t one = 1;
    ssize_t done = write(host->post_fd, &one, sizeof one); /* fails only when it is awake already */
    (void)done;
}

void host_put_post(struct hf_host *host, struct host_post *post)
{
    pthread_mutex_lock(&host->lock);
    *host->last_post = post;
    host->last_post = &post->next;
    host->n_posts++;
    atomic_store(&host->rung, true);
    wake(host);
    pthread_mutex_unlock(&host->lock); /* last: what is posted may end the host */
}

int hf_host_post(struct hf_host *host, hf_post_fn *fn, void *arg)
{
    struct host_post *post = host_new_post(fn, arg);
    if (post == NULL) {
        return -ENOMEM;
    }
    host_put_post(host, post);
    return 0;
}

/* What is posted from now on rings anew. */
static void silence(struct hf_host *host)
{
    uint64_t times;
    ssize_t done = read(host->post_fd, &times, sizeof times);
    (void)done; /* none: it is about to be written, and wakes us once more */
}

static uint64_t count_posts(struct hf_host *host)
{
    pthread_mutex_lock(&host->lock);
    uint64_t n = host->n_posts;
    pthread_mutex_unlock(&host->lock);
    return n;
}

static struct host_post *take_post(struct hf_host *host)
{
    pthread_mutex_lock(&host->lock);
    struct host_post *post = host->posts;
    if (post != NULL) {
        host->posts = post->next;
        host->last_post = host->posts == NULL ? &host->posts : host->last_post;
        host->n_posts--;
    }
    pthread_mutex_unlock(&host->lock);
    return post;
}

/* One at a time: a function that waits has those behind it run meanwhile.  As many as there are
 * now: one that posts itself again has its next turn in the next one. */
void host_run_posts(struct hf_host *host, bool woken)
{
    bool rung = atomic_exchange(&host->rung, false);
    if (!rung && !woken) {
        return;
    }
    silence(host);
    struct host_post *post;
    for (uint64_t n = count_posts(host); n > 0 && (post = take_post(host)) != NULL; n--) {
        post->fn(host, post->arg);
        host->did++;
        free(post);
    }
}

void host_drop_posts(struct hf_host *host)
{
    struct host_post *post;
    while ((post = take_post(host)) != NULL) {
        free(post);
    }
}

/* In a signal's handler, too: nothing but an atomic and write(2). */
void hf_host_interrupt(struct hf_host *host)
{
    int before = errno;
    atomic_store(&host->interrupted, true);
    wake(host);
    errno = before;
}

static struct host_watch *find_watch(struct hf_host *host, int fd)
{
    for (uint32_t i = 0; i < host->n_watches; i++) {
        if (host->watches[i].fd == fd) {
            return &host->watches[i];
        }
    }
    return NULL;
}

int hf_host_watch(struct hf_host *host, int fd, int events, hf_watch_fn *fn, void *arg)
{
    struct host_watch *watch = find_watch(host, fd);
    if (fd < 0 || fn == NULL) {
        return host_fail(host, -EINVAL, "watch: no descriptor or no function");
    }
    if (watch == NULL && host->n_watches == host->watch_room) {
        uint32_t room = host->watch_room == 0 ? 8 : 2 * host->watch_room;
        struct host_watch *more = realloc(host->watches, room * sizeof *more);
        if (more == NULL) {
            return host_fail(host, -ENOMEM, "watch: no memory");
        }
        host->watches = more;
        host->watch_room = room;
    }
    if (watch == NULL) {
        watch = &host->watches[host->n_watches++];
    }
    *watch = (struct host_watch){fd, events, fn, arg};
    return 0;
}

int hf_host_unwatch(struct hf_host *host, int fd)
{
    struct host_watch *watch = find_watch(host, fd);
    if (watch == NULL) {
        return host_fail(host, -ENOENT, "unwatch: descriptor %d is not watched", fd);
    }
    *watch = host->watches[--host->n_watches];
    return 0;
}
