/* ICMP that concerns no connection: echo, redirects, old queries, errors about errors, groups
 * (RFC 792, RFC 1122 3.2.2, RFC 4443), IGMP and MLD, which nobody speaks here.
 */
#include "common/link.h"
#include "common/raw.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { STRANGE = 132, IGMP = 2, DEST_OPTIONS = 60 };

static uint8_t payload[ROOM], packet[ROOM];

/* Takes all that is there: how many, and how many of this ICMP type. */
static unsigned takes(struct peer *p, int type)
{
    unsigned n = 0;
    struct seen *seen;
    while ((seen = peer_any(p)) != NULL) {
        bool icmp = seen->is_ip && seen->ip.proto == icmp_proto(p);
        uint8_t got_type = icmp ? seen->bytes[seen->ip_offset + seen->ip.header_len] : 0;
        n += type < 0 || (icmp && got_type == type);
        peer_taken(p, seen);
    }
    return n;
}

static uint8_t echo_type(const struct peer *p)
{
    return p->v6 ? ICMP6_ECHO : ICMP4_ECHO;
}

/* IC-07: shorter than its header: no answer; from there on just what came. */
TEST(an_echo_request_needs_eight_octets_and_is_answered_with_what_it_has)
{
    for (uint32_t len = 0; len < 60; len++) {
        make_icmp(p, payload, echo_type(p), 0, data, 60);
        struct wire_ip ip = ip_in(p, icmp_proto(p));
        if (len >= 4)
            wire_set_icmp_checksum(payload, len, &ip);
        peer_frame_guarded(p, packet, make_packet(p, packet, icmp_proto(p), payload, len));
        if (len < 8)
            expects_silence();
        else
            expects_echo(p, payload, len);
    }
    uint32_t len = make_icmp(p, payload, echo_type(p), 0, data, 20);
    payload[2] ^= 0x10;
    peer_ip(p, icmp_proto(p), payload, len);
    expects_silence();
}

/* IC-07: the IP length decides, not the frame's. */
TEST(an_echo_request_in_a_longer_frame_is_cut_and_in_a_shorter_one_dropped)
{
    uint32_t len = make_icmp(p, payload, echo_type(p), 0, data, 40);
    uint32_t whole = make_packet(p, packet, icmp_proto(p), payload, len);
    memset(packet + whole, 0x5a, 100);
    peer_frame_guarded(p, packet, whole + 100);
    expects_echo(p, payload, len);
    for (uint32_t cut = 1; cut < len; cut++) {
        peer_frame_guarded(p, packet, whole - cut);
        expects_silence();
    }
}

/* IC-07: the largest there is. */
TEST(an_echo_request_of_the_largest_size_is_answered_whole)
{
    uint32_t len = make_icmp(p, payload, echo_type(p), 0, data, p->v6 ? 65527 - 8 : 65507);
    for (uint32_t from = 0; from < len; from += 1400)
        sends_fragment(p, icmp_proto(p), payload, from, min_u32(from + 1400, len),
                       from + 1400 < len);
    expects_echo(p, payload, len);
}

/* IC-05: RFC 1122 3.2.2.2 allows a host to keep its routes. */
static void sends_redirect(struct peer *p, unsigned i, const uint8_t far_off[16])
{
    uint8_t body[100] = {0};
    uint8_t other[16];
    memcpy(other, p->peer_ip, 16);
    other[15] = 77;
    uint32_t len;
    if (p->v6) {
        memcpy(body, other, 16);
        memcpy(body + 16, far_off, 16);
        len = 32;
        if (i & 1) { /* a link address for the better router */
            body[32] = 2, body[33] = 1;
            memcpy(body + 34, other_mac, 6);
            len = 40;
        }
    } else {
        struct wire_ip quoted = {.version = 4, .proto = WIRE_PROTO_TCP, .total_len = 40};
        memcpy(quoted.src, p->stack_ip, 16);
        memcpy(quoted.dst, far_off, 16);
        wire_put_ip(body, &quoted);
        len = 40;
    }
    len = make_icmp(p, payload, p->v6 ? 137 : ICMP4_REDIRECT, p->v6 ? 0 : i % 4, body, len);
    struct wire_ip ip = ip_in(p, icmp_proto(p));
    ip.ttl = i & 4 ? 64 : 255;
    if (!p->v6) { /* the better router */
        memcpy(payload + 4, other + 12, 4);
        wire_set_icmp_checksum(payload, len, &ip);
    }
    sends_packet(p, packet, make_packet_of(packet, ip, payload, len));
}

