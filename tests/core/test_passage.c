#include <math.h>

#include "core/evidence.h"
#include "tests/check.h"
#include "tests/core/random.h"
#include "tests/core/town.h"

/* Fixes on the line from west to east, `every_s` apart from second 400 on; the pond lies from 560
 * to 640 east. Returns how many alerts they raised. */
static uint32_t walk(struct town *town, double every_s, double accuracy_m, double north_m,
                     const double *easts_m, uint32_t count)
{
    uint32_t raised = 0;
    for (uint32_t i = 0; i < count; i++) {
        raised += town_fix(town, 1, 400 + every_s * i, north_m, easts_m[i], accuracy_m);
    }
    return raised;
}
#define WALK(town, every_s, accuracy_m, north_m, ...)                                              \
    walk(town, every_s, accuracy_m, north_m, (const double[]){__VA_ARGS__},                        \
         sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static void a_pond_between_two_fixes_is_told_when_the_next_one_bears_them_out(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 420);
    assert_int_equal(WALK(town, 60, 8, 0, 420, 520, 680), 0);
    assert_int_equal(town_fix(town, 1, 580, 0, 760, 8), 1);
    const struct alert *alert = town_last(town);
    assert_int_equal(alert->type, ALERT_DANGER);
    assert_int_equal(alert->fence_no, TOWN_POND_FENCE);
    assert_int_equal(alert->severity, SEVERITY_WARNING);
    /* A quarter of the minute from 520 to 680 east. */
    assert_in_range(alert->time_ms, town_ms(474), town_ms(476));
    assert_int_equal(alert->raised_ms, town_ms(581));
    assert_int_equal(engine_presence(town->engine, 1, TOWN_POND_FENCE), PRESENCE_OUTSIDE);
    assert_int_equal(town_stay(town, 1, 640, 10, 60, 0, 760), 0); /* once */
}

struct told {
    struct engine_reason last;
    uint32_t count;
};

static void take_reason(void *context, const struct engine_reason *reason)
{
    struct told *told = context;
    told->last = *reason;
    told->count++;
}

static void a_passage_is_explained_in_one_step(void **state)
{
    struct town *town = *state;
    struct told told = {.count = 0};
    (void)town_stay(town, 1, 0, 6, 60, 0, 420);
    engine_explain(town->engine, take_reason, &told);
    assert_int_equal(WALK(town, 60, 8, 0, 420, 520, 680, 760), 1);
    const struct alert *alert = town_last(town);
    assert_int_equal(told.count, 1); /* no fix lay in the pond */
    assert_true(told.last.between);
    assert_int_equal(told.last.fence_no, TOWN_POND_FENCE);
    assert_int_equal(told.last.fence_version, 1);
    assert_int_equal(told.last.time_ms, town_ms(580));
    assert_int_equal(told.last.run_ms, alert->time_ms);
    assert_in_range(-told.last.distance_m, 38, 40); /* through its middle */
    assert_int_equal(told.last.lasts_s, 60);
    assert_true(told.last.sum_mn >= told.last.sum_needed_mn);
    assert_int_equal(alert->doubt_e6, evidence_wrong_e6(told.last.sum_mn));
    assert_int_equal(told.last.after, PRESENCE_OUTSIDE);
    engine_explain(town->engine, NULL, NULL);
}

static void one_lying_fix_beyond_the_pond_passes_nothing(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 520);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(town_fix(town, 1, 400 + 240 * i, 0, 680, 2), 0);
        assert_int_equal(town_stay(town, 1, 460 + 240 * i, 1 + i % 3, 60, 0, 520), 0);
    }
}

static void a_fix_that_lies_back_over_the_pond_passes_nothing_on_the_way_on(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 645);
    (void)town_fix(town, 1, 400, 0, 550, 8);
    (void)town_fix(town, 1, 520, 0, 850, 8); /* nothing but the fix at 550 speaks for the pond */
    assert_int_equal(town_fix(town, 1, 640, 0, 900, 8), 0);
}

