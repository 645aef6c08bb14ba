/* The arrivals of campus-load beside the steady ones. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/feed.h"
#include "tests/check.h"

enum { CARDS = 500, RATE = 100, SECONDS = 60, WALL_MS = 1000000000 };

static struct load_cards cards;

static int make_cards(void **state)
{
    (void)state;
    char path[] = "/tmp/campus-load-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    assert_non_null(file);
    (void)fputs("school,card,lat,lon\n", file);
    for (int i = 1; i <= CARDS; i++) {
        (void)fprintf(file, "s001,c%06d,36.2,113.1\n", i);
    }
    assert_int_equal(fclose(file), 0);
    struct status_detail detail = {""};
    assert_int_equal(load_cards_read(&cards, path, CARDS, 0.1, &detail), STATUS_OK);
    assert_int_equal(remove(path), 0);
    cards.period_ms = 120000;
    return 0;
}

static int release_cards(void **state)
{
    (void)state;
    load_cards_release(&cards);
    return 0;
}

/* ---- a steady feed of the whole city or a share ---- */

struct steady {
    struct load_feed feed;
    struct load_share share;
    uint32_t told;
    bool *closed;
    struct wire_event event;
};

static enum status next_steady(struct load_feed *feed, struct load_feed_item *ret)
{
    struct steady *steady = (struct steady *)feed;
    while (!load_share_has(&steady->share, steady->told % CARDS)) {
        steady->told++;
    }
    if (steady->told >= RATE * SECONDS) {
        return STATUS_END;
    }
    int64_t due_us = (int64_t)steady->told * 1000000 / RATE;
    steady->event = (struct wire_event){.event = {.time_ms = WALL_MS + due_us / 1000}};
    *ret = (struct load_feed_item){.due_us = due_us,
                                   .sender = steady->told++ % CARDS,
                                   .event_count = 1,
                                   .events = &steady->event};
    return STATUS_OK;
}

static void close_steady(struct load_feed *feed)
{
    struct steady *steady = (struct steady *)feed;
    *steady->closed = true;
    free(steady);
}

static struct load_feed *make_steady(struct load_share share, bool *closed)
{
    struct steady *steady = calloc(1, sizeof *steady);
    assert_non_null(steady);
    *closed = false;
    *steady =
        (struct steady){.feed = {next_steady, close_steady}, .share = share, .closed = closed};
    return &steady->feed;
}

static const struct load_share whole = {0, 1, NULL};

/* ---- profiles ---- */

static void tell_minutes(enum load_profile profile, uint32_t *ret)
{
    bool closed;
    struct load_feed *feed = NULL;
    struct load_feed_item item;
    struct status_detail detail;
    int64_t last_us = 0;
    uint32_t count = 0;
    assert_int_equal(
        load_feed_profile(make_steady(whole, &closed), profile, SECONDS, &feed, &detail),
        STATUS_OK);
    while (feed->next(feed, &item) == STATUS_OK) {
        assert_true(item.due_us >= last_us && item.due_us < (int64_t)SECONDS * 1000000);
        assert_int_equal(item.sender, count % CARDS);
        assert_true(llabs(item.events[0].event.time_ms - WALL_MS - item.due_us / 1000) <= 1);
        ret[item.due_us / 1000000]++;
        last_us = item.due_us;
        count++;
    }
    assert_int_equal(feed->next(feed, &item), STATUS_END);
    assert_int_equal(count, RATE * SECONDS);
    feed->close(feed);
    assert_true(closed);
}

static void a_bell_is_five_times_the_rest_and_as_many_in_all(void **state)
{
    (void)state;
    uint32_t minutes[SECONDS] = {0};
    tell_minutes(LOAD_BELL, minutes);
    double base = minutes[5];
    for (uint32_t i = 0; i < 25;
         i++) { /* of an hour scaled to a minute: before and after the ten minutes */
        assert_true(fabs(minutes[i] - base) <= 2 && fabs(minutes[59 - i] - base) <= 2);
    }
    assert_true(minutes[29] > 4.4 * base && minutes[30] > 4.4 * base && minutes[30] < 5 * base);
    assert_true(minutes[27] > minutes[26] && minutes[32] > minutes[33]);
}

