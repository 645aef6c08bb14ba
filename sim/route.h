/*
 * route.h - the streets: from a far place to a gate and into a school's ground.
 * Know: a route meets the ground's outline at the gate and nowhere else: it bends only outside a
 * circle around the whole ground, follows that circle to the gate's direction, and goes straight
 * in.
 * Units: metres from the school's centre.
 * Threads: any.
 */
#ifndef SIM_ROUTE_H
#define SIM_ROUTE_H

#include "sim/city.h"
#include "sim/random.h"

#define SIM_ROUTE_MAX 64u

struct sim_route {
    uint32_t count;
    uint32_t gate_at; /* the point in the gate; == count: the route goes through none */
    struct sim_spot spots[SIM_ROUTE_MAX];
    double speeds_ms[SIM_ROUTE_MAX]; /* on the way to spots[i] from spots[i - 1] */
};

/* No far place is nearer to the centre. */
double sim_route_far_min_m(const struct sim_school *school);
/* From `far` through the gate to the centre. Who lives far off takes the bus (when `bus`). */
void sim_route_in(struct sim_route *route, struct sim_random *random,
                  const struct sim_school *school, struct sim_spot far, uint32_t gate, bool bus);
/* From one far place to another, around the ground. */
void sim_route_around(struct sim_route *route, struct sim_random *random,
                      const struct sim_school *school, struct sim_spot from, struct sim_spot to);
void sim_route_reverse(struct sim_route *route);
double sim_route_seconds(const struct sim_route *route, uint32_t end);

#endif
