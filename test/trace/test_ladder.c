/* The ladder as text: the figures of RFC 9293 sections 3.5 and 3.6, with the figures' numbers. */
#include <stdio.h>

#include "trace/play.h"

static struct played p;

#define HEAD                                                                                       \
    "  seconds Handfast 192.0.2.1:40000                                              "             \
    "198.51.100.2:80 peer\n"

static struct hf_ladder *begin(enum hf_state state)
{
    struct hf_ladder_style style = {.struct_size = sizeof style,
                                    .absolute = true,
                                    .brief = true,
                                    .keep = true,
                                    .write = collect,
                                    .write_arg = &p};
    memset(&p, 0, sizeof p);
    struct hf_ladder *ladder = hf_ladder_new(&style);
    assert_non_null(ladder);
    play(&p, hf_ladder_trace, ladder, state);
    return ladder;
}

/* Numbers are relative, lines not brief. */
static struct hf_ladder *begin_relative(enum hf_state state)
{
    struct hf_ladder_style style = {.struct_size = sizeof style, .write = collect, .write_arg = &p};
    memset(&p, 0, sizeof p);
    struct hf_ladder *ladder = hf_ladder_new(&style);
    assert_non_null(ladder);
    play(&p, hf_ladder_trace, ladder, state);
    return ladder;
}

/* Lines as short as the page allows. */
static void check_lines(void)
{
    size_t column = 0;
    for (size_t i = 0; i < p.len; i++) {
        column = p.text[i] == '\n' ? 0 : column + 1;
        assert_true(column <= 100);
    }
}

static void expect(struct hf_ladder *ladder, const char *text)
{
    check_lines();
    assert_string_equal(p.text, text);
    hf_ladder_free(ladder);
}

static void expect_peer(const struct hf_ladder *ladder, int presumed, int proved)
{
    int seen_proved;
    assert_int_equal(hf_ladder_peer_state(ladder, &seen_proved), presumed);
    assert_int_equal(seen_proved, proved);
}

static void figure_6_the_basic_handshake(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_CLOSED);
    expect_peer(ladder, -1, -1);
    calls(&p, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
    sends(&p, SYN, 100, HF_SYN_SENT, .mss = 1460, .wscale = 7,
          .options = HF_OPT_MSS | HF_OPT_WSCALE | HF_OPT_SACK_OK | HF_OPT_TS);
    expect_peer(ladder, HF_SYN_RECEIVED, -1);
    at_ms(&p, 1);
    gets(&p, SYN | ACK, 300, HF_ESTABLISHED, .ack = 101, .mss = 536, .options = HF_OPT_MSS,
         .verdict = HF_V_SYN_ACK_ACCEPTED);
    expect_peer(ladder, HF_SYN_RECEIVED, HF_SYN_RECEIVED);
    sends(&p, ACK, 101, HF_ESTABLISHED, .ack = 301);
    expect_peer(ladder, HF_ESTABLISHED, HF_SYN_RECEIVED);
    sends(&p, ACK | PSH, 101, HF_ESTABLISHED, .ack = 301, .text = 10);
    at_ms(&p, 2);
    gets(&p, ACK, 301, HF_ESTABLISHED, .ack = 111);
    expect_peer(ladder, HF_ESTABLISHED, HF_ESTABLISHED);
    expect(ladder, HEAD
           " 0.000000 CLOSED\n"
           " 0.000000 SYN-SENT         (active OPEN)\n"
           " 0.000000 SYN-SENT     --> <SEQ=100><CTL=SYN>                                    --> "
           "(SYN-RECEIVED?)\n"
           "                           ISS 100, window 65535, MSS 1460, scale 7, SACK, "
           "timestamps\n"
           " 0.001000 ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK>                       <-- "
           "(SYN-RECEIVED)\n"
           "                           IRS 300, window 65535, MSS 536\n"
           " 0.001000 ESTABLISHED  --> <SEQ=101><ACK=301><CTL=ACK>                           --> "
           "(ESTABLISHED?)\n"
           " 0.001000 ESTABLISHED  --> <SEQ=101><ACK=301><CTL=PSH,ACK><DATA=10>              --> "
           "(ESTABLISHED?)\n"
           " 0.002000 ESTABLISHED  <-- <SEQ=301><ACK=111><CTL=ACK>                           <-- "
           "(ESTABLISHED)\n");
}

