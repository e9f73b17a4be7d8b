/* host.h - a stack with a clock, devices and a poll loop, and blocking calls on top.
 *
 *     struct hf_device *tun;
 *     struct hf_host *host;
 *     hf_handle c;
 *     hf_device_tun(&tun, "hf0", 0, NULL);
 *     hf_host_new(&host, NULL);
 *     int iface = hf_host_attach(host, tun);
 *     hf_host_address(host, iface, "10.77.0.2/24");
 *     hf_host_connect(host, "10.77.0.1", "80", 5000, &c);
 *     hf_host_send(host, c, "GET / HTTP/1.0\r\n\r\n", 18, 5000);
 *     hf_host_close(host, c);                          ... our FIN
 *     while ((n = hf_host_recv(host, c, data, sizeof data, 5000)) > 0) ...
 *     hf_host_wait_closed(host, c, false, 5000);
 *     hf_host_free(host);
 *
 * A host and its stack belong to the thread that made it; other threads use hf_host_post and
 * hf_host_interrupt only.
 * After fork only the parent may use it.
 *
 * Errors: 0 or a count is success, else a negative errno; hf_host_error tells the same in a
 * sentence.  What the core refuses is hf_errno of its error (handfast.h): -EBADF a stale handle,
 * -EINVAL, -ENOBUFS a limit of the config ...  The blocking calls take timeout_ms: 0 does not wait,
 * negative waits without end; what does not happen in time is -EAGAIN (-ETIMEDOUT for
 * hf_host_connect and hf_host_open), and a signal that arrives while the call waits ends it with
 * -EINTR: nothing is lost, and of hf_host_send what is taken is taken.  A signal that arrives while
 * it works ends nothing; hf_host_interrupt is for handlers that are to be heard at any time.
 */
#ifndef HANDFAST_HOST_H
#define HANDFAST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "handfast/device.h"
#include "handfast/handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_host;

struct hf_host_options {
    uint32_t struct_size;
    uint32_t connections;           /* about how many, when config is NULL; 0: 1024            */
    const struct hf_config *config; /* copied; a seed of zeros is replaced by getrandom. NULL:
                                       hf_config_default                                       */
    const char *settings; /* NAME=VALUE of policies and options (hf_settings_policy), over those of
                             config.  Copied.  NULL: what the environment has as HANDFAST_SET, but
                             not in a setuid program                                           */
};
/* HF_SIMD_* of this processor, for hf_env.simd; a host's env has it already. */
uint32_t hf_host_simd(void);
/* options NULL: defaults. -ENOMEM, -EINVAL (a config that cannot be, or settings:
 * hf_settings_policy says why), -EIO (no secret to be had), -EMFILE.  Memory is reserved, and
 * touched as it is used. */
int hf_host_new(struct hf_host **host, const struct hf_host_options *options);
/* Closes the devices.  Connections are not closed: the peer hears nothing.  NULL is allowed. */
void hf_host_free(struct hf_host *host);
/* Settings by name, for a program's arguments or environment: each field of struct hf_policy
 * ("timestamps=off", "rto_min_ms=1000"), and each hf_option ("nodelay=1", "user_timeout=5000") of
 * the connections and listeners that hf_host_open, hf_host_connect and hf_host_listen open; where
 * both have one name, the option is "ttl_option"; one that the policy does not allow makes these
 * calls fail ("fast_open_option"), and "syn_retries_option" passes listeners by.  A number, or on,
 * off, or for some a name ("congestion=newreno"); dashes are as good as underscores.
 *
 * Puts what the text says of policies into policy, and looks at all the rest.  -EINVAL with a
 * sentence: what there is not, or cannot be; what stands before it may be in policy by then. */
int hf_settings_policy(const char *text, struct hf_policy *policy, char error[HF_ERROR_TEXT]);
/* The options among the host's settings, for a handle that hf_open or hf_listen made: in SYN-SENT
 * before hf_host_flush, they go with the SYN.  An errno: those before the refused one are set. */
