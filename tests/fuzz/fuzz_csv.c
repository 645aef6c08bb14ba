/* Rows of files of other people. */
#include "base/assert.h"
#include "base/csv.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"id", "name", "school", NULL};
    int places[3];
    struct arena arena;
    struct csv csv;
    struct csv_row row;
    struct status_detail detail = {""};
    arena_init_growing(&arena, 1024, 1 << 22);
    csv_init(&csv, fuzz_text(data, size), &arena);
    enum status status = csv_header(&csv, names, places, &detail);
    uint32_t line = 0;
    size_t total = 0;
    while (status == STATUS_OK) {
        status = csv_next(&csv, &row, &detail);
        if (status == STATUS_OK) {
            ASSERT(row.field_count > 0 && row.field_count <= CSV_FIELDS_MAX && row.line > line);
            line = row.line;
            for (uint32_t i = 0; i < row.field_count; i++) {
                total += row.fields[i].length;
                (void)text_hash(row.fields[i]); /* every byte of it may be read */
            }
        }
    }
    ASSERT(total <= size);
    ASSERT(status == STATUS_END || detail.text[0] != '\0');
    arena_release(&arena);
    return 0;
}