static void figure_6_as_the_other_side_sees_it(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_LISTEN);
    p.iss = 300;
    p.irs = 100;
    p.handle = 0; /* a half-open connection has none */
    gets(&p, SYN, 100, HF_SYN_RECEIVED, .verdict = HF_V_HANDSHAKE);
    expect_peer(ladder, HF_SYN_SENT, HF_SYN_SENT);
    sends(&p, SYN | ACK, 300, HF_SYN_RECEIVED, .ack = 101);
    expect_peer(ladder, HF_ESTABLISHED, HF_SYN_SENT);
    at_ms(&p, 1);
    p.handle = 9;
    gets(&p, ACK, 101, HF_ESTABLISHED, .ack = 301);
    expect_peer(ladder, HF_ESTABLISHED, HF_ESTABLISHED);
    expect(ladder, HEAD
           " 0.000000 LISTEN\n"
           " 0.000000 SYN-RECEIVED <-- <SEQ=100><CTL=SYN>                                    <-- "
           "(SYN-SENT)\n"
           "                           IRS 100, window 65535\n"
           " 0.000000 SYN-RECEIVED --> <SEQ=300><ACK=101><CTL=SYN,ACK>                       --> "
           "(ESTABLISHED?)\n"
           "                           ISS 300, window 65535\n"
           " 0.001000 ESTABLISHED  <-- <SEQ=101><ACK=301><CTL=ACK>                           <-- "
           "(ESTABLISHED)\n");
}

static void figure_7_simultaneous_open(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_CLOSED);
    calls(&p, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
    sends(&p, SYN, 100, HF_SYN_SENT);
    gets(&p, SYN, 300, HF_SYN_RECEIVED, .verdict = HF_V_SIMULTANEOUS_OPEN);
    expect_peer(ladder, HF_SYN_RECEIVED, HF_SYN_SENT);
    sends(&p, SYN | ACK, 100, HF_SYN_RECEIVED, .ack = 301);
    gets(&p, SYN | ACK, 300, HF_ESTABLISHED, .ack = 101);
    expect_peer(ladder, HF_ESTABLISHED, HF_SYN_RECEIVED);
    sends(&p, ACK, 101, HF_ESTABLISHED, .ack = 301);
    expect(ladder, HEAD
           " 0.000000 CLOSED\n"
           " 0.000000 SYN-SENT         (active OPEN)\n"
           " 0.000000 SYN-SENT     --> <SEQ=100><CTL=SYN>                                    --> "
           "(SYN-RECEIVED?)\n"
           "                           ISS 100, window 65535\n"
           " 0.000000 SYN-RECEIVED <-- <SEQ=300><CTL=SYN>                                    <-- "
           "(SYN-SENT)\n"
           "                           IRS 300, window 65535; both sides sent a SYN (RFC 9293 3.5, "
           "Figure 7)\n"
           " 0.000000 SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK>                       --> "
           "(ESTABLISHED?)\n"
           " 0.000000 ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK>                       <-- "
           "(SYN-RECEIVED)\n"
           " 0.000000 ESTABLISHED  --> <SEQ=101><ACK=301><CTL=ACK>                           --> "
           "(ESTABLISHED?)\n");
}

