/*
 * presence_run.h - simulated school days through the engine and through the rules of peers.
 * Know: everyone gets the same fixes, in the order of arrival; gate passes and signals only the
 * engines, one of them with the default policy. Day 0 warms up: what is raised or crossed in it does not count.
 * Memory: run_release frees all.
 * Threads: one.
 */
#ifndef BENCH_PRESENCE_RUN_H
#define BENCH_PRESENCE_RUN_H

#include "base/status.h"
#include "bench/presence_rules.h"
#include "core/directory.h"
#include "core/engine.h"
#include "core/sequence.h"
#include "sim/day.h"

struct run_options {
    uint32_t pupils, days;
    uint32_t interval_ms;
    bool gates; /* else passes are dropped */
    const struct presence_policy *policies;
    uint32_t
        policy_count; /* of engines beside the one with the default, at most RUN_POLICIES_MAX */
};
enum { RUN_POLICIES_MAX = 12 };

struct run_marks {
    struct score_mark *items;
    uint32_t count, capacity;
};

struct run {
    struct run_options options;
    struct sim_city city;
    struct directory *directory;
    struct fence_set *fences;
    struct engine *engines[1 + RUN_POLICIES_MAX]; /* the default first */
    struct rule rules[RULES];
    struct sequence *cards, *gates;
    int64_t *last_ms; /* of a pupil's last fix that peers took */
    /* The default's, the rules', those by each other policy. */
    struct run_marks raised[1 + RULES + RUN_POLICIES_MAX];
    struct run_marks crossings;
};

#define RUN_SCHOOL_PUPILS 200u

/* City, registry, engine and rules, then all days. STATUS_NO_MEMORY, or what making them returns. */
enum status run_days(struct run *run, const struct run_options *options,
                     struct status_detail *detail) MUST_CHECK;
void run_release(struct run *run);

#endif
