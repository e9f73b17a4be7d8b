/* demo_data.c - what the demo sends, and its SHA-256 (FIPS 180-4) by the system's sha256sum. */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 1 << 20 }; /* octets between two looks at whether a signal has come */

/* xorshift64*: not random, but never the same twice and not compressible. */
static void fill(uint64_t *words, size_t n, uint64_t seed)
{
    uint64_t x = seed;
    for (size_t i = 0; i < n; i++) {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        words[i] = x * 0x2545f4914f6cdd1d;
    }
}

int demo_payload_make(struct demo_payload *payload, uint64_t bytes, uint64_t seed)
{
    *payload =
        (struct demo_payload){.fd = memfd_create("handfast-demo", MFD_CLOEXEC), .bytes = bytes};
    if (payload->fd < 0 || ftruncate(payload->fd, (off_t)bytes) != 0)
        return cli_failure("no memory for %llu octets to send: %s", (unsigned long long)bytes,
                           strerror(errno));
    void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, payload->fd, 0);
    if (data == MAP_FAILED)
        return cli_failure("no memory for %llu octets to send: %s", (unsigned long long)bytes,
                           strerror(errno));
    fill(data, bytes / 8, seed);
    payload->data = data;

    struct demo_hash hash = {0};
    if (demo_hash_start(&hash) != CLI_OK)
        return CLI_FAILED;
    for (uint64_t at = 0, len; at < bytes && !link_interrupted(); at += len) {
        len = bytes - at < PIECE ? bytes - at : PIECE;
        demo_write_all(hash.in, (const char *)data + at, len);
    }
    int status = demo_hash_end(&hash, payload->sha256);
    return link_interrupted() ? CLI_INTERRUPTED : status;
}

bool demo_write_all(int fd, const void *data, uint64_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (uint64_t)n;
    }
    return true;
}

int demo_hash_start(struct demo_hash *hash)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return cli_failure("no pipe to sha256sum: %s", strerror(errno));
    fcntl(in[1], F_SETPIPE_SZ, 1 << 20); /* fewer switches; the default will do too */
    pid_t pid = fork();
    if (pid < 0)
        return cli_failure("no process for sha256sum: %s", strerror(errno));
    if (pid == 0) {
        demo_child_begins();
        dup2(in[0], 0);
        dup2(out[1], 1);
        execlp("sha256sum", "sha256sum", "-b", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    *hash = (struct demo_hash){.pid = pid, .in = in[1], .out = out[0]};
    return CLI_OK;
}

int demo_hash_end(struct demo_hash *hash, char sha256[65])
{
    if (hash->in >= 0)
        close(hash->in);
    size_t have = 0;
    ssize_t n;
    while (have < 64 &&
           ((n = read(hash->out, sha256 + have, 64 - have)) > 0 || (n < 0 && errno == EINTR)))
        have += n > 0 ? (size_t)n : 0;
    sha256[have] = '\0';
    close(hash->out);
    demo_reap(hash->pid);
    if (have != 64 && link_interrupted()) /* it heard the same signal */
        return CLI_INTERRUPTED;
    if (have != 64)
        return cli_failure("sha256sum gave no answer; it is part of the package coreutils");
    return CLI_OK;
}

/* In a new child: it ends with the demo, whatever happens to that, and has no handlers of its. */
void demo_child_begins(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
}

int demo_reap(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
