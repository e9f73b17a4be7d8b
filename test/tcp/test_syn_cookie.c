/* RFC 4987 section 3.6: SYN cookies. */
#include "common/peer.h"

#include <string.h>

enum { FLOOD = 20000, SLOT_MS = 60000 };

static struct hf_counters counters_of(struct peer *p)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    return counters;
}

/* A listener that keeps nothing. */
static void listens_with_cookies(struct peer *p)
{
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    listens();
}

/* The SYN that p->with describes, its cookie, and the ACK. */
static void opens_by_cookie(struct peer *p)
{
    struct seg_spec syn = p->with;
    syn.ctl = SYN;
    syn.seq = IRS;
    peer_sends(PEER_HERE(p), &syn);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .wnd = 65535);
    holds_equal(counters_of(p).half_open, 0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_silence();
    accepts();
    expects_state(HF_ESTABLISHED);
}

/* RFC4987-6, RFC4987-11, RFC4987-13 */
TEST(records_come_first_and_cookies_when_the_backlog_is_full)
{
    p->config.max_connections = 8;
    listens_with(1, false);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    holds_equal(counters_of(p).half_open, 1);
    holds_equal(peer_count(p, HF_V_COOKIE_SENT), 0);
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    holds_equal(counters_of(p).half_open, 1);
    holds_equal(counters_of(p).connections, 0);
    holds_equal(peer_count(p, HF_V_COOKIE_SENT), 1);
    after(2000); /* nobody repeats what nobody keeps */
    on(0);
    expects(SYN | ACK);
    expects_silence();
    on(1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_silence();
    accepts();
    expects_state(HF_ESTABLISHED);
    holds_equal(peer_count(p, HF_V_COOKIE_ACCEPTED), 1);
    on(0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    on(2);
    sends(SYN, .seq = IRS, .mss = 1460); /* there is room again */
    expects(SYN | ACK);
    holds_equal(counters_of(p).half_open, 1);
    holds_equal(peer_count(p, HF_V_COOKIE_SENT), 1);
}

TEST(cookies_are_sent_when_the_half_open_records_are_used_up)
{
    p->config.max_half_open = 1;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    holds_equal(peer_count(p, HF_V_COOKIE_SENT), 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
}

/* RFC4987-9 */
TEST(with_timestamps_a_cookie_keeps_every_window_scale_and_sack)
{
    p->config.max_connections = 64;
    listens_with_cookies(p);
    for (int scale = -1; scale <= 14; scale++) {
        for (int sack = 0; sack < 2; sack++) {
            on(0);
            new_incarnation(1000);
            p->c->peer_port = (uint16_t)(5000 + 2 * scale + sack);
            p->with = (struct seg_spec){.mss = 1460, .tsval = 77, .sackok = sack};
            p->with.wscale = scale < 0 ? 0 : SHIFT(scale);
            opens_by_cookie(p);
            int options = HF_OPT_TS | (sack ? HF_OPT_SACK_OK : 0) | (scale < 0 ? 0 : HF_OPT_WSCALE);
            holds_equal(status_of(options), options);
            holds_equal(status_of(snd_wscale), scale < 0 ? 0 : scale);
            holds_equal(status_of(rcv_wscale), scale < 0 ? 0 : 8);
            holds_equal(status_of(snd_wnd), (int64_t)65535 << (scale < 0 ? 0 : scale));
            aborts();
            expects(RST | ACK);
            releases();
        }
    }
}

/* RFC4987-9: rounded down, the window looks smaller than it is, never larger. */
TEST(without_timestamps_a_cookie_keeps_sack_and_a_window_scale_of_its_table)
{
    static const int kept[15] = {0, 0, 2, 2, 4, 4, 6, 7, 8, 8, 10, 10, 10, 10, 10};
    p->config.max_connections = 64;
    listens_with_cookies(p);
    for (int scale = -1; scale <= 14; scale++) {
        on(0);
        new_incarnation(1000);
        p->c->peer_port = (uint16_t)(5000 + scale);
        p->with = (struct seg_spec){.mss = 1460, .sackok = scale % 2 == 0};
        p->with.wscale = scale < 0 ? 0 : SHIFT(scale);
        opens_by_cookie(p);
        int options = (scale % 2 == 0 ? HF_OPT_SACK_OK : 0) | (scale < 0 ? 0 : HF_OPT_WSCALE);
        holds_equal(status_of(options), options);
        holds_equal(status_of(snd_wscale), scale < 0 ? 0 : kept[scale]);
        aborts();
        expects(RST | ACK);
        releases();
    }
}

TEST(the_mss_of_a_cookie_is_the_next_lower_one_of_its_table)
{
    static const int rows[][2] = {{1, 216},     {216, 216},   {536, 536},   {1219, 536},
                                  {1220, 1220}, {1380, 1300}, {1400, 1400}, {1440, 1440},
                                  {1459, 1440}, {1460, 1460}};
    p->config.max_connections = 64;
    listens_with_cookies(p);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        on(0);
        new_incarnation(1000);
        p->c->peer_port = (uint16_t)(5000 + i);
        p->with = (struct seg_spec){.mss = rows[i][0]};
        opens_by_cookie(p);
        holds_equal(status_of(snd_mss), rows[i][1]);
        aborts();
        expects(RST | ACK);
        releases();
    }
    new_incarnation(1000);
    p->c->peer_port = 6000;
    p->with = (struct seg_spec){0};
    opens_by_cookie(p);
    holds_equal(status_of(snd_mss), p->v6 ? 1220 : 536);
}

TEST(what_the_policy_does_not_offer_a_cookie_does_not_give)
{
    p->config.policy.timestamps = false;
    p->config.policy.sack = false;
    p->config.policy.window_scale = false;
    p->with = (struct seg_spec){.mss = 1460, .sackok = true, .wscale = SHIFT(7)};
    listens_with_cookies(p);
    opens_by_cookie(p);
    holds_equal(status_of(options), 0);
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .options = "mss 1460");
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .tsval = 5, .tsecr = 6); /* nobody asked */
    accepts();
    holds_equal(status_of(options), 0);
}

