/* httpd.c - a small web server (HTTP/1.1, keep-alive) on Handfast: a file, or /bytes/N.
 *
 *     httpd [-f FILE] PORT -- curl http://10.77.0.2:PORT/     in a private network, while curl runs
 *     httpd [-f FILE] -t TUN -a ADDR/LEN PORT                 on a TUN device, until SIGINT
 *
 * Shows the event interface of the core (hf_events) under the loop of host.h: one thread, any
 * number of connections, no callbacks.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include <handfast/host.h>

enum { CONNECTIONS = 4096, REQUEST_MAX = 4096, EVENTS = 64, PATTERN = 1 << 16, TICK_MS = 20 };

struct client {
    hf_handle handle;
    struct client *next_free;
    size_t have;      /* octets in request */
    uint64_t to_skip; /* octets of a request's body still to come */
    size_t head_at, head_len;
    uint64_t body_at, body_len;
    bool from_file, last; /* last: close behind this answer */
    char head[160];
    char request[REQUEST_MAX + 1];
};

static struct {
    struct hf_host *host;
    struct hf_stack *stack;
    hf_handle listener;
    struct client *clients, *free;
    char *file;
    uint64_t file_len;
    uint64_t answers;
} server;

static char pattern[PATTERN] = "hello\n";
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
    fprintf(stderr, "httpd: %s%s%s\n", what, *why ? ": " : "", why);
    exit(1);
}

/* The answer ----------------------------------------------------------------------------------- */

static void answer(struct client *client, const char *status, bool head_only, uint64_t len)
{
    int n =
        snprintf(client->head, sizeof client->head, "HTTP/1.1 %s\r\nContent-Length: %llu\r\n%s\r\n",
                 status, (unsigned long long)len, client->last ? "Connection: close\r\n" : "");
    client->head_at = 0;
    client->head_len = (size_t)n;
    client->body_at = 0;
    client->body_len = head_only ? 0 : len;
    server.answers++;
}

/* The value of a header field, or NULL. */
static const char *field(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (!strncasecmp(line, name, len) && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " \t");
    }
    return NULL;
}

static void respond(struct client *client, const char *head)
{
    char method[16], path[1024];
    int minor;
    client->last = true;
    client->to_skip = 0;
    client->from_file = false;
    if (sscanf(head, "%15s %1023s HTTP/1.%d", method, path, &minor) != 3) {
        answer(client, "400 Bad Request", false, 0);
        return;
    }
    const char *connection = field(head, "Connection");
    const char *body = field(head, "Content-Length");
    client->last = minor == 0 ? !connection || strncasecmp(connection, "keep-alive", 10) != 0
                              : connection && !strncasecmp(connection, "close", 5);
    if (body)
        client->to_skip = strtoull(body, NULL, 10);
    bool head_only = !strcmp(method, "HEAD");
    char *end;
    if (!strncmp(path, "/bytes/", 7) && path[7] >= '0' && path[7] <= '9') {
        uint64_t len = strtoull(path + 7, &end, 10);
        answer(client, *end == '\0' ? "200 OK" : "404 Not Found", head_only, *end ? 0 : len);
    } else if (!strcmp(path, "/") && server.file) {
        client->from_file = true;
        answer(client, "200 OK", head_only, server.file_len);
    } else if (!strcmp(path, "/")) {
        answer(client, "200 OK", head_only, 6); /* the pattern begins with "hello\n" */
    } else {
        answer(client, "404 Not Found", head_only, 0);
    }
}

/* One connection ------------------------------------------------------------------------------- */

static void forget(struct client *client)
{
    hf_release(server.stack, hf_host_env(server.host), client->handle);
    client->handle = 0;
    client->next_free = server.free;
    server.free = client;
}

