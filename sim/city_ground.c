#include <math.h>

#include "base/assert.h"
#include "sim/city_internal.h"
#include "sim/random.h"
#include "sim/ring.h"

/* Farther than this from the odd direction nothing of the pond or the second part is met. */
#define ODD_CLEAR 1.2

static double clear_angle(const struct sim_school *school, struct sim_random *random)
{
    return school->odd_angle + sim_random_between(random, ODD_CLEAR, 2 * SIM_PI - ODD_CLEAR);
}

static void place_gates(struct sim_school *school, const struct sim_ring *ring,
                        struct sim_random *random)
{
    school->gate_count = 1 + sim_random_below(random, SIM_GATES_MAX);
    for (uint32_t i = 0; i < school->gate_count; i++) {
        double angle = clear_angle(school, random);
        school->gates[i] = (struct sim_gate){angle, sim_ring_radius_m(ring, angle)};
    }
}

static uint32_t vertices(struct sim_random *random, uint32_t low, uint32_t high)
{
    return low + sim_random_below(random, high - low + 1);
}

/* The ground: one part; or one with a pond that does not belong to it; or two parts. */
static enum status make_ground(struct sim_city *city, struct sim_school *school,
                               struct sim_random *random)
{
    struct sim_ring main_part, other;
    const struct sim_ring *rings[2] = {&main_part, &other};
    double radius_m = sim_random_log_between(random, 80, 250);
    uint32_t ring_count = 1;
    sim_ring_make(&main_part, random, (struct sim_spot){0, 0}, radius_m,
                  sim_random_between(random, 0.15, 0.4), vertices(random, 12, 60));
    school->inner_m = sim_ring_inner_m(&main_part);
    school->extent_m = sim_ring_outer_m(&main_part);
    school->odd_angle = sim_random_between(random, 0, 2 * SIM_PI);
    double odd = sim_random_between(random, 0, 1);
    if (odd < 0.12) {
        struct sim_spot pond = sim_spot_polar(0.6 * school->inner_m, school->odd_angle);
        sim_ring_make(&other, random, pond, 0.25 * school->inner_m, 0.4, vertices(random, 6, 12));
        ring_count = 2;
    } else if (odd < 0.22) {
        double part_m = sim_random_between(random, 30, 50);
        double away_m = school->extent_m + part_m + sim_random_between(random, 8, 20);
        struct sim_spot part = sim_spot_polar(away_m, school->odd_angle);
        sim_ring_make(&other, random, part, part_m, 0.3, vertices(random, 8, 20));
        school->extent_m = away_m + part_m;
        ring_count = 2;
    }
    place_gates(school, &main_part, random);
    return sim_shape_polygon(&school->land, rings, ring_count, &city->arena,
                             &school->fences[SIM_FENCE_GROUND]);
}

static struct sim_spot inner_spot(const struct sim_school *school, struct sim_random *random)
{
    double radius_m = school->inner_m * sim_random_between(random, 0.45, 0.6);
    return sim_spot_polar(radius_m, clear_angle(school, random));
}

static enum status make_place(struct sim_city *city, struct sim_school *school,
                              struct sim_random *random, enum sim_school_fence fence,
                              struct sim_spot spot, double radius_m)
{
    struct sim_ring ring;
    const struct sim_ring *rings[1] = {&ring};
    sim_ring_make(&ring, random, spot, radius_m, 0.3, vertices(random, 12, 24));
    return sim_shape_polygon(&school->land, rings, 1, &city->arena, &school->fences[fence]);
}

enum status sim_ground_make(struct sim_city *city, uint32_t number)
{
    struct sim_school *school = &city->schools[number];
    struct sim_random random;
    sim_random_init(&random, city->options.seed, SIM_STREAM_GROUND, number);
    enum status status = make_ground(city, school, &random);
    if (status != STATUS_OK) {
        return status;
    }
    school->playground = inner_spot(school, &random);
    school->dormitory = inner_spot(school, &random);
    school->teaching = inner_spot(school, &random);
    school->boards = sim_random_chance(&random, 0.3);
    const struct {
        enum sim_school_fence fence;
        struct sim_spot spot;
        double radius_m;
    } places[] = {
        {SIM_FENCE_PLAYGROUND, school->playground, 0.35 * school->inner_m},
        {SIM_FENCE_DORMITORY, school->dormitory, 0.25 * school->inner_m},
        {SIM_FENCE_TEACHING, school->teaching, 0.3 * school->inner_m},
        {SIM_FENCE_GATE, sim_spot_polar(school->gates[0].radius_m, school->gates[0].angle), 20},
    };
    for (uint32_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        status =
            make_place(city, school, &random, places[i].fence, places[i].spot, places[i].radius_m);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}
