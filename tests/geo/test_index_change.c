#include "tests/check.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "geo/index.h"
#include "geo/index_internal.h"
#include "tests/geo/random_shapes.h"
#include "tests/proto/allocations.h"

enum { SHAPES_MAX = 120, POINTS = 300 };

static const struct random_land lands[] = {
    {{364000000, 1130000000}, 3000},
    {{364000000, 1130000000}, 50000},
    {{364000000, 1130000000}, 6000000},
    {{-179990000, 1799990000}, 40000},
    {{0, 0}, 1000000000},
};

static struct random_shape made[2 * SHAPES_MAX];
static struct geo_shape shapes[SHAPES_MAX];

static struct geo_index *must(enum status status, struct geo_index *index,
                              const struct status_detail *detail)
{
    if (status != STATUS_OK) {
        fail_msg("%s: %s", status_words(status), detail->text);
    }
    return index;
}

static struct geo_index *build(const struct geo_shape *from, uint32_t count)
{
    struct geo_index *index = NULL;
    struct status_detail detail = {""};
    enum status status = geo_index_new(from, count, &index, &detail);
    return must(status, index, &detail);
}

static struct geo_index *change(const struct geo_index *old, const struct geo_change *changes,
                                uint32_t count)
{
    struct geo_index *index = NULL;
    struct status_detail detail = {""};
    enum status status = geo_index_change(old, changes, count, &index, &detail);
    return must(status, index, &detail);
}