static void figure_12_normal_close(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_ESTABLISHED);
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 100);
    calls(&p, HF_CALL_CLOSE, HF_FIN_WAIT_1);
    sends(&p, FIN | ACK, 100, HF_FIN_WAIT_1, .ack = 300);
    expect_peer(ladder, HF_CLOSE_WAIT, HF_ESTABLISHED);
    gets(&p, ACK, 300, HF_FIN_WAIT_2, .ack = 101);
    expect_peer(ladder, HF_CLOSE_WAIT, HF_CLOSE_WAIT);
    gets(&p, FIN | ACK, 300, HF_TIME_WAIT, .ack = 101);
    expect_peer(ladder, HF_LAST_ACK, HF_LAST_ACK);
    sends(&p, ACK, 101, HF_TIME_WAIT, .ack = 301);
    expect_peer(ladder, HF_CLOSED, HF_LAST_ACK);
    at_ms(&p, 120000);
    timer(&p, HF_TIMER_TIME_WAIT, HF_CLOSED);
    hf_ladder_end(ladder, NULL);
    expect(ladder, HEAD
           " 0.000000 ESTABLISHED\n"
           " 0.000000 ESTABLISHED  <-- <SEQ=300><ACK=100><CTL=ACK>                           <-- "
           "(ESTABLISHED)\n"
           " 0.000000 FIN-WAIT-1       (CLOSE)\n"
           " 0.000000 FIN-WAIT-1   --> <SEQ=100><ACK=300><CTL=FIN,ACK>                       --> "
           "(CLOSE-WAIT?)\n"
           " 0.000000 FIN-WAIT-2   <-- <SEQ=300><ACK=101><CTL=ACK>                           <-- "
           "(CLOSE-WAIT)\n"
           " 0.000000 TIME-WAIT    <-- <SEQ=300><ACK=101><CTL=FIN,ACK>                       <-- "
           "(LAST-ACK)\n"
           " 0.000000 TIME-WAIT    --> <SEQ=101><ACK=301><CTL=ACK>                           --> "
           "(CLOSED?)\n"
           "  120.000 CLOSED           (2MSL timeout)\n"
           "  120.000                  closed in order: this side closed first, and 2MSL are over"
           "\n");
}

static void figure_12_as_the_other_side_sees_it(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_ESTABLISHED);
    p.iss = 299;
    p.irs = 99;
    p.rcv_nxt = 100;
    gets(&p, FIN | ACK, 100, HF_CLOSE_WAIT, .ack = 300);
    expect_peer(ladder, HF_FIN_WAIT_1, HF_FIN_WAIT_1);
    sends(&p, ACK, 300, HF_CLOSE_WAIT, .ack = 101);
    expect_peer(ladder, HF_FIN_WAIT_2, HF_FIN_WAIT_1);
    sends(&p, ACK, 300, HF_CLOSE_WAIT, .ack = 101, .text = 5);
    gets(&p, ACK, 101, HF_CLOSE_WAIT, .ack = 305);
    expect_peer(ladder, HF_FIN_WAIT_2, HF_FIN_WAIT_2);
    calls(&p, HF_CALL_CLOSE, HF_LAST_ACK);
    sends(&p, FIN | ACK, 305, HF_LAST_ACK, .ack = 101);
    expect_peer(ladder, HF_TIME_WAIT, HF_FIN_WAIT_2);
    gets(&p, ACK, 101, HF_CLOSED, .ack = 306);
    expect_peer(ladder, HF_TIME_WAIT, HF_TIME_WAIT);
    hf_ladder_end(ladder, NULL);
    expect(ladder, HEAD
           " 0.000000 ESTABLISHED\n"
           " 0.000000 CLOSE-WAIT   <-- <SEQ=100><ACK=300><CTL=FIN,ACK>                       <-- "
           "(FIN-WAIT-1)\n"
           " 0.000000 CLOSE-WAIT   --> <SEQ=300><ACK=101><CTL=ACK>                           --> "
           "(FIN-WAIT-2?)\n"
           " 0.000000 CLOSE-WAIT   --> <SEQ=300><ACK=101><CTL=ACK><DATA=5>                   --> "
           "(FIN-WAIT-2?)\n"
           " 0.000000 CLOSE-WAIT   <-- <SEQ=101><ACK=305><CTL=ACK>                           <-- "
           "(FIN-WAIT-2)\n"
           " 0.000000 LAST-ACK         (CLOSE)\n"
           " 0.000000 LAST-ACK     --> <SEQ=305><ACK=101><CTL=FIN,ACK>                       --> "
           "(TIME-WAIT?)\n"
           " 0.000000 CLOSED       <-- <SEQ=101><ACK=306><CTL=ACK>                           <-- "
           "(TIME-WAIT)\n"
           " 0.000000                  closed in order: the peer closed first, and our FIN is "
           "acknowledged\n");
}

