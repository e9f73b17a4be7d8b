/* demo_connections.c - the demo's five connections, from the first SYN to the end of TIME-WAIT. */
#include "demo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 60000, /* for anything to happen at all */
    REST_NS = 30000000,  /* both sides have said what they had to */
    CHUNK = 1 << 18,
    HEAD_MAX = 4096
};

static char chunk[CHUNK];

static int failed(const struct demo *demo, const char *doing)
{
    if (link_interrupted())
        return CLI_INTERRUPTED;
    return cli_failure("%s: %s", doing, hf_host_error(demo->host));
}

static int rest(struct demo *demo, int64_t ns)
{
    int64_t end = hf_host_env(demo->host)->now_ns + ns, left;
    while ((left = end - hf_host_env(demo->host)->now_ns) > 0) {
        if (link_interrupted())
            return CLI_INTERRUPTED;
        hf_host_run_once(demo->host, left);
    }
    return CLI_OK;
}

/* Rest points ---------------------------------------------------------------------------------- */

/* The connection's two ends, while its handle still knows them. */
struct ends {
    hf_handle handle;
    struct hf_endpoint handfast, kernel;
};

static int ends_of(struct demo *demo, hf_handle handle, struct ends *ends)
{
    struct hf_status status = {.struct_size = sizeof status};
    int result = hf_status(hf_host_stack(demo->host), hf_host_env(demo->host), handle, &status);
    if (result < 0)
        return cli_failure("status: %s", hf_error_text(result));
    *ends = (struct ends){.handle = handle, .handfast = status.local, .kernel = status.remote};
    return CLI_OK;
}

/* The states of both ends, as three witnesses have them: each an enum hf_state, or -1. */
struct seen {
    int handfast, inferred, inet_diag;
};

static struct seen look(struct demo *demo, const struct ends *ends, const struct hf_ladder *ladder)
{
    return (struct seen){hf_ladder_state(ladder), hf_ladder_peer_state(ladder, NULL),
                         kernel_state(demo->net, &ends->kernel, &ends->handfast)};
}

static const char *name_of(int state)
{
    return state < 0 ? "unknown" : hf_state_name((enum hf_state)state);
}

/* Nothing is under way: what each end should be now, what the ladder inferred of the kernel's, and
 * what the kernel says itself must be the same.  A busy machine may need a while to come to rest.
 */
static int compare(struct demo *demo, const struct ends *ends, int handfast, int kernel)
{
    enum { PATIENCE = 30 };
    struct seen seen = {0};
    bool agree = false;
    struct hf_ladder *ladder = hf_ladder_set_handle(demo->ladders, ends->handle);
    if (!ladder)
        return cli_failure("there is no ladder of this connection");
    for (int i = 0; i < PATIENCE && !agree; i++) {
        int status = rest(demo, REST_NS);
        if (status != CLI_OK)
            return status;
        seen = look(demo, ends, ladder);
        agree = seen.handfast == handfast && seen.inferred == kernel && seen.inet_diag == kernel;
    }
    if (seen.inet_diag < 0)
        return cli_failure("inet_diag does not answer: the kernel's states cannot be compared");
    char text[160];
    snprintf(text, sizeof text, "at rest: Handfast %s, kernel %s; inet_diag says %s%s",
             name_of(seen.handfast), name_of(seen.inferred),
             seen.inet_diag == HF_CLOSED ? "CLOSED (no such socket)" : name_of(seen.inet_diag),
             agree ? "" : " - NOT AS IT SHOULD BE");
    hf_ladder_note(ladder, hf_host_env(demo->host)->now_ns, text);
    if (agree)
        return CLI_OK;
    return cli_failure("here Handfast should be %s and the kernel %s", name_of(handfast),
                       name_of(kernel));
}

/* The ladder's last line, and the handle's end. */
static int conclude(struct demo *demo, hf_handle handle)
{
    struct hf_close_reason reason;
    int error = hf_close_reason(hf_host_stack(demo->host), handle, &reason);
    struct hf_ladder *ladder = hf_ladder_set_handle(demo->ladders, handle);
    if (ladder)
        hf_ladder_end(ladder, error == HF_ERR_STALE_HANDLE ? NULL : reason.text);
    hf_host_release(demo->host, handle);
    if (error != 0)
        return cli_failure("the connection did not close in order: %s", reason.text);
    return CLI_OK;
}

