/* Two stacks open, or close, towards each other at one time while packets are lost and repeated:
 * RFC 9293 3.5 Figure 7, 3.6 Figure 13; and desynchronised ends that answer each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/net.h"

#define TEST(name) static void name(void **state)

enum { PORT_A = 4000, PORT_B = 80, TEXT = 3000, HALF_AN_HOUR_MS = 1800000 };

/* Of the packets from now on, those whose bit is set are lost. */
struct mask {
    uint32_t bits;
    unsigned at;
};

static bool lose_masked(struct net *net, int from, const struct segment *seg)
{
    (void)from, (void)seg;
    struct mask *mask = net->arg;
    unsigned at = mask->at++;
    return at < 32 && (mask->bits >> at & 1);
}

static void all_arrives(struct net *net, struct net_flow *a, struct net_flow *b, uint32_t bits)
{
    if (!net_run(net, HALF_AN_HOUR_MS, NULL))
        fail_msg("packets %#x lost: %s", bits, net->what ? net->what : "it does not end");
    assert_int_equal(a->received, TEXT);
    assert_int_equal(b->received, TEXT);
    assert_int_equal(a->error, HF_OK);
    assert_int_equal(b->error, HF_OK);
    for (int side = 0; side < 2; side++) {
        struct hf_counters counters = {.struct_size = sizeof counters};
        hf_counters(net->side[side].s.stack, &counters);
        assert_int_equal(counters.connections, 1); /* its handle is not released */
        assert_int_equal(counters.opened_active, 1);
        assert_int_equal(counters.opened_passive, 0);
    }
}

static void cross(uint32_t bits, bool v6, uint32_t twice, uint64_t random)
{
    struct net *net = net_new(v6, NULL, 0);
    struct mask mask = {.bits = bits};
    net->lose = lose_masked;
    net->arg = &mask;
    net->twice = twice;
    net->random = random;
    struct net_flow *a = net_open(net, 0, PORT_A, PORT_B, TEXT);
    struct net_flow *b = net_open(net, 1, PORT_B, PORT_A, TEXT);
    all_arrives(net, a, b, bits);
    net_free(net);
}

/* ST-08: RFC 9293 Figure 7; each subset of the first seven packets lost, and then repeated ones */
TEST(two_opens_that_cross_make_one_connection_whatever_is_lost)
{
    (void)state;
    for (uint32_t bits = 0; bits < 128; bits++)
        cross(bits, bits & 1, 0, 1);
    for (uint32_t n = 1; n <= 64; n++)
        cross(n * 0x9e3779b9u & 0x3f, n & 1, 400, n);
}

static bool both_open(struct net *net)
{
    return net->side[0].flow[0].open && net->side[1].flow[0].open;
}

/* ST-10: RFC 9293 Figure 13; text is on its way both ways, and each subset of eight packets is lost
 * from the close on. */
TEST(two_closes_that_cross_end_with_all_text_delivered_whatever_is_lost)
{
    (void)state;
    for (uint32_t bits = 0; bits < 256; bits++) {
        struct net *net = net_new(bits & 1, NULL, 0);
        struct mask mask = {.bits = bits};
        net->side[1].answer = TEXT;
        net->side[1].keep = true;
        net_listen(net, 1, PORT_B, 4);
        struct net_flow *a = net_open(net, 0, PORT_A, PORT_B, 0);
        a->keep = true;
        assert_true(net_run(net, 10000, both_open));
        struct net_flow *b = &net->side[1].flow[0];
        net->lose = lose_masked;
        net->arg = &mask;
        a->to_send = TEXT;
        a->keep = b->keep = false; /* both send all they have, and close */
        if (!net_run(net, HALF_AN_HOUR_MS, NULL))
            fail_msg("packets %#x lost: %s", bits, net->what ? net->what : "it does not end");
        assert_int_equal(a->received, TEXT);
        assert_int_equal(b->received, TEXT);
        assert_int_equal(a->error, HF_OK);
        assert_int_equal(b->error, HF_OK);
        net_free(net);
    }
}

/* What each end sends: in all, with text, and in answer to what had none. */
struct tally_of_end {
    uint32_t all, texts, answers;
    uint32_t owes; /* for text that came: as many ACKs */
};