static void a_way_that_took_too_long_or_too_short_is_not_believed(void **state)
{
    struct town *town = *state;
    static const struct town_fence lake = {7, 1, 0, FENCE_DANGER, 0, 0, 200};
    static const double easts_m[] = {-400, -280, 280, 400};
    town_take_fences(town, town_fences(&lake, 1));
    (void)town_stay(town, 1, 0, 6, 60, 0, -400);
    assert_int_equal(walk(town, 182, 8, 0, easts_m, 4), 0);
    (void)town_stay(town, 1, 2000, 6, 60, 0, -400);
    for (uint32_t i = 0; i < 4; i++) { /* 15 m/s over the lake */
        assert_int_equal(town_fix(town, 1, 2400 + 37 * i, 0, easts_m[i], 8), 0);
    }
    (void)town_stay(town, 1, 4000, 6, 60, 0, -400);
    for (uint32_t i = 0; i < 4; i++) { /* 13.7 m/s */
        assert_int_equal(town_fix(town, 1, 4400 + 41 * i, 0, easts_m[i], 8), i == 3);
    }
}

static void fixes_of_a_few_seconds_share_their_error(void **state)
{
    struct town *town = *state;
    for (uint32_t i = 0; i < 2; i++) { /* in 12 seconds, in 30 */
        (void)town_stay(town, 1, 1000 * i, 6, 60, 0, 420);
        (void)town_fix(town, 1, 1000 * i + 400, 0, 520, 8);
        (void)town_fix(town, 1, 1000 * i + (i == 0 ? 412 : 430), 0, 680, 8);
        assert_int_equal(town_fix(town, 1, 1000 * i + 490, 0, 760, 8), i);
    }
}

static void a_cell_tower_tells_no_way_however_wide_the_lake(void **state)
{
    struct town *town = *state;
    static const struct town_fence lake = {7, 1, 0, FENCE_DANGER, 0, 0, 1000};
    town_take_fences(town, town_fences(&lake, 1));
    static const double accuracies_m[][2] = {{60, 60}, {60, 160}, {160, 60}};
    for (uint32_t i = 0; i < 3; i++) {
        (void)town_stay(town, 1, 2000 * i, 6, 60, 0, -2000);
        (void)town_fix(town, 1, 2000 * i + 400, 0, -1050, accuracies_m[i][0]);
        (void)town_fix(town, 1, 2000 * i + 560, 0, 1050, accuracies_m[i][1]);
        assert_int_equal(town_fix(town, 1, 2000 * i + 660, 0, 2000, 8), i == 0);
    }
}

static void vague_fixes_and_grazed_zones_are_not_enough(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 420);
    assert_int_equal(WALK(town, 60, 60, 0, 420, 520, 680, 760), 0);
    (void)town_stay(town, 1, 2000, 6, 60, 0, 420);
    for (int i = 0; i < 4; i++) { /* ten metres deep at most */
        assert_int_equal(town_fix(town, 1, 2400 + 60 * i, 30, 420 + 110 * i, 8), 0);
    }
    (void)town_stay(town, 1, 4000, 6, 60, 0, 300);
    for (int i = 0; i < 4; i++) { /* so long a way may bend around it */
        assert_int_equal(town_fix(town, 1, 4400 + 60 * i, 0, 0 + 400 * i, 8), 0);
    }
}

static void a_fix_in_the_zone_is_left_to_its_evidence(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 420);
    assert_int_equal(WALK(town, 60, 8, 0, 420, 520, 680, 620, 600, 600), 1); /* back into it */
    assert_in_range(town_last(town)->time_ms, town_ms(521), town_ms(580));
    (void)town_stay(town, 1, 1000, 6, 60, 0, 590);
    (void)town_stay(town, 1, 1400, 6, 60, 0, 420);
    uint32_t before = town->log_count;
    (void)town_fix(town, 1, 1800, 0, 590, 8); /* one fix in it, and on */
    (void)town_fix(town, 1, 1860, 0, 700, 8);
    (void)town_fix(town, 1, 1920, 0, 800, 8);
    assert_int_equal(town->log_count, before);
}

