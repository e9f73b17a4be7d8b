/* calls.c - blocking calls: try, run the loop, try again, until it works or the time is over. */
#include <errno.h>
#include <string.h>

#include "host/host.h"

enum { MAX_NAMES = 16 };

/* How long a call may still wait. */
struct patience {
    int64_t until_ns; /* INT64_MAX: without end */
    bool turned;      /* the loop ran at least once */
};

static struct patience patience_of(struct hf_host *host, int timeout_ms)
{
    int64_t until_ns = INT64_MAX;
    if (timeout_ms >= 0) {
        until_ns = host_now(host) + (int64_t)timeout_ms * 1000000;
    }
    return (struct patience){.until_ns = until_ns};
}

/* One turn of the loop; 0: try again. */
static int turn(struct hf_host *host, struct patience *patience)
{
    int64_t left_ns = -1;
    if (patience->until_ns != INT64_MAX) {
        left_ns = patience->until_ns - host_now(host);
        if (left_ns <= 0 && patience->turned) {
            return host_fail(host, -EAGAIN, "not within the time given");
        }
        left_ns = left_ns < 0 ? 0 : left_ns;
    }
    patience->turned = true;
    return hf_host_run_once(host, left_ns);
}

static int status_of(struct hf_host *host, hf_handle handle, struct hf_status *status)
{
    *status = (struct hf_status){.struct_size = sizeof *status};
    host_now(host);
    int error = hf_status(host->stack, &host->env, handle, status);
    return error < 0 ? host_core_fail(host, error, "status") : 0;
}

/* Why a connection that is gone ended: 0, or a negative errno with the sentence. */
static int ending(struct hf_host *host, hf_handle handle)
{
    struct hf_close_reason reason = {0};
    int error = hf_close_reason(host->stack, handle, &reason);
    if (error == 0) {
        error = reason.error;
    }
    if (error == 0) {
        return 0;
    }
    const char *why = reason.text[0] != 0 ? reason.text : hf_error_text(error);
    return host_fail(host, -hf_errno(error), "%s", why);
}

/* Opening ------------------------------------------------------------------------------------- */

/* Nobody sends while this waits: a SYN that was to wait for text goes without. */
static void send_deferred(struct hf_host *host, hf_handle handle)
{
    int64_t how = HF_FAST_OPEN_OFF;
    (void)hf_option(host->stack, handle, HF_FAST_OPEN, &how);
    if (how == HF_FAST_OPEN_DEFER) {
        (void)hf_set_option(host->stack, &host->env, handle, HF_FAST_OPEN, HF_FAST_OPEN_ON);
    }
}

static int wait_open(struct hf_host *host, hf_handle handle, struct patience *patience)
{
    for (;;) {
        struct hf_status status;
        int err = status_of(host, handle, &status);
        if (err < 0) {
            return err;
        }
        if (status.state == HF_CLOSED) {
            err = ending(host, handle);
            return err == 0 ? host_fail(host, -ECONNABORTED, "closed while opening") : err;
        }
        if (status.state != HF_SYN_SENT && status.state != HF_SYN_RECEIVED) {
            return 0;
        }
        send_deferred(host, handle);
        err = turn(host, patience);
        if (err < 0) {
            return err;
        }
    }
}

/* Which of the arguments hf_open refused. */
static int explain_open(struct hf_host *host, int error, const struct hf_endpoint *local,
                        const struct hf_endpoint *remote)
{
    char text[HF_ENDPOINT_TEXT], from[HF_ENDPOINT_TEXT];
    (void)hf_endpoint_text(remote, text);
    if (error == HF_ERR_NO_ADDRESS && local != NULL) {
        (void)hf_endpoint_text(local, from);
        *strrchr(from, ':') = 0; /* whatever the port */
        return host_core_fail(host, error, from);
    }
    if (error != HF_ERR_INVALID) {
        return host_core_fail(host, error, text);
    }
    if (remote->port == 0) {
        return host_fail(host, -EINVAL, "%s: there is no port 0", text);
    }
    if (local != NULL && host_is_v4(local->ip) != host_is_v4(remote->ip)) {
        return host_fail(host, -EINVAL, "from %s to %s: two versions of IP",
                         hf_endpoint_text(local, from), text);
    }
    return host_fail(host, -EINVAL,
                     "%s: not the address of one host (unspecified, multicast or broadcast)", text);
}

