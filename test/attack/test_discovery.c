/* Forged, malformed and hidden neighbour discovery; router advertisements, which are not followed:
 * RFC 4861 7.1, 7.2, appendix C, RFC 4862 5.4, RFC 6980, RFC 7113.
 */
#include "common/link.h"
#include "common/packets.h"

#include <string.h>

#include "base/bytes.h"

enum { PORT = 7000, RA = ICMP6_ROUTER_ADVERT, DEST_OPTIONS = 60, FRAGMENT = 44 };

static uint8_t packet[ROOM], payload[ROOM];

/* The table of RFC 4861 7.2.5 ----------------------------------------------------------------- */

enum nud { REACHABLE, STALE, PROBE };

static void brings_to(struct peer *p, enum nud state)
{
    knows_the_peer(p);
    if (state != REACHABLE)
        after(31000);
    if (state == PROBE) {
        text_goes_to(p, p->peer_mac);
        holds_equal(takes_questions(p), 1);
    }
}

/* A state as it can be told from outside: is the owner asked at the next use, or a second later? */
static void is_in(struct peer *p, enum nud state, const uint8_t mac[6])
{
    text_goes_to(p, mac);
    holds_equal(takes_questions(p), state == STALE);
    after(1100);
    holds_equal(takes_questions(p), state != REACHABLE);
}

/* ND-01: solicited, override, router, in each state, with its own link address, another, none. */
static void takes_advertisement(struct peer *p, enum nud state, unsigned flags, unsigned address)
{
    struct nd_spec na = {.src = p->peer_ip,
                         .dst = p->stack_ip,
                         .target = p->peer_ip,
                         .type = NA,
                         .solicited = flags & 1,
                         .override = flags & 2,
                         .router = flags & 4};
    na.mac = address == 0 ? NULL : address == 1 ? p->peer_mac : other_mac;
    bool differs = address == 2;
    enum nud next = state;
    const uint8_t *mac = p->peer_mac;
    if (differs && !na.override) {
        next = state == REACHABLE ? STALE : state;
    } else {
        mac = differs ? other_mac : p->peer_mac;
        next = na.solicited ? REACHABLE : differs ? STALE : state;
    }
    brings_to(p, state);
    sends_nd(p, &na);
    is_in(p, next, mac);
}

/* ND-01 */
TEST(an_advertisement_does_what_the_table_says)
{
    for (unsigned i = 0; i < 3 * 8 * 3; i++) {
        void *state = NULL;
        holds(peer_setup6(&state) == 0);
        takes_advertisement(state, (enum nud)(i % 3), i / 3 % 8, i / 24);
        peer_teardown(&state);
    }
}

/* ND-01: what is known from a first, unasked word is asked about at its first use. */
TEST(an_advertisement_while_nothing_is_known_needs_a_link_address)
{
    for (unsigned flags = 0; flags < 8; flags++) {
        void *state = NULL;
        holds(peer_setup6(&state) == 0);
        struct peer *q = state;
        q->ethernet = q->ask = true;
        peer_opens(q, 0);
        expects_question(q, false);
        struct nd_spec na = {
            .src = q->peer_ip, .dst = q->stack_ip, .target = q->peer_ip, .type = NA};
        na.solicited = flags & 1, na.override = flags & 2, na.router = flags & 4;
        sends_nd(q, &na);
        holds(peer_any(q) == NULL);
        na.mac = q->peer_mac;
        sends_nd(q, &na);
        struct seen *seen = peer_take(q, WIRE_PROTO_TCP);
        holds(seen != NULL && memcmp(seen->bytes, q->peer_mac, 6) == 0);
        peer_taken(q, seen);
        holds_equal(takes_questions(q), !na.solicited);
        peer_teardown(&state);
    }
}

