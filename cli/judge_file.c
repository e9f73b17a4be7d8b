/* judge_file.c - `handfast judge FILE`: the oracle over a capture of any TCP. */
#include "cli.h"
#include "cli_judge.h"

#include <handfast/packet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void usage(void)
{
    puts(
        "usage: handfast judge [OPTION]... FILE\n\n"
        "Judges each TCP segment of a capture (pcapng or pcap; - is standard input) by RFC 9293 "
        "and\n"
        "its companions: a line for each rule that is broken, with the packet's number, its time\n"
        "and where the rule is written. Both ends of each connection are judged by what passed "
        "the\n"
        "point of capture; rules that need inside knowledge are left out: --rules lists them.\n\n"
        "  --on-wire   no network card puts segments together (GRO, TSO) between this capture and\n"
        "              the wire: their size is judged, too\n"
        "  --rules     which rules are looked at, and which are not\n"
        "  --json      an object a line: each finding, last the figures; with --rules each rule\n\n"
        "Exit status: 0 no rule is broken, 1 some are, 2 the file cannot be read, or not all of\n"
        "it (it is cut off, or has packets of an unknown link type), or it has no TCP segment:\n"
        "then, too, what is there was judged and is told.");
}

static void put_end(const struct hf_endpoint *end)
{
    char ip[HF_ADDRESS_TEXT];
    printf(cli_is_ipv4(end->ip) ? "%s:%u" : "[%s]:%u", hf_address_text(end->ip, ip), end->port);
}

#ifndef HF_WITH_JANSSON
void judge_json_rule(enum hf_rule rule, bool judged)
{
    (void)rule;
    (void)judged;
}

void judge_json_finding(const struct hf_finding *finding)
{
    (void)finding;
}

void judge_json_counts(const struct hf_capture_counts *counts)
{
    (void)counts;
}
#endif

static void list_rules(bool on_wire, bool json)
{
    for (int turn = 0; turn < 2; turn++) {
        if (!json)
            puts(turn == 0 ? "looked at:" : "left out, they need inside knowledge or as noted:");
        for (enum hf_rule rule = 0; rule < HF_RULE_COUNT; rule++) {
            if (hf_capture_judges(rule, on_wire) != (turn == 0))
                continue;
            if (json)
                judge_json_rule(rule, turn == 0);
            else
                printf("  %-14s  %s (%s)%s\n", hf_rule_id(rule), hf_rule_sentence(rule),
                       hf_rule_place(rule),
                       turn == 1 && hf_capture_judges(rule, true) ? "; --on-wire looks at it" : "");
        }
    }
}

