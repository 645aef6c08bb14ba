/* What did a repair change? Square metres, and the share where it costs little. */
#include <math.h>

#include "geo/geojson_area_internal.h"

/* The even-odd area of what is invalid costs the square of the crossings and more; within these it
 * takes some milliseconds. */
enum { EXACT_POINTS_MAX = 2000, EXACT_CROSSINGS_MAX = 200 };

#define RADIUS_M 6371007.2 /* the sphere with the area of the WGS-84 ellipsoid */
#define PI       3.14159265358979323846

/* ---- m2 ---- */

/* Lambert's cylindrical projection keeps areas: east is longitude, north the sine of the latitude. */
static double ring_m2(GEOSContextHandle_t geos, const GEOSGeometry *ring)
{
    const double radians = PI / 180 * 1e-7;
    const GEOSCoordSequence *sequence = GEOSGeom_getCoordSeq_r(geos, ring);
    unsigned count = 0;
    double sum = 0, x0 = 0, x = 0, y = 0, north = 0;
    (void)GEOSCoordSeq_getSize_r(geos, sequence, &count);
    for (unsigned i = 0; i < count; i++) {
        double last = x, last_north = north;
        (void)GEOSCoordSeq_getXY_r(geos, sequence, i, &x, &y);
        x0 = i == 0 ? x : x0;
        north = sin(y * radians);
        sum += i > 0 ? (x - x0) * last_north - (last - x0) * north : 0;
    }
    return fabs(sum) / 2 * radians * RADIUS_M * RADIUS_M;
}

static double area_m2(GEOSContextHandle_t geos, const GEOSGeometry *geometry)
{
    double sum = 0;
    if (GEOSGeomTypeId_r(geos, geometry) == GEOS_POLYGON) {
        if (GEOSisEmpty_r(geos, geometry) == 1) {
            return 0;
        }
        sum = ring_m2(geos, GEOSGetExteriorRing_r(geos, geometry));
        for (int i = 0; i < GEOSGetNumInteriorRings_r(geos, geometry); i++) {
            sum -= ring_m2(geos, GEOSGetInteriorRingN_r(geos, geometry, i));
        }
        return sum;
    }
    for (int i = 0; GEOSGeom_getDimensions_r(geos, geometry) == 2 &&
                    i < GEOSGetNumGeometries_r(geos, geometry);
         i++) {
        sum += area_m2(geos, GEOSGetGeometryN_r(geos, geometry, i));
    }
    return sum;
}

/* What the even-odd rule makes of rings [from, to): each by itself, then two halves against each other.
 * Make-valid of them all at once takes far longer where many parts overlap. */
static GEOSGeometry *even_odd(GEOSContextHandle_t geos, const struct geojson_area *area,
                              uint32_t from, uint32_t to)
{
    uint32_t parts, others = 0;
    if (to - from == 1) {
        uint32_t start = from > 0 ? area->ring_ends[from - 1] : 0;
        const uint32_t end = area->ring_ends[from] - start, one = 1;
        const struct geojson_area ring = {area->points + start, &end, &one, 1, 1};
        GEOSGeometry *drawn = geojson_area_geometry(geos, &ring);
        GEOSGeometry *result = NULL;
        if (drawn != NULL) {
            result = geojson_area_make_valid(geos, drawn, GEOS_MAKE_VALID_LINEWORK);
            GEOSGeom_destroy_r(geos, drawn);
        }
        return geojson_area_polygons(geos, result, &parts, &others);
    }
    uint32_t middle = from + (to - from) / 2;
    GEOSGeometry *low = even_odd(geos, area, from, middle);
    GEOSGeometry *high = even_odd(geos, area, middle, to);
    GEOSGeometry *both = low != NULL && high != NULL ? GEOSSymDifference_r(geos, low, high) : NULL;
    GEOSGeom_destroy_r(geos, low);
    GEOSGeom_destroy_r(geos, high);
    return geojson_area_polygons(geos, both, &parts, &others);
}

static bool compare_exactly(GEOSContextHandle_t geos, const struct geojson_area *area,
                            const GEOSGeometry *after, struct geojson_repaired *made)
{
    GEOSGeometry *before = even_odd(geos, area, 0, area->ring_count);
    GEOSGeometry *changed = before != NULL ? GEOSSymDifference_r(geos, before, after) : NULL;
    bool done = changed != NULL;
    if (done) {
        made->before_m2 = area_m2(geos, before);
        made->changed_m2 = area_m2(geos, changed);
    }
    GEOSGeom_destroy_r(geos, before);
    GEOSGeom_destroy_r(geos, changed);
    return done;
}

void geojson_area_compare(GEOSContextHandle_t geos, const struct geojson_area *area,
                          const GEOSGeometry *before, const GEOSGeometry *after,
                          struct geojson_repaired *made)
{
    uint32_t points = area->ring_ends[area->ring_count - 1];
    made->after_m2 = area_m2(geos, after);
    made->compared = points <= EXACT_POINTS_MAX && made->crossings <= EXACT_CROSSINGS_MAX &&
                     compare_exactly(geos, area, after, made);
    if (!made->compared) {
        made->before_m2 = area_m2(geos, before);
    }
}
