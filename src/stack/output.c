/* output.c - hf_output: what is owed becomes frames; timers and deadlines of the whole stack.
 *
 * First the packets that wait in the queue, then answers without a record, then the connections
 * that owe something, one frame each in turn.  What is for an address of our own makes no frame:
 * it goes straight back to input, text and all, where the chunks lie.
 */
#include "stack/frame.h"
#include "tcp/stats.h"

enum { LOOP_TURNS = 256, IP_MOST = 65535, TCP_HEADERS4 = 20 + 60, TCP_HEADERS6 = 60 };

/* Text that a frame to this interface may carry; 0: one segment. */
static uint32_t gso_bytes(const struct stack *st, const struct stack_path *path, bool v4)
{
    uint32_t offload = stack_interface_at(st, path->iface)->offload;
    if (path->own || !(offload & (v4 ? HF_OFFLOAD_TSO4 : HF_OFFLOAD_TSO6))) {
        return 0;
    }
    return IP_MOST - (v4 ? TCP_HEADERS4 : TCP_HEADERS6);
}

/* Segments that one connection may send at once, if they differ in little: each is a frame.  One,
 * where others are waiting for their turn. */
static uint32_t parts(const struct output *o, const struct stack_path *path)
{
    const struct tcp_block *b = block_of(o->st);
    if (path->own || b->owes.head != b->owes.tail || !tcp_predicts(&o->st->tcp)) {
        return 1;
    }
    uint64_t tokens = b->max_tokens - (b->next_token - b->done_token) + (o->token != 0);
    return (uint32_t)min_u64(o->room - o->n, tokens);
}

/* A segment to ourselves: header and options as a peer would read them; the text slice by slice,
 * each as a segment of its own.  The token held keeps freed chunks from being used again. */
static void loop_segment(struct stack *st, const struct stack_path *path, const struct tcp_out *out)
{
    uint8_t header[WIRE_MAX_TCP];
    struct segment whole;
    size_t len = wire_put_tcp(header, &out->seg);
    if (wire_parse_tcp(header, len, &whole) != WIRE_OK) {
        return;
    }
    uint32_t done = 0;
    uint32_t i = 0;
    do {
        struct segment part = whole;
        part.ecn = out->tos & 3;
        part.seq = seq_add(whole.seq, done);
        part.text = i < out->n_slices ? out->slice[i].data : NULL;
        part.text_len = i < out->n_slices ? out->slice[i].len : 0;
        bool urgent = (whole.ctl & URG) && whole.up > done;
        part.up = urgent ? (uint16_t)(whole.up - done) : 0;
        part.ctl &= (uint16_t)(urgent ? ~0 : ~URG);
        done += part.text_len;
        i++;
        if (i < out->n_slices) {
            part.ctl &= (uint16_t) ~(FIN | PSH);
        }
        part.len = part.text_len + (part.ctl & SYN ? 1 : 0) + (part.ctl & FIN ? 1 : 0);
        stack_segment(st, out->id.remote, out->id.local, (uint8_t)path->iface, &part);
    } while (i < out->n_slices);
}

static void emit_segment(struct output *o, const struct stack_path *path, const uint8_t mac[6],
                         const struct tcp_out *out)
{
    if (path->own) {
        o->turns--;
        loop_segment(o->st, path, out);
    } else if (out->cut) {
        frame_parts(o, path, mac, out);
    } else {
        frame_segment(o, path, mac, out);
    }
}

/* The way there, and the link address: as stack_resolve, or HF_ERR_NET_UNREACHABLE. */
static int find_way(struct output *o, const uint8_t local[16], const uint8_t remote[16],
                    uint8_t zone, struct stack_path *path, uint8_t mac[6], bool answer)
{
    int error = stack_find_hop(o->st, remote, zone, path);
    if (error != HF_OK || path->own) {
        return error;
    }
    if (stack_is_loopback(local) || memcmp(local, remote, 16) == 0) {
        return HF_ERR_NET_UNREACHABLE; /* RFC1122-4: remote was our own address before */
    }
    return stack_resolve(o->st, path, mac, answer);
}

static void drop_packet(struct stack *st, uint32_t idx)
{
    st->s->packets_dropped++;
    stack_packet_free(st, idx);
}

/* Where the oldest packet goes: as find_way. */
static int packet_way(struct output *o, const struct stack_packet *packet, struct stack_path *path,
                      uint8_t mac[6])
{
    bool answer = packet->proto != WIRE_PROTO_UDP;
    if (!packet->mac_known && !packet->on_link) {
        return find_way(o, packet->local, packet->remote, packet->iface, path, mac, answer);
    }
    *path = (struct stack_path){.iface = packet->iface};
    path->mtu = stack_interface_at(o->st, packet->iface)->mtu;
    if (packet->on_link) {
        memcpy(path->next, packet->remote, 16);
        return stack_resolve(o->st, path, mac, answer);
    }
    memcpy(mac, packet->dst_mac, 6);
    return NEIGHBOUR_KNOWN;
}