/* Sends what is left of the answer; 1: done, 0: not now, negative: the connection is gone. */
static int64_t send_answer(struct client *client)
{
    while (client->head_at < client->head_len || client->body_at < client->body_len) {
        const char *from = client->head + client->head_at;
        uint64_t len = client->head_len - client->head_at;
        bool head = len > 0;
        if (!head) {
            len = client->body_len - client->body_at;
            from = server.file + client->body_at;
            if (!client->from_file) {
                uint64_t at = client->body_at % PATTERN;
                from = pattern + at;
                len = len < PATTERN - at ? len : PATTERN - at;
            }
        }
        bool more = head && client->body_len > 0;
        int64_t n = hf_send(server.stack, hf_host_env(server.host), client->handle, from, len,
                            more ? HF_SEND_MORE : 0);
        if (n < 0)
            return n == HF_ERR_WOULD_BLOCK ? 0 : n;
        if (head)
            client->head_at += (size_t)n;
        else
            client->body_at += (uint64_t)n;
    }
    return 1;
}

/* Takes a request's head out of what has been received; false: it is not whole yet. */
static bool take_request(struct client *client)
{
    client->request[client->have] = '\0';
    char *end = strstr(client->request, "\r\n\r\n");
    if (!end && client->have == REQUEST_MAX) {
        client->last = true;
        client->have = 0;
        answer(client, "431 Request Header Fields Too Large", false, 0);
        return true;
    }
    if (!end)
        return false;
    end[2] = '\0';
    respond(client, client->request);
    size_t used = (size_t)(end + 4 - client->request);
    client->have -= used;
    memmove(client->request, client->request + used, client->have);
    return true;
}

/* A request's body, of which the beginning may lie behind its head; it is of no interest. */
static void skip_body(struct client *client)
{
    size_t n = client->to_skip < client->have ? (size_t)client->to_skip : client->have;
    client->to_skip -= n;
    client->have -= n;
    memmove(client->request, client->request + n, client->have);
}

static void serve(struct client *client)
{
    for (;;) {
        skip_body(client);
        if (client->to_skip == 0) {
            int64_t sent = send_answer(client);
            if (sent < 0) {
                forget(client);
                return;
            }
            if (sent == 0)
                return;
            if (client->head_len > 0 && client->last) {
                hf_close(server.stack, hf_host_env(server.host), client->handle);
                client->have = 0; /* nothing behind it is answered */
            } else if (take_request(client)) {
                continue;
            }
        }
        int64_t n = hf_recv(server.stack, hf_host_env(server.host), client->handle,
                            client->request + client->have, REQUEST_MAX - client->have);
        if (n == HF_ERR_WOULD_BLOCK)
            return;
        if (n <= 0) {
            forget(client); /* it has closed, and we with it; the stack sees to the rest */
            return;
        }
        client->have += (size_t)n;
    }
}

static void accept_all(void)
{
    hf_handle handle;
    while (hf_accept(server.stack, hf_host_env(server.host), server.listener, &handle, NULL) == 0) {
        struct client *client = server.free;
        if (!client) {
            hf_abort(server.stack, hf_host_env(server.host), handle);
            hf_release(server.stack, hf_host_env(server.host), handle);
            continue;
        }
        server.free = client->next_free;
        client->handle = handle;
        client->have = client->head_at = client->head_len = 0;
        client->to_skip = client->body_at = client->body_len = 0;
        client->last = false;
        hf_set_cookie(server.stack, handle, (uint64_t)(client - server.clients) + 1);
        serve(client);
    }
}

static void work(void)
{
    struct hf_event events[EVENTS];
    uint32_t n;
    while ((n = hf_events(server.stack, hf_host_env(server.host), events, EVENTS)) > 0) {
        for (uint32_t i = 0; i < n; i++) {
            if (events[i].handle == server.listener)
                accept_all();
            else if (events[i].cookie > 0 &&
                     server.clients[events[i].cookie - 1].handle == events[i].handle)
                serve(&server.clients[events[i].cookie - 1]);
        }
        hf_host_flush(server.host);
    }
}

