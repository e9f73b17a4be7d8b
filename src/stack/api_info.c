/* api_info.c - hf_info: what is measured of a connection; of a listener, its queue. */
#include "stack/stack.h"
#include "tcp/stats.h"

static void listener_info(const struct listener *listener, struct hf_info *info)
{
    *info = (struct hf_info){.state = HF_LISTEN};
    info->unacked = listener->accept_n;
    info->sacked = listener->backlog;
}

int hf_info(const struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
            struct hf_info *info)
{
    struct stack st;
    stack_look(&st, stack, env);
    struct hf_info all;
    const struct tcb *tcb = stack_tcb_of(&st, handle);
    uint32_t listener = stack_listener_of(&st, handle);
    if (tcb != NULL) {
        tcp_info(&st.tcp, tcb, &all);
    } else if (listener != 0) {
        listener_info(listener_at(&st.tcp, listener), &all);
    } else {
        return stack_udp_of(&st, handle) != 0 ? HF_ERR_UNSUPPORTED : HF_ERR_STALE_HANDLE;
    }
    all.struct_size = info->struct_size;
    memcpy(info, &all, min_u64(info->struct_size, sizeof all));
    return HF_OK;
}
