/* RFC 4987 section 3.6: a SYN cookie is the same whichever way it was made. */
#include "common/peer.h"

#include <string.h>

static struct seen *answer_to(struct peer *p, const struct seg_spec *syn)
{
    peer_sends(PEER_HERE(p), syn);
    struct seen *answer = peer_take(p, WIRE_PROTO_TCP);
    holds(answer != NULL);
    return answer;
}

/* A cookie is made in one way from the SYN alone, in another where a listener has options that few
 * have: nobody sees which. */
TEST(a_listener_with_rare_options_sends_the_same_cookies)
{
    static const struct seg_spec syns[] = {
        {.ctl = SYN, .seq = IRS, .mss = 1460, .sackok = true, .wscale = SHIFT(7), .tsval = 5},
        {.ctl = SYN, .seq = IRS, .mss = 1300, .wscale = SHIFT(15), .tsval = 6, .wnd = 1},
        {.ctl = SYN, .seq = IRS, .mss = 48, .sackok = true, .tsval = 7},
        {.ctl = SYN, .seq = IRS, .mss = 9000, .sackok = true, .wscale = SHIFT(9)},
        {.ctl = SYN, .seq = IRS, .mss = 536, .wscale = SHIFT(0)},
        {.ctl = SYN, .seq = IRS},
    };
    p->with = (struct seg_spec){.mss = 1460};
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    listens();
    for (size_t i = 0; i < sizeof syns / sizeof syns[0]; i++) {
        calls(hf_set_option(p->stack, &p->env, p->listener, HF_LINGER, -1));
        struct seen *plain = answer_to(p, &syns[i]);
        calls(hf_set_option(p->stack, &p->env, p->listener, HF_LINGER, 1000));
        struct seen *other = answer_to(p, &syns[i]);
        holds_equal(plain->len, other->len);
        holds(memcmp(plain->bytes, other->bytes, plain->len) == 0);
        peer_taken(p, plain);
        peer_taken(p, other);
        after(13);
    }
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.verdict[HF_V_COOKIE_SENT], 12);
    peer_forget(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_listener_with_rare_options_sends_the_same_cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
