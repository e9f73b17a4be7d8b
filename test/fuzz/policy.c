/* policy.c - policies other than the default, so that the same inputs go other ways. */
#include "bench.h"
#include "sim/dice.h"

void draw_policy(struct hf_policy *p, uint32_t number)
{
    struct dice dice = {dice_of(number, 0, 0)};
    bool *const flags[] = {
        &p->timestamps,
        &p->sack,
        &p->window_scale,
        &p->rack,
        &p->tlp,
        &p->frto,
        &p->rtt_per_ack,
        &p->undo,
        &p->abe,
        &p->slow_start_after_idle,
        &p->pacing,
        &p->fast_convergence,
        &p->tune_buffers,
        &p->cubic_strict,
        &p->syn_soft_abort,
        &p->icmp_hard_abort,
        &p->drop_synfin,
        &p->abort_on_overflow,
        &p->tw_ignore_rst,
        &p->tw_recycle,
        &p->tw_syn_ack,
        &p->ts_tolerate_missing,
        &p->rst_ts,
        &p->sack_keep_on_rto,
        &p->zwp_octet,
        &p->answer_echo,
        &p->answer_closed,
        &p->accecn,
    };
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        *flags[i] = dice_one_in(&dice, 2);
    }
    p->ecn = (uint8_t)dice_below(&dice, 3);
    p->congestion = (uint8_t)dice_below(&dice, HF_CONGESTIONS);
    p->hystart = (uint8_t)dice_below(&dice, 3);
    p->syn_cookies = (uint8_t)dice_below(&dice, 3);
    p->mtu_probing = (uint8_t)dice_below(&dice, 3);
    p->fast_open = (uint16_t)dice_below(&dice, 4);
    p->dupthresh = (uint8_t)dice_between(&dice, 2, 5);
    p->chunk_segments = (uint8_t)dice_below(&dice, 4);
    p->quick_acks = dice_one_in(&dice, 2) ? 16 : 0;
    p->initial_cwnd = dice_between(&dice, 1, 16);
}
