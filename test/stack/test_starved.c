/* Who finds no memory is told when there is some, whatever others wait for (hf_send, hf_close). */
#include "common/peer.h"

enum { BUSY, FULL, LATE, LAST };

static int64_t sends_octets(struct peer *p, uint32_t n)
{
    static uint8_t text[100000];
    return hf_send(p->stack, &p->env, p->c->handle, text, n, 0);
}

/* All that was there to tell has been told, and all that was to leave has left. */
static void settles(struct peer *p)
{
    after(200);
    peer_forget(p);
    peer_events(p);
    for (int i = 0; i < PEER_CONNS; i++) {
        p->conn[i].events = 0;
    }
}

static void begins(struct peer *p, int connections)
{
    p->wild = true;
    for (int i = 0; i < connections; i++) {
        on(i);
        establish_active();
    }
}

/* Of three records one is kept for receiving, so two connections have one to send with: BUSY, and
 * FULL, which has read nothing and sent what it could, so that no chunk is left for sending. */
static void begins_short(struct peer *p)
{
    p->config.max_connections = 4;
    p->config.max_active = 3;
    p->config.small_chunks = 8;
    p->config.small_chunk_bytes = 2048;
    p->config.large_chunks = 0;
    begins(p, 4);
    on(BUSY);
    sends(ACK, .len = 1);
    on(FULL);
    for (int i = 0; i < 12; i++)
        sends(ACK, .len = 1460);
    holds(sends_octets(p, 20000) < 20000);
    settles(p);
}

/* hf_send: "HF_WRITABLE will tell" */
TEST(one_that_waits_for_a_record_is_not_in_the_way_of_one_that_waits_for_a_chunk)
{
    begins_short(p);
    on(LATE);
    refuses(HF_ERR_WOULD_BLOCK, sends_octets(p, 10));
    on(BUSY);
    refuses(HF_ERR_WOULD_BLOCK, sends_octets(p, 10));
    settles(p);
    expects_no_event(HF_WRITABLE);
    on(FULL);
    reads(status_of(unread_bytes) - 1);
    on(BUSY);
    expects_event(HF_WRITABLE);
    holds_equal(sends_octets(p, 10), 10);
    on(LATE);
    expects_no_event(HF_WRITABLE);
}

/* The record of one that waits for it may come with what it receives. */
TEST(one_that_waits_for_a_record_and_gets_it_by_receiving_waits_no_more)
{
    begins_short(p);
    on(FULL);
    reads(status_of(unread_bytes) - 1);
    settles(p);
    on(LAST);
    refuses(HF_ERR_WOULD_BLOCK, sends_octets(p, 10));
    on(LATE);
    refuses(HF_ERR_WOULD_BLOCK, sends_octets(p, 10));
    settles(p);
    sends(ACK, .len = 1); /* the third record */
    expects_event(HF_WRITABLE);
    on(LAST);
    expects_no_event(HF_WRITABLE);
    on(LATE);
    holds_equal(sends_octets(p, 10), 10);
}

/* hf_close: "HF_ERR_NO_RESOURCES ...: HF_WRITABLE tells when to try again".  A FIN needs neither a
 * chunk nor a record beyond those that are kept for receiving. */
TEST(a_refused_close_is_told_as_soon_as_there_is_a_record)
{
    p->config.max_connections = 4;
    p->config.max_active = 2;
    p->config.small_chunks = 2;
    p->config.large_chunks = 0;
    begins(p, 4);
    for (int i = 0; i < 2; i++) {
        on(i);
        sends(ACK, .len = 1);
    }
    on(LAST);
    refuses(HF_ERR_WOULD_BLOCK, sends_octets(p, 10)); /* this takes more */
    on(LATE);
    refuses(HF_ERR_NO_RESOURCES, hf_close(p->stack, &p->env, p->c->handle));
    settles(p);
    expects_no_event(HF_WRITABLE);
    on(BUSY);
    reads(1);
    on(LATE);
    expects_event(HF_WRITABLE);
    closes();
    expects(FIN | ACK);
    on(LAST);
    expects_no_event(HF_WRITABLE);
}

TEST(a_refused_close_is_told_when_what_is_received_brings_a_record)
{
    p->config.max_connections = 4;
    p->config.max_active = 2;
    begins(p, 3);
    for (int i = 0; i < 2; i++) {
        on(i);
        sends(ACK, .len = 1);
    }
    settles(p);
    on(LATE);
    refuses(HF_ERR_NO_RESOURCES, hf_close(p->stack, &p->env, p->c->handle));
    on(BUSY);
    holds_equal(hf_recv(p->stack, &p->env, p->c->handle, &(uint8_t){0}, 1), 1);
    on(LATE);
    sends(ACK, .len = 1);
    expects_event(HF_WRITABLE);
    closes();
    peer_forget(p);
}

