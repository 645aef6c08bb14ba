/*
 * place.h - the flat land around a school: metres east and north of a centre, and back to the
 * lattice.
 * Know: good to centimetres over the 5 km that a pupil walks; not for anything larger.
 * Units: metres, radians counter-clockwise from east.
 * Threads: any.
 */
#ifndef SIM_PLACE_H
#define SIM_PLACE_H

#include "geo/point.h"

#define SIM_PI 3.14159265358979323846
/* Of the mean sphere, as in geo_distance_m. */
#define SIM_METRES_PER_DEGREE 111195.08

struct sim_spot {
    double east_m, north_m;
};

struct sim_land {
    double lat, lon;       /* of the centre, WGS-84 */
    double metres_per_lon; /* a degree of longitude here */
};

void sim_land_init(struct sim_land *land, double lat, double lon);
struct geo_point sim_land_point(const struct sim_land *land, struct sim_spot spot);
struct sim_spot sim_land_spot(const struct sim_land *land, struct geo_point point);

struct sim_spot sim_spot_polar(double radius_m, double angle);
double sim_spot_radius_m(struct sim_spot spot);
double sim_spot_angle(struct sim_spot spot);
double sim_spot_distance_m(struct sim_spot a, struct sim_spot b);

#endif
