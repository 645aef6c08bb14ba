#include "core/evidence.h"

#include <math.h>
#include <stdlib.h>

#include "tests/check.h"

static double word_of(double z)
{
    const double eps = 0.05;
    double p = (1 - eps) * 0.5 * (1 + erf(z / sqrt(2))) + eps / 2;
    return 1000 * log(p / (1 - p));
}

static void words_follow_their_formula_and_are_the_same_both_ways(void **state)
{
    (void)state;
    for (int32_t sigma_cm = 800; sigma_cm <= 33000; sigma_cm += 700) {
        for (int32_t d_cm = 0; d_cm <= 4 * sigma_cm; d_cm += sigma_cm / 50) {
            int32_t word = evidence_position_mn(-d_cm, sigma_cm);
            assert_true(fabs(word - word_of((double)d_cm / sigma_cm)) <= 2.5);
            assert_int_equal(evidence_position_mn(d_cm, sigma_cm), -word);
        }
    }
    assert_int_equal(evidence_position_mn(INT32_MIN, 800), EVIDENCE_CAP_MN);
    assert_int_equal(evidence_position_mn(INT32_MAX, 800), -EVIDENCE_CAP_MN);
}

static void weights_follow_their_formula(void **state)
{
    (void)state;
    for (int64_t dt_ms = 0; dt_ms < 400000; dt_ms += 77) {
        double weight = 1024 * (1 - exp(-(double)dt_ms / 30000));
        weight = weight > EVIDENCE_WEIGHT_MIN ? weight : EVIDENCE_WEIGHT_MIN;
        assert_true(fabs((double)evidence_weight(dt_ms) - weight) <= 4);
    }
    assert_int_equal(evidence_weight(INT64_MAX), EVIDENCE_ONE);
}

static void thresholds_follow_from_the_wanted_error_rates(void **state)
{
    (void)state;
    assert_int_equal(EVIDENCE_LEAVE_MN, lround(1000 * log(0.99 / 0.0002)));
    assert_int_equal(EVIDENCE_ENTER_MN, lround(1000 * log(0.99 / 0.002)));
    assert_int_equal(EVIDENCE_DANGER_MN, lround(1000 * log(0.99 / 0.01)));
    assert_int_equal(EVIDENCE_PASS_MN, lround(1000 * log(149)));
    assert_int_equal(EVIDENCE_STREAK_MN, lround(1000 * log(0.99 / 0.0006)));
    assert_int_equal(EVIDENCE_STREAK_IN_MN, lround(1000 * log(0.99 / 0.009)));
    assert_int_equal(EVIDENCE_LIE_BEFORE_MN, lround(10 * log(4.5)) * 100);
}

static void what_one_word_and_one_pass_can_do(void **state)
{
    (void)state;
    assert_true(EVIDENCE_CAP_MN < EVIDENCE_DANGER_MN && 2 * EVIDENCE_CAP_MN < EVIDENCE_LEAVE_MN);
    assert_true(EVIDENCE_PASS_MN < EVIDENCE_ENTER_MN);
    assert_true(EVIDENCE_PASS_MN + EVIDENCE_CAP_MN > EVIDENCE_LEAVE_MN);
}

static void the_longer_and_the_farther_the_less_is_it_one_lie(void **state)
{
    (void)state;
    assert_int_equal(evidence_lasting_mn(0, 0), EVIDENCE_CAP_MN);
    for (int64_t ms = 0; ms < 1000000; ms += 777) {
        assert_true(evidence_lasting_mn(ms + 777, 100) >= evidence_lasting_mn(ms, 100));
        uint32_t away_m = (uint32_t)ms / 1000;
        assert_true(evidence_lasting_mn(60000, away_m + 1) >= evidence_lasting_mn(60000, away_m));
    }
    assert_int_equal(evidence_lasting_mn(720000, 0), EVIDENCE_CAP_MN + 5000);
    assert_int_equal(evidence_lasting_mn(1080000, 0), EVIDENCE_CAP_MN + 6500);
    assert_int_equal(evidence_lasting_mn(INT64_MAX, 0), evidence_lasting_mn(1800000, 0));
    assert_int_equal(evidence_lasting_mn(0, UINT32_MAX), evidence_lasting_mn(0, 400));
    assert_true(evidence_lasting_mn(480000, 100) < EVIDENCE_STREAK_MN);
    assert_true(evidence_lasting_mn(720000, 100) >= EVIDENCE_STREAK_MN);
    assert_true(evidence_lasting_mn(120000, 400) >= EVIDENCE_STREAK_MN);
}

