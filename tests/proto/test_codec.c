#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "tests/check.h"
#include "tests/proto/allocations.h"
#include "tests/proto/bytes.h"

/* 2026-03-02T07:41:10Z */
static const int64_t now_ms = 1772437270000;

struct fixture {
    struct arena arena;
    struct decode_context context;
    struct buffer inner, payload;
    struct wire_report report;
    struct wire_reports reports;
    struct status_detail detail;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(arena_init_fixed(&f->arena, DECODE_ARENA_BYTES), STATUS_OK);
    f->context = (struct decode_context){&f->arena, now_ms, GEO_WGS84};
    buffer_init(&f->inner, 1 << 20);
    buffer_init(&f->payload, 1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    buffer_release(&f->inner);
    buffer_release(&f->payload);
    free(f);
    return 0;
}

static enum refusal decode_card(struct fixture *f)
{
    return decode_card_report(&f->context, bytes_of(&f->payload), &f->report, &f->detail);
}

static void put_place(struct buffer *out, unsigned lat_field, int32_t lat_e7, int32_t lon_e7)
{
    put_fixed32(out, lat_field, lat_e7);
    put_fixed32(out, lat_field + 1, lon_e7);
}

/* A good fix in inner; more fields may follow. */
static void put_fix(struct fixture *f)
{
    put_fixed64(&f->inner, 1, now_ms - 1000);
    put_place(&f->inner, 2, 361234567, 1131234567);
}

/* epoch 7, seq 9: the beginning of a report. */
static void begin_report(struct fixture *f)
{
    buffer_clear(&f->payload);
    put_number(&f->payload, 2, 7);
    put_number(&f->payload, 3, 9);
}

static void a_report_is_decoded_field_by_field(void **state)
{
    struct fixture *f = *state;
    put_bytes(&f->payload, 1, TEXT("card-1"));
    put_number(&f->payload, 2, 7);
    put_number(&f->payload, 3, 9);
    put_number(&f->payload, 4, 5);
    put_number(&f->payload, 5, 1);
    put_fix(f);
    put_number(&f->inner, 4, 1234);
    put_number(&f->inner, 5, 2);
    put_number(&f->inner, 6, 150);
    put_number(&f->inner, 7, 35999);
    put_number(&f->inner, 8, 100);
    put_number(&f->inner, 9, 1);
    put_inner(&f->payload, 6, &f->inner);
    assert_int_equal(decode_card(f), REFUSAL_NONE);
    assert_true(text_is(f->report.sender, "card-1"));
    assert_int_equal(f->report.epoch, 7);
    assert_int_equal(f->report.seq, 9);
    assert_int_equal(f->report.keep_from, 5);
    assert_true(f->report.want_receipt);
    assert_int_equal(f->report.event_count, 1);
    const struct wire_event *event = &f->report.events[0];
    assert_int_equal(event->refusal, REFUSAL_NONE);
    assert_int_equal(event->flaw, REFUSAL_NONE);
    const struct event expected = {.time_ms = now_ms - 1000,
                                   .type = EVENT_FIX,
                                   .flags = EVENT_HAS_ACCURACY | EVENT_HAS_SPEED |
                                            EVENT_HAS_HEADING | EVENT_HAS_BATTERY,
                                   .kind = FIX_WIFI,
                                   .datum = GEO_WGS84,
                                   .point = {361234567, 1131234567},
                                   .accuracy_cm = 1234,
                                   .speed_cms = 150,
                                   .heading_cdeg = 35999,
                                   .battery_pct = 100};
    assert_memory_equal(&event->event, &expected, sizeof expected);
}

static void events_stand_in_the_order_fixes_signals_calls(void **state)
{
    struct fixture *f = *state;
    begin_report(f);
    put_fixed64(&f->inner, 1, now_ms); /* the call comes first on the wire */
    put_number(&f->inner, 2, CALL_OUTGOING);
    put_number(&f->inner, 3, CALL_MISSED);
    put_number(&f->inner, 4, 255);
    put_number(&f->inner, 5, 86400);
    put_inner(&f->payload, 8, &f->inner);
    put_fixed64(&f->inner, 1, now_ms);
    put_number(&f->inner, 2, SIGNAL_REMOVED);
    put_number(&f->inner, 3, 12);
    put_place(&f->inner, 4, 361000000, 1131000000);
    put_inner(&f->payload, 7, &f->inner);
    put_fix(f);
    put_inner(&f->payload, 6, &f->inner);
    assert_int_equal(decode_card(f), REFUSAL_NONE);
    assert_int_equal(f->report.event_count, 3);
    const struct wire_event *events = f->report.events;
    assert_int_equal(events[0].event.type, EVENT_FIX);
    assert_int_equal(events[1].event.type, EVENT_SIGNAL);
    assert_int_equal(events[1].event.kind, SIGNAL_REMOVED);
    assert_int_equal(events[1].event.battery_pct, 12);
    assert_int_equal(events[1].event.flags, EVENT_HAS_BATTERY);
    assert_int_equal(events[1].event.point.lon_e7, 1131000000);
    assert_int_equal(events[2].event.type, EVENT_CALL);
    assert_int_equal(events[2].event.kind, CALL_OUTGOING);
    assert_int_equal(events[2].event.outcome, CALL_MISSED);
    assert_int_equal(events[2].event.contact, 255);
    assert_int_equal(events[2].event.duration_s, 86400);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(events[i].flaw, REFUSAL_NONE);
    }
}

