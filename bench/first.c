/* first.c - the first table: opening, closing and carrying, against the kernel, in one run.
 *
 *     first [REPETITIONS]
 *
 * One thread carries both ends everywhere: two stacks joined in memory; a stack and the kernel's
 * TCP over a private TUN (or veth); the kernel's TCP with itself over loopback in the same
 * namespace. One connection of the first kind is: open, one octet there, one back, close by the
 * opener.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <handfast/host.h>

enum {
    REPETITIONS = 5,
    REPETITIONS_MAX = 99,
    MSL_MS = 1, /* TIME-WAIT lasts 2 ms: a few hundred stand at a time */
    PORT = 4000,
    OPENS_PAIR = 30000,
    OPENS_KERNEL = 5000,
    CHUNK = 1 << 16,
    FRAMES = 64,
    FRAME_MAX = 1 << 17,
};
#define BULK_BYTES 400000000.0

static char chunk[CHUNK];

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void must(int64_t result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "bench: %s: %lld\n", what, (long long)result);
    exit(1);
}

static void make_config(struct hf_config *config)
{
    hf_config_default(config, 16384);
    config->policy.msl_ms = MSL_MS;
    memset(config->seed, 7, sizeof config->seed);
}

/* The kernel paces with BBR where that is its default; Reno, like ours, does not, and always
 * exists. */
static void unpaced(int s)
{
    must(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), "TCP_CONGESTION");
}

/* Two stacks in memory ------------------------------------------------------------------------- */

struct side {
    struct hf_stack *stack;
    struct hf_env env;
    struct hf_endpoint at;
    hf_handle listener, connection;
    bool closed;
};

static void side_open(struct side *side, uint8_t number, uint32_t mtu, uint32_t offload)
{
    struct hf_config config;
    make_config(&config);
    uint64_t bytes = (hf_size(&config) + 63) / 64 * 64;
    *side = (struct side){.stack = aligned_alloc(64, bytes),
                          .env = {.struct_size = sizeof side->env},
                          .at = {.ip = {[10] = 0xff, 0xff, 10, 0, 0, number}, .port = PORT}};
    if (!side->stack)
        must(-1, "memory");
    must(hf_init(side->stack, bytes, &config, &side->env), "hf_init");
    struct hf_interface wire = {
        .struct_size = sizeof wire, .link = HF_LINK_IP, .mtu = mtu, .offload = offload};
    must(hf_interface_add(side->stack, &side->env, &wire), "hf_interface_add");
    must(hf_address_add(side->stack, &side->env, 1, side->at.ip, 24), "hf_address_add");
}

/* What `from` owes is copied once, as over a wire, and given to `to`. */
static uint32_t carry(struct side *from, struct side *to)
{
    static uint8_t wire[FRAMES][FRAME_MAX];
    static struct hf_frame_out out[FRAMES];
    struct hf_frame_in in[FRAMES];
    uint32_t n = hf_output(from->stack, &from->env, out, FRAMES);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = out[i].header_len;
        memcpy(wire[i], out[i].header, len);
        for (uint32_t s = 0; s < out[i].n_slices; s++) {
            memcpy(wire[i] + len, out[i].slice[s].data, out[i].slice[s].len);
            len += out[i].slice[s].len;
        }
        uint16_t flags = out[i].flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6);
        if (out[i].flags & HF_FRAME_CSUM_NEEDED)
            flags |= HF_FRAME_CSUM_OK;
        in[i] = (struct hf_frame_in){
            .data = wire[i], .len = len, .iface = 1, .flags = flags, .gso_size = out[i].gso_size};
        must(hf_output_done(from->stack, &from->env, out[i].token), "hf_output_done");
    }
    if (n > 0)
        hf_input(to->stack, &to->env, in, n);
    return n;
}

static void exchange(struct side *a, struct side *b)
{
    a->env.now_ns = b->env.now_ns = (int64_t)(seconds() * 1e9);
    while (carry(a, b) + carry(b, a) > 0)
        ;
    hf_timeouts(a->stack, &a->env);
    hf_timeouts(b->stack, &b->env);
}

