/*
 * geo_new.h - calls that the index does not have yet, made of those that it has.
 * Know: to be removed, with its include lines, when geo/index.h has them under these names.
 */
#ifndef BENCH_GEO_NEW_H
#define BENCH_GEO_NEW_H

#include "geo/index.h"

/* Which shapes geo_index_change builds from; it changes them. Goes with this file. */
void geo_new_shapes(struct geo_shape *shapes, uint32_t count);

struct geo_change {
    uint32_t number;
    const struct geo_shape *shape; /* NULL: gone */
};

/* For each point the set of shapes that cover it, and the shapes whose boundary lies within
 * reaches_m[i], ascending, with signed distance: ret_near[i ? ret_ends[i-1] : 0 .. ret_ends[i]).
 * Returns how many points were answered: fewer than count where ret_near has no more room. */
uint32_t geo_index_near_batch(const struct geo_index *index, const struct geo_point *points,
                              const float *reaches_m, uint32_t count, uint32_t *ret_sets,
                              struct geo_near *ret_near, uint32_t near_capacity,
                              uint32_t *ret_ends);
enum status geo_index_change(struct geo_index *index, const struct geo_change *changes,
                             uint32_t count, struct geo_index **ret,
                             struct status_detail *detail) MUST_CHECK;

#endif
