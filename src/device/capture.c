/* capture.c - a pcapng tap around any device, draft-ietf-opsawg-pcapng.
 *
 * What goes out is written when it was sent.  What comes in waits, copied, until hf_device_flush
 * says that the stack has seen it: only then does anybody know what to say about it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "device/device.h"
#include "wire/wire.h"

enum { COMMENT_BYTES = 4096, FILE_BUFFER = 1 << 18 };
#define FILE_INTERVAL_NS INT64_C(200000000) /* a reader sees packets within this time */

struct waiting {
    struct waiting *next;
    int64_t time_ns;
    uint32_t len;
    uint16_t flags, gso_size;
    uint8_t data[];
};

struct capture {
    struct hf_device *inner;
    int file;
    int error; /* what stopped the writing: negative errno */
    hf_comment_fn *comment;
    hf_keep_fn *keep;
    hf_interrupted_fn *interrupted;
    void *comment_arg;
    uint32_t snaplen;
    int64_t epoch_ns;
    int64_t written_out_at;
    uint64_t frames[2]; /* by HF_DIRECTION_* - 1 */
    struct waiting *first, **last;
    uint8_t joined[DEV_FRAME_BYTES];
    uint8_t cut[DEV_FRAME_BYTES];
    char text[COMMENT_BYTES];
    uint8_t block[COMMENT_BYTES + 512];
    size_t used; /* of buffer: what is not written yet */
    uint8_t buffer[FILE_BUFFER];
};

/* The first one stays. */
static void note_error(struct capture *capture, int err)
{
    capture->error = capture->error == 0 ? err : capture->error;
}

static bool goes_on(const struct capture *capture, int err)
{
    return err == EINTR &&
           (capture->interrupted == NULL || !capture->interrupted(capture->comment_arg));
}

/* Signals come at any time, and a pipe's reader takes what it likes: neither ends a capture by
 * itself. */
static void write_buffer(struct capture *capture)
{
    size_t done = 0;
    while (done < capture->used && capture->error == 0) {
        ssize_t n = write(capture->file, capture->buffer + done, capture->used - done);
        if (n >= 0) {
            done += (size_t)n;
        } else {
            int err = errno;
            if (!goes_on(capture, err)) {
                note_error(capture, -err);
            }
        }
    }
    capture->used = 0;
}

static void put(struct capture *capture, const void *data, size_t len)
{
    if (len > sizeof capture->buffer - capture->used) {
        write_buffer(capture);
    }
    memcpy(capture->buffer + capture->used, data, len);
    capture->used += len;
}

static void write_packet(struct capture *capture, const struct hf_captured *packet)
{
    size_t text_len = 0;
    if (capture->keep != NULL && !capture->keep(capture->comment_arg, packet)) {
        return;
    }
    if (capture->comment != NULL) {
        text_len = capture->comment(capture->comment_arg, packet, capture->text, COMMENT_BYTES);
    }
    struct wire_epb epb = {
        .ts_ns = (uint64_t)(packet->time_ns + capture->epoch_ns),
        .caplen = min_u32(packet->len, capture->snaplen),
        .origlen = packet->len,
        .direction = packet->direction == HF_DIRECTION_IN ? WIRE_DIRECTION_IN : WIRE_DIRECTION_OUT,
        .comment = {capture->text, min_u64(text_len, COMMENT_BYTES)},
    };
    put(capture, capture->block,
        wire_pcapng_epb_begin(capture->block, sizeof capture->block, &epb));
    put(capture, packet->data, epb.caplen);
    put(capture, capture->block, wire_pcapng_epb_end(capture->block, sizeof capture->block, &epb));
}

static void write_frame(struct capture *capture, uint32_t direction, int64_t time_ns,
                        const struct dev_frame *frame)
{
    struct hf_captured packet = {
        .time_ns = time_ns,
        .data = capture->cut,
        .link = frame->link,
        .direction = direction,
        .frame = capture->frames[direction - 1]++,
        .pieces = dev_cut_count(frame),
    };
    for (packet.piece = 0; packet.piece < packet.pieces; packet.piece++) {
        packet.len = dev_cut(frame, packet.piece, capture->cut);
        write_packet(capture, &packet);
    }
}

static void write_waiting(struct capture *capture)
{
    while (capture->first != NULL) {
        struct waiting *waiting = capture->first;
        struct dev_frame frame = {
            .data = waiting->data,
            .len = waiting->len,
            .link = capture->inner->iface.link,
            .gso_size = waiting->gso_size,
            .in_csum = (waiting->flags & HF_FRAME_CSUM_OK) != 0,
        };
        write_frame(capture, HF_DIRECTION_IN, waiting->time_ns, &frame);
        capture->first = waiting->next;
        free(waiting);
    }
    capture->last = &capture->first;
}

/* Where nothing happens any more, the deadline calls for it. */
static void write_out(struct capture *capture, int64_t now_ns)
{
    if (capture->used > 0 && now_ns >= capture->written_out_at + FILE_INTERVAL_NS) {
        capture->written_out_at = now_ns;
        write_buffer(capture);
    }
}

static void flush(void *self, int64_t now_ns)
{
    struct capture *capture = self;
    write_waiting(capture);
    write_out(capture, now_ns);
    hf_device_flush(capture->inner, now_ns);
}

