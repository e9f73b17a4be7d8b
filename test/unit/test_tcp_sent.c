/* The records of transmissions, against a model that knows every octet. */
#include "tcp_loss.h"

#include "common/work.h"

enum { OCTETS = 1200, DUPTHRESH_BYTES = 2 * 100 };

struct model {
    bool held[OCTETS], lost[OCTETS], again[OCTETS];
    uint32_t una, nxt;
};

static uint32_t offset_of(seq_t at)
{
    return at.v - FIRST;
}

/* RFC 6675 4, octet by octet. */
static bool is_lost(const struct model *m, uint32_t at)
{
    uint32_t ranges = 0, bytes = 0;
    for (uint32_t i = at + 1; i < m->nxt; i++) {
        bytes += m->held[i];
        ranges += m->held[i] && !m->held[i - 1];
    }
    return ranges >= 3 || bytes > DUPTHRESH_BYTES;
}

static bool flies(const struct sent *sent)
{
    return !(sent->flags & SENT_SACKED) && (sent->flags & (SENT_LOST | SENT_AGAIN)) != SENT_LOST;
}

/* Lists and sums agree with the records, which cover SND.UNA .. SND.NXT. */
static uint32_t consistent(struct bench *t)
{
    const struct active *active = queue_of(t);
    struct sent_sum sum[SENT_SUMS] = {{0}};
    uint32_t n = 0, flying = 0, prev = 0, stretches = 0;
    seq_t at = t->tcb->snd.una;
    for (uint32_t idx = active->sent_first; idx != 0; idx = sent_at(&t->tcp, idx)->next) {
        const struct sent *sent = sent_at(&t->tcp, idx);
        assert_int_equal(sent->left.v, at.v);
        assert_int_equal(sent->prev, prev);
        assert_true(seq_lt(sent->left, sent->right));
        const bool in[] = {true, sent->flags & SENT_SACKED, sent->flags & SENT_LOST,
                           sent->flags & SENT_AGAIN};
        for (uint32_t i = 0; i < SENT_SUMS; i++) {
            sum[i].bytes += in[i] ? seq_len(sent->left, sent->right) : 0;
            sum[i].segs += in[i] ? tcp_sent_segments(t->tcb, sent, sent->right) : 0;
        }
        stretches += in[1] && !(prev && (sent_at(&t->tcp, prev)->flags & SENT_SACKED));
        flying += flies(sent);
        at = sent->right;
        prev = idx;
        n++;
    }
    assert_int_equal(at.v, t->tcb->snd.nxt.v);
    assert_int_equal(active->sent_last, prev);
    assert_int_equal(active->sacked_n, stretches);
    assert_memory_equal(sum, active->sum, sizeof sum);
    uint32_t before = 0;
    for (uint32_t idx = active->sent_oldest; idx != 0; idx = sent_at(&t->tcp, idx)->newer) {
        const struct sent *sent = sent_at(&t->tcp, idx);
        assert_true(flies(sent));
        assert_int_equal(sent->older, before);
        before = idx;
        flying--;
    }
    assert_int_equal(active->sent_newest, before);
    assert_int_equal(flying, 0);
    assert_int_equal(t->b->sents.used, n);
    assert_int_equal(t->b->senders, n != 0);
    assert_int_equal(t->b->singles, n == 1);
    return n;
}

static void same_as(struct bench *t, const struct model *m)
{
    struct active *active = queue_of(t);
    uint32_t pipe = 0, first = m->nxt;
    for (uint32_t idx = active->sent_first; idx != 0; idx = sent_at(&t->tcp, idx)->next) {
        const struct sent *sent = sent_at(&t->tcp, idx);
        for (uint32_t i = offset_of(sent->left); i < offset_of(sent->right); i++) {
            assert_int_equal((sent->flags & SENT_SACKED) != 0, m->held[i]);
            assert_int_equal((sent->flags & SENT_LOST) != 0, m->lost[i]);
            assert_int_equal((sent->flags & SENT_AGAIN) != 0, m->again[i]);
        }
    }
    for (uint32_t i = m->nxt; i-- > m->una;) {
        pipe += (!m->held[i] && !m->lost[i]) + m->again[i];
        first = m->lost[i] && !m->again[i] ? i : first;
    }
    assert_int_equal(tcp_sent_pipe(active), pipe);
    uint32_t next = tcp_sent_next_lost(&t->tcp, active);
    assert_int_equal(next ? offset_of(sent_at(&t->tcp, next)->left) : m->nxt, first);
}

