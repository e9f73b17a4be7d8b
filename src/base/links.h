/* links.h - where the link of record i lies: what wheel.h and list.h need to know of a pool.
 *
 * Links are 32-bit indexes of records, 1 and up; 0 is none.  The block's address is passed with
 * every call because no pointer may be stored in the block.
 */
#ifndef BASE_LINKS_H
#define BASE_LINKS_H

#include <stdint.h>

#include "base/bytes.h"

struct links {
    void *block;
    uint64_t offset;      /* of record 1 in the block         */
    uint32_t stride;      /* octets from record to record     */
    uint32_t link_offset; /* of the link in a record          */
};

static inline void *links_at(const struct links *links, uint32_t idx)
{
    HF_ASSERT(idx != 0);
    return (uint8_t *)links->block + links->offset + (uint64_t)(idx - 1) * links->stride +
           links->link_offset;
}

#endif