static void a_fix_without_a_position_or_at_0_0_has_none(void **state)
{
    struct fixture *f = *state;
    begin_report(f);
    put_fixed64(&f->inner, 1, now_ms);
    put_inner(&f->payload, 6, &f->inner);
    put_fixed64(&f->inner, 1, now_ms);
    put_place(&f->inner, 2, 0, 0);
    put_inner(&f->payload, 6, &f->inner);
    put_fixed64(&f->inner, 1, now_ms); /* on the equator: a place like any other */
    put_place(&f->inner, 2, 0, 1);
    put_inner(&f->payload, 6, &f->inner);
    assert_int_equal(decode_card(f), REFUSAL_NONE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(f->report.events[i].refusal, REFUSAL_NONE);
        assert_int_equal(f->report.events[i].event.flags, i < 2 ? EVENT_NO_POSITION : 0);
    }
}

struct bad_field {
    unsigned list;   /* fixes, signals, calls */
    unsigned number; /* of the field, written last: it overrules */
    int wire;        /* 0 varint, 1 fixed64, 5 fixed32 */
    enum refusal flaw;
    int64_t value;
    const char *field;
};

static void put_good(struct fixture *f, unsigned list)
{
    if (list == 6) {
        put_fix(f);
        return;
    }
    put_fixed64(&f->inner, 1, now_ms);
    put_number(&f->inner, 2, list == 7 ? SIGNAL_LOW_BATTERY : CALL_INCOMING);
    if (list == 7) {
        put_place(&f->inner, 4, 361000000, 1131000000);
    } else {
        put_number(&f->inner, 3, CALL_ANSWERED);
    }
}

static void put_bad(struct fixture *f, const struct bad_field *bad)
{
    put_good(f, bad->list);
    switch (bad->wire) {
    case 0:
        put_number(&f->inner, bad->number, (uint64_t)bad->value);
        break;
    case 1:
        put_fixed64(&f->inner, bad->number, bad->value);
        break;
    default:
        put_fixed32(&f->inner, bad->number, (int32_t)bad->value);
        break;
    }
}

