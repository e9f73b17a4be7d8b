/* draw.c - the ladders of one pair of sockets of a world, as one of its stacks saw them, with what
 * the wire has lost. */
#include "sim.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <handfast/packet.h>

struct drawing {
    const struct sim_wrong *wrong;
    struct hf_ladder_set *ladders;
};

static bool choose(void *arg, const struct hf_trace *first, struct hf_ladder_style *style)
{
    const struct sim_wrong *w = ((struct drawing *)arg)->wrong;
    (void)style;
    return first->local_port == w->local_port && first->remote_port == w->remote_port &&
           memcmp(first->local_ip, w->local, 16) == 0 &&
           memcmp(first->remote_ip, w->remote, 16) == 0;
}

static void trace(void *arg, uint32_t host, const struct hf_trace *r)
{
    struct drawing *d = arg;
    if (host == d->wrong->host) {
        hf_ladder_set_trace(d->ladders, r);
    }
}

static void lost(void *arg, int64_t now_ns, uint32_t from, uint32_t to, const uint8_t *frame,
                 uint32_t len, bool ethernet)
{
    struct drawing *d = arg;
    struct hf_packet packet = {.struct_size = sizeof packet};
    (void)from;
    (void)to;
    hf_packet_decode(frame, len, ethernet ? HF_LINK_ETHERNET : HF_LINK_IP, &packet);
    hf_ladder_set_lost(d->ladders, now_ns, &packet);
}

static struct sim_wrong other_end(const struct sim_wrong *wrong)
{
    struct sim_wrong other = *wrong;
    other.host = wrong->remote[15] - 1u;
    memcpy(other.local, wrong->remote, 16);
    memcpy(other.remote, wrong->local, 16);
    other.local_port = wrong->remote_port;
    other.remote_port = wrong->local_port;
    return other;
}

static sigjmp_buf before_trap;

static void leave(int signal)
{
    (void)signal;
    siglongjmp(before_trap, 1);
}

/* To its end, or to where a broken invariant traps. */
static void run(struct world *world, uint64_t seed, const struct sim_less *less,
                struct sim_view *view)
{
    static struct sim_world_result result;
    struct sigaction ours = {.sa_handler = leave}, ill, trap;
    memset(&result, 0, sizeof result);
    sigaction(SIGILL, &ours, &ill);
    sigaction(SIGTRAP, &ours, &trap);
    if (sigsetjmp(before_trap, 1) == 0) {
        sim_world_run(world, seed, less, view, &result);
    }
    sigaction(SIGILL, &ill, NULL);
    sigaction(SIGTRAP, &trap, NULL);
}

int sim_draw(uint64_t seed, const struct sim_less *less, const struct sim_wrong *wrong, bool far,
             bool colour, hf_text_fn *write, void *arg)
{
    struct hf_ladder_style style = {.struct_size = sizeof style,
                                    .colour = colour,
                                    .keep = true,
                                    .brief = true,
                                    .local_name = "this stack"};
    struct sim_wrong seen_by = far ? other_end(wrong) : *wrong;
    struct drawing d = {.wrong = &seen_by};
    d.ladders = hf_ladder_set_new(&style, 0, choose, &d);
    struct sim_view view = {.trace = trace, .lost = lost, .arg = &d};
    struct world *world = sim_world_new();
    int drawn = d.ladders != NULL && world != NULL ? 0 : -1;
    if (drawn == 0) {
        run(world, seed, less, &view);
        hf_ladder_set_text(d.ladders, colour, write, arg);
    }
    sim_world_free(world);
    hf_ladder_set_free(d.ladders);
    return drawn;
}
