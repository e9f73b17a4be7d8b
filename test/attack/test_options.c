/* TCP options that are malformed, misplaced or missing, in handshakes and in open connections
 * (RFC 9293 3.1, 3.2, RFC 2018, RFC 7323); rulings 22, 48, 49.
 */
#include "common/raw.h"

#include <string.h>

#include "base/bytes.h"

static const uint8_t kinds[] = {2, 3, 4, 5, 8, 19, 28, 29, 30, 34, 99, 253, 254};
enum { KINDS = sizeof kinds };

static uint8_t packet[2000];

/* MSS 1000, then an option that cannot be, at the end of so many octets of options. */
static void put_bad(uint8_t octets[40], uint32_t area, unsigned kind, unsigned len, bool last)
{
    memset(octets, 1, 40);
    memcpy(octets, (const uint8_t[]){2, 4, 3, 232}, 4);
    if (last) {
        octets[area - 1] = (uint8_t)kind;
    } else {
        octets[area - 2] = (uint8_t)kind;
        octets[area - 1] = (uint8_t)len;
    }
}

struct bad {
    unsigned len;
    bool last; /* the kind is the last octet: no length at all */
};
static const struct bad bad_ones[] = {{0, false}, {1, false}, {3, false}, {255, false}, {0, true}};
enum { BAD_ONES = sizeof bad_ones / sizeof *bad_ones };

static void sends_bad(struct peer *p, unsigned i, unsigned ctl, int64_t number, int64_t ack,
                      uint32_t text)
{
    uint8_t octets[40];
    uint32_t area = i % 2 ? 40 : 8;
    const struct bad *bad = &bad_ones[i / KINDS % BAD_ONES];
    put_bad(octets, area, kinds[i % KINDS], bad->len, bad->last);
    sends_raw(
        p,
        &(struct raw){
            .options = octets, .len = area, .ctl = ctl, .seq = number, .ack = ack, .text = text});
}

