/*
 * shape_internal.h - distances in local metres, the same to the last bit for a shape and for the
 * index.
 */
#ifndef GEO_SHAPE_INTERNAL_H
#define GEO_SHAPE_INTERNAL_H

#include "geo/shape.h"

#define GEO_TURN_E7 3600000000LL

/* Metres per lattice step at a latitude. */
struct geo_scale {
    double lat_m, lon_m;
};

struct geo_scale geo_scale_at(int32_t lat_e7);

/* geo_shape_distance_m and geo_shape_covers at once, with the scale of the point's latitude. A polygon may be a step
 * off and yet 0 m away: whether it covers the point is not to be told from the distance. */
double geo_shape_measure(const struct geo_shape *shape, struct geo_point point,
                         struct geo_scale scale, bool *ret_covers);
/* What makes it no shape, in words; NULL: nothing. Does not read low and high. */
const char *geo_shape_fault(const struct geo_shape *shape);

/* b - a, the short way round the globe. */
static inline int64_t geo_lon_gap(int32_t a_e7, int32_t b_e7)
{
    int64_t gap = (int64_t)b_e7 - a_e7;
    if (gap > GEO_LON_E7_MAX) {
        return gap - GEO_TURN_E7;
    }
    return gap < -GEO_LON_E7_MAX ? gap + GEO_TURN_E7 : gap;
}

/* Square of the metres from p to the segment a-b; one longer than a quarter of the globe is not
 * looked for the other way round. */
static inline double geo_segment_gap2(struct geo_scale scale, struct geo_point p,
                                      struct geo_point a, struct geo_point b)
{
    int64_t span = (int64_t)b.lon_e7 - a.lon_e7;
    int64_t gap = span > GEO_LON_E7_MAX / 2 || span < -GEO_LON_E7_MAX / 2
                      ? (int64_t)a.lon_e7 - p.lon_e7
                      : geo_lon_gap(p.lon_e7, a.lon_e7);
    double ax = (double)gap * scale.lon_m;
    double ay = (double)((int64_t)a.lat_e7 - p.lat_e7) * scale.lat_m;
    double dx = (double)span * scale.lon_m;
    double dy = (double)((int64_t)b.lat_e7 - a.lat_e7) * scale.lat_m;
    double length2 = dx * dx + dy * dy;
    double along = -(ax * dx + ay * dy);
    double t = along <= 0 ? 0 : along >= length2 ? 1 : along / length2;
    double ex = ax + t * dx, ey = ay + t * dy;
    return ex * ex + ey * ey;
}

/* Where p lies seen from the line through a (lower) and b (upper): negative right of it, positive
 * left. Exact while p is within 2^28 steps of the box of a-b, which itself may span the globe. */
static inline int64_t geo_side(struct geo_point p, struct geo_point a, struct geo_point b)
{
    return ((int64_t)b.lon_e7 - a.lon_e7) * ((int64_t)p.lat_e7 - a.lat_e7) -
           ((int64_t)b.lat_e7 - a.lat_e7) * ((int64_t)p.lon_e7 - a.lon_e7);
}

/* Is p in the box of a-b? */
static inline bool geo_box_holds(struct geo_point p, struct geo_point a, struct geo_point b)
{
    return (p.lat_e7 >= a.lat_e7 || p.lat_e7 >= b.lat_e7) &&
           (p.lat_e7 <= a.lat_e7 || p.lat_e7 <= b.lat_e7) &&
           (p.lon_e7 >= a.lon_e7 || p.lon_e7 >= b.lon_e7) &&
           (p.lon_e7 <= a.lon_e7 || p.lon_e7 <= b.lon_e7);
}

#endif