int hf_host_settings(struct hf_host *host, hf_handle handle);
/* The name of setting number 0, 1, ...; NULL: no more.  What it is for; NULL: there is none. */
const char *hf_setting_name(uint32_t number);
const char *hf_setting_text(const char *name);
enum { HF_SETTING_TEXT = 128 };
/* What may stand behind its NAME=, as hf_settings_policy reads it ("off, full or always", "1 to
 * 500"), beside the rest of this policy; and the value without: the policy's, or what an option
 * begins as under it.  -EINVAL: there is no such setting. */
int hf_setting_values(const char *name, const struct hf_policy *policy,
                      char allowed[HF_SETTING_TEXT], char usual[HF_SETTING_TEXT]);

/* One sentence for the last call that failed; never NULL, valid until the next call. */
const char *hf_host_error(const struct hf_host *host);
/* The errno, positive, of a negative enum hf_error; 0 for 0. */
int hf_errno(int error);

/* Devices, addresses, routes ------------------------------------------------------------------- */

/* Adds the device as an interface and owns it from now on (on failure it is closed; without
 * room for its link-local address its number is used up). Returns the interface number, 1 and up;
 * -EINVAL: its MTU or MAC cannot be; -ENOBUFS: max_interfaces, or no room for the address.  On
 * Ethernet an IPv6 link-local address is added: of the MAC (RFC 4291 A), but where the kernel has
 * that MAC, too (hf_device_packet), one that is drawn by lot for this process (RFC 7217), as the
 * kernel has the other and would reset our connections. */
int hf_host_attach(struct hf_host *host, struct hf_device *device);
/* "10.0.0.2/24", "fd77::2/64"; without a length the address stands alone (32, 128).  -EINVAL,
 * -EADDRINUSE (ours already, the kernel's, or a prefix that is routed to a gateway), -ENOBUFS.
 * The kernel's are those that it has now on the interface of a TUN, TAP or AF_PACKET device that
 * was opened by its name; AF_XDP keeps from the kernel what comes for them. */
int hf_host_address(struct hf_host *host, int iface, const char *address);
/* prefix: as above, or "default" (both versions as the gateway's; without one, both). gateway NULL:
 * on the link.  -EINVAL, -EADDRINUSE (there is one of this prefix), -ENOBUFS. */
int hf_host_route(struct hf_host *host, int iface, const char *prefix, const char *gateway);

/* The loop ------------------------------------------------------------------------------------- */

/* Waits for frames, deadlines, posts and watched descriptors, at most timeout_ns (negative: without
 * end; 0: not at all), and works off what came.  0; -EINTR: a signal; -ENOMEM; another errno: a
 * device is gone (hf_device_receive, hf_device_send), hf_host_error says which.  After frames it
 * asks devices for more before it asks poll(2): watched descriptors may wait for eight such turns.
 */
int hf_host_run_once(struct hf_host *host, int64_t timeout_ns);
/* Sends what is owed now; to be called after core calls made outside a hf_host_run_once. */
void hf_host_flush(struct hf_host *host);
/* From now on whoever of the two (and their friends) waits runs the other as well: for several
 * stacks in one thread. */
void hf_host_join(struct hf_host *host, struct hf_host *other);

typedef void hf_post_fn(struct hf_host *host, void *arg);
/* From any thread: fn runs in the host's, within its next hf_host_run_once, in order, and may wait:
 * those behind it run meanwhile.  It may not free the host; whoever called hf_host_run_once may,
 * also while another thread is within the hf_host_post that told it to.  -ENOMEM. */
int hf_host_post(struct hf_host *host, hf_post_fn *fn, void *arg);

/* From any thread and from a signal's handler: the hf_host_run_once, or the call that waits in one,
 * that is under way ends with -EINTR after its turn; where there is none, the next one does. */
void hf_host_interrupt(struct hf_host *host);

typedef void hf_watch_fn(struct hf_host *host, void *arg, int fd, int revents);
/* Calls fn when poll(2) finds `events` (or an error) on fd, which stays the caller's; replaces an
 * earlier watch of it.  -EINVAL: fd is negative, or fn NULL; -ENOMEM.  Unwatch: -ENOENT. */
int hf_host_watch(struct hf_host *host, int fd, int events, hf_watch_fn *fn, void *arg);
int hf_host_unwatch(struct hf_host *host, int fd);

