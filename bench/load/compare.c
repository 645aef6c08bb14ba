#include "bench/load/compare.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "bench/load/run_file.h"
#include "cli/cli.h"

static const char usage[] =
    "campus-load compare A.json[,A2.json...] B.json[,B2.json...] [--noise PCT] [--strict] [--json "
    "FILE]\n"
    "  several runs a side: their median, with the spread; of what was lost the worst run\n"
    "  --noise PCT        a difference up to this is called noise (25)\n"
    "  --strict           ends with 1 when a figure is worse beyond the noise\n"
    "  --json FILE        the comparison\n"
    "  Ends with 1 when B lost or doubled something that A did not.";

/* ---- what is better ---- */

struct key_rule {
    const char *part;
    enum { AT_END, ANYWHERE } where;
    enum compare_better better;
};

/* The first that fits. A key whose direction nobody wrote here is shown without a verdict. */
static const struct key_rule key_rules[] = {
    {".lost", AT_END, BETTER_ZERO},
    {".doubled", AT_END, BETTER_ZERO},
    {"load.unknown", AT_END, BETTER_ZERO}, /* rows that nobody sent */
    {"sos_silent", AT_END, BETTER_ZERO},
    {"conflicts", AT_END, BETTER_ZERO},
    {".differences", AT_END, BETTER_ZERO},
    {".bare_", ANYWHERE, BETTER_UNKNOWN}, /* what was measured beside us */
    {"cpu_vs_", ANYWHERE, BETTER_LOWER},
    {"_vs_", ANYWHERE, BETTER_HIGHER},
    {".vs_", ANYWHERE, BETTER_HIGHER},
    {"_per_s", AT_END, BETTER_HIGHER},
    {"_per_cpu_s", AT_END, BETTER_HIGHER},
    {"found_pct", AT_END, BETTER_HIGHER},
    {"claimed_true_pct", AT_END, BETTER_HIGHER},
    {"false_per_10k_pupil_days", AT_END, BETTER_LOWER},
    {".missed", AT_END, BETTER_LOWER},
    {".false", AT_END, BETTER_LOWER},
    {".late", AT_END, BETTER_LOWER},
    {"_lost", AT_END, BETTER_LOWER}, /* connections */
    {"repeats", AT_END, BETTER_LOWER},
    {"unacked", AT_END, BETTER_LOWER},
    {"slowdown", AT_END, BETTER_LOWER},
    {"bytes_per_", ANYWHERE, BETTER_LOWER},
    {"_us_per_event", AT_END, BETTER_LOWER},
    {"bytes", AT_END, BETTER_LOWER},
    {"_cores", AT_END, BETTER_LOWER},
    {".callgrind.", ANYWHERE, BETTER_LOWER},
    {"_ns", AT_END, BETTER_LOWER},
    {"_us", AT_END, BETTER_LOWER},
    {"_ms", AT_END, BETTER_LOWER},
    {"_s", AT_END, BETTER_LOWER},
};

enum compare_better compare_better(const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < sizeof key_rules / sizeof key_rules[0]; i++) {
        const struct key_rule *rule = &key_rules[i];
        size_t part = strlen(rule->part);
        if (rule->where == ANYWHERE
                ? strstr(key, rule->part) != NULL
                : part <= length && strcmp(key + length - part, rule->part) == 0) {
            return rule->better;
        }
    }
    return BETTER_UNKNOWN;
}

