/* Fragments that overlap, contradict each other, lie about their place or hide headers: RFC
 * 791 3.2, RFC 815, RFC 5722, RFC 8200 4.5, RFC 6946, RFC 7112.
 *
 * ctest: timeout=300
 */
#include "common/raw.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum {
    UNIT = 8,
    UNITS = 4,
    NOBODY = 253
}; /* a protocol that nobody speaks: what is whole is told */
enum { DEST_OPTIONS = 60, FRAGMENT = 44 };

static uint8_t payload[ROOM];

static void reads_datagram(struct peer *p, hf_handle handle, uint32_t len)
{
    holds_equal(hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, ROOM), len);
    holds(memcmp(got, data, len) == 0);
}

static void nothing_is_read(struct peer *p, hf_handle handle)
{
    refuses(HF_ERR_WOULD_BLOCK, hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, 1));
}

/* The model ----------------------------------------------------------------------------------- */

struct piece {
    unsigned from, to; /* units */
    bool more;
};

struct model {
    struct piece held[8];
    unsigned n, total; /* total 0: not known */
    bool dead, whole;
};

/* All pieces of a datagram of up to UNITS units. */
static struct piece piece_at(unsigned number)
{
    static const struct piece places[] = {{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {0, 4, 0}, {1, 2, 0},
                                          {1, 3, 0}, {1, 4, 0}, {2, 3, 0}, {2, 4, 0}, {3, 4, 0}};
    struct piece piece = places[number % 10];
    piece.more = number >= 10 || piece.from == 0; /* else it is a packet, not a piece */
    return piece;
}

enum { PIECES = 20 };

/* RFC 5722 for both versions: a repetition is passed over, a contradiction is the end of it. */
static void model_takes(struct model *m, struct piece new)
{
    unsigned covered = 0, highest = 0;
    if (m->whole || m->dead)
        return;
    for (unsigned i = 0; i < m->n; i++) {
        if (m->held[i].from == new.from && m->held[i].to == new.to)
            return;
        m->dead |= m->held[i].from < new.to &&new.from < m->held[i].to;
        highest = m->held[i].to > highest ? m->held[i].to : highest;
    }
    m->dead |= !new.more && ((m->total && m->total != new.to) || highest > new.to);
    m->dead |= new.more && m->total &&new.to >= m->total;
    if (m->dead)
        return;
    m->held[m->n++] = new;
    m->total = new.more ? m->total : new.to;
    for (unsigned i = 0; i < m->n; i++)
        covered += m->held[i].to - m->held[i].from;
    m->whole = m->total && covered == m->total;
}

/* What the stack says of the whole datagram quotes it. */
static void quotes_it(struct peer *p, unsigned total)
{
    struct seen *seen;
    while ((seen = peer_take(p, icmp_proto(p))) != NULL) {
        uint32_t header = p->v6 ? 40 : 20;
        const uint8_t *icmp = seen->bytes + header;
        if (icmp[0] == (p->v6 ? ICMP6_PARAM_PROBLEM : ICMP4_UNREACHABLE)) {
            holds_equal(seen->len, 2 * header + 8 + total * UNIT);
            holds(memcmp(icmp + 8 + header, data, total * UNIT) == 0);
        }
        peer_taken(p, seen);
    }
}

static void plays(struct peer *p, const unsigned *numbers, unsigned n)
{
    struct model model = {0};
    uint64_t before = verdicts(p, HF_V_DROP_IP_PROTOCOL);
    fragment_ident++;
    for (unsigned i = 0; i < n && !model.whole; i++) {
        struct piece piece = piece_at(numbers[i]);
        sends_fragment(p, NOBODY, data, piece.from * UNIT, piece.to * UNIT, piece.more);
        model_takes(&model, piece);
        holds_equal(verdicts(p, HF_V_DROP_IP_PROTOCOL) - before, model.whole);
    }
    quotes_it(p, model.total);
    after(20);
}

/* FR-02, FR-04, FR-10: every sequence of three pieces; what is whole is what the model says. */
TEST(a_datagram_is_whole_if_and_only_if_every_octet_came_once)
{
    starts();
    for (unsigned i = 0; i < PIECES * PIECES * PIECES; i++) {
        unsigned numbers[3] = {i % PIECES, i / PIECES % PIECES, i / PIECES / PIECES};
        plays(p, numbers, 3);
    }
    after(70000);
    peer_forget(p);
    nothing_is_held(p);
}

/* FR-10: four pieces in every order and with every subset, repetitions among them. */
TEST(four_pieces_come_together_in_any_order)
{
    static const unsigned quarters[4] = {10, 14, 17, 9}; /* the last one without more */
    starts();
    for (unsigned i = 0; i < 4 * 4 * 4 * 4 * 4; i++) {
        unsigned numbers[5] = {quarters[i % 4], quarters[i / 4 % 4], quarters[i / 16 % 4],
                               quarters[i / 64 % 4], quarters[i / 256]};
        plays(p, numbers, 5);
    }
}

/* FR-02, FR-10: longer sequences, at random. */
TEST(whatever_comes_of_a_datagram_it_is_whole_or_not_at_all)
{
    const char *text = getenv("HF_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 2002;
    uint64_t random = seed;
    print_message("HF_SEED=%llu\n", (unsigned long long)seed);
    starts();
    for (unsigned i = 0; i < (getenv("HF_LONG") ? 200000 : 10000); i++) {
        unsigned numbers[8];
        for (unsigned n = 0; n < 8; n++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            numbers[n] = (uint32_t)(random >> 40) % PIECES;
        }
        plays(p, numbers, 8);
    }
}

/* Places that cannot be ----------------------------------------------------------------------- */

/* FR-03: CVE-1999-0128: nothing lies behind octet 65535. */
TEST(a_fragment_beyond_the_longest_datagram_is_dropped)
{
    starts();
    for (uint32_t from = 65512; from <= 65528; from += 8) {
        for (uint32_t len = 1; len <= 1480; len += len < 20 ? 1 : 73) {
            bool fits = from + len + (p->v6 ? 0 : 20) <= 65535;
            for (int more = 0; more < 2; more++) {
                fragment_ident++;
                uint64_t held = verdicts(p, HF_V_FRAGMENT_HELD);
                sends_fragment(p, NOBODY, data, from, from + len, more && len % 8 == 0);
                holds_equal(verdicts(p, HF_V_FRAGMENT_HELD) - held, fits);
                peer_forget(p);
            }
        }
    }
    fragment_ident++; /* and where the rest of it is there before */
    for (uint32_t from = 0; from < 65520; from += 1040)
        sends_fragment(p, NOBODY, data, from, from + 1040, true);
    uint64_t whole = verdicts(p, HF_V_DROP_IP_PROTOCOL);
    sends_fragment(p, NOBODY, data, 65520, 65520 + 1480, false);
    holds_equal(verdicts(p, HF_V_DROP_IP_PROTOCOL), whole);
}

static void expects_problem(struct peer *p, uint8_t code, uint32_t pointer)
{
    struct seen *seen = peer_take(p, WIRE_PROTO_ICMPV6);
    holds(seen != NULL);
    holds_equal(seen->bytes[40], ICMP6_PARAM_PROBLEM);
    holds_equal(seen->bytes[41], code);
    holds_equal(get_be32(seen->bytes + 44), pointer);
    peer_taken(p, seen);
}

/* FR-07: RFC 8200 4.5: all but the last are whole units, and none is empty. */
TEST(a_piece_that_is_no_multiple_of_eight_is_dropped)
{
    static const uint32_t lens[] = {1, 2, 3, 4, 5, 6, 7, 9, 0};
    starts();
    for (unsigned i = 0; i < sizeof lens / sizeof *lens; i++) {
        for (uint32_t from = 0; from <= 800; from += 800) {
            sends_fragment(p, WIRE_PROTO_UDP, data, from, from + lens[i], true);
            if (p->v6 && lens[i])
                expects_problem(p, 0, 4);
            expects_silence();
        }
    }
    sends_fragment(p, WIRE_PROTO_UDP, data, 800, 800, false);
    expects_silence();
    holds_equal(verdicts(p, HF_V_DROP_IP_HEADER), 19);
    nothing_is_held(p);
}

/* Headers in pieces --------------------------------------------------------------------------- */

static uint8_t packet[2000];

/* FR-05: RFC 1858: flags come from what is put together, never from a piece. */
TEST(a_segment_in_tiny_pieces_is_judged_when_it_is_whole)
{
    listens();
    for (int i = 0; i < 3; i++) {
        on(i);
        uint32_t len = make_tcp(p, packet, SYN, IRS, ZERO, 30) - 20;
        uint32_t first = 8 + 8 * (uint32_t)i;
        fragment_ident++;
        sends_fragment(p, WIRE_PROTO_TCP, packet + 20, 0, first, true);
        expects_silence();
        sends_fragment(p, WIRE_PROTO_TCP, packet + 20, first, len, false);
        expects(SYN | ACK, .ack = IRS + 1);
    }
}

/* FR-05: RFC 3128: a second piece that writes other flags over those of the first. */
TEST(a_piece_that_overlaps_the_flags_is_no_piece)
{
    uint8_t other[2000];
    listens();
    uint32_t len = make_tcp(p, packet, ACK, IRS, IRS, 30) - 20;
    make_tcp(p, other, SYN, IRS, ZERO, 30);
    sends_fragment(p, WIRE_PROTO_TCP, packet + 20, 0, 24, true);
    sends_fragment(p, WIRE_PROTO_TCP, other + 20, 8, len, false);
    sends_fragment(p, WIRE_PROTO_TCP, packet + 20, 24, len, false);
    expects_silence();
    holds_equal(counters_of(p).half_open, 0);
}

/* FR-05: RFC 7112, RFC 8200 4.5: all headers in the first fragment. */
TEST(headers_that_go_on_behind_the_first_fragment_are_refused)
{
    uint8_t chain[100] = {WIRE_PROTO_TCP, 2, 1, 20};
    listens();
    uint32_t len = make_tcp(p, packet, SYN, IRS, ZERO, 30) - 40;
    memcpy(chain + 24, packet + 40, len);
    for (uint32_t first = 8; first < 44; first += 8) {
        fragment_ident++;
        sends_fragment(p, DEST_OPTIONS, chain, 0, first, true);
        expects_problem(p, 3, 0);
        sends_fragment(p, DEST_OPTIONS, chain, first, 24 + len, false);
        expects_silence();
    }
    fragment_ident++;
    sends_fragment(p, DEST_OPTIONS, chain, 0, 48, true);
    sends_fragment(p, DEST_OPTIONS, chain, 48, 24 + len, false);
    expects(SYN | ACK, .ack = IRS + 1);
}

/* FR-09: one fragment header in a packet, and no packet within a packet. */
TEST(a_fragment_within_a_fragment_is_dropped)
{
    uint8_t inner[200] = {WIRE_PROTO_UDP, 0, 0, 1, 0, 0, 0, 7};
    hf_handle socket = socket_on(p, HERE);
    uint32_t len = 8 + make_datagram(p, inner + 8, 100);
    for (uint8_t atomic = 0; atomic < 2; atomic++) {
        inner[3] = !atomic;
        fragment_ident++;
        sends_fragment(p, FRAGMENT, inner, 0, 64, true);
        sends_fragment(p, FRAGMENT, inner, 64, len, false);
        peer_ip(p, FRAGMENT, (uint8_t[]){FRAGMENT, 0, 0, 0, 0, 0, 0, 9, 17, 0, 0, 0, 0, 0, 0, 1},
                16);
    }
    struct seen *seen;
    while ((seen = peer_any(p)) != NULL) { /* at most: that the headers are not whole */
        holds_equal(seen->bytes[40], ICMP6_PARAM_PROBLEM);
        peer_taken(p, seen);
    }
    nothing_is_read(p, socket);
}

/* FR-09: a tunnel is a protocol that nobody speaks, whatever is in it. */
TEST(a_packet_within_fragments_is_not_looked_into)
{
    listens();
    uint32_t len = make_tcp(p, packet, SYN, IRS, ZERO, 30);
    sends_fragment(p, p->v6 ? 41 : 4, packet, 0, 48, true);
    sends_fragment(p, p->v6 ? 41 : 4, packet, 48, len, false);
    struct seen *seen = peer_take(p, icmp_proto(p));
    holds(seen != NULL);
    peer_taken(p, seen);
    expects_silence();
    holds_equal(counters_of(p).half_open, 0);
}

/* FR-09: extension headers that nearly fill a datagram: more than anyone needs. */
TEST(many_octets_of_headers_in_fragments_are_refused)
{
    enum { HEADER = 2048, HEADERS = 29 * HEADER };
    hf_handle socket = socket_on(p, HERE);
    memset(payload, 0, sizeof payload);
    for (uint32_t at = 0; at < HEADERS; at += HEADER) {
        payload[at] = at + HEADER < HEADERS ? DEST_OPTIONS : WIRE_PROTO_UDP;
        payload[at + 1] = HEADER / 8 - 1;
        for (uint32_t option = at + 2; option < at + HEADER; option += 256) {
            payload[option] = 1;
            payload[option + 1] = (uint8_t)min_u32(254, at + HEADER - option - 2);
        }
    }
    uint32_t whole = HEADERS + make_datagram(p, payload + HEADERS, 100);
    for (uint32_t first = HEADERS + 8; first >= 8; first = first * 7 / 64 * 8) {
        fragment_ident++;
        sends_fragment(p, DEST_OPTIONS, payload, 0, first, true);
        if (first < 2 * HEADER) /* two of a kind are enough: a third one gets no answer */
            expects_problem(p, 3, 0);
        sends_fragment(p, DEST_OPTIONS, payload, first, whole, false);
        expects_silence();
        after(20); /* errors to one network have a limit */
    }
    nothing_is_read(p, socket);
}

/* FR-08: RFC 6946: a whole packet, whatever waits under its number. */
TEST(an_atomic_fragment_is_a_packet_of_its_own)
{
    uint8_t atomic[200] = {WIRE_PROTO_UDP};
    hf_handle socket = socket_on(p, HERE);
    make_datagram(p, payload, 1992);
    put_be32(atomic + 4, fragment_ident);
    uint32_t len = 8 + make_datagram(p, atomic + 8, 100);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    peer_ip(p, FRAGMENT, atomic, len);
    reads_datagram(p, socket, 100);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 2000, false);
    reads_datagram(p, socket, 1992);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true); /* nor does a dead one swallow it */
    sends_fragment(p, WIRE_PROTO_UDP, payload, 400, 1200, true);
    peer_ip(p, FRAGMENT, atomic, len);
    reads_datagram(p, socket, 100);
}

