/* test_link.c - on an Ethernet link: ARP (RFC 826, RFC 1122 2.3.2), neighbour discovery (RFC 4861
 * 7), what frames are for us (RFC 894, RFC 1122 3.2.1.3). */
#include "common/link.h"
#include "common/packets.h"

#include <string.h>

#include "base/bytes.h"

enum { PORT = 7000 };

/* Opens, and learns the ISS from the SYN that leaves once the peer has answered. */
static void asks_for_the_peer(struct peer *p)
{
    p->ethernet = p->ask = true;
    opens();
    expects_question(p, false);
    expects_silence();
}

TEST(a_syn_waits_until_the_neighbour_has_answered)
{
    asks_for_the_peer(p);
    after(500);
    answers(p, p->peer_mac);
    expects(SYN, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_silence();
}

/* RFC 6298 5.1: the timer runs from when the SYN is sent, not from when it was to be sent. */
TEST(a_syn_that_had_to_wait_is_not_sent_again_before_its_time)
{
    p->config.policy.rto_initial_ms = 600;
    asks_for_the_peer(p);
    after(900); /* meanwhile it was to go again, and waits 1200 from then on */
    answers(p, p->peer_mac);
    expects(SYN, .seq = ISS);
    after(1199);
    expects_silence();
    after(1);
    expects(SYN, .seq = ISS);
}

/* RFC 1122 2.3.2.1, RFC 4861 7.2.2: one question a second, three in all.
 * RFC1122-13, RFC4861-2 */
TEST(a_neighbour_that_never_answers_is_unreachable_after_three_seconds)
{
    asks_for_the_peer(p);
    after(999);
    expects_silence();
    after(1);
    expects_question(p, false);
    after(1000);
    expects_question(p, false);
    after(999);
    expects_silence();
    after(1);
    expects_closed(HF_ERR_HOST_UNREACHABLE);
    after(10000);
    expects_silence();
}

/* hf_check: who no longer owes anything waits for nobody. */
TEST(an_open_that_is_aborted_while_it_waits_for_its_neighbour_waits_no_more)
{
    asks_for_the_peer(p);
    aborts();
    expects_state(HF_CLOSED);
    answers(p, p->peer_mac);
    expects_silence();
    on(1);
    opens();
    expects(SYN, .seq = ISS);
}

/* RFC 9293 3.8.3 (a), RFC 4861 7.3.1.  MUST-20 */
TEST(after_three_retransmissions_the_next_hop_is_asked_whether_it_is_still_there)
{
    asks_for_the_peer(p);
    answers(p, p->peer_mac);
    expects(SYN, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    writes(10);
    expects(ACK, .len = 10);
    for (uint32_t retries = 0; retries < 2; retries = status_of(retries)) {
        after(10);
        struct seen *seen;
        while ((seen = peer_take(p, WIRE_PROTO_TCP)) != NULL)
            peer_taken(p, seen);
        holds(peer_any(p) == NULL);
    }
    while (status_of(retries) < 3)
        after(10);
    after(1);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL);
    peer_taken(p, seen);
    expects_question(p, true);
}

TEST(a_datagram_to_a_silent_neighbour_is_reported_to_its_socket)
{
    p->ethernet = p->ask = true;
    starts();
    struct hf_endpoint local = {.port = PORT}, to = peer_there(p, PORT);
    hf_handle handle;
    calls(hf_udp_open(p->stack, &p->env, &local, &handle));
    for (int i = 0; i < 10; i++)
        calls(hf_udp_send(p->stack, &p->env, handle, NULL, &to, &i, sizeof i));
    expects_question(p, false);
    after(3000);
    struct hf_icmp_report report;
    calls(hf_error_report(p->stack, handle, &report));
    holds_equal(report.error, HF_ERR_HOST_UNREACHABLE);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.packets, 0);
    holds_equal(counters.neighbours, 0);
}

