/* cli.h - what the subcommands of `handfast` share: arguments, errors, the link to a network. */
#ifndef HANDFAST_CLI_H
#define HANDFAST_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include <handfast/handfast.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };

/* The subcommands; argv[0] is the subcommand's name, the result the exit status. */
int cli_demo(int argc, char **argv);
int cli_listen(int argc, char **argv);
int cli_connect(int argc, char **argv);
int cli_sim(int argc, char **argv);
int cli_explore(int argc, char **argv);
int cli_why(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_judge(int argc, char **argv);
int cli_conformance(int argc, char **argv);
int cli_version(int argc, char **argv);

/* args.c: one clear line for each wrong argument. */

void cli_name(const char *command); /* said before each message */
/* Print "handfast COMMAND: ..." and return CLI_USAGE, CLI_FAILED. */
int cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* CLI_OK; CLI_FAILED, and it is said: --json was asked for, and there is no libjansson. */
int cli_json(bool asked);
/* As cli_failure, but not an end: the program goes on. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What errno says of a descriptor that somebody else has opened for us, or has not. */
const char *cli_file_error(int error);
/* Output that could not be written (a full disk) must not look like success: status, or it is said
 * and CLI_FAILED instead of CLI_OK. */
int cli_flushed(int status);
/* The same for what another process could not write there: says why and returns CLI_FAILED; CLI_OK
 * where nobody reads any more. */
int cli_output_torn(void);
/* getopt_long that has printed its own line when it returns '?'. */
int cli_getopt(int argc, char **argv, const char *letters, const struct option *options);
/* Read a value; false: a line was printed.  what: how the message calls it ("option -p"). */
bool cli_number(const char *what, const char *text, long min, long max, long *value);
bool cli_port(const char *what, const char *text, uint16_t *port);
/* A number or a service's name. */
bool cli_service(const char *text);
bool cli_seconds(const char *what, const char *text, uint32_t *ms);
/* Is it an IPv4 or IPv6 address?  Prints nothing. */
bool cli_is_address(const char *text, uint8_t ip[16]);
bool cli_address(const char *what, const char *text, uint8_t ip[16]);
/* ADDRESS/PREFIX. */
bool cli_network(const char *what, const char *text, uint8_t ip[16], uint32_t *prefix_len);
bool cli_is_ipv4(const uint8_t ip[16]);
/* Cuts argv at "--": returns the arguments behind it, or NULL. */
char **cli_command_behind(int *argc, char **argv);

#endif
