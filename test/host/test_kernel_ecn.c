/* ctest: timeout=180
 * ECN and AccECN with the kernel's TCP as the peer, in a private network, over a device that marks
 * some of the packets that may be marked.  Skipped where the system allows no namespaces, or has no
 * AccECN. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "handfast/host.h"

enum { LONG_MS = 60000, PORT = 4000, BYTES = 3000000, EVERY = 97 };
enum { TCPI_ECN = 8, TCPI_SEEN = 16 }; /* TCPI_OPT_ECN, TCPI_OPT_ECN_SEEN */

/* A device that marks every 97th packet of text that says ECT, in each direction. */
struct marker {
    struct hf_device *inner;
    uint32_t in, out;               /* such packets so far */
    uint32_t marked_in, marked_out; /* of them             */
};

enum fate { NOT_COUNTED, PASSED, MARKED };

/* The header, and what a router does to it: CE, and the checksum of IPv4. */
static enum fate mark(uint8_t *ip, uint32_t len, uint32_t *count)
{
    bool v6 = ip[0] >> 4 == 6;
    uint32_t header = v6 ? 40 : (ip[0] & 15) * 4u;
    unsigned codepoint = v6 ? ip[1] >> 4 & 3 : ip[1] & 3;
    if ((codepoint != 1 && codepoint != 2) || len <= header + (ip[header + 12] >> 4) * 4u) {
        return NOT_COUNTED;
    }
    if (++*count % EVERY != 0) {
        return PASSED;
    }
    ip[1] |= v6 ? 0x30 : 3;
    if (!v6) {
        ip[10] = ip[11] = 0;
        uint16_t sum = csum_finish(csum_add(0, ip, header));
        ip[10] = (uint8_t)(sum >> 8);
        ip[11] = (uint8_t)sum;
    }
    return MARKED;
}

static int marker_receive(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    struct marker *m = self;
    int got = hf_device_receive(m->inner, now_ns, frames, n);
    for (int i = 0; i < got; i++) { /* the octets lie in memory of the TUN device's own */
        enum fate fate = mark((uint8_t *)(uintptr_t)frames[i].data, frames[i].len, &m->in);
        m->marked_in += fate == MARKED;
    }
    return got;
}

static int marker_send(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    struct marker *m = self;
    for (uint32_t i = 0; i < n; i++) {
        struct hf_frame_out frame = frames[i];
        enum fate fate = mark(frame.header, frame.len, &m->out);
        int sent = hf_device_send(m->inner, now_ns, &frame, 1);
        if (sent < 1) { /* it is offered again */
            m->out -= fate != NOT_COUNTED;
            return i ? (int)i : sent;
        }
        m->marked_out += fate == MARKED;
    }
    return (int)n;
}

static void marker_flush(void *self, int64_t now_ns)
{
    hf_device_flush(((struct marker *)self)->inner, now_ns);
}

static int64_t marker_deadline(const void *self)
{
    return hf_device_deadline(((const struct marker *)self)->inner);
}

static void marker_timeouts(void *self, int64_t now_ns)
{
    hf_device_timeouts(((struct marker *)self)->inner, now_ns);
}

static int marker_poll_events(const void *self)
{
    return hf_device_poll_events(((const struct marker *)self)->inner);
}

static void marker_close(void *self)
{
    hf_device_close(((struct marker *)self)->inner);
}

struct lab {
    struct hf_private *net;
    struct hf_host *host;
    struct marker marker;
};