/* The oldest packet goes, as far as there is room; false: there is none. */
HF_APART static bool send_packet(struct output *o)
{
    struct stack *st = o->st;
    uint32_t idx = st->s->packet_queue.head;
    if (idx == 0) {
        return false;
    }
    struct stack_packet *packet = stack_packet_at(st, idx);
    struct stack_path path;
    uint8_t mac[6];
    int way = packet_way(o, packet, &path, mac);
    if (way == NEIGHBOUR_KNOWN && !path.own) {
        while (o->n < o->room && o->token != 0) {
            bool whole = frame_packet(o, &path, mac, packet);
            if (whole) {
                stack_packet_free(st, stack_packet_pop(st));
                break;
            }
            o->token = tcp_take_token(&st->tcp);
        }
        return true;
    }
    stack_packet_pop(st);
    if (way > 0) {
        stack_packet_wait(st, idx, (uint32_t)way);
    } else if (way == NEIGHBOUR_KNOWN && packet->proto == WIRE_PROTO_UDP) {
        o->turns--;
        stack_udp_loop(st, idx);
    } else {
        stack_udp_unreachable(st, packet);
        drop_packet(st, idx);
    }
    return true;
}

/* A segment without a record whose neighbour is not known yet waits as a packet. */
HF_RARELY static void keep_reply(struct stack *st, const struct tcp_out *out, uint32_t neighbour)
{
    uint32_t idx = stack_packet_new(st, true);
    if (idx == 0) {
        st->s->packets_dropped++;
        return;
    }
    struct stack_packet *packet = stack_packet_at(st, idx);
    uint8_t header[WIRE_MAX_TCP];
    size_t len = wire_put_tcp(header, &out->seg);
    struct wire_ip ip = {.version = out->id.v4 ? 4 : 6};
    memcpy(ip.src, out->id.local, 16);
    memcpy(ip.dst, out->id.remote, 16);
    wire_set_tcp_checksum(header, len, &ip, 0, 0);
    memcpy(packet->local, out->id.local, 16);
    memcpy(packet->remote, out->id.remote, 16);
    packet->proto = WIRE_PROTO_TCP;
    packet->iface = out->id.zone;
    packet->ttl = out->ttl;
    packet->tos = out->tos;
    packet->len = (uint32_t)tcp_chunk_append(&st->tcp, &packet->head, &packet->tail, header, len,
                                             CHUNK_TO_KEEP);
    if (packet->len < len) {
        drop_packet(st, idx);
    } else {
        stack_packet_wait(st, idx, neighbour);
    }
}

/* The oldest answer without a record; false: there is none. */
static bool send_reply(struct output *o)
{
    struct stack *st = o->st;
    const struct tcp_reply *reply = tcp_peek_reply(&st->tcp);
    if (reply == NULL) {
        return false;
    }
    struct stack_path path;
    struct tcp_out out;
    uint8_t mac[6];
    int way = find_way(o, reply->local, reply->remote, reply->zone, &path, mac, true);
    if (way < 0) {
        tcp_drop_reply(&st->tcp);
        return true;
    }
    st->tcp.iface = (uint8_t)path.iface;
    if (tcp_next_reply(&st->tcp, path.mtu, &out)) {
        if (way == NEIGHBOUR_KNOWN) {
            emit_segment(o, &path, mac, &out);
        } else {
            keep_reply(st, &out, (uint32_t)way);
        }
    }
    return true;
}

static struct links owes_links(const struct stack *st)
{
    return pool_links(&block_of(st)->tcbs, st->s, offsetof(struct tcb, owes_link));
}

static void block(struct stack *st, struct tcb *tcb, uint32_t idx)
{
    struct links links = owes_links(st);
    idlist_remove(&block_of(st)->owes, &links, idx);
    idlist_push_tail(&block_of(st)->blocked, &links, idx);
    tcb->flags |= F_BLOCKED;
    tcp_has_no_way(&st->tcp, tcb);
}

void stack_unblock(struct stack *st)
{
    struct links links = owes_links(st);
    uint32_t idx;
    while ((idx = idlist_pop_head(&block_of(st)->blocked, &links)) != 0) {
        tcb_at(&st->tcp, idx)->flags &= ~(uint32_t)F_BLOCKED;
        idlist_push_tail(&block_of(st)->owes, &links, idx);
    }
}

/* RFC 9293 3.8.3 (a), RFC 4861 7.3.1: R1 was reached, so the next hop is asked whether it is there.
 */
static void advise(struct stack *st, struct tcb *tcb, const struct stack_path *path)
{
    if (tcb->modes & M_DOUBT) {
        tcb->modes &= ~(uint32_t)M_DOUBT;
        uint32_t n = st->s->max_neighbours ? stack_find_neighbour(st, path->next, path->iface) : 0;
        if (n != 0) {
            uint8_t mac[6];
            stack_neighbour_doubt(st, n);
            (void)stack_resolve(st, path, mac, false); /* asks */
        }
    }
}

/* The next connection that owes something sends one frame; false: none owes.  MUST-45: by whatever
 * way, from the connection's address */
