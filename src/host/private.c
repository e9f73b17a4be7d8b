/* private.c - handfast/host.h: the kernel's side of a device, and a private network. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "device/namespace.h"
#include "host/host.h"

enum { DEFAULT_MTU = 1500, PREFIX_TEXT = 64 };

struct hf_private {
    struct dev_namespace ns;
    struct hf_device *device;  /* NULL once it was taken */
    char ours[2][PREFIX_TEXT]; /* IPv4, IPv6; "": none   */
};

int hf_kernel_address(const char *name, const char *address, char error[HF_ERROR_TEXT])
{
    uint8_t ip[16];
    int prefix_len = 0;
    if (address != NULL) {
        if (host_parse_prefix(address, ip, &prefix_len) < 0) {
            return dev_fail(error, -EINVAL, "%s: not an address, such as 10.77.0.1/24", address);
        }
        bool v6 = strchr(address, ':') != NULL;
        uint32_t len = prefix_len < 0 ? (v6 ? 128 : 32) : (uint32_t)prefix_len;
        int err = dev_link_address(name, v6 ? AF_INET6 : AF_INET, v6 ? ip : ip + 12, len, error);
        if (err < 0) {
            return err;
        }
    }
    return dev_link_set(name, IFF_UP, 0, error);
}

/* The address above in the same prefix; false: there is none that a host may have. */
static bool step_up4(uint8_t ip[4], uint32_t prefix_len)
{
    uint32_t above = get_be32(ip) + 1;
    uint32_t hosts = UINT32_MAX >> prefix_len;
    put_be32(ip, above);
    return (above & hosts) != 0 && (above & hosts) != hosts;
}

static bool step_up6(uint8_t ip[16], uint32_t prefix_len)
{
    uint64_t low = get_be64(ip + 8) + 1;
    uint64_t high = get_be64(ip) + (low == 0 ? 1 : 0);
    put_be64(ip, high);
    put_be64(ip + 8, low);
    return prefix_len < 64 ? low != 0 || (high & UINT64_MAX >> prefix_len) != 0
                           : (low & UINT64_MAX >> (prefix_len - 64)) != 0;
}

/* Notes the kernel's address, and ours: the one above it. */
static int take_prefix(const char *text, const char *usual, bool v6, uint8_t *ip, uint32_t *len,
                       char ours[PREFIX_TEXT], char error[HF_ERROR_TEXT])
{
    uint8_t full[16];
    int prefix_len;
    text = text == NULL ? usual : text;
    ours[0] = 0;
    if (*text == 0) {
        return 0;
    }
    int most = v6 ? 126 : 30;
    if (host_parse_prefix(text, full, &prefix_len) < 0 || host_is_v4(full) == v6 ||
        prefix_len < 1 || prefix_len > most) {
        return dev_fail(error, -EINVAL, "%s: not an IPv%d address and prefix length, such as %s",
                        text, v6 ? 6 : 4, usual);
    }
    uint8_t *above = v6 ? full : full + 12;
    memcpy(ip, above, v6 ? 16 : 4);
    *len = (uint32_t)prefix_len;
    if (!(v6 ? step_up6(above, *len) : step_up4(above, *len))) {
        return dev_fail(error, -EINVAL,
                        "%s: the address above it would be ours, and is no host's of this prefix",
                        text);
    }
    char shown[INET6_ADDRSTRLEN];
    (void)inet_ntop(v6 ? AF_INET6 : AF_INET, above, shown, sizeof shown);
    (void)snprintf(ours, PREFIX_TEXT, "%s/%d", shown, prefix_len);
    return 0;
}

