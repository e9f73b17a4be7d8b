/* Forged, flooding and malformed neighbours: ARP (RFC 826, RFC 5227) and what both versions share
 * of the table (RFC 1122 2.3.2, RFC 6583).
 */
#include "common/link.h"
#include "common/packets.h"
#include "common/work.h"

#include <string.h>

#include "base/bytes.h"

enum { PORT = 7000 };

/* Somebody claims the peer's address in each way there is. */
static void forges(struct peer *p, unsigned i)
{
    switch (i % 3) {
    case 0:
        sends_arp(p, 2, other_mac, p->peer_ip, p->stack_ip);
        break;
    case 1:
        sends_arp(p, 1, other_mac, p->peer_ip, p->peer_ip);
        break;
    default:
        asks_as(p, p->peer_ip, other_mac);
    }
}

/* AR-01: forged answers, announcements and questions every ten milliseconds; the owner, asked at
 * the address it answered from, keeps its own. */
TEST(a_neighbour_that_answers_keeps_its_link_address)
{
    knows_the_peer(p);
    uint64_t questions = 0;
    for (unsigned i = 0; i < 1000; i++) {
        after(10);
        forges(p, i);
        struct seen *seen;
        while ((seen = peer_take(p, 0)) != NULL) {
            bool question = seen->bytes[ETH + 7] == 1;
            if (question) {
                holds(memcmp(seen->bytes, p->peer_mac, 6) == 0);
                questions++;
                forges(p, 0); /* and he is faster than the owner */
                answers(p, p->peer_mac);
            }
            peer_taken(p, seen);
        }
        if (i % 50 == 0)
            text_goes_to(p, p->peer_mac);
    }
    holds(questions >= 1 && questions <= 11); /* not one for each of them */
    holds(verdicts(p, HF_V_NEIGHBOUR_CONTESTED) >= 500);
}

/* AR-01: the other way round: who has really moved is found within three seconds. */
TEST(a_neighbour_that_has_moved_is_found)
{
    knows_the_peer(p);
    after(2000);
    sends_arp(p, 1, other_mac, p->peer_ip, p->peer_ip);
    for (int ms = 0; ms < 3000; ms += 100) {
        after(100);
        struct seen *seen;
        while ((seen = peer_take(p, 0)) != NULL) {
            if (memcmp(seen->bytes, everybody, 6) == 0)
                answers(p, other_mac); /* nobody is at the old one */
            peer_taken(p, seen);
        }
    }
    text_goes_to(p, other_mac);
}

/* AR-01: nobody is known because he says so, and what was set stays. */
TEST(what_nobody_asked_for_makes_no_neighbour)
{
    uint8_t ip[16];
    p->ethernet = true; /* the peer's is set */
    starts();
    memcpy(ip, p->peer_ip, 16);
    for (unsigned i = 3; i < 200; i++) {
        ip[15] = (uint8_t)i;
        answers_as(p, ip, other_mac);
        if (!p->v6)
            sends_arp(p, 1, other_mac, ip, ip);
        answers(p, other_mac);
    }
    holds_equal(counters_of(p).neighbours, 1);
    opens();
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL && memcmp(seen->bytes, p->peer_mac, 6) == 0);
    peer_taken(p, seen);
}

/* Floods -------------------------------------------------------------------------------------- */

static void from_number(const struct peer *p, uint32_t n, uint8_t ip[16])
{
    memcpy(ip, p->peer_ip, 16);
    ip[13] = (uint8_t)(n >> 16);
    ip[14] = (uint8_t)(n >> 8);
    ip[15] = (uint8_t)n;
}

/* The link is large: an address of the stack's with a short prefix. */
static void link_is_large(struct peer *p)
{
    uint8_t second[16];
    from_number(p, 0x00fffffe, second);
    calls(hf_address_add(p->stack, &p->env, 1, second, p->v6 ? 64 : 8));
}

/* AR-02, ND-02: questions from as many as there can be. */
TEST(strangers_in_masses_displace_nobody_who_has_answered)
{
    knows_the_peer(p);
    link_is_large(p);
    uint8_t ip[16];
    for (uint32_t n = 0; n < 65000; n++) {
        from_number(p, 0x10000 + n, ip);
        asks_as(p, ip, other_mac);
        (void)takes_questions(p);
        if (n % 1000 == 0)
            after(1);
        if (n % 5000 == 0)
            text_goes_to(p, p->peer_mac);
    }
    text_goes_to(p, p->peer_mac);
    holds(counters_of(p).neighbours <= p->config.max_neighbours);
}

/* AR-02, ND-02: datagrams to as many who are not there: the table's size bounds what is asked, and
 * the peer stays known. */
