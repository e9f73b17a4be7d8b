/* socket.c - descriptors and the life of a socket: socket bind listen accept connect shutdown
 * close.
 *
 * The core keeps connections, this keeps what POSIX adds: a socket before it has one and after it
 * has lost it, the error that is told once, half-closes of the reading side, lingering.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "handfast/host.h"

/* Descriptors -----------------------------------------------------------------------------------*/

int fd_new(struct adapter *a, enum kind kind)
{
    for (int i = 0; i < FD_COUNT; i++) {
        if (a->entries[i] == NULL) {
            a->entries[i] = calloc(1, sizeof *a->entries[i]);
            if (a->entries[i] == NULL) {
                return -ENOMEM;
            }
            a->entries[i]->kind = kind;
            a->entries[i]->fd = FD_FIRST + i;
            return FD_FIRST + i;
        }
    }
    return -EMFILE;
}

struct entry *fd_entry(const struct adapter *a, int fd)
{
    return fd >= FD_FIRST && fd < FD_FIRST + FD_COUNT ? a->entries[fd - FD_FIRST] : NULL;
}

struct sock *fd_sock(const struct adapter *a, int fd)
{
    struct entry *e = fd_entry(a, fd);
    return e && e->kind == KIND_TCP ? &e->sock : NULL;
}

/* Addresses -------------------------------------------------------------------------------------*/

static void map_v4(const struct in_addr *v4, uint8_t ip[16])
{
    memset(ip, 0, 16);
    if (v4->s_addr != INADDR_ANY) {
        memset(ip + 10, 0xff, 2);
        memcpy(ip + 12, v4, 4);
    }
}

int address_get(const struct sock *s, const struct sockaddr *addr, socklen_t len,
                struct hf_endpoint *to)
{
    *to = (struct hf_endpoint){.port = 0};
    if (addr == NULL) {
        return -EFAULT;
    }
    if (s->domain == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof in);
        if (in.sin_family != AF_INET) {
            return -EAFNOSUPPORT;
        }
        map_v4(&in.sin_addr, to->ip);
        to->port = ntohs(in.sin_port);
        return 0;
    }
    if (s->domain == AF_INET6 && len >= sizeof(struct sockaddr_in6) - 4) {
        struct sockaddr_in6 in = {0};
        memcpy(&in, addr, len < sizeof in ? len : sizeof in);
        if (in.sin6_family != AF_INET6) {
            return -EAFNOSUPPORT;
        }
        memcpy(to->ip, &in.sin6_addr, 16);
        to->port = ntohs(in.sin6_port);
        return 0;
    }
    return -EINVAL;
}

void address_put(const struct sock *s, const struct hf_endpoint *from, struct sockaddr *addr,
                 socklen_t *len)
{
    if (addr == NULL || len == NULL) {
        return;
    }
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(from->port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(from->port)};
    memcpy(&four.sin_addr, from->ip + 12, 4);
    memcpy(&six.sin6_addr, from->ip, 16);
    bool v4 = s->domain == AF_INET;
    socklen_t whole = v4 ? sizeof four : sizeof six;
    memcpy(addr, v4 ? (const void *)&four : (const void *)&six, *len < whole ? *len : whole);
    *len = whole;
}

static bool is_any(const uint8_t ip[16])
{
    static const uint8_t any[16];
    return memcmp(ip, any, 16) == 0;
}

/* State -----------------------------------------------------------------------------------------*/

void socket_status(const struct adapter *a, const struct sock *s, struct hf_status *status)
{
    *status = (struct hf_status){.struct_size = sizeof *status};
    if (s->handle == 0 || hf_status(a->stack, &a->env, s->handle, status) != HF_OK) {
        status->state = HF_CLOSED;
    }
}

int socket_take_error(struct sock *s)
{
    int error = s->error;
    s->error = 0;
    return error;
}

/* Options that were set before there was a handle, on a new one. */
void socket_apply_options(struct adapter *a, struct sock *s)
{
    for (int i = 0; i < HF_OPTIONS; i++) {
        const struct kept_option *kept = &s->options.core[i];
        if (kept->set) {
            hf_set_option(a->stack, &a->env, s->handle, (enum hf_option)i, kept->value);
        }
    }
}

