/* draft-ietf-opsawg-pcapng: capture files written, read back, cut short, and made of noise. */
#include "wire_test.h"

enum { ROOM = 2048 };

static struct wire_text text(const char *s)
{
    return (struct wire_text){s, s == NULL ? 0 : strlen(s)};
}

static void expect_text(struct wire_text got, const char *wanted)
{
    assert_int_equal(got.len, strlen(wanted));
    assert_true(got.len == 0 || memcmp(got.at, wanted, got.len) == 0);
}

static size_t put_packet(uint8_t *out, size_t room, const struct wire_epb *epb)
{
    size_t n = wire_pcapng_epb_begin(out, room, epb);
    assert_int_equal(n, WIRE_EPB_BEGIN);
    for (uint32_t i = 0; i < epb->caplen; i++) {
        out[n++] = (uint8_t)i;
    }
    size_t end = wire_pcapng_epb_end(out + n, room - n, epb);
    assert_true(end > 0);
    return n + end;
}

static void a_file_comes_back(void **state)
{
    (void)state;
    uint8_t file[ROOM];
    size_t n = wire_pcapng_shb(file, ROOM, text("cpu"), text(NULL), text("handfast"));
    n += wire_pcapng_idb(file + n, ROOM - n, WIRE_LINKTYPE_RAW, 65535, text("tun0"));
    for (uint32_t caplen = 0; caplen < 9; caplen++) {
        struct wire_epb epb = {.iface = 3,
                               .ts_ns = 0x123456789abcdef0,
                               .caplen = caplen,
                               .origlen = 1500,
                               .direction = (uint8_t)(caplen % 3),
                               .comment = {"h\xc3\xa9llo", caplen % 7}};
        n += put_packet(file + n, ROOM - n, &epb);
    }
    struct wire_pcapng_block block;
    size_t at = wire_pcapng_next(file, n, &block);
    assert_int_equal(block.type, WIRE_PCAPNG_SHB);
    expect_text(block.hardware, "cpu");
    expect_text(block.os, "");
    expect_text(block.application, "handfast");
    at += wire_pcapng_next(file + at, n - at, &block);
    assert_int_equal(block.type, WIRE_PCAPNG_IDB);
    assert_int_equal(block.linktype, WIRE_LINKTYPE_RAW);
    assert_int_equal(block.snaplen, 65535);
    assert_int_equal(block.tsresol, 9);
    expect_text(block.name, "tun0");
    for (uint32_t caplen = 0; caplen < 9; caplen++) {
        at += wire_pcapng_next(file + at, n - at, &block);
        assert_int_equal(block.type, WIRE_PCAPNG_EPB);
        assert_int_equal(block.epb.iface, 3);
        assert_true(block.epb.ts_ns == 0x123456789abcdef0);
        assert_int_equal(block.epb.caplen, caplen);
        assert_int_equal(block.epb.origlen, 1500);
        assert_int_equal(block.epb.direction, caplen % 3);
        assert_int_equal(block.epb.comment.len, caplen % 7);
        for (uint32_t i = 0; i < caplen; i++) {
            assert_int_equal(block.packet[i], i);
        }
    }
    assert_int_equal(at, n);
    assert_int_equal(wire_pcapng_next(file + at, 0, &block), 0);
}

static void the_octets_are_those_of_the_draft(void **state)
{
    (void)state;
    uint8_t out[64];
    const uint8_t shb[] = {0x0a, 0x0d, 0x0d, 0x0a, 32, 0,    0,    0,    0x4d, 0x3c, 0x2b,
                           0x1a, 1,    0,    0,    0,  0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                           0xff, 0xff, 0,    0,    0,  0,    32,   0,    0,    0};
    assert_int_equal(wire_pcapng_shb(out, 32, text(NULL), text(""), text(NULL)), 32);
    assert_memory_equal(out, shb, 32);
    const uint8_t idb[] = {1, 0, 0, 0, 32, 0, 0, 0, 101, 0, 0, 0, 0,  1, 0, 0,
                           9, 0, 1, 0, 9,  0, 0, 0, 0,   0, 0, 0, 32, 0, 0, 0};
    assert_int_equal(wire_pcapng_idb(out, 32, WIRE_LINKTYPE_RAW, 256, text(NULL)), 32);
    assert_memory_equal(out, idb, 32);
}

static void what_tells_the_time_of_an_interface_is_read(void **state)
{
    (void)state;
    const uint8_t idb[] = {1,    0,    0,    0,    44,   0,    0, 0, 101, 0,  0,  0, 0, 0,    0,
                           0,    9,    0,    1,    0,    12,   0, 0, 0,   14, 0,  8, 0, 0xfe, 0xff,
                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0,   0,  44, 0, 0, 0};
    struct wire_pcapng_block block;
    assert_int_equal(wire_pcapng_next(idb, sizeof idb, &block), sizeof idb);
    assert_int_equal(block.tsresol, 12);
    assert_true(block.tsoffset == -2);
}

