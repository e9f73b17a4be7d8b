#include "batches.h"

void settles(struct peer *p)
{
    after(10);
    peer_forget(p);
}

void half_open_and_back(struct peer *p)
{
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true);
    sends(SYN, .seq = IRS + 20, .mss = 1460);
}
