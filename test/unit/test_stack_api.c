/* Handles, events, options, borrowed memory, counters: the API around the user calls. */
#include "stack/stack.h"
#include "unit/stack_pair.h"

static void a_stale_handle_is_refused_by_every_call(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    hf_handle old = p.client;
    assert_int_equal(hf_abort(p.b.stack, &p.b.env, old), HF_OK);
    assert_int_equal(hf_release(p.b.stack, &p.b.env, old), HF_OK);
    exchange(&p);
    hf_handle again = open_to(&p.b, &p.a, PAIR_PORT);
    exchange(&p);
    assert_int_equal((uint32_t)again, (uint32_t)old); /* the same record, another generation */
    const hf_handle bad[] = {old,
                             0,
                             again + 1,
                             again + ((hf_handle)1 << 32),
                             UINT64_MAX,
                             again | (hf_handle)1 << 30,
                             again | (hf_handle)2 << 30,
                             again & 0x3fffffff};
    struct hf_stack *s = p.b.stack;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        hf_handle h = bad[i], other;
        char octet = 0;
        int64_t value;
        uint64_t cookie;
        struct hf_slice slice;
        struct hf_status status = {.struct_size = sizeof status};
        struct hf_close_reason reason;
        struct hf_icmp_report report;
        assert_int_equal(hf_send(s, &p.b.env, h, &octet, 1, 0), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_send_borrowed(s, &p.b.env, h, 1, 0, 1, 0, 0), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_recv(s, &p.b.env, h, &octet, 1), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_recv_slices(s, &p.b.env, h, &slice, 1), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_recv_consume(s, &p.b.env, h, 0), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_close(s, &p.b.env, h), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_abort(s, &p.b.env, h), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_release(s, &p.b.env, h), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_answer(s, &p.b.env, h, HF_ANSWER_ACCEPT), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_accept(s, &p.b.env, h, &other, NULL), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_asked(s, &p.b.env, h, &other, NULL, NULL), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_status(s, &p.b.env, h, &status), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_set_option(s, &p.b.env, h, HF_NODELAY, 1), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_option(s, h, HF_NODELAY, &value), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_set_cookie(s, h, 1), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_cookie(s, h, &cookie), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_close_reason(s, h, &reason), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_error_report(s, h, &report), HF_ERR_STALE_HANDLE);
        assert_int_equal(hf_history(s, h, NULL, 0), 0);
    }
    assert_int_equal(state_of(&p.b, again), HF_ESTABLISHED);
    pair_end(&p);
}

static void arguments_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    struct hf_stack *s = p.b.stack;
    struct hf_endpoint remote = {.port = 1}, local = {.port = 1};
    hf_handle h;
    char octet = 0;
    assert_int_equal(hf_send(s, &p.b.env, p.client, NULL, 1, 0), HF_ERR_INVALID);
    assert_int_equal(hf_send(s, &p.b.env, p.client, &octet, 1, 8), HF_ERR_INVALID);
    assert_int_equal(hf_send(s, &p.b.env, p.client, &octet, 0, 0), 0);
    assert_int_equal(hf_send(s, NULL, p.client, &octet, 1, 0), HF_ERR_INVALID);
    assert_int_equal(hf_recv(s, &p.b.env, p.client, NULL, 1), HF_ERR_INVALID);
    assert_int_equal(hf_recv(s, &p.b.env, p.client, &octet, 0), HF_ERR_INVALID);
    assert_int_equal(hf_recv_slices(s, &p.b.env, p.client, NULL, 1), HF_ERR_INVALID);
    assert_int_equal(hf_open(s, &p.b.env, NULL, NULL, 0, &h), HF_ERR_INVALID);
    assert_int_equal(hf_open(s, &p.b.env, NULL, &remote, 0, &h), HF_ERR_INVALID); /* any */
    memcpy(remote.ip, p.a.ip, 16);
    assert_int_equal(hf_open(s, &p.b.env, NULL, &remote, 0, NULL), HF_ERR_INVALID);
    remote.iface = 9;
    assert_int_equal(hf_open(s, &p.b.env, NULL, &remote, 0, &h), HF_ERR_INVALID);
    remote.iface = 0;
    remote.port = 0;
    assert_int_equal(hf_open(s, &p.b.env, NULL, &remote, 0, &h), HF_ERR_INVALID);
    remote.port = 1;
    remote.ip[12] = 224; /* MUST-46: no multicast, no broadcast */
    assert_int_equal(hf_open(s, &p.b.env, NULL, &remote, 0, &h), HF_ERR_INVALID);
    pair_address(remote.ip, 255);
    assert_int_equal(hf_open(s, &p.b.env, NULL, &remote, 0, &h), HF_ERR_INVALID);
    pair_address(remote.ip, 1);
    pair_address(local.ip, 77);
    assert_int_equal(hf_open(s, &p.b.env, &local, &remote, 0, &h), HF_ERR_NO_ADDRESS);
    memset(local.ip, 0, 16);
    local.ip[0] = 0x20; /* an IPv6 address towards an IPv4 one */
    assert_int_equal(hf_open(s, &p.b.env, &local, &remote, 0, &h), HF_ERR_INVALID);
    remote.ip[12] = 10; /* nowhere */
    assert_int_equal(hf_open(s, &p.b.env, NULL, &remote, 0, &h), HF_ERR_NET_UNREACHABLE);
    assert_int_equal(hf_answer(s, &p.b.env, p.client, HF_ANSWER_ACCEPT), HF_ERR_NOT_CONNECTED);
    assert_int_equal(hf_answer(s, &p.b.env, p.client, (enum hf_answer)9), HF_ERR_INVALID);
    assert_int_equal(hf_output_done(s, &p.b.env, 12345), HF_ERR_INVALID);
    pair_end(&p);
}

