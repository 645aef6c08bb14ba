/* The truth that rules are held against on real traces: stays found in made traces, and a made file of
 * traces through the engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/presence_traces.h"
#include "tests/check.h"

enum { MADE_MAX = 1000, STAYS_MAX = 16, E7_PER_M = 90 }; /* a metre north is 89.9 of them */
#define MADE_START_MS 1772409600000

struct made {
    struct stay_fix fixes[MADE_MAX];
    uint32_t count;
    struct stay stays[STAYS_MAX];
    struct geo_point places[STAYS_MAX];
    uint32_t stay_count;
};

static void fix(struct made *made, double minute, int north_m, uint32_t accuracy_m)
{
    assert_true(made->count < MADE_MAX);
    made->fixes[made->count++] =
        (struct stay_fix){.time_ms = MADE_START_MS + (int64_t)(minute * 60000),
                          .point = {north_m * E7_PER_M + 360000000, 1130000000},
                          .accuracy_cm = accuracy_m * 100};
}

/* A fix a minute, up to 20 m about the place. */
static void stay(struct made *made, int from_minute, int to_minute, int north_m)
{
    for (int i = from_minute; i < to_minute; i++) {
        fix(made, i, north_m + (i * 13) % 41 - 20, 30);
    }
}

/* From one place to the other at an even pace. */
static void walk(struct made *made, int from_minute, int to_minute, int from_m, int to_m)
{
    for (int i = from_minute; i < to_minute; i++) {
        fix(made, i, from_m + (to_m - from_m) * (i - from_minute) / (to_minute - from_minute), 20);
    }
}

static uint32_t find(struct made *made)
{
    made->count = stays_usable(made->fixes, made->count);
    made->stay_count = stays_find(made->fixes, made->count, made->stays, STAYS_MAX);
    (void)stays_places(made->stays, made->stay_count, made->places);
    made->stay_count = stays_join(made->stays, made->stay_count, made->fixes, made->places);
    return made->stay_count;
}

static void assert_minutes(const struct stay *stay, int from, int to)
{
    assert_int_equal((stay->from_ms - MADE_START_MS) / 60000, from);
    assert_int_equal((stay->to_ms - MADE_START_MS) / 60000, to);
}

static void two_stays_with_noise_between_are_two(void **state)
{
    (void)state;
    struct made made = {0};
    stay(&made, 0, 30, 0);
    walk(&made, 30, 50, 200, 3000);
    fix(&made, 40.5, 90000, 900); /* too vague to count */
    stay(&made, 50, 90, 3200);
    assert_int_equal(find(&made), 2);
    assert_minutes(&made.stays[0], 0, 29);
    assert_minutes(&made.stays[1], 50, 89);
    assert_int_equal(made.stays[0].fix_count, 30);
    assert_int_not_equal(made.stays[0].place, made.stays[1].place);
}

static void a_lie_in_the_middle_cuts_no_stay(void **state)
{
    (void)state;
    struct made made = {0};
    stay(&made, 0, 20, 0);
    for (int i = 20; i < 24; i++) {
        fix(&made, i, 700, 10);
    }
    stay(&made, 24, 40, 0);
    fix(&made, 40, -2000, 5);
    stay(&made, 41, 60, 0);
    assert_int_equal(find(&made), 1);
    assert_minutes(&made.stays[0], 0, 59);
}

static void two_fixes_elsewhere_cut_no_stay(void **state)
{
    (void)state;
    struct made made = {0};
    stay(&made, 0, 20, 0);
    fix(&made, 23, 700, 10);
    fix(&made, 26, 800, 10);
    stay(&made, 29, 40, 0);
    assert_int_equal(find(&made), 1);
}

static void vague_fixes_cut_no_stay(void **state)
{
    (void)state;
    struct made made = {0};
    stay(&made, 0, 20, 0);
    for (int i = 20; i < 40; i++) {
        fix(&made, i, 700, 101);
    }
    stay(&made, 40, 60, 0);
    assert_int_equal(find(&made), 1);
}

