/*
 * ring.h - outlines of grounds, ponds and quarries, and the shapes made of them.
 * Know: a ring is seen whole from its centre (star-shaped), so it never crosses itself, however
 * concave.
 * Memory: points live in the caller's arena.
 * Threads: one per generator.
 */
#ifndef SIM_RING_H
#define SIM_RING_H

#include "base/arena.h"
#include "base/status.h"
#include "geo/shape.h"
#include "sim/place.h"
#include "sim/random.h"

#define SIM_RING_VERTICES_MAX 60u

struct sim_ring {
    struct sim_spot centre;
    uint32_t count;
    double angles[SIM_RING_VERTICES_MAX]; /* ascending, seen from the centre */
    double radii_m[SIM_RING_VERTICES_MAX];
};

/* Radii between radius_m * (1 - roughness) and radius_m; count 5..SIM_RING_VERTICES_MAX. */
void sim_ring_make(struct sim_ring *ring, struct sim_random *random, struct sim_spot centre,
                   double radius_m, double roughness, uint32_t count);
/* How far the outline is from the centre in that direction. */
double sim_ring_radius_m(const struct sim_ring *ring, double angle);
/* The largest circle around the centre that surely lies inside. */
double sim_ring_inner_m(const struct sim_ring *ring);
double sim_ring_outer_m(const struct sim_ring *ring);

#define SIM_SHAPE_RINGS_MAX 3u
/* A polygon of the rings. STATUS_NO_MEMORY. */
enum status sim_shape_polygon(const struct sim_land *land, const struct sim_ring *const *rings,
                              uint32_t ring_count, struct arena *arena,
                              struct geo_shape *ret) MUST_CHECK;
enum status sim_shape_circle(const struct sim_land *land, double radius_m, struct arena *arena,
                             struct geo_shape *ret) MUST_CHECK;
enum status sim_shape_corridor(const struct sim_land *land, const struct sim_spot *spots,
                               uint32_t count, double radius_m, struct arena *arena,
                               struct geo_shape *ret) MUST_CHECK;

#endif
