/* Memory that is refused to what is no connection's: datagrams, echoes, fragments, questions to
 * neighbours, text that is lent.  Each n-th record of each pool, and all from the n-th on. */
/* ctest: timeout=300 */
#include "common/packets.h"
#include "common/refuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { REGION = 8192, PART = 1480 };

/* What it did that worked; leaves nothing behind that it has made. */
typedef uint32_t life_fn(struct peer *p);

/* Puts in an IP payload in fragments. */
static void in_fragments(struct peer *p, uint8_t proto, const uint8_t *payload, uint32_t len)
{
    fragment_ident++;
    for (uint32_t at = 0; at < len; at += PART)
        sends_fragment(p, proto, payload, at, at + PART < len ? at + PART : len, at + PART < len);
}

/* Packets that left. */
static uint32_t leaves(struct peer *p)
{
    uint32_t n = 0;
    struct seen *seen;
    peer_pump(p);
    while ((seen = peer_any(p)) != NULL) {
        n++;
        peer_taken(p, seen);
    }
    return n;
}

static uint32_t datagrams(struct peer *p)
{
    static uint8_t datagram[ROOM];
    struct hf_endpoint here = {.port = HERE}, there = peer_there(p, THERE);
    hf_handle socket;
    uint32_t worked = 0;
    if (hf_udp_open(p->stack, &p->env, &here, &socket) != HF_OK)
        return 0;
    peer_ip(p, WIRE_PROTO_UDP, datagram, make_datagram(p, datagram, 100));
    in_fragments(p, WIRE_PROTO_UDP, datagram, make_datagram(p, datagram, 5000));
    in_fragments(p, WIRE_PROTO_UDP, datagram, make_datagram(p, datagram, 60000));
    int64_t len;
    while ((len = hf_udp_recv(p->stack, &p->env, socket, NULL, NULL, got, sizeof got)) >= 0) {
        holds(memcmp(got, data, (size_t)len) == 0);
        worked++;
    }
    worked += hf_udp_send(p->stack, &p->env, socket, NULL, &there, data, 100) == 100;
    worked += hf_udp_send(p->stack, &p->env, socket, NULL, &there, data, 5000) == 5000;
    worked += leaves(p);
    hf_close(p->stack, &p->env, socket);
    return worked;
}

static uint32_t echoes(struct peer *p)
{
    static uint8_t message[ROOM];
    uint8_t type = p->v6 ? ICMP6_ECHO : ICMP4_ECHO;
    uint32_t len = make_icmp(p, message, type, 0, data, 3000);
    peer_ip(p, icmp_proto(p), message, make_icmp(p, message, type, 0, data, 64));
    make_icmp(p, message, type, 0, data, 3000);
    in_fragments(p, icmp_proto(p), message, len);
    peer_ip(p, WIRE_PROTO_UDP, message, make_datagram(p, message, 100)); /* nobody is there */
    peer_ip(p, 200, data, 40);
    return leaves(p);
}

/* Opens to hosts that do not answer, and one that asks. */
static uint32_t neighbours(struct peer *p)
{
    struct hf_endpoint remote = peer_there(p, 80);
    hf_handle handle[3];
    uint32_t worked = 0;
    for (uint8_t i = 0; i < 3; i++) {
        remote.ip[15] = (uint8_t)(100 + i);
        worked += hf_open(p->stack, &p->env, NULL, &remote, 0, &handle[worked]) == HF_OK;
    }
    uint32_t opened = worked;
    worked += leaves(p);
    for (uint32_t i = 0; i < opened; i++) {
        hf_abort(p->stack, &p->env, handle[i]);
        hf_release(p->stack, &p->env, handle[i]);
    }
    leaves(p);
    after(5000);
    leaves(p);
    return worked;
}

