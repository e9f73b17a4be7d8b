/* Snapshots: a stack that is written down and resumed elsewhere goes on byte for byte as it would
 * have; what is damaged is refused; what is given back to the system is not missed. */
#include "base/random.h"
#include "unit/stack_pair.h"

/* A stack, and the same one resumed at another address. */
struct twins {
    struct side x, y;
};

static void be_written_down(struct twins *t)
{
    uint64_t bytes = hf_snapshot_bytes(t->x.stack);
    uint8_t *snapshot = malloc(bytes);
    assert_non_null(snapshot);
    assert_int_equal(hf_snapshot(t->x.stack, snapshot, bytes - 1), HF_ERR_TOO_LARGE);
    assert_int_equal(hf_snapshot(t->x.stack, snapshot, bytes), bytes);
    free(t->y.stack);
    t->y = t->x;
    t->y.stack = aligned_alloc(64, t->y.bytes);
    assert_non_null(t->y.stack);
    memset(t->y.stack, 0x3c, t->y.bytes);
    assert_int_equal(hf_restore(t->y.stack, t->y.bytes, snapshot, bytes), HF_OK);
    assert_int_equal(hf_attach(t->y.stack, t->y.bytes), HF_OK);
    free(snapshot);
}

/* Both output the same; what x does goes to `to`, unless it is lost. */
static void both_output(struct twins *t, struct side *to, struct rng *rng, uint32_t loss)
{
    struct hf_frame_out x[PAIR_BATCH], y[PAIR_BATCH];
    uint32_t n;
    while ((n = hf_output(t->x.stack, &t->x.env, x, PAIR_BATCH)) != 0) {
        assert_int_equal(hf_output(t->y.stack, &t->y.env, y, PAIR_BATCH), n);
        for (uint32_t i = 0; i < n; i++) {
            uint8_t bytes[PAIR_FRAME_MAX], same[PAIR_FRAME_MAX];
            uint32_t len = flat(&x[i], bytes);
            assert_int_equal(flat(&y[i], same), len);
            assert_memory_equal(bytes, same, len);
            assert_int_equal(x[i].token, y[i].token);
            assert_int_equal(hf_output_done(t->x.stack, &t->x.env, x[i].token), HF_OK);
            assert_int_equal(hf_output_done(t->y.stack, &t->y.env, y[i].token), HF_OK);
            struct hf_frame_in in = {.data = bytes, .len = len, .iface = 1};
            if (rng_below(rng, 100) >= loss) {
                hf_input(to->stack, &to->env, &in, 1);
            }
        }
    }
    assert_int_equal(hf_output(t->y.stack, &t->y.env, y, PAIR_BATCH), 0);
}

static void both_input(struct side *from, struct twins *t, struct rng *rng, uint32_t loss)
{
    struct hf_frame_out frames[PAIR_BATCH];
    uint32_t n;
    while ((n = hf_output(from->stack, &from->env, frames, PAIR_BATCH)) != 0) {
        for (uint32_t i = 0; i < n; i++) {
            uint8_t bytes[PAIR_FRAME_MAX];
            struct hf_frame_in in = {.data = bytes, .len = flat(&frames[i], bytes), .iface = 1};
            hf_output_done(from->stack, &from->env, frames[i].token);
            if (rng_below(rng, 100) >= loss) {
                hf_input(t->x.stack, &t->x.env, &in, 1);
                hf_input(t->y.stack, &t->y.env, &in, 1);
            }
        }
    }
}

static void both_have_the_same_events(struct twins *t)
{
    struct hf_event x, y;
    uint32_t n;
    do {
        n = hf_events(t->x.stack, &t->x.env, &x, 1);
        assert_int_equal(hf_events(t->y.stack, &t->y.env, &y, 1), n);
        assert_true(n == 0 || (x.handle == y.handle && x.bits == y.bits && x.error == y.error));
    } while (n != 0);
}

static void both_canonical_forms_are_the_same(const struct twins *t)
{
    uint8_t x[16384], y[16384];
    uint64_t len = hf_canonical(t->x.stack, &t->x.env, x, sizeof x);
    assert_in_range(len, 1, sizeof x);
    assert_int_equal(hf_canonical(t->y.stack, &t->y.env, y, sizeof y), len);
    assert_memory_equal(x, y, len);
}

