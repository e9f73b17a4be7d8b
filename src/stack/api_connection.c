/* api_connection.c - RFC 9293 section 3.9.1: the user calls on connections; tcp/ does the work. */
#include "stack/stack.h"

enum { PORT_TRIES = 32, BORROWED_MOST = 1 << 30 };
#define SEND_FLAGS ((uint32_t)(HF_SEND_URGENT | HF_SEND_MORE | HF_SEND_END))

/* Enters, and finds what the handle names; the application must have been given it. */
static int begin(struct stack *st, struct hf_stack *stack, const struct hf_env *env,
                 hf_handle handle, struct tcb **tcb)
{
    int error = stack_enter(st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    *tcb = stack_tcb_of(st, handle);
    if (*tcb == NULL || ((*tcb)->flags & F_UNACCEPTED)) {
        stack_leave(st);
        return HF_ERR_STALE_HANDLE;
    }
    return HF_OK;
}

/* RFC 9293 3.9.1.1 */

static int choose_path(struct stack *st, const struct hf_endpoint *local,
                       const struct hf_endpoint *remote, struct conn_id *id)
{
    bool chosen = local == NULL || stack_is_any(local->ip);
    uint32_t local_zone = local != NULL ? local->iface : 0;
    uint32_t zone = remote->iface != 0 ? remote->iface : local_zone;
    bool scoped = stack_is_link_local(remote->ip); /* else its zone is not looked at: RFC 4007 6 */
    bool differ = scoped && local_zone != 0 && local_zone != zone;
    if (remote->port == 0 || differ || zone > st->s->interfaces ||
        !stack_is_unicast(st, remote->ip)) {
        return HF_ERR_INVALID; /* MUST-46 */
    }
    struct stack_path path;
    int error = stack_route(st, remote->ip, scoped ? (uint8_t)zone : 0, &path);
    if (error != HF_OK) {
        return error;
    }
    *id = (struct conn_id){
        .lport = local != NULL ? local->port : 0,
        .rport = remote->port,
        .v4 = wire_is_v4(remote->ip),
        .mtu = (uint16_t)min_u32(path.mtu, UINT16_MAX),
    };
    memcpy(id->remote, remote->ip, 16);
    /* MUST-43, MUST-44 */
    memcpy(id->local, chosen ? path.src : local->ip, 16);
    id->zone = stack_zone(id->local, id->remote, path.iface);
    if (wire_is_v4(id->local) != id->v4) {
        return HF_ERR_INVALID;
    }
    return chosen ? HF_OK : stack_source_error(st, &path, id->local, local->iface);
}

/* A free port on which nobody listens, in a bounded number of tries.  RFC6056-2.  RFC6056-5 */
static bool choose_port(struct stack *st, struct conn_id *id)
{
    const struct hf_policy *policy = &block_of(st)->policy;
    uint32_t range = (uint32_t)policy->port_last - policy->port_first + 1;
    for (uint32_t tries = min_u32(range, PORT_TRIES); tries > 0; tries--) {
        if (tcp_choose_port(&st->tcp, id) == 0) {
            return false;
        }
        if (stack_find_listener(st, id, 0) == 0) {
            return true;
        }
    }
    return false;
}

static int open_active(struct stack *st, const struct hf_endpoint *local,
                       const struct hf_endpoint *remote, uint32_t timeout_ms, hf_handle *handle)
{
    struct conn_id id;
    int error = choose_path(st, local, remote, &id);
    if (error != HF_OK) {
        return error;
    }
    if (id.lport == 0 && !choose_port(st, &id)) {
        return HF_ERR_NO_PORTS;
    }
    tcp_hash(&st->tcp, &id);
    if (stack_find_connection(st, &id) != 0) {
        return HF_ERR_EXISTS;
    }
    uint32_t idx;
    error = tcp_open(&st->tcp, &id, timeout_ms, &idx);
    if (error == HF_OK) {
        *handle = tcp_handle(&st->tcp, tcb_at(&st->tcp, idx));
    }
    return error;
}

int hf_open(struct hf_stack *stack, const struct hf_env *env, const struct hf_endpoint *local,
            const struct hf_endpoint *remote, uint32_t timeout_ms, hf_handle *handle)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    error = HF_ERR_INVALID;
    if (remote != NULL && handle != NULL && timeout_ms <= INT32_MAX) {
        error = open_active(&st, local, remote, timeout_ms, handle);
    }
    stack_leave(&st);
    return error;
}

/* RFC 7413 */

int64_t hf_fast_open_room(struct hf_stack *stack, const struct hf_env *env, hf_handle handle)
{
    struct stack st;
    struct tcb *tcb;
    int64_t room = begin(&st, stack, env, handle, &tcb);
    if (room == HF_OK) {
        room = tcp_fast_open_room(&st.tcp, tcb);
        stack_leave(&st);
    }
    return room;
}

