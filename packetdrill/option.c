/* option.c - setsockopt getsockopt fcntl ioctl: done, or refused as Linux refuses what it does not
 * know; never accepted and ignored.
 */
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

#include "adapter.h"
#include "handfast/host.h"
#include "linux.h"

enum { SNDBUF_MIN = 4608, RCVBUF_MIN = 2304, BUFFER_MAX = 1 << 29, MSS_UNKNOWN = 536 };
enum { KEEPIDLE_MS = 7200000, KEEPINTVL_MS = 75000, KEEPCNT = 9 };

/* Options of the core: at once when there is a connection or listener, and kept for those to come.
 * A listener refuses some that its connections take. */
static int set_core(struct adapter *a, struct sock *s, enum hf_option option, int64_t value)
{
    struct kept_option before = s->options.core[option];
    s->options.core[option] = (struct kept_option){true, value};
    if (s->handle == 0 || s->ended) {
        return 0;
    }
    int error = hf_set_option(a->stack, &a->env, s->handle, option, value);
    if (error && !(s->listening && error == HF_ERR_UNSUPPORTED)) {
        s->options.core[option] = before;
        return error == HF_ERR_UNSUPPORTED ? -ENOPROTOOPT : -EINVAL;
    }
    return 0;
}

static int64_t get_core(const struct adapter *a, const struct sock *s, enum hf_option option,
                        int64_t otherwise)
{
    int64_t value;
    if (s->handle != 0 && hf_option(a->stack, s->handle, option, &value) == HF_OK) {
        return value;
    }
    return s->options.core[option].set ? s->options.core[option].value : otherwise;
}

/* SOL_SOCKET ------------------------------------------------------------------------------------*/

static int set_buffer(struct adapter *a, struct sock *s, bool send, int64_t value)
{
    int64_t least = send ? SNDBUF_MIN : RCVBUF_MIN;
    value = value < 0 || value > BUFFER_MAX ? BUFFER_MAX : value;
    int doubled = (int)(value * 2 > least ? value * 2 : least);
    if (send) {
        s->options.send_buffer = doubled;
        return 0;
    }
    s->options.receive_buffer = doubled;
    int64_t most = hf_policy(a->stack)->max_receive_window;
    return set_core(a, s, HF_RECEIVE_WINDOW, doubled / 2 < most ? doubled / 2 : most);
}

static int set_linger(struct sock *s, const void *value, socklen_t len)
{
    struct linger linger;
    if (len < sizeof linger) {
        return -EINVAL;
    }
    memcpy(&linger, value, sizeof linger);
    s->options.linger = linger.l_onoff ? linger.l_linger : -1;
    return 0;
}

static int set_timeout(int64_t *where, const void *value, socklen_t len)
{
    struct timeval tv;
    if (len < sizeof tv) {
        return -EINVAL;
    }
    memcpy(&tv, value, sizeof tv);
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000) {
        return -EDOM;
    }
    int64_t ns = tv.tv_sec * 1000 * NS_PER_MS + tv.tv_usec * NS_PER_US;
    *where = ns == 0 ? NEVER : ns < 0 ? 0 : ns;
    return 0;
}

static int set_socket(struct adapter *a, struct sock *s, int name, const void *value, socklen_t len)
{
    if (name == SO_LINGER) {
        return set_linger(s, value, len);
    }
    if (name == SO_RCVTIMEO || name == SO_SNDTIMEO) {
        struct options *o = &s->options;
        return set_timeout(name == SO_RCVTIMEO ? &o->receive_timeout_ns : &o->send_timeout_ns,
                           value, len);
    }
    int number;
    memcpy(&number, value, sizeof number);
    switch (name) {
    case SO_REUSEADDR:
        s->options.reuse_address = number != 0;
        return 0;
    case SO_REUSEPORT:
        return number ? -EOPNOTSUPP : 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
        return set_buffer(a, s, true, number);
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        return set_buffer(a, s, false, number);
    case SO_RCVLOWAT:
        s->options.receive_low_water = number < 0 ? INT32_MAX : number ? number : 1;
        return 0;
    case SO_ZEROCOPY:
        if (number < 0 || number > 1) {
            return -EINVAL;
        }
        s->options.zero_copy = number;
        return 0;
    case SO_KEEPALIVE:
        return set_core(a, s, HF_KEEPALIVE, number != 0);
    case SO_OOBINLINE:
        return number ? 0 : -EOPNOTSUPP; /* urgent data is in the stream, RFC 6093 */
    default:
        return -ENOPROTOOPT;
    }
}

