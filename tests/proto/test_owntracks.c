#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "tests/check.h"

/* 2026-03-02T07:41:10Z */
static const int64_t now_ms = 1772437270000;

struct fixture {
    struct arena arena;
    struct decode_context context;
    struct wire_report report;
    struct status_detail detail;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(arena_init_fixed(&f->arena, DECODE_ARENA_BYTES), STATUS_OK);
    f->context = (struct decode_context){&f->arena, now_ms, GEO_GCJ02}; /* not for phones */
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    free(f);
    return 0;
}

static enum refusal decode(struct fixture *f, const char *json)
{
    f->detail.text[0] = '\0';
    return decode_owntracks(&f->context, text_of(json), &f->report, &f->detail);
}

static void a_location_becomes_a_fix(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(decode(f, "{\"_type\":\"location\",\"BSSID\":\"x\",\"acc\":12.5,\"alt\":900,"
                               "\"batt\":81,\"cog\":270,\"lat\":36.1234567,\"lon\":113.1234567,"
                               "\"tid\":\"ph\",\"tst\":1772437200,\"vel\":36,\"vac\":3}"),
                     REFUSAL_NONE);
    assert_int_equal(f->report.event_count, 1);
    assert_int_equal(f->report.epoch, 0);
    assert_false(f->report.want_receipt);
    assert_int_equal(f->report.events[0].flaw, REFUSAL_NONE);
    const struct event expected = {.time_ms = 1772437200000,
                                   .type = EVENT_FIX,
                                   .flags = EVENT_HAS_ACCURACY | EVENT_HAS_SPEED |
                                            EVENT_HAS_HEADING | EVENT_HAS_BATTERY,
                                   .datum = GEO_WGS84,
                                   .point = {361234567, 1131234567},
                                   .accuracy_cm = 1250,
                                   .speed_cms = 1000,
                                   .heading_cdeg = 27000,
                                   .battery_pct = 81};
    assert_memory_equal(&f->report.events[0].event, &expected, sizeof expected);
}

static uint64_t seq_of(struct fixture *f, const char *json)
{
    assert_int_equal(decode(f, json), REFUSAL_NONE);
    assert_true(seq_is_owntracks(f->report.epoch, f->report.seq));
    return f->report.seq;
}

static void the_same_location_has_the_same_number_however_it_is_told(void **state)
{
    struct fixture *f = *state;
    uint64_t seq =
        seq_of(f, "{\"_type\":\"location\",\"lat\":36.1,\"lon\":113.1,\"tst\":1772437200}");
    assert_int_equal(seq / 1000, 1772437200);
    assert_true(seq == seq_of(f, "{ \"tst\" : 1772437200.0, \"t\":\"p\", \"created_at\":1772437260,"
                                 "\"lon\":113.1,\"lat\":36.1, \"_type\":\"location\"}"));
    assert_true(
        seq != seq_of(f, "{\"_type\":\"location\",\"lat\":36.1,\"lon\":113.1,\"tst\":1772437201}"));
    assert_true(
        seq !=
        seq_of(f, "{\"_type\":\"location\",\"lat\":36.1001,\"lon\":113.1,\"tst\":1772437200}"));
}

static void what_a_phone_does_not_know_is_not_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(decode(f,
                            "{\"_type\":\"location\",\"lat\":36.1,\"lon\":113.1,\"tst\":1772437200,"
                            "\"vel\":-1,\"cog\":-1,\"batt\":-1,\"acc\":0,\"alt\":null}"),
                     REFUSAL_NONE);
    assert_int_equal(f->report.events[0].event.flags, 0);
    assert_int_equal(decode(f, "{\"_type\":\"location\",\"tst\":1772437200}"), REFUSAL_NONE);
    assert_int_equal(f->report.events[0].event.flags, EVENT_NO_POSITION);
    assert_int_equal(f->report.events[0].refusal, REFUSAL_NONE);
    assert_int_equal(
        decode(f, "{\"_type\":\"location\",\"lat\":0,\"lon\":0.0,\"cog\":360,\"tst\":1772437200}"),
        REFUSAL_NONE);
    assert_int_equal(f->report.events[0].event.flags, EVENT_NO_POSITION | EVENT_HAS_HEADING);
    assert_int_equal(f->report.events[0].event.heading_cdeg, 0);
}

