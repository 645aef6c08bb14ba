#include "sim/city.h"

#include <math.h>

#include "base/assert.h"
#include "geo/datum.h"
#include "sim/city_internal.h"
#include "sim/random.h"

const struct sim_county sim_counties[SIM_COUNTIES] = {
    {"140403", "潞州区"}, {"140404", "上党区"}, {"140405", "屯留区"}, {"140406", "潞城区"},
    {"140423", "襄垣县"}, {"140425", "平顺县"}, {"140426", "黎城县"}, {"140427", "壶关县"},
    {"140428", "长子县"}, {"140429", "武乡县"}, {"140430", "沁县"},   {"140431", "沁源县"},
};

/* Seats in GCJ-02, as maps show them, and how many of 206 schools a county has. */
static const struct {
    double lat, lon;
    uint32_t weight;
} seats[SIM_COUNTIES] = {
    {36.19, 113.11, 46}, {36.05, 113.06, 20}, {36.31, 112.89, 15}, {36.33, 113.22, 14},
    {36.53, 113.05, 20}, {36.20, 113.44, 11}, {36.50, 113.39, 12}, {36.11, 113.21, 17},
    {36.12, 112.88, 19}, {36.83, 112.87, 12}, {36.76, 112.70, 10}, {36.50, 112.34, 10},
};
enum { SEAT_WEIGHTS = 206 };

/* Two grounds, each with a second part, never meet. */
#define SCHOOL_APART_M 1000.0

static enum status check_options(const struct sim_city_options *options,
                                 struct status_detail *detail)
{
    uint32_t schools = options->schools;
    if (schools < 1 || schools > SIM_SCHOOLS_MAX) {
        return status_detail_set(detail, STATUS_INVALID, "schools: %u, must be 1 to %u", schools,
                                 SIM_SCHOOLS_MAX);
    }
    uint32_t low = schools * SIM_SCHOOL_SIZE_MIN, high = schools * SIM_SCHOOL_SIZE_MAX;
    if (high > 999999) {
        high = 999999; /* ids have six digits */
    }
    if (options->pupils < low || options->pupils > high) {
        return status_detail_set(
            detail, STATUS_INVALID, "pupils: %u, %u schools take %u to %u (%u to %u each)",
            options->pupils, schools, low, high, SIM_SCHOOL_SIZE_MIN, SIM_SCHOOL_SIZE_MAX);
    }
    if (options->zones > SIM_ZONES_MAX) {
        return status_detail_set(detail, STATUS_INVALID, "zones: %u, must be 0 to %u",
                                 options->zones, SIM_ZONES_MAX);
    }
    return STATUS_OK;
}

static void give_counties(struct sim_city *city)
{
    uint32_t schools = city->options.schools, weight = 0, given = 0;
    for (uint32_t county = 0; county < SIM_COUNTIES; county++) {
        weight += seats[county].weight;
        uint32_t end = (schools * weight + SEAT_WEIGHTS / 2) / SEAT_WEIGHTS;
        while (given < end) {
            city->schools[given++].county = county;
        }
    }
    ASSERT(given == schools);
}

static double nearest_school_m(const struct sim_city *city, uint32_t count,
                               const struct sim_land *land)
{
    double nearest = HUGE_VAL;
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_land *other = &city->schools[i].land;
        nearest = fmin(nearest, hypot((other->lat - land->lat) * SIM_METRES_PER_DEGREE,
                                      (other->lon - land->lon) * land->metres_per_lon));
    }
    return nearest;
}

/* Around the county's seat, many in town and some far out. Each attempt looks farther, so that room
 * is found before the attempts end; the last one may stand too near another. */
static void place_schools(struct sim_city *city)
{
    struct sim_random random;
    sim_random_init(&random, city->options.seed, SIM_STREAM_SCHOOLS, 0);
    for (uint32_t i = 0; i < city->options.schools; i++) {
        struct sim_school *school = &city->schools[i];
        double lat = seats[school->county].lat, lon = seats[school->county].lon;
        geo_to_wgs84(GEO_GCJ02, &lat, &lon);
        struct sim_land seat;
        sim_land_init(&seat, lat, lon);
        for (uint32_t attempt = 0; attempt < 1000; attempt++) {
            double reach_m = 15000 + 20.0 * attempt;
            struct sim_spot spot = sim_spot_polar(sim_random_log_between(&random, 500, reach_m),
                                                  sim_random_between(&random, 0, 2 * SIM_PI));
            double north = seat.lat + spot.north_m / SIM_METRES_PER_DEGREE;
            double east = seat.lon + spot.east_m / seat.metres_per_lon;
            sim_land_init(&school->land, fmin(fmax(north, SIM_LAT_LOW), SIM_LAT_HIGH),
                          fmin(fmax(east, SIM_LON_LOW), SIM_LON_HIGH));
            if (nearest_school_m(city, i, &school->land) >= SCHOOL_APART_M) {
                break;
            }
        }
    }
}

static uint32_t clamp_size(double size)
{
    size = fmin(fmax(size, SIM_SCHOOL_SIZE_MIN), SIM_SCHOOL_SIZE_MAX);
    return (uint32_t)size;
}

