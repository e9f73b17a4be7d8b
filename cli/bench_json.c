/* bench_json.c - the figures of `handfast bench` as JSON, one object on a line each. */
#include "cli_bench.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

static json_t *spread_json(const struct bench_spread *spread)
{
    return json_pack("{s:f, s:f, s:f}", "median", spread->median, "min", spread->min, "max",
                     spread->max);
}

static json_t *series_json(const struct bench_series *series)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < BENCH_SERIES && series[i].name[0] != '\0'; i++) {
        json_t *points = json_array();
        for (unsigned p = 0; p < series[i].n; p++) {
            json_array_append_new(points, json_pack("[f, f]", series[i].x[p], series[i].y[p]));
        }
        json_object_set_new(object, series[i].name, points);
    }
    return object;
}

static json_t *result_json(const struct bench_figure *figure,
                           const struct bench_contender *contender,
                           const struct bench_result *result)
{
    json_t *object =
        result->absent ? json_pack("{s:s}", "absent", result->note)
                       : json_pack("{s:f, s:f, s:f, s:i}", "median", result->median, "min",
                                   result->min, "max", result->max, "rounds", (int)result->rounds);
    if (contender->with) {
        json_object_set_new(object, "with", json_string(contender->with));
    }
    for (unsigned k = 0; k < BENCH_ALSO && figure->also[k] && !result->absent; k++) {
        if (!isnan(result->also[k].median)) {
            json_object_set_new(object, figure->also[k], spread_json(&result->also[k]));
        }
    }
    if (result->series[0].name[0] != '\0') {
        json_object_set_new(object, "series", series_json(result->series));
    }
    return object;
}

/* null: each round was discarded. */
static json_t *reference_json(const struct bench_reference *reference)
{
    if (reference->syscall_ns <= 0) {
        return json_null();
    }
    return json_pack("{s:f, s:f, s:f}", "syscall_ns", reference->syscall_ns, "load_ns",
                     reference->load_ns, "copy_64k_ns", reference->copy_ns);
}

void bench_json(const struct bench_figure *figure, const struct bench_measured *measured)
{
    char command[BENCH_NOTE];
    json_t *peers = json_object(), *ratios = json_object();
    const struct bench_contender *contender = figure->contender;
    for (unsigned i = 1; i < BENCH_CONTENDERS && contender[i].name; i++) {
        double ratio = bench_ratio(figure, measured, i);
        json_object_set_new(peers, contender[i].name,
                            result_json(figure, &contender[i], &measured->result[i]));
        if (ratio > 0) {
            json_object_set_new(ratios, contender[i].name, json_real(ratio));
        }
    }
    snprintf(command, sizeof command, "handfast bench %s", figure->name);
    json_t *all = json_pack(
        "{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:s, s:o, s:i}", "figure", figure->name, "unit",
        figure->unit, "title", figure->title, "less_is_better", figure->less_is_better, "handfast",
        result_json(figure, &contender[0], &measured->result[0]), "peers", peers, "ratio", ratios,
        "command", command, "reference", reference_json(&measured->reference), "discarded",
        (int)measured->discarded);
    json_dumpf(all, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(all);
}
