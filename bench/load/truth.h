/*
 * truth.h - the alerts of a day that were heard, beside what truly happened in it: the table of
 * ./campus bench presence and campusctl score.
 * Know: crossings before the run's hours or after them are nobody's; what happens in the last minutes
 * may be missed, since no report tells of it any more.
 * Memory: the caller's.
 * Threads: one.
 */
#ifndef BENCH_LOAD_TRUTH_H
#define BENCH_LOAD_TRUTH_H

#include <jansson.h>

#include "bench/figures.h"
#include "bench/load/feed.h"
#include "sim/score.h"

/* Writes the true crossings of all pupils that have a card, as campus-sim day --truth does. */
enum status load_truth_write(const struct load_day *options, const char *path,
                             struct status_detail *detail) MUST_CHECK;
/* alerts_path: CloudEvents, one a line, each id once. STATUS_INVALID with file and line. */
enum status load_truth_score(const struct load_day *options, const char *truth_path,
                             const char *alerts_path, struct score *ret,
                             struct status_detail *detail) MUST_CHECK;

/* The table on standard output. */
void load_truth_print(const struct score *score);
/* [{"what": "school grounds entered", "happened": ...}, ...]; the caller's. */
json_t *load_truth_json(const struct score *score);
/* load.day_*: school grounds entered and left. */
void load_truth_figures(const struct score *score, uint32_t pupils, struct figures *figures);

#endif
