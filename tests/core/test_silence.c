/* Who is heard of, and what a school is told of it. Times are seconds since the test began. */
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/core/random.h"
#include "tests/core/town.h"

enum { LOOKS_S = SILENT_LOOKS }; /* a silence is told so long after its bound at most */

static struct engine_card card_of(const struct town *town, uint32_t card_no)
{
    struct engine_card card;
    engine_card(town->engine, card_no, &card);
    return card;
}

static uint32_t heard_s(const struct town *town, uint32_t card_no)
{
    return (uint32_t)((card_of(town, card_no).heard_ms - TOWN_START_MS) / 1000);
}

/* Inside the ground of its school from the first states on; returns when it was last heard. */
static double settle(struct town *town, uint32_t card_no, double at_s)
{
    assert_int_equal(town_stay(town, card_no, at_s, 10, 60, 0, 0), 0);
    return at_s + 9 * 60 + 1;
}

static void expect_alert(const struct town *town, uint32_t place, enum alert_type type,
                         uint32_t pupil_no, double at_s)
{
    assert_true(place < town->log_count);
    assert_int_equal(town->log[place].type, type);
    assert_int_equal(town->log[place].pupil_no, pupil_no);
    assert_int_equal(town->log[place].time_ms, town_ms(at_s));
}

static void a_card_is_never_heard_heard_silent_and_heard_again(void **state)
{
    struct town *town = *state;
    assert_int_equal(card_of(town, 1).hearing, CARD_NEVER_HEARD);
    (void)town_ticks(town, 0, 1);
    double last_s = settle(town, 1, 10);
    assert_int_equal(card_of(town, 1).hearing, CARD_HEARD);
    assert_int_equal(heard_s(town, 1), last_s);
    assert_int_equal(card_of(town, 1).interval_s, 60);
    assert_int_equal(town_ticks(town, 2, last_s + SILENT_S_MIN), 0);
    assert_int_equal(card_of(town, 1).hearing, CARD_HEARD);
    assert_int_equal(town_ticks(town, last_s + SILENT_S_MIN + 1, last_s + SILENT_S_MIN + LOOKS_S),
                     1);
    assert_int_equal(card_of(town, 1).hearing, CARD_SILENT);
    expect_alert(town, 0, ALERT_SILENT, 1, last_s);
    const struct alert *alert = town_last(town);
    assert_int_equal(alert->school_no, 1);
    assert_int_equal(alert->card_no, 1);
    assert_int_equal(alert->severity, SEVERITY_INFO);
    assert_false(alert->late);
    assert_true(alert->has_position && alert->raised_ms > town_ms(last_s + SILENT_S_MIN));
    char id[ALERT_ID_MAX], wanted[ALERT_ID_MAX];
    alert_id(alert, id);
    (void)snprintf(wanted, sizeof wanted, "silent-t1.0.%u.0", (uint32_t)(town_ms(last_s) / 1000));
    assert_string_equal(id, wanted);
    assert_int_equal(town_ticks(town, 2000, 4000), 0); /* once */
    assert_int_equal(town_fix(town, 1, 4001, 0, 0, 8), 1);
    expect_alert(town, 1, ALERT_HEARD, 1, 4002);
    assert_int_equal(card_of(town, 1).hearing, CARD_HEARD);
    assert_int_equal(town_fix(town, 1, 4061, 0, 0, 8), 0); /* once */
    assert_int_equal(town_ticks(town, 4062, 4700), 1);
    expect_alert(town, 2, ALERT_SILENT, 1, 4062);
}

static void anything_the_card_says_is_heard_but_no_pass(void **state)
{
    struct town *town = *state;
    struct event event = {.card_no = 1, .time_ms = town_ms(0), .flags = EVENT_NO_POSITION};
    static const uint8_t types[] = {EVENT_FIX, EVENT_SIGNAL, EVENT_CALL};
    for (uint32_t i = 0; i < 3; i++) {
        event.type = types[i];
        event.kind = event.type == EVENT_SIGNAL ? SIGNAL_REMOVED : 1;
        event.time_ms = town_ms(100.0 * i);
        (void)town_step(town, &event, 0);
        assert_int_equal(heard_s(town, 1), 100 * i);
    }
    (void)town_pass(town, 1, 1000, 1, PASS_IN);
    assert_int_equal(heard_s(town, 1), 200);
    assert_int_equal(card_of(town, 3).hearing, CARD_NEVER_HEARD);
    assert_int_equal(card_of(town, 7000000).hearing, CARD_NEVER_HEARD);
}