static void twelve_minutes_elsewhere_make_two_stays_at_one_place(void **state)
{
    (void)state;
    struct made made = {0};
    stay(&made, 0, 20, 0);
    walk(&made, 20, 32, 300, 310); /* a shop, 12 minutes */
    stay(&made, 32, 60, 10);
    assert_int_equal(find(&made), 3);
    assert_int_equal(made.stays[0].place, made.stays[2].place);
    assert_int_not_equal(made.stays[0].place, made.stays[1].place);
}

static void a_gap_belongs_to_the_stay_less_the_way_on_foot(void **state)
{
    (void)state;
    struct made made = {0};
    stay(&made, 0, 5, 0);
    walk(&made, 65, 80, 840, 4000); /* 840 m on foot are 10 minutes */
    assert_int_equal(find(&made), 1);
    assert_true(made.stays[0].to_ms > MADE_START_MS + INT64_C(53) * 60000);
    assert_true(made.stays[0].to_ms < MADE_START_MS + INT64_C(56) * 60000);
}

static void a_gap_at_one_place_cuts_no_stay(void **state)
{
    (void)state;
    struct made made = {0};
    stay(&made, 0, 5, 0);
    stay(&made, 200, 205, 10);
    walk(&made, 205, 220, 300, 4000);
    assert_int_equal(find(&made), 1);
}

static void a_phone_that_is_off_for_a_day_tells_no_stay(void **state)
{
    (void)state;
    struct made made = {0};
    stay(&made, 0, 5, 0);
    walk(&made, 1500, 1520, 840, 9000);
    assert_int_equal(find(&made), 0);
}

static void silence_at_the_end_is_a_stay(void **state)
{
    (void)state;
    struct made made = {0};
    walk(&made, 0, 20, 5000, 300);
    stay(&made, 20, 25, 0);
    assert_int_equal(find(&made), 1);
    assert_minutes(&made.stays[0], 20, 24);
}

static void a_minute_before_a_silence_is_no_stay(void **state)
{
    (void)state;
    struct made made = {0};
    for (int i = 0; i < 6; i++) {
        fix(&made, i / 6.0, i, 10);
    }
    walk(&made, 60, 80, 300, 6000);
    assert_int_equal(find(&made), 0);
}

static void a_fix_told_twice_counts_once(void **state)
{
    (void)state;
    struct made made = {0};
    for (int i = 0; i < 6; i++) {
        fix(&made, i - i % 2, i - i % 2, 10); /* three moments, each twice */
    }
    walk(&made, 60, 80, 300, 6000);
    assert_int_equal(find(&made), 0);
}

static void a_short_stop_is_no_stay(void **state)
{
    (void)state;
    struct made made = {0};
    walk(&made, 0, 20, 8000, 300);
    stay(&made, 20, 29, 0);
    walk(&made, 29, 49, -300, -8000);
    assert_int_equal(find(&made), 0);
}

/* A train goes by while every second fix repeats one old place. */
static void one_place_told_again_and_again_on_the_way_is_no_stay(void **state)
{
    (void)state;
    struct made made = {0};
    for (int i = 0; i < 40; i++) {
        fix(&made, i, i % 2 == 0 ? 0 : 20000 - i * 900, 30);
    }
    walk(&made, 40, 60, -20000, -40000);
    assert_int_equal(find(&made), 0);
}

/* Two groups of one place: joined as they are, not with a quarter of an hour elsewhere between. */
static void groups_of_one_place_are_one_visit_unless_it_was_left(void **state)
{
    (void)state;
    struct made made = {0};
    stay(&made, 0, 20, 0);
    walk(&made, 20, 35, 400, 500);
    stay(&made, 35, 60, 60);
    const struct geo_point place = {30 * E7_PER_M + 360000000, 1130000000};
    const struct stay first = {.first = 0, .last = 19, .fix_count = 20};
    struct stay left[2] = {first, {.first = 35, .last = 59, .fix_count = 25}};
    assert_int_equal(stays_join(left, 2, made.fixes, &place), 2);
    struct stay near[2] = {first, {.first = 20, .last = 34, .fix_count = 15}};
    assert_int_equal(stays_join(near, 2, made.fixes, &place), 1);
    assert_int_equal(near[0].last, 34);
    assert_int_equal(near[0].fix_count, 35);
    struct stay apart[2] = {first, {.first = 20, .last = 34, .fix_count = 15, .place = 1}};
    assert_int_equal(stays_join(apart, 2, made.fixes, &place), 2);
}

