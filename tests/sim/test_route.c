#include "tests/sim/sim_cities.h"

#include <math.h>

#include "sim/route.h"

static bool in_ground(const struct sim_school *school, struct sim_spot spot)
{
    return geo_shape_covers(&school->fences[SIM_FENCE_GROUND], sim_land_point(&school->land, spot));
}

static uint32_t count_crossings(const struct sim_school *school, const struct sim_route *route)
{
    uint32_t count = 0;
    bool inside = in_ground(school, route->spots[0]);
    for (uint32_t i = 1; i < route->count; i++) {
        struct sim_spot a = route->spots[i - 1], b = route->spots[i];
        for (int k = 1; k <= 200; k++) {
            struct sim_spot at = {a.east_m + (b.east_m - a.east_m) * k / 200,
                                  a.north_m + (b.north_m - a.north_m) * k / 200};
            bool now = in_ground(school, at);
            count += now != inside;
            inside = now;
        }
    }
    return count;
}

static void a_route_meets_the_ground_only_at_the_gate(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct sim_city city;
    make_city(&city, seed, 60, 20000, 0);
    for (uint32_t n = 0; n < 600; n++) {
        const struct sim_school *school = &city.schools[n % 60];
        struct sim_random random;
        struct sim_route route;
        sim_random_init(&random, seed, SIM_STREAM_HOME, n);
        struct sim_spot far = sim_spot_polar(
            sim_random_between(&random, sim_route_far_min_m(school) + 1, 3000), n * 0.7);
        sim_route_in(&route, &random, school, far, n % school->gate_count, true);
        assert_int_equal(count_crossings(school, &route), 1);
        assert_true(in_ground(school, route.spots[route.count - 1]));
        double gate_m =
            geo_shape_distance_m(&school->fences[SIM_FENCE_GROUND],
                                 sim_land_point(&school->land, route.spots[route.gate_at]));
        assert_true(fabs(gate_m) < 0.1);
        struct sim_spot to = sim_spot_polar(900, n * 1.3);
        sim_route_around(&route, &random, school, far, to);
        assert_int_equal(count_crossings(school, &route), 0);
        assert_true(sim_spot_distance_m(route.spots[route.count - 1], to) < 1e-6);
    }
    sim_city_release(&city);
}

static void a_route_back_takes_as_long(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, 1, 1, 500, 0);
    struct sim_random random;
    struct sim_route route;
    sim_random_init(&random, 1, SIM_STREAM_HOME, 0);
    sim_route_in(&route, &random, &city.schools[0], (struct sim_spot){2500, 400}, 0, true);
    double seconds = sim_route_seconds(&route, route.count - 1);
    struct sim_spot gate = route.spots[route.gate_at];
    sim_route_reverse(&route);
    assert_true(fabs(sim_route_seconds(&route, route.count - 1) - seconds) < 1e-6);
    assert_true(sim_spot_distance_m(route.spots[route.gate_at], gate) < 1e-9);
    assert_true(seconds < 2500 / 1.3); /* the bus helped */
    sim_city_release(&city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_meets_the_ground_only_at_the_gate),
        cmocka_unit_test(a_route_back_takes_as_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
