/* scripts.h - a library of peers that do not behave: each a small actor over common/peer.h, with
 * the behaviour that a correct stack must show as its assertion.
 *
 * An actor's name completes "a peer that ...".  When it has acted, the application lets go of its
 * handles and the peer falls silent: then every record, every octet of payload memory and every
 * timer must be given back, whatever the peer did (test_scripts.c).
 */
#ifndef PEERS_SCRIPTS_H
#define PEERS_SCRIPTS_H

#include "common/peer.h"

struct misbehaviour {
    const char *name;
    void (*acts)(struct peer *p);
};

/* Each ends with an entry without a name. */
extern const struct misbehaviour scripts_opening[], scripts_closing[], scripts_windows[],
    scripts_acks[], scripts_resets[], scripts_text[], scripts_options[];

/* The function of an actor. */
#define ACTOR(function) static void function(struct peer *p)

/* Takes everything that came out; returns how many segments that was. */
static inline uint32_t peers_take_all(struct peer *p)
{
    uint32_t n = 0;
    peer_pump(p);
    for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
        n += seen->is_tcp ? 1 : 0;
        peer_taken(p, seen);
    }
    return n;
}

#endif
