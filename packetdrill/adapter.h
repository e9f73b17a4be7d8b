/* adapter.h - sockets over a stack on a virtual clock, for packetdrill: what its files share.
 *
 *     entry.c     the 32 functions, and libc's close and getsockopt for our descriptors
 *     clock.c     virtual time: who waits, who lets it pass
 *     network.c   the stack, its addresses, packets in and out
 *     sysctl.c    net.ipv4.* of this network namespace, as a policy
 *     socket.c    socket bind listen accept connect shutdown close
 *     fastopen.c send.c receive.c option.c info.c poll.c epoll.c pipe.c zero_copy.c   the rest of
 * the calls
 *
 * Time passes only in usleep, in netdev_receive with nothing to give, by a microsecond in
 * gettimeofday, and in a call of the script's thread that waits.  A call in another thread (a
 * script's "blocking" call) sleeps until one of these lets it find what it waits for.
 *
 * Functions of these files return a result or a negative errno.  The lock is held in all of them.
 */
#ifndef PACKETDRILL_ADAPTER_H
#define PACKETDRILL_ADAPTER_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handfast/handfast.h"
#include "interface.h"

enum { FD_FIRST = 700, FD_COUNT = 256, PACKET_MAX = 65535 };
#define NEVER INT64_MAX
#define NS_PER_US 1000LL
#define NS_PER_MS 1000000LL

/* net.ipv4.* ------------------------------------------------------------------------------------*/

struct sysctls {
    int64_t timestamps, sack, window_scaling, slow_start_after_idle, syn_retries, synack_retries;
    int64_t retries2, fin_timeout, abort_on_overflow, rfc1337, default_ttl, reordering;
    int64_t fastopen;
    uint8_t fastopen_keys[2][16];
    int fastopen_key_count;
    int64_t min_tso_segs, ecn, early_retrans, recovery, frto, moderate_rcvbuf;
    int64_t rmem_default, rmem_max, wmem_default, wmem_max, notsent_lowat;
};

/* Packets out -----------------------------------------------------------------------------------*/

struct packet {
    struct packet *next;
    int64_t time_ns;
    uint32_t len;
    uint8_t octets[];
};

/* Descriptors -----------------------------------------------------------------------------------*/

enum kind { KIND_TCP = 1, KIND_EPOLL };

/* Options that the core has, set before there is a connection to set them on. */
struct kept_option {
    bool set;
    int64_t value;
};

struct options {
    struct kept_option core[HF_OPTIONS];
    bool reuse_address, reuse_port, keep_alive, v6_only, inq, free_bind, zero_copy;
    int linger; /* seconds, -1: off                                              */
    int receive_low_water;
    int send_buffer, receive_buffer; /* as read back; 0: not set                                 */
    int64_t receive_timeout_ns, send_timeout_ns; /* NEVER: none                                  */
    uint32_t notsent_low;                        /* 0: the sysctl's                              */
    bool fastopen_connect;                       /* TCP_FASTOPEN_CONNECT */
    int fastopen_queue;                          /* TCP_FASTOPEN                                 */
    uint8_t fastopen_keys[2][16];                /* TCP_FASTOPEN_KEY                             */
    int fastopen_key_count;
};

/* MSG_ZEROCOPY: sends whose octets are not all acknowledged, then those that are done, numbered. */
struct zero_copy {
    uint32_t next; /* the number of the next send                                              */
    uint32_t done; /* those below it are acknowledged                                          */
    uint32_t told; /* those below it were read from the error queue                            */
    uint64_t ends[64]; /* of the sends done .. next, octets of the stream; by number mod 64    */
};

struct sock {
    int domain;
    bool nonblocking;
    bool bound, listening;
    bool deferred;    /* connect waits for the first text: it goes with the SYN */
    bool connecting;  /* connect has begun and its result was not told                  */
    bool opened;      /* has been ESTABLISHED                                           */
    bool ended;       /* the connection is no more                                      */
    bool peer_closed; /* a FIN came                                                     */
    bool shut_read, shut_write;
    bool wants_room;         /* told that there was no room: an edge when there is             */
    uint32_t largest_window; /* of the peer, so far                                           */
    int error;               /* SO_ERROR                                                       */
    hf_handle handle;        /* of connection or listener, 0: none                             */
    struct hf_endpoint local, remote;
    struct options options;
    struct zero_copy zero_copy;
};

