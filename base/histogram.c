#include "base/histogram.h"

#include "base/assert.h"

enum { STEP_BITS = 6 };
_Static_assert(1u << STEP_BITS == HISTOGRAM_STEPS, "one is made of the other");

static uint32_t bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS) {
        return (uint32_t)value;
    }
    uint32_t shift = (uint32_t)(63 - __builtin_clzll(value)) - STEP_BITS;
    return (shift + 1) * HISTOGRAM_STEPS + (uint32_t)((value >> shift) - HISTOGRAM_STEPS);
}

static uint64_t bucket_end(uint32_t bucket) /* the largest value in it */
{
    if (bucket < HISTOGRAM_STEPS) {
        return bucket;
    }
    uint32_t shift = bucket / HISTOGRAM_STEPS - 1;
    uint64_t step = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
    return ((step + 1) << shift) -
           1; /* the last bucket: 0 - 1, the largest of all, as it should be */
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->count++;
    if (histogram->max < value) {
        histogram->max = value;
    }
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    ASSERT(percent >= 0 && percent <= 100);
    double wanted = (double)histogram->count * percent / 100;
    uint64_t below = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += histogram->counts[i];
        if (below > 0 && (double)below >= wanted) {
            uint64_t end = bucket_end(i);
            return end < histogram->max ? end : histogram->max;
        }
    }
    return histogram->max;
}
