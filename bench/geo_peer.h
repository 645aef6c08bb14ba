/*
 * geo_peer.h - the same lookups by GEOS: through its C API, and as fast as its C++ headers allow.
 * Know: polygons only, on the lattice, so that a point on a boundary is one there too. Creating the
 * point is part of a lookup by the C API: it has no way to move one. Distances are in metres of
 * a flat city, one scale for all of it, which favours GEOS: two points a lookup would be needed
 * otherwise.
 * Memory: the peer's own. The shapes may go after geo_peer_new.
 * Threads: one per peer.
 */
#ifndef BENCH_GEO_PEER_H
#define BENCH_GEO_PEER_H

#include "base/arena.h"
#include "geo/index.h"

struct geo_peer;

/* Ways to the distances. The wide ones put boxes into the tree that are larger by the reach, so
 * that a point finds them without making a box: a reach that is known beforehand. The others make
 * a box for each lookup. _WITHIN asks GEOSPreparedDistanceWithin before the distance itself. */
enum geo_peer_way { PEER_BOX, PEER_BOX_WITHIN, PEER_WIDE, PEER_WIDE_WITHIN, PEER_WAYS };
extern const char *const geo_peer_way_names[PEER_WAYS];

/* reach_m > 0 makes it ready for distances, which takes three times the memory; with 0
 * geo_peer_near must not be called. STATUS_INVALID: GEOS does not take a shape; STATUS_NO_MEMORY.
 */
enum status geo_peer_new(const struct geo_shape *shapes, uint32_t shape_count, float reach_m,
                         struct geo_peer **ret, struct status_detail *detail) MUST_CHECK;
void geo_peer_free(struct geo_peer *peer);

/* The shapes that cover the point, in no order. GEOS_FOUND_MAX are told at most. */
uint32_t geo_peer_find(struct geo_peer *peer, struct geo_point point, uint32_t ret[GEO_FOUND_MAX]);
/* The same, and the shapes whose boundary lies within the peer's reach with their signed distance:
 * *ret_near_count of them, GEO_FOUND_MAX at most. */
uint32_t geo_peer_near(struct geo_peer *peer, enum geo_peer_way way, struct geo_point point,
                       uint32_t ret[GEO_FOUND_MAX], struct geo_near ret_near[GEO_FOUND_MAX],
                       uint32_t *ret_near_count);

/* ---- C++ ---- */

/* The GEOSGeometry of a shape, which in C++ is a geos::geom::Geometry. */
const void *geo_peer_area(const struct geo_peer *peer, uint32_t shape);
uint32_t geo_peer_shape_count(const struct geo_peer *peer);

#endif
