/* virtio 1.2, 5.1.6: super-segments cut to wire segments that any receiver would take. */
#include "wire_test.h"

enum { ROOM = 66000 };

struct super {
    uint8_t packet[ROOM];
    size_t len;
    uint8_t version;
    struct segment seg;
    uint32_t text_len;
};

static void set_up(struct super *s, uint8_t version, uint32_t text_len)
{
    s->version = version;
    s->text_len = text_len;
    s->seg = (struct segment){
        .seq = {0xfffffc00}, /* the sequence numbers wrap */
        .ack = {77},
        .wnd = 1000,
        .ctl = ACK | PSH | FIN | CWR | ECE,
        .sport = 4,
        .dport = 5,
        .opt = {.present = OPT_TS, .ts_val = 1, .ts_ecr = 2},
    };
    size_t tcp_at = version == 4 ? 20 : 40;
    size_t header_len = wire_put_tcp(s->packet + tcp_at, &s->seg);
    struct wire_ip ip = test_ip(version, WIRE_PROTO_TCP, (uint32_t)header_len + text_len);
    ip.ident = 0xfffe;
    wire_put_ip(s->packet, &ip);
    scramble(s->packet + tcp_at + header_len, text_len, text_len);
    wire_set_tcp_partial(s->packet + tcp_at, header_len, &ip, text_len);
    s->len = tcp_at + header_len + text_len;
}

/* Checks the index-th piece as a receiver would; returns its octets of text. */
static uint32_t check_piece(const struct super *s, uint32_t gso_size, uint32_t index,
                            uint32_t count, uint32_t text_at)
{
    static uint8_t out[ROOM];
    size_t n = wire_gso_split(s->packet, s->len, gso_size, index, out, sizeof out);
    struct wire_ip ip;
    struct segment seg;
    assert_int_equal(wire_parse_ip(out, n, &ip), WIRE_OK);
    assert_int_equal(ip.total_len, n);
    assert_int_equal(ip.ident, s->version == 4 ? (uint16_t)(0xfffe + index) : 0);
    assert_true(wire_tcp_checksum_ok(&ip, out + ip.header_len, n - ip.header_len));
    assert_int_equal(wire_parse_tcp(out + ip.header_len, n - ip.header_len, &seg), WIRE_OK);
    assert_int_equal(seg.seq.v, seq_add(s->seg.seq, text_at).v);
    assert_int_equal(seg.ack.v, 77);
    uint16_t ctl = ACK | ECE;
    ctl |= index == 0 ? CWR : 0;
    ctl |= index == count - 1 ? PSH | FIN : 0;
    assert_int_equal(seg.ctl, ctl);
    assert_int_equal(seg.opt.present, OPT_TS);
    assert_memory_equal(seg.text, s->packet + s->len - s->text_len + text_at, seg.text_len);
    assert_true(index == count - 1 || gso_size == 0 || seg.text_len == gso_size);
    /* Room is respected to the octet. */
    assert_int_equal(wire_gso_split(s->packet, s->len, gso_size, index, out, n - 1), 0);
    assert_int_equal(wire_gso_split(s->packet, s->len, gso_size, index, out, n), n);
    return seg.text_len;
}

static void every_piece_is_a_right_segment(void **state)
{
    (void)state;
    static struct super s;
    static const uint32_t sizes[] = {0, 1, 7, 100, 536, 999, 1000, 1001, 1448, 65535};
    static const uint32_t texts[] = {0, 1, 2, 999, 1000, 1001, 2000, 2001, 4345, 65000};
    for (uint8_t version = 4; version <= 6; version = (uint8_t)(version + 2)) {
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            for (size_t j = 0; j < ARRAY_LEN(texts); j++) {
                if (sizes[i] != 0 && texts[j] / sizes[i] > 700) {
                    continue;
                }
                set_up(&s, version, texts[j]);
                uint32_t count = wire_gso_count(s.packet, s.len, sizes[i]);
                uint32_t text_at = 0;
                for (uint32_t k = 0; k < count; k++) {
                    text_at += check_piece(&s, sizes[i], k, count, text_at);
                }
                assert_int_equal(text_at, texts[j]);
                uint8_t out[100];
                assert_int_equal(wire_gso_split(s.packet, s.len, sizes[i], count, out, sizeof out),
                                 0);
            }
        }
    }
}

static void what_is_no_whole_tcp_packet_is_refused(void **state)
{
    (void)state;
    static struct super s;
    for (uint8_t version = 4; version <= 6; version = (uint8_t)(version + 2)) {
        set_up(&s, version, 300);
        for (size_t cut = 0; cut < s.len; cut++) {
            uint8_t *copy = guarded(s.packet, cut);
            assert_int_equal(wire_gso_count(copy, cut, 100), 0);
            release(copy, cut);
        }
        s.packet[version == 4 ? 9 : 6] = WIRE_PROTO_UDP;
        assert_int_equal(wire_gso_count(s.packet, s.len, 100), 0);
    }
}

static void padding_behind_the_packet_is_no_text(void **state)
{
    (void)state;
    static struct super s;
    uint8_t out[ROOM];
    set_up(&s, 4, 3);
    assert_int_equal(wire_gso_split(s.packet, s.len + 10, 1448, 0, out, sizeof out), s.len);
}

static void a_checksum_is_finished_only_inside_the_packet(void **state)
{
    (void)state;
    static struct super s;
    set_up(&s, 6, 11);
    for (uint32_t start = 0; start < s.len + 3; start++) {
        for (uint32_t offset = 0; offset < 150; offset++) {
            uint8_t *copy = guarded(s.packet, s.len);
            bool inside = start + offset + 2 <= s.len;
            assert_int_equal(wire_fill_checksum(copy, s.len, start, offset), inside);
            release(copy, s.len);
        }
    }
    assert_false(wire_fill_checksum(s.packet, s.len, 0xffffffff, 1));
    assert_false(wire_fill_checksum(s.packet, s.len, 1, 0xffffffff));
    assert_true(wire_fill_checksum(s.packet, s.len, 40, 16));
    struct wire_ip ip;
    assert_int_equal(wire_parse_ip(s.packet, s.len, &ip), WIRE_OK);
    assert_true(wire_tcp_checksum_ok(&ip, s.packet + 40, s.len - 40));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_is_a_right_segment),
        cmocka_unit_test(what_is_no_whole_tcp_packet_is_refused),
        cmocka_unit_test(padding_behind_the_packet_is_no_text),
        cmocka_unit_test(a_checksum_is_finished_only_inside_the_packet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
