/* test_neighbour_table.c - how many neighbours there is room for, and which of them make room (RFC
 * 1122 2.3.2, RFC 4861 7.2): those that answer, and those that hf_neighbour_add sets.
 */
#include "common/link.h"
#include "common/packets.h"
#include "common/work.h"

#include <string.h>

/* Neighbour n, and its link address. */
static void neighbour(const struct peer *p, uint32_t n, uint8_t ip[16], uint8_t mac[6])
{
    memcpy(ip, p->peer_ip, 16);
    ip[13] ^= 1;
    ip[14] = (uint8_t)(n >> 7);
    ip[15] = (uint8_t)(1 + n % 128);
    memcpy(mac, other_mac, 6);
    mac[4] = ip[14];
    mac[5] = ip[15];
}

/* A link with so many places, and a socket; all addresses of neighbour() are on it. */
static hf_handle has_places(struct peer *p, uint32_t n)
{
    uint8_t more[16], mac[6];
    p->config.max_neighbours = n;
    p->wild = p->ethernet = p->ask = true;
    hf_handle socket = socket_on(p, HERE);
    neighbour(p, 0x7fff, more, mac);
    calls(hf_address_add(p->stack, &p->env, 1, more, p->v6 ? 64 : 8));
    return socket;
}

static void sends_to(struct peer *p, hf_handle socket, uint32_t n)
{
    struct hf_endpoint to = {.port = THERE};
    uint8_t mac[6];
    neighbour(p, n, to.ip, mac);
    calls(hf_udp_send(p->stack, &p->env, socket, NULL, &to, data, 1));
}

static int adds(struct peer *p, uint32_t n)
{
    uint8_t ip[16], mac[6];
    neighbour(p, n, ip, mac);
    int result = hf_neighbour_add(p->stack, &p->env, 1, ip, mac);
    peer_pump(p);
    return result;
}

/* A datagram, and nothing else, has left for neighbour n. */
static void goes_to(struct peer *p, uint32_t n)
{
    uint8_t ip[16], mac[6];
    neighbour(p, n, ip, mac);
    struct seen *seen = peer_any(p);
    holds(seen != NULL && seen->is_ip && seen->ip.proto == WIRE_PROTO_UDP);
    holds(memcmp(seen->bytes, mac, 6) == 0 && memcmp(seen->ip.dst, ip, 16) == 0);
    peer_taken(p, seen);
    expects_silence();
}

/* Half of them are permanent; each is found, and so is each one that is not. */
static void half_of_them(struct peer *p, uint32_t places)
{
    uint8_t ip[16], mac[6];
    hf_handle socket = has_places(p, places);
    uint32_t half = (places + 1) / 2;
    for (uint32_t n = 0; n < half; n++) {
        sends_to(p, socket, n); /* which is asked for just then */
        holds_equal(takes_questions(p), 1);
        calls(adds(p, n));
        goes_to(p, n);
    }
    refuses(HF_ERR_NO_RESOURCES, adds(p, half));
    calls(adds(p, 0)); /* is one of them */
    holds_equal(counters_of(p).neighbours, half);
    for (uint32_t n = half; places > 1 && n < half + 2 * places; n++) {
        sends_to(p, socket, n);
        holds_equal(takes_questions(p), 1);
        neighbour(p, n, ip, mac);
        answers_as(p, ip, mac);
        goes_to(p, n);
    }
    for (uint32_t n = 0; n < half; n++) {
        sends_to(p, socket, n);
        goes_to(p, n);
    }
    holds(counters_of(p).neighbours <= places);
}

TEST(the_only_neighbour_may_be_permanent)
{
    half_of_them(p, 1);
}

TEST(one_of_two_neighbours_may_be_permanent)
{
    half_of_them(p, 2);
}

TEST(half_of_a_few_neighbours_may_be_permanent)
{
    half_of_them(p, 15);
}

TEST(half_of_many_neighbours_may_be_permanent)
{
    half_of_them(p, 1023);
    uint8_t ip[16], mac[6];
    struct work_done before = work_of(p->stack);
    for (uint32_t n = 0; n < 1000; n++) {
        neighbour(p, 0x4000 + n, ip, mac);
        asks_as(p, ip, mac);
        peer_forget(p);
    }
    double steps = (double)work_since(p->stack, &before).steps / 1000;
    holds(steps < 100); /* two sets or three, not the table */
}

TEST(where_there_is_no_room_for_neighbours_none_is_permanent)
{
    has_places(p, 0);
    refuses(HF_ERR_NO_RESOURCES, adds(p, 1));
}

TEST(all_places_for_neighbours_are_used)
{
    uint8_t ip[16], mac[6];
    has_places(p, 15);
    for (uint32_t n = 0; n < 15; n++) {
        neighbour(p, n, ip, mac);
        asks_as(p, ip, mac);
        peer_forget(p);
    }
    holds_equal(counters_of(p).neighbours, 15);
}

/* Who waits for one that gives way is told, or asks anew. */
TEST(a_permanent_neighbour_takes_the_place_of_one_that_has_not_answered)
{
    struct hf_icmp_report report;
    hf_handle socket = has_places(p, 1);
    sends_to(p, socket, 1);
    holds_equal(takes_questions(p), 1);
    calls(adds(p, 2));
    expects_silence();
    calls(hf_error_report(p->stack, socket, &report));
    holds_equal(report.error, HF_ERR_HOST_UNREACHABLE);
    sends_to(p, socket, 2);
    goes_to(p, 2);
    nothing_is_held(p);
}

static void hears_of(struct peer *p, uint32_t n)
{
    uint8_t ip[16], mac[6];
    neighbour(p, n, ip, mac);
    asks_as(p, ip, mac);
    peer_forget(p);
}

/* Of two neighbours, the second heard of a day ago, the first one makes room for a third. */
static void makes_room_after(struct peer *p, int64_t days)
{
    const int64_t day_ns = 24 * 3600 * INT64_C(1000000000);
    hf_handle socket = has_places(p, 2);
    hears_of(p, 1);
    p->env.now_ns += (days - 1) * day_ns;
    hears_of(p, 2);
    p->env.now_ns += day_ns;
    hears_of(p, 3);
    sends_to(p, socket, 2);
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL);
    peer_taken(p, seen);
}

TEST(the_neighbour_not_used_for_26_days_makes_room)
{
    makes_room_after(p, 26);
}

TEST(the_neighbour_not_used_for_50_days_makes_room)
{
    makes_room_after(p, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(the_only_neighbour_may_be_permanent),
        ON_BOTH(one_of_two_neighbours_may_be_permanent),
        ON_BOTH(half_of_a_few_neighbours_may_be_permanent),
        ON_BOTH(half_of_many_neighbours_may_be_permanent),
        ON_BOTH(where_there_is_no_room_for_neighbours_none_is_permanent),
        ON_BOTH(all_places_for_neighbours_are_used),
        ON_BOTH(a_permanent_neighbour_takes_the_place_of_one_that_has_not_answered),
        ON_BOTH(the_neighbour_not_used_for_26_days_makes_room),
        ON_BOTH(the_neighbour_not_used_for_50_days_makes_room),
    };
    return cmocka_run_group_tests_name("neighbour table", tests, NULL, NULL);
}