static void a_pupil_who_turns_back_into_the_zone_is_warned_of_once(void **state)
{
    struct town *town = *state;
    static const struct town_fence lake = {7, 1, 0, FENCE_DANGER, 0, 0, 200};
    town_take_fences(town, town_fences(&lake, 1));
    (void)town_stay(town, 1, 0, 6, 60, 150, -400);
    (void)town_fix(town, 1, 400, 150, -140, 8);
    (void)town_fix(town, 1, 460, 150, 140, 8);
    assert_int_equal(town_fix(town, 1, 520, 0, 140, 8), 0);
    assert_int_equal(town_fix(town, 1, 580, 0, 0, 8), 1);
    assert_int_equal(town_stay(town, 1, 640, 5, 60, 0, 0), 0);
}

static void no_zone_inside_of_which_a_pupil_is_known_warns_again(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 420);
    assert_int_equal(town_stay(town, 1, 400, 6, 60, 0, 600), 1);
    (void)town_fix(town, 1, 800, 0, 510, 8); /* not sure yet to be out of it */
    (void)town_fix(town, 1, 808, 0, 520, 8);
    (void)town_fix(town, 1, 860, 0, 680, 8);
    assert_int_equal(town_fix(town, 1, 870, 0, 700, 8), 0);
}

static void zones_that_are_new_or_of_another_school_are_passed_in_silence(void **state)
{
    struct town *town = *state;
    static const struct town_fence zones[] = {{7, 1, 0, FENCE_DANGER, 0, 600, 40},
                                              {8, 1, 2, FENCE_DANGER, 0, 600, 40},
                                              {9, 1, 0, FENCE_PLACE, 0, 600, 40}};
    (void)town_stay(town, 1, 0, 6, 60, 0, 420);
    (void)WALK(town, 60, 8, 0, 420, 520, 680);
    town_take_fences(town, town_fences(zones, 3));
    assert_int_equal(town_fix(town, 1, 580, 0, 760, 8), 0);
    (void)town_stay(town, 1, 700, 6, 60, 0, 760);
    assert_int_equal(town_fix(town, 1, 1060, 0, 680, 8), 0);
    assert_int_equal(town_fix(town, 1, 1120, 0, 520, 8), 0);
    assert_int_equal(town_fix(town, 1, 1180, 0, 420, 8), 1);
    assert_int_equal(town_last(town)->fence_no, 7);
}

static void a_way_past_very_many_zones_looks_at_the_first_ones(void **state)
{
    struct town *town = *state;
    struct town_fence zones[80];
    for (uint32_t i = 0; i < 80; i++) {
        zones[i] = (struct town_fence){10 + i, 1, 0, FENCE_DANGER, 0, 600, 40};
    }
    town_take_fences(town, town_fences(zones, 80));
    (void)town_stay(town, 1, 0, 6, 60, 0, 420);
    assert_int_equal(WALK(town, 60, 8, 0, 420, 520, 680, 760), 63);
}

/* Eight metres of noise on each axis, more or less. */
static double noise_m(uint64_t *random)
{
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        sum += random_below(random, 1601) / 100.0 - 8;
    }
    return sum;
}

static void single_lies_around_a_pond_for_weeks_pass_nothing(void **state)
{
    struct town *town = *state;
    uint64_t random = random_seed();
    bool lied = false;
    for (uint32_t i = 0; i < 30000; i++) {
        lied = !lied && random_below(&random, 5) == 0;
        double lie_m = lied ? 500 : 0, angle = random_below(&random, 6283) / 1000.0;
        double far_m = lie_m * random_below(&random, 1000) / 1000;
        (void)town_fix(town, 1, 60.0 * i, noise_m(&random) + far_m * sin(angle),
                       500 + noise_m(&random) + far_m * cos(angle), 8);
    }
    assert_int_equal(town->log_count, 0);
}

