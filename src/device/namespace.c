/* namespace.c - a user and network namespace made by a short-lived child: namespaces(7),
 * user_namespaces(7), veth(4).
 *
 *     this process                    child
 *       fork ------------------------> unshare, map our user to root of the namespace,
 *                                      set up lo and hf0, open the other end of hf0
 *       the descriptors <------------- SCM_RIGHTS, and exits
 *
 * This process is the owner of the new user namespace and its parent, so it, and children of it,
 * may enter at any time; it never does so itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/namespace.h"

#define PEER_LINK "hf1" /* our end of the veth pair */

enum { MAX_FDS = 3 };

/* What the child says at its end. */
struct message {
    int err; /* 0 or negative errno */
    bool tun;
    char error[HF_ERROR_TEXT];
};

/* Passing descriptors ---------------------------------------------------------------------------
 */

union control {
    char octets[CMSG_SPACE(MAX_FDS * sizeof(int))];
    struct cmsghdr align;
};

static bool send_message(int fd, struct message *message, const int *fds, size_t n)
{
    union control control = {0};
    struct iovec iov = {message, sizeof *message};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n > 0) {
        header.msg_control = control.octets;
        header.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, n * sizeof(int));
    }
    return sendmsg(fd, &header, MSG_NOSIGNAL) == (ssize_t)sizeof *message;
}

/* This process can have no more of them: without one of them the others are of no use. */
static void refuse_descriptors(struct message *message, int fds[MAX_FDS], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
        fds[i] = -1;
    }
    message->err = dev_fail(message->error, -EMFILE, "no private network: %s", strerror(EMFILE));
}

/* How many descriptors came; -1: no whole message. */
static int receive_message(int fd, struct message *message, int fds[MAX_FDS])
{
    union control control = {0};
    struct iovec iov = {message, sizeof *message};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.octets,
                            .msg_controllen = sizeof control.octets};
    ssize_t n;
    do {
        n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof *message) {
        return -1;
    }
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    size_t count = 0;
    if (rights != NULL && rights->cmsg_type == SCM_RIGHTS) {
        count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        count = count > MAX_FDS ? MAX_FDS : count;
        memcpy(fds, CMSG_DATA(rights), count * sizeof(int));
    }
    if ((header.msg_flags & MSG_CTRUNC) != 0) {
        refuse_descriptors(message, fds, count);
        return 0;
    }
    return (int)count;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

/* In the child: making it -----------------------------------------------------------------------
 */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int err = errno;
    close(fd);
    errno = err;
    return good;
}

static bool map_user(uid_t uid, gid_t gid)
{
    char map[64];
    (void)write_file("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof map, "0 %u 1", uid);
    if (!write_file("/proc/self/uid_map", map)) {
        return false;
    }
    (void)snprintf(map, sizeof map, "0 %u 1", gid);
    return write_file("/proc/self/gid_map", map);
}

static int explain_unshare(int err, char error[HF_ERROR_TEXT])
{
    switch (err) {
    case EPERM:
    case EACCES:
        return dev_fail(error, -err,
                        "no private network: this system does not let this user make user "
                        "namespaces: run as root, or allow it (sysctl "
                        "kernel.unprivileged_userns_clone=1, AppArmor, container settings)");
    case ENOSPC:
    case EUSERS:
        return dev_fail(error, -err,
                        "no private network: no more namespaces for this user: raise sysctl "
                        "user.max_user_namespaces and user.max_net_namespaces");
    case EINVAL:
    case ENOSYS:
        return dev_fail(error, -err,
                        "no private network: this kernel has no user or network namespaces");
    default:
        return dev_fail(error, -err, "no private network: %s", strerror(err));
    }
}

/* Root needs no user namespace, and may be where there are none. */
static int enter_new(bool *own_user, char error[HF_ERROR_TEXT])
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    *own_user = false;
    if (uid == 0 && unshare(CLONE_NEWNET) == 0) {
        return 0;
    }
    *own_user = true;
    (void)prctl(PR_SET_DUMPABLE, 1); /* who has dropped privileges may not write its own maps */
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return explain_unshare(errno, error);
    }
    return map_user(uid, gid) ? 0 : explain_unshare(errno, error);
}

static void sysctl_of_link(const char *link, const char *name, const char *value)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/%s", link, name);
    (void)write_file(path, value); /* only keeps it quiet */
}

