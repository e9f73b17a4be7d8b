/* active.h - RFC 9293 sections 3.4, 3.8: what a connection has while octets are in flight or
 * unread.
 *
 *     struct active   the queues, deadlines, and what congestion control and loss recovery know
 *     struct sent     40  a transmission not acknowledged yet (sent.c)
 *     struct range    32  text held ahead of RCV.NXT
 *     struct chunk    24  a piece of payload; struct lent: memory of the application's or a
 * device's struct ack_news what the ACK under way has told
 */
#ifndef TCP_ACTIVE_H
#define TCP_ACTIVE_H

#include "base/bytes.h"
#include "base/seq.h"
#include "tcp/seq_tree.h"

/* Where a sequence number lies in the send queue. */
struct cursor {
    seq_t at;
    uint32_t chunk; /* 0: the queue is empty                  */
    uint32_t skip;  /* octets of the chunk before `at`        */
};

enum { SACK_RECENT = 4, PROBE_DOUBLINGS = 16 /* of the wait for a probe, at most */ };
/* CWR: the window is being reduced though nothing was lost (ECN).  RFC6582-12: not the number of
 * duplicates */
enum recovery { RECOVERY_NONE, RECOVERY_CWR, RECOVERY_FAST, RECOVERY_RTO };

/* What active->rto_at_ms is the deadline of, while active->persist is 0: RFC 8985 8 has one timer
 * for the first three.  TIMER_SYN: the SYN behind a reset (handshake.c). */
enum timer_kind { TIMER_RTO, TIMER_RACK, TIMER_TLP, TIMER_SYN };

/* How far RFC 5682 has come, by its steps, and what a loss probe will be. */
enum frto { FRTO_OFF, FRTO_REPEATED, FRTO_NEW_TEXT };
enum probe { PROBE_NONE, PROBE_NEW, PROBE_REPEAT };

/* Octets in some state, and the segments they were sent in: all that is out, what of it the peer
 * holds, what is taken for lost, what was sent again and has not arrived. */
enum sent_sums { SUM_OUT, SUM_SACKED, SUM_LOST, SUM_AGAIN, SENT_SUMS };
struct sent_sum {
    uint32_t bytes, segs;
};

/* tally.cc_keep */
enum { KEEP_W_MAX, KEEP_PRIOR }; /* CUBIC's W_max, cwnd_prior in octets, 0: not known */

/* A congestion avoidance stage, RFC 9438 4.1.2; windows in octets. */
struct cubic_stage {
    uint32_t t_epoch_ms; /* its start, moved by the time that the window was not used; 0: none */
    uint32_t k_ms;
    uint32_t origin;     /* W_max as this stage goes by it                               */
    uint32_t w_est;      /* in steps of SMSS                                             */
    uint32_t cwnd_prior; /* cwnd when ssthresh was set last                              */
};

/* Growth of the congestion window: cwnd.c, hystart.c, cc_*.c. */
struct growth {
    uint32_t max_flight; /* octets in flight at most in this round ...                   */
    seq_t round_end;     /* ... which ends when this number is acknowledged              */
    seq_t full_end;
    uint32_t counted; /* octets acknowledged towards the next SMSS                       */
    uint32_t rtt_us;  /* sample of the ACK under way, 0: none                         */
    struct cubic_stage stage, undo_stage;
    uint32_t undo_w_max;
    uint32_t w_est_acked;   /* octets acknowledged towards W_est's next SMSS             */
    uint32_t per_smss;      /* segments acknowledged for one SMSS of growth ...          */
    uint32_t computed_ms;   /* ... as of then ...                                        */
    uint32_t computed_cwnd; /* ... for this window, 0: not computed                      */
    uint32_t grown_ms;      /* the last ACK that was allowed to let it grow              */
    uint32_t limited_ms;    /* limited: since when not all of the window was used        */
    uint8_t limited;
    uint8_t full; /* the flight has filled the window, until full_end is acknowledged    */
    /* Slow start: this round of it */
    uint8_t rounds;  /* begun, 255 at most; 0: none                                      */
    uint8_t samples; /* of the round-trip time                                           */
    uint8_t css;     /* RFC 9406 Conservative Slow Start: rounds begun, 0: not in it     */
    seq_t window_end;
    uint32_t round_start_us, last_ack_us;
    uint32_t round_rtt_us, last_rtt_us; /* the least of this round, of the last; 0: none */
    uint32_t baseline_us;               /* RFC 9406 cssBaselineMinRtt                    */
};

