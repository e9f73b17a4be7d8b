/* state.c - RFC 9293 section 3.3.2, Figure 5: the one writer of `state`.
 *
 * Any state may become CLOSED: by ABORT, a reset, a timeout.  The rest is the figure, with the
 * passive open's LISTEN only where a SYN is held (a listener itself never leaves LISTEN), and
 * SYN-RECEIVED -> CLOSE-WAIT by way of ESTABLISHED.
 */
#include "tcp/tcp.h"

#define TO(state) (1u << (state))

static const uint16_t figure5[HF_STATES] = {
    [HF_CLOSED] = TO(HF_LISTEN) | TO(HF_SYN_SENT) | TO(HF_SYN_RECEIVED) | TO(HF_TIME_WAIT),
    [HF_LISTEN] = TO(HF_SYN_RECEIVED),
    [HF_SYN_SENT] = TO(HF_SYN_RECEIVED) | TO(HF_ESTABLISHED),
    [HF_SYN_RECEIVED] = TO(HF_ESTABLISHED) | TO(HF_FIN_WAIT_1),
    [HF_ESTABLISHED] = TO(HF_FIN_WAIT_1) | TO(HF_CLOSE_WAIT),
    [HF_FIN_WAIT_1] = TO(HF_FIN_WAIT_2) | TO(HF_CLOSING) | TO(HF_TIME_WAIT),
    [HF_FIN_WAIT_2] = TO(HF_TIME_WAIT),
    [HF_CLOSE_WAIT] = TO(HF_LAST_ACK),
    [HF_CLOSING] = TO(HF_TIME_WAIT),
};

void tcp_set_state(struct tcb *tcb, enum hf_state state)
{
    bool drawn = state == HF_CLOSED || (figure5[tcb->state] & TO(state)) != 0;
    HF_ASSERT(drawn);
    tcb->state = (uint8_t)state;
}
