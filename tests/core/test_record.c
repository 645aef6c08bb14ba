#include <string.h>

#include "core/limits.h"
#include "core/record.h"
#include "tests/check.h"
#include "tests/core/random.h"

static struct event some_event(uint64_t *random)
{
    struct event event = {.time_ms = 1772409600000 + random_below(random, 1u << 30),
                          .card_no = random_below(random, 140000),
                          .type = (uint8_t)(EVENT_FIX + random_below(random, 4)),
                          .flags = (uint8_t)random_next(random),
                          .kind = (uint8_t)random_below(random, 3),
                          .point = {(int32_t)random_below(random, 900000001),
                                    -(int32_t)random_below(random, 1800000001)},
                          .accuracy_cm = (uint32_t)random_next(random),
                          .speed_cms = (uint16_t)random_next(random)};
    return event;
}

static void put_some_report(struct buffer *out, uint64_t *random, struct report *ret,
                            struct event events[REPORT_EVENTS_MAX])
{
    *ret = (struct report){.arrival_ms = 1772409600000 + random_below(random, 1u << 30),
                           .origin = {.kind = ORIGIN_GATE,
                                      .no = random_below(random, 900),
                                      .epoch = random_below(random, 9),
                                      .seq = random_next(random)},
                           .keep_from = random_next(random),
                           .event_count = random_below(random, REPORT_EVENTS_MAX + 1),
                           .events = events};
    for (uint32_t i = 0; i < ret->event_count; i++) {
        events[i] = some_event(random);
    }
    record_put_report(out, ret);
}

static void reports_come_back_as_they_went(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct buffer out;
    buffer_init(&out, 1u << 20);
    for (int round = 0; round < 200; round++) {
        struct event events[REPORT_EVENTS_MAX];
        struct report report, back;
        buffer_clear(&out);
        put_some_report(&out, &random, &report, events);
        assert_int_equal(out.size % 8, 0);
        assert_int_equal(record_get_report(out.data, out.size, &back), STATUS_OK);
        assert_int_equal(back.arrival_ms, report.arrival_ms);
        assert_int_equal(back.keep_from, report.keep_from);
        assert_memory_equal(&back.origin, &report.origin, sizeof back.origin);
        assert_int_equal(back.event_count, report.event_count);
        if (back.event_count > 0) {
            assert_memory_equal(back.events, events, back.event_count * sizeof events[0]);
        }
    }
    buffer_release(&out);
}

static const char topic[] = "campus/v1/s001/card/c000001/up", words[] = "no such card",
                  json[] = "{\"specversion\":\"1.0\"}";

static void put_some_refused(struct buffer *out)
{
    static const char payload[5000] = "payload";
    struct refused refused = {.arrival_ms = 5,
                              .reason = REFUSAL_UNKNOWN_CARD,
                              .topic = TEXT(topic),
                              .detail = TEXT(words),
                              .payload = {payload, sizeof payload},
                              .payload_bytes = sizeof payload};
    record_put_refused(out, &refused);
}

static struct alert_record some_alert(void)
{
    return (struct alert_record){.cause_end = 77,
                                 .alert = {.type = ALERT_GATE_PASS,
                                           .direction = PASS_OUT,
                                           .late = true,
                                           .has_position = true,
                                           .index = 7,
                                           .battery_pct = 255,
                                           .school_no = 1,
                                           .pupil_no = 2,
                                           .card_no = 3,
                                           .fence_no = 4,
                                           .fence_version = 5,
                                           .gate_no = 6,
                                           .time_ms = -8,
                                           .raised_ms = 9,
                                           .point = {10, -11},
                                           .accuracy_cm = 12,
                                           .doubts = ALERT_DOUBT_OFF,
                                           .cause = {.kind = ORIGIN_CARD, .no = 3, .seq = 13}},
                                 .id = TEXT(words),
                                 .json = TEXT(json)};
}

static void dead_letters_come_back_with_the_payload_cut(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1u << 20);
    put_some_refused(&out);
    struct refused back;
    assert_int_equal(out.size % 8, 0);
    assert_int_equal(record_get_refused(out.data, out.size, &back), STATUS_OK);
    assert_true(text_is(back.topic, topic) && text_is(back.detail, words));
    assert_int_equal(back.reason, REFUSAL_UNKNOWN_CARD);
    assert_int_equal(back.payload.length, REFUSED_BYTES_MAX);
    assert_int_equal(back.payload_bytes, 5000);
    assert_string_equal(back.payload.at, "payload");
    buffer_release(&out);
}

static void alerts_and_marks_come_back_as_they_went(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1u << 20);
    struct alert_record record = some_alert(), back;
    record_put_alert(&out, &record);
    assert_int_equal(record_get_alert(out.data, out.size, &back), STATUS_OK);
    assert_true(text_is(back.id, words) && text_is(back.json, json));
    assert_int_equal(back.cause_end, 77);
    struct buffer again;
    buffer_init(&again, 1u << 20);
    record_put_alert(&again, &back);
    assert_int_equal(again.size, out.size);
    assert_memory_equal(again.data, out.data, out.size);
    assert_true(back.alert.late && back.alert.time_ms == -8 && back.alert.point.lon_e7 == -11);
    buffer_clear(&out);
    struct mark mark = {.settled = 1, .confirmed = 2}, mark_back;
    record_put_mark(&out, &mark);
    assert_int_equal(record_get_mark(out.data, out.size, &mark_back), STATUS_OK);
    assert_memory_equal(&mark, &mark_back, sizeof mark);
    assert_int_equal(back.alert.doubts, ALERT_DOUBT_OFF);
    buffer_release(&again);
    buffer_release(&out);
}