/* RFC4987-10 */
TEST(the_first_text_opens_the_connection_when_the_ack_was_lost)
{
    p->with = (struct seg_spec){.mss = 1460, .sackok = true, .tsval = 5, .wscale = SHIFT(3)};
    listens_with_cookies(p);
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true, .tsval = 5, .wscale = SHIFT(3));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 500);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 502);
    accepts();
    reads(500);
    reads_result(0);
    expects_state(HF_CLOSE_WAIT);
}

TEST(text_goes_both_ways_on_a_connection_that_a_cookie_opened)
{
    p->with = (struct seg_spec){.mss = 1460, .sackok = true, .tsval = 5, .wscale = SHIFT(3)};
    listens_with_cookies(p);
    opens_by_cookie(p);
    sends(ACK, .len = 1000);
    expects(ACK, .ack = IRS + 1001);
    reads(1000);
    writes(100);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1001, .len = 100);
    sends(ACK);
    closes();
    expects(FIN | ACK, .seq = ISS + 101);
    sends(FIN | ACK);
    expects(ACK);
    expects_state(HF_TIME_WAIT);
}

/* RFC4987-8, FL-05 */
TEST(a_cookie_with_any_bit_changed_is_reset)
{
    listens_with_cookies(p);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    for (int bit = 0; bit < 32; bit++) {
        uint32_t wrong = p->c->iss + 1;
        wrong ^= (uint32_t)1 << bit;
        sends(ACK, .seq = IRS + 1, .ack = wrong ? wrong : ZERO);
        expects(RST, .seq = wrong ? wrong : ZERO);
    }
    sends(ACK, .seq = IRS + 2, .ack = ISS + 1); /* another IRS */
    expects(RST, .seq = ISS + 1);
    holds_equal(peer_count(p, HF_V_DROP_COOKIE), 33);
    uint32_t iss = p->c->iss;
    on(1); /* another port */
    p->c->iss = iss;
    p->c->has_iss = true;
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
    on(0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
}

/* RFC4987-7, FL-05: slots of 60 s, this and the one before. */
TEST(a_cookie_is_good_in_its_slot_and_in_the_next_one)
{
    listens_with_cookies(p);
    after(SLOT_MS - 1000000 % SLOT_MS + 100); /* a slot has just begun */
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    after(2 * SLOT_MS - 300);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    after(2 * SLOT_MS - 100); /* the second slot has ended, cookies are still looked at */
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
    holds_equal(peer_count(p, HF_V_DROP_COOKIE), 1);
}

/* hf_env.now_ns: its zero is of no interest. */
TEST(a_cookie_is_good_although_the_clock_has_passed_its_zero)
{
    p->env.now_ns = p->began_ns = -10000000;
    listens_with_cookies(p);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    after(20);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
}

/* RFC4987-7 */
TEST(an_ack_is_no_cookie_when_none_was_sent_lately)
{
    p->env.now_ns = 1000000; /* lately is before the clock's begin */
    listens();
    sends(ACK, .seq = IRS + 1, .ack = 77);
    expects(RST, .seq = 77);
    holds_equal(peer_count(p, HF_V_DROP_LISTEN_ACK), 1);
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = 77);
    expects(RST, .seq = 77);
    holds_equal(peer_count(p, HF_V_DROP_COOKIE), 1);
    after(2 * SLOT_MS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
    holds_equal(peer_count(p, HF_V_DROP_COOKIE), 1);
    holds_equal(peer_count(p, HF_V_DROP_LISTEN_ACK), 2);
}

/* An echo of a time that no cookie had: RFC 7323 3.2. */
TEST(a_cookie_whose_timestamp_is_too_old_is_reset)
{
    listens_with_cookies(p);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 5);
    expects(SYN | ACK, .seq = ISS);
    uint32_t echo = p->c->ts_echo;
    uint32_t old = echo - 2 * SLOT_MS - 128;
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .tsval = 6, .tsecr = old ? old : 1);
    expects(RST, .seq = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .no_ts = true); /* it went with timestamps */
    expects(RST, .seq = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .tsval = 6, .tsecr = echo);
    accepts();
}

