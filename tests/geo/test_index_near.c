#include "tests/check.h"

#include <math.h>
#include <stdio.h>

#include "geo/index_internal.h"
#include "geo/shape.h"
#include "tests/geo/random_shapes.h"

enum { SHAPES_MAX = 40 };

static const struct random_land lands[] = {
    {{364000000, 1130000000}, 3000},
    {{364000000, 1130000000}, 50000},
    {{364000000, 1130000000}, 6000000},
    {{-179990000, 1799990000}, 40000},
    {{0, 0}, 1000000000},
};

static struct geo_index *build(const struct geo_shape *shapes, uint32_t count)
{
    struct geo_index *index = NULL;
    struct status_detail detail = {""};
    if (geo_index_new(shapes, count, &index, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    return index;
}

/* The index computes in floats what the shapes compute in doubles. */
static double tolerance(const struct geo_shape *shape, double distance_m)
{
    return 0.0005 + 2e-6 * (fabs(distance_m) + shape->radius_m);
}

/* Is the answer for this shape right? ret_present: it stands at near[0]. */
static bool is_right(const struct geo_shape *shape, uint32_t number, struct geo_point p,
                     float reach_m, const struct geo_near *near, bool *ret_present)
{
    double distance_m = geo_shape_distance_m(shape, p);
    double reach = (double)reach_m, slack_m = tolerance(shape, distance_m);
    bool covers = geo_shape_covers(shape, p);
    assert_true(covers ? distance_m <= 0 : distance_m > 0);
    *ret_present = near != NULL && near->shape == number;
    if (!*ret_present) {
        return !covers && distance_m > reach - slack_m;
    }
    double told_m = (double)near->distance_m;
    double wanted_m = distance_m < -reach ? -reach : distance_m;
    return (told_m <= 0) == covers && fabs(told_m - wanted_m) <= slack_m && told_m <= reach;
}

/* The distance of one shape asked for by its number, with vectors and without. */
static void compare_one(struct geo_index *index, const struct geo_shape *shape, uint32_t number,
                        struct geo_point p, float reach_m)
{
    bool covers = geo_shape_covers(shape, p), has_avx2 = index->has_avx2;
    float told_m = geo_index_distance(index, number, p, covers, reach_m);
    index->has_avx2 = false;
    float plain_m = geo_index_distance(index, number, p, covers, reach_m);
    index->has_avx2 = has_avx2;
    assert_memory_equal(&told_m, &plain_m, sizeof told_m); /* a replay elsewhere decides alike */
    double distance_m = geo_shape_distance_m(shape, p), reach = (double)reach_m;
    double wanted_m = fmax(-reach, fmin(reach, distance_m));
    if ((told_m <= 0) != (covers || reach_m == 0) ||
        fabs((double)told_m - wanted_m) > tolerance(shape, distance_m)) {
        fail_msg("shape %u (kind %d) at %d, %d, reach %g: wanted %.9g m, told %.9g", number,
                 (int)shape->kind, p.lat_e7, p.lon_e7, reach, wanted_m, (double)told_m);
    }
}

static void compare(struct geo_index *index, const struct geo_shape *shapes, uint32_t count,
                    struct geo_point p, float reach_m)
{
    struct geo_near near[GEO_FOUND_MAX];
    uint32_t found = geo_index_near(index, p, reach_m, near, GEO_FOUND_MAX), at = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool present;
        if (!is_right(&shapes[i], i, p, reach_m, at < found ? &near[at] : NULL, &present)) {
            fail_msg("shape %u (kind %d) at %d, %d, reach %g: wanted %.9g m, told %.9g", i,
                     (int)shapes[i].kind, p.lat_e7, p.lon_e7, (double)reach_m,
                     geo_shape_distance_m(&shapes[i], p),
                     present ? (double)near[at].distance_m : (double)NAN);
        }
        at += present;
        compare_one(index, &shapes[i], i, p, reach_m);
    }
    assert_int_equal(at, found);
}

static void distances_agree_with_the_shapes(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    static struct random_shape made[SHAPES_MAX];
    static struct geo_shape shapes[SHAPES_MAX];
    for (uint32_t round = 0; round < 20; round++) {
        const struct random_land *land = &lands[round % 5];
        uint32_t count = (uint32_t)random_in(&state, 1, SHAPES_MAX);
        for (uint32_t i = 0; i < count; i++) {
            random_shape(&state, land, &made[i]);
            shapes[i] = made[i].shape;
        }
        struct geo_index *index = build(shapes, count);
        for (uint32_t i = 0; i < 500; i++) {
            const float reaches[] = {0, 1, 20, 300, 10000};
            struct geo_point p = random_point(&state, land, &shapes[i % count]);
            compare(index, shapes, count, p, reaches[random_next(&state) % 5]);
        }
        geo_index_free(index);
    }
}

/* The covering ones among those that fit, whatever else lies near. */
static void where_there_is_no_room_the_covering_ones_stay(void **unused)
{
    (void)unused;
    static struct geo_point centres[600];
    static struct geo_shape shapes[600];
    const struct geo_point here = {364000000, 1130000000};
    for (uint32_t i = 0; i < 600; i++) { /* every third covers, the others lie around */
        centres[i] = here;
        centres[i].lon_e7 += i % 3 == 2 ? 0 : i % 3 == 0 ? 2000 : -2000;
        shapes[i] = (struct geo_shape){.kind = GEO_CIRCLE,
                                       .point_count = 1,
                                       .points = &centres[i],
                                       .radius_m = i % 3 == 2 ? 10 + i % 30 * 0.08 : 5};
        geo_shape_set_bounds(&shapes[i]);
    }
    struct geo_index *index = build(shapes, 600);
    struct geo_near near[GEO_FOUND_MAX];
    assert_int_equal(geo_index_near(index, here, 100, near, GEO_FOUND_MAX), 600);
    uint32_t covering = 0;
    for (uint32_t i = 0; i < GEO_FOUND_MAX; i++) {
        covering += near[i].distance_m <= 0;
        assert_true(i == 0 || near[i].shape > near[i - 1].shape);
    }
    assert_int_equal(covering, 200);
    struct geo_near few[3];
    assert_int_equal(geo_index_near(index, here, 100, few, 0), 600);
    assert_int_equal(geo_index_near(index, here, 100, few, 3), 600);
    assert_true(few[0].distance_m <= 0 && few[2].distance_m <= 0);
    geo_index_free(index);
}

static void what_ends_at_the_antimeridian_is_near_from_beyond_it(void **unused)
{
    (void)unused;
    const struct geo_point points[4] = {
        {0, 1799000000}, {0, 1800000000}, {1000000, 1800000000}, {1000000, 1799000000}};
    const uint32_t ends[1] = {4};
    struct geo_shape shape = {.kind = GEO_POLYGON,
                              .point_count = 4,
                              .ring_count = 1,
                              .points = points,
                              .ring_ends = ends};
    geo_shape_set_bounds(&shape);
    struct geo_index *index = build(&shape, 1);
    struct geo_near near;
    struct geo_point p = {500000, -1799990000};
    assert_int_equal(geo_index_near(index, p, 300, &near, 1), 1);
    assert_true(fabs((double)near.distance_m - 111.32) < 0.02);
    geo_index_free(index);
}

/* Metres on the ellipsoid by the mid-latitude radii, good to millimetres over some kilometres: an
 * oracle that shares nothing with the code but the ellipsoid. */
static double metres(struct geo_point a, struct geo_point b)
{
    const double rad = 3.14159265358979323846 / 180 * 1e-7, e2 = 0.00669437999014,
                 major = 6378137.0;
    double phi = ((double)a.lat_e7 + b.lat_e7) / 2 * rad;
    double w = 1 - e2 * sin(phi) * sin(phi);
    double north = ((double)b.lat_e7 - a.lat_e7) * rad * major * (1 - e2) / (w * sqrt(w));
    double east = ((double)b.lon_e7 - a.lon_e7) * rad * major * cos(phi) / sqrt(w);
    return sqrt(north * north + east * east);
}

static double sampled_distance(const struct geo_shape *shape, struct geo_point p)
{
    double best = HUGE_VAL;
    for (uint32_t i = 0; i < shape->point_count; i++) {
        struct geo_point a = shape->points[i], b = shape->points[(i + 1) % shape->point_count];
        for (uint32_t k = 0; k <= 4000; k++) {
            struct geo_point q = {
                a.lat_e7 + (int32_t)lround(((double)b.lat_e7 - a.lat_e7) * k / 4000),
                a.lon_e7 + (int32_t)lround(((double)b.lon_e7 - a.lon_e7) * k / 4000)};
            best = fmin(best, metres(p, q));
        }
    }
    return best;
}

static void distances_are_within_a_decimetre_of_a_sampled_boundary(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    const int32_t latitudes[] = {0, 364000000, -553000000, 690000000};
    for (uint32_t round = 0; round < 60; round++) {
        struct random_land land = {{latitudes[round % 4], 1130000000}, 30000};
        struct geo_point points[5];
        const uint32_t ends[1] = {5};
        for (uint32_t i = 0; i < 5; i++) {
            points[i] =
                (struct geo_point){land.centre.lat_e7 + (int32_t)random_in(&state, -30000, 30000),
                                   land.centre.lon_e7 + (int32_t)random_in(&state, -30000, 30000)};
        }
        struct geo_shape shape = {.kind = GEO_POLYGON,
                                  .point_count = 5,
                                  .ring_count = 1,
                                  .points = points,
                                  .ring_ends = ends};
        geo_shape_set_bounds(&shape);
        struct geo_index *index = build(&shape, 1);
        struct geo_point p = random_point(&state, &land, &shape);
        double sampled_m = sampled_distance(&shape, p);
        struct geo_near near;
        if (geo_index_near(index, p, 300, &near, 1) == 1 && sampled_m <= 300) {
            assert_true(fabs(fabs((double)near.distance_m) - sampled_m) < 0.1);
        } else {
            assert_true(sampled_m > 299.9);
        }
        geo_index_free(index);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_agree_with_the_shapes),
        cmocka_unit_test(where_there_is_no_room_the_covering_ones_stay),
        cmocka_unit_test(what_ends_at_the_antimeridian_is_near_from_beyond_it),
        cmocka_unit_test(distances_are_within_a_decimetre_of_a_sampled_boundary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
