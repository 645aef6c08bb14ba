#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void buffer_init(struct buffer *buffer, size_t bytes_max)
{
    ASSERT(bytes_max > 0 && bytes_max < SIZE_MAX / 4);
    *buffer = (struct buffer){.bytes_max = bytes_max};
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){.bytes_max = buffer->bytes_max};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = STATUS_OK;
}

enum status buffer_status(const struct buffer *buffer)
{
    return buffer->failed;
}

static int grow(struct buffer *buffer, size_t size)
{
    if (buffer->failed != STATUS_OK) {
        return 0;
    }
    if (size > buffer->bytes_max - buffer->size) {
        buffer->failed = STATUS_TOO_LARGE;
        return 0;
    }
    size_t wanted = buffer->size + size + 1; /* one for buffer_cstr */
    if (wanted > buffer->capacity) {
        size_t capacity = buffer->capacity < 128 ? 256 : buffer->capacity * 2;
        capacity = capacity < wanted ? wanted : capacity;
        char *data = realloc(buffer->data, capacity);
        if (data == NULL) {
            buffer->failed = STATUS_NO_MEMORY;
            return 0;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return 1;
}

void *buffer_extend(struct buffer *buffer, size_t size)
{
    if (!grow(buffer, size)) {
        return NULL;
    }
    void *place = buffer->data + buffer->size;
    buffer->size += size;
    return place;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    void *place = buffer_extend(buffer, size);
    if (place != NULL && size > 0) {
        memcpy(place, bytes, size);
    }
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(length >= 0);
    char *place = buffer_extend(buffer, (size_t)length);
    if (place != NULL) { /* grow left one byte for the NUL */
        (void)vsnprintf(place, (size_t)length + 1, fmt, again);
    }
    va_end(again);
}

/* Length of the valid UTF-8 sequence at text (RFC 3629), 0 when there is none. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    unsigned char c = text[0];
    size_t need = c < 0x80                ? 1
                  : c >= 0xc2 && c < 0xe0 ? 2
                  : c >= 0xe0 && c < 0xf0 ? 3
                  : c >= 0xf0 && c < 0xf5 ? 4
                                          : 0;
    if (need == 0 || need > left) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) ||
        (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f)) {
        return 0;
    }
    return need;
}

void buffer_json_string(struct buffer *buffer, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    buffer_text(buffer, "\"");
    for (size_t i = 0; i < length;) {
        size_t step = utf8_length(at + i, length - i);
        if (step == 0) {
            buffer_text(buffer, "\\ufffd");
            step = 1;
        } else if (at[i] == '"' || at[i] == '\\') {
            buffer_printf(buffer, "\\%c", at[i]);
        } else if (at[i] < 0x20 || at[i] == 0x7f) {
            buffer_printf(buffer, "\\u%04x", at[i]);
        } else {
            buffer_append(buffer, at + i, step);
        }
        i += step;
    }
    buffer_text(buffer, "\"");
}

void buffer_degrees_e7(struct buffer *buffer, int32_t degrees_e7)
{
    int64_t value = degrees_e7;
    const char *sign = value < 0 ? "-" : "";
    value = value < 0 ? -value : value;
    buffer_printf(buffer, "%s%d.%07d", sign, (int)(value / 10000000), (int)(value % 10000000));
}

const char *buffer_cstr(struct buffer *buffer)
{
    if (buffer->failed != STATUS_OK || buffer->data == NULL) {
        return "";
    }
    buffer->data[buffer->size] = '\0';
    return buffer->data;
}
