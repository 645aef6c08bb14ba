/* Fixes wait for those before them that the card sends again: as if they had come in order. */
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/core/random.h"
#include "tests/core/town.h"

enum { REPORTS = 240, EVERY_S = 60, BLOCK_MAX = 8, EVENTS_MAX = 3 };

/* A report on its way: its events stand in order. */
struct letter {
    uint64_t seq, keep_from;
    uint32_t epoch, card_no, count;
    int64_t now_ms;
    struct event events[EVENTS_MAX];
};

static uint32_t take(struct town *town, const struct letter *letter)
{
    uint32_t raised = 0;
    const struct origin origin = {
        .kind = ORIGIN_CARD, .no = letter->card_no, .epoch = letter->epoch, .seq = letter->seq};
    for (uint32_t i = 0; i < letter->count; i++) {
        raised +=
            town_input(town, &(struct engine_input){.type = INPUT_EVENT,
                                                    .now_ms = letter->now_ms,
                                                    .u.event = {.origin = &origin,
                                                                .event = &letter->events[i],
                                                                .index = (uint16_t)i,
                                                                .more = i + 1 < letter->count,
                                                                .keep_from = letter->keep_from}});
    }
    return raised;
}

static struct letter letter_of(uint64_t seq, uint64_t keep_from, double now_s, struct event event)
{
    return (struct letter){.seq = seq,
                           .keep_from = keep_from,
                           .card_no = event.card_no,
                           .count = 1,
                           .now_ms = town_ms(now_s),
                           .events = {event}};
}

static uint32_t take_fix(struct town *town, uint64_t seq, uint64_t keep_from, double at_s,
                         double now_s, double north_m)
{
    struct letter letter = letter_of(seq, keep_from, now_s, town_fix_at(1, at_s, north_m, 0, 8));
    return take(town, &letter);
}

static struct engine_stats stats_of(const struct town *town)
{
    struct engine_stats stats;
    engine_stats(town->engine, &stats);
    return stats;
}

/* ---- one card ---- */

/* Reports 1 to 10 from outside, a minute apart. */
static void begin_outside(struct town *town)
{
    for (uint64_t seq = 1; seq <= 10; seq++) {
        double at_s = (double)seq * EVERY_S;
        assert_int_equal(take_fix(town, seq, 1, at_s, at_s, 400), 0);
    }
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_OUTSIDE);
}

/* The newest first: 13 waits for 11 and 12, and then all three say what they would have said in order. */
static void the_newest_waits_for_what_is_sent_again(void **state)
{
    struct town *town = *state;
    begin_outside(town);
    (void)take_fix(town, 13, 11, 780, 780, 10);
    (void)take_fix(town, 12, 11, 720, 780.1, 0);
    assert_int_equal(stats_of(town).fixes, 10);
    assert_int_equal(stats_of(town).waited, 2);
    (void)take_fix(town, 11, 11, 660, 780.2, 300);
    assert_int_equal(stats_of(town).fixes, 13);
    assert_int_equal(stats_of(town).out_of_order, 0);
    assert_int_equal(stats_of(town).waited_in_vain, 0);
    (void)take_fix(town, 14, 14, 840, 840, 0);
    assert_int_equal(stats_of(town).fixes, 14);
}

static void it_waits_for_five_seconds(void **state)
{
    struct town *town = *state;
    begin_outside(town);
    (void)town_tick(town, 660);
    (void)take_fix(town, 12, 11, 720, 720, 400);
    (void)town_ticks(town, 720, 724);
    assert_int_equal(stats_of(town).fixes, 10);
    (void)town_ticks(town, 724, 726);
    assert_int_equal(stats_of(town).fixes, 11);
    assert_int_equal(stats_of(town).waited_in_vain, 1);
    (void)take_fix(town, 13, 11, 780, 780, 400); /* 11 is late now, not missing */
    assert_int_equal(stats_of(town).fixes, 12);
    (void)take_fix(town, 11, 11, 660, 781, 400);
    assert_int_equal(stats_of(town).out_of_order, 1);
}

