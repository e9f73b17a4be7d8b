/* figures.c - what `handfast bench` measures, and who contends. */
#include "figures.h"
#include "devices.h"
#include "net.h"

#include <stddef.h>

#ifndef HF_WITH_LWIP
static bool lwip_absent(const void *arg)
{
    (void)arg;
    bench_note("built without lwIP", "apt install liblwip-dev");
    return false;
}
#define lwip_lives_open lwip_absent
#define lwip_bulk_open lwip_absent
#define lwip_lives_round NULL
#define lwip_bulk_round NULL
#define lwip_memory_open lwip_absent
#define lwip_established_round NULL
#define lwip_syn_received_round NULL
#define lwip_time_wait_round NULL
#define net_lwip_open lwip_absent
#define net_lwip_round NULL
#define lwip_scale_round NULL
#endif

/* The settings of both ends of ours. */
static const struct pair_setup shipped = {
    .connections = 16384, .mtu = 1500, .msl_ms = 1, .step_ns = 16000};
static const struct pair_setup plain = {
    .connections = 16384, .mtu = 1500, .msl_ms = 1, .step_ns = 16000, .plain = true};
static const struct pair_setup beside_1k = {
    .connections = 16384, .mtu = 1500, .msl_ms = 1, .step_ns = 16000, .idle = 1000};
static const struct pair_setup crowded = {.connections = 1 << 20,
                                          .mtu = 1500,
                                          .msl_ms = 500,
                                          .step_ns = 1000,
                                          .ports = 256,
                                          .idle = 1000000,
                                          .waiting = 1000000};
static const struct pair_setup frames_64k = {.connections = 64,
                                             .mtu = 1500,
                                             .msl_ms = 1,
                                             .offload = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 |
                                                        HF_OFFLOAD_TSO6};
static const struct pair_setup frames_64k_lent = {.connections = 64,
                                                  .mtu = 1500,
                                                  .msl_ms = 1,
                                                  .lent = true,
                                                  .offload = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 |
                                                             HF_OFFLOAD_TSO6};
static const struct pair_setup frames_1500 = {.connections = 64, .mtu = 1500, .msl_ms = 1};
static const struct pair_setup frames_1500_plain = {
    .connections = 64, .mtu = 1500, .msl_ms = 1, .plain = true};
static const struct pair_setup real_time = {.connections = 16384, .mtu = 1500, .msl_ms = 1};
#define MEMORY_SETUP(six)                                                                          \
    {                                                                                              \
        .pair = {.connections = 1000000,                                                           \
                 .mtu = 1500,                                                                      \
                 .msl_ms = 30000,                                                                  \
                 .step_ns = 1000,                                                                  \
                 .ports = 256,                                                                     \
                 .v6 = (six)},                                                                     \
        .few = 100000, .many = 1000000                                                             \
    }
static const struct memory_setup memory_v4 = MEMORY_SETUP(false), memory_v6 = MEMORY_SETUP(true);
static const struct pair_setup millions = {.connections = 10000000,
                                           .mtu = 1500,
                                           .msl_ms = 500,
                                           .step_ns = 2000,
                                           .ports = 1024,
                                           .huge = true};
static const struct pair_setup beside_million = {.connections = 1 << 20,
                                                 .mtu = 1500,
                                                 .msl_ms = 1,
                                                 .step_ns = 16000,
                                                 .ports = 256,
                                                 .idle = 1000000};
static const unsigned one = 1, two = 2;
static const unsigned none = 0, thousand = 1000;
static const enum net_job crr = NET_CRR, rr = NET_RR, up = NET_UP, down = NET_DOWN;

#define RELAY(job, program, mtu) (&(const struct net_relay){(job), (program), (mtu)})
#define DEVICE(kind, job) (&(const struct device_setup){(kind), (job)})
#define RELAYED(version)                                                                           \
    version "; on a TAP; it ends the connection and makes another, over loopback, to a kernel's "  \
            "server on this core: two connections beside one; CPU is of both"