/* Straight through the pond within 10 m of its middle, at 1.6 to 2.6 m/s, no true place in it. */
static void most_who_cross_a_pond_between_two_fixes_are_warned_once(void **state)
{
    struct town *town = *state;
    uint64_t random = random_seed();
    uint32_t warned = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        double at_s = 10000.0 * i, way_m = 96 + random_below(&random, 61);
        double north_m = random_below(&random, 21) - 10.0;
        double first_m = 560 - random_below(&random, (uint32_t)way_m - 80) - 2 * way_m;
        uint32_t before = town->log_count;
        (void)town_stay(town, 1, at_s, 6, 60, north_m, first_m);
        for (uint32_t k = 1; k < 10; k++) {
            (void)town_fix(town, 1, at_s + 300 + 60 * k, north_m + noise_m(&random),
                           first_m + way_m * k + noise_m(&random), 8);
        }
        assert_true(town->log_count - before <= 1);
        warned += town->log_count - before;
    }
    print_message("%u of 1000\n", warned);
    assert_true(warned > 500);
}

/* A round fence of so many corners. */
static struct fence_set *drawn(uint32_t corners)
{
    static const struct town_fence circle = {7, 1, 0, FENCE_PLACE, 0, 0, 100};
    struct fence_set *set = town_fences(&circle, 1);
    struct geo_point *points = arena_array(&set->arena, corners, sizeof *points);
    uint32_t *end = arena_alloc(&set->arena, sizeof *end);
    for (uint32_t i = 0; i < corners; i++) {
        double angle = 6.283185307 * i / corners;
        points[i] = town_point(100 * cos(angle), 100 * sin(angle));
    }
    *end = corners;
    set->shapes[0] = (struct geo_shape){.kind = GEO_POLYGON,
                                        .point_count = corners,
                                        .ring_count = 1,
                                        .points = points,
                                        .ring_ends = end};
    geo_shape_set_bounds(&set->shapes[0]);
    geo_index_free(set->index);
    struct status_detail detail;
    assert_int_equal(geo_index_new(set->shapes, 1, &set->index, &detail), STATUS_OK);
    return set;
}

static void the_moment_in_a_fence_of_very_many_corners_is_that_of_the_fix(void **state)
{
    struct town *town = *state;
    for (uint32_t i = 0; i < 2; i++) {
        town_take_fences(town, drawn(CROSSING_POINTS_MAX + i));
        (void)town_stay(town, 1, 2000 * i, 6, 60, 300, 0);
        assert_int_equal(town_stay(town, 1, 2000 * i + 360, 9, 60, 0, 0), 1);
        double crossed_s = 2000 * i + (i == 0 ? 340 : 360); /* two thirds of the minute */
        assert_in_range(town_last(town)->time_ms, town_ms(crossed_s - 0.1),
                        town_ms(crossed_s + 0.1));
        (void)town_stay(town, 1, 2000 * i + 900, 13, 60, 300, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, town_setup, town_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_pond_between_two_fixes_is_told_when_the_next_one_bears_them_out),
        TEST(a_passage_is_explained_in_one_step),
        TEST(one_lying_fix_beyond_the_pond_passes_nothing),
        TEST(a_fix_that_lies_back_over_the_pond_passes_nothing_on_the_way_on),
        TEST(a_way_that_took_too_long_or_too_short_is_not_believed),
        TEST(fixes_of_a_few_seconds_share_their_error),
        TEST(a_cell_tower_tells_no_way_however_wide_the_lake),
        TEST(vague_fixes_and_grazed_zones_are_not_enough),
        TEST(a_fix_in_the_zone_is_left_to_its_evidence),
        TEST(a_pupil_who_turns_back_into_the_zone_is_warned_of_once),
        TEST(no_zone_inside_of_which_a_pupil_is_known_warns_again),
        TEST(zones_that_are_new_or_of_another_school_are_passed_in_silence),
        TEST(a_way_past_very_many_zones_looks_at_the_first_ones),
        TEST(single_lies_around_a_pond_for_weeks_pass_nothing),
        TEST(most_who_cross_a_pond_between_two_fixes_are_warned_once),
        TEST(the_moment_in_a_fence_of_very_many_corners_is_that_of_the_fix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
