/* events.c - hf_events: connections, listeners and UDP sockets take turns. */
#include "stack/stack.h"

enum { TURNS = 3 };

static struct links udp_links(const struct stack *st)
{
    return pool_links(&st->s->udps, st->s, offsetof(struct stack_udp, event_link));
}

void stack_udp_event(struct stack *st, uint32_t udp, uint16_t bits)
{
    struct stack_udp *u = stack_udp_at(st, udp);
    if (u->events == 0 && bits != 0) {
        struct links links = udp_links(st);
        idlist_push_tail(&st->s->ready_udp, &links, udp);
    }
    u->events |= bits;
}

static bool next_connection(struct stack *st, struct hf_event *event)
{
    uint32_t bits = 0;
    int32_t error = 0;
    uint32_t idx = tcp_next_event(&st->tcp, &bits, &error);
    if (idx == 0) {
        return false;
    }
    const struct tcb *tcb = tcb_at(&st->tcp, idx);
    *event = (struct hf_event){tcp_handle(&st->tcp, tcb), tcb->cookie, bits, error};
    return true;
}

static bool next_listener(struct stack *st, struct hf_event *event)
{
    uint32_t bits = 0;
    uint32_t idx = tcp_next_listener_event(&st->tcp, &bits);
    if (idx == 0) {
        return false;
    }
    const struct listener *listener = listener_at(&st->tcp, idx);
    *event = (struct hf_event){HANDLE_OF(HANDLE_LISTENER, listener->generation, idx),
                               listener->cookie, bits, HF_OK};
    return true;
}

/* Of what was to be told, what is still so. */
static uint32_t true_now(const struct stack_udp *u)
{
    uint32_t bits = u->events;
    bits &= ififo_empty(&u->queue) ? ~(uint32_t)HF_READABLE : UINT32_MAX;
    bits &= u->icmp_note == 0 ? ~(uint32_t)HF_ERROR_REPORT : UINT32_MAX;
    return bits;
}

static bool next_udp(struct stack *st, struct hf_event *event)
{
    struct links links = udp_links(st);
    uint32_t idx;
    while ((idx = idlist_pop_head(&st->s->ready_udp, &links)) != 0) {
        struct stack_udp *u = stack_udp_at(st, idx);
        uint32_t bits = true_now(u);
        u->events = 0;
        if (bits != 0) {
            *event = (struct hf_event){stack_udp_handle(st, idx), u->cookie, bits, HF_OK};
            return true;
        }
    }
    return false;
}

static bool next_of(struct stack *st, uint32_t turn, struct hf_event *event)
{
    switch (turn) {
    case 0:
        return next_connection(st, event);
    case 1:
        return next_listener(st, event);
    default:
        return next_udp(st, event);
    }
}

static bool nothing_to_tell(const struct hf_stack *s)
{
    const struct tcp_block *b = &s->tcp;
    uint32_t first = b->ready.head | b->ready_listeners.head | s->ready_udp.head;
    for (uint32_t i = 0; i < STARVED_LISTS; i++) {
        first |= b->starved[i].head;
    }
    return first == 0;
}

HF_APART static uint32_t tell(struct hf_stack *stack, const struct hf_env *env,
                              struct hf_event *events, uint32_t n)
{
    struct stack st;
    if (stack_enter(&st, stack, env) != HF_OK) {
        return 0;
    }
    uint32_t count = 0;
    for (uint32_t idle = 0; count < n && idle < TURNS;) {
        if (next_of(&st, stack->event_turn, &events[count])) {
            count++;
            idle = 0;
        } else {
            idle++;
        }
        stack->event_turn = stack->event_turn + 1 < TURNS ? stack->event_turn + 1 : 0;
        if (nothing_to_tell(stack)) {
            break;
        }
    }
    stack_leave(&st);
    return count;
}

uint32_t hf_events(struct hf_stack *stack, const struct hf_env *env, struct hf_event *events,
                   uint32_t n)
{
    return stack == NULL || nothing_to_tell(stack) ? 0 : tell(stack, env, events, n);
}
