/* The oracle over a capture accuses nobody who keeps to RFC 9293 (capture.h).  What it finds, and
 * all else that it lets pass, is in test/system/judge.py.
 */
#include "base/bytes.h"
#include "handfast/capture.h"
#include "trace/play.h"

enum { A, B, RAW_IP = 101, COOKED = 113, MOST = 1100 };

static struct hf_capture_judge *judge;
static int64_t now_ms;
static uint32_t findings;
static const char *rule;

static void found(void *arg, const struct hf_finding *finding)
{
    (void)arg;
    findings++;
    rule = finding->violation.rule;
}

static void begins(void)
{
    const struct hf_capture_config config = {.struct_size = sizeof config, .found = found};
    judge = hf_capture_judge_new(&config);
    assert_non_null(judge);
    now_ms = 1000000;
    findings = 0;
}

static void ends_with(uint32_t expected)
{
    struct hf_capture_counts counts = {.struct_size = sizeof counts};
    hf_capture_judge_end(judge, &counts);
    hf_capture_judge_free(judge);
    assert_int_equal(findings, expected);
    assert_int_equal(counts.findings, expected);
    assert_int_equal(counts.other, 0);
}

/* link: octets before the IP header; A's numbers begin at 1000, B's at 5000. */
static void passes_link(uint32_t linktype, const uint8_t *link, uint32_t link_bytes, int who,
                        uint16_t ctl, uint32_t seq, uint32_t ack, uint32_t text)
{
    uint8_t frame[MOST] = {0}, *ip = frame + link_bytes, *tcp = ip + 20;
    if (link_bytes > 0) {
        memcpy(frame, link, link_bytes);
    }
    ip[0] = 0x45;
    put_be16(ip + 2, (uint16_t)(40 + text));
    ip[8] = 64;
    ip[9] = 6;
    put_be32(ip + 12, who == A ? 0x0a000001 : 0x0a000002);
    put_be32(ip + 16, who == A ? 0x0a000002 : 0x0a000001);
    put_be16(tcp, who == A ? 4000 : 80);
    put_be16(tcp + 2, who == A ? 80 : 4000);
    put_be32(tcp + 4, (who == A ? 1000 : 5000) + seq);
    put_be32(tcp + 8, (who == A ? 5000 : 1000) + ack);
    tcp[12] = 5 << 4;
    tcp[13] = (uint8_t)ctl;
    put_be16(tcp + 14, 1000);
    uint32_t len = link_bytes + 40 + text;
    now_ms++;
    assert_int_equal(hf_capture_judge_packet(judge, now_ms * 1000000, linktype, frame, len, len),
                     HF_OK);
}

static void passes(int who, uint16_t ctl, uint32_t seq, uint32_t ack, uint32_t text)
{
    passes_link(RAW_IP, NULL, 0, who, ctl, seq, ack, text);
}

static void opens(void)
{
    begins();
    passes(A, SYN, 0, 0, 0);
    passes(B, SYN | ACK, 0, 1, 0);
    passes(A, ACK, 1, 1, 0);
}

/* RFC 9293 3.5 Figures 9 and 10, RFC 5961 4. */
static void an_old_connection_may_answer_a_syn(void **state)
{
    (void)state;
    for (uint32_t text = 0; text <= 10; text += 10) {
        begins();
        passes(A, SYN, 0, 0, 0);
        passes(B, ACK, 300, 0u - 100, text);
        passes(A, RST, 0u - 100, 0, 0);
        passes(A, SYN, 0, 0, 0);
        passes(B, SYN | ACK, 900, 1, 0);
        ends_with(0);
    }
    opens(); /* a forged SYN */
    passes(A, SYN, 70000, 0, 0);
    passes(B, ACK, 1, 1, 0);
    passes(A, ACK, 1, 1, 10);
    passes(B, ACK, 1, 11, 0);
    ends_with(0);
}

/* RFC 9293 3.5 Figure 8. */
static void an_old_syn_may_be_answered_but_not_opened(void **state)
{
    (void)state;
    for (int accepted = 0; accepted <= 1; accepted++) {
        begins();
        passes(A, SYN, 0, 0, 0);
        passes(B, SYN | ACK, 0, 2, 0);
        passes(A, accepted ? ACK : RST, accepted ? 1 : 2, 1, 0);
        ends_with(accepted ? 1 : 0);
    }
    assert_string_equal(rule, hf_rule_id(HF_RULE_SYN_FORM));
}

/* RFC 6298 2.5: at most 60 s, or more. */
static void a_timeout_may_stand_at_its_limit(void **state)
{
    (void)state;
    static const int waits_ms[] = {0, 3200, 6400, 12800, 25600, 51200, 60000, 60000};
    opens();
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        now_ms += waits_ms[i];
        passes(A, ACK, 1, 1, 10);
    }
    ends_with(0);
}

/* RFC 9293 3.8.4. */
static void a_keep_alive_behind_a_fin_has_the_number_of_the_fin(void **state)
{
    (void)state;
    for (uint32_t text = 1; text <= 2; text++) {
        opens();
        passes(A, FIN | ACK, 1, 1, 0);
        passes(B, ACK, 1, 2, 0);
        now_ms += 3600000;
        passes(A, ACK, 1, 1, text);
        ends_with(text == 2);
    }
    assert_string_equal(rule, hf_rule_id(HF_RULE_FIN));
}

static void no_fin_is_told_where_packets_are_missing(void **state)
{
    (void)state;
    opens();
    passes(A, FIN | ACK, 1, 1, 0);
    passes(B, FIN | ACK, 1, 2, 0);
    passes(A, ACK, 2, 2, 0);
    passes(A, ACK, 3000, 4000, 10);
    passes(B, ACK, 4000, 3010, 10);
    ends_with(0);
}

static void what_is_captured_several_times_is_one(void **state)
{
    (void)state;
    opens();
    now_ms += 20;
    for (int i = 0; i < 5; i++) {
        passes(A, ACK, 1, 1, 0);
    }
    ends_with(0);
}

static void a_cooked_capture_may_have_vlan_tags(void **state)
{
    (void)state;
    static const uint8_t link[20] = {[14] = 0x81, 0, 0, 5, 8, 0};
    begins();
    passes_link(COOKED, link, sizeof link, A, SYN, 0, 0, 0);
    ends_with(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_connection_may_answer_a_syn),
        cmocka_unit_test(an_old_syn_may_be_answered_but_not_opened),
        cmocka_unit_test(a_timeout_may_stand_at_its_limit),
        cmocka_unit_test(a_keep_alive_behind_a_fin_has_the_number_of_the_fin),
        cmocka_unit_test(no_fin_is_told_where_packets_are_missing),
        cmocka_unit_test(what_is_captured_several_times_is_one),
        cmocka_unit_test(a_cooked_capture_may_have_vlan_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
