/* packet_storm.c - the stack, its links, and frames on their way in: see packet_storm.h. */
#include "attack/packet_storm.h"
#include "common/refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ps_fail(struct packet_storm *s, const char *format, ...)
{
    char text[700];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "life %u: %s\n", s->seed, text);
    fail();
    abort();
}

/* The world ------------------------------------------------------------------------------------ */

static void put_v4(uint8_t ip[16], uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t v4[4] = {a, b, c, d};
    wire_from_v4(ip, v4);
}

/* fd00:LINK::HOST, fe80::HOST (link 0) */
static void put_v6(uint8_t ip[16], uint8_t link, uint8_t host)
{
    memset(ip, 0, 16);
    ip[0] = link ? 0xfd : 0xfe;
    ip[1] = link ? 0 : 0x80;
    ip[3] = link;
    ip[15] = host;
}

static void fill_own(struct packet_storm *s)
{
    for (uint8_t i = 0; i < PS_OWN; i++) {
        struct ps_own *own = &s->own[i];
        uint8_t host = 1 + i / 8;
        own->iface = 1 + (i & 1);
        if (i % 8 < 4) {
            put_v4(own->ip, 10, 0, own->iface, host + 3 * (i % 4 / 2));
            own->prefix_len = i == 10 ? 32 : i == 11 ? 31 : 24;
        } else {
            put_v6(own->ip, i % 8 < 6 ? own->iface : 0, host);
            own->prefix_len = 64;
        }
    }
}

static void draw_config(struct packet_storm *s)
{
    struct hf_config *c = &s->config;
    hf_config_default(c, 8);
    c->seed[0] = 1;
    c->max_connections = 4 + ps_below(s, 8);
    c->max_half_open = 1 + ps_below(s, 6);
    c->max_time_wait = 1 + ps_below(s, 4);
    c->max_active = 2 + ps_below(s, 7);
    c->max_udp = 1 + ps_below(s, 6);
    c->max_listeners = 3;
    c->max_interfaces = PS_LINKS;
    c->max_addresses = 6 + ps_below(s, 10);
    c->max_routes = 4 + ps_below(s, 12);
    c->max_neighbours = ps_one_in(s, 12) ? ps_below(s, 3) : 3 + ps_below(s, 22);
    c->max_packets = 2 + ps_below(s, ps_one_in(s, 3) ? 6 : 60);
    c->max_replies = 1 + ps_below(s, 20);
    c->max_reassembly = ps_below(s, 8);
    c->max_ranges = 4 + ps_below(s, ps_one_in(s, 2) ? 20 : 120);
    c->max_sent = c->max_active * (1 + ps_below(s, 12));
    c->small_chunks = 8 + ps_below(s, 120);
    c->small_chunk_bytes = 64 * (1 + ps_below(s, 32));
    c->large_chunks = ps_below(s, 12);
    c->lent_chunks = ps_one_in(s, 6) ? 0 : 1 + ps_below(s, 40);
    c->history_events = ps_below(s, 64);
    c->max_tokens = 1 + ps_below(s, 40);
    c->policy.send_buffer = 20000;
    c->policy.receive_window = 1000 + ps_below(s, 60000);
    c->policy.syn_soft_abort = ps_one_in(s, 4);
    c->policy.icmp_hard_abort = ps_one_in(s, 4);
    c->policy.mtu_probing = (uint8_t)ps_below(s, 3);
    c->policy.ecn = (uint8_t)ps_below(s, 3);
    c->policy.answer_echo = !ps_one_in(s, 10);
    c->policy.syn_cookies = (uint8_t)ps_below(s, 3);
}

static void draw_link(struct packet_storm *s, struct hf_interface *link, uint8_t number)
{
    static const uint32_t mtus[] = {1500, 1500, 1280, 1492, 9000, 576, 65535};
    *link = (struct hf_interface){.struct_size = sizeof *link, .mac = {2, 0, 0, 0, number, 1}};
    link->link = number == 1 || !ps_one_in(s, 3) ? HF_LINK_ETHERNET : HF_LINK_IP;
    link->mtu = mtus[ps_below(s, ARRAY_LEN(mtus))];
    link->offload = ps_one_in(s, 2) ? ps_below(s, 8) : 0;
}

