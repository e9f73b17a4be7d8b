/* side_wire.c - between frames and messages: what leaves an endpoint is named by incarnations, what
 * arrives gets the numbers of this endpoint's.
 */
#include "side.h"

#include <string.h>

enum {
    FORGED = 100, /* numbers below it are as they stand: 0 of a reset, an attacker's */
    BEFORE = 5,
    BEHIND = 30,
    IP_ID = 4,
    IP_CHECKSUM = 10,
    TCP_SEQ = 4,
    TCP_ACK = 8,
    TCP_CHECKSUM = 16
};

/* The incarnation whose ISN is near. */
uint8_t side_gen(const uint32_t *bases, uint8_t n, uint32_t number)
{
    for (uint8_t gen = n; gen-- > 0;) {
        int32_t distance = (int32_t)(number - bases[gen]);
        if (distance >= -BEFORE && distance <= BEHIND)
            return gen;
    }
    return GEN_NONE;
}

/* The incarnation of this ISN. */
uint8_t side_gen_of_isn(const uint32_t *bases, uint8_t n, uint32_t isn)
{
    for (uint8_t gen = n; gen-- > 0;)
        if (bases[gen] == isn)
            return gen;
    return GEN_NONE;
}

static void put_be32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static bool flatten(const struct hf_frame_out *frame, struct message *m)
{
    if (frame->len > FRAME_OCTETS)
        return false;
    uint32_t len = frame->header_len;
    memcpy(m->frame, frame->header, len);
    for (uint16_t i = 0; i < frame->n_slices; i++) {
        memcpy(m->frame + len, frame->slice[i].data, frame->slice[i].len);
        len += frame->slice[i].len;
    }
    m->len = (uint8_t)len;
    return true;
}

/* SEG.SEQ: a new incarnation with a SYN that has a new number. */
static void name_seq(struct doing *d, const struct hf_packet *p, struct message *m)
{
    struct side *s = d->s;
    struct ghost *g = &s->ghost;
    bool syn = (p->ctl & HF_SYN) != 0;
    m->seq_gen = syn ? side_gen_of_isn(s->iss, g->gens, p->seq) : side_gen(s->iss, g->gens, p->seq);
    if (m->seq_gen == GEN_NONE && syn && g->gens < GENS) {
        s->iss[g->gens] = p->seq;
        m->seq_gen = g->gens++;
    }
    if (m->seq_gen != GEN_NONE) {
        m->seq = (int8_t)(p->seq - s->iss[m->seq_gen]);
        m->apart = s->isn_step ? s->iss[m->seq_gen] - s->iss[0] : 0;
    } else if (p->seq < FORGED)
        m->seq = (int8_t)p->seq;
    else if (!d->forged)
        side_wrong(d->outcome, WRONG_STRANGE_NUMBER, "SEQ of what %s sends", side_names[d->side]);
}

static void name_ack(struct doing *d, const struct hf_packet *p, struct message *m)
{
    m->ack_gen = p->ctl & HF_ACK ? side_gen(d->s->irs, GENS, p->ack) : GEN_NONE;
    if (m->ack_gen != GEN_NONE)
        m->ack = (int8_t)(p->ack - d->s->irs[m->ack_gen]);
    else if ((p->ctl & HF_ACK) && p->ack < FORGED)
        m->ack = (int8_t)p->ack;
    else if ((p->ctl & HF_ACK) && !d->forged)
        side_wrong(d->outcome, WRONG_STRANGE_NUMBER, "ACK of what %s sends", side_names[d->side]);
}

/* What a receiver of it would look at is all that is left of the frame. */
static void make_plain(const struct hf_packet *p, struct message *m)
{
    uint8_t *ip = m->frame + p->ip_offset, *tcp = m->frame + p->header_offset;
    memset(ip + IP_ID, 0, 2);
    memset(ip + IP_CHECKSUM, 0, 2);
    put_be32(tcp + TCP_SEQ, 0);
    put_be32(tcp + TCP_ACK, 0);
    memset(tcp + TCP_CHECKSUM, 0, 2);
}

/* How far this connection's numbers have gone on the wire. */
static void note_progress(struct ghost *g, const struct hf_packet *p, const struct message *m)
{
    if (m->seq_gen == GEN_NONE || (p->ctl & HF_RST))
        return;
    struct own *own = &g->own[m->seq_gen];
    int end = m->seq + (int)p->len;
    own->nxt = end > own->nxt ? (uint8_t)end : own->nxt;
    if (m->ack_gen != GEN_NONE && m->ack > own->acked)
        own->acked = (uint8_t)m->ack;
}

