/* handfast/device.h: the pcapng tap. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "frames.h"

static const char path[] = "test_capture.pcapng";

/* Reads the whole file; to be freed. */
static uint8_t *read_all(size_t *len)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *data = malloc(1 << 20);
    assert_non_null(data);
    *len = fread(data, 1, 1 << 20, file);
    assert_true(*len < 1 << 20);
    (void)fclose(file);
    return data;
}

/* The comment says which frame and piece it is for. */
static size_t number(void *arg, const struct hf_captured *packet, char *text, size_t room)
{
    const bool *processed = arg;
    int len = snprintf(text, room, "%s %u.%u/%u %s",
                       packet->direction == HF_DIRECTION_IN ? "in" : "out", (unsigned)packet->frame,
                       packet->piece, packet->pieces, *processed ? "seen" : "unseen");
    return (size_t)len;
}

struct packets {
    uint8_t *data;
    size_t len, at;
    struct wire_pcapng_block block;
};

static void open_packets(struct packets *packets, uint16_t linktype)
{
    packets->data = read_all(&packets->len);
    packets->at = wire_pcapng_next(packets->data, packets->len, &packets->block);
    assert_int_equal(packets->block.type, WIRE_PCAPNG_SHB);
    packets->at +=
        wire_pcapng_next(packets->data + packets->at, packets->len - packets->at, &packets->block);
    assert_int_equal(packets->block.type, WIRE_PCAPNG_IDB);
    assert_int_equal(packets->block.linktype, linktype);
    assert_int_equal(packets->block.tsresol, 9);
}

static bool next_packet(struct packets *packets)
{
    size_t n =
        wire_pcapng_next(packets->data + packets->at, packets->len - packets->at, &packets->block);
    packets->at += n;
    assert_true(n > 0 || packets->at == packets->len);
    return n > 0;
}

static void expect_comment(const struct packets *packets, const char *text)
{
    assert_int_equal(packets->block.epb.comment.len, strlen(text));
    assert_memory_equal(packets->block.epb.comment.at, text, strlen(text));
}

static void frames_are_written_as_the_wire_carries_them_and_after_they_were_processed(void **state)
{
    (void)state;
    for (int ethernet = 0; ethernet < 2; ethernet++) {
        uint32_t link = ethernet != 0 ? HF_LINK_ETHERNET : HF_LINK_IP;
        bool processed = false;
        struct hf_capture how = {.struct_size = sizeof how,
                                 .path = path,
                                 .comment = number,
                                 .comment_arg = &processed,
                                 .epoch_ns = 1000};
        struct probe *probe = new_probe(link);
        struct hf_device *device;
        struct hf_frame_out out;
        struct hf_frame_in in[4];
        assert_int_equal(hf_device_capture(&device, probe->device, &how, NULL), 0);
        make_frame(&out, link, 4, 50, 2500);
        probe_gives(probe, &out);
        assert_int_equal(hf_device_receive(device, 7, in, 4), 1);
        assert_int_equal(in[0].gso_size, MSS); /* the stack gets it whole */
        processed = true;
        hf_device_flush(device, 7);
        make_frame(&out, link, 6, 60, 1001);
        send_one(device, 8, &out);
        assert_int_equal(probe->n_sent, 1);
        assert_int_equal(probe->sent[0].gso_size, MSS); /* and so does the device */
        assert_int_equal(hf_device_capture_status(device), 0);
        hf_device_close(device);
        free_probe(probe);

        static const char *const comments[] = {"in 0.0/3 seen", "in 0.1/3 seen", "in 0.2/3 seen",
                                               "out 0.0/2 seen", "out 0.1/2 seen"};
        static const uint32_t seqs[] = {50, 1050, 2050, 60, 1060};
        struct packets packets;
        open_packets(&packets, ethernet != 0 ? WIRE_LINKTYPE_ETHERNET : WIRE_LINKTYPE_RAW);
        for (uint32_t i = 0; i < 5; i++) {
            struct segment seg;
            assert_true(next_packet(&packets));
            check_frame(packets.block.packet, packets.block.epb.caplen, link, &seg);
            assert_int_equal(seg.seq.v, seqs[i]);
            assert_int_equal(packets.block.epb.origlen, packets.block.epb.caplen);
            assert_int_equal(packets.block.epb.ts_ns, i < 3 ? 1007 : 1008);
            assert_int_equal(packets.block.epb.direction,
                             i < 3 ? WIRE_DIRECTION_IN : WIRE_DIRECTION_OUT);
            expect_comment(&packets, comments[i]);
        }
        assert_false(next_packet(&packets));
        free(packets.data);
    }
    (void)unlink(path);
}

static void what_the_device_did_not_take_is_not_written(void **state)
{
    (void)state;
    struct hf_capture how = {.struct_size = sizeof how, .path = path, .snaplen = 30};
    struct probe *probe = new_probe(HF_LINK_IP);
    struct hf_device *device;
    struct hf_frame_out out[2];
    struct packets packets;
    assert_int_equal(hf_device_capture(&device, probe->device, &how, NULL), 0);
    make_frame(&out[0], HF_LINK_IP, 4, 1, 10);
    make_frame(&out[1], HF_LINK_IP, 4, 2, 10);
    probe->takes = 1;
    assert_int_equal(hf_device_send(device, 0, out, 2), 1);
    hf_device_close(device);
    free_probe(probe);
    open_packets(&packets, WIRE_LINKTYPE_RAW);
    assert_int_equal(packets.block.snaplen, 30);
    assert_true(next_packet(&packets));
    assert_int_equal(packets.block.epb.caplen, 30);
    assert_int_equal(packets.block.epb.origlen, 50);
    assert_int_equal(packets.block.epb.comment.len, 0);
    assert_false(next_packet(&packets));
    free(packets.data);
    (void)unlink(path);
}

