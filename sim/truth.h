/*
 * truth.h - when a pupil truly crossed which fence.
 * Know: found in the walk itself, to the millisecond; what a crossing of under SIM_TRUTH_STEP_MS
 * touches between two looks is not seen. Only the fences of the pupil's own school and the danger
 * zones count.
 * Threads: any.
 */
#ifndef SIM_TRUTH_H
#define SIM_TRUTH_H

#include <stdbool.h>

#include "sim/city.h"
#include "sim/plan.h"

#define SIM_TRUTH_STEP_MS 500u

struct sim_crossing {
    uint32_t time_ms; /* since local midnight; the first millisecond on the other side */
    uint32_t fence;   /* number as in sim_city_fence */
    bool entered;
};

/* The crossings of a pupil of that school, by fence and then by time. Writes at most `capacity`,
 * returns how many there are. */
uint32_t sim_truth(const struct sim_city *city, uint32_t school, const struct sim_plan *plan,
                   struct sim_crossing *ret, uint32_t capacity);

#endif
