/* accecn.c - RFC 9768: feedback that tells of every mark, where both sides have agreed upon it.
 *
 * Each side counts what came: packets with CE, and octets with CE, ECT(0), ECT(1).  Segments
 * without SYN carry the lowest three bits of the first count where AE, CWR and ECE are (ACE), and
 * where there is room an option with the octets.  SYN,ACK, and the ACK of it, say by the same bits
 * what had become of the codepoint of the SYN and of the SYN,ACK (Tables 2 to 4).
 *
 * How the two agree is in ecn.c, and so is the answer to a mark: RFC 3168's.
 */
#include "tcp/ecn.h"

enum { ACE_SHIFT = 6, ACE_MASK = 7, FIELD_MASK = 0xffffff };
enum { MARKS_WITH_TEXT = 2, MARKS_ALONE = 3 }; /* so many are acknowledged at once */

/* Table 2 and Table 3, by codepoint. */
static const uint16_t handshake_bits[4] = {
    [NOT_ECT] = CWR, [ECT1] = CWR | ECE, [ECT0] = AE, [CE] = AE | CWR};

/* The record ----------------------------------------------------------------------------------- */

static void begin(struct ecn *ecn, uint32_t ts_recent)
{
    const struct ecn_counts initial = {ECN_INITIAL_CEP, 0, 1, 1}; /* RFC9768-11 */
    *ecn = (struct ecn){.r = initial,
                        .s = initial,
                        .told = initial,
                        .cep_at_option = ECN_INITIAL_CEP,
                        .ts_last = ts_recent};
}

bool tcp_ecn_attach(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->flags & F_COMPACT) {
        begin(&tcp->no_ecn, 0);
        return true;
    }
    struct extra *extra = tcp_own_extra(tcp, &tcb->extra);
    if (extra == NULL) {
        return false;
    }
    if (extra->ecn == 0) {
        extra->ecn = pool_alloc(&tcp->b->ecns, tcp->block);
        if (extra->ecn != 0) {
            begin(tcp_ecn_of(tcp, tcb), tcb->ts_recent);
        }
    }
    return extra->ecn != 0;
}

struct ecn *tcp_ecn_of(struct tcp *tcp, const struct tcb *tcb)
{
    if (tcb->flags & F_COMPACT) {
        return &tcp->no_ecn;
    }
    uint32_t idx = tcp_extra(tcp, tcb->extra)->ecn;
    return idx ? pool_at(&tcp->b->ecns, tcp->block, idx) : NULL;
}

bool tcp_accecn_promote(struct tcp *tcp, struct tcb *tcb)
{
    if (!(tcb->modes & M_ACCURATE)) {
        return true;
    }
    if (!tcp_ecn_attach(tcp, tcb)) {
        return false;
    }
    tcp_ecn_of(tcp, tcb)->syn_mark = tcp->no_ecn.syn_mark;
    return true;
}

void tcp_ecn_detach(struct tcp *tcp, uint32_t extra)
{
    uint32_t ecn = tcp_extra(tcp, extra)->ecn;
    if (ecn) {
        pool_free(&tcp->b->ecns, tcp->block, ecn);
        ((struct extra *)pool_at(&tcp->b->extras, tcp->block, extra))->ecn = 0;
    }
}

/* The handshake -------------------------------------------------------------------------------- */

uint16_t tcp_accecn_handshake_bits(struct tcp *tcp, const struct tcb *tcb)
{
    return handshake_bits[tcp_ecn_of(tcp, tcb)->syn_mark];
}

bool tcp_accecn_asked(struct tcp *tcp, const struct tcb *tcb)
{
    const struct ecn *ecn = tcp_ecn_of(tcp, tcb);
    return ecn && ecn->asked;
}

bool tcp_accecn_syn_marked(struct tcp *tcp, const struct tcb *tcb)
{
    return (tcb->modes & M_ACCURATE) && tcp_ecn_of(tcp, tcb)->syn_marked;
}

bool tcp_accecn_first_ack(struct tcp *tcp, const struct tcb *tcb)
{
    return (tcb->modes & M_ACCURATE) && tcp_ecn_of(tcp, tcb)->first_ack;
}