/* Receives every trace record from now on; NULL: none. */
void hf_host_set_trace(struct hf_host *host, hf_trace_fn *trace, void *arg);
/* For calls of the core (handfast.h): the stack, and the environment with the time of now.  Valid
 * until freed; ask for the environment anew for each call.  Regions and hf_returned are the host's:
 * it lends the stack long frames where a device has them. */
struct hf_stack *hf_host_stack(struct hf_host *host);
const struct hf_env *hf_host_env(struct hf_host *host);
/* The interface's device; NULL: no such interface. */
struct hf_device *hf_host_device(struct hf_host *host, int iface);

/* Names ---------------------------------------------------------------------------------------- */

/* getaddrinfo: up to n endpoints in its order; version 0 (both), 4, 6; name NULL: any address; port
 * a number or a service's name. Returns how many.  "fe80::1%2": scope is an interface number or a
 * device's name.  -EHOSTUNREACH: no such name; -EINVAL: no such port or
 * scope, a name that is too long, or n is 0; -ENOMEM; another errno of the system (-EMFILE). */
int hf_host_resolve(struct hf_host *host, const char *name, const char *port, int version,
                    struct hf_endpoint *endpoints, uint32_t n);
enum { HF_ENDPOINT_TEXT = 64 };
/* "10.0.0.2:80", "[fd77::2]:80"; returns text. */
char *hf_endpoint_text(const struct hf_endpoint *endpoint, char text[HF_ENDPOINT_TEXT]);

/* Blocking calls ------------------------------------------------------------------------------- */

/* Active open, each address of the name in turn; timeout_ms is for all of it but for looking up the
 * name, which takes as long as getaddrinfo does, whatever signals come.  -ECONNREFUSED,
 * -EHOSTUNREACH, -ENETUNREACH, -ETIMEDOUT ...; on failure there is no handle left. */
int hf_host_connect(struct hf_host *host, const char *name, const char *port, int timeout_ms,
                    hf_handle *handle);
/* The same to one endpoint, from `local` (NULL: chosen). */
int hf_host_open(struct hf_host *host, const struct hf_endpoint *local,
                 const struct hf_endpoint *remote, int timeout_ms, hf_handle *handle);
/* The second half of that, after hf_open and what goes with the SYN (hf_host_settings, hf_send with
 * HF_FAST_OPEN): sends it and waits; a SYN that was to wait for text goes without.  -EAGAIN: not
 * yet; on failure the handle is still to be released. */
int hf_host_wait_open(struct hf_host *host, hf_handle handle, int timeout_ms);
/* Passive open on an address of ours, or NULL: any. */
int hf_host_listen(struct hf_host *host, const char *address, const char *port, int backlog,
                   hf_handle *listener);
int hf_host_accept(struct hf_host *host, hf_handle listener, int timeout_ms, hf_handle *handle,
                   struct hf_endpoint *peer);
/* All of it: 0 once the last octet is in the stack's buffer.  On failure (-EAGAIN, -EINTR, -ENODEV
 * ...) some of it may have been taken, which will arrive: who has to know how much sends with
 * hf_host_send_some. */
int hf_host_send(struct hf_host *host, hf_handle handle, const void *data, size_t len,
                 int timeout_ms);
/* What fits, at least one octet (none when len is 0); returns how many. */
ssize_t hf_host_send_some(struct hf_host *host, hf_handle handle, const void *data, size_t len,
                          int timeout_ms);
/* What is there, at least one octet; 0: the peer has closed and all is read.  -EINVAL: len is 0. */
ssize_t hf_host_recv(struct hf_host *host, hf_handle handle, void *data, size_t len,
                     int timeout_ms);
/* Half-close: no more to send, receiving goes on.  Does not wait.  -EPIPE: it was done before;
 * -ENOTCONN: the connection is gone; -ENOBUFS: try again once HF_WRITABLE is told (hf_close). */
int hf_host_close(struct hf_host *host, hf_handle handle);
/* Waits until both sides have closed and our FIN is acknowledged (TIME-WAIT or CLOSED); with
 * time_wait, until the connection is gone altogether (2MSL later). 0: in order; else why it ended
 * (-ECONNRESET ...).  The handle is still to be released. */
