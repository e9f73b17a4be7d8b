/* Timers, and what ends a connection in the same tick: RFC 9293 3.8.4, 3.10.8. */
#include "attack/forge.h"

enum { MS = 1000000 };

typedef void timer_fn(struct peer *p);

static void rto(struct peer *p)
{
    establish_active();
    writes(100);
}

static void tlp(struct peer *p)
{
    p->with.sackok = true;
    establish_active();
    writes(3000);
}

static void persist(struct peer *p)
{
    establish_active();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    writes(100);
}

static void delayed_ack(struct peer *p)
{
    p->config.policy.quick_acks = 0;
    establish_active();
    sends(ACK, .len = 10);
}

static void keep_alive(struct peer *p)
{
    establish_active();
    sets(HF_KEEPALIVE_IDLE, 5000);
    sets(HF_KEEPALIVE, 1);
}

static void user_timeout(struct peer *p)
{
    establish_active();
    sets(HF_USER_TIMEOUT, 150);
    writes(100);
}

static void syn(struct peer *p)
{
    opens();
}

static void syn_ack(struct peer *p)
{
    opens();
    sends(SYN, .seq = IRS, .mss = 1460);
}

static void fin(struct peer *p)
{
    reach(p, HF_FIN_WAIT_1);
}

static void closing(struct peer *p)
{
    reach(p, HF_CLOSING);
}

static void last_ack(struct peer *p)
{
    reach(p, HF_LAST_ACK);
}

static void time_wait(struct peer *p)
{
    reach(p, HF_TIME_WAIT);
}

static void small_time_wait(struct peer *p)
{
    reach(p, HF_TIME_WAIT);
    releases();
}

static void orphan(struct peer *p)
{
    reach(p, HF_FIN_WAIT_2);
    releases();
}

static void linger(struct peer *p)
{
    establish_active();
    sets(HF_LINGER, 2000);
    writes(100);
    releases();
}

static void half_open(struct peer *p)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
}

static void held(struct peer *p)
{
    listens_with(4, true);
    sends(SYN, .seq = IRS, .mss = 1460);
    is_asked();
}

static timer_fn *const timers[] = {
    rto,    tlp,     persist,   delayed_ack,     keep_alive, user_timeout,
    syn,    syn_ack, fin,       closing,         last_ack,   time_wait,
    orphan, linger,  half_open, small_time_wait, held};
enum { TIMERS = sizeof timers / sizeof *timers };

static void fire(struct peer *p)
{
    hf_timeouts(p->stack, &p->env);
    peer_pump(p);
}

enum { BY_RESET, BY_ABORT, BY_RELEASE, ENDS };

/* False: nobody has the handle any more. */
static bool end(struct peer *p, int how)
{
    struct hf_status status = {.struct_size = sizeof status};
    bool known = p->c->handle && hf_status(p->stack, &p->env, p->c->handle, &status) == HF_OK;
    bool synchronized = known && status.state != HF_SYN_SENT && status.state != HF_LISTEN;
    switch (how) {
    case BY_RESET:
        if (known && status.state == HF_SYN_SENT)
            sends(RST | ACK, .seq = ZERO, .ack = ISS + 1);
        else
            sends(RST, .seq = synchronized ? (int64_t)status.rcv_nxt : p->last.rcv_nxt);
        break;
    case BY_ABORT:
        if (known)
            hf_abort(p->stack, &p->env, p->c->handle);
        break;
    default:
        if (known)
            hf_release(p->stack, &p->env, p->c->handle);
        p->c->handle = 0;
    }
    peer_pump(p);
    return known || how == BY_RESET;
}

/* Timer and end in one tick, in this order or the other; then nothing is left that could fire. */
static void race(struct peer *p, timer_fn *timer, int how, bool timer_first)
{
    timer(p);
    count_sent(p);
    p->env.now_ns = hf_deadline(p->stack, &p->env);
    if (timer_first)
        fire(p);
    bool ended = end(p, how) && how != BY_RELEASE; /* what was released may have to finish */
    fire(p);
    count_sent(p);
    if (ended) {
        after(1000);
        uint32_t sent = count_sent(p);
        if (sent != 0)
            peer_fail(p, "%u segments after the end", sent);
    }
    if (p->c->handle)
        hf_release(p->stack, &p->env, p->c->handle);
    if (p->listener)
        hf_release(p->stack, &p->env, p->listener);
    p->listener = 0;
    after(3600000);
    count_sent(p);
    struct hf_counters counters = counters_of(p);
    holds_equal(counters.connections + counters.half_open + counters.time_wait, 0);
    holds_equal(counters.active + counters.small_chunks + counters.large_chunks, 0);
    holds_equal(hf_deadline(p->stack, &p->env), INT64_MAX);
    new_incarnation(100);
    p->c->peer_port++;
    p->with = (struct seg_spec){.mss = 1460};
}

