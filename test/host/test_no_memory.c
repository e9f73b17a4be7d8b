/* malloc that fails, for each n-th call that host, device and trace make, and for all from the n-th
 * on: a connection between two hosts over a cable in memory with impairments, a capture file and
 * ladders.  Nothing crashes or is left behind, and the next one works. */
/* ctest: timeout=300 plain native */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "handfast/shards.h"

/* The allocator, refused ---------------------------------------------------------------------- */

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void __libc_free(void *old);

static bool armed;
static uint32_t fails_in, fails_n; /* the fails_in-th call fails, and so many in all */
static uint32_t failed;
static int64_t live; /* allocations */

static bool is_refused(void)
{
    if (!armed || fails_n == 0 || --fails_in != 0)
        return false;
    fails_in = 1;
    fails_n--;
    failed++;
    errno = ENOMEM;
    return true;
}

static void *counted(void *made)
{
    live += made != NULL;
    return made;
}

void *malloc(size_t bytes)
{
    return is_refused() ? NULL : counted(__libc_malloc(bytes));
}

void *calloc(size_t n, size_t bytes)
{
    return is_refused() ? NULL : counted(__libc_calloc(n, bytes));
}

void *realloc(void *old, size_t bytes)
{
    if (is_refused())
        return NULL;
    return old ? __libc_realloc(old, bytes) : counted(__libc_realloc(NULL, bytes));
}

void free(void *old)
{
    live -= old != NULL;
    __libc_free(old);
}

/* A life -------------------------------------------------------------------------------------- */

enum { TEXT = 20000 };

static int wait_ms;

struct life {
    struct hf_host *host[2];
    struct hf_ladder_set *ladders;
    struct hf_comments *comments;
    struct hf_ladder *ladder;
    uint32_t posted, lines;
};

static void on_post(struct hf_host *host, void *arg)
{
    (void)host;
    ((struct life *)arg)->posted++;
}

static void on_pipe(struct hf_host *host, void *arg, int fd, int revents)
{
    (void)host, (void)arg, (void)fd, (void)revents;
}

static void on_record(void *arg, const struct hf_trace *record)
{
    struct life *l = arg;
    if (l->ladders)
        hf_ladder_set_trace(l->ladders, record);
    if (l->comments)
        hf_comments_trace(l->comments, record);
    if (l->ladder)
        hf_ladder_trace(l->ladder, record);
}

static void on_text(void *arg, const char *text, size_t len)
{
    struct life *l = arg;
    for (size_t i = 0; i < len; i++)
        l->lines += text[i] == '\n';
}

static bool begins(struct life *l, char *path)
{
    struct hf_device *end[2], *device = NULL;
    struct hf_impairment how = {.struct_size = sizeof how, .duplicate = 100000, .reorder = 50000};
    struct hf_capture capture = {.struct_size = sizeof capture, .path = path};
    struct hf_host_options options = {.struct_size = sizeof options, .connections = 8};
    static const char *const address[2] = {"10.0.0.1/24", "10.0.0.2/24"};
    for (int i = 0; i < 2; i++)
        if (hf_host_new(&l->host[i], &options) != 0)
            return false;
    if (hf_device_pair(end, NULL, NULL) != 0)
        return false;
    if (hf_host_attach(l->host[1], end[1]) != 1) {
        hf_device_close(end[0]);
        return false;
    }
    if (hf_device_impaired(&device, end[0], &how, NULL) != 0 ||
        hf_device_capture(&device, device, &capture, NULL) != 0 ||
        hf_host_attach(l->host[0], device) != 1)
        return false;
    for (int i = 0; i < 2; i++)
        if (hf_host_address(l->host[i], 1, address[i]) != 0)
            return false;
    hf_host_join(l->host[0], l->host[1]);
    return true;
}

/* A connection, text, and the close: false when any of it failed. */
static bool lives(struct life *l)
{
    static uint8_t text[TEXT], got[TEXT];
    hf_handle listener, handle, other;
    size_t received = 0;
    struct pollfd pipe_end;
    int fd[2];
    bool well = hf_host_post(l->host[0], on_post, l) == 0;
    if (pipe(fd) != 0)
        return false;
    well &= hf_host_watch(l->host[0], fd[0], POLLIN, on_pipe, l) == 0;
    (void)pipe_end;
    if (hf_host_listen(l->host[1], NULL, "80", 4, &listener) != 0 ||
        hf_host_connect(l->host[0], "10.0.0.2", "80", wait_ms, &handle) != 0 ||
        hf_host_accept(l->host[1], listener, wait_ms, &other, NULL) != 0) {
        well = false;
    } else {
        for (size_t i = 0; i < TEXT; i++)
            text[i] = (uint8_t)(i * 31 + (i >> 8));
        well &= hf_host_send(l->host[0], handle, text, TEXT, wait_ms) == 0;
        ssize_t n;
        while (received < TEXT &&
               (n = hf_host_recv(l->host[1], other, got + received, TEXT - received, wait_ms)) > 0)
            received += (size_t)n;
        assert_memory_equal(got, text, received);
        well &= received == TEXT;
        hf_host_close(l->host[0], handle);
        hf_host_close(l->host[1], other);
        well &= hf_host_wait_closed(l->host[0], handle, false, wait_ms) == 0;
    }
    hf_host_unwatch(l->host[0], fd[0]);
    close(fd[0]);
    close(fd[1]);
    return well && l->posted == 1;
}