static void a_pass_is_no_sign_of_a_silent_card(void **state)
{
    struct town *town = *state;
    double last_s = settle(town, 1, 0);
    assert_int_equal(town_ticks(town, 0, last_s + 700), 1);
    assert_int_equal(town_pass(town, 1, last_s + 701, 1, PASS_IN), 1); /* the pass itself */
    assert_int_equal(card_of(town, 1).hearing, CARD_SILENT);
    assert_int_equal(town_fix(town, 1, last_s + 800, 0, 0, 8), 1);
    assert_int_equal(town_last(town)->type, ALERT_HEARD);
}

/* ---- the interval ---- */

static void five_intervals_of_a_slow_card_are_its_silence(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_stay(town, 1, 0, 12, 300, 0, 0), 0);
    assert_int_equal(card_of(town, 1).interval_s, 300);
    double last_s = 11 * 300 + 1;
    assert_int_equal(town_ticks(town, 0, last_s + 1500), 0);
    assert_int_equal(card_of(town, 1).hearing, CARD_HEARD);
    assert_int_equal(town_ticks(town, last_s + 1501, last_s + 1500 + LOOKS_S), 1);
    expect_alert(town, 0, ALERT_SILENT, 1, last_s);
}

static void an_interval_is_learned_within_some_reports_and_capped(void **state)
{
    struct town *town = *state;
    double at_s = 0;
    static const uint32_t learned[] = {0, 60, 120, 240, 480, 960, 1800, 1800};
    for (uint32_t i = 0; i < 8; i++, at_s += 7200) {
        (void)town_fix(town, 1, at_s, 0, 0, 8);
        assert_int_equal(card_of(town, 1).interval_s, learned[i]);
    }
    assert_int_equal(town_ticks(town, at_s - 7300, at_s - 7200 + 9000), 0);
    assert_int_equal(town_ticks(town, at_s - 7200 + 9001, at_s - 7200 + 9000 + 2 * LOOKS_S), 1);
}

static void one_break_of_the_network_spoils_no_interval(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    (void)town_fix(town, 1, 9000, 0, 0, 8);
    assert_int_equal(card_of(town, 1).interval_s, 120); /* doubled, whatever the break */
    for (uint32_t i = 1; i <= 60; i++) {
        (void)town_fix(town, 1, 9000 + 60 * i, 0, 0, 8);
    }
    assert_int_equal(card_of(town, 1).interval_s, 60);
}

static void a_backlog_that_arrives_at_once_has_the_gaps_of_its_times(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    for (uint32_t i = 0; i < 60; i++) { /* said each minute, all heard at 7200 */
        double at_s = 600 + 60.0 * i;
        struct event fix = town_fix_at(1, at_s, 0, 0, 8);
        (void)town_step(town, &fix, 7200 - at_s);
    }
    assert_int_equal(card_of(town, 1).interval_s, 60);
    assert_int_equal(heard_s(town, 1), 7200);
    assert_int_equal(town_ticks(town, 7140, 7200 + SILENT_S_MIN), 0);
    assert_int_equal(town_ticks(town, 7201 + SILENT_S_MIN, 7200 + SILENT_S_MIN + LOOKS_S), 1);
}

static void what_is_said_out_of_order_or_twice_teaches_nothing(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    for (uint32_t i = 0; i < 20; i++) {
        struct event fix = town_fix_at(1, i % 2 == 0 ? 100 : 540, 0, 0, 8);
        (void)town_step(town, &fix, 1000);
    }
    assert_int_equal(card_of(town, 1).interval_s, 60);
}

/* ---- switched off, low ---- */