static void found(void *arg, const struct hf_finding *f)
{
    const bool *json = arg;
    if (*json) {
        judge_json_finding(f);
        return;
    }
    printf("packet %" PRIu64 ", %" PRId64 ".%06" PRId64 " s, ", f->packet, f->time_ns / 1000000000,
           f->time_ns % 1000000000 / 1000);
    put_end(&f->src);
    printf(" > ");
    put_end(&f->dst);
    printf(": %s: %s (%s): %s\n", f->violation.rule, f->violation.sentence, f->violation.place,
           f->violation.detail);
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* ARP, UDP, ICMP ...; but also what should have been TCP. */
static void sum_up_other(const struct hf_capture_counts *c)
{
    uint64_t n = c->other - c->headers_cut;
    if (n)
        printf("%" PRIu64
               " packet%s no TCP segment that can be read: another protocol, a fragment, "
               "or damaged.\n",
               n, n == 1 ? " is" : "s are");
}

/* What is cut off is left out, which is told: else it would pass for judged. */
static void sum_up_cut(const struct hf_capture_counts *c)
{
    if (c->options_cut)
        printf("Packets were cut by the capture: of %" PRIu64 " TCP segment%s the options are not "
               "all there; rules that need them were left out.\n",
               c->options_cut, plural(c->options_cut));
    if (c->headers_cut)
        printf("Packets were cut by the capture: of %" PRIu64 " TCP segment%s not even the header "
               "is there; %s not judged.\n",
               c->headers_cut, plural(c->headers_cut),
               c->headers_cut == 1 ? "it was" : "they were");
    if (c->options_cut || c->headers_cut)
        puts("A larger snaplen keeps all headers: tcpdump -s 128.");
}

static int rules_left_out(bool on_wire)
{
    int left_out = 0;
    for (int i = 0; i < HF_RULE_COUNT; i++)
        left_out += !hf_capture_judges((enum hf_rule)i, on_wire);
    return left_out;
}

static void sum_up(const struct hf_capture_counts *c, bool on_wire)
{
    int ever = rules_left_out(true), more = rules_left_out(on_wire) - ever;
    printf("%" PRIu64 " packet%s, %" PRIu64 " TCP segment%s of %" PRIu64 " connection%s, %" PRIu64
           " of these from %s on; %" PRIu64 " break%s a rule\n",
           c->packets, plural(c->packets), c->segments, plural(c->segments), c->connections,
           plural(c->connections), c->whole, c->whole == 1 ? "its SYN" : "their SYNs", c->findings,
           c->findings == 1 ? "s" : "");
    if (c->missed)
        printf("The capture has not all packets of %" PRIu64
               " connection%s: there, ACKs, windows and FINs were judged up to the gap only.\n",
               c->missed, plural(c->missed));
    sum_up_other(c);
    sum_up_cut(c);
    printf("%d of %d rules need inside knowledge and were left out (--rules)", ever, HF_RULE_COUNT);
    if (more)
        printf(", and %d that --on-wire looks at", more);
    puts(".");
}

static int judge(const char *path, bool on_wire, bool json)
{
    const struct hf_capture_config config = {
        .struct_size = sizeof config, .on_wire = on_wire, .found = found, .arg = &json};
    struct hf_capture_judge *judge = hf_capture_judge_new(&config);
    struct hf_capture_counts counts = {.struct_size = sizeof counts};
    char error[HF_ERROR_TEXT];
    if (judge == NULL)
        return cli_failure("no memory");
    int result = hf_capture_judge_file(judge, path, error);
    hf_capture_judge_end(judge, &counts);
    if (result == HF_OK || counts.packets > 0) {
        if (json)
            judge_json_counts(&counts);
        else
            sum_up(&counts, on_wire);
    }
    hf_capture_judge_free(judge);
    if (result != HF_OK)
        return cli_usage_error("%s", error);
    if (counts.segments == 0)
        return cli_usage_error("%s: no TCP segment was judged", path);
    return counts.findings ? CLI_FAILED : CLI_OK;
}

int cli_judge(int argc, char **argv)
{
    enum { ON_WIRE = 256, RULES, JSON };
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"on-wire", no_argument, NULL, ON_WIRE},
                                            {"rules", no_argument, NULL, RULES},
                                            {"json", no_argument, NULL, JSON},
                                            {0}};
    bool on_wire = false, json = false, rules = false;
    for (int c; (c = cli_getopt(argc, argv, "h", options)) != -1;) {
        if (c == 'h') {
            usage();
            return CLI_OK;
        }
        if (c == '?')
            return CLI_USAGE;
        on_wire |= c == ON_WIRE;
        json |= c == JSON;
        rules |= c == RULES;
    }
    if (cli_json(json) != CLI_OK)
        return CLI_FAILED;
    if (rules && optind < argc)
        return cli_usage_error("--rules lists rules and judges nothing: leave '%s' out, or --rules",
                               argv[optind]);
    if (rules) {
        list_rules(on_wire, json);
        return CLI_OK;
    }
    if (optind == argc || !*argv[optind])
        return cli_usage_error("which capture? `handfast judge FILE`, - for standard input");
    if (optind + 1 < argc)
        return cli_usage_error("'%s' is one argument too many; one FILE is judged",
                               argv[optind + 1]);
    return judge(argv[optind], on_wire, json);
}
