#include "tests/sim/sim_cities.h"

#include <math.h>

#include "sim/ring.h"

static void a_ring_is_seen_whole_from_its_centre(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (uint32_t n = 0; n < 2000; n++) {
        struct sim_random random;
        struct sim_ring ring;
        sim_random_init(&random, seed, SIM_STREAM_GROUND, n);
        sim_ring_make(&ring, &random, (struct sim_spot){0, 0}, 100, 0.4,
                      5 + sim_random_below(&random, 56));
        for (uint32_t i = 0; i < ring.count; i++) {
            double next = i + 1 < ring.count ? ring.angles[i + 1] : ring.angles[0] + 2 * SIM_PI;
            assert_true(next > ring.angles[i] && next - ring.angles[i] < SIM_PI);
            assert_true(ring.radii_m[i] >= 60 && ring.radii_m[i] <= 100);
        }
    }
}

static void the_outline_is_where_the_ray_says(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct arena arena;
    arena_init_growing(&arena, 4096, 1u << 20);
    struct sim_land land;
    sim_land_init(&land, 36.5, 112.9);
    for (uint32_t n = 0; n < 50; n++) {
        struct sim_random random;
        struct sim_ring ring;
        const struct sim_ring *rings[1] = {&ring};
        struct geo_shape shape;
        sim_random_init(&random, seed, SIM_STREAM_GROUND, n);
        sim_ring_make(&ring, &random, (struct sim_spot){0, 0}, 150, 0.4, 12);
        assert_int_equal(sim_shape_polygon(&land, rings, 1, &arena, &shape), STATUS_OK);
        double inner_m = sim_ring_inner_m(&ring), outer_m = sim_ring_outer_m(&ring);
        for (int step = -64; step < 64; step++) {
            double angle = 0.11 * step;
            double radius_m = sim_ring_radius_m(&ring, angle);
            assert_true(radius_m >= inner_m && radius_m <= outer_m + 1e-9);
            struct geo_point in = sim_land_point(&land, sim_spot_polar(radius_m - 0.1, angle));
            struct geo_point out = sim_land_point(&land, sim_spot_polar(radius_m + 0.1, angle));
            assert_true(geo_shape_covers(&shape, in));
            assert_false(geo_shape_covers(&shape, out));
        }
    }
    arena_release(&arena);
}

static void the_box_of_a_corridor_holds_its_width(void **state)
{
    (void)state;
    struct arena arena;
    arena_init_growing(&arena, 4096, 1u << 20);
    struct sim_land land;
    sim_land_init(&land, 36.5, 112.9);
    const struct sim_spot spots[] = {{0, 0}, {500, 300}};
    struct geo_shape shape;
    assert_int_equal(sim_shape_corridor(&land, spots, 2, 25, &arena, &shape), STATUS_OK);
    struct geo_point edge = sim_land_point(&land, (struct sim_spot){0, -24.9});
    assert_true(geo_shape_covers(&shape, edge));
    assert_true(edge.lat_e7 >= shape.low.lat_e7);
    assert_int_equal(sim_shape_circle(&land, 25, &arena, &shape), STATUS_OK);
    assert_true(geo_shape_covers(&shape, edge));
    assert_true(edge.lat_e7 >= shape.low.lat_e7);
    arena_release(&arena);
}

static void no_memory_is_told(void **state)
{
    (void)state;
    struct arena arena;
    assert_int_equal(arena_init_fixed(&arena, 16), STATUS_OK);
    struct sim_land land;
    struct geo_shape shape;
    const struct sim_spot spots[] = {{0, 0}, {1, 1}, {2, 2}};
    sim_land_init(&land, 36.5, 112.9);
    assert_int_equal(sim_shape_corridor(&land, spots, 3, 5, &arena, &shape), STATUS_NO_MEMORY);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_is_seen_whole_from_its_centre),
        cmocka_unit_test(the_outline_is_where_the_ray_says),
        cmocka_unit_test(the_box_of_a_corridor_holds_its_width),
        cmocka_unit_test(no_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