static void quiet(void *arg, const struct hf_trace *record)
{
    (void)arg, (void)record;
}

static void add_links(struct packet_storm *s)
{
    static const uint8_t any4[16] = {[10] = 255, 255}, any6[16];
    uint8_t gateway[16];
    for (uint8_t i = 0; i < PS_LINKS; i++) {
        draw_link(s, &s->link[i], i + 1);
    }
    for (; s->links < 2; s->links++) {
        (void)hf_interface_add(s->stack, &s->env, &s->link[s->links]);
    }
    for (uint32_t i = 0; i < 8; i++) {
        struct ps_own *own = &s->own[i];
        own->now = hf_address_add(s->stack, &s->env, own->iface, own->ip, own->prefix_len) == HF_OK;
        own->ever = own->now;
    }
    put_v4(gateway, 10, 0, 1, 254);
    (void)hf_route_add(s->stack, &s->env, 1, any4, 0, ps_one_in(s, 4) ? NULL : gateway);
    put_v6(gateway, 1, 254);
    (void)hf_route_add(s->stack, &s->env, 1, any6, 0, ps_one_in(s, 4) ? NULL : gateway);
}

struct packet_storm *ps_begin(uint32_t seed)
{
    static struct packet_storm life;
    static uint8_t frames[PS_SLOTS * PS_SLOT_BYTES], text[PS_BORROWED * PS_BORROWED_BYTES];
    struct packet_storm *s = &life;
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->dice.dice = seed * UINT64_C(987654321);
    do {
        draw_config(s);
        s->bytes = hf_size(&s->config);
    } while (s->bytes == 0);
    s->stack = aligned_alloc(64, s->bytes);
    s->region[0] = (struct hf_region){frames, sizeof frames};
    s->region[1] = (struct hf_region){text, sizeof text};
    s->env = (struct hf_env){.struct_size = sizeof s->env,
                             .now_ns = 1000000000 + (int64_t)ps_below(s, 1000000000),
                             .trace = ps_one_in(s, 2) ? quiet : NULL,
                             .regions = s->region,
                             .n_regions = 2};
    if (s->stack == NULL || hf_init(s->stack, s->bytes, &s->config, &s->env) != HF_OK) {
        ps_fail(s, "no stack");
    }
    fill_own(s);
    add_links(s);
    (void)hf_region_add(s->stack, &s->env, 1);
    (void)hf_region_add(s->stack, &s->env, 2);
    return s;
}

void ps_end(struct packet_storm *s)
{
    for (uint32_t i = 0; i < PS_SHELF; i++) {
        free(s->shelf[i].octets);
    }
    free(s->stack);
}

/* Addresses ------------------------------------------------------------------------------------ */

const struct ps_own *ps_own(struct packet_storm *s, bool v6)
{
    const struct ps_own *own = &s->own[ps_below(s, PS_OWN)];
    for (int i = 0; i < 30 && (wire_is_v4(own->ip) == v6 || (!own->now && i < 20)); i++) {
        own = &s->own[ps_below(s, PS_OWN)];
    }
    return own;
}

static void odd_address(struct packet_storm *s, bool v6, uint8_t ip[16])
{
    static const uint8_t odd4[][4] = {{0},
                                      {255, 255, 255, 255},
                                      {224, 0, 0, 1},
                                      {10, 0, 1, 0},
                                      {10, 0, 1, 255},
                                      {10, 0, 2, 255},
                                      {127, 0, 0, 1},
                                      {240, 0, 0, 1},
                                      {224, 0, 0, 251}};
    static const uint8_t odd6[][16] = {
        {0},
        {[15] = 1},
        {0xff, 2, [15] = 1},
        {0xff, 2, [15] = 2},
        {0xff, 2, [11] = 1, 0xff, 0, 0, 1},
        {0xff, 2, [11] = 1, 0xff, 0, 0, 2},
        {0xff, 5, [15] = 9},
        {[10] = 0xff, 0xff, 10, 0, 1, 3},
    };
    if (v6) {
        memcpy(ip, odd6[ps_below(s, ARRAY_LEN(odd6))], 16);
    } else {
        wire_from_v4(ip, odd4[ps_below(s, ARRAY_LEN(odd4))]);
    }
}

