#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proto/cloudevent.h"
#include "tests/check.h"

struct fixture {
    struct directory *directory;
    struct fence_set fences;
    struct fence fence;
    uint32_t by_no[6];
    struct buffer out;
    json_t *json;
};

/* One of each; number 2 of each is a hole. */
static struct directory *small_directory(void)
{
    static const struct directory_ends ends = {3, 3, 3, 1, 3, 0};
    struct directory *directory;
    assert_int_equal(directory_new(&ends, &directory), STATUS_OK);
    directory->schools[1].id = "s1";
    directory->pupils[1] = (struct dir_pupil){.id = "p1", .school_no = 1};
    directory->cards[1] = (struct dir_card){.id = "c1", .pupil_no = 1, .school_no = 1};
    directory->gates[1] = (struct dir_gate){.id = "g1", .school_no = 1};
    assert_int_equal(directory_seal(directory, NULL), STATUS_OK);
    return directory;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->directory = small_directory();
    f->fence = (struct fence){.id = "pond", .no = 5, .version = 3, .kind = FENCE_DANGER};
    f->by_no[5] = 1;
    f->fences =
        (struct fence_set){.items = &f->fence, .count = 1, .number_end = 6, .by_no = f->by_no};
    buffer_init(&f->out, 1 << 16);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    json_decref(f->json);
    buffer_release(&f->out);
    directory_free(f->directory);
    free(f);
    return 0;
}

static struct alert danger_alert(void)
{
    return (struct alert){.type = ALERT_DANGER,
                          .severity = SEVERITY_WARNING,
                          .index = 2,
                          .battery_pct = 255,
                          .has_position = true,
                          .school_no = 1,
                          .pupil_no = 1,
                          .card_no = 1,
                          .fence_no = 5,
                          .fence_version = 3,
                          .time_ms = 1772437270250,
                          .earliest_ms = 1772437260000,
                          .latest_ms = 1772437270999,
                          .raised_ms = 1772437271000,
                          .point = {-61234567, 1131234567},
                          .accuracy_cm = 1205,
                          .doubt_e6 = 10103,
                          .cause = {.kind = ORIGIN_CARD, .no = 1, .epoch = 7, .seq = 9}};
}

static void write_alert(struct fixture *f, const struct alert *alert)
{
    json_error_t error;
    buffer_clear(&f->out);
    cloudevent_write(&f->out, alert, f->directory, &f->fences);
    assert_int_equal(buffer_status(&f->out), STATUS_OK);
    json_decref(f->json);
    f->json = json_loadb(f->out.data, f->out.size, JSON_REJECT_DUPLICATES, &error);
    if (f->json == NULL) {
        fail_msg("column %d: %s in %s", error.column, error.text, buffer_cstr(&f->out));
    }
}

static const char *string_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void an_alert_is_written_to_the_byte(void **state)
{
    struct fixture *f = *state;
    struct alert alert = danger_alert();
    write_alert(f, &alert);
    assert_string_equal(
        buffer_cstr(&f->out),
        "{\"specversion\":\"1.0\",\"id\":\"danger-c1.7.9.2-f5\",\"source\":\"/campus/s1\","
        "\"type\":\"campus.alert.danger.v1\",\"subject\":\"p1\",\"time\":\"2026-03-02T07:41:10.250Z\","
        "\"datacontenttype\":\"application/json\",\"data\":{\"type\":\"danger\",\"school\":\"s1\","
        "\"pupil\":\"p1\",\"card\":\"c1\",\"fence\":\"pond\",\"fence_version\":3,"
        "\"severity\":\"warning\",\"time_ms\":1772437270250,\"earliest_ms\":1772437260000,"
        "\"latest_ms\":1772437270999,\"sure\":0.9898,\"raised_ms\":1772437271000,"
        "\"late\":false,\"position\":{\"lat\":-6.1234567,\"lon\":113.1234567,\"accuracy_m\":12.05,"
        "\"datum\":\"wgs84\"},\"cause\":{\"kind\":\"card\",\"sender\":\"c1\",\"epoch\":7,\"seq\":9,"
        "\"index\":2}}}");
}

