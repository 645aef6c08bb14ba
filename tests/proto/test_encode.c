#include <string.h>

#include "proto/codec.h"
#include "tests/check.h"
#include "tests/core/random.h"
#include "tests/proto/bytes.h"

enum { ROUNDS = 500, GATEWAY_MAX = 40 };

/* 2026-03-02T07:41:10Z */
static const int64_t now_ms = 1772437270000;
static uint64_t seed;

struct fixture {
    struct arena arena;
    struct decode_context context;
    struct buffer out;
    uint64_t random;
    struct wire_event events[GATEWAY_MAX][REPORT_EVENTS_MAX];
    char ids[REPORT_EVENTS_MAX + GATEWAY_MAX][TEXT_ID_MAX];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(arena_init_fixed(&f->arena, DECODE_ARENA_BYTES), STATUS_OK);
    f->context = (struct decode_context){&f->arena, now_ms, GEO_DATUM_NONE};
    f->random = seed;
    buffer_init(&f->out, 1 << 24);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    buffer_release(&f->out);
    free(f);
    return 0;
}

static uint32_t below(struct fixture *f, uint32_t end)
{
    return random_below(&f->random, end);
}

static struct text random_id(struct fixture *f, char *room)
{
    static const char letters[] = "abcXYZ019._:-";
    uint32_t length = 1 + below(f, TEXT_ID_MAX);
    for (uint32_t i = 0; i < length; i++) {
        room[i] = letters[below(f, sizeof letters - 1)];
    }
    return (struct text){room, length};
}

static struct geo_point random_point(struct fixture *f)
{
    struct geo_point point = {
        (int32_t)((int64_t)below(f, 2u * GEO_LAT_E7_MAX + 1) - GEO_LAT_E7_MAX),
        (int32_t)((int64_t)below(f, 2u * GEO_LON_E7_MAX + 1) - GEO_LON_E7_MAX)};
    return point.lat_e7 == 0 && point.lon_e7 == 0 ? (struct geo_point){1, 1} : point;
}

/* Something at all, or nothing, as a flag says. */
static bool with(struct fixture *f, struct event *event, enum event_flags flag)
{
    bool is = below(f, 2) == 1;
    event->flags |= is ? (uint8_t)flag : 0;
    return is;
}

static void fill_place(struct fixture *f, struct event *event)
{
    if (!with(f, event, EVENT_NO_POSITION)) {
        event->point = random_point(f);
        event->datum = GEO_WGS84;
    }
    event->accuracy_cm = with(f, event, EVENT_HAS_ACCURACY) ? 1 + below(f, ACCURACY_CM_MAX) : 0;
    event->battery_pct = with(f, event, EVENT_HAS_BATTERY) ? (uint8_t)below(f, 101) : 0;
}

static void fill_event(struct fixture *f, enum event_type type, struct event *event)
{
    *event = (struct event){.type = (uint8_t)type, .time_ms = now_ms - (int64_t)below(f, 1u << 31)};
    switch (type) {
    case EVENT_FIX:
        fill_place(f, event);
        event->kind = (uint8_t)below(f, FIX_CELL + 1);
        event->speed_cms = with(f, event, EVENT_HAS_SPEED) ? (uint16_t)below(f, 65536) : 0;
        event->heading_cdeg = with(f, event, EVENT_HAS_HEADING) ? (uint16_t)below(f, 36000) : 0;
        break;
    case EVENT_SIGNAL:
        fill_place(f, event);
        event->kind = (uint8_t)(1 + below(f, SIGNAL_POWERED_OFF));
        break;
    case EVENT_CALL:
        event->kind = (uint8_t)(1 + below(f, CALL_OUTGOING));
        event->outcome = (uint8_t)(1 + below(f, CALL_REFUSED));
        event->contact = (uint8_t)below(f, 256);
        event->duration_s = below(f, CALL_S_MAX + 1);
        break;
    case EVENT_PASS:
        event->flags = EVENT_NO_POSITION;
        event->kind = (uint8_t)below(f, PASS_OUT + 1);
        event->reader = (uint8_t)below(f, 256);
        break;
    }
}

static struct wire_report random_numbers(struct fixture *f, uint32_t place)
{
    struct wire_report report = {.epoch = 1 + below(f, UINT32_MAX),
                                 .seq = 1 + random_next(&f->random) % INT64_MAX,
                                 .keep_from = below(f, 2) ? random_next(&f->random) : 0,
                                 .want_receipt = below(f, 2) == 1,
                                 .events = f->events[place % GATEWAY_MAX]};
    report.sender = random_id(f, f->ids[REPORT_EVENTS_MAX + place % GATEWAY_MAX]);
    return report;
}

/* In the order in which decoding tells them: fixes, signals, calls. */
static struct wire_report random_card_report(struct fixture *f, uint32_t place, uint32_t most)
{
    struct wire_report report = random_numbers(f, place);
    uint32_t fixes = 1 + below(f, most), signals = below(f, most), calls = below(f, most);
    report.event_count = fixes + signals + calls;
    for (uint32_t i = 0; i < report.event_count; i++) {
        enum event_type type = i < fixes             ? EVENT_FIX
                               : i < fixes + signals ? EVENT_SIGNAL
                                                     : EVENT_CALL;
        report.events[i] = (struct wire_event){0};
        fill_event(f, type, &report.events[i].event);
    }
    return report;
}