/* The codepoint that such bits stand for; -1: none. */
static int codepoint_of(uint16_t bits)
{
    for (int i = 0; i < 4; i++) {
        if (handshake_bits[i] == bits) {
            return i;
        }
    }
    return -1;
}

/* 3.2.2.3: ours was Not-ECT.  If it arrived as something else, the way there changes what it should
 * not; if as CE, there may be congestion, too. */
static void heard_of_ours(struct tcb *tcb, struct ecn *ecn, int codepoint)
{
    tcb->modes |= codepoint > NOT_ECT ? M_NO_ECT : 0;
    ecn->syn_marked = codepoint == CE;
    ecn->mangled |= codepoint > NOT_ECT;
}

/* 3.1.1, Table 2 (RFC9768-4), 3.1.3 (RFC9768-7: AE and ECE, reserved). */
bool tcp_accecn_syn_ack_agrees(struct tcp *tcp, struct tcb *tcb, uint16_t bits)
{
    int codepoint = codepoint_of(bits);
    if (codepoint < 0 && bits != (AE | ECE)) {
        return false;
    }
    tcb->modes &= ~(uint32_t)M_NO_ECT; /* a plain SYN of ours binds servers only (3.1.5) */
    tcb->modes |= M_ACCURATE;
    heard_of_ours(tcb, tcp_ecn_of(tcp, tcb), codepoint);
    return true;
}

/* 3.2.2.1: the next pure ACK tells what became of the SYN,ACK; 3.2.2.2: counted once (RFC9768-13).
 * The counters begin when the mode does. */
void tcp_accecn_syn_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    struct ecn *ecn = tcp_ecn_of(tcp, tcb);
    if (!(tcb->modes & M_ACCURATE) || ecn == NULL) {
        return;
    }
    ecn->syn_mark = seg->ecn & 3;
    ecn->first_ack = 1;
    if (seg->ecn == CE && ecn->r.cep == ECN_INITIAL_CEP) {
        ecn->r.cep++;
    }
}

/* RFC9768-13: our first ACK may have been lost.  Where the limit of challenge ACKs leaves this one
 * without an answer, the next ACK is of something else, and has the count. */
void tcp_accecn_syn_ack_again(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    bool again = (seg->ctl & (SYN | ACK)) == (SYN | ACK) && seq_eq(seg->seq, tcb->irs) &&
                 !(tcb->flags & F_PASSIVE);
    if (again && (tcb->modes & M_ACCURATE) && codepoint_of(seg->ctl & ECN_BITS) >= 0) {
        bool answered = (tcb->owes & HF_OWES_CHALLENGE) || seg->text_len;
        bool due = tcp_accecn_first_ack(tcp, tcb);
        tcp_accecn_syn_ack(tcp, tcb, seg);
        tcp_ecn_of(tcp, tcb)->first_ack = due || answered;
    }
}

/* 3.2.2.1, Table 4 (RFC9768-14): what a pure ACK says of our SYN,ACK.  Nought: the peer is not in
 * this mode, or something on the way clears the bits: no ECT from us, and its bits mean nothing. */
void tcp_accecn_opens(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    struct ecn *ecn = tcp_ecn_of(tcp, tcb);
    bool pure = seg->text_len == 0 && !(seg->ctl & FIN) && !(seg->opt.present & OPT_SACK);
    if (!(tcb->modes & M_ACCURATE) || ecn == NULL || !pure) {
        return;
    }
    uint16_t bits = seg->ctl & ECN_BITS;
    if (bits == 0) {
        tcb->modes |= M_NO_ECT;
        ecn->deaf = 1;
    }
    heard_of_ours(tcb, ecn, codepoint_of(bits));
    bool syn_ack = seq_eq(seg->seq, tcb->irs); /* both have opened: no packet of ours (3.2.2.2) */
    ecn->s.cep += bits == handshake_bits[CE] && !syn_ack;
    ecn->cep_at_option = ecn->s.cep;
    ecn->taken = 1;
}

