/* shards.h - one stack per core: hosts with threads of their own, which share nothing.
 *
 *     static int begin(struct hf_host *host, uint32_t shard, void *arg)
 *     {
 *         struct hf_device *queue;
 *         hf_device_tun(&queue, "hf0", HF_DEVICE_QUEUE, NULL);      one queue of the same TUN each
 *         hf_host_address(host, hf_host_attach(host, queue), "10.77.0.2/24");
 *         return hf_host_listen(host, NULL, "80", 64, &listener[shard]);
 *     }
 *     struct hf_shards_options options = {.struct_size = sizeof options, .begin = begin,
 *                                         .turn = serve, .arg = NULL};
 *     hf_shards_start(&shards, &options, error);
 *     ...
 *     hf_shards_stop(shards);
 *
 * All have the same addresses and listen on the same ports; who gets a connection is decided by the
 * device, which keeps a flow at one queue (HF_DEVICE_QUEUE: a TUN's or TAP's queues, the fanout of
 * AF_PACKET, a network card's queues through AF_XDP): so accepted connections are spread as the
 * hash of their addresses and ports spreads them.  A device that does not is steered by
 * hf_flow_hash.
 *
 * No line of memory that one shard writes is read or written by another one on the way of a
 * segment. What they have to tell each other goes through hf_host_post.
 */
#ifndef HANDFAST_SHARDS_H
#define HANDFAST_SHARDS_H

#include "handfast/host.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_shards;

/* All are called in the thread of the shard, with the number of it: 0 .. n - 1.  A negative errno
 * of begin ends all shards; hf_host_error says why. */
typedef int hf_shard_begin_fn(struct hf_host *host, uint32_t shard, void *arg);
typedef void hf_shard_fn(struct hf_host *host, uint32_t shard, void *arg);

struct hf_shards_options {
    uint32_t struct_size;
    uint32_t n;    /* shards; 0: as many as there are processors that this process may use */
    bool anywhere; /* threads are not bound to a processor each                            */
    const struct hf_host_options *host; /* of each; its config's seed should be zero: each shard
                                           then has secrets of its own.  NULL: defaults      */
    hf_shard_begin_fn *begin;           /* devices, addresses, listeners                     */
    hf_shard_fn *turn; /* after each turn of the loop: hf_events and what follows; or NULL   */
    hf_shard_fn *end;  /* when the loop has ended; or NULL                                   */
    void *arg;
};
/* 0 once all have begun.  -EINVAL (struct_size, or no begin), -ENOMEM, -EAGAIN (no thread), what
 * hf_host_new or begin returned, with a sentence; then no thread of them is left.  options are
 * copied, options->host is read until then; arg is to last until hf_shards_stop. */
int hf_shards_start(struct hf_shards **shards, const struct hf_shards_options *options,
                    char error[HF_ERROR_TEXT]);
uint32_t hf_shards_count(const struct hf_shards *shards);
/* Of this shard, for hf_host_post alone; NULL: there is none of this number.  What is posted to a
 * shard whose loop has ended, as its device is gone or hf_shards_stop was called, is never run. */
struct hf_host *hf_shards_host(const struct hf_shards *shards, uint32_t shard);
/* Ends all threads and frees their hosts.  Returns 0, or the negative errno that had ended a
 * shard's loop before (a device that is gone).  -EDEADLK: nothing is done, as this is the thread of
 * one of them.  NULL is allowed. */
int hf_shards_stop(struct hf_shards *shards);

/* Steering ------------------------------------------------------------------------------------- */

enum { HF_FLOW_KEY_BYTES = 40 };

/* The hash by which network cards spread flows (Toeplitz, as of "receive side scaling"), of source
 * and destination as a frame has them.  key: the card's; NULL: one that gives both directions of a
 * connection the same hash.  Addresses are of one version. */
uint32_t hf_flow_hash(const struct hf_endpoint *source, const struct hf_endpoint *destination,
                      const uint8_t key[HF_FLOW_KEY_BYTES]);
/* The shard, of n, that this hash belongs to: all shares are equal. */
uint32_t hf_flow_shard(uint32_t hash, uint32_t n);

#ifdef __cplusplus
}
#endif
#endif
