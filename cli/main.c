/* main.c - the program `handfast`: finds the subcommand and hands over. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *does;
} commands[] = {
    {"demo", cli_demo, "real connections with the Linux kernel, drawn as they happen"},
    {"listen", cli_listen, "wait for a connection; stdin and stdout are its two directions"},
    {"connect", cli_connect, "open a connection; stdin and stdout are its two directions"},
    {"explore", cli_explore, "every schedule of two endpoints within bounds, each state checked"},
    {"why", cli_why, "what goes wrong without a rule of TCP, found by search"},
    {"sim", cli_sim, "worlds of stacks on a wire where everything goes wrong"},
    {"bench", cli_bench, "the speed, beside that of the kernel and of lwIP"},
    {"judge", cli_judge, "what in a capture of any TCP breaks a rule of the RFCs"},
    {"conformance", cli_conformance, "each requirement, the code that meets it, and its test"},
    {"version", cli_version, "say which version this is"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *out)
{
    fprintf(out, "handfast - TCP for user space (RFC 9293)\n\n"
                 "usage: handfast COMMAND [OPTION]... [ARGUMENT]...\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-11s  %s\n", commands[i].name, commands[i].does);
    fprintf(out, "\n`handfast COMMAND --help` says more.\n"
                 "Exit status: 0 done, 1 it failed, 2 it was called wrongly, 130 interrupted.\n");
}

int cli_version(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    int c = cli_getopt(argc, argv, "h", options);
    if (c == 'h') {
        puts("usage: handfast version");
        return CLI_OK;
    }
    if (c != -1)
        return CLI_USAGE;
    if (optind < argc)
        return cli_usage_error("'%s' is one argument too many; `handfast version` takes none",
                               argv[optind]);
    printf("handfast %s\n", HF_VERSION);
    return CLI_OK;
}

/* A descriptor that is closed would be the first to be opened for something else: an event's number
 * would be read as input, output be written into it.  Read-only, what is written fails. */
static void fill_holes(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", O_RDONLY); /* the lowest that is free: this one */
}

int main(int argc, char **argv)
{
    fill_holes();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored by who called us, our children could not be waited for */
    signal(SIGXFSZ, SIG_IGN); /* a file as long as it may be: a write that fails, and is told */
    /* What is drawn is seen as it happens, in a pipe too; and a child inherits no half-full buffer.
     */
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2) {
        cli_name("");
        return cli_usage_error("which command? `handfast --help` lists them");
    }
    bool help = !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help");
    bool version = !strcmp(argv[1], "--version");
    if ((help || version) && argc > 2) {
        cli_name("");
        return cli_usage_error("'%s' is one argument too many; `handfast COMMAND --help` says more "
                               "of a command",
                               argv[2]);
    }
    if (help) {
        usage(stdout);
        return cli_flushed(CLI_OK);
    }
    if (version) {
        printf("handfast %s\n", HF_VERSION);
        return cli_flushed(CLI_OK);
    }
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(argv[1], commands[i].name)) {
            cli_name(commands[i].name);
            return cli_flushed(commands[i].run(argc - 1, argv + 1));
        }
    cli_name("");
    return cli_usage_error("there is no command '%s'; `handfast --help` lists them", argv[1]);
}
