/* listen.c - `handfast listen`: waits for a connection and carries standard input and output. */
#include "netcat.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TICK_MS = 100, BACKLOG = 16, CONNECTIONS = 256 };

static int open_listener(struct link *link, const struct netcat_options *options,
                         hf_handle *listener)
{
    struct hf_endpoint local;
    char number[8], text[HF_ENDPOINT_TEXT];
    snprintf(number, sizeof number, "%u", (unsigned)options->port);
    const char *port = options->n_arguments ? options->arguments[0] : number;
    if (hf_host_resolve(link->host, options->source, port, options->version, &local, 1) < 1)
        return cli_failure("port %s%s%s: %s", port, options->source ? " of " : "",
                           options->source ? options->source : "", hf_host_error(link->host));
    struct hf_listen listen = {.struct_size = sizeof listen,
                               .local = local,
                               .backlog = BACKLOG,
                               .version = (uint8_t)options->version};
    if (!options->source)
        memset(listen.local.ip, 0, 16);
    int result = hf_listen(hf_host_stack(link->host), hf_host_env(link->host), &listen, listener);
    if (result == HF_ERR_NO_ADDRESS)
        return cli_usage_error("option -s: %s: %s", options->source, hf_error_text(result));
    if (result < 0)
        return cli_failure("listening on %s: %s", hf_endpoint_text(&listen.local, text),
                           hf_error_text(result));
    if (hf_host_settings(link->host, *listener) < 0)
        return cli_usage_error("%s", hf_host_error(link->host));
    if (options->verbose)
        cli_note("listening on port %u%s%s", (unsigned)local.port, options->source ? " of " : "",
                 options->source ? options->source : "");
    const char *down = link_down(link);
    if (down) /* it may come up at any time: somebody else sets up the kernel's side */
        cli_note("%s is down, and nothing can arrive until it is up: `ip link set %s up`", down,
                 down);
    return CLI_OK;
}

/* -1: there is a connection; else the exit status. */
static int wait_for_one(struct link *link, const struct netcat_options *options, hf_handle listener,
                        bool first, hf_handle *connection)
{
    struct hf_endpoint peer;
    char text[HF_ENDPOINT_TEXT];
    int64_t end = hf_host_env(link->host)->now_ns + options->wait_ms * 1000000LL;
    for (;;) {
        int result = hf_host_accept(link->host, listener, TICK_MS, connection, &peer);
        if (result == 0)
            break;
        if (link_interrupted())
            return CLI_INTERRUPTED;
        if (result != -EAGAIN && result != -EINTR)
            return cli_failure("%s", hf_host_error(link->host));
        if (link_command_ended(link)) {
            if (!first) /* --keep: all that it wanted has been served */
                return CLI_OK;
            return cli_failure("'%s' ended with status %d before it connected",
                               options->link.command[0], link->command_status);
        }
        if (options->has_wait && hf_host_env(link->host)->now_ns >= end)
            return cli_failure("no connection within %g seconds", options->wait_ms / 1000.0);
    }
    if (options->verbose)
        cli_note("connection from %s", hf_endpoint_text(&peer, text));
    return -1;
}

static int serve(struct link *link, const struct netcat_options *options, hf_handle listener)
{
    for (bool first = true;; first = false) {
        hf_handle connection = 0;
        int status = wait_for_one(link, options, listener, first, &connection);
        if (status >= 0)
            return status;
        if (!options->keep) /* who comes now is refused, not left waiting */
            hf_host_release(link->host, listener);
        status = relay(link, options, connection);
        if (status == CLI_OK)
            status = relay_farewell(link, options, connection);
        else if (status == CLI_FAILED)
            hf_host_release(link->host, connection);
        if (status == CLI_INTERRUPTED)
            return relay_reset(link, options, connection);
        if (!options->keep || link->files_broken) /* the next one would have the same end */
            return status;
    }
}

int cli_listen(int argc, char **argv)
{
    struct netcat_options options;
    int status = netcat_arguments(&options, true, argc, argv);
    if (status >= 0)
        return status;
    link_catch_signals();
    struct hf_config config;
    hf_config_default(&config, CONNECTIONS);
    struct link link;
    hf_handle listener = 0;
    status = link_open(&link, &options.link, &config);
    if (status == CLI_OK)
        status = open_listener(&link, &options, &listener);
    if (status == CLI_OK)
        status = link_start_command(&link);
    if (status == CLI_OK)
        status = serve(&link, &options, listener);
    return link_close(&link, status);
}