static void open_lab(struct lab *lab, const char *kernel_ecn, bool accurate)
{
    static const struct hf_device_calls calls = {.struct_size = sizeof calls,
                                                 .receive = marker_receive,
                                                 .send = marker_send,
                                                 .flush = marker_flush,
                                                 .deadline = marker_deadline,
                                                 .timeouts = marker_timeouts,
                                                 .poll_events = marker_poll_events,
                                                 .close = marker_close};
    struct hf_private_options options = {.struct_size = sizeof options,
                                         .flags = HF_PRIVATE_TUN | HF_PRIVATE_NO_OFFLOAD};
    struct hf_config config;
    memset(lab, 0, sizeof *lab);
    if (hf_private_open(&lab->net, &options, NULL) != 0) {
        skip();
    }
    if (hf_private_sysctl(lab->net, "net/ipv4/tcp_ecn", kernel_ecn) != 0) {
        hf_private_close(lab->net);
        skip();
    }
    hf_config_default(&config, 16);
    config.policy.ecn = HF_ECN_ASK;
    config.policy.accecn = accurate;
    struct hf_host_options host = {.struct_size = sizeof host, .config = &config};
    assert_int_equal(hf_host_new(&lab->host, &host), 0);
    struct hf_device *inner = hf_private_device(lab->net), *device;
    lab->marker.inner = inner;
    assert_int_equal(hf_device_new(&device, &calls, &lab->marker, hf_device_interface(inner),
                                   hf_device_fd(inner), hf_device_name(inner)),
                     0);
    int iface = hf_host_attach(lab->host, device);
    assert_int_equal(iface, 1);
    assert_int_equal(hf_private_address(lab->net, lab->host, iface), 0);
}

static void close_lab(struct lab *lab)
{
    hf_host_free(lab->host);
    hf_private_close(lab->net);
}

struct kernel {
    pthread_t thread;
    int fd;
    bool good;
};

