#include <string.h>

#include "core/evidence.h"
#include "tests/check.h"
#include "tests/core/random.h"
#include "tests/core/town.h"

static void a_pupil_who_walks_in_has_arrived_between_the_fixes_on_both_sides(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_stay(town, 1, 0, 6, 60, 500, 0), 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_OUTSIDE);
    assert_int_equal(town_fix(town, 1, 360, 10, 0, 8), 0);
    assert_int_equal(town_stay(town, 1, 420, 7, 60, 20, 0), 0); /* one lie may last so long */
    assert_int_equal(town_fix(town, 1, 840, 20, 0, 8), 1);
    const struct alert *alert = town_last(town);
    assert_int_equal(alert->type, ALERT_ENTERED);
    assert_int_equal(alert->fence_no, TOWN_SCHOOL_FENCE);
    assert_int_equal(alert->fence_version, 1);
    assert_int_equal(alert->pupil_no, 1);
    assert_int_equal(alert->school_no, 1);
    /* 400 m outside at 300 s, 90 m inside at 360 s: 49 s on the way to the boundary */
    assert_in_range(alert->time_ms, town_ms(348.9), town_ms(349.1));
    assert_in_range(alert->earliest_ms, town_ms(299), town_ms(300));
    assert_int_equal(alert->latest_ms, town_ms(840));
    assert_int_equal(alert->raised_ms, town_ms(841));
    assert_int_equal(alert->severity, SEVERITY_INFO);
    assert_false(alert->late);
    assert_true(alert->has_position);
    assert_int_equal(alert->point.lat_e7, town_point(20, 0).lat_e7);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
    assert_int_equal(town_stay(town, 1, 900, 20, 60, 20, 0), 0); /* and stays there in silence */
}

static void a_pupil_who_walks_out_has_left_between_the_fixes_on_both_sides(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
    assert_int_equal(town_stay(town, 1, 360, 11, 60, 300, 0), 0);
    assert_int_equal(town_fix(town, 1, 1020, 300, 0, 8), 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    /* 100 m inside at 300 s, 200 m outside at 360 s */
    assert_in_range(town_last(town)->time_ms, town_ms(319.9), town_ms(320.1));
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_OUTSIDE);
}

static void who_is_far_away_has_left_sooner(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    assert_int_equal(town_fix(town, 1, 360, 180, 0, 8), 0);
    assert_int_equal(town_fix(town, 1, 420, 330, 0, 8), 0);
    assert_int_equal(town_fix(town, 1, 480, 480, 0, 8), 0); /* two in a row must be far */
    assert_int_equal(town_fix(town, 1, 540, 480, 0, 8), 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
}

static void what_leaps_is_not_believed(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    for (int i = 0; i < 20; i++) { /* lies here and there: nobody is so fast */
        assert_int_equal(town_fix(town, 1, 360 + 60 * i, i % 2 == 0 ? 2000 : -2000, 0, 8), 0);
    }
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
}

static void lies_among_vague_fixes_do_not_add_up(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(
            town_fix(town, 1, 360 + 60 * i, i % 5 == 0 ? 600 : 90, 0, i % 5 == 0 ? 8 : 300), 0);
    }
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
}

static void the_noise_of_a_place_is_no_departure(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    assert_int_equal(town_fix(town, 1, 360, 400, 0, 150), 0);
    for (int i = 0; i < 300; i++) { /* three sigma off, all day */
        struct event event = town_fix_at(1, 420 + 60 * i, 400, 0, 150);
        event.kind = FIX_WIFI;
        assert_int_equal(town_step(town, &event, 1), 0);
    }
}

static void after_more_than_ten_minutes_the_first_fix_on_the_other_side_counts(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 300, 0);
    (void)town_stay(town, 1, 300 + 601, 9, 60, 0, 0);
    assert_int_equal(town_last(town)->time_ms, town_ms(901));
    assert_in_range(town_last(town)->earliest_ms, town_ms(299), town_ms(300));
    (void)town_stay(town, 1, 1381 + 600, 12, 60, 300, 0);
    assert_in_range(town_last(town)->time_ms, town_ms(1381 + 199), town_ms(1381 + 201));
}

static void a_run_that_lost_its_place_begins_anew_where_it_is(void **state)
{
    (void)state;
    struct town town;
    town_init(&town, 1);
    (void)town_stay(&town, 1, 0, 8, 60, 500, 0);
    (void)town_stay(&town, 3, 0, 8, 60, 500, 0);
    (void)town_fix(&town, 1, 480, 0, 0, 8);
    (void)town_fix(&town, 3, 480, 0, 0, 8); /* takes the place */
    assert_int_equal(town_stay(&town, 1, 540, 9, 60, 0, 0), 1);
    assert_int_equal(town_last(&town)->time_ms, town_ms(540));
    town_release(&town);
}

