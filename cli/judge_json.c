/* judge_json.c - what `handfast judge` finds, as JSON lines. */
#include "cli_judge.h"

#include <handfast/packet.h>
#include <jansson.h>
#include <stdio.h>

static json_t *end_of(const struct hf_endpoint *end)
{
    char ip[HF_ADDRESS_TEXT];
    return json_pack("{s:s, s:i}", "ip", hf_address_text(end->ip, ip), "port", (int)end->port);
}

static void put(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

void judge_json_rule(enum hf_rule rule, bool judged)
{
    put(json_pack("{s:s, s:s, s:s, s:b}", "rule", hf_rule_id(rule), "sentence",
                  hf_rule_sentence(rule), "place", hf_rule_place(rule), "judged", (int)judged));
}

void judge_json_finding(const struct hf_finding *f)
{
    put(json_pack("{s:I, s:f, s:o, s:o, s:s, s:s, s:s, s:s}", "packet", (json_int_t)f->packet,
                  "time", (double)f->time_ns / 1e9, "from", end_of(&f->src), "to", end_of(&f->dst),
                  "rule", f->violation.rule, "sentence", f->violation.sentence, "place",
                  f->violation.place, "detail", f->violation.detail));
}

void judge_json_counts(const struct hf_capture_counts *c)
{
    put(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "packets",
                  (json_int_t)c->packets, "segments", (json_int_t)c->segments, "other",
                  (json_int_t)c->other, "connections", (json_int_t)c->connections, "whole",
                  (json_int_t)c->whole, "missed", (json_int_t)c->missed, "options_cut",
                  (json_int_t)c->options_cut, "headers_cut", (json_int_t)c->headers_cut,
                  "violations", (json_int_t)c->findings));
}
