/* network.c - the stack behind the sockets: one interface per address family, since scripts give
 * each its own MTU; every address that a packet is for, or that a socket is bound to, is ours.
 *
 * flags (--so_flags): NAME=VALUE, separated by commas: mtu (both families), mtu4, mtu6, local,
 * local6.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "handfast/host.h"

enum { CONNECTIONS = 64, LARGE_CHUNKS = 1024, SMALL_CHUNKS = 8192, FRAMES = 32 };
/* Who watches a kernel sees a packet a moment after its cause; scripts rely on it. */
enum { SNIFFED_AFTER_NS = 10000 };

/* Flags -----------------------------------------------------------------------------------------*/

static bool parse_ip(const char *text, uint8_t ip[16])
{
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        memset(ip, 0, 10);
        memset(ip + 10, 0xff, 2);
        memcpy(ip + 12, &v4, 4);
        return true;
    }
    return inet_pton(AF_INET6, text, ip) == 1;
}

static bool is_v4(const uint8_t ip[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(ip, mapped, sizeof mapped) == 0;
}

static bool take_flag(struct adapter *a, const char *name, const char *value)
{
    uint8_t ip[16];
    if (strcmp(name, "local") == 0 || strcmp(name, "local6") == 0) {
        if (!parse_ip(value, ip)) {
            return false;
        }
        memcpy(is_v4(ip) ? a->local4 : a->local6, ip, 16);
        return true;
    }
    char *end;
    unsigned long mtu = strtoul(value, &end, 10);
    if (*end != 0 || mtu < 576 || mtu > PACKET_MAX) {
        return false;
    }
    bool both = strcmp(name, "mtu") == 0;
    bool four = both || strcmp(name, "mtu4") == 0;
    bool six = both || strcmp(name, "mtu6") == 0;
    a->mtu4 = four ? (uint32_t)mtu : a->mtu4;
    a->mtu6 = six ? (uint32_t)mtu : a->mtu6;
    return four || six;
}

static bool take_flags(struct adapter *a, const char *flags)
{
    char text[512];
    snprintf(text, sizeof text, "%s", flags ? flags : "");
    char *rest = text;
    for (char *item = strsep(&rest, ","); item; item = strsep(&rest, ",")) {
        char *value = strchr(item, '=');
        if (*item == 0) {
            continue;
        }
        if (value == NULL) {
            return false;
        }
        *value++ = 0;
        if (!take_flag(a, item, value)) {
            return false;
        }
    }
    return true;
}

/* The stack -------------------------------------------------------------------------------------*/

static int add_interface(struct adapter *a, uint32_t mtu, const char *any)
{
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = mtu};
    uint8_t prefix[16];
    int number = hf_interface_add(a->stack, &a->env, &iface);
    if (number < 0 || !parse_ip(any, prefix)) {
        return number;
    }
    int error = hf_route_add(a->stack, &a->env, (uint32_t)number, prefix, 0, NULL);
    return error ? error : number;
}

static int make_stack(struct adapter *a)
{
    struct hf_config config;
    hf_config_default(&config, CONNECTIONS);
    config.large_chunks = LARGE_CHUNKS;
    config.small_chunks = SMALL_CHUNKS;
    memcpy(config.seed, "packetdrill seed", sizeof config.seed); /* every run is the same */
    sysctl_apply(&a->sysctls, &config.policy);
    uint64_t bytes = hf_size(&config);
    a->stack = bytes ? aligned_alloc(64, bytes) : NULL;
    if (a->stack == NULL) {
        return -ENOMEM;
    }
    int error = hf_init(a->stack, bytes, &config, &a->env);
    int four = error ? error : add_interface(a, a->mtu4, "0.0.0.0");
    int six = four < 0 ? four : add_interface(a, a->mtu6, "::");
    if (six < 0) {
        return -hf_errno(six);
    }
    a->iface4 = (uint32_t)four;
    a->iface6 = (uint32_t)six;
    return 0;
}

