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

/* RFC 7323 2.2: the shift is fixed when the SYN,ACK leaves, whatever policy says afterwards. */
TEST(a_cookie_keeps_the_window_scale_that_its_syn_ack_had)
{
    for (int i = 0; i < 2; i++) {
        uint32_t most[] = {15 << 20, 65535};
        on(i);
        if (i == 0) {
            p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
            listens();
        }
        after(120001); /* no other one is out */
        struct hf_policy policy = *hf_policy(p->stack);
        policy.max_receive_window = most[i];
        policy.receive_window = 65535;
        calls(hf_set_policy(p->stack, &p->env, &policy));
        sends(SYN, .seq = IRS, .mss = 1460, .wscale = SHIFT(7));
        expects(SYN | ACK, .seq = ISS, .wscale = SHIFT(i ? 0 : 8));
        policy.max_receive_window = most[!i];
        calls(hf_set_policy(p->stack, &p->env, &policy));
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
        accepts();
        holds_equal(status_of(rcv_wscale), i ? 0 : 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_cookie_keeps_the_window_scale_that_its_syn_ack_had),
        BOTH(a_listener_with_rare_options_sends_the_same_cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
