/* What a card sends; what was read is written and read again: the same. */
#include <string.h>

#include "base/assert.h"
#include "tests/fuzz/fuzz.h"

static void check_round_trip(const struct wire_report *report)
{
    static struct buffer out;
    if (out.bytes_max == 0) {
        buffer_init(&out, 1 << 20);
    }
    for (uint32_t i = 0; i < report->event_count; i++) {
        if (report->events[i].flaw != REFUSAL_NONE) {
            return;
        }
    }
    if (report->refusal != REFUSAL_NONE || report->sender.length > TEXT_ID_MAX) {
        return;
    }
    buffer_clear(&out);
    encode_card_report(&out, report);
    if (out.size > PAYLOAD_BYTES_MAX) {
        return;
    }
    struct arena arena;
    ASSERT(arena_init_fixed(&arena, DECODE_ARENA_BYTES) == STATUS_OK);
    const struct decode_context context = {&arena, FUZZ_NOW_MS, GEO_WGS84};
    struct wire_report again;
    ASSERT(decode_card_report(&context, fuzz_text((const uint8_t *)out.data, out.size), &again,
                              NULL) == REFUSAL_NONE);
    ASSERT(again.event_count == report->event_count && again.seq == report->seq);
    for (uint32_t i = 0; i < report->event_count; i++) {
        struct event *a = &again.events[i].event, *b = &report->events[i].event;
        a->datum = b->datum;                      /* written as WGS-84 */
        a->flags |= b->flags & EVENT_CLOCK_AHEAD; /* clamped: not ahead any more */
        ASSERT(memcmp(a, b, sizeof *a) == 0);
    }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct decode_context context = {fuzz_arena(), FUZZ_NOW_MS, GEO_GCJ02};
    struct wire_report report;
    struct status_detail detail;
    enum refusal refusal = decode_card_report(&context, fuzz_text(data, size), &report, &detail);
    ASSERT(refusal == report.refusal);
    ASSERT(refusal == REFUSAL_NONE || detail.text[0] != '\0');
    fuzz_check_report(&report);
    check_round_trip(&report);
    return 0;
}
