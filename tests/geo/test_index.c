#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/index_walk_internal.h"
#include "geo/shape.h"
#include "tests/geo/random_shapes.h"

enum { SHAPES_MAX = 60 };

static const struct random_land lands[] = {
    {{364000000, 1130000000}, 200},       /* 2 m: cells of single points */
    {{364000000, 1130000000}, 50000},     /* a campus */
    {{364000000, 1130000000}, 6000000},   /* a city */
    {{-179990000, 1799990000}, 40000},    /* the antimeridian */
    {{364000000, 1130000000}, 800000000}, /* a continent */
    {{0, 0}, 1900000000},                 /* all of the globe and its corners */
    {{899000000, -1700000000}, 3000000},  /* by the pole */
    {{0, 0}, 70000},                      /* where signs change */
};

/* NULL: crowds of circles within a kilometre of the pole, which lie over all longitudes there, may need
 * more memory than an index takes, and are told so. That is rare. */
static struct geo_index *try_build(const struct geo_shape *shapes, uint32_t count)
{
    enum { REFUSED_MAX = 2 };
    static uint32_t refused;
    struct geo_index *index = NULL;
    struct status_detail detail = {""};
    enum status status = geo_index_new(shapes, count, &index, &detail);
    if (status == STATUS_TOO_LARGE && strstr(detail.text, ", 89.99") != NULL &&
        strstr(detail.text, "too many different edges run together") != NULL) {
        print_message("refused: %s\n", detail.text);
        assert_true(++refused <= REFUSED_MAX);
        return NULL;
    }
    if (status != STATUS_OK) {
        fail_msg("%s: %s", status_words(status), detail.text);
    }
    return index;
}

static struct geo_index *build(const struct geo_shape *shapes, uint32_t count)
{
    struct geo_index *index = try_build(shapes, count);
    assert_non_null(index);
    return index;
}

static void compare(const struct geo_index *index, const struct geo_shape *shapes, uint32_t count,
                    struct geo_point p)
{
    uint32_t found[GEO_FOUND_MAX], set, set_count, at = 0;
    uint32_t found_count = geo_index_find(index, p, found);
    geo_index_find_batch(index, &p, 1, &set);
    const uint32_t *items = geo_index_set(index, set, &set_count);
    assert_int_equal(set_count, found_count);
    assert_true(set < geo_index_set_count(index));
    for (uint32_t i = 0; i < count; i++) {
        bool in_index = at < found_count && found[at] == i;
        if (in_index != geo_shape_covers(&shapes[i], p)) {
            fail_msg("shape %u (kind %d) at %d, %d: the index says %d", i, (int)shapes[i].kind,
                     p.lat_e7, p.lon_e7, in_index);
        }
        if (in_index) {
            assert_int_equal(items[at], i);
            at++;
        }
    }
    assert_int_equal(at, found_count);
}

static void compare_all(uint64_t *state, const struct random_land *land, uint32_t points)
{
    static struct random_shape made[SHAPES_MAX];
    static struct geo_shape shapes[SHAPES_MAX];
    uint32_t count = (uint32_t)random_in(state, 1, SHAPES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        random_shape(state, land, &made[i]);
        shapes[i] = i > 0 && random_next(state) % 8 == 0 ? shapes[i - 1] : made[i].shape;
    }
    struct geo_index *index = try_build(shapes, count);
    for (uint32_t i = 0; i < points && index != NULL; i++) {
        const struct geo_shape *shape = &shapes[random_in(state, 0, count - 1)];
        compare(index, shapes, count, random_point(state, land, shape));
    }
    geo_index_free(index);
}

static void the_index_agrees_with_the_shapes(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    for (uint32_t round = 0; round < 6; round++) {
        for (size_t i = 0; i < sizeof lands / sizeof lands[0]; i++) {
            compare_all(&state, &lands[i], 1500);
        }
    }
}

static void every_point_of_a_small_place_agrees(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    const struct random_land land = {{364000000, 1130000000}, 40};
    for (uint32_t round = 0; round < 8; round++) {
        static struct random_shape made[12];
        struct geo_shape shapes[12];
        for (uint32_t i = 0; i < 12; i++) {
            random_shape(&state, &land, &made[i]);
            shapes[i] = made[i].shape;
        }
        struct geo_index *index = build(shapes, 12);
        for (int32_t y = -60; y <= 60; y++) {
            for (int32_t x = -60; x <= 60; x++) {
                compare(index, shapes, 12,
                        (struct geo_point){land.centre.lat_e7 + y, land.centre.lon_e7 + x});
            }
        }
        geo_index_free(index);
    }
}

