/* Connections that a peer keeps and does not use: windows that stay closed (sockstress, RFC 6429),
 * and what an application has released meanwhile (Netkill), or does not read: the rows TX-13,
 * TX-14 and RX-13 of doc/attacks.csv, at their scale.
 *
 * ctest: timeout=600
 */
#include "attack/row.h"
#include "attack/siege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"

enum { SECOND = 1000, STRANGERS = 50000, PORTS = 40000 };

static struct siege siege;

/* Strangers with one octet sent and a window of none, and who of them owes an ACK to a probe. */
struct strangers {
    uint32_t n, sent; /* sent: octets and FIN                                                  */
    seq_t iss[STRANGERS];
    uint32_t owes[STRANGERS];
    uint32_t n_owes;
    uint64_t probes;
};
static struct strangers all;

static void ip_of(uint32_t n, uint8_t ip[16])
{
    memset(ip, 0, 16);
    ip[10] = ip[11] = 0xff;
    put_be32(ip + 12, 0x14000000 + n / PORTS);
}

static void says(struct siege *s, uint32_t n, uint16_t ctl, uint32_t at, uint32_t len)
{
    uint8_t ip[16];
    ip_of(n, ip);
    struct segment seg = {.seq = seq(n * 7919 + 1 + at),
                          .ack = seq_add(all.iss[n], 1),
                          .ctl = ctl,
                          .sport = (uint16_t)(1024 + n % PORTS),
                          .dport = SIEGE_PORT};
    siege_hit(s, ip, &seg, len);
}

static void notes_probe(struct siege *s, const struct wire_ip *ip, const struct segment *seg,
                        uint32_t len)
{
    (void)s;
    (void)len;
    if (seg == NULL || (seg->ctl & (SYN | RST)) || all.n_owes == STRANGERS)
        return;
    all.owes[all.n_owes++] = (get_be32(ip->dst + 12) - 0x14000000) * PORTS + seg->dport - 1024;
}

/* Whatever came is answered: the window stays closed. */
static void answers(struct siege *s)
{
    uint32_t n = all.n_owes;
    all.n_owes = 0;
    for (uint32_t i = 0; i < n; i++)
        says(s, all.owes[i], ACK, all.sent, 0);
    all.probes += n;
    siege_flush(s);
}

static void configure(struct siege *s, uint32_t n)
{
    memset(&all, 0, sizeof all);
    all.n = n;
    siege_config(s, n + 512);
    s->config.small_chunks = n + n / 4 + 4096;
    s->config.large_chunks = 64;
    s->backlog = UINT16_MAX;
}

/* Each sends an octet, which the server sends back and cannot, and with fin says that it has no
 * more: so the server releases it. */
static void they_come(struct siege *s, bool fin)
{
    for (uint32_t i = 0; i < all.n; i++) {
        assert_true(siege_stranger_connects(s, i));
        all.iss[i] = s->last_iss;
        says(s, i, fin ? FIN | ACK : ACK, 0, 1);
        siege_flush(s);
        siege_run(s, i % 100 == 99);
        siege_flush(s);
    }
    siege_run(s, 2);
    all.sent = fin ? 2 : 1;
    all.n_owes = 0;
    s->seen = notes_probe;
    s->attack = answers;
}

static uint64_t rounds_in_a_second(struct siege *s)
{
    uint64_t before = siege_sum(s).rounds;
    siege_run(s, SECOND);
    return siege_sum(s).rounds - before;
}

/* The flows go on as in the calm, and whoever comes is served. */
static void others_are_served(struct siege *s, uint64_t calm)
{
    uint32_t done = siege_sum(s).done;
    for (int i = 0; i < 100; i++)
        siege_open(s, 1);
    assert_true(rounds_in_a_second(s) * 10 >= calm * 9);
    assert_int_equal(siege_sum(s).done, done + 100);
    assert_int_equal(siege_sum(s).failed, 0);
}

/* TX-13: RFC 6429: probing goes on while it is answered, for all of them, and disturbs nobody; what
 * they hold is an octet each. */
static void windows_that_stay_closed_keep_their_octet_and_disturb_nobody(void **state)
{
    (void)state;
    struct siege *s = &siege;
    configure(s, row_unless_sanitized(STRANGERS, STRANGERS / 20));
    siege_begin_with_flows(s);
    uint64_t calm = rounds_in_a_second(s);
    they_come(s, false);
    others_are_served(s, calm);
    siege_rest(s, 600 * SECOND);
    struct hf_counters c = siege_counters(s);
    assert_int_equal(c.connections, all.n + SIEGE_FLOWS);
    assert_true(c.small_chunks <= all.n + 100 && c.large_chunks <= 16);
    assert_in_range(all.probes, 8 * (uint64_t)all.n, 30 * (uint64_t)all.n);
    others_are_served(s, calm);
    siege_end(s);
}

