/* Forged and malformed ICMP about connections: RFC 5927, RFC 1191, RFC 8201, RFC 5461, RFC 6633;
 * rulings 45 to 47.
 */
#include "common/packets.h"

#include <string.h>

#include "base/bytes.h"

enum { FAR_OFF = 100000 };

static void unreachable(struct peer *p, unsigned code, uint32_t rest, int64_t number)
{
    peer_icmp_error(p, p->peer_ip, p->v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE, (uint8_t)code,
                    rest, number);
}

static void too_big(struct peer *p, uint32_t mtu, int64_t number)
{
    peer_icmp_error(p, p->peer_ip, p->v6 ? ICMP6_TOO_BIG : ICMP4_UNREACHABLE, p->v6 ? 0 : 4, mtu,
                    number);
}

/* The next script: other numbers, another port. */
static void begins_anew(struct peer *p)
{
    (void)hf_abort(p->stack, &p->env, p->c->handle); /* where it is not closed already */
    releases();
    peer_forget(p);
    p->c->peer_port += PEER_CONNS;
    new_incarnation(p->c->irs + 100000);
    after(100);
}

/* Ruling 46: what ends an attempt to open. */
static bool is_hard(const struct peer *p, unsigned code)
{
    return p->v6 ? code == 1 || code == 4 : code == 2 || code == 3;
}

/* IC-01: every code, about a SYN: the number it quotes must be the SYN's own. */
TEST(an_attempt_to_open_is_ended_by_hard_errors_about_its_syn_alone)
{
    static const int64_t others[] = {ISS - 1, ISS + 1, ISS + FAR_OFF, ISS - FAR_OFF};
    for (unsigned code = 0; code < (p->v6 ? 10 : 18); code++) {
        opens();
        expects(SYN);
        for (int i = 0; i < 4; i++)
            unreachable(p, code, 0, others[i]);
        expects_state(HF_SYN_SENT);
        expects_no_event(HF_ERROR_REPORT | HF_CLOSED_EVENT);
        unreachable(p, code, 1400, ISS);
        if (is_hard(p, code)) {
            peer_events(p);
            holds(p->c->events & HF_CLOSED_EVENT);
        } else { /* and the attempt goes on to succeed */
            expects_state(HF_SYN_SENT);
            sends(SYN | ACK, .seq = IRS, .ack = ISS + 1);
            expects(ACK);
            expects_state(HF_ESTABLISHED);
        }
        begins_anew(p);
    }
}

/* IC-01: an open connection goes on whatever they say, and with whatever number. */
TEST(no_error_ends_an_open_connection)
{
    static const int64_t numbers[] = {ISS + 1, ISS + 50, ISS + 100, ISS + 101, ISS, ISS + FAR_OFF};
    for (unsigned code = 0; code < (p->v6 ? 10 : 18); code++) {
        establish_active();
        writes(100);
        expects(ACK, .len = 100);
        for (int i = 0; i < 6; i++)
            unreachable(p, code, 1400, numbers[i]);
        peer_icmp_error(p, p->peer_ip, p->v6 ? ICMP6_TIME_EXCEEDED : ICMP4_TIME_EXCEEDED,
                        (uint8_t)code, 0, ISS + 1);
        peer_icmp_error(p, p->peer_ip, p->v6 ? ICMP6_PARAM_PROBLEM : ICMP4_PARAM_PROBLEM,
                        (uint8_t)code, 0, ISS + 1);
        expects_state(HF_ESTABLISHED);
        peer_forget(p); /* code 4 of IPv4 is about its size: it goes again */
        sends(PSH | ACK, .ack = ISS + 101, .len = 10);
        after(300);
        expects(ACK, .ack = IRS + 11);
        closes();
        expects(FIN | ACK);
        for (int i = 0; i < 6; i++)
            unreachable(p, code, 1400, ISS + 101);
        expects_state(HF_FIN_WAIT_1);
        begins_anew(p);
    }
}

static const uint32_t mtus[] = {0,    1,    40,   60,   67,   68,   295,   551,        552,
                                1279, 1280, 1400, 1499, 1500, 9000, 65535, 0x7fffffff, 0xffffffff};

/* What a message about a packet of 1500 leads to: RFC 1191 3, 7.1, RFC 8201 4, ruling 45. */
static uint32_t believed(const struct peer *p, uint32_t mtu)
{
    if (p->v6)
        return mtu < 1280 || mtu >= p->mtu ? p->mtu : mtu;
    mtu &= 0xffff; /* the other half is not a size (RFC 1191 4) */
    if (mtu == 0)
        return 1492;
    return mtu < 552 ? 552 : mtu < 1500 ? mtu : 1500;
}