static int take_options(struct hf_private *net, const struct hf_private_options *options,
                        struct dev_namespace_setup *setup, char error[HF_ERROR_TEXT])
{
    uint32_t flags = options->flags;
    setup->try_tun = (flags & HF_PRIVATE_VETH) == 0;
    setup->try_veth = (flags & HF_PRIVATE_TUN) == 0;
    setup->offload = (flags & HF_PRIVATE_NO_OFFLOAD) == 0;
    setup->mtu = options->mtu == 0 ? DEFAULT_MTU : options->mtu;
    bool v6 = options->kernel6 == NULL || options->kernel6[0] != 0;
    uint32_t least = v6 ? HF_IPV6_MTU_MIN : 576;
    if (setup->mtu < least || setup->mtu > 65535) {
        return dev_fail(error, -EINVAL, "MTU %u: it must be %u .. 65535", setup->mtu, least);
    }
    if (!setup->try_tun && !setup->try_veth) {
        return dev_fail(error, -EINVAL, "neither TUN nor veth is left to try");
    }
    int err = take_prefix(options->kernel4, "10.77.0.1/24", false, setup->ip4, &setup->prefix4,
                          net->ours[0], error);
    return err < 0 ? err
                   : take_prefix(options->kernel6, "fd77::1/64", true, setup->ip6, &setup->prefix6,
                                 net->ours[1], error);
}

int hf_private_open(struct hf_private **result, const struct hf_private_options *options,
                    char error[HF_ERROR_TEXT])
{
    static const struct hf_private_options usual = {.struct_size = sizeof usual};
    struct dev_namespace_setup setup = {0};
    *result = NULL;
    struct hf_private *net = calloc(1, sizeof *net);
    if (net == NULL) {
        return dev_fail(error, -ENOMEM, "no private network: no memory");
    }
    options = options == NULL ? &usual : options;
    int err = take_options(net, options, &setup, error);
    if (err == 0) {
        err = dev_namespace_make(&net->ns, &setup, error);
    }
    if (err < 0) {
        free(net);
        return err;
    }
    uint32_t flags = setup.offload ? 0 : HF_DEVICE_NO_OFFLOAD;
    err = hf_device_from_fd(&net->device, net->ns.device_fd, DEV_NAMESPACE_LINK, NULL, setup.mtu,
                            flags, error);
    net->ns.device_fd = -1; /* the device's, also when it failed */
    if (err < 0) {
        hf_private_close(net);
        return err;
    }
    *result = net;
    return 0;
}

struct hf_device *hf_private_device(struct hf_private *net)
{
    struct hf_device *device = net->device;
    net->device = NULL;
    return device;
}

static void take_back(struct hf_host *host, int iface, const char *address)
{
    uint8_t ip[16];
    int prefix_len;
    if (host_parse_prefix(address, ip, &prefix_len) == 0) {
        (void)hf_address_remove(host->stack, &host->env, (uint32_t)iface, ip);
    }
}

int hf_private_address(const struct hf_private *net, struct hf_host *host, int iface)
{
    for (int i = 0; i < 2; i++) {
        int err = net->ours[i][0] == 0 ? 0 : hf_host_address(host, iface, net->ours[i]);
        if (err < 0) {
            take_back(host, iface, i == 0 ? "" : net->ours[0]);
            return err;
        }
    }
    return 0;
}

int hf_private_attach(struct hf_private *net, struct hf_host *host)
{
    struct hf_device *device = hf_private_device(net);
    if (device == NULL) {
        return host_fail(host, -EBUSY, "the private network's device was taken before");
    }
    int iface = hf_host_attach(host, device);
    int err = iface < 0 ? iface : hf_private_address(net, host, iface);
    if (iface > 0 && err < 0) {
        host_detach_last(host);
    }
    return err < 0 ? err : iface;
}

const char *hf_private_kind(const struct hf_private *net)
{
    return net->ns.tun ? "TUN device" : "veth pair and AF_PACKET";
}

pid_t hf_private_start(struct hf_private *net, char *const argv[], const int fds[3],
                       char error[HF_ERROR_TEXT])
{
    return dev_namespace_start(&net->ns, argv, fds, error);
}

int hf_private_socket(struct hf_private *net, int family, int type, int protocol)
{
    return dev_namespace_socket(&net->ns, family, type, protocol);
}

int hf_private_sysctl(struct hf_private *net, const char *name, const char *value)
{
    return dev_namespace_sysctl(&net->ns, name, value);
}

void hf_private_close(struct hf_private *net)
{
    if (net != NULL) {
        hf_device_close(net->device);
        dev_namespace_close(&net->ns);
        free(net);
    }
}
