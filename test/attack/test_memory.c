/* Memory under attack: a cap that holds, nothing left behind, no call from inside a call. */
/* ctest: timeout=1800 */
#include "attack/siege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "common/refuse.h"

enum { SECOND = 1000, HOSTILE = 60 };

static struct siege siege;

static uint64_t used_bytes(const struct siege *s, uint64_t *reserved)
{
    struct hf_extent part[64];
    uint32_t n = hf_extents(s->server, part, ARRAY_LEN(part));
    uint64_t used = 0;
    *reserved = 0;
    for (uint32_t i = 0; i < n; i++) {
        assert_true(part[i].used <= part[i].reserved);
        used += part[i].used;
        *reserved += part[i].reserved;
    }
    return used;
}

/* Everything at once --------------------------------------------------------------------------- */

/* Connections of the attacker: a third fill their windows with octets that have gaps, a third with
 * single octets that nobody reads, a third closes its own window. */
struct hostile {
    seq_t iss[HOSTILE];
    uint32_t sent[HOSTILE];
};

static void hostile_ip(uint8_t ip[16])
{
    memset(ip, 0, 16);
    ip[10] = ip[11] = 0xff;
    ip[12] = 0x14;
}

static void hostile_segments(struct siege *s, struct hostile *h)
{
    uint8_t ip[16];
    hostile_ip(ip);
    for (uint32_t i = 0; i < HOSTILE; i++) {
        uint32_t at = i % 3 == 0 ? 2 * (1 + siege_draw(s) % 20000) : h->sent[i];
        struct segment seg = {.seq = seq(i * 7919 + 1 + at),
                              .ack = seq_add(h->iss[i], 1),
                              .ctl = ACK,
                              .wnd = i % 3 == 2 ? 0 : 64240,
                              .sport = (uint16_t)(1024 + i),
                              .dport = SIEGE_PORT};
        h->sent[i] += i % 3 == 0 ? 0 : 1;
        siege_hit(s, ip, &seg, 1);
    }
}

static void fragment_of_nothing(struct siege *s)
{
    uint8_t packet[600] = {0};
    struct wire_ip ip = {.version = 4,
                         .proto = WIRE_PROTO_UDP,
                         .ttl = 64,
                         .ident = (uint16_t)siege_draw(s),
                         .mf = true,
                         .frag_offset = (uint16_t)(8 * (siege_draw(s) % 1000)),
                         .total_len = 20 + 480};
    siege_stranger(s, ip.src);
    memcpy(ip.dst, s->server_ip, 16);
    wire_put_ip(packet, &ip);
    siege_packet(s, packet, ip.total_len);
}

/* The server's second link: an Ethernet with as many hosts as an attacker likes (ND-02, AR-02). */
static const uint8_t link_mac[6] = {2, 0, 0, 0, 0, 1}, link_ip[4] = {172, 16, 0, 1};

static void add_link(struct siege *s)
{
    struct hf_interface link = {.struct_size = sizeof link, .link = HF_LINK_ETHERNET, .mtu = 1500};
    uint8_t ip[16];
    memcpy(link.mac, link_mac, 6);
    wire_from_v4(ip, link_ip);
    assert_int_equal(hf_interface_add(s->server, &s->server_env, &link), 2);
    assert_int_equal(hf_address_add(s->server, &s->server_env, 2, ip, 12), HF_OK);
}

/* Of a neighbour that nobody has heard of: what answers it has to wait for its link address. */
static void echo_on_the_link(struct siege *s)
{
    uint8_t frame[100] = {0};
    struct wire_eth eth = {.type = WIRE_ETH_IPV4, .src = {2, 0, 0, 0, 0, 2}};
    struct wire_ip ip = {
        .version = 4, .proto = WIRE_PROTO_ICMP, .ttl = 64, .total_len = 20 + 8 + 32};
    struct wire_icmp icmp = {.version = 4, .type = ICMP4_ECHO};
    uint8_t neighbour[4] = {172, (uint8_t)(16 + siege_draw(s) % 16), (uint8_t)siege_draw(s), 7};
    memcpy(eth.dst, link_mac, 6);
    wire_from_v4(ip.src, neighbour);
    wire_from_v4(ip.dst, link_ip);
    uint8_t *packet = frame + wire_put_eth(frame, &eth);
    uint8_t *message = packet + wire_put_ip(packet, &ip);
    wire_put_icmp(message, &icmp);
    wire_set_icmp_checksum(message, 40, &ip);
    siege_frame(s, 2, frame, (uint32_t)(packet - frame) + ip.total_len);
}