static void sends_some(struct bench *t, struct model *m, uint32_t n)
{
    seq_t left = t->tcb->snd.nxt;
    n = min_u32(n, OCTETS - m->nxt);
    if (n) {
        t->tcb->snd.nxt = seq_add(left, n);
        tcp_sent_new(&t->tcp, t->tcb, left, 1);
        m->nxt += n;
    }
}

static void sacks_some(struct bench *t, struct model *m, uint32_t *seed)
{
    struct segment seg = {.opt = {.present = OPT_SACK, .n_sack = 3}, .ack = t->tcb->snd.una};
    uint32_t news = 0;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t left = m->una + 1 + bench_random(seed, m->nxt - m->una);
        uint32_t right = min_u32(left + 1 + bench_random(seed, 60), m->nxt);
        seg.opt.sack[i] = (struct sack_block){seq(FIRST + left), seq(FIRST + right)};
        for (uint32_t j = left; j < right; j++) {
            news += !m->held[j];
            m->held[j] = true;
            m->lost[j] = m->again[j] = false;
        }
    }
    seg.opt.sack[3] = seg.opt.sack[0];
    seg.opt.sack[0] = (struct sack_block){seq(FIRST + m->nxt), seq(FIRST + m->nxt)}; /* empty */
    seg.opt.n_sack = 4;
    t->tcp.news = (struct ack_news){0};
    tcp_sack_update(&t->tcp, t->tcb, &seg);
    assert_int_equal(t->tcp.news.sacked, news);
    tcp_sack_lose(&t->tcp, t->tcb);
    for (uint32_t j = m->una; j < m->nxt; j++) {
        if (!m->held[j] && !m->lost[j] && is_lost(m, j)) {
            m->lost[j] = true;
            m->again[j] = false; /* a probe, and lost too */
        }
    }
}

static void repeats_some(struct bench *t, struct model *m, uint32_t *seed)
{
    uint32_t idx = tcp_sent_next_lost(&t->tcp, queue_of(t));
    if (idx == 0) {
        return;
    }
    const struct sent *sent = sent_at(&t->tcp, idx);
    uint32_t left = offset_of(sent->left);
    uint32_t len = 1 + bench_random(seed, seq_len(sent->left, sent->right));
    tcp_sent_again(&t->tcp, t->tcb, sent->left, len);
    for (uint32_t j = left; j < left + len; j++) {
        m->again[j] = true;
    }
}

static void acks_some(struct bench *t, struct model *m, uint32_t n)
{
    m->una = min_u32(m->una + n, m->nxt);
    while (m->una < m->nxt && m->held[m->una]) {
        m->una++;
    }
    t->tcb->snd.una = seq(FIRST + m->una);
    tcp_sent_acked(&t->tcp, t->tcb);
}

static void goes_back(struct bench *t, struct model *m, bool keep)
{
    tcp_sent_go_back(&t->tcp, t->tcb, keep, true);
    for (uint32_t j = m->una; j < m->nxt; j++) {
        m->held[j] &= keep;
        m->lost[j] = !m->held[j];
        m->again[j] = false;
    }
}

static void one_step(struct bench *t, struct model *m, uint32_t *seed)
{
    bench_time(t, t->tcp.now_ms + bench_random(seed, 2));
    switch (bench_random(seed, 20)) {
    case 0:
        goes_back(t, m, bench_random(seed, 2));
        break;
    case 1:
        tcp_sent_unlose(&t->tcp, t->tcb);
        memset(m->lost, 0, sizeof m->lost);
        break;
    case 2:
    case 3:
        acks_some(t, m, bench_random(seed, 150));
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        sends_some(t, m, bench_random(seed, 100));
        break;
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        repeats_some(t, m, seed);
        break;
    default:
        if (m->nxt - m->una > 1) {
            sacks_some(t, m, seed);
        }
        break;
    }
}

/* RFC6675-1, RFC6675-4, RFC6675-23 */
static void records_are_what_a_model_of_octets_says(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        struct bench t;
        struct model m = {.nxt = 0};
        uint32_t dice = seed;
        begin(&t, F_SACK);
        t.tcb->snd_mss = 100;
        while (m.una < OCTETS) {
            one_step(&t, &m, &dice);
            consistent(&t);
            same_as(&t, &m);
        }
        bench_end(&t);
    }
}