/* FL-07 */
TEST(a_reset_or_a_syn_ack_with_the_right_number_opens_nothing)
{
    listens_with_cookies(p);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    sends(RST | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_silence();
    sends(SYN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
    holds_equal(counters_of(p).connections, 0);
}

/* One SYN gets a cookie, which this is; then the flood ends, and another one gets a record. */
static struct peer_conn cookie_and_record(struct peer *p, uint32_t first_irs, uint32_t second_irs)
{
    listens_with_cookies(p);
    new_incarnation(first_irs);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    struct peer_conn with_cookie = *p->c;
    p->config.policy.syn_cookies = HF_COOKIES_FULL;
    calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
    after(1000);
    new_incarnation(second_irs);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    holds_equal(counters_of(p).half_open, 1);
    return with_cookie;
}

static void cookie_is_taken(struct peer *p)
{
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 11);
    accepts();
    reads(10);
    holds_equal(counters_of(p).connections, 1);
    holds_equal(counters_of(p).half_open, 0);
    after(5000);
    expects_silence();
}

/* FL-06: the flood ends between a SYN and its repetition: the peer answers the cookie that it got
 * first. */
TEST(a_cookie_is_taken_although_a_record_was_made_meanwhile)
{
    *p->c = cookie_and_record(p, 100, 100);
    cookie_is_taken(p);
}

TEST(a_cookie_is_taken_although_an_older_syn_that_came_late_has_a_record)
{
    *p->c = cookie_and_record(p, 200000, 100);
    cookie_is_taken(p);
}

/* 3.4.1: the peer has given up what the cookie was for, and opens anew. */
TEST(an_older_cookie_does_not_end_a_newer_record)
{
    struct peer_conn old = cookie_and_record(p, 100, 200000);
    sends(ACK, .seq = old.irs + 1, .ack = old.iss + 1, .len = 10);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
    holds_equal(counters_of(p).half_open, 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    holds_equal(counters_of(p).connections, 1);
}

TEST(a_listener_that_is_new_takes_no_cookies_of_the_old_one)
{
    listens_with_cookies(p);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    calls(hf_close(p->stack, &p->env, p->listener));
    p->listener = 0;
    listens();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
    holds_equal(peer_count(p, HF_V_DROP_LISTEN_ACK), 1);
}

/* RFC4987-1, RFC4987-12 */
TEST(a_flood_of_syns_takes_no_memory_and_disturbs_neither_old_nor_new_connections)
{
    p->config.max_connections = 8;
    listens_with(4, false);
    on(1);
    establish_passive();
    on(0);
    for (uint32_t i = 0; i < FLOOD; i++) {
        new_incarnation(i * 7919 + 1);
        p->c->peer_port = (uint16_t)(10000 + i % 50000);
        sends(SYN, .seq = IRS, .mss = 1460, .sackok = i & 1, .tsval = i & 2 ? 9 : 0);
        expects(SYN | ACK, .ack = IRS + 1);
    }
    struct hf_counters counters = counters_of(p);
    holds_equal(counters.half_open, 4);
    holds_equal(counters.connections, 1);
    holds_equal(counters.verdict[HF_V_COOKIE_SENT], FLOOD - 4);
    on(1);
    sends(ACK, .len = 100);
    expects(ACK, .ack = IRS + 101);
    reads(100);
    on(2);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 3);
    expects(ACK, .ack = IRS + 4);
    accepts();
    reads(3);
}

/* RFC4987-8: one in 2^28 would be taken. */
TEST(guessing_cookies_opens_nothing)
{
    p->config.policy.reset_rate = 0; /* each of so many is seen to be refused */
    listens_with_cookies(p);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 5);
    expects(SYN | ACK, .seq = ISS);
    uint32_t guess = 12345;
    for (uint32_t i = 0; i < FLOOD; i++) {
        guess = guess * 1664525 + 1013904223;
        sends(ACK, .seq = IRS + 1, .ack = guess ? guess : 1);
        expects(RST, .seq = guess ? guess : 1);
    }
    holds_equal(peer_count(p, HF_V_DROP_COOKIE), FLOOD);
    holds_equal(counters_of(p).connections, 0);
}

