/* link.h - the network a subcommand works on: a named device or a private one, watched or not. */
#ifndef HANDFAST_CLI_LINK_H
#define HANDFAST_CLI_LINK_H

#include "cli.h"

#include <handfast/host.h>
#include <stdio.h>
#include <sys/types.h>

enum { LINK_ADDRESSES = 8, LINK_GATEWAYS = 2, LINK_DRAWN_MAX = 64 };

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
    struct hf_ladder_set *ladders; /* drawn as they happen */
    struct hf_ladder_set *kept;    /* for the picture: the first LINK_DRAWN_MAX of them */
    uint64_t connections;          /* that began; counted where there are ladders */
    struct hf_comments *comments;
    struct hf_oracle *oracle;
    struct hf_device *capture; /* the host's, which closes it */
    int iface;
    bool made;         /* the device was not there before */
    bool files_broken; /* standard input or output cannot be used: no connection is of use */
    pid_t command;     /* 0: none runs */
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

/* Prints what --set may set, and what it is under this policy without. */
void link_list_settings(const struct hf_policy *policy);
/* Takes one option; false: its value is wrong, and a line was printed. */
bool link_option(struct link_options *options, int option, const char *value);
/* Do the options make sense together?  Prints a line when not. */
bool link_options_complete(const struct link_options *options);
/* A host with these options, which signals interrupt; CLI_OK, else it is said: settings that are
 * wrong are the environment's. */
int link_new_host(struct hf_host **host, const struct hf_host_options *options);
/* Opens what the options say; the command does not run yet.  config is changed by the caller. */
int link_open(struct link *link, const struct link_options *options,
              const struct hf_config *config);
/* The name of the device, if it is down: nothing crosses it; NULL: it is up, or a private
 * network's. */
const char *link_down(const struct link *link);
/* Starts the command, when there is one. */
int link_start_command(struct link *link);
/* Is there a command, and has it ended?  Its status is noted. */
bool link_command_ended(struct link *link);
/* Draws and writes what was asked for, ends the command, closes all.  Returns status, or
 * CLI_FAILED when something could not be written or the command failed. */
int link_close(struct link *link, int status);

/* link_watch.c */

/* Does FILE of --svg look as if it could be written?  CLI_OK; CLI_FAILED, and it is said. */
int link_check_svg(const char *path);
/* Are these, or will these be, names of one file? */
bool link_same_file(const char *one, const char *other);
/* Begins to watch what the options ask for; CLI_OK, CLI_FAILED. */
int link_watch(struct link *link);
void link_watch_end(struct link *link);
/* An hf_capture_comment_fn: what the trace says of this packet. */
size_t link_comment(void *comments, const struct hf_captured *packet, char *text, size_t room);
/* The last line of a connection's ladder; forget: what still comes is not drawn on standard error,
 * where the next connection's ladder is. */
void link_say_end(struct link *link, hf_handle connection, const char *why, bool forget);
/* The same for all that have none yet; why may be NULL: as their records have it. */
void link_say_ends(struct link *link, const char *why);
/* Draws these and closes the file: 0, or the errno of what could not be written. */
int link_write_svg(FILE *file, struct hf_ladder *const *ladders, size_t n);
/* The last lines of all ladders, and the picture.  Returns status, or CLI_FAILED instead of CLI_OK.
 */
int link_draw(struct link *link, int status);

/* inet_diag.c: the state of the kernel's socket in a private network, an enum hf_state: that of the
 * connection, else of a listener there, else HF_CLOSED; -1 when it could not be asked. */
int kernel_state(struct hf_private *net, const struct hf_endpoint *kernel,
                 const struct hf_endpoint *handfast);

/* SIGINT, SIGTERM and SIGHUP, once caught, end every wait: also that of this host, from now until
 * it is another one or NULL. */
void link_catch_signals(void);
void link_interrupts(struct hf_host *host);
bool link_interrupted(void);
bool link_heard_signal(void *unused); /* the same, an hf_interrupted_fn */

#endif
