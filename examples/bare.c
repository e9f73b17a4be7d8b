/* bare.c - the core driven by hand, with no host layer: two stacks in memory, joined by frames.
 *
 * One opens a connection to the other, which sends back what it receives, in capitals.  Time is a
 * number that this program makes up: an hour may pass in a microsecond.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handfast/handfast.h>

enum { FRAMES = 16, FRAME_MAX = 2048, PORT = 7 };

struct side {
    const char *name;
    struct hf_stack *stack;
    struct hf_env env;
    uint8_t ip[16];
    hf_handle connection;
};

static void must(int64_t result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "bare: %s: %s\n", what, hf_error_text((int)result));
        exit(1);
    }
}

static void start(struct side *side, const char *name, uint8_t host)
{
    struct hf_config config;
    hf_config_default(&config, 2);
    memset(config.seed, host, sizeof config.seed); /* a real program takes these from getrandom() */

    uint64_t bytes = (hf_size(&config) + 63) / 64 * 64;
    *side = (struct side){.name = name, .stack = aligned_alloc(64, bytes)};
    side->env = (struct hf_env){.struct_size = sizeof side->env};
    if (!side->stack)
        must(HF_ERR_NO_RESOURCES, name);
    must(hf_init(side->stack, bytes, &config, &side->env), "hf_init");

    struct hf_interface wire = {.struct_size = sizeof wire, .link = HF_LINK_IP, .mtu = 1500};
    memcpy(side->ip, (uint8_t[16]){[10] = 0xff, 0xff, 10, 0, 0, host}, 16); /* ::ffff:10.0.0.host */
    must(hf_interface_add(side->stack, &side->env, &wire), "hf_interface_add");
    must(hf_address_add(side->stack, &side->env, 1, side->ip, 24), "hf_address_add");
}

/* Everything that `from` owes goes to `to`; returns how many frames that was. */
static uint32_t carry(struct side *from, struct side *to)
{
    struct hf_frame_out frames[FRAMES];
    uint32_t n = hf_output(from->stack, &from->env, frames, FRAMES);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t bytes[FRAME_MAX];
        uint32_t len = frames[i].header_len;
        memcpy(bytes, frames[i].header, len);
        for (uint32_t s = 0; s < frames[i].n_slices; s++) {
            memcpy(bytes + len, frames[i].slice[s].data, frames[i].slice[s].len);
            len += frames[i].slice[s].len;
        }
        must(hf_output_done(from->stack, &from->env, frames[i].token), "hf_output_done");
        printf("%10.3f ms  %s -> %s  %4u octets\n", (double)from->env.now_ns / 1e6, from->name,
               to->name, len);
        struct hf_frame_in in = {.data = bytes, .len = len, .iface = 1};
        must(hf_input(to->stack, &to->env, &in, 1), "hf_input");
    }
    return n;
}

/* Frames go to and fro until nobody owes anything; then the clock jumps to the next deadline. */
static bool step(struct side *a, struct side *b)
{
    while (carry(a, b) + carry(b, a) > 0)
        ;
    int64_t next = hf_deadline(a->stack, &a->env);
    if (hf_deadline(b->stack, &b->env) < next)
        next = hf_deadline(b->stack, &b->env);
    if (next == INT64_MAX)
        return false;
    a->env.now_ns = b->env.now_ns = next;
    hf_timeouts(a->stack, &a->env);
    hf_timeouts(b->stack, &b->env);
    return true;
}

/* The server's application: what comes in goes back in capitals; who closes is closed with. */
static void serve(struct side *side)
{
    struct hf_event event;
    while (hf_events(side->stack, &side->env, &event, 1) == 1) {
        if (event.bits & HF_ACCEPTED)
            must(hf_accept(side->stack, &side->env, event.handle, &side->connection, NULL),
                 "hf_accept");
        char text[100];
        int64_t n;
        while ((n = hf_recv(side->stack, &side->env, side->connection, text, sizeof text)) > 0) {
            for (int64_t i = 0; i < n; i++)
                text[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i]);
            must(hf_send(side->stack, &side->env, side->connection, text, (uint64_t)n, 0), "send");
        }
        if (n == 0)
            hf_close(side->stack, &side->env, side->connection);
    }
}

/* The client's: says one line and closes its direction; prints the answer and how it ended. */
static bool ask(struct side *side)
{
    struct hf_event event;
    bool over = false;
    while (hf_events(side->stack, &side->env, &event, 1) == 1) {
        if (event.bits & HF_CONNECTED) {
            const char line[] = "from the first syn to the end of time-wait\n";
            must(hf_send(side->stack, &side->env, event.handle, line, sizeof line - 1, 0), "send");
            must(hf_close(side->stack, &side->env, event.handle), "hf_close");
        }
        char text[100];
        int64_t n;
        while ((n = hf_recv(side->stack, &side->env, event.handle, text, sizeof text)) > 0)
            printf("%19s received: %.*s", side->name, (int)n, text);
        if (event.bits & HF_CLOSED_EVENT) {
            struct hf_close_reason reason;
            hf_close_reason(side->stack, event.handle, &reason);
            printf("%10.3f ms  closed: %s\n", (double)side->env.now_ns / 1e6, reason.text);
            over = true;
        }
    }
    return over;
}

int main(void)
{
    struct side client, server;
    start(&client, "client", 1);
    start(&server, "server", 2);

    struct hf_listen here = {
        .struct_size = sizeof here, .local = {.port = PORT}, .backlog = 1, .version = 4};
    must(hf_listen(server.stack, &server.env, &here, &server.connection), "hf_listen");
    struct hf_endpoint there = {.port = PORT};
    memcpy(there.ip, server.ip, 16);
    must(hf_open(client.stack, &client.env, NULL, &there, 0, &client.connection), "hf_open");

    bool over = false, more = true;
    while (!over && more) {
        more = step(&client, &server);
        serve(&server);
        over = ask(&client);
        more = more || hf_deadline(client.stack, &client.env) != INT64_MAX ||
               hf_deadline(server.stack, &server.env) != INT64_MAX;
    }
    free(client.stack);
    free(server.stack);
    return over ? 0 : 1;
}