static void figure_13_simultaneous_close(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_ESTABLISHED);
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 100);
    calls(&p, HF_CALL_CLOSE, HF_FIN_WAIT_1);
    sends(&p, FIN | ACK, 100, HF_FIN_WAIT_1, .ack = 300);
    gets(&p, FIN | ACK, 300, HF_CLOSING, .ack = 100);
    expect_peer(ladder, HF_CLOSING, HF_FIN_WAIT_1);
    sends(&p, ACK, 101, HF_CLOSING, .ack = 301);
    expect_peer(ladder, HF_TIME_WAIT, HF_FIN_WAIT_1);
    gets(&p, ACK, 301, HF_TIME_WAIT, .ack = 101);
    expect_peer(ladder, HF_TIME_WAIT, HF_CLOSING);
    at_ms(&p, 60000);
    timer(&p, HF_TIMER_TIME_WAIT, HF_CLOSED);
    hf_ladder_end(ladder, NULL);
    expect(
        ladder, HEAD
        " 0.000000 ESTABLISHED\n"
        " 0.000000 ESTABLISHED  <-- <SEQ=300><ACK=100><CTL=ACK>                           <-- "
        "(ESTABLISHED)\n"
        " 0.000000 FIN-WAIT-1       (CLOSE)\n"
        " 0.000000 FIN-WAIT-1   --> <SEQ=100><ACK=300><CTL=FIN,ACK>                       --> "
        "(CLOSE-WAIT?)\n"
        " 0.000000 CLOSING      <-- <SEQ=300><ACK=100><CTL=FIN,ACK>                       <-- "
        "(FIN-WAIT-1)\n"
        " 0.000000 CLOSING      --> <SEQ=101><ACK=301><CTL=ACK>                           --> "
        "(TIME-WAIT?)\n"
        " 0.000000 TIME-WAIT    <-- <SEQ=301><ACK=101><CTL=ACK>                           <-- "
        "(CLOSING)\n"
        "60.000000 CLOSED           (2MSL timeout)\n"
        "60.000000                  closed in order: both sides closed at once, and 2MSL are over"
        "\n");
}

static void a_lost_third_ack_shows_as_the_peer_repeating_its_syn_ack(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_CLOSED);
    sends(&p, SYN, 100, HF_SYN_SENT);
    gets(&p, SYN | ACK, 300, HF_ESTABLISHED, .ack = 101, .verdict = HF_V_SYN_ACK_ACCEPTED);
    sends(&p, ACK, 101, HF_ESTABLISHED, .ack = 301);
    expect_peer(ladder, HF_ESTABLISHED, HF_SYN_RECEIVED);
    at_ms(&p, 1000);
    gets(&p, SYN | ACK, 300, HF_ESTABLISHED, .ack = 101, .verdict = HF_V_DROP_OLD_DUPLICATE);
    expect_peer(ladder, HF_SYN_RECEIVED, HF_SYN_RECEIVED);
    sends(&p, ACK, 101, HF_ESTABLISHED, .ack = 301);
    expect_peer(ladder, HF_ESTABLISHED, HF_SYN_RECEIVED);
    expect(ladder, HEAD
           " 0.000000 CLOSED\n"
           " 0.000000 SYN-SENT     --> <SEQ=100><CTL=SYN>                                    --> "
           "(SYN-RECEIVED?)\n"
           "                           ISS 100, window 65535\n"
           " 0.000000 ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK>                       <-- "
           "(SYN-RECEIVED)\n"
           "                           IRS 300, window 65535\n"
           " 0.000000 ESTABLISHED  --> <SEQ=101><ACK=301><CTL=ACK>                           --> "
           "(ESTABLISHED?)\n"
           " 1.000000 ESTABLISHED  x-- <SEQ=300><ACK=101><CTL=SYN,ACK> repeat                <-- "
           "(SYN-RECEIVED)\n"
           "                           wholly received before (RFC 9293 3.10.7.4 first)\n"
           " 1.000000 ESTABLISHED  --> <SEQ=101><ACK=301><CTL=ACK>                           --> "
           "(ESTABLISHED?)\n");
}

