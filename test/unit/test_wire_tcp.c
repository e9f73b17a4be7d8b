/* RFC 9293 sections 3.1, 3.2: the TCP header and its options, there and back. */
#include "wire_test.h"

static void parse_options(const void *p, size_t n, struct tcp_options *opt)
{
    uint8_t *copy = guarded(p, n);
    wire_parse_tcp_options(copy, n, opt);
    release(copy, n);
}

static struct segment some_segment(uint32_t present)
{
    struct segment seg = {
        .seq = {0x01020304},
        .ack = {0x05060708},
        .wnd = 65535,
        .ctl = ACK | ((present & OPT_SACK) != 0 ? PSH : SYN),
        .up = 9,
        .sport = 1234,
        .dport = 80,
        .opt = {.present = present,
                .mss = 1460,
                .wscale = 8,
                .n_sack = 4,
                .sack = {{{1}, {2}}, {{3}, {4}}, {{5}, {6}}, {{7}, {8}}},
                .ts_val = 0xaabbccdd,
                .ts_ecr = 0x11223344,
                .fo_len = 8,
                .uto = 0x8005},
    };
    scramble(seg.opt.fo_cookie, TCP_MAX_COOKIE, 7);
    return seg;
}

static void expect_options(uint32_t present, uint8_t fo_len, const char *octets, size_t n)
{
    struct segment seg = some_segment(present);
    seg.opt.fo_len = fo_len;
    seg.opt.n_sack = 1;
    memset(seg.opt.fo_cookie, 0xc0, TCP_MAX_COOKIE);
    uint8_t out[WIRE_MAX_TCP];
    assert_int_equal(wire_put_tcp(out, &seg), 20 + n);
    assert_int_equal(wire_tcp_header_len(&seg.opt), 20 + n);
    assert_memory_equal(out + 20, octets, n);
}

#define EXPECT_OPTIONS(present, fo_len, octets)                                                    \
    expect_options(present, fo_len, octets, sizeof(octets) - 1)

#define TS "\x08\x0a\xaa\xbb\xcc\xdd\x11\x22\x33\x44"

/* RFC2018-5, RFC7323-50 */
static void options_stand_in_the_order_of_mainstream_stacks(void **state)
{
    (void)state;
    const uint32_t all = OPT_MSS | OPT_SACK_OK | OPT_TS | OPT_WSCALE;
    EXPECT_OPTIONS(0, 0, "");
    EXPECT_OPTIONS(OPT_MSS, 0, "\x02\x04\x05\xb4");
    EXPECT_OPTIONS(all, 0, "\x02\x04\x05\xb4\x04\x02" TS "\x01\x03\x03\x08");
    EXPECT_OPTIONS(OPT_MSS | OPT_TS, 0, "\x02\x04\x05\xb4\x01\x01" TS);
    EXPECT_OPTIONS(OPT_MSS | OPT_SACK_OK | OPT_WSCALE, 0,
                   "\x02\x04\x05\xb4\x01\x01\x04\x02\x01\x03\x03\x08");
    EXPECT_OPTIONS(OPT_MSS | OPT_FASTOPEN, 0, "\x02\x04\x05\xb4\x22\x02\x01\x01");
    EXPECT_OPTIONS(OPT_FASTOPEN, 4, "\x22\x06\xc0\xc0\xc0\xc0\x01\x01");
    EXPECT_OPTIONS(OPT_FASTOPEN, 6, "\x22\x08\xc0\xc0\xc0\xc0\xc0\xc0");
    EXPECT_OPTIONS(OPT_FASTOPEN | OPT_FASTOPEN_EXP, 4, "\xfe\x08\xf9\x89\xc0\xc0\xc0\xc0");
    EXPECT_OPTIONS(OPT_FASTOPEN | OPT_UTO, 17, "\x1c\x04\x80\x05"); /* no such cookie */
    EXPECT_OPTIONS(OPT_TS, 0, "\x01\x01" TS);
    EXPECT_OPTIONS(OPT_SACK, 0, "\x01\x01\x05\x0a\0\0\0\1\0\0\0\2");
    EXPECT_OPTIONS(OPT_SACK | OPT_TS, 0, "\x01\x01" TS "\x01\x01\x05\x0a\0\0\0\1\0\0\0\2");
}

