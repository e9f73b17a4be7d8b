/* frame.c - headers in front of text: TCP segments, packets and their fragments (RFC 791, RFC 8200
 * 4.5), checksums.
 *
 * A frame is one header and slices of the chunks where the text lies.
 */
#include "stack/frame.h"

enum { ETHERNET_BYTES = 14, FRAGMENT_BYTES = 8, TCP_CSUM_AT = 16 };

/* A new frame with its link header. */
static struct hf_frame_out *begin(struct output *o, uint32_t iface_n, const uint8_t mac[6],
                                  uint16_t type)
{
    const struct stack_interface *iface = stack_interface_at(o->st, iface_n);
    struct hf_frame_out *frame = &o->frames[o->n++];
    frame->token = o->token;
    o->token = 0;
    frame->iface = (uint16_t)iface_n;
    frame->flags = frame->gso_size = frame->csum_start = frame->csum_offset = 0;
    frame->n_slices = frame->ip_offset = 0;
    if (iface->link == HF_LINK_ETHERNET) {
        struct wire_eth eth = {.type = type};
        memcpy(eth.dst, mac, 6);
        memcpy(eth.src, iface->mac, 6);
        frame->ip_offset = (uint16_t)wire_put_eth(frame->header, &eth);
    }
    frame->header_len = frame->ip_offset;
    o->st->s->frames_out++;
    return frame;
}

static uint16_t ether_type(bool v4)
{
    return v4 ? WIRE_ETH_IPV4 : WIRE_ETH_IPV6;
}

/* RFC 6437: the same for all packets of a connection, and telling nothing. */
static uint32_t flow_label(const struct tcp *tcp, const struct conn_id *id)
{
    const uint64_t words[4] = {get_be64(id->remote), get_be64(id->remote + 8), get_be64(id->local),
                               get_be64(id->local + 8)};
    uint32_t ports = (uint32_t)id->lport << 16 | id->rport;
    return (uint32_t)sip13_36(&secret_of(tcp)->port, words, ports) & 0xfffff;
}

static csum_t sum_slices(const struct output *o, const struct hf_slice *slice, uint32_t n)
{
    uint32_t simd = o->st->env->simd;
    csum_t sum = 0;
    unsigned odd = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum = csum_join(sum, csum_add_wide(simd, 0, slice[i].data, slice[i].len), odd);
        odd ^= slice[i].len & 1;
    }
    return sum;
}

/* MUST-2: by the device where it can. */
static void put_checksum(struct output *o, struct hf_frame_out *frame, uint8_t *header,
                         size_t header_len, const struct wire_ip *ip, uint32_t text_len)
{
    if (stack_interface_at(o->st, frame->iface)->offload & HF_OFFLOAD_CSUM) {
        wire_set_tcp_partial(header, header_len, ip, text_len);
        frame->flags |= HF_FRAME_CSUM_NEEDED;
        frame->csum_start = (uint16_t)(header - frame->header);
        frame->csum_offset = TCP_CSUM_AT;
    } else {
        csum_t sum = sum_slices(o, frame->slice, frame->n_slices);
        HF_COUNT(o->st->tcp.b->work.summed, text_len);
        wire_set_tcp_checksum(header, header_len, ip, sum, text_len);
    }
}

/* RFC 6864 4.3: no other of this path within an MSL, most likely. */
static uint16_t fragment_ident(const struct output *o)
{
    return (uint16_t)rng_u64(&secret_of(&o->st->tcp)->rng);
}

void frame_segment(struct output *o, const struct stack_path *path, const uint8_t mac[6],
                   const struct tcp_out *out)
{
    const struct conn_id *id = &out->id;
    struct hf_frame_out *frame = begin(o, path->iface, mac, ether_type(id->v4));
    size_t at = frame->ip_offset + (id->v4 ? 20u : 40u);
    uint8_t *header = frame->header + at;
    size_t tcp_len = wire_put_tcp(header, &out->seg);
    frame->header_len = (uint16_t)(at + tcp_len);
    frame->len = frame->header_len + out->text_len;
    struct wire_ip ip = {
        .version = id->v4 ? 4 : 6,
        .proto = WIRE_PROTO_TCP,
        .ttl = out->ttl, /* MUST-49, RFC1122-5 */
        .tos = out->tos,
        .df = !out->may_fragment,                           /* path MTU discovery, RFC 1191 */
        .ident = out->may_fragment ? fragment_ident(o) : 0, /* with DF any: RFC6864-1, RFC7323-48 */
        .total_len = frame->len - frame->ip_offset,
        .flow_label = id->v4 ? 0 : flow_label(&o->st->tcp, id),
    };
    memcpy(ip.src, id->local, 16);
    memcpy(ip.dst, id->remote, 16);
    (void)wire_put_ip(frame->header + frame->ip_offset, &ip);
    frame->n_slices = (uint16_t)out->n_slices;
    memcpy(frame->slice, out->slice, out->n_slices * sizeof out->slice[0]);
    put_checksum(o, frame, header, tcp_len, &ip, out->text_len);
    if (out->gso_size != 0 && out->text_len > out->gso_size) {
        frame->gso_size = out->gso_size;
        frame->flags |= id->v4 ? HF_FRAME_GSO4 : HF_FRAME_GSO6;
    }
}