/* active.fast, RFC 7413: while our SYN is out. */
enum {
    FAST_PENDING = 1u << 0, /* a child whose handshake has not ended: counts at its listener */
    FAST_OPTION = 1u << 1,  /* our SYN or SYN,ACK carries the option                         */
    FAST_EXP = 1u << 2,     /* ... as kind 254                                               */
    FAST_ASKED = 1u << 3,   /* HF_FAST_OPEN: the application wants it                        */
    FAST_DEFER = 1u << 4,   /* ... and our SYN waits for text                                */
    FAST_CARRIED = 1u << 5, /* our first SYN carried the option                              */
    FAST_TEXT = 1u << 6,    /* ... text                                                      */
};

struct active {
    /* Send queue: text SND.UNA .. snd_end, as chunks; those acknowledged are freed. */
    uint32_t sq_head, sq_tail;
    uint32_t sq_skip;   /* acknowledged octets of sq_head                           */
    uint32_t sq_bytes;  /* text accepted and not acknowledged                       */
    struct cursor send; /* at SND.NXT                                               */
    struct cursor rxt;  /* of what is sent again: where it was last                 */
    seq_t snd_up;       /* SND.UP: octet behind the urgent data; valid: snd_urgent  */
    seq_t snd_sml;      /* Minshall: end of the last small segment                  */
    uint8_t backoff;    /* doublings of the RTO                                     */
    uint8_t snd_urgent : 1, rtt_timed : 1, fin_held : 1, dsack : 1, push_now : 1,
        no_push : 1,    /* the end of the text was not pushed (HF_SEND_MORE)        */
        cwr_passed : 1, /* RFC 3168 6.1.2: SND.UNA is beyond cwr_end                */
        ecn_waits : 1;  /* ... cwnd is one segment: new text waits for the timer    */
    uint8_t burst;      /* segments of a transmit chunk still to go (push.c)                */
    uint8_t burst_push; /* ... and the last of them carries PSH                             */
    uint32_t unpushed;  /* octets queued since the last that was pushed                         */
    struct growth growth;
    /* RFC 6298 3: where the next round trip begins; our SYN has its own clock (rtt_timed) */
    seq_t rtt_seq;
    uint32_t rtt_start_us;
    /* Deadlines */
    uint32_t rto_at_ms;   /* of `timer`, or zero-window probe when persist is set     */
    uint32_t rto_from_ms; /* the retransmission timer would fire an RTO after this    */
    uint16_t persist;     /* probes sent to a closed window so far, +1; 0: not probing*/
    uint16_t stalled;     /* they and timeouts behind it, since SND.UNA has moved     */
    uint32_t delack_at_ms;
    uint32_t pace_at_ms;       /* pacing lets something go again                          */
    uint32_t unacked_since_ms; /* user timeout: oldest unacknowledged text, 0: none, or held here */
    int64_t pace_ns;           /* pacing: the time of the next octet, on env.now_ns's clock */
    /* Receive queue: text RCV.NXT - rq_bytes .. RCV.NXT */
    uint32_t rq_head, rq_tail;
    uint32_t rq_skip; /* octets of rq_head read                                   */
    uint32_t rq_bytes;
    uint32_t ooo;      /* ranges held ahead of RCV.NXT, ascending ...             */
    uint32_t ooo_root; /* ... and as a tree                                       */
    uint32_t ooo_bytes;
    uint32_t ooo_cost;         /* memory that they take: whole chunks                      */
    seq_t recent[SACK_RECENT]; /* a number in each range, newest first: SACK block order */
    seq_t dsack_left, dsack_right;
    seq_t fin_seq;          /* of a FIN ahead of a gap (fin_held)                       */
    seq_t rcv_up;           /* RCV.UP; valid: F_URGENT                                  */
    uint32_t unacked_bytes; /* received since the last ACK left                         */
    uint16_t n_recent;
    uint16_t ooo_n;
    uint8_t fast;      /* FAST_*                                                        */
    uint8_t ecn_echo;  /* the ACK under way tells of a mark: cwnd does not grow         */
    uint16_t dup_owed; /* duplicate ACKs owed, one a held segment (no SACK)        */
    /* RFC 5927 7.2: "packet too big", which is believed when what it was about goes again */
    seq_t ptb_first; /* the lowest number that a message was about                     */
    seq_t ptb_last;  /* that of the last message                                       */
    seq_t cwr_end;   /* SND.NXT at the last reduction: marks up to it are answered     */
    /* Transmissions (sent.c): struct sent from SND.UNA to SND.NXT without a gap */
    uint32_t sent_first, sent_last;
    uint32_t sent_oldest, sent_newest; /* those in flight, by time of transmission           */
    uint32_t sent_n;
    uint32_t sent_root; /* all of them as a tree (sent_tree.c)                */
    uint32_t sent_lost; /* those lost and still to be sent again, as a tree   */
    struct sent_sum sum[SENT_SUMS];
    uint16_t sacked_n; /* separate stretches that are SACKed                       */
    uint8_t recovery;  /* enum recovery                                            */
    uint8_t dup_acks;
    seq_t recover;    /* RFC 6675 RecoveryPoint, RFC 6582 recover                 */
    seq_t rescue;     /* RFC 6675 RescueRxt; SND.UNA at the last timeout, or lower */
    uint8_t resend;   /* the first lost segment goes again whatever the window says */
    uint8_t timer;    /* enum timer_kind                                          */
    uint8_t frto;     /* enum frto                                                */
    uint8_t probe;    /* enum probe: owed                                         */
    uint8_t reo_mult; /* RACK.reo_wnd_mult                                        */
    uint8_t reo_persist;
    uint16_t reordering; /* segments that one was overtaken by, at most; DupThresh at least */
    uint16_t recovered : 1, rescued : 1, rack_any : 1, dsack_round : 1, tlp_out : 1, tlp_again : 1,
        undo_armed : 1, undo_sent : 1, undo_marked : 1, rtt_anew : 1,
        spared : 1;   /* spared: cwnd stays, a probe was lost or the MTU is smaller */
    uint16_t ptb_mtu; /* what the last "packet too big" said, 0: none                   */
    /* RFC 8985 RACK.segment, RACK.rtt, RACK.fack; the end of RACK.dsack_round; TLP.end_seq */
    uint32_t rack_sent_us, rack_rtt_us;
    seq_t rack_end, rack_fack, rack_round;
    seq_t lost_to; /* RFC 6675: all below it is SACKed or lost                        */
    seq_t tlp_end;
    uint32_t min_rtt_ms;                         /* when the tally's min_rtt_us was measured */
    uint32_t prr_delivered, prr_out, prr_flight; /* RFC 9937; the last is RecoverFS */
    /* What a reduction that proves wrong is undone to (undo.c) */
    uint32_t undo_cwnd, undo_ssthresh;
    uint32_t undo_bytes;         /* sent again since, and not reported by a DSACK            */
    uint32_t undo_ms;            /* TSval of the first of them                               */
    seq_t undo_left, undo_right; /* between which they lie                            */
};
_Static_assert(sizeof(struct active) <= 456, "the byte table: data in flight");