int network_begin(struct adapter *a, const char *flags)
{
    a->mtu4 = a->mtu6 = 1500;
    parse_ip("192.168.0.1", a->local4);
    parse_ip("fd3d:0a0b:17d6::1", a->local6);
    a->env.struct_size = sizeof a->env;
    a->now_ns = 1000 * NS_PER_MS;
    a->env.now_ns = a->now_ns;
    return take_flags(a, flags) ? 0 : -EINVAL;
}

void network_end(struct adapter *a)
{
    free(a->stack);
    a->stack = NULL;
    for (struct packet *p = network_take(a); p; p = network_take(a)) {
        free(p);
    }
}

void network_refresh(struct adapter *a)
{
    sysctl_read(&a->sysctls);
    if (a->stack == NULL) {
        if (make_stack(a) < 0) {
            fprintf(stderr, "packetdrill adapter: no stack: out of memory, or a bad policy\n");
            abort();
        }
        fastopen_refresh(a);
        return;
    }
    struct hf_policy policy = *hf_policy(a->stack);
    sysctl_apply(&a->sysctls, &policy);
    hf_set_policy(a->stack, &a->env, &policy);
    fastopen_refresh(a);
}

int network_own(struct adapter *a, const uint8_t ip[16])
{
    bool v4 = is_v4(ip);
    int error = hf_address_add(a->stack, &a->env, v4 ? a->iface4 : a->iface6, ip, v4 ? 32 : 128);
    return error == HF_ERR_EXISTS ? 0 : -hf_errno(error);
}

/* Packets ---------------------------------------------------------------------------------------*/

/* Whom a packet is for. */
static bool destination(const uint8_t *octets, size_t n, uint8_t ip[16])
{
    if (n >= 20 && octets[0] >> 4 == 4) {
        memset(ip, 0, 10);
        memset(ip + 10, 0xff, 2);
        memcpy(ip + 12, octets + 16, 4);
        return true;
    }
    if (n >= 40 && octets[0] >> 4 == 6) {
        memcpy(ip, octets + 24, 16);
        return true;
    }
    return false;
}

void network_input(struct adapter *a, const void *packet, size_t n)
{
    uint8_t ip[16];
    if (!destination(packet, n, ip) || n > PACKET_MAX) {
        return;
    }
    network_refresh(a);
    network_own(a, ip);
    struct hf_frame_in frame = {
        .data = packet,
        .len = (uint32_t)n,
        .iface = (uint16_t)(is_v4(ip) ? a->iface4 : a->iface6),
    };
    hf_input(a->stack, &a->env, &frame, 1);
}

static void keep(struct adapter *a, const struct hf_frame_out *frame)
{
    struct packet *p = malloc(sizeof *p + frame->len);
    if (p == NULL) {
        abort();
    }
    *p = (struct packet){.time_ns = a->now_ns + SNIFFED_AFTER_NS, .len = frame->len};
    memcpy(p->octets, frame->header, frame->header_len);
    uint32_t at = frame->header_len;
    for (uint32_t i = 0; i < frame->n_slices; i++) {
        memcpy(p->octets + at, frame->slice[i].data, frame->slice[i].len);
        at += frame->slice[i].len;
    }
    if (a->last) {
        a->last->next = p;
    } else {
        a->first = p;
    }
    a->last = p;
}

void network_pump(struct adapter *a)
{
    if (a->stack == NULL) {
        return;
    }
    struct hf_frame_out frames[FRAMES];
    uint32_t n;
    do {
        n = hf_output(a->stack, &a->env, frames, FRAMES);
        for (uint32_t i = 0; i < n; i++) {
            keep(a, &frames[i]);
            hf_output_done(a->stack, &a->env, frames[i].token);
        }
    } while (n == FRAMES);
    struct hf_event events[FRAMES];
    do {
        n = hf_events(a->stack, &a->env, events, FRAMES);
        for (uint32_t i = 0; i < n; i++) {
            socket_event(a, &events[i]);
        }
    } while (n == FRAMES);
    socket_look_for_room(a);
}

struct packet *network_take(struct adapter *a)
{
    struct packet *p = a->first;
    if (p) {
        a->first = p->next;
        a->last = p->next ? a->last : NULL;
    }
    return p;
}
