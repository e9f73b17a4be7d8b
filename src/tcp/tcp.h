/* tcp.h - RFC 9293: table of contents of this folder.
 *
 * A TCP reacts to user calls (3.10.1-6), segments (3.10.7) and timeouts (3.10.8); each records what
 * it owes in tcb->owes, and output (3.7, 3.8) sends it.  Read in this order:
 *
 *     tcb.h  block.h  state.c  user_calls.c  handshake.c  segment_arrives.c  acceptable.c receive.c
 *     closing.c  timeouts.c  output.c
 *
 * then what these stand on: table.c half_open.c time_wait.c chunks.c ack.c sack.c recovery.c cwnd.c
 * congestion.h hystart.c cc_cubic.c cc_newreno.c pacing.c prediction.c ecn.h ecn.c accecn.c pmtu.c
 * tune.c stats.c info.c rto.c isn.c events.c history.c urgent.c.
 *
 * Every function takes a struct tcp: one call's view of a stack, on the caller's stack.
 */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include "tcp/block.h"

/* extra.c: options that few set.  idx: of a struct extra, 0: none, the defaults. */
const struct extra *tcp_extra(const struct tcp *tcp, uint32_t idx);
/* The one to write to, made when there is none; NULL: max_extras are out. */
struct extra *tcp_own_extra(struct tcp *tcp, uint32_t *idx);
bool tcp_copy_extra(struct tcp *tcp, uint32_t from, uint32_t *to); /* false: none left */
void tcp_drop_extra(struct tcp *tcp, uint32_t *idx);
/* HF_SEND_LOW_WATER is no more than HF_SEND_BUFFER, also when that becomes less. */
void tcp_fit_low_water(struct tcp *tcp, uint32_t idx, uint32_t snd_buf);
/* Sets or tells an option that lies there, for connections and listeners alike; HF_ERR_UNSUPPORTED:
 * it lies elsewhere. */
int tcp_set_extra(struct tcp *tcp, uint32_t *idx, uint32_t snd_buf, enum hf_option option,
                  int64_t value);
int tcp_extra_option(const struct tcp *tcp, uint32_t idx, enum hf_option option, int64_t *value);

/* state.c: 3.3.2 */
void tcp_set_state(struct tcb *tcb, enum hf_state state);
static inline bool tcp_synchronized(const struct tcb *tcb)
{
    return tcb->state >= HF_ESTABLISHED;
}

/* Is there new text, or a FIN, that would go if there were a route and a link address? */
static inline bool tcp_waits_for_a_way(const struct tcb *tcb)
{
    return (tcb->flags & F_BLOCKED) && (tcb->owes & (HF_OWES_DATA | HF_OWES_FIN));
}

/* backlog.c: RFC 4987 3.  May a SYN be kept in listener's backlog?  What is, is counted. */
bool tcp_accept_full(const struct listener *listener);
bool tcp_backlog_full(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id);
void tcp_backlog_add(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id);
/* generation: of the listener that it was added to; open: it is that one still. */
void tcp_backlog_remove(struct tcp *tcp, uint32_t listener_idx, uint8_t generation,
                        const struct conn_id *id, bool open);

/* orphan.c: released connections, but for TIME-WAIT.  goes: one with nothing but a timeout is given
 * up, since there are too many of them. */
void tcp_orphan_begin(struct tcp *tcp, struct tcb *tcb);
void tcp_orphan_end(struct tcp *tcp, struct tcb *tcb);
bool tcp_orphan_goes(struct tcp *tcp, struct tcb *tcb, enum hf_cause cause);

/* user_calls.c: 3.10.1-6.  Errors are enum hf_error. */
int tcp_open(struct tcp *tcp, const struct conn_id *id, uint32_t timeout_ms, uint32_t *idx);
int64_t tcp_send(struct tcp *tcp, struct tcb *tcb, const void *data, uint64_t len, uint32_t flags);
/* All or nothing; token is given back when the octets are acknowledged. */
int64_t tcp_send_lent(struct tcp *tcp, struct tcb *tcb, uint16_t region, uint64_t offset,
                      uint32_t len, uint64_t token, uint32_t flags);
