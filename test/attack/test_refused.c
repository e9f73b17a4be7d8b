/* Memory that is refused: each n-th record of each pool, in each of a dozen lives of connections,
 * on either side; and all from the n-th on for a while. */
/* ctest: timeout=600 */
#include "common/net.h"
#include "common/refuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { PORT = 80, FLOWS = 3, WHILE_MS = 3000, SIDES = 2 };

struct life {
    const char *name;
    bool v6, cookies, crossing, fast_open, ecn, options, aborts;
    uint32_t loss, late, twice;
    uint64_t request, answer;
};

static const struct life lives[] = {
    {.name = "to the listener", .request = 30000},
    {.name = "from the listener", .answer = 30000},
    {.name = "both ways, IPv6", .v6 = true, .request = 20000, .answer = 20000},
    {.name = "with losses", .loss = 100, .request = 60000, .answer = 20000},
    {.name = "overtaken and twice", .late = 300, .twice = 100, .request = 60000, .v6 = true},
    {.name = "by cookies", .cookies = true, .request = 3000, .answer = 3000},
    {.name = "by cookies, IPv6, with losses",
     .v6 = true,
     .cookies = true,
     .loss = 100,
     .request = 9000},
    {.name = "from both sides at once", .crossing = true, .request = 9000},
    {.name = "by Fast Open", .fast_open = true, .request = 9000, .answer = 9000},
    {.name = "with ECN", .ecn = true, .request = 9000, .answer = 9000},
    {.name = "with options that few set", .options = true, .request = 9000, .answer = 9000},
    {.name = "aborted half way", .aborts = true, .request = 90000, .answer = 90000, .v6 = true},
};

static const struct life *life;

static void option(struct net *net, int side, hf_handle handle, enum hf_option which, int64_t value)
{
    struct net_stack *s = &net->side[side].s;
    hf_set_option(s->stack, &s->env, handle, which, value); /* may be refused */
}

static struct net *begin(void)
{
    struct hf_config config;
    hf_config_default(&config, 8);
    config.large_chunks = 80; /* each run has blocks of its own: as much as the lives need */
    config.max_sent = 1024;
    config.policy.syn_cookies = life->cookies ? HF_COOKIES_ALWAYS : HF_COOKIES_FULL;
    config.policy.ecn = life->ecn ? HF_ECN_ASK : HF_ECN_ACCEPT;
    config.policy.accecn = life->ecn;
    struct net *net = net_new(life->v6, &config, 0);
    net->loss = life->loss;
    net->late = life->late;
    net->twice = life->twice;
    net->scarce = true;
    for (int who = 0; who < SIDES; who++) /* what is dropped for want of memory gets no ACK */
        net->side[who].s.env.trace = NULL;
    net->side[1].answer = life->answer;
    net_listen(net, 1, PORT, 4);
    if (life->fast_open)
        option(net, 1, net->side[1].listener, HF_FAST_OPEN, 4);
    if (life->options)
        option(net, 1, net->side[1].listener, HF_KEEPALIVE_IDLE, 5000);
    return net;
}

/* The connections of this life. */
static void open_all(struct net *net)
{
    for (uint16_t i = 0; i < FLOWS; i++) {
        struct net_flow *flow =
            net_open(net, 0, (uint16_t)(1000 + i), life->crossing ? 2000 : PORT, life->request);
        if (flow && life->fast_open)
            option(net, 0, flow->handle, HF_FAST_OPEN, 1);
        if (flow && life->options)
            option(net, 0, flow->handle, HF_SEND_LOW_WATER, 3000);
        if (flow && life->crossing)
            net_open(net, 1, 2000, (uint16_t)(1000 + i), life->answer);
        net_run(net, 15, NULL);
        if (life->crossing)
            break;
    }
}

/* Whoever waits is let go on each second, as an application would try again. */
static bool ends(struct net *net)
{
    for (int s = 0; s < 7200 && !net->wrong; s++)
        if (net_run(net, 1000, NULL))
            return true;
    return false;
}

