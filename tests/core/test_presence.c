#include "core/presence.h"

#include <string.h>

#include "core/engine.h"
#include "tests/check.h"
#include "tests/core/random.h"

enum { PUPIL_END = 20, FENCE_END = 30, PLACES = 50 };

static void the_places_agree_with_a_plain_table(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct arena arena;
    struct presences presences;
    static struct pupil_state pupils[PUPIL_END];
    memset(pupils, 0, sizeof pupils);
    assert_int_equal(arena_init_fixed(&arena, presences_bytes(PLACES)), STATUS_OK);
    assert_int_equal(presences_init(&presences, &arena, pupils, PLACES), STATUS_OK);
    struct {
        uint64_t touched;
        bool here, inside;
    } model[PUPIL_END][FENCE_END];
    memset(model, 0, sizeof model);
    for (uint64_t step = 1; step < 100000; step++) {
        uint32_t pupil = random_below(&random, PUPIL_END);
        uint32_t fence = 1 + random_below(&random, FENCE_END - 1);
        uint32_t place = presences_find(&presences, pupil, fence);
        assert_int_equal(place != 0, model[pupil][fence].here);
        if (place != 0 && random_below(&random, 3) == 0) {
            presences_drop(&presences, place);
            model[pupil][fence].here = false;
            continue;
        }
        uint64_t evicted = presences.evicted;
        uint32_t stalest_pupil = 0, stalest_fence = 0;
        uint64_t stalest = UINT64_MAX;
        for (uint32_t p = 0; p < PUPIL_END; p++) {
            for (uint32_t f = 1; f < FENCE_END; f++) {
                if (model[p][f].here && !model[p][f].inside && model[p][f].touched < stalest) {
                    stalest = model[p][f].touched;
                    stalest_pupil = p;
                    stalest_fence = f;
                }
            }
        }
        place = place != 0 ? place : presences_add(&presences, pupil, fence);
        if (presences.evicted > evicted) {
            assert_true(stalest != UINT64_MAX);
            model[stalest_pupil][stalest_fence].here = false;
        }
        if (place == 0) {
            assert_true(stalest == UINT64_MAX && presences.count == PLACES);
            continue;
        }
        bool inside = random_below(&random, 4) == 0;
        presences.items[place].state = inside ? PRESENCE_INSIDE : PRESENCE_OUTSIDE;
        presences_touch(&presences, place);
        model[pupil][fence].here = true;
        model[pupil][fence].inside = inside;
        model[pupil][fence].touched = step;
    }
    assert_true(presences.evicted > 100 && presences.count <= PLACES);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_places_agree_with_a_plain_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