static const struct bad_field bad_fields[] = {
    {6, 1, 1, REFUSAL_TIME, 0, "time_ms"},
    {6, 1, 1, REFUSAL_TIME, INT64_MIN, "time_ms"},
    {6, 1, 1, REFUSAL_TIME, INT64_MAX, "time_ms"},
    {6, 1, 1, REFUSAL_TIME, TIME_MS_MIN - 1, "time_ms"},
    {6, 1, 1, REFUSAL_TIME, 1772437270000 + TIME_AHEAD_MS_MAX + 1, "time_ms"},
    {6, 2, 5, REFUSAL_POSITION, GEO_LAT_E7_MAX + 1, "lat"},
    {6, 2, 5, REFUSAL_POSITION, INT32_MIN, "lat"},
    {6, 3, 5, REFUSAL_POSITION, GEO_LON_E7_MAX + 1, "lon"},
    {6, 3, 5, REFUSAL_POSITION, INT32_MIN, "lon"},
    {6, 4, 0, REFUSAL_VALUE, ACCURACY_CM_MAX + 1ll, "accuracy"},
    {6, 5, 0, REFUSAL_VALUE, 4, "source"},
    {6, 5, 0, REFUSAL_VALUE, -1, "source"},
    {6, 6, 0, REFUSAL_VALUE, 65536, "speed"},
    {6, 7, 0, REFUSAL_VALUE, 36000, "heading"},
    {6, 8, 0, REFUSAL_VALUE, 101, "battery"},
    {6, 9, 0, REFUSAL_POSITION, 4, "datum"},
    {6, 9, 0, REFUSAL_POSITION, -1, "datum"},
    {7, 1, 1, REFUSAL_TIME, 0, "time_ms"},
    {7, 2, 0, REFUSAL_VALUE, 0, "kind"},
    {7, 2, 0, REFUSAL_VALUE, 5, "kind"},
    {7, 2, 0, REFUSAL_VALUE, 257, "kind"},
    {7, 3, 0, REFUSAL_VALUE, 101, "battery"},
    {7, 4, 5, REFUSAL_POSITION, INT32_MAX, "lat"},
    {7, 6, 0, REFUSAL_VALUE, 0xffffffff, "accuracy"},
    {7, 7, 0, REFUSAL_POSITION, 9, "datum"},
    {8, 1, 1, REFUSAL_TIME, -5, "time_ms"},
    {8, 2, 0, REFUSAL_VALUE, 0, "direction"},
    {8, 2, 0, REFUSAL_VALUE, 3, "direction"},
    {8, 3, 0, REFUSAL_VALUE, 0, "outcome"},
    {8, 3, 0, REFUSAL_VALUE, 4, "outcome"},
    {8, 4, 0, REFUSAL_VALUE, 256, "contact"},
    {8, 5, 0, REFUSAL_VALUE, 86401, "duration"},
};

static void a_bad_field_costs_its_event_alone(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof bad_fields / sizeof bad_fields[0]; i++) {
        const struct bad_field *bad = &bad_fields[i];
        begin_report(f);
        put_good(f, bad->list);
        put_inner(&f->payload, bad->list, &f->inner);
        put_bad(f, bad);
        put_inner(&f->payload, bad->list, &f->inner);
        assert_int_equal(decode_card(f), REFUSAL_NONE);
        assert_int_equal(f->report.event_count, 2);
        assert_int_equal(f->report.events[0].flaw, REFUSAL_NONE);
        if (f->report.events[1].refusal != bad->flaw ||
            strcmp(f->report.events[1].field, bad->field) != 0) {
            fail_msg("case %zu: refusal %s, field %s", i, refusal_word(f->report.events[1].refusal),
                     f->report.events[1].field);
        }
        arena_reset(&f->arena);
    }
}

static void half_a_position_is_refused(void **state)
{
    struct fixture *f = *state;
    for (unsigned field = 2; field <= 3; field++) {
        begin_report(f);
        put_fixed64(&f->inner, 1, now_ms);
        put_fixed32(&f->inner, field, 361000000);
        put_inner(&f->payload, 6, &f->inner);
        assert_int_equal(decode_card(f), REFUSAL_NONE);
        assert_int_equal(f->report.events[0].refusal, REFUSAL_POSITION);
        assert_string_equal(f->report.events[0].field, field == 2 ? "lon" : "lat");
    }
}

static void an_sos_is_taken_whatever_else_it_says(void **state)
{
    struct fixture *f = *state;
    begin_report(f);
    put_number(&f->inner, 2, SIGNAL_SOS);
    put_number(&f->inner, 3, 200);
    put_place(&f->inner, 4, INT32_MAX, 0);
    put_number(&f->inner, 6, 0xffffffff);
    put_number(&f->inner, 7, 99);
    put_inner(&f->payload, 7, &f->inner);
    assert_int_equal(decode_card(f), REFUSAL_NONE);
    const struct wire_event *sos = &f->report.events[0];
    assert_int_equal(sos->refusal, REFUSAL_NONE);
    assert_int_equal(sos->flaw, REFUSAL_TIME); /* told, not silent */
    assert_string_equal(sos->field, "time_ms");
    const struct event expected = {.time_ms = now_ms,
                                   .type = EVENT_SIGNAL,
                                   .kind = SIGNAL_SOS,
                                   .flags = EVENT_NO_POSITION | EVENT_CLOCK_AHEAD};
    assert_memory_equal(&sos->event, &expected, sizeof expected);
}

