/* An area out of what is none: make-valid, onto the lattice, and looked at again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/geojson_area_internal.h"

/* Snap rounding gives a valid area at once; more rounds are for what nobody has seen yet. */
enum { ROUNDS_MAX = 4 };
/* Comparisons to count the crossings, a second at most; a million vertices in order take a tenth. */
#define WORK_MAX 100000000u

struct repair {
    GEOSContextHandle_t geos;
    struct geojson_repaired *made;
    struct geojson_fault *fault;
};

static void hear_geos(const char *words, void *fault)
{
    struct geojson_fault *told = fault;
    (void)snprintf(told->words, sizeof told->words, "%s", words);
}

/* ---- the repair ---- */

/* Adds the polygons of the geometry to the list, and counts what is none. False: no memory. */
static bool collect(GEOSContextHandle_t geos, const GEOSGeometry *geometry, GEOSGeometry **list,
                    uint32_t *count, uint32_t *others)
{
    int type = GEOSGeomTypeId_r(geos, geometry);
    if (GEOSisEmpty_r(geos, geometry) == 1) {
        return true;
    }
    if (type == GEOS_POLYGON) {
        list[*count] = GEOSGeom_clone_r(geos, geometry);
        return list[(*count)++] != NULL;
    }
    if (type == GEOS_POINT || type == GEOS_LINESTRING || type == GEOS_LINEARRING) {
        (*others)++;
        return true;
    }
    bool fine = true;
    for (int i = 0; i < GEOSGetNumGeometries_r(geos, geometry) && fine; i++) {
        fine = collect(geos, GEOSGetGeometryN_r(geos, geometry, i), list, count, others);
    }
    return fine;
}

static size_t leaves_of(GEOSContextHandle_t geos, const GEOSGeometry *geometry)
{
    int type = GEOSGeomTypeId_r(geos, geometry);
    size_t sum = 0;
    if (type < GEOS_MULTIPOINT) {
        return 1;
    }
    for (int i = 0; i < GEOSGetNumGeometries_r(geos, geometry); i++) {
        sum += leaves_of(geos, GEOSGetGeometryN_r(geos, geometry, i));
    }
    return sum;
}

GEOSGeometry *geojson_area_polygons(GEOSContextHandle_t geos, GEOSGeometry *geometry,
                                    uint32_t *ret_count, uint32_t *others)
{
    GEOSGeometry *result = NULL;
    if (geometry == NULL) {
        return NULL;
    }
    GEOSGeometry **list = calloc(leaves_of(geos, geometry) + 1, sizeof(GEOSGeometry *));
    *ret_count = 0;
    if (list != NULL && collect(geos, geometry, list, ret_count, others)) {
        result = GEOSGeom_createCollection_r(geos, GEOS_MULTIPOLYGON, list, *ret_count);
    }
    free(list);
    GEOSGeom_destroy_r(geos, geometry);
    return result;
}

GEOSGeometry *geojson_area_make_valid(GEOSContextHandle_t geos, const GEOSGeometry *geometry,
                                      enum GEOSMakeValidMethods method)
{
    GEOSMakeValidParams *params = GEOSMakeValidParams_create_r(geos);
    GEOSGeometry *result = NULL;
    if (params != NULL) {
        (void)GEOSMakeValidParams_setMethod_r(geos, params, method);
        /* what collapses is handed out, to be told */
        (void)GEOSMakeValidParams_setKeepCollapsed_r(geos, params, 1);
        result = GEOSMakeValidWithParams_r(geos, geometry, params);
        GEOSMakeValidParams_destroy_r(geos, params);
    }
    return result;
}

/* Valid and on the lattice, or NULL. */
static GEOSGeometry *mend(struct repair *repair, const GEOSGeometry *original)
{
    GEOSContextHandle_t geos = repair->geos;
    GEOSGeometry *current = GEOSGeom_clone_r(geos, original);
    for (int round = 0; round < ROUNDS_MAX && current != NULL; round++) {
        uint32_t valid_parts, parts, none = 0;
        GEOSGeometry *valid = geojson_area_polygons(
            geos, geojson_area_make_valid(geos, current, GEOS_MAKE_VALID_STRUCTURE), &valid_parts,
            &repair->made->lines);
        GEOSGeom_destroy_r(geos, current);
        current = NULL;
        if (valid != NULL) {
            current = geojson_area_polygons(geos, GEOSGeom_setPrecision_r(geos, valid, 1, 0),
                                            &parts, &none);
            GEOSGeom_destroy_r(geos, valid);
        }
        if (current != NULL && parts < valid_parts) {
            repair->made->specks += valid_parts - parts;
        }
        if (current != NULL && GEOSisValid_r(geos, current) == 1) {
            return current;
        }
    }
    GEOSGeom_destroy_r(geos, current);
    return NULL;
}

/* ---- back to rings ---- */

