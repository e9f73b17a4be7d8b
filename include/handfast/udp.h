/* udp.h - the core's UDP sockets (RFC 768).  Included by handfast.h. */
#ifndef HANDFAST_UDP_H
#define HANDFAST_UDP_H

#include "handfast/handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* local.port 0: chosen; local.ip all zero: any address, ::ffff:0.0.0.0: any of IPv4.  The handle's
 * events are HF_READABLE, HF_WRITABLE, HF_ERROR_REPORT.  HF_ERR_EXISTS: another socket would get
 * the same datagrams; HF_ERR_NO_ADDRESS: local.ip is not ours; HF_ERR_NO_PORTS; HF_ERR_NO_RESOURCES
 * (max_udp); HF_ERR_INVALID: no such interface. */
int hf_udp_open(struct hf_stack *stack, const struct hf_env *env, const struct hf_endpoint *local,
                hf_handle *handle);
/* from NULL, or its ip all zero: the socket's address, or chosen by route; its port is not looked
 * at.  data is copied, and may be NULL when len is 0.  Returns len: it is queued, and may be lost
 * yet, as no neighbour answers (HF_ERROR_REPORT) or too many wait for one.  What is larger than a
 * packet leaves in fragments: with IPv4 a packet has the link's MTU; with IPv6 1280 octets, which
 * every path takes (RFC 8200 5), so 1232 of data, but to a link-local address the link's MTU.  To a
 * group the TTL or hop limit is 1 unless HF_TTL was set.
 *
 * HF_ERR_WOULD_BLOCK: no packet record (max_packets), HF_WRITABLE will tell; HF_ERR_NO_RESOURCES:
 * no payload memory, nothing tells; HF_ERR_TOO_LARGE: len is over 65,507, with IPv6 65,527;
 * HF_ERR_INVALID: to.port 0, to.ip all zero, two versions of IP, no such interface or another one;
 * HF_ERR_NO_ADDRESS: from is not ours; HF_ERR_NET_UNREACHABLE: no route. */
int64_t hf_udp_send(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                    const struct hf_endpoint *from, const struct hf_endpoint *to, const void *data,
                    uint32_t len);
/* Sockets' queues hold half of hf_config.max_packets, each as many as that leaves free and 64 at
 * most, and 256 KiB each; what finds no room is dropped.  One datagram, cut to len, the rest is
 * lost; returns its whole length.  from, to may be NULL, and data when len is 0.
 * HF_ERR_WOULD_BLOCK: none is there, HF_READABLE will tell. */
int64_t hf_udp_recv(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                    struct hf_endpoint *from, struct hf_endpoint *to, void *data, uint32_t len);

#ifdef __cplusplus
}
#endif
#endif
