/* test_interfaces.c - interfaces, their addresses and the routes that come with them (RFC 1122
 * 3.2.1.3, RFC 3021, RFC 4291 2, RFC 8200 5): what there can be, and what goes with what is
 * removed.
 */
#include "common/packets.h"

#include <string.h>

#define V4_ADDRESS(a, b, c, d)                                                                     \
    {                                                                                              \
        [10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d                           \
    }

static int adds(struct peer *p, uint32_t iface, const uint8_t ip[16], uint32_t bits)
{
    return hf_address_add(p->stack, &p->env, iface, ip, bits);
}

TEST(an_interface_that_cannot_be_is_refused_and_there_are_as_many_as_the_config_says)
{
    p->config.max_interfaces = 2;
    starts();
    struct hf_interface good = {.struct_size = sizeof good, .link = HF_LINK_ETHERNET, .mtu = 1500};
    good.mac[5] = 9;
    struct hf_interface bad = good;
    refuses(HF_ERR_INVALID, hf_interface_add(p->stack, &p->env, NULL));
    bad.struct_size = sizeof bad - 1;
    refuses(HF_ERR_INVALID, hf_interface_add(p->stack, &p->env, &bad));
    bad = good;
    bad.link = HF_LINK_ETHERNET + 1;
    refuses(HF_ERR_INVALID, hf_interface_add(p->stack, &p->env, &bad));
    bad = good;
    bad.mtu = 65536;
    refuses(HF_ERR_INVALID, hf_interface_add(p->stack, &p->env, &bad));
    bad = good;
    bad.mac[0] = 1; /* a group */
    refuses(HF_ERR_INVALID, hf_interface_add(p->stack, &p->env, &bad));
    holds_equal(hf_interface_add(p->stack, &p->env, &good), 2);
    refuses(HF_ERR_NO_RESOURCES, hf_interface_add(p->stack, &p->env, &good));
}

/* RFC 1122 3.2.1.3 (a) to (e), RFC 3021 */
TEST(an_address_that_no_host_can_have_is_refused)
{
    static const struct {
        uint8_t ip[16];
        uint32_t bits;
    } bad[] = {
        {V4_ADDRESS(0, 0, 0, 1), 8},          {V4_ADDRESS(240, 0, 0, 1), 8},
        {V4_ADDRESS(255, 255, 255, 255), 32}, {V4_ADDRESS(192, 0, 2, 255), 24},
        {V4_ADDRESS(192, 0, 2, 0), 24},       {V4_ADDRESS(192, 0, 2, 7), 30},
    };
    static const uint8_t pair[16] = V4_ADDRESS(192, 0, 2, 7), other[16] = V4_ADDRESS(192, 0, 2, 6);
    starts();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses(HF_ERR_INVALID, adds(p, 1, bad[i].ip, bad[i].bits));
    refuses(HF_ERR_INVALID, adds(p, 0, pair, 31));
    calls(adds(p, 1, pair, 31));
    calls(adds(p, 1, other, 32));
}

TEST(an_address_is_there_once_and_a_link_local_one_once_on_each_link)
{
    static const uint8_t global[16] = {0x20, 1, 0x0d, 0xb8, [15] = 7};
    static const uint8_t local[16] = {0xfe, 0x80, [15] = 7};
    starts();
    struct hf_interface more = {.struct_size = sizeof more, .link = HF_LINK_IP, .mtu = 1500};
    holds_equal(hf_interface_add(p->stack, &p->env, &more), 2);
    calls(adds(p, 1, global, 64));
    refuses(HF_ERR_EXISTS, adds(p, 1, global, 64));
    refuses(HF_ERR_EXISTS, adds(p, 2, global, 64));
    calls(adds(p, 1, local, 64));
    calls(adds(p, 2, local, 64));
    refuses(HF_ERR_EXISTS, adds(p, 2, local, 64));
    refuses(HF_ERR_NO_ADDRESS, hf_address_remove(p->stack, &p->env, 2, global));
    refuses(HF_ERR_NO_ADDRESS, hf_address_remove(p->stack, &p->env, 0, global));
    calls(hf_address_remove(p->stack, &p->env, 1, global));
    refuses(HF_ERR_NO_ADDRESS, hf_address_remove(p->stack, &p->env, 1, global));
    calls(adds(p, 2, global, 64));
}

TEST(there_are_as_many_addresses_as_the_config_says_and_a_place_is_used_again)
{
    p->config.max_addresses = 3;
    starts();
    uint8_t ip[16] = V4_ADDRESS(192, 0, 2, 1);
    int n = 0, result;
    while ((result = adds(p, 1, ip, 32)) == HF_OK && n++ < 10)
        ip[15]++;
    holds_equal(result, HF_ERR_NO_RESOURCES);
    holds_equal(n, 2); /* and the peer's script has one */
    ip[15] = 1;
    calls(hf_address_remove(p->stack, &p->env, 1, ip));
    ip[15] = 99;
    calls(adds(p, 1, ip, 32));
}

/* A link's route lasts as long as one address of that link. */
TEST(the_route_of_a_link_goes_with_the_last_address_of_it)
{
    static const uint8_t one[16] = V4_ADDRESS(192, 0, 2, 1), two[16] = V4_ADDRESS(192, 0, 2, 2);
    struct hf_endpoint to = {.ip = V4_ADDRESS(192, 0, 2, 77), .port = THERE};
    hf_handle handle = socket_on(p, HERE);
    refuses(HF_ERR_NET_UNREACHABLE, hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 1));
    p->batching = true; /* nothing leaves: the peer knows the stack by another address */
    holds_equal(adds(p, 1, one, 24), HF_OK);
    holds_equal(adds(p, 1, two, 24), HF_OK);
    holds_equal(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 1), 1);
    holds_equal(hf_address_remove(p->stack, &p->env, 1, one), HF_OK);
    holds_equal(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 1), 1);
    holds_equal(hf_address_remove(p->stack, &p->env, 1, two), HF_OK);
    holds_equal(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 1), HF_ERR_NET_UNREACHABLE);
    struct hf_frame_out out;
    while (hf_output(p->stack, &p->env, &out, 1) == 1)
        hf_output_done(p->stack, &p->env, out.token);
    p->batching = false;
}

