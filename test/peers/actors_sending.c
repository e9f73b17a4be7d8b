/* actors_sending.c - peers that misbehave while the stack sends: windows, ACKs, resets, silence. */
#include "peers/actor.h"

static bool text(const struct segment *seg)
{
    return seg->text_len != 0;
}

/* Windows ---------------------------------------------------------------------------------------
 */

static bool shuts_after_2000(struct play *play, const struct segment *seg)
{
    takes(play, seg);
    if (play->open && play->rcv_nxt - iss(play) > 2000)
        play->wnd = 0;
    if (play->open)
        acks(play);
    return play->open;
}

static void few_probes(struct play *play)
{
    must(play, play->probes >= 8 && play->probes < 30);
    must(play, play->longest_ms > 60000 && play->longest_ms <= 121000);
}

static bool shuts_and_is_silent(struct play *play, const struct segment *seg)
{
    bool dealt = shuts_after_2000(play, seg);
    play->silent = play->open && play->wnd == 0;
    return dealt;
}

static void no_reset(struct play *play)
{
    must(play, play->resets == 0);
}

static bool takes_back(struct play *play, const struct segment *seg)
{
    if (!play->open || !text(seg))
        return false;
    takes(play, seg);
    play->wnd = ++play->counter % 8 < 4 ? 20000 : 200;
    acks(play);
    sends_text(play);
    return true;
}

static void gives_again(struct play *play)
{
    if (play->open && play->wnd == 200 && play->now_ms % 1000 < 10) {
        play->wnd = 20000;
        acks(play);
    }
}

static bool one_octet_windows(struct play *play, const struct segment *seg)
{
    play->wnd = play->open && !(seg->ctl & SYN) ? 1 : play->wnd;
    return false;
}

static void seldom(struct play *play)
{
    must(play, play->texts <= 60);
}

static bool toggles(struct play *play, const struct segment *seg)
{
    if (text(seg) && play->open)
        play->wnd = play->wnd ? 0 : 4000;
    return false;
}

static void reopens(struct play *play)
{
    if (play->open && play->wnd == 0 && play->now_ms % 700 < 10) {
        play->wnd = 4000;
        acks(play);
    }
}

/* ACKs ------------------------------------------------------------------------------------------
 */

static bool divides(struct play *play, const struct segment *seg)
{
    if (!play->open || !text(seg) || seg->seq.v != play->rcv_nxt)
        return false;
    uint32_t end = seg->seq.v + seg->text_len;
    while (play->rcv_nxt + 10 < end) {
        play->rcv_nxt += 10;
        acks(play);
    }
    return false;
}

static void no_more_than_doubled(struct play *play)
{
    must(play, play->most_out <= 2 * 14600 + 1460);
}

static bool ahead(struct play *play, const struct segment *seg)
{
    if (play->open && text(seg) && play->counter++ < 5)
        says(play, ACK, .ack = play->highest + 5000);
    return false;
}

static bool thrice(struct play *play, const struct segment *seg)
{
    behaves(play, seg);
    if (play->open && text(seg)) {
        acks(play);
        acks(play);
    }
    return true;
}

static void few_repeats(struct play *play)
{
    must(play, play->repeats <= play->texts / 4);
}

static void sacks_allowed(struct play *play)
{
    play->p->with.sackok = true;
}

/* The first segment never comes; the others are held, it says, and then it has dropped them. */
static bool reneges(struct play *play, const struct segment *seg)
{
    if (!play->open || !text(seg) || play->counter >= 9 || play->now_ms >= 150)
        return false;
    if (seg->seq.v == iss(play) + 1)
        return true;
    play->counter++;
    says(play, ACK, .sack = {{ISS + 1461, seg->seq.v + seg->text_len}});
    return true;
}

static bool absurd_sacks(struct play *play, const struct segment *seg)
{
    if (!play->open || !text(seg))
        return false;
    takes(play, seg);
    uint32_t at = play->rcv_nxt;
    says(play, ACK,
         .sack = {{at + 100000, at + 200000}, {at + 50, at + 20}, {ISS - 500, ISS - 400}});
    sends_text(play);
    return true;
}

static void nothing_twice(struct play *play)
{
    must(play, play->repeats == 0);
}

static void stamps(struct play *play)
{
    play->p->with.tsval = 1000;
}

static bool absurd_echoes(struct play *play, const struct segment *seg)
{
    if (!play->open || !text(seg))
        return false;
    takes(play, seg);
    says(play, ACK, .tsval = (play->p->env.now_ns / 1000000) + 1000,
         .tsecr = 1 + (play->counter++ * 2654435761u) % 4000000000u);
    sends_text(play);
    return true;
}