static void frequent_fixes_settle_in_the_same_time(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    for (int at_s = 305; at_s < 1205; at_s += 5) {
        (void)town_fix(town, 1, at_s, 300, 0, 8);
    }
    assert_int_equal(town->log_count, 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_in_range(town_last(town)->raised_ms, town_ms(305 + 600), town_ms(305 + 720));
}

static void a_card_that_reports_every_half_hour_is_followed_too(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_stay(town, 1, 0, 6, 1800, 0, 0), 0);
    assert_int_equal(town_stay(town, 1, 6 * 1800, 3, 1800, 900, 900), 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_true(town_last(town)->late); /* it happened an hour before it was sure */
}

static void the_first_settled_state_is_silent(void **state)
{
    struct town *town = *state;
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_UNKNOWN);
    assert_int_equal(town_stay(town, 1, 0, 10, 60, 0, 0), 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_PARK_FENCE), PRESENCE_OUTSIDE);
    assert_int_equal(town_stay(town, 3, 0, 10, 60, 500, 0), 0);
    assert_int_equal(engine_presence(town->engine, 3, TOWN_SCHOOL_FENCE), PRESENCE_OUTSIDE);
}

static void a_first_fix_that_lies_does_not_make_an_arrival(void **state)
{
    struct town *town = *state;
    assert_int_equal(town_fix(town, 1, 0, 3000, 3000, 5), 0);
    assert_int_equal(town_stay(town, 1, 60, 10, 60, 0, 0), 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
}

static void one_confident_fix_far_away_moves_nobody(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    for (int day = 1; day < 20; day++) {
        double at_s = day * 4000.0;
        assert_int_equal(town_fix(town, 1, at_s, 700, 0, 1.7), 0);
        assert_int_equal(town_fix(town, 1, at_s + 21, 0, 0, 8), 0);
    }
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
}

static void standing_on_the_boundary_never_flaps(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    for (int i = 0; i < 2000; i++) {
        (void)town_fix(town, 1, 400 + 30.0 * i, i % 2 == 0 ? 103 : 97, 0, 8);
        (void)town_fix(town, 1, 415 + 30.0 * i, 105, 0, 8); /* five metres out, for hours */
    }
    assert_int_equal(town->log_count, 0);
}

static void silence_is_not_absence(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    for (int i = 0; i < 50; i++) {
        struct event nothing = town_fix_at(1, 400 + 60.0 * i, 0, 0, 5);
        nothing.flags |= EVENT_NO_POSITION;
        nothing.point = (struct geo_point){0, 0};
        assert_int_equal(town_step(town, &nothing, 1), 0);
        assert_int_equal(town_fix(town, 1, 430 + 60.0 * i, 5000, 0, 600), 0); /* too vague */
    }
    struct engine_stats stats;
    engine_stats(town->engine, &stats);
    assert_int_equal(stats.no_position, 50);
    assert_int_equal(stats.too_vague, 50);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
}

static void old_and_repeated_fixes_do_not_move_the_present(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(town_fix(town, 1, 300, 900, 0, 5), 0);
        assert_int_equal(town_fix(town, 1, 200 + i, 900, 0, 5), 0);
    }
    struct engine_stats stats;
    engine_stats(town->engine, &stats);
    assert_int_equal(stats.repeats, 10);
    assert_int_equal(stats.out_of_order, 10);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
}

static void what_is_known_late_is_marked_late(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    for (int i = 0; i < 12; i++) {
        struct event event = town_fix_at(1, 400 + 60.0 * i, 400, 0, 8);
        (void)town_step(town, &event, 3600);
    }
    assert_int_equal(town->log_count, 1);
    assert_true(town_last(town)->late);
}

static void a_danger_zone_warns_on_entering_and_is_silent_on_leaving(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 300, 300);
    assert_int_equal(town_stay(town, 1, 360, 2, 40, 0, 600), 1);
    assert_int_equal(town_last(town)->type, ALERT_DANGER);
    assert_int_equal(town_last(town)->severity, SEVERITY_WARNING);
    assert_int_equal(town_last(town)->fence_no, TOWN_POND_FENCE);
    assert_int_equal(town_stay(town, 1, 500, 6, 60, 300, 300), 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_POND_FENCE), PRESENCE_OUTSIDE);
}

