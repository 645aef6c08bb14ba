/* The short way through a card's report and the library's tell the same of any payload. */
#include <stdlib.h>
#include <string.h>

#include "proto/codec_internal.h"
#include "tests/check.h"
#include "tests/core/random.h"

static const int64_t now_ms = 1772437270000;

struct pair {
    struct arena quick_arena, any_arena;
    uint64_t taken;
};

static int set_up(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    assert_non_null(pair);
    assert_int_equal(arena_init_fixed(&pair->quick_arena, DECODE_ARENA_BYTES), STATUS_OK);
    assert_int_equal(arena_init_fixed(&pair->any_arena, DECODE_ARENA_BYTES), STATUS_OK);
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;
    arena_release(&pair->quick_arena);
    arena_release(&pair->any_arena);
    free(pair);
    return 0;
}

static void must_be_the_same_report(struct pair *pair, const struct wire_report *quick,
                                    const struct wire_report *any)
{
    assert_int_equal(quick->refusal, any->refusal);
    assert_true(text_equal(quick->sender, any->sender));
    assert_int_equal(quick->epoch, any->epoch);
    assert_int_equal(quick->seq, any->seq);
    assert_int_equal(quick->keep_from, any->keep_from);
    assert_int_equal(quick->want_receipt, any->want_receipt);
    assert_int_equal(quick->event_count, any->event_count);
    for (uint32_t i = 0; i < any->event_count; i++) {
        assert_memory_equal(&quick->events[i].event, &any->events[i].event,
                            sizeof any->events[i].event);
        assert_int_equal(quick->events[i].refusal, any->events[i].refusal);
        assert_int_equal(quick->events[i].flaw, any->events[i].flaw);
        assert_ptr_equal(quick->events[i].field, any->events[i].field);
    }
    pair->taken += any->refusal == REFUSAL_NONE;
}

static void must_be_alike(struct pair *pair, struct text payload)
{
    arena_reset(&pair->quick_arena);
    arena_reset(&pair->any_arena);
    const struct decode_context quick_context = {&pair->quick_arena, now_ms, GEO_GCJ02};
    const struct decode_context any_context = {&pair->any_arena, now_ms, GEO_GCJ02};
    struct wire_report quick, any;
    assert_int_equal(decode_card_report(&quick_context, payload, &quick, NULL),
                     decode_any_card_report(&any_context, payload, &any, NULL));
    must_be_the_same_report(pair, &quick, &any);
}

static void must_be_alike_in_gateways(struct pair *pair, struct text payload)
{
    arena_reset(&pair->quick_arena);
    arena_reset(&pair->any_arena);
    const struct decode_context quick_context = {&pair->quick_arena, now_ms, GEO_GCJ02};
    const struct decode_context any_context = {&pair->any_arena, now_ms, GEO_GCJ02};
    struct wire_reports quick, any;
    struct status_detail quick_detail = {""}, any_detail = {""};
    assert_int_equal(decode_gateway_report(&quick_context, payload, &quick, &quick_detail),
                     decode_any_gateway_report(&any_context, payload, &any, &any_detail));
    assert_string_equal(quick_detail.text, any_detail.text);
    assert_int_equal(quick.count, any.count);
    for (uint32_t i = 0; i < any.count; i++) {
        must_be_the_same_report(pair, &quick.items[i], &any.items[i]);
    }
}

/* ---- payloads ---- */

static void put_varint(struct buffer *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        uint8_t byte = (uint8_t)(value | 0x80);
        buffer_append(out, &byte, 1);
    }
    uint8_t byte = (uint8_t)value;
    buffer_append(out, &byte, 1);
}

/* Mostly small, now and then of any size. */
static uint64_t some_number(uint64_t *state)
{
    uint32_t kind = random_below(state, 20);
    return kind == 0   ? random_next(state)
           : kind == 1 ? random_next(state) >> 32
                       : random_next(state) >> (44 + random_below(state, 20));
}

