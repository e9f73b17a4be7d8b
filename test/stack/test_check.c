/* hf_check (handfast/check.h): a stack in the middle of its work holds together; each kind of
 * damage is noticed, by its name; and any damage at all is looked at without harm. */
/* ctest: timeout=120 */
#include "common/net.h"
#include "handfast/check.h"
#include "stack/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PORT = 80, FLOWS = 6, MARKS = 4096, FLIPS = 20000 };

/* A copy of a stack that is busy, to be damaged. */
struct damaged {
    struct stack st;
    struct hf_stack *stack;
    uint64_t bytes;
    uint32_t tcb, other; /* connections with text in flight  */
    uint32_t held;       /* ... with text ahead of a gap     */
};

static struct hf_stack *copy_of(const struct net_stack *s)
{
    struct hf_stack *copy = aligned_alloc(64, (s->bytes + 63) / 64 * 64);
    assert_non_null(copy);
    memcpy(copy, s->stack, s->bytes);
    return copy;
}

static struct tcb *tcb_of(struct damaged *d, uint32_t idx)
{
    return pool_at(&d->stack->tcp.tcbs, d->stack, idx);
}

static struct active *active_at(struct damaged *d, uint32_t tcb)
{
    return pool_at(&d->stack->tcp.actives, d->stack, tcb_of(d, tcb)->active);
}

static struct sent *first_sent(struct damaged *d)
{
    return pool_at(&d->stack->tcp.sents, d->stack, active_at(d, d->tcb)->sent_first);
}

static struct range *first_range(struct damaged *d)
{
    return pool_at(&d->stack->tcp.ranges, d->stack, active_at(d, d->held)->ooo);
}

static void find_busy(struct damaged *d)
{
    d->tcb = d->other = d->held = 0;
    for (uint32_t i = 1; i <= d->stack->tcp.tcbs.top; i++) {
        const struct tcb *tcb = tcb_of(d, i);
        if (tcb->state != HF_ESTABLISHED || tcb->active == 0)
            continue;
        const struct active *active = active_at(d, i);
        if (active->sent_first && active->rto_at_ms) {
            d->other = d->tcb;
            d->tcb = i;
        }
        if (active->ooo)
            d->held = i;
    }
}

/* Two stacks, connections both ways over a bad wire, until one has all that is to be damaged. */
static void setup(struct damaged *d)
{
    struct net *net = net_new(false, NULL, 0);
    net->loss = 150;
    net->late = 200;
    net->delay_ns = 20000000;
    net->side[1].answer = 2000000;
    net_listen(net, 1, PORT, 8);
    for (int i = 0; i < FLOWS; i++)
        assert_non_null(net_open(net, 0, (uint16_t)(1000 + i), PORT, 2000000));
    *d = (struct damaged){.bytes = net->side[1].s.bytes};
    for (int i = 0; i < 2000 && (!d->other || !d->held); i++) {
        free(d->stack);
        net_run(net, 1, NULL);
        assert_false(net->wrong);
        d->stack = copy_of(&net->side[1].s);
        find_busy(d);
    }
    assert_true(d->other && d->held);
    stack_look(&d->st, d->stack, NULL);
    net_free(net);
}

static const char *flaw_of(const struct damaged *d)
{
    static uint8_t marks[MARKS];
    static struct hf_flaw flaw;
    flaw = (struct hf_flaw){.struct_size = sizeof flaw};
    int error = hf_check(d->stack, d->bytes, marks, sizeof marks, &flaw);
    assert_true(error == HF_OK || error == HF_ERR_MISMATCH);
    return error == HF_OK ? "none" : flaw.invariant;
}

/* Damage, by what it must be called ------------------------------------------------------------ */