/* ND-01: RFC 4861 7.1.1, each of its checks. */
TEST(a_solicitation_that_fails_one_check_is_not_answered)
{
    static const uint8_t nobody[16], group_mac[6] = {3, 0, 0, 0, 0, 2};
    uint8_t group[16];
    p->ethernet = p->ask = true;
    starts();
    solicited_node(p->stack_ip, group);
    const struct nd_spec good = {
        .src = p->peer_ip, .dst = group, .target = p->stack_ip, .mac = p->peer_mac, .type = NS};
    struct nd_spec bad[8];
    for (int i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].hop_limit = 254;
    bad[1].code = 1;
    bad[2].bad_checksum = true;
    bad[3].target = group;
    bad[4].src = nobody; /* with a link address */
    bad[5].src = nobody, bad[5].mac = NULL, bad[5].dst = p->stack_ip;
    bad[6].mac = group_mac;
    bad[7].options = (const uint8_t[8]){1, 0}, bad[7].options_len = 8;
    for (int i = 0; i < 8; i++) {
        sends_nd(p, &bad[i]);
        expects_silence();
    }
    holds_equal(counters_of(p).neighbours, 0);
    sends_nd(p, &good);
    holds_equal(takes_questions(p), 1); /* the answer */
    holds_equal(counters_of(p).neighbours, 1);
}

/* RFC 4861 7.2.4: who asks without telling its link address is on the link, whatever the routes
 * say. */
TEST(who_asks_from_a_prefix_without_a_route_is_answered)
{
    static const uint8_t far[16] = {0x20, 1, 0x0d, 0xb8, 9, [15] = 9};
    p->ethernet = p->ask = p->wild = true;
    starts();
    sends_nd(p,
             &(struct nd_spec){.src = far, .dst = p->stack_ip, .target = p->stack_ip, .type = NS});
    struct seen *seen = peer_any(p); /* the question who that is */
    holds(seen != NULL && seen->ip.dst[0] == 0xff);
    peer_taken(p, seen);
    sends_nd(p, &(struct nd_spec){.src = far,
                                  .dst = p->stack_ip,
                                  .target = far,
                                  .mac = p->peer_mac,
                                  .type = NA,
                                  .solicited = true});
    seen = peer_any(p);
    holds(seen != NULL && memcmp(seen->ip.dst, far, 16) == 0);
    peer_taken(p, seen);
}

/* Half of the packets are datagrams that nobody reads. */
static void leaves_datagrams_unread(struct peer *p)
{
    for (uint16_t port = PORT; port < PORT + 8; port++) {
        hf_handle socket = socket_on(p, port);
        struct hf_endpoint to = peer_here(p, port);
        for (int i = 0; i < 20; i++)
            calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, data, 10));
    }
    holds_equal(counters_of(p).packets, p->config.max_packets / 2);
}

/* ND-02: answers to hosts that are not there wait for their link addresses; who asks us next is
 * answered all the same. */
TEST(solicitations_without_a_link_address_leave_room_for_neighbour_discovery)
{
    uint8_t src[16];
    p->ethernet = p->wild = true;
    p->config.max_packets = p->config.max_neighbours = 64;
    p->config.max_udp = 8;
    leaves_datagrams_unread(p);
    memcpy(src, p->peer_ip, 16);
    src[14] = 9;
    for (unsigned i = 0; i < 600; i++) {
        src[15] = (uint8_t)(i / 3);
        sends_nd(p, &(struct nd_spec){
                        .src = src, .dst = p->stack_ip, .target = p->stack_ip, .type = NS});
        peer_forget(p);
    }
    asks_as(p, p->peer_ip, p->peer_mac);
    holds_equal(takes_questions(p), 1); /* the answer */
}

/* Options ------------------------------------------------------------------------------------- */

/* ND-03: an answer with these octets before the link address; does it count? */
static void answers_behind(struct peer *p, const uint8_t *options, uint32_t len, bool counts)
{
    struct nd_spec na = {.src = p->peer_ip,
                         .dst = p->stack_ip,
                         .target = p->peer_ip,
                         .mac = p->peer_mac,
                         .type = NA,
                         .solicited = true,
                         .options = options,
                         .options_len = len};
    uint64_t dropped = verdicts(p, HF_V_DROP_NEIGHBOUR);
    sends_nd(p, &na);
    holds_equal(verdicts(p, HF_V_DROP_NEIGHBOUR) - dropped, !counts);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds((seen != NULL) == counts);
    if (seen)
        peer_taken(p, seen);
}

/* ND-03, ND-06: RFC 4861 4.6: unknown ones are passed over by their length; no length, or too much
 * of it, is the end of the whole message. */
