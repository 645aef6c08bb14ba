/*
 * histogram.h - how often which value was seen, log-linear: exact below 64, else within 1/64 of the
 * value.
 * Memory: the caller's, about 30 KiB.
 * Threads: one at a time.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS   64u
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 59u)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count, max;
};

void histogram_add(struct histogram *histogram, uint64_t value);
/* The smallest value that at least `percent` of all values do not exceed, rounded up to its
 * bucket's end, never above the largest seen; 0 when nothing was seen. percent 0..100. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