void socket_event(struct adapter *a, const struct hf_event *event)
{
    int fd = (int)event->cookie;
    struct sock *s = fd_sock(a, fd);
    if (s == NULL || s->handle != event->handle) {
        return;
    }
    uint32_t bits = event->bits;
    if (bits & HF_CONNECTED) {
        s->opened = true;
    }
    if (bits & HF_PEER_CLOSED) {
        s->peer_closed = true;
    }
    if (bits & HF_CLOSED_EVENT) {
        s->ended = true;
        s->error = event->error ? hf_errno(event->error) : 0;
        if (s->error == ECONNRESET && s->peer_closed) {
            s->error = EPIPE; /* the peer had closed: nobody is left to read */
        }
    }
    if (bits & HF_ERROR_REPORT) {
        struct hf_icmp_report report;
        hf_error_report(a->stack, s->handle, &report);
    }
    bool whole = bits & (HF_CONNECTED | HF_PEER_CLOSED | HF_CLOSED_EVENT);
    uint32_t edges = (bits & (HF_READABLE | HF_ACCEPTED) ? EPOLLIN | EPOLLRDNORM : 0u) |
                     (bits & HF_URGENT ? EPOLLPRI : 0u);
    if (whole) {
        epoll_edge(a, fd, 0);
    } else if (edges) {
        epoll_edge(a, fd, edges);
    }
}

void socket_look_for_room(struct adapter *a)
{
    for (int i = 0; i < FD_COUNT; i++) {
        struct entry *e = a->entries[i];
        if (e == NULL || e->kind != KIND_TCP) {
            continue;
        }
        if (zero_copy_look(a, &e->sock)) {
            epoll_edge(a, e->fd, EPOLLERR);
        }
        if (!e->sock.wants_room) {
            continue;
        }
        struct hf_status status;
        socket_status(a, &e->sock, &status);
        if (send_is_writable(a, &e->sock, &status)) {
            e->sock.wants_room = false;
            epoll_edge(a, e->fd, EPOLLOUT | EPOLLWRNORM);
        }
    }
}

/* socket, bind, listen --------------------------------------------------------------------------*/

int socket_new(struct adapter *a, int domain, int type, int protocol)
{
    int flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
    type &= ~flags;
    if (domain != AF_INET && domain != AF_INET6) {
        return -EAFNOSUPPORT;
    }
    if (type != SOCK_STREAM) {
        return type == SOCK_DGRAM || type == SOCK_RAW ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
    }
    if (protocol != 0 && protocol != IPPROTO_TCP) {
        return -EPROTONOSUPPORT;
    }
    network_refresh(a);
    int fd = fd_new(a, KIND_TCP);
    if (fd >= 0) {
        struct sock *s = fd_sock(a, fd);
        s->domain = domain;
        s->nonblocking = flags & SOCK_NONBLOCK;
        s->options.core[HF_SEND_BUFFER] = (struct kept_option){true, 1 << 30}; /* send.c counts */
        s->options.linger = -1;
        s->options.receive_low_water = 1;
        s->options.receive_timeout_ns = s->options.send_timeout_ns = NEVER;
        s->options.send_buffer = (int)a->sysctls.wmem_default;
        s->options.receive_buffer = (int)a->sysctls.rmem_default;
    }
    return fd;
}

int socket_bind(struct adapter *a, struct sock *s, const struct sockaddr *addr, socklen_t len)
{
    struct hf_endpoint local;
    int error = address_get(s, addr, len, &local);
    if (error) {
        return error;
    }
    if (s->bound || s->handle != 0) {
        return -EINVAL;
    }
    if (!is_any(local.ip)) {
        error = network_own(a, local.ip);
    }
    if (error == 0) {
        s->local = local;
        s->bound = true;
    }
    return error;
}

/* A port for a listener that has none. */
static void choose_port(const struct adapter *a, struct sock *s)
{
    if (s->local.port == 0) {
        s->local.port = (uint16_t)(40000 + a->round % 10000);
    }
}