/* TX-13: and where the application has set a time, that ends them. */
static void a_user_timeout_ends_them(void **state)
{
    (void)state;
    struct siege *s = &siege;
    configure(s, row_unless_sanitized(STRANGERS, STRANGERS / 20));
    s->config.max_extras = all.n + 512;
    siege_begin_with_flows(s);
    assert_int_equal(hf_set_option(s->server, &s->server_env, s->listener, HF_USER_TIMEOUT, 20000),
                     HF_OK);
    they_come(s, false);
    siege_rest(s, 60 * SECOND);
    struct hf_counters c = siege_counters(s);
    assert_int_equal(c.connections, SIEGE_FLOWS);
    assert_true(c.small_chunks + c.large_chunks <= 2 * SIEGE_FLOWS);
    siege_end(s);
}

/* TX-14: what was released and waits for a closed window is reset at its first probe as long as
 * there are too many such connections; the rest has seven probes, answered or not, and all is back
 * within a minute. */
static void released_connections_are_limited_and_leave_within_a_minute(void **state)
{
    (void)state;
    struct siege *s = &siege;
    configure(s, row_unless_sanitized(20000, 20000 / 20));
    s->config.policy.max_orphans = all.n / 10;
    s->config.policy.orphan_probes = 7;
    siege_begin_with_flows(s);
    uint64_t calm = rounds_in_a_second(s);
    they_come(s, true);
    siege_run(s, 3 * SECOND);
    struct hf_counters c = siege_counters(s);
    assert_int_equal(c.orphans, all.n / 10);
    assert_int_equal(c.orphan_bytes, all.n / 10);
    assert_int_equal(c.verdict[HF_V_ORPHAN_RESET], all.n - all.n / 10);
    assert_int_equal(s->resets, all.n - all.n / 10);
    assert_int_equal(c.connections, SIEGE_FLOWS + all.n / 10);
    others_are_served(s, calm);
    siege_run(s, 60); /* the last of those have closed, too */
    s->attack = NULL;
    siege_rest(s, 60 * SECOND);
    c = siege_counters(s);
    assert_int_equal(c.orphans, 0);
    assert_int_equal(c.orphan_bytes, 0);
    assert_int_equal(c.connections, SIEGE_FLOWS);
    assert_true(c.small_chunks + c.large_chunks <= 2 * SIEGE_FLOWS);
    others_are_served(s, calm);
    siege_end(s);
}

/* RX-13: a server that reads nothing of theirs: what they fill their windows with leaves a quarter
 * of the payload memory, where what others send, and is read, has its place. */
static void windows_that_nobody_reads_leave_memory_for_those_that_are_read(void **state)
{
    (void)state;
    enum { MSS = 1460, WINDOW = 64240 };
    struct siege *s = &siege;
    configure(s, row_unless_sanitized(5000, 5000 / 20));
    s->config.small_chunks = 1024 + all.n * 5 / 4; /* one for each, as by default */
    s->config.large_chunks = 2 * all.n;
    siege_begin_with_flows(s);
    uint64_t calm = rounds_in_a_second(s);
    s->shy = true;
    for (uint32_t i = 0; i < all.n; i++) {
        assert_true(siege_stranger_connects(s, i));
        all.iss[i] = s->last_iss;
        siege_run(s, i % 100 == 99);
    }
    uint64_t before = siege_sum(s).rounds;
    uint32_t ms = 0;
    for (uint32_t at = 0; at + MSS <= WINDOW; at += MSS) {
        for (uint32_t i = 0; i < all.n; i++) {
            says(s, i, ACK, at, MSS);
            if (i % 500 == 499) {
                siege_run(s, 1);
                ms++;
            }
        }
    }
    struct hf_counters c = siege_counters(s);
    assert_in_range(c.large_chunks, s->config.large_chunks * 3 / 4,
                    s->config.large_chunks * 3 / 4 + 64);
    assert_in_range(c.small_chunks, all.n, s->config.small_chunks - 64);
    assert_true(c.verdict[HF_V_DROP_NO_MEMORY] > 0);
    assert_true((siege_sum(s).rounds - before) * SECOND >= calm * ms * 9 / 10);
    assert_true(rounds_in_a_second(s) * 10 >= calm * 9);
    assert_int_equal(siege_sum(s).failed, 0);
    siege_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_that_stay_closed_keep_their_octet_and_disturb_nobody),
        cmocka_unit_test(a_user_timeout_ends_them),
        cmocka_unit_test(windows_that_nobody_reads_leave_memory_for_those_that_are_read),
        cmocka_unit_test(released_connections_are_limited_and_leave_within_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
