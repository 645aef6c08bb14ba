/* bench-presence: what the engine's rule and those of peers find, miss and invent on simulated
 * school days whose truth is known, and on real day traces. */
#include <stdbool.h>
#include <stdio.h>

#include "bench/figures.h"
#include "bench/presence_claims.h"
#include "bench/presence_frontier.h"
#include "bench/presence_sum.h"
#include "bench/presence_traces.h"
#include "cli/cli.h"

static const char usage[] =
    "bench-presence [--quick] [--frontier] [--pupils N] [--days N] [--json FILE]\n"
    "  2,000 pupils x 10 school days at 60 s and 300 s, with gates and without; --quick: 200 x 3;\n"
    "  --frontier: the same days by a range of wanted error rates too;\n"
    "  then the phones' day traces in the folder of real inputs, $CAMPUS_DATA";

static const char rules_of_scoring[] =
    "An alert finds a crossing of its pupil, fence and direction that lies within the bounds which it\n"
    "tells, give or take 10 min, and is raised after it; of the peers' rules the bounds are the first\n"
    "fix that counts and the one before it. A second alert is double, one without a crossing false.\n"
    "A crossing undone in less than one interval is brief, as is the one that undoes it: neither\n"
    "found nor missed. One more day before the first is not counted.\n";

enum { ROW_BYTES_MAX = 1024 };

static void print_head(const struct run_options *options)
{
    struct buffer head;
    buffer_init(&head, ROW_BYTES_MAX);
    score_head(&head);
    (void)printf("\n%u pupils, %u days, a fix each %u s, %s gates\n", options->pupils,
                 options->days, options->interval_ms / 1000, options->gates ? "with" : "without");
    (void)printf("%-16s %s %16s\n", "rule", buffer_cstr(&head), "false per 10 k");
    buffer_release(&head);
}

static void print_rule(const char *name, const struct score *score,
                       const struct run_options *options)
{
    struct buffer row;
    buffer_init(&row, ROW_BYTES_MAX);
    for (uint32_t type = SCORE_ENTERED; type < SCORE_TYPES; type++) {
        buffer_clear(&row);
        score_row(score, (enum score_type)type, &row);
        (void)printf("%-16s %s %16.1f\n", name, buffer_cstr(&row),
                     presence_per_10k(score->kinds[type].wrong, options));
    }
    buffer_release(&row);
    (void)fflush(stdout);
}

static void add(struct figures *figures, const char *what, const struct run_options *options,
                double value)
{
    char key[FIGURE_KEY_BYTES_MAX];
    (void)snprintf(key, sizeof key, "presence.%s%s", what,
                   options->interval_ms == 300000 ? "_300s" : "");
    figures_add(figures, key, value);
}

static void add_sum(struct figures *figures, const char *what, const struct presence_sum *sum,
                    const struct run_options *options)
{
    char key[FIGURE_KEY_BYTES_MAX - sizeof "presence._300s"];
    (void)snprintf(key, sizeof key, "%sfound%s_pct", what, options->gates ? "" : "_no_gates");
    add(figures, key, options, presence_percent(sum->found, sum->crossings));
    (void)snprintf(key, sizeof key, "%sfalse%s_per_10k_pupil_days", what,
                   options->gates ? "" : "_no_gates");
    add(figures, key, options, presence_per_10k(sum->wrong, options));
    (void)snprintf(key, sizeof key, "%sdelay%s_median_s", what, options->gates ? "" : "_no_gates");
    add(figures, key, options, presence_seconds(&sum->delays_ms, 50));
}

static void add_figures(struct figures *figures, uint32_t rule, const struct score *score,
                        const struct run_options *options)
{
    static struct presence_sum sum;
    presence_sum_up(score, SCORE_ENTERED, SCORE_LEFT, &sum);
    if (rule == 0) {
        add_sum(figures, "", &sum, options);
    } else if (rule == 1 && options->gates) {
        add_sum(figures, "naive_", &sum, options);
    }
    if (rule == 0 && options->gates) { /* passes are no evidence for these */
        presence_sum_up(score, SCORE_DANGER, SCORE_DANGER, &sum);
        add_sum(figures, "danger_", &sum, options);
        presence_sum_up(score, SCORE_PLACE_ENTERED, SCORE_PLACE_LEFT, &sum);
        add_sum(figures, "places_", &sum, options);
    }
}

static int measure(const struct run_options *options, struct claims *claims,
                   struct figures *figures)
{
    static struct run run;
    static struct score result;
    struct status_detail detail = {{0}};
    if (run_days(&run, options, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    print_head(options);
    for (uint32_t i = 0; i <= RULES; i++) {
        score(run.crossings.items, run.crossings.count, run.raised[i].items, run.raised[i].count,
              options->interval_ms, &result);
        print_rule(i == 0 ? "evidence" : rule_kinds[i - 1].name, &result, options);
        add_figures(figures, i, &result, options);
        if (i == 0) {
            claims_take(claims, &run.raised[i]);
        }
    }
    if (options->policy_count > 0) {
        frontier_tell(&run, figures);
    }
    run_release(&run);
    return CLI_OK;
}

static bool read_count(const char *text, int64_t high, int64_t *ret)
{
    return text == NULL ||
           (text_to_i64(text_of(text), ret) == STATUS_OK && *ret > 0 && *ret <= high);
}

int main(int argc, char **argv)
{
    const char *json = NULL, *pupils_text = NULL, *days_text = NULL;
    bool quick = false, frontier = false;
    const struct cli_option list[] = {
        {"--json", &json, NULL},         {"--quick", NULL, &quick},
        {"--frontier", NULL, &frontier}, {"--pupils", &pupils_text, NULL},
        {"--days", &days_text, NULL},    {0}};
    int words;
    int outcome = cli_options(argc, argv, list, usage, &words);
    if (outcome != CLI_OK) {
        return outcome;
    }
    if (words > 1) {
        return cli_usage(usage, "takes no words");
    }
    int64_t pupils = quick ? 200 : 2000, days = quick ? 3 : 10;
    if (!read_count(pupils_text, 200000, &pupils) || !read_count(days_text, 365, &days)) {
        return cli_usage(usage, "--pupils: 1 to 200,000; --days: 1 to 365");
    }
    static const uint32_t intervals_ms[] = {60000, 300000};
    struct presence_policy policies[FRONTIER_POLICIES];
    frontier_policies(policies);
    static struct claims claims;
    static struct figures figures;
    (void)fputs(rules_of_scoring, stdout);
    for (uint32_t i = 0; i < 4; i++) {
        struct run_options options = {.pupils = (uint32_t)pupils,
                                      .days = (uint32_t)days,
                                      .interval_ms = intervals_ms[i / 2],
                                      .gates = i % 2 == 0,
                                      .policies = policies,
                                      .policy_count = frontier ? FRONTIER_POLICIES : 0};
        outcome = measure(&options, &claims, &figures);
        if (outcome != CLI_OK) {
            return outcome;
        }
    }
    claims_tell(&claims, &figures);
    outcome = traces_bench(&figures);
    if (outcome != CLI_OK) {
        return outcome;
    }
    struct status_detail detail;
    if (json != NULL && figures_write(&figures, json, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    return CLI_OK;
}
