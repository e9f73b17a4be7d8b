/* Half-open connections and SYN cookies, one by one. */
/* ctest: timeout=1800 */
#include "base/bytes.h"
#include "common/packets.h"

#include <stdlib.h>
#include <string.h>

static void answers_with_cookies(struct peer *p)
{
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    p->config.policy.reset_rate = 0; /* each refusal is looked at */
}

static void sends_syn(struct peer *p)
{
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
}

static void brings(struct peer *p, unsigned ctl, uint32_t number, uint32_t ack)
{
    uint8_t packet[128], segment[64];
    struct wire_ip ip = ip_in(p, WIRE_PROTO_TCP);
    struct segment seg = {.seq = seq(number),
                          .ack = seq(ack),
                          .ctl = (uint8_t)ctl,
                          .wnd = 1000,
                          .sport = p->c->peer_port,
                          .dport = p->c->stack_port};
    peer_frame(p, packet,
               make_packet_of(packet, ip, segment, make_segment(&ip, segment, &seg, NULL, 0)));
    peer_forget(p);
}

/* An ACK at a listener that waits for another one; 1: it was taken for it. */
static uint64_t tries(struct peer *p, uint32_t number, uint32_t ack)
{
    uint64_t before = verdicts(p, HF_V_COOKIE_ACCEPTED);
    brings(p, ACK, number, ack);
    uint64_t taken = verdicts(p, HF_V_COOKIE_ACCEPTED) - before;
    if (taken) { /* the connection that a good guess has opened is in the way */
        brings(p, RST, number, ack);
    }
    return taken;
}

/* ... and so often; none is left but what the right one opens. */
static void were_tried(struct peer *p, uint32_t n, uint64_t taken)
{
    holds_equal(verdicts(p, HF_V_DROP_COOKIE) + taken, n);
    holds_equal(counters_of(p).connections, 0);
    holds_equal(tries(p, p->c->irs + 1, p->c->iss + 1), 1);
}

static uint32_t so_many(int shift)
{
    return UINT32_C(1) << (getenv("HF_LONG") ? 24 : shift);
}

/* FL-05: what is taken is one in 2^32 / (2 slots * 2^7 values of the cookie's data), without
 * timestamps, and each is counted. */
TEST(guessed_cookies_are_taken_no_more_often_than_chance_has_it)
{
    answers_with_cookies(p);
    p->wild = true;
    listens();
    sends_syn(p);
    const uint32_t n = so_many(19);
    uint64_t random = 88172645463325252u, taken = 0;
    for (uint32_t i = 0; i < n; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        taken += tries(p, p->c->irs + 1, (uint32_t)(random >> 32));
    }
    holds(taken <= 2 + 3 * (n >> 24));
    were_tried(p, n, taken);
}

/* FL-05: text behind lost text is honest, but begins elsewhere: taken for the first, it would be
 * read in its place.  One in 2^27 / 2^7 is, without timestamps. */
TEST(text_behind_lost_text_is_hardly_ever_taken_for_the_first)
{
    answers_with_cookies(p);
    p->wild = true;
    listens();
    sends_syn(p);
    const uint32_t n = so_many(20);
    uint64_t taken = 0;
    for (uint32_t i = 1; i <= n; i++) {
        taken += tries(p, p->c->irs + 1 + i, p->c->iss + 1);
    }
    holds(taken <= 2 * (n >> 20));
    were_tried(p, n, taken);
}

/* FL-10: a half-open connection goes with its listener, and is not the next one's. */
TEST(a_half_open_connection_does_not_outlive_its_listener)
{
    listens();
    sends_syn(p);
    calls(hf_close(p->stack, &p->env, p->listener));
    listens();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10);
    expects(RST, .seq = ISS + 1);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
    holds_equal(counters_of(p).connections, 0);
    on(1);
    sends_syn(p);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
}

/* FL-10: all that can be asked of a connection is as if it had been opened with a record. */
TEST(a_connection_of_a_cookie_lacks_nothing)
{
    struct hf_info info[2] = {{.struct_size = sizeof *info}, {.struct_size = sizeof *info}};
    int64_t value[2][HF_OPTIONS] = {{0}};
    p->config.policy.reset_rate = 0;
    for (int i = 0; i < 2; i++) {
        on(i);
        if (i == 0)
            establish_passive();
        p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
        calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
        if (i == 1) {
            sends_syn(p);
            holds_equal(counters_of(p).half_open, 0);
            sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
            accepts();
        }
        for (int option = 0; option < HF_OPTIONS; option++)
            calls(hf_option(p->stack, p->c->handle, option, &value[i][option]));
        calls(hf_info(p->stack, &p->env, p->c->handle, &info[i]));
    }
    for (int option = 0; option < HF_OPTIONS; option++)
        holds_equal(value[1][option], value[0][option]);
    holds_equal(info[1].snd_mss, info[0].snd_mss);
    holds_equal(info[1].snd_cwnd, info[0].snd_cwnd);
    sends(ACK, .len = 100);
    expects(ACK, .ack = IRS + 101);
    reads(100);
    writes(200);
    expects(ACK, .seq = ISS + 1, .len = 200);
}

/* Records used again --------------------------------------------------------------------------- */

struct offer {
    uint32_t irs, iss;
    uint16_t port, mss;
};

enum { OFFERS = 64, PORTS = 2 };

static void puts_in(struct peer *p, const struct segment *seg)
{
    uint8_t packet[128], segment[64];
    struct wire_ip ip = ip_in(p, WIRE_PROTO_TCP);
    uint32_t len = make_packet_of(packet, ip, segment, make_segment(&ip, segment, seg, NULL, 0));
    peer_frame(p, packet, len);
}

