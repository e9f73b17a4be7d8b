/* TCP options octet by octet (RFC 9293 3.1, 3.2): every kind, every length, every place; what is
 * read, and what is written.  The area ends where readable memory ends.
 */
#include "common/packets.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/tcp_options.h"

enum { AREA = 40 };

/* Long in the build "long", a part of it where a sanitizer watches. */
static uint32_t stride(void)
{
    const char *sanitize = getenv("HF_SANITIZE"), *all = getenv("HF_LONG");
    return !all && sanitize && *sanitize ? 7 : 1;
}

static void parse(const uint8_t *octets, uint32_t len, struct tcp_options *opt)
{
    uint8_t *copy = at_page_end(len);
    memcpy(copy, octets, len);
    wire_parse_tcp_options(copy, len, opt);
}

/* The bit of an option of this kind and length, 0: it means nothing.  Their RFCs: 9293, 7323, 2018,
 * 2385, 5482, 5925, 7413, 9768. */
static uint32_t bit_of(unsigned kind, unsigned len, bool magic)
{
    switch (kind) {
    case KIND_MSS:
        return len == 4 ? OPT_MSS : 0;
    case KIND_WSCALE:
        return len == 3 ? OPT_WSCALE : 0;
    case KIND_SACK_OK:
        return len == 2 ? OPT_SACK_OK : 0;
    case KIND_SACK:
        return len >= 10 && len <= 34 && len % 8 == 2 ? OPT_SACK : 0;
    case KIND_TS:
        return len == 10 ? OPT_TS : 0;
    case KIND_MD5:
        return len == 18 ? OPT_MD5 : 0;
    case KIND_UTO:
        return len == 4 ? OPT_UTO : 0;
    case KIND_AO:
        return len >= 4 ? OPT_AO : 0;
    case KIND_FASTOPEN:
        return len == 2 || (len >= 6 && len <= 18 && len % 2 == 0) ? OPT_FASTOPEN : 0;
    case KIND_EXPERIMENT:
        return magic && (len == 4 || (len >= 8 && len <= 20 && len % 2 == 0))
                   ? OPT_FASTOPEN | OPT_FASTOPEN_EXP
                   : 0;
    case KIND_ACCECN0:
        return OPT_ACCECN0;
    case KIND_ACCECN1:
        return OPT_ACCECN1;
    default:
        return 0;
    }
}

/* OP-01, OP-02, OP-03: nothing of it counts, and nothing behind it; what stood before does. */
TEST(an_option_of_no_length_or_beyond_the_area_ends_the_list)
{
    uint8_t octets[AREA];
    struct tcp_options opt;
    for (unsigned kind = 2; kind < 256; kind++) {
        for (uint32_t at = 4; at < AREA; at += stride()) {
            memset(octets, 1, AREA);
            memcpy(octets, (const uint8_t[]){KIND_MSS, 4, 3, 232}, 4);
            octets[at] = (uint8_t)kind;
            for (unsigned len = 0; len < 256; len++) {
                if (at + 1 < AREA)
                    octets[at + 1] = (uint8_t)len;
                if (len >= 2 && at + len <= AREA)
                    continue;
                if (at + 2 < AREA)
                    octets[at + 2] = KIND_SACK_OK;
                parse(octets, AREA, &opt);
                holds_equal(opt.present, OPT_MSS | OPT_BAD);
                holds_equal(opt.mss, 1000);
            }
        }
    }
}

/* OP-03: at each length of the area, with an option in its last octet. */
TEST(the_last_octet_of_an_area_is_no_option)
{
    uint8_t octets[AREA];
    struct tcp_options opt;
    for (unsigned kind = 2; kind < 256; kind++) {
        for (uint32_t len = 1; len <= AREA; len++) {
            memset(octets, 1, AREA);
            octets[len - 1] = (uint8_t)kind;
            parse(octets, len, &opt);
            holds_equal(opt.present, OPT_BAD);
        }
    }
}

/* OP-05, OP-06, OP-12: exact, or skipped alone; the next one is found. */
TEST(an_option_of_another_length_than_its_own_means_nothing)
{
    uint8_t octets[AREA];
    struct tcp_options opt, other;
    for (unsigned kind = 2; kind < 256; kind++) {
        for (unsigned len = 2; len <= AREA - 3; len++) {
            for (int magic = 0; magic < 2; magic++) {
                memset(octets, 0x77, AREA);
                octets[0] = (uint8_t)kind;
                octets[1] = (uint8_t)len;
                if (magic)
                    put_be16(octets + 2, FASTOPEN_MAGIC);
                memcpy(octets + len, (const uint8_t[]){KIND_WSCALE, 3, 9}, 3);
                bool has_magic = magic && len >= 4;
                uint32_t want = bit_of(kind, len, has_magic);
                parse(octets, len + 3, &opt);
                holds_equal(opt.present, want | OPT_WSCALE);
                holds_equal(opt.wscale, 9);
                memset(&other, 0, sizeof other); /* nothing is applied in part */
                other.present = OPT_WSCALE;
                other.wscale = 9;
                holds(want || memcmp(&other, &opt, sizeof opt) == 0);
            }
        }
    }
}

struct sample {
    uint8_t octets[10];
    uint8_t len;
};

