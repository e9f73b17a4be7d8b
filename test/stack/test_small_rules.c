/* Rules of the stack room that are easily bent: what is asked before it is answered, which of
 * several listeners, sockets and addresses is meant, what is handed on.
 */
#include "common/link.h"

#include <string.h>

#include "base/bytes.h"

enum { PORT = 7000 };

TEST(a_reset_waits_for_the_neighbour_and_is_whole_then)
{
    p->ethernet = p->ask = true;
    starts();
    sends(SYN, .seq = IRS);
    struct seen *seen = peer_take(p, 0); /* who has ... */
    holds(seen != NULL);
    peer_taken(p, seen);
    expects_silence();
    answers(p, p->peer_mac);
    expects(RST | ACK, .seq = ZERO, .ack = IRS + 1);
}

/* An ICMP error for one of our addresses about what another of them sent. */
TEST(an_error_that_came_to_another_address_than_the_quoted_one_is_ignored)
{
    uint8_t second[16], first[16];
    opens();
    expects(SYN);
    memcpy(first, p->stack_ip, 16);
    memcpy(second, p->stack_ip, 16);
    second[15] = 77;
    calls(hf_address_add(p->stack, &p->env, (uint32_t)p->iface, second, p->v6 ? 64 : 24));
    uint8_t message[8 + 40 + 20] = {0};
    struct wire_icmp icmp = {.version = p->v6 ? 6 : 4,
                             .type = p->v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE,
                             .code = p->v6 ? 4 : 3};
    struct wire_ip quoted = {.version = icmp.version, .proto = WIRE_PROTO_TCP, .ttl = 60};
    quoted.total_len = p->v6 ? 60 : 40;
    memcpy(quoted.src, first, 16);
    memcpy(quoted.dst, p->peer_ip, 16);
    size_t at = wire_put_icmp(message, &icmp);
    at += wire_put_ip(message + at, &quoted);
    struct segment seg = {.ctl = SYN, .sport = p->c->stack_port, .dport = p->c->peer_port};
    seg.seq = seq(peer_number(p, ISS));
    at += wire_put_tcp(message + at, &seg);
    for (int i = 0; i < 2; i++) {
        struct wire_ip ip = {.version = icmp.version};
        memcpy(p->stack_ip, i ? first : second, 16);
        memcpy(ip.src, p->peer_ip, 16);
        memcpy(ip.dst, p->stack_ip, 16);
        wire_set_icmp_checksum(message, at, &ip);
        peer_ip(p, p->v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP, message, (uint32_t)at);
        if (i == 0)
            expects_state(HF_SYN_SENT);
    }
    expects_closed(HF_ERR_PORT_UNREACHABLE);
}

TEST(an_option_that_a_listener_took_back_is_not_handed_on)
{
    int64_t value = 1;
    listens();
    hf_handle listener = p->listener;
    static const int options[] = {HF_KEEPALIVE, HF_NODELAY, HF_QUICK_ACK};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        calls(hf_set_option(p->stack, &p->env, listener, (enum hf_option)options[i], 1));
        calls(hf_set_option(p->stack, &p->env, listener, (enum hf_option)options[i], 0));
        calls(hf_option(p->stack, listener, (enum hf_option)options[i], &value));
        holds_equal(value, 0);
    }
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        calls(hf_option(p->stack, p->c->handle, (enum hf_option)options[i], &value));
        holds_equal(value, 0);
    }
}

/* Two links with the same link-local addresses. */
static void two_links(struct peer *p, uint8_t ours[16], uint8_t theirs[16])
{
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = 1500};
    memset(ours, 0, 16);
    ours[0] = 0xfe, ours[1] = 0x80, ours[15] = 1;
    memcpy(theirs, ours, 16);
    theirs[15] = 2;
    p->wild = true;
    starts();
    holds_equal(hf_interface_add(p->stack, &p->env, &iface), 2);
    calls(hf_address_add(p->stack, &p->env, 1, ours, 64));
    calls(hf_address_add(p->stack, &p->env, 2, ours, 64));
}

