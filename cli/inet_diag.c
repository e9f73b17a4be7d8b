/* inet_diag.c - asks the kernel of a private network for the state of one of its sockets. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel's numbers (net/tcp_states.h, which user space does not get) to RFC 9293's names. */
static int state_of(uint8_t kernel)
{
    static const uint8_t states[] = {
        [1] = HF_ESTABLISHED, [2] = HF_SYN_SENT,  [3] = HF_SYN_RECEIVED, [4] = HF_FIN_WAIT_1,
        [5] = HF_FIN_WAIT_2,  [6] = HF_TIME_WAIT, [7] = HF_CLOSED,       [8] = HF_CLOSE_WAIT,
        [9] = HF_LAST_ACK,    [10] = HF_LISTEN,   [11] = HF_CLOSING,     [12] = HF_SYN_RECEIVED,
    };
    return kernel < sizeof states ? states[kernel] : HF_CLOSED;
}

static void fill_request(struct inet_diag_req_v2 *request, const struct hf_endpoint *kernel,
                         const struct hf_endpoint *handfast)
{
    bool ipv4 = cli_is_ipv4(kernel->ip);
    *request = (struct inet_diag_req_v2){.sdiag_family = ipv4 ? AF_INET : AF_INET6,
                                         .sdiag_protocol = IPPROTO_TCP,
                                         .idiag_states = ~0u};
    request->id.idiag_sport = htons(kernel->port);
    request->id.idiag_dport = htons(handfast->port);
    memcpy(request->id.idiag_src, kernel->ip + (ipv4 ? 12 : 0), ipv4 ? 4 : 16);
    memcpy(request->id.idiag_dst, handfast->ip + (ipv4 ? 12 : 0), ipv4 ? 4 : 16);
    request->id.idiag_cookie[0] = request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

int kernel_state(struct hf_private *net, const struct hf_endpoint *kernel,
                 const struct hf_endpoint *handfast)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } ask = {.header = {.nlmsg_len = sizeof ask,
                        .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                        .nlmsg_flags = NLM_F_REQUEST}};
    union {
        struct nlmsghdr header;
        char bytes[8192];
    } answer;
    fill_request(&ask.request, kernel, handfast);
    int s = hf_private_socket(net, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
    if (s < 0)
        return -1;
    ssize_t n =
        send(s, &ask, sizeof ask, 0) == sizeof ask ? recv(s, &answer, sizeof answer, 0) : -1;
    close(s);
    if (n < (ssize_t)sizeof answer.header || !NLMSG_OK(&answer.header, (size_t)n))
        return -1;
    if (answer.header.nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(&answer.header);
        return error->error == -ENOENT ? HF_CLOSED : -1;
    }
    const struct inet_diag_msg *found = NLMSG_DATA(&answer.header);
    return state_of(found->idiag_state);
}
