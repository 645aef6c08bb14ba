/*
 * text.h - a piece of text that somebody else owns, not terminated, and strict number reading.
 * Threads: any.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct text {
    const char *at;
    size_t length;
};

#define TEXT(literal)   ((struct text){(literal), sizeof(literal) - 1})
#define TEXT_FMT(text_) (int)(text_).length, (text_).at

struct text text_of(const char *cstr);
bool text_equal(struct text a, struct text b);
bool text_is(struct text a, const char *cstr);
/* Without spaces, tabs and line ends at both sides. */
struct text text_trim(struct text a);
/* FNV-1a with a final mix (murmur3's), for tables of trusted keys. */
uint64_t text_hash(struct text a);

/* An identifier as topics and the registry take it: 1-64 of A-Z a-z 0-9 . _ : - */
#define TEXT_ID_MAX 64
bool text_is_id(struct text a);

/* The whole text must be the number. STATUS_INVALID otherwise; NaN and infinities are refused. */
enum status text_to_double(struct text a, double *ret) MUST_CHECK;
enum status text_to_i64(struct text a, int64_t *ret) MUST_CHECK;

#endif
