#include "tests/check.h"

#include <math.h>

#include "geo/point.h"

static void degrees_go_to_the_nearest_lattice_point(void **unused)
{
    (void)unused;
    struct geo_point p;
    assert_int_equal(geo_point_from_degrees(36.12345674, 113.98765436, &p), STATUS_OK);
    assert_int_equal(p.lat_e7, 361234567);
    assert_int_equal(p.lon_e7, 1139876544);
    assert_int_equal(geo_point_from_degrees(-90, 180, &p), STATUS_OK);
    assert_int_equal(p.lat_e7, -GEO_LAT_E7_MAX);
    assert_int_equal(p.lon_e7, GEO_LON_E7_MAX);
    assert_int_equal(geo_point_from_degrees(-0.00000005, 0.00000005, &p), STATUS_OK);
    assert_int_equal(p.lat_e7, -1);
    assert_int_equal(p.lon_e7, 1);
}

static void what_is_off_the_globe_is_refused_and_nothing_written(void **unused)
{
    (void)unused;
    const double bad[][2] = {{90.0000001, 0},  {0, -180.0000001}, {(double)NAN, 0},
                             {0, (double)NAN}, {HUGE_VAL, 0},     {0, -HUGE_VAL}};
    struct geo_point p = {7, 8};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(geo_point_from_degrees(bad[i][0], bad[i][1], &p), STATUS_INVALID);
    }
    assert_int_equal(p.lat_e7, 7);
    assert_int_equal(p.lon_e7, 8);
}

static void distances_are_those_of_the_mean_sphere(void **unused)
{
    (void)unused;
    struct geo_point pole = {900000000, 0}, other_pole = {-900000000, 1000};
    assert_true(fabs(geo_distance_m(pole, other_pole) - 20015114.4) < 1);
    struct geo_point a = {0, 1799999000}, b = {0, -1799999000}; /* over the antimeridian */
    assert_true(fabs(geo_distance_m(a, b) - 22.239) < 0.001);
    assert_true(geo_distance_m(a, a) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(degrees_go_to_the_nearest_lattice_point),
        cmocka_unit_test(what_is_off_the_globe_is_refused_and_nothing_written),
        cmocka_unit_test(distances_are_those_of_the_mean_sphere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