static void the_same_pair_of_sockets_is_opened_once(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    p.listener = listen_on(&p.a, PAIR_PORT);
    struct hf_endpoint local = {.port = 5000}, remote = {.port = PAIR_PORT};
    memcpy(remote.ip, p.a.ip, 16);
    hf_handle h, other;
    assert_int_equal(hf_open(p.b.stack, &p.b.env, &local, &remote, 0, &h), HF_OK);
    assert_int_equal(hf_open(p.b.stack, &p.b.env, &local, &remote, 0, &other), HF_ERR_EXISTS);
    exchange(&p);
    assert_int_equal(state_of(&p.b, h), HF_ESTABLISHED);
    pair_end(&p);
}

static void cookies_and_events_go_with_their_handles(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    p.listener = listen_on(&p.a, PAIR_PORT);
    assert_int_equal(hf_set_cookie(p.a.stack, p.listener, 1111), HF_OK);
    hf_handle socket;
    struct hf_endpoint here = {.port = 53};
    assert_int_equal(hf_udp_open(p.a.stack, &p.a.env, &here, &socket), HF_OK);
    assert_int_equal(hf_set_cookie(p.a.stack, socket, 3333), HF_OK);
    p.client = open_to(&p.b, &p.a, PAIR_PORT);
    exchange(&p);
    hf_handle socket_b;
    here.port = 0;
    assert_int_equal(hf_udp_open(p.b.stack, &p.b.env, &here, &socket_b), HF_OK);
    struct hf_endpoint there = {.port = 53};
    memcpy(there.ip, p.a.ip, 16);
    assert_int_equal(hf_udp_send(p.b.stack, &p.b.env, socket_b, NULL, &there, "q", 1), 1);
    exchange(&p);

    struct hf_event events[8];
    assert_int_equal(hf_events(p.a.stack, &p.a.env, events, 0), 0);
    uint32_t n = hf_events(p.a.stack, &p.a.env, events, 8), seen = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (events[i].handle == p.listener) {
            assert_int_equal(events[i].cookie, 1111);
            assert_int_equal(events[i].bits, HF_ACCEPTED);
            seen |= 1;
        } else {
            assert_true(events[i].handle == socket);
            assert_int_equal(events[i].cookie, 3333);
            assert_true(events[i].bits & HF_READABLE);
            seen |= 2;
        }
    }
    assert_int_equal(n, 2);
    assert_int_equal(seen, 3);
    assert_int_equal(hf_events(p.a.stack, &p.a.env, events, 8), 0); /* told once */

    assert_int_equal(hf_accept(p.a.stack, &p.a.env, p.listener, &p.server, NULL), HF_OK);
    assert_int_equal(hf_set_cookie(p.a.stack, p.server, 2222), HF_OK);
    send_all(&p.b, p.client, "x", 1);
    exchange(&p);
    assert_int_equal(hf_events(p.a.stack, &p.a.env, events, 8), 1);
    assert_true(events[0].handle == p.server);
    assert_int_equal(events[0].cookie, 2222);
    assert_int_equal(events[0].bits, HF_READABLE);
    uint64_t cookie = 0;
    assert_int_equal(hf_cookie(p.a.stack, p.server, &cookie), HF_OK);
    assert_int_equal(cookie, 2222);
    assert_int_equal(hf_release(p.a.stack, &p.a.env, socket), HF_OK);
    assert_int_equal(hf_cookie(p.a.stack, socket, &cookie), HF_ERR_STALE_HANDLE);
    pair_end(&p);
}