/* RFC 9293 3.9.1.8: a soft error, of which an open connection is told.  RFC4861-2 */
TEST(an_open_connection_is_told_of_a_silent_neighbour)
{
    struct hf_icmp_report report;
    p->ethernet = p->ask = true;
    opens();
    expects_question(p, false);
    answers(p, p->peer_mac);
    expects(SYN, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .mss = 1460);
    expects(ACK);
    after(31000); /* the entry is old */
    writes(100);
    for (int i = 0; i < 100; i++) {
        after(100);
        peer_forget(p);
    }
    expects_event(HF_ERROR_REPORT);
    calls(hf_error_report(p->stack, p->c->handle, &report));
    holds_equal(report.error, HF_ERR_HOST_UNREACHABLE);
    holds_equal(report.version, p->v6 ? 6 : 4);
    expects_state(HF_ESTABLISHED); /* MUST-56 */
}

/* hf_events: "true when read, not stale"; hf_error_report: "the oldest gives way" */
TEST(a_report_that_gave_way_is_not_told)
{
    struct hf_event events[4];
    hf_handle handles[3];
    p->config.max_connections = 1;
    p->config.max_udp = 3; /* half as many reports are kept: two */
    p->ethernet = p->ask = true;
    starts();
    struct hf_endpoint to = peer_there(p, PORT);
    for (uint16_t i = 0; i < 3; i++) {
        struct hf_endpoint local = {.port = PORT + i};
        calls(hf_udp_open(p->stack, &p->env, &local, &handles[i]));
        calls(hf_udp_send(p->stack, &p->env, handles[i], NULL, &to, "x", 1));
    }
    expects_question(p, false);
    while (hf_events(p->stack, &p->env, events, 4) != 0) {
    }
    after(3000);
    uint32_t n = hf_events(p->stack, &p->env, events, 4);
    holds_equal(n, 2);
    for (uint32_t i = 0; i < n; i++) {
        struct hf_icmp_report report;
        holds(events[i].bits & HF_ERROR_REPORT);
        calls(hf_error_report(p->stack, events[i].handle, &report));
    }
}

/* RFC 1122 2.3.2.2: the latest are kept; a bounded number.  RFC1122-14 */
TEST(the_newest_datagrams_wait_for_the_neighbour)
{
    p->ethernet = p->ask = true;
    starts();
    struct hf_endpoint local = {.port = PORT}, to = peer_there(p, PORT);
    hf_handle handle;
    calls(hf_udp_open(p->stack, &p->env, &local, &handle));
    for (uint8_t i = 0; i < 10; i++)
        calls(hf_udp_send(p->stack, &p->env, handle, NULL, &to, &i, 1));
    expects_question(p, false);
    answers(p, p->peer_mac);
    int last = -1, n = 0;
    struct seen *seen;
    while ((seen = peer_take(p, WIRE_PROTO_UDP)) != NULL) {
        int octet = seen->bytes[ETH + seen->ip.header_len + 8];
        holds(octet > last);
        last = octet;
        n++;
        peer_taken(p, seen);
    }
    holds_equal(last, 9);
    holds(n >= 1 && n <= 4);
}

/* hf_canonical: it is forgotten what a packet had to wait for. */
TEST(a_packet_that_waited_for_its_neighbour_is_as_any_other)
{
    p->ethernet = p->ask = true;
    p->config.max_tokens = 1;
    starts();
    p->hold_done = true;
    struct hf_endpoint any = {.port = PORT}, to = peer_there(p, PORT);
    hf_handle socket;
    calls(hf_udp_open(p->stack, &p->env, &any, &socket));
    holds_equal(hf_udp_send(p->stack, &p->env, socket, NULL, &to, "x", 1), 1);
    peer_pump(p);
    expects_question(p, false); /* the one frame that may be out */
    answers(p, p->peer_mac);
    uint64_t bytes;
    uint8_t *waited = state_of(p, &bytes);
    calls(hf_output_done(p->stack, &p->env, p->tokens[0]));
    peer_pump(p);
    calls(hf_output_done(p->stack, &p->env, p->tokens[1]));
    asks_as(p, p->peer_ip, p->peer_mac); /* the answer is out now */
    peer_forget(p);
    holds_equal(hf_udp_send(p->stack, &p->env, socket, NULL, &to, "x", 1), 1);
    holds(state_is(p, waited, bytes));
}

