/*
 * geojson_area_internal.h - areas as GEOS has them, for the files that speak to GEOS.
 * Know: coordinates are lattice steps, longitude first.
 */
#ifndef GEO_GEOJSON_AREA_INTERNAL_H
#define GEO_GEOJSON_AREA_INTERNAL_H

#include <geos_c.h>

#include "geo/geojson_internal.h"

/* The caller destroys it; NULL: no memory, or a ring that GEOS does not take. */
GEOSGeometry *geojson_area_geometry(GEOSContextHandle_t geos, const struct geojson_area *area);

/* GEOS's make-valid; what collapses is in it as lines and points. */
GEOSGeometry *geojson_area_make_valid(GEOSContextHandle_t geos, const GEOSGeometry *geometry,
                                      enum GEOSMakeValidMethods method);

/* The polygons of a geometry, which is used up, as one MultiPolygon; lines and points are counted.
 * NULL: no memory, or none came in. */
GEOSGeometry *geojson_area_polygons(GEOSContextHandle_t geos, GEOSGeometry *geometry,
                                    uint32_t *ret_count, uint32_t *lines);

/* Fills in what changed, *before being the rings of the area as they are drawn. */
void geojson_area_compare(GEOSContextHandle_t geos, const struct geojson_area *area,
                          const GEOSGeometry *before, const GEOSGeometry *after,
                          struct geojson_repaired *made);

/* Counts the pairs of edges that meet elsewhere than at an end of both. More than crossings_max: there
 * are more, or it takes more than work_max comparisons to know. STATUS_NO_MEMORY. */
enum status geojson_area_crossings(const struct geojson_area *area, uint32_t crossings_max,
                                   uint64_t work_max, uint32_t *ret) MUST_CHECK;

#endif
