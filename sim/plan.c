#include "sim/plan.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "sim/random.h"
#include "sim/route.h"

#define STOPS_MAX 400u
#define WALK_MS   1.3 /* in the ground */

#define CLOCK_MS(hours, minutes) (((hours)*60.0 + (minutes)) * 60000.0)

struct builder {
    const struct sim_school *school;
    struct sim_random random;
    struct sim_spot home, room; /* the room: where lessons are */
    struct sim_spot at;
    double time_ms;
    bool by_bus;
    uint32_t gate;
    struct sim_plan *plan;
    uint32_t count;
    struct sim_stop stops[STOPS_MAX];
};

static void stop_here(struct builder *b, bool indoors)
{
    ASSERT(b->count < STOPS_MAX);
    b->stops[b->count++] = (struct sim_stop){
        .time_ms = (uint32_t)fmin(b->time_ms, SIM_DAY_END_MS),
        .east_m = (float)b->at.east_m,
        .north_m = (float)b->at.north_m,
        .indoors = indoors,
    };
}

static void stay_until(struct builder *b, double time_ms, bool indoors)
{
    if (time_ms > b->time_ms) {
        b->time_ms = time_ms;
        stop_here(b, indoors);
    }
}

static void go(struct builder *b, struct sim_spot to, double speed_ms, bool indoors)
{
    b->time_ms += sim_spot_distance_m(b->at, to) / speed_ms * 1000;
    b->at = to;
    stop_here(b, indoors);
}

/* Inside the ground every way leads over the centre, which sees the whole of it. */
static void go_within(struct builder *b, struct sim_spot to)
{
    go(b, (struct sim_spot){0, 0}, WALK_MS, false);
    go(b, to, WALK_MS, false);
}

static void follow(struct builder *b, const struct sim_route *route, bool in)
{
    for (uint32_t i = 1; i < route->count; i++) {
        go(b, route->spots[i], route->speeds_ms[i], false);
        if (i == route->gate_at) {
            ASSERT(b->plan->pass_count < SIM_PASSES_MAX);
            b->plan->passes[b->plan->pass_count++] =
                (struct sim_pass){(uint32_t)b->time_ms, (uint8_t)b->gate, in};
        }
    }
}

/* From home so that the gate is passed at that time. */
static void come_in_by(struct builder *b, double gate_ms)
{
    struct sim_route route;
    sim_route_in(&route, &b->random, b->school, b->home, b->gate, b->by_bus);
    stay_until(b, gate_ms - sim_route_seconds(&route, route.gate_at) * 1000, true);
    follow(b, &route, true);
    go(b, b->room, WALK_MS, false);
}

static void leave_for(struct builder *b, struct sim_spot far)
{
    struct sim_route route;
    sim_route_in(&route, &b->random, b->school, far, b->gate, b->by_bus);
    sim_route_reverse(&route);
    go(b, (struct sim_spot){0, 0}, WALK_MS, false);
    follow(b, &route, false);
}

static double between(struct builder *b, double low_ms, double high_ms)
{
    return sim_random_between(&b->random, low_ms, high_ms);
}

/* Within a few metres, nearer to the centre rather than farther. */
static struct sim_spot near_spot(struct builder *b, struct sim_spot spot)
{
    return sim_spot_polar(sim_spot_radius_m(spot) * sim_random_between(&b->random, 0.6, 1.1),
                          sim_spot_angle(spot) + sim_random_between(&b->random, -0.4, 0.4));
}

static void play(struct builder *b, double from_ms, double to_ms)
{
    stay_until(b, from_ms, true);
    go_within(b, near_spot(b, b->school->playground));
    while (b->time_ms < to_ms) {
        stay_until(b, b->time_ms + between(b, 30000, 240000), false);
        go(b, near_spot(b, b->school->playground), 2.5, false);
    }
    go_within(b, b->room);
}

/* A place to go instead of school, or after it. */
static struct sim_spot elsewhere(struct builder *b)
{
    if (b->school->zone_near != UINT32_MAX &&
        sim_spot_radius_m(b->school->zone_spot) > sim_route_far_min_m(b->school)) {
        return b->school->zone_spot;
    }
    double far_m = sim_route_far_min_m(b->school) + sim_random_between(&b->random, 100, 1500);
    return sim_spot_polar(far_m, sim_random_between(&b->random, 0, 2 * SIM_PI));
}

/* There for a while, and home at the earliest at `home_ms`. */
static void roam(struct builder *b, double stay_ms, double home_ms)
{
    struct sim_spot there = elsewhere(b);
    struct sim_route route;
    leave_for(b, there);
    stay_until(b, b->time_ms + stay_ms, false);
    stay_until(b, home_ms, false);
    sim_route_around(&route, &b->random, b->school, there, b->home);
    follow(b, &route, false);
}

static void morning(struct builder *b)
{
    play(b, CLOCK_MS(10, 0) + between(b, 0, 120000), CLOCK_MS(10, 25));
}

static void lunch(struct builder *b)
{
    stay_until(b, CLOCK_MS(11, 50) + between(b, 0, 900000), true);
    if (b->plan->kind == SIM_PLAN_LUNCH_HOME) {
        leave_for(b, b->home);
        come_in_by(b, CLOCK_MS(13, 40) + between(b, 0, 1800000));
        return;
    }
    go_within(b, near_spot(b, b->school->dormitory)); /* the canteen is there too */
    stay_until(b, CLOCK_MS(12, 30) + between(b, 0, 600000), true);
    if (sim_random_chance(&b->random, 0.5)) {
        play(b, b->time_ms, CLOCK_MS(13, 10));
    } else {
        go_within(b, b->room);
    }
}

