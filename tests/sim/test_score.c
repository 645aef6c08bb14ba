#include "tests/check.h"

#include "sim/score.h"

enum { MINUTE_MS = 60000 };

static struct score result;

static struct score_mark mark(uint32_t fence_no, enum score_type type, int64_t minute,
                              int64_t raised_minute)
{
    return (struct score_mark){.pupil_no = 1,
                               .fence_no = fence_no,
                               .type = (uint8_t)type,
                               .time_ms = minute * MINUTE_MS,
                               .earliest_ms = (minute - 1) * MINUTE_MS,
                               .latest_ms = (minute + 1) * MINUTE_MS,
                               .raised_ms = raised_minute * MINUTE_MS};
}

static const struct score_kind *scored(struct score_mark *crossings, uint32_t crossing_count,
                                       struct score_mark *alerts, uint32_t alert_count,
                                       enum score_type type)
{
    score(crossings, crossing_count, alerts, alert_count, MINUTE_MS, &result);
    return &result.kinds[type];
}

static void an_alert_soon_after_a_crossing_finds_it_and_another_is_double(void **state)
{
    (void)state;
    struct score_mark crossings[] = {mark(1, SCORE_ENTERED, 100, 0)};
    struct score_mark alerts[] = {mark(1, SCORE_ENTERED, 105, 107),
                                  mark(1, SCORE_ENTERED, 101, 103)};
    const struct score_kind *kind = scored(crossings, 1, alerts, 2, SCORE_ENTERED);
    assert_int_equal(kind->found, 1);
    assert_int_equal(kind->doubled, 1);
    assert_int_equal(kind->wrong, 0);
    assert_false(alerts[0].wrong || alerts[1].wrong);
    assert_int_equal(kind->missed, 0);
    assert_int_equal(kind->delays_ms.max, 3 * MINUTE_MS);
}

static void a_crossing_is_missed_when_fence_direction_or_time_differ(void **state)
{
    (void)state;
    struct score_mark crossings[] = {mark(1, SCORE_LEFT, 100, 0)};
    struct score_mark alerts[] = {
        mark(2, SCORE_LEFT, 100, 101), mark(1, SCORE_ENTERED, 100, 101),
        mark(1, SCORE_LEFT, 112, 122), /* too late */
        mark(1, SCORE_LEFT, 88, 101),  /* too early */
        mark(1, SCORE_LEFT, 98, 99),   /* raised before it happened */
    };
    const struct score_kind *kind = scored(crossings, 1, alerts, 5, SCORE_LEFT);
    assert_int_equal(kind->crossings, 1);
    assert_int_equal(kind->found, 0);
    assert_int_equal(kind->missed, 1);
    assert_int_equal(kind->wrong, 4);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(alerts[i].wrong);
    }
    assert_int_equal(result.kinds[SCORE_ENTERED].wrong, 1);
}

static void a_crossing_undone_at_once_is_brief_and_its_alert_not_false(void **state)
{
    (void)state;
    struct score_mark crossings[] = {mark(1, SCORE_DANGER, 100, 0), mark(1, SCORE_NONE, 100, 0),
                                     mark(1, SCORE_DANGER, 200, 0), mark(1, SCORE_NONE, 201, 0)};
    crossings[1].time_ms += MINUTE_MS - 1;
    struct score_mark alerts[] = {mark(1, SCORE_DANGER, 100, 101)};
    const struct score_kind *kind = scored(crossings, 4, alerts, 1, SCORE_DANGER);
    assert_int_equal(kind->brief, 1);
    assert_int_equal(kind->of_brief, 1);
    assert_int_equal(kind->wrong, 0);
    assert_int_equal(kind->crossings, 1);
    assert_int_equal(kind->missed, 1);
}

static void a_row_holds_what_its_head_names_and_no_figure_of_nothing(void **state)
{
    (void)state;
    struct score_mark crossings[] = {mark(1, SCORE_ENTERED, 100, 0),
                                     mark(1, SCORE_ENTERED, 200, 0)};
    struct score_mark alerts[] = {mark(1, SCORE_ENTERED, 101, 103)};
    (void)scored(crossings, 2, alerts, 1, SCORE_ENTERED);
    struct buffer table;
    buffer_init(&table, 1024);
    score_head(&table);
    buffer_text(&table, "\n");
    score_row(&result, SCORE_ENTERED, &table);
    buffer_text(&table, "\n");
    score_row(&result, SCORE_DANGER, &table);
    assert_string_equal(buffer_cstr(&table),
                        "kind         true found %  missed  brief   false  double delay 50       90"
                        "   99 % s  dated s\n"
                        "entered         2   50.00       1      0       0       0      180      180"
                        "      180       60\n"
                        "danger          0       -       0      0       0       0        -        -"
                        "        -        -");
    buffer_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alert_soon_after_a_crossing_finds_it_and_another_is_double),
        cmocka_unit_test(a_crossing_is_missed_when_fence_direction_or_time_differ),
        cmocka_unit_test(a_crossing_undone_at_once_is_brief_and_its_alert_not_false),
        cmocka_unit_test(a_row_holds_what_its_head_names_and_no_figure_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
