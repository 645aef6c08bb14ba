#include "geo/shape.h"

#include <math.h>

#include "base/assert.h"
#include "geo/shape_internal.h"

#define PI 3.14159265358979323846

/* Length of a degree on the WGS-84 ellipsoid as a series in the latitude, 1 cm exact (Snyder 1987,
 * Map Projections, p. 25). */
struct geo_scale geo_scale_at(int32_t lat_e7)
{
    double c = cos(lat_e7 * (PI / 180.0 / 1e7));
    double c2 = 2 * c * c - 1;
    double c4 = 2 * c2 * c2 - 1;
    double lat_m = 111132.954 - 559.822 * c2 + 1.175 * c4;
    /* 111412.84 cos - 93.5 cos 3 + 0.118 cos 5, each multiple as a polynomial of the cosine */
    double square = c * c;
    double cos3 = c * (4 * square - 3);
    double cos5 = c * ((16 * square - 20) * square + 5);
    double lon_m = 111412.84 * c - 93.5 * cos3 + 0.118 * cos5;
    return (struct geo_scale){lat_m * 1e-7, fmax(lon_m, 0) * 1e-7};
}

struct edge_walk {
    const struct geo_shape *shape;
    uint32_t at, start, ring;
    struct geo_point a, b;
};

/* The next edge of a polygon, each ring closed. */
static bool next_edge(struct edge_walk *walk)
{
    const struct geo_shape *shape = walk->shape;
    while (walk->ring < shape->ring_count && walk->at == shape->ring_ends[walk->ring]) {
        walk->start = walk->at;
        walk->ring++;
    }
    if (walk->ring == shape->ring_count) {
        return false;
    }
    uint32_t next = walk->at + 1 < shape->ring_ends[walk->ring] ? walk->at + 1 : walk->start;
    walk->a = shape->points[walk->at++];
    walk->b = shape->points[next];
    return true;
}

static bool polygon_covers(const struct geo_shape *shape, struct geo_point p)
{
    bool inside = false;
    struct edge_walk walk = {.shape = shape};
    while (next_edge(&walk)) {
        struct geo_point a = walk.a, b = walk.b;
        if (a.lat_e7 > b.lat_e7) {
            a = walk.b;
            b = walk.a;
        }
        if (p.lat_e7 < a.lat_e7 || p.lat_e7 > b.lat_e7 ||
            (p.lon_e7 < a.lon_e7 && p.lon_e7 < b.lon_e7)) {
            continue; /* the ray to the left does not meet it */
        }
        if (geo_box_holds(p, a, b)) {
            int64_t side = geo_side(p, a, b);
            if (side == 0) {
                return true;
            }
            inside ^= side < 0 && p.lat_e7 < b.lat_e7;
        } else {
            inside ^= p.lat_e7 < b.lat_e7; /* wholly left of the point; half-open at the top */
        }
    }
    return inside;
}

static double line_gap2(const struct geo_shape *shape, struct geo_point p, struct geo_scale scale)
{
    double best = geo_segment_gap2(scale, p, shape->points[0], shape->points[0]);
    for (uint32_t i = 1; i < shape->point_count; i++) {
        best = fmin(best, geo_segment_gap2(scale, p, shape->points[i - 1], shape->points[i]));
    }
    return best;
}

double geo_shape_measure(const struct geo_shape *shape, struct geo_point point,
                         struct geo_scale scale, bool *ret_covers)
{
    ASSERT(shape->point_count > 0);
    if (shape->kind != GEO_POLYGON) {
        double distance_m = sqrt(line_gap2(shape, point, scale)) - shape->radius_m;
        *ret_covers = distance_m <= 0;
        return distance_m;
    }
    double best = HUGE_VAL;
    struct edge_walk walk = {.shape = shape};
    while (next_edge(&walk)) {
        best = fmin(best, geo_segment_gap2(scale, point, walk.a, walk.b));
    }
    *ret_covers = polygon_covers(shape, point);
    return *ret_covers ? -sqrt(best) : sqrt(best);
}

double geo_shape_distance_m(const struct geo_shape *shape, struct geo_point point)
{
    bool covers;
    return geo_shape_measure(shape, point, geo_scale_at(point.lat_e7), &covers);
}

