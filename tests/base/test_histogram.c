#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/histogram.h"

static struct histogram histogram;

static void clear(void)
{
    memset(&histogram, 0, sizeof histogram);
}

static void nothing_seen_gives_zero(void **state)
{
    (void)state;
    clear();
    assert_int_equal(histogram_percentile(&histogram, 50), 0);
    assert_int_equal(histogram_percentile(&histogram, 100), 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    clear();
    for (uint64_t i = 1; i <= 50; i++) {
        histogram_add(&histogram, i);
    }
    assert_int_equal(histogram_percentile(&histogram, 50), 25);
    assert_int_equal(histogram_percentile(&histogram, 90), 45);
    assert_int_equal(histogram_percentile(&histogram, 100), 50);
    assert_int_equal(histogram_percentile(&histogram, 0), 1);
}

static void any_value_is_told_within_a_64th_and_never_too_low(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 64; bits++) {
        const uint64_t one = (uint64_t)1 << bits;
        const uint64_t values[] = {one - 1, one, one + 1, one + one / 3};
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            clear();
            histogram_add(&histogram, values[i]);
            histogram_add(&histogram, UINT64_MAX);
            uint64_t told = histogram_percentile(&histogram, 50);
            assert_true(told >= values[i]);
            assert_true(told - values[i] <= values[i] / 64);
            assert_int_equal(histogram_percentile(&histogram, 100), UINT64_MAX);
        }
    }
}

static void no_percentile_is_above_the_largest_value(void **state)
{
    (void)state;
    clear();
    histogram_add(&histogram, 1000001);
    assert_int_equal(histogram_percentile(&histogram, 50), 1000001);
    assert_int_equal(histogram.max, 1000001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_seen_gives_zero),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(any_value_is_told_within_a_64th_and_never_too_low),
        cmocka_unit_test(no_percentile_is_above_the_largest_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
