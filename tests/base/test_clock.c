#include <string.h>

#include "base/clock.h"
#include "tests/check.h"

static int64_t parsed(const char *text)
{
    int64_t time_ms = INT64_MIN;
    return clock_parse(text, strlen(text), &time_ms) == STATUS_OK ? time_ms : INT64_MIN;
}

static void rfc3339_in_its_forms_is_read(void **state)
{
    (void)state;
    assert_int_equal(parsed("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(parsed("2015-12-11T15:43:13.000+01:00"), 1449844993000);
    assert_int_equal(parsed("2016-05-27T10:08:47.8Z"), 1464343727800);
    assert_int_equal(parsed("2019-01-25 20:00:16.178999901"), 1548446416178);
    assert_int_equal(parsed("2024-02-29T23:59:60Z"), 1709251200000);
    assert_int_equal(parsed("2026-11-23T08:00:00-0530"), 1795440600000);
}

static void unix_seconds_are_read(void **state)
{
    (void)state;
    assert_int_equal(parsed("1437578093.881"), 1437578093881);
    assert_int_equal(parsed("-1.5"), -1500);
    assert_int_equal(parsed("0"), 0);
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "x",
                                      "2026-13-01T00:00:00Z",
                                      "2026-02-29T00:00:00Z",
                                      "2026-01-01",
                                      "1.",
                                      "1e9",
                                      "2026-01-01T24:00:00Z",
                                      "2026-01-01T00:00:00X",
                                      "1234567890123",
                                      "12:00:00Z",
                                      "2026-01-01T00:00:00+24:00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(parsed(bad[i]) == INT64_MIN);
    }
}

static void printing_and_reading_agree_over_centuries(void **state)
{
    (void)state;
    for (int64_t time_ms = -60000000000000; time_ms < 250000000000000; time_ms += 86399123457) {
        char text[CLOCK_TEXT_MAX];
        clock_format_rfc3339(time_ms, text);
        assert_int_equal(parsed(text), time_ms);
    }
}

static void a_pace_runs_from_its_origin_as_fast_as_it_says(void **state)
{
    (void)state;
    const struct clock_pace pace = {
        .origin_ms = 1772500000000, .start_ms = 1772380800000, .speed = 120};
    assert_int_equal(clock_pace_ms(&pace, 1772500000000000), 1772380800000);
    assert_int_equal(clock_pace_ms(&pace, 1772500000500000), 1772380860000);
    /* finer than the real clock's milliseconds, and there before the origin too */
    assert_int_equal(clock_pace_ms(&pace, 1772500000000025), 1772380800003);
    assert_int_equal(clock_pace_ms(&pace, 1772499999000000), 1772380680000);
}

/* What a restart or another process with the same settings depends on. */
static void the_wall_clock_follows_the_pace_and_the_real_one_does_not(void **state)
{
    (void)state;
    const int64_t origin_ms = clock_real_ms() - 1000;
    const struct clock_pace pace = {.origin_ms = origin_ms, .start_ms = 1000000, .speed = 1000};
    clock_set_pace(&pace);
    int64_t before_ms = clock_real_ms(), paced_ms = clock_wall_ms(), after_ms = clock_real_ms() + 1;
    clock_set_pace(&(struct clock_pace){.speed = 1});
    assert_true(paced_ms >= 1000000 + (before_ms - origin_ms) * 1000);
    assert_true(paced_ms <= 1000000 + (after_ms - origin_ms) * 1000);
    assert_true(before_ms >= origin_ms + 1000 && clock_wall_ms() >= before_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3339_in_its_forms_is_read),
        cmocka_unit_test(unix_seconds_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(printing_and_reading_agree_over_centuries),
        cmocka_unit_test(a_pace_runs_from_its_origin_as_fast_as_it_says),
        cmocka_unit_test(the_wall_clock_follows_the_pace_and_the_real_one_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