static void a_card_that_was_switched_off_is_off_until_it_says_something_newer(void **state)
{
    struct town *town = *state;
    double last_s = settle(town, 1, 0);
    assert_int_equal(town_signal(town, 1, 600, SIGNAL_POWERED_OFF), 1);
    assert_int_equal(card_of(town, 1).hearing, CARD_OFF);
    assert_int_equal(town_ticks(town, 0, 3000), 0); /* told already */
    assert_int_equal(card_of(town, 1).hearing, CARD_OFF);
    struct event old = town_fix_at(1, last_s + 20, 0, 0, 8);
    assert_int_equal(town_step(town, &old, 3000), 0);
    assert_int_equal(card_of(town, 1).hearing, CARD_OFF);
    assert_int_equal(town_signal(town, 1, 4000, SIGNAL_POWERED_OFF), 1); /* told anew */
    assert_int_equal(card_of(town, 1).hearing, CARD_OFF);
    assert_int_equal(town_fix(town, 1, 5000, 0, 0, 8), 1);
    assert_int_equal(town_last(town)->type, ALERT_HEARD);
    assert_int_equal(card_of(town, 1).hearing, CARD_HEARD);
}

static void an_old_signal_of_switching_off_is_no_state(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    assert_int_equal(town_signal(town, 1, 300, SIGNAL_POWERED_OFF), 1);
    assert_int_equal(card_of(town, 1).hearing, CARD_HEARD);
    assert_int_equal(town_fix(town, 1, 600, 0, 0, 8), 0);
}

static void heard_follows_only_what_was_told(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    assert_int_equal(town_signal(town, 1, 600, SIGNAL_POWERED_OFF), 1);
    assert_int_equal(town_fix(town, 1, 660, 0, 0, 8), 1);
    assert_int_equal(town_signal(town, 1, 720, SIGNAL_POWERED_OFF), 0); /* held */
    assert_int_equal(card_of(town, 1).hearing, CARD_OFF);
    assert_int_equal(town_fix(town, 1, 780, 0, 0, 8), 0);
    assert_int_equal(town_signal(town, 1, 840, SIGNAL_POWERED_OFF), 0); /* and never back: */
    assert_int_equal(town_ticks(town, 800, 841 + SILENT_S_MIN + LOOKS_S), 1);
    assert_int_equal(town_last(town)->type, ALERT_SILENT);
}

static void a_silent_card_that_tells_that_it_is_switched_off_is_heard_later(void **state)
{
    struct town *town = *state;
    double last_s = settle(town, 1, 0);
    assert_int_equal(town_ticks(town, 0, last_s + 700), 1);
    assert_int_equal(town_signal(town, 1, 2000, SIGNAL_POWERED_OFF), 1);
    assert_int_equal(town_last(town)->type, ALERT_POWERED_OFF);
    assert_int_equal(town_fix(town, 1, 3000, 0, 0, 8), 1);
    assert_int_equal(town_last(town)->type, ALERT_HEARD);
}

static void a_low_battery_is_a_state_until_a_better_charge(void **state)
{
    struct town *town = *state;
    assert_false(card_of(town, 1).low_battery);
    assert_int_equal(town_signal(town, 1, 0, SIGNAL_LOW_BATTERY), 1);
    assert_true(card_of(town, 1).low_battery);
    struct event fix = town_fix_at(1, 60, 0, 0, 8);
    fix.flags |= EVENT_HAS_BATTERY;
    fix.battery_pct = 31;
    (void)town_step(town, &fix, 1);
    assert_false(card_of(town, 1).low_battery);
}

/* ---- who is told ---- */

static void silence_at_home_is_a_state_and_tells_nothing(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_stay(town, 1, 0, 10, 60, 3000, 0), 0);
    assert_int_equal(town_ticks(town, 0, 5000), 0);
    assert_int_equal(card_of(town, 1).hearing, CARD_SILENT);
    assert_int_equal(town_fix(town, 1, 5001, 3000, 0, 8), 0);
    assert_int_equal(card_of(town, 1).hearing, CARD_HEARD);
}

