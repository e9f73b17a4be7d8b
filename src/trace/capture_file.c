/* capture_file.c - capture files to packets: pcapng (draft-ietf-opsawg-pcapng, little-endian), and
 * pcap (draft-ietf-opsawg-pcap), either byte order.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "trace/capture_judge.h"
#include "wire/wire.h"

enum { INTERFACES = 256, PCAP_HEAD = 24, PCAP_RECORD = 16, BILLION = 1000000000 };
enum { PCAP_US = 0xa1b2c3d4, PCAP_NS = 0xa1b23c4d };
/* No block is longer than this: a packet and its options. */
enum { BLOCK_MOST = 1 << 24 };

struct reader {
    struct hf_capture_judge *judge;
    FILE *file;
    const char *path;
    char *error;
    int read_errno;   /* why a read failed, 0: none has                              */
    size_t got;       /* octets that the last read found                             */
    uint64_t skipped; /* packets of a kind that is not read                          */
    char kind[96];    /* the first of these                                          */
    uint8_t *block;
    size_t room;
    struct {
        uint32_t linktype;
        uint8_t tsresol;
        int64_t tsoffset;
    } iface[INTERFACES];
    uint32_t interfaces;
};

__attribute__((format(printf, 3, 4))) static int fail(struct reader *r, int result,
                                                      const char *format, ...)
{
    char what[128];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (r->error != NULL) {
        snprintf(r->error, HF_ERROR_TEXT, "%.100s: %s", r->path, what);
    }
    return result;
}

/* A packet that is not read; at the end it is told that there were such. */
static void skip(struct reader *r, const char *kind)
{
    if (r->skipped++ == 0) {
        snprintf(r->kind, sizeof r->kind, "%s", kind);
    }
}

static int judge_packet(struct reader *r, int64_t time_ns, uint32_t linktype, const uint8_t *packet,
                        uint32_t len, uint32_t whole_len)
{
    int error = hf_capture_judge_packet(r->judge, time_ns, linktype, packet, len, whole_len);
    if (error == HF_ERR_UNSUPPORTED) {
        char kind[sizeof r->kind];
        snprintf(kind, sizeof kind,
                 "link type %u is none of Ethernet, raw IP, Linux cooked, loopback", linktype);
        skip(r, kind);
        return HF_OK;
    }
    return error == HF_OK ? HF_OK : fail(r, error, "no memory");
}

/* The next octets, behind `at` that are there already.  False: the file ends before. */
static bool read_more(struct reader *r, size_t at, size_t n)
{
    if (at + n > r->room) {
        uint8_t *larger = realloc(r->block, at + n);
        if (larger == NULL) {
            return false;
        }
        r->block = larger;
        r->room = at + n;
    }
    r->got = fread(r->block + at, 1, n, r->file);
    bool whole = r->got == n;
    r->read_errno = !whole && ferror(r->file) ? errno : 0;
    return whole;
}

/* pcapng --------------------------------------------------------------------------------------- */

static int64_t within(int64_t value, int64_t most)
{
    return value < -most ? -most : value > most ? most : value;
}

/* Units of an interface to nanoseconds.  What is finer than these is cut. */
static int64_t time_of(uint64_t units, uint8_t tsresol, int64_t offset_s)
{
    enum { TWOS_MOST = 34 }; /* 2^34 * 10^9 < 2^64 */
    unsigned power = tsresol & 0x7f;
    uint64_t in_second = 1;
    if (tsresol & 0x80) {
        unsigned finer = power > TWOS_MOST ? power - TWOS_MOST : 0;
        units = finer < 64 ? units >> finer : 0;
        in_second <<= power - finer;
    } else {
        for (; power > 9; power--) {
            units /= 10;
        }
        for (; power > 0; power--) {
            in_second *= 10;
        }
    }
    /* As long as pcap counts: the difference of two times fits in 64 bits. */
    const int64_t some = INT64_C(1) << 40, most = UINT32_MAX;
    int64_t seconds = (int64_t)min_u64(units / in_second, INT64_MAX);
    seconds = within(within(seconds, some) + within(offset_s, some), most);
    return seconds * BILLION + (int64_t)(units % in_second * BILLION / in_second);
}

