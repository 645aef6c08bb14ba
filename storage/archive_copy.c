#include "storage/archive_copy.h"

#include <string.h>

#include "base/assert.h"

/* 2000-01-01, PostgreSQL's epoch, and the years 4713 BC to 294276 that timestamptz holds. */
#define PG_EPOCH_MS    946684800000
#define PG_TIME_MS_MIN (-210866803200000)
#define PG_TIME_MS_MAX 9224318015999999

static void put_u16(struct buffer *out, uint16_t value)
{
    unsigned char bytes[2] = {(unsigned char)(value >> 8), (unsigned char)value};
    buffer_append(out, bytes, sizeof bytes);
}

static void store_u32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (unsigned char)(value >> (24 - 8 * i));
    }
}

static void put_u32(struct buffer *out, uint32_t value)
{
    unsigned char bytes[4];
    store_u32(bytes, value);
    buffer_append(out, bytes, sizeof bytes);
}

void copy_begin(struct buffer *out)
{
    static const char header[19] = "PGCOPY\n\377\r\n\0"; /* flags and extension length are zero */
    buffer_append(out, header, sizeof header);
}

void copy_end(struct buffer *out)
{
    put_u16(out, UINT16_MAX);
}

void copy_row(struct buffer *out, uint16_t field_count)
{
    put_u16(out, field_count);
}

void copy_null(struct buffer *out)
{
    put_u32(out, UINT32_MAX);
}

void copy_bool(struct buffer *out, bool value)
{
    unsigned char bytes[5] = {0, 0, 0, 1, value};
    buffer_append(out, bytes, sizeof bytes);
}

void copy_i16(struct buffer *out, int16_t value)
{
    unsigned char bytes[6] = {
        0, 0, 0, 2, (unsigned char)((uint16_t)value >> 8), (unsigned char)value};
    buffer_append(out, bytes, sizeof bytes);
}

void copy_i32(struct buffer *out, int32_t value)
{
    unsigned char bytes[8];
    store_u32(bytes, 4);
    store_u32(bytes + 4, (uint32_t)value);
    buffer_append(out, bytes, sizeof bytes);
}

void copy_i64(struct buffer *out, int64_t value)
{
    unsigned char bytes[12];
    store_u32(bytes, 8);
    store_u32(bytes + 4, (uint32_t)((uint64_t)value >> 32));
    store_u32(bytes + 8, (uint32_t)(uint64_t)value);
    buffer_append(out, bytes, sizeof bytes);
}

void copy_double(struct buffer *out, double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    copy_i64(out, bits);
}

void copy_time(struct buffer *out, int64_t time_ms)
{
    if (time_ms < PG_TIME_MS_MIN) {
        time_ms = PG_TIME_MS_MIN;
    } else if (time_ms > PG_TIME_MS_MAX) {
        time_ms = PG_TIME_MS_MAX;
    }
    copy_i64(out, (time_ms - PG_EPOCH_MS) * 1000);
}

void copy_bytes(struct buffer *out, struct text bytes)
{
    put_u32(out, (uint32_t)bytes.length);
    buffer_append(out, bytes.at, bytes.length);
}

/* Length of the UTF-8 sequence at the start of the text, 0 when there is none (RFC 3629, table 3-7
 * of Unicode: no overlong forms, no surrogates). */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    if (first < 0x80) {
        return first != 0;
    }
    size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                    : first >= 0xe0 && first <= 0xef ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    if (length == 0 || length > left) {
        return 0;
    }
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

bool copy_text_fits(struct text text)
{
    const unsigned char *bytes = (const unsigned char *)text.at;
    for (size_t i = 0; i < text.length;) {
        size_t length = utf8_length(bytes + i, text.length - i);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

void copy_text(struct buffer *out, struct text text)
{
    if (copy_text_fits(text)) {
        copy_bytes(out, text);
        return;
    }
    size_t length_at = out->size;
    put_u32(out, 0);
    const unsigned char *bytes = (const unsigned char *)text.at;
    for (size_t i = 0; i < text.length;) {
        size_t length = utf8_length(bytes + i, text.length - i);
        if (length == 0) {
            buffer_append(out, "\xef\xbf\xbd", 3);
            i++;
        } else {
            buffer_append(out, bytes + i, length);
            i += length;
        }
    }
    if (out->failed == STATUS_OK) {
        ASSERT(out->size >= length_at + 4);
        store_u32((unsigned char *)out->data + length_at, (uint32_t)(out->size - length_at - 4));
    }
}

void copy_jsonb(struct buffer *out, struct text json)
{
    put_u32(out, (uint32_t)json.length + 1);
    buffer_append(out, "\1", 1);
    buffer_append(out, json.at, json.length);
}
