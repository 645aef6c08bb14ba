#include "tests/check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/personal.h"
#include "tests/geo/random_shapes.h"
#include "tests/proto/allocations.h"

enum { FENCES = 60, STRETCHES = 2000 };

static const struct random_land lands[] = {
    {{364000000, 1130000000}, 3000},
    {{364000000, 1130000000}, 50000},
    {{364000000, 1130000000}, 6000000},
    {{-179990000, 1799990000}, 40000},
    {{-650000000, -1799999000}, 30000000},
    {{899000000, 100000000}, 2000000},
    {{0, 0}, 1000000000},
};

/* Fences and, apart from them, their points. */
struct made {
    struct random_shape shapes[FENCES];
    struct geo_personal_fence fences[FENCES];
    uint32_t count;
};

/* Can it be built of this one? */
static bool is_taken(const struct geo_personal_fence *fence)
{
    struct geo_personal *one = NULL;
    enum status status = geo_personal_new(fence, 1, &one, NULL);
    geo_personal_free(one);
    return status == STATUS_OK;
}

static uint32_t owner_of(uint64_t *state, uint32_t kind)
{
    static const uint32_t wide[] = {0, 1, 77777, 1u << 24, 0x80000000u, UINT32_MAX - 1, UINT32_MAX};
    return kind == 0 ? (uint32_t)random_in(state, 0, 9) : wide[random_next(state) % 7];
}

static bool has(const struct made *made, uint32_t owner, uint32_t number)
{
    uint32_t of_owner = 0;
    for (uint32_t i = 0; i < made->count; i++) {
        of_owner += made->fences[i].owner == owner;
        if (made->fences[i].owner == owner && made->fences[i].number == number) {
            return true;
        }
    }
    return of_owner == GEO_PERSONAL_OWNER_MAX;
}

/* In no order. owner_kind 0: owners near one another; 1: all over the numbers. */
static void make(uint64_t *state, const struct random_land *land, uint32_t owner_kind,
                 uint32_t count, struct made *ret)
{
    ret->count = 0;
    while (ret->count < count) {
        struct random_shape *shape = &ret->shapes[ret->count];
        random_shape(state, land, shape);
        struct geo_personal_fence fence = {owner_of(state, owner_kind),
                                           (uint32_t)random_next(state) >> random_next(state) % 32,
                                           shape->shape};
        if (!has(ret, fence.owner, fence.number) && is_taken(&fence)) {
            ret->fences[ret->count++] = fence;
        }
    }
}

