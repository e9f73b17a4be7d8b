/* hf_attach, which hf_restore asks: a block that a build of other headers has made is none of
 * ours. */
#include "unit/stack_pair.h"

static uint32_t headers; /* what the build would say of them */

#undef HF_BLOCK_HASH
#define HF_BLOCK_HASH headers
#include "stack/memory.c"

static void a_stack_of_other_headers_is_refused(void **state)
{
    (void)state;
    struct pair p;
    pair_begin(&p);
    for (uint32_t bit = 0; bit < 32; bit++) {
        headers = 1u << bit;
        assert_int_equal(hf_attach(p.a.stack, p.a.bytes), HF_ERR_MISMATCH);
    }
    headers = 0;
    pair_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stack_of_other_headers_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
