/* handfast/device.h: the impaired wrapper. */
#include <errno.h>

#include "frames.h"

static struct probe *probe;
static struct hf_device *device;

static void wrap(const struct hf_impairment *how, uint32_t link)
{
    probe = new_probe(link);
    assert_int_equal(hf_device_impaired(&device, probe->device, how, NULL), 0);
}

static void unwrap(void)
{
    hf_device_close(device);
    free_probe(probe);
}

/* The sequence numbers that the inner device got, one octet of text each. */
static uint32_t sent_seq(uint32_t i)
{
    struct segment seg;
    check_frame(probe->sent[i].data, probe->sent[i].len, HF_LINK_IP, &seg);
    return seg.seq.v;
}

static void send_numbered(uint32_t n, int64_t now_ns)
{
    struct hf_frame_out out;
    for (uint32_t i = 0; i < n; i++) {
        make_frame(&out, HF_LINK_IP, 4, i, 1);
        send_one(device, now_ns, &out);
    }
}

static void without_impairments_all_passes_cut_and_summed(void **state)
{
    (void)state;
    for (int ethernet = 0; ethernet < 2; ethernet++) {
        uint32_t link = ethernet != 0 ? HF_LINK_ETHERNET : HF_LINK_IP;
        struct hf_impairment how = {.struct_size = sizeof how};
        struct hf_frame_out out;
        wrap(&how, link);
        assert_int_equal(hf_device_interface(device)->offload,
                         HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6);
        make_frame(&out, link, 6, 100, 64321);
        send_one(device, 0, &out);
        assert_int_equal(probe->n_sent, 65);
        for (uint32_t i = 0; i < 65; i++) {
            struct segment seg;
            assert_int_equal(probe->sent[i].flags, 0);
            check_frame(probe->sent[i].data, probe->sent[i].len, link, &seg);
            assert_int_equal(seg.seq.v, 100 + i * MSS);
            assert_int_equal(seg.text_len, i < 64 ? MSS : 321);
            assert_int_equal(seg.text[0], (uint8_t)(i * MSS));
        }
        unwrap();
    }
}

static void what_comes_in_is_cut_and_summed_too(void **state)
{
    (void)state;
    struct hf_impairment how = {.struct_size = sizeof how};
    struct hf_frame_out out;
    struct hf_frame_in in[8];
    wrap(&how, HF_LINK_IP);
    make_frame(&out, HF_LINK_IP, 4, 5, 3500);
    probe_gives(probe, &out);
    make_frame(&out, HF_LINK_IP, 6, 9, 0);
    probe_gives(probe, &out);
    assert_int_equal(hf_device_receive(device, 0, in, 8), 5);
    for (uint32_t i = 0; i < 5; i++) {
        struct segment seg;
        assert_int_equal(in[i].flags, 0); /* the stack shall look itself */
        check_frame(in[i].data, in[i].len, HF_LINK_IP, &seg);
        assert_int_equal(seg.seq.v, i < 4 ? 5 + i * MSS : 9);
    }
    assert_true(probe->flushes > 0);
    unwrap();
}

/* What the same seed does to 500 frames, as one string of sequence numbers. */
static void play(const struct hf_impairment *how, uint32_t *seqs, uint32_t *n)
{
    wrap(how, HF_LINK_IP);
    send_numbered(500, 1000);
    hf_device_timeouts(device, INT64_C(10000000000));
    *n = probe->n_sent;
    for (uint32_t i = 0; i < *n; i++) {
        seqs[i] = get_be32(probe->sent[i].data + 24);
    }
    unwrap();
}

