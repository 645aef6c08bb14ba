/*
 * presence_frontier.h - false alerts against delay: the same days by a range of policies, beside the
 * rules of peers.
 * Know: the wanted error rates are the default's, all multiplied by the same number.
 * Memory: none is kept.
 * Threads: one.
 */
#ifndef BENCH_PRESENCE_FRONTIER_H
#define BENCH_PRESENCE_FRONTIER_H

#include "bench/figures.h"
#include "bench/presence_run.h"

enum { FRONTIER_POLICIES = 8 };

/* All but the default. */
void frontier_policies(struct presence_policy ret[FRONTIER_POLICIES]);
/* Scores each policy and rule of a run with those policies, prints the table, adds the figures. */
void frontier_tell(struct run *run, struct figures *figures);

#endif
