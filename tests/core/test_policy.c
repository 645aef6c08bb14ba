#include "core/policy.h"

#include "core/evidence.h"
#include "core/rates.h"
#include "tests/check.h"
#include "tests/core/town.h"

static struct presence_policy filled(struct presence_policy policy)
{
    assert_true(policy_fill(&policy));
    return policy;
}

static struct presence_policy of(uint32_t left_e6, uint32_t entered_e6, uint32_t danger_e6)
{
    struct presence_rates rates = PRESENCE_RATES_DEFAULT;
    rates.left_e6 = left_e6;
    rates.entered_e6 = entered_e6;
    rates.danger_e6 = danger_e6;
    return policy_of_rates(&rates);
}

static void the_default_rates_make_the_default_policy(void **state)
{
    (void)state;
    struct presence_policy initial = filled((struct presence_policy){0});
    struct presence_policy made = policy_of_rates(&PRESENCE_RATES_DEFAULT);
    assert_memory_equal(&initial, &made, sizeof made);
    assert_int_equal(made.leave_mn, 8507);
    assert_int_equal(made.enter_mn, 6205);
    assert_int_equal(made.danger_mn, 4595);
    assert_int_equal(made.lasting_out_mn, 7409);
    assert_int_equal(made.lasting_in_mn, 4700);
    assert_int_equal(policy_alone_mn(&made), 15000);
    assert_int_equal(policy_sum_max_mn(&made), 15000 + EVIDENCE_CAP_MN);
}

static void fewer_false_alerts_take_more_of_everything(void **state)
{
    (void)state;
    struct presence_policy before = of(RATE_E6_MAX, RATE_E6_MAX, RATE_E6_MAX);
    for (uint32_t rate_e6 = RATE_E6_MAX; rate_e6 >= RATE_E6_MIN; rate_e6 = rate_e6 * 2 / 3) {
        struct presence_policy policy = filled(of(rate_e6, rate_e6, rate_e6));
        assert_true(policy.leave_mn >= before.leave_mn && policy.enter_mn >= before.enter_mn);
        assert_true(policy.danger_mn >= before.danger_mn);
        assert_true(policy.lasting_out_mn >= before.lasting_out_mn);
        assert_true(policy.lasting_in_mn >= before.lasting_in_mn);
        assert_true(policy.lasting_out_mn <= policy.leave_mn);
        assert_true(policy_alone_mn(&policy) >= policy.leave_mn);
        assert_true(policy_sum_max_mn(&policy) <= INT16_MAX);
        assert_true(policy_sum_max_mn(&policy) > policy.leave_mn);
        /* lies that last can be outlasted, however sure one wants to be */
        assert_true(evidence_lasting_mn(3600000, 0) >= policy.lasting_out_mn);
        before = policy;
    }
}

static void what_asks_too_much_is_refused(void **state)
{
    (void)state;
    struct presence_policy policy = {.leave_mn = POLICY_MN_MAX + 1};
    assert_false(policy_fill(&policy));
    policy = (struct presence_policy){.danger_mn = -1};
    assert_false(policy_fill(&policy));
    policy = (struct presence_policy){.enter_mn = POLICY_MN_MAX};
    assert_true(policy_fill(&policy));
}

/* After how many fixes of a minute, 200 m outside of the ground, has the pupil left by that policy? */
static uint32_t fixes_to_leave(struct presence_policy policy, bool passes)
{
    struct town town;
    town_init_with(&town, 1000, &policy);
    (void)town_stay(&town, 1, 0, 10, 60, 0, 0);
    if (passes) {
        (void)town_pass(&town, 1, 590, 1, PASS_OUT);
    }
    uint32_t count = 0;
    while (town.log_count < (passes ? 2 : 1) && count < 100) { /* a pass is told too */
        (void)town_fix(&town, 1, 600 + 60 * count++, 300, 0, 8);
    }
    assert_int_equal(town_last(&town)->type, ALERT_LEFT);
    town_release(&town);
    return count;
}

static void the_less_sure_the_sooner(void **state)
{
    (void)state;
    assert_int_equal(fixes_to_leave(of(100000, 500000, 500000), false), 1);
    assert_in_range(fixes_to_leave(of(2000, 20000, 100000), false), 7, 10);
    assert_int_equal(fixes_to_leave((struct presence_policy){0}, false), 12);
    assert_in_range(fixes_to_leave(of(10, 100, 500), false), 15, 25);
    assert_int_equal(fixes_to_leave(of(2000, 20000, 100000), true), 1);
    assert_int_equal(fixes_to_leave((struct presence_policy){0}, true), 1);
    assert_int_equal(fixes_to_leave(of(10, 100, 500), true), 2);
}

static void a_zone_is_told_as_surely_as_is_asked(void **state)
{
    (void)state;
    static const uint32_t fixes[] = {1, 2, 3};
    static const uint32_t rates_e6[] = {100000, 10000, 500};
    for (uint32_t i = 0; i < 3; i++) {
        struct town town;
        struct presence_policy policy = of(200, 2000, rates_e6[i]);
        town_init_with(&town, 1000, &policy);
        (void)town_stay(&town, 1, 0, 10, 60, 0, 400);
        assert_int_equal(town_stay(&town, 1, 600, fixes[i], 60, 0, 600), 1);
        assert_int_equal(town_last(&town)->type, ALERT_DANGER);
        assert_int_equal(town_last(&town)->raised_ms, town_ms(600 + 60 * (fixes[i] - 1) + 1));
        town_release(&town);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_rates_make_the_default_policy),
        cmocka_unit_test(fewer_false_alerts_take_more_of_everything),
        cmocka_unit_test(what_asks_too_much_is_refused),
        cmocka_unit_test(the_less_sure_the_sooner),
        cmocka_unit_test(a_zone_is_told_as_surely_as_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