/* Octets that went out at one time, as segments of mss octets of which the last may be smaller, and
 * share one fate: not SACKed and not lost, or one of the flags.  A FIN counts as an octet. */
struct sent {
    uint32_t next, prev;     /* by sequence number: a list, ...                          */
    struct seq_branches all; /* ... a tree                                               */
    union {
        struct {
            uint32_t newer, older; /* by time, of those in flight                             */
        };
        struct seq_branches lost; /* a tree of those lost and still to be sent again         */
    };
    seq_t left, right;
    uint32_t sent_us; /* the last time                                            */
    uint16_t mss;
    uint8_t flags; /* SENT_*                                                   */
    uint8_t times; /* sent again so often, at most 255                         */
};
_Static_assert(sizeof(struct sent) == 40, "the byte table: transmissions");

enum {
    SENT_SACKED = 1,   /* the peer holds it                                        */
    SENT_LOST = 2,     /* it was taken for lost                                    */
    SENT_AGAIN = 4,    /* ... or probed with, and is on its way again              */
    SENT_TWICE = 8,    /* it was sent more than once: RFC 8985's retransmitted, Karn */
    SENT_COUNTED = 16, /* was SACKed before a timeout that cleared the mark       */
    SENT_COARSE = 32   /* a part of it alone went again: no record was left for it */
};

