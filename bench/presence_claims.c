#include "bench/presence_claims.h"

#include <stdio.h>

#include "bench/presence_sum.h"

/* Where the buckets end: one alert wrong in 30, 100, ... */
static const uint32_t ends_e6[CLAIM_BUCKETS - 1] = {30000, 10000, 3000, 1000, 300, 100};

void claims_take(struct claims *claims, const struct run_marks *raised)
{
    for (uint32_t i = 0; i < raised->count; i++) {
        const struct score_mark *mark = &raised->items[i];
        uint32_t bucket = 0;
        while (bucket < CLAIM_BUCKETS - 1 && mark->doubt_e6 < ends_e6[bucket]) {
            bucket++;
        }
        struct claim *claim = &claims->items[mark->type][bucket];
        claim->alerts++;
        claim->wrong += mark->wrong ? 1 : 0;
        claim->doubt_sum_e6 += mark->doubt_e6;
    }
}

static double claimed_pct(const struct claim *claim)
{
    return 100.0 - (double)claim->doubt_sum_e6 / (double)claim->alerts / 1e4;
}

static double true_pct(const struct claim *claim)
{
    return 100.0 - presence_percent(claim->wrong, claim->alerts);
}

void claims_tell(const struct claims *claims, struct figures *figures)
{
    static const char *const words[SCORE_TYPES] = {"",       "entered",  "left",
                                                   "danger", "place in", "place out"};
    struct claim grounds = {0};
    (void)printf("\nhow sure alerts claim to be, and how many were true, all runs above\n"
                 "%-10s %9s %10s %10s %10s\n",
                 "kind", "alerts", "false", "claimed %", "true %");
    for (uint32_t type = SCORE_ENTERED; type < SCORE_TYPES; type++) {
        for (uint32_t i = 0; i < CLAIM_BUCKETS; i++) {
            const struct claim *claim = &claims->items[type][i];
            if (claim->alerts == 0) {
                continue;
            }
            (void)printf("%-10s %9llu %10llu %10.3f %10.3f\n", words[type],
                         (unsigned long long)claim->alerts, (unsigned long long)claim->wrong,
                         claimed_pct(claim), true_pct(claim));
            if (type <= SCORE_LEFT) {
                grounds.alerts += claim->alerts;
                grounds.wrong += claim->wrong;
                grounds.doubt_sum_e6 += claim->doubt_sum_e6;
            }
        }
    }
    if (grounds.alerts > 0) {
        figures_add(figures, "presence.claimed_pct", claimed_pct(&grounds));
        figures_add(figures, "presence.claimed_true_pct", true_pct(&grounds));
    }
}
