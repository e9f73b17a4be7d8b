/* ip_parts.h - what ip.c and ip6.c share. */
#ifndef WIRE_IP_PARTS_H
#define WIRE_IP_PARTS_H

#include "wire/wire.h"

/* p: at least the first octet, whose version is 6. */
enum wire_status wire_parse_ip6(const uint8_t *p, size_t len, struct wire_ip *ip);
size_t wire_put_ip6(uint8_t *out, const struct wire_ip *ip);

#endif
