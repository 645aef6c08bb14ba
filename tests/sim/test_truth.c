#include "tests/sim/sim_cities.h"

#include "sim/truth.h"

enum { CROSSINGS_MAX = 512 };

static bool is_in(const struct sim_school *school, const struct sim_plan *plan,
                  const struct geo_shape *shape, uint32_t time_ms)
{
    bool indoors;
    struct sim_spot spot = sim_plan_spot(plan, time_ms, &indoors);
    return geo_shape_covers(shape, sim_land_point(&school->land, spot));
}

static void check_crossing(const struct sim_city *city, const struct sim_school *school,
                           const struct sim_plan *plan, const struct sim_crossing *crossing)
{
    struct sim_fence fence;
    sim_city_fence(city, crossing->fence, &fence);
    assert_true(is_in(school, plan, fence.shape, crossing->time_ms) == crossing->entered);
    assert_true(is_in(school, plan, fence.shape, crossing->time_ms - 1) != crossing->entered);
}

/* Every pass of a gate is a crossing of the ground within the second, and there is no other. */
static void check_ground(uint32_t ground, const struct sim_plan *plan,
                         const struct sim_crossing *crossings, uint32_t count)
{
    uint32_t pass = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (crossings[i].fence == ground) {
            assert_true(pass < plan->pass_count);
            assert_true(crossings[i].entered == plan->passes[pass].in);
            int64_t apart_ms = (int64_t)crossings[i].time_ms - plan->passes[pass].time_ms;
            assert_true(apart_ms > -1000 && apart_ms < 1000);
            pass++;
        }
    }
    assert_int_equal(pass, plan->pass_count);
}

static void crossings_agree_with_positions_and_gates(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct sim_city city;
    make_city(&city, seed, 30, 9000, 400);
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, 1u << 30);
    uint32_t in_danger = 0;
    for (uint32_t pupil = 0; pupil < city.options.pupils; pupil += 9) {
        uint32_t no = city.pupils[pupil].school;
        struct sim_plan plan;
        struct sim_crossing crossings[CROSSINGS_MAX];
        assert_int_equal(sim_plan_make(&city, seed, 1, pupil, &arena, &plan), STATUS_OK);
        uint32_t count = sim_truth(&city, no, &plan, crossings, CROSSINGS_MAX);
        assert_true(count < CROSSINGS_MAX);
        for (uint32_t i = 0; i < count; i++) {
            check_crossing(&city, &city.schools[no], &plan, &crossings[i]);
            in_danger += crossings[i].fence >= city.options.schools * SIM_SCHOOL_FENCES;
        }
        check_ground(no * SIM_SCHOOL_FENCES, &plan, crossings, count);
        arena_reset(&arena);
    }
    assert_true(in_danger > 0);
    arena_release(&arena);
    sim_city_release(&city);
}

static void a_full_array_still_tells_how_many_there_are(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, 1, 1, 400, 0);
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, 1u << 30);
    struct sim_plan plan;
    uint32_t pupil = 0;
    do {
        assert_int_equal(sim_plan_make(&city, 1, 1, pupil++, &arena, &plan), STATUS_OK);
    } while (plan.kind != SIM_PLAN_PLAIN);
    struct sim_crossing one = {0, 0, false};
    uint32_t all = sim_truth(&city, 0, &plan, NULL, 0);
    assert_true(all >= 2);
    assert_int_equal(sim_truth(&city, 0, &plan, &one, 1), all);
    assert_true(one.entered);
    arena_release(&arena);
    sim_city_release(&city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crossings_agree_with_positions_and_gates),
        cmocka_unit_test(a_full_array_still_tells_how_many_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
