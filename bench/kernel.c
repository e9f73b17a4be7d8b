/* kernel.c - the same lives and bulk with this machine's kernel, over loopback. */
#include "figures.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

static int listener, sender = -1, receiver;
static struct sockaddr_in at;
static char chunk[CHUNK];

bool kernel_listen(uint32_t ip, uint16_t port)
{
    socklen_t len = sizeof at;
    at = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(port)};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, len) != 0 ||
        setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) != 0 ||
        listen(listener, 64) != 0 || getsockname(listener, (struct sockaddr *)&at, &len) != 0) {
        bench_note("a socket of the kernel", strerror(errno));
        return false;
    }
    return true;
}

bool kernel_open(const void *arg)
{
    (void)arg;
    return kernel_listen(INADDR_LOOPBACK, 0);
}

int kernel_connect(int *accepted)
{
    int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_must(c, "socket");
    bench_must(setsockopt(c, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5), "TCP_CONGESTION");
    bench_must(connect(c, (struct sockaddr *)&at, sizeof at), "connect");
    *accepted = accept(listener, NULL, NULL);
    bench_must(*accepted, "accept");
    return c;
}

void kernel_life(void *unused)
{
    (void)unused;
    char octet = 1;
    int s, c = kernel_connect(&s);
    bench_must(write(c, &octet, 1) == 1 && read(s, &octet, 1) == 1 ? 0 : -1, "there");
    bench_must(write(s, &octet, 1) == 1 && read(c, &octet, 1) == 1 ? 0 : -1, "back");
    shutdown(c, SHUT_WR);
    bench_must(read(s, &octet, 1) == 0 ? 0 : -1, "the end");
    close(s);
    bench_must(read(c, &octet, 1) == 0 ? 0 : -1, "the other end");
    close(c);
}

double kernel_lives_round(const void *arg)
{
    (void)arg;
    return bench_rate(kernel_life, NULL, BENCH_ROUND_MS / 1000.0);
}

double kernel_bulk_round(const void *arg)
{
    (void)arg;
    if (sender < 0) {
        sender = kernel_connect(&receiver);
        bench_must(fcntl(sender, F_SETFL, O_NONBLOCK), "fcntl");
        bench_must(fcntl(receiver, F_SETFL, O_NONBLOCK), "fcntl");
    }
    double begin = bench_seconds(), took, octets = 0;
    do {
        /* One for one: what is read is still in the cache. */
        bench_must(write(sender, chunk, CHUNK) > 0 || errno == EAGAIN ? 0 : -1, "write");
        ssize_t n = read(receiver, chunk, CHUNK);
        octets += n > 0 ? (double)n : 0;
        took = bench_seconds() - begin;
    } while (took < BENCH_ROUND_MS / 1000.0);
    return octets / took / 1e9;
}
