/* Whatever lies below and beside TCP is drawn: on two links come ARP, neighbour discovery, ICMP
 * errors about packets under way, echo requests, datagrams, segments, extension headers, parts in
 * any order, lent frames and damaged ones, while the user calls in any order - sockets,
 * connections, addresses, routes, neighbours - memory is refused and time passes.
 *
 * Nothing ends the process, hf_check finds each block sound, what leaves is well-formed
 * (packet_storm_out.c), the stack comes to rest when all that it owes has left, and when all is let
 * go nothing is left.  HF_SEED: one life; HF_LONG: many.
 *
 * ctest: timeout=300
 */
#include "attack/packet_storm.h"
#include "attack/row.h"
#include "common/refuse.h"
#include "common/sound.h"
#include "stack/stack.h"

#include <stdio.h>
#include <string.h>

enum {
    LIVES = 3000,
    SANITIZED_LIVES = 500,
    LONG_LIVES = 20000,
    STEPS = 250,
    HANDLES = 16,
    REST_ROUNDS = 400
};

struct life {
    struct packet_storm *s;
    hf_handle handle[HANDLES];
};

static uint8_t text[70000];

static uint32_t below(struct life *life, uint32_t n)
{
    return ps_below(life->s, n);
}

static bool one_in(struct life *life, uint32_t n)
{
    return ps_one_in(life->s, n);
}

/* Calls of the user: sockets and connections --------------------------------------------------- */

static hf_handle *any_handle(struct life *life)
{
    return &life->handle[below(life, HANDLES)];
}

/* An end of the stack: a certain address, or any. */
static struct hf_endpoint here(struct life *life, uint16_t port)
{
    struct hf_endpoint end = {.port = port, .iface = one_in(life, 4) ? below(life, 4) : 0};
    if (!one_in(life, 3)) {
        const struct ps_own *own = ps_own(life->s, one_in(life, 2));
        memcpy(end.ip, own->ip, 16);
        end.iface = one_in(life, 2) ? own->iface : end.iface;
    }
    return end;
}

static struct hf_endpoint there(struct life *life, uint16_t port)
{
    struct hf_endpoint end = {.port = port, .iface = (uint16_t)(1 + below(life, 2))};
    ps_remote(life->s, end.iface, one_in(life, 2), end.ip);
    if (end.ip[0] != 0xfe && end.ip[0] != 0xff) {
        end.iface = one_in(life, 10) ? end.iface : 0;
    }
    return end;
}

static void opens_socket(struct life *life)
{
    static const uint16_t ports[] = {53, 7000, 7001, 7000, 7001, 0};
    struct hf_endpoint local = here(life, ports[below(life, ARRAY_LEN(ports))]);
    hf_handle handle;
    if (hf_udp_open(life->s->stack, &life->s->env, &local, &handle) == HF_OK) {
        *any_handle(life) = handle;
    }
}

static void sends_datagram(struct life *life)
{
    struct packet_storm *s = life->s;
    struct hf_endpoint from = here(life, 0);
    struct hf_endpoint to = there(life, (uint16_t)(7000 + below(life, 3)));
    uint32_t len = one_in(life, 12) ? below(life, sizeof text) : below(life, 3000);
    (void)hf_udp_send(s->stack, &s->env, *any_handle(life), one_in(life, 3) ? &from : NULL, &to,
                      text, len);
}

static void reads_datagram(struct life *life)
{
    struct packet_storm *s = life->s;
    struct hf_endpoint from, to;
    (void)hf_udp_recv(s->stack, &s->env, *any_handle(life), one_in(life, 2) ? &from : NULL,
                      one_in(life, 2) ? &to : NULL, text, below(life, sizeof text));
}

static void listens_somewhere(struct life *life)
{
    struct packet_storm *s = life->s;
    struct hf_listen listen = {.struct_size = sizeof listen,
                               .local = here(life, (uint16_t)(80 + below(life, 3))),
                               .backlog = (uint16_t)below(life, 4),
                               .hold = one_in(life, 3)};
    listen.port_last = one_in(life, 3) ? 82 : 0;
    hf_handle handle;
    if (hf_listen(s->stack, &s->env, &listen, &handle) == HF_OK) {
        *any_handle(life) = handle;
    }
}

