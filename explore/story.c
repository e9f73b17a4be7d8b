/* story.c - how a state came about: its actions one by one, played once more by a pair of stacks
 * whose frames are the real ones, and the ladders that they draw.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include <handfast/trace.h>

enum { EXIT_SHOWN = 40 };

/* A pair whose ends know each other's numbers. */
struct pair {
    struct side side[2];
    struct hf_ladder_set *ladders[2];
    FILE *out;
    uint32_t lossless; /* from this action on nothing is lost; 0: never      */
    uint16_t copy;     /* the segment that has arrived, and is there once more */
};

static const char from_here_on[] = "     From here on nothing is lost.\n";
static const char *const event_words[] = {
    [EVENT_TIMER] = "timer fires",
    [EVENT_OPEN] = "OPEN",
    [EVENT_SEND] = "SEND",
    [EVENT_CLOSE] = "CLOSE",
    [EVENT_ABORT] = "ABORT",
    [EVENT_REBOOT] = "reboots",
    [EVENT_RELEASE] = "gives its handle back",
};

static void put_number(FILE *out, const char *word, int side, uint8_t gen, int offset)
{
    if (gen == GEN_NONE)
        fprintf(out, "<%s=%d>", word, offset);
    else
        fprintf(out, offset ? "<%s=%s%u%+d>" : "<%s=%s%u>", word, side_names[side], gen, offset);
}

static void put_message(FILE *out, const struct message *m)
{
    static const struct {
        uint16_t bit;
        const char *name;
    } bits[] = {{HF_SYN, "SYN"}, {HF_FIN, "FIN"}, {HF_RST, "RST"}, {HF_ACK, "ACK"}};
    put_number(out, "SEQ", m->from, m->seq_gen, m->seq);
    if (m->ctl & HF_ACK)
        put_number(out, "ACK", 1 - m->from, m->ack_gen, m->ack);
    fputs("<CTL=", out);
    const char *comma = "";
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        if (m->ctl & bits[i].bit) {
            fprintf(out, "%s%s", comma, bits[i].name);
            comma = ",";
        }
    fputs(">", out);
    if (m->text)
        fprintf(out, "<%u octets>", m->text);
}

static void put_action(struct pair *p, const struct world *w, const struct action *a)
{
    const char *name = side_names[a->side];
    if (a->kind == ACT_EVENT) {
        fprintf(p->out, "%s %s", name, event_words[a->event]);
        return;
    }
    bool copy = a->kind == ACT_DELIVER && a->message == p->copy;
    fputs(a->kind == ACT_FORGE ? "somebody else's " : copy ? "the copy of " : "", p->out);
    put_message(p->out, world_message(w, a->message));
    fprintf(p->out, " arrives at %s", name);
    if (a->kind == ACT_TWICE)
        fputs(", and a copy of it is still on its way", p->out);
    p->copy = a->kind == ACT_TWICE ? a->message : copy ? 0 : p->copy;
}

static void put_losses(FILE *out, struct world *w, const struct state *from, const struct action *a)
{
    const struct step *step =
        world_step(w, a->side, from->side[a->side], (enum event_kind)a->event, a->message);
    for (int i = 0; i < step->n; i++)
        if (a->lost >> i & 1) {
            fputs("\n     and ", out);
            put_message(out, world_message(w, step->out[i]));
            fputs(" is lost", out);
        }
}

static void put_states(FILE *out, const struct ghost *g, int side)
{
    fprintf(out, "  %s:", side_names[side]);
    for (int i = 0; i < g->views; i++)
        fprintf(out, " %s", hf_state_name(g->view[i].state));
    if (g->views == 0)
        fputs(" -", out);
}

/* Ladders -------------------------------------------------------------------------------------- */

static void write_text(void *out, const char *text, size_t len)
{
    fwrite(text, 1, len, out);
}

