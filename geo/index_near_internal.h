/*
 * index_near_internal.h - what the ways to find distances share.
 */
#ifndef GEO_INDEX_NEAR_INTERNAL_H
#define GEO_INDEX_NEAR_INTERNAL_H

#include <float.h>
#include <math.h>

#include "geo/index_internal.h"

/* A shape, with RUN_ROUND, and the square of the metres to its nearest edge or line. */
struct near_hit {
    uint32_t shape;
    float gap2;
};

/* What is asked of geo_index_near_batch, and how far the answer is. */
struct near_batch {
    const struct geo_index *index;
    const struct geo_point *points;
    const float *reaches_m;
    struct geo_near *near;
    uint32_t capacity, written;
};

/* Metres per step at the point's latitude, between those of its row's edges; at some latitude
 * where it is off the grid. */
static inline void index_scale(const struct geo_index *index, struct geo_point p, float *ret_lat_m,
                               float *ret_lon_m)
{
    uint32_t north = (uint32_t)p.lat_e7 - (uint32_t)index->lat;
    uint32_t bits = index->cell_bits, mask = (1u << bits) - 1, number = north >> bits;
    const struct index_row *row = index->rows + (number < index->height ? number : 0);
    float part = (float)(int32_t)(north & mask) * index->row_part;
    *ret_lat_m = row[0].lat_m + (row[1].lat_m - row[0].lat_m) * part;
    *ret_lon_m = row[0].lon_m + (row[1].lon_m - row[0].lon_m) * part;
}

/* Whether it covers is exact, and decides the sign. */
static inline float index_signed_distance(const struct geo_index *index, const struct near_hit *hit,
                                          bool covers)
{
    float away_m = sqrtf(hit->gap2);
    if (__builtin_expect((hit->shape & RUN_ROUND) != 0, 0)) {
        away_m -= (float)index->shapes[hit->shape & SHAPE_MASK].radius_m;
        away_m = covers == (away_m <= 0) ? away_m : 0;
    }
    away_m = away_m != 0 || covers ? away_m : FLT_MIN;
    return covers && away_m > 0 ? -away_m : away_m;
}

/* Of edges that floats do not hold. */
float index_long_gap2(const struct geo_point *points, uint32_t edges, struct geo_point p);

/* Square of the metres to the nearest of a ring's edges, at least 8 of them. */
float index_ring_gap2_avx2(const struct geo_point *points, uint32_t edges, struct geo_point p,
                           float lat_m, float lon_m);

/* The near lists of 8 k points, at most INDEX_BATCH, with their metres; 0: none. */
void index_near_lists_avx2(const struct geo_index *index, const struct geo_point *points,
                           uint32_t count, uint32_t *ret_lists);
/* The answers of `count` points by their lists (0: none), none of them far; 0: not done. */
uint32_t index_near_some_avx2(struct near_batch *batch, uint32_t count, const uint32_t *lists,
                              const uint32_t *sets, uint32_t *ret_ends);

#endif
