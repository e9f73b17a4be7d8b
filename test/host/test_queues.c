/* ctest: timeout=180
 * Several queues of one Ethernet interface, a stack at each: which frames come to which, and the
 * kernel's TCP served by shards over AF_PACKET, AF_XDP and TAP.  The program moves into a network
 * namespace of its own first; skipped where it cannot. */
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "handfast/shards.h"
#include "host/cable.h"

enum { QUEUES = 2, SHARDS_MAX = 3, VISITS = 64 };

/* Frames --------------------------------------------------------------------------------------- */

static int raw_socket(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("peer")};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

enum { FRAME = 90, MARK = 89 }; /* octets of each frame; the last one tells which test's it is */

static const struct kind {
    const char *name;
    uint16_t ethertype;
    uint8_t at, octet;     /* behind the Ethernet header: the protocol ... */
    uint8_t type_at, type; /* ... and the type of message                  */
    int copies;            /* how many of the two queues hear it           */
} kinds[] = {
    {"an ARP reply", 0x0806, 6, 0, 7, 2, 2},
    {"an ARP request", 0x0806, 6, 0, 7, 1, 1},
    {"ICMP: unreachable", 0x0800, 9, 1, 20, 3, 2},
    {"ICMP: redirect", 0x0800, 9, 1, 20, 5, 2},
    {"ICMP: time exceeded", 0x0800, 9, 1, 20, 11, 2},
    {"ICMP: parameter problem", 0x0800, 9, 1, 20, 12, 2},
    {"an echo request", 0x0800, 9, 1, 20, 8, 1},
    {"a segment", 0x0800, 9, 6, 20, 3, 1},
    {"ICMPv6: packet too big", 0x86dd, 6, 58, 40, 2, 2},
    {"a router advertisement", 0x86dd, 6, 58, 40, 134, 2},
    {"a neighbour advertisement", 0x86dd, 6, 58, 40, 136, 2},
    {"a neighbour solicitation", 0x86dd, 6, 58, 40, 135, 1},
    {"an ICMPv6 echo request", 0x86dd, 6, 58, 40, 128, 1},
    {"an IPv6 segment", 0x86dd, 6, 6, 40, 3, 1},
};

static void make_frame(const struct kind *kind, uint8_t mark, uint8_t frame[FRAME])
{
    memset(frame, 0, FRAME);
    memset(frame, 0xff, 6);
    frame[6] = 2;
    frame[12] = (uint8_t)(kind->ethertype >> 8);
    frame[13] = (uint8_t)kind->ethertype;
    frame[14] = kind->ethertype == 0x0800 ? 0x45 : kind->ethertype == 0x86dd ? 0x60 : 0;
    frame[14 + kind->at] = kind->octet;
    frame[14 + kind->type_at] = kind->type;
    frame[MARK] = mark;
}

/* Counts frames with this mark that come to each queue, until there are `wanted` in all and then no
 * more are there. */
static void hear(struct hf_device *queue[QUEUES], uint8_t mark, int wanted, int heard[QUEUES])
{
    struct pollfd fds[QUEUES];
    int n = 1;
    memset(heard, 0, QUEUES * sizeof *heard);
    while (n > 0) {
        for (int i = 0; i < QUEUES; i++) {
            short events = (short)hf_device_poll_events(queue[i]);
            fds[i] = (struct pollfd){.fd = hf_device_fd(queue[i]), .events = events};
        }
        int total = heard[0] + heard[1];
        n = poll(fds, QUEUES, total < wanted ? LONG_MS : 0);
        for (int i = 0; i < QUEUES; i++) {
            struct hf_frame_in in[8];
            int got = hf_device_receive(queue[i], 0, in, 8);
            for (int k = 0; k < got; k++) {
                heard[i] += in[k].len == FRAME && in[k].data[MARK] == mark;
            }
            hf_device_flush(queue[i], 0);
        }
    }
}

