/* A state kept and taken up again goes on as if nothing had been. */
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/core/random.h"
#include "tests/core/town.h"

enum { STEPS = 4000, CARDS = TOWN_PUPILS };

/* Cards in and out of everything: fixes near and far, passes, signals, gaps and what comes late. */
static void one_step(struct town *town, uint64_t *random, uint32_t i)
{
    double at_s = i * 4.0;
    uint32_t card = 1 + random_below(random, CARDS);
    struct event fix = town_fix_at(card, at_s, (double)random_below(random, 4) * 150,
                                   random_below(random, 3) * 300.0, 5 + random_below(random, 60));
    switch (random_below(random, 12)) {
    case 0:
        (void)town_pass(town, card, at_s, 1 + random_below(random, 2),
                        (enum pass_direction)random_below(random, 3));
        return;
    case 1:
        (void)town_signal(town, card, at_s,
                          (enum signal_kind)(SIGNAL_SOS + random_below(random, 4)));
        return;
    case 2:
        (void)town_tick(town, at_s);
        return;
    case 3: /* waits for one before it */
        town->seq += 1 + random_below(random, 2);
        town->keep_from = town->seq > 3 ? town->seq - 3 : 1;
        break;
    default:
        town->keep_from = 0;
        break;
    }
    (void)town_step(town, &fix, random_below(random, 3));
}

static void take_up(struct town *town, struct town *ret)
{
    size_t size = engine_image_bytes(town->engine);
    char *image = malloc(size);
    assert_non_null(image);
    engine_image_put(town->engine, image);
    town_init(ret, 1000);
    assert_int_equal(engine_image_get(ret->engine, image, size, ret->directory, ret->fences),
                     STATUS_OK);
    ret->seq = town->seq;
    free(image);
}

static void it_goes_on_as_if_nothing_had_been(void **state)
{
    (void)state;
    const uint64_t seed = random_seed();
    uint32_t told = 0;
    for (uint64_t turn = 0; turn < 20; turn++) {
        struct town straight, other;
        uint64_t random = seed + turn;
        uint32_t at = random_below(&random, STEPS);
        town_init(&straight, 1000);
        for (uint32_t i = 0; i < at; i++) {
            one_step(&straight, &random, i);
        }
        take_up(&straight, &other);
        straight.log_count = 0;
        uint64_t same = random;
        for (uint32_t i = at; i < STEPS; i++) {
            one_step(&straight, &random, i);
            one_step(&other, &same, i);
        }
        if (straight.log_count != other.log_count ||
            memcmp(straight.log, other.log, straight.log_count * sizeof *straight.log) != 0) {
            fail_msg("SEED=%" PRIu64 ": taken up after %u steps: %u alerts and %u", seed + turn, at,
                     straight.log_count, other.log_count);
        }
        struct engine_stats a, b;
        engine_stats(straight.engine, &a);
        engine_stats(other.engine, &b);
        assert_memory_equal(&a, &b, sizeof a);
        told += straight.log_count;
        town_release(&straight);
        town_release(&other);
    }
    assert_true(told > 1000);
}

static void an_image_of_another_engine_is_refused(void **state)
{
    struct town *town = *state, other;
    size_t size = engine_image_bytes(town->engine);
    char *image = malloc(size);
    engine_image_put(town->engine, image);
    town_init(&other, 999);
    assert_int_equal(engine_image_get(other.engine, image, size, other.directory, other.fences),
                     STATUS_UNSUPPORTED);
    town_release(&other);
    assert_int_equal(engine_image_get(town->engine, image, size - 1, town->directory, town->fences),
                     STATUS_UNSUPPORTED);
    image[8]++; /* the version */
    assert_int_equal(engine_image_get(town->engine, image, size, town->directory, town->fences),
                     STATUS_UNSUPPORTED);
    free(image);
}

static void another_policy_holds_from_then_on(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 500, 0);
    const struct presence_policy policy = {.enter_mn = 14000, .lasting_in_mn = 9000};
    (void)town_input(town, &(struct engine_input){.type = INPUT_POLICY, .u.policy = &policy});
    uint32_t before = town_stay(town, 1, 360, 9, 60, 0, 0);
    assert_int_equal(before, 0); /* the ninth tells it by default */
    assert_true(town_stay(town, 1, 900, 60, 60, 0, 0) == 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, town_setup, town_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_on_as_if_nothing_had_been),
        TEST(an_image_of_another_engine_is_refused),
        TEST(another_policy_holds_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
