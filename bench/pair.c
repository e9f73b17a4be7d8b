/* pair.c - two stacks of ours joined in memory. */
#include "pair.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <handfast/host.h>

#include "bench.h"

/* One frame lies behind the other, as a device's buffers do: a power of two between them would put
 * all headers into the same few lines of the cache. */
enum { SUPER_MAX = 1 << 16, FRAME_SPARE = 64 };

/* Address space: memory comes as it is touched, where wanted by 2 MiB. */
static void *reserve(uint64_t bytes, bool huge)
{
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED) {
        return NULL;
    }
    if (huge) {
        (void)madvise(block, bytes, MADV_HUGEPAGE);
    }
    return block;
}

static void end_new(struct pair_end *end, const struct pair_setup *setup, uint8_t number)
{
    struct hf_config *config = &end->config;
    hf_config_default(config, setup->connections);
    config->policy.msl_ms = setup->msl_ms;
    config->policy.timestamps = config->policy.sack = !setup->plain;
    memset(config->seed, 7 + number, sizeof config->seed);
    uint64_t bytes = hf_size(config);
    end->env = (struct hf_env){.struct_size = sizeof end->env, .simd = hf_host_simd(), .now_ns = 1};
    end->stack = reserve(bytes, setup->huge);
    end->frame_max =
        setup->offload ? SUPER_MAX + FRAME_SPARE : (setup->mtu + FRAME_SPARE) / 64 * 64;
    end->wire = malloc(PAIR_FRAMES * (size_t)end->frame_max);
    bench_must(end->stack && end->wire ? 0 : -1, "memory for two stacks");
    bench_must(hf_init(end->stack, bytes, config, &end->env), "hf_init");
    struct hf_interface wire = {.struct_size = sizeof wire,
                                .link = HF_LINK_IP,
                                .mtu = setup->mtu,
                                .offload = setup->offload};
    end->at = setup->v6 ? (struct hf_endpoint){.ip = {0xfd, [15] = number}, .port = PAIR_PORT}
                        : (struct hf_endpoint){.ip = {[10] = 0xff, 0xff, 10, 0, 0, number},
                                               .port = PAIR_PORT};
    bench_must(hf_interface_add(end->stack, &end->env, &wire), "hf_interface_add");
    bench_must(hf_address_add(end->stack, &end->env, 1, end->at.ip, 24), "hf_address_add");
}

/* Memory that the application lends a, and the wire b. */
static void add_region(struct pair_end *end, uint8_t *base, uint64_t bytes)
{
    end->region = (struct hf_region){base, bytes};
    end->env.regions = &end->region;
    end->env.n_regions = 1;
    bench_must(hf_region_add(end->stack, &end->env, 1), "hf_region_add");
}

static void lend(struct pair *pair)
{
    uint8_t *text = calloc(1, PAIR_TEXT);
    bench_must(text ? 0 : -1, "memory");
    add_region(&pair->a, text, PAIR_TEXT);
    add_region(&pair->b, pair->a.wire, PAIR_FRAMES * (uint64_t)pair->a.frame_max);
    while (pair->slots < PAIR_FRAMES) {
        pair->slot[pair->slots] = pair->slots;
        pair->slots++;
    }
}

struct pair *pair_new(const struct pair_setup *setup)
{
    struct pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL) {
        bench_must(-1, "memory");
        return NULL;
    }
    pair->setup = *setup;
    end_new(&pair->a, setup, 1);
    end_new(&pair->b, setup, 2);
    struct hf_listen listen = {.struct_size = sizeof listen,
                               .local = {.port = PAIR_PORT},
                               .port_last =
                                   setup->ports > 1 ? (uint16_t)(PAIR_PORT + setup->ports - 1) : 0,
                               .backlog = 64};
    bench_must(hf_listen(pair->b.stack, &pair->b.env, &listen, &pair->b.listener), "hf_listen");
    if (setup->lent) {
        lend(pair);
    }
    return pair;
}

