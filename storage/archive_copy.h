/*
 * archive_copy.h - rows in PostgreSQL's binary COPY format, appended to a buffer.
 * Know: a row that is begun must get exactly its number of fields; the server checks that, not
 * this. Texts are made fit for a UTF-8 database: bytes that are not UTF-8, and NUL, become U+FFFD.
 * Source: PostgreSQL 15 manual, COPY, "Binary Format".
 * Threads: one per buffer.
 */
#ifndef STORAGE_ARCHIVE_COPY_H
#define STORAGE_ARCHIVE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

/* Before the first row and after the last. */
void copy_begin(struct buffer *out);
void copy_end(struct buffer *out);

void copy_row(struct buffer *out, uint16_t field_count);
void copy_null(struct buffer *out);
void copy_bool(struct buffer *out, bool value);
void copy_i16(struct buffer *out, int16_t value);
void copy_i32(struct buffer *out, int32_t value);
void copy_i64(struct buffer *out, int64_t value);
void copy_double(struct buffer *out, double value);
/* timestamptz from Unix milliseconds; what PostgreSQL cannot hold is clamped to its range. */
void copy_time(struct buffer *out, int64_t time_ms);
void copy_text(struct buffer *out, struct text text);
void copy_bytes(struct buffer *out, struct text bytes);
/* The text must be JSON without \u0000, or the server refuses the COPY. */
void copy_jsonb(struct buffer *out, struct text json);

/* Is it UTF-8 (RFC 3629) without NUL, as a column of type text wants it? */
bool copy_text_fits(struct text text);

#endif