static bool begin(struct pair *p, const struct explore_config *config)
{
    for (int side = 0; side < 2; side++) {
        struct hf_ladder_style style = {.struct_size = sizeof style,
                                        .keep = true,
                                        .brief = true,
                                        .full_lines = 1000,
                                        .local_name = side_names[side],
                                        .remote_name = side_names[1 - side]};
        p->ladders[side] = hf_ladder_set_new(&style, 0, NULL, NULL);
        if (p->ladders[side] == NULL || !side_begin(&p->side[side], side, config))
            return false;
    }
    return true;
}

static void note_loss(struct pair *p, const struct message *m)
{
    uint8_t frame[FRAME_OCTETS];
    struct hf_packet packet = {.struct_size = sizeof packet};
    struct side *from = &p->side[m->from];
    side_frame(m, from->iss, from->irs, frame);
    hf_packet_decode(frame, m->len, HF_LINK_IP, &packet);
    hf_ladder_set_lost(p->ladders[m->from], from->now_ns, &packet);
}

/* The ends learn the numbers that were chosen; where they are close, from the first one on, what
 * arrives tells. */
static void meet(struct pair *p)
{
    for (int side = 0; side < 2; side++) {
        const struct side *other = &p->side[1 - side];
        uint8_t gens = other->isn_step && other->ghost.gens ? 1 : other->ghost.gens;
        memcpy(p->side[side].irs, other->iss, gens * sizeof(uint32_t));
    }
}

/* The real stacks do what the interned ones did; true: they are in the same states. */
static bool play(struct pair *p, struct world *w, const struct action *a, const struct state *after)
{
    const struct message *m = world_message(w, a->message);
    struct outcome outcome;
    struct side_env env = {hf_ladder_set_trace, p->ladders[a->side]};
    side_do(&p->side[a->side], a->side, (enum event_kind)a->event, m, &env, &outcome);
    meet(p);
    for (int i = 0; i < outcome.n; i++)
        if (a->lost >> i & 1)
            note_loss(p, &outcome.out[i]);
    if (after == NULL)
        return true;
    uint64_t key[2], want[2];
    side_key(&p->side[a->side], key);
    world_key(w, a->side, after->side[a->side], want);
    return memcmp(key, want, sizeof key) == 0;
}

/* What this side saw of each of its connections; why: what to say at the end of the last. */
static void draw(struct pair *p, const char *why, int side)
{
    struct hf_ladder *ladder, *last = NULL;
    for (size_t i = 0; (ladder = hf_ladder_set_at(p->ladders[side], i)) != NULL; last = ladder, i++)
        if (last != NULL)
            hf_ladder_end(last, NULL);
    if (last != NULL)
        hf_ladder_end(last, why);
    fprintf(p->out, "\nAs %s sees it:\n\n", side_names[side]);
    hf_ladder_set_text(p->ladders[side], false, write_text, p->out);
}

static void end(struct pair *p)
{
    for (int side = 0; side < 2; side++)
        hf_ladder_set_free(p->ladders[side]);
    free(p);
}

/* Paths ---------------------------------------------------------------------------------------- */

/* The action that leads from one state to another. */
static bool find_action(struct world *w, const struct explore_config *config,
                        const struct state *from, const struct state *to, struct action *found)
{
    struct action actions[ACTIONS_MOST];
    struct begun begun;
    struct state next;
    uint32_t n = moves(w, from, actions);
    for (uint32_t i = 0; i < n; i++) {
        if (!move_begin(w, config, from, &actions[i], &begun))
            continue;
        do {
            if (move_end(w, config, &begun, &actions[i], &next) == MOVE_DONE &&
                state_same(&next, to)) {
                *found = actions[i];
                return true;
            }
        } while (next_loss(&begun, &actions[i]));
    }
    return false;
}

uint32_t story_path(struct world *w, const struct explore_config *config, const struct store *s,
                    uint32_t number, struct action **path)
{
    uint32_t n = 0;
    for (uint32_t i = number; i != 0; i = store_parent(s, i))
        n++;
    *path = calloc(n + 1 + EXIT_SHOWN, sizeof **path);
    struct state to = store_state(s, number), from;
    for (uint32_t i = number, at = n; i != 0 && *path != NULL; i = store_parent(s, i), to = from) {
        from = store_state(s, store_parent(s, i));
        if (!find_action(w, config, &from, &to, &(*path)[--at]))
            return 0;
    }
    return *path == NULL ? 0 : n;
}