static int set_addresses(const struct dev_namespace_setup *setup, char error[HF_ERROR_TEXT])
{
    int err = 0;
    if (setup->prefix4 != 0) {
        err = dev_link_address(DEV_NAMESPACE_LINK, AF_INET, setup->ip4, setup->prefix4, error);
    }
    if (err == 0 && setup->prefix6 != 0) {
        err = dev_link_address(DEV_NAMESPACE_LINK, AF_INET6, setup->ip6, setup->prefix6, error);
    }
    return err;
}

static int make_tun(const struct dev_namespace_setup *setup, char error[HF_ERROR_TEXT])
{
    char name[DEV_NAME_BYTES] = DEV_NAMESPACE_LINK;
    (void)setup;
    return dev_tun_open(name, IFF_TUN, error);
}

/* Our end answers to nothing but us: no IPv6 of the kernel's, no ARP. */
static int make_veth(const struct dev_namespace_setup *setup, char error[HF_ERROR_TEXT])
{
    int err = dev_link_veth(DEV_NAMESPACE_LINK, PEER_LINK, error);
    if (err < 0) {
        return err;
    }
    if (!setup->offload) {
        (void)dev_link_no_offload(DEV_NAMESPACE_LINK);
    }
    sysctl_of_link(PEER_LINK, "disable_ipv6", "1");
    err = dev_link_set(PEER_LINK, IFF_UP | IFF_NOARP, setup->mtu, error);
    return err < 0 ? err : dev_packet_open(PEER_LINK, error);
}

/* The device's descriptor; *tun: which kind it is. */
static int make_device(const struct dev_namespace_setup *setup, bool *tun,
                       char error[HF_ERROR_TEXT])
{
    int fd = -ENODEV;
    *tun = false;
    if (setup->try_tun) {
        fd = make_tun(setup, error);
        *tun = fd >= 0;
    }
    if (fd < 0 && setup->try_veth) {
        fd = make_veth(setup, error);
    }
    if (fd < 0) {
        return fd;
    }
    sysctl_of_link(DEV_NAMESPACE_LINK, "accept_dad", "0");
    sysctl_of_link(DEV_NAMESPACE_LINK, "router_solicitations", "0");
    int err = dev_link_set("lo", IFF_UP, 0, error);
    if (err == 0) {
        err = set_addresses(setup, error);
    }
    if (err == 0) {
        err = dev_link_set(DEV_NAMESPACE_LINK, IFF_UP, setup->mtu, error);
    }
    if (err < 0) {
        close(fd);
        return err;
    }
    return fd;
}

static void child_makes(int to_parent, const struct dev_namespace_setup *setup)
{
    struct message message = {0};
    int fds[MAX_FDS];
    size_t n = 0;
    bool own_user;
    message.err = enter_new(&own_user, message.error);
    if (message.err == 0) {
        fds[n] = make_device(setup, &message.tun, message.error);
        message.err = fds[n] < 0 ? fds[n] : 0;
    }
    if (message.err == 0) {
        fds[++n] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        n += fds[n] >= 0 ? 1 : 0;
        if (own_user) {
            fds[n] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
            n += fds[n] >= 0 ? 1 : 0;
        }
        if (n != (own_user ? 3 : 2)) {
            n = 0;
            message.err = dev_fail(message.error, -ENOENT, "no private network: /proc is missing");
        }
    }
    bool told = send_message(to_parent, &message, fds, n);
    _exit(told ? 0 : 1);
}

/* In this process --------------------------------------------------------------------------------
 */

int dev_namespace_make(struct dev_namespace *ns, const struct dev_namespace_setup *setup,
                       char error[HF_ERROR_TEXT])
{
    int ends[2];
    *ns = (struct dev_namespace){-1, -1, -1, false};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return dev_fail(error, -errno, "no private network: %s", strerror(errno));
    }
    pid_t pid = fork();
    int err = pid < 0 ? -errno : -ECHILD; /* of who says nothing */
    if (pid == 0) {
        child_makes(ends[1], setup);
    }
    close(ends[1]);
    struct message message = {.err = err};
    int fds[MAX_FDS] = {-1, -1, -1};
    int n = pid < 0 ? -1 : receive_message(ends[0], &message, fds);
    close(ends[0]);
    if (pid > 0) {
        reap(pid);
    }
    if (n >= 2 && message.err == 0) {
        *ns = (struct dev_namespace){fds[2], fds[1], fds[0], message.tun};
        return 0;
    }
    if (pid < 0) {
        return dev_fail(error, err, "no private network: no process to make it: %s",
                        strerror(-err));
    }
    if (n < 0 || message.err == 0) {
        return dev_fail(error, err, "no private network: the process that makes it failed");
    }
    return dev_fail(error, message.err, "%s", message.error);
}

