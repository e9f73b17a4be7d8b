/* group.c - the queues of one interface in one process (HF_DEVICE_QUEUE).  A hash decides which
 * queue a frame comes to, and what belongs to no flow comes to just one of them: answers to ARP
 * (RFC 826) and neighbour discovery (RFC 4861), errors of ICMP (RFC 792, RFC 4443).  Any of the
 * stacks may be waiting for these, so the queue that gets one gives copies to the others. Questions
 * (ARP, echo) stay where they come in: one answer is enough.
 *
 * Copies lie in the inbox of a queue until it receives.  An epoll descriptor that watches both the
 * device and the inbox stands for the device.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/device.h"

enum { LETTERS = 32, LETTER_BYTES = 1536 };

struct letter {
    uint32_t len, flags;
    uint8_t data[LETTER_BYTES];
};

struct dev_member {
    struct dev_group *group;
    struct dev_member *next;
    int device_fd, bell_fd, epoll_fd; /* bell_fd: there is mail */
    int events;                       /* what device_fd is watched for */
    uint32_t link;                    /* enum hf_link */
    atomic_bool mail;
    uint32_t first, n; /* letters in the inbox, ... */
    uint32_t n_taken;  /* ... of which the stack reads these */
    struct letter inbox[LETTERS];
};

struct dev_group {
    struct dev_group *next;
    struct dev_member *members;
    const struct hf_device_calls *calls; /* which kind of device */
    ino_t net;                           /* of this network namespace */
    char name[DEV_NAME_BYTES];
    int fanout; /* number of packet(7); -1: none yet */
};

/* Joining, leaving and mail: all of them are rare. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct dev_group *groups;

/* What is for all ------------------------------------------------------------------------------ */

static bool icmp4_for_all(const uint8_t *ip, uint32_t len)
{
    enum { UNREACHABLE = 3, REDIRECT = 5, TIME_EXCEEDED = 11, PARAMETER_PROBLEM = 12 };
    uint32_t header = (uint32_t)(ip[0] & 15) * 4;
    bool first_fragment = ((ip[6] & 0x1f) | ip[7]) == 0;
    if (ip[9] != IPPROTO_ICMP || !first_fragment || len <= header) {
        return false;
    }
    uint8_t type = ip[header];
    return type == UNREACHABLE || type == REDIRECT || type == TIME_EXCEEDED ||
           type == PARAMETER_PROBLEM;
}

static bool icmp6_for_all(const uint8_t *ip, uint32_t len)
{
    enum { HEADER = 40, ERRORS = 4, ROUTER = 134, NEIGHBOUR = 136, REDIRECT = 137 };
    if (len <= HEADER || ip[6] != IPPROTO_ICMPV6) {
        return false;
    }
    uint8_t type = ip[HEADER];
    return type <= ERRORS || type == ROUTER || type == NEIGHBOUR || type == REDIRECT;
}

static bool is_for_all(const uint8_t *data, uint32_t len, uint32_t link)
{
    enum { ARP_REPLY = 2, ARP_OPERATION = 6, ARP_BYTES = 28, IP_BYTES = 20 };
    if (link == HF_LINK_ETHERNET) {
        if (len < ETH_HLEN + IP_BYTES) {
            return false;
        }
        uint32_t type = (uint32_t)data[12] << 8 | data[13];
        data += ETH_HLEN;
        len -= ETH_HLEN;
        if (type == ETH_P_ARP) {
            return len >= ARP_BYTES && data[ARP_OPERATION] == 0 &&
                   data[ARP_OPERATION + 1] == ARP_REPLY;
        }
        if (type != ETH_P_IP && type != ETH_P_IPV6) {
            return false;
        }
    }
    return len >= IP_BYTES && (data[0] >> 4 == 4 ? icmp4_for_all(data, len)
                                                 : data[0] >> 4 == 6 && icmp6_for_all(data, len));
}

/* Mail ----------------------------------------------------------------------------------------- */

static void put_letter(struct dev_member *to, const struct hf_frame_in *frame)
{
    if (to->n == LETTERS) {
        return; /* lost, as in any queue that is full */
    }
    struct letter *letter = &to->inbox[(to->first + to->n) % LETTERS];
    memcpy(letter->data, frame->data, frame->len);
    letter->len = frame->len;
    letter->flags = frame->flags & HF_FRAME_CSUM_OK;
    to->n++;
    if (!atomic_load_explicit(&to->mail, memory_order_relaxed)) {
        const uint64_t one = 1;
        atomic_store(&to->mail, true);
        (void)!write(to->bell_fd, &one, sizeof one);
    }
}

static void give_to_others(const struct dev_member *from, const struct hf_frame_in *frame)
{
    pthread_mutex_lock(&lock);
    for (struct dev_member *to = from->group->members; to != NULL; to = to->next) {
        if (to != from) {
            put_letter(to, frame);
        }
    }
    pthread_mutex_unlock(&lock);
}

static uint32_t take_letters(struct dev_member *member, struct hf_frame_in *frames, uint32_t n)
{
    uint64_t rung;
    pthread_mutex_lock(&lock);
    for (; member->n_taken < n && member->n_taken < member->n; member->n_taken++) {
        const struct letter *letter = &member->inbox[(member->first + member->n_taken) % LETTERS];
        frames[member->n_taken] = (struct hf_frame_in){
            .data = letter->data, .len = letter->len, .flags = (uint16_t)letter->flags};
    }
    if (member->n_taken == member->n) {
        atomic_store(&member->mail, false);
        (void)!read(member->bell_fd, &rung, sizeof rung);
    }
    pthread_mutex_unlock(&lock);
    return member->n_taken;
}

