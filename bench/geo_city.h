/*
 * geo_city.h - the cities that the geometry benchmark looks up in, made from a seed.
 * Know: invented, but laid out as a city is: schools and most zones crowd in twelve towns, a
 * school's fences lie over each other, nothing lies along a parallel or a meridian.
 * Units: metres, lattice points.
 * Memory: everything lives in the caller's arena.
 * Threads: one.
 */
#ifndef BENCH_GEO_CITY_H
#define BENCH_GEO_CITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "geo/shape.h"

enum {
    CITY_SCHOOLS = 206,
    CITY_SCHOOL_FENCES = 5, /* the ground, a building, the streets around, a field, the gate */
    CITY_ZONES = 2000,
    CITY_FENCES = CITY_SCHOOLS * CITY_SCHOOL_FENCES + CITY_ZONES,
    CITY_FENCE_POINTS_MIN = 12, /* all rings of a fence together */
    CITY_FENCE_POINTS_MAX = 60,
    CITY_HOMES = 134000,
    CITY_WAY_POINTS_MAX = 8,
    CITY_TRACTS_WIDE = 125, /* census: 125 x 120 */
    CITY_TRACTS_HIGH = 120,
    CITY_TRACTS = CITY_TRACTS_WIDE * CITY_TRACTS_HIGH,
};

#define CITY_NEAR_SCHOOL_M 300.0 /* 70 % of the points lie so near a school's centre */

/* splitmix64 */
struct city_random {
    uint64_t state;
};
uint64_t city_random_u64(struct city_random *random);
double city_random_unit(struct city_random *random); /* [0, 1) */
double city_random_between(struct city_random *random, double low, double high);
uint32_t city_random_below(struct city_random *random, uint32_t end);

/* Fences of school s are shapes[s * CITY_SCHOOL_FENCES ..], the zones stand behind them. */
struct city {
    struct geo_shape *shapes;
    uint32_t shape_count;
    struct geo_point schools[CITY_SCHOOLS];
};

/* False: no memory; so do all below. */
bool city_make(uint64_t seed, struct arena *arena, struct city *ret);
/* Other fences for one school in its old place, as after an edit. */
bool city_redraw_school(const struct city *city, uint32_t school, uint64_t seed,
                        struct arena *arena, struct geo_shape ret[CITY_SCHOOL_FENCES]);
/* 70 % evenly in the disc about a school, 20 % evenly in the towns, 10 % anywhere in the box of
 * the city; in random order. */
bool city_points(const struct city *city, uint64_t seed, uint32_t count, struct arena *arena,
                 struct geo_point **ret);

/* Polygons that cover the box of the city without a gap, neighbours sharing their edges; small in
 * the middle and large outside, as census tracts are. CITY_TRACTS of them. */
bool city_tracts(uint64_t seed, struct arena *arena, struct geo_shape **ret);
/* Self-crossing polygons: rings of the city with their points shuffled. */
bool city_kinked(const struct city *city, uint64_t seed, uint32_t count, struct arena *arena,
                 struct geo_shape **ret);
/* A circle about a home in even places, the way from it to a school in the odd ones:
 * 2 * CITY_HOMES shapes. */
bool city_homes(const struct city *city, uint64_t seed, struct arena *arena,
                struct geo_shape **ret);

/* Metres to lattice steps at a place. */
struct geo_point city_offset(struct geo_point from, double east_m, double north_m);

#endif
