/* packet.c - packets of no connection (ARP, ND, ICMP, UDP), and a segment whose way is not known
 * yet: queued until hf_output takes them, or until a neighbour has told its link address.
 */
#include "stack/stack.h"

enum { WAITING_MOST = 3 }; /* RFC1122-14: the latest for one neighbour are kept */

static struct links packet_links(const struct stack *st)
{
    return pool_links(&st->s->packets, st->s, offsetof(struct stack_packet, next));
}

/* A quarter is for ARP and ND, without which nothing else goes. */
static bool is_reserved(const struct pool *packets)
{
    return packets->max - packets->used <= packets->max / 4;
}

void stack_packet_free(struct stack *st, uint32_t idx)
{
    tcp_chunk_free_chain(&st->tcp, stack_packet_at(st, idx)->head);
    pool_free(&st->s->packets, st->s, idx);
    if (!is_reserved(&st->s->packets)) {
        stack_udp_writable(st);
    }
}

/* What waits for a neighbour gives way to whatever else needs a packet. */
static void drop_oldest_waiting(struct stack *st)
{
    struct links links = packet_links(st);
    uint32_t idx = ififo_pop(&st->s->packet_waiting, &links);
    if (idx != 0) {
        st->s->packets_dropped++;
        stack_packet_free(st, idx);
    }
}

uint32_t stack_packet_new(struct stack *st, bool reserve)
{
    struct pool *packets = &st->s->packets;
    if (reserve && is_reserved(packets)) {
        drop_oldest_waiting(st);
        if (is_reserved(packets)) {
            return 0;
        }
    }
    uint32_t idx = pool_alloc(packets, st->s);
    if (idx != 0) {
        memset(stack_packet_at(st, idx), 0, sizeof(struct stack_packet));
        stack_packet_at(st, idx)->ttl = block_of(st)->policy.ttl;
    }
    return idx;
}

void stack_packet_send(struct stack *st, uint32_t idx)
{
    struct links links = packet_links(st);
    stack_packet_at(st, idx)->at_ms = st->tcp.now_ms;
    ififo_push(&st->s->packet_queue, &links, idx);
}

/* Takes every packet out of the list that waits for this neighbour, and says what becomes of it:
 * queued again, or dropped - all, or the oldest one only. */
enum fate { RESUME, DROP_ALL, DROP_OLDEST };

static void sort_waiting(struct stack *st, uint32_t neighbour, enum fate fate)
{
    struct links links = packet_links(st);
    struct ififo old = st->s->packet_waiting;
    st->s->packet_waiting = (struct ififo){0, 0};
    uint32_t idx;
    bool taken = false;
    while ((idx = ififo_pop(&old, &links)) != 0) {
        struct stack_packet *packet = stack_packet_at(st, idx);
        if (packet->neighbour != neighbour || (taken && fate == DROP_OLDEST)) {
            ififo_push(&st->s->packet_waiting, &links, idx);
            continue;
        }
        taken = true;
        if (fate == RESUME) {
            packet->neighbour = 0;
            ififo_push(&st->s->packet_queue, &links, idx);
        } else {
            st->s->packets_dropped++;
            if (fate == DROP_ALL) {
                stack_udp_unreachable(st, packet);
            }
            stack_packet_free(st, idx);
        }
    }
}

void stack_packets_resume(struct stack *st, uint32_t neighbour)
{
    sort_waiting(st, neighbour, RESUME);
}

void stack_packets_drop(struct stack *st, uint32_t neighbour)
{
    sort_waiting(st, neighbour, DROP_ALL);
}

/* Half of the packets may wait; less, where datagrams are unread: what is to be sent has an eighth
 * left, and ARP and ND their quarter. */
static uint32_t waiting_most(const struct stack *st)
{
    uint32_t max = st->s->packets.max, both = max - max / 4 - max / 8;
    return max_u32(min_u32(max / 2, both - min_u32(both, st->s->udp_unread)), 1);
}

void stack_packet_wait(struct stack *st, uint32_t idx, uint32_t neighbour)
{
    struct links links = packet_links(st);
    uint32_t waiting = 0, all = 0;
    for (uint32_t at = st->s->packet_waiting.head; at != 0; at = stack_packet_at(st, at)->next) {
        waiting += stack_packet_at(st, at)->neighbour == neighbour;
        all++;
    }
    if (waiting >= WAITING_MOST) {
        sort_waiting(st, neighbour, DROP_OLDEST);
        all--;
    }
    for (uint32_t most = waiting_most(st); all >= most; all--) {
        drop_oldest_waiting(st);
    }
    stack_packet_at(st, idx)->neighbour = neighbour;
    ififo_push(&st->s->packet_waiting, &links, idx);
}

uint32_t stack_packet_pop(struct stack *st)
{
    struct links links = packet_links(st);
    return ififo_pop(&st->s->packet_queue, &links);
}
