#include "sim/ring.h"

#include <math.h>

#include "base/assert.h"

void sim_ring_make(struct sim_ring *ring, struct sim_random *random, struct sim_spot centre,
                   double radius_m, double roughness, uint32_t count)
{
    ASSERT(count >= 5 && count <= SIM_RING_VERTICES_MAX);
    ASSERT(roughness >= 0 && roughness < 1);
    ring->centre = centre;
    ring->count = count;
    double step = 2 * SIM_PI / count, turn = sim_random_between(random, 0, step);
    for (uint32_t i = 0; i < count; i++) {
        /* under half a step aside: the angles ascend, and no gap reaches half a circle */
        ring->angles[i] = turn + step * (i + sim_random_between(random, -0.3, 0.3));
        ring->radii_m[i] = radius_m * (1 - roughness * sim_random_between(random, 0, 1));
    }
}

/* The edge of the ring that the ray at `angle` meets, as its first vertex. The angle is brought
 * into the turn that begins at the first vertex. */
static uint32_t edge_at(const struct sim_ring *ring, double *angle)
{
    double turn = 2 * SIM_PI, first = ring->angles[0];
    *angle -= floor((*angle - first) / turn) * turn;
    uint32_t i = 0;
    while (i + 1 < ring->count && ring->angles[i + 1] <= *angle) {
        i++;
    }
    return i;
}

double sim_ring_radius_m(const struct sim_ring *ring, double angle)
{
    uint32_t i = edge_at(ring, &angle), next = (i + 1) % ring->count;
    double from = ring->angles[i];
    double to = next > i ? ring->angles[next] : ring->angles[next] + 2 * SIM_PI;
    double a = ring->radii_m[i], b = ring->radii_m[next];
    /* The chord between (a, from) and (b, to) in polar form. */
    return a * b * sin(to - from) / (a * sin(angle - from) + b * sin(to - angle));
}

double sim_ring_inner_m(const struct sim_ring *ring)
{
    double least = ring->radii_m[0];
    for (uint32_t i = 1; i < ring->count; i++) {
        least = fmin(least, ring->radii_m[i]);
    }
    return least * cos(0.8 * 2 * SIM_PI / ring->count); /* a gap is at most 1.6 steps */
}

double sim_ring_outer_m(const struct sim_ring *ring)
{
    double most = 0;
    for (uint32_t i = 0; i < ring->count; i++) {
        most = fmax(most, ring->radii_m[i]);
    }
    return most;
}

static void set_bounds(struct geo_shape *shape, const struct sim_land *land)
{
    struct geo_point low = shape->points[0], high = shape->points[0];
    for (uint32_t i = 1; i < shape->point_count; i++) {
        struct geo_point p = shape->points[i];
        low.lat_e7 = p.lat_e7 < low.lat_e7 ? p.lat_e7 : low.lat_e7;
        low.lon_e7 = p.lon_e7 < low.lon_e7 ? p.lon_e7 : low.lon_e7;
        high.lat_e7 = p.lat_e7 > high.lat_e7 ? p.lat_e7 : high.lat_e7;
        high.lon_e7 = p.lon_e7 > high.lon_e7 ? p.lon_e7 : high.lon_e7;
    }
    /* 1 % more than the radius: the land is flat to 0.1 % only */
    double reach_m = shape->radius_m * 1.01;
    int32_t lat = (int32_t)ceil(reach_m / SIM_METRES_PER_DEGREE * 1e7);
    int32_t lon = (int32_t)ceil(reach_m / land->metres_per_lon * 1e7);
    shape->low = (struct geo_point){low.lat_e7 - lat, low.lon_e7 - lon};
    shape->high = (struct geo_point){high.lat_e7 + lat, high.lon_e7 + lon};
}

enum status sim_shape_polygon(const struct sim_land *land, const struct sim_ring *const *rings,
                              uint32_t ring_count, struct arena *arena, struct geo_shape *ret)
{
    ASSERT(ring_count > 0 && ring_count <= SIM_SHAPE_RINGS_MAX);
    uint32_t count = 0;
    for (uint32_t r = 0; r < ring_count; r++) {
        count += rings[r]->count;
    }
    struct geo_point *points = arena_array(arena, count, sizeof *points);
    uint32_t *ends = arena_array(arena, ring_count, sizeof *ends);
    if (points == NULL || ends == NULL) {
        return STATUS_NO_MEMORY;
    }
    uint32_t at = 0;
    for (uint32_t r = 0; r < ring_count; r++) {
        const struct sim_ring *ring = rings[r];
        for (uint32_t i = 0; i < ring->count; i++) {
            struct sim_spot spot = sim_spot_polar(ring->radii_m[i], ring->angles[i]);
            spot.east_m += ring->centre.east_m;
            spot.north_m += ring->centre.north_m;
            points[at++] = sim_land_point(land, spot);
        }
        ends[r] = at;
    }
    *ret = (struct geo_shape){.kind = GEO_POLYGON,
                              .point_count = count,
                              .ring_count = ring_count,
                              .points = points,
                              .ring_ends = ends};
    set_bounds(ret, land);
    return STATUS_OK;
}

static enum status along_spots(const struct sim_land *land, const struct sim_spot *spots,
                               uint32_t count, struct arena *arena, struct geo_shape *ret)
{
    struct geo_point *points = arena_array(arena, count, sizeof *points);
    if (points == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        points[i] = sim_land_point(land, spots[i]);
    }
    ret->point_count = count;
    ret->points = points;
    set_bounds(ret, land);
    return STATUS_OK;
}

enum status sim_shape_circle(const struct sim_land *land, double radius_m, struct arena *arena,
                             struct geo_shape *ret)
{
    struct sim_spot centre = {0, 0};
    *ret = (struct geo_shape){.kind = GEO_CIRCLE, .radius_m = radius_m};
    return along_spots(land, &centre, 1, arena, ret);
}

enum status sim_shape_corridor(const struct sim_land *land, const struct sim_spot *spots,
                               uint32_t count, double radius_m, struct arena *arena,
                               struct geo_shape *ret)
{
    ASSERT(count >= 2);
    *ret = (struct geo_shape){.kind = GEO_CORRIDOR, .radius_m = radius_m};
    return along_spots(land, spots, count, arena, ret);
}