/* IC-02, IC-03: CVE-2004-1060, CVE-2008-3530. */
TEST(a_path_mtu_is_believed_within_its_bounds)
{
    p->quoted_len = 1500;
    for (unsigned i = 0; i < sizeof mtus / sizeof *mtus; i++) {
        establish_active();
        too_big(p, mtus[i], ISS + 1); /* before anything is in flight */
        holds_equal(status_of(snd_mss), 1460);
        writes(1460);
        expects(ACK, .len = 1460);
        too_big(p, mtus[i], ISS + 1461); /* about what was not sent */
        too_big(p, mtus[i], ISS);
        too_big(p, mtus[i], ISS + FAR_OFF);
        holds_equal(status_of(snd_mss), 1460);
        too_big(p, mtus[i], ISS + 1);
        uint32_t mss = believed(p, mtus[i]) - (p->v6 ? 60 : 40);
        holds_equal(status_of(snd_mss), mss);
        uint32_t again = mss < 1460 ? mss : 0;
        while (again) { /* all of it goes again, in pieces that fit */
            expects(ACK, .len = again);
            again = min_u32(mss, 1460 - (p->c->acks - p->c->iss - 1));
        }
        sends(ACK, .ack = ISS + 1461);
        holds_equal(status_of(queued_bytes), 0);
        begins_anew(p);
    }
}

/* IC-02: one a second, each smaller: text goes on through. */
TEST(repeated_messages_do_not_stop_a_connection)
{
    establish_active();
    uint32_t acked = 0;
    for (uint32_t second = 0; second < 60; second++) {
        writes(4000);
        too_big(p, 1400 - 25 * second, ISS + 1 + acked);
        struct seen *seen;
        while ((seen = peer_take(p, WIRE_PROTO_TCP)) != NULL) {
            holds(seen->seg.text_len >= 1);
            peer_taken(p, seen);
        }
        acked += 4000;
        sends(ACK, .ack = ISS + 1 + acked);
        holds(status_of(snd_mss) >= (p->v6 ? 1220 : 512));
        holds_equal(status_of(queued_bytes), 0);
        after(1000);
        peer_forget(p);
    }
}

/* IC-03: nor does a size that cannot be do harm while a connection opens. */
TEST(an_absurd_size_does_not_harm_an_attempt_to_open)
{
    for (unsigned i = 0; i < sizeof mtus / sizeof *mtus; i++) {
        opens();
        expects(SYN);
        too_big(p, mtus[i], ISS);
        expects_state(HF_SYN_SENT);
        sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
        expects(ACK);
        writes(100);
        expects(ACK, .len = 100);
        begins_anew(p);
    }
}

/* IC-04: RFC 6633 */
TEST(a_thousand_source_quenches_change_nothing)
{
    uint64_t bytes;
    establish_active();
    writes(2920);
    expects(ACK, .len = 1460);
    expects(ACK, .len = 1460);
    uint8_t *before = state_of(p, &bytes);
    for (uint32_t i = 0; i < 1000; i++)
        peer_icmp_error(p, p->peer_ip, ICMP4_SOURCE_QUENCH, 0, 0, ISS + 1 + i);
    expects_silence();
    expects_no_event(HF_ERROR_REPORT);
    holds(state_is(p, before, bytes));
    sends(ACK, .ack = ISS + 2921);
    writes(1460);
    expects(ACK, .len = 1460);
}

/* Quotes -------------------------------------------------------------------------------------- */

/* An error that would end an attempt to open; returns the octets of the quote at out + 8. */
static uint32_t make_hard_error(struct peer *p, uint8_t *out)
{
    struct wire_ip quoted = {.version = p->v6 ? 6 : 4, .proto = WIRE_PROTO_TCP, .ttl = 60};
    struct wire_icmp icmp = {.version = quoted.version,
                             .type = p->v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE,
                             .code = p->v6 ? 4 : 3};
    memset(out, 0, 200);
    memcpy(quoted.src, p->stack_ip, 16);
    memcpy(quoted.dst, p->peer_ip, 16);
    quoted.df = true;
    quoted.total_len = p->v6 ? 60 : 40;
    size_t at = wire_put_icmp(out, &icmp);
    at += wire_put_ip(out + at, &quoted);
    struct segment seg = {.ctl = SYN, .sport = p->c->stack_port, .dport = p->c->peer_port};
    seg.seq = seq(p->c->iss);
    at += wire_put_tcp(out + at, &seg);
    return (uint32_t)at - 8;
}

static void sends_error(struct peer *p, uint8_t *message, uint32_t quoted)
{
    static uint8_t packet[400];
    struct wire_ip ip = ip_in(p, icmp_proto(p));
    wire_set_icmp_checksum(message, 8 + quoted, &ip);
    peer_frame_guarded(p, packet, make_packet(p, packet, icmp_proto(p), message, 8 + quoted));
}

static void is_ignored(struct peer *p, uint8_t *message, uint32_t quoted)
{
    uint64_t bytes;
    uint8_t *before = state_of(p, &bytes);
    uint64_t dropped = verdicts(p, HF_V_DROP_ICMP);
    sends_error(p, message, quoted);
    holds_equal(verdicts(p, HF_V_DROP_ICMP), dropped + 1);
    holds(state_is(p, before, bytes));
    expects_silence();
}