/* As many octets each way, at the same time. */
static void *kernel_sends(void *arg)
{
    struct kernel *kernel = arg;
    static const uint8_t data[1 << 16];
    size_t sent = 0;
    ssize_t n = 1;
    while (n > 0 && sent < BYTES) {
        size_t len = BYTES - sent < sizeof data ? BYTES - sent : sizeof data;
        n = send(kernel->fd, data, len, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
    }
    kernel->good = sent == BYTES;
    return NULL;
}

static void *kernel_receives(void *arg)
{
    struct kernel *kernel = arg;
    static uint8_t data[1 << 16];
    size_t got = 0;
    ssize_t n = 1;
    while (n > 0 && got < BYTES) {
        n = recv(kernel->fd, data, sizeof data, 0);
        got += n > 0 ? (size_t)n : 0;
    }
    kernel->good = got == BYTES;
    return NULL;
}

static void be_patient(int fd)
{
    struct timeval patience = {.tv_sec = LONG_MS / 1000};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static void connect_to_kernel(struct lab *lab, int version, hf_handle *c, int *fd)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof(struct sockaddr_in6);
    if (version == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
        memcpy(&at, &in, sizeof in);
        len = sizeof in;
    } else {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
        memcpy(&at, &in, sizeof in);
    }
    int one = 1;
    int listener = hf_private_socket(lab->net, at.ss_family, SOCK_STREAM, 0);
    assert_true(listener >= 0);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    const char *name = version == 4 ? "10.77.0.1" : "fd77::1";
    if (hf_host_connect(lab->host, name, "4000", LONG_MS, c) < 0) {
        fail_msg("%s", hf_host_error(lab->host));
    }
    *fd = accept(listener, NULL, NULL);
    assert_true(*fd >= 0);
    close(listener);
    be_patient(*fd);
}

static void connect_from_kernel(struct lab *lab, int version, hf_handle *c, int *fd)
{
    struct sockaddr_storage to = {0};
    socklen_t len = sizeof(struct sockaddr_in6);
    if (version == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
        (void)inet_pton(AF_INET, "10.77.0.2", &in.sin_addr);
        memcpy(&to, &in, sizeof in);
        len = sizeof in;
    } else {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
        (void)inet_pton(AF_INET6, "fd77::2", &in.sin6_addr);
        memcpy(&to, &in, sizeof in);
    }
    hf_handle listener;
    assert_int_equal(hf_host_listen(lab->host, NULL, "4000", 5, &listener), 0);
    *fd = hf_private_socket(lab->net, to.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(*fd >= 0);
    (void)connect(*fd, (struct sockaddr *)&to, len);
    assert_int_equal(hf_host_accept(lab->host, listener, LONG_MS, c, NULL), 0);
    assert_int_equal(hf_host_release(lab->host, listener), 0);
    assert_int_equal(fcntl(*fd, F_SETFL, 0), 0);
    be_patient(*fd);
}

static void run(struct lab *lab, int turns)
{
    for (int i = 0; i < turns; i++) {
        assert_true(hf_host_run_once(lab->host, 1000000) >= 0);
    }
}

/* Text to the kernel, then from it; what either side says of marks is what the device did. */
static void exchange(struct lab *lab, hf_handle c, int fd, uint8_t mode)
{
    static uint8_t data[1 << 16];
    struct kernel kernel = {.fd = fd};
    struct hf_status status = {.struct_size = sizeof status};
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    lab->marker.in = lab->marker.out = lab->marker.marked_in = lab->marker.marked_out = 0;
    assert_int_equal(pthread_create(&kernel.thread, NULL, kernel_receives, &kernel), 0);
    for (size_t sent = 0; sent < BYTES;) {
        size_t n = BYTES - sent < sizeof data ? BYTES - sent : sizeof data;
        assert_int_equal(hf_host_send(lab->host, c, data, n, LONG_MS), 0);
        sent += n;
    }
    do {
        run(lab, 1);
        assert_int_equal(hf_status(hf_host_stack(lab->host), hf_host_env(lab->host), c, &status),
                         HF_OK);
    } while (status.queued_bytes != 0);
    assert_int_equal(pthread_join(kernel.thread, NULL), 0);
    assert_true(kernel.good);
    assert_int_equal(status.ecn, mode);
    assert_true(lab->marker.marked_out > 5 && status.ce_delivered > 0);
    assert_true(status.ssthresh < UINT32_MAX);

    assert_int_equal(pthread_create(&kernel.thread, NULL, kernel_sends, &kernel), 0);
    for (size_t got = 0; got < BYTES;) {
        ssize_t n = hf_host_recv(lab->host, c, data, sizeof data, LONG_MS);
        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_int_equal(pthread_join(kernel.thread, NULL), 0);
    assert_true(kernel.good);
    run(lab, 100);
    assert_int_equal(hf_status(hf_host_stack(lab->host), hf_host_env(lab->host), c, &status),
                     HF_OK);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    assert_true(info.tcpi_options & TCPI_ECN);
    assert_true(info.tcpi_options & TCPI_SEEN);
    assert_true(lab->marker.marked_in > 5 && info.tcpi_delivered_ce > 0);
    assert_true(status.ecn_seen);
    assert_int_equal(status.ce_received, lab->marker.marked_in);
    if (mode == HF_ECN_ACCURATE) { /* each one was told */
        assert_int_equal(status.ce_delivered, lab->marker.marked_out);
        assert_int_equal(info.tcpi_delivered_ce, lab->marker.marked_in);
    }
    close(fd);
    assert_int_equal(hf_host_release(lab->host, c), 0);
    run(lab, 100);
}

static void both_ways(const char *kernel_ecn, bool accurate, uint8_t mode)
{
    struct lab lab;
    hf_handle c;
    int fd;
    open_lab(&lab, kernel_ecn, accurate);
    for (int version = 4; version <= 6; version += 2) {
        connect_to_kernel(&lab, version, &c, &fd);
        exchange(&lab, c, fd, mode);
        connect_from_kernel(&lab, version, &c, &fd);
        exchange(&lab, c, fd, mode);
    }
    close_lab(&lab);
}

static void the_kernel_and_we_agree_upon_ecn_and_answer_marks(void **state)
{
    (void)state;
    both_ways("1", false, HF_ECN_CLASSIC);
}

static void the_kernel_and_we_agree_upon_accurate_ecn_and_count_alike(void **state)
{
    (void)state;
    both_ways("3", true, HF_ECN_ACCURATE);
}

static void where_only_one_has_accurate_ecn_it_is_classic(void **state)
{
    (void)state;
    both_ways("3", false, HF_ECN_CLASSIC);
    both_ways("1", true, HF_ECN_CLASSIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_and_we_agree_upon_ecn_and_answer_marks),
        cmocka_unit_test(the_kernel_and_we_agree_upon_accurate_ecn_and_count_alike),
        cmocka_unit_test(where_only_one_has_accurate_ecn_it_is_classic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