/* FR-08: RFC 8021: and none is sent, whatever MTU a router claims. */
TEST(no_atomic_fragment_is_ever_sent)
{
    establish_active();
    writes(3000);
    peer_icmp_error(p, p->peer_ip, ICMP6_TOO_BIG, 0, 1000, ISS + 1);
    hf_handle socket = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, data, 1200));
    calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, data, 4000));
    after(5000);
    struct seen *seen;
    unsigned fragments = 0;
    while ((seen = peer_any(p)) != NULL) {
        bool header = seen->bytes[6] == FRAGMENT;
        holds(!header || (get_be16(seen->bytes + 42) & 0xfff9) != 0);
        fragments += header;
        peer_taken(p, seen);
    }
    holds(fragments >= 3);
}

/* FR-13: the same connection in pieces and whole, in turn. */
TEST(a_connection_takes_segments_whole_and_in_fragments_in_turn)
{
    uint32_t header = p->v6 ? 40 : 20;
    establish_passive();
    for (unsigned i = 0; i < 40; i++) {
        uint32_t len = make_tcp(p, packet, PSH | ACK, IRS + 1 + 100 * i, ISS + 1, 100) - header;
        fragment_ident++;
        if (i % 3 == 0) {
            sends_packet(p, packet, header + len);
        } else {
            uint32_t cut = 24 + 8 * (i % 12);
            if (i % 3 == 1)
                sends_fragment(p, WIRE_PROTO_TCP, packet + header, 0, cut, true);
            sends_fragment(p, WIRE_PROTO_TCP, packet + header, cut, len, false);
            if (i % 3 == 2)
                sends_fragment(p, WIRE_PROTO_TCP, packet + header, 0, cut, true);
        }
        after(300);
        expects(ACK, .ack = IRS + 101 + 100 * i);
        reads(100);
    }
    nothing_is_held(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_datagram_is_whole_if_and_only_if_every_octet_came_once),
        ON_BOTH(four_pieces_come_together_in_any_order),
        ON_BOTH(whatever_comes_of_a_datagram_it_is_whole_or_not_at_all),
        ON_BOTH(a_fragment_beyond_the_longest_datagram_is_dropped),
        ON_BOTH(a_piece_that_is_no_multiple_of_eight_is_dropped),
        V4(a_segment_in_tiny_pieces_is_judged_when_it_is_whole),
        V4(a_piece_that_overlaps_the_flags_is_no_piece),
        V6(headers_that_go_on_behind_the_first_fragment_are_refused),
        V6(a_fragment_within_a_fragment_is_dropped),
        BOTH(a_packet_within_fragments_is_not_looked_into),
        V6(many_octets_of_headers_in_fragments_are_refused),
        {"an_atomic_fragment_is_a_packet_of_its_own", an_atomic_fragment_is_a_packet_of_its_own,
         packets_setup6, peer_teardown, NULL},
        V6(no_atomic_fragment_is_ever_sent),
        BOTH(a_connection_takes_segments_whole_and_in_fragments_in_turn),
    };
    return cmocka_run_group_tests_name("fragments", tests, NULL, NULL);
}
