/* explore.c - `handfast explore`: every schedule of two endpoints within bounds. */
#include "cli.h"
#include "cli_explore.h"

#include <stdio.h>
#include <string.h>

enum {
    JSON = 256,
    FLIGHT,
    LOSSES,
    DUPLICATES,
    REPEATS,
    OPENS,
    SENDS,
    ABORTS,
    REBOOTS,
    LISTEN,
    BACK_OFF,
    ATTACK,
    STATES,
    MEMORY
};

static void usage(void)
{
    puts(
        "usage: handfast explore [OPTION]... [CONFIG]\n\n"
        "Two endpoints, and a channel between them that may hold, lose, duplicate and reorder\n"
        "segments: every interleaving of deliveries, losses, timers and calls, each state\n"
        "checked. Says \"complete\", or what bound cut it; a violation ends it, and breadth first\n"
        "a shortest way to one is found, with its ladder. CONFIG is a (the default), b, c or d:\n\n"
        "  a  no text, 3 segments in flight each way, 2 losses, 1 duplicate, 2 repeats\n"
        "  b  a text each way, 2 in flight, 2 losses, 1 duplicate, 2 repeats\n"
        "  c  a text each way, 3 in flight, 1 loss, 1 duplicate, 1 repeat\n"
        "  d  two texts each way, 2 in flight, 1 loss, 1 duplicate, 1 repeat\n\n"
        "In each of them B listens, both may open, one ABORT and one reboot may happen, at either\n"
        "end. `--aborts 0 --reboots 0` takes them out: minutes become seconds.\n\n"
        "Other bounds than those of CONFIG:\n"
        "  --flight N      segments on the channel at one time, each way (1 to 4)\n"
        "  --losses N, --duplicates N, --repeats N\n"
        "                  in all; a repeat is a timer that sends again\n"
        "  --opens A,B     active opens of A and of B (0 to 3)\n"
        "  --sends A,B     texts of A and of B (0 to 3)\n"
        "  --listen A,B    1: welcomes SYNs at any time; 0: does not\n"
        "  --aborts N, --reboots N\n"
        "                  in all\n"
        "  --back-off      a timeout is one second, after another one two, and that they are is\n"
        "                  judged, but not that all ends well; else each is one second\n\n"
        "  --attack        then one forged segment of each of 38,400 kinds to an endpoint of each\n"
        "                  class that was reached\n"
        "  --states N      stops at so many\n"
        "  --memory N      GiB for the states (12)\n"
        "  --json          the figures as one object");
}

static bool read_byte(const char *what, const char *text, long most, uint8_t *value)
{
    long number;
    if (!cli_number(what, text, 0, most, &number))
        return false;
    *value = (uint8_t)number;
    return true;
}

/* "A,B"; most is a digit. */
static bool read_both(const char *what, const char *text, char most, uint8_t value[2])
{
    if (strlen(text) == 3 && text[1] == ',' && text[0] >= '0' && text[0] <= most &&
        text[2] >= '0' && text[2] <= most) {
        value[0] = (uint8_t)(text[0] - '0');
        value[1] = (uint8_t)(text[2] - '0');
        return true;
    }
    cli_usage_error("%s: '%s' is no A,B with two numbers from 0 to %c", what, text, most);
    return false;
}

static bool read_bound(int option, const char *text, struct explore_config *c)
{
    uint8_t both[2] = {0};
    long number;
    bool ok;
    switch (option) {
    case FLIGHT:
        ok = cli_number("option --flight", text, 1, EXPLORE_FLIGHT, &number);
        c->flight = ok ? (uint8_t)number : 0;
        return ok;
    case LOSSES:
        return read_byte("option --losses", text, 15, &c->losses);
    case DUPLICATES:
        return read_byte("option --duplicates", text, 15, &c->duplicates);
    case REPEATS:
        return read_byte("option --repeats", text, 15, &c->repeats);
    case ABORTS:
        return read_byte("option --aborts", text, 3, &c->aborts);
    case REBOOTS:
        return read_byte("option --reboots", text, 1, &c->reboots);
    case OPENS:
        return read_both("option --opens", text, '3', c->opens);
    case SENDS:
        return read_both("option --sends", text, '3', c->sends);
    case LISTEN:
        ok = read_both("option --listen", text, '1', both);
        c->listens[0] = both[0] != 0;
        c->listens[1] = both[1] != 0;
        return ok;
    case BACK_OFF:
        c->backs_off = true;
        return true;
    case ATTACK:
        c->attack = true;
        return true;
    case STATES:
        ok = cli_number("option --states", text, 1, INT32_MAX, &number);
        c->most = ok ? (uint64_t)number : 0;
        return ok;
    default:
        ok = cli_number("option --memory", text, 1, 1024, &number);
        c->most_bytes = ok ? (uint64_t)number << 30 : 0;
        return ok;
    }
}