static bool send_owed(struct output *o)
{
    struct stack *st = o->st;
    struct tcp_block *b = block_of(st);
    uint32_t idx = idlist_head(&b->owes);
    if (idx == 0) {
        return false;
    }
    struct tcb *tcb = tcb_at(&st->tcp, idx);
    struct stack_path path;
    struct tcp_out out;
    uint8_t mac[6];
    tcp_id(&st->tcp, tcb, &out.id);
    int way = find_way(o, out.id.local, out.id.remote, out.id.zone, &path, mac, false);
    if (way != NEIGHBOUR_KNOWN) {
        bool none = way < 0 && way != NEIGHBOUR_FULL;
        block(st, tcb, idx);
        tcp_trace_wait(&st->tcp, tcb, none ? HF_CAUSE_NO_ROUTE : HF_CAUSE_LINK_ADDRESS);
        if (none) {
            stack_connection_unreachable(st, tcb);
        }
        return true;
    }
    advise(st, tcb, &path);
    st->tcp.iface = (uint8_t)path.iface;
    st->tcp.parts = parts(o, &path);
    tcp_link_mtu(&st->tcp, tcb, path.mtu);
    if (!tcp_output(&st->tcp, tcb, gso_bytes(st, &path, out.id.v4), &out)) {
        return true;
    }
    if (b->owes.head == idx && b->owes.tail != idx) {
        struct links links = owes_links(st);
        idlist_remove(&b->owes, &links, idx);
        idlist_push_tail(&b->owes, &links, idx);
    }
    emit_segment(o, &path, mac, &out);
    return true;
}

static bool nothing_owed(const struct hf_stack *s)
{
    return (s->packet_queue.head | s->tcp.reply_n | s->tcp.owes.head) == 0;
}

HF_APART static uint32_t send_all(struct hf_stack *stack, const struct hf_env *env,
                                  struct hf_frame_out *frames, uint32_t n)
{
    struct stack st;
    if (stack_enter(&st, stack, env) != HF_OK) {
        return 0;
    }
    struct output o = {.st = &st, .frames = frames, .room = n, .turns = LOOP_TURNS + n};
    do {
        if (o.token == 0) {
            o.token = tcp_take_token(&st.tcp);
        }
        if (o.token == 0) {
            break;
        }
        (void)(send_packet(&o) || send_reply(&o) || send_owed(&o));
    } while (o.n < n && o.turns > 0 && !nothing_owed(stack));
    if (o.token != 0) {
        tcp_token_done(&st.tcp, o.token);
    }
    stack_leave(&st);
    return o.n;
}

uint32_t hf_output(struct hf_stack *stack, const struct hf_env *env, struct hf_frame_out *frames,
                   uint32_t n)
{
    bool none = frames == NULL || n == 0 || stack == NULL || nothing_owed(stack);
    return none ? 0 : send_all(stack, env, frames, n);
}

bool stack_timeouts(struct stack *st)
{
    bool more = tcp_timeouts(&st->tcp);
    if (ms_due(st->s->neighbour_at_ms, st->tcp.now_ms)) {
        stack_neighbour_timeouts(st);
    }
    if (ms_due(st->s->fragment_at_ms, st->tcp.now_ms)) {
        stack_fragment_timeouts(st);
    }
    return more;
}

void hf_timeouts(struct hf_stack *stack, const struct hf_env *env)
{
    struct stack st;
    if (stack_enter(&st, stack, env) == HF_OK) {
        stack_timeouts(&st);
        stack_leave(&st);
    }
}

static void sooner(const struct stack *st, uint32_t at_ms, int32_t *in_ms)
{
    int32_t in = (int32_t)(at_ms - st->tcp.now_ms);
    if (in < *in_ms) {
        *in_ms = in;
    }
}

int64_t hf_deadline(const struct hf_stack *stack, const struct hf_env *env)
{
    struct stack st;
    stack_look(&st, stack, env);
    const struct tcp_block *b = &stack->tcp;
    if (env->now_ns - stack->now_ns > STACK_LEAP_NS) {
        return env->now_ns; /* whatever was due */
    }
    int64_t now_ns = env->now_ns > stack->now_ns ? env->now_ns : stack->now_ns;
    if (!nothing_owed(stack) && b->next_token - b->done_token < b->max_tokens) {
        return env->now_ns;
    }
    int32_t in_ms = INT32_MAX;
    uint32_t at_ms;
    if (tcp_next_timeout(&st.tcp, &at_ms)) {
        sooner(&st, at_ms, &in_ms);
    }
    if (stack->neighbour_at_ms != 0) {
        sooner(&st, stack->neighbour_at_ms, &in_ms);
    }
    if (stack->fragment_at_ms != 0) {
        sooner(&st, stack->fragment_at_ms, &in_ms);
    }
    if (in_ms == INT32_MAX) {
        return INT64_MAX;
    }
    /* A millisecond begins where the clock's does. */
    int64_t part_ns = ((now_ns % 1000000) + 1000000) % 1000000;
    return in_ms <= 0 ? env->now_ns : now_ns - part_ns + (int64_t)in_ms * 1000000;
}