/* Where in the slices of a segment a part of its text begins. */
struct place {
    uint32_t slice, skip;
};

/* The next len octets of out's text; returns the number of slices. */
static uint16_t part_slices(const struct tcp_out *out, struct place *at, uint32_t len,
                            struct hf_slice *slices)
{
    uint16_t n = 0;
    while (len != 0) {
        const struct hf_slice *from = &out->slice[at->slice];
        uint32_t part = min_u32(from->len - at->skip, len);
        slices[n++] = (struct hf_slice){from->data + at->skip, part};
        len -= part;
        at->skip += part;
        if (at->skip == from->len) {
            *at = (struct place){at->slice + 1, 0};
        }
    }
    return n;
}

/* A part that is made as any other segment: the first, and the last, which alone may be shorter, be
 * pushed or have the FIN. */
static void frame_part(struct output *o, const struct stack_path *path, const uint8_t mac[6],
                       const struct tcp_out *out, struct place *at, uint32_t done)
{
    struct tcp_out part;
    memcpy(&part, out, offsetof(struct tcp_out, slice));
    bool last = out->text_len - done <= out->gso_size;
    part.text_len = last ? out->text_len - done : out->gso_size;
    part.gso_size = 0;
    part.seg.seq = seq_add(out->seg.seq, done);
    part.seg.ctl &= (uint16_t) ~(last ? 0 : PSH | FIN);
    part.n_slices = part_slices(out, at, part.text_len, part.slice);
    frame_segment(o, path, mac, &part);
}

/* The header that the parts between share, and its sum with the pseudo header's. */
struct shared {
    uint8_t header[HF_HEADER_MAX];
    uint32_t tcp_at;
    csum_t sum; /* but for SEG.SEQ and the text */
};

static void share_header(const struct hf_frame_out *first, const struct tcp_out *out,
                         struct shared *shared)
{
    uint32_t tcp_len = (uint32_t)wire_tcp_header_len(&out->seg.opt);
    struct wire_ip ip = {.version = out->id.v4 ? 4 : 6};
    memcpy(ip.src, out->id.local, 16);
    memcpy(ip.dst, out->id.remote, 16);
    memcpy(shared->header, first->header, first->header_len);
    shared->tcp_at = first->header_len - tcp_len;
    uint8_t *tcp = shared->header + shared->tcp_at;
    put_be32(tcp + 4, 0);
    if (!(first->flags & HF_FRAME_CSUM_NEEDED)) {
        put_be16(tcp + TCP_CSUM_AT, 0);
    }
    shared->sum = csum_add(wire_pseudo(&ip, WIRE_PROTO_TCP, tcp_len + out->gso_size), tcp, tcp_len);
}

static void share_frame(struct output *o, const struct hf_frame_out *first,
                        const struct shared *shared, const struct tcp_out *out, struct place *at,
                        uint32_t done)
{
    struct hf_frame_out *frame = &o->frames[o->n++];
    memcpy(frame, first, offsetof(struct hf_frame_out, slice));
    frame->token = tcp_take_token(&o->st->tcp);
    HF_ASSERT(frame->token != 0);
    frame->n_slices = part_slices(out, at, out->gso_size, frame->slice);
    memcpy(frame->header, shared->header, frame->header_len);
    uint8_t *tcp = frame->header + shared->tcp_at;
    put_be32(tcp + 4, seq_add(out->seg.seq, done).v);
    if (!(frame->flags & HF_FRAME_CSUM_NEEDED)) {
        HF_COUNT(o->st->tcp.b->work.summed, out->gso_size);
        csum_t sum = csum_add(shared->sum, tcp + 4, 4);
        sum += sum_slices(o, frame->slice, frame->n_slices);
        put_be16(tcp + TCP_CSUM_AT, csum_finish(sum));
    }
    o->st->s->frames_out++;
}

void frame_parts(struct output *o, const struct stack_path *path, const uint8_t mac[6],
                 const struct tcp_out *out)
{
    struct place at = {0, 0};
    uint32_t done = out->gso_size;
    frame_part(o, path, mac, out, &at, 0);
    const struct hf_frame_out *first = &o->frames[o->n - 1];
    struct shared shared;
    share_header(first, out, &shared);
    for (; out->text_len - done > out->gso_size; done += out->gso_size) {
        share_frame(o, first, &shared, out, &at, done);
    }
    o->token = tcp_take_token(&o->st->tcp);
    frame_part(o, path, mac, out, &at, done);
}