/* hf_send_borrowed: "The same".  The record of a token is there again once it was fetched. */
TEST(one_that_finds_all_lent_memory_out_is_told_when_tokens_are_fetched)
{
    static uint8_t memory[1000];
    const struct hf_region region = {memory, sizeof memory};
    uint64_t tokens[4];
    hf_handle h[2];
    p->regions = &region;
    p->n_regions = 1;
    p->config.lent_chunks = 2;
    begins(p, 2);
    for (int i = 0; i < 2; i++)
        h[i] = p->conn[i].handle;
    on(0);
    sets(HF_NODELAY, 1);
    for (uint64_t token = 7; token < 9; token++)
        refuses(100, hf_send_borrowed(p->stack, &p->env, h[0], 1, 0, 100, token, 0));
    refuses(HF_ERR_WOULD_BLOCK, hf_send_borrowed(p->stack, &p->env, h[1], 1, 0, 100, 9, 0));
    settles(p);
    p->c->acks = p->c->iss + 201;
    sends(ACK);
    expects_event(HF_SENT);
    on(1);
    expects_no_event(HF_WRITABLE);
    holds_equal(hf_returned(p->stack, &p->env, tokens, 4), 2);
    expects_event(HF_WRITABLE);
    refuses(100, hf_send_borrowed(p->stack, &p->env, h[1], 1, 0, 100, 9, 0));
}

/* What the state says comes first, as with hf_send: HF_ERR_CLOSING, "once the connection is gone,
 * its reason". */
TEST(a_borrowing_call_tells_of_the_end_though_all_lent_memory_is_out)
{
    static uint8_t memory[1000];
    const struct hf_region region = {memory, sizeof memory};
    p->regions = &region;
    p->n_regions = 1;
    p->config.lent_chunks = 1;
    begins(p, 1);
    hf_handle h = p->c->handle;
    refuses(100, hf_send_borrowed(p->stack, &p->env, h, 1, 0, 100, 7, 0));
    refuses(HF_ERR_WOULD_BLOCK, hf_send_borrowed(p->stack, &p->env, h, 1, 0, 100, 8, 0));
    closes();
    refuses(HF_ERR_CLOSING, hf_send_borrowed(p->stack, &p->env, h, 1, 0, 100, 8, 0));
    peer_forget(p);
    aborts();
    refuses(HF_ERR_ABORTED, hf_send_borrowed(p->stack, &p->env, h, 1, 0, 100, 8, 0));
}

TEST(nothing_is_borrowed_where_there_is_no_memory_for_it)
{
    static uint8_t memory[1000];
    const struct hf_region region = {memory, sizeof memory};
    p->regions = &region;
    p->n_regions = 1;
    p->config.lent_chunks = 0;
    begins(p, 1);
    refuses(HF_ERR_NO_RESOURCES,
            hf_send_borrowed(p->stack, &p->env, p->c->handle, 1, 0, 100, 7, 0));
}

/* hf_release: "where hf_close would give HF_ERR_NO_RESOURCES, this is a reset". */
TEST(one_that_is_released_and_has_no_record_for_its_fin_is_reset)
{
    p->config.max_connections = 4;
    p->config.max_active = 2;
    begins(p, 4);
    for (int i = 0; i < 2; i++) {
        on(i);
        sends(ACK, .len = 1);
    }
    settles(p);
    on(LATE);
    refuses(HF_ERR_NO_RESOURCES, hf_close(p->stack, &p->env, p->c->handle));
    releases();
    expects(RST | ACK, .seq = ISS + 1, .ack = IRS + 1);
    for (int i = 0; i < 2; i++) {
        on(i);
        reads(1);
    }
    settles(p);
    on(LAST);
    releases();
    expects(FIN | ACK, .seq = ISS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(one_that_waits_for_a_record_is_not_in_the_way_of_one_that_waits_for_a_chunk),
        V4(one_that_waits_for_a_record_and_gets_it_by_receiving_waits_no_more),
        BOTH(a_refused_close_is_told_as_soon_as_there_is_a_record),
        V4(a_refused_close_is_told_when_what_is_received_brings_a_record),
        BOTH(one_that_finds_all_lent_memory_out_is_told_when_tokens_are_fetched),
        V4(a_borrowing_call_tells_of_the_end_though_all_lent_memory_is_out),
        V4(nothing_is_borrowed_where_there_is_no_memory_for_it),
        BOTH(one_that_is_released_and_has_no_record_for_its_fin_is_reset),
    };
    return cmocka_run_group_tests_name("starved", tests, NULL, NULL);
}