static void what_is_of_no_flow_comes_to_all_queues(void **state)
{
    (void)state;
    struct hf_device *queue[QUEUES];
    uint8_t frame[FRAME];
    int heard[QUEUES];
    lay_cable(1);
    for (int i = 0; i < QUEUES; i++) {
        must(hf_device_packet(&queue[i], "ours", NULL, HF_DEVICE_QUEUE, error));
    }
    int fd = raw_socket();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        uint8_t mark = (uint8_t)(i + 1);
        make_frame(&kinds[i], mark, frame);
        assert_int_equal(send(fd, frame, sizeof frame, 0), sizeof frame);
        hear(queue, mark, kinds[i].copies, heard);
        if (heard[0] + heard[1] != kinds[i].copies || heard[0] > 1 || heard[1] > 1) {
            fail_msg("%s: heard %d and %d times", kinds[i].name, heard[0], heard[1]);
        }
    }
    close(fd);
    for (int i = 0; i < QUEUES; i++) {
        hf_device_close(queue[i]);
    }
    take_up_cable();
}

static void who_has_left_is_given_nothing(void **state)
{
    (void)state;
    struct hf_device *queue[QUEUES + 1];
    uint8_t frame[FRAME];
    int heard[QUEUES];
    lay_cable(1);
    for (int i = 0; i < QUEUES + 1; i++) {
        must(hf_device_packet(&queue[i], "ours", NULL, HF_DEVICE_QUEUE, error));
    }
    hf_device_close(queue[QUEUES]);
    int fd = raw_socket();
    make_frame(&kinds[0], 77, frame);
    for (int i = 0; i < 100; i++) { /* more than an inbox holds */
        assert_int_equal(send(fd, frame, sizeof frame, 0), sizeof frame);
    }
    hear(queue, 77, 100 + 32, heard);
    assert_true(heard[0] == 100 || heard[1] == 100);
    close(fd);
    hf_device_close(queue[0]);
    hf_device_close(queue[1]);
    take_up_cable();
}

/* Shards --------------------------------------------------------------------------------------- */

struct server {
    int (*open)(struct hf_device **device, uint32_t shard);
    unsigned served[SHARDS_MAX]; /* each written by its own shard */
};

static int over_packet(struct hf_device **device, uint32_t shard)
{
    (void)shard;
    return hf_device_packet(device, "ours", NULL, HF_DEVICE_QUEUE, NULL);
}

static int over_generic_xdp(struct hf_device **device, uint32_t shard)
{
    return hf_device_xdp(device, "ours", shard, NULL, HF_DEVICE_QUEUE | HF_DEVICE_XDP_GENERIC,
                         NULL);
}

static int over_native_xdp(struct hf_device **device, uint32_t shard)
{
    return hf_device_xdp(device, "ours", shard, NULL, HF_DEVICE_QUEUE | HF_DEVICE_XDP_NATIVE, NULL);
}

static int over_tap(struct hf_device **device, uint32_t shard)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
    (void)shard;
    return hf_device_tap(device, "tap", mac, HF_DEVICE_QUEUE, NULL);
}

static int begin(struct hf_host *host, uint32_t shard, void *arg)
{
    struct hf_device *device;
    hf_handle listener;
    int err = ((struct server *)arg)->open(&device, shard);
    err = err < 0 ? err : hf_host_attach(host, device);
    err = err < 0 ? err : hf_host_address(host, 1, "10.9.0.2/24");
    err = err < 0 ? err : hf_host_address(host, 1, "fd09::2/64");
    return err < 0 ? err : hf_host_listen(host, NULL, "80", 64, &listener);
}

