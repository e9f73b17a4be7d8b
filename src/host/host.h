/* host.h - what the files of this folder share.
 *
 *     host.c       making and freeing; devices, addresses, routes
 *     loop.c       wait, receive, process, send
 *     watch.c      other descriptors, posts from other threads
 *     memory.c     the block of a stack, touched ahead of need
 *     calls.c      blocking calls
 *     settings.c   policies and options by name; settings_values.c: what they may be
 *     names.c      errors, addresses and names as text
 *     private.c    a private network
 *     shards.c     hosts with threads of their own; flow_hash.c: which of them has a flow
 *
 * One turn of the loop:
 *
 *     poll -> posts -> hf_device_receive -> hf_input -> hf_device_flush -> hf_timeouts
 *          -> hf_output -> hf_device_send -> hf_output_done -> watched descriptors
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <pthread.h>
#include <stdatomic.h>

#include "device/device.h"
#include "handfast/host.h"

enum { HOST_BATCH = 64, HOST_EXTENTS = 64 };

/* A device bound to the stack as interface number index + 1. */
struct host_iface {
    struct hf_device *device;     /* NULL: it could not be used, and is gone */
    struct hf_frame_out *pending; /* what the device did not take yet, in order */
    uint32_t n_pending, room;
    uint16_t region;     /* of the device's memory; 0: it lends none */
    bool gone;           /* the device is: what would go out is lost */
    int untold;          /* ... and this errno is still to be told; 0: nothing is */
    bool stalled;        /* it has taken nothing for a while: others do not wait for it */
    int64_t moved_at_ns; /* when it took something last, or was first offered what is pending */
};

struct host_post {
    struct host_post *next;
    hf_post_fn *fn;
    void *arg;
};

struct host_watch {
    int fd, events;
    hf_watch_fn *fn;
    void *arg;
};

struct hf_host {
    struct hf_stack *stack;
    uint64_t block_bytes;
    uint64_t touched[HOST_EXTENTS]; /* octets of each extent that are backed by memory */
    int64_t grown_at;
    struct hf_env env;
    struct hf_host *next; /* a ring of hosts that run together */

    struct host_iface *ifaces;
    struct hf_region *regions; /* of devices that lend frames */
    uint32_t n_ifaces;
    uint32_t n_lent;    /* frames that the stack has */
    uint32_t n_pending; /* of all interfaces */

    struct host_watch *watches;
    uint32_t n_watches, watch_room;
    uint32_t polled_ifaces, polled_watches; /* of what poll was asked for last ... */
    uint32_t polled_at;                     /* ... from here on in its array ...   */
    uint64_t polled_turn;                   /* ... in this turn                    */

    pthread_mutex_t lock; /* of the posts, the only thing another thread may touch */
    struct host_post *posts, **last_post;
    uint64_t n_posts;
    int post_fd;
    atomic_bool rung;        /* there are posts: no need to ask post_fd */
    atomic_bool interrupted; /* the wait under way is to end, or else the next one */

    uint32_t did;      /* frames, timers and posts of this turn */
    uint32_t unpolled; /* turns in a row that did without poll */

    char *settings; /* NAME=VALUE ..., looked at; NULL: none */
    char error[HF_ERROR_TEXT];
    struct hf_frame_in in[HOST_BATCH];
    struct hf_frame_out out[HOST_BATCH];
};

/* host.c: notes the sentence, returns err (a negative errno). */
int host_fail(struct hf_host *host, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for an error of the core. */
int host_core_fail(struct hf_host *host, int error, const char *what);
int64_t host_now(struct hf_host *host);
/* Undoes the last hf_host_attach, before any frame came: the device is closed.  The stack keeps the
 * interface, behind which is nothing from now on. */
void host_detach_last(struct hf_host *host);

/* memory.c */
struct hf_stack *host_reserve(uint64_t bytes);
void host_release(struct hf_stack *block, uint64_t bytes);
/* Backs with memory what the stack will reach soon. */
void host_grow(struct hf_host *host);

/* settings.c: the options among the host's settings. */
int host_apply_settings(struct hf_host *host, hf_handle handle);

/* watch.c */
/* The two halves of hf_host_post: NULL, there is no memory; then it cannot fail. */
struct host_post *host_new_post(hf_post_fn *fn, void *arg);
void host_put_post(struct hf_host *host, struct host_post *post);
/* woken: post_fd was found readable. */
void host_run_posts(struct hf_host *host, bool woken);
void host_drop_posts(struct hf_host *host);

/* names.c: "10.0.0.2/24"; prefix_len -1: there was none.  0 or -EINVAL. */
int host_parse_prefix(const char *text, uint8_t ip[16], int *prefix_len);
bool host_is_v4(const uint8_t ip[16]); /* v4-mapped */
/* Where a scope ("2", "hf0") lies; 0: no such interface. */
uint16_t host_scope(struct hf_host *host, const char *text);

#endif