static void few_records_are_coarse_but_never_wrong_about_what_is_out(void **state)
{
    (void)state;
    struct block_size few = usual;
    few.sents = BENCH_RECORDS + 2;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        struct bench t;
        struct model m = {.nxt = 0}; /* of which only what is acknowledged is compared */
        uint32_t dice = seed;
        bench_begin(&t, &few);
        bench_connection(&t, F_SACK, 1, 60000);
        tcp_attach(&t.tcp, t.tcb);
        t.tcb->snd_mss = 100;
        for (uint32_t step = 0; m.una < OCTETS && step < 3000; step++) {
            uint32_t what = bench_random(&dice, 4);
            bench_time(&t, t.tcp.now_ms + 1);
            if (what == 0) {
                sends_some(&t, &m, 40);
            } else if (what == 1) {
                repeats_some(&t, &m, &dice);
            } else if (what == 2) {
                acks_some(&t, &m, bench_random(&dice, 30));
            } else if (m.nxt - m.una > 2) {
                uint32_t left = m.una + 1 + bench_random(&dice, m.nxt - m.una - 1);
                tcp_sent_sacked(&t.tcp, t.tcb, seq(FIRST + left), seq(FIRST + m.nxt));
                tcp_sent_lose_first(&t.tcp, t.tcb);
            }
            assert_true(consistent(&t) <= 3);
        }
        assert_true(t.b->sents_short != 0);
        bench_end(&t);
    }
}

static void frames_of_one_moment_share_a_record(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 3);
    sends(&t, 4);
    assert_int_equal(t.b->sents.used, 1);
    bench_time(&t, t.tcp.now_ms + 1);
    sends(&t, 3);
    assert_int_equal(t.b->sents.used, 2);
    acks_block(&t, 1, 2, 9); /* 1, what is held, 10 */
    assert_int_equal(consistent(&t), 3);
    acks(&t, 11, 0, NULL);
    assert_int_equal(t.b->sents.used, 0);
    bench_end(&t);
}

/* TX-22: a probe, and once more what was a probe. */
static void what_goes_again_twice_is_in_flight_once(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 3);
    for (uint32_t i = 0; i < 3; i++) {
        bench_time(&t, t.tcp.now_ms + 1);
        tcp_sent_again(&t.tcp, t.tcb, seq_add(t.tcb->snd.una, M), M);
        assert_int_equal(consistent(&t), 3);
        assert_int_equal(queue_of(&t)->sum[SUM_OUT].bytes, 3 * M);
        assert_int_equal(queue_of(&t)->sum[SUM_AGAIN].bytes, M);
    }
    bench_end(&t);
}

/* What is smaller than a segment ends a record: the segments stay countable. */
static void segments_are_counted_as_they_were_sent(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    for (uint32_t i = 0; i < 3; i++) {
        seq_t left = t.tcb->snd.nxt;
        t.tcb->snd.nxt = seq_add(left, 10);
        tcp_sent_new(&t.tcp, t.tcb, left, M);
    }
    sends(&t, 2);
    t.tcb->flags |= F_FIN_SENT;
    t.tcb->snd.nxt = seq_add(t.tcb->snd.nxt, 1);
    tcp_sent_new(&t.tcp, t.tcb, seq_sub(t.tcb->snd.nxt, 1), M);
    assert_int_equal(queue_of(&t)->sum[SUM_OUT].segs, 6);
    assert_int_equal(queue_of(&t)->sum[SUM_OUT].bytes, 2 * M + 31);
    bench_end(&t);
}

/* A peer, or who pretends to be it, may not make a segment into a thousand records. */
static void a_block_that_covers_a_part_of_a_segment_says_nothing_of_it(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 10);
    tcp_sent_sacked(&t.tcp, t.tcb, seq(segment(4) - 1), seq(segment(4)));
    assert_int_equal(queue_of(&t)->sum[SUM_SACKED].bytes, 0);
    tcp_sent_sacked(&t.tcp, t.tcb, seq(segment(4) - 1), seq(segment(6) + 1));
    assert_int_equal(queue_of(&t)->sum[SUM_SACKED].bytes, 2 * M);
    assert_int_equal(consistent(&t), 3);
    bench_end(&t);
}

static void there_are_no_more_than_1024_stretches(void **state)
{
    (void)state;
    struct bench t;
    struct block_size many = usual;
    many.sents = 4000;
    bench_begin(&t, &many);
    bench_connection(&t, F_SACK, 1, 60000);
    tcp_attach(&t.tcp, t.tcb);
    seq_t left = t.tcb->snd.nxt;
    t.tcb->snd.nxt = seq_add(left, 3000);
    tcp_sent_new(&t.tcp, t.tcb, left, 1);
    for (uint32_t i = 1; i < 3000; i += 2) {
        tcp_sent_sacked(&t.tcp, t.tcb, seq(FIRST + i), seq(FIRST + i + 1));
    }
    assert_int_equal(queue_of(&t)->sacked_n, 1024);
    tcp_sent_sacked(&t.tcp, t.tcb, seq(FIRST + 2), seq(FIRST + 3)); /* joins two */
    assert_int_equal(queue_of(&t)->sacked_n, 1023);
    bench_end(&t);
}

