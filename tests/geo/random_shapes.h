/*
 * random_shapes.h - shapes of every kind in every size, and points where they matter.
 */
#ifndef TESTS_GEO_RANDOM_SHAPES_H
#define TESTS_GEO_RANDOM_SHAPES_H

#include "geo/shape.h"

/* SEED= from the environment, else one from the clock; printed either way. */
uint64_t random_seed(void);
uint64_t random_next(uint64_t *state);
/* low .. high, both possible */
int64_t random_in(uint64_t *state, int64_t low, int64_t high);
double random_unit(uint64_t *state);

/* A place of shapes: within `reach` steps of the centre. */
struct random_land {
    struct geo_point centre;
    int32_t reach;
};

#define RANDOM_POINTS_MAX 96

struct random_shape {
    struct geo_shape shape;
    struct geo_point points[RANDOM_POINTS_MAX];
    uint32_t ring_ends[4];
};

/* Stars, scribbles that cross themselves, rectangles that share corners and edges with others on a
 * coarse raster, needles, holes, circles, corridors. */
void random_shape(uint64_t *state, const struct random_land *land, struct random_shape *ret);
/* A point of the land: anywhere, on or beside a vertex or an edge of the shape. */
struct geo_point random_point(uint64_t *state, const struct random_land *land,
                              const struct geo_shape *shape);

#endif