static void keys_that_do_not_apply_are_left_out(void **state)
{
    struct fixture *f = *state;
    struct alert pass = {.type = ALERT_GATE_PASS,
                         .severity = SEVERITY_INFO,
                         .direction = PASS_OUT,
                         .late = true,
                         .battery_pct = 50,
                         .school_no = 1,
                         .pupil_no = 1,
                         .card_no = 1,
                         .gate_no = 1,
                         .cause = {.kind = ORIGIN_GATE, .no = 1, .seq = 1}};
    write_alert(f, &pass);
    const json_t *data = json_object_get(f->json, "data");
    assert_string_equal(string_at(data, "gate"), "g1");
    assert_string_equal(string_at(data, "direction"), "out");
    assert_string_equal(string_at(json_object_get(data, "cause"), "sender"), "g1");
    assert_string_equal(string_at(json_object_get(data, "cause"), "kind"), "gate");
    assert_true(json_is_true(json_object_get(data, "late")));
    static const char *const absent[] = {"fence", "fence_version", "battery_pct", "position",
                                         "sure"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        assert_null(json_object_get(data, absent[i]));
    }
    struct alert battery = {.type = ALERT_LOW_BATTERY,
                            .severity = SEVERITY_INFO,
                            .battery_pct = 0,
                            .has_position = true,
                            .cause = {.kind = ORIGIN_CARD, .no = 1, .seq = 1}};
    write_alert(f, &battery);
    data = json_object_get(f->json, "data");
    assert_int_equal(json_integer_value(json_object_get(data, "battery_pct")), 0);
    assert_true(json_is_integer(json_object_get(data, "battery_pct")));
    assert_null(json_object_get(json_object_get(data, "position"), "accuracy_m"));
    assert_null(json_object_get(data, "gate"));
}

static void doubts_are_words_and_only_where_there_are_any(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t doubts;
        const char *words;
    } cases[] = {{ALERT_DOUBT_SILENCE, ",\"doubts\":[\"silence\"],"},
                 {ALERT_DOUBT_OFF, ",\"doubts\":[\"off\"],"},
                 {ALERT_DOUBT_LOW_BATTERY, ",\"doubts\":[\"low_battery\"],"},
                 {ALERT_DOUBTS, ",\"doubts\":[\"silence\",\"off\",\"low_battery\"],"}};
    struct alert alert = danger_alert();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        alert.doubts = cases[i].doubts;
        write_alert(f, &alert);
        assert_non_null(strstr(buffer_cstr(&f->out), cases[i].words));
    }
    alert.doubts = 0;
    write_alert(f, &alert);
    assert_null(json_object_get(json_object_get(f->json, "data"), "doubts"));
}

static void silence_is_told_of_a_card_or_of_a_school(void **state)
{
    struct fixture *f = *state;
    struct alert alert = {.type = ALERT_SILENT,
                          .severity = SEVERITY_INFO,
                          .battery_pct = UINT8_MAX,
                          .school_no = 1,
                          .pupil_no = 1,
                          .card_no = 1,
                          .time_ms = 1772437270000,
                          .raised_ms = 1772437871000,
                          .cause = {.kind = ORIGIN_TICK, .no = 1, .seq = 1772437270}};
    write_alert(f, &alert);
    assert_string_equal(string_at(f->json, "id"), "silent-t1.0.1772437270.0");
    const json_t *cause = json_object_get(json_object_get(f->json, "data"), "cause");
    assert_string_equal(string_at(cause, "kind"), "tick");
    assert_string_equal(string_at(cause, "sender"), "c1");
    alert.pupil_no = alert.card_no = alert.cause.no = 0;
    alert.cause.epoch = 1;
    write_alert(f, &alert);
    assert_string_equal(string_at(f->json, "source"), "/campus/s1");
    assert_null(json_object_get(f->json, "subject"));
    const json_t *data = json_object_get(f->json, "data");
    assert_null(json_object_get(data, "pupil"));
    assert_null(json_object_get(data, "card"));
    assert_null(json_object_get(json_object_get(data, "cause"), "sender"));
}