struct epoll;

struct entry {
    enum kind kind;
    int fd;
    struct sock sock;
    struct epoll *epoll;
};

struct adapter {
    pthread_mutex_t lock;
    /* clock.c */
    pthread_cond_t other_wakes, main_wakes;
    pthread_t main_thread;
    bool other_busy;  /* a call in another thread has not yet told its end              */
    bool other_ended; /* ... has, and that thread goes on outside                       */
    pid_t other_tid;
    uint64_t round;         /* counts what may have changed something                         */
    uint64_t other_saw;     /* the round the other thread found nothing in                    */
    int64_t other_deadline; /* when it gives up                                               */
    int64_t now_ns;
    /* network.c */
    struct hf_stack *stack;
    struct hf_env env;
    uint32_t iface4, iface6, mtu4, mtu6;
    uint8_t local4[16], local6[16]; /* where connections come from that no bind tells          */
    struct packet *first, *last;
    struct sysctls sysctls;
    struct entry *entries[FD_COUNT];
};

/* clock.c */
void clock_begin(struct adapter *a);
bool clock_is_main(const struct adapter *a);
int64_t clock_after_ms(const struct adapter *a, int64_t ms); /* below 0: NEVER */
/* Everybody who waits has looked at what is new. */
void clock_settle(struct adapter *a);
/* Time passes up to this moment; timers fire in order. */
void clock_advance(struct adapter *a, int64_t to_ns);
/* Real time passes until the other thread, whose call has ended, sleeps again. */
void clock_let_other_go_on(struct adapter *a);
/* To whatever happens next by itself, at the latest at limit_ns; false: nothing will. */
bool clock_step(struct adapter *a, int64_t limit_ns);
typedef bool ready_fn(struct adapter *a, void *arg);
/* Waits; false: the deadline has passed, or nothing can ever happen. */
bool clock_wait(struct adapter *a, ready_fn *ready, void *arg, int64_t deadline_ns);

/* network.c */
int network_begin(struct adapter *a, const char *flags);
void network_end(struct adapter *a);
/* The stack's policy is what the sysctls say now. */
void network_refresh(struct adapter *a);
int network_own(struct adapter *a, const uint8_t ip[16]); /* an address of ours from now on */
void network_input(struct adapter *a, const void *packet, size_t n);
/* Packets, events: all that is owed now. */
void network_pump(struct adapter *a);
struct packet *network_take(struct adapter *a); /* the caller's to free; NULL: none */

/* sysctl.c */
void sysctl_read(struct sysctls *s);
void sysctl_apply(const struct sysctls *s, struct hf_policy *policy);

/* socket.c */
int fd_new(struct adapter *a, enum kind kind);
struct entry *fd_entry(const struct adapter *a, int fd); /* NULL: not ours */
struct sock *fd_sock(const struct adapter *a, int fd);   /* NULL: no socket */
int socket_new(struct adapter *a, int domain, int type, int protocol);
int socket_bind(struct adapter *a, struct sock *s, const struct sockaddr *addr, socklen_t len);
int socket_listen(struct adapter *a, int fd, struct sock *s, int backlog);
int socket_accept(struct adapter *a, struct sock *s, struct sockaddr *addr, socklen_t *len);
int socket_connect(struct adapter *a, int fd, struct sock *s, const struct sockaddr *addr,
                   socklen_t len);
/* fast: HF_FAST_OPEN_*: text may go with the SYN. */
int socket_begin_connect(struct adapter *a, int fd, struct sock *s,
                         const struct hf_endpoint *remote, int fast);
/* What a connect that has begun comes to, once; waits for it. */
int socket_end_connect(struct adapter *a, struct sock *s, int64_t deadline);
int socket_shutdown(struct adapter *a, struct sock *s, int how);
int fd_close(struct adapter *a, int fd);
void socket_event(struct adapter *a, const struct hf_event *event);
/* The other way round as bind and connect have it. */
int address_get(const struct sock *s, const struct sockaddr *addr, socklen_t len,
                struct hf_endpoint *to);
