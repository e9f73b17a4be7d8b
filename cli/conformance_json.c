/* conformance_json.c - `handfast conformance --json`: one object per row, by libjansson. */
#include "conformance.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_t *list(const char *texts)
{
    json_t *array = json_array();
    for (; *texts; texts += strlen(texts) + 1)
        json_array_append_new(array, json_string(texts));
    return array;
}

void conformance_json(const struct conformance_row *row)
{
    json_t *object = json_pack("{ss ss ss ss ss ss so so ss}", "id", row->id, "level", row->level,
                               "rfc", row->rfc, "section", row->section, "requirement",
                               row->requirement, "status", row->status, "code", list(row->code),
                               "tests", list(row->tests), "reason", row->reason);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}
