#include "batches.h"

void drop_frames(struct peer *p)
{
    struct seen *seen;
    while ((seen = peer_any(p)) != NULL)
        peer_taken(p, seen);
}

void settles(struct peer *p)
{
    after(10);
    drop_frames(p);
}

void half_open_and_back(struct peer *p)
{
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true);
    sends(SYN, .seq = IRS + 20, .mss = 1460);
}

uint64_t count(struct peer *p, enum hf_verdict verdict)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    return counters.verdict[verdict];
}
