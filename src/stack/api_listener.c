/* api_listener.c - RFC 9293 section 3.9.1.1, passive OPEN; accept; SYNs that wait for an answer. */
#include "stack/stack.h"
#include "tcp/ecn.h"

static bool listen_can_be(const struct stack *st, const struct hf_listen *wanted)
{
    const struct hf_endpoint *local = &wanted->local;
    bool any = stack_is_any(local->ip);
    uint8_t version = wire_is_v4(local->ip) ? 4 : 6;
    bool version_ok = wanted->version == 0 || wanted->version == 4 || wanted->version == 6;
    if (!any || version == 4) {
        version_ok = wanted->version == 0 || wanted->version == version;
    }
    return wanted->struct_size >= sizeof *wanted && version_ok && local->port != 0 &&
           (wanted->port_last == 0 || wanted->port_last >= local->port) &&
           local->iface <= st->s->interfaces;
}

static void tell(struct stack *st, uint32_t idx, enum hf_cause cause, enum hf_state before,
                 enum hf_state after)
{
    const struct listener *listener = listener_at(&st->tcp, idx);
    struct hf_trace record = {
        .kind = HF_TRACE_CALL,
        .cause = (uint8_t)cause,
        .state_before = (uint8_t)before,
        .state_after = (uint8_t)after,
        .handle = HANDLE_OF(HANDLE_LISTENER, listener->generation, idx),
        .local_port = listener->port_first,
        .marks = listener->version == 6 ? HF_MARK_IPV6 : 0,
    };
    memcpy(record.local_ip, listener->local, 16);
    tcp_trace_record(&st->tcp, &record);
}

static int begin_listening(struct stack *st, const struct hf_listen *listen, hf_handle *handle)
{
    const struct hf_policy *policy = &st->s->tcp.policy;
    const struct hf_endpoint *local = &listen->local;
    struct listener wanted = {
        .port_first = local->port,
        .port_last = listen->port_last != 0 ? listen->port_last : local->port,
        .any = stack_is_any(local->ip),
        .version = listen->version,
        .hold = listen->hold,
        .zone = (uint8_t)local->iface,
        .backlog = listen->backlog != 0 ? listen->backlog : 1,
        .cookie = listen->cookie,
        .rcv_buf = policy->receive_window,
        .snd_buf = policy->send_buffer,
        .inherit_modes = MODE_CONGESTION(policy->congestion) | tcp_ecn_settings(policy),
        .ttl = policy->ttl,
    };
    memcpy(wanted.local, local->ip, 16);
    if (!wanted.any || wire_is_v4(local->ip)) {
        wanted.version = wire_is_v4(local->ip) ? 4 : 6;
    }
    if (!wanted.any && !stack_is_own(st, local->ip, wanted.zone)) {
        return HF_ERR_NO_ADDRESS;
    }
    if (!stack_listener_fits(st, &wanted)) {
        return HF_ERR_EXISTS;
    }
    uint32_t idx = stack_listener_new(st, &wanted);
    if (idx == 0) {
        return HF_ERR_NO_RESOURCES;
    }
    *handle = HANDLE_OF(HANDLE_LISTENER, listener_at(&st->tcp, idx)->generation, idx);
    tell(st, idx, HF_CALL_OPEN_PASSIVE, HF_CLOSED, HF_LISTEN);
    return HF_OK;
}

int hf_listen(struct hf_stack *stack, const struct hf_env *env, const struct hf_listen *listen,
              hf_handle *handle)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    error = HF_ERR_INVALID;
    if (listen != NULL && handle != NULL && listen_can_be(&st, listen)) {
        error = begin_listening(&st, listen, handle);
    }
    stack_leave(&st);
    return error;
}

void stack_close_listening(struct stack *st, uint32_t idx, enum hf_cause cause)
{
    tell(st, idx, cause, HF_LISTEN, HF_CLOSED);
    stack_listener_close(st, idx);
}

int hf_fast_open_keys(struct hf_stack *stack, const struct hf_env *env, hf_handle listener,
                      const uint8_t primary[16], const uint8_t *backup)
{
    struct stack st;
    int error = primary != NULL ? stack_enter(&st, stack, env) : HF_ERR_INVALID;
    if (error != HF_OK) {
        return error;
    }
    uint32_t idx = listener != 0 ? stack_listener_of(&st, listener) : 0;
    if (listener == 0) {
        tcp_set_fast_keys(&secret_of(&st.tcp)->fast, primary, backup);
    } else if (idx != 0) {
        tcp_set_fast_keys(tcp_listener_fast_keys(&st.tcp, idx), primary, backup);
        listener_at(&st.tcp, idx)->own_fast_keys = true;
    } else {
        error = HF_ERR_STALE_HANDLE;
    }
    stack_leave(&st);
    return error;
}

