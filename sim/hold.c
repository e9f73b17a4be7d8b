/* hold.c - servers that are asked about each SYN (hf_listen.hold), and take their time to answer.
 */
#include "world.h"

void hold_begin(struct world *world)
{
    for (uint32_t i = 0; i < HELD_MAX; i++) {
        world->held[i] = (struct held){.handle = 0};
    }
}

void hold_forget(struct world *world, uint32_t host)
{
    for (uint32_t i = 0; i < HELD_MAX; i++) {
        if (world->held[i].host == host) {
            world->held[i].handle = 0;
        }
    }
}

static uint32_t free_place(const struct world *world)
{
    uint32_t i = 0;
    while (i < HELD_MAX && (world->held[i].handle != 0 || world->held[i].waits)) {
        i++;
    }
    return i;
}

void hold_answer(struct world *world, uint32_t which)
{
    struct held *held = &world->held[which];
    struct host *h = &world->host[held->host];
    held->waits = false;
    if (held->handle != 0 && !h->down) {
        /* HF_ERR_STALE_HANDLE: it is gone, which an event tells */
        hf_answer(h->stack, &h->env, held->handle, HF_ANSWER_ACCEPT);
        h->touched = true;
    }
}

void hold_asked(struct world *world, uint32_t host, uint32_t program)
{
    struct host *h = &world->host[host];
    uint32_t at;
    while ((at = free_place(world)) < HELD_MAX) {
        struct held *held = &world->held[at];
        if (hf_asked(h->stack, &h->env, h->listener[program], &held->handle, NULL, NULL) != HF_OK) {
            held->handle = 0;
            return;
        }
        held->host = (uint8_t)host;
        held->program = (uint8_t)program;
        hf_set_cookie(h->stack, held->handle, COOKIE_HELD + at);
        int64_t at_ns = world->now_ns + world->plan.program[program].answer_ns;
        held->waits = agenda_put(&world->agenda,
                                 (struct due){.at_ns = at_ns, .kind = DUE_ANSWER, .which = at});
        if (!held->waits) {
            hold_answer(world, at);
        }
    }
    world_wrong(world, NULL, "held", "more SYNs are held than there are connections");
}

bool hold_event(struct world *world, const struct hf_event *event)
{
    struct held *held = &world->held[event->cookie - COOKIE_HELD];
    struct host *h = &world->host[held->host];
    if (held->handle != event->handle) {
        return true;
    }
    if (event->bits & HF_CONNECTED) {
        struct hf_status status = {.struct_size = sizeof status};
        hf_status(h->stack, &h->env, event->handle, &status);
        held->handle = 0;
        judge_accepted(world, held->host, held->program, event->handle, &status);
        return false;
    }
    if (event->bits & HF_CLOSED_EVENT) {
        held->handle = 0;
        hf_release(h->stack, &h->env, event->handle);
    }
    return true;
}
