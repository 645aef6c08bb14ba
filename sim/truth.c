#include "sim/truth.h"

#include "base/assert.h"

struct finder {
    const struct sim_land *land;
    const struct sim_plan *plan;
    const struct geo_shape *shape;
    struct sim_crossing *ret;
    uint32_t capacity, count, fence;
};

static bool is_inside(const struct finder *f, uint32_t time_ms)
{
    bool indoors;
    struct sim_spot spot = sim_plan_spot(f->plan, time_ms, &indoors);
    return geo_shape_covers(f->shape, sim_land_point(f->land, spot));
}

static bool boxes_meet(const struct geo_shape *shape, struct geo_point a, struct geo_point b)
{
    int32_t south = a.lat_e7 < b.lat_e7 ? a.lat_e7 : b.lat_e7;
    int32_t north = a.lat_e7 < b.lat_e7 ? b.lat_e7 : a.lat_e7;
    int32_t west = a.lon_e7 < b.lon_e7 ? a.lon_e7 : b.lon_e7;
    int32_t east = a.lon_e7 < b.lon_e7 ? b.lon_e7 : a.lon_e7;
    return south <= shape->high.lat_e7 && north >= shape->low.lat_e7 &&
           west <= shape->high.lon_e7 && east >= shape->low.lon_e7;
}

static void add(struct finder *f, uint32_t low_ms, uint32_t high_ms, bool entered)
{
    while (high_ms - low_ms > 1) { /* not yet at low, already at high */
        uint32_t middle = low_ms + (high_ms - low_ms) / 2;
        if (is_inside(f, middle) == entered) {
            high_ms = middle;
        } else {
            low_ms = middle;
        }
    }
    if (f->count < f->capacity) {
        f->ret[f->count] = (struct sim_crossing){high_ms, f->fence, entered};
    }
    f->count++;
}

/* Looks at one leg of the walk; returns whether the pupil is inside at its end. */
static bool find_in_leg(struct finder *f, uint32_t from_ms, uint32_t to_ms, bool inside)
{
    for (uint32_t at = from_ms; at < to_ms;) {
        uint32_t next = to_ms - at > SIM_TRUTH_STEP_MS ? at + SIM_TRUTH_STEP_MS : to_ms;
        bool now = is_inside(f, next);
        if (now != inside) {
            add(f, at, next, now);
        }
        inside = now;
        at = next;
    }
    return inside;
}

static void find_crossings(struct finder *f)
{
    const struct sim_stop *stops = f->plan->stops;
    bool inside = is_inside(f, stops[0].time_ms);
    for (uint32_t i = 1; i < f->plan->stop_count; i++) {
        struct sim_spot a = {(double)stops[i - 1].east_m, (double)stops[i - 1].north_m};
        struct sim_spot b = {(double)stops[i].east_m, (double)stops[i].north_m};
        struct geo_point from = sim_land_point(f->land, a), to = sim_land_point(f->land, b);
        bool still = from.lat_e7 == to.lat_e7 && from.lon_e7 == to.lon_e7;
        if (!still && boxes_meet(f->shape, from, to)) {
            inside = find_in_leg(f, stops[i - 1].time_ms, stops[i].time_ms, inside);
        }
    }
}

static void walk_box(const struct finder *f, struct geo_point *ret_low, struct geo_point *ret_high)
{
    struct sim_spot low = {1e9, 1e9}, high = {-1e9, -1e9};
    for (uint32_t i = 0; i < f->plan->stop_count; i++) {
        double east = (double)f->plan->stops[i].east_m, north = (double)f->plan->stops[i].north_m;
        low.east_m = east < low.east_m ? east : low.east_m;
        low.north_m = north < low.north_m ? north : low.north_m;
        high.east_m = east > high.east_m ? east : high.east_m;
        high.north_m = north > high.north_m ? north : high.north_m;
    }
    *ret_low = sim_land_point(f->land, low);
    *ret_high = sim_land_point(f->land, high);
}

uint32_t sim_truth(const struct sim_city *city, uint32_t school, const struct sim_plan *plan,
                   struct sim_crossing *ret, uint32_t capacity)
{
    ASSERT(school < city->options.schools && plan->stop_count > 0);
    struct finder f = {
        .land = &city->schools[school].land, .plan = plan, .ret = ret, .capacity = capacity};
    uint32_t own = school * SIM_SCHOOL_FENCES;
    struct geo_point low, high;
    walk_box(&f, &low, &high);
    for (uint32_t i = 0; i < SIM_SCHOOL_FENCES; i++) {
        f.shape = &city->schools[school].fences[i];
        f.fence = own + i;
        find_crossings(&f);
    }
    for (uint32_t z = 0; z < city->options.zones; z++) {
        f.shape = &city->zones[z].shape;
        f.fence = city->options.schools * SIM_SCHOOL_FENCES + z;
        if (boxes_meet(f.shape, low, high)) {
            find_crossings(&f);
        }
    }
    return f.count;
}
