/* The adapter for packetdrill, played as packetdrill plays it, without packetdrill: handshakes,
 * echoes and closes through its 32 functions on the virtual clock, in all three address families of
 * a script, with blocking calls in a second thread.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../packetdrill/interface.h"
#include "../../packetdrill/linux.h"
#include "wire/wire.h"

enum { PORT = 8080, PEER_PORT = 3000, ROOM = 65536 };

static struct packetdrill_interface ifc;

/* A script's side of the wire. */
struct lane {
    int domain;       /* of the sockets           */
    bool v4;          /* on the wire              */
    uint8_t here[16]; /* the stack                */
    uint8_t there[16];
    uint32_t nxt, acks; /* the peer's numbers     */
    uint16_t port;
};

static struct lane lane_of(void **state)
{
    struct lane lane = {.domain = AF_INET, .v4 = true, .nxt = 1000, .port = PORT};
    const char *name = *state;
    static const uint8_t here4[4] = {192, 168, 0, 1};
    static const uint8_t there4[4] = {192, 0, 2, 1};
    wire_from_v4(lane.here, here4);
    wire_from_v4(lane.there, there4);
    if (strcmp(name, "v4") != 0)
        lane.domain = AF_INET6;
    if (strcmp(name, "v6") == 0) {
        lane.v4 = false;
        inet_pton(AF_INET6, "fd3d:0a0b:17d6::1", lane.here);
        inet_pton(AF_INET6, "fd3d:fa7b:d17d::1", lane.there);
    }
    return lane;
}

static socklen_t address(const struct lane *lane, const uint8_t ip[16], uint16_t port,
                         struct sockaddr_storage *to)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&four.sin_addr, ip + 12, 4);
    memcpy(&six.sin6_addr, ip, 16);
    bool is_four = lane->domain == AF_INET;
    memcpy(to, is_four ? (void *)&four : (void *)&six, is_four ? sizeof four : sizeof six);
    return is_four ? sizeof four : sizeof six;
}

static void sends(struct lane *lane, uint16_t ctl, const char *text)
{
    uint8_t packet[2048];
    uint32_t len = (uint32_t)strlen(text);
    struct segment seg = {.seq = seq(lane->nxt),
                          .ack = seq(ctl & CTL_ACK ? lane->acks : 0),
                          .wnd = 65535,
                          .ctl = ctl,
                          .sport = PEER_PORT,
                          .dport = lane->port};
    if (ctl & CTL_SYN) {
        seg.opt.present = OPT_MSS;
        seg.opt.mss = 1000;
    }
    size_t ip_len = lane->v4 ? 20 : 40;
    size_t header = wire_put_tcp(packet + ip_len, &seg);
    struct wire_ip ip = {.version = lane->v4 ? 4 : 6, .proto = 6, .ttl = 64};
    memcpy(ip.src, lane->there, 16);
    memcpy(ip.dst, lane->here, 16);
    ip.total_len = (uint32_t)(ip_len + header) + len;
    wire_put_ip(packet, &ip);
    memcpy(packet + ip_len + header, text, len);
    csum_t sum = csum_add(0, packet + ip_len + header, len);
    wire_set_tcp_checksum(packet + ip_len, header, &ip, sum, len);
    assert_int_equal(ifc.netdev_send(ifc.userdata, packet, ip.total_len), 0);
    lane->nxt += len + (ctl & CTL_SYN ? 1 : 0) + (ctl & CTL_FIN ? 1 : 0);
}

/* The next packet out has these bits and this text; returns its time in microseconds. */
static long long expects(struct lane *lane, uint16_t ctl, const char *text)
{
    static uint8_t packet[ROOM];
    struct wire_ip ip;
    struct segment seg;
    size_t n = sizeof packet;
    long long time_us;
    assert_int_equal(ifc.netdev_receive(ifc.userdata, packet, &n, &time_us), 0);
    assert_int_not_equal(n, 0);
    assert_int_equal(wire_parse_ip(packet, n, &ip), WIRE_OK);
    assert_memory_equal(ip.dst, lane->there, 16);
    assert_int_equal(wire_parse_tcp(packet + ip.header_len, n - ip.header_len, &seg), WIRE_OK);
    assert_true(wire_tcp_checksum_ok(&ip, packet + ip.header_len, n - ip.header_len));
    assert_int_equal(seg.ctl, ctl);
    assert_int_equal(seg.text_len, strlen(text));
    assert_memory_equal(seg.text, text, seg.text_len);
    lane->port = seg.sport;
    lane->acks = seg.seq.v + seg.len;
    return time_us;
}

static long long now_us(void)
{
    struct timeval tv;
    assert_int_equal(ifc.gettimeofday(ifc.userdata, &tv, NULL), 0);
    return tv.tv_sec * 1000000LL + tv.tv_usec;
}

