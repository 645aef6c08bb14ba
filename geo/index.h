/*
 * index.h - which shapes cover this point, and how far is it from those nearby?
 * Know: immutable once built; build aside (a worker) and swap whole. Lookups allocate nothing. How
 * it works is in geo/README.md. Units: lattice points in, metres out. Memory: the index copies what
 * it needs of the shapes. Threads: any number may look up at once.
 */
#ifndef GEO_INDEX_H
#define GEO_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "geo/shape.h"

struct geo_index;

/* A shape near a point. distance_m is signed: negative inside. */
struct geo_near {
    uint32_t shape; /* place in the array given to geo_index_new */
    float distance_m;
};

#define GEO_FOUND_MAX 256 /* shapes over one point; more fails the build */

/* shape_count may be 0. STATUS_INVALID (no shape: no points, rings that do not end where the points
 * do, a point off the globe, a radius that is not in (0, GEO_RADIUS_M_MAX]), STATUS_NO_MEMORY,
 * STATUS_TOO_LARGE (more than GEO_FOUND_MAX over one place, GEO_INDEX_BYTES_MAX); detail says which
 * shape or where. */
#define GEO_INDEX_BYTES_MAX ((size_t)1 << 30)
enum status geo_index_new(const struct geo_shape *shapes, uint32_t shape_count,
                          struct geo_index **ret, struct status_detail *detail) MUST_CHECK;
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
 * written, covering ones never left out for near ones while ret_capacity >= GEO_FOUND_MAX. */
uint32_t geo_index_near(const struct geo_index *index, struct geo_point point, float reach_m,
                        struct geo_near *ret, uint32_t ret_capacity);
size_t geo_index_bytes(const struct geo_index *index);

#endif
