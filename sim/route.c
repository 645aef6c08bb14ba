#include "sim/route.h"

#include <math.h>

#include "base/assert.h"

#define CIRCLE_CLEAR_M 25.0 /* between the ground and the streets around it */
#define ARC_STEP       0.2  /* radians: a chord comes 0.5 % of the radius nearer, under 2 m */
#define BEND_M         45.0
#define BEND_EVERY_M   220.0
#define BENDS_MAX      14.0
#define BUS_FROM_M     1500.0
#define WALK_MS        1.3
#define BUS_MS         7.5

static double circle_m(const struct sim_school *school)
{
    return school->extent_m + CIRCLE_CLEAR_M;
}

double sim_route_far_min_m(const struct sim_school *school)
{
    return fmax(300, circle_m(school) + 40);
}

static void add(struct sim_route *route, struct sim_spot spot, double speed_ms)
{
    ASSERT(route->count < SIM_ROUTE_MAX);
    route->spots[route->count] = spot;
    route->speeds_ms[route->count++] = speed_ms;
}

/* From a far place down to the circle. Bends go aside of the straight line, but never below the
 * tangent of the circle where the line meets it. */
static void approach(struct sim_route *route, struct sim_random *random, double circle,
                     struct sim_spot far, bool bus)
{
    double away_m = sim_spot_radius_m(far), angle = sim_spot_angle(far);
    ASSERT(away_m > circle);
    uint32_t bends = (uint32_t)fmin((away_m - circle) / BEND_EVERY_M, BENDS_MAX);
    bus = bus && away_m > BUS_FROM_M;
    for (uint32_t i = 1; i <= bends; i++) {
        double along_m = away_m - (away_m - circle) * i / (bends + 1);
        struct sim_spot spot = sim_spot_polar(along_m, angle);
        double aside_m = sim_random_between(random, -BEND_M, BEND_M);
        spot.east_m -= aside_m * sin(angle);
        spot.north_m += aside_m * cos(angle);
        add(route, spot, bus && i > 1 ? BUS_MS : WALK_MS); /* on foot to the stop */
    }
    add(route, sim_spot_polar(circle, angle), WALK_MS);
}

/* Along the circle the shorter way; the route stands at `from`. */
static void around(struct sim_route *route, double circle, double from, double to)
{
    double turn = to - from;
    turn -= 2 * SIM_PI * floor(turn / (2 * SIM_PI) + 0.5);
    uint32_t steps = (uint32_t)ceil(fabs(turn) / ARC_STEP);
    for (uint32_t i = 1; i <= steps; i++) {
        add(route, sim_spot_polar(circle, from + turn * i / steps), WALK_MS);
    }
}

void sim_route_in(struct sim_route *route, struct sim_random *random,
                  const struct sim_school *school, struct sim_spot far, uint32_t gate, bool bus)
{
    ASSERT(gate < school->gate_count);
    const struct sim_gate *door = &school->gates[gate];
    double circle = circle_m(school);
    route->count = 0;
    add(route, far, WALK_MS);
    approach(route, random, circle, far, bus);
    around(route, circle, sim_spot_angle(far), door->angle);
    route->gate_at = route->count;
    add(route, sim_spot_polar(door->radius_m, door->angle), WALK_MS);
    add(route, (struct sim_spot){0, 0}, WALK_MS);
}

void sim_route_around(struct sim_route *route, struct sim_random *random,
                      const struct sim_school *school, struct sim_spot from, struct sim_spot to)
{
    struct sim_route back = {0};
    double circle = circle_m(school);
    route->count = 0;
    add(route, from, WALK_MS);
    approach(route, random, circle, from, false);
    around(route, circle, sim_spot_angle(from), sim_spot_angle(to));
    add(&back, to, WALK_MS);
    approach(&back, random, circle, to, false);
    for (uint32_t i = back.count; i-- > 0;) {
        add(route, back.spots[i], WALK_MS);
    }
    route->gate_at = route->count;
}

void sim_route_reverse(struct sim_route *route)
{
    struct sim_route forward = *route;
    for (uint32_t i = 0; i < route->count; i++) {
        route->spots[i] = forward.spots[route->count - 1 - i];
        /* the leg that led to a spot now leads away from it */
        route->speeds_ms[i] = i == 0 ? WALK_MS : forward.speeds_ms[route->count - i];
    }
    if (forward.gate_at < forward.count) {
        route->gate_at = route->count - 1 - forward.gate_at;
    }
}

double sim_route_seconds(const struct sim_route *route, uint32_t end)
{
    double seconds = 0;
    ASSERT(end < route->count);
    for (uint32_t i = 1; i <= end; i++) {
        seconds += sim_spot_distance_m(route->spots[i - 1], route->spots[i]) / route->speeds_ms[i];
    }
    return seconds;
}
