/* netlink_absent.c - what netlink.c does, where libmnl was not there when this was built: it says
 * so. */
#include "device/namespace.h"

#ifndef HF_WITH_LIBMNL
#include <errno.h>

static int absent(char error[HF_ERROR_TEXT])
{
    return dev_fail(error, -ENOTSUP,
                    "this build cannot set up links and addresses: install libmnl-dev and build "
                    "again");
}

int dev_link_veth(const char *name, const char *peer, char error[HF_ERROR_TEXT])
{
    (void)name;
    (void)peer;
    return absent(error);
}

int dev_link_set(const char *name, unsigned flags, uint32_t mtu, char error[HF_ERROR_TEXT])
{
    (void)name;
    (void)flags;
    (void)mtu;
    return absent(error);
}

int dev_link_address(const char *name, int family, const uint8_t *ip, uint32_t prefix_len,
                     char error[HF_ERROR_TEXT])
{
    (void)name;
    (void)family;
    (void)ip;
    (void)prefix_len;
    return absent(error);
}
#endif
