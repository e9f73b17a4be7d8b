/* handle.c - handles: index and generation, so that a stale one is refused. */
#include "stack/stack.h"

static uint32_t kind_of(hf_handle handle)
{
    return (uint32_t)handle >> 30;
}

static uint32_t index_of(hf_handle handle)
{
    return (uint32_t)handle & 0x3fffffff;
}

static bool names(const struct pool *pool, hf_handle handle, uint32_t kind)
{
    return kind_of(handle) == kind && index_of(handle) >= 1 && index_of(handle) <= pool->top;
}

struct tcb *stack_tcb_of(const struct stack *st, hf_handle handle)
{
    if (!names(&st->s->tcp.tcbs, handle, HANDLE_TCB)) {
        return NULL;
    }
    struct tcb *tcb = tcb_at(&st->tcp, index_of(handle));
    return tcb->generation == handle >> 32 && !(tcb->flags & F_RELEASED) ? tcb : NULL;
}

uint32_t stack_listener_of(const struct stack *st, hf_handle handle)
{
    uint32_t idx = index_of(handle);
    bool live = names(&st->s->tcp.listeners, handle, HANDLE_LISTENER) && handle >> 32 & 1 &&
                listener_at(&st->tcp, idx)->generation == handle >> 32;
    return live ? idx : 0;
}

uint32_t stack_udp_of(const struct stack *st, hf_handle handle)
{
    uint32_t idx = index_of(handle);
    bool live = names(&st->s->udps, handle, HANDLE_UDP) && handle >> 32 & 1 &&
                stack_udp_at(st, idx)->generation == handle >> 32;
    return live ? idx : 0;
}

struct stack_named stack_named(const struct stack *st, hf_handle handle)
{
    return (struct stack_named){stack_tcb_of(st, handle), stack_listener_of(st, handle),
                                stack_udp_of(st, handle)};
}

hf_handle stack_udp_handle(const struct stack *st, uint32_t udp)
{
    return HANDLE_OF(HANDLE_UDP, stack_udp_at(st, udp)->generation, udp);
}

/* Where a handle's cookie is kept; NULL: stale. */
static uint64_t *cookie_of(const struct stack *st, hf_handle handle)
{
    struct stack_named named = stack_named(st, handle);
    if (named.tcb != NULL) {
        return &named.tcb->cookie;
    }
    if (named.listener != 0) {
        return &listener_at(&st->tcp, named.listener)->cookie;
    }
    return named.udp != 0 ? &stack_udp_at(st, named.udp)->cookie : NULL;
}

int hf_set_cookie(struct hf_stack *stack, hf_handle handle, uint64_t cookie)
{
    struct stack st;
    stack_look(&st, stack, NULL);
    uint64_t *kept = cookie_of(&st, handle);
    if (kept == NULL) {
        return HF_ERR_STALE_HANDLE;
    }
    stack_change(stack);
    *kept = cookie;
    stack_change(stack);
    return HF_OK;
}

int hf_cookie(const struct hf_stack *stack, hf_handle handle, uint64_t *cookie)
{
    struct stack st;
    stack_look(&st, stack, NULL);
    const uint64_t *kept = cookie_of(&st, handle);
    if (kept == NULL) {
        return HF_ERR_STALE_HANDLE;
    }
    *cookie = *kept;
    return HF_OK;
}
