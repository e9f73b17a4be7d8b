/* lwip.c - the same lives and bulk with lwIP: its raw interface, two private copies of the library
 * (it has global state), packets handed over by call, timeouts by hand, no thread. */
#include "lwip.h"
#include "scale.h"

#include <dlfcn.h>

enum { WAITING = 256, WAITING_MAX = 32, PORT = 80, CHUNK = 16384, TICK_MS = TCP_TMR_INTERVAL };

/* Packets on their way. */
struct wire {
    struct pbuf *queue[WAITING];
    unsigned first, n;
};

static struct lwip client, server;
static struct wire to_client, to_server;
static unsigned ended, opened, idle; /* counts of the client's connections */
static const struct lwip *mute;      /* what it sends is lost */
static unsigned answers;             /* octets that came back to it */
static double received;
static char chunk[CHUNK];

bool lwip_load(struct lwip *lwip)
{
    void *library = dlmopen(LM_ID_NEWLM, "liblwip.so.0", RTLD_NOW | RTLD_LOCAL);
    bool all = library != NULL;
#define X(name) all = all && (*(void **)&lwip->name = dlsym(library, #name)) != NULL;
    LWIP_FUNCTIONS(X)
#undef X
    lwip->waiting = all ? dlsym(library, "tcp_tw_pcbs") : NULL;
    if (!all) {
        bench_note("no liblwip.so.0", "apt install liblwip0");
    }
    return all;
}

/* The wire: one copy into a buffer of the other side. */
static err_t leaves(struct netif *out, struct pbuf *p, const ip4_addr_t *to)
{
    bool asks = out->state == &client;
    struct lwip *from = asks ? &client : &server, *peer = asks ? &server : &client;
    struct wire *wire = asks ? &to_server : &to_client;
    (void)to;
    if (from == mute) {
        return ERR_OK;
    }
    struct pbuf *copy = peer->pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_RAM);
    if (copy == NULL || wire->n == WAITING) {
        bench_must(-1, "lwIP's packets have no room");
        return ERR_MEM;
    }
    from->pbuf_copy_partial(p, copy->payload, p->tot_len, 0);
    wire->queue[(wire->first + wire->n++) % WAITING] = copy;
    return ERR_OK;
}

static err_t set_up(struct netif *netif)
{
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_LINK_UP | NETIF_FLAG_UP;
    return ERR_OK;
}

void lwip_start(struct lwip *lwip, const uint8_t ip[4], netif_output_fn output, void *state)
{
    ip4_addr_t own, mask, none = {0};
    IP4_ADDR(&own, ip[0], ip[1], ip[2], ip[3]);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    lwip->lwip_init();
    lwip->netif_add(&lwip->netif, &own, &mask, &none, state, set_up, lwip->ip4_input);
    lwip->netif.output = output;
    lwip->netif_set_default(&lwip->netif);
    lwip->netif_set_up(&lwip->netif);
}

/* All packets, until none is left. */
static void settle(void)
{
    while (to_client.n + to_server.n > 0) {
        struct wire *wire = to_server.n ? &to_server : &to_client;
        struct lwip *at = to_server.n ? &server : &client;
        struct pbuf *p = wire->queue[wire->first];
        wire->first = (wire->first + 1) % WAITING;
        wire->n--;
        if (at->ip4_input(p, &at->netif) != ERR_OK) {
            at->pbuf_free(p);
        }
    }
}

static void timers(void)
{
    static double last;
    double now = bench_seconds();
    if (now - last > TICK_MS / 1000.0) {
        last = now;
        client.tcp_tmr();
        server.tcp_tmr();
    }
}

/* The server echoes, and closes when its peer does. */
static err_t server_got(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    char octet;
    (void)arg;
    (void)error;
    if (p == NULL) {
        server.tcp_close(pcb);
        return ERR_OK;
    }
    server.pbuf_copy_partial(p, &octet, 1, 0);
    server.tcp_recved(pcb, p->tot_len);
    server.pbuf_free(p);
    server.tcp_write(pcb, &octet, 1, TCP_WRITE_FLAG_COPY);
    server.tcp_output(pcb);
    return ERR_OK;
}

static err_t server_accepts(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)error;
    server.tcp_recv(pcb, (tcp_recv_fn)arg);
    return ERR_OK;
}

static err_t client_got(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    char octet;
    (void)arg;
    (void)error;
    if (p == NULL) {
        ended++;
        return ERR_OK;
    }
    client.pbuf_copy_partial(p, &octet, 1, 0);
    client.tcp_recved(pcb, p->tot_len);
    client.pbuf_free(p);
    answers++;
    if (opened > idle) {
        client.tcp_close(pcb);
    }
    return ERR_OK;
}

static err_t client_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    char octet = 1;
    (void)arg;
    (void)error;
    opened++;
    if (opened > idle) {
        client.tcp_write(pcb, &octet, 1, TCP_WRITE_FLAG_COPY);
        client.tcp_output(pcb);
    }
    return ERR_OK;
}

static struct tcp_pcb *connect_to_server(void)
{
    ip_addr_t to;
    IP_ADDR4(&to, 10, 0, 0, 2);
    struct tcp_pcb *pcb = client.tcp_new();
    bench_must(pcb ? 0 : -1, "tcp_new");
    client.tcp_recv(pcb, client_got);
    bench_must(client.tcp_connect(pcb, &to, PORT, client_connected), "tcp_connect");
    settle();
    return pcb;
}