static void what_the_registry_forgot_is_left_out(void **state)
{
    struct fixture *f = *state;
    for (uint32_t no = 0; no < 8; no++) {
        if (no == 1) {
            continue;
        }
        struct alert alert = danger_alert();
        alert.school_no = alert.pupil_no = alert.card_no = alert.cause.no = no;
        alert.fence_no = no + 2 != 5 ? no + 2 : 77;
        write_alert(f, &alert);
        assert_string_equal(string_at(f->json, "source"), "/campus");
        assert_null(json_object_get(f->json, "subject"));
        assert_null(json_object_get(json_object_get(f->json, "data"), "fence"));
    }
    struct alert alert = danger_alert();
    buffer_clear(&f->out);
    cloudevent_write(&f->out, &alert, f->directory, NULL);
    assert_null(strstr(buffer_cstr(&f->out), "pond"));
}

/* CloudEvents 1.0, section "Required attributes" and "Optional attributes"; numbers within JSON's
 * exact range are ours. */
static void check_cloudevent(json_t *event)
{
    const char *specversion = string_at(event, "specversion");
    assert_non_null(specversion);
    assert_string_equal(specversion, "1.0");
    static const char *const filled[] = {"id", "source", "type", "time", "datacontenttype"};
    for (size_t i = 0; i < sizeof filled / sizeof filled[0]; i++) {
        const char *text = string_at(event, filled[i]);
        assert_non_null(text);
        assert_true(text[0] != '\0');
    }
    int64_t time_ms;
    const char *time = string_at(event, "time");
    assert_int_equal(clock_parse(time, strlen(time), &time_ms), STATUS_OK);
    assert_true(json_is_object(json_object_get(event, "data")));
    const json_t *subject = json_object_get(event, "subject");
    assert_true(subject == NULL || json_string_length(subject) > 0);
    const char *key;
    json_t *value;
    json_object_foreach(event, key, value)
    {
        for (const char *at = key; *at != '\0'; at++) {
            assert_true((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9'));
        }
    }
}

static void every_type_of_alert_is_a_cloudevent(void **state)
{
    struct fixture *f = *state;
    for (int type = ALERT_NONE + 1; type < ALERT_TYPE_COUNT; type++) {
        for (int known = 0; known < 2; known++) {
            struct alert alert = danger_alert();
            alert.type = (uint8_t)type;
            alert.gate_no = 1;
            alert.pupil_no = alert.school_no = known ? 1 : 0;
            write_alert(f, &alert);
            check_cloudevent(f->json);
        }
    }
}

/* The schema of the CNCF says which attributes must be there; ours are checked against its list. */
static void the_published_schema_asks_for_nothing_else(void **state)
{
    struct fixture *f = *state;
    const char *folder = getenv("CAMPUS_DATA");
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/standards/cloudevents-1.0-json-schema.json",
                   folder != NULL ? folder : CAMPUS_SOURCE_DIR "/../shared/data");
    json_t *schema = json_load_file(path, 0, NULL);
    if (schema == NULL) {
        print_message("no %s: CAMPUS_DATA names the folder\n", path);
        skip();
    }
    struct alert alert = danger_alert();
    write_alert(f, &alert);
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(schema, "required"), i, name)
    {
        assert_non_null(json_object_get(f->json, json_string_value(name)));
    }
    assert_true(i > 0);
    const char *key;
    json_t *value;
    json_object_foreach(f->json, key, value)
    {
        assert_non_null(json_object_get(json_object_get(schema, "properties"), key));
    }
    json_decref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_alert_is_written_to_the_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_that_do_not_apply_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(doubts_are_words_and_only_where_there_are_any, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(silence_is_told_of_a_card_or_of_a_school, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_registry_forgot_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_type_of_alert_is_a_cloudevent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_published_schema_asks_for_nothing_else, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
