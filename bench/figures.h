/* figures.h - the contenders of figures.c. */
#ifndef HANDFAST_BENCH_FIGURES_H
#define HANDFAST_BENCH_FIGURES_H

#include "bench.h"
#include "pair.h"

enum { BENCH_ROUND_MS = 250 }; /* a round lasts about so long */

/* pair_lives.c, pair_bulk.c; arg: a struct pair_setup. */
bool lives_open(const void *arg);
double lives_round(const void *arg);
double counted_lives_round(const void *arg); /* and how many instructions one takes */
bool bulk_open(const void *arg);
double bulk_round(const void *arg);
double roofline_round(const void *arg);
/* One connection from opening to closing; of these two ends. */
void lives_one(void *unused);
struct pair *lives_pair(void);

/* flood.c; arg: a struct pair_setup.  SYNs alone; lives beside a million of them a
 * second, and without them. */
bool flood_open(const void *arg);
double flood_round(const void *arg);
bool flooded_lives_open(const void *arg);
bool alone_lives_open(const void *arg);
double alone_lives_round(const void *arg);
double flooded_lives_round(const void *arg);

/* shards.c; arg: how many (unsigned). */
bool shards_open(const void *arg);
double shards_round(const void *arg);

/* flow.c; arg: a struct pair_setup. */
bool flow_open(const void *arg);
double flow_round(const void *arg);

/* worst.c */
bool worst_open(const void *arg);
double worst_round(const void *arg);

/* pair_memory.c: octets a record; arg: a struct memory_setup. */
struct memory_setup {
    struct pair_setup pair;
    uint32_t few, many; /* records: how memory grows between the two */
};
double memory_established(const void *arg);
double memory_syn_received(const void *arg);
double memory_time_wait(const void *arg);

/* pair_scale.c; arg: a struct pair_setup; connections: a power of ten. */
double scale_round(const void *arg);

/* lwip.c; arg: how many idle connections stand beside (unsigned), or NULL. */
bool lwip_lives_open(const void *arg);
double lwip_lives_round(const void *arg);
bool lwip_bulk_open(const void *arg);
double lwip_bulk_round(const void *arg);

bool lwip_memory_open(const void *arg);
double lwip_established_round(const void *arg);
double lwip_syn_received_round(const void *arg);
double lwip_time_wait_round(const void *arg);
double lwip_scale_round(const void *arg);

/* kernel.c */
/* In the namespace of now, for kernel_connect; port 0: whichever. */
bool kernel_listen(uint32_t ip, uint16_t port);
bool kernel_open(const void *arg);
double kernel_lives_round(const void *arg);
double kernel_bulk_round(const void *arg);

/* kernel_veth.c: to open before kernel_bulk_round */
bool kernel_veth_open(const void *arg);
/* Both ends of one more connection, and the life of one, as the rounds have them. */
int kernel_connect(int *accepted);
void kernel_life(void *unused);

/* kernel_flood.c: the same SYNs at its listener, through a TUN; or only its lives there. */
bool kernel_flood_open(const void *arg);
double kernel_flood_round(const void *arg);
double kernel_flooded_lives_round(const void *arg);
double kernel_alone_lives_round(const void *arg);

/* kernel_memory.c: what its slabs say. */
bool kernel_memory_open(const void *arg);
double kernel_established_round(const void *arg);
double kernel_syn_received_round(const void *arg);
double kernel_time_wait_round(const void *arg);
double kernel_scale_round(const void *arg);

/* devices.c, devices_raw.c; arg: a struct device_setup. */
bool device_open(const void *arg);
double device_round(const void *arg);
bool device_raw_open(const void *arg);
double device_raw_in_round(const void *arg);
double device_raw_out_round(const void *arg);

/* net_relay.c; arg: a struct net_relay.  Then net_kernel_round. */
bool net_relay_open(const void *arg);

/* tun.c, net_kernel.c, net_lwip.c, net_gvisor.c; arg: an enum net_job */
bool tun_open(const void *arg);
double tun_round(const void *arg);
bool net_kernel_open(const void *arg);
double net_kernel_round(const void *arg);
bool net_lwip_open(const void *arg);
double net_lwip_round(const void *arg);
bool net_gvisor_open(const void *arg);
double net_gvisor_round(const void *arg);

#endif