/* CLI_OK; CLI_USAGE; -1: --help was printed.  Twice: the configuration comes before its changes. */
static int read_options(int argc, char **argv, struct explore_config *config, bool *json)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"json", no_argument, NULL, JSON},
                                            {"flight", required_argument, NULL, FLIGHT},
                                            {"losses", required_argument, NULL, LOSSES},
                                            {"duplicates", required_argument, NULL, DUPLICATES},
                                            {"repeats", required_argument, NULL, REPEATS},
                                            {"opens", required_argument, NULL, OPENS},
                                            {"sends", required_argument, NULL, SENDS},
                                            {"aborts", required_argument, NULL, ABORTS},
                                            {"reboots", required_argument, NULL, REBOOTS},
                                            {"listen", required_argument, NULL, LISTEN},
                                            {"back-off", no_argument, NULL, BACK_OFF},
                                            {"attack", no_argument, NULL, ATTACK},
                                            {"states", required_argument, NULL, STATES},
                                            {"memory", required_argument, NULL, MEMORY},
                                            {0}};
    struct explore_config ignored;
    for (int round = 0; round < 2; round++) {
        optind = 1;
        for (int c; (c = cli_getopt(argc, argv, "h", options)) != -1;) {
            if (c == 'h') {
                usage();
                return -1;
            }
            *json = *json || c == JSON;
            if (c == '?' || (c != JSON && !read_bound(c, optarg, round ? config : &ignored)))
                return CLI_USAGE;
        }
        const char *name = optind < argc ? argv[optind] : "a";
        if (optind + 1 < argc)
            return cli_usage_error(
                "'%s' is one argument too many; one CONFIG is explored at a time",
                argv[optind + 1]);
        const struct explore_config *found = explore_find(name);
        if (found == NULL)
            return cli_usage_error("there is no configuration '%s'; there are a, b, c and d", name);
        if (round == 0)
            *config = *found;
    }
    return CLI_OK;
}

static void print(const struct explore_result *r)
{
    printf("%s%s\n", r->complete ? "complete" : "not complete: ", r->complete ? "" : r->cut);
    printf("%llu states, %llu transitions, %u violation%s, %.1f s\n", (unsigned long long)r->states,
           (unsigned long long)r->transitions, (unsigned)r->violations,
           r->violations == 1 ? "" : "s", r->seconds);
    printf("%llu + %llu different endpoints, %llu steps of the stack, %llu different segments, "
           "%llu transitions waited for room on the channel\n",
           (unsigned long long)r->endpoints[0], (unsigned long long)r->endpoints[1],
           (unsigned long long)r->steps, (unsigned long long)r->messages,
           (unsigned long long)r->held);
    if (r->attacks)
        printf("%llu forged segments to %llu classes of endpoints\n",
               (unsigned long long)r->attacks, (unsigned long long)r->classes);
}

int cli_explore(int argc, char **argv)
{
    struct explore_config config;
    struct explore_result result;
    bool json = false;
    int status = read_options(argc, argv, &config, &json);
    if (status != CLI_OK)
        return status < 0 ? CLI_OK : status;
    if (cli_json(json) != CLI_OK)
        return CLI_FAILED;
    if (explore_run(&config, json ? stderr : stdout, &result, NULL) != 0)
        return cli_failure("no memory for the states; --memory N takes less");
#ifdef HF_WITH_JANSSON
    if (json)
        explore_json(&config, &result);
#endif
    if (!json)
        print(&result);
    return result.violations == 0 ? CLI_OK : CLI_FAILED;
}