static void a_place_that_is_no_ground_tells_nothing(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_stay(town, 1, 0, 10, 60, 1000, 0), 0); /* in the park */
    assert_int_equal(engine_presence(town->engine, 1, TOWN_PARK_FENCE), PRESENCE_INSIDE);
    assert_int_equal(town_ticks(town, 0, 5000), 0);
    assert_int_equal(card_of(town, 1).hearing, CARD_SILENT);
}

static void silence_never_moves_anyone(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    (void)town_stay(town, 3, 0, 10, 60, 3000, 0);
    assert_int_equal(town_ticks(town, 0, 90000), 1);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
    assert_int_equal(engine_presence(town->engine, 3, TOWN_SCHOOL_FENCE), PRESENCE_OUTSIDE);
}

static void a_pupil_of_another_school_now_was_never_heard_there(void **state)
{
    struct town *town = *state;
    double last_s = settle(town, 1, 0);
    assert_int_equal(town_ticks(town, 0, last_s + 700), 1);
    town_take_directory(town, town_directory(2));
    assert_int_equal(card_of(town, 1).hearing, CARD_NEVER_HEARD);
    assert_int_equal(town_fix(town, 1, 2000, 0, 0, 8), 0);
}

/* ---- outages ---- */

/* Pupils of school 1 have odd numbers. */
static void settle_pupils(struct town *town, uint32_t count, double at_s)
{
    for (uint32_t i = 0; i < count; i++) {
        (void)settle(town, 2 * i + 1, at_s);
    }
}

static void an_outage_is_told_once_for_the_school_and_so_is_its_end(void **state)
{
    struct town *town = *state;
    settle_pupils(town, 18, 0);
    assert_int_equal(town_ticks(town, 0, 4000), SILENT_TOLD_MAX + 1);
    const struct alert *school = &town->log[0];
    for (uint32_t i = 0; i < town->log_count; i++) {
        assert_int_equal(town->log[i].type, ALERT_SILENT);
        school = town->log[i].pupil_no == 0 ? &town->log[i] : school;
    }
    assert_int_equal(school->pupil_no, 0);
    assert_int_equal(school->school_no, 1);
    assert_int_equal(school->card_no, 0);
    assert_false(school->has_position);
    char id[ALERT_ID_MAX], wanted[ALERT_ID_MAX];
    alert_id(school, id);
    (void)snprintf(wanted, sizeof wanted, "silent-t0.1.%u.0", (uint32_t)(school->time_ms / 1000));
    assert_string_equal(id, wanted);
    struct engine_stats stats;
    engine_stats(town->engine, &stats);
    assert_int_equal(stats.cards_silent, 18);
    /* Who was told by name is told again, the others by the school. */
    uint32_t before = town->log_count, heard = 0;
    for (uint32_t i = 0; i < 18; i++) {
        heard += town_fix(town, 2 * i + 1, 4001, 0, 0, 8);
    }
    assert_int_equal(heard, SILENT_TOLD_MAX);
    assert_int_equal(town_ticks(town, 4002, 4002 + 2 * LOOKS_S), 1);
    assert_int_equal(town->log_count, before + SILENT_TOLD_MAX + 1);
    assert_int_equal(town_last(town)->type, ALERT_HEARD);
    assert_int_equal(town_last(town)->pupil_no, 0);
    alert_id(town_last(town), id);
    (void)snprintf(wanted, sizeof wanted, "heard-t0.1.%u.0", (uint32_t)(school->time_ms / 1000));
    assert_string_equal(id, wanted);
    engine_stats(town->engine, &stats);
    assert_int_equal(stats.cards_silent, 0);
}

static void an_outage_is_not_over_because_nobody_looked(void **state)
{
    struct town *town = *state;
    settle_pupils(town, 18, 0);
    assert_int_equal(town_ticks(town, 0, 4000), SILENT_TOLD_MAX + 1);
    assert_int_equal(town_ticks(town, 4001, 4025),
                     0); /* a few cards of a round, then campusd is away */
    assert_int_equal(town_ticks(town, 4239, 4600), 0);
    struct engine_stats stats;
    engine_stats(town->engine, &stats);
    assert_int_equal(stats.cards_silent, 18);
}