static void a_clock_ahead_is_clamped_and_marked(void **state)
{
    struct fixture *f = *state;
    static const int64_t ahead_ms[] = {0, TIME_AHEAD_MS_TRUSTED, TIME_AHEAD_MS_TRUSTED + 1,
                                       TIME_AHEAD_MS_MAX};
    begin_report(f);
    for (int i = 0; i < 4; i++) {
        put_fixed64(&f->inner, 1, now_ms + ahead_ms[i]);
        put_place(&f->inner, 2, 361000000, 1131000000);
        put_inner(&f->payload, 6, &f->inner);
    }
    assert_int_equal(decode_card(f), REFUSAL_NONE);
    for (int i = 0; i < 4; i++) {
        const struct event *event = &f->report.events[i].event;
        assert_int_equal(f->report.events[i].refusal, REFUSAL_NONE);
        assert_int_equal(event->flags, i < 2 ? 0 : EVENT_CLOCK_AHEAD);
        assert_int_equal(event->time_ms, i < 2 ? now_ms + ahead_ms[i] : now_ms);
    }
}

static void positions_come_out_in_wgs84(void **state)
{
    struct fixture *f = *state;
    for (int datum = GEO_WGS84; datum <= GEO_BD09; datum++) {
        double lat = 36.1234567, lon = 113.1234567;
        geo_from_wgs84((enum geo_datum)datum, &lat, &lon);
        for (int named = 0; named < 2; named++) {
            struct geo_point point;
            assert_int_equal(geo_point_from_degrees(lat, lon, &point), STATUS_OK);
            f->context.datum_default = named ? GEO_DATUM_NONE : (enum geo_datum)datum;
            begin_report(f);
            put_fixed64(&f->inner, 1, now_ms);
            put_place(&f->inner, 2, point.lat_e7, point.lon_e7);
            if (named) {
                put_number(&f->inner, 9, (uint64_t)datum);
            }
            put_inner(&f->payload, 6, &f->inner);
            assert_int_equal(decode_card(f), REFUSAL_NONE);
            assert_int_equal(f->report.events[0].refusal, REFUSAL_NONE);
            const struct event *event = &f->report.events[0].event;
            assert_int_equal(event->datum, datum);
            assert_in_range(event->point.lat_e7, 361234567 - 1, 361234567 + 1);
            assert_in_range(event->point.lon_e7, 1131234567 - 1, 1131234567 + 1);
        }
    }
}

static void without_a_default_a_fix_must_name_its_datum(void **state)
{
    struct fixture *f = *state;
    f->context.datum_default = GEO_DATUM_NONE;
    begin_report(f);
    put_fix(f);
    put_inner(&f->payload, 6, &f->inner);
    assert_int_equal(decode_card(f), REFUSAL_NONE);
    assert_int_equal(f->report.events[0].refusal, REFUSAL_POSITION);
    assert_string_equal(f->report.events[0].field, "datum");
}

static void a_report_needs_a_number_of_its_own(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t epoch;
        uint64_t seq;
    } numbers[] = {{7, 0}, {7, UINT64_MAX}, {7, (uint64_t)INT64_MAX + 1}, {0, TIME_MS_MIN}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        buffer_clear(&f->payload);
        put_number(&f->payload, 2, numbers[i].epoch);
        put_number(&f->payload, 3, numbers[i].seq);
        put_fix(f);
        put_inner(&f->payload, 6, &f->inner);
        assert_int_equal(decode_card(f), REFUSAL_SEQUENCE);
        assert_int_equal(f->report.seq, 0);
        assert_int_equal(f->report.event_count, 0);
        assert_non_null(strstr(f->detail.text, "numbered 1, 2, 3"));
    }
}

static void an_empty_report_still_tells_its_number(void **state)
{
    struct fixture *f = *state;
    begin_report(f);
    put_number(&f->payload, 5, 1);
    assert_int_equal(decode_card(f), REFUSAL_EMPTY);
    assert_int_equal(f->report.refusal, REFUSAL_EMPTY);
    assert_int_equal(f->report.seq, 9);
    assert_int_equal(f->report.epoch, 7);
    assert_true(f->report.want_receipt);
    assert_int_equal(f->report.event_count, 0);
    buffer_clear(&f->payload);
    assert_int_equal(decode_card(f), REFUSAL_SEQUENCE);
}