static void has_an_old_entry(struct peer *p)
{
    asks_for_the_peer(p);
    answers(p, p->peer_mac);
    expects(SYN, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK);
    after(31000);
}

/* A known neighbour is asked again, directly, when what is known is old and used.  RFC1122-12
 * RFC4861-6 */
TEST(an_old_entry_is_confirmed_by_a_question_to_its_owner)
{
    has_an_old_entry(p);
    expects_silence();
    sends(PSH | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects_question(p, true);
    expects(ACK, .ack = IRS + 101);
    answers(p, p->peer_mac);
    after(5000);
    expects_silence();
}

static bool waits_for(const struct peer *p, enum hf_cause cause, enum hf_state state)
{
    const struct hf_trace *r = &p->last;
    return r->kind == HF_TRACE_WAIT && r->cause == cause && r->state_before == state &&
           r->state_after == state && r->handle == p->c->handle;
}

/* The oracle, too, is told: the ACK is late, and breaks no rule. */
TEST(what_waits_for_a_link_address_says_so)
{
    has_an_old_entry(p);
    sends(PSH | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 101);
    after(4000); /* nobody answers: the entry is gone */
    peer_forget(p);
    sends(PSH | ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 100);
    expects_question(p, false);
    holds(waits_for(p, HF_CAUSE_LINK_ADDRESS, HF_ESTABLISHED));
    struct hf_trace records[1];
    holds_equal(hf_history(p->stack, p->c->handle, records, 1), 1);
    holds_equal(records[0].kind, HF_TRACE_WAIT);
    holds_equal(records[0].cause, HF_CAUSE_LINK_ADDRESS);
    after(900);
    expects_silence();
    answers(p, p->peer_mac);
    expects(ACK, .ack = IRS + 201);
    expects_silence();
}

TEST(what_has_no_route_any_more_says_so)
{
    establish_active();
    calls(hf_address_remove(p->stack, &p->env, 1, p->stack_ip));
    writes(100);
    expects_silence();
    holds(waits_for(p, HF_CAUSE_NO_ROUTE, HF_ESTABLISHED));
    expects_event(HF_ERROR_REPORT);
    calls(hf_address_add(p->stack, &p->env, 1, p->stack_ip, p->v6 ? 64 : 24));
}

TEST(a_reset_that_has_no_way_is_counted)
{
    p->peer_ip[p->v6 ? 1 : 13] = 99; /* not on the link */
    sends(SYN, .seq = IRS);
    expects_silence();
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.replies_dropped, 1);
}

/* RFC 826; RFC 4861 7.2.4.  RFC826-1, RFC4861-3, RFC4861-9 */
TEST(who_asks_for_our_address_is_answered)
{
    p->ethernet = p->ask = true;
    starts();
    if (!p->v6) {
        sends_arp(p, 1, p->peer_mac, p->peer_ip, p->stack_ip);
        struct seen *seen = peer_take(p, 0);
        struct wire_arp arp;
        holds(seen != NULL);
        holds(wire_parse_arp(seen->bytes + ETH, seen->len - ETH, &arp) == WIRE_OK);
        holds(arp.op == 2 && memcmp(arp.sha, p->stack_mac, 6) == 0);
        holds(memcmp(arp.spa, p->stack_ip + 12, 4) == 0);
        holds(memcmp(arp.tha, p->peer_mac, 6) == 0 && memcmp(seen->bytes, p->peer_mac, 6) == 0);
        peer_taken(p, seen);
        sends_arp(p, 1, p->peer_mac, p->peer_ip, p->peer_ip); /* not for us */
    } else {
        uint8_t group[16];
        solicited_node(p->stack_ip, group);
        struct nd_spec spec = {.src = p->peer_ip, .dst = group, .target = p->stack_ip, .type = NS};
        spec.mac = p->peer_mac;
        sends_nd(p, &spec);
        struct seen *seen = peer_take(p, WIRE_PROTO_ICMPV6);
        struct wire_icmp icmp;
        struct wire_nd nd;
        holds(seen != NULL && seen->ip.ttl == 255);
        holds(wire_parse_icmp(seen->bytes + ETH + 40, seen->len - ETH - 40, 6, &icmp) == WIRE_OK);
        holds(wire_parse_nd(&icmp, &nd) == WIRE_OK);
        holds(!nd.solicitation && nd.solicited && nd.override && !nd.router);
        holds(nd.has_lladdr && memcmp(nd.lladdr, p->stack_mac, 6) == 0);
        holds(memcmp(nd.target, p->stack_ip, 16) == 0);
        holds(memcmp(seen->ip.dst, p->peer_ip, 16) == 0);
        peer_taken(p, seen);
        spec.target = p->peer_ip; /* not for us */
        sends_nd(p, &spec);
    }
    expects_silence();
    opens(); /* who asked is known by that */
    struct seen *seen = peer_any(p);
    holds(seen != NULL && seen->is_ip);
    peer_taken(p, seen);
}

