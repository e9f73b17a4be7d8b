/* The host's loop: other descriptors have their turn however many frames come, and frames of a TUN
 * are lent to the stack, as many as the device can do without. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/host.h"

enum { PORT = 4000, CONNECTIONS = 64, EACH = 1 << 17, LONG_MS = 20000, MS_NS = 1000000 };

/* A device that always has one more frame, of no use to anybody. */
static int give_one(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    static const uint8_t rubbish[20];
    (void)self;
    (void)now_ns;
    (void)n;
    frames[0] = (struct hf_frame_in){.data = rubbish, .len = sizeof rubbish};
    return 1;
}

static int take_all(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    (void)self;
    (void)now_ns;
    (void)frames;
    return (int)n;
}

static void close_nothing(void *self)
{
    (void)self;
}

static void note(struct hf_host *host, void *arg, int fd, int revents)
{
    (void)host;
    (void)fd;
    (void)revents;
    ++*(int *)arg;
}

static void frames_without_end_leave_other_descriptors_their_turn(void **state)
{
    static const struct hf_device_calls calls = {
        .struct_size = sizeof calls, .receive = give_one, .send = take_all, .close = close_nothing};
    static const struct hf_interface iface = {.link = HF_LINK_IP, .mtu = 1500};
    struct hf_device *device;
    struct hf_host *host;
    int seen = 0, turns = 100, fd = eventfd(1, EFD_CLOEXEC);
    (void)state;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_device_new(&device, &calls, NULL, &iface, fd, "rubbish"), 0);
    assert_int_equal(hf_host_attach(host, device), 1);
    assert_int_equal(hf_host_watch(host, fd, POLLIN, note, &seen), 0);
    for (int i = 0; i < turns; i++) {
        assert_int_equal(hf_host_run_once(host, 0), 0);
    }
    assert_in_range(seen, turns / 10, turns);
    hf_host_free(host);
    close(fd);
}

/* A device that was taken away finds out when it is to send. */
static int send_to_nowhere(void *self, int64_t now_ns, const struct hf_frame_out *frames,
                           uint32_t n)
{
    return *(const bool *)self ? -ENODEV : take_all(NULL, now_ns, frames, n);
}

static int give_nothing(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    (void)now_ns;
    (void)frames;
    (void)n;
    return *(const bool *)self ? -ENODEV : 0;
}

static int give_none(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    (void)self;
    (void)now_ns;
    (void)frames;
    (void)n;
    return 0;
}

static void open_many(struct hf_host *host, const char *address, int n)
{
    struct hf_endpoint remote;
    hf_handle handle;
    assert_int_equal(hf_host_resolve(host, address, "80", 4, &remote, 1), 1);
    for (int i = 0; i < n; i++) {
        assert_int_equal(hf_open(hf_host_stack(host), hf_host_env(host), NULL, &remote, 0, &handle),
                         0);
    }
}

/* A device of somebody's own that has this to say whenever it is asked. */
static int fail_to_give(void *self, int64_t now_ns, struct hf_frame_in *frames, uint32_t n)
{
    (void)now_ns;
    (void)frames;
    (void)n;
    return *(const int *)self;
}

static int fail_to_take(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    return *(const int *)self < 0 ? *(const int *)self : take_all(NULL, now_ns, frames, n);
}

static struct hf_device *new_leaver(bool *gone, const char *name)
{
    static const struct hf_device_calls calls = {.struct_size = sizeof calls,
                                                 .receive = give_nothing,
                                                 .send = send_to_nowhere,
                                                 .close = close_nothing};
    static const struct hf_interface iface = {.link = HF_LINK_IP, .mtu = 1500};
    struct hf_device *device;
    assert_int_equal(hf_device_new(&device, &calls, gone, &iface, -1, name), 0);
    return device;
}

static void expect_gone(struct hf_host *host, const char *words)
{
    assert_int_equal(hf_host_run_once(host, 0), -ENODEV);
    assert_non_null(strstr(hf_host_error(host), words));
}

static void devices_that_go_together_are_told_one_after_the_other(void **state)
{
    struct hf_host *host, *other;
    bool gone = true;
    (void)state;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_host_new(&other, NULL), 0);
    hf_host_join(host, other);
    assert_int_equal(hf_host_attach(host, new_leaver(&gone, "first")), 1);
    assert_int_equal(hf_host_attach(host, new_leaver(&gone, "second")), 2);
    assert_int_equal(hf_host_attach(other, new_leaver(&gone, "third")), 1);
    expect_gone(host, "first: the device is gone");
    expect_gone(host, "second: the device is gone");
    expect_gone(host, "third: the device is gone");
    assert_int_equal(hf_host_run_once(host, 0), 0);
    hf_host_free(host);
    hf_host_free(other);
}