/* Something waits for an acknowledgment, or for leave to go: from now on, if nothing did. */
void tcp_begins_to_wait(struct tcp *tcp, struct tcb *tcb);
int64_t tcp_receive(struct tcp *tcp, struct tcb *tcb, void *data, uint64_t len);
int tcp_receive_slices(struct tcp *tcp, struct tcb *tcb, struct hf_slice *slices, uint32_t n);
int tcp_receive_consume(struct tcp *tcp, struct tcb *tcb, uint64_t len);
int tcp_close(struct tcp *tcp, struct tcb *tcb);
int tcp_abort(struct tcp *tcp, struct tcb *tcb);
/* The tcb may be gone afterwards. */
void tcp_release(struct tcp *tcp, struct tcb *tcb);
void tcp_status(struct tcp *tcp, const struct tcb *tcb, struct hf_status *status);
int tcp_set_option(struct tcp *tcp, struct tcb *tcb, enum hf_option option, int64_t value);
int tcp_option(struct tcp *tcp, const struct tcb *tcb, enum hf_option option, int64_t *value);
/* HF_CONGESTION_CONTROL in the modes of a tcb or a listener. */
int tcp_set_congestion(uint32_t *modes, int64_t value);
/* An option of 0 or 1 that is a bit of them. */
int tcp_set_mode(uint32_t *modes, uint32_t mode, int64_t value);
/* HF_ERROR_REPORTS: 0 is M_NO_REPORTS. */
int tcp_set_reports(uint32_t *modes, int64_t value);
/* Text accepted from the user and not acknowledged. */
uint32_t tcp_queued(const struct tcp *tcp, const struct tcb *tcb);
/* An ICMP error about a segment of ours: soft, hard, or the path's new MTU.  False: not taken, the
 * quoted number is not in flight (RFC 5927 4). */
bool tcp_icmp_error(struct tcp *tcp, struct tcb *tcb, seq_t quoted_seq, int error, bool hard);
/* Nothing on the link answered for the next hop.  true: it goes on, and shall be told. */
bool tcp_unreachable(struct tcp *tcp, struct tcb *tcb);

/* handshake.c: 3.5, 3.10.7.1-3 */
enum hf_verdict tcp_arrives_closed(struct tcp *tcp, const struct conn_id *id,
                                   const struct segment *seg);
enum hf_verdict tcp_arrives_listen(struct tcp *tcp, uint32_t listener, const struct conn_id *id,
                                   const struct segment *seg, const seq_t *iss_above);
enum hf_verdict tcp_arrives_syn_sent(struct tcp *tcp, struct tcb *tcb, struct segment *seg);
/* A repeated SYN for a tcb that is held (F_HELD). */
enum hf_verdict tcp_arrives_held(struct tcp *tcp, struct tcb *tcb, const struct conn_id *id,
                                 const struct segment *seg);
