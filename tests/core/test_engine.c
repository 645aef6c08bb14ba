#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/core/random.h"
#include "tests/core/town.h"

/* The linker sends every allocation of the program here (--wrap). */
static volatile uint64_t allocations; /* the compiler knows that malloc changes nothing of ours */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    allocations++;
    return __real_aligned_alloc(align, size);
}

/* Pupils between home, school, pond and park, with lies, vagueness, disorder, passes and signals.
 */
static void live(struct town *town, uint64_t seed, uint32_t steps)
{
    uint64_t random = seed;
    static const double places[][2] = {{0, 0}, {0, 600}, {1000, 0}, {500, 500}, {90, 40}};
    uint32_t at[TOWN_PUPILS + 1] = {0};
    for (uint32_t i = 0; i < steps; i++) {
        uint32_t card = 1 + random_below(&random, TOWN_PUPILS);
        double at_s = 5.0 * i - random_below(&random, 30);
        if (random_below(&random, 40) == 0) {
            at[card] = random_below(&random, 5);
        }
        uint32_t what = random_below(&random, 100);
        if (what < 4) {
            (void)town_pass(town, card, at_s, 1 + random_below(&random, 2),
                            (enum pass_direction)random_below(&random, 3));
        } else if (what < 6) {
            (void)town_signal(town, card, at_s, (enum signal_kind)(1 + random_below(&random, 4)));
        } else {
            double lie_m = what == 6 ? 700 : 0;
            struct event fix = town_fix_at(card, at_s, places[at[card]][0] + lie_m,
                                           places[at[card]][1] + random_below(&random, 40),
                                           random_below(&random, 60));
            fix.kind = (uint8_t)random_below(&random, 4);
            fix.flags |= what == 7 ? EVENT_NO_POSITION : 0;
            (void)town_step(town, &fix, random_below(&random, 20));
        }
    }
}

static uint64_t hash_of(const struct town *town)
{
    return text_hash((struct text){(const char *)town->log, town->log_count * sizeof town->log[0]});
}

static void the_same_events_give_the_same_bytes_of_alerts(void **state)
{
    struct town *town = *state;
    uint64_t seed = random_seed();
    struct town again;
    town_init(&again, 1000);
    memset(again.out, 0xa5, STEP_ALERTS_MAX * sizeof *again.out); /* nothing left over shows */
    live(town, seed, 30000);
    live(&again, seed, 30000);
    assert_true(town->log_count > 100);
    assert_int_equal(town->log_count, again.log_count);
    assert_memory_equal(town->log, again.log, town->log_count * sizeof town->log[0]);
    assert_int_equal(hash_of(town), hash_of(&again));
    town_release(&again);
}

static void every_alert_of_a_busy_day_has_an_id_of_its_own(void **state)
{
    struct town *town = *state;
    live(town, random_seed(), 30000);
    char(*ids)[ALERT_ID_MAX] = calloc(town->log_count, sizeof *ids);
    for (uint32_t i = 0; i < town->log_count; i++) {
        alert_id(&town->log[i], ids[i]);
        for (uint32_t other = 0; other < i; other++) {
            assert_string_not_equal(ids[i], ids[other]);
        }
    }
    free(ids);
}

static void no_step_allocates(void **state)
{
    struct town *town = *state;
    uint64_t before = allocations;
    void *volatile probe = malloc(16); /* the wrap is at work */
    free(probe);
    assert_int_equal(allocations, before + 1);
    before = allocations;
    live(town, 5, 20000);
    assert_int_equal(allocations, before);
}

static void limits_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct engine_limits bad[] = {
        {.presences_max = 10},
        {.cards_max = 10},
        {.cards_max = REGISTRY_NUMBER_MAX + 1, .presences_max = 10},
        {.cards_max = 10, .presences_max = REGISTRY_NUMBER_MAX + 1},
        {.cards_max = 10, .presences_max = 10, .policy = {.leave_mn = -1}},
        {.cards_max = 10, .presences_max = 10, .policy = {.lasting_in_mn = POLICY_MN_MAX + 1}}};
    struct engine *engine;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(engine_new(&bad[i], &engine), STATUS_INVALID);
    }
    engine_free(NULL);
}

static const struct town_fence moved[] = {
    {TOWN_SCHOOL_FENCE, 2, 1, FENCE_SCHOOL, 5000, 0, 100}, /* moved away */
    {TOWN_PARK_FENCE, 1, 0, FENCE_PLACE, 1000, 0, 80},     /* as it was */
    {9, 1, 0, FENCE_PLACE, 1000, 0, 300},                  /* new, around the park */
};

