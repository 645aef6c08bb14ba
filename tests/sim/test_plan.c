#include "tests/sim/sim_cities.h"

#include "sim/plan.h"

static void every_plan_lasts_the_day_and_nobody_is_faster_than_a_bus(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct sim_city city;
    make_city(&city, seed, 20, 8000, 200);
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, 1u << 30);
    for (uint32_t pupil = 0; pupil < city.options.pupils; pupil++) {
        struct sim_plan plan;
        assert_int_equal(sim_plan_make(&city, seed, 1, pupil, &arena, &plan), STATUS_OK);
        assert_int_equal(plan.stops[0].time_ms, SIM_DAY_BEGIN_MS);
        assert_int_equal(plan.stops[plan.stop_count - 1].time_ms, SIM_DAY_END_MS);
        for (uint32_t i = 1; i < plan.stop_count; i++) {
            const struct sim_stop *a = &plan.stops[i - 1], *b = &plan.stops[i];
            assert_true(b->time_ms >= a->time_ms);
            struct sim_spot from = {(double)a->east_m, (double)a->north_m};
            struct sim_spot to = {(double)b->east_m, (double)b->north_m};
            /* a millisecond for the rounding of each end */
            double seconds = (b->time_ms - a->time_ms + 2) / 1000.0;
            assert_true(sim_spot_distance_m(from, to) <= seconds * SIM_SPEED_MAX_MS);
        }
        arena_reset(&arena);
    }
    arena_release(&arena);
    sim_city_release(&city);
}

static void the_position_has_no_jumps(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct sim_city city;
    make_city(&city, seed, 1, 400, 100);
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, 1u << 30);
    for (uint32_t pupil = 0; pupil < 40; pupil++) {
        struct sim_plan plan;
        bool indoors;
        assert_int_equal(sim_plan_make(&city, seed, 1, pupil, &arena, &plan), STATUS_OK);
        struct sim_spot last = sim_plan_spot(&plan, 0, &indoors);
        for (uint32_t ms = SIM_DAY_BEGIN_MS; ms < SIM_DAY_END_MS; ms += 700) {
            struct sim_spot now = sim_plan_spot(&plan, ms, &indoors);
            assert_true(sim_spot_distance_m(last, now) < 0.702 * SIM_SPEED_MAX_MS);
            last = now;
        }
    }
    arena_release(&arena);
    sim_city_release(&city);
}

static void kinds_of_days_have_the_passes_that_they_should(void **state)
{
    (void)state;
    static const uint32_t passes[] = {2, 4, 0, 0, 2, 2}; /* by enum sim_plan_kind */
    struct sim_city city;
    make_city(&city, 1, 20, 8000, 200);
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, 1u << 30);
    uint32_t seen[6] = {0};
    for (uint32_t pupil = 0; pupil < city.options.pupils; pupil++) {
        struct sim_plan plan;
        assert_int_equal(sim_plan_make(&city, 1, 1, pupil, &arena, &plan), STATUS_OK);
        seen[plan.kind]++;
        assert_int_equal(plan.pass_count, passes[plan.kind]);
        for (uint32_t i = 0; i < plan.pass_count; i++) {
            assert_true(plan.passes[i].in == (i % 2 == 0));
            assert_true(i == 0 || plan.passes[i].time_ms > plan.passes[i - 1].time_ms);
        }
        if (plan.pass_count > 0) { /* 07:20 to 08:05 */
            assert_in_range(plan.passes[0].time_ms, 26400000, 29101000);
        }
        arena_reset(&arena);
    }
    assert_in_range(seen[SIM_PLAN_SICK], 150, 330);
    assert_in_range(seen[SIM_PLAN_TRUANT], 40, 130);
    assert_in_range(seen[SIM_PLAN_STRAY], 150, 330);
    assert_true(seen[SIM_PLAN_BOARDER] > 0 && seen[SIM_PLAN_LUNCH_HOME] > 500);
    arena_release(&arena);
    sim_city_release(&city);
}

static void another_day_is_another_day_of_the_same_life(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, 1, 1, 400, 0);
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, 1u << 30);
    struct sim_plan monday, again, tuesday;
    assert_int_equal(sim_plan_make(&city, 1, 1, 5, &arena, &monday), STATUS_OK);
    assert_int_equal(sim_plan_make(&city, 1, 1, 5, &arena, &again), STATUS_OK);
    assert_int_equal(sim_plan_make(&city, 1, 2, 5, &arena, &tuesday), STATUS_OK);
    assert_int_equal(monday.stop_count, again.stop_count);
    assert_memory_equal(monday.stops, again.stops, monday.stop_count * sizeof *monday.stops);
    assert_true(monday.home.east_m == tuesday.home.east_m);
    assert_true(monday.passes[0].time_ms != tuesday.passes[0].time_ms);
    arena_release(&arena);
    sim_city_release(&city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plan_lasts_the_day_and_nobody_is_faster_than_a_bus),
        cmocka_unit_test(the_position_has_no_jumps),
        cmocka_unit_test(kinds_of_days_have_the_passes_that_they_should),
        cmocka_unit_test(another_day_is_another_day_of_the_same_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
