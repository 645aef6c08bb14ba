#include "tests/geo/random_shapes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t random_seed(void)
{
    const char *given = getenv("SEED");
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10)
                                  : (uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_nsec;
    (void)printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* splitmix64 */
uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t random_in(uint64_t *state, int64_t low, int64_t high)
{
    return low + (int64_t)(random_next(state) % (uint64_t)(high - low + 1));
}

double random_unit(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1p-53;
}

static int32_t clamp(int64_t value, int64_t limit)
{
    return (int32_t)(value < -limit ? -limit : value > limit ? limit : value);
}

/* Mirrored at the limit: clamped, everything would end on it. */
static int32_t fold(int64_t value, int64_t limit)
{
    while (value > limit || value < -limit) {
        value = (value > 0 ? 2 : -2) * limit - value;
    }
    return (int32_t)value;
}

static struct geo_point place(const struct random_land *land, double east, double north)
{
    return (struct geo_point){
        fold(land->centre.lat_e7 + llround(north * land->reach), GEO_LAT_E7_MAX),
        fold(land->centre.lon_e7 + llround(east * land->reach), GEO_LON_E7_MAX)};
}

static double spread(uint64_t *state)
{
    return random_unit(state) * 2 - 1;
}

static void make_star(uint64_t *state, const struct random_land *land, struct random_shape *ret)
{
    double east = spread(state), north = spread(state), size = pow(random_unit(state), 3);
    uint32_t count = (uint32_t)random_in(state, 3, RANDOM_POINTS_MAX / 2);
    uint32_t rings = random_next(state) % 3 == 0 ? 2 : 1;
    uint32_t at = 0;
    for (uint32_t ring = 0; ring < rings; ring++) {
        for (uint32_t i = 0; i < count; i++) {
            double angle = 6.283185307 * i / count;
            double far = size * (ring ? 0.4 : 0.5 + 0.5 * random_unit(state));
            ret->points[at++] = place(land, east + far * cos(angle), north + far * sin(angle));
        }
        ret->ring_ends[ring] = at;
    }
    ret->shape.ring_count = rings;
}

static void make_scribble(uint64_t *state, const struct random_land *land, struct random_shape *ret)
{
    uint32_t at = 0;
    ret->shape.ring_count = (uint32_t)random_in(state, 1, 3);
    for (uint32_t ring = 0; ring < ret->shape.ring_count; ring++) {
        uint32_t count = (uint32_t)random_in(state, 1, 12);
        for (uint32_t i = 0; i < count; i++) {
            ret->points[at++] = place(land, spread(state), spread(state));
        }
        ret->ring_ends[ring] = at;
    }
}

/* On a raster of 16 x 16, so that edges run along and over one another. */
static void make_parcel(uint64_t *state, const struct random_land *land, struct random_shape *ret)
{
    double west = (double)random_in(state, -8, 7) / 8, south = (double)random_in(state, -8, 7) / 8;
    double east = west + (double)random_in(state, 1, 4) / 8;
    double north = south + (double)random_in(state, 1, 4) / 8;
    double east2 = random_next(state) % 2 ? east : east + 0.125;
    const double corners[4][2] = {{west, south}, {east, south}, {east2, north}, {west, north}};
    bool backwards = random_next(state) % 2;
    for (uint32_t i = 0; i < 4; i++) {
        const double *corner = corners[backwards ? 3 - i : i];
        ret->points[i] = place(land, corner[0], corner[1]);
    }
    ret->ring_ends[0] = 4;
    ret->shape.ring_count = 1;
}

static void make_needle(uint64_t *state, const struct random_land *land, struct random_shape *ret)
{
    struct geo_point a = place(land, spread(state), spread(state));
    struct geo_point b = place(land, spread(state), spread(state));
    ret->points[0] = a;
    ret->points[1] = b;
    ret->points[2] = (struct geo_point){clamp(b.lat_e7 + random_in(state, -2, 2), GEO_LAT_E7_MAX),
                                        clamp(b.lon_e7 + random_in(state, -2, 2), GEO_LON_E7_MAX)};
    ret->ring_ends[0] = 3;
    ret->shape.ring_count = 1;
}

static void make_round(uint64_t *state, const struct random_land *land, struct random_shape *ret)
{
    bool circle = random_next(state) % 2;
    uint32_t count = circle ? 1 : (uint32_t)random_in(state, 2, 9);
    double metres = land->reach * 0.0111 * pow(random_unit(state), 3);
    double east = spread(state), north = spread(state);
    for (uint32_t i = 0; i < count; i++) {
        ret->points[i] = place(land, east, north);
        east += spread(state) * 0.3;
        north += spread(state) * 0.3;
    }
    ret->shape.kind = circle ? GEO_CIRCLE : GEO_CORRIDOR;
    ret->shape.point_count = count;
    ret->shape.radius_m = fmin(GEO_RADIUS_M_MAX, fmax(metres, 0.05));
}

void random_shape(uint64_t *state, const struct random_land *land, struct random_shape *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->shape =
        (struct geo_shape){.kind = GEO_POLYGON, .points = ret->points, .ring_ends = ret->ring_ends};
    switch (random_next(state) % 6) {
    case 0:
        make_scribble(state, land, ret);
        break;
    case 1:
        make_parcel(state, land, ret);
        break;
    case 2:
        make_needle(state, land, ret);
        break;
    case 3:
        make_round(state, land, ret);
        break;
    default:
        make_star(state, land, ret);
        break;
    }
    if (ret->shape.kind == GEO_POLYGON) {
        ret->shape.point_count = ret->ring_ends[ret->shape.ring_count - 1];
    }
    geo_shape_set_bounds(&ret->shape);
}

struct geo_point random_point(uint64_t *state, const struct random_land *land,
                              const struct geo_shape *shape)
{
    uint32_t i = (uint32_t)random_in(state, 0, shape->point_count - 1);
    struct geo_point a = shape->points[i], b = shape->points[(i + 1) % shape->point_count];
    int64_t lat = a.lat_e7, lon = a.lon_e7;
    uint64_t choice = random_next(state) % 8;
    if (choice == 0) {
        return place(land, spread(state) * 1.3, spread(state) * 1.3);
    }
    if (choice < 4) { /* along the edge */
        double t = random_unit(state);
        lat += llround(t * ((double)b.lat_e7 - a.lat_e7));
        lon += llround(t * ((double)b.lon_e7 - a.lon_e7));
    } else if (choice == 4) { /* on a line through the vertex, far away */
        lon = land->centre.lon_e7 + random_in(state, -land->reach, land->reach);
    }
    int64_t off = choice % 2 ? 1 : random_next(state) % 4 ? 2 : land->reach / 50 + 1;
    if (choice == 5) { /* about the rim of a round shape */
        off = (int64_t)(shape->radius_m / 0.0111) + 3;
    }
    lat += random_in(state, -off, off);
    lon += random_in(state, -off, off);
    return (struct geo_point){clamp(lat, GEO_LAT_E7_MAX), clamp(lon, GEO_LON_E7_MAX)};
}
