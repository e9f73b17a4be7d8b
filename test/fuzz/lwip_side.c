/* lwip_side.c - lwIP's raw interface, without its thread: packets and ticks come from the fuzzer.
 */
#include "lwip_side.h"

#include "handfast/trace.h"
#include "wire/wire.h"

#include <dlfcn.h>
#include <lwip/init.h>
#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lwip_seen lwip_seen;

#define FUNCTIONS(X)                                                                               \
    X(lwip_init)                                                                                   \
    X(netif_add)                                                                                   \
    X(netif_set_default)                                                                           \
    X(netif_set_up)                                                                                \
    X(netif_ip6_addr_set)                                                                          \
    X(netif_ip6_addr_set_state)                                                                    \
    X(ip4_input)                                                                                   \
    X(ip6_input)                                                                                   \
    X(pbuf_alloc)                                                                                  \
    X(pbuf_take)                                                                                   \
    X(pbuf_free)                                                                                   \
    X(pbuf_copy_partial)                                                                           \
    X(tcp_new_ip_type)                                                                             \
    X(tcp_connect)                                                                                 \
    X(tcp_close)                                                                                   \
    X(tcp_bind)                                                                                    \
    X(tcp_listen_with_backlog)                                                                     \
    X(tcp_accept)                                                                                  \
    X(tcp_recv)                                                                                    \
    X(tcp_err)                                                                                     \
    X(tcp_recved)                                                                                  \
    X(tcp_abort)                                                                                   \
    X(tcp_tmr)                                                                                     \
    X(tcp_write)                                                                                   \
    X(tcp_output)                                                                                  \
    X(tcp_shutdown)

static struct {
#define X(name) __typeof__(&name) name;
    FUNCTIONS(X)
#undef X
} lwip;
static struct tcp_pcb **active, **waiting; /* its lists of connections */

static void *found(void *library, const char *name)
{
    void *symbol = library ? dlsym(library, name) : NULL;
    if (symbol == NULL) {
        fprintf(stderr, "fuzz: liblwip.so.0 has no %s\n", name);
        abort();
    }
    return symbol;
}

static void load(void)
{
    void *library = dlopen("liblwip.so.0", RTLD_NOW | RTLD_LOCAL);
#define X(name) *(void **)&lwip.name = found(library, #name);
    FUNCTIONS(X)
#undef X
    active = found(library, "tcp_active_pcbs");
    waiting = found(library, "tcp_tw_pcbs");
}

static struct netif netif;
static struct tcp_pcb *connection;
static void (*take)(const uint8_t *packet, uint32_t len);

static err_t leaves(struct netif *out, struct pbuf *p, const ip4_addr_t *to)
{
    static uint8_t flat[UINT16_MAX];
    (void)out;
    (void)to;
    take(flat, lwip.pbuf_copy_partial(p, flat, sizeof flat, 0));
    return ERR_OK;
}

static err_t leaves6(struct netif *out, struct pbuf *p, const ip6_addr_t *to)
{
    (void)to;
    return leaves(out, p, NULL);
}

static err_t set_up(struct netif *new)
{
    new->output = leaves;
    new->output_ip6 = leaves6;
    new->mtu = new->mtu6 = 1500;
    new->flags = NETIF_FLAG_LINK_UP | NETIF_FLAG_UP;
    return ERR_OK;
}

static void gone(void *arg, err_t error)
{
    (void)arg;
    (void)error;
    connection = NULL;
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)arg;
    (void)error;
    if (p == NULL) {
        lwip_seen.peer_closed = true;
        return ERR_OK;
    }
    uint32_t room = LWIP_STREAM - lwip_seen.read;
    uint32_t n = p->tot_len < room ? p->tot_len : room;
    lwip_seen.read += lwip.pbuf_copy_partial(p, lwip_seen.stream + lwip_seen.read, (u16_t)n, 0);
    lwip.tcp_recved(pcb, p->tot_len);
    lwip.pbuf_free(p);
    return ERR_OK;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    if (error != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    connection = pcb;
    lwip.tcp_recv(pcb, received);
    lwip.tcp_err(pcb, gone);
    return ERR_OK;
}

static ip_addr_t address(const uint8_t ip[16])
{
    ip_addr_t address = IPADDR_ANY_TYPE_INIT;
    if (wire_is_v4(ip)) {
        IP_ADDR4(&address, ip[12], ip[13], ip[14], ip[15]);
    } else {
        IP_SET_TYPE_VAL(address, IPADDR_TYPE_V6);
        memcpy(ip_2_ip6(&address)->addr, ip, 16);
    }
    return address;
}