void address_put(const struct sock *s, const struct hf_endpoint *from, struct sockaddr *addr,
                 socklen_t *len);
/* SO_ERROR: read once. */
/* Room for those who were told that there was none: an edge. */
void socket_look_for_room(struct adapter *a);
int socket_take_error(struct sock *s);
/* hf_status; zeros, state CLOSED, without a connection. */
void socket_status(const struct adapter *a, const struct sock *s, struct hf_status *status);
void socket_apply_options(struct adapter *a, struct sock *s);

/* send.c */
/* The octets from `at` on that lie together, at most n; NULL: there is nothing at their address. */
const void *send_piece(const struct msghdr *msg, size_t at, size_t *n);
ssize_t send_message(struct adapter *a, int fd, const struct msghdr *msg, int flags);
uint32_t send_room(const struct adapter *a, const struct sock *s, const struct hf_status *status);
bool send_is_writable(const struct adapter *a, const struct sock *s,
                      const struct hf_status *status);

/* zero_copy.c */
void zero_copy_sent(struct adapter *a, struct sock *s);
/* Looks for sends that are acknowledged; true: there are new ones. */
bool zero_copy_look(struct adapter *a, struct sock *s);
ssize_t zero_copy_read(struct sock *s, struct msghdr *msg);

/* receive.c */
ssize_t receive_message(struct adapter *a, int fd, struct msghdr *msg, int flags);
uint32_t receive_inq(const struct hf_status *status);

/* option.c */
int option_set(struct adapter *a, struct sock *s, int level, int name, const void *value,
               socklen_t len);
int option_get(struct adapter *a, struct sock *s, int level, int name, void *value, socklen_t *len);
int option_fcntl(struct sock *s, int cmd, int arg);
int option_ioctl(struct adapter *a, struct sock *s, unsigned long request, int *value);

/* fastopen.c: TCP_FASTOPEN and its kin */
void fastopen_listens(struct adapter *a, const struct sock *s, int backlog);
void fastopen_refresh(struct adapter *a);
int fastopen_set_key(struct adapter *a, struct sock *s, const void *value, socklen_t len);
int fastopen_get_key(const struct adapter *a, const struct sock *s, void *value, socklen_t *len);
int fastopen_set_queue(struct adapter *a, struct sock *s, int number);

int fastopen_set_connect(struct adapter *a, struct sock *s, int number);
/* A connect that the first text goes with: octets of it, or an error; waits like connect. */
ssize_t fastopen_send(struct adapter *a, int fd, struct sock *s, const struct msghdr *msg,
                      size_t total, int flags, int64_t deadline);

/* info.c */
int info_get(struct adapter *a, struct sock *s, void *value, socklen_t *len);
int info_memory(struct adapter *a, struct sock *s, void *value, socklen_t *len);

/* poll.c */
uint32_t poll_mask(struct adapter *a, int fd); /* EPOLL* bits; POLLNVAL: not open */
int poll_wait(struct adapter *a, struct pollfd *fds, nfds_t n, int timeout_ms);

/* epoll.c */
struct epoll *epoll_new(void);
void epoll_free(struct epoll *epoll);
int epoll_control(struct adapter *a, int epfd, int op, int fd, const struct epoll_event *event);
int epoll_events(struct adapter *a, int epfd, struct epoll_event *events, int most, int timeout_ms);
bool epoll_is_ready(struct adapter *a, struct epoll *epoll);
/* Something happened to fd: bits of it, 0: anything. */
void epoll_edge(struct adapter *a, int fd, uint32_t bits);
void epoll_forget(struct adapter *a, int fd);

/* pipe.c */
ssize_t pipe_sendfile(struct adapter *a, int out, int in, off_t *at, size_t n);
int pipe_splice(struct adapter *a, int in, loff_t *in_at, int out, loff_t *out_at, size_t n,
                unsigned int flags);

#endif
