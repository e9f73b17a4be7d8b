/* Fragments in masses, fragments of which the rest never comes, and too little memory for them:
 * CVE-2018-5391, RFC 1122 3.3.2, RFC 4963.
 *
 * ctest: timeout=1800
 */
#include "common/raw.h"
#include "common/work.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static uint8_t payload[ROOM], packet[2000];

static bool arrives(struct peer *p, hf_handle handle, uint32_t len)
{
    int64_t n = hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, ROOM);
    holds(n == HF_ERR_WOULD_BLOCK || (n == len && memcmp(got, data, len) == 0));
    return n == len;
}

/* Somebody else on the link: one of so many. */
static void comes_from(struct peer *p, uint32_t n)
{
    p->peer_ip[13] = (uint8_t)(n >> 16);
    p->peer_ip[14] = (uint8_t)(n >> 8);
    p->peer_ip[15] = (uint8_t)n;
}

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

/* One of a flood that completes nothing: never the first piece. */
static void floods(struct peer *p, uint32_t sources)
{
    uint8_t mine[16];
    uint32_t from = 8 + 8 * draw(180);
    memcpy(mine, p->peer_ip, 16);
    comes_from(p, 1000 + draw(sources));
    fragment_ident = (uint16_t)draw(65536);
    sends_fragment(p, WIRE_PROTO_UDP, data, from, from + 8 * (1 + draw(4)), true);
    memcpy(p->peer_ip, mine, 16);
}

/* A fragmented echo request of an honest host, a few of the flood between its pieces. */
static bool is_echoed(struct peer *p, uint32_t sources, uint16_t ident)
{
    uint32_t len = make_icmp(p, payload, p->v6 ? ICMP6_ECHO : ICMP4_ECHO, 0, data, 1992);
    fragment_ident = ident;
    sends_fragment(p, icmp_proto(p), payload, 0, 1000, true);
    for (int i = 0; i < 5; i++)
        floods(p, sources);
    fragment_ident = ident;
    sends_fragment(p, icmp_proto(p), payload, 1000, len, false);
    bool echoed = false;
    struct seen *seen;
    while ((seen = peer_take(p, icmp_proto(p))) != NULL) {
        echoed |= seen->bytes[seen->ip.header_len] == (p->v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY);
        peer_taken(p, seen);
    }
    return echoed;
}

/* A minute of it: so many fragments a second, an echo a second, and a connection that goes on. */
static void floods_for_a_minute(struct peer *p, uint32_t sources)
{
    const char *sanitize = getenv("HF_SANITIZE");
    uint32_t rate = getenv("HF_LONG") ? 100000 : sanitize && *sanitize ? 200 : 2000;
    uint32_t echoed = 0;
    struct hf_counters most = {0};
    hf_config_default(&p->config, 1000);
    establish_passive();
    for (uint32_t second = 0; second < 60; second++) {
        for (uint32_t i = 0; i < rate; i++)
            floods(p, sources);
        echoed += is_echoed(p, sources, (uint16_t)(60000 + second));
        sends(PSH | ACK, .seq = IRS + 1 + 1000 * second, .len = 1000);
        after(300);
        expects(ACK, .ack = IRS + 1001 + 1000 * second);
        reads(1000);
        writes(1000);
        expects(ACK, .len = 1000);
        sends(ACK);
        after(700);
        struct hf_counters now = counters_of(p);
        most.ranges = now.ranges > most.ranges ? now.ranges : most.ranges;
        most.reassembly = now.reassembly > most.reassembly ? now.reassembly : most.reassembly;
    }
    holds(echoed >= 30);
    holds(most.reassembly <= p->config.max_reassembly);
    holds(most.ranges <= p->config.max_ranges - p->config.max_ranges / 4);
    after(70000);
    peer_forget(p);
    nothing_is_held(p);
}

/* FR-01 */
TEST(a_flood_of_fragments_from_one_host_harms_nobody_else)
{
    floods_for_a_minute(p, 1);
}

