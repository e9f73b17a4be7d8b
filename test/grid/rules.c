/* rules.c - rules.csv read, and the first rule that fits a cell. */
#include "grid/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const seq_names[] = {"old", "left-1", "left", "in", "right", "out", NULL};
static const char *const ack_names[] = {"low", "dup", "una", "flight", "nxt", "unsent", NULL};
static const char *const text_names[] = {"0", "1", "n", NULL};
static const char *const len_names[] = {"0", "1", "2+", NULL};
static const char *const ts_names[] = {"none", "extra", "newer", "equal", "older", "missing", NULL};
static const char *const where_names[] = {"active", "passive",  "kept", "released",
                                          "alone",  "listener", NULL};
static const char *const reply_names[] = {"none",    "ACK",     "ACK-END",     "RST",
                                          "RST+ACK", "SYN+ACK", "SYN+ACK-NEW", NULL};
static const char *const ctl_names[] = {"FIN", "SYN", "RST", "PSH", "ACK",
                                        "URG", "ECE", "CWR", "AE",  NULL};

static const char columns[] =
    "state,where,on,off,seq,ack,len,text,ts,verdict,reply,next,sentence,place";
enum {
    COL_STATE,
    COL_WHERE,
    COL_ON,
    COL_OFF,
    COL_SEQ,
    COL_ACK,
    COL_LEN,
    COL_TEXT,
    COL_TS,
    COL_VERDICT,
    COL_REPLY,
    COL_NEXT,
    COL_SENTENCE,
    COL_PLACE,
    COLS
};

const char *seq_class_name(unsigned i)
{
    return seq_names[i];
}

const char *ack_class_name(unsigned i)
{
    return ack_names[i];
}

const char *text_class_name(unsigned i)
{
    return text_names[i];
}

const char *ts_class_name(unsigned i)
{
    return ts_names[i];
}

const char *reply_name(unsigned i)
{
    return reply_names[i];
}

const char *ctl_name(unsigned bit)
{
    return ctl_names[bit];
}

uint32_t cell_text_bytes(const struct cell *cell)
{
    static const uint32_t bytes[TEXT_CLASSES] = {0, 1, 10};
    return bytes[cell->text];
}

uint32_t cell_len(const struct cell *cell)
{
    return cell_text_bytes(cell) + ((cell->ctl & HF_SYN) != 0) + ((cell->ctl & HF_FIN) != 0);
}

/* The place of word among names, -1: it is none of them. */
static int place_of(const char *word, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], word) == 0) {
            return i;
        }
    }
    return -1;
}

static int state_of(const char *word)
{
    for (int i = 0; i < HF_STATES; i++) {
        if (strcmp(hf_state_name((enum hf_state)i), word) == 0) {
            return i;
        }
    }
    return strcmp(word, "=") == 0 ? STATE_SAME : -1;
}

static int verdict_of(const char *word)
{
    for (int i = 0; i < HF_VERDICT_COUNT; i++) {
        if (strcmp(hf_verdict_name((enum hf_verdict)i), word) == 0) {
            return i;
        }
    }
    return -1;
}

/* Words to bits; names NULL: states.  False: an unknown word, which field then is. */
static bool bits_of(char *field, const char *const *names, unsigned empty, unsigned *bits)
{
    char *rest = field;
    char *word;
    *bits = 0;
    while ((word = strtok_r(rest, " ", &rest)) != NULL) {
        int i = names != NULL ? place_of(word, names) : state_of(word);
        if (i < 0 || (names == NULL && i == STATE_SAME)) {
            memmove(field, word, strlen(word) + 1);
            return false;
        }
        *bits |= 1u << i;
    }
    if (*bits == 0) {
        *bits = empty;
    }
    return true;
}

/* Cuts a line of RFC 4180 in place into exactly COLS fields. */
static bool cut(char *line, char *field[COLS])
{
    char *in = line;
    for (int i = 0; i < COLS; i++) {
        char *out = in;
        bool quoted = *in == '"';
        field[i] = out;
        in += quoted;
        while (*in != '\0' && (quoted || *in != ',')) {
            if (*in == '"') {
                if (in[1] != '"') {
                    quoted = false;
                    in++;
                    continue;
                }
                in++;
            }
            *out++ = *in++;
        }
        bool more = *in == ',';
        *out = '\0';
        if (quoted || more != (i + 1 < COLS)) {
            return false;
        }
        in++;
    }
    return true;
}