/* IC-05 */
TEST(a_redirect_changes_neither_routes_nor_neighbours)
{
    uint8_t any[16] = {0}, far_off[16] = {0x20, 1, [15] = 9};
    uint64_t bytes;
    p->ethernet = true;
    p->wild = true;
    if (!p->v6) {
        wire_from_v4(any, (const uint8_t[4]){0});
        wire_from_v4(far_off, (const uint8_t[4]){192, 0, 2, 9});
    }
    starts();
    calls(hf_route_add(p->stack, &p->env, 1, any, 0, p->peer_ip));
    struct hf_endpoint there = {.port = 80};
    memcpy(there.ip, far_off, 16);
    calls(hf_open(p->stack, &p->env, NULL, &there, 0, &p->c->handle));
    peer_forget(p);
    uint8_t *before = state_of(p, &bytes);
    for (unsigned i = 0; i < 8; i++)
        sends_redirect(p, i, far_off);
    holds_equal(takes(p, -1), 0);
    holds(state_is(p, before, bytes));
    after(1100);
    struct seen *seen = peer_any(p); /* the SYN again, to the router that is known */
    holds(seen != NULL && seen->is_tcp && memcmp(seen->bytes, p->peer_mac, 6) == 0);
    peer_taken(p, seen);
}

/* IC-08: CVE-1999-0524: who asks for the time, the mask, the address learns nothing. */
TEST(old_queries_are_not_answered)
{
    static const uint8_t types4[] = {9, 10, 13, 14, 15, 16, 17, 18, 30, 37};
    static const uint8_t types6[] = {139, 140, 144, 145, 146, 147, 138, 141, 142, 200};
    uint64_t bytes;
    uint8_t *before = state_of(p, &bytes);
    for (unsigned i = 0; i < sizeof types4; i++) {
        for (uint32_t len = 0; len < 40; len += 4) {
            peer_ip(p, icmp_proto(p), payload,
                    make_icmp(p, payload, p->v6 ? types6[i] : types4[i], 0, data, len));
            expects_silence();
        }
    }
    holds(state_is(p, before, bytes));
}

/* Errors about errors ------------------------------------------------------------------------- */

/* What would be answered with an error, were it sent to us alone: a protocol, a port, an option. */
static uint32_t make_mistake(struct wire_ip ip, unsigned which)
{
    uint32_t len;
    uint8_t body[200] = {0};
    switch (which) {
    case 0:
        ip.proto = STRANGE;
        return make_packet_of(packet, ip, data, 40);
    case 1: {
        struct wire_udp udp = {.sport = THERE, .dport = HERE, .len = 8 + 20};
        ip.proto = WIRE_PROTO_UDP;
        wire_put_udp(body, &udp);
        wire_set_udp_checksum(body, &ip, 0, 20);
        return make_packet_of(packet, ip, body, 28);
    }
    default: /* an option of which the sender wants to hear, a group's too with which == 3 */
        ip.proto = DEST_OPTIONS;
        body[0] = STRANGE;
        body[2] = which == 3 ? 0x85 : 0xc5;
        body[3] = 4;
        len = 40;
        return make_packet_of(packet, ip, body, len);
    }
}

/* IC-09: RFC 1122 3.2.2, RFC 4443 2.4 (e). */
TEST(no_error_is_sent_to_or_about_a_group)
{
    static const uint8_t groups4[][4] = {
        {255, 255, 255, 255}, {10, 0, 0, 255}, {224, 0, 0, 1}, {10, 0, 0, 0}};
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    starts();
    for (unsigned which = 0; which < (p->v6 ? 4 : 2); which++) {
        for (unsigned i = 0; i < 4; i++) {
            struct wire_ip ip = ip_in(p, 0);
            if (p->v6)
                memcpy(ip.dst, all_nodes, 16);
            else
                wire_from_v4(ip.dst, groups4[i]);
            peer_frame(p, packet, make_mistake(ip, which));
            /* but RFC 4443 2.4 (e.3): one kind of option wants it */
            holds_equal(takes(p, -1), which == 3);
            after(50);
        }
        struct wire_ip ip = ip_in(p, 0); /* a whole one for us is told of */
        peer_frame(p, packet, make_mistake(ip, which));
        holds_equal(takes(p, -1), 1);
    }
}

