/* A live stack, written to a file and resumed in a new process at another address, goes on octet
 * for octet as the original does.
 *
 * The original has connections in many states and talks to a second stack over a lossy wire.  From
 * the snapshot on, all that is done to it is recorded with what came of it; the new process does
 * the same to its copy, and every frame, event, result and deadline must be equal.
 *
 * ctest: native
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net.h"

enum { PORT = 80, MINUTES = 60000, NAME = 64 };

static char program[4096];

/* Files ---------------------------------------------------------------------------------------- */

static void save(const char *name, const void *at, size_t len)
{
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(at, 1, len, file) != len || fclose(file) != 0) {
        perror(name);
        exit(2);
    }
}

static struct net_bytes load(const char *name)
{
    struct net_bytes all = {0};
    char piece[65536];
    size_t n;
    FILE *file = fopen(name, "rb");
    if (!file) {
        perror(name);
        exit(2);
    }
    while ((n = fread(piece, 1, sizeof piece, file)) > 0)
        net_append(&all, piece, n);
    fclose(file);
    return all;
}

/* What the new process is told beside the snapshot. */
struct order {
    uint64_t bytes;
    uintptr_t not_at;
    struct hf_env env;
    uint8_t ip[16], other_ip[16];
};

static void name_of(char name[NAME], const char *dir, const char *what)
{
    snprintf(name, NAME, "%s/%s", dir, what);
}

/* The new process ------------------------------------------------------------------------------ */

static char *area; /* the copy lies in it */

static struct hf_stack *elsewhere(const struct order *order)
{
    area = aligned_alloc(64, order->bytes + 8192);
    if (!area)
        exit(2);
    memset(area, 0xa5, order->bytes + 8192); /* memory need not be zero */
    char *block = area + 4096 + 64;
    return (struct hf_stack *)(void *)(block == (char *)order->not_at ? block + 64 : block);
}

/* Does all that was recorded to the copy; writes what came of it. */
static int resume(const char *dir)
{
    char name[NAME];
    struct order order;
    name_of(name, dir, "order");
    struct net_bytes given = load(name);
    memcpy(&order, given.at, sizeof order);
    name_of(name, dir, "snapshot");
    struct net_bytes snapshot = load(name);
    name_of(name, dir, "ops");
    struct net_bytes ops = load(name);
    struct net_stack s = {.stack = elsewhere(&order), .bytes = order.bytes, .env = order.env};
    s.env.trace = NULL; /* its sink is in the other process */
    memcpy(s.ip, order.ip, 16);
    memcpy(s.other_ip, order.other_ip, 16);
    int error = hf_restore(s.stack, s.bytes, snapshot.at, snapshot.len);
    if (error != HF_OK || hf_attach(s.stack, s.bytes) != HF_OK) {
        fprintf(stderr, "hf_restore: %s\n", hf_error_text(error));
        return 1;
    }
    struct net_bytes results = {0}, what = {0};
    for (size_t at = 0; at < ops.len;) {
        struct net_op op;
        memcpy(&op, ops.at + at, sizeof op);
        at += sizeof op;
        op.bytes = ops.at + at;
        at += op.len;
        what.len = 0;
        int64_t result = net_do(&s, &op, &what);
        net_append(&results, &result, sizeof result);
        net_append(&results, what.at, what.len);
    }
    name_of(name, dir, "results");
    save(name, results.at, results.len);
    free(given.at);
    free(snapshot.at);
    free(ops.at);
    free(results.at);
    free(what.at);
    free(area);
    return 0;
}

/* The original --------------------------------------------------------------------------------- */

static void save_ops(const char *name, const struct net_side *side)
{
    struct net_bytes all = {0};
    for (uint32_t i = 0; i < side->n_ops; i++) {
        net_append(&all, &side->ops[i], sizeof side->ops[i]);
        net_append(&all, side->ops[i].bytes, side->ops[i].len);
    }
    save(name, all.at, all.len);
    free(all.at);
}

static void save_snapshot(const char *dir, const struct net_side *side)
{
    char name[NAME];
    uint64_t len = hf_snapshot_bytes(side->s.stack);
    void *snapshot = malloc(len);
    assert_non_null(snapshot);
    assert_int_equal(hf_snapshot(side->s.stack, snapshot, len - 1), HF_ERR_TOO_LARGE);
    assert_int_equal(hf_snapshot(side->s.stack, snapshot, len), len);
    name_of(name, dir, "snapshot");
    save(name, snapshot, len);
    free(snapshot);
    struct order order = {
        .bytes = side->s.bytes, .not_at = (uintptr_t)side->s.stack, .env = side->s.env};
    memcpy(order.ip, side->s.ip, 16);
    memcpy(order.other_ip, side->s.other_ip, 16);
    name_of(name, dir, "order");
    save(name, &order, sizeof order);
}

/* As a new program; where one cannot be started (an emulated processor), as a new process. */
static void run_new_process(const char *dir)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(program, program, "resume", dir, (char *)NULL);
        _exit(resume(dir));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void compare(const char *dir, const struct net_side *side)
{
    char name[NAME];
    name_of(name, dir, "results");
    struct net_bytes results = load(name);
    size_t same = 0;
    while (same < results.len && same < side->results.len &&
           results.at[same] == side->results.at[same])
        same++;
    if (same != side->results.len)
        print_message("the copy differs at octet %zu of %zu\n", same, side->results.len);
    assert_int_equal(results.len, side->results.len);
    assert_int_equal(same, side->results.len);
    free(results.at);
}

