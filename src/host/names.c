/* names.c - errors as errno, addresses and names as text. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/host.h"

int hf_errno(int error)
{
    static const int table[] = {
        [-HF_OK] = 0,
        [-HF_ERR_WOULD_BLOCK] = EAGAIN,
        [-HF_ERR_INVALID] = EINVAL,
        [-HF_ERR_STALE_HANDLE] = EBADF,
        [-HF_ERR_NO_RESOURCES] = ENOBUFS,
        [-HF_ERR_EXISTS] = EADDRINUSE,
        [-HF_ERR_CLOSING] = EPIPE,
        [-HF_ERR_NOT_CONNECTED] = ENOTCONN,
        [-HF_ERR_RESET] = ECONNRESET,
        [-HF_ERR_REFUSED] = ECONNREFUSED,
        [-HF_ERR_TIMED_OUT] = ETIMEDOUT,
        [-HF_ERR_ABORTED] = ECONNABORTED,
        [-HF_ERR_NET_UNREACHABLE] = ENETUNREACH,
        [-HF_ERR_HOST_UNREACHABLE] = EHOSTUNREACH,
        [-HF_ERR_PORT_UNREACHABLE] = ECONNREFUSED,
        [-HF_ERR_PROTO_UNREACHABLE] = ENOPROTOOPT,
        [-HF_ERR_NO_PORTS] = EADDRNOTAVAIL,
        [-HF_ERR_NO_ADDRESS] = EADDRNOTAVAIL,
        [-HF_ERR_UNSUPPORTED] = EOPNOTSUPP,
        [-HF_ERR_TOO_LARGE] = EMSGSIZE,
        [-HF_ERR_MISMATCH] = ESTALE,
        [-HF_ERR_PROHIBITED] = EACCES,
    };
    size_t n = sizeof table / sizeof table[0];
    return error > 0 || error <= -(int)n ? EIO : table[-error];
}

static void from_v4(uint8_t ip[16], const void *v4)
{
    memset(ip, 0, 10);
    ip[10] = ip[11] = 0xff;
    memcpy(ip + 12, v4, 4);
}

bool host_is_v4(const uint8_t ip[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(ip, mapped, sizeof mapped) == 0;
}

static int parse_number(const char *text, int most)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    bool good = *text >= '0' && *text <= '9' && *end == 0 && errno == 0 && value <= most;
    return good ? (int)value : -1;
}

int host_parse_prefix(const char *text, uint8_t ip[16], int *prefix_len)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    uint8_t v4[4];
    if (len >= sizeof address) {
        return -EINVAL;
    }
    memcpy(address, text, len);
    address[len] = 0;
    int most = 32;
    if (inet_pton(AF_INET, address, v4) == 1) {
        from_v4(ip, v4);
    } else if (inet_pton(AF_INET6, address, ip) == 1) {
        most = 128;
    } else {
        return -EINVAL;
    }
    *prefix_len = slash == NULL ? -1 : parse_number(slash + 1, most);
    return slash != NULL && *prefix_len < 0 ? -EINVAL : 0;
}

uint16_t host_scope(struct hf_host *host, const char *text)
{
    int wanted = parse_number(text, (int)host->n_ifaces);
    for (int number = 1; number <= (int)host->n_ifaces; number++) {
        const struct hf_device *device = hf_host_device(host, number);
        bool named = device != NULL && strcmp(hf_device_name(device), text) == 0;
        if (device != NULL && (wanted > 0 ? number == wanted : named)) {
            return (uint16_t)number;
        }
    }
    return 0;
}

char *hf_endpoint_text(const struct hf_endpoint *endpoint, char text[HF_ENDPOINT_TEXT])
{
    char address[INET6_ADDRSTRLEN] = "";
    char scope[8] = "";
    if (host_is_v4(endpoint->ip)) {
        (void)inet_ntop(AF_INET, endpoint->ip + 12, address, sizeof address);
        (void)snprintf(text, HF_ENDPOINT_TEXT, "%s:%u", address, endpoint->port);
        return text;
    }
    if (endpoint->iface != 0 && endpoint->ip[0] == 0xfe) {
        (void)snprintf(scope, sizeof scope, "%%%u", endpoint->iface);
    }
    (void)inet_ntop(AF_INET6, endpoint->ip, address, sizeof address);
    (void)snprintf(text, HF_ENDPOINT_TEXT, "[%s%s]:%u", address, scope, endpoint->port);
    return text;
}

/* Names --------------------------------------------------------------------------------------- */

