/* frames.h - what the tests of src/device share: TCP frames as a stack would hand them over. */
#ifndef FRAMES_H
#define FRAMES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "device/device.h"
#include "handfast/device.h"
#include "wire/wire.h"

enum { TEXT_MAX = 65000, MSS = 1000 };

/* Fills in an IPv4 (version 4) or IPv6 TCP frame of text_len octets, its sequence number seq; the
 * text is number i at i.  More than MSS octets make a super-segment.  link: HF_LINK_ETHERNET puts
 * 14 octets in front. */
void make_frame(struct hf_frame_out *frame, uint32_t link, uint8_t version, uint32_t seq,
                uint32_t text_len);

/* Checks lengths and checksums of a wire frame as any receiver would; fills in seg. */
void check_frame(const uint8_t *data, uint32_t len, uint32_t link, struct segment *seg);

/* Sends one frame and says that it was taken. */
void send_one(struct hf_device *device, int64_t now_ns, const struct hf_frame_out *frame);

/* A device that remembers what it was sent and gives what it is told to. */
struct probe {
    struct hf_device *device;
    uint32_t n_sent, n_waiting, takes; /* takes: frames it takes before it is full */
    uint64_t flushes;
    int error; /* of its send; 0: none */
    bool closed;
    struct probe_frame {
        uint32_t len;
        uint16_t flags, gso_size;
        uint8_t data[70000];
    } * sent, *waiting;
};

enum { PROBE_FRAMES = 600 };

struct probe *new_probe(uint32_t link);
void free_probe(struct probe *probe);
/* It will be received: as a device on this machine gives it (checksum not filled in). */
void probe_gives(struct probe *probe, const struct hf_frame_out *frame);

#endif