static void the_chance_of_being_wrong_follows_its_formula(void **state)
{
    (void)state;
    for (int32_t mn = 1; mn < 16000; mn += 7) {
        double wrong_e6 = 1e6 * exp(-mn / 1000.0);
        assert_true(fabs(evidence_wrong_e6(mn) - wrong_e6) <= 1 + wrong_e6 / 400);
        assert_true(evidence_wrong_e6(mn + 7) <= evidence_wrong_e6(mn));
    }
    assert_int_equal(evidence_wrong_e6(INT32_MIN), 1000000);
    assert_int_equal(evidence_wrong_e6(0), 1000000);
    assert_int_equal(evidence_wrong_e6(INT32_MAX), 1);
}

static void what_is_doubtful_fades_to_what_a_pass_left(void **state)
{
    (void)state;
    assert_int_equal(evidence_doubt(4000, 0), 3000);
    assert_int_equal(evidence_doubt(-4000, 0), -3000);
    assert_int_equal(evidence_doubt(9000, 5000), 8000);
    assert_int_equal(evidence_doubt(1000, 5000),
                     2000); /* a lie against the pass is forgotten too */
    assert_int_equal(evidence_doubt(-9000, -5000), -8000);
    assert_int_equal(evidence_fade(5000, 5000, INT64_MAX), 5000);
    assert_int_equal(evidence_fade(6000, 5000, 60000), 5990);
}

static void sums_fade_with_age_but_one_gap_leaves_most(void **state)
{
    (void)state;
    assert_int_equal(evidence_fade(5000, 0, 60000), 4950);
    assert_int_equal(evidence_fade(-5000, 0, 60000), -4950);
    assert_int_equal(evidence_fade(5000, 0, INT64_MAX), 4000);
}

static void no_receiver_is_believed_below_the_floor_of_its_source(void **state)
{
    (void)state;
    struct event fix = {.kind = FIX_GNSS, .flags = EVENT_HAS_ACCURACY, .accuracy_cm = 170};
    assert_int_equal(evidence_sigma_cm(&fix), 800);
    fix.kind = FIX_CELL;
    assert_int_equal(evidence_sigma_cm(&fix), 20000);
    fix.kind = FIX_GNSS;
    fix.accuracy_cm = 3030;
    assert_int_equal(evidence_sigma_cm(&fix), 2000);
    fix.flags = 0; /* nothing is told */
    assert_int_equal(evidence_sigma_cm(&fix), 1500);
    fix.kind = 200; /* a source of a later version */
    assert_int_equal(evidence_sigma_cm(&fix), 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_follow_their_formula_and_are_the_same_both_ways),
        cmocka_unit_test(weights_follow_their_formula),
        cmocka_unit_test(thresholds_follow_from_the_wanted_error_rates),
        cmocka_unit_test(what_one_word_and_one_pass_can_do),
        cmocka_unit_test(the_longer_and_the_farther_the_less_is_it_one_lie),
        cmocka_unit_test(the_chance_of_being_wrong_follows_its_formula),
        cmocka_unit_test(what_is_doubtful_fades_to_what_a_pass_left),
        cmocka_unit_test(sums_fade_with_age_but_one_gap_leaves_most),
        cmocka_unit_test(no_receiver_is_believed_below_the_floor_of_its_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
