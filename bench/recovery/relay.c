/* relay.c - carries frames between two TAPs as struct path says, and watches what is sent again.
 *
 * It sleeps until a frame comes or the next one is due, but never less than QUANTUM_NS: what is due
 * meanwhile goes a little late, together. */
#include "recovery.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { QUANTUM_NS = 100000, FRAME_MAX = 2048, LATE_NS = 1000000, BATCH = 256 };

struct relay {
    int tap[2];
    struct path path[2];
    struct shared *shared;
    bool begun;
};

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

struct text {
    bool tcp, syn;
    uint32_t seq, len;
};

/* An IPv4 TCP segment in an Ethernet frame. */
static struct text text_of(const uint8_t *frame, uint32_t len)
{
    enum { ETHERNET = 14, IP = 20, TCP = 20, SYN = 2 };
    struct text text = {0};
    const uint8_t *ip = frame + ETHERNET;
    if (len < ETHERNET + IP + TCP || frame[12] != 8 || frame[13] != 0 || ip[9] != 6) {
        return text;
    }
    uint32_t ip_len = (uint32_t)(ip[0] & 15) * 4, total = (uint32_t)ip[2] << 8 | ip[3];
    const uint8_t *tcp = ip + ip_len;
    if (ETHERNET + ip_len + TCP > len || total + ETHERNET > len) {
        return text;
    }
    uint32_t headers = ip_len + (uint32_t)(tcp[12] >> 4) * 4;
    text.tcp = total >= headers;
    text.seq = be32(tcp + 4);
    text.len = text.tcp ? total - headers : 0;
    text.syn = tcp[13] & SYN;
    return text;
}

/* The times of the case count from the first SYN. */
static void begin(struct relay *relay, int64_t now)
{
    relay->begun = true;
    relay->shared->begin_ns = now;
    for (int i = 0; i < 2; i++) {
        if (relay->path[i].how.dead_from_ns) {
            relay->path[i].how.dead_from_ns += now;
            relay->path[i].how.dead_until_ns += now;
        }
    }
}

static void take_in(struct relay *relay, int from)
{
    uint8_t frame[FRAME_MAX];
    for (int i = 0; i < BATCH; i++) {
        ssize_t n = read(relay->tap[from], frame, sizeof frame);
        if (n <= 0) {
            if (n < 0 && errno != EAGAIN && errno != EINTR) {
                die("relay: read");
            }
            return;
        }
        int64_t now = now_ns();
        struct text text = text_of(frame, (uint32_t)n);
        if (from == 0 && text.syn && !relay->begun) {
            begin(relay, now);
        }
        bool forwarded = path_offer(&relay->path[from], now, frame, (uint32_t)n);
        if (from == 0 && text.tcp) {
            repeats_segment(&relay->shared->repeats, text.seq, text.len, forwarded);
        }
    }
}

static void give_out(struct relay *relay, int from)
{
    struct shared *shared = relay->shared;
    int64_t now = now_ns();
    struct path_frame *frame;
    while ((frame = path_take(&relay->path[from], now)) != NULL) {
        int64_t late = now - frame->at_ns;
        shared->forwarded++;
        shared->over_ms += late > LATE_NS;
        shared->latest_ns = late > shared->latest_ns ? late : shared->latest_ns;
        if (write(relay->tap[1 - from], frame->bytes, frame->len) < 0 && errno != EAGAIN) {
            die("relay: write");
        }
        free(frame);
        now = now_ns();
    }
    shared->counts[from] = relay->path[from].counts;
}

static int64_t next_ns(const struct relay *relay)
{
    int64_t a = path_next(&relay->path[0]), b = path_next(&relay->path[1]);
    return a < b ? a : b;
}

void relay_run(int tap_a, int tap_b, const struct path_how how[2], struct shared *shared)
{
    static struct relay relay;
    relay = (struct relay){.tap = {tap_a, tap_b}, .shared = shared};
    path_begin(&relay.path[0], &how[0]);
    path_begin(&relay.path[1], &how[1]);
    prctl(PR_SET_TIMERSLACK, 1UL);
    struct sched_param first = {.sched_priority = 1}; /* it runs for moments: it is the wire */
    (void)sched_setscheduler(0, SCHED_RR, &first);
    for (;;) {
        struct pollfd polled[2] = {{.fd = tap_a, .events = POLLIN},
                                   {.fd = tap_b, .events = POLLIN}};
        int64_t next = next_ns(&relay), wait_ns = next == INT64_MAX ? 0 : next - now_ns();
        wait_ns = wait_ns < QUANTUM_NS ? QUANTUM_NS : wait_ns;
        struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
        if (ppoll(polled, 2, next == INT64_MAX ? NULL : &wait, NULL) < 0 && errno != EINTR) {
            die("relay: poll");
        }
        for (int from = 0; from < 2; from++) {
            if (polled[from].revents) {
                take_in(&relay, from);
            }
            give_out(&relay, from);
        }
    }
}