static void afternoon(struct builder *b)
{
    if (sim_random_chance(&b->random, 0.3)) { /* sports */
        play(b, CLOCK_MS(15, 0) + between(b, 0, 300000), CLOCK_MS(15, 40));
    }
}

static void school_day(struct builder *b)
{
    double early = between(b, 0, 1) * between(b, 0, 1); /* most come shortly before the bell */
    come_in_by(b, CLOCK_MS(8, 5) - early * CLOCK_MS(0, 45));
    if (b->plan->kind == SIM_PLAN_TRUANT) {
        stay_until(b, CLOCK_MS(9, 0) + between(b, 0, CLOCK_MS(1, 30)), true);
        roam(b, 0, CLOCK_MS(16, 30));
        return;
    }
    morning(b);
    lunch(b);
    afternoon(b);
    stay_until(b, CLOCK_MS(17, 0) + between(b, 0, CLOCK_MS(0, 55)), true);
    if (b->plan->kind == SIM_PLAN_STRAY) {
        roam(b, between(b, 300000, 1800000), 0);
        return;
    }
    leave_for(b, b->home);
}

static void boarding_day(struct builder *b)
{
    struct sim_spot bed = b->at;
    stay_until(b, CLOCK_MS(7, 10) + between(b, 0, 1800000), true);
    go_within(b, b->room);
    morning(b);
    lunch(b);
    afternoon(b);
    play(b, CLOCK_MS(17, 10) + between(b, 0, 300000), CLOCK_MS(18, 0));
    stay_until(b, CLOCK_MS(20, 30), true);
    go_within(b, bed);
}

static enum sim_plan_kind choose_kind(struct builder *b, bool boards)
{
    double chance = sim_random_between(&b->random, 0, 1);
    if (boards) {
        return SIM_PLAN_BOARDER;
    }
    if (chance < 0.03) {
        return SIM_PLAN_SICK;
    }
    if (chance < 0.04) {
        return SIM_PLAN_TRUANT;
    }
    if (chance < 0.07) {
        return SIM_PLAN_STRAY;
    }
    return !b->by_bus && chance < 0.4 ? SIM_PLAN_LUNCH_HOME : SIM_PLAN_PLAIN;
}

/* What is the same every day: home, room, gate, bed. Returns whether the pupil boards. */
static bool settle(struct builder *b, uint64_t seed, uint32_t pupil)
{
    struct sim_random random;
    sim_random_init(&random, seed, SIM_STREAM_HOME, pupil);
    double home_m = sim_route_far_min_m(b->school);
    home_m *= sim_random_log_between(&random, 1.02, 3000 / home_m);
    b->home = sim_spot_polar(home_m, sim_random_between(&random, 0, 2 * SIM_PI));
    b->by_bus = home_m > 1500;
    b->gate = sim_random_below(&random, b->school->gate_count);
    b->room = sim_spot_polar(
        sim_spot_radius_m(b->school->teaching) * sim_random_between(&random, 0.5, 1.1),
        sim_spot_angle(b->school->teaching) + sim_random_between(&random, -0.5, 0.5));
    return b->school->boards && sim_random_chance(&random, 0.25);
}

enum status sim_plan_make(const struct sim_city *city, uint64_t seed, uint32_t day, uint32_t pupil,
                          struct arena *arena, struct sim_plan *ret)
{
    ASSERT(pupil < city->options.pupils);
    struct sim_plan plan = {0};
    struct builder b = {.school = &city->schools[city->pupils[pupil].school], .plan = &plan};
    sim_random_init(&b.random, seed, SIM_STREAM_PLAN, (uint64_t)day << 32 | pupil);
    bool boards = settle(&b, seed, pupil);
    plan.kind = choose_kind(&b, boards);
    plan.home = b.home;
    b.at = boards ? near_spot(&b, b.school->dormitory) : b.home;
    b.time_ms = SIM_DAY_BEGIN_MS;
    stop_here(&b, true);
    if (boards) {
        boarding_day(&b);
    } else if (plan.kind != SIM_PLAN_SICK) {
        school_day(&b);
    }
    ASSERT(b.time_ms < SIM_DAY_END_MS); /* the slowest way of the latest pupil ends before 20:00 */
    stay_until(&b, SIM_DAY_END_MS, true);
    struct sim_stop *stops = arena_array(arena, b.count, sizeof *stops);
    if (stops == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(stops, b.stops, b.count * sizeof *stops);
    plan.stops = stops;
    plan.stop_count = b.count;
    *ret = plan;
    return STATUS_OK;
}

struct sim_spot sim_plan_spot(const struct sim_plan *plan, uint32_t time_ms, bool *ret_indoors)
{
    uint32_t low = 0, high = plan->stop_count - 1;
    while (low < high) { /* the first stop that is not before the time */
        uint32_t middle = low + (high - low) / 2;
        if (plan->stops[middle].time_ms < time_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct sim_stop *to = &plan->stops[low];
    *ret_indoors = to->indoors;
    if (low == 0 || time_ms >= to->time_ms) {
        return (struct sim_spot){(double)to->east_m, (double)to->north_m};
    }
    const struct sim_stop *from = &plan->stops[low - 1];
    double part = (double)(time_ms - from->time_ms) / (to->time_ms - from->time_ms);
    return (struct sim_spot){
        .east_m = (double)from->east_m + part * (double)(to->east_m - from->east_m),
        .north_m = (double)from->north_m + part * (double)(to->north_m - from->north_m),
    };
}
