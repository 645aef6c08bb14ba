#include "bench/geo_city.h"

#include <math.h>

#define PI 3.14159265358979323846

/* Changzhi: longitude 111.985-113.736, latitude 35.823-37.125. */
static const struct geo_point box_low = {358230000, 1119850000};
static const struct geo_point box_high = {371250000, 1137360000};

/* The seats of the twelve counties, rounded; how large the town is, and its share of the schools
 * and zones: invented. */
static const struct town {
    struct geo_point centre;
    double radius_m;
    uint32_t share;
} towns[] = {
    {{361900000, 1131100000}, 7000, 26}, {{360500000, 1130600000}, 4500, 10},
    {{363100000, 1128900000}, 3500, 8},  {{363300000, 1132200000}, 3500, 8},
    {{365300000, 1130500000}, 4000, 9},  {{362000000, 1134400000}, 2500, 5},
    {{365000000, 1133900000}, 3000, 6},  {{361100000, 1132100000}, 3500, 8},
    {{361200000, 1128800000}, 3000, 7},  {{368300000, 1128700000}, 2500, 5},
    {{367600000, 1127000000}, 2500, 5},  {{365000000, 1123400000}, 2500, 3},
};
enum { TOWNS = sizeof towns / sizeof towns[0], SHARES = 100 };

