/* conformance.c - `handfast conformance`: each requirement, whether it is met, in which line, and
 * which test fails without it. */
#include "cli.h"
#include "conformance.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void usage(void)
{
    puts("usage: handfast conformance [--json] [ID]...\n\n"
         "Prints the requirements of RFC 9293 and its companions: the status, the places in the\n"
         "code that meet them and the tests that fail without them. ID is one row (MUST-10, "
         "SHLD-4,\n"
         "X-3, RFC7323-38) or all rows of an RFC (RFC7323).\n\n"
         "  --json   one object per line");
}

static void print_list(const char *title, const char *texts)
{
    for (; *texts; texts += strlen(texts) + 1)
        printf("    %s  %s\n", title, texts);
}

static void print_row(const struct conformance_row *row)
{
    printf("%s  %s  RFC %s, %s  %s\n    %s\n", row->id, row->level, row->rfc, row->section,
           row->status, row->requirement);
    print_list("code", row->code);
    print_list("test", row->tests);
    if (*row->reason)
        printf("    why   %s\n", row->reason);
}

#ifndef HF_WITH_JANSSON
void conformance_json(const struct conformance_row *row)
{
    (void)row;
}
#endif

static bool named_by(const struct conformance_row *row, const char *id)
{
    if (!strcasecmp(row->id, id))
        return true;
    return !strncasecmp(id, "RFC", 3) && !strcmp(row->rfc, id + 3);
}

static bool is_there(const char *id)
{
    for (unsigned i = 0; i < conformance_count; i++)
        if (named_by(&conformance_rows[i], id))
            return true;
    return false;
}

/* Those of this name, NULL: all. */
static void print_rows(const char *id, bool json)
{
    for (unsigned i = 0; i < conformance_count; i++) {
        const struct conformance_row *row = &conformance_rows[i];
        if (!id || named_by(row, id))
            (json ? conformance_json : print_row)(row);
    }
}

int cli_conformance(int argc, char **argv)
{
    enum { JSON = 256 };
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, JSON}, {0}};
    bool json = false;
    for (int c; (c = cli_getopt(argc, argv, "h", options)) != -1;) {
        if (c == 'h') {
            usage();
            return CLI_OK;
        }
        if (c != JSON)
            return CLI_USAGE;
        json = true;
    }
    if (cli_json(json) != CLI_OK)
        return CLI_FAILED;
    for (int i = optind; i < argc; i++) /* nothing is printed of a call that is wrong */
        if (!is_there(argv[i]))
            return cli_usage_error("there is no requirement '%s'; `handfast conformance` lists "
                                   "them",
                                   argv[i]);
    if (optind == argc)
        print_rows(NULL, json);
    for (int i = optind; i < argc; i++)
        print_rows(argv[i], json);
    return CLI_OK;
}
