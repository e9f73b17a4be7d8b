/* actors_receiving.c - peers that misbehave while they send: order, overlaps, floods, odd bits. */
#include "peers/actor.h"

static void read_all(struct play *play)
{
    must(play, play->read == play->actor->octets);
}

static bool text_has_begun(const struct play *play)
{
    return play->open && play->snd_nxt != irs(play) + 1;
}

static bool each_thrice(struct play *play, const struct segment *seg)
{
    uint32_t from = play->snd_nxt;
    behaves(play, seg);
    for (int i = 0; i < 2; i++) {
        uint32_t behind = play->snd_nxt;
        for (uint32_t at = from; play->open && at + play->mss <= play->snd_end && at < behind;
             at += play->mss) {
            play->snd_nxt = at;
            says(play, ACK, .len = play->mss);
        }
        play->snd_nxt = behind;
    }
    return true;
}

/* Only what the stack sends is looked at; text goes by the tick. */
static bool opens_only(struct play *play, const struct segment *seg)
{
    return !(seg->ctl & SYN) && play->snd_una != play->snd_end;
}

static bool opens_with_nothing(struct play *play, const struct segment *seg)
{
    if (!(seg->ctl & SYN))
        return opens_only(play, seg);
    uint32_t octets = play->actor->octets;
    behaves(play, seg);
    play->snd_nxt = play->snd_una = irs(play) + 1;
    play->snd_end = play->snd_nxt + octets;
    return true;
}

static void small_segments(struct play *play)
{
    play->mss = 1000;
    play->stack_edge = 0; /* so that the opening brings no text */
}

static void backwards(struct play *play)
{
    if (!play->open || play->snd_una == play->snd_end)
        return;
    uint32_t base = irs(play) + 1, octets = play->actor->octets;
    for (int i = 0; i < 50; i++) {
        play->snd_nxt = base + octets - 1 - (uint32_t)(play->counter++ % octets);
        says(play, ACK, .len = 1);
    }
    play->snd_nxt = play->snd_end;
    play->repeat_at_ms = play->now_ms + 1000;
}

static void every_second(struct play *play)
{
    if (!play->open || play->counter > 2000)
        return;
    for (int i = 0; i < 20; i++) {
        play->snd_nxt = irs(play) + 1 + 2 * (uint32_t)(play->counter++ % 1000) + 1;
        says(play, ACK, .len = 1);
    }
    play->snd_nxt = play->snd_una;
}

static void few_ranges(struct play *play)
{
    must(play, play->read == 0 && play->acks > 0);
}

static bool stays_open(struct play *play, const struct segment *seg)
{
    if (seg->ctl & SYN)
        return opens_with_nothing(play, seg);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(play->p->stack, &counters);
    must(play, counters.ranges <= 130);
    return true;
}

/* Ahead of a gap first; then the same numbers with other octets. */
static void overwrites(struct play *play)
{
    if (!play->open || play->counter++ > 0)
        return;
    play->snd_nxt = irs(play) + 1 + 100;
    says(play, ACK, .len = 200);
    says_raw(play, play->snd_nxt, play->rcv_nxt, ACK, 0xee, 200, false);
    says_raw(play, play->snd_nxt + 50, play->rcv_nxt, ACK, 0xee, 100, false);
    play->snd_nxt = irs(play) + 1;
    says(play, ACK, .len = 100);
    says_raw(play, play->snd_nxt, play->rcv_nxt, ACK, 0xee, 300, false);
    play->snd_nxt = irs(play) + 301;
}

static bool after_300(struct play *play, const struct segment *seg)
{
    if (seg->ctl & SYN)
        return opens_with_nothing(play, seg);
    return play->counter == 0;
}

static bool beyond(struct play *play, const struct segment *seg)
{
    if (text_has_begun(play) && play->counter++ < 20) {
        says_raw(play, play->stack_edge - 10, play->rcv_nxt, ACK, 0xee, 0, false);
        says_raw(play, play->stack_edge + 1000000, play->rcv_nxt, ACK, 0xee, 500, false);
        says_raw(play, play->stack_edge + 70000000, play->rcv_nxt, ACK, 0xee, 500, false);
    }
    (void)seg;
    return false;
}

static bool heeds_nothing(struct play *play, const struct segment *seg)
{
    if (!(seg->ctl & SYN) && play->now_ms < 10000) {
        play->snd_una = irs(play) + 1;
        return true;
    }
    return false;
}

static void again_and_again(struct play *play)
{
    if (play->open && play->now_ms < 10000 && play->now_ms % 100 < 10) {
        uint32_t nxt = play->snd_nxt;
        play->snd_nxt = irs(play) + 1;
        says(play, ACK, .len = 500);
        play->snd_nxt = nxt;
        play->counter++;
    } else if (play->open && play->now_ms >= 10000) {
        sends_text(play);
    }
}

static void each_answered(struct play *play)
{
    must(play, play->read == play->actor->octets && play->acks >= play->counter);
}

static bool urgent_always(struct play *play, const struct segment *seg)
{
    if (!play->open || (seg->ctl & SYN))
        return false;
    for (int i = 0; i < 3 && (int32_t)(play->snd_end - play->snd_nxt) > 0; i++) {
        uint32_t left = play->snd_end - play->snd_nxt;
        uint32_t len = left < 500 ? left : 500;
        says(play, URG | ACK, .len = len, .up = i == 1 ? 65535 : 1);
        play->snd_nxt += len;
    }
    play->repeat_at_ms = play->now_ms + 500;
    return play->snd_una != play->snd_end;
}