static void fences_of_other_schools_concern_nobody_here(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 500, 0);
    (void)town_stay(town, 1, 400, 9, 60, 0, 0); /* both grounds lie there */
    assert_int_equal(town->log_count, 1);
    assert_int_equal(town_last(town)->fence_no, TOWN_SCHOOL_FENCE);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_OTHER_FENCE), PRESENCE_UNKNOWN);
}

static void on_one_fix_leaving_is_told_before_entering(void **state)
{
    struct town *town = *state;
    static const struct town_fence fences[] = {{7, 1, 0, FENCE_SCHOOL, 0, 0, 100},
                                               {6, 1, 0, FENCE_SCHOOL, 400, 0, 100}};
    town_take_fences(town, town_fences(fences, 2));
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    (void)town_fix(town, 1, 360, 200, 0, 8);
    assert_int_equal(town_stay(town, 1, 420, 8, 60, 400, 0), 0);
    assert_int_equal(town_fix(town, 1, 900, 400, 0, 8), 2);
    assert_int_equal(town->log[0].type, ALERT_LEFT);
    assert_in_range(town->log[0].time_ms, town_ms(329.9), town_ms(330.1));
    assert_int_equal(town->log[1].type, ALERT_ENTERED);
    assert_in_range(town->log[1].time_ms, town_ms(389.9), town_ms(390.1));
}

static void a_pass_through_the_gate_and_one_fix_are_enough(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 300, 0);
    assert_int_equal(town_pass(town, 1, 350, 1, PASS_IN), 1);
    assert_int_equal(town_fix(town, 1, 370, 10, 0, 8), 1);
    assert_int_equal(town_last(town)->type, ALERT_ENTERED);
    assert_int_equal(town_last(town)->time_ms, town_ms(350));
}

static void a_pass_in_the_run_tells_the_time(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    (void)town_fix(town, 1, 360, 120, 0, 8); /* left by the street, as the receiver has it */
    assert_int_equal(town_pass(town, 1, 380, 1, PASS_OUT), 1);
    assert_int_equal(town_stay(town, 1, 420, 2, 60, 200, 0), 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_int_equal(town_last(town)->time_ms, town_ms(380));
}

static void a_pass_that_agrees_with_the_state_is_no_beginning(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    assert_int_equal(town_pass(town, 1, 310, 1, PASS_IN), 1);
    assert_int_equal(town_stay(town, 1, 360, 12, 60, 300, 0), 1);
    assert_in_range(town_last(town)->time_ms, town_ms(319.9), town_ms(320.1));
}

static void a_pass_that_nothing_contradicts_is_believed_after_a_while(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 300, 0);
    assert_int_equal(town_pass(town, 1, 350, 1, PASS_IN), 1);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(town_fix(town, 1, 400 + 60 * i, 50, 0, 300), 0);
    }
    assert_int_equal(town_fix(town, 1, 960, 50, 0, 300), 1);
    assert_int_equal(town_last(town)->type, ALERT_ENTERED);
    assert_int_equal(town_last(town)->time_ms, town_ms(350));
    assert_int_equal(town_last(town)->latest_ms, town_ms(350));
}

static void a_pass_outlives_a_lie_but_not_a_day_elsewhere(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 300, 0);
    assert_int_equal(town_pass(town, 1, 350, 1, PASS_IN), 1);
    assert_int_equal(town_stay(town, 1, 370, 3, 60, 250, 0), 0); /* as a lie may have it */
    assert_int_equal(town_stay(town, 1, 550, 2, 60, 0, 0), 1);
    assert_int_equal(town_last(town)->time_ms, town_ms(350));
    assert_int_equal(town_pass(town, 1, 900, 1, PASS_OUT), 1); /* misread */
    assert_int_equal(town_stay(town, 1, 960, 30, 60, 0, 0), 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
}

/* As sure as the weakest excuse: the streak where none passed, else the sum. */
static void an_alert_tells_how_sure_it_is(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 300, 0);
    (void)town_stay(town, 1, 360, 9, 60, 0, 0);
    assert_int_equal(town_last(town)->type, ALERT_ENTERED);
    assert_in_range(town_last(town)->doubt_e6, 6000, 9095); /* just over 4.7 nats */
    (void)town_pass(town, 1, 900, 1, PASS_OUT);
    assert_int_equal(town_last(town)->type, ALERT_GATE_PASS);
    assert_int_equal(town_last(town)->doubt_e6, 0);
    (void)town_fix(town, 1, 960, 300, 0, 8);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_int_equal(town_last(town)->doubt_e6,
                     evidence_wrong_e6(EVIDENCE_PASS_MN + EVIDENCE_CAP_MN));
    (void)town_stay(town, 1, 1020, 9, 60, 300, 0);
    (void)town_stay(town, 1, 1620, 2, 60, 0, 600);
    assert_int_equal(town_last(town)->type, ALERT_DANGER);
    assert_in_range(town_last(town)->doubt_e6, evidence_wrong_e6(2 * EVIDENCE_CAP_MN),
                    10000); /* two fixes, less what a minute shares */
}