/* ---- one figure ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct compare_value compare_value(const struct compare_side *side, const char *key)
{
    double values[COMPARE_RUNS_MAX];
    struct compare_value value = {0};
    for (uint32_t i = 0; i < side->count; i++) {
        const json_t *found = json_object_get(json_object_get(side->runs[i], "figures"), key);
        if (found != NULL) {
            values[value.runs++] = json_number_value(found);
        }
    }
    if (value.runs == 0) {
        return value;
    }
    qsort(values, value.runs, sizeof values[0], by_value);
    value.low = values[0];
    value.high = values[value.runs - 1];
    value.middle = compare_better(key) == BETTER_ZERO
                       ? value.high
                       : (values[(value.runs - 1) / 2] + values[value.runs / 2]) / 2;
    return value;
}

enum compare_verdict compare_judge(enum compare_better better, const struct compare_value *a,
                                   const struct compare_value *b, double noise_pct)
{
    if (better == BETTER_UNKNOWN || a->middle == b->middle) {
        return VERDICT_NONE;
    }
    bool more = b->middle > a->middle;
    if (better == BETTER_ZERO) {
        return more ? VERDICT_FAULT : VERDICT_BETTER;
    }
    double smaller = fmin(fabs(a->middle), fabs(b->middle));
    double larger = fmax(fabs(a->middle), fabs(b->middle));
    bool one_sign = (a->middle > 0) == (b->middle > 0);
    if (one_sign && larger <= smaller * (1 + noise_pct / 100) * (1 + DBL_EPSILON)) {
        return VERDICT_NOISE;
    }
    if (a->runs + b->runs > 2 && a->low <= b->high && b->low <= a->high) {
        return VERDICT_OVERLAP;
    }
    return more == (better == BETTER_HIGHER) ? VERDICT_BETTER : VERDICT_WORSE;
}

/* ---- the sides ---- */

static json_t *figures_of(const struct compare_side *side, uint32_t run)
{
    return json_object_get(side->runs[run], "figures");
}

/* Over every run of both sides: is the text the same? */
static bool all_same(const struct compare_side *const sides[2], const char *key)
{
    const char *first = run_file_text(sides[0]->runs[0], key);
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < sides[s]->count; i++) {
            if (strcmp(run_file_text(sides[s]->runs[i], key), first) != 0) {
                return false;
            }
        }
    }
    return true;
}

static const char *or_unknown(const char *text)
{
    return text[0] != '\0' ? text : "not told";
}

static void print_side(char letter, const struct compare_side *side, FILE *out)
{
    for (uint32_t i = 0; i < side->count; i++) {
        const json_t *run = side->runs[i];
        (void)fprintf(out, "%c  %s\n   commit %s, %s\n   %s\n", i == 0 ? letter : ' ',
                      side->names[i], or_unknown(run_file_text(run, "commit")),
                      or_unknown(run_file_text(run, "date")),
                      or_unknown(run_file_text(run, "command")));
    }
}

static bool print_machines(const struct compare_side *const sides[2], FILE *out)
{
    if (all_same(sides, "machine")) {
        (void)fprintf(out, "machine  %s\n",
                      or_unknown(run_file_text(sides[0]->runs[0], "machine")));
        return false;
    }
    (void)fputs("\n*** THE MACHINES DIFFER: what is faster or slower here need not be the work of "
                "the code ***\n",
                out);
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < sides[s]->count; i++) {
            (void)fprintf(out, "    %c  %s\n", 'A' + s,
                          or_unknown(run_file_text(sides[s]->runs[i], "machine")));
        }
    }
    return true;
}

static char *value_words(const json_t *value)
{
    return value != NULL ? json_dumps(value, RUN_FILE_DUMP | JSON_SORT_KEYS) : strdup("not told");
}

/* What of the member `part` (options, versions) is not the same in every run; also into `differ`. */
static void print_differing(const struct compare_side *const sides[2], const char *part, FILE *out,
                            json_t *differ)
{
    const json_t *first = json_object_get(sides[0]->runs[0], part);
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < sides[s]->count; i++) {
            const json_t *mine = json_object_get(sides[s]->runs[i], part);
            json_t *names = json_object();
            (void)json_object_update(names, (json_t *)first);
            (void)json_object_update(names, (json_t *)mine);
            const char *name;
            json_t *unused;
            json_object_foreach(names, name, unused)
            {
                const json_t *a = json_object_get(first, name), *b = json_object_get(mine, name);
                if ((a == NULL && b == NULL) || json_equal(a, b)) {
                    continue;
                }
                char *a_words = value_words(a), *b_words = value_words(b);
                (void)fprintf(out, "*** other %s: %s: %s in %s, %s in %s\n", part, name,
                              a_words != NULL ? a_words : "?", sides[0]->names[0],
                              b_words != NULL ? b_words : "?", sides[s]->names[i]);
                free(a_words);
                free(b_words);
                (void)json_object_set_new(differ, name, json_true());
            }
            json_decref(names);
        }
    }
}