static void the_same_seed_has_the_same_fate_and_another_seed_another(void **state)
{
    (void)state;
    static uint32_t first[PROBE_FRAMES], again[PROBE_FRAMES], other[PROBE_FRAMES];
    uint32_t n_first, n_again, n_other;
    struct hf_impairment how = {.struct_size = sizeof how,
                                .lose = 50000,
                                .duplicate = 10000,
                                .reorder = 50000,
                                .corrupt = 10000,
                                .seed = "one"};
    play(&how, first, &n_first);
    play(&how, again, &n_again);
    memcpy(how.seed, "two", 3);
    play(&how, other, &n_other);
    assert_int_equal(n_first, n_again);
    assert_memory_equal(first, again, n_first * sizeof first[0]);
    assert_true(n_first != n_other || memcmp(first, other, n_first * sizeof first[0]) != 0);
}

static void one_direction_does_not_change_the_fate_of_the_other(void **state)
{
    (void)state;
    struct hf_impairment how = {.struct_size = sizeof how, .lose = 300000, .seed = "x"};
    uint32_t alone[100], together[100], n_alone, n_together;
    for (int with = 0; with < 2; with++) {
        uint32_t *seqs = with != 0 ? together : alone;
        struct hf_frame_out out;
        struct hf_frame_in in[8];
        wrap(&how, HF_LINK_IP);
        for (uint32_t i = 0; i < 100; i++) {
            make_frame(&out, HF_LINK_IP, 4, i, 1);
            send_one(device, 0, &out);
            if (with != 0) {
                probe_gives(probe, &out);
                (void)hf_device_receive(device, 0, in, 8);
            }
        }
        *(with != 0 ? &n_together : &n_alone) = probe->n_sent;
        for (uint32_t i = 0; i < probe->n_sent; i++) {
            seqs[i] = sent_seq(i);
        }
        unwrap();
    }
    assert_int_equal(n_alone, n_together);
    assert_memory_equal(alone, together, n_alone * sizeof alone[0]);
}

static void counts_add_up(void **state)
{
    (void)state;
    struct hf_impairment how = {
        .struct_size = sizeof how, .lose = 100000, .duplicate = 50000, .reorder = 50000};
    struct hf_impaired_counts counts;
    wrap(&how, HF_LINK_IP);
    send_numbered(500, 1000);
    hf_device_timeouts(device, INT64_C(10000000000));
    assert_int_equal(hf_device_impaired_counts(device, &counts), 0);
    assert_int_equal(counts.passed, 500 - counts.lost + counts.duplicated);
    assert_int_equal(probe->n_sent, counts.passed);
    assert_in_range(counts.lost, 20, 100); /* 50 expected; the dice are fixed by the seed */
    assert_in_range(counts.duplicated, 5, 60);
    assert_true(counts.reordered > 0);
    unwrap();
}

static bool lose_seq_3(void *arg, int direction, const uint8_t *frame, uint32_t len)
{
    uint32_t *seen = arg;
    struct segment seg;
    check_frame(frame, len, HF_LINK_IP, &seg);
    *seen += 1;
    return direction == HF_DIRECTION_OUT && seg.seq.v == 3 && *seen <= 5;
}

static void a_function_may_choose_the_frames_that_are_lost(void **state)
{
    (void)state;
    uint32_t seen = 0;
    struct hf_impairment how = {
        .struct_size = sizeof how, .lose_fn = lose_seq_3, .lose_arg = &seen};
    wrap(&how, HF_LINK_IP);
    send_numbered(5, 0);
    send_numbered(5, 0); /* and again: now it passes */
    assert_int_equal(seen, 10);
    assert_int_equal(probe->n_sent, 9);
    assert_int_equal(sent_seq(3), 4);
    assert_int_equal(sent_seq(7), 3);
    unwrap();
}

