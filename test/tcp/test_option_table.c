/* RFC 9293 section 3.9.1: each option on each kind of handle is done or refused, never accepted and
 * ignored: what was accepted is what is read back. */
#include "common/peer.h"

static const int64_t values[] = {0, 1, 2, 4, 9, 64, 300, 1000, 70000, 1 << 20};

/* What one that was set reads back as, where that is something else. */
static bool reads_otherwise(enum hf_option option)
{
    return option == HF_MAX_SEGMENT || /* the MSS in use */
           option == HF_FAST_OPEN;     /* what has become of it: test_fast_open_* */
}

static uint32_t sets_each_option(struct peer *p, hf_handle handle)
{
    uint32_t accepted = 0;
    for (int option = 0; option < HF_OPTIONS; option++) {
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            int64_t before = -7, now = -7;
            int known = hf_option(p->stack, handle, (enum hf_option)option, &before);
            int error = hf_set_option(p->stack, &p->env, handle, (enum hf_option)option, values[i]);
            accepted += error == HF_OK;
            int read = hf_option(p->stack, handle, (enum hf_option)option, &now);
            if (error == HF_OK && read != HF_OK)
                peer_fail(p, "option %d takes %lld and does not tell it (%d)", option,
                          (long long)values[i], read);
            if (error == HF_OK && !reads_otherwise((enum hf_option)option) && now != values[i])
                peer_fail(p, "option %d was set to %lld and is %lld", option, (long long)values[i],
                          (long long)now);
            if (error != HF_OK && known == HF_OK && now != before)
                peer_fail(p, "option %d refused %lld (%d) and changed from %lld to %lld", option,
                          (long long)values[i], error, (long long)before, (long long)now);
        }
    }
    return accepted;
}

TEST(a_connection_does_or_refuses_each_option)
{
    establish_active();
    holds(sets_each_option(p, p->c->handle) > HF_OPTIONS);
}

TEST(a_listener_does_or_refuses_each_option)
{
    listens();
    holds(sets_each_option(p, p->listener) > HF_OPTIONS / 2);
}

TEST(the_number_of_syns_is_of_who_still_sends_some)
{
    int64_t value;
    listens();
    refuses(HF_ERR_UNSUPPORTED, hf_set_option(p->stack, &p->env, p->listener, HF_SYN_RETRIES, 3));
    refuses(HF_ERR_UNSUPPORTED, hf_option(p->stack, p->listener, HF_SYN_RETRIES, &value));
    opens();
    sets(HF_SYN_RETRIES, 3);
    expects(SYN);
    sets(HF_SYN_RETRIES, 4); /* of those to come */
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1);
    expects(ACK);
    refuses(HF_ERR_NOT_CONNECTED,
            hf_set_option(p->stack, &p->env, p->c->handle, HF_SYN_RETRIES, 3));
    calls(hf_option(p->stack, p->c->handle, HF_SYN_RETRIES, &value));
    holds_equal(value, 4);
}

TEST(a_udp_socket_has_ttl_and_tos)
{
    starts();
    hf_handle udp;
    struct hf_endpoint here = peer_here(p, 7);
    calls(hf_udp_open(p->stack, &p->env, &here, &udp));
    for (int option = 0; option < HF_OPTIONS; option++) {
        int error = hf_set_option(p->stack, &p->env, udp, (enum hf_option)option, 64);
        bool has = option == HF_TTL || option == HF_TOS;
        holds(has ? error == HF_OK : error < 0);
    }
    sets_each_option(p, udp);
}

TEST(a_stale_handle_has_no_options)
{
    establish_active();
    hf_handle handle = p->c->handle;
    aborts();
    releases();
    peer_forget(p);
    for (int option = 0; option < HF_OPTIONS; option++) {
        int64_t value = 0;
        refuses(HF_ERR_STALE_HANDLE,
                hf_set_option(p->stack, &p->env, handle, (enum hf_option)option, 1));
        refuses(HF_ERR_STALE_HANDLE, hf_option(p->stack, handle, (enum hf_option)option, &value));
    }
}

TEST(there_are_no_other_options)
{
    listens();
    establish_active();
    int64_t value = 0;
    hf_handle handles[] = {p->c->handle, p->listener};
    for (int i = 0; i < 2; i++) {
        refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, handles[i], HF_OPTIONS, 1));
        refuses(HF_ERR_INVALID, hf_option(p->stack, handles[i], HF_OPTIONS, &value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(a_connection_does_or_refuses_each_option),
        V4(a_listener_does_or_refuses_each_option),
        V4(the_number_of_syns_is_of_who_still_sends_some),
        V4(a_udp_socket_has_ttl_and_tos),
        V4(a_stale_handle_has_no_options),
        V4(there_are_no_other_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
