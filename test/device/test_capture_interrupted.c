/* src/device/capture.c with a write(2) that signals interrupt, and that takes what a pipe has room
 * for. */
#include <errno.h>
#include <unistd.h>

#include "frames.h"

static ssize_t write_some(int fd, const void *data, size_t len);
#define write write_some
#include "device/capture.c"
#undef write

static const char path[] = "test_capture_interrupted.pcapng";
static uint32_t calls;

static ssize_t write_some(int fd, const void *data, size_t len)
{
    if (calls++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return write(fd, data, len < 7 ? len : 7);
}

static void a_signal_while_a_capture_writes_ends_nothing(void **state)
{
    (void)state;
    enum { FRAMES = 300, TEXT = 1000 }; /* more than is buffered at once */
    static uint8_t data[1 << 20];
    struct hf_capture how = {.struct_size = sizeof how, .path = path};
    struct probe *probe = new_probe(HF_LINK_IP);
    struct hf_device *device;
    struct hf_frame_out out;
    struct wire_pcapng_block block;
    size_t at = 0, n, packets = 0;
    assert_int_equal(hf_device_capture(&device, probe->device, &how, NULL), 0);
    for (uint32_t i = 0; i < FRAMES; i++) {
        make_frame(&out, HF_LINK_IP, 4, i, TEXT);
        send_one(device, 0, &out);
    }
    assert_int_equal(hf_device_capture_status(device), 0);
    hf_device_close(device);
    free_probe(probe);

    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(data, 1, sizeof data, file);
    (void)fclose(file);
    while ((n = wire_pcapng_next(data + at, len - at, &block)) > 0) {
        at += n;
        packets += block.type == WIRE_PCAPNG_EPB ? 1 : 0;
    }
    assert_int_equal(at, len);
    assert_int_equal(packets, FRAMES);
    (void)unlink(path);
}

static bool yes(void *asked)
{
    ++*(unsigned *)asked;
    return true;
}

static void a_signal_ends_a_capture_where_its_program_says_so(void **state)
{
    (void)state;
    unsigned asked = 0;
    struct hf_capture how = {
        .struct_size = sizeof how, .path = path, .comment_arg = &asked, .interrupted = yes};
    struct probe *probe = new_probe(HF_LINK_IP);
    struct hf_device *device;
    calls = 0;
    assert_int_equal(hf_device_capture(&device, probe->device, &how, NULL), 0);
    assert_int_equal(hf_device_capture_status(device), -EINTR);
    assert_int_equal(asked, 1);
    hf_device_close(device);
    free_probe(probe);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_while_a_capture_writes_ends_nothing),
        cmocka_unit_test(a_signal_ends_a_capture_where_its_program_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
