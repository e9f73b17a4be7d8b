/* ethtool.c - what an interface of the kernel's says of itself: its offloads switched off and its
 * queues counted (ioctl SIOCETHTOOL), its number, up or down (netdevice(7)). */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device/namespace.h"

/* False: no interface has a name so long.  Cut, it would be that of another one. */
static bool put_name(struct ifreq *ifr, const char *name)
{
    dev_copy_name(ifr->ifr_name, sizeof ifr->ifr_name, name);
    return name == NULL || name[strlen(ifr->ifr_name)] == 0;
}

/* Not if_nametoindex, which does not tell that there are no more descriptors. */
int dev_index_of(const char *name, char error[HF_ERROR_TEXT])
{
    struct ifreq ifr = {0};
    int err = ENODEV;
    if (put_name(&ifr, name)) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        err = fd < 0 || ioctl(fd, SIOCGIFINDEX, &ifr) != 0 ? errno : 0;
        if (fd >= 0) {
            close(fd);
        }
    }
    if (err == 0) {
        return ifr.ifr_ifindex;
    }
    return err == ENODEV
               ? dev_fail(error, -err, "%s: no such interface (`ip link` lists them)", name)
               : dev_fail(error, -err, "%s: cannot be looked up: %s", name, strerror(err));
}

int dev_link_no_offload(const char *name)
{
    static const uint32_t settings[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM};
    struct ifreq ifr = {0};
    if (!put_name(&ifr, name)) {
        return -ENODEV;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int err = 0;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct ethtool_value off = {.cmd = settings[i], .data = 0};
        ifr.ifr_data = (void *)&off;
        err = ioctl(fd, SIOCETHTOOL, &ifr) != 0 && err == 0 ? -errno : err;
    }
    close(fd);
    return err;
}

/* A driver that has no channels to speak of has one queue. */
int hf_device_queues(const char *name)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq ifr = {0};
    if (!put_name(&ifr, name)) {
        return -ENODEV;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    ifr.ifr_data = (void *)&channels;
    int err = ioctl(fd, SIOCETHTOOL, &ifr) != 0 ? -errno : 0;
    close(fd);
    uint32_t queues = channels.rx_count + channels.combined_count;
    if (err == -ENODEV) {
        return err;
    }
    return err < 0 || queues == 0 ? 1 : (int)queues;
}

int hf_device_is_up(const char *name)
{
    struct ifreq ifr = {0};
    if (!put_name(&ifr, name)) {
        return -ENODEV;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int err = ioctl(fd, SIOCGIFFLAGS, &ifr) != 0 ? -errno : 0;
    close(fd);
    return err < 0 ? err : (ifr.ifr_flags & IFF_UP) != 0;
}