static void take_frame(struct doing *d, const struct hf_frame_out *frame)
{
    struct outcome *o = d->outcome;
    struct message *m = &o->out[o->n];
    struct hf_packet p = {.struct_size = sizeof p};
    memset(m, 0, sizeof *m);
    if (o->n == OUT_MOST || !flatten(frame, m) ||
        hf_packet_decode(m->frame, m->len, HF_LINK_IP, &p) != HF_OK) {
        side_wrong(o, WRONG_TOO_MANY, "frames, or octets of one, at %s", side_names[d->side]);
        return;
    }
    m->from = (uint8_t)d->side;
    m->ctl = p.ctl;
    m->text = (uint8_t)p.text_bytes;
    if (!d->forged && p.wnd < LEAST_WINDOW && !(p.ctl & HF_RST))
        side_wrong(o, WRONG_WINDOW, "%u octets at %s", p.wnd, side_names[d->side]);
    name_seq(d, &p, m);
    name_ack(d, &p, m);
    make_plain(&p, m);
    note_progress(&d->s->ghost, &p, m);
    o->n++;
    d->bare += p.len == 0;
    d->counted += p.len != 0;
    if (d->resets && (p.ctl & HF_RST))
        side_wrong(o, WRONG_RST_ANSWERED, "by %s", side_names[d->side]);
}

uint32_t side_output(struct doing *d)
{
    struct hf_frame_out frames[4];
    uint32_t n = hf_output(side_stack(d->s), &d->env, frames, 4);
    for (uint32_t i = 0; i < n; i++)
        take_frame(d, &frames[i]);
    for (uint32_t i = 0; i < n; i++)
        hf_output_done(side_stack(d->s), &d->env, frames[i].token);
    /* An active open is known by its SYN. */
    struct hf_status status = {.struct_size = sizeof status};
    if (d->s->handle != 0 && d->s->ghost.current == 0 &&
        hf_status(side_stack(d->s), &d->env, d->s->handle, &status) == HF_OK) {
        uint8_t gen = side_gen_of_isn(d->s->iss, d->s->ghost.gens, status.iss);
        d->s->ghost.current = (uint8_t)(gen == GEN_NONE ? 0 : gen + 1);
    }
    return n;
}

static uint16_t ip_checksum(const uint8_t *ip, uint32_t octets)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < octets; i += 2)
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put_ip_checksum(uint8_t *frame)
{
    memset(frame + IP_CHECKSUM, 0, 2);
    uint16_t sum = ip_checksum(frame, (frame[0] & 15u) * 4);
    frame[IP_CHECKSUM] = (uint8_t)(sum >> 8);
    frame[IP_CHECKSUM + 1] = (uint8_t)sum;
}

void side_frame(const struct message *m, const uint32_t seq_isns[GENS],
                const uint32_t ack_isns[GENS], uint8_t frame[FRAME_OCTETS])
{
    memcpy(frame, m->frame, m->len);
    uint32_t header = (frame[0] & 15u) * 4;
    uint32_t seq = (m->seq_gen != GEN_NONE ? seq_isns[m->seq_gen] : 0) + (uint32_t)m->seq;
    uint32_t ack = (m->ack_gen != GEN_NONE ? ack_isns[m->ack_gen] : 0) + (uint32_t)m->ack;
    put_be32(frame + header + TCP_SEQ, seq);
    put_be32(frame + header + TCP_ACK, ack);
    put_ip_checksum(frame);
}

/* Where ISNs are close, what came tells where they are. */
static void hear(struct side *s, const struct message *m)
{
    if (!s->isn_step || m->seq_gen == GEN_NONE)
        return;
    s->irs[m->seq_gen] = s->irs[0] + m->apart;
    s->heard |= (uint16_t)(1u << m->seq_gen);
}

/* The TCP checksum was the sender's; corruption is not explored. */
void side_deliver(struct doing *d, const struct message *m)
{
    uint8_t frame[FRAME_OCTETS];
    hear(d->s, m);
    if (d->forged)
        memcpy(frame, m->frame, FRAME_OCTETS);
    else
        side_frame(m, d->s->irs, d->s->iss, frame);
    put_ip_checksum(frame);
    struct hf_frame_in in = {.data = frame, .len = m->len, .iface = 1, .flags = HF_FRAME_CSUM_OK};
    d->resets = (m->ctl & HF_RST) != 0;
    hf_input(side_stack(d->s), &d->env, &in, 1);
}