static void must_be_whole(const struct geo_index *index)
{
    struct status_detail detail = {""};
    if (geo_index_check(index, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

/* Finds and distances of one say the same as those of the other. */
static void must_agree(const struct geo_index *a, const struct geo_index *b, struct geo_point p)
{
    uint32_t found_a[GEO_FOUND_MAX] = {0}, found_b[GEO_FOUND_MAX] = {0};
    uint32_t count = geo_index_find(a, p, found_a);
    assert_int_equal(count, geo_index_find(b, p, found_b));
    assert_memory_equal(found_a, found_b, count * sizeof *found_a);
    const float reaches_m[] = {5, 30, 200};
    for (int i = 0; i < 3; i++) {
        struct geo_near near_a[GEO_FOUND_MAX], near_b[GEO_FOUND_MAX];
        uint32_t near = geo_index_near(a, p, reaches_m[i], near_a, GEO_FOUND_MAX);
        assert_int_equal(near, geo_index_near(b, p, reaches_m[i], near_b, GEO_FOUND_MAX));
        for (uint32_t k = 0; k < near && k < GEO_FOUND_MAX; k++) {
            assert_int_equal(near_a[k].shape, near_b[k].shape);
            float off_m = near_a[k].distance_m - near_b[k].distance_m;
            assert_true(fabsf(off_m) <= 0.001F + 2e-6F * fabsf(near_a[k].distance_m));
        }
    }
}

static void fill(uint64_t *state, const struct random_land *land, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        random_shape(state, land, &made[i]);
        shapes[i] = made[i].shape;
    }
}

/* A few shapes drawn anew, close together or not; the numbers may repeat. */
static uint32_t redraw(uint64_t *state, const struct random_land *land, uint32_t count,
                       struct geo_change changes[8])
{
    uint32_t some = (uint32_t)random_in(state, 1, 8);
    struct random_land here = *land;
    here.centre = shapes[random_in(state, 0, count - 1)].points[0];
    here.reach = land->reach / 20 + 10;
    if (here.centre.lon_e7 > GEO_LON_E7_MAX - here.reach) {
        here = *land;
    }
    for (uint32_t i = 0; i < some; i++) {
        uint32_t number = (uint32_t)random_in(state, 0, count - 1);
        random_shape(state, random_next(state) % 4 == 0 ? land : &here, &made[number]);
        shapes[number] = made[number].shape;
        changes[i] = (struct geo_change){number, &shapes[number]};
    }
    return some;
}

static void a_changed_index_equals_a_new_one_and_leaves_the_old_as_it_was(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    for (uint32_t round = 0; round < 10; round++) {
        const struct random_land *land = &lands[round % 5];
        uint32_t count = (uint32_t)random_in(&state, 2, SHAPES_MAX);
        fill(&state, land, count);
        struct geo_index *index = build(shapes, count);
        for (uint32_t turn = 0; turn < 6; turn++) {
            struct geo_change changes[8];
            struct geo_index *before = build(shapes, count), *old = index;
            uint32_t some = redraw(&state, land, count, changes);
            index = change(old, changes, some);
            struct geo_index *fresh = build(shapes, count);
            must_be_whole(index);
            for (uint32_t i = 0; i < POINTS; i++) {
                struct geo_point p = random_point(&state, land, &shapes[i % count]);
                must_agree(index, fresh, p);
                must_agree(old, before, p);
            }
            geo_index_free(fresh);
            geo_index_free(before);
            geo_index_free(old);
        }
        geo_index_free(index);
    }
}

static void a_shape_can_go_and_another_take_a_number_beyond_the_last(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    fill(&state, &lands[2], 40);
    struct geo_index *index = build(shapes, 40);
    const struct geo_change gone = {7, NULL};
    struct geo_index *less = change(index, &gone, 1);
    random_shape(&state, &lands[2], &made[41]);
    const struct geo_change more = {45, &made[41].shape};
    struct geo_index *then = change(less, &more, 1);
    assert_int_equal(geo_index_shape_count(less), 40);
    assert_int_equal(geo_index_shape_count(then), 46);
    must_be_whole(less);
    must_be_whole(then);
    uint32_t found[GEO_FOUND_MAX], seen = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        const struct geo_shape *about = i % 2 == 0 ? &shapes[7] : &made[41].shape;
        struct geo_point p = random_point(&state, &lands[2], about);
        uint32_t count = geo_index_find(then, p, found);
        bool has_more = false;
        for (uint32_t k = 0; k < count; k++) {
            assert_int_not_equal(found[k], 7);
            has_more |= found[k] == 45;
        }
        assert_int_equal(has_more, geo_shape_covers(&made[41].shape, p));
        seen += has_more;
    }
    assert_true(seen > 0);
    geo_index_free(index); /* the others live on */
    geo_index_free(less);
    must_be_whole(then);
    geo_index_free(then);
}

/* The room for changes ends, and everything is built anew. */
static void a_fence_can_be_changed_for_ever(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    fill(&state, &lands[2], SHAPES_MAX);
    struct geo_index *index = build(shapes, SHAPES_MAX);
    const struct index_store *first = index->store;
    bool moved = false;
    for (uint32_t turn = 0; turn < 3000 && !moved; turn++) {
        const struct geo_change same = {turn % SHAPES_MAX, &shapes[turn % SHAPES_MAX]};
        struct geo_index *next = change(index, &same, 1);
        geo_index_free(index);
        index = next;
        moved = index->store != first;
    }
    assert_true(moved);
    must_be_whole(index);
    struct geo_index *fresh = build(shapes, SHAPES_MAX);
    for (uint32_t i = 0; i < POINTS; i++) {
        must_agree(index, fresh, random_point(&state, &lands[2], &shapes[i % SHAPES_MAX]));
    }
    geo_index_free(fresh);
    geo_index_free(index);
}

static void what_is_no_shape_changes_nothing(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    fill(&state, &lands[1], 10);
    struct geo_index *index = build(shapes, 10), *none = NULL;
    struct geo_shape wrong = shapes[3];
    wrong.point_count = 0;
    const struct geo_change changes[2] = {{1, &shapes[2]}, {3, &wrong}};
    struct status_detail detail;
    assert_int_equal(geo_index_change(index, changes, 2, &none, &detail), STATUS_INVALID);
    assert_non_null(strstr(detail.text, "shape 3: "));
    assert_null(none);
    must_be_whole(index);
    geo_index_free(index);
}

struct reader {
    const struct geo_index *index;
    struct geo_point points[POINTS];
    uint32_t counts[POINTS];
    atomic_bool stop;
    atomic_uint rounds;
    bool agrees;
};

static void *read_on(void *argument)
{
    struct reader *reader = argument;
    uint32_t found[GEO_FOUND_MAX], sets[POINTS];
    reader->agrees = true;
    while (!atomic_load(&reader->stop) || atomic_load(&reader->rounds) == 0) {
        geo_index_find_batch(reader->index, reader->points, POINTS, sets);
        for (uint32_t i = 0; i < POINTS; i++) {
            struct geo_near near[GEO_FOUND_MAX];
            reader->agrees &=
                geo_index_find(reader->index, reader->points[i], found) == reader->counts[i];
            (void)geo_index_near(reader->index, reader->points[i], 20, near, GEO_FOUND_MAX);
        }
        atomic_fetch_add(&reader->rounds, 1);
    }
    return NULL;
}

/* For TSan above all. */
static void readers_of_the_old_index_do_not_notice_that_it_is_changed(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    static struct reader reader;
    fill(&state, &lands[2], SHAPES_MAX);
    struct geo_index *first = build(shapes, SHAPES_MAX), *index = first;
    reader = (struct reader){.index = first};
    for (uint32_t i = 0; i < POINTS; i++) {
        uint32_t found[GEO_FOUND_MAX];
        reader.points[i] = random_point(&state, &lands[2], &shapes[i % SHAPES_MAX]);
        reader.counts[i] = geo_index_find(first, reader.points[i], found);
    }
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_on, &reader), 0);
    for (uint32_t turn = 0; turn < 40; turn++) {
        struct geo_change changes[8];
        uint32_t some = redraw(&state, &lands[2], SHAPES_MAX, changes);
        struct geo_index *next = change(index, changes, some);
        if (index != first) {
            geo_index_free(index);
        }
        index = next;
    }
    atomic_store(&reader.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(reader.agrees && atomic_load(&reader.rounds) > 0);
    geo_index_free(index);
    geo_index_free(first);
}