static void repeats_timeouts_and_known_losses_are_marked(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_CLOSED);
    calls(&p, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
    sends(&p, SYN, 100, HF_SYN_SENT);
    struct hf_packet lost = packet_of(&p, true, SYN, 100, 0, 0);
    hf_ladder_lost(ladder, p.now_ns, &lost);
    expect_peer(ladder, -1, -1);
    at_ms(&p, 1000);
    timer(&p, HF_TIMER_RTO, HF_SYN_SENT);
    sends(&p, SYN, 100, HF_SYN_SENT, .marks = HF_MARK_REPEAT);
    lost = packet_of(&p, false, SYN | ACK, 300, 101, 0);
    hf_ladder_lost(ladder, p.now_ns, &lost);
    expect_peer(ladder, HF_SYN_RECEIVED, HF_SYN_RECEIVED);
    at_ms(&p, 2000);
    gets(&p, SYN | ACK, 300, HF_ESTABLISHED, .ack = 101, .verdict = HF_V_SYN_ACK_ACCEPTED);
    static const char until_loss[] = HEAD " 0.000000 CLOSED\n"
                                          " 0.000000 SYN-SENT         (active OPEN)\n";
    static const char after_loss[] =
        " 1.000000 SYN-SENT         (retransmission timeout, 1000 ms)\n"
        " 1.000000 SYN-SENT     --> <SEQ=100><CTL=SYN> repeat                             --> "
        "(SYN-RECEIVED?)\n"
        " 1.000000                X <SEQ=300><ACK=101><CTL=SYN,ACK>                       <-- "
        "(SYN-RECEIVED)\n"
        "                           IRS 300, window 65535\n"
        " 2.000000 ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK> repeat                <-- "
        "(SYN-RECEIVED)\n";
    static const char live[] =
        " 0.000000 SYN-SENT     --> <SEQ=100><CTL=SYN>                                    "
        "--> (SYN-RECEIVED?)\n"
        "                           ISS 100, window 65535\n"
        " 0.000000                  lost on its way: <SEQ=100><CTL=SYN>\n";
    static const char again[] =
        " 0.000000 SYN-SENT     --> <SEQ=100><CTL=SYN>                                    "
        "X\n"
        "                           ISS 100, window 65535\n";
    char whole[4096];
    snprintf(whole, sizeof whole, "%s%s%s", until_loss, live, after_loss);
    assert_string_equal(p.text, whole);
    p.len = 0; /* drawn again, it is known from the start */
    hf_ladder_text(ladder, false, collect, &p);
    snprintf(whole, sizeof whole, "%s%s%s", until_loss, again, after_loss);
    expect(ladder, whole);
}

static void long_runs_of_data_are_folded(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_ESTABLISHED);
    for (uint32_t i = 0; i < 2000; i++) {
        sends(&p, ACK, 100 + i * 1000, HF_ESTABLISHED, .ack = 300, .text = 1000,
              .marks = i % 1000 == 999 ? HF_MARK_REPEAT : 0);
        p.now_ns += 1000000;
        gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 100 + i * 1000 + 1000);
    }
    calls(&p, HF_CALL_CLOSE, HF_FIN_WAIT_1);
    expect(ladder, HEAD
           " 0.000000 ESTABLISHED\n"
           " 0.000000 ESTABLISHED  --> <SEQ=100><ACK=300><CTL=ACK><DATA=1000>                -->\n"
           " 0.001000 ESTABLISHED  <-- <SEQ=300><ACK=1100><CTL=ACK>                          <-- "
           "(ESTABLISHED)\n"
           " 0.001000 ESTABLISHED  --> <SEQ=1100><ACK=300><CTL=ACK><DATA=1000>               --> "
           "(ESTABLISHED)\n"
           " 0.002000 ESTABLISHED  <-- <SEQ=300><ACK=2100><CTL=ACK>                          <-- "
           "(ESTABLISHED)\n"
           " 0.002000 ESTABLISHED  --> <SEQ=2100><ACK=300><CTL=ACK><DATA=1000>               --> "
           "(ESTABLISHED)\n"
           " 0.003000 ESTABLISHED  <-- <SEQ=300><ACK=3100><CTL=ACK>                          <-- "
           "(ESTABLISHED)\n"
           " 0.003000 ESTABLISHED  --> <SEQ=3100><ACK=300><CTL=ACK><DATA=1000>               --> "
           "(ESTABLISHED)\n"
           " 0.004000 ESTABLISHED  <-- <SEQ=300><ACK=4100><CTL=ACK>                          <-- "
           "(ESTABLISHED)\n"
           " 0.004000 ESTABLISHED  --> <SEQ=4100><ACK=300><CTL=ACK><DATA=1000>               --> "
           "(ESTABLISHED)\n"
           " 0.005000                  ... out: 1,995 segments, 1,995,000 octets, 2 repeated; in: "
           "1,996\n"
           "                           segments; 1.995000 s ...\n"
           " 2.000000 FIN-WAIT-1       (CLOSE)\n");
}