/* OP-01, OP-02, OP-03: ruling 48: what stands before it counts, and the SYN does. */
TEST(a_syn_with_an_option_that_cannot_be_opens_with_those_before_it)
{
    listens();
    for (unsigned i = 0; i < KINDS * BAD_ONES; i++) {
        new_incarnation(100 + 5000 * i);
        sends_bad(p, i, SYN, IRS, ZERO, 0);
        expects(SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
        accepts();
        holds_equal(status_of(snd_mss), 1000);
        sends(RST, .seq = IRS + 1);
        expects_state(HF_CLOSED);
        releases();
    }
}

/* OP-01, OP-02, OP-03 */
TEST(text_behind_an_option_that_cannot_be_is_taken)
{
    establish_active();
    for (unsigned i = 0; i < KINDS * BAD_ONES; i++) {
        sends_bad(p, i, PSH | ACK, IRS + 1 + 10 * i, ISS + 1, 10);
        after(300);
        expects(ACK, .ack = IRS + 11 + 10 * i);
        reads(10);
    }
    expects_state(HF_ESTABLISHED);
}

/* OP-03: an option that begins in the last octet is not finished with text. */
TEST(text_is_never_read_as_an_option)
{
    static const uint8_t texts[][10] = {{4, 3, 232}, {3, 7}, {2}, {10, 0, 0, 0, 9, 0, 0, 0, 9}};
    static const uint8_t first[] = {2, 3, 4, 8};
    listens();
    for (int i = 0; i < 4; i++) {
        on(i);
        uint32_t len = make_tcp(p, packet, SYN, IRS, ZERO, 50);
        uint32_t at = p->v6 ? 40 : 20;
        packet[at + 12] = 15 << 4;
        memset(packet + at + 20, 1, 39);
        packet[at + 59] = first[i];
        memcpy(packet + at + 60, texts[i], 10);
        mend_tcp(packet, at, len - at);
        sends_packet(p, packet, len);
        expects(SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
        accepts();
        holds_equal(status_of(snd_mss), p->v6 ? 1220 : 536);
        holds_equal(status_of(snd_wscale), 0);
    }
}

/* OP-04: whoever knows the four numbers of a connection, and nothing more, does it no harm. */
TEST(a_malformed_option_never_resets_a_connection)
{
    static const int64_t numbers[] = {IRS + 1, IRS + 2, IRS - 70000, IRS + 1000, IRS + 200000};
    static const int64_t acks[] = {ISS + 1, ISS, ISS - 70000, ISS + 2, ISS + 100000};
    static const unsigned controls[] = {ACK, PSH | ACK, FIN | ACK, SYN, SYN | ACK, 0, URG | ACK};
    establish_passive();
    for (unsigned i = 0; i < KINDS * BAD_ONES * 25; i++) {
        unsigned ctl = controls[i % 7];
        int64_t number = numbers[i % 5], ack = acks[i / 5 % 5];
        bool good = (number == IRS + 1 || number == IRS + 2 || number == IRS + 1000) &&
                    (ack == ISS + 1 || ack == ISS || ack == ISS - 70000);
        if (good && (ctl & (ACK | FIN)))
            continue; /* that is no attack */
        sends_bad(p, i, ctl, number, ack, i % 3);
        struct seen *seen;
        while ((seen = peer_take(p, WIRE_PROTO_TCP)) != NULL) {
            holds_equal(seen->seg.ctl, ACK);
            peer_taken(p, seen);
        }
    }
    expects_silence();
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(snd_mss), 1460);
    sends(PSH | ACK, .seq = IRS + 1, .len = 10);
    expects(ACK, .ack = IRS + 11);
    reads(10);
    writes(10);
    expects(ACK, .len = 10);
}

/* Five segments are out; the peer acknowledges none of them, with such a SACK option. */
static void five_are_out(struct peer *p)
{
    establish_active();
    writes(5 * 1460);
    for (int i = 0; i < 5; i++)
        expects(ACK, .len = 1460);
}

static uint32_t put_sack(struct peer *p, uint8_t *octets, uint8_t len)
{
    memset(octets, 0, 40);
    octets[0] = 5;
    octets[1] = len;
    for (uint32_t at = 2; at + 8 <= 40; at += 8) {
        put_be32(octets + at, p->c->iss + 1 + 1460);
        put_be32(octets + at + 4, p->c->iss + 1 + 4 * 1460);
    }
    return len < 4 ? 4 : len > 40 ? 40 : len;
}

/* OP-06: CVE-2021-31889; what cannot be is no news, and no duplicate acknowledgment. */
TEST(a_corrupt_sack_option_says_nothing)
{
    static const uint8_t lens[] = {2, 3, 9, 11, 33, 35, 42, 255};
    uint8_t octets[44];
    p->with.sackok = true;
    five_are_out(p);
    for (unsigned i = 0; i < 4 * sizeof lens; i++) {
        uint32_t len = put_sack(p, octets, lens[i % sizeof lens]);
        sends_raw(p,
                  &(struct raw){
                      .options = octets, .len = len, .ctl = ACK, .seq = IRS + 1, .ack = ISS + 1});
        expects_silence();
    }
    holds_equal(status_of(dup_acks), 0);
    holds_equal(status_of(in_recovery), 0);
    put_sack(p, octets, 10); /* and one that can be says it */
    sends_raw(
        p, &(struct raw){.options = octets, .len = 10, .ctl = ACK, .seq = IRS + 1, .ack = ISS + 1});
    expects(ACK, .seq = ISS + 1, .len = 1460);
}

/* OP-06: nor what was never agreed upon, or stands on a SYN. */
TEST(sack_blocks_that_nobody_agreed_upon_say_nothing)
{
    uint8_t octets[44];
    five_are_out(p);
    uint32_t len = put_sack(p, octets, 34);
    sends_raw(p, &(struct raw){
                     .options = octets, .len = len, .ctl = ACK, .seq = IRS + 1, .ack = ISS + 1});
    expects_silence();
    holds_equal(status_of(in_recovery), 0);
    sends(ACK, .ack = ISS + 1 + 1460);
    holds_equal(status_of(queued_bytes), 4 * 1460); /* none of it is thought to have arrived */
    after(2000);
    expects(ACK, .seq = ISS + 1 + 1460, .len = 1460);
}

/* OP-06: nor do they make room in the window: what they name is in flight. */
TEST(sack_blocks_that_nobody_agreed_upon_make_no_room)
{
    uint8_t octets[44];
    establish_active();
    sends(ACK, .wnd = 60000); /* so that what follows is no duplicate (RFC 5681 2) */
    writes(15 * 1460);
    for (int i = 0; i < 10; i++)
        expects(ACK, .len = 1460);
    uint32_t len = put_sack(p, octets, 34);
    sends_raw(p, &(struct raw){
                     .options = octets, .len = len, .ctl = ACK, .seq = IRS + 1, .ack = ISS + 1});
    expects_silence();
}

/* OP-06 */
TEST(sack_blocks_on_a_syn_say_nothing)
{
    uint8_t octets[44];
    p->config.policy.timestamps = false;
    opens();
    expects(SYN);
    uint32_t len = put_sack(p, octets, 34);
    sends_raw(p, &(struct raw){
                     .options = octets, .len = len, .ctl = SYN | ACK, .seq = IRS, .ack = ISS + 1});
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(options) & (HF_OPT_SACK | HF_OPT_SACK_OK), 0);
}

