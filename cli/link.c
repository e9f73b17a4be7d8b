/* link.c - opens the device that the options name, runs the command beside it, closes all. */
#include "link.h"

#include "judge.h"

#include <errno.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char link_help[] =
    "The network is one of:\n"
    "  --tun NAME            a TUN device; made if it is not there (root)\n"
    "  --tap NAME            a TAP device, the same\n"
    "  --interface NAME      an Ethernet interface, shared through AF_PACKET (root)\n"
    "  --xdp NAME            an Ethernet interface, taken over through AF_XDP (root)\n"
    "    --address ADDR/LEN  our address there, once or more\n"
    "    --gateway ADDR      the way to everywhere else, one of each IP version\n"
    "  --private -- COMMAND [ARGUMENT]...\n"
    "                        a network of its own, without privileges: COMMAND runs in a\n"
    "                        namespace with the kernel's TCP at 10.77.0.1 and fd77::1,\n"
    "                        Handfast is 10.77.0.2 and fd77::2\n"
    "                        (if it still runs 2 seconds after all else is over, it is ended)\n"
    "    --mtu N             of that network; 1500 without; under 1280 there is no IPv6\n"
    "To see what happens:\n"
    "  --ladder              draw each connection on standard error\n"
    "  --svg FILE            the same as a picture, when all is over; the first 64\n"
    "  --pcap FILE           every packet as pcapng, with comments (Wireshark shows them)\n"
    "  --judge               check each segment against RFC 9293; what breaks a rule is told\n"
    "  --set NAME=VALUE      another policy or option, once or more: timestamps=off, nodelay=on\n"
    "  --set help            all there are\n";

static volatile sig_atomic_t interrupted;
static struct hf_host *_Atomic waiting; /* NULL: none does */

/* A wait that begins only now is to end, too. */
static void note_signal(int number)
{
    (void)number;
    struct hf_host *host = waiting;
    interrupted = 1;
    if (host)
        hf_host_interrupt(host);
}

void link_interrupts(struct hf_host *host)
{
    waiting = host;
    if (host && interrupted)
        hf_host_interrupt(host);
}

void link_catch_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal}; /* no SA_RESTART: waits shall end */
    struct sigaction before;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* nohup */
        sigaction(SIGHUP, &action, NULL);
}

bool link_interrupted(void)
{
    return interrupted;
}

bool link_heard_signal(void *unused)
{
    (void)unused;
    return interrupted;
}

static bool add_address(struct link_options *options, const char *value)
{
    uint8_t ip[16];
    uint32_t prefix_len;
    if (!cli_network("option --address", value, ip, &prefix_len))
        return false;
    if (options->n_addresses == LINK_ADDRESSES) {
        cli_usage_error("option --address: at most %d of them", LINK_ADDRESSES);
        return false;
    }
    options->addresses[options->n_addresses++] = value;
    return true;
}

static bool add_gateway(struct link_options *options, const char *value)
{
    uint8_t ip[16], other[16];
    if (!cli_address("option --gateway", value, ip))
        return false;
    for (uint32_t i = 0; i < options->n_gateways; i++)
        if (cli_address("option --gateway", options->gateways[i], other) &&
            cli_is_ipv4(ip) == cli_is_ipv4(other)) {
            cli_usage_error("option --gateway: one of each IP version, not %s and %s",
                            options->gateways[i], value);
            return false;
        }
    options->gateways[options->n_gateways++] = value;
    return true;
}

static bool set_name(const char **name, const char *what, const char *value)
{
    enum { NAME_MAX_KERNEL = 15 }; /* IFNAMSIZ - 1 */
    bool dots = !strcmp(value, ".") || !strcmp(value, "..");
    if (*value == '\0' || strlen(value) > NAME_MAX_KERNEL || dots ||
        strpbrk(value, "/ \t\n\v\f\r:%")) { /* %: the kernel would choose one */
        cli_usage_error("option --%s: '%s' cannot be an interface's name", what, value);
        return false;
    }
    *name = value;
    return true;
}

static bool set_file(const char **name, const char *what, const char *value)
{
    if (*value == '\0' || !strcmp(value, "-")) {
        cli_usage_error("option --%s: it needs the name of a file, not '%s'", what, value);
        return false;
    }
    *name = value;
    return true;
}

void link_list_settings(const struct hf_policy *policy)
{
    const char *name;
    char allowed[HF_SETTING_TEXT], usual[HF_SETTING_TEXT], assignment[64];
    printf("%-28s  %s\n\n", "As it is without --set", "What it may be: what it is for");
    for (uint32_t i = 0; (name = hf_setting_name(i)) != NULL; i++) {
        hf_setting_values(name, policy, allowed, usual);
        snprintf(assignment, sizeof assignment, "%s=%.38s", name, usual);
        printf("%-28s  %s: %s\n", assignment, allowed, hf_setting_text(name));
    }
}