/* A question from one: it is kept, as long as there is room. */
static void question_on_the_link(struct siege *s)
{
    uint8_t frame[60] = {0};
    struct wire_eth eth = {.type = WIRE_ETH_ARP, .src = {2, 0, 0, 0, 0, 2}};
    struct wire_arp arp = {.op = 1, .sha = {2, 0, 0, 0, 0, 2}, .spa = {172, 31}};
    memset(eth.dst, 0xff, 6);
    put_be16(arp.spa + 2, (uint16_t)siege_draw(s));
    memcpy(arp.tpa, link_ip, 4);
    wire_put_arp(frame + wire_put_eth(frame, &eth), &arp);
    siege_frame(s, 2, frame, sizeof frame);
}

static void everything(struct siege *s)
{
    uint8_t ip[16];
    for (int i = 0; i < 20; i++) {
        struct segment syn = siege_syn(s);
        siege_stranger(s, ip);
        siege_hit(s, ip, &syn, 0);
        fragment_of_nothing(s);
        echo_on_the_link(s);
        question_on_the_link(s);
    }
    hostile_segments(s, s->arg);
    siege_flush(s);
    struct hf_counters c = siege_counters(s);
    assert_true(c.connections <= s->config.max_connections && c.half_open <= s->backlog);
    assert_true(c.active <= s->config.max_active && c.ranges <= s->config.max_ranges);
    assert_true(c.small_chunks <= s->config.small_chunks);
    assert_true(c.large_chunks <= s->config.large_chunks);
    assert_true(c.reassembly <= s->config.max_reassembly);
    assert_true(c.neighbours <= s->config.max_neighbours);
    assert_true(c.packets <= s->config.max_packets);
}

static void begin_small(struct siege *s, uint32_t flows)
{
    siege_config(s, 512);
    s->config.small_chunks = 3000;
    s->config.large_chunks = 40;
    s->config.max_ranges = 2000;
    s->config.max_extras = 513;
    s->config.history_events = 64; /* full at once */
    siege_begin(s);
    hf_set_option(s->server, &s->server_env, s->listener, HF_USER_TIMEOUT, 20 * SECOND);
    hf_set_option(s->server, &s->server_env, s->listener, HF_KEEPALIVE, 1);
    hf_set_option(s->server, &s->server_env, s->listener, HF_KEEPALIVE_IDLE, 20 * SECOND);
    hf_set_option(s->server, &s->server_env, s->listener, HF_KEEPALIVE_INTERVAL, SECOND);
    for (uint32_t i = 0; i < flows; i++) {
        siege_open(s, SIEGE_ENDLESS);
        siege_run(s, 2);
    }
}

static uint64_t rounds_of(struct siege *s, uint32_t ms)
{
    uint64_t before = siege_sum(s).rounds;
    siege_run(s, ms);
    return siege_sum(s).rounds - before;
}

/* MM-01: FL-01, RX-01, RX-02, FR-01, ND-02 and TX-13 together. */
static void the_cap_holds_under_everything_at_once(void **state)
{
    (void)state;
    enum { FLOWS = 100 };
    struct siege *s = &siege;
    struct hostile h = {0};
    uint32_t ms = getenv("HF_LONG") ? 60 * SECOND : 2 * SECOND;
    uint64_t reserved;
    begin_small(s, FLOWS);
    add_link(s);
    uint64_t calm = rounds_of(s, ms);
    for (uint32_t i = 0; i < HOSTILE; i++) {
        assert_true(siege_stranger_connects(s, i));
        h.iss[i] = s->last_iss;
        siege_run(s, 1);
    }
    s->arg = &h;
    s->attack = everything;
    uint64_t rounds = rounds_of(s, ms);
    s->attack = NULL;
    assert_int_equal(siege_counters(s).neighbours, s->config.max_neighbours);
    uint64_t used = used_bytes(s, &reserved);
    printf("%llu of %llu rounds; %llu of %llu octets used\n", (unsigned long long)rounds,
           (unsigned long long)calm, (unsigned long long)used, (unsigned long long)reserved);
    assert_true(reserved <= s->server_bytes);
    assert_true(rounds * 10 >= calm * 9);
    siege_rest(s, 66 * SECOND); /* a half-open connection lasts 63 s */
    struct hf_counters c = siege_counters(s);
    assert_int_equal(c.connections, FLOWS);
    assert_int_equal(c.half_open, 0);
    assert_int_equal(c.ranges, 0);
    assert_int_equal(c.reassembly, 0);
    assert_int_equal(c.packets, 0);
    assert_true(c.small_chunks + c.large_chunks <= 2 * FLOWS);
    assert_true(rounds_of(s, ms) * 10 >= calm * 9);
    siege_end(s);
}