static void take_ring(const struct repair *repair, const GEOSGeometry *ring)
{
    struct geojson_repaired *made = repair->made;
    const GEOSCoordSequence *sequence = GEOSGeom_getCoordSeq_r(repair->geos, ring);
    unsigned count = 0;
    (void)GEOSCoordSeq_getSize_r(repair->geos, sequence, &count);
    for (unsigned i = 0; i + 1 < count; i++) {
        double x = 0, y = 0;
        (void)GEOSCoordSeq_getXY_r(repair->geos, sequence, i, &x, &y);
        made->points[made->point_count++] =
            (struct geo_point){(int32_t)lround(y), (int32_t)lround(x)};
    }
    made->ring_ends[made->area.ring_count++] = made->point_count;
}

static enum status take_rings(const struct repair *repair, const GEOSGeometry *areas)
{
    GEOSContextHandle_t geos = repair->geos;
    struct geojson_repaired *made = repair->made;
    int points = GEOSGetNumCoordinates_r(geos, areas), parts = GEOSGetNumGeometries_r(geos, areas);
    if (points < 0 || parts < 0) {
        return STATUS_NO_MEMORY;
    }
    made->points = calloc((size_t)points + 1, sizeof *made->points);
    made->ring_ends = calloc((size_t)points + 1, sizeof *made->ring_ends);
    made->part_ends = calloc((size_t)parts + 1, sizeof *made->part_ends);
    if (made->points == NULL || made->ring_ends == NULL || made->part_ends == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (int q = 0; q < parts; q++) {
        const GEOSGeometry *part = GEOSGetGeometryN_r(geos, areas, q);
        take_ring(repair, GEOSGetExteriorRing_r(geos, part));
        for (int r = 0; r < GEOSGetNumInteriorRings_r(geos, part); r++) {
            take_ring(repair, GEOSGetInteriorRingN_r(geos, part, r));
        }
        made->part_ends[made->area.part_count++] = made->area.ring_count;
    }
    made->area.points = made->points;
    made->area.ring_ends = made->ring_ends;
    made->area.part_ends = made->part_ends;
    return STATUS_OK;
}

static enum status refuse(struct repair *repair, const char *words)
{
    if (repair->fault->words[0] == '\0') {
        (void)snprintf(repair->fault->words, sizeof repair->fault->words, "%s", words);
    }
    return STATUS_INVALID;
}

/* What GEOS would take minutes for is not begun. */
static enum status count_crossings(struct repair *repair, const struct geojson_area *area)
{
    uint32_t *crossings = &repair->made->crossings;
    enum status status =
        geojson_area_crossings(area, GEO_GEOJSON_CROSSINGS_MAX, WORK_MAX, crossings);
    if (status == STATUS_OK && *crossings > GEO_GEOJSON_CROSSINGS_MAX) {
        char words[sizeof repair->fault->words];
        (void)snprintf(words, sizeof words, "too tangled: more than %u crossings",
                       GEO_GEOJSON_CROSSINGS_MAX);
        return refuse(repair, words);
    }
    return status;
}

static enum status run(struct repair *repair, const struct geojson_area *area,
                       const GEOSGeometry *original)
{
    enum status status = count_crossings(repair, area);
    if (status != STATUS_OK) {
        return status;
    }
    GEOSGeometry *areas = mend(repair, original);
    if (areas == NULL) {
        return refuse(repair, "GEOS finds no valid area on the lattice of 1e-7 degrees");
    }
    if (GEOSisEmpty_r(repair->geos, areas) == 1) {
        status = refuse(repair, "no area is left of it");
    } else {
        geojson_area_compare(repair->geos, area, original, areas, repair->made);
        status = take_rings(repair, areas);
    }
    GEOSGeom_destroy_r(repair->geos, areas);
    if (status == STATUS_OK) { /* the same look that an area of a file gets */
        status = geojson_area_check(&repair->made->area, repair->fault);
    }
    return status;
}

enum status geojson_area_repair(const struct geojson_area *area, struct geojson_repaired *ret,
                                struct geojson_fault *ret_fault)
{
    struct geojson_repaired made = {.point_count = 0};
    struct repair repair = {.geos = GEOS_init_r(), .made = &made, .fault = ret_fault};
    if (repair.geos == NULL) {
        return STATUS_NO_MEMORY;
    }
    *ret_fault = (struct geojson_fault){0};
    (void)GEOSContext_setErrorMessageHandler_r(repair.geos, hear_geos, ret_fault);
    GEOSGeometry *original = geojson_area_geometry(repair.geos, area);
    enum status status = original != NULL ? run(&repair, area, original) : STATUS_NO_MEMORY;
    GEOSGeom_destroy_r(repair.geos, original);
    GEOS_finish_r(repair.geos);
    if (status == STATUS_OK) {
        *ret = made;
    } else {
        geojson_repaired_release(&made);
    }
    return status;
}

void geojson_repaired_release(struct geojson_repaired *repaired)
{
    free(repaired->points);
    free(repaired->ring_ends);
    free(repaired->part_ends);
    *repaired = (struct geojson_repaired){.point_count = 0};
}