/* ---- batches ---- */

static void must_batch(const struct geo_index *index, const struct geo_point *points,
                       const float *reaches_m, uint32_t count)
{
    static struct geo_near all[POINTS * GEO_FOUND_MAX];
    static uint32_t sets[POINTS], plain_sets[POINTS], ends[POINTS];
    geo_index_find_batch(index, points, count, plain_sets);
    assert_int_equal(geo_index_near_batch(index, points, reaches_m, count, sets, all,
                                          POINTS * GEO_FOUND_MAX, ends),
                     count);
    assert_memory_equal(sets, plain_sets, count * sizeof *sets);
    for (uint32_t i = 0; i < count; i++) {
        struct geo_near near[GEO_FOUND_MAX];
        uint32_t at = i > 0 ? ends[i - 1] : 0;
        uint32_t total = geo_index_near(index, points[i], reaches_m[i], near, GEO_FOUND_MAX);
        for (uint32_t k = 0; k < total; k++) {
            if (near[k].distance_m <= -reaches_m[i]) { /* only covers it */
                at += at < ends[i] && all[at].shape == near[k].shape;
                continue;
            }
            assert_true(at < ends[i]);
            assert_int_equal(all[at].shape, near[k].shape);
            float off_m = fabsf(all[at++].distance_m - near[k].distance_m);
            assert_true(off_m <= 0.0005F + 2e-6F * fabsf(near[k].distance_m));
        }
        assert_int_equal(at, ends[i]);
    }
}

