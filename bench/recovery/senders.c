/* senders.c - who sends: the kernel's TCP, or Handfast on the same TAP; as much as is taken, until
 * the time is over. */
#include "recovery.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <handfast/host.h>

enum { CHUNK = 1 << 17, SAMPLE_NS = 50000000, STEP_MS = 50 };

static char chunk[CHUNK];

/* One line each 50 ms when asked for: what the sender thinks. */
struct samples {
    FILE *file;
    int64_t begin_ns, next_ns;
};

static void samples_open(struct samples *samples, const struct options *options)
{
    *samples = (struct samples){.begin_ns = now_ns()};
    if (options->samples) {
        samples->file = fopen(options->samples, "we");
        if (!samples->file) {
            die(options->samples);
        }
        fprintf(samples->file, "#seconds\tcwnd\tssthresh\tsrtt_ms\trto_ms\tunacked\tretrans\t"
                               "recovery\twindow\n");
    }
}

static bool samples_due(struct samples *samples)
{
    int64_t now = now_ns();
    if (!samples->file || now < samples->next_ns) {
        return false;
    }
    samples->next_ns = now + SAMPLE_NS;
    return true;
}

static void sample_kernel(struct samples *samples, int s)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (!samples_due(samples) || getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
        return;
    }
    fprintf(samples->file, "%.3f\t%u\t%u\t%.1f\t%.1f\t%u\t%u\t%u\t-\n",
            (double)(now_ns() - samples->begin_ns) / 1e9, info.tcpi_snd_cwnd,
            info.tcpi_snd_ssthresh, info.tcpi_rtt / 1e3, info.tcpi_rto / 1e3, info.tcpi_unacked,
            info.tcpi_total_retrans, info.tcpi_ca_state);
}

void send_by_kernel(const struct options *options, int64_t end_ns)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(RECOVERY_PORT)};
    struct samples samples;
    inet_pton(AF_INET, RECOVERY_SINK, &to.sin_addr);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, options->congestion,
                            (socklen_t)strlen(options->congestion)) != 0) {
        die("TCP_CONGESTION");
    }
    if (connect(s, (struct sockaddr *)&to, sizeof to) != 0) {
        die("connect");
    }
    fcntl(s, F_SETFL, O_NONBLOCK);
    samples_open(&samples, options);
    while (now_ns() < end_ns) {
        struct pollfd polled = {.fd = s, .events = POLLOUT};
        poll(&polled, 1, STEP_MS);
        if ((polled.revents & POLLOUT) && write(s, chunk, CHUNK) < 0 && errno != EAGAIN) {
            die("write");
        }
        sample_kernel(&samples, s);
    }
}

static void must(int64_t result, struct hf_host *host, const char *error)
{
    if (result < 0) {
        fprintf(stderr, "recovery: Handfast: %s\n", *error ? error : hf_host_error(host));
        exit(1);
    }
}

static void sample_handfast(struct samples *samples, struct hf_host *host, hf_handle c)
{
    struct hf_status s = {.struct_size = sizeof s};
    if (!samples_due(samples) || hf_status(hf_host_stack(host), hf_host_env(host), c, &s) < 0) {
        return;
    }
    uint32_t mss = s.snd_mss ? s.snd_mss : 1;
    fprintf(samples->file, "%.3f\t%u\t%u\t%.1f\t%u.0\t%u\t%u\t%u\t%u\n",
            (double)(now_ns() - samples->begin_ns) / 1e9, s.cwnd / mss,
            s.ssthresh > 1u << 29 ? 0 : s.ssthresh / mss, s.srtt_us / 1e3, s.rto_ms,
            (s.snd_nxt - s.snd_una) / mss, s.retransmitted_segs, (unsigned)s.in_recovery,
            s.snd_wnd);
}

static void open_handfast(const struct options *options, struct hf_host **host)
{
    char error[HF_ERROR_TEXT] = "";
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 3};
    struct hf_device *device;
    struct hf_config config;
    hf_config_default(&config, 16);
    config.large_chunks = 8192; /* 128 MiB: memory is no limit either */
    config.max_ranges = 65536;
    config.history_events = 0;
    struct hf_host_options host_options = {.struct_size = sizeof host_options, .config = &config};
    must(hf_host_new(host, &host_options), NULL, "no memory");
    must(hf_device_packet(&device, "wire-a", mac, HF_DEVICE_NO_OFFLOAD, error), *host, error);
    if (options->pcap) {
        struct hf_capture capture = {
            .struct_size = sizeof capture, .path = options->pcap, .snaplen = 96};
        must(hf_device_capture(&device, device, &capture, error), *host, error);
    }
    int iface = hf_host_attach(*host, device);
    must(iface, *host, error);
    must(hf_host_address(*host, iface, RECOVERY_HANDFAST "/24"), *host, error);
}

void send_by_handfast(const struct options *options, int64_t end_ns)
{
    struct hf_host *host;
    struct samples samples;
    hf_handle c;
    char port[8];
    open_handfast(options, &host);
    snprintf(port, sizeof port, "%d", RECOVERY_PORT);
    must(hf_host_connect(host, RECOVERY_SINK, port, 10000, &c), host, "");
    if (options->send_buffer) {
        must(hf_set_option(hf_host_stack(host), hf_host_env(host), c, HF_SEND_BUFFER,
                           options->send_buffer),
             host, "HF_SEND_BUFFER");
    }
    samples_open(&samples, options);
    while (now_ns() < end_ns) {
        ssize_t n = hf_host_send_some(host, c, chunk, CHUNK, STEP_MS);
        must(n == -EAGAIN ? 0 : n, host, "");
        sample_handfast(&samples, host, c);
    }
    hf_host_free(host);
}