static void passes(useconds_t us)
{
    assert_int_equal(ifc.usleep(ifc.userdata, us), 0);
}

/* A blocking call in a thread of its own, with the gettimeofday that packetdrill makes after it. */
struct call {
    pthread_t thread;
    atomic_int tid; /* 0: it does not run yet */
    int fd;
    ssize_t result;
    long long ended_us;
    char data[64];
    struct sockaddr_storage addr;
    socklen_t len;
};

static void *reads(void *arg)
{
    struct call *c = arg;
    c->tid = gettid();
    c->result = ifc.read(ifc.userdata, c->fd, c->data, sizeof c->data);
    c->ended_us = now_us();
    return NULL;
}

static void *accepts(void *arg)
{
    struct call *c = arg;
    c->tid = gettid();
    c->len = sizeof c->addr;
    c->result = ifc.accept(ifc.userdata, c->fd, (struct sockaddr *)&c->addr, &c->len);
    c->ended_us = now_us();
    return NULL;
}

static void *connects(void *arg)
{
    struct call *c = arg;
    c->tid = gettid();
    c->result = ifc.connect(ifc.userdata, c->fd, (struct sockaddr *)&c->addr, c->len);
    c->ended_us = now_us();
    return NULL;
}

static bool is_asleep(pid_t tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return true; /* its call has ended */
    }
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'S';
}

/* Waits until the call sleeps, as packetdrill does. */
static void begins(struct call *c, void *(*call)(void *), int fd)
{
    enum { TRIES = 10000 };
    int i = 0;
    c->fd = fd;
    assert_int_equal(pthread_create(&c->thread, NULL, call, c), 0);
    do {
        usleep(1000);
    } while (++i < TRIES && (c->tid == 0 || !is_asleep(c->tid)));
    assert_int_not_equal(i, TRIES);
}

static void ends(struct call *c, ssize_t result, long long at_us)
{
    pthread_join(c->thread, NULL);
    assert_int_equal(c->result, result);
    assert_in_range(c->ended_us, at_us, at_us + 100);
}

