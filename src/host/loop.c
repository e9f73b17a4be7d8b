/* loop.c - wait, receive, process, send: one turn for one host, or for several that run together.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/host.h"

enum {
    PENDING_MAX = 256,
    BATCHES_PER_TURN = 4,
    UNPOLLED_MAX = 8, /* turns in a row without a look at other descriptors */
    LINGER_NS = 1000000,
    LEND_MIN = 8192,      /* octets */
    STALL_NS = 100000000, /* a device that takes nothing for so long holds up no other one */
};

/* Output -------------------------------------------------------------------------------------- */

static void done_with(struct hf_host *host, const struct hf_frame_out *frames, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        (void)hf_output_done(host->stack, &host->env, frames[i].token);
    }
}

/* Who sends or receives has no ear for it: at its end the turn, or the next one, says so. */
static void note_error(struct host_iface *iface, int err)
{
    if (dev_is_gone(err)) {
        iface->gone = true;
        iface->untold = err;
    }
}

/* Offers frames to a device; returns how many it is done with: what it has an error for is lost. */
static uint32_t offer(struct hf_host *host, struct host_iface *iface,
                      const struct hf_frame_out *frames, uint32_t n)
{
    int sent = iface->gone ? (int)n : hf_device_send(iface->device, host->env.now_ns, frames, n);
    if (sent < 0) {
        note_error(iface, sent);
        sent = (int)n;
    }
    if (sent > 0 || iface->n_pending == 0) {
        iface->moved_at_ns = host->env.now_ns;
        iface->stalled = iface->stalled && sent == 0;
    }
    done_with(host, frames, (uint32_t)sent);
    return (uint32_t)sent;
}

/* Nothing is pending any more: a device that waits for room is told by an offer of no frame. */
static void give_up_pending(struct hf_host *host, struct host_iface *iface)
{
    done_with(host, iface->pending, iface->n_pending);
    host->n_pending -= iface->n_pending;
    iface->n_pending = 0;
    (void)hf_device_send(iface->device, host->env.now_ns, iface->pending, 0);
}

static void send_pending(struct hf_host *host, struct host_iface *iface)
{
    if (iface->n_pending == 0) {
        return;
    }
    uint32_t sent = offer(host, iface, iface->pending, iface->n_pending);
    iface->n_pending -= sent;
    host->n_pending -= sent;
    memmove(iface->pending, iface->pending + sent, iface->n_pending * sizeof *iface->pending);
    if (host->n_ifaces > 1 && host->env.now_ns - iface->moved_at_ns > STALL_NS) {
        iface->stalled = true;
        give_up_pending(host, iface);
    }
}

/* Keeps what the device did not take; without memory it is lost, as on any network. */
static void keep(struct hf_host *host, struct host_iface *iface, const struct hf_frame_out *frames,
                 uint32_t n)
{
    if (iface->n_pending + n > iface->room) {
        uint32_t room = iface->n_pending + n + HOST_BATCH;
        struct hf_frame_out *more = realloc(iface->pending, room * sizeof *more);
        if (more == NULL) {
            done_with(host, frames, n);
            return;
        }
        iface->pending = more;
        iface->room = room;
    }
    memcpy(iface->pending + iface->n_pending, frames, n * sizeof *frames);
    iface->n_pending += n;
    host->n_pending += n;
}

/* Frames of one interface, in order. */
static void send_run(struct hf_host *host, const struct hf_frame_out *frames, uint32_t n)
{
    if (frames[0].iface == 0 || frames[0].iface > host->n_ifaces) {
        done_with(host, frames, n);
        return;
    }
    struct host_iface *iface = &host->ifaces[frames[0].iface - 1];
    uint32_t sent = iface->n_pending > 0 ? 0 : offer(host, iface, frames, n);
    if (sent < n) {
        keep(host, iface, frames + sent, n - sent);
    }
    if (iface->stalled) {
        give_up_pending(host, iface);
    }
}

