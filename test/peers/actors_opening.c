/* actors_opening.c - peers that misbehave while a connection opens, or offer what cannot be. */
#include "peers/actor.h"

static bool pure_syn(const struct segment *seg)
{
    return (seg->ctl & (SYN | ACK)) == SYN;
}

static bool syn_ack(const struct segment *seg)
{
    return (seg->ctl & (SYN | ACK)) == (SYN | ACK);
}

static bool ignore_two(struct play *play, const struct segment *seg)
{
    return pure_syn(seg) && play->counter++ < 2;
}

static void three_syns(struct play *play)
{
    must(play, play->counter == 3 && play->now_ms >= 3000);
}

static bool syn_for_syn(struct play *play, const struct segment *seg)
{
    if (!pure_syn(seg))
        return false;
    play->rcv_nxt = seg->seq.v + 1;
    says(play, SYN, .seq = IRS, .mss = 1460);
    return true;
}

static bool wrong_ack_first(struct play *play, const struct segment *seg)
{
    if (!pure_syn(seg) || play->counter++)
        return false;
    play->rcv_nxt = seg->seq.v + 1;
    says(play, SYN | ACK, .seq = IRS, .ack = ISS + 77, .mss = 1460);
    return true;
}

static void one_reset(struct play *play)
{
    must(play, play->resets == 1);
}

static bool wrong_reset_first(struct play *play, const struct segment *seg)
{
    if (!pure_syn(seg) || play->counter++)
        return false;
    says(play, RST, .seq = IRS + 1);
    says(play, RST | ACK, .seq = IRS, .ack = ISS);
    says(play, RST | ACK, .seq = IRS, .ack = ISS + 2);
    return true;
}

static void two_syns(struct play *play)
{
    must(play, play->counter == 2 && play->resets == 0);
}

static bool refuse(struct play *play, const struct segment *seg)
{
    play->rcv_nxt = seg->seq.v + 1;
    says(play, RST | ACK, .seq = IRS);
    return true;
}

static void text_on_syn(struct play *play)
{
    play->p->with.len = 100;
}

static bool no_third_segment(struct play *play, const struct segment *seg)
{
    (void)play;
    return syn_ack(seg);
}

static void six_syn_acks(struct play *play)
{
    must(play, play->segs == 6 && play->resets == 0);
}

static bool third_of_unsent(struct play *play, const struct segment *seg)
{
    if (!syn_ack(seg) || play->counter++)
        return false;
    says(play, ACK, .seq = IRS + 1, .ack = ISS + 99);
    return true;
}

static bool not_yet(struct play *play, const struct segment *seg)
{
    play->counter += syn_ack(seg);
    return syn_ack(seg) && play->now_ms < 900;
}

static void syn_again(struct play *play)
{
    if (!play->open) {
        uint32_t nxt = play->snd_nxt;
        play->snd_nxt = irs(play);
        says(play, SYN, .mss = 1460);
        play->snd_nxt = nxt;
    }
}

static void few_syn_acks(struct play *play)
{
    must(play, play->counter <= 4);
}

static void tiny_mss(struct play *play)
{
    play->p->with.mss = 1;
}

static void largest_216(struct play *play)
{
    must(play, play->largest == 216);
}

static void no_mss(struct play *play)
{
    play->p->with.mss = 0;
}

static void largest_default(struct play *play)
{
    must(play, play->largest == (play->p->v6 ? 1220 : 536));
}

static void huge_scale(struct play *play)
{
    play->p->with.wscale = SHIFT(255);
    play->wnd = 3; /* 3 << 14 */
}

static void within_48_kib(struct play *play)
{
    must(play, play->most_out <= 3u << 14);
}

static void scale_unasked(struct play *play)
{
    play->p->config.policy.window_scale = false;
    play->p->with.wscale = SHIFT(7);
    play->wnd = 3000;
}

static void within_3000(struct play *play)
{
    must(play, play->most_out <= 3000);
}

static bool syn_ack_closed(struct play *play, const struct segment *seg)
{
    if (pure_syn(seg))
        play->wnd = 0;
    return false;
}

static void opens_late(struct play *play)
{
    if (play->now_ms > 2000 && play->wnd == 0) {
        play->wnd = 65535;
        acks(play);
    }
}

const struct actor actors_opening[] = {
    {.habit = "answers the third SYN only",
     .shows = "repeats its SYN after 1 and 3 seconds and opens",
     .octets = 3000,
     .react = ignore_two,
     .judge = three_syns},
    {.habit = "answers a SYN with a SYN", .shows = "opens", .octets = 3000, .react = syn_for_syn},
    {.habit = "first acknowledges a SYN that was never sent",
     .shows = "resets that, and opens when the right answer comes",
     .octets = 3000,
     .react = wrong_ack_first,
     .judge = one_reset},
    {.habit = "first resets with numbers that do not fit",
     .shows = "ignores that and sends its SYN again",
     .octets = 3000,
     .react = wrong_reset_first,
     .judge = two_syns},
    {.habit = "refuses", .shows = "tells so at once", .react = refuse, .error = HF_ERR_REFUSED},
    {.habit = "puts text on its SYN",
     .shows = "takes it when it comes again, and once",
     .job = TAKE,
     .octets = 5000,
     .prepare = text_on_syn},
    {.habit = "never completes its handshake",
     .shows = "repeats its SYN,ACK five times and forgets it",
     .job = SERVE,
     .react = no_third_segment,
     .judge = six_syn_acks},
    {.habit = "sends a third segment that acknowledges what was never sent",
     .shows = "resets that, and opens when the right one comes",
     .job = SERVE,
     .octets = 3000,
     .react = third_of_unsent,
     .judge = one_reset},
    {.habit = "repeats its SYN a hundred times a second",
     .shows = "answers some, and opens",
     .job = SERVE,
     .octets = 3000,
     .react = not_yet,
     .tick = syn_again,
     .judge = few_syn_acks},
    {.habit = "offers an MSS of one octet",
     .shows = "sends segments of 216 octets",
     .octets = 5000,
     .prepare = tiny_mss,
     .judge = largest_216},
    {.habit = "offers no MSS",
     .shows = "sends segments of the default size",
     .octets = 5000,
     .prepare = no_mss,
     .judge = largest_default},
    {.habit = "offers a window scale of 255",
     .shows = "takes it for 14",
     .octets = 200000,
     .prepare = huge_scale,
     .judge = within_48_kib},
    {.habit = "offers a window scale that nobody asked for",
     .shows = "does not scale its window",
     .octets = 50000,
     .prepare = scale_unasked,
     .judge = within_3000},
    {.habit = "opens with a closed window",
     .shows = "waits for it to open",
     .octets = 5000,
     .react = syn_ack_closed,
     .tick = opens_late},
    {.habit = NULL},
};
