/* host.c - a stack made and freed, and bound to devices, addresses and routes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/siphash.h"
#include "host/host.h"

enum { DEFAULT_CONNECTIONS = 1024 };

int host_fail(struct hf_host *host, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(host->error, sizeof host->error, format, args);
    va_end(args);
    return err;
}

int host_core_fail(struct hf_host *host, int error, const char *what)
{
    return host_fail(host, -hf_errno(error), "%s: %s", what, hf_error_text(error));
}

const char *hf_host_error(const struct hf_host *host)
{
    return host->error;
}

int64_t host_now(struct hf_host *host)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    host->env.now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return host->env.now_ns;
}

uint32_t hf_host_simd(void)
{
    uint32_t simd = 0;
#if defined(__x86_64__) || defined(__i386__)
    simd |= __builtin_cpu_supports("sse2") ? HF_SIMD_SSE2 : 0;
    simd |= __builtin_cpu_supports("avx2") ? HF_SIMD_AVX2 : 0;
#endif
    return simd;
}

/* RFC6528-4 */
static int seed_config(struct hf_config *config)
{
    static const uint8_t none[sizeof config->seed];
    if (memcmp(config->seed, none, sizeof none) != 0) {
        return 0;
    }
    ssize_t n = getrandom(config->seed, sizeof config->seed, 0);
    bool whole = n == (ssize_t)sizeof config->seed;
    return whole && memcmp(config->seed, none, sizeof none) != 0 ? 0 : -EIO;
}

static int make_config(struct hf_config *config, const struct hf_host_options *options)
{
    if (options != NULL && options->config != NULL) {
        *config = *options->config;
    } else {
        uint32_t n = options == NULL ? 0 : options->connections;
        hf_config_default(config, n == 0 ? DEFAULT_CONNECTIONS : n);
    }
    return seed_config(config);
}

/* What programs know that were built before there were settings ends before them. */
static int take_settings(struct hf_host *host, struct hf_config *config,
                         const struct hf_host_options *options)
{
    const char *settings = NULL;
    if (options != NULL && options->struct_size >= sizeof *options) {
        settings = options->settings;
    }
    if (settings == NULL) {
        settings = secure_getenv("HANDFAST_SET");
    }
    if (settings == NULL) {
        return 0;
    }
    host->settings = strdup(settings);
    return host->settings == NULL ? -ENOMEM
                                  : hf_settings_policy(host->settings, &config->policy, NULL);
}

static int make_stack(struct hf_host *host, const struct hf_config *config)
{
    host->block_bytes = hf_size(config);
    if (host->block_bytes == 0) {
        return -EINVAL;
    }
    host->stack = host_reserve(host->block_bytes);
    if (host->stack == NULL) {
        return -ENOMEM;
    }
    int error = hf_init(host->stack, host->block_bytes, config, &host->env);
    return error < 0 ? -hf_errno(error) : 0;
}

int hf_host_new(struct hf_host **result, const struct hf_host_options *options)
{
    struct hf_config config = {.struct_size = sizeof config};
    *result = NULL;
    struct hf_host *host = calloc(1, sizeof *host);
    if (host == NULL) {
        return -ENOMEM;
    }
    host->env = (struct hf_env){.struct_size = sizeof host->env, .simd = hf_host_simd()};
    host->next = host;
    host->last_post = &host->posts;
    host->grown_at = INT64_MIN / 2;
    host->post_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&host->lock, NULL);
    host_now(host);
    int err = host->post_fd < 0 ? -errno : make_config(&config, options);
    if (err == 0) {
        err = take_settings(host, &config, options);
    }
    if (err == 0) {
        err = make_stack(host, &config);
    }
    if (err == 0) {
        uint32_t n = config.max_interfaces;
        host->ifaces = calloc(n == 0 ? 1 : n, sizeof *host->ifaces);
        host->regions = calloc(n == 0 ? 1 : n, sizeof *host->regions);
        host->env.regions = host->regions;
        err = host->ifaces == NULL || host->regions == NULL ? -ENOMEM : 0;
    }
    if (err < 0) {
        hf_host_free(host);
        return err;
    }
    host_grow(host);
    *result = host;
    return 0;
}

static void leave_ring(struct hf_host *host)
{
    struct hf_host *before = host;
    while (before->next != host) {
        before = before->next;
    }
    before->next = host->next;
    host->next = host;
}

void hf_host_free(struct hf_host *host)
{
    if (host == NULL) {
        return;
    }
    leave_ring(host);
    for (uint32_t i = 0; i < host->n_ifaces; i++) {
        hf_device_close(host->ifaces[i].device);
        free(host->ifaces[i].pending);
    }
    if (host->stack != NULL) {
        host_release(host->stack, host->block_bytes);
    }
    host_drop_posts(host);
    if (host->post_fd >= 0) {
        close(host->post_fd);
    }
    pthread_mutex_destroy(&host->lock);
    free(host->watches);
    free(host->settings);
    free(host->regions);
    free(host->ifaces);
    free(host);
}