int socket_listen(struct adapter *a, int fd, struct sock *s, int backlog)
{
    if (s->listening) {
        return 0; /* the backlog stays */
    }
    if (s->handle != 0) {
        return -EINVAL;
    }
    network_refresh(a);
    choose_port(a, s);
    bool any = is_any(s->local.ip);
    struct hf_listen listen = {
        .struct_size = sizeof listen,
        .local = s->local,
        .backlog = (uint16_t)(backlog < 0 || backlog > 4096 ? 4096 : backlog),
        .version = !any                   ? 0
                   : s->domain == AF_INET ? 4
                   : s->options.v6_only   ? 6
                                          : 0,
        .cookie = (uint64_t)fd,
    };
    int error = hf_listen(a->stack, &a->env, &listen, &s->handle);
    if (error) {
        s->handle = 0;
        return -hf_errno(error);
    }
    s->listening = true;
    socket_apply_options(a, s);
    fastopen_listens(a, s, backlog);
    return 0;
}

/* accept ----------------------------------------------------------------------------------------*/

static bool may_accept(struct adapter *a, void *arg)
{
    const struct sock *s = arg;
    struct hf_status status;
    socket_status(a, s, &status);
    return !s->listening || status.waiting != 0;
}

static int take_accepted(struct adapter *a, struct sock *s, struct sockaddr *addr, socklen_t *len)
{
    hf_handle handle;
    struct hf_endpoint peer;
    int error = hf_accept(a->stack, &a->env, s->handle, &handle, &peer);
    if (error) {
        return -hf_errno(error);
    }
    int fd = fd_new(a, KIND_TCP);
    if (fd < 0) {
        hf_abort(a->stack, &a->env, handle);
        hf_release(a->stack, &a->env, handle);
        return fd;
    }
    struct sock *accepted = fd_sock(a, fd);
    *accepted = (struct sock){.domain = s->domain, .bound = true, .opened = true};
    accepted->handle = handle;
    accepted->local = s->local;
    accepted->remote = peer;
    accepted->options = s->options;
    hf_set_cookie(a->stack, handle, (uint64_t)fd);
    address_put(accepted, &peer, addr, len);
    return fd;
}

int socket_accept(struct adapter *a, struct sock *s, struct sockaddr *addr, socklen_t *len)
{
    if (!s->listening) {
        return -EINVAL;
    }
    int64_t deadline = NEVER;
    if (s->nonblocking) {
        deadline = a->now_ns;
    } else if (s->options.receive_timeout_ns != NEVER) {
        deadline = a->now_ns + s->options.receive_timeout_ns;
    }
    if (!clock_wait(a, may_accept, s, deadline)) {
        return -EAGAIN;
    }
    return s->listening ? take_accepted(a, s, addr, len) : -EINVAL;
}

/* connect ---------------------------------------------------------------------------------------*/

static bool is_connected_or_ended(struct adapter *a, void *arg)
{
    const struct sock *s = arg;
    (void)a;
    return s->opened || s->ended || s->handle == 0;
}

/* The socket is as it was before connect: it may be tried again. */
static void disconnect(struct adapter *a, struct sock *s)
{
    if (s->handle != 0) {
        hf_release(a->stack, &a->env, s->handle);
    }
    s->handle = 0;
    s->connecting = s->deferred = s->opened = s->ended = s->peer_closed = false;
    s->shut_read = s->shut_write = s->listening = false;
    s->remote = (struct hf_endpoint){.port = 0};
}

/* AF_UNSPEC: whatever there is ends with a reset. */
static int connect_nowhere(struct adapter *a, struct sock *s)
{
    if (s->handle != 0 && !s->listening) {
        hf_abort(a->stack, &a->env, s->handle);
    }
    disconnect(a, s);
    s->error = 0;
    return 0;
}

int socket_begin_connect(struct adapter *a, int fd, struct sock *s,
                         const struct hf_endpoint *remote, int fast)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    network_refresh(a);
    struct hf_endpoint local = s->local;
    if (is_any(local.ip)) {
        bool v4 = memcmp(remote->ip, mapped, sizeof mapped) == 0;
        memcpy(local.ip, v4 ? a->local4 : a->local6, 16);
    }
    int error = network_own(a, local.ip);
    if (error) {
        return error;
    }
    error = hf_open(a->stack, &a->env, &local, remote, 0, &s->handle);
    if (error) {
        s->handle = 0;
        return -hf_errno(error);
    }
    s->connecting = true;
    s->ended = s->opened = false;
    s->remote = *remote;
    hf_set_cookie(a->stack, s->handle, (uint64_t)fd);
    socket_apply_options(a, s);
    if (fast != HF_FAST_OPEN_OFF) {
        hf_set_option(a->stack, &a->env, s->handle, HF_FAST_OPEN, fast);
    }
    s->deferred = fast == HF_FAST_OPEN_DEFER && hf_fast_open_room(a->stack, &a->env, s->handle) > 0;
    return 0;
}