/* ---- the table ---- */

static const char *const verdict_words[] = {
    [VERDICT_NONE] = "",         [VERDICT_NOISE] = "noise", [VERDICT_OVERLAP] = "runs overlap",
    [VERDICT_BETTER] = "better", [VERDICT_WORSE] = "WORSE", [VERDICT_FAULT] = "FAULT"};
static const char *const better_words[] = {[BETTER_UNKNOWN] = "",
                                           [BETTER_HIGHER] = "higher",
                                           [BETTER_LOWER] = "lower",
                                           [BETTER_ZERO] = "zero"};

enum { CELL_BYTES = 64 };

static const char *number_words(char cell[CELL_BYTES], double value)
{
    double size = fabs(value);
    (void)snprintf(cell, CELL_BYTES, size >= 1000 && size < 1e15 ? "%.0f" : "%.4g", value);
    return cell;
}

static const char *value_cell(char cell[CELL_BYTES * 4], const struct compare_value *value,
                              uint32_t side_runs)
{
    char middle[CELL_BYTES], low[CELL_BYTES], high[CELL_BYTES], of[CELL_BYTES] = "";
    (void)number_words(middle, value->middle);
    if (value->runs < side_runs) {
        (void)snprintf(of, sizeof of, ", %u of %u runs", value->runs, side_runs);
    }
    if (side_runs == 1) {
        (void)snprintf(cell, CELL_BYTES * 4ul, "%s", middle);
    } else {
        (void)snprintf(cell, CELL_BYTES * 4ul, "%s (%s-%s%s)", middle,
                       number_words(low, value->low), number_words(high, value->high), of);
    }
    return cell;
}

struct compare_table {
    const struct compare_side *sides[2];
    double noise_pct;
    FILE *out;
    int width; /* of a side's column */
    struct compare_counts counts;
    json_t *figures, *only[2];
};

static json_t *value_json(const struct compare_value *value)
{
    return json_pack("{s:f, s:f, s:f, s:i}", "value", value->middle, "low", value->low, "high",
                     value->high, "runs", (int)value->runs);
}

static void count_verdict(struct compare_counts *counts, enum compare_verdict verdict)
{
    counts->faults += verdict == VERDICT_FAULT;
    counts->worse += verdict == VERDICT_WORSE;
    counts->better += verdict == VERDICT_BETTER;
    counts->noise += verdict == VERDICT_NOISE;
    counts->overlap += verdict == VERDICT_OVERLAP;
}

static int print_figure(struct compare_table *table, const char *key)
{
    const struct compare_value a = compare_value(table->sides[0], key);
    const struct compare_value b = compare_value(table->sides[1], key);
    if (a.runs == 0 || b.runs == 0) {
        return json_array_append_new(table->only[a.runs == 0], json_string(key));
    }
    enum compare_better better = compare_better(key);
    enum compare_verdict verdict = compare_judge(better, &a, &b, table->noise_pct);
    count_verdict(&table->counts, verdict);
    char cells[2][CELL_BYTES * 4], ratio[CELL_BYTES] = "-";
    if (a.middle != 0) {
        (void)snprintf(ratio, sizeof ratio, "%.3g", b.middle / a.middle);
    }
    (void)fprintf(table->out, "%-40s %*s %*s %9s  %-6s  %s\n", key, table->width,
                  value_cell(cells[0], &a, table->sides[0]->count), table->width,
                  value_cell(cells[1], &b, table->sides[1]->count), ratio, better_words[better],
                  verdict_words[verdict]);
    json_t *row =
        json_pack("{s:s, s:o, s:o, s:s, s:s}", "key", key, "a", value_json(&a), "b", value_json(&b),
                  "better", better_words[better], "verdict", verdict_words[verdict]);
    if (row != NULL && a.middle != 0) {
        (void)json_object_set_new(row, "ratio", json_real(b.middle / a.middle));
    }
    return json_array_append_new(table->figures, row);
}