/* 5.1: an ACK that cannot be of any other mode shows that this one was agreed upon. */
void tcp_accecn_take_cookie(struct tcb *scratch, const struct segment *seg)
{
    const uint32_t willing = M_ECN_ACCEPT | M_ACCECN;
    if ((scratch->modes & (willing | M_CLASSIC)) == willing && (seg->ctl & (AE | CWR))) {
        scratch->modes |= M_ACCURATE;
    }
}

/* The receiver --------------------------------------------------------------------------------- */

/* 3.2 (RFC9768-11); a super-segment counts for as many packets as it was. */
void tcp_accecn_arrives(struct ecn *ecn, const struct segment *seg)
{
    bool marked = seg->ecn == CE;
    if (marked) {
        ecn->r.cep += seg->packets;
        ecn->marks = (uint8_t)min_u32(ecn->marks + (uint32_t)seg->packets, UINT8_MAX);
        ecn->r.ceb += seg->text_len;
    }
    ecn->r.e0b += seg->ecn == ECT0 ? seg->text_len : 0;
    ecn->r.e1b += seg->ecn == ECT1 ? seg->text_len : 0;
    if (seg->text_len && seg->ecn != NOT_ECT) {
        ecn->seen |= (uint8_t)(1u << seg->ecn);
        ecn->news = 1;
    }
    ecn->begins = seg->text_len && marked && !ecn->marked; /* RFC9768-16 */
    ecn->marked = marked;
}

/* 3.2.2.5.1 (RFC9768-15): before the three bits could come round. */
bool tcp_accecn_wants_ack(const struct tcp *tcp, const struct tcb *tcb, const struct ecn *ecn)
{
    const struct active *active = active_of(tcp, tcb);
    bool text = active && active->unacked_bytes;
    return ecn->begins || ecn->marks >= (text ? MARKS_WITH_TEXT : MARKS_ALONE);
}

/* RFC9768-12, and RFC9768-10: CWR is a bit of the count here.  The ACK of a SYN,ACK: 3.2.2.1
 * (RFC9768-13). */
uint16_t tcp_accecn_ack_bits(struct tcp *tcp, const struct tcb *tcb, const struct segment *seg)
{
    struct ecn *ecn = tcp_ecn_of(tcp, tcb);
    bool pure = seg->text_len == 0 && !(seg->ctl & FIN) && seg->opt.n_sack == 0;
    bool first = ecn->first_ack;
    ecn->first_ack = 0; /* with SACK blocks it has the count, and so have all behind it */
    if (first && pure) {
        return handshake_bits[ecn->syn_mark];
    }
    return (uint16_t)((ecn->r.cep & ACE_MASK) << ACE_SHIFT);
}

/* Who cuts a super-segment clears CWR in all parts but the first. */
bool tcp_accecn_no_super(struct tcp *tcp, const struct tcb *tcb)
{
    const struct ecn *ecn = tcp_ecn_of(tcp, tcb);
    return ecn && (ecn->r.cep & CWR >> ACE_SHIFT);
}

/* The option ----------------------------------------------------------------------------------- */

/* 3.2.3.3: the counters that have ever moved, which go first; n of them at most. */
static unsigned choose_fields(const struct ecn *ecn, uint32_t *kind, uint32_t field[3], bool all)
{
    bool e0b = ecn->seen & 1u << ECT0, e1b = ecn->seen & 1u << ECT1, ceb = ecn->seen & 1u << CE;
    bool order1 = e1b && !e0b && !all;
    *kind = order1 ? OPT_ACCECN1 : OPT_ACCECN0;
    field[0] = order1 ? ecn->r.e1b : ecn->r.e0b;
    field[1] = ecn->r.ceb;
    field[2] = order1 ? ecn->r.e0b : ecn->r.e1b;
    return all || (e1b && e0b) ? 3 : ceb ? 2 : 1;
}

/* How many of them must be there: up to the last that differs from what was told. */
static unsigned fewest_fields(const struct ecn *ecn, uint32_t kind)
{
    bool order1 = kind == OPT_ACCECN1;
    bool last = order1 ? ecn->r.e0b != ecn->told.e0b : ecn->r.e1b != ecn->told.e1b;
    bool first = order1 ? ecn->r.e1b != ecn->told.e1b : ecn->r.e0b != ecn->told.e0b;
    return last ? 3 : ecn->r.ceb != ecn->told.ceb ? 2 : first ? 1 : 0;
}

