/* Memory that is lent both ways: borrowed send regions, lent input frames, slices of the receive
 * queue, frames of hf_output until hf_output_done; and offload (super-segments). */
#include "common/peer.h"

#include <stdlib.h>
#include <string.h>

enum { REGION = 100000 };

static struct hf_region region;

static void with_region(struct peer *p)
{
    if (!region.base)
        region.base = malloc(REGION);
    region.bytes = REGION;
    for (uint32_t i = 0; i < REGION; i++)
        region.base[i] = peer_octet(true, i);
    p->regions = &region;
    p->n_regions = 1;
}

static uint64_t returned(struct peer *p)
{
    uint64_t token = 0;
    return hf_returned(p->stack, &p->env, &token, 1) == 1 ? token : 0;
}

TEST(borrowed_octets_are_sent_from_where_they_lie_and_returned_once_acknowledged)
{
    with_region(p);
    establish_active();
    refuses(3000, hf_send_borrowed(p->stack, &p->env, p->c->handle, 1, 0, 3000, 77, 0));
    expects(ACK, .seq = ISS + 1, .len = 1460);
    expects(ACK, .seq = ISS + 1461, .len = 1460);
    expects(ACK, .seq = ISS + 2921, .len = 80);
    sends(ACK, .ack = ISS + 2921);
    expects_no_event(HF_SENT);
    holds_equal(returned(p), 0);
    sends(ACK, .ack = ISS + 3001);
    expects_event(HF_SENT);
    holds_equal(returned(p), 77);
    holds_equal(returned(p), 0);
}

TEST(borrowed_and_copied_octets_may_follow_each_other)
{
    with_region(p);
    establish_active();
    writes(100);
    refuses(500, hf_send_borrowed(p->stack, &p->env, p->c->handle, 1, 100, 500, 1, 0));
    p->c->sent = 600;
    writes(100);
    refuses(300, hf_send_borrowed(p->stack, &p->env, p->c->handle, 1, 700, 300, 2, 0));
    p->c->sent = 1000;
    expects(ACK, .len = 100);
    sends(ACK);
    expects(ACK, .seq = ISS + 101, .len = 900);
    expects_after(150, 320, ACK, .seq = ISS + 101, .len = 900); /* repeated from there, too */
    sends(ACK);
    holds_equal(returned(p), 1);
    holds_equal(returned(p), 2);
}

TEST(borrowed_octets_come_back_when_the_connection_ends)
{
    with_region(p);
    establish_active();
    refuses(500, hf_send_borrowed(p->stack, &p->env, p->c->handle, 1, 0, 500, 9, 0));
    expects(ACK, .len = 500);
    sends(RST, .seq = IRS + 1);
    holds_equal(returned(p), 9);
    calls(hf_region_remove(p->stack, &p->env, 1));
}

TEST(borrowing_is_all_or_nothing_and_only_from_what_is_registered)
{
    with_region(p);
    establish_active();
    hf_handle h = p->c->handle;
    refuses(HF_ERR_INVALID, hf_send_borrowed(p->stack, &p->env, h, 2, 0, 10, 1, 0));
    refuses(HF_ERR_INVALID, hf_send_borrowed(p->stack, &p->env, h, 0, 0, 10, 1, 0));
    refuses(HF_ERR_INVALID, hf_send_borrowed(p->stack, &p->env, h, 1, REGION - 5, 10, 1, 0));
    refuses(HF_ERR_INVALID, hf_send_borrowed(p->stack, &p->env, h, 1, UINT64_MAX - 5, 10, 1, 0));
    refuses(HF_ERR_INVALID, hf_send_borrowed(p->stack, &p->env, h, 1, 0, 0, 1, 0));
    sets(HF_SEND_BUFFER, 1000);
    refuses(900, hf_send_borrowed(p->stack, &p->env, h, 1, 0, 900, 1, 0));
    refuses(HF_ERR_WOULD_BLOCK, hf_send_borrowed(p->stack, &p->env, h, 1, 900, 200, 2, 0));
    refuses(HF_ERR_EXISTS, hf_region_remove(p->stack, &p->env, 1));
    expects(ACK, .len = 900);
    sends(ACK);
    expects_event(HF_WRITABLE | HF_SENT);
    holds_equal(returned(p), 1);
    calls(hf_region_remove(p->stack, &p->env, 1));
    refuses(HF_ERR_INVALID, hf_send_borrowed(p->stack, &p->env, h, 1, 0, 10, 1, 0));
}