/* FR-01 */
TEST(a_flood_of_fragments_from_ten_thousand_hosts_harms_nobody_else)
{
    floods_for_a_minute(p, 10000);
}

/* What one fragment more costs behind n of them. */
static double cost_of_one_more(uint32_t n, void *arg)
{
    struct peer *p = arg;
    for (uint32_t i = 0; i < n; i++)
        floods(p, 10000);
    struct work_done before = work_of(p->stack);
    for (int i = 0; i < 100; i++)
        floods(p, 10000);
    return (double)work_since(p->stack, &before).steps / 100;
}

/* FR-01 */
TEST(a_fragment_costs_as_much_behind_many_as_behind_few)
{
    hf_config_default(&p->config, 1000);
    starts();
    for (int i = 0; i < 1000; i++)
        floods(p, 10000); /* all records are in use */
    work_is_flat("a fragment", cost_of_one_more, p);
}

/* FR-06: each of the ways to stay incomplete; the sender is told where the first piece came. */
TEST(a_datagram_that_stays_incomplete_is_forgotten_and_told_of_once)
{
    static const uint32_t edges[4] = {0, 800, 1600, 2000};
    socket_on(p, HERE);
    make_datagram(p, payload, 1992);
    for (unsigned pieces = 1; pieces < 7; pieces++) {
        fragment_ident++;
        for (unsigned i = 0; i < 3; i++)
            if (pieces & 1u << i)
                sends_fragment(p, WIRE_PROTO_UDP, payload, edges[i], edges[i + 1], i < 2);
        after(61000);
        struct seen *seen = peer_take(p, icmp_proto(p));
        holds((seen != NULL) == (pieces & 1));
        if (seen) {
            const uint8_t *icmp = seen->bytes + seen->ip.header_len;
            struct wire_quote quote;
            holds(icmp[0] == (p->v6 ? ICMP6_TIME_EXCEEDED : ICMP4_TIME_EXCEEDED) && icmp[1] == 1);
            holds(wire_parse_quote(icmp + 8, seen->len - seen->ip.header_len - 8u, p->v6 ? 6 : 4,
                                   &quote) == WIRE_OK);
            holds(quote.sport == THERE && quote.dport == HERE);
            peer_taken(p, seen);
        }
        expects_silence();
        nothing_is_held(p);
    }
}

/* FR-06: however many there are at a time, errors are few. */
TEST(errors_about_incomplete_datagrams_are_bounded)
{
    p->config.max_reassembly = 2000;
    p->config.max_ranges = 4000;
    p->config.small_chunks = 4000;
    p->config.max_packets = 2000;
    socket_on(p, HERE);
    for (uint32_t i = 0; i < 1000; i++) {
        comes_from(p, 2 + i % 200);
        fragment_ident++;
        sends_fragment(p, WIRE_PROTO_UDP, data, 0, 64, true);
    }
    after(61000);
    unsigned errors = 0;
    struct seen *seen;
    while ((seen = peer_any(p)) != NULL) {
        errors++;
        peer_taken(p, seen);
    }
    holds(errors >= 10 && errors <= 100);
    nothing_is_held(p);
}

/* Six pieces of a datagram, each followed by one of another that goes nowhere. */
static void comes_in_six(struct peer *p, uint16_t ident)
{
    make_datagram(p, payload, 1992);
    for (uint32_t i = 0; i < 6; i++) {
        fragment_ident = ident;
        sends_fragment(p, WIRE_PROTO_UDP, payload, 400 * i, i == 5 ? 2000 : 400 * i + 400, i < 5);
        fragment_ident = (uint16_t)(ident + 1 + i);
        sends_fragment(p, WIRE_PROTO_UDP, data, 800 + 8 * i, 1600 + 8 * i, true);
    }
}

