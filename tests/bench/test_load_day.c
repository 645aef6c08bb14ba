/* A simulated school day as what cards and gates send, and the table of what came of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/load/feed.h"
#include "bench/load/truth.h"
#include "cli/campus_sim.h"
#include "sim/day.h"
#include "tests/sim/sim_cities.h"

enum { SCHOOLS = 4, PUPILS = 800, FROM_MS = 25200000, TO_MS = 28800000, SPEED = 60 };

static struct sim_city city;
static struct load_cards cards;
static struct load_day options;

static void read_cards(struct load_cards *ret, uint32_t count)
{
    char path[] = "/tmp/campus-load-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    assert_non_null(file);
    struct buffer rows;
    buffer_init(&rows, 1u << 20);
    sim_table_header(SIM_TABLE_LOAD, &rows);
    for (uint32_t school = 0; school < SCHOOLS; school++) {
        sim_table_rows(&city, SIM_TABLE_LOAD, school, &rows);
    }
    (void)fputs(buffer_cstr(&rows), file);
    buffer_release(&rows);
    assert_int_equal(fclose(file), 0);
    struct status_detail detail = {""};
    assert_int_equal(load_cards_read(ret, path, count, 0, &detail), STATUS_OK);
    assert_int_equal(remove(path), 0);
}

static int make_world(void **state)
{
    (void)state;
    make_city(&city, 1, SCHOOLS, PUPILS, 40);
    read_cards(&cards, PUPILS);
    struct status_detail detail = {""};
    assert_int_equal(load_day_add_gates(&city, &cards, &detail), STATUS_OK);
    options = (struct load_day){.cards = &cards,
                                .city = &city,
                                .seed = 1,
                                .day = 2,
                                .interval_ms = 60000,
                                .from_ms = FROM_MS,
                                .to_ms = TO_MS,
                                .speed = SPEED,
                                .wall_ms = LOAD_DAY_1_MS + 86400000 + FROM_MS};
    return 0;
}

static int release_world(void **state)
{
    (void)state;
    load_cards_release(&cards);
    sim_city_release(&city);
    return 0;
}

static struct load_feed *open_feed(const struct load_day *day, struct load_share share)
{
    struct load_feed *feed = NULL;
    struct status_detail detail = {""};
    if (load_feed_day(day, share, &feed, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    return feed;
}

static void open_day(struct sim_day *day, uint32_t *pupils)
{
    for (uint32_t i = 0; i < PUPILS; i++) {
        pupils[i] = i;
    }
    const struct sim_day_config config = {.city = &city,
                                          .pupils = pupils,
                                          .seed = 1,
                                          .midnight_ms = LOAD_DAY_1_MS + 86400000,
                                          .day = 2,
                                          .pupil_count = PUPILS,
                                          .interval_ms = 60000,
                                          .from_ms = FROM_MS,
                                          .to_ms = TO_MS,
                                          .noise = true};
    struct status_detail detail = {""};
    if (sim_day_init(day, &config, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

/* Of all that a sender told, in its order; the moments too. */
static uint64_t add_hash(uint64_t hash, const struct event *event, int64_t due_us, uint64_t again)
{
    struct text bytes = {(const char *)event, sizeof *event};
    return hash * 31 + text_hash(bytes) + (uint64_t)due_us + again;
}

enum { SENDERS_MAX = PUPILS + SCHOOLS * (int)SIM_GATES_MAX, PARTS = 3 };

struct told {
    uint32_t items[SENDERS_MAX];
    uint64_t hash[SENDERS_MAX]; /* of what it told and when, in its order */
    uint64_t last_seq[SENDERS_MAX];
};

static void take_all(struct load_share share, struct told *told)
{
    struct load_feed *feed = open_feed(&options, share);
    struct load_feed_item item;
    int64_t last_us = 0;
    while (feed->next(feed, &item) == STATUS_OK) {
        assert_true(item.due_us >= last_us);
        assert_true(item.sender < SENDERS_MAX);
        assert_true(item.again_seq <= told->last_seq[item.sender]);
        told->last_seq[item.sender] += item.again_seq == 0;
        told->items[item.sender]++;
        told->hash[item.sender] =
            add_hash(told->hash[item.sender], &item.events[0].event, item.due_us, item.again_seq);
        last_us = item.due_us;
    }
    feed->close(feed);
}

static uint32_t sender_of(const struct sim_report *report)
{
    char id[32];
    if (report->kind == SIM_PASS) {
        (void)snprintf(id, sizeof id, "s%03u-g%u", city.pupils[report->pupil].school + 1,
                       report->gate + 1u);
    } else {
        (void)snprintf(id, sizeof id, "c%06u", report->pupil + 1);
    }
    uint32_t sender = load_sender_find(&cards, text_of(id));
    assert_true(sender != LOAD_NONE);
    assert_int_equal(sender >= cards.count, report->kind == SIM_PASS);
    return sender;
}