static void send_owed(struct hf_host *host)
{
    for (uint32_t i = 0; i < host->n_ifaces; i++) {
        send_pending(host, &host->ifaces[i]);
    }
    while (host->n_pending < PENDING_MAX) {
        uint32_t n = hf_output(host->stack, &host->env, host->out, HOST_BATCH);
        for (uint32_t i = 0, run; i < n; i += run) {
            for (run = 1; i + run < n && host->out[i + run].iface == host->out[i].iface;) {
                run++;
            }
            send_run(host, host->out + i, run);
        }
        if (n < HOST_BATCH) {
            break;
        }
    }
}

void hf_host_flush(struct hf_host *host)
{
    host_now(host);
    send_owed(host);
}

/* Input --------------------------------------------------------------------------------------- */

/* Slots of devices that the stack has done with. */
static void take_returned(struct hf_host *host)
{
    uint64_t tokens[HOST_BATCH];
    uint32_t n = 1;
    while (host->n_lent > 0 && n > 0) {
        n = hf_returned(host->stack, &host->env, tokens, HOST_BATCH);
        for (uint32_t i = 0; i < n; i++) {
            const struct hf_device *device = host->ifaces[tokens[i] >> 32].device;
            device->lender->returned(device->self, (uint32_t)tokens[i]);
        }
        host->n_lent -= n;
    }
}

/* Long frames stay where the device has them: copying costs more than a record. */
static void lend_long(struct hf_host *host, uint32_t index, uint32_t n)
{
    const struct host_iface *iface = &host->ifaces[index];
    const struct hf_device *device = iface->device;
    for (uint32_t k = 0; iface->region != 0 && k < n; k++) {
        struct hf_frame_in *frame = &host->in[k];
        if (frame->len >= LEND_MIN && device->lender->lend(device->self, k)) {
            frame->region = iface->region;
            frame->token |= (uint64_t)index << 32;
            host->n_lent++;
        }
    }
}

/* Without a record for each lent frame the stack refuses them all: then it copies. */
static void take_in(struct hf_host *host, uint32_t index, uint32_t n)
{
    const struct hf_device *device = host->ifaces[index].device;
    lend_long(host, index, n);
    if (hf_input(host->stack, &host->env, host->in, n) == HF_OK) {
        return;
    }
    for (uint32_t k = 0; k < n; k++) {
        if (host->in[k].region != 0) {
            host->in[k].region = 0;
            device->lender->returned(device->self, (uint32_t)host->in[k].token);
            host->n_lent--;
        }
    }
    (void)hf_input(host->stack, &host->env, host->in, n);
}

/* All that a device has, within reason; each batch is answered before the next is taken. */
static void receive(struct hf_host *host, uint32_t index)
{
    struct host_iface *iface = &host->ifaces[index];
    for (int i = 0; i < BATCHES_PER_TURN && !iface->gone; i++) {
        int n = hf_device_receive(iface->device, host_now(host), host->in, HOST_BATCH);
        if (n < 0) {
            note_error(iface, n);
            break;
        }
        for (int k = 0; k < n; k++) {
            host->in[k].iface = (uint16_t)(index + 1);
        }
        if (n > 0) {
            take_in(host, index, (uint32_t)n);
            host->did += (uint32_t)n;
        }
        hf_device_flush(iface->device, host->env.now_ns);
        bool drained = n < HOST_BATCH && hf_device_fd(iface->device) >= 0; /* poll tells of more */
        if (n == 0 || drained) {
            break;
        }
        send_owed(host);
    }
}

/* Of the first device that is gone and was not told; of the others the next turns tell. */
static int tell_gone(struct hf_host *host)
{
    for (uint32_t i = 0; i < host->n_ifaces; i++) {
        struct host_iface *iface = &host->ifaces[i];
        int err = iface->untold;
        if (err < 0) {
            iface->untold = 0;
            return host_fail(host, err, "%s: the device is gone: %s", hf_device_name(iface->device),
                             strerror(-err));
        }
    }
    return 0;
}

