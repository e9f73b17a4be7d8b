/* Several stacks with threads of their own; and the hash that says which of them has a flow. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "handfast/shards.h"

enum { SHARDS = 2, EACH = 20, LONG_MS = 5000 };

/* The hash ------------------------------------------------------------------------------------ */

/* What the makers of the hash have published to check it with. */
static const uint8_t published_key[HF_FLOW_KEY_BYTES] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static const struct {
    const char *to, *from;
    uint16_t to_port, from_port;
    uint32_t hash;
} published[] = {
    {"161.142.100.80", "66.9.149.187", 1766, 2794, 0x51ccc178},
    {"65.69.140.83", "199.92.111.2", 4739, 14230, 0xc626b0ea},
    {"12.22.207.184", "24.19.198.95", 38024, 12898, 0x5c2b394a},
    {"209.142.163.6", "38.27.205.30", 2217, 48228, 0xafc7327f},
    {"202.188.127.2", "153.39.163.191", 1303, 44251, 0x10e828a2},
    {"3ffe:2501:200:3::1", "3ffe:2501:200:1fff::7", 1766, 2794, 0x40207d3d},
    {"ff02::1", "3ffe:501:8::260:97ff:fe40:efab", 4739, 14230, 0xdde51bbf},
};

static struct hf_endpoint at(const char *text, uint16_t port)
{
    struct hf_endpoint endpoint = {.ip = {[10] = 0xff, 0xff}, .port = port};
    if (strchr(text, ':') != NULL) {
        assert_int_equal(inet_pton(AF_INET6, text, endpoint.ip), 1);
    } else {
        assert_int_equal(inet_pton(AF_INET, text, endpoint.ip + 12), 1);
    }
    return endpoint;
}

static void flows_are_hashed_as_network_cards_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        struct hf_endpoint from = at(published[i].from, published[i].from_port);
        struct hf_endpoint to = at(published[i].to, published[i].to_port);
        assert_int_equal(hf_flow_hash(&from, &to, published_key), published[i].hash);
    }
}

static void both_directions_of_a_connection_belong_to_one_shard(void **state)
{
    (void)state;
    uint32_t shares[3] = {0};
    struct hf_endpoint server = at("10.0.0.2", 80);
    for (uint32_t port = 1024; port < 65024; port++) {
        struct hf_endpoint client = at("10.0.0.1", (uint16_t)port);
        uint32_t hash = hf_flow_hash(&client, &server, NULL);
        assert_int_equal(hash, hf_flow_hash(&server, &client, NULL));
        assert_true(hf_flow_shard(hash, 3) < 3);
        shares[hf_flow_shard(hash, 3)]++;
    }
    for (int i = 0; i < 3; i++) {
        assert_in_range(shares[i], 64000 / 3 * 9 / 10, 64000 / 3 * 11 / 10);
    }
}

/* Shards --------------------------------------------------------------------------------------- */

/* An echo at the end of a cable of its own, which it gets from the test. */
struct echo {
    struct hf_device *device;
    uint32_t accepted, ended;
    int refuses; /* what begin returns instead */
};

static int begin(struct hf_host *host, uint32_t shard, void *arg)
{
    struct echo *echo = &((struct echo *)arg)[shard];
    hf_handle listener;
    if (echo->refuses != 0) {
        return echo->refuses;
    }
    int iface = hf_host_attach(host, echo->device);
    echo->device = NULL;
    int error = iface < 0 ? iface : hf_host_address(host, iface, "10.0.0.2/24");
    return error < 0 ? error : hf_host_listen(host, NULL, "7", 64, &listener);
}

static void serve(struct hf_host *host, uint32_t shard, void *arg)
{
    struct echo *echo = &((struct echo *)arg)[shard];
    struct hf_stack *stack = hf_host_stack(host);
    const struct hf_env *env = hf_host_env(host);
    struct hf_event event;
    while (hf_events(stack, env, &event, 1) == 1) {
        hf_handle c = event.handle;
        char octet;
        if (event.bits & HF_ACCEPTED) {
            while (hf_accept(stack, env, event.handle, &c, NULL) == HF_OK) {
                echo->accepted++;
            }
        } else if (hf_recv(stack, env, c, &octet, 1) == 1) {
            (void)hf_send(stack, env, c, &octet, 1, 0);
        } else {
            (void)hf_release(stack, env, c);
        }
    }
}

static void end(struct hf_host *host, uint32_t shard, void *arg)
{
    (void)host;
    ((struct echo *)arg)[shard].ended++;
}

static struct hf_shards_options options_of(struct echo *echoes)
{
    return (struct hf_shards_options){.struct_size = sizeof(struct hf_shards_options),
                                      .n = SHARDS,
                                      .begin = begin,
                                      .turn = serve,
                                      .end = end,
                                      .arg = echoes};
}

