/* copies.c - RFC 9293 section 3.10.7.4 seventh: text that comes a second time is the same text.
 *
 * Of octets that come twice those that came first are kept (receive.c).  An honest sender's copies
 * are alike; if they are not, somebody writes into the stream or shows another one to who watches
 * it (Ptacek and Newsham 1998).  That changes nothing here, and is counted.
 *
 * Only what is still here can be compared: text that was not read, and what is held ahead of a gap.
 * Of each the first chunks are looked at, so that a copy costs little more than its own length.
 */
#include "tcp/copies.h"

enum { CHUNKS_LOOKED_AT = 64 };

void tcp_compare_copy(struct tcp *tcp, uint32_t head, uint32_t into, const uint8_t *text,
                      uint32_t len)
{
    bool differs = false;
    uint32_t idx = head;
    for (uint32_t i = 0; i < CHUNKS_LOOKED_AT && idx != 0 && len != 0 && !differs; i++) {
        const struct chunk *chunk = tcp_chunk(tcp, idx);
        uint32_t skip = min_u32(into, chunk->len);
        uint32_t n = min_u32(chunk->len - skip, len);
        differs = n != 0 && memcmp(tcp_chunk_data(tcp, idx) + skip, text, n) != 0;
        into -= skip;
        text += n;
        len -= n;
        idx = chunk->next;
    }
    tcp->b->copies_differ += differs;
}

void tcp_compare_unread(struct tcp *tcp, const struct tcb *tcb, const struct segment *seg)
{
    const struct active *active = active_of(tcp, tcb);
    if (active == NULL || active->rq_bytes == 0 || seg->ctl & SYN) { /* its text is one behind */
        return;
    }
    seq_t end = seq_sub(tcb->rcv.nxt, tcb->flags & F_FIN_RECEIVED ? 1 : 0);
    seq_t first = seq_sub(end, active->rq_bytes);
    seq_t left = seq_max(seg->seq, first);
    seq_t right = seq_min(seq_add(seg->seq, seg->text_len), end);
    if (seq_lt(left, right)) {
        tcp_compare_copy(tcp, active->rq_head, active->rq_skip + seq_len(first, left),
                         seg->text + seq_len(seg->seq, left), seq_len(left, right));
    }
}

/* RFC2883-1, RFC2883-5, RFC2883-8, RFC9768-5 */
void tcp_note_dsack(struct tcp *tcp, struct tcb *tcb, seq_t left, seq_t right)
{
    if ((tcb->flags & (F_SACK | F_COMPACT)) != F_SACK || !tcp_attach(tcp, tcb)) {
        return;
    }
    struct active *active = active_of(tcp, tcb);
    if (!active->dsack) {
        active->dsack = 1;
        active->dsack_left = left;
        active->dsack_right = right;
    }
}
