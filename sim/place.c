#include "sim/place.h"

#include <math.h>

void sim_land_init(struct sim_land *land, double lat, double lon)
{
    *land = (struct sim_land){
        .lat = lat,
        .lon = lon,
        .metres_per_lon = SIM_METRES_PER_DEGREE * cos(lat * SIM_PI / 180),
    };
}

struct geo_point sim_land_point(const struct sim_land *land, struct sim_spot spot)
{
    double lat = land->lat + spot.north_m / SIM_METRES_PER_DEGREE;
    double lon = land->lon + spot.east_m / land->metres_per_lon;
    return (struct geo_point){.lat_e7 = (int32_t)lround(lat * 1e7),
                              .lon_e7 = (int32_t)lround(lon * 1e7)};
}

struct sim_spot sim_land_spot(const struct sim_land *land, struct geo_point point)
{
    return (struct sim_spot){
        .east_m = (point.lon_e7 * 1e-7 - land->lon) * land->metres_per_lon,
        .north_m = (point.lat_e7 * 1e-7 - land->lat) * SIM_METRES_PER_DEGREE,
    };
}

struct sim_spot sim_spot_polar(double radius_m, double angle)
{
    double east_m = radius_m * cos(angle), north_m = radius_m * sin(angle);
    return (struct sim_spot){east_m, north_m};
}

double sim_spot_radius_m(struct sim_spot spot)
{
    return hypot(spot.east_m, spot.north_m);
}

double sim_spot_angle(struct sim_spot spot)
{
    return atan2(spot.north_m, spot.east_m);
}

double sim_spot_distance_m(struct sim_spot a, struct sim_spot b)
{
    return hypot(a.east_m - b.east_m, a.north_m - b.north_m);
}