static void a_list_beyond_its_limit_is_refused_and_tells_its_number(void **state)
{
    struct fixture *f = *state;
    for (unsigned extra = 0; extra < 2; extra++) {
        begin_report(f);
        for (unsigned i = 0; i < REPORT_EVENTS_MAX + extra; i++) {
            put_good(f, 6 + i % 3);
            put_inner(&f->payload, 6 + i % 3, &f->inner);
        }
        assert_int_equal(decode_card(f), extra == 0 ? REFUSAL_NONE : REFUSAL_TOO_LARGE);
        assert_int_equal(f->report.event_count, extra == 0 ? REPORT_EVENTS_MAX : 0);
        assert_int_equal(f->report.seq, 9);
        arena_reset(&f->arena);
    }
    assert_non_null(strstr(f->detail.text, "send several reports"));
}

static void a_payload_beyond_its_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_non_null(buffer_extend(&f->payload, PAYLOAD_BYTES_MAX + 1));
    memset(f->payload.data, 0, f->payload.size);
    assert_int_equal(decode_card(f), REFUSAL_TOO_LARGE);
    assert_int_equal(decode_gate_report(&f->context, bytes_of(&f->payload), &f->report, NULL),
                     REFUSAL_TOO_LARGE);
    assert_int_equal(decode_gateway_report(&f->context, bytes_of(&f->payload), &f->reports, NULL),
                     REFUSAL_TOO_LARGE);
}

/* In memory of its own size, so that a byte read beyond the end is seen. */
static enum refusal decode_cut(struct fixture *f, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, f->payload.data, length);
    enum refusal refusal =
        decode_card_report(&f->context, (struct text){copy, length}, &f->report, &f->detail);
    free(copy);
    arena_reset(&f->arena);
    return refusal;
}

static void a_report_cut_short_is_never_taken_as_a_whole(void **state)
{
    struct fixture *f = *state;
    begin_report(f);
    size_t head = f->payload.size;
    put_fix(f);
    put_inner(&f->payload, 6, &f->inner);
    for (size_t length = 0; length < f->payload.size; length++) {
        enum refusal refusal = decode_cut(f, length);
        assert_int_not_equal(refusal, REFUSAL_NONE);
        if (length > head) {
            assert_int_equal(refusal, REFUSAL_MALFORMED);
        }
    }
    assert_int_equal(decode_cut(f, f->payload.size), REFUSAL_NONE);
}

static void unknown_fields_are_passed_over(void **state)
{
    struct fixture *f = *state;
    begin_report(f);
    put_bytes(&f->payload, 1000, TEXT("of a later version"));
    put_fix(f);
    put_number(&f->inner, 77, 5);
    put_inner(&f->payload, 6, &f->inner);
    assert_int_equal(decode_card(f), REFUSAL_NONE);
    assert_int_equal(f->report.events[0].flaw, REFUSAL_NONE);
}

/* As many fixes of a time alone as go into a payload: no other payload unpacks to more within the
 * limits. */
static void the_fullest_payload_within_the_limits_fits_the_arena(void **state)
{
    struct fixture *f = *state;
    struct buffer report;
    buffer_init(&report, 1 << 20);
    uint32_t count = 0;
    while (f->payload.size < PAYLOAD_BYTES_MAX - 3000) {
        put_number(&report, 3, ++count);
        for (unsigned i = 0; i < REPORT_EVENTS_MAX; i++) {
            put_fixed64(&f->inner, 1, now_ms);
            put_inner(&report, 6, &f->inner);
        }
        put_inner(&f->payload, 1, &report);
    }
    assert_true(f->payload.size <= PAYLOAD_BYTES_MAX);
    assert_int_equal(
        decode_gateway_report(&f->context, bytes_of(&f->payload), &f->reports, &f->detail),
        REFUSAL_NONE);
    assert_int_equal(f->reports.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(f->reports.items[i].event_count, REPORT_EVENTS_MAX);
    }
    buffer_release(&report);
}

static void what_unpacks_beyond_the_arena_is_too_large(void **state)
{
    struct fixture *f = *state;
    while (f->payload.size < PAYLOAD_BYTES_MAX - 1) {
        put_bytes(&f->payload, 6, TEXT("")); /* 2 bytes that unpack to over 100 */
    }
    assert_int_equal(decode_card(f), REFUSAL_TOO_LARGE);
    assert_int_equal(f->report.seq, 0);
}