/* Each key once, in the order of the files. */
static int print_figures(struct compare_table *table)
{
    json_t *seen = json_object();
    int bad = seen == NULL;
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < table->sides[s]->count; i++) {
            const char *key;
            json_t *unused;
            json_object_foreach(figures_of(table->sides[s], i), key, unused)
            {
                if (!bad && json_object_get(seen, key) == NULL) {
                    bad |= json_object_set_new(seen, key, json_true());
                    bad |= print_figure(table, key);
                }
            }
        }
    }
    json_decref(seen);
    return bad;
}

static void print_only(const struct compare_table *table)
{
    for (int s = 0; s < 2; s++) {
        size_t count = json_array_size(table->only[s]);
        for (size_t i = 0; i < count; i++) {
            (void)fprintf(table->out, "%s%s", i == 0 ? (s == 0 ? "only A:  " : "only B:  ") : ", ",
                          json_string_value(json_array_get(table->only[s], i)));
        }
        (void)fputs(count > 0 ? "\n" : "", table->out);
    }
}

static bool told(const struct compare_side *side, const char *key)
{
    return compare_value(side, key).runs > 0;
}

static void print_end(const struct compare_table *table)
{
    const struct compare_counts *counts = &table->counts;
    (void)fprintf(table->out,
                  "\nB beside A: %u worse, %u better, %u within %g %% (noise), %u with runs that "
                  "overlap\n",
                  counts->worse, counts->better, counts->noise, table->noise_pct, counts->overlap);
    if (counts->faults > 0) {
        (void)fprintf(table->out, "*** B HAS FAULTS THAT A HAS NOT: %u figures above ***\n",
                      counts->faults);
    }
    for (int s = 0; s < 2; s++) {
        if (!told(table->sides[s], "load.lost") || !told(table->sides[s], "load.doubled")) {
            (void)fprintf(table->out, "%c does not tell whether something was lost or doubled\n",
                          'A' + s);
        }
    }
}

static json_t *side_json(const struct compare_side *side)
{
    json_t *runs = json_array();
    for (uint32_t i = 0; i < side->count; i++) {
        const json_t *run = side->runs[i];
        (void)json_array_append_new(
            runs, json_pack("{s:s, s:s, s:s, s:s, s:s}", "file", side->names[i], "machine",
                            run_file_text(run, "machine"), "commit", run_file_text(run, "commit"),
                            "command", run_file_text(run, "command"), "date",
                            run_file_text(run, "date")));
    }
    return runs;
}

