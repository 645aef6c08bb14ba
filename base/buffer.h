/*
 * buffer.h - a growing byte buffer that cannot be made without a maximum.
 * Know: after a failed append the buffer is marked failed and takes no more, so a writer may append
 * many pieces and look once, with buffer_status.
 * Memory: data belongs to the buffer; valid until the next append.
 * Threads: one at a time.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct buffer {
    char *data;
    size_t size, capacity, bytes_max;
    enum status failed; /* STATUS_OK, STATUS_TOO_LARGE or STATUS_NO_MEMORY */
};

void buffer_init(struct buffer *buffer, size_t bytes_max);
void buffer_release(struct buffer *buffer);
/* Empty again, not failed; keeps its memory. */
void buffer_clear(struct buffer *buffer);
enum status buffer_status(const struct buffer *buffer) MUST_CHECK;

void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *fmt, ...) PRINTF(2, 3);
/* Room for `size` bytes at the end, already counted; NULL when it failed. */
void *buffer_extend(struct buffer *buffer, size_t size);
/* A JSON string with its quotes: UTF-8 in, control characters escaped, bad UTF-8 as U+FFFD. */
void buffer_json_string(struct buffer *buffer, const char *text, size_t length);
/* Degrees with 7 decimals from 1e-7 degrees, exact. */
void buffer_degrees_e7(struct buffer *buffer, int32_t degrees_e7);
/* The data with a NUL behind it (not counted in size); "" when it failed or is empty. */
const char *buffer_cstr(struct buffer *buffer);

#endif