bool geo_shape_covers(const struct geo_shape *shape, struct geo_point point)
{
    if (shape->kind == GEO_POLYGON) {
        return polygon_covers(shape, point);
    }
    return geo_shape_distance_m(shape, point) <= 0;
}

static int32_t clamp_step(double value, double limit)
{
    return (int32_t)(value < -limit ? -limit : value > limit ? limit : value);
}

void geo_shape_set_bounds(struct geo_shape *shape)
{
    ASSERT(shape->point_count > 0);
    struct geo_point low = shape->points[0], high = low;
    for (uint32_t i = 1; i < shape->point_count; i++) {
        struct geo_point p = shape->points[i];
        low.lat_e7 = p.lat_e7 < low.lat_e7 ? p.lat_e7 : low.lat_e7;
        low.lon_e7 = p.lon_e7 < low.lon_e7 ? p.lon_e7 : low.lon_e7;
        high.lat_e7 = p.lat_e7 > high.lat_e7 ? p.lat_e7 : high.lat_e7;
        high.lon_e7 = p.lon_e7 > high.lon_e7 ? p.lon_e7 : high.lon_e7;
    }
    shape->low = low;
    shape->high = high;
    if (shape->kind == GEO_POLYGON) {
        return;
    }
    /* a degree of latitude is shortest at the equator, one of longitude at the far end */
    double lat_e7 = ceil(shape->radius_m / geo_scale_at(0).lat_m) + 1;
    shape->low.lat_e7 = clamp_step(low.lat_e7 - lat_e7, GEO_LAT_E7_MAX);
    shape->high.lat_e7 = clamp_step(high.lat_e7 + lat_e7, GEO_LAT_E7_MAX);
    double lon_m =
        fmin(geo_scale_at(shape->low.lat_e7).lon_m, geo_scale_at(shape->high.lat_e7).lon_m);
    double lon_e7 = ceil(shape->radius_m / fmax(lon_m, 1e-9)) + 1;
    shape->low.lon_e7 = clamp_step(low.lon_e7 - lon_e7, INT32_MAX);
    shape->high.lon_e7 = clamp_step(high.lon_e7 + lon_e7, INT32_MAX);
}

static bool point_is_on_globe(struct geo_point p)
{
    return p.lat_e7 >= -GEO_LAT_E7_MAX && p.lat_e7 <= GEO_LAT_E7_MAX &&
           p.lon_e7 >= -GEO_LON_E7_MAX && p.lon_e7 <= GEO_LON_E7_MAX;
}

const char *geo_shape_fault(const struct geo_shape *shape)
{
    if (shape->point_count == 0 || shape->point_count > GEO_SHAPE_POINTS_MAX) {
        return "no points, or too many";
    }
    for (uint32_t i = 0; i < shape->point_count; i++) {
        if (!point_is_on_globe(shape->points[i])) {
            return "a point is off the globe";
        }
    }
    if (shape->kind == GEO_POLYGON) {
        uint32_t end = 0;
        for (uint32_t r = 0; r < shape->ring_count; r++) {
            if (shape->ring_ends[r] < end) {
                return "rings that end before they begin";
            }
            end = shape->ring_ends[r];
        }
        return end == shape->point_count ? NULL : "rings that do not end where the points do";
    }
    if (shape->kind != GEO_CIRCLE && shape->kind != GEO_CORRIDOR) {
        return "neither polygon, circle nor corridor";
    }
    if (shape->kind == GEO_CIRCLE && shape->point_count != 1) {
        return "a circle has one point";
    }
    for (uint32_t i = 1; i < shape->point_count; i++) {
        int64_t span = (int64_t)shape->points[i].lon_e7 - shape->points[i - 1].lon_e7;
        if (span > GEO_LON_E7_MAX / 2 || span < -GEO_LON_E7_MAX / 2) {
            return "a step over a quarter of the globe";
        }
    }
    return shape->radius_m > 0 && shape->radius_m <= GEO_RADIUS_M_MAX ? NULL
                                                                      : "a radius out of range";
}
