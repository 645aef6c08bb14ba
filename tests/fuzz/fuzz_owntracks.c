/* What a phone with OwnTracks sends. */
#include "base/assert.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct decode_context context = {fuzz_arena(), FUZZ_NOW_MS, GEO_GCJ02};
    struct wire_report report;
    struct status_detail detail;
    enum refusal refusal = decode_owntracks(&context, fuzz_text(data, size), &report, &detail);
    ASSERT(refusal == report.refusal);
    ASSERT(refusal != REFUSAL_NONE || seq_is_owntracks(report.epoch, report.seq));
    fuzz_check_report(&report);
    return 0;
}