/* OP-07: forty nops, and options of the SYN where there is none. */
TEST(nops_and_options_out_of_place_change_nothing)
{
    uint8_t octets[40];
    memset(octets, 1, 40);
    listens();
    sends_with_options(octets, SYN, .seq = IRS);
    expects(SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
    sends_with_options(octets, ACK, .seq = IRS + 1, .ack = ISS + 1, .text = 10);
    expects(ACK, .ack = IRS + 11);
    accepts();
    static const uint8_t of_syn[] = {2, 4, 1, 0, 3, 3, 9, 4, 2, 34, 6, 1, 2, 3, 4, 1};
    uint32_t mss = status_of(snd_mss);
    for (int i = 1; i < 4; i++) {
        sends_with_options(of_syn, ACK, .seq = IRS + 1 + 10 * i, .ack = ISS + 1, .text = 10);
        expects(ACK, .ack = IRS + 11 + 10 * i, .options = "");
    }
    holds_equal(status_of(snd_mss), mss);
    holds_equal(status_of(snd_wscale), 0);
    holds_equal(status_of(options), HF_OPT_MSS & status_of(options));
}

/* OP-07: ruling 49 */
TEST(the_last_mss_of_a_syn_counts)
{
    static const uint8_t two[] = {2, 4, 3, 232, 2, 4, 2, 88, 0, 2, 4, 4};
    establish_passive();
    on(1);
    sends_with_options(two, SYN, .seq = IRS);
    expects(SYN | ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    holds_equal(status_of(snd_mss), 600);
}

/* OP-12: kinds 19 and 29 where nobody has a key: as any option that nobody knows. */
TEST(authentication_that_nobody_asked_for_is_skipped)
{
    uint8_t octets[40];
    unsigned n = 0;
    establish_passive();
    for (unsigned kind = 19; kind <= 29; kind += 10) {
        for (unsigned len = 0; len < 256; len += len < 42 ? 1 : 71, n++) {
            memset(octets, 1, 40);
            octets[0] = (uint8_t)kind;
            octets[1] = (uint8_t)len;
            sends_with_options(octets, PSH | ACK, .seq = IRS + 1 + 10 * n, .ack = ISS + 1,
                               .text = 10);
            after(300);
            expects(ACK, .ack = IRS + 11 + 10 * n, .options = "");
            reads(10);
        }
    }
    on(1);
    memset(octets, 0x77, 40);
    octets[0] = 19, octets[1] = 18, octets[18] = 2, octets[19] = 4, octets[20] = 3;
    octets[21] = 232, octets[22] = 0;
    sends_with_options(octets, SYN, .seq = IRS);
    expects(SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    holds_equal(status_of(snd_mss), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_syn_with_an_option_that_cannot_be_opens_with_those_before_it),
        BOTH(text_behind_an_option_that_cannot_be_is_taken),
        BOTH(text_is_never_read_as_an_option),
        BOTH(a_malformed_option_never_resets_a_connection),
        BOTH(a_corrupt_sack_option_says_nothing),
        V4(sack_blocks_that_nobody_agreed_upon_say_nothing),
        V4(sack_blocks_that_nobody_agreed_upon_make_no_room),
        V4(sack_blocks_on_a_syn_say_nothing),
        BOTH(nops_and_options_out_of_place_change_nothing),
        V4(the_last_mss_of_a_syn_counts),
        BOTH(authentication_that_nobody_asked_for_is_skipped),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