static void delay_holds_frames_until_their_time_and_keeps_their_order(void **state)
{
    (void)state;
    struct hf_impairment how = {
        .struct_size = sizeof how, .delay_ns = 1000, .jitter_ns = 500, .seed = "j"};
    struct hf_frame_out out;
    struct hf_frame_in in[8];
    wrap(&how, HF_LINK_IP);
    assert_int_equal(hf_device_deadline(device), INT64_MAX);
    send_numbered(20, 5000);
    int64_t due_ns = hf_device_deadline(device);
    assert_in_range(due_ns, 6000, 6500);
    hf_device_timeouts(device, 5999);
    assert_int_equal(probe->n_sent, 0);
    hf_device_timeouts(device, 6500);
    assert_int_equal(probe->n_sent, 20);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(sent_seq(i), i);
    }
    make_frame(&out, HF_LINK_IP, 4, 1, 1);
    probe_gives(probe, &out);
    assert_int_equal(hf_device_receive(device, 10000, in, 8), 0);
    due_ns = hf_device_deadline(device);
    assert_in_range(due_ns, 11000, 11500);
    assert_int_equal(hf_device_receive(device, due_ns - 1, in, 8), 0);
    assert_int_equal(hf_device_receive(device, due_ns, in, 8), 1);
    unwrap();
}

static void a_frame_held_back_passes_after_later_ones_or_after_its_time(void **state)
{
    (void)state;
    struct hf_impairment all = {
        .struct_size = sizeof all, .reorder = 1000000, .reorder_depth = 1, .reorder_ms = 10};
    struct hf_impairment none = {.struct_size = sizeof none, .reorder_depth = 1};
    struct hf_frame_out out;
    wrap(&all, HF_LINK_IP);
    send_numbered(1, 0);
    assert_int_equal(probe->n_sent, 0);
    assert_int_equal(hf_device_impair(device, &none), 0);
    make_frame(&out, HF_LINK_IP, 4, 7, 1);
    send_one(device, 0, &out);
    assert_int_equal(probe->n_sent, 2);
    assert_int_equal(sent_seq(0), 7);
    assert_int_equal(sent_seq(1), 0);
    assert_int_equal(hf_device_impair(device, &all), 0);
    send_numbered(1, 0);
    assert_int_equal(hf_device_deadline(device), 10000000);
    hf_device_timeouts(device, 10000000);
    assert_int_equal(probe->n_sent, 3);
    unwrap();
}

static void corruption_flips_one_bit_behind_the_link_header(void **state)
{
    (void)state;
    struct hf_impairment how = {.struct_size = sizeof how, .corrupt = 1000000, .seed = "c"};
    struct hf_impairment none = {.struct_size = sizeof none};
    struct hf_frame_out out;
    wrap(&how, HF_LINK_ETHERNET);
    make_frame(&out, HF_LINK_ETHERNET, 4, 1, 100);
    for (int i = 0; i < 50; i++) {
        send_one(device, 0, &out);
    }
    assert_int_equal(hf_device_impair(device, &none), 0);
    send_one(device, 0, &out);
    const struct probe_frame *good = &probe->sent[50];
    for (uint32_t i = 0; i < 50; i++) {
        unsigned flipped = 0;
        for (uint32_t k = 0; k < good->len; k++) {
            unsigned bits = (unsigned)__builtin_popcount(good->data[k] ^ probe->sent[i].data[k]);
            assert_true(bits == 0 || k >= 14);
            flipped += bits;
        }
        assert_int_equal(flipped, 1);
    }
    unwrap();
}

static void impairments_may_be_of_one_direction_only(void **state)
{
    (void)state;
    struct hf_impairment how = {
        .struct_size = sizeof how, .lose = 1000000, .directions = 1u << HF_DIRECTION_IN};
    struct hf_frame_out out;
    struct hf_frame_in in[8];
    wrap(&how, HF_LINK_IP);
    send_numbered(10, 0);
    assert_int_equal(probe->n_sent, 10);
    make_frame(&out, HF_LINK_IP, 4, 1, 1);
    probe_gives(probe, &out);
    assert_int_equal(hf_device_receive(device, 0, in, 8), 0);
    unwrap();
}