enum status compare_print(const struct compare_side *a, const struct compare_side *b,
                          double noise_pct, FILE *out, struct compare_counts *ret_counts,
                          json_t **ret_json)
{
    ASSERT(a->count > 0 && b->count > 0);
    struct compare_table table = {.sides = {a, b},
                                  .noise_pct = noise_pct,
                                  .out = out,
                                  .width = a->count + b->count > 2 ? 28 : 14,
                                  .figures = json_array(),
                                  .only = {json_array(), json_array()}};
    json_t *options = json_object(), *versions = json_object();
    print_side('A', a, out);
    print_side('B', b, out);
    bool machines_differ = print_machines(table.sides, out);
    print_differing(table.sides, "versions", out, versions);
    print_differing(table.sides, "options", out, options);
    (void)fprintf(out, "\n%-40s %*s %*s %9s  %-6s  %s\n", "figure", table.width, "A", table.width,
                  "B", "B/A", "better", "verdict");
    int bad = print_figures(&table);
    print_only(&table);
    print_end(&table);
    json_t *whole = json_pack(
        "{s:o, s:o, s:f, s:b, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "a", side_json(a),
        "b", side_json(b), "noise_pct", noise_pct, "machines_differ", (int)machines_differ,
        "versions_differ", versions, "options_differ", options, "faults", (int)table.counts.faults,
        "worse", (int)table.counts.worse, "better", (int)table.counts.better, "noise",
        (int)table.counts.noise, "overlap", (int)table.counts.overlap, "figures", table.figures,
        "only_a", table.only[0], "only_b", table.only[1]);
    if (bad || whole == NULL) {
        json_decref(whole);
        return STATUS_NO_MEMORY;
    }
    *ret_counts = table.counts;
    if (ret_json != NULL) {
        *ret_json = whole;
    } else {
        json_decref(whole);
    }
    return STATUS_OK;
}

/* ---- the command ---- */

static void side_release(struct compare_side *side)
{
    for (uint32_t i = 0; i < side->count; i++) {
        json_decref(side->runs[i]);
    }
    side->count = 0;
}

/* names: files with commas between them; cut apart in place. */
static int side_read(struct compare_side *side, char *names)
{
    for (char *name = names, *rest = NULL; name != NULL; name = rest) {
        rest = strchr(name, ',');
        if (rest != NULL) {
            *rest++ = '\0';
        }
        if (name[0] == '\0') {
            return cli_usage(usage, "a file without a name between the commas");
        }
        if (side->count == COMPARE_RUNS_MAX) {
            return cli_usage(usage, "at most %u runs a side", COMPARE_RUNS_MAX);
        }
        struct status_detail detail;
        if (run_file_read(name, &side->runs[side->count], &detail) != STATUS_OK) {
            return cli_fail("%s", detail.text);
        }
        side->names[side->count++] = name;
    }
    return CLI_OK;
}

static int compare_sides(const struct compare_side sides[2], double noise_pct, bool strict,
                         const char *json)
{
    struct compare_counts counts;
    json_t *whole = NULL;
    enum status status = compare_print(&sides[0], &sides[1], noise_pct, stdout, &counts, &whole);
    if (status != STATUS_OK) {
        return cli_fail("compare: %s", status_words(status));
    }
    struct status_detail detail;
    if (json != NULL) {
        status = run_file_write(whole, json, &detail);
    }
    json_decref(whole);
    if (status != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    return counts.faults > 0 || (strict && counts.worse > 0) ? CLI_FAILED : CLI_OK;
}

int load_compare(int argc, char **argv)
{
    const char *noise = "25", *json = NULL;
    bool strict = false;
    const struct cli_option options[] = {
        {"--noise", &noise, NULL}, {"--json", &json, NULL}, {"--strict", NULL, &strict}, {0}};
    int words;
    int outcome = cli_options(argc, argv, options, usage, &words);
    if (outcome != CLI_OK) {
        return outcome;
    }
    if (words != 3) {
        return cli_usage(usage, "compare needs two sides, A.json and B.json");
    }
    double noise_pct;
    if (text_to_double(text_of(noise), &noise_pct) != STATUS_OK || noise_pct < 0 ||
        noise_pct > 10000) {
        return cli_usage(usage, "--noise %s: a number from 0 to 10000", noise);
    }
    static struct compare_side sides[2];
    outcome = side_read(&sides[0], argv[1]);
    if (outcome == CLI_OK) {
        outcome = side_read(&sides[1], argv[2]);
    }
    if (outcome == CLI_OK) {
        outcome = compare_sides(sides, noise_pct, strict, json);
    }
    side_release(&sides[0]);
    side_release(&sides[1]);
    return outcome;
}