/* The IP header, and in IPv6 the fragment header, of `octets` of the packet from `sent` on. */
static void put_packet_header(struct hf_frame_out *frame, const struct stack_packet *packet,
                              uint32_t octets, bool fragment, bool more)
{
    bool v4 = wire_is_v4(packet->remote);
    struct wire_ip ip = {
        .version = v4 ? 4 : 6,
        .proto = packet->proto,
        .ttl = packet->ttl,
        .tos = packet->tos,
        .df = packet->proto == WIRE_PROTO_TCP,
        .ident = (uint16_t)packet->ident,
        .mf = more,
        .frag_offset = (uint16_t)packet->sent,
    };
    memcpy(ip.src, packet->local, 16);
    memcpy(ip.dst, packet->remote, 16);
    uint8_t *header = frame->header + frame->ip_offset;
    if (!v4 && fragment) {
        ip.proto = WIRE_PROTO_FRAGMENT;
        ip.total_len = WIRE_MAX_IP + FRAGMENT_BYTES + octets;
        header[WIRE_MAX_IP] = packet->proto;
        header[WIRE_MAX_IP + 1] = 0;
        put_be16(header + WIRE_MAX_IP + 2, (uint16_t)(packet->sent | (more ? 1 : 0)));
        put_be32(header + WIRE_MAX_IP + 4, packet->ident);
        frame->header_len += FRAGMENT_BYTES;
    } else {
        ip.total_len = (v4 ? 20 : 40) + octets;
    }
    frame->header_len = (uint16_t)(frame->header_len + wire_put_ip(header, &ip));
}

/* `want` octets of the packet from `sent` on, as far as the slices suffice: the transport header's
 * rest is counted in *head.  Returns octets in all. */
static uint32_t gather(const struct tcp *tcp, const struct stack_packet *packet, uint32_t want,
                       struct hf_frame_out *frame, uint32_t *head)
{
    *head = packet->sent < packet->header_len ? packet->header_len - packet->sent : 0;
    *head = min_u32(*head, want);
    struct cursor from = {.chunk = packet->head};
    if (packet->head != 0 && packet->sent > packet->header_len) {
        tcp_cursor_advance(tcp, &from, packet->sent - packet->header_len);
    }
    uint32_t n = HF_SLICES_MAX;
    uint32_t got = tcp_chunk_slices(tcp, &from, want - *head, frame->slice, &n);
    frame->n_slices = (uint16_t)n;
    return *head + got;
}

/* ARP is all header. */
static bool frame_arp(struct output *o, const struct stack_path *path, const uint8_t mac[6],
                      const struct stack_packet *packet)
{
    struct hf_frame_out *frame = begin(o, path->iface, mac, WIRE_ETH_ARP);
    memcpy(frame->header + frame->header_len, packet->header, packet->header_len);
    frame->header_len = (uint16_t)(frame->header_len + packet->header_len);
    frame->len = frame->header_len;
    return true;
}

/* Octets behind the IP header.  Nobody keeps the path MTU of what is no connection: with IPv6,
 * where no router cuts anything, packets that every link takes need none (RFC 8200 5), and what
 * never leaves the link has its MTU.  RFC8201-1 */
static uint32_t packet_room(const struct stack_path *path, const struct stack_packet *packet)
{
    if (wire_is_v4(packet->remote)) {
        return path->mtu - 20;
    }
    bool on_link = stack_is_link_local(packet->remote);
    return (on_link ? path->mtu : min_u32(path->mtu, HF_IPV6_MTU_MIN)) - WIRE_MAX_IP;
}

bool frame_packet(struct output *o, const struct stack_path *path, const uint8_t mac[6],
                  struct stack_packet *packet)
{
    if (packet->proto == 0) {
        return frame_arp(o, path, mac, packet);
    }
    bool v4 = wire_is_v4(packet->remote);
    struct hf_frame_out *frame = begin(o, path->iface, mac, ether_type(v4));
    uint32_t room = packet_room(path, packet);
    uint32_t left = packet->header_len + packet->len - packet->sent;
    bool fragment = packet->sent != 0 || left > room;
    uint32_t head;
    uint32_t octets = gather(&o->st->tcp, packet, left, frame, &head);
    if (fragment || octets < left) {
        fragment = true;
        room -= v4 ? 0 : FRAGMENT_BYTES;
        octets = min_u32(octets, room);
        octets -= octets < left ? octets % 8 : 0;
        octets = gather(&o->st->tcp, packet, octets, frame, &head);
    }
    bool last = octets == left;
    put_packet_header(frame, packet, octets, fragment, !last);
    if (head != 0) {
        memcpy(frame->header + frame->header_len, packet->header + packet->sent, head);
        frame->header_len = (uint16_t)(frame->header_len + head);
    }
    frame->len = frame->header_len + octets - head;
    packet->sent += octets;
    return last;
}