/* What a connect that has begun comes to: once. */
static int connect_result(struct adapter *a, struct sock *s)
{
    if (s->opened) {
        s->connecting = false;
        return 0;
    }
    int error = socket_take_error(s);
    disconnect(a, s);
    return -(error ? error : ECONNABORTED);
}

int socket_end_connect(struct adapter *a, struct sock *s, int64_t deadline)
{
    if (!clock_wait(a, is_connected_or_ended, s, deadline)) {
        return -EINPROGRESS;
    }
    return connect_result(a, s);
}

int socket_connect(struct adapter *a, int fd, struct sock *s, const struct sockaddr *addr,
                   socklen_t len)
{
    if (addr == NULL) {
        return -EFAULT;
    }
    if (len >= sizeof(sa_family_t) && addr->sa_family == AF_UNSPEC) {
        return connect_nowhere(a, s);
    }
    struct hf_endpoint remote;
    int error = address_get(s, addr, len, &remote);
    if (error || s->listening) {
        return error ? error : -EISCONN;
    }
    if (s->connecting && (s->opened || s->ended)) {
        return connect_result(a, s);
    }
    if (s->connecting && s->nonblocking && !s->deferred) {
        return -EALREADY;
    }
    if (s->handle != 0 && (!s->connecting || s->deferred)) {
        return -EISCONN;
    }
    if (!s->connecting) {
        int fast = s->options.fastopen_connect ? HF_FAST_OPEN_DEFER : HF_FAST_OPEN_OFF;
        error = socket_begin_connect(a, fd, s, &remote, fast);
    }
    if (error || s->deferred) {
        return error;
    }
    int64_t timeout = s->options.send_timeout_ns;
    int64_t deadline = s->nonblocking ? a->now_ns : timeout == NEVER ? NEVER : a->now_ns + timeout;
    return socket_end_connect(a, s, deadline);
}

/* shutdown, close -------------------------------------------------------------------------------*/

int socket_shutdown(struct adapter *a, struct sock *s, int how)
{
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) {
        return -EINVAL;
    }
    if (s->listening) {
        if (how != SHUT_WR) {
            hf_close(a->stack, &a->env, s->handle);
            s->handle = 0;
            s->listening = false;
        }
        return 0;
    }
    if (s->handle == 0 || s->ended) {
        return -ENOTCONN;
    }
    if (s->connecting && !s->opened) {
        disconnect(a, s);
        return 0;
    }
    s->shut_read = s->shut_read || how != SHUT_WR;
    if (how != SHUT_RD && !s->shut_write) {
        s->shut_write = true;
        hf_close(a->stack, &a->env, s->handle);
    }
    return 0;
}

static bool all_is_acknowledged(struct adapter *a, void *arg)
{
    const struct sock *s = arg;
    struct hf_status status;
    socket_status(a, s, &status);
    return s->ended || status.state == HF_CLOSED || status.state == HF_FIN_WAIT_2 ||
           status.state == HF_TIME_WAIT;
}

static void close_socket(struct adapter *a, struct sock *s)
{
    if (s->handle == 0) {
        return;
    }
    if (s->listening) {
        hf_close(a->stack, &a->env, s->handle);
        return;
    }
    struct hf_status status;
    socket_status(a, s, &status);
    if (s->options.linger == 0 && !s->ended) {
        hf_abort(a->stack, &a->env, s->handle);
    } else if (s->options.linger > 0 && status.unread_bytes == 0 && !s->ended) {
        hf_close(a->stack, &a->env, s->handle);
        clock_wait(a, all_is_acknowledged, s, clock_after_ms(a, s->options.linger * 1000LL));
    }
    hf_release(a->stack, &a->env, s->handle);
}

int fd_close(struct adapter *a, int fd)
{
    struct entry *e = fd_entry(a, fd);
    if (e == NULL) {
        return -EBADF;
    }
    if (e->kind == KIND_EPOLL) {
        epoll_free(e->epoll);
    } else {
        epoll_forget(a, fd);
        close_socket(a, &e->sock);
    }
    a->entries[fd - FD_FIRST] = NULL;
    free(e);
    return 0;
}