/* RFC9768-23: SACK keeps what it has, or two blocks of it, whatever the option needs; it becomes
 * shorter before it is left out. */
static void fit(struct tcp_options *opt, uint32_t kind, const uint32_t field[3], unsigned n,
                unsigned fewest)
{
    enum { ROOM = 40, SACK_HEAD = 4, BLOCK = 8, BLOCKS_LEAST = 2 };
    struct tcp_options others = *opt;
    others.present &= ~(uint32_t)OPT_SACK;
    uint32_t used = (uint32_t)wire_tcp_header_len(&others) - 20;
    for (;; n--) {
        uint32_t len = (2 + 3 * n + 3) / 4 * 4;
        uint32_t left = used + len <= ROOM ? ROOM - used - len : 0;
        uint32_t blocks = left > SACK_HEAD ? (left - SACK_HEAD) / BLOCK : 0;
        if (used + len <= ROOM && (opt->n_sack <= blocks || blocks >= BLOCKS_LEAST)) {
            opt->n_sack = (uint8_t)min_u32(opt->n_sack, blocks);
            opt->present |= kind;
            opt->n_accecn = (uint8_t)n;
            memcpy(opt->accecn, field, n * sizeof field[0]);
            return;
        }
        if (n == fewest) {
            return;
        }
    }
}

/* On every ACK after a counter has moved, and to see whether the way lets it through, on the ACK of
 * the handshake and on the first text (RFC9768-21).  Not on what is sent again: its loss may have
 * been for the option (3.2.3.2.2). */
void tcp_accecn_fill(struct tcp *tcp, const struct tcb *tcb, struct tcp_options *opt,
                     enum segment_kind what)
{
    const struct ecn *ecn = tcp_ecn_of(tcp, tcb);
    if (ecn == NULL || what == SEGMENT_REPEAT) {
        return;
    }
    bool test = what == SEGMENT_ACK ? ecn->test_ack : ecn->test_text;
    if (!(ecn->news || test)) { /* neither before this mode was agreed upon */
        return;
    }
    uint32_t kind, field[3];
    unsigned n = choose_fields(ecn, &kind, field, false);
    fit(opt, kind, field, n, fewest_fields(ecn, kind));
}

/* RFC9768-22: with the first SYN,ACK, not when it is sent again. */
bool tcp_accecn_on_syn_ack(const struct tcb *tcb)
{
    return (tcb->modes & M_ACCURATE) && tcb->last_snd_ms == 0;
}

void tcp_accecn_fill_initial(struct tcp_options *opt)
{
    const uint32_t initial[3] = {1, 0, 1};
    fit(opt, OPT_ACCECN0, initial, 3, 0);
}

void tcp_accecn_sent(struct ecn *ecn, const struct segment *seg)
{
    ecn->marks = 0;
    if (seg->text_len) {
        ecn->test_text = 0;
    }
    ecn->test_ack = 0;
    if (seg->opt.present & (OPT_ACCECN0 | OPT_ACCECN1)) {
        ecn->told = ecn->r;
        ecn->news = 0;
    }
}

/* The sender ----------------------------------------------------------------------------------- */

static uint32_t add_24(uint32_t *counter, uint32_t field)
{
    uint32_t d = (field - *counter) & FIELD_MASK;
    *counter += d;
    return d;
}

/* 3.2.3.2.4: counters begin at one; an option that says nought was changed on its way, and none is
 * believed. */
static bool option_counts(struct ecn *ecn, const struct tcp_options *opt)
{
    if (!(opt->present & (OPT_ACCECN0 | OPT_ACCECN1)) || ecn->option_bad) {
        return false;
    }
    if (!ecn->option_seen) {
        ecn->option_seen = 1;
        ecn->option_bad = (opt->n_accecn > 0 && opt->accecn[0] == 0) ||
                          (opt->n_accecn > 2 && opt->accecn[2] == 0);
    }
    return !ecn->option_bad;
}