static void time_passes(struct twins *t, struct side *peer, uint32_t ms)
{
    t->x.env.now_ns += (int64_t)ms * 1000000;
    t->y.env.now_ns = peer->env.now_ns = t->x.env.now_ns;
    assert_int_equal(hf_deadline(t->x.stack, &t->x.env), hf_deadline(t->y.stack, &t->y.env));
    hf_timeouts(t->x.stack, &t->x.env);
    hf_timeouts(t->y.stack, &t->y.env);
    hf_timeouts(peer->stack, &peer->env);
}

static void both_send(struct twins *t, hf_handle handle, struct rng *rng)
{
    uint8_t text[3000];
    uint64_t len = 1 + rng_below(rng, sizeof text);
    memset(text, (int)rng_below(rng, 256), sizeof text);
    assert_int_equal(hf_send(t->x.stack, &t->x.env, handle, text, len, 0),
                     hf_send(t->y.stack, &t->y.env, handle, text, len, 0));
}

static void both_receive(struct twins *t, hf_handle handle, struct rng *rng)
{
    uint8_t x[2000], y[2000];
    uint64_t len = 1 + rng_below(rng, sizeof x);
    int64_t n = hf_recv(t->x.stack, &t->x.env, handle, x, len);
    assert_int_equal(hf_recv(t->y.stack, &t->y.env, handle, y, len), n);
    if (n > 0) {
        assert_memory_equal(x, y, (size_t)n);
    }
}

static void both_say_the_same_reason(const struct twins *t, hf_handle handle)
{
    struct hf_close_reason x, y;
    memset(&x, 0, sizeof x);
    memset(&y, 0, sizeof y);
    assert_int_equal(hf_close_reason(t->x.stack, handle, &x),
                     hf_close_reason(t->y.stack, handle, &y));
    assert_string_equal(x.text, y.text);
}

static void play(struct twins *t, struct side *peer, hf_handle mine, hf_handle theirs,
                 struct rng *rng, uint32_t loss)
{
    uint8_t text[2500];
    memset(text, 'p', sizeof text);
    switch (rng_below(rng, 8)) {
    case 0:
    case 1:
        both_send(t, mine, rng);
        break;
    case 2:
    case 3:
        hf_send(peer->stack, &peer->env, theirs, text, 1 + rng_below(rng, sizeof text), 0);
        break;
    case 4:
        both_receive(t, mine, rng);
        break;
    case 5:
        hf_recv(peer->stack, &peer->env, theirs, text, sizeof text);
        break;
    default:
        time_passes(t, peer, rng_below(rng, 300));
        break;
    }
    both_output(t, peer, rng, loss);
    both_input(peer, t, rng, loss);
}

static void a_resumed_stack_goes_on_byte_for_byte(void **state)
{
    (void)state;
    for (uint8_t seed = 1; seed <= 6; seed++) {
        struct pair p;
        pair_begin(&p);
        connect_pair(&p);
        struct twins t = {p.b, {0}};
        struct rng rng;
        rng_seed(&rng, (const uint8_t[16]){seed});
        for (uint32_t step = 0; step < 300; step++) {
            if (step % 25 == 0) {
                be_written_down(&t);
            }
            play(&t, &p.a, p.client, p.server, &rng, seed * 4u);
            both_have_the_same_events(&t);
            both_canonical_forms_are_the_same(&t);
        }
        assert_int_equal(hf_close(t.x.stack, &t.x.env, p.client), HF_OK);
        assert_int_equal(hf_close(t.y.stack, &t.y.env, p.client), HF_OK);
        hf_close(p.a.stack, &p.a.env, p.server);
        for (uint32_t step = 0; step < 200; step++) {
            play(&t, &p.a, p.client, p.server, &rng, 0);
            time_passes(&t, &p.a, 500);
        }
        both_say_the_same_reason(&t, p.client);
        free(t.y.stack);
        p.b = t.x;
        pair_end(&p);
    }
}