static int get_linger_or_timeout(const struct sock *s, int name, void *value, socklen_t *len)
{
    struct linger linger = {.l_onoff = s->options.linger >= 0,
                            .l_linger = s->options.linger >= 0 ? s->options.linger : 0};
    int64_t ns = name == SO_RCVTIMEO ? s->options.receive_timeout_ns : s->options.send_timeout_ns;
    ns = ns == NEVER ? 0 : ns;
    struct timeval tv = {.tv_sec = ns / (1000 * NS_PER_MS),
                         .tv_usec = ns % (1000 * NS_PER_MS) / NS_PER_US};
    const void *from = name == SO_LINGER ? (const void *)&linger : (const void *)&tv;
    socklen_t whole = name == SO_LINGER ? sizeof linger : sizeof tv;
    *len = *len < whole ? *len : whole;
    memcpy(value, from, *len);
    return 0;
}

static int get_socket(struct adapter *a, struct sock *s, int name, int *number)
{
    switch (name) {
    case SO_ERROR:
        *number = socket_take_error(s);
        return 0;
    case SO_TYPE:
        *number = SOCK_STREAM;
        return 0;
    case SO_PROTOCOL:
        *number = IPPROTO_TCP;
        return 0;
    case SO_DOMAIN:
        *number = s->domain;
        return 0;
    case SO_ACCEPTCONN:
        *number = s->listening;
        return 0;
    case SO_REUSEADDR:
        *number = s->options.reuse_address;
        return 0;
    case SO_REUSEPORT:
        *number = 0;
        return 0;
    case SO_SNDBUF:
        *number = s->options.send_buffer;
        return 0;
    case SO_RCVBUF:
        *number = s->options.receive_buffer;
        return 0;
    case SO_RCVLOWAT:
        *number = s->options.receive_low_water;
        return 0;
    case SO_ZEROCOPY:
        *number = s->options.zero_copy;
        return 0;
    case SO_KEEPALIVE:
        *number = get_core(a, s, HF_KEEPALIVE, 0) != 0;
        return 0;
    case SO_OOBINLINE:
        *number = 1;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

/* IPPROTO_TCP -----------------------------------------------------------------------------------*/

static enum hf_option keep_alive_time(int name)
{
    return name == LINUX_TCP_KEEPIDLE ? HF_KEEPALIVE_IDLE : HF_KEEPALIVE_INTERVAL;
}

static int set_tcp(struct adapter *a, struct sock *s, int name, int number)
{
    switch (name) {
    case LINUX_TCP_NODELAY:
        return set_core(a, s, HF_NODELAY, number != 0);
    case LINUX_TCP_CORK:
        return set_core(a, s, HF_CORK, number != 0);
    case LINUX_TCP_MAXSEG:
        if (number != 0 && (number < 88 || number > 32767)) {
            return -EINVAL;
        }
        return set_core(a, s, HF_MAX_SEGMENT, number);
    case LINUX_TCP_QUICKACK:
        return set_core(a, s, HF_QUICK_ACK, number & 1);
    case LINUX_TCP_KEEPIDLE:
    case LINUX_TCP_KEEPINTVL:
        if (number < 1 || number > 32767) {
            return -EINVAL;
        }
        return set_core(a, s, keep_alive_time(name), number * 1000LL);
    case LINUX_TCP_SYNCNT:
        return number < 1 || number > 127 ? -EINVAL : set_core(a, s, HF_SYN_RETRIES, number);
    case LINUX_TCP_KEEPCNT:
        return set_core(a, s, HF_KEEPALIVE_COUNT, number);
    case LINUX_TCP_USER_TIMEOUT:
        return number < 0 ? -EINVAL : set_core(a, s, HF_USER_TIMEOUT, number);
    case LINUX_TCP_NOTSENT_LOWAT:
        s->options.notsent_low = (uint32_t)number;
        return 0;
    case LINUX_TCP_FASTOPEN:
        return fastopen_set_queue(a, s, number);
    case LINUX_TCP_FASTOPEN_CONNECT:
        return fastopen_set_connect(a, s, number);
    case LINUX_TCP_INQ:
        if (number < 0 || number > 1) {
            return -EINVAL;
        }
        s->options.inq = number;
        return 0;
    case LINUX_TCP_WINDOW_CLAMP:
        return number < 0 ? -EINVAL : set_core(a, s, HF_RECEIVE_WINDOW, number);
    default:
        return -ENOPROTOOPT;
    }
}

static int get_tcp(struct adapter *a, struct sock *s, int name, int *number)
{
    int64_t value;
    switch (name) {
    case LINUX_TCP_NODELAY:
        value = get_core(a, s, HF_NODELAY, 0);
        break;
    case LINUX_TCP_CORK:
        value = get_core(a, s, HF_CORK, 0);
        break;
    case LINUX_TCP_MAXSEG:
        value = get_core(a, s, HF_MAX_SEGMENT, 0);
        value = value ? value : MSS_UNKNOWN;
        break;
    case LINUX_TCP_QUICKACK:
        value = get_core(a, s, HF_QUICK_ACK, 0);
        break;
    case LINUX_TCP_KEEPIDLE:
    case LINUX_TCP_KEEPINTVL:
        value = name == LINUX_TCP_KEEPIDLE ? KEEPIDLE_MS : KEEPINTVL_MS;
        value = get_core(a, s, keep_alive_time(name), value) / 1000;
        break;
    case LINUX_TCP_SYNCNT:
        value = get_core(a, s, HF_SYN_RETRIES, 0);
        value = value ? value : a->sysctls.syn_retries;
        break;
    case LINUX_TCP_KEEPCNT:
        value = get_core(a, s, HF_KEEPALIVE_COUNT, KEEPCNT);
        break;
    case LINUX_TCP_USER_TIMEOUT:
        value = get_core(a, s, HF_USER_TIMEOUT, 0);
        break;
    case LINUX_TCP_NOTSENT_LOWAT:
        value = s->options.notsent_low;
        break;
    case LINUX_TCP_FASTOPEN:
        value = s->options.fastopen_queue;
        break;
    case LINUX_TCP_FASTOPEN_CONNECT:
        value = s->options.fastopen_connect;
        break;
    case LINUX_TCP_INQ:
        value = s->options.inq;
        break;
    case LINUX_TCP_WINDOW_CLAMP:
        value = get_core(a, s, HF_RECEIVE_WINDOW, 0);
        break;
    default:
        return -ENOPROTOOPT;
    }
    *number = (int)value;
    return 0;
}

/* IPPROTO_IP, IPPROTO_IPV6 ----------------------------------------------------------------------*/

static int set_ip(struct adapter *a, struct sock *s, int level, int name, int number)
{
    bool four = level == IPPROTO_IP;
    if ((four && name == IP_TOS) || (!four && name == IPV6_TCLASS)) {
        number = number == -1 ? 0 : number;
        return number < 0 || number > 255 ? -EINVAL : set_core(a, s, HF_TOS, number & ~3);
    }
    if ((four && name == IP_TTL) || (!four && name == IPV6_UNICAST_HOPS)) {
        number = number == -1 ? (int)a->sysctls.default_ttl : number;
        return number < 1 || number > 255 ? -EINVAL : set_core(a, s, HF_TTL, number);
    }
    if (!four && name == IPV6_V6ONLY) {
        if (s->bound || s->handle != 0) {
            return -EINVAL;
        }
        s->options.v6_only = number != 0;
        return 0;
    }
    if (four && name == IP_MTU_DISCOVER) {
        bool known = number == IP_PMTUDISC_DONT || number == IP_PMTUDISC_WANT;
        return known ? set_core(a, s, HF_MAY_FRAGMENT, number == IP_PMTUDISC_DONT) : -EINVAL;
    }
    if (four && name == IP_FREEBIND) {
        s->options.free_bind = number != 0; /* every address is ours once it is bound */
        return 0;
    }
    return -ENOPROTOOPT;
}

static int get_ip(struct adapter *a, struct sock *s, int level, int name, int *number)
{
    bool four = level == IPPROTO_IP;
    if ((four && name == IP_TOS) || (!four && name == IPV6_TCLASS)) {
        *number = (int)get_core(a, s, HF_TOS, 0);
        return 0;
    }
    if ((four && name == IP_TTL) || (!four && name == IPV6_UNICAST_HOPS)) {
        *number = (int)get_core(a, s, HF_TTL, a->sysctls.default_ttl);
        return 0;
    }
    if (!four && name == IPV6_V6ONLY) {
        *number = s->options.v6_only;
        return 0;
    }
    if (four && name == IP_MTU_DISCOVER) {
        bool may = get_core(a, s, HF_MAY_FRAGMENT, 0) != 0;
        *number = may ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
        return 0;
    }
    if (four && name == IP_FREEBIND) {
        *number = s->options.free_bind;
        return 0;
    }
    return -ENOPROTOOPT;
}

/* The calls -------------------------------------------------------------------------------------*/

int option_set(struct adapter *a, struct sock *s, int level, int name, const void *value,
               socklen_t len)
{
    if (len > INT32_MAX) {
        return -EINVAL;
    }
    if (value == NULL) {
        return -EFAULT;
    }
    if (level == IPPROTO_TCP && name == LINUX_TCP_FASTOPEN_KEY) {
        return fastopen_set_key(a, s, value, len);
    }
    int number = 0;
    if (len >= sizeof number) {
        memcpy(&number, value, sizeof number);
    } else if (level == IPPROTO_IP && len >= 1) {
        number = *(const uint8_t *)value;
    } else {
        return -EINVAL;
    }
    int result = -ENOPROTOOPT;
    if (level == SOL_SOCKET) {
        result = set_socket(a, s, name, value, len);
    } else if (level == IPPROTO_TCP) {
        result = set_tcp(a, s, name, number);
    } else if (level == IPPROTO_IP || level == IPPROTO_IPV6) {
        result = set_ip(a, s, level, name, number);
    }
    return result;
}

int option_get(struct adapter *a, struct sock *s, int level, int name, void *value, socklen_t *len)
{
    if (len == NULL || (value == NULL && *len != 0)) {
        return -EFAULT;
    }
    if (level == SOL_SOCKET) {
        if (name == LINUX_SO_MEMINFO) {
            return info_memory(a, s, value, len);
        }
        if (name == SO_LINGER || name == SO_RCVTIMEO || name == SO_SNDTIMEO) {
            return get_linger_or_timeout(s, name, value, len);
        }
    }
    if (level == IPPROTO_TCP) {
        if (name == LINUX_TCP_INFO) {
            return info_get(a, s, value, len);
        }
        if (name == LINUX_TCP_FASTOPEN_KEY) {
            return fastopen_get_key(a, s, value, len);
        }
        if (name == LINUX_TCP_CC_INFO) {
            *len = 0; /* CUBIC and NewReno tell nothing here */
            return 0;
        }
    }
    int number = 0;
    int error = -ENOPROTOOPT;
    if (level == SOL_SOCKET) {
        error = get_socket(a, s, name, &number);
    } else if (level == IPPROTO_TCP) {
        error = get_tcp(a, s, name, &number);
    } else if (level == IPPROTO_IP || level == IPPROTO_IPV6) {
        error = get_ip(a, s, level, name, &number);
    }
    if (error == 0) {
        *len = *len < sizeof number ? *len : sizeof number;
        memcpy(value, &number, *len);
    }
    return error;
}

int option_fcntl(struct sock *s, int cmd, int arg)
{
    switch (cmd) {
    case F_GETFL:
        return O_RDWR | (s->nonblocking ? O_NONBLOCK : 0);
    case F_SETFL:
        if (arg & (O_ASYNC | O_DIRECT | O_APPEND)) {
            return -EINVAL;
        }
        s->nonblocking = arg & O_NONBLOCK;
        return 0;
    case F_GETFD:
    case F_SETFD:
        return 0; /* no program is started with it */
    default:
        return -EINVAL;
    }
}

/* A FIN of ours counts as one octet until it is acknowledged. */
static uint32_t fin_waits(const struct hf_status *status)
{
    return status->state == HF_FIN_WAIT_1 || status->state == HF_CLOSING ||
           status->state == HF_LAST_ACK;
}

int option_ioctl(struct adapter *a, struct sock *s, unsigned long request, int *value)
{
    struct hf_status status;
    socket_status(a, s, &status);
    if (value == NULL) {
        return -EFAULT;
    }
    switch (request) {
    case FIONBIO:
        s->nonblocking = *value != 0;
        return 0;
    case SIOCINQ:
    case SIOCOUTQ:
    case SIOCOUTQNSD:
        break;
    case SIOCATMARK:
        *value = status.urgent && status.urgent_bytes <= 1;
        return 0;
    default:
        return -ENOTTY;
    }
    if (s->listening) {
        return -EINVAL;
    }
    uint32_t flight = status.snd_nxt - status.snd_una;
    uint32_t queued = status.queued_bytes + fin_waits(&status);
    bool opening = status.state == HF_SYN_SENT || status.state == HF_SYN_RECEIVED;
    if (request == SIOCINQ) {
        *value = (int)receive_inq(&status);
    } else if (request == SIOCOUTQ) {
        *value = opening ? 0 : (int)queued;
    } else {
        *value = opening ? 0 : queued > flight ? (int)(queued - flight) : 0;
    }
    return 0;
}