TEST(a_scan_of_the_link_asks_a_bounded_number_of_questions)
{
    p->wild = true;
    knows_the_peer(p);
    link_is_large(p);
    struct hf_endpoint here = {.port = PORT}, to = {.port = PORT};
    hf_handle socket;
    calls(hf_udp_open(p->stack, &p->env, &here, &socket));
    unsigned questions = 0;
    for (uint32_t n = 0; n < 65000; n++) {
        from_number(p, 0x10000 + n, to.ip);
        (void)hf_udp_send(p->stack, &p->env, socket, NULL, &to, "x", 1);
        questions += takes_questions(p);
        holds(counters_of(p).neighbours <= p->config.max_neighbours);
        holds(counters_of(p).packets <= p->config.max_packets);
        if (n % 65 == 0)
            after(10); /* ten seconds in all */
        if (n % 5000 == 0)
            text_goes_to(p, p->peer_mac);
    }
    /* half of the table may be unanswered: three questions each, in three seconds */
    holds(questions <= p->config.max_neighbours / 2 * 12);
    holds(questions >= 3);
    text_goes_to(p, p->peer_mac);
    after(10000);
    peer_forget(p);
    holds_equal(counters_of(p).packets, 0);
    uint8_t honest[16]; /* and then an honest neighbour is found */
    from_number(p, 0x20000, honest);
    memcpy(to.ip, honest, 16);
    calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, "x", 1));
    holds(takes_questions(p) == 1);
    answers_as(p, honest, other_mac);
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL && memcmp(seen->bytes, other_mac, 6) == 0);
    peer_taken(p, seen);
}

static double cost_of_a_stranger(uint32_t n, void *arg)
{
    struct peer *p = arg;
    uint8_t ip[16];
    for (uint32_t i = 0; i < n; i++) {
        from_number(p, i, ip);
        asks_as(p, ip, other_mac);
        peer_forget(p);
    }
    struct work_done before = work_of(p->stack);
    for (uint32_t i = 0; i < 100; i++) {
        from_number(p, 0x80000 + i, ip);
        asks_as(p, ip, other_mac);
        peer_forget(p);
    }
    return (double)work_since(p->stack, &before).steps / 100;
}

/* AR-02, ND-02 */
TEST(a_stranger_costs_as_much_behind_many_as_behind_few)
{
    knows_the_peer(p);
    link_is_large(p);
    for (uint32_t i = 0; i < 1000; i++) { /* the table is full */
        uint8_t ip[16];
        from_number(p, 0x40000 + i, ip);
        asks_as(p, ip, other_mac);
        peer_forget(p);
    }
    work_is_flat("a stranger's question", cost_of_a_stranger, p);
}

/* AR-03: three of each neighbour wait, the newest; those of all are bounded; all goes with time. */
TEST(what_waits_for_neighbours_is_bounded)
{
    p->ethernet = p->ask = true;
    p->wild = true;
    starts();
    link_is_large(p);
    struct hf_endpoint here = {.port = PORT}, to = {.port = PORT};
    hf_handle socket;
    calls(hf_udp_open(p->stack, &p->env, &here, &socket));
    uint64_t refused = 0;
    for (uint16_t i = 0; i < 10000; i++) {
        from_number(p, 0x10000 + i % 5, to.ip);
        refused += hf_udp_send(p->stack, &p->env, socket, NULL, &to, &i, sizeof i) < 0;
        (void)takes_questions(p);
        holds(counters_of(p).packets <= 15);
    }
    holds_equal(refused, 0);
    from_number(p, 0x10000, to.ip);
    answers_as(p, to.ip, other_mac);
    for (uint16_t i = 9985; i < 10000; i += 5) { /* the newest three */
        struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
        holds(seen != NULL && memcmp(seen->bytes, other_mac, 6) == 0);
        uint16_t got_number;
        memcpy(&got_number, seen->bytes + ETH + seen->ip.header_len + 8, sizeof got_number);
        holds_equal(got_number, i);
        peer_taken(p, seen);
    }
    holds(peer_take(p, WIRE_PROTO_UDP) == NULL);
    for (uint32_t i = 0; i < 10000; i++) { /* as many neighbours as datagrams */
        from_number(p, 0x20000 + i, to.ip);
        (void)hf_udp_send(p->stack, &p->env, socket, NULL, &to, &i, sizeof i);
        (void)takes_questions(p);
        holds(counters_of(p).packets <= p->config.max_packets);
    }
    after(4000);
    peer_forget(p);
    after(4000);
    peer_forget(p);
    holds_equal(counters_of(p).packets, 0);
    holds_equal(counters_of(p).small_chunks + counters_of(p).large_chunks, 0);
}