static void a_damaged_snapshot_is_refused_wherever_it_is_damaged(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    send_all(&p.b, p.client, "some text", 9);
    exchange(&p);
    uint64_t bytes = hf_snapshot_bytes(p.a.stack);
    uint8_t *snapshot = malloc(bytes);
    uint8_t *copy = malloc(p.a.bytes);
    assert_non_null(snapshot);
    assert_non_null(copy);
    memcpy(copy, p.a.stack, p.a.bytes);
    assert_int_equal(hf_snapshot(p.a.stack, snapshot, bytes), bytes);
    struct hf_stack *block = p.a.stack; /* whatever is refused leaves it as it was */
    for (uint64_t len = 0; len < bytes; len += len < 200 ? 1 : 97) {
        uint8_t *cut = malloc(len + 1); /* the address sanitizer watches its end */
        assert_non_null(cut);
        memcpy(cut, snapshot, len);
        assert_int_equal(hf_restore(block, p.a.bytes, cut, len), HF_ERR_MISMATCH);
        free(cut);
    }
    for (uint64_t at = 0; at < bytes; at += at < 800 ? 1 : 61) {
        for (unsigned bit = 0; bit < 8; bit += 7) {
            snapshot[at] ^= (uint8_t)(1u << bit);
            assert_int_equal(hf_restore(block, p.a.bytes, snapshot, bytes), HF_ERR_MISMATCH);
            snapshot[at] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(hf_restore(block, p.a.bytes, NULL, bytes), HF_ERR_INVALID);
    assert_int_equal(hf_restore(NULL, p.a.bytes, snapshot, bytes), HF_ERR_INVALID);
    assert_int_equal(hf_restore(block, p.a.bytes - 64, snapshot, bytes), HF_ERR_TOO_LARGE);
    assert_memory_equal(block, copy, p.a.bytes);
    assert_int_equal(hf_restore(block, p.a.bytes, snapshot, bytes), HF_OK);
    receives(&p.a, p.server, "some text", 9);
    free(copy);
    free(snapshot);
    pair_end(&p);
}

/* A snapshot takes what is used, not what is set aside. */
static void a_snapshot_of_a_large_reservation_is_small(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_default(&config, 10000);
    config.large_chunks = 4000; /* 32-bit machines run this too */
    config.small_chunks = 10000;
    struct pair p;
    pair_begin_with(&p, &config, 1, 0);
    connect_pair(&p);
    assert_true(p.a.bytes > 64u << 20);
    assert_in_range(hf_snapshot_bytes(p.a.stack), 1, 256 << 10);
    pair_end(&p);
}

static uint64_t give_back(struct side *s, uint64_t page)
{
    struct hf_extent ranges[64];
    uint32_t n = hf_reclaim(s->stack, page, ranges, 64);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(((uintptr_t)s->stack + ranges[i].offset) % page, 0);
        assert_int_equal(ranges[i].used % page, 0);
        assert_true(ranges[i].used != 0);
        assert_in_range(ranges[i].reserved, ranges[i].used, s->bytes - ranges[i].offset);
        memset((uint8_t *)s->stack + ranges[i].offset, 0, ranges[i].used);
        bytes += ranges[i].used;
    }
    return bytes;
}

static void pages_given_back_are_not_missed(void **state)
{
    (void)state;
    enum { PAGE = 512 };
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    uint8_t text[2048], got[4096];
    uint64_t sent = 0, received = 0;
    struct rng rng;
    rng_seed(&rng, (const uint8_t[16]){5});
    for (uint32_t step = 0; step < 2000; step++) {
        uint32_t len = 1 + rng_below(&rng, sizeof text);
        for (uint32_t i = 0; i < len; i++) {
            text[i] = (uint8_t)((sent + i) * 31 >> 3);
        }
        int64_t n = hf_send(p.b.stack, &p.b.env, p.client, text, len, 0);
        sent += n > 0 ? (uint64_t)n : 0;
        if (rng_below(&rng, 3) == 0) {
            exchange(&p);
        }
        n = hf_recv(p.a.stack, &p.a.env, p.server, got, 1 + rng_below(&rng, sizeof got));
        for (int64_t i = 0; i < n; i++) {
            assert_int_equal(got[i], (uint8_t)((received + (uint64_t)i) * 31 >> 3));
        }
        received += n > 0 ? (uint64_t)n : 0;
        give_back(&p.a, PAGE);
        give_back(&p.b, PAGE);
    }
    assert_true(received > 100000);
    pair_end(&p);
}

static void an_idle_stack_gives_all_payload_back(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    uint8_t text[100000];
    memset(text, 1, sizeof text);
    send_all(&p.b, p.client, text, sizeof text);
    after(&p, 1000);
    uint64_t before = hf_snapshot_bytes(p.a.stack);
    struct hf_slice slice;
    while (hf_recv_slices(p.a.stack, &p.a.env, p.server, &slice, 1) > 0) {
        assert_int_equal(hf_recv_consume(p.a.stack, &p.a.env, p.server, slice.len), HF_OK);
    }
    after(&p, 1000);
    assert_in_range(before, sizeof text, 4 * sizeof text);
    assert_true(give_back(&p.a, 4096) > sizeof text);
    assert_in_range(hf_snapshot_bytes(p.a.stack), 1, sizeof text / 2);
    assert_int_equal(hf_reclaim(p.a.stack, 3000, NULL, 0), 0);
    assert_int_equal(hf_reclaim(p.a.stack, 0, NULL, 0), 0);
    send_all(&p.b, p.client, "again", 5);
    exchange(&p);
    receives(&p.a, p.server, "again", 5);
    pair_end(&p);
}

/* In pages of one octet nothing is lost at their edges. */
static void all_that_is_not_in_use_is_given_back(void **state)
{
    (void)state;
    struct pair p;
    struct hf_extent parts[64];
    uint64_t idle = 0;
    pair_begin(&p);
    connect_pair(&p);
    uint64_t bytes = give_back(&p.a, 1);
    uint32_t n = hf_extents(p.a.stack, parts, 64);
    for (uint32_t i = 0; i < n; i++) {
        bool ring = strcmp(parts[i].name, "history") == 0; /* its end may hold events */
        idle += ring ? 0 : parts[i].reserved - parts[i].used;
    }
    assert_int_equal(bytes, idle);
    pair_end(&p);
}

static uint32_t chunks_of(const struct side *s)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(s->stack, &counters);
    return counters.small_chunks + counters.large_chunks;
}