static void takes_connection(struct life *life)
{
    struct packet_storm *s = life->s;
    hf_handle handle, listener = *any_handle(life);
    if (hf_asked(s->stack, &s->env, listener, &handle, NULL, NULL) == HF_OK) {
        *any_handle(life) = handle;
        (void)hf_answer(s->stack, &s->env, handle, (enum hf_answer)below(life, 5));
    } else if (hf_accept(s->stack, &s->env, listener, &handle, NULL) == HF_OK) {
        *any_handle(life) = handle;
    }
}

static void opens_connection(struct life *life)
{
    struct packet_storm *s = life->s;
    struct hf_endpoint local = here(life, one_in(life, 3) ? 80 : 0);
    struct hf_endpoint remote = there(life, (uint16_t)(80 + below(life, 3)));
    hf_handle handle;
    if (hf_open(s->stack, &s->env, one_in(life, 2) ? &local : NULL, &remote, below(life, 2) * 5000,
                &handle) == HF_OK) {
        *any_handle(life) = handle;
    }
}

static void sends_text(struct life *life)
{
    struct packet_storm *s = life->s;
    hf_handle handle = *any_handle(life);
    uint32_t which = below(life, PS_BORROWED), len = 1 + below(life, PS_BORROWED_BYTES);
    uint32_t flags = below(life, 8);
    if (one_in(life, 3) && !s->borrowed[which]) {
        int64_t taken =
            hf_send_borrowed(s->stack, &s->env, handle, 2, (uint64_t)which * PS_BORROWED_BYTES, len,
                             1000 + which, flags);
        s->borrowed[which] = taken > 0;
    } else {
        (void)hf_send(s->stack, &s->env, handle, text, 1 + below(life, 20000), flags);
    }
}

static void reads_text(struct life *life)
{
    struct packet_storm *s = life->s;
    hf_handle handle = *any_handle(life);
    struct hf_slice slices[4];
    if (one_in(life, 2)) {
        (void)hf_recv(s->stack, &s->env, handle, text, below(life, sizeof text));
    } else {
        int n = hf_recv_slices(s->stack, &s->env, handle, slices, 1 + below(life, 4));
        if (n > 0) {
            (void)hf_recv_consume(s->stack, &s->env, handle, below(life, slices[0].len + 1));
        }
    }
}

static void ends_one(struct life *life)
{
    struct packet_storm *s = life->s;
    hf_handle handle = *any_handle(life);
    if (one_in(life, 3)) {
        (void)hf_abort(s->stack, &s->env, handle);
    } else if (one_in(life, 2)) {
        (void)hf_close(s->stack, &s->env, handle);
    } else {
        (void)hf_release(s->stack, &s->env, handle);
    }
}

static void sets_one(struct life *life)
{
    static const int64_t values[] = {0, 1, 2, 64, 255, 1000, 60000};
    struct packet_storm *s = life->s;
    enum hf_option option = one_in(life, 2) ? one_in(life, 2) ? HF_TTL : HF_MAY_FRAGMENT
                                            : (enum hf_option)below(life, HF_OPTIONS);
    (void)hf_set_option(s->stack, &s->env, *any_handle(life), option,
                        values[below(life, ARRAY_LEN(values))]);
}

static void asks_events(struct life *life)
{
    struct packet_storm *s = life->s;
    struct hf_event events[4];
    struct hf_icmp_report report;
    uint32_t n;
    while ((n = hf_events(s->stack, &s->env, events, 1 + below(life, 4))) != 0) {
        for (uint32_t i = 0; i < n; i++) {
            if ((events[i].bits & HF_ERROR_REPORT) && one_in(life, 2)) {
                (void)hf_error_report(s->stack, events[i].handle, &report);
            }
        }
    }
    ps_takes_returned(s);
}

