/* demo_kernel.c - the demo's other side: a small server and curl on kernel sockets, and inet_diag.
 */
#include "demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void serve_one(int listener, const struct demo_serve *how, int go)
{
    char octet;
    int s = accept(listener, NULL, NULL);
    close(listener); /* else inet_diag would find it when the connection is gone */
    if (s < 0)
        _exit(1);
    if (how->greeting && !demo_write_all(s, how->greeting, strlen(how->greeting)))
        _exit(1);
    static char buffer[1 << 18];
    ssize_t n;
    while ((n = read(s, buffer, sizeof buffer)) > 0)
        if (!demo_write_all(how->out, buffer, (uint64_t)n) ||
            (how->echo && !demo_write_all(s, buffer, (uint64_t)n)))
            _exit(1);
    close(how->out);
    if (n < 0)
        _exit(1);
    if (read(go, &octet, 1) != 1 || !demo_write_all(s, how->reply, how->reply_bytes))
        _exit(1);
    close(s);
    _exit(0);
}

static int listen_any(struct demo *demo, bool ipv6, uint16_t *port)
{
    int s = hf_private_socket(demo->net, ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    if (s < 0) {
        cli_failure("the kernel gives no server socket: %s", strerror(-s));
        return -1;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    int bad = ipv6 ? bind(s, (struct sockaddr *)&in6, sizeof in6)
                   : bind(s, (struct sockaddr *)&in4, sizeof in4);
    if (bad || listen(s, 1) != 0 || getsockname(s, (struct sockaddr *)&bound, &len) != 0) {
        cli_failure("the kernel gives no server socket: %s", strerror(errno));
        return -1;
    }
    /* The port lies at the same place in both. */
    memcpy(&in4, &bound, sizeof in4);
    *port = ntohs(in4.sin_port);
    return s;
}

int demo_server_start(struct demo *demo, struct demo_server *server, const struct demo_serve *how)
{
    int go[2], listener = listen_any(demo, how->ipv6, &server->port);
    if (listener < 0)
        return CLI_FAILED;
    if (pipe2(go, O_CLOEXEC) != 0)
        return cli_failure("no pipe to the kernel's server: %s", strerror(errno));
    fflush(NULL); /* or the child would say it again */
    server->pid = fork();
    if (server->pid < 0)
        return cli_failure("no process for the kernel's server: %s", strerror(errno));
    if (server->pid == 0) {
        demo_child_begins();
        close(go[1]);
        serve_one(listener, how, go[0]);
    }
    close(listener);
    close(how->out);
    close(go[0]);
    server->go = go[1];
    return CLI_OK;
}

void demo_server_goes_on(const struct demo_server *server)
{
    (void)demo_write_all(server->go, "", 1); /* if it has gone, its end says so */
    close(server->go);
}

pid_t demo_curl_start(struct demo *demo, char *url, int out)
{
    static char const *const fixed[] = {"curl",      "--silent", "--show-error",  "--globoff",
                                        "--noproxy", "*",        "--max-time",    "60",
                                        "--header",  "Expect:",  "--upload-file", "/dev/stdin"};
    enum { FIXED = sizeof fixed / sizeof fixed[0] };
    char *argv[FIXED + 2];
    char error[HF_ERROR_TEXT];
    memcpy(argv, fixed, sizeof fixed);
    argv[FIXED] = url;
    argv[FIXED + 1] = NULL;
    int fds[3] = {demo->up.fd, out, -1};
    pid_t pid = hf_private_start(demo->net, argv, fds, error);
    close(out);
    if (pid == -ENOENT)
        cli_failure("curl is not here: apt-get install curl");
    else if (pid < 0)
        cli_failure("%s", error);
    return pid;
}
