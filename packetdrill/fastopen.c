/* fastopen.c - TCP Fast Open (RFC 7413) as sockets have it: TCP_FASTOPEN, TCP_FASTOPEN_KEY and the
 * sysctls tcp_fastopen, tcp_fastopen_key.
 */
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