static void a_device_that_is_down_or_out_of_memory_is_not_gone(void **state)
{
    static const struct hf_device_calls calls = {.struct_size = sizeof calls,
                                                 .receive = fail_to_give,
                                                 .send = fail_to_take,
                                                 .close = close_nothing};
    static const struct hf_interface iface = {.link = HF_LINK_IP, .mtu = 1500};
    static const int passing[] = {-ENETDOWN, -ENOMEM};
    struct hf_host *host;
    struct hf_device *device;
    int says = 0;
    (void)state;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_device_new(&device, &calls, &says, &iface, -1, "own"), 0);
    assert_int_equal(hf_host_attach(host, device), 1);
    assert_int_equal(hf_host_address(host, 1, "10.1.0.2/24"), 0);
    for (int i = 0; i < 2; i++) {
        says = passing[i];
        open_many(host, "10.1.0.1", 1);
        assert_int_equal(hf_host_run_once(host, 0), 0);
        assert_int_equal(host->n_pending, 0); /* it is lost, and goes again */
    }
    says = -ENODEV;
    expect_gone(host, "own: the device is gone");
    hf_host_free(host);
}

static void count_close(void *self)
{
    ++*(int *)self;
}

static struct hf_device *new_ethernet(int *closed, const char *name)
{
    static const struct hf_device_calls calls = {
        .struct_size = sizeof calls, .receive = give_none, .send = take_all, .close = count_close};
    static const struct hf_interface iface = {
        .link = HF_LINK_ETHERNET, .mac = {2, 0, 0, 0, 0, 9}, .mtu = 1500};
    struct hf_device *device;
    assert_int_equal(hf_device_new(&device, &calls, closed, &iface, -1, name), 0);
    return device;
}

static void a_device_that_cannot_be_attached_is_closed_and_the_host_goes_on(void **state)
{
    struct hf_config config = {.struct_size = sizeof config};
    struct hf_host_options options = {.struct_size = sizeof options, .config = &config};
    struct hf_host *host;
    struct hf_endpoint remote;
    int closed[3] = {0};
    (void)state;
    hf_config_default(&config, 2);
    config.max_addresses = 2;
    config.max_interfaces = 3;
    assert_int_equal(hf_host_new(&host, &options), 0);
    assert_int_equal(hf_host_attach(host, new_ethernet(&closed[0], "first")), 1);
    assert_int_equal(hf_host_address(host, 1, "10.1.0.2/24"), 0);
    assert_int_equal(hf_host_attach(host, new_ethernet(&closed[1], "second")), -ENOBUFS);
    assert_int_equal(closed[1], 1);
    assert_non_null(strstr(hf_host_error(host), "second: no link-local address"));
    assert_null(hf_host_device(host, 2));
    assert_int_equal(hf_host_address(host, 2, "10.2.0.2/24"), -EINVAL);
    assert_int_equal(hf_host_route(host, 2, "default", "10.2.0.1"), -EINVAL);
    assert_int_equal(hf_host_resolve(host, "fe80::1%second", "80", 0, &remote, 1), -EINVAL);
    assert_int_equal(hf_host_resolve(host, "fe80::1%2", "80", 0, &remote, 1), -EINVAL);
    assert_int_equal(hf_host_run_once(host, 0), 0);
    assert_int_equal(hf_address_remove(hf_host_stack(host), hf_host_env(host), 1,
                                       (const uint8_t[16]){[10] = 0xff, 0xff, 10, 1, 0, 2}),
                     0);
    assert_int_equal(hf_host_attach(host, new_ethernet(&closed[2], "third")), 3);
    assert_int_equal(hf_host_resolve(host, "fe80::1%third", "80", 0, &remote, 1), 1);
    assert_int_equal(remote.iface, 3);
    assert_int_equal(hf_host_run_once(host, 0), 0);
    hf_host_free(host);
    assert_true(closed[0] == 1 && closed[1] == 1 && closed[2] == 1);
}

static void of_two_default_routes_there_are_both_or_none(void **state)
{
    static const struct hf_device_calls calls = {.struct_size = sizeof calls,
                                                 .receive = give_none,
                                                 .send = take_all,
                                                 .close = close_nothing};
    static const struct hf_interface small = {.link = HF_LINK_IP, .mtu = HF_IPV6_MTU_MIN - 1};
    struct hf_device *device;
    struct hf_host *host;
    (void)state;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_device_new(&device, &calls, NULL, &small, -1, "small"), 0);
    assert_int_equal(hf_host_attach(host, device), 1);
    assert_int_equal(hf_host_route(host, 1, "default", NULL), -EINVAL);
    assert_non_null(strstr(hf_host_error(host), "::/0: no route"));
    assert_int_equal(hf_host_route(host, 1, "0.0.0.0/0", NULL), 0); /* is not there */
    assert_int_equal(hf_host_route(host, 1, "0.0.0.0/0", NULL), -EADDRINUSE);
    hf_host_free(host);
}

