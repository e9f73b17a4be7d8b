/* api_status.c - RFC 9293 section 3.9.1.6, STATUS; options; ICMP errors kept for their reader. */
#include "stack/stack.h"
#include "tcp/ecn.h"

static void listener_status(const struct stack *st, uint32_t idx, struct hf_status *status)
{
    const struct listener *listener = listener_at(&st->tcp, idx);
    status->state = HF_LISTEN;
    status->passive = 1;
    status->local.port = listener->port_first;
    status->local.iface = listener->zone;
    status->waiting = listener->accept_n;
    memcpy(status->local.ip, listener->local, 16);
}

int hf_status(const struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
              struct hf_status *status)
{
    struct stack st;
    stack_look(&st, stack, env);
    struct hf_status all = {.struct_size = sizeof all};
    struct stack_named named = stack_named(&st, handle);
    if (named.tcb != NULL) {
        tcp_status(&st.tcp, named.tcb, &all);
        all.local.iface = stack_scope(all.local.ip, all.local.iface);
        all.remote.iface = stack_scope(all.remote.ip, all.remote.iface);
    } else if (named.listener != 0) {
        listener_status(&st, named.listener, &all);
    } else {
        return named.udp != 0 ? HF_ERR_UNSUPPORTED : HF_ERR_STALE_HANDLE;
    }
    all.struct_size = status->struct_size;
    memcpy(status, &all, min_u64(status->struct_size, sizeof all));
    return HF_OK;
}

/* What a listener's connections will begin with. */

static bool between(int64_t low, int64_t value, int64_t high)
{
    return low <= value && value <= high;
}

static int set_listener_number(struct tcp *tcp, struct listener *l, enum hf_option option,
                               int64_t value)
{
    const struct hf_policy *policy = &tcp->b->policy;
    switch (option) {
    case HF_RECEIVE_WINDOW:
        if (!between(1, value, policy->max_receive_window)) {
            return HF_ERR_INVALID;
        }
        l->rcv_promised = tcp_first_window(l);
        l->rcv_buf = (uint32_t)value;
        l->inherit_modes |= M_RCV_FIXED;
        return HF_OK;
    case HF_SEND_BUFFER:
        if (!between(1, value, 1 << 30)) {
            return HF_ERR_INVALID;
        }
        l->snd_buf = (uint32_t)value;
        l->inherit_modes |= M_SND_FIXED;
        tcp_fit_low_water(tcp, l->extra, l->snd_buf);
        return HF_OK;
    case HF_MAX_SEGMENT:
        if (value != 0 && !between(policy->min_mss, value, UINT16_MAX)) {
            return HF_ERR_INVALID;
        }
        l->max_segment = (uint16_t)value;
        return HF_OK;
    case HF_FAST_OPEN:
        if (!between(0, value, UINT16_MAX)) {
            return HF_ERR_INVALID;
        }
        if (value != 0 && !(policy->fast_open & HF_FAST_OPEN_SERVER)) {
            return HF_ERR_UNSUPPORTED;
        }
        l->fast_open = (uint16_t)value;
        return HF_OK;
    case HF_TTL:
        if (!between(1, value, UINT8_MAX)) {
            return HF_ERR_INVALID;
        }
        l->ttl = (uint8_t)value;
        return HF_OK;
    case HF_TOS:
        if (!between(0, value, UINT8_MAX) || (value & 3) != 0) {
            return HF_ERR_INVALID;
        }
        l->tos = (uint8_t)value;
        return HF_OK;
    case HF_ECN:
        return tcp_set_ecn(&l->inherit_modes, value);
    case HF_ACCECN:
        return tcp_set_accecn(&l->inherit_modes, value);
    case HF_SYN_RETRIES:
        return HF_ERR_UNSUPPORTED; /* a listener sends no SYN of its own */
    default:
        return (unsigned)option < HF_OPTIONS
                   ? tcp_set_extra(tcp, &l->extra, l->snd_buf, option, value)
                   : HF_ERR_INVALID;
    }
}

/* Options that are a flag of the tcb; 0: it is none of these. */
static uint32_t flag_of(enum hf_option option)
{
    switch (option) {
    case HF_NODELAY:
        return F_NODELAY;
    case HF_QUICK_ACK:
        return F_QUICK_ACK;
    case HF_CORK:
        return F_CORK;
    default:
        return 0;
    }
}

static int set_listener_option(struct tcp *tcp, struct listener *l, enum hf_option option,
                               int64_t value)
{
    if (option == HF_KEEPALIVE || option == HF_MAY_FRAGMENT) {
        uint32_t mode = option == HF_KEEPALIVE ? M_KEEPALIVE : M_MAY_FRAGMENT;
        return tcp_set_mode(&l->inherit_modes, mode, value);
    }
    if (option == HF_ERROR_REPORTS) {
        return tcp_set_reports(&l->inherit_modes, value);
    }
    uint32_t flag = flag_of(option);
    if (option == HF_CONGESTION_CONTROL) {
        return tcp_set_congestion(&l->inherit_modes, value);
    }
    if (flag == 0) {
        return set_listener_number(tcp, l, option, value);
    }
    if (!between(0, value, 1)) {
        return HF_ERR_INVALID;
    }
    l->inherit = value != 0 ? l->inherit | flag : l->inherit & ~flag;
    return HF_OK;
}