static int receive(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    struct capture *capture = self;
    int got = hf_device_receive(capture->inner, now_ns, frames, n);
    for (int i = 0; i < got; i++) {
        struct waiting *waiting = NULL;
        if (frames[i].len <= DEV_FRAME_BYTES) {
            waiting = malloc(sizeof *waiting + frames[i].len);
        }
        if (waiting == NULL) { /* it is missing: so is all that comes after it */
            note_error(capture, -ENOMEM);
            continue;
        }
        *waiting = (struct waiting){
            .time_ns = now_ns,
            .len = frames[i].len,
            .flags = frames[i].flags,
            .gso_size = frames[i].gso_size,
        };
        memcpy(waiting->data, frames[i].data, frames[i].len);
        *capture->last = waiting;
        capture->last = &waiting->next;
    }
    return got;
}

static int send_frames(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    struct capture *capture = self;
    write_waiting(capture); /* what came in before, stands before */
    int sent = hf_device_send(capture->inner, now_ns, frames, n);
    for (int i = 0; i < sent; i++) {
        struct dev_frame joined;
        if (dev_join(&frames[i], capture->inner->iface.link, capture->joined, &joined)) {
            write_frame(capture, HF_DIRECTION_OUT, now_ns, &joined);
        }
    }
    return sent;
}

static int64_t deadline(const void *self)
{
    const struct capture *capture = self;
    int64_t inner_ns = hf_device_deadline(capture->inner);
    int64_t due_ns = capture->used > 0 ? capture->written_out_at + FILE_INTERVAL_NS : INT64_MAX;
    return due_ns < inner_ns ? due_ns : inner_ns;
}

static void timeouts(void *self, int64_t now_ns)
{
    struct capture *capture = self;
    hf_device_timeouts(capture->inner, now_ns);
    write_out(capture, now_ns);
}

static int poll_events(const void *self)
{
    const struct capture *capture = self;
    return hf_device_poll_events(capture->inner);
}

static void close_capture(void *self)
{
    struct capture *capture = self;
    write_waiting(capture);
    write_buffer(capture); /* hf_device_capture_status was the time to ask how it went */
    close(capture->file);
    hf_device_close(capture->inner);
    free(capture);
}

static const struct hf_device_calls capture_calls = {
    .struct_size = sizeof(struct hf_device_calls),
    .receive = receive,
    .send = send_frames,
    .flush = flush,
    .deadline = deadline,
    .timeouts = timeouts,
    .poll_events = poll_events,
    .close = close_capture,
};

/* Setting up ---------------------------------------------------------------------------------- */

static int64_t clock_ns(clockid_t which)
{
    struct timespec now = {0};
    (void)clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct wire_text text_of(const char *at)
{
    return (struct wire_text){at, strlen(at)};
}

static void write_head(struct capture *capture, const char *name)
{
    bool ethernet = capture->inner->iface.link == HF_LINK_ETHERNET;
    put(capture, capture->block,
        wire_pcapng_shb(capture->block, sizeof capture->block, text_of(""), text_of(""),
                        text_of("handfast " HF_VERSION)));
    put(capture, capture->block,
        wire_pcapng_idb(capture->block, sizeof capture->block,
                        ethernet ? WIRE_LINKTYPE_ETHERNET : WIRE_LINKTYPE_RAW,
                        capture->snaplen == UINT32_MAX ? 0 : capture->snaplen,
                        (struct wire_text){name, strnlen(name, 255)}));
}

/* The program goes on with its standard output, and what it has printed before stands before. */
static int open_file(const char *path)
{
    if (strcmp(path, "-") != 0) {
        return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
    (void)fflush(stdout);
    return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

static struct capture *new_capture(struct hf_device *inner, const struct hf_capture *how)
{
    struct capture *capture = calloc(1, sizeof *capture);
    if (capture == NULL) {
        return NULL;
    }
    capture->inner = inner;
    capture->last = &capture->first;
    capture->comment = how->comment;
    capture->keep = how->keep;
    capture->interrupted = how->interrupted;
    capture->comment_arg = how->comment_arg;
    capture->snaplen = how->snaplen == 0 ? UINT32_MAX : how->snaplen;
    capture->epoch_ns =
        how->epoch_ns != 0 ? how->epoch_ns : clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
    return capture;
}

int hf_device_capture(struct hf_device **device, struct hf_device *inner,
                      const struct hf_capture *how, char error[HF_ERROR_TEXT])
{
    *device = NULL;
    struct capture *capture = new_capture(inner, how);
    if (capture == NULL) {
        hf_device_close(inner);
        return dev_fail(error, -ENOMEM, "capture: no memory");
    }
    capture->file = open_file(how->path);
    if (capture->file < 0) {
        int err = -errno;
        hf_device_close(inner);
        free(capture);
        return dev_fail(error, err, "%s: cannot be written: %s", how->path, strerror(-err));
    }
    write_head(capture, how->name == NULL ? inner->name : how->name);
    int err = hf_device_new(device, &capture_calls, capture, &inner->iface, inner->fd, inner->name);
    if (err < 0) {
        close_capture(capture);
        return dev_fail(error, err, "capture: no memory");
    }
    dev_inherit(*device, inner);
    return 0;
}

int hf_device_capture_status(struct hf_device *device)
{
    if (device->calls != &capture_calls) {
        return -EINVAL;
    }
    struct capture *capture = device->self;
    write_buffer(capture);
    return capture->error;
}