/* RFC 4007: a socket of one link is another one than that of the other link. */
TEST(one_port_may_be_taken_once_on_each_link)
{
    uint8_t ours[16], theirs[16];
    hf_handle socket;
    two_links(p, ours, theirs);
    struct hf_endpoint local = {.port = PORT, .iface = 1};
    memcpy(local.ip, ours, 16);
    calls(hf_udp_open(p->stack, &p->env, &local, &socket));
    refuses(HF_ERR_EXISTS, hf_udp_open(p->stack, &p->env, &local, &socket));
    local.iface = 2;
    calls(hf_udp_open(p->stack, &p->env, &local, &socket));
    refuses(HF_ERR_EXISTS, hf_udp_open(p->stack, &p->env, &local, &socket));
}

/* By link 1, to the listener `here` and not to the listener `past`. */
static void a_connection_reaches(struct peer *p, const uint8_t ours[16], const uint8_t theirs[16],
                                 hf_handle here, hf_handle past)
{
    hf_handle handle;
    memcpy(p->stack_ip, ours, 16);
    memcpy(p->peer_ip, theirs, 16);
    p->c->stack_port = PORT;
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, past, &handle, NULL));
    calls(hf_accept(p->stack, &p->env, here, &handle, NULL));
}

TEST(a_listener_of_one_link_goes_before_one_of_all)
{
    uint8_t ours[16], theirs[16];
    hf_handle all, one;
    two_links(p, ours, theirs);
    struct hf_listen listen = {.struct_size = sizeof listen, .backlog = 4, .local.port = PORT};
    memcpy(listen.local.ip, ours, 16);
    listen.local.iface = 1;
    calls(hf_listen(p->stack, &p->env, &listen, &one));
    listen.local.iface = 0;
    memset(listen.local.ip, 0, 16);
    calls(hf_listen(p->stack, &p->env, &listen, &all));
    a_connection_reaches(p, ours, theirs, one, all);
}

/* RFC 791 3.2: what tells one datagram's fragments from another's. */
TEST(datagrams_in_fragments_have_numbers_of_their_own)
{
    static uint8_t text[4000];
    hf_handle socket;
    uint32_t idents[2] = {0};
    struct hf_endpoint to = {.port = 9};
    starts();
    struct hf_endpoint any = {.port = PORT};
    calls(hf_udp_open(p->stack, &p->env, &any, &socket));
    memcpy(to.ip, p->peer_ip, 16);
    for (int i = 0; i < 2; i++) {
        calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, text, sizeof text));
        peer_pump(p);
        struct seen *seen;
        for (int n = 0; (seen = peer_take(p, WIRE_PROTO_UDP)) != NULL; n++) {
            holds(seen->ip.fragment);
            holds(n == 0 || seen->ip.ident == idents[i]);
            idents[i] = seen->ip.ident;
            peer_taken(p, seen);
        }
    }
    holds(idents[0] != 0 && idents[0] != idents[1]);
}

static void an_announcement_is_asked_about(struct peer *p, int op)
{
    p->ethernet = p->ask = true;
    opens();
    peer_taken(p, peer_take(p, 0));
    answers(p, p->peer_mac);
    expects(SYN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1);
    expects(ACK);
    after(1000); /* what was confirmed just now is not asked about again */
    for (int changed = 0; changed < 2; changed++) {
        sends_arp(p, op, changed ? other_mac : p->peer_mac, p->peer_ip, p->peer_ip);
        writes(10);
        expects(ACK, .len = 10);
        sends(ACK);
        struct seen *seen = peer_take(p, 0);
        holds((seen != NULL) == changed);
        if (seen) { /* the one that is known, not the one that claims */
            holds(memcmp(seen->bytes, p->peer_mac, 6) == 0);
            peer_taken(p, seen);
        }
    }
}

/* RFC 5227 3: an announcement with another link address is at most a reason to ask. */
TEST(an_announced_change_of_a_link_address_is_asked_about)
{
    an_announcement_is_asked_about(p, 1);
}

TEST(a_change_that_is_announced_by_an_answer_is_asked_about_too)
{
    an_announcement_is_asked_about(p, 2);
}

/* RFC 4861 7.3.3: a neighbour that has moved, and answers no more where it was, is looked for anew;
 * nobody has failed, though at that moment another is looked for, too, who is not there. */