/* With vectors and without. */
static void must_find_alike(struct geo_index *index, const struct geo_point *points, uint32_t count)
{
    uint32_t sets[500], plain_sets[500];
    bool has_avx2 = index->has_avx2;
    assert_true(count <= 500);
    geo_index_find_batch(index, points, count, sets);
    index->has_avx2 = false;
    geo_index_find_batch(index, points, count, plain_sets);
    assert_memory_equal(sets, plain_sets, count * sizeof *sets);
    for (uint32_t i = 0; i < 2 * count; i++) {
        uint32_t found[GEO_FOUND_MAX], set_count;
        const uint32_t *items = geo_index_set(index, sets[i / 2], &set_count);
        index->has_avx2 = i % 2 == 0 && has_avx2;
        assert_int_equal(set_count, geo_index_find(index, points[i / 2], found));
        assert_memory_equal(items, found, set_count * sizeof *found);
    }
    index->has_avx2 = has_avx2;
}

static bool note_kind(void *context, const struct index_cell *cell)
{
    *(uint32_t *)context |= cell->slot != NULL ? 1u << cell->kind : 0;
    return true;
}

static void batches_equal_single_lookups_in_leaves_of_every_kind(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    static struct random_shape made[SHAPES_MAX];
    struct geo_shape shapes[SHAPES_MAX];
    uint32_t kinds = 0;
    for (uint32_t round = 0; round < 40; round++) {
        const struct random_land *land = &lands[round % (sizeof lands / sizeof lands[0])];
        for (uint32_t i = 0; i < SHAPES_MAX; i++) {
            random_shape(&state, land, &made[i]);
            shapes[i] = made[i].shape;
        }
        struct geo_index *index = try_build(shapes, SHAPES_MAX);
        if (index == NULL) {
            continue;
        }
        struct geo_point points[500];
        for (uint32_t i = 0; i < 500; i++) {
            points[i] = random_point(&state, land, &shapes[i % SHAPES_MAX]);
        }
        must_find_alike(index, points, 493); /* some more than eights */
        for (uint32_t cell = 0; cell < index->cell_count; cell++) {
            assert_true(index_walk(index, cell, note_kind, &kinds));
        }
        geo_index_free(index);
    }
    assert_int_equal(kinds, (1u << (SLOT_WIDE + 1)) - 1);
}

static void no_shapes_cover_nothing(void **unused)
{
    (void)unused;
    struct geo_index *index = build(NULL, 0);
    uint32_t found[GEO_FOUND_MAX];
    struct geo_near near[GEO_FOUND_MAX];
    struct geo_point p = {364000000, 1130000000};
    assert_int_equal(geo_index_find(index, p, found), 0);
    assert_int_equal(geo_index_near(index, p, 100, near, GEO_FOUND_MAX), 0);
    assert_true(geo_index_bytes(index) > 0);
    geo_index_free(index);
    geo_index_free(NULL);
}

static const struct geo_point square[4] = {{364000000, 1130000000},
                                           {364000000, 1130010000},
                                           {364010000, 1130010000},
                                           {364010000, 1130000000}};
static const uint32_t one_ring[1] = {4};

static struct geo_shape square_shape(void)
{
    struct geo_shape shape = {.kind = GEO_POLYGON,
                              .point_count = 4,
                              .ring_count = 1,
                              .points = square,
                              .ring_ends = one_ring};
    geo_shape_set_bounds(&shape);
    return shape;
}

static void
as_many_shapes_as_allowed_over_one_place_are_found_and_one_more_is_refused(void **unused)
{
    (void)unused;
    struct geo_shape shapes[GEO_FOUND_MAX + 1];
    uint32_t found[GEO_FOUND_MAX];
    for (uint32_t i = 0; i <= GEO_FOUND_MAX; i++) {
        shapes[i] = square_shape();
    }
    struct geo_index *index = build(shapes, GEO_FOUND_MAX);
    assert_int_equal(geo_index_find(index, square[2], found), GEO_FOUND_MAX);
    assert_int_equal(geo_index_find(index, (struct geo_point){364005000, 1130005000}, found),
                     GEO_FOUND_MAX);
    geo_index_free(index);
    struct status_detail detail;
    assert_int_equal(geo_index_new(shapes, GEO_FOUND_MAX + 1, &index, &detail), STATUS_TOO_LARGE);
    assert_non_null(strstr(detail.text, "more than 256 fences cover 113.0"));
}