static void ticks_come_back_as_they_went_and_only_from_1970_to_9999(void **state)
{
    (void)state;
    static const int64_t bad_ms[] = {-1, INT64_MIN, 253402300800000, INT64_MAX};
    struct buffer out;
    buffer_init(&out, 1u << 20);
    struct tick tick = {1772409600123}, back = {0};
    record_put_tick(&out, &tick);
    assert_int_equal(out.size, 8);
    assert_int_equal(record_get_tick(out.data, out.size, &back), STATUS_OK);
    assert_int_equal(back.now_ms, tick.now_ms);
    for (size_t i = 0; i < sizeof bad_ms / sizeof bad_ms[0]; i++) {
        buffer_clear(&out);
        tick.now_ms = bad_ms[i];
        record_put_tick(&out, &tick);
        assert_int_equal(record_get_tick(out.data, out.size, &back), STATUS_CORRUPT);
    }
    assert_int_equal(back.now_ms, 1772409600123); /* never written on failure */
    assert_int_equal(record_get_tick(out.data, 7, &back), STATUS_CORRUPT);
    buffer_append(&out, "8 bytes.", 8);
    assert_int_equal(record_get_tick(out.data, out.size, &back), STATUS_CORRUPT);
    buffer_release(&out);
}

/* Of doubts nobody knows here, and of a cause that a report cannot have. */
static void an_alert_of_a_later_version_is_corrupt_and_one_of_a_tick_is_not(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1u << 20);
    struct alert_record record = some_alert(), back;
    record.alert.cause.kind = ORIGIN_TICK;
    record_put_alert(&out, &record);
    assert_int_equal(record_get_alert(out.data, out.size, &back), STATUS_OK);
    assert_int_equal(back.alert.cause.kind, ORIGIN_TICK);
    buffer_clear(&out);
    record.alert.cause.kind = ORIGIN_TICK + 1;
    record_put_alert(&out, &record);
    assert_int_equal(record_get_alert(out.data, out.size, &back), STATUS_CORRUPT);
    buffer_clear(&out);
    record = some_alert();
    record.alert.doubts = ALERT_DOUBTS + 1;
    record_put_alert(&out, &record);
    assert_int_equal(record_get_alert(out.data, out.size, &back), STATUS_CORRUPT);
    buffer_clear(&out);
    struct report report = {.arrival_ms = 1, .origin = {.kind = ORIGIN_TICK, .no = 1}}, report_back;
    record_put_report(&out, &report);
    assert_int_equal(record_get_report(out.data, out.size, &report_back), STATUS_CORRUPT);
    buffer_release(&out);
}

/* Reads a copy that ends where its memory ends, so that ASan sees a read beyond. */
static int count_taken(const char *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, data, size);
    struct report report;
    struct refused refused;
    struct alert_record alert;
    struct mark mark;
    struct tick tick;
    int taken = record_get_report(copy, size, &report) == STATUS_OK;
    if (record_get_refused(copy, size, &refused) == STATUS_OK) {
        taken++;
        assert_true(refused.payload.at + refused.payload.length <= copy + size);
    }
    if (record_get_alert(copy, size, &alert) == STATUS_OK) {
        taken++;
        assert_true(alert.json.at + alert.json.length <= copy + size);
    }
    taken += record_get_mark(copy, size, &mark) == STATUS_OK;
    taken += record_get_tick(copy, size, &tick) == STATUS_OK;
    free(copy);
    return taken;
}

static void every_truncation_and_flipped_byte_is_refused_or_harmless(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    for (int kind = 0; kind < 3; kind++) {
        struct buffer out;
        buffer_init(&out, 1u << 20);
        struct event events[REPORT_EVENTS_MAX];
        struct report report;
        struct alert_record record = some_alert();
        if (kind == 0) {
            put_some_report(&out, &random, &report, events);
        } else if (kind == 1) {
            put_some_refused(&out);
        } else {
            record_put_alert(&out, &record);
        }
        for (size_t size = 0; size < out.size; size++) {
            int taken = count_taken(out.data, size);
            if (size != sizeof(struct tick)) { /* any time: a tick */
                assert_int_equal(taken,
                                 size == sizeof(struct mark) ? 1 : 0); /* any 16 bytes: a mark */
            }
        }
        for (int round = 0; round < 20000; round++) {
            size_t place = random_below(&random, (uint32_t)out.size);
            char before = out.data[place];
            out.data[place] = (char)random_next(&random);
            (void)count_taken(out.data, out.size);
            out.data[place] = before;
        }
        buffer_release(&out);
    }
}

static void sizes_that_add_up_only_by_overflow_are_corrupt(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1u << 20);
    put_some_refused(&out);
    uint32_t huge = UINT32_MAX - 7;
    memcpy(out.data + 16, &huge, sizeof huge); /* topic_size */
    memcpy(out.data + 20, &huge, sizeof huge); /* detail_size */
    struct refused back;
    assert_int_equal(record_get_refused(out.data, out.size, &back), STATUS_CORRUPT);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_come_back_as_they_went),
        cmocka_unit_test(dead_letters_come_back_with_the_payload_cut),
        cmocka_unit_test(alerts_and_marks_come_back_as_they_went),
        cmocka_unit_test(ticks_come_back_as_they_went_and_only_from_1970_to_9999),
        cmocka_unit_test(an_alert_of_a_later_version_is_corrupt_and_one_of_a_tick_is_not),
        cmocka_unit_test(every_truncation_and_flipped_byte_is_refused_or_harmless),
        cmocka_unit_test(sizes_that_add_up_only_by_overflow_are_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
