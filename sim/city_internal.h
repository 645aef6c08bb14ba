/*
 * city_internal.h - what the files of the city share.
 */
#ifndef SIM_CITY_INTERNAL_H
#define SIM_CITY_INTERNAL_H

#include "sim/city.h"

/* The land and ground of one school whose centre is known. */
enum status sim_ground_make(struct sim_city *city, uint32_t school) MUST_CHECK;
/* All danger zones, and each school's nearest. Schools stand already. */
enum status sim_zones_make(struct sim_city *city) MUST_CHECK;

/* The area that is called the city. */
#define SIM_LAT_LOW  35.83
#define SIM_LAT_HIGH 37.12
#define SIM_LON_LOW  111.99
#define SIM_LON_HIGH 113.73

#endif
