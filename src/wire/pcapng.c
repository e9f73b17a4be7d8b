/* pcapng.c - capture files, draft-ietf-opsawg-pcapng: written little-endian, and read back.
 *
 *     block:   type | total length | body, padded to 4 | total length
 *     option:  code | length | value, padded to 4           code 0, length 0: the end
 */
#include "base/bytes.h"
#include "wire/wire.h"

enum { BYTE_ORDER_MAGIC = 0x1a2b3c4d, VERSION_MAJOR = 1 };
enum { BLOCK_BYTES = 12, OPTION_BYTES = 4, SHB_BODY = 16, IDB_BODY = 8, EPB_BODY = 20 };
enum {
    CODE_END = 0,
    CODE_COMMENT = 1,
    CODE_SHB_HARDWARE = 2,
    CODE_SHB_OS = 3,
    CODE_SHB_APPLICATION = 4,
    CODE_IF_NAME = 2,
    CODE_IF_TSRESOL = 9,
    CODE_IF_TSOFFSET = 14,
    CODE_EPB_FLAGS = 2,
};
enum { DEFAULT_TSRESOL = 6, NANOSECONDS = 9, MAX_OPTION_LEN = 65535 };

static size_t padded(size_t len)
{
    return (len + 3) & ~(size_t)3;
}

static size_t text_len(struct wire_text text)
{
    return text.at == NULL ? 0 : (size_t)min_u64(text.len, MAX_OPTION_LEN);
}

/* What an option with this text takes; nothing when there is no text. */
static size_t text_option_bytes(struct wire_text text)
{
    size_t len = text_len(text);
    return len == 0 ? 0 : OPTION_BYTES + padded(len);
}

static uint8_t *put_option(uint8_t *out, uint16_t code, const void *value, size_t len)
{
    put_le16(out, code);
    put_le16(out + 2, (uint16_t)len);
    memset(out + OPTION_BYTES, 0, padded(len));
    memcpy(out + OPTION_BYTES, value, len);
    return out + OPTION_BYTES + padded(len);
}

static uint8_t *put_text(uint8_t *out, uint16_t code, struct wire_text text)
{
    size_t len = text_len(text);
    return len == 0 ? out : put_option(out, code, text.at, len);
}

static uint8_t *put_end(uint8_t *out, size_t total_len)
{
    put_le32(out, CODE_END);
    put_le32(out + OPTION_BYTES, (uint32_t)total_len);
    return out + OPTION_BYTES + 4;
}

static void put_begin(uint8_t *out, uint32_t type, size_t total_len)
{
    put_le32(out, type);
    put_le32(out + 4, (uint32_t)total_len);
}

size_t wire_pcapng_shb(uint8_t *out, size_t room, struct wire_text hardware, struct wire_text os,
                       struct wire_text application)
{
    size_t total_len = BLOCK_BYTES + SHB_BODY + text_option_bytes(hardware) +
                       text_option_bytes(os) + text_option_bytes(application) + OPTION_BYTES;
    if (total_len > room) {
        return 0;
    }
    put_begin(out, WIRE_PCAPNG_SHB, total_len);
    put_le32(out + 8, BYTE_ORDER_MAGIC);
    put_le16(out + 12, VERSION_MAJOR);
    put_le16(out + 14, 0);
    put_le64(out + 16, UINT64_MAX); /* section length: not told */
    out = put_text(out + 24, CODE_SHB_HARDWARE, hardware);
    out = put_text(out, CODE_SHB_OS, os);
    out = put_text(out, CODE_SHB_APPLICATION, application);
    put_end(out, total_len);
    return total_len;
}

size_t wire_pcapng_idb(uint8_t *out, size_t room, uint16_t linktype, uint32_t snaplen,
                       struct wire_text name)
{
    const uint8_t tsresol = NANOSECONDS;
    size_t total_len =
        BLOCK_BYTES + IDB_BODY + text_option_bytes(name) + OPTION_BYTES + 4 + OPTION_BYTES;
    if (total_len > room) {
        return 0;
    }
    put_begin(out, WIRE_PCAPNG_IDB, total_len);
    put_le16(out + 8, linktype);
    put_le16(out + 10, 0);
    put_le32(out + 12, snaplen);
    out = put_text(out + 16, CODE_IF_NAME, name);
    out = put_option(out, CODE_IF_TSRESOL, &tsresol, sizeof tsresol);
    put_end(out, total_len);
    return total_len;
}

/* What stands behind the packet: padding, options, the length again. */
static size_t epb_tail_bytes(const struct wire_epb *epb)
{
    size_t flags = epb->direction == WIRE_DIRECTION_UNKNOWN ? 0 : OPTION_BYTES + 4;
    return padded(epb->caplen) - epb->caplen + text_option_bytes(epb->comment) + flags +
           OPTION_BYTES + 4;
}

size_t wire_pcapng_epb_begin(uint8_t *out, size_t room, const struct wire_epb *epb)
{
    if (room < WIRE_EPB_BEGIN) {
        return 0;
    }
    put_begin(out, WIRE_PCAPNG_EPB, WIRE_EPB_BEGIN + epb->caplen + epb_tail_bytes(epb));
    put_le32(out + 8, epb->iface);
    put_le32(out + 12, (uint32_t)(epb->ts_ns >> 32));
    put_le32(out + 16, (uint32_t)epb->ts_ns);
    put_le32(out + 20, epb->caplen);
    put_le32(out + 24, epb->origlen);
    return WIRE_EPB_BEGIN;
}

