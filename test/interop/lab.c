/* lab.c - private network, pattern, and this side of the connections. */
#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERN = (1 << 20) + 7, CHUNK = 1 << 17, MSL_MS = 100 };

/* The pattern ---------------------------------------------------------------------------------- */

static uint8_t pattern[PATTERN];

static void make_pattern(void)
{
    uint64_t x = 0x9e3779b97f4a7c15;
    for (uint32_t i = 0; i < PATTERN; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        pattern[i] = (uint8_t)(x >> 32);
    }
}

const uint8_t *lab_pattern(uint64_t at, uint64_t *len)
{
    uint64_t begin = at % PATTERN;
    if (*len > PATTERN - begin) {
        *len = PATTERN - begin;
    }
    return pattern + begin;
}

bool lab_pattern_equal(uint64_t at, const uint8_t *data, uint64_t len)
{
    while (len > 0) {
        uint64_t n = len;
        const uint8_t *want = lab_pattern(at, &n);
        if (memcmp(data, want, n) != 0) {
            return false;
        }
        at += n;
        data += n;
        len -= n;
    }
    return true;
}

/* Opening and closing -------------------------------------------------------------------------- */

static void must(int64_t result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "lab: %s: %s\n", what, strerror((int)-result));
        abort();
    }
}

int lab_skip(void)
{
    char error[HF_ERROR_TEXT];
    struct hf_private *net;
    if (hf_private_open(&net, NULL, error) == 0) {
        hf_private_close(net);
        return 0;
    }
    const char *ci = getenv("CI");
    printf("skipped: %s\n", error);
    return ci != NULL && strcmp(ci, "true") == 0 ? 1 : 77;
}

static struct hf_device *lossy(struct lab *lab, struct hf_device *device)
{
    struct hf_impairment impairment = {.struct_size = sizeof impairment,
                                       .lose = 50000,
                                       .reorder = 50000,
                                       .duplicate = 10000,
                                       .seed = "lab"};
    char error[HF_ERROR_TEXT];
    must(hf_device_impaired(&lab->impaired, device, &impairment, error), error);
    return lab->impaired;
}

struct lab *lab_open(uint32_t connections, bool loss)
{
    char error[HF_ERROR_TEXT] = "";
    struct lab *lab = calloc(1, sizeof *lab);
    if (lab == NULL) {
        abort();
    }
    if (pattern[0] == 0 && pattern[1] == 0) {
        make_pattern();
    }
    struct hf_config config;
    hf_config_default(&config, connections);
    config.policy.msl_ms = MSL_MS;
    struct hf_host_options options = {.struct_size = sizeof options, .config = &config};
    must(hf_private_open(&lab->net, NULL, error), error);
    must(hf_host_new(&lab->host, &options), "hf_host_new");
    struct hf_device *device = hf_private_device(lab->net);
    if (loss) {
        device = lossy(lab, device);
    }
    int iface = hf_host_attach(lab->host, device);
    must(iface, "hf_host_attach");
    lab->iface = (uint32_t)iface;
    must(hf_host_address(lab->host, iface, "10.77.0.2/24"), "hf_host_address");
    must(hf_host_address(lab->host, iface, "fd77::2/64"), "hf_host_address");
    return lab;
}

void lab_close(struct lab *lab)
{
    hf_host_free(lab->host);
    hf_private_close(lab->net);
    free(lab);
}

struct hf_endpoint lab_peer_endpoint(int version)
{
    struct hf_endpoint peer = {.port = LAB_PORT};
    static const uint8_t ip4[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 77, [15] = 1};
    static const uint8_t ip6[16] = {0xfd, 0x77, [15] = 1};
    memcpy(peer.ip, version == 4 ? ip4 : ip6, 16);
    return peer;
}

/* This side ------------------------------------------------------------------------------------ */

struct talk {
    hf_handle handle; /* 0: none */
    uint64_t sent, received;
    bool closed, ended, bad;
};

struct run {
    struct lab *lab;
    struct talk *talks;
    uint64_t up, down;
    uint64_t left, over, bad;
};

static void begin(struct run *run, uint32_t i)
{
    struct lab *lab = run->lab;
    struct talk *talk = &run->talks[i];
    struct hf_endpoint peer = lab_peer_endpoint(run->left % 2 == 0 ? 4 : 6);
    *talk = (struct talk){0};
    run->left--;
    int result =
        hf_open(hf_host_stack(lab->host), hf_host_env(lab->host), NULL, &peer, 0, &talk->handle);
    must(result < 0 ? -hf_errno(result) : 0, hf_error_text(result));
    hf_set_cookie(hf_host_stack(lab->host), talk->handle, i);
}

static void send_more(struct run *run, struct talk *talk)
{
    struct hf_stack *stack = hf_host_stack(run->lab->host);
    const struct hf_env *env = hf_host_env(run->lab->host);
    while (talk->sent < run->up) {
        uint64_t len = run->up - talk->sent;
        const uint8_t *data = lab_pattern(talk->sent, &len);
        int64_t n = hf_send(stack, env, talk->handle, data, len, 0);
        if (n < 0) {
            talk->bad |= n != HF_ERR_WOULD_BLOCK && n != HF_ERR_NOT_CONNECTED;
            return;
        }
        talk->sent += (uint64_t)n;
    }
    if (!talk->closed) {
        talk->closed = true;
        talk->bad |= hf_close(stack, env, talk->handle) < 0;
    }
}