static bool take_address(const struct addrinfo *info, uint16_t scope, struct hf_endpoint *endpoint)
{
    *endpoint = (struct hf_endpoint){0};
    if (info->ai_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, info->ai_addr, sizeof in);
        from_v4(endpoint->ip, &in.sin_addr);
        endpoint->port = ntohs(in.sin_port);
        return true;
    }
    if (info->ai_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, info->ai_addr, sizeof in);
        memcpy(endpoint->ip, &in.sin6_addr, 16);
        endpoint->port = ntohs(in.sin6_port);
        endpoint->iface = scope;
        return true;
    }
    return false;
}

/* err: errno, which getaddrinfo leaves as it was where it does not say more. */
static int explain_lookup(struct hf_host *host, int failed, int err, const char *name,
                          const char *port)
{
    const char *what = name == NULL ? "any address" : name;
    bool system = failed == EAI_SYSTEM || err == EMFILE || err == ENFILE;
    if (system && err != 0) { /* no file to look in: whatever it took that for */
        return host_fail(host, -err, "%s, port %s: not looked up: %s", what, port, strerror(err));
    }
    switch (failed) {
    case EAI_SERVICE:
    case EAI_SOCKTYPE:
        return host_fail(host, -EINVAL, "%s: not a port: a number up to 65535, or a service's name",
                         port);
    case EAI_MEMORY:
        return host_fail(host, -ENOMEM, "%s: no memory to look the name up", what);
    default:
        return host_fail(host, -EHOSTUNREACH, "%s: %s", what, gai_strerror(failed));
    }
}

/* Takes "%2" or "%hf0" off the name. */
static int split_scope(struct hf_host *host, const char *name, char *bare, size_t room,
                       uint16_t *scope)
{
    const char *percent = strchr(name, '%');
    size_t len = percent == NULL ? strlen(name) : (size_t)(percent - name);
    *scope = 0;
    if (len >= room) {
        return host_fail(host, -EINVAL, "a name of %zu characters is too long", len);
    }
    memcpy(bare, name, len);
    bare[len] = 0;
    if (percent != NULL) {
        *scope = host_scope(host, percent + 1);
        if (*scope == 0) {
            return host_fail(host, -EINVAL, "%s: no such interface", percent + 1);
        }
    }
    return 0;
}

/* What strtoul reads to its end getaddrinfo takes for a number, cut to 16 bits. */
static bool port_ok(const char *port)
{
    char *end;
    (void)strtoul(port, &end, 10);
    return *end != 0 || parse_number(port, 65535) >= 0;
}

int hf_host_resolve(struct hf_host *host, const char *name, const char *port, int version,
                    struct hf_endpoint *endpoints, uint32_t n)
{
    char bare[NI_MAXHOST];
    uint16_t scope = 0;
    if (!port_ok(port)) {
        return explain_lookup(host, EAI_SERVICE, 0, name, port);
    }
    if (name == NULL) {
        bare[0] = 0;
    } else {
        int err = split_scope(host, name, bare, sizeof bare, &scope);
        if (err < 0) {
            return err;
        }
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    hints.ai_family = version == 4 ? AF_INET : version == 6 ? AF_INET6 : AF_UNSPEC;
    struct addrinfo *list = NULL;
    errno = 0;
    int failed = getaddrinfo(name == NULL ? NULL : bare, port, &hints, &list);
    if (failed != 0) {
        return explain_lookup(host, failed, errno, name, port);
    }
    uint32_t got = 0;
    for (const struct addrinfo *info = list; info != NULL && got < n; info = info->ai_next) {
        got += take_address(info, scope, &endpoints[got]) ? 1 : 0;
        if (name == NULL && got == 1) { /* any address of both versions is all zeros */
            memset(endpoints[0].ip, 0, sizeof endpoints[0].ip);
            break;
        }
    }
    freeaddrinfo(list);
    if (n == 0) {
        return host_fail(host, -EINVAL, "no room for an address");
    }
    return got == 0 ? host_fail(host, -EHOSTUNREACH, "%s: no address of this kind",
                                name == NULL ? "any address" : name)
                    : (int)got;
}
