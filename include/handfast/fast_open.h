/* fast_open.h - TCP Fast Open (RFC 7413): text on a SYN.  Included by handfast.h.
 *
 * Off unless an application asks for it with HF_FAST_OPEN.  A SYN that the network repeats after
 * the connection's end is delivered once more (section 6.1): only for requests that may be answered
 * twice.  Who opens many connections to one server does better to keep one (section 6.2:
 * RFC7413-28).
 */
#ifndef HANDFAST_FAST_OPEN_H
#define HANDFAST_FAST_OPEN_H

#include "handfast/handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* hf_policy.fast_open, RFC 7413: what applications may ask for; Linux's numbers.  Without a cookie
 * a spoofed SYN is believed: for networks where that cannot be. */
enum {
    HF_FAST_OPEN_CLIENT = 1u << 0,
    HF_FAST_OPEN_SERVER = 1u << 1,
    HF_FAST_OPEN_CLIENT_NO_COOKIE = 1u << 2, /* text goes on every SYN that asks for Fast Open    */
    HF_FAST_OPEN_KIND_254 = 1u << 3, /* the experimental option of before RFC 7413, too         */
    HF_FAST_OPEN_SERVER_NO_COOKIE = 1u << 9, /* any text on a SYN is taken, by such listeners     */
};

/* hf_status.fast_open, RFC 7413. */
enum {
    HF_FO_SYN_DATA = 1u << 0, /* text on the SYN was taken; ours: all of it                       */
    HF_FO_CHILD = 1u << 1,    /* opened by a SYN with a cookie                                    */
};

/* HF_FAST_OPEN of a listener: SYNs with a cookie open a connection at once, so many at most whose
 * handshake has not ended, 0 .. 65,535; 0: none.
 *
 * HF_FAST_OPEN of a connection, between hf_open and the hf_output that sends its SYN; afterwards
 * HF_ERR_NOT_CONNECTED.  HF_ERR_UNSUPPORTED, of both: hf_policy.fast_open does not have it.  Text
 * that hf_send takes before that goes with the SYN as far as hf_fast_open_room says, the rest once
 * the connection is open. */
enum {
    HF_FAST_OPEN_OFF,
    HF_FAST_OPEN_ON,
    HF_FAST_OPEN_DEFER, /* when the SYN can carry text, it waits for hf_send (or for ON), and the
                           user timeout with it; not where hf_send has taken text before */
};

/* Octets that the SYN of this connection, not sent yet, can carry; 0: none, as HF_FAST_OPEN is off,
 * text was lost there twice in a row, or no cookie of the server is known: then the SYN asks for
 * one.  HF_ERR_STALE_HANDLE. */
int64_t hf_fast_open_room(struct hf_stack *stack, const struct hf_env *env, hf_handle handle);
/* Forgets what servers have told: cookies, sizes, losses. */
int hf_fast_open_forget(struct hf_stack *stack, const struct hf_env *env);

/* Keys for the cookies of Fast Open (RFC 7413 4.1.2), 16 octets each: of one listener, or with
 * handle 0 of all that have none of their own.  Cookies are made with primary and taken of both:
 * keys are changed by giving the old one as backup for a while.  backup may be NULL.  In the
 * beginning there is one of the seed's.  The keys are copied.  HF_ERR_INVALID: primary is NULL;
 * HF_ERR_STALE_HANDLE: it is no listener's. */
int hf_fast_open_keys(struct hf_stack *stack, const struct hf_env *env, hf_handle listener,
                      const uint8_t primary[16], const uint8_t *backup);

#ifdef __cplusplus
}
#endif
#endif