static void a_device_that_is_gone_when_it_is_to_send_is_told_at_once_and_once(void **state)
{
    struct hf_endpoint remote = {.port = PORT};
    struct hf_host *host;
    hf_handle handle;
    bool gone = false;
    (void)state;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_host_attach(host, new_leaver(&gone, "taken")), 1);
    assert_int_equal(hf_host_address(host, 1, "10.1.0.2/24"), 0);
    assert_int_equal(hf_host_resolve(host, "10.1.0.1", "80", 4, &remote, 1), 1);
    assert_int_equal(hf_open(hf_host_stack(host), hf_host_env(host), NULL, &remote, 0, &handle), 0);
    gone = true;
    int64_t begin_ns = hf_host_env(host)->now_ns;
    assert_int_equal(hf_host_run_once(host, INT64_C(10000) * MS_NS), -ENODEV);
    assert_true(hf_host_env(host)->now_ns - begin_ns < INT64_C(900) * MS_NS); /* the SYN's timer */
    assert_non_null(strstr(hf_host_error(host), "taken: the device is gone"));
    assert_int_equal(hf_host_run_once(host, 0), 0);
    hf_host_free(host);
}

/* A device that takes as many frames as it may, and counts them. */
struct taker {
    uint32_t may, taken;
};

static int take_some(void *self, int64_t now_ns, const struct hf_frame_out *frames, uint32_t n)
{
    struct taker *taker = self;
    (void)now_ns;
    (void)frames;
    n = n < taker->may ? n : taker->may;
    taker->taken += n;
    return (int)n;
}

static void attach_taker(struct hf_host *host, struct taker *taker, int number, const char *address)
{
    static const struct hf_device_calls calls = {.struct_size = sizeof calls,
                                                 .receive = give_none,
                                                 .send = take_some,
                                                 .close = close_nothing};
    static const struct hf_interface iface = {.link = HF_LINK_IP, .mtu = 1500};
    struct hf_device *device;
    assert_int_equal(hf_device_new(&device, &calls, taker, &iface, -1, "taker"), 0);
    assert_int_equal(hf_host_attach(host, device), number);
    assert_int_equal(hf_host_address(host, number, address), 0);
}

static void run_for(struct hf_host *host, int64_t ns)
{
    int64_t end_ns = hf_host_env(host)->now_ns + ns;
    while (hf_host_env(host)->now_ns < end_ns) {
        assert_int_equal(hf_host_run_once(host, MS_NS), 0);
    }
}

static void a_device_that_takes_nothing_holds_up_no_other_one(void **state)
{
    struct taker takers[2] = {{.may = 0}, {.may = UINT32_MAX}};
    struct hf_host *host;
    (void)state;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    attach_taker(host, &takers[0], 1, "10.1.0.2/24");
    attach_taker(host, &takers[1], 2, "10.2.0.2/24");
    open_many(host, "10.1.0.1", 600);
    run_for(host, INT64_C(300) * MS_NS);
    open_many(host, "10.2.0.1", 1);
    hf_host_flush(host);
    assert_int_equal(takers[1].taken, 1);
    assert_int_equal(takers[0].taken, 0);
    takers[0].may = UINT32_MAX; /* and it may come back: repeats leave */
    for (int i = 0; i < 12 || (i < 100 && takers[0].taken < 600); i++) {
        run_for(host, INT64_C(100) * MS_NS);
    }
    assert_int_equal(takers[0].taken, 600);
    hf_host_free(host);
}

/* A single one is waited for. */
static void what_a_single_device_does_not_take_is_kept_for_it(void **state)
{
    struct taker taker = {.may = 0};
    struct hf_host *host;
    (void)state;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    attach_taker(host, &taker, 1, "10.1.0.2/24");
    open_many(host, "10.1.0.1", 50);
    run_for(host, INT64_C(300) * MS_NS);
    taker.may = UINT32_MAX;
    hf_host_flush(host);
    assert_int_equal(taker.taken, 50);
    hf_host_free(host);
}

