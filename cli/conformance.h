/* conformance.h - the rows of CONFORMANCE.md inside the program: tools/conformance --data writes
 * them from doc/requirements and the tags when the program is built. */
#ifndef HANDFAST_CLI_CONFORMANCE_H
#define HANDFAST_CLI_CONFORMANCE_H

struct conformance_row {
    const char *id, *level, *rfc, *section, *requirement, *status, *reason;
    /* "FILE:LINE" and "FILE:LINE NAME", one behind the other, an empty one at the end. */
    const char *code, *tests;
};

extern const struct conformance_row conformance_rows[];
extern const unsigned conformance_count;

/* conformance_json.c: one object per row; absent when the build had no libjansson. */
void conformance_json(const struct conformance_row *row);

#endif
