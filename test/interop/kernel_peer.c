/* kernel_peer.c - the kernel's side: one process with poll(2), checking every octet it is sent. */
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECTIONS = 1024, CHUNK = 1 << 17 };

struct served {
    uint64_t sent, received;
    bool shut, ended, wrong;
};

struct peer {
    volatile struct lab_totals *totals;
    uint64_t up, down;
    uint32_t n; /* polled: the listener first */
    struct pollfd polled[CONNECTIONS];
    struct served served[CONNECTIONS];
};

static void accept_all(struct peer *peer)
{
    int s;
    while (peer->n < CONNECTIONS &&
           (s = accept4(peer->polled[0].fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        peer->polled[peer->n] = (struct pollfd){.fd = s, .events = POLLIN | POLLOUT};
        peer->served[peer->n++] = (struct served){0};
    }
}

static void send_more(struct peer *peer, uint32_t i)
{
    struct served *served = &peer->served[i];
    while (served->sent < peer->down) {
        uint64_t len = peer->down - served->sent;
        const uint8_t *data = lab_pattern(served->sent, &len);
        ssize_t n = send(peer->polled[i].fd, data, len, MSG_NOSIGNAL);
        if (n < 0) {
            served->wrong |= errno != EAGAIN;
            return;
        }
        served->sent += (uint64_t)n;
    }
    shutdown(peer->polled[i].fd, SHUT_WR);
    served->shut = true;
    peer->polled[i].events = POLLIN;
}

static void receive_more(struct peer *peer, uint32_t i)
{
    static uint8_t chunk[CHUNK];
    struct served *served = &peer->served[i];
    ssize_t n = read(peer->polled[i].fd, chunk, CHUNK);
    if (n < 0) {
        served->wrong |= errno != EAGAIN;
    } else if (n == 0) {
        served->ended = true;
        served->wrong |= served->received != peer->up;
        peer->polled[i].events &= ~POLLIN;
    } else {
        served->wrong |= !lab_pattern_equal(served->received, chunk, (uint64_t)n);
        served->received += (uint64_t)n;
    }
}

/* One connection is over: count it, close it, and let the last one take its place. */
static void finish(struct peer *peer, uint32_t i)
{
    peer->totals->received += peer->served[i].received;
    peer->totals->wrong += peer->served[i].wrong;
    peer->totals->connections++;
    close(peer->polled[i].fd);
    peer->n--;
    peer->polled[i] = peer->polled[peer->n];
    peer->served[i] = peer->served[peer->n];
}

static void serve(struct peer *peer)
{
    for (;;) {
        poll(peer->polled, peer->n, -1);
        for (uint32_t i = peer->n; i-- > 1;) {
            short what = peer->polled[i].revents;
            struct served *served = &peer->served[i];
            if ((what & POLLOUT) && !served->shut) {
                send_more(peer, i);
            }
            if (what & (POLLIN | POLLHUP | POLLERR)) {
                receive_more(peer, i);
            }
            if (served->wrong || (served->shut && served->ended)) {
                finish(peer, i);
            }
        }
        if (peer->polled[0].revents & POLLIN) {
            accept_all(peer);
        }
    }
}

static int listen_in(struct lab *lab)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(LAB_PORT)};
    int s = hf_private_socket(lab->net, AF_INET6, SOCK_STREAM, 0); /* IPv4 as well */
    int no = 0;
    setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (s < 0 || bind(s, (struct sockaddr *)&any, sizeof any) != 0 || listen(s, 4096) != 0 ||
        fcntl(s, F_SETFL, O_NONBLOCK) != 0) {
        perror("lab: the kernel's listener");
        abort();
    }
    return s;
}

void lab_peer_start(struct lab *lab, uint64_t up, uint64_t down)
{
    int listener = listen_in(lab);
    lab->totals =
        mmap(NULL, sizeof *lab->totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (lab->totals == MAP_FAILED) {
        abort();
    }
    fflush(NULL);
    lab->peer = fork();
    if (lab->peer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        static struct peer peer;
        peer = (struct peer){.totals = lab->totals, .up = up, .down = down, .n = 1};
        peer.polled[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        serve(&peer);
    }
    close(listener);
}

/* The host goes on running meanwhile: the kernel's side may still need answers. */
struct lab_totals lab_peer_stop(struct lab *lab, uint64_t n)
{
    int64_t end = hf_host_env(lab->host)->now_ns + LAB_PATIENCE_MS * INT64_C(1000000);
    while (lab->totals->connections < n && hf_host_env(lab->host)->now_ns < end) {
        hf_host_run_once(lab->host, 5000000);
    }
    kill(lab->peer, SIGKILL);
    waitpid(lab->peer, NULL, 0);
    struct lab_totals all = *lab->totals;
    munmap((void *)(uintptr_t)lab->totals, sizeof *lab->totals);
    return all;
}