static void end_free(struct pair_end *end)
{
    munmap(end->stack, hf_size(&end->config));
    free(end->wire);
}

void pair_free(struct pair *pair)
{
    end_free(&pair->a);
    end_free(&pair->b);
    free(pair->a.region.base); /* text, where it is lent */
    free(pair);
}

void pair_tick(struct pair *pair)
{
    int64_t now = pair->setup.step_ns ? pair->a.env.now_ns + pair->setup.step_ns
                                      : (int64_t)(bench_seconds() * 1e9);
    pair->a.env.now_ns = pair->b.env.now_ns = now;
}

/* One frame onto the wire, as one piece; where it lies. */
static uint8_t *put_on_wire(const struct hf_frame_out *out, uint8_t *wire)
{
    uint32_t len = out->header_len;
    memcpy(wire, out->header, len);
    for (uint32_t s = 0; s < out->n_slices; s++) {
        memcpy(wire + len, out->slice[s].data, out->slice[s].len);
        len += out->slice[s].len;
    }
    return wire;
}

uint32_t pair_carry(struct pair *pair, struct pair_end *from, struct pair_end *to)
{
    struct hf_frame_in in[PAIR_FRAMES];
    bool lent = pair->setup.lent && to == &pair->b;
    uint32_t room = lent ? pair->slots : PAIR_FRAMES;
    uint32_t n = hf_output(from->stack, &from->env, pair->out, room);
    for (uint32_t i = 0; i < n; i++) {
        const struct hf_frame_out *out = &pair->out[i];
        uint32_t slot = lent ? pair->slot[--pair->slots] : i;
        uint16_t flags = out->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6);
        if (out->flags & HF_FRAME_CSUM_NEEDED) {
            flags |= HF_FRAME_CSUM_OK;
        }
        in[i] = (struct hf_frame_in){
            .data = put_on_wire(out, from->wire + (size_t)slot * from->frame_max),
            .len = out->len,
            .iface = 1,
            .flags = flags,
            .gso_size = out->gso_size,
            .region = lent ? 1 : 0,
            .token = slot};
        bench_must(hf_output_done(from->stack, &from->env, out->token), "hf_output_done");
    }
    if (n > 0) {
        bench_must(hf_input(to->stack, &to->env, in, n), "hf_input");
    }
    return n;
}

void pair_returned(struct pair *pair)
{
    uint64_t tokens[PAIR_FRAMES];
    uint32_t n = hf_returned(pair->b.stack, &pair->b.env, tokens, PAIR_FRAMES);
    for (uint32_t i = 0; i < n; i++) {
        pair->slot[pair->slots++] = (uint32_t)tokens[i];
    }
}

void pair_lose(struct pair *pair, struct pair_end *from)
{
    uint32_t n;
    while ((n = hf_output(from->stack, &from->env, pair->out, PAIR_FRAMES)) > 0) {
        for (uint32_t i = 0; i < n; i++) {
            bench_must(hf_output_done(from->stack, &from->env, pair->out[i].token), "output done");
        }
    }
}

void pair_settle(struct pair *pair)
{
    pair_tick(pair);
    while (pair_carry(pair, &pair->a, &pair->b) + pair_carry(pair, &pair->b, &pair->a) > 0) {
    }
    hf_timeouts(pair->a.stack, &pair->a.env);
    hf_timeouts(pair->b.stack, &pair->b.env);
}

void pair_connect(struct pair *pair, uint16_t port, hf_handle *a, hf_handle *b)
{
    struct hf_endpoint to = pair->b.at;
    to.port = port;
    bench_must(hf_open(pair->a.stack, &pair->a.env, NULL, &to, 0, a), "hf_open");
    pair_settle(pair);
    bench_must(hf_accept(pair->b.stack, &pair->b.env, pair->b.listener, b, NULL), "hf_accept");
}
