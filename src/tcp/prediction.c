/* prediction.c - what is foreseen of a bulk transfer ("header prediction", V. Jacobson 1990) is
 * done for several segments at once.
 *
 *     in   the first segment of a row goes through the eight steps by itself.  When those behind it
 *          are in order and have nothing to tell but their text, it is copied and summed in one
 *          pass, and they go through the steps together, as one with a long text.
 *     out  segments that differ in number and length alone are made as one and cut by the stack.
 *
 * Either way each state that can be seen, and each octet on the wire, is what it would be one by
 * one: what could make a difference is not foreseen.  Nothing else needs this file: with
 * policy.predict off, or where each segment is to be traced, nothing is foreseen.
 */
#include "tcp/prediction.h"

#include "tcp/congestion.h"

_Static_assert((int)CSUM_AVX2 == (int)HF_SIMD_AVX2, "hf_env.simd is handed on as it is");

/* In ------------------------------------------------------------------------------------------ */

/* A connection for which text in order is text and no more. */
static bool only_reads(const struct tcb *tcb, const struct active *active)
{
    const uint32_t not_with = F_RELEASED | F_URGENT | F_FIN_RECEIVED | F_UNACCEPTED;
    return tcb->state == HF_ESTABLISHED && !(tcb->flags & not_with) &&
           !(tcb->modes & (M_ACCURATE | M_CLASSIC)) && tcb->quick_acks == 0 && active != NULL &&
           active->rq_tail != 0 && active->ooo == 0 && !active->fin_held && !active->dsack &&
           active->dup_owed == 0;
}

bool tcp_run_begin(struct tcp *tcp, struct tcp_run *run, const struct conn_id *id,
                   const struct segment *seg)
{
    run->seg.packets = 0;
    if (!tcp_predicts(tcp) || (seg->ctl & ~PSH) != ACK || (seg->opt.present & ~(uint32_t)OPT_TS)) {
        return false;
    }
    run->id = *id;
    tcp_hash(tcp, &run->id);
    run->value = tcp_find(tcp, &run->id);
    if (run->value == 0 || FLOW_KIND(run->value) != KIND_TCB) {
        return false;
    }
    const struct tcb *tcb = tcb_at(tcp, FLOW_IDX(run->value));
    seq_t next = seq_add(seg->seq, seg->text_len);
    if (!only_reads(tcb, active_of(tcp, tcb)) || !seq_eq(next, tcb->rcv.nxt) ||
        !seq_eq(seg->ack, tcb->snd.una) || seg->wnd << tcb->snd_wscale != tcb->snd.wnd ||
        seg->text_len != tcb->rcv_mss) {
        return false;
    }
    run->room = tcb->rcv.wnd;
    run->seg = *seg;
    run->seg.seq = next;
    run->seg.text_len = 0;
    run->seg.packets = 0;
    return true;
}

/* Where the text goes: behind the last octet, and into a new chunk what does not fit there. */
struct place {
    uint32_t tail, behind;
    uint32_t first; /* octets that go into the tail */
};

static bool find_place(struct tcp *tcp, const struct active *active, uint32_t len,
                       struct place *place)
{
    place->tail = active->rq_tail;
    place->first = min_u32(tcp_chunk_room(tcp, place->tail), len);
    place->behind = 0;
    if (place->first == len) {
        return true;
    }
    place->behind = tcp_chunk_new(tcp, CHUNK_LARGE_BYTES, CHUNK_BEHIND);
    return place->behind != 0 && tcp_chunk_room(tcp, place->behind) >= len - place->first;
}