int hf_host_wait_closed(struct hf_host *host, hf_handle handle, bool time_wait, int timeout_ms);
/* Reset; and forgetting the handle (hf_abort, hf_release), sent at once. */
int hf_host_abort(struct hf_host *host, hf_handle handle);
int hf_host_release(struct hf_host *host, hf_handle handle);

/* The kernel's side of a device ---------------------------------------------------------------- */

/* Sets the kernel's interface `name` up with this address ("10.77.0.1/24"; NULL: only up), ready at
 * once (no duplicate address detection).  Needs CAP_NET_ADMIN, and libmnl when this was built
 * (-ENOTSUP). */
int hf_kernel_address(const char *name, const char *address, char error[HF_ERROR_TEXT]);

/* A private network: a network namespace with the kernel's TCP in it and one device to us --------
 *
 *     our process                      | the namespace
 *       hf_host -- hf_private_device --|-- hf0: 10.77.0.1/24, fd77::1/64, lo -- commands, sockets
 *       10.77.0.2, fd77::2             |
 *
 * Needs no privilege where the system allows user namespaces.  Nothing in it has a name outside: it
 * is gone when it is closed, or our process ends in whatever way, and its commands have ended;
 * these are killed when the thread that started them ends. */

struct hf_private;

enum {
    HF_PRIVATE_VETH = 1u << 0, /* veth and AF_PACKET even if /dev/net/tun can be opened          */
    HF_PRIVATE_TUN = 1u << 1,  /* /dev/net/tun or nothing                                        */
    HF_PRIVATE_NO_OFFLOAD = 1u << 2, /* neither our device nor the kernel's offloads             */
};

struct hf_private_options {
    uint32_t struct_size;
    uint32_t flags;      /* HF_PRIVATE_*                                                       */
    uint32_t mtu;        /* 0: 1500; 1280 .. 65535, without IPv6 576 ..                        */
    const char *kernel4; /* NULL: "10.77.0.1/24"; "": no IPv4                                  */
    const char *kernel6; /* NULL: "fd77::1/64"; "": no IPv6                                    */
};
/* options NULL: defaults.  -EPERM, -ENOSYS, -ENOTSUP (built without libmnl), -ENODEV ... with a
 * sentence that says what to install or to allow; -EINVAL: no host can have the address above the
 * kernel's, which is to be ours. */
int hf_private_open(struct hf_private **net, const struct hf_private_options *options,
                    char error[HF_ERROR_TEXT]);
/* Our end; it passes to the caller (hf_host_attach), once: NULL after that. */
struct hf_device *hf_private_device(struct hf_private *net);
/* Does all of that for a host: attaches the device and adds 10.77.0.2/24 and fd77::2/64 (in each
 * prefix of the options the address one above the kernel's).  Returns the interface number; on
 * failure the device is closed.  -EBUSY: it was taken before. */
int hf_private_attach(struct hf_private *net, struct hf_host *host);
/* The second half of that, for a device that was wrapped before it was attached. */
int hf_private_address(const struct hf_private *net, struct hf_host *host, int iface);
/* "TUN device" or "veth pair and AF_PACKET": for a person. */
const char *hf_private_kind(const struct hf_private *net);
/* Starts argv[0] (found in PATH) in the namespace; fds: its standard input, output and error, -1 or
 * fds NULL: ours.  Returns its pid, a child of this process: waitpid is the caller's.  -ENOENT: no
 * such program. */
pid_t hf_private_start(struct hf_private *net, char *const argv[], const int fds[3],
                       char error[HF_ERROR_TEXT]);
/* A socket of the kernel's in the namespace (also AF_NETLINK), used from here. Returns the
 * descriptor, close-on-exec, which is the caller's; or a negative errno. */
int hf_private_socket(struct hf_private *net, int family, int type, int protocol);
/* Writes a setting of the namespace: "net/ipv4/tcp_fin_timeout", "5".  0, or a negative errno. */
int hf_private_sysctl(struct hf_private *net, const char *name, const char *value);
/* Lets go of the namespace, and of the device where nobody has taken it.  NULL is allowed. */
void hf_private_close(struct hf_private *net);

#ifdef __cplusplus
}
#endif
#endif
