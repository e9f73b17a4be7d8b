/* snapshot.c - hf_snapshot, hf_restore: the used extents of a block, and back.
 *
 *     magic 8 | octets of it all 8 | hash of what follows 8 | parts 4, 0 4
 *     for each part: offset 8, octets 8
 *     the parts' octets, each followed by 0 .. 7 zeros
 *
 * Numbers are in the machine's order: a snapshot is of one build (hf_attach) for one kind of
 * machine.  The first part is the header; it alone says where the others belong.
 */
#include "stack/stack.h"

enum { HEAD = 32, ENTRY = 16, HASHED_FROM = 24 };

static const uint8_t magic[8] = {'h', 'f', 's', 'n', 'a', 'p', '0', '1'};

static uint64_t rounded(uint64_t bytes)
{
    return (bytes + 7) & ~(uint64_t)7;
}

static uint64_t hash_of(const uint8_t *snapshot, uint64_t bytes)
{
    return sip13(0, 0, snapshot + HASHED_FROM, (size_t)(bytes - HASHED_FROM));
}

/* The extents that hold something. */
static uint32_t parts_of(const struct hf_stack *stack, struct hf_extent parts[STACK_PARTS])
{
    struct hf_extent all[STACK_PARTS];
    uint32_t n = hf_extents(stack, all, STACK_PARTS), used = 0;
    HF_ASSERT(n <= STACK_PARTS);
    for (uint32_t i = 0; i < n; i++) {
        if (all[i].used != 0) {
            parts[used++] = all[i];
        }
    }
    return used;
}

uint64_t hf_snapshot_bytes(const struct hf_stack *stack)
{
    struct hf_extent parts[STACK_PARTS];
    uint32_t n = parts_of(stack, parts);
    uint64_t bytes = HEAD + (uint64_t)n * ENTRY;
    for (uint32_t i = 0; i < n; i++) {
        bytes += rounded(parts[i].used);
    }
    return bytes;
}

int64_t hf_snapshot(const struct hf_stack *stack, void *out, uint64_t bytes)
{
    struct hf_extent parts[STACK_PARTS];
    uint32_t n = parts_of(stack, parts);
    uint64_t needed = hf_snapshot_bytes(stack);
    uint8_t *p = out;
    if (bytes < needed) {
        return HF_ERR_TOO_LARGE;
    }
    uint64_t at = HEAD + (uint64_t)n * ENTRY;
    memset(p, 0, HEAD);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t used = parts[i].used;
        memcpy(p + HEAD + (size_t)i * ENTRY, &parts[i].offset, 8);
        memcpy(p + HEAD + (size_t)i * ENTRY + 8, &used, 8);
        memcpy(p + at, (const uint8_t *)stack + parts[i].offset, used);
        memset(p + at + used, 0, rounded(used) - used);
        at += rounded(used);
    }
    memcpy(p, magic, sizeof magic);
    memcpy(p + 8, &needed, 8);
    memcpy(p + 24, &n, 4);
    uint64_t hash = hash_of(p, needed);
    memcpy(p + 16, &hash, 8);
    return (int64_t)needed;
}

struct entry {
    uint64_t offset, bytes;
};

static struct entry entry_at(const uint8_t *snapshot, uint32_t i)
{
    struct entry entry;
    memcpy(&entry.offset, snapshot + HEAD + (size_t)i * ENTRY, 8);
    memcpy(&entry.bytes, snapshot + HEAD + (size_t)i * ENTRY + 8, 8);
    return entry;
}

/* Is it whole, and are all its parts within it?  The number of parts; 0: no. */
static uint32_t check_form(const uint8_t *p, uint64_t len)
{
    uint64_t bytes, hash;
    uint32_t n;
    if (len < HEAD || memcmp(p, magic, sizeof magic) != 0) {
        return 0;
    }
    memcpy(&bytes, p + 8, 8);
    memcpy(&hash, p + 16, 8);
    memcpy(&n, p + 24, 4);
    uint64_t at = HEAD + (uint64_t)n * ENTRY;
    if (bytes != len || n == 0 || n > STACK_PARTS || at > len || hash_of(p, len) != hash) {
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t part = entry_at(p, i).bytes;
        if (part > len - at || rounded(part) > len - at) {
            return 0;
        }
        at += rounded(part);
    }
    return at == len ? n : 0;
}

/* Copies the header aside, whole: it may be in two parts.  Those are the first n_head parts. */
static bool take_header(const uint8_t *p, uint32_t n, struct hf_stack *header)
{
    uint64_t at = HEAD + (uint64_t)n * ENTRY, filled = 0;
    for (uint32_t i = 0; i < n && filled < sizeof *header; i++) {
        struct entry entry = entry_at(p, i);
        if (entry.offset != filled || entry.bytes > sizeof *header - filled) {
            return false;
        }
        memcpy((uint8_t *)header + filled, p + at, entry.bytes);
        filled += entry.bytes;
        at += rounded(entry.bytes);
    }
    return filled == sizeof *header;
}

/* The parts must be exactly those that the header says are used. */
static bool parts_agree(const uint8_t *p, uint32_t n, const struct hf_stack *header)
{
    struct hf_extent parts[STACK_PARTS];
    if (parts_of(header, parts) != n) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct entry entry = entry_at(p, i);
        if (entry.offset != parts[i].offset || entry.bytes != parts[i].used) {
            return false;
        }
    }
    return true;
}

int hf_restore(struct hf_stack *block, uint64_t bytes, const void *snapshot, uint64_t len)
{
    const uint8_t *p = snapshot;
    struct hf_stack header;
    if (block == NULL || p == NULL || (uintptr_t)block % 64 != 0) {
        return HF_ERR_INVALID;
    }
    uint32_t n = check_form(p, len);
    if (n == 0 || !take_header(p, n, &header) || hf_attach(&header, header.block_bytes) != HF_OK ||
        !parts_agree(p, n, &header)) {
        return HF_ERR_MISMATCH;
    }
    if (header.block_bytes > bytes) {
        return HF_ERR_TOO_LARGE;
    }
    uint64_t at = HEAD + (uint64_t)n * ENTRY;
    for (uint32_t i = 0; i < n; i++) {
        struct entry entry = entry_at(p, i);
        memcpy((uint8_t *)block + entry.offset, p + at, entry.bytes);
        at += rounded(entry.bytes);
    }
    return HF_OK;
}