TEST(options_of_a_message_are_passed_over_by_their_length)
{
    static const uint8_t kinds[] = {1, 3, 5, 14, 24, 25, 31, 200, 253};
    static uint8_t options[256 * 8];
    for (unsigned i = 0; i < sizeof kinds * 8; i++) {
        static const uint8_t lens[] = {0, 1, 2, 3, 4, 5, 200, 255};
        void *state = NULL;
        holds(peer_setup6(&state) == 0);
        struct peer *q = state;
        q->ethernet = q->ask = true;
        peer_opens(q, 0);
        expects_question(q, false);
        memset(options, 0xff, sizeof options);
        options[0] = kinds[i % sizeof kinds];
        options[1] = lens[i / sizeof kinds];
        uint32_t len = options[1] * 8u;
        if (options[1] == 0) {
            answers_behind(q, options, 8, false);
        } else { /* one octet, one option less than it says; then all of it */
            answers_behind(q, options, 2, false);
            if (len > 16)
                answers_behind(q, options, len - 16, false);
            answers_behind(q, options, len, true);
        }
        peer_teardown(&state);
    }
}

/* ND-03: cut at each octet. */
TEST(a_message_cut_anywhere_is_no_answer)
{
    static uint8_t message[40];
    p->ethernet = p->ask = true;
    opens();
    expects_question(p, false);
    for (uint32_t len = 0; len < 32; len++) {
        struct wire_nd nd = {.solicited = true, .has_lladdr = true};
        memcpy(nd.target, p->peer_ip, 16);
        memcpy(nd.lladdr, p->peer_mac, 6);
        wire_put_nd(message, &nd);
        struct wire_ip ip = ip_in(p, WIRE_PROTO_ICMPV6);
        ip.ttl = 255;
        if (len >= 4)
            wire_set_icmp_checksum(message, len, &ip);
        sends_frame(p, p->stack_mac, WIRE_ETH_IPV6, packet,
                    make_packet_of(packet, ip, message, len));
        expects_silence(); /* with the target alone there is no link address yet */
    }
    answers(p, p->peer_mac);
    expects(SYN);
}

/* Routers ------------------------------------------------------------------------------------- */

static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};

/* From a router of this number, on the link as it should be. */
static void sends_ra(struct peer *p, uint32_t router, const uint8_t *body, uint32_t len,
                     uint8_t hop_limit, uint32_t rest)
{
    struct wire_ip ip = {.version = 6, .proto = WIRE_PROTO_ICMPV6, .ttl = hop_limit};
    struct wire_icmp icmp = {.version = 6, .type = RA, .rest = rest};
    ip.src[0] = 0xfe, ip.src[1] = 0x80;
    put_be32(ip.src + 12, router + 100);
    memcpy(ip.dst, all_nodes, 16);
    wire_put_icmp(payload, &icmp);
    memcpy(payload + 8, body, len);
    wire_set_icmp_checksum(payload, 8 + len, &ip);
    static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1};
    sends_frame(p, group, WIRE_ETH_IPV6, packet, make_packet_of(packet, ip, payload, 8 + len));
}

/* Timers, a prefix for addresses and for the link, the router's link address, an MTU, a route. */
static uint32_t put_ra_body(uint8_t *out, uint32_t i)
{
    memset(out, 0, 100);
    put_be32(out, i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : UINT32_MAX);
    put_be32(out + 4, i % 2 ? 1 : UINT32_MAX);
    uint8_t *prefix = out + 8;
    prefix[0] = 3, prefix[1] = 4, prefix[2] = 64, prefix[3] = 0xc0;
    put_be32(prefix + 4, i % 5 ? UINT32_MAX : 0);
    put_be32(prefix + 8, i % 5 ? UINT32_MAX : 0);
    prefix[16] = 0x20, prefix[17] = 1;
    put_be32(prefix + 20, i);
    uint8_t *mac = prefix + 32;
    mac[0] = 1, mac[1] = 1, mac[2] = 2;
    put_be32(mac + 4, i);
    uint8_t *mtu = mac + 8;
    static const uint32_t mtus[] = {0, 1, 576, 1279, 1280, 1500, 65535, UINT32_MAX};
    mtu[0] = 5, mtu[1] = 1;
    put_be32(mtu + 4, mtus[i % 8]);
    uint8_t *route = mtu + 8;
    route[0] = 24, route[1] = 1, route[2] = 0;
    put_be32(route + 4, UINT32_MAX);
    return 8 + 32 + 8 + 8 + 8;
}

