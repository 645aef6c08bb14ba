/*
 * climb.h - drives a ladder (ladder.h) over a run: one step after the other, with a rest after each
 * until what it left behind is gone.
 * Know: the step that runs is told to the generators in memory that they share, so that it must be
 * made before they are.
 * Memory: own, until load_climb_release.
 * Threads: the main thread.
 */
#ifndef BENCH_LOAD_CLIMB_H
#define BENCH_LOAD_CLIMB_H

#include "bench/load/feed.h"
#include "bench/load/ladder.h"

struct load_run;

struct load_climb {
    struct ladder ladder;
    struct load_step *shared;                         /* the step that runs */
    struct ladder_verdict verdicts[LADDER_STEPS_MAX]; /* of load_run.steps */
};

/* Before the fleet; each step takes step_s. STATUS_INVALID: the options; STATUS_NO_MEMORY. */
enum status load_climb_init(struct load_climb *climb, const struct ladder_options *options,
                            double step_s, struct status_detail *detail) MUST_CHECK;
void load_climb_release(struct load_climb *climb);
/* Reports that the ladder can send at most, for the ledger. */
double load_climb_reports(const struct ladder_options *options, double step_s, double sos_per_s);

/* Sends feed `feed`, whose steps are climb->shared alone, at the ladder's rates. Ends early, with
 * STATUS_OK, when *stop is set or the system does not come to rest after a step. */
enum status load_climb_run(struct load_climb *climb, struct load_run *run, uint32_t feed,
                           const volatile int *stop, struct status_detail *detail) MUST_CHECK;

#endif