static int take_block(struct reader *r, const struct wire_pcapng_block *block)
{
    if (block->type == WIRE_PCAPNG_SHB) {
        r->interfaces = 0;
    } else if (block->type == WIRE_PCAPNG_IDB) {
        if (r->interfaces == INTERFACES) {
            return fail(r, HF_ERR_UNSUPPORTED, "more than %d interfaces", INTERFACES);
        }
        r->iface[r->interfaces].linktype = block->linktype;
        r->iface[r->interfaces].tsresol = block->tsresol;
        r->iface[r->interfaces++].tsoffset = block->tsoffset;
    } else if (block->type == WIRE_PCAPNG_SPB) {
        r->judge->counts.packets++;
        r->judge->counts.other++;
        skip(r, "a Simple Packet Block has no time");
    } else if (block->type == WIRE_PCAPNG_EPB || block->type == WIRE_PCAPNG_OPB) {
        const struct wire_epb *epb = &block->epb;
        if (epb->iface >= r->interfaces) {
            return fail(r, HF_ERR_INVALID, "a packet of interface %u, which is not described",
                        epb->iface);
        }
        int64_t time_ns =
            time_of(epb->ts_ns, r->iface[epb->iface].tsresol, r->iface[epb->iface].tsoffset);
        return judge_packet(r, time_ns, r->iface[epb->iface].linktype, block->packet, epb->caplen,
                            epb->origlen);
    }
    return HF_OK;
}

static int cut_off(struct reader *r, const char *otherwise)
{
    return fail(r, HF_ERR_INVALID, "%scut off behind packet %llu", otherwise,
                (unsigned long long)r->judge->counts.packets);
}

/* The first eight octets have been read. */
static int read_pcapng(struct reader *r)
{
    do {
        struct wire_pcapng_block block;
        uint32_t len = get_le32(r->block + 4);
        if (len < 12 || len > BLOCK_MOST || !read_more(r, 8, len - 8) ||
            wire_pcapng_next(r->block, len, &block) == 0) {
            return cut_off(r, "damaged, big-endian, or ");
        }
        int error = take_block(r, &block);
        if (error != HF_OK) {
            return error;
        }
    } while (read_more(r, 0, 8));
    return r->got > 0 ? cut_off(r, "") : HF_OK;
}

/* pcap ----------------------------------------------------------------------------------------- */

static uint32_t number(const uint8_t *p, bool big)
{
    return big ? get_be32(p) : get_le32(p);
}

static int read_pcap(struct reader *r, bool big, bool nanoseconds)
{
    if (!read_more(r, 8, PCAP_HEAD - 8)) {
        return fail(r, HF_ERR_INVALID, "ends within its header");
    }
    uint32_t linktype = number(r->block + 20, big) & 0xffff;
    while (read_more(r, 0, PCAP_RECORD)) {
        int64_t part = number(r->block + 4, big);
        int64_t time_ns =
            (int64_t)number(r->block, big) * BILLION + part * (nanoseconds ? 1 : 1000);
        uint32_t len = number(r->block + 8, big), whole_len = number(r->block + 12, big);
        if (len > BLOCK_MOST || !read_more(r, PCAP_RECORD, len)) {
            return cut_off(r, "damaged or ");
        }
        int error = judge_packet(r, time_ns, linktype, r->block + PCAP_RECORD, len, whole_len);
        if (error != HF_OK) {
            return error;
        }
    }
    return r->got > 0 ? cut_off(r, "") : HF_OK;
}

static int read_all(struct reader *r)
{
    if (!read_more(r, 0, 8)) {
        return fail(r, HF_ERR_INVALID, "no capture file: it has not even eight octets");
    }
    uint32_t magic = get_le32(r->block), swapped = get_be32(r->block);
    if (magic == WIRE_PCAPNG_SHB) {
        return read_pcapng(r);
    }
    if (magic == PCAP_US || magic == PCAP_NS || swapped == PCAP_US || swapped == PCAP_NS) {
        bool big = swapped == PCAP_US || swapped == PCAP_NS;
        return read_pcap(r, big, (big ? swapped : magic) == PCAP_NS);
    }
    return fail(r, HF_ERR_INVALID, "neither a pcapng nor a pcap file");
}

int hf_capture_judge_file(struct hf_capture_judge *judge, const char *path,
                          char error[HF_ERROR_TEXT])
{
    struct reader r = {.judge = judge, .path = path, .error = error};
    r.file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    if (r.file == NULL) {
        return fail(&r, HF_ERR_PROHIBITED, "cannot be read: %s", strerror(errno));
    }
    int result = read_all(&r);
    if (r.read_errno != 0) { /* that, not what the file seems to lack */
        result = fail(&r, HF_ERR_PROHIBITED, "cannot be read: %s", strerror(r.read_errno));
    }
    if (result == HF_OK && r.skipped > 0) {
        result = fail(&r, HF_ERR_UNSUPPORTED, "%llu packet%s not read: %s",
                      (unsigned long long)r.skipped, r.skipped == 1 ? " was" : "s were", r.kind);
    }
    if (r.file != stdin) {
        (void)fclose(r.file);
    }
    free(r.block);
    return result;
}
