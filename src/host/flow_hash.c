/* flow_hash.c - handfast/shards.h: which shard a flow belongs to. */
#include <string.h>

#include "base/bytes.h"
#include "handfast/shards.h"

/* Sixteen bits again and again: then exchanging source and destination changes nothing (Woo and
 * Park 2012). */
static const uint8_t symmetric[HF_FLOW_KEY_BYTES] = {
    0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
    0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
    0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a};

/* Each bit that is set adds the 32 bits of the key that begin at its place. */
static uint32_t toeplitz(const uint8_t *data, uint32_t len, const uint8_t *key)
{
    uint32_t hash = 0;
    uint64_t window = (uint64_t)get_be32(key) << 32;
    for (uint32_t i = 0; i < len; i++) {
        window |= (uint64_t)key[i + 4] << 24;
        for (uint8_t bit = 0x80; bit != 0; bit >>= 1) {
            hash ^= data[i] & bit ? (uint32_t)(window >> 32) : 0;
            window <<= 1;
        }
    }
    return hash;
}

static bool is_v4(const uint8_t ip[16])
{
    return get_be64(ip) == 0 && get_be32(ip + 8) == 0xffff;
}

uint32_t hf_flow_hash(const struct hf_endpoint *source, const struct hf_endpoint *destination,
                      const uint8_t key[HF_FLOW_KEY_BYTES])
{
    uint8_t data[36];
    uint32_t from = is_v4(source->ip) ? 12 : 0, n = 16 - from;
    memcpy(data, source->ip + from, n);
    memcpy(data + n, destination->ip + from, n);
    put_be16(data + 2 * n, source->port);
    put_be16(data + 2 * n + 2, destination->port);
    return toeplitz(data, 2 * n + 4, key == NULL ? symmetric : key);
}

uint32_t hf_flow_shard(uint32_t hash, uint32_t n)
{
    return (uint32_t)((uint64_t)hash * n >> 32);
}
