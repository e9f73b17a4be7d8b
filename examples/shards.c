/* shards.c - an echo server of two stacks, each with a thread and a queue of one TUN, that share an
 * address; the kernel connects to it from the other side, in a network of our own.
 *
 *     shards        prints how many connections each stack has served
 */
#include <arpa/inet.h>
#include <handfast/shards.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHARDS = 2, VISITS = 64, PORT = 7 };

static unsigned served[SHARDS]; /* each written by its own shard, read when all have ended */

static int begin(struct hf_host *host, uint32_t shard, void *arg)
{
    struct hf_device *queue;
    hf_handle listener;
    (void)shard;
    (void)arg;
    int error = hf_device_tun(&queue, "hf0", HF_DEVICE_QUEUE, NULL);
    if (error < 0) {
        return error;
    }
    int iface = hf_host_attach(host, queue);
    error = iface < 0 ? iface : hf_host_address(host, iface, "10.77.0.2/24");
    return error < 0 ? error : hf_host_listen(host, NULL, "7", 64, &listener);
}

static void accept_all(struct hf_host *host, uint32_t shard, hf_handle listener)
{
    hf_handle c;
    while (hf_accept(hf_host_stack(host), hf_host_env(host), listener, &c, NULL) == HF_OK) {
        served[shard]++;
    }
}

/* Sends back what has come; closes when the peer does.  What finds no room stays unread until
 * HF_WRITABLE tells of some. */
static void echo(struct hf_host *host, hf_handle c)
{
    struct hf_stack *stack = hf_host_stack(host);
    struct hf_slice slice;
    char text[4096];
    int64_t n, taken = 0;
    while (taken >= 0 && (n = hf_recv_slices(stack, hf_host_env(host), c, &slice, 1)) > 0) {
        uint32_t len = slice.len < sizeof text ? slice.len : (uint32_t)sizeof text;
        memcpy(text, slice.data, len); /* the slice may be gone behind the next call */
        taken = hf_send(stack, hf_host_env(host), c, text, len, 0);
        if (taken > 0) {
            (void)hf_recv_consume(stack, hf_host_env(host), c, (uint64_t)taken);
        }
    }
    if (n != HF_ERR_WOULD_BLOCK && taken != HF_ERR_WOULD_BLOCK) {
        (void)hf_release(stack, hf_host_env(host), c);
    }
}

static void serve(struct hf_host *host, uint32_t shard, void *arg)
{
    struct hf_event event;
    (void)arg;
    while (hf_events(hf_host_stack(host), hf_host_env(host), &event, 1) == 1) {
        if (event.bits & HF_ACCEPTED) {
            accept_all(host, shard, event.handle);
        } else {
            echo(host, event.handle);
        }
    }
}

/* With the kernel's TCP; 0: it was answered. */
static int visit(void)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    char word[6] = "hello";
    inet_pton(AF_INET, "10.77.0.2", &server.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int right = fd >= 0 && connect(fd, (struct sockaddr *)&server, sizeof server) == 0 &&
                write(fd, word, sizeof word) == sizeof word &&
                recv(fd, word, sizeof word, MSG_WAITALL) == sizeof word &&
                strcmp(word, "hello") == 0;
    close(fd);
    return right ? 0 : -1;
}

int main(void)
{
    char error[HF_ERROR_TEXT] = "a network of our own";
    struct hf_shards *shards;
    struct hf_shards_options options = {
        .struct_size = sizeof options, .n = SHARDS, .begin = begin, .turn = serve};
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 ||
        hf_shards_start(&shards, &options, error) < 0) {
        fprintf(stderr, "shards: %s\n", error);
        return 1;
    }
    int failed = hf_kernel_address("hf0", "10.77.0.1/24", error);
    for (int i = 0; i < VISITS && failed == 0; i++) {
        failed = visit();
    }
    failed |= hf_shards_stop(shards);
    printf("%u connections to one shard, %u to the other\n", served[0], served[1]);
    return failed == 0 && served[0] + served[1] == VISITS ? 0 : 1;
}
