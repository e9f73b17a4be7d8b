/* devices.h - figures of devices: Handfast over each, and the device alone. */
#ifndef HANDFAST_BENCH_DEVICES_H
#define HANDFAST_BENCH_DEVICES_H

#include "net.h"

enum device_kind {
    DEVICE_TUN,
    DEVICE_TUN_PLAIN, /* without offloads */
    DEVICE_PACKET,    /* AF_PACKET on veth */
    DEVICE_XDP_NATIVE,
    DEVICE_XDP_GENERIC,
    DEVICE_PAIR, /* in memory */
};

struct device_setup {
    enum device_kind kind;
    enum net_job job; /* NET_UP: frames come in, NET_DOWN: they go out */
};

/* Whether its frames are super-segments. */
bool device_has_offloads(enum device_kind kind);
/* Ours, "hf0" of this namespace, where a cable lies already (device_cable); for a pair `other` is
 * its other end.  NULL: bench_note says why. */
struct hf_device *device_new(enum device_kind kind, struct hf_device **other);
/* What it wants beside: a veth pair, its other end "hf1" in the namespace of this process, or here
 * (0); nothing for others.  AF_XDP takes segments as they are: what hf1 sends is summed, and cut.
 */
bool device_cable(enum device_kind kind, pid_t there);

#endif
