#include "bench/presence_frontier.h"

#include <stdio.h>

#include "base/assert.h"
#include "bench/presence_sum.h"
#include "core/rates.h"

/* Wanted shares of false departures, in millionths. Arrivals may be wrong 10 times as often, dangers 50
 * times, half of them at most. */
static const uint32_t lefts_e6[FRONTIER_POLICIES] = {100000, 20000, 6000, 2000, 600, 60, 20, 10};
_Static_assert((int)FRONTIER_POLICIES <= (int)RUN_POLICIES_MAX, "one run has them all");

static uint32_t at_most_half(uint32_t rate_e6)
{
    return rate_e6 < RATE_E6_MAX ? rate_e6 : RATE_E6_MAX;
}

void frontier_policies(struct presence_policy ret[FRONTIER_POLICIES])
{
    for (uint32_t i = 0; i < FRONTIER_POLICIES; i++) {
        struct presence_rates rates = PRESENCE_RATES_DEFAULT;
        rates.entered_e6 = at_most_half(lefts_e6[i] * (rates.entered_e6 / rates.left_e6));
        rates.danger_e6 = at_most_half(lefts_e6[i] * (rates.danger_e6 / rates.left_e6));
        rates.left_e6 = lefts_e6[i];
        ret[i] = policy_of_rates(&rates);
    }
}

static void add(struct figures *figures, const char *what, const char *row,
                const struct run_options *options, double value)
{
    char key[FIGURE_KEY_BYTES_MAX];
    (void)snprintf(key, sizeof key, "presence.frontier_%s%s_%s%s", what,
                   options->gates ? "" : "_no_gates", row,
                   options->interval_ms == 300000 ? "_300s" : "");
    figures_add(figures, key, value);
}

/* `key` names the row in the figures, `words` in the table. */
static void tell_row(struct run *run, uint32_t raised, const char *words, const char *key,
                     struct figures *figures)
{
    static struct score result;
    static struct presence_sum grounds, danger;
    const struct run_options *options = &run->options;
    score(run->crossings.items, run->crossings.count, run->raised[raised].items,
          run->raised[raised].count, options->interval_ms, &result);
    presence_sum_up(&result, SCORE_ENTERED, SCORE_LEFT, &grounds);
    presence_sum_up(&result, SCORE_DANGER, SCORE_DANGER, &danger);
    double wrong = presence_per_10k(grounds.wrong, options);
    double found = presence_percent(grounds.found, grounds.crossings);
    double median = presence_seconds(&grounds.delays_ms, 50);
    double most = presence_seconds(&grounds.delays_ms, 90);
    (void)printf("%-24s %10.1f %8.2f %8.0f %8.0f %12.1f %8.2f %8.0f\n", words, wrong, found, median,
                 most, presence_per_10k(danger.wrong, options),
                 presence_percent(danger.found, danger.crossings),
                 presence_seconds(&danger.delays_ms, 50));
    add(figures, "false", key, options, wrong);
    add(figures, "found_pct", key, options, found);
    add(figures, "delay_median_s", key, options, median);
    add(figures, "delay_90_s", key, options, most);
}

static void tell_policy(struct run *run, uint32_t raised, uint32_t left_e6, struct figures *figures)
{
    char words[32], key[32];
    (void)snprintf(words, sizeof words, "left %.3g %%%s", left_e6 / 1e4,
                   raised == 0 ? ", default" : "");
    (void)snprintf(key, sizeof key, "left_%u", left_e6);
    tell_row(run, raised, words, key, figures);
}

void frontier_tell(struct run *run, struct figures *figures)
{
    static const char *const keys[RULES] = {"every_fix", "accuracy_50m", "three_in_a_row",
                                            "two_in_a_row"};
    const struct presence_rates initial = PRESENCE_RATES_DEFAULT;
    ASSERT(run->options.policy_count == FRONTIER_POLICIES);
    (void)printf(
        "\nfalse alerts against delay: by how many departures may be false, and the others\n"
        "%-24s %10s %8s %8s %8s %12s %8s %8s\n",
        "grounds, then danger", "false/10 k", "found %", "delay 50", "90 % s", "danger false",
        "found %", "delay 50");
    bool told = false;
    for (uint32_t i = 0; i < FRONTIER_POLICIES; i++) {
        if (!told && lefts_e6[i] < initial.left_e6) {
            tell_policy(run, 0, initial.left_e6, figures);
            told = true;
        }
        tell_policy(run, 1 + RULES + i, lefts_e6[i], figures);
    }
    for (uint32_t i = 0; i < RULES; i++) {
        tell_row(run, 1 + i, rule_kinds[i].name, keys[i], figures);
    }
    (void)fflush(stdout);
}
