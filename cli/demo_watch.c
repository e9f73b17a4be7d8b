/* demo_watch.c - the demo's eyes: a ladder for each connection, demo.pcapng, and what gets lost. */
#include "demo.h"
#include "link.h"

#include <handfast/packet.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of each transfer this much of the beginning and of the end is in the capture. */
enum { SHOWN_BYTES = 64 * 1024 };

void demo_line(void *arg, const char *text, size_t len)
{
    (void)arg;
    fwrite(text, 1, len, stdout);
    fflush(stdout); /* as it happens */
}

static void trace(void *arg, const struct hf_trace *record)
{
    struct demo *demo = arg;
    hf_ladder_set_trace(demo->ladders, record);
    hf_comments_trace(demo->comments, record);
    if (record->handle != 0 && record->state_after > HF_LISTEN) {
        demo->iss = record->iss;
        demo->irs = record->irs;
    }
}

static bool choose(void *arg, const struct hf_trace *first, struct hf_ladder_style *style)
{
    struct demo *demo = arg;
    (void)first;
    style->title = demo->title;
    return true;
}

/* Capture -------------------------------------------------------------------------------------- */

/* The middle of a transfer is left out: 800 MB of numbers teach nobody. */
static bool keep(void *arg, const struct hf_captured *captured)
{
    struct demo *demo = arg;
    struct hf_packet packet = {.struct_size = sizeof packet};
    hf_packet_decode(captured->data, captured->len, (enum hf_link)captured->link, &packet);
    if (!(packet.layers & HF_LAYER_TCP) || (packet.ctl & (HF_SYN | HF_FIN | HF_RST)))
        return true;
    bool out = captured->direction == HF_DIRECTION_OUT;
    uint32_t at = packet.seq - (out ? demo->iss : demo->irs);
    uint32_t acked = packet.ack - (out ? demo->irs : demo->iss);
    uint64_t where = packet.text_bytes > 0 ? at : acked;
    if (where < SHOWN_BYTES || where + SHOWN_BYTES > demo->options.bytes)
        return true;
    demo->left_out++;
    return false;
}

static size_t comment(void *arg, const struct hf_captured *captured, char *text, size_t room)
{
    struct demo *demo = arg;
    return link_comment(demo->comments, captured, text, room);
}

/* Losses --------------------------------------------------------------------------------------- */

static enum demo_loss loss_out(struct demo_lossy *lossy, const struct hf_packet *packet)
{
    if (packet->ctl & HF_SYN)
        return LOSE_SYN;
    if (packet->ctl & HF_FIN) {
        lossy->our_fin_known = true;
        lossy->our_fin = packet->seq + packet->len;
        return LOSE_FIN;
    }
    if (packet->text_bytes > 0)
        return LOSE_NOTHING;
    if (lossy->their_fin_known && packet->ack == lossy->their_fin)
        return LOSE_LAST_ACK;
    return lossy->our_fin_known ? LOSE_NOTHING : LOSE_THIRD_ACK;
}

static enum demo_loss loss_in(struct demo_lossy *lossy, const struct hf_packet *packet)
{
    if (packet->ctl & HF_SYN)
        return LOSE_SYN_ACK;
    if (packet->ctl & HF_FIN) {
        lossy->their_fin_known = true;
        lossy->their_fin = packet->seq + packet->len;
        return LOSE_OTHER_FIN;
    }
    if (lossy->our_fin_known && packet->ack == lossy->our_fin)
        return LOSE_ACK_OF_FIN;
    return LOSE_NOTHING;
}