/* Is there a route to the link for hosts of this network?  A packet that leaves tells. */
static bool is_on_link(struct peer *p, hf_handle socket, const uint8_t host[16])
{
    struct hf_endpoint to = {.port = THERE};
    memcpy(to.ip, host, 16);
    int64_t sent = hf_udp_send(p->stack, &p->env, socket, NULL, &to, data, 1);
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(sent == 1 ? seen != NULL : sent == HF_ERR_NET_UNREACHABLE && seen == NULL);
    if (seen != NULL)
        peer_taken(p, seen);
    return sent == 1;
}

static const uint8_t net[16] = V4_ADDRESS(192, 0, 2, 0), near[16] = V4_ADDRESS(192, 0, 2, 99);
static const uint8_t ours[16] = V4_ADDRESS(192, 0, 2, 7), second[16] = V4_ADDRESS(192, 0, 2, 8);

/* Who has added a route takes it away, too. */
TEST(the_route_of_the_caller_outlives_an_address_of_its_prefix)
{
    starts();
    calls(hf_route_add(p->stack, &p->env, 1, net, 24, NULL));
    calls(adds(p, 1, ours, 24));
    calls(hf_address_remove(p->stack, &p->env, 1, ours));
    calls(hf_route_remove(p->stack, &p->env, 1, net, 24));
    calls(adds(p, 1, ours, 24));
    calls(hf_address_remove(p->stack, &p->env, 1, ours));
    refuses(HF_ERR_INVALID, hf_route_remove(p->stack, &p->env, 1, net, 24));
}

/* Every address has a route to its link, whatever the caller removes. */
TEST(the_route_of_a_link_stays_while_there_is_an_address_of_it)
{
    p->wild = true;
    hf_handle socket = socket_on(p, HERE);
    calls(hf_address_remove(p->stack, &p->env, 1, p->stack_ip));
    calls(hf_route_add(p->stack, &p->env, 1, net, 24, NULL));
    calls(adds(p, 1, ours, 24));
    calls(adds(p, 1, second, 24));
    for (int i = 0; i < 2; i++) { /* the caller's, then that of the addresses */
        calls(hf_route_remove(p->stack, &p->env, 1, net, 24));
        holds(is_on_link(p, socket, near));
    }
    calls(hf_address_remove(p->stack, &p->env, 1, ours));
    calls(hf_route_remove(p->stack, &p->env, 1, net, 24));
    holds(is_on_link(p, socket, near));
    calls(hf_address_remove(p->stack, &p->env, 1, second));
    calls(adds(p, 1, ours, 32)); /* needs none */
    holds(!is_on_link(p, socket, near));
    refuses(HF_ERR_INVALID, hf_route_remove(p->stack, &p->env, 1, net, 24));
    calls(hf_route_add(p->stack, &p->env, 1, ours, 32, NULL));
    calls(hf_route_remove(p->stack, &p->env, 1, ours, 32));
    refuses(HF_ERR_INVALID, hf_route_remove(p->stack, &p->env, 1, ours, 32));
}

/* Its hosts would all be sent to the gateway. */
TEST(an_address_is_refused_where_its_prefix_leads_to_a_gateway)
{
    static const uint8_t gateway[16] = V4_ADDRESS(10, 0, 0, 9);
    starts();
    calls(hf_route_add(p->stack, &p->env, 1, net, 24, gateway));
    refuses(HF_ERR_EXISTS, adds(p, 1, ours, 24));
    refuses(HF_ERR_NO_ADDRESS, hf_address_remove(p->stack, &p->env, 1, ours));
    calls(adds(p, 1, ours, 25));
    calls(adds(p, 1, second, 32));
    calls(hf_route_remove(p->stack, &p->env, 1, net, 24));
    calls(hf_address_remove(p->stack, &p->env, 1, ours));
    calls(adds(p, 1, ours, 24));
    refuses(HF_ERR_EXISTS, hf_route_add(p->stack, &p->env, 1, net, 24, gateway));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(an_interface_that_cannot_be_is_refused_and_there_are_as_many_as_the_config_says),
        ON_BOTH(an_address_that_no_host_can_have_is_refused),
        ON_BOTH(an_address_is_there_once_and_a_link_local_one_once_on_each_link),
        ON_BOTH(there_are_as_many_addresses_as_the_config_says_and_a_place_is_used_again),
        ON_BOTH(the_route_of_a_link_goes_with_the_last_address_of_it),
        ON_BOTH(the_route_of_the_caller_outlives_an_address_of_its_prefix),
        ON_BOTH(the_route_of_a_link_stays_while_there_is_an_address_of_it),
        ON_BOTH(an_address_is_refused_where_its_prefix_leads_to_a_gateway),
    };
    return cmocka_run_group_tests_name("interfaces", tests, NULL, NULL);
}