/* Sends back what comes, and closes after the peer. */
static void serve(struct hf_host *host, uint32_t shard, void *arg)
{
    struct server *server = arg;
    struct hf_stack *stack = hf_host_stack(host);
    const struct hf_env *env = hf_host_env(host);
    struct hf_event event;
    while (hf_events(stack, env, &event, 1) == 1) {
        hf_handle c = event.handle;
        char text[2048];
        int64_t n;
        if (event.bits & HF_ACCEPTED) {
            while (hf_accept(stack, env, event.handle, &c, NULL) == HF_OK) {
                server->served[shard]++;
            }
            continue;
        }
        while ((n = hf_recv(stack, env, c, text, sizeof text)) > 0) {
            assert_int_equal(hf_send(stack, env, c, text, (uint64_t)n, 0), n);
        }
        if (n != HF_ERR_WOULD_BLOCK) {
            (void)hf_release(stack, env, c);
        }
    }
}

/* A segment that came to the wrong shard would be answered with a reset. */
static void visit(int version)
{
    char text[2000], back[sizeof text];
    int fd = connect_to(version, PORT);
    assert_true(fd >= 0);
    memset(text, 'h', sizeof text);
    assert_int_equal(send(fd, text, sizeof text, 0), sizeof text);
    assert_int_equal(recv(fd, back, sizeof back, MSG_WAITALL), sizeof back);
    assert_memory_equal(text, back, sizeof text);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(recv(fd, back, 1, 0), 0);
    close(fd);
}

static struct hf_shards *start_shards(struct server *server, uint32_t n)
{
    struct hf_shards *shards;
    struct hf_shards_options options = {
        .struct_size = sizeof options, .n = n, .begin = begin, .turn = serve, .arg = server};
    must(hf_shards_start(&shards, &options, error));
    return shards;
}

/* So many of the n shards have connections. */
static void visit_shards(struct hf_shards *shards, const struct server *server, uint32_t least)
{
    uint32_t serving = 0, served = 0, n = hf_shards_count(shards);
    for (int i = 0; i < VISITS; i++) {
        visit(i % 2 == 0 ? 4 : 6);
    }
    assert_int_equal(hf_shards_stop(shards), 0);
    for (uint32_t i = 0; i < n; i++) {
        serving += server->served[i] > 0;
        served += server->served[i];
    }
    assert_int_equal(served, VISITS);
    assert_in_range(serving, least, n);
}

static void over_cable(int (*open)(struct hf_device **device, uint32_t shard), uint32_t n,
                       uint32_t least)
{
    struct server server = {.open = open};
    lay_cable((int)n);
    if (open != over_packet) {
        need_xdp();
    }
    visit_shards(start_shards(&server, n), &server, least);
    take_up_cable();
}

static void shards_serve_over_a_fanout_group(void **state)
{
    (void)state;
    over_cable(over_packet, 2, 2);
}

static void shards_serve_over_queues_of_native_xdp(void **state)
{
    (void)state;
    over_cable(over_native_xdp, 2, 2);
}

/* To a generic program a veth's queues are 0, 0, 1, ...: the number of the sender's queue is taken
 * for that of a receiver's, which is kept as one more. */
static void shards_serve_over_queues_of_generic_xdp(void **state)
{
    (void)state;
    over_cable(over_generic_xdp, 3, 2);
}

static void shards_serve_over_queues_of_a_tap(void **state)
{
    (void)state;
    struct server server = {.open = over_tap};
    if (access("/dev/net/tun", R_OK | W_OK) != 0) {
        skip();
    }
    struct hf_shards *shards = start_shards(&server, 2);
    must(hf_kernel_address("tap", "10.9.0.1/24", error));
    must(hf_kernel_address("tap", "fd09::1/64", error));
    visit_shards(shards, &server, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_of_no_flow_comes_to_all_queues),
        cmocka_unit_test(who_has_left_is_given_nothing),
        cmocka_unit_test(shards_serve_over_a_fanout_group),
        cmocka_unit_test(shards_serve_over_queues_of_generic_xdp),
        cmocka_unit_test(shards_serve_over_queues_of_native_xdp),
        cmocka_unit_test(shards_serve_over_queues_of_a_tap),
    };
    return enter_namespace() ? cmocka_run_group_tests_name("queues", tests, NULL, NULL) : skipped();
}