/* Everything of one host that is due. */
static void work(struct hf_host *host, bool posted)
{
    host->did = 0;
    take_returned(host);
    host_run_posts(host, posted);
    for (uint32_t i = 0; i < host->n_ifaces; i++) {
        const struct host_iface *iface = &host->ifaces[i];
        if (!iface->gone) {
            hf_device_timeouts(iface->device, host_now(host));
            receive(host, i);
        }
    }
    host_now(host);
    if (hf_deadline(host->stack, &host->env) <= host->env.now_ns) {
        hf_timeouts(host->stack, &host->env);
        host->did++;
    }
    host_grow(host);
    send_owed(host);
}

/* Waiting ------------------------------------------------------------------------------------- */

static int64_t earliest(struct hf_host *host)
{
    int64_t at_ns = hf_deadline(host->stack, &host->env);
    if (host->n_pending > 0 && at_ns < host->env.now_ns + LINGER_NS) {
        at_ns = host->env.now_ns + LINGER_NS; /* what is owed now must wait for a device */
    }
    for (uint32_t i = 0; i < host->n_ifaces; i++) {
        const struct host_iface *iface = &host->ifaces[i];
        int64_t device_ns = iface->untold < 0 ? host->env.now_ns
                            : iface->gone     ? INT64_MAX
                                              : hf_device_deadline(iface->device);
        at_ns = device_ns < at_ns ? device_ns : at_ns;
    }
    return at_ns;
}

static uint32_t count_fds(const struct hf_host *first)
{
    uint32_t n = 0;
    const struct hf_host *host = first;
    do {
        n += 1 + host->n_ifaces + host->n_watches;
        host = host->next;
    } while (host != first);
    return n;
}

static _Thread_local uint64_t turns; /* that have asked poll: also those within another one */

static struct pollfd *list_fds(struct hf_host *host, struct pollfd *at)
{
    host->polled_ifaces = host->n_ifaces;
    host->polled_watches = host->n_watches;
    *at++ = (struct pollfd){.fd = host->post_fd, .events = POLLIN};
    for (uint32_t i = 0; i < host->n_ifaces; i++) {
        const struct host_iface *iface = &host->ifaces[i];
        at->fd = iface->gone ? -1 : hf_device_fd(iface->device);
        at->events = iface->gone ? 0 : (short)hf_device_poll_events(iface->device);
        at++->revents = 0;
    }
    for (uint32_t i = 0; i < host->n_watches; i++) {
        const struct host_watch *watch = &host->watches[i];
        *at++ = (struct pollfd){.fd = watch->fd, .events = (short)watch->events};
    }
    return at;
}

/* A watch function may watch and unwatch: each is looked up anew.  It may also wait: then poll has
 * been asked once more meanwhile, and those behind it have been called. */
static void call_watches(struct hf_host *host, uint64_t turn, const struct pollfd *fds, uint32_t n)
{
    for (uint32_t k = 0; k < n && host->polled_turn == turn; k++) {
        for (uint32_t i = 0; fds[k].revents != 0 && i < host->n_watches; i++) {
            if (host->watches[i].fd == fds[k].fd) {
                struct host_watch watch = host->watches[i];
                watch.fn(host, watch.arg, watch.fd, fds[k].revents);
                break;
            }
        }
    }
}

static int64_t time_to_wait(struct hf_host *first, int64_t timeout_ns)
{
    struct hf_host *host = first;
    do {
        int64_t now_ns = host_now(host);
        int64_t at_ns = atomic_load(&host->interrupted) ? now_ns : earliest(host);
        int64_t wait_ns = at_ns <= now_ns ? 0 : at_ns - now_ns;
        if (at_ns != INT64_MAX && (timeout_ns < 0 || wait_ns < timeout_ns)) {
            timeout_ns = wait_ns;
        }
        host = host->next;
    } while (host != first);
    return timeout_ns;
}

