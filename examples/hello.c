/* hello.c - opens, uses and closes a connection with the kernel's TCP, in a network of its own. */
#include <arpa/inet.h>
#include <err.h>
#include <handfast/host.h>
#include <stdio.h>
#include <unistd.h>

static struct hf_host *host;
static char error[HF_ERROR_TEXT];

static void must(int64_t result)
{
    if (result < 0)
        errx(1, "%s", *error ? error : hf_host_error(host));
}

int main(void)
{
    struct hf_private *net;
    struct sockaddr_in echo = {.sin_family = AF_INET, .sin_port = htons(7)};
    hf_handle c;
    char text[100];
    must(hf_private_open(&net, NULL, error));
    must(hf_host_new(&host, NULL));
    must(hf_private_attach(net, host));
    int listener = hf_private_socket(net, AF_INET, SOCK_STREAM, 0); /* the kernel's TCP */
    must(bind(listener, (struct sockaddr *)&echo, sizeof echo) | listen(listener, 1));
    must(hf_host_connect(host, "10.77.0.1", "7", 5000, &c)); /* ours */
    must(hf_host_send(host, c, "hello, kernel\n", 14, 5000));
    int s = accept(listener, NULL, NULL);
    must(write(s, text, (size_t)read(s, text, sizeof text))); /* its echo */
    close(s);
    must(hf_host_recv(host, c, text, sizeof text, 5000));
    printf("%.14s", text);
    must(hf_host_close(host, c));
    must(hf_host_wait_closed(host, c, false, 5000));
    hf_host_free(host);
    hf_private_close(net);
}
