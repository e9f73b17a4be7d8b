/* capture.h - the oracle over a capture: packets of any TCP, judged as far as the wire tells.
 *
 * A capture shows what passed one point, not what a TCP knew: SND.UNA, timers, calls and why it
 * did something are hidden, and what was seen may have been lost behind that point.  So only that
 * is called broken which no TCP may send after what was seen, wherever on the path it was seen and
 * whatever was lost: an ACK of what nobody has sent, text beyond any window that was promised, text
 * behind a FIN ...  Rules are those of oracle.h (RFC 9293 and its companions), by the same names;
 * hf_capture_judges tells which of them are looked at.
 *
 * A way that suddenly gets slower by more than half a second cannot be told from a late ACK: to the
 * time of an ACK (ack-time) is added the longest that one took before, from there and back.  Nor
 * can text that was lost behind the point of capture, and whose repetition the capture has missed:
 * who acknowledges that seems late.
 *
 * An address is taken for one host, if its SYNs are alike (TTL, options): behind a NAT it may be
 * more, whose ISS have nothing to do with each other (isn).
 *
 * A SYN begins an incarnation once the one before is over, or once the other end's SYN,ACK answers
 * it: it may be forged, old, or of a host that has begun anew alone, and then the other end says
 * with an ACK, or with a SYN,ACK of an old SYN, where it is (RFC 9293 3.5 Figures 8 to 11, RFC 5961
 * 4).  That is not judged; a SYN,ACK that answers no SYN is told once the SYN's sender goes on with
 * it.  An incarnation whose SYN came while another was open is judged without options.
 *
 * Each connection is followed from both ends.  One that began before the capture is judged without
 * what only the SYNs tell (options, window scale).  Packets that the capture itself has missed show
 * as acknowledged text that never passed, as an echoed stamp or a window that was used and has not;
 * from there on windows, ACKs and FINs of that connection are not judged.  What could be such is
 * told once the other end has sent what rules it out.  Checksums are not looked at: a sending host
 * leaves them to its network card.
 *
 * Of a packet that was cut (a small snaplen), what is cut off is unknown: a segment without all its
 * options is judged without them, and where it is a SYN, without what it might have agreed upon.
 */
#ifndef HANDFAST_CAPTURE_H
#define HANDFAST_CAPTURE_H

#include "handfast/device.h"
#include "handfast/oracle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A rule that a packet breaks. */
struct hf_finding {
    uint64_t packet; /* its number in the capture, from 1                     */
    int64_t time_ns; /* since 1970, as the capture has it                     */
    struct hf_endpoint src, dst;
    struct hf_violation violation;
};
typedef void hf_finding_fn(void *arg, const struct hf_finding *finding);

struct hf_capture_config {
    uint32_t struct_size;     /* sizeof(struct hf_capture_config)                               */
    uint32_t max_connections; /* followed at one time, the one that was silent longest is
                                 forgotten for a new one; 0: 65,536, at most 2^24               */
    bool on_wire; /* segments are as the wire carries them, none was put together or cut by a
                     network card later: their size is judged, too                              */
    hf_finding_fn *found;
    void *arg;
};

struct hf_capture_judge;

struct hf_capture_counts {
    uint32_t struct_size; /* filled in by the caller                                            */
    uint64_t packets;     /* read                                                               */
    uint64_t segments;    /* of these, TCP segments that were judged                            */
    uint64_t other;       /* ... that are no TCP, are fragments, or cannot be read              */
    uint64_t connections; /* incarnations                                                       */
    uint64_t whole;       /* ... seen from the SYNs on: both, or one that is refused or has no
                             answer                                                             */
    uint64_t findings;    /* packets that broke a rule                                          */
    uint64_t missed;      /* connections of which the capture has not all packets               */
    uint64_t options_cut; /* of segments: the capture has not all their options                 */
    uint64_t headers_cut; /* of other: TCP, but not even the header is there as far as options  */
};

/* Is this rule looked at in a capture?  RFC 9293's others need inside knowledge. */
bool hf_capture_judges(enum hf_rule rule, bool on_wire);

/* NULL: no memory, or a config that cannot be.  The config is copied; found may be NULL, and what
 * it is given is valid during the call. */
struct hf_capture_judge *hf_capture_judge_new(const struct hf_capture_config *config);
void hf_capture_judge_free(struct hf_capture_judge *judge);
/* The next packet, as captured; linktype: LINKTYPE_* of the pcap formats: Ethernet (1), raw IP (12,
 * 101, 228, 229), Linux cooked (113, 276), loopback (0, 108).  len: octets that are there, whole:
 * that there were.  HF_ERR_UNSUPPORTED: another link type, it counts as other. HF_ERR_NO_RESOURCES:
 * no memory. */
int hf_capture_judge_packet(struct hf_capture_judge *judge, int64_t time_ns, uint32_t linktype,
                            const uint8_t *packet, uint32_t len, uint32_t whole);
/* All packets of a file ("-": standard input): pcapng (little-endian), or pcap.  HF_OK, or an error
 * with a line that names the file: HF_ERR_INVALID (none of these, damaged, or cut off),
 * HF_ERR_UNSUPPORTED (packets of other link types, or without a time, were passed over),
 * HF_ERR_NO_RESOURCES, HF_ERR_PROHIBITED (it cannot be read).  What could be read before, or beside
 * it, has been judged all the same. */
int hf_capture_judge_file(struct hf_capture_judge *judge, const char *path,
                          char error[HF_ERROR_TEXT]);
/* No packet follows: what waited for more is found now. */
void hf_capture_judge_end(struct hf_capture_judge *judge, struct hf_capture_counts *counts);

#ifdef __cplusplus
}
#endif
#endif
