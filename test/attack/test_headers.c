/* Headers that lie: TCP data offsets, IP lengths and options, cut segments (RFC 9293 3.1, RFC 791
 * 3.1, RFC 1122 3.2.1, RFC 8200 3).  Every packet ends where readable memory ends.
 */
#include "common/raw.h"

#include <string.h>

#include "base/bytes.h"

static uint8_t packet[2000];

static uint32_t ip_len(const struct peer *p)
{
    return p->v6 ? 40 : 20;
}

static void set_lengths(struct peer *p, uint32_t payload)
{
    if (p->v6) {
        put_be16(packet + 4, (uint16_t)payload);
    } else {
        put_be16(packet + 2, (uint16_t)(20 + payload));
        mend_ip4(packet);
    }
}

/* The next n octets come in order and are taken: what came before has done no harm. */
static void goes_on(struct peer *p, uint32_t n)
{
    sends(PSH | ACK, .seq = (int64_t)p->c->nxt - p->c->irs + IRS, .len = n);
    after(300);
    expects(ACK, .ack = (int64_t)p->c->nxt - p->c->irs + IRS);
    reads(n);
    expects_state(HF_ESTABLISHED);
}

/* HD-02: a header of less than 20 octets would make text of header octets. */
TEST(a_data_offset_below_five_is_dropped_and_counted)
{
    establish_passive();
    for (unsigned doff = 0; doff < 5; doff++) {
        for (unsigned syn = 0; syn < 2; syn++) {
            p->c = &p->conn[syn];
            uint32_t len = make_tcp(p, packet, syn ? SYN : PSH | ACK, IRS + !syn, ISS + 1, 40);
            packet[ip_len(p) + 12] = (uint8_t)(doff << 4);
            mend_tcp(packet, ip_len(p), len - ip_len(p));
            sends_packet(p, packet, len);
            expects_silence();
            holds_equal(verdicts(p, HF_V_DROP_TCP_HEADER), 2 * doff + syn + 1);
        }
    }
    on(0);
    goes_on(p, 40);
}

/* HD-03: options longer than the segment. */
TEST(a_data_offset_behind_the_end_of_the_segment_is_dropped)
{
    unsigned dropped = 0;
    establish_passive();
    for (uint32_t doff = 6; doff < 16; doff++) {
        for (uint32_t len = 20; len < 60; len++) {
            make_tcp(p, packet, PSH | ACK, IRS + 1, ISS + 1, 40);
            packet[ip_len(p) + 12] = (uint8_t)(doff << 4);
            memset(packet + ip_len(p) + 20, 1, 40);
            set_lengths(p, len);
            mend_tcp(packet, ip_len(p), len);
            if (len >= doff * 4)
                continue;
            sends_packet(p, packet, ip_len(p) + len);
            expects_silence();
            holds_equal(verdicts(p, HF_V_DROP_TCP_HEADER), ++dropped);
        }
    }
    make_tcp(p, packet, PSH | ACK, IRS + 1, ISS + 1, 60); /* just as long as the segment: an ACK */
    memset(packet + ip_len(p) + 20, 1, 40);
    packet[ip_len(p) + 12] = 15 << 4;
    set_lengths(p, 60);
    mend_tcp(packet, ip_len(p), 60);
    sends_packet(p, packet, ip_len(p) + 60);
    expects_silence();
    goes_on(p, 40);
}

/* HD-04: what is more than the frame, or less than the headers, is dropped. */
TEST(an_ip_length_that_the_frame_does_not_have_is_dropped)
{
    establish_passive();
    uint32_t len = make_tcp(p, packet, PSH | ACK, IRS + 1, ISS + 1, 100);
    const uint32_t v4[] = {0, 19, 20, 39, len + 1, 65535};
    const uint32_t v6[] = {0, 1, 8, 19, len - 40 + 1, 65535};
    for (unsigned i = 0; i < 6; i++) {
        put_be16(packet + (p->v6 ? 4 : 2), (uint16_t)(p->v6 ? v6[i] : v4[i]));
        if (!p->v6)
            mend_ip4(packet);
        if (i == 3)
            mend_tcp(packet, ip_len(p), 19);
        sends_packet(p, packet, len);
        expects_silence();
        holds_equal(verdicts(p, HF_V_DROP_IP_HEADER) + verdicts(p, HF_V_DROP_TCP_HEADER), i + 1);
    }
    goes_on(p, 100);
}

