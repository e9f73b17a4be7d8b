/* Addresses and ports chosen so that they collide under a hash without a secret: the table of
 * connections, of neighbours, of datagrams being put together (Crosby and Wallach 2003).
 *
 * ctest: timeout=300
 */
#include "attack/forge.h"
#include "attack/row.h"
#include "attack/siege.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/siphash.h"
#include "common/link.h"
#include "common/raw.h"
#include "common/work.h"

/* The hash that the attacker computes of two addresses and what else a table looks for: the stack's
 * own, of no key. */
static uint32_t unkeyed(const uint8_t from[16], const uint8_t to[16], uint32_t rest)
{
    const struct sip_key none = {0, 0};
    const uint64_t words[4] = {get_be64(from), get_be64(from + 8), get_be64(to), get_be64(to + 8)};
    if (wire_is_v4(to))
        return (uint32_t)sip13_12(&none, (uint64_t)get_be32(from + 12) << 32 | get_be32(to + 12),
                                  rest);
    return (uint32_t)sip13_36(&none, words, rest);
}

/* The table of connections ---------------------------------------------------------------------*/

/* A bucket has seven entries: four are 28, and the row allows 32 to be looked at. */
enum { COLLIDING = 100000, MOST_LINES = 4 };

static struct siege siege;

struct stranger {
    uint8_t ip[16];
    uint16_t port;
    uint32_t place; /* among all that were tried: its number, too */
};
static struct stranger strangers[COLLIDING];

/* The next one behind `place` whose endpoints are of the one line in 64. */
static struct stranger colliding(const struct siege *s, uint32_t place)
{
    struct stranger one = {{0}, 0, place};
    do {
        one.place++;
        one.port = (uint16_t)(1024 + one.place % 50000);
        memcpy(one.ip, s->server_ip, 16);
        if (s->v6) /* of one /64: what an IPv6 attacker has */
            put_be32(one.ip + 4, 0x20010db8);
        else
            one.ip[12] = 0x14;
        put_be16(one.ip + 13, (uint16_t)(one.place / 50000));
    } while (unkeyed(one.ip, s->server_ip, (uint32_t)one.port << 16 | SIEGE_PORT) % 64 != 0);
    return one;
}

/* An ACK of nothing that was sent: looked up, and answered or not. */
static uint64_t lines_for_a_segment(struct siege *s, const struct stranger *one)
{
    struct segment seg = {.seq = seq(one->place + 1),
                          .ctl = ACK,
                          .wnd = 64240,
                          .sport = one->port,
                          .dport = SIEGE_PORT};
    struct work_done before = work_of(s->server);
    siege_hit(s, one->ip, &seg, 0);
    siege_flush(s);
    return work_since(s->server, &before).lines;
}

/* Lines of the table that a segment of one of n colliding connections takes on average; the table
 * has no more room than for those. */
static double lines_of(uint32_t n, void *arg)
{
    struct siege *s = &siege;
    uint64_t all = 0, most = 0;
    uint32_t place = 0;
    siege_config(s, n);
    s->v6 = arg != NULL;
    s->config.max_half_open = s->config.max_time_wait = 1;
    s->config.small_chunks = 64;
    s->config.large_chunks = 16;
    s->backlog = UINT16_MAX;
    siege_begin(s);
    for (uint32_t i = 0; i < n; i++) {
        strangers[i] = colliding(s, place);
        place = strangers[i].place;
        assert_true(siege_connects(s, strangers[i].ip, strangers[i].port, place));
        siege_run(s, i % 1000 == 999);
    }
    siege_run(s, 1);
    assert_int_equal(siege_counters(s).connections, n);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t lines = lines_for_a_segment(s, &strangers[i]);
        all += lines;
        most = lines > most ? lines : most;
    }
    printf("    at most %u lines\n", (unsigned)most);
    assert_in_range(most, 1, MOST_LINES);
    siege_end(s);
    return (double)all / n;
}

/* PR-04: CVE-2023-1206: ten thousand connections, and ten times as many, all of one line in 64; how
 * many lines of seven are looked at for each segment. */
static void endpoints_that_collide_without_the_key_are_spread_by_it(void **state)
{
    (void)state;
    work_is_flat_to("a segment of one that collides", lines_of, NULL, row_or(COLLIDING, 10000));
    assert_in_range(lines_of(10000, &siege) * 10, 10, 20); /* IPv6 */
}

/* The other tables -----------------------------------------------------------------------------*/

/* Which of the 64 sets of eight neighbours an address would be of without a key. */
static uint32_t unkeyed_set(const uint8_t ip[16])
{
    uint8_t octets[17];
    memcpy(octets, ip, 16);
    octets[16] = 1;
    return (uint32_t)sip13(0, 0, octets, sizeof octets) % 64;
}

/* A flood of what collides: how many have come, of how many that were tried. */
struct flood {
    struct peer *p;
    uint32_t n, place;
};

