/* kernel_flood.c - the same SYN flood at this machine's kernel, which answers with cookies too.
 *
 *     flood -- write(2) --> TUN, IP, TCP, a cookie, SYN,ACK --> the TUN's queue -- read(2): away
 *
 * All that the kernel does for a SYN happens within the call that writes it, on this core; so what
 * is timed has no other process in it, and the system call and the device besides.  A packet whose
 * header's checksum is wrong goes no further than IP's first look: what the device alone takes.
 */
#include "figures.h"
#include "flood.h"
#include "net.h"

#include <handfast/host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERVER = 10 << 24 | 2, BATCHES = 1000, IP_SUM_AT = 10, LINE = 4096 };

static int tun = -1;
static bool flooded;

/* Of /proc/net/netstat: a line of names, a line of numbers. */
static uint64_t cookies_sent(void)
{
    char names[LINE], numbers[LINE], *at_name, *at_number;
    uint64_t found = 0;
    FILE *file = fopen("/proc/net/netstat", "re");
    while (file && fgets(names, sizeof names, file) && fgets(numbers, sizeof numbers, file)) {
        char *name = strtok_r(names, " \n", &at_name);
        char *number = strtok_r(numbers, " \n", &at_number);
        while (name && number) {
            if (!strcmp(name, "SyncookiesSent")) {
                found = strtoull(number, NULL, 10);
            }
            name = strtok_r(NULL, " \n", &at_name);
            number = strtok_r(NULL, " \n", &at_number);
        }
    }
    if (file) {
        fclose(file);
    }
    return found;
}

static uint32_t throw_answers_away(void)
{
    uint8_t packet[FORGE_MAX];
    uint32_t n = 0;
    while (read(tun, packet, sizeof packet) > 0) {
        n++;
    }
    return n;
}

static double write_batch(uint32_t n, bool broken)
{
    static uint8_t packet[FLOOD_BATCH][FORGE_MAX];
    uint32_t len[FLOOD_BATCH];
    uint32_t written = 0;
    for (uint32_t i = 0; i < n; i++) {
        len[i] = flood_syn(packet[i]);
        packet[i][IP_SUM_AT] ^= broken ? 1 : 0;
    }
    double begin = bench_seconds();
    for (uint32_t i = 0; i < n; i++) {
        written += write(tun, packet[i], len[i]) == (ssize_t)len[i] ? 1 : 0;
    }
    double took = bench_seconds() - begin;
    uint32_t answers = throw_answers_away();
    bench_must(written == n ? 0 : -1, "a SYN into the TUN");
    bench_must(broken || answers >= n ? 0 : -1, "an answer for each SYN");
    return took;
}

static double take(uint32_t n)
{
    return write_batch(n, false);
}

static double take_broken(uint32_t n)
{
    return write_batch(n, true);
}

bool kernel_flood_open(const void *arg)
{
    (void)arg;
    if (!net_own() || (tun = net_tun()) < 0) {
        return false;
    }
    if (hf_kernel_address("hf0", "10.0.0.2/24", NULL) < 0 ||
        hf_kernel_address("lo", NULL, NULL) < 0 || system("ip route add default dev hf0") != 0) {
        bench_note("a route to everybody", "it needs root, and the command `ip`");
        return false;
    }
    return kernel_listen(SERVER, PAIR_PORT);
}

/* The backlog is full, and what is asked for now gets a cookie. */
static void begin_flood(void)
{
    if (flooded) {
        return;
    }
    flooded = true;
    for (uint32_t i = 0; i < FLOOD_WARM_BATCHES; i++) {
        take(FLOOD_BATCH);
    }
    bench_must(cookies_sent() * 100 > (uint64_t)FLOOD_WARM_BATCHES * FLOOD_BATCH * 99 ? 0 : -1,
               "cookies of the kernel (net.ipv4.tcp_syncookies)");
}

double kernel_flood_round(const void *arg)
{
    (void)arg;
    begin_flood();
    bench_also(0, flood_ns(take_broken, BATCHES));
    return flood_ns(take, BATCHES);
}

static void life(void)
{
    kernel_life(NULL);
}

double kernel_flooded_lives_round(const void *arg)
{
    (void)arg;
    begin_flood();
    return flood_lives(life, take);
}

double kernel_alone_lives_round(const void *arg)
{
    (void)arg;
    return flood_lives(life, NULL);
}