/* fds: what poll found in this turn, or NULL.  *did: frames, timers and posts.  What one host does
 * may watch and attach for another one, whose part of fds stays as it was; may join a host, which
 * has none; and may wait: then poll's findings of this turn are old. */
static int work_all(struct hf_host *first, const struct pollfd *fds, uint64_t turn, uint32_t *did)
{
    int err = 0;
    struct hf_host *host = first;
    *did = 0;
    do {
        bool polled = fds != NULL && host->polled_turn == turn;
        const struct pollfd *part = polled ? fds + host->polled_at : NULL;
        uint32_t devices = 1 + host->polled_ifaces;
        uint32_t watches = polled ? host->polled_watches : 0;
        work(host, polled && part->revents != 0);
        *did += host->did;
        int failed = err == 0 ? tell_gone(host) : 0;
        if (failed < 0) {
            err = host == first ? failed : host_fail(first, failed, "%s", host->error);
        }
        if (watches > 0) {
            call_watches(host, turn, part + devices, watches);
            host_now(host);
            send_owed(host);
        }
        host = host->next;
    } while (host != first);
    return err;
}

/* Sleeps, at most timeout_ns, until something is to be done, and does it. */
static int wait_and_work(struct hf_host *host, int64_t timeout_ns, uint32_t *did)
{
    enum { FEW = 32 };
    struct pollfd few[FEW];
    uint32_t n = count_fds(host);
    struct pollfd *fds = n <= FEW ? few : calloc(n, sizeof *fds);
    if (fds == NULL) {
        return host_fail(host, -ENOMEM, "no memory to wait for %u descriptors", n);
    }
    struct pollfd *at = fds;
    struct hf_host *each = host;
    uint64_t turn = ++turns;
    do {
        each->polled_turn = turn;
        each->polled_at = (uint32_t)(at - fds);
        at = list_fds(each, at);
        each = each->next;
    } while (each != host);
    int64_t wait_ns = time_to_wait(host, timeout_ns);
    struct timespec wait = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    int ready = ppoll(fds, n, wait_ns < 0 ? NULL : &wait, NULL);
    int err = ready < 0 ? -errno : 0;
    int failed = work_all(host, ready > 0 ? fds : NULL, turn, did);
    if (fds != few) {
        free(fds);
    }
    if (failed < 0) {
        return failed;
    }
    return err < 0 ? host_fail(host, err, "%s", strerror(-err)) : 0;
}

static bool take_interrupts(struct hf_host *first)
{
    bool taken = false;
    struct hf_host *host = first;
    do {
        taken = (atomic_load(&host->interrupted) && atomic_exchange(&host->interrupted, false)) ||
                taken;
        host = host->next;
    } while (host != first);
    return taken;
}

static int run_turn(struct hf_host *host, int64_t timeout_ns)
{
    uint32_t did = 0;
    struct hf_host *each = host;
    do {
        hf_host_flush(each);
        each = each->next;
    } while (each != host);
    /* After frames more are likely: the device is asked without asking poll first. */
    if (host->unpolled > 0 && host->unpolled <= UNPOLLED_MAX) {
        int err = work_all(host, NULL, 0, &did);
        host->unpolled++;
        if (err < 0 || did > 0) {
            return err;
        }
    }
    int err = wait_and_work(host, timeout_ns, &did);
    host->unpolled = did > 0 ? 1 : 0;
    return err;
}

int hf_host_run_once(struct hf_host *host, int64_t timeout_ns)
{
    int err = run_turn(host, timeout_ns);
    bool may_tell = err == 0 || err == -EINTR;
    return may_tell && take_interrupts(host) ? host_fail(host, -EINTR, "interrupted") : err;
}