static int listener_option(const struct tcp *tcp, const struct listener *l, enum hf_option option,
                           int64_t *value)
{
    switch (option) {
    case HF_NODELAY:
    case HF_QUICK_ACK:
    case HF_CORK:
        *value = (l->inherit & flag_of(option)) != 0;
        return HF_OK;
    case HF_KEEPALIVE:
        *value = (l->inherit_modes & M_KEEPALIVE) != 0;
        return HF_OK;
    case HF_MAY_FRAGMENT:
        *value = (l->inherit_modes & M_MAY_FRAGMENT) != 0;
        return HF_OK;
    case HF_ERROR_REPORTS:
        *value = (l->inherit_modes & M_NO_REPORTS) == 0;
        return HF_OK;
    case HF_SYN_RETRIES:
        return HF_ERR_UNSUPPORTED;
    case HF_RECEIVE_WINDOW:
        *value = l->rcv_buf;
        return HF_OK;
    case HF_SEND_BUFFER:
        *value = l->snd_buf;
        return HF_OK;
    case HF_MAX_SEGMENT:
        *value = l->max_segment;
        return HF_OK;
    case HF_FAST_OPEN:
        *value = l->fast_open;
        return HF_OK;
    case HF_TTL:
        *value = l->ttl;
        return HF_OK;
    case HF_TOS:
        *value = l->tos;
        return HF_OK;
    case HF_ECN:
        *value = tcp_ecn_setting(l->inherit_modes);
        return HF_OK;
    case HF_ACCECN:
        *value = (l->inherit_modes & M_ACCECN) != 0;
        return HF_OK;
    case HF_CONGESTION_CONTROL:
        *value = CONGESTION_OF(l->inherit_modes);
        return HF_OK;
    default:
        return (unsigned)option < HF_OPTIONS ? tcp_extra_option(tcp, l->extra, option, value)
                                             : HF_ERR_INVALID;
    }
}

/* A UDP socket has a TTL and a TOS, no more. */
static int set_udp_option(struct stack_udp *u, enum hf_option option, int64_t value)
{
    if (option != HF_TTL && option != HF_TOS) {
        return (unsigned)option < HF_OPTIONS ? HF_ERR_UNSUPPORTED : HF_ERR_INVALID;
    }
    if (!between(option == HF_TTL ? 1 : 0, value, UINT8_MAX) ||
        (option == HF_TOS && (value & 3) != 0)) {
        return HF_ERR_INVALID;
    }
    *(option == HF_TTL ? &u->ttl : &u->tos) = (uint8_t)value;
    u->ttl_set |= option == HF_TTL;
    return HF_OK;
}

int hf_set_option(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                  enum hf_option option, int64_t value)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    struct stack_named named = stack_named(&st, handle);
    error = HF_ERR_STALE_HANDLE;
    if (named.tcb != NULL && !(named.tcb->flags & F_UNACCEPTED)) {
        error = tcp_set_option(&st.tcp, named.tcb, option, value);
    } else if (named.listener != 0) {
        error = set_listener_option(&st.tcp, listener_at(&st.tcp, named.listener), option, value);
    } else if (named.udp != 0) {
        error = set_udp_option(stack_udp_at(&st, named.udp), option, value);
    }
    stack_leave(&st);
    return error;
}

int hf_option(const struct hf_stack *stack, hf_handle handle, enum hf_option option, int64_t *value)
{
    struct stack st;
    stack_look(&st, stack, NULL);
    struct stack_named named = stack_named(&st, handle);
    if (named.tcb != NULL) {
        return tcp_option(&st.tcp, named.tcb, option, value);
    }
    if (named.listener != 0) {
        return listener_option(&st.tcp, listener_at(&st.tcp, named.listener), option, value);
    }
    if (named.udp == 0) {
        return HF_ERR_STALE_HANDLE;
    }
    if (option != HF_TTL && option != HF_TOS) {
        return (unsigned)option < HF_OPTIONS ? HF_ERR_UNSUPPORTED : HF_ERR_INVALID;
    }
    const struct stack_udp *u = stack_udp_at(&st, named.udp);
    *value = option == HF_TTL ? u->ttl : u->tos;
    return HF_OK;
}

/* The note may have made room for that of another handle since. */
static int read_note(const struct stack *st, uint32_t n, hf_handle handle,
                     struct hf_icmp_report *report)
{
    if (n == 0 || n > st->s->max_notes || stack_note_at(st, n)->handle != handle) {
        return HF_ERR_WOULD_BLOCK;
    }
    *report = stack_note_at(st, n)->report;
    return HF_OK;
}

int hf_error_report(struct hf_stack *stack, hf_handle handle, struct hf_icmp_report *report)
{
    struct stack st;
    stack_look(&st, stack, NULL);
    const struct tcb *tcb = stack_tcb_of(&st, handle);
    uint32_t udp = stack_udp_of(&st, handle), n = 0;
    if (tcb == NULL && udp == 0 && stack_listener_of(&st, handle) == 0) {
        return HF_ERR_STALE_HANDLE;
    }
    stack_change(stack);
    if (tcb != NULL) {
        n = tally_of(&st.tcp, tcb)->icmp_note;
        tally_of(&st.tcp, tcb)->icmp_note = 0;
    } else if (udp != 0) {
        n = stack_udp_at(&st, udp)->icmp_note;
        stack_udp_at(&st, udp)->icmp_note = 0;
    }
    stack_change(stack);
    return read_note(&st, n, handle, report);
}
