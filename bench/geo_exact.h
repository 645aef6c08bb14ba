/*
 * geo_exact.h - does the index answer as others do, at the places where it is hard?
 * Know: the others are GEOS, or, for polygons that cross themselves, geo_shape_covers: it walks all
 * edges by integers and shares no code with the index.
 * Memory: shapes and points are the caller's.
 * Threads: one.
 */
#ifndef BENCH_GEO_EXACT_H
#define BENCH_GEO_EXACT_H

#include "bench/geo_city.h"
#include "bench/geo_race.h"

struct geo_exact {
    struct geo_race *race; /* its points are asked where there is room after the hard ones */
    bool walk;             /* geo_shape_covers instead of GEOS */
    uint64_t points, differences;
    /* gathered until there are RACE_SLICE of them */
    struct geo_point pending[RACE_SLICE];
    uint32_t pending_count;
    struct city_random *random;
};

/* About `points_wanted` points: each corner of each shape (of every n-th shape where there is no
 * room for all) and its eight neighbours, points on and beside edges, in line with corners,
 * at the corners of power-of-two cells; the rest from the race. Counts into points and differences.
 */
void geo_exact_run(struct geo_exact *exact, uint64_t points_wanted);

/* Distances against geo_shape_distance_m on the first `count` points of the race. Returns the
 * largest difference in metres; boundaries that one of them sees within the reach and the other
 * does not, where both could not be right, are counted into *ret_wrong. */
double geo_exact_distances(const struct geo_race *race, uint32_t count, uint64_t *ret_wrong);

#endif
