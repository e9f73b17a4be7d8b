/* regions.c - memory lent to the stack: the block knows numbers, each call brings addresses. */
#include "stack/stack.h"

static uint8_t *registered(const struct stack *st, uint32_t region)
{
    return (uint8_t *)stack_at(st, st->s->region_offset) + (region - 1);
}

static bool in_env(const struct hf_env *env, uint32_t region)
{
    return region <= env->n_regions && env->regions != NULL &&
           env->regions[region - 1].base != NULL;
}

uint8_t *stack_region(const struct stack *st, uint32_t region, uint64_t offset, uint64_t len)
{
    if (region == 0 || region > st->s->max_regions || !*registered(st, region) ||
        !in_env(st->env, region)) {
        return NULL;
    }
    const struct hf_region *r = &st->env->regions[region - 1];
    return offset <= r->bytes && len <= r->bytes - offset ? r->base + offset : NULL;
}

int hf_region_add(struct hf_stack *stack, const struct hf_env *env, uint32_t region)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    if (region == 0 || region > stack->max_regions || !in_env(env, region)) {
        error = HF_ERR_INVALID;
    } else if (*registered(&st, region)) {
        error = HF_ERR_EXISTS;
    } else {
        *registered(&st, region) = 1;
    }
    stack_leave(&st);
    return error;
}

/* Regions come and go seldom, so nobody counts their parts: they are looked for. */
static bool is_held(const struct stack *st, uint32_t region)
{
    const struct pool *lents = &st->s->tcp.lents;
    for (uint32_t i = 1; i <= lents->top; i++) {
        const struct lent *lent = pool_at_const(lents, st->s, i);
        if (lent->region == region && lent->refs != 0) {
            return true;
        }
    }
    return false;
}

int hf_region_remove(struct hf_stack *stack, const struct hf_env *env, uint32_t region)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    if (region == 0 || region > stack->max_regions || !*registered(&st, region)) {
        error = HF_ERR_INVALID;
    } else if (is_held(&st, region)) {
        error = HF_ERR_EXISTS;
    } else {
        *registered(&st, region) = 0;
    }
    stack_leave(&st);
    return error;
}

uint32_t hf_returned(struct hf_stack *stack, const struct hf_env *env, uint64_t *tokens, uint32_t n)
{
    struct stack st;
    if (stack_enter(&st, stack, env) != HF_OK) {
        return 0;
    }
    uint32_t returned = tcp_returned(&st.tcp, tokens, n);
    stack_leave(&st);
    return returned;
}

int hf_output_done(struct hf_stack *stack, const struct hf_env *env, uint64_t token)
{
    struct stack st;
    int error = stack_enter_block(&st, stack, env);
    if (error == HF_OK) {
        error = tcp_token_done(&st.tcp, token) ? HF_OK : HF_ERR_INVALID;
        stack_leave(&st);
    }
    return error;
}

int hf_output_forget(struct hf_stack *stack, const struct hf_env *env)
{
    struct stack st;
    int error = stack_enter_block(&st, stack, env);
    if (error == HF_OK) {
        tcp_forget_tokens(&st.tcp);
        stack_leave(&st);
    }
    return error;
}