static void nobody_leaves_who_was_not_there(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 300, 0);
    assert_int_equal(town_pass(town, 1, 350, 1, PASS_IN), 1); /* and the card sleeps all day */
    assert_int_equal(town_pass(town, 1, 30350, 1, PASS_OUT), 2);
    assert_int_equal(town_last(town)->type, ALERT_ENTERED);
    assert_int_equal(town_last(town)->time_ms, town_ms(350));
    assert_int_equal(town_fix(town, 1, 30400, 200, 0, 8), 1);
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_int_equal(town_last(town)->time_ms, town_ms(30350));
}

static void a_pass_alone_or_misread_crosses_nothing(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 6, 60, 0, 0);
    assert_int_equal(town_pass(town, 1, 350, 1, PASS_OUT), 1); /* only the pass itself */
    assert_int_equal(town_stay(town, 1, 400, 10, 60, 0, 0), 0);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
}

static void an_old_pass_and_one_of_another_school_are_no_evidence(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 10, 60, 0, 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(town_pass(town, 1, 100 + 20 * i, 1, PASS_OUT), 1);
        assert_int_equal(town_pass(town, 1, 600 + 20 * i, 2, PASS_OUT), 1);
    }
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_INSIDE);
}

/* With evidence under way the boundary was measured here: the way from here is reckoned round the globe. */
static void a_fix_from_the_other_end_of_the_globe_is_far_away(void **state)
{
    struct town *town = *state;
    (void)town_stay(town, 1, 0, 10, 60, 0, 0);
    (void)town_fix(town, 1, 600, 130, 0, 8);
    static const struct geo_point ends[] = {{-900000000, -1800000000}, {900000000, -1799999999}};
    for (uint32_t i = 0; i < 6; i++) {
        struct event fix = town_fix_at(1, 660 + i * 3600, 0, 0, 30);
        fix.point = ends[i % 2];
        (void)town_step(town, &fix, 1);
    }
    assert_int_equal(town_last(town)->type, ALERT_LEFT);
    assert_int_equal(engine_presence(town->engine, 1, TOWN_SCHOOL_FENCE), PRESENCE_OUTSIDE);
}

static void full_places_make_room_and_are_counted(void **state)
{
    (void)state;
    struct town town;
    town_init(&town, 4);
    for (uint32_t card = 1; card <= TOWN_PUPILS; card++) {
        (void)town_stay(&town, card, 0, 8, 60, 500, 0);
    }
    for (uint32_t card = 1; card <= 20; card++) { /* each with evidence under way */
        (void)town_fix(&town, card, 480, 0, 0, 8);
    }
    struct engine_stats stats;
    engine_stats(town.engine, &stats);
    assert_int_equal(stats.presences, 4);
    assert_int_equal(stats.presences_evicted, 16);
    for (uint32_t card = 1; card <= 20; card++) { /* four go in, the rest finds no room */
        (void)town_stay(&town, card, 600, 10, 60, 0, 0);
    }
    engine_stats(town.engine, &stats);
    assert_int_equal(stats.presences, 4);
    assert_int_equal(town.log_count, 4);
    assert_true(stats.presences_refused > 0);
    town_release(&town);
}

static void count_reason(void *context, const struct engine_reason *reason)
{
    (void)reason;
    (*(uint64_t *)context)++;
}

static void stay_equal(const struct town towns[3], uint32_t card)
{
    for (uint32_t i = 1; i < 3; i++) {
        assert_int_equal(towns[0].log_count, towns[i].log_count);
        assert_memory_equal(towns[0].log, towns[i].log, towns[0].log_count * sizeof *towns[0].log);
        for (uint32_t fence = TOWN_SCHOOL_FENCE; fence <= TOWN_OTHER_FENCE; fence++) {
            assert_int_equal(engine_presence(towns[0].engine, card, fence),
                             engine_presence(towns[i].engine, card, fence));
        }
    }
}

