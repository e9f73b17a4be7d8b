/* why.c - `handfast why`: what goes wrong without a rule of TCP, found by the explorer. */
#include "cli.h"
#include "explore.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_OCTETS = 4096, COLUMNS = 90 };

static void usage(void)
{
    const struct explore_why *why;
    puts("usage: handfast why RULE\n\n"
         "Explores two endpoints whose stack lacks one rule of TCP, prints the shortest schedule\n"
         "that goes wrong, with its ladder, and the same schedule with the rule in place. Each is\n"
         "searched for again; that takes seconds. RULE, and what its absence means:\n");
    for (uint32_t i = 0; (why = explore_why(i)) != NULL; i++)
        printf("  %-20s %s\n", why->rule, why->without);
}

/* The program with the stack that lacks the rule: beside this one, or as it is installed. */
static bool find_helper(const char *rule, char path[PATH_OCTETS])
{
    static const char *const places[] = {"without", "../libexec/handfast/without"};
    char self[PATH_OCTETS / 2];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0)
        return false;
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(path, PATH_OCTETS, "%s/%s/%s", self, places[i], rule);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

/* Runs it; its schedule comes through descriptor 3. */
static enum explore_why_end run_helper(const char *path, const char *rule,
                                       struct explore_schedule *schedule)
{
    int ends[2];
    fflush(stdout);
    if (pipe(ends) != 0)
        return EXPLORE_WHY_FAILED;
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it is to search for nobody */
        if (getppid() != parent)
            _exit(127);
        close(ends[0]);
        if (ends[1] != 3 && dup2(ends[1], 3) < 0)
            _exit(127);
        execl(path, path, rule, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    uint8_t *octets = (uint8_t *)schedule;
    size_t got = 0;
    for (ssize_t n = 1; child > 0 && n > 0 && got < sizeof *schedule;) {
        n = read(ends[0], octets + got, sizeof *schedule - got);
        got += n > 0 ? (size_t)n : 0;
    }
    close(ends[0]);
    int status = -1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || (WEXITSTATUS(status) == 0 && got < sizeof *schedule))
        return EXPLORE_WHY_FAILED;
    return (enum explore_why_end)WEXITSTATUS(status);
}

/* In lines of COLUMNS, and an empty one. */
static void paragraph(const char *text)
{
    for (size_t left = strlen(text); left != 0;) {
        size_t n = left > COLUMNS ? COLUMNS : left;
        while (n < left && text[n] != ' ')
            n--;
        printf("%.*s\n", (int)n, text);
        text += n + (n < left);
        left -= n + (n < left);
    }
    putchar('\n');
}

static void begin(const struct explore_why *why)
{
    printf("Why %s?\n\n", why->rule);
    paragraph(why->says);
    paragraph(
        "A and B are two endpoints of this stack, and B listens. A0 is the initial sequence "
        "number of A's first connection, A1 that of its second: <SEQ=A0+1> is what follows "
        "the first one's SYN. Below each step: the states of A and B; \"-\": no connection. "
        "In the ladders x-- came in and was of no use, X was lost on its way, and (STATE?) is "
        "what the other side is in if that segment has arrived.");
    if (why->world)
        paragraph(why->world);
    char text[512];
    snprintf(text, sizeof text,
             "WITHOUT THE RULE (%s) this is the shortest schedule that goes wrong:", why->without);
    paragraph(text);
}

static int show_with_rule(const struct explore_why *why, const struct explore_schedule *schedule)
{
    printf("\nWITH THE RULE the same schedule:\n\n");
    if (explore_play(&why->config, schedule, stdout) != 0)
        return cli_failure("no memory");
    putchar('\n');
    paragraph(why->shows);
    return CLI_OK;
}

int cli_why(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    static struct explore_schedule schedule;
    char path[PATH_OCTETS];
    int c = cli_getopt(argc, argv, "h", options);
    if (c == 'h') {
        usage();
        return CLI_OK;
    }
    if (c != -1)
        return CLI_USAGE;
    if (optind + 1 != argc)
        return cli_usage_error("which rule? `handfast why --help` lists them; one at a time");
    const struct explore_why *why = explore_why_of(argv[optind]);
    if (why == NULL)
        return cli_usage_error("there is no rule '%s'; `handfast why --help` lists them",
                               argv[optind]);
    if (!find_helper(why->rule, path))
        return cli_failure("the program without/%s is not there; `make install` puts it beside "
                           "this one",
                           why->rule);
    begin(why);
    if (cli_flushed(CLI_OK) != CLI_OK)
        return CLI_FAILED;
    switch (run_helper(path, why->rule, &schedule)) {
    case EXPLORE_WHY_FOUND:
        return show_with_rule(why, &schedule);
    case EXPLORE_WHY_NOTHING:
        return cli_failure("%s has not found a schedule that goes wrong", path);
    case EXPLORE_WHY_TORN:
        return cli_output_torn();
    default:
        return cli_failure("%s did not run to its end", path);
    }
}
