#include "geo/datum.h"

#include <math.h>

#include "base/assert.h"

#define PI 3.14159265358979323846

/* GCJ-02 offsets are made on the Krasovsky 1940 ellipsoid. */
#define SEMI_MAJOR_M   6378245.0
#define ECCENTRICITY_2 0.00669342162296594323

enum { ROUNDS_MAX = 12 }; /* three give 0.06 mm; more only beside the edge of the box */
#define SETTLED_DEGREES 1e-10

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool name_equal(struct text name, const char *word)
{
    for (size_t i = 0; i < name.length; i++) {
        if (name.at[i] == '-') {
            continue;
        }
        if (*word == '\0' || lower(name.at[i]) != *word) {
            return false;
        }
        word++;
    }
    return *word == '\0';
}

enum status geo_datum_parse(struct text name, enum geo_datum *ret)
{
    for (enum geo_datum datum = GEO_WGS84; datum <= GEO_BD09; datum++) {
        if (name_equal(name, geo_datum_name(datum))) {
            *ret = datum;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

const char *geo_datum_name(enum geo_datum datum)
{
    switch (datum) {
    case GEO_WGS84:
        return "wgs84";
    case GEO_GCJ02:
        return "gcj02";
    case GEO_BD09:
        return "bd09";
    case GEO_DATUM_NONE:
        break;
    }
    return "none";
}

/* The box that map services use for "in China". */
static bool in_china(double lat, double lon)
{
    return lon >= 72.004 && lon <= 137.8347 && lat >= 0.8293 && lat <= 55.8271;
}

/* The slow part of both offsets along v degrees. */
static double swell(double v, double twelfth, double thirtieth)
{
    return 20.0 * sin(v * PI) + 40.0 * sin(v / 3.0 * PI) + twelfth * sin(v / 12.0 * PI) +
           thirtieth * sin(v / 30.0 * PI);
}

/* The published formula, as in gcoord and eviltransform. */
static void wgs84_to_gcj02(double *lat, double *lon)
{
    if (!in_china(*lat, *lon)) {
        return;
    }
    double x = *lon - 105.0, y = *lat - 35.0;
    double ripple = 20.0 * sin(6.0 * x * PI) + 20.0 * sin(2.0 * x * PI);
    double north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(fabs(x)) +
                     (ripple + swell(y, 160.0, 320.0)) * 2.0 / 3.0;
    double east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(fabs(x)) +
                    (ripple + swell(x, 150.0, 300.0)) * 2.0 / 3.0;
    double phi = *lat * PI / 180.0;
    double bend = 1 - ECCENTRICITY_2 * sin(phi) * sin(phi);
    double root = sqrt(bend);
    *lat += north_m * 180.0 / (SEMI_MAJOR_M * (1 - ECCENTRICITY_2) / (bend * root) * PI);
    *lon += east_m * 180.0 / (SEMI_MAJOR_M / root * cos(phi) * PI);
}

static void gcj02_to_bd09(double *lat, double *lon)
{
    const double turn = PI * 3000.0 / 180.0;
    double far = sqrt(*lon * *lon + *lat * *lat) + 0.00002 * sin(*lat * turn);
    double angle = atan2(*lat, *lon) + 0.000003 * cos(*lon * turn);
    *lon = far * cos(angle) + 0.0065;
    *lat = far * sin(angle) + 0.006;
}

static void wgs84_to_bd09(double *lat, double *lon)
{
    wgs84_to_gcj02(lat, lon);
    gcj02_to_bd09(lat, lon);
}

/* Fixed point: the offset hardly changes over its own length, so each round gains two digits. */
static void invert(void (*forward)(double *, double *), double *lat, double *lon)
{
    double guess_lat = *lat, guess_lon = *lon;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        double there_lat = guess_lat, there_lon = guess_lon;
        forward(&there_lat, &there_lon);
        double step_lat = *lat - there_lat, step_lon = *lon - there_lon;
        guess_lat += step_lat;
        guess_lon += step_lon;
        if (fabs(step_lat) < SETTLED_DEGREES && fabs(step_lon) < SETTLED_DEGREES) {
            break;
        }
    }
    *lat = guess_lat;
    *lon = guess_lon;
}

void geo_to_wgs84(enum geo_datum datum, double *lat, double *lon)
{
    ASSERT(datum >= GEO_WGS84 && datum <= GEO_BD09);
    if (datum == GEO_GCJ02) {
        invert(wgs84_to_gcj02, lat, lon);
    } else if (datum == GEO_BD09) {
        invert(wgs84_to_bd09, lat, lon);
    }
}

void geo_from_wgs84(enum geo_datum datum, double *lat, double *lon)
{
    ASSERT(datum >= GEO_WGS84 && datum <= GEO_BD09);
    if (datum == GEO_GCJ02) {
        wgs84_to_gcj02(lat, lon);
    } else if (datum == GEO_BD09) {
        wgs84_to_bd09(lat, lon);
    }
}