/* Calls of the user: links --------------------------------------------------------------------- */

static void changes_address(struct life *life)
{
    struct packet_storm *s = life->s;
    struct ps_own *own = &s->own[below(life, PS_OWN)];
    if (own->now) {
        own->now = hf_address_remove(s->stack, &s->env, own->iface, own->ip) != HF_OK;
        s->lost = true;
    } else {
        own->now = hf_address_add(s->stack, &s->env, own->iface, own->ip, own->prefix_len) == HF_OK;
        own->ever |= own->now;
    }
}

static void changes_route(struct life *life)
{
    struct packet_storm *s = life->s;
    uint32_t iface = 1 + below(life, 3), len = one_in(life, 3) ? 0 : 8 * below(life, 5);
    uint8_t prefix[16], gateway[16];
    bool v6 = one_in(life, 2);
    ps_remote(s, 1 + below(life, 2), v6, prefix);
    ps_remote(s, 1 + below(life, 2), v6, gateway);
    len = v6 && one_in(life, 2) ? 64 + len : len;
    if (one_in(life, 3)) {
        (void)hf_route_remove(s->stack, &s->env, iface, prefix, len);
    } else {
        (void)hf_route_add(s->stack, &s->env, iface, prefix, len, one_in(life, 3) ? NULL : gateway);
    }
}

static void changes_link(struct life *life)
{
    struct packet_storm *s = life->s;
    uint8_t ip[16], mac[6];
    uint32_t iface = 1 + below(life, 3);
    ps_remote(s, 1 + below(life, 2), one_in(life, 2), ip);
    ps_mac(s, iface, mac);
    switch (below(life, 8)) {
    case 0:
        if (s->links < PS_LINKS && hf_interface_add(s->stack, &s->env, &s->link[s->links]) > 0) {
            s->links++;
        }
        break;
    case 1:
    case 2:
        if (hf_region_remove(s->stack, &s->env, 1) == HF_OK && !one_in(life, 4)) {
            (void)hf_region_add(s->stack, &s->env, 1);
        }
        break;
    default:
        (void)hf_neighbour_add(s->stack, &s->env, iface, ip, mac);
    }
}

static void user_calls(struct life *life)
{
    static void (*const calls[])(struct life *) = {
        opens_socket,     opens_socket,     sends_datagram,   sends_datagram,   sends_datagram,
        sends_datagram,   reads_datagram,   reads_datagram,   reads_datagram,   listens_somewhere,
        takes_connection, takes_connection, takes_connection, opens_connection, opens_connection,
        sends_text,       sends_text,       sends_text,       reads_text,       reads_text,
        ends_one,         sets_one,         asks_events,      asks_events,      changes_address,
        changes_route,    changes_link};
    calls[below(life, ARRAY_LEN(calls))](life);
}

/* A life --------------------------------------------------------------------------------------- */

/* All that is owed leaves, and the device is done with it: then nothing is due now. */
static void rests(struct life *life)
{
    struct packet_storm *s = life->s;
    for (uint32_t rounds = 0; rounds < REST_ROUNDS; rounds++) {
        hf_timeouts(s->stack, &s->env);
        ps_leaves(s, false);
        ps_done(s);
        if (hf_deadline(s->stack, &s->env) > s->env.now_ns) {
            return;
        }
    }
    ps_fail(s, "something is due for ever");
}

/* From deadline to deadline, or all at once. */
static void passes(struct life *life, uint64_t ms)
{
    struct packet_storm *s = life->s;
    int64_t end = s->env.now_ns + (int64_t)ms * 1000000;
    for (uint32_t n = one_in(life, 2) ? 30 : 0; n > 0; n--) {
        rests(life);
        int64_t next = hf_deadline(s->stack, &s->env);
        if (next > end) {
            break;
        }
        s->env.now_ns = next;
    }
    s->env.now_ns = end;
    if (!one_in(life, 4)) {
        hf_timeouts(s->stack, &s->env);
    }
}