/* RFC 9293 3.4: numbers are compared as long as they lie less than 2^31 apart. */
TEST(no_more_is_borrowed_at_once_than_sequence_numbers_tell_apart)
{
    with_region(p);
    region.bytes = UINT64_C(3) << 30; /* of which no more is looked at than is sent */
    establish_active();
    hf_handle h = p->c->handle;
    refuses(HF_ERR_TOO_LARGE, hf_send_borrowed(p->stack, &p->env, h, 1, 0, 0x90000000, 1, 0));
    refuses(HF_ERR_TOO_LARGE, hf_send_borrowed(p->stack, &p->env, h, 1, 0, (1 << 30) + 1, 1, 0));
    refuses(1 << 30, hf_send_borrowed(p->stack, &p->env, h, 1, 0, 1 << 30, 1, 0));
    for (int i = 0; i < 10; i++) {
        expects(ACK, .seq = ISS + 1 + 1460 * i, .len = 1460);
    }
    expects_after(150, 1100, ACK, .seq = ISS + 1, .len = 1460);
    expects_silence();
    aborts();
    expects(RST | ACK);
    holds_equal(returned(p), 1);
}

TEST(borrowed_octets_are_kept_until_the_frame_that_shows_them_is_done)
{
    with_region(p);
    establish_active();
    p->hold_done = true;
    refuses(500, hf_send_borrowed(p->stack, &p->env, p->c->handle, 1, 0, 500, 5, 0));
    expects(ACK, .len = 500);
    sends(ACK); /* acknowledged, but the device has not let go of the frame */
    holds_equal(returned(p), 0);
    for (uint32_t i = 0; i < p->n_tokens; i++)
        calls(hf_output_done(p->stack, &p->env, p->tokens[i]));
    holds_equal(returned(p), 5);
}

TEST(slices_of_a_frame_stay_valid_until_it_is_done_whatever_happens)
{
    struct hf_frame_out out[8];
    establish_active();
    uint8_t text[3000];
    for (uint32_t i = 0; i < sizeof text; i++)
        text[i] = peer_octet(true, i);
    hf_send(p->stack, &p->env, p->c->handle, text, sizeof text, 0);
    uint32_t n = hf_output(p->stack, &p->env, out, 8);
    holds_equal(n, 3);
    p->c->acks = p->c->iss + 3001;
    p->hold_done = true;
    sends(ACK);                    /* the send queue is free now */
    for (int i = 0; i < 20; i++) { /* others would write over it */
        p->c->sent = 3000 + 1000u * (unsigned)i;
        writes(1000);
        peer_forget(p);
        p->c->acks += 1000;
        sends(ACK);
    }
    uint32_t at = 0;
    for (uint32_t f = 0; f < n; f++)
        for (uint32_t s = 0; s < out[f].n_slices; s++)
            for (uint32_t i = 0; i < out[f].slice[s].len; i++)
                holds_equal(out[f].slice[s].data[i], text[at++]);
    holds_equal(at, 3000);
    for (uint32_t f = n; f > 0; f--) /* any order */
        calls(hf_output_done(p->stack, &p->env, out[f - 1].token));
    for (uint32_t i = 0; i < p->n_tokens; i++)
        calls(hf_output_done(p->stack, &p->env, p->tokens[i]));
}

TEST(a_token_is_taken_once_and_an_unknown_one_never)
{
    establish_active();
    p->hold_done = true;
    writes(10);
    expects(ACK, .len = 10);
    holds_equal(p->n_tokens, 1);
    calls(hf_output_done(p->stack, &p->env, p->tokens[0]));
    refuses(HF_ERR_INVALID, hf_output_done(p->stack, &p->env, p->tokens[0]));
    refuses(HF_ERR_INVALID, hf_output_done(p->stack, &p->env, p->tokens[0] + 1000));
    refuses(HF_ERR_INVALID, hf_output_done(p->stack, &p->env, 0));
}

