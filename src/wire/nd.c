/* nd.c - neighbour solicitation and advertisement, RFC 4861 sections 4.3, 4.4, 4.6.1 and 7.1. */
#include "base/bytes.h"
#include "wire/wire.h"

enum { SOURCE_LLADDR = 1, TARGET_LLADDR = 2 };
enum { TARGET_BYTES = 16, LLADDR_OPTION_BYTES = 8 };

#define FLAG_ROUTER 0x80000000u
#define FLAG_SOLICITED 0x40000000u
#define FLAG_OVERRIDE 0x20000000u

/* Options are in units of eight octets; one of length 0 makes the message invalid. */
static enum wire_status parse_options(const uint8_t *p, size_t len, struct wire_nd *nd)
{
    uint8_t wanted = nd->solicitation ? SOURCE_LLADDR : TARGET_LLADDR;
    while (len > 0) {
        if (len < 2 || p[1] == 0 || (size_t)p[1] * 8 > len) {
            return WIRE_BAD_FORM;
        }
        if (p[0] == wanted && p[1] == 1) {
            nd->has_lladdr = true;
            memcpy(nd->lladdr, p + 2, 6);
        }
        len -= (size_t)p[1] * 8;
        p += (size_t)p[1] * 8;
    }
    return WIRE_OK;
}

/* RFC4861-1 */
enum wire_status wire_parse_nd(const struct wire_icmp *icmp, struct wire_nd *nd)
{
    *nd = (struct wire_nd){.solicitation = icmp->type == ICMP6_NEIGHBOUR_SOLICIT};
    bool known = nd->solicitation || icmp->type == ICMP6_NEIGHBOUR_ADVERT;
    if (icmp->version != 6 || !known || icmp->code != 0) {
        return WIRE_BAD_FORM;
    }
    if (icmp->body_len < TARGET_BYTES) {
        return WIRE_SHORT;
    }
    if (!nd->solicitation) {
        nd->router = (icmp->rest & FLAG_ROUTER) != 0;
        nd->solicited = (icmp->rest & FLAG_SOLICITED) != 0;
        nd->override = (icmp->rest & FLAG_OVERRIDE) != 0;
    }
    memcpy(nd->target, icmp->body, TARGET_BYTES);
    if (nd->target[0] == 0xff) {
        return WIRE_BAD_FORM; /* multicast */
    }
    return parse_options(icmp->body + TARGET_BYTES, icmp->body_len - TARGET_BYTES, nd);
}

size_t wire_put_nd(uint8_t *out, const struct wire_nd *nd)
{
    struct wire_icmp icmp = {.version = 6, .type = ICMP6_NEIGHBOUR_SOLICIT};
    if (!nd->solicitation) {
        icmp.type = ICMP6_NEIGHBOUR_ADVERT;
        icmp.rest = (nd->router ? FLAG_ROUTER : 0) | (nd->solicited ? FLAG_SOLICITED : 0) |
                    (nd->override ? FLAG_OVERRIDE : 0);
    }
    size_t at = wire_put_icmp(out, &icmp);
    memcpy(out + at, nd->target, TARGET_BYTES);
    at += TARGET_BYTES;
    if (nd->has_lladdr) {
        out[at] = nd->solicitation ? SOURCE_LLADDR : TARGET_LLADDR;
        out[at + 1] = 1;
        memcpy(out + at + 2, nd->lladdr, 6);
        at += LLADDR_OPTION_BYTES;
    }
    return at;
}
