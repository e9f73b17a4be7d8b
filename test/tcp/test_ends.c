/* RFC 9293 section 3.10: whatever ends a connection leaves a record that says why (trace.h). */
#include "common/peer.h"

/* The newest record of an end, whoever it is about; of a call. */
struct ends {
    hf_trace_fn *then;
    void *then_arg;
    struct hf_trace last, call;
    int n;
};

static struct ends ends;

static void watch(void *arg, const struct hf_trace *record)
{
    struct ends *e = arg;
    if (record->state_before != HF_CLOSED && record->state_after == HF_CLOSED &&
        record->remote_port != 0) {
        e->last = *record;
        e->n++;
    }
    e->call = record->kind == HF_TRACE_CALL ? *record : e->call;
    e->then(e->then_arg, record);
}

static void watches(struct peer *p)
{
    starts();
    ends = (struct ends){.then = p->env.trace, .then_arg = p->env.trace_arg};
    p->env.trace = watch;
    p->env.trace_arg = &ends;
}

/* One end since the last time, and so it was. */
static void ended(struct peer *p, enum hf_trace_kind kind, enum hf_cause cause, enum hf_state state,
                  int error, hf_handle handle)
{
    holds_equal(ends.n, 1);
    holds_equal(ends.last.kind, kind);
    holds_equal(ends.last.cause, cause);
    holds_equal(ends.last.state_before, state);
    holds_equal(ends.last.error, error);
    holds_equal(ends.last.handle, handle);
    holds_equal(ends.last.local_port, p->c->stack_port);
    holds_equal(ends.last.remote_port, p->c->peer_port);
    ends.n = 0;
}

/* RFC 1122 4.2.3.9: a hard error ends the attempt to open. */
TEST(an_icmp_error_that_ends_an_attempt_to_open_leaves_a_record)
{
    watches(p);
    opens();
    expects(SYN);
    peer_icmp_error(p, p->peer_ip, p->v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE, p->v6 ? 4 : 3, 0,
                    ISS);
    ended(p, HF_TRACE_END, HF_CAUSE_ICMP, HF_SYN_SENT, HF_ERR_PORT_UNREACHABLE, p->c->handle);
    holds_equal(ends.last.verdict, HF_V_ICMP_TAKEN);
    holds_equal(ends.last.snd_nxt, ends.last.iss + 1);
    expects_closed(HF_ERR_PORT_UNREACHABLE);
    struct hf_close_reason reason;
    hf_close_reason(p->stack, p->c->handle, &reason);
    holds_equal(reason.cause, HF_CAUSE_ICMP);
    struct hf_trace r[8];
    uint32_t n = hf_history(p->stack, p->c->handle, r, 8);
    holds_equal(r[n - 1].kind, HF_TRACE_END);
    holds_equal(r[n - 1].cause, HF_CAUSE_ICMP);
}

TEST(an_icmp_error_that_policy_lets_end_an_open_connection_leaves_a_record)
{
    p->config.policy.icmp_hard_abort = true;
    watches(p);
    establish_active();
    writes(10);
    expects(ACK, .len = 10);
    peer_icmp_error(p, p->peer_ip, ICMP4_UNREACHABLE, 2, 0, ISS + 1);
    ended(p, HF_TRACE_END, HF_CAUSE_ICMP, HF_ESTABLISHED, HF_ERR_PROTO_UNREACHABLE, p->c->handle);
    expects_closed(HF_ERR_PROTO_UNREACHABLE);
}

TEST(what_nobody_has_accepted_ends_with_its_listener_and_a_record)
{
    watches(p);
    listens();
    sends(SYN, .seq = IRS);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    calls(hf_close(p->stack, &p->env, p->listener));
    holds(ends.last.handle != 0);
    ended(p, HF_TRACE_END, HF_CAUSE_LISTENER_CLOSED, HF_ESTABLISHED, HF_ERR_ABORTED,
          ends.last.handle);
    expects(RST | ACK);
}