uint64_t city_random_u64(struct city_random *random)
{
    uint64_t z = (random->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double city_random_unit(struct city_random *random)
{
    return (double)(city_random_u64(random) >> 11) * 0x1p-53;
}

double city_random_between(struct city_random *random, double low, double high)
{
    return low + (high - low) * city_random_unit(random);
}

uint32_t city_random_below(struct city_random *random, uint32_t end)
{
    return (uint32_t)(city_random_u64(random) % end);
}

struct geo_point city_offset(struct geo_point from, double east_m, double north_m)
{
    double scale = 0.0111320 * cos(from.lat_e7 * 1e-7 * PI / 180);
    return (struct geo_point){from.lat_e7 + (int32_t)lround(north_m / 0.0110974),
                              from.lon_e7 + (int32_t)lround(east_m / scale)};
}

/* ---- places ---- */

static struct geo_point in_disc(struct city_random *random, struct geo_point centre,
                                double radius_m)
{
    double far = radius_m * sqrt(city_random_unit(random));
    double angle = 2 * PI * city_random_unit(random);
    return city_offset(centre, far * cos(angle), far * sin(angle));
}

static struct geo_point anywhere(struct city_random *random)
{
    return (struct geo_point){
        (int32_t)lround(city_random_between(random, box_low.lat_e7, box_high.lat_e7)),
        (int32_t)lround(city_random_between(random, box_low.lon_e7, box_high.lon_e7))};
}

static const struct town *some_town(struct city_random *random)
{
    uint32_t ticket = city_random_below(random, SHARES);
    const struct town *town = towns;
    while (town + 1 < towns + TOWNS && ticket >= town->share) {
        ticket -= town->share;
        town++;
    }
    return town;
}

static struct geo_point in_town(struct city_random *random)
{
    const struct town *town = some_town(random);
    return in_disc(random, town->centre, town->radius_m);
}

/* Most in the towns, the rest in villages. */
static struct geo_point settled(struct city_random *random, double in_towns)
{
    return city_random_unit(random) < in_towns ? in_town(random) : anywhere(random);
}

static bool crowded(const struct city *city, uint32_t count, struct geo_point place)
{
    for (uint32_t i = 0; i < count; i++) {
        if (geo_distance_m(city->schools[i], place) < 450) {
            return true;
        }
    }
    return false;
}

/* ---- fences ---- */

/* How one fence is drawn: a star-shaped outline, stretched and turned. */
struct outline {
    struct geo_point centre;
    double radius_m;
    double low;  /* the radius of a corner, as a share of radius_m, lies in low .. 1 */
    double hole; /* the same of the hole, from 0.85 of this to this; 0: none */
    double stretch, turn;
};

/* Corners at rising angles: a ring that cannot cross itself, however far they stand out. */
static void draw_ring(struct city_random *random, const struct outline *outline, double low,
                      double high, uint32_t count, struct geo_point *ret)
{
    double cosine = cos(outline->turn), sine = sin(outline->turn);
    for (uint32_t i = 0; i < count; i++) {
        double angle = 2 * PI * (i + city_random_between(random, -0.3, 0.3)) / count;
        double far = outline->radius_m * city_random_between(random, low, high);
        double x = far * cos(angle), y = far * sin(angle) / outline->stretch;
        ret[i] = city_offset(outline->centre, x * cosine - y * sine, x * sine + y * cosine);
    }
}

static bool draw_fence(struct city_random *random, const struct outline *outline,
                       struct arena *arena, struct geo_shape *ret)
{
    uint32_t count = CITY_FENCE_POINTS_MIN +
                     city_random_below(random, CITY_FENCE_POINTS_MAX - CITY_FENCE_POINTS_MIN + 1);
    uint32_t rings = outline->hole > 0 ? 2 : 1, outer = rings > 1 ? count * 2 / 3 : count;
    struct geo_point *points = arena_array(arena, count, sizeof *points);
    uint32_t *ends = arena_array(arena, rings, sizeof *ends);
    if (points == NULL || ends == NULL) {
        return false;
    }
    draw_ring(random, outline, outline->low, 1, outer, points);
    ends[0] = outer;
    if (rings > 1) {
        draw_ring(random, outline, outline->hole * 0.85, outline->hole, count - outer,
                  points + outer);
        ends[1] = count;
    }
    *ret = (struct geo_shape){.kind = GEO_POLYGON,
                              .point_count = count,
                              .ring_count = rings,
                              .points = points,
                              .ring_ends = ends};
    geo_shape_set_bounds(ret);
    return true;
}

static bool draw_school(struct city_random *random, struct geo_point centre, struct arena *arena,
                        struct geo_shape *ret)
{
    double radius = city_random_between(random, 80, 250);
    double stretch = city_random_between(random, 1, 1.8), turn = 2 * PI * city_random_unit(random);
    double gate = turn + (city_random_below(random, 2) > 0 ? PI : 0);
    const struct outline outlines[CITY_SCHOOL_FENCES] = {
        /* the ground, now and then round a house that is not the school's */
        {centre, radius, 0.6, city_random_below(random, 3) == 0 ? 0.2 : 0, stretch, turn},
        /* the building round its courtyard */
        {in_disc(random, centre, 0.2 * radius), 0.35 * radius, 0.6, 0.4, 1.3, turn},
        /* the streets around: a ring that leaves the ground out */
        {centre, 1.7 * radius, 0.85, 0.6, stretch, turn},
        /* the field */
        {in_disc(random, centre, 0.3 * radius), 0.4 * radius, 0.8, 0, 1.7, turn},
        /* where they wait at the gate */
        {city_offset(centre, radius * cos(gate), radius * sin(gate)),
         city_random_between(random, 25, 50), 0.6, 0, 1.2, gate},
    };
    bool ok = true;
    for (uint32_t i = 0; i < CITY_SCHOOL_FENCES && ok; i++) {
        ok = draw_fence(random, &outlines[i], arena, &ret[i]);
    }
    return ok;
}

static bool draw_zone(struct city_random *random, struct arena *arena, struct geo_shape *ret)
{
    struct outline outline = {.centre = settled(random, 0.75),
                              .radius_m = city_random_between(random, 20, 220),
                              .low = 0.5,
                              .hole = city_random_below(random, 3) == 0 ? 0.25 : 0,
                              .stretch = city_random_between(random, 1, 3),
                              .turn = 2 * PI * city_random_unit(random)};
    return draw_fence(random, &outline, arena, ret);
}

bool city_make(uint64_t seed, struct arena *arena, struct city *ret)
{
    struct city_random random = {seed};
    ret->shapes = arena_array(arena, CITY_FENCES, sizeof *ret->shapes);
    ret->shape_count = 0;
    bool ok = ret->shapes != NULL;
    for (uint32_t s = 0; s < CITY_SCHOOLS && ok; s++) {
        struct geo_point centre = settled(&random, 0.85);
        while (crowded(ret, s, centre)) {
            centre = settled(&random, 0.85);
        }
        ret->schools[s] = centre;
        ok = draw_school(&random, centre, arena, &ret->shapes[ret->shape_count]);
        ret->shape_count += CITY_SCHOOL_FENCES;
    }
    for (uint32_t z = 0; z < CITY_ZONES && ok; z++) {
        ok = draw_zone(&random, arena, &ret->shapes[ret->shape_count++]);
    }
    return ok;
}

bool city_redraw_school(const struct city *city, uint32_t school, uint64_t seed,
                        struct arena *arena, struct geo_shape ret[CITY_SCHOOL_FENCES])
{
    struct city_random random = {seed ^ ((uint64_t)school << 32)};
    return draw_school(&random, city->schools[school], arena, ret);
}

bool city_points(const struct city *city, uint64_t seed, uint32_t count, struct arena *arena,
                 struct geo_point **ret)
{
    struct city_random random = {seed};
    struct geo_point *points = arena_array(arena, count, sizeof *points);
    for (uint32_t i = 0; i < count && points != NULL; i++) {
        uint32_t kind = city_random_below(&random, 10);
        if (kind < 7) {
            points[i] = in_disc(&random, city->schools[city_random_below(&random, CITY_SCHOOLS)],
                                CITY_NEAR_SCHOOL_M);
        } else {
            points[i] = kind < 9 ? in_town(&random) : anywhere(&random);
        }
    }
    *ret = points;
    return points != NULL;
}

bool city_kinked(const struct city *city, uint64_t seed, uint32_t count, struct arena *arena,
                 struct geo_shape **ret)
{
    struct city_random random = {seed};
    struct geo_shape *shapes = arena_array(arena, count, sizeof *shapes);
    for (uint32_t i = 0; i < count && shapes != NULL; i++) {
        const struct geo_shape *from = &city->shapes[i % city->shape_count];
        struct geo_point *points = arena_array(arena, from->point_count, sizeof *points);
        if (points == NULL) {
            return false;
        }
        for (uint32_t k = 0; k < from->point_count; k++) { /* every third point changes places */
            points[k] = from->points[k];
            uint32_t other = k % 3 == 0 ? city_random_below(&random, k + 1) : k;
            points[k] = points[other];
            points[other] = from->points[k];
        }
        shapes[i] = *from;
        shapes[i].points = points;
        geo_shape_set_bounds(&shapes[i]);
    }
    *ret = shapes;
    return shapes != NULL;
}

bool city_homes(const struct city *city, uint64_t seed, struct arena *arena, struct geo_shape **ret)
{
    struct city_random random = {seed};
    struct geo_shape *shapes = arena_array(arena, (size_t)CITY_HOMES * 2, sizeof *shapes);
    for (uint32_t i = 0; i < CITY_HOMES && shapes != NULL; i++) {
        uint32_t count = 3 + city_random_below(&random, CITY_WAY_POINTS_MAX - 2);
        struct geo_point *way = arena_array(arena, count, sizeof *way);
        if (way == NULL) {
            return false;
        }
        struct geo_point school = city->schools[city_random_below(&random, CITY_SCHOOLS)];
        struct geo_point home = in_disc(&random, school, 3000);
        for (uint32_t k = 0; k < count; k++) { /* straight on, with streets' corners */
            double done = (double)k / (count - 1);
            struct geo_point at = {
                home.lat_e7 + (int32_t)lround(done * (school.lat_e7 - home.lat_e7)),
                home.lon_e7 + (int32_t)lround(done * (school.lon_e7 - home.lon_e7))};
            way[k] = k > 0 && k + 1 < count ? in_disc(&random, at, 150) : at;
        }
        struct geo_shape *own = &shapes[(size_t)i * 2];
        own[0] = (struct geo_shape){.kind = GEO_CIRCLE,
                                    .point_count = 1,
                                    .points = way,
                                    .radius_m = city_random_between(&random, 80, 200)};
        own[1] = (struct geo_shape){
            .kind = GEO_CORRIDOR, .point_count = count, .points = way, .radius_m = 60};
        geo_shape_set_bounds(&own[0]);
        geo_shape_set_bounds(&own[1]);
    }
    *ret = shapes;
    return shapes != NULL;
}
