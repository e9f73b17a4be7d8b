/* peer_state.h - the peer's RFC 9293 state, inferred from what this side saw and sent.
 *
 * Two answers.  Proved: what the peer's own segments leave no doubt about; it lags behind.
 * Presumed: as proved, and then all that was sent to the peer has arrived; a repeat by the peer
 * shows that something did not, and takes the presumption back.
 */
#ifndef TRACE_PEER_STATE_H
#define TRACE_PEER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "handfast/trace.h"

enum { PEER_UNKNOWN = -1 };

struct peer {
    int proved, presumed; /* enum hf_state or PEER_UNKNOWN                                */
    /* What the peer showed. */
    uint32_t irs, fin;   /* sequence numbers of its SYN and FIN                           */
    uint32_t rcv_nxt;    /* what this side had received in order                          */
    bool rcv_nxt_known;  /*                                                               */
    bool syn_seen;       /* with or without ACK                                           */
    bool bare_syn_seen;  /* SYN without ACK                                               */
    bool syn_ack_seen;   /* SYN,ACK                                                       */
    bool fin_seen;       /*                                                               */
    bool our_fin_acked;  /* it acknowledged our FIN                                       */
    bool fin_came_first; /* its FIN was seen before it acknowledged ours                  */
    bool fin_ack_proved; /* it acknowledged text that came with the ACK of its FIN        */
    bool last_proves;    /* the last segment of its is trusted to be of it and of now     */
    /* What was sent to it: how often, lost ones taken away. */
    uint32_t syns, syn_acks, acks_of_syn, fins, acks_of_fin, rsts;
    uint32_t our_fin;       /* our FIN's sequence number                                  */
    bool fin_bare;          /* our FIN went without the ACK of its FIN                    */
    bool text_with_fin_ack; /* text went with the ACK of its FIN; it ends at:             */
    uint32_t text_end;
};

void trace_peer_init(struct peer *peer);
/* A segment of ours (HF_TRACE_OUT), one of the peer's (HF_TRACE_IN, HF_TRACE_DROP). */
void trace_peer_out(struct peer *peer, const struct hf_trace *record);
void trace_peer_in(struct peer *peer, const struct hf_trace *record);
/* A segment of ours was lost on its way. */
void trace_peer_lost(struct peer *peer, uint16_t ctl, uint32_t ack);
/* Did the peer send this before?  To be asked before trace_peer_in. */
bool trace_peer_repeats(const struct peer *peer, const struct hf_trace *record);

#endif
