/* scripts_options.c - RFC 9293 section 3.7.1, RFC 7323, ICMP: peers whose options, and whose
 * network, tell nonsense. */
#include "peers/scripts.h"

/* Segments of an octet would be answered by a flood of headers. */
ACTOR(announces_an_mss_of_one)
{
    p->with.mss = 1;
    establish_active();
    writes(1000);
    expects(ACK, .len = 216);
}

ACTOR(announces_an_mss_of_65535)
{
    p->with.mss = 65535;
    establish_active();
    writes(3000);
    expects(ACK, .len = 1460);
}

/* RFC 7323 5.3 R1: acknowledged and dropped; TS.Recent stays. */
ACTOR(turns_its_timestamps_back)
{
    p->with.tsval = 10000;
    establish_active();
    sends(ACK, .len = 10, .tsval = 11000);
    expects(ACK, .ack = IRS + 11);
    sends(ACK, .seq = IRS + 11, .len = 10, .tsval = 9000);
    expects(ACK, .ack = IRS + 11, .tsecr = 11000);
    holds_equal(status_of(unread_bytes), 10);
}

/* RFC 7323 3.2: silently. */
ACTOR(stops_sending_timestamps)
{
    p->with.tsval = 10000;
    establish_active();
    for (int i = 0; i < 10; i++)
        sends(ACK, .seq = IRS + 1, .len = 10, .no_ts = true);
    expects_silence();
    holds_equal(status_of(unread_bytes), 0);
    sends(RST, .seq = IRS + 1, .no_ts = true); /* but a reset counts */
    expects_closed(HF_ERR_RESET);
}

ACTOR(sends_timestamps_that_were_not_agreed_upon)
{
    establish_active();
    sends(ACK, .len = 10, .tsval = 77, .tsecr = 99);
    expects(ACK, .ack = IRS + 11, .no_ts = true);
    reads(10);
}

/* An echo of a time that we never had is no round trip. */
ACTOR(echoes_timestamps_that_we_never_sent)
{
    p->with.tsval = 10000;
    establish_active();
    uint32_t rto_ms = status_of(rto_ms);
    writes(1000);
    expects(ACK, .len = 1000);
    sends(ACK, .ack = ISS + 1001, .tsval = 10001, .tsecr = 3);
    holds_equal(status_of(queued_bytes), 0);
    holds(status_of(rto_ms) <= 2 * rto_ms);
}

ACTOR(offers_no_option_at_all)
{
    p->with.mss = 0;
    establish_active();
    writes(3000);
    expects(ACK, .len = p->v6 ? 1220 : 536, .no_ts = true);
}

/* RFC 5927: errors about what is not in flight are not about us. */
ACTOR(lies_that_the_path_is_narrow)
{
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    uint8_t type = p->v6 ? 2 : 3;
    uint8_t code = p->v6 ? 0 : 4;
    peer_icmp_error(p, p->peer_ip, type, code, 1300, ISS + 500000);
    holds_equal(status_of(snd_mss), 1460);
    peer_icmp_error(p, p->peer_ip, type, code, p->v6 ? 1000 : 68, ISS + 1);
    holds(status_of(snd_mss) >= (p->v6 ? 1220 : 512));
    peers_take_all(p);
    sends(ACK, .ack = ISS + 1461);
    holds_equal(status_of(queued_bytes), 0);
}

/* RFC 5461, RFC 1122 4.2.3.9: an open connection outlives what it is told. */
ACTOR(lets_it_be_told_that_it_is_unreachable)
{
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    for (uint8_t code = 0; code <= 3; code++)
        peer_icmp_error(p, p->peer_ip, p->v6 ? 1 : 3, code, 0, ISS + 1);
    peers_take_all(p);
    expects_state(HF_ESTABLISHED);
    sends(ACK, .ack = ISS + 101);
    holds_equal(status_of(queued_bytes), 0);
}

const struct misbehaviour scripts_options[] = {
    {"announces an MSS of one", announces_an_mss_of_one},
    {"announces an MSS of 65535", announces_an_mss_of_65535},
    {"turns its timestamps back", turns_its_timestamps_back},
    {"stops sending timestamps", stops_sending_timestamps},
    {"sends timestamps that were not agreed upon", sends_timestamps_that_were_not_agreed_upon},
    {"echoes timestamps that we never sent", echoes_timestamps_that_we_never_sent},
    {"offers no option at all", offers_no_option_at_all},
    {"lets a router lie that the path is narrow", lies_that_the_path_is_narrow},
    {"lets a router say that it is unreachable", lets_it_be_told_that_it_is_unreachable},
    {NULL, NULL},
};