/* FR-11: memory ends at each of them in turn; what was held is given back all the same. */
TEST(whatever_memory_is_missing_nothing_stays_behind)
{
    uint16_t ident = 100;
    for (uint32_t small = 1; small < 40; small++) {
        void *state = NULL;
        holds((p->v6 ? packets_setup6(&state) : packets_setup4(&state)) == 0);
        struct peer *poor = state;
        poor->config.small_chunks = small;
        poor->config.small_chunk_bytes = 128;
        poor->config.large_chunks = small % 3;
        poor->config.max_ranges = 2 + small % 7;
        poor->config.max_reassembly = 1 + small % 5;
        hf_handle socket = socket_on(poor, HERE);
        comes_in_six(poor, ident);
        (void)arrives(poor, socket, 1992);
        ident += 10;
        comes_in_six(poor, ident);
        if (small % 2)
            (void)hf_address_remove(poor->stack, &poor->env, 1, poor->stack_ip);
        peer_after(poor, small % 4 ? 70000 : 60000);
        peer_after(poor, 61000);
        peer_forget(poor);
        while (arrives(poor, socket, 1992))
            ;
        nothing_is_held(poor);
        peer_teardown(&state);
    }
}

/* FR-11: the last piece comes when the time is over, and just before.  RFC1122-6, RFC8200-3 */
TEST(a_datagram_is_whole_up_to_its_last_millisecond)
{
    hf_handle socket = socket_on(p, HERE);
    make_datagram(p, payload, 1992);
    for (int late = 0; late < 2; late++) {
        fragment_ident++;
        sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
        after(60000 - 1 + late);
        sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 2000, false);
        holds(arrives(p, socket, 1992) == !late);
    }
    after(61000);
    peer_forget(p);
    nothing_is_held(p);
}

/* FR-11: each new datagram takes the place of the one under way. */
TEST(a_datagram_whose_place_is_taken_is_forgotten_whole)
{
    p->config.max_reassembly = 1;
    hf_handle socket = socket_on(p, HERE);
    make_datagram(p, payload, 1992);
    for (uint16_t i = 0; i < 50; i++) {
        fragment_ident = (uint16_t)(100 + i);
        sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
        fragment_ident = (uint16_t)(99 + i);
        sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 2000, false);
    }
    holds(!arrives(p, socket, 1992));
    after(61000);
    peer_forget(p);
    nothing_is_held(p);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 2000, false);
    holds(arrives(p, socket, 1992));
}

/* FR-12: Gilad and Herzberg: forged pieces under 64 numbers wait for the genuine ones.  At worst a
 * datagram is lost; never is another one delivered, and nothing is sent for it. */
TEST(forged_fragments_lose_a_datagram_and_forge_none)
{
    static uint8_t forged[2000];
    hf_config_default(&p->config, 1000);
    hf_handle socket = socket_on(p, HERE);
    memset(forged, 0x66, sizeof forged);
    make_datagram(p, payload, 1992);
    for (uint16_t i = 0; i < 64; i++) {
        fragment_ident = (uint16_t)(5000 + i);
        sends_fragment(p, WIRE_PROTO_UDP, forged, 800, 2000, false);
    }
    unsigned arrived = 0;
    for (uint16_t i = 0; i < 128; i++) { /* numbers guessed and not */
        fragment_ident = (uint16_t)(5000 + i);
        sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
        sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 2000, false);
        arrived += arrives(p, socket, 1992);
    }
    holds(arrived >= 64 && arrived < 128);
    holds_equal(verdicts(p, HF_V_DROP_UDP_CHECKSUM), 128 - arrived); /* they did meet */
    expects_silence();
}

/* FR-12: a connection sends none that could be met. */
TEST(segments_are_never_cut_and_so_never_met_by_forged_fragments)
{
    establish_active();
    writes(10000);
    struct seen *seen;
    unsigned n = 0;
    while ((seen = peer_take(p, WIRE_PROTO_TCP)) != NULL) {
        holds(!seen->ip.fragment && (p->v6 || seen->ip.df));
        peer_taken(p, seen);
        n++;
    }
    holds(n >= 6);
}

/* HD-14: all that came in pieces is what came whole.  A frame is one piece of memory for this
 * library; a datagram in fragments is the one packet that lies in several, down to 64 octets. */