/* A region's text goes out on a connection, and what comes is kept where the device has it. */
static uint32_t lent_text(struct peer *p)
{
    static struct hf_region region;
    struct hf_endpoint remote = peer_there(p, 80);
    uint64_t token;
    hf_handle handle;
    uint32_t worked = 0;
    region = (struct hf_region){data, REGION};
    p->env.regions = &region;
    p->env.n_regions = 1;
    hf_region_add(p->stack, &p->env, 1);
    if (hf_open(p->stack, &p->env, NULL, &remote, 0, &handle) != HF_OK)
        return 0;
    struct seen *seen = peer_any(p);
    if (seen && seen->is_tcp) {
        uint8_t packet[256], segment[256];
        struct wire_ip ip = ip_in(p, WIRE_PROTO_TCP);
        struct segment seg = {.sport = 80,
                              .dport = seen->seg.sport,
                              .seq = seq(1000),
                              .ack = seq_add(seen->seg.seq, 1),
                              .ctl = SYN | ACK,
                              .wnd = 60000};
        uint32_t len = make_segment(&ip, segment, &seg, NULL, 0);
        peer_frame(p, packet, make_packet_of(packet, ip, segment, len));
        for (uint32_t i = 0; i < 3; i++)
            worked += hf_send_borrowed(p->stack, &p->env, handle, 1, i * 100, 100, i, 0) == 100;
        seg.seq = seq(1001);
        seg.ack = seq_add(seg.ack, 300);
        seg.ctl = ACK;
        leaves(p);
        len = make_segment(&ip, segment, &seg, data, 50);
        len = make_packet_of(data + 4096, ip, segment, len);
        struct hf_frame_in in = {
            .data = data + 4096, .len = len, .iface = 1, .region = 1, .token = 9};
        if (hf_input(p->stack, &p->env, &in, 1) == 0)
            worked += hf_recv(p->stack, &p->env, handle, got, 50) == 50;
    }
    if (seen)
        peer_taken(p, seen);
    hf_abort(p->stack, &p->env, handle);
    hf_release(p->stack, &p->env, handle);
    leaves(p);
    while (hf_returned(p->stack, &p->env, &token, 1) == 1)
        worked++;
    return worked;
}

static struct peer *begin(bool v6, bool ethernet)
{
    void *state;
    (v6 ? packets_setup6 : packets_setup4)(&state);
    struct peer *p = state;
    p->wild = true;
    p->ethernet = ethernet;
    p->config.max_half_open = 4;
    starts();
    p->env.trace = NULL;
    return p;
}

static void end(struct peer *p)
{
    void *state = p;
    peer_teardown(&state);
}

/* False: there is no n-th allocation in this life. */
static bool is_survived(life_fn *life, bool v6, bool ethernet, unsigned pool, uint32_t n,
                        uint32_t times)
{
    struct peer *p = begin(v6, ethernet);
    uint32_t used[REFUSE_POOLS];
    uint32_t worked = life(p);
    after(200000);
    leaves(p);
    for (unsigned i = 0; i < REFUSE_POOLS; i++)
        used[i] = refuse_used(p->stack, i);
    refuse_begin(p->stack, pool, n, times);
    life(p);
    bool happened = refuse_happened(p->stack, pool, times);
    refuse_end(p->stack);
    after(200000);
    leaves(p);
    for (unsigned i = 0; i < REFUSE_POOLS; i++)
        if (refuse_used(p->stack, i) != used[i])
            fail_msg("%s number %u: %s leaks", refuse_name(pool), n, refuse_name(i));
    uint32_t again = life(p);
    if (again != worked)
        fail_msg("%s number %u: %u worked afterwards, not %u", refuse_name(pool), n, again, worked);
    end(p);
    return happened;
}

static void is_survived_everywhere(life_fn *life, bool ethernet)
{
    uint32_t runs = 0;
    for (int v6 = 0; v6 < 2; v6++)
        for (unsigned pool = 0; pool < REFUSE_KINDS; pool++)
            for (int once = 0; once < 2; once++)
                for (uint32_t n = 1;
                     is_survived(life, v6, ethernet, pool, n, once ? 1 : REFUSE_ALL); n++)
                    runs++;
    printf("%u runs\n", runs);
    assert_true(runs > 4);
}

/* MM-02 */
static void datagrams_survive_each_refusal(void **state)
{
    (void)state;
    is_survived_everywhere(datagrams, false);
}

/* MM-02 */
static void echoes_and_errors_survive_each_refusal(void **state)
{
    (void)state;
    is_survived_everywhere(echoes, false);
}

/* MM-02 */
static void questions_to_neighbours_survive_each_refusal(void **state)
{
    (void)state;
    is_survived_everywhere(neighbours, true);
}

/* MM-02, MM-03 */
static void lent_text_survives_each_refusal(void **state)
{
    (void)state;
    is_survived_everywhere(lent_text, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_survive_each_refusal),
        cmocka_unit_test(echoes_and_errors_survive_each_refusal),
        cmocka_unit_test(questions_to_neighbours_survive_each_refusal),
        cmocka_unit_test(lent_text_survives_each_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
