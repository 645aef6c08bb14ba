/* A small city's messages through the whole way: all of them are decided, and what is amiss is told. */
#include <string.h>

#include "bench/intake_load.h"
#include "tests/check.h"

enum { CARDS = 3000, SCHOOLS = 20, ZONES = 100, CARD_MESSAGES = 6000, GATEWAY_MESSAGES = 200 };

struct fixture {
    struct intake_city city;
    struct intake_load load;
    struct intake *intake;
    struct status_detail detail;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    *state = &fixture;
    return intake_city_make(&fixture.city, CARDS, SCHOOLS, ZONES) &&
                   intake_load_make(&fixture.load, &fixture.city) &&
                   intake_new(&fixture.city, ".", &fixture.intake, &fixture.detail) == STATUS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    intake_free(fixture->intake);
    intake_load_release(&fixture->load);
    intake_city_release(&fixture->city);
    return 0;
}

static void every_event_is_durable_and_decided(void **state)
{
    struct fixture *fixture = *state;
    struct intake_stats stats;
    assert_int_equal(intake_load_cards(&fixture->load, CARD_MESSAGES), CARD_MESSAGES);
    assert_int_equal(
        intake_take(fixture->intake, fixture->load.messages, CARD_MESSAGES, &fixture->detail),
        STATUS_OK);
    assert_int_equal(intake_check(fixture->intake, CARD_MESSAGES, &fixture->detail), STATUS_OK);
    intake_stats(fixture->intake, &stats);
    assert_int_equal(stats.engine.fixes, CARD_MESSAGES);
    assert_int_equal(stats.engine.unassigned, 0);
    assert_true(stats.journal.records > CARD_MESSAGES); /* ticks, marks, alerts */
    assert_true(stats.durable > (uint64_t)CARD_MESSAGES * 96);
    assert_true(stats.engine.presences > 0);
    assert_int_equal(intake_check(fixture->intake, CARD_MESSAGES + 1, &fixture->detail),
                     STATUS_CORRUPT);
}

static void a_gateway_brings_sixteen_a_message(void **state)
{
    struct fixture *fixture = *state;
    struct intake_stats stats;
    const uint32_t events = GATEWAY_MESSAGES * INTAKE_GATEWAY_REPORTS;
    assert_int_equal(intake_load_gateways(&fixture->load, events), GATEWAY_MESSAGES);
    assert_int_equal(
        intake_take(fixture->intake, fixture->load.messages, GATEWAY_MESSAGES, &fixture->detail),
        STATUS_OK);
    assert_int_equal(intake_check(fixture->intake, events, &fixture->detail), STATUS_OK);
    intake_stats(fixture->intake, &stats);
    assert_int_equal(stats.ingest.messages, GATEWAY_MESSAGES);
    assert_int_equal(stats.ingest.reports, events);
}

static void what_is_refused_is_amiss(void **state)
{
    struct fixture *fixture = *state;
    struct broker_message *messages = fixture->load.messages;
    assert_int_equal(intake_load_cards(&fixture->load, 3), 3);
    messages[1].topic = TEXT("campus/v1/s1/card/nobody/up");
    assert_int_equal(intake_take(fixture->intake, messages, 3, &fixture->detail), STATUS_OK);
    assert_int_equal(intake_check(fixture->intake, 2, &fixture->detail), STATUS_CORRUPT);
    assert_non_null(strstr(fixture->detail.text, "2 were taken, 2 decided"));
}

static void a_journal_that_cannot_be_made_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct intake *intake = NULL;
    assert_int_equal(intake_new(&fixture->city, "/nowhere/at/all", &intake, &fixture->detail),
                     STATUS_IO);
    assert_null(intake);
    assert_non_null(strstr(fixture->detail.text, "/nowhere/at/all"));
}

/* Fences lie where their schools' pupils are, in every city of a province. */
static void a_province_is_several_cities(void **state)
{
    (void)state;
    enum { MANY = 3 * CITY_SCHOOLS + 10, PUPILS = 5 * MANY };
    struct intake_city city;
    struct directory *directory;
    struct fence_set *fences;
    struct status_detail detail;
    struct city_random random = {3};
    assert_true(intake_city_make(&city, PUPILS, MANY, 50));
    assert_int_equal(city.tiles, 4);
    assert_int_equal(intake_city_directory(&city, &directory, &detail), STATUS_OK);
    assert_int_equal(intake_city_fences(&city, &fences, &detail), STATUS_OK);
    assert_int_equal(fences->count, MANY * CITY_SCHOOL_FENCES + 50);
    assert_int_equal(fences->ground_count, MANY);
    uint32_t near = 0;
    for (uint32_t school = 1; school <= MANY; school++) {
        const struct geo_shape *ground = &fences->shapes[(size_t)(school - 1) * CITY_SCHOOL_FENCES];
        const uint32_t card = intake_city_card(&city, &random, school);
        assert_int_equal(directory->cards[card].school_no, school);
        assert_int_equal(fences->items[(size_t)(school - 1) * CITY_SCHOOL_FENCES].school_no,
                         school);
        near += geo_distance_m(city.homes[card], ground->low) < 1000;
    }
    assert_true(near > MANY / 2); /* seven of ten, and chance */
    fence_set_free(fences);
    directory_free(directory);
    intake_city_release(&city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_event_is_durable_and_decided, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_gateway_brings_sixteen_a_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_refused_is_amiss, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_that_cannot_be_made_is_told, set_up, tear_down),
        cmocka_unit_test(a_province_is_several_cities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
