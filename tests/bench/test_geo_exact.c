#include <string.h>

#include "bench/geo_exact.h"
#include "tests/check.h"

enum { SHAPES = 60, WANTED = 70000, DISTANCES = 2048 };

static struct arena arena;
static struct city city;
static struct geo_shape moved[SHAPES]; /* the city's first fences, one corner a step off */
static struct geo_point *points;

static int make(void **state)
{
    (void)state;
    arena_init_growing(&arena, 1u << 20, (size_t)512 << 20);
    if (!city_make(1, &arena, &city) || !city_points(&city, 2, RACE_POINTS, &arena, &points)) {
        return -1;
    }
    memcpy(moved, city.shapes, sizeof moved);
    struct geo_shape *shape = &moved[SHAPES / 2];
    size_t bytes = shape->point_count * sizeof *shape->points;
    struct geo_point *corners = arena_alloc(&arena, bytes);
    if (corners == NULL) {
        return -1;
    }
    memcpy(corners, shape->points, bytes);
    corners[1].lat_e7++;
    shape->points = corners;
    geo_shape_set_bounds(shape);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* An index of the city, judged by those who know `theirs`. */
static uint64_t count_differences(const struct geo_shape *theirs, bool walk, uint64_t *ret_points)
{
    static struct geo_exact exact;
    struct status_detail detail;
    struct city_random random = {3};
    struct geo_race race = {
        .key = "test", .shapes = theirs, .shape_count = SHAPES, .points = points};
    assert_int_equal(geo_race_prepare(&race, &detail), STATUS_OK);
    geo_index_free(race.index);
    assert_int_equal(geo_index_new(city.shapes, SHAPES, &race.index, &detail), STATUS_OK);
    exact = (struct geo_exact){.race = &race, .walk = walk, .random = &random};
    geo_exact_run(&exact, WANTED);
    geo_race_release(&race);
    *ret_points = exact.points;
    return exact.differences;
}

static void all_agree_about_the_city(void **state)
{
    (void)state;
    uint64_t asked;
    assert_int_equal(count_differences(city.shapes, false, &asked), 0);
    assert_true(asked >= WANTED);
    assert_int_equal(count_differences(city.shapes, true, &asked), 0);
}

static void one_corner_one_step_off_is_found(void **state)
{
    (void)state;
    uint64_t asked;
    assert_true(count_differences(moved, false, &asked) > 0);
    assert_true(count_differences(moved, true, &asked) > 0);
}

static void wrong_distances_are_found(void **state)
{
    (void)state;
    uint64_t wrong;
    struct status_detail detail;
    struct geo_race race = {
        .key = "test", .shapes = city.shapes, .shape_count = SHAPES, .points = points};
    assert_int_equal(geo_index_new(city.shapes, SHAPES, &race.index, &detail), STATUS_OK);
    assert_true(geo_exact_distances(&race, DISTANCES, &wrong) < 0.1);
    assert_int_equal(wrong, 0);
    race.shapes = &city.shapes[CITY_SCHOOL_FENCES]; /* all fences of other schools */
    (void)geo_exact_distances(&race, DISTANCES, &wrong);
    assert_true(wrong > 0);
    geo_race_release(&race);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_agree_about_the_city),
        cmocka_unit_test(one_corner_one_step_off_is_found),
        cmocka_unit_test(wrong_distances_are_found),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