static void neighbours_until(struct flood *flood, uint32_t n)
{
    struct peer *p = flood->p;
    uint8_t honest[16];
    memcpy(honest, p->peer_ip, 16);
    while (flood->n < n) {
        put_be32(p->peer_ip + 12, 0x0a010000 + flood->place++);
        if (unkeyed_set(p->peer_ip) != unkeyed_set(honest))
            continue;
        new_incarnation(100);
        sends(SYN, .seq = IRS, .mss = 1460);
        peer_forget(p);
        flood->n++;
    }
    memcpy(p->peer_ip, honest, 16);
}

/* One datagram of each of many hosts, of which the rest does not come; all of one line in 64. */
static void fragments_until(struct flood *flood, uint32_t n)
{
    struct peer *p = flood->p;
    uint8_t honest[16];
    memcpy(honest, p->peer_ip, 16);
    while (flood->n < n) {
        uint32_t place = flood->place++;
        put_be32(p->peer_ip + 12, 0x0a010000 + place % 50000);
        if (unkeyed(p->peer_ip, p->stack_ip, place / 50000) % 64 != 0)
            continue;
        fragment_ident = (uint16_t)(place / 50000);
        sends_fragment(p, WIRE_PROTO_UDP, data, 8, 40, true);
        flood->n++;
    }
    memcpy(p->peer_ip, honest, 16);
}

enum { SOME = 100 };

/* What each of SOME costs when n have come, or a few more. */
static double cost_of_some(struct flood *flood, uint32_t n,
                           void (*until)(struct flood *flood, uint32_t n))
{
    until(flood, n);
    struct work_done before = work_of(flood->p->stack);
    until(flood, flood->n + SOME);
    return (double)work_since(flood->p->stack, &before).steps / SOME;
}

static double cost_of_a_neighbour(uint32_t n, void *arg)
{
    return cost_of_some(arg, n, neighbours_until);
}

static double cost_of_a_fragment(uint32_t n, void *arg)
{
    return cost_of_some(arg, n, fragments_until);
}

static void listens_to_a_network(struct peer *p)
{
    uint8_t prefix[16];
    p->ethernet = p->ask = true;
    p->config.max_neighbours = 512;
    p->config.max_half_open = 8; /* cookies from the ninth on: they all cost the same */
    p->config.max_packets = p->config.max_replies = 256;
    listens_with(8, false);
    judge_end(&p->judge); /* it would remember all of them */
    memcpy(prefix, p->stack_ip, 16);
    if (!p->v6)
        calls(hf_route_add(p->stack, &p->env, 1, prefix, 8, NULL));
}

static void finds_another(struct peer *p)
{
    on(1);
    opens();
    expects_question(p, false);
    answers(p, p->peer_mac);
    expects(SYN);
}

/* PR-05: forged SYNs make the stack ask for neighbours that would all be of one set; one of that
 * set that is there is found all the same, whether it asks or is asked. */
TEST(neighbours_that_collide_without_the_key_keep_nobody_out)
{
    struct flood flood = {.p = p};
    listens_to_a_network(p);
    neighbours_until(&flood, 40);
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects_question(p, false);
    answers(p, p->peer_mac);
    expects(SYN | ACK);
}

/* PR-05: ten thousand of them, and ten times as many: each costs what the first ones did. */
TEST(a_neighbour_that_collides_costs_no_more_than_others)
{
    struct flood flood = {.p = p};
    listens_to_a_network(p);
    neighbours_until(&flood, 10 * SOME); /* by then what can be taken is */
    work_is_flat_to("a SYN of a neighbour that collides", cost_of_a_neighbour, &flood,
                    row_or(COLLIDING, 10000));
    holds(counters_of(p).neighbours <= p->config.max_neighbours);
    after(4000); /* nobody has answered: they are forgotten */
    peer_forget(p);
    finds_another(p);
}

/* PR-05: CVE-2018-5391: each of as many costs what the first did, and no more datagrams
 * are kept than the cap has; a datagram that is all there comes through. */
TEST(fragments_that_collide_without_a_key_cost_no_more_than_others)
{
    struct flood flood = {.p = p};
    p->config.max_reassembly = 64;
    p->config.max_ranges = 512;
    hf_handle socket = socket_on(p, HERE);
    fragments_until(&flood, SOME); /* all records are in use */
    work_is_flat_to("a fragment that collides", cost_of_a_fragment, &flood,
                    row_or(COLLIDING, 10000));
    holds_equal(counters_of(p).reassembly, 64);
    static uint8_t payload[ROOM];
    make_datagram(p, payload, 1992);
    fragment_ident = 60000;
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    fragments_until(&flood, flood.n + 10);
    fragment_ident = 60000;
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 2000, false);
    holds_equal(hf_udp_recv(p->stack, &p->env, socket, NULL, NULL, got, ROOM), 1992);
    holds(memcmp(got, data, 1992) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_that_collide_without_the_key_are_spread_by_it),
        BOTH(neighbours_that_collide_without_the_key_keep_nobody_out),
        BOTH(a_neighbour_that_collides_costs_no_more_than_others),
        ON_BOTH(fragments_that_collide_without_a_key_cost_no_more_than_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