TEST(with_all_tokens_out_nothing_leaves_until_one_is_done)
{
    p->config.max_tokens = 64;
    p->with.mss = 300;
    p->config.policy.initial_cwnd = 200;
    establish_active();
    p->hold_done = true;
    writes(300 * 100);
    for (int i = 0; i < 64; i++)
        expects(ACK, .seq = ISS + 1 + 300 * i, .len = 300);
    expects_silence();
    calls(hf_output_done(p->stack, &p->env, p->tokens[0]));
    expects(ACK, .seq = ISS + 1 + 300 * 64, .len = 300);
    expects_silence();
    for (int i = 1; i < 64; i++)
        calls(hf_output_done(p->stack, &p->env, p->tokens[i]));
    for (int i = 65; i < 100; i++)
        expects(ACK, .seq = ISS + 1 + 300 * i, .len = 300);
}

TEST(received_octets_can_be_looked_at_where_they_lie)
{
    struct hf_slice slices[16];
    establish_active();
    refuses(HF_ERR_WOULD_BLOCK, hf_recv_slices(p->stack, &p->env, p->c->handle, slices, 16));
    sends(ACK, .len = 1000);
    sends(ACK, .len = 1000);
    peer_forget(p);
    int n = hf_recv_slices(p->stack, &p->env, p->c->handle, slices, 16);
    holds(n > 0);
    uint32_t at = 0;
    for (int s = 0; s < n; s++)
        for (uint32_t i = 0; i < slices[s].len; i++)
            holds_equal(slices[s].data[i], peer_octet(false, at++));
    holds_equal(at, 2000);
    refuses(HF_ERR_INVALID, hf_recv_consume(p->stack, &p->env, p->c->handle, 2001));
    calls(hf_recv_consume(p->stack, &p->env, p->c->handle, 1500));
    p->c->read = 1500;
    reads(500);
    sends(FIN | ACK);
    expects(ACK);
    refuses(0, hf_recv_slices(p->stack, &p->env, p->c->handle, slices, 16));
}

/* A segment of the peer in the region, lent with this token. */
static void lends(struct peer *p, uint32_t offset, uint32_t text, uint64_t token)
{
    struct hf_frame_in frame;
    p->batching = true;
    sends(ACK, .len = text);
    p->batching = false;
    frame = p->batch[0];
    p->n_batch = 0;
    memcpy(region.base + offset, frame.data, frame.len);
    free((void *)(uintptr_t)frame.data);
    frame.data = region.base + offset;
    frame.region = 1;
    frame.token = token;
    holds_equal(hf_input(p->stack, &p->env, &frame, 1), 0);
}

TEST(a_lent_frame_is_kept_while_its_text_is_unread_and_then_returned)
{
    with_region(p);
    establish_active();
    lends(p, 0, 1400, 41);
    lends(p, 5000, 1400, 42);
    expects(ACK);
    holds_equal(returned(p), 0);
    reads(1400);
    holds_equal(returned(p), 41);
    reads(1400);
    holds_equal(returned(p), 42);
}

TEST(a_lent_frame_of_no_use_is_returned_at_once)
{
    with_region(p);
    establish_active();
    lends(p, 0, 0, 7); /* no text */
    holds_equal(returned(p), 7);
    lends(p, 0, 10, 8); /* so little that it is copied, or kept until read */
    expects(ACK);
    reads(10);
    holds_equal(returned(p), 8);
    memset(region.base, 0, 100);
    struct hf_frame_in junk = {
        .data = region.base, .len = 100, .iface = 1, .region = 1, .token = 9};
    hf_input(p->stack, &p->env, &junk, 1);
    holds_equal(returned(p), 9);
}

TEST(a_lent_frame_outside_its_region_is_not_taken)
{
    uint8_t elsewhere[100] = {0};
    with_region(p);
    establish_active();
    struct hf_frame_in frame = {.data = elsewhere, .len = 100, .iface = 1, .region = 1, .token = 9};
    refuses(HF_ERR_INVALID, hf_input(p->stack, &p->env, &frame, 1));
    frame.data = region.base;
    static const uint32_t no_interface[] = {0, 2};
    for (size_t i = 0; i < 2; i++) {
        frame.iface = no_interface[i];
        refuses(HF_ERR_INVALID, hf_input(p->stack, &p->env, &frame, 1));
    }
    frame.iface = 1;
    frame.data = NULL; /* in no region, so that nobody could give its token back */
    refuses(HF_ERR_INVALID, hf_input(p->stack, &p->env, &frame, 1));
    frame.region = 2;
    refuses(HF_ERR_INVALID, hf_input(p->stack, &p->env, &frame, 1));
    holds_equal(returned(p), 0); /* it was not taken */
}