static void blocks_that_cannot_be_are_not_taken(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 10);
    struct segment seg = {.ack = t.tcb->snd.una, .opt = {.present = OPT_SACK, .n_sack = 4}};
    seg.opt.sack[0] = (struct sack_block){seq(segment(3)), seq(segment(3))};  /* empty */
    seg.opt.sack[1] = (struct sack_block){seq(segment(4)), seq(segment(3))};  /* backwards */
    seg.opt.sack[2] = (struct sack_block){seq(segment(9)), seq(segment(12))}; /* never sent */
    seg.opt.sack[3] = (struct sack_block){seq(FIRST - 500), seq(FIRST)};      /* RFC 2883 */
    tcp_sack_update(&t.tcp, t.tcb, &seg);                                     /* RFC2018-20 */
    assert_int_equal(t.tcp.news.sacked, 0);
    assert_int_equal(consistent(&t), 1);
    bench_end(&t);
}

static void one_octet_joins_its_moment_but_a_fin_alone_does_not(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 3);
    seq_t left = t.tcb->snd.nxt;
    t.tcb->snd.nxt = seq_add(left, 1);
    tcp_sent_new(&t.tcp, t.tcb, left, M);
    assert_int_equal(consistent(&t), 1);
    bench_end(&t);
    begin(&t, F_SACK);
    sends(&t, 3);
    left = t.tcb->snd.nxt;
    t.tcb->flags |= F_FIN_SENT;
    t.tcb->snd.nxt = seq_add(left, 1);
    tcp_sent_new(&t.tcp, t.tcb, left, M);
    assert_int_equal(consistent(&t), 2);
    bench_end(&t);
}

/* What arrives is so many packets, whatever their size: RFC 9768 3.2.2.5.2. */
static void segments_that_arrive_are_counted_and_a_fin_behind_text_is_none(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    for (uint32_t i = 0; i < 3; i++) {
        seq_t left = t.tcb->snd.nxt;
        t.tcb->snd.nxt = seq_add(left, 50);
        tcp_sent_new(&t.tcp, t.tcb, left, M);
    }
    sends(&t, 2);
    t.tcb->flags |= F_FIN_SENT;
    seq_t left = t.tcb->snd.nxt;
    t.tcb->snd.nxt = seq_add(left, M + 1);
    tcp_sent_new(&t.tcp, t.tcb, left, M);
    t.tcp.news = (struct ack_news){0};
    t.tcb->snd.una = seq_add(t.tcb->snd.una, 150);
    tcp_sent_acked(&t.tcp, t.tcb);
    assert_int_equal(t.tcp.news.segs, 3);
    t.tcb->snd.una = t.tcb->snd.nxt;
    tcp_sent_acked(&t.tcp, t.tcb);
    assert_int_equal(t.tcp.news.segs, 6);
    bench_end(&t);
}

/* RFC 2018 8, RFC6675-18: what is left of a stretch still is one. */
static void of_what_the_peer_dropped_the_first_segment_is_lost(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 5);
    acks_block(&t, 1, 2, 3);
    acks(&t, 2, 0, NULL); /* 1 has come, 2 is there no more */
    tcp_sent_lose_first(&t.tcp, t.tcb);
    assert_int_equal(consistent(&t), 3);
    assert_int_equal(queue_of(&t)->sacked_n, 1);
    acks(&t, 3, 0, NULL);
    tcp_sent_lose_first(&t.tcp, t.tcb);
    assert_int_equal(consistent(&t), 2);
    assert_int_equal(queue_of(&t)->sacked_n, 0);
    assert_int_equal(queue_of(&t)->sum[SUM_LOST].bytes, M);
    bench_end(&t);
}

/* No transmission record is free but those promised to connections. */
static void begin_with_few(struct bench *t)
{
    struct block_size few = usual;
    few.sents = BENCH_RECORDS;
    bench_begin(t, &few);
    bench_connection(t, F_SACK, 1, 60000);
    tcp_attach(&t->tcp, t->tcb);
}

static void a_record_that_is_not_had_is_counted(void **state)
{
    (void)state;
    struct bench t;
    begin_with_few(&t);
    sends(&t, 1);
    uint32_t before = t.b->sents_short;
    bench_time(&t, t.tcp.now_ms + 1);
    sends(&t, 1); /* the others are promised to connections that have none */
    assert_int_equal(consistent(&t), 1);
    assert_int_equal(t.b->sents_short, before + 1);
    bench_end(&t);
}

