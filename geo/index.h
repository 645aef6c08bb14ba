/*
 * index.h - which shapes cover this point, and how far is it from the boundaries nearby?
 * Know: immutable once built; build or change it aside (a worker) and swap whole. Lookups allocate
 * nothing. How it works is in geo/README.md.
 * Units: lattice points in, metres out.
 * Memory: the index copies what it needs of the shapes. An index and those changed from it share
 * memory, which goes with the last of them.
 * Threads: any number may look up at once, also while another changes; one changes at a time.
 */
#ifndef GEO_INDEX_H
#define GEO_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "geo/shape.h"
#include "geo/way.h"

struct geo_index;

/* A shape near a point. distance_m is signed: negative inside. */
struct geo_near {
    uint32_t shape; /* its number: the place in the array given to geo_index_new */
    float distance_m;
};

#define GEO_FOUND_MAX 256 /* shapes over one point; more fails the build */

/* shape_count may be 0. STATUS_INVALID (no shape: no points, rings that do not end where the points
 * do, a point off the globe, a radius that is not in (0, GEO_RADIUS_M_MAX]), STATUS_NO_MEMORY,
 * STATUS_TOO_LARGE (more than GEO_FOUND_MAX over one place, half a million edges in one of 360 m,
 * GEO_INDEX_BYTES_MAX); detail says which shape or where. */
#define GEO_INDEX_BYTES_MAX ((size_t)1 << 30)
enum status geo_index_new(const struct geo_shape *shapes, uint32_t shape_count,
                          struct geo_index **ret, struct status_detail *detail) MUST_CHECK;

/* The shape of that number from now on; NULL: none has that number any more. A number beyond the
 * last adds to the shapes; those between have none. */
struct geo_change {
    uint32_t number;
    const struct geo_shape *shape;
};
/* A new index beside the old one, which stays as it is: the changed shapes in place of those of
 * their numbers, all other numbers unchanged. Rebuilds what the old and the new shapes touch, all of
 * it where that is most, lies outside of the old index's ground, or the room for changes is used up.
 * A number given twice: the last counts. Refuses as geo_index_new. */
enum status geo_index_change(const struct geo_index *index, const struct geo_change *changes,
                             uint32_t count, struct geo_index **ret,
                             struct status_detail *detail) MUST_CHECK;
void geo_index_free(struct geo_index *index);

/* The shapes that cover the point, ascending, into ret[GEO_FOUND_MAX]; returns how many. */
uint32_t geo_index_find(const struct geo_index *index, struct geo_point point,
                        uint32_t ret[GEO_FOUND_MAX]);
/* The same for many points at once, several times as fast: ret_sets[i] is the number of the set of
 * shapes that cover points[i]. Equal sets have equal numbers within one index; 0 is the empty set.
 */
void geo_index_find_batch(const struct geo_index *index, const struct geo_point *points,
                          uint32_t count, uint32_t *ret_sets);
/* The shapes of a set, ascending; valid as long as the index. */
const uint32_t *geo_index_set(const struct geo_index *index, uint32_t set, uint32_t *ret_count);
/* Set numbers are below this. */
uint32_t geo_index_set_count(const struct geo_index *index);

#define GEO_REACH_M_MAX 100000.0F /* a longer reach is taken as this */
/* Every shape that covers the point, and every shape whose boundary lies within reach_m of it, by
 * ascending shape, with its signed distance. The distance of a shape whose boundary is farther than
 * reach_m (the point deep inside) is given as -reach_m. Returns how many; at most ret_capacity are
 * written, covering ones never left out for near ones while ret_capacity >= GEO_FOUND_MAX.
 * A reach up to GEO_NEAR_M is answered from lists made beforehand. */
uint32_t geo_index_near(const struct geo_index *index, struct geo_point point, float reach_m,
                        struct geo_near *ret, uint32_t ret_capacity);
#define GEO_NEAR_M 32
/* For many points at once: ret_sets[i] as of geo_index_find_batch, and in ret_near[i > 0 ?
 * ret_ends[i - 1] : 0 .. ret_ends[i]) the shapes, ascending, whose boundary lies within reaches_m[i]
 * of points[i]; those that only cover it are in the set alone. Returns how many points were
 * answered: fewer than count where ret_near had no room for the next one's. */
uint32_t geo_index_near_batch(const struct geo_index *index, const struct geo_point *points,
                              const float *reaches_m, uint32_t count, uint32_t *ret_sets,
                              struct geo_near *ret_near, uint32_t near_capacity,
                              uint32_t *ret_ends);

/* The signed distance of one shape's boundary, `covers` being what geo_index_find says of it at the
 * point; where it is farther than reach_m, that with its sign. For those who know which shapes
 * matter: any reach costs the same, the edges of a shape of up to GEO_DISTANCE_POINTS one after the
 * other (a list of what is near beyond). */
float geo_index_distance(const struct geo_index *index, uint32_t shape, struct geo_point point,
                         bool covers, float reach_m);
#define GEO_DISTANCE_POINTS 512u
/* Asks memory for what geo_index_distance of these shapes will read, and geo_index_set of these sets, all
 * at once: several times as fast as lookups that each wait for it. */
void geo_index_expect_shapes(const struct geo_index *index, const uint32_t *shapes, uint32_t count);
void geo_index_expect_sets(const struct geo_index *index, const uint32_t *sets, uint32_t count);

/* Which shapes the straight way from a to b passes, and where: the stretches of geo_shape_way, by
 * ascending shape, then from. Returns how many; at most ret_capacity are written, the first ones.
 * *ret_coarse (may be NULL): the answer of one of them is coarse. Fast for ways of some kilometres;
 * one that lies over more than a thousand edges is compared with every shape. */
uint32_t geo_index_way(const struct geo_index *index, struct geo_point a, struct geo_point b,
                       struct geo_stretch *ret, uint32_t ret_capacity, bool *ret_coarse);

/* Whether every number in the index leads to where it may, and some thousand places are covered by
 * what covers them. For tests and for doubts: seconds of work. STATUS_INVALID: where, and what. */
enum status geo_index_check(const struct geo_index *index, struct status_detail *detail) MUST_CHECK;

uint32_t geo_index_shape_count(const struct geo_index *index);
/* Of what is in use; room reserved for changes is not counted. */
size_t geo_index_bytes(const struct geo_index *index);

#endif