TEST(a_frame_of_no_interface_or_of_nothing_is_dropped)
{
    uint8_t octets[100] = {0};
    const struct hf_frame_in frames[] = {
        {.data = octets, .len = 100, .iface = 0},
        {.data = octets, .len = 100, .iface = 2},
        {.data = NULL, .len = 100, .iface = 1},
    };
    establish_active();
    for (size_t i = 0; i < 3; i++) {
        p->last.verdict = HF_V_ACCEPTED;
        calls(hf_input(p->stack, &p->env, &frames[i], 1));
        holds_equal(p->last.verdict, HF_V_DROP_LINK);
    }
}

TEST(with_segmentation_offload_a_burst_is_one_frame)
{
    p->offload = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6;
    establish_active();
    writes(14600);
    for (int i = 0; i < 10; i++) {
        struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
        holds(seen != NULL);
        holds_equal(seen->super, 14600);
        holds_equal(seen->seg.text_len, 1460);
        peer_taken(p, seen);
    }
    expects_silence();
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.frames_out, 3); /* SYN, ACK, burst */
    holds_equal(status_of(segs_out), 12);
}

TEST(checksum_offload_leaves_the_checksum_to_the_device)
{
    p->offload = HF_OFFLOAD_CSUM;
    establish_passive(); /* each frame is finished as a device would, and checked */
    writes(3000);
    expects(ACK, .len = 1460);
    expects(ACK, .len = 1460);
    expects(ACK, .len = 80);
    closes();
    expects(FIN | ACK);
}

/* MUST-3 */
TEST(a_frame_that_the_device_has_checked_needs_no_right_checksum)
{
    for (int checked = 0; checked < 2; checked++) {
        on(checked);
        establish_active();
        p->batching = true;
        sends(ACK, .len = 10);
        p->batching = false;
        struct hf_frame_in frame = p->batch[0];
        p->n_batch = 0;
        uint8_t *bytes = (uint8_t *)(uintptr_t)frame.data;
        bytes[frame.len - 11] ^= 1; /* in the header's last octets: the urgent pointer */
        frame.flags = checked ? HF_FRAME_CSUM_OK : 0;
        hf_input(p->stack, &p->env, &frame, 1);
        free(bytes);
        if (checked) {
            expects(ACK, .ack = IRS + 11);
        } else {
            expects_silence();
        }
    }
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.verdict[HF_V_DROP_TCP_CHECKSUM], 1);
}

static int free_region(void **state)
{
    (void)state;
    free(region.base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(borrowed_octets_are_sent_from_where_they_lie_and_returned_once_acknowledged),
        V4(borrowed_and_copied_octets_may_follow_each_other),
        V4(borrowed_octets_come_back_when_the_connection_ends),
        V4(borrowing_is_all_or_nothing_and_only_from_what_is_registered),
        V4(borrowed_octets_are_kept_until_the_frame_that_shows_them_is_done),
        V4(no_more_is_borrowed_at_once_than_sequence_numbers_tell_apart),
        BOTH(slices_of_a_frame_stay_valid_until_it_is_done_whatever_happens),
        V4(a_token_is_taken_once_and_an_unknown_one_never),
        V4(with_all_tokens_out_nothing_leaves_until_one_is_done),
        V4(received_octets_can_be_looked_at_where_they_lie),
        BOTH(a_lent_frame_is_kept_while_its_text_is_unread_and_then_returned),
        V4(a_lent_frame_of_no_use_is_returned_at_once),
        V4(a_lent_frame_outside_its_region_is_not_taken),
        V4(a_frame_of_no_interface_or_of_nothing_is_dropped),
        BOTH(with_segmentation_offload_a_burst_is_one_frame),
        BOTH(checksum_offload_leaves_the_checksum_to_the_device),
        BOTH(a_frame_that_the_device_has_checked_needs_no_right_checksum),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, free_region);
}
