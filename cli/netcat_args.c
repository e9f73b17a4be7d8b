/* netcat_args.c - options and arguments of `listen` and `connect`. */
#include "netcat.h"

#include <stdio.h>
#include <string.h>

static void help(bool listens)
{
    if (listens)
        printf("usage: handfast listen [OPTION]... PORT [-- COMMAND [ARGUMENT]...]\n\n"
               "Waits for a TCP connection. What arrives goes to standard output, standard input\n"
               "is sent; the end of the input closes that direction.\n\n"
               "  -k, --keep            serve one connection after another\n"
               "  -s, --source ADDR     on this address of ours only\n"
               "  -p, --port PORT       another way to name the port\n");
    else
        printf("usage: handfast connect [OPTION]... HOST PORT [-- COMMAND [ARGUMENT]...]\n\n"
               "Opens a TCP connection. What arrives goes to standard output, standard input is\n"
               "sent; the end of the input closes that direction.\n\n"
               "  -s, --source ADDR     from this address of ours\n"
               "  -p, --port PORT       from this port\n");
    printf("  -4, -6                IPv4 only, IPv6 only\n"
           "  -w, --wait SECONDS    give up when there is no connection after this time, or when "
           "what\n"
           "                        is to be sent stays unacknowledged for so long, or unsent\n"
           "                        because the peer keeps its window closed\n"
           "  -e, --echo            send back what arrives; standard input is not read\n"
           "  -v, --verbose         say what happens\n"
           "      --wait-time-wait  stay for all of TIME-WAIT (a minute), not just long enough\n"
           "                        to answer a repeated FIN\n"
           "  -h, --help            this\n\n%s\n"
           "SIGINT, SIGTERM and SIGHUP reset what is open. Exit status: 0 done, 1 it failed,\n"
           "2 called wrongly, 130 interrupted.\n",
           link_help);
}

void netcat_policy(bool listens, struct hf_policy *policy)
{
    policy->syn_soft_abort = !listens; /* RFC 5461: a person wants the answer at once */
}

static void list_settings(bool listens)
{
    struct hf_config config;
    hf_config_default(&config, 2);
    netcat_policy(listens, &config.policy);
    link_list_settings(&config.policy);
}

static bool take(struct netcat_options *options, int option, const char *value)
{
    uint8_t ip[16];
    switch (option) {
    case '4':
    case '6':
        options->version = option - '0';
        return true;
    case 's':
        options->source = value;
        return cli_address("option -s", value, ip);
    case 'p':
        return cli_port("option -p", value, &options->port);
    case 'w':
        options->has_wait = true;
        return cli_seconds("option -w", value, &options->wait_ms);
    case 'v':
        options->verbose = true;
        return true;
    case 'k':
        options->keep = true;
        return true;
    case 'e':
        options->echo = true;
        return true;
    case 't':
        options->whole_time_wait = true;
        return true;
    default:
        return link_option(&options->link, option, value);
    }
}

static bool parse(struct netcat_options *options, int argc, char **argv, bool *helped)
{
    static const struct option all[] = {{"keep", no_argument, NULL, 'k'},
                                        {"help", no_argument, NULL, 'h'},
                                        {"source", required_argument, NULL, 's'},
                                        {"port", required_argument, NULL, 'p'},
                                        {"wait", required_argument, NULL, 'w'},
                                        {"verbose", no_argument, NULL, 'v'},
                                        {"echo", no_argument, NULL, 'e'},
                                        {"wait-time-wait", no_argument, NULL, 't'},
                                        LINK_OPTIONS,
                                        {0}};
    bool listens = options->listens;
    const char *letters = listens ? "46s:p:w:vekh" : "46s:p:w:veh";
    int option, versions = 0;
    while ((option = cli_getopt(argc, argv, letters, listens ? all : all + 1)) != -1) {
        if (option == 'h') {
            *helped = true;
            help(listens);
            return true;
        }
        if (option == LINK_SET && !strcmp(optarg, "help")) {
            *helped = true;
            list_settings(listens);
            return true;
        }
        if (option == '?' || !take(options, option, optarg))
            return false;
        if (option == '4' || option == '6')
            versions |= option == '4' ? 1 : 2;
    }
    if (versions == 3) {
        cli_usage_error("-4 and -6 exclude each other; without either, both are used");
        return false;
    }
    return true;
}

static bool take_arguments(struct netcat_options *options, int argc, char **argv)
{
    int most = options->listens ? 1 : 2;
    for (; optind < argc; optind++) {
        if (options->n_arguments == most) {
            cli_usage_error("'%s' is one argument too many", argv[optind]);
            return false;
        }
        options->arguments[options->n_arguments++] = argv[optind];
    }
    if (options->listens && options->n_arguments == 0 && options->port == 0) {
        cli_usage_error("on which port? handfast listen [OPTION]... PORT");
        return false;
    }
    if (options->listens && options->n_arguments == 1 && options->port != 0) {
        cli_usage_error("the port is given twice: -p %u and '%s'", (unsigned)options->port,
                        options->arguments[0]);
        return false;
    }
    if (!options->listens && options->n_arguments == 1 && *options->arguments[0]) {
        cli_usage_error("to which port of %s? handfast connect [OPTION]... HOST PORT",
                        options->arguments[0]);
        return false;
    }
    if (!options->listens && (options->n_arguments == 0 || !*options->arguments[0])) {
        cli_usage_error("to whom? handfast connect [OPTION]... HOST PORT");
        return false;
    }
    return options->n_arguments < most || cli_service(options->arguments[most - 1]);
}

/* `what` comes before the text where it is an address, of the other version than -4 or -6 asks for.
 */
static bool is_of_version(const struct netcat_options *options, const char *what, const char *text)
{
    uint8_t ip[16];
    if (!text || options->version == 0 || !cli_is_address(text, ip) ||
        cli_is_ipv4(ip) == (options->version == 4))
        return true;
    cli_usage_error("%s%s is no IPv%d address, as -%d asks for", what, text, options->version,
                    options->version);
    return false;
}

static bool versions_agree(const struct netcat_options *options)
{
    const char *host = options->listens ? NULL : options->arguments[0];
    return is_of_version(options, "-s ", options->source) && is_of_version(options, "", host);
}

int netcat_arguments(struct netcat_options *options, bool listens, int argc, char **argv)
{
    *options = (struct netcat_options){.listens = listens};
    options->link.command = cli_command_behind(&argc, argv);
    bool helped = false;
    if (!parse(options, argc, argv, &helped))
        return CLI_USAGE;
    if (helped)
        return CLI_OK;
    if (!take_arguments(options, argc, argv) || !versions_agree(options) ||
        !link_options_complete(&options->link))
        return CLI_USAGE;
    return -1;
}
