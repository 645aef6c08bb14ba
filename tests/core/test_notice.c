#include "tests/check.h"
#include "tests/core/town.h"

static void a_pass_is_told_once_however_often_it_is_read(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_pass(town, 1, 0, 1, PASS_IN), 1);
    assert_int_equal(town_last(town)->type, ALERT_GATE_PASS);
    assert_int_equal(town_last(town)->gate_no, 1);
    assert_int_equal(town_last(town)->direction, PASS_IN);
    assert_int_equal(town_last(town)->pupil_no, 1);
    for (int i = 1; i < 10; i++) { /* the card lies on the reader */
        assert_int_equal(town_pass(town, 1, 8 * i, 1, PASS_IN), 0);
    }
    assert_int_equal(town_pass(town, 1, 70, 1, PASS_IN), 0); /* read before the last one */
    assert_int_equal(town_pass(town, 1, 90, 1, PASS_IN), 1);
}

static void another_gate_direction_or_card_is_another_pass(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_pass(town, 1, 0, 1, PASS_IN), 1);
    assert_int_equal(town_pass(town, 1, 2, 1, PASS_OUT), 1);
    assert_int_equal(town_pass(town, 1, 4, 2, PASS_OUT), 1);
    assert_int_equal(town_pass(town, 3, 4, 2, PASS_OUT), 1);
    assert_int_equal(town_pass(town, 3, 5, 9, PASS_OUT), 1); /* a gate that is gone since */
}

static void an_sos_is_told_always_and_at_once(void **state)
{
    struct town *town = *state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(town_signal(town, 1, i, SIGNAL_SOS), 1);
        assert_int_equal(town_last(town)->type, ALERT_SOS);
        assert_int_equal(town_last(town)->severity, SEVERITY_CRITICAL);
        assert_int_equal(town_last(town)->time_ms, town_ms(i));
    }
}

static void an_sos_of_a_card_that_nobody_knows_is_told(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_signal(town, 7000000, 0, SIGNAL_SOS), 1);
    assert_int_equal(town_last(town)->card_no, 7000000);
    assert_int_equal(town_last(town)->pupil_no, 0);
    assert_int_equal(town_signal(town, 0, 0, SIGNAL_SOS), 1);
    struct directory *other = town_directory(1);
    other->cards[4].pupil_no = 0; /* issued to nobody */
    town_take_directory(town, other);
    assert_int_equal(town_signal(town, 4, 0, SIGNAL_SOS), 1);
    assert_int_equal(town_last(town)->school_no, 2);
    struct engine_stats stats;
    engine_stats(town->engine, &stats);
    assert_int_equal(stats.unassigned, 3);
}

static void an_sos_told_before_it_is_durable_is_the_one_that_its_step_raises(void **state)
{
    struct town *town = *state;
    (void)town_fix(town, 1, 0, 10, 10, 8);
    const struct event sos = {.time_ms = town_ms(2),
                              .card_no = 1,
                              .type = EVENT_SIGNAL,
                              .kind = SIGNAL_SOS,
                              .flags = EVENT_NO_POSITION};
    const struct origin origin = {.kind = ORIGIN_CARD, .no = 1, .seq = town->seq + 1};
    const struct engine_input input = {
        .type = INPUT_EVENT, .now_ms = town_ms(3), .u.event = {.origin = &origin, .event = &sos}};
    struct alert alerts[STEP_ALERTS_MAX];
    struct outbox outbox = {alerts, 0, STEP_ALERTS_MAX};
    engine_tell_sos(town->engine, &input, &outbox);
    engine_tell_sos(town->engine, &input, &(struct outbox){alerts + 1, 0, STEP_ALERTS_MAX - 1});
    assert_int_equal(outbox.count, 1);
    assert_memory_equal(&alerts[0], &alerts[1], sizeof alerts[0]); /* nothing was changed by it */
    assert_int_equal(town_step(town, &sos, 1), 1);
    assert_memory_equal(&alerts[0], town_last(town), sizeof alerts[0]);
    struct engine_stats stats;
    engine_stats(town->engine, &stats);
    assert_int_equal(stats.alerts[ALERT_SOS], 1);
}

