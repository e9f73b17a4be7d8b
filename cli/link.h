/* link.h - the network a subcommand works on: a named device or a private one, watched or not. */
#ifndef HANDFAST_CLI_LINK_H
#define HANDFAST_CLI_LINK_H

#include "cli.h"

#include <handfast/host.h>
#include <sys/types.h>

enum { LINK_ADDRESSES = 8, LINK_GATEWAYS = 2 };

struct link_options {
    const char *tun, *tap, *interface, *xdp;
    const char *addresses[LINK_ADDRESSES]; /* ADDRESS/PREFIX */
    const char *gateways[LINK_GATEWAYS];
    uint32_t n_addresses, n_gateways;
    bool private_network;
    long mtu;       /* of the private network; 0: as usual */
    char **command; /* behind "--", or NULL */
    bool ladder, judge;
    const char *svg, *pcap;
    char settings[1024]; /* of --set, one behind another */
};

struct link {
    const struct link_options *options;
    struct hf_host *host;
    struct hf_private *net;
    struct hf_ladder_set *ladders;
    struct hf_comments *comments;
    struct hf_oracle *oracle;
    struct hf_device *capture; /* the host's, which closes it */
    int iface;
    pid_t command; /* 0: none runs */
    int command_status;
};

/* getopt_long values of the options that LINK_OPTIONS adds. */
enum {
    LINK_TUN = 256,
    LINK_TAP,
    LINK_INTERFACE,
    LINK_XDP,
    LINK_ADDRESS,
    LINK_GATEWAY,
    LINK_PRIVATE,
    LINK_MTU,
    LINK_LADDER,
    LINK_SVG,
    LINK_PCAP,
    LINK_SET,
    LINK_JUDGE,
    LINK_OPTION_END
};
#define LINK_OPTIONS                                                                               \
    {"tun", required_argument, NULL, LINK_TUN}, {"tap", required_argument, NULL, LINK_TAP},        \
        {"interface", required_argument, NULL, LINK_INTERFACE},                                    \
        {"xdp", required_argument, NULL, LINK_XDP},                                                \
        {"address", required_argument, NULL, LINK_ADDRESS},                                        \
        {"gateway", required_argument, NULL, LINK_GATEWAY},                                        \
        {"private", no_argument, NULL, LINK_PRIVATE}, {"mtu", required_argument, NULL, LINK_MTU},  \
        {"judge", no_argument, NULL, LINK_JUDGE}, {"ladder", no_argument, NULL, LINK_LADDER},      \
        {"svg", required_argument, NULL, LINK_SVG}, {"pcap", required_argument, NULL, LINK_PCAP},  \
    {                                                                                              \
        "set", required_argument, NULL, LINK_SET                                                   \
    }
extern const char link_help[]; /* the paragraph on these options */

/* Prints what --set may set. */
void link_list_settings(void);
/* Takes one option; false: its value is wrong, and a line was printed. */
bool link_option(struct link_options *options, int option, const char *value);
/* Do the options make sense together?  Prints a line when not. */
bool link_options_complete(const struct link_options *options);
/* Opens what the options say; the command does not run yet.  config is changed by the caller. */
int link_open(struct link *link, const struct link_options *options,
              const struct hf_config *config);
/* Starts the command, when there is one. */
int link_start_command(struct link *link);
/* Is there a command, and has it ended?  Its status is noted. */
bool link_command_ended(struct link *link);
/* Draws and writes what was asked for, ends the command, closes all.  Returns status, or
 * CLI_FAILED when something could not be written or the command failed. */
int link_close(struct link *link, int status);

/* inet_diag.c: the state of the kernel's socket in a private network, an enum hf_state: that of the
 * connection, else of a listener there, else HF_CLOSED; -1 when it could not be asked. */
int kernel_state(struct hf_private *net, const struct hf_endpoint *kernel,
                 const struct hf_endpoint *handfast);

/* SIGINT and SIGTERM, once caught, end every wait. */
void link_catch_signals(void);
bool link_interrupted(void);

#endif
