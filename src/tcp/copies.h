/* copies.h - RFC 9293 section 3.10.7.4: text that comes a second time is compared (copies.c). */
#ifndef TCP_COPIES_H
#define TCP_COPIES_H

#include "tcp/tcp.h"

/* Octets of a chain, `into` of them behind its beginning, have come again: are they others? */
void tcp_compare_copy(struct tcp *tcp, uint32_t head, uint32_t into, const uint8_t *text,
                      uint32_t len);
/* The same for what of a segment lies before RCV.NXT, and has not been read. */
void tcp_compare_unread(struct tcp *tcp, const struct tcb *tcb, const struct segment *seg);

#endif