static struct geo_personal *build(const struct geo_personal_fence *fences, uint32_t count)
{
    struct geo_personal *personal = NULL;
    struct status_detail detail = {""};
    if (geo_personal_new(fences, count, &personal, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    return personal;
}

/* The owner's fence with the lowest number from `number` on. */
static const struct geo_personal_fence *next_of(const struct made *made, uint32_t owner,
                                                uint64_t number)
{
    const struct geo_personal_fence *best = NULL;
    for (uint32_t i = 0; i < made->count; i++) {
        const struct geo_personal_fence *fence = &made->fences[i];
        if (fence->owner == owner && fence->number >= number &&
            (best == NULL || fence->number < best->number)) {
            best = fence;
        }
    }
    return best;
}

static uint32_t linear_near(const struct made *made, uint32_t owner, struct geo_point p,
                            float reach_m, struct geo_near *ret)
{
    uint32_t count = 0;
    const struct geo_personal_fence *fence;
    for (uint64_t from = 0; (fence = next_of(made, owner, from)) != NULL;) {
        from = fence->number + (uint64_t)1;
        double distance_m = geo_shape_distance_m(&fence->shape, p);
        bool covers = geo_shape_covers(&fence->shape, p);
        if (covers || distance_m <= (double)reach_m) {
            float told = (float)fmax(distance_m, (double)-reach_m);
            ret[count++] =
                (struct geo_near){fence->number, !covers && !(told > 0) ? FLT_MIN : told};
        }
    }
    return count;
}

static uint32_t linear_way(const struct made *made, uint32_t owner, struct geo_point a,
                           struct geo_point b, struct geo_stretch *ret, bool *ret_coarse)
{
    uint32_t count = 0;
    const struct geo_personal_fence *fence;
    *ret_coarse = false;
    for (uint64_t from = 0; (fence = next_of(made, owner, from)) != NULL;) {
        from = fence->number + (uint64_t)1;
        bool coarse;
        uint32_t found =
            geo_shape_way(&fence->shape, a, b, ret + count, STRETCHES - count, &coarse);
        for (uint32_t i = 0; i < found; i++) {
            ret[count + i].shape = fence->number;
        }
        count += found;
        *ret_coarse |= coarse;
    }
    return count;
}

static uint32_t check_near(const struct geo_personal *personal, const struct made *made,
                           uint32_t owner, struct geo_point p, float reach_m)
{
    struct geo_near got[GEO_PERSONAL_OWNER_MAX], few[2];
    struct geo_near wanted[GEO_PERSONAL_OWNER_MAX] = {{0, 0}};
    uint32_t count = geo_personal_near(personal, owner, p, reach_m, got, GEO_PERSONAL_OWNER_MAX);
    assert_int_equal(count, linear_near(made, owner, p, reach_m, wanted));
    for (uint32_t i = 0; i < count; i++) {
        if (got[i].shape != wanted[i].shape || got[i].distance_m != wanted[i].distance_m) {
            fail_msg("owner %u at %d, %d, reach %g: wanted %u at %.9g m, told %u at %.9g m", owner,
                     p.lat_e7, p.lon_e7, (double)reach_m, wanted[i].shape,
                     (double)wanted[i].distance_m, got[i].shape, (double)got[i].distance_m);
        }
    }
    few[1].shape = 12345;
    assert_int_equal(geo_personal_near(personal, owner, p, reach_m, few, 1), count);
    assert_true(count == 0 || few[0].shape == wanted[0].shape);
    assert_int_equal(few[1].shape, 12345);
    assert_int_equal(geo_personal_near(personal, owner, p, reach_m, NULL, 0), count);
    return count;
}

static uint32_t check_way(const struct geo_personal *personal, const struct made *made,
                          uint32_t owner, struct geo_point a, struct geo_point b)
{
    static struct geo_stretch got[STRETCHES], wanted[STRETCHES];
    struct geo_stretch few[2];
    bool coarse = true, coarse_wanted;
    uint32_t count = geo_personal_way(personal, owner, a, b, got, STRETCHES, &coarse);
    assert_int_equal(count, linear_way(made, owner, a, b, wanted, &coarse_wanted));
    assert_int_equal(coarse, coarse_wanted);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(got[i].shape, wanted[i].shape);
        assert_true(got[i].from == wanted[i].from && got[i].to == wanted[i].to);
    }
    few[1].shape = 12345;
    assert_int_equal(geo_personal_way(personal, owner, a, b, few, 1, NULL), count);
    assert_true(count == 0 || few[0].shape == wanted[0].shape);
    assert_int_equal(few[1].shape, 12345);
    assert_int_equal(geo_personal_way(personal, owner, a, b, NULL, 0, NULL), count);
    return count;
}

/* Every owner, and some who have none. */
static uint64_t check_all(uint64_t *state, const struct geo_personal *personal,
                          const struct made *made, const struct random_land *land,
                          uint32_t owner_kind, uint32_t rounds)
{
    static const float reaches[] = {0, 1, 20, 300, 10000, 100000};
    uint64_t found = 0;
    for (uint32_t i = 0; i < rounds; i++) {
        struct geo_personal_fence none = {12, 0, {0}};
        const struct geo_personal_fence *fence =
            made->count > 0 ? &made->fences[i % made->count] : &none;
        struct geo_point a = {1, 2}, b = {1, 2};
        if (made->count > 0) {
            a = random_point(state, land, &fence->shape);
            b = random_next(state) % 8 ? random_point(state, land, &fence->shape) : a;
        }
        uint32_t owner = random_next(state) % 4 ? fence->owner : owner_of(state, owner_kind);
        geo_personal_prefetch(personal, owner);
        found += check_near(personal, made, owner, a, reaches[random_next(state) % 6]);
        found += check_way(personal, made, owner, a, b);
    }
    return found;
}

static void answers_are_those_of_the_shapes_to_the_last_bit(void **unused)
{
    (void)unused;
    static struct made made;
    uint64_t state = random_seed(), found = 0;
    for (uint32_t round = 0; round < 140; round++) {
        const struct random_land *land = &lands[round % 7];
        uint32_t kind = (uint32_t)random_next(&state) % 2;
        make(&state, land, kind, (uint32_t)random_in(&state, 0, FENCES), &made);
        struct geo_personal *personal = build(made.fences, made.count);
        found += check_all(&state, personal, &made, land, kind, 300);
        geo_personal_free(personal);
    }
    assert_true(found > 20000);
}

static void a_change_is_what_a_new_one_would_be(void **unused)
{
    (void)unused;
    static struct made made, other;
    uint64_t state = random_seed();
    for (uint32_t round = 0; round < 200; round++) {
        const struct random_land *land = &lands[round % 7];
        uint32_t kind = (uint32_t)random_next(&state) % 2;
        uint32_t owner = owner_of(&state, kind), count = (uint32_t)random_in(&state, 0, 4);
        make(&state, land, kind, (uint32_t)random_in(&state, 0, FENCES - 4), &made);
        make(&state, land, kind, count, &other);
        struct geo_personal *old = build(made.fences, made.count), *changed = NULL;
        size_t old_bytes = geo_personal_bytes(old);
        for (uint32_t i = 0; i < count; i++) {
            other.fences[i].owner = owner;
            other.fences[i].number = 100 - i;
        }
        assert_int_equal(geo_personal_change(old, owner, other.fences, count, &changed, NULL),
                         STATUS_OK);
        assert_int_equal(geo_personal_bytes(old), old_bytes);
        check_all(&state, old, &made, land, kind, 20);
        geo_personal_free(old);
        uint32_t kept = 0;
        for (uint32_t i = 0; i < made.count; i++) {
            if (made.fences[i].owner != owner) {
                made.fences[kept++] = made.fences[i];
            }
        }
        for (uint32_t i = 0; i < count; i++) {
            made.fences[kept++] = other.fences[i];
        }
        made.count = kept;
        struct geo_personal *fresh = build(made.fences, made.count);
        assert_int_equal(geo_personal_bytes(changed), geo_personal_bytes(fresh));
        check_all(&state, changed, &made, land, kind, 200);
        geo_personal_free(fresh);
        geo_personal_free(changed);
    }
}

/* ---- a city ---- */

enum { PUPILS = 134000, WAY_POINTS = 6 };

static struct geo_point homes[PUPILS], ways[PUPILS][WAY_POINTS];
static struct geo_personal_fence city[2 * PUPILS];

/* Owners are stride * pupil + 1. */
static struct geo_personal *build_city(uint32_t stride)
{
    uint64_t state = 7;
    for (uint32_t i = 0; i < PUPILS; i++) {
        homes[i] = (struct geo_point){364000000 + (int32_t)random_in(&state, 0, 3000000),
                                      1130000000 + (int32_t)random_in(&state, 0, 3000000)};
        for (int32_t k = 0; k < WAY_POINTS; k++) {
            ways[i][k] = (struct geo_point){homes[i].lat_e7 + 1000 * k, homes[i].lon_e7 + 2500 * k};
        }
        struct geo_shape home = {
            .kind = GEO_CIRCLE, .point_count = 1, .points = &homes[i], .radius_m = 80};
        struct geo_shape way = {
            .kind = GEO_CORRIDOR, .point_count = WAY_POINTS, .points = ways[i], .radius_m = 60};
        city[i] = (struct geo_personal_fence){stride * i + 1, 1, home};
        city[PUPILS + i] = (struct geo_personal_fence){stride * i + 1, 2, way};
    }
    return build(city, 2 * PUPILS);
}

static void the_fences_of_a_city_cost_64_bytes_each_and_their_points(void **unused)
{
    (void)unused;
    static const uint32_t strides[] = {1, 7, 8, 32000};
    for (size_t i = 0; i < sizeof strides / sizeof strides[0]; i++) {
        struct geo_personal *personal = build_city(strides[i]);
        size_t bytes = geo_personal_bytes(personal);
        const size_t pupils = PUPILS, points = pupils * WAY_POINTS;
        assert_true(bytes <= 64 + 2 * pupils * 64 + points * 8);
        assert_true(bytes > 2 * pupils * 48 + points * 8);
        for (uint32_t pupil = 0; pupil < PUPILS; pupil += 997) {
            struct geo_near near[2];
            assert_int_equal(
                geo_personal_near(personal, strides[i] * pupil + 1, homes[pupil], 90, near, 2), 2);
            assert_true(near[0].shape == 1 && near[0].distance_m == -80);
            assert_true(near[1].shape == 2 && near[1].distance_m == -60);
        }
        geo_personal_free(personal);
    }
}

static void a_lookup_asks_for_no_memory(void **unused)
{
    (void)unused;
    unsigned long start = allocations();
    struct geo_personal *personal = build_city(1);
    assert_true(allocations() > start);
    start = allocations();
    for (uint32_t pupil = 0; pupil < PUPILS; pupil += 101) {
        struct geo_near near[2];
        struct geo_stretch stretches[4];
        bool coarse;
        geo_personal_prefetch(personal, pupil + 1);
        assert_int_equal(geo_personal_near(personal, pupil + 1, homes[pupil], 300, near, 2), 2);
        assert_int_equal(geo_personal_way(personal, pupil + 1, homes[pupil],
                                          ways[pupil][WAY_POINTS - 1], stretches, 4, &coarse),
                         2);
    }
    assert_int_equal(allocations(), start);
    geo_personal_free(personal);
}

/* ---- refusals ---- */

static void refuse(const struct geo_personal_fence *fences, uint32_t count, enum status wanted,
                   const char *words)
{
    struct geo_personal *personal = NULL, *empty = build(NULL, 0);
    struct status_detail detail = {""};
    assert_int_equal(geo_personal_new(fences, count, &personal, &detail), wanted);
    assert_null(personal);
    assert_string_equal(detail.text, words);
    detail.text[0] = '\0';
    assert_int_equal(geo_personal_change(empty, 7, fences, count, &personal, &detail), wanted);
    assert_null(personal);
    assert_string_equal(detail.text, words);
    assert_int_equal(geo_personal_new(fences, count, &personal, NULL), wanted);
    geo_personal_free(empty);
}

static void bad_fences_are_refused_in_words(void **unused)
{
    (void)unused;
    const struct geo_point point = {10, 20}, off = {900000001, 0};
    const struct geo_shape good = {
        .kind = GEO_CIRCLE, .point_count = 1, .points = &point, .radius_m = 5};
    struct geo_personal_fence fences[GEO_PERSONAL_OWNER_MAX + 1] = {{7, 3, good}, {7, 4, good}};
    uint32_t ends[1] = {2};
    fences[1].shape.radius_m = (double)NAN;
    refuse(fences, 2, STATUS_INVALID, "owner 7, fence 4: a radius out of range");
    fences[1].shape = good;
    fences[1].shape.points = &off;
    refuse(fences, 2, STATUS_INVALID, "owner 7, fence 4: a point is off the globe");
    fences[1].shape = good;
    fences[1].shape.point_count = 0;
    refuse(fences, 2, STATUS_INVALID, "owner 7, fence 4: no points, or too many");
    fences[1].shape = (struct geo_shape){.kind = GEO_POLYGON,
                                         .point_count = 1,
                                         .points = &point,
                                         .ring_count = 1,
                                         .ring_ends = ends};
    refuse(fences, 2, STATUS_INVALID,
           "owner 7, fence 4: rings that do not end where the points do");
    fences[1] = fences[0];
    refuse(fences, 2, STATUS_EXISTS, "owner 7 has two fences of the number 3");
    for (uint32_t i = 0; i <= GEO_PERSONAL_OWNER_MAX; i++) {
        fences[i] = (struct geo_personal_fence){7, 100 - i, good};
    }
    refuse(fences, GEO_PERSONAL_OWNER_MAX + 1, STATUS_TOO_LARGE,
           "owner 7, fence 100: more than 32 fences of one owner");
    geo_personal_free(build(fences, GEO_PERSONAL_OWNER_MAX));
}

static void a_change_takes_no_fence_of_another_owner(void **unused)
{
    (void)unused;
    const struct geo_point point = {10, 20};
    struct geo_personal_fence fence = {
        8, 3, {.kind = GEO_CIRCLE, .point_count = 1, .points = &point, .radius_m = 5}};
    struct geo_personal *empty = build(NULL, 0), *changed = NULL;
    struct status_detail detail = {""};
    assert_int_equal(geo_personal_change(empty, 7, &fence, 1, &changed, &detail), STATUS_INVALID);
    assert_null(changed);
    assert_string_equal(detail.text, "owner 8, fence 3: it is among those of owner 7");
    geo_personal_free(empty);
    geo_personal_free(NULL);
}

static void a_home_at_the_antimeridian_is_near_from_beyond_it(void **unused)
{
    (void)unused;
    const struct geo_point home = {0, 1799999000},
                           line[2] = {{-500, -1800000000}, {500, -1800000000}};
    const struct geo_personal_fence fences[2] = {
        {5, 1, {.kind = GEO_CIRCLE, .point_count = 1, .points = &home, .radius_m = 20}},
        {5, 2, {.kind = GEO_CORRIDOR, .point_count = 2, .points = line, .radius_m = 1}}};
    struct geo_personal *personal = build(fences, 2);
    struct geo_near near[2];
    struct geo_stretch stretches[2];
    struct geo_point east = {0, -1799998000}, west = {0, 1799998000};
    /* 2000 steps of 11.132 mm from the line, 3000 from the home's centre */
    assert_int_equal(geo_personal_near(personal, 5, east, 30, near, 2), 2);
    assert_true(fabs((double)near[0].distance_m - 13.396) < 0.001);
    assert_true(fabs((double)near[1].distance_m - 21.264) < 0.001);
    assert_int_equal(geo_personal_near(personal, 5, east, 15, near, 2), 1);
    assert_int_equal(geo_personal_way(personal, 5, west, east, stretches, 2, NULL), 2);
    assert_true(stretches[0].from == 0 && fabs(stretches[0].to - 0.6992) < 0.001);
    assert_true(fabs(stretches[1].from + stretches[1].to - 1) < 1e-9);
    assert_int_equal(geo_personal_way(personal, 5, east, west, stretches, 2, NULL), 2);
    geo_personal_free(personal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_the_shapes_to_the_last_bit),
        cmocka_unit_test(a_change_is_what_a_new_one_would_be),
        cmocka_unit_test(the_fences_of_a_city_cost_64_bytes_each_and_their_points),
        cmocka_unit_test(a_lookup_asks_for_no_memory),
        cmocka_unit_test(bad_fences_are_refused_in_words),
        cmocka_unit_test(a_change_takes_no_fence_of_another_owner),
        cmocka_unit_test(a_home_at_the_antimeridian_is_near_from_beyond_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