TEST(one_that_has_moved_is_looked_for_and_fails_nobody_while_another_is_missing)
{
    p->ethernet = p->ask = true;
    opens();
    peer_taken(p, peer_take(p, 0));
    answers(p, p->peer_mac);
    expects(SYN);
    sends(RST | ACK, .seq = 0, .ack = ISS + 1);
    after(120000);
    on(1);
    opens();
    after(1500);
    struct hf_endpoint missing = peer_there(p, 80);
    missing.ip[15] ^= 64;
    hf_handle other;
    calls(hf_open(p->stack, &p->env, NULL, &missing, 0, &other));
    peer_pump(p);
    after(1700);
    peer_forget(p);
    expects_state(HF_SYN_SENT);
    answers(p, other_mac);
    after(8000);
    peer_forget(p);
    expects_state(HF_SYN_SENT);
}

/* A question for somebody else says nothing of those who are known. */
TEST(a_question_for_somebody_else_is_none_of_ours)
{
    uint8_t somebody[16];
    p->ethernet = p->ask = true;
    opens();
    peer_taken(p, peer_take(p, 0));
    answers(p, p->peer_mac);
    expects(SYN);
    memcpy(somebody, p->peer_ip, 16);
    somebody[15] = 99;
    sends_arp(p, 1, other_mac, p->peer_ip, somebody);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1);
    expects(ACK);
    expects_silence();
}

TEST(a_neighbour_that_cannot_be_is_refused)
{
    static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1};
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = 1500};
    uint8_t any[16];
    p->ethernet = true;
    starts();
    holds_equal(hf_interface_add(p->stack, &p->env, &iface), 2);
    memcpy(any, p->peer_ip, 16);
    memset(any + 12, 0, 4);
    calls(hf_neighbour_add(p->stack, &p->env, 1, p->peer_ip, p->peer_mac));
    refuses(HF_ERR_INVALID, hf_neighbour_add(p->stack, &p->env, 0, p->peer_ip, p->peer_mac));
    refuses(HF_ERR_INVALID, hf_neighbour_add(p->stack, &p->env, 2, p->peer_ip, p->peer_mac));
    refuses(HF_ERR_INVALID, hf_neighbour_add(p->stack, &p->env, 3, p->peer_ip, p->peer_mac));
    refuses(HF_ERR_INVALID, hf_neighbour_add(p->stack, &p->env, 1, NULL, p->peer_mac));
    refuses(HF_ERR_INVALID, hf_neighbour_add(p->stack, &p->env, 1, p->peer_ip, NULL));
    refuses(HF_ERR_INVALID, hf_neighbour_add(p->stack, &p->env, 1, p->peer_ip, group));
    refuses(HF_ERR_INVALID, hf_neighbour_add(p->stack, &p->env, 1, any, p->peer_mac));
}

/* RFC 4443 2.4 (f): a hundred at once, at one or two a piece. */
TEST(errors_are_sent_until_their_budget_is_spent)
{
    uint8_t payload[8] = {0};
    int errors = 0;
    starts();
    for (int i = 0; i < 300; i++) {
        struct seen *seen;
        peer_ip(p, 200, payload, sizeof payload);
        while ((seen = peer_any(p)) != NULL) {
            errors++;
            peer_taken(p, seen);
        }
    }
    holds(errors > 14 && errors <= 31); /* what one group of addresses may get */
    after(10000);
    peer_ip(p, 200, payload, sizeof payload);
    struct seen *seen = peer_any(p);
    holds(seen != NULL);
    peer_taken(p, seen);
}

/* RFC 4443 2.4 (f): all hosts of one network have what one host gets. */
TEST(hosts_of_one_network_share_a_budget_of_errors)
{
    uint8_t payload[8] = {0};
    int errors = 0;
    p->wild = true;
    starts();
    for (int i = 0; i < 200; i++) {
        struct seen *seen;
        p->peer_ip[15] = (uint8_t)(i + 3);
        peer_ip(p, 200, payload, sizeof payload);
        while ((seen = peer_any(p)) != NULL) {
            errors++;
            peer_taken(p, seen);
        }
    }
    holds(errors > 14 && errors <= 31);
}