static void starts_urgent(struct play *play)
{
    if (play->open && play->counter++ == 0) {
        says(play, URG | ACK, .len = 10, .up = 9);
        play->snd_nxt += 10;
    }
}

static void garbage_keep_alives(struct play *play)
{
    if (play->open && play->now_ms < 2000) {
        says(play, ACK, .seq = play->snd_una - 1, .len = 1);
        play->counter++;
    }
}

static bool after_two_seconds(struct play *play, const struct segment *seg)
{
    if (seg->ctl & SYN)
        return opens_with_nothing(play, seg);
    return play->now_ms < 2000;
}

static void begins_late(struct play *play)
{
    garbage_keep_alives(play);
    if (play->open && play->now_ms >= 2000)
        sends_text(play);
}

static void empty_flood(struct play *play)
{
    for (int i = 0; play->open && i < 50 && play->now_ms < 1000; i++)
        says(play, ACK);
}

static void few_answers(struct play *play)
{
    must(play, play->read == play->actor->octets && play->segs - play->resets < 60);
}

static bool all_bits(struct play *play, const struct segment *seg)
{
    if (text_has_begun(play) && play->counter++ < 50) {
        says(play, FIN | SYN | RST | PSH | ACK | URG, .seq = play->snd_nxt + 5, .len = 3, .up = 9);
        says(play, FIN | SYN | PSH | URG, .seq = play->snd_nxt + 5);
        says(play, FIN | PSH | URG, .seq = play->snd_nxt);
        says_raw(play, play->snd_nxt, 0, 0, 0xee, 10, false);
    }
    (void)seg;
    return false;
}

static bool fin_first(struct play *play, const struct segment *seg)
{
    bool syn = seg->ctl & SYN;
    if (syn)
        opens_with_nothing(play, seg);
    if (syn && play->open) {
        play->snd_nxt = play->snd_end;
        says(play, FIN | ACK);
        play->snd_nxt = irs(play) + 1;
    }
    return syn;
}

static void then_text(struct play *play)
{
    if (play->open && play->now_ms > 100)
        sends_text(play);
}

static void more_after_fin(struct play *play)
{
    if (play->fin_sent && play->snd_una == play->snd_nxt && play->counter++ < 20)
        says_raw(play, play->snd_nxt, play->rcv_nxt, ACK, 0xee, 100, false);
}

const struct actor actors_receiving[] = {
    {.habit = "sends each segment three times",
     .shows = "reads it once",
     .job = DOWNLOAD,
     .octets = 100000,
     .react = each_thrice,
     .judge = read_all},
    {.habit = "sends one octet a segment, the last one first",
     .shows = "reads all of it in order",
     .job = DOWNLOAD,
     .octets = 600,
     .prepare = small_segments,
     .react = opens_with_nothing,
     .tick = backwards,
     .judge = read_all},
    {.habit = "sends every second octet and never the others",
     .shows = "holds a bounded number of them",
     .job = DOWNLOAD,
     .octets = 3000,
     .seconds = 60,
     .react = stays_open,
     .tick = every_second,
     .judge = few_ranges,
     .stays = true},
    {.habit = "sends other octets with numbers that it has used",
     .shows = "keeps those that came first",
     .job = DOWNLOAD,
     .octets = 5000,
     .react = after_300,
     .tick = overwrites,
     .judge = read_all},
    {.habit = "sends beyond the window",
     .shows = "takes nothing of it",
     .job = DOWNLOAD,
     .octets = 200000,
     .react = beyond,
     .judge = read_all},
    {.habit = "heeds no ACK for ten seconds",
     .shows = "says each one again",
     .job = DOWNLOAD,
     .octets = 5000,
     .react = heeds_nothing,
     .tick = again_and_again,
     .judge = each_answered},
    {.habit = "marks everything as urgent",
     .shows = "reads every octet in its place",
     .job = DOWNLOAD,
     .octets = 20000,
     .react = urgent_always,
     .tick = starts_urgent,
     .judge = read_all},
    {.habit = "sends keep-alives with an octet of garbage",
     .shows = "answers each and reads none of it",
     .job = DOWNLOAD,
     .octets = 5000,
     .react = after_two_seconds,
     .tick = begins_late,
     .judge = each_answered},
    {.habit = "sends five thousand empty segments a second",
     .shows = "answers none of them",
     .job = DOWNLOAD,
     .octets = 20000,
     .tick = empty_flood,
     .judge = few_answers},
    {.habit = "sets control bits that do not go together",
     .shows = "is not harmed",
     .job = DOWNLOAD,
     .octets = 100000,
     .react = all_bits,
     .judge = read_all},
    {.habit = "sends its FIN before its text",
     .shows = "reads the text and then the end",
     .job = DOWNLOAD,
     .octets = 5000,
     .react = fin_first,
     .tick = then_text,
     .judge = read_all},
    {.habit = "sends text after its FIN",
     .shows = "ignores it",
     .job = DOWNLOAD,
     .octets = 5000,
     .tick = more_after_fin,
     .judge = read_all},
    {.habit = NULL},
};