static int open_one(struct hf_host *host, const struct hf_endpoint *local,
                    const struct hf_endpoint *remote, struct patience *patience, hf_handle *handle)
{
    *handle = 0;
    host_now(host);
    int error = hf_open(host->stack, &host->env, local, remote, 0, handle);
    if (error < 0) {
        return explain_open(host, error, local, remote);
    }
    int err = host_apply_settings(host, *handle);
    if (err == 0) {
        err = wait_open(host, *handle, patience);
    }
    if (err == -EAGAIN) {
        char text[HF_ENDPOINT_TEXT];
        err = host_fail(host, -ETIMEDOUT, "%s: no answer in the time given",
                        hf_endpoint_text(remote, text));
    }
    if (err < 0) { /* the sentence of the failure stays */
        (void)hf_release(host->stack, &host->env, *handle);
        hf_host_flush(host);
        *handle = 0;
    }
    return err;
}

int hf_host_open(struct hf_host *host, const struct hf_endpoint *local,
                 const struct hf_endpoint *remote, int timeout_ms, hf_handle *handle)
{
    struct patience patience = patience_of(host, timeout_ms);
    return open_one(host, local, remote, &patience, handle);
}

int hf_host_wait_open(struct hf_host *host, hf_handle handle, int timeout_ms)
{
    struct patience patience = patience_of(host, timeout_ms);
    return wait_open(host, handle, &patience);
}

int hf_host_connect(struct hf_host *host, const char *name, const char *port, int timeout_ms,
                    hf_handle *handle)
{
    struct hf_endpoint remotes[MAX_NAMES];
    *handle = 0;
    int n = hf_host_resolve(host, name, port, 0, remotes, MAX_NAMES);
    struct patience patience = patience_of(host, timeout_ms);
    int err = n < 0 ? n : -EHOSTUNREACH;
    for (int i = 0; i < n; i++) {
        err = open_one(host, NULL, &remotes[i], &patience, handle);
        if (err == 0 || err == -EINTR) {
            break;
        }
    }
    return err;
}

/* The any address of IPv4 alone. */
static bool any_v4(const uint8_t ip[16])
{
    static const uint8_t any[16] = {[10] = 0xff, [11] = 0xff};
    return memcmp(ip, any, sizeof any) == 0;
}

static int explain_listen(struct hf_host *host, int error, const struct hf_endpoint *local)
{
    char text[HF_ENDPOINT_TEXT];
    (void)hf_endpoint_text(local, text);
    if (error == HF_ERR_INVALID && local->port == 0) {
        return host_fail(host, -EINVAL, "%s: there is no port 0", text);
    }
    return host_core_fail(host, error, text);
}

int hf_host_listen(struct hf_host *host, const char *address, const char *port, int backlog,
                   hf_handle *listener)
{
    struct hf_listen listen = {.struct_size = sizeof listen};
    *listener = 0;
    int err = hf_host_resolve(host, address, port, 0, &listen.local, 1);
    if (err < 0) {
        return err;
    }
    if (any_v4(listen.local.ip)) {
        memset(listen.local.ip, 0, sizeof listen.local.ip);
        listen.version = 4;
    }
    listen.backlog = (uint16_t)(backlog < 1 ? 1 : backlog > UINT16_MAX ? UINT16_MAX : backlog);
    host_now(host);
    int error = hf_listen(host->stack, &host->env, &listen, listener);
    if (error < 0) {
        return explain_listen(host, error, &listen.local);
    }
    err = host_apply_settings(host, *listener);
    if (err < 0) {
        (void)hf_release(host->stack, &host->env, *listener);
        *listener = 0;
    }
    return err;
}

