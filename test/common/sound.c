/* sound.c - hf_check on a stack under test, with room for its marks. */
#include "common/sound.h"

#include <stdlib.h>

enum { RECORDS_A_CALL = 8 }; /* on the average */

bool sound_tell(const struct hf_stack *stack, uint64_t bytes, char *text, size_t room)
{
    static void *marks; /* kept for the next time */
    static uint64_t marks_bytes, skip;
    struct hf_flaw flaw = {.struct_size = sizeof flaw};
    if (skip != 0) {
        skip--;
        return false;
    }
    uint64_t needed = hf_check_bytes(stack);
    skip = needed * 8 / RECORDS_A_CALL; /* a bit for each record */
    if (needed > marks_bytes) {
        free(marks);
        marks_bytes = 2 * needed;
        marks = malloc(marks_bytes);
        if (marks == NULL)
            abort();
    }
    if (hf_check(stack, bytes, marks, marks_bytes, &flaw) == HF_OK)
        return false;
    hf_flaw_text(&flaw, text, room);
    return true;
}