static void pair_listen(struct side *b)
{
    struct hf_listen listen = {
        .struct_size = sizeof listen, .local = {.port = PORT}, .backlog = 64};
    must(hf_listen(b->stack, &b->env, &listen, &b->listener), "hf_listen");
}

static void pair_connect(struct side *a, struct side *b)
{
    must(hf_open(a->stack, &a->env, NULL, &b->at, 0, &a->connection), "hf_open");
    exchange(a, b);
    must(hf_accept(b->stack, &b->env, b->listener, &b->connection, NULL), "hf_accept");
}

static void pair_free(struct side *a, struct side *b)
{
    free(a->stack);
    free(b->stack);
}

static double pair_opens(void)
{
    struct side a, b;
    char octet = 1;
    side_open(&a, 1, 1500, 0);
    side_open(&b, 2, 1500, 0);
    pair_listen(&b);
    double begin = seconds();
    for (int i = 0; i < OPENS_PAIR; i++) {
        pair_connect(&a, &b);
        must(hf_send(a.stack, &a.env, a.connection, &octet, 1, 0), "send");
        exchange(&a, &b);
        must(hf_recv(b.stack, &b.env, b.connection, &octet, 1), "recv");
        must(hf_send(b.stack, &b.env, b.connection, &octet, 1, 0), "send back");
        exchange(&a, &b);
        must(hf_recv(a.stack, &a.env, a.connection, &octet, 1), "recv back");
        must(hf_release(a.stack, &a.env, a.connection), "release");
        exchange(&a, &b);
        must(hf_release(b.stack, &b.env, b.connection), "release");
        exchange(&a, &b);
    }
    double result = OPENS_PAIR / (seconds() - begin);
    pair_free(&a, &b);
    return result;
}

static double pair_bulk(uint32_t mtu, uint32_t offload)
{
    struct side a, b;
    side_open(&a, 1, mtu, offload);
    side_open(&b, 2, mtu, offload);
    pair_listen(&b);
    pair_connect(&a, &b);
    double received = 0, begin = seconds();
    while (received < BULK_BYTES) {
        while (hf_send(a.stack, &a.env, a.connection, chunk, CHUNK, 0) > 0)
            ;
        exchange(&a, &b);
        int64_t n;
        while ((n = hf_recv(b.stack, &b.env, b.connection, chunk, CHUNK)) > 0)
            received += (double)n;
        exchange(&b, &a);
    }
    double result = received / (seconds() - begin) / 1e6;
    pair_free(&a, &b);
    return result;
}

static double pair_bulk_1500(void)
{
    return pair_bulk(1500, 0);
}

static double pair_bulk_offload(void)
{
    return pair_bulk(1500, HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6);
}

/* The kernel, with us or with itself ----------------------------------------------------------- */

static struct {
    struct hf_private *net;
    struct hf_host *host;
    int listener;
} lab;

static void lab_open(void)
{
    char error[HF_ERROR_TEXT];
    struct hf_config config;
    struct hf_host_options options = {.struct_size = sizeof options, .config = &config};
    make_config(&config);
    if (hf_private_open(&lab.net, NULL, error) < 0) {
        printf("  (%s: the rows with the kernel are left out)\n", error);
        return;
    }
    must(hf_host_new(&lab.host, &options), "hf_host_new");
    must(hf_private_attach(lab.net, lab.host), "hf_private_attach");
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    lab.listener = hf_private_socket(lab.net, AF_INET, SOCK_STREAM, 0);
    must(lab.listener, "socket");
    must(bind(lab.listener, (struct sockaddr *)&any, sizeof any), "bind");
    unpaced(lab.listener);
    must(listen(lab.listener, 64), "listen");
}

static struct hf_endpoint kernel_endpoint(void)
{
    return (struct hf_endpoint){.ip = {[10] = 0xff, 0xff, 10, 77, 0, 1}, .port = PORT};
}

