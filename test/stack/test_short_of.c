/* test_short_of.c - what the stack says when it is short of something, or asked for what cannot be:
 * packets to answer with (RFC 1122 3.2.2, RFC 4443 2.4), regions, room for a snapshot; and that
 * hf_canonical tells a stack that holds part of a datagram from one that does not.
 */
#include "common/packets.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { SENT = 40, LARGE = 40000 };

static uint32_t answers(struct peer *p)
{
    uint32_t n = 0;
    struct seen *seen;
    while ((seen = peer_take(p, icmp_proto(p))) != NULL) {
        n++;
        peer_taken(p, seen);
    }
    return n;
}

TEST(echo_requests_that_there_is_no_packet_to_answer_with_are_dropped_and_counted)
{
    static uint8_t payload[200];
    p->config.max_packets = 8;
    starts();
    uint32_t len = make_icmp(p, payload, p->v6 ? ICMP6_ECHO : ICMP4_ECHO, 0, data, 10);
    batch_begins();
    for (int i = 0; i < SENT; i++)
        peer_ip(p, icmp_proto(p), payload, len);
    batch_ends();
    uint32_t n = answers(p);
    holds_equal(n, 6); /* two are for ARP and ND */
    holds_equal(verdicts(p, HF_V_ECHO_ANSWERED), n);
    holds_equal(verdicts(p, HF_V_DROP_NO_MEMORY), SENT - n);
    holds_equal(counters_of(p).packets_dropped, SENT - n);
    peer_ip(p, icmp_proto(p), payload, len);
    expects_echo(p, payload, len);
}

TEST(errors_that_there_is_no_packet_for_are_left_out)
{
    static uint8_t payload[200];
    p->config.max_packets = 4;
    starts();
    uint32_t len = make_datagram(p, payload, 20);
    batch_begins();
    for (int i = 0; i < SENT; i++)
        peer_ip(p, WIRE_PROTO_UDP, payload, len);
    batch_ends();
    uint32_t n = answers(p);
    holds(n > 0 && n <= 4);
    holds(counters_of(p).packets_dropped > 0);
    nothing_is_held(p);
}

static void sends_in_fragments(struct peer *p, const uint8_t *payload, uint32_t len, uint32_t most)
{
    for (uint32_t from = 0; from < len && from < most; from += 1448)
        sends_fragment(p, WIRE_PROTO_UDP, payload, from, min_u32(from + 1448, len),
                       from + 1448 < len);
}

/* RFC1122-8, RFC4443-2: the header is written anew, the text is what has been put together. */
TEST(port_unreachable_quotes_the_beginning_of_a_datagram_that_came_in_many_parts)
{
    static uint8_t payload[ROOM];
    starts();
    uint32_t len = make_datagram(p, payload, LARGE);
    sends_in_fragments(p, payload, len, len);
    struct seen *seen = peer_take(p, icmp_proto(p));
    if (seen == NULL)
        peer_fail(p, "nobody is told");
    const uint8_t *icmp = seen->bytes + seen->ip.header_len;
    uint32_t header = p->v6 ? 40 : 20;
    holds_equal(icmp[0], p->v6 ? 1 : 3);
    holds_equal(icmp[1], p->v6 ? 4 : 3);
    holds(seen->ip.total_len <= (p->v6 ? 1280 : 576));
    uint32_t quoted = seen->ip.total_len - seen->ip.header_len - 8 - header;
    holds(quoted >= 8);
    holds_equal(icmp[8 + (p->v6 ? 6 : 9)], WIRE_PROTO_UDP);
    holds(memcmp(icmp + 8 + header, payload, quoted) == 0);
    peer_taken(p, seen);
    nothing_is_held(p);
}

TEST(part_of_a_datagram_is_part_of_the_state)
{
    static uint8_t payload[ROOM];
    socket_on(p, HERE);
    uint32_t len = make_datagram(p, payload, 3000);
    uint64_t bytes;
    uint8_t *before = state_of(p, &bytes);
    sends_in_fragments(p, payload, len, 1000);
    holds(!state_is(p, before, bytes));
    before = state_of(p, &bytes);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 1448, 2896, true);
    holds(!state_is(p, before, bytes));
}