/* HD-04: what is less than the frame is the packet. */
TEST(a_frame_longer_than_its_packet_is_cut)
{
    establish_passive();
    make_tcp(p, packet, PSH | ACK, IRS + 1, ISS + 1, 100);
    set_lengths(p, 20 + 30);
    mend_tcp(packet, ip_len(p), 20 + 30);
    sends_packet(p, packet, ip_len(p) + 120);
    expects(ACK, .ack = IRS + 31);
    reads(30);
    p->c->nxt = p->c->irs + 31;
    goes_on(p, 100);
}

/* HD-05: no field of a header that is not there. */
TEST(a_cut_tcp_header_is_dropped_before_it_is_read)
{
    listens();
    for (uint32_t len = 0; len < 20; len++) {
        make_tcp(p, packet, SYN, IRS, ZERO, 0);
        set_lengths(p, len);
        sends_packet(p, packet, ip_len(p) + len);
        expects_silence();
        holds_equal(verdicts(p, HF_V_DROP_TCP_HEADER), len + 1);
    }
    uint32_t len = make_tcp(p, packet, SYN, IRS, ZERO, 0);
    sends_packet(p, packet, len);
    expects(SYN | ACK, .ack = IRS + 1);
}

/* HD-05 */
TEST(a_cut_tcp_header_behind_extension_headers_is_dropped)
{
    static const uint8_t options[8] = {WIRE_PROTO_TCP, 0, 1, 4};
    uint8_t payload[8 + 20];
    listens();
    for (uint32_t len = 0; len <= 20; len++) {
        make_tcp(p, packet, SYN, IRS, ZERO, 0);
        memcpy(payload, options, 8);
        memcpy(payload + 8, packet + 40, 20);
        uint32_t whole = make_packet(p, packet, 60, payload, 8 + len);
        sends_packet(p, packet, whole);
        if (len < 20)
            expects_silence();
    }
    holds_equal(verdicts(p, HF_V_DROP_TCP_HEADER), 20);
    expects(SYN | ACK, .ack = IRS + 1);
}

/* HD-05: nor when it came in fragments. */
TEST(a_cut_tcp_header_in_fragments_is_dropped)
{
    uint8_t segment[24] = {0};
    listens();
    make_tcp(p, packet, SYN, IRS, ZERO, 0);
    memcpy(segment, packet + ip_len(p), 20);
    for (uint32_t len = 9; len < 20; len++) {
        fragment_ident++;
        sends_fragment(p, WIRE_PROTO_TCP, segment, 0, 8, true);
        sends_fragment(p, WIRE_PROTO_TCP, segment, 8, len, false);
        struct seen *seen = peer_take(p, WIRE_PROTO_ICMPV6);
        holds((seen != NULL) == p->v6); /* RFC 8200 4.5: the first has not all headers */
        if (seen)
            peer_taken(p, seen);
        expects_silence();
    }
    if (!p->v6)
        holds_equal(verdicts(p, HF_V_DROP_TCP_HEADER), 11);
    holds_equal(counters_of(p).half_open, 0);
    sends(SYN, .seq = IRS);
    expects(SYN | ACK);
}

/* HD-07: the reserved bits of every segment of a connection's life are set. */
TEST(reserved_bits_change_nothing_in_any_state)
{
    static const uint8_t nops[4] = {1, 1, 1, 1};
    listens();
    for (uint8_t bits = 1; bits < 8; bits++) {
        on(bits);
        sends_with_options(nops, SYN, .seq = IRS, .reserved = bits);
        expects(SYN | ACK, .ack = IRS + 1);
        sends_with_options(nops, ACK, .seq = IRS + 1, .ack = ISS + 1, .text = 10, .reserved = bits);
        expects(ACK, .ack = IRS + 11);
        accepts();
        reads(10);
        closes();
        expects(FIN | ACK, .seq = ISS + 1);
        expects_state(HF_FIN_WAIT_1);
        sends_with_options(nops, ACK, .seq = IRS + 11, .ack = ISS + 2, .reserved = bits);
        expects_state(HF_FIN_WAIT_2);
        sends_with_options(nops, ACK | FIN, .seq = IRS + 11, .ack = ISS + 2, .reserved = bits);
        expects(ACK, .ack = IRS + 12);
        expects_state(HF_TIME_WAIT);
        releases();
    }
}