/* What was true when it happened, and is not when it is read, is not told. */
static void an_event_is_true_when_it_is_read(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    assert_int_equal(events_of(&p.a, p.server) & HF_READABLE, 0);
    send_all(&p.b, p.client, "x", 1);
    exchange(&p);
    receives(&p.a, p.server, "x", 1);
    assert_int_equal(events_of(&p.a, p.server) & HF_READABLE, 0);
    hf_handle second = open_to(&p.b, &p.a, PAIR_PORT), accepted;
    exchange(&p);
    assert_int_equal(hf_accept(p.a.stack, &p.a.env, p.listener, &accepted, NULL), HF_OK);
    assert_int_equal(events_of(&p.a, p.listener), 0);
    assert_true(events_of(&p.b, second) & HF_CONNECTED);
    pair_end(&p);
}

static void accept_tells_the_peer_and_what_came_meanwhile(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    p.listener = listen_on(&p.a, PAIR_PORT);
    hf_handle h = 0;
    assert_int_equal(hf_accept(p.a.stack, &p.a.env, p.listener, &h, NULL), HF_ERR_WOULD_BLOCK);
    assert_int_equal(hf_accept(p.a.stack, &p.a.env, p.listener, NULL, NULL), HF_ERR_INVALID);
    struct hf_endpoint local = {.port = 6000}, remote = {.port = PAIR_PORT}, peer;
    memcpy(remote.ip, p.a.ip, 16);
    assert_int_equal(hf_open(p.b.stack, &p.b.env, &local, &remote, 0, &p.client), HF_OK);
    exchange(&p);
    send_all(&p.b, p.client, "early", 5);
    exchange(&p);
    assert_int_equal(events_of(&p.a, p.listener), HF_ACCEPTED);
    assert_int_equal(hf_accept(p.a.stack, &p.a.env, p.listener, &p.server, &peer), HF_OK);
    assert_int_equal(peer.port, 6000);
    assert_memory_equal(peer.ip, p.b.ip, 16);
    assert_true(events_of(&p.a, p.server) & HF_READABLE);
    receives(&p.a, p.server, "early", 5);
    pair_end(&p);
}

static void lend(struct side *s, struct hf_region *region, void *base, uint64_t bytes)
{
    *region = (struct hf_region){base, bytes};
    s->env.regions = region;
    s->env.n_regions = 1;
}