/* An hf_lose_fn: each of the seven is lost when it comes for the first time. */
static bool lose(void *arg, int direction, const uint8_t *frame, uint32_t len)
{
    struct demo *demo = arg;
    struct demo_lossy *lossy = &demo->lossy;
    struct hf_packet packet = {.struct_size = sizeof packet};
    if (!lossy->on)
        return false;
    enum hf_link link = (enum hf_link)hf_device_interface(demo->capture)->link;
    hf_packet_decode(frame, len, link, &packet);
    if (!(packet.layers & HF_LAYER_TCP))
        return false;
    enum demo_loss what =
        direction == HF_DIRECTION_OUT ? loss_out(lossy, &packet) : loss_in(lossy, &packet);
    if (what == LOSE_NOTHING || lossy->lost[what])
        return false;
    lossy->lost[what] = true;
    lossy->n_lost++;
    hf_ladder_set_lost(demo->ladders, hf_host_env(demo->host)->now_ns, &packet);
    return true;
}

/* Opening and closing -------------------------------------------------------------------------- */

int demo_watch_open(struct demo *demo)
{
    struct hf_ladder_style style = {.struct_size = sizeof style,
                                    .colour = isatty(1) && !getenv("NO_COLOR"),
                                    .keep = true,
                                    .remote_name = "Linux kernel",
                                    .write = demo_line};
    demo->ladders = hf_ladder_set_new(&style, 0, choose, demo);
    demo->comments = hf_comments_new(0);
    if (!demo->ladders || !demo->comments)
        return cli_failure("no memory to draw with");
    hf_host_set_trace(demo->host, trace, demo);
    /* Names of their own until they are whole: two demos may run in one directory. */
    const char *directory = demo->options.directory;
    snprintf(demo->pcap_at_work, sizeof demo->pcap_at_work, "%.*s/.demo-%d.pcapng",
             DEMO_DIRECTORY_MAX, directory, (int)getpid());
    snprintf(demo->svg_at_work, sizeof demo->svg_at_work, "%.*s/.demo-%d.svg", DEMO_DIRECTORY_MAX,
             directory, (int)getpid());
    return CLI_OK;
}

int demo_watch_device(struct demo *demo, struct hf_device **device)
{
    char error[HF_ERROR_TEXT];
    struct hf_impairment impairment = {
        .struct_size = sizeof impairment, .lose_fn = lose, .lose_arg = demo};
    struct hf_capture capture = {.struct_size = sizeof capture,
                                 .path = demo->pcap_at_work,
                                 .comment = comment,
                                 .comment_arg = demo, /* keep's, too */
                                 .name = "handfast",
                                 .keep = keep,
                                 .interrupted = link_heard_signal};
    if (hf_device_impaired(device, *device, &impairment, error) < 0 ||
        hf_device_capture(device, *device, &capture, error) < 0)
        return cli_failure("%s", error);
    demo->capture = *device;
    return CLI_OK;
}

static int finish(const char *at_work, const char *directory, const char *name)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%.*s/%s", DEMO_DIRECTORY_MAX, directory, name);
    if (rename(at_work, whole) != 0)
        return cli_failure("%s: %s", whole, strerror(errno));
    return CLI_OK;
}

int demo_watch_finish(struct demo *demo)
{
    enum { MOST = 16 };
    struct hf_ladder *ladders[MOST];
    size_t n = 0;
    while (n < MOST && (ladders[n] = hf_ladder_set_at(demo->ladders, n)) != NULL)
        n++;
    FILE *file = fopen(demo->svg_at_work, "we");
    if (!file)
        return cli_failure("%s: %s", demo->svg_at_work, strerror(errno));
    int drawn = link_write_svg(file, ladders, n);
    int written = hf_device_capture_status(demo->capture);
    int error = written < 0 ? -written : drawn;
    if (error)
        return cli_failure("demo.svg and demo.pcapng could not be written to %s: %s",
                           demo->options.directory, strerror(error));
    if (finish(demo->svg_at_work, demo->options.directory, "demo.svg") != CLI_OK)
        return CLI_FAILED;
    return finish(demo->pcap_at_work, demo->options.directory, "demo.pcapng");
}

void demo_watch_close(struct demo *demo)
{
    if (*demo->pcap_at_work)
        unlink(demo->pcap_at_work);
    if (*demo->svg_at_work)
        unlink(demo->svg_at_work);
    hf_ladder_set_free(demo->ladders);
    hf_comments_free(demo->comments);
}
