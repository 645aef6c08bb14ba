/* Topics of anybody; what is taken is written again: the same. */
#include <stdio.h>

#include "base/assert.h"
#include "broker-bridge/topic.h"
#include "tests/fuzz/fuzz.h"

static const char *const words[] = {
    [TOPIC_CARD_UP] = "card", [TOPIC_GATE_UP] = "gate", [TOPIC_GATEWAY_UP] = "gateway"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text name = fuzz_text(data, size);
    struct topic topic;
    if (topic_parse(name, &topic) != STATUS_OK) {
        return 0;
    }
    char again[TOPIC_BYTES_MAX];
    int length = topic.kind == TOPIC_OWNTRACKS
                     ? snprintf(again, sizeof again, "owntracks/%.*s", TEXT_FMT(topic.sender))
                     : snprintf(again, sizeof again, "campus/v1/%.*s/%s/%.*s/up",
                                TEXT_FMT(topic.school), words[topic.kind], TEXT_FMT(topic.sender));
    ASSERT(length > 0 && length < TOPIC_BYTES_MAX);
    ASSERT(text_is(name, again));
    return 0;
}