TEST(sockets_are_the_same_state_in_whichever_order_they_were_opened)
{
    hf_handle one = socket_on(p, HERE), two = socket_on(p, HERE + 1),
              three = socket_on(p, HERE + 2);
    uint64_t bytes;
    struct hf_event event;
    while (hf_events(p->stack, &p->env, &event, 1) == 1) {
    }
    uint8_t *before = state_of(p, &bytes);
    calls(hf_release(p->stack, &p->env, one));
    calls(hf_release(p->stack, &p->env, two));
    calls(hf_release(p->stack, &p->env, three));
    socket_on(p, HERE + 2);
    socket_on(p, HERE);
    socket_on(p, HERE + 1);
    while (hf_events(p->stack, &p->env, &event, 1) == 1) {
    }
    holds(state_is(p, before, bytes));
}

TEST(a_region_that_cannot_be_is_refused)
{
    starts();
    uint32_t beyond = p->config.max_regions + 1;
    refuses(HF_ERR_INVALID, hf_region_add(p->stack, &p->env, 0));
    refuses(HF_ERR_INVALID, hf_region_add(p->stack, &p->env, beyond));
    refuses(HF_ERR_INVALID, hf_region_remove(p->stack, &p->env, 0));
    refuses(HF_ERR_INVALID, hf_region_remove(p->stack, &p->env, beyond));
    refuses(HF_ERR_INVALID, hf_output_done(p->stack, &p->env, 12345));
}

TEST(a_snapshot_needs_its_room_and_a_block_that_can_be_one)
{
    starts();
    uint64_t bytes = hf_snapshot_bytes(p->stack);
    uint8_t *snapshot = malloc(bytes);
    uint8_t *block = aligned_alloc(64, (p->bytes + 63) / 64 * 64 + 64);
    holds_equal(hf_snapshot(p->stack, snapshot, bytes - 1), HF_ERR_TOO_LARGE);
    holds_equal(hf_snapshot(p->stack, snapshot, bytes), bytes);
    struct hf_stack *target = (struct hf_stack *)(void *)block;
    holds_equal(hf_restore(NULL, p->bytes, snapshot, bytes), HF_ERR_INVALID);
    holds_equal(hf_restore(target, p->bytes, NULL, bytes), HF_ERR_INVALID);
    holds_equal(hf_restore((struct hf_stack *)(void *)(block + 8), p->bytes, snapshot, bytes),
                HF_ERR_INVALID);
    holds_equal(hf_restore(target, p->bytes, snapshot, 31), HF_ERR_MISMATCH);
    holds_equal(hf_restore(target, p->bytes - 1, snapshot, bytes), HF_ERR_TOO_LARGE);
    holds_equal(hf_restore(target, p->bytes, snapshot, bytes), HF_OK);
    holds_equal(hf_attach(target, p->bytes), HF_OK);
    free(block);
    free(snapshot);
}

/* hf_counters: one that is given up holds its record still, and is one. */
TEST(a_datagram_that_was_given_up_counts_once)
{
    starts();
    sends_fragment(p, WIRE_PROTO_UDP, data, 0, 800, true);
    sends_fragment(p, WIRE_PROTO_UDP, data, 792, 1600, true);
    holds_equal(counters_of(p).reassembly, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_datagram_that_was_given_up_counts_once),
        ON_BOTH(echo_requests_that_there_is_no_packet_to_answer_with_are_dropped_and_counted),
        ON_BOTH(errors_that_there_is_no_packet_for_are_left_out),
        ON_BOTH(port_unreachable_quotes_the_beginning_of_a_datagram_that_came_in_many_parts),
        ON_BOTH(part_of_a_datagram_is_part_of_the_state),
        ON_BOTH(sockets_are_the_same_state_in_whichever_order_they_were_opened),
        ON_BOTH(a_region_that_cannot_be_is_refused),
        ON_BOTH(a_snapshot_needs_its_room_and_a_block_that_can_be_one),
    };
    return cmocka_run_group_tests_name("short of", tests, NULL, NULL);
}