/* veth hands packets over in softirqs: the kernel's side may be a moment late. */
static void await(int fd, short events)
{
    struct pollfd polled = {.fd = fd, .events = events};
    while (poll(&polled, 1, 0) == 0)
        hf_host_run_once(lab.host, 0);
}

static double tun_opens(void)
{
    enum { LONG_MS = 5000 };
    struct hf_endpoint peer = kernel_endpoint();
    char octet = 1;
    double begin = seconds();
    for (int i = 0; i < OPENS_KERNEL; i++) {
        hf_handle c;
        must(hf_host_open(lab.host, NULL, &peer, LONG_MS, &c), "open");
        await(lab.listener, POLLIN);
        int s = accept(lab.listener, NULL, NULL);
        must(s, "accept");
        must(hf_host_send(lab.host, c, &octet, 1, LONG_MS), "send");
        await(s, POLLIN);
        must(read(s, &octet, 1), "read");
        must(write(s, &octet, 1), "write");
        must(hf_host_recv(lab.host, c, &octet, 1, LONG_MS), "recv");
        must(hf_host_close(lab.host, c), "close");
        await(s, POLLIN);
        must(read(s, &octet, 1), "read the end");
        close(s);
        must(hf_host_wait_closed(lab.host, c, false, LONG_MS), "wait closed");
        must(hf_host_release(lab.host, c), "release");
    }
    return OPENS_KERNEL / (seconds() - begin);
}

/* The yardstick uses plain sockets of this machine's loopback: one made in the private network
 * costs more, and only there. */
static struct {
    int listener;
    struct sockaddr_in at;
} loopback;

static void loopback_open(void)
{
    socklen_t len = sizeof loopback.at;
    loopback.at =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    loopback.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(loopback.listener, "socket");
    must(bind(loopback.listener, (struct sockaddr *)&loopback.at, len), "bind");
    must(listen(loopback.listener, 64), "listen");
    must(getsockname(loopback.listener, (struct sockaddr *)&loopback.at, &len), "getsockname");
}

static int loopback_connect(int *accepted)
{
    int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(c, "socket");
    unpaced(c);
    must(connect(c, (struct sockaddr *)&loopback.at, sizeof loopback.at), "connect");
    *accepted = accept(loopback.listener, NULL, NULL);
    must(*accepted, "accept");
    return c;
}

static double loopback_opens(void)
{
    char octet = 1;
    double begin = seconds();
    for (int i = 0; i < OPENS_KERNEL; i++) {
        int s, c = loopback_connect(&s);
        must(write(c, &octet, 1), "write");
        must(read(s, &octet, 1), "read");
        must(write(s, &octet, 1), "write");
        must(read(c, &octet, 1), "read");
        shutdown(c, SHUT_WR);
        must(read(s, &octet, 1), "read the end");
        close(s);
        must(read(c, &octet, 1), "read the end");
        close(c);
    }
    return OPENS_KERNEL / (seconds() - begin);
}

static double loopback_bulk(void)
{
    int s, c = loopback_connect(&s);
    must(fcntl(c, F_SETFL, O_NONBLOCK), "fcntl");
    must(fcntl(s, F_SETFL, O_NONBLOCK), "fcntl");
    double received = 0, begin = seconds();
    while (received < BULK_BYTES) {
        /* One for one: what is read is still in the cache. */
        must(write(c, chunk, CHUNK) > 0 || errno == EAGAIN ? 0 : -1, "write");
        ssize_t n = read(s, chunk, CHUNK);
        if (n > 0)
            received += (double)n;
    }
    double result = received / (seconds() - begin) / 1e6;
    close(c);
    close(s);
    return result;
}