/* Sizes around the mean, then one more or one less here and there until the sum is exact. */
static void give_sizes(struct sim_city *city, struct sim_random *random)
{
    uint32_t schools = city->options.schools, sum = 0;
    ASSERT(schools > 0);
    double mean = (double)city->options.pupils / schools;
    for (uint32_t i = 0; i < schools; i++) {
        double size = mean * exp(0.55 * sim_random_normal(random) - 0.15);
        city->schools[i].pupil_count = clamp_size(size);
        sum += city->schools[i].pupil_count;
    }
    /* check_options saw that a school with room exists as long as the sum is not met */
    for (uint32_t i = 0; sum != city->options.pupils; i = (i + 1) % schools) {
        uint32_t *size = &city->schools[i].pupil_count;
        if (sum < city->options.pupils && *size < SIM_SCHOOL_SIZE_MAX) {
            (*size)++;
            sum++;
        } else if (sum > city->options.pupils && *size > SIM_SCHOOL_SIZE_MIN) {
            (*size)--;
            sum--;
        }
    }
    for (uint32_t i = 0, first = 0; i < schools; i++) {
        city->schools[i].pupil_first = first;
        first += city->schools[i].pupil_count;
    }
}

static void make_pupils(struct sim_city *city, struct sim_random *random)
{
    for (uint32_t s = 0; s < city->options.schools; s++) {
        const struct sim_school *school = &city->schools[s];
        for (uint32_t i = 0; i < school->pupil_count; i++) {
            struct sim_pupil *pupil = &city->pupils[school->pupil_first + i];
            pupil->school = s;
            pupil->grade = (uint8_t)(1 + i * 6 / school->pupil_count);
            pupil->class_no = (uint8_t)(1 + i % ((school->pupil_count + 299) / 300));
            if (i > 0 && sim_random_chance(random, 0.1)) { /* brother or sister of the last one */
                pupil->guardian_first = pupil[-1].guardian_first;
                pupil->guardian_count = pupil[-1].guardian_count;
                continue;
            }
            pupil->guardian_count = sim_random_chance(random, 0.6) ? 2 : 1;
            pupil->guardian_first = city->guardian_count;
            city->guardian_count += pupil->guardian_count;
        }
    }
}

static enum status make_city(struct sim_city *city)
{
    const struct sim_city_options *options = &city->options;
    city->schools = arena_array(&city->arena, options->schools, sizeof *city->schools);
    city->pupils = arena_array(&city->arena, options->pupils, sizeof *city->pupils);
    city->zones = arena_array(&city->arena, options->zones + 1, sizeof *city->zones);
    if (city->schools == NULL || city->pupils == NULL || city->zones == NULL) {
        return STATUS_NO_MEMORY;
    }
    struct sim_random random;
    sim_random_init(&random, options->seed, SIM_STREAM_PUPILS, 0);
    give_counties(city);
    place_schools(city);
    give_sizes(city, &random);
    make_pupils(city, &random);
    for (uint32_t i = 0; i < options->schools; i++) {
        enum status status = sim_ground_make(city, i);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return sim_zones_make(city);
}

enum status sim_city_init(struct sim_city *city, const struct sim_city_options *options,
                          struct status_detail *detail)
{
    enum status status = check_options(options, detail);
    if (status != STATUS_OK) {
        return status;
    }
    *city = (struct sim_city){.options = *options};
    arena_init_growing(&city->arena, 1u << 20, 1u << 30);
    status = make_city(city);
    if (status != STATUS_OK) {
        sim_city_release(city);
        return status_detail_set(detail, status, "the city does not fit into memory");
    }
    return STATUS_OK;
}

void sim_city_release(struct sim_city *city)
{
    arena_release(&city->arena);
    *city = (struct sim_city){0};
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 32);
}

static uint64_t mix_shape(uint64_t hash, const struct geo_shape *shape)
{
    hash = mix(hash, (uint64_t)shape->kind << 32 | shape->ring_count);
    hash = mix(hash, (uint64_t)llround(shape->radius_m * 1000));
    for (uint32_t i = 0; i < shape->ring_count; i++) {
        hash = mix(hash, shape->ring_ends[i]);
    }
    for (uint32_t i = 0; i < shape->point_count; i++) {
        hash = mix(hash, (uint64_t)(uint32_t)shape->points[i].lat_e7 << 32 |
                             (uint32_t)shape->points[i].lon_e7);
    }
    return hash;
}

uint64_t sim_city_digest(const struct sim_city *city)
{
    const struct sim_city_options *options = &city->options;
    uint64_t hash = mix(SIM_CITY_VERSION, options->seed);
    for (uint32_t i = 0; i < options->schools; i++) {
        const struct sim_school *school = &city->schools[i];
        hash = mix(hash, (uint64_t)school->pupil_count << 32 | (uint64_t)school->county << 8 |
                             school->gate_count);
    }
    for (uint32_t i = 0; i < options->pupils; i++) {
        const struct sim_pupil *pupil = &city->pupils[i];
        hash = mix(hash, (uint64_t)pupil->guardian_first << 32 | (uint64_t)pupil->grade << 16 |
                             (uint64_t)pupil->class_no << 8 | pupil->guardian_count);
    }
    for (uint32_t i = 0; i < sim_city_fence_count(city); i++) {
        struct sim_fence fence;
        sim_city_fence(city, i, &fence);
        hash = mix_shape(hash, fence.shape);
    }
    return hash;
}