/* A stretch of sequence numbers held ahead of RCV.NXT, with its text. */
struct range {
    uint32_t next;
    struct seq_branches all; /* of a connection's; a datagram has a list alone */
    seq_t left, right;
    uint32_t head, tail; /* chunks */
    uint32_t cost;       /* memory that they take */
};
_Static_assert(sizeof(struct range) == 32, "the byte table: text out of order");

/* A piece of payload: in a small or large chunk of the block, or in a lent region. */
struct chunk {
    uint32_t next;
    uint32_t start; /* first octet used in the chunk; in limbo: the tag                */
    uint32_t len;
    uint32_t lent : 30; /* struct lent, 0: the block's own                              */
    uint32_t push : 1;  /* its last octet is pushed, and nothing is put behind it               */
    uint32_t end : 1;   /* HF_SEND_END: no segment goes on behind it                    */
    uint64_t offset;    /* in the region                                                   */
};

/* Memory that is the stack's until hf_returned gives its token back. */
struct lent {
    uint32_t next; /* in the returned list                */
    uint32_t refs; /* chunks that point to it             */
    uint64_t token;
    uint16_t region;
    uint16_t generation; /* of the owner, its lower bits         */
    uint32_t owner;      /* the tcb that hf_send_borrowed lent it to: HF_SENT; 0: none */
};

/* What the ACK under way has told (octets); all 0 when a timer is under way. */
struct ack_news {
    uint32_t acked, sacked; /* SND.UNA has moved; newly SACKed                             */
    uint32_t delivered;     /* both, each octet once                                       */
    uint32_t segs;          /* ... as so many segments                                     */
    uint32_t lost;          /* newly taken for lost                                        */
    uint32_t oldest_us;     /* since what SND.UNA has passed was sent, if once; 0: none such */
    uint32_t again_us;      /* since the first of `twice` was sent last                           */
    uint32_t rtt_us;        /* of the last sent of what has arrived and was sent once; 0: none */
    uint32_t echo_age_ms;   /* of the timestamp that it echoes; valid: echoed              */
    uint32_t rack_sent_us;  /* of what has arrived, what was sent last; valid: rack        */
    seq_t rack_end;
    seq_t dsack_left, dsack_right; /* valid: dsack                                         */
    bool echoed, rack, dsack, ece;
    bool reordered; /* something was overtaken                                             */
    bool twice;     /* SND.UNA has passed something that was sent more than once            */
    bool original;  /* something arrived that was sent before `recover`, and once only     */
};

#endif