TEST(a_half_open_connection_whose_listener_is_gone_ends_with_a_record)
{
    watches(p);
    listens();
    sends(SYN, .seq = IRS);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    calls(hf_close(p->stack, &p->env, p->listener));
    holds_equal(ends.n, 0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    ended(p, HF_TRACE_END, HF_CAUSE_LISTENER_CLOSED, HF_SYN_RECEIVED, HF_ERR_ABORTED, 0);
    expects(RST);
}

TEST(a_half_open_connection_ends_by_its_timer_with_a_record)
{
    p->config.policy.synack_retries = 0;
    watches(p);
    listens();
    sends(SYN, .seq = IRS);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    after(1100);
    ended(p, HF_TRACE_TIMER, HF_TIMER_SYN_ACK, HF_SYN_RECEIVED, HF_ERR_TIMED_OUT, 0);
}

TEST(a_connection_without_room_in_the_accept_queue_ends_with_a_record)
{
    p->config.policy.abort_on_overflow = true;
    watches(p);
    listens_with(1, false);
    for (int i = 0; i < 3; i++) {
        on(i);
        sends(SYN, .seq = IRS);
        if (i > 0) {
            on(i - 1);
            expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
            sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
        }
    }
    on(2);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    ended(p, HF_TRACE_IN, HF_CAUSE_NONE, HF_SYN_RECEIVED, HF_ERR_ABORTED, 0);
    holds_equal(ends.last.verdict, HF_V_DROP_ACCEPT_FULL);
    expects(RST);
}

static void into_time_wait(struct peer *p)
{
    watches(p);
    establish_passive();
    closes();
    expects(FIN | ACK);
    sends(ACK);
    sends(FIN | ACK);
    expects(ACK);
    expects_state(HF_TIME_WAIT);
}

static void reopens(struct peer *p)
{
    new_incarnation(p->c->irs + 100000);
    sends(SYN, .seq = IRS);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    holds_equal(ends.n, 0); /* MAY-2: until the new one is open */
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
}

TEST(a_time_wait_that_a_new_connection_replaces_ends_with_a_record)
{
    into_time_wait(p);
    hf_handle old = p->c->handle;
    reopens(p);
    ended(p, HF_TRACE_END, HF_CAUSE_REPLACED, HF_TIME_WAIT, HF_OK, old);
    holds_equal(ends.last.verdict, HF_V_TIME_WAIT_REUSED);
    expects_state(HF_ESTABLISHED);
}

TEST(a_small_time_wait_that_a_new_connection_replaces_ends_with_a_record)
{
    into_time_wait(p);
    releases();
    reopens(p);
    ended(p, HF_TRACE_END, HF_CAUSE_REPLACED, HF_TIME_WAIT, HF_OK, 0);
}

TEST(two_msl_end_with_a_record)
{
    into_time_wait(p);
    hf_handle old = p->c->handle;
    after(60100);
    ended(p, HF_TRACE_TIMER, HF_TIMER_TIME_WAIT, HF_TIME_WAIT, HF_OK, old);
}

TEST(the_user_timeout_ends_with_a_record)
{
    watches(p);
    establish_active();
    sets(HF_USER_TIMEOUT, 3000);
    writes(10);
    after(4000);
    ended(p, HF_TRACE_TIMER, HF_TIMER_USER_TIMEOUT, HF_ESTABLISHED, HF_ERR_TIMED_OUT, p->c->handle);
}

TEST(too_many_retransmissions_end_with_a_record)
{
    p->config.policy.data_retries = 3;
    watches(p);
    establish_active();
    writes(10);
    after(20000);
    ended(p, HF_TRACE_TIMER, HF_TIMER_RTO, HF_ESTABLISHED, HF_ERR_TIMED_OUT, p->c->handle);
}

TEST(unanswered_keep_alives_end_with_a_record)
{
    watches(p);
    establish_active();
    sets(HF_KEEPALIVE_IDLE, 10000);
    sets(HF_KEEPALIVE_INTERVAL, 1000);
    sets(HF_KEEPALIVE_COUNT, 2);
    sets(HF_KEEPALIVE, 1);
    after(14000);
    ended(p, HF_TRACE_TIMER, HF_TIMER_KEEPALIVE, HF_ESTABLISHED, HF_ERR_TIMED_OUT, p->c->handle);
}

TEST(a_reset_ends_with_a_record)
{
    watches(p);
    establish_active();
    sends(RST);
    ended(p, HF_TRACE_IN, HF_CAUSE_NONE, HF_ESTABLISHED, HF_ERR_RESET, p->c->handle);
}

TEST(the_record_of_a_release_has_the_handle_that_is_given_back)
{
    watches(p);
    establish_active();
    calls(hf_release(p->stack, &p->env, p->c->handle));
    holds_equal(ends.call.cause, HF_CALL_RELEASE);
    holds_equal(ends.call.handle, p->c->handle);
    holds_equal(ends.call.state_after, HF_FIN_WAIT_1);
    expects(FIN | ACK);
    on(1);
    establish_active();
    sends(ACK, .len = 10);
    calls(hf_release(p->stack, &p->env, p->c->handle)); /* unread: a reset, RFC 2525 2.17 */
    ended(p, HF_TRACE_CALL, HF_CALL_RELEASE, HF_ESTABLISHED, HF_OK, p->c->handle);
}

TEST(a_held_syn_that_waits_too_long_ends_with_a_record)
{
    watches(p);
    listens_with(8, true);
    sends(SYN, .seq = IRS);
    after(p->config.policy.hold_ms + 100);
    holds(ends.last.handle != 0);
    ended(p, HF_TRACE_TIMER, HF_TIMER_SYN_ACK, HF_LISTEN, HF_ERR_TIMED_OUT, ends.last.handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_icmp_error_that_ends_an_attempt_to_open_leaves_a_record),
        V4(an_icmp_error_that_policy_lets_end_an_open_connection_leaves_a_record),
        BOTH(what_nobody_has_accepted_ends_with_its_listener_and_a_record),
        BOTH(a_half_open_connection_whose_listener_is_gone_ends_with_a_record),
        V4(a_half_open_connection_ends_by_its_timer_with_a_record),
        V4(a_connection_without_room_in_the_accept_queue_ends_with_a_record),
        V4(a_time_wait_that_a_new_connection_replaces_ends_with_a_record),
        BOTH(a_small_time_wait_that_a_new_connection_replaces_ends_with_a_record),
        V4(two_msl_end_with_a_record),
        V4(the_user_timeout_ends_with_a_record),
        V4(too_many_retransmissions_end_with_a_record),
        V4(unanswered_keep_alives_end_with_a_record),
        V4(a_reset_ends_with_a_record),
        V4(the_record_of_a_release_has_the_handle_that_is_given_back),
        V4(a_held_syn_that_waits_too_long_ends_with_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
