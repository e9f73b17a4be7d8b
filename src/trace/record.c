/* The trace record as octets: little-endian, in the order of the members, without padding. */
#include "handfast/trace.h"

#include "base/bytes.h"

/* N(bits, member): a number; A(member): an array of octets. */
/* clang-format off */
#define MEMBERS(N, A)                                                                              \
    N(16, version) N(8, kind) N(8, cause) N(8, state_before) N(8, state_after) N(16, verdict)      \
    N(64, time_ns) N(64, handle) A(local_ip) A(remote_ip)                                          \
    N(16, local_port) N(16, remote_port) N(16, iface) N(16, ctl)                                   \
    N(32, seq) N(32, ack) N(32, len) N(32, text_bytes) N(32, wnd) N(16, up) N(16, mss)             \
    N(8, options) N(8, wscale) N(8, n_sack) N(8, marks) N(32, ts_val) N(32, ts_ecr)                \
    N(32, sack[0][0]) N(32, sack[0][1]) N(32, sack[1][0]) N(32, sack[1][1])                        \
    N(32, sack[2][0]) N(32, sack[2][1]) N(32, sack[3][0]) N(32, sack[3][1])                        \
    N(32, owed) N(32, error) N(32, iss) N(32, irs)                                                 \
    N(32, snd_una) N(32, snd_nxt) N(32, snd_wnd) N(32, snd_wl1) N(32, snd_wl2)                     \
    N(32, rcv_nxt) N(32, rcv_wnd) N(32, cwnd) N(32, ssthresh)                                      \
    N(32, rto_ms) N(32, srtt_us) N(32, queued_bytes) N(32, unread_bytes)                           \
    N(16, ecn) N(8, accecn_kind) N(8, n_accecn) N(32, accecn[0]) N(32, accecn[1]) N(32, accecn[2]) \
    N(8, fast_open_kind) N(8, fast_open_bytes)
/* clang-format on */

#define SIZE_OF(member) sizeof(((struct hf_trace *)0)->member)

#define NUMBER_SIZE(bits, member)                                                                  \
    _Static_assert(SIZE_OF(member) * 8 == (bits), "as wide as it is written");
#define ARRAY_SIZE(member)
MEMBERS(NUMBER_SIZE, ARRAY_SIZE)

#define NUMBER_BYTES(bits, member) +(bits) / 8
#define ARRAY_BYTES(member) +SIZE_OF(member)
_Static_assert(0 MEMBERS(NUMBER_BYTES, ARRAY_BYTES) == HF_TRACE_BYTES, "all members are written");

static void put_8(void *p, uint8_t v)
{
    *(uint8_t *)p = v;
}

static uint8_t get_8(const void *p)
{
    return *(const uint8_t *)p;
}

#define PUT_16 put_le16
#define PUT_32 put_le32
#define PUT_64 put_le64
#define PUT_8 put_8
#define GET_16 get_le16
#define GET_32 get_le32
#define GET_64 get_le64
#define GET_8 get_8

void hf_trace_put(const struct hf_trace *record, uint8_t out[HF_TRACE_BYTES])
{
#define PUT_NUMBER(bits, member)                                                                   \
    PUT_##bits(out, (uint##bits##_t)record->member);                                               \
    out += (bits) / 8;
#define PUT_ARRAY(member)                                                                          \
    memcpy(out, record->member, sizeof record->member);                                            \
    out += sizeof record->member;
    MEMBERS(PUT_NUMBER, PUT_ARRAY)
}

int hf_trace_get(struct hf_trace *record, const uint8_t in[HF_TRACE_BYTES])
{
    if (get_le16(in) != HF_TRACE_VERSION) {
        return -1;
    }
#define GET_NUMBER(bits, member)                                                                   \
    record->member = (__typeof__(record->member))GET_##bits(in);                                   \
    in += (bits) / 8;
#define GET_ARRAY(member)                                                                          \
    memcpy(record->member, in, sizeof record->member);                                             \
    in += sizeof record->member;
    MEMBERS(GET_NUMBER, GET_ARRAY)
    return 0;
}
