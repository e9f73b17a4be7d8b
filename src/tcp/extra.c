/* extra.c - RFC 9293 section 3.9.1: the options that few applications set.
 *
 * A connection or a listener has a record for them from the first that differs from its default
 * on; all others share one set of defaults, so that an idle connection does not pay for them.
 */
#include "tcp/ecn.h"

/* MUST-28: two hours at least before a keep-alive. */
static const struct extra defaults = {
    .snd_low = 1,
    .keep_idle_ms = 7200000,
    .keep_interval_ms = 75000,
    .keep_count = 9,
};

const struct extra *tcp_extra(const struct tcp *tcp, uint32_t idx)
{
    return idx ? pool_at_const(&tcp->b->extras, tcp->block, idx) : &defaults;
}

struct extra *tcp_own_extra(struct tcp *tcp, uint32_t *idx)
{
    if (*idx == 0) {
        *idx = pool_alloc(&tcp->b->extras, tcp->block);
        if (*idx == 0) {
            return NULL;
        }
        *(struct extra *)pool_at(&tcp->b->extras, tcp->block, *idx) = defaults;
    }
    return pool_at(&tcp->b->extras, tcp->block, *idx);
}

bool tcp_copy_extra(struct tcp *tcp, uint32_t from, uint32_t *to)
{
    if (from == 0) {
        return true;
    }
    struct extra *extra = tcp_own_extra(tcp, to);
    if (extra == NULL) {
        return false;
    }
    *extra = *tcp_extra(tcp, from);
    return true;
}

void tcp_drop_extra(struct tcp *tcp, uint32_t *idx)
{
    if (*idx) {
        tcp_ecn_detach(tcp, *idx);
        pool_free(&tcp->b->extras, tcp->block, *idx);
        *idx = 0;
    }
}

void tcp_fit_low_water(struct tcp *tcp, uint32_t idx, uint32_t snd_buf)
{
    if (idx) {
        struct extra *extra = pool_at(&tcp->b->extras, tcp->block, idx);
        extra->snd_low = min_u32(extra->snd_low, snd_buf);
    }
}

/* Where an option lies in a record, and its range; there it is `above` higher than outside. */
struct place {
    uint32_t *where; /* NULL: elsewhere */
    int64_t least, most;
    uint32_t above;
};

static struct place place_of(struct extra *extra, enum hf_option option, uint32_t snd_buf)
{
    switch (option) {
    case HF_USER_TIMEOUT:
        return (struct place){&extra->user_timeout_ms, 0, INT32_MAX, 0};
    case HF_SEND_LOW_WATER:
        return (struct place){&extra->snd_low, 1, snd_buf, 0};
    case HF_KEEPALIVE_IDLE:
        return (struct place){&extra->keep_idle_ms, 1, INT32_MAX, 0};
    case HF_KEEPALIVE_INTERVAL:
        return (struct place){&extra->keep_interval_ms, 1, INT32_MAX, 0};
    case HF_KEEPALIVE_COUNT:
        return (struct place){&extra->keep_count, 1, 127, 0};
    case HF_LINGER:
        return (struct place){&extra->linger, -1, INT32_MAX, 1};
    case HF_ADVERTISED_TIMEOUT:
        return (struct place){&extra->adv_timeout_ms, 0, INT32_MAX, 0};
    case HF_MAX_PACING_RATE:
        return (struct place){&extra->max_pacing_rate, 0, UINT32_MAX, 0};
    case HF_SYN_RETRIES:
        return (struct place){&extra->syn_retries, 0, 254, 0};
    default:
        return (struct place){NULL, 0, 0, 0};
    }
}

int tcp_set_extra(struct tcp *tcp, uint32_t *idx, uint32_t snd_buf, enum hf_option option,
                  int64_t value)
{
    struct extra now = *tcp_extra(tcp, *idx);
    struct place place = place_of(&now, option, snd_buf);
    if (place.where == NULL) {
        return HF_ERR_UNSUPPORTED;
    }
    if (value < place.least || value > place.most) {
        return HF_ERR_INVALID;
    }
    uint32_t number = (uint32_t)(value + place.above);
    uint32_t set = option == HF_USER_TIMEOUT ? number != 0 : now.timeout_set;
    if (*place.where == number && now.timeout_set == set) {
        return HF_OK;
    }
    *place.where = number;
    now.timeout_set = set;
    struct extra *extra = tcp_own_extra(tcp, idx);
    if (extra == NULL) {
        return HF_ERR_NO_RESOURCES;
    }
    *extra = now;
    return HF_OK;
}

int tcp_extra_option(const struct tcp *tcp, uint32_t idx, enum hf_option option, int64_t *value)
{
    struct extra now = *tcp_extra(tcp, idx);
    struct place place = place_of(&now, option, 0);
    if (place.where == NULL) {
        return HF_ERR_UNSUPPORTED;
    }
    *value = (int64_t)*place.where - place.above;
    return HF_OK;
}