static const char *parse_conditions(struct rule *rule, char *field[COLS])
{
    struct {
        const char *const *names;
        unsigned *bits;
        int column;
        unsigned empty;
    } const sets[] = {
        {NULL, &rule->states, COL_STATE, 0},   {where_names, &rule->where, COL_WHERE, 0},
        {ctl_names, &rule->on, COL_ON, 0},     {ctl_names, &rule->off, COL_OFF, 0},
        {seq_names, &rule->seq, COL_SEQ, ~0u}, {ack_names, &rule->ack, COL_ACK, ~0u},
        {len_names, &rule->len, COL_LEN, ~0u}, {text_names, &rule->text, COL_TEXT, ~0u},
        {ts_names, &rule->ts, COL_TS, ~0u},
    };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (!bits_of(field[sets[i].column], sets[i].names, sets[i].empty, sets[i].bits)) {
            return field[sets[i].column];
        }
    }
    return NULL;
}

/* NULL, or the word that cannot be. */
static const char *parse_rule(struct rule *rule, char *field[COLS])
{
    const char *wrong = parse_conditions(rule, field);
    if (wrong != NULL) {
        return wrong;
    }
    int verdict = verdict_of(field[COL_VERDICT]);
    int reply = place_of(field[COL_REPLY], reply_names);
    int next = state_of(field[COL_NEXT]);
    if (verdict < 0 || reply < 0 || next < 0 || rule->states == 0) {
        return verdict < 0 ? field[COL_VERDICT]
               : reply < 0 ? field[COL_REPLY]
               : next < 0  ? field[COL_NEXT]
                           : "no state";
    }
    rule->verdict = (unsigned)verdict;
    rule->reply = (unsigned)reply;
    rule->next = (unsigned)next;
    snprintf(rule->sentence, sizeof rule->sentence, "%s", field[COL_SENTENCE]);
    snprintf(rule->place, sizeof rule->place, "%s", field[COL_PLACE]);
    return NULL;
}

bool rules_read(struct rules *rules, const char *path)
{
    char line[1024];
    unsigned number = 0;
    memset(rules, 0, sizeof *rules);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(rules->error, sizeof rules->error, "cannot open %.150s", path);
        return false;
    }
    while (rules->error[0] == '\0' && fgets(line, sizeof line, file) != NULL) {
        char *field[COLS];
        line[strcspn(line, "\r\n")] = '\0';
        if (++number == 1) {
            if (strcmp(line, columns) != 0) {
                snprintf(rules->error, sizeof rules->error, "line 1: not %s", columns);
            }
            continue;
        }
        struct rule *rule = &rules->rule[rules->n];
        if (rules->n > RULES_MAX) {
            snprintf(rules->error, sizeof rules->error, "line %u: too many rules", number);
        } else if (!cut(line, field)) {
            snprintf(rules->error, sizeof rules->error, "line %u: not %d columns", number, COLS);
        } else {
            const char *wrong = parse_rule(rule, field);
            if (wrong != NULL) {
                snprintf(rules->error, sizeof rules->error, "line %u: '%.60s'", number, wrong);
            }
            rule->line = number;
            rules->n++;
        }
    }
    fclose(file);
    return rules->error[0] == '\0';
}

struct rule *rules_find(struct rules *rules, const struct cell *cell)
{
    uint32_t len = cell_len(cell);
    unsigned len_bit = 1u << (len < 2 ? len : 2);
    for (unsigned i = 0; i < rules->n; i++) {
        struct rule *rule = &rules->rule[i];
        if ((rule->states & 1u << cell->state) && (cell->ctl & rule->on) == rule->on &&
            (cell->ctl & rule->off) == 0 && (rule->seq & 1u << cell->seq) &&
            (rule->ack & 1u << cell->ack) && (rule->len & len_bit) &&
            (rule->text & 1u << cell->text) && (rule->ts & 1u << cell->ts) &&
            (cell->where & rule->where) == rule->where) {
            return rule;
        }
    }
    return NULL;
}
