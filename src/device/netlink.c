/* netlink.c - links and addresses of the kernel: rtnetlink(7), through libmnl. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

#include "device/namespace.h"

union message {
    char octets[1024];
    struct nlmsghdr header;
};

static struct nlmsghdr *start(union message *message, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(message->octets);
    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    header->nlmsg_seq = (uint32_t)time(NULL);
    return header;
}

/* Sends the message and waits for the kernel's answer: 0 or negative errno. */
static int ask(const struct nlmsghdr *header)
{
    char answer[4096];
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (socket == NULL) {
        return -errno;
    }
    int err = 0;
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_sendto(socket, header, header->nlmsg_len) < 0) {
        err = -errno;
    }
    while (err == 0) {
        ssize_t n = mnl_socket_recvfrom(socket, answer, sizeof answer);
        if (n < 0) {
            err = -errno;
            break;
        }
        int told = mnl_cb_run(answer, (size_t)n, header->nlmsg_seq, mnl_socket_get_portid(socket),
                              NULL, NULL);
        if (told <= MNL_CB_STOP) {
            err = told < 0 ? -errno : 0;
            break;
        }
    }
    (void)mnl_socket_close(socket);
    return err;
}

int dev_link_veth(const char *name, const char *peer, char error[HF_ERROR_TEXT])
{
    union message message;
    struct nlmsghdr *header = start(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    struct nlattr *other = mnl_attr_nest_start(header, VETH_INFO_PEER);
    (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, peer);
    mnl_attr_nest_end(header, other);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, info);
    int err = ask(header);
    if (err == -EOPNOTSUPP) {
        return dev_fail(error, err,
                        "%s: the kernel has no veth here: modprobe veth, or make "
                        "/dev/net/tun readable and writable",
                        name);
    }
    return err < 0 ? dev_fail(error, err, "%s: no veth pair: %s", name, strerror(-err)) : 0;
}

int dev_link_set(const char *name, unsigned flags, uint32_t mtu, char error[HF_ERROR_TEXT])
{
    union message message;
    int index = dev_index_of(name, error);
    if (index < 0) {
        return index;
    }
    struct nlmsghdr *header = start(&message, RTM_NEWLINK, 0);
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(header, sizeof *link);
    link->ifi_index = index;
    link->ifi_flags = flags;
    link->ifi_change = flags;
    if (mtu != 0) {
        mnl_attr_put_u32(header, IFLA_MTU, mtu);
    }
    int err = ask(header);
    if (err == -EPERM) {
        return dev_fail(error, err, "%s: not allowed to set it up: it takes root or CAP_NET_ADMIN",
                        name);
    }
    return err < 0 ? dev_fail(error, err, "%s: cannot be set up: %s", name, strerror(-err)) : 0;
}

int dev_link_address(const char *name, int family, const uint8_t *ip, uint32_t prefix_len,
                     char error[HF_ERROR_TEXT])
{
    union message message;
    int index = dev_index_of(name, error);
    if (index < 0) {
        return index;
    }
    size_t len = family == AF_INET ? 4 : 16;
    struct nlmsghdr *header = start(&message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
    struct ifaddrmsg *address = mnl_nlmsg_put_extra_header(header, sizeof *address);
    address->ifa_family = (uint8_t)family;
    address->ifa_prefixlen = (uint8_t)prefix_len;
    address->ifa_index = (uint32_t)index;
    address->ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0;
    mnl_attr_put(header, IFA_LOCAL, len, ip);
    mnl_attr_put(header, IFA_ADDRESS, len, ip);
    int err = ask(header);
    if (err == -EPERM) {
        return dev_fail(error, err,
                        "%s: not allowed to add an address: it takes root or CAP_NET_ADMIN", name);
    }
    return err < 0 ? dev_fail(error, err, "%s: address not added: %s", name, strerror(-err)) : 0;
}
