/* relay.c - one connection between standard input and standard output, to its very end. */
#include "netcat.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK = 1 << 16,
    TICK_MS = 100,    /* how late a signal or the command's end may be noticed */
    PIPE_CHUNK = 4096 /* POLLOUT promises a pipe this much room (PIPE_BUF) */
};

struct relay {
    struct link *link;
    const struct netcat_options *options;
    struct hf_host *host;
    hf_handle connection;
    bool input_open, peer_open; /* our direction, the peer's */
    bool readable, writable;    /* what poll said of standard input and output */
    size_t out_chunk;
    size_t pending, sent; /* octets of `buffer` to be sent, and already sent */
    char buffer[CHUNK];
    char received[CHUNK];
};

static void input_ready(struct hf_host *host, void *arg, int fd, int revents)
{
    (void)revents;
    ((struct relay *)arg)->readable = true;
    hf_host_unwatch(host, fd);
}

static void output_ready(struct hf_host *host, void *arg, int fd, int revents)
{
    (void)revents;
    ((struct relay *)arg)->writable = true;
    hf_host_unwatch(host, fd);
}

/* A user timeout's end: the octets were not acknowledged, or the peer's window stayed closed. */
static int broken(const struct relay *relay, const char *doing, ssize_t result)
{
    struct hf_close_reason reason;
    if (result == -ETIMEDOUT &&
        hf_close_reason(hf_host_stack(relay->host), relay->connection, &reason) != HF_OK)
        return cli_failure("%s", reason.text);
    return cli_failure("%s: %s", doing, strerror((int)-result));
}

static int broken_file(struct relay *relay, const char *which, int error)
{
    relay->link->files_broken = true;
    hf_host_abort(relay->host, relay->connection);
    return cli_failure("standard %s: %s; the connection was reset", which, cli_file_error(error));
}

/* Whoever gave us the output may have made it non-blocking: it is waited for all the same. */
static bool output_waits(int error)
{
    struct pollfd out = {.fd = 1, .events = POLLOUT};
    return error == EINTR || (error == EAGAIN && (poll(&out, 1, TICK_MS) >= 0 || errno == EINTR));
}

/* Output that nobody reads any more ends the connection: the peer shall not send for nothing.  A
 * signal ends the wait for a terminal that was stopped, also where a part of it was written. */
static int deliver(struct relay *relay, size_t len)
{
    for (size_t at = 0; at < len;) {
        if (link_interrupted())
            return CLI_INTERRUPTED;
        ssize_t n = write(1, relay->received + at, len - at);
        int error = errno;
        if (n < 0 && output_waits(error))
            continue;
        if (n < 0)
            return broken_file(relay, "output", error);
        at += (size_t)n;
    }
    relay->writable = relay->out_chunk == CHUNK;
    return CLI_OK;
}

/* From the connection to standard output, or with --echo back. Sets *moved. */
static int receive(struct relay *relay, bool *moved)
{
    bool echo = relay->options->echo;
    if (!relay->peer_open || (echo ? relay->pending > 0 : !relay->writable))
        return CLI_OK;
    char *to = echo ? relay->buffer : relay->received;
    size_t room = echo ? CHUNK : relay->out_chunk;
    ssize_t n = hf_host_recv(relay->host, relay->connection, to, room, 0);
    if (n == -EAGAIN || n == -EINTR)
        return CLI_OK;
    if (n < 0)
        return broken(relay, "receiving", n);
    *moved = true;
    if (n == 0)
        relay->peer_open = false;
    else if (echo)
        relay->pending = (size_t)n;
    else
        return deliver(relay, (size_t)n);
    return CLI_OK;
}

/* Input that cannot be read has no end that the peer may take for the whole: no FIN, a reset. */
static int fill_from_input(struct relay *relay)
{
    ssize_t n = read(0, relay->buffer, sizeof relay->buffer);
    int error = errno;
    relay->readable = false;
    if (n > 0)
        relay->pending = (size_t)n;
    else if (n == 0)
        relay->input_open = false;
    else if (error != EINTR && error != EAGAIN)
        return broken_file(relay, "input", error);
    return CLI_OK;
}

/* The input also ends when nobody is left to type for: see the comments of the two cases. */
static bool input_is_pointless(const struct relay *relay)
{
    if (relay->peer_open)
        return false;
    return relay->options->echo /* all is echoed */
           || isatty(0)         /* a person sees that the peer has closed */
           || link_command_ended(relay->link);
}

/* From standard input, or with --echo from what arrived, to the connection. */
static int transmit(struct relay *relay, bool *moved)
{
    if (!relay->input_open)
        return CLI_OK;
    if (relay->pending == 0 && relay->readable && fill_from_input(relay) != CLI_OK)
        return CLI_FAILED;
    if (relay->pending > 0) {
        ssize_t n = hf_host_send_some(relay->host, relay->connection, relay->buffer + relay->sent,
                                      relay->pending - relay->sent, 0);
        if (n == -EAGAIN || n == -EINTR)
            return CLI_OK;
        if (n < 0)
            return broken(relay, "sending", n);
        *moved = true;
        relay->sent += (size_t)n;
        if (relay->sent == relay->pending)
            relay->sent = relay->pending = 0;
        return CLI_OK;
    }
    if (input_is_pointless(relay))
        relay->input_open = false;
    if (!relay->input_open) {
        *moved = true;
        int result = hf_host_close(relay->host, relay->connection);
        if (result < 0)
            return broken(relay, "closing", result);
    }
    return CLI_OK;
}