/* Two of each, the second with another value. */
static const struct sample twice[][2] = {
    {{{2, 4, 1, 0}, 4}, {{2, 4, 2, 0}, 4}},
    {{{3, 3, 1}, 3}, {{3, 3, 2}, 3}},
    {{{8, 10, 0, 0, 0, 1, 0, 0, 0, 1}, 10}, {{8, 10, 0, 0, 0, 2, 0, 0, 0, 2}, 10}},
    {{{28, 4, 0, 1}, 4}, {{28, 4, 0, 2}, 4}},
    {{{5, 10, 0, 0, 0, 1, 0, 0, 0, 9}, 10}, {{5, 10, 0, 0, 0, 2, 0, 0, 0, 9}, 10}},
    {{{34, 6, 1, 1, 1, 1}, 6}, {{34, 6, 2, 2, 2, 2}, 6}},
    {{{172, 5, 0, 0, 1}, 5}, {{172, 5, 0, 0, 2}, 5}},
};

/* The value of the option of row i of `twice`. */
static uint32_t value_of(const struct tcp_options *opt, unsigned i)
{
    const uint32_t values[] = {opt->mss / 256u,     opt->wscale,       opt->ts_val,   opt->uto,
                               opt->sack[0].left.v, opt->fo_cookie[0], opt->accecn[0]};
    return values[i];
}

static uint32_t put_sample(uint8_t *octets, uint32_t at, const struct sample *sample)
{
    memcpy(octets + at, sample->octets, sample->len);
    return at + sample->len;
}

/* OP-07: the last one counts (ruling 49), whatever stands between; all pairs. */
TEST(of_two_options_of_a_kind_the_last_counts)
{
    enum { N = sizeof twice / sizeof *twice };
    uint8_t octets[AREA];
    struct tcp_options opt;
    for (unsigned i = 0; i < N; i++) {
        for (unsigned j = 0; j < N; j++) {
            uint32_t at = put_sample(octets, 0, &twice[i][0]);
            at = put_sample(octets, at, &twice[j][1]);
            octets[at++] = KIND_NOP;
            at = put_sample(octets, at, &twice[i][1]);
            parse(octets, at, &opt);
            holds_equal(value_of(&opt, i), 2);
            holds_equal(value_of(&opt, j), 2);
            holds(!(opt.present & OPT_BAD));
            at = put_sample(octets, 0, &twice[i][1]); /* the same, the other way round */
            at = put_sample(octets, at, &twice[i][0]);
            parse(octets, at, &opt);
            holds_equal(value_of(&opt, i), 1);
            octets[at++] = KIND_END; /* behind the end nothing counts */
            at = put_sample(octets, at, &twice[j][1]);
            parse(octets, at, &opt);
            holds_equal(value_of(&opt, i), 1);
            holds_equal(value_of(&opt, j), i == j ? 1 : 0);
        }
    }
}

/* What is written ------------------------------------------------------------------------------*/

/* Octets that no option accounts for, other than nop. */
static uint32_t strays(const uint8_t *p, uint32_t len)
{
    uint32_t at = 0, n = 0;
    while (at < len) {
        if (p[at] == KIND_NOP) {
            at++;
        } else if (len - at < 2 || p[at + 1] < 2 || p[at + 1] > len - at) {
            n++, at++;
        } else {
            at += p[at + 1];
        }
    }
    return n;
}

static void fill_sample(struct segment *seg, uint32_t present, unsigned i)
{
    *seg = (struct segment){.seq = seq(0x01020304), .sport = 1, .dport = 2, .ctl = ACK, .wnd = 9};
    seg->opt = (struct tcp_options){.present = present,
                                    .mss = 1460,
                                    .wscale = 8,
                                    .n_sack = (uint8_t)(i % 5),
                                    .ts_val = 5,
                                    .ts_ecr = 6,
                                    .fo_len = (uint8_t)(i / 5 % 8 ? 2 * (i / 5 % 8) + 2 : 0),
                                    .uto = 7,
                                    .n_accecn = (uint8_t)(i / 40 % 4)};
    for (unsigned n = 0; n < TCP_MAX_SACK; n++)
        seg->opt.sack[n] = (struct sack_block){seq(100 * n + 50), seq(100 * n + 90)};
}

/* OP-10, OP-11: whatever is asked for fits into 40 octets, whole words of options and nops, and
 * each octet is written. */
TEST(every_set_of_options_fits_and_is_written_whole)
{
    enum { SETS = 1 << 10 };
    uint8_t out[2][WIRE_MAX_TCP + 20];
    for (uint32_t present = 0; present < SETS; present += stride()) {
        for (unsigned i = 0; i < 160; i++) {
            struct segment seg, back;
            uint32_t len[2];
            fill_sample(&seg, present, i);
            for (int poison = 0; poison < 2; poison++) {
                memset(out[poison], poison ? 0x5a : 0xa5, sizeof out[0]);
                len[poison] = (uint32_t)wire_put_tcp(out[poison], &seg);
                holds_equal(len[poison], wire_tcp_header_len(&seg.opt));
                holds_equal(out[poison][WIRE_MAX_TCP], poison ? 0x5a : 0xa5);
            }
            holds(len[0] <= 60 && len[0] % 4 == 0 && len[0] == len[1]);
            holds(memcmp(out[0], out[1], len[0]) == 0);
            holds_equal(strays(out[0] + 20, len[0] - 20), 0);
            holds(wire_parse_tcp(out[0], len[0], &back) == WIRE_OK);
            holds(!(back.opt.present & (OPT_BAD | ~present)) && back.header_len == len[0]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(an_option_of_no_length_or_beyond_the_area_ends_the_list),
        V4(the_last_octet_of_an_area_is_no_option),
        V4(an_option_of_another_length_than_its_own_means_nothing),
        V4(of_two_options_of_a_kind_the_last_counts),
        V4(every_set_of_options_fits_and_is_written_whole),
    };
    return cmocka_run_group_tests_name("option octets", tests, NULL, NULL);
}