/* MUST-3, in the pass that copies: what is copied counts only once the checksum is right. */
static bool copy_text(struct tcp *tcp, const struct place *place, const struct tcp_part *part,
                      const csum_t *sum)
{
    uint32_t rest = part->len - place->first;
    uint8_t *to = tcp_chunk_data(tcp, place->tail) + tcp_chunk(tcp, place->tail)->len;
    uint8_t *behind = rest ? tcp_chunk_data(tcp, place->behind) : NULL;
    HF_COUNT(tcp->b->work.copied, part->len);
    if (sum == NULL) {
        memcpy(to, part->text, place->first);
        if (rest) {
            memcpy(behind, part->text + place->first, rest);
        }
        return true;
    }
    HF_COUNT(tcp->b->work.summed, part->len);
    uint32_t simd = tcp->env->simd;
    csum_t all = csum_copy_wide(simd, to, part->text, place->first, *sum);
    if (rest) {
        csum_t more = csum_copy_wide(simd, behind, part->text + place->first, rest, 0);
        all = csum_join(all, more, place->first & 1);
    }
    return csum_finish(all) == 0;
}

bool tcp_run_take(struct tcp *tcp, struct tcp_run *run, const struct tcp_part *part,
                  const csum_t *sum)
{
    struct active *active = active_of(tcp, tcb_at(tcp, FLOW_IDX(run->value)));
    struct place place;
    if (!seq_eq(part->seq, seq_add(run->seg.seq, run->seg.text_len)) || part->len > run->room ||
        run->seg.packets == UINT16_MAX) {
        return false;
    }
    if (!find_place(tcp, active, part->len, &place) || !copy_text(tcp, &place, part, sum)) {
        tcp_chunk_free_now(tcp, place.behind);
        return false;
    }
    tcp_chunk(tcp, place.tail)->len += place.first;
    if (place.behind) {
        tcp_chunk(tcp, place.tail)->next = active->rq_tail = place.behind;
        tcp_chunk(tcp, place.behind)->len = part->len - place.first;
    }
    run->last = part->seq;
    run->room -= part->len;
    run->seg.text_len += part->len;
    run->seg.ctl |= part->ctl;
    run->seg.packets++;
    return true;
}

void tcp_run_end(struct tcp *tcp, struct tcp_run *run)
{
    struct tcb *tcb = tcb_at(tcp, FLOW_IDX(run->value));
    uint32_t packets = run->seg.packets;
    if (packets == 0) {
        return;
    }
    run->seg.len = tcp->placed = run->seg.text_len;
    enum hf_verdict verdict = tcp_input(tcp, &run->id, run->value, 0, &run->seg);
    HF_ASSERT(verdict == HF_V_ACCEPTED && tcp->placed == 0);
    tcp->b->verdicts[verdict] += packets - 1;
    tcb->snd.wl1 = run->last; /* as if each had told its window */
    run->seg.packets = 0;
}

/* Out ----------------------------------------------------------------------------------------- */

uint32_t tcp_parts(const struct tcp *tcp, const struct tcb *tcb, const struct active *active,
                   const struct segment *seg)
{
    bool alike = (seg->opt.present & ~(uint32_t)OPT_TS) == 0 && !active->snd_urgent &&
                 active->probe == PROBE_NONE && active->recovery == RECOVERY_NONE &&
                 active->dup_owed == 0 && !active->ecn_waits && active->persist == 0 &&
                 !(tcb->modes & (M_ACCURATE | M_CWR | M_MAY_FRAGMENT)) && !tcp_is_paced(tcp, tcb);
    return alike ? min_u32(tcp->parts, active->burst) : 1;
}

uint32_t tcp_parts_slices(const struct tcp *tcp, const struct active *active, uint32_t text,
                          uint32_t mss, bool cut, struct tcp_out *out)
{
    if (cut && text > mss && tcp_chunk_pushes(tcp, &active->send, text)) {
        text = mss; /* PSH may have to be on one within */
    }
    out->n_slices = HF_SLICES_MAX;
    uint32_t got = tcp_chunk_slices(tcp, &active->send, text, out->slice, &out->n_slices);
    if (cut && got < text && got > mss) {
        out->n_slices = HF_SLICES_MAX;
        got -= got % mss;
        got = tcp_chunk_slices(tcp, &active->send, got, out->slice, &out->n_slices);
    }
    return got;
}
