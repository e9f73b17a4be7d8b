/* kernel_veth.c - the kernel's bulk between two namespaces joined by veth(4), with its offloads
 * off: segments of 1500 octets that it makes, sums and checks one by one.
 */
#include "figures.h"

#include <fcntl.h>
#include <handfast/host.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OFFLOADS "tso off gso off gro off tx off rx off sg off"
#define HERE_IP "10.78.0.1/24"
#define THERE_IP "10.78.0.2/24"
enum { THERE = 10 << 24 | 78 << 16 | 2 };

static int new_namespace(void)
{
    return unshare(CLONE_NEWNET) == 0 ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) : -1;
}

/* This end of the cable, in the namespace that this process is in. */
static bool set_up(const char *name, const char *address)
{
    char command[128];
    snprintf(command, sizeof command, "ethtool -K %s " OFFLOADS " >/dev/null 2>&1", name);
    return hf_kernel_address(name, address, NULL) == 0 && system(command) == 0;
}

bool kernel_veth_open(const void *arg)
{
    (void)arg;
    int there = new_namespace(), here = new_namespace();
    char command[128];
    snprintf(command, sizeof command,
             "ip link add hf0 type veth peer name hf1 netns /proc/%d/fd/%d", (int)getpid(), there);
    if (there < 0 || here < 0 || system(command) != 0 || !set_up("hf0", HERE_IP) ||
        setns(there, CLONE_NEWNET) != 0 || !set_up("hf1", THERE_IP)) {
        bench_note("two namespaces and veth", "they need root, and the commands `ip`, `ethtool`");
        return false;
    }
    return kernel_listen(THERE, 0) && setns(here, CLONE_NEWNET) == 0;
}
