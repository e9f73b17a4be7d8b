/* zero_copy.c - MSG_ZEROCOPY with SO_ZEROCOPY: the error queue tells when the octets of a send are
 * no longer needed.  They are copied here, and the queue says so too (SO_EE_CODE_ZEROCOPY_COPIED).
 */
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>

#include "adapter.h"

enum { SENDS = sizeof(((struct zero_copy *)0)->ends) / sizeof(uint64_t) };

void zero_copy_sent(struct adapter *a, struct sock *s)
{
    struct zero_copy *z = &s->zero_copy;
    struct hf_status status;
    socket_status(a, s, &status);
    if (z->next - z->done == SENDS) {
        z->done++; /* told too early rather than never */
    }
    z->ends[z->next % SENDS] = status.bytes_acked + status.queued_bytes;
    z->next++;
}

bool zero_copy_look(struct adapter *a, struct sock *s)
{
    struct zero_copy *z = &s->zero_copy;
    if (z->done == z->next) {
        return false;
    }
    struct hf_status status;
    socket_status(a, s, &status);
    uint32_t before = z->done;
    while (z->done != z->next && (s->ended || status.bytes_acked >= z->ends[z->done % SENDS])) {
        z->done++;
    }
    return z->done != before;
}

/* One message for all that are done and were not told. */
ssize_t zero_copy_read(struct sock *s, struct msghdr *msg)
{
    struct zero_copy *z = &s->zero_copy;
    struct {
        struct sock_extended_err error;
        struct sockaddr_in6 offender;
    } data;
    bool four = s->domain == AF_INET;
    size_t len =
        sizeof data.error + (four ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
    msg->msg_namelen = 0;
    if (z->told == z->done) {
        msg->msg_controllen = 0;
        return -EAGAIN;
    }
    memset(&data, 0, sizeof data);
    data.error.ee_origin = SO_EE_ORIGIN_ZEROCOPY;
    data.error.ee_code = SO_EE_CODE_ZEROCOPY_COPIED;
    data.error.ee_info = z->told;
    data.error.ee_data = z->done - 1;
    z->told = z->done;
    msg->msg_flags = MSG_ERRQUEUE;
    if (cmsg == NULL || msg->msg_controllen < CMSG_LEN(len)) {
        msg->msg_flags |= MSG_CTRUNC;
        msg->msg_controllen = 0;
        return 0;
    }
    cmsg->cmsg_level = four ? IPPROTO_IP : IPPROTO_IPV6;
    cmsg->cmsg_type = four ? IP_RECVERR : IPV6_RECVERR;
    cmsg->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(cmsg), &data, len);
    size_t whole = CMSG_SPACE(len);
    msg->msg_controllen = msg->msg_controllen < whole ? msg->msg_controllen : whole;
    return 0;
}