static void borrowed_octets_come_back_when_they_are_acknowledged(void **state)
{
    (void)state;
    static char memory[] = "..borrowed text..";
    struct pair p;
    struct hf_region region;
    uint64_t tokens[4];
    pair_begin(&p);
    connect_pair(&p);
    struct hf_stack *s = p.b.stack;
    lend(&p.b, &region, memory, sizeof memory);
#define BORROW(number, offset, len)                                                                \
    hf_send_borrowed(s, &p.b.env, p.client, number, offset, len, 42, 0)
    assert_int_equal(BORROW(1, 2, 8), HF_ERR_INVALID); /* not registered */
    assert_int_equal(hf_region_add(s, &p.b.env, 0), HF_ERR_INVALID);
    assert_int_equal(hf_region_add(s, &p.b.env, 2), HF_ERR_INVALID); /* not in the env */
    assert_int_equal(hf_region_add(s, &p.b.env, 1), HF_OK);
    assert_int_equal(hf_region_add(s, &p.b.env, 1), HF_ERR_EXISTS);
    assert_int_equal(BORROW(2, 2, 8), HF_ERR_INVALID);
    assert_int_equal(BORROW(1, 2, 0), HF_ERR_INVALID);
    assert_int_equal(BORROW(1, 2, sizeof memory), HF_ERR_INVALID); /* behind its end */
    assert_int_equal(BORROW(1, UINT64_MAX, 2), HF_ERR_INVALID);
    assert_int_equal(hf_returned(s, &p.b.env, tokens, 4), 0);
    assert_int_equal(BORROW(1, 2, 13), 13);
    assert_int_equal(hf_region_remove(s, &p.b.env, 1), HF_ERR_EXISTS);
    assert_int_equal(hf_returned(s, &p.b.env, tokens, 4), 0);
    exchange(&p);
    assert_true(events_of(&p.b, p.client) & HF_SENT);
    assert_int_equal(hf_returned(s, &p.b.env, tokens, 4), 1);
    assert_int_equal(tokens[0], 42);
    assert_int_equal(hf_returned(s, &p.b.env, tokens, 4), 0);
    receives(&p.a, p.server, "borrowed text", 13);
    assert_int_equal(hf_region_remove(s, &p.b.env, 1), HF_OK);
    assert_int_equal(hf_region_remove(s, &p.b.env, 1), HF_ERR_INVALID);
    assert_int_equal(BORROW(1, 2, 8), HF_ERR_INVALID);
#undef BORROW
    pair_end(&p);
}

/* All or nothing: a refused one is neither held nor returned. */
static void borrowed_octets_that_are_refused_stay_the_application_s(void **state)
{
    (void)state;
    static char memory[5000];
    struct pair p;
    struct hf_region region;
    uint64_t tokens[4];
    pair_begin(&p);
    connect_pair(&p);
    lend(&p.b, &region, memory, sizeof memory);
    assert_int_equal(hf_region_add(p.b.stack, &p.b.env, 1), HF_OK);
    assert_int_equal(hf_set_option(p.b.stack, &p.b.env, p.client, HF_SEND_BUFFER, 4000), HF_OK);
    assert_int_equal(hf_send_borrowed(p.b.stack, &p.b.env, p.client, 1, 0, 3000, 1, 0), 3000);
    assert_int_equal(hf_send_borrowed(p.b.stack, &p.b.env, p.client, 1, 0, 3000, 2, 0),
                     HF_ERR_WOULD_BLOCK);
    exchange(&p);
    assert_int_equal(hf_returned(p.b.stack, &p.b.env, tokens, 4), 1);
    assert_int_equal(tokens[0], 1);
    assert_int_equal(hf_region_remove(p.b.stack, &p.b.env, 1), HF_OK);
    pair_end(&p);
}

static void a_lent_frame_comes_back_when_its_octets_are_read(void **state)
{
    (void)state;
    static uint8_t memory[8][PAIR_FRAME_MAX];
    struct pair p;
    struct hf_region region;
    pair_begin(&p);
    connect_pair(&p);
    lend(&p.a, &region, memory, sizeof memory);
    assert_int_equal(hf_region_add(p.a.stack, &p.a.env, 1), HF_OK);
    send_all(&p.b, p.client, "lent to the stack", 17);
    struct hf_frame_out out[8];
    uint32_t n = hf_output(p.b.stack, &p.b.env, out, 8);
    assert_int_equal(n, 1);
    struct hf_frame_in in = {
        .data = memory[3], .len = flat(&out[0], memory[3]), .iface = 1, .region = 1, .token = 99};
    hf_output_done(p.b.stack, &p.b.env, out[0].token);
    assert_int_equal(hf_input(p.a.stack, &p.a.env, &in, 1), 0);
    uint64_t token = 0;
    if (hf_returned(p.a.stack, &p.a.env, &token, 1) == 0) { /* kept where it lies */
        assert_int_equal(hf_region_remove(p.a.stack, &p.a.env, 1), HF_ERR_EXISTS);
        receives(&p.a, p.server, "lent to the stack", 17);
        assert_int_equal(hf_returned(p.a.stack, &p.a.env, &token, 1), 1);
    } else {
        memset(memory, 0, sizeof memory);
        receives(&p.a, p.server, "lent to the stack", 17);
    }
    assert_int_equal(token, 99);
    assert_int_equal(hf_region_remove(p.a.stack, &p.a.env, 1), HF_OK);
    pair_end(&p);
}