static void a_field_that_cannot_be_refuses_the_fix(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *fields;
        enum refusal refusal;
        const char *field;
    } cases[] = {
        {"\"lat\":91,\"lon\":113", REFUSAL_POSITION, "lat"},
        {"\"lat\":36,\"lon\":-180.1", REFUSAL_POSITION, "lon"},
        {"\"lat\":1e300,\"lon\":113", REFUSAL_POSITION, "lat"},
        {"\"lat\":\"36\",\"lon\":113", REFUSAL_POSITION, "lat"},
        {"\"lat\":36", REFUSAL_POSITION, "lon"},
        {"\"lat\":36,\"lon\":null", REFUSAL_POSITION, "lon"},
        {"\"lat\":36,\"lon\":113,\"acc\":-5", REFUSAL_VALUE, "accuracy"},
        {"\"lat\":36,\"lon\":113,\"acc\":1e9", REFUSAL_VALUE, "accuracy"},
        {"\"lat\":36,\"lon\":113,\"acc\":[]", REFUSAL_VALUE, "acc"},
        {"\"lat\":36,\"lon\":113,\"batt\":101", REFUSAL_VALUE, "battery"},
        {"\"lat\":36,\"lon\":113,\"cog\":361", REFUSAL_VALUE, "heading"},
        {"\"lat\":36,\"lon\":113,\"vel\":1e20", REFUSAL_VALUE, "speed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[200];
        (void)snprintf(json, sizeof json, "{\"_type\":\"location\",\"tst\":1772437200,%s}",
                       cases[i].fields);
        assert_int_equal(decode(f, json), REFUSAL_NONE);
        assert_int_equal(f->report.events[0].refusal, cases[i].refusal);
        assert_string_equal(f->report.events[0].field, cases[i].field);
    }
}

static void a_location_needs_a_time(void **state)
{
    struct fixture *f = *state;
    static const char *const times[] = {"\"x\":1",      "\"tst\":0",          "\"tst\":\"now\"",
                                        "\"tst\":-1",   "\"tst\":1e300",      "\"tst\":null",
                                        "\"tst\":true", "\"tst\":9999999999", "\"tst\":-1e300"};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char json[200];
        (void)snprintf(json, sizeof json, "{\"_type\":\"location\",\"lat\":36,\"lon\":113,%s}",
                       times[i]);
        assert_int_equal(decode(f, json), REFUSAL_TIME);
        assert_int_equal(f->report.refusal, REFUSAL_TIME);
        assert_int_equal(f->report.event_count, 0);
        assert_non_null(strstr(f->detail.text, "tst"));
    }
}

static void a_clock_ahead_is_clamped(void **state)
{
    struct fixture *f = *state;
    uint64_t seq = seq_of(f, "{\"_type\":\"location\",\"lat\":36,\"lon\":113,\"tst\":1772437290}");
    assert_int_equal(f->report.events[0].event.time_ms, now_ms);
    assert_int_equal(f->report.events[0].event.flags, EVENT_CLOCK_AHEAD);
    assert_int_equal(seq / 1000, 1772437290); /* the number does not hang on the arrival */
}

static void other_messages_of_a_phone_tell_no_location(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(decode(f, "{\"_type\":\"lwt\",\"tst\":1772437200}"), REFUSAL_EMPTY);
    assert_non_null(strstr(f->detail.text, "lwt"));
    assert_int_equal(decode(f, "{\"_type\":\"transition\",\"lat\":36,\"lon\":113,\"tst\":1}"),
                     REFUSAL_EMPTY);
}

static void what_is_no_message_of_a_phone_is_malformed(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "3",
                                        "null",
                                        "{}",
                                        "{\"_type\":1}",
                                        "{\"_type\":\"location\"",
                                        "{a}",
                                        "\xff\xfe",
                                        "{\"_type\":\"loc\xff\"}",
                                        "{\"_type\":\"location\"} x"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(decode(f, texts[i]), REFUSAL_MALFORMED);
        assert_true(f->detail.text[0] != '\0');
        assert_int_equal(f->report.seq, 0);
    }
    char *deep = malloc(PAYLOAD_BYTES_MAX + 1);
    assert_non_null(deep);
    memset(deep, '[', PAYLOAD_BYTES_MAX + 1);
    const struct text fits = {deep, PAYLOAD_BYTES_MAX}, too_long = {deep, PAYLOAD_BYTES_MAX + 1};
    assert_int_equal(decode_owntracks(&f->context, fits, &f->report, &f->detail),
                     REFUSAL_MALFORMED);
    assert_int_equal(decode_owntracks(&f->context, too_long, &f->report, NULL), REFUSAL_TOO_LARGE);
    free(deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_location_becomes_a_fix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_location_has_the_same_number_however_it_is_told,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_phone_does_not_know_is_not_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_field_that_cannot_be_refuses_the_fix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_location_needs_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_ahead_is_clamped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_messages_of_a_phone_tell_no_location, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_message_of_a_phone_is_malformed, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