static void packets_are_in_the_file_soon_though_nothing_more_happens(void **state)
{
    (void)state;
    enum { SOON_NS = 200000000 };
    struct hf_capture how = {.struct_size = sizeof how, .path = path};
    struct probe *probe = new_probe(HF_LINK_IP);
    struct hf_device *device;
    struct hf_frame_out out;
    struct packets packets;
    assert_int_equal(hf_device_capture(&device, probe->device, &how, NULL), 0);
    make_frame(&out, HF_LINK_IP, 4, 1, 10);
    send_one(device, SOON_NS, &out);
    hf_device_flush(device, SOON_NS);
    send_one(device, SOON_NS + 1, &out); /* is buffered: the file was written just now */
    hf_device_flush(device, SOON_NS + 1);
    assert_int_equal(hf_device_deadline(device), 2 * SOON_NS);
    hf_device_timeouts(device, 2 * SOON_NS);
    assert_int_equal(hf_device_deadline(device), INT64_MAX);
    open_packets(&packets, WIRE_LINKTYPE_RAW);
    assert_true(next_packet(&packets));
    assert_true(next_packet(&packets));
    assert_false(next_packet(&packets));
    free(packets.data);
    hf_device_close(device);
    free_probe(probe);
    (void)unlink(path);
}

static void the_standard_output_is_still_there_behind_a_capture_to_it(void **state)
{
    (void)state;
    struct hf_capture how = {.struct_size = sizeof how, .path = "-"};
    struct probe *probe = new_probe(HF_LINK_IP);
    struct hf_device *device;
    struct packets packets;
    (void)fflush(stdout);
    int ours = dup(STDOUT_FILENO);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(dup2(fileno(file), STDOUT_FILENO), STDOUT_FILENO);
    (void)fclose(file);
    assert_int_equal(hf_device_capture(&device, probe->device, &how, NULL), 0);
    hf_device_close(device);
    bool closed = fcntl(STDOUT_FILENO, F_GETFD) < 0;
    assert_int_equal(dup2(ours, STDOUT_FILENO), STDOUT_FILENO);
    close(ours);
    assert_false(closed);
    open_packets(&packets, WIRE_LINKTYPE_RAW);
    assert_false(next_packet(&packets));
    free(packets.data);
    free_probe(probe);
    (void)unlink(path);
}

static void a_udp_checksum_left_to_the_device_is_filled_in(void **state)
{
    (void)state;
    struct hf_capture how = {.struct_size = sizeof how, .path = path};
    struct probe *probe = new_probe(HF_LINK_IP);
    struct hf_device *device;
    struct hf_frame_in in;
    struct packets packets;
    struct wire_ip ip = {.version = 6, .proto = WIRE_PROTO_UDP, .ttl = 64, .total_len = 40 + 8 + 5};
    struct wire_udp udp = {.sport = 5, .dport = 6, .len = 13, .csum = 0x1234};
    struct probe_frame *given = &probe->waiting[probe->n_waiting++];
    ip.src[15] = 1;
    ip.dst[15] = 2;
    wire_put_ip(given->data, &ip);
    wire_put_udp(given->data + 40, &udp);
    memcpy(given->data + 48, "hello", 5);
    given->len = ip.total_len;
    given->flags = HF_FRAME_CSUM_OK;
    assert_int_equal(hf_device_capture(&device, probe->device, &how, NULL), 0);
    assert_int_equal(hf_device_receive(device, 0, &in, 1), 1);
    hf_device_close(device); /* writes what still waits */
    free_probe(probe);
    open_packets(&packets, WIRE_LINKTYPE_RAW);
    assert_true(next_packet(&packets));
    assert_true(wire_udp_checksum_ok(&ip, packets.block.packet + 40, 13));
    free(packets.data);
    (void)unlink(path);
}

static void a_file_that_cannot_be_written_is_told(void **state)
{
    (void)state;
    struct hf_capture how = {.struct_size = sizeof how, .path = "no-such-folder/x.pcapng"};
    struct probe *probe = new_probe(HF_LINK_IP);
    struct hf_device *device;
    char error[HF_ERROR_TEXT] = "";
    assert_int_equal(hf_device_capture(&device, probe->device, &how, error), -ENOENT);
    assert_null(device);
    assert_non_null(strstr(error, "no-such-folder/x.pcapng"));
    free_probe(probe);

    how.path = "/dev/full";
    probe = new_probe(HF_LINK_IP);
    assert_int_equal(hf_device_capture(&device, probe->device, &how, error), 0);
    assert_int_equal(hf_device_capture_status(device), -ENOSPC);
    hf_device_close(device);
    free_probe(probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_written_as_the_wire_carries_them_and_after_they_were_processed),
        cmocka_unit_test(what_the_device_did_not_take_is_not_written),
        cmocka_unit_test(packets_are_in_the_file_soon_though_nothing_more_happens),
        cmocka_unit_test(the_standard_output_is_still_there_behind_a_capture_to_it),
        cmocka_unit_test(a_udp_checksum_left_to_the_device_is_filled_in),
        cmocka_unit_test(a_file_that_cannot_be_written_is_told),
    };
    return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
