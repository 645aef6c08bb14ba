/* Where the index's packed numbers end: what does not fit is held in a wider form, or refused. */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "geo/index.h"
#include "geo/index_internal.h"
#include "tests/geo/random_shapes.h"

static struct geo_index *build(const struct geo_shape *shapes, uint32_t count)
{
    struct geo_index *index = NULL;
    struct status_detail detail = {""};
    if (geo_index_new(shapes, count, &index, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    return index;
}

static void must_be_whole(const struct geo_index *index)
{
    struct status_detail detail = {""};
    if (geo_index_check(index, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

static void must_cover(const struct geo_index *index, const struct geo_shape *shapes,
                       uint32_t count, struct geo_point p)
{
    uint32_t found[GEO_FOUND_MAX], set, at = 0;
    uint32_t found_count = geo_index_find(index, p, found);
    geo_index_find_batch(index, &p, 1, &set);
    uint32_t set_count;
    const uint32_t *items = geo_index_set(index, set, &set_count);
    assert_int_equal(set_count, found_count);
    assert_memory_equal(items, found, found_count * sizeof *found);
    for (uint32_t i = 0; i < count; i++) {
        bool said = at < found_count && found[at] == i;
        at += said;
        assert_int_equal(said, geo_shape_covers(&shapes[i], p));
    }
    assert_int_equal(at, found_count);
}

/* Tracts side by side: corners moved at random, edges shared. */
enum { WIDE = 125, HIGH = 120, TRACTS = WIDE * HIGH, STEP = 4000 };

static struct geo_point corners[HIGH + 1][WIDE + 1], tract_points[TRACTS][4];
static struct geo_shape tracts[TRACTS];
static const uint32_t four[1] = {4};

static void make_tracts(uint64_t *state)
{
    for (int32_t y = 0; y <= HIGH; y++) {
        for (int32_t x = 0; x <= WIDE; x++) {
            corners[y][x] =
                (struct geo_point){360000000 + y * STEP + (int32_t)random_in(state, -1500, 1500),
                                   1130000000 + x * STEP + (int32_t)random_in(state, -1500, 1500)};
        }
    }
    for (int32_t i = 0; i < TRACTS; i++) {
        int32_t y = i / WIDE, x = i % WIDE;
        tract_points[i][0] = corners[y][x];
        tract_points[i][1] = corners[y][x + 1];
        tract_points[i][2] = corners[y + 1][x + 1];
        tract_points[i][3] = corners[y + 1][x];
        tracts[i] = (struct geo_shape){.kind = GEO_POLYGON,
                                       .point_count = 4,
                                       .ring_count = 1,
                                       .points = tract_points[i],
                                       .ring_ends = four};
        geo_shape_set_bounds(&tracts[i]);
    }
}

/* More sets than 15 and 16 bits number. */
static void fifteen_thousand_tracts_have_more_sets_than_short_numbers_hold(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    make_tracts(&state);
    struct geo_index *index = build(tracts, TRACTS);
    assert_true(geo_index_set_count(index) > ENTRY_SLOT);
    must_be_whole(index);
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t tract = (uint32_t)random_in(&state, 0, TRACTS - 1);
        struct geo_point p = tract_points[tract][i % 4];
        p.lat_e7 += (int32_t)random_in(&state, -2, 2) * (i % 3 == 0 ? 500 : 1);
        p.lon_e7 += (int32_t)random_in(&state, -2, 2) * (i % 3 == 0 ? 500 : 1);
        must_cover(index, tracts, TRACTS, p);
    }
    geo_index_free(index);
}

static void sets_beyond_sixteen_bits_are_held_in_the_wider_form(void **unused)
{
    (void)unused;
    enum { COUNT = 500, SIDES = 12 };
    uint64_t state = random_seed();
    static struct geo_point points[COUNT][SIDES];
    static struct geo_shape shapes[COUNT];
    static const uint32_t ends[1] = {SIDES};
    for (uint32_t i = 0; i < COUNT; i++) { /* all over each other, and no two alike */
        double lat = 364000000 + random_unit(&state) * 80000,
               far = 6000 + random_unit(&state) * 9000;
        double lon = 1130000000 + random_unit(&state) * 80000;
        for (uint32_t k = 0; k < SIDES; k++) {
            double angle = k * 6.283185307179586 / SIDES;
            points[i][k] = (struct geo_point){(int32_t)(lat + far * sin(angle)),
                                              (int32_t)(lon + far * cos(angle))};
        }
        shapes[i] = (struct geo_shape){.kind = GEO_POLYGON,
                                       .point_count = SIDES,
                                       .ring_count = 1,
                                       .points = points[i],
                                       .ring_ends = ends};
        geo_shape_set_bounds(&shapes[i]);
    }
    struct geo_index *index = build(shapes, COUNT);
    (void)printf("%u sets, %zu bytes\n", geo_index_set_count(index), geo_index_bytes(index));
    assert_true(geo_index_set_count(index) > SHORT_SETS_MAX);
    must_be_whole(index);
    for (uint32_t i = 0; i < 3000; i++) {
        struct geo_point p = {364000000 + (int32_t)random_in(&state, -10000, 90000),
                              1130000000 + (int32_t)random_in(&state, -10000, 90000)};
        must_cover(index, shapes, COUNT, p);
    }
    geo_index_free(index);
}

static void two_hundred_fences_over_one_point_are_all_found(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    static struct geo_point points[200][4];
    static struct geo_shape shapes[200];
    for (int32_t i = 0; i < 200; i++) { /* squares askew, each within the one before */
        int32_t far = 60000 - i * 200, skew = i * 37 % 150;
        points[i][0] = (struct geo_point){364000000 - far, 1130000000 - far + skew};
        points[i][1] = (struct geo_point){364000000 - far + skew, 1130000000 + far};
        points[i][2] = (struct geo_point){364000000 + far, 1130000000 + far - skew};
        points[i][3] = (struct geo_point){364000000 + far - skew, 1130000000 - far};
        shapes[i] = (struct geo_shape){.kind = GEO_POLYGON,
                                       .point_count = 4,
                                       .ring_count = 1,
                                       .points = points[i],
                                       .ring_ends = four};
        geo_shape_set_bounds(&shapes[i]);
    }
    struct geo_index *index = build(shapes, 200);
    uint32_t found[GEO_FOUND_MAX];
    assert_int_equal(geo_index_find(index, (struct geo_point){364000000, 1130000000}, found), 200);
    struct geo_near near[GEO_FOUND_MAX];
    assert_int_equal(
        geo_index_near(index, (struct geo_point){364000000, 1130000000}, 300, near, GEO_FOUND_MAX),
        200);
    must_be_whole(index);
    for (uint32_t i = 0; i < 2000; i++) {
        must_cover(index, shapes, 200,
                   (struct geo_point){364000000 + (int32_t)random_in(&state, -61000, 61000),
                                      1130000000 + (int32_t)random_in(&state, -61000, 61000)});
    }
    geo_index_free(index);
}

static void a_ring_of_a_hundred_thousand_points_is_indexed(void **unused)
{
    (void)unused;
    enum { POINTS = 100000 };
    uint64_t state = random_seed();
    static struct geo_point ring[POINTS];
    const uint32_t ends[1] = {POINTS};
    for (int32_t i = 0; i < POINTS; i++) { /* a comb, its teeth half a metre apart */
        int32_t tooth = i / 2, up = (i + 1) / 2 % 2;
        ring[i] =
            (struct geo_point){364000000 + (up ? 9000 : 100) + (int32_t)random_in(&state, -90, 90),
                               1130000000 + tooth * 40};
    }
    ring[0].lat_e7 = ring[POINTS - 1].lat_e7 = 363990000;
    struct geo_shape shape = {.kind = GEO_POLYGON,
                              .point_count = POINTS,
                              .ring_count = 1,
                              .points = ring,
                              .ring_ends = ends};
    geo_shape_set_bounds(&shape);
    struct geo_index *index = build(&shape, 1);
    for (uint32_t i = 0; i < 300; i++) {
        struct geo_point p = ring[random_in(&state, 0, POINTS - 1)];
        p.lat_e7 += (int32_t)random_in(&state, -3000, 3000) * (int32_t)(i % 2);
        p.lon_e7 += (int32_t)random_in(&state, -30, 30);
        must_cover(index, &shape, 1, p);
        struct geo_near near;
        double distance_m = geo_shape_distance_m(&shape, p);
        if (distance_m > 0 && distance_m < 19) {
            assert_int_equal(geo_index_near(index, p, 20, &near, 1), 1);
            double off_m = (double)near.distance_m - distance_m;
            assert_true(off_m < 0.001 && off_m > -0.001);
        }
    }
    geo_index_free(index);
}

/* The checker is not blind. */
/* Rings round each other in one coarse cell: their near lists go beyond what entries lead back to. */
static void a_crowd_that_lists_cannot_hold_is_refused(void **unused)
{
    (void)unused;
    enum { RINGS = 300, CORNERS = 2000 };
    static struct geo_point points[RINGS * CORNERS];
    static uint32_t ends[RINGS];
    for (uint32_t r = 0; r < RINGS; r++) {
        double far = 900 + 42.0 * r;
        for (uint32_t k = 0; k < CORNERS; k++) {
            double angle = k * 6.283185307179586 / CORNERS;
            points[r * CORNERS + k] =
                (struct geo_point){363986944 + 16384 + (int32_t)(far * sin(angle)),
                                   1129971712 + 16384 + (int32_t)(far * cos(angle))};
        }
        ends[r] = (r + 1) * CORNERS;
    }
    struct geo_shape shape = {.kind = GEO_POLYGON,
                              .point_count = RINGS * CORNERS,
                              .ring_count = RINGS,
                              .points = points,
                              .ring_ends = ends};
    geo_shape_set_bounds(&shape);
    struct geo_index *index = NULL;
    struct status_detail detail = {""};
    assert_int_equal(geo_index_new(&shape, 1, &index, &detail), STATUS_TOO_LARGE);
    assert_non_null(strstr(detail.text, "too many edges lie together near 112.997"));
    shape.point_count = ends[99];
    shape.ring_count = 100;
    index = build(&shape, 1);
    must_cover(index, &shape, 1, points[0]);
    geo_index_free(index);
}

/* From there the corridor's start is nearer one way round the globe, and its middle the other way. */
static void a_wide_corridor_by_the_pole_covers_what_its_distance_says(void **unused)
{
    (void)unused;
    enum { CIRCLES = 40 };
    static struct geo_shape some[CIRCLES + 1];
    static struct geo_point centres[CIRCLES];
    static const struct geo_point way[] = {{637140971, -645434792}, {899996510, -860525102}};
    const struct geo_point there = {897187840, 966918144};
    some[0] = (struct geo_shape){
        .kind = GEO_CORRIDOR, .point_count = 2, .points = way, .radius_m = GEO_RADIUS_M_MAX};
    geo_shape_set_bounds(&some[0]);
    for (int i = 0; i < CIRCLES; i++) { /* so that cells are small there */
        centres[i] = (struct geo_point){there.lat_e7 + i % 8 * 9000, there.lon_e7 + i / 8 * 700000};
        some[i + 1] = (struct geo_shape){
            .kind = GEO_CIRCLE, .point_count = 1, .points = &centres[i], .radius_m = 30};
        geo_shape_set_bounds(&some[i + 1]);
    }
    struct geo_index *index = NULL;
    struct status_detail detail = {""};
    assert_int_equal(geo_index_new(some, CIRCLES + 1, &index, &detail), STATUS_OK);
    must_be_whole(index);
    for (int32_t y = -60; y < 60; y++) {
        for (int32_t x = -60; x < 60; x++) {
            uint32_t found[GEO_FOUND_MAX] = {0};
            struct geo_point p = {there.lat_e7 + y * 2000, there.lon_e7 + x * 100000};
            bool said = geo_index_find(index, p, found) > 0 && found[0] == 0;
            assert_int_equal(said, geo_shape_covers(&some[0], p));
        }
    }
    geo_index_free(index);
}

static void a_broken_index_is_told(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    const struct random_land land = {{364000000, 1130000000}, 50000};
    static struct random_shape made[30];
    struct geo_shape shapes[30];
    for (uint32_t i = 0; i < 30; i++) {
        random_shape(&state, &land, &made[i]);
        shapes[i] = made[i].shape;
    }
    struct geo_index *index = build(shapes, 30);
    struct status_detail detail = {""};
    must_be_whole(index);
    uint32_t *item = index->store->set_items + index->set_starts[index->set_count - 1];
    uint32_t kept = *item;
    *item = 30;
    assert_int_equal(geo_index_check(index, &detail), STATUS_INVALID);
    assert_non_null(strstr(detail.text, "a set holds a shape that is none"));
    *item = kept;
    must_be_whole(index);
    uint32_t *page = index->store->words + index->tiles[0], head = *page;
    assert_int_not_equal(index->tiles[0], 0);
    *page = index->word_count << 3;
    assert_int_equal(geo_index_check(index, &detail), STATUS_INVALID);
    assert_non_null(strstr(detail.text, "off the words"));
    *page = head;
    uint32_t wrong = 0;
    for (uint32_t i = FIRST_POINT; i < index->point_count; i++) { /* a corner moved */
        index->store->points[i].lat_e7 += 300;
    }
    wrong += geo_index_check(index, &detail) != STATUS_OK;
    assert_int_equal(wrong, 1);
    geo_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifteen_thousand_tracts_have_more_sets_than_short_numbers_hold),
        cmocka_unit_test(sets_beyond_sixteen_bits_are_held_in_the_wider_form),
        cmocka_unit_test(two_hundred_fences_over_one_point_are_all_found),
        cmocka_unit_test(a_ring_of_a_hundred_thousand_points_is_indexed),
        cmocka_unit_test(a_crowd_that_lists_cannot_hold_is_refused),
        cmocka_unit_test(a_wide_corridor_by_the_pole_covers_what_its_distance_says),
        cmocka_unit_test(a_broken_index_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