static void assert_same(const struct wire_report *a, const struct wire_report *b)
{
    assert_true(text_equal(a->sender, b->sender));
    assert_int_equal(a->epoch, b->epoch);
    assert_true(a->seq == b->seq && a->keep_from == b->keep_from);
    assert_int_equal(a->want_receipt, b->want_receipt);
    assert_int_equal(a->event_count, b->event_count);
    assert_int_equal(b->refusal, REFUSAL_NONE);
    for (uint32_t i = 0; i < a->event_count; i++) {
        assert_int_equal(b->events[i].flaw, REFUSAL_NONE);
        assert_memory_equal(&a->events[i].event, &b->events[i].event, sizeof(struct event));
        assert_true(text_equal(a->events[i].card, b->events[i].card));
    }
}

static void what_a_card_writes_is_read_as_it_was(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < ROUNDS; round++) {
        struct wire_report in = random_card_report(f, 0, REPORT_EVENTS_MAX / 3), out;
        struct status_detail detail;
        buffer_clear(&f->out);
        arena_reset(&f->arena);
        encode_card_report(&f->out, &in);
        assert_int_equal(decode_card_report(&f->context, bytes_of(&f->out), &out, &detail),
                         REFUSAL_NONE);
        assert_same(&in, &out);
    }
}

static void what_a_gate_writes_is_read_as_it_was(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < ROUNDS; round++) {
        struct wire_report in = random_numbers(f, 0), out;
        in.event_count = 1 + below(f, REPORT_EVENTS_MAX);
        for (uint32_t i = 0; i < in.event_count; i++) {
            in.events[i] = (struct wire_event){.card = random_id(f, f->ids[i])};
            fill_event(f, EVENT_PASS, &in.events[i].event);
        }
        buffer_clear(&f->out);
        arena_reset(&f->arena);
        encode_gate_report(&f->out, &in);
        assert_int_equal(decode_gate_report(&f->context, bytes_of(&f->out), &out, NULL),
                         REFUSAL_NONE);
        assert_same(&in, &out);
    }
}

static void what_a_gateway_writes_is_read_as_it_was(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < ROUNDS / 10; round++) {
        struct wire_report items[GATEWAY_MAX];
        struct wire_reports in = {1 + below(f, GATEWAY_MAX), items}, out;
        for (uint32_t i = 0; i < in.count; i++) {
            items[i] = random_card_report(f, i, 1 + below(f, 9));
        }
        buffer_clear(&f->out);
        arena_reset(&f->arena);
        encode_gateway_report(&f->out, &in);
        assert_int_equal(buffer_status(&f->out), STATUS_OK);
        assert_int_equal(decode_gateway_report(&f->context, bytes_of(&f->out), &out, NULL),
                         REFUSAL_NONE);
        assert_int_equal(in.count, out.count);
        for (uint32_t i = 0; i < in.count; i++) {
            assert_same(&in.items[i], &out.items[i]);
        }
    }
}

static void receipts_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < ROUNDS; round++) {
        const struct receipt in = {below(f, UINT32_MAX), random_next(&f->random)};
        struct receipt out;
        buffer_clear(&f->out);
        encode_receipt(&f->out, &in);
        assert_int_equal(decode_receipt(bytes_of(&f->out), &out), STATUS_OK);
        assert_int_equal(in.epoch, out.epoch);
        assert_true(in.durable_to == out.durable_to);
    }
    const struct receipt none = {0, 0};
    struct receipt out = {1, 1};
    buffer_clear(&f->out);
    encode_receipt(&f->out, &none);
    assert_int_equal(decode_receipt(bytes_of(&f->out), &out), STATUS_OK);
    assert_int_equal(out.durable_to, 0);
}

static void a_small_fix_is_a_small_message(void **state)
{
    struct fixture *f = *state;
    struct wire_event event = {.event = {.type = EVENT_FIX,
                                         .time_ms = now_ms,
                                         .point = {361000000, 1131000000},
                                         .flags = EVENT_HAS_ACCURACY,
                                         .accuracy_cm = 1200}};
    const struct wire_report report = {.seq = 1, .event_count = 1, .events = &event};
    encode_card_report(&f->out, &report);
    assert_true(f->out.size <= 30);
}

static void a_full_buffer_says_so(void **state)
{
    struct fixture *f = *state;
    struct wire_report report = random_card_report(f, 0, 5);
    const struct wire_reports reports = {1, &report};
    encode_gateway_report(&f->out, &reports);
    for (size_t room = 1; room < f->out.size; room++) {
        struct buffer small;
        buffer_init(&small, room);
        encode_gateway_report(&small, &reports);
        assert_int_equal(buffer_status(&small), STATUS_TOO_LARGE);
        buffer_release(&small);
    }
}

int main(void)
{
    seed = random_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_card_writes_is_read_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_gate_writes_is_read_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_gateway_writes_is_read_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(receipts_come_back_as_they_were, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_small_fix_is_a_small_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_buffer_says_so, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