static void put_random_fix(struct buffer *out, uint64_t *state)
{
    for (uint32_t field = 1; field <= 9; field++) {
        if (random_below(state, 4) == 0) {
            continue;
        }
        if (field <= 3) {
            int64_t time_ms = now_ms - 1000 * (int64_t)random_below(state, 4000);
            int32_t degrees_e7 = field == 2 ? 362345678 : 1131234567;
            put_varint(out, field << 3 | (field == 1 ? 1 : 5));
            buffer_append(out, field == 1 ? (void *)&time_ms : (void *)&degrees_e7,
                          field == 1 ? sizeof time_ms : sizeof degrees_e7);
        } else {
            put_varint(out, field << 3);
            put_varint(out, field == 5 || field == 9 ? random_below(state, 5) : some_number(state));
        }
    }
}

static void put_random_report(struct buffer *out, struct buffer *inner, uint64_t *state)
{
    static const char id[] = "c\0-012345";
    for (uint32_t field = 1; field <= 8; field++) {
        if (random_below(state, 8) == 0 || (field >= 7 && random_below(state, 8) != 0)) {
            continue;
        }
        if (field == 1 || field == 6 || field >= 7) {
            buffer_clear(inner);
            if (field == 1) { /* with a NUL in it, now and then */
                buffer_append(inner, id + (random_below(state, 8) == 0 ? 0 : 2), 6);
            } else {
                put_random_fix(inner, state);
            }
            put_varint(out, field << 3 | 2);
            put_varint(out, inner->size);
            buffer_append(out, inner->data, inner->size);
        } else {
            put_varint(out, field << 3);
            put_varint(out, some_number(state));
        }
    }
}

static void damage(struct buffer *payload, uint64_t *state)
{
    for (uint32_t hits = random_below(state, 3); hits > 0 && payload->size > 0; hits--) {
        payload->data[random_below(state, (uint32_t)payload->size)] =
            (char)random_below(state, 256);
    }
    if (random_below(state, 8) == 0 && payload->size > 0) {
        payload->size = random_below(state, (uint32_t)payload->size);
    }
}

static void both_ways_tell_the_same(void **state)
{
    struct pair *pair = *state;
    uint64_t random = random_seed();
    struct buffer payload, inner;
    buffer_init(&payload, 1 << 16);
    buffer_init(&inner, 1 << 16);
    for (uint32_t i = 0; i < 100000; i++) {
        buffer_clear(&payload);
        put_random_report(&payload, &inner, &random);
        if (i % 2 == 0) {
            damage(&payload, &random);
        }
        must_be_alike(pair, (struct text){buffer_cstr(&payload), payload.size});
    }
    print_message("%llu taken\n", (unsigned long long)pair->taken);
    assert_true(pair->taken > 10000);
    buffer_release(&payload);
    buffer_release(&inner);
}

/* Most of them of reports that go the short way; some of none, of 256 or of more. */
static void put_random_gateway(struct buffer *out, struct buffer *report, struct buffer *inner,
                               uint64_t *state)
{
    const bool plain = random_below(state, 2) == 0;
    uint32_t count =
        random_below(state, 50) == 0 ? 250 + random_below(state, 10) : random_below(state, 6);
    while (count-- > 0) {
        buffer_clear(report);
        if (plain) {
            buffer_clear(inner);
            put_random_fix(inner, state);
            put_varint(report, 3 << 3);
            put_varint(report, 1 + random_below(state, 1000));
            put_varint(report, 6 << 3 | 2);
            put_varint(report, inner->size);
            buffer_append(report, inner->data, inner->size);
        } else {
            put_random_report(report, inner, state);
        }
        put_varint(out, 1 << 3 | 2);
        put_varint(out, report->size);
        buffer_append(out, report->data, report->size);
    }
}

static void both_ways_tell_the_same_of_gateways(void **state)
{
    struct pair *pair = *state;
    uint64_t random = random_seed();
    struct buffer payload, report, inner;
    buffer_init(&payload, 1 << 17);
    buffer_init(&report, 1 << 16);
    buffer_init(&inner, 1 << 16);
    for (uint32_t i = 0; i < 20000; i++) {
        buffer_clear(&payload);
        put_random_gateway(&payload, &report, &inner, &random);
        if (i % 3 == 0) {
            damage(&payload, &random);
        }
        must_be_alike_in_gateways(pair, (struct text){buffer_cstr(&payload), payload.size});
    }
    print_message("%llu reports taken\n", (unsigned long long)pair->taken);
    assert_true(pair->taken > 10000);
    buffer_release(&payload);
    buffer_release(&report);
    buffer_release(&inner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_ways_tell_the_same_of_gateways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_ways_tell_the_same, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
