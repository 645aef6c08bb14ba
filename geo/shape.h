/*
 * shape.h - the four shapes of a fence, on the lattice.
 * Know: a polygon's rings are closed implicitly (no repeated last point) and follow the even-odd
 * rule, holes and parts alike, so a MultiPolygon is just more rings. The boundary belongs to the
 * shape.
 * Memory: points belong to the arena of whoever made the shape.
 * Threads: any; immutable once
 * made.
 */
#ifndef GEO_SHAPE_H
#define GEO_SHAPE_H

#include <stdint.h>

#include "geo/point.h"

enum geo_shape_kind { GEO_POLYGON = 1, GEO_CIRCLE = 2, GEO_CORRIDOR = 3 };

#define GEO_SHAPE_POINTS_MAX 1000000u
#define GEO_RADIUS_M_MAX     100000.0 /* beyond it local metres mean little */

struct geo_shape {
    enum geo_shape_kind kind;
    uint32_t point_count; /* all rings; 1 for a circle; the line's points for a corridor */
    uint32_t ring_count;  /* polygons only */
    const struct geo_point *points;
    const uint32_t *ring_ends;  /* ring r holds points[r ? ring_ends[r-1] : 0 .. ring_ends[r]) */
    double radius_m;            /* circle, corridor */
    struct geo_point low, high; /* bounding box, radius included */
};

/* Is the point in or on the shape? Exact for polygons (int64, no epsilon); circles and corridors
 * compare geo_shape_distance_m with 0. Linear in the number of points: the oracle of the index. */
bool geo_shape_covers(const struct geo_shape *shape, struct geo_point point);
/* Metres from the point to the boundary, negative inside. Local equirectangular on the WGS-84
 * ellipsoid at the point's latitude: error under 0.1 m at 300 m. Of a corridor it is the distance
 * to its line less the radius, which inside a bend is nearer than the outline. */
double geo_shape_distance_m(const struct geo_shape *shape, struct geo_point point);
/* Sets low and high from everything else; what the radius reaches beyond the antimeridian is kept
 * beyond it. */
void geo_shape_set_bounds(struct geo_shape *shape);

#endif