static void remove_all(const char *dir)
{
    static const char *const files[] = {"order", "snapshot", "ops", "results"};
    char name[NAME];
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        name_of(name, dir, files[i]);
        unlink(name);
    }
    rmdir(dir);
}

static bool never(struct net *net)
{
    (void)net;
    return false;
}

/* Transfers under way in both directions, an idle and a half-closed connection, one in TIME-WAIT
 * whose handle was released, one half-open, one being opened. */
static struct net *busy(bool v6, uint64_t seed)
{
    struct hf_config config;
    hf_config_default(&config, 16);
    config.policy.initial_cwnd = 4;
    struct net *net = net_new(v6, &config, 0);
    net->random = seed;
    net->side[0].answer = net->side[1].answer = 400000;
    net_listen(net, 0, PORT, 16);
    net_listen(net, 1, PORT, 16);
    struct net_flow *idle = net_open(net, 0, 4000, PORT, 0);
    idle->keep = true; /* the other side closes when it has sent all: a half-closed one */
    struct net_flow *quick = net_open(net, 0, 4001, PORT, 10);
    net_run(net, 5000, never);
    if (quick->closed || quick->end_seen) {
        hf_release(net->side[0].s.stack, &net->side[0].s.env, quick->handle);
        quick->used = false;
    }
    net->loss = 30;
    net->late = 30;
    net->twice = 10;
    for (uint16_t i = 0; i < 3; i++) {
        net_open(net, 0, (uint16_t)(5000 + i), PORT, 400000);
        net_open(net, 1, (uint16_t)(6000 + i), PORT, 100000);
    }
    net_run(net, 150, never);
    net_open(net, 0, 5003, PORT, 1000);
    net_open(net, 1, 6003, PORT, 1000);
    net_run(net, 15, never);
    return net;
}

static void goes_on_like_the_original(bool v6, uint64_t seed)
{
    char dir[] = "resume.XXXXXX";
    char name[NAME];
    assert_non_null(mkdtemp(dir));
    struct net *net = busy(v6, seed);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(net->side[0].s.stack, &counters);
    assert_true(counters.connections >= 7 && counters.active >= 4);
    assert_true(counters.half_open >= 1 && counters.time_wait >= 1);
    save_snapshot(dir, &net->side[0]);
    net->side[0].recording = true;
    net_run(net, 10 * MINUTES, NULL);
    assert_false(net->wrong);
    assert_true(net->side[0].n_ops > 1000);
    net->side[0].recording = false;
    name_of(name, dir, "ops");
    save_ops(name, &net->side[0]);
    run_new_process(dir);
    compare(dir, &net->side[0]);
    remove_all(dir);
    net_free(net);
}

static void a_resumed_stack_goes_on_octet_for_octet_like_the_original(void **state)
{
    (void)state;
    goes_on_like_the_original(false, 1);
    goes_on_like_the_original(false, 2);
}

static void the_same_with_ipv6(void **state)
{
    (void)state;
    goes_on_like_the_original(true, 3);
}

static void a_damaged_or_foreign_snapshot_is_refused_and_touches_nothing(void **state)
{
    (void)state;
    struct net *net = busy(false, 4);
    struct net_stack *s = &net->side[0].s;
    uint64_t len = hf_snapshot_bytes(s->stack);
    uint8_t *snapshot = malloc(len), *block = aligned_alloc(64, s->bytes);
    assert_true(snapshot && block);
    assert_int_equal(hf_snapshot(s->stack, snapshot, len), len);
    memset(block, 0x5a, s->bytes);
    struct hf_stack *copy = (struct hf_stack *)(void *)block;
    for (uint64_t at = 0; at < len; at += at < 64 ? 1 : 997 + at / 16) {
        snapshot[at] ^= 0x10;
        assert_int_equal(hf_restore(copy, s->bytes, snapshot, len), HF_ERR_MISMATCH);
        snapshot[at] ^= 0x10;
    }
    for (uint64_t cut = 0; cut < len; cut += 1 + cut / 3)
        assert_int_equal(hf_restore(copy, s->bytes, snapshot, cut), HF_ERR_MISMATCH);
    assert_int_equal(hf_restore(copy, s->bytes / 2 / 64 * 64, snapshot, len), HF_ERR_TOO_LARGE);
    assert_int_equal(hf_restore(NULL, s->bytes, snapshot, len), HF_ERR_INVALID);
    for (uint64_t i = 0; i < s->bytes; i++)
        if (block[i] != 0x5a)
            fail();
    assert_int_equal(hf_restore(copy, s->bytes, snapshot, len), HF_OK);
    assert_int_equal(hf_attach(copy, s->bytes), HF_OK);
    free(snapshot);
    free(block);
    net_free(net);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "resume") == 0)
        return resume(argv[2]);
    if (argc != 1 || readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resumed_stack_goes_on_octet_for_octet_like_the_original),
        cmocka_unit_test(the_same_with_ipv6),
        cmocka_unit_test(a_damaged_or_foreign_snapshot_is_refused_and_touches_nothing),
    };
    return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