/* What is left out where nothing is new, or looked up beforehand, changes nothing: one town is asked
 * why, and one is not told what to expect. */
static void leave_out(uint32_t presences_max)
{
    uint64_t random = random_seed(), reasons = 0;
    struct town towns[3];
    double north[TOWN_PUPILS + 1] = {0}, east[TOWN_PUPILS + 1] = {0};
    for (uint32_t i = 0; i < 3; i++) {
        town_init(&towns[i], presences_max);
    }
    towns[1].expects_nothing = true;
    engine_explain(towns[2].engine, count_reason, &reasons);
    static const double middles[][2] = {{0, 0}, {0, 600}, {1000, 0}, {0, 100}, {930, 0}, {3000, 0}};
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t card = 1 + random_below(&random, 8), to = random_below(&random, 200);
        if (to < 6) { /* elsewhere, to stay for a while */
            north[card] = middles[to][0];
            east[card] = middles[to][1];
        }
        bool lies = random_below(&random, 50) == 0;
        double spread = lies ? 1000 : 30, accuracy = 1 + random_below(&random, 60);
        struct event event = town_fix_at(
            card, i * 7.0, north[card] + spread * (random_below(&random, 200) / 100.0 - 1),
            east[card] + spread * (random_below(&random, 200) / 100.0 - 1), accuracy);
        if (random_below(&random, 40) == 0) {
            event.accuracy_cm = FIX_ACCURACY_CM_MAX + 1;
        }
        bool passes = random_below(&random, 60) == 0;
        enum pass_direction direction = random_below(&random, 2) == 0 ? PASS_IN : PASS_OUT;
        for (uint32_t k = 0; k < 3; k++) {
            (void)(passes ? town_pass(&towns[k], card, i * 7.0, 2 - card % 2, direction)
                          : town_step(&towns[k], &event, 1));
        }
        stay_equal(towns, card);
    }
    printf("%u alerts, %" PRIu64 " steps of evidence\n", towns[0].log_count, reasons);
    assert_true(towns[0].log_count > 100 && reasons > 5000);
    for (uint32_t i = 0; i < 3; i++) {
        town_release(&towns[i]);
    }
}

static void what_is_left_out_makes_no_difference(void **state)
{
    (void)state;
    leave_out(1000);
    leave_out(5); /* pupils find no room for a while */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, town_setup, town_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_pupil_who_walks_in_has_arrived_between_the_fixes_on_both_sides),
        TEST(a_pupil_who_walks_out_has_left_between_the_fixes_on_both_sides),
        TEST(after_more_than_ten_minutes_the_first_fix_on_the_other_side_counts),
        cmocka_unit_test(a_run_that_lost_its_place_begins_anew_where_it_is),
        TEST(frequent_fixes_settle_in_the_same_time),
        TEST(who_is_far_away_has_left_sooner),
        TEST(what_leaps_is_not_believed),
        TEST(lies_among_vague_fixes_do_not_add_up),
        TEST(the_noise_of_a_place_is_no_departure),
        TEST(a_card_that_reports_every_half_hour_is_followed_too),
        TEST(the_first_settled_state_is_silent),
        TEST(a_first_fix_that_lies_does_not_make_an_arrival),
        TEST(one_confident_fix_far_away_moves_nobody),
        TEST(standing_on_the_boundary_never_flaps),
        TEST(silence_is_not_absence),
        TEST(an_alert_tells_how_sure_it_is),
        TEST(old_and_repeated_fixes_do_not_move_the_present),
        TEST(what_is_known_late_is_marked_late),
        TEST(a_danger_zone_warns_on_entering_and_is_silent_on_leaving),
        TEST(fences_of_other_schools_concern_nobody_here),
        TEST(on_one_fix_leaving_is_told_before_entering),
        TEST(a_pass_through_the_gate_and_one_fix_are_enough),
        TEST(a_pass_in_the_run_tells_the_time),
        TEST(a_pass_that_agrees_with_the_state_is_no_beginning),
        TEST(a_pass_that_nothing_contradicts_is_believed_after_a_while),
        TEST(a_pass_outlives_a_lie_but_not_a_day_elsewhere),
        TEST(nobody_leaves_who_was_not_there),
        TEST(a_pass_alone_or_misread_crosses_nothing),
        TEST(an_old_pass_and_one_of_another_school_are_no_evidence),
        TEST(a_fix_from_the_other_end_of_the_globe_is_far_away),
        cmocka_unit_test(what_is_left_out_makes_no_difference),
        cmocka_unit_test(full_places_make_room_and_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