static void answers_to(struct peer *p, uint8_t proto, const uint8_t *bytes, uint32_t len,
                       const uint32_t cuts[2])
{
    p->config.small_chunk_bytes = 64;
    p->config.small_chunks = 200;
    hf_handle socket = socket_on(p, HERE);
    listens();
    uint32_t a = cuts[0] ? cuts[0] : len, b = cuts[1] ? cuts[1] : len;
    if (a == len) {
        peer_ip(p, proto, bytes, len);
    } else {
        sends_fragment(p, proto, bytes, a, b, b < len);
        if (b < len)
            sends_fragment(p, proto, bytes, b, len, false);
        sends_fragment(p, proto, bytes, 0, a, true);
    }
    holds(arrives(p, socket, len - 8) == (proto == WIRE_PROTO_UDP));
}

static void same_answer(struct peer *p, uint8_t proto, const uint8_t *bytes, uint32_t len,
                        const uint32_t cuts[2])
{
    static const uint32_t whole[2];
    void *states[2];
    for (int i = 0; i < 2; i++) {
        holds((p->v6 ? packets_setup6(&states[i]) : packets_setup4(&states[i])) == 0);
        answers_to(states[i], proto, bytes, len, i ? cuts : whole);
    }
    struct peer *one = states[0], *other = states[1];
    holds(one->n_seen == (proto == WIRE_PROTO_UDP ? 0 : 1));
    holds_equal(one->n_seen, other->n_seen);
    for (uint32_t i = 0; i < one->n_seen; i++) {
        holds_equal(one->seen[i]->len, other->seen[i]->len);
        holds(memcmp(one->seen[i]->bytes, other->seen[i]->bytes, one->seen[i]->len) == 0);
    }
    peer_teardown(&states[0]);
    peer_teardown(&states[1]);
}

/* HD-14: cut at every place into two and three. */
TEST(what_comes_in_pieces_is_taken_as_if_it_were_whole)
{
    uint8_t bytes[3][300];
    uint32_t lens[3];
    starts();
    lens[0] = make_tcp(p, packet, SYN, IRS, ZERO, 100) - (p->v6 ? 40 : 20);
    memcpy(bytes[0], packet + (p->v6 ? 40 : 20), lens[0]);
    lens[1] = make_datagram(p, bytes[1], 150);
    lens[2] = make_icmp(p, bytes[2], p->v6 ? ICMP6_ECHO : ICMP4_ECHO, 0, data, 140);
    uint8_t protos[3] = {WIRE_PROTO_TCP, WIRE_PROTO_UDP, icmp_proto(p)};
    for (int i = 0; i < 3; i++) {
        for (uint32_t a = p->v6 ? 24 : 8; a < lens[i]; a += 8) {
            for (uint32_t b = a + 8; b < lens[i] + 8; b += 8)
                same_answer(p, protos[i], bytes[i], lens[i], (uint32_t[2]){a, b < lens[i] ? b : 0});
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_flood_of_fragments_from_one_host_harms_nobody_else),
        ON_BOTH(a_flood_of_fragments_from_ten_thousand_hosts_harms_nobody_else),
        ON_BOTH(a_fragment_costs_as_much_behind_many_as_behind_few),
        ON_BOTH(a_datagram_that_stays_incomplete_is_forgotten_and_told_of_once),
        ON_BOTH(errors_about_incomplete_datagrams_are_bounded),
        ON_BOTH(whatever_memory_is_missing_nothing_stays_behind),
        ON_BOTH(a_datagram_is_whole_up_to_its_last_millisecond),
        ON_BOTH(a_datagram_whose_place_is_taken_is_forgotten_whole),
        ON_BOTH(forged_fragments_lose_a_datagram_and_forge_none),
        BOTH(segments_are_never_cut_and_so_never_met_by_forged_fragments),
        ON_BOTH(what_comes_in_pieces_is_taken_as_if_it_were_whole),
    };
    return cmocka_run_group_tests_name("fragment floods", tests, NULL, NULL);
}
