/* wire_test.h - what the tests of src/wire share: packets in memory that ends where they end. */
#ifndef WIRE_TEST_H
#define WIRE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/wire.h"

/* A copy of n octets that the address sanitizer guards on both sides; to be freed. */
static inline uint8_t *guarded(const void *p, size_t n)
{
    uint8_t *copy = malloc(n == 0 ? 1 : n);
    assert_non_null(copy);
    memcpy(copy, p, n);
    return n == 0 ? copy + 1 : copy;
}

static inline void release(uint8_t *copy, size_t n)
{
    free(n == 0 ? copy - 1 : copy);
}

/* Octets that look random and are the same everywhere. */
static inline uint32_t scramble(void *out, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        ((uint8_t *)out)[i] = (uint8_t)(seed >> 24);
    }
    return seed;
}

/* Addresses of documentation, RFC 5737 and RFC 3849. */
static inline struct wire_ip test_ip(uint8_t version, uint8_t proto, uint32_t payload_len)
{
    struct wire_ip ip = {.version = version, .proto = proto, .ttl = 64, .tos = 2, .df = true};
    if (version == 4) {
        wire_from_v4(ip.src, (const uint8_t[]){192, 0, 2, 1});
        wire_from_v4(ip.dst, (const uint8_t[]){198, 51, 100, 2});
        ip.total_len = 20 + payload_len;
    } else {
        memcpy(ip.src, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
        memcpy(ip.dst, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
        ip.total_len = 40 + payload_len;
    }
    return ip;
}

#endif
