/* Records from a disk: the first byte says which type. What is taken is written again: the same. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "core/record.h"
#include "tests/fuzz/fuzz.h"

static bool put_again(uint8_t type, const void *data, size_t size, struct buffer *out)
{
    struct report report;
    struct refused refused;
    struct alert_record alert;
    struct mark mark;
    struct tick tick;
    switch (type % 5) {
    case 0:
        if (record_get_report(data, size, &report) == STATUS_OK) {
            record_put_report(out, &report);
            return true;
        }
        return false;
    case 1:
        if (record_get_refused(data, size, &refused) == STATUS_OK) {
            record_put_refused(out, &refused);
            return true;
        }
        return false;
    case 2:
        if (record_get_alert(data, size, &alert) == STATUS_OK) {
            record_put_alert(out, &alert);
            return true;
        }
        return false;
    case 3:
        if (record_get_mark(data, size, &mark) == STATUS_OK) {
            record_put_mark(out, &mark);
            return true;
        }
        return false;
    default:
        if (record_get_tick(data, size, &tick) == STATUS_OK) {
            record_put_tick(out, &tick);
            return true;
        }
        return false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    uint8_t type = data[0];
    size--;
    char *aligned = malloc(size > 0 ? size : 1);
    ASSERT(aligned != NULL);
    memcpy(aligned, data + 1, size);
    struct buffer out;
    buffer_init(&out, 1 << 20);
    if (put_again(type, aligned, size, &out)) {
        /* the padding, up to 7 bytes at the end, is not told */
        ASSERT(out.size == size && memcmp(out.data, aligned, size > 8 ? size - 8 : 0) == 0);
    }
    buffer_release(&out);
    free(aligned);
    return 0;
}