static void what_ended_the_connection_stands_in_the_last_line(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_CLOSED);
    sends(&p, SYN, 100, HF_SYN_SENT);
    gets(&p, RST | ACK, 0, HF_CLOSED, .ack = 101, .verdict = HF_V_RST_REFUSED);
    expect_peer(ladder, HF_CLOSED, HF_CLOSED);
    hf_ladder_end(ladder, NULL);
    assert_non_null(strstr(p.text, "closed: connection refused (RFC 9293 3.10.7.3 second)\n"));
    hf_ladder_free(ladder);

    ladder = begin(HF_ESTABLISHED);
    calls(&p, HF_CALL_ABORT, HF_CLOSED);
    sends(&p, RST | ACK, 100, HF_CLOSED, .ack = 300);
    expect_peer(ladder, HF_CLOSED, -1);
    hf_ladder_end(ladder, NULL);
    assert_non_null(strstr(p.text, "closed by this side's ABORT in ESTABLISHED\n"));
    hf_ladder_free(ladder);

    ladder = begin(HF_SYN_SENT);
    ends(&p, HF_CAUSE_ICMP, HF_ERR_PORT_UNREACHABLE);
    hf_ladder_end(ladder, NULL);
    assert_non_null(strstr(p.text, "(ICMP error) port unreachable\n"));
    assert_non_null(strstr(p.text, "closed in SYN-SENT by the ICMP error: port unreachable\n"));
    hf_ladder_free(ladder);

    ladder = begin(HF_ESTABLISHED);
    ends(&p, HF_CAUSE_LISTENER_CLOSED, HF_ERR_ABORTED);
    hf_ladder_end(ladder, NULL);
    assert_non_null(strstr(p.text, "closed in ESTABLISHED by the close of its listener: "));
    hf_ladder_free(ladder);

    ladder = begin(HF_ESTABLISHED);
    timer(&p, HF_TIMER_USER_TIMEOUT, HF_CLOSED);
    hf_ladder_end(ladder, "the words of the caller");
    assert_non_null(strstr(p.text, " the words of the caller\n"));
    hf_ladder_free(ladder);
}

/* RFC 7413 4.1.1 */
static void a_syn_s_fast_open_option_is_told(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_CLOSED);
    sends(&p, SYN, 100, HF_SYN_SENT, .fast_open_kind = 34);
    gets(&p, SYN | ACK, 300, HF_ESTABLISHED, .ack = 101, .fast_open_kind = 254,
         .fast_open_bytes = 8);
    assert_non_null(strstr(p.text, "ISS 100, window 65535, asks for a Fast Open cookie\n"));
    assert_non_null(strstr(p.text, "IRS 300, window 65535, Fast Open cookie of 8 octets\n"));
    hf_ladder_free(ladder);
}

