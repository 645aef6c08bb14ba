/*
 * presence_claims.h - how sure alerts claim to be, beside how many of them were true.
 * Memory: the caller's, cleared at first.
 * Threads: one.
 */
#ifndef BENCH_PRESENCE_CLAIMS_H
#define BENCH_PRESENCE_CLAIMS_H

#include "bench/figures.h"
#include "bench/presence_run.h"

enum { CLAIM_BUCKETS = 7 };

struct claim {
    uint64_t alerts, wrong, doubt_sum_e6;
};

struct claims {
    struct claim items[SCORE_TYPES][CLAIM_BUCKETS]; /* from the most doubtful on */
};

/* Alerts that score() has judged. */
void claims_take(struct claims *claims, const struct run_marks *raised);
/* A row of each kind and bucket that holds any; figures of school grounds, all together. */
void claims_tell(const struct claims *claims, struct figures *figures);

#endif