/* RFC 4861 7.2.4: duplicate address detection is answered to all nodes.  RFC4861-3 */
TEST(a_probe_for_our_address_is_answered_to_everybody)
{
    static const uint8_t nobody[16];
    uint8_t group[16];
    p->ethernet = p->ask = true;
    starts();
    if (!p->v6) {
        sends_arp(p, 1, p->peer_mac, nobody, p->stack_ip);
        struct seen *seen = peer_take(p, 0);
        holds(seen != NULL && seen->bytes[ETH + 7] == 2);
        peer_taken(p, seen);
        return;
    }
    solicited_node(p->stack_ip, group);
    sends_nd(p, &(struct nd_spec){.src = nobody, .dst = group, .target = p->stack_ip, .type = NS});
    struct seen *seen = peer_take(p, WIRE_PROTO_ICMPV6);
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    holds(seen != NULL && memcmp(seen->ip.dst, all_nodes, 16) == 0);
    holds((seen->bytes[ETH + 44] & 0x60) == 0x20); /* not solicited, override */
    peer_taken(p, seen);
    /* with an option, or to another group, it cannot be (7.1.1) */
    sends_nd(p,
             &(struct nd_spec){
                 .src = nobody, .dst = group, .target = p->stack_ip, .type = NS, .mac = other_mac});
    sends_nd(p,
             &(struct nd_spec){.src = nobody, .dst = all_nodes, .target = p->stack_ip, .type = NS});
    expects_silence();
}

/* Nobody asked: neither a new entry nor another link address comes of it.  RFC4861-4 */
TEST(an_answer_that_nobody_asked_for_changes_nothing)
{
    p->ethernet = p->ask = true;
    starts();
    answers(p, other_mac);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.neighbours, 0);
    opens();
    expects_question(p, false);
    answers(p, p->peer_mac);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL && memcmp(seen->bytes, p->peer_mac, 6) == 0);
    peer_taken(p, seen);
    if (!p->v6) {
        sends_arp(p, 2, other_mac, p->peer_ip, p->stack_ip);
        sends_arp(p, 1, other_mac, p->peer_ip, p->peer_ip);
        after(1500);
        seen = peer_take(p, WIRE_PROTO_TCP);
        holds(seen != NULL && memcmp(seen->bytes, p->peer_mac, 6) == 0);
        peer_taken(p, seen);
    }
}

/* RFC 826: an answer that nobody asked for tells nothing of who is there now.  RFC1122-12 */
TEST(an_old_entry_is_not_confirmed_by_an_answer_to_no_question)
{
    has_an_old_entry(p);
    answers(p, p->peer_mac);
    expects_silence();
    sends(PSH | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects_question(p, true);
    expects(ACK, .ack = IRS + 101);
}

static void repeated_syn_goes_to(struct peer *p, const uint8_t mac[6])
{
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL && memcmp(seen->bytes, mac, 6) == 0);
    peer_taken(p, seen);
}

/* RFC 4861 7.2.5.  RFC4861-4 */
TEST(another_link_address_is_believed_only_when_it_says_that_it_overrides)
{
    if (!p->v6)
        return;
    struct nd_spec news = {
        .src = p->peer_ip, .dst = p->stack_ip, .target = p->peer_ip, .mac = other_mac, .type = NA};
    asks_for_the_peer(p);
    answers(p, p->peer_mac);
    repeated_syn_goes_to(p, p->peer_mac);
    sends_nd(p, &news);
    after(1500); /* in doubt: the old one is used, and asked */
    repeated_syn_goes_to(p, p->peer_mac);
    expects_question(p, true);
    news.override = true;
    sends_nd(p, &news);
    after(2100);
    repeated_syn_goes_to(p, other_mac);
}