static void sequence_numbers_are_relative_unless_asked_otherwise(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin_relative(HF_CLOSED);
    p.iss = 4000000000;
    sends(&p, SYN, 4000000000, HF_SYN_SENT);
    gets(&p, SYN | ACK, 300, HF_ESTABLISHED, .ack = 4000000001);
    sends(&p, ACK, 4000000001, HF_ESTABLISHED, .ack = 301, .text = 900000000);
    sends(&p, ACK, 605032705, HF_ESTABLISHED, .ack = 301, .text = 10);
    assert_non_null(strstr(p.text, "<SEQ=0><CTL=SYN> "));
    assert_non_null(strstr(p.text, "ISS 4000000000, "));
    assert_non_null(strstr(p.text, "<SEQ=0><ACK=1><CTL=SYN,ACK>"));
    assert_non_null(strstr(p.text, "<SEQ=1><ACK=1><CTL=ACK><DATA=900000000>"));
    assert_non_null(strstr(p.text, "<SEQ=900000001><ACK=1><CTL=ACK><DATA=10>"));
    assert_non_null(strstr(p.text, "(STATE): inferred"));
    check_lines();
    hf_ladder_free(ladder);
}

/* What came to nothing may have any number; it does not move those of what follows. */
static void forged_numbers_do_not_move_those_that_follow(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin_relative(HF_SYN_SENT);
    gets(&p, SYN | ACK, 7777, HF_SYN_SENT, .ack = 55, .verdict = HF_V_DROP_SYN_SENT_ACK);
    p.rcv_nxt = 0;
    gets(&p, SYN | ACK, 300, HF_ESTABLISHED, .ack = 101);
    for (uint32_t i = 1; i < 50; i++) {
        gets(&p, RST, 300 + i * 0x7fff0000, HF_ESTABLISHED, .verdict = HF_V_DROP_RST_OUT_OF_WINDOW);
        gets(&p, ACK, 301, HF_ESTABLISHED, .ack = 101 + i * 0x7fff0000,
             .verdict = HF_V_DROP_ACK_OF_UNSENT);
        sends(&p, RST, 101 + i * 0x7fff0000, HF_ESTABLISHED);
        struct hf_packet lost = packet_of(&p, false, ACK, i * 0x7fff0000, 101, 1);
        hf_ladder_lost(ladder, p.now_ns, &lost);
    }
    at_ms(&p, 1000);
    p.len = 0;
    gets(&p, ACK, 301, HF_ESTABLISHED, .ack = 101, .text = 10);
    sends(&p, ACK, 101, HF_ESTABLISHED, .ack = 311, .text = 5);
    assert_non_null(strstr(p.text, "<-- <SEQ=1><ACK=1><CTL=ACK><DATA=10> "));
    assert_non_null(strstr(p.text, "--> <SEQ=1><ACK=11><CTL=ACK><DATA=5> "));
    hf_ladder_free(ladder);
}

static void numbers_go_on_behind_a_fold_of_more_than_two_gigabytes(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin_relative(HF_ESTABLISHED);
    for (uint32_t i = 0; i < 100; i++) {
        sends(&p, ACK, 101 + i * 50000000, HF_ESTABLISHED, .ack = 301, .text = 50000000);
    }
    at_ms(&p, 1000);
    p.len = 0;
    sends(&p, ACK, (uint32_t)(101 + UINT64_C(5000000000)), HF_ESTABLISHED, .ack = 301, .text = 7);
    assert_non_null(strstr(p.text, "<SEQ=5000000001><ACK=1><CTL=ACK><DATA=7> "));
    hf_ladder_free(ladder);
}

static void what_waits_for_the_way_is_told_once(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_CLOSED);
    calls(&p, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
    waits(&p, HF_CAUSE_LINK_ADDRESS);
    waits(&p, HF_CAUSE_LINK_ADDRESS);
    at_ms(&p, 1000);
    timer(&p, HF_TIMER_RTO, HF_SYN_SENT);
    waits(&p, HF_CAUSE_LINK_ADDRESS);
    sends(&p, SYN, 100, HF_SYN_SENT);
    waits(&p, HF_CAUSE_NO_ROUTE);
    hf_ladder_end(ladder, NULL);
    assert_non_null(strstr(p.text, "not closed yet: SYN-SENT; there is no route now\n"));
    assert_non_null(strstr(p.text, " 0.000000 SYN-SENT         (active OPEN)\n"
                                   " 0.000000 SYN-SENT         (waits: the next hop's link address "
                                   "is asked for)\n"
                                   " 1.000000 SYN-SENT         (retransmission timeout, 1000 ms)\n"
                                   " 1.000000 SYN-SENT     --> <SEQ=100><CTL=SYN>"));
    hf_ladder_free(ladder);
}