/* IC-09 */
TEST(no_error_is_sent_to_who_cannot_be_told)
{
    static const uint8_t from4[][4] = {
        {0, 0, 0, 0}, {127, 0, 0, 1}, {224, 0, 0, 1}, {255, 255, 255, 255}, {10, 0, 0, 255}};
    static const uint8_t from6[][16] = {{0}, {[15] = 1}, {0xff, 2, [15] = 1}, {0xff, 0x0e}, {0}};
    starts();
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned which = 0; which < (p->v6 ? 4 : 2); which++) {
            struct wire_ip ip = ip_in(p, 0);
            if (p->v6)
                memcpy(ip.src, from6[i], 16);
            else
                wire_from_v4(ip.src, from4[i]);
            peer_frame(p, packet, make_mistake(ip, which));
            holds_equal(takes(p, -1), 0);
        }
    }
}

/* IC-09: nor about a later fragment, nor about an error, of a type that nobody knows too. */
TEST(no_error_is_sent_about_errors_and_later_fragments)
{
    static const uint8_t errors4[] = {3, 4, 5, 11, 12}, errors6[] = {1, 2, 3, 4, 100, 127};
    starts();
    sends_fragment(p, STRANGE, data, 800, 808, false);
    sends_fragment(p, STRANGE, data, 1600, 1608, true);
    for (unsigned i = 0; i < (p->v6 ? 6 : 5); i++) {
        for (unsigned code = 0; code < 20; code++) {
            uint32_t len =
                make_icmp(p, payload, p->v6 ? errors6[i] : errors4[i], (uint8_t)code, data, 60);
            peer_ip(p, icmp_proto(p), payload, len);
            if (!p->v6)
                continue;
            memmove(payload + 8, payload, len); /* behind an option that asks for refusal */
            memcpy(payload, (const uint8_t[]){WIRE_PROTO_ICMPV6, 0, 0x85, 4, 0, 0, 0, 0}, 8);
            peer_ip(p, DEST_OPTIONS, payload, len + 8);
        }
    }
    holds_equal(takes(p, -1), 0);
    after(70000);
    holds_equal(takes(p, -1), 0);
}

/* IC-10: CVE-2025-12899: each type in each version's protocol over both. */
TEST(each_version_answers_its_own_echo_and_no_other_type)
{
    p->ethernet = true;
    starts();
    for (unsigned type = 0; type < 256; type++) {
        uint32_t len = make_icmp(p, payload, (uint8_t)type, 0, data, 40);
        peer_ip(p, icmp_proto(p), payload, len);
        holds_equal(takes(p, -1), type == echo_type(p));
        after(20);
        /* The other version's protocol is one that nobody speaks, whatever is in it. */
        uint8_t other = p->v6 ? WIRE_PROTO_ICMP : WIRE_PROTO_ICMPV6;
        peer_ip(p, other, payload, len);
        holds_equal(takes(p, p->v6 ? ICMP6_PARAM_PROBLEM : ICMP4_UNREACHABLE), 1);
        after(20);
    }
    holds_equal(counters_of(p).neighbours, 1);
}

/* IC-12: group management is not spoken: not for zero delays, nor for more sources than there are.
 */
TEST(questions_about_groups_are_not_answered)
{
    static const uint8_t types6[] = {130, 131, 132, 143}, types4[] = {0x11, 0x12, 0x16, 0x17};
    static const uint8_t all_hosts[4] = {224, 0, 0, 1};
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    uint64_t bytes;
    uint8_t *before = state_of(p, &bytes);
    for (unsigned i = 0; i < 64; i++) {
        struct wire_ip ip = ip_in(p, p->v6 ? WIRE_PROTO_ICMPV6 : IGMP);
        ip.ttl = i & 4 ? 1 : 255;
        if (p->v6)
            memcpy(ip.dst, all_nodes, 16);
        else
            wire_from_v4(ip.dst, all_hosts);
        uint32_t len = i & 8 ? 8 : 44;
        memset(payload, i & 16 ? 0xff : 0, len); /* no delay, or all sources there can be */
        payload[0] = p->v6 ? types6[i % 4] : types4[i % 4];
        payload[1] = 0;
        wire_set_icmp_checksum(payload, len, &ip);
        uint32_t whole = make_packet_of(packet, ip, payload, len);
        peer_frame_guarded(p, packet, whole);
        expects_silence();
    }
    holds(state_is(p, before, bytes));
    for (unsigned i = 0; i < 4; i++) { /* and in fragments, which are put together first */
        uint32_t len = 44;
        uint8_t proto = p->v6 ? WIRE_PROTO_ICMPV6 : IGMP;
        memset(payload, i & 1 ? 0xff : 0, len);
        payload[0] = p->v6 ? types6[i] : types4[i];
        payload[1] = 0;
        struct wire_ip ip = ip_in(p, proto);
        wire_set_icmp_checksum(payload, len, &ip);
        fragment_ident++;
        sends_fragment(p, proto, payload, 0, 24, true);
        sends_fragment(p, proto, payload, 24, len, false);
        holds_equal(takes(p, p->v6 ? -1 : ICMP4_UNREACHABLE), !p->v6); /* no such protocol */
        after(100);
    }
}

