/* cut.c - frames as the wire carries them: one segment each, checksums filled in. */
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "device/device.h"
#include "wire/wire.h"

bool dev_join(const struct hf_frame_out *frame, uint32_t link, uint8_t *out,
              struct dev_frame *joined)
{
    uint32_t len = frame->header_len;
    memcpy(out, frame->header, len);
    for (uint32_t i = 0; i < frame->n_slices; i++) {
        const struct hf_slice *slice = &frame->slice[i];
        if (slice->len > DEV_FRAME_BYTES - len) {
            return false;
        }
        memcpy(out + len, slice->data, slice->len);
        len += slice->len;
    }
    *joined = (struct dev_frame){
        .data = out,
        .len = len,
        .link = link,
        .out_csum = (frame->flags & HF_FRAME_CSUM_NEEDED) != 0,
        .csum_start = frame->csum_start,
        .csum_offset = frame->csum_offset,
    };
    if ((frame->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6)) != 0) {
        joined->gso_size = frame->gso_size;
    }
    return true;
}

uint32_t dev_ip_at(const struct dev_frame *frame)
{
    if (frame->link == HF_LINK_IP) {
        return 0;
    }
    struct wire_eth eth;
    if (wire_parse_eth(frame->data, frame->len, &eth) != WIRE_OK ||
        (eth.type != WIRE_ETH_IPV4 && eth.type != WIRE_ETH_IPV6)) {
        return frame->len;
    }
    return eth.header_len;
}

uint32_t dev_cut_count(const struct dev_frame *frame)
{
    if (frame->gso_size == 0) {
        return 1;
    }
    uint32_t at = dev_ip_at(frame);
    return max_u32(1, wire_gso_count(frame->data + at, frame->len - at, frame->gso_size));
}

/* A checksum that a sender on this machine left to hardware which is not there. */
static void fill_udp(uint8_t *packet, uint32_t len)
{
    struct wire_ip ip;
    struct wire_udp udp;
    if (wire_parse_ip(packet, len, &ip) != WIRE_OK || ip.fragment || ip.proto != WIRE_PROTO_UDP) {
        return;
    }
    uint8_t *header = packet + ip.header_len;
    if (wire_parse_udp(header, ip.total_len - ip.header_len, &udp) != WIRE_OK || udp.csum == 0 ||
        udp.len < WIRE_UDP_BYTES) {
        return;
    }
    uint32_t text_len = (uint32_t)udp.len - WIRE_UDP_BYTES;
    csum_t text_sum = csum_add(0, header + WIRE_UDP_BYTES, text_len);
    wire_set_udp_checksum(header, &ip, text_sum, text_len);
}

static uint32_t cut_tcp(const struct dev_frame *frame, uint32_t at, uint32_t index, uint8_t *out)
{
    size_t len = wire_gso_split(frame->data + at, frame->len - at, frame->gso_size, index, out + at,
                                DEV_FRAME_BYTES - at);
    if (len != 0) {
        memcpy(out, frame->data, at);
        len += at;
    }
    return (uint32_t)len;
}

uint32_t dev_cut(const struct dev_frame *frame, uint32_t index, uint8_t *out)
{
    if (frame->gso_size != 0 || frame->in_csum) {
        uint32_t len = cut_tcp(frame, dev_ip_at(frame), index, out);
        if (len != 0) {
            return len;
        }
    }
    memcpy(out, frame->data, frame->len);
    if (frame->out_csum) {
        (void)wire_fill_checksum(out, frame->len, frame->csum_start, frame->csum_offset);
    } else if (frame->in_csum) {
        uint32_t at = dev_ip_at(frame);
        fill_udp(out + at, frame->len - at);
    }
    return frame->len;
}

enum { IPV6_BYTES = 40 };

static void set_lengths(uint8_t *packet, const struct wire_ip *ip, uint32_t index, uint32_t len)
{
    uint8_t *udp = packet + ip->header_len;
    put_be16(udp + 4, (uint16_t)(len - ip->header_len));
    put_be16(udp + 6, UINT16_MAX); /* there is one, and fill_udp says which */
    if (ip->version == 6) {
        put_be16(packet + 4, (uint16_t)(len - IPV6_BYTES));
        return;
    }
    put_be16(packet + 2, (uint16_t)len);
    put_be16(packet + 4, (uint16_t)(get_be16(packet + 4) + index));
    put_be16(packet + 10, 0);
    put_be16(packet + 10, csum_finish(csum_add(0, packet, ip->header_len)));
}

uint32_t dev_cut_udp(const struct dev_frame *frame, uint32_t index, uint8_t *out)
{
    struct wire_ip ip;
    uint32_t at = dev_ip_at(frame);
    bool known = wire_parse_ip(frame->data + at, frame->len - at, &ip) == WIRE_OK;
    uint32_t head = known ? ip.header_len + WIRE_UDP_BYTES : 0;
    if (!known || ip.proto != WIRE_PROTO_UDP || ip.fragment || ip.total_len < head) {
        return 0;
    }
    uint64_t from = (uint64_t)index * frame->gso_size;
    if (frame->gso_size == 0 || from >= ip.total_len - head) {
        return 0;
    }
    uint32_t len = min_u32(frame->gso_size, ip.total_len - head - (uint32_t)from);
    memcpy(out, frame->data, at + head);
    memcpy(out + at + head, frame->data + at + head + from, len);
    set_lengths(out + at, &ip, index, head + len);
    fill_udp(out + at, head + len);
    return at + head + len;
}
