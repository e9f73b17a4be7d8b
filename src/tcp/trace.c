/* trace.c - the choke points: each segment, call and timer makes one struct hf_trace.
 *
 *     tcp_trace_begin     before anything changes: kind, cause, state
 *     tcp_trace_segment   its header
 *     tcp_trace_end       what has become of it; counted, told, kept in the history
 *     tcp_trace_ended     a connection ends, and none of these says so
 *
 * When nobody looks, a record has what the history keeps of it, and no more.
 */
#include "tcp/tcp.h"

bool tcp_is_watched(const struct tcp *tcp)
{
    return tcp->env->trace != NULL || tcp->b->history_size != 0;
}

static void put_id(struct hf_trace *record, const struct conn_id *id)
{
    memcpy(record->local_ip, id->local, 16);
    memcpy(record->remote_ip, id->remote, 16);
    record->local_port = id->lport;
    record->remote_port = id->rport;
    record->marks |= id->v4 ? 0 : HF_MARK_IPV6;
}

/* What tcp_history_add reads. */
static void begin_kept(const struct tcb *tcb, enum hf_trace_kind kind, enum hf_cause cause,
                       struct hf_trace *record)
{
    record->kind = (uint8_t)kind;
    record->cause = (uint8_t)cause;
    record->handle = 0;
    record->state_before = tcb ? tcb->state : 0;
    record->marks = 0;
    record->ctl = 0;
    record->seq = record->ack = record->text_bytes = record->wnd = 0;
}

static void begin(struct tcp *tcp, const struct tcb *tcb, enum hf_trace_kind kind,
                  enum hf_cause cause, struct hf_trace *record)
{
    if (tcp->env->trace == NULL) {
        begin_kept(tcb, kind, cause, record);
        return;
    }
    *record = (struct hf_trace){
        .version = HF_TRACE_VERSION,
        .kind = (uint8_t)kind,
        .cause = (uint8_t)cause,
        .time_ns = tcp->env->now_ns,
        .iface = kind < HF_TRACE_CALL ? tcp->iface : 0,
    };
    if (tcb == NULL) {
        return;
    }
    record->state_before = tcb->state;
    record->handle = tcp_handle(tcp, tcb);
    if (kind >= HF_TRACE_CALL) { /* no segment tells whose it is */
        struct conn_id id;
        tcp_id_of(tcp, &tcb->id, tcb->zone, tcb->flags & F_V6, &id);
        put_id(record, &id);
    }
}

void tcp_trace_begin(struct tcp *tcp, const struct tcb *tcb, enum hf_trace_kind kind,
                     enum hf_cause cause)
{
    begin(tcp, tcb, kind, cause, &tcp->before);
}

static void put_accecn(struct hf_trace *record, const struct tcp_options *opt)
{
    if (opt->present & (OPT_ACCECN0 | OPT_ACCECN1)) {
        record->accecn_kind = opt->present & OPT_ACCECN0 ? 172 : 174;
        record->n_accecn = opt->n_accecn;
        memcpy(record->accecn, opt->accecn, opt->n_accecn * sizeof opt->accecn[0]);
    }
}

static void put_fast_open(struct hf_trace *record, const struct tcp_options *opt)
{
    if (opt->present & OPT_FASTOPEN) {
        record->fast_open_kind = opt->present & OPT_FASTOPEN_EXP ? 254 : 34;
        record->fast_open_bytes = opt->fo_len;
    }
}

void tcp_trace_segment(struct tcp *tcp, const struct conn_id *id, const struct segment *seg)
{
    struct hf_trace *record = &tcp->before;
    record->ctl = seg->ctl;
    record->seq = seg->seq.v;
    record->ack = seg->ack.v;
    record->text_bytes = seg->text_len;
    record->wnd = seg->wnd;
    if (tcp->env->trace == NULL) {
        return;
    }
    record->marks |= seg->packets > 1 ? HF_MARK_GSO : 0; /* in; of what goes out output knows */
    put_id(record, id);
    record->len = seg->text_len + (seg->ctl & SYN ? 1 : 0) + (seg->ctl & FIN ? 1 : 0);
    record->up = seg->up;
    record->ecn = seg->ecn;
    put_accecn(record, &seg->opt);
    put_fast_open(record, &seg->opt);
    record->options =
        (uint8_t)(seg->opt.present & (OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_SACK | OPT_TS));
    record->mss = seg->opt.present & OPT_MSS ? seg->opt.mss : 0;
    record->wscale = seg->opt.present & OPT_WSCALE ? seg->opt.wscale : 0;
    if (seg->opt.present & OPT_TS) {
        record->ts_val = seg->opt.ts_val;
        record->ts_ecr = seg->opt.ts_ecr;
    }
    if (seg->opt.present & OPT_SACK) {
        record->n_sack = (uint8_t)min_u32(seg->opt.n_sack, ARRAY_LEN(record->sack));
        for (unsigned i = 0; i < record->n_sack; i++) {
            record->sack[i][0] = seg->opt.sack[i].left.v;
            record->sack[i][1] = seg->opt.sack[i].right.v;
        }
    }
}