/* Of the obsolete Packet Block the interface has 16 bits, what was dropped the 16 behind. */
static void an_obsolete_packet_block_is_read(void **state)
{
    (void)state;
    uint8_t file[128];
    struct wire_epb epb = {.iface = 7u << 16 | 3, .ts_ns = 99, .caplen = 5, .origlen = 6};
    size_t n = put_packet(file, sizeof file, &epb);
    put_le32(file, WIRE_PCAPNG_OPB);
    struct wire_pcapng_block block;
    assert_int_equal(wire_pcapng_next(file, n, &block), n);
    assert_int_equal(block.epb.iface, 3);
    assert_int_equal(block.epb.ts_ns, 99);
    assert_int_equal(block.epb.caplen, 5);
    assert_int_equal(block.packet[4], 4);
}

static void too_little_room_writes_nothing(void **state)
{
    (void)state;
    uint8_t out[128];
    for (size_t room = 0; room < 128; room++) {
        memset(out, 0xee, sizeof out);
        size_t n = wire_pcapng_shb(out, room, text("a"), text("bc"), text("defgh"));
        assert_int_equal(n, room < 32 + 8 + 8 + 12 ? 0 : 60);
        assert_int_equal(out[room < 60 ? 0 : 60], 0xee);
        n = wire_pcapng_idb(out + 60, room < 60 ? 0 : room - 60, 1, 0, text("eth0"));
        assert_int_equal(n, room < 60 + 40 ? 0 : 40);
    }
    struct wire_epb epb = {.caplen = 3, .comment = text("abcde")};
    assert_int_equal(wire_pcapng_epb_begin(out, WIRE_EPB_BEGIN - 1, &epb), 0);
    assert_int_equal(wire_pcapng_epb_end(out, 1 + 12 + 8 - 1, &epb), 0);
    assert_int_equal(wire_pcapng_epb_end(out, 1 + 12 + 8, &epb), 21);
}

static void a_long_comment_is_cut(void **state)
{
    (void)state;
    static char comment[70000];
    static uint8_t out[70000];
    memset(comment, 'x', sizeof comment);
    struct wire_epb epb = {.comment = {comment, sizeof comment}};
    size_t n = put_packet(out, sizeof out, &epb);
    struct wire_pcapng_block block;
    assert_int_equal(wire_pcapng_next(out, n, &block), n);
    assert_int_equal(block.epb.comment.len, 65535);
}

static void a_damaged_block_is_refused_or_read_inside_its_bounds(void **state)
{
    (void)state;
    uint8_t whole[256];
    struct wire_epb epb = {.caplen = 10, .direction = WIRE_DIRECTION_IN, .comment = text("note")};
    size_t len = put_packet(whole, sizeof whole, &epb);
    struct wire_pcapng_block block;
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = guarded(whole, cut);
        assert_int_equal(wire_pcapng_next(copy, cut, &block), 0);
        release(copy, cut);
    }
    whole[len - 4] ^= 4;
    assert_int_equal(wire_pcapng_next(whole, len, &block), 0);
    whole[len - 4] ^= 4;
    uint32_t seed = 1;
    for (int i = 0; i < 100000; i++) {
        uint8_t *copy = guarded(whole, len);
        uint8_t noise[8];
        seed = scramble(noise, sizeof noise, seed);
        copy[noise[0] % len] = noise[1];
        copy[noise[2] % len] = noise[3] % 8;
        put_le32(copy, noise[4] % 2 == 0 ? WIRE_PCAPNG_EPB : noise[4] % 3 == 0 ? 1 : 0x0a0d0d0a);
        size_t n = wire_pcapng_next(copy, len, &block);
        if (n != 0 && block.type == WIRE_PCAPNG_EPB) {
            assert_true(block.packet >= copy && block.packet + block.epb.caplen <= copy + n);
            struct wire_text comment = block.epb.comment;
            assert_true(comment.at == NULL ||
                        (const uint8_t *)comment.at + comment.len <= copy + n);
        }
        release(copy, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_comes_back),
        cmocka_unit_test(the_octets_are_those_of_the_draft),
        cmocka_unit_test(what_tells_the_time_of_an_interface_is_read),
        cmocka_unit_test(an_obsolete_packet_block_is_read),
        cmocka_unit_test(too_little_room_writes_nothing),
        cmocka_unit_test(a_long_comment_is_cut),
        cmocka_unit_test(a_damaged_block_is_refused_or_read_inside_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