static int listener(const struct lane *lane)
{
    struct sockaddr_storage addr;
    socklen_t len = address(lane, lane->here, PORT, &addr);
    int one = 1;
    int fd = ifc.socket(ifc.userdata, lane->domain, SOCK_STREAM, IPPROTO_TCP);
    assert_true(fd >= 0);
    assert_int_equal(ifc.setsockopt(ifc.userdata, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one),
                     0);
    assert_int_equal(ifc.bind(ifc.userdata, fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(ifc.listen(ifc.userdata, fd, 1), 0);
    return fd;
}

static void handshake(struct lane *lane)
{
    sends(lane, CTL_SYN, "");
    expects(lane, CTL_SYN | CTL_ACK, "");
    sends(lane, CTL_ACK, "");
}

static int accepted(struct lane *lane, int fd)
{
    struct sockaddr_storage addr, want;
    socklen_t len = sizeof addr;
    int got = ifc.accept(ifc.userdata, fd, (struct sockaddr *)&addr, &len);
    assert_true(got >= 0 && got != fd);
    assert_int_equal(len, address(lane, lane->there, PEER_PORT, &want));
    assert_memory_equal(&addr, &want, 8); /* family, port; and the address, or flow label 0 */
    return got;
}

static int established(struct lane *lane, int *listening)
{
    *listening = listener(lane);
    handshake(lane);
    return accepted(lane, *listening);
}

/* The script's sockets go, and packetdrill resets what is left. */
static void goes(struct lane *lane, int fd, int listening)
{
    assert_int_equal(ifc.close(ifc.userdata, fd), 0);
    sends(lane, CTL_RST | CTL_ACK, "");
    assert_int_equal(ifc.close(ifc.userdata, listening), 0);
    errno = 0;
    assert_int_equal(ifc.read(ifc.userdata, fd, NULL, 0), -1);
    assert_int_equal(errno, EBADF);
}

static void a_passive_connection_echoes_and_closes(void **state)
{
    struct lane lane = lane_of(state);
    char data[64];
    int listening;
    int fd = established(&lane, &listening);
    sends(&lane, CTL_ACK | CTL_PSH, "hello");
    expects(&lane, CTL_ACK, "");
    int n;
    assert_int_equal(ifc.ioctl(ifc.userdata, fd, SIOCINQ, &n), 0);
    assert_int_equal(n, 5);
    assert_int_equal(ifc.recv(ifc.userdata, fd, data, sizeof data, MSG_PEEK), 5);
    assert_int_equal(ifc.read(ifc.userdata, fd, data, sizeof data), 5);
    assert_memory_equal(data, "hello", 5);
    assert_int_equal(ifc.write(ifc.userdata, fd, data, 5), 5);
    assert_int_equal(ifc.ioctl(ifc.userdata, fd, SIOCOUTQ, &n), 0);
    assert_int_equal(n, 5);
    expects(&lane, CTL_ACK | CTL_PSH, "hello");
    sends(&lane, CTL_ACK, "");
    sends(&lane, CTL_FIN | CTL_ACK, "");
    expects(&lane, CTL_ACK, "");
    assert_int_equal(ifc.read(ifc.userdata, fd, data, sizeof data), 0);
    assert_int_equal(ifc.close(ifc.userdata, fd), 0);
    expects(&lane, CTL_FIN | CTL_ACK, "");
    sends(&lane, CTL_ACK, "");
    assert_int_equal(ifc.close(ifc.userdata, listening), 0);
}

static void blocking_calls_return_at_the_moment_that_ends_them(void **state)
{
    struct lane lane = lane_of(state);
    struct call accept = {.fd = -1}, read = {.fd = -1};
    int listening = listener(&lane);
    begins(&accept, accepts, listening);
    passes(100000);
    handshake(&lane);
    long long at_us = now_us();
    pthread_join(accept.thread, NULL);
    assert_true(accept.result >= 0);
    assert_in_range(accept.ended_us, at_us - 10, at_us + 10);
    begins(&read, reads, (int)accept.result);
    passes(200000);
    at_us = now_us();
    sends(&lane, CTL_ACK | CTL_PSH, "late");
    expects(&lane, CTL_ACK, "");
    ends(&read, 4, at_us);
    goes(&lane, (int)accept.result, listening);
}

static void an_active_connection_blocks_until_it_is_open(void **state)
{
    struct lane lane = lane_of(state);
    struct call connect = {.fd = -1};
    int fd = ifc.socket(ifc.userdata, lane.domain, SOCK_STREAM, IPPROTO_TCP);
    connect.len = address(&lane, lane.there, PEER_PORT, &connect.addr);
    begins(&connect, connects, fd);
    long long sent_us = expects(&lane, CTL_SYN, "");
    passes(100000);
    long long at_us = now_us();
    assert_in_range(at_us - sent_us, 99900, 100100);
    sends(&lane, CTL_SYN | CTL_ACK, "");
    expects(&lane, CTL_ACK, "");
    ends(&connect, 0, at_us);
    struct linux_tcp_info info;
    socklen_t len = sizeof info;
    assert_int_equal(ifc.getsockopt(ifc.userdata, fd, IPPROTO_TCP, LINUX_TCP_INFO, &info, &len), 0);
    assert_int_equal(len, sizeof info);
    assert_int_equal(info.state, 1);
    assert_int_equal(info.snd_mss, 1000);
    assert_int_equal(info.snd_cwnd, 10);
    assert_in_range(info.rtt, 99000, 101000);
    assert_int_equal(ifc.close(ifc.userdata, fd), 0);
    expects(&lane, CTL_FIN | CTL_ACK, "");
    sends(&lane, CTL_RST | CTL_ACK, "");
}

static void a_refused_connection_tells_its_error_once(void **state)
{
    struct lane lane = lane_of(state);
    struct sockaddr_storage addr;
    socklen_t len = address(&lane, lane.there, PEER_PORT, &addr);
    int fd = ifc.socket(ifc.userdata, lane.domain, SOCK_STREAM, IPPROTO_TCP);
    assert_int_equal(ifc.fcntl(ifc.userdata, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    assert_int_equal(ifc.fcntl(ifc.userdata, fd, F_GETFL), O_RDWR | O_NONBLOCK);
    assert_int_equal(ifc.connect(ifc.userdata, fd, (struct sockaddr *)&addr, len), -1);
    assert_int_equal(errno, EINPROGRESS);
    expects(&lane, CTL_SYN, "");
    assert_int_equal(ifc.connect(ifc.userdata, fd, (struct sockaddr *)&addr, len), -1);
    assert_int_equal(errno, EALREADY);
    sends(&lane, CTL_RST | CTL_ACK, "");
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    assert_int_equal(ifc.poll(ifc.userdata, &one, 1, 0), 1);
    assert_int_equal(one.revents, POLLOUT | POLLERR | POLLHUP);
    int error;
    len = sizeof error;
    assert_int_equal(ifc.getsockopt(ifc.userdata, fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, ECONNREFUSED);
    assert_int_equal(ifc.getsockopt(ifc.userdata, fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, 0);
    assert_int_equal(ifc.close(ifc.userdata, fd), 0);
}

static void poll_and_epoll_tell_what_is_so(void **state)
{
    struct lane lane = lane_of(state);
    char data[64];
    int listening;
    int fd = established(&lane, &listening);
    struct pollfd one = {.fd = fd, .events = POLLIN};
    long long before_us = now_us();
    assert_int_equal(ifc.poll(ifc.userdata, &one, 1, 100), 0); /* time passes in the call */
    assert_in_range(now_us() - before_us, 100000, 100100);
    int edge = ifc.epoll_create(ifc.userdata, 1);
    int level = ifc.epoll_create(ifc.userdata, 1);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    assert_int_equal(ifc.epoll_ctl(ifc.userdata, edge, EPOLL_CTL_ADD, fd, &event), 0);
    event.events = EPOLLIN;
    assert_int_equal(ifc.epoll_ctl(ifc.userdata, level, EPOLL_CTL_ADD, fd, &event), 0);
    assert_int_equal(ifc.epoll_wait(ifc.userdata, edge, &event, 1, 0), 0);
    sends(&lane, CTL_ACK | CTL_PSH, "data");
    expects(&lane, CTL_ACK, "");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ifc.epoll_wait(ifc.userdata, edge, &event, 1, 0), i == 0);
        assert_int_equal(ifc.epoll_wait(ifc.userdata, level, &event, 1, 0), 1);
        assert_int_equal(event.events, EPOLLIN);
    }
    assert_int_equal(ifc.poll(ifc.userdata, &one, 1, -1), 1);
    assert_int_equal(one.revents, POLLIN);
    assert_int_equal(ifc.read(ifc.userdata, fd, data, sizeof data), 4);
    assert_int_equal(ifc.epoll_wait(ifc.userdata, level, &event, 1, 0), 0);
    assert_int_equal(ifc.close(ifc.userdata, edge), 0);
    assert_int_equal(ifc.close(ifc.userdata, level), 0);
    goes(&lane, fd, listening);
}

static void options_are_done_or_refused(void **state)
{
    struct lane lane = lane_of(state);
    int listening;
    int fd = established(&lane, &listening);
    int number = 21000;
    socklen_t len = sizeof number;
    assert_int_equal(
        ifc.setsockopt(ifc.userdata, fd, SOL_SOCKET, SO_SNDBUF, &number, sizeof number), 0);
    assert_int_equal(ifc.getsockopt(ifc.userdata, fd, SOL_SOCKET, SO_SNDBUF, &number, &len), 0);
    assert_int_equal(number, 42000);
    assert_int_equal(
        ifc.setsockopt(ifc.userdata, fd, SOL_SOCKET, SO_BUSY_POLL, &number, sizeof number), -1);
    assert_int_equal(errno, ENOPROTOOPT);
    assert_int_equal(ifc.write(ifc.userdata, fd, NULL, 10), -1);
    assert_int_equal(errno, EFAULT);
    assert_int_equal(ifc.shutdown(ifc.userdata, fd, SHUT_WR), 0);
    expects(&lane, CTL_FIN | CTL_ACK, "");
    assert_int_equal(ifc.write(ifc.userdata, fd, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    goes(&lane, fd, listening);
}

static void nothing_to_come_is_told_and_does_not_hang(void **state)
{
    struct lane lane = lane_of(state);
    uint8_t packet[2048];
    size_t n = sizeof packet;
    long long time_us;
    int fd = listener(&lane);
    assert_int_equal(ifc.netdev_receive(ifc.userdata, packet, &n, &time_us), 0);
    assert_int_equal(n, 0);
    assert_int_equal(ifc.close(ifc.userdata, fd), 0);
}

static void (*init)(const char *, struct packetdrill_interface *);

static int load(void **state)
{
    char path[4096];
    (void)state;
    const char *build = getenv("HF_BUILD_DIR");
    snprintf(path, sizeof path, "%s/packetdrill/packetdrill-adapter.so", build ? build : ".");
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return -1;
    }
    void *symbol = dlsym(object, "packetdrill_interface_init");
    assert_non_null(symbol);
    memcpy(&init, &symbol, sizeof init);
    return 0;
}

/* A script each. */
static int begin(void **state)
{
    (void)state;
    init("mtu6=1520", &ifc);
    return 0;
}

static int end(void **state)
{
    (void)state;
    ifc.free(ifc.userdata);
    return 0;
}

#define EACH(test)                                                                                 \
    {#test ", IPv4", test, begin, end, v4}, {#test ", mapped", test, begin, end, mapped},          \
    {                                                                                              \
#test ", IPv6", test, begin, end, v6                                                       \
    }

int main(void)
{
    static char v4[] = "v4", mapped[] = "mapped", v6[] = "v6";
    const struct CMUnitTest tests[] = {
        EACH(a_passive_connection_echoes_and_closes),
        EACH(blocking_calls_return_at_the_moment_that_ends_them),
        EACH(an_active_connection_blocks_until_it_is_open),
        EACH(a_refused_connection_tells_its_error_once),
        EACH(poll_and_epoll_tell_what_is_so),
        EACH(options_are_done_or_refused),
        EACH(nothing_to_come_is_told_and_does_not_hang),
    };
    return cmocka_run_group_tests_name("adapter", tests, load, NULL);
}