static bool add_setting(struct link_options *options, const char *value)
{
    char error[HF_ERROR_TEXT];
    struct hf_config config;
    hf_config_default(&config, 2);
    size_t len = strlen(options->settings);
    if (*value == '\0') {
        cli_usage_error("option --set: it needs NAME=VALUE; `--set help` lists what there is");
        return false;
    }
    size_t room = sizeof options->settings - len;
    if ((size_t)snprintf(options->settings + len, room, "%s ", value) >= room) {
        cli_usage_error("option --set: too many of them");
        return false;
    }
    if (hf_settings_policy(options->settings, &config.policy, error) == 0)
        return true;
    cli_usage_error("option --set: %s; `--set help` lists what there is", error);
    return false;
}

bool link_option(struct link_options *options, int option, const char *value)
{
    switch (option) {
    case LINK_TUN:
        return set_name(&options->tun, "tun", value);
    case LINK_TAP:
        return set_name(&options->tap, "tap", value);
    case LINK_INTERFACE:
        return set_name(&options->interface, "interface", value);
    case LINK_XDP:
        return set_name(&options->xdp, "xdp", value);
    case LINK_ADDRESS:
        return add_address(options, value);
    case LINK_GATEWAY:
        return add_gateway(options, value);
    case LINK_PRIVATE:
        options->private_network = true;
        return true;
    case LINK_MTU:
        return cli_number("option --mtu", value, 576, 65535, &options->mtu);
    case LINK_LADDER:
        options->ladder = true;
        return true;
    case LINK_JUDGE:
        options->judge = true;
        return true;
    case LINK_SVG:
        return set_file(&options->svg, "svg", value);
    case LINK_PCAP:
        return set_file(&options->pcap, "pcap", value);
    case LINK_SET:
        return add_setting(options, value);
    default:
        return false;
    }
}

/* A gateway of that address would be this stack itself: nothing would ever leave. */
static const char *own_gateway(const struct link_options *options)
{
    uint8_t ours[16], gateway[16];
    uint32_t prefix_len;
    for (uint32_t i = 0; i < options->n_addresses * options->n_gateways; i++) {
        const char *text = options->gateways[i / options->n_addresses];
        if (cli_network("", options->addresses[i % options->n_addresses], ours, &prefix_len) &&
            cli_address("", text, gateway) && !memcmp(ours, gateway, sizeof ours))
            return text;
    }
    return NULL;
}

bool link_options_complete(const struct link_options *options)
{
    int networks = !!options->tun + !!options->tap + !!options->interface;
    networks += !!options->xdp + options->private_network;
    const char *wrong = NULL;
    if (networks == 0)
        wrong =
            "on which network? --tun, --tap, --interface or --xdp NAME, or --private -- COMMAND";
    else if (networks > 1)
        wrong = "one network, please: only one of --tun, --tap, --interface, --xdp and --private";
    else if (options->private_network && options->n_addresses + options->n_gateways > 0)
        wrong = "--private brings its own addresses: leave --address and --gateway out";
    else if (options->private_network && (!options->command || !options->command[0]))
        wrong = "--private needs a command to run in it, behind '--': --private -- COMMAND";
    else if (!options->private_network && options->mtu)
        wrong = "--mtu goes with --private only: a device has its own";
    else if (!options->private_network && options->command)
        wrong = "a command behind '--' goes with --private only";
    else if (options->svg && options->pcap && link_same_file(options->svg, options->pcap))
        wrong = "--svg and --pcap: a file cannot be both the drawing and the packets";
    else if (!options->private_network && options->n_addresses == 0)
        wrong = "which address is ours there? --address ADDR/LEN (10.0.0.2/24, fd00::2/64)";
    const char *own = own_gateway(options);
    if (wrong)
        cli_usage_error("%s", wrong);
    else if (own)
        cli_usage_error("option --gateway: %s is our own address; it is the next router's, of a "
                        "TUN the kernel's",
                        own);
    return !wrong && !own;
}

/* Opening -------------------------------------------------------------------------------------- */

/* One queue would have no more than a share of what comes. */
static int open_xdp(const char *name, struct hf_device **device, char error[HF_ERROR_TEXT])
{
    int queues = hf_device_queues(name);
    if (queues > 1) {
        snprintf(error, HF_ERROR_TEXT,
                 "--xdp %s: it receives with %d queues, and one of them would be ours: `ethtool -L "
                 "%s combined 1` (or rx 1 tx 1) first",
                 name, queues, name);
        return -EBUSY;
    }
    return hf_device_xdp(device, name, 0, NULL, 0, error);
}

static const char *device_name(const struct link_options *options)
{
    return options->tun         ? options->tun
           : options->tap       ? options->tap
           : options->interface ? options->interface
                                : options->xdp;
}

