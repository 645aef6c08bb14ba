/* Is it an area? GEOS knows. Lattice steps go in, so what is checked is what will be stored. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/geojson_area_internal.h"
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

GEOSGeometry *geojson_area_geometry(GEOSContextHandle_t geos, const struct geojson_area *area)
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
    (void)snprintf(ret->words, sizeof ret->words, "%s", words);
    if (location == NULL || GEOSGeomGetX_r(geos, location, &lon) != 1 ||
        GEOSGeomGetY_r(geos, location, &lat) != 1 || !isfinite(lon) || !isfinite(lat)) {
        return;
    }
    ret->placed = true;
    ret->lat = lat * 1e-7;
    ret->lon = lon * 1e-7;
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
    GEOSGeometry *geometry = geojson_area_geometry(geos, area);
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

/* ---- as the file has it, before the lattice ---- */

static GEOSGeometry *written_ring(GEOSContextHandle_t geos, const json_t *json)
{
    size_t count = json_array_size(json);
    GEOSCoordSequence *sequence = GEOSCoordSeq_create_r(geos, (unsigned)count, 2);
    for (size_t i = 0; i < count && sequence != NULL; i++) {
        const json_t *position = json_array_get(json, i);
        if (GEOSCoordSeq_setXY_r(geos, sequence, (unsigned)i,
                                 json_number_value(json_array_get(position, 0)),
                                 json_number_value(json_array_get(position, 1))) == 0) {
            GEOSCoordSeq_destroy_r(geos, sequence);
            return NULL;
        }
    }
    return sequence != NULL ? GEOSGeom_createLinearRing_r(geos, sequence) : NULL;
}

static GEOSGeometry *written_part(GEOSContextHandle_t geos, const json_t *json)
{
    size_t count = json_array_size(json);
    GEOSGeometry **rings = calloc(count + 1, sizeof(GEOSGeometry *));
    GEOSGeometry *result = NULL;
    size_t made = 0;
    while (rings != NULL && made < count &&
           (rings[made] = written_ring(geos, json_array_get(json, made))) != NULL) {
        made++;
    }
    if (made == count && count > 0) {
        result = GEOSGeom_createPolygon_r(geos, rings[0], rings + 1, (unsigned)count - 1);
    } else if (rings != NULL) {
        destroy_all(geos, rings, (uint32_t)made);
    }
    free(rings);
    return result;
}

static GEOSGeometry *written_parts(GEOSContextHandle_t geos, const json_t *json)
{
    size_t count = json_array_size(json);
    GEOSGeometry **parts = calloc(count + 1, sizeof(GEOSGeometry *));
    GEOSGeometry *result = NULL;
    size_t made = 0;
    while (parts != NULL && made < count &&
           (parts[made] = written_part(geos, json_array_get(json, made))) != NULL) {
        made++;
    }
    if (parts != NULL && made == count) {
        result = GEOSGeom_createCollection_r(geos, GEOS_MULTIPOLYGON, parts, (unsigned)count);
    } else if (parts != NULL) {
        destroy_all(geos, parts, (uint32_t)made);
    }
    free(parts);
    return result;
}

bool geojson_written_is_valid(const json_t *coordinates, bool multi)
{
    GEOSContextHandle_t geos = GEOS_init_r();
    if (geos == NULL) {
        return false;
    }
    GEOSGeometry *geometry =
        multi ? written_parts(geos, coordinates) : written_part(geos, coordinates);
    bool valid = geometry != NULL && GEOSisValid_r(geos, geometry) == 1;
    GEOSGeom_destroy_r(geos, geometry);
    GEOS_finish_r(geos);
    return valid;
}
