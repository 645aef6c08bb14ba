/*
 * personal.h - the fences of one pupil: home, the way to school; who is near whose?
 * Know: looked up by owner, never among the fences of all. Immutable once built; a change makes a copy aside, to be
 * swapped whole. Answers are those of geo_shape_*, as these give them. Lookups allocate nothing.
 * Units: lattice points in, metres out.
 * Memory: one piece, which copies what it needs of the shapes: at most 64 bytes a fence, 8 a point (none for a circle),
 * 4 a ring where a polygon has more than one, and 64 for the whole.
 * Threads: any number may look up at once.
 */
#ifndef GEO_PERSONAL_H
#define GEO_PERSONAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "geo/index.h"
#include "geo/shape.h"
#include "geo/way.h"

struct geo_personal;

struct geo_personal_fence {
    uint32_t owner;         /* a card or pupil, any number; fastest where they lie close together */
    uint32_t number;        /* the caller's own; an owner has it once */
    struct geo_shape shape; /* low and high are not read */
};

#define GEO_PERSONAL_OWNER_MAX  32u /* fences of one owner: each costs every fix of the owner */
#define GEO_PERSONAL_FENCES_MAX (1u << 24) /* 1 GiB: 4 million pupils of a province, 4 each */
#define GEO_PERSONAL_POINTS_MAX (1u << 27) /* 1 GiB; and as many rings */

/* In any order; count may be 0. The detail names owner and number. STATUS_INVALID (no shape, as geo_index_new has it),
 * STATUS_EXISTS (an owner has a number twice), STATUS_TOO_LARGE (beyond one of the limits above), STATUS_NO_MEMORY. */
enum status geo_personal_new(const struct geo_personal_fence *fences, uint32_t count,
                             struct geo_personal **ret, struct status_detail *detail) MUST_CHECK;
void geo_personal_free(struct geo_personal *personal);

/* A copy in which the owner's fences are these; count 0: none. `personal` stays as it is, and is not referred to. The
 * statuses of geo_personal_new, and STATUS_INVALID for a fence of another owner. Costs a copy of all: 10 to 15 ms for
 * 268,000 fences with a million points, so not for many in turn. */
enum status geo_personal_change(const struct geo_personal *personal, uint32_t owner,
                                const struct geo_personal_fence *fences, uint32_t count,
                                struct geo_personal **ret, struct status_detail *detail) MUST_CHECK;

/* As geo_index_near, of the owner's fences only: those that cover the point, and those whose boundary lies within
 * reach_m of it, by ascending number, with their signed distance; of one whose boundary is farther than reach_m (the
 * point deep inside) -reach_m. near.shape is the fence's number. A reach over GEO_REACH_M_MAX is taken as that. Returns
 * how many; at most `capacity` are written, the lowest numbers. GEO_PERSONAL_OWNER_MAX is always enough. */
uint32_t geo_personal_near(const struct geo_personal *personal, uint32_t owner,
                           struct geo_point point, float reach_m, struct geo_near *ret,
                           uint32_t capacity);
/* Asks the processor for what the next lookup of this owner reads first. */
void geo_personal_prefetch(const struct geo_personal *personal, uint32_t owner);

/* The stretches of geo_shape_way, fence by fence of the owner, by ascending number; stretch.shape is the number.
 * Returns how many there are; at most `capacity` are written, the first ones. *ret_coarse (may be NULL): one of them
 * is coarse. */
uint32_t geo_personal_way(const struct geo_personal *personal, uint32_t owner, struct geo_point a,
                          struct geo_point b, struct geo_stretch *ret, uint32_t capacity,
                          bool *ret_coarse);

size_t geo_personal_bytes(const struct geo_personal *personal);

#endif
