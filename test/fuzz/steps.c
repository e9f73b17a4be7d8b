/* steps.c - mutations of inputs that are lists of steps, each with its length in two octets before
 * it (bench.h: next_step).  libFuzzer's own would move what lies behind an inserted octet out of
 * its place; here they change one step, and steps are erased, repeated, moved and taken from other
 * inputs as wholes.  Some are new: what the target thinks likely.
 */
#include <string.h>

#include "bench.h"
#include "steps.h"

enum { STEPS_MOST = 256, STEP_MOST = UINT16_MAX, INPUT_MOST = 1 << 16, CHANGES_MOST = 4 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t room, unsigned seed);

struct list {
    struct input step[STEPS_MOST];
    unsigned n;
};

unsigned draw_below(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245u + 12345;
    return (*seed >> 16 & 0x7fff) % below;
}

static void split(struct list *list, const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    list->n = 0;
    while (list->n < STEPS_MOST && next_step(&in, &list->step[list->n])) {
        list->n++;
    }
}

static size_t join(const struct list *list, uint8_t *out, size_t room)
{
    size_t at = 0;
    for (unsigned i = 0; i < list->n; i++) {
        const struct input *step = &list->step[i];
        if (at + 2 + step->left > room) {
            break;
        }
        put_be16(out + at, (uint16_t)step->left);
        memcpy(out + at + 2, step->p, step->left);
        at += 2 + step->left;
    }
    return at;
}

/* `n` steps go in before `at`; what is beyond the last place falls out. */
static void insert(struct list *list, unsigned at, const struct input *steps, unsigned n)
{
    n = n < STEPS_MOST - at ? n : STEPS_MOST - at;
    unsigned behind = list->n - at < STEPS_MOST - at - n ? list->n - at : STEPS_MOST - at - n;
    memmove(&list->step[at + n], &list->step[at], behind * sizeof *steps);
    memcpy(&list->step[at], steps, n * sizeof *steps);
    list->n = at + n + behind;
}

static void erase(struct list *list, unsigned at, unsigned n)
{
    memmove(&list->step[at], &list->step[at + n], (list->n - at - n) * sizeof list->step[0]);
    list->n -= n;
}

/* Some steps in a row; more of them are rarer. */
static unsigned some(unsigned *seed, const struct list *list, unsigned *at)
{
    *at = draw_below(seed, list->n);
    unsigned most = 1 + draw_below(seed, 1 + draw_below(seed, 16));
    return most < list->n - *at ? most : list->n - *at;
}

/* Octets of one step, in `made`; an empty list gets one. */
static void change(struct list *list, unsigned *seed, uint8_t *made, size_t room)
{
    if (list->n == 0) {
        list->step[list->n++] = (struct input){made, 0};
    }
    struct input *step = &list->step[draw_below(seed, list->n)];
    size_t len = step->left < room ? step->left : room;
    memcpy(made, step->p, len);
    size_t most = len + 16 < room ? len + 16 : room;
    *step = (struct input){made, LLVMFuzzerMutate(made, len, most)};
}

static void rearrange(struct list *list, unsigned *seed)
{
    static struct input taken[STEPS_MOST];
    unsigned at;
    unsigned n = some(seed, list, &at);
    unsigned how = draw_below(seed, 3);
    memcpy(taken, &list->step[at], n * sizeof taken[0]);
    if (how != 0) { /* else they are there twice */
        erase(list, at, n);
    }
    if (how != 1) {
        insert(list, draw_below(seed, list->n + 1), taken, n);
    }
}

/* The target has its own, or none. */
__attribute__((weak)) size_t likely_step(unsigned *seed, uint8_t step[LIKELY_MOST])
{
    (void)seed;
    (void)step;
    return 0;
}

static void add_likely(struct list *list, unsigned *seed, uint8_t *made)
{
    size_t len = likely_step(seed, made);
    if (len != 0) {
        const struct input step = {made, len};
        insert(list, draw_below(seed, list->n + 1), &step, 1);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static struct list list;
    static uint8_t made[CHANGES_MOST][STEP_MOST], out[INPUT_MOST];
    split(&list, data, size);
    unsigned changes = 1 + draw_below(&seed, CHANGES_MOST);
    for (unsigned i = 0; i < changes; i++) {
        unsigned how = draw_below(&seed, 8);
        if (how < 2) {
            add_likely(&list, &seed, made[i]);
        } else if (list.n != 0 && how < 4) {
            rearrange(&list, &seed);
        } else {
            change(&list, &seed, made[i], sizeof made[i]);
        }
    }
    size = join(&list, out, max_size < sizeof out ? max_size : sizeof out);
    memcpy(data, out, size);
    return size;
}

/* Steps of the one among those of the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t room, unsigned seed)
{
    static struct list list, other;
    split(&list, a, a_size);
    split(&other, b, b_size);
    if (other.n != 0) {
        unsigned from;
        unsigned n = some(&seed, &other, &from);
        unsigned at = draw_below(&seed, list.n + 1);
        if (list.n > at && draw_below(&seed, 2)) { /* in their place */
            erase(&list, at, n < list.n - at ? n : list.n - at);
        }
        insert(&list, at, &other.step[from], n);
    }
    return join(&list, out, room);
}
