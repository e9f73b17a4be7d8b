/* hf_canonical, field by field: whatever a connection goes by changes the octets. */
#include "unit/stack_pair.h"

#include "stack/stack.h"
#include "tcp/ecn.h"
#include "tcp/stats.h"

enum { ROOM = 32768 };

struct form {
    uint64_t len;
    uint8_t octets[ROOM];
};

static struct form first, now;
static struct pair pair;

static void take(struct form *form)
{
    form->len = hf_canonical(pair.a.stack, &pair.a.env, form->octets, ROOM);
    assert_in_range(form->len, 1, ROOM);
}

/* After a change of what `name` calls. */
static void differs(const char *name)
{
    take(&now);
    if (now.len == first.len && memcmp(now.octets, first.octets, now.len) == 0) {
        fail_msg("%s has changed, and the octets have not", name);
    }
}

/* One more in a number, and back. */
#define DIFFERS(record, field)                                                                     \
    do {                                                                                           \
        (record)->field++;                                                                         \
        differs(#record " " #field);                                                               \
        (record)->field--;                                                                         \
    } while (0)

#define TURNED(record, bit)                                                                        \
    do {                                                                                           \
        (record)->bit = !(record)->bit;                                                            \
        differs(#record " " #bit);                                                                 \
        (record)->bit = !(record)->bit;                                                            \
    } while (0)

/* A connection with text both ways that has not been read, and everything that may be said of it
 * set, so that each field means something. */
static void begin(struct stack *st, struct tcb **tcb)
{
    struct hf_config config;
    static const uint8_t text[8000];
    hf_config_default(&config, 4);
    pair_begin_with(&pair, &config, 3, 5000000000);
    connect_pair(&pair);
    assert_true(hf_send(pair.b.stack, &pair.b.env, pair.client, text, 3000, 0) == 3000);
    exchange(&pair);
    assert_true(hf_send(pair.a.stack, &pair.a.env, pair.server, text, 8000, 0) == 8000);
    stack_look(st, pair.a.stack, &pair.a.env);
    *tcb = stack_tcb_of(st, pair.server);
    assert_non_null(*tcb);
    struct active *active = active_of(&st->tcp, *tcb);
    assert_non_null(active);
    (*tcb)->flags |= F_TS | F_URGENT | F_CHALLENGED;
    (*tcb)->challenge_ms = st->tcp.now_ms - 10;
    (*tcb)->last_snd_ms = st->tcp.now_ms - 10;
    (*tcb)->long_at_ms = st->tcp.now_ms + 1000;
    tally_of(&st->tcp, *tcb)->last_ack_ms = st->tcp.now_ms - 10;
    active->recovery = RECOVERY_FAST;
    active->timer = TIMER_TLP;
    active->snd_urgent = active->rtt_timed = active->fin_held = active->dsack = 1;
    active->recovered = active->rack_any = active->dsack_round = active->tlp_out = 1;
    active->undo_armed = active->undo_sent = 1;
    active->ptb_mtu = 600;
    active->rtt_seq = seq_add((*tcb)->snd.una, 10);
    active->rto_at_ms = active->delack_at_ms = st->tcp.now_ms + 1000;
    active->pace_at_ms = active->unacked_since_ms = st->tcp.now_ms + 1000;
    struct growth *growth = &active->growth;
    growth->max_flight = growth->computed_cwnd = 1000;
    growth->stage.t_epoch_ms = growth->undo_stage.t_epoch_ms = st->tcp.now_ms;
    growth->rounds = growth->limited = growth->full = 1;
}

static void numbers_of_the_connection(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    struct tally *tally = tally_of(&st.tcp, tcb);
    take(&first);
    DIFFERS(tcb, rcv.nxt.v);
    DIFFERS(tcb, rcv.wnd);
    DIFFERS(tcb, snd.una.v);
    DIFFERS(tcb, snd.nxt.v);
    DIFFERS(tcb, snd.wnd);
    DIFFERS(tcb, snd.wl1.v);
    DIFFERS(tcb, snd.wl2.v);
    DIFFERS(tcb, max_snd_wnd);
    DIFFERS(tcb, ts_recent);
    DIFFERS(tcb, last_ack_sent.v);
    DIFFERS(tcb, srtt_us);
    DIFFERS(tcb, rttvar_us);
    DIFFERS(tcb, cwnd);
    DIFFERS(tcb, ssthresh);
    DIFFERS(tcb, rcv_buf);
    DIFFERS(tcb, snd_buf);
    DIFFERS(tcb, ttl);
    DIFFERS(tcb, tos);
    tcb->flags ^= F_NODELAY;
    differs("tcb flags");
    tcb->flags ^= F_NODELAY;
    DIFFERS(tcb, modes);
    DIFFERS(tcb, owes);
    DIFFERS(tcb, events);
    DIFFERS(tcb, last_snd_ms);
    DIFFERS(tcb, snd_mss);
    DIFFERS(tcb, peer_mss);
    DIFFERS(tcb, pmtu);
    DIFFERS(tcb, rcv_mss);
    DIFFERS(tcb, quick_acks);
    DIFFERS(tcb, retries);
    DIFFERS(tcb, error);
    DIFFERS(tcb, long_at_ms);
    DIFFERS(tcb, challenge_ms);
    DIFFERS(tally, min_rtt_us);
    DIFFERS(tally, cc_keep[0]);
    DIFFERS(tally, last_ack_ms);
    DIFFERS(tally, max_segment);
    TURNED(tcb, snd_wscale);
    TURNED(tcb, rcv_wscale);
    pair_end(&pair);
}

static void numbers_of_what_is_under_way(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    struct active *active = active_of(&st.tcp, tcb);
    take(&first);
    DIFFERS(active, send.at.v);
    DIFFERS(active, snd_up.v);
    DIFFERS(active, snd_sml.v);
    DIFFERS(active, recover.v);
    DIFFERS(active, rescue.v);
    DIFFERS(active, recovery);
    DIFFERS(active, dup_acks);
    DIFFERS(active, backoff);
    DIFFERS(active, unpushed);
    DIFFERS(active, timer);
    DIFFERS(active, frto);
    DIFFERS(active, probe);
    DIFFERS(active, reo_mult);
    DIFFERS(active, reo_persist);
    DIFFERS(active, reordering);
    DIFFERS(active, rack_sent_us);
    DIFFERS(active, rack_end.v);
    DIFFERS(active, rack_rtt_us);
    DIFFERS(active, rack_fack.v);
    DIFFERS(active, rack_round.v);
    DIFFERS(active, tlp_end.v);
    DIFFERS(active, prr_delivered);
    DIFFERS(active, prr_out);
    DIFFERS(active, prr_flight);
    DIFFERS(active, undo_cwnd);
    DIFFERS(active, undo_ssthresh);
    DIFFERS(active, undo_bytes);
    DIFFERS(active, undo_ms);
    DIFFERS(active, undo_left.v);
    DIFFERS(active, undo_right.v);
    DIFFERS(active, rtt_seq.v);
    DIFFERS(active, rtt_start_us);
    DIFFERS(active, cwr_end.v);
    DIFFERS(active, rto_at_ms);
    DIFFERS(active, rto_from_ms);
    DIFFERS(active, persist);
    DIFFERS(active, stalled);
    DIFFERS(active, unacked_since_ms);
    DIFFERS(active, ptb_mtu);
    DIFFERS(active, ptb_first.v);
    DIFFERS(active, ptb_last.v);
    DIFFERS(active, dsack_left.v);
    DIFFERS(active, dsack_right.v);
    DIFFERS(active, fin_seq.v);
    DIFFERS(active, rcv_up.v);
    DIFFERS(active, delack_at_ms);
    DIFFERS(active, pace_at_ms);
    DIFFERS(active, unacked_bytes);
    DIFFERS(active, dup_owed);
    DIFFERS(active, sq_skip);
    DIFFERS(active, rq_skip);
    DIFFERS(active, resend);
    TURNED(active, snd_urgent);
    TURNED(active, rtt_timed);
    TURNED(active, fin_held);
    TURNED(active, dsack);
    TURNED(active, push_now);
    TURNED(active, no_push);
    TURNED(active, recovered);
    TURNED(active, rescued);
    TURNED(active, rack_any);
    TURNED(active, dsack_round);
    TURNED(active, tlp_out);
    TURNED(active, tlp_again);
    TURNED(active, undo_armed);
    TURNED(active, undo_sent);
    TURNED(active, undo_marked);
    TURNED(active, rtt_anew);
    TURNED(active, spared);
    TURNED(active, cwr_passed);
    TURNED(active, ecn_waits);
    pair_end(&pair);
}

static void numbers_of_congestion_control(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    struct growth *growth = &active_of(&st.tcp, tcb)->growth;
    take(&first);
    DIFFERS(growth, max_flight);
    DIFFERS(growth, round_end.v);
    DIFFERS(growth, counted);
    DIFFERS(growth, stage.t_epoch_ms);
    DIFFERS(growth, stage.k_ms);
    DIFFERS(growth, stage.origin);
    DIFFERS(growth, stage.w_est);
    DIFFERS(growth, stage.cwnd_prior);
    DIFFERS(growth, undo_stage.t_epoch_ms);
    DIFFERS(growth, undo_stage.k_ms);
    DIFFERS(growth, undo_stage.origin);
    DIFFERS(growth, undo_stage.w_est);
    DIFFERS(growth, undo_stage.cwnd_prior);
    DIFFERS(growth, undo_w_max);
    DIFFERS(growth, w_est_acked);
    DIFFERS(growth, per_smss);
    DIFFERS(growth, computed_cwnd);
    DIFFERS(growth, computed_ms);
    DIFFERS(growth, grown_ms);
    DIFFERS(growth, limited_ms);
    DIFFERS(growth, limited);
    DIFFERS(growth, full_end.v);
    DIFFERS(growth, rounds);
    DIFFERS(growth, samples);
    DIFFERS(growth, css);
    DIFFERS(growth, window_end.v);
    DIFFERS(growth, round_start_us);
    DIFFERS(growth, last_ack_us);
    DIFFERS(growth, round_rtt_us);
    DIFFERS(growth, last_rtt_us);
    DIFFERS(growth, baseline_us);
    pair_end(&pair);
}

static void numbers_of_the_path(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    struct stats *stats = tcp_stats(&st.tcp, tcb);
    assert_non_null(stats);
    stats->wait_ms = stats->reset_ms = st.tcp.now_ms + 1000;
    stats->probe_mtu = stats->full_mtu = stats->raised_from = 1000;
    take(&first);
    DIFFERS(stats, link_mtu);
    DIFFERS(stats, search_low);
    DIFFERS(stats, search_high);
    DIFFERS(stats, halving);
    DIFFERS(stats, wait_ms);
    DIFFERS(stats, reset_ms);
    DIFFERS(stats, probe_mtu);
    DIFFERS(stats, probe_left.v);
    DIFFERS(stats, full_mtu);
    DIFFERS(stats, full_end.v);
    DIFFERS(stats, raised_from);
    DIFFERS(stats, raised_segs);
    DIFFERS(stats, raised_lost);
    pair_end(&pair);
}

static void numbers_of_options_that_few_set(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    assert_int_equal(
        hf_set_option(pair.a.stack, &pair.a.env, pair.server, HF_MAX_PACING_RATE, 1000000), HF_OK);
    assert_int_not_equal(tcb->extra, 0);
    struct extra *extra = pool_at(&st.tcp.b->extras, st.tcp.block, tcb->extra);
    take(&first);
    DIFFERS(extra, user_timeout_ms);
    DIFFERS(extra, snd_low);
    DIFFERS(extra, keep_idle_ms);
    DIFFERS(extra, keep_interval_ms);
    DIFFERS(extra, keep_count);
    DIFFERS(extra, linger);
    DIFFERS(extra, adv_timeout_ms);
    DIFFERS(extra, peer_timeout_ms);
    DIFFERS(extra, timeout_set);
    DIFFERS(extra, max_pacing_rate);
    DIFFERS(extra, syn_retries);
    pair_end(&pair);
}

/* All bits are set, so that two that fell together would show. */
static void numbers_of_ecn(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    assert_true(tcp_ecn_attach(&st.tcp, tcb));
    struct ecn *ecn = tcp_ecn_of(&st.tcp, tcb);
    ecn->marked = ecn->begins = ecn->news = ecn->test_ack = ecn->test_text = 1;
    ecn->option_seen = ecn->option_bad = 1;
    take(&first);
    DIFFERS(ecn, r.cep);
    DIFFERS(ecn, r.ceb);
    DIFFERS(ecn, r.e0b);
    DIFFERS(ecn, r.e1b);
    DIFFERS(ecn, s.cep);
    DIFFERS(ecn, told.ceb);
    DIFFERS(ecn, cep_at_option);
    DIFFERS(ecn, ts_last);
    DIFFERS(ecn, marks);
    DIFFERS(ecn, seen);
    TURNED(ecn, marked);
    TURNED(ecn, begins);
    TURNED(ecn, news);
    TURNED(ecn, test_ack);
    TURNED(ecn, test_text);
    TURNED(ecn, option_seen);
    TURNED(ecn, option_bad);
    pair_end(&pair);
}

static void is_as_before(void)
{
    take(&now);
    assert_int_equal(now.len, first.len);
    assert_memory_equal(now.octets, first.octets, first.len);
}

/* A group of addresses with half of its share of resets left is as if none had been sent. */
static void resets_that_were_sent(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    struct reset_group *group = &st.tcp.b->resets[3];
    st.tcp.b->policy.reset_rate = 160;
    group->at_ms = st.tcp.now_ms;
    group->spent = 0;
    take(&first);
    group->spent = 160 * 1000 / RESET_GROUPS;
    is_as_before();
    DIFFERS(group, spent);
    pair_end(&pair);
}

/* The challenge limit lasts half a second, in ticks of 64 ms; one that is over is as if there had
 * been none. */
static void numbers_of_a_half_open_record(void **state)
{
    (void)state;
    struct stack st;
    struct hf_config config;
    hf_config_default(&config, 4);
    pair_begin_with(&pair, &config, 3, 5000000000);
    listen_on(&pair.a, PAIR_PORT);
    listen_on(&pair.a, PAIR_PORT + 1);
    open_to(&pair.b, &pair.a, PAIR_PORT);
    carry(&pair.b, &pair.a);
    carry(&pair.a, NULL);
    stack_look(&st, pair.a.stack, &pair.a.env);
    struct half_open *half = pool_at(&st.tcp.b->halves, st.tcp.block, 1);
    uint8_t tick = (uint8_t)(st.tcp.now_ms >> 6);
    uint8_t ticks = (uint8_t)(st.tcp.b->policy.challenge_ack_ms >> 6);
    take(&first);
    DIFFERS(half, at_ms);
    DIFFERS(half, peer_wnd);
    DIFFERS(half, peer_mss);
    DIFFERS(half, retries);
    TURNED(half, classic);
    half->challenged = (uint8_t)(tick - ticks - 1);
    is_as_before();
    half->challenged = (uint8_t)(tick - ticks + 1);
    differs("half challenged, just within the limit");
    take(&first);
    DIFFERS(half, challenged);
    listener_at(&st.tcp, 1)->generation += 2;
    differs("half listener, another one in its place");
    take(&first);
    half->listener++;
    is_as_before(); /* it has none: whose it was is of no matter */
    pair_end(&pair);
}

/* A round trip that has only just begun to be measured. */
static void a_measurement_that_has_begun(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    struct active *active = active_of(&st.tcp, tcb);
    active->rtt_start_us = st.tcp.now_us;
    take(&first);
    TURNED(active, rtt_timed);
    pair_end(&pair);
}

static void numbers_of_the_listener(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    struct listener *listener = listener_at(&st.tcp, 1);
    listener->cookies_out = listener->put_off = true;
    listener->put_off_ms = st.tcp.now_ms - 20;
    listener->fast_resets = 1;
    listener->cookie_ms = listener->fast_reset_ms = st.tcp.now_ms - 10;
    take(&first);
    DIFFERS(listener, hold);
    DIFFERS(listener, backlog);
    DIFFERS(listener, events);
    DIFFERS(listener, half);
    DIFFERS(listener, accept_n);
    DIFFERS(listener, rcv_buf);
    DIFFERS(listener, rcv_promised);
    DIFFERS(listener, snd_buf);
    DIFFERS(listener, max_segment);
    DIFFERS(listener, ttl);
    DIFFERS(listener, tos);
    DIFFERS(listener, inherit);
    DIFFERS(listener, inherit_modes);
    DIFFERS(listener, fast_open);
    DIFFERS(listener, fast_pending);
    DIFFERS(listener, fast_resets);
    DIFFERS(listener, fast_reset_ms);
    TURNED(listener, cookies_out);
    DIFFERS(listener, cookie_wscale);
    DIFFERS(listener, cookie_ms);
    TURNED(listener, put_off);
    DIFFERS(listener, put_off_ms);
    pair_end(&pair);
}

/* Good for two slots, the last millisecond included; then as if there had been none. */
static void a_cookie_that_is_nearly_over(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    struct listener *listener = listener_at(&st.tcp, 1);
    uint32_t lasts_ms = 2 * st.tcp.b->policy.cookie_slot_ms;
    take(&first);
    listener->cookies_out = true;
    listener->cookie_ms = st.tcp.now_ms - lasts_ms - 1;
    is_as_before();
    listener->cookie_ms++;
    differs("a cookie in its last millisecond");
    listener->cookies_out = false;
    listener->put_off = true;
    listener->put_off_ms = st.tcp.now_ms;
    differs("somebody who has just been put off");
    pair_end(&pair);
}

/* Of a datagram whose first fragment is here: what it and the others have said of the whole. */
static void numbers_of_a_datagram_in_parts(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    struct stack_fragments *part = stack_fragments_at(&st, 1);
    *part = (struct stack_fragments){.used = 1, .first_seen = 1, .at_ms = st.tcp.now_ms + 1000};
    take(&first);
    DIFFERS(part, src[15]);
    DIFFERS(part, dst[15]);
    DIFFERS(part, ident);
    DIFFERS(part, proto);
    DIFFERS(part, iface);
    DIFFERS(part, used);
    DIFFERS(part, at_ms);
    DIFFERS(part, serial);
    DIFFERS(part, total_len);
    DIFFERS(part, tos);
    DIFFERS(part, ttl);
    DIFFERS(part, first_seen);
    DIFFERS(part, to_group);
    DIFFERS(part, codepoints);
    *part = (struct stack_fragments){0};
    pair_end(&pair);
}

static void numbers_of_a_reply_that_waits(void **state)
{
    (void)state;
    struct stack st;
    struct tcb *tcb;
    begin(&st, &tcb);
    struct tcp_block *b = st.tcp.b;
    struct tcp_reply *reply = stack_at(&st, b->reply_offset);
    reply += b->reply_head;
    assert_int_equal(b->reply_n, 0);
    b->reply_n = 1;
    *reply = (struct tcp_reply){.ctl = ACK, .options = OPT_TS | OPT_UTO};
    take(&first);
    DIFFERS(reply, local[15]);
    DIFFERS(reply, remote[15]);
    DIFFERS(reply, lport);
    DIFFERS(reply, rport);
    DIFFERS(reply, zone);
    DIFFERS(reply, ttl);
    DIFFERS(reply, tos);
    DIFFERS(reply, seq.v);
    DIFFERS(reply, ack.v);
    DIFFERS(reply, ts_ecr);
    DIFFERS(reply, wnd);
    DIFFERS(reply, ctl);
    DIFFERS(reply, mss);
    DIFFERS(reply, options);
    DIFFERS(reply, wscale);
    DIFFERS(reply, uto);
    TURNED(reply, accecn);
    b->reply_n = 0;
    pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_the_connection),
        cmocka_unit_test(numbers_of_what_is_under_way),
        cmocka_unit_test(numbers_of_congestion_control),
        cmocka_unit_test(numbers_of_the_path),
        cmocka_unit_test(numbers_of_options_that_few_set),
        cmocka_unit_test(numbers_of_ecn),
        cmocka_unit_test(resets_that_were_sent),
        cmocka_unit_test(numbers_of_a_half_open_record),
        cmocka_unit_test(a_measurement_that_has_begun),
        cmocka_unit_test(numbers_of_the_listener),
        cmocka_unit_test(a_cookie_that_is_nearly_over),
        cmocka_unit_test(numbers_of_a_datagram_in_parts),
        cmocka_unit_test(numbers_of_a_reply_that_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