#define RELAYED_LONG "the same, with its users' MTU of 65520"
#define PASTA RELAYED("of 2023-03")
#define PASTA_STALLS "; its queue overflows, and it waits for timeouts of retransmission"
#define SLIRP RELAYED("1.2.0")
#define LWIP_TUN "no offloads, as it has none; no timestamps, no SACK"
#define GVISOR_TUN "of 2022-12; no offloads"
#define TIME_WAIT_125 "2MSL 2 ms of virtual time: 125 in TIME-WAIT; one destination"

const struct bench_figure bench_figures[] = {
    {.name = "open-close",
     .unit = "connections/s",
     .title = "Opened, one octet each way, closed; both ends on one core",
     .also = {"instructions"},
     .contender = {{"handfast", TIME_WAIT_125, lives_open, counted_lives_round, &shipped},
                   {"handfast-plain", "no timestamps, no SACK", lives_open, counted_lives_round,
                    &plain},
                   {"lwip", "no timestamps, no SACK; at most 32 in TIME-WAIT", lwip_lives_open,
                    lwip_lives_round, &none},
                   {"kernel-loopback", "CUBIC", kernel_open, kernel_lives_round, NULL}}},
    {.name = "open-close-1k-idle",
     .unit = "connections/s",
     .title = "The same beside 1,000 idle connections",
     .also = {"instructions"},
     .contender = {{"handfast", TIME_WAIT_125, lives_open, counted_lives_round, &beside_1k},
                   {"lwip", "at most 32 in TIME-WAIT", lwip_lives_open, lwip_lives_round,
                    &thousand}}},
    {.name = "open-close-crowded",
     .unit = "connections/s",
     .title = "The same beside 1,000,000 idle connections and 1,000,000 in TIME-WAIT",
     .contender = {{"handfast", "2MSL 1 s of virtual time; 256 destinations", lives_open,
                    lives_round, &crowded},
                   {"handfast-empty", TIME_WAIT_125, lives_open, lives_round, &shipped}}},
    {.name = "bulk-1500",
     .unit = "GB/s",
     .title = "One connection, segments of MTU 1500, checksums; one copy in, one out",
     .contender = {{"handfast", NULL, bulk_open, bulk_round, &frames_1500},
                   {"handfast-plain", "no timestamps, no SACK", bulk_open, bulk_round,
                    &frames_1500_plain},
                   {"lwip", "its own checksum; window 64 KiB", lwip_bulk_open, lwip_bulk_round,
                    NULL},
                   {"kernel-veth", "CUBIC, no offload", kernel_veth_open, kernel_bulk_round, NULL},
                   {"copy-and-sum", "memcpy and checksum of the same octets alone", NULL,
                    roofline_round, NULL}}},
    {.name = "bulk-64k",
     .unit = "GB/s",
     .title = "One connection, frames of 64 KiB as a device with segmentation offload takes them",
     .contender = {{"handfast", NULL, bulk_open, bulk_round, &frames_64k},
                   {"kernel-loopback", "CUBIC", kernel_open, kernel_bulk_round, NULL}}},
    {.name = "bulk-64k-zerocopy",
     .unit = "GB/s",
     .title = "The same, borrowed when sent and lent when received",
     .contender = {{"handfast", NULL, bulk_open, bulk_round, &frames_64k_lent},
                   {"handfast-copying", NULL, bulk_open, bulk_round, &frames_64k}}},
    {.name = "memory-established",
     .unit = "octets",
     .title = "Private memory for each end of an idle connection: its growth from 10^5 to 10^6",
     .less_is_better = true,
     .once = true,
     .contender = {{"handfast", NULL, NULL, memory_established, &memory_v4},
                   {"handfast-ipv6", NULL, NULL, memory_established, &memory_v6},
                   {"lwip", "from 10^3 to 10^4", lwip_memory_open, lwip_established_round, NULL},
                   {"kernel-loopback", "from 10^3 to 9,000; socket, inode, file",
                    kernel_memory_open, kernel_established_round, NULL}}},
    {.name = "memory-syn-received",
     .unit = "octets",
     .title = "The same for a half-open connection",
     .less_is_better = true,
     .once = true,
     .contender = {{"handfast", NULL, NULL, memory_syn_received, &memory_v4},
                   {"handfast-ipv6", NULL, NULL, memory_syn_received, &memory_v6},
                   {"lwip", "from 10^3 to 10^4", lwip_memory_open, lwip_syn_received_round, NULL},
                   {"kernel-loopback", "from 2,000 to 20,000; request_sock_TCP", kernel_memory_open,
                    kernel_syn_received_round, NULL}}},
    {.name = "memory-time-wait",
     .unit = "octets",
     .title = "The same for a connection in TIME-WAIT",
     .less_is_better = true,
     .once = true,
     .contender = {{"handfast", NULL, NULL, memory_time_wait, &memory_v4},
                   {"handfast-ipv6", NULL, NULL, memory_time_wait, &memory_v6},
                   {"lwip", "from 10^3 to 10^4", lwip_memory_open, lwip_time_wait_round, NULL},
                   {"kernel-loopback", "from 2,000 to 20,000; tw_sock_TCP", kernel_memory_open,
                    kernel_time_wait_round, NULL}}},
    {.name = "ten-million",
     .unit = "us",
     .title =
         "10^7 connections, both ends here: the 99th percentile of an octet's echo on a random one",
     .less_is_better = true,
     .once = true,
     .contender = {{"handfast", "1,024 destinations; huge pages, touched ahead", NULL, scale_round,
                    &millions},
                   {"lwip", "10^4 connections", lwip_memory_open, lwip_scale_round, NULL},
                   {"kernel-loopback", "9,000 connections", kernel_memory_open, kernel_scale_round,
                    NULL}}},
    {.name = "tun-crr",
     .unit = "connections/s",
     .title = "A kernel's client beyond a TUN: connect, ask, get the answer, close; 64 at a time",
     .also = {"CPU us", "p50 us", "p99 us"},
     .contender = {{"handfast", NULL, tun_open, tun_round, &crr},
                   {"kernel-veth", "CUBIC, all offloads", net_kernel_open, net_kernel_round, &crr},
                   {"lwip", LWIP_TUN, net_lwip_open, net_lwip_round, &crr},
                   {"gvisor", GVISOR_TUN, net_gvisor_open, net_gvisor_round, &crr},
                   {"pasta", PASTA, net_relay_open, net_kernel_round,
                    RELAY(NET_CRR, "pasta", "1500")},
                   {"slirp4netns", SLIRP, net_relay_open, net_kernel_round,
                    RELAY(NET_CRR, "slirp4netns", "1500")}}},
    {.name = "tun-rr",
     .unit = "questions/s",
     .title = "The same client asks on 64 kept connections",
     .also = {"CPU us", "p50 us", "p99 us"},
     .contender = {{"handfast", NULL, tun_open, tun_round, &rr},
                   {"kernel-veth", "CUBIC, all offloads", net_kernel_open, net_kernel_round, &rr},
                   {"lwip", LWIP_TUN, net_lwip_open, net_lwip_round, &rr},
                   {"gvisor", GVISOR_TUN, net_gvisor_open, net_gvisor_round, &rr},
                   {"pasta", PASTA, net_relay_open, net_kernel_round,
                    RELAY(NET_RR, "pasta", "1500")},
                   {"slirp4netns", SLIRP, net_relay_open, net_kernel_round,
                    RELAY(NET_RR, "slirp4netns", "1500")}}},
    {.name = "tun-bulk-up",
     .unit = "GB/s",
     .title = "The same client writes to one connection, MTU 1500",
     .also = {"CPU ms/GB"},
     .contender = {{"handfast", NULL, tun_open, tun_round, &up},
                   {"kernel-veth", "CUBIC, all offloads", net_kernel_open, net_kernel_round, &up},
                   {"lwip", LWIP_TUN, net_lwip_open, net_lwip_round, &up},
                   {"gvisor", GVISOR_TUN, net_gvisor_open, net_gvisor_round, &up},
                   {"pasta", PASTA PASTA_STALLS, net_relay_open, net_kernel_round,
                    RELAY(NET_UP, "pasta", "1500")},
                   {"pasta-65520", RELAYED_LONG PASTA_STALLS, net_relay_open, net_kernel_round,
                    RELAY(NET_UP, "pasta", "65520")},
                   {"slirp4netns", SLIRP, net_relay_open, net_kernel_round,
                    RELAY(NET_UP, "slirp4netns", "1500")},
                   {"slirp4netns-65520", RELAYED_LONG, net_relay_open, net_kernel_round,
                    RELAY(NET_UP, "slirp4netns", "65520")}}},
    {.name = "tun-bulk-down",
     .unit = "GB/s",
     .title = "The same client reads from one connection, MTU 1500",
     .also = {"CPU ms/GB"},
     .contender = {{"handfast", NULL, tun_open, tun_round, &down},
                   {"kernel-veth", "CUBIC, all offloads", net_kernel_open, net_kernel_round, &down},
                   {"lwip", LWIP_TUN, net_lwip_open, net_lwip_round, &down},
                   {"gvisor", GVISOR_TUN, net_gvisor_open, net_gvisor_round, &down},
                   {"pasta", PASTA, net_relay_open, net_kernel_round,
                    RELAY(NET_DOWN, "pasta", "1500")},
                   {"pasta-65520", RELAYED_LONG, net_relay_open, net_kernel_round,
                    RELAY(NET_DOWN, "pasta", "65520")},
                   {"slirp4netns", SLIRP, net_relay_open, net_kernel_round,
                    RELAY(NET_DOWN, "slirp4netns", "1500")},
                   {"slirp4netns-65520", RELAYED_LONG, net_relay_open, net_kernel_round,
                    RELAY(NET_DOWN, "slirp4netns", "65520")}}},
    {.name = "devices-up",
     .unit = "GB/s",
     .title = "A client writes to one connection through each device; a ratio is the share of what "
              "the device gives without TCP",
     .in_pairs = true,
     .also = {"CPU ms/GB of its thread", "frames/s", "octets a frame"},
     .contender = {{"handfast", "TUN, virtio-net header, all offloads", device_open, device_round,
                    DEVICE(DEVICE_TUN, NET_UP)},
                   {"raw-tun", "frames come from the other core", device_raw_open,
                    device_raw_in_round, DEVICE(DEVICE_TUN, NET_UP)},
                   {"handfast-tun-1500", "TUN without offloads", device_open, device_round,
                    DEVICE(DEVICE_TUN_PLAIN, NET_UP)},
                   {"raw-tun-1500", "frames come from the other core", device_raw_open,
                    device_raw_in_round, DEVICE(DEVICE_TUN_PLAIN, NET_UP)},
                   {"handfast-packet", "AF_PACKET on veth, PACKET_VNET_HDR", device_open,
                    device_round, DEVICE(DEVICE_PACKET, NET_UP)},
                   {"raw-packet", "frames come from the other core", device_raw_open,
                    device_raw_in_round, DEVICE(DEVICE_PACKET, NET_UP)},
                   {"handfast-xdp-native", "AF_XDP on veth, native; the client sums and cuts",
                    device_open, device_round, DEVICE(DEVICE_XDP_NATIVE, NET_UP)},
                   {"raw-xdp-native", "frames come from the other core", device_raw_open,
                    device_raw_in_round, DEVICE(DEVICE_XDP_NATIVE, NET_UP)},
                   {"handfast-xdp-generic", "AF_XDP on veth, generic; the client sums and cuts",
                    device_open, device_round, DEVICE(DEVICE_XDP_GENERIC, NET_UP)},
                   {"raw-xdp-generic", "frames come from the other core", device_raw_open,
                    device_raw_in_round, DEVICE(DEVICE_XDP_GENERIC, NET_UP)},
                   {"handfast-pair", "in memory; the client is Handfast, too", device_open,
                    device_round, DEVICE(DEVICE_PAIR, NET_UP)},
                   {"raw-pair", "frames come from the other core", device_raw_open,
                    device_raw_in_round, DEVICE(DEVICE_PAIR, NET_UP)}}},
    {.name = "devices-down",
     .unit = "GB/s",
     .title = "A client reads from one connection through each device; a ratio is the share of "
              "what the device gives without TCP",
     .in_pairs = true,
     .also = {"CPU ms/GB of its thread", "frames/s", "octets a frame"},
     .contender = {{"handfast", "TUN, virtio-net header, all offloads", device_open, device_round,
                    DEVICE(DEVICE_TUN, NET_DOWN)},
                   {"raw-tun", "one core; frames are thrown away", device_raw_open,
                    device_raw_out_round, DEVICE(DEVICE_TUN, NET_DOWN)},
                   {"handfast-tun-1500", "TUN without offloads", device_open, device_round,
                    DEVICE(DEVICE_TUN_PLAIN, NET_DOWN)},
                   {"raw-tun-1500", "one core; frames are thrown away", device_raw_open,
                    device_raw_out_round, DEVICE(DEVICE_TUN_PLAIN, NET_DOWN)},
                   {"handfast-packet", "AF_PACKET on veth, PACKET_VNET_HDR", device_open,
                    device_round, DEVICE(DEVICE_PACKET, NET_DOWN)},
                   {"raw-packet", "one core; frames are thrown away", device_raw_open,
                    device_raw_out_round, DEVICE(DEVICE_PACKET, NET_DOWN)},
                   {"handfast-xdp-native", "AF_XDP on veth, native; the client sums and cuts",
                    device_open, device_round, DEVICE(DEVICE_XDP_NATIVE, NET_DOWN)},
                   {"raw-xdp-native", "one core; frames are thrown away", device_raw_open,
                    device_raw_out_round, DEVICE(DEVICE_XDP_NATIVE, NET_DOWN)},
                   {"handfast-xdp-generic", "AF_XDP on veth, generic; the client sums and cuts",
                    device_open, device_round, DEVICE(DEVICE_XDP_GENERIC, NET_DOWN)},
                   {"raw-xdp-generic", "one core; frames are thrown away", device_raw_open,
                    device_raw_out_round, DEVICE(DEVICE_XDP_GENERIC, NET_DOWN)},
                   {"handfast-pair", "in memory; the client is Handfast, too", device_open,
                    device_round, DEVICE(DEVICE_PAIR, NET_DOWN)},
                   {"raw-pair", "one core; frames are thrown away", device_raw_open,
                    device_raw_out_round, DEVICE(DEVICE_PAIR, NET_DOWN)}}},
    {.name = "syn-flood",
     .unit = "ns",
     .title = "A SYN of a flood from ever new addresses, answered with a cookie",
     .less_is_better = true,
     .also = {"ns of it in the device"},
     .contender = {{"handfast", "a backlog of 64, full; the stack alone, no device", flood_open,
                    flood_round, &shipped},
                   {"kernel-tun",
                    "a backlog of 64, full; all of write(2) into a TUN: its device, "
                    "IP, TCP, the SYN,ACK as far as the TUN's queue",
                    kernel_flood_open, kernel_flood_round, NULL}}},
    {.name = "syn-flood-honest",
     .unit = "connections/s",
     .title = "Opened, one octet each way, closed, beside a million SYNs a second",
     .also = {"% of SYNs lost"},
     .contender = {{"handfast", "both ends and the flood on one core", flooded_lives_open,
                    flooded_lives_round, &real_time},
                   {"handfast-alone", NULL, alone_lives_open, alone_lives_round, &real_time},
                   {"kernel-tun",
                    "the same: SYNs through a TUN, honest ones over loopback; at most "
                    "1,000 SYNs wait",
                    kernel_flood_open, kernel_flooded_lives_round, NULL},
                   {"kernel-alone", "no SYNs", kernel_flood_open, kernel_alone_lives_round, NULL}}},
    {.name = "shards",
     .unit = "connections/s",
     .title = "Opened, one octet each way, closed; a stack on each of two cores, steered by flow",
     .contender = {{"handfast", "two shards; of each thread's own time", shards_open, shards_round,
                    &two},
                   {"one-shard", "one core", shards_open, shards_round, &one}}},
    {.name = "flow-latency",
     .unit = "us",
     .title = "An octet there and back on one connection: 99 of 100 take at most so long",
     .less_is_better = true,
     .also = {"us, the middle one"},
     .contender = {{"handfast", "beside 1,000,000 idle connections", flow_open, flow_round,
                    &beside_million},
                   {"handfast-alone", NULL, flow_open, flow_round, &shipped}}},
    {.name = "worst-packet",
     .unit = "instructions",
     .title = "The dearest packets: instructions for each record that one touches, at most",
     .less_is_better = true,
     .once = true,
     .contender = {{"handfast", "assertions and counters included", worst_open, worst_round,
                    NULL}}},
};
const unsigned bench_n_figures = sizeof bench_figures / sizeof bench_figures[0];
