/* namespace.h - links of the kernel (netlink.c) and a network namespace of one's own (namespace.c).
 */
#ifndef DEVICE_NAMESPACE_H
#define DEVICE_NAMESPACE_H

#include <sys/types.h>

#include "device/device.h"

/* Links and addresses, rtnetlink(7) ---------------------------------------------------- netlink.c
 * They concern the network namespace of the calling process.  Negative errno; error explains. */

/* Two Ethernet interfaces joined by a cable. */
int dev_link_veth(const char *name, const char *peer, char error[HF_ERROR_TEXT]);
/* Sets flags of net/if.h (IFF_UP, IFF_NOARP); mtu 0: as it is. */
int dev_link_set(const char *name, unsigned flags, uint32_t mtu, char error[HF_ERROR_TEXT]);
/* family AF_INET, AF_INET6; ready at once: no duplicate address detection. */
int dev_link_address(const char *name, int family, const uint8_t *ip, uint32_t prefix_len,
                     char error[HF_ERROR_TEXT]);
/* The kernel's own checksum and segmentation offloads of an interface, ethtool(8) -K. */
int dev_link_no_offload(const char *name);

/* A namespace ------------------------------------------------------------------------ namespace.c
 *
 * A short-lived child makes it, sets it up and passes what it opened there; from then on it is
 * kept alive by these descriptors, and has no name. */
struct dev_namespace {
    int user_fd; /* -1: the user namespace is ours */
    int net_fd;
    int device_fd; /* /dev/net/tun or AF_PACKET: the caller's to take */
    bool tun;
};

struct dev_namespace_setup {
    bool try_tun, try_veth, offload;
    uint32_t mtu;
    uint8_t ip4[4], ip6[16];
    uint32_t prefix4, prefix6; /* 0: none */
};

int dev_namespace_make(struct dev_namespace *ns, const struct dev_namespace_setup *setup,
                       char error[HF_ERROR_TEXT]);
void dev_namespace_close(struct dev_namespace *ns);
/* See hf_private_start, hf_private_socket, hf_private_sysctl. */
pid_t dev_namespace_start(const struct dev_namespace *ns, char *const argv[], const int fds[3],
                          char error[HF_ERROR_TEXT]);
int dev_namespace_socket(const struct dev_namespace *ns, int family, int type, int protocol);
int dev_namespace_sysctl(const struct dev_namespace *ns, const char *name, const char *value);

#define DEV_NAMESPACE_LINK "hf0" /* the kernel's interface in it */

#endif