static void who_stays_silent_after_an_outage_is_told_by_name(void **state)
{
    struct town *town = *state;
    settle_pupils(town, 18, 0);
    assert_int_equal(town_ticks(town, 0, 4000), SILENT_TOLD_MAX + 1);
    for (uint32_t i = 0; i < 16; i++) {
        (void)town_fix(town, 2 * i + 1, 4001, 0, 0, 8);
    }
    uint32_t before = town->log_count;
    assert_int_equal(town_ticks(town, 4002, 4002 + 4 * LOOKS_S), 3);
    assert_int_equal(town->log[before].type, ALERT_HEARD);
    assert_int_equal(town->log[before].pupil_no, 0);
    assert_int_equal(town->log[before + 1].pupil_no + town->log[before + 2].pupil_no, 33 + 35);
}

static void ten_silent_ones_are_no_outage_and_another_school_is_none_of_it(void **state)
{
    struct town *town = *state;
    settle_pupils(town, SILENT_TOLD_MAX, 0);
    (void)settle(town, 2, 0);
    assert_int_equal(town_ticks(town, 0, 4000), SILENT_TOLD_MAX + 1);
    for (uint32_t i = 0; i < town->log_count; i++) {
        assert_int_not_equal(town->log[i].pupil_no, 0);
    }
}

static void while_nobody_listened_nobody_was_silent(void **state)
{
    struct town *town = *state;
    double last_s = settle(town, 1, 0);
    assert_int_equal(town_ticks(town, 0, last_s + 10), 0);
    /* campusd was away for two hours */
    double back_s = last_s + 7200;
    assert_int_equal(town_ticks(town, back_s, back_s + SILENT_S_MIN), 0);
    assert_int_equal(card_of(town, 1).hearing, CARD_HEARD);
    assert_int_equal(town_ticks(town, back_s + SILENT_S_MIN + 1, back_s + SILENT_S_MIN + LOOKS_S),
                     1);
    expect_alert(town, 0, ALERT_SILENT, 1, last_s);
    /* and what was silent before it goes away stays so */
    assert_int_equal(town_ticks(town, back_s + 9000, back_s + 9100), 0);
    assert_int_equal(card_of(town, 1).hearing, CARD_SILENT);
}

static void ticks_never_go_back(void **state)
{
    struct town *town = *state;
    double last_s = settle(town, 1, 0);
    assert_int_equal(town_ticks(town, 0, last_s + 599), 0);
    /* The clock was set back: what is heard now was heard by the last tick at least. */
    struct event fix = town_fix_at(1, last_s + 60, 0, 0, 8);
    assert_int_equal(town_step(town, &fix, -600), 0);
    assert_int_equal(heard_s(town, 1), last_s + 599);
    assert_int_equal(town_ticks(town, 0, 500), 0);
    assert_int_equal(town_ticks(town, last_s + 600, last_s + 599 + SILENT_S_MIN), 0);
}

/* ---- slices ---- */

enum { MANY = 6000 };

static struct directory *many_directory(void)
{
    struct directory *directory;
    const struct directory_ends ends = {.schools = 601, .pupils = MANY + 1, .cards = MANY + 1};
    assert_int_equal(directory_new(&ends, &directory), STATUS_OK);
    static char ids[MANY + 1][8];
    for (uint32_t no = 1; no <= MANY; no++) {
        (void)snprintf(ids[no], sizeof ids[no], "x%u", no);
        uint32_t school_no = (no - 1) / 10 + 1;
        directory->schools[school_no].id = ids[school_no];
        directory->pupils[no] = (struct dir_pupil){.id = ids[no], .school_no = school_no};
        directory->cards[no] =
            (struct dir_card){.id = ids[no], .pupil_no = no, .school_no = school_no};
    }
    assert_int_equal(directory_seal(directory, NULL), STATUS_OK);
    return directory;
}

static void step_many(struct engine *engine, const struct engine_input *input,
                      struct outbox *outbox)
{
    outbox->count = 0;
    engine_step(engine, input, outbox);
}