const char *link_down(const struct link *link)
{
    const char *name = device_name(link->options);
    return name && hf_device_is_up(name) == 0 ? name : NULL;
}

static int open_device(struct link *link, struct hf_device **device, char error[HF_ERROR_TEXT])
{
    const struct link_options *options = link->options;
    if (options->tun)
        return hf_device_tun(device, options->tun, 0, error);
    if (options->tap)
        return hf_device_tap(device, options->tap, NULL, 0, error);
    if (options->interface)
        return hf_device_packet(device, options->interface, NULL, 0, error);
    if (options->xdp)
        return open_xdp(options->xdp, device, error);
    bool ipv6 = options->mtu == 0 || options->mtu >= HF_IPV6_MTU_MIN;
    struct hf_private_options private_options = {.struct_size = sizeof private_options,
                                                 .mtu = (uint32_t)options->mtu,
                                                 .kernel6 = ipv6 ? NULL : ""};
    int result = hf_private_open(&link->net, &private_options, error);
    if (result == 0)
        *device = hf_private_device(link->net);
    return result;
}

/* What the user may do instead where the device cannot be had. */
static const char *way_out(const struct link_options *options, int result)
{
    bool tun = options->tun || options->tap;
    bool forbidden = result == -EPERM || result == -EACCES;
    bool missing = tun && (result == -ENOENT || result == -ENODEV || result == -ENXIO);
    return !options->private_network && (forbidden || missing)
               ? "; --private -- COMMAND needs no privileges and no device"
               : "";
}

static int set_addresses(struct link *link)
{
    static const char *const ours[] = {"10.77.0.2/24", "fd77::2/64"};
    const struct link_options *options = link->options;
    const char *const *addresses = options->private_network ? ours : options->addresses;
    uint32_t n = options->private_network ? 2 : options->n_addresses;
    if (options->private_network && options->mtu != 0 && options->mtu < HF_IPV6_MTU_MIN)
        n = 1;
    for (uint32_t i = 0; i < n; i++)
        if (hf_host_address(link->host, link->iface, addresses[i]) < 0)
            return cli_usage_error("option --address: %s", hf_host_error(link->host));
    for (uint32_t i = 0; i < options->n_gateways; i++)
        if (hf_host_route(link->host, link->iface, "default", options->gateways[i]) < 0)
            return cli_usage_error("option --gateway: %s: %s", options->gateways[i],
                                   hf_host_error(link->host));
    return CLI_OK;
}

/* --set, or else the environment's. */
static const char *settings_of(const struct link_options *options)
{
    return options->settings[0] ? options->settings : getenv("HANDFAST_SET");
}

int link_new_host(struct hf_host **host, const struct hf_host_options *options)
{
    char error[HF_ERROR_TEXT];
    struct hf_policy policy = options->config->policy;
    if (options->settings && hf_settings_policy(options->settings, &policy, error) < 0)
        return cli_usage_error("HANDFAST_SET in the environment: %s; `handfast listen --set help` "
                               "lists what there is, commas or blanks stand between them",
                               error);
    int result = hf_host_new(host, options);
    if (result < 0)
        return cli_failure("a stack cannot be made: %s", strerror(-result));
    link_interrupts(*host);
    return CLI_OK;
}

int link_open(struct link *link, const struct link_options *options, const struct hf_config *config)
{
    *link = (struct link){.options = options};
    if (link_check_svg(options->svg) != CLI_OK)
        return CLI_FAILED;
    struct hf_host_options host_options = {
        .struct_size = sizeof host_options, .config = config, .settings = settings_of(options)};
    int status = link_new_host(&link->host, &host_options);
    if (status != CLI_OK)
        return status;
    if (link_watch(link) != CLI_OK)
        return CLI_FAILED;
    char error[HF_ERROR_TEXT];
    struct hf_device *device = NULL;
    const char *name = device_name(options);
    link->made = name && hf_device_is_up(name) == -ENODEV;
    int result = open_device(link, &device, error);
    if (result < 0)
        return cli_failure("%s%s", error, way_out(options, result));
    if (options->pcap) {
        struct hf_capture capture = {.struct_size = sizeof capture,
                                     .path = options->pcap,
                                     .comment = link_comment,
                                     .comment_arg = link->comments,
                                     .interrupted = link_heard_signal};
        if (hf_device_capture(&device, device, &capture, error) < 0)
            return interrupted ? CLI_INTERRUPTED : cli_failure("%s", error);
    }
    link->iface = hf_host_attach(link->host, device);
    if (link->iface < 0) /* it is closed */
        return cli_failure("%s", hf_host_error(link->host));
    link->capture = options->pcap ? device : NULL;
    return set_addresses(link);
}

/* The command ---------------------------------------------------------------------------------- */

