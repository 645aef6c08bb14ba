#include "tests/check.h"

#include <math.h>
#include <stdio.h>

#include "geo/index.h"
#include "tests/geo/random_shapes.h"

enum { SHAPES_MAX = 30, STRETCHES_MAX = 4096 };

static const struct random_land lands[] = {
    {{364000000, 1130000000}, 200},
    {{364000000, 1130000000}, 50000},
    {{364000000, 1130000000}, 6000000},
    {{-179990000, 1799990000}, 40000},
    {{0, 0}, 70000},
    {{364000000, 1130000000}, 300000000},
};

static struct random_shape made[SHAPES_MAX];
static struct geo_shape shapes[SHAPES_MAX];
static struct geo_stretch told[STRETCHES_MAX], wanted[STRETCHES_MAX];

static struct geo_index *make_index(uint64_t *state, const struct random_land *land,
                                    uint32_t *ret_count)
{
    struct geo_index *index = NULL;
    struct status_detail detail = {""};
    *ret_count = (uint32_t)random_in(state, 1, SHAPES_MAX);
    for (uint32_t i = 0; i < *ret_count; i++) {
        random_shape(state, land, &made[i]);
        shapes[i] = made[i].shape;
    }
    if (geo_index_new(shapes, *ret_count, &index, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    return index;
}

static uint32_t walk_shapes(uint32_t count, struct geo_point a, struct geo_point b)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t found =
            geo_shape_way(&shapes[i], a, b, wanted + total, STRETCHES_MAX - total, NULL);
        assert_true(total + found <= STRETCHES_MAX);
        for (uint32_t k = 0; k < found; k++) {
            wanted[total++].shape = i;
        }
    }
    return total;
}

static void compare(const struct geo_index *index, uint32_t count, struct geo_point a,
                    struct geo_point b)
{
    uint32_t total = walk_shapes(count, a, b);
    uint32_t found = geo_index_way(index, a, b, told, STRETCHES_MAX, NULL);
    bool same = found == total;
    for (uint32_t i = 0; same && i < total; i++) {
        same = told[i].shape == wanted[i].shape && told[i].from == wanted[i].from &&
               told[i].to == wanted[i].to;
    }
    if (!same) {
        fail_msg("from %d, %d to %d, %d: %u stretches, %u wanted", a.lat_e7, a.lon_e7, b.lat_e7,
                 b.lon_e7, found, total);
    }
}

static void the_index_tells_the_stretches_of_the_shapes(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    for (uint32_t round = 0; round < 24; round++) {
        const struct random_land *land = &lands[round % (sizeof lands / sizeof lands[0])];
        uint32_t count;
        struct geo_index *index = make_index(&state, land, &count);
        for (uint32_t i = 0; i < 400; i++) {
            struct geo_point a = random_point(&state, land, &shapes[i % count]);
            struct geo_point b = random_point(&state, land, &shapes[i * 7 % count]);
            compare(index, count, a, b);
            compare(index, count, a, a);
        }
        geo_index_free(index);
    }
}

static void a_small_danger_zone_between_two_fixes_is_found(void **unused)
{
    (void)unused;
    const struct geo_point zone[4] = {{364000000, 1130000000},
                                      {364000000, 1130003000},
                                      {364002000, 1130003000},
                                      {364002000, 1130000000}};
    const uint32_t ends[1] = {4};
    struct geo_shape shape = {
        .kind = GEO_POLYGON, .point_count = 4, .ring_count = 1, .points = zone, .ring_ends = ends};
    geo_shape_set_bounds(&shape);
    struct geo_index *index = NULL;
    struct status_detail detail;
    struct geo_point a = {364001000, 1129900000}, b = {364001000, 1130100000};
    struct geo_stretch stretch;
    uint32_t found[GEO_FOUND_MAX];
    assert_int_equal(geo_index_new(&shape, 1, &index, &detail), STATUS_OK);
    assert_int_equal(geo_index_find(index, a, found) + geo_index_find(index, b, found), 0);
    assert_int_equal(geo_index_way(index, a, b, &stretch, 1, NULL), 1);
    assert_true(fabs(stretch.from - 0.5) < 1e-12 && fabs(stretch.to - 0.515) < 1e-12);
    geo_index_free(index);
}

/* More edges under the way than a trail holds. */
static void a_way_over_very_many_edges_is_told_too(void **unused)
{
    (void)unused;
    enum { TEETH = 3000, LAST = 2 * TEETH };
    static struct geo_point comb[2 * TEETH + 2];
    const uint32_t ends[1] = {2 * TEETH + 2};
    for (int32_t i = 0; i < TEETH; i++) { /* up and down across the way */
        comb[2 * (size_t)i] =
            (struct geo_point){364000000 + (i % 2 == 0 ? -500 : 500), 1130000000 + i * 40};
        comb[2 * (size_t)i + 1] =
            (struct geo_point){364000000 + (i % 2 == 0 ? 500 : -500), 1130000000 + i * 40 + 20};
    }
    comb[LAST] = (struct geo_point){364010000, 1130000000 + TEETH * 40};
    comb[LAST + 1] = (struct geo_point){364010000, 1129999000};
    shapes[0] = (struct geo_shape){.kind = GEO_POLYGON,
                                   .point_count = 2 * TEETH + 2,
                                   .ring_count = 1,
                                   .points = comb,
                                   .ring_ends = ends};
    geo_shape_set_bounds(&shapes[0]);
    struct geo_index *index = NULL;
    struct status_detail detail;
    bool coarse = false;
    assert_int_equal(geo_index_new(shapes, 1, &index, &detail), STATUS_OK);
    struct geo_point a = {364000000, 1129990000}, b = {364000000, 1130000000 + TEETH * 41};
    compare(index, 1, a, b);
    assert_true(geo_index_way(index, a, b, told, STRETCHES_MAX, &coarse) > 0);
    assert_true(coarse);
    geo_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_tells_the_stretches_of_the_shapes),
        cmocka_unit_test(a_small_danger_zone_between_two_fixes_is_found),
        cmocka_unit_test(a_way_over_very_many_edges_is_told_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