void ps_remote(struct packet_storm *s, uint32_t iface, bool v6, uint8_t ip[16])
{
    uint8_t host = (uint8_t)(10 + ps_below(s, ps_one_in(s, 4) ? 40 : 4));
    switch (ps_below(s, 24)) {
    case 0:
        odd_address(s, v6, ip);
        return;
    case 1:
        memcpy(ip, ps_own(s, v6)->ip, 16);
        return;
    case 2:
    case 3:
    case 4: /* far away */
        v6 ? put_v6(ip, 9, host) : put_v4(ip, 10, 9, 0, host);
        return;
    case 5: /* the gateway */
        host = 254;
        break;
    default:
        break;
    }
    if (v6) {
        put_v6(ip, ps_one_in(s, 3) ? 0 : (uint8_t)iface, host);
    } else {
        put_v4(ip, 10, 0, (uint8_t)iface, host);
    }
}

void ps_mac(struct packet_storm *s, uint32_t iface, uint8_t mac[6])
{
    const uint8_t usual[6] = {2, 0, 0, 0, (uint8_t)iface, (uint8_t)(10 + ps_below(s, 4))};
    memcpy(mac, usual, 6);
    if (ps_one_in(s, 20)) {
        memset(mac, ps_one_in(s, 2) ? 0xff : 0, 6);
    } else if (ps_one_in(s, 20)) {
        mac[5] = 1; /* ours */
    }
}

uint32_t ps_link_of(struct packet_storm *s, const uint8_t ip[16])
{
    uint32_t link = wire_is_v4(ip) ? ip[14] : ip[3];
    bool is_one = link >= 1 && link <= s->links && !ps_one_in(s, 12);
    return is_one ? link : 1 + ps_below(s, s->links);
}

/* Frames ----------------------------------------------------------------------------------------
 */

/* The destination's link address as it should be, or not. */
static void put_link(struct packet_storm *s, uint32_t iface, uint16_t type, const uint8_t *packet,
                     uint8_t *out)
{
    struct wire_eth eth = {.type = ps_one_in(s, 60) ? (uint16_t)ps_below(s, 65536) : type};
    bool group = type == WIRE_ETH_IPV4 ? packet[16] >= 224 || packet[19] == 255
                                       : type == WIRE_ETH_IPV6 && packet[24] == 0xff;
    memcpy(eth.dst, s->link[iface - 1].mac, 6);
    if (ps_one_in(s, 40) ? !group : group) {
        memset(eth.dst, 0x33, 2);
        memcpy(eth.dst + 2, packet + 36, 4);
    }
    if (type == WIRE_ETH_ARP && ps_one_in(s, 2)) {
        memset(eth.dst, 0xff, 6);
    }
    ps_mac(s, iface, eth.src);
    wire_put_eth(out, &eth);
}

/* Into a slot of the region, as long as one is free. */
static bool lend(struct packet_storm *s, struct ps_frame *frame)
{
    for (uint32_t i = 0; i < PS_SLOTS && frame->in.len <= PS_SLOT_BYTES; i++) {
        if (!s->lent[i]) {
            uint8_t *slot = s->region[0].base + (size_t)i * PS_SLOT_BYTES;
            memcpy(slot, frame->octets, frame->in.len);
            free(frame->octets);
            frame->octets = NULL;
            frame->in.data = slot;
            frame->in.region = 1;
            frame->in.token = i + 1;
            s->lent[i] = true;
            return true;
        }
    }
    return false;
}

static void batch_goes_in(struct packet_storm *s)
{
    struct hf_frame_in in[PS_BATCH];
    for (uint32_t i = 0; i < s->n_batch; i++) {
        in[i] = s->batch[i].in;
    }
    refuse_begin(s->stack, REFUSE_LENT, 0, 0); /* hf_input has looked whether there are enough */
    int error = s->n_batch ? hf_input(s->stack, &s->env, in, s->n_batch) : HF_OK;
    for (uint32_t i = 0; i < s->n_batch; i++) {
        free(s->batch[i].octets);
        if (error != HF_OK && in[i].region != 0) {
            s->lent[in[i].token - 1] = false; /* none was taken */
        }
    }
    s->n_batch = 0;
}

static void joins_batch(struct packet_storm *s, struct ps_frame *frame)
{
    if (s->n_batch == PS_BATCH) {
        batch_goes_in(s);
    }
    if (ps_one_in(s, 4)) {
        (void)lend(s, frame);
    }
    s->batch[s->n_batch++] = *frame;
}