static void a_small_arena_is_an_answer_at_every_size(void **state)
{
    struct fixture *f = *state;
    begin_report(f);
    for (unsigned i = 0; i < 20; i++) {
        put_good(f, 6 + i % 3);
        put_inner(&f->payload, 6 + i % 3, &f->inner);
    }
    enum refusal refusal = REFUSAL_TOO_LARGE;
    for (size_t bytes = 16; refusal != REFUSAL_NONE; bytes += 16) {
        struct arena arena;
        assert_int_equal(arena_init_fixed(&arena, bytes), STATUS_OK);
        const struct decode_context context = {&arena, now_ms, GEO_WGS84};
        refusal = decode_card_report(&context, bytes_of(&f->payload), &f->report, NULL);
        assert_true(refusal == REFUSAL_NONE || refusal == REFUSAL_TOO_LARGE);
        arena_release(&arena);
        assert_true(bytes < 100000);
    }
}

static void put_pass(struct fixture *f, const char *card, unsigned direction, unsigned reader)
{
    put_fixed64(&f->inner, 1, now_ms);
    put_bytes(&f->inner, 2, text_of(card));
    put_number(&f->inner, 3, direction);
    put_number(&f->inner, 4, reader);
    put_inner(&f->payload, 6, &f->inner);
}

static void passes_name_their_cards(void **state)
{
    struct fixture *f = *state;
    put_bytes(&f->payload, 1, TEXT("gate-1"));
    put_number(&f->payload, 3, 1);
    put_pass(f, "card-1", PASS_IN, 255);
    put_pass(f, "", PASS_OUT, 0);
    put_pass(f, "no id", PASS_OUT, 0);
    put_pass(f, "card-2", 3, 0);
    put_pass(f, "card-2", PASS_UNKNOWN, 256);
    assert_int_equal(decode_gate_report(&f->context, bytes_of(&f->payload), &f->report, &f->detail),
                     REFUSAL_NONE);
    assert_true(text_is(f->report.sender, "gate-1"));
    assert_int_equal(f->report.event_count, 5);
    const struct wire_event *events = f->report.events;
    assert_int_equal(events[0].refusal, REFUSAL_NONE);
    assert_true(text_is(events[0].card, "card-1"));
    const struct event expected = {.time_ms = now_ms,
                                   .type = EVENT_PASS,
                                   .flags = EVENT_NO_POSITION,
                                   .kind = PASS_IN,
                                   .reader = 255};
    assert_memory_equal(&events[0].event, &expected, sizeof expected);
    static const char *const fields[] = {"card", "card", "direction", "reader"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(events[i + 1].refusal, REFUSAL_VALUE);
        assert_string_equal(events[i + 1].field, fields[i]);
    }
}

static void a_bad_report_leaves_the_others_of_its_gateway_untouched(void **state)
{
    struct fixture *f = *state;
    struct buffer report;
    buffer_init(&report, 1 << 20);
    for (unsigned i = 0; i < 3; i++) {
        put_bytes(&report, 1, TEXT("c"));
        if (i != 1) {
            put_number(&report, 3, i + 1);
        }
        put_fix(f);
        put_inner(&report, 6, &f->inner);
        put_inner(&f->payload, 1, &report);
    }
    assert_int_equal(
        decode_gateway_report(&f->context, bytes_of(&f->payload), &f->reports, &f->detail),
        REFUSAL_NONE);
    assert_int_equal(f->reports.count, 3);
    static const enum refusal expected[] = {REFUSAL_NONE, REFUSAL_SEQUENCE, REFUSAL_NONE};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(f->reports.items[i].refusal, expected[i]);
        assert_int_equal(f->reports.items[i].event_count, i != 1);
    }
    buffer_release(&report);
}

static void a_gateway_carries_from_one_report_to_its_limit(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(decode_gateway_report(&f->context, TEXT(""), &f->reports, &f->detail),
                     REFUSAL_EMPTY);
    for (unsigned i = 0; i < GATEWAY_REPORTS_MAX; i++) {
        put_bytes(&f->payload, 1, TEXT(""));
    }
    assert_int_equal(
        decode_gateway_report(&f->context, bytes_of(&f->payload), &f->reports, &f->detail),
        REFUSAL_NONE);
    put_bytes(&f->payload, 1, TEXT(""));
    assert_int_equal(
        decode_gateway_report(&f->context, bytes_of(&f->payload), &f->reports, &f->detail),
        REFUSAL_TOO_LARGE);
}