/* Rings of hosts: two of them become one when each takes the other's next. */
void hf_host_join(struct hf_host *host, struct hf_host *other)
{
    for (struct hf_host *h = host->next; h != host; h = h->next) {
        if (h == other) {
            return;
        }
    }
    if (host != other) {
        struct hf_host *next = host->next;
        host->next = other->next;
        other->next = next;
    }
}

struct hf_stack *hf_host_stack(struct hf_host *host)
{
    return host->stack;
}

const struct hf_env *hf_host_env(struct hf_host *host)
{
    host_now(host);
    return &host->env;
}

void hf_host_set_trace(struct hf_host *host, hf_trace_fn *trace, void *arg)
{
    host->env.trace = trace;
    host->env.trace_arg = arg;
}

struct hf_device *hf_host_device(struct hf_host *host, int iface)
{
    return iface < 1 || (uint32_t)iface > host->n_ifaces ? NULL : host->ifaces[iface - 1].device;
}

/* Devices, addresses, routes ------------------------------------------------------------------ */

/* RFC 4291 appendix A: fe80::/64 and the MAC as a modified EUI-64. */
static void eui64_of(const uint8_t mac[6], uint8_t ip[16])
{
    const uint8_t made[16] = {0xfe,       0x80,   0,      0,    0,    0,      0,      0,
                              mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    memcpy(ip, made, 16);
}

static struct {
    pthread_once_t once;
    uint64_t key[2];
} secret = {.once = PTHREAD_ONCE_INIT};

static void draw_secret(void)
{
    if (getrandom(secret.key, sizeof secret.key, 0) != (ssize_t)sizeof secret.key) {
        secret.key[0] = (uint64_t)getpid();
    }
}

/* RFC 7217, its secret this process's: hosts of one process (shards) have the same address, those
 * of two do not meet on one interface.  Bits are chosen so that it is no reserved one (RFC 5453).
 */
static void opaque_of(const uint8_t mac[6], uint8_t ip[16])
{
    static const uint8_t prefix[8] = {0xfe, 0x80};
    uint8_t about[14];
    memcpy(about, prefix, 8);
    memcpy(about + 8, mac, 6);
    (void)pthread_once(&secret.once, draw_secret);
    uint64_t id = sip24(secret.key[0], secret.key[1], about, sizeof about);
    memcpy(ip, prefix, 8);
    memcpy(ip + 8, &id, 8);
    ip[8] &= 0xfc;
    ip[15] |= 1;
}

/* Where the kernel has the same MAC it has its EUI-64 address, too, and would reset what it knows
 * nothing of. */
static void link_local_of(const struct hf_device *device, uint8_t ip[16])
{
    if (device->shares_mac) {
        opaque_of(device->iface.mac, ip);
    } else {
        eui64_of(device->iface.mac, ip);
    }
}

static int add_link_local(struct hf_host *host, int iface, const struct hf_device *device)
{
    uint8_t ip[16];
    if (device->iface.link != HF_LINK_ETHERNET || device->iface.mtu < HF_IPV6_MTU_MIN) {
        return HF_OK;
    }
    link_local_of(device, ip);
    return hf_address_add(host->stack, &host->env, (uint32_t)iface, ip, 64);
}

/* Or will be, once the interface is up. */
static bool is_the_kernels(const struct hf_device *device, const uint8_t ip[16])
{
    uint8_t kernels[16];
    eui64_of(device->iface.mac, kernels);
    return (device->shares_mac && memcmp(ip, kernels, 16) == 0) || dev_kernel_has(device, ip);
}

/* The number of the device's memory; 0: it lends none, or there is no number left. */
static uint16_t add_region(struct hf_host *host, const struct hf_device *device)
{
    uint32_t number = host->env.n_regions + 1;
    if (device->lender == NULL) {
        return 0;
    }
    host->regions[number - 1] = device->lender->memory;
    host->env.n_regions = number;
    if (hf_region_add(host->stack, &host->env, number) != HF_OK) {
        host->env.n_regions--;
        return 0;
    }
    return (uint16_t)number;
}

static int explain_attach(struct hf_host *host, int error, const struct hf_device *device)
{
    enum { MTU_MIN = 576, MTU_MAX = 65535 };
    uint32_t mtu = device->iface.mtu;
    if (mtu < MTU_MIN || mtu > MTU_MAX) {
        return host_fail(host, -hf_errno(error),
                         "%s: cannot be an interface: its MTU is %u, and has to be %d to %d",
                         device->name, mtu, MTU_MIN, MTU_MAX);
    }
    return host_fail(host, -hf_errno(error), "%s: cannot be an interface: %s", device->name,
                     hf_error_text(error));
}

int hf_host_attach(struct hf_host *host, struct hf_device *device)
{
    const struct hf_interface *iface = hf_device_interface(device);
    host_now(host);
    int number = hf_interface_add(host->stack, &host->env, iface);
    if (number < 0) {
        int err = explain_attach(host, number, device);
        hf_device_close(device);
        return err;
    }
    HF_ASSERT((uint32_t)number == host->n_ifaces + 1);
    host->ifaces[host->n_ifaces++] =
        (struct host_iface){.device = device, .region = add_region(host, device)};
    int error = add_link_local(host, number, device);
    if (error < 0) {
        int err = host_fail(host, -hf_errno(error), "%s: no link-local address: %s",
                            hf_device_name(device), hf_error_text(error));
        host_detach_last(host);
        return err;
    }
    return number;
}

void host_detach_last(struct hf_host *host)
{
    uint8_t ip[16];
    struct host_iface *iface = &host->ifaces[host->n_ifaces - 1];
    link_local_of(iface->device, ip);
    (void)hf_address_remove(host->stack, &host->env, host->n_ifaces, ip);
    if (iface->region != 0) {
        (void)hf_region_remove(host->stack, &host->env, iface->region);
        host->env.n_regions--;
    }
    hf_device_close(iface->device);
    *iface = (struct host_iface){.gone = true};
}

static int find_interface(struct hf_host *host, int iface)
{
    return hf_host_device(host, iface) != NULL
               ? 0
               : host_fail(host, -EINVAL, "there is no interface %d", iface);
}

int hf_host_address(struct hf_host *host, int iface, const char *address)
{
    uint8_t ip[16];
    int prefix_len;
    if (find_interface(host, iface) < 0) {
        return -EINVAL;
    }
    if (host_parse_prefix(address, ip, &prefix_len) < 0) {
        return host_fail(host, -EINVAL, "%s: not an address, such as 10.77.0.2/24 or fd77::2/64",
                         address);
    }
    const struct hf_device *device = host->ifaces[iface - 1].device;
    if (is_the_kernels(device, ip)) {
        return host_fail(host, -EADDRINUSE,
                         "%s: the kernel has this address of %s, and answers there itself: choose "
                         "another, or take it from the kernel (`ip address del`)",
                         address, device->name);
    }
    if (prefix_len < 0) {
        prefix_len = strchr(address, ':') == NULL ? 32 : 128;
    }
    host_now(host);
    int error = hf_address_add(host->stack, &host->env, (uint32_t)iface, ip, (uint32_t)prefix_len);
    switch (error) {
    case HF_ERR_INVALID:
        return host_fail(host, -EINVAL,
                         "%s: no interface can have it (unspecified, multicast or broadcast, or "
                         "IPv6 with an MTU below %d)",
                         address, HF_IPV6_MTU_MIN);
    case HF_ERR_EXISTS:
        return host_fail(host, -hf_errno(error),
                         "%s: is an address of this stack already, or has a prefix that is routed "
                         "to a gateway",
                         address);
    default:
        return error < 0 ? host_core_fail(host, error, address) : 0;
    }
}

static int add_route(struct hf_host *host, int iface, const char *prefix, const uint8_t *gateway)
{
    uint8_t ip[16];
    int prefix_len;
    if (host_parse_prefix(prefix, ip, &prefix_len) < 0) {
        return host_fail(host, -EINVAL, "%s: not a prefix, such as 192.0.2.0/24 or 2001:db8::/32",
                         prefix);
    }
    if (prefix_len < 0) {
        prefix_len = strchr(prefix, ':') == NULL ? 32 : 128;
    }
    host_now(host);
    int error =
        hf_route_add(host->stack, &host->env, (uint32_t)iface, ip, (uint32_t)prefix_len, gateway);
    if (error == HF_ERR_INVALID) {
        return host_fail(host, -EINVAL, "%s: no route: the prefix or the gateway cannot be",
                         prefix);
    }
    return error < 0 ? host_core_fail(host, error, prefix) : 0;
}

/* Both of them on the link, or none. */
static int add_both_defaults(struct hf_host *host, int iface)
{
    static const uint8_t any4[16] = {[10] = 0xff, [11] = 0xff};
    int err = add_route(host, iface, "0.0.0.0/0", NULL);
    if (err == 0) {
        err = add_route(host, iface, "::/0", NULL);
        if (err < 0) {
            (void)hf_route_remove(host->stack, &host->env, (uint32_t)iface, any4, 0);
        }
    }
    return err;
}

int hf_host_route(struct hf_host *host, int iface, const char *prefix, const char *gateway)
{
    uint8_t via[16];
    int none;
    if (find_interface(host, iface) < 0) {
        return -EINVAL;
    }
    if (gateway != NULL && (host_parse_prefix(gateway, via, &none) < 0 || none >= 0)) {
        return host_fail(host, -EINVAL, "%s: not the address of a gateway", gateway);
    }
    if (strcmp(prefix, "default") != 0) {
        return add_route(host, iface, prefix, gateway == NULL ? NULL : via);
    }
    if (gateway != NULL) {
        bool v6 = strchr(gateway, ':') != NULL;
        return add_route(host, iface, v6 ? "::/0" : "0.0.0.0/0", via);
    }
    return add_both_defaults(host, iface);
}