/* What a host of several does to another one while they are at work. */
static void watch_for_another(struct hf_host *host, void *arg, int fd, int revents)
{
    static int seen;
    (void)revents;
    assert_int_equal(hf_host_watch(arg, eventfd(0, EFD_CLOEXEC), POLLIN, note, &seen), 0);
    (void)hf_host_unwatch(host, fd);
}

static void who_watches_for_another_host_takes_no_events_from_a_third(void **state)
{
    struct hf_host *hosts[3];
    int seen = 0, first = eventfd(1, EFD_CLOEXEC), third = eventfd(1, EFD_CLOEXEC);
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hf_host_new(&hosts[i], NULL), 0);
    }
    hf_host_join(hosts[1], hosts[2]);
    hf_host_join(hosts[0], hosts[1]);
    struct hf_host *second = hosts[0]->next; /* in whichever order they are at work */
    assert_int_equal(hf_host_watch(hosts[0], first, POLLIN, watch_for_another, second), 0);
    assert_int_equal(hf_host_watch(second->next, third, POLLIN, note, &seen), 0);
    assert_int_equal(hf_host_run_once(hosts[0], 0), 0);
    assert_int_equal(seen, 1);
    close(second->watches[0].fd);
    for (int i = 0; i < 3; i++) {
        hf_host_free(hosts[i]);
    }
    close(first);
    close(third);
}

/* Posted: the next host watches nothing any more, and all have a turn within this one. */
static void unwatch_and_wait(struct hf_host *host, void *arg)
{
    const int *fds = arg;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hf_host_unwatch(host->next, fds[i]), 0);
    }
    assert_int_equal(hf_host_run_once(host, 0), 0);
}

static void what_poll_found_before_a_turn_within_a_turn_is_old(void **state)
{
    struct hf_host *hosts[3];
    int seen = 0, other = 0, fds[2] = {eventfd(1, EFD_CLOEXEC), eventfd(1, EFD_CLOEXEC)};
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hf_host_new(&hosts[i], NULL), 0);
    }
    hf_host_join(hosts[1], hosts[2]);
    hf_host_join(hosts[0], hosts[1]);
    struct hf_host *second = hosts[0]->next, *third = second->next;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hf_host_watch(second, fds[i], POLLIN, note, &other), 0);
    }
    assert_int_equal(hf_host_watch(third, fds[1], POLLIN, note, &seen), 0);
    assert_int_equal(hf_host_post(hosts[0], unwatch_and_wait, fds), 0);
    assert_int_equal(hf_host_run_once(hosts[0], 0), 0);
    assert_int_equal(other, 0);
    assert_int_equal(seen, 1); /* within the turn within */
    for (int i = 0; i < 3; i++) {
        hf_host_free(hosts[i]);
    }
    close(fds[0]);
    close(fds[1]);
}

/* Posted: a host with watches of its own joins, and has not been asked for in this turn. */
static void join_in(struct hf_host *host, void *arg)
{
    hf_host_join(host, arg);
}

static void who_joins_within_a_turn_has_its_first_one_after_it(void **state)
{
    struct hf_host *host, *joins;
    int seen = 0, fd = eventfd(1, EFD_CLOEXEC);
    (void)state;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_host_new(&joins, NULL), 0);
    assert_int_equal(hf_host_watch(joins, fd, POLLIN, note, &seen), 0);
    assert_int_equal(hf_host_run_once(joins, 0), 0);
    assert_int_equal(seen, 1);
    assert_int_equal(hf_host_watch(host, fd, POLLIN, note, &seen), 0);
    assert_int_equal(hf_host_post(host, join_in, joins), 0);
    assert_int_equal(hf_host_run_once(host, 0), 0);
    assert_int_equal(seen, 2);
    hf_host_free(host);
    hf_host_free(joins);
    close(fd);
}

/* Many connections from the kernel whose text nobody reads yet. */
struct crowd {
    struct hf_private *net;
    struct hf_host *host;
    hf_handle at[CONNECTIONS];
    int fd[CONNECTIONS];
    size_t sent[CONNECTIONS];
};

static uint8_t octet(size_t connection, size_t i)
{
    return (uint8_t)(connection + i * 7 + (i >> 8));
}

