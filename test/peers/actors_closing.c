/* actors_closing.c - peers that misbehave while a connection closes. */
#include "peers/actor.h"

static bool fin(const struct segment *seg)
{
    return seg->ctl & FIN;
}

/* Takes and acknowledges everything; its own FIN never comes. */
static bool never_closes(struct play *play, const struct segment *seg)
{
    if (!play->open || (seg->ctl & (SYN | RST)))
        return false;
    takes(play, seg);
    if (seg->len || seg->seq.v != play->rcv_nxt)
        acks(play);
    return true;
}

static void waits(struct play *play)
{
    must(play, play->now_ms >= 600000 && play->resets == 0);
    must(play, play->now_ms - play->last_seg_ms > 500000); /* in FIN-WAIT-2 nothing is due */
}

static void gone_in_a_minute(struct play *play)
{
    must(play, play->now_ms >= 60000 && play->now_ms < 70000);
}

static bool never_acks_fin(struct play *play, const struct segment *seg)
{
    if (!play->open || !fin(seg))
        return false;
    play->silent = true;
    return true;
}

static void over_100_seconds(struct play *play)
{
    must(play, play->now_ms >= 100000 && play->now_ms < 200000);
}

static bool shuts(struct play *play, const struct segment *seg)
{
    play->wnd = play->open ? 0 : play->wnd;
    return never_closes(play, seg);
}

static void probed_then_reset(struct play *play)
{
    must(play, play->resets == 1 && play->probes >= 10);
}

static void fin_again(struct play *play)
{
    if (play->fin_sent && play->snd_una == play->snd_nxt && play->now_ms < 100000 &&
        play->now_ms % 100 < 10) {
        play->snd_nxt--;
        says(play, FIN | ACK);
        play->snd_nxt++;
        play->counter++;
    }
}

static void acked_each_fin(struct play *play)
{
    must(play, play->acks >= play->counter && play->now_ms >= 160000 - 1000);
}

static bool at_once_too(struct play *play, const struct segment *seg)
{
    if (!play->open || !fin(seg) || play->fin_sent)
        return false;
    says(play, FIN | ACK); /* crosses the stack's: acknowledges the text only */
    play->fin_sent = true;
    play->snd_nxt++;
    play->repeat_at_ms = play->now_ms + 500;
    takes(play, seg);
    return true;
}

static bool text_for_fin(struct play *play, const struct segment *seg)
{
    if (!play->open || !fin(seg))
        return false;
    takes(play, seg);
    says(play, ACK, .len = 100);
    play->silent = true;
    return true;
}

static void reset_at_once(struct play *play)
{
    must(play, play->resets == 1 && play->now_ms < 2000);
}

static bool reset_for_fin(struct play *play, const struct segment *seg)
{
    if (!play->open || !fin(seg))
        return false;
    takes(play, seg);
    says(play, RST | ACK);
    play->silent = true;
    return true;
}

static bool closes_first(struct play *play, const struct segment *seg)
{
    if (play->open && !play->fin_sent) {
        says(play, FIN | ACK);
        play->fin_sent = true;
        play->snd_nxt++;
        play->repeat_at_ms = play->now_ms + 500;
    }
    (void)seg;
    return false;
}

static bool half_fin(struct play *play, const struct segment *seg)
{
    if (!play->open || !fin(seg) || play->counter++ > 3)
        return false;
    struct segment without = *seg;
    without.ctl &= (uint16_t)~FIN; /* has the text, it says, but not the FIN */
    takes(play, &without);
    acks(play);
    return true;
}

static void fin_repeated(struct play *play)
{
    must(play, play->repeats >= 3);
}

static bool dribbles(struct play *play, const struct segment *seg)
{
    if (!play->open || (seg->ctl & SYN))
        return false;
    takes(play, seg);
    acks(play);
    return true;
}

static void one_octet_a_second(struct play *play)
{
    if (!play->open || play->now_ms / 1000 == play->at_ms || play->fin_sent)
        return;
    play->at_ms = play->now_ms / 1000;
    if (play->counter++ < 120) {
        says(play, ACK, .len = 1);
        play->snd_nxt++;
        play->snd_end = play->snd_nxt;
    } else {
        play->fin_seen = true;
        sends_text(play);
    }
}

static void read_120(struct play *play)
{
    must(play, play->read == 120);
}

const struct actor actors_closing[] = {
    {.habit = "acknowledges the FIN and never closes",
     .shows = "waits in silence as long as the application does",
     .octets = 3000,
     .seconds = 601,
     .react = never_closes,
     .judge = waits,
     .stays = true},
    {.habit = "acknowledges the FIN of a released connection and never closes",
     .shows = "forgets it after a minute",
     .octets = 3000,
     .react = never_closes,
     .judge = gone_in_a_minute,
     .leaves = true},
    {.habit = "never acknowledges the FIN of a released connection",
     .shows = "gives up after a hundred seconds",
     .octets = 3000,
     .react = never_acks_fin,
     .judge = over_100_seconds,
     .leaves = true},
    {.habit = "closes its window before a released connection's text",
     .shows = "probes it for some time, then resets",
     .octets = 200000,
     .seconds = 7200,
     .react = shuts,
     .judge = probed_then_reset,
     .leaves = true},
    {.habit = "repeats its FIN for a minute and a half",
     .shows = "acknowledges each, and waits 2 MSL after the last",
     .octets = 3000,
     .tick = fin_again,
     .judge = acked_each_fin},
    {.habit = "closes at the same moment",
     .shows = "goes through CLOSING to TIME-WAIT",
     .octets = 3000,
     .react = at_once_too},
    {.habit = "sends text to a connection that was released",
     .shows = "resets it at once",
     .octets = 3000,
     .react = text_for_fin,
     .judge = reset_at_once,
     .leaves = true},
    {.habit = "answers the FIN with a reset",
     .shows = "tells that it was reset",
     .octets = 3000,
     .react = reset_for_fin,
     .error = HF_ERR_RESET},
    {.habit = "closes before the stack has sent its text",
     .shows = "sends all of it and closes",
     .octets = 100000,
     .react = closes_first},
    {.habit = "acknowledges the text before the FIN and not the FIN",
     .shows = "repeats its FIN",
     .octets = 3000,
     .react = half_fin,
     .judge = fin_repeated},
    {.habit = "sends an octet a second for two minutes to a half-closed connection",
     .shows = "reads all of them and then the end",
     .octets = 3000,
     .react = dribbles,
     .tick = one_octet_a_second,
     .judge = read_120},
    {.habit = NULL},
};