static void put_variables(const struct tcp *tcp, const struct tcb *tcb, struct hf_trace *record)
{
    const struct active *active = active_of(tcp, tcb);
    record->owed = tcb->owes & 0xff;
    record->iss = tcb->iss.v;
    record->irs = tcb->irs.v;
    record->snd_una = tcb->snd.una.v;
    record->snd_nxt = tcb->snd.nxt.v;
    record->snd_wnd = tcb->snd.wnd;
    record->snd_wl1 = tcb->snd.wl1.v;
    record->snd_wl2 = tcb->snd.wl2.v;
    record->rcv_nxt = tcb->rcv.nxt.v;
    record->rcv_wnd = tcb->rcv.wnd;
    record->cwnd = tcb->cwnd;
    record->ssthresh = tcb->ssthresh;
    record->rto_ms = tcp_rto_ms(tcp, tcb);
    record->srtt_us = tcb->srtt_us;
    record->queued_bytes = active ? active->sq_bytes : 0;
    record->unread_bytes = active ? active->rq_bytes : 0;
}

/* A listener stays one, but the connection that its SYN opens has left LISTEN; what answers for a
 * compact record changes nothing; and a tcb that is no more, that of a held SYN too, is CLOSED. */
static uint8_t state_without_tcb(const struct hf_trace *record)
{
    if (record->kind == HF_TRACE_OUT) {
        return record->state_before;
    }
    if (record->state_before != HF_LISTEN || record->handle != 0 ||
        record->kind == HF_TRACE_TIMER) {
        return HF_CLOSED;
    }
    return record->verdict == HF_V_HANDSHAKE ? HF_SYN_RECEIVED : HF_LISTEN;
}

/* Where a half-open record goes "back to LISTEN" it is dropped, and TIME-WAIT's SYN (RFC 6191)
 * opens a record of its own: the record at hand does not say so. */
static uint8_t state_with_tcb(const struct tcb *tcb, enum hf_verdict verdict)
{
    bool back = verdict == HF_V_RST_BACK_TO_LISTEN || verdict == HF_V_SYN_BACK_TO_LISTEN;
    if (back && (tcb->flags & F_COMPACT)) {
        return HF_LISTEN;
    }
    return verdict == HF_V_TIME_WAIT_REUSED ? HF_SYN_RECEIVED : tcb->state;
}

static void tell(struct tcp *tcp, const struct tcb *tcb, struct hf_trace *record)
{
    if (tcb) {
        if (record->handle == 0) {
            record->handle = tcp_handle(tcp, tcb);
        }
        put_variables(tcp, tcb, record);
    } else {
        record->state_after = state_without_tcb(record);
        record->marks |= record->state_before == HF_CLOSED ? HF_MARK_NO_CONNECTION : 0;
    }
    tcp->env->trace(tcp->env->trace_arg, record);
}

static void keep_and_tell(struct tcp *tcp, struct tcb *tcb, struct hf_trace *record)
{
    tcp_history_add(tcp, tcb, record);
    if (tcp->env->trace) {
        tell(tcp, tcb, record);
    }
}

void tcp_trace_end(struct tcp *tcp, struct tcb *tcb, enum hf_verdict verdict)
{
    struct hf_trace *record = &tcp->before;
    bool arrived = record->kind == HF_TRACE_IN || record->kind == HF_TRACE_DROP;
    if (arrived && verdict < HF_VERDICT_COUNT) {
        tcp->b->verdicts[verdict]++;
    }
    if (!tcp_is_watched(tcp)) {
        return;
    }
    record->verdict = (uint16_t)verdict;
    if (tcb) {
        record->state_after = state_with_tcb(tcb, verdict);
        tcp_history_add(tcp, tcb, record);
    }
    if (tcp->env->trace) {
        tell(tcp, tcb, record);
    }
}

/* Before anything of it changes; another record may be under way. */
void tcp_trace_ended(struct tcp *tcp, struct tcb *tcb, int error, enum hf_cause cause,
                     enum hf_verdict verdict)
{
    struct hf_trace record;
    if (!tcp_is_watched(tcp)) {
        return;
    }
    begin(tcp, tcb, HF_TRACE_END, cause, &record);
    record.state_after = HF_CLOSED;
    record.verdict = (uint16_t)verdict;
    record.error = error;
    keep_and_tell(tcp, tcb, &record);
}

void tcp_trace_wait(struct tcp *tcp, struct tcb *tcb, enum hf_cause cause)
{
    struct hf_trace record;
    if (!tcp_is_watched(tcp)) {
        return;
    }
    begin(tcp, tcb, HF_TRACE_WAIT, cause, &record);
    record.state_after = tcb->state;
    record.verdict = HF_V_ACCEPTED;
    keep_and_tell(tcp, tcb, &record);
}

void tcp_trace_record(struct tcp *tcp, struct hf_trace *record)
{
    record->version = HF_TRACE_VERSION;
    record->time_ns = tcp->env->now_ns;
    if (tcp->env->trace) {
        tcp->env->trace(tcp->env->trace_arg, record);
    }
}

/* Generation above, kind (0) and index below. */
hf_handle tcp_handle(const struct tcp *tcp, const struct tcb *tcb)
{
    if (tcb->flags & (F_COMPACT | F_RELEASED)) {
        return 0;
    }
    return (hf_handle)tcb->generation << 32 | tcb_index(tcp, tcb);
}