static void gather(struct crowd *crowd, uint32_t lent_chunks)
{
    struct hf_private_options tun = {.struct_size = sizeof tun, .flags = HF_PRIVATE_TUN};
    struct hf_config config;
    struct hf_host_options options = {.struct_size = sizeof options, .config = &config};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    hf_handle listener;
    (void)inet_pton(AF_INET, "10.77.0.2", &to.sin_addr);
    memset(crowd, 0, sizeof *crowd);
    if (hf_private_open(&crowd->net, &tun, NULL) < 0) {
        skip();
    }
    hf_config_default(&config, 1024);
    config.lent_chunks = lent_chunks;
    assert_int_equal(hf_host_new(&crowd->host, &options), 0);
    assert_int_equal(hf_private_attach(crowd->net, crowd->host), 1);
    assert_int_equal(hf_host_listen(crowd->host, NULL, "4000", CONNECTIONS, &listener), 0);
    for (int i = 0; i < CONNECTIONS; i++) {
        crowd->fd[i] = hf_private_socket(crowd->net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_int_equal(connect(crowd->fd[i], (struct sockaddr *)&to, sizeof to), -1);
        assert_int_equal(errno, EINPROGRESS);
        assert_int_equal(hf_host_accept(crowd->host, listener, LONG_MS, &crowd->at[i], NULL), 0);
    }
}

static size_t unread(const struct crowd *crowd)
{
    size_t all = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        struct hf_status status = {.struct_size = sizeof status};
        assert_int_equal(
            hf_status(hf_host_stack(crowd->host), hf_host_env(crowd->host), crowd->at[i], &status),
            0);
        all += status.unread_bytes;
    }
    return all;
}

static void send_some(struct crowd *crowd, int i)
{
    static uint8_t text[EACH];
    size_t from = crowd->sent[i];
    for (size_t k = from; k < EACH; k++) {
        text[k] = octet((size_t)i, k);
    }
    ssize_t n = send(crowd->fd[i], text + from, EACH - from, MSG_NOSIGNAL);
    assert_true(n > 0 || errno == EAGAIN);
    crowd->sent[i] += n > 0 ? (size_t)n : 0;
}

static void talk(struct crowd *crowd)
{
    while (unread(crowd) < (size_t)CONNECTIONS * EACH) {
        for (int i = 0; i < CONNECTIONS; i++) {
            if (crowd->sent[i] < EACH) {
                send_some(crowd, i);
            }
        }
        assert_int_equal(hf_host_run_once(crowd->host, MS_NS), 0);
    }
}

/* Reads all, which is what was sent. */
static void listen_to(struct crowd *crowd)
{
    static uint8_t text[EACH];
    for (int i = 0; i < CONNECTIONS; i++) {
        size_t got = 0;
        while (got < EACH) {
            ssize_t n = hf_host_recv(crowd->host, crowd->at[i], text + got, EACH - got, LONG_MS);
            assert_true(n > 0);
            got += (size_t)n;
        }
        for (size_t k = 0; k < EACH; k++) {
            if (text[k] != octet((size_t)i, k)) {
                fail_msg("connection %d, octet %zu", i, k);
            }
        }
    }
}

static void part(struct crowd *crowd)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        close(crowd->fd[i]);
    }
    hf_host_free(crowd->host);
    hf_private_close(crowd->net);
}

static void long_frames_are_lent_until_they_are_read(void **state)
{
    static struct crowd crowd;
    (void)state;
    gather(&crowd, 4096);
    talk(&crowd);
    assert_int_equal(crowd.host->n_lent, DEV_BATCH); /* and the device has as many for itself */
    listen_to(&crowd);
    assert_int_equal(hf_host_run_once(crowd.host, 0), 0);
    assert_int_equal(crowd.host->n_lent, 0);
    part(&crowd);
}

static void without_records_for_lent_frames_they_are_copied(void **state)
{
    static struct crowd crowd;
    (void)state;
    gather(&crowd, 0);
    talk(&crowd);
    assert_int_equal(crowd.host->n_lent, 0);
    listen_to(&crowd);
    part(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_without_end_leave_other_descriptors_their_turn),
        cmocka_unit_test(a_device_that_cannot_be_attached_is_closed_and_the_host_goes_on),
        cmocka_unit_test(of_two_default_routes_there_are_both_or_none),
        cmocka_unit_test(a_device_that_is_gone_when_it_is_to_send_is_told_at_once_and_once),
        cmocka_unit_test(devices_that_go_together_are_told_one_after_the_other),
        cmocka_unit_test(who_watches_for_another_host_takes_no_events_from_a_third),
        cmocka_unit_test(a_device_that_is_down_or_out_of_memory_is_not_gone),
        cmocka_unit_test(what_poll_found_before_a_turn_within_a_turn_is_old),
        cmocka_unit_test(who_joins_within_a_turn_has_its_first_one_after_it),
        cmocka_unit_test(a_device_that_takes_nothing_holds_up_no_other_one),
        cmocka_unit_test(what_a_single_device_does_not_take_is_kept_for_it),
        cmocka_unit_test(long_frames_are_lent_until_they_are_read),
        cmocka_unit_test(without_records_for_lent_frames_they_are_copied),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