static void a_full_inner_device_gets_the_rest_later_in_order(void **state)
{
    (void)state;
    struct hf_impairment how = {.struct_size = sizeof how};
    wrap(&how, HF_LINK_IP);
    probe->takes = 3;
    send_numbered(10, 0);
    assert_int_equal(probe->n_sent, 3);
    assert_int_equal(hf_device_deadline(device), INT64_MAX); /* waiting for room, not for time */
    probe->takes = UINT32_MAX;
    hf_device_timeouts(device, 1);
    assert_int_equal(probe->n_sent, 10);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(sent_seq(i), i);
    }
    unwrap();
}

/* What is due and cannot be sent would be due for ever. */
static void what_the_inner_device_has_an_error_for_is_lost_and_told_when_it_is_gone(void **state)
{
    (void)state;
    struct hf_impairment how = {.struct_size = sizeof how, .delay_ns = 1000};
    struct hf_impaired_counts counts;
    struct hf_frame_in in[8];
    wrap(&how, HF_LINK_IP);
    send_numbered(40, 0);
    probe->error = -ENETDOWN;
    hf_device_timeouts(device, 1000);
    assert_int_equal(hf_device_deadline(device), INT64_MAX);
    assert_int_equal(hf_device_receive(device, 1000, in, 8), 0);
    probe->error = 0;
    send_numbered(1, 1000);
    hf_device_timeouts(device, 2000);
    assert_int_equal(probe->n_sent, 1);
    send_numbered(1, 2000);
    probe->error = -ENODEV;
    hf_device_timeouts(device, 3000);
    assert_int_equal(hf_device_receive(device, 3000, in, 8), -ENODEV);
    assert_int_equal(hf_device_deadline(device), INT64_MAX);
    assert_int_equal(hf_device_impaired_counts(device, &counts), 0);
    assert_int_equal(counts.lost, 41);
    assert_int_equal(counts.passed, 1);
    unwrap();
}

static void the_longest_delay_and_jitter_are_for_ever(void **state)
{
    (void)state;
    struct hf_impairment how = {
        .struct_size = sizeof how, .delay_ns = UINT64_MAX, .jitter_ns = UINT64_MAX};
    wrap(&how, HF_LINK_IP);
    send_numbered(20, 1000);
    hf_device_timeouts(device, INT64_MAX / 8);
    assert_int_equal(probe->n_sent, 0);
    assert_in_range(hf_device_deadline(device), INT64_MAX / 8, INT64_MAX - 1);
    unwrap();
}

static void a_chance_over_a_million_is_refused(void **state)
{
    (void)state;
    struct hf_impairment how = {.struct_size = sizeof how, .lose = 1000001};
    char error[HF_ERROR_TEXT] = "";
    probe = new_probe(HF_LINK_IP);
    assert_true(hf_device_impaired(&device, probe->device, &how, error) < 0);
    assert_true(probe->closed && error[0] != 0);
    free_probe(probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_impairments_all_passes_cut_and_summed),
        cmocka_unit_test(what_comes_in_is_cut_and_summed_too),
        cmocka_unit_test(the_same_seed_has_the_same_fate_and_another_seed_another),
        cmocka_unit_test(one_direction_does_not_change_the_fate_of_the_other),
        cmocka_unit_test(counts_add_up),
        cmocka_unit_test(a_function_may_choose_the_frames_that_are_lost),
        cmocka_unit_test(delay_holds_frames_until_their_time_and_keeps_their_order),
        cmocka_unit_test(a_frame_held_back_passes_after_later_ones_or_after_its_time),
        cmocka_unit_test(corruption_flips_one_bit_behind_the_link_header),
        cmocka_unit_test(impairments_may_be_of_one_direction_only),
        cmocka_unit_test(a_full_inner_device_gets_the_rest_later_in_order),
        cmocka_unit_test(what_the_inner_device_has_an_error_for_is_lost_and_told_when_it_is_gone),
        cmocka_unit_test(the_longest_delay_and_jitter_are_for_ever),
        cmocka_unit_test(a_chance_over_a_million_is_refused),
    };
    return cmocka_run_group_tests_name("impaired", tests, NULL, NULL);
}