static void senders_tell_what_the_simulator_tells_each_in_its_order(void **state)
{
    (void)state;
    static uint32_t pupils[PUPILS];
    static struct told whole, sim;
    memset(&whole, 0, sizeof whole);
    memset(&sim, 0, sizeof sim);
    take_all((struct load_share){0, 1, NULL}, &whole);
    struct sim_day day;
    open_day(&day, pupils);
    struct sim_report report;
    uint32_t passes = 0, again = 0, count = 0;
    while (sim_day_next(&day, &report) == STATUS_OK) {
        uint32_t sender = sender_of(&report);
        const struct event event = sim_event_of(&report);
        int64_t since_ms = report.arrival_ms - options.wall_ms;
        sim.items[sender]++;
        sim.hash[sender] = add_hash(sim.hash[sender], &event, since_ms * 1000 / SPEED,
                                    report.again ? report.seq : 0);
        passes += report.kind == SIM_PASS;
        again += report.again;
        count++;
    }
    sim_day_release(&day);
    print_message("%u reports, %u passes, %u again\n", count, passes, again);
    assert_true(count > PUPILS * 50 && passes > PUPILS / 2 && again > 0);
    assert_memory_equal(sim.items, whole.items, sizeof sim.items);
    assert_memory_equal(sim.hash, whole.hash, sizeof sim.hash);
}

static void add_part(struct load_share share, const struct told *whole)
{
    static struct told part;
    memset(&part, 0, sizeof part);
    take_all(share, &part);
    for (uint32_t i = 0; i < SENDERS_MAX; i++) {
        bool ours = i < cards.count + cards.gate_count && load_share_has(&share, i);
        assert_int_equal(part.items[i], ours ? whole->items[i] : 0);
        assert_true(part.hash[i] == (ours ? whole->hash[i] : 0));
    }
}

static void each_sender_is_in_its_share_and_nowhere_else(void **state)
{
    (void)state;
    static struct told whole;
    static uint8_t part_of[SENDERS_MAX];
    memset(&whole, 0, sizeof whole);
    take_all((struct load_share){0, 1, NULL}, &whole);
    for (uint32_t i = 0; i < SENDERS_MAX; i++) {
        part_of[i] = (uint8_t)(i / 7 % PARTS);
    }
    for (uint32_t part = 0; part < PARTS; part++) {
        add_part((struct load_share){part, PARTS, NULL}, &whole);
        add_part((struct load_share){part, PARTS, part_of}, &whole);
    }
}

static void the_gates_are_those_of_the_registry(void **state)
{
    (void)state;
    struct buffer rows;
    buffer_init(&rows, 1u << 20);
    for (uint32_t school = 0; school < SCHOOLS; school++) {
        sim_table_rows(&city, SIM_TABLE_GATES, school, &rows);
    }
    const char *row = buffer_cstr(&rows);
    for (uint32_t no = 0; no < cards.gate_count; no++) {
        char topic[96];
        assert_int_equal(strncmp(row, cards.gates[no].id, strlen(cards.gates[no].id)), 0);
        assert_int_equal(row[strlen(cards.gates[no].id)], ',');
        (void)snprintf(topic, sizeof topic, "campus/v1/%s/gate/%s/up", cards.gates[no].school,
                       cards.gates[no].id);
        assert_string_equal(cards.gates[no].topic, topic);
        row = strchr(row, '\n') + 1;
    }
    assert_int_equal(*row, '\0');
    buffer_release(&rows);
}

static void passes_name_the_card_that_went_through(void **state)
{
    (void)state;
    struct load_feed *feed = open_feed(&options, (struct load_share){0, 1, NULL});
    struct load_feed_item item;
    while (feed->next(feed, &item) == STATUS_OK) {
        bool pass = item.events[0].event.type == EVENT_PASS;
        assert_int_equal(pass, item.sender >= cards.count);
        assert_int_equal(item.events[0].card.length, pass ? strlen("c000001") : 0);
        bool sos =
            item.events[0].event.type == EVENT_SIGNAL && item.events[0].event.kind == SIGNAL_SOS;
        assert_int_equal(item.kind, sos ? LOAD_SOS : LOAD_FIX);
    }
    feed->close(feed);
}

static void a_run_that_begins_before_its_day_waits_and_a_late_one_hurries(void **state)
{
    (void)state;
    struct load_feed_item first, item;
    struct load_feed *feed = open_feed(&options, (struct load_share){0, 1, NULL});
    assert_int_equal(feed->next(feed, &first), STATUS_OK);
    feed->close(feed);
    struct load_day day = options;
    day.wall_ms -= 600000;
    feed = open_feed(&day, (struct load_share){0, 1, NULL});
    assert_int_equal(feed->next(feed, &item), STATUS_OK);
    assert_int_equal(item.due_us, first.due_us + 600000000 / SPEED);
    feed->close(feed);
    day.wall_ms += 1200000;
    feed = open_feed(&day, (struct load_share){0, 1, NULL});
    assert_int_equal(feed->next(feed, &item), STATUS_OK);
    assert_int_equal(item.due_us, 0);
    feed->close(feed);
}