/* Plays an action, and says it and what comes of it, unless out is NULL. */
static bool tell_action(struct pair *p, struct world *w, uint32_t number, const struct action *a,
                        const struct state *now, const struct state *after)
{
    bool same = play(p, w, a, after);
    if (p->out == NULL)
        return same;
    fprintf(p->out, "%3u  ", number);
    put_action(p, w, a);
    put_losses(p->out, w, now, a);
    fputs("\n        ", p->out);
    for (int side = 0; side < 2; side++)
        put_states(p->out, &p->side[side].ghost, side);
    fputc('\n', p->out);
    return same;
}

/* Plays path. */
static bool tell_actions(struct pair *p, struct world *w, const struct explore_config *config,
                         const struct action *path, uint32_t n)
{
    struct state now, next;
    uint8_t wrong;
    bool same = true;
    state_first(w, config, &now);
    for (uint32_t i = 0; i < n; i++, now = next) {
        bool lossless = p->lossless && i + 1 >= p->lossless;
        enum move done = move(w, lossless ? NULL : config, &now, &path[i], &next, &wrong);
        if (p->out && i + 1 == p->lossless)
            fputs(from_here_on, p->out);
        same = tell_action(p, w, i + 1, &path[i], &now, done == MOVE_DONE ? &next : NULL) && same;
    }
    return same;
}

bool story_same(struct world *w, const struct explore_config *config, const struct action *path,
                uint32_t n)
{
    struct pair *p = aligned_alloc(64, sizeof *p);
    if (p == NULL)
        return false;
    memset(p, 0, sizeof *p);
    bool same = begin(p, config) && tell_actions(p, w, config, path, n);
    end(p);
    return same;
}

/* Schedules ------------------------------------------------------------------------------------ */

struct explored {
    struct action action;
    struct message message;
};
_Static_assert(sizeof(struct explored) <= EXPLORE_STEP_OCTETS, "a step of a schedule");

static void put_schedule(const struct world *w, const struct action *path, uint32_t n,
                         struct explore_schedule *schedule)
{
    memset(schedule, 0, sizeof *schedule);
    schedule->steps = n < EXPLORE_STEPS ? n : EXPLORE_STEPS;
    for (uint32_t i = 0; i < schedule->steps; i++) {
        struct explored e = {path[i], *world_message(w, path[i].message)};
        memcpy(schedule->step[i], &e, sizeof e);
    }
}

/* The same segment as this stack sends it: numbers and control bits count. */
static uint16_t find_message(const struct world *w, const struct state *s, const struct action *a,
                             const struct message *wanted)
{
    const uint16_t *channel = s->channel[1 - a->side];
    for (int i = 0; i < CHANNEL && channel[i]; i++) {
        const struct message *m = world_message(w, channel[i]);
        if (m->seq_gen == wanted->seq_gen && m->seq == wanted->seq && m->ctl == wanted->ctl &&
            m->ack_gen == wanted->ack_gen && m->ack == wanted->ack && m->text == wanted->text)
            return channel[i];
    }
    return 0;
}

/* A call that cannot be: what the stack says of it. */
static void refuse(struct pair *p, const struct action *a)
{
    static struct outcome outcome;
    static const struct side_env quiet;
    static struct side copy;
    copy = p->side[a->side];
    side_do(&copy, a->side, (enum event_kind)a->event, NULL, &quiet, &outcome);
    fprintf(p->out, "%s %s is refused: %s\n", side_names[a->side], event_words[a->event],
            outcome.detail);
}