static void abort_all(struct net *net)
{
    struct net_stack *s = &net->side[0].s;
    for (int i = 0; i < NET_FLOWS; i++)
        if (net->side[0].flow[i].used)
            hf_abort(s->stack, &s->env, net->side[0].flow[i].handle);
}

static bool never(struct net *net)
{
    (void)net;
    return false;
}

static void release_all(struct net *net)
{
    for (int who = 0; who < SIDES; who++) {
        struct net_stack *s = &net->side[who].s;
        for (int i = 0; i < NET_FLOWS; i++)
            if (net->side[who].flow[i].used)
                hf_release(s->stack, &s->env, net->side[who].flow[i].handle);
    }
    net_run(net, 200000, never);
}

static void fails(struct net *net, unsigned pool, int side, uint32_t n, uint32_t times,
                  const char *what)
{
    fail_msg("%s: side %d is refused %s number %u%s: %s (%s)", life->name, side, refuse_name(pool),
             n, times == 1 ? "" : " and all after it", what, net->what ? net->what : "no fault");
}

/* A cookie is read from the first octet alone: where that is overtaken, or ignored though there is
 * room (as only a test refuses it), what comes is reset (RFC 4987 3.6). */
static bool excused(unsigned pool, const struct net_flow *flow)
{
    if (life->crossing && flow->error == HF_ERR_REFUSED)
        return true; /* the other one could not open */
    if (life->aborts)
        return true;
    bool cookies =
        life->cookies || pool == REFUSE_HALF_OPEN || pool == REFUSE_EXT6 || pool == REFUSE_EVERY;
    return cookies && (life->loss || life->late || pool != REFUSE_EXT6) &&
           (!flow->open || flow->error == HF_ERR_RESET);
}

/* False: there is no n-th allocation in this life. */
static bool is_survived(unsigned pool, int side, uint32_t n, uint32_t times)
{
    struct net *net = begin();
    struct hf_stack *stack = net->side[side].s.stack;
    uint32_t used[SIDES][REFUSE_POOLS];
    for (int who = 0; who < SIDES; who++)
        for (unsigned i = 0; i < REFUSE_POOLS; i++)
            used[who][i] = refuse_used(net->side[who].s.stack, i);
    refuse_begin(stack, pool, n, times);
    open_all(net);
    if (life->aborts)
        abort_all(net);
    net_run(net, WHILE_MS, NULL);
    bool happened = refuse_happened(stack, pool, times);
    if (times != 1)
        refuse_end(stack);
    if (!ends(net))
        fails(net, pool, side, n, times, "it hangs");
    for (int who = 0; who < SIDES; who++)
        for (int i = 0; i < NET_FLOWS; i++) {
            struct net_flow *flow = &net->side[who].flow[i];
            uint64_t wanted = who == 0 ? life->answer : life->request;
            if (flow->used && !excused(pool, flow) &&
                (flow->error != HF_OK || flow->received != wanted))
                fails(net, pool, side, n, times, hf_error_text(flow->error));
        }
    release_all(net);
    release_all(net); /* what was still under way may have opened one more */
    happened |= times == 1 && refuse_happened(stack, pool, times);
    for (int who = 0; who < SIDES; who++)
        for (unsigned i = 0; i < REFUSE_POOLS; i++)
            if (refuse_used(net->side[who].s.stack, i) != used[who][i])
                fails(net, pool, side, n, times, refuse_name(i));
    net_free(net);
    return happened;
}

/* MM-02, MM-03.  There are as many ext6 as there are owners: they do not run out. */
static void each_record_may_be_refused(void **state)
{
    (void)state;
    uint32_t runs = 0;
    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        life = &lives[i];
        for (unsigned pool = 0; pool < REFUSE_KINDS; pool++)
            for (int side = 0; side < SIDES; side++)
                for (int once = pool == REFUSE_EXT6; once < 2; once++)
                    for (uint32_t n = 1; is_survived(pool, side, n, once ? 1 : REFUSE_ALL); runs++)
                        n++;
        printf("%s: %u runs\n", life->name, runs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_may_be_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