static void a_fence_edit_is_silent_and_leaves_the_others_alone(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    (void)town_stay(town, 3, 0, 6, 60, 1000, 0);
    town_take_fences(town, town_fences(moved, 3));
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_UNKNOWN);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_PARK_FENCE), PRESENCE_OUTSIDE);
    assert_int_equal(engine_presence(town->engine, 3, TOWN_PARK_FENCE), PRESENCE_INSIDE);
    assert_int_equal(engine_presence(town->engine, 3, TOWN_POND_FENCE), PRESENCE_UNKNOWN);
    assert_int_equal(town_stay(town, 1, 400, 6, 60, 0, 0), 0);
    assert_int_equal(town_stay(town, 3, 400, 6, 60, 1000, 0), 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_OUTSIDE);
    assert_int_equal(engine_presence(town->engine, 3, 9), PRESENCE_INSIDE);
    assert_int_equal(town_stay(town, 3, 800, 12, 60, 1200, 0), 1); /* out of the park, not of 9 */
    assert_int_equal(town_last(town)->fence_no, TOWN_PARK_FENCE);
}

static void edits_in_a_row_stay_silent(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 1000, 0);
    for (uint32_t version = 2; version < 40; version++) {
        struct town_fence fence = {TOWN_PARK_FENCE, version, 0, FENCE_PLACE, 1000, 0, 80};
        town_take_fences(town, town_fences(&fence, 1));
        (void)town_stay(town, 1, 1000.0 * version, 1 + version % 5, 60, 1000, 0);
    }
    assert_int_equal(town->log_count, 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_PARK_FENCE), PRESENCE_INSIDE);
}

static void a_fence_that_comes_back_is_new(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 3000, 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_PARK_FENCE), PRESENCE_OUTSIDE);
    town_take_fences(town, town_fences(NULL, 0));
    (void)town_stay(town, 1, 400, 6, 60, 1000, 0); /* walks in while there is no fence */
    town_take_fences(town, town_fences(moved, 3));
    assert_int_equal(town_stay(town, 1, 800, 6, 60, 1000, 0), 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_PARK_FENCE), PRESENCE_INSIDE);
}

static void fence_numbers_beyond_memory_rebase_at_every_set(void **state)
{
    struct town *town = *state;
    struct town_fence far = {FENCE_NUMBERS_REMEMBERED + 5, 1, 0, FENCE_PLACE, 0, 0, 100};
    town_take_fences(town, town_fences(&far, 1));
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    assert_int_equal(engine_presence(town->engine, 1, far.no), PRESENCE_INSIDE);
    assert_int_equal(town_stay(town, 1, 400, 3, 60, 500, 0), 1);
    town_take_fences(town, town_fences(&far, 1));
    assert_int_equal(engine_presence(town->engine, 1, far.no), PRESENCE_UNKNOWN);
    assert_int_equal(town_stay(town, 1, 800, 6, 60, 0, 0), 0);
}