/* Takes the oldest tcb out of one of a listener's queues; NULL: it is empty. */
static struct tcb *take(struct stack *st, struct idlist *queue)
{
    struct links links = pool_links(&st->s->tcp.tcbs, st->s, offsetof(struct tcb, event_link));
    uint32_t idx = idlist_pop_head(queue, &links);
    if (idx == 0) {
        return NULL;
    }
    struct tcb *tcb = tcb_at(&st->tcp, idx);
    tcb->flags &= ~(uint32_t)F_UNACCEPTED;
    tcb->listener =
        tcp_fast_open_pends(&st->tcp, tcb) ? tcp_fast_open_origin(&st->tcp, tcb->listener) : 0;
    tcp_event(&st->tcp, tcb, 0); /* what happened meanwhile can be told now */
    return tcb;
}

static void put_endpoints(const struct stack *st, const struct tcb *tcb, struct hf_endpoint *local,
                          struct hf_endpoint *peer)
{
    struct conn_id id;
    tcp_id(&st->tcp, tcb, &id);
    if (local != NULL) {
        *local = (struct hf_endpoint){.port = id.lport, .iface = stack_scope(id.local, id.zone)};
        memcpy(local->ip, id.local, 16);
    }
    if (peer != NULL) {
        *peer = (struct hf_endpoint){.port = id.rport, .iface = stack_scope(id.remote, id.zone)};
        memcpy(peer->ip, id.remote, 16);
    }
}

/* The oldest of a listener's queue: of those it may accept, or of the SYNs it holds. */
static int take_oldest(struct hf_stack *stack, const struct hf_env *env, hf_handle listener,
                       bool held, hf_handle *handle, struct hf_endpoint *local,
                       struct hf_endpoint *peer)
{
    struct stack st;
    int error = handle != NULL ? stack_enter(&st, stack, env) : HF_ERR_INVALID;
    if (error != HF_OK) {
        return error;
    }
    uint32_t idx = stack_listener_of(&st, listener);
    error = HF_ERR_STALE_HANDLE;
    if (idx != 0) {
        struct listener *l = listener_at(&st.tcp, idx);
        const struct tcb *tcb = take(&st, held ? &l->asked : &l->accept);
        error = HF_ERR_WOULD_BLOCK;
        if (tcb != NULL) {
            listener_lets_go(l, held);
            *handle = tcp_handle(&st.tcp, tcb);
            put_endpoints(&st, tcb, local, peer);
            error = HF_OK;
        }
    }
    stack_leave(&st);
    return error;
}

int hf_accept(struct hf_stack *stack, const struct hf_env *env, hf_handle listener,
              hf_handle *handle, struct hf_endpoint *peer)
{
    return take_oldest(stack, env, listener, false, handle, NULL, peer);
}

int hf_asked(struct hf_stack *stack, const struct hf_env *env, hf_handle listener,
             hf_handle *handle, struct hf_endpoint *local, struct hf_endpoint *peer)
{
    return take_oldest(stack, env, listener, true, handle, local, peer);
}

static int answer_held(struct stack *st, hf_handle handle, enum hf_answer answer)
{
    struct tcb *tcb = stack_tcb_of(st, handle);
    if (tcb == NULL || (tcb->flags & F_UNACCEPTED)) {
        return HF_ERR_STALE_HANDLE;
    }
    struct conn_id id;
    tcp_id(&st->tcp, tcb, &id);
    seq_t irs = tcb->irs;
    int error = tcp_answer(&st->tcp, tcb, answer);
    if (error != HF_OK || answer == HF_ANSWER_ACCEPT) {
        return error;
    }
    if (answer != HF_ANSWER_RESET) {
        stack_icmp_refuse(st, &id, irs, answer);
    }
    tcp_release(&st->tcp, tcb); /* the handle ends with it */
    return HF_OK;
}

int hf_answer(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
              enum hf_answer answer)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error == HF_OK) {
        bool known = (unsigned)answer <= HF_ANSWER_PROHIBITED;
        error = known ? answer_held(&st, handle, answer) : HF_ERR_INVALID;
        stack_leave(&st);
    }
    return error;
}
