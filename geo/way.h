/*
 * way.h - which part of the straight way between two fixes lies in a shape: fences smaller than the gap between fixes.
 * Know: the way is straight in longitude and latitude, the short way round. Whether and in which order it meets a
 * polygon's edges is decided in whole numbers; only the place t is a double.
 * Units: t is 0 at a, 1 at b.
 * Memory: a struct geo_way is the caller's, of fixed size (about 6 KiB); nothing is allocated.
 * Threads: any.
 */
#ifndef GEO_WAY_H
#define GEO_WAY_H

#include <stdbool.h>
#include <stdint.h>

#include "geo/shape.h"

/* A part of the way; from == to: only touched there. Two stretches of a shape never meet, though t as a double may be
 * the same for the end of one and the start of the next. */
struct geo_stretch {
    uint32_t shape;
    double from, to;
};

/* The lattice point nearest to t, which is cut to 0..1. */
struct geo_point geo_way_point(struct geo_point a, struct geo_point b, double t);

#define GEO_WAY_MEETINGS_MAX                                                                       \
    256 /* of one shape's boundary with one way; more: one coarse stretch */

/* A place t = num / den, exact. */
struct geo_way_meeting {
    uint64_t num, den;
    uint32_t what;
};

/* One polygon against one way; the fields are way.c's own, but for `start`. */
struct geo_way {
    struct geo_point start; /* a; one upon the antimeridian is on the side that the way goes to */
    int64_t lon, lat;       /* b - a */
    int64_t over;           /* 360 degrees to where the way leaves the globe's rectangle, or 0 */
    bool turned, crossed;   /* parities: of edges at the start, of crossings after it */
    bool full;
    uint32_t count;
    struct geo_way_meeting first, last;
    struct geo_way_meeting meetings[GEO_WAY_MEETINGS_MAX];
};

void geo_way_init(struct geo_way *way, struct geo_point a, struct geo_point b);
/* One edge of the polygon, in any order and direction, each once. Edges that the way does not meet may be left out. */
void geo_way_edge(struct geo_way *way, struct geo_point p, struct geo_point q);

/* Does the ray from start to the west cross the edge? */
bool geo_way_ray_crosses(struct geo_point start, struct geo_point p, struct geo_point q);

struct geo_way_ends {
    /* The parity of the edges that the ray from way->start to the west crosses: lower.lat <= lat < upper.lat and start
     * strictly right of the edge. What the index has as `base XOR crossed`. */
    bool start_inside;
    bool a_covered, b_covered; /* by geo_shape_covers or geo_index_find */
};

/* The stretches, in order; returns how many there are, of which at most `capacity` are written. A stretch begins at 0
 * exactly if a is covered, and ends at 1 exactly if b is. *ret_coarse (may be NULL): there were more than
 * GEO_WAY_MEETINGS_MAX meetings, and the answer is one stretch from the first covered place to the last. */
uint32_t geo_way_finish(struct geo_way *way, const struct geo_way_ends *ends, uint32_t shape,
                        struct geo_stretch *ret, uint32_t capacity, bool *ret_coarse);

/* The same of any shape, linear in its points: the oracle of the index. `shape` of the stretches is 0. Circles and
 * corridors: local metres with the scale of the latitude where the way meets the rim, within 0.1 m of
 * geo_shape_distance_m's rim for radii up to 1 km; gaps under a millimetre are closed. */
uint32_t geo_shape_way(const struct geo_shape *shape, struct geo_point a, struct geo_point b,
                       struct geo_stretch *ret, uint32_t capacity, bool *ret_coarse);

#endif