/* RFC4987-14 */
TEST(cookies_of_the_same_connection_grow_with_each_slot)
{
    listens_with_cookies(p);
    uint32_t last = 0;
    for (int i = 0; i < 5; i++) {
        new_incarnation(100);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK, .seq = ISS);
        if (i)
            holds(p->c->iss - last > 0 && p->c->iss - last < 2u << 27);
        last = p->c->iss;
        after(SLOT_MS);
    }
}

/* RFC 7323 5.4: one clock with one offset, whatever its lower bits say. */
TEST(the_timestamps_after_a_cookie_go_on_from_it)
{
    p->with = (struct seg_spec){.mss = 1460, .tsval = 5, .sackok = true, .wscale = SHIFT(14)};
    listens_with_cookies(p);
    for (int i = 0; i < 70; i += 7) {
        on(0);
        new_incarnation(1000);
        p->c->peer_port = (uint16_t)(5000 + i);
        after(7);
        sends(SYN, .seq = IRS, .mss = 1460, .tsval = 5);
        expects(SYN | ACK, .seq = ISS);
        uint32_t cookie = p->c->ts_echo;
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1);
        expects(ACK, .ack = IRS + 2);
        uint32_t later = p->c->ts_echo;
        holds(later - cookie < 64);
        accepts();
        holds_equal(status_of(srtt_us), 0); /* the echo is no time */
        aborts();
        expects(RST | ACK);
        releases();
    }
}

TEST(a_syn_that_ends_time_wait_gets_no_cookie)
{
    p->with = (struct seg_spec){.mss = 1460};
    listens_with_cookies(p);
    opens_by_cookie(p);
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK);
    expects(ACK);
    uint32_t end = p->c->acks;
    expects_state(HF_TIME_WAIT);
    releases();
    new_incarnation(p->c->nxt + 1000);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    holds((int32_t)(p->c->iss - end) > 0);
    holds_equal(counters_of(p).half_open, 1);
    holds_equal(peer_count(p, HF_V_COOKIE_SENT), 1);
}

/* TIME-WAIT of one that a cookie opened, and one without timestamps; how it was. */
static struct peer_conn time_wait_of_a_cookie(struct peer *p)
{
    p->with = (struct seg_spec){.mss = 1460};
    listens_with_cookies(p);
    opens_by_cookie(p);
    struct peer_conn old = *p->c;
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK);
    expects(ACK);
    releases();
    return old;
}

