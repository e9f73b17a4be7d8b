/* scripts_acks.c - RFC 5681, 2018, 6675: peers that acknowledge what they should not, or not at
 * all.
 */
#include "peers/scripts.h"

#define SEGMENT(n) (ISS + 1 + 1460 * ((int64_t)(n)-1))

static void sends_ten(struct peer *p)
{
    establish_active();
    writes(30 * 1460);
    for (int i = 1; i <= 10; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1460);
    expects_silence();
}

/* RFC 5681 3.1, RFC 3465: growth by octets. */
ACTOR(acknowledges_each_octet_by_itself)
{
    sends_ten(p);
    uint32_t before = status_of(cwnd);
    for (int i = 1; i <= 500; i++)
        sends(ACK, .ack = ISS + 1 + i);
    peers_take_all(p);
    holds_equal(status_of(cwnd), before + 500);
}

/* 3.10.7.4 fifth: an ACK of something not yet sent is answered and changes nothing. */
ACTOR(acknowledges_what_was_not_sent_yet)
{
    sends_ten(p);
    for (int i = 0; i < 20; i++)
        sends(ACK, .ack = ISS + 1 + 1000000);
    uint32_t answers = peers_take_all(p);
    holds(answers >= 1 && answers <= 20);
    holds_equal(status_of(snd_una), peer_number(p, ISS + 1));
    holds_equal(status_of(cwnd), 14600);
    sends(ACK, .ack = SEGMENT(11));
    holds_equal(status_of(snd_una), peer_number(p, SEGMENT(11)));
}

/* RFC 5961 5: blind injection. */
ACTOR(sends_text_with_an_ack_from_long_ago)
{
    establish_active();
    sends(ACK, .ack = ISS - 200000, .len = 100);
    expects(ACK, .ack = IRS + 1);
    holds_equal(status_of(unread_bytes), 0);
}

/* RFC 6675 2: with SACK, one without news of held octets is no duplicate. */
ACTOR(floods_duplicates_that_tell_nothing)
{
    p->with.sackok = true;
    sends_ten(p);
    for (int i = 0; i < 1000; i++)
        sends(ACK, .ack = ISS + 1);
    expects_silence();
    holds_equal(status_of(cwnd), 14600);
}

/* RFC5681-35: each stands for a segment that has left, so no more than were sent, and the
 * window of the peer holds. */
ACTOR(floods_duplicates_without_sack)
{
    sends_ten(p);
    for (int i = 0; i < 1000; i++)
        sends(ACK, .ack = ISS + 1);
    holds(peers_take_all(p) <= 35); /* what is queued, once, and what is repeated */
    sends(ACK, .ack = SEGMENT(11));
    holds(status_of(cwnd) <= 20 * 1460);
}

/* RFC 2018 8: what was SACKed may be dropped: it is kept here until it is acknowledged. */
ACTOR(takes_back_what_it_sacked)
{
    p->with.sackok = true;
    sends_ten(p);
    sends(ACK, .ack = ISS + 1, .sack = {{SEGMENT(2), SEGMENT(11)}});
    after(3000);
    peers_take_all(p);
    uint32_t end = peer_number(p, SEGMENT(31));
    uint32_t next = peer_number(p, SEGMENT(2)); /* from now on it holds what it acknowledges */
    for (int round = 0; round < 200 && next != end; round++) {
        sends(ACK, .ack = ISS + (int64_t)(next - p->c->iss));
        after(round % 4 == 3 ? 5000 : 200);
        for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
            uint32_t behind = seen->seg.seq.v + seen->seg.text_len;
            bool here = (int32_t)(next - seen->seg.seq.v) >= 0 && (int32_t)(behind - next) > 0;
            next = seen->is_tcp && here ? behind : next;
            peer_taken(p, seen);
        }
    }
    holds(next == end);
    sends(ACK, .ack = SEGMENT(31));
    holds_equal(status_of(queued_bytes), 0);
}

ACTOR(sacks_what_was_not_sent)
{
    p->with.sackok = true;
    sends_ten(p);
    sends(ACK, .ack = ISS + 1, .sack = {{SEGMENT(20), SEGMENT(25)}});
    sends(ACK, .ack = ISS + 1, .sack = {{SEGMENT(9), SEGMENT(15)}});
    expects_silence();
    sends(ACK, .ack = SEGMENT(11));
    holds_equal(status_of(snd_una), peer_number(p, SEGMENT(11)));
}