static void lunch_has_two_lower_peaks(void **state)
{
    (void)state;
    uint32_t minutes[SECONDS] = {0};
    tell_minutes(LOAD_LUNCH, minutes);
    double base = minutes[5];
    assert_true(fabs(minutes[30] - base) <= 2 && fabs(minutes[58] - base) <= 2);
    assert_true(minutes[14] > 2.5 * base && minutes[44] > 2.5 * base && minutes[15] < 3.1 * base);
    assert_true(fabs((double)minutes[15] - minutes[45]) <= 3);
}

/* ---- backlog ---- */

static const struct load_backlog away = {.cards = &cards,
                                         .away_share = 0.3,
                                         .away_s = 1000,
                                         .burst_s = 10,
                                         .interval_ms = 10000,
                                         .wall_ms = WALL_MS};

struct told {
    uint32_t reports[CARDS], old[CARDS];
    int64_t last_time_ms[CARDS];
    uint32_t steady, kept;
};

static void tell_backlog(struct load_share share, struct told *told)
{
    bool closed;
    struct load_feed *feed = NULL;
    struct load_feed_item item;
    struct status_detail detail;
    int64_t last_us = 0;
    assert_int_equal(load_feed_backlog(&away, share, make_steady(share, &closed), &feed, &detail),
                     STATUS_OK);
    while (feed->next(feed, &item) == STATUS_OK) {
        assert_true(item.due_us >= last_us);
        last_us = item.due_us;
        assert_true(load_share_has(&share, item.sender));
        bool old = item.events[0].event.time_ms < WALL_MS;
        assert_true(item.event_count >= 1 && item.event_count <= LOAD_BACKLOG_EVENTS);
        for (uint32_t i = 0; i < item.event_count; i++) {
            int64_t time_ms = item.events[i].event.time_ms;
            assert_true(time_ms > told->last_time_ms[item.sender]);
            assert_true(old == (time_ms < WALL_MS));
            told->last_time_ms[item.sender] = time_ms;
        }
        if (old) { /* none is told before all that was kept */
            assert_int_equal(told->reports[item.sender], told->old[item.sender] > 0);
            assert_true(item.due_us < 10000000);
            told->old[item.sender] += item.event_count;
        }
        told->reports[item.sender]++;
        told->kept += old ? item.event_count : 0;
        told->steady += !old;
    }
    feed->close(feed);
    assert_true(closed);
}

static void who_was_away_sends_all_that_it_kept_and_the_rest_goes_on(void **state)
{
    (void)state;
    static struct told told;
    memset(&told, 0, sizeof told);
    tell_backlog(whole, &told);
    uint32_t cards_away = 0;
    for (uint32_t i = 0; i < CARDS; i++) {
        bool is_away = load_backlog_is_away(&away, i);
        cards_away += is_away;
        assert_int_equal(told.old[i], is_away ? 100 : 0); /* 1,000 s, one in ten: two reports */
        assert_true(told.reports[i] >= (is_away ? 2 + 9 : 12));
    }
    assert_in_range(cards_away, 120, 180);
    assert_int_equal(told.kept, cards_away * 100);
    /* in the ten seconds until all are back each of them leaves out two fixes, or one */
    assert_in_range(told.steady, RATE * SECONDS - cards_away * 2, RATE * SECONDS - cards_away);
}

static void shares_of_a_backlog_are_together_the_whole(void **state)
{
    (void)state;
    static struct told one, parts;
    memset(&one, 0, sizeof one);
    memset(&parts, 0, sizeof parts);
    tell_backlog(whole, &one);
    for (uint32_t part = 0; part < 3; part++) {
        tell_backlog((struct load_share){part, 3, NULL}, &parts);
    }
    assert_memory_equal(one.old, parts.old, sizeof one.old);
    assert_int_equal(one.kept, parts.kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bell_is_five_times_the_rest_and_as_many_in_all),
        cmocka_unit_test(lunch_has_two_lower_peaks),
        cmocka_unit_test(who_was_away_sends_all_that_it_kept_and_the_rest_goes_on),
        cmocka_unit_test(shares_of_a_backlog_are_together_the_whole),
    };
    return cmocka_run_group_tests(tests, make_cards, release_cards);
}
