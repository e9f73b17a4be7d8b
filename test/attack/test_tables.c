/* Addresses and ports chosen so that they collide under a hash without a secret: the table of
 * connections, of neighbours, of datagrams being put together (Crosby and Wallach 2003). */
#include "attack/forge.h"

#include <string.h>

#include "base/siphash.h"
#include "common/link.h"
#include "common/work.h"

/* The hash that the attacker computes: of no key. */
static uint32_t unkeyed(struct peer *p, uint32_t host, uint16_t port)
{
    const struct sip_key none = {0, 0};
    uint64_t both = (uint64_t)host << 32 | 0x0a000001; /* to 10.0.0.1 */
    (void)p;
    return (uint32_t)sip13_12(&none, both, (uint32_t)port << 16 | 80);
}

/* PR-04: CVE-2023-1206: five thousand half-open connections, all of one line in 64; and how many
 * lines of seven are looked at for each segment. */
TEST(endpoints_that_collide_without_the_key_are_spread_by_it)
{
    enum { WANTED = 5000, MOST_LINES = 5 }; /* no more than 32 entries of seven a line */
    uint8_t prefix[16];
    p->config.max_half_open = WANTED + 100;
    p->config.policy.backlog_share = 100; /* all of one network */
    memcpy(prefix, p->stack_ip, 16);
    listens_with(WANTED + 100, false);
    judge_end(&p->judge);
    calls(hf_route_add(p->stack, &p->env, 1, prefix, 8, NULL));
    uint64_t all = 0, n = 0;
    for (uint32_t at = 0; n < WANTED; at++) {
        uint32_t host = 0x0a010000 + at / 50000;
        uint16_t port = (uint16_t)(1024 + at % 50000);
        if (unkeyed(p, host, port) % 64 != 0)
            continue;
        new_incarnation(100);
        p->c->peer_port = port;
        p->peer_ip[13] = 1;
        p->peer_ip[14] = (uint8_t)(host >> 8);
        p->peer_ip[15] = (uint8_t)host;
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK);
        struct work_done before = work_of(p->stack);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 500); /* looked up, refused, kept */
        uint64_t lines = work_since(p->stack, &before).lines;
        if (lines > MOST_LINES)
            peer_fail(p, "%u lines for one segment, with %u connections", (unsigned)lines,
                      (unsigned)n);
        all += lines;
        n++;
        count_sent(p);
        if (n % 100 == 0)
            after(0);
    }
    if (all == 0)
        skip(); /* work is counted where assertions are built in */
    holds_equal(counters_of(p).half_open, WANTED);
    holds(all <= WANTED * 2);
}

/* Which of the 64 sets of eight neighbours an address would be of without a key. */
static uint32_t unkeyed_set(const uint8_t ip[16])
{
    uint8_t octets[17];
    memcpy(octets, ip, 16);
    octets[16] = 1;
    return (uint32_t)sip13(0, 0, octets, sizeof octets) % 64;
}

/* PR-05: forged SYNs make the stack ask for neighbours that would all be of one set; one of that
 * set that is there is found all the same. */
TEST(neighbours_that_collide_without_the_key_keep_nobody_out)
{
    uint8_t honest[16], prefix[16];
    p->ethernet = p->ask = true;
    p->config.max_neighbours = 512;
    p->config.max_half_open = p->config.max_packets = p->config.max_replies = 256;
    listens_with(200, false);
    memcpy(prefix, p->stack_ip, 16);
    if (!p->v6)
        calls(hf_route_add(p->stack, &p->env, 1, prefix, 8, NULL));
    memcpy(honest, p->peer_ip, 16);
    uint32_t forged = 0;
    for (uint32_t at = 0; forged < 40; at++) {
        p->peer_ip[13] = 1;
        p->peer_ip[14] = (uint8_t)(at >> 8);
        p->peer_ip[15] = (uint8_t)at;
        if (unkeyed_set(p->peer_ip) != unkeyed_set(honest))
            continue;
        new_incarnation(100);
        sends(SYN, .seq = IRS, .mss = 1460);
        forged++;
    }
    peer_forget(p);
    memcpy(p->peer_ip, honest, 16);
    on(1);
    opens();
    expects_question(p, false);
    answers(p, p->peer_mac);
    expects(SYN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(endpoints_that_collide_without_the_key_are_spread_by_it),
        BOTH(neighbours_that_collide_without_the_key_keep_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
