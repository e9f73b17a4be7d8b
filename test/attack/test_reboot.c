/* RFC 9293 3.5.1, Figures 9 and 10, between two stacks: one loses its memory, and its new SYN meets
 * the old connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/net.h"

#define TEST(name) static void name(void **state)

enum { CLIENT, SERVER, PORT = 80, LOCAL = 4000, TEXT = 5000, RTO_MS = 1000, SOME_RTT_MS = 200 };

struct fate {
    int packet, lost; /* how many there were; which one is lost */
};

static bool lose_one(struct net *net, int from, const struct segment *seg)
{
    (void)from, (void)seg;
    struct fate *fate = net->arg;
    return fate->packet++ == fate->lost;
}

static bool server_has_text(struct net *net)
{
    const struct net_flow *flow = net->side[SERVER].flow;
    return flow[0].received == TEXT || flow[1].received == TEXT;
}

static bool never(struct net *net)
{
    (void)net;
    return false;
}

/* The client's stack begins anew, with other secrets. */
static void reboot(struct net *net, uint8_t seed)
{
    struct net_stack *s = &net->side[CLIENT].s;
    struct hf_config config;
    hf_config_default(&config, 8);
    memset(config.seed, seed, sizeof config.seed);
    s->env.now_ns = net->now_ns;
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = 1500};
    assert_int_equal(hf_init(s->stack, s->bytes, &config, &s->env), HF_OK);
    assert_int_equal(hf_interface_add(s->stack, &s->env, &iface), 1);
    assert_int_equal(hf_address_add(s->stack, &s->env, 1, s->ip, net->v6 ? 64 : 24), HF_OK);
    struct judge *judge = &net->side[CLIENT].judge;
    judge_end(judge);
    judge_begin(judge, &config.policy, 2 * NET_FLOWS);
    judge->stack = s->stack;
    memset(net->side[CLIENT].flow, 0, sizeof net->side[CLIENT].flow);
}

static void reboots(uint8_t seed, int lost)
{
    struct net *net = net_new(seed % 2, NULL, 0);
    struct fate fate = {.lost = lost};
    net->side[SERVER].keep = true;
    net_listen(net, SERVER, PORT, 8);
    net_open(net, CLIENT, LOCAL, PORT, TEXT)->keep = true;
    assert_true(net_run(net, 10000, server_has_text));
    net_run(net, 1000, never);
    struct net_flow *old = &net->side[SERVER].flow[0];
    old->received = 0;
    reboot(net, seed);
    net->arg = &fate;
    net->lose = lose_one;
    int64_t begin = net->now_ns;
    net_open(net, CLIENT, LOCAL, PORT, TEXT)->keep = true;
    if (!net_run(net, 60000, server_has_text))
        fail_msg("seed %u, packet %d lost: no new connection (%s)", seed, lost, net->what);
    int64_t took = (net->now_ns - begin) / 1000000;
    if (took > 2 * RTO_MS + SOME_RTT_MS || (lost < 0 && took > SOME_RTT_MS))
        fail_msg("seed %u, packet %d lost: it took %lld ms", seed, lost, (long long)took);
    assert_true(old->closed);
    assert_int_equal(old->error, HF_ERR_RESET);
    net_free(net);
}

/* BL-13: the SYN, the challenge ACK, the reset, the SYN again, the SYN,ACK, the ACK. */
TEST(after_a_reboot_the_next_syn_opens_whichever_packet_is_lost)
{
    (void)state;
    for (uint8_t seed = 3; seed < 11; seed++)
        for (int lost = -1; lost < 7; lost++)
            reboots(seed, lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_reboot_the_next_syn_opens_whichever_packet_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