static void receive_more(struct run *run, struct talk *talk)
{
    static uint8_t chunk[CHUNK];
    struct hf_stack *stack = hf_host_stack(run->lab->host);
    while (!talk->ended) {
        int64_t n = hf_recv(stack, hf_host_env(run->lab->host), talk->handle, chunk, CHUNK);
        if (n < 0) {
            talk->bad |= n != HF_ERR_WOULD_BLOCK && n != HF_ERR_NOT_CONNECTED;
            return;
        }
        if (n == 0) {
            talk->ended = true;
        } else {
            talk->bad |= !lab_pattern_equal(talk->received, chunk, (uint64_t)n);
            talk->received += (uint64_t)n;
        }
    }
}

/* Over: both directions have ended, or something is wrong. */
static bool over(const struct run *run, struct talk *talk)
{
    if (talk->ended && talk->received != run->down) {
        talk->bad = true;
    }
    return talk->bad || (talk->ended && talk->closed);
}

static void on_event(struct run *run, const struct hf_event *event)
{
    struct talk *talk = &run->talks[event->cookie];
    if (talk->handle != event->handle) {
        return;
    }
    if (event->bits & (HF_CONNECTED | HF_WRITABLE)) {
        send_more(run, talk);
    }
    receive_more(run, talk);
    if ((event->bits & HF_CLOSED_EVENT) && event->error != 0) {
        talk->bad = true;
    }
    if (!over(run, talk)) {
        return;
    }
    if (talk->bad) {
        struct hf_close_reason reason;
        hf_close_reason(hf_host_stack(run->lab->host), talk->handle, &reason);
        fprintf(stderr, "lab: sent %llu, received %llu: %s\n", (unsigned long long)talk->sent,
                (unsigned long long)talk->received, reason.text);
    }
    run->bad += talk->bad;
    run->over++;
    hf_release(hf_host_stack(run->lab->host), hf_host_env(run->lab->host), talk->handle);
    talk->handle = 0;
    if (run->left > 0) {
        begin(run, (uint32_t)event->cookie);
    }
}

/* What those that are not over are waiting for. */
static void tell_stuck(const struct run *run, uint32_t at_once)
{
    fprintf(stderr, "lab: nothing happens any more\n");
    for (uint32_t i = 0; i < at_once; i++) {
        struct hf_status s = {.struct_size = sizeof s};
        const struct talk *talk = &run->talks[i];
        if (talk->handle == 0 || hf_status(hf_host_stack(run->lab->host),
                                           hf_host_env(run->lab->host), talk->handle, &s) < 0) {
            continue;
        }
        fprintf(stderr, "lab: port %u, %s: SND.UNA %u SND.NXT %u SND.WND %u RCV.NXT %u RCV.WND %u,",
                s.local.port, hf_state_name(s.state), s.snd_una - s.iss, s.snd_nxt - s.iss,
                s.snd_wnd, s.rcv_nxt - s.irs, s.rcv_wnd);
        fprintf(stderr, " queued %u, unread %u, retries %u, sent %llu, received %llu\n",
                s.queued_bytes, s.unread_bytes, s.retries, (unsigned long long)talk->sent,
                (unsigned long long)talk->received);
    }
}

uint64_t lab_run(struct lab *lab, uint64_t n, uint32_t at_once, uint64_t up, uint64_t down)
{
    enum { EVENTS = 64 };
    struct run run = {.lab = lab, .up = up, .down = down, .left = n};
    struct hf_event events[EVENTS];
    run.talks = calloc(at_once, sizeof *run.talks);
    if (run.talks == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < at_once && run.left > 0; i++) {
        begin(&run, i);
    }
    hf_host_flush(lab->host);
    int64_t progress_at = hf_host_env(lab->host)->now_ns;
    while (run.over < n) {
        must(hf_host_run_once(lab->host, 1000000000), "hf_host_run_once");
        uint32_t got;
        while ((got = hf_events(hf_host_stack(lab->host), hf_host_env(lab->host), events, EVENTS)) >
               0) {
            progress_at = hf_host_env(lab->host)->now_ns;
            for (uint32_t i = 0; i < got; i++) {
                on_event(&run, &events[i]);
            }
            hf_host_flush(lab->host);
        }
        if (hf_host_env(lab->host)->now_ns - progress_at > LAB_PATIENCE_MS * INT64_C(1000000)) {
            tell_stuck(&run, at_once);
            break;
        }
    }
    free(run.talks);
    return run.bad + (n - run.over);
}

static uint64_t count_left(const struct lab *lab)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(hf_host_stack(lab->host), &counters);
    return (uint64_t)counters.connections + counters.half_open + counters.time_wait +
           counters.active + counters.small_chunks + counters.large_chunks + counters.ranges;
}

uint64_t lab_left_over(struct lab *lab)
{
    int64_t end = hf_host_env(lab->host)->now_ns + LAB_PATIENCE_MS * INT64_C(1000000);
    while (count_left(lab) > 0 && hf_host_env(lab->host)->now_ns < end) {
        must(hf_host_run_once(lab->host, 10000000), "hf_host_run_once");
    }
    return count_left(lab);
}
