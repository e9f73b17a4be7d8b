/* fastopen.c - TCP Fast Open (RFC 7413) as sockets have it: TCP_FASTOPEN, TCP_FASTOPEN_KEY and the
 * sysctls tcp_fastopen, tcp_fastopen_key; MSG_FASTOPEN and TCP_FASTOPEN_CONNECT.
 */
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "handfast/host.h"

enum { EVERY_LISTENER = 0x400 }; /* tcp_fastopen: without TCP_FASTOPEN too */
enum { KEY_BYTES = 16, MOST = 65535 };

static void set_keys(struct adapter *a, hf_handle listener, const uint8_t keys[2][KEY_BYTES], int n)
{
    hf_fast_open_keys(a->stack, &a->env, listener, keys[0], n > 1 ? keys[1] : NULL);
}

void fastopen_refresh(struct adapter *a)
{
    if (a->sysctls.fastopen_key_count) {
        set_keys(a, 0, a->sysctls.fastopen_keys, a->sysctls.fastopen_key_count);
    }
}

static void open_fast(struct adapter *a, const struct sock *s, int queue)
{
    hf_set_option(a->stack, &a->env, s->handle, HF_FAST_OPEN, queue < MOST ? queue : MOST);
}

void fastopen_listens(struct adapter *a, const struct sock *s, int backlog)
{
    int queue = s->options.fastopen_queue;
    if (queue == 0 && (a->sysctls.fastopen & EVERY_LISTENER)) {
        queue = backlog;
    }
    open_fast(a, s, queue);
    if (s->options.fastopen_key_count) {
        set_keys(a, s->handle, s->options.fastopen_keys, s->options.fastopen_key_count);
    }
}

int fastopen_set_queue(struct adapter *a, struct sock *s, int number)
{
    if (number < 0 || (s->handle != 0 && !s->listening)) {
        return -EINVAL;
    }
    s->options.fastopen_queue = number;
    if (s->listening) {
        open_fast(a, s, number);
    }
    return 0;
}

int fastopen_set_key(struct adapter *a, struct sock *s, const void *value, socklen_t len)
{
    if (len != KEY_BYTES && len != 2 * KEY_BYTES) {
        return -EINVAL;
    }
    s->options.fastopen_key_count = (int)len / KEY_BYTES;
    memcpy(s->options.fastopen_keys, value, len);
    if (s->listening) {
        set_keys(a, s->handle, s->options.fastopen_keys, s->options.fastopen_key_count);
    }
    return 0;
}

int fastopen_get_key(const struct adapter *a, const struct sock *s, void *value, socklen_t *len)
{
    bool own = s->options.fastopen_key_count != 0;
    int n = own ? s->options.fastopen_key_count : a->sysctls.fastopen_key_count;
    socklen_t whole = (socklen_t)(n * KEY_BYTES);
    *len = *len < whole ? *len : whole;
    memcpy(value, own ? s->options.fastopen_keys : a->sysctls.fastopen_keys, *len);
    return 0;
}

/* The client's side
 * ------------------------------------------------------------------------------*/

int fastopen_set_connect(struct adapter *a, struct sock *s, int number)
{
    network_refresh(a);
    if (number < 0 || number > 1) {
        return -EINVAL;
    }
    if (!(a->sysctls.fastopen & HF_FAST_OPEN_CLIENT)) {
        return -EOPNOTSUPP;
    }
    if (s->handle != 0) {
        return -EINVAL;
    }
    s->options.fastopen_connect = number;
    return 0;
}

static int begin(struct adapter *a, int fd, struct sock *s, const struct msghdr *msg)
{
    network_refresh(a);
    const struct sockaddr *to = msg->msg_name;
    bool nowhere = to && msg->msg_namelen >= sizeof to->sa_family && to->sa_family == AF_UNSPEC;
    if (!(a->sysctls.fastopen & HF_FAST_OPEN_CLIENT) || nowhere) {
        return -EOPNOTSUPP;
    }
    if (s->handle != 0) {
        return s->opened ? -EISCONN : -EALREADY;
    }
    struct hf_endpoint remote;
    int error = address_get(s, to, msg->msg_namelen, &remote);
    return error ? error : socket_begin_connect(a, fd, s, &remote, HF_FAST_OPEN_ON);
}

/* As much as the SYN can carry, and all of it when the call waits for the connection; the SYN goes
 * in any case. */
static size_t put_on_syn(struct adapter *a, struct sock *s, const struct msghdr *msg, size_t total,
                         bool waits)
{
    int64_t room = hf_fast_open_room(a->stack, &a->env, s->handle);
    room = room > 0 ? room : 0;
    size_t most = !waits && total > (size_t)room ? (size_t)room : total;
    uint8_t *text = malloc(most ? most : 1);
    size_t held = 0;
    for (size_t n = most; text && held < most; n = most - held) {
        const void *piece = send_piece(msg, held, &n);
        if (piece == NULL) {
            break;
        }
        memcpy(text + held, piece, n);
        held += n;
    }
    int64_t taken = held ? hf_send(a->stack, &a->env, s->handle, text, held, 0) : 0;
    size_t done = taken > 0 ? (size_t)taken : 0;
    free(text);
    hf_send(a->stack, &a->env, s->handle, "", 0, 0);
    hf_set_option(a->stack, &a->env, s->handle, HF_FAST_OPEN, HF_FAST_OPEN_ON);
    s->deferred = false;
    network_pump(a);
    return done;
}

ssize_t fastopen_send(struct adapter *a, int fd, struct sock *s, const struct msghdr *msg,
                      size_t total, int flags, int64_t deadline)
{
    if (s->connecting && s->opened) { /* its result was not told: this call goes on from there */
        s->connecting = false;
        return 0;
    }
    int error = s->deferred ? 0 : begin(a, fd, s, msg);
    (void)flags;
    if (error) {
        return error;
    }
    size_t done = put_on_syn(a, s, msg, total, deadline > a->now_ns);
    error = socket_end_connect(a, s, deadline);
    if (error == -EINPROGRESS && done) {
        return (ssize_t)done;
    }
    return error ? error : (ssize_t)done;
}
