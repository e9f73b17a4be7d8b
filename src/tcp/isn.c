/* isn.c - numbers nobody shall guess: RFC 6528 (ISN), RFC 7323 5.4 (timestamps), RFC 6056 (ports).
 *
 * All but ports are SipHash-2-4 of the connection's addresses and ports under keys of their own, so
 * that nothing need be remembered: the same four give the same offset again, and numbers of
 * connections that follow each other ascend (RFC 6191 relies on it).
 */
#include "tcp/tcp.h"

enum { PROBES_MAX = 32 };

/* RFC6528-3 */
static uint64_t hash_id(const struct tcp *tcp, const struct sip_key *key, const struct conn_id *id,
                        uint16_t lport)
{
    HF_COUNT(tcp->b->work.hashed, 1);
    (void)tcp;
    uint32_t ports = (uint32_t)id->rport << 16 | lport;
    if (id->v4) {
        uint64_t both = (uint64_t)get_be32(id->local + 12) << 32 | get_be32(id->remote + 12);
        return sip24_12(key, both, ports);
    }
    uint64_t words[4] = {get_be64(id->local), get_be64(id->local + 8), get_be64(id->remote),
                         get_be64(id->remote + 8)};
    return sip24_36(key, words, ports);
}

/* RFC 6528 3: ISN = M + F(), M a clock of 4 microseconds (RFC 9293 3.4.1, MUST-8).  SHLD-1, MUST-9,
 * RFC6528-1, RFC6528-2 */
seq_t tcp_choose_iss(const struct tcp *tcp, const struct conn_id *id)
{
    uint32_t m = (uint32_t)div_down(tcp->env->now_ns, 4000);
    return seq(m + (uint32_t)hash_id(tcp, &secret_of(tcp)->isn, id, id->lport));
}

/* RFC 1122 4.2.2.13 (a): for a connection that replaces one in TIME-WAIT.
 * RFC6191-8, RFC6528-5 */
seq_t tcp_iss_above(seq_t iss, seq_t nxt)
{
    return seq_gt(iss, nxt) ? iss : seq_add(nxt, 1 + 64000);
}

static uint64_t ts_hash(const struct tcp *tcp, const struct conn_id *id)
{
    struct hash_memo *memo = tcp_hash_memo(tcp, id);
    if (memo && memo->ts_known) {
        HF_COUNT(tcp->b->work.hashed, 1); /* as if not */
        return memo->ts;
    }
    uint64_t hash = hash_id(tcp, &secret_of(tcp)->ts, id, id->lport);
    if (memo) {
        memo->ts = hash;
        memo->ts_known = 1;
    }
    return hash;
}

/* RFC6191-8, RFC7323-49 */
struct tcp_offsets tcp_offsets(const struct tcp *tcp, const struct conn_id *id)
{
    uint64_t hash = ts_hash(tcp, id);
    return (struct tcp_offsets){.ts = (uint32_t)hash, .cookie = (uint32_t)(hash >> 32)};
}

/* RFC 6056 3.3.2: each port is drawn by lot.  A counter, whatever it is hashed with, is shared by
 * several peers, and each of them sees the others in it (CVE-2022-1012).  A port that any record
 * still uses, also one in TIME-WAIT, is passed over; after PROBES_MAX in a row there is none, and
 * in a range no larger than that all are looked at. RFC6056-1, RFC6056-2, RFC6056-3, RFC6056-4,
 * RFC6056-5 */
uint16_t tcp_choose_port(struct tcp *tcp, struct conn_id *id)
{
    const struct hf_policy *policy = &tcp->b->policy;
    struct tcp_secret *secret = secret_of(tcp);
    uint32_t range = (uint32_t)policy->port_last - policy->port_first + 1;
    for (uint32_t i = 0; i < min_u32(PROBES_MAX, range); i++) {
        uint32_t place =
            range > PROBES_MAX ? rng_below(&secret->rng, range) : secret->port_next++ % range;
        id->lport = (uint16_t)(policy->port_first + place);
        tcp_hash(tcp, id);
        if (tcp_find(tcp, id) == 0) {
            return id->lport;
        }
    }
    return 0;
}
