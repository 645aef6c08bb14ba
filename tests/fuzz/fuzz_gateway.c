/* What a gateway sends for many cards. */
#include "base/assert.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct decode_context context = {fuzz_arena(), FUZZ_NOW_MS, GEO_BD09};
    struct wire_reports reports;
    enum refusal refusal = decode_gateway_report(&context, fuzz_text(data, size), &reports, NULL);
    ASSERT((refusal == REFUSAL_NONE) == (reports.count > 0));
    ASSERT(reports.count <= GATEWAY_REPORTS_MAX);
    for (uint32_t i = 0; i < reports.count; i++) {
        fuzz_check_report(&reports.items[i]);
    }
    return 0;
}
