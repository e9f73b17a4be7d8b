/* demo.h - the parts of `handfast demo`. */
#ifndef HANDFAST_DEMO_H
#define HANDFAST_DEMO_H

#include "link.h"

#include <sys/types.h>

/* demo_data.c: what is sent, and SHA-256 of what arrives. */

struct demo_payload {
    int fd; /* a memfd that holds the octets */
    const uint8_t *data;
    uint64_t bytes;
    char sha256[65];
};

struct demo_hash {
    pid_t pid;
    int in;  /* write the octets here */
    int out; /* the answer comes from here */
};

int demo_payload_make(struct demo_payload *payload, uint64_t bytes, uint64_t seed);
bool demo_write_all(int fd, const void *data, uint64_t len);
int demo_hash_start(struct demo_hash *hash);
/* Closes the input and waits for the sum. */
int demo_hash_end(struct demo_hash *hash, char sha256[65]);
void demo_child_begins(void);
/* The exit status of a child, 128 + signal, or -1. */
int demo_reap(pid_t pid);

/* demo_watch.c: the ladders, the capture, and the frames that get lost. */

/* Each is lost once, in the fifth connection. */
enum demo_loss {
    LOSE_SYN,
    LOSE_SYN_ACK,
    LOSE_THIRD_ACK,
    LOSE_FIN,
    LOSE_ACK_OF_FIN,
    LOSE_OTHER_FIN,
    LOSE_LAST_ACK,
    DEMO_LOSSES,
    LOSE_NOTHING = DEMO_LOSSES
};

struct demo_lossy {
    bool on;
    bool lost[DEMO_LOSSES];
    uint32_t n_lost;
    bool our_fin_known, their_fin_known;
    uint32_t our_fin, their_fin; /* the sequence number behind each */
};

enum { DEMO_DIRECTORY_MAX = 480 }; /* octets of its name */

struct demo_options {
    const char *directory; /* of demo.pcapng and demo.svg */
    uint64_t bytes;        /* each way */
    uint32_t network;      /* HF_PRIVATE_*: which kind of device */
};

struct demo {
    struct demo_options options;
    struct hf_private *net;
    struct hf_host *host;
    struct hf_ladder_set *ladders;
    struct hf_comments *comments;
    struct hf_device *capture;
    struct demo_lossy lossy;
    struct demo_payload up, down;
    hf_handle listener;
    char title[96];    /* of the next connection's ladder */
    uint32_t iss, irs; /* of the present connection */
    uint64_t left_out; /* packets not written to the capture */
    char pcap_at_work[512], svg_at_work[512];
};

int demo_watch_open(struct demo *demo);
/* Wraps the device into impairment and capture; owns it from now on. */
int demo_watch_device(struct demo *demo, struct hf_device **device);
/* Writes demo.svg and gives both files their names. */
int demo_watch_finish(struct demo *demo);
/* Forgets everything; files that were not finished are removed. */
void demo_watch_close(struct demo *demo);
void demo_line(void *arg, const char *text, size_t len); /* an hf_text_fn: standard output */

/* demo_kernel.c: the other side. */

struct demo_server {
    pid_t pid;
    uint16_t port;
    int go; /* one octet ends its pause */
};

/* How the kernel's server answers one connection: an optional greeting, everything up to the end
 * of what comes goes to `out` (with echo also back), a pause, the reply, the end. */
struct demo_serve {
    bool ipv6;
    int out;
    const char *greeting;
    bool echo;
    const uint8_t *reply;
    uint64_t reply_bytes;
};

int demo_server_start(struct demo *demo, struct demo_server *server, const struct demo_serve *how);
void demo_server_goes_on(const struct demo_server *server); /* its pause is over */
/* curl sends demo->up to the URL; its standard output goes to `out`.  The new process, or -1. */
pid_t demo_curl_start(struct demo *demo, char *url, int out);

/* demo_connections.c: each draws itself.  number: 1 .. 5, for the heading. */
int demo_curl_to_handfast(struct demo *demo, int number, bool ipv6);
int demo_handfast_to_kernel(struct demo *demo, int number, bool ipv6);
int demo_lossy_connection(struct demo *demo, int number);

#endif