static void mangle(struct packet_storm *s, uint8_t *octets, uint32_t len)
{
    for (uint32_t n = 1 + ps_below(s, 4); n > 0 && len != 0; n--) {
        octets[ps_below(s, ps_one_in(s, 2) ? min_u32(len, 80) : len)] ^=
            (uint8_t)(1u << ps_below(s, 8));
    }
}

void ps_deliver(struct packet_storm *s, uint32_t iface, uint16_t type, const uint8_t *packet,
                uint32_t len, uint32_t gso_size)
{
    struct ps_frame frame = {.in = {.iface = (uint16_t)iface, .gso_size = (uint16_t)gso_size}};
    uint32_t at = s->link[iface - 1].link == HF_LINK_ETHERNET ? PS_ETH : 0;
    if (at == 0 && type == WIRE_ETH_ARP) {
        return;
    }
    uint32_t whole = at + len + (ps_one_in(s, 20) ? ps_below(s, 50) : 0);
    frame.octets = calloc(1, whole ? whole : 1);
    if (at) {
        put_link(s, iface, type, packet, frame.octets);
    }
    memcpy(frame.octets + at, packet, len);
    frame.in.len = ps_one_in(s, 40) ? ps_below(s, whole + 1) : whole;
    if (ps_one_in(s, 25)) {
        mangle(s, frame.octets, frame.in.len);
    }
    if (frame.in.len != whole) { /* of its very size */
        frame.octets = realloc(frame.octets, frame.in.len ? frame.in.len : 1);
    }
    frame.in.data = frame.octets;
    frame.in.flags = gso_size ? HF_FRAME_CSUM_OK : ps_one_in(s, 20) ? HF_FRAME_CSUM_OK : 0;
    if (gso_size || ps_one_in(s, 50)) {
        frame.in.flags |= type == WIRE_ETH_IPV4 ? HF_FRAME_GSO4 : HF_FRAME_GSO6;
        frame.in.flags ^= ps_one_in(s, 10) ? (uint16_t)ps_below(s, 16) : 0;
    }
    frame.in.iface += ps_one_in(s, 300) ? 1 : 0;
    struct ps_frame *place = &s->shelf[ps_below(s, PS_SHELF)];
    if (ps_one_in(s, 5)) {
        free(place->octets);
        *place = frame;
    } else {
        joins_batch(s, &frame);
    }
}

void ps_goes_in(struct packet_storm *s)
{
    for (uint32_t n = ps_below(s, 5); n > 0; n--) {
        struct ps_frame *place = &s->shelf[ps_below(s, PS_SHELF)];
        if (place->octets == NULL) {
            continue;
        }
        struct ps_frame frame = *place;
        *place = (struct ps_frame){0};
        if (ps_one_in(s, 4)) { /* and once more later */
            place->in = frame.in;
            place->octets = malloc(frame.in.len ? frame.in.len : 1);
            place->in.data = memcpy(place->octets, frame.octets, frame.in.len);
        }
        joins_batch(s, &frame);
    }
    batch_goes_in(s);
}

void ps_takes_returned(struct packet_storm *s)
{
    uint64_t tokens[8];
    uint32_t n;
    while ((n = hf_returned(s->stack, &s->env, tokens, 1 + ps_below(s, 8))) != 0) {
        for (uint32_t i = 0; i < n; i++) {
            bool frame = tokens[i] >= 1 && tokens[i] <= PS_SLOTS && s->lent[tokens[i] - 1];
            uint64_t which = tokens[i] - 1000;
            if (!frame && !(which < PS_BORROWED && s->borrowed[which])) {
                ps_fail(s, "token %llu is returned, which is not lent",
                        (unsigned long long)tokens[i]);
            }
            if (frame) {
                s->lent[tokens[i] - 1] = false;
                memset(s->region[0].base + (tokens[i] - 1) * PS_SLOT_BYTES, 0xa5, PS_SLOT_BYTES);
            } else {
                s->borrowed[which] = false;
                memset(s->region[1].base + which * PS_BORROWED_BYTES, (int)which + 1,
                       PS_BORROWED_BYTES);
            }
        }
    }
}