/* Else nothing would go before the next timeout: all would be thought to be under way. */
static void what_is_acknowledged_of_a_coarse_repeat_leaves_the_rest_lost(void **state)
{
    (void)state;
    struct bench t;
    begin_with_few(&t);
    sends(&t, 10);
    struct active *active = active_of(&t.tcp, t.tcb);
    tcp_sent_go_back(&t.tcp, t.tcb, false, true);
    assert_int_equal(tcp_sent_pipe(active), 0);
    tcp_sent_again(&t.tcp, t.tcb, t.tcb->snd.una, M);
    assert_int_equal(tcp_sent_pipe(active), 10 * M);
    t.tcb->snd.una = seq_add(t.tcb->snd.una, M);
    tcp_sent_acked(&t.tcp, t.tcb);
    assert_int_equal(consistent(&t), 1);
    assert_int_equal(tcp_sent_pipe(active), 0);
    assert_int_not_equal(tcp_sent_next_lost(&t.tcp, active), 0);
    bench_end(&t);
}

/* Records looked at when one of n segments, which were sent again one by one, is lost once more and
 * goes again: on average of a hundred. */
static double lost_once_more(uint32_t n, void *arg)
{
    struct bench t;
    struct block_size many = usual;
    uint32_t seed = n;
    (void)arg;
    many.sents = n + 20; /* others are promised some */
    bench_begin(&t, &many);
    bench_connection(&t, F_SACK, 1, 60000);
    tcp_attach(&t.tcp, t.tcb);
    t.tcb->snd.nxt = seq(segment(n + 1));
    tcp_sent_new(&t.tcp, t.tcb, seq(FIRST), M);
    tcp_sent_lose(&t.tcp, t.tcb, queue_of(&t)->sent_first);
    for (uint32_t i = 1; i <= n; i++) {
        t.tcp.now_us++;
        tcp_sent_again(&t.tcp, t.tcb, seq(segment(i)), M);
    }
    assert_int_equal(t.b->sents.used, n);
    double steps = 0;
#ifdef HF_ASSERTIONS
    uint64_t before = t.b->sents.touched;
    for (int i = 0; i < 100; i++) {
        seq_t left = seq(segment(1 + bench_random(&seed, n)));
        tcp_sent_lose(&t.tcp, t.tcb, tcp_sent_find(&t.tcp, queue_of(&t), left));
        uint32_t next = tcp_sent_next_lost(&t.tcp, queue_of(&t));
        assert_int_equal(sent_at(&t.tcp, next)->left.v, left.v);
        t.tcp.now_us++;
        tcp_sent_again(&t.tcp, t.tcb, left, M);
        assert_int_equal(tcp_sent_next_lost(&t.tcp, queue_of(&t)), 0);
    }
    steps = (double)(t.b->sents.touched - before) / 100;
#else
    (void)seed;
    skip();
#endif
    bench_end(&t);
    return steps;
}

/* TX-02, TX-04: RFC 8985 finds repeats that are lost; a peer may let each ACK show one. */
static void a_segment_lost_once_more_costs_the_logarithm_of_what_was_sent_again(void **state)
{
    (void)state;
    work_is_logarithmic("a segment lost once more", lost_once_more, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_what_a_model_of_octets_says),
        cmocka_unit_test(few_records_are_coarse_but_never_wrong_about_what_is_out),
        cmocka_unit_test(frames_of_one_moment_share_a_record),
        cmocka_unit_test(what_goes_again_twice_is_in_flight_once),
        cmocka_unit_test(segments_are_counted_as_they_were_sent),
        cmocka_unit_test(a_block_that_covers_a_part_of_a_segment_says_nothing_of_it),
        cmocka_unit_test(there_are_no_more_than_1024_stretches),
        cmocka_unit_test(blocks_that_cannot_be_are_not_taken),
        cmocka_unit_test(one_octet_joins_its_moment_but_a_fin_alone_does_not),
        cmocka_unit_test(segments_that_arrive_are_counted_and_a_fin_behind_text_is_none),
        cmocka_unit_test(of_what_the_peer_dropped_the_first_segment_is_lost),
        cmocka_unit_test(a_record_that_is_not_had_is_counted),
        cmocka_unit_test(a_segment_lost_once_more_costs_the_logarithm_of_what_was_sent_again),
        cmocka_unit_test(what_is_acknowledged_of_a_coarse_repeat_leaves_the_rest_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
