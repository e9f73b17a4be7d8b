/* sound.c - hf_check on a stack under test, with room for its marks. */
#include "common/sound.h"

#include <stdlib.h>

/* So few records are looked at each time, in a program's first calls; else so many on average. */
enum { FEW = 256, FIRST_CALLS = 20000, RECORDS_A_CALL = 8 };

bool sound_tell(const struct hf_stack *stack, uint64_t bytes, char *text, size_t room)
{
    static void *marks; /* kept for the next time */
    static uint64_t marks_bytes, skip, calls;
    struct hf_flaw flaw = {.struct_size = sizeof flaw};
    if (skip != 0) {
        skip--;
        return false;
    }
    uint64_t needed = hf_check_bytes(stack);
    uint64_t records = needed * 8; /* a bit for each */
    skip = records > FEW || ++calls > FIRST_CALLS ? records / RECORDS_A_CALL : 0;
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
