/* What comes down to a sender. */
#include "base/assert.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct receipt receipt, again;
    if (decode_receipt(fuzz_text(data, size), &receipt) == STATUS_OK) {
        struct buffer out;
        buffer_init(&out, 256);
        encode_receipt(&out, &receipt);
        ASSERT(decode_receipt((struct text){out.data, out.size}, &again) == STATUS_OK);
        ASSERT(again.epoch == receipt.epoch && again.durable_to == receipt.durable_to);
        buffer_release(&out);
    }
    return 0;
}