static void watch_files(struct relay *relay)
{
    if (!relay->options->echo && relay->input_open && relay->pending == 0 && !relay->readable)
        hf_host_watch(relay->host, 0, POLLIN, input_ready, relay);
    if (!relay->options->echo && relay->peer_open && !relay->writable)
        hf_host_watch(relay->host, 1, POLLOUT, output_ready, relay);
}

/* With nothing to send and the peer's direction closed, no call would tell of a reset. */
static int check_alive(const struct relay *relay)
{
    struct hf_close_reason reason;
    if (relay->peer_open || relay->pending > 0)
        return CLI_OK;
    if (hf_close_reason(hf_host_stack(relay->host), relay->connection, &reason) == 0)
        return CLI_OK;
    return cli_failure("%s", reason.text);
}

static void look_at_files(struct relay *relay)
{
    struct stat out;
    bool slow = fstat(1, &out) == 0 && (S_ISFIFO(out.st_mode) || S_ISSOCK(out.st_mode));
    relay->out_chunk = slow ? PIPE_CHUNK : CHUNK;
    relay->writable = !slow;
}

static void tell_reason(struct link *link, const struct netcat_options *options,
                        hf_handle connection)
{
    struct hf_close_reason reason;
    if (hf_close_reason(hf_host_stack(link->host), connection, &reason) == HF_ERR_STALE_HANDLE)
        return;
    link_say_end(link, connection, reason.text, options->keep);
    if (options->verbose)
        cli_note("%s", reason.text);
}

int relay(struct link *link, const struct netcat_options *options, hf_handle connection)
{
    static struct relay relay; /* two buffers: not for the stack */
    relay = (struct relay){.link = link,
                           .options = options,
                           .host = link->host,
                           .connection = connection,
                           .input_open = true,
                           .peer_open = true};
    look_at_files(&relay);
    if (options->has_wait) /* RFC 9293 3.9.1.1: the user timeout */
        hf_set_option(hf_host_stack(link->host), hf_host_env(link->host), connection,
                      HF_USER_TIMEOUT, options->wait_ms);
    int status = CLI_OK;
    while (status == CLI_OK && (relay.input_open || relay.peer_open)) {
        if (link_interrupted()) {
            status = CLI_INTERRUPTED;
            break;
        }
        bool moved = false;
        status = receive(&relay, &moved);
        if (status == CLI_OK)
            status = transmit(&relay, &moved);
        if (status == CLI_OK)
            status = check_alive(&relay);
        watch_files(&relay);
        int result = hf_host_run_once(link->host, moved ? 0 : TICK_MS * 1000000LL);
        if (result < 0 && result != -EINTR)
            status = cli_failure("%s", hf_host_error(link->host));
    }
    hf_host_unwatch(link->host, 0);
    hf_host_unwatch(link->host, 1);
    if (status == CLI_FAILED)
        tell_reason(link, options, connection);
    return status;
}

/* As long as a peer that lost our last ACK needs to repeat its FIN: one RTO. */
static void linger(struct link *link, hf_handle connection)
{
    struct hf_status status = {.struct_size = sizeof status};
    struct hf_stack *stack = hf_host_stack(link->host);
    if (hf_status(stack, hf_host_env(link->host), connection, &status) < 0 ||
        status.state != HF_TIME_WAIT)
        return;
    int64_t end = hf_host_env(link->host)->now_ns + status.rto_ms * 1000000LL;
    int64_t left;
    while (!link_interrupted() && (left = end - hf_host_env(link->host)->now_ns) > 0)
        hf_host_run_once(link->host, left);
}

int relay_farewell(struct link *link, const struct netcat_options *options, hf_handle connection)
{
    int result;
    do
        result = hf_host_wait_closed(link->host, connection, options->whole_time_wait, TICK_MS);
    while ((result == -EAGAIN || result == -EINTR) && !link_interrupted());
    if (link_interrupted())
        return CLI_INTERRUPTED;
    if (result == 0 && !options->whole_time_wait && !options->keep)
        linger(link, connection);
    tell_reason(link, options, connection);
    hf_host_release(link->host, connection);
    if (result < 0)
        return cli_failure("closing: %s", strerror(-result));
    return CLI_OK;
}

int relay_reset(struct link *link, const struct netcat_options *options, hf_handle connection)
{
    struct hf_status status = {.struct_size = sizeof status};
    hf_status(hf_host_stack(link->host), hf_host_env(link->host), connection, &status);
    hf_host_abort(link->host, connection);
    tell_reason(link, options, connection);
    hf_host_release(link->host, connection);
    if (status.state == HF_TIME_WAIT)
        cli_note("interrupted: TIME-WAIT was cut short");
    else
        cli_note("interrupted: the open connection was reset");
    return CLI_INTERRUPTED;
}