static void step(struct life *life)
{
    struct packet_storm *s = life->s;
    if (one_in(life, 25)) {
        refuse_begin(s->stack, below(life, REFUSE_POOLS), 1 + below(life, 3), 1 + below(life, 4));
    }
    for (uint32_t n = below(life, 5); n > 0; n--) {
        ps_draws(s);
    }
    ps_goes_in(s);
    for (uint32_t n = below(life, 4); n > 0; n--) {
        user_calls(life);
    }
    if (one_in(life, 3)) {
        rests(life);
    } else if (!one_in(life, 4)) {
        ps_leaves(s, true);
    }
    if (one_in(life, 6)) {
        passes(life, below(life, one_in(life, 4) ? 3000 : 50));
    } else if (one_in(life, 100)) {
        passes(life, below(life, 2000000));
    }
    if (one_in(life, 10)) {
        refuse_end(s->stack);
    }
}

static void is_sound(struct life *life)
{
    char line[600];
    if (sound_tell(life->s->stack, life->s->bytes, line, sizeof line)) {
        ps_fail(life->s, "%s", line);
    }
}

static void lets_go(struct life *life)
{
    struct packet_storm *s = life->s;
    refuse_end(s->stack);
    ps_done(s);
    for (uint32_t i = 1; i <= s->stack->udps.top; i++) {
        const struct stack_udp *udp = pool_at(&s->stack->udps, s->stack, i);
        (void)hf_close(s->stack, &s->env, HANDLE_OF(HANDLE_UDP, udp->generation, i));
    }
    for (uint32_t i = 1; i <= s->stack->tcp.listeners.top; i++) {
        const struct listener *listener = pool_at(&s->stack->tcp.listeners, s->stack, i);
        (void)hf_close(s->stack, &s->env, HANDLE_OF(HANDLE_LISTENER, listener->generation, i));
    }
    const struct pool *tcbs = &s->stack->tcp.tcbs;
    for (uint32_t i = 1; i <= tcbs->top; i++) {
        const struct tcb *tcb = pool_at(tcbs, s->stack, i);
        (void)hf_release(s->stack, &s->env, HANDLE_OF(HANDLE_TCB, tcb->generation, i));
    }
    for (int i = 0; i < 400; i++) {
        rests(life);
        s->env.now_ns += INT64_C(60000000000);
    }
    rests(life);
    ps_takes_returned(s);
}

static void nothing_is_left(struct life *life)
{
    struct packet_storm *s = life->s;
    for (unsigned pool = 0; pool < REFUSE_POOLS; pool++) {
        uint32_t used = refuse_used(s->stack, pool);
        if (used != 0) {
            ps_fail(s, "%u records of %s are left", used, refuse_name(pool));
        }
    }
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(s->stack, &counters);
    if (counters.reassembly != 0 || s->stack->udp_unread != 0 || s->stack->udp_want_write != 0) {
        ps_fail(s, "%u datagrams in parts, %u unread are left", counters.reassembly,
                s->stack->udp_unread);
    }
    for (uint32_t i = 0; i < PS_SLOTS; i++) {
        if (s->lent[i] || (i < PS_BORROWED && s->borrowed[i])) {
            ps_fail(s, "what was lent at %u is not returned", i);
        }
    }
    if (hf_deadline(s->stack, &s->env) != INT64_MAX) {
        ps_fail(s, "something is yet to be due");
    }
}

static void one_life(uint32_t seed)
{
    struct life life = {.s = ps_begin(seed)};
    for (int i = 0; i < STEPS; i++) {
        step(&life);
        is_sound(&life);
    }
    lets_go(&life);
    is_sound(&life);
    nothing_is_left(&life);
    ps_end(life.s);
}

static void no_packet_breaks_or_leaks_anything(void **state)
{
    (void)state;
    row_lives(one_life, LONG_LIVES, LIVES, SANITIZED_LIVES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_packet_breaks_or_leaks_anything),
    };
    return cmocka_run_group_tests_name("packet storm", tests, NULL, NULL);
}