static void a_share_without_senders_and_a_city_with_few_cards_are_fine(void **state)
{
    (void)state;
    static const uint8_t nobody[SENDERS_MAX];
    struct load_feed_item item;
    struct load_feed *feed = open_feed(&options, (struct load_share){250, 251, nobody});
    assert_int_equal(feed->next(feed, &item), STATUS_END);
    feed->close(feed);

    struct load_cards few;
    read_cards(&few, 16);
    struct load_day day = options;
    day.cards = &few;
    feed = open_feed(&day, (struct load_share){0, 1, NULL});
    uint32_t count = 0;
    while (feed->next(feed, &item) == STATUS_OK) {
        assert_true(item.sender < 16 + cards.gate_count);
        count++;
    }
    assert_in_range(count, 16 * 50, 16 * 70);
    feed->close(feed);
    load_cards_release(&few);
}

/* ---- the table ---- */

static void put_alert(FILE *file, const char *card, const char *type, int64_t time_ms,
                      int64_t raised_ms)
{
    (void)fprintf(file,
                  "{\"id\":\"x\",\"data\":{\"type\":\"%s\",\"card\":\"%s\",\"pupil\":\"p1\","
                  "\"fence\":\"s001-ground\",\"time_ms\":%lld,\"raised_ms\":%lld}}\n",
                  type, card, (long long)time_ms, (long long)raised_ms);
}

/* Writes an alert ten seconds after each true arrival of the first school but one; returns them. */
static uint32_t write_alerts(const char *truth, const char *path)
{
    char line[256], card[64], fence[64], time[64], event[64];
    uint32_t count = 0;
    FILE *in = fopen(truth, "re"), *out = fopen(path, "we");
    assert_true(in != NULL && out != NULL);
    while (fgets(line, sizeof line, in) != NULL) {
        int64_t time_ms;
        int found =
            sscanf(line, "%*[^,],%63[^,],%63[^,],%63[^,],%63[^,]", card, fence, time, event);
        if (found != 4 || strcmp(fence, "s001-ground") != 0 || strcmp(event, "entered") != 0) {
            continue;
        }
        assert_int_equal(clock_parse(time, strlen(time), &time_ms), STATUS_OK);
        int64_t since_ms = time_ms - load_day_midnight_ms(&options);
        if (since_ms < FROM_MS || since_ms > TO_MS || ++count == 1) {
            continue;
        }
        put_alert(out, card, "entered", time_ms, time_ms + 10000);
    }
    /* at noon nobody leaves: the day is over by then */
    put_alert(out, "c000001", "left", load_day_midnight_ms(&options) + 43200000,
              load_day_midnight_ms(&options) + 43200000);
    (void)fclose(in);
    (void)fclose(out);
    return count;
}

static void alerts_are_held_against_what_happened_in_the_hours_of_the_run(void **state)
{
    (void)state;
    static struct score result;
    char folder[] = "/tmp/campus-load-XXXXXX", truth[64], alerts[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(truth, sizeof truth, "%s/truth.csv", folder);
    (void)snprintf(alerts, sizeof alerts, "%s/alerts.jsonl", folder);
    struct status_detail detail = {""};
    assert_int_equal(load_truth_write(&options, truth, &detail), STATUS_OK);
    uint32_t arrivals = write_alerts(truth, alerts);
    assert_int_equal(load_truth_score(&options, truth, alerts, &result, &detail), STATUS_OK);
    const struct score_kind *entered = &result.kinds[SCORE_ENTERED];
    assert_true(arrivals > 50);
    assert_in_range(entered->found + entered->of_brief, arrivals - 1, arrivals - 1);
    assert_true(entered->missed > arrivals); /* of the three other schools */
    assert_int_equal(entered->doubled, 0);
    assert_int_equal(entered->wrong, 0);
    assert_int_equal(result.kinds[SCORE_LEFT].wrong, 1);

    json_t *json = load_truth_json(&result), *row = json_array_get(json, 0);
    assert_int_equal(json_array_size(json), 5);
    assert_string_equal(json_string_value(json_object_get(row, "what")), "school grounds entered");
    assert_int_equal(json_integer_value(json_object_get(row, "found")), entered->found);
    double delay_s = json_real_value(json_object_get(row, "delay_p50_s"));
    assert_true(delay_s > 9.99 && delay_s < 10.01);
    json_decref(json);
    struct figures figures = {0};
    load_truth_figures(&result, PUPILS, &figures);
    assert_int_equal(figures.count, 3);
    assert_true(figures.items[1].value == 12.5); /* one in 800 pupil days */
    assert_int_equal(remove(truth), 0);
    assert_int_equal(remove(alerts), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(senders_tell_what_the_simulator_tells_each_in_its_order),
        cmocka_unit_test(each_sender_is_in_its_share_and_nowhere_else),
        cmocka_unit_test(the_gates_are_those_of_the_registry),
        cmocka_unit_test(passes_name_the_card_that_went_through),
        cmocka_unit_test(a_run_that_begins_before_its_day_waits_and_a_late_one_hurries),
        cmocka_unit_test(a_share_without_senders_and_a_city_with_few_cards_are_fine),
        cmocka_unit_test(alerts_are_held_against_what_happened_in_the_hours_of_the_run),
    };
    return cmocka_run_group_tests(tests, make_world, release_world);
}