static void the_limit_holds_for_reports_of_one_fix_too(void **state)
{
    struct fixture *f = *state;
    struct buffer report;
    buffer_init(&report, 1000);
    for (unsigned i = 0; i <= GATEWAY_REPORTS_MAX; i++) {
        buffer_clear(&report);
        put_number(&report, 3, i + 1);
        put_good(f, 6);
        put_inner(&report, 6, &f->inner);
        put_inner(&f->payload, 1, &report);
        if (i + 1 == GATEWAY_REPORTS_MAX) {
            assert_int_equal(
                decode_gateway_report(&f->context, bytes_of(&f->payload), &f->reports, &f->detail),
                REFUSAL_NONE);
            assert_int_equal(f->reports.count, GATEWAY_REPORTS_MAX);
        }
    }
    assert_int_equal(
        decode_gateway_report(&f->context, bytes_of(&f->payload), &f->reports, &f->detail),
        REFUSAL_TOO_LARGE);
    buffer_release(&report);
}

static void decoding_asks_for_no_memory(void **state)
{
    struct fixture *f = *state;
    struct receipt receipt;
    struct buffer down;
    begin_report(f);
    for (unsigned i = 0; i < 100; i++) {
        put_good(f, 6 + i % 3);
        put_inner(&f->payload, 6 + i % 3, &f->inner);
    }
    buffer_init(&down, 100);
    encode_receipt(&down, &(struct receipt){7, 9});
    unsigned long before = allocations();
    assert_int_equal(decode_card(f), REFUSAL_NONE);
    assert_int_equal(decode_receipt(bytes_of(&down), &receipt), STATUS_OK);
    assert_int_equal(allocations(), before);
    buffer_release(&down);
    assert_non_null(buffer_extend(&f->inner, 500000)); /* the count counts */
    assert_true(allocations() > before);
}

static void a_receipt_is_read_and_nothing_else_is(void **state)
{
    struct fixture *f = *state;
    struct receipt receipt = {1, 2};
    put_number(&f->inner, 1, 7);
    put_number(&f->inner, 2, UINT64_MAX);
    put_inner(&f->payload, 1, &f->inner);
    assert_int_equal(decode_receipt(bytes_of(&f->payload), &receipt), STATUS_OK);
    assert_int_equal(receipt.epoch, 7);
    assert_true(receipt.durable_to == UINT64_MAX);
    for (size_t length = 0; length < f->payload.size; length++) {
        receipt = (struct receipt){1, 2};
        struct text cut = {f->payload.data, length};
        assert_int_equal(decode_receipt(cut, &receipt), STATUS_INVALID);
        assert_int_equal(receipt.durable_to, 2);
    }
    buffer_clear(&f->payload);
    for (unsigned i = 0; i < 2000; i++) { /* more than any receipt needs */
        put_number(&f->payload, 900, i);
    }
    assert_int_equal(decode_receipt(bytes_of(&f->payload), &receipt), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_report_is_decoded_field_by_field, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_stand_in_the_order_fixes_signals_calls, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_fix_without_a_position_or_at_0_0_has_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_bad_field_costs_its_event_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_a_position_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_sos_is_taken_whatever_else_it_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_ahead_is_clamped_and_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(positions_come_out_in_wgs84, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_default_a_fix_must_name_its_datum, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_report_needs_a_number_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_report_still_tells_its_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_beyond_its_limit_is_refused_and_tells_its_number,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_payload_beyond_its_limit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_report_cut_short_is_never_taken_as_a_whole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(unknown_fields_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_fullest_payload_within_the_limits_fits_the_arena,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_unpacks_beyond_the_arena_is_too_large, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_small_arena_is_an_answer_at_every_size, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(passes_name_their_cards, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_report_leaves_the_others_of_its_gateway_untouched,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_gateway_carries_from_one_report_to_its_limit, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_limit_holds_for_reports_of_one_fix_too, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(decoding_asks_for_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_receipt_is_read_and_nothing_else_is, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