/* The newest SYN,ACK that went out; false: none did. */
static bool takes_offer(struct peer *p, struct offer *offer)
{
    bool any = false;
    struct seen *seen;
    while ((seen = peer_any(p)) != NULL) {
        if (seen->is_tcp && seen->seg.ctl == (SYN | ACK)) {
            offer->iss = seen->seg.seq.v;
            any = true;
        }
        peer_taken(p, seen);
    }
    return any;
}

/* What opens was offered: these two initial numbers, and that MSS, to this port. */
static void was_offered(struct peer *p, const struct offer *offers, uint32_t n)
{
    struct hf_status status = {.struct_size = sizeof status};
    hf_handle handle;
    while (hf_accept(p->stack, &p->env, p->listener, &handle, NULL) == HF_OK) {
        bool found = false;
        calls(hf_status(p->stack, &p->env, handle, &status));
        for (uint32_t i = n < OFFERS ? 0 : n - OFFERS; i < n; i++) {
            const struct offer *o = &offers[i % OFFERS];
            found |= o->port == status.remote.port && o->irs == status.irs &&
                     o->iss == status.iss && o->mss == status.snd_mss;
        }
        holds(found);
        calls(hf_abort(p->stack, &p->env, handle));
        calls(hf_release(p->stack, &p->env, handle));
    }
}

/* FL-11: one record for two endpoints that ask, reset and acknowledge in any order: it is never
 * taken for what it was before. */
TEST(a_half_open_record_is_never_taken_for_the_one_before)
{
    static struct offer offers[OFFERS];
    uint32_t n = 0, opened = 0;
    uint64_t random = p->v6 ? 12345 : 54321;
    p->wild = true;
    p->config.max_half_open = 1;
    p->config.policy.reset_rate = 0;
    listens_with(4, false);
    p->env.trace = NULL; /* the ISS of a cookie is above no other, which the oracle would mind */
    for (uint32_t i = 0; i < (getenv("HF_LONG") ? 1000000u : 40000u); i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t draw = (uint32_t)(random >> 33);
        struct offer offer = {.irs = draw * 7919, .port = (uint16_t)(5000 + draw % PORTS)};
        struct segment seg = {.dport = p->c->stack_port, .wnd = 1000};
        static const uint16_t mss[] = {536, 1220, 1300, 1400}; /* a cookie can tell these */
        offer.mss = mss[draw >> 4 & 3];
        const struct offer *old =
            n ? &offers[(n - 1 - (draw >> 8) % (n < 4 ? n : 4)) % OFFERS] : &offer;
        switch (draw >> 16 & 3) {
        case 0:
        case 1:
            seg.ctl = SYN;
            seg.seq = seq(offer.irs);
            seg.sport = offer.port;
            seg.opt.present = OPT_MSS;
            seg.opt.mss = offer.mss;
            break;
        case 2:
            seg.ctl = RST;
            seg.seq = seq(old->irs + 1);
            seg.sport = old->port;
            break;
        default:
            seg.ctl = ACK;
            seg.seq = seq(old->irs + 1);
            seg.ack = seq(old->iss + 1);
            seg.sport = draw >> 20 & 1 ? old->port : offer.port;
            break;
        }
        puts_in(p, &seg);
        if (takes_offer(p, &offer) && seg.ctl == SYN)
            offers[n++ % OFFERS] = offer;
        opened += counters_of(p).connections;
        was_offered(p, offers, n);
        peer_forget(p);
        if (draw % 1000 == 0)
            after(70000);
    }
    holds(opened > 1000);
    holds_equal(counters_of(p).connections, 0);
}

/* Sources that cannot be ----------------------------------------------------------------------- */

/* FL-14: RFC 1122 4.2.3.10, MUST-57 */
TEST(a_syn_from_where_nobody_can_be_is_dropped_in_silence)
{
    static const uint8_t bad4[][16] = {
        {[10] = 255, [11] = 255},
        {[10] = 255, [11] = 255, [12] = 255, 255, 255, 255},
        {[10] = 255, [11] = 255, [12] = 224, 0, 0, 1},
        {[10] = 255, [11] = 255, [12] = 127, 0, 0, 1},
        {[10] = 255, [11] = 255, [12] = 10, 0, 0, 255},
    };
    static const uint8_t bad6[][16] = {
        {0}, {0xff, 2, [15] = 1}, {[15] = 1}, {[10] = 255, [11] = 255, [12] = 20, 0, 0, 1}};
    listens();
    uint32_t n = p->v6 ? ARRAY_LEN(bad6) : ARRAY_LEN(bad4);
    for (uint32_t i = 0; i <= n; i++) { /* the last one is the stack's own */
        struct wire_ip ip = ip_in(p, WIRE_PROTO_TCP);
        uint8_t packet[128], segment[64];
        struct segment syn = {.ctl = SYN, .sport = 5000, .dport = p->c->stack_port};
        memcpy(ip.src, i == n ? p->stack_ip : p->v6 ? bad6[i] : bad4[i], 16);
        uint32_t len = make_segment(&ip, segment, &syn, NULL, 0);
        peer_frame(p, packet, make_packet_of(packet, ip, segment, len));
        holds(peer_any(p) == NULL);
        holds_equal(verdicts(p, HF_V_DROP_IP_SOURCE), i + 1);
        holds_equal(counters_of(p).half_open, 0);
    }
    sends_syn(p);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(guessed_cookies_are_taken_no_more_often_than_chance_has_it),
        V4(text_behind_lost_text_is_hardly_ever_taken_for_the_first),
        BOTH(a_half_open_connection_does_not_outlive_its_listener),
        BOTH(a_connection_of_a_cookie_lacks_nothing),
        BOTH(a_half_open_record_is_never_taken_for_the_one_before),
        BOTH(a_syn_from_where_nobody_can_be_is_dropped_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