static int compare_sums(const char *what, const char *sent, const char *received)
{
    bool same = !strcmp(sent, received);
    printf("  SHA-256 %-20s sent %.16s..  received %.16s..  %s\n", what, sent, received,
           same ? "equal" : "DIFFERENT");
    return same ? CLI_OK : cli_failure("what arrived is not what was sent");
}

static void heading(struct demo *demo, int number, const char *what, bool ipv6)
{
    snprintf(demo->title, sizeof demo->title, "%d of 5: %s, IPv%d", number, what, ipv6 ? 6 : 4);
    putchar('\n');
}

/* Receives len octets, or with UINT64_MAX to the end, into a hash. */
static int receive_into(struct demo *demo, hf_handle handle, uint64_t len, int hash)
{
    while (len > 0) {
        size_t want = len < CHUNK ? (size_t)len : CHUNK;
        ssize_t n = hf_host_recv(demo->host, handle, chunk, want, PATIENCE_MS);
        if (n < 0)
            return failed(demo, "receiving");
        if (n == 0)
            return len > UINT64_MAX / 2 ? CLI_OK : cli_failure("the kernel's side closed early");
        if (!demo_write_all(hash, chunk, (uint64_t)n))
            return cli_failure("sha256sum has gone");
        len -= (uint64_t)n;
    }
    return CLI_OK;
}

/* curl to Handfast ----------------------------------------------------------------------------- */

/* Reads the request's head; what lies behind it goes to the hash. Sets the octets still to come. */
static int receive_head(struct demo *demo, hf_handle handle, int hash, uint64_t *left)
{
    char head[HEAD_MAX + 1];
    size_t have = 0;
    char *end = NULL;
    while (!end && have < HEAD_MAX) {
        ssize_t n = hf_host_recv(demo->host, handle, head + have, HEAD_MAX - have, PATIENCE_MS);
        if (n <= 0)
            return failed(demo, "receiving curl's request");
        have += (size_t)n;
        head[have] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    const char *length = end ? strcasestr(head, "\r\nContent-Length:") : NULL;
    if (!length || length > end)
        return cli_failure("curl sent a request without a Content-Length");
    end += 4;
    size_t behind = have - (size_t)(end - head);
    *left = strtoull(length + strlen("\r\nContent-Length:"), NULL, 10) - behind;
    return demo_write_all(hash, end, behind) ? CLI_OK : cli_failure("sha256sum has gone");
}

static int answer_curl(struct demo *demo, hf_handle handle, int hash)
{
    uint64_t left = 0;
    int status = receive_head(demo, handle, hash, &left);
    if (status == CLI_OK)
        status = receive_into(demo, handle, left, hash);
    if (status != CLI_OK)
        return status;
    char head[128];
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
                     (unsigned long long)demo->down.bytes);
    if (hf_host_send(demo->host, handle, head, (size_t)n, PATIENCE_MS) < 0 ||
        hf_host_send(demo->host, handle, demo->down.data, demo->down.bytes, PATIENCE_MS) < 0)
        return failed(demo, "sending to curl");
    if (hf_host_recv(demo->host, handle, chunk, 1, PATIENCE_MS) != 0)
        return failed(demo, "waiting for curl to close");
    return CLI_OK;
}

static int serve_curl(struct demo *demo, int hash)
{
    hf_handle handle = 0;
    struct ends ends = {0};
    if (hf_host_accept(demo->host, demo->listener, PATIENCE_MS, &handle, NULL) < 0)
        return failed(demo, "waiting for curl");
    int status = ends_of(demo, handle, &ends);
    if (status == CLI_OK)
        status = answer_curl(demo, handle, hash);
    if (status == CLI_OK)
        status = compare(demo, &ends, HF_CLOSE_WAIT, HF_FIN_WAIT_2);
    if (status != CLI_OK)
        return status;
    if (hf_host_close(demo->host, handle) < 0 ||
        hf_host_wait_closed(demo->host, handle, true, PATIENCE_MS) < 0)
        return failed(demo, "closing");
    status = compare(demo, &ends, HF_CLOSED, HF_TIME_WAIT);
    return status == CLI_OK ? conclude(demo, handle) : status;
}

