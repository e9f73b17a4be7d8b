/* kernel_memory.c - octets a record of this machine's kernel takes, as its slabs say. */
#include "figures.h"
#include "scale.h"

#include <errno.h>
#include <handfast/host.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FEW = 2000,
    MANY = 20000,
    FEW_OPEN = 1000,
    MANY_OPEN = 9000,
    LISTENERS = 10, /* net.core.somaxconn is 4,096 */
    LINE = 256,
};

bool kernel_memory_open(const void *arg)
{
    FILE *file = fopen("/proc/slabinfo", "re");
    struct rlimit files;
    if (file == NULL) {
        bench_note("/proc/slabinfo", strerror(errno));
        return false;
    }
    fclose(file);
    bench_must(getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
    files.rlim_cur = files.rlim_max;
    bench_must(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
    if (files.rlim_cur < 2 * MANY_OPEN + LINE) {
        bench_note("descriptors", "ulimit -n is too low");
        return false;
    }
    return kernel_open(arg);
}

static bool is_word(const char *words, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = words; (at = strstr(at, name)) != NULL; at += len) {
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

/* What the caches hold whose names the words are. */
struct slabs {
    double octets, objects;
};
static struct slabs slabs_of(const char *words)
{
    char line[LINE], name[LINE];
    unsigned long long objects, pages_each, slabs, page = (unsigned long long)sysconf(_SC_PAGESIZE);
    struct slabs all = {0};
    FILE *file = fopen("/proc/slabinfo", "re");
    bench_must(file ? 0 : -errno, "/proc/slabinfo");
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%255s %llu %*u %*u %*u %llu : tunables %*u %*u %*u : slabdata %*u %llu",
                   name, &objects, &pages_each, &slabs) == 4 &&
            is_word(words, name)) {
            all.octets += (double)(pages_each * slabs * page);
            all.objects += (double)objects;
        }
    }
    fclose(file);
    return all;
}

/* Some are used again before their time is over (net.ipv4.tcp_tw_reuse): as many as there are
 * count. */
static double octets_each(struct slabs few, struct slabs many)
{
    return (many.octets - few.octets) / (many.objects - few.objects);
}

/* A dentry is left out: whoever looks into /proc makes them, too. */
static const char established[] = "TCP sock_inode_cache filp lsm_inode_cache";

double kernel_established_round(const void *arg)
{
    int accepted;
    (void)arg;
    unsigned n = 0;
    for (; n < FEW_OPEN; n++) {
        kernel_connect(&accepted);
    }
    double few = slabs_of(established).octets;
    for (; n < MANY_OPEN; n++) {
        kernel_connect(&accepted);
    }
    return (slabs_of(established).octets - few) / (MANY_OPEN - FEW_OPEN) / 2;
}

double kernel_time_wait_round(const void *arg)
{
    (void)arg;
    unsigned n = 0;
    for (; n < FEW; n++) {
        kernel_life(NULL);
    }
    struct slabs few = slabs_of("tw_sock_TCP");
    for (; n < MANY; n++) {
        kernel_life(NULL);
    }
    return octets_each(few, slabs_of("tw_sock_TCP"));
}

/* Scale ---------------------------------------------------------------------------------------- */

static int standing[MANY_OPEN][2];

static uint32_t echo(uint32_t i)
{
    char octet = 1;
    const int *ends = standing[i];
    bench_must(write(ends[0], &octet, 1) == 1 && read(ends[1], &octet, 1) == 1 ? 0 : -1, "there");
    bench_must(write(ends[1], &octet, 1) == 1 && read(ends[0], &octet, 1) == 1 ? 0 : -1, "back");
    return 0;
}

double kernel_scale_round(const void *arg)
{
    static const unsigned sizes[] = {100, 1000, MANY_OPEN};
    double p99 = 0;
    (void)arg;
    for (unsigned s = 0, i = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (; i < sizes[s]; i++) {
            standing[i][0] = kernel_connect(&standing[i][1]);
        }
        p99 = scale_echoes(echo, sizes[s]);
    }
    return p99;
}

/* SYN-RECEIVED: SYNs of ours into a private network, and nothing after them. */

static struct hf_private *net;
static struct hf_device *wire;
static struct pair *pair;

static void syn(unsigned number)
{
    struct pair_end *a = &pair->a;
    struct hf_endpoint from = {.ip = {[10] = 0xff, 0xff, 10, 77, 0, 2}},
                       to = {.ip = {[10] = 0xff, 0xff, 10, 77, 0, 1}};
    hf_handle c;
    from.port = (uint16_t)(1024 + number);
    to.port = (uint16_t)(PAIR_PORT + number % LISTENERS);
    bench_must(hf_open(a->stack, &a->env, &from, &to, 0, &c), "hf_open");
    uint32_t n = hf_output(a->stack, &a->env, pair->out, PAIR_FRAMES);
    bench_must(hf_device_send(wire, a->env.now_ns, pair->out, n), "hf_device_send");
    for (uint32_t i = 0; i < n; i++) {
        bench_must(hf_output_done(a->stack, &a->env, pair->out[i].token), "hf_output_done");
    }
    bench_must(hf_abort(a->stack, &a->env, c), "hf_abort");
    bench_must(hf_release(a->stack, &a->env, c), "hf_release");
}

static void private_listeners(void)
{
    static const struct pair_setup few = {.connections = 64, .mtu = 1500, .msl_ms = 1};
    static const uint8_t own[16] = {[10] = 0xff, 0xff, 10, 77, 0, 2};
    char error[HF_ERROR_TEXT];
    if (hf_private_open(&net, NULL, error) < 0) {
        bench_must(-1, error);
    }
    wire = hf_private_device(net);
    for (int i = 0; i < LISTENERS; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_port = htons((in_port_t)(PAIR_PORT + i))};
        int fd = hf_private_socket(net, AF_INET, SOCK_STREAM, 0);
        bench_must(fd, "socket");
        bench_must(bind(fd, (struct sockaddr *)&at, sizeof at), "bind");
        bench_must(listen(fd, MANY / LISTENERS * 2), "listen");
    }
    pair = pair_new(&few);
    bench_must(hf_address_add(pair->a.stack, &pair->a.env, 1, own, 24), "hf_address_add");
}

double kernel_syn_received_round(const void *arg)
{
    (void)arg;
    unsigned n = 0;
    private_listeners();
    for (; n < FEW; n++) {
        syn(n);
    }
    struct slabs few = slabs_of("request_sock_TCP");
    for (; n < MANY; n++) {
        syn(n);
    }
    return octets_each(few, slabs_of("request_sock_TCP"));
}
