/* netcat.h - what `listen` and `connect` have in common. */
#ifndef HANDFAST_CLI_NETCAT_H
#define HANDFAST_CLI_NETCAT_H

#include "link.h"

struct netcat_options {
    struct link_options link;
    bool listens;
    int version; /* 0: both, 4, 6 */
    const char *source;
    uint16_t port; /* -p, 0: none */
    uint32_t wait_ms;
    bool has_wait, verbose, keep, echo, whole_time_wait;
    const char *arguments[2]; /* connect: HOST PORT; listen: PORT */
    int n_arguments;
};

/* What the command changes of the usual policy. */
void netcat_policy(bool listens, struct hf_policy *policy);
/* -1: go on; else the exit status (--help, or something was wrong and a line was printed). */
int netcat_arguments(struct netcat_options *options, bool listens, int argc, char **argv);

/* Carries standard input and output over the connection until both directions have ended.
 * CLI_OK, CLI_FAILED (said why), CLI_INTERRUPTED. */
int relay(struct link *link, const struct netcat_options *options, hf_handle connection);
/* Sees the connection off: the last ACKs, TIME-WAIT for as long as asked; says why it closed. */
int relay_farewell(struct link *link, const struct netcat_options *options, hf_handle connection);
/* After SIGINT: resets it and says so; its ladder, too. */
int relay_reset(struct link *link, const struct netcat_options *options, hf_handle connection);

#endif