/* up: Handfast sends; else the kernel does. */
static double tun_bulk(bool up)
{
    struct hf_endpoint peer = kernel_endpoint();
    hf_handle c;
    must(hf_host_open(lab.host, NULL, &peer, 5000, &c), "open");
    await(lab.listener, POLLIN);
    int s = accept(lab.listener, NULL, NULL);
    must(s, "accept");
    must(fcntl(s, F_SETFL, O_NONBLOCK), "fcntl");
    double received = 0, begin = seconds();
    while (received < BULK_BYTES) {
        ssize_t n;
        if (up) {
            while (hf_host_send_some(lab.host, c, chunk, CHUNK, 0) > 0)
                ;
            while ((n = read(s, chunk, CHUNK)) > 0)
                received += (double)n;
        } else {
            while (write(s, chunk, CHUNK) > 0)
                ;
            while ((n = hf_host_recv(lab.host, c, chunk, CHUNK, 0)) > 0)
                received += (double)n;
        }
        must(hf_host_run_once(lab.host, 0), "run");
    }
    double result = received / (seconds() - begin) / 1e6;
    close(s);
    hf_host_abort(lab.host, c);
    hf_host_release(lab.host, c);
    return result;
}

static double tun_bulk_up(void)
{
    return tun_bulk(true);
}

static double tun_bulk_down(void)
{
    return tun_bulk(false);
}

/* The table ------------------------------------------------------------------------------------ */

struct row {
    const char *name, *unit;
    double (*run)(void);
    int yardstick; /* index of the row it is divided by, or -1 */
    bool kernel;
    double results[REPETITIONS_MAX];
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(struct row *row, int n)
{
    qsort(row->results, (size_t)n, sizeof row->results[0], compare);
    return n % 2 ? row->results[n / 2] : (row->results[n / 2 - 1] + row->results[n / 2]) / 2;
}

static struct row rows[] = {
    {"open and close: kernel, loopback", "conn/s", loopback_opens, -1, false, {0}},
    {"open and close: Handfast and kernel", "conn/s", tun_opens, 0, true, {0}},
    {"open and close: two stacks in memory", "conn/s", pair_opens, 0, false, {0}},
    {"bulk: kernel, loopback", "MB/s", loopback_bulk, -1, false, {0}},
    {"bulk: Handfast to kernel", "MB/s", tun_bulk_up, 3, true, {0}},
    {"bulk: kernel to Handfast", "MB/s", tun_bulk_down, 3, true, {0}},
    {"bulk: two stacks, offload", "MB/s", pair_bulk_offload, 3, false, {0}},
    {"bulk: two stacks, MTU 1500, checksums", "MB/s", pair_bulk_1500, 3, false, {0}},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

int main(int argc, char **argv)
{
    int repetitions = argc > 1 ? atoi(argv[1]) : REPETITIONS;
    if (argc > 2 || repetitions < 1 || repetitions > REPETITIONS_MAX) {
        fprintf(stderr, "usage: first [REPETITIONS], 1 to %d\n", REPETITIONS_MAX);
        return 2;
    }
    loopback_open();
    lab_open();
    for (int i = 0; i < repetitions;
         i++) /* all rows in each round: the machine's moods are shared */
        for (int r = 0; r < ROWS; r++)
            if (lab.net || !rows[r].kernel)
                rows[r].results[i] = rows[r].run();
    printf("  %-38s %12s %12s %12s         %s\n", "one thread, both ends", "median", "min", "max",
           "to loopback");
    for (int r = 0; r < ROWS; r++) {
        if (!lab.net && rows[r].kernel)
            continue;
        double middle = median(&rows[r], repetitions);
        printf("  %-38s %12.0f %12.0f %12.0f %-6s", rows[r].name, middle, rows[r].results[0],
               rows[r].results[repetitions - 1], rows[r].unit);
        if (rows[r].yardstick >= 0)
            printf("  %6.2f", middle / median(&rows[rows[r].yardstick], repetitions));
        putchar('\n');
    }
    printf("  %d rounds, 2MSL %d ms, one destination, Reno; device: %s. Again: %s %d\n",
           repetitions, 2 * MSL_MS, lab.net ? hf_private_kind(lab.net) : "none", argv[0],
           repetitions);
    hf_host_free(lab.host);
    hf_private_close(lab.net);
    return 0;
}