/* The frame is gone with the process it was given to; its text arrives with a repetition, and waits
 * for it. */
static void a_stack_resumed_with_a_frame_out_goes_on(void **state)
{
    (void)state;
    static const uint8_t text[1000];
    struct pair p;
    struct hf_config config;
    struct hf_frame_out lost;
    hf_config_default(&config, 2);
    config.max_tokens = 8;
    pair_begin_with(&p, &config, 7, 1000000000);
    connect_pair(&p);
    send_all(&p.a, p.server, text, sizeof text);
    assert_int_equal(hf_output(p.a.stack, &p.a.env, &lost, 1), 1);
    after(&p, 1000);
    receives(&p.b, p.client, text, sizeof text);
    struct twins t = {.x = p.a};
    be_written_down(&t);
    free(p.a.stack);
    p.a = t.y;
    assert_true(chunks_of(&p.a) > 0);
    assert_int_equal(hf_output_forget(p.a.stack, &p.a.env), HF_OK);
    assert_int_equal(chunks_of(&p.a), 0);
    assert_int_equal(hf_output_done(p.a.stack, &p.a.env, lost.token), HF_ERR_INVALID);
    for (uint32_t i = 0; i < 50; i++) {
        send_all(&p.a, p.server, text, sizeof text);
        after(&p, 1000);
        receives(&p.b, p.client, text, sizeof text);
    }
    assert_int_equal(hf_output_forget(NULL, &p.a.env), HF_ERR_INVALID);
    pair_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resumed_stack_goes_on_byte_for_byte),
        cmocka_unit_test(a_stack_resumed_with_a_frame_out_goes_on),
        cmocka_unit_test(a_damaged_snapshot_is_refused_wherever_it_is_damaged),
        cmocka_unit_test(a_snapshot_of_a_large_reservation_is_small),
        cmocka_unit_test(pages_given_back_are_not_missed),
        cmocka_unit_test(an_idle_stack_gives_all_payload_back),
        cmocka_unit_test(all_that_is_not_in_use_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
