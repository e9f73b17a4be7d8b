/* scripts_windows.c - RFC 9293 section 3.8.6: peers whose windows make no sense. */
#include "peers/scripts.h"

/* For so many seconds everything is answered with a closed window; returns segments seen. */
static uint32_t stays_closed(struct peer *p, int64_t acked, int seconds)
{
    uint32_t n = 0;
    for (int i = 0; i < seconds; i++) {
        after(1000);
        uint32_t now = peers_take_all(p);
        if (now) {
            sends(ACK, .ack = acked, .wnd = ZERO);
        }
        n += now;
    }
    return n;
}

/* MUST-34: what is in flight stays valid, nothing new goes, and it goes on when it opens again. */
ACTOR(shrinks_its_window_below_what_is_in_flight)
{
    establish_active();
    writes(8760);
    for (int i = 0; i < 6; i++)
        expects(ACK, .len = 1460);
    sends(ACK, .ack = ISS + 1461, .wnd = ZERO);
    stays_closed(p, ISS + 1461, 120);
    holds_equal(status_of(snd_nxt), peer_number(p, ISS + 8761));
    expects_state(HF_ESTABLISHED);
    sends(ACK, .ack = ISS + 8761, .wnd = 65535);
    holds_equal(status_of(queued_bytes), 0);
    writes(100);
    expects(ACK, .seq = ISS + 8761, .len = 100);
}

/* MUST-36, MUST-37: probes for as long as they are answered, ever more seldom, two minutes apart at
 * most. */
ACTOR(closes_its_window_and_never_opens_it)
{
    establish_active();
    sends(ACK, .ack = ISS + 1, .wnd = ZERO);
    writes(1000);
    uint32_t first = stays_closed(p, ISS + 1, 600);
    holds(first >= 8 && first <= 16);
    uint32_t later = stays_closed(p, ISS + 1, 7200);
    holds(later >= 55 && later <= 70);
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(queued_bytes), 1000);
}

ACTOR(closes_its_window_and_is_gone)
{
    establish_active();
    sends(ACK, .ack = ISS + 1, .wnd = ZERO);
    writes(1000);
    after(4000000);
    holds(peers_take_all(p) >= 15);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* Nobody waits for it but us: RFC 6429 4. */
ACTOR(keeps_the_window_of_a_released_connection_closed)
{
    establish_active();
    sends(ACK, .ack = ISS + 1, .wnd = ZERO);
    writes(1000);
    closes();
    releases();
    stays_closed(p, ISS + 1, 3000);
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(p->stack, &now);
    holds_equal(now.connections, 0);
}

/* 3.8.6.2.1: no segment of an octet each. */
ACTOR(opens_its_window_an_octet_at_a_time)
{
    establish_active();
    sends(ACK, .ack = ISS + 1, .wnd = ZERO);
    writes(10000);
    for (int i = 1; i <= 100; i++)
        sends(ACK, .ack = ISS + 1, .wnd = i);
    expects_silence();
    sends(ACK, .ack = ISS + 1, .wnd = 1460);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    expects_silence();
}

/* The override timer: something goes, or it would be a deadlock. */
ACTOR(never_opens_its_window_wider_than_ten_octets)
{
    establish_active();
    sends(ACK, .ack = ISS + 1, .wnd = ZERO);
    writes(30);
    for (int i = 0; i < 3; i++) {
        sends(ACK, .ack = ISS + 1 + 10 * i, .wnd = 10);
        after(10000);
        holds(peers_take_all(p) >= 1);
        holds_equal(status_of(snd_nxt), peer_number(p, ISS + 1 + 10 * (i + 1)));
    }
    sends(ACK, .ack = ISS + 31, .wnd = 10);
    holds_equal(status_of(queued_bytes), 0);
}

/* 3.4: what lies beyond the window is cut off, and no octet of it is kept. */
ACTOR(overruns_our_window)
{
    p->wild = true;
    establish_active();
    sets(HF_RECEIVE_WINDOW, 65535);
    for (int i = 0; i < 50; i++)
        sends(ACK, .seq = IRS + 1 + 1460 * i, .len = 1460);
    peers_take_all(p);
    uint32_t edge = status_of(rcv_nxt) + status_of(rcv_wnd);
    holds(status_of(unread_bytes) <= 65535);
    holds((int32_t)(edge - status_of(rcv_nxt)) >= 0);
    sends(ACK, .seq = IRS + 1 + 1000000, .len = 1460);
    expects(ACK);
    holds(status_of(out_of_order_bytes) == 0);
}

/* RFC 7323 2.3 */
ACTOR(scales_its_window_by_fifteen)
{
    p->with.wscale = SHIFT(15);
    establish_active();
    holds_equal(status_of(snd_wscale), 14);
}

/* SND.WL1, SND.WL2: an old segment must not close a window that is open. */
ACTOR(lets_an_old_segment_with_another_window_come_late)
{
    establish_active();
    sends(ACK, .len = 100, .wnd = 20000);
    expects(ACK, .ack = IRS + 101);
    sends(ACK, .seq = IRS + 51, .len = 50, .wnd = 10);
    peers_take_all(p);
    holds_equal(status_of(snd_wnd), 20000);
}

/* A forged segment far ahead must not close it either. */
ACTOR(closes_the_window_by_a_segment_ahead_of_what_is_missing)
{
    establish_active();
    sends(ACK, .seq = IRS + 1001, .len = 10, .wnd = ZERO);
    peers_take_all(p);
    holds_equal(status_of(snd_wnd), 65535);
}

ACTOR(sends_window_updates_without_end)
{
    establish_active();
    writes(1000);
    expects(ACK, .len = 1000);
    for (int i = 0; i < 500; i++)
        sends(ACK, .ack = ISS + 1, .wnd = 30000 + i);
    expects_silence(); /* no duplicates: nothing is sent again for them */
    holds_equal(status_of(cwnd), 14600);
}

const struct misbehaviour scripts_windows[] = {
    {"shrinks its window below what is in flight", shrinks_its_window_below_what_is_in_flight},
    {"closes its window and never opens it", closes_its_window_and_never_opens_it},
    {"closes its window and is gone", closes_its_window_and_is_gone},
    {"keeps the window of a released connection closed",
     keeps_the_window_of_a_released_connection_closed},
    {"opens its window an octet at a time", opens_its_window_an_octet_at_a_time},
    {"never opens its window wider than ten octets", never_opens_its_window_wider_than_ten_octets},
    {"overruns our window", overruns_our_window},
    {"scales its window by fifteen", scales_its_window_by_fifteen},
    {"lets an old segment with another window come late",
     lets_an_old_segment_with_another_window_come_late},
    {"closes the window by a segment ahead of what is missing",
     closes_the_window_by_a_segment_ahead_of_what_is_missing},
    {"sends window updates without end", sends_window_updates_without_end},
    {NULL, NULL},
};
