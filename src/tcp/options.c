/* options.c - what the application may set on a connection, RFC 9293 section 3.9.1, and STATUS,
 * section 3.9.1.6.  An option is done or refused, never accepted and ignored.
 */
#include "tcp/ecn.h"
#include "tcp/stats.h"

static int set_flag(struct tcb *tcb, uint32_t flag, int64_t value)
{
    if (value != 0 && value != 1) {
        return HF_ERR_INVALID;
    }
    tcb->flags = value ? tcb->flags | flag : tcb->flags & ~flag;
    return HF_OK;
}

/* Nagle goes, and with it, once, whatever holds a small segment back. */
static int set_nodelay(struct tcp *tcp, struct tcb *tcb, int64_t value)
{
    int error = set_flag(tcb, F_NODELAY, value);
    struct active *active = active_of(tcp, tcb);
    if (error == HF_OK && value && active && tcp_unsent(tcp, tcb, active)) {
        active->push_now = 1;
    }
    return error;
}

static int set_number(uint32_t *where, int64_t value, int64_t least, int64_t most)
{
    if (value < least || value > most) {
        return HF_ERR_INVALID;
    }
    *where = (uint32_t)value;
    return HF_OK;
}

static int set_receive_window(struct tcp *tcp, struct tcb *tcb, int64_t value)
{
    int error = set_number(&tcb->rcv_buf, value, 1, tcp->b->policy.max_receive_window);
    if (error == HF_OK) {
        tcb->modes |= M_RCV_FIXED;
        if (tcb->state >= HF_ESTABLISHED) {
            tcp_window_opened(tcp, tcb);
        } else if (tcb->last_snd_ms == 0) { /* our SYN has promised nothing yet */
            const struct active *active = active_of(tcp, tcb); /* text on the peer's SYN */
            uint32_t unread = active ? active->rq_bytes : 0, most = min_u32(tcb->rcv_buf, 65535);
            tcb->rcv.wnd = most - min_u32(most, unread);
        }
    }
    return error;
}

static int set_max_segment(struct tcp *tcp, struct tcb *tcb, int64_t value)
{
    bool announced = tcb->last_snd_ms != 0 || tcb->state > HF_SYN_SENT;
    if (announced || tcb->state == HF_CLOSED) {
        return HF_ERR_NOT_CONNECTED; /* it went with the SYN */
    }
    if (value < 0 || (value > 0 && value < tcp->b->policy.min_mss) || value > UINT16_MAX) {
        return HF_ERR_INVALID;
    }
    tally_of(tcp, tcb)->max_segment = (uint16_t)value;
    tcb->snd_mss = tcp_effective_mss(tcp, tcb);
    return HF_OK;
}

static int set_send_buffer(struct tcp *tcp, struct tcb *tcb, int64_t value)
{
    int error = set_number(&tcb->snd_buf, value, 1, 1 << 30);
    tcb->modes |= error == HF_OK ? M_SND_FIXED : 0;
    tcp_fit_low_water(tcp, tcb->extra, tcb->snd_buf);
    return error;
}

int tcp_set_congestion(uint32_t *modes, int64_t value)
{
    if (value < 0 || value >= HF_CONGESTIONS) {
        return HF_ERR_INVALID;
    }
    *modes = (*modes & ~(uint32_t)M_CONGESTION) | MODE_CONGESTION(value);
    return HF_OK;
}

static int set_octet(uint8_t *where, int64_t value, int64_t least, int64_t most)
{
    uint32_t number = *where;
    int error = set_number(&number, value, least, most);
    *where = (uint8_t)number;
    return error;
}

static int set_keepalive(struct tcp *tcp, struct tcb *tcb, int64_t value)
{
    if (value != 0 && value != 1) {
        return HF_ERR_INVALID;
    }
    tcp_keepalive_set(tcp, tcb, value);
    return HF_OK;
}

/* What lies in a struct extra, and what follows from it. */
static int set_extra(struct tcp *tcp, struct tcb *tcb, enum hf_option option, int64_t value)
{
    if (option == HF_SYN_RETRIES && tcb->state != HF_SYN_SENT) {
        return HF_ERR_NOT_CONNECTED; /* no SYN of ours is left to be sent again */
    }
    uint64_t rate = tcp_is_paced(tcp, tcb) ? tcp_pacing_rate(tcp, tcb) : 0;
    int error = tcp_set_extra(tcp, &tcb->extra, tcb->snd_buf, option, value);
    if (error == HF_OK && option == HF_ADVERTISED_TIMEOUT) {
        tcp_user_timeout_advertised(tcp, tcb);
    }
    if (error == HF_OK && option == HF_USER_TIMEOUT && value == 0) {
        tcp_user_timeout_changeable(tcp, tcb);
    }
    if (error == HF_OK && (option == HF_KEEPALIVE_IDLE || option == HF_USER_TIMEOUT)) {
        tcp_keepalive_start(tcp, tcb);
    }
    if (error == HF_OK && option == HF_KEEPALIVE_INTERVAL) {
        tcp_keepalive_sooner(tcp, tcb);
    }
    if (error == HF_OK && option == HF_MAX_PACING_RATE) {
        tcp_pace_changed(tcp, tcb, rate);
    }
    return error;
}