/* All of the cards, at ten schools each, in the one ground that is everyone's. */
static struct engine *many_engine(const struct directory *directory, const struct fence_set *fences)
{
    static struct alert alerts[STEP_ALERTS_MAX];
    struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
    const struct engine_limits limits = {.cards_max = MANY + 1, .presences_max = MANY + 1};
    struct engine *engine;
    assert_int_equal(engine_new(&limits, &engine), STATUS_OK);
    step_many(engine, &(struct engine_input){.type = INPUT_DIRECTORY, .u.directory = directory},
              &outbox);
    step_many(engine, &(struct engine_input){.type = INPUT_FENCES, .u.fences = fences}, &outbox);
    for (uint32_t i = 0; i < 10 * MANY; i++) {
        uint32_t minute = i / MANY;
        struct event fix = town_fix_at(i % MANY + 1, 60.0 * minute, 0, 0, 8);
        const struct origin origin = {.kind = ORIGIN_CARD, .no = fix.card_no, .seq = i};
        step_many(engine,
                  &(struct engine_input){.type = INPUT_EVENT,
                                         .now_ms = fix.time_ms,
                                         .u.event = {.origin = &origin, .event = &fix}},
                  &outbox);
        assert_int_equal(outbox.count, 0);
    }
    return engine;
}

static void a_tick_looks_at_a_slice_and_a_minute_of_them_at_everyone(void **state)
{
    (void)state;
    static const struct town_fence ground = {1, 1, 0, FENCE_SCHOOL, 0, 0, 100};
    static struct alert alerts[STEP_ALERTS_MAX];
    static uint8_t told[MANY + 1];
    memset(told, 0, sizeof told);
    struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
    struct directory *directory = many_directory();
    struct fence_set *fences = town_fences(&ground, 1);
    struct engine *engine = many_engine(directory, fences);
    uint32_t sum = 0;
    for (uint32_t s = 0; s <= 540 + SILENT_S_MIN + LOOKS_S; s++) {
        step_many(engine, &(struct engine_input){.type = INPUT_TICK, .now_ms = town_ms(s)},
                  &outbox);
        assert_true(outbox.count <= MANY / SILENT_LOOKS + 1);
        for (uint32_t i = 0; i < outbox.count; i++) {
            assert_int_equal(told[alerts[i].pupil_no]++, 0);
        }
        sum += outbox.count;
    }
    assert_int_equal(sum, MANY);
    engine_free(engine);
    fence_set_free(fences);
    directory_free(directory);
}

/* One tick for a whole minute of them finds as many as an outbox holds; the rest keeps. */
static void what_has_no_room_is_told_by_the_next_round(void **state)
{
    (void)state;
    static const struct town_fence ground = {1, 1, 0, FENCE_SCHOOL, 0, 0, 100};
    static struct alert alerts[STEP_ALERTS_MAX];
    struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
    struct directory *directory = many_directory();
    struct fence_set *fences = town_fences(&ground, 1);
    struct engine *engine = many_engine(directory, fences);
    uint32_t sum = 0, ticks = 0;
    for (uint32_t s = 0; s < 10000 && sum < MANY; s += SILENT_DEAF_S) {
        step_many(engine, &(struct engine_input){.type = INPUT_TICK, .now_ms = town_ms(s)},
                  &outbox);
        assert_true(outbox.count <= STEP_ALERTS_MAX);
        sum += outbox.count;
        ticks += outbox.count > 0;
    }
    assert_int_equal(sum, MANY);
    assert_int_equal(ticks, MANY / STEP_ALERTS_MAX);
    engine_free(engine);
    fence_set_free(fences);
    directory_free(directory);
}

/* ---- doubts ---- */

