#include "bench/presence_sum.h"

double presence_percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

double presence_seconds(const struct histogram *times_ms, double part)
{
    return times_ms->count == 0 ? 0 : (double)histogram_percentile(times_ms, part) / 1000;
}

double presence_per_10k(uint64_t count, const struct run_options *options)
{
    return 1e4 * (double)count / ((double)options->pupils * options->days);
}

void presence_sum_up(const struct score *score, enum score_type from, enum score_type to,
                     struct presence_sum *ret)
{
    *ret = (struct presence_sum){0};
    for (uint32_t type = from; type <= to; type++) {
        const struct score_kind *kind = &score->kinds[type];
        ret->crossings += kind->crossings;
        ret->found += kind->found;
        ret->wrong += kind->wrong;
        ret->delays_ms.count += kind->delays_ms.count;
        if (kind->delays_ms.max > ret->delays_ms.max) {
            ret->delays_ms.max = kind->delays_ms.max;
        }
        for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
            ret->delays_ms.counts[i] += kind->delays_ms.counts[i];
        }
    }
}
