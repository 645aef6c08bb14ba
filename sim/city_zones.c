#include <math.h>

#include "sim/city_internal.h"
#include "sim/random.h"
#include "sim/ring.h"

/* Zones keep this far from the centres of schools: grounds reach 400 m. */
#define CLEAR_OF_SCHOOLS_M 500.0
#define ZONE_NEAR_M        3000.0
#define BENDS_MAX          12u
#define ATTEMPTS_MAX       50

static enum status make_line(struct sim_city *city, struct sim_random *random,
                             const struct sim_land *land, double step_m, double radius_m,
                             struct geo_shape *ret)
{
    struct sim_spot spots[BENDS_MAX] = {{0, 0}};
    uint32_t count = 4 + sim_random_below(random, BENDS_MAX - 3);
    double way = sim_random_between(random, 0, 2 * SIM_PI);
    for (uint32_t i = 1; i < count; i++) {
        way += sim_random_between(random, -0.5, 0.5);
        struct sim_spot step = sim_spot_polar(step_m * sim_random_between(random, 0.6, 1.4), way);
        spots[i].east_m = spots[i - 1].east_m + step.east_m;
        spots[i].north_m = spots[i - 1].north_m + step.north_m;
    }
    return sim_shape_corridor(land, spots, count, radius_m, &city->arena, ret);
}

static enum status make_area(struct sim_city *city, struct sim_random *random,
                             const struct sim_land *land, double radius_m, uint32_t vertex_count,
                             struct geo_shape *ret)
{
    struct sim_ring ring;
    const struct sim_ring *rings[1] = {&ring};
    sim_ring_make(&ring, random, (struct sim_spot){0, 0}, radius_m, 0.45, vertex_count);
    return sim_shape_polygon(land, rings, 1, &city->arena, ret);
}

static enum status make_shape(struct sim_city *city, struct sim_random *random,
                              const struct sim_land *land, struct sim_zone *zone)
{
    switch (zone->kind) {
    case SIM_ZONE_RIVER:
        return make_line(city, random, land, sim_random_between(random, 150, 500),
                         sim_random_between(random, 10, 30), &zone->shape);
    case SIM_ZONE_ROAD:
        return make_line(city, random, land, sim_random_between(random, 200, 600),
                         sim_random_between(random, 6, 14), &zone->shape);
    case SIM_ZONE_POND:
        if (sim_random_chance(random, 0.4)) {
            return sim_shape_circle(land, sim_random_log_between(random, 15, 80), &city->arena,
                                    &zone->shape);
        }
        return make_area(city, random, land, sim_random_log_between(random, 20, 120),
                         12 + sim_random_below(random, 29), &zone->shape);
    case SIM_ZONE_QUARRY:
    default:
        return make_area(city, random, land, sim_random_log_between(random, 50, 250),
                         16 + sim_random_below(random, 45), &zone->shape);
    }
}

/* Seven of ten lie where pupils walk, the others anywhere. */
static void place_zone(const struct sim_city *city, struct sim_random *random, struct sim_land *ret)
{
    if (!sim_random_chance(random, 0.7)) {
        sim_land_init(ret, sim_random_between(random, SIM_LAT_LOW, SIM_LAT_HIGH),
                      sim_random_between(random, SIM_LON_LOW, SIM_LON_HIGH));
        return;
    }
    const struct sim_land *near =
        &city->schools[sim_random_below(random, city->options.schools)].land;
    struct sim_spot spot = sim_spot_polar(sim_random_between(random, 600, 5000),
                                          sim_random_between(random, 0, 2 * SIM_PI));
    sim_land_init(ret, near->lat + spot.north_m / SIM_METRES_PER_DEGREE,
                  near->lon + spot.east_m / near->metres_per_lon);
}

static bool clear_of_schools(const struct sim_city *city, const struct geo_shape *shape)
{
    int32_t lat = (int32_t)(CLEAR_OF_SCHOOLS_M / SIM_METRES_PER_DEGREE * 1e7);
    for (uint32_t i = 0; i < city->options.schools; i++) {
        const struct sim_land *land = &city->schools[i].land;
        struct geo_point centre = sim_land_point(land, (struct sim_spot){0, 0});
        int32_t lon = (int32_t)(CLEAR_OF_SCHOOLS_M / land->metres_per_lon * 1e7);
        if (centre.lat_e7 > shape->low.lat_e7 - lat && centre.lat_e7 < shape->high.lat_e7 + lat &&
            centre.lon_e7 > shape->low.lon_e7 - lon && centre.lon_e7 < shape->high.lon_e7 + lon &&
            geo_shape_distance_m(shape, centre) < CLEAR_OF_SCHOOLS_M) {
            return false;
        }
    }
    return true;
}

static void find_nearest(struct sim_city *city, struct sim_school *school)
{
    double nearest_m = ZONE_NEAR_M;
    school->zone_near = UINT32_MAX;
    for (uint32_t z = 0; z < city->options.zones; z++) {
        struct sim_spot spot = sim_land_spot(&school->land, city->zones[z].inside);
        double away_m = sim_spot_radius_m(spot);
        if (away_m < nearest_m) {
            nearest_m = away_m;
            school->zone_near = z;
            school->zone_spot = spot;
        }
    }
}

enum status sim_zones_make(struct sim_city *city)
{
    for (uint32_t z = 0; z < city->options.zones; z++) {
        struct sim_zone *zone = &city->zones[z];
        struct sim_random random;
        sim_random_init(&random, city->options.seed, SIM_STREAM_ZONE, z);
        zone->kind = (enum sim_zone_kind)sim_random_below(&random, 4);
        /* In a city so full of schools that no attempt is clear the last one stands. */
        for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
            struct sim_land land;
            place_zone(city, &random, &land);
            enum status status = make_shape(city, &random, &land, zone);
            if (status != STATUS_OK) {
                return status;
            }
            zone->inside = sim_land_point(&land, (struct sim_spot){0, 0});
            if (clear_of_schools(city, &zone->shape)) {
                break;
            }
        }
    }
    for (uint32_t s = 0; s < city->options.schools; s++) {
        find_nearest(city, &city->schools[s]);
    }
    return STATUS_OK;
}