int hf_fast_open_forget(struct hf_stack *stack, const struct hf_env *env)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error == HF_OK) {
        tcp_fast_open_forget(&st.tcp);
        stack_leave(&st);
    }
    return error;
}

/* RFC 9293 3.9.1.2 */

int64_t hf_send(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                const void *data, uint64_t len, uint32_t flags)
{
    struct stack st;
    struct tcb *tcb;
    int64_t result = begin(&st, stack, env, handle, &tcb);
    if (result != HF_OK) {
        return result;
    }
    bool possible = (data != NULL || len == 0) && (flags & ~SEND_FLAGS) == 0;
    result = possible ? tcp_send(&st.tcp, tcb, data, len, flags) : HF_ERR_INVALID;
    stack_leave(&st);
    return result;
}

static int64_t send_borrowed(struct stack *st, struct tcb *tcb, uint32_t region, uint64_t offset,
                             uint32_t len, uint64_t token, uint32_t flags)
{
    if (len == 0 || (flags & ~SEND_FLAGS) != 0 || stack_region(st, region, offset, len) == NULL) {
        return HF_ERR_INVALID;
    }
    if (len > BORROWED_MOST) { /* numbers of what is queued must be less than 2^31 apart */
        return HF_ERR_TOO_LARGE;
    }
    return tcp_send_lent(&st->tcp, tcb, (uint16_t)region, offset, len, token, flags);
}

int64_t hf_send_borrowed(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                         uint32_t region, uint64_t offset, uint32_t len, uint64_t token,
                         uint32_t flags)
{
    struct stack st;
    struct tcb *tcb;
    int64_t result = begin(&st, stack, env, handle, &tcb);
    if (result == HF_OK) {
        result = send_borrowed(&st, tcb, region, offset, len, token, flags);
        stack_leave(&st);
    }
    return result;
}

/* RFC 9293 3.9.1.3 */

int64_t hf_recv(struct hf_stack *stack, const struct hf_env *env, hf_handle handle, void *data,
                uint64_t len)
{
    struct stack st;
    struct tcb *tcb;
    int64_t result = begin(&st, stack, env, handle, &tcb);
    if (result == HF_OK) {
        bool possible = data != NULL && len != 0;
        result = possible ? tcp_receive(&st.tcp, tcb, data, len) : HF_ERR_INVALID;
        stack_leave(&st);
    }
    return result;
}

int hf_recv_slices(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                   struct hf_slice *slices, uint32_t n)
{
    struct stack st;
    struct tcb *tcb;
    int result = begin(&st, stack, env, handle, &tcb);
    if (result == HF_OK) {
        bool possible = slices != NULL && n != 0 && n <= INT32_MAX;
        result = possible ? tcp_receive_slices(&st.tcp, tcb, slices, n) : HF_ERR_INVALID;
        stack_leave(&st);
    }
    return result;
}

int hf_recv_consume(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                    uint64_t len)
{
    struct stack st;
    struct tcb *tcb;
    int result = begin(&st, stack, env, handle, &tcb);
    if (result == HF_OK) {
        result = tcp_receive_consume(&st.tcp, tcb, len);
        stack_leave(&st);
    }
    return result;
}

/* RFC 9293 3.9.1.4, 3.9.1.5.  Listeners and UDP sockets have nothing to finish: they are gone. */

enum ending { END_CLOSE, END_ABORT, END_RELEASE };

static int end_connection(struct stack *st, struct tcb *tcb, enum ending ending)
{
    switch (ending) {
    case END_CLOSE:
        return tcp_close(&st->tcp, tcb);
    case END_ABORT:
        return tcp_abort(&st->tcp, tcb);
    default:
        tcp_release(&st->tcp, tcb);
        return HF_OK;
    }
}

static int end(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
               enum ending ending)
{
    static const enum hf_cause causes[] = {HF_CALL_CLOSE, HF_CALL_ABORT, HF_CALL_RELEASE};
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    struct stack_named named = stack_named(&st, handle);
    error = HF_ERR_STALE_HANDLE;
    if (named.tcb != NULL && !(named.tcb->flags & F_UNACCEPTED)) {
        error = end_connection(&st, named.tcb, ending);
    } else if (named.listener != 0) {
        stack_close_listening(&st, named.listener, causes[ending]);
        error = HF_OK;
    } else if (named.udp != 0) {
        stack_udp_close(&st, named.udp);
        error = HF_OK;
    }
    stack_leave(&st);
    return error;
}

int hf_close(struct hf_stack *stack, const struct hf_env *env, hf_handle handle)
{
    return end(stack, env, handle, END_CLOSE);
}

int hf_abort(struct hf_stack *stack, const struct hf_env *env, hf_handle handle)
{
    return end(stack, env, handle, END_ABORT);
}

int hf_release(struct hf_stack *stack, const struct hf_env *env, hf_handle handle)
{
    return end(stack, env, handle, END_RELEASE);
}
