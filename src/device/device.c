/* device.c - handfast/device.h: the functions that call a device's own. */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <net/if.h>

#include "device/device.h"

void dev_copy_name(char *to, size_t room, const char *from)
{
    size_t len = from == NULL ? 0 : strnlen(from, room - 1);
    if (len != 0) {
        memcpy(to, from, len);
    }
    to[len] = 0;
}

/* "hf0", or a label of it: "hf0:1". */
static bool is_of(const struct ifaddrs *at, const char *name)
{
    size_t len = strlen(name);
    return strncmp(at->ifa_name, name, len) == 0 &&
           (at->ifa_name[len] == 0 || at->ifa_name[len] == ':');
}

static bool is_address(const struct sockaddr *addr, const uint8_t ip[16])
{
    uint8_t have[16] = {[10] = 0xff, [11] = 0xff};
    if (addr != NULL && addr->sa_family == AF_INET) {
        memcpy(have + 12, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
    } else if (addr != NULL && addr->sa_family == AF_INET6) {
        memcpy(have, &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr, 16);
    } else {
        return false;
    }
    return memcmp(have, ip, sizeof have) == 0;
}

bool dev_kernel_has(const struct hf_device *device, const uint8_t ip[16])
{
    struct ifaddrs *all;
    bool has = false;
    if (!device->by_name || getifaddrs(&all) != 0) {
        return false;
    }
    for (const struct ifaddrs *at = all; at != NULL && !has; at = at->ifa_next) {
        has = is_of(at, device->name) && is_address(at->ifa_addr, ip);
    }
    freeifaddrs(all);
    return has;
}

void dev_inherit(struct hf_device *device, const struct hf_device *inner)
{
    device->shares_mac = inner->shares_mac;
    device->by_name = inner->by_name;
}

int hf_device_new(struct hf_device **device, const struct hf_device_calls *calls, void *self,
                  const struct hf_interface *iface, int fd, const char *name)
{
    *device = NULL;
    if (calls->receive == NULL || calls->send == NULL || calls->close == NULL) {
        return -EINVAL;
    }
    struct hf_device *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return -ENOMEM;
    }
    made->calls = calls;
    made->self = self;
    made->iface = *iface;
    made->iface.struct_size = sizeof made->iface;
    made->fd = fd;
    dev_copy_name(made->name, sizeof made->name, name);
    *device = made;
    return 0;
}

int hf_device_from_fd(struct hf_device **device, int fd, const char *name, const uint8_t mac[6],
                      uint32_t mtu, uint32_t flags, char error[HF_ERROR_TEXT])
{
    struct ifreq ifr = {0};
    *device = NULL;
    if (ioctl(fd, TUNGETIFF, &ifr) == 0) {
        return dev_tun_wrap(device, fd, name == NULL ? ifr.ifr_name : name, mac, mtu, flags, error);
    }
    return dev_packet_wrap(device, fd, name, mac, flags, error);
}

void hf_device_close(struct hf_device *device)
{
    if (device != NULL) {
        if (device->member != NULL) {
            dev_group_leave(device->member);
        }
        device->calls->close(device->self);
        free(device);
    }
}

const struct hf_interface *hf_device_interface(const struct hf_device *device)
{
    return &device->iface;
}

const char *hf_device_name(const struct hf_device *device)
{
    return device->name;
}

int hf_device_fd(const struct hf_device *device)
{
    return device->fd;
}

int hf_device_poll_events(const struct hf_device *device)
{
    int events =
        device->calls->poll_events == NULL ? POLLIN : device->calls->poll_events(device->self);
    if (device->member == NULL) {
        return events;
    }
    dev_group_watch(device->member, events);
    return POLLIN;
}

int hf_device_receive(struct hf_device *device, int64_t now_ns, struct hf_frame_in *frames,
                      uint32_t n)
{
    int got = device->calls->receive(device->self, now_ns, frames, n);
    bool alone = device->member == NULL || got < 0;
    return alone ? got : (int)dev_group_receive(device->member, frames, (uint32_t)got, n);
}

int hf_device_send(struct hf_device *device, int64_t now_ns, const struct hf_frame_out *frames,
                   uint32_t n)
{
    return device->calls->send(device->self, now_ns, frames, n);
}

void hf_device_flush(struct hf_device *device, int64_t now_ns)
{
    if (device->member != NULL) {
        dev_group_flush(device->member);
    }
    if (device->calls->flush != NULL) {
        device->calls->flush(device->self, now_ns);
    }
}

int64_t hf_device_deadline(const struct hf_device *device)
{
    return device->calls->deadline == NULL ? INT64_MAX : device->calls->deadline(device->self);
}

void hf_device_timeouts(struct hf_device *device, int64_t now_ns)
{
    if (device->calls->timeouts != NULL) {
        device->calls->timeouts(device->self, now_ns);
    }
}