/* HD-07: nor when the other side closes, nor in SYN-SENT. */
TEST(reserved_bits_change_nothing_where_the_peer_closes)
{
    static const uint8_t nops[4] = {1, 1, 1, 1};
    opens();
    expects(SYN);
    sends_with_options(nops, SYN | ACK, .seq = IRS, .ack = ISS + 1, .reserved = 7);
    expects(ACK, .ack = IRS + 1);
    sends_with_options(nops, FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .reserved = 7);
    expects(ACK, .ack = IRS + 2);
    expects_state(HF_CLOSE_WAIT);
    closes();
    expects(FIN | ACK);
    sends_with_options(nops, ACK, .seq = IRS + 2, .ack = ISS + 2, .reserved = 7);
    expects_state(HF_CLOSED);
}

/* HD-07: ruling 51, RFC 6335 6. */
TEST(port_0_is_dropped_without_a_reset)
{
    static const unsigned ctl[] = {SYN, ACK, RST, FIN | ACK, SYN | ACK};
    listens();
    unsigned dropped = 0;
    for (unsigned i = 0; i < 15; i++) {
        uint32_t len = make_tcp(p, packet, ctl[i / 3], IRS, IRS, 0);
        memset(packet + ip_len(p), 0, i % 3 == 2 ? 4 : 2);
        if (i % 3 == 1)
            make_tcp(p, packet, ctl[i / 3], IRS, IRS, 0), put_be16(packet + ip_len(p) + 2, 0);
        mend_tcp(packet, ip_len(p), 20);
        sends_packet(p, packet, len);
        expects_silence();
        holds_equal(verdicts(p, HF_V_DROP_PORT_ZERO), ++dropped);
    }
}

/* HD-09: IHL below 5, or more than there is. */
TEST(an_ip_header_length_that_lies_is_dropped)
{
    unsigned dropped = 0;
    listens();
    for (uint32_t ihl = 0; ihl < 16; ihl++) {
        for (uint32_t len = 20; len < 60; len++) {
            make_tcp(p, packet, SYN, IRS, ZERO, 40);
            memset(packet + 20, 1, 40);
            packet[0] = (uint8_t)(0x40 | ihl);
            put_be16(packet + 2, (uint16_t)len);
            if (ihl == 5 || (ihl > 5 && len >= ihl * 4))
                continue;
            mend_ip4(packet);
            sends_packet(p, packet, len);
            expects_silence();
            holds_equal(verdicts(p, HF_V_DROP_IP_HEADER), ++dropped);
        }
    }
}

/* HD-09: the transport header is where the IP header ends. */
TEST(a_segment_behind_ip_options_is_found)
{
    static uint8_t longer[2000];
    establish_passive();
    for (uint32_t ihl = 6; ihl < 16; ihl++) {
        uint32_t more = ihl * 4 - 20;
        uint32_t number = (ihl - 6) * 10 + 1;
        uint32_t len = make_tcp(p, packet, PSH | ACK, IRS + number, ISS + 1, 10);
        memcpy(longer, packet, 20);
        memset(longer + 20, 1, more);
        memcpy(longer + 20 + more, packet + 20, len - 20);
        longer[0] = (uint8_t)(0x40 | ihl);
        put_be16(longer + 2, (uint16_t)(len + more));
        mend_ip4(longer);
        sends_packet(p, longer, len + more);
        expects(ACK, .ack = IRS + number + 10);
        reads(10);
    }
}

/* An echo request, or a datagram for a port where nobody is, behind these option octets. */
static void sends_behind_options(struct peer *p, const uint8_t *options, uint32_t n, bool echo)
{
    uint8_t payload[100];
    uint32_t len =
        echo ? make_icmp(p, payload, ICMP4_ECHO, 0, data, 20) : make_datagram(p, payload, 20);
    uint32_t header = 20 + (n + 3) / 4 * 4;
    make_packet(p, packet, echo ? WIRE_PROTO_ICMP : WIRE_PROTO_UDP, payload, 0);
    memset(packet + 20, 0, header - 20);
    memcpy(packet + 20, options, n);
    memcpy(packet + header, payload, len);
    packet[0] = (uint8_t)(0x40 | header / 4);
    put_be16(packet + 2, (uint16_t)(header + len));
    mend_ip4(packet);
    sends_packet(p, packet, header + len);
}

