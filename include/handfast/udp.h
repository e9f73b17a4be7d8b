/* udp.h - the core's UDP sockets (RFC 768).  Included by handfast.h. */
#ifndef HANDFAST_UDP_H
#define HANDFAST_UDP_H

#include "handfast/handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* local.port 0: chosen.  The handle's events are HF_READABLE, HF_WRITABLE, HF_ERROR_REPORT. */
int hf_udp_open(struct hf_stack *stack, const struct hf_env *env, const struct hf_endpoint *local,
                hf_handle *handle);
/* from NULL: the socket's address, or chosen by route.  Returns len.  What is larger than a packet
 * leaves in fragments: with IPv4 a packet has the link's MTU; with IPv6 1280 octets, which every
 * path takes (RFC 8200 5), so 1232 of data, but to a link-local address the link's MTU.  To a group
 * the TTL or hop limit is 1 unless HF_TTL was set. */
int64_t hf_udp_send(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                    const struct hf_endpoint *from, const struct hf_endpoint *to, const void *data,
                    uint32_t len);
/* Sockets' queues hold half of hf_config.max_packets, each as many as that leaves free and 64 at
 * most; what finds no room is dropped.  One datagram, cut to len; returns its whole length.  from,
 * to may be NULL. */
int64_t hf_udp_recv(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                    struct hf_endpoint *from, struct hf_endpoint *to, void *data, uint32_t len);

#ifdef __cplusplus
}
#endif
#endif