ACTOR(sends_blocks_that_end_before_they_begin)
{
    p->with.sackok = true;
    sends_ten(p);
    sends(ACK, .ack = ISS + 1, .sack = {{SEGMENT(9), SEGMENT(3)}, {SEGMENT(5), SEGMENT(5)}});
    expects_silence();
    holds_equal(status_of(snd_una), peer_number(p, ISS + 1));
    sends(ACK, .ack = SEGMENT(11));
    holds_equal(status_of(snd_una), peer_number(p, SEGMENT(11)));
}

/* 500 stretches of an octet: the records for them are bounded. */
ACTOR(sacks_every_other_octet)
{
    p->with.sackok = true;
    sends_ten(p);
    for (int i = 0; i < 500; i++)
        sends(ACK, .ack = ISS + 1, .sack = {{ISS + 3 + 2 * i, ISS + 4 + 2 * i}});
    peers_take_all(p);
    sends(ACK, .ack = SEGMENT(11));
    holds_equal(status_of(snd_una), peer_number(p, SEGMENT(11)));
    expects_state(HF_ESTABLISHED);
}

/* RFC 6298 5.5, 5.6; R2 of RFC 9293 3.8.3. */
ACTOR(acknowledges_nothing)
{
    establish_active();
    writes(1000);
    expects(ACK, .len = 1000);
    after(60000);
    holds(peers_take_all(p) <= 10);
    after(2000000);
    holds(peers_take_all(p) >= 6);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* An ACK is not answered by an ACK. */
ACTOR(sends_acks_without_end)
{
    establish_active();
    for (int i = 0; i < 1000; i++)
        sends(ACK);
    expects_silence();
}

/* Each is answered at most: RFC 5961 7 throttles those without text. */
ACTOR(sends_empty_segments_below_the_window_without_end)
{
    establish_active();
    for (int i = 0; i < 1000; i++)
        sends(ACK, .seq = IRS - 50);
    holds(peers_take_all(p) <= 1);
    after(600);
    sends(ACK, .seq = IRS - 50);
    expects(ACK, .ack = IRS + 1);
}

/* SND.UNA does not go back. */
ACTOR(takes_its_acknowledgment_back)
{
    sends_ten(p);
    sends(ACK, .ack = SEGMENT(6));
    peers_take_all(p);
    sends(ACK, .ack = SEGMENT(3));
    holds_equal(status_of(snd_una), peer_number(p, SEGMENT(6)));
    expects_silence();
}

/* A timeout each time, and in the end all of it has arrived. */
ACTOR(acknowledges_one_segment_in_five_seconds)
{
    establish_active();
    writes(5 * 1460);
    peers_take_all(p);
    for (int i = 1; i <= 5; i++) {
        after(5000);
        peers_take_all(p);
        sends(ACK, .ack = SEGMENT(i + 1));
    }
    peers_take_all(p);
    holds_equal(status_of(queued_bytes), 0);
    expects_state(HF_ESTABLISHED);
}

const struct misbehaviour scripts_acks[] = {
    {"acknowledges each octet by itself", acknowledges_each_octet_by_itself},
    {"acknowledges what was not sent yet", acknowledges_what_was_not_sent_yet},
    {"sends text with an ACK from long ago", sends_text_with_an_ack_from_long_ago},
    {"floods duplicate ACKs that tell nothing", floods_duplicates_that_tell_nothing},
    {"floods duplicate ACKs without SACK", floods_duplicates_without_sack},
    {"takes back what it SACKed", takes_back_what_it_sacked},
    {"SACKs what was not sent", sacks_what_was_not_sent},
    {"sends SACK blocks that end before they begin", sends_blocks_that_end_before_they_begin},
    {"SACKs every other octet", sacks_every_other_octet},
    {"acknowledges nothing", acknowledges_nothing},
    {"sends ACKs without end", sends_acks_without_end},
    {"sends empty segments below the window without end",
     sends_empty_segments_below_the_window_without_end},
    {"takes its acknowledgment back", takes_its_acknowledgment_back},
    {"acknowledges one segment in five seconds", acknowledges_one_segment_in_five_seconds},
    {NULL, NULL},
};
