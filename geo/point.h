/*
 * point.h - a place on the 1e-7 degree lattice, the only form in which positions are stored and
 * compared (WGS-84).
 * Units: degrees * 1e7 in int32: lat -900000000..900000000, lon -1800000000..1800000000; one step
 * is at most 11.1 mm.
 * Threads: any.
 */
#ifndef GEO_POINT_H
#define GEO_POINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct geo_point {
    int32_t lat_e7, lon_e7;
};

#define GEO_LAT_E7_MAX 900000000
#define GEO_LON_E7_MAX 1800000000

/* Degrees to the nearest lattice point (half away from zero). STATUS_INVALID: not finite or out of
 * range. */
enum status geo_point_from_degrees(double lat, double lon, struct geo_point *ret) MUST_CHECK;
/* Metres between two points on the mean sphere (haversine), for reports and simulators, not for
 * fences. */
double geo_distance_m(struct geo_point a, struct geo_point b);

#endif