/* Somebody with this address pings. */
static void pings_as(struct peer *p, const uint8_t src[16])
{
    uint8_t echo[16] = {0}, packet[64];
    struct wire_ip ip = ip_in(p, icmp_proto(p));
    struct wire_icmp icmp = {.version = ip.version, .type = p->v6 ? ICMP6_ECHO : ICMP4_ECHO};
    memcpy(ip.src, src, 16);
    wire_put_icmp(echo, &icmp);
    wire_set_icmp_checksum(echo, sizeof echo, &ip);
    sends_frame(p, p->stack_mac, p->v6 ? WIRE_ETH_IPV6 : WIRE_ETH_IPV4, packet,
                make_packet_of(packet, ip, echo, sizeof echo));
}

/* AR-03: answers to hosts that are not there wait, but datagrams come and go, though some are
 * unread. */
TEST(what_waits_for_nobody_leaves_room_for_datagrams)
{
    static uint8_t datagram[100];
    p->ethernet = p->wild = true; /* the peer's link address is set */
    p->config.max_packets = 32;
    p->config.max_neighbours = 64;
    hf_handle socket = socket_on(p, PORT);
    struct hf_endpoint to = peer_there(p, THERE);
    uint8_t ip[16];
    link_is_large(p);
    for (uint32_t i = 0; i < 8; i++) {
        for (uint32_t n = 0; i == 7 && n < 120; n++) {
            from_number(p, 0x10000 + n / 3, ip);
            pings_as(p, ip);
        }
        peer_ip(p, WIRE_PROTO_UDP, datagram, make_datagram(p, datagram, 20));
        holds_equal(verdicts(p, HF_V_DATAGRAM), i + 1);
    }
    peer_forget(p);
    calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, data, 10));
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL);
    peer_taken(p, seen);
    expects_silence();
}

/* The other way about: what waits was there before the datagrams. */
TEST(what_waits_for_nobody_gives_way_to_datagrams)
{
    static uint8_t datagram[100];
    p->ethernet = p->wild = true;
    p->config.max_packets = 32;
    p->config.max_neighbours = 64;
    hf_handle socket = socket_on(p, PORT);
    struct hf_endpoint to = peer_there(p, THERE);
    uint8_t ip[16];
    link_is_large(p);
    for (uint32_t n = 0; n < 120; n++) {
        from_number(p, 0x10000 + n / 3, ip);
        pings_as(p, ip);
    }
    for (uint32_t i = 0; i < 16; i++) {
        peer_ip(p, WIRE_PROTO_UDP, datagram, make_datagram(p, datagram, 20));
    }
    holds(verdicts(p, HF_V_DATAGRAM) != 0);
    peer_forget(p);
    calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, data, 10));
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL);
    peer_taken(p, seen);
}

/* Asks the stack who this host is? */
static bool asks_for(const struct peer *p, const struct seen *seen, const uint8_t ip[16])
{
    const uint8_t *at = seen->bytes + ETH;
    return p->v6 ? seen->is_ip && memcmp(at + 40 + 8, ip, 16) == 0
                 : !seen->is_ip && memcmp(at + 24, ip + 12, 4) == 0;
}

/* AR-02, ND-02: pings of hosts that are not there, faster than these are given up: what we begin
 * ourselves is asked for. */
static void opens_among_pings(struct peer *p, uint32_t max_neighbours, uint8_t opens)
{
    uint8_t ip[16];
    p->ethernet = p->ask = p->wild = true;
    p->config.max_neighbours = max_neighbours;
    starts();
    link_is_large(p);
    for (uint32_t n = 0; n < 160; n++) {
        from_number(p, 0x10000 + n, ip);
        pings_as(p, ip);
        if (n % 16 == 0)
            after(250);
        peer_forget(p);
    }
    for (uint8_t i = 0; i < opens; i++) {
        struct hf_endpoint to = peer_there(p, THERE);
        hf_handle handle;
        to.ip[15] = (uint8_t)(100 + i);
        calls(hf_open(p->stack, &p->env, NULL, &to, 0, &handle));
        struct seen *seen = peer_any(p);
        holds(seen != NULL && asks_for(p, seen, to.ip));
        peer_taken(p, seen);
    }
}

TEST(who_pings_for_nobody_stops_no_open)
{
    opens_among_pings(p, 8, 2);
}

TEST(who_pings_for_nobody_stops_no_open_of_a_small_table)
{
    opens_among_pings(p, 2, 1);
}

/* Malformed ----------------------------------------------------------------------------------- */

static const uint8_t good_answer[WIRE_ARP_BYTES] = {0, 1, 8, 0, 6, 4, 0, 2};

