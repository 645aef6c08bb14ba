#include <string.h>

#include <geos_c.h>

#include "bench/geo_city.h"
#include "bench/geo_peer.h"
#include "tests/check.h"

enum { POINTS = 20000 };

static struct arena arena;
static struct city city;

static int make(void **state)
{
    (void)state;
    arena_init_growing(&arena, 1u << 20, (size_t)512 << 20);
    return city_make(1, &arena, &city) ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void every_school_has_its_five_fences(void **state)
{
    (void)state;
    assert_int_equal(city.shape_count, 206 * 5 + 2000);
    uint32_t rings = 0;
    for (uint32_t i = 0; i < city.shape_count; i++) {
        const struct geo_shape *shape = &city.shapes[i];
        assert_int_equal(shape->kind, GEO_POLYGON);
        assert_true(shape->point_count >= CITY_FENCE_POINTS_MIN);
        assert_true(shape->point_count <= CITY_FENCE_POINTS_MAX);
        assert_int_equal(shape->ring_ends[shape->ring_count - 1], shape->point_count);
        rings += shape->ring_count > 1;
    }
    assert_true(rings > 206 * 2); /* a building with a courtyard and a ring of streets each */
    for (uint32_t s = 0; s < CITY_SCHOOLS; s++) { /* the streets around leave the ground out */
        const struct geo_shape *streets = &city.shapes[(size_t)s * CITY_SCHOOL_FENCES + 2];
        assert_false(geo_shape_covers(streets, city.schools[s]));
        assert_true(geo_distance_m(streets->low, streets->high) > 2 * 80.0);
    }
}

/* Prints the first fence that is none. */
static uint32_t count_invalid(const struct geo_shape *shapes, uint32_t count)
{
    struct geo_peer *peer = NULL;
    struct status_detail detail;
    uint32_t invalid = 0;
    assert_int_equal(geo_peer_new(shapes, count, 0, &peer, &detail), STATUS_OK);
    GEOSContextHandle_t geos = GEOS_init_r();
    for (uint32_t i = 0; i < count; i++) {
        if (GEOSisValid_r(geos, geo_peer_area(peer, i)) != 1) {
            char *why = GEOSisValidReason_r(geos, geo_peer_area(peer, i));
            if (invalid++ == 0) {
                print_message("fence %u: %s\n", i, why);
            }
            GEOSFree_r(geos, why);
        }
    }
    GEOS_finish_r(geos);
    geo_peer_free(peer);
    return invalid;
}

static void no_fence_crosses_itself(void **state)
{
    (void)state;
    assert_int_equal(count_invalid(city.shapes, city.shape_count), 0);
}

static void a_redrawn_school_is_another_in_its_place(void **state)
{
    (void)state;
    struct geo_shape drawn[CITY_SCHOOL_FENCES];
    assert_true(city_redraw_school(&city, 7, 3, &arena, drawn));
    assert_int_equal(count_invalid(drawn, CITY_SCHOOL_FENCES), 0);
    assert_true(geo_distance_m(drawn[0].low, city.schools[7]) < 1000);
    const struct geo_shape *former = &city.shapes[(size_t)7 * CITY_SCHOOL_FENCES];
    assert_memory_not_equal(drawn[0].points, former->points,
                            CITY_FENCE_POINTS_MIN * sizeof *former->points);
}

static void nothing_lies_along_a_parallel_or_a_meridian(void **state)
{
    (void)state;
    uint32_t straight = 0, edges = 0;
    for (uint32_t i = 0; i < city.shape_count; i++) {
        const struct geo_shape *shape = &city.shapes[i];
        for (uint32_t k = 1; k < shape->ring_ends[0]; k++, edges++) {
            straight += shape->points[k].lat_e7 == shape->points[k - 1].lat_e7 ||
                        shape->points[k].lon_e7 == shape->points[k - 1].lon_e7;
        }
    }
    assert_true(straight * 100 < edges); /* by chance alone */
}

static void seven_points_of_ten_are_near_a_school(void **state)
{
    (void)state;
    struct geo_point *points;
    uint32_t near = 0;
    assert_true(city_points(&city, 2, POINTS, &arena, &points));
    for (uint32_t i = 0; i < POINTS; i++) {
        bool is_near = false;
        for (uint32_t s = 0; s < CITY_SCHOOLS && !is_near; s++) {
            is_near = geo_distance_m(points[i], city.schools[s]) <= CITY_NEAR_SCHOOL_M * 1.01;
        }
        near += is_near;
    }
    assert_in_range(near, POINTS * 69 / 100, POINTS * 76 / 100); /* some of the others by chance */
}

static void the_same_seed_makes_the_same_city(void **state)
{
    (void)state;
    struct city again, other;
    assert_true(city_make(1, &arena, &again));
    assert_true(city_make(2, &arena, &other));
    assert_memory_equal(again.schools, city.schools, sizeof city.schools);
    assert_memory_not_equal(other.schools, city.schools, sizeof city.schools);
    for (uint32_t i = 0; i < city.shape_count; i++) {
        assert_int_equal(again.shapes[i].point_count, city.shapes[i].point_count);
        assert_memory_equal(again.shapes[i].points, city.shapes[i].points,
                            city.shapes[i].point_count * sizeof *city.shapes[i].points);
    }
}

static void tracts_lie_side_by_side(void **state)
{
    (void)state;
    struct geo_shape *tracts;
    assert_true(city_tracts(6, &arena, &tracts));
    assert_int_equal(count_invalid(tracts, CITY_TRACTS), 0);
    struct city_random random = {8};
    for (uint32_t i = 0; i < 300;
         i++) { /* each place inside the net lies in one tract, or on edges */
        struct geo_point p = {(int32_t)city_random_between(&random, 360000000, 370000000),
                              (int32_t)city_random_between(&random, 1121000000, 1136000000)};
        uint32_t covering = 0;
        for (uint32_t k = 0; k < CITY_TRACTS; k++) {
            covering += geo_shape_covers(&tracts[k], p);
        }
        assert_in_range(covering, 1, 4);
    }
    uint32_t common = 0;
    for (uint32_t i = 0; i < tracts[0].point_count; i++) {
        for (uint32_t k = 0; k < tracts[1].point_count; k++) {
            common +=
                memcmp(&tracts[0].points[i], &tracts[1].points[k], sizeof(struct geo_point)) == 0;
        }
    }
    assert_in_range(common, 3, 13); /* the string between two neighbours with both its knots */
}

static void kinked_polygons_cross_themselves(void **state)
{
    (void)state;
    struct geo_shape *kinked;
    assert_true(city_kinked(&city, 4, 100, &arena, &kinked));
    assert_in_range(count_invalid(kinked, 100), 90, 100);
}

static void every_pupil_has_a_home_and_a_way(void **state)
{
    (void)state;
    struct geo_shape *own;
    assert_true(city_homes(&city, 5, &arena, &own));
    for (uint32_t i = 0; i < CITY_HOMES; i += 997) {
        const struct geo_shape *home = &own[(size_t)i * 2], *way = home + 1;
        assert_int_equal(home->kind, GEO_CIRCLE);
        assert_int_equal(way->kind, GEO_CORRIDOR);
        assert_in_range(way->point_count, 3, CITY_WAY_POINTS_MAX);
        assert_true(geo_shape_covers(way, home->points[0]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_school_has_its_five_fences),
        cmocka_unit_test(no_fence_crosses_itself),
        cmocka_unit_test(a_redrawn_school_is_another_in_its_place),
        cmocka_unit_test(nothing_lies_along_a_parallel_or_a_meridian),
        cmocka_unit_test(seven_points_of_ten_are_near_a_school),
        cmocka_unit_test(the_same_seed_makes_the_same_city),
        cmocka_unit_test(tracts_lie_side_by_side),
        cmocka_unit_test(kinked_polygons_cross_themselves),
        cmocka_unit_test(every_pupil_has_a_home_and_a_way),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
