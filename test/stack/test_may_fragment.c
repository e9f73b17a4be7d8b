/* RFC 1191: DF on what a connection sends, and HF_MAY_FRAGMENT, which takes it off. */
#include "common/peer.h"

static struct wire_ip next_header(struct peer *p)
{
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL);
    struct wire_ip ip = seen->ip;
    peer_taken(p, seen);
    return ip;
}

TEST(segments_carry_df_unless_they_may_be_cut_and_then_an_ident)
{
    establish_active();
    sets(HF_NODELAY, 1);
    writes(10);
    holds(next_header(p).df);
    sets(HF_MAY_FRAGMENT, 1);
    p->wild = true; /* else every segment must have DF */
    writes(10);
    struct wire_ip first = next_header(p);
    writes(10);
    struct wire_ip second = next_header(p);
    holds(!first.df && !second.df && first.ident != second.ident); /* RFC 6864 4.3 */
    p->wild = false;
    sets(HF_MAY_FRAGMENT, 0);
    writes(10);
    holds(next_header(p).df);
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, HF_MAY_FRAGMENT, 2));
}

TEST(connections_of_a_listener_inherit_it)
{
    int64_t value;
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_MAY_FRAGMENT, 1));
    calls(hf_option(p->stack, p->listener, HF_MAY_FRAGMENT, &value));
    holds_equal(value, 1);
    sends(SYN, .seq = IRS, .mss = 1000);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK);
    accepts();
    calls(hf_option(p->stack, p->c->handle, HF_MAY_FRAGMENT, &value));
    holds_equal(value, 1);
    p->wild = true;
    writes(10);
    holds(!next_header(p).df);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(segments_carry_df_unless_they_may_be_cut_and_then_an_ident),
        V4(connections_of_a_listener_inherit_it),
    };
    return cmocka_run_group_tests_name("may_fragment", tests, NULL, NULL);
}