/* Connections take turns, a frame each. */
TEST(two_connections_that_have_much_to_say_take_turns)
{
    static const uint8_t text[8000];
    p->wild = true;
    for (int i = 0; i < 2; i++) {
        on(i);
        establish_active();
    }
    for (int i = 0; i < 2; i++)
        holds_equal(hf_send(p->stack, &p->env, p->conn[i].handle, text, sizeof text, 0),
                    sizeof text);
    peer_pump(p);
    holds(p->n_seen >= 10);
    for (int i = 1; i < 10; i++)
        holds(p->seen[i]->seg.dport != p->seen[i - 1]->seg.dport);
    peer_forget(p);
}

/* RFC 4443 2.4 (f): one in ten milliseconds is earned, not a full budget. */
TEST(a_spent_budget_of_errors_comes_back_little_by_little)
{
    uint8_t payload[8] = {0};
    starts();
    for (int waited = 0; waited < 2; waited++) {
        int errors = 0;
        for (int i = 0; i < 300; i++) {
            struct seen *seen;
            peer_ip(p, 200, payload, sizeof payload);
            while ((seen = peer_any(p)) != NULL) {
                errors++;
                peer_taken(p, seen);
            }
        }
        holds(!waited || (errors >= 4 && errors <= 11));
        after(100);
    }
}

TEST(a_listener_of_one_link_with_any_address_goes_before_one_of_all)
{
    uint8_t ours[16], theirs[16];
    hf_handle all, one;
    two_links(p, ours, theirs);
    struct hf_listen listen = {.struct_size = sizeof listen, .backlog = 4, .local.port = PORT};
    calls(hf_listen(p->stack, &p->env, &listen, &all));
    listen.local.iface = 1;
    calls(hf_listen(p->stack, &p->env, &listen, &one));
    a_connection_reaches(p, ours, theirs, one, all);
}

/* RFC 4007 6 */
TEST(a_datagram_to_a_link_local_address_leaves_by_the_link_that_was_named)
{
    uint8_t ours[16], theirs[16];
    hf_handle socket;
    two_links(p, ours, theirs);
    struct hf_endpoint any = {.port = PORT}, to = {.port = 9};
    memcpy(to.ip, theirs, 16);
    calls(hf_udp_open(p->stack, &p->env, &any, &socket));
    for (uint32_t iface = 1; iface <= 2; iface++) {
        to.iface = (uint16_t)iface;
        calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, "x", 1));
        struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
        holds(seen != NULL);
        holds_equal(seen->iface, iface);
        peer_taken(p, seen);
    }
}

/* With room for two neighbours, one at most is asked for at a time; an open that comes next waits,
 * and nobody is told that it cannot succeed. */
TEST(a_second_question_waits_until_the_first_is_answered)
{
    struct hf_icmp_report report;
    hf_handle handles[2];
    struct hf_endpoint to;
    p->wild = p->ethernet = p->ask = true;
    p->config.max_neighbours = 2;
    starts();
    to = peer_there(p, 9);
    calls(hf_open(p->stack, &p->env, NULL, &to, 0, &handles[0]));
    to.ip[15] = 88;
    calls(hf_open(p->stack, &p->env, NULL, &to, 0, &handles[1]));
    struct seen *seen = peer_take(p, 0);
    holds(seen != NULL);
    holds_equal(seen->bytes[ETH + WIRE_ARP_BYTES - 1], p->peer_ip[15]);
    peer_taken(p, seen);
    expects_silence();
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, handles[1], &report));
    answers(p, p->peer_mac);
    seen = peer_any(p);
    holds(seen != NULL && seen->is_tcp);
    peer_taken(p, seen);
    seen = peer_take(p, 0);
    holds(seen != NULL);
    holds_equal(seen->bytes[ETH + WIRE_ARP_BYTES - 1], 88);
    peer_taken(p, seen);
    expects_silence();
}

TEST(a_packet_whose_neighbour_does_not_answer_is_counted_as_dropped)
{
    struct hf_endpoint any = {.port = PORT}, to;
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_handle socket;
    p->ethernet = p->ask = true;
    starts();
    to = peer_there(p, 9);
    calls(hf_udp_open(p->stack, &p->env, &any, &socket));
    calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, "x", 1));
    after(5000);
    peer_forget(p);
    hf_counters(p->stack, &counters);
    holds_equal(counters.packets_dropped, 1);
}