/* Churn -----------------------------------------------------------------------------------------
 */

/* A burst of connections of many sizes, all of them over in the end. */
static void burst(struct siege *s)
{
    s->n_clients = 0;
    for (uint32_t i = 0; i < 200; i++) {
        siege_open(s, 1 + i % 7);
        siege_run(s, i % 3);
    }
    siege_run(s, SECOND);
    assert_int_equal(siege_sum(s).done, 200);
    siege_rest(s, 70 * SECOND); /* and TIME-WAIT */
}

/* MM-06 */
static void memory_does_not_grow_with_the_connections_that_have_been(void **state)
{
    (void)state;
    struct siege *s = &siege;
    uint64_t used[2], reserved;
    uint32_t records[REFUSE_POOLS];
    begin_small(s, 0);
    for (unsigned i = 0; i < REFUSE_POOLS; i++)
        records[i] = refuse_used(s->server, i);
    for (int i = 0; i < 3; i++)
        burst(s);
    used[0] = used_bytes(s, &reserved);
    for (int i = 0; i < (getenv("HF_LONG") ? 1220 : 5); i++) /* a day, or six minutes */
        burst(s);
    used[1] = used_bytes(s, &reserved);
    /* In a day chance may fill a line or two of the flow table more than in the first minutes. */
    assert_in_range(used[1], used[0], used[0] + 2 * 64);
    for (unsigned i = 0; i < REFUSE_POOLS; i++)
        assert_int_equal(refuse_used(s->server, i), records[i]);
    siege_end(s);
}

/* Applications that do anything at any event --------------------------------------------------- */

static void anything(struct siege *s, hf_handle handle)
{
    struct hf_stack *stack = s->server;
    const struct hf_env *env = &s->server_env;
    static uint8_t text[3000];
    static hf_handle other;
    struct hf_listen listen = {
        .struct_size = sizeof listen, .local = {.port = SIEGE_PORT}, .backlog = 20};
    switch (siege_draw(s) % 10) {
    case 0:
        hf_close(stack, env, handle);
        break;
    case 1:
        hf_abort(stack, env, handle);
        break;
    case 2:
    case 3:
        hf_send(stack, env, handle, text, siege_draw(s) % sizeof text, 0);
        break;
    case 4:
    case 5:
        hf_recv(stack, env, handle, text, siege_draw(s) % sizeof text);
        break;
    case 6:
        hf_release(stack, env, other);
        break;
    case 7:
        hf_close(stack, env, s->listener);
        hf_listen(stack, env, &listen, &s->listener);
        break;
    case 8:
        hf_timeouts(stack, env);
        siege_flush(s);
        break;
    default:
        hf_release(stack, env, handle);
        break;
    }
    other = handle;
}

/* All that were accepted, for the end. */
static hf_handle accepted[16384];
static uint32_t n_accepted;

static void acts_on_events(struct siege *s)
{
    struct hf_event event;
    hf_handle handle;
    for (int i = 0; i < 50 && hf_events(s->server, &s->server_env, &event, 1) == 1; i++) {
        if (event.handle == s->listener &&
            hf_accept(s->server, &s->server_env, s->listener, &handle, NULL) == HF_OK) {
            accepted[n_accepted++ % ARRAY_LEN(accepted)] = handle;
            anything(s, handle);
        }
        anything(s, event.handle);
    }
}

/* MM-04: events wait in a list until they are taken, so whatever is done at one finds no call under
 * way (stack_enter traps on that), and what is gone is told by its handle. */