static void start(const uint8_t own4[16], const uint8_t own6[16])
{
    const ip_addr_t any = IPADDR_ANY_TYPE_INIT, own = address(own4), also = address(own6);
    ip4_addr_t mask, none = {0};
    IP4_ADDR(&mask, 255, 255, 255, 0);
    load();
    lwip.lwip_init();
    lwip.netif_add(&netif, ip_2_ip4(&own), &mask, &none, NULL, set_up, lwip.ip4_input);
    lwip.netif_set_default(&netif);
    lwip.netif_set_up(&netif);
    lwip.netif_ip6_addr_set(&netif, 0, ip_2_ip6(&also));
    lwip.netif_ip6_addr_set_state(&netif, 0, IP6_ADDR_PREFERRED);
    struct tcp_pcb *pcb = lwip.tcp_new_ip_type(IPADDR_TYPE_ANY);
    lwip.tcp_bind(pcb, &any, 80);
    lwip.tcp_accept(lwip.tcp_listen_with_backlog(pcb, 4), accepted);
}

void lwip_begin(const uint8_t own4[16], const uint8_t own6[16],
                void (*sent)(const uint8_t *packet, uint32_t len))
{
    static bool started;
    take = sent;
    if (!started) {
        started = true;
        start(own4, own6);
    }
    while (*active) {
        lwip.tcp_abort(*active);
    }
    while (*waiting) {
        lwip.tcp_abort(*waiting);
    }
    connection = NULL;
    lwip_seen.peer_closed = false;
    lwip_seen.read = 0;
}

static err_t connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    (void)pcb;
    return error;
}

void lwip_open(uint16_t port, const uint8_t peer[16], uint16_t peer_port)
{
    const ip_addr_t any = IPADDR_ANY_TYPE_INIT, to = address(peer);
    connection = lwip.tcp_new_ip_type(IPADDR_TYPE_ANY);
    lwip.tcp_recv(connection, received);
    lwip.tcp_err(connection, gone);
    if (lwip.tcp_bind(connection, &any, port) != ERR_OK ||
        lwip.tcp_connect(connection, &to, peer_port, connected) != ERR_OK) {
        fprintf(stderr, "fuzz: lwIP does not open\n");
        abort();
    }
}

uint8_t lwip_state(uint16_t peer_port)
{
    static const uint8_t names[] = {
        [SYN_SENT] = HF_SYN_SENT,     [SYN_RCVD] = HF_SYN_RECEIVED, [ESTABLISHED] = HF_ESTABLISHED,
        [FIN_WAIT_1] = HF_FIN_WAIT_1, [FIN_WAIT_2] = HF_FIN_WAIT_2, [CLOSE_WAIT] = HF_CLOSE_WAIT,
        [CLOSING] = HF_CLOSING,       [LAST_ACK] = HF_LAST_ACK,     [TIME_WAIT] = HF_TIME_WAIT,
    };
    for (int i = 0; i < 2; i++) {
        for (struct tcp_pcb *pcb = i == 0 ? *active : *waiting; pcb; pcb = pcb->next) {
            if (pcb->remote_port == peer_port) {
                return names[pcb->state];
            }
        }
    }
    return HF_CLOSED;
}

void lwip_deliver(const uint8_t *packet, uint32_t len)
{
    struct pbuf *p = lwip.pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
    lwip.pbuf_take(p, packet, (u16_t)len);
    err_t error = packet[0] >> 4 == 6 ? lwip.ip6_input(p, &netif) : lwip.ip4_input(p, &netif);
    if (error != ERR_OK) {
        lwip.pbuf_free(p);
    }
}

void lwip_tick(void)
{
    lwip.tcp_tmr();
}

uint32_t lwip_write(const uint8_t *text, uint32_t len)
{
    if (connection == NULL) {
        return 0;
    }
    uint32_t room = tcp_sndbuf(connection);
    len = len < room ? len : room;
    if (lwip.tcp_write(connection, text, (u16_t)len, TCP_WRITE_FLAG_COPY) != ERR_OK) {
        return 0;
    }
    lwip.tcp_output(connection);
    return len;
}

void lwip_shut(void)
{
    if (connection != NULL) {
        lwip.tcp_shutdown(connection, 0, 1);
    }
}

void lwip_close(void)
{
    struct tcp_pcb *pcb = connection;
    connection = NULL;
    if (pcb != NULL) {
        lwip.tcp_err(pcb, NULL);
        lwip.tcp_close(pcb);
    }
}
