#include "geo/point.h"

#include <math.h>

#define MEAN_RADIUS_M 6371008.8 /* IUGG mean radius R1 */
#define PI            3.14159265358979323846

enum status geo_point_from_degrees(double lat, double lon, struct geo_point *ret)
{
    if (!(fabs(lat) <= 90.0) || !(fabs(lon) <= 180.0)) { /* NaN too */
        return STATUS_INVALID;
    }
    *ret = (struct geo_point){(int32_t)lround(lat * 1e7), (int32_t)lround(lon * 1e7)};
    return STATUS_OK;
}

double geo_distance_m(struct geo_point a, struct geo_point b)
{
    const double step = PI / 180.0 / 1e7;
    double lat_a = a.lat_e7 * step, lat_b = b.lat_e7 * step;
    double half_lat = sin((lat_b - lat_a) / 2);
    double half_lon = sin(((double)b.lon_e7 - (double)a.lon_e7) * step / 2);
    double h = half_lat * half_lat + cos(lat_a) * cos(lat_b) * half_lon * half_lon;
    return 2 * MEAN_RADIUS_M * asin(sqrt(fmin(1.0, h)));
}