static bool stops_stamping(struct play *play, const struct segment *seg)
{
    if (!play->open || !text(seg) || play->counter++ < 3)
        return false;
    says(play, ACK, .no_ts = true, .ack = seg->seq.v + seg->text_len);
    return true;
}

static bool old_stamps(struct play *play, const struct segment *seg)
{
    if (!play->open || !text(seg) || play->now_ms > 2000)
        return false;
    says(play, ACK, .tsval = 3, .ack = seg->seq.v + seg->text_len);
    return true;
}

static bool late(struct play *play, const struct segment *seg)
{
    if (!play->open || (seg->ctl & SYN))
        return false;
    takes(play, seg);
    if (play->at_ms == 0)
        play->at_ms = play->now_ms + 5000;
    return true;
}

static void acks_late(struct play *play)
{
    if (play->at_ms && play->now_ms >= play->at_ms) {
        play->at_ms = 0;
        acks(play);
        sends_text(play);
    }
}

static void bounded_repeats(struct play *play)
{
    must(play, play->repeats <= 25);
}

static bool stretches(struct play *play, const struct segment *seg)
{
    if (!play->open || !text(seg) || (seg->ctl & FIN))
        return false;
    takes(play, seg);
    play->at_ms = play->now_ms + 50;
    if (++play->counter % 64 == 0)
        acks(play);
    return true;
}

/* Silence and resets ----------------------------------------------------------------------------
 */

static bool falls_silent(struct play *play, const struct segment *seg)
{
    play->silent = text(seg);
    return play->silent;
}

static bool forgot(struct play *play, const struct segment *seg)
{
    if (!text(seg))
        return false;
    says(play, RST);
    return true;
}

static bool inexact_resets(struct play *play, const struct segment *seg)
{
    if (play->open && text(seg))
        says(play, RST, .seq = play->snd_nxt + 1 + play->counter++ % 1000);
    return false;
}

static bool far_resets(struct play *play, const struct segment *seg)
{
    if (play->open && text(seg)) {
        says(play, RST, .seq = play->snd_nxt - 1);
        says(play, RST, .seq = play->snd_nxt + 1000000000);
    }
    return false;
}

static bool syns(struct play *play, const struct segment *seg)
{
    if (play->open && text(seg)) {
        says(play, SYN, .seq = play->snd_nxt + 10000, .mss = 1460);
        says(play, SYN | ACK, .seq = IRS, .mss = 1460);
    }
    return false;
}

static bool bad_checksums(struct play *play, const struct segment *seg)
{
    if (play->open && text(seg)) {
        says_raw(play, play->snd_nxt, play->rcv_nxt + 1460, ACK, 7, 100, true);
        says_raw(play, play->snd_nxt, play->rcv_nxt, RST | ACK, 0, 0, true);
    }
    return false;
}

static void counted_checksums(struct play *play)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(play->p->stack, &counters);
    must(play, counters.verdict[HF_V_DROP_TCP_CHECKSUM] >= 2 && play->read == 0);
}

static bool hard_errors(struct play *play, const struct segment *seg)
{
    struct peer *p = play->p;
    if (play->open && text(seg)) {
        peer_icmp_error(p, p->peer_ip, p->v6 ? 1 : 3, p->v6 ? 4 : 3, 0, seg->seq.v);
        peer_icmp_error(p, p->peer_ip, p->v6 ? 1 : 4, 0, 0, seg->seq.v);
    }
    return false;
}

/* The path loses what is long, and no router says so. */
static bool black_hole(struct play *play, const struct segment *seg)
{
    (void)play;
    return seg->text_len > 1220; /* 1280 octets are every IPv6 path's */
}

static void large_ones_later(struct play *play)
{
    must(play, play->now_ms < 120000);
}

static bool absurd_mtu(struct play *play, const struct segment *seg)
{
    struct peer *p = play->p;
    if (play->open && text(seg) && play->counter++ < 3)
        peer_icmp_error(p, p->peer_ip, p->v6 ? 2 : 3, p->v6 ? 0 : 4, 68, seg->seq.v);
    return false;
}

static void segments_of_512(struct play *play)
{
    must(play, play->texts <= play->actor->octets / 500 + 30);
}