int demo_curl_to_handfast(struct demo *demo, int number, bool ipv6)
{
    char url4[] = "http://10.77.0.2/demo", url6[] = "http://[fd77::2]/demo";
    struct demo_hash at_curl = {0}, here = {0};
    char sum_at_curl[65], sum_here[65];
    heading(demo, number, "curl to Handfast's HTTP", ipv6);
    if (demo_hash_start(&at_curl) != CLI_OK || demo_hash_start(&here) != CLI_OK)
        return CLI_FAILED;
    pid_t curl = demo_curl_start(demo, ipv6 ? url6 : url4, at_curl.in);
    at_curl.in = -1;
    int status = curl < 0 ? CLI_FAILED : serve_curl(demo, here.in);
    if (status != CLI_OK)
        return status;
    int ended = demo_reap(curl);
    if (ended != 0)
        return cli_failure("curl ended with status %d", ended);
    if (demo_hash_end(&at_curl, sum_at_curl) != CLI_OK || demo_hash_end(&here, sum_here) != CLI_OK)
        return CLI_FAILED;
    status = compare_sums("curl to Handfast:", demo->up.sha256, sum_here);
    if (status == CLI_OK)
        status = compare_sums("Handfast to curl:", demo->down.sha256, sum_at_curl);
    return status;
}

/* Handfast to a server of the kernel's --------------------------------------------------------- */

static int open_to(struct demo *demo, const struct demo_server *server, bool ipv6,
                   hf_handle *handle, struct ends *ends)
{
    struct hf_endpoint remote;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)server->port);
    if (hf_host_resolve(demo->host, ipv6 ? "fd77::1" : "10.77.0.1", port, 0, &remote, 1) < 1 ||
        hf_host_open(demo->host, NULL, &remote, PATIENCE_MS, handle) < 0)
        return failed(demo, "opening");
    return ends_of(demo, *handle, ends);
}

/* Our FIN is acknowledged: the peer has heard that no more will come, and may go on sending. */
static int half_closed(struct demo *demo, const struct ends *ends, const struct demo_server *server)
{
    struct hf_status status = {.struct_size = sizeof status};
    do {
        if (rest(demo, REST_NS) != CLI_OK)
            return CLI_INTERRUPTED;
        if (hf_status(hf_host_stack(demo->host), hf_host_env(demo->host), ends->handle, &status) <
            0)
            return failed(demo, "half-closed");
    } while (status.state == HF_FIN_WAIT_1 || status.state == HF_ESTABLISHED);
    int result = compare(demo, ends, HF_FIN_WAIT_2, HF_CLOSE_WAIT);
    demo_server_goes_on(server);
    return result;
}

static int finish_active(struct demo *demo, const struct ends *ends, int64_t rest_ns)
{
    if (hf_host_wait_closed(demo->host, ends->handle, false, PATIENCE_MS) < 0)
        return failed(demo, "closing");
    int status = rest(demo, rest_ns);
    if (status == CLI_OK)
        status = compare(demo, ends, HF_TIME_WAIT, HF_CLOSED);
    if (status != CLI_OK)
        return status;
    if (hf_host_wait_closed(demo->host, ends->handle, true, PATIENCE_MS) < 0)
        return failed(demo, "TIME-WAIT");
    return conclude(demo, ends->handle);
}

static int exchange(struct demo *demo, const struct demo_server *server, bool ipv6, int hash)
{
    hf_handle handle = 0;
    struct ends ends = {0};
    int status = open_to(demo, server, ipv6, &handle, &ends);
    if (status == CLI_OK)
        status = compare(demo, &ends, HF_ESTABLISHED, HF_ESTABLISHED);
    if (status != CLI_OK)
        return status;
    if (hf_host_send(demo->host, handle, demo->up.data, demo->up.bytes, PATIENCE_MS) < 0 ||
        hf_host_close(demo->host, handle) < 0)
        return failed(demo, "sending");
    status = half_closed(demo, &ends, server);
    if (status == CLI_OK)
        status = receive_into(demo, handle, UINT64_MAX, hash);
    return status == CLI_OK ? finish_active(demo, &ends, 0) : status;
}