static bool count_each(struct net *net, int from, const struct segment *seg)
{
    struct tally_of_end *end = net->arg;
    end[from].all++;
    if (seg->text_len) {
        end[from].texts++;
        end[from].owes = 0;
        end[1 - from].owes++;
    } else if (end[from].owes) {
        end[from].owes--;
    } else {
        end[from].answers++;
    }
    return false;
}

static bool never(struct net *net)
{
    (void)net;
    return false;
}

/* In-window text for `to` that the other end never sent. */
static void inject(struct net *net, int to, uint32_t len)
{
    struct net_stack *s = &net->side[to].s;
    struct hf_status status = {.struct_size = sizeof status};
    assert_int_equal(hf_status(s->stack, &s->env, net->side[to].flow[0].handle, &status), HF_OK);
    uint8_t packet[1500];
    struct segment seg = {
        .sport = status.remote.port,
        .dport = status.local.port,
        .seq = seq(status.rcv_nxt),
        .ack = seq(status.snd_una),
        .ctl = ACK,
        .wnd = 1000,
        .opt = {.present = status.options & HF_OPT_TS ? OPT_TS : 0, .ts_val = UINT32_MAX}};
    size_t header = wire_tcp_header_len(&seg.opt);
    struct wire_ip ip = {.version = 4, .proto = WIRE_PROTO_TCP, .ttl = 64, .df = true};
    memcpy(ip.src, s->other_ip, 16);
    memcpy(ip.dst, s->ip, 16);
    ip.total_len = (uint32_t)(20 + header + len);
    size_t at = wire_put_ip(packet, &ip);
    wire_put_tcp(packet + at, &seg);
    memset(packet + at + header, 'x', len);
    wire_set_tcp_checksum(packet + at, header, &ip, csum_add(0, packet + at + header, len), len);
    struct hf_frame_in frame = {.data = packet, .len = (uint32_t)(at + header + len), .iface = 1};
    s->env.now_ns = net->now_ns;
    assert_int_equal(hf_input(s->stack, &s->env, &frame, 1), 0);
    uint8_t text[1500]; /* unchecked: it is not what the application of net.c expects */
    assert_int_equal(hf_recv(s->stack, &s->env, net->side[to].flow[0].handle, text, sizeof text),
                     len);
}

/* ST-15: Joncheray 1995, RFC 5961 7; both ends believe to have received what was never sent. */
TEST(desynchronised_ends_do_not_answer_each_other_for_ever)
{
    (void)state;
    struct hf_config config;
    hf_config_default(&config, 8);
    config.policy.timestamps = false;
    struct net *net = net_new(false, &config, 0);
    struct tally_of_end end[2] = {{.owes = 1}, {.owes = 1}}; /* for what is forged */
    net->delay_ns = 1000000;
    net->side[1].keep = true;
    net_listen(net, 1, PORT_B, 4);
    struct net_flow *a = net_open(net, 0, PORT_A, PORT_B, 10);
    a->keep = true;
    assert_true(net_run(net, 10000, both_open));
    net_run(net, 1000, never);
    net->lose = count_each;
    net->arg = end;
    inject(net, 0, 100);
    inject(net, 1, 300);
    a->to_send = 20; /* one segment more */
    for (int second = 0; second < 60; second++) {
        net_run(net, 1000, never);
        for (int i = 0; i < 2; i++) {
            /* in the first one the text comes again after 200 and 400 ms: each has its ACK */
            if (end[i].answers > 2 || (second && end[i].all > 2))
                fail_msg("%u packets of end %d in second %d, %u of them for no text", end[i].all, i,
                         second, end[i].answers);
            end[i].all = end[i].answers = 0;
        }
        assert_in_range(end[0].texts, 0, second ? 1 : 4);
        assert_int_equal(end[1].texts, 0);
        end[0].texts = 0;
    }
    net_run(net, HALF_AN_HOUR_MS, net_all_closed); /* R2 ends it */
    memset(end, 0, sizeof end);
    net_run(net, 600000, never);
    assert_int_equal(end[0].all + end[1].all, 0);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_opens_that_cross_make_one_connection_whatever_is_lost),
        cmocka_unit_test(two_closes_that_cross_end_with_all_text_delivered_whatever_is_lost),
        cmocka_unit_test(desynchronised_ends_do_not_answer_each_other_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