static void life(void *unused)
{
    (void)unused;
    unsigned before = ended;
    connect_to_server();
    bench_must(ended == before + 1 ? 0 : -1, "a connection of lwIP's ends");
}

/* To live long it must forget TIME-WAIT: it searches them all for each segment. */
static void many_lives(void *unused)
{
    for (unsigned i = 0; i < WAITING_MAX; i++) {
        life(unused);
    }
    while (*client.waiting) {
        client.tcp_abort(*client.waiting);
    }
    while (*server.waiting) {
        server.tcp_abort(*server.waiting);
    }
    timers();
}

static bool both_start(tcp_recv_fn receiver)
{
    static const uint8_t ip[2][4] = {{10, 0, 0, 1}, {10, 0, 0, 2}};
    if (!lwip_load(&client) || !lwip_load(&server)) {
        return false;
    }
    lwip_start(&client, ip[0], leaves, &client);
    lwip_start(&server, ip[1], leaves, &server);
    struct tcp_pcb *pcb = server.tcp_new();
    server.tcp_bind(pcb, NULL, PORT);
    pcb = server.tcp_listen_with_backlog(pcb, UINT8_MAX);
    pcb->callback_arg = (void *)receiver;
    server.tcp_accept(pcb, server_accepts);
    return true;
}

bool lwip_lives_open(const void *arg)
{
    if (!both_start(server_got)) {
        return false;
    }
    idle = *(const unsigned *)arg;
    for (unsigned i = 0; i < idle; i++) {
        connect_to_server();
    }
    return true;
}

double lwip_lives_round(const void *arg)
{
    (void)arg;
    double rate = bench_rate(many_lives, NULL, BENCH_ROUND_MS / 1000.0) * WAITING_MAX;
    bench_also_steps(0, life, NULL);
    return rate;
}

/* Bulk ----------------------------------------------------------------------------------------- */

static struct tcp_pcb *sender;

static err_t server_reads(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)arg;
    (void)error;
    if (p != NULL) {
        for (u16_t at = 0; at < p->tot_len;) {
            at = (u16_t)(at + server.pbuf_copy_partial(p, chunk, CHUNK, at));
        }
        received += p->tot_len;
        server.tcp_recved(pcb, p->tot_len);
        server.pbuf_free(p);
    }
    return ERR_OK;
}

bool lwip_bulk_open(const void *arg)
{
    (void)arg;
    if (!both_start(server_reads)) {
        return false;
    }
    idle = 1;
    sender = connect_to_server();
    return true;
}

double lwip_bulk_round(const void *arg)
{
    (void)arg;
    double begin = bench_seconds(), took;
    received = 0;
    do {
        u16_t room;
        while ((room = tcp_sndbuf(sender)) > 0 &&
               client.tcp_write(sender, chunk, room < CHUNK ? room : CHUNK, TCP_WRITE_FLAG_COPY) ==
                   ERR_OK) {
        }
        client.tcp_output(sender);
        settle();
        timers();
        took = bench_seconds() - begin;
    } while (took < BENCH_ROUND_MS / 1000.0);
    return received / took / 1e9;
}

/* Memory --------------------------------------------------------------------------------------- */

/* It searches them all for each segment: more would take minutes. */
enum { FEW = 1000, MANY = 10000 };

static double slope(void (*add)(void), unsigned records)
{
    unsigned n = 0;
    for (; n < FEW; n++) {
        add();
    }
    double few = bench_private_bytes();
    for (; n < MANY; n++) {
        add();
    }
    return (bench_private_bytes() - few) / (MANY - FEW) / records;
}

static void add_established(void)
{
    connect_to_server();
}

static void add_half_open(void)
{
    mute = &server;
    struct tcp_pcb *pcb = connect_to_server();
    mute = &client; /* the reset */
    client.tcp_abort(pcb);
}

static void add_waiting(void)
{
    life(NULL);
}

bool lwip_memory_open(const void *arg)
{
    (void)arg;
    idle = MANY;
    return both_start(server_got);
}

double lwip_established_round(const void *arg)
{
    (void)arg;
    return slope(add_established, 2);
}

double lwip_syn_received_round(const void *arg)
{
    (void)arg;
    return slope(add_half_open, 1);
}

double lwip_time_wait_round(const void *arg)
{
    (void)arg;
    idle = 0;
    return slope(add_waiting, 1);
}

/* Scale ---------------------------------------------------------------------------------------- */

static struct tcp_pcb *standing[MANY];

static uint32_t echo(uint32_t i)
{
    char octet = 1;
    unsigned before = answers;
    client.tcp_write(standing[i], &octet, 1, TCP_WRITE_FLAG_COPY);
    client.tcp_output(standing[i]);
    settle();
    bench_must(answers == before + 1 ? 0 : -1, "an echo of lwIP's");
    return 0;
}

double lwip_scale_round(const void *arg)
{
    double p99 = 0;
    (void)arg;
    for (unsigned n = 100, i = 0; n <= MANY; n *= 10) {
        while (i < n) {
            standing[i++] = connect_to_server();
        }
        p99 = scale_echoes(echo, n);
    }
    return p99;
}
