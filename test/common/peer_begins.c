/* peer_begins.c - where a script's numbers and its clock begin: the same script must end the same
 * wherever that is (RFC 9293 3.4, "modulo 2**32").
 */
#include "common/peer.h"

#include <stdlib.h>
#include <string.h>

enum { STACK_PORT = 80, PEER_PORT = 4000 };
enum { NS_OF_A_NUMBER = 4000 }; /* RFC 9293 3.4.1 */

uint32_t peer_stamp(const struct peer *p)
{
    return (uint32_t)((p->env.now_ns - p->began_ns) / 1000000) + 1001000;
}

void peer_waits_for_iss(struct peer *p)
{
    if (!p->aims)
        return;
    p->aims = false;
    struct hf_stack *copy = aligned_alloc(64, (p->bytes + 63) / 64 * 64);
    if (!copy)
        abort();
    memcpy(copy, p->stack, p->bytes);
    struct hf_env env = p->env;
    env.trace = NULL;
    struct hf_endpoint here = peer_here(p, p->c->stack_port);
    struct hf_endpoint there = peer_there(p, p->c->peer_port);
    hf_handle handle;
    int64_t wait_ns = 0;
    struct hf_status status = {.struct_size = sizeof status};
    if (hf_open(copy, &env, &here, &there, 0, &handle) == HF_OK &&
        hf_status(copy, &env, handle, &status) == HF_OK)
        wait_ns = (int64_t)(uint32_t)(p->aim - status.iss) * NS_OF_A_NUMBER;
    p->env.now_ns += wait_ns;
    p->began_ns += wait_ns;
    free(copy);
}

void peer_begins(struct peer *p)
{
    const char *iss = getenv("HF_TEST_ISS");
    const char *irs = getenv("HF_TEST_IRS");
    const char *clock_ns = getenv("HF_TEST_CLOCK_NS");
    if (iss) {
        p->aims = true;
        p->aim = (uint32_t)strtoul(iss, NULL, 0);
    }
    p->env.now_ns = clock_ns ? strtoll(clock_ns, NULL, 0) : INT64_C(1000000000000);
    p->began_ns = p->env.now_ns;
    uint32_t first = irs ? (uint32_t)strtoul(irs, NULL, 0) : 100;
    for (int i = 0; i < PEER_CONNS; i++)
        p->conn[i] = (struct peer_conn){.stack_port = STACK_PORT,
                                        .peer_port = (uint16_t)(PEER_PORT + i),
                                        .irs = first,
                                        .nxt = first,
                                        .wnd = 65535,
                                        .state = -1};
}