/* One step of a schedule here, as far as it can happen. */
static void play_step(struct pair *p, struct world *w, uint32_t number, const struct explored *e,
                      struct state *now)
{
    struct action a = e->action;
    struct state next;
    uint8_t wrong;
    if (a.kind == ACT_FORGE)
        a.message = world_name(w, &e->message);
    else if (a.kind != ACT_EVENT)
        a.message = find_message(w, now, &a, &e->message);
    if (a.kind != ACT_EVENT && a.message == 0) {
        fprintf(p->out, "%3u  ", number);
        put_message(p->out, &e->message);
        fprintf(p->out, " is never sent\n");
    } else if (move(w, NULL, now, &a, &next, &wrong) == MOVE_NONE) {
        fprintf(p->out, "%3u  ", number);
        refuse(p, &a);
    } else {
        tell_action(p, w, number, &a, now, NULL);
        *now = next;
    }
}

/* How it ends where nothing is lost any more. */
static void play_exit(struct pair *p, struct world *w, uint32_t number, struct state *now)
{
    struct action a;
    struct state next;
    uint8_t wrong;
    for (int i = 0; i < EXIT_SHOWN && check_next(w, now, &a); i++, *now = next) {
        if (move(w, NULL, now, &a, &next, &wrong) == MOVE_NONE)
            return;
        if (i == 0)
            fputs(from_here_on, p->out);
        tell_action(p, w, ++number, &a, now, &next);
    }
}

int explore_play(const struct explore_config *config, const struct explore_schedule *schedule,
                 FILE *out)
{
    struct pair *p = aligned_alloc(64, sizeof *p);
    struct world *w = world_new(config);
    int side = 0;
    if (p == NULL || w == NULL)
        return -1;
    memset(p, 0, sizeof *p);
    p->out = out;
    if (begin(p, config)) {
        struct state now;
        uint32_t i = 0;
        state_first(w, config, &now);
        now.budget.losses = now.budget.duplicates = now.budget.forged = UINT8_MAX;
        for (; i < schedule->steps && i < EXPLORE_STEPS; i++) {
            struct explored e;
            memcpy(&e, schedule->step[i], sizeof e);
            play_step(p, w, i + 1, &e, &now);
            side = e.action.side;
        }
        play_exit(p, w, i, &now);
        draw(p, NULL, side);
    }
    end(p);
    world_free(w);
    return 0;
}

/* Appends what happens without losses, until it is wrong or over. */
static uint32_t add_exit(struct world *w, const struct state *from, struct action *path, uint32_t n)
{
    struct state s = *from, next;
    uint8_t wrong = WRONG_NOTHING;
    for (uint32_t i = 0; i < EXIT_SHOWN && !wrong && check_next(w, &s, &path[n]); i++, n++) {
        if (move(w, NULL, &s, &path[n], &next, &wrong) == MOVE_NONE)
            break;
        s = next;
    }
    return n;
}

void story_tell(struct world *w, const struct explore_config *config, const struct store *s,
                const struct story *story, FILE *out, struct explore_schedule *schedule)
{
    struct pair *p = aligned_alloc(64, sizeof *p);
    struct action *path = NULL;
    if (p == NULL)
        return;
    memset(p, 0, sizeof *p);
    p->out = out;
    uint32_t n = story_path(w, config, s, story->number, &path);
    const char *sentence = wrong_sentence((enum wrong)story->wrong);
    if (begin(p, config) && path != NULL) {
        if (story->last != NULL)
            path[n++] = *story->last;
        p->lossless = story->exit ? n + 1 : 0;
        struct state from = store_state(s, story->number);
        if (story->exit)
            n = add_exit(w, &from, path, n);
        if (schedule)
            put_schedule(w, path, n, schedule);
        if (out) {
            fprintf(out, "violation: %s\n", sentence);
            fprintf(out, world_detail(w)[0] ? "           (%s)\n\n" : "\n", world_detail(w));
            if (!tell_actions(p, w, config, path, n))
                fprintf(out, "the pair that plays it has other states: a fault of the explorer\n");
        }
        if (n && out)
            draw(p, sentence, path[n - 1].side);
    }
    free(path);
    end(p);
}
