#include <string.h>

#include "bench/load/feed.h"
#include "core/event.h"
#include "tests/bench/load_city.h"

static const struct load_step steps[] = {{100, 2}, {1000, 3}, {50, 4}};
enum { REPORTS = 200 + 3000 + 200, SIGNALS = 9 * 2 };

static struct load_steady options_of(const struct load_cards *cards)
{
    return (struct load_steady){
        .cards = cards, .steps = steps, .step_count = 3, .sos_per_s = 2, .wall_ms = 1000000};
}

struct told {
    uint32_t fixes, signals;
    uint32_t by_step[3];
    int64_t last_us;
};

/* Reads a feed to its end; each sender's turn comes at equal distances. */
static void read_all(struct load_feed *feed, const struct load_share *share, struct told *told)
{
    struct load_feed_item item;
    enum status status;
    while ((status = feed->next(feed, &item)) == STATUS_OK) {
        assert_true(item.due_us >= told->last_us);
        assert_true(load_share_has(share, item.sender));
        assert_true(item.event_count >= 1);
        told->last_us = item.due_us;
        told->fixes += item.kind == LOAD_FIX;
        told->signals += item.kind == LOAD_SOS;
        if (item.kind == LOAD_FIX) {
            told->by_step[item.due_us < 2000000 ? 0 : item.due_us < 5000000 ? 1 : 2]++;
        }
        assert_int_equal(item.events[item.event_count - 1].event.time_ms,
                         1000000 + item.due_us / 1000);
    }
    assert_int_equal(status, STATUS_END);
    assert_int_equal(feed->next(feed, &item), STATUS_END);
}

static void steps_follow_each_other_at_their_rates(void **state)
{
    (void)state;
    struct load_cards cards;
    load_city(&cards, 70, 7, 0.1);
    const struct load_steady options = options_of(&cards);
    const struct load_share share = {0, 1, NULL};
    struct load_feed *feed;
    struct told told = {0};
    assert_int_equal(load_feed_steady(&options, share, &feed, NULL), STATUS_OK);
    read_all(feed, &share, &told);
    feed->close(feed);
    assert_int_equal(told.by_step[0], 200);
    assert_int_equal(told.by_step[1], 3000);
    assert_int_equal(told.by_step[2], 200);
    assert_int_equal(told.signals, SIGNALS);
    assert_int_equal(load_steady_reports(&options), REPORTS + SIGNALS);
    assert_true(told.last_us < 9000000);
    load_cards_release(&cards);
}

static void the_shares_together_are_the_city(void **state)
{
    (void)state;
    struct load_cards cards;
    load_city(&cards, 70, 7, 0.1);
    const struct load_steady options = options_of(&cards);
    uint8_t part_of[70];
    for (uint32_t i = 0; i < 70; i++) {
        part_of[i] = i < 60 ? 0 : (uint8_t)(i % 3);
    }
    for (uint32_t way = 0; way < 2; way++) {
        struct told told = {0};
        for (uint32_t part = 0; part < 3; part++) {
            const struct load_share share = {part, 3, way == 0 ? NULL : part_of};
            struct load_feed *feed;
            told.last_us = 0;
            assert_int_equal(load_feed_steady(&options, share, &feed, NULL), STATUS_OK);
            read_all(feed, &share, &told);
            feed->close(feed);
        }
        assert_int_equal(told.fixes, REPORTS);
        assert_int_equal(told.signals, SIGNALS);
        assert_int_equal(told.by_step[1], 3000);
    }
    load_cards_release(&cards);
}

static void several_fixes_a_report_are_as_many_fixes_a_second(void **state)
{
    (void)state;
    struct load_cards cards;
    load_city(&cards, 100, 1, 0);
    const struct load_step step = {1000, 2};
    const struct load_steady options = {
        .cards = &cards, .steps = &step, .step_count = 1, .fixes = 10};
    struct load_feed *feed;
    struct load_feed_item item;
    uint32_t reports = 0;
    assert_int_equal(load_feed_steady(&options, (struct load_share){0, 1, NULL}, &feed, NULL),
                     STATUS_OK);
    while (feed->next(feed, &item) == STATUS_OK) {
        assert_int_equal(item.event_count, 10);
        assert_int_equal(item.due_us, reports * 10000);
        for (uint32_t i = 1; i < 10; i++) { /* a card's fixes are 0.1 s apart */
            assert_int_equal(item.events[i].event.time_ms - item.events[i - 1].event.time_ms, 100);
        }
        reports++;
    }
    assert_int_equal(reports, 200);
    assert_int_equal(load_steady_reports(&options), 200);
    feed->close(feed);
    load_cards_release(&cards);
}

static void each_card_that_crosses_warms_up_once(void **state)
{
    (void)state;
    struct load_cards cards;
    load_city(&cards, 1000, 7, 0.1);
    const struct load_warm_up options = {.cards = &cards, .rate = 50, .wall_ms = 500000};
    bool seen[1000] = {false};
    uint32_t count = 0;
    for (uint32_t part = 0; part < 2; part++) {
        struct load_feed *feed;
        struct load_feed_item item;
        assert_int_equal(
            load_feed_warm_up(&options, (struct load_share){part, 2, NULL}, &feed, NULL),
            STATUS_OK);
        while (feed->next(feed, &item) == STATUS_OK) {
            assert_int_equal(item.kind, LOAD_WARM_UP);
            assert_true(cards.items[item.sender].crosses && !seen[item.sender]);
            assert_true(item.event_count > 10 && item.due_us % 20000 == 0);
            seen[item.sender] = true;
            count++;
        }
        feed->close(feed);
    }
    assert_int_equal(count, cards.crossing);
    load_cards_release(&cards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_follow_each_other_at_their_rates),
        cmocka_unit_test(the_shares_together_are_the_city),
        cmocka_unit_test(several_fixes_a_report_are_as_many_fixes_a_second),
        cmocka_unit_test(each_card_that_crosses_warms_up_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