void dev_namespace_close(struct dev_namespace *ns)
{
    int fds[] = {ns->user_fd, ns->net_fd, ns->device_fd};
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    *ns = (struct dev_namespace){-1, -1, -1, false};
}

/* For a child only: there is no way back. */
static bool enter(const struct dev_namespace *ns)
{
    return (ns->user_fd < 0 || setns(ns->user_fd, CLONE_NEWUSER) == 0) &&
           setns(ns->net_fd, CLONE_NEWNET) == 0;
}

static void clear_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Standard input, output and error become fds[]; high copies first, for they may be in each
 * other's place. */
static bool use_fds(const int fds[3])
{
    int copies[3] = {-1, -1, -1};
    for (int i = 0; fds != NULL && i < 3; i++) {
        if (fds[i] >= 0 && (copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 10)) < 0) {
            return false;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (copies[i] >= 0 && dup2(copies[i], i) < 0) {
            return false;
        }
    }
    return true;
}

static void child_runs(const struct dev_namespace *ns, pid_t parent, char *const argv[],
                       const int fds[3], int to_parent)
{
    /* It may have been the first that was free: one of the standard files was closed. */
    int high = fcntl(to_parent, F_DUPFD_CLOEXEC, 3);
    to_parent = high < 0 ? to_parent : high;
    if (high >= 0 && enter(ns) && use_fds(fds)) {
        clear_signals();
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        execvp(argv[0], argv);
    }
    int err = errno;
    ssize_t done = write(to_parent, &err, sizeof err);
    _exit(done > 0 ? 127 : 126);
}

pid_t dev_namespace_start(const struct dev_namespace *ns, char *const argv[], const int fds[3],
                          char error[HF_ERROR_TEXT])
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return dev_fail(error, -errno, "%s: %s", argv[0], strerror(errno));
    }
    /* What the caller has buffered is its own to write; the child ends in _exit or exec. */
    pid_t parent = getpid();
    pid_t pid = fork();
    int err = pid < 0 ? errno : 0;
    if (pid == 0) {
        child_runs(ns, parent, argv, fds, ends[1]);
    }
    close(ends[1]);
    ssize_t n = 0;
    while (pid > 0 && (n = read(ends[0], &err, sizeof err)) < 0 && errno == EINTR) {
    }
    close(ends[0]);
    if (pid > 0 && n == 0) {
        return pid; /* closed by exec */
    }
    if (pid > 0) {
        reap(pid);
    }
    const char *hint = err == ENOENT ? ": is it installed, and in PATH?" : "";
    return dev_fail(error, -err, "%s: %s%s", argv[0], strerror(err), hint);
}

/* Runs in a child inside: opens a socket, or writes a setting. */
static void child_works(const struct dev_namespace *ns, int to_parent, const int socket_of[3],
                        const char *path, const char *value)
{
    struct message message = {0};
    int fd = -1;
    bool good = enter(ns);
    if (good && path != NULL) {
        good = write_file(path, value);
    } else if (good) {
        fd = socket(socket_of[0], socket_of[1] | SOCK_CLOEXEC, socket_of[2]);
        good = fd >= 0;
    }
    message.err = good ? 0 : -errno;
    bool told = send_message(to_parent, &message, &fd, fd >= 0 ? 1 : 0);
    _exit(told ? 0 : 1);
}

static int work_inside(const struct dev_namespace *ns, const int socket_of[3], const char *path,
                       const char *value)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return -errno;
    }
    pid_t pid = fork();
    int err = pid < 0 ? -errno : -ECHILD; /* of who says nothing */
    if (pid == 0) {
        child_works(ns, ends[1], socket_of, path, value);
    }
    close(ends[1]);
    struct message message = {.err = err};
    int fds[MAX_FDS] = {-1, -1, -1};
    int n = pid < 0 ? -1 : receive_message(ends[0], &message, fds);
    close(ends[0]);
    if (pid > 0) {
        reap(pid);
    }
    if (n < 0 || message.err < 0) {
        return message.err;
    }
    return path != NULL ? 0 : fds[0];
}

int dev_namespace_socket(const struct dev_namespace *ns, int family, int type, int protocol)
{
    const int socket_of[3] = {family, type, protocol};
    return work_inside(ns, socket_of, NULL, NULL);
}

int dev_namespace_sysctl(const struct dev_namespace *ns, const char *name, const char *value)
{
    static const int none[3];
    char path[256];
    int len = snprintf(path, sizeof path, "/proc/sys/%s", name);
    if (len < 0 || (size_t)len >= sizeof path) {
        return -EINVAL;
    }
    return work_inside(ns, none, path, value);
}
