/* handfast/device.h: a cable in memory. */
#include <poll.h>
#include <pthread.h>

#include "frames.h"

static bool readable(struct hf_device *device)
{
    struct pollfd fd = {.fd = hf_device_fd(device), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

static void what_one_end_sends_the_other_receives_whole_and_in_order(void **state)
{
    (void)state;
    struct hf_device *ends[2];
    struct hf_frame_out out;
    struct hf_frame_in in[8];
    assert_int_equal(hf_device_pair(ends, NULL, NULL), 0);
    assert_false(readable(ends[1]));
    for (uint32_t i = 0; i < 5; i++) {
        make_frame(&out, HF_LINK_IP, i % 2 == 0 ? 4 : 6, i, i * 16000);
        send_one(ends[0], 0, &out);
    }
    assert_true(readable(ends[1]));
    assert_int_equal(hf_device_receive(ends[1], 0, in, 8), 5);
    for (uint32_t i = 0; i < 5; i++) {
        make_frame(&out, HF_LINK_IP, i % 2 == 0 ? 4 : 6, i, i * 16000);
        assert_int_equal(in[i].len, out.len);
        assert_memory_equal(in[i].data, out.header, out.header_len);
        assert_memory_equal(in[i].data + out.header_len + out.slice[0].len, out.slice[1].data,
                            out.slice[1].len);
        assert_true((in[i].flags & HF_FRAME_CSUM_OK) != 0);
        assert_int_equal(in[i].gso_size, out.gso_size);
        assert_int_equal(in[i].flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6),
                         out.flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6));
    }
    assert_int_equal(hf_device_receive(ends[1], 0, in, 8), 0);
    assert_false(readable(ends[1]));
    hf_device_close(ends[0]);
    hf_device_close(ends[1]);
}

static void what_is_left_after_a_small_batch_keeps_the_end_readable(void **state)
{
    (void)state;
    struct hf_device *ends[2];
    struct hf_frame_out out;
    struct hf_frame_in in[2];
    assert_int_equal(hf_device_pair(ends, NULL, NULL), 0);
    make_frame(&out, HF_LINK_IP, 4, 1, 10);
    for (int i = 0; i < 3; i++) {
        send_one(ends[1], 0, &out);
    }
    assert_int_equal(hf_device_receive(ends[0], 0, in, 2), 2);
    assert_true(readable(ends[0]));
    assert_int_equal(hf_device_receive(ends[0], 0, in, 2), 1);
    assert_false(readable(ends[0]));
    hf_device_close(ends[0]);
    hf_device_close(ends[1]);
}

static void a_full_cable_takes_no_more_and_wakes_the_sender_when_it_has_room(void **state)
{
    (void)state;
    struct hf_device *ends[2];
    struct hf_pair config = {.struct_size = sizeof config, .link = HF_LINK_ETHERNET, .frames = 4};
    struct hf_frame_out out[6];
    struct hf_frame_in in[8];
    assert_int_equal(hf_device_pair(ends, &config, NULL), 0);
    for (uint32_t i = 0; i < 6; i++) {
        make_frame(&out[i], HF_LINK_ETHERNET, 4, i, 1);
    }
    assert_int_equal(hf_device_send(ends[0], 0, out, 6), 4);
    assert_false(readable(ends[0]));
    assert_int_equal(hf_device_receive(ends[1], 0, in, 8), 4);
    hf_device_flush(ends[1], 0);
    assert_true(readable(ends[0]));
    assert_int_equal(hf_device_send(ends[0], 0, out + 4, 2), 2);
    assert_int_equal(hf_device_interface(ends[0])->mtu, 1500);
    assert_memory_not_equal(hf_device_interface(ends[0])->mac, hf_device_interface(ends[1])->mac,
                            6);
    hf_device_close(ends[0]);
    hf_device_close(ends[1]);
}

static void what_is_sent_to_a_closed_end_is_lost(void **state)
{
    (void)state;
    struct hf_device *ends[2];
    struct hf_frame_out out;
    assert_int_equal(hf_device_pair(ends, NULL, NULL), 0);
    hf_device_close(ends[1]);
    make_frame(&out, HF_LINK_IP, 4, 1, 10);
    for (int i = 0; i < 1000; i++) {
        send_one(ends[0], 0, &out);
    }
    hf_device_close(ends[0]);
}

static void a_number_of_frames_that_is_no_power_of_two_is_refused(void **state)
{
    (void)state;
    struct hf_device *ends[2];
    struct hf_pair config = {.struct_size = sizeof config, .frames = 3};
    char error[HF_ERROR_TEXT] = "";
    assert_true(hf_device_pair(ends, &config, error) < 0);
    assert_non_null(strstr(error, "power of two"));
}

enum { MANY = 20000 };

static void *send_many(void *arg)
{
    struct hf_device *device = arg;
    struct hf_frame_out out;
    struct hf_frame_in in;
    for (uint32_t i = 0; i < MANY;) {
        make_frame(&out, HF_LINK_IP, 6, i, 3);
        int sent = hf_device_send(device, 0, &out, 1);
        if (sent == 0) { /* sleeps until there is room */
            struct pollfd fd = {.fd = hf_device_fd(device), .events = POLLIN};
            (void)poll(&fd, 1, -1);
            (void)hf_device_receive(device, 0, &in, 1);
        }
        i += (uint32_t)sent;
    }
    return NULL;
}

static void two_threads_may_use_one_end_each(void **state)
{
    (void)state;
    struct hf_device *ends[2];
    struct hf_pair config = {.struct_size = sizeof config, .frames = 8};
    struct hf_frame_in in[5];
    pthread_t thread;
    assert_int_equal(hf_device_pair(ends, &config, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_many, ends[0]), 0);
    for (uint32_t next = 0; next < MANY;) {
        struct pollfd fd = {.fd = hf_device_fd(ends[1]), .events = POLLIN};
        (void)poll(&fd, 1, -1);
        int n = hf_device_receive(ends[1], 0, in, 5);
        for (int i = 0; i < n; i++, next++) {
            assert_int_equal(get_be32(in[i].data + 40 + 4), next); /* SEG.SEQ */
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    hf_device_close(ends[0]);
    hf_device_close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_end_sends_the_other_receives_whole_and_in_order),
        cmocka_unit_test(what_is_left_after_a_small_batch_keeps_the_end_readable),
        cmocka_unit_test(a_full_cable_takes_no_more_and_wakes_the_sender_when_it_has_room),
        cmocka_unit_test(what_is_sent_to_a_closed_end_is_lost),
        cmocka_unit_test(a_number_of_frames_that_is_no_power_of_two_is_refused),
        cmocka_unit_test(two_threads_may_use_one_end_each),
    };
    return cmocka_run_group_tests_name("pair", tests, NULL, NULL);
}