int hf_host_accept(struct hf_host *host, hf_handle listener, int timeout_ms, hf_handle *handle,
                   struct hf_endpoint *peer)
{
    struct patience patience = patience_of(host, timeout_ms);
    *handle = 0;
    for (;;) {
        host_now(host);
        int error = hf_accept(host->stack, &host->env, listener, handle, peer);
        if (error == 0) {
            return 0;
        }
        if (error != HF_ERR_WOULD_BLOCK) {
            return host_core_fail(host, error, "accept");
        }
        int err = turn(host, &patience);
        if (err < 0) {
            return err;
        }
    }
}

/* Data ---------------------------------------------------------------------------------------- */

static ssize_t send_some(struct hf_host *host, hf_handle handle, const void *data, size_t len,
                         struct patience *patience)
{
    for (;;) {
        host_now(host);
        int64_t n = hf_send(host->stack, &host->env, handle, data, len, 0);
        if (n >= 0) {
            hf_host_flush(host);
            return (ssize_t)n;
        }
        if (n != HF_ERR_WOULD_BLOCK) {
            return host_core_fail(host, (int)n, "send");
        }
        int err = turn(host, patience);
        if (err < 0) {
            return err;
        }
    }
}

ssize_t hf_host_send_some(struct hf_host *host, hf_handle handle, const void *data, size_t len,
                          int timeout_ms)
{
    struct patience patience = patience_of(host, timeout_ms);
    return send_some(host, handle, data, len, &patience);
}

int hf_host_send(struct hf_host *host, hf_handle handle, const void *data, size_t len,
                 int timeout_ms)
{
    struct patience patience = patience_of(host, timeout_ms);
    const uint8_t *at = data;
    for (;;) { /* once at least: also for nothing the handle may be stale, or closed */
        ssize_t n = send_some(host, handle, at, len, &patience);
        if (n < 0) {
            return (int)n;
        }
        len -= (size_t)n;
        if (len == 0) {
            return 0;
        }
        at += n;
    }
}

ssize_t hf_host_recv(struct hf_host *host, hf_handle handle, void *data, size_t len, int timeout_ms)
{
    struct patience patience = patience_of(host, timeout_ms);
    for (;;) {
        host_now(host);
        int64_t n = hf_recv(host->stack, &host->env, handle, data, len);
        if (n >= 0) {
            hf_host_flush(host); /* the window may have opened */
            return (ssize_t)n;
        }
        if (n != HF_ERR_WOULD_BLOCK) {
            return host_core_fail(host, (int)n, "receive");
        }
        int err = turn(host, &patience);
        if (err < 0) {
            return err;
        }
    }
}

/* Closing ------------------------------------------------------------------------------------- */

static int sent_at_once(struct hf_host *host, int error, const char *what)
{
    hf_host_flush(host);
    return error < 0 ? host_core_fail(host, error, what) : 0;
}

int hf_host_close(struct hf_host *host, hf_handle handle)
{
    host_now(host);
    return sent_at_once(host, hf_close(host->stack, &host->env, handle), "close");
}

int hf_host_abort(struct hf_host *host, hf_handle handle)
{
    host_now(host);
    return sent_at_once(host, hf_abort(host->stack, &host->env, handle), "abort");
}

int hf_host_release(struct hf_host *host, hf_handle handle)
{
    host_now(host);
    return sent_at_once(host, hf_release(host->stack, &host->env, handle), "release");
}

int hf_host_wait_closed(struct hf_host *host, hf_handle handle, bool time_wait, int timeout_ms)
{
    struct patience patience = patience_of(host, timeout_ms);
    for (;;) {
        struct hf_status status;
        int err = status_of(host, handle, &status);
        if (err < 0) {
            return err;
        }
        if (status.state == HF_CLOSED) {
            return ending(host, handle);
        }
        if (status.state == HF_TIME_WAIT && !time_wait) {
            return 0;
        }
        err = turn(host, &patience);
        if (err < 0) {
            return err;
        }
    }
}
