/* The urgent pointer: nought, beyond the text, beyond the window, left over (RFC 9293 3.8.5, RFC
 * 6093).
 */
#include "common/peer.h"

#include <string.h>

#include "base/bytes.h"

/* RX-10: CVE-2019-12255; a mark before its own segment is none, and nothing is taken out of line.
 */
TEST(an_urgent_pointer_of_nought_marks_nothing)
{
    establish_active();
    sends(ACK | URG, .seq = IRS + 1, .len = 10, .up = ZERO);
    expects_no_event(HF_URGENT);
    holds_equal(status_of(urgent), 0);
    sends(ACK | URG, .seq = IRS + 11, .up = ZERO); /* behind what is here: all of that */
    holds_equal(status_of(urgent_bytes), 10);
    reads(10);
    p->c->events = 0;
    sends(ACK | URG, .seq = IRS + 11, .up = ZERO); /* nothing is unread */
    sends(ACK | URG, .seq = IRS + 11, .len = 1, .up = ZERO);
    expects_no_event(HF_URGENT);
    holds_equal(status_of(urgent_bytes), 0);
    reads(1);
    reads_result(HF_ERR_WOULD_BLOCK);
}

/* RX-11: CVE-2020-17437; the mark moves ahead only, and no read stands still before it. */
TEST(an_urgent_pointer_beyond_the_text_is_a_mark_and_no_more)
{
    static const int64_t pointers[] = {10, 11, 65535};
    for (int i = 0; i < 3; i++) {
        on(i);
        establish_active();
        sends(ACK | URG, .seq = IRS + 1, .len = 10, .up = pointers[i]);
        expects_event(HF_URGENT);
        holds(status_of(urgent_bytes) <= 10);
        for (int n = 0; n < 10; n++)
            reads(1);
        reads_result(HF_ERR_WOULD_BLOCK);
        sends(ACK | URG, .seq = IRS + 11, .up = pointers[i]); /* on a bare ACK */
        sends(ACK | URG, .seq = IRS + 1, .len = 10, .up = 5); /* behind what was read */
        sends(ACK, .seq = IRS + 11, .len = 100);
        reads(100);
        peer_forget(p);
        expects_state(HF_ESTABLISHED);
    }
}

/* RX-11: a SYN's counts from the SYN. */
TEST(an_urgent_pointer_on_a_syn_is_a_mark_and_no_more)
{
    listens();
    sends(SYN | URG, .seq = IRS, .mss = 1460, .up = 65535);
    expects(SYN | ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    sends(ACK, .len = 10);
    holds(status_of(urgent_bytes) <= 10);
    reads(10);
    reads_result(HF_ERR_WOULD_BLOCK);
}

/* RX-11: CVE-2017-6214; a hundred thousand marks take no memory, and one event tells of them. */
TEST(marks_without_end_take_no_memory)
{
    establish_active();
    sends(ACK, .len = 10);
    peer_forget(p);
    struct hf_counters before = {.struct_size = sizeof before}, now = before;
    hf_counters(p->stack, &before);
    for (int i = 0; i < 100000; i++)
        sends(ACK | URG, .seq = IRS + 11, .up = 1 + i % 65535);
    peer_forget(p);
    hf_counters(p->stack, &now);
    holds_equal(now.active, before.active);
    holds_equal(now.small_chunks + now.large_chunks, before.small_chunks + before.large_chunks);
    struct hf_event events[4];
    uint32_t told = hf_events(p->stack, &p->env, events, 4);
    holds(told <= 2);
    holds_equal(status_of(urgent_bytes), 10);
    sends(ACK, .len = 100);
    reads(110);
    reads_result(HF_ERR_WOULD_BLOCK);
}

/* An ACK with text, URG and an option of this kind and length, of which no octet is there. */
static void sends_broken_option(struct peer *p, uint8_t kind, uint8_t len)
{
    uint8_t bytes[28];
    struct segment seg = {.ctl = ACK | URG, .sport = p->c->peer_port, .dport = p->c->stack_port};
    seg.seq = seq(p->c->nxt);
    seg.ack = seq(p->c->acks);
    seg.wnd = 65535;
    seg.up = 4000;
    size_t header = wire_put_tcp(bytes, &seg);
    bytes[12] = 6 << 4; /* four octets of options */
    memcpy(bytes + header, (uint8_t[]){kind, len, 0, 0, 'B', 'C', 'D', 'E'}, 8);
    struct wire_ip ip = {.version = p->v6 ? 6 : 4, .proto = WIRE_PROTO_TCP};
    memcpy(ip.src, p->peer_ip, 16);
    memcpy(ip.dst, p->stack_ip, 16);
    wire_set_tcp_checksum(bytes, header + 4, &ip, csum_add(0, bytes + header + 4, 4), 4);
    peer_ip(p, WIRE_PROTO_TCP, bytes, sizeof bytes);
    p->c->nxt += 4;
}

/* RX-12: CVE-2019-12260 and others; what comes next in the same record begins without a mark. */
TEST(urgent_state_ends_with_its_connection)
{
    p->config.max_connections = p->config.max_active = 1;
    for (int round = 0; round < 3; round++) {
        new_incarnation(100 + (uint32_t)round * 100000);
        after(10);
        establish_active();
        holds_equal(status_of(urgent), 0);
        holds_equal(status_of(urgent_bytes), 0);
        sends(ACK, .len = 10);
        expects_no_event(HF_URGENT);
        holds_equal(status_of(urgent), 0);
        writes_with(100, HF_SEND_URGENT);
        sends(ACK | URG, .len = 10, .up = 60000); /* and both sides have one pending */
        expects_event(HF_URGENT);
        peer_forget(p);
        sends(RST, .seq = (int64_t)status_of(rcv_nxt));
        expects_event(HF_CLOSED_EVENT);
        releases();
        new_incarnation(50000 + (uint32_t)round * 100000);
        after(10);
        establish_active();
        sends(ACK, .len = 10);
        expects(ACK, .ack = IRS + 11);
        expects_no_event(HF_URGENT);
        holds_equal(status_of(urgent), 0); /* though its numbers are below the old mark */
        writes(10);
        expects(ACK, .seq = ISS + 1, .len = 10); /* without URG */
        aborts();
        releases();
        peer_forget(p);
    }
}

/* RX-12: CVE-2019-12260; an option that is broken touches neither the mark nor the text. */
TEST(a_broken_option_beside_an_urgent_mark_changes_nothing_of_it)
{
    static const uint8_t lens[] = {0, 1, 3, 40, 255};
    p->wild = true;
    for (int i = 0; i < 5; i++) {
        on(i % 4);
        new_incarnation(100 + (uint32_t)i * 100000);
        after(10);
        establish_active();
        sends_broken_option(p, 29, lens[i]); /* TCP-AO */
        peer_forget(p);
        expects_event(HF_URGENT);
        holds_equal(status_of(urgent_bytes), 4);
        char text[5];
        holds_equal(hf_recv(p->stack, &p->env, p->c->handle, text, sizeof text), 4);
        holds(memcmp(text, "BCDE", 4) == 0);
        aborts();
        releases();
        peer_forget(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_urgent_pointer_of_nought_marks_nothing),
        BOTH(an_urgent_pointer_beyond_the_text_is_a_mark_and_no_more),
        V4(an_urgent_pointer_on_a_syn_is_a_mark_and_no_more),
        V4(marks_without_end_take_no_memory),
        V4(urgent_state_ends_with_its_connection),
        BOTH(a_broken_option_beside_an_urgent_mark_changes_nothing_of_it),
    };
    return cmocka_run_group_tests_name("urgent marks", tests, NULL, NULL);
}