int link_start_command(struct link *link)
{
    char error[HF_ERROR_TEXT];
    if (!link->options->command)
        return CLI_OK;
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* what it leaves behind becomes ours, for end_orphans */
    FILE *nothing = fopen("/dev/null", "re"); /* standard input is the connection's */
    int fds[3] = {nothing ? fileno(nothing) : -1, -1, -1};
    link->command = hf_private_start(link->net, link->options->command, fds, error);
    if (nothing)
        fclose(nothing);
    if (link->command > 0)
        return CLI_OK;
    link->command = 0;
    return cli_failure("%s", error);
}

bool link_command_ended(struct link *link)
{
    int status;
    if (link->command > 0 && waitpid(link->command, &status, WNOHANG) == link->command) {
        link->command = 0;
        link->command_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return link->options->command && link->command == 0;
}

/* Answers the command for a moment, or until it has ended. */
static void await_command(struct link *link, bool until_signal)
{
    enum { MOMENT_MS = 2000, STEP_MS = 20 };
    int64_t end = hf_host_env(link->host)->now_ns + MOMENT_MS * 1000000LL;
    while (!link_command_ended(link) && hf_host_env(link->host)->now_ns < end &&
           !(until_signal && interrupted))
        hf_host_run_once(link->host, STEP_MS * 1000000LL);
}

/* After success the command has a moment to end by itself, while it is still answered. */
static void end_command(struct link *link, bool success)
{
    if (success)
        await_command(link, true);
    if (link->command > 0) {
        kill(link->command, SIGTERM);
        await_command(link, false);
        link->command_status = 0; /* ended by us: that is no failure of its */
    }
}

/* The number of the private network's namespace (namespaces(7)); 0: it is not known. */
static ino_t private_network(struct hf_private *net)
{
    struct stat namespace = {0};
    int inside = hf_private_socket(net, AF_INET, SOCK_DGRAM, 0);
    int fd = inside >= 0 ? ioctl(inside, SIOCGSKNS) : -1;
    if (fd >= 0) {
        fstat(fd, &namespace);
        close(fd);
    }
    if (inside >= 0)
        close(inside);
    return namespace.st_ino;
}

static bool is_inside(pid_t pid, ino_t network)
{
    struct stat namespace;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    return stat(path, &namespace) == 0 && namespace.st_ino == network;
}

/* Sends a signal to every child in that network (proc(5)); returns how many.  Others are none of
 * ours: who called us may have started them, and then become us (exec). */
static int signal_children(ino_t network, int number)
{
    int n = 0, pid;
    FILE *children = fopen("/proc/thread-self/children", "re");
    if (!children)
        return 0;
    while (fscanf(children, "%d", &pid) == 1)
        if (is_inside(pid, network)) {
            kill(pid, number);
            n++;
        }
    fclose(children);
    return n;
}

/* Processes that the command started and left: the private network is to end with us. */
static void end_orphans(struct hf_private *net)
{
    enum { PATIENCE = 50, STEP_US = 10000 };
    ino_t network = private_network(net);
    for (int i = 0; i < 2 * PATIENCE; i++) {
        if (signal_children(network, i < PATIENCE ? SIGTERM : SIGKILL) == 0)
            return;
        usleep(STEP_US);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

/* A veth's other end that leaves checksums out is the likely reason, and does not show. */
static void hint_at_checksums(struct link *link)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    if (!link->options->xdp || !link->host)
        return;
    hf_counters(hf_host_stack(link->host), &counters);
    uint64_t n = counters.verdict[HF_V_DROP_TCP_CHECKSUM];
    if (n > 0)
        cli_note("%s: %llu segments had a wrong checksum; if it is a veth, its other end is to "
                 "compute them: `ethtool -K PEER tx off`",
                 link->options->xdp, (unsigned long long)n);
}

int link_close(struct link *link, int status)
{
    hint_at_checksums(link);
    if (link->command > 0)
        end_command(link, status == CLI_OK);
    if (link->net)
        end_orphans(link->net);
    if (status == CLI_OK && link->options->command && link->command_status != 0)
        status = cli_failure("'%s' ended with status %d", link->options->command[0],
                             link->command_status);
    status = link_draw(link, status);
    int written = link->capture ? hf_device_capture_status(link->capture) : 0;
    if (written == -EINTR)
        cli_note("--pcap %s: its reader was not waited for; packets are missing there",
                 link->options->pcap);
    else if (written < 0)
        status = cli_failure("--pcap %s: %s", link->options->pcap, strerror(-written));
    link_interrupts(NULL);
    hf_host_free(link->host);
    if (link->oracle && judge_end(link->oracle) != CLI_OK && status == CLI_OK)
        status = CLI_FAILED;
    hf_private_close(link->net);
    link_watch_end(link);
    return status;
}
