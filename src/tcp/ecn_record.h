/* ecn_record.h - RFC 9768 section 3.2: what is counted of marks, beside a struct extra. */
#ifndef TCP_ECN_RECORD_H
#define TCP_ECN_RECORD_H

#include <stdint.h>

/* RFC 9768 3.2: packets with CE; octets of text with CE, ECT(0), ECT(1). */
struct ecn_counts {
    uint32_t cep, ceb, e0b, e1b;
};

/* Of a connection with AccECN; of one with RFC 3168's ECN from the first mark on, cep only. */
struct ecn {
    struct ecn_counts r;    /* r.*: what came                                              */
    struct ecn_counts s;    /* s.*: what the peer says has come                            */
    struct ecn_counts told; /* r when our last option left                                 */
    uint32_t cep_at_option; /* s.cep when the peer's last option came                      */
    uint32_t ts_last;       /* the newest TSval whose ACE was looked at                    */
    uint8_t marks;          /* packets with CE since our last ACK                          */
    uint8_t seen;           /* 1 << CE ...: text with that codepoint came                  */
    uint8_t marked : 1, begins : 1; /* the last packet was; text was, behind one that was not */
    uint8_t news : 1;               /* octets came since our last option                      */
    uint8_t test_ack : 1, test_text : 1; /* the next one has an option, to test the way       */
    uint8_t option_seen : 1, option_bad : 1;
    uint8_t mangled : 1;               /* our SYN or SYN,ACK came as what it was not              */
    uint8_t option_counts : 1;         /* one has told of a counter                               */
    uint8_t asked : 1, deaf : 1;       /* by our SYN; the peer's ACE means nothing             */
    uint8_t first_ack : 1;             /* the next segment, a pure ACK, tells syn_mark         */
    uint8_t syn_mark : 2;              /* codepoint of the peer's SYN or SYN,ACK               */
    uint8_t syn_marked : 1, taken : 1; /* ours came as CE; the ACE under way has been read    */
};

#endif