/* With what the processor has, and without. */
static void batches_equal_single_lookups_in_every_way_they_are_made(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    for (uint32_t round = 0; round < 20; round++) {
        const struct random_land *land = &lands[round % 5];
        uint32_t count = (uint32_t)random_in(&state, 1, SHAPES_MAX);
        struct geo_point points[POINTS];
        float reaches_m[POINTS];
        fill(&state, land, count);
        struct geo_index *index = build(shapes, count);
        for (uint32_t i = 0; i < POINTS; i++) {
            points[i] = random_point(&state, land, &shapes[i % count]);
            reaches_m[i] =
                (float)(round % 2 == 0 ? random_unit(&state) * 32 : random_unit(&state) * 100);
        }
        must_batch(index, points, reaches_m, (uint32_t)random_in(&state, 1, POINTS));
        index->has_avx2 = false;
        must_batch(index, points, reaches_m, POINTS);
        geo_index_free(index);
    }
}

static void a_batch_without_room_tells_how_far_it_came(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    fill(&state, &lands[1], SHAPES_MAX);
    struct geo_index *index = build(shapes, SHAPES_MAX);
    struct geo_point points[POINTS];
    float reaches_m[POINTS];
    uint32_t sets[POINTS], ends[POINTS], done = 0, total = 0, calls = 0;
    static struct geo_near all[POINTS * GEO_FOUND_MAX], some[200];
    for (uint32_t i = 0; i < POINTS; i++) {
        points[i] = random_point(&state, &lands[1], &shapes[i % SHAPES_MAX]);
        reaches_m[i] = 20;
    }
    assert_int_equal(geo_index_near_batch(index, points, reaches_m, POINTS, sets, all,
                                          POINTS * GEO_FOUND_MAX, ends),
                     POINTS);
    uint32_t wanted = ends[POINTS - 1];
    while (done < POINTS) {
        uint32_t answered = geo_index_near_batch(index, points + done, reaches_m, POINTS - done,
                                                 sets, some, 200, ends);
        assert_true(answered > 0);
        for (uint32_t i = 0; i < ends[answered - 1]; i++) { /* by another way, in other roundings */
            assert_int_equal(some[i].shape, all[total + i].shape);
            assert_true(fabsf(some[i].distance_m - all[total + i].distance_m) < 0.0005F);
        }
        total += ends[answered - 1];
        done += answered;
        calls++;
    }
    assert_int_equal(total, wanted);
    assert_true(calls > 1);
    geo_index_free(index);
}

static void lookups_allocate_nothing(void **unused)
{
    (void)unused;
    uint64_t state = random_seed();
    fill(&state, &lands[1], SHAPES_MAX);
    struct geo_index *index = build(shapes, SHAPES_MAX);
    struct geo_point points[64];
    float reaches_m[64];
    uint32_t sets[64], ends[64], found[GEO_FOUND_MAX];
    static struct geo_near near[64 * GEO_FOUND_MAX];
    static struct geo_stretch stretches[256];
    for (uint32_t i = 0; i < 64; i++) {
        points[i] = random_point(&state, &lands[1], &shapes[i]);
        reaches_m[i] = i % 2 == 0 ? 20 : 500;
    }
    unsigned long before = allocations();
    for (uint32_t i = 0; i < 64; i++) {
        (void)geo_index_find(index, points[i], found);
        (void)geo_index_near(index, points[i], reaches_m[i], near, GEO_FOUND_MAX);
        (void)geo_index_way(index, points[0], points[i], stretches, 256, NULL);
    }
    geo_index_find_batch(index, points, 64, sets);
    (void)geo_index_near_batch(index, points, reaches_m, 64, sets, near, 64 * GEO_FOUND_MAX, ends);
    assert_true(allocations() == before);
    geo_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_index_equals_a_new_one_and_leaves_the_old_as_it_was),
        cmocka_unit_test(a_shape_can_go_and_another_take_a_number_beyond_the_last),
        cmocka_unit_test(a_fence_can_be_changed_for_ever),
        cmocka_unit_test(what_is_no_shape_changes_nothing),
        cmocka_unit_test(readers_of_the_old_index_do_not_notice_that_it_is_changed),
        cmocka_unit_test(batches_equal_single_lookups_in_every_way_they_are_made),
        cmocka_unit_test(a_batch_without_room_tells_how_far_it_came),
        cmocka_unit_test(lookups_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
