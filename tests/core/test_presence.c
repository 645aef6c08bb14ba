#include "core/presence.h"

#include <string.h>

#include "core/engine.h"
#include "tests/check.h"
#include "tests/core/random.h"

enum { PUPIL_END = 20, FENCE_END = 30, PLACES = 50 };

struct model {
    bool here, inside;
};

/* Places outside whose pupils were silent since before that time. */
static uint32_t count_staler(const struct presences *presences,
                             struct model model[PUPIL_END][FENCE_END], int64_t last_ms)
{
    uint32_t count = 0;
    for (uint32_t p = 0; p < PUPIL_END; p++) {
        for (uint32_t f = 1; f < FENCE_END; f++) {
            count +=
                model[p][f].here && !model[p][f].inside && presences->pupils[p].last_ms < last_ms;
        }
    }
    return count;
}

/* The one that made room was outside, and the stalest of PRESENCES_COMPARED. */
static void take_out_evicted(const struct presences *presences,
                             struct model model[PUPIL_END][FENCE_END])
{
    uint32_t outside = count_staler(presences, model, INT64_MAX), gone = 0;
    for (uint32_t p = 0; p < PUPIL_END; p++) {
        for (uint32_t f = 1; f < FENCE_END; f++) {
            if (model[p][f].here && presences_find(presences, p, f) == 0) {
                uint32_t staler = count_staler(presences, model, presences->pupils[p].last_ms);
                assert_false(model[p][f].inside);
                assert_true(staler == 0 || staler + PRESENCES_COMPARED <= outside);
                model[p][f].here = false;
                gone++;
            }
        }
    }
    assert_int_equal(gone, 1);
}

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
    struct model model[PUPIL_END][FENCE_END];
    memset(model, 0, sizeof model);
    for (int64_t step = 1; step < 100000; step++) {
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
        place = place != 0 ? place : presences_add(&presences, pupil, fence);
        if (presences.evicted > evicted) {
            take_out_evicted(&presences, model);
        }
        if (place == 0) {
            assert_int_equal(count_staler(&presences, model, INT64_MAX), 0);
            assert_int_equal(presences.count, PLACES);
            continue;
        }
        bool inside = random_below(&random, 4) == 0;
        presences.items[place].state = inside ? PRESENCE_INSIDE : PRESENCE_OUTSIDE;
        model[pupil][fence] = (struct model){.here = true, .inside = inside};
        pupils[pupil].last_ms = step;
    }
    assert_true(presences.evicted > 100 && presences.count <= PLACES);
    arena_release(&arena);
}

static void a_run_keeps_its_moment(void **state)
{
    (void)state;
    static const int64_t moments[] = {0, 1, 1772409600123, 253402300799999}; /* the end of 9999 */
    struct presence presence = {.pupil_no = REGISTRY_NUMBER_MAX - 1, .fence_no = 7, .next = 9};
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        presence_set_run(&presence, moments[i]);
        assert_int_equal(presence_run_ms(&presence), moments[i]);
    }
    assert_int_equal(presence.pupil_no, REGISTRY_NUMBER_MAX - 1);
    assert_true(presence.fence_no == 7 && presence.next == 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_places_agree_with_a_plain_table),
                                       cmocka_unit_test(a_run_keeps_its_moment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
