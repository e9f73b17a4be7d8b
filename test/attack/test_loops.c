/* Nothing answers itself, nothing answers a reset: RFC 9293 3.5.2, 3.9.2.3, CVE-1999-0016. */
#include "attack/forge.h"

#include <string.h>

/* ST-14: LAND: a packet from the wire that says it is ours */
TEST(a_packet_from_the_wire_with_our_own_address_is_dropped)
{
    listens();
    uint8_t theirs[16];
    memcpy(theirs, p->peer_ip, 16);
    memcpy(p->peer_ip, p->stack_ip, 16);
    p->c->peer_port = p->c->stack_port; /* source is destination in all */
    sends(SYN, .seq = IRS, .mss = 1460);
    sends(SYN | ACK, .seq = IRS, .ack = 5);
    sends(ACK, .seq = IRS, .ack = 5, .len = 10);
    p->c->peer_port = 4444;
    sends(SYN, .seq = IRS, .mss = 1460);
    expects_silence();
    holds_equal(counters_of(p).verdict[HF_V_DROP_IP_SOURCE], 4);
    holds_equal(counters_of(p).half_open, 0);
    memcpy(p->peer_ip, theirs, 16);
    new_incarnation(700);
    establish_passive();
    lives(p);
}

/* The stack's turn: how many frames it makes of what it says to itself is in segs_out. */
static void turn(struct peer *p)
{
    peer_pump(p);
    after(1);
}

/* ST-14: RFC 9293 Figure 7 with oneself: it opens, carries text, and falls silent. */
TEST(a_connection_with_itself_carries_text_and_does_not_acknowledge_for_ever)
{
    starts();
    hf_handle self;
    struct hf_endpoint here = peer_here(p, 7777);
    calls(hf_open(p->stack, &p->env, &here, &here, 0, &self));
    for (int i = 0; i < 10; i++)
        turn(p);
    struct hf_status status = {.struct_size = sizeof status};
    calls(hf_status(p->stack, &p->env, self, &status));
    holds_equal(status.state, HF_ESTABLISHED);
    static uint8_t text[50000];
    memset(text, 'x', sizeof text);
    holds_equal(hf_send(p->stack, &p->env, self, text, sizeof text, 0), sizeof text);
    uint64_t have = 0;
    for (int i = 0; i < 1000 && have < sizeof text; i++) {
        turn(p);
        int64_t n = hf_recv(p->stack, &p->env, self, got + have, sizeof text - have);
        have += n > 0 ? (uint64_t)n : 0;
    }
    holds_equal(have, sizeof text);
    holds(memcmp(text, got, sizeof text) == 0);
    after(2000);
    uint64_t sent = counters_of(p).segs_out;
    after(100000);
    holds_equal(counters_of(p).segs_out, sent);
    holds(sent < 2 * sizeof text / 500);
    expects_silence();
}

static void every_reset(struct peer *p)
{
    static const unsigned kinds[] = {RST,       RST | ACK,       RST | SYN,
                                     RST | FIN, RST | PSH | URG, RST | SYN | ACK};
    for (int k = 0; k < 6; k++)
        for (int64_t len = 0; len <= 10; len += 10) {
            forges(kinds[k], .seq = IRS + 5, .ack = 777, .len = len);
            forges(kinds[k], .seq = ZERO, .ack = ISS + 1, .len = len);
        }
}

/* ST-16: RFC 9293 3.5.2, 3.10.7.1, 3.10.7.2 first */
TEST(no_reset_is_answered_at_a_closed_port_a_listener_or_in_syn_sent)
{
    p->c->iss = 1;
    p->c->has_iss = true;
    starts();
    every_reset(p); /* CLOSED */
    expects_silence();
    listens();
    every_reset(p); /* LISTEN */
    expects_silence();
    p->c->has_iss = false;
    establish_passive(); /* it listens as before */
    lives(p);
}

/* ST-16: between two closed ends the first reset is the last. */
TEST(what_a_closed_port_answers_is_not_answered_by_another_one)
{
    starts();
    sends(ACK, .seq = 5, .ack = 777, .len = 10);
    expects(RST, .seq = 777);
    sends(SYN, .seq = 5);
    expects(RST | ACK, .seq = ZERO, .ack = 6);
    forges(RST, .seq = 777); /* as they would come to the same port */
    forges(RST | ACK, .seq = ZERO, .ack = 6);
    expects_silence();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_packet_from_the_wire_with_our_own_address_is_dropped),
        BOTH(a_connection_with_itself_carries_text_and_does_not_acknowledge_for_ever),
        BOTH(no_reset_is_answered_at_a_closed_port_a_listener_or_in_syn_sent),
        BOTH(what_a_closed_port_answers_is_not_answered_by_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
