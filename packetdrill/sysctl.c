/* sysctl.c - net.ipv4.* of the network namespace this runs in, as scripts write them, as the
 * stack's policy.  What cannot be read keeps the value that the scripts' defaults give it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter.h"

static bool read_text(const char *name, char *text, size_t room)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t len = read(fd, text, room - 1);
    close(fd);
    text[len > 0 ? len : 0] = 0;
    return len > 0;
}

/* Up to n numbers of a file of net.ipv4. */
static void read_numbers(const char *name, int64_t *numbers[], int n)
{
    char text[256];
    if (!read_text(name, text, sizeof text)) {
        return;
    }
    char *at = text;
    for (int i = 0; i < n; i++) {
        char *end;
        long long number = strtoll(at, &end, 0);
        if (end == at) {
            return;
        }
        at = end;
        if (numbers[i]) {
            *numbers[i] = number;
        }
    }
}

/* Four numbers each; the octets of each stand in the order of the machine's. */
static void read_fastopen_keys(struct sysctls *s)
{
    char text[256];
    unsigned n[8];
    s->fastopen_key_count = 0;
    if (!read_text("tcp_fastopen_key", text, sizeof text)) {
        return;
    }
    int got = sscanf(text, "%x-%x-%x-%x,%x-%x-%x-%x", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5],
                     &n[6], &n[7]);
    s->fastopen_key_count = got / 4;
    for (int i = 0; i < got / 4 * 4; i++) {
        for (int j = 0; j < 4; j++) {
            s->fastopen_keys[i / 4][i % 4 * 4 + j] = (uint8_t)(n[i] >> 8 * j);
        }
    }
}

void sysctl_read(struct sysctls *s)
{
    *s = (struct sysctls){
        .timestamps = 1,
        .sack = 1,
        .window_scaling = 1,
        .syn_retries = 5,
        .synack_retries = 5,
        .retries2 = 15,
        .fin_timeout = 60,
        .default_ttl = 64,
        .min_tso_segs = 2,
        .early_retrans = 3,
        .recovery = 1,
        .frto = 2,
        .moderate_rcvbuf = 1,
        .reordering = 3,
        .rmem_default = 540000,
        .rmem_max = 15 << 20,
        .wmem_default = 262144,
        .wmem_max = 4194304,
        .notsent_lowat = UINT32_MAX,
    };
    const struct {
        const char *name;
        int64_t *number;
    } ones[] = {
        {"tcp_timestamps", &s->timestamps},
        {"tcp_sack", &s->sack},
        {"tcp_window_scaling", &s->window_scaling},
        {"tcp_slow_start_after_idle", &s->slow_start_after_idle},
        {"tcp_syn_retries", &s->syn_retries},
        {"tcp_synack_retries", &s->synack_retries},
        {"tcp_retries2", &s->retries2},
        {"tcp_fin_timeout", &s->fin_timeout},
        {"tcp_abort_on_overflow", &s->abort_on_overflow},
        {"tcp_rfc1337", &s->rfc1337},
        {"ip_default_ttl", &s->default_ttl},
        {"tcp_reordering", &s->reordering},
        {"tcp_ecn", &s->ecn},
        {"tcp_fastopen", &s->fastopen},
        {"tcp_early_retrans", &s->early_retrans},
        {"tcp_recovery", &s->recovery},
        {"tcp_frto", &s->frto},
        {"tcp_moderate_rcvbuf", &s->moderate_rcvbuf},
        {"tcp_min_tso_segs", &s->min_tso_segs},
        {"tcp_notsent_lowat", &s->notsent_lowat},
    };
    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++) {
        int64_t *one[] = {ones[i].number};
        read_numbers(ones[i].name, one, 1);
    }
    read_fastopen_keys(s);
    read_numbers("tcp_rmem", (int64_t *[]){NULL, &s->rmem_default, &s->rmem_max}, 3);
    read_numbers("tcp_wmem", (int64_t *[]){NULL, &s->wmem_default, &s->wmem_max}, 3);
}

static uint32_t within(int64_t least, int64_t value, int64_t most)
{
    return (uint32_t)(value < least ? least : value > most ? most : value);
}

/* A receive buffer holds half its size of text: the rest is bookkeeping. */
void sysctl_apply(const struct sysctls *s, struct hf_policy *policy)
{
    policy->timestamps = s->timestamps != 0;
    policy->sack = s->sack != 0;
    policy->window_scale = s->window_scaling != 0;
    policy->slow_start_after_idle = s->slow_start_after_idle != 0;
    policy->syn_retries = within(1, s->syn_retries, 30);
    policy->synack_retries = within(1, s->synack_retries, 7);
    policy->data_retries = within(1, s->retries2, 30);
    policy->fin_timeout_ms = within(1, s->fin_timeout, 100000) * 1000;
    policy->abort_on_overflow = s->abort_on_overflow != 0;
    policy->tw_ignore_rst = s->rfc1337 != 0;
    policy->ttl = (uint8_t)within(1, s->default_ttl, 255);
    policy->chunk_segments = (uint8_t)within(1, s->min_tso_segs, 255);
    policy->dupthresh = (uint8_t)within(3, s->reordering, 255);
    policy->max_receive_window = within(65536, s->rmem_max, 1 << 30);
    policy->receive_window = within(1024, s->rmem_default / 2, policy->max_receive_window);
    policy->send_buffer = within(4096, s->wmem_default, 1 << 30);
    policy->slow_start_l = UINT16_MAX; /* an ACK counts for all that it acknowledges */
    uint32_t known = HF_FAST_OPEN_CLIENT | HF_FAST_OPEN_SERVER | HF_FAST_OPEN_CLIENT_NO_COOKIE |
                     HF_FAST_OPEN_SERVER_NO_COOKIE;
    policy->fast_open = (uint16_t)((s->fastopen & known) | HF_FAST_OPEN_KIND_254);
    policy->tlp = s->early_retrans != 0;
    policy->rack = (s->recovery & 1) != 0;
    policy->frto = s->frto != 0;
    policy->tune_buffers = s->moderate_rcvbuf != 0;
    static const uint8_t ecn[] = {HF_ECN_OFF, HF_ECN_ASK, HF_ECN_ACCEPT};
    policy->ecn = ecn[within(0, s->ecn, 2)];
    policy->ts_tolerate_missing = true; /* scripts leave them out at will */
}