/* ST-21: VPP's persist timer of a closed connection, CVE-2024-50154 */
TEST(no_timer_fires_for_a_connection_that_ends_in_the_same_tick)
{
    p->config.policy.quick_acks = 0;
    for (int t = 0; t < TIMERS; t++)
        for (int how = 0; how < ENDS; how++)
            for (int first = 0; first < 2; first++)
                race(p, timers[t], how, first);
}

static void keeps_alive(struct peer *p)
{
    sets(HF_KEEPALIVE_IDLE, 10000);
    sets(HF_KEEPALIVE_INTERVAL, 2000);
    sets(HF_KEEPALIVE_COUNT, 3);
    sets(HF_KEEPALIVE, 1);
}

/* ST-20: RFC 9293 3.8.4: a silent peer */
TEST(a_silent_peer_is_given_up_after_the_count_and_nothing_fires_afterwards)
{
    establish_active();
    keeps_alive(p);
    expects_after(9990, 10010, ACK, .seq = ISS);
    for (int i = 0; i < 2; i++)
        expects_after(1990, 2010, ACK, .seq = ISS);
    expects_after(1990, 2010, RST | ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_closed(HF_ERR_TIMED_OUT);
    after(3600000);
    expects_silence();
    holds_equal(hf_deadline(p->stack, &p->env), INT64_MAX);
}

/* ST-20: one that has rebooted, and one that is there but lost our last ACK */
TEST(a_probe_is_answered_by_a_reset_or_by_an_ack_of_what_was_before)
{
    establish_active();
    lives(p);
    keeps_alive(p);
    for (int i = 0; i < 5; i++) {
        expects_after(1990, 10010, ACK, .seq = ISS + 20);
        sends(ACK, .seq = IRS + 11, .ack = ISS + 11); /* old, within the window: it is alive */
        expects_silence();
    }
    expects_state(HF_ESTABLISHED);
    expects_after(9990, 10010, ACK, .seq = ISS + 20);
    sends(RST, .seq = IRS + 11);
    expects_closed(HF_ERR_RESET);
    after(3600000);
    expects_silence();
}

/* ST-20 */
TEST(a_close_while_a_probe_is_out_ends_probing)
{
    establish_active();
    keeps_alive(p);
    expects_after(9990, 10010, ACK, .seq = ISS);
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .ack = IRS + 2);
    after(59000);
    expects_silence();
    expects_state(HF_TIME_WAIT);
    after(2000);
    expects_closed(HF_OK);
}

/* ST-20: asked for in each state; it probes where somebody may still be heard, else nowhere. */
TEST(keep_alive_may_be_asked_for_in_every_state)
{
    static const enum hf_state states[] = {HF_ESTABLISHED, HF_FIN_WAIT_1, HF_FIN_WAIT_2,
                                           HF_CLOSE_WAIT,  HF_CLOSING,    HF_LAST_ACK,
                                           HF_TIME_WAIT};
    p->config.max_connections = p->config.max_active = p->config.max_extras = 8;
    for (int i = 0; i < 7; i++) {
        on(i);
        reach(p, states[i]);
        bool probes =
            states[i] == HF_ESTABLISHED || states[i] == HF_FIN_WAIT_2 || states[i] == HF_CLOSE_WAIT;
        keeps_alive(p);
        after(59000);
        uint32_t sent = count_sent(p);
        if (probes) {
            holds_equal(sent, 4);
            expects_closed(HF_ERR_TIMED_OUT);
        } else if (states[i] == HF_TIME_WAIT) {
            holds_equal(sent, 0);
            expects_state(HF_TIME_WAIT);
        }
    }
    on(7);
    opens();
    keeps_alive(p);
    expects(SYN);
    after(300000);
    expects_closed(HF_ERR_TIMED_OUT);
    after(3600000);
    peer_forget(p);
    after(3600000);
    expects_silence();
    for (int i = 0; i < 8; i++) {
        on(i);
        expects_state(HF_CLOSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(no_timer_fires_for_a_connection_that_ends_in_the_same_tick),
        BOTH(a_silent_peer_is_given_up_after_the_count_and_nothing_fires_afterwards),
        V4(a_probe_is_answered_by_a_reset_or_by_an_ack_of_what_was_before),
        V4(a_close_while_a_probe_is_out_ends_probing),
        V4(keep_alive_may_be_asked_for_in_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
