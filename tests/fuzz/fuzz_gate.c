/* What a gate sends. */
#include "base/assert.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct decode_context context = {fuzz_arena(), FUZZ_NOW_MS, GEO_WGS84};
    struct wire_report report;
    enum refusal refusal = decode_gate_report(&context, fuzz_text(data, size), &report, NULL);
    ASSERT(refusal == report.refusal);
    fuzz_check_report(&report);
    for (uint32_t i = 0; i < report.event_count; i++) {
        ASSERT(report.events[i].event.type == EVENT_PASS);
        ASSERT(report.events[i].refusal != REFUSAL_NONE || text_is_id(report.events[i].card));
    }
    return 0;
}
