#include "core/event.h"

#include <string.h>

#include "core/limits.h"
#include "tests/check.h"
#include "tests/core/random.h"

#define ARRIVAL_MS INT64_C(1772409600000)

static void assert_taken(int64_t time_ms, int64_t taken_ms, uint8_t flags)
{
    struct event event = {.flags = EVENT_HAS_BATTERY};
    assert_true(event_take_time(&event, time_ms, ARRIVAL_MS));
    assert_int_equal(event.time_ms, taken_ms);
    assert_int_equal(event.flags, EVENT_HAS_BATTERY | flags);
}

static void a_clock_ahead_is_set_to_the_arrival_and_marked(void **state)
{
    (void)state;
    assert_taken(ARRIVAL_MS - 86400000, ARRIVAL_MS - 86400000, 0);
    assert_taken(TIME_MS_MIN, TIME_MS_MIN, 0);
    assert_taken(ARRIVAL_MS + TIME_AHEAD_MS_TRUSTED, ARRIVAL_MS + TIME_AHEAD_MS_TRUSTED, 0);
    assert_taken(ARRIVAL_MS + TIME_AHEAD_MS_TRUSTED + 1, ARRIVAL_MS, EVENT_CLOCK_AHEAD);
    assert_taken(ARRIVAL_MS + TIME_AHEAD_MS_MAX, ARRIVAL_MS, EVENT_CLOCK_AHEAD);
}

static void what_is_no_time_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    const int64_t bad[] = {TIME_MS_MIN - 1, 0, INT64_MIN, ARRIVAL_MS + TIME_AHEAD_MS_MAX + 1,
                           INT64_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct event event = {.time_ms = 5}, before;
        memcpy(&before, &event, sizeof event);
        assert_false(event_take_time(&event, bad[i], ARRIVAL_MS));
        assert_memory_equal(&event, &before, sizeof event);
    }
}

static void events_are_ordered_by_time_and_equal_ones_stay(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    static struct event events[REPORT_EVENTS_MAX];
    for (uint32_t round = 0; round < 500; round++) {
        uint32_t count = random_below(&random, REPORT_EVENTS_MAX + 1);
        bool seen[REPORT_EVENTS_MAX] = {false};
        uint16_t order[REPORT_EVENTS_MAX];
        for (uint32_t i = 0; i < count; i++) {
            events[i].time_ms = random_below(&random, 40);
        }
        const struct report report = {.event_count = count, .events = events};
        report_order(&report, order);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(order[i] < count && !seen[order[i]]);
            seen[order[i]] = true;
            const struct event *before = &events[order[i > 0 ? i - 1 : 0]], *at = &events[order[i]];
            assert_true(i == 0 || before->time_ms < at->time_ms ||
                        (before->time_ms == at->time_ms && order[i - 1] < order[i]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_ahead_is_set_to_the_arrival_and_marked),
        cmocka_unit_test(what_is_no_time_is_refused_and_changes_nothing),
        cmocka_unit_test(events_are_ordered_by_time_and_equal_ones_stay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
