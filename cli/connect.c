/* connect.c - `handfast connect`: opens a connection and carries standard input and output. */
#include "netcat.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECTIONS = 16,
    ADDRESSES = 16,
    START_MS = 10000, /* COMMAND may need this long until it listens */
    UP_MS = 10000,    /* without -w, what was made here has so long to come up */
    AGAIN_MS = 20
};

static int source(struct link *link, const struct netcat_options *options,
                  struct hf_endpoint *local)
{
    *local = (struct hf_endpoint){.port = options->port};
    if (!options->source)
        return CLI_OK;
    if (hf_host_resolve(link->host, options->source, "0", options->version, local, 1) < 1)
        return cli_failure("-s %s: %s", options->source, hf_host_error(link->host));
    local->port = options->port;
    return CLI_OK;
}

/* What is left of -w, for hf_host_open; negative: no limit. */
static int time_left(const struct link *link, const struct netcat_options *options, int64_t begin)
{
    if (!options->has_wait)
        return -1;
    int64_t used = (hf_host_env(link->host)->now_ns - begin) / 1000000;
    return used < options->wait_ms ? (int)(options->wait_ms - used) : 0;
}

/* Until it is open, in steps: a signal that came before there was anything to wait for ends it,
 * too. -EAGAIN: the time is over; negative: there is no limit. */
static int await_open(struct link *link, hf_handle connection, int timeout_ms)
{
    int64_t end = hf_host_env(link->host)->now_ns + timeout_ms * 1000000LL;
    for (;;) {
        int64_t left =
            timeout_ms < 0 ? AGAIN_MS : (end - hf_host_env(link->host)->now_ns) / 1000000;
        int step = left < 0 ? 0 : left < AGAIN_MS ? (int)left : AGAIN_MS;
        if (link_interrupted())
            return -EINTR;
        int result = hf_host_wait_open(link->host, connection, step);
        if (result != -EINTR && (result != -EAGAIN || (timeout_ms >= 0 && left <= 0)))
            return result;
    }
}

/* What of the input may go with the SYN: what that can carry, and what can be sent at once. */
static size_t early_room(struct hf_stack *stack, const struct hf_env *env, hf_handle connection,
                         size_t most)
{
    int64_t room = hf_fast_open_room(stack, env, connection), buffer = 0;
    hf_option(stack, connection, HF_SEND_BUFFER, &buffer);
    room = room < buffer ? room : buffer;
    return room < 0 ? 0 : (size_t)room < most ? (size_t)room : most;
}

/* What is there of standard input, as much as a SYN takes, where --set asks for that (RFC 7413).
 * Where this address fails, it is still to go to the next one, with the SYN or behind it. */
static int send_early(struct link *link, hf_handle connection)
{
    static char text[1460];
    static size_t len;
    struct pollfd input = {.fd = 0, .events = POLLIN};
    struct hf_stack *stack = hf_host_stack(link->host);
    size_t room = early_room(stack, hf_host_env(link->host), connection, sizeof text);
    if (len == 0 && room > 0 && poll(&input, 1, 0) == 1) {
        ssize_t n = read(0, text, room);
        len = n > 0 ? (size_t)n : 0; /* else the relay will meet it again */
    }
    if (len == 0)
        return 0;
    int64_t sent = hf_send(stack, hf_host_env(link->host), connection, text, len, 0);
    return sent == (int64_t)len ? 0 : -EIO;
}

static int open_one(struct link *link, const struct netcat_options *options,
                    const struct hf_endpoint *local, const struct hf_endpoint *remote,
                    int timeout_ms, hf_handle *connection)
{
    int error =
        hf_open(hf_host_stack(link->host), hf_host_env(link->host), local, remote, 0, connection);
    if (error < 0) /* this one fails, too, and says why */
        return hf_host_open(link->host, local, remote, timeout_ms, connection);
    int result = hf_host_settings(link->host, *connection);
    if (result == 0 && !options->echo)
        result = send_early(link, *connection);
    if (result == 0)
        result = await_open(link, *connection, timeout_ms);
    if (result < 0)
        hf_host_release(link->host, *connection);
    return result;
}

/* What ended an attempt from outside, its ladder cannot know. */
static void say_end(struct link *link, const struct netcat_options *options, int error)
{
    char why[64] = "given up: interrupted";
    bool late = error == -EAGAIN;
    if (late)
        snprintf(why, sizeof why, "given up: no answer within %g seconds",
                 options->wait_ms / 1000.0);
    link_say_ends(link, late || error == -EINTR ? why : NULL);
}

/* Each address in turn. 0 or the last negative errno. */
static int try_all(struct link *link, const struct netcat_options *options,
                   const struct hf_endpoint *local, const struct hf_endpoint *remotes, int n,
                   int64_t begin, hf_handle *connection)
{
    int result = -EHOSTUNREACH;
    for (int i = 0; i < n; i++) {
        char text[HF_ENDPOINT_TEXT];
        bool any = !options->source && options->port == 0;
        result = open_one(link, options, any ? NULL : local, &remotes[i],
                          time_left(link, options, begin), connection);
        if (result == 0 && options->verbose)
            cli_note("connected to %s", hf_endpoint_text(&remotes[i], text));
        if (result < 0)
            say_end(link, options, result);
        if (result == 0 || result == -EINTR)
            return result;
        if (options->verbose && result == -EAGAIN)
            cli_note("%s: no answer in the time given", hf_endpoint_text(&remotes[i], text));
        else if (options->verbose)
            cli_note("%s", hf_host_error(link->host));
    }
    return result;
}

