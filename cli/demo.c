/* demo.c - `handfast demo`: real connections with the Linux kernel, drawn as they happen. */
#include "demo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MSL_MS = 1000, CONNECTIONS = 16, MEGABYTES = 100, MEGABYTES_MAX = 1000 };

enum { OPTION_TUN = 256, OPTION_VETH, OPTION_MEGABYTES };

static void help(void)
{
    printf("usage: handfast demo [OPTION]...\n\n"
           "Five connections with the Linux kernel, one after another, drawn as they happen\n"
           "with the states of both ends: curl to Handfast over IPv4 and over IPv6, Handfast\n"
           "to a server of the kernel's over IPv4 and over IPv6, with 100 MB each way; and one\n"
           "with a few words, of which each segment that opens or closes it is lost once. All\n"
           "of it in a private network namespace: it needs no privileges and changes nothing\n"
           "outside.\n"
           "Leaves demo.pcapng (for Wireshark, with comments) and demo.svg.\n\n"
           "  -o, --output DIR     leave the two files there (.)\n"
           "      --megabytes N    other than 100, each way\n"
           "      --tun, --veth    only with a TUN device; only with veth and AF_PACKET\n"
           "                       (without: TUN where /dev/net/tun can be opened, else veth)\n"
           "  -h, --help           this\n\n"
           "Exit status: 0 all went well, 1 it failed, 2 called wrongly, 130 interrupted.\n");
}

/* -1: go on; else the exit status. */
static int arguments(struct demo_options *options, int argc, char **argv)
{
    static const struct option all[] = {{"output", required_argument, NULL, 'o'},
                                        {"megabytes", required_argument, NULL, OPTION_MEGABYTES},
                                        {"tun", no_argument, NULL, OPTION_TUN},
                                        {"veth", no_argument, NULL, OPTION_VETH},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};
    *options = (struct demo_options){.directory = ".", .bytes = MEGABYTES * 1000000ULL};
    int option;
    long number;
    while ((option = cli_getopt(argc, argv, "o:h", all)) != -1) {
        if (option == 'h') {
            help();
            return CLI_OK;
        }
        if (option == '?')
            return CLI_USAGE;
        if (option == OPTION_TUN || option == OPTION_VETH)
            options->network |= option == OPTION_TUN ? HF_PRIVATE_TUN : HF_PRIVATE_VETH;
        if (option == 'o')
            options->directory = optarg;
        if (option == OPTION_MEGABYTES) {
            if (!cli_number("option --megabytes", optarg, 1, MEGABYTES_MAX, &number))
                return CLI_USAGE;
            options->bytes = (uint64_t)number * 1000000;
        }
    }
    if (optind < argc)
        return cli_usage_error("'%s' is one argument too many; `handfast demo --help` says what "
                               "there is",
                               argv[optind]);
    if (options->network == (HF_PRIVATE_TUN | HF_PRIVATE_VETH))
        return cli_usage_error("--tun and --veth exclude each other");
    return -1;
}

static int check_directory(const char *directory)
{
    struct stat is;
    if (!*directory)
        return cli_usage_error("option -o: it needs the name of a directory, not ''");
    if (strlen(directory) > DEMO_DIRECTORY_MAX)
        return cli_usage_error("option -o: a name of %zu octets is too long, %d are the most",
                               strlen(directory), DEMO_DIRECTORY_MAX);
    if (stat(directory, &is) != 0)
        return cli_failure("option -o: %s: %s", directory, strerror(errno));
    if (!S_ISDIR(is.st_mode))
        return cli_failure("option -o: %s is no directory", directory);
    if (access(directory, W_OK) != 0)
        return cli_failure("%s cannot be written to; -o DIR names another place for demo.pcapng "
                           "and demo.svg",
                           strcmp(directory, ".") ? directory : "the current directory");
    return CLI_OK;
}

static int start_host(struct demo *demo)
{
    struct hf_config config;
    hf_config_default(&config, CONNECTIONS);
    config.policy.msl_ms = MSL_MS;
    /* A FIN of the kernel's that was repeated just before our ACK came gets a second ACK, to which
     * the kernel, CLOSED by then, answers with a reset: it shall not cut the demo's TIME-WAIT short
     * (RFC 1337 section 3, F1). */
    config.policy.tw_ignore_rst = true;
    struct hf_host_options options = {
        .struct_size = sizeof options, .config = &config, .settings = getenv("HANDFAST_SET")};
    return link_new_host(&demo->host, &options);
}

