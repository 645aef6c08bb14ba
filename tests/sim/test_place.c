#include "tests/check.h"

#include <math.h>

#include "sim/place.h"

static void a_spot_goes_to_the_lattice_and_back(void **state)
{
    (void)state;
    struct sim_land land;
    sim_land_init(&land, 36.19, 113.11);
    for (int east = -5000; east <= 5000; east += 777) {
        for (int north = -5000; north <= 5000; north += 777) {
            struct sim_spot spot = {east, north};
            struct sim_spot back = sim_land_spot(&land, sim_land_point(&land, spot));
            assert_true(sim_spot_distance_m(spot, back) < 0.01);
        }
    }
}

static void metres_are_metres_on_the_sphere(void **state)
{
    (void)state;
    struct sim_land land;
    sim_land_init(&land, 36.19, 113.11);
    struct geo_point centre = sim_land_point(&land, (struct sim_spot){0, 0});
    for (int i = 0; i < 32; i++) {
        struct sim_spot spot = sim_spot_polar(3000, i * SIM_PI / 16);
        double metres = geo_distance_m(centre, sim_land_point(&land, spot));
        assert_true(fabs(metres - 3000) < 2);
    }
}

static void polar_and_back_agree(void **state)
{
    (void)state;
    struct sim_spot spot = sim_spot_polar(120, 2.5);
    assert_true(fabs(sim_spot_radius_m(spot) - 120) < 1e-9);
    assert_true(fabs(sim_spot_angle(spot) - 2.5) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spot_goes_to_the_lattice_and_back),
        cmocka_unit_test(metres_are_metres_on_the_sphere),
        cmocka_unit_test(polar_and_back_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