/* A command that was just started may be the server: it has a moment until it listens. */
static void await_server(struct link *link, const struct hf_endpoint *remote)
{
    static const uint8_t ours4[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 77, [15] = 2};
    static const uint8_t ours6[16] = {0xfd, 0x77, [15] = 2};
    bool ipv4 = cli_is_ipv4(remote->ip);
    const uint8_t *ours = ipv4 ? ours4 : ours6;
    uint8_t theirs[16];
    memcpy(theirs, ours, 16);
    theirs[15] = 1;
    if (!link->net || memcmp(remote->ip, theirs, 16) != 0)
        return;
    struct hf_endpoint handfast = {.port = 1};
    memcpy(handfast.ip, ours, 16);
    int64_t waited = 0, turn = AGAIN_MS * 1000000LL;
    while (waited < START_MS * 1000000LL && !link_command_ended(link) && !link_interrupted()) {
        if (kernel_state(link->net, remote, &handfast) != HF_CLOSED)
            return;
        int64_t begin = hf_host_env(link->host)->now_ns;
        hf_host_run_once(link->host, turn);
        int64_t passed = hf_host_env(link->host)->now_ns - begin;
        waited += passed < turn ? passed : turn; /* while we stood still, COMMAND may have, too */
    }
}

static int fail_down(const char *down)
{
    return cli_failure("%s is down: `ip link set %s up`", down, down);
}

/* What was there before and is down is an error at once.  What was made here nobody could set up
 * before: it has until the end of -w. */
static int await_device(struct link *link, const struct netcat_options *options, int64_t begin)
{
    const char *down = link_down(link);
    if (!down)
        return CLI_OK;
    if (!link->made)
        return fail_down(down);
    int64_t end = begin + (options->has_wait ? options->wait_ms : UP_MS) * 1000000LL;
    cli_note("%s was made just now and is down; waiting for `ip link set %s up`, and the kernel "
             "needs an address there",
             down, down);
    while (link_down(link)) {
        if (hf_host_env(link->host)->now_ns >= end)
            return cli_failure("%s is still down and is given up; to make it beforehand: `ip "
                               "tuntap add %s mode %s` and `ip link set %s up`",
                               down, down, options->link.tun ? "tun" : "tap", down);
        hf_host_run_once(link->host, AGAIN_MS * 1000000LL);
        if (link_interrupted()) {
            cli_note("interrupted: %s has not come up", down);
            return CLI_INTERRUPTED;
        }
    }
    return CLI_OK;
}

static int open_connection(struct link *link, const struct netcat_options *options,
                           hf_handle *connection)
{
    struct hf_endpoint local, remotes[ADDRESSES];
    const char *host = options->arguments[0], *port = options->arguments[1];
    int64_t begin = hf_host_env(link->host)->now_ns;
    int status = await_device(link, options, begin);
    if (status != CLI_OK)
        return status;
    if (source(link, options, &local) != CLI_OK)
        return CLI_FAILED;
    int n = hf_host_resolve(link->host, host, port, options->version, remotes, ADDRESSES);
    if (n < 1)
        return cli_failure("%s port %s: %s", host, port, hf_host_error(link->host));
    await_server(link, &remotes[0]);
    begin = link->net ? hf_host_env(link->host)->now_ns : begin;
    int result = try_all(link, options, &local, remotes, n, begin, connection);
    if (result == 0)
        return CLI_OK;
    if (link_interrupted()) {
        cli_note("interrupted: the connection was not open yet and is given up");
        return CLI_INTERRUPTED;
    }
    const char *down = link_down(link);
    if (down) /* since then */
        return fail_down(down);
    if (result == -EAGAIN)
        return cli_failure("%s port %s: no answer within %g seconds", host, port,
                           options->wait_ms / 1000.0);
    if (result == -EINVAL || result == -EOPNOTSUPP) /* of an address, of --set */
        return cli_usage_error("%s", hf_host_error(link->host));
    if (result == -EADDRNOTAVAIL && options->source)
        return cli_usage_error("option -s: %s", hf_host_error(link->host));
    return cli_failure("%s port %s: %s", host, port, strerror(-result));
}

static int talk(struct link *link, const struct netcat_options *options)
{
    hf_handle connection = 0;
    int status = open_connection(link, options, &connection);
    if (status != CLI_OK)
        return status;
    status = relay(link, options, connection);
    if (status == CLI_OK)
        status = relay_farewell(link, options, connection);
    if (status == CLI_INTERRUPTED)
        return relay_reset(link, options, connection);
    return status;
}

int cli_connect(int argc, char **argv)
{
    struct netcat_options options;
    int status = netcat_arguments(&options, false, argc, argv);
    if (status >= 0)
        return status;
    link_catch_signals();
    struct hf_config config;
    hf_config_default(&config, CONNECTIONS);
    netcat_policy(false, &config.policy);
    struct link link;
    status = link_open(&link, &options.link, &config);
    if (status == CLI_OK)
        status = link_start_command(&link);
    if (status == CLI_OK)
        status = talk(&link, &options);
    return link_close(&link, status);
}