int demo_handfast_to_kernel(struct demo *demo, int number, bool ipv6)
{
    struct demo_hash at_kernel = {0}, here = {0};
    struct demo_server server;
    char sum_at_kernel[65], sum_here[65];
    heading(demo, number, "Handfast to a server of the kernel's", ipv6);
    if (demo_hash_start(&at_kernel) != CLI_OK || demo_hash_start(&here) != CLI_OK)
        return CLI_FAILED;
    struct demo_serve how = {.ipv6 = ipv6,
                             .out = at_kernel.in,
                             .reply = demo->down.data,
                             .reply_bytes = demo->down.bytes};
    if (demo_server_start(demo, &server, &how) != CLI_OK)
        return CLI_FAILED;
    at_kernel.in = -1;
    int status = exchange(demo, &server, ipv6, here.in);
    if (status != CLI_OK)
        return status;
    if (demo_reap(server.pid) != 0)
        return cli_failure("the kernel's server failed");
    if (demo_hash_end(&at_kernel, sum_at_kernel) != CLI_OK ||
        demo_hash_end(&here, sum_here) != CLI_OK)
        return CLI_FAILED;
    status = compare_sums("Handfast to kernel:", demo->up.sha256, sum_at_kernel);
    if (status == CLI_OK)
        status = compare_sums("kernel to Handfast:", demo->down.sha256, sum_here);
    return status;
}

/* Seven losses --------------------------------------------------------------------------------- */

static const char greeting[] = "who is there?\n", words[] = "handfast\n",
                  reply[] = "then I have said all as well\n";

static int expect_text(struct demo *demo, hf_handle handle, const char *text)
{
    size_t have = 0, want = strlen(text);
    while (have < want) {
        ssize_t n = hf_host_recv(demo->host, handle, chunk + have, want - have, PATIENCE_MS);
        if (n <= 0)
            return failed(demo, "receiving");
        have += (size_t)n;
    }
    return memcmp(chunk, text, want) ? cli_failure("what arrived is not what was sent") : CLI_OK;
}

/* A few words, each answered before the next. The lost SYN-ACK has taught both sides' RTO that a
 * round trip takes seconds; each of these teaches it better, and the repeats below come sooner. */
static int chat(struct demo *demo, hf_handle handle)
{
    enum { WORDS = 32, LAST_NS = 100000000 };
    int status = CLI_OK;
    for (int i = 0; i < WORDS && status == CLI_OK; i++) {
        if (hf_host_send(demo->host, handle, words, sizeof words - 1, PATIENCE_MS) < 0)
            return failed(demo, "sending");
        status = expect_text(demo, handle, words);
    }
    return status == CLI_OK ? rest(demo, LAST_NS) : status; /* the FIN shall stand alone */
}

static int talk_through_losses(struct demo *demo, const struct demo_server *server)
{
    enum { LAST_ACK_NS = 600000000 };
    hf_handle handle = 0;
    struct ends ends = {0};
    int status = open_to(demo, server, false, &handle, &ends);
    /* The kernel speaks first: so nothing but our third ACK can finish its handshake. */
    if (status == CLI_OK)
        status = expect_text(demo, handle, greeting);
    if (status == CLI_OK)
        status = compare(demo, &ends, HF_ESTABLISHED, HF_ESTABLISHED);
    if (status != CLI_OK)
        return status;
    status = chat(demo, handle);
    if (status != CLI_OK)
        return status;
    if (hf_host_close(demo->host, handle) < 0)
        return failed(demo, "closing");
    status = half_closed(demo, &ends, server);
    if (status == CLI_OK)
        status = expect_text(demo, handle, reply);
    return status == CLI_OK ? finish_active(demo, &ends, LAST_ACK_NS) : status;
}

int demo_lossy_connection(struct demo *demo, int number)
{
    struct demo_hash at_kernel = {0};
    struct demo_server server;
    char sum[65];
    heading(demo, number, "half-closed with a pause, seven segments lost once each", false);
    if (demo_hash_start(&at_kernel) != CLI_OK)
        return CLI_FAILED;
    struct demo_serve how = {.out = at_kernel.in,
                             .greeting = greeting,
                             .echo = true,
                             .reply = (const uint8_t *)reply,
                             .reply_bytes = sizeof reply - 1};
    if (demo_server_start(demo, &server, &how) != CLI_OK)
        return CLI_FAILED;
    at_kernel.in = -1;
    demo->lossy.on = true;
    int status = talk_through_losses(demo, &server);
    demo->lossy.on = false;
    if (status != CLI_OK)
        return status;
    if (demo_reap(server.pid) != 0 || demo_hash_end(&at_kernel, sum) != CLI_OK)
        return cli_failure("the kernel's server failed");
    if (demo->lossy.n_lost != DEMO_LOSSES)
        return cli_failure("only %u of the 7 segments came by to be lost", demo->lossy.n_lost);
    puts("  Lost once and repeated: SYN, SYN-ACK, third ACK, FIN, its ACK, the other FIN, the last "
         "ACK.");
    return CLI_OK;
}