static void a_pupil_who_changes_school_rebases_and_others_do_not(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    (void)town_stay(town, 3, 0, 6, 60, 0, 0);
    town_take_directory(town, town_directory(2));
    assert_int_equal(engine_presence(town->engine, 1, TOWN_OTHER_FENCE), PRESENCE_UNKNOWN);
    assert_int_equal(engine_presence(town->engine, 3, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
    assert_int_equal(town_stay(town, 1, 400, 6, 60, 0, 0), 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_OTHER_FENCE), PRESENCE_INSIDE);
    assert_int_equal(town_stay(town, 3, 400, 3, 60, 500, 0), 1);
    assert_int_equal(town_stay(town, 1, 800, 3, 60, 500, 0), 1);
    assert_int_equal(town_last(town)->fence_no, TOWN_OTHER_FENCE);
    assert_int_equal(town_last(town)->school_no, 2);
}

static void without_fences_and_directory_nothing_breaks(void **state)
{
    (void)state;
    struct engine *engine;
    struct engine_limits limits = {.cards_max = 2, .presences_max = 1};
    assert_int_equal(engine_new(&limits, &engine), STATUS_OK);
    struct town town = {.engine = engine,
                        .out = calloc(STEP_ALERTS_MAX, sizeof *town.out),
                        .log = calloc(TOWN_ALERTS_MAX, sizeof *town.log)};
    assert_int_equal(town_fix(&town, 1, 0, 0, 0, 5), 0);
    assert_int_equal(town_pass(&town, 1, 0, 1, PASS_IN), 0);
    assert_int_equal(town_signal(&town, 1, 0, SIGNAL_SOS), 1);
    assert_int_equal(engine_presence(engine, 1, 1), PRESENCE_UNKNOWN);
    town_take_directory(&town, town_directory(1));
    assert_int_equal(town_fix(&town, 1, 0, 0, 0, 5), 0);
    assert_int_equal(town_pass(&town, 1, 0, 1, PASS_IN), 1);
    assert_int_equal(town_fix(&town, 30, 0, 0, 0, 5), 0); /* a card beyond the limit */
    town_release(&town);
}

struct told {
    uint32_t count;
    struct engine_reason last;
};

static void take_reason(void *context, const struct engine_reason *reason)
{
    struct told *told = context;
    told->count++;
    told->last = *reason;
}

static void walk_in(struct town *town)
{
    (void)town_stay(town, 1, 0, 6, 60, 300, 0);
    (void)town_pass(town, 1, 350, 1, PASS_IN);
    (void)town_fix(town, 1, 370, 10, 0, 8);
}

static void who_asks_why_is_told_and_changes_nothing(void **state)
{
    struct town *town = *state;
    struct town asked;
    struct told told = {0};
    town_init(&asked, 1000);
    engine_explain(asked.engine, take_reason, &told);
    walk_in(town);
    walk_in(&asked);
    assert_int_equal(asked.log_count, 2);
    assert_memory_equal(asked.log, town->log, 2 * sizeof *town->log);
    const struct engine_reason *last = &told.last;
    assert_true(told.count >= 2);
    assert_int_equal(last->time_ms, town_ms(370));
    assert_int_equal(last->run_ms, town_ms(350));
    assert_int_equal(last->pupil_no, 1);
    assert_int_equal(last->fence_no, TOWN_SCHOOL_FENCE);
    assert_int_equal(last->accuracy_cm, 800);
    assert_in_range(-last->distance_m, 89, 91);
    assert_true(last->firm && last->passed);
    assert_int_equal(last->before, PRESENCE_OUTSIDE);
    assert_int_equal(last->after, PRESENCE_INSIDE);
    assert_true(last->sum_mn >= last->sum_needed_mn && last->word_mn > 0);
    engine_explain(asked.engine, NULL, NULL);
    (void)town_fix(&asked, 1, 430, 10, 0, 8);
    assert_int_equal(last->time_ms, town_ms(370));
    town_release(&asked);
}

static void what_is_long_over_is_not_told_but_an_sos_is(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 8, 60, 500, 0);
    for (uint32_t i = 0; i < 12; i++) {
        struct event fix = town_fix_at(1, 480 + i * 60, 0, 0, 8);
        assert_int_equal(town_step(town, &fix, ALERT_WORTH_MS / 1000.0 + 3600), 0);
    }
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
    struct event sos = {.time_ms = town_ms(1300),
                        .card_no = 1,
                        .type = EVENT_SIGNAL,
                        .kind = SIGNAL_SOS,
                        .flags = EVENT_NO_POSITION};
    assert_int_equal(town_step(town, &sos, ALERT_WORTH_MS / 1000.0 + 3600), 1);
    assert_int_equal(town_last(town)->type, ALERT_SOS);
    struct engine_stats stats;
    engine_stats(town->engine, &stats);
    assert_true(stats.stale == 1 && stats.alerts[ALERT_ENTERED] == 0);
}

static void a_city_fits_in_130_bytes_a_card(void **state)
{
    (void)state;
    struct engine *engine;
    struct engine_limits limits = {.cards_max = 134001, .presences_max = 134000};
    assert_int_equal(engine_new(&limits, &engine), STATUS_OK);
    assert_true(engine_bytes(engine) / 134000 < 130);
    engine_free(engine);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, town_setup, town_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_same_events_give_the_same_bytes_of_alerts),
        TEST(every_alert_of_a_busy_day_has_an_id_of_its_own),
        TEST(no_step_allocates),
        cmocka_unit_test(limits_that_are_none_are_refused),
        TEST(a_fence_edit_is_silent_and_leaves_the_others_alone),
        TEST(edits_in_a_row_stay_silent),
        TEST(a_fence_that_comes_back_is_new),
        TEST(fence_numbers_beyond_memory_rebase_at_every_set),
        TEST(a_pupil_who_changes_school_rebases_and_others_do_not),
        TEST(who_asks_why_is_told_and_changes_nothing),
        cmocka_unit_test(without_fences_and_directory_nothing_breaks),
        TEST(what_is_long_over_is_not_told_but_an_sos_is),
        cmocka_unit_test(a_city_fits_in_130_bytes_a_card),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
