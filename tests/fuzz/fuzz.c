#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/assert.h"
#include "core/record.h"

struct text fuzz_text(const uint8_t *data, size_t size)
{
    return (struct text){(const char *)data, size};
}

struct arena *fuzz_arena(void)
{
    static struct arena arena;
    if (arena.first == NULL) {
        ASSERT(arena_init_fixed(&arena, DECODE_ARENA_BYTES) == STATUS_OK);
    }
    arena_reset(&arena);
    return &arena;
}

static void check_event(const struct event *event)
{
    ASSERT(event->time_ms >= TIME_MS_MIN && event->time_ms <= FUZZ_NOW_MS + TIME_AHEAD_MS_TRUSTED);
    ASSERT(event->battery_pct <= 100 && event->heading_cdeg < 36000);
    ASSERT(event->accuracy_cm <= ACCURACY_CM_MAX && event->duration_s <= CALL_S_MAX);
    ASSERT((event->flags & EVENT_HAS_ACCURACY) != 0 || event->accuracy_cm == 0);
    ASSERT((event->flags & EVENT_NO_POSITION) == 0 ||
           (event->point.lat_e7 == 0 && event->point.lon_e7 == 0));
}

void fuzz_check_report(const struct wire_report *report)
{
    static struct event events[REPORT_EVENTS_MAX];
    static struct buffer out;
    if (report->refusal != REFUSAL_NONE) {
        ASSERT(report->event_count == 0);
        return;
    }
    ASSERT(report->seq > 0 && report->event_count > 0 && report->event_count <= REPORT_EVENTS_MAX);
    struct report whole = {.arrival_ms = FUZZ_NOW_MS,
                           .origin = {.kind = ORIGIN_CARD, .no = 1, .seq = report->seq},
                           .events = events};
    for (uint32_t i = 0; i < report->event_count; i++) {
        const struct wire_event *event = &report->events[i];
        ASSERT((event->flaw != REFUSAL_NONE) == (event->field != NULL));
        ASSERT(event->refusal == REFUSAL_NONE || event->refusal == event->flaw);
        if (event->refusal == REFUSAL_NONE) {
            check_event(&event->event);
            events[whole.event_count++] = event->event;
        }
    }
    if (out.bytes_max == 0) {
        buffer_init(&out, 1 << 20);
    }
    buffer_clear(&out);
    record_put_report(&out, &whole);
    struct report again;
    ASSERT(record_get_report(out.data, out.size, &again) == STATUS_OK);
    ASSERT(again.event_count == whole.event_count);
    ASSERT(whole.event_count == 0 ||
           memcmp(again.events, events, whole.event_count * sizeof events[0]) == 0);
}
