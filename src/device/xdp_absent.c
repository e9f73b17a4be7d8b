/* xdp_absent.c - what xdp.c does, where libxdp was not there when this was built: it says so. */
#include "device/device.h"

#ifndef HF_WITH_LIBXDP
#include <errno.h>

int hf_device_xdp(struct hf_device **device, const char *name, uint32_t queue, const uint8_t mac[6],
                  uint32_t flags, char error[HF_ERROR_TEXT])
{
    (void)queue;
    (void)mac;
    (void)flags;
    *device = NULL;
    return dev_fail(error, -ENOTSUP,
                    "%s: this build has no AF_XDP: install libxdp-dev and libbpf-dev and build "
                    "again, or use a packet socket",
                    name);
}
#endif