/* ND-04: CVE-2010-4669: who advertises is not followed; not one record is his. */
TEST(ten_thousand_routers_and_prefixes_change_nothing)
{
    uint8_t body[100];
    uint64_t bytes;
    knows_the_peer(p);
    uint8_t *before = state_of(p, &bytes);
    struct hf_counters then = counters_of(p);
    for (uint32_t i = 0; i < 10000; i++)
        sends_ra(p, i, body, put_ra_body(body, i), 255, 0x40c00708);
    expects_silence();
    holds(state_is(p, before, bytes));
    holds_equal(counters_of(p).neighbours, then.neighbours);
    holds_equal(counters_of(p).verdict[HF_V_DROP_ICMP] - then.verdict[HF_V_DROP_ICMP], 10000);
    text_goes_to(p, p->peer_mac);
}

/* ND-05: CVE-2015-2922: hop limits, MTUs, timers, lifetimes, from the peer itself too. */
TEST(what_a_router_says_of_the_link_changes_nothing)
{
    static const uint8_t hops[] = {0, 1, 64, 255};
    uint8_t body[100];
    uint64_t bytes;
    knows_the_peer(p);
    uint8_t *before = state_of(p, &bytes);
    for (uint32_t i = 0; i < 500; i++) {
        uint32_t rest = (uint32_t)hops[i % 4] << 24 | (i % 7 ? 0 : 1800);
        sends_ra(p, 1, body, put_ra_body(body, i), i % 11 ? 255 : 64, rest);
    }
    holds(state_is(p, before, bytes));
    writes(3000); /* hop limit 64 and full segments: as before */
    for (int i = 0; i < 2; i++) {
        struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
        holds(seen != NULL && seen->ip.ttl == 64 && seen->seg.text_len == 1460);
        peer_taken(p, seen);
    }
}

/* ND-06: CVE-2020-16898: name servers of an even length, nested, in a message of any size. */
TEST(advertised_name_servers_do_no_harm)
{
    static uint8_t body[60000];
    uint64_t bytes;
    knows_the_peer(p);
    uint8_t *before = state_of(p, &bytes);
    for (uint32_t len = 1; len < 256; len++) {
        memset(body, 0x41, 8 + len * 8);
        for (uint32_t at = 8; at < 8 + len * 8; at += 16)
            body[at] = 25, body[at + 1] = (uint8_t)len;
        sends_ra(p, 1, body, 8 + len * 8, 255, 0x40000708);
        sends_ra(p, 1, body, 8 + len * 8 - 3, 255, 0x40000708);
    }
    memset(body, 25, sizeof body);
    uint32_t whole = make_icmp(p, payload, RA, 0, body, sizeof body);
    for (uint32_t from = 0; from < whole; from += 1400)
        sends_fragment(p, WIRE_PROTO_ICMPV6, payload, from, min_u32(from + 1400, whole),
                       from + 1400 < whole);
    expects_silence();
    holds(state_is(p, before, bytes));
}

/* Conflicts ----------------------------------------------------------------------------------- */

/* ND-07: addresses are the application's: a claim to one is told, and takes nothing away. */
TEST(a_claim_to_our_address_is_told_and_changes_nothing)
{
    static const uint8_t nobody[16];
    uint8_t group[16];
    uint64_t bytes;
    knows_the_peer(p);
    solicited_node(p->stack_ip, group);
    uint8_t *before = state_of(p, &bytes);
    for (unsigned flags = 0; flags < 4; flags++) {
        struct nd_spec na = {.src = p->peer_ip,
                             .dst = flags & 1 ? p->stack_ip : all_nodes,
                             .target = p->stack_ip,
                             .mac = other_mac,
                             .type = NA,
                             .override = flags & 2};
        sends_nd(p, &na);
        expects_silence();
        holds_equal(verdicts(p, HF_V_ADDRESS_CONFLICT), flags + 1);
    }
    struct nd_spec own = {.src = p->stack_ip, .dst = all_nodes, .target = p->stack_ip, .type = NA};
    own.mac = p->stack_mac; /* what we sent comes back: no conflict */
    sends_nd(p, &own);
    own.src = p->peer_ip;
    sends_nd(p, &own);
    holds_equal(verdicts(p, HF_V_ADDRESS_CONFLICT), 4);
    holds(state_is(p, before, bytes));
    /* Another host tries our address out (RFC 4862 5.4.3), with a nonce (RFC 7527): it is told. */
    struct nd_spec ns = {.src = nobody, .dst = group, .target = p->stack_ip, .type = NS};
    ns.options = (const uint8_t[8]){14, 1, 1, 2, 3, 4, 5, 6}, ns.options_len = 8;
    sends_nd(p, &ns);
    holds_equal(takes_questions(p), 1);
    holds_equal(counters_of(p).neighbours, 1);
    text_goes_to(p, p->peer_mac);
}