TEST(a_permanent_neighbour_stays_what_it_is)
{
    p->ethernet = true;
    starts();
    answers(p, other_mac);
    if (!p->v6)
        sends_arp(p, 1, other_mac, p->peer_ip, p->peer_ip);
    opens();
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL && memcmp(seen->bytes, p->peer_mac, 6) == 0);
    peer_taken(p, seen);
}

/* RFC 4861 7.1: each of the checks.  RFC4861-1 */
TEST(a_message_that_fails_one_check_is_no_answer)
{
    asks_for_the_peer(p);
    if (!p->v6) {
        uint8_t sha[6] = {3, 0, 0, 0, 0, 2}; /* a group's */
        answers(p, sha);
        sends_arp(p, 3, p->peer_mac, p->peer_ip, p->stack_ip);
        sends_arp(p, 2, p->peer_mac, p->stack_ip, p->stack_ip);
        uint8_t stub[27] = {0, 1, 8, 0, 6, 4, 0, 2};
        sends_frame(p, p->stack_mac, WIRE_ETH_ARP, stub, sizeof stub);
    } else {
        uint8_t group[16];
        solicited_node(p->stack_ip, group);
        const struct nd_spec good = {.src = p->peer_ip,
                                     .dst = p->stack_ip,
                                     .target = p->peer_ip,
                                     .mac = p->peer_mac,
                                     .type = NA,
                                     .solicited = true};
        struct nd_spec bad = good;
        bad.hop_limit = 254;
        sends_nd(p, &bad);
        bad = good, bad.code = 1;
        sends_nd(p, &bad);
        bad = good, bad.bad_checksum = true;
        sends_nd(p, &bad);
        bad = good, bad.target = group;
        sends_nd(p, &bad);
        bad = good, bad.dst = group;
        sends_nd(p, &bad);
        bad = good, bad.mac = NULL;
        sends_nd(p, &bad);
        static const uint8_t group_mac[6] = {3, 0, 0, 0, 0, 2};
        bad = good, bad.mac = group_mac;
        sends_nd(p, &bad);
    }
    expects_silence();
    answers(p, p->peer_mac);
    expects(SYN);
}

/* An attacker who asks from many addresses must not push out who has answered. */
TEST(strangers_do_not_displace_a_neighbour_that_has_answered)
{
    p->config.max_neighbours = 16;
    asks_for_the_peer(p);
    answers(p, p->peer_mac);
    expects(SYN);
    uint8_t stranger[16], group[16];
    memcpy(stranger, p->peer_ip, 16);
    solicited_node(p->stack_ip, group);
    for (int i = 3; i < 250; i++) {
        stranger[15] = (uint8_t)i;
        if (p->v6)
            sends_nd(p, &(struct nd_spec){.src = stranger,
                                          .dst = group,
                                          .target = p->stack_ip,
                                          .type = NS,
                                          .mac = other_mac});
        else
            sends_arp(p, 1, other_mac, stranger, p->stack_ip);
        struct seen *seen = peer_any(p);
        holds(seen != NULL);
        peer_taken(p, seen);
    }
    after(1100);
    expects(SYN);
    expects_silence();
}

/* RFC 1122 3.3.6, RFC 9293 MUST-57: TCP takes nothing that came to a group.
 * RFC1122-3, RFC1122-15, RFC1122-16; MUST-63 */