static void the_old_cookie(struct peer *p, const struct peer_conn *old)
{
    sends(ACK, .seq = ZERO + old->irs + 1, .ack = ZERO + old->iss + 1, .no_ts = true);
}

static void the_half_open_one_stays_and_opens(struct peer *p)
{
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
    holds_equal(counters_of(p).half_open, 1);
    holds_equal(counters_of(p).time_wait, 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    expects_state(HF_ESTABLISHED);
    holds_equal(counters_of(p).time_wait, 0);
}

/* MAY-2, 3.4.1: nor does one of the connection in TIME-WAIT open it again, as an old duplicate that
 * comes while the next one is half-open. */
TEST(beside_time_wait_a_cookie_opens_nothing)
{
    struct peer_conn old = time_wait_of_a_cookie(p);
    new_incarnation(p->c->nxt + 1000);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    the_old_cookie(p, &old);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1); /* it is too old for the one that is half-open */
    the_half_open_one_stays_and_opens(p);
}

/* ... whatever its number: with timestamps the next one has begun below it (RFC 6191 2). */
TEST(beside_time_wait_a_cookie_of_a_higher_number_opens_nothing)
{
    struct peer_conn old = time_wait_of_a_cookie(p);
    new_incarnation(old.irs - 1000);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 5);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    the_old_cookie(p, &old);
    expects_silence(); /* it has no timestamp: RFC 7323 3.2 */
    the_half_open_one_stays_and_opens(p);
}

TEST(a_policy_of_cookies_that_cannot_be_is_refused)
{
    starts();
    struct hf_policy policy = *hf_policy(p->stack);
    holds_equal(policy.syn_cookies, HF_COOKIES_FULL);
    holds_equal(policy.cookie_slot_ms, SLOT_MS);
    policy.syn_cookies = HF_COOKIES_ALWAYS + 1;
    refuses(HF_ERR_INVALID, hf_set_policy(p->stack, &p->env, &policy));
    policy.syn_cookies = HF_COOKIES_OFF;
    policy.cookie_slot_ms = 0;
    refuses(HF_ERR_INVALID, hf_set_policy(p->stack, &p->env, &policy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(records_come_first_and_cookies_when_the_backlog_is_full),
        BOTH(cookies_are_sent_when_the_half_open_records_are_used_up),
        BOTH(with_timestamps_a_cookie_keeps_every_window_scale_and_sack),
        BOTH(without_timestamps_a_cookie_keeps_sack_and_a_window_scale_of_its_table),
        BOTH(the_mss_of_a_cookie_is_the_next_lower_one_of_its_table),
        BOTH(what_the_policy_does_not_offer_a_cookie_does_not_give),
        BOTH(the_first_text_opens_the_connection_when_the_ack_was_lost),
        BOTH(text_goes_both_ways_on_a_connection_that_a_cookie_opened),
        BOTH(a_cookie_with_any_bit_changed_is_reset),
        BOTH(a_cookie_is_good_in_its_slot_and_in_the_next_one),
        BOTH(a_cookie_is_good_although_the_clock_has_passed_its_zero),
        BOTH(an_ack_is_no_cookie_when_none_was_sent_lately),
        BOTH(a_cookie_whose_timestamp_is_too_old_is_reset),
        BOTH(a_reset_or_a_syn_ack_with_the_right_number_opens_nothing),
        BOTH(a_cookie_is_taken_although_a_record_was_made_meanwhile),
        BOTH(a_cookie_is_taken_although_an_older_syn_that_came_late_has_a_record),
        BOTH(an_older_cookie_does_not_end_a_newer_record),
        BOTH(a_listener_that_is_new_takes_no_cookies_of_the_old_one),
        BOTH(a_flood_of_syns_takes_no_memory_and_disturbs_neither_old_nor_new_connections),
        V4(guessing_cookies_opens_nothing),
        BOTH(cookies_of_the_same_connection_grow_with_each_slot),
        BOTH(the_timestamps_after_a_cookie_go_on_from_it),
        BOTH(a_syn_that_ends_time_wait_gets_no_cookie),
        BOTH(beside_time_wait_a_cookie_opens_nothing),
        BOTH(beside_time_wait_a_cookie_of_a_higher_number_opens_nothing),
        V4(a_policy_of_cookies_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