static void whatever_is_done_at_an_event_finds_no_call_under_way(void **state)
{
    (void)state;
    struct siege *s = &siege;
    uint32_t records[REFUSE_POOLS];
    begin_small(s, 0);
    for (unsigned i = 0; i < REFUSE_POOLS; i++)
        records[i] = refuse_used(s->server, i);
    s->deaf = true; /* its application is the attack */
    s->attack = acts_on_events;
    for (int round = 0; round < (getenv("HF_LONG") ? 200 : 10); round++) {
        s->n_clients = 0;
        for (uint32_t i = 0; i < 100; i++) {
            siege_open(s, 1 + i % 3);
            siege_run(s, 2);
        }
        siege_run(s, 500);
        for (uint32_t i = 0; i < s->n_clients; i++) {
            hf_abort(s->clients, &s->clients_env, s->client[i].handle);
            hf_release(s->clients, &s->clients_env, s->client[i].handle);
            s->client[i].done = true;
        }
        s->wrong = 0; /* echoes of anything */
    }
    s->attack = NULL;
    hf_close(s->server, &s->server_env, s->listener);
    struct hf_listen listen = {
        .struct_size = sizeof listen, .local = {.port = SIEGE_PORT}, .backlog = 20};
    hf_listen(s->server, &s->server_env, &listen, &s->listener);
    for (uint32_t i = 0; i < ARRAY_LEN(accepted); i++)
        hf_release(s->server, &s->server_env, accepted[i]);
    siege_rest(s, 200 * SECOND);
    s->deaf = false;
    s->n_clients = 0;
    siege_open(s, 5);
    siege_run(s, SECOND);
    assert_int_equal(siege_sum(s).done, 1);
    siege_rest(s, 70 * SECOND);
    for (unsigned i = 0; i < REFUSE_POOLS; i++)
        if (refuse_used(s->server, i) > records[i])
            fail_msg("%u more of %s", refuse_used(s->server, i) - records[i], refuse_name(i));
    siege_end(s);
}

/* Loops ---------------------------------------------------------------------------------------- */

/* MM-05: a stack that talks to itself, and tells itself that nobody is there: what it sends to
 * itself waits in its queue like all else (test/system/recursion.py looks at the call graph). */
static void a_stack_that_talks_to_itself_does_not_call_itself(void **state)
{
    (void)state;
    static uint8_t text[16384], got[16384];
    struct siege *s = &siege;
    struct hf_endpoint self = {.port = SIEGE_PORT}, nobody = {.port = 9}, here = {.port = 4000};
    hf_handle handle, socket;
    begin_small(s, 0);
    s->deaf = true;
    memcpy(self.ip, s->server_ip, 16);
    memcpy(nobody.ip, s->server_ip, 16);
    assert_int_equal(hf_open(s->server, &s->server_env, NULL, &self, 0, &handle), HF_OK);
    assert_int_equal(hf_udp_open(s->server, &s->server_env, &here, &socket), HF_OK);
    siege_run(s, 10);
    hf_handle other = 0;
    assert_int_equal(hf_accept(s->server, &s->server_env, s->listener, &other, NULL), HF_OK);
    uint64_t sent = 0, received = 0, wanted = getenv("HF_LONG") ? 1000000000 : 5000000;
    for (uint32_t ms = 0; received < wanted && ms < 1000000; ms++) {
        int64_t n = hf_send(s->server, &s->server_env, handle, text, sizeof text, 0);
        sent += n > 0 ? (uint64_t)n : 0;
        while ((n = hf_recv(s->server, &s->server_env, other, got, sizeof got)) > 0)
            received += (uint64_t)n;
        hf_udp_send(s->server, &s->server_env, socket, NULL, &nobody, text, 100);
        siege_run(s, 1);
    }
    assert_true(received >= wanted && sent >= received);
    assert_int_equal(s->others, 0);
    struct hf_icmp_report report;
    assert_int_equal(hf_error_report(s->server, socket, &report), HF_OK);
    siege_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cap_holds_under_everything_at_once),
        cmocka_unit_test(memory_does_not_grow_with_the_connections_that_have_been),
        cmocka_unit_test(whatever_is_done_at_an_event_finds_no_call_under_way),
        cmocka_unit_test(a_stack_that_talks_to_itself_does_not_call_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
