/* frames.c - see frames.h. */
#include "frames.h"

static uint8_t text_octets[TEXT_MAX];

void make_frame(struct hf_frame_out *frame, uint32_t link, uint8_t version, uint32_t seq,
                uint32_t text_len)
{
    size_t at = link == HF_LINK_ETHERNET ? 14 : 0;
    size_t tcp_at = at + (version == 4 ? 20 : 40);
    struct segment seg = {
        .seq = {seq}, .ack = {7}, .wnd = 100, .ctl = ACK | PSH, .sport = 1, .dport = 2};
    for (uint32_t i = 0; i < TEXT_MAX; i++) {
        text_octets[i] = (uint8_t)i;
    }
    memset(frame, 0, sizeof *frame);
    size_t tcp_len = wire_put_tcp(frame->header + tcp_at, &seg);
    struct wire_ip ip = {.version = version, .proto = WIRE_PROTO_TCP, .ttl = 64, .df = true};
    ip.total_len = (uint32_t)(tcp_at - at + tcp_len) + text_len;
    if (version == 4) {
        wire_from_v4(ip.src, (const uint8_t[]){192, 0, 2, 1});
        wire_from_v4(ip.dst, (const uint8_t[]){192, 0, 2, 2});
    } else {
        memcpy(ip.src, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
        memcpy(ip.dst, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
    }
    if (at != 0) {
        struct wire_eth eth = {.dst = {2, 0, 0, 0, 0, 2}, .src = {2, 0, 0, 0, 0, 1}};
        eth.type = version == 4 ? WIRE_ETH_IPV4 : WIRE_ETH_IPV6;
        wire_put_eth(frame->header, &eth);
    }
    wire_put_ip(frame->header + at, &ip);
    wire_set_tcp_partial(frame->header + tcp_at, tcp_len, &ip, text_len);
    frame->header_len = (uint16_t)(tcp_at + tcp_len);
    frame->len = frame->header_len + text_len;
    frame->flags = HF_FRAME_CSUM_NEEDED;
    frame->csum_start = (uint16_t)tcp_at;
    frame->csum_offset = 16;
    frame->ip_offset = (uint16_t)at;
    uint32_t first = text_len / 3; /* in two slices of odd lengths */
    frame->slice[0] = (struct hf_slice){text_octets, first};
    frame->slice[1] = (struct hf_slice){text_octets + first, text_len - first};
    frame->n_slices = 2;
    if (text_len > MSS) {
        frame->flags |= version == 4 ? HF_FRAME_GSO4 : HF_FRAME_GSO6;
        frame->gso_size = MSS;
    }
}

void check_frame(const uint8_t *data, uint32_t len, uint32_t link, struct segment *seg)
{
    struct wire_ip ip;
    uint32_t at = link == HF_LINK_ETHERNET ? 14 : 0;
    assert_int_equal(wire_parse_ip(data + at, len - at, &ip), WIRE_OK);
    assert_int_equal(ip.total_len, len - at);
    const uint8_t *tcp = data + at + ip.header_len;
    assert_true(wire_tcp_checksum_ok(&ip, tcp, ip.total_len - ip.header_len));
    assert_int_equal(wire_parse_tcp(tcp, ip.total_len - ip.header_len, seg), WIRE_OK);
}

void send_one(struct hf_device *device, int64_t now_ns, const struct hf_frame_out *frame)
{
    assert_int_equal(hf_device_send(device, now_ns, frame, 1), 1);
}

/* The probe ----------------------------------------------------------------------------------- */

static int probe_receive(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    struct probe *probe = self;
    (void)now_ns;
    uint32_t got = min_u32(n, probe->n_waiting);
    for (uint32_t i = 0; i < got; i++) {
        const struct probe_frame *waiting = &probe->waiting[i];
        frames[i] = (struct hf_frame_in){.data = waiting->data,
                                         .len = waiting->len,
                                         .flags = waiting->flags,
                                         .gso_size = waiting->gso_size};
    }
    assert_int_equal(got, probe->n_waiting); /* the tests give no more than one batch */
    probe->n_waiting = 0;
    return (int)got;
}

static int probe_send(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    struct probe *probe = self;
    (void)now_ns;
    uint32_t i;
    for (i = 0; i < n && probe->takes > 0 && probe->error == 0; i++, probe->takes--) {
        struct dev_frame joined;
        assert_true(probe->n_sent < PROBE_FRAMES);
        struct probe_frame *sent = &probe->sent[probe->n_sent++];
        assert_true(dev_join(&frames[i], HF_LINK_IP, sent->data, &joined));
        sent->len = joined.len;
        sent->flags = frames[i].flags;
        sent->gso_size = frames[i].gso_size;
    }
    return probe->error < 0 ? probe->error : (int)i;
}

static void probe_flush(void *self, int64_t now_ns)
{
    struct probe *probe = self;
    (void)now_ns;
    probe->flushes++;
}

static void probe_close(void *self)
{
    struct probe *probe = self;
    probe->closed = true;
}

struct probe *new_probe(uint32_t link)
{
    static const struct hf_device_calls calls = {.struct_size = sizeof calls,
                                                 .receive = probe_receive,
                                                 .send = probe_send,
                                                 .flush = probe_flush,
                                                 .close = probe_close};
    struct hf_interface iface = {.struct_size = sizeof iface, .link = (uint8_t)link, .mtu = 1500};
    struct probe *probe = calloc(1, sizeof *probe);
    assert_non_null(probe);
    probe->sent = calloc(PROBE_FRAMES, sizeof *probe->sent);
    probe->waiting = calloc(PROBE_FRAMES, sizeof *probe->waiting);
    assert_true(probe->sent != NULL && probe->waiting != NULL);
    probe->takes = UINT32_MAX;
    assert_int_equal(hf_device_new(&probe->device, &calls, probe, &iface, -1, "probe"), 0);
    return probe;
}

void free_probe(struct probe *probe)
{
    assert_true(probe->closed);
    free(probe->sent);
    free(probe->waiting);
    free(probe);
}

void probe_gives(struct probe *probe, const struct hf_frame_out *frame)
{
    struct dev_frame joined;
    struct probe_frame *waiting = &probe->waiting[probe->n_waiting++];
    assert_true(dev_join(frame, HF_LINK_IP, waiting->data, &joined));
    waiting->len = joined.len;
    waiting->flags = HF_FRAME_CSUM_OK | (frame->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6));
    waiting->gso_size = frame->gso_size;
}