/* Hidden -------------------------------------------------------------------------------------- */

/* A solicitation or an answer behind an extension header, or in fragments. */
static void sends_hidden(struct peer *p, uint8_t header, uint8_t type)
{
    bool options = header == 0 || header == DEST_OPTIONS; /* of padding */
    uint8_t message[48] = {WIRE_PROTO_ICMPV6, 0, options, options ? 4 : 0};
    struct wire_nd nd = {.solicitation = type == NS, .solicited = true, .has_lladdr = true};
    memcpy(nd.target, type == NS ? p->stack_ip : p->peer_ip, 16);
    memcpy(nd.lladdr, p->peer_mac, 6);
    uint32_t len = (uint32_t)wire_put_nd(message + 8, &nd);
    struct wire_ip ip = ip_in(p, WIRE_PROTO_ICMPV6);
    wire_set_icmp_checksum(message + 8, len, &ip);
    ip.proto = header;
    ip.ttl = 255;
    sends_frame(p, p->stack_mac, WIRE_ETH_IPV6, packet,
                make_packet_of(packet, ip, message, 8 + len));
}

/* ND-08: RFC 6980, RFC 7113: neither behind headers nor in fragments; the hop limit counts always.
 */
TEST(a_message_behind_extension_headers_is_ignored)
{
    static const uint8_t headers[] = {0, DEST_OPTIONS, FRAGMENT, 43};
    p->ethernet = p->ask = true;
    opens();
    expects_question(p, false);
    for (unsigned i = 0; i < 4; i++) {
        sends_hidden(p, headers[i], NA);
        expects_silence();
        sends_hidden(p, headers[i], NS);
        expects_silence();
        holds_equal(verdicts(p, HF_V_DROP_NEIGHBOUR), 2 * i + 2);
    }
    uint8_t message[32];
    struct wire_nd nd = {.solicited = true, .has_lladdr = true};
    memcpy(nd.target, p->peer_ip, 16);
    memcpy(nd.lladdr, p->peer_mac, 6);
    wire_put_nd(message, &nd);
    struct wire_ip ip = ip_in(p, WIRE_PROTO_ICMPV6);
    wire_set_icmp_checksum(message, 32, &ip);
    for (uint32_t at = 0; at < 32; at += 16) { /* each piece with the right hop limit */
        uint8_t piece[24] = {WIRE_PROTO_ICMPV6, 0, 0, (uint8_t)(at | (at == 0)), 0, 0, 0, 9};
        memcpy(piece + 8, message + at, 16);
        ip.proto = FRAGMENT;
        ip.ttl = 255;
        sends_frame(p, p->stack_mac, WIRE_ETH_IPV6, packet, make_packet_of(packet, ip, piece, 24));
    }
    expects_silence();
    holds_equal(counters_of(p).neighbours, 1); /* asked for, not known */
    answers(p, p->peer_mac);
    expects(SYN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V6(an_advertisement_does_what_the_table_says),
        V6(an_advertisement_while_nothing_is_known_needs_a_link_address),
        V6(a_solicitation_that_fails_one_check_is_not_answered),
        V6(who_asks_from_a_prefix_without_a_route_is_answered),
        V6(solicitations_without_a_link_address_leave_room_for_neighbour_discovery),
        V6(options_of_a_message_are_passed_over_by_their_length),
        V6(a_message_cut_anywhere_is_no_answer),
        V6(ten_thousand_routers_and_prefixes_change_nothing),
        V6(what_a_router_says_of_the_link_changes_nothing),
        V6(advertised_name_servers_do_no_harm),
        V6(a_claim_to_our_address_is_told_and_changes_nothing),
        V6(a_message_behind_extension_headers_is_ignored),
    };
    return cmocka_run_group_tests_name("discovery", tests, NULL, NULL);
}