int tcp_set_mode(uint32_t *modes, uint32_t mode, int64_t value)
{
    if (value != 0 && value != 1) {
        return HF_ERR_INVALID;
    }
    *modes = value ? *modes | mode : *modes & ~mode;
    return HF_OK;
}

int tcp_set_reports(uint32_t *modes, int64_t value)
{
    return tcp_set_mode(modes, M_NO_REPORTS, value == 0 || value == 1 ? !value : value);
}

/* It goes with the SYN. */
static int set_ecn(struct tcb *tcb, enum hf_option option, int64_t value)
{
    if (tcb->state != HF_SYN_SENT || tcb->last_snd_ms != 0) {
        return HF_ERR_NOT_CONNECTED;
    }
    return option == HF_ECN ? tcp_set_ecn(&tcb->modes, value) : tcp_set_accecn(&tcb->modes, value);
}

static int set_congestion(struct tcp *tcp, struct tcb *tcb, int64_t value)
{
    uint32_t before = CONGESTION_OF(tcb->modes);
    int error = tcp_set_congestion(&tcb->modes, value);
    if (CONGESTION_OF(tcb->modes) != before) {
        tcp_cwnd_new_control(tcp, tcb);
    }
    return error;
}

static int set(struct tcp *tcp, struct tcb *tcb, enum hf_option option, int64_t value)
{
    switch (option) {
    case HF_NODELAY:
        return set_nodelay(tcp, tcb, value);
    case HF_CORK:
        return set_flag(tcb, F_CORK, value);
    case HF_MAY_FRAGMENT:
        return tcp_set_mode(&tcb->modes, M_MAY_FRAGMENT, value);
    case HF_QUICK_ACK:
        return set_flag(tcb, F_QUICK_ACK, value);
    case HF_RECEIVE_WINDOW:
        return set_receive_window(tcp, tcb, value);
    case HF_SEND_BUFFER:
        return set_send_buffer(tcp, tcb, value);
    case HF_MAX_SEGMENT:
        return set_max_segment(tcp, tcb, value);
    case HF_TTL:
        return set_octet(&tcb->ttl, value, 1, 255);
    case HF_TOS:
        /* MUST-48, SHLD-21, SHLD-22 */
        return value & 3 ? HF_ERR_INVALID : set_octet(&tcb->tos, value, 0, 255);
    case HF_ERROR_REPORTS:
        return tcp_set_reports(&tcb->modes, value);
    case HF_CONGESTION_CONTROL:
        return set_congestion(tcp, tcb, value);
    case HF_KEEPALIVE:
        return set_keepalive(tcp, tcb, value);
    case HF_FAST_OPEN:
        return tcp_set_fast_open(tcp, tcb, value);
    case HF_ECN:
    case HF_ACCECN:
        return set_ecn(tcb, option, value);
    default:
        return (unsigned)option < HF_OPTIONS ? set_extra(tcp, tcb, option, value) : HF_ERR_INVALID;
    }
}

int tcp_set_option(struct tcp *tcp, struct tcb *tcb, enum hf_option option, int64_t value)
{
    int error = set(tcp, tcb, option, value);
    if (error == HF_OK && tcb->state != HF_CLOSED) {
        tcp_consider_sending(tcp, tcb); /* Nagle may be off now */
        tcp_tell_writable(tcp, tcb);
        tcp_rearm(tcp, tcb);
    }
    return error;
}

int tcp_option(struct tcp *tcp, const struct tcb *tcb, enum hf_option option, int64_t *value)
{
    switch (option) {
    case HF_NODELAY:
        *value = (tcb->flags & F_NODELAY) != 0;
        return HF_OK;
    case HF_QUICK_ACK:
        *value = (tcb->flags & F_QUICK_ACK) != 0;
        return HF_OK;
    case HF_CORK:
        *value = (tcb->flags & F_CORK) != 0;
        return HF_OK;
    case HF_MAY_FRAGMENT:
        *value = (tcb->modes & M_MAY_FRAGMENT) != 0;
        return HF_OK;
    case HF_RECEIVE_WINDOW:
        *value = tcb->rcv_buf;
        return HF_OK;
    case HF_SEND_BUFFER:
        *value = tcb->snd_buf;
        return HF_OK;
    case HF_MAX_SEGMENT:
        *value = tcb->snd_mss;
        return HF_OK;
    case HF_TTL:
        *value = tcb->ttl;
        return HF_OK;
    case HF_TOS:
        *value = tcb->tos;
        return HF_OK;
    case HF_ERROR_REPORTS:
        *value = (tcb->modes & M_NO_REPORTS) == 0;
        return HF_OK;
    case HF_CONGESTION_CONTROL:
        *value = CONGESTION_OF(tcb->modes);
        return HF_OK;
    case HF_KEEPALIVE:
        *value = (tcb->modes & M_KEEPALIVE) != 0;
        return HF_OK;
    case HF_FAST_OPEN:
        *value = tcp_fast_open_option(tcp, tcb);
        return HF_OK;
    case HF_ECN:
        *value = tcp_ecn_setting(tcb->modes);
        return HF_OK;
    case HF_ACCECN:
        *value = (tcb->modes & M_ACCECN) != 0;
        return HF_OK;
    default:
        return (unsigned)option < HF_OPTIONS ? tcp_extra_option(tcp, tcb->extra, option, value)
                                             : HF_ERR_INVALID;
    }
}