static void options_are_done_or_refused(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    hf_handle socket;
    struct hf_endpoint here = {.port = 53};
    assert_int_equal(hf_udp_open(p.a.stack, &p.a.env, &here, &socket), HF_OK);
    const hf_handle handles[] = {p.server, p.listener};
    static const struct {
        enum hf_option option;
        int64_t good, bad;
    } rows[] = {
        {HF_NODELAY, 1, 2},         {HF_RECEIVE_WINDOW, 50000, 0},
        {HF_SEND_BUFFER, 60000, 0}, {HF_TTL, 7, 0},
        {HF_TTL, 255, 256},         {HF_TOS, 0x20, 0x100},
        {HF_TOS, 0xb8, 0x21},       {HF_QUICK_ACK, 1, -1},
        {HF_NODELAY, 0, -1},        {HF_CONGESTION_CONTROL, HF_NEWRENO, HF_CONGESTIONS},
    };
    for (size_t h = 0; h < ARRAY_LEN(handles); h++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            int64_t value = -5;
            assert_int_equal(
                hf_set_option(p.a.stack, &p.a.env, handles[h], rows[i].option, rows[i].good),
                HF_OK);
            assert_int_equal(
                hf_set_option(p.a.stack, &p.a.env, handles[h], rows[i].option, rows[i].bad),
                HF_ERR_INVALID);
            assert_int_equal(hf_option(p.a.stack, handles[h], rows[i].option, &value), HF_OK);
            assert_int_equal(value, rows[i].good);
        }
        assert_int_equal(hf_set_option(p.a.stack, &p.a.env, handles[h], HF_OPTIONS, 0),
                         HF_ERR_INVALID);
    }
    int64_t value = 0;
    assert_int_equal(hf_set_option(p.a.stack, &p.a.env, socket, HF_TTL, 9), HF_OK);
    assert_int_equal(hf_option(p.a.stack, socket, HF_TTL, &value), HF_OK);
    assert_int_equal(value, 9);
    assert_int_equal(hf_set_option(p.a.stack, &p.a.env, socket, HF_TTL, 0), HF_ERR_INVALID);
    assert_int_equal(hf_set_option(p.a.stack, &p.a.env, socket, HF_TOS, 4), HF_OK);
    assert_int_equal(hf_set_option(p.a.stack, &p.a.env, socket, HF_NODELAY, 1), HF_ERR_UNSUPPORTED);
    assert_int_equal(hf_option(p.a.stack, socket, HF_NODELAY, &value), HF_ERR_UNSUPPORTED);
    pair_end(&p);
}

