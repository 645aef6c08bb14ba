#include "tests/check.h"

#include <stdio.h>
#include <string.h>

#include "bench/load/ladder.h"

static const struct ladder_options options = {.start = 1000,
                                              .factor = 2,
                                              .rate_max = 1e6,
                                              .sharpen = 2,
                                              .alert_p99_ms = 250,
                                              .archive_ms = 5000,
                                              .lag_ms = 100};

/* Ten seconds on two cores in which broker, daemon and generators used so much of theirs. */
static struct ladder_step step_at(double rate, double broker, double daemon, double load)
{
    struct ladder_step step = {.rate = rate,
                               .seconds = 10,
                               .sent = rate * 10,
                               .lag_ms = 1,
                               .alerts = 100,
                               .alert_p99_ms = 20,
                               .archive_probed = true,
                               .archive_p99_ms = 300,
                               .archive_begin_ms = 200,
                               .archive_end_ms = 200};
    const double cores[] = {broker, daemon, load};
    const char *const names[] = {"mosquitto", "campusd", "load"};
    step.from.cpus = step.to.cpus = 2;
    step.from.count = step.to.count = 3;
    step.to.at_us = 10000000;
    for (uint32_t i = 0; i < 3; i++) {
        (void)snprintf(step.from.parts[i].name, PART_NAME_MAX, "%s", names[i]);
        (void)snprintf(step.to.parts[i].name, PART_NAME_MAX, "%s", names[i]);
        step.to.parts[i].cpu_s = step.to.parts[i].busiest_s = cores[i] * 10;
        step.to.machine_s += cores[i] * 10;
    }
    return step;
}

static struct ladder_verdict judged(const struct ladder_step *step)
{
    struct ladder_verdict verdict;
    ladder_judge(&options, step, &verdict);
    return verdict;
}

/* A system that bears `capacity` and not one report more. Returns the steps taken. */
static uint32_t climb(struct ladder *ladder, const struct ladder_options *with, double capacity)
{
    struct status_detail detail;
    assert_int_equal(ladder_init(ladder, with, &detail), STATUS_OK);
    uint32_t steps = 0;
    for (double rate; ladder_next(ladder, &rate) == STATUS_OK; steps++) {
        struct ladder_step step = step_at(rate, 0.95, 0.3, 0.4);
        step.alert_p99_ms = rate > capacity ? 4000 : 20;
        struct ladder_verdict verdict;
        ladder_take(ladder, &step, &verdict);
        assert_int_equal(verdict.broke, rate > capacity ? LADDER_ALERTS : LADDER_HELD);
        assert_true(steps < LADDER_STEPS_MAX);
    }
    return steps;
}

static void the_knee_lies_below_the_capacity_and_near_it(void **state)
{
    (void)state;
    double capacity = 1000;
    for (uint32_t i = 0; i < 17; i++, capacity *= 1.37) {
        struct ladder ladder;
        (void)climb(&ladder, &options, capacity);
        bool reached = false;
        double knee = ladder_knee(&ladder, &reached);
        assert_true(reached);
        assert_true(knee <= capacity);
        assert_true(knee > capacity / 1.2); /* 2^(1/4), and rounding */
        assert_string_equal(ladder.by, "mosquitto");
    }
}

static void where_the_first_rate_breaks_the_ladder_goes_down(void **state)
{
    (void)state;
    struct ladder ladder;
    bool reached = false;
    (void)climb(&ladder, &options, 90);
    double knee = ladder_knee(&ladder, &reached);
    assert_true(reached && knee <= 90 && knee > 40);
    assert_true(climb(&ladder, &options, 0) < 10);
    assert_true(ladder_knee(&ladder, &reached) == 0 && reached);
}

static void a_knee_beyond_the_highest_rate_is_not_reached(void **state)
{
    (void)state;
    struct ladder_options low = options;
    low.rate_max = 3000;
    struct ladder ladder;
    bool reached = true;
    assert_int_equal(climb(&ladder, &low, 1e9), 3); /* 1000, 2000, 3000 */
    assert_true(ladder_knee(&ladder, &reached) == 3000 && !reached);
}

static void a_ladder_that_would_never_end_is_refused(void **state)
{
    (void)state;
    struct ladder ladder;
    struct status_detail detail;
    struct ladder_options bad = options;
    bad.factor = 1;
    assert_int_equal(ladder_init(&ladder, &bad, &detail), STATUS_INVALID);
    bad = options;
    bad.start = 0;
    assert_int_equal(ladder_init(&ladder, &bad, &detail), STATUS_INVALID);
    bad = options;
    bad.rate_max = 10;
    assert_int_equal(ladder_init(&ladder, &bad, &detail), STATUS_INVALID);
}