static void expect_equal_options(const struct tcp_options *a, const struct tcp_options *b,
                                 uint32_t present)
{
    assert_true((present & OPT_MSS) == 0 || a->mss == b->mss);
    assert_true((present & OPT_WSCALE) == 0 || a->wscale == b->wscale);
    if ((present & OPT_TS) != 0) {
        assert_true(a->ts_val == b->ts_val && a->ts_ecr == b->ts_ecr);
    }
    assert_true((present & OPT_UTO) == 0 || a->uto == b->uto);
    if ((present & OPT_FASTOPEN) != 0) {
        assert_int_equal(a->fo_len, b->fo_len);
        assert_memory_equal(a->fo_cookie, b->fo_cookie, b->fo_len);
    }
    for (unsigned i = 0; (present & OPT_SACK) != 0 && i < a->n_sack; i++) {
        assert_true(seq_eq(a->sack[i].left, b->sack[i].left));
        assert_true(seq_eq(a->sack[i].right, b->sack[i].right));
    }
}

/* MUST-4, MUST-64 */
static void every_set_of_options_comes_back(void **state)
{
    (void)state;
    for (uint32_t present = 0; present < 1u << 8; present++) {
        bool sack = (present & OPT_SACK) != 0;
        uint32_t syn_only = OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_FASTOPEN | OPT_FASTOPEN_EXP;
        bool odd = (present & OPT_FASTOPEN_EXP) != 0 && (present & OPT_FASTOPEN) == 0;
        if (odd || (sack && (present & syn_only) != 0)) {
            continue;
        }
        struct segment seg = some_segment(present), back;
        uint8_t out[WIRE_MAX_TCP + 5];
        size_t header_len = wire_put_tcp(out, &seg);
        assert_true(header_len <= WIRE_MAX_TCP && header_len % 4 == 0);
        memset(out + header_len, 0x55, 5);
        assert_int_equal(wire_parse_tcp(out, header_len + 5, &back), WIRE_OK);
        assert_int_equal(back.header_len, header_len);
        assert_int_equal(back.seq.v, seg.seq.v);
        assert_int_equal(back.ack.v, seg.ack.v);
        assert_int_equal(back.wnd, 65535);
        assert_int_equal(back.ctl, seg.ctl);
        assert_int_equal(back.up, 9);
        assert_int_equal(back.sport, 1234);
        assert_int_equal(back.dport, 80);
        assert_int_equal(back.text_len, 5);
        assert_ptr_equal(back.text, out + header_len);
        assert_int_equal(back.len, sack ? 5 : 6);
        assert_int_equal(back.opt.present, present);
        expect_equal_options(&back.opt, &seg.opt, present);
        if (sack) {
            size_t before =
                ((present & OPT_TS) != 0 ? 12u : 0u) + ((present & OPT_UTO) != 0 ? 4u : 0u);
            assert_int_equal(back.opt.n_sack, (40 - before - 4) / 8);
        }
    }
}

static void every_control_bit_comes_back_and_counts(void **state)
{
    (void)state;
    for (uint16_t ctl = 0; ctl < 512; ctl++) {
        struct segment seg = {.ctl = ctl}, back;
        uint8_t out[20];
        wire_put_tcp(out, &seg);
        out[12] |= 0x0e; /* reserved bits are ignored */
        assert_int_equal(wire_parse_tcp(out, sizeof out, &back), WIRE_OK);
        assert_int_equal(back.ctl, ctl);
        assert_int_equal(back.len, ((ctl & SYN) != 0) + ((ctl & FIN) != 0));
    }
}

static void a_header_that_cannot_be_is_refused_at_every_length(void **state)
{
    (void)state;
    struct segment seg = some_segment(OPT_MSS | OPT_TS | OPT_SACK_OK | OPT_WSCALE | OPT_FASTOPEN),
                   back;
    uint8_t out[WIRE_MAX_TCP];
    size_t header_len = wire_put_tcp(out, &seg);
    for (size_t n = 0; n < header_len; n++) {
        uint8_t *copy = guarded(out, n);
        assert_int_equal(wire_parse_tcp(copy, n, &back), WIRE_SHORT);
        release(copy, n);
    }
    for (uint8_t offset = 0; offset < 5; offset++) {
        out[12] = (uint8_t)(offset << 4);
        assert_int_equal(wire_parse_tcp(out, header_len, &back), WIRE_BAD_HEADER_LEN);
    }
}

/* MUST-5: where they begin, and in which order they are looked for, is of no matter.  */
static void the_usual_syn_with_any_octet_changed_is_read_as_any_other(void **state)
{
    (void)state;
    const struct segment syn = some_segment(OPT_MSS | OPT_SACK_OK | OPT_TS | OPT_WSCALE);
    uint8_t header[WIRE_MAX_TCP];
    assert_int_equal(wire_put_tcp(header, &syn), 40);
    for (size_t i = 0; i < 20; i++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t octets[24] = {1, 1, 1, 1};
            struct tcp_options here, behind;
            memcpy(octets + 4, header + 20, 20);
            octets[4 + i] = (uint8_t)value;
            parse_options(octets + 4, 20, &here);
            parse_options(octets, 24, &behind);
            assert_int_equal(here.present, behind.present);
            expect_equal_options(&here, &behind, here.present);
        }
    }
}