static void add_one(struct hf_host *host, void *arg)
{
    (void)host;
    ++*(uint32_t *)arg;
}

static struct hf_host *client_at(struct hf_device *device)
{
    struct hf_host *host;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    int iface = hf_host_attach(host, device);
    assert_int_equal(hf_host_address(host, iface, "10.0.0.1/24"), 0);
    return host;
}

static void use_echo(struct hf_host *client)
{
    hf_handle c;
    char octet = 'o';
    assert_int_equal(hf_host_connect(client, "10.0.0.2", "7", LONG_MS, &c), 0);
    assert_int_equal(hf_host_send(client, c, &octet, 1, LONG_MS), 0);
    assert_int_equal(hf_host_recv(client, c, &octet, 1, LONG_MS), 1);
    assert_int_equal(hf_host_release(client, c), 0);
}

static void each_shard_serves_the_connections_that_come_to_it(void **state)
{
    (void)state;
    struct echo echoes[SHARDS] = {{0}};
    struct hf_host *client[SHARDS];
    struct hf_shards *shards;
    char error[HF_ERROR_TEXT] = "";
    uint32_t posted[SHARDS] = {0};
    for (int i = 0; i < SHARDS; i++) {
        struct hf_device *ends[2];
        assert_int_equal(hf_device_pair(ends, NULL, error), 0);
        echoes[i].device = ends[0];
        client[i] = client_at(ends[1]);
    }
    struct hf_shards_options options = options_of(echoes);
    assert_int_equal(hf_shards_start(&shards, &options, error), 0);
    assert_int_equal(hf_shards_count(shards), SHARDS);
    assert_null(hf_shards_host(shards, SHARDS));
    for (int i = 0; i < SHARDS * EACH; i++) {
        use_echo(client[i % SHARDS]);
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_int_equal(hf_host_post(hf_shards_host(shards, i), add_one, &posted[i]), 0);
    }
    assert_int_equal(hf_shards_stop(shards), 0);
    for (int i = 0; i < SHARDS; i++) {
        assert_int_equal(echoes[i].accepted, EACH);
        assert_int_equal(echoes[i].ended, 1);
        assert_int_equal(posted[i], 1);
        hf_host_free(client[i]);
    }
}

static void a_shard_that_cannot_begin_ends_all_and_says_which(void **state)
{
    (void)state;
    struct echo echoes[SHARDS] = {{0}, {.refuses = -ENODEV}};
    struct hf_shards *shards;
    struct hf_device *ends[2];
    char error[HF_ERROR_TEXT] = "";
    assert_int_equal(hf_device_pair(ends, NULL, error), 0);
    echoes[0].device = ends[0];
    struct hf_shards_options options = options_of(echoes);
    assert_int_equal(hf_shards_start(&shards, &options, error), -ENODEV);
    assert_null(shards);
    assert_non_null(strstr(error, "shard 1"));
    assert_int_equal(echoes[0].ended, 1);
    assert_int_equal(echoes[1].ended, 0);
    options.struct_size = 0;
    assert_int_equal(hf_shards_start(&shards, &options, error), -EINVAL);
    assert_int_equal(hf_shards_stop(NULL), 0);
    hf_device_close(ends[1]);
}

struct stopper {
    struct hf_shards *shards;
    int result;
};

static void stop_own(struct hf_host *host, void *arg)
{
    struct stopper *stopper = arg;
    (void)host;
    stopper->result = hf_shards_stop(stopper->shards);
}

static void a_shard_does_not_wait_for_its_own_end(void **state)
{
    (void)state;
    struct echo echoes[SHARDS] = {{0}};
    struct stopper stopper = {0};
    struct hf_device *ends[SHARDS][2];
    char error[HF_ERROR_TEXT] = "";
    for (int i = 0; i < SHARDS; i++) {
        assert_int_equal(hf_device_pair(ends[i], NULL, error), 0);
        echoes[i].device = ends[i][0];
    }
    struct hf_shards_options options = options_of(echoes);
    assert_int_equal(hf_shards_start(&stopper.shards, &options, error), 0);
    struct hf_host *last = hf_shards_host(stopper.shards, SHARDS - 1);
    assert_int_equal(hf_host_post(last, stop_own, &stopper), 0);
    assert_int_equal(hf_shards_stop(stopper.shards), 0);
    assert_int_equal(stopper.result, -EDEADLK);
    for (int i = 0; i < SHARDS; i++) {
        assert_int_equal(echoes[i].ended, 1);
        hf_device_close(ends[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_are_hashed_as_network_cards_do),
        cmocka_unit_test(both_directions_of_a_connection_belong_to_one_shard),
        cmocka_unit_test(each_shard_serves_the_connections_that_come_to_it),
        cmocka_unit_test(a_shard_that_cannot_begin_ends_all_and_says_which),
        cmocka_unit_test(a_shard_does_not_wait_for_its_own_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
