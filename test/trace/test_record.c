/* The trace record as octets, and the names of what it holds (trace.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "handfast/trace.h"

static void every_octet_of_a_record_survives_put_and_get(void **state)
{
    (void)state;
    uint8_t in[HF_TRACE_BYTES], out[HF_TRACE_BYTES];
    for (unsigned i = 0; i < sizeof in; i++) {
        in[i] = (uint8_t)(i * 7 + 1);
    }
    in[0] = HF_TRACE_VERSION;
    in[1] = 0;
    struct hf_trace record;
    assert_int_equal(hf_trace_get(&record, in), 0);
    hf_trace_put(&record, out);
    assert_memory_equal(in, out, sizeof in);
}

static void numbers_are_little_endian_in_the_order_of_the_members(void **state)
{
    (void)state;
    struct hf_trace record = {.version = HF_TRACE_VERSION,
                              .kind = HF_TRACE_OUT,
                              .state_after = HF_TIME_WAIT,
                              .time_ns = -2,
                              .handle = 0x0102030405060708,
                              .local_port = 80,
                              .seq = 0xa1b2c3d4,
                              .error = -1,
                              .unread_bytes = 0x11223344,
                              .ecn = HF_CE,
                              .accecn = {1, 2, 0x00123456},
                              .fast_open_kind = 34,
                              .fast_open_bytes = 8};
    uint8_t out[HF_TRACE_BYTES];
    hf_trace_put(&record, out);
    static const uint8_t head[24] = {4,    0,    HF_TRACE_OUT,
                                     0,    0,    HF_TIME_WAIT,
                                     0,    0,    0xfe,
                                     0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff,
                                     0xff, 8,    7,
                                     6,    5,    4,
                                     3,    2,    1};
    assert_memory_equal(out, head, sizeof head);
    assert_memory_equal(out + 56, "\x50\0", 2);
    assert_memory_equal(out + 64, "\xd4\xc3\xb2\xa1", 4);
    assert_memory_equal(out + 136, "\xff\xff\xff\xff", 4);
    assert_memory_equal(out + 196, "\x44\x33\x22\x11\3\0", 6);
    assert_memory_equal(out + 212, "\x56\x34\x12\0\x22\x08", 6);
}

static void a_record_of_another_version_is_refused(void **state)
{
    (void)state;
    uint8_t in[HF_TRACE_BYTES] = {HF_TRACE_VERSION + 1};
    struct hf_trace record;
    assert_int_equal(hf_trace_get(&record, in), -1);
}

static void every_state_verdict_and_cause_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < HF_STATES; i++) {
        assert_string_not_equal(hf_state_name((enum hf_state)i), "unknown");
    }
    for (int i = 0; i < HF_CAUSES; i++) {
        assert_string_not_equal(hf_cause_name((enum hf_cause)i), "unknown");
    }
    for (int i = 0; i < HF_VERDICT_COUNT; i++) {
        assert_string_not_equal(hf_verdict_name((enum hf_verdict)i), "UNKNOWN");
        assert_true(strlen(hf_verdict_sentence((enum hf_verdict)i)) > 5);
        assert_true(strlen(hf_verdict_place((enum hf_verdict)i)) > 5);
    }
    assert_string_equal(hf_state_name(HF_SYN_RECEIVED), "SYN-RECEIVED");
    assert_string_equal(hf_verdict_name(HF_V_DROP_PAWS), "DROP_PAWS");
}

static void numbers_that_name_nothing_are_called_unknown(void **state)
{
    (void)state;
    assert_string_equal(hf_state_name((enum hf_state)200), "unknown");
    assert_string_equal(hf_cause_name((enum hf_cause)255), "unknown");
    assert_string_equal(hf_verdict_name((enum hf_verdict)65535), "UNKNOWN");
    assert_string_equal(hf_verdict_sentence((enum hf_verdict)65535), "unknown");
    assert_string_equal(hf_verdict_place((enum hf_verdict)65535), "nowhere");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_octet_of_a_record_survives_put_and_get),
        cmocka_unit_test(numbers_are_little_endian_in_the_order_of_the_members),
        cmocka_unit_test(a_record_of_another_version_is_refused),
        cmocka_unit_test(every_state_verdict_and_cause_has_a_name),
        cmocka_unit_test(numbers_that_name_nothing_are_called_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