static void each_bound_breaks_by_itself(void **state)
{
    (void)state;
    struct ladder_step good = step_at(1000, 0.3, 0.3, 0.3), step = good;
    assert_int_equal(judged(&step).broke, LADDER_HELD);
    step.lost = 1;
    assert_int_equal(judged(&step).broke, LADDER_LOST);
    step = good;
    step.unacked_end = 600; /* more than 5 % of 10,000 sent */
    assert_int_equal(judged(&step).broke, LADDER_BACKLOG);
    step.unacked_begin = 300; /* it was there before */
    assert_int_equal(judged(&step).broke, LADDER_HELD);
    step = good;
    step.lag_ms = 101;
    assert_int_equal(judged(&step).broke, LADDER_GENERATOR);
    step = good;
    step.alert_p99_ms = 251;
    assert_int_equal(judged(&step).broke, LADDER_ALERTS);
    step.alerts = 0; /* then there is no such figure */
    assert_int_equal(judged(&step).broke, LADDER_HELD);
    step.alert_owed_ms = 1001; /* no alert came at all, and one was owed */
    assert_int_equal(judged(&step).broke, LADDER_ALERTS);
    step = good;
    step.archive_p99_ms = 5001;
    assert_int_equal(judged(&step).broke, LADDER_ARCHIVE);
    step.archive_probed = false;
    assert_int_equal(judged(&step).broke, LADDER_HELD);
    step = good;
    step.archive_end_ms = 1500; /* below the bound, but 1.3 s later after 10 s */
    assert_int_equal(judged(&step).broke, LADDER_ARCHIVE);
    step.archive_begin_ms = 1400;
    assert_int_equal(judged(&step).broke, LADDER_HELD);
}

static void the_part_without_headroom_is_named(void **state)
{
    (void)state;
    struct ladder_step step = step_at(1000, 0.97, 0.3, 0.4);
    step.alert_p99_ms = 9000;
    assert_string_equal(judged(&step).by, "mosquitto");
    step = step_at(1000, 0.3, 0.95, 0.4);
    step.alert_p99_ms = 9000;
    assert_string_equal(judged(&step).by, "campusd");
    step = step_at(1000, 0.3, 0.3, 0.3);
    step.alert_p99_ms = 9000;
    assert_string_equal(judged(&step).by, "unknown");
    step = step_at(1000, 0.9, 0.3, 0.2);
    step.to.parts[1].cpu_s = 1.6 * 10; /* two threads of 0.8: neither is full */
    step.to.parts[1].busiest_s = 0.8 * 10;
    step.alert_p99_ms = 9000;
    assert_string_equal(judged(&step).by, "unknown");
}

static void a_full_machine_is_named_with_the_shares(void **state)
{
    (void)state;
    struct ladder_step step = step_at(1000, 0.95, 0.5, 0.45);
    step.alert_p99_ms = 9000;
    struct ladder_verdict verdict = judged(&step);
    assert_string_equal(verdict.by, "machine");
    assert_non_null(strstr(verdict.why, "mosquitto 0.95, campusd 0.50, load 0.45"));
    step.to.machine_s = 8; /* most of it is gone to other guests */
    step.to.stolen_s = 11;
    assert_string_equal(judged(&step).by, "machine");
}

static void generators_that_lag_are_the_limit_themselves(void **state)
{
    (void)state;
    struct ladder_step step = step_at(1000, 0.95, 0.1, 0.2);
    step.lag_ms = 5000;
    assert_string_equal(judged(&step).by, "load");
    step = step_at(1000, 0.95, 0.5, 0.5);
    step.lag_ms = 5000;
    assert_string_equal(judged(&step).by, "machine");
}

static void a_process_that_ended_is_the_culprit(void **state)
{
    (void)state;
    struct ladder_step step = step_at(1000, 0.95, 0.6, 0.45);
    step.lost = 2;
    step.to.parts[1].ended = 1;
    assert_string_equal(judged(&step).by, "campusd");
    assert_non_null(strstr(judged(&step).why, "ended"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_knee_lies_below_the_capacity_and_near_it),
        cmocka_unit_test(where_the_first_rate_breaks_the_ladder_goes_down),
        cmocka_unit_test(a_knee_beyond_the_highest_rate_is_not_reached),
        cmocka_unit_test(a_ladder_that_would_never_end_is_refused),
        cmocka_unit_test(each_bound_breaks_by_itself),
        cmocka_unit_test(the_part_without_headroom_is_named),
        cmocka_unit_test(a_full_machine_is_named_with_the_shares),
        cmocka_unit_test(generators_that_lag_are_the_limit_themselves),
        cmocka_unit_test(a_process_that_ended_is_the_culprit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