static void put_answer(const struct peer *p, uint8_t frame[ETH + WIRE_ARP_BYTES])
{
    struct wire_eth eth = {.type = WIRE_ETH_ARP};
    memcpy(eth.dst, p->stack_mac, 6);
    memcpy(eth.src, p->peer_mac, 6);
    wire_put_eth(frame, &eth);
    memcpy(frame + ETH, good_answer, WIRE_ARP_BYTES);
    memcpy(frame + ETH + 8, p->peer_mac, 6);
    memcpy(frame + ETH + 14, p->peer_ip + 12, 4);
    memcpy(frame + ETH + 18, p->stack_mac, 6);
    memcpy(frame + ETH + 24, p->stack_ip + 12, 4);
}

static void is_no_answer(struct peer *p, const uint8_t *frame, uint32_t len)
{
    uint64_t before = verdicts(p, HF_V_DROP_NEIGHBOUR);
    peer_frame_guarded(p, frame, len);
    holds_equal(verdicts(p, HF_V_DROP_NEIGHBOUR), before + 1);
    expects_silence();
}

/* AR-04: the lengths of addresses, operations, the length of the whole. */
TEST(an_arp_packet_of_another_form_is_dropped)
{
    uint8_t frame[ETH + WIRE_ARP_BYTES];
    p->ethernet = p->ask = true;
    opens();
    expects_question(p, false);
    for (unsigned at = 0; at < 6; at++) {
        for (unsigned value = 0; value < 256; value++) {
            put_answer(p, frame);
            frame[ETH + at] = (uint8_t)value;
            if (value != good_answer[at])
                is_no_answer(p, frame, sizeof frame);
        }
    }
    for (unsigned op = 0; op < 65536; op += op < 20 ? 1 : 1021) {
        put_answer(p, frame);
        put_be16(frame + ETH + 6, (uint16_t)op);
        if (op != 1 && op != 2)
            is_no_answer(p, frame, sizeof frame);
    }
    put_answer(p, frame);
    for (uint32_t len = 0; len < WIRE_ARP_BYTES; len++)
        is_no_answer(p, frame, ETH + len);
    peer_frame_guarded(p, frame, sizeof frame);
    expects(SYN);
}

/* AR-04: senders that cannot be; and one who has our own address is told of. */
TEST(an_arp_sender_that_cannot_be_is_dropped_and_a_conflict_told)
{
    static const uint8_t macs[][6] = {
        {0}, {1, 0, 0x5e, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    static const uint8_t ips[][4] = {{127, 0, 0, 1},       {224, 0, 0, 1}, {240, 0, 0, 1},
                                     {255, 255, 255, 255}, {0, 0, 0, 1},   {10, 0, 0, 255}};
    uint8_t frame[ETH + WIRE_ARP_BYTES];
    p->ethernet = p->ask = true;
    opens();
    expects_question(p, false);
    for (uint8_t op = 1; op < 3; op++) {
        for (unsigned i = 0; i < 9; i++) {
            put_answer(p, frame);
            frame[ETH + 7] = op;
            if (i < 3)
                memcpy(frame + ETH + 8, macs[i], 6);
            else
                memcpy(frame + ETH + 14, ips[i - 3], 4);
            is_no_answer(p, frame, sizeof frame);
        }
        put_answer(p, frame);
        frame[ETH + 7] = op;
        memcpy(frame + ETH + 14, p->stack_ip + 12, 4);
        peer_frame_guarded(p, frame, sizeof frame);
        expects_silence();
        holds_equal(verdicts(p, HF_V_ADDRESS_CONFLICT), op);
        memcpy(frame + ETH + 8, p->stack_mac, 6); /* our own comes back: no conflict */
        is_no_answer(p, frame, sizeof frame);
        holds_equal(verdicts(p, HF_V_ADDRESS_CONFLICT), op);
    }
    answers(p, p->peer_mac);
    expects(SYN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(a_neighbour_that_answers_keeps_its_link_address),
        V4(a_neighbour_that_has_moved_is_found),
        BOTH(what_nobody_asked_for_makes_no_neighbour),
        BOTH(strangers_in_masses_displace_nobody_who_has_answered),
        BOTH(a_scan_of_the_link_asks_a_bounded_number_of_questions),
        BOTH(a_stranger_costs_as_much_behind_many_as_behind_few),
        BOTH(what_waits_for_neighbours_is_bounded),
        BOTH(what_waits_for_nobody_leaves_room_for_datagrams),
        BOTH(what_waits_for_nobody_gives_way_to_datagrams),
        BOTH(who_pings_for_nobody_stops_no_open),
        BOTH(who_pings_for_nobody_stops_no_open_of_a_small_table),
        V4(an_arp_packet_of_another_form_is_dropped),
        V4(an_arp_sender_that_cannot_be_is_dropped_and_a_conflict_told),
    };
    return cmocka_run_group_tests_name("neighbours", tests, NULL, NULL);
}
