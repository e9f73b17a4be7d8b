/* extra.c - RFC 9293 section 3.9.1: the options that few applications set.
 *
 * A connection or a listener has a record for them from the first that differs from its default
 * on; all others share one set of defaults, so that an idle connection does not pay for them.
 */
#include "tcp/tcp.h"

static const struct extra defaults = {.snd_low = 1};

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
        pool_free(&tcp->b->extras, tcp->block, *idx);
        *idx = 0;
    }
}

/* Where the option lies in a record, and its range; NULL: elsewhere. */
static uint32_t *place_of(struct extra *extra, enum hf_option option, uint32_t snd_buf,
                          int64_t *least, int64_t *most)
{
    *least = 0;
    *most = INT32_MAX;
    switch (option) {
    case HF_USER_TIMEOUT:
        return &extra->user_timeout_ms;
    case HF_SEND_LOW_WATER:
        *least = 1;
        *most = snd_buf;
        return &extra->snd_low;
    default:
        return NULL;
    }
}

int tcp_set_extra(struct tcp *tcp, uint32_t *idx, uint32_t snd_buf, enum hf_option option,
                  int64_t value)
{
    struct extra now = *tcp_extra(tcp, *idx);
    int64_t least, most;
    uint32_t *where = place_of(&now, option, snd_buf, &least, &most);
    if (where == NULL) {
        return HF_ERR_UNSUPPORTED;
    }
    if (value < least || value > most) {
        return HF_ERR_INVALID;
    }
    if (*where == (uint32_t)value) {
        return HF_OK;
    }
    *where = (uint32_t)value;
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
    int64_t least, most;
    const uint32_t *where = place_of(&now, option, 0, &least, &most);
    if (where == NULL) {
        return HF_ERR_UNSUPPORTED;
    }
    *value = *where;
    return HF_OK;
}
