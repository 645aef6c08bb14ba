#include "tests/check.h"

#include <math.h>

#include "sim/random.h"

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct sim_random a, b;
    sim_random_init(&a, 7, SIM_STREAM_CARD, 3);
    sim_random_init(&b, 7, SIM_STREAM_CARD, 3);
    for (int i = 0; i < 1000; i++) {
        assert_true(sim_random_u64(&a) == sim_random_u64(&b));
    }
}

static void another_seed_stream_or_number_gives_others(void **state)
{
    (void)state;
    struct sim_random all[4];
    sim_random_init(&all[0], 7, SIM_STREAM_CARD, 3);
    sim_random_init(&all[1], 8, SIM_STREAM_CARD, 3);
    sim_random_init(&all[2], 7, SIM_STREAM_GATE, 3);
    sim_random_init(&all[3], 7, SIM_STREAM_CARD, 4);
    uint64_t first[4];
    for (int i = 0; i < 4; i++) {
        first[i] = sim_random_u64(&all[i]);
        for (int j = 0; j < i; j++) {
            assert_true(first[i] != first[j]);
        }
    }
}

static void the_generator_is_the_published_one(void **state)
{
    (void)state;
    struct sim_random random = {{1, 2, 3, 4}}; /* xoshiro256** from this state, by hand */
    assert_true(sim_random_u64(&random) == 11520);
    assert_true(sim_random_u64(&random) == 0);
    assert_true(sim_random_u64(&random) == 1509978240);
    assert_true(sim_random_u64(&random) == 1215971899390074240u);
}

static void numbers_stay_in_their_bounds_and_fill_them(void **state)
{
    (void)state;
    struct sim_random random;
    uint32_t seen[5] = {0};
    double sum = 0;
    sim_random_init(&random, 1, SIM_STREAM_CARD, 0);
    for (int i = 0; i < 50000; i++) {
        seen[sim_random_below(&random, 5)]++;
        double x = sim_random_between(&random, -2, 4);
        assert_true(x >= -2 && x < 4);
        double y = sim_random_log_between(&random, 0.1, 1000);
        assert_true(y >= 0.1 && y < 1000.0001);
        sum += x;
    }
    for (int i = 0; i < 5; i++) {
        assert_in_range(seen[i], 9500, 10500);
    }
    assert_true(fabs(sum / 50000 - 1) < 0.05);
    assert_false(sim_random_chance(&random, 0));
    assert_true(sim_random_chance(&random, 1));
}

static void normal_numbers_have_mean_0_and_deviation_1(void **state)
{
    (void)state;
    struct sim_random random;
    double sum = 0, squares = 0;
    sim_random_init(&random, 1, SIM_STREAM_CARD, 0);
    for (int i = 0; i < 100000; i++) {
        double x = sim_random_normal(&random);
        assert_true(isfinite(x));
        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / 100000) < 0.02);
    assert_true(fabs(squares / 100000 - 1) < 0.03);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(another_seed_stream_or_number_gives_others),
        cmocka_unit_test(the_generator_is_the_published_one),
        cmocka_unit_test(numbers_stay_in_their_bounds_and_fill_them),
        cmocka_unit_test(normal_numbers_have_mean_0_and_deviation_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