static int start_network(struct demo *demo)
{
    char error[HF_ERROR_TEXT];
    struct hf_private_options options = {.struct_size = sizeof options,
                                         .flags = demo->options.network};
    if (hf_private_open(&demo->net, &options, error) < 0)
        return cli_failure("%s%s", error,
                           options.flags == HF_PRIVATE_TUN    ? "; without --tun veth would do"
                           : options.flags == HF_PRIVATE_VETH ? "; without --veth a TUN would do"
                                                              : "");
    struct hf_device *device = hf_private_device(demo->net);
    if (demo_watch_device(demo, &device) != CLI_OK)
        return CLI_FAILED;
    int iface = hf_host_attach(demo->host, device);
    if (iface < 0 || hf_host_address(demo->host, iface, "10.77.0.2/24") < 0 ||
        hf_host_address(demo->host, iface, "fd77::2/64") < 0 ||
        hf_host_listen(demo->host, NULL, "80", 4, &demo->listener) < 0)
        return cli_failure("%s", hf_host_error(demo->host));
    return CLI_OK;
}

static void introduce(const struct demo *demo)
{
    printf("Handfast meets the Linux kernel.\n\n"
           "  device   %s, in a network namespace of its own\n"
           "  kernel   10.77.0.1, fd77::1: the right side; its states are inferred from the wire,\n"
           "           and compared with inet_diag where both sides are at rest\n"
           "  Handfast 10.77.0.2, fd77::2: the left side; its states are its own\n"
           "  2MSL     %g s here, so that you need not wait for TIME-WAIT; outside a demo 60 s\n",
           hf_private_kind(demo->net), 2 * MSL_MS / 1000.0);
    fflush(stdout);
}

static int all_connections(struct demo *demo)
{
    int status = demo_curl_to_handfast(demo, 1, false);
    if (status == CLI_OK)
        status = demo_curl_to_handfast(demo, 2, true);
    if (status == CLI_OK)
        status = demo_handfast_to_kernel(demo, 3, false);
    if (status == CLI_OK)
        status = demo_handfast_to_kernel(demo, 4, true);
    if (status == CLI_OK)
        status = demo_lossy_connection(demo, 5);
    return status;
}

static int run(struct demo *demo)
{
    int status = check_directory(demo->options.directory);
    if (status != CLI_OK)
        return status;
    status = start_host(demo);
    if (status != CLI_OK)
        return status;
    if (demo_watch_open(demo) != CLI_OK || start_network(demo) != CLI_OK)
        return CLI_FAILED;
    introduce(demo);
    status = demo_payload_make(&demo->up, demo->options.bytes, 1);
    if (status == CLI_OK)
        status = demo_payload_make(&demo->down, demo->options.bytes, 2);
    if (status == CLI_OK)
        status = all_connections(demo);
    if (status == CLI_OK)
        status = demo_watch_finish(demo);
    if (status != CLI_OK)
        return status;
    printf("\nAll five connections opened, carried their data and closed as they should.\n"
           "  demo.svg     the ladders as a picture\n"
           "  demo.pcapng  the packets, with comments; Wireshark opens it. The middle of each\n"
           "               transfer (%llu packets) is left out.\n",
           (unsigned long long)demo->left_out);
    return CLI_OK;
}

static void forget(struct demo_payload *payload)
{
    if (payload->data)
        munmap((void *)(uintptr_t)payload->data, payload->bytes);
    if (payload->fd > 0)
        close(payload->fd);
}

int cli_demo(int argc, char **argv)
{
    static struct demo demo;
    int status = arguments(&demo.options, argc, argv);
    if (status >= 0)
        return status;
    link_catch_signals();
    status = run(&demo);
    link_interrupts(NULL);
    hf_host_free(demo.host);
    hf_private_close(demo.net);
    demo_watch_close(&demo);
    forget(&demo.up);
    forget(&demo.down);
    if (!link_interrupted())
        return status;
    cli_note("interrupted: the namespace, its device and its processes are gone");
    return CLI_INTERRUPTED;
}