/* Takes an option's counters; returns octets newly marked CE. */
static uint32_t take_option(struct ecn *ecn, const struct tcp_options *opt)
{
    bool order1 = opt->present & OPT_ACCECN1;
    uint32_t marked = 0;
    ecn->option_counts |= opt->n_accecn > 0;
    if (opt->n_accecn > 0) {
        add_24(order1 ? &ecn->s.e1b : &ecn->s.e0b, opt->accecn[0]);
    }
    if (opt->n_accecn > 1) {
        marked = add_24(&ecn->s.ceb, opt->accecn[1]);
    }
    if (opt->n_accecn > 2) {
        add_24(order1 ? &ecn->s.e0b : &ecn->s.e1b, opt->accecn[2]);
    }
    return marked;
}

/* 3.2.3.2.1: what the SYN,ACK had; and from now on ours shall be tried. */
void tcp_accecn_agreed(struct tcp *tcp, struct tcb *tcb, const struct tcp_options *opt)
{
    struct ecn *ecn = tcp_ecn_of(tcp, tcb);
    if (ecn && (tcb->modes & M_ACCURATE)) {
        ecn->test_ack = ecn->test_text = 1;
        ecn->ts_last = tcb->ts_recent;
        if (option_counts(ecn, opt)) {
            take_option(ecn, opt);
        }
    }
}

/* Could an ACK that came later have told more already? */
static bool superseded(const struct tcb *tcb, struct ecn *ecn, const struct segment *seg,
                       bool progress)
{
    if ((tcb->flags & F_TS) && (seg->opt.present & OPT_TS) &&
        (int32_t)(seg->opt.ts_val - ecn->ts_last) > 0) {
        ecn->ts_last = seg->opt.ts_val;
        progress = true;
    }
    return !progress || seq_lt(seg->ack, tcb->snd.una);
}

/* 3.2.2.5.2 (RFC9768-17): how often the three bits have come round, when so many packets were
 * acknowledged that they may have.  octets: newly marked, as an option said; UINT32_MAX: none did.
 */
static uint32_t unwrap(uint32_t delta, uint32_t packets, uint32_t octets, uint32_t mss)
{
    if (packets <= ACE_MASK) {
        return delta;
    }
    if (octets == UINT32_MAX) {
        return packets - ((packets - delta) & ACE_MASK); /* as often as they can have */
    }
    uint32_t least = octets / mss + (octets % mss != 0);
    return least > delta ? delta + (least - delta + ACE_MASK) / (ACE_MASK + 1) * (ACE_MASK + 1)
                         : delta;
}

uint32_t tcp_accecn_feedback(struct tcp *tcp, struct tcb *tcb, const struct segment *seg,
                             bool in_order)
{
    struct ecn *ecn = tcp_ecn_of(tcp, tcb);
    if (ecn == NULL) {
        return 0;
    }
    bool taken = ecn->taken || seg->packets == 0; /* SYN,ACK; 3.2.2.1 */
    ecn->taken = 0;
    uint32_t packets = tcp->news.segs;
    bool progress = packets || (in_order && seg->text_len);
    if (superseded(tcb, ecn, seg, progress)) {
        return 0;
    }
    uint32_t octets = option_counts(ecn, &seg->opt) ? take_option(ecn, &seg->opt) : UINT32_MAX;
    if (taken || ecn->deaf) {
        return 0;
    }
    uint32_t delta = ((uint32_t)(seg->ctl >> ACE_SHIFT) - ecn->s.cep) & ACE_MASK;
    if (octets == UINT32_MAX && (tcb->modes & M_NO_ECT)) {
        packets = delta; /* what is not ECT is not marked, and no option tells of it */
    }
    uint32_t marked = unwrap(delta, packets, octets, max_u32(tcb->snd_mss, 1));
    ecn->s.cep += marked;
    if (octets != UINT32_MAX) {
        /* RFC9768-24: octets were marked, and no packet: one of the two is wrong. */
        if (octets && ecn->s.cep == ecn->cep_at_option && packets <= ACE_MASK) {
            tcb->modes |= M_NO_ECT;
        }
        ecn->cep_at_option = ecn->s.cep;
    }
    return marked;
}