/* Without a tick any other event tells the time, and a clock set back makes nobody wait. */
static void any_event_tells_that_the_wait_is_over(void **state)
{
    struct town *town = *state;
    begin_outside(town);
    (void)take_fix(town, 12, 11, 720, 720, 400);
    (void)town_fix(town, 3, 723, 400, 0, 8); /* arrives a second later */
    assert_int_equal(stats_of(town).fixes, 11);
    (void)town_fix(town, 3, 724, 400, 0, 8);
    assert_int_equal(stats_of(town).fixes, 13);
    (void)take_fix(town, 14, 11, 840, 840, 400);
    assert_int_equal(stats_of(town).fixes, 13);
    (void)town_fix(town, 3, 800, 400, 0, 8);
    assert_int_equal(stats_of(town).fixes, 15);
}

static void what_the_card_does_not_keep_is_not_waited_for(void **state)
{
    struct town *town = *state;
    begin_outside(town);
    (void)take_fix(town, 12, 0, 720, 720, 400); /* keeps nothing */
    assert_int_equal(stats_of(town).fixes, 11);
    (void)take_fix(town, 15, 15, 840, 840, 400); /* no more */
    assert_int_equal(stats_of(town).fixes, 12);
    (void)take_fix(town, 19, 18, 900, 900, 400); /* 18, but not 16 and 17 */
    assert_int_equal(stats_of(town).fixes, 12);
    (void)take_fix(town, 18, 18, 870, 901, 400);
    assert_int_equal(stats_of(town).fixes, 14);
    (void)take_fix(town, 22, 20, 960, 960, 400);
    (void)take_fix(town, 23, 22, 1020, 961, 400); /* 20 and 21 were given up meanwhile */
    assert_int_equal(stats_of(town).fixes, 16);
    assert_int_equal(stats_of(town).out_of_order, 0);
}

static void an_sos_never_waits(void **state)
{
    struct town *town = *state;
    begin_outside(town);
    struct letter letter = letter_of(12, 11, 720,
                                     (struct event){.time_ms = town_ms(720),
                                                    .card_no = 1,
                                                    .type = EVENT_SIGNAL,
                                                    .kind = SIGNAL_SOS,
                                                    .flags = EVENT_NO_POSITION});
    letter.events[1] = town_fix_at(1, 720, 400, 0, 8);
    letter.count = 2;
    assert_int_equal(take(town, &letter), 1);
    assert_int_equal(town_last(town)->type, ALERT_SOS);
    assert_int_equal(stats_of(town).fixes, 10);
    (void)take_fix(town, 11, 11, 660, 721, 400);
    assert_int_equal(stats_of(town).fixes, 12);
    assert_int_equal(stats_of(town).signals, 1);
    (void)take_fix(town, 13, 11, 780, 780, 400); /* 12 is whole: its signal too */
    assert_int_equal(stats_of(town).fixes, 13);
}

static void another_epoch_is_another_sequence(void **state)
{
    struct town *town = *state;
    begin_outside(town);
    (void)take_fix(town, 12, 11, 720, 720, 400);
    struct letter letter = letter_of(1, 1, 721, town_fix_at(1, 721, 400, 0, 8));
    letter.epoch = 1;
    (void)take(town, &letter);
    assert_int_equal(stats_of(town).fixes, 12);
    assert_int_equal(stats_of(town).out_of_order, 0);
    letter = letter_of(2, 1, 781, town_fix_at(1, 781, 400, 0, 8));
    letter.epoch = 1;
    (void)take(town, &letter);
    assert_int_equal(stats_of(town).fixes, 13);
}

/* ---- no room ---- */

static void a_full_room_lets_the_first_ones_go(void **state)
{
    struct town *town = *state;
    for (uint32_t card = 1; card <= TOWN_PUPILS; card++) {
        (void)take(town, &(struct letter){.seq = 1,
                                          .keep_from = 1,
                                          .card_no = card,
                                          .count = 1,
                                          .now_ms = town_ms(0),
                                          .events = {town_fix_at(card, 0, 400, 0, 8)}});
    }
    uint32_t sent = TOWN_PUPILS;
    for (uint64_t seq = 40; seq > 38; seq--) {
        for (uint32_t card = 1; card <= TOWN_PUPILS; card++, sent++) {
            double at_s = (double)seq * 10;
            struct letter letter = letter_of(seq, 2, 400, town_fix_at(card, at_s, 400, 0, 8));
            (void)take(town, &letter);
        }
    }
    struct engine_stats stats = stats_of(town);
    assert_in_range(sent - stats.fixes, 1, 64);
    assert_true(stats.waited_in_vain > 0);
    (void)town_tick(town, 406);
    assert_int_equal(stats_of(town).fixes, sent);
}