static void magic(struct damaged *d)
{
    d->stack->magic[0] ^= 1;
}
static void offset_of_a_pool(struct damaged *d)
{
    d->stack->tcp.actives.offset += 8;
}
static void count_of_a_pool(struct damaged *d)
{
    d->stack->tcp.sents.used++;
}
static void freed_though_in_use(struct damaged *d)
{
    pool_free(&d->stack->tcp.actives, d->stack, tcb_of(d, d->tcb)->active);
}
static void one_for_two(struct damaged *d)
{
    tcb_of(d, d->tcb)->active = tcb_of(d, d->other)->active;
}
static void leaked(struct damaged *d)
{
    assert_true(pool_alloc(&d->stack->tcp.ranges, d->stack));
}
static void link_back(struct damaged *d)
{
    struct tcb *tcb = tcb_of(d, d->tcb);
    tcb->events |= HF_WRITABLE;
    d->stack->tcp.ready = (struct idlist){d->tcb, d->tcb};
    tcb->event_link = (struct idlist_link){0, d->other};
}
static void flag_without_a_list(struct damaged *d)
{
    struct tcb *tcb = tcb_of(d, d->tcb);
    tcb->flags ^= F_BLOCKED;
}
static void another_port(struct damaged *d)
{
    tcb_of(d, d->tcb)->id.rport++;
}
static void due_elsewhere(struct damaged *d)
{
    tcb_of(d, d->tcb)->wheel.at_ms += 100000;
}
static void deadline_before_the_wheel(struct damaged *d)
{
    active_at(d, d->tcb)->rto_at_ms = tcb_of(d, d->tcb)->wheel.at_ms - 1;
}
static void no_timer(struct damaged *d)
{
    struct tcb *tcb = tcb_of(d, d->tcb);
    tcp_owe_nothing(&d->st.tcp, tcb);
    active_at(d, d->tcb)->rto_at_ms = active_at(d, d->tcb)->pace_at_ms = 0;
}
static void state_without_fin(struct damaged *d)
{
    tcb_of(d, d->tcb)->state = HF_LAST_ACK;
}
static void una_beyond_nxt(struct damaged *d)
{
    struct tcb *tcb = tcb_of(d, d->tcb);
    tcb->snd.una = seq_add(tcb->snd.nxt, 1);
}
static void sent_without_text(struct damaged *d)
{
    struct tcb *tcb = tcb_of(d, d->tcb);
    tcb->snd.nxt = seq_add(tcb->snd.nxt, 1000000);
}
static void impossible_window(struct damaged *d)
{
    tcb_of(d, d->tcb)->rcv.wnd = UINT32_MAX;
}
static void longer_than_counted(struct damaged *d)
{
    active_at(d, d->tcb)->sq_bytes--;
}
static void chain_in_a_circle(struct damaged *d)
{
    uint32_t head = first_range(d)->head;
    tcp_chunk(&d->st.tcp, head)->next = head;
}
static void octets_outside_the_chunk(struct damaged *d)
{
    tcp_chunk(&d->st.tcp, active_at(d, d->tcb)->sq_head)->start = 20000;
}
static void cursor_elsewhere(struct damaged *d)
{
    active_at(d, d->tcb)->send.skip--;
}
static void gap_between_transmissions(struct damaged *d)
{
    first_sent(d)->right = seq_sub(first_sent(d)->right, 1);
}
static void sums_differ(struct damaged *d)
{
    active_at(d, d->tcb)->sum[SUM_LOST].bytes++;
}
static void time_link(struct damaged *d)
{
    active_at(d, d->tcb)->sent_newest = active_at(d, d->tcb)->sent_oldest = 0;
}
static void held_where_it_is_due(struct damaged *d)
{
    first_range(d)->left = tcb_of(d, d->held)->rcv.nxt;
}
static void held_beyond_the_window(struct damaged *d)
{
    tcb_of(d, d->held)->rcv.wnd = 1;
}
static void more_accepted_than_there_are(struct damaged *d)
{
    ((struct listener *)pool_at(&d->stack->tcp.listeners, d->stack, 1))->accept_n++;
}
static void more_half_open_than_there_are(struct damaged *d)
{
    ((struct listener *)pool_at(&d->stack->tcp.listeners, d->stack, 1))->half++;
}
static void tokens_done_before_they_were_taken(struct damaged *d)
{
    d->stack->tcp.done_token = d->stack->tcp.next_token + 1;
}
static void waiting_for_a_datagram(struct damaged *d)
{
    d->stack->udp_want_write++;
}
static void more_interfaces_than_there_may_be(struct damaged *d)
{
    d->stack->interfaces = d->stack->max_interfaces + 1;
}
static void more_permanent_neighbours_than_there_are(struct damaged *d)
{
    d->stack->permanent_neighbours++;
}