/* Setting up ----------------------------------------------------------------------------------- */

static void load_file(const char *name)
{
    FILE *file = fopen(name, "re");
    if (!file || fseek(file, 0, SEEK_END) != 0 || ftell(file) < 0)
        die(name, "cannot be read");
    server.file_len = (uint64_t)ftell(file);
    rewind(file);
    server.file = malloc(server.file_len + 1);
    if (!server.file || fread(server.file, 1, server.file_len, file) != server.file_len)
        die(name, "cannot be read");
    fclose(file);
}

static void start(const char *port)
{
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    if (*end != '\0' || number == 0 || number > 65535)
        die(port, "no port from 1 to 65535");
    struct hf_listen listen = {
        .struct_size = sizeof listen, .local = {.port = (uint16_t)number}, .backlog = 1024};
    int result = hf_listen(server.stack, hf_host_env(server.host), &listen, &server.listener);
    if (result < 0)
        die("listening", hf_error_text(result));
    server.clients = calloc(CONNECTIONS, sizeof *server.clients);
    if (!server.clients)
        die("no memory", "");
    for (struct client *c = server.clients; c < server.clients + CONNECTIONS; c++) {
        c->next_free = server.free;
        server.free = c;
    }
    memset(pattern + 6, 'x', PATTERN - 6);
}

/* Serves until the command (0: none) ends; returns its exit status. */
static int run(pid_t command)
{
    int status = 0;
    while (!stop) {
        if (command > 0 && waitpid(command, &status, WNOHANG) == command)
            break;
        int result = hf_host_run_once(server.host, TICK_MS * 1000000LL);
        if (result < 0 && result != -EINTR)
            die("host", hf_host_error(server.host));
        work();
    }
    for (int i = 0; i < 10; i++) /* the last ACKs */
        hf_host_run_once(server.host, 2000000);
    fprintf(stderr, "httpd: %llu answers\n", (unsigned long long)server.answers);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void open_tun(const char *tun, const char *address)
{
    char error[HF_ERROR_TEXT];
    struct hf_device *device;
    if (hf_device_tun(&device, tun, 0, error) < 0)
        die("network", error);
    int iface = hf_host_attach(server.host, device);
    if (iface < 0 || hf_host_address(server.host, iface, address) < 0)
        die("host", hf_host_error(server.host));
}

int main(int argc, char **argv)
{
    const char *tun = NULL, *address = NULL;
    struct hf_private *net = NULL;
    char error[HF_ERROR_TEXT];
    int c;
    while ((c = getopt(argc, argv, "+f:t:a:")) != -1) {
        if (c == 'f')
            load_file(optarg);
        else if (c == 't')
            tun = optarg;
        else if (c == 'a')
            address = optarg;
        else
            return 2;
    }
    char **command = argv + optind + 1;
    if (optind < argc && optind + 1 < argc && !strcmp(argv[optind + 1], "--"))
        command++;
    if (optind >= argc || !tun != !address || !tun == !*command)
        die("usage", "httpd [-f FILE] PORT -- COMMAND... | [-f FILE] -t TUN -a ADDR/LEN PORT");

    signal(SIGINT, on_signal);
    struct hf_host_options options = {.struct_size = sizeof options, .connections = CONNECTIONS};
    if (hf_host_new(&server.host, &options) < 0)
        die("no memory", "");
    server.stack = hf_host_stack(server.host);
    if (tun)
        open_tun(tun, address);
    else if (hf_private_open(&net, NULL, error) < 0)
        die("network", error);
    else if (hf_private_attach(net, server.host) < 0)
        die("host", hf_host_error(server.host));
    start(argv[optind]);
    pid_t pid = tun ? 0 : hf_private_start(net, command, NULL, error);
    if (pid < 0)
        die("network", error);
    int status = run(pid);
    hf_host_free(server.host);
    hf_private_close(net);
    free(server.clients);
    free(server.file);
    return status;
}