TEST(frames_that_are_not_for_this_host_are_dropped)
{
    p->ethernet = true;
    listens();
    starts();
    uint8_t packet[100];
    struct segment syn = {.seq = seq(1), .ctl = SYN, .sport = 4000, .wnd = 1000};
    syn.dport = p->c->stack_port;
    struct wire_ip ip = {.version = p->v6 ? 6 : 4, .proto = WIRE_PROTO_TCP, .ttl = 64};
    uint16_t type = p->v6 ? WIRE_ETH_IPV6 : WIRE_ETH_IPV4;
    memcpy(ip.src, p->peer_ip, 16);
    memcpy(ip.dst, p->stack_ip, 16);
    uint32_t at = p->v6 ? 40 : 20;
    ip.total_len = at + 20;
    wire_put_ip(packet, &ip);
    wire_put_tcp(packet + at, &syn);
    wire_set_tcp_checksum(packet + at, 20, &ip, 0, 0);
    sends_frame(p, everybody, type, packet, at + 20);
    sends_frame(p, other_mac, type, packet, at + 20);
    sends_frame(p, p->stack_mac, p->v6 ? WIRE_ETH_IPV4 : WIRE_ETH_IPV6, packet, at + 20);
    sends_frame(p, p->stack_mac, 0x88cc, packet, at + 20);
    sends_frame(p, p->stack_mac, WIRE_ETH_VLAN, packet, at + 20);
    expects_silence();
    /* to a group, and from what cannot be a host */
    static const uint8_t v6_bad[][16] = {
        {0xff, 2, [15] = 1}, {0}, {[15] = 1}, {[10] = 0xff, 0xff, 1}};
    static const uint8_t v4_bad[][4] = {
        {255, 255, 255, 255}, {10, 0, 0, 255}, {127, 0, 0, 1}, {224, 0, 0, 1}, {0, 0, 0, 0}};
    for (size_t i = 0; i < (p->v6 ? 4 : 5) * 2; i++) {
        uint8_t *field = i % 2 ? ip.src : ip.dst;
        memcpy(ip.src, p->peer_ip, 16);
        memcpy(ip.dst, p->stack_ip, 16);
        if (p->v6)
            memcpy(field, v6_bad[i / 2], 16);
        else
            wire_from_v4(field, v4_bad[i / 2]);
        wire_put_ip(packet, &ip);
        wire_set_tcp_checksum(packet + at, 20, &ip, 0, 0);
        sends_frame(p, p->stack_mac, type, packet, at + 20);
        expects_silence();
    }
    memcpy(ip.src, p->stack_ip, 16); /* our own */
    memcpy(ip.dst, p->stack_ip, 16);
    wire_put_ip(packet, &ip);
    wire_set_tcp_checksum(packet + at, 20, &ip, 0, 0);
    sends_frame(p, p->stack_mac, type, packet, at + 20);
    expects_silence();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_syn_waits_until_the_neighbour_has_answered),
        BOTH(a_syn_that_had_to_wait_is_not_sent_again_before_its_time),
        BOTH(a_neighbour_that_never_answers_is_unreachable_after_three_seconds),
        BOTH(an_open_that_is_aborted_while_it_waits_for_its_neighbour_waits_no_more),
        BOTH(after_three_retransmissions_the_next_hop_is_asked_whether_it_is_still_there),
        BOTH(a_datagram_to_a_silent_neighbour_is_reported_to_its_socket),
        BOTH(an_open_connection_is_told_of_a_silent_neighbour),
        BOTH(a_report_that_gave_way_is_not_told),
        BOTH(the_newest_datagrams_wait_for_the_neighbour),
        BOTH(a_packet_that_waited_for_its_neighbour_is_as_any_other),
        BOTH(an_old_entry_is_confirmed_by_a_question_to_its_owner),
        BOTH(who_asks_for_our_address_is_answered),
        BOTH(a_probe_for_our_address_is_answered_to_everybody),
        BOTH(an_answer_that_nobody_asked_for_changes_nothing),
        V4(an_old_entry_is_not_confirmed_by_an_answer_to_no_question),
        V6(another_link_address_is_believed_only_when_it_says_that_it_overrides),
        BOTH(what_waits_for_a_link_address_says_so),
        BOTH(what_has_no_route_any_more_says_so),
        BOTH(a_reset_that_has_no_way_is_counted),
        BOTH(a_permanent_neighbour_stays_what_it_is),
        BOTH(a_message_that_fails_one_check_is_no_answer),
        BOTH(strangers_do_not_displace_a_neighbour_that_has_answered),
        BOTH(frames_that_are_not_for_this_host_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
