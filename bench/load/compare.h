/*
 * compare.h - two runs beside each other, or several runs a side: what became better, what worse,
 * what is noise.
 * Know: a figure is better higher or lower by its name (compare_better). Over several runs a side
 * counts with the median, and what must be 0 (lost, doubled, ...) with the worst run. A difference
 * counts when it is beyond the noise and the runs of the sides do not overlap.
 * Memory: the caller's.
 * Threads: one.
 */
#ifndef BENCH_LOAD_COMPARE_H
#define BENCH_LOAD_COMPARE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

#define COMPARE_RUNS_MAX 64u

enum compare_better {
    BETTER_UNKNOWN, /* a number that describes the run */
    BETTER_HIGHER,
    BETTER_LOWER,
    BETTER_ZERO /* each one is a fault */
};

enum compare_better compare_better(const char *key);

enum compare_verdict {
    VERDICT_NONE, /* nobody knows which is better, or both are the same */
    VERDICT_NOISE,
    VERDICT_OVERLAP, /* beyond the noise, but runs of both sides overlap */
    VERDICT_BETTER,
    VERDICT_WORSE,
    VERDICT_FAULT /* B has faults that A has not */
};

struct compare_value {
    double middle, low, high; /* over the runs; middle is the worst for BETTER_ZERO */
    uint32_t runs;            /* that have the figure; 0: the side has not */
};

struct compare_side {
    const char *names[COMPARE_RUNS_MAX];
    json_t *runs[COMPARE_RUNS_MAX];
    uint32_t count;
};

/* noise_pct: 25 means that up to 1.25 times is noise, either way. */
enum compare_verdict compare_judge(enum compare_better better, const struct compare_value *a,
                                   const struct compare_value *b, double noise_pct);
struct compare_value compare_value(const struct compare_side *side, const char *key);

struct compare_counts {
    uint32_t faults, worse, better, noise, overlap;
};

/* Prints the comparison, and puts it into *ret_json when that is not NULL. STATUS_NO_MEMORY. */
enum status compare_print(const struct compare_side *a, const struct compare_side *b,
                          double noise_pct, FILE *out, struct compare_counts *ret_counts,
                          json_t **ret_json) MUST_CHECK;

/* campus-load compare A.json[,...] B.json[,...] [--noise PCT] [--strict] [--json FILE]. argv[0] is
 * the command's name; returns the exit status, 1 when B is worse as --help says. */
int load_compare(int argc, char **argv);

#endif