/* MUST-7, MUST-69 */
static void a_bad_length_ends_the_parsing_and_what_stood_before_counts(void **state)
{
    (void)state;
    const uint8_t kinds[] = {2, 3, 4, 5, 8, 19, 28, 29, 30, 34, 99, 172, 174, 253, 254};
    for (size_t i = 0; i < sizeof kinds; i++) {
        for (unsigned len = 0; len < 256; len++) {
            uint8_t octets[40] = {3, 3, 7, kinds[i], (uint8_t)len};
            struct tcp_options opt;
            bool bad = len < 2 || len > sizeof octets - 3;
            parse_options(octets, sizeof octets, &opt);
            assert_true(((opt.present & OPT_BAD) != 0) == bad);
            assert_true((opt.present & OPT_WSCALE) != 0);
            assert_true(kinds[i] == 3 || opt.wscale == 7);
        }
        uint8_t no_length[4] = {3, 3, 7, kinds[i]};
        struct tcp_options opt;
        parse_options(no_length, sizeof no_length, &opt);
        assert_int_equal(opt.present, OPT_WSCALE | OPT_BAD);
    }
}

static void a_known_kind_with_a_wrong_length_is_skipped_alone(void **state)
{
    (void)state;
    const struct {
        uint8_t kind;
        uint64_t right; /* bit n: length n is right */
        uint32_t option;
    } kinds[] = {
        {2, 1u << 4, OPT_MSS},
        {4, 1u << 2, OPT_SACK_OK},
        {5, 1ull << 10 | 1ull << 18 | 1ull << 26 | 1ull << 34, OPT_SACK},
        {8, 1u << 10, OPT_TS},
        {19, 1u << 18, OPT_MD5},
        {28, 1u << 4, OPT_UTO},
        {34, 1u << 2 | 1u << 6 | 1u << 8 | 1u << 10 | 1u << 12 | 1u << 14 | 1u << 16 | 1u << 18,
         OPT_FASTOPEN},
        {172, UINT64_MAX, OPT_ACCECN0}, /* of any length, what fits counts */
        {174, UINT64_MAX, OPT_ACCECN1},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (uint8_t len = 2; len <= 37; len++) {
            uint8_t octets[40] = {kinds[i].kind, len};
            memcpy(octets + len, (const uint8_t[]){3, 3, 7}, 3);
            struct tcp_options opt;
            parse_options(octets, (size_t)len + 3, &opt);
            bool right = (kinds[i].right >> len & 1) != 0;
            assert_int_equal(opt.present, OPT_WSCALE | (right ? kinds[i].option : 0));
            assert_int_equal(opt.wscale, 7);
        }
    }
}

static void the_last_of_a_repeated_option_counts(void **state)
{
    (void)state;
    struct tcp_options opt;
    parse_options("\2\4\0\1\2\4\0\2", 8, &opt);
    assert_int_equal(opt.mss, 2);
    parse_options("\2\4\0\1\2\5\0\2\0", 9, &opt);
    assert_int_equal(opt.mss, 1);
    parse_options("\3\3\1\0\3\3\2", 7, &opt); /* nothing counts behind the end */
    assert_int_equal(opt.wscale, 1);
    parse_options("\xfe\4\xf9\x89\x22\6abcd", 10, &opt);
    assert_int_equal(opt.present, OPT_FASTOPEN);
    parse_options("\xfe\4\x12\x34", 4, &opt);
    assert_int_equal(opt.present, 0);
    parse_options("\xae\x08\0\0\1\x02\0\0", 8, &opt);
    assert_int_equal(opt.present, OPT_ACCECN1);
    assert_int_equal(opt.n_accecn, 2);
    assert_true(opt.accecn[0] == 1 && opt.accecn[1] == 0x020000);
}

