/* Whole messages: a topic, a NUL, a payload. Every record that comes out of them is sound. */
#include <string.h>

#include "base/assert.h"
#include "broker-bridge/ingest.h"
#include "core/record.h"
#include "tests/fuzz/fuzz.h"

static enum status append(void *context, uint32_t type, struct text record)
{
    struct report report;
    struct refused refused;
    (void)context;
    if (type == RECORD_REPORT) {
        ASSERT(record_get_report(record.at, record.length, &report) == STATUS_OK);
    } else {
        ASSERT(type == RECORD_REFUSED);
        ASSERT(record_get_refused(record.at, record.length, &refused) == STATUS_OK);
        ASSERT(refused.reason != REFUSAL_NONE && refused.detail.length > 0);
    }
    return STATUS_OK;
}

static void want_receipt(void *context, const struct origin *origin)
{
    ASSERT(ingest_sequence(*(struct ingest **)context, origin->kind, origin->no) != NULL);
}

static const struct directory *small_directory(void)
{
    static const struct directory_ends ends = {3, 1, 4, 1, 2, 0};
    struct directory *directory;
    ASSERT(directory_new(&ends, &directory) == STATUS_OK);
    directory->schools[1].id = "s1";
    directory->schools[2].id = "s2";
    directory->cards[1] = (struct dir_card){.id = "c1", .school_no = 1};
    directory->cards[2] = (struct dir_card){.id = "c2", .school_no = 2};
    directory->cards[3] = (struct dir_card){.id = "c3", .owntracks = "u/d", .school_no = 1};
    directory->gates[1] = (struct dir_gate){.id = "g1", .school_no = 1};
    ASSERT(directory_seal(directory, NULL) == STATUS_OK);
    return directory;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ingest *ingest;
    static const struct directory *directory;
    if (ingest == NULL) {
        const struct ingest_options options = {.cards_max = 4,
                                               .gates_max = 2,
                                               .datum_default = GEO_WGS84,
                                               .append = append,
                                               .want_receipt = want_receipt,
                                               .context = &ingest};
        ASSERT(ingest_new(&options, &ingest) == STATUS_OK);
        directory = small_directory();
        ingest_set_directory(ingest, directory);
    }
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    size_t length = end != NULL ? (size_t)(end - data) : size;
    struct text topic = fuzz_text(data, length);
    size_t skip = end != NULL ? length + 1 : length;
    ASSERT(ingest_message(ingest, topic, fuzz_text(data + skip, size - skip), FUZZ_NOW_MS) ==
           STATUS_OK);
    return 0;
}