static void an_sos_without_position_carries_the_last_one(void **state)
{
    struct town *town = *state;
    (void)town_signal(town, 1, 0, SIGNAL_SOS);
    assert_false(town_last(town)->has_position);
    (void)town_fix(town, 1, 10, 123, 45, 12);
    (void)town_signal(town, 1, 20, SIGNAL_SOS);
    assert_true(town_last(town)->has_position);
    assert_int_equal(town_last(town)->point.lat_e7, town_point(123, 45).lat_e7);
    assert_int_equal(town_last(town)->accuracy_cm, 1200);
    struct event own = {.time_ms = town_ms(30),
                        .card_no = 1,
                        .type = EVENT_SIGNAL,
                        .kind = SIGNAL_SOS,
                        .point = town_point(7, 8)};
    (void)town_step(town, &own, 1);
    assert_int_equal(town_last(town)->point.lat_e7, town_point(7, 8).lat_e7);
}

static void low_battery_is_told_once_until_charged_or_half_a_day_later(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_signal(town, 1, 0, SIGNAL_LOW_BATTERY), 1);
    assert_int_equal(town_last(town)->type, ALERT_LOW_BATTERY);
    assert_int_equal(town_last(town)->battery_pct, 255);
    assert_int_equal(town_signal(town, 1, 3600, SIGNAL_LOW_BATTERY), 0);
    assert_int_equal(town_signal(town, 1, 43201, SIGNAL_LOW_BATTERY), 1);
    struct event fix = town_fix_at(1, 50000, 0, 0, 5);
    fix.flags |= EVENT_HAS_BATTERY;
    fix.battery_pct = 30;
    (void)town_step(town, &fix, 1);
    assert_int_equal(town_signal(town, 1, 50001, SIGNAL_LOW_BATTERY), 0); /* 30 is not above 30 */
    fix.battery_pct = 31;
    fix.time_ms = town_ms(40000); /* from before the alert: it says nothing of now */
    (void)town_step(town, &fix, 1);
    assert_int_equal(town_signal(town, 1, 50002, SIGNAL_LOW_BATTERY), 0);
    fix.time_ms = town_ms(50003);
    (void)town_step(town, &fix, 1);
    assert_int_equal(town_signal(town, 1, 50004, SIGNAL_LOW_BATTERY), 1);
}

static void removed_and_powered_off_are_told_once_in_ten_minutes(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_signal(town, 1, 0, SIGNAL_REMOVED), 1);
    assert_int_equal(town_last(town)->type, ALERT_REMOVED);
    assert_int_equal(town_signal(town, 1, 60, SIGNAL_POWERED_OFF), 1);
    assert_int_equal(town_last(town)->type, ALERT_POWERED_OFF);
    assert_int_equal(town_signal(town, 1, 599, SIGNAL_REMOVED), 1); /* it is on again */
    assert_int_equal(town_last(town)->type, ALERT_HEARD);
    assert_int_equal(town_signal(town, 1, 601, SIGNAL_REMOVED), 1);
    assert_int_equal(town_signal(town, 1, 659, SIGNAL_POWERED_OFF), 0);
    assert_int_equal(town_signal(town, 3, 659, SIGNAL_POWERED_OFF), 1);
    struct engine_stats stats;
    engine_stats(town->engine, &stats);
    assert_int_equal(stats.held_signals, 2);
}

static void kinds_of_a_later_version_are_passed_over(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_signal(town, 1, 0, (enum signal_kind)77), 0);
    struct event event = {.type = 99, .card_no = 1, .time_ms = town_ms(0)};
    assert_int_equal(town_step(town, &event, 0), 0);
    event.type = EVENT_CALL;
    assert_int_equal(town_step(town, &event, 0), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, town_setup, town_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_pass_is_told_once_however_often_it_is_read),
        TEST(another_gate_direction_or_card_is_another_pass),
        TEST(an_sos_is_told_always_and_at_once),
        TEST(an_sos_of_a_card_that_nobody_knows_is_told),
        TEST(an_sos_told_before_it_is_durable_is_the_one_that_its_step_raises),
        TEST(an_sos_without_position_carries_the_last_one),
        TEST(low_battery_is_told_once_until_charged_or_half_a_day_later),
        TEST(removed_and_powered_off_are_told_once_in_ten_minutes),
        TEST(kinds_of_a_later_version_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