void dev_group_flush(struct dev_member *member)
{
    if (member->n_taken != 0) {
        pthread_mutex_lock(&lock);
        member->first = (member->first + member->n_taken) % LETTERS;
        member->n -= member->n_taken;
        member->n_taken = 0;
        pthread_mutex_unlock(&lock);
    }
}

uint32_t dev_group_receive(struct dev_member *member, struct hf_frame_in *frames, uint32_t got,
                           uint32_t n)
{
    dev_group_flush(member);
    for (uint32_t i = 0; i < got; i++) {
        const struct hf_frame_in *frame = &frames[i];
        if (frame->len <= LETTER_BYTES && is_for_all(frame->data, frame->len, member->link)) {
            give_to_others(member, frame);
        }
    }
    bool mail = atomic_load_explicit(&member->mail, memory_order_acquire);
    return mail ? got + take_letters(member, frames + got, n - got) : got;
}

void dev_group_watch(struct dev_member *member, int events)
{
    if (events != member->events) {
        struct epoll_event event = {.events = (uint32_t)events};
        (void)epoll_ctl(member->epoll_fd, EPOLL_CTL_MOD, member->device_fd, &event);
        member->events = events;
    }
}

/* Members -------------------------------------------------------------------------------------- */

static bool watch_both(struct dev_member *member)
{
    struct epoll_event event = {.events = POLLIN};
    member->events = POLLIN;
    member->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    member->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return member->bell_fd >= 0 && member->epoll_fd >= 0 &&
           epoll_ctl(member->epoll_fd, EPOLL_CTL_ADD, member->bell_fd, &event) == 0 &&
           epoll_ctl(member->epoll_fd, EPOLL_CTL_ADD, member->device_fd, &event) == 0;
}

static void free_member(struct dev_member *member)
{
    if (member->bell_fd >= 0) {
        close(member->bell_fd);
    }
    if (member->epoll_fd >= 0) {
        close(member->epoll_fd);
    }
    free(member);
}

/* The one there is, or a new one; NULL: no memory. */
static struct dev_group *group_of(const struct hf_device *device)
{
    struct stat net = {0};
    (void)stat("/proc/thread-self/ns/net", &net);
    struct dev_group *group = groups;
    while (group != NULL && (group->net != net.st_ino || group->calls != device->calls ||
                             strcmp(group->name, device->name) != 0)) {
        group = group->next;
    }
    if (group == NULL && (group = calloc(1, sizeof *group)) != NULL) {
        *group = (struct dev_group){
            .next = groups, .calls = device->calls, .net = net.st_ino, .fanout = -1};
        dev_copy_name(group->name, sizeof group->name, device->name);
        groups = group;
    }
    return group;
}

static int join(struct hf_device *device)
{
    struct dev_member *member = calloc(1, sizeof *member);
    if (member == NULL) {
        return -ENOMEM;
    }
    member->device_fd = device->fd;
    member->link = device->iface.link;
    if (!watch_both(member)) {
        int err = -errno;
        free_member(member);
        return err;
    }
    pthread_mutex_lock(&lock);
    member->group = group_of(device);
    if (member->group != NULL) {
        member->next = member->group->members;
        member->group->members = member;
    }
    pthread_mutex_unlock(&lock);
    if (member->group == NULL) {
        free_member(member);
        return -ENOMEM;
    }
    device->member = member;
    device->fd = member->epoll_fd;
    return 0;
}

int dev_join_if_queue(struct hf_device **device, uint32_t flags, char error[HF_ERROR_TEXT])
{
    int err = (flags & HF_DEVICE_QUEUE) != 0 ? join(*device) : 0;
    if (err < 0) {
        (void)dev_fail(error, err, "%s: one queue of several cannot be used: %s", (*device)->name,
                       strerror(-err));
        hf_device_close(*device);
        *device = NULL;
    }
    return err;
}

/* The first one lets the kernel find a number that nobody uses. */
int dev_group_fanout(struct dev_member *member)
{
    struct dev_group *group = member->group;
    uint32_t way = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG;
    pthread_mutex_lock(&lock);
    bool first = group->fanout < 0;
    way |= first ? PACKET_FANOUT_FLAG_UNIQUEID : 0;
    uint32_t wanted = way << 16 | (first ? 0 : (uint32_t)group->fanout);
    uint32_t got = 0;
    socklen_t len = sizeof got;
    int fd = member->device_fd;
    int err = setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &wanted, sizeof wanted) != 0 ? -errno : 0;
    if (err == 0 && first && getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &got, &len) == 0) {
        group->fanout = (int)(got & 0xffff);
    }
    pthread_mutex_unlock(&lock);
    return err;
}

void dev_group_leave(struct dev_member *member)
{
    struct dev_group *group = member->group;
    pthread_mutex_lock(&lock);
    struct dev_member **at = &group->members;
    while (*at != member) {
        at = &(*at)->next;
    }
    *at = member->next;
    if (group->members == NULL) {
        struct dev_group **place = &groups;
        while (*place != group) {
            place = &(*place)->next;
        }
        *place = group->next;
        free(group);
    }
    pthread_mutex_unlock(&lock);
    free_member(member);
}