/* RFC9768-18, RFC9768-19 */
static void accurate_ecn_counters_have_24_bits_and_of_odd_lengths_whole_ones_count(void **state)
{
    (void)state;
    struct segment seg = {.ctl = ACK, .opt = {.present = OPT_ACCECN0, .n_accecn = 3}}, back;
    uint8_t out[WIRE_MAX_TCP];
    seg.opt.accecn[0] = 0x01020304;
    seg.opt.accecn[1] = 0xffffff;
    seg.opt.accecn[2] = 5;
    assert_int_equal(wire_put_tcp(out, &seg), 32);
    assert_memory_equal(out + 20, "\1\xac\x0b\2\3\4\xff\xff\xff\0\0\5", 12);
    assert_int_equal(wire_parse_tcp(out, 32, &back), WIRE_OK);
    assert_int_equal(back.opt.present, OPT_ACCECN0);
    assert_int_equal(back.opt.n_accecn, 3);
    assert_int_equal(back.opt.accecn[0], 0x020304);
    for (uint8_t n = 0; n <= 3; n++) {
        seg.opt.present = OPT_ACCECN1;
        seg.opt.n_accecn = n;
        size_t len = wire_put_tcp(out, &seg);
        assert_int_equal(len, wire_tcp_header_len(&seg.opt));
        assert_int_equal(out[len - 3 * n - 2], 174);
        assert_int_equal(out[len - 3 * n - 1], 2 + 3 * n);
    }
    struct tcp_options opt;
    parse_options("\xac\x07\0\0\1\0\0", 7, &opt);
    assert_int_equal(opt.n_accecn, 1);
    parse_options("\xac\x0e\0\0\1\0\0\2\0\0\3\0\0\4", 14, &opt);
    assert_int_equal(opt.n_accecn, 3);
    assert_int_equal(opt.accecn[2], 3);
}

/* MUST-65, RFC7323-6, RFC2018-1; OP-07 */
static void options_out_of_place_are_as_good_as_absent(void **state)
{
    (void)state;
    struct segment seg = some_segment(OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_TS | OPT_FASTOPEN),
                   back;
    uint8_t out[WIRE_MAX_TCP];
    seg.ctl = ACK;
    size_t n = wire_put_tcp(out, &seg);
    assert_int_equal(wire_parse_tcp(out, n, &back), WIRE_OK);
    assert_int_equal(back.opt.present, OPT_TS);
    seg = some_segment(OPT_SACK);
    seg.ctl = SYN;
    n = wire_put_tcp(out, &seg);
    assert_int_equal(wire_parse_tcp(out, n, &back), WIRE_OK);
    assert_int_equal(back.opt.present, 0);
    assert_int_equal(back.opt.n_sack, 0);
}

static void random_octets_do_no_harm(void **state)
{
    (void)state;
    uint8_t octets[64];
    uint32_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        seed = scramble(octets, sizeof octets, seed);
        size_t len = seed % (sizeof octets + 1);
        uint8_t *copy = guarded(octets, len);
        struct segment seg;
        if (wire_parse_tcp(copy, len, &seg) == WIRE_OK) {
            assert_true(seg.header_len + seg.text_len == len);
            assert_true(seg.opt.n_sack <= TCP_MAX_SACK && seg.opt.fo_len <= TCP_MAX_COOKIE);
        }
        release(copy, len);
    }
}

/* MUST-2 */
static void the_checksum_is_set_and_checked(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version = (uint8_t)(version + 2)) {
        for (uint32_t text_len = 0; text_len < 70; text_len++) {
            struct segment seg = some_segment(OPT_TS);
            uint8_t out[WIRE_MAX_TCP + 70];
            size_t n = wire_put_tcp(out, &seg);
            scramble(out + n, text_len, text_len);
            struct wire_ip ip = test_ip(version, WIRE_PROTO_TCP, (uint32_t)n + text_len);
            wire_set_tcp_checksum(out, n, &ip, csum_add(0, out + n, text_len), text_len);
            uint16_t csum = get_be16(out + 16);
            assert_true(wire_tcp_checksum_ok(&ip, out, n + text_len));
            out[n - 1] ^= 1;
            assert_false(wire_tcp_checksum_ok(&ip, out, n + text_len));
            out[n - 1] ^= 1;
            wire_set_tcp_partial(out, n, &ip, text_len);
            assert_true(wire_fill_checksum(out, n + text_len, 0, 16));
            assert_int_equal(get_be16(out + 16), csum);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_in_the_order_of_mainstream_stacks),
        cmocka_unit_test(every_set_of_options_comes_back),
        cmocka_unit_test(every_control_bit_comes_back_and_counts),
        cmocka_unit_test(a_header_that_cannot_be_is_refused_at_every_length),
        cmocka_unit_test(the_usual_syn_with_any_octet_changed_is_read_as_any_other),
        cmocka_unit_test(a_bad_length_ends_the_parsing_and_what_stood_before_counts),
        cmocka_unit_test(a_known_kind_with_a_wrong_length_is_skipped_alone),
        cmocka_unit_test(the_last_of_a_repeated_option_counts),
        cmocka_unit_test(accurate_ecn_counters_have_24_bits_and_of_odd_lengths_whole_ones_count),
        cmocka_unit_test(options_out_of_place_are_as_good_as_absent),
        cmocka_unit_test(random_octets_do_no_harm),
        cmocka_unit_test(the_checksum_is_set_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