static void leaving_over_a_silence_is_not_sure(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    assert_int_equal(town_stay(town, 1, 4000, 10, 60, 1500, 0), 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_int_equal(town_last(town)->earliest_ms, town_ms(540));
    assert_int_equal(town_last(town)->doubts, ALERT_DOUBT_SILENCE);
    /* The next crossing has nothing of it. */
    assert_int_equal(town_stay(town, 1, 4600, 20, 60, 0, 0), 1);
    assert_int_equal(town_last(town)->type, ALERT_ENTERED);
    assert_int_equal(town_last(town)->doubts, 0);
}

static void a_run_that_came_to_nothing_leaves_no_doubt(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    assert_int_equal(town_fix(town, 1, 4000, 400, 0, 8), 0); /* a lie, after a silence */
    assert_int_equal(town_stay(town, 1, 4060, 30, 60, 0, 0), 0);
    assert_int_equal(town_stay(town, 1, 5860, 10, 60, 1500, 0), 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_int_equal(town_last(town)->doubts, 0);
}

static void leaving_without_a_silence_is_sure(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    assert_int_equal(town_stay(town, 1, 600, 10, 60, 1500, 0), 1);
    assert_int_equal(town_last(town)->doubts, 0);
}

static void a_silence_before_fixes_without_a_position_is_one_of_the_bounds_too(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    for (uint32_t i = 0; i < 5; i++) {
        struct event fix = town_fix_at(1, 4000 + 60 * i, 0, 0, 8);
        fix.flags |= EVENT_NO_POSITION;
        (void)town_step(town, &fix, 1);
    }
    assert_int_equal(town_stay(town, 1, 4300, 10, 60, 1500, 0), 1);
    assert_int_equal(town_last(town)->doubts, ALERT_DOUBT_SILENCE);
}

static void a_silence_within_a_run_is_a_doubt(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    assert_int_equal(town_fix(town, 1, 600, 400, 0, 8), 0);
    assert_int_equal(town_fix(town, 1, 660, 400, 0, 8), 0);
    assert_int_equal(town_stay(town, 1, 1500, 10, 60, 400, 0), 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_int_equal(town_last(town)->doubts, ALERT_DOUBT_SILENCE);
}

static void a_backlog_of_a_minute_each_is_no_silence(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    uint32_t raised = 0;
    for (uint32_t i = 0; i < 60; i++) {
        double at_s = 600 + 60.0 * i;
        struct event fix = town_fix_at(1, at_s, i < 30 ? 0 : 1500, 0, 8);
        raised += town_step(town, &fix, 7200 - at_s);
    }
    assert_int_equal(raised, 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_int_equal(town_last(town)->doubts, 0);
}

static void who_leaves_with_a_card_switched_off_has_left_not_for_sure(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    assert_int_equal(town_signal(town, 1, 600, SIGNAL_POWERED_OFF), 1);
    uint32_t raised = town_stay(town, 1, 900, 10, 60, 1500, 0);
    assert_int_equal(raised, 2); /* heard, left */
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_int_equal(town_last(town)->doubts, ALERT_DOUBT_OFF);
}

static void a_crossing_on_a_low_battery_is_not_sure(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    assert_int_equal(town_signal(town, 1, 570, SIGNAL_LOW_BATTERY), 1);
    assert_int_equal(town_stay(town, 1, 600, 10, 60, 1500, 0), 1);
    assert_int_equal(town_last(town)->doubts, ALERT_DOUBT_LOW_BATTERY);
}

static void a_pass_tells_the_moment_whatever_is_silent_around_it(void **state)
{
    struct town *town = *state;
    (void)settle(town, 1, 0);
    assert_int_equal(town_pass(town, 1, 4000, 1, PASS_OUT), 1);
    assert_int_equal(town_fix(town, 1, 8000, 1500, 0, 8), 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_int_equal(town_last(town)->time_ms, town_ms(4000));
    assert_int_equal(town_last(town)->doubts, 0);
}

/* ---- the same inputs, the same alerts ---- */

static void play(struct town *town, uint64_t seed)
{
    uint64_t random = seed;
    town_init(town, 1000);
    double next_s[TOWN_PUPILS + 1] = {0};
    for (uint32_t second = 0; second < 20000; second++) {
        double at_s = second;
        (void)town_tick(town, at_s + random_below(&random, 1000) / 1000.0);
        for (uint32_t no = 1; no <= TOWN_PUPILS; no++) {
            if (at_s < next_s[no]) {
                continue;
            }
            uint32_t what = random_below(&random, 200);
            if (what == 0) {
                (void)town_signal(town, no, at_s, SIGNAL_POWERED_OFF);
            } else {
                (void)town_fix(town, no, at_s, random_below(&random, 30), 0, 8);
            }
            next_s[no] = at_s + (what < 5 ? 2000 : 60);
        }
        if (second == 9000) { /* an outage */
            for (uint32_t no = 1; no <= TOWN_PUPILS; no++) {
                next_s[no] += 1500;
            }
        }
    }
}

static void the_same_ticks_give_the_same_alerts_and_each_its_own_id(void **state)
{
    (void)state;
    static struct town one, other;
    static char ids[TOWN_ALERTS_MAX][ALERT_ID_MAX];
    uint64_t seed = random_seed();
    play(&one, seed);
    play(&other, seed);
    assert_int_equal(one.log_count, other.log_count);
    assert_memory_equal(one.log, other.log, one.log_count * sizeof *one.log);
    uint32_t schools = 0;
    for (uint32_t i = 0; i < one.log_count; i++) {
        alert_id(&one.log[i], ids[i]);
        schools += one.log[i].pupil_no == 0;
        for (uint32_t k = 0; k < i; k++) {
            assert_string_not_equal(ids[i], ids[k]);
        }
    }
    assert_true(schools >= 4);
    town_release(&one);
    town_release(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, town_setup, town_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_card_is_never_heard_heard_silent_and_heard_again),
        TEST(anything_the_card_says_is_heard_but_no_pass),
        TEST(a_pass_is_no_sign_of_a_silent_card),
        TEST(five_intervals_of_a_slow_card_are_its_silence),
        TEST(an_interval_is_learned_within_some_reports_and_capped),
        TEST(one_break_of_the_network_spoils_no_interval),
        TEST(a_backlog_that_arrives_at_once_has_the_gaps_of_its_times),
        TEST(what_is_said_out_of_order_or_twice_teaches_nothing),
        TEST(a_card_that_was_switched_off_is_off_until_it_says_something_newer),
        TEST(an_old_signal_of_switching_off_is_no_state),
        TEST(heard_follows_only_what_was_told),
        TEST(a_silent_card_that_tells_that_it_is_switched_off_is_heard_later),
        TEST(a_low_battery_is_a_state_until_a_better_charge),
        TEST(silence_at_home_is_a_state_and_tells_nothing),
        TEST(a_place_that_is_no_ground_tells_nothing),
        TEST(silence_never_moves_anyone),
        TEST(a_pupil_of_another_school_now_was_never_heard_there),
        TEST(an_outage_is_told_once_for_the_school_and_so_is_its_end),
        TEST(an_outage_is_not_over_because_nobody_looked),
        TEST(who_stays_silent_after_an_outage_is_told_by_name),
        TEST(ten_silent_ones_are_no_outage_and_another_school_is_none_of_it),
        TEST(while_nobody_listened_nobody_was_silent),
        TEST(ticks_never_go_back),
        TEST(leaving_over_a_silence_is_not_sure),
        TEST(a_run_that_came_to_nothing_leaves_no_doubt),
        TEST(leaving_without_a_silence_is_sure),
        TEST(a_silence_before_fixes_without_a_position_is_one_of_the_bounds_too),
        TEST(a_silence_within_a_run_is_a_doubt),
        TEST(a_backlog_of_a_minute_each_is_no_silence),
        TEST(who_leaves_with_a_card_switched_off_has_left_not_for_sure),
        TEST(a_crossing_on_a_low_battery_is_not_sure),
        TEST(a_pass_tells_the_moment_whatever_is_silent_around_it),
        cmocka_unit_test(a_tick_looks_at_a_slice_and_a_minute_of_them_at_everyone),
        cmocka_unit_test(what_has_no_room_is_told_by_the_next_round),
        cmocka_unit_test(the_same_ticks_give_the_same_alerts_and_each_its_own_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