/* What has left stays as it is until the device is done --------------------------------------- */

enum { FRAMES = 40 };

static uint32_t octets_of(const struct hf_frame_out *out, uint8_t *bytes)
{
    uint32_t len = out->header_len;
    memcpy(bytes, out->header, len);
    for (uint32_t i = 0; i < out->n_slices; i++) {
        memcpy(bytes + len, out->slice[i].data, out->slice[i].len);
        len += out->slice[i].len;
    }
    return len;
}

/* One of everything that is answered; the answers are not taken yet. */
static void asks_for_answers(struct peer *p, uint32_t n)
{
    p->batching = true; /* nothing is taken out */
    uint32_t len = make_icmp(p, payload, echo_type(p), 0, data + n, 200 + n);
    peer_ip(p, icmp_proto(p), payload, len);
    peer_ip(p, WIRE_PROTO_UDP, payload, make_datagram(p, payload, 300));
    peer_ip(p, STRANGE, data + n, 100);
    sends(SYN, .seq = IRS);
    sends(ACK, .seq = IRS + 500, .ack = 77);
    p->batching = false;
    hf_input(p->stack, &p->env, p->batch, p->n_batch);
    for (uint32_t i = 0; i < p->n_batch; i++) {
        memset((void *)(uintptr_t)p->batch[i].data, 0xa5, p->batch[i].len);
        free((void *)(uintptr_t)p->batch[i].data);
    }
    p->n_batch = 0;
}

/* IC-11: CVE-2026-10639: neither is a frame looked at that was given back (its memory is other by
 * then), nor one changed that is still out. */
TEST(a_frame_that_is_out_stays_as_it_is_until_it_is_done)
{
    static struct hf_frame_out out[FRAMES];
    static uint8_t then[FRAMES][2000], now[2000];
    uint32_t n = 0, lens[FRAMES];
    p->ethernet = true;
    p->config.small_chunks = 40;
    p->config.large_chunks = 0;
    starts();
    for (uint32_t round = 0; round < 4; round++) {
        asks_for_answers(p, round);
        uint32_t more = hf_output(p->stack, &p->env, out + n, FRAMES - n);
        holds(more > 0);
        for (uint32_t i = n; i < n + more; i++)
            lens[i] = octets_of(&out[i], then[i]);
        n += more;
        after(200);
    }
    holds(n >= 12);
    for (uint32_t i = 0; i < n; i++) {
        holds_equal(octets_of(&out[i], now), lens[i]);
        holds(memcmp(now, then[i], lens[i]) == 0);
        calls(hf_output_done(p->stack, &p->env, out[i].token));
    }
    after(1000);
    peer_forget(p);
    holds_equal(counters_of(p).small_chunks, 0);
    holds_equal(counters_of(p).packets, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(an_echo_request_needs_eight_octets_and_is_answered_with_what_it_has),
        ON_BOTH(an_echo_request_in_a_longer_frame_is_cut_and_in_a_shorter_one_dropped),
        ON_BOTH(an_echo_request_of_the_largest_size_is_answered_whole),
        ON_BOTH(a_redirect_changes_neither_routes_nor_neighbours),
        ON_BOTH(old_queries_are_not_answered),
        ON_BOTH(no_error_is_sent_to_or_about_a_group),
        ON_BOTH(no_error_is_sent_to_who_cannot_be_told),
        ON_BOTH(no_error_is_sent_about_errors_and_later_fragments),
        ON_BOTH(each_version_answers_its_own_echo_and_no_other_type),
        ON_BOTH(questions_about_groups_are_not_answered),
        ON_BOTH(a_frame_that_is_out_stays_as_it_is_until_it_is_done),
    };
    return cmocka_run_group_tests_name("icmp hosts", tests, NULL, NULL);
}
