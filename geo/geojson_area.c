/* Is it an area? GEOS knows. Lattice steps go in, so what is checked is what will be stored. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <geos_c.h>

#include "geo/geojson_internal.h"
#include "geo/shape_internal.h"

static GEOSGeometry *ring_of(GEOSContextHandle_t geos, const struct geo_point *points,
                             uint32_t count)
{
    GEOSCoordSequence *sequence = GEOSCoordSeq_create_r(geos, count + 1, 2);
    for (uint32_t i = 0; i <= count && sequence != NULL; i++) {
        struct geo_point p = points[i < count ? i : 0];
        if (GEOSCoordSeq_setXY_r(geos, sequence, i, p.lon_e7, p.lat_e7) == 0) {
            GEOSCoordSeq_destroy_r(geos, sequence);
            return NULL;
        }
    }
    /* takes the sequence, also when it fails */
    return sequence != NULL ? GEOSGeom_createLinearRing_r(geos, sequence) : NULL;
}

static void destroy_all(GEOSContextHandle_t geos, GEOSGeometry **items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        GEOSGeom_destroy_r(geos, items[i]);
    }
}

static GEOSGeometry *part_of(GEOSContextHandle_t geos, const struct geojson_area *area,
                             uint32_t part, GEOSGeometry **rings)
{
    uint32_t first = part > 0 ? area->part_ends[part - 1] : 0;
    uint32_t count = 0;
    for (uint32_t r = first; r < area->part_ends[part]; r++) {
        uint32_t start = r > 0 ? area->ring_ends[r - 1] : 0;
        rings[count] = ring_of(geos, area->points + start, area->ring_ends[r] - start);
        if (rings[count] == NULL) {
            destroy_all(geos, rings, count);
            return NULL;
        }
        count++;
    }
    /* takes the rings; the first is the outline */
    return GEOSGeom_createPolygon_r(geos, rings[0], rings + 1, count - 1);
}

static GEOSGeometry *geometry_of(GEOSContextHandle_t geos, const struct geojson_area *area)
{
    GEOSGeometry *result = NULL;
    GEOSGeometry **rings = calloc(area->ring_count, sizeof(GEOSGeometry *));
    GEOSGeometry **parts = calloc(area->part_count, sizeof(GEOSGeometry *));
    if (rings == NULL || parts == NULL) {
        goto out;
    }
    for (uint32_t q = 0; q < area->part_count; q++) {
        parts[q] = part_of(geos, area, q, rings);
        if (parts[q] == NULL) {
            destroy_all(geos, parts, q);
            goto out;
        }
    }
    result = area->part_count == 1
                 ? parts[0]
                 : GEOSGeom_createCollection_r(geos, GEOS_MULTIPOLYGON, parts, area->part_count);
out:
    free(rings);
    free(parts);
    return result;
}

/* The ring that runs by the place, as GEOS tells the place alone. */
static void name_ring(const struct geojson_area *area, struct geo_point place,
                      struct geojson_fault *fault)
{
    const struct geo_scale steps = {1, 1};
    double best = HUGE_VAL;
    uint32_t part = 0, first = 0, start = 0;
    for (uint32_t r = 0; r < area->ring_count; r++) {
        if (r == area->part_ends[part]) {
            part++;
            first = r;
        }
        uint32_t end = area->ring_ends[r];
        for (uint32_t i = start; i < end; i++) {
            struct geo_point a = area->points[i], b = area->points[i + 1 < end ? i + 1 : start];
            double gap2 = geo_segment_gap2(steps, place, a, b);
            if (gap2 < best) {
                best = gap2;
                fault->part = area->part_count > 1 ? part + 1 : 0;
                fault->ring = r - first + 1;
            }
        }
        start = end;
    }
}

static void describe(GEOSContextHandle_t geos, const struct geojson_area *area, const char *reason,
                     const GEOSGeometry *location, struct geojson_fault *ret)
{
    double lon, lat;
    const char *words = reason != NULL ? reason : "not a valid area";
    *ret = (struct geojson_fault){0};
    if (location == NULL || GEOSGeomGetX_r(geos, location, &lon) != 1 ||
        GEOSGeomGetY_r(geos, location, &lat) != 1 || !isfinite(lon) || !isfinite(lat)) {
        (void)snprintf(ret->words, sizeof ret->words, "%s", words);
        return;
    }
    (void)snprintf(ret->words, sizeof ret->words, "%s at %.7f, %.7f", words, lon * 1e-7,
                   lat * 1e-7);
    name_ring(area, (struct geo_point){(int32_t)lround(lat), (int32_t)lround(lon)}, ret);
}

enum status geojson_area_check(const struct geojson_area *area, struct geojson_fault *ret_fault)
{
    GEOSContextHandle_t geos = GEOS_init_r();
    if (geos == NULL) {
        return STATUS_NO_MEMORY;
    }
    enum status status = STATUS_NO_MEMORY;
    char *reason = NULL;
    GEOSGeometry *location = NULL;
    GEOSGeometry *geometry = geometry_of(geos, area);
    if (geometry != NULL) {
        char valid = GEOSisValidDetail_r(geos, geometry, 0, &reason, &location);
        status = valid == 1 ? STATUS_OK : valid == 0 ? STATUS_INVALID : STATUS_NO_MEMORY;
        if (status == STATUS_INVALID) {
            describe(geos, area, reason, location, ret_fault);
        }
    }
    GEOSFree_r(geos, reason);
    GEOSGeom_destroy_r(geos, location);
    GEOSGeom_destroy_r(geos, geometry);
    GEOS_finish_r(geos);
    return status;
}