static const struct {
    void (*damage)(struct damaged *d);
    const char *name, *invariant;
} kinds[] = {
#define DAMAGE(name, invariant)                                                                    \
    {                                                                                              \
        name, #name, invariant                                                                     \
    }
    DAMAGE(magic, "block"),
    DAMAGE(offset_of_a_pool, "block"),
    DAMAGE(count_of_a_pool, "pool"),
    DAMAGE(freed_though_in_use, "owned"),
    DAMAGE(one_for_two, "owned"),
    DAMAGE(leaked, "owned"),
    DAMAGE(link_back, "list"),
    DAMAGE(flag_without_a_list, "member"),
    DAMAGE(another_port, "flow-table"),
    DAMAGE(due_elsewhere, "wheel"),
    DAMAGE(deadline_before_the_wheel, "timer"),
    DAMAGE(no_timer, "timeless"),
    DAMAGE(state_without_fin, "state"),
    DAMAGE(una_beyond_nxt, "send"),
    DAMAGE(sent_without_text, "send"),
    DAMAGE(impossible_window, "receive"),
    DAMAGE(longer_than_counted, "chain"),
    DAMAGE(chain_in_a_circle, "owned"),
    DAMAGE(octets_outside_the_chunk, "chain"),
    DAMAGE(cursor_elsewhere, "cursor"),
    DAMAGE(gap_between_transmissions, "sent"),
    DAMAGE(sums_differ, "in-flight"),
    DAMAGE(time_link, "sent-time"),
    DAMAGE(held_where_it_is_due, "held"),
    DAMAGE(held_beyond_the_window, "held"),
    DAMAGE(more_accepted_than_there_are, "listener"),
    DAMAGE(more_half_open_than_there_are, "listener"),
    DAMAGE(tokens_done_before_they_were_taken, "tokens"),
    DAMAGE(waiting_for_a_datagram, "member"),
    DAMAGE(more_interfaces_than_there_may_be, "tables"),
    DAMAGE(more_permanent_neighbours_than_there_are, "tables"),
};

static void each_kind_of_damage_is_called_by_its_name(void **state)
{
    struct damaged d;
    setup(&d);
    (void)state;
    struct hf_stack *whole = copy_of(&(struct net_stack){.stack = d.stack, .bytes = d.bytes});
    assert_string_equal(flaw_of(&d), "none");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        memcpy(d.stack, whole, d.bytes);
        kinds[i].damage(&d);
        if (strcmp(flaw_of(&d), kinds[i].invariant) != 0)
            fail_msg("%s is called %s, not %s", kinds[i].name, flaw_of(&d), kinds[i].invariant);
    }
    free(whole);
    free(d.stack);
}

static uint64_t draw(uint64_t *random, uint64_t below)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (*random >> 33) % below;
}

/* Where something lies: pages that were never used are left as they are. */
static uint8_t *anywhere(const struct damaged *d, uint64_t *random)
{
    struct hf_extent extents[STACK_PARTS];
    uint32_t n = hf_extents(d->stack, extents, STACK_PARTS);
    for (;;) {
        const struct hf_extent *extent = &extents[draw(random, n)];
        if (extent->used != 0 && extent->kind != HF_RANGE_SECRET)
            return (uint8_t *)d->stack + extent->offset + draw(random, extent->used);
    }
}

static void any_damage_is_looked_at_without_harm(void **state)
{
    struct damaged d;
    setup(&d);
    (void)state;
    const char *seed = getenv("HF_SEED");
    uint64_t random = seed ? strtoull(seed, NULL, 0) : 1;
    struct hf_stack *whole = copy_of(&(struct net_stack){.stack = d.stack, .bytes = d.bytes});
    uint32_t noticed = 0;
    printf("HF_SEED=%llu\n", (unsigned long long)random);
    for (int i = 0; i < FLIPS; i++) {
        uint8_t *places[4], were[4];
        uint64_t n = 1 + draw(&random, 4);
        for (uint64_t k = 0; k < n; k++) {
            places[k] = anywhere(&d, &random);
            were[k] = *places[k];
        }
        for (uint64_t k = 0; k < n; k++)
            *places[k] = draw(&random, 2) ? (uint8_t)draw(&random, 256)
                                          : (uint8_t)(*places[k] ^ 1u << draw(&random, 8));
        noticed += strcmp(flaw_of(&d), "none") != 0;
        for (uint64_t k = n; k > 0; k--)
            *places[k - 1] = were[k - 1];
    }
    assert_memory_equal(d.stack, whole, d.bytes);
    assert_true(noticed > FLIPS / 4);
    free(whole);
    free(d.stack);
}

static void marks_must_have_room(void **state)
{
    struct damaged d;
    uint8_t marks[MARKS];
    setup(&d);
    (void)state;
    uint64_t needed = hf_check_bytes(d.stack);
    assert_int_equal(hf_check(d.stack, d.bytes, marks, needed - 1, NULL), HF_ERR_TOO_LARGE);
    assert_int_equal(hf_check(d.stack, d.bytes, marks, needed, NULL), HF_OK);
    assert_int_equal(hf_check(d.stack, d.bytes, NULL, needed, NULL), HF_ERR_INVALID);
    assert_int_equal(hf_check(NULL, d.bytes, marks, needed, NULL), HF_ERR_INVALID);
    free(d.stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_damage_is_called_by_its_name),
        cmocka_unit_test(any_damage_is_looked_at_without_harm),
        cmocka_unit_test(marks_must_have_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