/* The header of what is answered has no options: none was copied. */
static void answers_without_options(struct peer *p, bool echo)
{
    struct seen *seen = peer_take(p, WIRE_PROTO_ICMP);
    holds(seen != NULL && seen->ip.header_len == 20);
    holds_equal(seen->bytes[20], echo ? ICMP4_ECHO_REPLY : ICMP4_UNREACHABLE);
    peer_taken(p, seen);
}

enum { LSRR = 131, SSRR = 137, RR = 7, TIMESTAMP = 68 };

/* HD-10: ruling 50, RFC 7126 4.3, 4.4; what is echoed has a header of its own. */
TEST(ip_options_are_bounded_and_never_come_back)
{
    static const uint8_t kinds[] = {LSRR, SSRR, RR, TIMESTAMP};
    static const uint8_t lens[] = {0, 1, 2, 3, 7, 11, 12, 13, 39, 40, 41, 255};
    starts();
    for (unsigned i = 0; i < 4 * sizeof lens * 5; i++) {
        uint8_t options[12] = {kinds[i % 4], lens[i / 4 % sizeof lens],
                               (uint8_t[]){0, 1, 3, 4, 200}[i / 4 / sizeof lens]};
        bool bad = options[1] < 2 || options[1] > 12;
        bad |= options[1] == 2 && options[2] > 1; /* an option of its own, of length 0 */
        bool source_route = options[0] == LSRR || options[0] == SSRR;
        for (int echo = 0; echo < 2; echo++) {
            uint64_t before = verdicts(p, HF_V_DROP_IP_HEADER) + verdicts(p, HF_V_DROP_IP_OPTIONS);
            sends_behind_options(p, options, sizeof options, echo);
            uint64_t after = verdicts(p, HF_V_DROP_IP_HEADER) + verdicts(p, HF_V_DROP_IP_OPTIONS);
            holds_equal(after - before, bad || source_route);
            if (!bad && !source_route)
                answers_without_options(p, echo);
            expects_silence();
        }
        after(100); /* the budget of errors */
    }
}

/* HD-10: a second one, and one that begins where the options end. */
TEST(a_second_ip_option_is_looked_at_as_the_first)
{
    const struct {
        uint8_t octets[8];
        bool answered;
    } two[] = {
        {{RR, 3, 4, RR, 3, 4, 0, 0}, true},         {{TIMESTAMP, 4, 5, 0, RR, 3, 4, 0}, true},
        {{RR, 3, 4, LSRR, 3, 4, 0, 0}, false},      {{LSRR, 3, 4, LSRR, 3, 4, 0, 0}, false},
        {{RR, 3, 4, 1, 1, 1, 1, LSRR}, false},      {{RR, 3, 4, 1, 1, 1, RR, 3}, false},
        {{RR, 3, 4, TIMESTAMP, 0, 0, 0, 0}, false}, {{1, 1, 1, 1, 1, 1, 1, SSRR}, false},
    };
    for (unsigned i = 0; i < sizeof two / sizeof *two; i++) {
        sends_behind_options(p, two[i].octets, 8, true);
        if (two[i].answered)
            answers_without_options(p, true);
        expects_silence();
    }
}

#define ON_4(name)                                                                                 \
    {                                                                                              \
#name, name, packets_setup4, peer_teardown, NULL                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_data_offset_below_five_is_dropped_and_counted),
        BOTH(a_data_offset_behind_the_end_of_the_segment_is_dropped),
        BOTH(an_ip_length_that_the_frame_does_not_have_is_dropped),
        BOTH(a_frame_longer_than_its_packet_is_cut),
        BOTH(a_cut_tcp_header_is_dropped_before_it_is_read),
        V6(a_cut_tcp_header_behind_extension_headers_is_dropped),
        BOTH(a_cut_tcp_header_in_fragments_is_dropped),
        BOTH(reserved_bits_change_nothing_in_any_state),
        V4(reserved_bits_change_nothing_where_the_peer_closes),
        BOTH(port_0_is_dropped_without_a_reset),
        V4(an_ip_header_length_that_lies_is_dropped),
        V4(a_segment_behind_ip_options_is_found),
        ON_4(ip_options_are_bounded_and_never_come_back),
        ON_4(a_second_ip_option_is_looked_at_as_the_first),
    };
    return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