/* ---- any order ---- */

/* A walk in and out of the school and past the pond, one report a minute of one to three fixes. */
static void walk(uint64_t *random, struct letter *letters)
{
    double north_m = 400, goal_m = 0;
    for (uint32_t i = 0; i < REPORTS; i++) {
        double at_s = (double)i * EVERY_S;
        if (random_below(random, 12) == 0) {
            goal_m = goal_m == 0 ? 400 : 0;
        }
        north_m += (goal_m - north_m) / 2;
        letters[i] = (struct letter){.seq = i + 1, .keep_from = 1, .card_no = 1};
        letters[i].count = 1 + (uint32_t)random_below(random, EVENTS_MAX);
        for (uint32_t k = 0; k < letters[i].count; k++) {
            letters[i].events[k] =
                town_fix_at(1, at_s + 5.0 * k, north_m, 0, 5 + (double)random_below(random, 40));
        }
    }
}

/* In blocks that come within a second, backwards or any way. */
static void shuffle(uint64_t *random, struct letter *letters)
{
    for (uint32_t first = 0; first < REPORTS;) {
        uint32_t count = 1 + (uint32_t)random_below(random, BLOCK_MAX);
        count = count < REPORTS - first ? count : REPORTS - first;
        double now_s = (double)(first + count) * EVERY_S;
        for (uint32_t i = count; i > 1; i--) {
            uint32_t k = (uint32_t)random_below(random, i);
            struct letter letter = letters[first + i - 1];
            letters[first + i - 1] = letters[first + k];
            letters[first + k] = letter;
        }
        for (uint32_t i = 0; i < count; i++) {
            letters[first + i].now_ms = town_ms(now_s) + (int64_t)i * 100;
        }
        first += count;
    }
}

static void run(struct town *town, const struct letter *letters)
{
    town_init(town, 1000);
    for (uint32_t i = 0; i < REPORTS; i++) {
        (void)take(town, &letters[i]);
    }
    for (uint32_t i = 0; i < town->log_count; i++) {
        town->log[i].raised_ms = 0;
        town->log[i].late = false;
    }
}

static void any_order_within_the_wait_tells_the_same(void **state)
{
    (void)state;
    static struct letter letters[REPORTS], shuffled[REPORTS];
    const uint64_t seed = random_seed();
    uint32_t told = 0, waited = 0;
    for (uint64_t turn = 0; turn < 100; turn++) {
        uint64_t random = seed + turn;
        struct town straight, other;
        walk(&random, letters);
        memcpy(shuffled, letters, sizeof shuffled);
        shuffle(&random, shuffled);
        for (uint32_t i = 0; i < REPORTS; i++) { /* each arrives as the other run's same one */
            letters[i].now_ms = shuffled[i].now_ms;
        }
        run(&straight, letters);
        run(&other, shuffled);
        if (straight.log_count != other.log_count ||
            (straight.log_count > 0 &&
             memcmp(straight.log, other.log, straight.log_count * sizeof *straight.log) != 0)) {
            fail_msg("SEED=%" PRIu64 ": %u alerts in order, %u shuffled", seed + turn,
                     straight.log_count, other.log_count);
        }
        told += straight.log_count;
        waited += (uint32_t)stats_of(&other).waited;
        assert_int_equal(stats_of(&other).waited_in_vain, 0);
        assert_int_equal(stats_of(&other).out_of_order, 0);
        town_release(&straight);
        town_release(&other);
    }
    print_message("%u alerts, %u fixes waited\n", told, waited);
    assert_true(told > 500 && waited > 5000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, town_setup, town_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_newest_waits_for_what_is_sent_again),
        TEST(it_waits_for_five_seconds),
        TEST(any_event_tells_that_the_wait_is_over),
        TEST(what_the_card_does_not_keep_is_not_waited_for),
        TEST(an_sos_never_waits),
        TEST(another_epoch_is_another_sequence),
        TEST(a_full_room_lets_the_first_ones_go),
        cmocka_unit_test(any_order_within_the_wait_tells_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