/* IC-06: cut anywhere before the number that it must quote. */
TEST(a_quote_that_is_cut_short_is_ignored)
{
    uint8_t message[200];
    opens();
    expects(SYN);
    uint32_t header = p->v6 ? 40 : 20;
    for (uint32_t len = 0; len < header + 8; len++) {
        make_hard_error(p, message);
        is_ignored(p, message, len);
    }
    make_hard_error(p, message);
    sends_error(p, message, header + 8);
    expects_closed(HF_ERR_PORT_UNREACHABLE);
}

/* IC-06: each octet of the quote that says what it is about, wrong in turn. */
TEST(a_quote_of_something_else_is_ignored)
{
    static const uint8_t at4[] = {0, 9, 12, 15, 16, 19, 20, 21, 22, 23, 24, 27, 6, 7};
    static const uint8_t at6[] = {0, 6, 8, 23, 24, 39, 40, 41, 42, 43, 44, 47, 6, 6};
    static const uint8_t protos[] = {0, 43, 44, 60, 17, 58, 255};
    uint8_t message[200];
    opens();
    expects(SYN);
    for (unsigned i = 0; i < sizeof at4; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            unsigned at = 8u + (p->v6 ? at6[i] : at4[i]);
            bool no_fragment = !p->v6 && i >= 12 && bit > 4; /* DF, MF: still a first one */
            bool more = !p->v6 && i == 12 && bit > 4;
            bool nibble = i == 0 && bit < 4 && p->v6; /* of the traffic class */
            uint32_t len = make_hard_error(p, message);
            message[at] ^= (uint8_t)(1u << bit);
            if (more || nibble || (no_fragment && i == 12))
                continue;
            is_ignored(p, message, len);
        }
    }
    for (unsigned i = 0; i < sizeof protos; i++) {
        uint32_t len = make_hard_error(p, message);
        message[8 + (p->v6 ? 6 : 9)] = protos[i];
        is_ignored(p, message, len);
    }
    sends_error(p, message, make_hard_error(p, message));
    expects_closed(HF_ERR_PORT_UNREACHABLE);
}

/* IC-06: CVE-2026-46266: about a protocol that is not TCP no path becomes narrower. */
TEST(a_size_in_an_error_about_another_protocol_changes_nothing)
{
    uint8_t message[200];
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    for (unsigned proto = 0; proto < 256; proto++) {
        uint32_t len = make_hard_error(p, message);
        if (proto == WIRE_PROTO_TCP)
            continue;
        message[0] = p->v6 ? ICMP6_TOO_BIG : ICMP4_UNREACHABLE;
        message[1] = p->v6 ? 0 : 4;
        put_be32(message + 4, 1300);
        message[8 + (p->v6 ? 6 : 9)] = (uint8_t)proto;
        put_be32(message + 8 + (p->v6 ? 40 : 20) + 4, p->c->iss + 1);
        is_ignored(p, message, len);
    }
    holds_equal(status_of(snd_mss), 1460);
}

/* IC-06: behind IP options of the quoted header the segment is found, and one octet less is not. */
TEST(a_quoted_header_with_options_is_as_long_as_it_says)
{
    uint8_t message[200], longer[200];
    opens();
    expects(SYN);
    for (unsigned ihl = 0; ihl < 16; ihl++) {
        make_hard_error(p, message);
        memcpy(longer, message, 28);
        memset(longer + 28, 1, 40);
        uint32_t header = ihl * 4;
        memcpy(longer + 8 + (header < 20 ? 20 : header), message + 28, 8);
        longer[8] = (uint8_t)(0x40 | ihl);
        if (header < 20) {
            is_ignored(p, longer, 28);
            continue;
        }
        is_ignored(p, longer, header + 7);
        sends_error(p, longer, header + 8);
        expects_closed(HF_ERR_PORT_UNREACHABLE);
        begins_anew(p);
        opens();
        expects(SYN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_attempt_to_open_is_ended_by_hard_errors_about_its_syn_alone),
        BOTH(no_error_ends_an_open_connection),
        BOTH(a_path_mtu_is_believed_within_its_bounds),
        BOTH(repeated_messages_do_not_stop_a_connection),
        BOTH(an_absurd_size_does_not_harm_an_attempt_to_open),
        V4(a_thousand_source_quenches_change_nothing),
        BOTH(a_quote_that_is_cut_short_is_ignored),
        BOTH(a_quote_of_something_else_is_ignored),
        BOTH(a_size_in_an_error_about_another_protocol_changes_nothing),
        V4(a_quoted_header_with_options_is_as_long_as_it_says),
    };
    return cmocka_run_group_tests_name("icmp", tests, NULL, NULL);
}