size_t wire_pcapng_epb_end(uint8_t *out, size_t room, const struct wire_epb *epb)
{
    size_t tail_len = epb_tail_bytes(epb);
    if (tail_len > room) {
        return 0;
    }
    size_t padding = padded(epb->caplen) - epb->caplen;
    memset(out, 0, padding);
    out = put_text(out + padding, CODE_COMMENT, epb->comment);
    if (epb->direction != WIRE_DIRECTION_UNKNOWN) {
        uint8_t flags[4];
        put_le32(flags, epb->direction);
        out = put_option(out, CODE_EPB_FLAGS, flags, sizeof flags);
    }
    put_end(out, WIRE_EPB_BEGIN + epb->caplen + tail_len);
    return tail_len;
}

/* An option on its way to the block; those nobody asked for are passed over. */
static void take_option(uint16_t code, const uint8_t *value, size_t len,
                        struct wire_pcapng_block *block)
{
    struct wire_text text = {(const char *)value, len};
    switch (block->type) {
    case WIRE_PCAPNG_SHB:
        if (code == CODE_SHB_HARDWARE) {
            block->hardware = text;
        } else if (code == CODE_SHB_OS) {
            block->os = text;
        } else if (code == CODE_SHB_APPLICATION) {
            block->application = text;
        }
        break;
    case WIRE_PCAPNG_IDB:
        if (code == CODE_IF_NAME) {
            block->name = text;
        } else if (code == CODE_IF_TSRESOL && len == 1) {
            block->tsresol = value[0];
        } else if (code == CODE_IF_TSOFFSET && len == 8) {
            block->tsoffset = (int64_t)get_le64(value);
        }
        break;
    default:
        if (code == CODE_COMMENT) {
            block->epb.comment = text;
        } else if (code == CODE_EPB_FLAGS && len == 4) {
            block->epb.direction = (uint8_t)(get_le32(value) & 3);
        }
    }
}

static bool take_options(const uint8_t *p, size_t len, struct wire_pcapng_block *block)
{
    while (len >= OPTION_BYTES && get_le16(p) != CODE_END) {
        size_t value_len = get_le16(p + 2);
        if (padded(value_len) > len - OPTION_BYTES) {
            return false;
        }
        take_option(get_le16(p), p + OPTION_BYTES, value_len, block);
        p += OPTION_BYTES + padded(value_len);
        len -= OPTION_BYTES + padded(value_len);
    }
    return true;
}

static bool take_shb(const uint8_t *body, size_t len, struct wire_pcapng_block *block)
{
    return len >= SHB_BODY && get_le32(body) == BYTE_ORDER_MAGIC &&
           get_le16(body + 4) == VERSION_MAJOR &&
           take_options(body + SHB_BODY, len - SHB_BODY, block);
}

static bool take_idb(const uint8_t *body, size_t len, struct wire_pcapng_block *block)
{
    if (len < IDB_BODY) {
        return false;
    }
    block->linktype = get_le16(body);
    block->snaplen = get_le32(body + 4);
    block->tsresol = DEFAULT_TSRESOL;
    return take_options(body + IDB_BODY, len - IDB_BODY, block);
}

/* Of an OPB the interface has 16 bits, what was dropped before it the others. */
static bool take_epb(const uint8_t *body, size_t len, struct wire_pcapng_block *block)
{
    if (len < EPB_BODY) {
        return false;
    }
    struct wire_epb *epb = &block->epb;
    epb->iface = block->type == WIRE_PCAPNG_OPB ? get_le16(body) : get_le32(body);
    epb->ts_ns = (uint64_t)get_le32(body + 4) << 32 | get_le32(body + 8);
    epb->caplen = get_le32(body + 12);
    epb->origlen = get_le32(body + 16);
    if (epb->caplen > len - EPB_BODY) {
        return false;
    }
    block->packet = body + EPB_BODY;
    size_t packet_len = padded(epb->caplen);
    return take_options(block->packet + packet_len, len - EPB_BODY - packet_len, block);
}

size_t wire_pcapng_next(const uint8_t *p, size_t len, struct wire_pcapng_block *block)
{
    *block = (struct wire_pcapng_block){0};
    if (len < BLOCK_BYTES) {
        return 0;
    }
    size_t total_len = get_le32(p + 4);
    if (total_len < BLOCK_BYTES || total_len % 4 != 0 || total_len > len ||
        get_le32(p + total_len - 4) != total_len) {
        return 0;
    }
    block->type = get_le32(p);
    const uint8_t *body = p + 8;
    size_t body_len = total_len - BLOCK_BYTES;
    bool sound = true;
    switch (block->type) {
    case WIRE_PCAPNG_SHB:
        sound = take_shb(body, body_len, block);
        break;
    case WIRE_PCAPNG_IDB:
        sound = take_idb(body, body_len, block);
        break;
    case WIRE_PCAPNG_OPB:
    case WIRE_PCAPNG_EPB:
        sound = take_epb(body, body_len, block);
        break;
    default:
        break;
    }
    return sound ? total_len : 0;
}