/* ---- a file ---- */

static void write_line(FILE *file, double minute, int north_m)
{
    double at_s = 1772409600 + minute * 60;
    (void)fprintf(file, "m1,made,android,%.3f,%.3f,%.7f,113.0,8,0,time\n", at_s, at_s + 1,
                  36 + north_m * 9e-6);
}

/* An hour at a place, half an hour three kilometres away, an hour at the first place. */
static void write_day(FILE *file)
{
    (void)fputs("dev,source_case,platform,fix_ts,write_ts,lat,lon,accuracy_m,speed_mps,filter\n",
                file);
    (void)fputs("m1,made,android,86400,1772409600,36,113,8,0,time\n", file); /* clock of 1970 */
    for (int i = 0; i < 300; i++) {
        int north_m = i < 120 ? 0 : i < 130 ? (i - 119) * 300 : i < 190 ? 3300 : 0;
        write_line(file, i / 2.0, north_m);
    }
}

static void a_clear_day_raises_two_events_a_stay(void **state)
{
    (void)state;
    char path[] = "/tmp/traces-XXXXXX";
    int handle = mkstemp(path);
    assert_true(handle >= 0);
    FILE *file = fdopen(handle, "w");
    assert_non_null(file);
    write_day(file);
    assert_int_equal(fclose(file), 0);
    struct traces *traces = calloc(1, sizeof *traces);
    assert_non_null(traces);
    struct status_detail detail;
    assert_int_equal(traces_run(traces, path, &detail), STATUS_OK);
    (void)unlink(path);
    const struct trace *trace = &traces->items[0];
    assert_int_equal(traces->count, 1);
    assert_int_equal(trace->fix_count, 300);
    assert_int_equal(trace->stay_count, 3);
    assert_int_equal(traces->place_count, 2);
    for (uint32_t rule = 0; rule <= RULES; rule++) {
        assert_int_equal(trace->raised[rule], 6);
        assert_int_equal(trace->found[rule], 3);
    }
    traces_release(traces);
    free(traces);
}

static void an_absent_file_is_not_found(void **state)
{
    (void)state;
    struct traces *traces = calloc(1, sizeof *traces);
    assert_non_null(traces);
    struct status_detail detail;
    assert_int_equal(traces_run(traces, "/nonexistent/traces.csv", &detail), STATUS_NOT_FOUND);
    free(traces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_stays_with_noise_between_are_two),
        cmocka_unit_test(a_lie_in_the_middle_cuts_no_stay),
        cmocka_unit_test(two_fixes_elsewhere_cut_no_stay),
        cmocka_unit_test(vague_fixes_cut_no_stay),
        cmocka_unit_test(twelve_minutes_elsewhere_make_two_stays_at_one_place),
        cmocka_unit_test(a_gap_belongs_to_the_stay_less_the_way_on_foot),
        cmocka_unit_test(a_gap_at_one_place_cuts_no_stay),
        cmocka_unit_test(a_phone_that_is_off_for_a_day_tells_no_stay),
        cmocka_unit_test(silence_at_the_end_is_a_stay),
        cmocka_unit_test(a_minute_before_a_silence_is_no_stay),
        cmocka_unit_test(a_fix_told_twice_counts_once),
        cmocka_unit_test(a_short_stop_is_no_stay),
        cmocka_unit_test(one_place_told_again_and_again_on_the_way_is_no_stay),
        cmocka_unit_test(groups_of_one_place_are_one_visit_unless_it_was_left),
        cmocka_unit_test(a_clear_day_raises_two_events_a_stay),
        cmocka_unit_test(an_absent_file_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
