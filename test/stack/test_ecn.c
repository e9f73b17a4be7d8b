/* ECN below TCP: RFC 3168 section 5.3, fragments; section 5, the field and the TOS option; what is
 * said of packets that are dropped. */
#include <string.h>

#include "common/packets.h"

/* ESTABLISHED with ECN, by passive open. */
static void agree(struct peer *p)
{
    listens();
    sends(SYN | ECE | CWR, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE);
    sends(ACK);
    accepts();
}

enum { TEXT = 200, CUT1 = 80, CUT2 = 160, SEGMENT = 20 + TEXT };

/* The peer's next 200 octets as three fragments of these codepoints, in the order 3, 1, 2. */
static void sends_fragmented(struct peer *p, uint8_t first, uint8_t second, uint8_t third)
{
    uint8_t octets[SEGMENT];
    struct wire_ip ip = ip_in(p, WIRE_PROTO_TCP);
    struct segment seg = {.ctl = ACK | PSH,
                          .sport = p->c->peer_port,
                          .dport = p->c->stack_port,
                          .seq = seq(p->c->nxt),
                          .ack = seq(p->c->acks),
                          .wnd = 65535};
    wire_put_tcp(octets, &seg);
    for (uint32_t i = 0; i < TEXT; i++)
        octets[20 + i] = peer_octet(false, p->c->nxt - p->c->irs - 1 + i);
    wire_set_tcp_checksum(octets, 20, &ip, csum_add(0, octets + 20, TEXT), TEXT);
    fragment_ident++;
    p->tos = third;
    sends_fragment(p, WIRE_PROTO_TCP, octets, CUT2, SEGMENT, false);
    p->tos = first;
    sends_fragment(p, WIRE_PROTO_TCP, octets, 0, CUT1, true);
    p->tos = second;
    sends_fragment(p, WIRE_PROTO_TCP, octets, CUT1, CUT2, true);
    p->tos = 0;
}

static void arrives(struct peer *p, unsigned bits)
{
    p->c->nxt += TEXT;
    expects(ACK | bits, .ack = (int64_t)p->c->nxt - p->c->irs + IRS);
}

/* RFC3168-4 */
TEST(a_mark_on_any_fragment_is_one_on_the_datagram)
{
    agree(p);
    sends_fragmented(p, ECT0, ECT0, ECT0);
    arrives(p, 0);
    sends_fragmented(p, CE, ECT0, ECT0);
    arrives(p, ECE);
    sends(ACK | PSH | CWR, .len = 10);
    expects(ACK);
    sends_fragmented(p, ECT0, CE, ECT1);
    arrives(p, ECE);
    sends(ACK | PSH | CWR, .len = 10);
    expects(ACK);
    sends_fragmented(p, ECT0, ECT0, CE);
    arrives(p, ECE);
}

/* RFC3168-4 */
TEST(a_marked_fragment_among_those_that_cannot_be_marked_is_dropped_with_all_of_them)
{
    agree(p);
    sends_fragmented(p, NOT_ECT, CE, NOT_ECT);
    expects_silence();
    sends_fragmented(p, CE, NOT_ECT, ECT0);
    expects_silence();
    sends_fragmented(p, CE, CE, CE);
    arrives(p, ECE);
}

/* RFC3168-4: the same in all is kept. */
TEST(fragments_of_one_codepoint_make_a_datagram_of_it)
{
    agree(p);
    sends_fragmented(p, NOT_ECT, NOT_ECT, NOT_ECT);
    arrives(p, 0);
    holds_equal(status_of(ecn_seen), 0);
    sends_fragmented(p, ECT0, NOT_ECT, ECT0); /* not all can be marked: neither can it */
    arrives(p, 0);
    holds_equal(status_of(ecn_seen), 0);
    sends_fragmented(p, ECT1, ECT1, ECT1);
    arrives(p, 0);
    holds_equal(status_of(ecn_seen), 1);
}

TEST(the_tos_option_sets_the_upper_six_bits_and_ecn_the_lower_two)
{
    agree(p);
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, HF_TOS, 0xb9));
    sets(HF_TOS, 0xb8);
    writes(100);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen && seen->ip.tos == (0xb8 | ECT0));
    peer_taken(p, seen);
    sends(ACK | PSH, .len = 10);
    seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen && seen->ip.tos == 0xb8);
    peer_taken(p, seen);
}

TEST(an_echo_reply_is_not_marked_whatever_the_request_was)
{
    uint8_t message[8 + 4];
    starts();
    p->tos = 0xb8 | CE;
    peer_ip(p, icmp_proto(p), message,
            make_icmp(p, message, p->v6 ? ICMP6_ECHO : ICMP4_ECHO, 0, "ping", 4));
    p->tos = 0;
    struct seen *seen = peer_take(p, icmp_proto(p));
    holds(seen && seen->ip.tos == (0xb8 | NOT_ECT)); /* the rest of it is the request's */
    peer_taken(p, seen);
}

TEST(the_trace_tells_the_codepoint_of_what_is_dropped)
{
    agree(p);
    uint8_t segment[20];
    struct segment seg = {.ctl = ACK, .sport = p->c->peer_port, .dport = p->c->stack_port};
    wire_put_tcp(segment, &seg); /* its checksum is wrong */
    p->tos = CE;
    peer_ip(p, WIRE_PROTO_TCP, segment, sizeof segment);
    holds_equal(p->last.verdict, HF_V_DROP_TCP_CHECKSUM);
    holds_equal(p->last.ecn, HF_CE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_mark_on_any_fragment_is_one_on_the_datagram),
        ON_BOTH(a_marked_fragment_among_those_that_cannot_be_marked_is_dropped_with_all_of_them),
        ON_BOTH(fragments_of_one_codepoint_make_a_datagram_of_it),
        ON_BOTH(the_tos_option_sets_the_upper_six_bits_and_ecn_the_lower_two),
        ON_BOTH(an_echo_reply_is_not_marked_whatever_the_request_was),
        ON_BOTH(the_trace_tells_the_codepoint_of_what_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
