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

#endif
