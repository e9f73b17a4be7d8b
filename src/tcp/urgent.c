/* urgent.c - RFC 9293 section 3.8.5: the end of our urgent data, told.
 *
 * SND.UP is the octet behind it (MUST-62).  Until it is acknowledged all that lies before it says
 * so: text, ACKs, window probes.  But no SYN: filters on the way take SYN with URG for a scan, and
 * stacks that take its text do not look for the mark; urgent text goes behind the handshake
 * (tcp_fast_open_room).
 */
#include "tcp/tcp.h"

void tcp_urgent_note(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    active->snd_urgent = 1;
    active->snd_up = seq_add(tcp_text_una(tcp, tcb), active->sq_bytes);
    if (tcp_synchronized(tcb) && tcp_usable_window(tcp, tcb) == 0) {
        tcp_owe(tcp, tcb, HF_OWES_ACK); /* MUST-66: the peer hears of it all the same */
    }
}

/* MUST-30, MUST-31 */
void tcp_urgent_mark(const struct active *active, struct segment *seg)
{
    if (active && active->snd_urgent && seq_gt(active->snd_up, seg->seq) && !(seg->ctl & SYN)) {
        seg->ctl |= URG;
        seg->up = (uint16_t)min_u32(seq_len(seg->seq, active->snd_up), 65535);
    }
}