const struct actor actors_sending[] = {
    {.habit = "closes its window for good and answers every probe",
     .shows = "probes ever more seldom, every two minutes at last, and keeps the connection",
     .octets = 20000,
     .seconds = 1200,
     .react = shuts_after_2000,
     .judge = few_probes,
     .stays = true},
    {.habit = "closes its window and falls silent",
     .shows = "gives up without a reset",
     .octets = 20000,
     .seconds = 3600,
     .react = shuts_and_is_silent,
     .judge = no_reset,
     .error = HF_ERR_TIMED_OUT},
    {.habit = "takes back what its window had promised",
     .shows = "waits, and everything arrives",
     .octets = 100000,
     .react = takes_back,
     .tick = gives_again},
    {.habit = "never opens its window by more than one octet",
     .shows = "sends seldom, and everything arrives",
     .octets = 50,
     .react = one_octet_windows,
     .judge = seldom},
    {.habit = "opens and closes its window with each segment",
     .shows = "goes on each time",
     .octets = 50000,
     .react = toggles,
     .tick = reopens},
    {.habit = "acknowledges ten octets at a time",
     .shows = "counts octets, not ACKs, when its window grows",
     .octets = 60000,
     .react = divides,
     .judge = no_more_than_doubled},
    {.habit = "acknowledges what was not sent yet",
     .shows = "believes none of it",
     .octets = 50000,
     .react = ahead,
     .judge = nothing_twice},
    {.habit = "says each ACK three times",
     .shows = "sends little of it again",
     .octets = 100000,
     .react = thrice,
     .judge = few_repeats},
    {.habit = "drops what it said it held",
     .shows = "sends all of it again",
     .octets = 14600,
     .prepare = sacks_allowed,
     .react = reneges},
    {.habit = "holds, it says, what was never sent",
     .shows = "heeds no such block",
     .octets = 50000,
     .prepare = sacks_allowed,
     .react = absurd_sacks,
     .judge = nothing_twice},
    {.habit = "echoes timestamps that were never sent",
     .shows = "sends nothing twice for it",
     .octets = 50000,
     .prepare = stamps,
     .react = absurd_echoes,
     .judge = nothing_twice},
    {.habit = "leaves its timestamps out after a while",
     .shows = "takes none of that, and gives up",
     .octets = 50000,
     .seconds = 3600,
     .prepare = stamps,
     .react = stops_stamping,
     .judge = no_reset,
     .error = HF_ERR_TIMED_OUT},
    {.habit = "sends old timestamps for two seconds",
     .shows = "goes on when they are new again",
     .octets = 20000,
     .prepare = stamps,
     .react = old_stamps},
    {.habit = "takes five seconds for each ACK",
     .shows = "learns to wait",
     .octets = 100000,
     .react = late,
     .tick = acks_late,
     .judge = bounded_repeats},
    {.habit = "acknowledges every 64th segment",
     .shows = "sends on",
     .octets = 500000,
     .react = stretches,
     .tick = acks_late},
    {.habit = "falls silent when text comes",
     .shows = "gives up without a reset",
     .octets = 3000,
     .seconds = 3600,
     .react = falls_silent,
     .judge = no_reset,
     .error = HF_ERR_TIMED_OUT},
    {.habit = "has forgotten the connection",
     .shows = "tells that it was reset",
     .octets = 3000,
     .react = forgot,
     .error = HF_ERR_RESET},
    {.habit = "resets with numbers a little off",
     .shows = "asks, and goes on",
     .octets = 50000,
     .react = inexact_resets,
     .judge = no_reset},
    {.habit = "resets from outside the window",
     .shows = "ignores it",
     .octets = 50000,
     .react = far_resets,
     .judge = no_reset},
    {.habit = "sends SYNs on an open connection",
     .shows = "asks, and goes on",
     .octets = 50000,
     .react = syns,
     .judge = no_reset},
    {.habit = "sends segments with bad checksums",
     .shows = "counts them and looks no further",
     .octets = 50000,
     .react = bad_checksums,
     .judge = counted_checksums},
    {.habit = "answers text with hard ICMP errors",
     .shows = "goes on",
     .octets = 50000,
     .react = hard_errors},
    {.habit = "sits behind a path that loses long segments in silence",
     .shows = "finds that out and sends shorter ones",
     .octets = 50000,
     .react = black_hole,
     .judge = large_ones_later},
    {.habit = "says that the path takes 68 octets",
     .shows = "does not send segments of that size",
     .octets = 50000,
     .react = absurd_mtu,
     .judge = segments_of_512},
    {.habit = NULL},
};