static void a_forged_reset_does_not_change_what_is_known_of_the_peer(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_ESTABLISHED);
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 100);
    gets(&p, RST, 400, HF_ESTABLISHED, .verdict = HF_V_DROP_RST_CHALLENGED);
    expect_peer(ladder, HF_ESTABLISHED, HF_ESTABLISHED);
    gets(&p, FIN | ACK, 99000, HF_ESTABLISHED, .ack = 100, .verdict = HF_V_DROP_OUT_OF_WINDOW);
    expect_peer(ladder, HF_ESTABLISHED, HF_ESTABLISHED);
    hf_ladder_free(ladder);
}

static void a_forged_fin_closes_nothing_first(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_ESTABLISHED);
    gets(&p, FIN | ACK, 99000, HF_ESTABLISHED, .ack = 100, .verdict = HF_V_DROP_OUT_OF_WINDOW);
    calls(&p, HF_CALL_CLOSE, HF_FIN_WAIT_1);
    sends(&p, FIN | ACK, 100, HF_FIN_WAIT_1, .ack = 300);
    gets(&p, FIN | ACK, 99000, HF_FIN_WAIT_1, .ack = 100, .verdict = HF_V_DROP_OUT_OF_WINDOW);
    gets(&p, FIN | ACK, 300, HF_TIME_WAIT, .ack = 101);
    timer(&p, HF_TIMER_TIME_WAIT, HF_CLOSED);
    hf_ladder_end(ladder, NULL);
    assert_non_null(strstr(p.text, "in order: this side closed first, and 2MSL are over\n"));
    hf_ladder_free(ladder);
}

static void a_flood_makes_few_lines(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_ESTABLISHED);
    for (uint32_t i = 0; i < 100000; i++) {
        gets(&p, i & 1 ? RST : SYN, 400 + i, HF_ESTABLISHED,
             .verdict = i & 1 ? HF_V_DROP_RST_CHALLENGED : HF_V_DROP_SYN_CHALLENGED);
    }
    hf_ladder_flush(ladder);
    assert_true(p.len < 60000);
    assert_non_null(strstr(p.text, "of no use"));
    check_lines();
    hf_ladder_free(ladder);
}

static void colours_are_for_those_who_ask(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_CLOSED);
    sends(&p, SYN, 100, HF_SYN_SENT);
    assert_null(strchr(p.text, '\033'));
    p.len = 0;
    hf_ladder_text(ladder, true, collect, &p);
    assert_non_null(strstr(p.text, "\033[1mSYN-SENT\033[0m"));
    hf_ladder_free(ladder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figure_6_the_basic_handshake),
        cmocka_unit_test(figure_6_as_the_other_side_sees_it),
        cmocka_unit_test(figure_7_simultaneous_open),
        cmocka_unit_test(figure_12_normal_close),
        cmocka_unit_test(figure_12_as_the_other_side_sees_it),
        cmocka_unit_test(figure_13_simultaneous_close),
        cmocka_unit_test(a_lost_third_ack_shows_as_the_peer_repeating_its_syn_ack),
        cmocka_unit_test(repeats_timeouts_and_known_losses_are_marked),
        cmocka_unit_test(long_runs_of_data_are_folded),
        cmocka_unit_test(what_ended_the_connection_stands_in_the_last_line),
        cmocka_unit_test(a_syn_s_fast_open_option_is_told),
        cmocka_unit_test(sequence_numbers_are_relative_unless_asked_otherwise),
        cmocka_unit_test(forged_numbers_do_not_move_those_that_follow),
        cmocka_unit_test(numbers_go_on_behind_a_fold_of_more_than_two_gigabytes),
        cmocka_unit_test(what_waits_for_the_way_is_told_once),
        cmocka_unit_test(a_forged_reset_does_not_change_what_is_known_of_the_peer),
        cmocka_unit_test(a_forged_fin_closes_nothing_first),
        cmocka_unit_test(a_flood_makes_few_lines),
        cmocka_unit_test(colours_are_for_those_who_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