int tcp_answer(struct tcp *tcp, struct tcb *tcb, enum hf_answer answer);
/* The peer's SYN: RCV and SND variables, options agreed upon; passive says who began. */
void tcp_take_syn(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
/* The sending MSS for the tcb's path, RFC 9293 3.7.1; and what is announced. */
uint16_t tcp_effective_mss(struct tcp *tcp, const struct tcb *tcb);
uint16_t tcp_announced_mss(const struct tcb *tcb, uint16_t max_segment);
uint8_t tcp_receive_wscale(const struct tcp *tcp);
/* F_TS_SENT, F_SACK_SENT, F_WSCALE_SENT: what our SYN offers, or on a passive open will. */
uint32_t tcp_offered_options(const struct tcp *tcp);
void tcp_enter_established(struct tcp *tcp, struct tcb *tcb);
void tcp_offer(struct tcp *tcp, struct tcb *tcb); /* into its listener's accept queue */
void tcp_take_iss(struct tcb *tcb, seq_t iss);    /* SND.UNA, SND.NXT: a SYN of ours is out */
/* A SYN that asks for another kind of ECN feedback than the one before. */
enum hf_verdict tcp_reset_mixed_ecn(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);

/* What a listener's connections inherit. */
void tcp_inherit(struct tcb *tcb, const struct listener *listener);
/* half_open.c: the window of a SYN,ACK that no full record sends; and one is about to promise it.
 */
uint32_t tcp_first_window(const struct listener *listener);
void tcp_listener_promises(struct listener *listener);

/* segment_arrives.c: 3.10.7 */
/* value: what tcp_find gave, 0: no connection; listener: 0: nobody listens.  Counts, traces. */
enum hf_verdict tcp_input(struct tcp *tcp, const struct conn_id *id, uint32_t value,
                          uint32_t listener, struct segment *seg);
/* The eight steps, on a tcb or a scratch copy. */
enum hf_verdict tcp_arrives_otherwise(struct tcp *tcp, struct tcb *tcb, struct segment *seg);

/* From the sixth step on. */
enum hf_verdict tcp_arrives_acked(struct tcp *tcp, struct tcb *tcb, struct segment *seg);

/* acceptable.c: 3.4, RFC 5961, RFC 7323 5 */
bool tcp_acceptable(const struct tcb *tcb, const struct segment *seg);
void tcp_trim(struct tcb *tcb, struct segment *seg);
/* Owes an ACK now; a challenge ACK within its limit, else nothing (RFC 5961 7). */
void tcp_owe_ack(struct tcp *tcp, struct tcb *tcb);
/* True, and it counts: the limit of challenge ACKs allows one more. */
bool tcp_challenge_allowed(struct tcp *tcp, struct tcb *tcb);
void tcp_owe_challenge(struct tcp *tcp, struct tcb *tcb);
/* The answer to a segment that is dropped: an ACK if it has text or FIN, else a challenge ACK. */
void tcp_owe_answer(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
/* An acceptable segment came. */
void tcp_heard(struct tcp *tcp, const struct tcb *tcb);
bool tcp_stamp_is_stale(const struct tcp *tcp, const struct tally *tally);
bool tcp_paws_rejects(struct tcp *tcp, const struct tcb *tcb, const struct segment *seg);
void tcp_take_timestamp(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);

/* ack.c: the fifth step */
/* SND.UNA, SACK, RTT, congestion; SND.WND when `in_order`. */
void tcp_take_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg, bool in_order);
/* HF_WRITABLE, if it was asked for and the buffer has room. */
void tcp_tell_writable(struct tcp *tcp, struct tcb *tcb);

/* receive.c: the seventh step, reassembly, windows */
/* Text of an acceptable, trimmed segment: in order or held.  False: no memory for any of it.
 * Counts down quick_acks, sets delack_at_ms: tcp_rearm is the caller's. */
bool tcp_process_text(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
/* The window to announce now (SWS avoidance 3.8.6.2.2, never shrinking); sets RCV.WND. */
uint32_t tcp_update_window(struct tcp *tcp, struct tcb *tcb);
bool tcp_window_moves(struct tcp *tcp, struct tcb *tcb);
/* Octets were read: owes a window update when it is worth one. */
void tcp_window_opened(struct tcp *tcp, struct tcb *tcb);
/* SACK blocks for the next ACK, RFC 2018 4 (DSACK first: RFC 2883). */
void tcp_fill_sack(struct tcp *tcp, struct tcb *tcb, struct tcp_options *opt);
/* RFC 2883: these octets came again. */
void tcp_note_dsack(struct tcp *tcp, struct tcb *tcb, seq_t left, seq_t right);
void tcp_free_receive(struct tcp *tcp, struct active *active);
bool tcp_holds_beyond(const struct tcp *tcp, const struct active *active, seq_t at);
void tcp_free_held(struct tcp *tcp, struct active *active); /* what lies ahead of a gap */
/* Octets in order, at most len, 0 when there are none; data NULL: they are skipped. */
int64_t tcp_read(struct tcp *tcp, struct tcb *tcb, uint8_t *data, uint64_t len);

/* closing.c: 3.6, eighth step */
void tcp_process_fin(struct tcp *tcp, struct tcb *tcb);
/* SND.UNA has come to cover our FIN. */
enum hf_verdict tcp_our_fin_acked(struct tcp *tcp, struct tcb *tcb);
void tcp_enter_time_wait(struct tcp *tcp, struct tcb *tcb);
/* The end: state CLOSED, everything attached is freed, the application is told; the record itself
 * stays until its handle is released. */
void tcp_finish(struct tcp *tcp, struct tcb *tcb, int error, enum hf_cause cause,
                enum hf_verdict verdict);
/* A SYN without ACK or RST for a connection in TIME-WAIT: RFC 6191. */
enum hf_verdict tcp_syn_in_time_wait(struct tcp *tcp, struct tcb *tcb, const struct conn_id *id,
                                     uint32_t listener, const struct segment *seg);
/* RFC 6191: may this SYN end TIME-WAIT? */
bool tcp_syn_ends_time_wait(const struct tcp *tcp, const struct tcb *tcb,
                            const struct segment *seg);

/* keepalive.c: 3.8.4 */
void tcp_keepalive_set(struct tcp *tcp, struct tcb *tcb, bool on);
/* A state was entered, or an option set, with which it may begin.  tcp_rearm is the caller's. */
void tcp_keepalive_start(struct tcp *tcp, struct tcb *tcb);
/* A lower interval counts from now on also for a keep-alive that is out. */
void tcp_keepalive_sooner(struct tcp *tcp, struct tcb *tcb);
void tcp_keepalive_timeout(struct tcp *tcp, struct tcb *tcb);

/* user_timeout.c: RFC 5482 */
uint16_t tcp_user_timeout_option(uint32_t ms); /* the option's sixteen bits */
void tcp_user_timeout_advertised(struct tcp *tcp, struct tcb *tcb);
void tcp_user_timeout_changeable(struct tcp *tcp, struct tcb *tcb);
void tcp_take_user_timeout(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
void tcp_fill_user_timeout(const struct tcp *tcp, const struct tcb *tcb, struct segment *seg);
void tcp_user_timeout_sent(struct tcb *tcb, const struct segment *seg);

/* timeouts.c: 3.10.8 */
/* Files the tcb in the wheel under its earliest deadline. */
void tcp_rearm(struct tcp *tcp, struct tcb *tcb);
/* What every entrance ends with for its tcb: detaches when idle, rearms. */
void tcp_settle(struct tcp *tcp, struct tcb *tcb);
bool tcp_timeouts(struct tcp *tcp); /* true: more may be due */
/* When tcp_timeouts must be called next.  False: never. */
bool tcp_next_timeout(const struct tcp *tcp, uint32_t *at_ms);

/* Octets: options leave a segment so much text, whatever MSS the peer has. */
enum { LEAST_TEXT = 8 };

/* output.c: 3.7, 3.8 */
void tcp_owe(struct tcp *tcp, struct tcb *tcb, uint16_t what);
/* Out of the lists of those that owe. */
void tcp_owe_nothing(struct tcp *tcp, struct tcb *tcb);
/* Makes the next segment of those owed; false: nothing (more) may be sent now, and the tcb has left
 * the list of those that owe.  gso_bytes: text that one frame may carry, 0: one segment.  out->id
 * is the tcb's already. */
bool tcp_output(struct tcp *tcp, struct tcb *tcb, uint32_t gso_bytes, struct tcp_out *out);
/* What tcp_output would find to send: something new or repeated. */
void tcp_consider_sending(struct tcp *tcp, struct tcb *tcb);
/* What it owes is blocked: a timer tells when the way has been awaited long enough. */
void tcp_has_no_way(struct tcp *tcp, struct tcb *tcb);
/* Is there new text, and does the peer's window take a segment of it? */
bool tcp_new_text_fits(const struct tcp *tcp, const struct tcb *tcb);
/* ... and may it go now, or does something hold it: Nagle, HF_CORK? */
bool tcp_new_text_goes(const struct tcp *tcp, const struct tcb *tcb);

/* Octets that the peer's window takes beyond what is out. */
uint32_t tcp_usable_window(const struct tcp *tcp, const struct tcb *tcb);

/* urgent.c: 3.8.5 */
/* All that is queued is urgent, to its last octet. */
void tcp_urgent_note(struct tcp *tcp, struct tcb *tcb, struct active *active);
void tcp_urgent_mark(const struct active *active, struct segment *seg); /* active: may be NULL */

/* push.c: 3.9.1.2 */
/* A transmit chunk begins: `octets` of text may go now. */
void tcp_begin_burst(const struct tcp *tcp, const struct tcb *tcb, struct active *active,
                     uint32_t mss, uint32_t octets);
/* PSH on the last of the n segments that go now?  marked: some of it was to be pushed; last: all
 * text has gone. */
bool tcp_push_here(struct active *active, uint32_t n, bool marked, bool last);
/* So many octets more are queued: where, of a long text sent with HF_SEND_MORE, it is pushed. */
void tcp_push_mark(struct tcp *tcp, const struct tcb *tcb, struct active *active, uint32_t len);
/* Window as it goes into a header that carries an ACK; records what was promised. */
uint16_t tcp_header_window(struct tcp *tcp, struct tcb *tcb, bool syn);

/* reply.c: segments without a record */
/* RST in answer to a segment that belongs nowhere: RST-A or RST-N of 3.10.7.1; limited. */
void tcp_reply_rst(struct tcp *tcp, const struct conn_id *id, const struct segment *seg);
/* The same in answer to a segment of a connection of ours, before its record goes. */
void tcp_reply_reset(struct tcp *tcp, struct tcb *tcb, const struct segment *seg);
/* RST of a connection of ours, before its record goes. */
void tcp_reply_abort(struct tcp *tcp, struct tcb *tcb);
/* SEG.SEQ of an ACK or reset: SND.NXT, or the edge of a window that ends before it. */
seq_t tcp_bare_seq(const struct tcp *tcp, const struct tcb *tcb);
/* What a scratch copy owes: SYN,ACK, ACK. */
void tcp_reply_owed(struct tcp *tcp, struct tcb *scratch, const struct conn_id *id);
/* The oldest reply, as a segment to send over a path of this MTU; false: none.  Counted, traced. */
bool tcp_next_reply(struct tcp *tcp, uint32_t mtu, struct tcp_out *out);
/* Is there one? whose? (for the stack to find its way); NULL: none. */
const struct tcp_reply *tcp_peek_reply(const struct tcp *tcp);
void tcp_drop_reply(struct tcp *tcp); /* it has no way: counted */

/* table.c: records and the flow table */
void tcp_hash(const struct tcp *tcp, struct conn_id *id); /* sets id->hash; reads all but mtu */
uint32_t tcp_hash_of(const struct tcp *tcp, const struct conn_id *id); /* ... changes no memo */
/* What is known of it already, to be filled in; NULL: IPv6. */
struct hash_memo *tcp_hash_memo(const struct tcp *tcp, const struct conn_id *id);
/* The connection of this id: half-open and open ones before those in TIME-WAIT; 0: none. */
uint32_t tcp_find(const struct tcp *tcp, const struct conn_id *id);
/* The value of the one in TIME-WAIT, 0: none. */
uint32_t tcp_find_waiting(const struct tcp *tcp, const struct conn_id *id);
/* A tcb of its own, filed, zeroed, state CLOSED, defaults of the policy; 0: no room. */
uint32_t tcp_new(struct tcp *tcp, const struct conn_id *id);
/* Frees record and all that hangs on it; generation goes up. */
void tcp_delete(struct tcp *tcp, struct tcb *tcb);
/* Takes it out of the flow table (CLOSED, the handle still held); tcp_delete may follow. */
void tcp_unfile(struct tcp *tcp, struct tcb *tcb);
bool tcp_attach(struct tcp *tcp, struct tcb *tcb); /* an active record; false: none left */
/* The same for text of the user's: the last ones are kept for receiving. */
bool tcp_attach_to_send(struct tcp *tcp, struct tcb *tcb);
bool tcp_active_free(const struct tcp *tcp); /* ... is one left for that? */
/* Its numbers are those of a connection that has nothing out, or its SYN alone. */
void tcp_number_active(const struct tcb *tcb, struct active *active);
void tcp_detach_if_idle(struct tcp *tcp, struct tcb *tcb);
void tcp_id_of(const struct tcp *tcp, const struct tuple *tuple, uint8_t zone, bool v6,
               struct conn_id *id); /* without hash and mtu */
void tcp_id(const struct tcp *tcp, const struct tcb *tcb, struct conn_id *id); /* without hash */
/* A scratch copy with the defaults of a new connection. */
void tcp_scratch(struct tcp *tcp, const struct conn_id *id, struct tcb *scratch);
/* tuple for an id: takes an ext6 for IPv6; false: no room. */
bool tcp_put_id(struct tcp *tcp, const struct conn_id *id, struct tuple *tuple);
void tcp_drop_id(struct tcp *tcp, struct tuple *tuple, bool v6);

/* half_open.c, time_wait.c: in compact.h */

/* chunks.c: payload memory */
struct chunk *tcp_chunk(const struct tcp *tcp, uint32_t idx);
uint8_t *tcp_chunk_data(const struct tcp *tcp, uint32_t idx); /* first octet used */
uint32_t tcp_chunk_room(const struct tcp *tcp, uint32_t idx); /* octets free behind the last */
/* Octets of memory that a chain takes, whatever it holds. */
uint32_t tcp_chunks_cost(const struct tcp *tcp, uint32_t head);
/* What for, which says how much must be left for others. */
enum { CHUNK_LARGE_BYTES = 16384 };
enum chunk_use {
    CHUNK_TO_READ, /* text in order, of who has read all before it: even the last one       */
    CHUNK_TO_KEEP, /* what is to be sent, datagrams: leaves an eighth of each size          */
    CHUNK_BEHIND,  /* text in order behind what nobody has read yet: leaves a quarter       */
    CHUNK_AHEAD,   /* text ahead of a gap: leaves a quarter; rather small ones              */
};
/* An empty chunk for text of about `bytes` octets; 0: none. */
uint32_t tcp_chunk_new(struct tcp *tcp, uint32_t bytes, enum chunk_use use);
bool tcp_chunk_free(const struct tcp *tcp);       /* is there one to keep? */
uint64_t tcp_payload_free(const struct tcp *tcp); /* octets of chunks that are free */
uint64_t tcp_payload_most(const struct tcp *tcp); /* ... that there are */
uint32_t tcp_chunk_new_lent(struct tcp *tcp, uint32_t lent, uint64_t offset, uint32_t len);
/* The segment's text, or a part of it, where it lies (tcp->lent); 0: not lent, or no piece left. */
uint32_t tcp_chunk_keep(struct tcp *tcp, const uint8_t *text, uint32_t len);
/* Into limbo while frames are out. */
void tcp_chunk_free_chain(struct tcp *tcp, uint32_t head);
/* The same for text that no frame can point to (received): free at once. */
void tcp_chunk_free_now(struct tcp *tcp, uint32_t head);
/* Copies data to the end of a chain, with new chunks as needed; returns octets taken. */
uint64_t tcp_chunk_append(struct tcp *tcp, uint32_t *head, uint32_t *tail, const uint8_t *data,
                          uint64_t len, enum chunk_use use);
/* Octets of text from a cursor on as slices; at most n slices and len octets, and not beyond the
 * end of a record (HF_SEND_END); returns octets. */
uint32_t tcp_chunk_slices(const struct tcp *tcp, const struct cursor *from, uint32_t len,
                          struct hf_slice *slices, uint32_t *n);
/* Is any of the len octets from a cursor on pushed: the end of a record, or marked? */
bool tcp_chunk_pushes(const struct tcp *tcp, const struct cursor *from, uint32_t len);
/* At the end of the last chunk the cursor stays there, so that text appended later is found. */
void tcp_cursor_advance(const struct tcp *tcp, struct cursor *cursor, uint32_t len);
/* Finds `at` in the send queue, whose first octet that is not skipped has number `una`.  Whoever
 * frees chunks from the head sets again each cursor whose `at` is not above SND.UNA. */
void tcp_cursor_set(const struct tcp *tcp, const struct active *active, seq_t una,
                    struct cursor *cursor, seq_t at);
/* With one reference, the caller's; each tcp_chunk_new_lent adds one.  owner: is told HF_SENT when
 * the last one goes; NULL: nobody.  0: none left. */
uint32_t tcp_lent_new(struct tcp *tcp, uint16_t region, uint64_t token, const struct tcb *owner);
void tcp_lent_drop(struct tcp *tcp, uint32_t lent);  /* unused: goes without giving a token back */
void tcp_lent_unref(struct tcp *tcp, uint32_t lent); /* at 0: into the returned list */
uint32_t tcp_returned(struct tcp *tcp, uint64_t *tokens, uint32_t n);
uint64_t tcp_take_token(struct tcp *tcp); /* 0: max_tokens are out */
bool tcp_token_done(struct tcp *tcp, uint64_t token);
void tcp_forget_tokens(struct tcp *tcp); /* none is out any more */

/* sent.c sack.c rack.c tlp.c prr.c undo.c recovery.c: in recovery.h */

/* cwnd.c: RFC 5681, 6928; more of it in congestion.h */
void tcp_cwnd_begin(struct tcp *tcp, struct tcb *tcb); /* the initial window */
/* Before new text: after a pause of an RTO the congestion window restarts. */
void tcp_cwnd_idle(struct tcp *tcp, struct tcb *tcb);
void tcp_cwnd_new_control(struct tcp *tcp, struct tcb *tcb); /* the application chose another */
/* The path takes smaller segments now: as many of them as before. */
void tcp_cwnd_rescale(struct tcb *tcb, uint16_t old_mss);

/* pacing.c */
bool tcp_is_paced(const struct tcp *tcp, const struct tcb *tcb);
/* Octets a second, were it paced; 0: not known yet. */
uint64_t tcp_pacing_rate(const struct tcp *tcp, const struct tcb *tcb);
/* Nothing with text may go now: the timer is set. */
bool tcp_pace_waits(struct tcp *tcp, struct tcb *tcb);
/* Nothing is under way: must the active record stay for a while, and the timer is set? */
bool tcp_pace_remembers(const struct tcp *tcp, const struct tcb *tcb);
/* Text of one frame, of `most`. */
uint32_t tcp_pace_chunk(const struct tcp *tcp, const struct tcb *tcb, uint32_t mss, uint32_t most);
void tcp_pace_sent(struct tcp *tcp, struct tcb *tcb, uint32_t octets);
/* The rate is another one; old_rate: what it was, 0: it was not paced. */
void tcp_pace_changed(const struct tcp *tcp, const struct tcb *tcb, uint64_t old_rate);

/* rto.c: RFC 6298.  tcp_rearm is the caller's. */
void tcp_rtt_sample(struct tcp *tcp, struct tcb *tcb, uint32_t rtt_us);
uint32_t tcp_rto_ms(const struct tcp *tcp, const struct tcb *tcb); /* with its back-off */
/* Something is in flight: the timer runs; nothing is: it is off. */
void tcp_rto_start(struct tcp *tcp, struct tcb *tcb);
void tcp_rto_restart(struct tcp *tcp, struct tcb *tcb);
void tcp_rto_anew(struct tcp *tcp, struct tcb *tcb);
/* Until it would fire, 1 at least; it takes the place of the timer that had taken its. */
uint32_t tcp_rto_left_ms(const struct tcp *tcp, const struct tcb *tcb);
void tcp_rto_resume(struct tcp *tcp, struct tcb *tcb);
/* Timers and measurements after new text or a FIN has gone out. */
void tcp_text_was_sent(struct tcp *tcp, struct tcb *tcb, uint32_t text);

/* events.c: the ready list */
/* A tcb in its listener's queue (F_UNACCEPTED) keeps its events until tcp_event(.., 0) after it. */
void tcp_event(struct tcp *tcp, struct tcb *tcb, uint16_t bits);
void tcp_events_clear(struct tcp *tcp, struct tcb *tcb); /* before the record goes */
/* HF_WRITABLE once the pools have something again; those that wait longest are told first. */
void tcp_starves(struct tcp *tcp, struct tcb *tcb, uint16_t wait); /* STARVED, PIECE or CLOSE */
void tcp_record_changed(struct tcp *tcp, struct tcb *tcb); /* it waits: active came or went */
void tcp_listener_event(struct tcp *tcp, uint32_t listener, uint16_t bits);
/* The next tcb with events that are true now; 0: none.  Sets bits, error. */
uint32_t tcp_next_event(struct tcp *tcp, uint32_t *bits, int32_t *error);
uint32_t tcp_next_listener_event(struct tcp *tcp, uint32_t *bits);

/* trace.c and history.c: the choke points */
/* begin fills tcp->before from the tcb; end adds what has changed and tells.  tcb may be NULL. */
void tcp_trace_begin(struct tcp *tcp, const struct tcb *tcb, enum hf_trace_kind kind,
                     enum hf_cause cause);
void tcp_trace_segment(struct tcp *tcp, const struct conn_id *id, const struct segment *seg);
void tcp_trace_end(struct tcp *tcp, struct tcb *tcb, enum hf_verdict verdict);
/* The tcb, or scratch copy, is about to end for a reason that no record of its own tells. */
void tcp_trace_ended(struct tcp *tcp, struct tcb *tcb, int error, enum hf_cause cause,
                     enum hf_verdict verdict);
/* What it owes cannot leave: HF_CAUSE_LINK_ADDRESS, HF_CAUSE_NO_ROUTE. */
void tcp_trace_wait(struct tcp *tcp, struct tcb *tcb, enum hf_cause cause);
bool tcp_is_watched(const struct tcp *tcp); /* does anybody look at records? */
/* An event of the stack's own (drops before a connection is known, UDP, ICMP): already filled in.
 */
void tcp_trace_record(struct tcp *tcp, struct hf_trace *record);
void tcp_history_add(struct tcp *tcp, struct tcb *tcb, const struct hf_trace *record);
uint32_t tcp_history_read(const struct tcp *tcp, const struct tcb *tcb, struct hf_trace *records,
                          uint32_t n);
hf_handle tcp_handle(const struct tcp *tcp, const struct tcb *tcb); /* 0 when released */

#include "tcp/opening.h"

#endif
