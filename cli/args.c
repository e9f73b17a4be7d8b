/* args.c - options and arguments: each wrong one gets one line that names it and the way out. */
#include "cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *command = "";

void cli_name(const char *name)
{
    command = name;
}

static void say(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static void say(const char *format, va_list args)
{
    fflush(stdout);
    flockfile(stderr);
    fprintf(stderr, "handfast%s%s: ", *command ? " " : "", command);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    funlockfile(stderr);
}

int cli_usage_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_USAGE;
}

int cli_failure(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_json(bool asked)
{
#ifdef HF_WITH_JANSSON
    (void)asked;
#else
    if (asked)
        return cli_failure("--json: this program was built without libjansson "
                           "(apt install libjansson-dev)");
#endif
    return CLI_OK;
}

void cli_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

const char *cli_file_error(int error)
{
    return error == EBADF ? "it is closed, or open the other way only" : strerror(error);
}

/* stdout knows that a line has failed, but no longer why: one more octet behind the torn output
 * finds out.  Who reads from a pipe may have had enough (head, grep -q): that is no failure, and
 * what is one there, its own status tells. */
int cli_output_torn(void)
{
    bool works = write(STDOUT_FILENO, "\n", 1) == 1;
    int error = errno;
    clearerr(stdout);
    if (!works && error == EPIPE)
        return CLI_OK;
    return cli_failure("standard output could not be written: %s",
                       works ? "a part of it is missing" : cli_file_error(error));
}

int cli_flushed(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    int torn = cli_output_torn();
    return status == CLI_OK ? torn : status;
}

static const char *long_name(const struct option *options, int val)
{
    for (; options->name; options++)
        if (options->val == val)
            return options->name;
    return NULL;
}

/* How the option was most likely written: its letter when it has one. */
static void option_text(const struct option *options, int val, char out[64])
{
    const char *name = long_name(options, val);
    if (val > ' ' && val < 127)
        snprintf(out, 64, "-%c", val);
    else
        snprintf(out, 64, "--%s", name ? name : "?");
}

static bool begins_several(const struct option *options, const char *word)
{
    size_t len = strcspn(word, "=");
    int n = 0;
    for (; options->name && len > 2 && !strncmp(word, "--", 2); options++)
        n += !strncmp(options->name, word + 2, len - 2);
    return n > 1;
}

int cli_getopt(int argc, char **argv, const char *letters, const struct option *options)
{
    char with_colon[64];
    snprintf(with_colon, sizeof with_colon, ":%s", letters);
    opterr = 0;
    int c = getopt_long(argc, argv, with_colon, options, NULL);
    if (c != '?' && c != ':')
        return c;
    char shown[64];
    option_text(options, optopt, shown);
    const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";
    if (c == ':')
        cli_usage_error("option %s needs a value; `handfast %s --help` says which", shown, command);
    else if (optopt != 0 && long_name(options, optopt) && !strncmp(word, "--", 2))
        cli_usage_error("option '%s': it takes no value", word);
    else if (begins_several(options, word))
        cli_usage_error("option '%s' is the beginning of several; `handfast %s --help` lists them",
                        word, command);
    else if (optopt != 0)
        cli_usage_error("there is no option '-%c'; `handfast %s --help` lists them", optopt,
                        command);
    else
        cli_usage_error("there is no option '%s'; `handfast %s --help` lists them", word, command);
    return '?';
}

bool cli_number(const char *what, const char *text, long min, long max, long *value)
{
    char *end;
    errno = 0;
    *value = strtol(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *value >= min &&
        *value <= max)
        return true;
    cli_usage_error("%s: '%s' is no whole number from %ld to %ld", what, text, min, max);
    return false;
}

bool cli_port(const char *what, const char *text, uint16_t *port)
{
    long value;
    if (!cli_number(what, text, 1, 65535, &value))
        return false;
    *port = (uint16_t)value;
    return true;
}

bool cli_service(const char *text)
{
    uint16_t port;
    if (*text && strspn(text, "0123456789") == strlen(text))
        return cli_port("the port", text, &port);
    if (getservbyname(text, "tcp"))
        return true;
    cli_usage_error("the port: '%s' is neither a number from 1 to 65535 nor a service's name",
                    text);
    return false;
}

bool cli_seconds(const char *what, const char *text, uint32_t *ms)
{
    char *end;
    double value = strtod(text, &end);
    if ((*text >= '0' && *text <= '9') && *end == '\0' && value >= 0.001 && value <= 86400) {
        *ms = (uint32_t)(value * 1000 + 0.5);
        return true;
    }
    cli_usage_error("%s: '%s' is no time in seconds from 0.001 to 86400", what, text);
    return false;
}

bool cli_is_ipv4(const uint8_t ip[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return !memcmp(ip, mapped, sizeof mapped);
}

bool cli_is_address(const char *text, uint8_t ip[16])
{
    memset(ip, 0, 16);
    if (inet_pton(AF_INET, text, ip + 12) == 1) {
        ip[10] = ip[11] = 0xff;
        return true;
    }
    return inet_pton(AF_INET6, text, ip) == 1;
}

bool cli_address(const char *what, const char *text, uint8_t ip[16])
{
    if (cli_is_address(text, ip))
        return true;
    cli_usage_error("%s: '%s' is no IPv4 or IPv6 address (10.0.0.2, fd00::2)", what, text);
    return false;
}

bool cli_network(const char *what, const char *text, uint8_t ip[16], uint32_t *prefix_len)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : 0;
    if (!slash || len >= sizeof address) {
        cli_usage_error("%s: '%s' is no ADDRESS/PREFIX (10.0.0.2/24, fd00::2/64)", what, text);
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    if (!cli_address(what, address, ip))
        return false;
    char where[96];
    long bits;
    snprintf(where, sizeof where, "%s, the prefix of %.48s", what, text);
    if (!cli_number(where, slash + 1, 1, cli_is_ipv4(ip) ? 32 : 128, &bits))
        return false;
    *prefix_len = (uint32_t)bits;
    return true;
}

char **cli_command_behind(int *argc, char **argv)
{
    for (int i = 1; i < *argc; i++)
        if (!strcmp(argv[i], "--")) {
            char **behind = i + 1 < *argc ? argv + i + 1 : argv + *argc;
            argv[i] = NULL;
            *argc = i;
            return behind;
        }
    return NULL;
}