static void a_listener_s_options_are_inherited(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    p.listener = listen_on(&p.a, PAIR_PORT);
    static const struct {
        enum hf_option option;
        int64_t value;
    } rows[] = {{HF_NODELAY, 1}, {HF_RECEIVE_WINDOW, 5000}, {HF_SEND_BUFFER, 6000}, {HF_TTL, 33},
                {HF_TOS, 0x20},  {HF_QUICK_ACK, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(
            hf_set_option(p.a.stack, &p.a.env, p.listener, rows[i].option, rows[i].value), HF_OK);
    }
    assert_int_equal(hf_set_option(p.a.stack, &p.a.env, p.listener, HF_MAX_SEGMENT, 700), HF_OK);
    p.client = open_to(&p.b, &p.a, PAIR_PORT);
    exchange(&p);
    assert_int_equal(hf_accept(p.a.stack, &p.a.env, p.listener, &p.server, NULL), HF_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t value = -1;
        assert_int_equal(hf_option(p.a.stack, p.server, rows[i].option, &value), HF_OK);
        assert_int_equal(value, rows[i].value);
    }
    struct hf_status status = {.struct_size = sizeof status};
    assert_int_equal(hf_status(p.b.stack, &p.b.env, p.client, &status), HF_OK);
    assert_int_equal(status.snd_mss, 700 - 12); /* announced 700; timestamps take 12 */
    assert_in_range(status.snd_wnd, 1, 5000);
    pair_end(&p);
}

static void structs_of_an_older_caller_are_filled_in_as_far_as_they_go(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    struct hf_status status;
    memset(&status, 0x77, sizeof status);
    status.struct_size = offsetof(struct hf_status, local);
    assert_int_equal(hf_status(p.a.stack, &p.a.env, p.server, &status), HF_OK);
    assert_int_equal(status.struct_size, offsetof(struct hf_status, local));
    assert_int_equal(status.state, HF_ESTABLISHED);
    assert_int_equal(status.local.port, 0x7777);
    struct hf_counters counters;
    memset(&counters, 0x77, sizeof counters);
    counters.struct_size = offsetof(struct hf_counters, frames_in);
    hf_counters(p.a.stack, &counters);
    assert_int_equal(counters.n_verdicts, HF_VERDICT_COUNT);
    assert_int_equal(counters.verdict[HF_V_HANDSHAKE], 1);
    assert_int_equal(counters.frames_in, 0x7777777777777777);
    counters.struct_size = sizeof counters;
    hf_counters(p.a.stack, &counters);
    assert_int_equal(counters.frames_in, 2); /* SYN, ACK */
    assert_int_equal(counters.frames_out, 1);
    assert_int_equal(counters.segs_in, 2);
    assert_int_equal(counters.segs_out, 1);
    assert_int_equal(counters.opened_passive, 1);
    assert_int_equal(counters.connections, 1);
    assert_int_equal(counters.half_open, 0);
    assert_int_equal(hf_status(p.a.stack, NULL, p.listener, &status), HF_OK);
    assert_int_equal(status.state, HF_LISTEN);
    pair_end(&p);
}

static void the_history_tells_the_handshake(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    connect_pair(&p);
    struct hf_trace records[16];
    uint32_t n = hf_history(p.b.stack, p.client, records, 16);
    assert_in_range(n, 3, 16);
    assert_int_equal(records[0].cause, HF_CALL_OPEN_ACTIVE);
    assert_int_equal(records[0].state_after, HF_SYN_SENT);
    assert_int_equal(records[n - 1].state_after, HF_ESTABLISHED);
    assert_int_equal(hf_history(p.b.stack, p.client, records, 1), 1);
    pair_end(&p);
}

static void every_error_has_words(void **state)
{
    (void)state;
    for (int error = HF_OK; error >= HF_ERR_PROHIBITED; error--) {
        const char *text = hf_error_text(error);
        assert_non_null(text);
        assert_string_not_equal(text, "unknown error");
    }
    assert_string_equal(hf_error_text(HF_ERR_PROHIBITED - 1), "unknown error");
    assert_string_equal(hf_error_text(1), "unknown error");
    assert_string_equal(hf_error_text(INT32_MIN), "unknown error");
    assert_string_equal(hf_error_text(HF_ERR_REFUSED), "connection refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stale_handle_is_refused_by_every_call),
        cmocka_unit_test(arguments_that_cannot_be_are_refused),
        cmocka_unit_test(the_same_pair_of_sockets_is_opened_once),
        cmocka_unit_test(cookies_and_events_go_with_their_handles),
        cmocka_unit_test(an_event_is_true_when_it_is_read),
        cmocka_unit_test(accept_tells_the_peer_and_what_came_meanwhile),
        cmocka_unit_test(borrowed_octets_come_back_when_they_are_acknowledged),
        cmocka_unit_test(borrowed_octets_that_are_refused_stay_the_application_s),
        cmocka_unit_test(a_lent_frame_comes_back_when_its_octets_are_read),
        cmocka_unit_test(options_are_done_or_refused),
        cmocka_unit_test(a_listener_s_options_are_inherited),
        cmocka_unit_test(structs_of_an_older_caller_are_filled_in_as_far_as_they_go),
        cmocka_unit_test(the_history_tells_the_handshake),
        cmocka_unit_test(every_error_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