/* The neighbour has been given up: its entry is gone, and each question is a new one. */
static void loses_the_peer(struct peer *p)
{
    knows_the_peer(p);
    after(31000);
    sends(PSH | ACK, .len = 100);
    reads(100);
    peer_forget(p);
    after(4000);
    holds(takes_questions(p) > 0);
}

/* RFC 9293 3.8.3, MUST-20: what it owes has never left. */
TEST(a_released_connection_whose_next_hop_is_gone_is_given_up)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    loses_the_peer(p);
    releases();
    for (int i = 0; i < 600; i++) {
        after(1000);
        peer_forget(p);
    }
    hf_counters(p->stack, &counters);
    holds_equal(counters.connections, 0);
}

/* Each segment of the peer's stops the timer of what waits (3.8.6.1), and it begins again. */
TEST(text_whose_next_hop_is_gone_has_a_timer_whatever_the_peer_sends)
{
    loses_the_peer(p);
    writes(10);
    for (int i = 0; i < 3; i++) {
        sends(ACK);
        after(300);
        peer_forget(p);
    }
    for (int i = 0; i < 3600; i++) {
        after(1000);
        peer_forget(p);
    }
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(text_whose_next_hop_comes_back_leaves_at_once)
{
    loses_the_peer(p);
    writes(10);
    after(60 * 1000);
    peer_forget(p);
    answers(p, p->peer_mac);
    expects(PSH | ACK, .len = 10);
    sends(ACK, .ack = ISS + 11);
    after(60 * 1000);
    peer_forget(p);
    expects_state(HF_ESTABLISHED);
}

TEST(the_only_port_that_may_be_chosen_is_chosen)
{
    struct hf_endpoint to;
    hf_handle handle;
    p->config.policy.port_first = p->config.policy.port_last = 40000;
    starts();
    to = peer_there(p, 9);
    calls(hf_open(p->stack, &p->env, NULL, &to, 0, &handle));
    peer_pump(p);
    struct seen *seen = peer_any(p);
    holds(seen != NULL && seen->is_tcp);
    holds_equal(seen->seg.sport, 40000);
    peer_taken(p, seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(a_reset_waits_for_the_neighbour_and_is_whole_then),
        BOTH(an_error_that_came_to_another_address_than_the_quoted_one_is_ignored),
        V4(an_option_that_a_listener_took_back_is_not_handed_on),
        V6(one_port_may_be_taken_once_on_each_link),
        V6(a_listener_of_one_link_goes_before_one_of_all),
        V4(an_announced_change_of_a_link_address_is_asked_about),
        V4(a_change_that_is_announced_by_an_answer_is_asked_about_too),
        V4(one_that_has_moved_is_looked_for_and_fails_nobody_while_another_is_missing),
        V4(a_question_for_somebody_else_is_none_of_ours),
        V4(a_neighbour_that_cannot_be_is_refused),
        BOTH(errors_are_sent_until_their_budget_is_spent),
        BOTH(hosts_of_one_network_share_a_budget_of_errors),
        V4(two_connections_that_have_much_to_say_take_turns),
        V4(datagrams_in_fragments_have_numbers_of_their_own),
        BOTH(a_spent_budget_of_errors_comes_back_little_by_little),
        V6(a_listener_of_one_link_with_any_address_goes_before_one_of_all),
        V6(a_datagram_to_a_link_local_address_leaves_by_the_link_that_was_named),
        V4(a_second_question_waits_until_the_first_is_answered),
        V4(a_packet_whose_neighbour_does_not_answer_is_counted_as_dropped),
        BOTH(a_released_connection_whose_next_hop_is_gone_is_given_up),
        BOTH(text_whose_next_hop_is_gone_has_a_timer_whatever_the_peer_sends),
        BOTH(text_whose_next_hop_comes_back_leaves_at_once),
        BOTH(the_only_port_that_may_be_chosen_is_chosen),
    };
    return cmocka_run_group_tests_name("small rules", tests, NULL, NULL);
}
