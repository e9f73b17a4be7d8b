/* net_lwip.c - lwIP as the server over a TUN, one segment a packet: what its own tapif does, with a
 * buffer of the right size for each packet. */
#include "lwip.h"
#include "net.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { PACKET = 2048, BATCH = 64 };

static struct lwip lwip;
static int tun = -1;
static enum net_job job;
static char chunk[1 << 16];

static err_t leaves(struct netif *out, struct pbuf *p, const ip4_addr_t *to)
{
    uint8_t packet[PACKET];
    (void)out;
    (void)to;
    uint16_t n = lwip.pbuf_copy_partial(p, packet, PACKET, 0);
    return write(tun, packet, n) == n ? ERR_OK : ERR_IF;
}

/* As much as its send buffer takes. */
static void send_bulk(struct tcp_pcb *pcb)
{
    u16_t room;
    while ((room = (u16_t)LWIP_MIN(tcp_sndbuf(pcb), UINT16_MAX)) > 0 &&
           lwip.tcp_write(pcb, chunk, room, TCP_WRITE_FLAG_COPY) == ERR_OK) {
    }
    lwip.tcp_output(pcb);
}

static err_t got(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)arg;
    (void)error;
    if (p == NULL) {
        lwip.tcp_close(pcb);
        return ERR_OK;
    }
    u16_t n = lwip.pbuf_copy_partial(p, chunk, p->tot_len, 0);
    lwip.tcp_recved(pcb, n);
    lwip.pbuf_free(p);
    if (job != NET_UP) {
        lwip.tcp_write(pcb, chunk, n, TCP_WRITE_FLAG_COPY);
        lwip.tcp_output(pcb);
    }
    return ERR_OK;
}

static err_t sent(void *arg, struct tcp_pcb *pcb, u16_t n)
{
    (void)arg;
    (void)n;
    send_bulk(pcb);
    return ERR_OK;
}

static err_t accepts(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    (void)error;
    lwip.tcp_recv(pcb, got);
    if (job == NET_DOWN) {
        lwip.tcp_sent(pcb, sent);
        send_bulk(pcb);
    }
    return ERR_OK;
}

bool net_lwip_open(const void *arg)
{
    static const uint8_t ip[4] = {10, 77, 0, 2};
    job = *(const enum net_job *)arg;
    if (!net_own() || (tun = net_tun()) < 0 || !lwip_load(&lwip)) {
        return false;
    }
    lwip_start(&lwip, ip, leaves, NULL);
    for (unsigned i = 0; i < NET_PORTS; i++) {
        struct tcp_pcb *pcb = lwip.tcp_new();
        lwip.tcp_bind(pcb, NULL, (u16_t)(NET_PORT + i));
        lwip.tcp_accept(lwip.tcp_listen_with_backlog(pcb, UINT8_MAX), accepts);
    }
    return net_client(job, NULL);
}

/* false: nothing was there. */
static bool read_packet(void)
{
    uint8_t packet[PACKET];
    ssize_t n = read(tun, packet, sizeof packet);
    if (n <= 0) {
        return false;
    }
    struct pbuf *p = lwip.pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM);
    if (p == NULL) {
        bench_must(-1, "lwIP's packets have no room");
        return false;
    }
    memcpy(p->payload, packet, (size_t)n);
    if (lwip.ip4_input(p, &lwip.netif) != ERR_OK) {
        lwip.pbuf_free(p);
    }
    return true;
}

static void timers(void)
{
    static double last;
    double now = bench_seconds();
    if (now - last > TCP_TMR_INTERVAL / 1000.0) {
        last = now;
        lwip.tcp_tmr();
    }
}

double net_lwip_round(const void *arg)
{
    struct pollfd fds[2] = {{.fd = tun, .events = POLLIN}, {.fd = net_begin(), .events = POLLIN}};
    (void)arg;
    while (fds[1].revents == 0) {
        poll(fds, 2, TCP_TMR_INTERVAL);
        for (unsigned i = 0; i < BATCH && read_packet(); i++) {
        }
        timers();
    }
    return net_end(job);
}
