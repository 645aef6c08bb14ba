/*
 * presence_sum.h - some kinds of a score together, in the units that are published.
 * Memory: the caller's.
 * Threads: any.
 */
#ifndef BENCH_PRESENCE_SUM_H
#define BENCH_PRESENCE_SUM_H

#include "bench/presence_run.h"
#include "sim/score.h"

struct presence_sum {
    uint64_t crossings, found, wrong;
    struct histogram delays_ms;
};

void presence_sum_up(const struct score *score, enum score_type from, enum score_type to,
                     struct presence_sum *ret);

/* 0 of nothing. */
double presence_percent(uint64_t part, uint64_t whole);
double presence_seconds(const struct histogram *times_ms, double part);
/* In 10,000 pupil-days. */
double presence_per_10k(uint64_t count, const struct run_options *options);

#endif
