/*
 * index_lanes_internal.h - four edges at a time, in floats of metres around a point that is near:
 * the steps are subtracted before they are rounded, so that 300 m are exact to a tenth of a
 * millimetre.
 */
#ifndef GEO_INDEX_LANES_INTERNAL_H
#define GEO_INDEX_LANES_INTERNAL_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#include "geo/point.h"

#define LANES 4u

typedef int32_t lanes_int __attribute__((vector_size(LANES * sizeof(int32_t))));
typedef uint32_t lanes_uint __attribute__((vector_size(LANES * sizeof(uint32_t))));
typedef float lanes_float __attribute__((vector_size(LANES * sizeof(float))));

static inline lanes_float lanes_all(float value)
{
    return (lanes_float){value, value, value, value};
}

static inline lanes_float lanes_load(const float *from)
{
    lanes_float lanes;
    memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

static inline lanes_float lanes_pick(lanes_int mask, lanes_float yes, lanes_float no)
{
    return (lanes_float)((mask & (lanes_int)yes) | (~mask & (lanes_int)no));
}

static inline lanes_float lanes_least(lanes_float a, lanes_float b)
{
    return lanes_pick(a < b, a, b);
}

static inline float lanes_least_of(lanes_float a)
{
    float x = a[0] < a[1] ? a[0] : a[1], y = a[2] < a[3] ? a[2] : a[3];
    return x < y ? x : y;
}

/* Square of the distance from 0,0 to the segments from a to b. */
static inline lanes_float lanes_gap2(lanes_float ax, lanes_float ay, lanes_float bx, lanes_float by)
{
    lanes_float dx = bx - ax, dy = by - ay;
    lanes_float t = -(ax * dx + ay * dy) / (dx * dx + dy * dy + lanes_all(FLT_MIN));
    t = lanes_pick(t > lanes_all(0), t, lanes_all(0));
    t = lanes_least(t, lanes_all(1));
    lanes_float ex = ax + t * dx, ey = ay + t * dy;
    return ex * ex + ey * ey;
}

/* Two points, as latitude, longitude, latitude, longitude. */
static inline lanes_int lanes_points(const struct geo_point *points)
{
    lanes_int lanes;
    memcpy(&lanes, points, sizeof lanes);
    return lanes;
}

/* Differences of neighbours fit; those of what is far wrap round instead of being undefined. */
static inline lanes_float lanes_difference(lanes_int a, lanes_int b)
{
    return __builtin_convertvector((lanes_int)((lanes_uint)a - (lanes_uint)b), lanes_float);
}

/* lanes_gap2 from p, of the four edges between five points that follow one another. */
static inline lanes_float lanes_edges_gap2(const struct geo_point *points, struct geo_point p,
                                           float lat_m, float lon_m)
{
    const lanes_int here = {p.lat_e7, p.lon_e7, p.lat_e7, p.lon_e7};
    const lanes_float scale = {lat_m, lon_m, lat_m, lon_m};
    lanes_float a = lanes_difference(lanes_points(points), here) * scale;
    lanes_float b = lanes_difference(lanes_points(points + 1), here) * scale;
    lanes_float c = lanes_difference(lanes_points(points + 2), here) * scale;
    lanes_float d = lanes_difference(lanes_points(points + 3), here) * scale;
    return lanes_gap2(
        __builtin_shufflevector(a, c, 1, 3, 5, 7), __builtin_shufflevector(a, c, 0, 2, 4, 6),
        __builtin_shufflevector(b, d, 1, 3, 5, 7), __builtin_shufflevector(b, d, 0, 2, 4, 6));
}

#endif
