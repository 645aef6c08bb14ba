#include "tests/check.h"

#include "sim/gate.h"

static void readers_miss_read_twice_and_mistake_the_direction(void **state)
{
    (void)state;
    enum { PASSES = 100000 };
    uint32_t missed = 0, twice = 0, wrong = 0, unknown = 0;
    for (uint32_t n = 0; n < PASSES; n++) {
        struct sim_random random;
        struct sim_pass pass = {.time_ms = 27000000, .gate = 1, .in = n % 2 == 0};
        struct sim_reading readings[SIM_READINGS_MAX];
        sim_random_init(&random, 1, SIM_STREAM_GATE, n);
        uint32_t count = sim_gate_read(&random, &pass, readings);
        missed += count == 0;
        twice += count == 2;
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(readings[i].gate, 1);
            assert_true(readings[i].time_ms >= pass.time_ms);
            assert_true(readings[i].time_ms < pass.time_ms + 10000);
            assert_true(readings[i].arrival_ms > readings[i].time_ms);
        }
        if (count > 0) {
            unknown += readings[0].direction == SIM_DIRECTION_UNKNOWN;
            wrong += readings[0].direction == (pass.in ? SIM_OUT : SIM_IN);
        }
    }
    assert_in_range(missed, PASSES * 18 / 1000, PASSES * 22 / 1000);
    assert_in_range(twice, PASSES * 27 / 1000, PASSES * 32 / 1000);
    assert_in_range(wrong, PASSES * 17 / 1000, PASSES * 22 / 1000);
    assert_in_range(unknown, PASSES * 27 / 1000, PASSES * 32 / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_miss_read_twice_and_mistake_the_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