static void status_of_active(const struct tcb *tcb, const struct active *active,
                             struct hf_status *status)
{
    status->unread_bytes = active->rq_bytes;
    status->queued_bytes = active->sq_bytes;
    status->out_of_order_bytes = active->ooo_bytes;
    status->in_recovery = active->recovery >= RECOVERY_FAST;
    if (tcb->flags & F_URGENT) {
        uint32_t fin = tcb->flags & F_FIN_RECEIVED ? 1 : 0; /* RCV.NXT is behind it */
        seq_t read = seq_sub(tcb->rcv.nxt, active->rq_bytes + fin);
        status->urgent = 1;
        /* MUST-33 */
        status->urgent_bytes = min_u32(seq_len(read, active->rcv_up), active->rq_bytes);
    }
}

/* 64-bit counts from ISS, IRS and how often they were passed again. */
static uint64_t octets(seq_t first, seq_t next, uint16_t wraps, bool syn, bool fin)
{
    uint64_t all = (uint64_t)wraps << 32 | seq_len(first, next);
    uint64_t controls = (syn ? 1u : 0u) + (fin ? 1u : 0u);
    return all > controls ? all - controls : 0;
}

void tcp_status(struct tcp *tcp, const struct tcb *tcb, struct hf_status *status)
{
    struct conn_id id;
    tcp_id(tcp, tcb, &id);
    const struct tally *tally = tally_of(tcp, tcb);
    *status = (struct hf_status){
        .struct_size = sizeof *status,
        .state = tcb->state,
        .passive = (tcb->flags & F_PASSIVE) != 0,
        .options = (uint8_t)((tcb->flags & F_TS ? HF_OPT_TS : 0) |
                             (tcb->flags & F_SACK ? HF_OPT_SACK_OK : 0) |
                             (tcb->flags & F_WSCALE ? HF_OPT_WSCALE : 0)),
        .local = {.port = id.lport, .iface = id.zone},
        .remote = {.port = id.rport, .iface = id.zone},
        .iss = tcb->iss.v,
        .irs = tcb->irs.v,
        .snd_una = tcb->snd.una.v,
        .snd_nxt = tcb->snd.nxt.v,
        .snd_wnd = tcb->snd.wnd,
        .rcv_nxt = tcb->rcv.nxt.v,
        .rcv_wnd = tcb->rcv.wnd,
        .snd_mss = tcb->snd_mss,
        .cwnd = tcb->cwnd,
        .ssthresh = tcb->ssthresh,
        .rto_ms = tcp_rto_ms(tcp, tcb),
        .srtt_us = tcb->srtt_us,
        .rttvar_us = tcb->rttvar_us,
        .segs_in = tally->segs_in,
        .segs_out = tally->segs_out,
        .retransmitted_segs = tally->retransmitted,
        .dup_acks = tally->dup_acks,
        .snd_wscale = tcb->snd_wscale,
        .rcv_wscale = tcb->rcv_wscale,
        .retries = tcb->retries,
        .fast_open = (uint8_t)((tcb->modes & M_FO_SYN_DATA ? HF_FO_SYN_DATA : 0) |
                               (tcb->modes & M_FO_CHILD ? HF_FO_CHILD : 0)),
        .peer_user_timeout_ms = tcp_extra(tcp, tcb->extra)->peer_timeout_ms,
        .ecn = tcb->modes & M_ACCURATE  ? HF_ECN_ACCURATE
               : tcb->modes & M_CLASSIC ? HF_ECN_CLASSIC
                                        : HF_ECN_NONE,
        .ecn_seen = (tcb->modes & M_ECN_SEEN) != 0,
        .ecn_idle = (tcb->modes & (M_CLASSIC | M_ACCURATE)) && (tcb->modes & M_NO_ECT),
    };
    const struct ecn *ecn = tcp_ecn_of(tcp, tcb);
    if (ecn) {
        status->ce_received = ecn->r.cep - ECN_INITIAL_CEP;
        status->ce_delivered = ecn->s.cep - ECN_INITIAL_CEP;
    }
    memcpy(status->local.ip, id.local, 16);
    memcpy(status->remote.ip, id.remote, 16);
    status->bytes_acked =
        octets(tcb->iss, tcb->snd.una, tally->una_wraps, true, tcb->flags & F_FIN_ACKED);
    status->bytes_received =
        octets(tcb->irs, tcb->rcv.nxt, tally->rcv_wraps, true, tcb->flags & F_FIN_RECEIVED);
    if (tcb->active) {
        status_of_active(tcb, active_of(tcp, tcb), status);
    }
}