static bool is_drawn(struct life *l)
{
    if (l->ladder)
        hf_ladder_text(l->ladder, false, on_text, l);
    for (size_t i = 0; l->ladders && hf_ladder_set_at(l->ladders, i); i++) {
        struct hf_ladder *one = hf_ladder_set_at(l->ladders, i);
        hf_ladder_svg(&one, 1, on_text, l);
    }
    return l->lines > 20;
}

/* False: something of it did not work, as it may while memory is refused. */
static bool plays(uint32_t in, uint32_t times)
{
    char path[] = "no_memory.pcapng";
    struct life l = {0};
    struct hf_ladder_style style = {.struct_size = sizeof style};
    fails_in = in;
    fails_n = times;
    failed = 0;
    wait_ms = times ? 100 : 5000; /* whether it works matters only where nothing is refused */
    armed = true;
    l.ladders = hf_ladder_set_new(&style, 0, NULL, NULL);
    l.ladder = hf_ladder_new(&style);
    l.comments = hf_comments_new(64);
    bool well = l.ladders && l.ladder && l.comments && begins(&l, path);
    if (l.host[0])
        hf_host_set_trace(l.host[0], on_record, &l);
    well = well && lives(&l);
    well = is_drawn(&l) && well;
    armed = false;
    hf_host_free(l.host[0]);
    hf_host_free(l.host[1]);
    hf_ladder_set_free(l.ladders);
    hf_ladder_free(l.ladder);
    hf_comments_free(l.comments);
    unlink(path);
    return well;
}

/* MM-02 */
static void each_malloc_may_fail(void **state)
{
    (void)state;
    assert_true(plays(0, 0)); /* what libraries keep for good is there afterwards */
    int64_t before = live;
    uint32_t n = 0;
    for (int all = 0; all < 2; all++) {
        n = 0;
        do {
            n++;
            plays(n, all ? UINT32_MAX : 1);
            bool refused = failed != 0;
            if (live != before)
                fail_msg("allocation %u refused%s: %lld are left", n, all ? ", and all after" : "",
                         (long long)(live - before));
            if (!refused)
                break;
        } while (true);
        printf("%u allocations\n", n - 1);
    }
    assert_true(n > 20);
    assert_true(plays(0, 0));
}

static void a_capture_that_lacks_a_packet_says_so(void **state)
{
    (void)state;
    char path[] = "lacking.pcapng";
    struct hf_device *ends[2], *device;
    struct hf_capture capture = {.struct_size = sizeof capture, .path = path};
    struct hf_frame_out out = {.header = {0x45}, .header_len = 20, .len = 20};
    struct hf_frame_in in;
    assert_int_equal(hf_device_pair(ends, NULL, NULL), 0);
    assert_int_equal(hf_device_capture(&device, ends[0], &capture, NULL), 0);
    for (int missing = 0; missing < 2; missing++) {
        assert_int_equal(hf_device_send(ends[1], 0, &out, 1), 1);
        fails_in = 1;
        fails_n = missing ? UINT32_MAX : 0;
        armed = true;
        int got = hf_device_receive(device, 0, &in, 1);
        armed = false;
        assert_int_equal(got, 1); /* it is there, whatever becomes of its copy */
        hf_device_flush(device, 0);
        assert_int_equal(hf_device_capture_status(device), missing ? -ENOMEM : 0);
    }
    hf_device_close(device);
    hf_device_close(ends[1]);
    unlink(path);
}

static int begin_nothing(struct hf_host *host, uint32_t shard, void *arg)
{
    (void)host;
    (void)shard;
    (void)arg;
    return 0;
}

static void shards_end_also_when_there_is_no_memory(void **state)
{
    (void)state;
    struct hf_shards *shards;
    struct hf_shards_options options = {
        .struct_size = sizeof options, .n = 2, .begin = begin_nothing};
    assert_int_equal(hf_shards_start(&shards, &options, NULL), 0);
    (void)alarm(20); /* they would be waited for */
    fails_in = 1;
    fails_n = UINT32_MAX;
    armed = true;
    int ended = hf_shards_stop(shards);
    armed = false;
    (void)alarm(0);
    assert_int_equal(ended, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_malloc_may_fail),
        cmocka_unit_test(a_capture_that_lacks_a_packet_says_so),
        cmocka_unit_test(shards_end_also_when_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