static void what_is_no_shape_is_refused_by_its_number(void **unused)
{
    (void)unused;
    const uint32_t wrong_ends[1] = {3};
    const struct geo_point off[1] = {{900000001, 0}};
    struct geo_shape cases[5];
    for (int i = 0; i < 5; i++) {
        cases[i] = square_shape();
    }
    cases[0].ring_ends = wrong_ends;
    cases[1].kind = GEO_CIRCLE;
    cases[2] = (struct geo_shape){.kind = GEO_CIRCLE, .point_count = 1, .points = square};
    cases[3] =
        (struct geo_shape){.kind = GEO_CIRCLE, .point_count = 1, .points = off, .radius_m = 10};
    cases[4].point_count = 0;
    for (int i = 0; i < 5; i++) {
        struct geo_shape two[2] = {square_shape(), cases[i]};
        struct geo_index *index = NULL;
        struct status_detail detail;
        assert_int_equal(geo_index_new(two, 2, &index, &detail), STATUS_INVALID);
        assert_non_null(strstr(detail.text, "shape 1: "));
        assert_null(index);
    }
}

static void neighbours_both_cover_their_common_edge(void **unused)
{
    (void)unused;
    const struct geo_point other[4] = {{364010000, 1130010000},
                                       {364010000, 1130020000},
                                       {364000000, 1130020000},
                                       {364000000, 1130010000}};
    struct geo_shape shapes[2] = {square_shape(), square_shape()};
    shapes[1].points = other;
    geo_shape_set_bounds(&shapes[1]);
    struct geo_index *index = build(shapes, 2);
    for (int32_t lat = 363999999; lat <= 364010001; lat += 101) {
        for (int32_t lon = 1130009999; lon <= 1130010001; lon++) {
            compare(index, shapes, 2, (struct geo_point){lat, lon});
        }
    }
    uint32_t found[GEO_FOUND_MAX];
    assert_int_equal(geo_index_find(index, (struct geo_point){364005000, 1130010000}, found), 2);
    geo_index_free(index);
}

static void many_different_boundaries_through_one_point_are_told_apart(void **unused)
{
    (void)unused;
    static struct geo_point points[100][3];
    static struct geo_shape shapes[100];
    const uint32_t ends[1] = {3};
    for (int32_t i = 0; i < 100; i++) { /* a fan of triangles on one corner */
        points[i][0] = square[0];
        points[i][1] = (struct geo_point){square[0].lat_e7 + 1000 + i * 7, square[0].lon_e7 + 9000};
        points[i][2] = (struct geo_point){square[0].lat_e7 + 9000, square[0].lon_e7 + 100 + i * 60};
        shapes[i] = (struct geo_shape){.kind = GEO_POLYGON,
                                       .point_count = 3,
                                       .ring_count = 1,
                                       .points = points[i],
                                       .ring_ends = ends};
        geo_shape_set_bounds(&shapes[i]);
    }
    struct geo_index *index = build(shapes, 100);
    for (int32_t y = -3; y <= 40; y++) {
        for (int32_t x = -3; x <= 40; x++) {
            compare(index, shapes, 100,
                    (struct geo_point){square[0].lat_e7 + y, square[0].lon_e7 + x});
        }
    }
    (void)printf("%zu bytes\n", geo_index_bytes(index));
    geo_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_agrees_with_the_shapes),
        cmocka_unit_test(every_point_of_a_small_place_agrees),
        cmocka_unit_test(batches_equal_single_lookups_in_leaves_of_every_kind),
        cmocka_unit_test(no_shapes_cover_nothing),
        cmocka_unit_test(
            as_many_shapes_as_allowed_over_one_place_are_found_and_one_more_is_refused),
        cmocka_unit_test(what_is_no_shape_is_refused_by_its_number),
        cmocka_unit_test(neighbours_both_cover_their_common_edge),
        cmocka_unit_test(many_different_boundaries_through_one_point_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
